"""Normalization within groups of rows: by merchant, by customer, by any key."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknorm._base import Scaler
from sknorm._callbacks import CallbackSupportMixin, Subtask, as_task
from sknorm._document import Node
from sknorm._learned import Weights
from sknorm._validation import (
    check_mixed,
    check_values,
    check_weights,
    check_width,
    container_of,
    in_container,
    plain_parameters,
    stand_in,
    with_values,
)
from sknorm.groups.attributes import GroupAttributes
from sknorm.groups.batch import Batch, Known, beside, read, within
from sknorm.groups.documents import read_known, write_known
from sknorm.groups.following import follow
from sknorm.groups.learning import absorb, before, begin, learn
from sknorm.groups.scaling import lookup_of, scale
from sknorm.groups.shrinkage import Policy
from sknorm.maps import Lookup
from sknorm.scalers.standard import StandardScaler
from sknorm.state import Persistent

NAMES = ("n_features_in_", "feature_names_in_")


class GroupedScaler(GroupAttributes, TransformerMixin, Persistent, CallbackSupportMixin, BaseEstimator):
    """Scale every row by what was learned from the rows that have its key.

    ``z = (x − μ_g)/σ_g`` for a row of group g, or what else the scaler makes of a group's rows: the result is that of
    one scaler for each key, in one compiled pass, for a million keys. A key that was not seen, or too seldom, follows
    `unseen`. Missing values are ignored in learning and stay in transforming. A column that is constant within a group
    has scale 1 there, so it becomes 0. A row's output never depends on other rows of the table that it is in.

    Parameters
    ----------
    scaler : scaler of sknorm, default=None
        What is learned of every group, and what is made of it; None means ``StandardScaler()``. It is cloned in `fit`,
        never changed. Its ``window`` and ``half_life`` count the rows and values of each group.
    by : str, int, list or tuple of these, default=None
        The column or columns of X that hold the keys, by name or position; several make a composite key. None takes
        the keys from ``groups``, or, without them, all rows as one group.
    unseen : {"global", "nan", "passthrough", "error"}, default="global"
        What becomes of a row whose key is not known: it is scaled by the statistics of all rows, or becomes missing,
        or stays as it is; or it is a ValueError. Columns without a value in a group that is known do the same, but
        are no error.
    min_samples : float, default=1
        Rows (the sum of their weights) from which on a group is known; 1 means any.
    smooth : float or "auto", default=0.0
        How many values the statistics of all rows are worth beside a group's own: centre and scale of a group that has
        n values are its own by the share ``n/(n + smooth)``, and the rest those of all rows. "auto" takes the ratio of
        the variance within the group to that of all rows, as scikit-learn's TargetEncoder does; for a scaler that
        learns no variance, that of the squared scales. It is gentle, and leaves a group of one row alone: for small
        groups take a number.
    missing_key : {"own", "global", "error"}, default="own"
        Whether rows whose key is missing (NaN, None, NaT, pandas.NA) are a group of their own, or have none and are
        scaled by the statistics of all rows, or are a ValueError. A composite key with a missing part is a key of its
        own, or missing.
    drop_keys : bool, default=True
        Whether the columns of `by` are left out of the output; else they stay where they are.
    max_groups : int, default=None
        How many groups are kept. Where there are more after a batch, those that were updated longest ago are folded
        into one, a sixteenth of `max_groups` at least: their keys are forgotten, and keys that are not known follow
        that group from then on. None keeps all.

    Attributes
    ----------
    groups_ : ndarray of shape (n_groups,)
        The keys, in the order in which they came: integers if all are, else objects, with None for a missing key and
        tuples for composite keys; ``[0]`` where there are no keys.
    group_counts_ : ndarray of shape (n_groups,)
        The rows (the sum of their weights) that were learned of each.
    mean_, scale_, … : ndarray of shape (n_groups, n_values)
        What the scaler shows of every column, for each group; of its own rows, without `smooth`.
    global_scaler_ : scaler
        The scaler, fitted on all rows.
    folded_scaler_ : scaler or None
        The same of the rows whose groups were folded.
    n_folded_ : int
        How many groups were folded.
    n_features_in_ : int
        The number of columns of X, keys among them.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    StandardScaler : Of all rows.
    sklearn.preprocessing.TargetEncoder : Pulls the means of small groups in the same way.

    Notes
    -----
    1, 1.0 and True are one key, 1 and "1" are two; a column may come as integers, then as strings or categories.

    The keys take 17 to 32 bytes each where they are integers; what is learned takes 8 bytes for each field of the
    statistic, group and column: 32 for StandardScaler.

    References
    ----------
    D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in classification and
    prediction problems", SIGKDD Explorations 3(1), 2001.

    Examples
    --------
    >>> import pandas as pd
    >>> from sknorm import GroupedScaler
    >>> X = pd.DataFrame({"merchant": ["a", "a", "b", "b"], "amount": [1.0, 3.0, 100.0, 300.0]})
    >>> scaler = GroupedScaler(by="merchant").fit(X)
    >>> scaler.transform(X).ravel()
    array([-1.,  1., -1.,  1.])
    >>> scaler.groups_, scaler.mean_.ravel()
    (array(['a', 'b'], dtype=object), array([  2., 200.]))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "scaler": [Scaler, None],
        "by": [str, Integral, list, tuple, None],
        "unseen": [StrOptions({"global", "nan", "passthrough", "error"})],
        "min_samples": [Interval(Real, 1, None, closed="left")],
        "smooth": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "missing_key": [StrOptions({"own", "global", "error"})],
        "drop_keys": ["boolean"],
        "max_groups": [Interval(Integral, 1, None, closed="left"), None],
    }

    n_features_in_: int
    _learned: Known
    _checked: bool

    def __init__(
        self,
        scaler: Scaler | None = None,
        *,
        by: str | int | list[str | int] | tuple[str | int, ...] | None = None,
        unseen: Literal["global", "nan", "passthrough", "error"] = "global",
        min_samples: float = 1,
        smooth: float | Literal["auto"] = 0.0,
        missing_key: Literal["own", "global", "error"] = "own",
        drop_keys: bool = True,
        max_groups: int | None = None,
    ) -> None:
        self.scaler = scaler
        self.by = by
        self.unseen = unseen
        self.min_samples = min_samples
        self.smooth = smooth
        self.missing_key = missing_key
        self.drop_keys = drop_keys
        self.max_groups = max_groups

    # Learning.

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> Self:
        """Learn from X alone; what was learned before is forgotten.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The data. Missing values (NaN) are ignored.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, finite and not negative: 2 counts a row twice, 0 leaves it out.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows, where ``by`` is None.

        Returns
        -------
        self : object
            The fitted scaler.

        Raises
        ------
        ValueError
            If X holds an infinity, or values so large that what is learned overflows; if a column of ``by`` is not
            there, or keys are missing that must not be. The scaler stays as it was.
        TypeError
            If a key is of a kind that cannot be one.
        """
        names, batch, weights = self._enter(X, sample_weight, groups, first=True)

        def work(_: Subtask) -> None:
            self._take_over(begin(self._new_scaler(), batch, weights, self.max_groups)[0], names)

        as_task(self, work, X, y, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> Any:
        """Learn from X alone, and scale it: ``fit``, then ``transform``, in less time, since keys are read once.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The data. Missing values (NaN) are ignored in learning, and stay.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, finite and not negative: 2 counts a row twice, 0 leaves it out.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows, where ``by`` is None.

        Returns
        -------
        X_tr : ndarray of shape (n_samples, n_values)
            The scaled values. A frame after ``set_output``.

        Raises
        ------
        ValueError, TypeError
            As ``fit`` does.
        """
        names, batch, weights = self._enter(X, sample_weight, groups, first=True)

        def work(_: Subtask) -> Any:
            known, found = begin(self._new_scaler(), batch, weights, self.max_groups)
            scaled = self._finished(names, known, batch, scale(known, self._policy(), batch, found=found))
            self._take_over(known, names)
            return scaled

        return as_task(self, work, X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> Self:
        """Learn from X in addition to what was learned before, by ``fit`` or by ``partial_fit``.

        Keys may be new. The cost depends on X, not on how many groups are known.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The next rows. Missing values (NaN) are ignored.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, finite and not negative: 2 counts a row twice, 0 leaves it out.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows, if the scaler was fitted with groups.

        Returns
        -------
        self : object
            The scaler.

        Raises
        ------
        ValueError, TypeError
            As ``fit`` does. The scaler stays as it was.
        """
        if "_learned" not in self.__dict__:
            return self.fit(X, y, sample_weight, groups)
        _, batch, weights = self._enter(X, sample_weight, groups, first=False)
        known = self._known()

        def work(_: Subtask) -> None:
            with known.groups.all_or_nothing():
                learn(known, batch, weights, self.max_groups)

        as_task(self, work, X, y, sample_weight)
        return self

    def prequential_transform(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> Any:
        """Scale every row by what was learned of its group before it, then learn from it.

        The result is that of ``transform``, then ``partial_fit``, row by row, in one pass; where quantiles are read or
        outliers clipped first, chunks of ``chunk_size`` rows are taken in place of single ones. The first row of a key
        follows ``unseen``: with "global" it is scaled by all rows before it. A column without any value so far is
        scaled as a constant would be.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The next rows, in their order. Missing values (NaN) stay.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in learning, finite and not negative.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows, where ``by`` is None.

        Returns
        -------
        X_tr : ndarray of shape (n_samples, n_values)
            The scaled values. A frame after ``set_output``.

        Raises
        ------
        ValueError, TypeError
            As ``fit`` does; with ``unseen="error"``, for every key that is new. The scaler stays as it was.

        References
        ----------
        A. P. Dawid, "Present position and potential developments: some personal views: statistical theory: the
        prequential approach", Journal of the Royal Statistical Society A 147(2), 1984.
        """
        first = "_learned" not in self.__dict__
        names, batch, weights = self._enter(X, sample_weight, groups, first)
        known = before(self._new_scaler(), batch) if first else self._known()
        rows = known.scaler._chunk_size(known.scaler._rule())

        def work(subtask: Subtask) -> Any:
            with known.groups.all_or_nothing():
                scaled = follow(known, self._policy(), batch, weights, self.max_groups, subtask)
                scaled = in_container(names, self._finished(names, known, batch, scaled), X)  # which may refuse
            if first:
                self._take_over(known, names)
            return scaled

        n_chunks = -(-batch.values.shape[0] // rows) if rows else 0
        return as_task(self, work, X, y, sample_weight, name="prequential-transform", n_subtasks=n_chunks)

    def merge(self, other: Self) -> Self:
        """Absorb what another scaler learned, key by key, as if this one had seen its rows too.

        Parameters
        ----------
        other : GroupedScaler of the same parameters, width and feature names
            It stays as it was.

        Returns
        -------
        self : object
            The scaler.

        Raises
        ------
        TypeError
            If `other` is no GroupedScaler.
        ValueError
            If its parameters, width, feature names or kind of keys differ, if the scaler has a ``window``, or if what
            they learned overflows together. The scaler stays as it was.
        NotFittedError
            If one of them is not fitted.

        See Also
        --------
        sknorm.merge : Returns a new scaler that knows what many of them learned.
        """
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} merges with its own kind, not with {type(other).__name__}.")
        mine, theirs = self._known(), other._known()
        ours_by_name, theirs_by_name = self._parameters(), other._parameters()
        for what, ours, others in (
            *((f"parameter {name}", value, theirs_by_name.get(name)) for name, value in ours_by_name.items()),
            ("number of columns", self.n_features_in_, other.n_features_in_),
            ("feature names", *(list(getattr(one, "feature_names_in_", [])) for one in (self, other))),
            ("number of parts of a key", mine.n_parts, theirs.n_parts),
        ):
            if ours != others:
                raise ValueError(
                    f"Scalers to be merged must have the same {what}; it is {ours!r} here and {others!r} in the other."
                )
        snapshot = theirs.groups.snapshot()  # before the lock is taken, so that two that merge wait for none
        with mine.groups.all_or_nothing():
            names = Batch(np.empty((0, 0)), None, [], mine.n_parts, mine.columns, names=self)
            absorb(mine, snapshot, names, self.max_groups)
        return self

    # Transforming.

    def transform(self, X: Any, groups: Any = None) -> Any:
        """Scale X by what was learned; nothing is learned from it.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The data. Missing values (NaN) stay.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows, if the scaler was fitted with groups.

        Returns
        -------
        X_tr : ndarray of shape (n_samples, n_values)
            The scaled values, float32 if they are, else float64; with ``drop_keys=False`` the keys among them, of
            objects where floats cannot hold these. A frame after ``set_output``.

        Raises
        ------
        ValueError
            If X holds an infinity, has another width than the data that was learned from, or lacks keys; with
            ``unseen="error"``, if a key is not known.
        """
        known = self._known()
        batch = read(self, self, X, groups, known)
        return self._finished(self, known, batch, scale(known, self._policy(), batch))

    def inverse_transform(self, X: Any, groups: Any = None) -> Any:
        """Undo ``transform``; what was cut by a hard clip comes back as the bound.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_values)
            Scaled values; with ``drop_keys=False`` and no groups, the keys among them.
        groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
            The keys of the rows: the columns that `by` named, in that order.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_values)
            The values in their original units; with the keys if X has them.

        Raises
        ------
        ValueError
            If X holds an infinity, is of another width, or lacks keys; with ``unseen="error"``, if a key is not known.
        """
        known = self._known()
        if known.columns is not None and not self.drop_keys and groups is None:
            X = check_mixed(self, X)
            check_width(self, X, known.n_columns)
            batch = within(self, X, known.columns)
            return with_values(batch.table, known.columns.values, self._inverse(known, batch), "default")
        values = check_values(self, X, known.n_values)
        return self._inverse(known, beside(self, values, groups, known.n_parts))

    def _inverse(self, known: Known, batch: Batch) -> NDArray[Any]:
        return scale(known, self._policy(), batch, inverse=True)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the columns of X; None means those that X had in ``fit``, or x0, x1, ….

        Returns
        -------
        names : ndarray of str objects
            The names of the values, and of the keys unless they are dropped.
        """
        known = self._known()
        names: NDArray[Any] = _check_feature_names_in(self, input_features)
        return names if known.columns is None or not self.drop_keys else names[known.columns.values]

    def __sklearn_is_fitted__(self) -> bool:
        return "_learned" in self.__dict__

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # A parameter changed after fit takes effect at once, but for scaler and by, which are those of fit.
        self.__dict__["_checked"] = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = self.by is not None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # Parts.

    def _enter(self, X: Any, sample_weight: Any, groups: Any, first: bool) -> tuple[Self, Batch, Weights]:
        """Return who has the names of a batch, the batch taken apart, and its weights."""
        names = self
        if first:
            self._check_all_parameters()
            names = stand_in(self)
        batch = read(self, names, X, groups, None if first else self._known())
        return names, batch, check_weights(sample_weight, batch.values, all_zero=not first)

    def _check_all_parameters(self) -> None:
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()
        if self.scaler is not None:
            self.scaler._check_all_parameters()
            self.scaler._check_in_groups(type(self).__name__)
        self.__dict__["_checked"] = True

    def _new_scaler(self) -> Scaler:
        return StandardScaler() if self.scaler is None else clone(self.scaler)

    def _known(self) -> Known:
        if "_learned" not in self.__dict__:
            check_is_fitted(self)  # which takes 7 µs to find out
        if not self.__dict__.get("_checked", False):
            self._check_all_parameters()
        return self._learned

    def _policy(self) -> Policy:
        return Policy(str(self.unseen), float(self.min_samples), -1.0 if self.smooth == "auto" else float(self.smooth))

    def _lookup(self) -> Lookup:
        """Return the map of every key, for those who compute it elsewhere."""
        return lookup_of(self._known(), self._policy(), str(self.missing_key))

    def _take_over(self, known: Known, names: Self) -> None:
        """Let what was learned, and the names with it, be this scaler's: all or nothing."""
        if "feature_names_in_" not in names.__dict__:
            self.__dict__.pop("feature_names_in_", None)
        mine = {name: names.__dict__[name] for name in NAMES if name in names.__dict__}
        self.__dict__.update(mine, _learned=known, _checked=True)

    def _finished(self, names: Self, known: Known, batch: Batch, values: NDArray[Any]) -> Any:
        """Return scaled values, with the keys where they are to stay."""
        if known.columns is None or self.drop_keys:
            return values
        return with_values(batch.table, known.columns.values, values, container_of(names))

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters by their values, those of the scaler that was learned for among them."""
        known = self._learned
        own = {name: value for name, value in self.get_params(deep=False).items() if name not in ("scaler", "by")}
        own |= {"by": known.columns and known.columns.keys, "scaler": type(known.scaler).__name__}
        return own | {f"scaler__{name}": value for name, value in plain_parameters(known.scaler).items()}

    def __copy__(self) -> Self:
        """Return a shallow copy that learns on its own: what was learned changes in place."""
        other: Self = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        if "_learned" in self.__dict__:
            other.__dict__["_learned"] = deepcopy(self._learned)
        return other

    def _twin(self) -> Self:
        """Return another scaler that knows the same, and goes its own way from here."""
        check_is_fitted(self)
        twin: Self = clone(self)
        twin._take_over(deepcopy(self._learned), self)
        return twin

    # Documents; see `Persistent`.

    def _write_learned(self) -> dict[str, Any] | None:
        return write_known(self._learned) if "_learned" in self.__dict__ else None

    def _read_learned(self, learned: Node, n_features: int) -> None:
        self.__dict__.update(_learned=read_known(learned, self), _checked=True)
