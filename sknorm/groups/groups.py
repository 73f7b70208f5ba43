"""What is known of many groups: their keys, what was learned from the rows of each, and from all rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._key_index import KeyIndex
from sknorm._keys import Keys
from sknorm._learned import Learned
from sknorm.statistics._ragged import Growing

Codes = NDArray[np.intp]

# So much of max_groups is folded at a time, so that a stream of new keys seldom looks for the oldest.
FOLDED_SHARE = 16


class Groups:
    """The groups of a `GroupedScaler`: a store that changes in place, or not at all.

    A change is made by the thread that holds ``writing``; readers see what was known before it or after it.

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
        self.writing = threading.RLock()
        self._reading = threading.RLock()
        self._undo: list[Callable[[], None]] | None = None
        self._n_before = 0

    def __getstate__(self) -> dict[str, Any]:
        with self.writing:
            state = self.__dict__.copy()
        for name in ("writing", "_reading", "_undo"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, writing=threading.RLock(), _reading=threading.RLock(), _undo=None)

    def __deepcopy__(self, memo: Any) -> Groups:
        with self.writing:
            return _copied(self)

    def __len__(self) -> int:
        return len(self.index)

    # Reading.

    def look_up(self, keys: Keys) -> tuple[Codes, Any, NDArray[np.float64]]:
        """Return the groups of these keys, −1 where unknown, and what is known of the others: statistic and weight."""
        with self._reading:
            groups = self.index.find(keys)
            known = groups if groups.size and groups.min() >= 0 else groups[groups >= 0]
            return groups, self.store.take(known), self.about["weight"][known]

    def whole(self) -> tuple[NDArray[Any], Any, NDArray[np.float64]]:
        """Return all keys, and the statistic and weight of their groups."""
        with self._reading:
            return self.index.keys(), self.store.take(np.arange(len(self))), self.about["weight"].copy()

    # Changing.

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back every change that is made within if anything is raised."""
        with self.writing:
            before, self._undo = self._undo, []
            n_before, self._n_before = self._n_before, len(self)
            try:
                yield
            except BaseException:
                with self._reading:
                    for step in reversed(self._undo):
                        step()
                raise
            else:
                if before is not None:
                    before.extend(self._undo)
            finally:
                self._undo, self._n_before = before, n_before

    def _change(self, work: Callable[[], None], undo: Callable[[], None]) -> None:
        assert self._undo is not None, "changes are made within all_or_nothing"
        self._undo.append(undo)  # which does no harm where nothing, or a part, was done
        with self._reading:
            work()

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
        before = (*self.take(old), self.about["updated"][old])

        def write(groups: Codes, statistic: Any, weight: Any, updated: Any) -> None:
            self.store.put(groups, statistic)
            self.about["weight"][groups], self.about["updated"][groups] = weight, updated

        self._change(lambda: write(groups, statistic, weight, updated), lambda: write(old, *before))
        self._set(everything=everything)

    def count_rows(self, n_rows: int) -> None:
        """Let the clock go on, by which groups are told that were updated last."""
        self._set(clock=self.clock + n_rows)

    def absorb_folded(self, other: Groups) -> None:
        """Let what another has folded be folded here too."""
        folded = self.folded
        if other.folded is not None:
            folded = other.folded if folded is None else folded.merge(other.folded)
        self._set(folded=folded, n_folded=self.n_folded + other.n_folded)

    def fold(self, most: int, fold: Callable[[Learned | None, Any, float], Learned]) -> None:
        """Keep no more than so many groups; ``fold`` adds those that were updated longest ago to what is folded."""
        n_groups = len(self)
        if n_groups <= most:
            return
        n_kept = max(1, most - most // FOLDED_SHARE)
        order = np.argsort(self.about["updated"], kind="stable")
        dropped, kept = np.sort(order[: n_groups - n_kept]), np.sort(order[n_groups - n_kept :])
        statistic, weight = self.take(dropped)
        folded = fold(self.folded, statistic, float(weight.sum()))
        n_folded = self.n_folded + len(dropped)
        index, store = self.index.keep(kept), self.store.take(kept).store()
        about = Growing(weight=self.about["weight"][kept], updated=self.about["updated"][kept])
        self._set(index=index, store=store, about=about, folded=folded, n_folded=n_folded)


def _copied(groups: Groups) -> Groups:
    """Return a copy that later changes of the other leave alone."""
    _, statistic, weight = groups.whole()
    codes = np.arange(len(groups))
    copy = Groups(groups.index.keep(codes), statistic.store(), weight, groups.everything)
    copy.about["updated"][:] = groups.about["updated"]
    copy.folded, copy.n_folded, copy.clock = groups.folded, groups.n_folded, groups.clock
    return copy


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
