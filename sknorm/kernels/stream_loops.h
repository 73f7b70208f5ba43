/* The loops of stream.h for one value type T; included once for each. */

/* Copy rows of d columns into rows of w lanes, the padding missing. Returns 1 where a value is infinite. Packed rows are
   copied as whole lanes, with the beginning of the next row as padding: half the time of a loop of ten. */
SKNORM_CLONES_256 int NAME(enter)(const T *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t rows, size_t d,
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
    for (size_t k = 0; k < SKNORM_PAD; k++)
        if (most[k] == INFINITY) return 1;
    return 0;
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

/* Take n rows of d columns into a state; strides are in elements, y may be x. At an error s and y are
   spoiled, and *done is the number of rows before the block in which it was met. */
static int NAME(follow)(Stream *s, const T *x, ptrdiff_t x_row, ptrdiff_t x_column, T *y, ptrdiff_t y_row,
                        ptrdiff_t y_column, size_t n, const double *weights, State state, size_t *done) {
    size_t w = padded(state.d), block = SKNORM_STREAM_BLOCK / w;
    block = block > SKNORM_STREAM_ROWS ? SKNORM_STREAM_ROWS : block < 1 ? 1 : block;
    double *in = malloc(2 * block * w * sizeof(double)), *out = in ? in + block * w : NULL;
    double *room = in ? load_state(s, state) : NULL;
    int status = room ? SKNORM_OK : SKNORM_NO_MEMORY;
    for (size_t i = 0, rows; i < n && !status; i += rows) {
        rows = n - i < block ? n - i : block;
        *done = i;
        if (NAME(enter)(x + (ptrdiff_t)i * x_row, x_row, x_column, rows, state.d, in, w)) status = SKNORM_INFINITE;
        else status = follow_block(s, in, out, rows, weights ? weights + i : NULL);
        if (s->rule && !status) NAME(leave)(y + (ptrdiff_t)i * y_row, y_row, y_column, rows, state.d, out, w);
    }
    if (!status) store_state(s, state);
    free(room);
    free(in);
    return status;
}
