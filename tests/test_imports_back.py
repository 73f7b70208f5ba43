"""What scikit-learn, PyTorch and Keras have learned goes on here: the same outputs, and the same next steps."""

import importlib.util
import os
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing as theirs
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import sknorm
from sknorm.export.imports import from_keras, from_sklearn, from_torch

SCALERS = [
    theirs.StandardScaler(),
    theirs.StandardScaler(with_mean=False),
    theirs.StandardScaler(with_std=False, copy=False),
    theirs.StandardScaler(with_mean=False, with_std=False),
    theirs.MinMaxScaler((-2, 0.1)),
    theirs.MinMaxScaler(clip=True),
    theirs.MaxAbsScaler(),
    theirs.RobustScaler(),
    theirs.RobustScaler(with_centering=False),
    theirs.RobustScaler(with_scaling=False),
    theirs.RobustScaler(quantile_range=(10, 51), unit_variance=True),
    theirs.RobustScaler(quantile_range=(0, 100.0)),
    theirs.RobustScaler(quantile_range=(7.3, 66.6), unit_variance=True),
    theirs.RobustScaler(quantile_range=(49.999, 50.001)),
]
each_scaler = pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: repr(scaler).replace("Scaler", ""))
ON_STREAMS = [scaler for scaler in SCALERS if hasattr(scaler, "partial_fit")]


