"""A table taken apart into values, and keys as numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._learned import Weights
from sknorm._validation import as_float32, check_columns, check_mixed, check_names, check_table, check_width, is_plain
from sknorm.groups.columns import Columns, columns_by, keys_given, keys_in
from sknorm.groups.groups import Codes, Groups
from sknorm.groups.keys import Keys, encode

ONE_KEY = np.zeros(1, np.int64)


class Known(NamedTuple):
    """All that a `GroupedScaler` has learned.

    ``scaler`` is the clone whose rule it learns for, ``n_columns`` the width of X, ``n_parts`` the number of parts of a
    key, 0 where there are no keys, and ``columns`` are those of keys and values if X holds both.
    """

    scaler: Scaler
    groups: Groups
    n_columns: int
    n_parts: int
    columns: Columns | None

    @property
    def n_values(self) -> int:
        """The number of columns that are scaled."""
        return self.n_columns if self.columns is None else len(self.columns.values)


class Batch(NamedTuple):
    """Rows: their values, and the numbers of their keys among ``keys``, −1 for none; None where there is one group."""

    values: NDArray[Any]
    codes: Codes | None
    keys: Keys
    n_parts: int = 0
    columns: Columns | None = None
    table: Any = None
    names: Any = None
    takes_infinities: bool = False

    @property
    def X(self) -> NDArray[Any]:
        """The values as the kernels read them."""
        rows: NDArray[Any] = as_float32(self.values, self.takes_infinities)
        return rows

    @property
    def named(self) -> Any:
        """An object that has the names of the values, if they have any."""
        names = getattr(self.names, "feature_names_in_", None)
        if self.columns is not None:
            names = self.columns.values.tolist() if names is None else names[self.columns.values]
        return SimpleNamespace() if names is None else SimpleNamespace(feature_names_in_=names)

    @property
    def n_columns(self) -> int:
        """The width of the table."""
        return self.values.shape[1] if self.columns is None else self.columns.n_columns

    def with_keys(self, weights: Weights) -> tuple[NDArray[Any], Weights, Codes | None]:
        """Return rows, weights and codes of the rows that have a group of their own."""
        if self.codes is None or not self.codes.size or self.codes.min() >= 0:
            return self.X, weights, self.codes
        own = self.codes >= 0
        return self.X[own], None if weights is None else weights[own], self.codes[own]


def read(estimator: Any, names: Any, X: Any, groups: Any, known: Known | None) -> Batch:
    """Return a table taken apart, whose names and width ``names`` takes over if nothing is known, or else has."""
    columns, n_parts = (None, None) if known is None else (known.columns, known.n_parts)
    in_table = estimator.by is not None if known is None else columns is not None
    if in_table and groups is not None:
        raise ValueError(f"The keys are columns of X, by={estimator.by!r}; groups must be None.")
    if known is None or not is_plain(X, names):
        reset = known is None
        if in_table:
            X = check_mixed(names, X)
            check_names(names, X, reset=reset)
        else:
            X = check_table(names, X, reset=reset, accept_sparse=False)
    if known is not None:
        check_width(estimator, X, known.n_columns)  # of what is known, which another thread may just have replaced
    about = {"names": names, "takes_infinities": takes_infinities(estimator.scaler if known is None else known.scaler)}
    if not in_table:
        return beside(estimator, X, groups, n_parts)._replace(table=X, **about)
    return within(estimator, X, columns_by(estimator.by, X) if columns is None else columns)._replace(**about)


def takes_infinities(scaler: Scaler | None) -> bool:
    """Say whether infinities are for a scaler to clip; None is the default one."""
    return scaler is not None and scaler._takes_infinities


def within(estimator: Any, X: Any, columns: Columns) -> Batch:
    """Return a table taken apart whose columns hold keys and values."""
    values, parts = check_columns(estimator, X, columns.values), keys_in(X, columns)
    codes, keys = encode(parts, missing=estimator.missing_key)
    return Batch(values, codes, keys, len(parts), columns, X)


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
