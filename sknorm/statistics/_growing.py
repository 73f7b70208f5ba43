"""Arrays with a row for each group, which grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """Arrays with a row for each group, which grow together; growing costs O(1) a group."""

    def __init__(self, **arrays: NDArray[Any]) -> None:
        self.arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
        self.n_groups = len(next(iter(arrays.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name][: self.n_groups]

    def resize(self, n_groups: int, **empty: Any) -> None:
        """Add groups, in which every array holds what is given for it; or forget the last ones."""
        capacity = len(next(iter(self.arrays.values())))
        arrays = self.arrays
        if n_groups > capacity:
            capacity = max(n_groups, capacity + capacity // 2)
            arrays = {name: np.empty((capacity, *array.shape[1:]), array.dtype) for name, array in arrays.items()}
            for name, array in arrays.items():
                array[: self.n_groups] = self[name]
        if n_groups > self.n_groups:
            for name, value in empty.items():
                arrays[name][self.n_groups : n_groups] = value
        self.arrays, self.n_groups = arrays, n_groups


def check_groups(groups: Any, n_groups: int, distinct: bool = False) -> NDArray[np.intp]:
    """Return the numbers of groups as an array; raise where one lies outside ``range(n_groups)`` or comes twice."""
    groups = np.asarray(groups, np.intp)
    if groups.ndim != 1:
        raise ValueError(f"groups must have one dimension, not {groups.ndim}.")
    if groups.size and not (groups.min() >= 0 and groups.max() < n_groups):
        raise IndexError("a group lies outside range(n_groups)")
    if distinct and groups.size > 1:
        ordered = np.sort(groups)
        if (ordered[1:] == ordered[:-1]).any():
            raise ValueError("a group must not come twice")
    return groups
