/* Rows normalized by the mean and the variance of their own blocks of adjacent columns. */
#ifndef SKNORM_ROWNORM_H
#define SKNORM_ROWNORM_H

#include <stdlib.h>

#include "cells.h"

/* Sums are kept in so many lanes, which every processor adds up in the same order. */
enum { SKNORM_SUMS = 8 };

SKNORM_INLINE double total_of(const double *sums) {
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/* Turn the w values of a block into deviations from their mean over √(variance + eps), where one is missing or infinite
   or a sum overflows: missing ones are left out, and large ones brought down by a power of two. Constants become 0. */
static int normalize_carefully(double *v, size_t w, double eps) {
    double largest = 0, n = 0, mean = 0, low = 0, m2 = 0, min = INFINITY, max = -INFINITY;
    for (size_t j = 0; j < w; j++) {
        if (v[j] != v[j]) continue;
        largest = GREATER(fabs(v[j]), largest);
        min = LESSER(v[j], min);
        max = GREATER(v[j], max);
        n++;
    }
    if (largest > DBL_MAX) return SKNORM_INFINITE;
    if (n == 0) return SKNORM_OK;
    double unit = largest > 1e150 ? ldexp(1.0, ilogb(largest)) : 1;
    for (size_t j = 0; j < w; j++) mean += v[j] == v[j] ? v[j] / unit / n : 0;
    for (size_t j = 0; j < w; j++) {
        v[j] = v[j] / unit - mean;
        low += v[j] == v[j] ? v[j] : 0;
    }
    low /= n;
    for (size_t j = 0; j < w; j++) {
        v[j] -= low;
        m2 += v[j] == v[j] ? v[j] * v[j] : 0;
    }
    double root = sqrt(m2 / n + eps / unit / unit);
    if (min == max || root == 0) root = INFINITY;
    for (size_t j = 0; j < w; j++) v[j] /= root;
    return SKNORM_OK;
}

/* What a double is divided by, a float is multiplied by the reciprocal of, in double: rounded to float that is the same,
   but for one in 10^8 at a tie, in half the time. Nor does a float see what the mean of its block was rounded by. */
#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#define EXACT 1
#include "rownorm_loops.h"
#undef T
#undef NAME
#undef EXACT
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#define EXACT 0
#include "rownorm_loops.h"
#undef T
#undef NAME
#undef EXACT

#endif
