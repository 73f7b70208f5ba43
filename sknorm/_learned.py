"""The state of a fitted scaler."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sknorm.maps import Elementwise
from sknorm.statistics import Statistic

Weights: TypeAlias = NDArray[np.float64] | None


class Learned:
    """All that was learned, swapped in whole: a reader sees the state before or after, never between.

    What a scaler reads of the history follows from it, and the map from that and the parameters. Both are made when
    they are first wanted, so a stream that only learns never pays for the map. ``checked`` says whether the parameters
    are those that `fit` checked.
    """

    __slots__ = ("_now", "checked", "history", "map", "n_rows")

    def __init__(self, history: Statistic, n_rows: float, checked: bool = True) -> None:
        self.history = history
        self.n_rows = n_rows
        self.checked = checked
        self.map: Elementwise | None = None
        self._now: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Learned, (self.history, self.n_rows, self.checked)

    @property
    def now(self) -> Any:
        """What the history says of the rows that count, with the weights that they have by now."""
        if self._now is None:
            self._now = self.history.now()
        return self._now

    @property
    def statistic(self) -> Any:
        """What the scaler's rule reads of it."""
        return self.now.own

    def after(self, history: Statistic, n_rows: float) -> Learned:
        """Return what is learned when the history has gone on by rows of this weight, under the same parameters."""
        kept = history.n_rows
        total = self.n_rows + n_rows if kept is None else kept
        refuse_weight(total)
        return Learned(history, total, self.checked)

    def merge(self, other: Learned) -> Learned:
        """Return what both learned, under the parameters of this one; neither changes."""
        return self.after(self.history.merge(other.history), other.n_rows)


def refuse_weight(total: float) -> None:
    """Raise where weights add up to more than float64 holds."""
    if not math.isfinite(total):
        raise ValueError("The sum of all sample_weight so far overflows float64; divide the weights by a power of ten.")


def refuse_overflow(values: NDArray[np.float64], count: NDArray[np.float64], what: str, names: Any) -> None:
    """Raise for the first column with values where what was learned from them is not finite."""
    columns = np.flatnonzero((~np.isfinite(values) & (count > 0)).any(axis=0))
    if columns.size:
        name = columns[0] if names is None else repr(names[columns[0]])
        raise ValueError(
            f"The {what} of column {name} overflows float64; divide the column by a power of ten before it is learned."
        )


def refuse_overflowing_moments(moments: Any, names: Any, ddof: float = 0) -> None:
    """Raise for the first column whose count, mean or variance is not finite."""
    if moments.overflows(ddof):
        with np.errstate(over="ignore"):
            refuse_weight(moments.count.sum())  # of a half-life, whose weights grow
        refuse_overflow(moments.mean, moments.count, "mean", names)
        refuse_overflow(moments.m2, moments.count, "variance", names)
        refuse_overflow(moments.variance(ddof), moments.count, "variance", names)


def weight_of(X: Any, weights: Weights) -> float:
    """Return what the rows of a table count together."""
    return float(X.shape[0] if weights is None else weights.sum())
