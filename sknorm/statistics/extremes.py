"""Count, minimum and maximum, alone and together with the moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknorm.statistics._table import Table
from sknorm.statistics.moments import Moments


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


class MomentsAndExtremes(Moments, Extremes):
    """Both of one read: what mean normalization needs."""

    __slots__ = ()
    ROWS = slice(0, 6)
