"""What normalizes each row by itself: blocks, constants and missing values, to 1e-12 and the same in any company."""

import joblib
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from references import normalized_block
from registry import name_of, row_norms
from sklearn.base import clone

import sknorm.kernels.threads
import sknorm.maps
from sknorm import GroupNorm, InstanceNorm, LayerNorm
from sknorm.kernels import _rownorm
from sknorm.maps import RowNorm

each_row_norm = pytest.mark.parametrize("layer", row_norms(even=True), ids=name_of, indirect=True)
# Below, at and above the number of lanes in which kernels add up, and what is left over.
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 63, 64, 65, 100, 127, 129, 300, 1000]


@pytest.fixture
def layer(request):
    return clone(request.param)


@pytest.fixture
def X(rng):
    X = rng.normal(size=(50, 12)) * 10.0 ** rng.integers(-3, 4, size=(50, 1)) + rng.normal(size=(50, 1))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[7] = 3.3
    X[8] = np.nan
    return X


def expected_of(X, ends, eps, gain=None, shift=None):
    """Return a table whose rows are normalized exactly and rounded once, then have a gain and a shift."""
    out = np.full(X.shape, np.nan)
    for row, to in zip(X.astype(np.float64), out, strict=True):
        for start, stop in zip([0, *ends], ends, strict=False):
            to[start:stop] = normalized_block(row[start:stop], eps)
    out = out if gain is None else out * gain
    return out if shift is None else out + shift


def assert_close(actual, expected, tolerance=1e-12):
    """Fail where something is off by more than this times max(1, |y|), or missing where it should not be."""
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    error = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
    assert np.nanmax(error, initial=0.0) <= tolerance


# To the last digits.


