"""Statistics that are a table of fields, each of shape (n_groups, n_features)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm._errors import infinity_error
from sknorm._stacking import stacked
from sknorm.kernels import _groups, _moments, _stream
from sknorm.kernels.threads import LARGE, effective_n_threads, map_chunks
from sknorm.statistics._base import Statistic, Unordered, check_codes
from sknorm.statistics.sparse import canonical, entries_of
from sknorm.statistics.store import ArrayStore

# Values a chunk holds: the unit of work of a thread, and so part of what decides the bits of a result.
CHUNK = 1 << 20

# Rows a group that make records worth while, and how much more work than a plain read of a table groups are.
LEAST_ROWS = 2
GROUPED_WORK = 4

NAMES = ("mean", "mean_low", "m2", "count", "min", "max")
# m2 may overflow where nobody asks for it; the extremes of no values are infinite.
MAYBE_INFINITE = {"m2", "min", "max"}


class Followed(Statistic):
    """A statistic of tables that the kernel takes from row to row."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    @abstractmethod
    def _past(self) -> _stream.Past:
        """Return a copy for the kernel to go on from."""

    @abstractmethod
    def _gone_on(self, past: _stream.Past) -> Self:
        """Return the statistic that the kernel has made of its copy."""

    @abstractmethod
    def _grouped_past(self, weight: NDArray[np.float64]) -> _groups.Groups:
        """Return a copy of all groups, whose rows have these weights so far, for the kernel to go on from."""

    @abstractmethod
    def _grouped_gone_on(self, groups: _groups.Groups) -> Self:
        """Return the statistic that the kernel has made of its copy."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that differs between groups as arrays whose first axis is the group."""

    @abstractmethod
    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the statistic that these arrays make, which may have more or fewer groups."""

    @abstractmethod
    def nothing(self) -> Self:
        """Return the statistic of one group without rows."""

    @abstractmethod
    def standing_for(self, statistic: Any) -> Self:
        """Return the statistic of one group of which ``now`` is this."""

    def take(self, groups: NDArray[np.intp]) -> Self:
        return self.with_arrays({name: array[groups] for name, array in self.arrays().items()})

    def part(self, start: int, stop: int) -> Self:
        """Return the statistic of the groups from start to before stop."""
        return self.with_arrays({name: array[start:stop] for name, array in self.arrays().items()})

    def store(self) -> ArrayStore:
        return ArrayStore(self)

    def joined(self, *others: Self) -> Self:
        """Return the statistic of the groups of all of these, one after the other."""
        parts = [statistic.arrays() for statistic in (self, *others)]
        return self.with_arrays({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def follow(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        rule: _stream.Rule | None = None,
    ) -> tuple[Any, Self]:
        """Return X with every row scaled by what was known before it, and the statistic after all of them.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64, any strides; or CSR or CSC
            The rows, in their order.
        sample_weight : ndarray of shape (n_samples,), float64, or None
            Finite and not negative.
        rule : Rule or None
            How a row is scaled; None learns only, and returns None in place of the rows.

        Raises
        ------
        ValueError
            If X holds an infinity.
        Overflow
            If, on the way, a range or variance overflows that is finite again at the end.
        """
        past = self._past()
        try:
            out = (
                follow_sparse(past, X, sample_weight, rule) if sp.issparse(X) else follow(past, X, sample_weight, rule)
            )
        except _moments.Infinite:
            raise infinity_error(X.dtype) from None
        return out, self._gone_on(past)

    def follow_groups(
        self,
        X: NDArray[Any],
        sample_weight: NDArray[np.float64] | None,
        codes: NDArray[np.intp],
        weight: NDArray[np.float64] | None = None,
        rule: _stream.Rule | None = None,
        **policy: Any,
    ) -> tuple[Any, Self, NDArray[np.float64]]:
        """Return X with every row scaled by what was known of its group before it, the statistic, and the weights.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64, any strides
            The rows, in their order.
        sample_weight : ndarray of shape (n_samples,), float64, or None
            Finite and not negative.
        codes : ndarray of shape (n_samples,), intp
            The group of each row, −1 for none.
        weight : ndarray of shape (n_groups,), float64, or None
            The weight of the rows of every group so far; None where no rule asks for it.
        rule : Rule or None
            How a row is scaled; None learns only, and returns None in place of the rows.
        **policy
            As `kernels._groups.Groups.follow` has it.

        Raises
        ------
        ValueError
            If X holds an infinity.
        Overflow
            If, on the way, a range or variance overflows that is finite again at the end.
        Unseen
            If a group must have been seen and was not.
        """
        groups = self._grouped_past(np.zeros(self.n_groups) if weight is None else weight.copy())
        out = None if rule is None else np.empty(X.shape, X.dtype)
        try:
            groups.follow(X, codes, sample_weight, rule, out, **policy)
        except _moments.Infinite:
            raise infinity_error(X.dtype) from None
        return out, self._grouped_gone_on(groups), groups.weight


def follow(past: _stream.Past, X: Any, weights: NDArray[np.float64] | None, rule: _stream.Rule | None) -> Any:
    """Take a dense table into the past, and return it scaled if there is a rule."""
    out = None if rule is None else np.empty_like(X, subok=False)
    past.follow(X, weights, rule, out)
    return out


def follow_sparse(past: _stream.Past, X: Any, weights: NDArray[np.float64] | None, rule: _stream.Rule | None) -> Any:
    """Take a CSR or CSC matrix into the past, a dense block of rows at a time; what is scaled is like it."""
    by_rows, parts = canonical(X).tocsr(), []
    step = max(1, CHUNK // max(1, X.shape[1]))
    for start in range(0, X.shape[0], step):
        rows = slice(start, start + step)
        try:
            out = follow(past, by_rows[rows].toarray(), None if weights is None else weights[rows], rule)
        except _stream.Overflow as overflow:
            raise _stream.Overflow(start + overflow.args[0]) from None
        if rule is not None:
            parts.append(type(X)(out))
    return None if rule is None else stacked(parts, X)


class Table(Followed, Unordered):
    """A statistic kept as one array, so that making and merging it is one allocation and one compiled call.

    The kernel's rows are ``mean, mean_low, m2, count, min, max``; a subclass keeps those named in ``ROWS``.
    """

    __slots__ = ("table",)
    ROWS: ClassVar[slice]

    table: NDArray[np.float64]

    def __init__(self, table: NDArray[np.float64]) -> None:
        table.setflags(write=False)
        object.__setattr__(self, "table", table)

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
    def count(self) -> NDArray[np.float64]:  # type: ignore[override]
        """The number of values, or the sum of their weights."""
        return self.table[3 - self.ROWS.start]

    def derived(
        self, rule: _stream.Rule, constant: float = 1.0
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Return the centre and the scale that a rule makes of every cell, NaN without a value."""
        return rule.derive(self.table, self.ROWS.start, constant)

    def overflows(self, ddof: float = 0) -> bool:
        """Say whether a mean, an m2, a variance, a count or a range of finite values is not finite."""
        return _moments.overflows(self.table, self.ROWS.start, ddof)

    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        # The same bits, in two thirds of the time.
        if X.shape[0] == 1 and sample_weight is None and codes is None and not sp.issparse(X):
            return self.follow(X)[1]
        return super().after(X, sample_weight, codes)

    def after_fenced(
        self,
        X: Any,
        bounds: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
    ) -> tuple[Self, NDArray[np.float64], NDArray[np.float64]]:
        if sample_weight is not None or codes is not None or sp.issparse(X):
            return super().after_fenced(X, bounds, sample_weight, codes)
        after, total_below, total_above = self, np.zeros((1, X.shape[1])), np.zeros((1, X.shape[1]))
        for table, below, above in fenced_chunks(X, bounds, self.ROWS.start == 0, self.ROWS.stop == 6):
            after = after.merge(type(self)(table[self.ROWS]))
            total_below, total_above = total_below + below, total_above + above
        return after, total_below, total_above

    def merge(self, other: Self) -> Self:
        return type(self)(_moments.merge(self.table, other.table, self.ROWS.start))

    def _past(self) -> _stream.Past:
        return _stream.Past(self.table.copy(), self.ROWS.start)

    def _gone_on(self, past: _stream.Past) -> Self:
        return type(self)(past.table)

    def _grouped_past(self, weight: NDArray[np.float64]) -> _groups.Groups:
        return _groups.Groups(self.table.copy(), self.ROWS.start, weight)

    def _grouped_gone_on(self, groups: _groups.Groups) -> Self:
        return type(self)(groups.table)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"table": self.table.transpose(1, 0, 2)}

    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Self:
        return type(self)(np.ascontiguousarray(arrays["table"].transpose(1, 0, 2)))

    def nothing(self) -> Self:
        return type(self).zero(1, self.table.shape[2])

    def standing_for(self, statistic: Any) -> Self:
        return type(self)(statistic.table)

    def fields(self) -> dict[str, Any]:
        return {"kind": type(self).__name__, **dict(zip(NAMES[self.ROWS], self.table, strict=True))}

    def restored(self, fields: Node, n_features: int) -> Self:
        names, n_groups = NAMES[self.ROWS], self.table.shape[1]
        rows = [
            row.floats(n_groups, n_features, non_finite=name in MAYBE_INFINITE)
            for name, row in zip(names, fields.of_kind(type(self).__name__, *names), strict=True)
        ]
        statistic = type(self)(np.array(rows))
        statistic._check(fields)
        return statistic

    def _check(self, fields: Node) -> None:
        """Raise where the table, read from these fields, holds what no rows leave behind."""
        fields["count"].refuse(self.count < 0, "must not be negative")


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
    if sample_weight is None and codes is not None and rows.start == 0 and 0 < LEAST_ROWS * n_groups <= X.shape[0]:
        table = _moments.zeros(n_groups, X.shape[1], rows.stop == 6)
        if all(_scattered(X, codes, table)):
            return table
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


