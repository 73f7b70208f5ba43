"""Clipping to learned bounds."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknorm._base import Scaler
from sknorm._clipping import check_quantile_range
from sknorm._fitted import fitted_columns, nan_where_unseen, whole_numbers
from sknorm._learned import Learned, refuse_overflowing_moments, refuse_weight
from sknorm._limits import as_parameter, limits_of, placed
from sknorm._validation import check_scaled
from sknorm.maps import Affine, Chain, Elementwise, Fence
from sknorm.statistics import Clipped, Fenced, FenceRule, Quantiles, Statistic, Unordered
from sknorm.statistics.fence import WIDER, Bounds
from sknorm.statistics.sparse import columns_of, summed

# What fold="auto" means.
FOLDS = {"sigma": 3.0, "iqr": 1.5, "mad": 3.29}


class OutlierClipper(Scaler):
    """Clip every column to bounds learned from it.

    ``y = min(max(x, lower), upper)``, where the bounds are, by `method`:

    - "sigma": μ ± fold·σ
    - "iqr": q₂₅ − fold·(q₇₅ − q₂₅) and q₇₅ + fold·(q₇₅ − q₂₅), Tukey's fences
    - "mad": median ± fold·median|x − median|/0.67449
    - "quantile": the two quantiles of `quantile_range`
    - "limits": those given in `limits`

    Missing values are ignored in learning and stay in transforming. Infinities are clipped to the bound too, and are
    never learned from. A column whose spread is zero is not cut down to its most frequent value: a MAD of zero gives
    way to the IQR, an IQR of zero to the distance of the 5th and 95th percentile, this, like two equal quantiles, to
    the range, each taken as it is, and a constant column is not clipped at all. `fit` is exact; `partial_fit` and
    `merge` go on with a quantile sketch, exact while a column has no more than 1,200 or so distinct values and within 1
    % of rank after.

    Parameters
    ----------
    method : {"sigma", "iqr", "mad", "quantile", "limits"}, default="iqr"
        What the bounds are made of. Outliers move "sigma" themselves; "iqr" withstands up to 25 % of them on a side,
        "mad" up to 50 %, and "quantile" as many on a side as it cuts off. Of a skewed column "mad" cuts off much of the
        longer tail: take its logarithm first, or another method.
    fold : float or "auto", default="auto"
        How many spreads the bounds are away: "auto" means 3 for "sigma", 1.5 for "iqr" and 3.29 for "mad". The other
        methods take none.
    tail : {"both", "left", "right"}, default="both"
        The side that is clipped; the bound of the other is ∓infinity.
    quantile_range : tuple of (float, float), default=(1, 99)
        The two quantiles of "quantile", in percent.
    limits : tuple of (float, float), dict or None, default=None
        The bounds of "limits", in the units of the data: one pair (low, high) for all columns, or a dict of pairs by
        the name or the position of a column (in a `GroupedScaler`, among those that are scaled). None in place of a
        bound leaves its side open, and columns that are not in the dict are not clipped.
    action : {"clip", "missing"}, default="clip"
        What becomes of a value outside: the bound, or a missing value (NaN).
    infinite : {"clip", "error"}, default="clip"
        Whether ±infinity is a value outside like any other, or an error. Where the side is open and `action` is "clip",
        there is no bound to go to: it is passed over in learning, and an error in transforming.
    indicator : bool, default=False
        Whether `transform` appends a column for each one: −1 where a value was below its bound, 1 where it was above,
        else 0. They are named after the column, with ``_clipped``.
    window : int, default=None
        Learn from the last so many rows alone, those without a value included and those of weight 0 not; None forgets
        nothing. Rows are dropped in panes of ``window // 16`` (1 at least), so from window to ``window · (1 + 1/16)``
        of them count. Clippers with a window do not merge, and only `fit` takes another one.
    half_life : float, default=None
        With "sigma": values of a column after which a value's weight has halved, so that newer ones count more; None
        forgets nothing. Not together with `window`; only `fit` takes another one.
    chunk_size : int, default=100
        Rows that `prequential_transform` takes together, also in a scaler that has the clipper as its ``outliers``:
        each is clipped to the bounds that were known before its chunk. 1 takes rows one by one.

    Attributes
    ----------
    lower_ : ndarray of shape (n_features,)
        The lower bounds, in the units of the data; −infinity where there is none, NaN for a column without a value
        (which is not clipped).
    upper_ : ndarray of shape (n_features,)
        The upper bounds.
    n_clipped_low_ : ndarray of shape (n_features,)
        How many of the values learned from (the sum of their weights) were below the bounds that their own batch led
        to, or −infinity. All count, also those that a `window` has forgotten.
    n_clipped_high_ : ndarray of shape (n_features,)
        How many were above.
    n_samples_seen_ : int or float
        The number of rows (the sum of their weights), with a `window` of those that count now.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    StandardScaler : Every scaler takes a clipper as its ``outliers``, so that they distort neither its statistics nor
        its output.

    Notes
    -----
    ``inverse_transform`` returns what it is given, without the indicators: what was cut cannot be restored.

    References
    ----------
    J. W. Tukey, "Exploratory Data Analysis", 1977. C. Leys, C. Ley, O. Klein, P. Bernard and L. Licata, "Detecting
    outliers: do not use standard deviation around the mean, use absolute deviation around the median", Journal of
    Experimental Social Psychology 49(4), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm import OutlierClipper
    >>> X = [[1.0], [2.0], [3.0], [4.0], [1000.0]]
    >>> clipper = OutlierClipper().fit(X)
    >>> clipper.lower_, clipper.upper_, clipper.n_clipped_high_
    (array([-1.]), array([7.]), array([1]))
    >>> clipper.transform([[-5.0], [3.0], [np.inf], [np.nan]]).ravel()
    array([-1.,  3.,  7., nan])
    >>> OutlierClipper("limits", limits=(0, None), action="missing", indicator=True).fit_transform([[-5.0], [3.0]])
    array([[nan, -1.],
           [ 3.,  0.]])
    """

    _accept_sparse = ("csr", "csc")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "method": [StrOptions({*FOLDS, "quantile", "limits"})],
        "fold": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "tail": [StrOptions({"both", "left", "right"})],
        "quantile_range": [tuple],
        "limits": [tuple, dict, None],
        "action": [StrOptions({"clip", "missing"})],
        "infinite": [StrOptions({"clip", "error"})],
        "indicator": ["boolean"],
        "window": Scaler._parameter_constraints["window"],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        method: Literal["sigma", "iqr", "mad", "quantile", "limits"] = "iqr",
        *,
        fold: float | Literal["auto"] = "auto",
        tail: Literal["both", "left", "right"] = "both",
        quantile_range: tuple[float, float] = (1, 99),
        limits: tuple[float | None, float | None] | dict[Any, tuple[float | None, float | None]] | None = None,
        action: Literal["clip", "missing"] = "clip",
        infinite: Literal["clip", "error"] = "clip",
        indicator: bool = False,
        window: int | None = None,
        half_life: float | None = None,
        chunk_size: int = 100,
    ) -> None:
        self.method = method
        self.fold = fold
        self.tail = tail
        self.quantile_range = quantile_range
        self.limits = limits
        self.action = action
        self.infinite = infinite
        self.indicator = indicator
        self.window = window
        self.half_life = half_life
        self.chunk_size = chunk_size

    # Parameters.

    def _check_parameters(self) -> None:
        if self.fold != "auto" and self.method not in FOLDS:
            raise ValueError(
                f"fold={self.fold!r} has no meaning for method={self.method!r}; leave it 'auto'"
                + (", and give quantile_range, in percent." if self.method == "quantile" else ".")
            )
        check_quantile_range(self.quantile_range)
        if self.quantile_range[0] == self.quantile_range[1]:
            raise ValueError(f"quantile_range must be a pair (low, high) with low < high, not {self.quantile_range!r}.")
        if (self.method == "limits") != (self.limits is not None):
            raise ValueError(
                f"limits={self.limits!r} does not go with method={self.method!r}; give both, "
                "e.g. method='limits' and limits=(0, 100), or neither."
            )
        limits_of(self.limits)
        if self.half_life is not None and self.method != "sigma":
            raise ValueError(
                f"half_life={self.half_life!r} forgets means and deviations, which method={self.method!r} does not "
                "read; use method='sigma', or window."
            )

    def _check_inside(self, owner: str) -> None:
        """Raise where the clipper cannot be the ``outliers`` of a scaler."""
        self._check_all_parameters()
        self._check_in_groups(owner)

    def _check_in_groups(self, owner: str) -> None:
        if self.indicator:
            raise ValueError(
                f"indicator=True has no place in {owner}, which keeps its columns; "
                "put the OutlierClipper before it in a pipeline."
            )

    def _fitted_as(self, history: Clipped, n_rows: float, names: Any) -> OutlierClipper:
        """Return a clipper that has learned this along with a scaler, with the parameters of then."""
        fenced, clipper = history.fenced, clone(self)
        rule = fenced.rule
        clipper.set_params(
            method=rule.method,
            fold="auto" if rule.fold == FOLDS.get(rule.method, 0.0) else rule.fold,
            tail=rule.tail,
            quantile_range=rule.quantile_range,
            limits=as_parameter(rule.limits) if rule.method == "limits" else None,
            action="missing" if rule.drops else "clip",
            infinite="clip" if rule.takes else "error",
            window=fenced.window,
            half_life=fenced.half_life,
        )
        if fenced.n_rows is not None:
            n_rows = fenced.n_rows
        elif history.n_rows is not None:  # of the scaler's window: those of a column that has all values, if one has
            n_rows = float(fenced.count.max())
        clipper._take_over(Learned(fenced, n_rows), names, first=True)
        return clipper

    def _check_sparse(self, verb: str) -> None:
        pass

    def _fence_rule(self, names: Any) -> FenceRule:
        """Return how the bounds are made; ``names`` may have ``feature_names_in_``."""
        return FenceRule(
            self.method,
            float(FOLDS.get(self.method, 0.0) if self.fold == "auto" else self.fold),
            self.tail,
            (float(self.quantile_range[0]), float(self.quantile_range[1])),
            placed(limits_of(self.limits), getattr(names, "feature_names_in_", None)),
            self.action == "missing",
            self.infinite == "clip",
        )

    # Learning.

    @property
    def _statistic(self) -> type[Unordered]:  # type: ignore[override]
        return FenceRule(self.method).kind

    @property
    def _takes_infinities(self) -> bool:  # type: ignore[override]
        return self.infinite == "clip"

    def _begin(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Statistic:
        if self._statistic is not Quantiles:
            return super()._begin(X, sample_weight, codes, n_groups)
        rule, mad = FenceRule(self.method, quantile_range=self.quantile_range), self.method == "mad"
        probabilities = rule.probabilities
        learned = Quantiles.exact(X, sample_weight, codes, n_groups, probabilities=probabilities, mad=mad)
        if mad or self.method == "iqr":  # where these are zero, wider quantiles are to be exact too
            spread = learned.mad() if mad else learned.quantile(0.75) - learned.quantile(0.25)
            if (spread == 0).any():
                wider = probabilities + WIDER
                return Quantiles.exact(X, sample_weight, codes, n_groups, probabilities=wider, mad=mad)
        return learned

    def _no_rows(self, n_groups: int, n_features: int, names: Any = None) -> Fenced:
        return Fenced.of_spread(super()._no_rows(n_groups, n_features), self._fence_rule(names), n_features)

    def _first_spread(
        self, X: Any, weights: NDArray[np.float64] | None, codes: NDArray[np.intp] | None, n_groups: int, names: Any
    ) -> Fenced:
        """Return what a first batch leads to, before what is outside is counted."""
        nothing = self._no_rows(n_groups, X.shape[1], names)
        if self.half_life is None and self.window is None:
            return nothing.learning(lambda rows: self._begin(rows, weights, codes, n_groups), X)
        return nothing.spread_after(X, weights, codes)

    def _first(
        self,
        X: Any,
        weights: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
        names: Any = None,
    ) -> Fenced:
        fenced = self._first_spread(X, weights, codes, n_groups, names)
        return fenced.counting(*fenced.bounds().outside(X, weights, codes))

    def _remembered(self, history: Fenced, names: Any) -> Fenced:
        self._check_memory(history, names)
        return history.changed(rule=self._fence_rule(names))

    def _check_memory(self, history: Any, names: Any) -> None:
        super()._check_memory(history, names)
        if history.rule.kind is not self._statistic:
            raise ValueError(
                f"method is {self.method!r} and was {history.rule.method!r} when {type(self).__name__} was fitted, "
                "which learns something else: call fit to begin again."
            )

    def _check_overflow(self, statistic: Fenced, names: Any) -> None:
        if self.method == "sigma":
            refuse_overflowing_moments(statistic.spread, names)
        elif self.method == "limits":
            statistic.bounds()  # which has a column for each, also if it comes from a document
        with np.errstate(over="ignore"):
            refuse_weight(float(statistic.below.sum() + statistic.above.sum()))

    # Transforming.

    def _derive(self, statistic: Any, constant: float = 1.0) -> Affine:
        return Affine()

    def _bounds_of(self, now: Fenced) -> Bounds:
        if "_learned" not in self.__dict__:  # of a GroupedScaler, which lets nothing be changed, and has the names
            return now.bounds()
        rule = self._fence_rule(self)
        return (now.changed(rule=rule) if rule.kind is now.rule.kind else now).bounds()

    def _apply(self, map_: Elementwise, X: Any, copy: bool) -> Any:
        fence = map_.maps[0] if isinstance(map_, Chain) and map_.maps else None
        if not self.indicator or not isinstance(fence, Fence):
            return super()._apply(map_, X, copy)
        out, flags = super()._apply(map_, X, True), flags_of(X, fence)
        if not sp.issparse(out):
            return np.hstack([out, flags.astype(out.dtype)])
        return type(out)(sp.hstack([out, flags.astype(out.dtype)], format=out.format))

    def inverse_transform(self, X: Any) -> Any:
        """Return X, without its indicators: what was clipped comes back as the bound.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or twice as wide with ``indicator=True``
            Clipped data. Missing values (NaN) stay.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The same values.

        Raises
        ------
        ValueError
            If X holds an infinity, or is of another width.
        """
        return self._inverse_transform(X, True)

    def _inverse_transform(self, X: Any, copy: bool) -> Any:
        map_ = self._fitted_map()
        n_features = self.n_features_in_
        X = check_scaled(self, X, accept_sparse=self._accept_sparse, n_columns=n_features * (1 + self.indicator))
        return self._apply(map_.inverse(), X[:, :n_features], copy)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the columns of X; None means those that X had in ``fit``, or x0, x1, ….

        Returns
        -------
        names : ndarray of str objects
            The names, and with ``indicator=True`` those of the indicators, ``<name>_clipped``, after them.
        """
        check_is_fitted(self, "n_features_in_")
        names: NDArray[Any] = _check_feature_names_in(self, input_features)
        if not self.indicator:
            return names
        return np.concatenate([names, np.array([f"{name}_clipped" for name in names], dtype=object)])

    # What was learned.

    @fitted_columns
    def lower_(self, statistic: Fenced) -> NDArray[np.float64]:
        """The lower bounds."""
        return self._known(self._bounds_of(statistic).low, statistic)

    @fitted_columns
    def upper_(self, statistic: Fenced) -> NDArray[np.float64]:
        """The upper bounds."""
        return self._known(self._bounds_of(statistic).high, statistic)

    def _known(self, end: NDArray[np.float64], statistic: Fenced) -> NDArray[np.float64]:
        return end if self.method == "limits" else nan_where_unseen(end, statistic.count)

    @fitted_columns
    def n_clipped_low_(self, statistic: Fenced) -> NDArray[Any]:
        """How many values were below their bound when they were learned."""
        return whole_numbers(statistic.below)

    @fitted_columns
    def n_clipped_high_(self, statistic: Fenced) -> NDArray[Any]:
        """How many values were above their bound when they were learned."""
        return whole_numbers(statistic.above)


def flags_of(X: Any, fence: Fence) -> Any:
    """Return −1 where a value is below its bound, 1 where it is above, else 0; a sparse matrix of a sparse one."""
    if sp.issparse(X):
        X = summed(X)
        flags = X.copy()
        columns = columns_of(X)
        flags.data = beyond(X.data, fence.low[0, columns], fence.high[0, columns]).astype(X.dtype)
        flags.eliminate_zeros()
        return flags
    return beyond(X, fence.low[0], fence.high[0])


def beyond(values: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return −1 for what is less than low, 1 for what is more than high; an infinity lies outside an open side too."""
    above = (values > high) | np.isposinf(values)
    return above.astype(np.int8) - ((values < low) | np.isneginf(values))
