"""Keys as numbers: every kind of column against a dict, and the index of all keys so far."""

import copy
import datetime as dt
import json
import math
import pickle
import re
import tracemalloc
from decimal import Decimal
from enum import IntEnum

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sknorm._document import Node, parse, write
from sknorm.groups.key_index import KeyIndex, read_keys
from sknorm.groups.keys import encode
from sknorm.kernels import _keys as kernel

NAT = np.datetime64("NaT")


def is_missing(key):
    return key is None or key is pd.NA or (not isinstance(key, tuple) and bool(key != key))


def plain(key):
    """Return a scalar of NumPy as Python has it: theirs cannot be compared with every object."""
    return key.item() if isinstance(key, np.generic) else key


def normal(key):
    """Return a key as a dict should find it, None for what is missing; and whether it, or a part of it, is missing."""
    if type(key) in (int, str):
        return key, False
    if isinstance(key, tuple):
        parts = tuple(None if is_missing(part) else plain(part) for part in key)
        return parts, any(part is None for part in parts)
    found = None if is_missing(key) else plain(key)
    return found, found is None


def reference(keys, missing="own"):
    """Return codes and keys by a dict."""
    numbers, codes = {}, []
    for found, absent in map(normal, keys):
        codes.append(-1 if absent and missing == "global" else numbers.setdefault(found, len(numbers)))
    return codes, list(numbers)


def listed(keys):
    return keys.tolist() if isinstance(keys, np.ndarray) else keys


def check(column, expected=None, composite=False):
    """Encode a column, and compare with the dict's codes and keys of what it should hold."""
    expected = list(column) if expected is None else expected
    for missing in ("own", "global"):
        codes, keys = encode(column if composite else [column], missing=missing)
        assert codes.dtype == np.intp
        assert codes.flags.c_contiguous
        right_codes, right_keys = reference(expected, missing)
        assert codes.tolist() == right_codes
        assert listed(keys) == right_keys
        assert isinstance(keys, (np.ndarray, list))
        if isinstance(keys, np.ndarray):
            assert keys.dtype == np.int64
            assert keys.shape == (len(right_keys),)
        else:
            assert not {np.generic, np.str_} & {base for kind in set(map(type, keys)) for base in kind.__mro__}
    if -1 in right_codes:
        with pytest.raises(ValueError, match=f"Row {right_codes.index(-1)} has no key"):
            encode(column if composite else [column], missing="error")
    else:
        assert encode(column if composite else [column], missing="error")[0].tolist() == right_codes
    return codes, keys


# Columns of one kind: hypothesis draws a few values, and rows of these, so that keys repeat.

integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63), 2**53, 0])
texts = st.text(max_size=20) | st.sampled_from(["", "a", "a\0", "\0", "ä", "a\0b", "\ud800", "🐟", "x" * 33])
good_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["", "a", "a\0", "\0"])
floats = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 2.0**53, 2.0**60, 1e300])
whole_floats = st.integers(-(2**53), 2**53).map(float) | st.sampled_from([-0.0, math.nan])
scalars = (
    integers
    | st.integers()
    | texts
    | floats
    | st.booleans()
    | st.none()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=5)
    | st.decimals(allow_nan=False)
    | st.sampled_from([pd.NA, pd.NaT, math.nan, 1, 1.0, True, "1", Decimal(1), np.float32(1), np.int8(1), np.str_("1")])
    | st.sampled_from([0, -0.0, False, np.bool_(True), np.float64(-0.0), np.float64("nan"), 2**63, 2**64, -(2**70)])
)
objects = scalars | st.tuples(scalars, scalars)


@st.composite
def rows_of(draw, values, max_values=8, max_rows=300):
    """Draw rows, shuffled, sorted or repeated, of some distinct values."""
    some = draw(st.lists(values, min_size=1, max_size=max_values))
    n = draw(st.integers(0, max_rows))
    which = np.random.default_rng(draw(st.integers(0, 9))).integers(0, len(some), n)
    if draw(st.booleans()):
        which.sort()
    return [some[i] for i in which]


