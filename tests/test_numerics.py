"""Numbers against exact rational arithmetic, NIST's certified values, NumPy and scikit-learn."""

import csv
import hashlib
import math
import os
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing

from sknorm import DecimalScaler, MaxAbsScaler, MeanScaler, MinMaxScaler, RobustScaler, StandardScaler
from sknorm.statistics import Moments

EPS = np.finfo(np.float64).eps


def exact_moments(column):
    """Return mean and variance of the doubles in a column, exactly: as integers over one power of two."""
    ratios = [value.as_integer_ratio() for value in np.ravel(column).tolist()]
    n, unit = len(ratios), max(denominator for _, denominator in ratios)
    values = [numerator * (unit // denominator) for numerator, denominator in ratios]
    total, squares = sum(values), sum(value * value for value in values)
    return Fraction(total, n * unit), Fraction(n * squares - total * total, (n * unit) ** 2)


def test_exact_moments_are():
    assert exact_moments(np.array([[0.5], [1.5], [4.0]])) == (Fraction(2), Fraction(13, 6))


def assert_exact(got, exact, relative=1e-13):
    assert abs(Fraction(float(got)) - exact) <= Fraction(relative) * abs(exact), (float(got), float(exact))


def streamed(scaler, X, size):
    for start in range(0, len(X), size):
        scaler.partial_fit(X[start : start + size])
    return scaler


# NIST's reference data.

NIST = ["Lew", "Lottery", "Mavro", "Michelso", "NumAcc1", "NumAcc2", "NumAcc3", "NumAcc4", "PiDigits"]


@pytest.fixture(scope="session")
def nist(data_folder):
    """Return {name: (column, certified mean, certified standard deviation)}."""
    folder = data_folder / "nist"
    tables = {}
    with (folder / "certified_values.csv").open() as file:
        for row in csv.DictReader(file):
            lines = (folder / f"{row['dataset']}.dat").read_text().split("Data: Y")[1].split("\n")[1:]
            column = np.array([float(line) for line in lines if line.strip(" -\r")])
            assert len(column) == int(row["n"])
            tables[row["dataset"]] = column[:, np.newaxis], Decimal(row["mean"]), Decimal(row["sd"])
    return tables


def in_one_batch(X):
    return StandardScaler().fit(X)


def in_50_batches(X):
    scaler = StandardScaler()
    for batch in np.array_split(X, min(50, len(X))):
        scaler.partial_fit(batch)
    return scaler


def merged_in_reverse(X):
    *rest, last = (StandardScaler().fit(batch) for batch in np.array_split(X, min(50, len(X))))
    for part in reversed(rest):
        last.merge(part)
    return last


@pytest.mark.parametrize("learn", [in_one_batch, in_50_batches, merged_in_reverse], ids=lambda learn: learn.__name__)
@pytest.mark.parametrize("name", NIST)
def test_nist_is_exact(nist, name, learn):
    X = nist[name][0]
    mean, variance = exact_moments(X)
    scaler = learn(X)
    assert_exact(scaler.mean_[0], mean)
    assert_exact(scaler.var_[0], variance)
    assert scaler.n_samples_seen_ == len(X)


def digits(got, certified):
    """Return the number of correct digits, at most 15, to a tenth."""
    error = abs(Decimal(float(got)) - certified) / abs(certified)
    return 15.0 if error == 0 else round(min(15.0, float(-error.log10())), 1)


@pytest.mark.parametrize("name", NIST)
def test_nist_certifies_as_many_digits_as_scikit_learns(nist, name):
    X, mean, sd = nist[name]
    ours, theirs = StandardScaler(ddof=1).fit(X), sklearn.preprocessing.StandardScaler().fit(X)
    assert digits(ours.mean_[0], mean) >= digits(theirs.mean_[0], mean)
    assert digits(ours.scale_[0], sd) >= digits(np.sqrt(theirs.var_[0] * (len(X) / (len(X) - 1))), sd)
    # What float64 can hold of the decimals in the files.
    assert digits(ours.mean_[0], mean) >= 14.9
    held = {"Mavro": 12.0, "Michelso": 13.1, "NumAcc3": 9.4, "NumAcc4": 8.2}
    assert digits(ours.scale_[0], sd) >= held.get(name, 14.9)


# Far from zero.


@pytest.mark.parametrize("size", [1, 7, 1000, 3001], ids=lambda size: f"by{size}")
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8, 1e12, 1e15, -1e12])
def test_a_stream_far_from_zero_loses_no_digits(rng, offset, size):
    X = rng.normal(size=(3001, 1)) + offset
    mean, variance = exact_moments(X)
    scaler = streamed(StandardScaler(), X, size)
    if offset:
        assert_exact(scaler.mean_[0], mean)
    assert abs(Fraction(scaler.mean_[0]) - mean) < 1e-15 * max(1, abs(offset))
    assert_exact(scaler.var_[0], variance)
    assert_exact(streamed(MeanScaler(), X, size).mean_[0], mean, 1e-13 if offset else 1e-10)


