"""Learn from rows of many groups in their order, forget, and scale each with what was known of its group before it."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, intptr_t

from sknorm.kernels._stream cimport C_Rule, Rule

from sknorm.kernels._moments import Infinite
from sknorm.kernels._stream import Overflow

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

cnp.import_array()

cdef extern from "groups.h" nogil:
    enum:
        SKNORM_OK
        SKNORM_INFINITE
        SKNORM_NO_MEMORY
        SKNORM_BAD_CODE
        SKNORM_OVERFLOW
        SKNORM_UNSEEN
        LEAST_POWER
        MOST_POWER
        N_ROWS
    ctypedef struct Policy:
        int unseen
        double min_samples, smooth
        ptrdiff_t all, other
    ctypedef struct C_Groups "Groups":
        const C_Rule *rule
        Policy policy
        size_t n_groups, d
        int first_row, last_row, moments, extremes
        double half_life
        size_t window, length, n_panes
        double *table
        double *phase
        double *pane_weight
        double *weight
        int64_t *seen
    double *POWERS
    int read_groups(C_Groups *s, double *table)
    int follow_groups_f64(
        C_Groups *s, const double *x, ptrdiff_t x_row, ptrdiff_t x_column, double *y, ptrdiff_t y_row,
        ptrdiff_t y_column, size_t n, const intptr_t *codes, const double *weights, size_t *done
    )
    int follow_groups_f32(
        C_Groups *s, const float *x, ptrdiff_t x_row, ptrdiff_t x_column, float *y, ptrdiff_t y_row,
        ptrdiff_t y_column, size_t n, const intptr_t *codes, const double *weights, size_t *done
    )

cdef int _power
for _power in range(LEAST_POWER, MOST_POWER + 1):
    POWERS[_power - LEAST_POWER] = float(f"1e{_power}")

UNSEEN = ("global", "nan", "passthrough", "error")


class Unseen(Exception):
    """The row ``args[0]`` is of a group that was not seen before."""


cdef void *data_of(cnp.ndarray array, int kind, Py_ssize_t size, str name) except NULL:
    """Return where an array's data lie, which are written."""
    if array is None or cnp.PyArray_TYPE(array) != kind or not cnp.PyArray_ISCARRAY(array) or array.size != size:
        raise ValueError(f"{name} must be {size} contiguous writeable values of its type")
    return cnp.PyArray_DATA(array)