@given(rows_of(integers), st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8"]))
@settings(deadline=None)
def test_integers(rows, dtype):
    values = np.array([row % 256 for row in rows] if dtype == "u1" else rows, dtype="O")
    info = np.iinfo(dtype)
    values = np.array([(value - info.min) % (info.max - info.min + 1) + info.min for value in values.tolist()], dtype)
    check(values)
    check(np.repeat(values, 3)[::3], values.tolist())
    check(values[::-1])
    check(pd.Series(values.astype(values.dtype.newbyteorder("="))), values.tolist())
    check(values.tolist())
    check(values.astype(object))


@given(rows_of(integers, max_values=100, max_rows=2000), st.integers(1, 2**40))
@settings(max_examples=30, deadline=None)
def test_many_integers_dense_and_not(rows, factor):
    check(np.array(rows, dtype=np.int64))
    check(np.array([row % 1000 for row in rows], dtype=np.int64) * factor)


@pytest.mark.parametrize("n_distinct", [1, 60, 2000, 40_000])
@pytest.mark.parametrize("spread", [1, 2**40 + 1])
@pytest.mark.parametrize("absent", [0, 0.1])
def test_tables_grow(n_distinct, spread, absent):
    rng = np.random.default_rng(n_distinct)
    values = rng.integers(0, n_distinct, max(5_000, n_distinct * 5 // 4)) * spread
    column = pd.array(values, dtype="Int64")
    column[rng.random(len(values)) < absent] = pd.NA
    check(column, [None if value is pd.NA else int(value) for value in column])
    strings = [f"key {value}" for value in values]
    check(np.array(strings, dtype=object), strings)
    check(np.array(strings), strings)
    check(pd.Series(strings, dtype=pd.StringDtype()).where(~column.isna(), None), [
        None if gone else string for string, gone in zip(strings, column.isna(), strict=True)
    ])  # fmt: skip
    check(pl.Series(strings), strings)
    mixed = [value if i % 3 else string for i, (value, string) in enumerate(zip(column, strings, strict=True))]
    check(np.fromiter(mixed, object, len(mixed)), mixed)


@given(rows_of(floats) | rows_of(whole_floats), st.sampled_from([np.float64, np.float32, np.float16]))
@settings(deadline=None)
def test_floats(rows, dtype):
    with np.errstate(over="ignore"):
        values = np.array(rows, dtype=dtype)
    expected = values.astype(float).tolist()
    _, keys = check(values, expected)
    present = [value for value in expected if value == value]
    if all(value.is_integer() and abs(value) <= 2**53 for value in present if math.isfinite(value)) and all(
        map(math.isfinite, present)
    ):
        assert isinstance(keys, np.ndarray)
    check(np.repeat(values, 2)[::2], expected)
    check(pd.Series(values), expected)
    if dtype is not np.float16:
        check(pl.Series(values), expected)


@given(rows_of(texts))
@settings(deadline=None)
def test_strings_of_python(rows):
    check(rows)
    check(np.fromiter(rows, dtype=object, count=len(rows)))
    check(np.repeat(np.fromiter(rows, dtype=object, count=len(rows)), 2)[::2])
    fixed = np.array(rows, dtype=str)
    check(fixed, fixed.tolist())
    check(fixed[::-1], fixed[::-1].tolist())
    fixed = np.array([row.encode("utf-8", "surrogatepass") for row in rows], dtype=bytes)
    check(fixed, fixed.tolist())


@given(rows_of(good_texts | st.none()))
@settings(deadline=None)
def test_strings_of_frames(rows):
    for dtype in ("object", "str", pd.StringDtype("python"), pd.StringDtype("pyarrow"), "category"):
        series, right = pd.Series(rows, dtype=dtype), rows
        if dtype == "category":  # pandas before 2.2 takes "" and "\0" for one category
            right = [None if code < 0 else series.cat.categories[code] for code in series.cat.codes]
        check(series, right)
        check(series[::-1], right[::-1])
        check(pd.concat([series, series[:0], series]), right * 2)
        check(pd.Index(series), right)
    series = pl.Series(rows, dtype=pl.String)
    check(series, rows)
    check(series.cast(pl.Categorical), rows)
    check(pl.concat([series, series], rechunk=False), rows * 2)
    check(series[len(rows) // 3 :], rows[len(rows) // 3 :])


def test_strings_of_polars_without_arrow(monkeypatch):
    def absent(self):
        raise ModuleNotFoundError("pyarrow")

    monkeypatch.setattr(pl.Series, "to_arrow", absent)
    check(pl.Series(["b", None, "a", "b", "a\0"]))


@given(rows_of(objects))
@settings(deadline=None)
@example([1, "1", True, 1.0, Decimal(1), None, math.nan, pd.NA, pd.NaT, NAT, np.timedelta64(1, "s")])
@example([2**61 - 2, pd.NA, hash(pd.NA)])
@example([(1, None), (1, math.nan), (1, "a"), None, 1])
@example(["a", None, 5, np.str_("a"), np.int64(5)] * 60)
def test_objects(rows):
    expected = [pd.Timedelta(row) if isinstance(row, np.timedelta64) else None if row is NAT else row for row in rows]
    check(rows, expected)
    check(np.fromiter(rows, dtype=object, count=len(rows)), expected)


@pytest.mark.parametrize("size", range(40))
def test_strings_that_differ_in_one_character(size):
    plain = "x" * size
    rows = [plain, *(plain[:i] + "y" + plain[i + 1 :] for i in range(size)), plain + "x", plain, None, plain[:-1]]
    check(np.array(rows, dtype=object), rows)
    check(pd.Series(rows, dtype=pd.StringDtype("pyarrow"))[1:], rows[1:])
    check(pl.Series(rows), rows)
    rows.remove(None)
    check(np.array(rows), rows)
    check(np.array(rows, dtype=bytes), [row.encode() for row in rows])


moments = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)) | st.none()


@given(rows_of(moments), st.sampled_from(["s", "ms", "us", "ns"]), st.sampled_from([None, "UTC", "Europe/Berlin"]))
@settings(deadline=None, max_examples=50)
def test_times(rows, unit, zone):
    column = pd.Series(pd.DatetimeIndex(np.array(rows, dtype="M8[us]").astype(f"M8[{unit}]")))
    check(column.to_numpy(), list(column))
    if zone:
        column = column.dt.tz_localize("UTC").dt.tz_convert(zone)
    _, keys = check(column, list(column))
    assert all(key is None or type(key) is pd.Timestamp for key in keys)
    check(pd.Index(column), list(column))
    check(column.astype(object), list(column))
    if unit != "s":
        check(pl.from_pandas(column), list(column))
    check(column - pd.Timestamp(0, tz=zone), list(column - pd.Timestamp(0, tz=zone)))
    check(pl.Series(rows, dtype=pl.Datetime("us")), [row and pd.Timestamp(row) for row in rows])
    check(pl.Series(rows, dtype=pl.Datetime("us")).dt.date(), [row and row.date() for row in rows])
    check(column.dt.tz_localize(None).dt.to_period("M"), list(column.dt.tz_localize(None).dt.to_period("M")))


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m"])
def test_coarse_times_of_numpy(unit):
    values = np.array(["2020-01-01", "NaT", "2021-01-01", "2020-01-01"], dtype=f"M8[{unit}]")
    check(values, [pd.Timestamp(value) for value in values.astype("M8[s]")])
    if unit not in "YM":
        check(values - values[0], [pd.Timedelta(value) for value in (values - values[0]).astype("m8[s]")])


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3, 1], dtype="Int8"),
        pd.array([2**63 + 1, None, 3], dtype="UInt64"),
        pd.array([2**62 + 1, None, 2**62], dtype="Int64"),
        pd.array([True, None, False], dtype="boolean"),
        pd.array([1.5, None, -0.0, 0.0], dtype="Float64"),
        pd.Series([2**62 + 1, None, 2**62], dtype="int64[pyarrow]"),
        pd.Series([1.5, None, 2.0], dtype="float64[pyarrow]"),
        pd.Series(["b", None, "a", "b"], dtype="string[pyarrow]"),
        pd.Series(["b", None, "a", "b"], dtype="large_string[pyarrow]"),
        pd.Series([True, None, False], dtype="bool[pyarrow]"),
        pd.Series(pd.arrays.SparseArray([1, 0, 0, 2])),
        pd.interval_range(0, 3),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 1)]),
        pd.RangeIndex(5),
        pl.Series([2**62 + 1, None, 2**62]),
        pl.Series([2**64 - 1, None, 3], dtype=pl.UInt64),
        pl.Series([True, None, False]),
        pl.Series([Decimal("1.5"), None, Decimal(2)]),
        pl.Series([b"a", None, b"b"]),
        pl.Series([None, None]),
        pl.Series([dt.time(1), None, dt.time(2), dt.time(1)]),
        pl.Series([dt.timedelta(1), None, dt.timedelta(2)]),
        pl.Series(["b", None, "a", "b"], dtype=pl.Enum(["a", "b"])),
        *([pl.Series([2**100, None, 5], dtype=pl.Int128)] if hasattr(pl, "Int128") else []),
        np.array([True, False, True]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_of_frames(column):
    expected = column.to_list() if hasattr(column, "to_list") else list(column)
    check(column, expected)
    check(column[:0], [])
    check(column[1:], expected[1:])


def test_masked_arrays():
    check(np.ma.masked_array([1, 2, 1], [False, True, False]), [1, None, 1])


def test_categories_count_by_their_values():
    first = pd.Categorical(["a", "b", None, "a"], categories=["a", "b", "c"])
    other = pd.Categorical(["a", "b", None, "a"], categories=["b", "unused", "a"])
    assert check(first, ["a", "b", None, "a"])[1] == check(other, ["a", "b", None, "a"])[1]
    check(pd.Categorical([3, None, 1, 3]), [3, None, 1, 3])
    check(pd.Categorical([3.5, None, 1, 3.5]), [3.5, None, 1, 3.5])
    check(pd.Series(pd.Categorical([None, None])), [None, None])
    times = pd.to_datetime(["2020", None, "2020"])
    check(pd.Series(pd.Categorical(times)), list(times))
    check(pd.Categorical([2**62 + 1, 2**62, None]), [2**62 + 1, 2**62, None])


def test_of_equal_values_one_is_kept():
    from sknorm.groups.keys import of_values

    class Values(list):
        def take(self, which):
            return [self[i] for i in which]

    codes = np.array([0, 1, 2, -1, 3, 1])
    found = np.array([4, 0, 0, 1])
    codes, keys = of_values(codes, found, 2, Values([1.5, True, "x", "y", Decimal("1.5")]), True)
    assert codes.tolist() == [0, 0, 1, -1, 2, 0]
    assert keys == [Decimal("1.5"), None, True]


@pytest.mark.parametrize("n_columns", [1, 2, 3, 5])
@given(rows=rows_of(st.tuples(integers, good_texts | st.none(), whole_floats, st.booleans(), st.dates() | st.none())))
@settings(max_examples=30, deadline=None)
def test_composite_keys(n_columns, rows):
    columns = [[row[i] for row in rows] for i in range(n_columns)]
    expected = [row[0] if n_columns == 1 else row[:n_columns] for row in rows]
    check(columns, expected, composite=True)


def test_composite_keys_of_too_many_values_for_one_number():
    n = 3000
    rng = np.random.default_rng(0)
    columns = [rng.permutation(n) for _ in range(8)]
    columns = [np.concatenate([column, column]) for column in columns]
    check(columns, list(zip(*(column.tolist() for column in columns), strict=True)), composite=True)


@pytest.mark.parametrize("column", [[], np.empty(0), np.empty(0, int), np.empty(0, "U3"), np.empty(0, "U0")])
def test_no_rows(column):
    check(column, [])
    check([column, column], [], composite=True)


# What cannot be a key.

KIND = r"argument must be .* string.* number"


@pytest.mark.parametrize("key", [{"foo": "bar"}, [1], {1}, np.zeros(2), bytearray(b"a"), ([],), [pd.NA]], ids=repr)
def test_impossible_keys(key):
    column = np.array(["a", 1, None], dtype=object)
    column[1] = key
    with pytest.raises(TypeError, match=KIND):
        encode([column], missing="own")


def test_decimals_that_are_none():
    codes, keys = encode([["a", None, Decimal("NaN"), Decimal("sNaN")]], missing="own")
    assert codes.tolist() == [0, 1, 1, 1]
    assert keys == ["a", None]


@pytest.mark.parametrize("dtype", [complex, "V3", "m8[Y]", np.longdouble])
def test_impossible_arrays(dtype):
    values = np.zeros(2, dtype=dtype)
    if dtype is np.longdouble:
        if values.dtype.itemsize == 8:
            return
        check(values, [0, 0])
        values[0] = 1 + np.finfo(np.longdouble).eps
    with pytest.raises(TypeError, match=KIND):
        encode([values], missing="own")


@pytest.mark.parametrize("value", ["2020-01-01T00:00:00.000000000001", "292277026597-01-01"])
def test_times_that_pandas_cannot_hold(value):
    with pytest.raises(TypeError, match=KIND):
        encode([np.array([value], dtype="M8")], missing="own")


@pytest.mark.parametrize("column", ["abc", 5, {1: 2}, None])
def test_what_is_no_column(column):
    with pytest.raises(TypeError, match="must be a column"):
        encode([column], missing="own")


def test_shapes():
    for table in (np.zeros((2, 1)), np.array(5), pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]})):
        with pytest.raises(ValueError, match="one dimension"):
            encode([table], missing="own")
    with pytest.raises(ValueError, match="differ in length: 2, 3"):
        encode([[1, 2], [1, 2, 3]], missing="own")


