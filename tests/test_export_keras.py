"""Layers of Keras do to tensors what the estimators do to tables, and are saved with the models that they are in."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from exports import GROUPED, KEYS, VALUES, columns_of, export_id, exportable, fitted, learned_from, tried_on
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler as Foreign

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
)
from sknorm.export._codes import group_codes
from sknorm.export.keras import to_keras

if importlib.util.find_spec("torch"):
    os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="the layers need Keras 3")

# NumPy asks PyTorch's tensors for what they do not know yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

# One for each kind of map, and for each of what may come before and after.
KINDS = [
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler((-2, 0.1), clip=True),
    StandardScaler(clip=2.0, clip_mode="soft", outliers=OutlierClipper()),
    OutlierClipper("mad", action="missing"),
    OutlierClipper("quantile", tail="right", indicator=True),
    GroupNorm([2, 3], eps=0),
    GROUPED[0],
    GROUPED[2],
    GROUPED[4],
]
each_kind = pytest.mark.parametrize("estimator", KINDS, ids=export_id)
LARGEST = {np.float64: 1e200, np.float32: 1e38}


def table(dtype=np.float64, n=60):
    """Return a frame of keys and values, which are of this type."""
    X = tried_on(n)
    X[VALUES] = X[VALUES].clip(-LARGEST[dtype], LARGEST[dtype]).astype(dtype)
    return X


def has_keys(scaler):
    return getattr(scaler, "by", None) is not None


def argument(scaler, X):
    """Return what the layer of a scaler takes."""
    values = X[VALUES].to_numpy(copy=True)
    return [values, group_codes(scaler, X[columns_of(scaler)])] if has_keys(scaler) else values


def wanted(scaler, X):
    """Return what a scaler makes of the values of a frame, indicators among them."""
    out = scaler.set_output(transform="pandas").transform(X[columns_of(scaler)].copy())
    return out[[name for name in out.columns if name not in KEYS]].to_numpy(X[VALUES[0]].dtype)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def assert_like(tensor, expected):
    """Fail where a tensor is not an array, but for rounding relative to what is larger than 1."""
    found = array(tensor)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    off = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert np.nanmax(off) <= {np.float64: 1e-12, np.float32: 2e-7}[expected.dtype.type]


def model_of(scaler, dtype="float64"):
    """Return a model that consists of a scaler's layer."""
    inputs = keras.Input((5,), dtype=dtype, name="values")
    if has_keys(scaler):
        inputs = [inputs, keras.Input((1,), dtype="int64", name="codes")]
    return keras.Model(inputs, to_keras(scaler)(inputs))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("estimator", exportable(), ids=export_id)
def test_parity(estimator, dtype):
    scaler, X = fitted(estimator), table(dtype)
    assert_like(to_keras(scaler)(argument(scaler, X)), wanted(scaler, X))


@pytest.mark.parametrize("eps", [0.0, 1e-5])
@pytest.mark.parametrize(
    "norm",
    [LayerNorm(beta=-3.0), GroupNorm(3, gamma=np.arange(1.0, 7.0)), GroupNorm([1, 3, 2]), InstanceNorm(2)],
    ids=["layer", "blocks", "uneven blocks", "instance"],
)
def test_parity_of_rows(norm, eps, rng):
    X = rng.normal(size=(200, 6)) * 10.0 ** rng.integers(-3, 4, (200, 1)) + rng.choice([0.0, 1e9, 1e200], (200, 1))
    X[:20] = rng.normal(size=(20, 1)) * 10.0 ** rng.integers(-9, 160, (20, 1))  # constants
    X[20:40, 3:] *= 1e-170
    X[50:70], X[50:70, ::2] = 1.0, np.nextafter(1.0, 2.0)  # no constants
    X[rng.random(X.shape) < 0.1] = np.nan
    X[40] = np.nan
    norm = norm.set_params(eps=eps).fit(X)
    assert_like(to_keras(norm)(X), norm.transform(X))


@each_kind
def test_models_are_saved(estimator, tmp_path):
    scaler, X = fitted(estimator), table()
    model, given, path = model_of(scaler), argument(scaler, X), tmp_path / "model.keras"
    assert_like(model(given), wanted(scaler, X))
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()
    np.testing.assert_array_equal(array(loaded(given)), array(model(given)))


