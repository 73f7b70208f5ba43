"""Count, mean, centred sum of squares, minimum and maximum of the columns of a table."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport intptr_t

cnp.import_array()

cdef extern from "scatter.h" nogil:
    enum:
        SKNORM_OK
        SKNORM_INFINITE
        SKNORM_NO_MEMORY
        SKNORM_BAD_CODE
        SKNORM_AGAIN
        ROW_M2
        ROW_COUNT
        ROW_MIN
        ROW_MAX
        N_ROWS
    int summarize_f64(
        const double *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, double *table,
        int with_moments, int with_extremes
    )
    int summarize_f32(
        const float *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, double *table,
        int with_moments, int with_extremes
    )
    int scatter_f64(
        const double *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, const double *weights,
        const intptr_t *codes, size_t n_groups, double *table, double *residual
    )
    int scatter_f32(
        const float *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, const double *weights,
        const intptr_t *codes, size_t n_groups, double *table, double *residual
    )
    int scatter_once_f64(
        const double *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, const intptr_t *codes,
        size_t n_groups, size_t first, size_t last, int with_extremes, double *table
    )
    int scatter_once_f32(
        const float *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, const intptr_t *codes,
        size_t n_groups, size_t first, size_t last, int with_extremes, double *table
    )
    void merge_moments(double *a, const double *b, size_t n_cells)
    void merge_extremes(double *a, const double *b, size_t n_cells, int with_count)
    int table_overflows(const double *table, size_t n_rows, size_t n_cells, int moments, int extremes, double ddof)

cdef extern from "fences.h" nogil:
    ctypedef struct Fences:
        const double *low
        const double *high
        int drops
        double *below
        double *above
    int summarize_fenced_f64(
        const double *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, Fences fences,
        double *table, int with_moments, int with_extremes
    )
    int summarize_fenced_f32(
        const float *x, ptrdiff_t row_stride, ptrdiff_t column_stride, size_t n, size_t d, Fences fences,
        double *table, int with_moments, int with_extremes
    )


cdef double np_inf = np.inf, np_nan = np.nan


class Infinite(Exception):
    """X holds an infinity."""


cpdef cnp.ndarray zeros(Py_ssize_t n_groups, Py_ssize_t d, bint with_extremes=True):
    """Return the table of no rows, of shape (6, n_groups, d), or of 4 rows without the extremes."""
    cdef cnp.npy_intp[3] shape = [N_ROWS if with_extremes else ROW_MIN, n_groups, d]
    cdef cnp.ndarray table = cnp.PyArray_ZEROS(3, shape, cnp.NPY_DOUBLE, 0)
    cdef double *data = <double *> cnp.PyArray_DATA(table)
    cdef Py_ssize_t i, n_cells = n_groups * d
    if not with_extremes:
        return table
    for i in range(n_cells):
        data[ROW_MIN * n_cells + i] = np_inf
        data[ROW_MAX * n_cells + i] = -np_inf
    return table


cdef int check(int status) except -1:
    if status == SKNORM_INFINITE:
        raise Infinite
    if status == SKNORM_NO_MEMORY:
        raise MemoryError
    if status == SKNORM_BAD_CODE:
        raise IndexError("a group's code lies outside range(n_groups)")
    return 0


cdef cnp.ndarray whole_strides(cnp.ndarray X):
    """Return X, copied only if its strides are no whole numbers of elements."""
    cdef cnp.npy_intp size = cnp.PyArray_ITEMSIZE(X)
    if cnp.PyArray_STRIDE(X, 0) % size or cnp.PyArray_STRIDE(X, 1) % size or not cnp.PyArray_ISALIGNED(X):
        return np.array(X)
    return X


def summarize(cnp.ndarray X not None, Py_ssize_t start, Py_ssize_t stop, bint with_moments, bint with_extremes):
    """Return the table of the rows from start to stop.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64, any strides
    start, stop : int
        The rows to read.
    with_moments, with_extremes : bool
        Which rows are wanted; the others stay as `zeros` has them. One at least.

    Returns
    -------
    table : ndarray of shape (6, 1, d), float64
        mean, the mean's low part, m2, count, minimum, maximum.
    """
    if X.ndim != 2 or not 0 <= start <= stop <= X.shape[0]:
        raise ValueError("X must have two dimensions and hold the rows asked for")
    X = whole_strides(X)
    cdef Py_ssize_t d = X.shape[1], size = cnp.PyArray_ITEMSIZE(X)
    cdef cnp.ndarray table = zeros(1, d)
    cdef double *cells = <double *> cnp.PyArray_DATA(table)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0) // size, column_stride = cnp.PyArray_STRIDE(X, 1) // size
    cdef char *data = <char *> cnp.PyArray_DATA(X) + start * cnp.PyArray_STRIDE(X, 0)
    cdef int kind = cnp.PyArray_TYPE(X), status
    cdef size_t n = stop - start
    if n == 0 or d == 0:
        return table
    if kind == cnp.NPY_DOUBLE:
        with nogil:
            status = summarize_f64(<double *> data, row_stride, column_stride, n, d, cells, with_moments, with_extremes)
    elif kind == cnp.NPY_FLOAT:
        with nogil:
            status = summarize_f32(<float *> data, row_stride, column_stride, n, d, cells, with_moments, with_extremes)
    else:
        raise TypeError(f"X must be float32 or float64, not {X.dtype}")
    check(status)
    return table


def summarize_fenced(cnp.ndarray X not None, Py_ssize_t start, Py_ssize_t stop, cnp.ndarray low not None,
                     cnp.ndarray high not None, bint drops, bint with_moments, bint with_extremes):
    """Return the table of the rows from start to stop, fenced in, and how many values of every column were outside.

    An infinity is always outside; on a side without a bound it is left out.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64, any strides
    start, stop : int
        The rows to read.
    low, high : ndarray of shape (d,), float64, C-contiguous
        The bounds; ∓infinity for none.
    drops : bool
        Whether what lies outside is left out in place of taken for the bound.
    with_moments, with_extremes : bool
        Which rows of the table are wanted; without either there is none, and values are only counted.

    Returns
    -------
    table : ndarray of shape (6, 1, d), float64, or None
        As `summarize` has it.
    below, above : ndarray of shape (d,), float64
    """
    if X.ndim != 2 or not 0 <= start <= stop <= X.shape[0]:
        raise ValueError("X must have two dimensions and hold the rows asked for")
    cdef Py_ssize_t d = X.shape[1], size = cnp.PyArray_ITEMSIZE(X)
    for bound in (low, high):
        if cnp.PyArray_TYPE(bound) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(bound) or bound.size != d:
            raise ValueError("low and high must be d contiguous float64")
    X = whole_strides(X)
    cdef int kind = cnp.PyArray_TYPE(X), status
    if kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT:
        raise TypeError(f"X must be float32 or float64, not {X.dtype}")
    cdef bint wanted = with_moments or with_extremes
    cdef cnp.ndarray table = zeros(1, d) if wanted else None
    cdef cnp.ndarray below = np.zeros(d), above = np.zeros(d)
    cdef double *cells = <double *> cnp.PyArray_DATA(table) if wanted else NULL
    cdef Fences fences
    fences.low = <const double *> cnp.PyArray_DATA(low)
    fences.high = <const double *> cnp.PyArray_DATA(high)
    fences.drops = drops
    fences.below = <double *> cnp.PyArray_DATA(below)
    fences.above = <double *> cnp.PyArray_DATA(above)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0) // size, column_stride = cnp.PyArray_STRIDE(X, 1) // size
    cdef char *data = <char *> cnp.PyArray_DATA(X) + start * cnp.PyArray_STRIDE(X, 0)
    cdef size_t n = stop - start
    if n == 0 or d == 0:
        return table, below, above
    with nogil:
        if kind == cnp.NPY_DOUBLE:
            status = summarize_fenced_f64(
                <double *> data, row_stride, column_stride, n, d, fences, cells, with_moments, with_extremes
            )
        else:
            status = summarize_fenced_f32(
                <float *> data, row_stride, column_stride, n, d, fences, cells, with_moments, with_extremes
            )
    check(status)
    return table, below, above


def scatter(cnp.ndarray X not None, cnp.ndarray weights, cnp.ndarray codes, Py_ssize_t n_groups):
    """Return the table of weighted or grouped rows, of shape (6, n_groups, d).

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64, any strides
    weights : ndarray of shape (n,), float64, C-contiguous, or None
    codes : ndarray of shape (n,), intp, C-contiguous, or None
    n_groups : int
    """
    if X.ndim != 2 or n_groups < 0:
        raise ValueError("X must have two dimensions and n_groups must not be negative")
    cdef const double *w = NULL
    cdef const intptr_t *g = NULL
    if weights is not None:
        if cnp.PyArray_TYPE(weights) != cnp.NPY_DOUBLE or not cnp.PyArray_IS_C_CONTIGUOUS(weights) \
                or weights.size != X.shape[0]:
            raise ValueError("weights must be n contiguous float64")
        w = <const double *> cnp.PyArray_DATA(weights)
    if codes is not None:
        if cnp.PyArray_TYPE(codes) != cnp.NPY_INTP or not cnp.PyArray_IS_C_CONTIGUOUS(codes) \
                or codes.size != X.shape[0]:
            raise ValueError("codes must be n contiguous intp")
        g = <const intptr_t *> cnp.PyArray_DATA(codes)
    X = whole_strides(X)
    cdef Py_ssize_t d = X.shape[1], size = cnp.PyArray_ITEMSIZE(X)
    cdef cnp.ndarray table = zeros(n_groups, d)
    cdef cnp.ndarray residual = np.zeros((n_groups, d))
    cdef double *cells = <double *> cnp.PyArray_DATA(table)
    cdef double *room = <double *> cnp.PyArray_DATA(residual)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0) // size, column_stride = cnp.PyArray_STRIDE(X, 1) // size
    cdef char *data = <char *> cnp.PyArray_DATA(X)
    cdef int kind = cnp.PyArray_TYPE(X), status
    cdef size_t n = X.shape[0]
    if n == 0 or d == 0:
        return table
    if kind == cnp.NPY_DOUBLE:
        with nogil:
            status = scatter_f64(<double *> data, row_stride, column_stride, n, d, w, g, n_groups, cells, room)
    elif kind == cnp.NPY_FLOAT:
        with nogil:
            status = scatter_f32(<float *> data, row_stride, column_stride, n, d, w, g, n_groups, cells, room)
    else:
        raise TypeError(f"X must be float32 or float64, not {X.dtype}")
    check(status)
    return table


def scatter_once(cnp.ndarray X not None, cnp.ndarray codes not None, cnp.ndarray table not None, Py_ssize_t first,
                 Py_ssize_t last):
    """Write the cells of some groups into the table of grouped rows, which are read once; say whether that was right.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64, any strides
    codes : ndarray of shape (n,), intp, C-contiguous
    table : ndarray of shape (6 or 4, n_groups, d), float64, C-contiguous
        As `zeros` has it.
    first, last : int
        The groups from first to before last are learned and written.

    Returns
    -------
    done : bool
        False where values are infinite, or so large that squares may overflow, or X is very wide: take `scatter`; the
        table is spoiled then.
    """
    cdef Py_ssize_t n_groups, size = cnp.PyArray_ITEMSIZE(X)
    cdef bint with_extremes = table.shape[0] == N_ROWS
    if X.ndim != 2 or table.ndim != 3 or table.shape[0] not in (4, N_ROWS) or table.shape[2] != X.shape[1] \
            or cnp.PyArray_TYPE(table) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY(table):
        raise ValueError("table must have the width of X")
    n_groups = table.shape[1]
    if not 0 <= first <= last <= n_groups:
        raise ValueError("the table must have the groups asked for")
    if cnp.PyArray_TYPE(codes) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(codes) or codes.size != X.shape[0]:
        raise ValueError("codes must be n contiguous intp")
    X = whole_strides(X)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0) // size, column_stride = cnp.PyArray_STRIDE(X, 1) // size
    cdef char *data = <char *> cnp.PyArray_DATA(X)
    cdef const intptr_t *g = <const intptr_t *> cnp.PyArray_DATA(codes)
    cdef double *cells = <double *> cnp.PyArray_DATA(table)
    cdef int kind = cnp.PyArray_TYPE(X), status
    cdef size_t n = X.shape[0], d = X.shape[1], from_group = first, to_group = last
    if n == 0 or d == 0 or first == last:
        return True
    if kind == cnp.NPY_DOUBLE:
        with nogil:
            status = scatter_once_f64(
                <double *> data, row_stride, column_stride, n, d, g, n_groups, from_group, to_group, with_extremes,
                cells
            )
    elif kind == cnp.NPY_FLOAT:
        with nogil:
            status = scatter_once_f32(
                <float *> data, row_stride, column_stride, n, d, g, n_groups, from_group, to_group, with_extremes,
                cells
            )
    else:
        raise TypeError(f"X must be float32 or float64, not {X.dtype}")
    if status == SKNORM_AGAIN:
        return False
    check(status)
    return True


def merge(cnp.ndarray a not None, cnp.ndarray b not None, int first_row):
    """Return the table of the rows of both.

    Parameters
    ----------
    a, b : ndarray of shape (n_rows, n_groups, d), float64, C-contiguous
        The same rows of two tables.
    first_row : int
        Which of the six rows comes first: 0 (mean, low, m2, count and, if there are six, minimum and maximum) or 3
        (count, minimum, maximum).
    """
    cdef Py_ssize_t n_rows = a.shape[0]
    if a.ndim != 3 or b.ndim != 3 or b.shape[0] != n_rows or a.shape[1] != b.shape[1] or a.shape[2] != b.shape[2] \
            or not (first_row == 0 and n_rows in (4, 6) or first_row == 3 and n_rows == 3) \
            or cnp.PyArray_TYPE(a) != cnp.NPY_DOUBLE or cnp.PyArray_TYPE(b) != cnp.NPY_DOUBLE \
            or not cnp.PyArray_IS_C_CONTIGUOUS(b):
        raise ValueError("tables must be contiguous and of one shape")
    cdef cnp.ndarray merged = cnp.PyArray_NewCopy(a, cnp.NPY_CORDER)
    cdef size_t n_cells = a.shape[1] * a.shape[2]
    cdef double *into = <double *> cnp.PyArray_DATA(merged)
    cdef const double *other = <const double *> cnp.PyArray_DATA(b)
    with nogil:
        if first_row == 0:
            merge_moments(into, other, n_cells)
        if n_rows != 4:
            merge_extremes(into + (n_rows - 3) * n_cells, other + (n_rows - 3) * n_cells, n_cells, first_row != 0)
    return merged


def overflows(cnp.ndarray table not None, int first_row, double ddof=0.0):
    """Say whether a mean, an m2, a variance, a count or a range of values that are all finite is not."""
    cdef Py_ssize_t n_rows = table.shape[0], n_cells = table.shape[1] * table.shape[2]
    cdef const double *data = <const double *> cnp.PyArray_DATA(table)
    if not cnp.PyArray_IS_C_CONTIGUOUS(table):
        raise ValueError("table must be contiguous")
    return table_overflows(data, n_rows, n_cells, first_row == 0, n_rows != 4, ddof) != 0


def variance(cnp.ndarray table not None, double ddof):
    """Return m2 / (count − ddof) of shape (n_groups, d): 0 where ddof leaves no freedom, NaN without a value."""
    if table.ndim != 3 or table.shape[0] < 4 or not cnp.PyArray_IS_C_CONTIGUOUS(table):
        raise ValueError("table must be contiguous and hold the moments")
    cdef Py_ssize_t n_cells = table.shape[1] * table.shape[2], i
    cdef cnp.ndarray out = cnp.PyArray_SimpleNew(2, cnp.PyArray_DIMS(table) + 1, cnp.NPY_DOUBLE)
    cdef double *variances = <double *> cnp.PyArray_DATA(out)
    cdef const double *m2 = <const double *> cnp.PyArray_DATA(table) + ROW_M2 * n_cells
    cdef const double *count = <const double *> cnp.PyArray_DATA(table) + ROW_COUNT * n_cells
    for i in range(n_cells):
        if count[i] > ddof and count[i] > 0:
            variances[i] = m2[i] / (count[i] - ddof)
        else:
            variances[i] = 0.0 if count[i] > 0 else np_nan
    return out
