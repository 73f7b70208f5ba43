/* Learn from rows of many groups, in their order, and scale each with what was known of its group before it.

   Every group has a record: its lanes, and what its forgetting needs (see aging.h; a window is a ring of panes, with all
   closed ones merged once for all the rows of the open one). The statistic of all rows is a record like any other, from
   which rows of unseen groups are scaled and towards which small groups are pulled. Rows of one group follow each other
   seldom, so their arithmetic overlaps; that of the record of all rows would not, and is put off to the end of a block, or
   until somebody reads it: then deviations from its mean are summed. */
#ifndef SKNORM_GROUPS_H
#define SKNORM_GROUPS_H

#include <stdlib.h>
#include <string.h>

#include "aging.h"
#include "lanes.h"
#include "rows.h"

enum { SKNORM_UNSEEN = 5 };
enum { UNSEEN_GLOBAL, UNSEEN_NAN, UNSEEN_PASSTHROUGH, UNSEEN_ERROR };
enum { GROUPS_AHEAD = 8 };
/* Larger values may overflow in a sum of squares. */
#define GROUPS_LARGEST 1e150

/* How groups are scaled by: what an unseen one gets, from what weight on a group counts as seen, how strongly it is pulled
   (less than 0: by the ratio of variances), and which records are those of all rows and of what was folded (-1: none). */
typedef struct {
    int unseen;
    double min_samples, smooth;
    ptrdiff_t all, other;
} Policy;

typedef struct {
    const Rule *rule; /* NULL where rows are learned only */
    Policy policy;
    size_t n_groups, d, w, fields, stride; /* fields: those that a record has, the extremes last */
    int first_row, last_row, moments, extremes;
    double half_life;
    size_t window, length, n_panes;
    /* the state outside: rows of n_groups * n_panes * d cells, a phase for each column, ring and rows of every group */
    double *table, *phase, *pane_weight, *weight;
    int64_t *seen;
    /* room inside */
    double *records, *view, *view_of_all, *spare_lanes, *lane_weight, *poison, *centre, *scale, *centre_of_all, *scale_of_all, *spare;
    double *pivot, *sum, *squares, *count;
    const double *pending;
    size_t n_pending;
} Groups;

SKNORM_INLINE double *record_of(const Groups *s, size_t group) { return s->records + group * s->stride; }
SKNORM_INLINE double *pane_of(const Groups *s, size_t group, size_t pane) {
    return record_of(s, group) + (s->window ? pane % s->n_panes * s->fields * s->w : 0);
}
SKNORM_INLINE double *closed_of(const Groups *s, size_t group) {
    return record_of(s, group) + s->n_panes * s->fields * s->w;
}
SKNORM_INLINE Age age_of(const Groups *s, size_t group) {
    double *phase = record_of(s, group) + s->fields * s->w;
    Age age = {phase, phase + s->w, phase + 2 * s->w};
    return age;
}

static void empty_lanes(const Groups *s, double *lanes) {
    for (size_t j = 0; j < ROW_MIN * s->w; j++) lanes[j] = 0;
    if (s->extremes)
        for (size_t j = 0; j < s->w; j++) lanes[ROW_MIN * s->w + j] = INFINITY, lanes[ROW_MAX * s->w + j] = -INFINITY;
}

/* Empty the panes that the window of a group no longer needs, and merge the closed ones that it does. */
SKNORM_CLONES_256 void close_panes(Groups *s, size_t group) {
    size_t seen = (size_t)s->seen[group], last = seen / s->length, open_rows = seen % s->length;
    size_t needed = s->window > open_rows ? (s->window - open_rows + s->length - 1) / s->length : 0;
    needed = last < needed ? last : needed;
    for (size_t i = open_rows ? last + 1 : last; i < last + s->n_panes - needed; i++) {
        double *weight = s->pane_weight + group * s->n_panes + i % s->n_panes;
        if (*weight > 0) empty_lanes(s, pane_of(s, group, i));
        *weight = 0;
    }
    /* In the order of turn_panes in stream.h, so that one group and many give the same bits. */
    size_t first = last - needed, period = s->n_panes > 3 ? s->n_panes - 2 : 1, turn = last - last % period;
    Fields suffix = fields_of(closed_of(s, group), s->w), before = fields_of(s->spare_lanes, s->w);
    empty_lanes(s, closed_of(s, group));
    empty_lanes(s, s->spare_lanes);
    for (size_t i = turn; i > first; i--)
        merge_rows(suffix, fields_of(pane_of(s, group, i - 1), s->w), suffix, s->w, s->moments, s->extremes);
    for (size_t i = turn > first ? turn : first; i < last; i++)
        merge_rows(before, before, fields_of(pane_of(s, group, i), s->w), s->w, s->moments, s->extremes);
    merge_rows(suffix, suffix, before, s->w, s->moments, s->extremes);
}

