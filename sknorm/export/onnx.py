"""Fitted estimators as ONNX graphs, through skl2onnx."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sknorm.export._exported import exported, float32_loss
from sknorm.export._onnx_inputs import input_types, leaves, solid
from sknorm.export._onnx_operator import ALIAS, convert, declare, set_shape
from sknorm.grouped import GroupedScaler

if TYPE_CHECKING:
    import onnx

__all__ = ["register_onnx", "to_onnx"]

# What rounding X to float32 may move a value by, in standard deviations or ranges of its column.
LARGEST_LOSS = 1e-3


def to_onnx(
    estimator: Any,
    *,
    dtype: Literal["float64", "float32"] = "float64",
    target_opset: int | dict[str, int] | None = None,
) -> onnx.ModelProto:
    """Return the ONNX graph of a fitted estimator, or of a pipeline with estimators of sknorm in it.

    The graph computes what ``transform`` does, in double precision and in the same order; NaN stays NaN. It refuses
    nothing: an infinity that is not clipped first becomes an infinity or NaN, and what has no key under
    ``missing_key="error"`` is scaled by the statistics of all rows.

    It has one input, ``X`` of shape (n_samples, n_features). Where there are keys that are strings, or that `dtype`
    mistakes for others, or where a ColumnTransformer picks columns by name, it has an input of shape (n_samples, 1) for
    each column, in the order of the columns and by their names, with _ for what is no letter or digit: strings, int64
    for keys that are integers and never missing, else `dtype`. Keys that `fit` took as ``groups`` are one more input,
    ``groups`` of shape (n_samples, n_parts), or ``groups_0``, ``groups_1``, … where their parts are of several kinds.

    A missing key is NaN; among strings it is the empty one, unless that was learned as a key. Fill it in: ONNX Runtime
    makes the strings "None" and "nan" of None and NaN. The output of a classifier is ``label`` and ``probabilities``,
    both tensors; all else has one output.

    Parameters
    ----------
    estimator : estimator of sknorm; Pipeline, ColumnTransformer or FeatureUnion of such and others
        What was fitted. The others are converted by skl2onnx, as well as it can.
    dtype : {"float64", "float32"}, default="float64"
        The dtype of the values that go in and come out. In between they are double, and rounded once, as in
        ``transform``.
    target_opset : int or dict, default=None
        The latest opset of ONNX that the graph may declare, 13 at least; None means the latest that skl2onnx is tested
        with. Estimators of sknorm need 13, and those with keys version 2 of the domain ``ai.onnx.ml``.

    Returns
    -------
    model : onnx.ModelProto
        The graph. Its metadata has the names of the columns, ``feature_names_in`` and ``feature_names_out``, as lists
        in JSON, where the estimator knows them.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    TypeError
        If there is no estimator of sknorm, or if ONNX has no type for a key, or for all keys of a column.
    ValueError
        If rounding to float32 moves the values of a column by more than a thousandth of its standard deviation or
        range. If a graph cannot say what the estimator does: ``unseen="error"``, ``drop_keys=False`` with keys that
        are strings, None and "" as two keys, fractions as keys that are too close to each other.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    register_onnx : Lets skl2onnx itself convert, with its own options and with inputs of any types.

    Examples
    --------
    >>> from sknorm import StandardScaler
    >>> from sknorm.export.onnx import to_onnx
    >>> model = to_onnx(StandardScaler(clip=3.0).fit([[1.0], [2.0], [4.0]]))
    >>> [node.op_type for node in model.graph.node]
    ['Sub', 'Div', 'Less', 'Where', 'Greater', 'Where']
    """
    register_onnx()
    from onnx.helper import set_model_props
    from skl2onnx import convert_sklearn

    if dtype not in ("float64", "float32"):
        raise ValueError(f'dtype must be "float64" or "float32", not {dtype!r}.')
    check_is_fitted(estimator)
    estimator = solid(estimator)
    ours = [leaf for leaf, _ in leaves(estimator, None) if is_ours(type(leaf))]
    if not ours:
        raise TypeError(f"{type(estimator).__name__} is no estimator of sknorm, nor a pipeline that has one.")
    register({type(leaf) for leaf in ours})  # which may be of a user's own class
    if dtype == "float32":
        for leaf in ours:
            refuse_loss(leaf)
    # ZipMap, which skl2onnx puts after a classifier by default, is for float32 alone.
    options = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
    inputs = input_types(estimator, dtype)
    model = convert_sklearn(estimator, type(estimator).__name__, inputs, target_opset=target_opset, options=options)
    set_model_props(model, {name: json.dumps(list(columns)) for name, columns in names_of(estimator).items()})
    return model


def register_onnx() -> None:
    """Let skl2onnx convert estimators of sknorm, alone and in pipelines.

    From then on ``skl2onnx.to_onnx`` and ``skl2onnx.convert_sklearn`` take them like those of scikit-learn. A second
    call changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    to_onnx : Finds the types of the inputs by itself.

    Notes
    -----
    The inputs are those of ``initial_types``, or of a table: together they have the columns of X, and after them those
    of keys that ``fit`` took as ``groups``. All are computed as double. What comes out is float32 where values come in
    as float32 and none as double: for a frame of float32 and integers too, of which ``transform`` makes doubles, since
    skl2onnx does not mix the two.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknorm import StandardScaler
    >>> from sknorm.export.onnx import register_onnx
    >>> X = np.array([[1.0], [2.0], [4.0]])
    >>> pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(X, [1.0, 2.0, 4.0])
    >>> register_onnx()
    >>> model = skl2onnx.to_onnx(pipeline, X)
    >>> [node.op_type for node in model.graph.node][:2]
    ['Sub', 'Div']
    """
    sknorm = sys.modules["sknorm"]
    public = [getattr(sknorm, name) for name in sknorm.__all__]
    register({value for value in public if isinstance(value, type) and is_ours(value)})


def register(kinds: set[type]) -> None:
    """Register classes with skl2onnx."""
    try:
        import skl2onnx
    except ImportError:
        raise ImportError('to_onnx needs skl2onnx; install it with pip install "sknorm[onnx]"') from None
    for kind in kinds:
        skl2onnx.update_registered_converter(kind, ALIAS, set_shape, convert, parser=declare)
    # A ColumnTransformer makes one tensor of the columns of a step, of the type of the first: strings, or integers,
    # unless the step is one of these.
    parse = sys.modules["skl2onnx._parse"]
    apart = getattr(parse, "do_not_merge_columns", ())
    parse.do_not_merge_columns = (*apart, *(kinds - set(apart)))  # type: ignore[attr-defined]


def is_ours(kind: type) -> bool:
    """Say whether a class is one of those that are exported."""
    return hasattr(kind, "_fitted_map") or issubclass(kind, GroupedScaler)


def refuse_loss(estimator: Any) -> None:
    """Raise for the first column that rounding to float32 distorts."""
    loss = float32_loss(estimator)
    for i in np.flatnonzero(loss > LARGEST_LOSS)[:1].tolist():
        what = exported(estimator)
        raise ValueError(
            f"Rounding to float32 moves column {what.names_in[what.values[i]]!r} by up to {loss[i]:.2g} standard "
            'deviations, since it is far from zero for its spread; use dtype="float64".'
        )


def names_of(estimator: Any) -> dict[str, Any]:
    """Return the names of the columns that go in and come out, where they are known."""
    names = {}
    with suppress(AttributeError, ValueError):
        names["feature_names_in"] = estimator.feature_names_in_
    with suppress(AttributeError, ValueError):  # as of a classifier
        names["feature_names_out"] = estimator.get_feature_names_out()
    return names