@pytest.mark.parametrize("offset", [1e8, 1e12, 1e15])
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_that_drift_lose_no_digits(rng, offset, order):
    # The mean of the rows before is no good pivot for these.
    X = rng.normal(size=(60_000, 1)) + np.linspace(-offset, offset, 60_000)[:, np.newaxis]
    X = np.asarray(np.hstack([X, np.abs(X)]), order=order)
    moments = Moments.of(X)
    for j in range(2):
        mean, variance = exact_moments(X[:, j])
        assert_exact(moments.variance()[0, j], variance)
        got = Fraction(moments.mean[0, j]) + Fraction(moments.mean_low[0, j])
        assert abs(got - mean) < 1e-15 * offset


def test_weights_and_groups_lose_no_digits(rng):
    X = rng.normal(size=(2000, 1)) + 1e12
    weights, codes = rng.integers(0, 5, len(X)), rng.integers(0, 3, len(X))
    moments = Moments.of(X, weights.astype(float), codes, 3)
    for group in range(3):
        own = codes == group
        _, variance = exact_moments(np.repeat(X[own, 0], weights[own]))
        assert_exact(moments.variance()[group, 0], variance)


@pytest.mark.parametrize("learn", [in_one_batch, in_50_batches], ids=lambda learn: learn.__name__)
@pytest.mark.parametrize("order", ["C", "F"])
def test_float32_epoch_seconds(rng, learn, order):
    X = np.asarray(1.7e9 + 1000 * rng.normal(size=(20_000, 3)), dtype=np.float32, order=order)
    doubles = X.astype(np.float64)
    expected = (doubles - doubles.mean(axis=0)) / doubles.std(axis=0)
    scaler = learn(X)
    image = scaler.transform(X)
    assert image.dtype == np.float32
    assert np.abs(image - expected).max() < 1e-6
    back = scaler.inverse_transform(image)
    assert np.abs(back - doubles).max() <= np.spacing(np.float32(1.7e9))


@pytest.mark.parametrize("scaler", [MinMaxScaler(), MeanScaler(), RobustScaler()], ids=lambda s: type(s).__name__)
def test_float32_epoch_seconds_of_the_others(rng, scaler):
    X = (1.7e9 + 1000 * rng.normal(size=(5000, 2))).astype(np.float32)
    image = scaler.fit(X).transform(X)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, scaler.fit(X.astype(np.float64)).transform(X.astype(np.float64)), atol=1e-6)


# Ranges.

FIXED = [(0, 1), (-2, 0.1), (5, 6), (-1, 1), (0.1, 0.3), (-1e-3, 1e5), (1e15, 1e15 + 1), (-0.3, -0.1), (1 / 3, 2 / 3)]


@pytest.fixture(scope="module")
def columns():
    """Return 2,000 columns of many sizes and distances from zero; every tenth is constant."""
    rng = np.random.default_rng(7)
    scale, offset = 10.0 ** rng.uniform(-12, 12, 2000), 10.0 ** rng.uniform(-12, 12, 2000)
    X = rng.normal(size=(60, 2000)) * scale + offset * rng.choice([-1, 0, 1], 2000)
    X[:, ::10] = X[0, ::10]
    return X


def random_ranges(n):
    rng = np.random.default_rng(11)
    for _ in range(n):
        low = rng.normal() * 10.0 ** rng.integers(-3, 4)
        yield low, low + 10.0 ** rng.uniform(-6, 6)


