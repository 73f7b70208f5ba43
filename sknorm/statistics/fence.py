"""Bounds beyond which values are outliers: how they are made of a statistic, and what they do to a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm.kernels import _apply
from sknorm.kernels.threads import effective_n_threads, map_chunks
from sknorm.statistics._base import Unordered
from sknorm.statistics._table import fenced_chunks
from sknorm.statistics.extremes import Extremes
from sknorm.statistics.moments import Moments
from sknorm.statistics.quantiles import Quantiles
from sknorm.statistics.sparse import columns_of, entries_of, summed

Values = NDArray[np.float64]
Codes = NDArray[np.intp] | None
Learned = TypeVar("Learned")

LARGEST = float(np.finfo(np.float64).max)

# The median absolute deviation of the standard normal distribution.
MAD_OF_NORMAL = 0.67449

# A spread is zero if it is no more than this beside the values that it is of: so much may be rounding.
ROUNDING = 10 * float(np.finfo(np.float64).eps)

# What takes the place of an IQR that is zero.
WIDER = (0.05, 0.95)


class Bounds(NamedTuple):
    """Bounds of shape (n_groups, n_features), ∓infinity where a side is open, and what becomes of values outside.

    With ``drops`` these are missing, else the bound. With ``takes`` infinities lie outside like other values; where a
    side is open they are missing too, since no statistic takes them.
    """

    low: Values
    high: Values
    drops: bool
    takes: bool

    def fenced(self, X: Any, codes: Codes = None) -> Any:
        """Return a batch as it is to be learned from, in double, each row within the bounds of its group."""
        if sp.issparse(X):
            return self._fenced_sparse(X)
        low, high, to_low, to_high = self._ends()
        parameters = np.empty((1, _apply.N_PARAMETERS, *low.shape))
        parameters[0, 6:] = low, high, to_low, to_high
        program = _apply.Program((_apply.STAGE_FENCE,), parameters)
        rows, n_samples = X.astype(np.float64, copy=False), X.shape[0]
        out = np.empty_like(rows, subok=False) if X.dtype == np.float64 else rows
        step = max(1, -(-n_samples // effective_n_threads()))
        map_chunks(
            lambda start: program(rows, out, start, min(start + step, n_samples), codes),
            range(0, n_samples, step),
            rows.nbytes,
        )
        return out

    def _ends(self) -> tuple[Values, Values, Values, Values]:
        """Return finite bounds, beyond which infinities always are, and what replaces what lies outside."""
        none_low, none_high = self.drops | np.isinf(self.low), self.drops | np.isinf(self.high)
        low, high = np.maximum(self.low, -LARGEST), np.minimum(self.high, LARGEST)
        return low, high, np.where(none_low, np.nan, low), np.where(none_high, np.nan, high)

    def _fenced_sparse(self, X: Any) -> Any:
        outside = (self.low[0] > 0) | (self.high[0] < 0)
        if outside.any():
            raise ValueError(
                f"The zeros of a sparse matrix lie outside the bounds of column {np.flatnonzero(outside)[0]}, so they "
                "would all be stored; convert X to a dense array."
            )
        X = summed(X).astype(np.float64)
        low, high, to_low, to_high = (end[0, columns_of(X)] for end in self._ends())
        X.data = np.where(X.data > high, to_high, np.where(X.data < low, to_low, X.data))
        return X

    def outside(self, X: Any, sample_weight: Values | None = None, codes: Codes = None) -> tuple[Values, Values]:
        """Return the weight of the values of a batch below and above the bounds, each (n_groups, n_features)."""
        shape, (low, high, *_) = self.low.shape, self._ends()
        if sp.issparse(X):
            return self._outside_sparse(summed(X), low, high, sample_weight)
        if sample_weight is None and codes is None:
            counts = fenced_chunks(X, self, False, False)
            below, above = (np.sum([chunk[i] for chunk in counts], axis=0)[np.newaxis] for i in (1, 2))
            return below, above
        group = np.zeros(X.shape[0], np.intp) if codes is None else codes
        found = []
        for beyond in (low[group] > X, high[group] < X):
            rows, columns = np.nonzero(beyond)
            weights = None if sample_weight is None else sample_weight[rows]
            found.append(
                np.bincount(group[rows] * shape[1] + columns, weights, low.size).astype(np.float64).reshape(shape)
            )
        return found[0], found[1]

    def _outside_sparse(self, X: Any, low: Values, high: Values, weights: Values | None) -> tuple[Values, Values]:
        implicit = entries_of(without_infinities(X), weights, None, 1).implicit
        stored = X.tocoo()
        weight = None if weights is None else weights[stored.row]
        found: list[Values] = []
        for beyond, zero in (
            (stored.data < low[0, stored.col], low > 0),
            (stored.data > high[0, stored.col], high < 0),
        ):
            counts = np.bincount(stored.col[beyond], None if weight is None else weight[beyond], X.shape[1])
            found.append(np.where(zero, implicit, 0.0) + counts.astype(np.float64))
        return found[0], found[1]


@dataclass(frozen=True)
class FenceRule:
    """How bounds are made of a statistic; see `OutlierClipper` for the parameters.

    ``limits`` are triples of a column, a low and a high bound; the column None means all.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import FenceRule, Moments
    >>> bounds = FenceRule("sigma", fold=3.0).bounds(Moments.of(np.array([[1.0], [3.0]])))
    >>> bounds.low, bounds.high
    (array([[-1.]]), array([[5.]]))
    """

    method: Literal["sigma", "iqr", "mad", "quantile", "limits"]
    fold: float = 0.0
    tail: Literal["both", "left", "right"] = "both"
    quantile_range: tuple[float, float] = (1.0, 99.0)
    limits: tuple[tuple[int | None, float, float], ...] = ()
    drops: bool = False
    takes: bool = True

    @property
    def kind(self) -> type[Unordered]:
        """What has to be learned."""
        return {"sigma": Moments, "limits": Extremes}.get(self.method, Quantiles)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The quantiles that the bounds are made of."""
        if self.method == "quantile":
            return self.quantile_range[0] / 100, self.quantile_range[1] / 100
        return (0.25, 0.5, 0.75) if self.method == "mad" else (0.25, 0.75)

    def bounds(self, statistic: Any) -> Bounds:
        """Return the bounds that follow from what was learned; open where nothing is known, or no spread."""
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = getattr(self, f"_{self.method}")(statistic)
        low = np.where(np.isnan(low) | (self.tail == "right"), -np.inf, low)
        high = np.where(np.isnan(high) | (self.tail == "left"), np.inf, high)
        return Bounds(low, high, self.drops, self.takes)

    def _sigma(self, moments: Any) -> tuple[Values, Values]:
        return self._around(moments.mean, moments.mean, rounded(np.sqrt(moments.variance()), moments.mean))

    def _mad(self, quantiles: Any) -> tuple[Values, Values]:
        median = quantiles.quantile(0.5)
        spread = rounded(quantiles.mad() / MAD_OF_NORMAL, median)
        spread = widened(spread, lambda: apart(*quantiles.quantiles((0.25, 0.75))))
        return self._around(median, median, widest(spread, quantiles))

    def _iqr(self, quantiles: Any) -> tuple[Values, Values]:
        low, high = quantiles.quantiles((0.25, 0.75))
        return self._around(low, high, widest(apart(low, high), quantiles))

    def _around(self, low: Values, high: Values, spread: Values) -> tuple[Values, Values]:
        reach = np.where(spread > 0, self.fold * spread, np.nan)
        # A bound that overflows is one all the same: beyond it lie infinities.
        return np.maximum(low - reach, -LARGEST), np.minimum(high + reach, LARGEST)

    def _quantile(self, quantiles: Any) -> tuple[Values, Values]:
        low, high = quantiles.quantiles(self.probabilities)
        narrow = ~(apart(low, high) > 0)
        low, high = np.where(narrow, quantiles.min, low), np.where(narrow, quantiles.max, high)
        constant = ~(apart(low, high) > 0)
        return np.where(constant, np.nan, low), np.where(constant, np.nan, high)

    def _limits(self, statistic: Any) -> tuple[Values, Values]:
        low, high = np.full(statistic.count.shape, -np.inf), np.full(statistic.count.shape, np.inf)
        for column, least, most in self.limits:
            if column is not None and column >= low.shape[1]:
                raise ValueError(f"limits has bounds for column {column}, but X has {low.shape[1]} features.")
            columns = slice(None) if column is None else column
            low[:, columns], high[:, columns] = least, most
        return low, high


