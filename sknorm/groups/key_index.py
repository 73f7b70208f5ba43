"""The keys of all groups so far, numbered in the order in which they came."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node, is_unicode
from sknorm.groups.key_arrays import Keys
from sknorm.groups.key_documents import read_key, write_key
from sknorm.kernels._keys import IntegerKeys

__all__ = ["KeyIndex", "read_keys"]

# Keys of just these types equal no integer.
NEVER_INTEGERS = frozenset({str, bytes, tuple, type(None), date, datetime, timedelta})


class KeyIndex:
    """Distinct keys, numbered 0 to n − 1 in the order in which they were added.

    Integers of 64 bits are kept in a compiled table (17 to 32 bytes each), all other keys in a dict. Keys are equal as
    Python has it: 1, 1.0 and True are one.

    Examples
    --------
    >>> index = KeyIndex()
    >>> index.add(["b", 7])
    >>> index.find([7, "a", 7.0])
    array([ 1, -1,  1])
    """

    __slots__ = ("_before", "_integers", "_others", "_seems_integer")

    def __init__(self) -> None:
        self._integers = IntegerKeys()
        # The other keys by their numbers, in their order; and how many integers came before each, with room for more.
        self._others: dict[Any, int] = {}
        self._before = np.empty(0, dtype=np.int64)
        # Whether a key among the others may equal an integer.
        self._seems_integer = False

    def __reduce__(self) -> tuple[Any, ...]:
        return index_of, (self._at(np.arange(len(self))),)

    def __len__(self) -> int:
        return len(self._integers) + len(self._others)

    def find(self, keys: Keys) -> NDArray[np.intp]:
        """Return the number of each key, −1 where it is unknown.

        Parameters
        ----------
        keys : ndarray of shape (m,), int64, or list
            Keys as `sknorm.groups.keys.encode` returns them.
        """
        if isinstance(keys, np.ndarray):
            codes = self._numbers(self._integers.find(keys))
            if self._seems_integer:
                unknown = np.flatnonzero(codes < 0)
                codes[unknown] = self._find_others(keys[unknown].tolist())
            return codes
        codes = self._find_others(keys)
        if len(self._integers):
            unknown = np.flatnonzero(codes < 0)
            integers = {i: integer for i in unknown.tolist() if (integer := as_integer(keys[i])) is not None}
            wanted = np.fromiter(integers.values(), dtype=np.int64, count=len(integers))
            codes[list(integers)] = self._numbers(self._integers.find(wanted))
        return codes

    def _find_others(self, keys: list[Any]) -> NDArray[np.intp]:
        return np.fromiter(map(self._others.get, keys, repeat(-1)), dtype=np.intp, count=len(keys))

    def _numbers(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the numbers of integers from their places among the integers; −1 stays."""
        if not self._others:
            return places
        before = self._before[: len(self._others)]
        return np.where(places < 0, -1, places + np.searchsorted(before, places, side="right"))

    def add(self, keys: Keys) -> None:
        """Append keys that are unknown and distinct, all of them or none.

        Parameters
        ----------
        keys : ndarray of shape (m,), int64, or list
            Keys as `sknorm.groups.keys.encode` returns them.

        Raises
        ------
        ValueError
            If a key is known already, or comes twice.
        """
        if isinstance(keys, np.ndarray):
            if self._seems_integer and (self._find_others(keys.tolist()) >= 0).any():
                raise ValueError("a key is known already")
            self._integers.add(keys)
            return
        n_integers, n_others = len(self._integers), len(self._others)
        kinds = set(map(type, keys))
        is_integer = np.zeros(len(keys), dtype=np.bool_)
        if int in kinds:
            is_integer = np.fromiter(map(is_of_table, keys), dtype=np.bool_, count=len(keys))
        integers, others = np.flatnonzero(is_integer), np.flatnonzero(~is_integer)
        if not n_integers and not n_others and not len(integers):
            self._begin(keys, kinds)
            return
        fresh = dict.fromkeys(keys if len(others) == len(keys) else map(keys.__getitem__, others.tolist()))
        seems_integer = self._seems_integer or not NEVER_INTEGERS.issuperset(kinds - {int})
        is_known = len(fresh) < len(others) or not self._others.keys().isdisjoint(fresh)
        if not is_known and seems_integer:
            is_known = len(set(keys)) < len(keys) or bool((self.find(keys) >= 0).any())
        if is_known:
            raise ValueError("a key is known already, or comes twice")
        n_after = n_others + len(others)
        self._reserve(n_after)
        self._before[n_others:n_after] = n_integers + np.cumsum(is_integer)[others]
        numbers = self._before[n_others:n_after] + np.arange(n_others, n_after)
        self._seems_integer = seems_integer
        try:
            self._integers.add(np.fromiter(map(keys.__getitem__, integers.tolist()), np.int64, len(integers)))
            self._others.update(zip(fresh, numbers.tolist(), strict=True))
        except BaseException:
            self._forget(n_integers, n_others)
            raise

    def _begin(self, keys: list[Any], kinds: set[type]) -> None:
        """Let the first keys be these, which are no integers of the table: in half the time that others take."""
        numbers = dict(zip(keys, range(len(keys)), strict=True))
        if len(numbers) < len(keys):
            raise ValueError("a key is known already, or comes twice")
        self._reserve(len(keys))
        self._before[: len(keys)] = 0
        self._others, self._seems_integer = numbers, not NEVER_INTEGERS.issuperset(kinds)

    def _reserve(self, n_others: int) -> None:
        if n_others > len(self._before):
            room = np.empty(max(n_others, 2 * len(self._before)), dtype=np.int64)
            room[: len(self._before)] = self._before
            self._before = room

    def _forget(self, n_integers: int, n_others: int) -> None:
        while len(self._others) > n_others:
            self._others.popitem()
        if len(self._integers) > n_integers:
            self._integers.truncate(n_integers)

    def truncate(self, n: int) -> None:
        """Forget all but the first n keys; what this takes depends on how many are forgotten alone."""
        if not 0 <= n <= len(self):
            raise ValueError(f"n must lie between 0 and {len(self)}, not {n}")
        n_others = len(self._others)
        while n_others and self._before[n_others - 1] + n_others - 1 >= n:
            n_others -= 1
        self._forget(n - n_others, n_others)

    def keep(self, codes: NDArray[np.intp]) -> KeyIndex:
        """Return a new index of the keys of these numbers, in this order."""
        if len(codes) and not (codes.min() >= 0 and codes.max() < len(self)):
            raise IndexError(f"a number lies outside range({len(self)})")
        return index_of(self._at(codes))

    def keys(self) -> NDArray[Any]:
        """Return the keys in their order, as int64 if the compiled table holds them all, else as objects."""
        keys = self._at(np.arange(len(self)))
        return keys if isinstance(keys, np.ndarray) else np.fromiter(keys, dtype=object, count=len(keys))

    def _at(self, codes: NDArray[np.intp]) -> Keys:
        """Return the keys of these numbers."""
        if not self._others:
            return self._integers.take(codes)
        others = list(self._others)
        numbers = self._before[: len(others)] + np.arange(len(others))
        place = np.searchsorted(numbers, codes)
        is_other = numbers[np.minimum(place, len(others) - 1)] == codes
        keys: list[Any] = [others[i] for i in (place * is_other).tolist()]
        integers = np.flatnonzero(~is_other)
        for i, key in zip(integers.tolist(), self._integers.take((codes - place)[integers]).tolist(), strict=True):
            keys[i] = key
        return keys

    def fields(self) -> list[Any]:
        """Return the keys as JSON has them; `read_keys` reads them.

        Raises
        ------
        TypeError
            If a key is of a kind that a document does not hold.
        ValueError
            If it is of such a kind, but not a value that a document holds.
        """
        keys = self._at(np.arange(len(self)))
        return keys.tolist() if isinstance(keys, np.ndarray) else [write_key(key) for key in keys]


