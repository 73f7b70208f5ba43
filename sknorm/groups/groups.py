"""What is known of many groups: their keys, what was learned from the rows of each, and from all rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from sknorm._learned import Learned
from sknorm.groups.key_index import KeyIndex
from sknorm.groups.keys import Keys
from sknorm.statistics._growing import Growing

Codes = NDArray[np.intp]

# So much of max_groups is folded at a time, so that a stream of new keys seldom looks for the oldest.
FOLDED_SHARE = 16


class Found(NamedTuple):
    """What is known of some keys, at one moment.

    ``groups`` are their groups, −1 where unknown; ``statistic`` and ``weight`` are of the known ones alone.
    """

    groups: Codes
    statistic: Any
    weight: NDArray[np.float64]
    everything: Learned
    folded: Learned | None = None


class Snapshot(NamedTuple):
    """All that is known of groups, at one moment."""

    key_index: KeyIndex
    statistic: Any
    weight: NDArray[np.float64]
    updated: NDArray[np.int64]
    everything: Learned
    folded: Learned | None
    n_folded: int
    clock: int


class Groups:
    """The groups of a `GroupedScaler`: a store that changes in place, or not at all.

    A batch is learned under ``lock``, and so readers wait for its end: they see what was known before it or after it.

    Parameters
    ----------
    index : KeyIndex
        The keys.
    store : Store
        What was learned from the rows of each.
    weight : ndarray of shape (n_groups,)
        The weight of these rows.
    everything : Learned
        What was learned from all rows.

    Attributes
    ----------
    lock : RLock
        Held while something changes.
    folded : Learned or None
        What was learned from the rows of groups whose keys are forgotten.
    n_folded : int
        How many groups these were.
    """

    def __init__(self, index: KeyIndex, store: Any, weight: NDArray[np.float64], everything: Learned) -> None:
        self.index = index
        self.store = store
        self.about = Growing(weight=weight, updated=np.zeros(len(weight), np.int64))
        self.everything = everything
        self.folded: Learned | None = None
        self.n_folded = 0
        self.clock = 0
        self.lock = threading.RLock()
        self._undo: list[Callable[[], None]] = []
        self._depth = self._n_before = 0
        EVERY.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        snapshot = self.snapshot()
        return restored, (snapshot.key_index, snapshot.statistic.store(), *snapshot[2:])

    def __deepcopy__(self, memo: Any) -> Groups:
        build, arguments = self.__reduce__()
        return build(*arguments)

    def __len__(self) -> int:
        return len(self.index)

    # Reading.

    def look_up(self, keys: Keys) -> Found:
        """Return what is known of these keys, of which some may be unknown."""
        with self.lock:
            groups = self.index.find(keys)
            known = groups if groups.size and groups.min() >= 0 else groups[groups >= 0]
            return Found(groups, self.store.take(known), self.about["weight"][known], self.everything, self.folded)

    def snapshot(self) -> Snapshot:
        """Return all that is known, which later changes leave alone."""
        with self.lock:
            every = np.arange(len(self))
            return Snapshot(
                self.index.keep(every),
                self.store.take(every),
                self.about["weight"].copy(),
                self.about["updated"].copy(),
                self.everything,
                self.folded,
                self.n_folded,
                self.clock,
            )

    # Changing.

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back every change that is made within if anything is raised."""
        with self.lock:
            start, n_before = len(self._undo), self._n_before
            self._depth, self._n_before = self._depth + 1, len(self)
            try:
                yield
            except BaseException:
                self._take_back(start)
                raise
            finally:
                self._depth, self._n_before = self._depth - 1, n_before
                if not self._depth:
                    self._undo.clear()

    def _change(self, work: Callable[[], None], undo: Callable[[], None]) -> None:
        assert self._depth, "changes are made within all_or_nothing"
        self._undo.append(undo)  # which does no harm where nothing, or a part, was done
        work()

    def _take_back(self, start: int) -> None:
        for undo in reversed(self._undo[start:]):
            undo()
        del self._undo[start:]

    def after_fork(self) -> None:
        """Go on in a child process, where the thread that was learning, and held the lock, does not exist."""
        self.lock = threading.RLock()
        self._take_back(0)
        self._depth = 0

    def _set(self, **after: Any) -> None:
        before = {name: self.__dict__[name] for name in after}
        self._change(lambda: self.__dict__.update(after), lambda: self.__dict__.update(before))

    def enter(self, keys: Keys) -> Codes:
        """Return the groups of these keys, all different; there is one for every key then."""
        groups = self.index.find(keys)
        new = groups < 0
        n_new, n_known = int(new.sum()), len(self)
        if n_new:
            fresh = keys[new] if isinstance(keys, np.ndarray) else [keys[i] for i in np.flatnonzero(new).tolist()]

            def forget() -> None:
                self.index.truncate(n_known)
                self._resize(n_known)

            def add() -> None:
                self.index.add(fresh)
                self._resize(n_known + n_new)

            self._change(add, forget)
            groups[new] = np.arange(n_known, n_known + n_new)
        return groups

    def _resize(self, n_groups: int) -> None:
        self.store.resize(n_groups)
        self.about.resize(n_groups, weight=0.0, updated=0)

    def take(self, groups: Codes) -> tuple[Any, NDArray[np.float64]]:
        """Return what is known of these groups: statistic and weight."""
        return self.store.take(groups), self.about["weight"][groups]

    def put(
        self, groups: Codes, statistic: Any, weight: NDArray[np.float64], updated: Codes, everything: Learned
    ) -> None:
        """Let this be what is known of these groups, the last rows of which were ``updated``, and of all rows."""
        old = groups[groups < self._n_before]  # those that have entered since will be forgotten
        before = (*self.take(old), self.about["updated"][old], self.everything)

        def write(groups: Codes, statistic: Any, weight: Any, updated: Any, everything: Learned) -> None:
            self.store.put(groups, statistic)
            self.about["weight"][groups], self.about["updated"][groups] = weight, updated
            self.everything = everything

        self._change(lambda: write(groups, statistic, weight, updated, everything), lambda: write(old, *before))

    def count_rows(self, n_rows: int) -> None:
        """Let the clock go on, by which groups are told that were updated last."""
        self._set(clock=self.clock + n_rows)

    def set_folded(self, folded: Learned | None, n_folded: int) -> None:
        """Let this be what is known of the groups that were folded, and their number."""
        self._set(folded=folded, n_folded=n_folded)

    def fold(self, most: int, fold: Callable[[Learned | None, Any, float], Learned]) -> None:
        """Keep no more than so many groups; ``fold`` adds those that were updated longest ago to what is folded."""
        n_groups = len(self)
        if n_groups <= most:
            return
        n_kept = max(1, most - most // FOLDED_SHARE)
        order = np.argsort(self.about["updated"], kind="stable")
        dropped = np.sort(order[: n_groups - n_kept])
        statistic, weight = self.take(dropped)
        folded = fold(self.folded, statistic, float(weight.sum()))
        self.forget(dropped)
        self.set_folded(folded, self.n_folded + len(dropped))

    def forget(self, groups: Codes) -> None:
        """Forget these groups; the others move up."""
        kept = np.setdiff1d(np.arange(len(self)), groups)
        about = Growing(weight=self.about["weight"][kept], updated=self.about["updated"][kept])
        self._set(index=self.index.keep(kept), store=self.store.take(kept).store(), about=about)


# Weak, for fork alone.
EVERY: WeakSet[Groups] = WeakSet()


def after_fork() -> None:
    """Let all groups go on in a child process."""
    for groups in list(EVERY):
        groups.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)


def restored(
    index: KeyIndex,
    store: Any,
    weight: NDArray[np.float64],
    updated: NDArray[np.int64],
    everything: Learned,
    folded: Learned | None,
    n_folded: int,
    clock: int,
) -> Groups:
    """Return the groups of which a snapshot was taken."""
    groups = Groups(index, store, weight, everything)
    groups.about["updated"][:] = updated
    groups.folded, groups.n_folded, groups.clock = folded, n_folded, clock
    return groups


def combined(statistic: Any) -> Any:
    """Return the statistic of the rows of all groups, of which there is one at least."""
    rest = None
    while (n_groups := statistic.n_groups) > 1:
        half = n_groups // 2
        if n_groups % 2:
            last = statistic.take(np.array([n_groups - 1]))
            rest = last if rest is None else rest.merge(last)
        statistic = statistic.take(np.arange(half)).merge(statistic.take(np.arange(half, 2 * half)))
    return statistic if rest is None else statistic.merge(rest)
