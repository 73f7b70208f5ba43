"""Decimal scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._fitted import fitted_columns
from sknorm.scalers._attributes import MaxAbsAttributes
from sknorm.statistics import Extremes
from sknorm.statistics.rule import Rule, exponents


class DecimalScaler(MaxAbsAttributes, Scaler):
    """Move the decimal point of every column until all values are below 1 in size.

    ``y = x/10^j`` with j the smallest integer for which ``max|x|/10^j < 1``, at most 308. Digits stay as they are, and
    zero stays zero, so sparse input stays sparse. Missing values are ignored in learning and stay in transforming. A
    column of zeros has j = 0.

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
    exponent_ : ndarray of shape (n_features,), int
        j; 0 for a column without a value.
    max_abs_ : ndarray of shape (n_features,)
        The largest absolute value; NaN for a column without a value.
    scale_ : ndarray of shape (n_features,)
        ``10^j``.
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
    MaxAbsScaler : By the largest absolute value itself.

    References
    ----------
    J. Han, M. Kamber and J. Pei, "Data Mining: Concepts and Techniques", 3rd edition, 2012, section 3.5.2.

    Examples
    --------
    >>> from sknorm import DecimalScaler
    >>> scaler = DecimalScaler().fit([[-986.0], [917.0]])
    >>> scaler.exponent_
    array([3])
    >>> scaler.transform([[-986.0], [917.0]])
    array([[-0.986],
           [ 0.917]])
    """

    _statistic = Extremes
    _accept_sparse = ("csr", "csc")
    _clip_interval = (-1.0, 1.0)

    def _rule(self) -> Rule:
        return Rule(scale="power")

    @fitted_columns
    def exponent_(self, statistic: Extremes) -> NDArray[np.int64]:
        """The exponent of ten of every column."""
        return exponents(statistic.max_abs())

    @fitted_columns
    def scale_(self, statistic: Extremes) -> NDArray[np.float64]:
        """The divisor of every column."""
        return self._scale_of(statistic)
