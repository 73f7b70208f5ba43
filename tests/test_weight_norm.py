"""Weights as a direction and a magnitude, and back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sknorm import apply_weight_norm, weight_norm

EPS = np.finfo(np.float64).eps
AXES = [None, *range(-3, 3)]
each_axis = pytest.mark.parametrize("axis", AXES)


@pytest.fixture
def W(rng):
    return rng.normal(size=(4, 3, 5))


def slices(W, axis):
    """Return the slices that have a magnitude each, in order."""
    return [W] if axis is None else list(np.moveaxis(W, axis, 0))


@each_axis
def test_the_norm_of_each_slice(axis, W):
    direction, magnitude = weight_norm(W, axis)
    assert direction.shape == W.shape
    wanted = [1, 1, 1]
    if axis is not None:
        wanted[axis] = W.shape[axis]
    assert magnitude.shape == tuple(wanted)
    assert direction.dtype == magnitude.dtype == np.float64
    for part, norm, way in zip(slices(W, axis), magnitude.ravel(), slices(direction, axis), strict=True):
        assert norm == pytest.approx(math.sqrt(math.fsum((part**2).ravel())), rel=4 * EPS)
        np.testing.assert_allclose(way, part / norm, rtol=4 * EPS)


@each_axis
def test_round_trip(axis, W):
    direction, magnitude = weight_norm(W, axis)
    np.testing.assert_allclose(magnitude * direction, W, rtol=8 * EPS)
    np.testing.assert_allclose(apply_weight_norm(direction, magnitude, axis), W, rtol=8 * EPS)
    np.testing.assert_allclose(apply_weight_norm(direction * 7, magnitude.ravel(), axis), W, rtol=8 * EPS)


@given(
    W=hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), elements=st.floats(-1e307, 1e307)),
    axis=st.sampled_from([None, 0, -1]),
)
def test_round_trip_of_any_weights(W, axis):
    direction, magnitude = weight_norm(W, axis)
    np.testing.assert_allclose(
        apply_weight_norm(direction, magnitude, axis), W, rtol=1e-14, atol=1e-14 * np.abs(W).max()
    )
    assert (np.abs(direction) <= 1 + 4 * EPS).all()


@pytest.mark.parametrize("unit", [1e-320, 1e-200, 1e200, 1e307])
def test_squares_neither_overflow_nor_vanish(unit):
    direction, magnitude = weight_norm([[3 * unit, 4 * unit], [0.0, -unit]])
    np.testing.assert_allclose(direction, [[0.6, 0.8], [0.0, -1.0]], rtol=1e-3 if unit < 1e-300 else 1e-15)
    np.testing.assert_allclose(magnitude, [[5 * unit], [unit]], rtol=1e-3 if unit < 1e-300 else 1e-15)


def test_huge_and_tiny_directions():
    np.testing.assert_allclose(
        apply_weight_norm([[1.7e308, 1.7e308], [1e-320, 0.0]], [2**0.5, -3.0]), [[1, 1], [-3, 0]]
    )


@pytest.mark.parametrize(("kind", "largest"), [(np.float64, 1.7e308), (np.float32, 3e38)])
def test_a_magnitude_that_overflows_is_refused(kind, largest):
    with pytest.raises(ValueError, match=f"A magnitude of W overflows {np.dtype(kind)}; divide the weights"):
        weight_norm(np.full((2, 4), largest, kind))


def test_a_slice_of_zeros_has_no_direction():
    W = np.array([[0.0, 0.0], [3.0, 4.0]])
    direction, magnitude = weight_norm(W)
    np.testing.assert_array_equal(direction[0], 0.0)
    np.testing.assert_array_equal(magnitude.ravel(), [0.0, 5.0])
    np.testing.assert_array_equal(apply_weight_norm(direction, magnitude), W)
    with pytest.raises(ValueError, match="A direction is zero whose magnitude is not"):
        apply_weight_norm(W, [1.0, 1.0])
    np.testing.assert_array_equal(weight_norm(np.zeros((2, 3)), None)[1], [[0.0]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float64),
        (np.int8, np.float64),
        (bool, np.float64),
    ],
)
def test_dtypes(kind, expected, W):
    W = (W > 0).astype(kind)
    direction, magnitude = weight_norm(W)
    assert direction.dtype == magnitude.dtype == expected
    # The dtype of the direction decides.
    back = apply_weight_norm(direction, magnitude.astype(np.float64))
    assert back.dtype == expected
    np.testing.assert_allclose(back, W.astype(expected), rtol=4 * np.finfo(expected).eps)


def test_float32_is_computed_in_double(W):
    W = W.astype(np.float32)
    for got, exact in zip(weight_norm(W), weight_norm(W.astype(np.float64)), strict=True):
        np.testing.assert_array_equal(got, exact.astype(np.float32))


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda W: W[::-1, ::2, ::-1], lambda W: W.tolist()])
def test_layouts(layout, W):
    expected = weight_norm(np.array(layout(W)))
    before = W.copy()
    for got, wanted in zip(weight_norm(layout(W)), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=4 * EPS)
    np.testing.assert_array_equal(W, before)


@each_axis
def test_missing_values_make_their_slice_missing(axis, W):
    W[1, 2, 3] = np.nan
    W[1, 2, 4] = 1e300
    direction, magnitude = weight_norm(W, axis)
    for part, norm, way in zip(slices(W, axis), magnitude.ravel(), slices(direction, axis), strict=True):
        assert np.isnan(norm) == np.isnan(way).all() == np.isnan(part).any()
        assert np.isnan(norm) or not np.isnan(way).any()
    back = apply_weight_norm(direction, magnitude, axis)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(direction))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_no_weights(shape):
    direction, magnitude = weight_norm(np.zeros(shape))
    assert direction.shape == shape
    assert magnitude.shape == (shape[0], *[1] * (len(shape) - 1))
    assert not magnitude.any()
    assert apply_weight_norm(direction, magnitude).shape == shape


def test_one_number():
    direction, magnitude = weight_norm(-3.0, axis=None)
    assert (direction, magnitude) == (-1.0, 3.0)
    assert apply_weight_norm(direction, 6.0, axis=None) == -6.0
    np.testing.assert_array_equal(apply_weight_norm([[3.0, 4.0]], 10.0, axis=None), [[6.0, 8.0]])


# Bad input.


@pytest.mark.parametrize("axis", [3, -4, 10**9])
def test_an_axis_that_there_is_not(axis, W):
    message = rf"axis must be one of the 3 of weights of the shape \(4, 3, 5\), not {axis}\."
    with pytest.raises(ValueError, match=message):
        weight_norm(W, axis)
    with pytest.raises(ValueError, match=message):
        apply_weight_norm(W, np.ones(4), axis)
    with pytest.raises(ValueError, match=r"axis must be one of the 0 of weights of the shape \(\), not 0"):
        weight_norm(3.0)


@pytest.mark.parametrize("axis", [0.5, "0", (0, 1)])
def test_an_axis_that_is_no_integer(axis, W):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        weight_norm(W, axis)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinities_are_refused(value, W):
    good = weight_norm(W)
    W[1, 2, 3] = value
    with pytest.raises(ValueError, match="W contains infinity"):
        weight_norm(W)
    with pytest.raises(ValueError, match="direction contains infinity"):
        apply_weight_norm(W, good[1])
    with pytest.raises(ValueError, match="magnitude contains infinity"):
        apply_weight_norm(good[0], [1.0, value, 1.0, 1.0])


@pytest.mark.parametrize(
    "W", ["abc", [["1", "2"]], [[1j, 2.0]], [[None, 1.0]], {"a": 1.0}, np.zeros(2, "M8[s]")], ids=repr
)
def test_what_is_no_number_is_refused(W):
    with pytest.raises(ValueError, match="W must be an array of numbers, but is of"):
        weight_norm(W)
    with pytest.raises(ValueError, match="magnitude must be an array of numbers, but is of"):
        apply_weight_norm([[1.0]], W)


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), (1, 4, 1), (4, 3, 5), (1,), (), (0,)])
def test_magnitudes_of_another_shape_are_refused(shape, W):
    with pytest.raises(ValueError, match=r"magnitude must have the shape \(4, 1, 1\), or 4 numbers, for a direction"):
        apply_weight_norm(W, np.ones(shape))


@pytest.mark.parametrize("magnitude", [[1.0, 2.0], [[1.0], [2.0]]])
def test_one_magnitude_for_all_is_one(magnitude):
    with pytest.raises(ValueError, match=r"magnitude must have the shape \(1, 1\), or 1 numbers"):
        apply_weight_norm([[1.0, 2.0], [3.0, 4.0]], magnitude, axis=None)
