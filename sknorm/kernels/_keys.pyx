"""Keys as numbers: the columns of a batch, and the integers that are known so far."""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from libc.math cimport isnan
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, intptr_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

cnp.import_array()

cdef extern from "Python.h":
    object PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    bint PyUnicode_CheckExact(object)
    bint PyLong_CheckExact(object)
    bint PyFloat_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

cdef extern from "keys.h" nogil:
    enum:
        KEYS_BLOCK
        KEYS_OK
    uint64_t KEYS_SECRET
    void SKNORM_PREFETCH(const void *)
    ctypedef struct IntegerTable:
        int64_t *keys
        uint32_t *slots
        size_t n
        unsigned bits
    ctypedef struct IntegerColumn:
        const char *data
        ptrdiff_t stride
        int kind
        const uint8_t *absent
    ctypedef struct Numbered:
        intptr_t *codes
        int own
        intptr_t missing
        int64_t *keys
        size_t n
    void find_integers(const IntegerTable *t, const int64_t *keys, size_t n, intptr_t *codes)
    size_t add_integers(IntegerTable *t, const int64_t *keys, size_t n)
    void remove_integers(IntegerTable *t, size_t n)
    int range_of(const IntegerColumn *c, size_t n, int64_t *least, int64_t *most)
    int number_dense(const IntegerColumn *c, size_t n, int64_t low, size_t width, Numbered *out)
    int number_hashed(const IntegerColumn *c, size_t n, Numbered *out)
    int whole_numbers(const double *x, size_t n, int64_t *keys, uint8_t *absent, int *any)
    int bits_of(const double *x, size_t n, int64_t *keys, uint8_t *absent)

cdef extern from "text_keys.h" nogil:
    ctypedef struct TextTable:
        uint64_t *slots
        uint64_t *hashes
        size_t n
        unsigned bits
    ctypedef struct TextColumn:
        const char *data
        const void *offsets
        int wide
        size_t size
        const uint8_t *absent
    void free_texts(TextTable *t)
    int make_room(TextTable *t, size_t more)
    int number_strings(const TextColumn *c, size_t n, Numbered *out, int64_t **first)

cdef extern from "text_keys.h":
    uint64_t hash_of_string(PyObject *text)
    size_t probe_string(const TextTable *t, PyObject *keys, PyObject *text, uint64_t hash)
    void approach_string(const TextTable *t, PyObject *keys, uint64_t hash)
    void append_text(TextTable *t, size_t slot, uint64_t hash)
    void append_other(TextTable *t)

# As secret as the hashes of strings, and as repeatable: PYTHONHASHSEED says so.
KEYS_SECRET = (<uint64_t> <int64_t> hash("sknorm.kernels._keys")) * 2 + 1


cdef cnp.ndarray codes_for(Py_ssize_t n):
    cdef cnp.npy_intp length = n
    return cnp.PyArray_SimpleNew(1, &length, cnp.NPY_INTP)


cdef cnp.ndarray copied(const void *data, Py_ssize_t n):
    """Return n integers of 64 bits as an array."""
    cdef cnp.npy_intp length = n
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(1, &length, cnp.NPY_INT64)
    if n:
        memcpy(cnp.PyArray_DATA(array), data, n * sizeof(int64_t))
    return array


cdef const uint8_t *marks(cnp.ndarray absent, Py_ssize_t n) except? NULL:
    """Return the flags of the rows without a key, NULL for none."""
    if absent is None:
        return NULL
    if cnp.PyArray_TYPE(absent) != cnp.NPY_BOOL or not cnp.PyArray_IS_C_CONTIGUOUS(absent) or absent.size != n:
        raise ValueError("absent must be n contiguous booleans")
    return <const uint8_t *> cnp.PyArray_DATA(absent)


