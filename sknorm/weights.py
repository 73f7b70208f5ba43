"""Weight normalization: a direction and a magnitude in place of a weight."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def weight_norm(W: ArrayLike, axis: int | None = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the direction and the magnitude of the weights of a layer.

    ``W = g · V`` with ``g = ‖W‖`` and ``V = W/‖W‖``, the Euclidean norm being that of each slice along `axis`. Missing
    values make their slice missing.

    Parameters
    ----------
    W : array-like of shape (n_outputs, …)
        The weights.
    axis : int or None, default=0
        The axis whose entries have a magnitude each: 0 for the outputs of a layer. None takes one magnitude for all.
        PyTorch's ``dim`` is the same, but that −1 means all there.

    Returns
    -------
    direction : ndarray of the shape of W
        V, float32 if W is, else float64. Zero where W is.
    magnitude : ndarray of shape (n_outputs, 1, …)
        g, of as many axes as W, so that ``magnitude * direction`` is W.

    Raises
    ------
    ValueError
        If W has no such axis, holds an infinity, or has a magnitude that overflows its type.

    See Also
    --------
    apply_weight_norm : The way back.

    References
    ----------
    T. Salimans and D. P. Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep
    neural networks", NeurIPS 2016.

    Examples
    --------
    >>> from sknorm import weight_norm
    >>> direction, magnitude = weight_norm([[3.0, 4.0], [0.0, 2.0]])
    >>> direction
    array([[0.6, 0.8],
           [0. , 1. ]])
    >>> magnitude
    array([[5.],
           [2.]])
    """
    weights = as_weights("W", W)
    direction, norm, exponent = split(weights, axis)
    with np.errstate(over="ignore"):
        magnitude = np.ldexp(norm, exponent).astype(weights.dtype)
    if np.isinf(magnitude).any():
        raise ValueError(f"A magnitude of W overflows {weights.dtype}; divide the weights by a power of ten.")
    return direction.astype(weights.dtype), magnitude


def apply_weight_norm(direction: ArrayLike, magnitude: ArrayLike, axis: int | None = 0) -> NDArray[Any]:
    """Return the weights of a direction and a magnitude.

    ``W = g · V/‖V‖``: the direction need not have length 1.

    Parameters
    ----------
    direction : array-like of shape (n_outputs, …)
        V.
    magnitude : array-like of shape (n_outputs, 1, …) or (n_outputs,), or a number where `axis` is None
        g.
    axis : int or None, default=0
        The axis whose entries have a magnitude each; None takes one for all.

    Returns
    -------
    W : ndarray of the shape of the direction
        The weights, float32 if the direction is, else float64.

    Raises
    ------
    ValueError
        If the shapes do not fit, if there is an infinity, or if a direction is zero whose magnitude is not.

    See Also
    --------
    weight_norm : The way there.

    References
    ----------
    T. Salimans and D. P. Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep
    neural networks", NeurIPS 2016.

    Examples
    --------
    >>> from sknorm import apply_weight_norm
    >>> apply_weight_norm([[3.0, 4.0], [0.0, 2.0]], [10.0, 1.0])
    array([[6., 8.],
           [0., 1.]])
    """
    v, g = as_weights("direction", direction), as_weights("magnitude", magnitude)
    unit, norm, _ = split(v, axis)
    if g.shape != norm.shape:
        if g.size != norm.size or g.ndim > 1:
            raise ValueError(
                f"magnitude must have the shape {norm.shape}, or {norm.size} numbers, for a direction of the shape "
                f"{v.shape} and axis={axis!r}, but has {g.shape}."
            )
        g = g.reshape(norm.shape)
    if ((norm == 0) & (g != 0)).any():
        raise ValueError("A direction is zero whose magnitude is not, so it does not say where to go.")
    weights: NDArray[Any] = (unit * g).astype(v.dtype)
    return weights


def as_weights(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of float32 or float64 without infinities."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of numbers, but is of {array.dtype}.")
    array = array if array.dtype == np.float32 else array.astype(np.float64)
    if np.isinf(array).any():
        raise ValueError(f"{name} contains infinity.")
    return array


def split(weights: NDArray[Any], axis: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int_]]:
    """Return the direction, and the norm as ``norm · 2**exponent``, of each slice along an axis, in double.

    The norms have as many axes as the weights. No square and no norm overflows or vanishes: values are scaled by the
    power of two of the largest first, which is exact.
    """
    if axis is not None:
        axis = index(axis)
        if not -weights.ndim <= axis < weights.ndim:
            raise ValueError(
                f"axis must be one of the {weights.ndim} of weights of the shape {weights.shape}, not {axis}."
            )
    others = tuple(i for i in range(weights.ndim) if axis is None or i != axis % weights.ndim)
    double = weights.astype(np.float64)
    largest = np.max(np.abs(double), axis=others, keepdims=True, initial=0.0, where=~np.isnan(double))
    exponent = np.frexp(largest)[1]
    scaled = np.ldexp(double, -exponent)
    norm = np.sqrt(np.sum(scaled**2, axis=others, keepdims=True))
    return scaled / np.where(norm == 0, 1.0, norm), norm, exponent
