"""Exact quantiles of dense columns in one pass: a sample brackets them, the pass counts and collects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, inf, nextafter, sqrt

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error
from sknorm.kernels import _quantiles as kernels
from sknorm.kernels.threads import map_chunks

# Fewer rows than this are sorted; from more, between half as many and as many are sampled.
SAMPLED = 40_000

# From 64 times as many rows on, the sample grows with the rows: what its brackets keep would exceed it many times.
SHARE = 64

# A sample rank lies within 3.2 standard deviations of the full one but for 1 in 700 brackets, whose columns then take
# a second, wider pass; 4 would keep a quarter more.
DEVIATIONS = 3.2

# Row chunks of a pass. Their number is fixed, although sums of counts would not depend on it.
CHUNKS = 16

# The kernel takes three brackets at a time.
FUSED = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Exact quantiles of the columns of X, and the sorted sample that bracketed them.

    ``sample[f, :n_sampled[f]]`` holds one random row of each run of ``2**level`` rows; rows from
    ``sample.shape[1] << level`` on are not in it.
    """

    table: NDArray[np.float64]
    deviation: NDArray[np.float64] | None
    count: NDArray[np.int64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    sample: NDArray[np.float64]
    n_sampled: NDArray[np.int64]
    level: int


def select_quantiles(X: NDArray[np.floating], probabilities: Sequence[float], mad: bool, seed: int) -> Selection:
    """Return the exact quantiles, and the MAD where asked for, of 40,000 rows or more.

    Raises
    ------
    ValueError
        If X holds an infinity.
    """
    n_rows, n_features = X.shape
    level = (n_rows // max(SAMPLED, n_rows // SHARE)).bit_length()
    sample = np.empty((n_features, n_rows >> level))
    n_sampled = np.empty(n_features, np.int64)

    def sort(columns: slice) -> None:
        kernels.sort_sample(X[:, columns], level, seed, sample[columns], n_sampled[columns])

    # Up to eight columns share a cache line of a row.
    ends = np.linspace(0, n_features, 2 * ceil(n_features / 16) + 1).astype(int).tolist()
    map_chunks(sort, [slice(*pair) for pair in pairwise(ends) if pair[0] < pair[1]], X.nbytes)
    table, count, low, high = _quantiles(X, sample, n_sampled, probabilities, None)
    deviation = None
    if mad:
        median = table[probabilities.index(0.5)] if 0.5 in probabilities else None
        if median is None:
            median = _quantiles(X, sample, n_sampled, (0.5,), None)[0][0]
        deviations = np.empty_like(sample)

        def deviate(f: int) -> None:
            one = slice(f, f + 1)
            kernels.sort_columns(np.abs(sample[one] - median[f]).T, deviations[one], n_sampled[one])

        map_chunks(deviate, range(n_features), X.nbytes)
        deviation = _quantiles(X, deviations, n_sampled, (0.5,), median)[0][0]
    return Selection(table, deviation, count, low, high, sample, n_sampled, level)


# Ranks first..end, and the values that have them: sorted, or one for all.
Piece = tuple[int, int, NDArray[np.float64] | float]


@dataclass(frozen=True, slots=True)
class Brackets:
    """What surrounds the wanted quantiles of one column.

    ``ranges`` are disjoint (low, high) with low <= x < high, whose values are kept; ``atoms`` are values that much of
    the sample shares, which are counted only.
    """

    ranges: list[tuple[float, float]]
    atoms: list[float]


def _quantiles(
    X: NDArray[np.floating],
    sample: NDArray[np.float64],
    n_sampled: NDArray[np.int64],
    probabilities: Sequence[float],
    centre: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return quantiles (probabilities, features), counts, minima and maxima of X, or of |X - centre|."""
    columns = [sample[f, : n_sampled[f]] for f in range(X.shape[1])]
    values, count, low, high = _pass(X, columns, probabilities, centre, DEVIATIONS)
    for f, value in enumerate(values):
        if value is None:
            values[f] = _retry(
                X[:, f : f + 1], columns[f], probabilities, None if centre is None else centre[f : f + 1]
            )
    table = np.array(values, np.float64).reshape(X.shape[1], len(probabilities)).T
    return np.ascontiguousarray(table), count, low, high


def _retry(
    x: NDArray[np.floating],
    sample: NDArray[np.float64],
    probabilities: Sequence[float],
    centre: NDArray[np.float64] | None,
) -> list[float]:
    """Return the quantiles of one column that a bracket missed: through wider brackets, or else by sorting."""
    values = _pass(x, [sample], probabilities, centre, 4 * DEVIATIONS)[0][0]
    if values is not None:
        return values
    with np.errstate(over="ignore"):
        column = x if centre is None else np.abs(x.astype(np.float64) - centre)
    row, length = np.empty((1, len(column))), np.empty(1, np.int64)
    kernels.sort_columns(column, row, length)
    start, exact = np.zeros(1, np.int64), np.ones(1, np.uint8)
    table, _ = kernels.read_cells(row[0], None, start, length, exact, np.array(probabilities), False)
    return [float(value) for value in table[:, 0]]


def _pass(
    X: NDArray[np.floating],
    samples: list[NDArray[np.float64]],
    probabilities: Sequence[float],
    centre: NDArray[np.float64] | None,
    deviations: float,
) -> tuple[list[list[float] | None], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the quantiles of each column, None where a bracket missed one; and counts, minima and maxima."""
    brackets = [_bracket(sample, probabilities, deviations) for sample in samples]
    low, high = np.array([ends for column in brackets for ends in column.ranges], np.float64).reshape(-1, 2).T.copy()
    offset = np.cumsum([0] + [len(column.ranges) for column in brackets], dtype=np.int64)
    thresholds = [(atom, nextafter(atom, inf)) for column in brackets for atom in column.atoms]
    threshold = np.array(thresholds, np.float64).reshape(-1)
    threshold_offset = np.cumsum([0] + [2 * len(column.atoms) for column in brackets], dtype=np.int64)
    first = np.array([sample[0] if len(sample) else inf for sample in samples])
    last = np.array([sample[-1] if len(sample) else -inf for sample in samples])
    rows = np.linspace(0, len(X), CHUNKS + 1).astype(int)

    def count_rows(chunk: int) -> kernels.Count:
        part = X[rows[chunk] : rows[chunk + 1]]
        return kernels.count_rows(part, low, high, offset, threshold, threshold_offset, first, last, centre)

    counts = map_chunks(count_rows, range(CHUNKS), X.nbytes)
    count: NDArray[np.int64] = np.sum([part.valid for part in counts], axis=0)
    minimum = np.min([part.minimum for part in counts], axis=0)
    maximum = np.max([part.maximum for part in counts], axis=0)
    if centre is None and (np.any(minimum == -inf) or np.any(maximum == inf)):
        raise infinity_error(X.dtype)
    above = np.sum([part.above for part in counts], axis=0)
    threshold_above = np.sum([part.threshold_above for part in counts], axis=0)

    def read(f: int) -> list[float] | None:
        ranges = slice(offset[f], offset[f + 1])
        kept = kernels.take_kept(counts, f)
        starts, ends = np.searchsorted(kept, low[ranges]).tolist(), np.searchsorted(kept, high[ranges]).tolist()
        below = (count[f] - above[ranges]).tolist()
        pieces: list[Piece] = [
            (rank, rank + end - start, kept[start:end]) for rank, start, end in zip(below, starts, ends, strict=True)
        ]
        below = (count[f] - threshold_above[threshold_offset[f] : threshold_offset[f + 1]]).tolist()
        atoms = brackets[f].atoms
        pieces += [(first, end, atom) for first, end, atom in zip(below[::2], below[1::2], atoms, strict=True)]
        return _read(pieces, int(count[f]), probabilities)

    return map_chunks(read, range(len(samples)), X.nbytes), count, minimum, maximum


def _bracket(sample: NDArray[np.float64], probabilities: Sequence[float], deviations: float) -> Brackets:
    """Return what surrounds the quantiles by so many standard deviations of the sample's ranks."""
    n = len(sample)
    if n == 0:
        return Brackets([(-inf, inf)] + [(inf, inf)] * (FUSED - 1), [])
    spans: list[tuple[float, float, set[float]]] = []
    for q in sorted(probabilities):
        margin = 3 + deviations * sqrt(q * (1 - q) * n)
        first, last = floor(q * (n - 1) - margin), ceil(q * (n - 1) + margin)
        low = float(sample[first]) if first >= 0 else -inf
        high = float(sample[last]) if last < n else inf
        shared = set()
        for edge in {low, high} - {-inf, inf}:
            left, right = np.searchsorted(sample, edge), np.searchsorted(sample, edge, "right")
            if right - left > 8 + margin / 4:
                shared.add(edge)
        if spans and low <= spans[-1][1]:
            low, end, others = spans.pop()
            high, shared = max(high, end), shared | others
        spans.append((low, high, shared))
    ranges, atoms = [], []
    for low, high, shared in spans:
        for atom in sorted(shared):
            if low < atom:
                ranges.append((low, atom))
            low = nextafter(atom, inf)
            atoms.append(atom)
        if low <= high:
            ranges.append((low, nextafter(high, inf)))
    return Brackets(ranges + [(inf, inf)] * (-len(ranges) % FUSED or (0 if ranges else FUSED)), atoms)


def _read(pieces: list[Piece], count: int, probabilities: Sequence[float]) -> list[float] | None:
    """Return the quantiles of one column from the values of the ranks first..last, or None where they lie outside."""
    values: list[float] = []
    if count == 0:
        return [np.nan] * len(probabilities)
    for q in probabilities:
        position = q * (count - 1)
        below = floor(position)
        pair: list[float] = []
        for rank in (below, min(below + 1, count - 1)):
            for first, last, held in pieces:
                if first <= rank < last:
                    pair.append(held if isinstance(held, float) else float(held[rank - first]))
                    break
            else:
                return None
        values.append(kernels.interpolate(pair[0], pair[1], position - below, q == 0.5))
    return values