def number_integers(cnp.ndarray values not None, cnp.ndarray absent, bint own):
    """Return the number of every row's key, the keys, and the number of the missing key.

    Parameters
    ----------
    values : ndarray of shape (n,), any integer dtype or bool, any stride
        The keys. uint64 are read by their bits, as int64.
    absent : ndarray of shape (n,), bool, C-contiguous, or None
        The rows whose key is missing.
    own : bool
        Whether missing keys have a number of their own.

    Returns
    -------
    codes : ndarray of shape (n,), intp
        0, 1, … in order of first appearance; −1 for missing keys that have no number.
    keys : ndarray of shape (m,), int64
        The keys; 0 in the place of the missing one.
    missing : int
        The missing key's number, −1 if there is none.
    """
    if values.ndim != 1 or values.descr.kind not in b"iub" or not values.dtype.isnative:
        raise ValueError("values must be integers of one dimension")
    if not cnp.PyArray_ISALIGNED(values):
        values = values.copy()
    cdef size_t n = values.shape[0]
    cdef IntegerColumn column
    column.data = <const char *> cnp.PyArray_DATA(values)
    column.stride = cnp.PyArray_STRIDE(values, 0) if n > 1 else cnp.PyArray_ITEMSIZE(values)
    column.kind = cnp.PyArray_ITEMSIZE(values) * (1 if values.descr.kind == c"i" else -1)
    column.absent = marks(absent, n)
    cdef cnp.ndarray codes = codes_for(n)
    cdef Numbered out = Numbered(<intptr_t *> cnp.PyArray_DATA(codes), own, -1, NULL, 0)
    cdef int64_t low = 0, high = 0
    cdef uint64_t width
    cdef int status
    with nogil:
        if range_of(&column, n, &low, &high):
            width = <uint64_t> high - <uint64_t> low
        else:
            width = 0
        if width < 4 * n + 64 and width < <uint64_t> 0xFFFFFFF0:
            status = number_dense(&column, n, low, width + 1, &out)
        else:
            status = number_hashed(&column, n, &out)
    try:
        if status != KEYS_OK:
            raise MemoryError
        return codes, copied(out.keys, out.n), out.missing
    finally:
        free(out.keys)


def integers_of_floats(cnp.ndarray values not None, bint whole):
    """Return float64 as int64 and the rows that are NaN, None if no row is.

    Parameters
    ----------
    values : ndarray of shape (n,), float64, C-contiguous
    whole : bool
        By value, None unless all are whole numbers of at most 53 bits; otherwise by their bits, −0 as 0.
    """
    if values.ndim != 1 or cnp.PyArray_TYPE(values) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(values):
        raise ValueError("values must be contiguous float64 of one dimension")
    cdef cnp.npy_intp n = values.shape[0]
    cdef cnp.ndarray keys = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    cdef cnp.ndarray absent = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_BOOL)
    cdef const double *x = <const double *> cnp.PyArray_DATA(values)
    cdef int64_t *key = <int64_t *> cnp.PyArray_DATA(keys)
    cdef uint8_t *flag = <uint8_t *> cnp.PyArray_DATA(absent)
    cdef int any_absent = 0, good = 1
    with nogil:
        if whole:
            good = whole_numbers(x, n, key, flag, &any_absent)
        else:
            any_absent = bits_of(x, n, key, flag)
    return (keys, absent if any_absent else None) if good else None


def integers_of_objects(cnp.ndarray values not None):
    """Return an object array of Python integers as int64, None if one is something else or too large."""
    if values.ndim != 1 or cnp.PyArray_TYPE(values) != cnp.NPY_OBJECT or not cnp.PyArray_ISALIGNED(values):
        raise ValueError("values must be aligned objects of one dimension")
    cdef cnp.npy_intp n = values.shape[0], i
    cdef cnp.ndarray keys = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    cdef int64_t *key = <int64_t *> cnp.PyArray_DATA(keys)
    cdef const char *data = <const char *> cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    cdef PyObject *item
    cdef int overflow = 0
    for i in range(n):
        item = (<PyObject **> (data + i * stride))[0]
        if i + 16 < n:
            SKNORM_PREFETCH((<PyObject **> (data + (i + 16) * stride))[0])
        if item == NULL or not PyLong_CheckExact(<object> item):
            return None
        key[i] = PyLong_AsLongLongAndOverflow(<object> item, &overflow)
        if overflow:
            return None
    return keys


