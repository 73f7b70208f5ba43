"""What every statistic is: a frozen value with a zero, made from a batch, merged with another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error

__all__ = ["Statistic", "check_codes", "infinity_error"]


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
        IndexError
            If a code lies outside ``range(n_groups)``.
        """

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the statistic of the rows of both; neither changes."""


def check_codes(codes: NDArray[np.intp] | None, n_groups: int, n_samples: int) -> NDArray[np.intp] | None:
    """Return the codes, None where there is but one group; raise where one lies outside ``range(n_groups)``."""
    if codes is None:
        return None if n_groups == 1 else np.zeros(n_samples, dtype=np.intp)
    if codes.shape != (n_samples,):
        raise ValueError(f"codes must have the shape ({n_samples},), one for each row, not {codes.shape}")
    if n_samples and not (codes.min() >= 0 and codes.max() < n_groups):
        raise IndexError("a group's code lies outside range(n_groups)")
    return codes
