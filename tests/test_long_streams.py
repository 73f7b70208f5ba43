"""Streams of millions of rows: nothing grows, and no digit is lost on the way."""

import os
import sys
import tracemalloc
from fractions import Fraction
from math import fsum

import numpy as np
import pytest
from references import kept_rows

from sknorm import MeanScaler, MinMaxScaler, RobustScaler, StandardScaler

N_ROWS, SIZE = 10_000_000, 1_000
# Quarters of whole numbers, far from zero and near it: doubles hold them exactly, and so do integers their sums.
OFFSETS = np.array([1e9, -1e12, 0.0])
UNIT = 4
KB, MB = 1_000, 1_000_000


def wholes(seed, n_rows):
    """Yield batches of whole numbers, whose mean moves."""
    rng = np.random.default_rng(seed)
    for i in range(0, n_rows, SIZE):
        yield rng.integers(-2000, 2000, size=(SIZE, 3)) + i * 1000 // n_rows


def rows_of(batch):
    return OFFSETS + batch / UNIT


def resident():
    """Return the bytes that this process holds, 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def learn(scaler, n_rows, verb="partial_fit", seed=0):
    """Feed a stream, and fail where memory grows after its first tenth."""
    learn_one = getattr(scaler, verb)
    traced, held = 0, 0
    tracemalloc.start()
    try:
        for i, batch in enumerate(wholes(seed, n_rows)):
            learn_one(rows_of(batch))
            if i == n_rows // SIZE // 10:
                traced, held = tracemalloc.get_traced_memory()[0], resident()
        assert tracemalloc.get_traced_memory()[0] - traced < 50 * KB
        assert resident() - held < 16 * MB
    finally:
        tracemalloc.stop()
    return scaler


def assert_exact(scaler, total, squares, count):
    """Fail where the variance is off by 1e-12, or the mean by its last digit, from those of numbers with these sums."""
    for j in range(3):
        mean = Fraction(total[j]) / Fraction(count)
        variance = Fraction(squares[j]) / Fraction(count) - mean**2
        expected = Fraction(OFFSETS[j]) + mean / UNIT
        assert abs(Fraction(scaler.mean_[j]) - expected) <= Fraction(np.spacing(abs(float(expected)))) / 2 * (
            1 + 10**-3
        )
        assert abs(Fraction(scaler.var_[j]) * UNIT**2 - variance) <= variance / 10**12


def sums(batches):
    total, squares = [0] * 3, [0] * 3
    for batch in batches:
        total = [a + int(b) for a, b in zip(total, batch.sum(axis=0), strict=True)]
        squares = [a + int(b) for a, b in zip(squares, (batch * batch).sum(axis=0), strict=True)]
    return total, squares


def test_ten_million_rows():
    scaler = learn(StandardScaler(), N_ROWS)
    assert scaler.n_samples_seen_ == N_ROWS
    assert_exact(scaler, *sums(wholes(0, N_ROWS)), N_ROWS)


def test_a_million_rows_through_a_window():
    n_rows, window = N_ROWS // 10, 70_000
    scaler = learn(StandardScaler(window=window), n_rows)
    kept = np.concatenate(list(wholes(0, n_rows)))[kept_rows(window, n_rows)]
    assert scaler.n_samples_seen_ == len(kept)
    assert_exact(scaler, *sums([kept]), len(kept))


@pytest.mark.parametrize("half_life", [50_000.0, 1e6])
def test_a_million_rows_that_decay(half_life):
    n_rows = N_ROWS // 10
    scaler = learn(StandardScaler(half_life=half_life), n_rows)
    rows = np.concatenate(list(wholes(0, n_rows))).astype(float)
    weights = np.exp2(-np.arange(n_rows - 1, -1, -1) / half_life)
    count = fsum(weights)
    np.testing.assert_allclose(scaler.n_samples_seen_, count, rtol=1e-12)
    for j in range(3):
        centred = rows[:, j] - 1000.0
        mean = fsum(weights * centred) / count
        np.testing.assert_allclose(scaler.mean_[j], OFFSETS[j] + (mean + 1000.0) / UNIT, rtol=1e-12)
        variance = fsum(weights * (centred - mean) ** 2) / count
        np.testing.assert_allclose(scaler.var_[j], variance / UNIT**2, rtol=1e-12)


@pytest.mark.parametrize(
    "scaler",
    [StandardScaler(), StandardScaler(half_life=1e4), MeanScaler(window=5000), MinMaxScaler(window=100)],
    ids=["Standard", "half_life", "Mean-window", "MinMax-window"],
)
def test_scaling_a_stream_as_it_goes_grows_nothing(scaler):
    learn(scaler, N_ROWS // 20, "prequential_transform")


@pytest.mark.parametrize("scaler", [RobustScaler(), RobustScaler(window=5000)], ids=["Robust", "Robust-window"])
def test_a_sketch_grows_with_nothing(scaler):
    learn(scaler, N_ROWS // 50)