def table(seed=0, n=300):
    """Return values with a constant, missing ones, columns far from zero, and one that is nearly constant there."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.standard_t(2, n) * 1000,
            "age": rng.integers(18, 90, n).astype(float),
            "one": np.resize([-1.0, 1.0], n),  # its variance
            "constant": np.full(n, 7.5),
            "rare": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
            "far": 1.7e9 + rng.normal(size=n),
            "at a power of two": 2.0**30 + rng.normal(size=n),
            "nearly constant": 1e8 + 1.5e-8 * (np.arange(n) < 2),
        }
    )


def unlike(ours, scaler, X):
    """Return how far apart two outputs are, relative to what is larger than 1 and to what theirs cancels."""
    wanted, found = scaler.transform(X.copy()), ours.transform(X.copy())
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    terms = np.abs(X.to_numpy() * scaler.scale_) if isinstance(scaler, theirs.MinMaxScaler) else 1.0
    return np.nanmax(np.abs(found - wanted) / np.maximum(np.maximum(1, np.abs(wanted)), terms), axis=0, initial=0)


@each_scaler
def test_same_output(scaler):
    scaler, X = clone(scaler).fit(table()), table(seed=1)
    ours = from_sklearn(scaler)
    assert type(ours) is getattr(sknorm, type(scaler).__name__)
    shared = ours.get_params().keys() & scaler.get_params().keys()
    assert shared
    assert all(getattr(ours, name) == getattr(scaler, name) for name in shared)
    assert unlike(ours, scaler, X).max() <= 1e-12
    np.testing.assert_array_equal(ours.get_feature_names_out(), scaler.get_feature_names_out())
    assert ours.n_features_in_ == X.shape[1]
    for name in ("mean_", "var_", "scale_", "center_", "min_", "data_min_", "data_range_", "max_abs_"):
        if hasattr(scaler, name) and getattr(scaler, name) is None:
            assert getattr(ours, name) is None
        elif hasattr(scaler, name) and name != "var_":  # of what is nearly constant it is 0 here
            np.testing.assert_allclose(getattr(ours, name), getattr(scaler, name), rtol=1e-15)


@each_scaler
def test_documents(scaler):
    ours = from_sklearn(clone(scaler).fit(table()))
    again = sknorm.from_json(ours.to_json())
    np.testing.assert_array_equal(again.transform(table(1)), ours.transform(table(1)))


@pytest.mark.parametrize("scaler", ON_STREAMS, ids=repr)
def test_streams_go_on(scaler):
    scaler = clone(scaler).fit(table().iloc[:100])
    ours = from_sklearn(scaler)
    for seed in range(3):
        batch = table(seed, 50)
        ours.partial_fit(batch)
        scaler.partial_fit(batch)
    np.testing.assert_array_equal(ours.n_samples_seen_, scaler.n_samples_seen_)
    X = table(seed=4)
    assert unlike(ours, scaler, X)[:5].max() <= 1e-12
    assert unlike(ours, scaler, X)[5:7].max() <= 1e-6  # four units in the last place of what is far from zero


def test_weights():
    X = np.array([[1.0, np.nan], [3.0, np.nan], [9.0, np.nan]])
    scaler = theirs.StandardScaler().fit(X[:, :1], sample_weight=[0.5, 1.5, 0.25])
    ours = from_sklearn(scaler)
    assert ours.n_samples_seen_ == 2.25
    np.testing.assert_allclose(ours.transform(X[:, :1]), scaler.transform(X[:, :1]), rtol=1e-15)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # scikit-learn's
@pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning")
@pytest.mark.parametrize("kind", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"])
def test_columns_that_were_never_seen(kind):
    X = np.array([[1.0, np.nan], [3.0, np.nan], [9.0, np.nan]])
    ours = from_sklearn(getattr(theirs, kind)().fit(X))
    assert np.isnan(ours.transform([[2.0, 1.0]])).tolist() == [[False, True]]
    ours.partial_fit([[2.0, 5.0], [2.0, 7.0]])
    assert np.isfinite(ours.transform([[2.0, 6.0]])).all()


def test_constant_of_many_rows():
    # scikit-learn's rule for a constant goes with the number of rows, ours up to 10,000 of them.
    X = np.full((200_000, 1), 1e6)
    X[::2] += 3e-5
    scaler = theirs.StandardScaler().fit(X)
    assert scaler.scale_ == 1
    assert scaler.var_ > 0
    ours = from_sklearn(scaler)
    assert ours.scale_ == 1
    np.testing.assert_array_equal(ours.transform(X[:2]), scaler.transform(X[:2]))


def test_robust_scaler_goes_on_from_a_stand_in():
    X = table()[["age"]]
    ours = from_sklearn(theirs.RobustScaler().fit(X))
    assert ours.n_samples_seen_ == 9
    centre, scale = ours.center_[0], ours.scale_[0]
    ours.partial_fit(pd.DataFrame({"age": [centre - scale / 2, centre, centre + scale / 2] * 5}))
    np.testing.assert_allclose([ours.center_[0], ours.scale_[0]], [centre, scale])
    ours.partial_fit(pd.DataFrame({"age": [1e6] * 100}))
    assert ours.center_ == 1e6


def test_single_precision_and_sparse():
    X = table()[["amount", "age"]].to_numpy(np.float32)
    for scaler in (theirs.MinMaxScaler(), theirs.StandardScaler(), theirs.RobustScaler()):
        scaler.fit(X)
        np.testing.assert_allclose(from_sklearn(scaler).transform(X), scaler.transform(X), rtol=1e-5, atol=1e-5)
    sparse = pytest.importorskip("scipy.sparse").csr_array(np.where(X > 30, X, 0).astype(float))
    for scaler in (
        theirs.StandardScaler(with_mean=False),
        theirs.StandardScaler(with_mean=False, with_std=False),
        theirs.MaxAbsScaler(),
        theirs.RobustScaler(with_centering=False),
    ):
        scaler.fit(sparse)
        found = from_sklearn(scaler).transform(sparse)
        np.testing.assert_allclose(found.toarray(), scaler.transform(sparse).toarray(), rtol=1e-14)


def test_refused_of_sklearn():
    with pytest.raises(TypeError, match=r"takes one of scikit-learn's StandardScaler, .*, not PowerTransformer"):
        from_sklearn(theirs.PowerTransformer().fit([[1.0], [2.0]]))
    with pytest.raises(TypeError, match="not StandardScaler"):
        from_sklearn(sknorm.StandardScaler().fit([[1.0]]))

    class Changed(theirs.StandardScaler):
        """Does who knows what."""

    with pytest.raises(TypeError, match="not Changed"):
        from_sklearn(Changed().fit([[1.0]]))
    for scaler in SCALERS:
        with pytest.raises(NotFittedError):
            from_sklearn(clone(scaler))
    for pair in ((0, 50), (50, 75.0), (60, 90), (1, 2)):
        scaler = theirs.RobustScaler(quantile_range=pair).fit(table())
        with pytest.raises(ValueError, match="does not enclose 50"):
            from_sklearn(scaler)


# PyTorch.


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the layers are PyTorch's")


def trained(torch, **parameters):
    """Return a BatchNorm1d in double that has seen some batches."""
    torch.manual_seed(0)
    module = torch.nn.BatchNorm1d(4, **parameters).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    for _ in range(3):
        module(torch.randn(20, 4, dtype=torch.float64) * 3 + 5)
    return module


@pytest.mark.parametrize(
    "parameters", [{}, {"momentum": None}, {"momentum": 0.5, "eps": 0.1}, {"affine": False}], ids=str
)
def test_batch_norm_of_torch(torch, parameters, rng):
    module, X = trained(torch, **parameters), rng.normal(size=(30, 4))
    ours = from_torch(module)
    tensor = torch.from_numpy(X)
    for n_batches in (3, 4):
        wanted = module.eval()(tensor).detach().numpy()
        np.testing.assert_allclose(ours.transform(X), wanted, rtol=1e-12, atol=1e-12)
        assert ours.n_batches_ == n_batches
        module.train()(tensor)
        ours.partial_fit(X)
    assert (ours.momentum, ours.eps, ours.update) == (module.momentum, module.eps, "torch")
    assert (ours.gamma is None) == (module.weight is None)
    np.testing.assert_array_equal(sknorm.from_json(ours.to_json()).transform(X), ours.transform(X))


def test_new_batch_norm_of_torch(torch, rng):
    X = rng.normal(size=(30, 4)).astype(np.float32)
    module = torch.nn.BatchNorm1d(4)
    ours = from_torch(module)
    wanted = module.eval()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(ours.transform(X), wanted, rtol=1e-6, atol=1e-7)
    module.train()(torch.from_numpy(X))
    np.testing.assert_allclose(ours.partial_fit(X).mean_, module.running_mean.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("affine", [True, False])
def test_norms_of_rows_of_torch(torch, affine, rng):
    torch.manual_seed(0)
    X = rng.normal(size=(30, 12)) * 3 + 5
    for module in (
        torch.nn.LayerNorm(12, eps=0.1, elementwise_affine=affine),
        torch.nn.LayerNorm(12, bias=False, elementwise_affine=affine),
        torch.nn.GroupNorm(3, 12, affine=affine),
        torch.nn.InstanceNorm1d(4, affine=affine),
    ):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_()
        ours, given = from_torch(module), torch.from_numpy(X)
        if isinstance(module, torch.nn.InstanceNorm1d):
            given = given.unflatten(1, (4, 3))
        wanted = module.double()(given).flatten(1).detach().numpy()
        np.testing.assert_allclose(ours.transform(X), wanted, rtol=1e-11, atol=1e-12)


def test_there_and_back(torch, rng):
    from sknorm.export.torch import to_torch

    X = rng.normal(size=(30, 4))
    ours = from_torch(trained(torch))
    np.testing.assert_allclose(to_torch(ours)(torch.from_numpy(X)), ours.transform(X), rtol=1e-12)


def test_refused_of_torch(torch):
    nn = torch.nn
    with pytest.raises(ValueError, match="track_running_stats=False has learned nothing"):
        from_torch(nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(ValueError, match="track_running_stats=True"):
        from_torch(nn.InstanceNorm1d(3, track_running_stats=True))
    with pytest.raises(ValueError, match="one axis"):
        from_torch(nn.LayerNorm((3, 4)))
    for module in (nn.BatchNorm2d(3), nn.LazyBatchNorm1d(), nn.Linear(2, 2), 3):
        with pytest.raises(TypeError, match=f"not {type(module).__name__}"):
            from_torch(module)
    with pytest.raises(InvalidParameterError):
        from_torch(nn.BatchNorm1d(3, momentum=2.0))


def test_without_the_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'from_torch needs PyTorch; install it with pip install "sknorm\[torch\]"'):
        from_torch(None)
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setitem(sys.modules, "keras.layers", None)
    with pytest.raises(ImportError, match=r'from_keras needs Keras 3; install it with pip install "sknorm\[keras\]"'):
        from_keras(None)


# Keras.

of_keras = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def keras():
    if importlib.util.find_spec("torch"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="the layers are Keras's")


@of_keras
def test_normalization_of_keras(keras, rng):
    X = rng.normal(size=(30, 4)) * [1, 10, 0.1, 0] + [0, 1, 2, 3]
    adapted = keras.layers.Normalization(dtype="float64")
    adapted.adapt(X)
    given = keras.layers.Normalization(axis=1, mean=[0.0, 1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0, 0.25])
    given.build((None, 4))
    for layer, columns in ((adapted, slice(3)), (given, slice(4))):  # of variance 0 Keras makes no 1
        ours = from_keras(layer)
        found, wanted = ours.transform(X), keras.ops.convert_to_numpy(layer(X))
        np.testing.assert_allclose(found[:, columns], wanted[:, columns], rtol=1e-5, atol=1e-5)
        assert ours.n_samples_seen_ == 1
    constant = from_keras(adapted)
    assert constant.scale_[3] == 1
    np.testing.assert_allclose(constant.transform(X)[:, 3], 0, atol=1e-6)


@of_keras
def test_rows_that_a_normalization_counts_as(keras, rng):
    X = rng.normal(size=(40, 3))
    layer = keras.layers.Normalization(mean=X[:30].mean(0), variance=X[:30].var(0), dtype="float64")
    layer.build((None, 3))
    ours = from_keras(layer, n_samples=30).partial_fit(X[30:])
    whole = sknorm.StandardScaler().fit(X)
    np.testing.assert_allclose(ours.transform(X), whole.transform(X), rtol=1e-6, atol=1e-6)
    assert ours.n_samples_seen_ == 40
    for n_samples in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="n_samples must be a positive number"):
            from_keras(layer, n_samples=n_samples)


@of_keras
@pytest.mark.parametrize(
    "parameters", [{}, {"momentum": 0.5, "epsilon": 0.1}, {"center": False}, {"scale": False}], ids=str
)
def test_batch_normalization_of_keras(keras, parameters, rng):
    layer = keras.layers.BatchNormalization(
        dtype="float64", beta_initializer="random_normal", gamma_initializer="random_normal", **parameters
    )
    layer.build((None, 4))
    for _ in range(3):
        layer(rng.normal(size=(20, 4)) * 3 + 5, training=True)
    ours, X = from_keras(layer), rng.normal(size=(30, 4))
    for _ in range(2):
        wanted = keras.ops.convert_to_numpy(layer(X))
        np.testing.assert_allclose(ours.transform(X), wanted, rtol=1e-5, atol=1e-5)  # Keras computes in single
        layer(X, training=True)
        ours.partial_fit(X)
    assert (ours.update, ours.momentum, ours.eps) == ("keras", layer.momentum, layer.epsilon)
    assert (ours.gamma is None, ours.beta is None) == (not layer.scale, not layer.center)


def test_refused_of_keras(keras):
    layers = keras.layers
    for layer in (layers.Normalization(), layers.BatchNormalization(), layers.Normalization(mean=1.0, variance=2.0)):
        with pytest.raises(NotFittedError, match="knows no mean yet"):
            from_keras(layer)
    inverse = layers.Normalization(mean=[1.0], variance=[2.0], invert=True)
    inverse.build((None, 1))
    with pytest.raises(ValueError, match="invert=True"):
        from_keras(inverse)
    for axis in (None, (0, 1), 2):
        with pytest.raises(ValueError, match="axis"):
            from_keras(layers.Normalization(axis=axis))
    with pytest.raises(ValueError, match="axis"):
        from_keras(layers.BatchNormalization(axis=2))
    for other in (layers.Dense(2), 3):
        with pytest.raises(TypeError, match=f"not {type(other).__name__}"):
            from_keras(other)
