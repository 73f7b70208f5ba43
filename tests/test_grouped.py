"""GroupedScaler is a loop of its scaler over the groups: learned at once, in parts, or apart and merged."""

import numpy as np
import pandas as pd
import pytest
from grouping import (
    LAYOUTS,
    Dict,
    assert_close,
    assert_same_bits,
    cuts,
    numbered,
    rows_by_group,
    tables,
    whole_weights_of_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import SCALERS, clips_first, forgetting, instances, name_of, without_clippers
from sklearn.base import clone
from sklearn.preprocessing import TargetEncoder

import sknorm
from sknorm import GroupedScaler

each_setting = pytest.mark.parametrize("scaler", instances(), ids=name_of)
# What is clipped first is no formula's; test_outliers_in_scalers.py has those.
ENTRIES = [entry for entry in SCALERS if without_clippers(entry)]
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.scaler.__name__.removesuffix("Scaler"))
each_layout = pytest.mark.parametrize("layout", LAYOUTS)

FEW = settings(max_examples=30)


def setting_of(draw, entry, allowed=lambda scaler: True):
    """Draw a scaler of a class, with one of its settings."""
    return clone(draw(st.sampled_from([scaler for scaler in without_clippers(entry) if allowed(scaler)])))


def learned(scaler, table, **parameters):
    """Return a GroupedScaler fitted on a table, its keys beside it."""
    return GroupedScaler(scaler, **parameters).fit(table.X, sample_weight=table.weights, groups=table.groups)


def state_of(scaler):
    """Return all that a scaler holds, as text."""
    return scaler.to_json()


def loop(scaler, X, keys, weights=None):
    """Return the table scaled by a scaler fitted on each group."""
    out = np.full(X.shape, np.nan, X.dtype)
    for rows in rows_by_group(keys):
        alone = clone(scaler).fit(X[rows], sample_weight=None if weights is None else weights[rows])
        out[rows] = alone.transform(X[rows].copy())
    return out


# A table of every kind of group.

N_ROWS = 400


@pytest.fixture
def X(rng):
    """Return plain, skewed, whole, constant, small and far columns; NaN here and there."""
    X = rng.normal(size=(N_ROWS, 6))
    X[:, 1] = np.exp(X[:, 1])
    X[:, 2] = np.round(50 + 20 * X[:, 2])
    X[:, 3] = 7.25
    X[:, 4] *= 1e-9
    X[:, 5] += 1e3
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


@pytest.fixture
def keys(rng, X):
    """Return keys: of one row, of two, of a few and of many; one group lacks a column, and one is constant."""
    keys = rng.integers(0, 12, N_ROWS) ** 2
    keys[17], keys[[5, 300]] = -7, 2**62
    X[keys == 4, 0] = np.nan
    X[keys == 9] = 1.5
    return keys


@pytest.fixture
def weights(rng):
    return rng.choice([0.0, 0.5, 1.0, 2.0], N_ROWS) + (np.arange(N_ROWS) % 11 == 0)


def filled(expected, X, keys, scaler, weights=None):
    """Return what the loop gave, with what all rows give where a group has no value in a column."""
    whole = clone(scaler).fit(X, sample_weight=weights).transform(X.copy())
    counted = ~np.isnan(X) if weights is None else ~np.isnan(X) & (weights > 0)[:, np.newaxis]
    for rows in rows_by_group(keys):
        none = ~counted[rows].any(axis=0)
        expected[np.ix_(rows, none)] = whole[np.ix_(rows, none)]
    return expected


@each_setting
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_equals_the_loop(scaler, weighted, X, keys, weights):
    some = weights if weighted else None
    if weighted:
        some[[17, 5]] = 1.0  # groups that weigh nothing are those of another test
    grouped = GroupedScaler(clone(scaler)).fit(X, sample_weight=some, groups=keys)
    if scaler.window == 7:  # whether a column has a value in the window is left to the tests with a dict
        X = np.where(np.isnan(X), 2.0, X)
        grouped.fit(X, sample_weight=some, groups=keys)
    expected = filled(loop(scaler, X, keys, some), X, keys, scaler, some)
    assert_close(grouped.transform(X, groups=keys), expected)
    np.testing.assert_array_equal(grouped.groups_, list(dict.fromkeys(keys.tolist())))
    numbers = numbered(keys.tolist())
    np.testing.assert_allclose(grouped.group_counts_, np.bincount(numbers, some), rtol=1e-14)


