/* Count, mean, centred sum of squares, minimum and maximum of grouped or weighted rows.

   Rows of weight 1 are read once. Each group has a record of fields of w lanes: a pivot, the sum of deviations from it, of
   their squares, and their number; then the extremes. The pivot is the first value, and after every SCATTER_ROWS rows, when
   the record is settled in the table, the mean so far, so that an outlier which came first costs no digits. Everything else is read twice. A thread takes
   some of the groups, so that the bits of a result do not depend on how many threads there are. */
#ifndef SKNORM_SCATTER_H
#define SKNORM_SCATTER_H

#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "moments.h"

enum { SCATTER_MIN = 4, SCATTER_MAX, SCATTER_FIELDS };
/* Rows between two settlements; rows ahead whose records are asked for; rows looked at together; columns at most. */
enum { SCATTER_ROWS = 32, SCATTER_AHEAD = 12, SCATTER_BLOCK = 256, SCATTER_WIDEST = 1024 };
enum { SKNORM_AGAIN = 6 };
/* Larger values may overflow in a sum of squares. */
#define SCATTER_LARGEST 1e150

/* One and two columns are lanes as they are; more are padded to whole vectors. */
static size_t lanes_of(size_t d) { return d <= 2 ? d : (d + 3) / 4 * 4; }

static void clear_records(double *records, size_t n_groups, size_t w, size_t fields) {
    for (size_t g = 0; g < n_groups; g++, records += fields * w) {
        for (size_t j = 0; j < w; j++) records[j] = NAN;
        for (size_t j = w; j < SCATTER_MIN * w; j++) records[j] = 0;
        for (size_t j = SCATTER_MIN * w; j < fields * w; j++) records[j] = j < SCATTER_MAX * w ? INFINITY : -INFINITY;
    }
}

/* Merge the deviations from the pivot into d cells of a table, whose mean is the pivot from then on. */
SKNORM_INLINE void settle(double *record, size_t w, size_t d, double *cell, size_t n_cells) {
    double *pivot = record, *sum = pivot + w, *squares = sum + w, *count = squares + w;
    for (size_t j = 0; j < d; j++) {
        double *mean = cell + j, *low = mean + n_cells, *m2 = low + n_cells, *n = m2 + n_cells, mean_b, low_b;
        if (!(count[j] > 0)) continue;
        double shift = sum[j] / count[j], m2_b = GREATER(squares[j] - sum[j] * shift, 0);
        two_sum(pivot[j], shift, &mean_b, &low_b);
        if (*n == 0) *mean = mean_b, *low = low_b, *m2 = m2_b;
        else merge_lane(*n, *mean, *low, *m2, count[j], mean_b, low_b, m2_b, mean, low, m2);
        *n += count[j];
        pivot[j] = *mean;
        sum[j] = squares[j] = count[j] = 0;
    }
}

SKNORM_CLONES_256 void settle_records(double *records, size_t n_groups, size_t w, size_t fields, size_t d, double *table,
                                      size_t n_cells) {
    for (size_t g = 0; g < n_groups; g++, records += fields * w, table += d) {
        settle(records, w, d, table, n_cells);
        if (fields <= SCATTER_MIN) continue;
        for (size_t j = 0; j < d; j++) {
            table[ROW_MIN * n_cells + j] = records[SCATTER_MIN * w + j];
            table[ROW_MAX * n_cells + j] = records[SCATTER_MAX * w + j];
        }
    }
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "scatter_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "scatter_loops.h"
#undef T
#undef NAME

#endif