class Colour(IntEnum):
    RED = 1


class Odd(str):
    pass


def test_subclasses_become_what_they_are():
    codes, keys = encode(
        [[Colour.RED, Odd("a"), np.bytes_(b"b"), np.float32(0.5), np.datetime64("2020", "D")]], missing="own"
    )
    assert codes.tolist() == [0, 1, 2, 3, 4]
    assert [type(key) for key in keys] == [int, str, bytes, float, pd.Timestamp]


def test_years_that_python_has_not_are_one_key_in_every_unit():
    far = np.datetime64("20000-01-01T00:00:00")
    column = [pd.Timestamp(far.astype(f"M8[{unit}]")) for unit in ("s", "ms", "us")]
    assert encode([column], missing="own")[0].tolist() == [0, 0, 0]
    for unit in ("s", "ms", "us"):
        codes, keys = encode([np.array([far, NAT, far]).astype(f"M8[{unit}]")], missing="own")
        assert codes.tolist() == [0, 1, 0]
        assert index_of(keys).find(column).tolist() == [-1 if key.unit != "us" else 0 for key in column]
        assert keys[0].unit == "us"


# The kernels refuse what would make them read beyond an array.


def test_kernels_check_what_they_read():
    data, ends = np.zeros(8, np.uint8), np.array([0, 4, 9])
    with pytest.raises(ValueError, match="within the data"):
        kernel.number_texts(data, ends, 2, 0, None, True)
    with pytest.raises(ValueError, match="within the data"):
        kernel.number_texts(data, ends, 3, 0, None, True)
    with pytest.raises(ValueError, match="hold n strings"):
        kernel.number_texts(data, None, 3, 3, None, True)
    with pytest.raises(ValueError, match="booleans"):
        kernel.number_integers(np.arange(3), np.zeros(2, bool), True)
    with pytest.raises(ValueError, match="integers"):
        kernel.number_integers(np.zeros(3), None, True)
    with pytest.raises(ValueError, match="float64"):
        kernel.integers_of_floats(np.zeros(3, np.float32), True)
    with pytest.raises(ValueError, match="objects"):
        kernel.number_objects(np.zeros(3), True, frozenset(), None)
    with pytest.raises(ValueError, match="objects"):
        kernel.integers_of_objects(np.zeros(3))
    with pytest.raises(ValueError, match="all of range"):
        kernel.first_rows(np.array([0, 1]), 3)


