/* The loops of moments.h for one value type T; included once for each. */

/* Sums and extremes of a block without NaN: rows of w lanes, `stride` elements apart. Four rows at a time, since the
   accumulators' loads and stores would otherwise cost more than the values'. A NaN or an infinity shows in the sums. */
SKNORM_CLONES_256 void NAME(sums)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride,
                              double *SKNORM_RESTRICT sum, double *SKNORM_RESTRICT min, double *SKNORM_RESTRICT max) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * stride) {
        const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        PREFETCH_FOUR(x, w, stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j], b = x1[j], c = x2[j], d = x3[j];
            sum[j] += (a + b) + (c + d);
            EXTREMES_OF_FOUR
        }
    }
    for (; r < rows; r++, x += stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j];
            sum[j] += a;
            EXTREMES_OF_ONE
        }
}

/* The same where values may be missing. Comparisons with NaN are false, so the extremes pass it by. */
SKNORM_CLONES_256 void NAME(sums_of_present)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride,
                                         double *SKNORM_RESTRICT count, double *SKNORM_RESTRICT sum,
                                         double *SKNORM_RESTRICT min, double *SKNORM_RESTRICT max) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * stride) {
        const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        PREFETCH_FOUR(x, w, stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j], b = x1[j], c = x2[j], d = x3[j];
            count[j] += (ONE_IF(a == a) + ONE_IF(b == b)) + (ONE_IF(c == c) + ONE_IF(d == d));
            sum[j] += (OR_ZERO(a) + OR_ZERO(b)) + (OR_ZERO(c) + OR_ZERO(d));
            EXTREMES_OF_FOUR
        }
    }
    for (; r < rows; r++, x += stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j];
            count[j] += ONE_IF(a == a);
            sum[j] += OR_ZERO(a);
            EXTREMES_OF_ONE
        }
}

/* Sums of deviations from a pivot and of their squares, with extremes or without. */
#define DEVIATIONS(name, EXTREMES_OF_FOUR, EXTREMES_OF_ONE) \
    SKNORM_CLONES_256 void NAME(name)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride, \
                                  const double *SKNORM_RESTRICT pivot, double *SKNORM_RESTRICT sum, \
                                  double *SKNORM_RESTRICT m2, double *SKNORM_RESTRICT min, \
                                  double *SKNORM_RESTRICT max) { \
        size_t r = 0; \
        for (; r + 4 <= rows; r += 4, x += 4 * stride) { \
            const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride; \
            PREFETCH_FOUR(x, w, stride) \
            for (size_t j = 0; j < w; j++) { \
                double a = x[j], b = x1[j], c = x2[j], d = x3[j], p = pivot[j]; \
                EXTREMES_OF_FOUR \
                a -= p, b -= p, c -= p, d -= p; \
                sum[j] += (a + b) + (c + d); \
                m2[j] += (a * a + b * b) + (c * c + d * d); \
            } \
        } \
        for (; r < rows; r++, x += stride) \
            for (size_t j = 0; j < w; j++) { \
                double a = x[j]; \
                EXTREMES_OF_ONE \
                a -= pivot[j]; \
                sum[j] += a; \
                m2[j] += a * a; \
            } \
    }
DEVIATIONS(deviations, , )
DEVIATIONS(deviations_and_extremes, EXTREMES_OF_FOUR, EXTREMES_OF_ONE)
#undef DEVIATIONS

