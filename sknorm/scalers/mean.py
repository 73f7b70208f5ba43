"""Mean normalization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._fitted import fitted_columns, nan_where_unseen
from sknorm._learned import refuse_overflow
from sknorm.scalers._attributes import RangeAttributes
from sknorm.statistics import MomentsAndExtremes
from sknorm.statistics.rule import Rule


class MeanScaler(RangeAttributes, Scaler):
    """Centre every column at its mean and divide by its range.

    ``y = (x − μ)/(max − min)``, so learned values lie in [−1, 1] and span 1. Missing values are ignored in learning and
    stay in transforming. A constant column becomes 0.

    Parameters
    ----------
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.
    clip : bool, float or tuple of (float, float), default=False
        Where scaled values are clipped: True to [−1, 1], a number to [−clip, clip], a pair to itself.
    clip_mode : {"hard", "soft"}, default="hard"
        "hard" cuts; "soft" takes a number and maps y to clip·y/√(y² + clip²), which keeps order and can be inverted.
    window : int, default=None
        Learn from the last so many rows alone, those without a value included and those of weight 0 not; None forgets
        nothing. Rows are dropped in panes of ``window // 16`` (1 at least), so from window to ``window · (1 + 1/16)``
        of them count. Scalers with a window do not merge, and only `fit` takes another one.
    outliers : OutlierClipper, default=None
        What is clipped first: its bounds are learned from each batch, what lies outside is clipped to them, then the
        rest is learned, and so is clipped what `transform` gets. Batches before are not clipped in hindsight. None
        clips nothing first. Only `fit` takes another one.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        The means; NaN for a column without a value.
    data_min_, data_max_, data_range_ : ndarray of shape (n_features,)
        Minimum, maximum and their difference; NaN for a column without a value.
    scale_ : ndarray of shape (n_features,)
        The range, 1 for a constant.
    n_samples_seen_ : int or float
        The number of rows (the sum of their weights), with a `window` of those that count now.
    outliers_ : OutlierClipper or None
        A copy of ``outliers``, fitted: its bounds and counts.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    MinMaxScaler : By the same range, from the minimum.
    StandardScaler : From the same centre, by the standard deviation.

    References
    ----------
    S. Galli, "Python Feature Engineering Cookbook", 2nd edition, 2022, chapter 7.

    Examples
    --------
    >>> from sknorm import MeanScaler
    >>> MeanScaler().fit_transform([[1.0], [2.0], [6.0]])
    array([[-0.4],
           [-0.2],
           [ 0.6]])
    """

    _statistic = MomentsAndExtremes
    _clip_interval = (-1.0, 1.0)

    def _check_overflow(self, statistic: MomentsAndExtremes, names: Any) -> None:
        if statistic.overflows():
            refuse_overflow(statistic.range(), statistic.count, "range", names)
            refuse_overflow(statistic.mean, statistic.count, "mean", names)

    def _rule(self) -> Rule:
        return Rule("mean", "range")

    @fitted_columns
    def mean_(self, statistic: MomentsAndExtremes) -> NDArray[np.float64]:
        """The means."""
        return nan_where_unseen(statistic.mean, statistic.count)

    @fitted_columns
    def scale_(self, statistic: MomentsAndExtremes) -> NDArray[np.float64]:
        """The range, 1 for a constant."""
        return self._scale_of(statistic)
