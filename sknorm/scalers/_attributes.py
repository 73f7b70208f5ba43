"""Fitted attributes that several scalers have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._fitted import fitted_columns, nan_where_unseen


class RangeAttributes:
    """What a scaler that learns the range of every column shows of it."""

    @fitted_columns
    def data_min_(self, statistic: Any) -> NDArray[np.float64]:
        """The minimum of every column."""
        return nan_where_unseen(statistic.min, statistic.count)

    @fitted_columns
    def data_max_(self, statistic: Any) -> NDArray[np.float64]:
        """The maximum of every column."""
        return nan_where_unseen(statistic.max, statistic.count)

    @fitted_columns
    def data_range_(self, statistic: Any) -> NDArray[np.float64]:
        """The range of every column."""
        return statistic.range()


class MaxAbsAttributes:
    """What a scaler that learns the largest absolute value of every column shows of it."""

    @fitted_columns
    def max_abs_(self, statistic: Any) -> NDArray[np.float64]:
        """The largest absolute value of every column."""
        return statistic.max_abs()
