"""Quantiles of every column: exact for a one-shot fit, by a KLL sketch for a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sknorm._document import Node
from sknorm.kernels import _quantiles as kernels
from sknorm.statistics._base import Unordered, check_codes
from sknorm.statistics._cells import read_cells
from sknorm.statistics._growing import check_groups
from sknorm.statistics._ragged import EMPTY, KEPT, QuantilesStore, gathered
from sknorm.statistics._runs import GROUPED, Runs, aligned, dense_runs, present_runs, runs_of, sparse_runs
from sknorm.statistics._selection import SAMPLED, select_quantiles

# Columns selected at once: 32 share the cache lines of a row, and their samples are small beside the input.
COLUMNS = 32

ARRAYS = ("items", "weights", "offsets", "is_exact", "state", "count", "min", "max", "table", "deviation")


@dataclass(frozen=True, eq=False)
class Quantiles(Unordered):
    """Hold the values seen, or a random summary of them, from which any quantile is read.

    A cell is one column of one group. While the distinct values of a cell fit 3k items, it holds them all with their
    weights and every quantile is exact; from then on it is a KLL sketch, whose rank error stays below 1 % for k = 400
    whatever the number of values. The quantile q is linear at position q (W - 1) on the staircase of cumulative
    weights, so that an integer weight equals as many repeats. NaN and weight 0 are absent.

    Attributes
    ----------
    items, weights : ndarray of shape (n_items,), float64
        The items of all cells, cell after cell, and their weights; sorted by value in an exact cell, and by weight
        (a power of two, the level) and value in a sketched one.
    offsets : ndarray of shape (n_groups * n_features + 1,), int64
        Cell ``group * n_features + feature`` holds ``items[offsets[cell]:offsets[cell + 1]]``.
    is_exact : ndarray of shape (n_groups, n_features), uint8
        1 where the items are all the values.
    state : ndarray of shape (n_groups, n_features), uint64
        The random state of each cell.
    count, min, max : ndarray of shape (n_groups, n_features), float64
        Sum of weights, smallest and greatest value (inf and -inf without a value).
    k : int
        The size of the top level of a sketch, at least 8.
    seed : int
        What the random states of empty cells were derived from.
    probabilities : tuple of float
        The quantiles that a one-shot fit computed exactly.
    table : ndarray of shape (n_probabilities, n_groups, n_features) or None
        Their values; NaN for a cell that has been merged since.
    deviation : ndarray of shape (n_groups, n_features) or None
        The exact MAD of a one-shot fit; NaN for a cell that has been merged since.

    References
    ----------
    Karnin, Lang and Liberty (2016), Optimal quantile approximation in streams, FOCS.

    Examples
    --------
    >>> import numpy as np
    >>> monday, tuesday = Quantiles.of(np.array([[1.0], [2.0]])), Quantiles.of(np.array([[4.0], [np.nan]]))
    >>> float(monday.merge(tuesday).quantile(0.75)[0, 0])
    3.0
    """

    items: NDArray[np.float64]
    weights: NDArray[np.float64]
    offsets: NDArray[np.int64]
    is_exact: NDArray[np.uint8]
    state: NDArray[np.uint64]
    count: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    k: int = 400
    seed: int = 0
    probabilities: tuple[float, ...] = ()
    table: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name in ARRAYS:
            array = getattr(self, name)
            if array is not None:
                array.setflags(write=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, k: int = 400, seed: int = 0) -> Self:
        """Return the statistic of no rows."""
        if k < 8:
            raise ValueError(f"k must be at least 8, got {k}.")
        # A stream of single rows makes the same zero each time; a large one is not kept alive.
        make = _zero if n_groups * n_features <= 1000 else _zero.__wrapped__
        return cast(Self, make(cls, n_groups, n_features, k, seed))

    @classmethod
    def of(
        cls,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
        *,
        k: int = 400,
        seed: int = 0,
    ) -> Self:
        """Return the statistic of one batch.

        Parameters
        ----------
        X, sample_weight, codes, n_groups
            As in ``Statistic.of``.
        k : int
            The size of the sketch: rank error falls as 1/k, memory is at most about 3k items a cell.
        seed : int
            The seed of the sketch's random choices; the same batches give the same bits.

        Raises
        ------
        ValueError
            If X holds an infinity or the weights sum to 2**62 or more.
        """
        return cls.zero(n_groups, X.shape[1], k=k, seed=seed).going_on(X, sample_weight, codes)

    @classmethod
    def exact(
        cls,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
        *,
        probabilities: Sequence[float] = (0.25, 0.5, 0.75),
        mad: bool = False,
        k: int = 400,
        seed: int = 0,
    ) -> Self:
        """Return the statistic of a one-shot fit: exact quantiles, and a sketch from which to go on.

        The sketch of 40,000 rows or more enters one seeded random row from each run of 2^h rows at level h, which is
        KLL's own sampling, and the remainder at level 0.

        Parameters
        ----------
        X, sample_weight, codes, n_groups, k, seed
            As in ``of``.
        probabilities : sequence of float in [0, 1]
            The quantiles to compute exactly.
        mad : bool
            Whether to compute the exact median of |x - median| too.

        Raises
        ------
        ValueError
            As in ``of``.
        """
        codes, X = check_codes(codes, n_groups, X.shape[0]), aligned(X)
        probabilities = tuple(float(q) for q in probabilities)
        n_samples, n_features = X.shape
        by_columns, is_sparse = X, sparse.issparse(X)
        selects = not is_sparse and sample_weight is None and codes is None and n_samples >= SAMPLED
        width = COLUMNS
        if not selects:  # a sorted copy is made of them
            width = max(1, GROUPED * n_features // max(1, X.nnz if is_sparse else X.size))
            by_columns = X.tocsc() if is_sparse and width < n_features else X
        states = kernels.seed_cells(seed, n_groups * n_features).reshape(n_groups, n_features)
        parts = []
        for start in range(0, n_features, width) or range(1):
            columns = slice(start, start + width)
            part = by_columns[:, columns] if width < n_features else by_columns
            zero = replace(cls.zero(n_groups, part.shape[1], k=k, seed=seed), state=states[:, columns].copy())
            if selects:
                parts.append(zero._select(part, probabilities, mad))
            else:
                runs = (sparse_runs if is_sparse else dense_runs)(part, sample_weight, codes, n_groups)
                parts.append(zero._sort(runs, probabilities, mad))
        return parts[0] if len(parts) == 1 else _stack(parts)

    def _sort(self, runs: Runs, probabilities: tuple[float, ...], mad: bool) -> Self:
        """Return the one-shot statistic of sorted columns; self is their zero."""
        table, deviation = runs.read(probabilities, mad)
        return replace(self._absorb(runs), probabilities=probabilities, table=table, deviation=deviation)

    def _select(self, X: NDArray[np.floating], probabilities: tuple[float, ...], mad: bool) -> Self:
        """Return the one-shot statistic of a few dense columns; self is their zero."""
        selection = select_quantiles(X, probabilities, mad, self.seed)
        n_features, n_sampled = selection.sample.shape
        starts = np.arange(n_features, dtype=np.int64) * n_sampled
        # Of a column with few values the sample may have none: take them all.
        rare = selection.count <= 3 * self.k
        sample = Runs(
            selection.sample.ravel(), None, starts, np.where(rare, 0, selection.n_sampled), self.count, self.min,
            self.max, exact=False, level=selection.level,
        )  # fmt: skip
        rest = dense_runs(np.where(rare, X.dtype.type(np.nan), X[n_sampled << selection.level :]))
        learned = self._absorb(sample)._absorb(rest)
        if rare.any():
            learned = learned._absorb(present_runs(X, rare))
        return replace(
            learned,
            count=selection.count[None].astype(np.float64),
            min=selection.min[None],
            max=selection.max[None],
            probabilities=probabilities,
            table=selection.table[:, None],
            deviation=None if selection.deviation is None else selection.deviation[None],
        )

    def going_on(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        """Return the statistic of these rows and those of a batch, without exact results and by its own states."""
        codes, X, result = check_codes(codes, self.n_groups, X.shape[0]), aligned(X), self
        for runs in runs_of(X, sample_weight, codes, self.n_groups):
            result = result._absorb(runs)
        return result

    def after(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
    ) -> Self:
        return self.merge(type(self).of(X, sample_weight, codes, self.n_groups, k=self.k, seed=self.seed))

    def take(self, groups: Any) -> Self:
        """Return the statistic of these groups, in this order."""
        return self.arranged(check_groups(groups, self.n_groups))

    def arranged(self, groups: NDArray[np.intp]) -> Self:
        """Return the statistic of these groups, in this order; one without rows for −1."""
        absent, shape = groups < 0, self.count.shape
        if absent.all():
            return type(self).zero(len(groups), shape[1], k=self.k, seed=self.seed)
        starts = self.offsets[:-1].reshape(shape).take(groups, axis=0)
        lengths = self.offsets[1:].reshape(shape).take(groups, axis=0) - starts
        taken = {name: getattr(self, name).take(groups, axis=0) for name in KEPT}
        table = None if self.table is None else self.table.take(groups, axis=1)
        deviation = None if self.deviation is None else self.deviation.take(groups, axis=0)
        if absent.any():
            state = kernels.seed_cells(self.seed, lengths.size).reshape(lengths.shape)
            taken["state"][absent] = state[absent]
            lengths[absent] = 0
            for name, empty in EMPTY.items():
                taken[name][absent] = empty
            if table is not None:
                table[:, absent] = np.nan
            if deviation is not None:
                deviation[absent] = np.nan
        items, weights, offsets = gathered(self.items, self.weights, starts, lengths)
        return self.changed(items=items, weights=weights, offsets=offsets, **taken, table=table, deviation=deviation)

    def beside(self, other: Self) -> Self:
        """Return the statistic of our groups and then the other's, without exact results."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("items", "weights", *KEPT)
        }
        offsets = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return type(self)(offsets=offsets, **joined, k=self.k, seed=self.seed)

    def changed(self, **arrays: NDArray[Any] | None) -> Self:
        """Return a statistic with other arrays, as `dataclasses.replace` does in seven times the time."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__ | arrays)
        for array in arrays.values():
            if array is not None:
                array.setflags(write=False)
        return other

    def folded(self, n: int) -> Self:
        """Return the statistic in which every n groups have become one, without exact results."""
        shape = (self.n_groups // n, n, self.count.shape[1])
        cells = kernels.fold_cells(
            self.k, self.items, self.weights, self.offsets, self.is_exact.reshape(shape), self.state.reshape(shape)
        )
        count, low, high = (array.reshape(shape) for array in (self.count, self.min, self.max))
        return type(self)(*cells, count.sum(axis=1), low.min(axis=1), high.max(axis=1), self.k, self.seed)

    def store(self) -> QuantilesStore:
        """Return a store that begins with these groups."""
        return QuantilesStore(self)

    def merge(self, other: Self) -> Self:
        """Return the statistic of the rows of both; exact results stay for cells that only one of them has seen.

        Raises
        ------
        ValueError
            If k or the shapes differ.
        """
        if self.k != other.k or self.count.shape != other.count.shape:
            raise ValueError(
                f"Cannot merge quantiles of k={self.k}, shape {self.count.shape} with k={other.k}, "
                f"shape {other.count.shape}."
            )
        if not other.items.size:
            return self
        if not self.items.size:
            return other
        merged = self._absorb(other._cells(), other)
        return self._keep_exact(other, merged) if self.probabilities or other.probabilities else merged

    def _keep_exact(self, other: Self, merged: Self) -> Self:
        """Carry over exact results of cells that only one side has seen."""
        first, second = (self, other) if self.probabilities else (other, self)
        ours, theirs = second.count == 0, first.count == 0
        if not (ours.any() or theirs.any()):
            return merged
        same = first.probabilities == second.probabilities

        def choose(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
            if a is None:
                return None
            return np.where(ours, a, np.where(theirs, b, np.nan) if same and b is not None else np.nan)

        return replace(
            merged,
            probabilities=first.probabilities,
            table=choose(first.table, second.table),
            deviation=choose(first.deviation, second.deviation),
        )

    def _absorb(self, runs: Runs, other: Self | None = None) -> Self:
        """Return this sketch with sorted runs, or with the cells of another, in it; without exact results."""
        items, weights, offsets, exact, state = kernels.merge_cells(
            self.k,
            self.items,
            self.weights,
            self.offsets,
            self.is_exact,
            self.state,
            runs.items,
            runs.weights,
            runs.starts,
            runs.lengths,
            runs.is_exact,
            self.state if other is None else other.state,
            runs.exact,
            runs.level,
        )
        return type(self)(
            items,
            weights,
            offsets,
            exact,
            state,
            self.count + runs.count,
            np.minimum(self.min, runs.min),
            np.maximum(self.max, runs.max),
            self.k,
            self.seed,
        )

    def quantile(self, q: float) -> NDArray[np.float64]:
        """Return the quantile q of every cell, of shape (n_groups, n_features); NaN for a cell without a value."""
        return self.quantiles((q,))[0]

    def quantiles(self, probabilities: Sequence[float]) -> NDArray[np.float64]:
        """Return several quantiles at once, of shape (n_probabilities, n_groups, n_features): one reading of a sketch.

        What a one-shot fit computed exactly is returned as it is.
        """
        result = np.full((len(probabilities), *self.count.shape), np.nan)
        if self.table is not None:
            for row, q in zip(result, probabilities, strict=True):
                if q in self.probabilities:
                    row[:] = self.table[self.probabilities.index(q)]
        unknown = np.isnan(result)
        if (unknown & (self.count > 0)).any():
            result[unknown] = self._cells().read(probabilities, False)[0][unknown]
        return result

    def mad(self) -> NDArray[np.float64]:
        """Return the median of |x - median| of every cell, of shape (n_groups, n_features)."""
        exact = self.deviation
        if exact is None or np.any(np.isnan(exact) & (self.count > 0)):
            read = cast(NDArray[np.float64], self._cells().read((), True)[1])
            return read if exact is None else cast(NDArray[np.float64], np.where(np.isnan(exact), read, exact))
        return exact

    def fields(self) -> dict[str, Any]:
        return {"kind": type(self).__name__} | {field.name: getattr(self, field.name) for field in fields(self)}

    def restored(self, fields: Node, n_features: int) -> Self:
        return type(self)(**read_cells(fields, type(self).__name__, self.n_groups, n_features, self.k))

    def _cells(self) -> Runs:
        starts = self.offsets[:-1]
        lengths = self.offsets[1:] - starts
        return Runs(self.items, self.weights, starts, lengths, self.count, self.min, self.max, is_exact=self.is_exact)


Kind = TypeVar("Kind", bound=Quantiles)


@lru_cache(maxsize=16)
def _zero(kind: type[Quantiles], n_groups: int, n_features: int, k: int, seed: int) -> Quantiles:
    shape = (n_groups, n_features)
    return kind(
        np.empty(0),
        np.empty(0),
        np.zeros(n_groups * n_features + 1, np.int64),
        np.ones(shape, np.uint8),
        kernels.seed_cells(seed, n_groups * n_features).reshape(shape),
        np.zeros(shape),
        np.full(shape, np.inf),
        np.full(shape, -np.inf),
        k,
        seed,
    )


def _stack(parts: Sequence[Kind]) -> Kind:
    """Return the statistic of all columns from those of groups of columns."""
    shape = parts[0].n_groups, -1
    base = np.cumsum([0] + [len(part.items) for part in parts])
    starts = [(first + part.offsets[:-1]).reshape(shape) for first, part in zip(base[:-1], parts, strict=True)]
    items, weights, offsets = gathered(
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate(starts, axis=1),
        np.concatenate([np.diff(part.offsets).reshape(shape) for part in parts], axis=1),
    )
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1)
        for name in (*KEPT, "table", "deviation")
        if getattr(parts[0], name) is not None
    }
    return replace(parts[0], items=items, weights=weights, offsets=offsets, **joined)
