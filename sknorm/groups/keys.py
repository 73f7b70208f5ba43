"""The keys of a batch's rows as numbers, and the distinct keys as Python has them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm.groups.key_arrays import (
    Codes,
    Encoded,
    Keys,
    encode_array,
    encode_floats,
    encode_index,
    encode_integers,
    encode_objects,
)
from sknorm.kernels._keys import first_rows, number_integers, number_texts, texts_at

__all__ = ["Keys", "encode"]

# Types of pandas that Arrow holds as strings.
ARROW_STRINGS = ("string[pyarrow]", "large_string[pyarrow]")
# Numbers up to here may be combined into one more.
LARGEST = 2**62


def encode(columns: Sequence[Any], *, missing: str) -> Encoded:
    """Return the number of every row's key, and the distinct keys.

    Keys are equal if Python says so: 1, 1.0 and True are one key, 1 and "1" are two; so a batch whose integers come as
    floats, or whose strings come as categories, meets the same keys.

    Parameters
    ----------
    columns : sequence of 1-D columns of shape (n_samples,)
        The key, or the parts of a composite one: arrays, lists, pandas Series and Index, polars Series.
    missing : {"own", "global", "error"}
        None, NaN, NaT and pandas.NA are a key like any other, no key, or an error. A composite key is missing if a part
        of it is; where it is a key, it has None in its place.

    Returns
    -------
    codes : ndarray of shape (n_samples,), intp
        0, 1, … in order of first appearance; −1 for no key.
    keys : ndarray of shape (m,), int64, or list
        The keys: an array if they are all integers that it can hold. Otherwise strings, numbers, timestamps, …, None
        for a missing one, and tuples of these for composite keys.

    Raises
    ------
    TypeError
        If a key is of a kind that cannot be one.
    ValueError
        If columns are not of one dimension and length, or if a key is missing and must not be.

    Examples
    --------
    >>> encode([["b", "a", None, "b"]], missing="own")
    (array([0, 1, 2, 0]), ['b', 'a', None])
    >>> encode([["b", "b", "a"], [1.0, 1, 2]], missing="global")
    (array([0, 0, 1]), [('b', 1.0), ('a', 2)])
    """
    own = missing == "own"
    codes, keys = encode_column(columns[0], own) if len(columns) == 1 else encode_composite(columns, own)
    if missing == "error" and len(codes) and codes.min() < 0:
        row = int(codes.argmin())
        raise ValueError(
            f'Row {row} has no key; give it one, or set missing_key="own" to make a group of such rows, '
            '"global" to count them among all rows only.'
        )
    return codes, keys


def encode_composite(columns: Sequence[Any], own: bool) -> Encoded:
    """Return the numbers and the tuples that rows of several columns are."""
    parts = [encode_column(column, own) for column in columns]
    n_rows = len(parts[0][0])
    if any(len(codes) != n_rows for codes, _ in parts):
        raise ValueError(f"The columns of a key differ in length: {', '.join(str(len(codes)) for codes, _ in parts)}.")
    combined: NDArray[np.int64] = parts[0][0].astype(np.int64, copy=False)
    absent = combined < 0
    n_values = max(len(parts[0][1]), 1)
    for codes, keys in parts[1:]:
        if n_values * max(len(keys), 1) > LARGEST:
            combined, found, _ = number_integers(combined, None, True)
            n_values = len(found)
        combined = combined * len(keys) + codes
        absent |= codes < 0
        n_values *= max(len(keys), 1)
    codes, found, _ = number_integers(combined, absent if absent.any() else None, False)
    rows = first_rows(codes, len(found))
    return codes, list(zip(*(part_of(keys, codes[rows]) for codes, keys in parts), strict=True))


def part_of(keys: Keys, codes: Codes) -> list[Any]:
    """Return keys, by their numbers, as Python objects."""
    if isinstance(keys, np.ndarray):
        return keys[codes].tolist()
    return [keys[code] for code in codes.tolist()]


def encode_column(column: Any, own: bool) -> Encoded:
    """Return the numbers and keys of one column of any kind."""
    if type(column) is not np.ndarray:
        package = type(column).__module__.partition(".")[0]
        if getattr(column, "ndim", 1) != 1:
            raise ValueError(f"A key must be a column of one dimension, not {column.ndim}.")
        if package == "pandas":
            return encode_pandas(column, own)
        if package == "polars" and hasattr(column, "to_physical"):
            return encode_polars(column, own)
        if isinstance(column, (list, tuple)):
            return encode_objects(np.fromiter(column, dtype=object, count=len(column)), own)
        if isinstance(column, np.ma.MaskedArray):
            objects = np.array(column.data, dtype=object)
            objects[np.ma.getmaskarray(column)] = None
            return encode_objects(objects, own)
        if not hasattr(column, "__array__"):
            raise TypeError(
                f"A key must be a column, such as an array, a Series or a list, not a {type(column).__name__}."
            )
        column = np.asarray(column)
    return encode_array(column, own)


def encode_pandas(column: Any, own: bool) -> Encoded:
    """Return the numbers and keys of a pandas Series, Index or array."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return encode_array(column.to_numpy(), own)
    name, kind = type(dtype).__name__, dtype.kind
    if name == "CategoricalDtype":
        array = getattr(column, "array", column)
        absent = array.codes < 0
        return of_values(*number_integers(array.codes, absent if absent.any() else None, own), array.categories, own)
    if name in ("DatetimeTZDtype", "PeriodDtype"):
        import pandas as pd

        return encode_index(pd.Index(column), own)
    if (name == "StringDtype" and dtype.storage != "python") or (name == "ArrowDtype" and str(dtype) in ARROW_STRINGS):
        return encode_arrow(getattr(column, "array", column).__arrow_array__(), own)
    if hasattr(dtype, "numpy_dtype") and kind == "f":
        return encode_floats(column.to_numpy(dtype=dtype.numpy_dtype, na_value=np.nan), own)
    if hasattr(dtype, "numpy_dtype") and kind in "iub":
        absent = np.array(column.isna())
        values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=False if kind == "b" else 0)
        return encode_integers(values, absent if absent.any() else None, own)
    return encode_objects(np.array(column, dtype=object), own)


