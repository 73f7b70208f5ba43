/* The loops of apply.h for one value type T; included once for each. */

#define STAGE(name, kind) \
    SKNORM_CLONES int NAME(name)(T * y, ptrdiff_t y_stride, const T *x, ptrdiff_t x_stride, size_t rows, \
                             size_t w, const double *SKNORM_RESTRICT p, size_t pitch, int ahead) { \
        uint64_t infinite = 0; \
        for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) { \
            for (size_t j = 0; ahead && j < w; j += 64 / sizeof(T)) \
                SKNORM_PREFETCH((const char *)(x + j) + SKNORM_AHEAD); \
            SKNORM_INDEPENDENT \
            for (size_t j = 0; j < w; j++) { \
                double v = fenced(kind, x[j], p, pitch, j, NAME(LARGEST)); \
                infinite |= fabs(v) == INFINITY; \
                y[j] = (T)affine(kind, v, p, pitch, j); \
            } \
        } \
        return infinite != 0; \
    }
SKNORM_STAGES(STAGE)
#undef STAGE

SKNORM_CLONES void NAME(squash)(T *y, ptrdiff_t y_stride, const T *x, ptrdiff_t x_stride, size_t rows,
                                       size_t w, const double *SKNORM_RESTRICT p, size_t pitch) {
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = (T)squash(x[j], p[4 * pitch + j]);
    }
}

SKNORM_CLONES void NAME(unsquash)(T *y, ptrdiff_t y_stride, const T *x, ptrdiff_t x_stride, size_t rows,
                                         size_t w, const double *SKNORM_RESTRICT p, size_t pitch) {
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = (T)unsquash(x[j], p[4 * pitch + j]);
    }
}

/* Run a stage over rows of w lanes; strides between rows are in elements; `ahead`: the input is
   long, so ask for it early (what stages pass on is near, and past its end may be no memory). Returns 1 where a value was infinite. */
static int NAME(stage)(int kind, T *y, ptrdiff_t y_stride, const T *x, ptrdiff_t x_stride, size_t rows, size_t w,
                       const double *p, size_t pitch, int ahead) {
#define CASE(name, kind) \
    case kind: return NAME(name)(y, y_stride, x, x_stride, rows, w, p, pitch, ahead);
    switch (kind) {
        SKNORM_STAGES(CASE)
    case SQUASH: NAME(squash)(y, y_stride, x, x_stride, rows, w, p, pitch); return 0;
    default: NAME(unsquash)(y, y_stride, x, x_stride, rows, w, p, pitch); return 0;
    }
#undef CASE
}

/* Copy n lanes of each row between a table and a strip of doubles; the first says whether a value is infinite. */
SKNORM_CLONES int NAME(load_strip)(double *SKNORM_RESTRICT strip, const T *SKNORM_RESTRICT x, ptrdiff_t x_stride,
                                   size_t rows, size_t w) {
    uint64_t infinite = 0;
    for (size_t r = 0; r < rows; r++, x += x_stride, strip += w) {
        for (size_t j = 0; j < w; j += 64 / sizeof(T)) SKNORM_PREFETCH((const char *)(x + j) + SKNORM_AHEAD);
        for (size_t j = 0; j < w; j++) {
            double v = x[j];
            infinite |= fabs(v) == INFINITY;
            strip[j] = v;
        }
    }
    return infinite != 0;
}

SKNORM_CLONES void NAME(store_strip)(T *SKNORM_RESTRICT y, ptrdiff_t y_stride, const double *SKNORM_RESTRICT strip,
                                     size_t rows, size_t w) {
    for (size_t r = 0; r < rows; r++, y += y_stride, strip += w)
        for (size_t j = 0; j < w; j++) y[j] = (T)strip[j];
}

/* Run the stages over rows of w contiguous lanes; the strip has room for APPLY_STRIP values, or a row. The first stage
   alone sees the input, and so what is infinite there. */
static int NAME(run)(const int *kinds, size_t n_stages, T *y, ptrdiff_t y_stride, const T *x, ptrdiff_t x_stride,
                     size_t rows, size_t w, const double *p, size_t pitch, double *strip) {
    int infinite = 0;
    if (n_stages == 0) return NAME(stage)(0, y, y_stride, x, x_stride, rows, w, p, pitch, 1);
    if (n_stages == 1 && kinds[0] < SQUASH)
        return NAME(stage)(kinds[0], y, y_stride, x, x_stride, rows, w, p, pitch, 1);
    size_t most = w < APPLY_STRIP ? APPLY_STRIP / w : 1;
    for (size_t r = 0, n; r < rows; r += n, x += (ptrdiff_t)n * x_stride, y += (ptrdiff_t)n * y_stride) {
        n = rows - r < most ? rows - r : most;
        int entered = NAME(load_strip)(strip, x, x_stride, n, w);
        for (size_t s = 0; s < n_stages; s++) {
            int left = stage_f64(kinds[s], strip, (ptrdiff_t)w, strip, (ptrdiff_t)w, n, w, p + s * PARAMETERS * pitch, pitch,
                                 0);
            if (s == 0) infinite |= kinds[0] & FENCE ? left : entered;
        }
        NAME(store_strip)(y, y_stride, strip, n, w);
    }
    return infinite;
}

