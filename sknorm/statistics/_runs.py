"""Sorted runs: the values of a batch, sorted inside each cell (a column of a group)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sknorm._errors import infinity_error
from sknorm.kernels import _quantiles as kernels
from sknorm.statistics.sparse import entries_of

# Values of a grouped batch that are sorted at once: their sorted copy takes 128 MB, and as much again with weights.
GROUPED = 1 << 24


@dataclass(frozen=True, slots=True)
class Runs:
    """Sorted values of the cells, missing ones and those of weight 0 left out.

    Cell c holds ``items[starts[c]:starts[c] + lengths[c]]``, and as many weights, or 2^level each without weights.
    ``count`` (sum of weights), ``min`` and ``max`` have the shape (n_groups, n_features).
    """

    items: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    count: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    exact: bool = True
    level: int = 0
    is_exact: NDArray[np.uint8] | None = None

    def read(self, probabilities: Sequence[float], mad: bool) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return quantiles (n_probabilities, n_groups, n_features) and the MAD (n_groups, n_features)."""
        exact = np.ones(len(self.starts), np.uint8) if self.is_exact is None else self.is_exact.reshape(-1)
        table, deviation = kernels.read_cells(
            self.items, self.weights, self.starts, self.lengths, exact, np.array(probabilities, np.float64), mad
        )
        shape = self.count.shape
        return table.reshape(len(probabilities), *shape), None if deviation is None else deviation.reshape(shape)


def aligned(X: Any) -> Any:
    """Return X, copied only if its values do not lie where C wants doubles or floats to lie."""
    return X if sparse.issparse(X) or X.flags.aligned else np.array(X)


def runs_of(
    X: Any, sample_weight: NDArray[np.float64] | None, codes: NDArray[np.intp] | None, n_groups: int
) -> Iterator[Runs]:
    """Yield the sorted runs of a batch, chunk by chunk."""
    if sparse.issparse(X):
        yield sparse_runs(X, sample_weight, codes, n_groups)
        return
    # Half a megabyte of sorted runs stays in the second-level cache. Groups are sorted one by one, which stay there
    # anyway, and every chunk passes over all of them: the fewer the better.
    values = 1 << 16 if codes is None else GROUPED
    rows = max(1024, values // max(X.shape[1], 1), 0 if codes is None else 8 * n_groups)
    for start in range(0, len(X), rows):
        part = slice(start, start + rows)
        yield dense_runs(
            X[part],
            None if sample_weight is None else sample_weight[part],
            None if codes is None else codes[part],
            n_groups,
        )


def dense_runs(
    X: NDArray[np.floating],
    sample_weight: NDArray[np.float64] | None = None,
    codes: NDArray[np.intp] | None = None,
    n_groups: int = 1,
) -> Runs:
    """Sort the columns of a dense batch, group by group.

    Raises
    ------
    ValueError
        If X holds an infinity.
    """
    n_rows, n_features = X.shape
    if sample_weight is not None or codes is not None:
        return _sorted(X, sample_weight, codes, n_groups, (n_groups, n_features))
    columns = np.empty((n_features, n_rows))
    lengths = np.empty(n_features, np.int64)
    low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    if not kernels.sort_columns(X, columns, lengths, low, high):
        raise infinity_error(X.dtype)
    starts = np.arange(n_features, dtype=np.int64) * n_rows
    count = lengths.astype(np.float64)
    return Runs(columns.reshape(-1), None, starts, lengths, count[None], low[None], high[None])


def present_runs(X: NDArray[np.floating], wanted: NDArray[np.bool_]) -> Runs:
    """Sort the values of those columns that are wanted, which have few."""
    values = [column[~np.isnan(column)] if take else column[:0] for column, take in zip(X.T, wanted, strict=True)]
    cells = np.repeat(np.arange(len(values)), [len(column) for column in values])
    return _sorted(np.concatenate(values)[:, np.newaxis], None, cells, len(values), (1, len(values)))


def sparse_runs(
    X: Any,
    sample_weight: NDArray[np.float64] | None = None,
    codes: NDArray[np.intp] | None = None,
    n_groups: int = 1,
) -> Runs:
    """Sort the entries of a CSR or CSC batch, and one zero for all that is implicit in a cell, weighted.

    Raises
    ------
    ValueError
        If X holds an infinity.
    """
    entries, cells, weights, implicit = entries_of(X, sample_weight, codes, n_groups)
    zero = np.flatnonzero(implicit)
    weights = np.ones(len(entries)) if weights is None else weights
    return _sorted(
        np.concatenate([entries.astype(np.float64), np.zeros(len(zero))])[:, np.newaxis],
        np.concatenate([weights, implicit.reshape(-1)[zero]]),
        np.concatenate([cells, zero]),
        implicit.size,
        implicit.shape,
    )


def _sorted(
    X: NDArray[np.floating],
    sample_weight: NDArray[np.float64] | None,
    codes: NDArray[np.intp] | None,
    n_codes: int,
    shape: tuple[int, int],
) -> Runs:
    """Sort rows by their groups, or values in one column by their cells."""
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(sample_weight)
    if codes is not None:
        codes = np.ascontiguousarray(codes)
    found = kernels.sort_cells(X, sample_weight, codes, n_codes)
    if found is None:
        raise infinity_error(X.dtype)
    items, weights, starts, lengths, count, low, high = found
    return Runs(items, weights, starts, lengths, count.reshape(shape), low.reshape(shape), high.reshape(shape))