# The index.


def index_of(*batches):
    index = KeyIndex()
    for batch in batches:
        index.add(batch)
    return index


def state_of(index):
    """Return all that can be seen of an index."""
    keys = index.keys()
    return len(index), keys.dtype, list(map(repr, keys.tolist())), index.find(listed(keys)).tolist()


def distinct(keys):
    return list(dict.fromkeys(reference(keys)[1]))


ints64 = st.lists(integers, unique=True, max_size=200)
key_lists = st.lists(objects, max_size=30).map(distinct)


@given(st.lists(ints64 | key_lists, max_size=5), st.data())
@settings(deadline=None)
def test_the_index_finds_what_was_added(batches, data):
    index, known, states = KeyIndex(), {}, [(0, state_of(KeyIndex()))]
    for batch in batches:
        fresh = [key for key in batch if key not in known]
        _, keys = encode([np.fromiter(fresh, object, len(fresh))], missing="own")
        assert index.find(keys).tolist() == [-1] * len(fresh)
        index.add(keys)
        known |= {key: len(known) + i for i, key in enumerate(fresh)}
        assert len(index) == len(known)
        assert index.find(listed(keys)).tolist() == [known[key] for key in fresh]
        states.append((len(known), state_of(index)))
    asked = data.draw(st.lists(objects | integers, max_size=20).map(distinct))
    assert index.find(asked).tolist() == [known.get(key, -1) for key in asked]
    whole = [key for key in asked if type(key) is int and -(2**63) <= key < 2**63]
    assert index.find(np.array(whole, np.int64)).tolist() == [known.get(key, -1) for key in whole]
    assert index.keys().tolist() == list(known)
    order = data.draw(st.lists(st.integers(0, max(len(known) - 1, 0)), unique=True, max_size=10)) if known else []
    assert index.keep(np.array(order, np.intp)).keys().tolist() == [list(known)[i] for i in order]
    for other in (pickle.loads(pickle.dumps(index)), copy.deepcopy(index)):
        assert state_of(other) == state_of(index)
        other.add(["a key that is nowhere else"])
        assert len(other) == len(index) + 1
    for n, state in reversed(states):
        index.truncate(n)
        assert state_of(index) == state
        assert index.find(list(known)).tolist() == [i if i < n else -1 for i in range(len(known))]