def fenced_chunks(
    X: NDArray[Any], bounds: Any, with_moments: bool, with_extremes: bool
) -> list[tuple[Any, NDArray[np.float64], NDArray[np.float64]]]:
    """Return the kernel's table of each chunk of a dense batch, fenced in, and how many values were outside.

    Without moments and extremes there is no table.
    """
    low, high = np.ascontiguousarray(bounds.low[0]), np.ascontiguousarray(bounds.high[0])
    n_samples, step = X.shape[0], max(1, CHUNK // X.shape[1])
    return map_chunks(
        lambda start: _moments.summarize_fenced(
            X, start, min(start + step, n_samples), low, high, bounds.drops, with_moments, with_extremes
        ),
        range(0, max(n_samples, 1), step),
        X.nbytes,
    )


def _scattered(X: NDArray[Any], codes: NDArray[np.intp], table: NDArray[np.float64]) -> list[bool]:
    """Write the cells of all groups into a table; return whether that was right for each part of them."""
    n_groups, work = table.shape[1], GROUPED_WORK * X.nbytes
    step = max(1, -(-n_groups // effective_n_threads())) if work >= LARGE else n_groups
    return map_chunks(
        lambda first: _moments.scatter_once(X, codes, table, first, min(first + step, n_groups)),
        range(0, n_groups, step),
        work,
    )


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