@each_setting
def test_attributes_are_those_of_each_group(scaler, X, keys):
    X = np.where(np.isnan(X), 2.0, X)
    grouped = GroupedScaler(clone(scaler)).fit(X, groups=keys)
    alone = [clone(scaler).fit(X[rows]) for rows in rows_by_group(keys.tolist())]
    names = [name for name in dir(type(scaler)) if name.endswith("_") and name[0] != "_" and name != "outliers_"]
    shown = [name for name in names if np.shape(getattr(alone[0], name)) == (6,) or getattr(alone[0], name) is None]
    assert {"scale_", "lower_"} & set(shown) or isinstance(scaler, sknorm.StandardScaler)
    if scaler.outliers is not None:
        shown += ["lower_", "upper_", "n_clipped_low_", "n_clipped_high_"]
    frame = grouped.statistics_frame()
    for name in set(shown) - {"n_samples_seen_"}:
        values = [getattr(one if hasattr(one, name) else one.outliers_, name) for one in alone]
        if values[0] is None:
            assert getattr(grouped, name) is None, name
            continue
        got = getattr(grouped, name)
        assert not got.flags.writeable
        assert got.dtype == values[0].dtype
        np.testing.assert_allclose(got, values, rtol=1e-12, atol=1e-12, err_msg=name)
        shown_there = frame.xs(name.removesuffix("_"), axis=1, level=1)
        np.testing.assert_array_equal(shown_there.to_numpy(), got)
    assert frame[("rows", "")].tolist() == grouped.group_counts_.tolist()
    assert frame.index.tolist() == grouped.groups_.tolist()
    whole = clone(scaler).fit(X)
    np.testing.assert_allclose(
        grouped.global_scaler_.transform(X.copy()), whole.transform(X.copy()), rtol=1e-12, atol=1e-12
    )
    assert grouped.folded_scaler_ is None
    assert grouped.n_folded_ == 0


@each_setting
def test_one_group_is_the_scaler(scaler, X, weights):
    for some in (None, weights):
        alone = clone(scaler).fit(X, sample_weight=some)
        grouped = GroupedScaler(clone(scaler)).fit(X, sample_weight=some)
        assert_same_bits(grouped.transform(X), alone.transform(X.copy()))
        assert_same_bits(GroupedScaler(clone(scaler)).fit_transform(X, sample_weight=some), alone.transform(X.copy()))
        Z = grouped.transform(X)
        assert_same_bits(grouped.inverse_transform(Z), alone.inverse_transform(Z.copy()))
        alone, grouped = clone(scaler), GroupedScaler(clone(scaler))
        for rows in (slice(0, 150), slice(150, None)):
            part = None if some is None else some[rows]
            assert_close(
                grouped.prequential_transform(X[rows], sample_weight=part),
                alone.prequential_transform(X[rows], sample_weight=part),
            )
        assert_close(grouped.transform(X), alone.transform(X.copy()))
        np.testing.assert_array_equal(grouped.groups_, [0])


# Any table.


@each_entry
@settings(max_examples=80)
@given(data=st.data())
def test_any_table_equals_the_loop(entry, data):
    scaler, table = setting_of(data.draw, entry), data.draw(tables())
    reference = Dict(scaler)
    reference.learn(table.X, table.keys, table.weights)
    grouped = learned(scaler, table)
    before = table.X.copy()
    scaled = grouped.transform(table.X, groups=table.groups)
    assert_same_bits(table.X, before)
    assert_close(scaled, reference.transform(table.X, table.keys))
    assert scaled.dtype == table.X.dtype
    state = state_of(grouped)

    # Bit by bit: fit_transform, every row alone, rows in another order, and keys known from before.
    twin = GroupedScaler(scaler)
    assert_same_bits(twin.fit_transform(table.X, sample_weight=table.weights, groups=table.groups), scaled)
    assert state_of(twin) == state
    order = data.draw(st.permutations(range(len(table.X))))
    part = table.part(order)
    assert_same_bits(grouped.transform(part.X, groups=part.groups), scaled[order])
    i = data.draw(st.integers(0, len(table.X) - 1))
    row = table.part(slice(i, i + 1))
    assert_same_bits(grouped.transform(row.X, groups=row.groups), scaled[i : i + 1])
    assert state_of(grouped) == state

    # And back.
    inverse = grouped.inverse_transform(scaled, groups=table.groups)
    assert inverse.dtype == table.X.dtype
    if scaler.clip in (None, False):
        tolerance = 1e-9 if table.X.dtype == np.float64 else 1e-3
        np.testing.assert_allclose(grouped.transform(inverse, groups=table.groups), scaled, rtol=0, atol=tolerance)
    for key, rows in zip(dict.fromkeys(table.keys), rows_by_group(table.keys), strict=True):
        own = reference.groups.get(key)
        if own is not None and own.has_value().all():
            expected, units = own.scaler.inverse_transform(scaled[rows].copy()), largest_of(table.X)
            assert_close(inverse[rows] / units, expected / units)


