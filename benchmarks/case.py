"""A row of the table, and what it may stand against besides other libraries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from benchmarks.goals import Goal
from benchmarks.peers import SKLEARN
from benchmarks.tables import Table

READ, COPY, ONE_THREAD, INPUT = "a read", "a copy", "one thread", "the input"
READ_BY_TWO, PLAIN, FEW_KNOWN = "a read by two threads", "plain", "1,000 known"
Unit = Literal["ms", "µs", "ns a value", "MB", "bytes a key"]
MILLION_BY_TEN = Table()


@dataclass(frozen=True)
class Case:
    """A row: what is done to which table, against whom, and what must come out.

    Parameters
    ----------
    work : str
        A key of `benchmarks.measures.MEASURES`.
    estimator : str
        A class of sknorm.
    table : Table
        What it is done to.
    params : tuple of (str, value) pairs
        The estimator's parameters; peers run with their defaults.
    against : tuple of str
        Peers and limits, by name. What is not installed is left out.
    threads : int
        How many threads sknorm may use.
    unit : str
        What the row is printed in.
    goals : tuple of Goal
        The stated figures.
    """

    work: str
    estimator: str = ""
    table: Table = MILLION_BY_TEN
    params: tuple[tuple[str, object], ...] = ()
    against: tuple[str, ...] = (SKLEARN,)
    threads: int = 1
    unit: Unit = "ms"
    goals: tuple[Goal, ...] = ()

    @property
    def task(self) -> str:
        """What is done, in words."""
        params = ", ".join(f"{name}={value}" for name, value in self.params)
        name = f"{self.estimator}({params})" if params else self.estimator
        return f"{name}.{self.work}" if name else self.work

    def on(self, table: Table) -> Self:
        """Return the same row for another table."""
        return replace(self, table=table)
