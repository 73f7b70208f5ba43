/* Rows normalized by the mean and the variance of their own blocks of adjacent columns. */
#ifndef SKNORM_ROWNORM_H
#define SKNORM_ROWNORM_H

#include <stdlib.h>

#include "cells.h"

/* Sums are kept in so many lanes: four vector registers of AVX2, added up in pairs at the end. */
enum { SKNORM_SUMS = 16 };

SKNORM_INLINE double total_of(const double *sums) {
    double total[SKNORM_SUMS / 4];
    for (size_t j = 0; j < SKNORM_SUMS / 4; j++)
        total[j] = (sums[j] + sums[j + 4]) + (sums[j + 8] + sums[j + 12]);
    return (total[0] + total[1]) + (total[2] + total[3]);
}

/* Turn the w values of a block into deviations from their mean over √(variance + eps), where one is missing or infinite
   or a sum overflows. Missing ones are left out; the others are halved until no sum overflows. */
static int normalize_carefully(double *v, size_t w, double eps) {
    double largest = 0, n = 0, mean = 0, low = 0, m2 = 0;
    for (size_t j = 0; j < w; j++) {
        if (v[j] != v[j]) continue;
        largest = GREATER(fabs(v[j]), largest);
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
    if (!(root > n * DBL_EPSILON * fabs(mean))) root = eps > 0 && root > 0 ? root : 1;
    for (size_t j = 0; j < w; j++) v[j] /= root;
    return SKNORM_OK;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "rownorm_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "rownorm_loops.h"
#undef T
#undef NAME

#endif
