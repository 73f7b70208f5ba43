"""What the parameter ``limits`` means: bounds that are given, not learned."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

# A column, None for all, and its bounds.
Limit: TypeAlias = tuple[Any, float, float]


def limits_of(limits: Any) -> tuple[Limit, ...]:
    """Return what the parameter ``limits`` says, as triples of a column (None for all), a low and a high bound."""
    if limits is None:
        return ()
    if isinstance(limits, tuple):
        return ((None, *pair_of(limits)),)
    for column in limits:
        is_position = isinstance(column, (int, np.integer)) and not isinstance(column, bool) and column >= 0
        if not is_position and not isinstance(column, str):
            raise ValueError(f"limits must be by the name or the position (from 0) of a column, not {column!r}.")
    return tuple((column, *pair_of(pair)) for column, pair in limits.items())


def pair_of(pair: Any) -> tuple[float, float]:
    """Return two bounds, ∓infinity in place of None."""
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    if is_pair and all(bound is None or isinstance(bound, Real) for bound in pair):
        low, high = as_float(pair[0], -math.inf), as_float(pair[1], math.inf)
        if low <= high and low < math.inf and high > -math.inf:
            return low, high
    raise ValueError(f"limits must be pairs (low, high) of numbers or None with low <= high, not {pair!r}.")


def as_float(bound: Any, open_: float) -> float:
    """Return a bound, or what it is on an open side; NaN for an integer that no float holds."""
    try:
        return open_ if bound is None else float(bound)
    except OverflowError:
        return math.nan


def placed(limits: tuple[Limit, ...], names: Any) -> tuple[Limit, ...]:
    """Return limits whose columns are positions; ``names`` are those of the columns, if they have any."""
    if all(column is None for column, _, _ in limits):
        return limits
    places = {} if names is None else {name: place for place, name in enumerate(names)}
    found: dict[Any, Limit] = {}
    for column, low, high in limits:
        if isinstance(column, str) and column not in places:
            raise ValueError(f"limits has bounds for the column {column!r}, which X does not have.")
        place = places[column] if isinstance(column, str) else column
        if place in found:
            raise ValueError(f"limits has two pairs for one column, the second by {column!r}; give one.")
        found[place] = (place, low, high)
    return tuple(found.values())


def as_parameter(limits: tuple[Limit, ...]) -> Any:
    """Return the parameter that says the same as limits whose columns are positions."""
    pairs = {column: (low, high) for column, low, high in limits}
    return pairs.get(None, pairs)
