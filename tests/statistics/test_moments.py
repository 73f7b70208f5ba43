"""Moments and extremes: the shapes, blocks and chunks of their kernels, which the laws do not reach."""

import math

import numpy as np
import pytest

from sknorm.kernels import _moments
from sknorm.statistics import Extremes, Moments, MomentsAndExtremes, _table

WIDTHS = [*range(1, 71), 85, 127, 128, 129, 255, 256, 257, 258, 259, 260, 600]


def assert_is_numpys(statistic, X):
    """Compare with NumPy, whose sums are taken about the mean that math.fsum gives: the reference loses no digits."""
    present = ~np.isnan(X)
    np.testing.assert_array_equal(statistic.count, present.sum(axis=0, keepdims=True))
    if isinstance(statistic, Extremes):
        low, high = np.where(present, X, np.inf), np.where(present, X, -np.inf)
        np.testing.assert_array_equal(statistic.min, low.min(axis=0, keepdims=True, initial=np.inf))
        np.testing.assert_array_equal(statistic.max, high.max(axis=0, keepdims=True, initial=-np.inf))
    if isinstance(statistic, Moments):
        filled = np.where(present, X, 0.0).astype(np.float64)
        count = np.maximum(present.sum(axis=0), 1)
        mean = np.array([math.fsum(column) for column in filled.T]) / count
        deviations = np.where(present, filled - mean, 0.0)
        m2 = (deviations**2).sum(axis=0) - deviations.sum(axis=0) ** 2 / count
        np.testing.assert_allclose(statistic.mean[0], mean, rtol=1e-14, atol=1e-16 * np.abs(filled).max(initial=0))
        np.testing.assert_allclose(statistic.m2[0], m2, rtol=1e-11, atol=1e-300)


def table(rng, n, d, dtype=np.float64, missing=0.0):
    X = (rng.normal(size=(n, d)) * rng.uniform(0.1, 10, d) + rng.normal(size=d) * 5).astype(dtype)
    X[rng.random((n, d)) < missing] = np.nan
    return X


