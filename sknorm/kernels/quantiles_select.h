/* Sorting, gathering and counting of columns for exact quantiles. */
#ifndef SKNORM_QUANTILES_SELECT_H
#define SKNORM_QUANTILES_SELECT_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

/* A block of rows and the scratch of one column stay together in a first-level cache of 32 KB. */
#define SKNORM_BLOCK_MAX 512
#define SKNORM_BLOCK_BYTES 16384

/* A growable array of doubles. */
typedef struct {
    double *item;
    ptrdiff_t n, capacity;
} sknorm_buffer;

SKNORM_INLINE int sknorm_reserve(sknorm_buffer *buffer, ptrdiff_t capacity) {
    double *item;
    if (capacity <= buffer->capacity) return 0;
    /* Little slack: the buffers of an exact fit count against a tenth of the input. */
    capacity += capacity / 8 + 64;
    item = (double *)realloc(buffer->item, (size_t)capacity * sizeof(double));
    if (item == NULL) return -1;
    buffer->item = item;
    buffer->capacity = capacity;
    return 0;
}

/* Copy n values, a row stride apart, to consecutive doubles. */
SKNORM_INLINE void sknorm_gather(const char *source, ptrdiff_t stride, int is_float, ptrdiff_t n,
                                 double *SKNORM_RESTRICT out) {
    ptrdiff_t i;
    if (is_float) {
        for (i = 0; i < n; i++) out[i] = (double)*(const float *)(source + i * stride);
    } else if (stride == (ptrdiff_t)sizeof(double)) {
        memcpy(out, source, (size_t)n * sizeof(double));
    } else {
        for (i = 0; i < n; i++) out[i] = *(const double *)(source + i * stride);
    }
}

