"""The tables that are timed: shape, dtype, memory order, missing values, container."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Self, TypeAlias

import numpy as np

MISSING_SHARE = 0.05

DType: TypeAlias = Literal["float64", "float32"]
Order: TypeAlias = Literal["C", "F"]


@dataclass(frozen=True)
class Table:
    """What a table is like; `make_table` makes it.

    Parameters
    ----------
    shape : tuple of (int, int)
        Rows and columns.
    dtype : {"float64", "float32"}
        The values' type.
    order : {"C", "F"}
        Rows or columns contiguous.
    missing : bool
        Whether 5 % of the values are NaN.
    frame : bool
        Whether it is a pandas frame of one block, as ``DataFrame(array)`` makes it: its columns are contiguous.
    """

    shape: tuple[int, int] = (1_000_000, 10)
    dtype: DType = "float64"
    order: Order = "C"
    missing: bool = False
    frame: bool = False

    @property
    def n_values(self) -> int:
        """Rows times columns."""
        return self.shape[0] * self.shape[1]

    @property
    def n_bytes(self) -> int:
        """What the values take."""
        return self.n_values * np.dtype(self.dtype).itemsize

    def divided(self, by: int) -> Self:
        """Return the same with fewer rows, but with ten at least where it has ten; a single row stays."""
        rows, columns = self.shape
        return replace(self, shape=(max(min(rows, 10), rows // by), columns))

    def packed(self, X: Any, random: np.random.Generator) -> Any:
        """Return the values in the table's container."""
        if not self.frame:
            return X
        import pandas as pd

        return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


# The last two only: a table is 240 MB at most, and made in a second.
@lru_cache(maxsize=2)
def make_table(table: Table) -> Any:
    """Return the table: normal values, each column with an offset and a scale of its own; the same in every run."""
    random = np.random.default_rng(0)
    d = table.shape[1]
    X = np.empty(table.shape, dtype=table.dtype, order=table.order)
    random.standard_normal(dtype=X.dtype, out=(X if table.order == "C" else X.T).reshape(-1))
    X *= np.geomspace(0.5, 50.0, d, dtype=X.dtype)
    X += np.linspace(-3.0, 30.0, d, dtype=X.dtype)
    if table.missing:
        scatter_nan(X, random)
    return table.packed(X, random)


def scatter_nan(X: Any, random: np.random.Generator) -> None:
    """Make 5 % of the values NaN, in pieces of rows so that the mask stays small."""
    for start in range(0, len(X), 10_000):
        piece = X[start : start + 10_000]
        piece[random.random(piece.shape, dtype=np.float32) < MISSING_SHARE] = np.nan
