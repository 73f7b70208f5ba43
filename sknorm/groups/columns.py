"""Which columns of a table are keys, and which are values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sknorm._validation import column_of, has_names


class Columns(NamedTuple):
    """The positions of keys, in the order in which they were named, and of values."""

    keys: tuple[int, ...]
    values: NDArray[np.intp]

    @property
    def n_columns(self) -> int:
        """The width of the table."""
        return len(self.keys) + len(self.values)


def columns_by(by: Any, X: Any) -> Columns:
    """Return which columns of X are keys, and which are values.

    Raises
    ------
    ValueError
        If there is no such column, if one is named twice, or if none is left for values.
    """
    n_columns = X.shape[1]
    names = list(map(str, X.columns)) if has_names(X) else None
    keys = [position(name, names, n_columns) for name in as_list(by)]
    if len(set(keys)) < len(keys):
        raise ValueError(f"by={by!r} names a column twice.")
    values = np.array([i for i in range(n_columns) if i not in set(keys)], np.intp)
    if not values.size:
        raise ValueError(f"X has {n_columns} feature(s), all of them keys (by={by!r}); there is none left to scale.")
    return Columns(tuple(keys), values)


def as_list(by: Any) -> list[Any]:
    """Return the names or positions of the keys."""
    if isinstance(by, (list, tuple)):
        if not by:
            raise ValueError("by must name one column at least; None is for no keys, or for those given as groups.")
        return list(by)
    return [by]


def position(name: Any, names: list[str] | None, n_columns: int) -> int:
    """Return the position of a column that is named, or counted, from the end if negative."""
    if isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_)):
        if not -n_columns <= name < n_columns:
            raise ValueError(f"by={name!r} is no column of X, which has {n_columns}.")
        return int(name) % n_columns
    if not isinstance(name, str):
        raise ValueError(f"by must be names or positions of columns, not {name!r}.")
    if names is None:
        raise ValueError(f"by={name!r} names a column, but X is no data frame; give the position of the column.")
    if name not in names:
        raise ValueError(f"by={name!r} is no column of X, which has {names}.")
    return names.index(name)


def keys_in(X: Any, columns: Columns) -> list[Any]:
    """Return the columns of keys of a table."""
    return [column_of(X, i) for i in columns.keys]


def keys_given(groups: Any, n_samples: int, n_parts: int | None = None) -> list[Any]:
    """Return the columns of keys that are given beside a table.

    Raises
    ------
    ValueError
        If there is not one key for each row, or if they have another number of parts than before.
    """
    if not hasattr(groups, "shape"):
        groups = as_array(groups)
    shape = tuple(groups.shape)
    if len(shape) not in (1, 2) or shape[0] != n_samples or (len(shape) == 2 and shape[1] == 0):
        raise ValueError(f"groups must have one key for each of the {n_samples} rows, but is of shape {shape}.")
    columns = [groups] if len(shape) == 1 else [column_of(groups, i) for i in range(shape[1])]
    if n_parts is not None and len(columns) != n_parts:
        raise ValueError(f"groups has keys of {len(columns)} part(s), but was fitted with {n_parts}.")
    return columns


def as_array(groups: Any) -> NDArray[Any]:
    """Return keys, or lists of their parts, as an array of objects; tuples are keys."""
    try:
        groups = list(groups)
    except TypeError:
        raise ValueError(f"groups must have one key for each row, but is {groups!r}.") from None
    if groups and all(isinstance(key, (list, np.ndarray)) for key in groups):
        if len({len(key) for key in groups}) > 1:
            raise ValueError("groups has keys of different numbers of parts.")
        table = np.empty((len(groups), len(groups[0])), object)
        for i, key in enumerate(groups):
            table[i] = key
        return table
    return np.fromiter(groups, object, len(groups))