@pytest.mark.parametrize("eps", [0, 1e-5, 2.0])
@pytest.mark.parametrize("offset", [0.0, 1e12, -1e6])
def test_every_width(rng, offset, eps):
    for width in WIDTHS:
        X = rng.normal(size=(4, width)) + np.arange(width) % 7 * 2 + offset  # no row is nearly a constant
        X[3, :: max(2, width // 3)] = np.nan
        assert_close(LayerNorm(eps).transform(X), expected_of(X, [width], eps))


@given(data=st.data())
def test_any_blocks_of_any_values(data):
    widths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    eps = data.draw(st.sampled_from([0, 1e-5, 1e-3, 7.0]))
    values = st.one_of(
        st.floats(-1e300, 1e300, allow_subnormal=False),
        st.floats(-1e3, 1e3, allow_subnormal=False),
        st.integers(-9, 9).map(lambda i: 1e12 + i / 4),
        st.just(np.nan),
    )
    X = data.draw(hnp.arrays(np.float64, (2, sum(widths)), elements=values, fill=st.just(1.0)))
    ends = np.cumsum(widths)
    if eps == 0:  # what differs in its last digits only, or has squares that vanish, may be a constant
        for block in np.split(X, ends[:-1], axis=1):
            largest = np.nanmax(np.abs(block), axis=1, initial=0.0)
            deviation = np.nanmax(block, axis=1, initial=-np.inf) - np.nanmin(block, axis=1, initial=np.inf)
            assume(((deviation <= 0) | (deviation > np.maximum(1e-10 * largest, 1e-140))).all())
    assert_close(GroupNorm(widths, eps).transform(X), expected_of(X, ends, eps))


@pytest.mark.parametrize("scale", [1e-100, 1e100, 1e153, 1e155, 1e200, 1e300, 1.7e308])
def test_squares_neither_overflow_nor_vanish(rng, scale):
    X = rng.uniform(-1, 1, size=(20, 33)) * scale
    assert_close(LayerNorm(0).transform(X), expected_of(X, [33], 0))
    mixed = np.where(rng.random(X.shape) < 0.5, X, rng.normal(size=X.shape))
    assert_close(LayerNorm().transform(mixed), expected_of(mixed, [33], 1e-5))


def test_float32_is_computed_in_double(rng):
    X = (rng.normal(size=(40, 37)) + 1e4).astype(np.float32)
    X[3, 5] = np.nan
    X[4] *= 1e30
    out = LayerNorm().transform(X)
    assert out.dtype == np.float32
    assert_close(out.astype(np.float64), LayerNorm().transform(X.astype(np.float64)), 2e-7)


def test_gain_and_shift_are_of_columns(rng, X):
    gamma, beta = rng.normal(size=12), rng.normal(size=12)
    plain = LayerNorm().transform(X)
    np.testing.assert_array_equal(LayerNorm(gamma=gamma, beta=beta).transform(X), plain * gamma + beta)
    np.testing.assert_array_equal(LayerNorm(gamma=gamma).transform(X), plain * gamma)
    np.testing.assert_array_equal(LayerNorm(beta=beta).transform(X), plain + beta)


# The same in any company.


@each_row_norm
def test_a_row_does_not_depend_on_the_others(layer, rng, X):
    layer.set_params(copy=True)
    for dtype in (np.float64, np.float32):
        table = X.astype(dtype)
        whole = layer.transform(table)
        for rows in (rng.permutation(50), np.arange(50)[::-1], np.array([7]), np.array([8, 8, 3]), np.arange(1, 50, 3)):
            assert layer.transform(table[rows]).tobytes() == whole[rows].tobytes()
        fitted = clone(layer).fit(table[:1] * 100)
        assert fitted.transform(table).tobytes() == whole.tobytes()


@each_row_norm
def test_a_block_does_not_depend_on_the_others(layer, X):
    layer.set_params(copy=True)
    ends = layer.fit(X)._fitted_map().ends
    changed = X.copy()
    changed[:, ends[0] :] = X[::-1, ends[0] :] * 3 + 5
    assert layer.transform(changed)[:, : ends[0]].tobytes() == layer.transform(X)[:, : ends[0]].tobytes()


@pytest.mark.parametrize("widths", [[3, 9], [1, 1, 10], [5, 4, 3], [12], [1] * 12])
def test_blocks_are_norms_of_their_columns(widths, X):
    ends = np.cumsum(widths)
    together = GroupNorm(widths, gamma=0.5).transform(X)
    for start, stop in zip([0, *ends], ends, strict=False):
        alone = LayerNorm(gamma=0.5).transform(X[:, start:stop])
        np.testing.assert_array_equal(together[:, start:stop], alone)


def test_equal_blocks_and_channels_are_blocks_of_those_widths(X):
    for n, widths in ((1, [12]), (3, [4, 4, 4]), (12, [1] * 12)):
        expected = GroupNorm(widths).transform(X)
        assert GroupNorm(n).transform(X).tobytes() == InstanceNorm(n).transform(X).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@each_row_norm
def test_in_place_is_out_of_place(layer, dtype, X):
    table = X.astype(dtype)
    expected = clone(layer).set_params(copy=True).transform(table)
    for order in "CF":
        target = np.array(table, order=order)
        assert layer.set_params(copy=False).transform(target) is target
        np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_number_of_threads_gives_the_same_bits(dtype, order, rng, monkeypatch):
    n = 33_000_000 // (101 * np.dtype(dtype).itemsize)
    X = np.array(rng.standard_normal((n, 101), dtype=np.float32), dtype, order=order)
    X[::7, 3], X[n // 2] = np.nan, 4.0
    assert X.nbytes >= sknorm.kernels.threads.LARGE
    layer = GroupNorm([1, 37, 63], gamma=np.linspace(-1, 1, 101))
    with joblib.parallel_config("threading", n_jobs=1):
        assert sknorm.kernels.threads.effective_n_threads() == 1
        alone = layer.transform(X)
    for n_threads in (2, 3):
        monkeypatch.setattr(sknorm.maps, "effective_n_threads", lambda n=n_threads: n)
        monkeypatch.setattr(sknorm.kernels.threads, "effective_n_threads", lambda n=n_threads: n)
        assert layer.transform(X).tobytes() == alone.tobytes()
    assert alone[: n // 3].tobytes() == layer.transform(X[: n // 3]).tobytes() or order == "F"
    assert layer.set_params(copy=False).transform(X) is X
    assert X.tobytes() == alone.tobytes()


@pytest.mark.parametrize("where", ["first", "last"])
def test_an_infinity_anywhere_leaves_a_large_table_as_it_was(where, rng, monkeypatch):
    monkeypatch.setattr(sknorm.maps, "effective_n_threads", lambda: 2)
    monkeypatch.setattr(sknorm.kernels.threads, "effective_n_threads", lambda: 2)
    X = rng.standard_normal((90_000, 100), dtype=np.float32)
    X[(0, 0) if where == "first" else (-1, -1)] = -np.inf
    before = X.tobytes()
    for copy in (False, True):
        with pytest.raises(ValueError, match=r"Input X contains infinity|contains infinity"):
            LayerNorm(copy=copy).transform(X)
        assert X.tobytes() == before


# Constants.


@pytest.mark.parametrize("eps", [0, 5e-324, 1e-300, 1e-5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_constant_row_becomes_beta(dtype, eps):
    values = [0.0, 0.1, -1 / 3, 1e12 + 0.1, 1e-30, 1e17 / 3, 3.1e38]
    if dtype == np.float64:
        values += [1e300 / 7, -1.7e308, 5e-324, 1e-200 / 3]
    for width in WIDTHS:
        X = np.repeat(np.array(values, dtype)[:, np.newaxis], width, axis=1)
        np.testing.assert_array_equal(LayerNorm(eps).transform(X), np.zeros(X.shape))
        out = LayerNorm(eps, gamma=3.0, beta=-0.75).transform(np.hstack([X, np.full((len(X), 1), np.nan, dtype)]))
        np.testing.assert_array_equal(out[:, :-1], np.full(X.shape, -0.75))
        assert np.isnan(out[:, -1]).all()


def test_a_block_of_one_column_is_constant(X):
    out = GroupNorm(12, eps=0, beta=np.arange(12.0)).transform(X)
    np.testing.assert_array_equal(out, np.where(np.isnan(X), np.nan, np.arange(12.0)))


# Missing values.


@each_row_norm
def test_nan_is_left_out_and_stays(layer, X):
    """A row is normalized as if its missing columns were not there."""
    layer.set_params(copy=True)
    map_ = layer.fit(X)._fitted_map()
    out = layer.transform(X)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(X))
    for row, got in zip(X, out, strict=True):
        for start, stop in zip([0, *map_.ends], map_.ends, strict=False):
            there = np.flatnonzero(~np.isnan(row[start:stop])) + start
            if len(there):
                gain, shift = ((None if of is None else of[0, there]) for of in (map_.gain, map_.shift))
                alone = LayerNorm(layer.eps, gamma=gain, beta=shift).transform(row[np.newaxis, there])
                np.testing.assert_allclose(got[there], alone[0], rtol=1e-12, atol=1e-12)


# Stacks of pictures and signals.


def test_instance_norm_takes_channels_one_after_the_other(rng):
    signals = rng.normal(size=(5, 3, 20)) * [[1.0], [10.0], [100.0]]
    centred = signals - signals.mean(axis=2, keepdims=True)
    expected = centred / np.sqrt(signals.var(axis=2, keepdims=True) + 1e-5)
    out = InstanceNorm(3, gamma=[1.0, 2.0, 3.0], beta=[0.0, 1.0, 0.0]).transform(signals.reshape(5, 60))
    wanted = expected * [[1.0], [2.0], [3.0]] + [[0.0], [1.0], [0.0]]
    np.testing.assert_allclose(out.reshape(5, 3, 20), wanted, rtol=1e-13, atol=1e-13)


# The map and its program.


@pytest.mark.parametrize("ends", [[], [0], [0, 3], [2, 2], [3, 1], [-1, 4], [[1, 2]]])
def test_a_program_refuses_ends_that_do_not_increase(ends):
    with pytest.raises(ValueError, match="ends must increase"):
        _rownorm.Program(np.array(ends, dtype=np.intp), 0.0)


@pytest.mark.parametrize("eps", [-1.0, np.nan])
def test_a_program_refuses_what_is_no_eps(eps):
    with pytest.raises(ValueError, match="eps must be 0 or more"):
        _rownorm.Program(np.array([3]), eps)


def test_a_program_reads_and_writes_nothing_but_its_rows(rng):
    program = _rownorm.Program(np.array([3]), 0.0)
    X, out = rng.normal(size=(6, 3)), np.full((6, 3), 7.0)
    assert program(X, out, 2, 4)
    assert (out[[0, 1, 4, 5]] == 7.0).all()
    np.testing.assert_array_equal(out[2:4], LayerNorm(0).transform(X[2:4]))
    for wrong in ((X[:, :2], out[:, :2], 0, 6), (X, out[:5], 0, 5), (X, out, 0, 7), (X, out, 4, 2), (X, out, -1, 2)):
        with pytest.raises(ValueError, match="X and out must have the program's width"):
            program(*wrong)
    with pytest.raises(ValueError, match="without codes"):
        program(X, out, 0, 6, np.zeros(6, np.intp))
    with pytest.raises(TypeError, match="must both be float32 or float64"):
        program(X, out.astype(np.float32), 0, 6)
    with pytest.raises(TypeError, match="must both be float32 or float64"):
        program(X.astype(np.int64), out.astype(np.int64), 0, 6)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        program(X, out, 0, 6)


def test_a_map_keeps_its_parameters_to_itself(rng):
    gain = np.array([[1.0, 2.0, 3.0]])
    map_ = RowNorm(np.array([1, 3]), 0.0, gain)
    X = rng.normal(size=(4, 3))
    expected = map_(X)
    gain[:] = 9.0
    np.testing.assert_array_equal(map_(X), expected)
