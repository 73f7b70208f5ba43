"""Learning: validates, keeps the past as the parameters say, and takes over what was learned all at once."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sknorm._callbacks import CallbackSupportMixin, Subtask, as_task
from sknorm._document import Node
from sknorm._learned import Learned, weight_of
from sknorm._validation import as_float32, check_table, check_weights, is_plain, plain_parameters, stand_in
from sknorm.state import Persistent
from sknorm.statistics import Statistic, Unordered
from sknorm.statistics.decayed import decay_over
from sknorm.statistics.windowed import window_over

NAMES = ("n_features_in_", "feature_names_in_")
LONGEST_WINDOW = 2**53


class Learner(Persistent, CallbackSupportMixin, BaseEstimator):
    """An estimator whose state is one statistic: it learns in parts, forgets, merges, and goes to and from documents.

    A subclass names its ``_statistic``.
    """

    _statistic: ClassVar[type[Unordered]]
    _accept_sparse: ClassVar[tuple[str, ...] | bool] = False
    half_life: float | None = None
    window: int | None = None
    # Whether an infinity is a value to learn from, or for the statistic to refuse.
    _takes_infinities: bool = False
    # Whether a first `partial_fit` goes on from the statistic of no rows, unlike `fit`.
    _starts_from_nothing: bool = False
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "window": [Interval(Integral, 1, LONGEST_WINDOW, closed="both"), None],
    }

    n_features_in_: int
    _learned: Learned

    # What a subclass may define.

    def _check_overflow(self, statistic: Any, names: Any) -> None:
        """Raise where what was learned from finite values is not finite; see `refuse_overflow`."""

    def _begin(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Statistic:
        """Return the statistic of a first batch, where nothing is forgotten."""
        return self._statistic.of(X, sample_weight, codes, n_groups)

    def _first(
        self,
        X: Any,
        weights: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
        names: Any = None,
    ) -> Statistic:
        """Return the statistic of a first batch; ``names`` may have ``feature_names_in_``."""
        if self.half_life is None and self.window is None:
            return self._begin(X, weights, codes, n_groups)
        return self._no_rows(n_groups, X.shape[1], names).after(X, weights, codes)

    def _check_parameters(self) -> None:
        """Raise where parameters contradict each other; their types were checked before."""

    def _check_sparse(self, verb: str) -> None:
        """Raise where the parameters rule a sparse matrix out; ``verb`` is "center" or "uncenter"."""

    # Learning.

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from X alone; what was learned before is forgotten.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data. Missing values (NaN) are ignored.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, finite and not negative: 2 counts a row twice, 0 leaves it out.

        Returns
        -------
        self : object
            The fitted scaler.

        Raises
        ------
        ValueError
            If X holds an infinity that is not to be clipped, or values so large that what is learned overflows. The
            scaler stays as it was.
        """
        return self._learn(X, y, sample_weight, first=True)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from X in addition to what was learned before, by ``fit`` or by ``partial_fit``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows. Missing values (NaN) are ignored.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, finite and not negative: 2 counts a row twice, 0 leaves it out.

        Returns
        -------
        self : object
            The scaler.

        Raises
        ------
        ValueError
            If X holds an infinity that is not to be clipped, or values so large that what is learned overflows. The
            scaler stays as it was.
        """
        first = "_learned" not in self.__dict__
        return self._learn(X, y, sample_weight, first, from_nothing=first and self._starts_from_nothing)

    def _learn(self, X: Any, y: Any, sample_weight: Any, first: bool, from_nothing: bool = False) -> Self:
        table, names = self._enter(X, first)
        weights = check_weights(sample_weight, table, all_zero=not first)
        rows, before = as_float32(table, self._takes_infinities), None if first else self._learned
        if from_nothing:
            before = self._nothing(table.shape[1], names)
        elif before is not None and not before.checked:  # until now; what was learned stays as it was if this raises
            before = Learned(before.history, before.n_rows)

        def work(_: Subtask) -> None:
            self._take_over(self._go_on(before, rows, weights, names), names, first)

        as_task(self, work, table, y, sample_weight)
        return self

    def _enter(self, X: Any, first: bool) -> tuple[Any, Self]:
        """Return a table that can be learned from, and who has its names and its width."""
        if first or not self._learned.checked:
            self._check_all_parameters()
        names = stand_in(self) if first else self
        if first or not is_plain(X, self):
            X = self._table(X, names, reset=first)
        return X, names

    def _table(self, X: Any, names: Any, reset: bool) -> Any:
        """Return X as an array or a sparse matrix that the parameters allow, checked against the names."""
        refuse_sparse(self, X, "center")
        X = check_table(names, X, reset=reset, accept_sparse=self._accept_sparse)
        refuse_sparse(self, X, "center")  # a frame may turn out to be sparse
        return X

    def _take_over(self, learned: Learned, names: Self, first: bool) -> None:
        """Let what was learned, and the names with it, be this scaler's: all or nothing."""
        state = self.__dict__
        if first:
            state.pop("feature_names_in_", None)
            state.update((name, names.__dict__[name]) for name in NAMES if name in names.__dict__)
        state["_learned"] = learned

    def _no_rows(self, n_groups: int, n_features: int, names: Any = None) -> Statistic:
        """Return the statistic of no rows, under the parameters for forgetting."""
        if self.half_life is not None:
            return decay_over(self._statistic, n_groups, n_features, float(self.half_life))
        if self.window is not None:
            return window_over(self._statistic, n_groups, n_features, int(self.window))
        return self._statistic.zero(n_groups, n_features)

    def _nothing(self, n_features: int, names: Any = None) -> Learned:
        """Return what is learned before the first row."""
        return Learned(self._no_rows(1, n_features, names), 0.0)

    def _go_on(self, learned: Learned | None, X: Any, weights: NDArray[np.float64] | None, names: Self) -> Learned:
        """Return what is learned after a table, which has these weights and names; None for nothing before."""
        if learned is None:
            history = self._first(X, weights, names=names)
            learned = Learned(history, 0.0)
        else:
            history = self._remembered(learned.history, names).after(X, weights)
        learned = learned.after(history, weight_of(X, weights))
        self._check_now(learned.now, getattr(names, "feature_names_in_", None))
        return learned

    def _check_now(self, now: Any, names: Any) -> None:
        """Raise where what a history says now overflows."""
        self._check_overflow(now.own, names)

    def _remembered(self, history: Any, names: Any) -> Any:
        """Return the history to go on from, under the parameters as they are now."""
        self._check_memory(history, names)
        return history

    def _check_memory(self, history: Any, names: Any) -> None:
        """Raise where the past was kept under other parameters than it would be now."""
        for name in ("half_life", "window"):
            now, then = getattr(self, name), getattr(history, name)
            if now != then:
                raise ValueError(
                    f"{name} is {now!r} and was {then!r} when {type(self).__name__} was fitted; what was forgotten or "
                    "kept cannot be changed: call fit to begin again."
                )

    def _check_all_parameters(self) -> None:
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()
        if self.half_life is not None and self.window is not None:
            raise ValueError(
                f"half_life={self.half_life!r} and window={self.window!r} are two ways of forgetting; set one to None."
            )
        self._check_parameters()

    def merge(self, other: Self) -> Self:
        """Absorb what another scaler learned, as if this one had seen its rows too.

        With a ``half_life``, each is taken as of its own last row.

        Parameters
        ----------
        other : scaler of the same class, parameters, width and feature names
            It stays as it was.

        Returns
        -------
        self : object
            The scaler.

        Raises
        ------
        TypeError
            If `other` is of another class.
        ValueError
            If its parameters, width or feature names differ, if they have a ``window`` or a ``momentum``, or if what
            they learned overflows together. The scaler stays as it was.
        NotFittedError
            If one of them is not fitted.

        See Also
        --------
        sknorm.merge : Returns a new scaler that knows what many of them learned.
        """
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} merges with its own kind, not with {type(other).__name__}.")
        check_is_fitted(self)
        check_is_fitted(other)
        mine, theirs = plain_parameters(self), plain_parameters(other)
        for name, value in mine.items():
            if value != theirs.get(name):
                raise ValueError(
                    f"Scalers to be merged must have the same parameters; {name} is {value!r} here "
                    f"and {theirs.get(name)!r} in the other."
                )
        if self.n_features_in_ != other.n_features_in_:
            raise ValueError(
                f"Scalers to be merged must have the same width; this one has {self.n_features_in_} features "
                f"and the other {other.n_features_in_}."
            )
        names, other_names = (list(getattr(scaler, "feature_names_in_", [])) for scaler in (self, other))
        if names != other_names:
            raise ValueError(
                f"Scalers to be merged must have the same feature names; they are {names} here "
                f"and {other_names} in the other."
            )
        known, more = self._learned, other._learned
        history = self._remembered(known.history, self).merge(other._remembered(more.history, other))
        learned = known.after(history, more.n_rows)
        self._check_now(learned.now, getattr(self, "feature_names_in_", None))
        self._learned = learned
        return self

    def _twin(self) -> Self:
        """Return another estimator that knows the same."""
        check_is_fitted(self)
        twin: Self = clone(self)
        twin._take_over(self._learned, self, first=True)
        return twin

    def __sklearn_is_fitted__(self) -> bool:
        return "_learned" in self.__dict__

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # A parameter changed after fit takes effect at once, as in scikit-learn.
        if "_learned" in self.__dict__ and not name.startswith("_") and not name.endswith("_"):
            learned = self._learned
            self.__dict__["_learned"] = Learned(learned.history, learned.n_rows, checked=False)

    # Documents; see `Persistent`.

    def _write_learned(self) -> dict[str, Any] | None:
        learned: Learned | None = self.__dict__.get("_learned")
        if learned is None:
            return None
        self._check_memory(learned.history, self)
        return {"n_rows": learned.n_rows, "statistic": learned.history.fields()}

    def _read_learned(self, node: Node, n_features: int) -> None:
        n_rows, fields = node.entries("n_rows", "statistic")
        history = self._nothing(1, self).history.restored(fields, n_features)
        learned = Learned(history, n_rows.number(0))
        if history.n_rows is not None:
            n_rows.same_number(history.n_rows)
        try:
            self._check_now(learned.now, getattr(self, "feature_names_in_", None))
        except ValueError as error:
            raise ValueError(f"{fields} does not fit {type(self).__name__}: {error}") from None
        self.__dict__["_learned"] = learned


def refuse_sparse(estimator: Learner, X: Any, verb: str) -> None:
    """Raise where X is sparse and the estimator's parameters rule that out."""
    if hasattr(X, "tocsr"):
        estimator._check_sparse(verb)
