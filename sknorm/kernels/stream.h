/* Learn from rows one after another and, if wanted, scale each with what was known before it.

   A row's columns are lanes, padded to whole vectors, and what is learned of them stays in the first-level cache. Rows
   enter and leave in blocks of doubles, whatever the table's type and strides. Every lane takes the arithmetic of
   merge_cell, so a row learned here and a batch of one row merged into a table give the same bits (but for a mean whose
   m2 overflows, which no scaler takes).

   Forgetting by half-life: see aging.h.

   Forgetting by window: rows go into panes of `length` rows, of which a ring keeps enough for the last `window` rows; the
   oldest is dropped whole as soon as the others suffice. */
#ifndef SKNORM_STREAM_H
#define SKNORM_STREAM_H

#include <stdlib.h>
#include <string.h>

#include "aging.h"
#include "lanes.h"
#include "rows.h"

/* What is learned, and how the past counts. */
typedef struct {
    const Rule *rule; /* NULL where rows are learned only */
    size_t d, w;      /* columns, lanes */
    int moments, extremes;
    double *cells; /* the lanes being learned, all fields */
    double *view;  /* where what is known is put together, if it is not the cells themselves */
    double *weight, *centre, *scale, *poison;
    double half_life; /* 0 without */
    Age age;
    int uniform; /* whether all columns are in one phase */
    /* window, 0 without, in rows; rows in a pane, panes in the ring, rows so far, and rows in the open pane */
    size_t window, length, n_panes, seen, open_rows;
    size_t first, last; /* the closed panes that count: from first to before last */
    double *ring, *suffix, *before, *closed, *pane_weight;
} Stream;

static double *pane(const Stream *s, size_t index) { return s->ring + index % s->n_panes * N_ROWS * s->w; }
static double *suffix(const Stream *s, size_t index) { return s->suffix + index % s->n_panes * N_ROWS * s->w; }

static void empty(double *cells, size_t w) {
    for (size_t j = 0; j < ROW_MIN * w; j++) cells[j] = 0;
    for (size_t j = 0; j < w; j++) cells[ROW_MIN * w + j] = INFINITY, cells[ROW_MAX * w + j] = -INFINITY;
}

/* out = a merged with b, where each is a pane. */
SKNORM_CLONES_256 void merge_panes(const Stream *s, double *out, double *a, double *b) {
    merge_rows(fields_of(out, s->w), fields_of(a, s->w), fields_of(b, s->w), s->w, s->moments, s->extremes);
}

/* The closed panes are merged in two parts, so that dropping the oldest takes no more than one merge: those before
   `turn` from the back, every suffix kept; those since then from the front. */
static void turn_panes(Stream *s, size_t turn) {
    empty(suffix(s, turn), s->w);
    for (size_t i = turn; i > s->first; i--) merge_panes(s, suffix(s, i - 1), pane(s, i - 1), suffix(s, i));
    empty(s->before, s->w);
    for (size_t i = turn; i < s->last; i++) merge_panes(s, s->before, s->before, pane(s, i));
}

/* The closed panes that the last `window` rows need. */
static size_t panes_needed(const Stream *s) {
    size_t needed = s->window > s->open_rows ? (s->window - s->open_rows + s->length - 1) / s->length : 0;
    return s->last < needed ? s->last : needed;
}

/* Panes between two turns: fewer than are needed once the ring is full, so that `before` holds none that is dropped. */
static size_t period(const Stream *s) { return s->n_panes > 3 ? s->n_panes - 2 : 1; }

/* Find out from `seen` where the window stands. */
static void load_window(Stream *s) {
    s->last = s->seen / s->length;
    s->open_rows = s->seen % s->length;
    s->first = s->last - panes_needed(s);
    turn_panes(s, s->last - s->last % period(s));
    merge_panes(s, s->closed, suffix(s, s->first), s->before);
}

/* Close the pane if it is full, and drop those that the window no longer needs. */
static void move_window(Stream *s) {
    if (s->open_rows == s->length) {
        memcpy(pane(s, s->last), s->cells, N_ROWS * s->w * sizeof(double));
        merge_panes(s, s->before, s->before, s->cells);
        empty(s->cells, s->w);
        s->open_rows = 0;
        s->last++;
        if (s->last % period(s) == 0) turn_panes(s, s->last);
    }
    for (size_t first = s->last - panes_needed(s); s->first < first; s->first++) {
        empty(pane(s, s->first), s->w);
        s->pane_weight[s->first % s->n_panes] = 0;
    }
    merge_panes(s, s->closed, suffix(s, s->first), s->before);
}

SKNORM_INLINE void count_row(Stream *s, double weight) {
    s->pane_weight[s->last % s->n_panes] += weight;
    s->seen++;
    s->open_rows++;
    if (s->open_rows == s->length || (s->window - s->open_rows) % s->length == 0) move_window(s);
}

/* Let the values of a row age those before them in their lanes. */
SKNORM_CLONES_256 void age_row(Stream *s, const double *x) {
    double *n = s->cells + ROW_COUNT * s->w, *m2 = s->cells + ROW_M2 * s->w;
    s->uniform = age_lanes(s->age, s->half_life, x, s->d, s->w, n, m2, s->uniform);
}

/* What is known now: closed panes and the open one, or weights as of the last value. */
SKNORM_INLINE Fields known(Stream *s) {
    Fields f = fields_of(s->cells, s->w), view = fields_of(s->view, s->w);
    if (s->window) merge_rows(view, fields_of(s->closed, s->w), f, s->w, s->moments, s->extremes);
    else if (s->half_life > 0) {
        for (size_t j = 0; j < s->w; j++) view.n[j] = f.n[j] * s->age.shrink[j], view.m2[j] = f.m2[j] * s->age.shrink[j];
        view.mean = f.mean, view.low = f.low, view.min = f.min, view.max = f.max;
    } else
        view = f;
    return view;
}

