"""Fitted attributes: read-only views of what was learned, as scikit-learn names and counts them."""

from __future__ import annotations

from collections.abc import Callable
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


def unit_where_constant(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale with 1 where it is below ten float64 epsilons, scikit-learn's rule for a constant."""
    return np.where(scale < 10 * EPS, 1.0, scale)


def nan_where_unseen(values: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with NaN in the columns that never had one."""
    return values if count.all() else np.where(count > 0, values, np.nan)


def as_counted(counts: NDArray[np.float64]) -> Any:
    """Return counts as scikit-learn has them: integers where they are, one number where all are equal."""
    if (counts == np.trunc(counts)).all() and (counts < 2**63).all():
        counts = counts.astype(np.int64)
    return counts[0] if (counts == counts[0]).all() else counts
