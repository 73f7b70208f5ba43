"""Batch normalization."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from sknorm._fitted import as_counted, fitted, fitted_columns
from sknorm._gain import CONSTRAINTS, row_of
from sknorm._learned import Learned, refuse_overflow, weight_of
from sknorm._mapped import MappedLearner
from sknorm.maps import Affine
from sknorm.statistics import Running, Update


class BatchNorm(MappedLearner):
    """Centre and scale by running statistics of batches, as the layer of that name in deep learning.

    ``y = (x − μ)/√(σ² + ε) · γ + β``, μ and σ² being the running mean and variance. Each `partial_fit` is one batch,
    and changes them as the framework's layer does in training: with momentum m, ``μ ← (1 − m)·μ + m·μ_batch`` in
    PyTorch and ``μ ← m·μ + (1 − m)·μ_batch`` in MXNet and Keras, from μ = 0 and σ² = 1 on. `fit` begins anew and keeps
    the statistics of its one batch, as ``momentum=None`` does. `transform` uses the running statistics alone, as the
    layer does in evaluation, so a row's output never depends on its neighbours. Missing values are ignored in learning
    and stay in transforming; a column that has no variance in a batch (no value, or one with "torch") stays as it was.
    A column that was constant in ``fit`` becomes β.

    Parameters
    ----------
    momentum : float or None, default=0.1
        What the framework of `update` calls so: the weight of the new batch in PyTorch (0.1 there), that of what was
        known before in MXNet (0.9) and Keras (0.99). None takes the average of all batches.
    eps : float, default=1e-5
        ε, in squared units of the data: what is added to the variance. Keras has 1e-3.
    gamma : float or array-like of shape (n_features,), default=None
        γ, what the result is multiplied by; None for 1.
    beta : float or array-like of shape (n_features,), default=None
        β, what is added then; None for 0.
    update : {"torch", "mxnet", "keras"}, default="torch"
        Whose rule `partial_fit` follows. PyTorch keeps the unbiased variance (m2/(n − 1)), so a batch of one row is an
        error; the others keep the biased one (m2/n).
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        The running means; 0 for a column without a value.
    var_ : ndarray of shape (n_features,)
        The running variances; 1 for a column without a value.
    scale_ : ndarray of shape (n_features,)
        √(σ² + ε), 1 where that is 0.
    n_batches_ : int or ndarray of shape (n_features,)
        The number of batches that had values of a column, one number where all are equal.
    n_samples_seen_ : int, float or ndarray of shape (n_features,)
        The number of values (the sum of their weights) of every column, one number where all are equal.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    StandardScaler : By the mean and variance of all rows, or with ``half_life`` of the latest.
    LayerNorm : By the mean and variance of each row.

    Notes
    -----
    Running statistics depend on the order of the batches, so they `merge` with ``momentum=None`` alone. γ and β are
    given, not learned: that takes a gradient.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", ICML 2015.

    Examples
    --------
    >>> from sknorm import BatchNorm
    >>> norm = BatchNorm().partial_fit([[10.0], [30.0]])
    >>> norm.mean_, norm.var_
    (array([2.]), array([20.9]))
    >>> BatchNorm(eps=0).fit([[10.0], [30.0]]).transform([[20.0], [20 + 200**0.5]]).ravel()
    array([0., 1.])
    """

    _statistic = Running  # type: ignore[assignment]
    _starts_from_nothing = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "momentum": [Interval(Real, 0, 1, closed="both"), None],
        "eps": [Interval(Real, 0, None, closed="left")],
        **CONSTRAINTS,
        "update": [StrOptions({"torch", "mxnet", "keras"})],
        "copy": ["boolean"],
    }

    def __init__(
        self,
        momentum: float | None = 0.1,
        eps: float = 1e-5,
        *,
        gamma: float | ArrayLike | None = None,
        beta: float | ArrayLike | None = None,
        update: Literal["torch", "mxnet", "keras"] = "torch",
        copy: bool = True,
    ) -> None:
        self.momentum = momentum
        self.eps = eps
        self.gamma = gamma
        self.beta = beta
        self.update = update
        self.copy = copy

    # Learning.

    def _update(self) -> Update:
        """Return how a batch changes what is known."""
        if self.update == "torch":
            return Update(None if self.momentum is None else float(self.momentum), ddof=1)
        return Update(None if self.momentum is None else 1.0 - float(self.momentum), ddof=0)

    def _no_rows(self, n_groups: int, n_features: int, names: Any = None) -> Running:
        return Running.zero(n_groups, n_features, self._update())

    def _begin(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Running:
        update = self._update()
        alone = self._no_rows(n_groups, X.shape[1]).changed(update._replace(share=None))
        return alone.after(X, sample_weight, codes).changed(update)

    def _remembered(self, history: Any, names: Any) -> Running:
        self._check_memory(history, names)
        remembered: Running = history.changed(self._update())
        return remembered

    def _go_on(self, learned: Learned | None, X: Any, weights: NDArray[np.float64] | None, names: Any) -> Learned:
        if self.update == "torch" and 0 < weight_of(X, weights) <= 1:
            raise ValueError(
                "BatchNorm(update='torch') expects more than 1 row in a batch, whose variance is divided by n - 1, but "
                f"got 1 sample (a weight of {weight_of(X, weights):g} in {X.shape[0]} row(s)); "
                "learn from larger batches, or set update='keras'."
            )
        return super()._go_on(learned, X, weights, names)

    def _check_now(self, now: Running, names: Any) -> None:
        for name in ("gamma", "beta"):
            self._row_of(name, now.mean.shape[1])
        super()._check_now(now, names)

    def _check_overflow(self, statistic: Running, names: Any) -> None:
        refuse_overflow(statistic.mean, statistic.count, "mean", names)
        refuse_overflow(statistic.variance, statistic.count, "variance", names)

    # Transforming.

    def _row_of(self, name: str, n_features: int) -> NDArray[np.float64] | None:
        return row_of(name, getattr(self, name), n_features)

    def _map_of(self, learned: Learned) -> Affine:
        running: Running = learned.statistic
        n_features = running.mean.shape[1]
        gamma, beta = self._row_of("gamma", n_features), self._row_of("beta", n_features)
        return Affine(running.mean, self._scale_of(running), gamma, beta)

    def _scale_of(self, running: Running) -> NDArray[np.float64]:
        scale = np.sqrt(running.variance + self.eps)
        return np.where(scale == 0, 1.0, scale)

    def _inverse_transform(self, X: Any, copy: bool) -> Any:
        map_: Any = self._fitted_map()
        gamma = map_.gain
        if gamma is not None and (gamma == 0).any():
            raise ValueError(
                f"gamma is 0 in column {int(np.flatnonzero(gamma[0] == 0)[0])}, so what was there cannot be restored."
            )
        return super()._inverse_transform(X, copy)

    # What was learned.

    @fitted_columns
    def mean_(self, running: Running) -> NDArray[np.float64]:
        """The running means."""
        return running.mean

    @fitted_columns
    def var_(self, running: Running) -> NDArray[np.float64]:
        """The running variances."""
        return running.variance

    @fitted_columns
    def scale_(self, running: Running) -> NDArray[np.float64]:
        """√(σ² + ε), 1 where that is 0."""
        return self._scale_of(running)

    @fitted
    def n_batches_(self) -> int | NDArray[Any]:
        """The number of batches, one number where all columns are equal."""
        return as_counted(self._learned.statistic.n_batches[0])

    @fitted
    def n_samples_seen_(self) -> int | float | NDArray[Any]:
        """The number of values, one number where all columns are equal."""
        return as_counted(self._learned.statistic.count[0])
