"""Columns sorted, counted and collected; sketches merged and read."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, intptr_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

import numpy as np

cimport numpy as cnp

cnp.import_array()

cdef extern from "quantiles_select.h" nogil:
    ctypedef struct sknorm_buffer:
        double *item
        ptrdiff_t n
        ptrdiff_t capacity

    ctypedef struct sknorm_tally:
        int64_t valid
        double minimum
        double maximum

    ctypedef struct sknorm_brackets:
        const double *low
        const double *high
        const double *threshold
        const double *centre
        const int64_t *offset
        const int64_t *threshold_offset
        int64_t *above
        int64_t *threshold_above
        sknorm_tally *tally
        sknorm_buffer *kept

    uint64_t sknorm_mix(uint64_t)
    void sknorm_gather(const char *, ptrdiff_t, int, ptrdiff_t, double *)
    void sknorm_gather_sample(
        const char *, ptrdiff_t, ptrdiff_t, int, ptrdiff_t, ptrdiff_t, int, uint64_t, double *
    )
    ptrdiff_t sknorm_sort_valid(double *, ptrdiff_t, int *)
    int sknorm_count_rows(const char *, ptrdiff_t, ptrdiff_t, int, ptrdiff_t, ptrdiff_t, const sknorm_brackets *)


cdef int is_single(cnp.ndarray X) except -1:
    """Return whether X is a matrix of float32; raise if it is not of float64 either."""
    cdef int kind = cnp.PyArray_TYPE(X)
    if kind != cnp.NPY_FLOAT and kind != cnp.NPY_DOUBLE or cnp.PyArray_NDIM(X) != 2 or not cnp.PyArray_ISNOTSWAPPED(X):
        raise TypeError("X must be a matrix of native float32 or float64.")
    return kind == cnp.NPY_FLOAT


cdef class Count:
    """What one pass over some rows counted and collected, column by column."""

    cdef sknorm_buffer *kept
    cdef readonly Py_ssize_t n_columns
    cdef readonly object above, threshold_above, valid, minimum, maximum

    def __cinit__(self, Py_ssize_t n_columns):
        self.n_columns = n_columns
        self.kept = <sknorm_buffer *> PyMem_Calloc(max(n_columns, 1), sizeof(sknorm_buffer))
        if self.kept is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef Py_ssize_t column
        if self.kept is not NULL:
            for column in range(self.n_columns):
                free(self.kept[column].item)
            PyMem_Free(self.kept)


def count_rows(
    cnp.ndarray X not None,
    const double[::1] low,
    const double[::1] high,
    const int64_t[::1] offset,
    const double[::1] threshold,
    const int64_t[::1] threshold_offset,
    const double[::1] sample_min,
    const double[::1] sample_max,
    const double[::1] centre=None,
):
    """Count, for every bracket [low, high) and threshold of a column, the values from it on; keep what is inside.

    Column f has the brackets ``offset[f]:offset[f + 1]``, a multiple of three and not none, and the thresholds
    ``threshold_offset[f]:threshold_offset[f + 1]``. With a centre, |x - centre| is counted instead of x. The extremes
    of a sample save most blocks the search for theirs.
    """
    cdef int single = is_single(X)
    cdef Py_ssize_t n_rows = cnp.PyArray_DIM(X, 0), n_columns = cnp.PyArray_DIM(X, 1), column
    cdef const char *data = <const char *> cnp.PyArray_DATA(X)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0), column_stride = cnp.PyArray_STRIDE(X, 1)
    cdef Count count = Count(n_columns)
    cdef sknorm_brackets brackets
    cdef sknorm_tally *tally = <sknorm_tally *> PyMem_Calloc(max(n_columns, 1), sizeof(sknorm_tally))
    cdef int64_t[::1] above = np.zeros(low.shape[0], np.int64)
    cdef int64_t[::1] threshold_above = np.zeros(threshold.shape[0], np.int64)
    cdef int64_t[::1] valid = np.empty(n_columns, np.int64)
    cdef double[::1] minimum = np.empty(n_columns), maximum = np.empty(n_columns)
    cdef int failed = 0
    if tally is NULL:
        raise MemoryError
    with nogil:
        for column in range(n_columns):
            tally[column].minimum = sample_min[column]
            tally[column].maximum = sample_max[column]
        if n_rows and n_columns:
            brackets.low = &low[0]
            brackets.high = &high[0]
            brackets.offset = &offset[0]
            brackets.above = &above[0]
            brackets.threshold = NULL
            brackets.threshold_above = NULL
            if threshold.shape[0]:
                brackets.threshold = &threshold[0]
                brackets.threshold_above = &threshold_above[0]
            brackets.threshold_offset = &threshold_offset[0]
            brackets.centre = NULL
            if centre is not None:
                brackets.centre = &centre[0]
            brackets.tally = tally
            brackets.kept = count.kept
            failed = sknorm_count_rows(data, row_stride, column_stride, single, n_rows, n_columns, &brackets)
        for column in range(n_columns):
            valid[column] = tally[column].valid
            minimum[column] = tally[column].minimum
            maximum[column] = tally[column].maximum
    PyMem_Free(tally)
    if failed:
        raise MemoryError
    count.above = np.asarray(above)
    count.threshold_above = np.asarray(threshold_above)
    count.valid = np.asarray(valid)
    count.minimum = np.asarray(minimum)
    count.maximum = np.asarray(maximum)
    return count


def take_kept(list counts, Py_ssize_t column):
    """Return, sorted, what several counts kept of one column, and free it there."""
    cdef Count count
    cdef Py_ssize_t total = 0
    cdef int infinite
    for count in counts:
        total += count.kept[column].n
    cdef double[::1] out = np.empty(total)
    total = 0
    for count in counts:
        if count.kept[column].n:
            memcpy(&out[total], count.kept[column].item, count.kept[column].n * sizeof(double))
            total += count.kept[column].n
        free(count.kept[column].item)
        count.kept[column].item = NULL
        count.kept[column].n = count.kept[column].capacity = 0
    with nogil:
        total = sknorm_sort_valid(&out[0], total, &infinite) if total else 0
    if total < 0:
        raise MemoryError
    return np.asarray(out)


def sort_columns(
    cnp.ndarray X not None, double[:, ::1] out, int64_t[::1] n_valid, double[::1] low=None, double[::1] high=None
):
    """Write the sorted values of each column of X to a row of out, NaN last; return whether all are finite.

    ``low`` and ``high`` get the extremes of the columns that have a value.
    """
    cdef int single = is_single(X)
    cdef Py_ssize_t column, n = cnp.PyArray_DIM(X, 0), n_columns = cnp.PyArray_DIM(X, 1)
    cdef const char *data = <const char *> cnp.PyArray_DATA(X)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0), column_stride = cnp.PyArray_STRIDE(X, 1)
    cdef int infinite, any_infinite = 0
    cdef ptrdiff_t valid = 0
    with nogil:
        for column in range(n_columns):
            n_valid[column] = 0
            if n == 0:
                continue
            sknorm_gather(data + column * column_stride, row_stride, single, n, &out[column, 0])
            valid = sknorm_sort_valid(&out[column, 0], n, &infinite)
            if valid < 0:
                break
            any_infinite |= infinite
            n_valid[column] = valid
            if low is not None and valid:
                low[column] = out[column, 0]
                high[column] = out[column, valid - 1]
    if valid < 0:
        raise MemoryError
    return not any_infinite


def sort_sample(cnp.ndarray X not None, int h, uint64_t seed, double[:, ::1] out, int64_t[::1] n_valid):
    """Do as ``sort_columns`` for one seeded random row from each run of 2^h rows."""
    cdef int single = is_single(X)
    cdef Py_ssize_t column, n_columns = cnp.PyArray_DIM(X, 1)
    cdef const char *data = <const char *> cnp.PyArray_DATA(X)
    cdef ptrdiff_t row_stride = cnp.PyArray_STRIDE(X, 0), column_stride = cnp.PyArray_STRIDE(X, 1)
    cdef int infinite
    cdef ptrdiff_t valid = 0
    with nogil:
        sknorm_gather_sample(
            data, row_stride, column_stride, single, out.shape[1], n_columns, h, seed, &out[0, 0]
        )
        for column in range(n_columns):
            valid = sknorm_sort_valid(&out[column, 0], out.shape[1], &infinite)
            if valid < 0:
                break
            n_valid[column] = valid
    if valid < 0:
        raise MemoryError


cdef extern from "quantiles_sketch.h" nogil:
    ctypedef struct sknorm_cell:
        const double *item
        const double *weight
        ptrdiff_t n
        int level
        int exact
        uint64_t state

    ctypedef struct sknorm_sketch:
        pass

    double sknorm_interpolate(double, double, double, int)
    void sknorm_sketch_init(sknorm_sketch *, int64_t)
    void sknorm_sketch_free(sknorm_sketch *)
    ptrdiff_t sknorm_merge_cells(
        sknorm_sketch *, const sknorm_cell *, const sknorm_cell *, double *, double *, unsigned char *, uint64_t *
    )
    int sknorm_read_cell(sknorm_sketch *, const sknorm_cell *, const double *, ptrdiff_t, double *, ptrdiff_t, double *)


cdef extern from "quantiles_groups.h" nogil:
    enum:
        SKNORM_NO_ROOM
        SKNORM_NOT_FINITE

    ctypedef struct sknorm_rows:
        const char *data
        ptrdiff_t row_stride
        ptrdiff_t column_stride
        ptrdiff_t n_rows
        ptrdiff_t n_columns
        int is_float
        const double *weight

    ctypedef struct sknorm_runs:
        double *item
        double *weight
        int64_t *start
        int64_t *length
        double *count
        double *low
        double *high

    ptrdiff_t sknorm_order_rows(const intptr_t *, const double *, ptrdiff_t, ptrdiff_t, int64_t *, int64_t *)
    int sknorm_sort_cells(const sknorm_rows *, const int64_t *, const int64_t *, ptrdiff_t, sknorm_runs *)


def seed_cells(uint64_t seed, Py_ssize_t n_cells, Py_ssize_t first=0):
    """Return the random states that so many empty cells start from, the first of which has this number."""
    cdef uint64_t[::1] state = np.empty(n_cells, np.uint64)
    cdef Py_ssize_t cell
    for cell in range(n_cells):
        state[cell] = sknorm_mix(sknorm_mix(seed) + <uint64_t> (first + cell))
    return np.asarray(state)


def seed_panes(const int64_t[:, ::1] panes, Py_ssize_t n_features):
    """Return the random states (n_groups, n_panes, n_features) of panes; one group's are those of ``seed_cells``."""
    cdef Py_ssize_t n_groups = panes.shape[0], n_panes = panes.shape[1], group, pane, feature
    cdef uint64_t[:, :, ::1] state = np.empty((n_groups, n_panes, n_features), np.uint64)
    cdef uint64_t seed
    with nogil:
        for group in range(n_groups):
            for pane in range(n_panes):
                seed = sknorm_mix(<uint64_t> panes[group, pane])
                for feature in range(n_features):
                    state[group, pane, feature] = sknorm_mix(seed + <uint64_t> (group * n_features + feature))
    return np.asarray(state)