def test_undo_beyond_a_growth():
    first, more = np.arange(5) * 2**40, np.arange(5, 5000) * 2**40
    index, twin = index_of(first), index_of(first)
    index.add(more)
    index.truncate(5)
    assert state_of(index) == state_of(twin)
    assert (index.find(more) == -1).all()
    index.add(more[::-1])
    assert index.find(more).tolist() == list(range(4999, 4, -1))


def test_one_key_of_another_kind_leaves_the_integers_where_they_are():
    index = index_of(np.array([1, 2]), [None], np.array([3]), ["1", 2.5], [4, "x", 5])
    assert index.find([1, True, 1.0, "1", None, 3.0, 4, Decimal(5), 2.5, 7, "y"]).tolist() == [
        0, 0, 0, 4, 2, 3, 6, 8, 5, -1, -1,
    ]  # fmt: skip
    assert index.find(np.array([5, 3, 9])).tolist() == [8, 3, -1]
    assert index.keys().tolist() == [1, 2, None, 3, "1", 2.5, 4, "x", 5]
    assert index.keep(np.array([8, 0])).keys().dtype == np.int64


def test_a_key_that_equals_an_integer_is_found_as_one():
    index = index_of([True, 2.0, Decimal(3)])
    assert index.find(np.array([1, 2, 3, 4])).tolist() == [0, 1, 2, -1]
    assert list(map(type, index.keys())) == [bool, float, Decimal]