RANGES = [*FIXED, *random_ranges(25)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("feature_range", RANGES, ids=lambda pair: f"{pair[0]:.3g},{pair[1]:.3g}")
def test_training_rows_stay_inside_the_range_exactly(columns, feature_range, dtype):
    X = columns.astype(dtype)
    low, high = (dtype(bound) for bound in feature_range)
    for scaler in (MinMaxScaler(feature_range).fit(X), streamed(MinMaxScaler(feature_range), X, 17)):
        image = scaler.transform(X)
        assert image.dtype == dtype
        assert image.min() >= low
        assert image.max() <= high
        varies = X.min(axis=0) < X.max(axis=0)
        assert (image[:, ~varies] == low).all()
        assert (image.min(axis=0) == low).all()
        wide = varies & (np.ptp(X.astype(np.float64), axis=0) >= 10 * EPS)
        assert (high - image[:, wide].max(axis=0) <= 2 * np.spacing(np.maximum(abs(low), abs(high)))).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_rows_stay_inside_the_other_scalers_ranges(columns, dtype):
    X = columns.astype(dtype)
    image = MaxAbsScaler().fit_transform(X)
    assert (np.abs(image).max(axis=0) == 1).all()
    assert np.abs(DecimalScaler().fit_transform(X)).max() < 1 or dtype == np.float32
    assert np.abs(DecimalScaler().fit_transform(X)).max() <= 1
    image = MeanScaler().fit_transform(X)
    assert np.abs(image).max() <= 1
    varies = X.min(axis=0) < X.max(axis=0)
    assert (image[:, ~varies] == 0).all()


# Decimal scaling.


EXPONENTS = {999: 3, 1000: 4, -999.5: 3, 1.0: 1, 0.1: 0, 0.05: -1, 1e23: 24, 0: 0, 1.7e308: 308, 5e-324: -323}


@pytest.mark.parametrize(("value", "exponent"), EXPONENTS.items())
def test_decimal_exponents(value, exponent):
    scaler = DecimalScaler().fit([[float(value)], [0.0]])
    assert scaler.exponent_[0] == exponent
    assert scaler.scale_[0] == float(f"1e{exponent}")
    assert scaler.transform([[float(value)]])[0, 0] == float(value) / float(f"1e{exponent}")


def test_decimal_exponents_of_every_power_of_ten_and_its_neighbours():
    powers = [float(f"1e{j}") for j in range(-323, 309)]
    values = np.array([near for p in powers for near in (math.nextafter(p, 0), p, math.nextafter(p, math.inf))])
    exponents = DecimalScaler().fit(values[np.newaxis]).exponent_
    for value, j in zip(values.tolist(), exponents.tolist(), strict=True):
        assert j == 308 or value / float(f"1e{j}") < 1, value
        assert j == -323 or not value / float(f"1e{j - 1}") < 1, value
    of_powers = DecimalScaler().fit(np.array([powers])).exponent_
    assert of_powers.tolist() == [min(j + 1, 308) for j in range(-323, 309)]


# Constant columns.


@pytest.mark.parametrize("n_batches", [1, 7])
def test_a_large_mean_is_no_constant_however_many_rows(n_batches):
    n = 3_000_001
    X = np.full((n, 1), 1.7e10)
    X[::2] += 5
    X[1::2] -= 5
    scaler = StandardScaler()
    for batch in np.array_split(X, n_batches):
        scaler.partial_fit(batch)
    # Σ(x − mean)² = 25 n − 25/n
    np.testing.assert_allclose(scaler.scale_, 5 * np.sqrt(1 - 1 / n**2), rtol=1e-13)
    assert sklearn.preprocessing.StandardScaler().fit(X).scale_ == 1, "else this test shows nothing"


@pytest.mark.parametrize("value", [0.1, 1.7e9 + 0.1, -1e300, 5e-324, 1 / 3, 0.0])
@pytest.mark.parametrize("kind", [StandardScaler, MeanScaler, MinMaxScaler, RobustScaler])
def test_a_constant_in_many_batches_stays_constant(rng, kind, value):
    sizes = rng.integers(1, 40, 200)
    scaler = kind().fit(np.full((3, 1), value))
    for i, size in enumerate(sizes):
        batch = np.full((size, 1), value)
        if i % 3:
            scaler.partial_fit(batch)
        elif i % 2:
            scaler.merge(kind().fit(batch))
        else:
            scaler.partial_fit(batch, sample_weight=rng.random(size))
    assert scaler.scale_[0] == 1
    assert scaler.transform([[value]])[0, 0] == 0
    if isinstance(scaler, StandardScaler):
        assert scaler.var_[0] == 0
        assert scaler.mean_[0] == value
    assert scaler.transform([[value + 1]])[0, 0] == (value + 1) - value


@pytest.mark.parametrize("n", [2, 10, 1000])
def test_near_constants_are_judged_as_scikit_learn_judges_them(rng, n):
    mean = 10.0 ** rng.uniform(-5, 10, 200)
    jitter = mean * EPS * 2.0 ** rng.integers(0, 24, 200)
    X = mean + jitter * rng.choice([-1, 1], (n, 200))
    ours, theirs = StandardScaler().fit(X), sklearn.preprocessing.StandardScaler().fit(X)
    clear = np.zeros(200, dtype=bool)
    for j in range(200):
        _, variance = exact_moments(X[:, j])
        bound = n * EPS * float(variance) + (n * ours.mean_[j] * EPS) ** 2
        clear[j] = not bound / 16 < variance < 16 * bound
        if clear[j]:
            assert (ours.scale_[j] == 1) == (variance <= bound)
            assert (ours.scale_[j] == 1) == (theirs.scale_[j] == 1)
    # scikit-learn's variance is not exact next to a constant, so only what is clear was compared: some of both.
    assert set((ours.scale_[clear] == 1).tolist()) == {True, False}


@pytest.mark.parametrize(("n", "ddof"), [(1, 1), (1, 2.5), (3, 3), (3, 3.5)])
def test_no_degree_of_freedom_means_scale_1(n, ddof):
    X = np.arange(2.0 * n).reshape(n, 2) ** 2
    scaler = StandardScaler(ddof=ddof).fit(X)
    assert (scaler.var_ == 0).all()
    assert (scaler.scale_ == 1).all()
    np.testing.assert_allclose(scaler.transform(X), X - X.mean(axis=0), rtol=1e-14)


@pytest.mark.parametrize("ddof", [0, 1, 1.5, 2])
def test_ddof_is_numpys(rng, ddof):
    X = rng.normal(size=(11, 3))
    scaler = StandardScaler(ddof=ddof).fit(X)
    np.testing.assert_allclose(scaler.var_, X.var(axis=0, ddof=ddof), rtol=1e-14)
    np.testing.assert_allclose(scaler.scale_, X.std(axis=0, ddof=ddof), rtol=1e-14)


# Clipping.


def only_clipping(**parameters):
    return StandardScaler(with_mean=False, with_std=False, **parameters).fit([[1.0], [2.0]])


def test_a_soft_clip_is_its_formula(rng):
    z = np.concatenate([rng.normal(size=500), rng.normal(size=500) * 100, 10.0 ** rng.uniform(-30, 30, 500)])
    z = z[:, np.newaxis]
    for bound in (0.01, 1.0, 3.0, 1e5):
        scaler = only_clipping(clip=bound, clip_mode="soft")
        y = scaler.transform(z)
        np.testing.assert_allclose(y, z / np.sqrt(1 + (z / bound) ** 2), rtol=4 * EPS)
        assert (np.abs(y) <= bound).all()
        assert (np.diff(scaler.transform(np.sort(z, axis=0)), axis=0) >= 0).all()
        inside = np.abs(z) < 10 * bound
        np.testing.assert_allclose(scaler.inverse_transform(y)[inside], z[inside], rtol=1e-12)


def test_a_soft_clip_of_extremes_neither_overflows_nor_underflows():
    scaler = only_clipping(clip=3.0, clip_mode="soft")
    z = np.array([[1e200], [-1e200], [1.7e308], [1e-200], [-1e-200], [5e-324], [0.0], [-0.0], [np.nan]])
    y = scaler.transform(z)
    np.testing.assert_array_equal(y, [[3.0], [-3.0], [3.0], [1e-200], [-1e-200], [5e-324], [0.0], [-0.0], [np.nan]])
    assert np.signbit(y[7])
    np.testing.assert_array_equal(scaler.inverse_transform(y[3:]), z[3:])
    np.testing.assert_array_equal(scaler.inverse_transform([[3.0], [-3.0]]), [[np.inf], [-np.inf]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_hard_clip_cuts_and_keeps_nan(dtype):
    scaler = only_clipping(clip=(-1.0, 2.5))
    z = np.array([[-5], [-1], [-0.5], [np.nan], [2.5], [np.nextafter(dtype(2.5), dtype(3))], [1e30]], dtype=dtype)
    y = scaler.transform(z)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([[-1], [-1], [-0.5], [np.nan], [2.5], [2.5], [2.5]], dtype=dtype))
    np.testing.assert_array_equal(scaler.inverse_transform(y), y)


# Quantiles.

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "cauchy": lambda rng, n: rng.standard_cauchy(size=n),
    "few values": lambda rng, n: rng.integers(0, 5, n).astype(float),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.normal(size=n)),
    "sorted": lambda rng, n: np.sort(rng.exponential(size=n)),
    "NaN": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
    "constant": lambda rng, n: np.full(n, 0.1),
    "far": lambda rng, n: rng.normal(size=n) + 1e12,
}


