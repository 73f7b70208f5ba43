"""What every statistic is: a frozen value with a zero, made from a batch, merged with another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error

__all__ = ["Statistic", "infinity_error"]


class Statistic(ABC):
    """A summary of the rows seen so far, from which a map is derived.

    Statistics are values: frozen, compared by their arrays, never changed after they were made. Every array has the
    shape ``(n_groups, n_features)``; an ungrouped statistic has one group. Under ``merge`` they form a commutative
    monoid whose neutral element is ``zero``. Missing values (NaN) and rows of weight 0 are absent.
    """

    __slots__ = ()

    @classmethod
    @abstractmethod
    def zero(cls, n_groups: int, n_features: int) -> Self:
        """Return the statistic of no rows."""

    @classmethod
    @abstractmethod
    def of(
        cls,
        X: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
    ) -> Self:
        """Return the statistic of one batch.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64, any strides; or CSR or CSC
            The batch. In a sparse matrix an implicit zero is a value like any other.
        sample_weight : ndarray of shape (n_samples,), float64, or None
            Finite and not negative.
        codes : ndarray of shape (n_samples,), intp, or None
            The group of each row, in ``range(n_groups)``; None puts every row into group 0.
        n_groups : int
            The number of groups.

        Raises
        ------
        ValueError
            If X holds an infinity.
        """

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the statistic of the rows of both; neither changes."""