def order_rows(const intptr_t[::1] codes, const double[::1] weights, Py_ssize_t n_samples, Py_ssize_t n_groups):
    """Return the rows of positive weight, group by group and as they come within one, and where each group ends.

    Without codes every row is of group 0.

    Raises
    ------
    IndexError
        If a code lies outside ``range(n_groups)``.
    """
    if codes is not None and codes.shape[0] != n_samples or weights is not None and weights.shape[0] != n_samples:
        raise ValueError("codes and weights must be as many as the rows")
    cdef int64_t[::1] order = np.empty(n_samples, np.int64)
    cdef int64_t[::1] end = np.zeros(n_groups, np.int64)
    cdef ptrdiff_t n = 0
    with nogil:
        if n_samples:
            n = sknorm_order_rows(
                &codes[0] if codes is not None else NULL, &weights[0] if weights is not None else NULL, n_samples,
                n_groups, &order[0], &end[0] if n_groups else NULL,
            )
    if n < 0:
        raise IndexError("a group's code lies outside range(n_groups)")
    return np.asarray(order)[:n], np.asarray(end)


def sort_cells(
    cnp.ndarray X not None, const double[::1] weights, const intptr_t[::1] codes, Py_ssize_t n_groups
):
    """Return the sorted values of every cell: (items, weights, starts, lengths, count, low, high); None for infinity.

    Cell ``group * n_features + feature`` holds ``items[start:start + length]``; equal ones keep the order of their
    rows. NaN and rows of weight 0 are left out. ``count``, ``low`` and ``high`` have the shape
    ``(n_groups, n_features)``; weights are None where none were given.

    Raises
    ------
    IndexError
        If a code lies outside ``range(n_groups)``.
    """
    cdef sknorm_rows rows
    cdef sknorm_runs runs
    rows.is_float = is_single(X)
    rows.n_rows = cnp.PyArray_DIM(X, 0)
    rows.n_columns = cnp.PyArray_DIM(X, 1)
    rows.data = <const char *> cnp.PyArray_DATA(X)
    rows.row_stride = cnp.PyArray_STRIDE(X, 0)
    rows.column_stride = cnp.PyArray_STRIDE(X, 1)
    rows.weight = &weights[0] if weights is not None and rows.n_rows else NULL
    ordered, ends = order_rows(codes, weights, rows.n_rows, n_groups)
    shape = (n_groups, rows.n_columns)
    cdef cnp.ndarray order = ordered, end = ends
    cdef cnp.ndarray items = np.empty(order.size * rows.n_columns)
    cdef cnp.ndarray out_weights = None if weights is None else np.empty(order.size * rows.n_columns)
    cdef cnp.ndarray starts = np.empty(n_groups * rows.n_columns, np.int64), lengths = np.empty_like(starts)
    cdef cnp.ndarray count = np.empty(shape), low = np.full(shape, np.inf), high = np.full(shape, -np.inf)
    runs.item = <double *> cnp.PyArray_DATA(items)
    runs.weight = <double *> cnp.PyArray_DATA(out_weights) if weights is not None else NULL
    runs.start = <int64_t *> cnp.PyArray_DATA(starts)
    runs.length = <int64_t *> cnp.PyArray_DATA(lengths)
    runs.count = <double *> cnp.PyArray_DATA(count)
    runs.low = <double *> cnp.PyArray_DATA(low)
    runs.high = <double *> cnp.PyArray_DATA(high)
    cdef const int64_t *row = <const int64_t *> cnp.PyArray_DATA(order)
    cdef const int64_t *stop = <const int64_t *> cnp.PyArray_DATA(end)
    cdef int status
    with nogil:
        status = sknorm_sort_cells(&rows, row, stop, n_groups, &runs)
    if status == SKNORM_NO_ROOM:
        raise MemoryError
    if status == SKNORM_NOT_FINITE:
        return None
    return items, out_weights, starts, lengths, count, low, high