@pytest.mark.parametrize(
    "keys",
    [
        np.array([7, 8, 7]),
        np.array([7, 3, 8]),
        np.array([1, 9]),
        ["b", "b"],
        ["c", "a"],
        ["c", 3],
        [7, "c", 7],
        ["c", 3.0],
        [7, 7.0],
        [1],
        [(1, 2), (1, 2)],
    ],
    ids=repr,
)
def test_keys_that_are_known_change_nothing(keys):
    index = index_of(np.array([3]), ["a", True])
    before = state_of(index)
    with pytest.raises(ValueError, match="known already"):
        index.add(keys)
    assert state_of(index) == before
    index.add(["b", 7])
    assert index.find([3, "a", 1, "b", 7]).tolist() == [0, 1, 2, 3, 4]


def test_an_error_while_adding_changes_nothing(monkeypatch):
    class Full(dict):
        def update(self, pairs):
            for i, (key, number) in enumerate(pairs):
                if i == 1:
                    raise MemoryError
                self[key] = number

    index = index_of(np.array([3]), ["a"])
    before = state_of(index)
    index._others = Full(index._others)
    with pytest.raises(MemoryError):
        index.add([4, "b", "c"])
    assert state_of(index) == before


def test_numbers_outside_the_index():
    index = index_of(np.arange(3))
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="between 0 and 3"):
            index.truncate(wrong)
    for codes in ([3], [-1], [0, -1]):
        with pytest.raises(IndexError, match=re.escape("range(3)")):
            index.keep(np.array(codes))
    with pytest.raises(ValueError, match="known already"):
        index.keep(np.array([1, 1]))


@pytest.mark.parametrize("n", [100_000, 131_072, 131_073])
def test_memory_of_an_integer(n):
    tracemalloc.start()
    try:
        index = index_of(np.arange(n) * 2**30)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index) == n
    assert held <= 40 * n


# Documents.


def through_text(index):
    return read_keys(parse(write({"keys": index.fields()}))["keys"])


