"""Statistics that are a table of fields, each of shape (n_groups, n_features)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm.kernels import _moments
from sknorm.kernels.threads import map_chunks
from sknorm.statistics._base import Statistic, check_codes, infinity_error
from sknorm.statistics._sparse import entries_of

# Values a chunk holds: the unit of work of a thread, and so part of what decides the bits of a result.
CHUNK = 1 << 20


class Table(Statistic):
    """A statistic kept as one array, so that making and merging it is one allocation and one compiled call.

    The kernel's rows are ``mean, mean_low, m2, count, min, max``; a subclass keeps those named in ``ROWS``.
    """

    __slots__ = ("table",)
    ROWS: ClassVar[slice]

    table: NDArray[np.float64]

    def __init__(self, table: NDArray[np.float64]) -> None:
        table.setflags(write=False)
        object.__setattr__(self, "table", table)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.table,)

    @classmethod
    def zero(cls, n_groups: int, n_features: int) -> Self:
        return cls(_moments.zeros(n_groups, n_features)[cls.ROWS])

    @classmethod
    def of(
        cls,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Self:
        try:
            return cls(_table_of(X, sample_weight, codes, n_groups, cls.ROWS)[cls.ROWS])
        except _moments.Infinite:
            raise infinity_error(X.dtype) from None

    @property
    def count(self) -> NDArray[np.float64]:
        """The number of values, or the sum of their weights."""
        return self.table[3 - self.ROWS.start]

    def overflows(self) -> bool:
        """Say whether a mean, an m2 or a range of finite values is not finite."""
        return _moments.overflows(self.table, self.ROWS.start)

    def merge(self, other: Self) -> Self:
        return type(self)(_moments.merge(self.table, other.table, self.ROWS.start))


def _table_of(
    X: Any,
    sample_weight: NDArray[np.float64] | None,
    codes: NDArray[np.intp] | None,
    n_groups: int,
    rows: slice,
) -> NDArray[np.float64]:
    """Return the kernel's table of a batch, dense or sparse."""
    codes = check_codes(codes, n_groups, X.shape[0])
    if sp.issparse(X):
        return _table_of_sparse(X, sample_weight, codes, n_groups)
    if sample_weight is not None or codes is not None:
        return _moments.scatter(X, sample_weight, codes, n_groups)
    n_samples, n_features = X.shape
    wanted = rows.start == 0, rows.stop == 6
    if X.size <= CHUNK:
        return _moments.summarize(X, 0, n_samples, *wanted)
    step = max(1, CHUNK // n_features)

    def chunk(start: int) -> NDArray[np.float64]:
        return _moments.summarize(X, start, min(start + step, n_samples), *wanted)

    first, *rest = map_chunks(chunk, range(0, n_samples, step), X.nbytes)
    for table in rest:
        first = _moments.merge(first, table, 0)
    return first


def _table_of_sparse(
    X: Any, sample_weight: NDArray[np.float64] | None, codes: NDArray[np.intp] | None, n_groups: int
) -> NDArray[np.float64]:
    """Return the table of a CSR or CSC batch: its explicit values grouped by their cells, then the implicit zeros."""
    values, cells, weights, implicit = entries_of(X, sample_weight, codes, n_groups)
    explicit = _moments.scatter(values[:, np.newaxis], weights, cells, implicit.size).reshape(6, *implicit.shape)
    zeros = _moments.zeros(*implicit.shape)
    zeros[3] = implicit
    zeros[4:, implicit > 0] = 0.0
    return _moments.merge(explicit, zeros, 0)
