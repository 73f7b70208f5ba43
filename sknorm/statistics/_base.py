"""What every statistic is: a frozen value with a zero, made from a batch, merged with another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node

__all__ = ["Statistic", "Unordered", "check_codes"]


class Statistic(ABC):
    """A summary of the rows seen so far, from which a map is derived.

    Statistics are values: frozen, compared by their arrays, never changed after they were made. Missing values (NaN)
    and rows of weight 0 are absent. What a scaler reads, `now`, has arrays of the shape ``(n_groups, n_features)``; an
    ungrouped statistic has one group.
    """

    __slots__ = ()

    # How the past is forgotten: values after which a value's weight has halved, or the last so many rows; not at all.
    half_life: float | None = None
    window: int | None = None

    @classmethod
    @abstractmethod
    def zero(cls, n_groups: int, n_features: int) -> Self:
        """Return the statistic of no rows."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the statistic of the rows of both; neither changes."""

    @abstractmethod
    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        """Return the statistic of these rows, then those of a batch.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64, any strides; or CSR or CSC
            The batch. In a sparse matrix an implicit zero is a value like any other.
        sample_weight : ndarray of shape (n_samples,), float64, or None
            Finite and not negative.
        codes : ndarray of shape (n_samples,), intp, or None
            The group of each row, in ``range(n_groups)``; None where there is one group.

        Raises
        ------
        ValueError
            If X holds an infinity.
        """

    def after_fenced(
        self,
        X: Any,
        bounds: Any,
        sample_weight: NDArray[np.float64] | None = None,
        codes: NDArray[np.intp] | None = None,
    ) -> tuple[Self, NDArray[np.float64], NDArray[np.float64]]:
        """Return `after` of a batch fenced in by `Bounds`, and the weight of the values below and above them."""
        after = self.after(bounds.fenced(X, codes), sample_weight, codes)
        return after, *bounds.outside(X, sample_weight, codes)

    @property
    def own(self) -> Any:
        """What a scaler's rule reads, of what is kept beside bounds; all of it where there are none."""
        return self

    def bounds(self) -> Any:
        """Return the `Bounds` that values are fenced in by before they are scaled, or None."""
        return None

    def now(self) -> Any:
        """Return what a scaler reads: a statistic of all rows that count, with the weights that they have by now."""
        return self

    @abstractmethod
    def take(self, groups: NDArray[np.intp]) -> Self:
        """Return the statistic of these groups, in this order."""

    @abstractmethod
    def store(self) -> Any:
        """Return a `Store` that begins with these groups."""

    @property
    @abstractmethod
    def n_groups(self) -> int:
        """The number of groups."""

    @property
    def n_rows(self) -> float | None:
        """The weight of the rows that count, where rows are forgotten; None where all count."""
        return None

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Return what a document holds: ``kind``, the name of the class, then arrays, numbers and dicts of these."""

    @abstractmethod
    def restored(self, fields: Node, n_features: int) -> Self:
        """Return the statistic that `fields` wrote, of this one's class, groups and parameters; its values are unread.

        Raises
        ------
        ValueError
            If a field is missing, or holds what no such statistic of so many features can hold.
        """


class Unordered(Statistic):
    """A statistic of rows whose order does not matter, so that batches can be summarized on their own.

    Under ``merge`` these statistics form a commutative monoid whose neutral element is ``zero``.
    """

    __slots__ = ()

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

    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        return self.merge(type(self).of(X, sample_weight, codes, self.n_groups))

    count: NDArray[np.float64]

    @property
    def n_groups(self) -> int:
        return self.count.shape[0]


def check_codes(codes: NDArray[np.intp] | None, n_groups: int, n_samples: int) -> NDArray[np.intp] | None:
    """Return the codes, None where there is but one group; raise where one lies outside ``range(n_groups)``."""
    if codes is None:
        return None if n_groups == 1 else np.zeros(n_samples, dtype=np.intp)
    if codes.shape != (n_samples,):
        raise ValueError(f"codes must have the shape ({n_samples},), one for each row, not {codes.shape}")
    if n_samples and not (codes.min() >= 0 and codes.max() < n_groups):
        raise IndexError("a group's code lies outside range(n_groups)")
    return codes
