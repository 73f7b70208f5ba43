"""Scaler: validates, then calls a subclass's two hooks, its statistic and its rule."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sknorm._callbacks import CallbackSupportMixin, Subtask, as_task
from sknorm._clipping import bound_of, check_clip, clip_maps
from sknorm._document import Node
from sknorm._fitted import fitted
from sknorm._learned import Learned
from sknorm._prequential import Prequential, weight_of
from sknorm._validation import as_float32, check_scaled, check_table, check_weights, is_plain
from sknorm.maps import Affine, Chain, Map
from sknorm.state import Persistent
from sknorm.statistics import Decayed, Statistic, Unordered
from sknorm.statistics.rule import Rule
from sknorm.statistics.windowed import window_over

NAMES = ("n_features_in_", "feature_names_in_")
LONGEST_WINDOW = 2**53


class Scaler(Prequential, Persistent, CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A rule from a statistic that merges to a map.

    A subclass names its ``_statistic`` and writes ``_rule``, or ``_derive`` where the kernels do not know its rule; all
    else is here. See `Statistic` and `Map`.
    """

    _statistic: ClassVar[type[Unordered]]
    # The sparse formats taken.
    _accept_sparse: ClassVar[tuple[str, ...] | bool] = False
    # Rows that `prequential_transform` takes together where there is no ``_rule``.
    chunk_size: int = 1
    half_life: float | None = None
    # What clip=True means; None where it means nothing.
    _clip_interval: tuple[float, float] | None = None
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "copy": ["boolean"],
        "clip": ["boolean", Interval(Real, 0, None, closed="neither"), tuple, None],
        "clip_mode": [StrOptions({"hard", "soft"})],
        "window": [Interval(Integral, 1, LONGEST_WINDOW, closed="both"), None],
    }

    n_features_in_: int
    _learned: Learned

    def __init__(
        self,
        *,
        copy: bool = True,
        clip: bool | float | tuple[float, float] | None = False,
        clip_mode: Literal["hard", "soft"] = "hard",
        window: int | None = None,
    ) -> None:
        self.copy = copy
        self.clip = clip
        self.clip_mode = clip_mode
        self.window = window

    # What a subclass defines.

    def _rule(self) -> Rule | None:
        """Return the centre and the scale that the kernels shall make of the statistic, before any clipping."""
        return None

    def _derive(self, statistic: Any) -> Affine:
        """Return the map that the statistic and the parameters make, before any clipping."""
        rule = self._rule()
        assert rule is not None, "a scaler writes _rule or _derive"
        centre, scale = rule.derive(statistic.table, statistic.ROWS.start)
        gain = None if rule.gain == 1 and rule.shift == 0 else np.full(statistic.count.shape, rule.gain)
        shift = None if rule.shift == 0 else np.full(statistic.count.shape, rule.shift)
        return Affine(centre, scale, gain, shift)

    def _check_overflow(self, statistic: Any, names: Any) -> None:
        """Raise where what was learned from finite values is not finite; see `refuse_overflow`."""

    def _begin(self, X: Any, sample_weight: NDArray[np.float64] | None) -> Statistic:
        """Return the statistic of a first batch, where nothing is forgotten."""
        return self._statistic.of(X, sample_weight)

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
            If X holds an infinity, or values so large that what is learned overflows. The scaler stays as it was.
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
            If X holds an infinity, or values so large that what is learned overflows. The scaler stays as it was.
        """
        return self._learn(X, y, sample_weight, first="_learned" not in self.__dict__)

    def _learn(self, X: Any, y: Any, sample_weight: Any, first: bool) -> Self:
        table, names = self._enter(X, first)
        weights = check_weights(sample_weight, table, all_zero=not first)
        rows, before = as_float32(table), None if first else self._learned

        def work(_: Subtask) -> None:
            self._take_over(self._go_on(before, rows, weights, names), names, first)

        as_task(self, work, table, y, sample_weight)
        return self

    def _enter(self, X: Any, first: bool) -> tuple[Any, Self]:
        """Return a table that can be learned from, and who has its names and its width."""
        if first:
            self._check_all_parameters()
        # scikit-learn's validation sets names and width before it looks at the values: let it set a stand-in's, so that
        # a table that is refused leaves no trace, and no thread that reads meets half of a change.
        names = self._stand_in() if first else self
        if first or not is_plain(X, self):
            self._refuse_sparse(X, "center")
            X = check_table(names, X, reset=first, accept_sparse=self._accept_sparse)
        return X, names

    def _stand_in(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def _take_over(self, learned: Learned, names: Self, first: bool) -> None:
        """Let what was learned, and the names with it, be this scaler's: all or nothing."""
        state = self.__dict__
        if first:
            state.pop("feature_names_in_", None)
            state.update((name, names.__dict__[name]) for name in NAMES if name in names.__dict__)
        state["_learned"] = learned

    def _nothing(self, n_features: int) -> Learned:
        """Return what is learned before the first row, under the parameters for forgetting."""
        history: Statistic
        if self.half_life is not None:
            history = Decayed.zero(1, n_features, half_life=float(self.half_life))
        elif self.window is not None:
            history = window_over(self._statistic, n_features, int(self.window))
        else:
            history = self._statistic.zero(1, n_features)
        return Learned(history, 0.0)

    def _go_on(self, learned: Learned | None, X: Any, weights: NDArray[np.float64] | None, names: Self) -> Learned:
        """Return what is learned after a table, which has these weights and names; None for nothing before."""
        if learned is not None:
            self._check_memory(learned.history)
        if learned is None and self.half_life is None and self.window is None:
            learned = Learned(self._begin(X, weights), 0.0)
            history = learned.history
        else:
            learned = self._nothing(X.shape[1]) if learned is None else learned
            history = learned.history.after(X, weights)
        learned = learned.after(history, weight_of(X, weights))
        self._check_overflow(learned.statistic, getattr(names, "feature_names_in_", None))
        return learned

    def _check_memory(self, history: Statistic) -> None:
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
        check_clip(self.clip, self.clip_mode, self._clip_interval, type(self).__name__)

    def merge(self, other: Self) -> Self:
        """Absorb what another scaler learned, as if this one had seen its rows too.

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
            If its parameters, width or feature names differ. The scaler stays as it was.
        NotFittedError
            If one of them is not fitted.
        """
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} merges with its own kind, not with {type(other).__name__}.")
        check_is_fitted(self)
        check_is_fitted(other)
        mine, theirs = self.get_params(), other.get_params()
        for name, value in mine.items():
            if value != theirs[name]:
                raise ValueError(
                    f"Scalers to be merged must have the same parameters; {name} is {value!r} here "
                    f"and {theirs[name]!r} in the other."
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
        learned = self._learned.merge(other._learned)
        self._check_overflow(learned.statistic, getattr(self, "feature_names_in_", None))
        self._learned = learned
        return self

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
        self._check_memory(learned.history)
        return {"n_rows": learned.n_rows, "statistic": learned.history.fields()}

    def _read_learned(self, node: Node, n_features: int) -> None:
        n_rows, fields = node.entries("n_rows", "statistic")
        history = self._nothing(1).history.restored(fields, n_features)
        learned = Learned(history, n_rows.number(0))
        if history.n_rows is not None:
            n_rows.same_number(history.n_rows)
        try:
            self._check_overflow(learned.statistic, getattr(self, "feature_names_in_", None))
        except ValueError as error:
            raise ValueError(f"{fields} does not fit {type(self).__name__}: {error}") from None
        self.__dict__["_learned"] = learned

    # Transforming.

    def transform(self, X: Any) -> Any:
        """Scale X by what was learned; nothing is learned from it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data. Missing values (NaN) stay.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled data, float32 if X is, else float64; X itself if ``copy=False`` and X is a writeable array of
            these dtypes. A frame after ``set_output``.

        Raises
        ------
        ValueError
            If X holds an infinity, or has another width than the data that was learned from.
        """
        return self._transform(X, self.copy)

    def _transform(self, X: Any, copy: bool) -> Any:
        map_ = self._fitted_map()
        if not is_plain(X, self):
            self._refuse_sparse(X, "center")
            X = check_table(self, X, reset=False, accept_sparse=self._accept_sparse)
        return self._apply(map_, X, copy)

    def inverse_transform(self, X: Any) -> Any:
        """Undo ``transform``; what was cut by a hard clip comes back as the bound.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Scaled data. Missing values (NaN) stay.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The data in its original units; ±infinity where a soft clip had rounded to its bound.

        Raises
        ------
        ValueError
            If X holds an infinity, or has another width than the data that was learned from.
        """
        return self._inverse_transform(X, self.copy)

    def _inverse_transform(self, X: Any, copy: bool) -> Any:
        map_ = self._fitted_map()
        self._refuse_sparse(X, "uncenter")
        X = check_scaled(self, X, accept_sparse=self._accept_sparse)
        return self._apply(map_.inverse(), X, copy)

    def _fitted_map(self) -> Map:
        learned: Learned | None = self.__dict__.get("_learned")
        if learned is None:
            check_is_fitted(self)
            raise AssertionError("check_is_fitted raised")
        if learned.map is None:
            if not learned.checked:
                self._check_all_parameters()
            learned.map = self._make_map(learned.statistic)
        return learned.map

    def _make_map(self, statistic: Any) -> Map:
        return self._bounded(self._derive(statistic), statistic.count.shape)

    def _bounded(self, map_: Map, shape: tuple[int, ...]) -> Map:
        clips = clip_maps(bound_of(self.clip, self.clip_mode, self._clip_interval), shape)
        return Chain(map_, *clips) if clips else map_

    def _refuse_sparse(self, X: Any, verb: str) -> None:
        if sp.issparse(X) and self._accept_sparse:
            self._check_sparse(verb)

    def _apply(self, map_: Map, X: Any, copy: bool) -> Any:
        if sp.issparse(X):
            return self._apply_sparse(map_, X, copy)
        if X.dtype == np.float16:
            return map_(as_float32(X)).astype(np.float16)
        return map_(X, None if copy or not X.flags.writeable else X)

    def _apply_sparse(self, map_: Map, X: Any, copy: bool) -> Any:
        self._refuse_unless_zero_stays(map_, X.shape[1])
        single = as_float32(X)
        fresh = single is not X
        if not isinstance(map_, Affine) and not single.has_canonical_format:
            single, fresh = single.copy(), True  # a value stored in two parts is clipped as one
            single.sum_duplicates()
        in_place = fresh or (not copy and X.data.flags.writeable)
        out = map_.on_sparse(single, single if in_place else single.copy())
        return out.astype(np.float16) if X.dtype == np.float16 else out

    def _refuse_unless_zero_stays(self, map_: Map, n_features: int) -> None:
        if not map_.keeps_zero(n_features):
            raise ValueError(
                f"{type(self).__name__} would turn the zeros of a sparse matrix into other values; "
                "let the clipping interval contain 0, or convert X to a dense array."
            )

    def _scale_read(self) -> NDArray[np.float64]:
        """Return the divisor of every column, for `scale_`."""
        scale = self._derive(self._learned.statistic).scale
        assert scale is not None, "the rule has a scale"
        return scale[0]

    @fitted
    def n_samples_seen_(self) -> int | float:
        """The number of rows."""
        n_rows = self._learned.n_rows
        return int(n_rows) if n_rows.is_integer() else n_rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = bool(self._accept_sparse)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
