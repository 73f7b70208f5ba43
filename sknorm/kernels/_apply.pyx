"""Apply a program of elementwise stages to a table."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport intptr_t

cnp.import_array()

cdef extern from "apply.h" nogil:
    enum:
        FENCE
        DIVIDE
        MULTIPLY
        CLIP
        SQUASH
        UNSQUASH
        PARAMETERS
    int apply_f64(
        double *y, ptrdiff_t y_row, ptrdiff_t y_column, const double *x, ptrdiff_t x_row, ptrdiff_t x_column,
        size_t n, size_t d, const int *kinds, const double *parameters, size_t n_stages, size_t n_groups,
        const intptr_t *codes
    )
    int apply_f32(
        float *y, ptrdiff_t y_row, ptrdiff_t y_column, const float *x, ptrdiff_t x_row, ptrdiff_t x_column,
        size_t n, size_t d, const int *kinds, const double *parameters, size_t n_stages, size_t n_groups,
        const intptr_t *codes
    )

STAGE_FENCE, STAGE_DIVIDE, STAGE_MULTIPLY, STAGE_CLIP = FENCE, DIVIDE, MULTIPLY, CLIP
STAGE_SQUASH, STAGE_UNSQUASH = SQUASH, UNSQUASH
N_PARAMETERS = PARAMETERS


cdef class Program:
    """Stages and their parameters, ready to be applied.

    Parameters
    ----------
    kinds : sequence of int
        A sum of the first four constants, done in this order, or one of the last two: FENCE x < g to i, x > h to j,
        DIVIDE (x − a)/b, MULTIPLY x·c + d, CLIP to [e, f], SQUASH e·x/√(x² + e²), UNSQUASH its inverse.
        What is infinite in X is an error, after the first stage's FENCE if it has one.
    parameters : ndarray of shape (n_stages, 10, n_groups, d), float64
        a to j of every stage.
    """

    cdef cnp.ndarray kinds, parameters

    def __init__(self, kinds, parameters):
        self.kinds = np.array(kinds, dtype=np.intc)
        self.parameters = np.ascontiguousarray(parameters, dtype=np.float64)
        if self.parameters.ndim != 4 or self.parameters.shape[0] != len(kinds) \
                or self.parameters.shape[1] != PARAMETERS:
            raise ValueError("parameters must be of shape (n_stages, 10, n_groups, d)")

    def per_value(self):
        """Return the program for one column of values whose codes are their cells."""
        return Program(self.kinds, self.parameters.reshape(len(self.kinds), PARAMETERS, -1, 1))

    def __call__(self, cnp.ndarray X not None, cnp.ndarray out not None, Py_ssize_t start, Py_ssize_t stop,
                 cnp.ndarray codes=None):
        """Apply the program to the rows from start to stop, and say whether all values were finite or NaN.

        Parameters
        ----------
        X, out : ndarray of shape (n, d), both float32 or both float64, any strides
            `out` may be X itself, but must not overlap it otherwise.
        start, stop : int
            The rows.
        codes : ndarray of shape (n,), intp, C-contiguous, or None
            The group of each row.

        Returns
        -------
        finite : bool
            False if an infinity was met; what `out` holds then is undefined.
        """
        if X.ndim != 2 or out.ndim != 2 or X.shape[0] != out.shape[0] or X.shape[1] != out.shape[1] \
                or X.shape[1] != self.parameters.shape[3] or not 0 <= start <= stop <= X.shape[0]:
            raise ValueError("X and out must have the program's width and hold the rows asked for")
        cdef int kind = cnp.PyArray_TYPE(X), status
        if (kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT) or cnp.PyArray_TYPE(out) != kind:
            raise TypeError(f"X and out must both be float32 or float64, not {X.dtype} and {out.dtype}")
        if not cnp.PyArray_ISWRITEABLE(out):
            raise ValueError("output array is read-only")
        cdef const intptr_t *groups = NULL
        if codes is not None:
            if cnp.PyArray_TYPE(codes) != cnp.NPY_INTP or not cnp.PyArray_IS_C_CONTIGUOUS(codes) \
                    or codes.size != X.shape[0]:
                raise ValueError("codes must be n contiguous intp")
            groups = <const intptr_t *> cnp.PyArray_DATA(codes) + start
        cdef ptrdiff_t size = cnp.PyArray_ITEMSIZE(X)
        cdef ptrdiff_t x_row = cnp.PyArray_STRIDE(X, 0), x_column = cnp.PyArray_STRIDE(X, 1)
        cdef ptrdiff_t y_row = cnp.PyArray_STRIDE(out, 0), y_column = cnp.PyArray_STRIDE(out, 1)
        if x_row % size or x_column % size or y_row % size or y_column % size \
                or not cnp.PyArray_ISALIGNED(X) or not cnp.PyArray_ISALIGNED(out):
            copy = np.array(X)
            finite = self(copy, copy, start, stop, codes)
            out[start:stop] = copy[start:stop]
            return finite
        cdef char *x = <char *> cnp.PyArray_DATA(X) + start * x_row
        cdef char *y = <char *> cnp.PyArray_DATA(out) + start * y_row
        cdef size_t n = stop - start, d = X.shape[1], n_stages = self.parameters.shape[0]
        cdef size_t n_groups = self.parameters.shape[2]
        cdef const int *kinds = <const int *> cnp.PyArray_DATA(self.kinds)
        cdef const double *parameters = <const double *> cnp.PyArray_DATA(self.parameters)
        if n == 0 or d == 0:
            return True
        with nogil:
            if kind == cnp.NPY_DOUBLE:
                status = apply_f64(
                    <double *> y, y_row // size, y_column // size, <const double *> x, x_row // size, x_column // size,
                    n, d, kinds, parameters, n_stages, n_groups, groups
                )
            else:
                status = apply_f32(
                    <float *> y, y_row // size, y_column // size, <const float *> x, x_row // size, x_column // size,
                    n, d, kinds, parameters, n_stages, n_groups, groups
                )
        if status == 2:
            raise MemoryError
        if status == 3:
            raise IndexError("a group's code lies outside range(n_groups)")
        return status == 0