SKNORM_CLONES_256 void NAME(deviations_of_present)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride,
                                               const double *SKNORM_RESTRICT pivot, double *SKNORM_RESTRICT count,
                                               double *SKNORM_RESTRICT sum, double *SKNORM_RESTRICT m2,
                                               double *SKNORM_RESTRICT min, double *SKNORM_RESTRICT max) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * stride) {
        const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        PREFETCH_FOUR(x, w, stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j], b = x1[j], c = x2[j], d = x3[j], p = pivot[j];
            count[j] += (ONE_IF(a == a) + ONE_IF(b == b)) + (ONE_IF(c == c) + ONE_IF(d == d));
            EXTREMES_OF_FOUR
            a -= p, b -= p, c -= p, d -= p;
            a = OR_ZERO(a), b = OR_ZERO(b), c = OR_ZERO(c), d = OR_ZERO(d);
            sum[j] += (a + b) + (c + d);
            m2[j] += (a * a + b * b) + (c * c + d * d);
        }
    }
    for (; r < rows; r++, x += stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j];
            count[j] += ONE_IF(a == a);
            EXTREMES_OF_ONE
            a -= pivot[j];
            a = OR_ZERO(a);
            sum[j] += a;
            m2[j] += a * a;
        }
}

/* The same for one column, COLUMN lanes wide: the accumulators stay in registers, and the walk is straight. */
SKNORM_CLONES_256 void NAME(column_sums)(const T *SKNORM_RESTRICT x, size_t rows, double *sum, double *min, double *max) {
    double s[SKNORM_COLUMN], low[SKNORM_COLUMN], high[SKNORM_COLUMN];
    for (size_t j = 0; j < SKNORM_COLUMN; j++) s[j] = sum[j], low[j] = min[j], high[j] = max[j];
    for (size_t r = 0; r < rows; r++, x += SKNORM_COLUMN)
        for (size_t j = 0; j < SKNORM_COLUMN; j++) {
            double a = x[j];
            s[j] += a;
            low[j] = LESSER(a, low[j]);
            high[j] = GREATER(a, high[j]);
        }
    for (size_t j = 0; j < SKNORM_COLUMN; j++) sum[j] = s[j], min[j] = low[j], max[j] = high[j];
}

SKNORM_CLONES_256 void NAME(column_deviations)(const T *SKNORM_RESTRICT x, size_t rows, double pivot, double *sum,
                                           double *m2) {
    double s[SKNORM_COLUMN], q[SKNORM_COLUMN];
    for (size_t j = 0; j < SKNORM_COLUMN; j++) s[j] = sum[j], q[j] = m2[j];
    for (size_t r = 0; r < rows; r++, x += SKNORM_COLUMN)
        for (size_t j = 0; j < SKNORM_COLUMN; j++) {
            double a = x[j] - pivot;
            s[j] += a;
            q[j] += a * a;
        }
    for (size_t j = 0; j < SKNORM_COLUMN; j++) sum[j] = s[j], m2[j] = q[j];
}

/* The mean of one column whose sum overflows although its values do not. */
static double NAME(mean_of_large)(const T *x, size_t rows, size_t w, ptrdiff_t stride, size_t rest, size_t d,
                                  size_t column, double count) {
    double mean = 0;
    for (size_t r = 0; r <= rows; r++, x += stride)
        for (size_t j = column; j < (r < rows ? w : rest); j += d)
            if (x[j] == x[j]) mean += x[j] / count;
    return mean;
}

/* Read a block once: deviations from `pivot`, or plain sums where pivot is NULL. The block is `rows` rows of w = k * d
   lanes (k rows of d columns folded) and, where the rows are contiguous, a last one of `rest` lanes; the lanes' results
   are gathered in the first d. *missing tells whether the block before held a NaN: then the clean pass would be wasted
   on this one. Extremes come with the sums and with the deviations of a block with NaN; with the others on request. */