def number_objects(cnp.ndarray values not None, bint own, plain, canonical):
    """Return the number of every row's key, the keys, and those that are no strings with their numbers.

    Parameters
    ----------
    values : ndarray of shape (n,), object, any stride
        The keys.
    own : bool
        Whether missing keys (None, NaN, what `canonical` says) have a number of their own.
    plain : set of types
        Hashable keys of just these types are as they should be.
    canonical : callable
        Returns any other key as it should be, None if it is missing.

    Returns
    -------
    codes : ndarray of shape (n,), intp
        0, 1, … in order of first appearance; −1 for missing keys that have no number.
    keys : list
        The keys.
    others : dict
        The keys that are no strings, and their numbers.
    """
    if values.ndim != 1 or cnp.PyArray_TYPE(values) != cnp.NPY_OBJECT or not cnp.PyArray_ISALIGNED(values):
        raise ValueError("values must be aligned objects of one dimension")
    cdef Py_ssize_t n = values.shape[0], start, count, i
    cdef cnp.ndarray codes = codes_for(n)
    cdef intptr_t *code = <intptr_t *> cnp.PyArray_DATA(codes)
    cdef const char *data = <const char *> cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    cdef list keys = []
    cdef dict others = {}
    cdef TextTable table = TextTable(NULL, NULL, 0, 0)
    cdef PyObject *rows[KEYS_BLOCK]
    cdef uint64_t hashes[KEYS_BLOCK]
    cdef Py_ssize_t held = 0
    cdef object key, number
    try:
        for start in range(0, n, KEYS_BLOCK):
            count = min(n - start, <Py_ssize_t> KEYS_BLOCK)
            if make_room(&table, count) != KEYS_OK:
                raise MemoryError
            for i in range(count):
                rows[i] = (<PyObject **> (data + (start + i) * stride))[0]
                SKNORM_PREFETCH(rows[i])
            for i in range(count):
                # Held, since Python runs below, and may change the array.
                Py_XINCREF(rows[i])
                held += 1
                hashes[i] = 0
                if rows[i] != NULL and PyUnicode_CheckExact(<object> rows[i]):
                    hashes[i] = hash_of_string(rows[i])
                    SKNORM_PREFETCH(table.slots + (hashes[i] >> (64 - table.bits)))
            for i in range(count):
                if hashes[i]:
                    approach_string(&table, <PyObject *> keys, hashes[i])
            for i in range(count):
                if hashes[i]:
                    code[start + i] = number_string(&table, keys, <object> rows[i], hashes[i])
                    continue
                key = <object> rows[i] if rows[i] != NULL else None
                if PyFloat_CheckExact(key):
                    key = None if isnan(<double> key) else key if <double> key else 0.0
                elif key is not None and type(key) not in plain:
                    key = canonical(key)
                    if PyUnicode_CheckExact(key):
                        code[start + i] = number_string(&table, keys, key, hash_of_string(<PyObject *> key))
                        continue
                if key is None and not own:
                    code[start + i] = -1
                    continue
                number = others.get(key)
                if number is None:
                    number = others[key] = len(keys)
                    keys.append(key)
                    append_other(&table)
                code[start + i] = number
            release(rows, &held)
        return codes, keys, others
    finally:
        release(rows, &held)
        free_texts(&table)


cdef inline void release(PyObject **rows, Py_ssize_t *held) noexcept:
    while held[0]:
        held[0] -= 1
        Py_XDECREF(rows[held[0]])


