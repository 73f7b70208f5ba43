/* Count, mean, centred sum of squares, minimum and maximum of every column, one read of memory.

   A block that fits the cache is read, deviations from a pivot close to its mean are summed, and the result is merged
   into the accumulators by the formula of Chan, Golub and LeVeque (1983). The mean is an unevaluated sum of two doubles,
   whose low part the mean deviation yields for free, so that streams far from zero keep their digits. */
#ifndef SKNORM_MOMENTS_H
#define SKNORM_MOMENTS_H

#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "fold.h"

/* A block stays in the second-level cache, but has SKNORM_ROWS rows at least. */
enum { SKNORM_BLOCK = 32768, SKNORM_ROWS = 32 };

/* Lanes of a single column: what four vector registers of the widest kind hold. */
enum { SKNORM_COLUMN = 32 };

/* Turn a pivot, the sum of deviations from it and of their squares into mean + low and m2. */
SKNORM_INLINE void finish_cell(double count, double *mean, double *low, double *m2, double sum) {
    if (count == 0) return;
    if (!(fabs(sum) <= DBL_MAX)) sum = 0; /* the pivot is the mean then, but for rounding, and m2 is infinite */
    double shift = sum / count, m2_about_mean = *m2 - sum * shift;
    if (m2_about_mean != m2_about_mean) m2_about_mean = INFINITY; /* of two that overflow */
    *m2 = m2_about_mean < 0 ? 0 : m2_about_mean;
    two_sum(*mean, shift, mean, low);
}

/* Ask for four rows as far ahead as SKNORM_AHEAD bytes. Several rows walked at once are an order in which the processor's
   own prefetcher does not follow: 80 MB took 9 ms without this, 4 with it (2.5 for a plain read), and asking for the
   first-level cache was no help. */
#define PREFETCH_FOUR(x, w, stride) \
    for (size_t row = SKNORM_AHEAD / (w * sizeof(T)), end = row + 4; row < end; row++) \
        for (size_t lane = 0; lane < w; lane += 64 / sizeof(T)) \
            SKNORM_PREFETCH((const char *)x + ((ptrdiff_t)row * stride + (ptrdiff_t)lane) * (ptrdiff_t)sizeof(T));
#define ONE_IF(condition) ((condition) ? 1.0 : 0.0)
#define OR_ZERO(value) ((value) == (value) ? (value) : 0.0)
#define EXTREMES_OF_ONE min[j] = LESSER(a, min[j]), max[j] = GREATER(a, max[j]);
#define EXTREMES_OF_FOUR \
    double low = min[j], high = max[j]; \
    low = LESSER(a, low), high = GREATER(a, high); \
    low = LESSER(b, low), high = GREATER(b, high); \
    low = LESSER(c, low), high = GREATER(c, high); \
    min[j] = LESSER(d, low), max[j] = GREATER(d, high);

/* Merge the rows mean, low, m2 and count of table b into table a. */
static void merge_moments(double *a, const double *b, size_t n_cells) {
    for (size_t i = 0; i < n_cells; i++)
        merge_cell(a + i, n_cells, b[ROW_COUNT * n_cells + i], b[ROW_MEAN * n_cells + i], b[ROW_LOW * n_cells + i],
                   b[ROW_M2 * n_cells + i]);
}

/* Merge the rows count, minimum and maximum. */
static void merge_extremes(double *a, const double *b, size_t n_cells, int with_count) {
    for (size_t i = 0, low = n_cells, high = 2 * n_cells; i < n_cells; i++, low++, high++) {
        if (with_count) a[i] += b[i];
        a[low] = LESSER(b[low], a[low]);
        a[high] = GREATER(b[high], a[high]);
    }
}

/* Whether a mean, an m2, a variance, a count or a range of values that are all finite is not: 0 times it is NaN. */
SKNORM_CLONES_256 int table_overflows(const double *table, size_t n_rows, size_t n_cells, int moments, int extremes,
                                      double ddof) {
    double sums[8] = {0}, total = 0; /* so many, that they are added up side by side */
    const double *count = table + (moments ? ROW_COUNT : 0) * n_cells, *m2 = table + ROW_M2 * n_cells;
    const double *min = table + (n_rows - 2) * n_cells, *max = min + n_cells;
    for (size_t i = 0; i < n_cells; i += 8) {
        size_t lanes = n_cells - i < 8 ? n_cells - i : 8;
        for (size_t j = 0; j < lanes; j++) {
            double n = count[i + j], freedom = n - ddof;
            if (moments)
                sums[j] += (table[i + j] + table[ROW_LOW * n_cells + i + j] + m2[i + j] + n) * 0 +
                           m2[i + j] / (freedom > 0 ? freedom : 1) * 0;
            if (extremes) sums[j] += n > 0 ? (max[i + j] - min[i + j]) * 0 : 0;
        }
    }
    for (size_t j = 0; j < 8; j++) total += sums[j];
    return total != total;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "moments_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "moments_loops.h"
#undef T
#undef NAME

#endif