static int is_plain_z_score(const Stream *s, const double *weights) {
    return s->rule && is_z_score(s->rule) && !(s->half_life > 0) &&
           !may_recover(s->rule, s->half_life, s->window, weights);
}

/* Take a block of rows, contiguous in x; what is scaled goes to y. */
SKNORM_CLONES_256 int follow_block(Stream *s, const double *SKNORM_RESTRICT x, double *SKNORM_RESTRICT y, size_t rows,
                                   const double *weights) {
    size_t w = s->w;
    if (is_plain_z_score(s, weights)) {
        Fields f = fields_of(s->cells, w);
        for (size_t r = 0; r < rows; r++, x += w, y += w) standardize_row(s->rule->ddof, f, w, x, y);
        return SKNORM_OK;
    }
    s->uniform = one_phase(s->age.phase, s->d);
    for (size_t r = 0; r < rows; r++, x += w, y += w) {
        double weight = weights ? weights[r] : 1;
        if (s->rule) {
            Fields f = known(s);
            derive(s->rule, f, w, 1, s->centre, s->scale);
            if (may_recover(s->rule, s->half_life, s->window, weights)) poison_row(s->rule, f, w, s->poison, s->moments);
            scale_row(s->rule, x, y, w, f.n, s->centre, s->scale);
        }
        if (weight == 0) continue;
        if (s->half_life > 0) {
            age_row(s, x);
            SKNORM_INDEPENDENT
            for (size_t j = 0; j < w; j++) s->weight[j] = weight * s->age.growth[j];
        } else if (weights)
            for (size_t j = 0; j < w; j++) s->weight[j] = weight;
        learn_row(fields_of(s->cells, w), w, x, s->weight, s->moments, s->extremes);
        if (s->window) count_row(s, weight);
    }
    return poisoned(s->poison, w) ? SKNORM_OVERFLOW : SKNORM_OK;
}

/* The state outside: the rows first_row to last_row of a table of d cells for each pane, and a phase for each column. */
typedef struct {
    double *table, *phase;
    size_t d;
    int first_row, last_row;
} State;

/* Copy one pane of a state to lanes, or back. */
static void carry_pane(const Stream *s, State state, size_t index, double *lanes, int back) {
    size_t n_cells = (s->window ? s->n_panes : 1) * state.d;
    for (int row = state.first_row; row < state.last_row; row++) {
        double *outside = state.table + (size_t)(row - state.first_row) * n_cells + index * state.d;
        double *inside = lanes + (size_t)row * s->w;
        memcpy(back ? outside : inside, back ? inside : outside, state.d * sizeof(double));
    }
}

/* Make room for the lanes and read a state into them. Returns what is to be freed, NULL without memory. */
static double *load_state(Stream *s, State state) {
    size_t w = padded(state.d), panes = s->window ? s->n_panes : 0;
    double *room = malloc(((4 + 2 * panes) * N_ROWS + 7) * w * sizeof(double)), *next = room;
    if (!room) return NULL;
    s->d = state.d;
    s->w = w;
    s->cells = next, next += N_ROWS * w;
    s->view = next, next += N_ROWS * w;
    s->closed = next, next += N_ROWS * w;
    s->before = next, next += N_ROWS * w;
    s->ring = next, next += panes * N_ROWS * w;
    s->suffix = next, next += panes * N_ROWS * w;
    s->age.phase = next, next += w;
    s->age.growth = next, next += w;
    s->age.shrink = next, next += w;
    s->weight = next, next += w;
    s->centre = next, next += w;
    s->scale = next, next += w;
    s->poison = next;
    empty(s->cells, w);
    empty(s->view, w);
    for (size_t j = 0; j < w; j++) s->weight[j] = 1, s->poison[j] = 0, s->age.phase[j] = -1;
    if (s->window) {
        for (size_t i = 0; i < panes; i++) {
            empty(pane(s, i), w);
            carry_pane(s, state, i, pane(s, i), 0);
        }
        memcpy(s->cells, pane(s, s->seen / s->length), N_ROWS * w * sizeof(double));
        load_window(s);
    } else
        carry_pane(s, state, 0, s->cells, 0);
    if (s->half_life > 0) {
        memcpy(s->age.phase, state.phase, state.d * sizeof(double));
        for (size_t j = 0; j < w; j++) weigh_lane(s->age, s->half_life, j);
    }
    return room;
}

static void store_state(Stream *s, State state) {
    if (s->window) {
        memcpy(pane(s, s->last), s->cells, N_ROWS * s->w * sizeof(double));
        for (size_t i = 0; i < s->n_panes; i++) carry_pane(s, state, i, pane(s, i), 1);
    } else
        carry_pane(s, state, 0, s->cells, 1);
    if (s->half_life > 0) memcpy(state.phase, s->age.phase, state.d * sizeof(double));
}

/* Read what a state says now into a table of d cells with the same rows. */
static int read_state(Stream *s, State state, double *table) {
    double *room = load_state(s, state);
    if (!room) return SKNORM_NO_MEMORY;
    Fields f = known(s);
    const double *rows[N_ROWS] = {f.mean, f.low, f.m2, f.n, f.min, f.max};
    for (int row = state.first_row; row < state.last_row; row++)
        memcpy(table + (size_t)(row - state.first_row) * state.d, rows[row], state.d * sizeof(double));
    free(room);
    return SKNORM_OK;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "stream_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "stream_loops.h"
#undef T
#undef NAME

#endif
