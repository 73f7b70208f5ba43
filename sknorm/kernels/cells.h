/* A table of statistics: its rows, and how one cell is merged into another. */
#ifndef SKNORM_CELLS_H
#define SKNORM_CELLS_H

#include <float.h>
#include <math.h>

#include "portable.h"

enum { SKNORM_OK = 0, SKNORM_INFINITE = 1, SKNORM_NO_MEMORY = 2, SKNORM_BAD_CODE = 3, SKNORM_OVERFLOW = 4 };

/* The rows of a table of statistics, each of n_cells doubles. */
enum { ROW_MEAN, ROW_LOW, ROW_M2, ROW_COUNT, ROW_MIN, ROW_MAX, N_ROWS };

/* a + b = *sum + *error exactly (Knuth). */
SKNORM_INLINE void two_sum(double a, double b, double *sum, double *error) {
    double s = a + b, v = s - a;
    *sum = s;
    *error = (a - (s - v)) + (b - v);
}

/* Merge (n_b, mean_b + low_b, m2_b) into the cell of a table whose rows are n_cells apart. */
SKNORM_INLINE void merge_cell(double *cell, size_t n_cells, double n_b, double mean_b, double low_b, double m2_b) {
    double *mean = cell + ROW_MEAN * n_cells, *low = cell + ROW_LOW * n_cells;
    double *m2 = cell + ROW_M2 * n_cells, *n = cell + ROW_COUNT * n_cells;
    if (n_b == 0) return;
    if (*n == 0) {
        *n = n_b, *mean = mean_b, *low = low_b, *m2 = m2_b;
        return;
    }
    double total = *n + n_b, share = n_b / total, delta, error, step;
    two_sum(mean_b, -*mean, &delta, &error);
    delta += error + (low_b - *low);
    if (fabs(delta) <= DBL_MAX) {
        two_sum(*mean, delta * share, &step, &error);
        two_sum(step, error + *low, mean, low);
        *m2 += m2_b + delta * (*n * share) * delta;
    } else { /* the mean lies between the two and is finite; the variance overflows */
        *mean = *mean * (*n / total) + mean_b * share;
        *low = 0;
        *m2 = INFINITY;
    }
    *n = total;
}

#define LESSER(a, b) ((a) < (b) ? (a) : (b))
#define GREATER(a, b) ((a) > (b) ? (a) : (b))

#endif