/* Map rows of contiguous columns, each by its own group's record. With w lanes in place of d columns a row is read and
   written together with the beginning of the next, which is then written over; not the last, nor in place. */
SKNORM_INLINE int NAME(grouped_rows)(int kind, T *y, ptrdiff_t y_row, const T *x, ptrdiff_t x_row, size_t n, size_t d,
                                     size_t w, const double *records, size_t n_groups, const intptr_t *codes) {
    size_t stride = parameters_of(kind) * w;
    int together = y != x && y_row == (ptrdiff_t)d && x_row >= (ptrdiff_t)d, infinite = 0;
    for (size_t i = 0; i < n; i++, x += x_row, y += y_row) {
        size_t group = (size_t)codes[i];
        if (group >= n_groups) return 3;
        const double *p = records + group * stride;
        if (i + APPLY_AHEAD < n) {
            const char *next = (const char *)(records + (size_t)codes[i + APPLY_AHEAD] * stride);
            for (size_t byte = 0; byte < stride * sizeof(double); byte += 64) SKNORM_PREFETCH_FIRST(next + byte);
        }
        if (together && i + 1 < n) {
            SKNORM_INDEPENDENT
            for (size_t j = 0; j < w; j++) {
                double v = fenced(kind, x[j], p, w, j, NAME(LARGEST)); /* from d on of the next row, or of a column that is none of X */
                infinite |= (j < d) & (fabs(v) == INFINITY);
                y[j] = (T)affine(kind, v, p, w, j);
            }
        } else {
            for (size_t j = 0; j < d; j++) {
                double v = fenced(kind, x[j], p, w, j, NAME(LARGEST));
                infinite |= fabs(v) == INFINITY;
                y[j] = (T)affine(kind, v, p, w, j);
            }
        }
    }
    return infinite;
}

#define OF_WIDTH(kind, d_, w_) NAME(grouped_rows)(kind, y, y_row, x, x_row, n, d_, w_, records, n_groups, codes)
#define GROUPED(name, kind) \
    SKNORM_CLONES_256 int NAME(grouped_##name)(T * y, ptrdiff_t y_row, const T *x, ptrdiff_t x_row, size_t n, size_t d, \
                                               size_t w, const double *records, size_t n_groups, \
                                               const intptr_t *codes) { \
        return d == 3 ? OF_WIDTH(kind, 3, 4) : d == 4 ? OF_WIDTH(kind, 4, 4) : d == 2 ? OF_WIDTH(kind, 2, 2) \
             : d == 1 ? OF_WIDTH(kind, 1, 1) : w == 8 ? OF_WIDTH(kind, d, 8) : OF_WIDTH(kind, d, w); \
    }
SKNORM_GROUPED_STAGES(GROUPED)
#undef GROUPED
#undef OF_WIDTH

