"""Fitted estimators as layers of Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sknorm.export._codes import takes_codes
from sknorm.export._exported import Exported, exported_steps
from sknorm.maps import Affine

if TYPE_CHECKING:
    import keras


def __getattr__(name: str) -> Any:
    """Return the class of the layers, which Keras must know before it loads a model that has one."""
    if name == "Scaling":
        from sknorm.export._keras_layers import Scaling

        return Scaling
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def to_keras(estimator: Any, *, plain: bool = False) -> keras.Layer:
    """Return a layer of Keras 3 that does to a tensor what a fitted estimator's ``transform`` does to a table.

    It is built, its numbers are weights that cannot be trained, and it is saved with the model that it is in. It
    computes in double and returns the dtype of its input, whatever the dtype of Keras itself is: a float32 tensor is
    rounded once, at the end, as in ``transform``. Missing values (NaN) stay. It runs with every backend of Keras.

    Parameters
    ----------
    estimator : scaler, GroupedScaler or Pipeline of these
        What was fitted. Of a pipeline, only the first step may be a GroupedScaler.
    plain : bool, default=False
        Whether to return Keras's own ``keras.layers.Normalization``, which is loaded without sknorm, and computes in
        the dtype of Keras, float32 unless that is set. It can do no more than (x − mean)/√variance.

    Returns
    -------
    layer : keras.Layer
        ``layer(x)`` takes a tensor of shape (…, n_features). That of a GroupedScaler is ``layer([x, codes])``: x has
        the columns that are scaled, without those of keys, and codes, integers of shape (…) or (…, 1), are what
        `group_codes` returns. A pipeline becomes one layer.

    Raises
    ------
    ImportError
        If Keras 3, or the backend that it is set to, is not installed.
    TypeError
        If `estimator`, or a step of the pipeline, is none of sknorm's.
    ValueError
        If it cannot be handed on: a GroupedScaler with ``unseen="error"``, or one that is not the first step; with
        `plain`, whatever ``Normalization`` cannot do.
    NotFittedError
        If it is not fitted.

    Notes
    -----
    What comes through a ``keras.Input`` is rounded to its dtype, float32 unless it is told another; and ``predict``,
    ``fit`` and ``evaluate`` round NumPy arrays to ``keras.config.floatx()`` before the model gets them. A column whose
    spread is small beside its values loses digits there: see ``keras.config.set_floatx("float64")``.

    Keras must know the class before it loads a model that has such a layer: ``from sknorm.export.keras import
    Scaling`` is enough.

    A layer cannot refuse values, so an infinity is no error: where nothing clips it, it gives infinity or NaN. With
    JAX, double is float32 unless ``jax_enable_x64`` is set.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm import StandardScaler
    >>> from sknorm.export import to_keras
    >>> scaler = StandardScaler(clip=2.0).fit([[1.0, 5.0], [3.0, 5.0]])
    >>> layer = to_keras(scaler)
    >>> [float(z) for z in layer(np.array([[9.0, 6.0]]))[0]]
    [2.0, 1.0]
    """
    try:
        from sknorm.export._keras_layers import Scaling, numbers_of, structure_of
    except ImportError as error:
        raise ImportError('to_keras needs Keras 3; install it with pip install "sknorm[keras]".') from error
    parts = exported_steps(estimator)
    takes_codes(parts)
    if plain:
        return normalization_of(parts)
    layer = Scaling([structure_of(part) for part in parts])
    layer.set_weights([of for part in parts for of in numbers_of(part)])
    return layer


def normalization_of(parts: list[Exported]) -> keras.Layer:
    """Return what is done as Keras's own layer.

    Raises
    ------
    ValueError
        If that cannot do it.
    """
    import keras

    refusal = "keras.layers.Normalization does (x − mean)/√variance and nothing else, so it cannot do"
    if len(parts) != 1:
        raise ValueError(f"{refusal} the {len(parts)} steps of a pipeline; leave plain=False.")
    part, others = parts[0], []
    affines = [step for step in part.steps if isinstance(step, Affine)]
    if any(affine.gain is not None or affine.shift is not None for affine in affines):
        others.append("the gain or the shift of Affine")
    others += [type(step).__name__ for step in part.steps if not isinstance(step, Affine)]
    others += ["a lookup by keys"] if part.lookup is not None else []
    others += ["indicators"] if part.flags is not None else []
    if others or len(affines) > 1:
        raise ValueError(f"{refusal} {' and '.join(others or ['Affine twice'])}; leave plain=False.")
    affine = affines[0] if affines else Affine()
    n_features = len(part.values)
    mean = np.zeros(n_features) if affine.centre is None else affine.centre[0]
    scale = np.ones(n_features) if affine.scale is None else affine.scale[0]
    with np.errstate(over="ignore", under="ignore"):
        held = np.sqrt(np.square(scale).astype(keras.config.floatx()))
        held = np.maximum(held, keras.config.epsilon())
    unlike = ~np.isclose(held, scale, rtol=1e-5, atol=0, equal_nan=True)
    if unlike.any():
        raise ValueError(
            f"The scale of column {part.names_out[np.argmax(unlike)]!r} is {scale[np.argmax(unlike)]}, the square of "
            f"which is no {keras.config.floatx()}, or which is less than Keras's epsilon; leave plain=False."
        )
    return keras.layers.Normalization(mean=mean.tolist(), variance=np.square(scale).tolist())