def copy_ranges(
    const double[::1] source,
    const int64_t[::1] starts,
    const int64_t[::1] lengths,
    double[::1] target,
    const int64_t[::1] places,
):
    """Copy ``source[start:start + length]`` to ``target[place:place + length]`` for each start, length and place.

    Raises
    ------
    IndexError
        If a range lies outside the arrays; what stands before it has been copied.
    """
    cdef Py_ssize_t n = lengths.shape[0], i
    cdef int64_t room = source.shape[0], target_room = target.shape[0], length
    cdef bint inside = True
    if starts.shape[0] != n or places.shape[0] != n:
        raise ValueError("starts, lengths and places must be as many")
    with nogil:
        for i in range(n):
            length = lengths[i]
            if length == 0:
                continue
            inside = (
                length > 0 and starts[i] >= 0 and places[i] >= 0
                and length <= room and starts[i] <= room - length
                and length <= target_room and places[i] <= target_room - length
            )
            if not inside:
                break
            memcpy(&target[places[i]], &source[starts[i]], <size_t> length * sizeof(double))
    if not inside:
        raise IndexError("a range lies outside the array")


cdef void *data_of(cnp.ndarray array, int kind) except? NULL:
    # A tenth of what a memoryview costs, which counts for batches of one row.
    if cnp.PyArray_TYPE(array) != kind or not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise TypeError("The arrays of a sketch are contiguous and of the type it made them.")
    return cnp.PyArray_DATA(array)