def test_numbers_are_no_part_of_the_structure(tmp_path):
    scaler = GroupedScaler().fit(np.arange(1000.0).reshape(-1, 1), groups=np.arange(1000))
    layer = to_keras(scaler)
    assert [weight.shape for weight in layer.non_trainable_weights] == [(1002, 1), (1002, 1)]
    assert not layer.trainable_weights
    inputs = [keras.Input((1,), dtype="float64"), keras.Input((1,), dtype="int64")]
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        config = file.read("config.json")
    assert len(config) < 5000
    (layer,) = [part for part in json.loads(config)["config"]["layers"] if part["class_name"] == "Scaling"]
    assert layer["registered_name"] == "sknorm>Scaling"
    assert layer["config"]["parts"][0]["n_rows"] == 1002


def test_copies_of_the_structure_have_weights_of_their_own():
    scaler = fitted(StandardScaler())
    layer = to_keras(scaler)
    other = type(layer).from_config(layer.get_config())
    assert other.name == layer.name
    assert not any(array(weight).any() for weight in other.weights)
    other.set_weights(layer.get_weights())
    assert_like(other(argument(scaler, table())), wanted(scaler, table()))


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_types_do_not_depend_on_those_of_keras(floatx, monkeypatch):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        scaler = fitted(StandardScaler(clip=3.0))
        layer = to_keras(scaler)
        assert layer.compute_dtype == "float64"
        for dtype in (np.float32, np.float64):
            assert_like(layer(argument(scaler, table(dtype))), wanted(scaler, table(dtype)))
        single = model_of(scaler, "float32")
        assert single.output.dtype == "float32"
        assert_like(single(argument(scaler, table(np.float32))), wanted(scaler, table(np.float32)))
        integers = np.full((2, 5), 3)
        assert keras.backend.standardize_dtype(layer(integers).dtype) == "float64"
        half = layer(keras.ops.cast(integers, "float16"))
        assert keras.backend.standardize_dtype(half.dtype) == "float16"
    finally:
        keras.config.set_floatx(before)


def test_predict():
    scaler, X = fitted(StandardScaler(clip=2.0)), table(np.float32)
    predicted = model_of(scaler, "float32").predict(argument(scaler, X), batch_size=7, verbose=0)
    np.testing.assert_array_equal(predicted, array(to_keras(scaler)(argument(scaler, X))))


def test_more_axes():
    scaler, X = fitted(GROUPED[2]), table()
    values, codes = argument(scaler, X)
    layer = to_keras(scaler)
    folded = array(layer([values.reshape(4, 15, 5), codes.reshape(4, 15)]))
    np.testing.assert_array_equal(folded.reshape(60, 5), array(layer([values, codes])))
    norm = to_keras(fitted(GroupNorm([2, 3])))
    np.testing.assert_array_equal(array(norm(values.reshape(4, 15, 5))).reshape(60, 5), array(norm(values)))


def test_values_beyond_squares(rng):
    scaler = StandardScaler(clip=2.0, clip_mode="soft").fit(rng.normal(size=(20, 1)))
    X = np.array([[1e200], [-1e200], [0.0], [1e-200]])
    assert_like(to_keras(scaler)(X), scaler.transform(X))
    assert array(to_keras(scaler)(X))[0, 0] == 2


def test_infinities():
    X = np.array([[np.inf, -np.inf, 1.0], [-np.inf, np.inf, np.nan]])
    fit_on = np.arange(30.0).reshape(10, 3)
    clipper = OutlierClipper(indicator=True).fit(fit_on)
    assert_like(to_keras(clipper)(X), clipper.transform(X))
    dropping = OutlierClipper(tail="left", action="missing", indicator=True).fit(fit_on)
    assert_like(to_keras(dropping)(X), dropping.transform(X))
    half_open = array(to_keras(OutlierClipper(tail="left", indicator=True).fit(fit_on))(X))
    assert half_open[0, 0] == np.inf  # which transform refuses
    np.testing.assert_array_equal(half_open[:, 3:], [[1, -1, 0], [-1, 1, 0]])


def test_pipeline(tmp_path):
    X = table(np.float32)
    pipeline = make_pipeline(
        OutlierClipper(indicator=True), "passthrough", make_pipeline(RobustScaler(), None), StandardScaler(clip=1.0)
    )
    pipeline.fit(learned_from()[VALUES].to_numpy())
    assert_like(to_keras(pipeline)(argument(pipeline, X)), pipeline.transform(X[VALUES].to_numpy()))
    nothing = array(to_keras(make_pipeline("passthrough"))(argument(pipeline, X)))
    np.testing.assert_array_equal(nothing, argument(pipeline, X))


