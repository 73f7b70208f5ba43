"""Scaling by median and quartiles."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.utils._param_validation import Interval, StrOptions

from sknorm._base import Scaler
from sknorm._clipping import check_quantile_range
from sknorm._fitted import EPS, constant_as, fitted_columns
from sknorm._learned import refuse_overflow
from sknorm.maps import Affine
from sknorm.statistics import Quantiles
from sknorm.statistics.fence import MAD_OF_NORMAL


class RobustScaler(Scaler):
    """Centre every column at its median and divide by its interquartile range.

    ``z = (x − median)/(q₇₅ − q₂₅)``, or by the median absolute deviation, ``median|x − median|``. A few outliers move
    none of them. `fit` is exact; `partial_fit` and `merge` go on with a quantile sketch, exact while a column has no
    more than 1,200 or so distinct values and within 1 % of rank after. With a `window`, `fit` learns by sketches too.
    Missing values are ignored in learning and stay in transforming. Weights count repeats: the rank of a quantile q is
    ``q · (Σ w − 1)``, so weights that sum to 1 must be scaled up.

    Parameters
    ----------
    with_centering : bool, default=True
        Whether to centre at the median. Sparse input needs False.
    with_scaling : bool, default=True
        Whether to divide by the scale.
    quantile_range : tuple of (float, float), default=(25.0, 75.0)
        The two quantiles, in percent, whose distance is the scale. Unused with ``scale="mad"``.
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.
    unit_variance : bool, default=False
        Whether normally distributed columns shall get variance 1: the scale is divided by the distance of the same
        quantiles of the standard normal distribution, or by 0.67449 with ``scale="mad"``.
    scale : {"iqr", "mad"}, default="iqr"
        The range between two quantiles, or the median absolute deviation.
    zero_iqr : {"unit", "range"}, default="unit"
        What divides a column whose scale is zero: 1, as in scikit-learn, or its range, where that is not zero.
    clip : float, tuple of (float, float) or None, default=None
        Where scaled values are clipped: to [−clip, clip], or to the pair. In units of the scale.
    clip_mode : {"hard", "soft"}, default="hard"
        "hard" cuts; "soft" maps z to clip·z/√(z² + clip²), which keeps order and can be inverted.
    window : int, default=None
        Learn from the last so many rows alone, those without a value included and those of weight 0 not; None forgets
        nothing. Rows are dropped in panes of ``window // 16`` (1 at least), so from window to ``window · (1 + 1/16)``
        of them count. Scalers with a window do not merge, and only `fit` takes another one.
    chunk_size : int, default=100
        Rows that `prequential_transform` takes together: each is scaled by what was known before its chunk. 1 takes
        rows one by one, which reads the sketch for every row.
    outliers : OutlierClipper, default=None
        What is clipped first: its bounds are learned from each batch, what lies outside is clipped to them, then the
        rest is learned, and so is clipped what `transform` gets. Batches before are not clipped in hindsight. None
        clips nothing first. Only `fit` takes another one.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        The medians; NaN for a column without a value, None if ``with_centering=False``.
    scale_ : ndarray of shape (n_features,) or None
        The divisors; None if ``with_scaling=False``.
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
    StandardScaler : By mean and standard deviation.

    References
    ----------
    P. J. Rousseeuw and C. Croux, "Alternatives to the median absolute deviation", Journal of the American Statistical
    Association 88, 1993. Z. Karnin, K. Lang and E. Liberty, "Optimal quantile approximation in streams", FOCS 2016.

    Examples
    --------
    >>> from sknorm import RobustScaler
    >>> X = [[1.0], [2.0], [3.0], [4.0], [1000.0]]
    >>> RobustScaler().fit_transform(X).ravel()
    array([ -1. ,  -0.5,   0. ,   0.5, 498.5])
    """

    _statistic = Quantiles
    _accept_sparse = ("csr", "csc")
    _parameter_constraints: ClassVar[dict[str, Any]] = Scaler._parameter_constraints | {
        "with_centering": ["boolean"],
        "with_scaling": ["boolean"],
        "quantile_range": [tuple],
        "unit_variance": ["boolean"],
        "scale": [StrOptions({"iqr", "mad"})],
        "zero_iqr": [StrOptions({"unit", "range"})],
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        with_centering: bool = True,
        with_scaling: bool = True,
        quantile_range: tuple[float, float] = (25.0, 75.0),
        copy: bool = True,
        unit_variance: bool = False,
        scale: Literal["iqr", "mad"] = "iqr",
        zero_iqr: Literal["unit", "range"] = "unit",
        clip: float | tuple[float, float] | None = None,
        clip_mode: Literal["hard", "soft"] = "hard",
        window: int | None = None,
        chunk_size: int = 100,
        outliers: Any = None,
    ) -> None:
        self.with_centering = with_centering
        self.with_scaling = with_scaling
        self.quantile_range = quantile_range
        self.copy = copy
        self.unit_variance = unit_variance
        self.scale = scale
        self.zero_iqr = zero_iqr
        self.clip = clip
        self.clip_mode = clip_mode
        self.window = window
        self.chunk_size = chunk_size
        self.outliers = outliers

    def _check_parameters(self) -> None:
        check_quantile_range(self.quantile_range)
        low, high = self.quantile_range
        if self.unit_variance and self.scale == "iqr" and not 0 < low < high < 100:
            raise ValueError(
                f"unit_variance=True needs a quantile_range with 0 < low < high < 100, not {self.quantile_range}: "
                "other quantiles of the normal distribution are equal or infinite."
            )

    def _check_sparse(self, verb: str) -> None:
        if self.with_centering:
            raise ValueError(
                f"Cannot {verb} sparse matrices: use `with_centering=False` instead. "
                "See docstring for motivation and alternatives."
            )

    def _begin(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Quantiles:
        probabilities = (self.quantile_range[0] / 100, 0.5, self.quantile_range[1] / 100)
        return Quantiles.exact(X, sample_weight, codes, n_groups, probabilities=probabilities, mad=self.scale == "mad")

    def _check_overflow(self, statistic: Quantiles, names: Any) -> None:
        with np.errstate(over="ignore"):
            span = statistic.max - statistic.min
        if np.isposinf(span).any():  # no scale is wider, and a sketch takes long to read
            refuse_overflow(self._scale(statistic), statistic.count, "scale", names)

    def _derive(self, statistic: Quantiles, constant: float = 1.0) -> Affine:
        centre = statistic.quantile(0.5) if self.with_centering else None
        scale = self._scale(statistic, constant) if self.with_scaling else None
        return Affine(centre, scale)

    def _spread(self, statistic: Quantiles) -> NDArray[np.float64]:
        """Return the range between the quantiles, or the median absolute deviation."""
        if self.scale == "mad":
            return statistic.mad()
        low, high = self.quantile_range
        with np.errstate(over="ignore"):
            lower, upper = statistic.quantiles((low / 100, high / 100))
            return upper - lower

    def _scale(self, statistic: Quantiles, constant: float = 1.0) -> NDArray[np.float64]:
        spread = self._spread(statistic)
        scale = constant_as(spread, constant)
        if self.zero_iqr == "range":
            with np.errstate(over="ignore", invalid="ignore"):
                span = statistic.max - statistic.min
            scale = np.where(spread < 10 * EPS, constant_as(span, constant), scale)
        if self.unit_variance:
            low, high = self.quantile_range
            with np.errstate(over="ignore"):
                scale = scale / (MAD_OF_NORMAL if self.scale == "mad" else ndtri(high / 100) - ndtri(low / 100))
        return scale

    @fitted_columns
    def center_(self, statistic: Quantiles) -> NDArray[np.float64] | None:
        """The medians."""
        return statistic.quantile(0.5) if self.with_centering else None

    @fitted_columns
    def scale_(self, statistic: Quantiles) -> NDArray[np.float64] | None:
        """The divisors."""
        return self._scale(statistic) if self.with_scaling else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_centering
        return tags
