/* The loops of rownorm.h for one value type T; included once for each. */

/* Normalize the w values of a block, packed, into y, which may be x. Without gain there is no shift. The scratch, of w
   doubles, is used where a value is missing or a square overflows. */
SKNORM_INLINE int NAME(normalize_block)(T *y, const T *x, size_t w, double eps, const double *gain, const double *shift,
                                        double *SKNORM_RESTRICT scratch) {
    double sums[SKNORM_SUMS] = {0}, squares[SKNORM_SUMS] = {0}, rest = 0, rest_squared = 0;
    size_t whole = w - w % SKNORM_SUMS;
    for (size_t i = 0; i < whole; i += SKNORM_SUMS) {
        SKNORM_UNROLL_8
        for (size_t j = 0; j < SKNORM_SUMS; j++) sums[j] += x[i + j];
    }
    for (size_t j = whole; j < w; j++) rest += x[j];
    double mean = (total_of(sums) + rest) / (double)w;
    for (size_t j = 0; j < SKNORM_SUMS; j++) sums[j] = 0;
    rest = 0;
    for (size_t i = 0; i < whole; i += SKNORM_SUMS) {
        SKNORM_UNROLL_8
        for (size_t j = 0; j < SKNORM_SUMS; j++) {
            double d = x[i + j] - mean;
            if (EXACT) sums[j] += d;
            squares[j] += d * d;
        }
    }
    for (size_t j = whole; j < w; j++) {
        double d = x[j] - mean;
        if (EXACT) rest += d;
        rest_squared += d * d;
    }
    /* What the mean was rounded by, and the squares by that. */
    double low = EXACT ? (total_of(sums) + rest) / (double)w : 0;
    double variance = (total_of(squares) + rest_squared) / (double)w - low * low;
    double root = sqrt((variance > 0 ? variance : 0) + eps);
    if (!(fabs(variance) <= DBL_MAX)) {
        for (size_t j = 0; j < w; j++) scratch[j] = x[j];
        int status = normalize_carefully(scratch, w, eps);
        for (size_t j = 0; j < w && !status; j++) y[j] = (T)(gain ? scratch[j] * gain[j] + shift[j] : scratch[j]);
        return status;
    }
    if (eps == 0 && !(root > (double)w * DBL_EPSILON * fabs(mean))) { /* a constant, perhaps, and rounding */
        size_t j = 1;
        while (j < w && x[j] == x[0]) j++;
        if (j == w || root == 0) root = INFINITY;
    }
    double inverse = 1 / root;
    if (gain) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++)
            y[j] = (T)((EXACT ? (x[j] - mean - low) / root : (x[j] - mean) * inverse) * gain[j] + shift[j]);
    } else {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = (T)(EXACT ? (x[j] - mean - low) / root : (x[j] - mean) * inverse);
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
    double *scratch = malloc(widest * sizeof(double));
    T *row = packed ? NULL : malloc(d * sizeof(T));
    if (!scratch || !(packed || row)) status = SKNORM_NO_MEMORY;
    for (size_t i = 0; i < n && !status; i++, x += x_row, y += y_row) {
        const T *from = packed ? x : row;
        T *to = packed ? y : row;
        if (!packed)
            for (size_t j = 0; j < d; j++) row[j] = x[(ptrdiff_t)j * x_column];
        for (size_t b = 0, start = 0; b < n_blocks && !status; start = (size_t)ends[b++])
            status = NAME(normalize_block)(to + start, from + start, (size_t)ends[b] - start, eps,
                                           gain ? gain + start : NULL, gain ? shift + start : NULL, scratch);
        if (!packed && !status)
            for (size_t j = 0; j < d; j++) y[(ptrdiff_t)j * y_column] = row[j];
    }
    free(scratch);
    free(row);
    return status;
}