def test_pipeline_that_begins_with_keys(tmp_path):
    X = table()[["merchant", *VALUES]]
    pipeline = make_pipeline(GroupedScaler(by="merchant", unseen="nan"), MaxAbsScaler(), LayerNorm())
    pipeline.fit(learned_from()[X.columns])
    given = argument(pipeline[0], X)
    inputs = [keras.Input((5,), dtype="float64"), keras.Input((), dtype="int32")]
    keras.Model(inputs, to_keras(pipeline)(inputs)).save(tmp_path / "model.keras")
    assert_like(keras.saving.load_model(tmp_path / "model.keras")(given), pipeline.transform(X))
    second = make_pipeline(MaxAbsScaler(), GroupedScaler(by=0)).fit(X[["amount", "far"]])
    with pytest.raises(ValueError, match="only as the first step"):
        to_keras(second)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="other backends have gradients of their own")
def test_no_gradient_is_nan():
    import torch

    for scaler in map(fitted, KINDS):
        X = table()
        X["amount"] = 0.0
        X.loc[:5, VALUES] = 7.0
        values, *codes = given if isinstance(given := argument(scaler, X), list) else [given]
        values = torch.from_numpy(values).requires_grad_()
        out = to_keras(scaler)([values, *codes] if codes else values)
        torch.nan_to_num(out).clamp(-1e3, 1e3).sum().backward()
        assert not values.grad.isnan().any(), scaler


# Keras's own layer.


def test_plain(tmp_path):
    X = table(np.float32)
    X["far"] = np.float32(3.0)
    for estimator in (
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False, with_std=False),
        MinMaxScaler(),
        RobustScaler(),
        MaxAbsScaler(),
    ):
        scaler = fitted(estimator)
        layer = to_keras(scaler, plain=True)
        assert type(layer) is keras.layers.Normalization
        inputs = keras.Input((5,))
        keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
        out = array(keras.saving.load_model(tmp_path / "model.keras")(argument(scaler, X)))
        np.testing.assert_allclose(out[:, :4], wanted(scaler, X)[:, :4], rtol=1e-5, atol=1e-6)


def test_plain_cannot_do_more():
    for estimator, what in (
        (StandardScaler(clip=2.0), "Clip"),
        (StandardScaler(clip=2.0, clip_mode="soft"), "Squash"),
        (StandardScaler(outliers=OutlierClipper()), "Fence"),
        (MinMaxScaler((-1, 1)), "the gain or the shift of Affine"),
        (BatchNorm(gamma=2.0), "the gain or the shift of Affine"),
        (LayerNorm(), "RowNorm"),
        (OutlierClipper(indicator=True), "Fence and indicators"),
        (GROUPED[0], "a lookup by keys"),
    ):
        with pytest.raises(ValueError, match=f"cannot do {what}"):
            to_keras(fitted(estimator), plain=True)
    twice = make_pipeline(StandardScaler(), MinMaxScaler()).fit(learned_from()[VALUES])
    with pytest.raises(ValueError, match="the 2 steps of a pipeline"):
        to_keras(twice, plain=True)
    for spread in (1e-30, 1e-9, 1e30):
        scaler = StandardScaler().fit([[-spread, 0.0], [spread, 1.0]])
        with pytest.raises(ValueError, match="The scale of column 'x0'"):
            to_keras(scaler, plain=True)


# What is refused.


def test_refused():
    with pytest.raises(NotFittedError):
        to_keras(StandardScaler())
    with pytest.raises(TypeError, match="not an estimator of sknorm"):
        to_keras(Foreign().fit([[1.0]]))
    with pytest.raises(ValueError, match='unseen="error"'):
        to_keras(fitted(GroupedScaler(by="merchant", unseen="error")))
    with pytest.raises(ValueError, match="x has 1 columns, but 5 are scaled"):
        to_keras(fitted(StandardScaler()))(np.zeros((3, 1)))


def test_without_keras(monkeypatch):
    for name in ("keras", "sknorm.export._keras_layers"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'to_keras needs Keras 3; install it with pip install "sknorm\[keras\]"'):
        to_keras(fitted(StandardScaler()))


LOAD = """
import sys
import numpy as np
import keras
from sknorm.export.keras import Scaling

assert keras.backend.backend() == "tensorflow"
model = keras.saving.load_model(sys.argv[1])
with np.load(sys.argv[2]) as given:
    out = model([given["values"], given["codes"]])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(out), given["wanted"], rtol=1e-12)
print("the same")
"""


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_another_backend_loads_it(tmp_path):
    scaler, X = fitted(GROUPED[2]), table()
    model_of(scaler).save(tmp_path / "model.keras")
    values, codes = argument(scaler, X)
    np.savez(tmp_path / "given.npz", values=values, codes=codes, wanted=wanted(scaler, X))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "model.keras"), str(tmp_path / "given.npz")],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "the same" in done.stdout
