"""What a row must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SKNORM = "sknorm"


@dataclass(frozen=True)
class Goal:
    """A stated figure; see `faster`, `within` and `at_most`.

    Parameters
    ----------
    kind : {"faster", "within", "at most"}
        The peer's amount over ours is to be large, or ours over the limit's small, or ours small.
    bound : float
        How large or how small.
    against : str
        The peer or the limit.
    """

    kind: Literal["faster", "within", "at most"]
    bound: float
    against: str = ""

    def value(self, amounts: Mapping[str, float]) -> float | None:
        """Return what the figure is, None where the peer was not there."""
        if SKNORM not in amounts or (self.against and self.against not in amounts):
            return None
        if self.kind == "faster":
            return amounts[self.against] / amounts[SKNORM]
        return amounts[SKNORM] / (amounts[self.against] if self.against else 1.0)

    def reached(self, amounts: Mapping[str, float]) -> bool | None:
        """Say whether the figure is reached, None where it could not be measured."""
        value = self.value(amounts)
        if value is None:
            return None
        return value >= self.bound if self.kind == "faster" else value <= self.bound


def faster(bound: float, peer: str = "scikit-learn") -> Goal:
    """Return the goal of taking at most 1/bound of a peer's time."""
    return Goal("faster", bound, peer)


def within(bound: float, limit: str) -> Goal:
    """Return the goal of taking at most bound times the limit."""
    return Goal("within", bound, limit)


def at_most(bound: float) -> Goal:
    """Return the goal of at most so many seconds, or bytes."""
    return Goal("at most", bound)
