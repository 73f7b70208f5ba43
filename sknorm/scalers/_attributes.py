"""Fitted attributes that several scalers have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._fitted import fitted, nan_where_unseen


class RangeAttributes:
    """What a scaler that learns the range of every column shows of it."""

    _learned: Any

    @fitted
    def data_min_(self) -> NDArray[np.float64]:
        """The minimum of every column."""
        statistic = self._learned.statistic
        return nan_where_unseen(statistic.min, statistic.count)[0]

    @fitted
    def data_max_(self) -> NDArray[np.float64]:
        """The maximum of every column."""
        statistic = self._learned.statistic
        return nan_where_unseen(statistic.max, statistic.count)[0]

    @fitted
    def data_range_(self) -> NDArray[np.float64]:
        """The range of every column."""
        return self._learned.statistic.range()[0]


class MaxAbsAttributes:
    """What a scaler that learns the largest absolute value of every column shows of it."""

    _learned: Any

    @fitted
    def max_abs_(self) -> NDArray[np.float64]:
        """The largest absolute value of every column."""
        return self._learned.statistic.max_abs()[0]