zones = st.sampled_from(
    [None, "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", dt.timezone(dt.timedelta(hours=-5.5))]
)
timestamps = st.builds(
    lambda n, unit, zone: (
        pd.Timestamp(np.datetime64(n, unit)) if zone is None
        else pd.Timestamp(np.datetime64(n, unit)).tz_localize("UTC").tz_convert(zone)
    ),
    st.integers(-(10**9), 4 * 10**9), st.sampled_from(["s", "ms", "us", "ns"]), zones,
)  # fmt: skip
durations = st.builds(
    lambda n, unit: pd.Timedelta(np.timedelta64(n, unit)),
    st.integers(-(2**53), 2**53),
    st.sampled_from(["s", "ms", "us", "ns"]),
)
documented = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | good_texts | timestamps | durations
    | st.dates() | st.datetimes() | st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6)) | integers,
    lambda parts: st.lists(parts, max_size=3).map(tuple),
    max_leaves=5,
)  # fmt: skip


@given(st.lists(documented, max_size=20))
@settings(deadline=None)
@example([2**64, -(2**63) - 1, 10**999, 2**64 - 1, -(2**63)])
@example([math.inf, -math.inf, 1e300, 0.5, "", "a\0", "Infinity"])
@example([pd.Timestamp(np.datetime64("20000-01-01T00:00:00")), pd.Timestamp.min, pd.Timestamp.max, pd.Timedelta.min])
@example([dt.datetime.min, dt.datetime.max, dt.date.min, dt.datetime(2020, 1, 1, tzinfo=dt.UTC)])
def test_documents_hold_every_key(column):
    index = index_of(encode([column], missing="own")[1])
    again = through_text(index)
    assert again.keys().tolist() == index.keys().tolist()
    assert again.fields() == index.fields()
    assert again.keys().dtype == index.keys().dtype
    for old, new in zip(index.keys().tolist(), again.keys().tolist(), strict=True):
        if isinstance(old, pd.Timestamp):
            assert new.unit == old.unit
            assert str(new.tz) == str(old.tz)
        if isinstance(old, pd.Timedelta):
            assert new.unit == old.unit


def test_zones():
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    moments = [dt.datetime(2020, 10, 25, 2, 30, tzinfo=zone, fold=fold) for fold in (0, 1)]
    for key in [*moments, *map(pd.Timestamp, moments), pd.Timestamp("2020-07-01", tz="-07:30")]:
        (again,) = through_text(index_of([key])).keys()
        assert again == key
        assert again.utcoffset() == key.utcoffset()


def test_what_documents_look_like():
    index = index_of(
        [
            1, "a", None, False, 0.5, 10**20, math.inf, ("a", 1), dt.date(2020, 1, 31), dt.datetime(2020, 1, 31, 9),
            pd.Timestamp("2020-01-31T10:00", tz="Europe/Berlin").as_unit("s"), pd.Timedelta(-1500, "us").as_unit("ms"),
        ]
    )  # fmt: skip
    assert index.fields() == [
        1, "a", None, False, 0.5, {"integer": "100000000000000000000"}, {"float": "Infinity"}, {"tuple": ["a", 1]},
        {"date": "2020-01-31"}, {"datetime": "2020-01-31T09:00:00.000000"},
        {"timestamp": "2020-01-31T09:00:00Z[Europe/Berlin]"}, {"timedelta": "-PT0.002S"},
    ]  # fmt: skip


class Unnamed(dt.tzinfo):
    def utcoffset(self, moment):
        return dt.timedelta(hours=1) if moment else None


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (b"a", TypeError, r"The key b'a' is a builtins.bytes"),
        (Decimal(1), TypeError, r"The key Decimal\('1'\) is a decimal.Decimal"),
        (pd.Period("2020"), TypeError, "Period"),
        (dt.datetime(2020, 1, 1, tzinfo=Unnamed()), TypeError, "without a name"),
        ("\ud800", ValueError, "Unicode"),
        (("\ud800",), ValueError, "Unicode"),
        (10**1000, ValueError, "bits"),
        (dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), ValueError, "years"),
        (dt.timedelta.max, ValueError, "too long"),
    ],
)
def test_keys_that_no_document_holds(key, error, message):
    index = index_of(["a", key])
    with pytest.raises(error, match=message):
        index.fields()


def test_tuples_within_tuples():
    key = ()
    for _ in range(19):
        key = (key,)
    assert through_text(index_of([key])).keys().tolist() == [key]
    with pytest.raises(ValueError, match="levels deep"):
        index_of([((key,),)]).fields()
    node = {"tuple": []}
    for _ in range(25):
        node = {"tuple": [node]}
    with pytest.raises(ValueError, match="levels deep"):
        read_keys(Node([node], "keys"))


