"""Quantiles of the last rows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.kernels import _quantiles as kernels
from sknorm.statistics._base import check_codes
from sknorm.statistics._growing import Growing, check_groups
from sknorm.statistics.extremes import Extremes
from sknorm.statistics.quantiles import Quantiles
from sknorm.statistics.windowed import MOST_ROWS, Windowed, first_pane, first_panes, n_panes, pane_length


@dataclass(frozen=True, eq=False)
class WindowedQuantiles(Windowed):
    """The window over quantiles: of every group, its own last rows.

    Attributes
    ----------
    closed : Quantiles
        The panes of every group that are full, a ring of ``n_panes(window) − 1``, as its groups: pane p of group g is
        group ``g · (n_panes − 1) + p % (n_panes − 1)``, and those that do not count are empty.
    newest : Quantiles
        The open pane of every group.
    pane_weight : ndarray of shape (n_groups, n_panes)
        The weight of the rows in each pane of the ring, and in the open one.
    seen : ndarray of shape (n_groups,), int64
        Rows so far: the open pane has the number ``seen // pane_length(window)``.
    window : int
        The last rows of a group that count.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import WindowedQuantiles
    >>> last = WindowedQuantiles.zero(1, 1, window=3).after(np.array([[9.0], [1.0], [5.0], [2.0]]))
    >>> float(last.now().quantile(0.5)[0, 0])
    2.0
    """

    closed: Quantiles
    newest: Quantiles
    pane_weight: NDArray[np.float64]
    seen: NDArray[np.int64]
    window: int

    def __post_init__(self) -> None:
        self.pane_weight.setflags(write=False)
        self.seen.setflags(write=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.closed, self.newest, self.pane_weight, self.seen, self.window)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, window: int = 1) -> Self:
        """Return the statistic of no rows."""
        panes = n_panes(window)
        ring, newest = Quantiles.zero(n_groups * (panes - 1), n_features), Quantiles.zero(n_groups, n_features)
        return cls(ring, newest, np.zeros((n_groups, panes)), np.zeros(n_groups, np.int64), window)

    def after(
        self,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
    ) -> Self:
        n_samples, n_groups, length = X.shape[0], self.n_groups, pane_length(self.window)
        if n_groups == 1 and sample_weight is None and codes is None and n_samples < length:
            then, now = int(self.seen[0]), int(self.seen[0]) + n_samples
            if then // length == now // length and first_pane(then, self.window) == first_pane(now, self.window):
                return self._gone_on(X)  # in a third of the time
        codes = check_codes(codes, n_groups, n_samples)
        rows, ends = kernels.order_rows(codes, sample_weight, n_samples, n_groups)
        own = np.diff(ends, prepend=0)
        seen = self.seen + own
        group = np.repeat(np.arange(n_groups), own)
        pane = (np.arange(len(rows)) + np.repeat(self.seen - (ends - own), own)) // length
        first, last = first_panes(seen, self.window), seen // length
        needed = pane >= first[group]
        if not needed.all():
            rows, group, pane = rows[needed], group[needed], pane[needed]
        if len(rows) < n_samples:
            Extremes.of(X)  # what is left out must be finite too
        if sp.issparse(X):
            X = X.tocsr()
        ring = self._turned(seen)
        is_open = pane == last[group]
        closed, newest, pane_weight = ring.closed, ring.newest, ring.pane_weight.copy()
        if not is_open.all():
            n_closed, full = n_panes(self.window) - 1, ~is_open
            codes = group[full] * n_closed + pane[full] % n_closed
            weights = None if sample_weight is None else sample_weight[rows[full]]
            closed = closed.going_on(X[rows[full]], weights, codes)
            added = np.bincount(codes, weights, n_groups * n_closed)
            pane_weight[:, :-1] += added.reshape(n_groups, n_closed)
            rows, group = rows[is_open], group[is_open]
        if len(rows):
            weights = None if sample_weight is None else sample_weight[rows]
            in_order = n_groups == 1 and len(rows) == n_samples
            newest = newest.going_on(X if in_order else X[rows], weights, None if n_groups == 1 else group)
            pane_weight[:, -1] += np.bincount(group, weights, n_groups)
        return (
            self._with_newest(newest, pane_weight, seen)
            if closed is self.closed
            else type(self)(closed, newest, pane_weight, seen, self.window)
        )

    def _gone_on(self, X: Any) -> Self:
        """Return the statistic after rows that all go to the open pane of the one group, none dropping a pane."""
        pane_weight = self.pane_weight.copy()
        pane_weight[0, -1] += X.shape[0]
        return self._with_newest(self.newest.going_on(X), pane_weight, self.seen + X.shape[0])

    def _with_newest(self, newest: Quantiles, pane_weight: NDArray[np.float64], seen: NDArray[np.int64]) -> Self:
        """Return the same closed panes, and what is known of them, with other open ones."""
        after = type(self)(self.closed, newest, pane_weight, seen, self.window)
        if "_folded" in self.__dict__:
            after.__dict__["_folded"] = self._folded
        return after

    def _turned(self, seen: NDArray[np.int64]) -> Self:
        """Return the ring as it is after so many rows, but for what these rows add to it."""
        length = pane_length(self.window)
        last, then = seen // length, self.seen // length
        first = first_panes(seen, self.window)
        if (last == then).all() and (first == first_panes(self.seen, self.window)).all():
            return self
        panes, held = held_panes(last, self.window), held_panes(then, self.window)
        counts = panes >= first[:, np.newaxis]
        stays = counts & (panes == held)
        closes = counts & (panes == then[:, np.newaxis]) & (last > then)[:, np.newaxis]
        groups, goes_on = np.arange(self.n_groups), last == then
        source = np.where(stays, np.arange(stays.size).reshape(stays.shape), -1)
        source = np.where(closes, stays.size + groups[:, np.newaxis], source).reshape(-1)
        closed = (self.closed.beside(self.newest) if closes.any() else self.closed).arranged(source)
        newest = self.newest.arranged(np.where(goes_on, groups, -1))
        weight = np.where(stays, self.pane_weight[:, :-1], 0.0) + np.where(closes, self.pane_weight[:, -1:], 0.0)
        newest_weight = np.where(goes_on, self.pane_weight[:, -1], 0.0)
        return type(self)(
            seeded(closed, panes), seeded(newest, last[:, np.newaxis]), np.column_stack([weight, newest_weight]), seen,
            self.window,
        )  # fmt: skip

    @cached_property
    def _folded(self) -> Quantiles:
        """The full panes of every group as one, kept for all the rows of the open one."""
        return self.closed.folded(n_panes(self.window) - 1)

    def now(self) -> Quantiles:
        return self._folded.merge(self.newest)

    def take(self, groups: Any) -> Self:
        """Return the statistic of these groups, in this order."""
        groups = check_groups(groups, self.n_groups)
        closed = self.closed.take(ring_groups(groups, self.window))
        newest = self.newest.take(groups)
        return type(self)(closed, newest, self.pane_weight[groups], self.seen[groups], self.window)

    def store(self) -> WindowedQuantilesStore:
        """Return a store that begins with these groups."""
        return WindowedQuantilesStore(self)

    @property
    def group_weight(self) -> NDArray[np.float64]:
        """The weight of the rows of every group that count."""
        weight: NDArray[np.float64] = self.pane_weight.sum(axis=1)
        return weight

    @property
    def n_rows(self) -> float:
        return float(sum(self.group_weight.tolist()))

    def fields(self) -> dict[str, Any]:
        ring = {"window": self.window, "seen": self.seen, "pane_weight": self.pane_weight}
        return {"kind": type(self).__name__} | ring | {"closed": self.closed.fields(), "newest": self.newest.fields()}

    def restored(self, fields: Node, n_features: int) -> Self:
        window, rows, weights, ring, open_pane = fields.of_kind(
            type(self).__name__, "window", "seen", "pane_weight", "closed", "newest"
        )
        window.same_number(self.window)
        seen = rows.integers(self.n_groups, high=MOST_ROWS, dtype=np.int64)
        weight = weights.floats(*self.pane_weight.shape)
        weights.refuse(weight < 0, "must not be negative")
        closed, newest = self.closed.restored(ring, n_features), self.newest.restored(open_pane, n_features)
        last, begun = np.divmod(seen, pane_length(self.window))
        counting = held_panes(last, self.window) >= first_panes(seen, self.window)[:, np.newaxis]
        idle = ~np.column_stack([counting, begun > 0])
        problem = "must be 0: after so many rows this pane does not count"
        weights.refuse((weight > 0) & idle, problem)
        ring["count"].refuse((closed.count > 0) & idle[:, :-1].reshape(-1, 1), problem)
        open_pane["count"].refuse((newest.count > 0) & idle[:, -1:], problem)
        return type(self)(closed, newest, weight, seen, self.window)


class WindowedQuantilesStore:
    """Windows over the quantiles of a growing number of groups, of which some are taken out and put back at a time.

    Parameters
    ----------
    statistic : WindowedQuantiles
        What is known of the first groups.

    See Also
    --------
    QuantilesStore : What taking and putting cost.
    """

    def __init__(self, statistic: WindowedQuantiles) -> None:
        self._kind, self._window = type(statistic), statistic.window
        self._closed, self._newest = statistic.closed.store(), statistic.newest.store()
        self._groups = Growing(pane_weight=statistic.pane_weight, seen=statistic.seen)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.take(np.arange(self.n_groups)),)

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return self._groups.n_groups

    def take(self, groups: Any) -> WindowedQuantiles:
        """Return the statistic of these groups, in this order."""
        groups, arrays = check_groups(groups, self.n_groups), self._groups.arrays
        closed, newest = self._closed.take(ring_groups(groups, self._window)), self._newest.take(groups)
        return self._kind(closed, newest, arrays["pane_weight"][groups], arrays["seen"][groups], self._window)

    def put(self, groups: Any, statistic: WindowedQuantiles) -> None:
        """Let a statistic be what is known of these groups, in this order; no group comes twice.

        Raises
        ------
        IndexError
            If there is no such group.
        ValueError
            If a group comes twice, or the window or the shapes differ. Nothing has changed then.
        """
        self.prepared(groups, statistic)()

    def prepared(self, groups: Any, statistic: WindowedQuantiles) -> Callable[[], None]:
        """Do all of `put` that may raise, and return the rest; nothing may come between."""
        groups, arrays = check_groups(groups, self.n_groups, distinct=True), self._groups.arrays
        if statistic.window != self._window:
            raise ValueError(f"Cannot put a window of {statistic.window} where one of {self._window} is stored.")
        put_newest = self._newest.prepared(groups, statistic.newest)
        put_closed = self._closed.prepared(ring_groups(groups, self._window), statistic.closed)

        def commit() -> None:
            put_newest()
            put_closed()
            arrays["pane_weight"][groups], arrays["seen"][groups] = statistic.pane_weight, statistic.seen

        return commit

    def resize(self, n_groups: int) -> None:
        """Add groups without rows, or forget the last ones."""
        self._newest.resize(n_groups)
        self._closed.resize(n_groups * (n_panes(self._window) - 1))
        self._groups.resize(n_groups, pane_weight=0.0, seen=0)


def held_panes(last: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return the numbers (n_groups, n_panes − 1) of the panes in the ring while this one is open; less than 0: none."""
    n_closed = n_panes(window) - 1
    before = last[:, np.newaxis] - 1
    held: NDArray[np.int64] = before - (before - np.arange(n_closed)) % n_closed
    return held


def ring_groups(groups: NDArray[np.intp], window: int) -> NDArray[np.intp]:
    """Return which groups of a ring are the panes of these groups."""
    n_closed = n_panes(window) - 1
    return (groups[:, np.newaxis] * n_closed + np.arange(n_closed)).reshape(-1)


def seeded(quantiles: Quantiles, panes: NDArray[np.int64]) -> Quantiles:
    """Return quantiles whose empty cells start from the number of their pane.

    With one seed for all panes, their errors would not cancel.
    """
    seeds = kernels.seed_panes(np.ascontiguousarray(panes), quantiles.count.shape[1])
    state = np.where(quantiles.count > 0, quantiles.state, seeds.reshape(quantiles.count.shape))
    return quantiles.changed(state=state)
