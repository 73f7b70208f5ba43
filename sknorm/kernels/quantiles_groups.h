/* Rows in groups: ordered by group, and the values of each cell gathered and sorted. */
#ifndef SKNORM_QUANTILES_GROUPS_H
#define SKNORM_QUANTILES_GROUPS_H

#include "quantiles_sketch.h"

enum { SKNORM_SORTED = 0, SKNORM_NO_ROOM = -1, SKNORM_NOT_FINITE = 1 };

/* Rows in the order of their groups lie anywhere: so many of them are asked for ahead. */
#define SKNORM_ROWS_AHEAD 16

/* Runs of so many pairs are sorted by insertion. */
#define SKNORM_SHORT_RUN 16

/* Order the rows of positive weight by their group, and within one as they come: those of group g end at end[g], which
   is zero before. Returns their number, or -1 for a code that is no group's. */
static ptrdiff_t sknorm_order_rows(const intptr_t *code, const double *weight, ptrdiff_t n, ptrdiff_t n_groups,
                                   int64_t *SKNORM_RESTRICT order, int64_t *SKNORM_RESTRICT end) {
    ptrdiff_t i, group;
    int64_t total = 0, own;
    for (i = 0; i < n; i++) {
        group = code == NULL ? 0 : code[i];
        if (group < 0 || group >= n_groups) return -1;
        end[group] += weight == NULL || weight[i] > 0;
    }
    for (group = 0; group < n_groups; group++) {
        own = end[group];
        end[group] = total;
        total += own;
    }
    for (i = 0; i < n; i++) {
        if (weight == NULL || weight[i] > 0) order[end[code == NULL ? 0 : code[i]]++] = i;
    }
    return (ptrdiff_t)total;
}

/* Rows of a table, float32 or float64, with weights where that is not NULL. */
typedef struct {
    const char *data;
    ptrdiff_t row_stride, column_stride, n_rows, n_columns;
    int is_float;
    const double *weight;
} sknorm_rows;

/* What sorting finds: cell c holds item[start[c]], start[c] + 1, … */
typedef struct {
    double *item, *weight;
    int64_t *start, *length;
    double *count, *low, *high;
} sknorm_runs;

/* Whether a row of weight 0, which is sorted nowhere, holds an infinity. */
static int sknorm_left_out_infinite(const sknorm_rows *rows) {
    ptrdiff_t i, column;
    for (i = 0; rows->weight != NULL && i < rows->n_rows; i++) {
        if (rows->weight[i] > 0) continue;
        for (column = 0; column < rows->n_columns; column++) {
            const char *source = rows->data + i * rows->row_stride + column * rows->column_stride;
            if (fabs(sknorm_value(source, rows->is_float)) > DBL_MAX) return 1;
        }
    }
    return 0;
}

/* Sort values with their weights; equal ones stay in their order. */
static int sknorm_sort_pairs(double *value, double *weight, ptrdiff_t n, sknorm_pairs *scratch) {
    ptrdiff_t start, middle, end, i, j, width;
    double *from = value, *from_weight = weight, *to, *to_weight, *swap;
    for (start = 0; start < n; start = end) {
        end = n - start < SKNORM_SHORT_RUN ? n : start + SKNORM_SHORT_RUN;
        for (i = start + 1; i < end; i++) {
            double x = value[i], w = weight[i];
            for (j = i; j > start && value[j - 1] > x; j--) {
                value[j] = value[j - 1];
                weight[j] = weight[j - 1];
            }
            value[j] = x;
            weight[j] = w;
        }
    }
    if (n <= SKNORM_SHORT_RUN) return 0;
    if (sknorm_pairs_reserve(scratch, n) < 0) return -1;
    to = scratch->value.item;
    to_weight = scratch->weight.item;
    for (width = SKNORM_SHORT_RUN; width < n; width *= 2) {
        for (start = 0; start < n; start = end) {
            middle = n - start < width ? n : start + width;
            end = n - middle < width ? n : middle + width;
            sknorm_merge_weighted(from + start, from_weight + start, middle - start, from + middle,
                                  from_weight + middle, end - middle, to + start, to_weight + start);
        }
        swap = from, from = to, to = swap;
        swap = from_weight, from_weight = to_weight, to_weight = swap;
    }
    if (from != value) {
        memcpy(value, from, (size_t)n * sizeof(double));
        memcpy(weight, from_weight, (size_t)n * sizeof(double));
    }
    return 0;
}

/* Gather the values of one cell, whose n rows lie anywhere, and sort them; NaN are left out. Returns how many remain,
   or -1 without memory. */
static ptrdiff_t sknorm_sort_cell(const sknorm_rows *rows, ptrdiff_t column, const int64_t *order, ptrdiff_t n,
                                  ptrdiff_t ahead, double *item, double *weight, double *count,
                                  sknorm_pairs *scratch, int *infinite) {
    const char *data = rows->data + column * rows->column_stride;
    ptrdiff_t i, valid = 0;
    int finite = 1;
    double total = 0;
    for (i = 0; i < n; i++) {
        double x = sknorm_value(data + (ptrdiff_t)order[i] * rows->row_stride, rows->is_float);
        if (i + SKNORM_ROWS_AHEAD < ahead)
            SKNORM_PREFETCH(data + (ptrdiff_t)order[i + SKNORM_ROWS_AHEAD] * rows->row_stride);
        item[valid] = x;
        if (weight == NULL) { /* sorting leaves NaN out */
            valid++;
            continue;
        }
        if (x != x) continue;
        finite &= fabs(x) <= DBL_MAX;
        weight[valid++] = rows->weight[order[i]];
        total += rows->weight[order[i]];
    }
    if (weight == NULL) {
        valid = sknorm_sort_valid(item, n, infinite);
        *count = (double)valid;
        return valid;
    }
    *infinite = !finite;
    *count = total;
    return sknorm_sort_pairs(item, weight, valid, scratch) < 0 ? -1 : valid;
}

/* Sort the values of every cell, group * n_columns + column, of rows that were ordered. */
static int sknorm_sort_cells(const sknorm_rows *rows, const int64_t *order, const int64_t *end, ptrdiff_t n_groups,
                             sknorm_runs *runs) {
    ptrdiff_t group, column, cell = 0, from = 0, n, n_ordered = n_groups > 0 ? (ptrdiff_t)end[n_groups - 1] : 0;
    ptrdiff_t valid, at = 0;
    int infinite = sknorm_left_out_infinite(rows), status = infinite ? SKNORM_NOT_FINITE : SKNORM_SORTED;
    sknorm_pairs scratch;
    memset(&scratch, 0, sizeof(scratch));
    for (group = 0; group < n_groups && status == SKNORM_SORTED; group++) {
        n = (ptrdiff_t)end[group] - from;
        for (column = 0; column < rows->n_columns; column++, cell++) {
            runs->start[cell] = at;
            runs->length[cell] = 0;
            runs->count[cell] = 0;
            if (n == 0) continue;
            valid = sknorm_sort_cell(rows, column, order + from, n, n_ordered - from, runs->item + at,
                                     runs->weight == NULL ? NULL : runs->weight + at, runs->count + cell, &scratch,
                                     &infinite);
            if (valid < 0) status = SKNORM_NO_ROOM;
            else if (infinite) status = SKNORM_NOT_FINITE;
            if (status != SKNORM_SORTED) break;
            runs->length[cell] = valid;
            if (valid > 0) {
                runs->low[cell] = runs->item[at];
                runs->high[cell] = runs->item[at + valid - 1];
            }
            at += valid;
        }
        from += n;
    }
    sknorm_pairs_free(&scratch);
    return status;
}

#endif