def index_of(keys: Keys) -> KeyIndex:
    """Return an index of these keys."""
    index = KeyIndex()
    index.add(keys)
    return index


def is_of_table(key: Any) -> bool:
    """Say whether the compiled table holds a key: an integer of 64 bits, of just this type."""
    return type(key) is int and -(2**63) <= key < 2**63


def as_integer(key: Any) -> int | None:
    """Return the integer of 64 bits that a key equals, None if there is none."""
    if type(key) in NEVER_INTEGERS:
        return None
    try:
        integer = int(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return integer if is_of_table(integer) and integer == key else None


def read_keys(node: Node) -> KeyIndex:
    """Return the index that `KeyIndex.fields` wrote; nothing is believed.

    Raises
    ------
    ValueError
        If an entry is no key, or comes twice.
    """
    index, keys = KeyIndex(), read_list(node)
    try:
        index.add(keys)
    except ValueError:
        seen = set()
        for i, key in enumerate(keys):
            if key in seen:
                raise node[i].error("must not be a key that came before") from None
            seen.add(key)
        raise
    return index


def read_list(node: Node) -> Keys:
    """Return the keys of a list."""
    kinds = set(map(type, node.value)) if type(node.value) is list else set()
    if kinds == {int}:
        try:
            return np.array(node.value, dtype=np.int64)
        except OverflowError:
            pass
    if kinds == {str} and all(map(is_unicode, node.value)):
        return list(node.value)
    return [read_key(entry) for entry in node.items()]