/* What is known of a group now. */
SKNORM_INLINE Fields known_of(const Groups *s, size_t group, double *room) {
    if (s->window) {
        Fields view = fields_of(room, s->w), open = fields_of(pane_of(s, group, (size_t)s->seen[group] / s->length), s->w);
        merge_rows(view, fields_of(closed_of(s, group), s->w), open, s->w, s->moments, s->extremes);
        return view;
    }
    Fields f = fields_of(record_of(s, group), s->w);
    if (s->half_life > 0) {
        Fields view = fields_of(room, s->w);
        const double *shrink = age_of(s, group).shrink;
        for (size_t j = 0; j < s->w; j++) view.n[j] = f.n[j] * shrink[j], view.m2[j] = f.m2[j] * shrink[j];
        f.n = view.n, f.m2 = view.m2;
    }
    return f;
}

/* Learn a row of a weight that is not 0. */
SKNORM_INLINE void learn_in(Groups *s, size_t group, const double *x, double weight) {
    size_t w = s->w;
    Fields f = fields_of(record_of(s, group), w);
    if (s->window) f = fields_of(pane_of(s, group, (size_t)s->seen[group] / s->length), w);
    if (s->half_life > 0) {
        Age age = age_of(s, group);
        age_lanes(age, s->half_life, x, s->d, w, f.n, f.m2, one_phase(age.phase, s->d));
        for (size_t j = 0; j < w; j++) s->lane_weight[j] = weight * age.growth[j];
    } else
        for (size_t j = 0; j < w; j++) s->lane_weight[j] = weight;
    learn_row(f, w, x, s->lane_weight, s->moments, s->extremes);
    s->weight[group] += weight;
    if (s->window) {
        size_t seen = (size_t)s->seen[group]++, open_rows = (seen + 1) % s->length;
        s->pane_weight[group * s->n_panes + seen / s->length % s->n_panes] += weight;
        if (open_rows == 0 || (s->window - open_rows) % s->length == 0) close_panes(s, group);
    }
}

/* Add up the rows that were put off: deviations from the mean of all rows before, or from the first value. */
SKNORM_INLINE void sum_pending(const double *SKNORM_RESTRICT x, size_t rows, size_t w, const double *SKNORM_RESTRICT mean,
                               const double *SKNORM_RESTRICT n, double *SKNORM_RESTRICT pivot,
                               double *SKNORM_RESTRICT sum, double *SKNORM_RESTRICT squares,
                               double *SKNORM_RESTRICT count) {
    for (size_t j = 0; j < w; j++) sum[j] = squares[j] = count[j] = 0, pivot[j] = n[j] > 0 ? mean[j] : NAN;
    for (size_t r = 0; r < rows; r++, x += w) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double v = x[j], p = pivot[j] == pivot[j] ? pivot[j] : v, delta = v == v ? v - p : 0;
            pivot[j] = p;
            sum[j] += delta;
            squares[j] += delta * delta;
            count[j] += v == v ? 1 : 0;
        }
    }
}

/* Learn the rows that were put off. */
SKNORM_CLONES_256 void settle_all(Groups *s) {
    size_t w = s->w, rows = s->n_pending;
    const double *x = s->pending;
    if (!rows) return;
    s->n_pending = 0;
    s->weight[s->policy.all] += (double)rows;
    Fields f = fields_of(record_of(s, (size_t)s->policy.all), w);
    double *sum = s->sum, *squares = s->squares, *count = s->count, *pivot = s->pivot;
    if (w == 4) sum_pending(x, rows, 4, f.mean, f.n, pivot, sum, squares, count);
    else sum_pending(x, rows, w, f.mean, f.n, pivot, sum, squares, count);
    SKNORM_INDEPENDENT
    for (size_t j = 0; j < w; j++) {
        double n_b = count[j], shift = sum[j] / (n_b > 0 ? n_b : 1), m2_b = squares[j] - sum[j] * shift;
        double mean_b, low_b, a, b, c;
        two_sum(n_b > 0 ? pivot[j] : 0, shift, &mean_b, &low_b);
        merge_lane(f.n[j], f.mean[j], f.low[j], f.m2[j], n_b, mean_b, low_b, GREATER(m2_b, 0), &a, &b, &c);
        f.mean[j] = a, f.low[j] = b, f.m2[j] = c, f.n[j] += n_b;
    }
    if (s->extremes)
        for (size_t r = 0; r < rows; r++, x += w) {
            SKNORM_INDEPENDENT
            for (size_t j = 0; j < w; j++) f.min[j] = LESSER(x[j], f.min[j]), f.max[j] = GREATER(x[j], f.max[j]);
        }
}