def table_of_shapes(rng, n):
    return np.column_stack([make(rng, n) for make in SHAPES.values()])


def assert_is_numpys(scaler, X, quantile_range):
    low, high = np.nanquantile(X, [quantile_range[0] / 100, quantile_range[1] / 100], axis=0)
    np.testing.assert_array_equal(scaler.center_, np.nanmedian(X, axis=0))
    spread = high - low
    np.testing.assert_array_equal(scaler.scale_, np.where(spread < 10 * EPS, 1.0, spread))


@pytest.mark.parametrize("quantile_range", [(25.0, 75.0), (3.0, 99.9), (0.0, 100.0), (10.0, 100 / 3)], ids=str)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 101, 1000, 5000, 39_999, 40_000, 90_001])
def test_robust_fit_is_numpys_quantiles_to_the_bit(rng, n, quantile_range):
    X = table_of_shapes(rng, n)
    X[0] = np.where(np.isnan(X[0]), 0.25, X[0])
    scaler = RobustScaler(quantile_range=quantile_range).fit(X)
    assert_is_numpys(scaler, X, quantile_range)


@pytest.mark.parametrize("n", [500, 50_000])
@pytest.mark.parametrize("layout", ["F", "strided", "float32", "float32 F", "one column"])
def test_robust_fit_is_numpys_quantiles_in_any_layout(rng, n, layout):
    X = table_of_shapes(rng, n)
    X = {
        "F": np.asfortranarray,
        "strided": lambda X: X.repeat(2, axis=0)[::2, ::-1],
        "float32": lambda X: X.astype(np.float32),
        "float32 F": lambda X: np.asfortranarray(X.astype(np.float32)),
        "one column": lambda X: X[:, :1].copy(),
    }[layout](X)
    assert_is_numpys(RobustScaler().fit(X), X.astype(np.float64), (25.0, 75.0))


