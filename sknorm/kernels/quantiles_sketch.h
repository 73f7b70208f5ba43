/* One cell of a KLL sketch: merged with a sorted run or another cell, and read.

   Level h holds items of weight 2^h. An exact cell holds distinct values with their own weights instead. */
#ifndef SKNORM_QUANTILES_SKETCH_H
#define SKNORM_QUANTILES_SKETCH_H

#include "quantiles_select.h"

/* Levels up to 2^62: a count of rows and a sum of integer weights stay inside an int64. */
#define SKNORM_LEVELS 63

/* A sorted run or a stored cell. Without weights every item weighs 2^level. */
typedef struct {
    const double *item, *weight;
    ptrdiff_t n;
    int level, exact;
    uint64_t state;
} sknorm_cell;

/* Values with weights. */
typedef struct {
    sknorm_buffer value, weight;
} sknorm_pairs;

/* The levels of the cell at work, and room to move items about. */
typedef struct {
    sknorm_buffer level[SKNORM_LEVELS], run;
    sknorm_pairs merged, left, right;
    ptrdiff_t capacity[SKNORM_LEVELS], exact_capacity;
    int n_levels;
    uint64_t state;
} sknorm_sketch;

/* Capacities shrink by 2/3 from the top level down, but not below 8 (Karnin, Lang and Liberty 2016). */
SKNORM_INLINE void sknorm_sketch_init(sknorm_sketch *sketch, int64_t k) {
    double capacity = (double)k;
    int depth;
    memset(sketch, 0, sizeof(*sketch));
    for (depth = 0; depth < SKNORM_LEVELS; depth++) {
        sketch->capacity[depth] = capacity < 8 ? 8 : (ptrdiff_t)ceil(capacity);
        capacity *= 2.0 / 3.0;
    }
    sketch->exact_capacity = (ptrdiff_t)(3 * k);
}

SKNORM_INLINE void sknorm_pairs_free(sknorm_pairs *pairs) {
    free(pairs->value.item);
    free(pairs->weight.item);
}

SKNORM_INLINE void sknorm_sketch_free(sknorm_sketch *sketch) {
    int level;
    for (level = 0; level < SKNORM_LEVELS; level++) free(sketch->level[level].item);
    free(sketch->run.item);
    sknorm_pairs_free(&sketch->merged);
    sknorm_pairs_free(&sketch->left);
    sknorm_pairs_free(&sketch->right);
}

SKNORM_INLINE uint64_t sknorm_draw(sknorm_sketch *sketch) {
    sketch->state += UINT64_C(0x9E3779B97F4A7C15);
    return sknorm_mix(sketch->state);
}

/* Merge n sorted values into a sorted buffer, from the back and in place. */
static int sknorm_merge_run(sknorm_buffer *buffer, const double *run, ptrdiff_t n) {
    ptrdiff_t i = buffer->n - 1, j = n - 1, o = buffer->n + n - 1;
    double *item;
    if (sknorm_reserve(buffer, buffer->n + n) < 0) return -1;
    item = buffer->item;
    while (i >= 0 && j >= 0) {
        /* Selects, not branches: which side is greater is a coin toss. */
        double x = item[i], y = run[j];
        ptrdiff_t greater = x > y;
        item[o--] = greater ? x : y;
        i -= greater;
        j -= 1 - greater;
    }
    if (j >= 0) memcpy(item, run, (size_t)(j + 1) * sizeof(double));
    buffer->n += n;
    return 0;
}

SKNORM_INLINE int sknorm_pairs_reserve(sknorm_pairs *pairs, ptrdiff_t n) {
    return sknorm_reserve(&pairs->value, n) < 0 || sknorm_reserve(&pairs->weight, n) < 0 ? -1 : 0;
}

