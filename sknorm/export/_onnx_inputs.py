"""The inputs of an ONNX graph: what a fitted pipeline takes, column by column where it must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from sknorm.export._exported import Exported, exported
from sknorm.export._onnx_operator import key_positions, key_tuples, kind_of_keys
from sknorm.grouped import GroupedScaler


def solid(estimator: Any) -> Any:
    """Return an estimator without what skl2onnx does not know: steps that stand for nothing, and frozen ones."""
    if isinstance(estimator, FrozenEstimator):
        return solid(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return Pipeline([(name, solid(step)) for name, step in estimator.steps if not is_nothing(step)])
    return estimator


def leaves(estimator: Any, columns: list[int] | None) -> Iterator[tuple[Any, list[int] | None]]:
    """Yield the estimators of a pipeline, and the columns that each sees; None where others have made them."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from leaves(step, columns)
            columns = None
    elif isinstance(estimator, ColumnTransformer):
        for name, step, _ in estimator.transformers_:
            picked = estimator._transformer_to_input_indices[name]
            yield from leaves(step, columns and [columns[i] for i in picked])
    elif isinstance(estimator, FeatureUnion):
        for _, step in estimator.transformer_list:
            yield from leaves(step, columns)
    elif not is_nothing(estimator):
        yield estimator, columns


def is_nothing(step: Any) -> bool:
    """Say whether a step has no estimator."""
    return step is None or isinstance(step, str)


def names_columns(estimator: Any) -> bool:
    """Say whether a ColumnTransformer picks its columns by their names, as it was fitted."""
    if isinstance(estimator, Pipeline):
        return names_columns(estimator.steps[0][1])
    if isinstance(estimator, FeatureUnion):
        return any(names_columns(step) for _, step in estimator.transformer_list)
    picked = [columns for _, _, columns in getattr(estimator, "transformers_", ())]
    return any(isinstance(column, str) for columns in picked for column in np.atleast_1d(np.array(columns, object)))


def input_types(estimator: Any, dtype: str) -> list[tuple[str, Any]]:
    """Return the names and types of a graph's inputs, as skl2onnx takes them."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    types = {"string": StringTensorType, "int64": Int64TensorType, "double": DoubleTensorType}
    number = DoubleTensorType if dtype == "float64" else FloatTensorType
    columns = list(range(estimator.n_features_in_))
    apart, others = names_columns(estimator), {}
    for leaf, seen in leaves(estimator, columns):
        if seen is None:
            continue
        for position, keys in key_columns(leaf):
            others[seen[position]] = types[kind_of_keys(keys)]
            apart |= not all(tells_apart(dtype, key) for key in keys)
    if apart:
        names = getattr(estimator, "feature_names_in_", [f"x{i}" for i in columns])
        inputs = [(str(name), others.get(i, number)([None, 1])) for i, name in enumerate(names)]
    else:
        inputs = [("X", number([None, len(columns)]))]
    beside = [types[kind_of_keys(keys)] for keys in keys_beside(estimator)]
    if len(set(beside)) == 1:
        return [*inputs, ("groups", beside[0]([None, len(beside)]))]
    return [*inputs, *((f"groups_{i}", type_([None, 1])) for i, type_ in enumerate(beside))]


def key_columns(estimator: Any) -> list[tuple[int, list[Any]]]:
    """Return the positions of columns that are not scaled, and the keys or categories that were learned of them."""
    if isinstance(estimator, GroupedScaler):
        what = exported(estimator)
        return list(zip(what.keys or [], keys_of(estimator, what), strict=False))  # without what is beside X
    categories = enumerate(getattr(estimator, "categories_", ()))  # of an encoder
    return [
        (i, [None if category != category else category for category in of_column.tolist()])
        for i, of_column in categories
        if of_column.dtype.kind not in "biuf"
    ]


def keys_beside(estimator: Any) -> list[list[Any]]:
    """Return the keys that were given beside X, part by part."""
    if not isinstance(estimator, GroupedScaler):
        return []
    what = exported(estimator)
    return keys_of(estimator, what) if what.keys is None else []


def keys_of(estimator: GroupedScaler, what: Exported) -> list[list[Any]]:
    """Return the keys part by part, with None where a row may have none."""
    may_be_missing = [None] if estimator.missing_key == "global" else []
    return [[key[i] for key in key_tuples(what)] + may_be_missing for i in range(len(key_positions(what)))]


def tells_apart(dtype: str, key: Any) -> bool:
    """Say whether a key is equal to none but itself after rounding to a dtype."""
    if isinstance(key, str):
        return False
    limit = 2**53 if dtype == "float64" else 2**24
    return key is None or (abs(key) < limit and (dtype == "float64" or key % 1 == 0))
