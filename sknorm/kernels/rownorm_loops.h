/* The loops of rownorm.h for one value type T; included once for each. */

/* Normalize the w values of a block, packed, into y, through a scratch of w doubles. Without gain there is no shift. */
SKNORM_INLINE int NAME(normalize_block)(T *y, const T *x, size_t w, double eps, const double *gain,
                                        const double *shift, double *SKNORM_RESTRICT v) {
    double sums[SKNORM_SUMS] = {0}, squares[SKNORM_SUMS] = {0};
    size_t whole = w - w % SKNORM_SUMS;
    for (size_t i = 0; i < whole; i += SKNORM_SUMS)
        for (size_t j = 0; j < SKNORM_SUMS; j++) {
            v[i + j] = x[i + j];
            sums[j] += v[i + j];
        }
    for (size_t j = 0; j < w - whole; j++) {
        v[whole + j] = x[whole + j];
        sums[j] += v[whole + j];
    }
    double mean = total_of(sums) / (double)w;
    for (size_t j = 0; j < SKNORM_SUMS; j++) sums[j] = 0;
    for (size_t i = 0; i < whole; i += SKNORM_SUMS)
        for (size_t j = 0; j < SKNORM_SUMS; j++) {
            double d = v[i + j] - mean;
            v[i + j] = d;
            sums[j] += d;
            squares[j] += d * d;
        }
    for (size_t j = 0; j < w - whole; j++) {
        double d = v[whole + j] - mean;
        v[whole + j] = d;
        sums[j] += d;
        squares[j] += d * d;
    }
    /* What the mean was rounded by, and the squares by that. */
    double low = total_of(sums) / (double)w, variance = total_of(squares) / (double)w - low * low;
    double root = sqrt((variance > 0 ? variance : 0) + eps);
    if (!(fabs(variance) <= DBL_MAX)) {
        for (size_t j = 0; j < w; j++) v[j] = x[j];
        int status = normalize_carefully(v, w, eps);
        if (status) return status;
        low = 0, root = 1;
    } else if (eps == 0 && !(root > (double)w * DBL_EPSILON * fabs(mean))) { /* a constant, but for rounding */
        root = 1;
    }
    if (gain) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = (T)((v[j] - low) / root * gain[j] + shift[j]);
    } else {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = (T)((v[j] - low) / root);
    }
    return SKNORM_OK;
}

/* Normalize n rows of x into y, which may be x. Block b ends before column ends[b]. Returns a status. */
SKNORM_CLONES int NAME(rownorm)(T *y, ptrdiff_t y_row, ptrdiff_t y_column, const T *x, ptrdiff_t x_row,
                                ptrdiff_t x_column, size_t n, const intptr_t *ends, size_t n_blocks, double eps,
                                const double *gain, const double *shift) {
    size_t d = (size_t)ends[n_blocks - 1], widest = 0;
    for (size_t b = 0, start = 0; b < n_blocks; start = (size_t)ends[b++])
        widest = (size_t)ends[b] - start > widest ? (size_t)ends[b] - start : widest;
    int packed = x_column == 1 && y_column == 1, status = SKNORM_OK;
    double *v = malloc(widest * sizeof(double));
    T *row = packed ? NULL : malloc(d * sizeof(T));
    if (!v || !(packed || row)) status = SKNORM_NO_MEMORY;
    for (size_t i = 0; i < n && !status; i++, x += x_row, y += y_row) {
        const T *from = packed ? x : row;
        T *to = packed ? y : row;
        if (!packed)
            for (size_t j = 0; j < d; j++) row[j] = x[(ptrdiff_t)j * x_column];
        for (size_t b = 0, start = 0; b < n_blocks && !status; start = (size_t)ends[b++])
            status = NAME(normalize_block)(to + start, from + start, (size_t)ends[b] - start, eps,
                                           gain ? gain + start : NULL, gain ? shift + start : NULL, v);
        if (!packed && !status)
            for (size_t j = 0; j < d; j++) y[(ptrdiff_t)j * y_column] = row[j];
    }
    free(v);
    free(row);
    return status;
}