def largest_of(X):
    """Return the largest absolute value of every column, 1 where there is none."""
    largest = np.max(np.abs(X), axis=0, initial=0.0, where=~np.isnan(X))
    return np.where(largest > 0, largest, 1.0).astype(X.dtype)


@each_entry
@FEW
@given(data=st.data())
def test_any_split_and_any_merge_is_batch(entry, data):
    scaler, table = setting_of(data.draw, entry), data.draw(tables())
    parts = data.draw(cuts(table))
    batch = learned(scaler, table)
    streamed = GroupedScaler(scaler)
    for part in parts:
        streamed.partial_fit(part.X, sample_weight=part.weights, groups=part.groups)
    if table.weights is None:  # else a key comes with the first of its rows that counts
        assert streamed.groups_.tolist() == batch.groups_.tolist()
    assert counts_of(streamed) == pytest.approx(counts_of(batch))
    expected = batch.transform(table.X, groups=table.groups)
    assert_close(streamed.transform(table.X, groups=table.groups), expected)
    assert_close(streamed.global_scaler_.transform(table.X.copy()), batch.global_scaler_.transform(table.X.copy()))
    gone_on = learned(scaler, parts[0])
    for part in parts[1:]:
        gone_on.partial_fit(part.X, sample_weight=part.weights, groups=part.groups)
    assert_close(gone_on.transform(table.X, groups=table.groups), expected)
    if forgetting(scaler) or any(part.weights is not None and not part.weights.any() for part in parts):
        return
    first, *rest = (learned(scaler, part) for part in data.draw(st.permutations(parts)))
    before = [state_of(other) for other in rest]
    for other in rest:
        assert first.merge(other) is first
    assert [state_of(other) for other in rest] == before
    assert_close(first.transform(table.X, groups=table.groups), expected)
    assert set(first.groups_.tolist()) == set(batch.groups_.tolist())
    assert counts_of(first) == pytest.approx(counts_of(batch))


def counts_of(grouped):
    return dict(zip(grouped.groups_.tolist(), grouped.group_counts_.tolist(), strict=True))


@FEW
@given(data=st.data())
def test_merging_half_lives_takes_each_as_of_its_own_last_row(data):
    scaler = sknorm.StandardScaler(
        half_life=data.draw(st.sampled_from([1.0, 3.0])), ddof=data.draw(st.sampled_from([0, 1]))
    )
    one, other = data.draw(tables(weights=None)), data.draw(tables(weights=None))
    width = min(one.X.shape[1], other.X.shape[1])
    one, other = (table._replace(X=table.X[:, :width].astype(float)) for table in (one, other))
    if len(one.columns) != len(other.columns):
        with pytest.raises(ValueError, match="number of parts of a key"):
            learned(scaler, one).merge(learned(scaler, other))
        return
    merged = learned(scaler, one).merge(learned(scaler, other))
    for key in dict.fromkeys([*one.keys, *other.keys]):
        alone = [
            clone(scaler).fit(table.X[[i for i, own in enumerate(table.keys) if own == key]])
            for table in (one, other)
            if key in table.keys
        ]
        expected = sknorm.merge(alone)
        number = list(merged.groups_.tolist()).index(key)
        for name in ("mean_", "var_", "scale_"):
            np.testing.assert_allclose(getattr(merged, name)[number], getattr(expected, name), rtol=1e-12, atol=1e-12)


@each_entry
@FEW
@given(data=st.data())
def test_keys_in_columns_are_keys_beside(entry, data):
    scaler, table = setting_of(data.draw, entry), data.draw(tables())
    table = table._replace(X=table.X.astype(float))
    beside = learned(scaler, table)
    at = data.draw(st.integers(0, table.X.shape[1]))
    frame, n_parts = table.frame(at), len(table.columns)
    by = data.draw(
        st.sampled_from(
            [
                [f"k{i}" for i in range(n_parts)],
                [*range(at, at + n_parts)],
                [at + i - frame.shape[1] for i in range(n_parts)],
            ]
        )
    )
    given = frame if isinstance(by[0], str) or data.draw(st.booleans()) else frame.astype(object).to_numpy()
    by = data.draw(st.sampled_from([by, tuple(by), by[0]] if n_parts == 1 else [by, tuple(by)]))
    inside = GroupedScaler(scaler, by=by).fit(given, sample_weight=table.weights)
    assert inside.groups_.tolist() == beside.groups_.tolist()
    expected = beside.transform(table.X, groups=table.groups)
    scaled = inside.transform(given)
    assert type(scaled) is np.ndarray
    assert_close(scaled, expected)
    assert inside.n_features_in_ == frame.shape[1]
    back = inside.inverse_transform(scaled, groups=table.groups)
    units = largest_of(table.X)
    assert_close(back / units, beside.inverse_transform(expected, groups=table.groups) / units)
    twin = GroupedScaler(scaler, by=by)
    assert_same_bits(twin.fit_transform(given, sample_weight=table.weights), scaled)


