/* The loops of rows.h for one value type T; included once for each. */

/* Copy rows of d columns into rows of w lanes, the padding missing. Returns the largest absolute value. Packed
   rows are copied as whole lanes, with the beginning of the next row as padding: half the time of a loop of ten. */
SKNORM_CLONES_256 double NAME(enter)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t rows, size_t d,
                                     double *SKNORM_RESTRICT lanes, size_t w) {
    double most[SKNORM_PAD] = {0};
    int packed = column_stride == 1 && row_stride == (ptrdiff_t)d;
    for (size_t r = 0; r < rows; r++, x += row_stride, lanes += w) {
        if (packed && (rows - r) * d >= w)
            for (size_t j = 0; j < w; j++) lanes[j] = x[j];
        else
            for (size_t j = 0; j < d; j++) lanes[j] = x[(ptrdiff_t)j * column_stride];
        for (size_t j = d; j < w; j++) lanes[j] = NAN;
        for (size_t j = 0; j < w; j += SKNORM_PAD)
            for (size_t k = 0; k < SKNORM_PAD; k++) most[k] = GREATER(fabs(lanes[j + k]), most[k]);
    }
    double largest = GREATER(most[0], most[1]), other = GREATER(most[2], most[3]);
    return GREATER(largest, other);
}

/* Copy rows of lanes back, likewise: what the padding spoils of the next row is written after it. */
SKNORM_CLONES_256 void NAME(leave)(T *SKNORM_RESTRICT y, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t rows,
                                   size_t d, const double *SKNORM_RESTRICT lanes, size_t w) {
    int packed = column_stride == 1 && row_stride == (ptrdiff_t)d;
    for (size_t r = 0; r < rows; r++, y += row_stride, lanes += w) {
        if (packed && (rows - r) * d >= w)
            for (size_t j = 0; j < w; j++) y[j] = (T)lanes[j];
        else
            for (size_t j = 0; j < d; j++) y[(ptrdiff_t)j * column_stride] = (T)lanes[j];
    }
}
