/* The loops of stream.h for one value type T; included once for each. */

/* Take n rows of d columns into a state; strides are in elements, y may be x. At an error s and y are
   spoiled, and *done is the number of rows before the block in which it was met. */
static int NAME(follow)(Stream *s, const T *x, ptrdiff_t x_row, ptrdiff_t x_column, T *y, ptrdiff_t y_row,
                        ptrdiff_t y_column, size_t n, const double *weights, State state, size_t *done) {
    size_t w = padded(state.d), block = rows_of_block(w);
    double *in = malloc(2 * block * w * sizeof(double)), *out = in ? in + block * w : NULL;
    double *room = in ? load_state(s, state) : NULL;
    int status = room ? SKNORM_OK : SKNORM_NO_MEMORY;
    for (size_t i = 0, rows; i < n && !status; i += rows) {
        rows = n - i < block ? n - i : block;
        *done = i;
        if (NAME(enter)(x + (ptrdiff_t)i * x_row, x_row, x_column, rows, state.d, in, w) == INFINITY) status = SKNORM_INFINITE;
        else status = follow_block(s, in, out, rows, weights ? weights + i : NULL);
        if (s->rule && !status) NAME(leave)(y + (ptrdiff_t)i * y_row, y_row, y_column, rows, state.d, out, w);
    }
    if (!status) store_state(s, state);
    free(room);
    free(in);
    return status;
}