cdef inline Py_ssize_t number_string(TextTable *table, list keys, str key, uint64_t hashed) except -1:
    cdef size_t slot = probe_string(table, <PyObject *> keys, <PyObject *> key, hashed)
    cdef uint32_t number = <uint32_t> table.slots[slot]
    if number:
        return number - 1
    keys.append(key)
    append_text(table, slot, hashed)
    return table.n - 1


def number_texts(
    cnp.ndarray data not None, cnp.ndarray offsets, Py_ssize_t n, Py_ssize_t size, cnp.ndarray absent, bint own
):
    """Return the number of every row's string, the rows in which they come first, and the missing key's number.

    Parameters
    ----------
    data : ndarray of bytes, C-contiguous
        The strings.
    offsets : ndarray of shape (n + 1,), int32 or int64, C-contiguous, or None
        Where each begins and the last one ends, in bytes; never less than the one before. None if all have one size.
    n, size : int
        How many there are, and how many bytes each has if there are no offsets.
    absent : ndarray of shape (n,), bool, C-contiguous, or None
        The rows whose key is missing.
    own : bool
        Whether missing keys have a number of their own.
    """
    cdef TextColumn column = TextColumn(<const char *> cnp.PyArray_DATA(data), NULL, False, size, marks(absent, n))
    if not cnp.PyArray_IS_C_CONTIGUOUS(data) or n < 0 or size < 0 or (offsets is None and n * size > data.nbytes):
        raise ValueError("data must be contiguous and hold n strings")
    if offsets is not None:
        if offsets.size != n + 1 or offsets.dtype not in (np.int32, np.int64) or not cnp.PyArray_ISCARRAY_RO(offsets) \
                or offsets[0] < 0 or offsets[n] > data.nbytes:
            raise ValueError("offsets must be n + 1 contiguous int32 or int64 within the data")
        column.offsets = cnp.PyArray_DATA(offsets)
        column.wide = cnp.PyArray_ITEMSIZE(offsets) == 8
    cdef cnp.ndarray codes = codes_for(n)
    cdef Numbered out = Numbered(<intptr_t *> cnp.PyArray_DATA(codes), own, -1, NULL, 0)
    cdef int64_t *first = NULL
    cdef int status
    with nogil:
        status = number_strings(&column, n, &out, &first)
    try:
        if status != KEYS_OK:
            raise MemoryError
        return codes, copied(first, out.n), out.missing
    finally:
        free(first)


def texts_at(cnp.ndarray data not None, cnp.ndarray offsets not None, cnp.ndarray rows not None):
    """Return the list of the strings in some rows; data and offsets as in `number_texts`, in UTF-8."""
    cdef const char *text = <const char *> cnp.PyArray_DATA(data)
    cdef cnp.ndarray starts = offsets[rows].astype(np.int64), stops = offsets[rows + 1].astype(np.int64)
    cdef const int64_t *start = <const int64_t *> cnp.PyArray_DATA(starts)
    cdef const int64_t *stop = <const int64_t *> cnp.PyArray_DATA(stops)
    cdef Py_ssize_t i
    return [PyUnicode_DecodeUTF8(text + start[i], stop[i] - start[i], NULL) for i in range(starts.shape[0])]


def first_rows(cnp.ndarray codes not None, Py_ssize_t m):
    """Return the row in which each of the codes 0 to m − 1, in order of first appearance, comes first.

    Parameters
    ----------
    codes : ndarray of shape (n,), intp, C-contiguous
    m : int
    """
    if cnp.PyArray_TYPE(codes) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(codes) or codes.ndim != 1:
        raise ValueError("codes must be contiguous intp of one dimension")
    cdef cnp.ndarray rows = codes_for(m)
    cdef intptr_t *row = <intptr_t *> cnp.PyArray_DATA(rows)
    cdef const intptr_t *code = <const intptr_t *> cnp.PyArray_DATA(codes)
    cdef Py_ssize_t i, n = codes.shape[0], seen = 0
    for i in range(n):
        if seen == m:
            break
        if code[i] == seen:
            row[seen] = i
            seen += 1
    if seen < m:
        raise ValueError(f"codes must hold all of range({m})")
    return rows


