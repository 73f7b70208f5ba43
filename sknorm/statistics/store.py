"""Statistics of many groups, which grow and change in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sknorm.statistics._growing import Growing, check_groups

__all__ = ["ArrayStore", "Store"]


class Store(Protocol):
    """What is known of a growing number of groups, of which some are taken out and put back at a time.

    Taking and putting cost what these groups cost, however many there are; so does growing, amortized.
    """

    @property
    def n_groups(self) -> int:
        """The number of groups."""

    def take(self, groups: NDArray[np.intp]) -> Any:
        """Return the statistic of these groups, in this order, which later changes leave alone."""

    def put(self, groups: NDArray[np.intp], statistic: Any) -> None:
        """Let a statistic be what is known of these groups, in this order; no group comes twice."""

    def prepared(self, groups: NDArray[np.intp], statistic: Any) -> Callable[[], None]:
        """Do all of `put` that may raise, and return the rest; nothing may come between."""

    def resize(self, n_groups: int) -> None:
        """Add groups without rows, or forget the last ones."""


class ArrayStore:
    """A store of statistics that consist of arrays.

    What belongs to a group lies together, so that taking a few of many groups reads few cache lines.

    Parameters
    ----------
    statistic : statistic that has ``arrays`` and ``with_arrays``
        What is known of the first groups.
    """

    def __init__(self, statistic: Any) -> None:
        self._none = statistic.take(np.zeros(0, np.intp))
        self._empty = {name: array[0] for name, array in statistic.nothing().arrays().items()}
        self._groups = Growing(**statistic.arrays())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.take(np.arange(self.n_groups)),)

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return self._groups.n_groups

    def take(self, groups: NDArray[np.intp]) -> Any:
        """Return the statistic of these groups, in this order, which later changes leave alone."""
        groups = check_groups(groups, self.n_groups)
        return self._none.with_arrays({name: array[groups] for name, array in self._groups.arrays.items()})

    def put(self, groups: NDArray[np.intp], statistic: Any) -> None:
        """Let a statistic be what is known of these groups, in this order; no group comes twice."""
        self.prepared(groups, statistic)()

    def prepared(self, groups: NDArray[np.intp], statistic: Any) -> Callable[[], None]:
        """Do all of `put` that may raise, and return the rest; nothing may come between."""
        groups, arrays, kept = check_groups(groups, self.n_groups), statistic.arrays(), self._groups.arrays
        for name, array in kept.items():
            if arrays[name].shape != (len(groups), *array.shape[1:]):
                raise ValueError(f"{name} must have the shape {(len(groups), *array.shape[1:])}")

        def commit() -> None:
            for name, array in kept.items():
                array[groups] = arrays[name]

        return commit

    def resize(self, n_groups: int) -> None:
        """Add groups without rows, or forget the last ones."""
        self._groups.resize(n_groups, **self._empty)
