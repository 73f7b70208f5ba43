"""The parameters ``gamma`` and ``beta`` of normalization layers: what follows the scaling of every column."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._document import SHORT

CONSTRAINTS: dict[str, Any] = {"gamma": ["array-like", Real, None], "beta": ["array-like", Real, None]}


def numbers_of(name: str, value: Any, n_features: int, n_channels: int | None = None) -> NDArray[np.float64] | None:
    """Return a parameter as an array of no dimension, or of a number for each column or channel; None for None.

    Parameters
    ----------
    name : str
        What the parameter is called.
    value : array-like or float or None
        One number for all columns, one for each, or one for each channel.
    n_features : int
        The number of columns.
    n_channels : int or None
        The number of channels, each of as many adjacent columns, that may have one number each.

    Raises
    ------
    ValueError
        If there are more or fewer numbers, or if one is none, or not finite.
    """
    if value is None:
        return None
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be numbers, but is {SHORT.repr(value)}.")
    numbers = numbers.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite, but is {SHORT.repr(value)}.")
    if numbers.shape not in ((), (n_features,), (n_channels,)):
        wanted = f"{n_features} numbers, one for each column" + (
            f", or {n_channels}, one for each channel" if n_channels else ""
        )
        raise ValueError(f"{name} must be one number or {wanted}, but has the shape {numbers.shape}.")
    return numbers


def row_of(name: str, value: Any, n_features: int, n_channels: int | None = None) -> NDArray[np.float64] | None:
    """Return a parameter as an array of shape (1, n_features), None for None; see `numbers_of`."""
    numbers = numbers_of(name, value, n_features, n_channels)
    if numbers is None:
        return None
    if numbers.ndim:
        numbers = np.repeat(numbers, n_features // len(numbers))
    return np.array(np.broadcast_to(numbers, (1, n_features)))
