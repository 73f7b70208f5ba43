/* The loops of scatter.h for one value type T; included once for each. */

/* Fill a table of n_groups x d cells, zero before: rows go to the group that `codes` names (all to group 0 without)
   and count `weights` (1 without). Sums are taken about each cell's first value, so that data far from zero keep their
   digits. `residual` is room for n_groups x d doubles. */
static int NAME(scatter)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d,
                         const double *weights, const intptr_t *codes, size_t n_groups, double *table,
                         double *residual) {
    size_t n_cells = n_groups * d;
    double *mean = table + ROW_MEAN * n_cells, *low = table + ROW_LOW * n_cells, *m2 = table + ROW_M2 * n_cells;
    double *count = table + ROW_COUNT * n_cells, *min = table + ROW_MIN * n_cells, *max = table + ROW_MAX * n_cells;
    for (size_t i = 0; i < n; i++) {
        double weight = weights ? weights[i] : 1.0;
        size_t group = codes ? (size_t)codes[i] : 0;
        if (group >= n_groups) return SKNORM_BAD_CODE;
        for (size_t c = 0; c < d; c++) {
            double v = x[(ptrdiff_t)i * row_stride + (ptrdiff_t)c * column_stride];
            size_t cell = group * d + c;
            if (fabs(v) == INFINITY) return SKNORM_INFINITE;
            if (v != v || weight == 0) continue;
            if (count[cell] == 0) mean[cell] = v; /* so a constant deviates by 0 exactly */
            count[cell] += weight;
            residual[cell] += weight * (v - mean[cell]);
            min[cell] = LESSER(v, min[cell]);
            max[cell] = GREATER(v, max[cell]);
        }
    }
    int large = 0;
    for (size_t cell = 0; cell < n_cells; cell++) {
        if (fabs(residual[cell]) <= DBL_MAX) {
            if (count[cell]) mean[cell] += residual[cell] / count[cell];
            residual[cell] = 0;
        } else {
            mean[cell] = 0;
            large = 1;
        }
    }
    for (size_t i = 0; large && i < n; i++) { /* the mean of a sum that overflows although its values do not */
        double weight = weights ? weights[i] : 1.0;
        for (size_t c = 0; c < d; c++) {
            double v = x[(ptrdiff_t)i * row_stride + (ptrdiff_t)c * column_stride];
            size_t cell = (codes ? (size_t)codes[i] : 0) * d + c;
            if (v == v && weight != 0 && residual[cell] != 0) mean[cell] += v * (weight / count[cell]);
        }
    }
    for (size_t cell = 0; cell < n_cells; cell++) residual[cell] = 0;
    for (size_t i = 0; i < n; i++) {
        double weight = weights ? weights[i] : 1.0;
        size_t group = codes ? (size_t)codes[i] : 0;
        for (size_t c = 0; c < d; c++) {
            double v = x[(ptrdiff_t)i * row_stride + (ptrdiff_t)c * column_stride];
            size_t cell = group * d + c;
            if (v != v || weight == 0) continue;
            double delta = v - mean[cell];
            residual[cell] += weight * delta;
            m2[cell] += weight * delta * delta;
        }
    }
    for (size_t cell = 0; cell < n_cells; cell++)
        finish_cell(count[cell], mean + cell, low + cell, m2 + cell, residual[cell]);
    return SKNORM_OK;
}

/* Take the rows i[0], i[1], ... of packed rows into records of w lanes, see scatter.h; those from n on must not be read
   beyond their end. */
SKNORM_INLINE void NAME(scatter_rows)(const T *x, const uint32_t *rows, size_t n_rows, size_t last, size_t d, size_t w,
                                      const intptr_t *codes, size_t first_group, double *records, unsigned char *fresh,
                                      int with_extremes, double *most, double *table, size_t n_cells) {
    size_t stride = (with_extremes ? SCATTER_FIELDS : SCATTER_MIN) * w;
    T row[SCATTER_WIDEST];
    for (size_t i = 0; i < n_rows; i++) {
        size_t group = (size_t)codes[rows[i]] - first_group;
        double *record = records + group * stride;
        const T *lanes = x + rows[i] * d;
        if (i + SCATTER_AHEAD < n_rows) {
            const char *next = (const char *)(records + ((size_t)codes[rows[i + SCATTER_AHEAD]] - first_group) * stride);
            for (size_t byte = 0; byte < 4 * w * sizeof(double); byte += 64) SKNORM_PREFETCH_WRITE(next + byte);
        }
        if (w > d && rows[i] >= last) {
            for (size_t j = 0; j < d; j++) row[j] = lanes[j];
            lanes = row;
        }
        double *pivot = record, *sum = pivot + w, *squares = sum + w, *count = squares + w;
        double *min = record + SCATTER_MIN * w, *max = min + w;
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double a = lanes[j], v = j < d ? a : NAN, p = pivot[j] == pivot[j] ? pivot[j] : v;
            double delta = v == v ? v - p : 0;
            pivot[j] = p;
            sum[j] += delta;
            squares[j] += delta * delta;
            count[j] += v == v ? 1 : 0;
            most[j] = GREATER(fabs(v), most[j]);
        }
        if (with_extremes) {
            SKNORM_INDEPENDENT
            for (size_t j = 0; j < w; j++) {
                double v = lanes[j];
                min[j] = LESSER(v, min[j]), max[j] = GREATER(v, max[j]);
            }
        }
        if (++fresh[group] == SCATTER_ROWS) settle(record, w, d, table + group * d, n_cells), fresh[group] = 0;
    }
}