@pytest.mark.parametrize("statistic", [Moments, Extremes, MomentsAndExtremes], ids=lambda s: s.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_width(rng, statistic, dtype):
    for d in WIDTHS:
        n = int(rng.integers(1, 200))
        X = table(rng, n, d, dtype, missing=0.1 if d % 2 else 0.0)
        for layout in (X, np.asfortranarray(X), X.repeat(2, axis=1)[:, ::2]):
            assert_is_numpys(statistic.of(layout), X)


# A block is 32768 values, in whole folds, or 32 rows; a fold of 1 column is 64 rows.
@pytest.mark.parametrize("missing", [0.0, 0.02], ids=["whole", "NaN"])
@pytest.mark.parametrize(
    ("n", "d"),
    [(n, 1) for n in (1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 129, 32767, 32768, 32769, 65537, 100_001)]
    + [(n, 10) for n in (1, 7, 8, 9, 3275, 3276, 3277, 6553, 10_000)]
    + [(n, 300) for n in (1, 31, 32, 33, 109, 110, 219, 500)]
    + [(n, 2000) for n in (1, 31, 32, 33, 63, 64, 65)],
    ids=lambda value: str(value),
)
def test_rows_around_the_ends_of_blocks(rng, n, d, missing):
    X = table(rng, n, d, missing=missing)
    for layout in (X, np.asfortranarray(X), X[::-1]):
        assert_is_numpys(MomentsAndExtremes.of(layout), X)
        assert_is_numpys(Moments.of(layout), X)


@pytest.mark.parametrize("where", ["first block", "last row", "last fold", "one column"])
@pytest.mark.parametrize("d", [1, 3, 100])
def test_missing_values_in_some_blocks_only(rng, d, where):
    X = table(rng, 150_000 // d, d)
    rows = {"first block": slice(0, 50), "last row": slice(-1, None), "last fold": slice(-3, -1)}.get(where)
    X[rows if rows else slice(None), -1] = np.nan
    for layout in (X, np.asfortranarray(X)):
        assert_is_numpys(MomentsAndExtremes.of(layout), X)


@pytest.mark.parametrize("d", [1, 7, 64])
def test_chunks_merge_to_the_whole(rng, monkeypatch, d):
    X = table(rng, 5000, d, missing=0.05)
    monkeypatch.setattr(_table, "CHUNK", 1000)
    for statistic in (Moments, Extremes, MomentsAndExtremes):
        assert_is_numpys(statistic.of(X), X)
        assert_is_numpys(statistic.of(np.asfortranarray(X)), X)


def test_a_row_wider_than_a_chunk(rng, monkeypatch):
    monkeypatch.setattr(_table, "CHUNK", 10)
    X = table(rng, 5, 50)
    assert_is_numpys(MomentsAndExtremes.of(X), X)


def test_blocks_with_different_means_take_a_second_read(rng):
    X = np.concatenate([rng.normal(size=(40_000, 2)) + offset for offset in (0, 1e9, -1e9, 3)])
    assert_is_numpys(Moments.of(X), X)
    assert_is_numpys(Moments.of(np.asfortranarray(X)), X)


@pytest.mark.parametrize("n", [2, 100, 40_000])
@pytest.mark.parametrize("value", [0.1, 1e300, -5e-324, 1.7e9 + 0.1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_constant_has_its_value_as_mean_and_no_variance(n, value, order):
    X = np.full((n, 3), value, order=order)
    X[::3, 1] = np.nan
    for moments in (Moments.of(X), MomentsAndExtremes.of(X), Moments.of(X, np.full(n, 0.3))):
        assert (moments.mean == value).all()
        assert (moments.mean_low == 0).all()
        assert (moments.m2 == 0).all()


def test_the_low_part_of_the_mean_is_what_the_mean_lacks():
    X = np.array([[1.0], [math.nextafter(1.0, 2)]])
    moments = Moments.of(X)
    assert moments.mean[0, 0] + moments.mean_low[0, 0] == moments.mean[0, 0]
    # The mean of the two lies half way between two doubles.
    assert abs(moments.mean_low[0, 0]) == 2.0**-53
    assert moments.m2[0, 0] == 2 * (2.0**-53) ** 2


def test_variance_without_freedom_or_values():
    moments = Moments.of(np.array([[1.0, np.nan, 2.0], [3.0, np.nan, np.nan]]))
    np.testing.assert_array_equal(moments.variance(), [[1.0, np.nan, 0.0]])
    np.testing.assert_array_equal(moments.variance(ddof=1), [[2.0, np.nan, 0.0]])
    np.testing.assert_array_equal(moments.variance(ddof=2.5), [[0.0, np.nan, 0.0]])


def test_extremes_of_nothing():
    extremes = Extremes.of(np.full((3, 1), np.nan))
    assert extremes.min == np.inf
    assert extremes.max == -np.inf
    assert np.isnan(extremes.range())
    assert np.isnan(extremes.max_abs())


def test_range_and_max_abs():
    extremes = Extremes.of(np.array([[-3.0, 1.0, -0.0], [2.0, 5.0, 0.0]]))
    np.testing.assert_array_equal(extremes.range(), [[5.0, 4.0, 0.0]])
    np.testing.assert_array_equal(extremes.max_abs(), [[3.0, 5.0, 0.0]])
    assert Extremes.of(np.array([[-1.7e308], [1.7e308]])).range() == np.inf


def test_infinities_that_cancel_in_a_sum_are_found():
    for n in (4, 5, 64, 300):
        X = np.zeros((n, 3))
        X[0, 1], X[n - 1, 1] = np.inf, -np.inf
        X[1, 1] = np.nan
        for statistic in (Moments, Extremes, MomentsAndExtremes):
            with pytest.raises(ValueError, match="infinity"):
                statistic.of(X)


@pytest.mark.parametrize("n", [3, 100, 50_000])
def test_finite_values_whose_sum_overflows_are_no_infinity(n):
    X = np.full((n, 2), 1.5e308)
    X[::2, 0] = 1.4e308
    X[::2, 1] = -1.5e308
    moments = MomentsAndExtremes.of(X)
    low, high = (n + 1) // 2, n // 2
    np.testing.assert_allclose(moments.mean[0, 0] / 1e308, (1.4 * low + 1.5 * high) / n, rtol=1e-12)
    np.testing.assert_allclose(moments.mean[0, 1] / 1e308, 1.5 * (high - low) / n, rtol=1e-9, atol=1e-10)
    assert (moments.min[0] == [1.4e308, -1.5e308]).all()


def test_the_kernel_checks_what_it_is_given():
    X = np.zeros((4, 2))
    with pytest.raises(ValueError, match="hold the rows"):
        _moments.summarize(X, 0, 5, True, True)
    with pytest.raises(TypeError, match="float32 or float64"):
        _moments.summarize(X.astype(int), 0, 4, True, True)
    with pytest.raises(ValueError, match="contiguous float64"):
        _moments.scatter(X, np.ones(3), None, 1)
    with pytest.raises(ValueError, match="contiguous intp"):
        _moments.scatter(X, None, np.zeros(3, dtype=np.intp), 1)
    with pytest.raises(ValueError, match="one shape"):
        _moments.merge(_moments.zeros(1, 2), _moments.zeros(1, 3), 0)


def test_a_weight_far_smaller_than_another_is_not_lost():
    moments = Moments.of(np.array([[0.0], [1.0]]), np.array([1.0, 1e-12]))
    np.testing.assert_allclose(moments.mean, 1e-12, rtol=1e-6)
    np.testing.assert_allclose(moments.m2, 1e-12, rtol=1e-6)
    assert moments.count == 1.0 + 1e-12