/* Merge two sorted lists of weighted values; of equal ones those of a come first. */
static void sknorm_merge_weighted(const double *a, const double *a_weight, ptrdiff_t n_a, const double *b,
                                  const double *b_weight, ptrdiff_t n_b, double *values, double *weights) {
    ptrdiff_t i = 0, j = 0, m = 0, first;
    for (; i < n_a && j < n_b; m++) {
        /* Masks, not branches, as above; compilers do not make selects of these by themselves. */
        uint64_t x, y, x_weight, y_weight, mask;
        first = a[i] <= b[j];
        mask = (uint64_t)0 - (uint64_t)first;
        memcpy(&x, a + i, sizeof(x));
        memcpy(&y, b + j, sizeof(y));
        memcpy(&x_weight, a_weight + i, sizeof(x));
        memcpy(&y_weight, b_weight + j, sizeof(y));
        x = (x & mask) | (y & ~mask);
        x_weight = (x_weight & mask) | (y_weight & ~mask);
        memcpy(values + m, &x, sizeof(x));
        memcpy(weights + m, &x_weight, sizeof(x));
        i += first;
        j += 1 - first;
    }
    if (i < n_a) {
        memcpy(values + m, a + i, (size_t)(n_a - i) * sizeof(double));
        memcpy(weights + m, a_weight + i, (size_t)(n_a - i) * sizeof(double));
    } else if (j < n_b) {
        memcpy(values + m, b + j, (size_t)(n_b - j) * sizeof(double));
        memcpy(weights + m, b_weight + j, (size_t)(n_b - j) * sizeof(double));
    }
}

static int sknorm_merge_pairs(const double *a, const double *a_weight, ptrdiff_t n_a, const double *b,
                              const double *b_weight, ptrdiff_t n_b, sknorm_pairs *out) {
    if (sknorm_pairs_reserve(out, n_a + n_b) < 0) return -1;
    sknorm_merge_weighted(a, a_weight, n_a, b, b_weight, n_b, out->value.item, out->weight.item);
    out->value.n = out->weight.n = n_a + n_b;
    return 0;
}

/* Do as sknorm_merge_pairs with equal values made one; without weights b's items weigh 1. */
static int sknorm_merge_distinct(const double *a, const double *a_weight, ptrdiff_t n_a, const double *b,
                                 const double *b_weight, ptrdiff_t n_b, sknorm_pairs *out) {
    ptrdiff_t i = 0, j = 0, m = 0, first;
    double value, weight, *values, *weights;
    if (sknorm_pairs_reserve(out, n_a + n_b) < 0) return -1;
    values = out->value.item;
    weights = out->weight.item;
    while (i < n_a || j < n_b) {
        first = j >= n_b || (i < n_a && a[i] <= b[j]);
        value = first ? a[i] : b[j];
        weight = first ? a_weight[i] : b_weight != NULL ? b_weight[j] : 1.0;
        i += first;
        j += 1 - first;
        if (m > 0 && values[m - 1] == value) {
            weights[m - 1] += weight;
        } else {
            values[m] = value;
            weights[m++] = weight;
        }
    }
    out->value.n = out->weight.n = m;
    return 0;
}

/* Add weighted values by the binary digits of their weights; a fraction rounds up or down at random. */
static int sknorm_insert_weighted(sknorm_sketch *sketch, const double *value, double *weight, ptrdiff_t n) {
    uint64_t digits = 0, w;
    ptrdiff_t i, m;
    int level;
    for (i = 0; i < n; i++) {
        double whole = floor(weight[i]), fraction = weight[i] - whole;
        if (fraction > 0) whole += (double)(sknorm_draw(sketch) >> 11) * (1.0 / 9007199254740992.0) < fraction;
        if (!(whole < 4611686018427387904.0)) return -2;
        weight[i] = whole;
        digits |= (uint64_t)whole;
    }
    if (sknorm_reserve(&sketch->run, n) < 0) return -1;
    for (level = 0; level < SKNORM_LEVELS && digits >> level; level++) {
        if (!(digits >> level & 1)) continue;
        m = 0;
        for (i = 0; i < n; i++) {
            w = (uint64_t)weight[i];
            sketch->run.item[m] = value[i];
            m += (ptrdiff_t)(w >> level & 1);
        }
        if (sknorm_merge_run(sketch->level + level, sketch->run.item, m) < 0) return -1;
    }
    return 0;
}

