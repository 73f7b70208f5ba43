"""Statistics of the last rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.kernels import _groups, _stream
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
    seen: NDArray[np.int64]
    window: int

    @property
    def n_groups(self) -> int:
        return self.seen.shape[0]

    def merge(self, other: Self) -> NoReturn:
        """Raise: the last rows of two streams are not the last rows of any."""
        raise ValueError(
            "Windows cannot be merged, since the last rows of two streams are not the last rows of one; "
            "merge scalers with window=None."
        )


class WindowedTable(Windowed, Followed):
    """The window over counts, moments and extremes: of every group, its own last rows.

    Attributes
    ----------
    panes : Table
        The panes of every group as its groups: pane p of group g is group ``g · n_panes + p % n_panes``.
    pane_weight : ndarray of shape (n_groups, n_panes)
        The weight of the rows in each.
    seen : ndarray of shape (n_groups,), int64
        Rows so far: the open pane has the number ``seen // pane_length(window)``.
    window : int
        The last rows of a group that count.

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
    seen: NDArray[np.int64]

    def __init__(self, panes: Table, pane_weight: NDArray[np.float64], seen: NDArray[np.int64], window: int) -> None:
        pane_weight.setflags(write=False)
        seen.setflags(write=False)
        object.__setattr__(self, "panes", panes)
        object.__setattr__(self, "pane_weight", pane_weight)
        object.__setattr__(self, "seen", seen)
        object.__setattr__(self, "window", window)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.panes, self.pane_weight, self.seen, self.window)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, kind: type[Table] = Extremes, window: int = 1) -> Self:
        """Return the statistic of no rows."""
        panes = n_panes(window)
        zero = kind.zero(n_groups * panes, n_features)
        return cls(zero, np.zeros((n_groups, panes)), np.zeros(n_groups, np.int64), window)

    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        if codes is not None:
            return self.follow_groups(X, sample_weight, codes)[1]
        seen = int(self.seen[0])
        skipped = first_pane(seen + X.shape[0], self.window) * pane_length(self.window) - seen
        if skipped <= 0 or sample_weight is not None or sp.issparse(X):
            return self.follow(X, sample_weight)[1]
        # No pane so far counts at the end, nor do the first rows.
        Extremes.of(X[:skipped])  # which must be finite all the same
        empty = self.nothing()
        rest = type(self)(empty.panes, empty.pane_weight, self.seen + skipped, self.window)
        return rest.follow(X[skipped:])[1]

    def now(self) -> Table:
        if self.n_groups == 1:
            return type(self.panes)(self._past().read())
        return type(self.panes)(self._grouped_past(np.zeros(self.n_groups)).read())

    def fields(self) -> dict[str, Any]:
        ring = {"window": self.window, "seen": self.seen, "pane_weight": self.pane_weight}
        return {"kind": type(self).__name__} | ring | {"panes": self.panes.fields()}

    def restored(self, fields: Node, n_features: int) -> Self:
        window, rows, weights, nodes = fields.of_kind(type(self).__name__, "window", "seen", "pane_weight", "panes")
        window.same_number(self.window)
        seen = rows.integers(self.n_groups, high=MOST_ROWS, dtype=np.int64)
        weight = weights.floats(*self.pane_weight.shape)
        weights.refuse(weight < 0, "must not be negative")
        panes = self.panes.restored(nodes, n_features)
        last, slot = seen // pane_length(self.window), np.arange(weight.shape[1])
        newest = (last % len(slot))[:, np.newaxis]
        ages = (newest - slot) % len(slot)  # panes between a slot's and the open one
        idle = ages > (last - first_panes(seen, self.window))[:, np.newaxis]
        problem = "must be 0: after so many rows this pane does not count"
        weights.refuse((weight > 0) & idle, problem)
        nodes["count"].refuse((panes.count > 0) & idle.reshape(-1, 1), problem)
        return type(self)(panes, weight, seen, self.window)

    @property
    def n_rows(self) -> float:
        return float(sum(self.pane_weight[0].tolist()))

    def _past(self) -> _stream.Past:
        return _stream.Past(
            self.panes.table.copy(),
            self.panes.ROWS.start,
            window=self.window,
            length=pane_length(self.window),
            seen=int(self.seen[0]),
            pane_weight=self.pane_weight[0].copy(),
        )

    def _gone_on(self, past: _stream.Past) -> Self:
        return type(self)(
            type(self.panes)(past.table), past.pane_weight[np.newaxis], np.array([past.seen], np.int64), self.window
        )

    def _grouped_past(self, weight: NDArray[np.float64]) -> _groups.Groups:
        return _groups.Groups(
            self.panes.table.copy(),
            self.panes.ROWS.start,
            weight,
            window=self.window,
            length=pane_length(self.window),
            seen=self.seen.copy(),
            pane_weight=self.pane_weight.copy(),
        )

    def _grouped_gone_on(self, groups: _groups.Groups) -> Self:
        return type(self)(type(self.panes)(groups.table), groups.pane_weight, groups.seen, self.window)

    def arrays(self) -> dict[str, NDArray[Any]]:
        n_rows, _, d = self.panes.table.shape
        panes = self.panes.table.reshape(n_rows, *self.pane_weight.shape, d).transpose(1, 0, 2, 3)
        return {"panes": panes, "pane_weight": self.pane_weight, "seen": self.seen}

    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Self:
        n_groups, n_rows, n_panes, d = arrays["panes"].shape
        table = np.ascontiguousarray(arrays["panes"].transpose(1, 0, 2, 3)).reshape(n_rows, n_groups * n_panes, d)
        return type(self)(type(self.panes)(table), arrays["pane_weight"], arrays["seen"], self.window)

    def nothing(self) -> Self:
        return type(self).zero(1, self.panes.table.shape[2], kind=type(self.panes), window=self.window)

    def standing_for(self, statistic: Any) -> Self:
        nothing = self.nothing()
        table = nothing.panes.table.copy()
        table[:, :1] = statistic.table
        return type(self)(type(self.panes)(table), nothing.pane_weight.copy(), nothing.seen.copy(), self.window)


def first_panes(seen: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return `first_pane` of every group."""
    length = pane_length(window)
    last, rows = np.divmod(seen, length)
    return np.maximum(0, last - -(-np.maximum(0, window - rows) // length))


def window_over(kind: type[Statistic], n_groups: int, n_features: int, window: int) -> Windowed:
    """Return the window over a kind of statistic, before the first row."""
    if window < 1:
        raise ValueError(f"window must be 1 row at least, not {window!r}.")
    if issubclass(kind, Quantiles):
        # It stands on what is above.
        from sknorm.statistics.windowed_quantiles import WindowedQuantiles

        return WindowedQuantiles.zero(n_groups, n_features, window=window)
    assert issubclass(kind, Table)
    return WindowedTable.zero(n_groups, n_features, kind=kind, window=window)
