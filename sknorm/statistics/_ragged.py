"""Cells of different lengths in an arena: quantiles of many groups, changed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sknorm.kernels import _quantiles as kernels
from sknorm.statistics._growing import Growing, check_groups

if TYPE_CHECKING:
    from sknorm.statistics.quantiles import Quantiles

# Values that an arena may hold in vain, however few are alive.
SLACK = 1024

# What a store keeps of `Quantiles` as it is, group by group.
KEPT = ("is_exact", "state", "count", "min", "max")

# What of it is the same in every cell without a value.
EMPTY = {"is_exact": 1, "count": 0.0, "min": np.inf, "max": -np.inf}


def gathered(
    items: NDArray[np.float64],
    weights: NDArray[np.float64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the items and weights of ranges, one after the other, and the offsets between them."""
    offsets = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths.reshape(-1), out=offsets[1:])
    found = []
    for source in (items, weights):
        target = np.empty(offsets[-1])
        kernels.copy_ranges(source, starts.reshape(-1), lengths.reshape(-1), target, offsets[:-1])
        found.append(target)
    return found[0], found[1], offsets


class QuantilesStore:
    """Quantiles of a growing number of groups, of which some are taken out and put back at a time.

    The items and weights of all cells lie in an arena. A cell that no longer fits where it was goes to the arena's end;
    when that is full, or more than half of it holds nothing, what is alive moves to a new one. So taking and putting
    cost what the groups cost that are taken and put, however many there are, and so does growing, amortized.

    What a one-shot fit computed exactly stays for the groups that are not put, and for those that are as `Quantiles`
    has it.

    Parameters
    ----------
    statistic : Quantiles
        What is known of the first groups.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Quantiles
    >>> store, some = Quantiles.zero(0, 1).store(), np.array([7, 5])
    >>> store.resize(1000)
    >>> store.put(some, store.take(some).after(np.array([[1.0], [2.0], [4.0]]), None, np.array([0, 1, 1])))
    >>> store.take([5, 7]).quantile(0.5)
    array([[3.],
           [1.]])
    """

    def __init__(self, statistic: Quantiles) -> None:
        shape = statistic.count.shape
        starts = statistic.offsets[:-1].reshape(shape)
        lengths = np.diff(statistic.offsets).reshape(shape)
        self._kind = type(statistic)
        self._options: dict[str, Any] = {"k": statistic.k, "seed": statistic.seed}
        self._groups = Growing(
            start=starts, length=lengths, room=lengths, **{name: getattr(statistic, name) for name in KEPT}
        )
        self._items, self._weights = statistic.items.copy(), statistic.weights.copy()
        self._end = self._alive = len(self._items)
        self._probabilities: tuple[float, ...] = ()
        self._exact = self._exact_of(statistic)
        if self._exact is not None:
            self._probabilities = statistic.probabilities

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.take(np.arange(self.n_groups)),)

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return self._groups.n_groups

    def take(self, groups: Any) -> Quantiles:
        """Return the statistic of these groups, in this order."""
        groups, arrays = check_groups(groups, self.n_groups), self._groups.arrays
        found = gathered(self._items, self._weights, arrays["start"][groups], arrays["length"][groups])
        kept: dict[str, Any] = {name: arrays[name][groups] for name in KEPT}
        exact = {} if self._exact is None else self._take_exact(groups)
        kept |= zip(("items", "weights", "offsets"), found, strict=True)
        return self._kind(**kept, **self._options, **exact)

    def _take_exact(self, groups: NDArray[np.intp]) -> dict[str, Any]:
        """Return the exact results of these groups, nothing where there are none."""
        assert self._exact is not None
        table = np.ascontiguousarray(np.moveaxis(self._exact.arrays["table"][groups], 0, 1))
        if np.isnan(table).all():
            return {}
        deviation = self._exact.arrays.get("deviation")
        found: dict[str, Any] = {"probabilities": self._probabilities, "table": table}
        return found if deviation is None else found | {"deviation": deviation[groups]}

    def put(self, groups: Any, statistic: Quantiles) -> None:
        """Let a statistic be what is known of these groups, in this order; no group comes twice.

        Raises
        ------
        IndexError
            If there is no such group.
        ValueError
            If a group comes twice, or k or the shapes differ. Nothing has changed then.
        """
        self.prepared(groups, statistic)()

    def prepared(self, groups: Any, statistic: Quantiles) -> Callable[[], None]:
        """Do all of `put` that may raise, and return the rest; nothing may come between."""
        groups, arrays = check_groups(groups, self.n_groups, distinct=True), self._groups.arrays
        shape = (len(groups), arrays["count"].shape[1])
        if statistic.k != self._options["k"] or statistic.count.shape != shape:
            raise ValueError(
                f"Cannot put quantiles of k={statistic.k}, shape {statistic.count.shape} where "
                f"k={self._options['k']}, shape {shape} is stored."
            )
        starts = statistic.offsets[:-1]
        lengths = np.diff(statistic.offsets).reshape(shape)
        exact, rows = self._exact_for(statistic)
        total = int(lengths.sum())
        outgrown = lengths > arrays["room"][groups]
        end = self._end + int(lengths[outgrown].sum())
        if end > len(self._items) or end > 2 * (self._alive + total) + SLACK:
            self._move(total)
            outgrown = lengths > arrays["room"][groups]
        places, added = arrays["start"][groups], lengths[outgrown]
        places[outgrown] = self._end + np.cumsum(added) - added
        room = np.maximum(arrays["room"][groups], lengths)
        alive = self._alive + total - int(arrays["length"][groups].sum())

        def commit() -> None:
            for source, target in ((statistic.items, self._items), (statistic.weights, self._weights)):
                kernels.copy_ranges(source, starts, lengths.reshape(-1), target, places.reshape(-1))
            self._end, self._alive = self._end + int(added.sum()), alive
            for name, array in (("start", places), ("length", lengths), ("room", room)):
                arrays[name][groups] = array
            for name in KEPT:
                arrays[name][groups] = getattr(statistic, name)
            if exact is not None:
                if self._exact is None:
                    self._exact, self._probabilities = exact, statistic.probabilities
                for name, array in exact.arrays.items():
                    array[groups] = rows.get(name, np.nan)

        return commit

    def resize(self, n_groups: int) -> None:
        """Add groups without rows, or forget the last ones."""
        if n_groups < 0:
            raise ValueError(f"n_groups must not be negative, got {n_groups}.")
        known, n_features = self.n_groups, self._groups["count"].shape[1]
        forgotten = int(self._groups["length"][n_groups:].sum())
        added = max(0, n_groups - known)
        # Equal to what `Quantiles.zero` of as many groups begins with.
        state = kernels.seed_cells(self._options["seed"], added * n_features, known * n_features)
        if self._exact is not None:
            self._exact.resize(n_groups, **dict.fromkeys(self._exact.arrays, np.nan))
        self._groups.resize(n_groups, start=0, length=0, room=0, state=state.reshape(added, n_features), **EMPTY)
        self._alive -= forgotten

    def _move(self, room: int) -> None:
        """Move what is alive to a new arena, with room for so many values more at least."""
        capacity = self._alive + room
        capacity += capacity // 2
        starts, lengths = self._groups["start"], self._groups["length"]
        moved = np.cumsum(lengths.reshape(-1)).reshape(lengths.shape) - lengths
        items, weights = np.empty(capacity), np.empty(capacity)
        for source, target in ((self._items, items), (self._weights, weights)):
            kernels.copy_ranges(source, starts.reshape(-1), lengths.reshape(-1), target, moved.reshape(-1))
        self._items, self._weights, self._end = items, weights, self._alive
        starts[:] = moved
        self._groups["room"][:] = lengths

    def _exact_of(self, statistic: Quantiles) -> Growing | None:
        """Return the exact results of a one-shot fit, group by group."""
        if not statistic.probabilities or statistic.table is None:
            return None
        deviation = {} if statistic.deviation is None else {"deviation": statistic.deviation}
        return Growing(table=np.moveaxis(statistic.table, 1, 0), **deviation)

    def _exact_for(self, statistic: Quantiles) -> tuple[Growing | None, dict[str, NDArray[np.float64]]]:
        """Return where the exact results of a statistic go, None for nowhere, and what goes there."""
        found = self._exact_of(statistic)
        exact = self._exact
        if found is None:
            return exact, {}
        if exact is None:
            exact = Growing(**{name: np.empty((0, *array.shape[1:])) for name, array in found.arrays.items()})
            exact.resize(self.n_groups, **dict.fromkeys(found.arrays, np.nan))
        elif self._probabilities != statistic.probabilities:
            return exact, {}
        return exact, {name: found.arrays[name] for name in exact.arrays if name in found.arrays}
