"""What an estimator does, as a layer of Keras; imported only where Keras is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from sknorm.export._exported import Exported, Step, blocks_of


@keras.saving.register_keras_serializable(package="sknorm")
class Scaling(keras.layers.Layer):
    """What an estimator, or one after the other, does to a tensor of shape (…, n_features).

    It computes in double and returns the dtype of its input, whatever Keras's own dtype is.

    Parameters
    ----------
    parts : list of dict
        What is done, as `structure_of` has it; the numbers are weights, which cannot be trained.
    dtype : str, default="float64"
        What is computed in.
    **kwargs
        As every layer has them.
    """

    def __init__(self, parts: Sequence[dict[str, Any]], dtype: Any = "float64", **kwargs: Any) -> None:
        super().__init__(dtype=dtype, autocast=False, **kwargs)
        self.parts = [dict(part) for part in parts]
        self.supports_masking = True
        for i, part in enumerate(self.parts):
            for name, shape, kind in weights_in(part):
                self.add_weight(
                    name=f"{i}_{name}", shape=shape, dtype=kind, initializer="zeros", trainable=False, autocast=False
                )

    def call(self, inputs: Any) -> Any:
        """Return x as ``transform`` does; NaN stays."""
        grouped = bool(self.parts) and self.parts[0]["n_rows"] is not None
        x, codes = inputs if grouped else (inputs, None)
        if codes is not None and len(codes.shape) == len(x.shape):
            codes = ops.squeeze(codes, -1)
        weights = iter(self.non_trainable_weights)
        for part in self.parts:
            x = self.scaled(x, codes, part, weights)
            codes = None
        return x

    def scaled(self, x: Any, codes: Any, part: dict[str, Any], weights: Any) -> Any:
        """Return x after one part, in its own dtype; that of the computation for integers."""
        if x.shape[-1] != part["n_features"]:
            raise ValueError(f"x has {x.shape[-1]} columns, but {part['n_features']} are scaled.")

        def parameter() -> Any:
            of = ops.convert_to_tensor(next(weights))
            return of if codes is None else ops.take(of, codes, axis=0)

        y = before = ops.cast(x, self.compute_dtype)
        for step in part["steps"]:
            parameters = {name: parameter() for name in step["parameters"]}
            y = STEPS[step["map"]](y, **parameters, **step["options"])
        if part["flags"]:
            y = ops.concatenate([y, flags(before, parameter(), parameter())], axis=-1)
        if part["blank"] is not None:
            y = ops.where(parameter(), before if part["blank"] == "passes" else float("nan"), y)
        return ops.cast(y, x.dtype) if keras.backend.is_float_dtype(x.dtype) else y

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from, without its numbers."""
        return {**super().get_config(), "parts": self.parts}


def structure_of(part: Exported) -> dict[str, Any]:
    """Return what a part is, but for its numbers: as JSON has it."""
    lookup, steps = part.lookup, []
    for step in part.steps:
        values = {field.name: getattr(step, field.name) for field in fields(step)}
        options = {name: value for name, value in values.items() if isinstance(value, (bool, int, float))}
        if "ends" in values:
            options["ends"] = values["ends"].tolist()
        options.pop("takes", None)  # a layer cannot refuse
        steps.append({"map": type(step).__name__, "parameters": parameters_of(step), "options": options})
    return {
        "n_features": len(part.values),
        "n_rows": None if lookup is None else len(lookup.blank),
        "steps": steps,
        "flags": part.flags is not None,
        "blank": None if lookup is None or not lookup.blank.any() else "passes" if lookup.passes else "missing",
    }


def parameters_of(step: Step) -> list[str]:
    """Return the names of the parameters that a map has."""
    return [field.name for field in fields(step) if np.ndim(getattr(step, field.name)) == 2]


def weights_in(part: dict[str, Any]) -> list[tuple[str, tuple[int, ...], str | None]]:
    """Return name, shape and dtype of every weight of a part, in the order in which it is read."""
    shape = (part["n_features"],) if part["n_rows"] is None else (part["n_rows"], part["n_features"])
    names = [f"{i}_{name}" for i, step in enumerate(part["steps"]) for name in step["parameters"]]
    names += ["flags_low", "flags_high"] if part["flags"] else []
    blank = [("blank", shape, "bool")] if part["blank"] is not None else []
    return [*((name, shape, None) for name in names), *blank]