/* Add a stored cell or a sorted run to the levels. */
static int sknorm_insert_cell(sknorm_sketch *sketch, const sknorm_cell *cell) {
    ptrdiff_t start, end;
    int level;
    if (cell->weight == NULL) return sknorm_merge_run(sketch->level + cell->level, cell->item, cell->n);
    if (cell->exact) {
        for (start = 0; start < cell->n && cell->weight[start] == 1.0; start++) {
        }
        if (start == cell->n) return sknorm_merge_run(sketch->level, cell->item, cell->n);
        if (sknorm_reserve(&sketch->left.weight, cell->n) < 0) return -1;
        memcpy(sketch->left.weight.item, cell->weight, (size_t)cell->n * sizeof(double));
        return sknorm_insert_weighted(sketch, cell->item, sketch->left.weight.item, cell->n);
    }
    for (start = 0; start < cell->n; start = end) {
        for (end = start + 1; end < cell->n && cell->weight[end] == cell->weight[start]; end++) {
        }
        frexp(cell->weight[start], &level);
        if (level < 1 || level > SKNORM_LEVELS) return -2;
        if (sknorm_merge_run(sketch->level + level - 1, cell->item + start, end - start) < 0) return -1;
    }
    return 0;
}

/* Halve one level at random into the next; an odd item stays behind. */
static int sknorm_compact(sknorm_sketch *sketch, int h) {
    sknorm_buffer *level = sketch->level + h;
    ptrdiff_t n = level->n, odd = n & 1, half = n / 2, i, from;
    uint64_t draw, bits;
    double left_behind;
    if (h + 1 >= SKNORM_LEVELS) return -2;
    /* The data's bits enter the state, so that batches that start from one seed do not toss the same coins. */
    memcpy(&bits, level->item + half, sizeof(bits));
    sketch->state ^= bits;
    draw = sknorm_draw(sketch);
    if (sknorm_reserve(&sketch->run, half) < 0) return -1;
    from = odd ? (ptrdiff_t)(draw >> 1 & 1) : 0;
    left_behind = level->item[from ? 0 : n - 1];
    from += (ptrdiff_t)(draw & 1);
    for (i = 0; i < half; i++) sketch->run.item[i] = level->item[from + 2 * i];
    level->n = odd;
    if (odd) level->item[0] = left_behind;
    return sknorm_merge_run(level + 1, sketch->run.item, half);
}

/* Compact the lowest level that is over its capacity until the whole fits. */
static int sknorm_shrink(sknorm_sketch *sketch) {
    ptrdiff_t total = 0, room = 0;
    int h, top = 0, failed;
    for (h = 0; h < SKNORM_LEVELS; h++) {
        if (sketch->level[h].n > 0) top = h;
        total += sketch->level[h].n;
    }
    for (h = 0; h <= top; h++) room += sketch->capacity[h];
    while (total > room) {
        for (h = 0; sketch->level[h].n <= sketch->capacity[top - h]; h++) {
        }
        total -= sketch->level[h].n / 2;
        failed = sknorm_compact(sketch, h);
        if (failed) return failed;
        if (h == top) room += sketch->capacity[++top];
    }
    sketch->n_levels = top + 1;
    return 0;
}

SKNORM_INLINE ptrdiff_t sknorm_count_distinct(const double *x, ptrdiff_t n) {
    ptrdiff_t i, distinct = n > 0;
    for (i = 1; i < n; i++) distinct += x[i] != x[i - 1];
    return distinct;
}

