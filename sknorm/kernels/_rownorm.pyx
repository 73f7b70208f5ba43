"""Normalize rows by the mean and the variance of their own blocks of columns."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport intptr_t

cnp.import_array()

cdef extern from "rownorm.h" nogil:
    int rownorm_f64(
        double *y, ptrdiff_t y_row, ptrdiff_t y_column, const double *x, ptrdiff_t x_row, ptrdiff_t x_column,
        size_t n, const intptr_t *ends, size_t n_blocks, double eps, const double *gain, const double *shift
    )
    int rownorm_f32(
        float *y, ptrdiff_t y_row, ptrdiff_t y_column, const float *x, ptrdiff_t x_row, ptrdiff_t x_column,
        size_t n, const intptr_t *ends, size_t n_blocks, double eps, const double *gain, const double *shift
    )


cdef class Program:
    """Blocks and their parameters, ready to be applied.

    Parameters
    ----------
    ends : ndarray of shape (n_blocks,), intp
        The column after the last one of every block, increasing from 1 at least.
    eps : float
        What is added to the variance, 0 or more.
    gain, shift : ndarray of shape (1, d), float64, or None
        What the result is multiplied by, and what is added to it then.
    """

    cdef cnp.ndarray ends, gain, shift
    cdef double eps
    cdef Py_ssize_t width

    def __init__(self, ends, double eps, gain=None, shift=None):
        self.ends = np.array(ends, dtype=np.intp)
        self.eps = eps
        increasing = self.ends.ndim == 1 and len(ends) and (self.ends[1:] > self.ends[:len(ends) - 1]).all()
        if not increasing or self.ends[0] < 1 or not eps >= 0:
            raise ValueError("ends must increase from 1 at least, and eps must be 0 or more")
        self.width = ends[len(ends) - 1]
        self.gain = self.shift = None
        if gain is not None or shift is not None:
            shape = (self.width,)
            self.gain = np.ones(shape) if gain is None else np.array(gain, np.float64).reshape(shape)
            self.shift = np.zeros(shape) if shift is None else np.array(shift, np.float64).reshape(shape)

    def __call__(self, cnp.ndarray X not None, cnp.ndarray out not None, Py_ssize_t start, Py_ssize_t stop, codes=None):
        """Normalize the rows from start to stop, and say whether all values were finite or NaN.

        Parameters
        ----------
        X, out : ndarray of shape (n, d), both float32 or both float64, any strides
            `out` may be X itself, but must not overlap it otherwise.
        start, stop : int
            The rows.
        codes : None
            There are no groups.

        Returns
        -------
        finite : bool
            False if an infinity was met; what `out` holds then is undefined.
        """
        if X.ndim != 2 or out.ndim != 2 or X.shape[0] != out.shape[0] or X.shape[1] != out.shape[1] \
                or X.shape[1] != self.width or not 0 <= start <= stop <= X.shape[0] or codes is not None:
            raise ValueError("X and out must have the program's width and hold the rows asked for, without codes")
        cdef int kind = cnp.PyArray_TYPE(X), status
        if (kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT) or cnp.PyArray_TYPE(out) != kind:
            raise TypeError(f"X and out must both be float32 or float64, not {X.dtype} and {out.dtype}")
        if not cnp.PyArray_ISWRITEABLE(out):
            raise ValueError("output array is read-only")
        cdef ptrdiff_t size = cnp.PyArray_ITEMSIZE(X)
        cdef ptrdiff_t x_row = cnp.PyArray_STRIDE(X, 0), x_column = cnp.PyArray_STRIDE(X, 1)
        cdef ptrdiff_t y_row = cnp.PyArray_STRIDE(out, 0), y_column = cnp.PyArray_STRIDE(out, 1)
        if x_row % size or x_column % size or y_row % size or y_column % size \
                or not cnp.PyArray_ISALIGNED(X) or not cnp.PyArray_ISALIGNED(out):
            copy = np.array(X)
            finite = self(copy, copy, start, stop)
            out[start:stop] = copy[start:stop]
            return finite
        cdef char *x = <char *> cnp.PyArray_DATA(X) + start * x_row
        cdef char *y = <char *> cnp.PyArray_DATA(out) + start * y_row
        cdef size_t n = stop - start, n_blocks = self.ends.shape[0]
        cdef const intptr_t *ends = <const intptr_t *> cnp.PyArray_DATA(self.ends)
        cdef const double *gain = NULL
        cdef const double *shift = NULL
        if self.gain is not None:
            gain = <const double *> cnp.PyArray_DATA(self.gain)
            shift = <const double *> cnp.PyArray_DATA(self.shift)
        with nogil:
            if kind == cnp.NPY_DOUBLE:
                status = rownorm_f64(
                    <double *> y, y_row // size, y_column // size, <const double *> x, x_row // size, x_column // size,
                    n, ends, n_blocks, self.eps, gain, shift
                )
            else:
                status = rownorm_f32(
                    <float *> y, y_row // size, y_column // size, <const float *> x, x_row // size, x_column // size,
                    n, ends, n_blocks, self.eps, gain, shift
                )
        if status == 2:
            raise MemoryError
        return status == 0
