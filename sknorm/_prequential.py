"""Scaling every row by what was known before it, then learning from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm._callbacks import Subtask, as_task
from sknorm._clipping import bound_of, fence_maps
from sknorm._learned import Learned, Weights, weight_of
from sknorm._stacking import stacked
from sknorm._validation import as_float32, check_weights, in_container
from sknorm.maps import Affine, Elementwise
from sknorm.statistics.rule import Overflow, Rule


class Prequential:
    """What a scaler does to a stream: the kernel takes it row by row where it knows the rule, chunks go else."""

    def prequential_transform(self: Any, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Scale every row by what was learned before it, then learn from it.

        The result is that of ``transform``, then ``partial_fit``, row by row, in one pass; where quantiles are read or
        outliers clipped first, chunks of ``chunk_size`` rows are taken in place of single ones. A column without a
        value so far is scaled as a constant would be: to 0 where the scaler centres (the lower end of ``feature_range``
        for MinMaxScaler), else to x itself; no warning is given.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows, in their order. Missing values (NaN) stay.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in learning, finite and not negative.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled rows, float32 if X is, else float64; never X itself. A frame after ``set_output``.

        Raises
        ------
        ValueError
            If X holds an infinity that is not to be clipped, or values so large that what is learned overflows. The
            scaler stays as it was.

        References
        ----------
        A. P. Dawid, "Present position and potential developments: some personal views: statistical theory: the
        prequential approach", Journal of the Royal Statistical Society A 147(2), 1984.
        """
        first = "_learned" not in self.__dict__
        table, names = self._enter(X, first)
        weights = check_weights(sample_weight, table, all_zero=not first)
        rows = as_float32(table, self._takes_infinities)
        rule = self._rule()
        size = self._chunk_size(rule)
        n_chunks = 0 if size is None else -(-table.shape[0] // size)

        def work(subtask: Subtask) -> Any:
            scaled, learned = self._follow(rows, weights, names, subtask, rule, size)
            scaled = in_container(names, scaled.astype(table.dtype, copy=False), X)  # which may refuse
            self._take_over(learned, names, first)
            return scaled

        return as_task(self, work, table, y, sample_weight, name="prequential-transform", n_subtasks=n_chunks)

    def _follow(
        self: Any, X: Any, weights: Weights, names: Any, subtask: Subtask, rule: Rule | None, size: int | None
    ) -> tuple[Any, Learned]:
        """Return X with every row scaled by what was known before it, and what is learned after it."""
        learned: Learned | None = self.__dict__.get("_learned")
        if learned is not None:
            self._check_memory(learned.history, names)
            if not learned.checked:
                self._check_all_parameters()
        if sp.issparse(X):
            self._refuse_unless_zero_stays(self._map_so_far(None, X, names)[0], X.shape[1])
        if size is not None:
            return self._follow_chunks(X, weights, learned, names, subtask, size)
        assert rule is not None, "the kernel has a rule to go by"
        return self._follow_rows(X, weights, learned or self._nothing(X.shape[1]), names, rule)

    def _chunk_size(self: Any, rule: Rule | None) -> int | None:
        """Return how many rows are taken together; None where the kernel takes them one by one, by this rule."""
        own = self.chunk_size if rule is None else None
        if self.outliers is None:
            return own
        return self.outliers.chunk_size if own is None else min(own, self.outliers.chunk_size)

    def _follow_rows(
        self: Any, X: Any, weights: Weights, learned: Learned, names: Any, rule: Rule
    ) -> tuple[Any, Learned]:
        history: Any = learned.history
        bound = bound_of(self.clip, self.clip_mode, self._clip_interval)
        try:
            scaled, history = history.follow(X, weights, rule.bounded(*bound))
        except Overflow as overflow:
            # Single rows would have been refused on the way: let them.
            for rows in (slice(0, overflow.args[0]), *(slice(i, i + 1) for i in range(overflow.args[0], X.shape[0]))):
                learned = self._go_on(learned, X[rows], None if weights is None else weights[rows], names)
            raise AssertionError("no row overflows") from overflow
        learned = learned.after(history, weight_of(X, weights))
        self._check_now(learned.now, getattr(names, "feature_names_in_", None))
        return scaled, learned

    def _follow_chunks(
        self: Any, X: Any, weights: Weights, learned: Learned | None, names: Any, subtask: Subtask, size: int
    ) -> tuple[Any, Learned]:
        by_rows, parts = X.tocsr() if sp.issparse(X) else X, []
        for start in range(0, X.shape[0], size):
            rows = slice(start, start + size)
            with subtask():
                map_, chunk = self._map_so_far(learned, by_rows[rows], names)
                parts.append(self._apply(map_, chunk, copy=True))
                learned = self._go_on(learned, by_rows[rows], None if weights is None else weights[rows], names)
        assert learned is not None, "a table has rows"
        return stacked(parts, X), learned

    def _map_so_far(self: Any, learned: Learned | None, X: Any, names: Any) -> tuple[Elementwise, Any]:
        """Return the map as of now, and X with what it makes a constant of where a column has had no value."""
        learned = learned or self._nothing(X.shape[1], names)
        statistic, bounds = learned.statistic, self._bounds_of(learned.now)
        affine: Affine = self._derive(statistic)
        unseen = statistic.count == 0
        if unseen.any():
            if affine.centre is not None and not sp.issparse(X):
                X, bounds = as_constants(X, unseen, bounds)
            affine = Affine(
                neutral(affine.centre, unseen, 0.0), neutral(affine.scale, unseen, 1.0), affine.gain, affine.shift
            )
        return self._bounded(affine, statistic.count.shape, bounds), X


def as_constants(X: NDArray[Any], unseen: NDArray[np.bool_], bounds: Any) -> tuple[NDArray[Any], Any]:
    """Return X with 0 for the values of columns that had none so far, and bounds that leave the 0 alone.

    What is outside the bounds of such a column is missing, or an error, where it would be in others.
    """
    if bounds is None:
        return np.where(unseen & np.isfinite(X), X.dtype.type(0), X), None
    (fence,) = fence_maps(bounds)
    kept = fence(np.where(unseen, X, X.dtype.type(0)))
    X = np.where(unseen, np.where(np.isnan(kept), kept, X.dtype.type(0)), X)
    low, high = np.where(unseen, -np.inf, bounds.low), np.where(unseen, np.inf, bounds.high)
    return X, bounds._replace(low=low, high=high)


def neutral(
    parameter: NDArray[np.float64] | None, unseen: NDArray[np.bool_], value: float
) -> NDArray[np.float64] | None:
    """Return a map's parameter with a value in place of what nothing is known of."""
    return None if parameter is None else np.where(unseen, value, parameter)