/* Merge two cells and write the result; returns its number of items, -1 without memory, -2 past the top level. */
static ptrdiff_t sknorm_merge_cells(sknorm_sketch *sketch, const sknorm_cell *a, const sknorm_cell *b, double *item,
                                    double *weight, unsigned char *exact, uint64_t *state) {
    ptrdiff_t m = 0, i, distinct;
    int h, failed;
    *exact = (unsigned char)(a->exact && b->exact);
    *state = a->state;
    if (b->n == 0) {
        *exact = (unsigned char)a->exact;
        memcpy(item, a->item, (size_t)a->n * sizeof(double));
        memcpy(weight, a->weight, (size_t)a->n * sizeof(double));
        return a->n;
    }
    distinct = *exact ? sknorm_count_distinct(b->item, b->n) : 0;
    if (*exact && a->n == 0 && b->weight == NULL && distinct == b->n && distinct <= sketch->exact_capacity) {
        memcpy(item, b->item, (size_t)b->n * sizeof(double));
        for (i = 0; i < b->n; i++) weight[i] = 1.0;
        return b->n;
    }
    if (*exact && distinct <= sketch->exact_capacity) {
        if (sknorm_merge_distinct(a->item, a->weight, a->n, b->item, b->weight, b->n, &sketch->merged) < 0) return -1;
        m = sketch->merged.value.n;
        if (m <= sketch->exact_capacity) {
            memcpy(item, sketch->merged.value.item, (size_t)m * sizeof(double));
            memcpy(weight, sketch->merged.weight.item, (size_t)m * sizeof(double));
            return m;
        }
        m = -1;
    }
    for (h = 0; h < SKNORM_LEVELS; h++) sketch->level[h].n = 0;
    sketch->state = a->n ? a->state ^ sknorm_mix(b->state) : b->state;
    *exact = 0;
    if (m < 0) {
        failed = sknorm_insert_weighted(sketch, sketch->merged.value.item, sketch->merged.weight.item,
                                        sketch->merged.value.n);
    } else {
        failed = sknorm_insert_cell(sketch, a);
        if (!failed) failed = sknorm_insert_cell(sketch, b);
    }
    if (!failed) failed = sknorm_shrink(sketch);
    if (failed) return failed;
    m = 0;
    for (h = 0; h < sketch->n_levels; h++) {
        sknorm_buffer *level = sketch->level + h;
        double unit = ldexp(1.0, h);
        if (level->n > 0) memcpy(item + m, level->item, (size_t)level->n * sizeof(double));
        for (i = 0; i < level->n; i++) weight[m + i] = unit;
        m += level->n;
    }
    *state = sketch->state;
    return m;
}

/* A sorted list with the cumulative weights that a quantile is read from. */
typedef struct {
    const double *value, *cumulative;
    double total;
    ptrdiff_t n;
} sknorm_staircase;

/* The item at integer position p: the first whose cumulative weight exceeds p. */
SKNORM_INLINE double sknorm_stair(const sknorm_staircase *stairs, double p) {
    ptrdiff_t low = 0, high = stairs->n - 1, middle;
    if (stairs->cumulative == NULL) return stairs->value[p < (double)high ? (ptrdiff_t)p : high];
    while (low < high) {
        middle = low + (high - low) / 2;
        if (stairs->cumulative[middle] > p) high = middle;
        else low = middle + 1;
    }
    return stairs->value[low];
}

/* NumPy's linear interpolation, of either half from its own end; a median between two items is their mean. */
SKNORM_INLINE double sknorm_interpolate(double low, double high, double t, int is_median) {
    double difference = high - low, middle;
    if (is_median && t == 0.5) {
        middle = (low + high) / 2.0;
        if (fabs(middle) <= DBL_MAX) return middle;
    }
    if (!(fabs(difference) <= DBL_MAX)) return low * (1.0 - t) + high * t;
    return t >= 0.5 ? high - difference * (1.0 - t) : low + difference * t;
}