SKNORM_CLONES_256 void NAME(scatter_lanes)(const T *x, const uint32_t *rows, size_t n_rows, size_t last, size_t d,
                                           size_t w, const intptr_t *codes, size_t first_group, double *records,
                                           unsigned char *fresh, int with_extremes, double *most, double *table,
                                           size_t n_cells) {
#define ROWS_OF(d_, w_) \
    NAME(scatter_rows)(x, rows, n_rows, last, d_, w_, codes, first_group, records, fresh, with_extremes, most, table, \
                       n_cells)
    if (d == 1) ROWS_OF(1, 1);
    else if (d == 2) ROWS_OF(2, 2);
    else if (d == 3) ROWS_OF(3, 4);
    else if (d == 4) ROWS_OF(4, 4);
    else if (w == 8) ROWS_OF(d, 8);
    else ROWS_OF(d, w);
#undef ROWS_OF
}

/* Fill the cells of the groups from first to before last of a table, with rows of weight 1 grouped by codes. Returns
   SKNORM_AGAIN where a value is so large, infinite or missing that scatter has to do it. */
static int NAME(scatter_once)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d,
                              const intptr_t *codes, size_t n_groups, size_t first, size_t last, int with_extremes,
                              double *table) {
    size_t w = lanes_of(d), fields = with_extremes ? SCATTER_FIELDS : SCATTER_MIN, n_own = last - first;
    int packed = column_stride == 1 && row_stride == (ptrdiff_t)d, all = first == 0 && last == n_groups;
    if (d > SCATTER_WIDEST) return SKNORM_AGAIN;
    double *room = malloc((n_own * fields * w + w + 8) * sizeof(double)), *records = room;
    T *block = malloc((SCATTER_BLOCK * d + 8) * sizeof(T));
    unsigned char *fresh = calloc(n_own + 1, 1);
    uint32_t rows[SCATTER_BLOCK];
    int status = room && block && fresh ? SKNORM_OK : SKNORM_NO_MEMORY;
    if (!status) {
        while ((uintptr_t)records % 64) records++;
        double *most = records + n_own * fields * w, largest = 0;
        clear_records(records, n_own, w, fields);
        for (size_t j = 0; j < w; j++) most[j] = 0;
        for (size_t i = 0, size; i < n && !status; i += size) {
            size_t n_rows = 0, bad = 0;
            size = n - i < SCATTER_BLOCK ? n - i : SCATTER_BLOCK;
            const intptr_t *code = codes + i;
            for (size_t r = 0; r < size; r++) {
                rows[n_rows] = (uint32_t)r;
                n_rows += all || (size_t)code[r] - first < n_own;
                bad |= (size_t)code[r] >= n_groups;
            }
            if (bad) {
                status = SKNORM_BAD_CODE;
                break;
            }
            const T *from = x + (ptrdiff_t)i * row_stride;
            if (!packed) {
                for (size_t j = 0; j < d; j++)
                    for (size_t r = 0; r < size; r++)
                        block[r * d + j] = from[(ptrdiff_t)r * row_stride + (ptrdiff_t)j * column_stride];
                from = block;
            }
            NAME(scatter_lanes)(from, rows, n_rows, packed && i + size < n ? size : size - 1, d, w, code, first, records,
                                fresh, with_extremes, most, table + first * d, n_groups * d);
        }
        for (size_t j = 0; j < d; j++) largest = GREATER(most[j], largest);
        if (!status && largest >= SCATTER_LARGEST) status = SKNORM_AGAIN;
        if (!status) settle_records(records, n_own, w, fields, d, table + first * d, n_groups * d);
    }
    free(room);
    free(block);
    free(fresh);
    return status;
}
