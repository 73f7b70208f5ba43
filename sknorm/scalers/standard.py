"""z-score."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from sknorm._base import Scaler
from sknorm._fitted import as_counted, fitted, fitted_columns, nan_where_unseen
from sknorm._learned import refuse_overflowing_moments
from sknorm.statistics import Moments
from sknorm.statistics.rule import Rule


class StandardScaler(Scaler):
    """Centre every column at its mean and divide by its standard deviation.

    ``z = (x − μ)/σ`` with ``σ = √(Σ w (x − μ)² / (Σ w − ddof))``. Missing values are ignored in learning and stay in
    transforming. A constant column has scale 1, so it becomes 0.

    Parameters
    ----------
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.
    with_mean : bool, default=True
        Whether to centre. Sparse input needs False.
    with_std : bool, default=True
        Whether to divide by the standard deviation.
    ddof : float, default=0
        Delta degrees of freedom. Where it leaves none, the variance is 0 and the scale 1.
    clip : float, tuple of (float, float) or None, default=None
        Where scaled values are clipped: to [−clip, clip], or to the pair. In standard deviations.
    clip_mode : {"hard", "soft"}, default="hard"
        "hard" cuts; "soft" maps z to clip·z/√(z² + clip²), which keeps order and can be inverted.
    half_life : float, default=None
        Values of a column after which a value's weight has halved, so that newer ones count more; None forgets nothing.
        Missing values and rows of weight 0 do not count. Not together with `window`; only `fit` takes another one.
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
    mean_ : ndarray of shape (n_features,) or None
        The means; NaN for a column without a value, None if nothing is centred or scaled.
    var_ : ndarray of shape (n_features,) or None
        The variances; None if ``with_std=False``.
    scale_ : ndarray of shape (n_features,) or None
        The standard deviations, 1 for a constant; None if ``with_std=False``.
    n_samples_seen_ : int, float or ndarray of shape (n_features,)
        The number of values (the sum of their weights) of every column, one number where all are equal. With a
        `half_life`, the sum of the weights that are left; with a `window`, of the values in rows that count now.
    outliers_ : OutlierClipper or None
        A copy of ``outliers``, fitted: its bounds and counts.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    RobustScaler : By median and quartiles, which outliers do not move.

    Notes
    -----
    A column is constant where ``var ≤ n·eps·var + (n·mean·eps)²``, scikit-learn's rule, with n capped at 10,000.

    With ``half_life=h`` a value of weight w that was followed by a others of its column weighs ``w · 2^(−a/h)``. Such
    scalers merge as of their last rows.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37(3), 1983. G. Cormode, V. Shkapenyuk, D. Srivastava and B. Xu,
    "Forward decay: a practical time decay model for streaming systems", ICDE 2009.

    Examples
    --------
    >>> from sknorm import StandardScaler
    >>> X = [[1.0, 5.0], [3.0, 5.0]]
    >>> scaler = StandardScaler().fit(X)
    >>> scaler.transform(X)
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> scaler.partial_fit([[5.0, 5.0]]).mean_
    array([3., 5.])
    >>> StandardScaler(half_life=1).fit([[0.0], [0.0], [7.0]]).mean_  # of weights 1/4, 1/2 and 1
    array([4.])
    """

    _statistic = Moments
    _accept_sparse = ("csr", "csc")
    _parameter_constraints: ClassVar[dict[str, Any]] = Scaler._parameter_constraints | {
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
        "ddof": [Interval(Real, 0, None, closed="left")],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        *,
        copy: bool = True,
        with_mean: bool = True,
        with_std: bool = True,
        ddof: float = 0,
        clip: float | tuple[float, float] | None = None,
        clip_mode: Literal["hard", "soft"] = "hard",
        half_life: float | None = None,
        window: int | None = None,
        outliers: Any = None,
    ) -> None:
        self.copy = copy
        self.with_mean = with_mean
        self.with_std = with_std
        self.ddof = ddof
        self.clip = clip
        self.clip_mode = clip_mode
        self.half_life = half_life
        self.window = window
        self.outliers = outliers

    def _check_sparse(self, verb: str) -> None:
        if self.with_mean:
            raise ValueError(
                f"Cannot {verb} sparse matrices: pass `with_mean=False` instead. "
                "See docstring for motivation and alternatives."
            )

    def _check_overflow(self, statistic: Moments, names: Any) -> None:
        refuse_overflowing_moments(statistic, names, self.ddof)

    def _rule(self) -> Rule:
        return Rule("mean" if self.with_mean else "none", "std" if self.with_std else "none", ddof=self.ddof)

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Scale X by what was learned; nothing is learned from it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data. Missing values (NaN) stay.
        copy : bool, default=None
            False works in place and returns X itself, if X is a writeable float array; None means the parameter.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled data, float32 if X is, else float64.

        Raises
        ------
        ValueError
            If X holds an infinity that is not clipped first, or has another width than the data that was learned from.
        """
        return self._transform(X, self.copy if copy is None else copy)

    def inverse_transform(self, X: Any, copy: bool | None = None) -> Any:
        """Undo ``transform``; what was cut by a hard clip comes back as the bound.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Scaled data. Missing values (NaN) stay.
        copy : bool, default=None
            False works in place and returns X itself, if X is a writeable float array; None means the parameter.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The data in its original units; ±infinity where a soft clip had rounded to its bound.

        Raises
        ------
        ValueError
            If X holds an infinity, or has another width than the data that was learned from.
        """
        return self._inverse_transform(X, self.copy if copy is None else copy)

    @fitted_columns
    def mean_(self, statistic: Moments) -> NDArray[np.float64] | None:
        """The means."""
        if not self.with_mean and not self.with_std:
            return None
        return nan_where_unseen(statistic.mean, statistic.count)

    @fitted_columns
    def var_(self, statistic: Moments) -> NDArray[np.float64] | None:
        """The variances."""
        return statistic.variance(self.ddof) if self.with_std else None

    @fitted_columns
    def scale_(self, statistic: Moments) -> NDArray[np.float64] | None:
        """The standard deviations, 1 for a constant."""
        return self._scale_of(statistic) if self.with_std else None

    @fitted
    def n_samples_seen_(self) -> Any:
        """The number of values of every column."""
        return as_counted(self._learned.statistic.count[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_mean
        return tags