@pytest.mark.parametrize("quantile_range", [(25.0, 75.0), (10.0, 80.0)], ids=str)
@pytest.mark.parametrize("unit_variance", [False, True])
@pytest.mark.parametrize("n", [50, 45_000])
def test_robust_fit_is_scikit_learns(rng, n, quantile_range, unit_variance):
    X = table_of_shapes(rng, n)
    parameters = {"quantile_range": quantile_range, "unit_variance": unit_variance}
    ours = RobustScaler(**parameters).fit(X)
    theirs = sklearn.preprocessing.RobustScaler(**parameters).fit(X)
    np.testing.assert_allclose(ours.center_, theirs.center_, rtol=1e-15)
    np.testing.assert_allclose(ours.scale_, theirs.scale_, rtol=1e-15)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 9, 1000, 41_000])
def test_robust_mad_is_its_formula(rng, n):
    X = table_of_shapes(rng, n)
    X[0] = np.where(np.isnan(X[0]), 0.25, X[0])
    deviation = np.nanmedian(np.abs(X - np.nanmedian(X, axis=0)), axis=0)
    expected = np.where(deviation < 10 * EPS, 1.0, deviation)
    np.testing.assert_allclose(RobustScaler(scale="mad").fit(X).scale_, expected, rtol=1e-15)
    normal = RobustScaler(scale="mad", unit_variance=True).fit(X).scale_
    np.testing.assert_allclose(normal, expected / 0.67449, rtol=1e-15)


@pytest.mark.parametrize("size", [1, 10, 400])
def test_robust_stream_is_exact_while_its_rows_fit(rng, size):
    X = table_of_shapes(rng, 1200 if size > 1 else 300)
    X[0] = np.where(np.isnan(X[0]), 0.25, X[0])
    assert_is_numpys(streamed(RobustScaler(), X, size), X, (25.0, 75.0))
    scaler = streamed(RobustScaler(scale="mad"), X, size)
    deviation = np.nanmedian(np.abs(X - np.nanmedian(X, axis=0)), axis=0)
    np.testing.assert_allclose(scaler.scale_, np.where(deviation < 10 * EPS, 1.0, deviation), rtol=1e-15)


