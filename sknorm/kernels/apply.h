/* Apply a program of elementwise stages to a table. One stage reads and writes memory once; several pass a strip of
   rows on from one to the next, so that each after the first finds its values in the cache. All arithmetic is double. */
#ifndef SKNORM_APPLY_H
#define SKNORM_APPLY_H

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "squash.h"

/* What a stage does, in this order; PARAMETERS of them hold one value a column. maps.py writes these numbers. */
enum {
    FENCE = 1,    /* x = p[8] below p[6], p[9] above p[7]: infinities may enter, and are such only if they stay */
    DIVIDE = 2,   /* x = (x - p[0]) / p[1] */
    MULTIPLY = 4, /* x = x p[2] + p[3] */
    CLIP = 8,     /* x within [p[4], p[5]]; NaN stays, since comparisons with it are false */
    SQUASH = 16,  /* x = p[4] x / sqrt(x^2 + p[4]^2), alone in its stage */
    UNSQUASH = 32 /* its inverse, +-infinity from +-p[4] on, alone in its stage */
};
enum { PARAMETERS = 10 };
/* Values that several stages pass on together: half of a first-level cache. */
enum { APPLY_STRIP = 2048 };

/* A bound beyond what the output's type holds, `largest`, is that. */
SKNORM_INLINE double fenced(int kind, double v, const double *SKNORM_RESTRICT p, size_t pitch, size_t j, double largest) {
    if (!(kind & FENCE)) return v;
    double to_low = p[8 * pitch + j], to_high = p[9 * pitch + j];
    if (largest < DBL_MAX) {
        to_low = (to_low < -largest) & (to_low >= -DBL_MAX) ? -largest : to_low;
        to_high = (to_high > largest) & (to_high <= DBL_MAX) ? largest : to_high;
    }
    double above = v > p[7 * pitch + j] ? to_high : v;
    return v < p[6 * pitch + j] ? to_low : above;
}
#define LARGEST_f64 DBL_MAX
#define LARGEST_f32 FLT_MAX

SKNORM_INLINE double affine(int kind, double v, const double *SKNORM_RESTRICT p, size_t pitch, size_t j) {
    if (kind & DIVIDE) v = (v - p[j]) / p[pitch + j];
    if (kind & MULTIPLY) v = v * p[2 * pitch + j] + p[3 * pitch + j];
    if (kind & CLIP) {
        v = p[4 * pitch + j] > v ? p[4 * pitch + j] : v;
        v = p[5 * pitch + j] < v ? p[5 * pitch + j] : v;
    }
    return v;
}

/* Rows ahead whose group's parameters are asked for; rows of a block. */
enum { APPLY_AHEAD = 16, APPLY_ROWS = 256 };

/* How many parameters a stage may read, those that it does not among them. */
SKNORM_INLINE size_t parameters_of(int kind) { return kind & FENCE ? PARAMETERS : kind & CLIP ? 6 : kind & MULTIPLY ? 4 : 2; }

/* Put what a group's rows need side by side: for each group its parameters, of w lanes each. */
static double *records_of(int kind, const double *parameters, size_t n_groups, size_t d, size_t w) {
    size_t fields = parameters_of(kind), n_cells = n_groups * d;
    double *records = malloc((n_groups * fields * w + 1) * sizeof(double)), *record = records;
    for (size_t g = 0; records && g < n_groups; g++)
        for (size_t f = 0; f < fields; f++, record += w) {
            if (!(f < 2 ? kind & DIVIDE : f < 4 ? kind & MULTIPLY : f < 6 ? kind & CLIP : kind & FENCE)) continue;
            for (size_t j = 0; j < d; j++) record[j] = parameters[f * n_cells + g * d + j];
            for (size_t j = d; j < w; j++) record[j] = 1;
        }
    return records;
}

/* The stages that have a loop of their own, by name; and those that have one for groups. */
#define SKNORM_STAGES(X) \
    X(pass_on, 0) \
    X(divide, DIVIDE) \
    X(multiply, MULTIPLY) \
    X(divide_multiply, DIVIDE | MULTIPLY) \
    X(clip, CLIP) \
    X(divide_clip, DIVIDE | CLIP) \
    X(multiply_clip, MULTIPLY | CLIP) \
    X(divide_multiply_clip, DIVIDE | MULTIPLY | CLIP) \
    X(fence, FENCE) \
    X(fence_divide, FENCE | DIVIDE) \
    X(fence_multiply, FENCE | MULTIPLY) \
    X(fence_divide_multiply, FENCE | DIVIDE | MULTIPLY) \
    X(fence_clip, FENCE | CLIP) \
    X(fence_divide_clip, FENCE | DIVIDE | CLIP) \
    X(fence_multiply_clip, FENCE | MULTIPLY | CLIP) \
    X(fence_divide_multiply_clip, FENCE | DIVIDE | MULTIPLY | CLIP)
#define SKNORM_GROUPED_STAGES(X) \
    X(divide, DIVIDE) \
    X(divide_multiply, DIVIDE | MULTIPLY) \
    X(divide_clip, DIVIDE | CLIP) \
    X(divide_multiply_clip, DIVIDE | MULTIPLY | CLIP) \
    X(fence_divide, FENCE | DIVIDE) \
    X(fence_divide_multiply, FENCE | DIVIDE | MULTIPLY) \
    X(fence_divide_clip, FENCE | DIVIDE | CLIP) \
    X(fence_divide_multiply_clip, FENCE | DIVIDE | MULTIPLY | CLIP)

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "apply_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "apply_loops.h"
#undef T
#undef NAME

#endif
