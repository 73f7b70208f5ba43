"""Fitted attributes: read-only views of what was learned, as scikit-learn names and counts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

EPS = float(np.finfo(np.float64).eps)

Result = TypeVar("Result")


def fitted(compute: Callable[[Any], Result]) -> Result:
    """Make a read-only attribute that exists once the scaler is fitted."""

    def get(self: Any) -> Result:
        if "_learned" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {compute.__name__!r}")
        value = compute(self)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        return value

    return property(get, doc=compute.__doc__)  # type: ignore[return-value]


def fitted_columns(compute: Callable[[Any, Any], Any]) -> Any:
    """Make a read-only attribute of values for every column, from what computes them for every group of a statistic.

    ``compute(scaler, statistic)`` returns an array of shape (n_groups, n_features), or None.
    """

    def get(self: Any) -> Any:
        cells = compute(self, self._learned.statistic)
        return None if cells is None else cells[0]

    get.__name__, get.__doc__ = compute.__name__, compute.__doc__
    attribute: Any = fitted(get)
    attribute.fget.of_cells = compute
    return attribute


def column_attributes(kind: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """Return what computes the attributes of a class that have a value for every column, by name."""
    return _column_attributes(kind)


@cache
def _column_attributes(kind: Any) -> dict[str, Callable[[Any, Any], Any]]:
    found: dict[str, Any] = {name: getattr(getattr(kind, name), "fget", None) for name in dir(kind)}
    return {name: get.of_cells for name, get in found.items() if hasattr(get, "of_cells")}


def constant_as(scale: NDArray[np.float64], constant: float = 1.0) -> NDArray[np.float64]:
    """Return the scale with this in place of what is below ten float64 epsilons, scikit-learn's rule for a constant."""
    return np.where(scale < 10 * EPS, constant, scale)


def nan_where_unseen(values: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with NaN in the columns that never had one."""
    return values if count.all() else np.where(count > 0, values, np.nan)


def whole_numbers(counts: NDArray[np.float64]) -> NDArray[Any]:
    """Return counts as integers where all of them are."""
    return counts.astype(np.int64) if (counts == np.trunc(counts)).all() and (counts < 2**63).all() else counts


def as_counted(counts: NDArray[np.float64]) -> Any:
    """Return counts as scikit-learn has them: integers where they are, one number where all are equal."""
    counts = whole_numbers(counts)
    return counts[0] if (counts == counts[0]).all() else counts