static int NAME(grouped)(int kind, T *y, ptrdiff_t y_row, const T *x, ptrdiff_t x_row, size_t n, size_t d, size_t w,
                         const double *records, size_t n_groups, const intptr_t *codes) {
#define CASE(name, kind) \
    case kind: return NAME(grouped_##name)(y, y_row, x, x_row, n, d, w, records, n_groups, codes);
    switch (kind) {
        SKNORM_GROUPED_STAGES(CASE)
    default: return -1; /* no such stage is grouped */
    }
#undef CASE
}

/* Map n rows by codes, where there are as many rows as groups and one stage; -1 if this is not the way. Rows whose columns
   do not lie together pass through a block where they do. */
static int NAME(apply_grouped)(int kind, T *y, ptrdiff_t y_row, ptrdiff_t y_column, const T *x, ptrdiff_t x_row,
                               ptrdiff_t x_column, size_t n, size_t d, const double *parameters, size_t n_groups,
                               const intptr_t *codes) {
    if (n < n_groups || !(kind & DIVIDE) || kind >= SQUASH) return -1;
    size_t w = d <= 2 ? d : (d + 3) / 4 * 4, lanes = APPLY_ROWS * d;
    double *records = records_of(kind, parameters, n_groups, d, w);
    int status = 0, packed = x_column == 1 && y_column == 1, whole = y_column == 1 && y_row == (ptrdiff_t)d && y != x;
    T *in = packed ? NULL : malloc(2 * lanes * sizeof(T)), *out = in ? in + lanes : NULL;
    if (!records || !(packed || in)) status = 2;
    else if (packed) status = NAME(grouped)(kind, y, y_row, x, x_row, n, d, w, records, n_groups, codes);
    for (size_t i = 0, rows; !packed && i < n && !status; i += rows, x += (ptrdiff_t)rows * x_row, y += (ptrdiff_t)rows * y_row) {
        rows = n - i < APPLY_ROWS ? n - i : APPLY_ROWS;
        for (size_t j = 0; j < d; j++)
            for (size_t r = 0; r < rows; r++) in[r * d + j] = x[(ptrdiff_t)r * x_row + (ptrdiff_t)j * x_column];
        status = NAME(grouped)(kind, whole ? y : out, (ptrdiff_t)d, in, (ptrdiff_t)d, rows, d, w, records, n_groups,
                               codes + i);
        for (size_t j = 0; j < d && !status && !whole; j++)
            for (size_t r = 0; r < rows; r++) y[(ptrdiff_t)r * y_row + (ptrdiff_t)j * y_column] = out[r * d + j];
    }
    free(in);
    free(records);
    return status;
}

/* Apply to n rows of d columns. The parameters are of shape (n_stages, PARAMETERS, n_groups, d), strides in elements;
   with codes each row takes its own group's parameters. Returns 1 at an infinity, 2 without memory, 3 at a bad code. */
static int NAME(apply)(T *y, ptrdiff_t y_row, ptrdiff_t y_column, const T *x, ptrdiff_t x_row, ptrdiff_t x_column,
                       size_t n, size_t d, const int *kinds, const double *parameters, size_t n_stages,
                       size_t n_groups, const intptr_t *codes) {
    size_t n_cells = n_groups * d, n_parameters = n_stages * PARAMETERS, n_parts = 1, k = 1;
    int status = 0, packed = x_column == 1 && y_column == 1;
    if (codes && n_stages == 1) {
        status = NAME(apply_grouped)(kinds[0], y, y_row, y_column, x, x_row, x_column, n, d, parameters, n_groups, codes);
        if (status >= 0) return status;
        status = 0;
    }
    if (d == 1 && x_row == 1 && y_row == 1) packed = 1;
    if (!codes && x_row == 1 && y_row == 1 && n > 1 && d > 1) { /* Fortran order: each column is a table of its own */
        n_parts = d;
        d = 1;
        packed = 1;
    }
    if (!codes && (!packed || (x_row == (ptrdiff_t)d && y_row == (ptrdiff_t)d))) k = fold_of(d) < n ? fold_of(d) : n;
    size_t w = k * d, pitch = k > 1 ? w : n_cells;
    size_t strip = w < APPLY_STRIP ? APPLY_STRIP : w;
    double *room = malloc((strip + (k > 1 ? n_parameters * w : 0)) * sizeof(double));
    T *scratch = packed ? NULL : malloc((w + 1) * sizeof(T));
    if (!room || !(packed || scratch)) status = 2;
    for (size_t part = 0; part < n_parts && !status; part++, x += x_column, y += y_column) {
        const double *p = parameters + part;
        if (k > 1) {
            double *lanes = room + strip;
            for (size_t s = 0; s < n_parameters; s++)
                for (size_t j = 0; j < w; j++) lanes[s * w + j] = p[s * n_cells + j % d];
            p = lanes;
        }
        if (packed && !codes) {
            ptrdiff_t x_stride = k > 1 ? (ptrdiff_t)w : x_row, y_stride = k > 1 ? (ptrdiff_t)w : y_row;
            size_t rows = n / k;
            status = NAME(run)(kinds, n_stages, y, y_stride, x, x_stride, rows, w, p, pitch, room);
            if (n % k && !status)
                status = NAME(run)(kinds, n_stages, y + (ptrdiff_t)rows * y_stride, 0, x + (ptrdiff_t)rows * x_stride,
                                   0, 1, n % k * d, p, pitch, room);
            continue;
        }
        for (size_t i = 0; i < n && !status; i += k) {
            const T *from = x + (ptrdiff_t)i * x_row;
            T *to = y + (ptrdiff_t)i * y_row;
            size_t rows = n - i < k ? n - i : k, group = codes ? (size_t)codes[i] : 0;
            if (group >= n_groups) {
                status = 3;
            } else if (packed) {
                status = NAME(run)(kinds, n_stages, to, 0, from, 0, 1, d, p + group * d, pitch, room);
            } else {
                for (size_t r = 0; r < rows; r++)
                    for (size_t j = 0; j < d; j++)
                        scratch[r * d + j] = from[(ptrdiff_t)r * x_row + (ptrdiff_t)j * x_column];
                status = NAME(run)(kinds, n_stages, scratch, 0, scratch, 0, 1, rows * d, p + group * d, pitch, room);
                for (size_t r = 0; r < rows && !status; r++)
                    for (size_t j = 0; j < d; j++)
                        to[(ptrdiff_t)r * y_row + (ptrdiff_t)j * y_column] = scratch[r * d + j];
            }
        }
    }
    free(room);
    free(scratch);
    return status;
}