static int NAME(read_block)(const T *x, size_t rows, size_t w, ptrdiff_t stride, size_t rest, size_t d, int extremes,
                            int *missing, const double *pivot, double *count, double *sum, double *m2, double *min,
                            double *max) {
    const T *last = x + (ptrdiff_t)rows * stride;
    double n = (double)(rows * (w / d) + rest / d), finite = 0;
    for (size_t j = 0; j < w; j++) count[j] = sum[j] = m2[j] = 0, min[j] = INFINITY, max[j] = -INFINITY;
    if (!*missing) {
        int column = d == 1 && w == SKNORM_COLUMN;
        if (!pivot) {
            if (column) NAME(column_sums)(x, rows, sum, min, max);
            else NAME(sums)(x, rows, w, stride, sum, min, max);
            NAME(sums)(last, rest != 0, rest, 0, sum, min, max);
        } else if (extremes) {
            NAME(deviations_and_extremes)(x, rows, w, stride, pivot, sum, m2, min, max);
            NAME(deviations_and_extremes)(last, rest != 0, rest, 0, pivot, sum, m2, min, max);
        } else {
            if (column) NAME(column_deviations)(x, rows, pivot[0], sum, m2);
            else NAME(deviations)(x, rows, w, stride, pivot, sum, m2, min, max);
            NAME(deviations)(last, rest != 0, rest, 0, pivot, sum, m2, min, max);
        }
        for (size_t c = 0; c < d; c++) count[c] = n;
        for (size_t j = 0; j < w; j++) finite += sum[j] * 0.0;
    }
    if (*missing || finite != finite) {
        for (size_t j = 0; j < w; j++) count[j] = sum[j] = m2[j] = 0, min[j] = INFINITY, max[j] = -INFINITY;
        if (pivot) {
            NAME(deviations_of_present)(x, rows, w, stride, pivot, count, sum, m2, min, max);
            NAME(deviations_of_present)(last, rest != 0, rest, 0, pivot, count, sum, m2, min, max);
        } else {
            NAME(sums_of_present)(x, rows, w, stride, count, sum, min, max);
            NAME(sums_of_present)(last, rest != 0, rest, 0, count, sum, min, max);
        }
        *missing = 1;
    }
    for (size_t fold = d; fold < w; fold += d)
        for (size_t c = 0; c < d; c++) {
            count[c] += count[fold + c], sum[c] += sum[fold + c], m2[c] += m2[fold + c];
            min[c] = LESSER(min[fold + c], min[c]), max[c] = GREATER(max[fold + c], max[c]);
        }
    if (*missing) {
        *missing = 0;
        for (size_t c = 0; c < d; c++) {
            if (min[c] == -INFINITY || max[c] == INFINITY) return SKNORM_INFINITE;
            *missing |= count[c] != n;
        }
    }
    return SKNORM_OK;
}

/* Merge one block into a table whose rows are n_cells apart.

   The deviations are taken from the mean of the rows before, so that one read is enough. Where that mean lies too far
   off to lose no more than half a bit (the first block, a drift), they are taken from the block's own mean, or from its
   one value if it is constant, which costs a second read, of the cache; *steady tells how it went with the block before.
   So a constant column deviates by 0 exactly, however many blocks it has. `room` is six times w + 16 doubles. */