def merge_cells(
    int64_t k,
    cnp.ndarray items not None,
    cnp.ndarray weights not None,
    cnp.ndarray offsets not None,
    cnp.ndarray exact not None,
    cnp.ndarray state not None,
    cnp.ndarray other_items not None,
    cnp.ndarray other_weights,
    cnp.ndarray other_starts not None,
    cnp.ndarray other_lengths not None,
    cnp.ndarray other_exact,
    cnp.ndarray other_state not None,
    bint runs_exact=True,
    int level=0,
):
    """Return the cells (items, weights, offsets, exact, state) of a sketch merged with sorted runs or other cells.

    ``other_weights`` None stands for runs of items that weigh ``2**level`` each, ``other_exact`` None for runs that
    are all the values (``runs_exact``) or a sample.
    """
    cdef Py_ssize_t n_cells = cnp.PyArray_SIZE(offsets) - 1, cell, room = 0, n = 0, n_a, n_b
    if not n_cells == exact.size == state.size == other_starts.size == other_lengths.size == other_state.size \
            or other_exact is not None and other_exact.size != n_cells:
        raise ValueError("cells to be merged must be as many")
    cdef bint weighted = other_weights is not None
    cdef double *item = <double *> data_of(items, cnp.NPY_DOUBLE)
    cdef double *weight = <double *> data_of(weights, cnp.NPY_DOUBLE)
    cdef int64_t *offset = <int64_t *> data_of(offsets, cnp.NPY_INT64)
    cdef unsigned char *is_exact = <unsigned char *> data_of(exact, cnp.NPY_UINT8)
    cdef uint64_t *random = <uint64_t *> data_of(state, cnp.NPY_UINT64)
    cdef double *other_item = <double *> data_of(other_items, cnp.NPY_DOUBLE)
    cdef double *other_weight = <double *> data_of(other_weights, cnp.NPY_DOUBLE) if weighted else NULL
    cdef int64_t *start = <int64_t *> data_of(other_starts, cnp.NPY_INT64)
    cdef int64_t *length = <int64_t *> data_of(other_lengths, cnp.NPY_INT64)
    cdef unsigned char *other_is_exact = NULL
    cdef uint64_t *other_random = <uint64_t *> data_of(other_state, cnp.NPY_UINT64)
    cdef sknorm_sketch sketch
    cdef sknorm_cell a, b
    cdef cnp.npy_intp size
    cdef ptrdiff_t written = 0
    if other_exact is not None:
        other_is_exact = <unsigned char *> data_of(other_exact, cnp.NPY_UINT8)
    # A merged cell holds no more than the total capacity of a sketch of 63 levels, nor more than the items of both,
    # of which one from an exact cell may become as many as its weight has binary digits.
    for cell in range(n_cells):
        n_a = offset[cell + 1] - offset[cell]
        n_b = length[cell]
        b.exact = runs_exact if other_is_exact is NULL else other_is_exact[cell]
        if n_b == 0 or is_exact[cell] and b.exact and n_a + n_b <= 3 * k:
            room += n_a + n_b
        else:
            room += min(n_a * (63 if is_exact[cell] else 1) + n_b * (63 if b.exact and weighted else 1), 3 * k + 9 * 63)
    size = room
    cdef cnp.ndarray out_items = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_DOUBLE)
    cdef cnp.ndarray out_weights = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_DOUBLE)
    size = n_cells + 1
    cdef cnp.ndarray out_offsets = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_INT64)
    cdef cnp.ndarray out_exact = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(exact), cnp.PyArray_DIMS(exact), cnp.NPY_UINT8)
    cdef cnp.ndarray out_state = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(state), cnp.PyArray_DIMS(state), cnp.NPY_UINT64)
    cdef double *to_item = <double *> cnp.PyArray_DATA(out_items)
    cdef double *to_weight = <double *> cnp.PyArray_DATA(out_weights)
    cdef int64_t *to_offset = <int64_t *> cnp.PyArray_DATA(out_offsets)
    cdef unsigned char *to_exact = <unsigned char *> cnp.PyArray_DATA(out_exact)
    cdef uint64_t *to_state = <uint64_t *> cnp.PyArray_DATA(out_state)
    with nogil:
        sknorm_sketch_init(&sketch, k)
        to_offset[0] = 0
        for cell in range(n_cells):
            a.n = offset[cell + 1] - offset[cell]
            a.item = item + offset[cell]
            a.weight = weight + offset[cell]
            a.level = 0
            a.exact = is_exact[cell]
            a.state = random[cell]
            b.n = length[cell]
            b.item = other_item + start[cell]
            b.weight = other_weight + start[cell] if weighted else NULL
            b.level = level
            b.exact = runs_exact if other_is_exact is NULL else other_is_exact[cell]
            b.state = other_random[cell]
            written = sknorm_merge_cells(&sketch, &a, &b, to_item + n, to_weight + n, to_exact + cell, to_state + cell)
            if written < 0:
                break
            n += written
            to_offset[cell + 1] = n
        sknorm_sketch_free(&sketch)
    if written == -1:
        raise MemoryError
    if written < 0:
        raise ValueError("The sum of sample_weight must stay below 2**62.")
    if n < room:
        # A view keeps the whole room alive: copy where that is much more.
        out_items, out_weights = out_items[:n], out_weights[:n]
        if n + n // 4 + 64 < room:
            out_items, out_weights = out_items.copy(), out_weights.copy()
    return out_items, out_weights, out_offsets, out_exact, out_state


