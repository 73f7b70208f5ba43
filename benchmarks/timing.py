"""Interleaved timing: every contender once a round, the best of several rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

# A call shorter than this is repeated within a measurement, so that the clock's own cost (0.1 µs) vanishes.
SHORTEST = 2e-3


def interleaved(contenders: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Return each contender's best time in seconds a call.

    Others share the machine: a slow spell then hits a round, and so all contenders, rather than one of them, and the
    best of several rounds is the time with the least of it. Ratios of these bests are what can be quoted.

    Parameters
    ----------
    contenders : mapping of str to callable
        What to call, by name.
    repeat : int
        Rounds, after one that warms up and is not counted.

    Returns
    -------
    seconds : dict of str to float
        By name.
    """
    numbers = {name: calls_per_measurement(call) for name, call in contenders.items()}
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(repeat):
        for name, call in contenders.items():
            best[name] = min(best[name], seconds(call, numbers[name]))
    return best


def calls_per_measurement(call: Callable[[], object]) -> int:
    """Return how many calls last `SHORTEST` together; it warms up on the way."""
    number = 1
    while (duration := seconds(call, number) * number) < SHORTEST:
        number = max(2 * number, int(number * SHORTEST / max(duration, 1e-9)))
    return number


def seconds(call: Callable[[], object], number: int = 1) -> float:
    """Return the seconds that one of ``number`` calls takes."""
    start = perf_counter()
    for _ in range(number):
        call()
    return (perf_counter() - start) / number
