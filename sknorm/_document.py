"""Documents: values as JSON text, and back, where reading says what is wrong with a value, and where it stands."""

from __future__ import annotations

import json
import math
from reprlib import Repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What JSON has no number for.
NON_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
NUMBERS = {int, float}

SHORT = Repr()
SHORT.maxlevel, SHORT.maxlist, SHORT.maxdict, SHORT.maxother = 2, 3, 2, 80


class Repeated:
    """Stands in for an object that has a key twice; no reader takes it for anything else."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"an object with two keys {SHORT.repr(self.key)}"


def _object(pairs: list[tuple[str, Any]]) -> Any:
    entries = dict(pairs)
    if len(entries) == len(pairs):
        return entries
    for key, _ in reversed(pairs):
        if key not in entries:
            return Repeated(key)
        del entries[key]
    raise AssertionError("no key comes twice")


def _integer(digits: str) -> int | float:
    # No field is wider than 64 bits, and Python takes quadratic time to read an integer.
    return int(digits) if len(digits) <= 20 else float(digits)


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class Node:
    """A value of a document and where it stands. Every method that reads it raises a ValueError that says both.

    Memory is taken for what is there, never for what is announced: a list is read if it has the length that is asked
    for.
    """

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def __getitem__(self, key: str | int) -> Node:
        """Return an entry of an object, which may have others, or of a list."""
        if isinstance(key, int):
            return Node(self.value[key], f"{self.path}[{key}]")
        if type(self.value) is not dict:
            raise self.error("must be an object")
        if key not in self.value:
            raise ValueError(f"{self} lacks the key {key!r}.")
        return Node(self.value[key], f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        return self.path or "The document"

    def error(self, problem: str) -> ValueError:
        """Return the error to raise: where, what has to be there, and what is."""
        return ValueError(f"{self} {problem}, but is {SHORT.repr(self.value)}.")

    def refuse(self, wrong: NDArray[np.bool_], problem: str) -> None:
        """Raise for the first of the entries of an array that are wrong."""
        if wrong.any():
            node = self
            for i in np.argwhere(wrong)[0].tolist():
                node = node[i]
            raise node.error(problem)

    # Objects and lists.

    def entries(self, *names: str) -> list[Node]:
        """Return the entries of an object that has these keys and no others."""
        if type(self.value) is not dict:
            raise self.error("must be an object")
        found = [self[name] for name in names]
        if len(self.value) > len(names):
            unknown = next(name for name in self.value if name not in names)
            raise ValueError(f"{self} has the unknown key {SHORT.repr(unknown)}.")
        return found

    def of_kind(self, kind: str, *names: str) -> list[Node]:
        """Return the entries of an object whose ``kind`` is this, without that."""
        self["kind"].equal(kind)
        return self.entries("kind", *names)[1:]

    def items(self, length: int | None = None) -> list[Node]:
        """Return the entries of a list, of this length if one is given."""
        if type(self.value) is not list:
            raise self.error("must be a list" if length is None else f"must be a list of {length}")
        if length is not None and len(self.value) != length:
            raise ValueError(f"{self} must be a list of {length}, but has {len(self.value)}.")
        return [self[i] for i in range(len(self.value))]

    # Single values.

    def equal(self, expected: str | int | float) -> None:
        """Raise unless the value is just this."""
        if type(self.value) is not type(expected) or self.value != expected:
            raise self.error(f"must be {expected!r}")

    def same_number(self, expected: float) -> None:
        """Raise unless the value is this number."""
        if self.number() != expected:
            raise self.error(f"must be {expected!r}")

    def null(self, where: str) -> None:
        """Raise unless there is no value."""
        if self.value is not None:
            raise self.error(f"must be null {where}")

    def integer(self, low: int, high: int) -> int:
        """Return an integer from low to high."""
        if type(self.value) is not int or not low <= self.value <= high:
            raise self.error(f"must be an integer from {low} to {high}")
        return self.value

    def number(self, low: float = -math.inf) -> float:
        """Return a finite number, ``low`` or more, as a float."""
        if type(self.value) not in NUMBERS or not math.isfinite(self.value) or self.value < low:
            raise self.error("must be a finite number" + (f", at least {low:g}" if math.isfinite(low) else ""))
        return float(self.value)

    def non_finite(self) -> float:
        """Return an infinity or NaN from its name."""
        if type(self.value) is not str or self.value not in NON_FINITE:
            raise self.error(f"must be one of {', '.join(NON_FINITE)}")
        return NON_FINITE[self.value]

    def text(self) -> str:
        """Return a string that UTF-8 can hold."""
        if type(self.value) is not str or not is_unicode(self.value):
            raise self.error("must be a string of Unicode characters")
        return self.value

    # Arrays, as nested lists.

    def floats(self, *shape: int, non_finite: bool = False) -> NDArray[np.float64]:
        """Return an array of finite numbers; ``non_finite`` says that it may hold infinities and NaN, as strings."""
        leaves = numbers = self._leaves(shape)
        if non_finite:
            numbers = [0.0 if type(leaf) is str and leaf in NON_FINITE else leaf for leaf in leaves]
        if not NUMBERS.issuperset(map(type, numbers)):
            self._refuse_leaves([type(leaf) not in NUMBERS for leaf in numbers], shape, "must be a number")
        array = np.array(numbers, np.float64)
        if not np.isfinite(array).all():
            self._refuse_leaves(~np.isfinite(array), shape, "must be finite")
        if numbers is not leaves:
            for i, leaf in enumerate(leaves):
                if type(leaf) is str:
                    array[i] = NON_FINITE[leaf]
        return array.reshape(shape)

    def integers(self, *shape: int, high: int, dtype: type[np.integer[Any]]) -> NDArray[Any]:
        """Return an array of integers from 0 to high."""
        leaves = self._leaves(shape)
        wrong = [type(leaf) is not int or not 0 <= leaf <= high for leaf in leaves]
        if any(wrong):
            self._refuse_leaves(wrong, shape, f"must be an integer from 0 to {high}")
        return np.array(leaves, dtype).reshape(shape)

    def _leaves(self, shape: tuple[int, ...]) -> list[Any]:
        if len(shape) > 1:
            return [leaf for node in self.items(shape[0]) for leaf in node._leaves(shape[1:])]
        if type(self.value) is not list or len(self.value) != shape[0]:
            self.items(shape[0])
        return self.value

    def _refuse_leaves(self, wrong: Any, shape: tuple[int, ...], problem: str) -> None:
        self.refuse(np.array(wrong, bool).reshape(shape), problem)


def is_unicode(text: str) -> bool:
    """Say whether UTF-8 can hold a string: a lone surrogate is no character."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def parse(text: str | bytes) -> Node:
    """Return the document that a text holds, in strict JSON but for what no reader takes.

    Raises
    ------
    ValueError
        If the text is not JSON, is nested too deeply, or its bytes are not UTF-8.
    """
    try:
        return Node(DECODER.decode(text if isinstance(text, str) else str(text, "utf-8")))
    except json.JSONDecodeError as error:
        raise ValueError(f"The text is not JSON: {error}.") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"The text is not UTF-8: byte {error.start} is {error.object[error.start]:#x}.") from None
    except RecursionError:
        raise ValueError("The text is nested too deeply for a document.") from None


def plain(value: Any) -> Any:
    """Return arrays, objects that hold them, and tuples as JSON has them; what is not finite in an array by name."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f" or np.isfinite(value).all():
            return value.tolist()
        named = value.astype(object)
        named[np.isnan(value)] = "NaN"
        named[np.isposinf(value)] = "Infinity"
        named[np.isneginf(value)] = "-Infinity"
        return named.tolist()
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def write(value: Any, line: str = "\n") -> str:
    """Return JSON text: a line for each entry of an object, however long, so that a reader or a diff finds it.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    inner = line + "  "
    if isinstance(value, dict) and len(value) > 1:
        entries = [f"{inner}{ENCODER.encode(name)}: {write(entry, inner)}" for name, entry in value.items()]
        return "{" + ",".join(entries) + line + "}"
    if isinstance(value, dict) and value:
        ((name, entry),) = value.items()
        return "{" + f"{ENCODER.encode(name)}: {write(entry, line)}" + "}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[" + ",".join(inner + write(entry, inner) for entry in value) + line + "]"
    return ENCODER.encode(value)