cdef class Groups:
    """How the past of every group counts: whole, by half-life, or by a window; and the state, which is written.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_groups * n_panes, d), float64, C-contiguous
        The statistic's rows, the panes of a group one after another (one without a window).
    first_row : int
        Which of the six rows comes first.
    weight : ndarray of shape (n_groups,), float64
        The weight of the rows of every group so far.
    half_life : float
        Values after which a value's weight has halved; 0 for no such forgetting.
    phase : ndarray of shape (n_groups, d), float64, or None
        How many values ago the weight of the newest was 1; −1 before the first.
    window, length : int
        Rows in the window (0 for none) and in a pane.
    seen : ndarray of shape (n_groups,), int64, or None
        Rows so far.
    pane_weight : ndarray of shape (n_groups, n_panes), float64, or None
        The weight of the rows in every pane.
    """

    cdef C_Groups groups
    cdef readonly cnp.ndarray table, weight, phase, seen, pane_weight

    def __cinit__(self, cnp.ndarray table not None, int first_row, cnp.ndarray weight not None, *,
                  double half_life=0.0, cnp.ndarray phase=None, Py_ssize_t window=0, Py_ssize_t length=0,
                  cnp.ndarray seen=None, cnp.ndarray pane_weight=None):
        if table.ndim != 3 or first_row < 0 or first_row + table.shape[0] > N_ROWS:
            raise ValueError("table must hold rows of a statistic")
        if half_life < 0 or window < 0 or half_life > 0 and window > 0 or window > 0 and length < 1:
            raise ValueError("half_life and window must not be negative, and one of them 0")
        cdef Py_ssize_t n_rows = table.shape[0], d = table.shape[2], n_groups = weight.size
        cdef Py_ssize_t n_panes = 1 + (window + length - 1) // length if window > 0 else 1
        if (n_groups + 2.0) * (n_panes + 2.0) * (N_ROWS + 12.0) * (d + 4.0) * sizeof(double) > PY_SSIZE_T_MAX:
            raise MemoryError
        if table.shape[1] != n_groups * n_panes:
            raise ValueError("the table must have a column for each pane of each group")
        self.table, self.weight = table, weight
        self.groups.table = <double *> data_of(table, cnp.NPY_DOUBLE, n_rows * n_groups * n_panes * d, "table")
        self.groups.weight = <double *> data_of(weight, cnp.NPY_DOUBLE, n_groups, "weight")
        self.groups.n_groups = n_groups
        self.groups.d = d
        self.groups.first_row = first_row
        self.groups.last_row = first_row + n_rows
        self.groups.moments = first_row == 0
        self.groups.extremes = first_row + n_rows == N_ROWS
        self.groups.half_life = half_life
        self.groups.window = window
        self.groups.length = length
        self.groups.n_panes = n_panes
        self.groups.policy.all = self.groups.policy.other = -1
        if half_life > 0:
            self.phase = phase
            self.groups.phase = <double *> data_of(phase, cnp.NPY_DOUBLE, n_groups * d, "phase")
        if window > 0:
            self.seen, self.pane_weight = seen, pane_weight
            self.groups.seen = <int64_t *> data_of(seen, cnp.NPY_INT64, n_groups, "seen")
            self.groups.pane_weight = <double *> data_of(
                pane_weight, cnp.NPY_DOUBLE, n_groups * n_panes, "pane_weight"
            )
            if n_groups and seen.min() < 0:
                raise ValueError("seen must not be negative")

    def read(self):
        """Return the table of what is known now, of shape (n_rows, n_groups, d)."""
        cdef cnp.npy_intp[3] shape = [self.table.shape[0], self.groups.n_groups, self.groups.d]
        cdef cnp.ndarray out = cnp.PyArray_SimpleNew(3, shape, cnp.NPY_DOUBLE)
        if read_groups(&self.groups, <double *> cnp.PyArray_DATA(out)) != SKNORM_OK:
            raise MemoryError
        return out

    def follow(self, cnp.ndarray X not None, cnp.ndarray codes not None, cnp.ndarray weights=None, Rule rule=None,
               cnp.ndarray out=None, *, Py_ssize_t all=-1, Py_ssize_t other=-1, str unseen="global",
               double min_samples=1.0, double smooth=0.0):
        """Take rows one after another, writing them into the state and, scaled, into ``out``.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64, any strides
        codes : ndarray of shape (n,), intp, C-contiguous
            The group of each row; −1 for none.
        weights : ndarray of shape (n,), float64, C-contiguous, or None
        rule : Rule, or None
            How rows are scaled; None only learns.
        out : ndarray like X, or None
            May be X itself.
        all, other : int
            The groups of all rows, which every row is learned into, and of folded ones; −1 for none.
        unseen : {"global", "nan", "passthrough", "error"}
            What becomes of a row whose group weighs nothing yet, or less than ``min_samples``.
        min_samples : float
        smooth : float
            How many values the group of all rows is worth beside a group's own; less than 0 for "auto".

        Raises
        ------
        Infinite
            X holds an infinity. The state is spoiled, ``out`` undefined; so for the others.
        Overflow
            With a rule: what it reads overflows.
        Unseen
            With a rule and ``unseen="error"``.
        """
        cdef int kind = cnp.PyArray_TYPE(X), status
        cdef Py_ssize_t n_groups = self.groups.n_groups
        if X.ndim != 2 or <size_t> X.shape[1] != self.groups.d or (kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT):
            raise ValueError("X must be float32 or float64 and have the state's width")
        if not cnp.PyArray_ISNOTSWAPPED(X):
            raise ValueError("X must be of the native byte order")
        if (rule is None) != (out is None) or rule is not None and all < 0 \
                or not -1 <= all < n_groups or not -1 <= other < n_groups:
            raise ValueError("a rule goes with an output and with a group of all rows")
        cdef const double *w = NULL
        if weights is not None:
            if cnp.PyArray_TYPE(weights) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(weights) \
                    or weights.size != X.shape[0]:
                raise ValueError("weights must be n contiguous float64")
            w = <const double *> cnp.PyArray_DATA(weights)
        if cnp.PyArray_TYPE(codes) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(codes) or codes.size != X.shape[0]:
            raise ValueError("codes must be n contiguous intp")
        cdef const intptr_t *g = <const intptr_t *> cnp.PyArray_DATA(codes)
        cdef ptrdiff_t size = cnp.PyArray_ITEMSIZE(X)
        cdef cnp.ndarray target = X if out is None else out
        if cnp.PyArray_TYPE(target) != kind or target.ndim != 2 or target.shape[0] != X.shape[0] \
                or target.shape[1] != X.shape[1] or not cnp.PyArray_ISNOTSWAPPED(target) \
                or out is not None and not cnp.PyArray_ISWRITEABLE(out):
            raise ValueError("out must be a writeable array like X")
        cdef ptrdiff_t x_row = cnp.PyArray_STRIDE(X, 0), x_column = cnp.PyArray_STRIDE(X, 1)
        cdef ptrdiff_t y_row = cnp.PyArray_STRIDE(target, 0), y_column = cnp.PyArray_STRIDE(target, 1)
        if x_row % size or x_column % size or y_row % size or y_column % size \
                or not cnp.PyArray_ISALIGNED(X) or not cnp.PyArray_ISALIGNED(target):
            whole = np.array(X)
            self.follow(
                whole, codes, weights, rule, None if out is None else whole, all=all, other=other, unseen=unseen,
                min_samples=min_samples, smooth=smooth
            )
            if out is not None:
                out[...] = whole
            return
        self.groups.rule = NULL
        if rule is not None:
            rule.check_rows(self.groups.first_row, self.groups.last_row)
            self.groups.rule = &rule.rule
        self.groups.policy.unseen = UNSEEN.index(unseen)
        self.groups.policy.min_samples = min_samples
        self.groups.policy.smooth = smooth
        self.groups.policy.all = all
        self.groups.policy.other = other
        cdef char *x = <char *> cnp.PyArray_DATA(X)
        cdef char *y = <char *> cnp.PyArray_DATA(target)
        cdef size_t n = X.shape[0], done = 0
        if n == 0 or self.groups.d == 0:
            return
        with nogil:
            if kind == cnp.NPY_DOUBLE:
                status = follow_groups_f64(
                    &self.groups, <const double *> x, x_row // size, x_column // size, <double *> y, y_row // size,
                    y_column // size, n, g, w, &done
                )
            else:
                status = follow_groups_f32(
                    &self.groups, <const float *> x, x_row // size, x_column // size, <float *> y, y_row // size,
                    y_column // size, n, g, w, &done
                )
        self.groups.rule = NULL
        if status == SKNORM_INFINITE:
            raise Infinite
        if status == SKNORM_OVERFLOW:
            raise Overflow(done)
        if status == SKNORM_UNSEEN:
            raise Unseen(done)
        if status == SKNORM_BAD_CODE:
            raise IndexError("a group's code lies outside range(n_groups)")
        if status == SKNORM_NO_MEMORY:
            raise MemoryError
