"""``outliers`` of every scaler: what is clipped before it learns and scales, alone, in a stream, in groups."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from references import winsorized
from registry import SCALERS
from sklearn.base import clone

import sknorm
from sknorm import GroupedScaler, OutlierClipper, RobustScaler, StandardScaler

CLASSES = [entry.scaler for entry in SCALERS if entry.scaler is not OutlierClipper]
each_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
CLIPPERS = [
    OutlierClipper("sigma", fold=1.5),
    OutlierClipper("iqr"),
    OutlierClipper("mad", action="missing"),
    OutlierClipper("quantile", quantile_range=(10, 90), tail="right"),
    OutlierClipper("limits", limits={0: (-1, 1), 2: (None, 2)}),
]
each_clipper = pytest.mark.parametrize("clipper", CLIPPERS, ids=lambda clipper: clipper.method)


@pytest.fixture
def X(rng):
    X = rng.standard_t(2, size=(400, 3))
    X[:, 1] = np.round(np.exp(X[:, 1] / 4), 1)
    X[rng.random(X.shape) < 0.03] = np.nan
    X[17, 0], X[20, 2] = np.inf, -np.inf
    X[17, 1] = 1e9
    return X


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


# Against the long way round: a clipper and a scaler by hand.


@each_class
@each_clipper
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_is_clipping_then_fitting(kind, clipper, X, dtype, weighted, rng):
    X = X.astype(dtype)
    weights = rng.choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    both = kind(outliers=clipper).fit(X, sample_weight=weights)
    first = clone(clipper).fit(X, sample_weight=weights)
    clipped = winsorized(X, first.lower_, first.upper_, clipper.action)
    second = kind().fit(clipped, sample_weight=weights)
    for table in (X, np.asfortranarray(X), X.repeat(2, axis=0)[::2]):
        closely = {"rtol": 1e-9, "atol": 1e-9} if dtype == np.float64 else {"rtol": 1e-5, "atol": 1e-5}
        opened = np.isnan(winsorized(table, first.lower_, first.upper_, "clip"))
        table_in = np.where(opened, table.dtype.type(np.nan), table)  # no infinity on an open side
        expected = second.transform(winsorized(table_in, first.lower_, first.upper_, clipper.action))
        np.testing.assert_allclose(both.transform(table_in), expected, **closely)
        again = kind(outliers=clipper).fit(table, sample_weight=weights)
        np.testing.assert_allclose(again.transform(table_in), expected, **closely)
    for name in ("lower_", "upper_", "n_clipped_low_", "n_clipped_high_"):
        close(getattr(both.outliers_, name), getattr(first, name))


@each_class
@each_clipper
def test_partial_fit_learns_the_bounds_of_a_batch_before_the_batch(kind, clipper, X):
    both, first, second = kind(outliers=clipper), clone(clipper), kind()
    for part in np.split(X, [1, 50, 51, 300]):
        both.partial_fit(part)
        first.partial_fit(part)
        second.partial_fit(winsorized(part, first.lower_, first.upper_, clipper.action))
        rows = np.where(np.isinf(X), 3.0, X)
        close(both.transform(rows), second.transform(winsorized(rows, first.lower_, first.upper_, clipper.action)))


@each_class
@each_clipper
@pytest.mark.parametrize("size", [1, 64])
def test_prequential_is_transform_then_partial_fit_chunk_by_chunk(kind, clipper, X, size):
    X = np.where(np.isinf(X), np.nan, X)[: 40 if size == 1 else 400]
    setting = {"chunk_size": 1000} if kind is RobustScaler else {}
    stream = kind(outliers=clone(clipper).set_params(chunk_size=size), **setting)
    by_hand = clone(stream).partial_fit(X[:size])
    out = stream.prequential_transform(X)
    for start in range(size, len(X), size):
        rows = slice(start, start + size)
        close(out[rows], by_hand.transform(X[rows]))
        by_hand.partial_fit(X[rows])
    close(stream.transform(X), by_hand.transform(X))


@each_class
def test_clipping_before_and_after_is_one_map(kind, X):
    X = np.where(np.isinf(X), np.nan, X)
    for clip in ({"clip": 0.7}, {"clip": 0.7, "clip_mode": "soft"}):
        plain, clipped = (kind(outliers=OutlierClipper(), **some).fit(X) for some in ({}, clip))
        z = plain.transform(X)
        close(clipped.transform(X), np.clip(z, -0.7, 0.7) if len(clip) == 1 else z / np.sqrt(1 + (z / 0.7) ** 2))
        inside = clipped.inverse_transform(clipped.transform(X))
        lower, upper = plain.outliers_.lower_, plain.outliers_.upper_
        kept = np.abs(z) < 0.7 if len(clip) == 1 else np.abs(z) < 7
        np.testing.assert_allclose(inside[kept], np.clip(X, lower, upper)[kept], rtol=1e-7, atol=1e-9)


@each_class
@each_clipper
def test_groups_have_bounds_of_their_own(kind, clipper, X):
    X = np.where(np.isinf(X), np.nan, X)
    keys = np.arange(len(X)) % 5
    parts = [slice(0, 150), slice(150, 151), slice(151, 400)]
    grouped = GroupedScaler(kind(outliers=clipper))
    first = grouped.fit_transform(X[parts[0]], groups=keys[parts[0]])
    alone = {key: kind(outliers=clipper).fit(X[parts[0]][keys[parts[0]] == key]) for key in range(5)}
    for key, scaler in alone.items():
        own = keys[parts[0]] == key
        close(first[own], scaler.transform(X[parts[0]][own]))
    for rows in parts[1:]:
        grouped.partial_fit(X[rows], groups=keys[rows])
        for key in np.unique(keys[rows]):
            alone[key].partial_fit(X[rows][keys[rows] == key])
        out = grouped.transform(X, groups=keys)
        for key, scaler in alone.items():
            close(out[keys == key], scaler.transform(X[keys == key]))
    close(grouped.transform(X[:9], groups=np.full(9, 77)), grouped.global_scaler_.transform(X[:9]))
    copied = sknorm.from_json(grouped.to_json())
    np.testing.assert_array_equal(copied.transform(X, groups=keys), out)
    np.testing.assert_array_equal(
        copied.partial_fit(X, groups=keys).transform(X, groups=keys),
        grouped.partial_fit(X, groups=keys).transform(X, groups=keys),
    )


@each_clipper
def test_a_stream_of_groups(clipper, X):
    X, keys = np.where(np.isinf(X), np.nan, X), np.arange(len(X)) % 3
    stream = GroupedScaler(StandardScaler(outliers=clone(clipper).set_params(chunk_size=30)))
    by_hand = clone(stream).partial_fit(X[:30], groups=keys[:30])
    out = stream.prequential_transform(X, groups=keys)
    for start in range(30, len(X), 30):
        rows = slice(start, start + 30)
        close(out[rows], by_hand.transform(X[rows], groups=keys[rows]))
        by_hand.partial_fit(X[rows], groups=keys[rows])


def test_a_clipper_of_groups(X):
    keys = np.arange(len(X)) % 4
    grouped = GroupedScaler(OutlierClipper()).fit(X, groups=keys)
    assert grouped.lower_.shape == (4, 3)
    for key in range(4):
        alone = OutlierClipper().fit(X[keys == key])
        for name in ("lower_", "upper_", "n_clipped_low_", "n_clipped_high_"):
            close(getattr(grouped, name)[key], getattr(alone, name))
        close(grouped.transform(X[keys == key], groups=keys[keys == key]), alone.transform(X[keys == key]))
    assert ("x0", "upper") in grouped.statistics_frame().columns
    rest = X[:5].clip(-1e6, 1e6)
    np.testing.assert_array_equal(
        grouped.transform(rest, groups=[9] * 5),
        OutlierClipper().fit(X).transform(rest),
    )


def test_small_groups_are_pulled_towards_the_bounds_of_all_rows():
    X = np.concatenate([np.linspace(-1, 1, 99), [3.0, 3.0, 3.0]])[:, None]
    keys = ["many"] * 99 + ["same"] * 3
    whole = OutlierClipper().fit(X)
    many = OutlierClipper().fit(X[:99])
    grouped = GroupedScaler(OutlierClipper(), smooth=7).fit(X, groups=keys)
    low, high = grouped.transform([[-1e9], [1e9]], groups=["many"] * 2).ravel()
    share = 99 / 106
    assert low == pytest.approx(whole.lower_[0] + share * (many.lower_[0] - whole.lower_[0]))
    assert high == pytest.approx(whole.upper_[0] + share * (many.upper_[0] - whole.upper_[0]))
    # The values of the other group are all the same: alone it has no bounds.
    np.testing.assert_allclose(grouped.transform([[1e9]], groups=["same"]), whole.upper_[None])
    assert GroupedScaler(OutlierClipper()).fit(X, groups=keys).transform([[1e9]], groups=["same"]) == 1e9


@pytest.mark.parametrize("unseen", ["nan", "passthrough", "error", "global"])
def test_infinities_of_unseen_groups(unseen):
    X = np.arange(20.0)[:, None]
    grouped = GroupedScaler(StandardScaler(outliers=OutlierClipper()), unseen=unseen).fit(X, groups=[1] * 20)
    known = grouped.transform([[np.inf]], groups=[1])
    np.testing.assert_allclose(known, StandardScaler().fit(X).transform([[28.5]]))
    if unseen in ("passthrough", "error"):
        with pytest.raises(ValueError, match="infinity" if unseen == "passthrough" else "unknown keys"):
            grouped.transform([[np.inf]], groups=[2])
    else:
        np.testing.assert_array_equal(
            grouped.transform([[np.inf]], groups=[2]), known if unseen == "global" else [[np.nan]]
        )


def test_folded_groups_keep_their_bounds(rng):
    X, keys = rng.standard_t(2, size=(300, 2)), np.arange(300) // 3
    grouped = GroupedScaler(StandardScaler(outliers=OutlierClipper()), max_groups=20).fit(X, groups=keys)
    assert grouped.n_folded_ > 0
    folded = grouped.folded_scaler_
    np.testing.assert_array_equal(grouped.transform(X[:3], groups=[-1] * 3), folded.transform(X[:3]))
    assert np.isfinite(folded.outliers_.upper_).all()


# Parameters.


def test_parameters_within_can_be_set(X):
    scaler = StandardScaler(outliers=OutlierClipper()).set_params(outliers__fold=4, outliers__method="mad")
    expected = StandardScaler(outliers=OutlierClipper("mad", fold=4)).fit(X)
    np.testing.assert_array_equal(scaler.fit(X).mean_, expected.mean_)
    assert scaler.get_params()["outliers__fold"] == 4
    assert scaler.outliers_ is not scaler.outliers
    assert not hasattr(scaler.outliers, "lower_")


@pytest.mark.parametrize(
    "change", [{"outliers__fold": 9.0}, {"outliers": None}, {"outliers": OutlierClipper("mad")}], ids=str
)
def test_other_outliers_need_another_fit(X, change):
    scaler = StandardScaler(outliers=OutlierClipper()).fit(X)
    out = scaler.transform(X)
    scaler.set_params(**change)
    np.testing.assert_array_equal(scaler.transform(X), out)
    for verb in (scaler.partial_fit, scaler.prequential_transform):
        with pytest.raises(ValueError, match=r"outliers is .* and was another when StandardScaler was fitted"):
            verb(X)
    with pytest.raises(ValueError, match="outliers is"):
        scaler.to_json()
    np.testing.assert_array_equal(scaler.fit(X[:17]).scale_, clone(scaler).fit(X[:17]).scale_)
    plain = StandardScaler().fit(X[1:10])
    plain.set_params(outliers=OutlierClipper())
    with pytest.raises(ValueError, match="outliers is OutlierClipper"):
        plain.partial_fit(X)
    assert plain.outliers_ is None


def test_the_fitted_clipper_is_that_of_the_fit(X):
    scaler = StandardScaler(outliers=OutlierClipper("mad", window=50)).fit(X)
    upper = scaler.outliers_.upper_
    scaler.set_params(outliers__fold=1, outliers__action="missing")
    np.testing.assert_array_equal(scaler.outliers_.upper_, upper)
    scaler.set_params(outliers__method="sigma")
    np.testing.assert_array_equal(scaler.outliers_.upper_, upper)
    assert scaler.outliers_.get_params() == OutlierClipper("mad", window=50).get_params()
    clipper = OutlierClipper("limits", limits={"a": (0, 1)})
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "b"])
    given = StandardScaler(outliers=clipper).fit(frame)
    np.testing.assert_array_equal(given.outliers_.transform(frame), clipper.fit_transform(frame))


def test_the_fitted_clipper_counts_its_own_rows():
    X = np.arange(50.0)[:, None]
    for mine, its in ((None, 5), (5, None), (None, None), (5, 7)):
        scaler = StandardScaler(window=mine, outliers=OutlierClipper(window=its)).fit(X)
        alone = OutlierClipper(window=its).fit(X)
        assert scaler.outliers_.n_samples_seen_ == alone.n_samples_seen_
        assert sknorm.from_json(scaler.outliers_.to_json()).to_json() == scaler.outliers_.to_json()


@pytest.mark.parametrize("given", [{}, {"groups": [0, 0, 0]}], ids=["alone", "groups"])
def test_a_column_without_a_value_so_far_is_a_constant_whatever_the_bounds(given):
    for action, outside in (("clip", 0.0), ("missing", np.nan)):
        clipper = OutlierClipper("limits", limits=(5, 10), action=action, chunk_size=1)
        scaler = GroupedScaler(StandardScaler(outliers=clipper)) if given else StandardScaler(outliers=clipper)
        scaled = clone(scaler).prequential_transform([[7.0], [8.0], [9.0]], **given)
        np.testing.assert_array_equal(scaled.ravel(), [0, 1, 3])
        np.testing.assert_array_equal(scaler.prequential_transform([[90.0], [7.0], [8.0]], **given)[0], outside)


def test_a_window_without_values_keeps_its_bounds_for_what_comes():
    X = np.r_[[[100.0 + i] for i in range(6)], [[np.nan]] * 5, [[103.0]]]
    scaler = StandardScaler(window=3, outliers=OutlierClipper(chunk_size=1))
    assert scaler.prequential_transform(X)[-1] == 0


def test_other_columns_do_not_refuse_a_row_of_a_group():
    X = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan], [5.0, np.nan], [5.0, np.nan]])
    grouped = GroupedScaler(StandardScaler(outliers=OutlierClipper(window=2))).fit(X, groups=[1, 1, 1, 2, 2])
    assert np.isfinite(grouped.prequential_transform([[np.inf, np.nan]], groups=[1])[0, 0])


def test_equal_outliers_merge_and_others_do_not(X):
    one, other = (StandardScaler(outliers=OutlierClipper(fold=2)).fit(X) for _ in range(2))
    one.merge(other)
    assert one.n_samples_seen_[1] == 2 * other.n_samples_seen_[1]
    np.testing.assert_array_equal(one.outliers_.n_clipped_high_, 2 * other.outliers_.n_clipped_high_)
    with pytest.raises(ValueError, match="same parameters; outliers__fold is 2 here and 3 in the other"):
        one.merge(StandardScaler(outliers=OutlierClipper(fold=3)).fit(X))
    with pytest.raises(ValueError, match="same parameters; outliers is 'OutlierClipper' here and None in the other"):
        one.merge(StandardScaler().fit(X[1:10]))


def test_windows_of_the_bounds_and_of_the_scaler_are_two(X):
    X = np.where(np.isinf(X), 0.0, np.nan_to_num(X))
    scaler = StandardScaler(window=40, outliers=OutlierClipper("sigma", half_life=20)).fit(X)
    clipped = winsorized(
        X, *(getattr(OutlierClipper("sigma", half_life=20).fit(X), end) for end in ("lower_", "upper_")), "clip"
    )
    close(scaler.mean_, StandardScaler(window=40).fit(clipped).mean_)


def test_refused_batches_leave_bounds_and_counts_alone(X):
    scaler = StandardScaler(outliers=OutlierClipper("sigma")).fit(np.where(np.isinf(X), np.nan, X))
    before = scaler.to_json()
    with pytest.raises(ValueError, match="overflows"):
        scaler.partial_fit(np.array([[1e300, 0.0, 0.0], [-1e300, 0.0, 0.0]]))
    assert scaler.to_json() == before
    strict = StandardScaler(outliers=OutlierClipper(infinite="error")).fit(np.where(np.isinf(X), np.nan, X))
    before = strict.to_json()
    with pytest.raises(ValueError, match="infinity"):
        strict.partial_fit(X)
    assert strict.to_json() == before


def test_no_clipper_is_changed_by_fitting(X):
    clipper = OutlierClipper()
    before = dict(vars(clipper))
    StandardScaler(outliers=clipper).fit(X).partial_fit(X)
    GroupedScaler(StandardScaler(outliers=clipper)).fit(X)
    assert vars(clipper) == before


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array])
def test_sparse_streams(form, rng):
    X = np.where(rng.random((120, 3)) < 0.3, rng.standard_t(1, size=(120, 3)), 0.0)
    dense, sparse = (sknorm.MaxAbsScaler(outliers=OutlierClipper("sigma", chunk_size=40)) for _ in range(2))
    close(sparse.prequential_transform(form(X)).toarray(), dense.prequential_transform(X))
    close(
        sparse.fit(form(X)).partial_fit(form(X)).transform(form(X)).toarray(), dense.fit(X).partial_fit(X).transform(X)
    )


# Soft clips.


@each_class
def test_the_inverse_of_a_soft_clip_is_exact_inside(kind, rng):
    X = rng.normal(size=(500, 3))
    scaler = kind(clip=3.0, clip_mode="soft").fit(X)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, rtol=1e-9, atol=1e-9)
    z = scaler.transform([[1e300] * 3])
    assert (z == 3).all() or kind is OutlierClipper
    assert np.isposinf(scaler.inverse_transform(np.full((1, 3), 3.0))).all()
