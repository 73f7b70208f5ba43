"""Quantiles: exact selection against NumPy to the last bit, and the laws and errors of the sketch."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from scipy import sparse

from sknorm.kernels import threads
from sknorm.statistics import _selection
from sknorm.statistics.quantiles import Quantiles

QUARTILES = (0.25, 0.5, 0.75)
ARRAYS = ("items", "weights", "offsets", "is_exact", "state", "count", "min", "max", "table", "deviation")


def reference(X, probabilities=QUARTILES):
    X = np.asarray(X, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy warns of columns without a value
        return np.array([median(X) if q == 0.5 else np.nanpercentile(X, 100 * q, axis=0) for q in probabilities])


def median(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(X, axis=0)


def mad(X):
    return median(np.abs(X - median(X)))


def assert_same(a, b):
    for name in ARRAYS:
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None), name
        if x is not None:
            np.testing.assert_array_equal(x, y, err_msg=name)


def draw(kind, n, rng):
    return {
        "normal": lambda: rng.normal(size=n),
        "heavy": lambda: rng.pareto(0.5, n) * rng.choice([-1, 1], n),
        "duplicates": lambda: rng.integers(0, 7, n).astype(float),
        "zeros": lambda: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)),
        "tied": lambda: np.round(rng.normal(size=n), 2),
        "constant": lambda: np.full(n, 0.1),
        "sorted": lambda: np.sort(rng.normal(size=n)),
        "reversed": lambda: np.sort(rng.normal(size=n))[::-1],
        "binary": lambda: (rng.random(n) < 0.5).astype(float),
        "epoch": lambda: 1.7e9 + np.round(rng.uniform(-1000, 1000, n)),
        "tiny": lambda: rng.normal(size=n) * 5e-324 * 1e3,
        "missing": lambda: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "rare": lambda: np.where(np.arange(n) % (n // 3 + 1) == 1, rng.normal(size=n), np.nan),
    }[kind]()


KINDS = (
    "normal", "heavy", "duplicates", "zeros", "tied", "constant", "sorted", "reversed", "binary", "epoch", "tiny",
    "missing", "rare",
)  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 3, 10, 31, 33, 1_600, 39_999, 40_000, 100_003])
def test_exact_equals_numpy(n):
    rng = np.random.default_rng(n)
    X = np.column_stack([draw(kind, n, rng) for kind in KINDS])
    for variant in (X, np.asfortranarray(X), X[::-1], np.repeat(X, 2, axis=1)[:, ::2]):
        before = variant.copy()
        got = Quantiles.exact(variant, probabilities=(0.0, 0.1, *QUARTILES, 1.0), mad=True)
        np.testing.assert_array_equal(got.table[:, 0], reference(variant, got.probabilities))
        np.testing.assert_array_equal(variant, before)
        np.testing.assert_array_equal(got.mad()[0], mad(variant))
        np.testing.assert_array_equal(got.count[0], np.sum(~np.isnan(variant), axis=0))
        has_value = got.count[0] > 0
        np.testing.assert_array_equal(got.min[0, has_value], np.nanmin(variant[:, has_value], axis=0))
        np.testing.assert_array_equal(got.max[0, has_value], np.nanmax(variant[:, has_value], axis=0))
    single = X.astype(np.float32)
    np.testing.assert_array_equal(Quantiles.exact(single).table[:, 0], reference(single))


@pytest.mark.parametrize("deviations", [0.0, 0.05])
def test_missed_brackets_fall_back(monkeypatch, deviations):
    monkeypatch.setattr(_selection, "DEVIATIONS", deviations)
    rng = np.random.default_rng(0)
    X = np.column_stack([draw(kind, 50_001, rng) for kind in KINDS])
    got = Quantiles.exact(X, mad=True)
    np.testing.assert_array_equal(got.table[:, 0], reference(X))
    np.testing.assert_array_equal(got.mad()[0], mad(X))


def test_overflowing_deviations():
    X = np.where(np.arange(50_000) % 2, 1.7e308, -1.7e308)[:, None]
    assert Quantiles.exact(X, probabilities=(0.25,), mad=True).table[0, 0, 0] == -1.7e308


def test_many_columns_and_none():
    X = np.random.default_rng(0).normal(size=(40_001, 70))
    got = Quantiles.exact(X)
    np.testing.assert_array_equal(got.table[:, 0], reference(X))
    np.testing.assert_array_equal(got.min[0], X.min(axis=0))
    assert got.offsets[-1] == len(got.items)
    for make in (Quantiles.of, Quantiles.exact):
        assert make(X[:, :0]).quantile(0.5).shape == (1, 0)
        assert make(np.empty((5, 0))).merge(make(np.empty((5, 0)))).count.shape == (1, 0)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(threads, "LARGE", 0)
    X = np.random.default_rng(0).normal(size=(100_000, 3))
    results = []
    for n_threads in (1, 2, 5):
        monkeypatch.setattr(threads, "effective_n_threads", lambda n=n_threads: n)
        np.random.seed(n_threads)
        fitted = Quantiles.exact(X, mad=True)
        results.append((fitted, fitted.merge(Quantiles.of(X[:5000]))))
    for fitted, merged in results[1:]:
        assert_same(fitted, results[0][0])
        assert_same(merged, results[0][1])


def test_weights_are_repeats():
    rng = np.random.default_rng(1)
    X = np.where(rng.random((150, 4)) < 0.1, np.nan, np.round(rng.normal(size=(150, 4)), 1))
    weight = rng.integers(0, 5, 150).astype(float)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    assert_same(Quantiles.of(X, weight), Quantiles.of(repeated))
    for q in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        np.testing.assert_array_equal(Quantiles.of(X, weight).quantile(q)[0], reference(repeated, (q,))[0])
    assert_same(Quantiles.exact(X, weight, mad=True), Quantiles.exact(repeated, mad=True))
    np.testing.assert_array_equal(Quantiles.of(X, weight).mad()[0], mad(repeated))


def test_groups_are_a_loop():
    rng = np.random.default_rng(2)
    X = np.where(rng.random((30_000, 2)) < 0.1, np.nan, rng.normal(size=(30_000, 2)))
    codes = np.minimum(rng.integers(0, 900, 30_000), 100) * 3 % 257
    weight = rng.integers(0, 3, 30_000).astype(float)
    for w in (None, weight):
        got = Quantiles.exact(X, w, codes, 257, mad=True)
        stream = Quantiles.zero(257, 2)
        for rows in np.array_split(np.arange(30_000), 7):
            stream = stream.merge(Quantiles.of(X[rows], None if w is None else w[rows], codes[rows], 257))
        np.testing.assert_array_equal(stream.count, got.count)
        for group in range(257):
            own = X[codes == group] if w is None else np.repeat(X, w.astype(int) * (codes == group), axis=0)
            if not len(own):
                assert np.isnan(got.quantile(0.5)[group]).all()
                continue
            np.testing.assert_array_equal(got.table[:, group], reference(own))
            if len(own) <= 1200:
                assert got.is_exact[group].all()
                np.testing.assert_array_equal(stream.quantile(0.25)[group], reference(own, (0.25,))[0])
    assert Quantiles.of(X[:5], None, np.arange(5), 5).items.size <= 10


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_is_dense(form, weighted):
    rng = np.random.default_rng(3)
    dense = np.where(rng.random((900, 5)) < 0.3, rng.normal(size=(900, 5)), 0.0)
    dense[rng.random((900, 5)) < 0.05] = np.nan
    dense[:, 3] = 0
    weight = rng.integers(0, 4, 900).astype(float) if weighted else None
    codes = rng.integers(0, 3, 900)
    for args in ((weight,), (weight, codes, 3)):
        assert_same(Quantiles.of(form(dense), *args), Quantiles.of(dense, *args))
        assert_same(Quantiles.exact(form(dense), *args, mad=True), Quantiles.exact(dense, *args, mad=True))


def test_laws():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1000, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    whole, zero = Quantiles.of(X), Quantiles.zero(1, 3)
    assert_same(zero.merge(whole), whole)
    assert_same(whole.merge(zero), whole)
    fitted = Quantiles.exact(X, mad=True)
    assert_same(zero.merge(fitted), fitted)
    assert_same(fitted.merge(zero), fitted)
    assert_same(fitted.merge(Quantiles.of(np.full((4, 3), np.nan))), fitted)
    merged = zero
    for batch in np.array_split(X, 13):
        merged = merged.merge(Quantiles.of(batch))
    assert_same(merged, whole)
    assert_same(Quantiles.of(X[::-1]), whole)
    assert_same(Quantiles.of(X, np.r_[np.ones(500), np.zeros(500)]), Quantiles.of(X[:500]))
    with pytest.raises(ValueError, match="read-only"):
        whole.items[0] = 0


def test_missing_column_keeps_the_exact_result():
    rng = np.random.default_rng(5)
    X, batch = rng.normal(size=(50_000, 2)), rng.normal(size=(10, 2))
    batch[:, 0] = np.nan
    fitted = Quantiles.exact(X, mad=True)
    for merged in (fitted.merge(Quantiles.of(batch)), Quantiles.of(batch).merge(fitted)):
        assert merged.quantile(0.25)[0, 0] == fitted.quantile(0.25)[0, 0]
        assert merged.mad()[0, 0] == fitted.mad()[0, 0]
        assert merged.quantile(0.25)[0, 1] != fitted.quantile(0.25)[0, 1]
        assert merged.count[0, 1] == 50_010


def test_refusals():
    X = np.zeros((50_000, 2))
    X[123, 1] = -np.inf
    for bad in (X, X[:1000], X.astype(np.float32), sparse.csr_array(X)):
        for make in (Quantiles.of, Quantiles.exact):
            with pytest.raises(ValueError, match=re.escape(f"infinity or a value too large for {bad.dtype!r}")):
                make(bad)
    with pytest.raises(ValueError, match="infinity"):
        Quantiles.of(X, np.ones(len(X)), np.zeros(len(X), int), 1)
    with pytest.raises(ValueError, match="Cannot merge"):
        Quantiles.zero(1, 2, k=200).merge(Quantiles.zero(1, 2))
    with pytest.raises(ValueError, match="Cannot merge"):
        Quantiles.zero(2, 2).merge(Quantiles.zero(1, 2))
    with pytest.raises(ValueError, match="k must be"):
        Quantiles.zero(1, 1, k=4)


def rank_error(ordered, value, q):
    low, high = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
    position = q * (len(ordered) - 1)
    return max(low - position, position - high, 0) / len(ordered)


def stream(x, size, **options):
    sketch = Quantiles.zero(1, 1, **options)
    for start in range(0, len(x), size):
        sketch = sketch.merge(Quantiles.of(x[start : start + size, None], **options))
    return sketch


@pytest.mark.parametrize("kind", ["normal", "heavy", "sorted", "reversed", "duplicates", "tied", "zeros"])
@pytest.mark.parametrize("size", [97, 5_000, 200_000])
def test_streams_stay_within_one_percent(kind, size):
    x = draw(kind, 200_000, np.random.default_rng(6))
    sketch, ordered = stream(x, size), np.sort(x)
    assert sketch.count[0, 0] == sketch.weights.sum() == len(x)
    assert (sketch.min[0, 0], sketch.max[0, 0]) == (ordered[0], ordered[-1])
    for q in np.linspace(0.01, 0.99, 25):
        assert rank_error(ordered, sketch.quantile(q)[0, 0], q) < 0.01
    assert rank_error(np.sort(np.abs(x - np.median(x))), sketch.mad()[0, 0], 0.5) < 0.02
    if kind in ("duplicates", "tied"):
        assert sketch.is_exact[0, 0]
        assert sketch.quantile(0.3)[0, 0] == np.percentile(x, 30)


def test_going_on_after_an_exact_fit():
    x = np.random.default_rng(7).normal(size=400_000)
    x[200_000:] += 1
    ordered = np.sort(x)
    sketch = Quantiles.exact(x[:200_000, None])
    assert sketch.items.size < 1500
    sketch = sketch.merge(Quantiles.of(x[200_000:300_000, None])).merge(Quantiles.exact(x[300_000:, None]))
    assert sketch.table is None
    assert sketch.count[0, 0] == len(x)
    for q in np.linspace(0.05, 0.95, 19):
        assert rank_error(ordered, sketch.quantile(q)[0, 0], q) < 0.01


def test_fractional_weights_are_unbiased():
    rng = np.random.default_rng(8)
    x, weight = rng.normal(size=50_000), rng.uniform(0, 2, 50_000)
    order = np.argsort(x)
    cumulative = np.cumsum(weight[order]) / weight.sum()
    sketch = Quantiles.of(x[:, None], weight)
    assert sketch.weights.sum() == pytest.approx(weight.sum(), rel=0.01)
    assert sketch.count[0, 0] == pytest.approx(weight.sum())
    for q in np.linspace(0.05, 0.95, 19):
        assert abs(np.interp(sketch.quantile(q)[0, 0], x[order], cumulative) - q) < 0.01


def test_heavy_weights_fill_the_high_levels():
    x = np.arange(5000.0)
    sketch = Quantiles.of(x[:, None], np.full(5000, 2.0**40 + 3))
    assert sketch.weights.sum() == pytest.approx(5000 * 2.0**40, rel=1e-9)
    assert abs(sketch.quantile(0.5)[0, 0] - 2500) < 50
    with pytest.raises(ValueError, match="sample_weight"):
        Quantiles.of(x[:, None], np.full(5000, 2.0**62))


def test_errors_are_those_of_datasketches():
    datasketches = pytest.importorskip("datasketches")
    rng = np.random.default_rng(9)
    n, k = 200_000, 400
    probabilities = tuple(np.linspace(0.05, 0.95, 19).tolist())
    ours, theirs = [], []
    for seed in range(50):
        x = rng.permutation(n).astype(float)
        peer = datasketches.kll_doubles_sketch(k)
        peer.update(x)
        sketch = stream(x, 10_000, k=k, seed=seed)
        ours.append(sketch.quantiles(probabilities)[:, 0, 0] / n - probabilities)
        theirs.append(np.array(peer.get_quantiles(probabilities)) / n - probabilities)
    ours, theirs = np.array(ours), np.array(theirs)
    assert np.sqrt(np.mean(ours**2)) <= 1.1 * np.sqrt(np.mean(theirs**2))
    assert abs(ours.mean()) < 3 * ours.std() / np.sqrt(50)