/* Put a row of weight 1 off; those that are pending lie one after the other. */
SKNORM_INLINE void put_off(Groups *s, const double *x) {
    if (!s->n_pending) s->pending = x;
    s->n_pending++;
}

SKNORM_INLINE int is_seen(const Groups *s, ptrdiff_t group) {
    return group >= 0 && s->weight[group] > 0 && (s->policy.min_samples <= 1 || s->weight[group] >= s->policy.min_samples);
}

/* The share of a group's own parameters: n / (n + smooth), or with "auto" n / (n + the ratio of the variances, or of the
   squared scales where there are none). */
SKNORM_INLINE double share_of(double smooth, double n, double spread, double spread_of_all) {
    double share = n / (n + (smooth < 0 ? spread / spread_of_all : smooth));
    return n > 0 && share >= DBL_EPSILON ? share : 0; /* less would leave a scale near 0 */
}

/* Pull centre and scale of a group, whose constants have scale 0, towards those of all rows. */
SKNORM_INLINE void pull(Groups *s, Fields f, Fields all) {
    int scaled = s->rule->scale != SCALE_NONE;
    for (size_t j = 0; j < s->w; j++) {
        double own = s->scale[j], of_all = s->scale_of_all[j], spread = own * own, spread_of_all = of_all * of_all;
        if (s->moments) spread = f.m2[j] / f.n[j], spread_of_all = all.m2[j] / all.n[j];
        double share = all.n[j] > 0 ? share_of(s->policy.smooth, f.n[j], spread, spread_of_all) : 1;
        double centre = s->centre_of_all[j] + share * (s->centre[j] - s->centre_of_all[j]);
        if (!(fabs(centre) <= DBL_MAX)) centre = share * s->centre[j] + (1 - share) * s->centre_of_all[j];
        double scale = of_all + share * (own - of_all);
        s->centre[j] = share == 1 ? s->centre[j] : share == 0 ? s->centre_of_all[j] : centre;
        scale = share == 1 ? own : share == 0 ? of_all : scale;
        s->scale[j] = scaled && scale == 0 ? 1 : scale;
        s->spare[j] = GREATER(f.n[j], all.n[j]);
    }
}

/* Scale a row by what is known of all rows, or of those folded. */
SKNORM_INLINE void scale_by_all(Groups *s, size_t group, const double *x, double *y, int look) {
    settle_all(s);
    Fields f = known_of(s, group, s->view_of_all);
    derive(s->rule, f, s->w, 1, s->centre_of_all, s->scale_of_all);
    if (look) poison_row(s->rule, f, s->w, s->poison, s->moments);
    scale_row(s->rule, x, y, s->w, f.n, s->centre_of_all, s->scale_of_all);
}