N_STREAM = 200_000
STREAMS = {
    "random": lambda rng: rng.normal(size=N_STREAM),
    "sorted": lambda rng: np.sort(rng.normal(size=N_STREAM)),
    "reversed": lambda rng: np.sort(rng.normal(size=N_STREAM))[::-1],
    "heavy": lambda rng: rng.standard_cauchy(size=N_STREAM) ** 3,
    "duplicates": lambda rng: np.round(rng.normal(size=N_STREAM) * 3),
    "two halves": lambda rng: np.concatenate([rng.normal(size=N_STREAM // 2), 100 + rng.normal(size=N_STREAM // 2)]),
}


@pytest.fixture(scope="module")
def streams():
    return np.column_stack([make(np.random.default_rng(3)) for make in STREAMS.values()])


def rank_error(sorted_values, value, q):
    """Return how far q lies from the ranks that the value has among the sorted values, as a share of them."""
    n = len(sorted_values)
    low, high = np.searchsorted(sorted_values, value, "left") / n, np.searchsorted(sorted_values, value, "right") / n
    return max(low - q, q - high, 0.0)


def worst_rank_error(scaler, X):
    statistic = scaler._learned.statistic
    errors = []
    for q in (0.25, 0.5, 0.75):
        values = statistic.quantile(q)[0]
        errors += [rank_error(np.sort(column), value, q) for column, value in zip(X.T, values, strict=True)]
    return max(errors)


def of_parts(X):
    scaler = RobustScaler().partial_fit(X[:1000])
    for start in range(1000, len(X), 9950):
        scaler.merge(RobustScaler().partial_fit(X[start : start + 9950]))
    return scaler


LEARN = {
    "by 1000": lambda X: streamed(RobustScaler(), X, 1000),
    "by 77777": lambda X: streamed(RobustScaler(), X, 77_777),
    "fit, then stream": lambda X: streamed(RobustScaler().fit(X[: N_STREAM // 2]), X[N_STREAM // 2 :], 5000),
    "fit a few, then stream": lambda X: streamed(RobustScaler().fit(X[:500]), X[500:], 5000),
    "fit, then merge": lambda X: RobustScaler().fit(X[: N_STREAM // 3]).merge(RobustScaler().fit(X[N_STREAM // 3 :])),
    "merged parts": of_parts,
}


@pytest.mark.parametrize("learn", LEARN)
def test_robust_stream_is_within_1_percent_of_rank(streams, learn):
    scaler = LEARN[learn](streams)
    assert worst_rank_error(scaler, streams) <= 0.01
    statistic = scaler._learned.statistic
    assert (statistic.count == N_STREAM).all()
    np.testing.assert_array_equal(scaler.center_, statistic.quantile(0.5)[0])
    np.testing.assert_array_equal(scaler.scale_, (statistic.quantile(0.75) - statistic.quantile(0.25))[0])
    np.testing.assert_array_equal(statistic.min[0], streams.min(axis=0))
    np.testing.assert_array_equal(statistic.max[0], streams.max(axis=0))


@pytest.mark.parametrize("learn", ["by 1000", "fit, then stream"])
def test_robust_mad_of_a_stream_is_within_2_percent(streams, learn):
    half = 0 if learn == "by 1000" else N_STREAM // 2
    scaler = RobustScaler(scale="mad")
    if half:
        scaler.fit(streams[:half])
    streamed(scaler, streams[half:], 5000)
    for name, column, centre, mad in zip(STREAMS, streams.T, scaler.center_, scaler.scale_, strict=True):
        assert rank_error(np.sort(np.abs(column - centre)), mad, 0.5) <= 0.02, name
        if name != "two halves":  # whose median may be anything between the halves
            assert rank_error(np.sort(np.abs(column - np.median(column))), mad, 0.5) <= 0.02, name


def test_robust_stream_gives_the_same_bits_in_every_run(tmp_path):
    script = (
        "import hashlib, pickle, numpy as np, sknorm\n"
        "X = np.random.default_rng(5).normal(size=(30_000, 3))\n"
        "scaler = sknorm.RobustScaler().fit(X[:5000])\n"
        "for part in np.array_split(X[5000:], 9): scaler.partial_fit(part)\n"
        "values = [scaler._learned.statistic.quantile(q) for q in np.linspace(0, 1, 101)]\n"
        "digest = hashlib.sha256(np.array(values).tobytes()).hexdigest()\n"
    )
    here = {}
    exec(script, here)
    again = {}
    exec(script, again)
    assert again["digest"] == here["digest"]
    assert pickle.dumps(again["scaler"]) == pickle.dumps(here["scaler"])
    (tmp_path / "run.py").write_text(script + "print(digest)\n")
    environment = os.environ | {
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    run = subprocess.run(
        [sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout.strip() == here["digest"]
    assert len(here["digest"]) == hashlib.sha256().digest_size * 2


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
def test_a_zero_iqr_beside_a_range(learn):
    X = np.array([[0.0], [5.0], [5.0], [5.0], [5.0], [5.0], [9.0]])
    unit, wide = (getattr(RobustScaler(zero_iqr=how), learn)(X) for how in ("unit", "range"))
    assert unit.scale_ == sklearn.preprocessing.RobustScaler().fit(X).scale_ == 1
    assert wide.scale_ == 9
    np.testing.assert_array_equal(wide.transform(X), (X - 5) / 9)
    both = np.hstack([X, np.arange(7.0)[:, np.newaxis], np.full((7, 1), 2.5)])
    np.testing.assert_array_equal(getattr(RobustScaler(zero_iqr="range"), learn)(both).scale_, [9, 3, 1])
    mad = getattr(RobustScaler(zero_iqr="range", scale="mad"), learn)(both)
    np.testing.assert_array_equal(mad.scale_, [9, 2, 1])


# Overflow.

OPPOSITE = [[1.0, -1.7e308, 0.0], [2.0, 1.7e308, 1.0]]
OVERFLOWING = {
    "Standard": (StandardScaler(), "variance"),
    "Standard with_std=False": (StandardScaler(with_std=False), "variance"),
    "MinMax": (MinMaxScaler(), "range"),
    "Mean": (MeanScaler(), "range"),
    "Robust": (RobustScaler(quantile_range=(0.0, 100.0)), "scale"),
    "Robust zero_iqr": (RobustScaler(quantile_range=(50.0, 50.0), zero_iqr="range"), "scale"),
}
each_overflow = pytest.mark.parametrize(("scaler", "what"), OVERFLOWING.values(), ids=OVERFLOWING)


@each_overflow
def test_overflow_names_the_column_and_changes_nothing(scaler, what):
    X = np.array(OPPOSITE)
    with pytest.raises(ValueError, match=f"{what} of column 1 overflows"):
        scaler.fit(X)
    assert not scaler.__sklearn_is_fitted__()
    assert not hasattr(scaler, "n_features_in_")
    frame = pd.DataFrame(X, columns=["a", "income", "c"])
    with pytest.raises(ValueError, match=f"{what} of column 'income' overflows"):
        scaler.fit(frame)
    assert not scaler.__sklearn_is_fitted__()
    assert not hasattr(scaler, "feature_names_in_")


@each_overflow
def test_overflow_of_a_stream_changes_nothing(scaler, what):
    X = np.array(OPPOSITE)
    scaler = type(scaler)(**scaler.get_params()).fit(X[:1])
    other = type(scaler)(**scaler.get_params()).fit(X[1:])
    before = pickle.dumps(vars(scaler)["_learned"])
    for learn in (lambda: scaler.partial_fit(X[1:]), lambda: scaler.merge(other), lambda: scaler.fit(X)):
        with pytest.raises(ValueError, match=f"{what} of column 1 overflows"):
            learn()
        assert pickle.dumps(vars(scaler)["_learned"]) == before
    scaler.partial_fit([[5.0, -1.7e308, 3.0]])
    assert np.isfinite(scaler.transform(X[:1])).all()


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
def test_quartiles_of_values_whose_difference_overflows(learn):
    scaler = getattr(RobustScaler(), learn)([[-1.7e308], [1.7e308]])
    assert scaler.center_ == 0
    np.testing.assert_allclose(scaler.scale_, 1.7e308, rtol=1e-15)


@pytest.mark.parametrize("n", [2, 4, 100, 40_000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_overflow_is_found_in_tables_of_any_size(n, order):
    X = np.ones((n, 3), order=order)
    X[:, 0] = np.arange(n)
    X[n // 2 :, 2] = 1e200
    with pytest.raises(ValueError, match="variance of column 2 overflows"):
        StandardScaler().fit(X)
    with pytest.raises(ValueError, match="variance of column 2 overflows"):
        StandardScaler().fit(X, sample_weight=np.ones(n))
    X[n // 2 :, 2], X[: n // 2, 2] = 1e308, -1e308
    for scaler in (MinMaxScaler(), MeanScaler()):
        with pytest.raises(ValueError, match="range of column 2 overflows"):
            scaler.fit(X)


@pytest.mark.parametrize("scaler", [MaxAbsScaler(), DecimalScaler()], ids=lambda scaler: type(scaler).__name__)
def test_what_needs_no_range_takes_all_finite_values(scaler):
    X = np.array(OPPOSITE)
    image = scaler.fit(X).transform(X)
    np.testing.assert_array_equal(image[:, 1], X[:, 1] / scaler.scale_[1])
    assert np.isfinite(image).all()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_mean_of_values_whose_sum_overflows(rng, size):
    X = (1.5 + 0.2 * rng.random((1000, 2))) * 1e308
    scaler = streamed(MeanScaler(), X, size)
    for j in range(2):
        assert_exact(scaler.mean_[j], exact_moments(X[:, j])[0])
    assert np.isfinite(scaler.transform(X)).all()


def test_the_largest_variance_that_fits_is_learned():
    X = np.array([[1e153], [-1e153], [1e153], [-1e153]])
    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose(scaler.scale_, 1e153, rtol=1e-15)
    np.testing.assert_allclose(scaler.transform(X), X / 1e153, rtol=1e-15)


# Weights and counts at the edge of float64.


def test_variance_overflows_where_the_sum_of_squares_does_not():
    scaler = StandardScaler()
    with pytest.raises(ValueError, match="variance of column 0 overflows"):
        scaler.fit([[1e200], [-1e200]], sample_weight=[1e-300, 1e-300])
    with pytest.raises(ValueError, match="variance of column 0 overflows"):
        scaler.prequential_transform([[1e200], [-1e200], [1.0]], sample_weight=[1e-300, 1e-300, 1.0])
    assert not hasattr(scaler, "mean_")


def test_weights_that_overflow_over_batches_change_nothing():
    scaler = StandardScaler().fit([[1.0], [2.0]], sample_weight=[1e308, 1])
    for learn in (scaler.partial_fit, scaler.prequential_transform):
        with pytest.raises(ValueError, match="sum of all sample_weight so far overflows"):
            learn([[1.0], [2.0]], sample_weight=[1e308, 1])
    assert scaler.mean_[0] == 1.0
    assert scaler.n_samples_seen_ == 1e308


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
def test_weights_that_overflow_before_they_decay_are_refused(verb):
    """A half-life keeps the sum in units of the first value's weight, which is more than float64 holds here."""
    X, weights = [[1.0], [2.0]], [8e307, 8e307]
    scaler = StandardScaler(half_life=2)
    with pytest.raises(ValueError, match="sum of all sample_weight so far overflows"):
        getattr(scaler, verb)(X, sample_weight=weights)
    assert vars(scaler) == scaler.get_params()
    getattr(StandardScaler(), verb)(X, sample_weight=weights)  # whose sum is 1.6e308


def test_counts_beyond_64_bits_are_floats():
    scaler = StandardScaler().fit([[1.0], [2.0]], sample_weight=[1e300, 1])
    assert scaler.n_samples_seen_ == 1e300


def test_sums_of_squares_that_overflow_are_infinite():
    X = [[1e200], [3e200], [-5e200]] * 40
    assert np.isposinf(Moments.of(np.array(X)).m2).all()


@pytest.mark.parametrize("n_values", [1, 3, 1200, 1201, 5000])
def test_a_column_with_few_values_among_many_rows_keeps_them(n_values, rng):
    """The sample from which a fit of many rows goes on might have none of them."""
    X = np.full((50_000, 2), np.nan)
    X[:, 1] = np.arange(50_000)
    rows = rng.choice(50_000, n_values, replace=False)
    X[rows, 0] = rng.normal(size=n_values)
    statistic = RobustScaler().fit(X)._learned.statistic
    held = statistic.weights[: statistic.offsets[1]].sum()
    if n_values <= 1200:
        assert held == n_values
        np.testing.assert_array_equal(statistic.quantile(0.37)[0, 0], np.quantile(X[rows, 0], 0.37))
    else:
        assert abs(held - n_values) < 0.5 * n_values