# Unseen keys, small groups, shrinkage, missing keys.


@each_entry
@settings(max_examples=50)
@given(data=st.data())
def test_policies_are_those_of_the_dict(entry, data):
    scaler = setting_of(data.draw, entry)
    table = data.draw(tables(weights=whole_weights_of_rows))
    policy = {
        "unseen": data.draw(st.sampled_from(["global", "nan", "passthrough", "error"])),
        "min_samples": data.draw(st.sampled_from([1, 2, 2.5, 4])),
        "smooth": data.draw(st.sampled_from([0.0, 3.5, "auto"])),
        "missing_key": data.draw(st.sampled_from(["own", "global"])),
    }
    known = table.part(slice(0, max(1, len(table.X) * 2 // 3)))
    reference = Dict(scaler, **policy)
    reference.learn(known.X, known.keys, known.weights)
    grouped = learned(scaler, known, **policy)
    assert_as_dict(grouped, reference, table)
    later = {name: data.draw(st.sampled_from(["global", "nan", "passthrough"])) for name in ["unseen"]}
    grouped.set_params(**later)
    reference.unseen = later["unseen"]
    assert_as_dict(grouped, reference, table)


def assert_as_dict(grouped, reference, table):
    """Fail where a table is not scaled as by the dict, or not refused as by it."""
    state = state_of(grouped)
    try:
        expected = reference.transform(table.X, table.keys)
    except ValueError:
        with pytest.raises(ValueError, match="Found unknown keys"):
            grouped.transform(table.X, groups=table.groups)
    else:
        assert_close(grouped.transform(table.X, groups=table.groups), expected)
    assert state_of(grouped) == state


@pytest.mark.parametrize("smooth", [0.0, 0.5, 10.0, "auto"])
def test_centres_are_pulled_as_by_scikit_learns_target_encoder(smooth, rng):
    """scikit-learn's encoding of a category is the centre that its values have here."""
    keys = rng.integers(0, 30, 500) ** 2 // 10
    y = rng.normal(keys % 7, 1 + keys % 3)
    keys[::97], y[::97] = -1 - np.arange(6), 100.0  # single rows
    y[keys == 8] = 3.25  # a constant
    theirs = TargetEncoder(target_type="continuous", smooth=smooth).fit(keys[:, np.newaxis], y)
    grouped = GroupedScaler(sknorm.StandardScaler(with_std=False), smooth=smooth).fit(y[:, np.newaxis], groups=keys)
    (categories,), (encodings,) = theirs.categories_, theirs.encodings_
    centres = -grouped.transform(np.zeros((len(categories), 1)), groups=categories)[:, 0]
    np.testing.assert_allclose(centres, encodings, rtol=1e-12, atol=1e-13)
    unknown = -grouped.transform([[0.0]], groups=[10**6])
    np.testing.assert_allclose(unknown, theirs.target_mean_, rtol=1e-12)


def test_a_share_is_n_over_n_plus_smooth():
    X, keys = np.array([[0.0], [2.0], [10.0], [10.0], [10.0]]), [*"aabbb"]
    mean, std = X.mean(), X.std()
    for smooth in (1.0, 6.0, 1e9):
        grouped = GroupedScaler(smooth=smooth).fit(X, groups=keys)
        for key, n, own_mean, own_std in (("a", 2, 1.0, 1.0), ("b", 3, 10.0, 0.0)):
            share = n / (n + smooth)
            z = (7.0 - mean - share * (own_mean - mean)) / (std + share * (own_std - std))
            np.testing.assert_allclose(grouped.transform([[7.0]], groups=[key]), z, rtol=1e-12)
        # What is shown of a group is its own.
        np.testing.assert_array_equal(grouped.mean_.ravel(), [1.0, 10.0])


def test_an_infinity_beside_the_values_is_none_of_theirs(rng):
    """Columns that hold keys, or that a slice leaves out, may hold anything."""
    for d in range(1, 10):
        wide = rng.normal(size=(50, d + 1))
        wide[:, d] = np.inf
        keys = np.arange(50) % 3
        for table in (wide, wide.astype(np.float32)):
            grouped = GroupedScaler()
            scaled = grouped.fit_transform(table[:, :d], groups=keys)
            assert_same_bits(grouped.transform(table[:, :d] + 0, groups=keys), scaled)
            inside = table.copy()
            inside[:, d] = np.where(keys == 2, np.inf, keys)
            assert_same_bits(GroupedScaler(by=d).fit_transform(inside), scaled)


@pytest.mark.parametrize("missing_key", ["own", "global"])
@each_setting
def test_batches_without_a_key(scaler, missing_key):
    X = np.array([[1.0, 2.0], [4.0, 8.0], [3.0, 3.0]])
    for first in (True, False):
        for verb in ("fit", "partial_fit", "fit_transform", "prequential_transform"):
            grouped = GroupedScaler(clone(scaler), missing_key=missing_key)
            if not first:
                grouped.fit(X * 2, groups=["a", "b", "a"])
            getattr(grouped, verb)(X, groups=[None, np.nan, None])
            assert grouped.transform(X, groups=[None, "a", None]).shape == X.shape
            forgets_first = verb.startswith("fit") or first
            known = [] if forgets_first else ["a", "b"]
            assert grouped.groups_.tolist() == known + [None] * (missing_key == "own")
            rows = X if forgets_first else np.vstack([X * 2, X])
            whole = clone(scaler).fit(rows)
            if clips_first(scaler) and not forgets_first:
                whole = clone(scaler).fit(X * 2).partial_fit(X)
            assert_close(grouped.global_scaler_.transform(X.copy()), whole.transform(X.copy()))


def test_a_column_that_a_group_has_no_value_of_follows_unseen():
    X = np.array([[np.nan, 1.0], [np.nan, 3.0], [5.0, 1.0], [7.0, 2.0]])
    for scaler in instances():
        if scaler.window == 7 or scaler.half_life:
            continue
        for unseen in ("global", "nan", "passthrough", "error"):
            grouped = GroupedScaler(clone(scaler), unseen=unseen).fit(X, groups=[*"aabb"])
            got = grouped.transform([[30.0, 1.0]], groups=["a"])[0, 0]
            there = grouped.global_scaler_.transform(np.array([[30.0, 1.0]]))[0, 0]
            np.testing.assert_allclose(got, {"global": there, "passthrough": 30.0}.get(unseen, np.nan))
            ahead = grouped.prequential_transform([[30.0, 1.0]], groups=["a"])[0, 0]
            np.testing.assert_allclose(ahead, got, rtol=1e-12)


# All of a year's transactions.


@pytest.mark.parametrize("key", ["CUSTOMER_ID", "TERMINAL_ID"])
def test_handbook_transactions_agree_with_pandas(key, data_folder):
    pytest.importorskip("pyarrow", reason="it reads the file", exc_type=ImportError)
    names = ["TX_AMOUNT", "TX_TIME_SECONDS"]
    frame = pd.read_parquet(data_folder / "handbook_transactions.parquet", columns=[key, *names])
    frame[names] = frame[names].astype(float)
    scaler = GroupedScaler(by=key).set_output(transform="pandas")
    scaled = scaler.fit_transform(frame)
    assert list(scaled.columns) == names
    by_key = frame.groupby(key)[names]
    spread = by_key.transform("std", ddof=0)
    expected = (frame[names] - by_key.transform("mean")) / spread.where(spread > 1e-9, 1.0)
    # pandas rounds where it sums; so far as seconds lie from zero, that shows.
    np.testing.assert_allclose(scaled, expected, rtol=1e-9, atol=1e-9)
    counts = frame.groupby(key, sort=False).size()
    assert scaler.groups_.tolist() == counts.index.tolist()
    assert scaler.group_counts_.tolist() == counts.tolist()
    ranged = GroupedScaler(sknorm.MinMaxScaler(), by=key).fit(frame)
    low, high = by_key.transform("min"), by_key.transform("max")
    span = (high - low).where(high > low, 1.0)
    np.testing.assert_allclose(ranged.transform(frame), (frame[names] - low) / span, rtol=1e-12, atol=1e-12)
    median = by_key.transform("median")
    robust = GroupedScaler(sknorm.RobustScaler(with_scaling=False), by=key).fit(frame)
    np.testing.assert_allclose(robust.transform(frame), frame[names] - median, rtol=1e-12, atol=1e-6)
