"""Modules of PyTorch do to tensors what the estimators do to tables, also scripted, traced, exported and loaded."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
from exports import GROUPED, KEYS, VALUES, columns_of, export_id, exportable, fitted, learned_from, tried_on
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler as Foreign

from sknorm import (
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
from sknorm.export.torch import to_torch

torch = pytest.importorskip("torch", reason="the modules need PyTorch")

# One for each kind of map, and for each of what may come before and after.
KINDS = [
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler((-2, 0.1), clip=True),
    StandardScaler(clip=2.0, clip_mode="soft", outliers=OutlierClipper()),
    OutlierClipper("mad", action="missing"),
    OutlierClipper("quantile", tail="right", indicator=True),
    LayerNorm(gamma=2.0),
    GroupNorm([2, 3], eps=0),
    GROUPED[0],
    GROUPED[2],
]
each_kind = pytest.mark.parametrize("estimator", KINDS, ids=export_id)
LARGEST = {np.float64: 1e200, np.float32: 1e38}


def table(dtype=np.float64, n=60):
    """Return a frame of keys and values, which are of this type."""
    X = tried_on(n)
    X[VALUES] = X[VALUES].clip(-LARGEST[dtype], LARGEST[dtype]).astype(dtype)
    return X


def arguments(scaler, X):
    """Return the tensors that the module of a scaler takes."""
    values = torch.from_numpy(X[VALUES].to_numpy(copy=True))
    has_keys = getattr(scaler, "by", None) is not None
    return (values, torch.from_numpy(group_codes(scaler, X[columns_of(scaler)]))) if has_keys else (values,)


def wanted(scaler, X):
    """Return what a scaler makes of the values of a frame, indicators among them."""
    out = scaler.set_output(transform="pandas").transform(X[columns_of(scaler)].copy())
    return out[[name for name in out.columns if name not in KEYS]].to_numpy(X[VALUES[0]].dtype)


def assert_like(tensor, array, tolerance=None):
    """Fail where a tensor is not an array, but for rounding relative to what is larger than 1."""
    assert tensor.numpy().dtype == array.dtype
    tolerance = tolerance or {np.float64: 1e-12, np.float32: 2e-7}[array.dtype.type]
    np.testing.assert_array_equal(np.isnan(tensor.numpy()), np.isnan(array))
    off = np.abs(tensor.numpy() - array) / np.maximum(1, np.abs(array))
    assert np.nanmax(off) <= tolerance


def same(first, second):
    """Say whether two tensors are equal to the bit, NaN like NaN."""
    return first.dtype == second.dtype and torch.equal(torch.nan_to_num(first, 77.0), torch.nan_to_num(second, 77.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("estimator", exportable(), ids=export_id)
def test_parity(estimator, dtype):
    scaler, X = fitted(estimator), table(dtype)
    assert_like(to_torch(scaler)(*arguments(scaler, X)), wanted(scaler, X))


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
    assert_like(to_torch(norm)(torch.from_numpy(X)), norm.transform(X))
    single = (X % 1e9).astype(np.float32)
    assert_like(to_torch(norm)(torch.from_numpy(single)), norm.transform(single))


def test_values_beyond_squares(rng):
    scaler = StandardScaler(clip=2.0, clip_mode="soft").fit(rng.normal(size=(20, 1)))
    X = np.array([[1e200], [-1e200], [0.0], [1e-200]])
    assert_like(to_torch(scaler)(torch.from_numpy(X)), scaler.transform(X))
    assert to_torch(scaler)(torch.tensor([[1e200]])).item() == 2


# What becomes of a module.


@each_kind
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # it works all the same
def test_torchscript(estimator):
    scaler, X = fitted(estimator), table()
    module, given = to_torch(scaler), arguments(scaler, X)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    buffer.seek(0)
    assert same(torch.jit.load(buffer)(*given), module(*given))
    traced = torch.jit.trace(module, tuple(tensor[:3] for tensor in given))
    assert same(traced(*given), module(*given))
    with pytest.raises(torch.jit.Error, match="columns"):
        torch.jit.script(module)(given[0][:, :1], *given[1:])


@each_kind
def test_export_with_any_number_of_rows(estimator):
    scaler, X = fitted(estimator), table()
    module, given = to_torch(scaler), arguments(scaler, X)
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, given, dynamic_shapes=tuple({0: batch} for _ in given))
    few = tuple(tensor[:7] for tensor in given)
    assert same(program.module()(*few), module(*few))
    assert same(program.module()(*given), module(*given))


@each_kind
def test_state_dict(estimator):
    scaler, X = fitted(estimator), table()
    module, given = to_torch(scaler), arguments(scaler, X)
    other = to_torch(scaler)
    for buffer in other.state_dict().values():
        buffer.zero_()
    if module.state_dict():
        assert not same(other(*given), module(*given))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert same(other(*given), module(*given))
    assert not list(module.parameters())


@each_kind
def test_all_that_it_holds_moves(estimator):
    scaler, X = fitted(estimator), table()
    given = arguments(scaler, X)
    module = to_torch(scaler).to("meta")  # a device that computes with nothing else
    assert module(*(tensor.to("meta") for tensor in given)).shape == to_torch(scaler)(*given).shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu():
    X = table()
    for scaler in map(fitted, KINDS):
        given = (tensor.cuda() for tensor in arguments(scaler, X))
        assert_like(to_torch(scaler).cuda()(*given).cpu(), wanted(scaler, X))


@each_kind
def test_in_single_precision(estimator):
    scaler, X = fitted(estimator), table(np.float32)
    X["far"] = np.float32(7)  # or nothing is left of its digits
    given = arguments(scaler, X)
    module = to_torch(scaler)
    single = module(*given)
    assert not any(buffer.dtype == torch.float64 for buffer in module.float().buffers())
    assert module(*given).dtype == torch.float32
    assert_like(module(*given)[:, :4], single[:, :4].numpy(), 2e-4)


def test_types_in_and_out():
    scaler = fitted(StandardScaler())
    module, X = to_torch(scaler), torch.full((2, 5), 3)
    exact = torch.from_numpy(scaler.transform(pd.DataFrame(X.double().numpy(), columns=VALUES)))
    assert same(module(X), exact)
    assert same(module(X.half()), exact.half())
    assert same(module(X.bfloat16()), exact.bfloat16())
    assert same(to_torch(fitted(KINDS[0]))(X), X.double())


@each_kind
def test_more_axes(estimator):
    scaler, X = fitted(estimator), table()
    module, given = to_torch(scaler), arguments(scaler, X)
    folded = module(*(tensor.reshape(4, 15, *tensor.shape[1:]) for tensor in given))
    assert same(folded.flatten(0, 1), module(*given))


def test_pickle():
    scaler = fitted(GROUPED[2])
    module, given = to_torch(scaler), arguments(scaler, table())
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    assert same(torch.load(file, weights_only=False)(*given), module(*given))


# Gradients.


@each_kind
def test_no_gradient_is_nan(estimator):
    scaler, X = fitted(estimator), table()
    X["amount"] = 0.0
    X.loc[:5, VALUES] = 7.0
    values, *codes = arguments(scaler, X)
    values.requires_grad_()
    out = to_torch(scaler)(values, *codes)
    torch.nan_to_num(out).clamp(-1e3, 1e3).sum().backward()
    assert not values.grad.isnan().any()


def test_gradients():
    scaler = MinMaxScaler((-2, 0.1), clip=True).fit([[0.0], [4.0]])
    x = torch.tensor([[1.0], [9.0], [float("nan")]], requires_grad=True)
    to_torch(scaler)(x).nansum().backward()
    np.testing.assert_allclose(x.grad.ravel(), [2.1 / 4, 0.0, 0.0], rtol=1e-6)
    soft = to_torch(StandardScaler(clip=2.0, clip_mode="soft").fit([[-1.0], [1.0]]))
    inputs = torch.tensor([[0.0], [1.5], [-2.0], [7.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(soft, inputs)
    rows = torch.tensor([[0.0, 1.5, 3.0], [2.0, 2.0, 2.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(to_torch(LayerNorm().fit(np.zeros((1, 3)))), rows)


# Outliers.


def test_infinities():
    X = np.array([[np.inf, -np.inf, 1.0], [-np.inf, np.inf, np.nan]])
    fit_on = np.arange(30.0).reshape(10, 3)
    clipper = OutlierClipper(indicator=True).fit(fit_on)
    assert_like(to_torch(clipper)(torch.from_numpy(X)), clipper.transform(X))
    dropping = OutlierClipper(tail="left", action="missing", indicator=True).fit(fit_on)
    assert_like(to_torch(dropping)(torch.from_numpy(X)), dropping.transform(X))
    half_open = to_torch(OutlierClipper(tail="left", indicator=True).fit(fit_on))(torch.from_numpy(X)).numpy()
    assert half_open[0, 0] == np.inf  # which transform refuses
    np.testing.assert_array_equal(half_open[:, 3:], [[1, -1, 0], [-1, 1, 0]])
    assert to_torch(dropping).float()(torch.from_numpy(X)).isnan()[:, :2].all()


# Keys.


def test_keys_that_are_not_known_or_missing():
    X = pd.DataFrame({"key": ["a", "a", "b", "b"], "x": [1.0, 3.0, 100.0, 300.0], "y": [5.0, np.nan, 1.0, 2.0]})
    new = pd.DataFrame({"key": ["b", "new", None], "x": [200.0, 0.0, 7.0], "y": [1.0, 2.0, np.nan]})
    for unseen in ("global", "nan", "passthrough"):
        scaler = GroupedScaler(by="key", unseen=unseen, missing_key="global").fit(X)
        codes = torch.tensor([1, 2, 3])
        out = to_torch(scaler)(torch.from_numpy(new[["x", "y"]].to_numpy(copy=True)), codes)
        assert_like(out, scaler.transform(new))
        assert torch.equal(codes, torch.from_numpy(group_codes(scaler, new)))


def test_codes_outside():
    module = to_torch(fitted(GROUPED[0]))
    n_rows = module.steps[0].scale.shape[0]
    x = torch.zeros(1, 5)
    module(x, torch.tensor([n_rows - 1]))
    for code in (n_rows, -1):
        with pytest.raises(IndexError, match="out of range"):
            module(x, torch.tensor([code]))
    with pytest.raises(ValueError, match="codes are of shape"):
        module(torch.zeros(3, 5), torch.tensor([0]))


def test_width():
    module = to_torch(fitted(StandardScaler()))
    for width in (1, 4, 6):
        with pytest.raises(ValueError, match=f"x has {width} columns, but 5 are scaled"):
            module(torch.zeros(3, width))


# Pipelines.


def test_pipeline():
    X = table(np.float32)
    pipeline = make_pipeline(
        OutlierClipper(indicator=True), "passthrough", make_pipeline(RobustScaler(), None), StandardScaler(clip=1.0)
    )
    pipeline.fit(learned_from()[VALUES].to_numpy())
    module = to_torch(pipeline)
    assert isinstance(module, torch.nn.Sequential)
    assert len(module) == 3
    assert_like(module(*arguments(pipeline, X)), pipeline.transform(X[VALUES].to_numpy()))
    assert same(to_torch(make_pipeline("passthrough"))(*arguments(pipeline, X)), *arguments(pipeline, X))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_pipeline_that_begins_with_keys():
    X = table()[["merchant", *VALUES]]
    pipeline = make_pipeline(GroupedScaler(by="merchant", unseen="nan"), MaxAbsScaler(), LayerNorm())
    pipeline.fit(learned_from()[X.columns])
    module, given = to_torch(pipeline), arguments(pipeline[0], X)
    assert_like(module(*given), pipeline.transform(X))
    assert same(torch.jit.script(module)(*given), module(*given))
    alone = to_torch(make_pipeline(pipeline[0]))
    assert_like(alone(*given), pipeline[0].transform(X))


def test_pipelines_that_have_no_module():
    X = learned_from()[["branch", *VALUES]]
    second = make_pipeline(MaxAbsScaler(), GroupedScaler(by=0)).fit(X)
    with pytest.raises(ValueError, match="only as the first step"):
        to_torch(second)
    kept = make_pipeline(GroupedScaler(by="branch", drop_keys=False), MaxAbsScaler()).fit(X)
    with pytest.raises(ValueError, match="set drop_keys=True"):
        to_torch(kept)
    foreign = make_pipeline(Foreign(), MaxAbsScaler()).fit(X)
    with pytest.raises(TypeError, match="StandardScaler is not an estimator of sknorm"):
        to_torch(foreign)


# What is refused.


def test_refused():
    with pytest.raises(NotFittedError):
        to_torch(StandardScaler())
    with pytest.raises(NotFittedError):
        to_torch(GroupedScaler(by="merchant"))
    with pytest.raises(NotFittedError):
        to_torch(make_pipeline(StandardScaler()))
    with pytest.raises(TypeError, match="not an estimator of sknorm"):
        to_torch(Foreign().fit([[1.0]]))
    with pytest.raises(ValueError, match='unseen="error"'):
        to_torch(fitted(GroupedScaler(by="merchant", unseen="error")))


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'to_torch needs PyTorch; install it with pip install "sknorm\[torch\]"'):
        to_torch(fitted(StandardScaler()))
