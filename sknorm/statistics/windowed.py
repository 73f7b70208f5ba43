"""Statistics of the last rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, NoReturn, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.kernels import _stream
from sknorm.statistics._base import Statistic
from sknorm.statistics._table import Followed, Table
from sknorm.statistics.extremes import Extremes
from sknorm.statistics.quantiles import Quantiles

# A ring has so many closed panes at least, if the window has as many rows.
PANES = 16

# Rows that a document may claim to have been seen: the kernels count up to twice as many.
MOST_ROWS = 2**62


def pane_length(window: int) -> int:
    """Return the rows of a pane."""
    return max(1, window // PANES)


def n_panes(window: int) -> int:
    """Return the panes in the ring: those that the window may need, and the open one."""
    return 1 - -window // pane_length(window)


def first_pane(seen: int, window: int) -> int:
    """Return the number of the oldest pane that counts after so many rows."""
    length = pane_length(window)
    last, rows = divmod(seen, length)
    return max(0, last - -(-max(0, window - rows) // length))


def pieces(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the rows from start to stop, cut where a pane ends."""
    while start < stop:
        end = min(stop, (start // length + 1) * length)
        yield start, end
        start = end


class Windowed(Statistic):
    """A statistic of the last ``window`` rows, in a ring of panes.

    Rows go into panes of ``window // 16`` rows (1 at least), a statistic each. The oldest pane is dropped whole as soon
    as the others hold ``window`` rows, so those that count are from window to ``window · (1 + 1/16)``. A row counts
    with all its values missing too; one of weight 0 does not.

    See Also
    --------
    Decayed : An older row weighs less, and none is kept.

    References
    ----------
    J. Li, D. Maier, K. Tufte, V. Papadimos and P. A. Tucker, "No pane, no gain: efficient evaluation of sliding-window
    aggregates over data streams", SIGMOD Record 34(1), 2005.
    """

    __slots__ = ()
    panes: Any
    pane_weight: Any
    seen: int
    window: int

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.panes, self.pane_weight, self.seen, self.window)

    def merge(self, other: Self) -> NoReturn:
        """Raise: the last rows of two streams are not the last rows of any."""
        raise ValueError(
            "Windows cannot be merged, since the last rows of two streams are not the last rows of one; "
            "merge scalers with window=None."
        )

    def _ring_fields(self, panes: Any) -> dict[str, Any]:
        ring = {"window": self.window, "seen": self.seen, "pane_weight": self.pane_weight}
        return {"kind": type(self).__name__} | ring | {"panes": panes}

    def _restored_ring(self, fields: Node) -> tuple[int, Node, Node]:
        """Return the rows so far, and the fields of the panes' weights and of the panes."""
        window, seen, weights, panes = fields.of_kind(type(self).__name__, "window", "seen", "pane_weight", "panes")
        window.same_number(self.window)
        return seen.integer(0, MOST_ROWS), weights, panes


@dataclass(frozen=True, eq=False)
class WindowedQuantiles(Windowed):
    """The window over quantiles.

    Attributes
    ----------
    panes : tuple of Quantiles
        The panes that count, oldest first; the last is the open one.
    pane_weight : tuple of float
        The weight of the rows in each.
    seen : int
        Rows so far.
    window : int
        The last rows that count.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import WindowedQuantiles
    >>> last = WindowedQuantiles.zero(1, 1, window=3).after(np.array([[9.0], [1.0], [5.0], [2.0]]))
    >>> float(last.now().quantile(0.5)[0, 0])
    2.0
    """

    panes: tuple[Quantiles, ...]
    pane_weight: tuple[float, ...]
    seen: int
    window: int

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, window: int = 1) -> Self:
        """Return the statistic of no rows; ungrouped."""
        return cls((Quantiles.zero(n_groups, n_features),), (0.0,), 0, window)

    def after(self, X: Any, sample_weight: NDArray[np.float64] | None = None) -> Self:
        counts = np.ones(X.shape[0], bool) if sample_weight is None else sample_weight > 0
        seen, length = self.seen + int(counts.sum()), pane_length(self.window)
        first = first_pane(seen, self.window)
        panes, weights, at = list(self.panes), list(self.pane_weight), self.seen
        counted = np.flatnonzero(counts)
        if first * length > at:  # none of the panes so far is needed at the end, nor are the first rows
            panes, weights = [Quantiles.zero(*panes[-1].count.shape)], [0.0]
            counted, at = counted[first * length - at :], first * length
        if counted.size < X.shape[0]:
            Extremes.of(X)  # what is left out must be finite too
            X = X[counted]
            sample_weight = None if sample_weight is None else sample_weight[counted]
        if sp.issparse(X):
            X = X.tocsr()
        for start, stop in pieces(at, seen, length):
            rows = slice(start - at, stop - at)
            weight = None if sample_weight is None else sample_weight[rows]
            # A seed for each pane: with one for all, their errors would not cancel.
            panes[-1] = panes[-1].merge(Quantiles.of(X[rows], weight, seed=start // length))
            weights[-1] += stop - start if weight is None else float(weight.sum())
            if stop % length == 0:
                panes.append(Quantiles.zero(*panes[-1].count.shape))
                weights.append(0.0)
        dropped = len(panes) - 1 - (seen // length - first)
        after = type(self)(tuple(panes[dropped:]), tuple(weights[dropped:]), seen, self.window)
        if "_closed" in self.__dict__ and list(map(id, after.panes[:-1])) == list(map(id, self.panes[:-1])):
            after.__dict__["_closed"] = self._closed
        return after

    def fields(self) -> dict[str, Any]:
        return self._ring_fields([pane.fields() for pane in self.panes])

    def restored(self, fields: Node, n_features: int) -> Self:
        seen, weights, nodes = self._restored_ring(fields)
        panes = nodes.items(seen // pane_length(self.window) - first_pane(seen, self.window) + 1)
        weight = weights.floats(len(panes))
        weights.refuse(weight < 0, "must not be negative")
        zero = self.panes[-1]
        read = tuple(zero.restored(pane, n_features) for pane in panes)
        return type(self)(read, tuple(weight.tolist()), seen, self.window)

    @cached_property
    def _closed(self) -> Quantiles | None:
        """The closed panes, merged once for all the rows of the open one."""
        return reduce(Quantiles.merge, self.panes[:-1]) if len(self.panes) > 1 else None

    def now(self) -> Quantiles:
        return self.panes[-1] if self._closed is None else self._closed.merge(self.panes[-1])

    @property
    def n_rows(self) -> float:
        return float(sum(self.pane_weight))


class WindowedTable(Windowed, Followed):
    """The window over counts, moments and extremes.

    Attributes
    ----------
    panes : Table
        The panes as its groups.
    pane_weight : ndarray of shape (n_panes,)
        The weight of the rows in each.
    seen : int
        Rows so far: the open pane is ``seen // length % n_panes``.
    window : int
        The last rows that count.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Extremes, WindowedTable
    >>> last = WindowedTable.zero(1, 1, kind=Extremes, window=2).after(np.array([[9.0], [1.0], [5.0]]))
    >>> last.now().min, last.now().max
    (array([[1.]]), array([[5.]]))
    """

    __slots__ = ("pane_weight", "panes", "seen", "window")

    panes: Table
    pane_weight: NDArray[np.float64]
    seen: int

    def __init__(self, panes: Table, pane_weight: NDArray[np.float64], seen: int, window: int) -> None:
        pane_weight.setflags(write=False)
        object.__setattr__(self, "panes", panes)
        object.__setattr__(self, "pane_weight", pane_weight)
        object.__setattr__(self, "seen", seen)
        object.__setattr__(self, "window", window)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, kind: type[Table] = Extremes, window: int = 1) -> Self:
        """Return the statistic of no rows; ungrouped."""
        panes = n_panes(window)
        return cls(kind.zero(panes, n_features), np.zeros(panes), 0, window)

    def after(self, X: Any, sample_weight: NDArray[np.float64] | None = None) -> Self:
        skipped = first_pane(self.seen + X.shape[0], self.window) * pane_length(self.window) - self.seen
        if skipped <= 0 or sample_weight is not None or sp.issparse(X):
            return self.follow(X, sample_weight)[1]
        # No pane so far counts at the end, nor do the first rows.
        Extremes.of(X[:skipped])  # which must be finite all the same
        empty = type(self).zero(1, X.shape[1], kind=type(self.panes), window=self.window)
        rest = type(self)(empty.panes, empty.pane_weight, self.seen + skipped, self.window)
        return rest.follow(X[skipped:])[1]

    def now(self) -> Table:
        return type(self.panes)(self._past().read())

    def fields(self) -> dict[str, Any]:
        return self._ring_fields(self.panes.fields())

    def restored(self, fields: Node, n_features: int) -> Self:
        seen, weights, nodes = self._restored_ring(fields)
        panes = self.panes.restored(nodes, n_features)
        weight = weights.floats(len(self.pane_weight))
        weights.refuse(weight < 0, "must not be negative")
        counting = np.arange(first_pane(seen, self.window), seen // pane_length(self.window) + 1) % len(weight)
        for node, values in ((weights, weight), (nodes["count"], panes.count)):
            wrong = values > 0
            wrong[counting] = False
            node.refuse(wrong, f"must be 0: after {seen} rows this pane does not count")
        return type(self)(panes, weight, seen, self.window)

    @property
    def n_rows(self) -> float:
        return float(sum(self.pane_weight.tolist()))

    def _past(self) -> _stream.Past:
        return _stream.Past(
            self.panes.table.copy(),
            self.panes.ROWS.start,
            window=self.window,
            length=pane_length(self.window),
            seen=self.seen,
            pane_weight=self.pane_weight.copy(),
        )

    def _gone_on(self, past: _stream.Past) -> Self:
        return type(self)(type(self.panes)(past.table), past.pane_weight, past.seen, self.window)


def window_over(kind: type[Statistic], n_features: int, window: int) -> Windowed:
    """Return the window over a kind of statistic, before the first row."""
    if window < 1:
        raise ValueError(f"window must be 1 row at least, not {window!r}.")
    if issubclass(kind, Quantiles):
        return WindowedQuantiles.zero(1, n_features, window=window)
    assert issubclass(kind, Table)
    return WindowedTable.zero(1, n_features, kind=kind, window=window)
