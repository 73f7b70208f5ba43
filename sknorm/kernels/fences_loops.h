/* The loops of fences.h for one value type T; included once for each. */

/* Count what lies outside in rows of w lanes. Four rows at a time, as `sums` in moments_loops.h. */
SKNORM_CLONES_256 void NAME(count_rows)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride,
                                        FenceLanes f) {
    const double *SKNORM_RESTRICT lows = f.low, *SKNORM_RESTRICT highs = f.high;
    double *SKNORM_RESTRICT below = f.below, *SKNORM_RESTRICT above = f.above;
    size_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * stride) {
        const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        PREFETCH_FOUR(x, w, stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j], b = x1[j], c = x2[j], d = x3[j], low = lows[j], high = highs[j];
            below[j] += (ONE_IF(a < low) + ONE_IF(b < low)) + (ONE_IF(c < low) + ONE_IF(d < low));
            above[j] += (ONE_IF(a > high) + ONE_IF(b > high)) + (ONE_IF(c > high) + ONE_IF(d > high));
        }
    }
    for (; r < rows; r++, x += stride)
        for (size_t j = 0; j < w; j++) {
            double a = x[j];
            below[j] += ONE_IF(a < lows[j]);
            above[j] += ONE_IF(a > highs[j]);
        }
}

/* The same, and write the rows fenced, one after the other. What is clipped to two bounds differs from what it was, which
   takes two thirds of the time of looking at the bounds again. */
#define FENCE_ROWS(name, FENCED, IS_BELOW, IS_ABOVE) \
    SKNORM_CLONES_256 void NAME(name)(const T *SKNORM_RESTRICT x, size_t rows, size_t w, ptrdiff_t stride, FenceLanes f, \
                                      double *SKNORM_RESTRICT out) { \
        const double *SKNORM_RESTRICT lows = f.low, *SKNORM_RESTRICT highs = f.high; \
        const double *SKNORM_RESTRICT to_lows = f.to_low, *SKNORM_RESTRICT to_highs = f.to_high; \
        double *SKNORM_RESTRICT below = f.below, *SKNORM_RESTRICT above = f.above; \
        size_t r = 0; \
        for (; r + 4 <= rows; r += 4, x += 4 * stride, out += 4 * w) { \
            const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride; \
            double *out1 = out + w, *out2 = out1 + w, *out3 = out2 + w; \
            PREFETCH_FOUR(x, w, stride) \
            SKNORM_INDEPENDENT \
            for (size_t j = 0; j < w; j++) { \
                double low = lows[j], high = highs[j], to_low = to_lows[j], to_high = to_highs[j]; \
                double a = x[j], b = x1[j], c = x2[j], d = x3[j]; \
                double p = FENCED(a), q = FENCED(b), s = FENCED(c), t = FENCED(d); \
                (void)to_low, (void)to_high; \
                below[j] += (ONE_IF(IS_BELOW(a, p)) + ONE_IF(IS_BELOW(b, q))) + \
                            (ONE_IF(IS_BELOW(c, s)) + ONE_IF(IS_BELOW(d, t))); \
                above[j] += (ONE_IF(IS_ABOVE(a, p)) + ONE_IF(IS_ABOVE(b, q))) + \
                            (ONE_IF(IS_ABOVE(c, s)) + ONE_IF(IS_ABOVE(d, t))); \
                out[j] = p, out1[j] = q, out2[j] = s, out3[j] = t; \
            } \
        } \
        for (; r < rows; r++, x += stride, out += w) \
            for (size_t j = 0; j < w; j++) { \
                double low = lows[j], high = highs[j], to_low = to_lows[j], to_high = to_highs[j]; \
                double a = x[j], p = FENCED(a); \
                (void)to_low, (void)to_high; \
                below[j] += ONE_IF(IS_BELOW(a, p)); \
                above[j] += ONE_IF(IS_ABOVE(a, p)); \
                out[j] = p; \
            } \
    }
FENCE_ROWS(clip_rows, CLIPPED, IS_LIFTED, IS_LOWERED)
FENCE_ROWS(drop_rows, DROPPED, IS_LOW, IS_HIGH)
#undef FENCE_ROWS

/* Take n rows of d columns, strides in elements, into the table of `summarize`, fenced; or, where that is NULL, count only
   what lies outside. */
static int NAME(summarize_fenced)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d,
                                  Fences fences, double *table, int with_moments, int with_extremes) {
    int packed = d == 1 ? row_stride == 1 : column_stride == 1, status = SKNORM_OK, missing = 0, steady = 0;
    size_t k = 1, n_parts = 1, n_cells = d;
    if (row_stride == 1 && d > 1 && n > 1) { /* Fortran order: each column is a packed table of its own */
        n_parts = d;
        d = 1;
        packed = 1;
    }
    if (d == 1) k = SKNORM_COLUMN < n ? SKNORM_COLUMN : n;
    else if (!packed || row_stride == (ptrdiff_t)d) k = fold_of(d) < n ? fold_of(d) : n;
    size_t w = k * d, block = (FENCED_BLOCK / d > SKNORM_ROWS ? FENCED_BLOCK / d : SKNORM_ROWS) / k * k; /* rows */
    if (block > n) block = n;
    /* What reads `out` asks for memory ahead of it: there must be some, or a thread took five times as long. */
    size_t n_out = block * d + 4 * w + SKNORM_AHEAD / sizeof(double);
    double *room = malloc((6 * (w + 16) + 6 * w) * sizeof(double)), *out = table ? malloc(n_out * sizeof(double)) : NULL;
    T *scratch = packed ? NULL : malloc(block * d * sizeof(T));
    if (!room || !(scratch || packed) || (table && !out)) status = SKNORM_NO_MEMORY;
    else if (table) memset(out, 0, n_out * sizeof(double));
    for (size_t part = 0; part < n_parts && !status; part++, x += column_stride) {
        FenceLanes lanes = fence_lanes(&fences, room + 6 * (w + 16), d, w);
        int closed = has_two_bounds(lanes, d);
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
            ptrdiff_t stride = k > 1 || !packed ? (ptrdiff_t)w : row_stride;
            const T *rest = start + (ptrdiff_t)(rows / k) * stride;
            if (!table) {
                NAME(count_rows)(start, rows / k, w, stride, lanes);
                NAME(count_rows)(rest, rows % k != 0, rows % k * d, 0, lanes);
                continue;
            }
            (closed ? NAME(clip_rows) : NAME(drop_rows))(start, rows / k, w, stride, lanes, out);
            (closed ? NAME(clip_rows) : NAME(drop_rows))(rest, rows % k != 0, rows % k * d, 0, lanes, out + rows / k * w);
            status = merge_block_f64(out, rows / k, w, (ptrdiff_t)w, rows % k * d, d, table + part, n_cells, with_moments,
                                     with_extremes, room, &missing, &steady);
        }
        for (size_t j = 0; j < w; j++) {
            fences.below[part + j % d] += lanes.below[j];
            fences.above[part + j % d] += lanes.above[j];
        }
        fences.low++, fences.high++; /* of the next part, if each is a column */
    }
    free(scratch);
    free(out);
    free(room);
    return status;
}