/* Linear at position q (W - 1). */
static double sknorm_read(const sknorm_staircase *stairs, double q) {
    double position = (stairs->total - 1.0) * q, below;
    if (stairs->n == 0) return NAN;
    if (!(position > 0)) position = 0;
    below = floor(position);
    return sknorm_interpolate(sknorm_stair(stairs, below), sknorm_stair(stairs, below + 1.0), position - below,
                              q == 0.5);
}

SKNORM_INLINE void sknorm_accumulate(sknorm_staircase *stairs, double *weight) {
    ptrdiff_t i;
    double total = 0;
    for (i = 0; i < stairs->n; i++) {
        total += weight[i];
        weight[i] = total;
    }
    stairs->cumulative = weight;
    stairs->total = total;
}

/* Sort a cell's levels into one weighted list; the result lies in sketch->merged. */
static int sknorm_flatten(sknorm_sketch *sketch, const sknorm_cell *cell) {
    ptrdiff_t start, end;
    sknorm_pairs swap;
    sketch->merged.value.n = 0;
    for (start = 0; start < cell->n; start = end) {
        for (end = start + 1; end < cell->n && (cell->exact || cell->weight[end] == cell->weight[start]); end++) {
        }
        if (sknorm_merge_pairs(sketch->merged.value.item, sketch->merged.weight.item, sketch->merged.value.n,
                               cell->item + start, cell->weight + start, end - start, &sketch->left) < 0)
            return -1;
        swap = sketch->left;
        sketch->left = sketch->merged;
        sketch->merged = swap;
    }
    return 0;
}

/* The weighted median of |x - median|: two sorted runs of deviations, merged. */
static int sknorm_read_mad(sknorm_sketch *sketch, const sknorm_staircase *stairs, double *mad) {
    double median = sknorm_read(stairs, 0.5), previous = 0, weight;
    sknorm_staircase deviations;
    ptrdiff_t n = stairs->n, i, split, slot;
    *mad = NAN;
    if (n == 0) return 0;
    if (sknorm_pairs_reserve(&sketch->left, n) < 0) return -1;
    for (split = 0; split < n && stairs->value[split] < median; split++) {
    }
    for (i = 0; i < n; i++) {
        weight = stairs->cumulative == NULL ? 1.0 : stairs->cumulative[i] - previous;
        previous = stairs->cumulative == NULL ? 0 : stairs->cumulative[i];
        slot = i < split ? split - 1 - i : i;
        sketch->left.value.item[slot] = fabs(stairs->value[i] - median);
        sketch->left.weight.item[slot] = weight;
    }
    if (sknorm_merge_pairs(sketch->left.value.item, sketch->left.weight.item, split, sketch->left.value.item + split,
                           sketch->left.weight.item + split, n - split, &sketch->right) < 0)
        return -1;
    deviations.value = sketch->right.value.item;
    deviations.n = n;
    sknorm_accumulate(&deviations, sketch->right.weight.item);
    *mad = sknorm_read(&deviations, 0.5);
    return 0;
}

/* Read quantiles, and the MAD where mad is not NULL, of one cell. */
static int sknorm_read_cell(sknorm_sketch *sketch, const sknorm_cell *cell, const double *probability,
                            ptrdiff_t n_probabilities, double *quantile, ptrdiff_t stride, double *mad) {
    sknorm_staircase stairs;
    ptrdiff_t i;
    if (cell->weight == NULL) {
        stairs.value = cell->item;
        stairs.cumulative = NULL;
        stairs.n = cell->n;
        stairs.total = (double)cell->n;
    } else {
        if (sknorm_flatten(sketch, cell) < 0) return -1;
        stairs.value = sketch->merged.value.item;
        stairs.n = cell->n;
        sknorm_accumulate(&stairs, sketch->merged.weight.item);
    }
    for (i = 0; i < n_probabilities; i++) quantile[i * stride] = sknorm_read(&stairs, probability[i]);
    return mad == NULL ? 0 : sknorm_read_mad(sketch, &stairs, mad);
}

#endif