def of_values(codes: Codes, found: NDArray[np.int64], missing: int, values: Any, own: bool) -> Encoded:
    """Return the numbers and keys of rows numbered by which of some values is theirs."""
    inner, keys = encode_column(values.take(found if missing < 0 else np.delete(found, missing)), own)
    if missing >= 0:
        inner, keys = np.insert(inner, missing, len(keys)), [*part_of(keys, np.arange(len(keys))), None]
    if len(keys) == len(inner) and missing < 0:
        return codes, keys
    codes = np.append(inner, -1)[codes]  # values may be one key, such as 1 and True
    absent = codes < 0
    codes, found, _ = number_integers(codes, absent if absent.any() else None, False)
    return codes, part_of(keys, found) if isinstance(keys, list) else keys[found]


def encode_arrow(array: Any, own: bool) -> Encoded:
    """Return the numbers and keys of strings that Arrow holds."""
    if hasattr(array, "chunks"):
        array = array.chunk(0) if array.num_chunks == 1 else array.cast("large_string").combine_chunks()
    if str(array.type) not in ("string", "large_string"):
        array = array.cast("large_string")
    n, start = len(array), array.offset
    _, ends, data = array.buffers()
    if not n:
        return np.empty(0, dtype=np.intp), []
    offsets = np.frombuffer(ends, np.int64 if str(array.type) == "large_string" else np.int32)[start : start + n + 1]
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, dtype=np.uint8)
    absent = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    codes, rows, missing = number_texts(text, offsets, n, 0, absent, own)
    keys = texts_at(text, offsets, rows)
    if missing >= 0:
        keys[missing] = None
    return codes, keys


def encode_polars(column: Any, own: bool) -> Encoded:
    """Return the numbers and keys of a polars Series."""
    dtype, kind = column.dtype, type(column.dtype).__name__
    if dtype.is_float():
        return encode_floats(column.to_numpy(), own)
    if kind == "String":
        try:
            return encode_arrow(column.to_arrow(), own)
        except ImportError:  # without PyArrow
            column, kind = column.cast(sys.modules["polars"].Categorical), "Categorical"
    is_number = kind == "Boolean" or (dtype.is_integer() and "128" not in kind)
    if not is_number and kind not in ("Categorical", "Enum", "Date", "Datetime", "Duration", "Time"):
        return encode_objects(np.fromiter(column.to_list(), dtype=object, count=len(column)), own)
    absent = column.is_null().to_numpy() if column.null_count() else None
    filling = False if kind == "Boolean" else np.iinfo(np.int64).min if kind in ("Datetime", "Duration") else 0
    values = column.to_physical().fill_null(filling).to_numpy()
    if is_number:
        return encode_integers(values, absent, own)
    if kind in ("Datetime", "Duration"):
        import pandas as pd

        index = pd.Index(values.view(f"{'M' if kind == 'Datetime' else 'm'}8[{dtype.time_unit}]"))
        zone = getattr(dtype, "time_zone", None)
        return encode_index(index if zone is None else index.tz_localize("UTC").tz_convert(zone), own)
    codes, found, _ = number_integers(values, absent, own)
    return codes, column.gather(first_rows(codes, len(found))).to_list()