def fold_cells(
    int64_t k,
    const double[::1] items,
    const double[::1] weights,
    const int64_t[::1] offsets,
    const unsigned char[:, :, ::1] exact,
    const uint64_t[:, :, ::1] state,
):
    """Return the cells (items, weights, offsets, exact, state) that the panes (n_groups, n_panes, n_features) make.

    Each is what ``merge_cells`` makes of the panes of a group, one after the other.
    """
    cdef Py_ssize_t n_groups = exact.shape[0], n_panes = exact.shape[1], n_features = exact.shape[2]
    cdef Py_ssize_t group, pane, feature, cell, at = 0, filled, room = 0, most = 0, own, n
    cdef bint all_exact
    cdef int turn
    if offsets.shape[0] != n_groups * n_panes * n_features + 1 or state.shape[0] != n_groups \
            or state.shape[1] != n_panes or state.shape[2] != n_features or not n_panes \
            or offsets[0] < 0 or items.shape[0] != weights.shape[0] or offsets[offsets.shape[0] - 1] > items.shape[0]:
        raise ValueError("panes must fill groups")
    # As in merge_cells; one pane alone is copied as it is.
    for group in range(n_groups):
        for feature in range(n_features):
            own, filled, n, all_exact = 0, 0, 0, True
            for pane in range(n_panes):
                cell = (group * n_panes + pane) * n_features + feature
                if offsets[cell + 1] < offsets[cell]:
                    raise ValueError("offsets must not fall")
                if offsets[cell + 1] == offsets[cell]:
                    continue
                filled += 1
                n += offsets[cell + 1] - offsets[cell]
                own += (offsets[cell + 1] - offsets[cell]) * (63 if exact[group, pane, feature] else 1)
                all_exact &= exact[group, pane, feature]
            if filled > 1:
                own = n if all_exact and n <= 3 * k else min(own, 3 * k + 9 * 63)
                most = max(most, own)
            else:
                own = n
            room += own
    out_items, out_weights = np.empty(room), np.empty(room)
    cdef double[::1] to_item = out_items, to_weight = out_weights
    cdef double[:, ::1] item_room = np.empty((2, max(most, 1))), weight_room = np.empty((2, max(most, 1)))
    cdef int64_t[::1] to_offset = np.zeros(n_groups * n_features + 1, np.int64)
    cdef unsigned char[:, ::1] to_exact = np.ones((n_groups, n_features), np.uint8)
    cdef uint64_t[:, ::1] to_state = np.empty((n_groups, n_features), np.uint64)
    cdef sknorm_sketch sketch
    cdef sknorm_cell a, b
    cdef unsigned char merged_exact
    cdef uint64_t merged_state
    cdef ptrdiff_t written = 0
    with nogil:
        sknorm_sketch_init(&sketch, k)
        for group in range(n_groups):
            for feature in range(n_features):
                a.n = a.level = b.level = turn = 0
                a.exact = 1
                a.state = state[group, 0, feature]
                for pane in range(n_panes):
                    cell = (group * n_panes + pane) * n_features + feature
                    b.n = offsets[cell + 1] - offsets[cell]
                    if b.n == 0:
                        continue
                    b.item = &items[offsets[cell]]
                    b.weight = &weights[offsets[cell]]
                    b.exact = exact[group, pane, feature]
                    b.state = state[group, pane, feature]
                    if a.n == 0:
                        a = b
                        continue
                    written = sknorm_merge_cells(
                        &sketch, &a, &b, &item_room[turn, 0], &weight_room[turn, 0], &merged_exact, &merged_state
                    )
                    if written < 0:
                        break
                    a.item = &item_room[turn, 0]
                    a.weight = &weight_room[turn, 0]
                    a.n = written
                    a.exact = merged_exact
                    a.state = merged_state
                    turn = 1 - turn
                if written < 0:
                    break
                if a.n:
                    memcpy(&to_item[at], a.item, a.n * sizeof(double))
                    memcpy(&to_weight[at], a.weight, a.n * sizeof(double))
                at += a.n
                to_exact[group, feature] = <unsigned char> a.exact
                to_state[group, feature] = a.state
                to_offset[group * n_features + feature + 1] = at
            if written < 0:
                break
        sknorm_sketch_free(&sketch)
    if written == -1:
        raise MemoryError
    if written < 0:
        raise ValueError("The sum of sample_weight must stay below 2**62.")
    if at + at // 4 + 64 < room:
        out_items, out_weights = out_items[:at].copy(), out_weights[:at].copy()
    return out_items[:at], out_weights[:at], np.asarray(to_offset), np.asarray(to_exact), np.asarray(to_state)