/* Scale a row; returns SKNORM_UNSEEN where that is an error. */
SKNORM_INLINE int scale_in(Groups *s, ptrdiff_t group, const double *x, double *y, int look) {
    size_t w = s->w;
    if (!is_seen(s, group)) {
        int unseen = group < 0 ? UNSEEN_GLOBAL : s->policy.unseen;
        if (group >= 0 && is_seen(s, s->policy.other)) scale_by_all(s, (size_t)s->policy.other, x, y, look);
        else if (unseen == UNSEEN_GLOBAL) scale_by_all(s, (size_t)s->policy.all, x, y, look);
        else
            for (size_t j = 0; j < w; j++) y[j] = unseen == UNSEEN_PASSTHROUGH ? x[j] : NAN;
        return unseen == UNSEEN_ERROR && !is_seen(s, s->policy.other) ? SKNORM_UNSEEN : SKNORM_OK;
    }
    Fields f = known_of(s, (size_t)group, s->view);
    if (look) poison_row(s->rule, f, w, s->poison, s->moments);
    if (s->policy.smooth != 0) {
        settle_all(s);
        Fields all = known_of(s, (size_t)s->policy.all, s->view_of_all);
        if (look) poison_row(s->rule, all, w, s->poison, s->moments);
        derive(s->rule, f, w, 0, s->centre, s->scale);
        derive(s->rule, all, w, 0, s->centre_of_all, s->scale_of_all);
        pull(s, f, all);
        scale_row(s->rule, x, y, w, s->spare, s->centre, s->scale);
        return SKNORM_OK;
    }
    derive(s->rule, f, w, 1, s->centre, s->scale);
    scale_row(s->rule, x, y, w, f.n, s->centre, s->scale);
    int missing = 0;
    for (size_t j = 0; j < s->d; j++) missing |= !(f.n[j] > 0);
    if (missing) { /* columns without a value in a group that was seen */
        if (s->policy.unseen == UNSEEN_GLOBAL) scale_by_all(s, (size_t)s->policy.all, x, s->spare, look);
        for (size_t j = 0; j < s->d; j++)
            if (!(f.n[j] > 0))
                y[j] = s->policy.unseen == UNSEEN_GLOBAL        ? s->spare[j]
                     : s->policy.unseen == UNSEEN_PASSTHROUGH ? x[j]
                                                              : NAN;
    }
    return SKNORM_OK;
}

/* Scale a row and learn it; apart from the loop below, which is left small. */
SKNORM_CLONES_256 int take_row(Groups *s, ptrdiff_t group, const double *x, double *y, double weight, int look) {
    int status = s->rule ? scale_in(s, group, x, y, look) : SKNORM_OK;
    if (!status && weight != 0 && group >= 0) learn_in(s, (size_t)group, x, weight);
    return status;
}

SKNORM_CLONES_256 void learn_eagerly(Groups *s, const double *x, double weight) {
    learn_in(s, (size_t)s->policy.all, x, weight);
}

/* Take a block of rows of w lanes; eager: none are put off. */
SKNORM_INLINE int follow_rows(Groups *s, const double *x, double *y, size_t rows, size_t d, size_t w,
                              const intptr_t *codes, size_t ahead, const double *weights, int eager, size_t *done) {
    int look = s->rule && may_recover(s->rule, s->half_life, s->window, weights), has_all = s->policy.all >= 0;
    int plain = !weights && !s->window && !(s->half_life > 0), put = !eager && has_all;
    int fused = plain && !look && s->rule && is_z_score(s->rule) && s->policy.smooth == 0 && !s->extremes;
    double *records = s->records, least = s->policy.min_samples, ddof = fused ? s->rule->ddof : 0;
    size_t stride = s->stride;
    for (size_t r = 0; r < rows; r++, x += w, y += w) {
        ptrdiff_t group = codes[r];
        double weight = weights ? weights[r] : 1, *record = records + group * (ptrdiff_t)stride;
        if (r + GROUPS_AHEAD < rows + ahead) {
            const char *next = (const char *)(records + codes[r + GROUPS_AHEAD] * (ptrdiff_t)stride);
            for (size_t byte = 0; byte < 4 * w * sizeof(double); byte += 64) SKNORM_PREFETCH_WRITE(next + byte);
        }
        int full = fused && group >= 0 && s->weight[group] >= least;
        if (full)
            for (size_t j = 0; j < d; j++) full &= record[ROW_COUNT * w + j] > 0;
        if (full) {
            standardize_row(ddof, fields_of(record, w), w, x, y);
            s->weight[group] += 1;
        } else {
            int status = take_row(s, group, x, y, weight, look);
            if (status) {
                *done += r;
                return status;
            }
        }
        if (put) put_off(s, x);
        else if (has_all && weight != 0) learn_eagerly(s, x, weight);
    }
    if (put) settle_all(s);
    return s->rule && poisoned(s->poison, w) ? SKNORM_OVERFLOW : SKNORM_OK;
}

