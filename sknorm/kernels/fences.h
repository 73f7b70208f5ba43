/* Values fenced in before they are learned: what lies outside goes to the bound, or is left out, and is counted. A block
   of rows is fenced into doubles that stay in the first-level cache, from where its moments are taken. */
#ifndef SKNORM_FENCES_H
#define SKNORM_FENCES_H

#include "moments.h"

/* Values of a block: 80 MB took 24 ms with 4096, 26 with 2048 and 37 with 32768, the block of moments.h. */
enum { FENCED_BLOCK = 4096 };

/* The bounds of d columns, and how many values of each were outside. */
typedef struct {
    const double *low, *high;
    int drops; /* whether what lies outside is left out */
    double *below, *above;
} Fences;

/* A value fenced in, and whether that moved it: to a bound on either side, or in general. */
#define CLIPPED(v) LESSER_OR_NAN(GREATER_OR_NAN(v, low), high)
#define GREATER_OR_NAN(v, bound) ((bound) > (v) ? (bound) : (v))
#define LESSER_OR_NAN(v, bound) ((bound) < (v) ? (bound) : (v))
#define IS_LIFTED(v, z) ((z) > (v))
#define IS_LOWERED(v, z) ((z) < (v))
#define DROPPED(v) ((v) > high ? to_high : (v) < low ? to_low : (v))
#define IS_LOW(v, z) ((v) < low)
#define IS_HIGH(v, z) ((v) > high)

/* The lanes of the bounds, what replaces what lies outside, and the counts, all of w lanes. */
typedef struct {
    double *low, *high, *to_low, *to_high, *below, *above;
} FenceLanes;

static FenceLanes fence_lanes(const Fences *f, double *room, size_t d, size_t w) {
    FenceLanes lanes = {room, room + w, room + 2 * w, room + 3 * w, room + 4 * w, room + 5 * w};
    for (size_t j = 0; j < w; j++) {
        double low = f->low[j % d], high = f->high[j % d];
        /* An infinity is always outside, and on an open side left out, since no statistic may take it. */
        lanes.low[j] = GREATER(low, -DBL_MAX), lanes.high[j] = LESSER(high, DBL_MAX);
        lanes.to_low[j] = f->drops || low == -INFINITY ? NAN : low;
        lanes.to_high[j] = f->drops || high == INFINITY ? NAN : high;
        lanes.below[j] = lanes.above[j] = 0;
    }
    return lanes;
}

/* Whether every lane has two bounds, to which what lies outside is moved. */
static int has_two_bounds(FenceLanes lanes, size_t d) {
    for (size_t j = 0; j < d; j++)
        if (lanes.to_low[j] != lanes.low[j] || lanes.to_high[j] != lanes.high[j]) return 0;
    return 1;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "fences_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "fences_loops.h"
#undef T
#undef NAME

#endif
