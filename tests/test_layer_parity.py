"""The layers against those of the frameworks, each where it is installed, and the operators of ONNX."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import sknorm
from sknorm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, apply_weight_norm, weight_norm

TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}
N_BATCHES, N_ROWS, N_COLUMNS = 20, 32, 12
GAMMA, BETA = np.linspace(-1, 2, N_COLUMNS), np.linspace(3, -3, N_COLUMNS)
# How one layer is set in the tests of each framework: blocks of one row norm, and its name.
BLOCKS = {"LayerNorm": 1, "GroupNorm": 3, "InstanceNorm": 4}

each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
each_row_norm = pytest.mark.parametrize("name", BLOCKS)
# Keras reads tensors of PyTorch in a way that NumPy 2 deprecates.
in_old_ways = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="parity with PyTorch")


@pytest.fixture
def keras():
    pytest.importorskip("torch", reason="Keras computes in it here")
    return pytest.importorskip("keras", reason="parity with Keras")


@pytest.fixture
def batches(rng):
    """Return batches whose mean and spread move, of columns of several sizes."""
    sizes, drift = np.geomspace(0.1, 10, N_COLUMNS), np.linspace(0, 2, N_BATCHES)
    return [rng.normal(at, 1 + at, size=(N_ROWS, N_COLUMNS)) * sizes for at in drift]


@pytest.fixture
def X(rng):
    """Return rows of several sizes, without a block whose values lie close together: single precision loses those."""
    sizes = rng.uniform(0.5, 10, size=(N_ROWS, 1))
    return sizes * (rng.normal(size=(N_ROWS, N_COLUMNS)) / 2 + np.arange(N_COLUMNS) % 3 * 2 - 1)


def assert_close(actual, expected, dtype):
    """Fail where two tables are off by more than the tolerance of the dtype, times max(1, |y|)."""
    actual, expected = (np.asarray(table, dtype=np.float64) for table in (actual, expected))
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) <= TOLERANCE[np.dtype(dtype)]


def by_channel(values):
    """Return the first of the values of each channel of an `InstanceNorm`."""
    return values[:: N_COLUMNS // BLOCKS["InstanceNorm"]]


def row_norm(name, eps=1e-5):
    """Return a row norm of ours with gain and shift, those of an `InstanceNorm` by channel."""
    if name == "InstanceNorm":
        return InstanceNorm(BLOCKS[name], eps, gamma=by_channel(GAMMA), beta=by_channel(BETA))
    return {"LayerNorm": LayerNorm, "GroupNorm": lambda *a, **k: GroupNorm(BLOCKS["GroupNorm"], *a, **k)}[name](
        eps, gamma=GAMMA, beta=BETA
    )


# PyTorch.


@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
@pytest.mark.parametrize("affine", [False, True], ids=["plain", "affine"])
@each_dtype
def test_batch_norm_of_pytorch(torch, batches, dtype, affine, momentum):
    theirs = torch.nn.BatchNorm1d(N_COLUMNS, momentum=momentum, affine=affine, dtype=getattr(torch, dtype.__name__))
    ours = BatchNorm(momentum)
    if affine:
        ours.set_params(gamma=GAMMA, beta=BETA)
        theirs.load_state_dict({"weight": torch.tensor(GAMMA), "bias": torch.tensor(BETA)}, strict=False)
    for batch in batches:
        rows = batch.astype(dtype)
        theirs.train()(torch.from_numpy(rows))
        ours.partial_fit(rows)
        assert_close(ours.mean_, theirs.running_mean, dtype)
        assert_close(ours.var_, theirs.running_var, dtype)
        with torch.no_grad():
            expected = theirs.eval()(torch.from_numpy(rows)).numpy()
        out = ours.transform(rows)
        assert out.dtype == dtype
        assert_close(out, expected, dtype)
    assert ours.n_batches_ == int(theirs.num_batches_tracked) == N_BATCHES


def test_a_batch_of_one_row_is_refused_as_in_pytorch(torch):
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        torch.nn.BatchNorm1d(2)(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="expects more than 1 row in a batch"):
        BatchNorm().partial_fit(np.zeros((1, 2)))


@pytest.mark.parametrize("eps", [1e-5, 0.5])
@each_dtype
@each_row_norm
def test_row_norms_of_pytorch(torch, X, name, dtype, eps):
    functional = torch.nn.functional
    rows, gamma, beta = (torch.from_numpy(table.astype(dtype)) for table in (X, GAMMA, BETA))
    if name == "LayerNorm":
        expected = functional.layer_norm(rows, (N_COLUMNS,), gamma, beta, eps)
    elif name == "GroupNorm":
        expected = functional.group_norm(rows, BLOCKS[name], gamma, beta, eps)
    else:
        channels = rows.reshape(N_ROWS, BLOCKS[name], -1)
        expected = functional.instance_norm(channels, weight=by_channel(gamma), bias=by_channel(beta), eps=eps)
    assert_close(row_norm(name, eps).transform(X.astype(dtype)), expected.reshape(X.shape), dtype)


@pytest.mark.parametrize("dim", [0, 1, 2, None])
@each_dtype
def test_weight_norm_of_pytorch(torch, rng, dtype, dim):
    W = rng.normal(size=(6, 4, 5)).astype(dtype)
    layer = torch.nn.Conv1d(4, 6, 5, bias=False, dtype=getattr(torch, dtype.__name__))
    layer.weight.data = torch.from_numpy(W)
    layer = torch.nn.utils.parametrizations.weight_norm(layer, dim=dim)
    magnitude, direction = (getattr(layer.parametrizations.weight, f"original{i}") for i in (0, 1))
    ours = weight_norm(W, dim)
    assert_close(ours[1].ravel(), magnitude.detach().numpy().ravel(), dtype)
    longer = torch.from_numpy((rng.uniform(0.5, 2, size=ours[1].shape)).astype(dtype))
    with torch.no_grad():
        magnitude.copy_(longer.reshape(magnitude.shape))
        direction.mul_(3.0)
    assert_close(apply_weight_norm(ours[0], longer.numpy(), dim), layer.weight.detach().numpy(), dtype)


# Keras and MXNet.


# Keras computes in single precision where its moments are, whatever the dtype of a layer.


def in_keras(keras, layer, rows, **keywords):
    return keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(rows), **keywords))


@in_old_ways
@pytest.mark.parametrize("momentum", [0.99, 0.5])
@each_dtype
def test_batch_norm_of_keras(keras, batches, dtype, momentum):
    theirs = keras.layers.BatchNormalization(momentum=momentum, epsilon=1e-3, dtype=dtype.__name__)
    theirs.build((None, N_COLUMNS))
    theirs.gamma.assign(GAMMA.astype(dtype)), theirs.beta.assign(BETA.astype(dtype))
    ours = BatchNorm(momentum, 1e-3, gamma=GAMMA, beta=BETA, update="keras")
    for batch in batches:
        rows = batch.astype(dtype)
        in_keras(keras, theirs, rows, training=True)
        ours.partial_fit(rows)
        assert_close(ours.mean_, keras.ops.convert_to_numpy(theirs.moving_mean), np.float32)
        assert_close(ours.var_, keras.ops.convert_to_numpy(theirs.moving_variance), np.float32)
        assert_close(ours.transform(rows), in_keras(keras, theirs, rows, training=False), np.float32)


@in_old_ways
@each_dtype
@each_row_norm
def test_row_norms_of_keras(keras, X, name, dtype):
    """Their layers have the channels last, and count as many groups as channels as -1."""
    layers, kind, shape = keras.layers, {"epsilon": 1e-3, "dtype": dtype.__name__}, X.shape
    gamma, beta, rows = GAMMA, BETA, X.astype(dtype)
    if name == "LayerNorm":
        theirs = layers.LayerNormalization(**kind)
    elif name == "GroupNorm":
        theirs = layers.GroupNormalization(BLOCKS[name], **kind)
    else:
        theirs, gamma, beta = layers.GroupNormalization(-1, **kind), by_channel(GAMMA), by_channel(BETA)
        rows = np.ascontiguousarray(rows.reshape(N_ROWS, BLOCKS[name], -1).transpose(0, 2, 1))
    theirs.build(rows.shape)
    theirs.gamma.assign(gamma.astype(dtype)), theirs.beta.assign(beta.astype(dtype))
    expected = in_keras(keras, theirs, rows)
    if name == "InstanceNorm":
        expected = expected.transpose(0, 2, 1)
    assert_close(row_norm(name, 1e-3).transform(X.astype(dtype)), expected.reshape(shape), np.float32)


def test_batch_norm_of_mxnet(batches):
    """MXNet's last release needs a NumPy of 2022; this is the formula of its documentation."""
    momentum, eps = 0.9, 1e-3
    moving_mean, moving_var = np.zeros(N_COLUMNS), np.ones(N_COLUMNS)
    ours = BatchNorm(momentum, eps, gamma=GAMMA, beta=BETA, update="mxnet")
    for batch in batches:
        data_mean, data_var = batch.mean(axis=0), batch.var(axis=0)
        moving_mean = moving_mean * momentum + data_mean * (1 - momentum)
        moving_var = moving_var * momentum + data_var * (1 - momentum)
        ours.partial_fit(batch)
        assert_close(ours.mean_, moving_mean, np.float64)
        assert_close(ours.var_, moving_var, np.float64)
        expected = (batch - moving_mean) / np.sqrt(moving_var + eps) * GAMMA + BETA
        assert_close(ours.transform(batch), expected, np.float64)


