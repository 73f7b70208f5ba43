"""Scaling by the largest absolute value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._fitted import fitted_columns
from sknorm.scalers._attributes import MaxAbsAttributes
from sknorm.statistics import Extremes
from sknorm.statistics.rule import Rule


class MaxAbsScaler(MaxAbsAttributes, Scaler):
    """Divide every column by its largest absolute value.

    ``y = x/max|x|``. Zero stays zero, so sparse input stays sparse. Missing values are ignored in learning and stay in
    transforming. A column of zeros stays as it is.

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
    max_abs_ : ndarray of shape (n_features,)
        The largest absolute value; NaN for a column without a value.
    scale_ : ndarray of shape (n_features,)
        The same, with 1 in place of (nearly) zero.
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
    DecimalScaler : By the power of ten above the largest absolute value.

    References
    ----------
    J. Han, M. Kamber and J. Pei, "Data Mining: Concepts and Techniques", 3rd edition, 2012, section 3.5.2.

    Examples
    --------
    >>> from sknorm import MaxAbsScaler
    >>> MaxAbsScaler().fit_transform([[1.0], [-4.0]])
    array([[ 0.25],
           [-1.  ]])
    """

    _statistic = Extremes
    _accept_sparse = ("csr", "csc")
    _clip_interval = (-1.0, 1.0)

    def _rule(self) -> Rule:
        return Rule(scale="max_abs")

    @fitted_columns
    def scale_(self, statistic: Extremes) -> NDArray[np.float64]:
        """The divisor of every column."""
        return self._scale_of(statistic)
