"""Min-max scaling."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._clipping import check_pair
from sknorm._fitted import fitted_columns, nan_where_unseen
from sknorm._learned import refuse_overflow
from sknorm.scalers._attributes import RangeAttributes
from sknorm.statistics import Extremes
from sknorm.statistics.rule import Rule


class MinMaxScaler(RangeAttributes, Scaler):
    """Map the range of every column onto an interval.

    ``y = (x − min)/(max − min) · w + a`` for ``feature_range=(a, b)``, where w is the largest double up to b − a for
    which ``w + a`` rounds to b or less: rows that were learned from (and not dropped by a `window`) stay inside the
    interval, exactly. Missing values are ignored in learning and stay in transforming. A constant column becomes a.

    Parameters
    ----------
    feature_range : tuple of (float, float), default=(0, 1)
        The interval (a, b), a < b.
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.
    clip : bool, float or tuple of (float, float), default=False
        Where scaled values are clipped: True to `feature_range`, a number to [−clip, clip], a pair to itself.
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
    data_min_, data_max_, data_range_ : ndarray of shape (n_features,)
        Minimum, maximum and their difference; NaN for a column without a value.
    scale_ : ndarray of shape (n_features,)
        ``(b − a)/data_range_``, as in scikit-learn; 1 in place of the range of a constant.
    min_ : ndarray of shape (n_features,)
        ``a − data_min_ · scale_``, as in scikit-learn.
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
    MaxAbsScaler : Into [−1, 1] without moving zero; takes sparse input.
    MeanScaler : By the same range, but centred at the mean.

    References
    ----------
    J. Han, M. Kamber and J. Pei, "Data Mining: Concepts and Techniques", 3rd edition, 2012, section 3.5.2.

    Examples
    --------
    >>> from sknorm import MinMaxScaler
    >>> scaler = MinMaxScaler(clip=True).fit([[0.0], [4.0]])
    >>> scaler.transform([[1.0], [9.0]])
    array([[0.25],
           [1.  ]])
    """

    _statistic = Extremes
    _parameter_constraints: ClassVar[dict[str, Any]] = Scaler._parameter_constraints | {"feature_range": [tuple]}

    def __init__(
        self,
        feature_range: tuple[float, float] = (0, 1),
        *,
        copy: bool = True,
        clip: bool | float | tuple[float, float] = False,
        clip_mode: Literal["hard", "soft"] = "hard",
        window: int | None = None,
        outliers: Any = None,
    ) -> None:
        self.feature_range = feature_range
        self.copy = copy
        self.clip = clip
        self.clip_mode = clip_mode
        self.window = window
        self.outliers = outliers

    @property
    def _clip_interval(self) -> tuple[float, float]:  # type: ignore[override]
        return self.feature_range

    def _check_parameters(self) -> None:
        check_pair("feature_range", self.feature_range)
        if self.feature_range[0] >= self.feature_range[1]:
            raise ValueError(
                f"Minimum of desired feature range must be smaller than maximum. Got {self.feature_range}."
            )

    def _check_sparse(self, verb: str) -> None:
        raise TypeError("MinMaxScaler does not support sparse input. Consider using MaxAbsScaler instead.")

    def _check_overflow(self, statistic: Extremes, names: Any) -> None:
        if statistic.overflows():
            refuse_overflow(statistic.range(), statistic.count, "range", names)

    def _rule(self) -> Rule:
        low, high = (float(bound) for bound in self.feature_range)
        return Rule("min", "range", gain=largest_gain(low, high), shift=low)

    @fitted_columns
    def scale_(self, statistic: Extremes) -> NDArray[np.float64]:
        """The factor of every column, as scikit-learn has it."""
        low, high = self.feature_range
        return (high - low) / self._scale_of(statistic)

    @fitted_columns
    def min_(self, statistic: Extremes) -> NDArray[np.float64]:
        """The offset of every column, as scikit-learn has it."""
        low, high = self.feature_range
        low_of_data = nan_where_unseen(statistic.min, statistic.count)
        return low - low_of_data * ((high - low) / self._scale_of(statistic))


def largest_gain(low: float, high: float) -> float:
    """Return the largest double w ≤ high − low for which low + w rounds to high or less.

    Rounding is monotone, so what is at most 1 before stays at most ``high`` after; high − low itself overshoots for
    intervals such as (−2, 0.1).
    """
    gain = high - low
    while gain + low > high:
        gain = math.nextafter(gain, -math.inf)
    return gain