SKNORM_CLONES_256 int follow_lanes(Groups *s, const double *x, double *y, size_t rows, const intptr_t *codes,
                                   size_t ahead, const double *weights, int eager, size_t *done) {
    if (s->d == 3) return follow_rows(s, x, y, rows, 3, 4, codes, ahead, weights, eager, done);
    if (s->w == 4) return follow_rows(s, x, y, rows, s->d, 4, codes, ahead, weights, eager, done);
    return follow_rows(s, x, y, rows, s->d, s->w, codes, ahead, weights, eager, done);
}

/* A few doubles: memcpy of an unknown length would be a call. */
SKNORM_INLINE void copy_lanes(double *SKNORM_RESTRICT to, const double *SKNORM_RESTRICT from, size_t d) {
    for (size_t j = 0; j < d; j++) to[j] = from[j];
}

/* Copy the state to records, or back. */
SKNORM_CLONES_256 void carry_groups(const Groups *s, int back) {
    size_t panes = s->window ? s->n_panes : 1, n_cells = s->n_groups * panes * s->d, d = s->d;
    for (size_t g = 0; g < s->n_groups; g++) {
        for (size_t i = 0; i < panes; i++)
            for (int row = s->first_row; row < s->last_row; row++) {
                double *outside = s->table + (size_t)(row - s->first_row) * n_cells + (g * panes + i) * d;
                double *inside = record_of(s, g) + (i * s->fields + (size_t)row) * s->w;
                if (back) copy_lanes(outside, inside, d);
                else copy_lanes(inside, outside, d);
            }
        if (s->half_life > 0) {
            double *outside = s->phase + g * d, *inside = age_of(s, g).phase;
            if (back) copy_lanes(outside, inside, d);
            else copy_lanes(inside, outside, d);
        }
    }
}

/* Make room and read the state into it. Returns what is to be freed, NULL without memory. */
static double *load_groups(Groups *s) {
    size_t w = s->w = padded(s->d), parts = s->window ? s->n_panes + 1 : 1;
    s->fields = (size_t)s->last_row;
    s->stride = (parts * s->fields + (s->half_life > 0 ? 3 : 0)) * w;
    double *room = malloc((s->n_groups * s->stride + (3 * N_ROWS + 11) * w + 8) * sizeof(double)), *next = room;
    if (!room) return NULL;
    while ((uintptr_t)next % 64) next++; /* a record of four lanes fills three cache lines, of which moments need two */
    s->view = next, next += N_ROWS * w;
    s->view_of_all = next, next += N_ROWS * w;
    s->spare_lanes = next, next += N_ROWS * w;
    double **lanes[] = {&s->lane_weight, &s->poison, &s->centre, &s->scale, &s->centre_of_all, &s->scale_of_all,
                        &s->spare, &s->pivot, &s->sum, &s->squares, &s->count};
    for (size_t i = 0; i < sizeof(lanes) / sizeof(*lanes); i++, next += w) {
        *lanes[i] = next;
        for (size_t j = 0; j < w; j++) next[j] = 0;
    }
    s->records = next;
    s->n_pending = 0;
    for (size_t g = 0; g < s->n_groups; g++) {
        for (size_t i = 0; i < parts; i++) empty_lanes(s, record_of(s, g) + i * s->fields * w);
        if (s->half_life > 0)
            for (size_t j = 0; j < w; j++) age_of(s, g).phase[j] = -1;
    }
    empty_lanes(s, s->view);
    empty_lanes(s, s->view_of_all);
    carry_groups(s, 0);
    for (size_t g = 0; g < s->n_groups; g++) {
        if (s->window) close_panes(s, g);
        if (s->half_life > 0)
            for (size_t j = 0; j < w; j++) weigh_lane(age_of(s, g), s->half_life, j);
    }
    return room;
}

/* Read what is known of every group now into a table with the same rows of n_groups * d cells. */
static int read_groups(Groups *s, double *table) {
    double *room = load_groups(s);
    if (!room) return SKNORM_NO_MEMORY;
    for (size_t g = 0; g < s->n_groups; g++) {
        Fields f = known_of(s, g, s->view);
        const double *rows[N_ROWS] = {f.mean, f.low, f.m2, f.n, f.min, f.max};
        for (int row = s->first_row; row < s->last_row; row++)
            memcpy(table + ((size_t)(row - s->first_row) * s->n_groups + g) * s->d, rows[row], s->d * sizeof(double));
    }
    free(room);
    return SKNORM_OK;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "groups_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "groups_loops.h"
#undef T
#undef NAME

#endif