IN_TENSORFLOW = """
    import numpy as np
    import keras
    import sknorm
    assert keras.backend.backend() == "tensorflow"
    rng = np.random.default_rng(0)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    ours = sknorm.BatchNorm(0.9, 1e-3, update="keras")
    for at in range(10):
        rows = rng.normal(at, 1 + at, size=(32, 6)).astype(np.float32)
        theirs(rows, training=True), ours.partial_fit(rows)
    got, expected = ours.transform(rows), keras.ops.convert_to_numpy(theirs(rows, training=False))
    assert np.max(np.abs(got - expected) / np.maximum(1, np.abs(expected))) <= 1e-6
    expected = keras.ops.convert_to_numpy(keras.layers.LayerNormalization(epsilon=1e-3)(rows))
    assert np.max(np.abs(sknorm.LayerNorm(1e-3).transform(rows) - expected)) <= 1e-6
"""


def test_layers_of_tensorflow():
    """In a process of its own: Keras has one backend at a time."""
    for package in ("tensorflow", "keras"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    root = Path(sknorm.__file__).parents[1]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(IN_TENSORFLOW)], env=environment, check=True)


# ONNX.


def in_onnx(operator, inputs, **attributes):
    """Return what the reference implementation of an operator makes of its inputs."""
    onnx = pytest.importorskip("onnx", reason="parity with the operators of ONNX")
    reference = pytest.importorskip("onnx.reference")
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(next(iter(inputs.values())).dtype)
    values = [helper.make_tensor_value_info(name, kind, None) for name in (*inputs, "Y")]
    node = helper.make_node(operator, list(inputs), ["Y"], **attributes)
    graph = helper.make_graph([node], "layer", values[:-1], values[-1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return reference.ReferenceEvaluator(model).run(None, inputs)[0]


@each_dtype
def test_batch_norm_of_onnx(batches, dtype):
    ours = BatchNorm(gamma=GAMMA, beta=BETA)
    for batch in batches:
        ours.partial_fit(batch)
    arrays = {"X": batches[0], "scale": GAMMA, "B": BETA, "mean": ours.mean_, "var": ours.var_}
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    expected = in_onnx("BatchNormalization", arrays, epsilon=1e-5)
    assert_close(ours.transform(batches[0].astype(dtype)), expected, np.float32)  # its ε is one of single precision


@each_dtype
@each_row_norm
def test_row_norms_of_onnx(X, name, dtype):
    rows, gamma, beta = (table.astype(dtype) for table in (X, GAMMA, BETA))
    eps = float(np.float32(1e-3))  # which single precision holds, as an attribute is one
    if name == "LayerNorm":
        expected = in_onnx("LayerNormalization", {"X": rows, "Scale": gamma, "B": beta}, epsilon=eps, axis=-1)
    elif name == "GroupNorm":
        dtype = np.float32  # in which ONNX computes groups, whatever they are of
        arrays = {"X": rows[..., np.newaxis], "scale": gamma, "bias": beta}
        expected = in_onnx("GroupNormalization", arrays, epsilon=eps, num_groups=BLOCKS[name])
    else:
        channels = rows.reshape(N_ROWS, BLOCKS[name], -1)
        arrays = {"input": channels, "scale": by_channel(gamma), "B": by_channel(beta)}
        expected = in_onnx("InstanceNormalization", arrays, epsilon=eps)
    assert_close(row_norm(name, eps).transform(rows), expected.reshape(X.shape), dtype)
