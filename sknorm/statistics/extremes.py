"""Count, minimum and maximum, alone and together with the moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknorm._document import NON_FINITE, Node
from sknorm.statistics._table import Table
from sknorm.statistics.moments import Moments

# A mean of rounded sums may lie outside the range by some of its last digits; by this share of it, never.
ROUNDING = 1e-6


class Extremes(Table):
    """Count, minimum and maximum of every column; +inf and −inf where there is no value.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Extremes
    >>> extremes = Extremes.of(np.array([[1.0], [np.nan], [6.0]]))
    >>> extremes.count, extremes.min, extremes.max
    (array([[2.]]), array([[1.]]), array([[6.]]))
    """

    __slots__ = ()
    ROWS = slice(3, 6)

    @property
    def min(self) -> NDArray[np.float64]:
        """The smallest value."""
        return self.table[4 - self.ROWS.start]

    @property
    def max(self) -> NDArray[np.float64]:
        """The largest value."""
        return self.table[5 - self.ROWS.start]

    def range(self) -> NDArray[np.float64]:
        """Return max − min, NaN where there is no value; it can overflow to infinity."""
        with np.errstate(over="ignore"):
            return np.where(self.count > 0, self.max - self.min, np.nan)

    def max_abs(self) -> NDArray[np.float64]:
        """Return the largest absolute value, NaN where there is none."""
        return np.where(self.count > 0, np.maximum(-self.min, self.max), np.nan)

    def _check(self, fields: Node) -> None:
        super()._check(fields)
        check_extremes(fields, self.count, self.min, self.max)


class MomentsAndExtremes(Moments, Extremes):
    """Both of one read: what mean normalization needs."""

    __slots__ = ()
    ROWS = slice(0, 6)

    def _check(self, fields: Node) -> None:
        super()._check(fields)
        with np.errstate(over="ignore", invalid="ignore"):
            slack = ROUNDING * (self.max - self.min)
            outside = (self.mean < self.min - slack) | (self.mean > self.max + slack)
        fields["mean"].refuse(outside & (self.count > 0), "must lie between min and max")


def check_extremes(
    fields: Node, count: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Raise where the fields ``min`` and ``max`` are none that so many values can have."""
    seen = count > 0
    for name, array, absent in (("min", low, "Infinity"), ("max", high, "-Infinity")):
        fields[name].refuse(~np.isfinite(array) & seen, "must be finite where the count is not 0")
        fields[name].refuse((array != NON_FINITE[absent]) & ~seen, f"must be {absent!r} where the count is 0")
    fields["min"].refuse((low > high) & seen, "must not exceed max")