cdef class IntegerKeys:
    """Integers numbered in the order in which they were added; 17 to 32 bytes each where there are many.

    A thread that looks for keys while another adds some gets the number or −1 for these.

    Parameters
    ----------
    keys : ndarray of shape (n,), int64, or None
        Distinct integers to begin with.
    """

    cdef cnp.ndarray _keys, _slots
    cdef Py_ssize_t _n
    cdef unsigned _bits

    def __cinit__(self, keys=None):
        self._grow(4)

    def __init__(self, keys=None):
        if keys is not None:
            self.add(keys)

    def __len__(self):
        return self._n

    def __reduce__(self):
        return IntegerKeys, (self.take(slice(None)),)

    cdef IntegerTable _table(self):
        return IntegerTable(
            <int64_t *> cnp.PyArray_DATA(self._keys), <uint32_t *> cnp.PyArray_DATA(self._slots), self._n, self._bits
        )

    cdef int _grow(self, unsigned bits) except -1:
        if bits > 32:
            raise MemoryError("more than 2**31 keys")
        keys = np.empty(1 << (bits - 1), dtype=np.int64)
        slots = np.zeros(1 << bits, dtype=np.uint32)
        cdef IntegerTable table = IntegerTable(
            <int64_t *> cnp.PyArray_DATA(keys), <uint32_t *> cnp.PyArray_DATA(slots), 0, bits
        )
        if self._n:
            add_integers(&table, <const int64_t *> cnp.PyArray_DATA(self._keys), self._n)
        self._keys, self._slots, self._bits = keys, slots, bits
        return 0

    def find(self, keys):
        """Return the numbers of keys, an int64 array; −1 for those that are unknown."""
        cdef cnp.ndarray wanted = np.ascontiguousarray(keys, dtype=np.int64)
        cdef Py_ssize_t n = wanted.shape[0]
        cdef cnp.ndarray codes = codes_for(n)
        cdef cnp.ndarray _keys, _slots  # which the table needs for as long as this takes
        cdef IntegerTable table
        with cython.critical_section(self):
            _keys, _slots, table = self._keys, self._slots, self._table()
        with nogil:
            find_integers(
                &table, <const int64_t *> cnp.PyArray_DATA(wanted), n, <intptr_t *> cnp.PyArray_DATA(codes)
            )
        return codes

    def add(self, keys):
        """Append keys, an int64 array, all of them or none.

        Raises
        ------
        ValueError
            If one is known already, or comes twice.
        """
        cdef cnp.ndarray new = np.ascontiguousarray(keys, dtype=np.int64)
        cdef const int64_t *data = <const int64_t *> cnp.PyArray_DATA(new)
        cdef Py_ssize_t n = new.shape[0], added
        with cython.critical_section(self):
            added = self._append(data, n)
        if added < n:
            raise ValueError(f"the key {new[added]} is known already, or comes twice")

    cdef Py_ssize_t _append(self, const int64_t *keys, Py_ssize_t n) except -1:
        cdef Py_ssize_t before = self._n, added
        cdef unsigned bits = self._bits
        while before + n > (<Py_ssize_t> 1) << (bits - 1):
            bits += 1
        if bits > self._bits:
            self._grow(bits)
        cdef IntegerTable table = self._table()
        added = add_integers(&table, keys, n)
        if added < n:
            remove_integers(&table, before)
        else:
            self._n = before + n
        return added

    @cython.critical_section
    def truncate(self, Py_ssize_t n):
        """Forget all but the first n keys."""
        if not 0 <= n <= self._n:
            raise ValueError(f"n must lie between 0 and {self._n}")
        cdef IntegerTable table = self._table()
        self._n = n
        remove_integers(&table, n)

    def take(self, which):
        """Return a copy of keys by their numbers, or by a slice."""
        keys = self._keys[: self._n][which]
        return keys.copy() if isinstance(which, slice) else keys
