/* The loops of groups.h for one value type T; included once for each. */

/* Take n rows of d columns into the groups that codes name (-1: none, only that of all rows); strides are in elements, y
   may be x. At an error the state inside is lost, that outside too where it is weights, and *done is the row that is
   unseen, or the number of rows before the block in which the error was met. */
static int NAME(follow_groups)(Groups *s, const T *x, ptrdiff_t x_row, ptrdiff_t x_column, T *y, ptrdiff_t y_row,
                               ptrdiff_t y_column, size_t n, const intptr_t *codes, const double *weights,
                               size_t *done) {
    for (size_t i = 0; i < n; i++)
        if (codes[i] < -1 || codes[i] >= (ptrdiff_t)s->n_groups) return SKNORM_BAD_CODE;
    double *room = load_groups(s);
    size_t w = s->w, block = rows_of_block(w);
    double *in = room ? malloc(2 * block * w * sizeof(double)) : NULL, *out = in ? in + block * w : NULL;
    int status = in ? SKNORM_OK : SKNORM_NO_MEMORY;
    for (size_t i = 0, rows; i < n && !status; i += rows) {
        rows = n - i < block ? n - i : block;
        *done = i;
        double largest = NAME(enter)(x + (ptrdiff_t)i * x_row, x_row, x_column, rows, s->d, in, w);
        int eager = weights || s->window || s->half_life > 0 || !s->moments || largest > GROUPS_LARGEST;
        if (largest == INFINITY) status = SKNORM_INFINITE;
        else status = follow_lanes(s, in, out, rows, codes + i, n - i - rows, weights ? weights + i : NULL, eager, done);
        if (s->rule && !status) NAME(leave)(y + (ptrdiff_t)i * y_row, y_row, y_column, rows, s->d, out, w);
    }
    if (!status) carry_groups(s, 1);
    free(in);
    free(room);
    return status;
}
