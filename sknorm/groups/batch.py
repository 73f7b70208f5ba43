"""A table taken apart into values, and keys as numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._keys import Keys, encode
from sknorm._learned import Weights
from sknorm._validation import as_float32, check_columns, check_mixed, check_table, is_plain
from sknorm.groups.columns import Columns, columns_by, keys_given, keys_in
from sknorm.groups.groups import Codes, Groups

ONE_KEY = np.zeros(1, np.int64)


class Known(NamedTuple):
    """All that a `GroupedScaler` has learned.

    ``scaler`` is the clone whose rule it learns for, ``columns`` are those of keys and values if X holds both, and
    ``n_parts`` is the number of parts of a key, 0 where there are no keys.
    """

    scaler: Scaler
    groups: Groups
    columns: Columns | None
    n_parts: int


class Batch(NamedTuple):
    """Rows: their values, and the numbers of their keys among ``keys``, −1 for none; None where there is one group."""

    values: NDArray[Any]
    codes: Codes | None
    keys: Keys
    n_parts: int = 0
    columns: Columns | None = None
    table: Any = None
    names: Any = None

    @property
    def X(self) -> NDArray[Any]:
        """The values as the kernels read them."""
        rows: NDArray[Any] = as_float32(self.values)
        return rows

    @property
    def named(self) -> Any:
        """An object that has the names of the values, if they have any."""
        names = getattr(self.names, "feature_names_in_", None)
        if names is None:
            return SimpleNamespace()
        return SimpleNamespace(feature_names_in_=names if self.columns is None else names[self.columns.values])

    def with_keys(self, weights: Weights) -> tuple[NDArray[Any], Weights, Codes | None]:
        """Return rows, weights and codes of the rows that have a group of their own."""
        if self.codes is None or not self.codes.size or self.codes.min() >= 0:
            return self.X, weights, self.codes
        own = self.codes >= 0
        return self.X[own], None if weights is None else weights[own], self.codes[own]


def read(estimator: Any, names: Any, X: Any, groups: Any, known: Known | None) -> Batch:
    """Return a table taken apart, whose names and width ``names`` takes over if nothing is known, or else has."""
    columns, n_parts = (None, None) if known is None else (known.columns, known.n_parts)
    if (estimator.by is not None) if known is None else (columns is not None):
        if groups is not None:
            raise ValueError(f"The keys are columns of X, by={estimator.by!r}; groups must be None.")
        if known is None or not is_plain(X, names):
            X = check_mixed(names, X, reset=known is None)
        if columns is None:
            columns = columns_by(estimator.by, X)
        values, parts = check_columns(estimator, X, columns.values), keys_in(X, columns)
    else:
        values = X
        if known is None or not is_plain(X, names):
            values = check_table(names, X, reset=known is None, accept_sparse=False)
        return beside(estimator, values, groups, n_parts)._replace(table=X, names=names)
    codes, keys = encode(parts, missing=estimator.missing_key)
    return Batch(values, codes, keys, len(parts), columns, X, names)


def beside(estimator: Any, values: NDArray[Any], groups: Any, n_parts: int | None) -> Batch:
    """Return values with the keys that are given beside them, of so many parts; None for any number of parts."""
    if groups is None:
        if n_parts:
            raise ValueError(f"{type(estimator).__name__} was fitted with keys; give those of the rows as groups.")
        return Batch(values, None, ONE_KEY)
    if n_parts == 0:
        raise ValueError(f"{type(estimator).__name__} was fitted without groups; groups must be None.")
    parts = keys_given(groups, values.shape[0], n_parts)
    codes, keys = encode(parts, missing=estimator.missing_key)
    return Batch(values, codes, keys, len(parts))


def row_weight(codes: Codes | None, weights: Weights, n_samples: int, n_groups: int) -> NDArray[np.float64]:
    """Return the weight of the rows of every group."""
    if codes is None:
        return np.array([n_samples if weights is None else weights.sum()], np.float64)
    return np.bincount(codes, weights, n_groups).astype(np.float64, copy=False)