static int NAME(merge_block)(const T *x, size_t rows, size_t w, ptrdiff_t stride, size_t rest, size_t d, double *table,
                             size_t n_cells, int with_moments, int with_extremes, double *room, int *missing,
                             int *steady) {
    /* apart by an odd number of cache lines: at 4096 bytes they would share their places in the first-level cache */
    size_t pitch = (w + 7) / 16 * 16 + 8;
    double *count = room, *sum = count + pitch, *m2 = sum + pitch, *min = m2 + pitch, *max = min + pitch;
    double *pivot = max + pitch;
    const double *mean = table + ROW_MEAN * n_cells;
    int status, good = 0;
    if (with_moments && *steady) {
        for (size_t c = 0; c < d; c++) pivot[c] = mean[c];
        for (size_t j = d; j < w; j++) pivot[j] = pivot[j - d];
        status = NAME(read_block)(x, rows, w, stride, rest, d, with_extremes, missing, pivot, count, sum, m2, min, max);
        if (status) return status;
        good = 1;
        for (size_t c = 0; c < d; c++) good &= sum[c] * sum[c] <= 0.25 * count[c] * m2[c] && m2[c] <= DBL_MAX;
    }
    if (!good) {
        status = NAME(read_block)(x, rows, w, stride, rest, d, 1, missing, NULL, count, sum, m2, min, max);
        if (status) return status;
        if (with_moments) {
            for (size_t c = 0; c < d; c++) {
                pivot[c] = count[c] ? sum[c] / count[c] : 0;
                if (!(fabs(pivot[c]) <= DBL_MAX))
                    pivot[c] = NAME(mean_of_large)(x, rows, w, stride, rest, d, c, count[c]);
                if (min[c] == max[c]) pivot[c] = min[c];
            }
            for (size_t j = d; j < w; j++) pivot[j] = pivot[j - d];
            NAME(read_block)(x, rows, w, stride, rest, d, with_extremes, missing, pivot, count, sum, m2, min, max);
            good = 1;
            for (size_t c = 0; c < d; c++) {
                double off = pivot[c] - mean[c];
                good &= table[ROW_COUNT * n_cells + c] == 0 || count[c] * off * off <= 0.25 * m2[c];
            }
        }
    }
    *steady = good;
    for (size_t c = 0; c < d; c++) {
        if (with_extremes) {
            double *low = table + ROW_MIN * n_cells + c, *high = table + ROW_MAX * n_cells + c;
            *low = LESSER(min[c], *low);
            *high = GREATER(max[c], *high);
        }
        if (with_moments) {
            double mean_low = 0;
            finish_cell(count[c], pivot + c, &mean_low, m2 + c, sum[c]);
            merge_cell(table + c, n_cells, count[c], pivot[c], mean_low, m2[c]);
        } else
            table[ROW_COUNT * n_cells + c] += count[c];
    }
    return SKNORM_OK;
}

/* Merge n rows of d columns into a table of d cells; strides are in elements. */
static int NAME(summarize)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, double *table,
                           int with_moments, int with_extremes) {
    int packed = d == 1 ? row_stride == 1 : column_stride == 1, status = SKNORM_OK, missing = 0, steady = 0;
    size_t k = 1, n_parts = 1;
    if (row_stride == 1 && d > 1 && n > 1) { /* Fortran order: each column is a packed table of its own */
        n_parts = d;
        d = 1;
        packed = 1;
    }
    if (d == 1) k = SKNORM_COLUMN < n ? SKNORM_COLUMN : n;
    else if (!packed || row_stride == (ptrdiff_t)d) k = fold_of(d) < n ? fold_of(d) : n;
    size_t block = (SKNORM_BLOCK / d > SKNORM_ROWS ? SKNORM_BLOCK / d : SKNORM_ROWS) / k * k; /* rows */
    if (block > n) block = n;
    double *room = malloc(6 * (k * d + 16) * sizeof(double));
    T *scratch = packed ? NULL : malloc(block * d * sizeof(T));
    if (!room || !(scratch || packed)) status = SKNORM_NO_MEMORY;
    for (size_t part = 0; part < n_parts && !status; part++, x += column_stride, table++) {
        missing = steady = 0;
        for (size_t i = 0, rows; i < n && !status; i += rows) {
            rows = n - i < block ? n - i : block;
            const T *start = x + (ptrdiff_t)i * row_stride;
            if (!packed) {
                for (size_t r = 0; r < rows; r++)
                    for (size_t j = 0; j < d; j++)
                        scratch[r * d + j] = start[(ptrdiff_t)r * row_stride + (ptrdiff_t)j * column_stride];
                start = scratch;
            }
            ptrdiff_t stride = k > 1 || !packed ? (ptrdiff_t)(k * d) : row_stride;
            status = NAME(merge_block)(start, rows / k, k * d, stride, rows % k * d, d, table, n_parts * d,
                                       with_moments, with_extremes, room, &missing, &steady);
        }
    }
    free(scratch);
    free(room);
    return status;
}