def read_cells(
    const double[::1] items,
    const double[::1] weights,
    const int64_t[::1] starts,
    const int64_t[::1] lengths,
    const unsigned char[::1] exact,
    const double[::1] probabilities,
    bint with_mad,
):
    """Return the quantiles (probabilities, cells) and the MAD (cells,) of cells or of sorted runs."""
    cdef Py_ssize_t n_cells = lengths.shape[0], cell
    cdef double[:, ::1] quantiles = np.empty((max(probabilities.shape[0], 1), max(n_cells, 1)))
    cdef double[::1] mad = np.empty(max(n_cells, 1))
    cdef sknorm_sketch sketch
    cdef sknorm_cell a
    cdef int failed = 0
    with nogil:
        sknorm_sketch_init(&sketch, 8)
        for cell in range(n_cells):
            a.n = lengths[cell]
            a.item = &items[0] + starts[cell]
            a.weight = NULL
            if weights is not None:
                a.weight = &weights[0] + starts[cell]
            a.exact = exact[cell]
            failed = sknorm_read_cell(
                &sketch, &a, &probabilities[0] if probabilities.shape[0] else NULL, probabilities.shape[0],
                &quantiles[0, cell], quantiles.shape[1], &mad[cell] if with_mad else NULL,
            )
            if failed:
                break
        sknorm_sketch_free(&sketch)
    if failed:
        raise MemoryError
    return np.asarray(quantiles)[:probabilities.shape[0], :n_cells], np.asarray(mad)[:n_cells] if with_mad else None


def interpolate(double low, double high, double t, bint is_median):
    """Return the value at t between two neighbouring order statistics, as NumPy does to the last bit."""
    return sknorm_interpolate(low, high, t, is_median)