HOSTILE = [
    {}, {"a": 1}, {"tuple": [], "date": "2020-01-01"}, [], [1], {"tuple": {}}, {"tuple": [[]]}, {"tuple": None},
    {"integer": 5}, {"integer": "5"}, {"integer": "05" + "0" * 20}, {"integer": "1" * 1001}, {"integer": "-"},
    {"integer": "9" * 19}, {"integer": "١" * 25}, {"integer": " 100000000000000000000"}, {"integer": "1" + "_0" * 30},
    {"float": "NaN"}, {"float": "1.5"}, {"float": 1.5}, {"float": []}, math.inf, math.nan, 2**64, -(2**63) - 1,
    "\ud800",
    {"date": "2020-13-01"}, {"date": "20200101"}, {"date": "2020-W01-1"}, {"date": 5}, {"date": "2020-01-01T00:00"},
    {"timestamp": "NaT"}, {"timestamp": "2020-01-01"}, {"timestamp": "2020-02-30T00:00:00"},
    {"timestamp": "2500-01-01T00:00:00.000000000"}, {"timestamp": "2020-01-01T00:00:00Z[UTC]"},
    {"timestamp": "2020-01-01T00:00:00Z[Nowhere/Land]"}, {"timestamp": "2020-01-01T00:00:00Z[../../etc/passwd]"},
    {"timestamp": "2020-01-01T00:00:00Z[dateutil//etc/passwd]"}, {"timestamp": "2020-01-01T00:00:00Z[dateutil/a]"},
    {"timestamp": "2020-01-01T00:00:00Z[+99:00]"}, {"timestamp": "2020-01-01T00:00:00Z[+00:00]"},
    {"timestamp": "999999999999-01-01T00:00:00"}, {"timestamp": "2020-01-01T00:00:00Z[America]"},
    {"timestamp": "now"}, {"timestamp": "2020-01-01T00:00:00\n"}, {"timestamp": "99999-01-01T00:00:00Z[+01:00]"},
    {"datetime": "2020-01-01T00:00:00"}, {"datetime": "20000-01-01T00:00:00.000000"}, {"datetime": 1},
    {"datetime": "9999-12-31T23:59:59.000000Z[+10:00]"}, {"datetime": "2020-01-01T00:00:00.000000Z[America]"},
    {"timedelta": "PT1.5S"}, {"timedelta": "-PT0S"}, {"timedelta": "PT9223372036854775808S"}, {"timedelta": 5},
    {"timedelta": "-PT9223372036854775808S"}, {"timedelta": "PT9999999999.000000000S"}, {"timedelta": "P1D"},
]  # fmt: skip


@pytest.mark.parametrize("entry", HOSTILE, ids=lambda entry: repr(entry)[:40])
def test_hostile_entries(entry):
    with pytest.raises(ValueError, match=r"keys\[1\]"):
        read_keys(Node(["a", entry], "keys"))
    with pytest.raises(ValueError, match=r"keys\[0\]\.tuple\[1\]"):
        read_keys(Node([{"tuple": [1, entry]}], "keys"))


@pytest.mark.parametrize("value", [None, {}, "abc", 5, {"a": 1}])
def test_hostile_lists(value):
    with pytest.raises(ValueError, match="keys must be a list"):
        read_keys(Node(value, "keys"))


@pytest.mark.parametrize(
    ("entries", "where"),
    [([1, 2, 1], 2), ([1, True], 1), ([1.0, 1], 1), (["a", "b", "a"], 2), ([None, "a", None], 2),
     ([{"tuple": [1, "a"]}, {"tuple": [True, "a"]}], 1), ([0.0, -0.0], 1),
     ([{"timestamp": "2020-01-01T00:00:00"}, {"datetime": "2020-01-01T00:00:00.000000"}], 1)],
)  # fmt: skip
def test_keys_that_come_twice(entries, where):
    with pytest.raises(ValueError, match=rf"keys\[{where}\] must not be a key that came before"):
        read_keys(Node(entries, "keys"))


def test_an_object_with_a_key_twice():
    with pytest.raises(ValueError, match=r"keys\[0\]"):
        read_keys(parse('{"keys": [{"date": "2020-01-01", "date": "2020-01-02"}]}')["keys"])


def test_documents_are_json():
    index = index_of(np.array([5, -3]))
    assert json.loads(json.dumps(index.fields())) == [5, -3]
    assert read_keys(Node(index.fields(), "keys")).keys().dtype == np.int64
