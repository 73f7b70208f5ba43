"""Exported ONNX graphs compute what ``transform`` does, in ONNX Runtime and in ONNX's own reference."""

import json
import sys
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from exports import VALUES, columns_of, export_id, exportable, fitted, learned_from, tried_on
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

import sknorm
from sknorm import (
    BatchNorm,
    GroupedScaler,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxAbsScaler,
    MinMaxScaler,
    OutlierClipper,
    RobustScaler,
    StandardScaler,
    StreamingPipeline,
)
from sknorm.export._exported import float32_loss
from sknorm.export.onnx import register_onnx, to_onnx
from sknorm.maps import RowNorm

onnx = pytest.importorskip("onnx", reason="graphs need onnx")
skl2onnx = pytest.importorskip("skl2onnx", reason="graphs are written by skl2onnx")
ort = pytest.importorskip("onnxruntime", reason="graphs are run by ONNX Runtime")

from onnx.reference import ReferenceEvaluator  # noqa: E402
from skl2onnx.common.data_types import (  # noqa: E402
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

NEAR = [name for name in VALUES if name != "far"]  # what float32 may hold
KEEPS_STRINGS = [estimator for estimator in exportable() if getattr(estimator, "drop_keys", True) is False]
EXPORTABLE = [estimator for estimator in exportable() if export_id(estimator) not in map(export_id, KEEPS_STRINGS)]
GROUPED = [estimator for estimator in EXPORTABLE if isinstance(estimator, GroupedScaler)]


def session(model):
    onnx.checker.check_model(model, full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def feeds(model, X, groups=None):
    """Return what the inputs of a graph are for a table: all of it, or column by column, and the keys beside it."""
    tables = [np.asarray(X)] if model.graph.input[0].name == "X" else [X[[name]] for name in X.columns]
    if groups is not None:
        beside = pd.DataFrame(groups)
        is_one = len(model.graph.input) == len(tables) + 1
        tables += [beside] if is_one else [beside[[name]] for name in beside]
    fed = {}
    for put, table in zip(model.graph.input, tables, strict=True):
        is_text = put.type.tensor_type.elem_type == onnx.TensorProto.STRING
        dtype = onnx.helper.tensor_dtype_to_np_dtype(put.type.tensor_type.elem_type)
        fed[put.name] = np.asarray(table.fillna("") if is_text else table, dtype)
    return fed


def run(model, X, groups=None):
    return session(model).run(None, feeds(model, X, groups))[0]


def reference(model, X):
    with np.errstate(all="ignore"):  # NumPy warns of what NaN is made of
        return ReferenceEvaluator(model).run(None, feeds(model, X))[0]


def assert_same(got, wanted, tolerance=1e-12):
    """Fail where values differ by more than the tolerance, relative to those above 1, or NaN are not in place."""
    wanted = np.asarray(wanted)
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    with np.errstate(invalid="ignore"):  # of infinities
        off = np.abs(got - wanted) > tolerance * np.maximum(1, np.abs(wanted))
    assert not off.any(), f"got {got[off]}, wanted {wanted[off]}"


# Graphs take time to write: each is written once.
@cache
def exported(index):
    estimator = fitted(EXPORTABLE[index])
    return estimator, to_onnx(estimator)


every = pytest.mark.parametrize("index", range(len(EXPORTABLE)), ids=[export_id(estimator) for estimator in EXPORTABLE])


@every
def test_graph_is_transform(index):
    estimator, model = exported(index)
    X = tried_on()[columns_of(estimator)]
    wanted = estimator.transform(X)
    assert np.isnan(wanted).any()
    assert_same(run(model, X), wanted)


@every
def test_reference_agrees(index):
    estimator, model = exported(index)
    X = tried_on()[columns_of(estimator)]
    assert_same(reference(model, X), estimator.transform(X))


@every
def test_graph_has_what_it_needs_and_no_more(index):
    estimator, model = exported(index)
    graph = model.graph
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    has_keys = getattr(estimator, "by", None) is not None
    assert opsets == ({"": 13, "ai.onnx.ml": 2} if has_keys else {"": 13})
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    made = [name for node in graph.node for name in node.output] + [constant.name for constant in graph.initializer]
    assert set(made) <= used
    if len(graph.node) > 1:
        assert "Identity" not in {node.op_type for node in graph.node}
    assert [output.name for output in graph.output] == ["variable"]


@every
def test_empty_table(index):
    estimator, model = exported(index)
    X = tried_on()[columns_of(estimator)].iloc[:0]
    assert run(model, X).shape == (0, len(estimator.get_feature_names_out()))


@every
def test_names_of_columns(index):
    estimator, model = exported(index)
    names = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert names == {
        "feature_names_in": columns_of(estimator),
        "feature_names_out": estimator.get_feature_names_out().tolist(),
    }


# float32.


@every
def test_float32(index):
    if isinstance(EXPORTABLE[index], GroupNorm) and not isinstance(EXPORTABLE[index].n_groups, int):
        pytest.skip("its blocks are of all columns, of which one is too far from zero")
    keys = [name for name in columns_of(EXPORTABLE[index]) if name not in VALUES]
    columns = [*keys, *NEAR]
    estimator = clone(EXPORTABLE[index]).fit(learned_from()[columns])
    model = to_onnx(estimator, dtype="float32")
    X = tried_on()[columns].astype(dict.fromkeys(NEAR, np.float32))
    wanted = estimator.transform(X)
    assert wanted.dtype == np.float32
    assert_same(run(model, X), wanted, tolerance=2e-7)


@pytest.mark.parametrize(
    "estimator",
    [
        StandardScaler(),
        RobustScaler(),
        OutlierClipper(),
        GroupedScaler(by="merchant"),
        make_pipeline(OutlierClipper(), StandardScaler()),
        ColumnTransformer([("near", StandardScaler(), NEAR), ("all", MinMaxScaler(), VALUES)]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_column_that_float32_distorts(estimator):
    X = learned_from()[["merchant", *VALUES] if isinstance(estimator, GroupedScaler) else VALUES]
    with pytest.raises(ValueError, match=r"float32 moves column 'far' by up to 0\.\d+ standard deviations"):
        to_onnx(estimator.fit(X), dtype="float32")


def test_float32_tensor_is_computed_as_double():
    X = (1000 + np.random.default_rng(0).normal(size=(50, 3))).astype(np.float32)
    scaler = StandardScaler().fit(X)
    register_onnx()
    model = skl2onnx.to_onnx(make_pipeline(scaler, MinMaxScaler()).fit(X), X)
    wanted = MinMaxScaler().fit_transform(scaler.transform(X))
    got = run(model, X)
    assert_same(got, wanted, tolerance=2e-7)
    in_float32 = (X - scaler.mean_.astype(np.float32)) / scaler.scale_.astype(np.float32)
    assert np.abs(in_float32 - scaler.transform(X)).max() > 1e-5  # so that it makes a difference


# Values out of the ordinary.


def test_soft_clip_of_large_values():
    scaler = StandardScaler(with_mean=False, with_std=False, clip=3.0, clip_mode="soft").fit([[0.0], [1.0]])
    X = np.array([[1e200], [-1e200], [1e308], [3.0], [-3.0], [0.0], [1e-300], [np.nan], [np.inf]])
    got = run(to_onnx(scaler), X)
    assert_same(got[:-1], scaler.transform(X[:-1]))
    assert got[:3, 0].tolist() == [3.0, -3.0, 3.0]
    assert got[-1, 0] == 3.0


@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("action", ["clip", "missing"])
@pytest.mark.parametrize("tail", ["both", "left", "right"])
def test_infinities_are_outside(tail, action, indicator):
    X = np.random.default_rng(0).normal(size=(40, 2))
    clipper = OutlierClipper("sigma", fold=1.0, tail=tail, action=action, indicator=indicator).fit(X)
    tried = np.array([[np.inf, -np.inf], [-9.0, 9.0], [0.0, np.nan], [-np.inf, np.inf]])
    got = run(to_onnx(clipper), tried)
    if action == "clip" and tail != "both":  # an infinity stays where there is no bound, which transform refuses
        with pytest.raises(ValueError, match="infinity"):
            clipper.transform(tried)
        kept = np.isneginf(tried) if tail == "right" else np.isposinf(tried)
        assert np.array_equal(np.isinf(got[:, :2]), kept)
        assert np.array_equal(got[:, :2][kept], tried[kept])
        tried[kept] = np.copysign(1e300, tried[kept])
        wanted = clipper.transform(tried)
        wanted[:, :2][kept] = got[:, :2][kept]
        if indicator:
            wanted[:, 2:][kept] = np.sign(tried[kept])
        assert_same(got, wanted)
    else:
        assert_same(got, clipper.transform(tried))
        assert np.isfinite(got[2, 0])


def test_flags_go_through_a_pipeline():
    X = learned_from()[NEAR]
    pipeline = make_pipeline(OutlierClipper(indicator=True), StandardScaler()).fit(X)
    wanted = pipeline.transform(tried_on()[NEAR])
    assert wanted.shape[1] == 2 * len(NEAR)
    assert_same(run(to_onnx(pipeline), tried_on()[NEAR]), wanted)


def test_column_without_values():
    X = np.array([[1.0, np.nan], [2.0, np.nan]])
    for estimator in (StandardScaler(clip=1.0), OutlierClipper(), OutlierClipper(action="missing", indicator=True)):
        scaler = estimator.fit(X)
        tried = np.array([[5.0, 3.0], [np.nan, np.nan]])
        assert_same(run(to_onnx(scaler), tried), scaler.transform(tried))


# Blocks of rows.


class Rows(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Normalizes blocks of every row."""

    def __init__(self, ends, eps=1e-5, gain=None, shift=None):
        self.ends = ends
        self.eps = eps
        self.gain = gain
        self.shift = shift

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return self._fitted_map()(np.asarray(X))

    def _fitted_map(self):
        return RowNorm(np.array(self.ends, np.intp), self.eps, self.gain, self.shift)


def rows_of(n=30):
    return np.random.default_rng(0).normal(size=(n, 12)) * np.tile([1, 1e3, 1e-3], 4) + 1e3


WEIGHTS = np.linspace(-2, 2, 12)[np.newaxis]
BLOCKS = {"one": [12], "equal": [4, 8, 12], "unequal": [1, 3, 12], "single": list(range(1, 13))}


@pytest.mark.parametrize("eps", [0.0, 1e-5])
@pytest.mark.parametrize("weights", [{}, {"gain": WEIGHTS}, {"gain": WEIGHTS, "shift": 1 - WEIGHTS}], ids=len)
@pytest.mark.parametrize("ends", BLOCKS.values(), ids=BLOCKS)
def test_rows(ends, weights, eps):
    X = rows_of()
    X[::3, ::2] = np.nan
    X[1, :4] = np.nan
    X[2] = np.nan
    X[4] = 0.1  # whose mean is rounded
    X[5] = 1.7e9
    X[6] *= 1e200
    X[7, 3:] = -1e308
    X[8, 5] = 1e150
    X[9] = 1.7e9 + np.arange(12) ** 2 / 7  # whose mean is rounded to as much as matters
    X[10] = np.where(np.arange(12) % 3, 1e9, np.nextafter(1e9, 2e9))  # a constant but for rounding
    X[11] = np.where(np.arange(12) % 3, 1e200, np.nextafter(1e200, 2e200))
    if eps > 0:
        X[11] = 1e200
    rows = Rows(ends, eps, **weights).fit(X)
    model, wanted = to_onnx(rows), rows.transform(X)
    assert_same(run(model, X), wanted)
    assert_same(reference(model, X), wanted)
    assert np.array_equal(np.isnan(wanted), np.isnan(X))
    X = np.abs(X[:5]).astype(np.float32)
    assert_same(run(to_onnx(rows, dtype="float32"), X), rows.transform(X), tolerance=2e-7)


@pytest.mark.parametrize(
    "layer",
    [
        LayerNorm(gamma=2.0),
        GroupNorm(3, eps=0),
        GroupNorm([2, 10]),
        InstanceNorm(4, gamma=[1, -2, 3, 0.5]),
        BatchNorm(beta=1.0),
    ],
    ids=str,
)
def test_layers(layer):
    X = rows_of()
    X[::3, ::2] = np.nan
    layer.fit(X)
    assert_same(run(to_onnx(layer), X), layer.transform(X))
    X = X[:5].astype(np.float32)
    register_onnx()
    assert_same(run(skl2onnx.to_onnx(layer, X), X), layer.transform(X), tolerance=2e-7)


def operator_of(op, ends, eps, elem_type, **attributes):
    """Return a graph of one of ONNX's own operators on blocks of rows."""
    n_blocks, width = len(ends), ends[0]
    helper = onnx.helper
    shape, whole = [0, n_blocks, width], [0, n_blocks * width]
    dtype = helper.tensor_dtype_to_np_dtype(elem_type)
    if op == "LayerNormalization":
        scale, bias = WEIGHTS[0].astype(dtype), (1 - WEIGHTS[0]).astype(dtype)
        shape = whole
    else:
        scale, bias = np.linspace(-2, 2, n_blocks).astype(dtype), np.linspace(1, 3, n_blocks).astype(dtype)
    nodes = [
        helper.make_node("Reshape", ["X", "shape"], ["blocks"]),
        helper.make_node(op, ["blocks", "scale", "bias"], ["normal"], epsilon=eps, **attributes),
        helper.make_node("Reshape", ["normal", "whole"], ["Y"]),
    ]
    constants = {"shape": np.array(shape), "whole": np.array(whole), "scale": scale, "bias": bias}
    graph = helper.make_graph(
        nodes,
        op,
        [helper.make_tensor_value_info("X", elem_type, [None, n_blocks * width])],
        [helper.make_tensor_value_info("Y", elem_type, [None, n_blocks * width])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    gain = scale if op == "LayerNormalization" else np.repeat(scale, width)
    shift = bias if op == "LayerNormalization" else np.repeat(bias, width)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model, {"gain": gain[np.newaxis].astype(float), "shift": shift[np.newaxis].astype(float)}


@pytest.mark.parametrize(("runs", "dtype"), [(run, "float32"), (reference, "float32"), (reference, "float64")])
@pytest.mark.parametrize(
    ("op", "ends", "attributes"),
    [
        ("LayerNormalization", [12], {"axis": -1}),
        ("GroupNormalization", [4, 8, 12], {"num_groups": 3, "stash_type": 11}),  # computed as double
        ("InstanceNormalization", [4, 8, 12], {}),
    ],
)
def test_rows_are_those_of_onnx(op, ends, attributes, dtype, runs):
    elem_type = onnx.TensorProto.DOUBLE if dtype == "float64" else onnx.TensorProto.FLOAT
    eps = float(np.float32(1e-3))  # attributes of ONNX are of float32
    theirs, weights = operator_of(op, ends, eps, elem_type, **attributes)
    X = np.random.default_rng(0).normal(size=(30, 12)).astype(dtype)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    assert_same(run(to_onnx(Rows(ends, eps, **weights).fit(X), dtype=dtype), X), runs(theirs, X), tolerance)


# Keys.


def keyed(keys, others, n=60, **parameters):
    """Return a scaler that has learned from rows with these keys, and rows with other keys among them."""
    rng = np.random.default_rng(0)
    parts = keys if isinstance(keys, dict) else {"key": keys}
    learned = pd.DataFrame({name: [part[i % len(part)] for i in range(n)] for name, part in parts.items()})
    learned["value"] = rng.normal(size=n) * (1 + np.arange(n) % 7)
    learned["other"] = rng.normal(size=n)
    scaler = GroupedScaler(by=list(parts) if len(parts) > 1 else "key", **parameters).fit(learned)
    more = others if isinstance(others, dict) else {"key": others}
    size = len(next(iter(more.values())))
    tried = pd.DataFrame(more | {"value": rng.normal(size=size), "other": rng.normal(size=size)})
    return scaler, pd.concat([learned, tried.astype(learned.dtypes.to_dict())], ignore_index=True)


KEYS = {
    "quotes": (["a", 'quo"te', "o'clock", "back\\slash", "two words", "a\nb"], ["A", "a ", "quote", '"']),
    "unicode": (["é", "e", "日本", "🙂", "ß", "\u00e9x"], ["e\u0301", "日", "SS"]),  # as it is, not as it is composed
    "empty": (["", "a"], ["b"]),
    "numbers in strings": (["1", "1.0", "01", "nan", "None"], ["1.00", "NaN"]),
    "missing strings": (["a", None, "b"], ["c", None]),
    "missing later": (["a", "b"], ["c", None]),
    "integers": ([0, 1, -1, 7, -(2**40), 2**53 - 1], [2, -7, 2**40]),
    "large integers": ([2**53, 2**53 + 1, 2**63 - 1, -(2**63)], [2**53 + 2, 2**63 - 2]),
    "missing integers": ([1.0, np.nan, -3.0], [2.0, 1.5, np.nan]),
    "booleans": ([True, False], [True]),
    "fractions": ([0.1, 0.1 + 0.2, 0.3, 1.0, -0.1, 1000.7, np.nan], [0.2, 0.30000000000000016, 0.0, np.nan]),
    "small fractions": ([1e-300, 2e-300, -1e-300], [0.0, 3e-300, 1.0]),
    "strings and integers": (
        {"key": ["a", "b", "a"], "part": [1, 2, 2]},
        {"key": ["a", "b", "c"], "part": [3, 1, 1]},
    ),
    "missing parts": (
        {"key": ["a", None, "b", None], "part": [1.0, 2.0, np.nan, np.nan]},
        {"key": ["a", None, "c", None, "b", "a"], "part": [np.nan, 1.0, np.nan, np.nan, np.nan, 2.0]},
    ),
    "three parts": (
        {"key": ["a", "b", "a", "b"], "part": [1, 1, 2, 2], "third": ["x", "y", "y", "x"]},
        {"key": ["a", "b", "b"], "part": [1, 2, 9], "third": ["y", "y", "x"]},
    ),
    "one value": (["same"], ["another"]),
    "all missing": ([np.nan], [1.0, np.nan]),
}


@pytest.mark.parametrize("missing_key", ["own", "global"])
@pytest.mark.parametrize("unseen", ["global", "nan", "passthrough"])
@pytest.mark.parametrize("name", KEYS)
def test_keys(name, unseen, missing_key):
    scaler, X = keyed(*KEYS[name], unseen=unseen, missing_key=missing_key)
    wanted = scaler.transform(X)
    model = to_onnx(scaler)
    assert_same(run(model, X), wanted)
    assert_same(reference(model, X), wanted)
    if unseen == "nan" and name not in ("booleans", "all missing"):
        assert np.isnan(wanted).any()
        assert not np.isnan(wanted).all()


def test_many_keys():
    keys = [f"customer {i}" for i in range(10_000)]
    scaler, X = keyed(keys, ["nobody"] * 5, n=30_000)
    assert len(scaler.groups_) == 10_000
    assert_same(run(to_onnx(scaler), X), scaler.transform(X))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("drop_keys", [False, True])
def test_keys_in_a_table_of_numbers(drop_keys, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(dtype)
    X[:, 1] = rng.integers(-2, 3, 60)
    scaler = GroupedScaler(by=1, unseen="nan", drop_keys=drop_keys).fit(X)
    X[:6, 1] = [1.5, np.nan, 99, -0.0, 1e300 if dtype == "float64" else 1e30, np.nextafter(X.dtype.type(1), 2)]
    model = to_onnx(scaler, dtype=dtype)
    assert [put.name for put in model.graph.input] == ["X"]
    wanted = scaler.transform(X)
    assert np.isnan(wanted[[0, 1, 2, 4, 5], 0]).all()
    assert not np.isnan(wanted[3, 0])
    assert_same(run(model, X), wanted, 1e-12 if dtype == "float64" else 2e-7)


def test_infinite_key_is_another():
    X = np.column_stack([np.repeat([1.0, 2.0], 5), np.arange(10.0)])
    scaler = GroupedScaler(by=0, unseen="nan").fit(X)
    assert np.isnan(run(to_onnx(scaler), np.array([[np.inf, 1.0], [-np.inf, 1.0]]))).all()


def test_keys_that_float32_mistakes_are_integers():
    """16,777,217 is 16,777,216 in float32, so a graph of float32 takes the keys apart from the values."""
    scaler, X = keyed([2**24, 2**24 + 1], [2**24 + 2])
    assert [put.name for put in to_onnx(scaler).graph.input] == ["X"]
    model = to_onnx(scaler, dtype="float32")
    kinds = [onnx.helper.tensor_dtype_to_np_dtype(put.type.tensor_type.elem_type) for put in model.graph.input]
    assert kinds == [np.int64, np.float32, np.float32]
    X = X.astype({"value": np.float32, "other": np.float32})
    assert_same(run(model, X), scaler.transform(X), tolerance=2e-7)


def test_inputs_are_named_after_columns():
    model = to_onnx(fitted(GroupedScaler(by=["branch", "merchant"])))
    kinds = {put.name: put.type.tensor_type.elem_type for put in model.graph.input}
    assert list(kinds) == ["merchant", "branch", "amount", "Age_of_client", "constant", "rare", "far"]
    kind = onnx.TensorProto
    assert list(kinds.values()) == [kind.STRING, kind.INT64, *[kind.DOUBLE] * 5]
    shapes = {tuple(dim.dim_value for dim in put.type.tensor_type.shape.dim) for put in model.graph.input}
    assert shapes == {(0, 1)}


@pytest.mark.parametrize("missing_key", ["own", "global"])
@pytest.mark.parametrize(
    ("groups", "tried", "names"),
    [
        (["a", "b", None], ["b", "c", None, ""], ["groups"]),
        ([1, 2], [2, 3, 1, 0], ["groups"]),
        ([1.5, np.nan], [1.5, np.nan, 1.0, 2.0], ["groups"]),
        ([["a", "x"], ["b", "x"], ["a", "y"]], [["b", "y"], ["a", "x"], ["x", "a"], ["a", "y"]], ["groups"]),
        ([["a", 1], ["b", 1], ["a", 2]], [["b", 2], ["a", 1], ["a", 2], ["c", 1]], ["groups_0", "groups_1"]),
    ],
)
def test_keys_beside_the_table(groups, tried, names, missing_key):
    X = np.random.default_rng(0).normal(size=(30, 2))
    frame = pd.DataFrame([groups[i % len(groups)] for i in range(30)])
    as_groups = (lambda frame: frame[0]) if frame.shape[1] == 1 else (lambda frame: frame)
    scaler = GroupedScaler(unseen="nan", missing_key=missing_key).fit(X, groups=as_groups(frame))
    model = to_onnx(scaler)
    assert [put.name for put in model.graph.input] == ["X", *names]
    tried = pd.DataFrame(tried)
    wanted = scaler.transform(X[: len(tried)], groups=as_groups(tried.replace("", None)))
    assert np.isnan(wanted).any()
    assert_same(run(model, X[: len(tried)], tried), wanted)


def test_key_beside_the_table_in_plain_skl2onnx():
    X = np.random.default_rng(0).normal(size=(30, 2))
    scaler = GroupedScaler().fit(X, groups=["a", "b", "c"] * 10)
    register_onnx()
    with pytest.raises(ValueError, match="2 columns, and then 1 of keys"):
        skl2onnx.to_onnx(scaler, X)
    types = [("X", DoubleTensorType([None, 2])), ("who", StringTensorType([None, 1]))]
    model = skl2onnx.convert_sklearn(scaler, initial_types=types)
    assert_same(run(model, X, ["a", "b", "c"] * 10), scaler.transform(X, groups=["a", "b", "c"] * 10))


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ([date(2024, 1, 1), date(2024, 1, 2)], TypeError, r"no type for the key datetime.date\(2024, 1, 1\)"),
        ([b"a", b"b"], TypeError, "no type for the key b'a'"),
        ([("a", 1), ("b", 2)], TypeError, r"no type for the key \('a', 1\)"),
        (["a", 1], TypeError, "the key 1 is of another kind"),
        ([0.5, "a"], TypeError, "the key 'a' is of another kind"),
        ([2**63, 1], TypeError, "no type for the key 9223372036854775808"),
        ([None, ""], ValueError, "two keys"),
        ([1e-300, 0.5, 0.25, 2e-300], ValueError, "too close to each other"),
        ([float("inf"), 1.0], ValueError, "too large"),
    ],
    ids=str,
)
def test_keys_that_onnx_does_not_have(keys, error, message):
    key = pd.Series([keys[i % len(keys)] for i in range(20)], dtype=object)
    scaler = GroupedScaler(by="key").fit(pd.DataFrame({"key": key, "value": np.arange(20.0)}))
    with pytest.raises(error, match=f"(?i){message}"):
        to_onnx(scaler)


# What cannot be said.


@pytest.mark.parametrize("estimator", KEEPS_STRINGS, ids=export_id)
def test_strings_among_numbers(estimator):
    with pytest.raises(ValueError, match="set drop_keys=True"):
        to_onnx(fitted(estimator))


def test_unknown_keys_that_are_errors():
    with pytest.raises(ValueError, match='unseen="error"'):
        to_onnx(fitted(GroupedScaler(by="merchant", unseen="error")))


@pytest.mark.parametrize("estimator", [StandardScaler(), GroupedScaler(by="a"), make_pipeline(StandardScaler())])
def test_not_fitted(estimator):
    with pytest.raises(NotFittedError):
        to_onnx(estimator)


def test_estimators_of_others():
    X, y = [[1.0], [2.0], [3.0]], [0, 1, 1]
    with pytest.raises(TypeError, match="LogisticRegression is no estimator of sknorm"):
        to_onnx(LogisticRegression().fit(X, y))
    with pytest.raises(TypeError, match="Pipeline is no estimator of sknorm"):
        to_onnx(make_pipeline(PCA()).fit(X))
    with pytest.raises(TypeError, match="not an estimator instance"):
        to_onnx(5)


@pytest.mark.parametrize("dtype", ["float16", "double", np.float32, None])
def test_dtype_is_a_name(dtype):
    with pytest.raises(ValueError, match='must be "float64" or "float32"'):
        to_onnx(fitted(StandardScaler()), dtype=dtype)


def test_strings_that_are_to_be_scaled():
    register_onnx()
    with pytest.raises(ValueError, match="'name' holds strings"):
        skl2onnx.convert_sklearn(
            StandardScaler().fit([[1.0, 2.0]]),
            initial_types=[("name", StringTensorType([None, 1])), ("b", DoubleTensorType([None, 1]))],
        )


def test_wrong_number_of_columns():
    register_onnx()
    with pytest.raises(ValueError, match="fitted on 2 columns; the graph has 3"):
        skl2onnx.to_onnx(StandardScaler().fit([[1.0, 2.0]]), np.zeros((1, 3)))


@pytest.mark.parametrize(("keys", "kind"), [(["a", "b"], Int64TensorType), ([1, 2], StringTensorType)])
def test_keys_of_another_kind_than_the_input(keys, kind):
    scaler, _ = keyed(keys, keys)
    register_onnx()
    types = [("key", kind([None, 1])), ("values", DoubleTensorType([None, 2]))]
    with pytest.raises(TypeError, match="was learned, but the graph has a tensor of"):
        skl2onnx.convert_sklearn(scaler, initial_types=types)


def test_integers_where_fractions_were_learned():
    scaler, X = keyed([1.0, 1.5], [2.0], unseen="nan")
    register_onnx()
    types = [("key", Int64TensorType([None, 1])), ("values", DoubleTensorType([None, 2]))]
    model = skl2onnx.convert_sklearn(scaler, initial_types=types)
    X = X[X["key"] != 1.5]
    fed = {"key": X[["key"]].to_numpy(np.int64), "values": X[["value", "other"]].to_numpy()}
    wanted = scaler.transform(X)
    assert np.isnan(wanted).any()
    assert_same(session(model).run(None, fed)[0], wanted)


def test_width_that_is_not_known():
    X = learned_from()[VALUES]
    for scaler in (StandardScaler().fit(X), GroupedScaler(by=1).fit(X)):
        register_onnx()
        model = skl2onnx.convert_sklearn(scaler, initial_types=[("X", DoubleTensorType([None, None]))])
        assert_same(run(model, X), scaler.transform(X))


def test_opset_too_old():
    with pytest.raises(RuntimeError, match="13 is higher than targeted opset"):
        to_onnx(fitted(StandardScaler()), target_opset=12)


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sknorm\[onnx\]"'):
        to_onnx(fitted(StandardScaler()))
    with pytest.raises(ImportError, match=r'pip install "sknorm\[onnx\]"'):
        register_onnx()


# skl2onnx.


@pytest.mark.parametrize("opset", range(13, skl2onnx.proto.get_latest_tested_opset_version() + 1))
def test_every_opset(opset):
    X = tried_on()
    estimators = [
        fitted(MinMaxScaler((0, 2), outliers=OutlierClipper(action="missing"), clip=1.5)),
        fitted(StandardScaler(clip=1.0, clip_mode="soft")),
        fitted(OutlierClipper(indicator=True)),
        fitted(GroupedScaler(by=["merchant", "branch"], unseen="nan", missing_key="global")),
        Rows([2, 5]).fit(X[VALUES]),
    ]
    register_onnx()
    for estimator in estimators:
        table = X[columns_of(estimator)]
        model = to_onnx(estimator, target_opset=opset)
        for declared in model.opset_import:  # what is needed is 13, and later ones mean the same
            declared.version = opset if declared.domain == "" else declared.version
        assert_same(run(model, table), estimator.transform(table))


def test_every_estimator_is_registered_once():
    register_onnx()
    from skl2onnx import _parse
    from skl2onnx._supported_operators import sklearn_operator_name_map

    apart = _parse.do_not_merge_columns
    register_onnx()
    assert sorted(map(str, _parse.do_not_merge_columns)) == sorted(map(str, apart))
    assert len(set(apart)) == len(apart)
    kinds = [getattr(sknorm, name) for name in sknorm.__all__ if isinstance(getattr(sknorm, name), type)]
    scale = {kind for kind in kinds if hasattr(kind, "transform") and not issubclass(kind, Pipeline)}
    assert {type(estimator) for estimator in exportable()} <= scale
    assert {kind for kind, alias in sklearn_operator_name_map.items() if alias == "SknormScaler"} >= scale
    assert StreamingPipeline not in sklearn_operator_name_map


def test_class_of_a_user():
    class Mine(StandardScaler):
        pass

    X = learned_from()[VALUES]
    scaler = Mine().fit(X)
    assert_same(run(to_onnx(scaler), tried_on()[VALUES]), scaler.transform(tried_on()[VALUES]))


# Pipelines.


def table():
    X = learned_from().fillna({"merchant": "none", "amount": 0.0})
    return X, (X["amount"] > 0).to_numpy(int)


def probabilities(model, X):
    """Return the probabilities that a graph gives, and check its labels."""
    label, given = session(model).run(None, feeds(model, X))
    assert np.array_equal(label, given.argmax(axis=1))
    return given


def scaled(number, text):
    """Return a ColumnTransformer that scales these columns."""
    return ColumnTransformer(
        [
            ("standard", StandardScaler(clip=2.0), number[:2]),
            ("chain", make_pipeline(OutlierClipper("sigma"), MinMaxScaler((-1, 1))), number[2:4]),
            ("group", GroupedScaler(by=0), [*text, number[0]]),
            ("stay", "passthrough", number[3:]),
        ]
    )


def test_pipeline_of_numbers_in_plain_skl2onnx():
    X, y = table()
    X = X[["amount", "far", "branch", "Age of client", "constant"]].to_numpy(float)
    pipeline = make_pipeline(scaled([0, 1, 3, 4], [2]), LogisticRegression()).fit(X, y)
    register_onnx()
    model = skl2onnx.to_onnx(pipeline, X, options={"zipmap": False})
    assert_same(probabilities(model, X), pipeline.predict_proba(X))
    assert_same(probabilities(to_onnx(pipeline), X), pipeline.predict_proba(X))


def test_pipeline_of_a_frame_in_plain_skl2onnx():
    X, y = table()
    columns = ["merchant", "amount", "far", "branch", "Age of client"]
    pipeline = make_pipeline(scaled(["amount", "far", "branch", "Age of client"], ["merchant"]), LogisticRegression())
    X = X[columns]
    pipeline.fit(X, y)
    register_onnx()
    model = skl2onnx.to_onnx(pipeline, X, options={"zipmap": False})
    assert_same(probabilities(model, X), pipeline.predict_proba(X))
    assert_same(probabilities(to_onnx(pipeline), X), pipeline.predict_proba(X))


def test_pipeline_in_float32():
    X, y = table()
    X = X[["merchant", "branch", *NEAR]].fillna(0).astype(dict.fromkeys(NEAR, np.float32))
    columns = scaled(["amount", "branch", "rare", "constant"], ["merchant"])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(X, y)
    wanted = pipeline.predict_proba(X).astype(np.float32)
    register_onnx()
    for model in (
        to_onnx(pipeline, dtype="float32"),
        skl2onnx.to_onnx(pipeline, X, options={"zipmap": False}),  # where branch is of integers
    ):
        assert_same(probabilities(model, X), wanted, tolerance=1e-6)


def test_encoders_take_strings():
    X, y = table()
    columns = ColumnTransformer(
        [("scale", StandardScaler(), VALUES[:3]), ("encode", OneHotEncoder(handle_unknown="ignore"), ["merchant"])]
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(X, y)
    X["merchant"] = X["merchant"].replace("a", "new")
    assert_same(probabilities(to_onnx(pipeline), X), pipeline.predict_proba(X))


def test_columns_picked_by_name_are_inputs():
    X = learned_from()[VALUES]
    columns = ColumnTransformer([("range", MinMaxScaler(), ["far", "amount"]), ("scale", StandardScaler(), ["rare"])])
    pipeline = make_pipeline(columns, OutlierClipper()).fit(X)
    model = to_onnx(pipeline)
    assert len(model.graph.input) == len(VALUES)
    assert_same(run(model, X), pipeline.transform(X))


def test_integers_beside_fractions_stay_as_they_are():
    """skl2onnx makes one tensor of a step's columns, integers if the first is; not for estimators of sknorm."""
    X = pd.DataFrame({"whole": [1, 2, 3, 4], "part": [0.1, 0.2, 0.35, 0.4]})
    for scaler in (StandardScaler(), MaxAbsScaler(), make_pipeline(OutlierClipper(), RobustScaler())):
        columns = ColumnTransformer([("scale", scaler, ["whole", "part"])]).fit(X)
        register_onnx()
        model = skl2onnx.to_onnx(columns, X)
        assert [put.type.tensor_type.elem_type for put in model.graph.input] == [
            onnx.TensorProto.INT64,
            onnx.TensorProto.DOUBLE,
        ]
        assert_same(run(model, X), columns.transform(X))


def test_integers_come_out_as_double():
    X = np.array([[1, 5], [2, 7], [4, 5]])
    scaler = StandardScaler().fit(X)
    register_onnx()
    assert_same(run(skl2onnx.to_onnx(scaler, X), X), scaler.transform(X))


def test_booleans_are_scaled_and_are_keys():
    X = pd.DataFrame(
        {"flag": [True, False, True, False], "other": [True, True, False, False], "x": [1.0, 2.0, 4.0, 3.0]}
    )
    for estimator in (StandardScaler(), GroupedScaler(by="flag")):
        estimator.fit(X)
        register_onnx()
        assert_same(run(skl2onnx.to_onnx(estimator, X), X), estimator.transform(X))


def test_groups_in_one_tensor_of_several():
    """The columns of values may lie in any of the inputs, with the keys between them."""
    scaler, X = keyed({"a": [1, 2, 3], "b": [1, 2]}, {"a": [1, 9], "b": [1, 1]})
    register_onnx()
    types = [("left", DoubleTensorType([None, 3])), ("right", FloatTensorType([None, 1]))]
    model = skl2onnx.convert_sklearn(scaler, initial_types=types)
    X["other"] = X["other"].astype(np.float32)
    fed = {"left": X[["a", "b", "value"]].to_numpy(float), "right": X[["other"]].to_numpy()}
    assert_same(session(model).run(None, fed)[0], scaler.transform(X))


@pytest.mark.parametrize(
    "pipeline",
    [
        Pipeline([("nothing", "passthrough"), ("scale", StandardScaler()), ("last", "passthrough")]),
        Pipeline([("inner", make_pipeline(RobustScaler(), MaxAbsScaler())), ("clip", OutlierClipper(indicator=True))]),
        make_pipeline(StandardScaler(), PCA(2), MinMaxScaler()),
        StreamingPipeline([("clip", OutlierClipper("sigma")), ("scale", StandardScaler(clip=2.0))]),
        FeatureUnion([("standard", StandardScaler()), ("range", MinMaxScaler())]),
        ColumnTransformer([("first", StandardScaler(), slice(0, 2)), ("none", "drop", [2])], remainder=RobustScaler()),
        ColumnTransformer([("first", GroupedScaler(by=1), [0, 2])], remainder="passthrough"),
    ],
    ids=["passthrough", "nested", "PCA", "streaming", "union", "remainder", "keys"],
)
def test_pipelines(pipeline):
    X = table()[0][VALUES].to_numpy()[:, [0, 1, 2, 4]]
    pipeline.fit(X)
    assert_same(run(to_onnx(pipeline), X), pipeline.transform(X))


def test_frozen_steps():
    X = table()[0][VALUES].to_numpy()
    frozen = FrozenEstimator(StandardScaler().fit(X))
    for estimator in (frozen, make_pipeline(frozen, MinMaxScaler()).fit(X)):
        assert_same(run(to_onnx(estimator), X), estimator.transform(X))


def test_missing_keys_that_are_errors_are_scaled_by_all_rows():
    X = learned_from()[["branch", *VALUES]]
    scaler = GroupedScaler(by="branch", missing_key="error").fit(X)
    X = X.astype(float)
    X.iloc[:5, 0] = np.nan
    with pytest.raises(ValueError, match="has no key"):
        scaler.transform(X)
    assert_same(run(to_onnx(scaler), X)[:5], scaler.global_scaler_.transform(X[VALUES])[:5])


@pytest.mark.parametrize("keys", [[0.1, 0.7], [1, 2], ["a", "b"]])
def test_keys_beside_float32(keys):
    scaler, X = keyed(keys, keys)
    X = X.astype({"value": np.float32, "other": np.float32})
    model = to_onnx(scaler, dtype="float32")
    assert [put.type.tensor_type.elem_type for put in model.graph.input][-1] == onnx.TensorProto.FLOAT
    assert_same(run(model, X), scaler.transform(X), tolerance=2e-7)


@pytest.mark.parametrize(
    ("estimator", "X", "keys"),
    [
        (GroupedScaler(), [[0.0], [1.0], [1e9], [1e9 + 1]], [0, 0, 1, 1]),
        (StandardScaler(), [[1.7e9], [1.7e9]], None),
        (RobustScaler(), [[1e9]] * 9 + [[1e9 + 1]], None),
        (StandardScaler(), [[1e100], [3e100]], None),
        (MinMaxScaler(), [[1e-50], [3e-50]], None),
        (MaxAbsScaler(), [[1e9 - 1], [1e9 + 1]], None),
        (OutlierClipper(), [[1e9], [1e9 + 1], [1e9 + 2], [1e9 + 3]], None),
        (BatchNorm(), [[1e9 - 1], [1e9 + 1]], None),
    ],
    ids=["a group", "a constant", "no IQR", "beyond float32", "below float32", "not centred", "bounds", "batches"],
)
def test_what_float32_loses(estimator, X, keys):
    estimator.fit(X, groups=keys) if keys else estimator.fit(X)
    assert float32_loss(estimator).tolist() > [1e-3]
    with pytest.raises(ValueError, match=r"use dtype=\"float64\""):
        to_onnx(estimator, dtype="float32")
    near = np.array(X) / np.abs(X).max() * 8 + np.arange(len(X))[:, np.newaxis]
    estimator.fit(near, groups=keys) if keys else estimator.fit(near)
    assert float32_loss(estimator).tolist() < [1e-5]