def rounded(spread: Values, centre: Values) -> Values:
    """Return the spread of values about a centre, zero where it may be rounding."""
    return np.where(spread <= ROUNDING * np.abs(centre), 0.0, spread)


def apart(low: Values, high: Values) -> Values:
    """Return the distance of two quantiles, zero where it may be rounding."""
    return rounded(high - low, np.maximum(-low, high))


def widened(spread: Values, wider: Callable[[], Values]) -> Values:
    """Return the spread, where it is zero a wider one."""
    zero = spread == 0
    return np.where(zero, wider(), spread) if zero.any() else spread


def widest(spread: Values, quantiles: Any) -> Values:
    """Return the spread; where it is zero the distance of the outer quantiles, and where that is too the range."""
    spread = widened(spread, lambda: apart(*quantiles.quantiles(WIDER)))
    return widened(spread, lambda: apart(quantiles.min, quantiles.max))


def without_infinities(X: Any) -> Any:
    """Return a batch in which infinities are missing, X itself if it has none."""
    values = X.data if sp.issparse(X) else X
    infinite = np.isinf(values)
    if not infinite.any():
        return X
    X = X.copy()
    (X.data if sp.issparse(X) else X)[infinite] = np.nan
    return X


def learned_without_infinities(learn: Callable[[Any], Learned], X: Any) -> Learned:
    """Return what is learned of a batch in which infinities are missing; looked for only where they are refused."""
    try:
        return learn(X)
    except ValueError:
        X = summed(X) if sp.issparse(X) else X
        present = without_infinities(X)
        if present is X:
            raise
    return learn(present)
