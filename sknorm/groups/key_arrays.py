"""The keys of an array as numbers, and the distinct keys as Python has them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from reprlib import Repr
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sknorm.kernels._keys import (
    first_rows,
    integers_of_floats,
    integers_of_objects,
    number_integers,
    number_objects,
    number_texts,
)

Codes: TypeAlias = NDArray[np.intp]
Keys: TypeAlias = NDArray[np.int64] | list[Any]
Encoded: TypeAlias = tuple[Codes, Keys]

# Keys of just these types are as they should be.
PLAIN = frozenset({int, bool, bytes, date, datetime, time, timedelta, UUID})

SHORT = Repr()
SHORT.maxdict, SHORT.maxlist, SHORT.maxset, SHORT.maxother = 2, 3, 3, 80


def encode_array(values: NDArray[Any], own: bool) -> Encoded:
    """Return the numbers and keys of an array."""
    if values.ndim != 1:
        raise ValueError(f"A key must be a column of one dimension, not {values.ndim}.")
    kind = values.dtype.kind
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    if kind in "iub":
        return encode_integers(values, None, own)
    if kind in "OT":
        return encode_objects(values.astype(object, copy=False), own)
    if kind in "US":
        return encode_fixed(values, own)
    if kind == "f":
        return encode_floats(values, own)
    if kind in "mM":
        return encode_times(values, own)
    raise impossible(f"an array of {values.dtype}")


def encode_integers(values: NDArray[Any], absent: NDArray[np.bool_] | None, own: bool) -> Encoded:
    """Return the numbers and keys of integers or booleans, of which some may be absent."""
    codes, keys, missing = number_integers(values, absent, own)
    if values.dtype == np.bool_:
        return codes, with_missing(keys != 0, missing)
    if values.dtype == np.uint64 and keys.min(initial=0) < 0:
        return codes, with_missing(keys.view(np.uint64), missing)
    return codes, keys if missing < 0 else with_missing(keys, missing)


def with_missing(keys: NDArray[Any], missing: int) -> list[Any]:
    """Return keys as a list, None in the place of the missing one."""
    listed: list[Any] = keys.tolist()
    if missing >= 0:
        listed[missing] = None
    return listed


def encode_floats(values: NDArray[Any], own: bool) -> Encoded:
    """Return the numbers and keys of floats: those of integers if all are whole."""
    doubles = np.ascontiguousarray(values, dtype=np.float64)
    if values.dtype.itemsize > 8 and not np.array_equal(doubles, values, equal_nan=True):
        raise impossible(f"an array of {values.dtype}")
    integers = integers_of_floats(doubles, True)
    if integers is not None:
        return encode_integers(*integers, own)
    bits, absent = integers_of_floats(doubles, False)  # type: ignore[misc]
    codes, keys, missing = number_integers(bits, absent, own)
    return codes, with_missing(keys.view(np.float64), missing)


def encode_fixed(values: NDArray[Any], own: bool) -> Encoded:
    """Return the numbers and keys of strings or bytes of a fixed width."""
    values = np.ascontiguousarray(values)
    n, width = len(values), values.dtype.itemsize
    data = values.view(np.uint8) if n * width else np.empty(0, dtype=np.uint8)
    codes, rows, _ = number_texts(data, None, n, width, None, own)
    return codes, values[rows].tolist()


def encode_times(values: NDArray[Any], own: bool) -> Encoded:
    """Return the numbers and keys of datetimes or durations, in a unit that pandas has."""
    import pandas as pd

    kind, unit = values.dtype.kind, np.datetime_data(values.dtype)[0]
    if values.dtype.str[2:] not in ("8[s]", "8[ms]", "8[us]", "8[ns]"):
        if kind == "m" and unit in ("Y", "M"):
            raise impossible(f"an array of {values.dtype}")
        nearest = unit if unit in ("ms", "us") else "ns" if unit in ("ns", "ps", "fs", "as") else "s"
        rounded = values.astype(f"{kind}8[{nearest}]")
        if not ((rounded.astype(values.dtype) == values) | np.isnat(values)).all():
            raise impossible(f"an array of {values.dtype}")
        values = rounded
    return encode_index(pd.Index(values), own)


def encode_objects(values: NDArray[np.object_], own: bool) -> Encoded:
    """Return the numbers and keys of Python objects."""
    if not len(values) or type(values[0]) is int:
        integers = integers_of_objects(values)
        if integers is not None:
            return encode_integers(integers, None, own)
    codes, keys, others = number_objects(values, own, PLAIN, canonical)
    if not own:
        codes, keys = without_missing(codes, keys, others)
    if keys and type(keys[0]) is int and set(map(type, keys)) == {int}:
        try:
            return codes, np.array(keys, dtype=np.int64)
        except OverflowError:
            pass
    return codes, keys


def without_missing(codes: Codes, keys: list[Any], others: dict[Any, int]) -> tuple[Codes, list[Any]]:
    """Return the codes and keys without the tuples that have a missing part: they are missing."""
    missing = [number for key, number in others.items() if type(key) is tuple and lacks(key)]
    if not missing:
        return codes, keys
    codes, found, _ = number_integers(codes, np.isin(codes, [*missing, -1]), False)
    return codes, [keys[number] for number in found.tolist()]


def lacks(key: tuple[Any, ...]) -> bool:
    """Say whether a part of a key, at any depth, is missing."""
    return any(part is None or (type(part) is tuple and lacks(part)) for part in key)


def encode_index(index: Any, own: bool) -> Encoded:
    """Return the numbers and keys of a pandas Index of datetimes, durations or periods."""
    absent = index.isna()
    codes, found, missing = number_integers(index.asi8, absent if absent.any() else None, own)
    distinct = index.take(first_rows(codes, len(found)))
    keys = list(distinct)
    if missing >= 0:
        keys[missing] = None
    if index.dtype.kind == "M" and ((distinct.year < 1) | (distinct.year > 9999)).any():
        keys = [canonical(key) for key in keys]
    return codes, keys


def canonical(key: Any) -> Any:
    """Return a key as it should be: None if it is missing, of Python's type rather than NumPy's or a subclass.

    Raises
    ------
    TypeError
        If it cannot be a key.
    """
    if key is None or type(key) in PLAIN:
        return key
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, tuple):
        return tuple(map(canonical, key))
    if isinstance(key, float):
        return None if key != key else float.__float__(key) + 0.0
    if isinstance(key, np.generic):
        _, keys = encode_array(np.array([key]), True)
        return keys[0] if isinstance(keys, list) else type(key).item(key)
    if isinstance(key, int):
        return int.__int__(key)
    name = type(key).__name__
    if name == "NAType" or (isinstance(key, Decimal) and key.is_nan()):
        return None
    if name == "Timestamp" and not 1 <= key.year <= 9999:
        return finest(key)
    try:
        hash(key)
        return None if key != key else key
    except (TypeError, ValueError):
        raise impossible(f"{SHORT.repr(key)} ({name})") from None


def from_numpy(value: np.datetime64 | np.timedelta64) -> Any:
    """Return a time or duration in one of pandas' units as a Timestamp or Timedelta."""
    import pandas as pd

    return (pd.Timestamp if value.dtype.kind == "M" else pd.Timedelta)(value)


def finest(key: Any) -> Any:
    """Return a timestamp of a year that Python has not in the finest unit that holds it: pandas hashes the number."""
    for unit in ("us", "ms"):
        try:
            return key.as_unit(unit)
        except ValueError:  # out of bounds
            pass
    return key


def impossible(what: str) -> TypeError:
    """Return the error to raise for what cannot be a key."""
    return TypeError(f"A key argument must be a string, a number, a date or a tuple of these, not {what}.")
