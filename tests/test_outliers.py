"""OutlierClipper alone: its bounds, what it does to values, and what it counts; see test_outlier_parity.py too."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

import sknorm
from sknorm import OutlierClipper, StandardScaler

METHODS = ["sigma", "iqr", "mad", "quantile"]
each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_missing_and_infinite_values_are_not_learned_from(rng, method):
    x = rng.normal(size=500)
    holes = np.concatenate([x[:200], [np.nan, np.inf, -np.inf, np.nan, np.inf], x[200:]])
    clean = OutlierClipper(method).fit(x[:, None])
    for some in (
        OutlierClipper(method).fit(holes[:, None]),
        OutlierClipper(method).partial_fit(holes[:203, None]).partial_fit(holes[203:, None]),
        OutlierClipper(method).fit(np.column_stack([holes, holes])[:, :1]),
        OutlierClipper(method).fit(holes[:, None], sample_weight=np.ones(505)),
    ):
        np.testing.assert_allclose(some.lower_, clean.lower_, rtol=1e-12)
        np.testing.assert_allclose(some.upper_, clean.upper_, rtol=1e-12)
    clipped = OutlierClipper(method).fit_transform(holes[:, None])[200:205, 0]
    np.testing.assert_allclose(clipped, [np.nan, clean.upper_[0], clean.lower_[0], np.nan, clean.upper_[0]], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_infinities_of_every_dtype_go_to_the_bound(dtype):
    X = np.array([[1.0], [2.0], [3.0], [np.inf], [-np.inf]], dtype)
    clipper = OutlierClipper("limits", limits=(0, 5)).fit(X)
    for container in (np.array, np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2]):
        out = clipper.transform(container(X))
        assert out.dtype == dtype
        np.testing.assert_array_equal(out.ravel(), [1, 2, 3, 5, 0])


def test_an_infinity_without_a_bound_is_an_error_or_missing():
    X = np.array([[1.0], [2.0], [4.0], [-np.inf]])
    clipper = OutlierClipper(tail="right").fit(X)
    assert clipper.lower_ == -np.inf
    with pytest.raises(ValueError, match=r"^Input X contains infinity or a value too large for dtype\('float64'\)\.$"):
        clipper.transform(X)
    assert np.isnan(OutlierClipper(tail="right", action="missing").fit(X).transform(X)[-1])
    for table in (X, X.astype(np.float16)):
        with pytest.raises(ValueError, match=f"infinity or a value too large for dtype..{table.dtype}"):
            OutlierClipper(infinite="error").fit(table)
        with pytest.raises(ValueError, match=f"infinity or a value too large for dtype..{table.dtype}"):
            OutlierClipper(infinite="error").fit(table[:3]).transform(table)


# Spreads of zero.


@pytest.mark.parametrize(
    ("method", "values", "bounds"),
    [
        # MAD 0: the IQR
        ("mad", [0.0] * 60 + [10.0] * 40, (-32.9, 32.9)),
        # IQR 0: from the 5th to the 95th percentile
        ("mad", [0.0] * 90 + [10.0] * 10, (-32.9, 32.9)),
        ("iqr", [0.0] * 90 + [10.0] * 10, (-15.0, 15.0)),
        ("iqr", [0.0] * 89 + [10.0] * 10 + [1e6], (-15.0, 15.0)),
        # those equal too: the range
        ("mad", [0.0] * 98 + [10.0] * 2, (-32.9, 32.9)),
        ("iqr", [0.0] * 98 + [10.0] * 2, (-15.0, 15.0)),
        ("quantile", [0.0] * 999 + [10.0], (0.0, 10.0)),
        # nothing wider
        ("sigma", [7.0] * 9, (-np.inf, np.inf)),
        ("iqr", [7.0] * 9, (-np.inf, np.inf)),
        ("mad", [7.0] * 9, (-np.inf, np.inf)),
        ("quantile", [7.0] * 9, (-np.inf, np.inf)),
        ("iqr", [7.0, 7.0], (-np.inf, np.inf)),
    ],
)
def test_a_spread_of_zero_gives_way_to_a_wider_one(method, values, bounds):
    X = np.array(values)[:, None]
    for clipper in (OutlierClipper(method).fit(X), OutlierClipper(method).partial_fit(X[::2]).partial_fit(X[1::2])):
        np.testing.assert_allclose([clipper.lower_[0], clipper.upper_[0]], bounds, rtol=1e-12)
        common, beyond = clipper.transform([[values[0]], [values[0] + 1e9]]).ravel()
        assert common == values[0]
        assert beyond == min(bounds[1], values[0] + 1e9)


@each_method
@pytest.mark.parametrize("action", ["clip", "missing"])
def test_no_bounds_cut_the_most_of_what_they_were_learned_from(method, action, rng):
    X = np.column_stack([rng.random(2000) < share for share in (0.001, 0.02, 0.2, 0.5, 0.98, 1.0)]).astype(float)
    clipper = OutlierClipper(method, action=action).fit(X)
    changed = (clipper.transform(X) != X).mean(axis=0)
    assert (changed < 0.05).all()
    assert (changed[[4, 5]] == 0).all() or method == "sigma"


def test_a_column_without_a_value_is_not_clipped():
    X = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    for method in METHODS:
        clipper = OutlierClipper(method).fit(X)
        assert np.isnan([clipper.lower_[1], clipper.upper_[1]]).all()
        assert clipper.transform([[2.0, 1e9]])[0, 1] == 1e9
        clipper.partial_fit([[2.0, 5.0], [2.0, 6.0], [2.0, 9.0]])
        assert clipper.transform([[2.0, 1e9]])[0, 1] < 1e9


def test_extreme_values():
    X = np.array([[1.5e308], [-1.5e308], [0.0], [5e-324]])
    for method in ("iqr", "mad", "quantile"):
        clipper = OutlierClipper(method).fit(X)
        assert np.isfinite(clipper.transform(X)).all()
    with pytest.raises(ValueError, match="The variance of column 0 overflows float64"):
        OutlierClipper("sigma").fit(X)
    with pytest.raises(ValueError, match="The variance of column 0 overflows float64"):
        StandardScaler(outliers=OutlierClipper("sigma")).fit(X)


@pytest.mark.parametrize(("dtype", "values"), [(np.float16, [100, 30000, 60000]), (np.float32, [0, 1e38, 2e38, 3e38])])
def test_bounds_beyond_the_dtype_are_its_largest_value(dtype, values):
    X = np.array([*values, np.inf, -np.inf], dtype)[:, None]
    clipper = OutlierClipper().fit(X)
    assert clipper.upper_ > np.finfo(dtype).max
    out = clipper.transform(X).ravel()
    assert out.dtype == dtype
    np.testing.assert_array_equal(out[:-2], np.array(values, dtype))
    assert out[-2] == np.finfo(dtype).max
    assert np.isfinite(out).all()


def test_bounds_that_overflow_are_the_largest_double():
    clipper = OutlierClipper(fold=1e300).fit([[1e300], [2e300], [1.2e300]])
    assert clipper.upper_ == np.finfo(float).max
    assert clipper.transform([[np.inf], [1e308]]).ravel().tolist() == [np.finfo(float).max, 1e308]


@pytest.mark.parametrize("method", ["iqr", "mad"])
def test_what_a_zero_spread_gives_way_to_is_exact(rng, method):
    x = np.where(rng.random(100_000) < 0.8, 0.0, rng.lognormal(3, 1, 100_000))
    clipper = OutlierClipper(method).fit(np.column_stack([x, rng.normal(size=100_000)]))
    fold = 1.5 if method == "iqr" else 3.29
    assert clipper.upper_[0] == pytest.approx(fold * np.quantile(x, 0.95), rel=1e-12)


def test_a_spread_of_rounding_is_none():
    X = np.array([[0.1 + 0.2], [0.3], [0.3], [0.3]])
    for method in METHODS:
        assert OutlierClipper(method).fit(X).transform([[0.4]]) == 0.4


def test_counts_that_overflow_are_refused():
    clipper = OutlierClipper("limits", limits=(0, 1), window=1).fit([[5.0]], sample_weight=[1e308])
    before = clipper.to_json()
    with pytest.raises(ValueError, match="The sum of all sample_weight so far overflows float64"):
        clipper.partial_fit([[5.0]], sample_weight=[1e308])
    assert clipper.to_json() == before


# Actions, tails, limits.


def test_missing_in_place_of_the_bound():
    X = np.array([[-9.0], [0.0], [5.0], [9.0], [np.nan], [np.inf]])
    clipper = OutlierClipper("limits", limits=(0, 5), action="missing").fit(X)
    np.testing.assert_array_equal(clipper.transform(X).ravel(), [np.nan, 0, 5, np.nan, np.nan, np.nan])
    assert clipper.n_clipped_low_ == 1
    assert clipper.n_clipped_high_ == 2


@pytest.mark.parametrize(
    ("limits", "low", "high"),
    [
        ((0, 1.5), [0, 0], [1.5, 1.5]),
        ((None, 1), [-np.inf, -np.inf], [1, 1]),
        ({"b": (0, None)}, [-np.inf, 0], [np.inf, np.inf]),
        ({0: (-1, 1), "b": [2, 3]}, [-1, 2], [1, 3]),
        ({np.int64(1): (-np.inf, 4)}, [-np.inf, -np.inf], [np.inf, 4]),
        ({}, [-np.inf, -np.inf], [np.inf, np.inf]),
    ],
)
def test_limits(limits, low, high):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    clipper = OutlierClipper("limits", limits=limits).fit(frame)
    np.testing.assert_array_equal(clipper.lower_, low)
    np.testing.assert_array_equal(clipper.upper_, high)
    np.testing.assert_array_equal(clipper.transform(frame), np.clip(frame, low, high))
    np.testing.assert_array_equal(sknorm.from_json(clipper.to_json()).lower_, low)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((1, 0), r"limits must be pairs \(low, high\) of numbers or None with low <= high, not \(1, 0\)"),
        ((0, np.nan), "limits must be pairs"),
        ((np.inf, np.inf), "limits must be pairs"),
        ((-np.inf, -np.inf), "limits must be pairs"),
        ((10**400, None), "limits must be pairs"),
        ({"a": (0, 1), 0: (5, 9)}, "limits has two pairs for one column, the second by 0; give one"),
        ((0, 1, 2), "limits must be pairs"),
        (("0", 1), "limits must be pairs"),
        ({"a": 3}, "limits must be pairs .*, not 3"),
        ({-1: (0, 1)}, r"limits must be by the name or the position \(from 0\) of a column, not -1"),
        ({True: (0, 1)}, "by the name or the position"),
        ({1.0: (0, 1)}, "by the name or the position"),
        ({"c": (0, 1)}, "limits has bounds for the column 'c', which X does not have"),
        ({2: (0, 1)}, "limits has bounds for column 2, but X has 2 features"),
        ([(0, 1)], "The 'limits' parameter of OutlierClipper must be"),
    ],
)
def test_limits_that_make_no_sense(limits, message):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    clipper = OutlierClipper("limits", limits=limits)
    with pytest.raises(ValueError, match=message):
        clipper.fit(frame)
    assert "n_features_in_" not in vars(clipper)
    with pytest.raises(ValueError, match=message):
        StandardScaler(outliers=clipper).fit(frame)


def test_limits_by_name_need_names():
    with pytest.raises(ValueError, match="limits has bounds for the column 'a', which X does not have"):
        OutlierClipper("limits", limits={"a": (0, 1)}).fit([[1.0]])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "quantile", "fold": 0.05}, "fold=0.05 has no meaning for method='quantile'"),
        ({"method": "limits", "limits": (0, 1), "fold": 2}, "fold=2 has no meaning"),
        ({"fold": np.inf}, "The 'fold' parameter"),
        ({"method": "quantile", "quantile_range": (5, 5)}, r"low < high, not \(5, 5\)"),
        ({"quantile_range": (-1, 5)}, "Invalid quantile range"),
        ({"quantile_range": (1, 2, 3)}, "quantile_range must be a pair"),
        ({"method": "limits"}, "limits=None does not go with method='limits'"),
        ({"limits": (0, 1)}, r"limits=\(0, 1\) does not go with method='iqr'"),
        ({"half_life": 3}, "half_life=3 forgets means and deviations, which method='iqr' does not read"),
        ({"method": "sigma", "half_life": 3, "window": 3}, "two ways of forgetting"),
        ({"fold": 0}, "The 'fold' parameter of OutlierClipper must be"),
        ({"fold": "3"}, "The 'fold' parameter"),
        ({"method": "zscore"}, "The 'method' parameter"),
        ({"tail": None}, "The 'tail' parameter"),
        ({"action": "drop"}, "The 'action' parameter"),
        ({"infinite": True}, "The 'infinite' parameter"),
        ({"indicator": 1}, "The 'indicator' parameter"),
        ({"chunk_size": 0}, "The 'chunk_size' parameter"),
    ],
)
def test_parameters_that_make_no_sense(setting, message):
    with pytest.raises(ValueError, match=message):
        OutlierClipper(**setting).fit([[1.0], [2.0]])


def test_a_parameter_changed_after_fit_takes_effect_at_once(rng):
    X = rng.normal(size=(300, 2))
    clipper = OutlierClipper().fit(X)
    clipper.transform(X)
    clipper.set_params(fold=0.1, tail="left", action="missing")
    fresh = OutlierClipper(fold=0.1, tail="left", action="missing").fit(X)
    np.testing.assert_array_equal(clipper.lower_, fresh.lower_)
    np.testing.assert_array_equal(clipper.transform(X), fresh.transform(X))
    np.testing.assert_array_equal(clipper.partial_fit(X).lower_, fresh.partial_fit(X).lower_)
    upper = clipper.upper_
    clipper.set_params(method="sigma")
    np.testing.assert_array_equal(clipper.upper_, upper)  # of what was learned, until there is something else
    assert clipper._repr_html_()
    with pytest.raises(ValueError, match="method is 'sigma' and was 'iqr' when OutlierClipper was fitted"):
        clipper.partial_fit(X)
    np.testing.assert_array_equal(clipper.fit(X).lower_, OutlierClipper("sigma", fold=0.1).fit(X).lower_)


# Counts.


@each_method
def test_counts_are_of_what_each_batch_lost(rng, method):
    X = rng.standard_t(2, size=(600, 3))
    X[::17, 1], X[5, 2] = np.nan, np.inf
    clipper, low, high = OutlierClipper(method), np.zeros(3), np.zeros(3)
    for part in np.split(X, [100, 101, 400]):
        clipper.partial_fit(part)
        low += (part < clipper.lower_).sum(axis=0)
        high += (part > clipper.upper_).sum(axis=0)
        np.testing.assert_array_equal(clipper.n_clipped_low_, low)
        np.testing.assert_array_equal(clipper.n_clipped_high_, high)
    assert clipper.n_clipped_high_.dtype.kind == "i"
    assert low.sum() > 0
    assert high[2] > 0
    alone = OutlierClipper(method).fit(X)
    merged = clone(alone).fit(X).merge(clipper)
    np.testing.assert_array_equal(merged.n_clipped_low_, alone.n_clipped_low_ + low)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_weights_count(rng, form):
    X = np.where(rng.random((300, 2)) < 0.4, rng.standard_t(1, size=(300, 2)), 0.0)
    weights = rng.integers(0, 4, 300)
    repeated = OutlierClipper("quantile").fit(form(np.repeat(X, weights, axis=0)))
    weighted = OutlierClipper("quantile").fit(form(X), sample_weight=weights)
    for name in ("lower_", "upper_", "n_clipped_low_", "n_clipped_high_"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-12)
    halves = OutlierClipper("quantile").fit(form(X), sample_weight=np.full(300, 0.5))
    assert halves.n_clipped_low_.dtype.kind == "f" or (halves.n_clipped_low_ == halves.n_clipped_low_.round()).all()


def test_counts_do_not_forget():
    clipper = OutlierClipper("limits", limits=(0, 1), window=2)
    for x in (5.0, -5.0, 0.5, 0.5, 0.5, 0.5):
        clipper.partial_fit([[x]])
    assert clipper.n_clipped_low_ == clipper.n_clipped_high_ == 1
    assert clipper.n_samples_seen_ == 2


# Sparse.


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix])
@pytest.mark.parametrize("action", ["clip", "missing"])
def test_sparse_matrices_are_clipped_as_dense_ones(rng, form, action):
    X = np.where(rng.random((400, 5)) < 0.3, 20 * rng.normal(size=(400, 5)), 0.0)
    X[3, 1], X[4, 2], X[9, 0] = np.nan, np.inf, -np.inf
    for method in METHODS:
        dense, sparse = (OutlierClipper(method, action=action) for _ in range(2))
        expected, got = dense.fit_transform(X), sparse.fit_transform(form(X))
        assert type(got) is form
        np.testing.assert_allclose(got.toarray(), expected, rtol=1e-13)
        for name in ("lower_", "upper_", "n_clipped_low_", "n_clipped_high_"):
            np.testing.assert_allclose(getattr(sparse, name), getattr(dense, name), rtol=1e-12, err_msg=name)
        inside = StandardScaler(with_mean=False, outliers=OutlierClipper(method, action=action))
        np.testing.assert_allclose(
            clone(inside).fit_transform(form(X)).toarray(), clone(inside).fit_transform(X), rtol=1e-12
        )


def test_values_stored_in_parts_are_one(rng):
    parts = sp.csr_array((np.array([3.0, 4.0, 1.0, -2.0]), ([0, 0, 1, 2], [0, 0, 0, 0])), shape=(3, 1))
    parts = sp.csr_array((parts.data, parts.indices, parts.indptr), shape=(3, 1))
    duplicated = sp.csr_array((np.array([3.0, 4.0, 1.0]), np.array([0, 0, 0]), np.array([0, 2, 3, 3])), shape=(3, 1))
    assert not duplicated.has_canonical_format
    clipper = OutlierClipper("limits", limits=(-1, 5), indicator=True).fit(duplicated)
    assert clipper.n_clipped_high_ == 1
    np.testing.assert_array_equal(clipper.transform(duplicated).toarray(), [[5, 1], [1, 0], [0, 0]])
    scaler = StandardScaler(with_mean=False, outliers=OutlierClipper("limits", limits=(-1, 5))).fit(duplicated)
    assert scaler.mean_ == 2


def test_parts_that_are_infinite_together_are_clipped():
    parts = sp.csr_array(([1.5e308, 1.5e308], [0, 0], [0, 2]), shape=(1, 1))
    clipper = OutlierClipper("limits", limits=(-5, 5)).fit([[0.0]])
    assert clipper.transform(parts).toarray() == 5
    assert clipper.partial_fit(parts).n_clipped_high_ == 1
    assert not parts.has_canonical_format


@pytest.mark.parametrize("action", ["clip", "missing"])
def test_zeros_outside_the_bounds_need_a_dense_table(action):
    X = sp.csr_array(np.array([[1.0, 3.0], [2.0, 0.0], [3.0, 5.0]]))
    clipper = OutlierClipper("limits", limits={1: (1, 4)}, action=action).fit(X)
    assert clipper.n_clipped_low_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="would turn the zeros of a sparse matrix into other values"):
        clipper.transform(X)
    inside = sknorm.MaxAbsScaler(outliers=OutlierClipper("limits", limits={1: (1, 4)}, action=action)).fit(X.toarray())
    with pytest.raises(ValueError, match="would turn the zeros of a sparse matrix into other values"):
        inside.transform(X)
    with pytest.raises(ValueError, match="The zeros of a sparse matrix lie outside the bounds of column 1"):
        StandardScaler(with_mean=False, outliers=OutlierClipper("limits", limits={1: (1, 4)})).fit(X)


# Indicators, names, containers.


def test_indicators():
    frame = pd.DataFrame({"a": [0.0, 5.0, -5.0, np.nan, np.inf], "b": 1.0}, index=list("vwxyz"))
    clipper = OutlierClipper("limits", limits=(-1, 1), indicator=True).set_output(transform="pandas").fit(frame)
    out = clipper.transform(frame)
    assert out.columns.tolist() == ["a", "b", "a_clipped", "b_clipped"]
    assert out.index.tolist() == list("vwxyz")
    np.testing.assert_array_equal(out["a"], [0, 1, -1, np.nan, 1])
    np.testing.assert_array_equal(out["a_clipped"], [0, 1, -1, 0, 1])
    np.testing.assert_array_equal(out["b_clipped"], 0)
    assert clipper.get_feature_names_out().tolist() == out.columns.tolist()
    back = clipper.inverse_transform(out)
    np.testing.assert_array_equal(back, out[["a", "b"]])
    with pytest.raises(ValueError, match="X has 2 features, but OutlierClipper is expecting 4 features as input"):
        clipper.inverse_transform(frame)
    for some in (clone(clipper).fit(frame), pickle.loads(pickle.dumps(clipper)), sknorm.from_json(clipper.to_json())):
        pd.testing.assert_frame_equal(some.transform(frame), out)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_array])
def test_indicators_of_every_dtype(rng, dtype, form):
    if dtype == np.float16 and form is not np.asarray:
        pytest.skip("SciPy has no matrices of half precision")
    X = np.round(rng.normal(size=(50, 3)) * 2).astype(dtype)
    clipper = OutlierClipper("limits", limits=(-1, 2), indicator=True).fit(form(X))
    out = clipper.transform(form(X))
    assert out.dtype == dtype
    dense = out.toarray() if sp.issparse(out) else out
    np.testing.assert_array_equal(dense, np.hstack([np.clip(X, -1, 2), (X > 2).astype(int) - (X < -1)]))
    back = clipper.inverse_transform(out)
    np.testing.assert_array_equal(back.toarray() if sp.issparse(back) else back, np.clip(X, -1, 2))


def test_indicators_in_a_stream(rng):
    X = rng.standard_t(1, size=(250, 2))
    out = OutlierClipper(indicator=True, chunk_size=50).prequential_transform(X)
    assert out.shape == (250, 4)
    clipper = OutlierClipper(indicator=True)
    for start in range(0, 250, 50):
        rows = slice(start, start + 50)
        if start:
            np.testing.assert_array_equal(out[rows], clipper.transform(X[rows]))
        else:
            np.testing.assert_array_equal(out[rows], np.hstack([X[rows], np.zeros((50, 2))]))
        clipper.partial_fit(X[rows])


def test_indicators_have_no_place_inside(rng):
    for owner in (
        StandardScaler(outliers=OutlierClipper(indicator=True)),
        sknorm.GroupedScaler(OutlierClipper(indicator=True)),
    ):
        with pytest.raises(
            ValueError, match=f"indicator=True has no place in {type(owner).__name__}, which keeps its columns"
        ):
            owner.fit(rng.normal(size=(9, 2)))


def test_in_a_pipeline(rng):
    X = pd.DataFrame(rng.standard_t(1, size=(99, 2)), columns=["a", "b"])
    pipeline = make_pipeline(OutlierClipper(indicator=True), StandardScaler()).set_output(transform="pandas").fit(X)
    assert pipeline.transform(X).columns.tolist() == ["a", "b", "a_clipped", "b_clipped"]


def test_in_place_transforms_of_infinities():
    class InPlace(OutlierClipper):
        copy = False

    X = np.array([[1.0, np.inf], [2.0, -np.inf]])
    out = InPlace("limits", limits=(0, 5)).fit(X).transform(X)
    assert out is X
    np.testing.assert_array_equal(X, [[1, 5], [2, 0]])
    X = np.array([[1.0, np.inf], [9.0, -np.inf]])
    before = X.copy()
    with pytest.raises(ValueError, match="infinity"):
        InPlace("limits", limits=(None, 5)).fit(X).transform(X)
    np.testing.assert_array_equal(X, before)


# Breakdown.


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("n_batches", [1, 100])
@pytest.mark.parametrize("action", ["clip", "missing"])
def test_a_fifth_of_the_values_at_1e12_do_not_move_the_rest(rng, share, n_batches, action):
    clean = rng.normal(50, 4, size=(50_000, 2))
    dirty = clean.copy()
    where = rng.random(clean.shape) < share
    dirty[where] = 1e12
    scaler = StandardScaler(outliers=OutlierClipper("mad", action=action))
    for part in np.array_split(dirty, n_batches):
        scaler.partial_fit(part)
    if n_batches == 1:
        np.testing.assert_array_equal(clone(scaler).fit(dirty).mean_, scaler.mean_)
        piped = make_pipeline(OutlierClipper("mad", action=action), StandardScaler()).fit(dirty)[-1]
        np.testing.assert_allclose(piped.mean_, scaler.mean_)
    rest = [column[~gone] for column, gone in zip(clean.T, where.T, strict=True)]
    centre, scale = np.array([c.mean() for c in rest]), np.array([c.std() for c in rest])
    off, ratio = np.abs(scaler.mean_ - centre) / scale, scaler.scale_ / scale
    if action == "clip":
        assert (off < 1.1).all()
        assert (ratio < 2.3).all()
        assert (ratio > 1).all()
    else:
        assert (off < 0.02).all()
        assert (np.abs(ratio - 1) < 0.02).all()


def test_messages_name_the_class():
    with pytest.raises(
        InvalidParameterError,
        match=re.escape("The 'outliers' parameter of MinMaxScaler must be an OutlierClipper or None. Got 3 instead."),
    ):
        sknorm.MinMaxScaler(outliers=3).fit([[1.0]])
    with pytest.raises(InvalidParameterError, match=r"must be an OutlierClipper or None\. Got <class"):
        sknorm.MinMaxScaler(outliers=OutlierClipper).fit([[1.0]])