def numbers_of(part: Exported) -> list[NDArray[Any]]:
    """Return the values of the weights of a part, in that order."""
    numbers = [getattr(step, name) for step in part.steps for name in parameters_of(step)]
    numbers += [] if part.flags is None else [part.flags.low, part.flags.high]
    if part.lookup is None:
        return [of[0] for of in numbers]
    return [*numbers, part.lookup.blank] if part.lookup.blank.any() else numbers


# What maps do. The arithmetic is that of the kernels; what `where` does not take has no gradient that is NaN.


def affine(x: Any, centre: Any = None, scale: Any = None, gain: Any = None, shift: Any = None) -> Any:
    """Return ``(x − centre)/scale · gain + shift``, in this order."""
    x = x if centre is None else x - centre
    x = x if scale is None else x / scale
    x = x if gain is None else x * gain
    return x if shift is None else x + shift


def clip(x: Any, low: Any, high: Any) -> Any:
    """Return x within [low, high]; NaN stays."""
    return ops.where(x < low, low, ops.where(x > high, high, x))


def fence(x: Any, low: Any, high: Any, drops: bool) -> Any:
    """Return x within [low, high]; or NaN for what lies outside, infinities on an open side too."""
    return ops.where((x < low) | (x > high) | ops.isinf(x), float("nan"), x) if drops else clip(x, low, high)


def flags(x: Any, low: Any, high: Any) -> Any:
    """Return −1 for what lies below its bounds, 1 above, else 0; an infinity lies outside an open side too."""
    above, below = (x > high) | (ops.isinf(x) & (x > 0)), (x < low) | (ops.isinf(x) & (x < 0))
    return ops.cast(above, x.dtype) - ops.cast(below, x.dtype)


def squash(x: Any, bound: Any) -> Any:
    """Return ``B·x/√(x² + B²)``, written so that no square overflows."""
    v = ops.where(ops.isnan(x), 0.0, x)
    inside = ops.abs(v) <= bound
    ratio = ops.where(inside, v / bound, bound / ops.where(inside, bound, v))
    top = ops.where(inside, v, ops.sign(v) * bound)
    return ops.where(ops.isnan(x), x, top / ops.sqrt(1.0 + ratio * ratio))


def row_norm(x: Any, ends: list[int], eps: float, gain: Any = None, shift: Any = None) -> Any:
    """Return every block of columns with mean 0 and variance 1 in each row, without missing values; NaN stays."""
    # Blocks become rows of one length, filled up with a column of NaN.
    columns, places = blocks_of(ends)
    padded = ops.concatenate([x, ops.full_like(x[..., :1], float("nan"))], axis=-1)
    taken = ops.take(padded, columns.ravel(), axis=-1)
    blocks = normalized(ops.reshape(taken, (*ops.shape(x)[:-1], *columns.shape)), eps)
    y = ops.take(ops.reshape(blocks, ops.shape(taken)), places, axis=-1)
    return affine(ops.where(ops.isnan(x), x, y), gain=gain, shift=shift)


def normalized(x: Any, eps: float) -> Any:
    """Return every row with mean 0 and variance 1, without missing values; a constant becomes 0."""
    present = ~ops.isnan(x)

    def mean_of(v: Any) -> Any:
        return ops.sum(v, axis=-1, keepdims=True) / count

    count = ops.maximum(ops.sum(ops.cast(present, x.dtype), axis=-1, keepdims=True), 1.0)
    x = ops.where(present, x, 0.0)
    largest = ops.max(ops.abs(x), axis=-1, keepdims=True)
    huge = float(np.finfo(keras.backend.standardize_dtype(x.dtype)).max) ** 0.25  # so that no square overflows
    unit = ops.stop_gradient(ops.where(largest > huge, largest, 1.0))
    x = x / unit
    x = ops.where(present, x - mean_of(x), 0.0)
    x = ops.where(present, x - mean_of(x), 0.0)  # less what the mean was rounded by
    square = mean_of(x * x) + eps / unit / unit
    nothing = square == 0.0
    return x / ops.where(nothing, float("inf"), ops.sqrt(ops.where(nothing, 1.0, square)))


STEPS: dict[str, Callable[..., Any]] = {
    "Affine": affine,
    "Clip": clip,
    "Fence": fence,
    "Squash": squash,
    "RowNorm": row_norm,
}