/* The next number of the splitmix64 sequence (Steele, Lea and Flood 2014). */
SKNORM_INLINE uint64_t sknorm_mix(uint64_t z) {
    z += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

SKNORM_INLINE double sknorm_value(const char *source, int is_float) {
    return is_float ? (double)*(const float *)source : *(const double *)source;
}

/* Gather one seeded random row from each run of 2^h; a column is n values in a row of out. */
static void sknorm_gather_sample(const char *data, ptrdiff_t row_stride, ptrdiff_t column_stride, int is_float,
                                 ptrdiff_t n, ptrdiff_t n_columns, int h, uint64_t seed,
                                 double *SKNORM_RESTRICT out) {
    uint64_t run = ((uint64_t)1 << h) - 1;
    ptrdiff_t by_columns = row_stride < 0 ? row_stride > -column_stride : row_stride < column_stride;
    ptrdiff_t panel = by_columns ? 1 : n_columns, start, i, column;
    for (start = 0; start < n_columns; start += panel) {
        for (i = 0; i < n; i++) {
            ptrdiff_t row = (i << h) + (ptrdiff_t)(sknorm_mix(seed + (uint64_t)i) & run);
            for (column = start; column < start + panel; column++) {
                const char *source = data + row * row_stride + column * column_stride;
                out[column * n + i] = sknorm_value(source, is_float);
            }
        }
    }
}

/* Keys lie where doubles lay: memcpy is how C reads the one as the other, and costs nothing. */
SKNORM_INLINE uint64_t sknorm_key(const void *keys, ptrdiff_t i) {
    uint64_t key;
    memcpy(&key, (const char *)keys + i * (ptrdiff_t)sizeof(key), sizeof(key));
    return key;
}

SKNORM_INLINE void sknorm_set_key(void *keys, ptrdiff_t i, uint64_t key) {
    memcpy((char *)keys + i * (ptrdiff_t)sizeof(key), &key, sizeof(key));
}

/* Sort keys by the bits from shift on, a digit at a time, least first; the result lies in *from. */
static void sknorm_sort_digits(void **from, void **to, ptrdiff_t n, int shift, int width, int digits,
                               uint32_t *count) {
    ptrdiff_t radix = (ptrdiff_t)1 << width, i, j;
    uint64_t mask = (uint64_t)radix - 1, key;
    uint32_t start, slot, *column;
    void *source, *target;
    int digit;
    memset(count, 0, (size_t)(digits * radix) * sizeof(uint32_t));
    for (i = 0; i < n; i++) {
        key = sknorm_key(*from, i) >> shift;
        for (digit = 0; digit < digits; digit++) count[digit * radix + (ptrdiff_t)(key >> (digit * width) & mask)]++;
    }
    for (digit = 0; digit < digits; digit++, shift += width) {
        source = *from;
        target = *to;
        column = count + digit * radix;
        if (column[sknorm_key(source, 0) >> shift & mask] == (uint32_t)n) continue;
        start = 0;
        for (j = 0; j < radix; j++) {
            slot = column[j];
            column[j] = start;
            start += slot;
        }
        for (i = 0; i < n; i++) {
            key = sknorm_key(source, i);
            sknorm_set_key(target, column[key >> shift & mask]++, key);
        }
        *from = target;
        *to = source;
    }
}

/* Sort what is nearly sorted; give up after 8 n moves. */
static int sknorm_sort_nearly(void *keys, ptrdiff_t n) {
    ptrdiff_t i, j, moves = 0;
    for (i = 1; i < n; i++) {
        uint64_t key = sknorm_key(keys, i);
        if (sknorm_key(keys, i - 1) <= key) continue;
        for (j = i; j > 0 && sknorm_key(keys, j - 1) > key; j--) sknorm_set_key(keys, j, sknorm_key(keys, j - 1));
        sknorm_set_key(keys, j, key);
        moves += i - j;
        if (moves > 8 * n) return 0;
    }
    return 1;
}

/* Sort x by a radix of its bits; NaN go last. Three digits below the highest bit in which values differ leave little
   to mend in most data; where they do not, all digits follow. 8 ns a value at 30,000 where np.sort takes 32 (AMD
   Zen 4, whose compressed stores are slow).
   Returns how many values are not NaN, or -1 without memory; *infinite says whether one of them is infinite. */
static ptrdiff_t sknorm_sort_valid(double *x, ptrdiff_t n, int *infinite) {
    ptrdiff_t i, j, valid = 0;
    int width, shift, finite = 1;
    uint64_t bits, first, differing = 0;
    uint32_t *count;
    void *from = x, *to, *keys;
    for (i = 0; i < n; i++) {
        double value = x[i];
        finite &= (fabs(value) <= DBL_MAX) | (value != value);
        x[valid] = value;
        valid += value == value;
    }
    for (i = valid; i < n; i++) x[i] = NAN;
    *infinite = !finite;
    if (valid < 32) {
        for (i = 1; i < valid; i++) {
            double value = x[i];
            for (j = i; j > 0 && x[j - 1] > value; j--) x[j] = x[j - 1];
            x[j] = value;
        }
        return valid;
    }
    /* Narrow digits for short arrays: clearing and summing 2,048 counters costs more than it saves. */
    width = valid < 1500 ? 8 : 11;
    keys = malloc((size_t)valid * sizeof(uint64_t));
    count = (uint32_t *)malloc(((size_t)8 << width) * sizeof(uint32_t));
    if (keys == NULL || count == NULL) {
        free(keys);
        free(count);
        return -1;
    }
    to = keys;
    first = sknorm_key(x, 0);
    first ^= (0 - (first >> 63)) | UINT64_C(0x8000000000000000);
    for (i = 0; i < valid; i++) {
        bits = sknorm_key(x, i);
        bits ^= (0 - (bits >> 63)) | UINT64_C(0x8000000000000000);
        sknorm_set_key(x, i, bits);
        differing |= bits ^ first;
    }
    shift = -3 * width;
    while (shift < 64 - 3 * width && differing >> (shift + 3 * width)) shift++;
    if (shift < 0) shift = 0;
    sknorm_sort_digits(&from, &to, valid, shift, width, 3, count);
    if (shift > 0 && !sknorm_sort_nearly(from, valid)) {
        sknorm_sort_digits(&from, &to, valid, 0, width, (63 + width) / width, count);
    }
    for (i = 0; i < valid; i++) {
        bits = sknorm_key(from, i);
        sknorm_set_key(x, i, bits ^ (((bits >> 63) - 1) | UINT64_C(0x8000000000000000)));
    }
    free(keys);
    free(count);
    return valid;
}

/* What one pass over a column counts besides its intervals; an infinity shows as an extreme. The extremes start as
   those of a sample, so that few blocks hold anything beyond. */
typedef struct {
    int64_t valid;
    double minimum, maximum;
} sknorm_tally;

/* Count what is not NaN; return whether anything lies beyond the extremes. */
SKNORM_CLONES
static int64_t sknorm_tally_block(const double *SKNORM_RESTRICT x, ptrdiff_t n, sknorm_tally *tally) {
    double low = tally->minimum, high = tally->maximum;
    int64_t valid = 0, beyond = 0;
    ptrdiff_t i;
    for (i = 0; i < n; i++) {
        valid += x[i] == x[i];
        beyond |= (int64_t)(x[i] < low) | (int64_t)(x[i] > high);
    }
    tally->valid += valid;
    return beyond;
}

static void sknorm_extend(const double *x, ptrdiff_t n, sknorm_tally *tally) {
    ptrdiff_t i;
    for (i = 0; i < n; i++) {
        if (x[i] < tally->minimum) tally->minimum = x[i];
        if (x[i] > tally->maximum) tally->maximum = x[i];
    }
}

/* Three brackets [low, high) at once, as quartiles have: x is loaded once for all. */
#define SKNORM_FUSED 3

/* Count x >= low, and mark what lies in a bracket; what was marked before stays where keep is -1, not where it is 0. */
SKNORM_CLONES
static void sknorm_count_block(const double *SKNORM_RESTRICT x, ptrdiff_t n, const double *low, const double *high,
                               int64_t keep, int64_t *SKNORM_RESTRICT inside, int64_t *above) {
    double low0 = low[0], low1 = low[1], low2 = low[2], high0 = high[0], high1 = high[1], high2 = high[2], value;
    int64_t above0 = 0, above1 = 0, above2 = 0;
    ptrdiff_t i;
    for (i = 0; i < n; i++) {
        value = x[i];
        above0 += value >= low0;
        above1 += value >= low1;
        above2 += value >= low2;
        inside[i] = (inside[i] & keep) | (int64_t)(((value >= low0) & (value < high0)) |
                                                   ((value >= low1) & (value < high1)) |
                                                   ((value >= low2) & (value < high2)));
    }
    above[0] += above0;
    above[1] += above1;
    above[2] += above2;
}

SKNORM_CLONES
static int64_t sknorm_count_from(const double *SKNORM_RESTRICT x, ptrdiff_t n, double threshold) {
    int64_t above = 0;
    ptrdiff_t i;
    for (i = 0; i < n; i++) above += x[i] >= threshold;
    return above;
}

SKNORM_CLONES
static void sknorm_deviate_block(double *x, ptrdiff_t n, double centre) {
    ptrdiff_t i;
    for (i = 0; i < n; i++) x[i] = fabs(x[i] - centre);
}

/* Column f has the brackets offset[f]..offset[f + 1], a multiple of three, of which values are kept, and thresholds
   that are only counted. */
typedef struct {
    const double *low, *high, *threshold, *centre;
    const int64_t *offset, *threshold_offset;
    int64_t *above, *threshold_above;
    sknorm_tally *tally;
    sknorm_buffer *kept;
} sknorm_brackets;

/* Count and keep n values of one column. */
static int sknorm_count_values(const double *x, ptrdiff_t n, ptrdiff_t column, const sknorm_brackets *brackets,
                               int64_t *inside) {
    double kept[SKNORM_BLOCK_MAX];
    sknorm_buffer *buffer = brackets->kept + column;
    ptrdiff_t i, m = 0;
    int64_t j, first = brackets->offset[column];
    if (sknorm_tally_block(x, n, brackets->tally + column)) sknorm_extend(x, n, brackets->tally + column);
    for (j = first; j < brackets->offset[column + 1]; j += SKNORM_FUSED) {
        sknorm_count_block(x, n, brackets->low + j, brackets->high + j, j > first ? -1 : 0, inside,
                           brackets->above + j);
    }
    for (j = brackets->threshold_offset[column]; j < brackets->threshold_offset[column + 1]; j++) {
        brackets->threshold_above[j] += sknorm_count_from(x, n, brackets->threshold[j]);
    }
    for (i = 0; i < n; i++) {
        kept[m] = x[i];
        m += (ptrdiff_t)inside[i];
    }
    if (sknorm_reserve(buffer, buffer->n + m) < 0) return -1;
    if (m > 0) memcpy(buffer->item + buffer->n, kept, (size_t)m * sizeof(double));
    buffer->n += m;
    return 0;
}

/* One pass over rows of all columns; returns -1 without memory. */
static int sknorm_count_rows(const char *data, ptrdiff_t row_stride, ptrdiff_t column_stride, int is_float,
                             ptrdiff_t n_rows, ptrdiff_t n_columns, const sknorm_brackets *brackets) {
    double block[SKNORM_BLOCK_MAX];
    int64_t inside[SKNORM_BLOCK_MAX];
    ptrdiff_t item = is_float ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(double);
    ptrdiff_t size = SKNORM_BLOCK_BYTES / (n_columns * item), panel = n_rows, start, end, row, column, n;
    int direct = !is_float && row_stride == item && brackets->centre == NULL;
    if (row_stride == item) {
        /* Whole columns: to change columns at every block would restart the processor's prefetching. */
        size = SKNORM_BLOCK_MAX;
    } else {
        size = size < 128 ? 128 : size > SKNORM_BLOCK_MAX ? SKNORM_BLOCK_MAX : size / 8 * 8;
        panel = size;
    }
    memset(inside, 0, sizeof(inside));
    for (start = 0; start < n_rows; start = end) {
        end = n_rows - start < panel ? n_rows : start + panel;
        for (column = 0; column < n_columns; column++) {
            for (row = start; row < end; row += size) {
                const char *source = data + row * row_stride + column * column_stride;
                n = end - row < size ? end - row : size;
                if (!direct) sknorm_gather(source, row_stride, is_float, n, block);
                if (brackets->centre != NULL) sknorm_deviate_block(block, n, brackets->centre[column]);
                if (sknorm_count_values(direct ? (const double *)source : block, n, column, brackets, inside) < 0)
                    return -1;
            }
        }
    }
    return 0;
}

#endif
