"""The state of a fitted scaler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm.maps import Map


class Learned:
    """All that was learned, swapped in whole: a reader sees the state before or after, never between.

    The map follows from the statistic and the parameters, so it is made when it is first wanted: a stream that only
    learns never pays. ``checked`` says whether the parameters are those that `fit` checked.
    """

    __slots__ = ("checked", "map", "n_rows", "statistic")

    def __init__(self, statistic: Any, n_rows: float, checked: bool = True) -> None:
        self.statistic = statistic
        self.n_rows = n_rows
        self.checked = checked
        self.map: Map | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Learned, (self.statistic, self.n_rows, self.checked)

    def merge(self, other: Learned) -> Learned:
        """Return what both learned, under the parameters of this one; neither changes."""
        return Learned(self.statistic.merge(other.statistic), self.n_rows + other.n_rows, self.checked)


def refuse_overflow(values: NDArray[np.float64], count: NDArray[np.float64], what: str, names: Any) -> None:
    """Raise for the first column with values where what was learned from them is not finite."""
    columns = np.flatnonzero((~np.isfinite(values) & (count > 0)).any(axis=0))
    if columns.size:
        name = columns[0] if names is None else repr(names[columns[0]])
        raise ValueError(
            f"The {what} of column {name} overflows float64; divide the column by a power of ten before it is learned."
        )
