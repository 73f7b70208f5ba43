"""Learn from rows in their order, forget, and scale each with what was known before it."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

from sknorm.kernels._moments import Infinite

cnp.import_array()

cdef extern from "stream.h" nogil:
    enum:
        SKNORM_OK
        SKNORM_INFINITE
        SKNORM_NO_MEMORY
        SKNORM_OVERFLOW
        LEAST_POWER
        MOST_POWER
        N_ROWS
        CENTRE_MEAN
        CENTRE_MIN
        SCALE_STD
    ctypedef struct Fields:
        double *mean
        double *low
        double *m2
        double *n
        double *min
        double *max
    ctypedef struct Stream:
        const C_Rule *rule
        int moments, extremes
        double half_life
        size_t window, length, n_panes, seen
        double *pane_weight
    ctypedef struct State:
        double *table
        double *phase
        size_t d
        int first_row, last_row
    double *POWERS
    int exponent_of(double value)
    void derive_table(const C_Rule *rule, Fields f, size_t w, double constant, double *centre, double *scale)
    int read_state(Stream *s, State state, double *table)
    int follow_f64(
        Stream *s, const double *x, ptrdiff_t x_row, ptrdiff_t x_column, double *y, ptrdiff_t y_row, ptrdiff_t y_column,
        size_t n, const double *weights, State state, size_t *done
    )
    int follow_f32(
        Stream *s, const float *x, ptrdiff_t x_row, ptrdiff_t x_column, float *y, ptrdiff_t y_row, ptrdiff_t y_column,
        size_t n, const double *weights, State state, size_t *done
    )

cdef int _power
for _power in range(LEAST_POWER, MOST_POWER + 1):
    POWERS[_power - LEAST_POWER] = float(f"1e{_power}")

CENTRES = ("none", "mean", "min")
SCALES = ("none", "std", "range", "max_abs", "power")
BOUNDS = ("none", "hard", "soft")


class Overflow(Exception):
    """What was learned overflows; ``args[0]`` rows and no more are sure to come before."""


def exponents(max_abs):
    """Return the smallest j with max_abs/10^j < 1 in double, at most 308; 0 where max_abs is 0 or NaN."""
    cdef cnp.ndarray values = np.ascontiguousarray(max_abs, dtype=np.float64)
    cdef cnp.ndarray out = np.empty(max_abs.shape, dtype=np.int64)
    cdef const double *value = <const double *> cnp.PyArray_DATA(values)
    cdef cnp.int64_t *exponent = <cnp.int64_t *> cnp.PyArray_DATA(out)
    cdef Py_ssize_t i
    for i in range(values.size):
        exponent[i] = exponent_of(value[i])
    return out


cdef cnp.ndarray doubles(cnp.ndarray array, Py_ssize_t size, str name, bint written):
    cdef bint plain = cnp.PyArray_ISCARRAY(array) if written else cnp.PyArray_ISCARRAY_RO(array)
    if not plain or cnp.PyArray_TYPE(array) != cnp.NPY_DOUBLE or array.size != size:
        raise ValueError(f"{name} must be {size} contiguous{' writeable' if written else ''} float64")
    return array


cdef class Rule:
    """What a scaler makes of counts, moments and extremes: y = (x − centre)/scale · gain + shift, then a bound.

    Parameters
    ----------
    centre : {"none", "mean", "min"}
    scale : {"none", "std", "range", "max_abs", "power"}
        The standard deviation, the range, the largest absolute value or the power of ten above it; 1 for a constant.
    ddof : float
        Of the standard deviation.
    gain, shift : float
        The same for all columns.
    """

    def __cinit__(self, str centre="none", str scale="none", *, double ddof=0.0, double gain=1.0, double shift=0.0):
        self.rule.centre = CENTRES.index(centre)
        self.rule.scale = SCALES.index(scale)
        self.rule.bound = 0
        self.rule.ddof = ddof
        self.rule.gain = gain
        self.rule.shift = shift
        self.rule.gained = gain != 1 or shift != 0
        self.rule.low = self.rule.high = 0

    cdef int check_rows(self, int first, int last) except -1:
        """Raise where the rule reads rows of a statistic that are not kept."""
        cdef bint moments = self.rule.centre == CENTRE_MEAN or self.rule.scale == SCALE_STD
        cdef bint extremes = self.rule.centre == CENTRE_MIN or self.rule.scale > SCALE_STD
        if moments and first != 0 or extremes and last != N_ROWS:
            raise ValueError("the rule reads rows that the statistic does not keep")
        return 0

    @property
    def gain(self):
        """The factor."""
        return self.rule.gain

    @property
    def shift(self):
        """What is added."""
        return self.rule.shift

    def bounded(self, str kind, double low, double high):
        """Return the rule with a "hard" bound [low, high], or a "soft" one, high; "none" for none."""
        cdef Rule other = Rule()
        other.rule = self.rule
        other.rule.bound = BOUNDS.index(kind)
        other.rule.low = low
        other.rule.high = high
        return other

    def derive(self, cnp.ndarray table not None, int first_row, double constant=1.0):
        """Return centre and scale of every cell, NaN without a value; None where the rule has none of it.

        Parameters
        ----------
        table : ndarray of shape (n_rows, n_groups, d), float64, C-contiguous
            The statistic's rows.
        first_row : int
            Which of the six rows comes first.
        constant : float
            The scale of a constant.
        """
        cdef Py_ssize_t n_rows = table.shape[0], n_cells
        if table.ndim != 3 or first_row < 0 or first_row + n_rows > N_ROWS:
            raise ValueError("table must hold rows of a statistic")
        n_cells = table.shape[1] * table.shape[2]
        doubles(table, n_rows * n_cells, "table", False)
        self.check_rows(first_row, first_row + n_rows)
        cdef cnp.ndarray centre = cnp.PyArray_SimpleNew(2, cnp.PyArray_DIMS(table) + 1, cnp.NPY_DOUBLE)
        cdef cnp.ndarray scale = cnp.PyArray_SimpleNew(2, cnp.PyArray_DIMS(table) + 1, cnp.NPY_DOUBLE)
        cdef double *data = <double *> cnp.PyArray_DATA(table)
        cdef double *rows[6]
        cdef int row
        for row in range(6):
            rows[row] = data + (row - first_row) * n_cells if first_row <= row < first_row + n_rows else NULL
        cdef Fields f
        f.mean, f.low, f.m2, f.n, f.min, f.max = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
        derive_table(
            &self.rule, f, n_cells, constant, <double *> cnp.PyArray_DATA(centre), <double *> cnp.PyArray_DATA(scale)
        )
        return (centre if self.rule.centre else None), (scale if self.rule.scale else None)


cdef class Past:
    """How the past counts: whole, by half-life, or by a window; and the state that goes with it, to be written.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_panes, d), float64, C-contiguous
        The statistic's rows, a group for each pane (one without a window).
    first_row : int
        Which of the six rows comes first.
    half_life : float
        Values after which a value's weight has halved; 0 for no such forgetting.
    phase : ndarray of shape (1, d), float64, C-contiguous, or None
        How many values ago the weight of the newest was 1; −1 before the first.
    window, length, seen : int
        Rows in the window (0 for none), in a pane, and so far.
    pane_weight : ndarray of shape (n_panes,), float64, C-contiguous, or None
        The weight of the rows in every pane.
    """

    cdef Stream stream
    cdef State state
    cdef readonly cnp.ndarray table, phase, pane_weight

    def __cinit__(self, cnp.ndarray table not None, int first_row, *, double half_life=0.0,
                  cnp.ndarray phase=None, Py_ssize_t window=0, Py_ssize_t length=0, Py_ssize_t seen=0,
                  cnp.ndarray pane_weight=None):
        if table.ndim != 3 or first_row < 0 or first_row + table.shape[0] > N_ROWS:
            raise ValueError("table must hold rows of a statistic")
        cdef Py_ssize_t n_rows = table.shape[0], n_panes = table.shape[1], d = table.shape[2]
        self.table = doubles(table, n_rows * n_panes * d, "table", True)
        if (4.0 + 2.0 * n_panes) * N_ROWS * (d + 4.0) * sizeof(double) > PY_SSIZE_T_MAX:
            raise MemoryError
        self.state.table = <double *> cnp.PyArray_DATA(table)
        self.state.d = d
        self.state.first_row = first_row
        self.state.last_row = first_row + n_rows
        self.stream.rule = NULL
        self.stream.moments = first_row == 0
        self.stream.extremes = first_row + n_rows == N_ROWS
        self.stream.half_life = half_life
        self.stream.window = window
        self.state.phase = NULL
        self.stream.pane_weight = NULL
        if half_life < 0 or window < 0 or half_life > 0 and window > 0:
            raise ValueError("half_life and window must not be negative, and one of them 0")
        if half_life > 0:
            self.phase = doubles(phase, d, "phase", True)
            self.state.phase = <double *> cnp.PyArray_DATA(phase)
        if window > 0:
            if length < 1 or seen < 0 or n_panes != 1 + (window + length - 1) // length:
                raise ValueError("the table must have a group for each pane")
            self.pane_weight = doubles(pane_weight, n_panes, "pane_weight", True)
            self.stream.pane_weight = <double *> cnp.PyArray_DATA(pane_weight)
            self.stream.length = length
            self.stream.n_panes = n_panes
            self.stream.seen = seen
        elif n_panes != 1:
            raise ValueError("table must have one group")

    @property
    def seen(self):
        """The number of rows so far."""
        return self.stream.seen

    def read(self):
        """Return the table of what is known now, of shape (n_rows, 1, d)."""
        cdef cnp.npy_intp[3] shape = [self.state.last_row - self.state.first_row, 1, self.state.d]
        cdef cnp.ndarray out = cnp.PyArray_SimpleNew(3, shape, cnp.NPY_DOUBLE)
        if read_state(&self.stream, self.state, <double *> cnp.PyArray_DATA(out)) != SKNORM_OK:
            raise MemoryError
        return out

    def follow(self, cnp.ndarray X not None, cnp.ndarray weights=None, Rule rule=None, cnp.ndarray out=None):
        """Take rows one after another, writing them into the state and, scaled, into ``out``.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64, any strides
        weights : ndarray of shape (n,), float64, C-contiguous, or None
        rule : Rule, or None
            How rows are scaled; None only learns.
        out : ndarray like X, or None
            May be X itself.

        Raises
        ------
        Infinite
            X holds an infinity. The state is spoiled, ``out`` undefined.
        Overflow
            With a rule: what it reads overflows. The state is spoiled, ``out`` undefined.
        """
        cdef int kind = cnp.PyArray_TYPE(X), status
        cdef const double *w = NULL
        if X.ndim != 2 or <size_t> X.shape[1] != self.state.d:
            raise ValueError("X must have the state's width")
        if kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT:
            raise TypeError(f"X must be float32 or float64, not {X.dtype}")
        if not cnp.PyArray_ISNOTSWAPPED(X):
            raise ValueError("X must be of the native byte order")
        if weights is not None:
            w = <const double *> cnp.PyArray_DATA(doubles(weights, X.shape[0], "weights", False))
        if (rule is None) != (out is None):
            raise ValueError("a rule goes with an output")
        if rule is not None:
            if cnp.PyArray_TYPE(out) != kind or out.ndim != 2 or out.shape[0] != X.shape[0] \
                    or out.shape[1] != X.shape[1] or not cnp.PyArray_ISWRITEABLE(out) \
                    or not cnp.PyArray_ISNOTSWAPPED(out):
                raise ValueError("out must be a writeable array like X")
        cdef ptrdiff_t size = cnp.PyArray_ITEMSIZE(X)
        cdef cnp.ndarray target = X if out is None else out
        cdef ptrdiff_t x_row = cnp.PyArray_STRIDE(X, 0), x_column = cnp.PyArray_STRIDE(X, 1)
        cdef ptrdiff_t y_row = cnp.PyArray_STRIDE(target, 0), y_column = cnp.PyArray_STRIDE(target, 1)
        if x_row % size or x_column % size or y_row % size or y_column % size \
                or not cnp.PyArray_ISALIGNED(X) or not cnp.PyArray_ISALIGNED(target):
            whole = np.array(X)
            self.follow(whole, weights, rule, None if out is None else whole)
            if out is not None:
                out[...] = whole
            return
        if rule is not None:
            rule.check_rows(self.state.first_row, self.state.last_row)
        self.stream.rule = &rule.rule if rule is not None else NULL
        cdef char *x = <char *> cnp.PyArray_DATA(X)
        cdef char *y = <char *> cnp.PyArray_DATA(target)
        cdef size_t n = X.shape[0], done = 0
        if n == 0 or self.state.d == 0:
            return
        with nogil:
            if kind == cnp.NPY_DOUBLE:
                status = follow_f64(
                    &self.stream, <const double *> x, x_row // size, x_column // size, <double *> y, y_row // size,
                    y_column // size, n, w, self.state, &done
                )
            else:
                status = follow_f32(
                    &self.stream, <const float *> x, x_row // size, x_column // size, <float *> y, y_row // size,
                    y_column // size, n, w, self.state, &done
                )
        self.stream.rule = NULL
        if status == SKNORM_INFINITE:
            raise Infinite
        if status == SKNORM_OVERFLOW:
            raise Overflow(done)
        if status == SKNORM_NO_MEMORY:
            raise MemoryError
