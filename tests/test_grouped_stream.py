"""GroupedScaler in a stream: rows scaled by the past of their group, groups folded, errors taken back, and readers."""

import contextlib
import copy
import pickle
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from grouping import Dict, assert_close, assert_same_bits, cuts, tables, whole_weights_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import SCALERS, clipper_of, clips_first, instances, name_of, reads_moments, without_clippers
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from strategies import picks

import sknorm
from sknorm import GroupedScaler, make_streaming_pipeline

# What is clipped first is no formula's; KINDS has some, and test_outliers_in_scalers.py.
ENTRIES = [entry for entry in SCALERS if without_clippers(entry)]
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.scaler.__name__.removesuffix("Scaler"))
# One scaler for each kind of store: tables, decay, windows, quantiles, windows of these, and two side by side.
KINDS = [
    sknorm.StandardScaler(),
    sknorm.StandardScaler(half_life=3.0),
    sknorm.MeanScaler(window=4),
    sknorm.MinMaxScaler(),
    sknorm.RobustScaler(chunk_size=3),
    sknorm.RobustScaler(window=4, chunk_size=3),
    sknorm.StandardScaler(outliers=sknorm.OutlierClipper("sigma", infinite="error", chunk_size=3)),
]
each_kind = pytest.mark.parametrize("scaler", KINDS, ids=name_of)

N_ROWS = 60


@pytest.fixture
def X(rng):
    X = np.round(rng.normal(5, 3, size=(N_ROWS, 3)) * 4) / 4
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


@pytest.fixture
def keys(rng):
    return rng.integers(0, 8, N_ROWS)


def snapshot(scaler):
    """Return all that a scaler holds, as text and as it scales rows of every key and of none."""
    if not scaler.__sklearn_is_fitted__():
        return {name: value for name, value in vars(scaler).items() if name != "_checked"}
    return scaler.to_json(), len(scaler.groups_), scaler._learned.groups.store.n_groups


def counts_of(grouped):
    return dict(zip(grouped.groups_.tolist(), grouped.group_counts_.tolist(), strict=True))


# Prequential.


@each_entry
@settings(max_examples=40)
@given(data=st.data())
def test_every_row_is_scaled_by_the_past_of_its_group(entry, data):
    scaler = clone(data.draw(st.sampled_from(without_clippers(entry))))
    if isinstance(scaler, sknorm.RobustScaler):
        scaler.set_params(chunk_size=data.draw(st.sampled_from([1, 3])))
    table = data.draw(tables(weights=whole_weights_of_rows, max_rows=20))
    policy = {
        "unseen": data.draw(st.sampled_from(["global", "nan", "passthrough"])),
        "min_samples": data.draw(st.sampled_from([1, 2, 2.5])),
        "smooth": data.draw(st.sampled_from([0.0, 0.0, 3.5, "auto"])),
        "missing_key": data.draw(st.sampled_from(["own", "global"])),
    }
    parts = data.draw(cuts(table))
    reference, grouped = Dict(scaler, **policy), GroupedScaler(scaler, **policy)
    learning = GroupedScaler(scaler, **policy)
    for part in parts:
        before = part.X.copy()
        expected = reference.prequential_transform(part.X, part.keys, part.weights)
        scaled = grouped.prequential_transform(part.X, sample_weight=part.weights, groups=part.groups)
        assert scaled.dtype == part.X.dtype
        assert_close(scaled, expected)
        assert_same_bits(part.X, before)
        learning.partial_fit(part.X, sample_weight=part.weights, groups=part.groups)
    # What was learned is what partial_fit learns.
    if table.weights is None:  # else a key comes with the first of its rows that counts
        assert grouped.groups_.tolist() == learning.groups_.tolist()
    assert counts_of(grouped) == pytest.approx(counts_of(learning))
    assert_close(grouped.transform(table.X, groups=table.groups), learning.transform(table.X, groups=table.groups))
    assert_close(grouped.transform(table.X, groups=table.groups), reference.transform(table.X, table.keys))


@each_entry
@settings(max_examples=30)
@given(data=st.data())
def test_any_split_of_a_stream_gives_the_same_rows(entry, data):
    scaler = clone(data.draw(st.sampled_from(without_clippers(entry))))
    if isinstance(scaler, sknorm.RobustScaler):
        scaler.set_params(chunk_size=1)
    table = data.draw(tables())
    smooth = data.draw(st.sampled_from([0.0, 2.0, "auto"]))
    whole, parts = GroupedScaler(scaler, smooth=smooth), GroupedScaler(scaler, smooth=smooth)
    expected = whole.prequential_transform(table.X, sample_weight=table.weights, groups=table.groups)
    scaled = []
    for part in data.draw(cuts(table, most=6)):
        scaled.append(parts.prequential_transform(part.X, sample_weight=part.weights, groups=part.groups))
    assert_close(np.concatenate(scaled), expected)
    assert_close(parts.transform(table.X, groups=table.groups), whole.transform(table.X, groups=table.groups))


@each_kind
@pytest.mark.parametrize("smooth", [0.0, 2.5])
def test_no_row_knows_a_later_one_or_itself(scaler, smooth, X, keys):
    make = lambda: GroupedScaler(clone(scaler), smooth=smooth)  # noqa: E731
    original = make().prequential_transform(X, groups=keys)
    for i in (0, 1, 20, 37, 58):
        changed = X.copy()
        changed[i + 1 :] = changed[i + 1 :] * -3 + 40
        later = make().prequential_transform(changed, groups=keys)
        assert_same_bits(later[: i + 1], original[: i + 1])
    start = 30
    grouped = make().partial_fit(X[:start], groups=keys[:start])
    state = grouped.transform(X[start : start + 1], groups=keys[start : start + 1])
    assert_close(grouped.prequential_transform(X[start:], groups=keys[start:])[:1], state)


@pytest.mark.parametrize(
    "scaler",
    [
        *KINDS,
        sknorm.StandardScaler(ddof=1.5),
        sknorm.StandardScaler(with_mean=False, clip=2.0, clip_mode="soft"),
        sknorm.MeanScaler(),
        sknorm.DecimalScaler(window=33),
    ],
    ids=name_of,
)
def test_prequential_of_many_rows(scaler, rng):
    """Blocks, prefetching and rows that are put off: more rows than any of these hold."""
    X = np.round(rng.normal(10, 4, size=(400, 3)) * 4) / 4
    keys = rng.zipf(1.3, 400) % 50 - 1
    keys[rng.random(400) < 0.05] = 3
    some = clone(scaler).set_params(copy=True)
    if isinstance(some, sknorm.RobustScaler):
        some.set_params(chunk_size=100)
    reference, grouped = Dict(some, min_samples=3), GroupedScaler(some, min_samples=3)
    for rows in (slice(0, 5), slice(5, 350), slice(350, None)):
        expected = reference.prequential_transform(X[rows], keys[rows].tolist())
        assert_close(grouped.prequential_transform(X[rows], groups=keys[rows]), expected)


@pytest.mark.parametrize("fitted", [False, True])
@each_kind
def test_unseen_error_refuses_keys_that_are_new(scaler, fitted, X, keys):
    grouped = GroupedScaler(clone(scaler), unseen="error")
    if fitted:
        grouped.fit(X, groups=keys)
        grouped.prequential_transform(X, groups=keys)
    before = snapshot(grouped)
    for bad in ([*keys[:-1], 99], [99, *keys[1:]]):
        with pytest.raises(ValueError, match=r"Found unknown keys \[(99|\d)"):
            grouped.prequential_transform(X, groups=bad)
        assert snapshot(grouped) == before


# A bound on the number of groups.


@each_entry
@settings(max_examples=40)
@given(data=st.data())
def test_the_least_recently_updated_groups_are_folded(entry, data):
    """Without NaN and without memory loss, a folded group is a scaler of all its groups' rows."""
    some = [scaler for scaler in without_clippers(entry) if not (scaler.window or scaler.half_life)]
    scaler = data.draw(st.sampled_from(some))
    if isinstance(scaler, sknorm.RobustScaler):
        scaler.set_params(chunk_size=data.draw(st.sampled_from([5, 100])))
    table = data.draw(tables(min_rows=8, max_rows=40, weights=whole_weights_of_rows, composite=False))
    table = table._replace(X=np.nan_to_num(table.X))
    most = data.draw(st.sampled_from([1, 2, 3, 40]))
    policy = {
        "unseen": data.draw(st.sampled_from(["global", "nan", "error"])),
        "min_samples": data.draw(st.sampled_from([1, 2])),
        "missing_key": data.draw(st.sampled_from(["own", "global"])),
        "max_groups": most,
    }
    reference, grouped = Dict(scaler, **policy), GroupedScaler(clone(scaler), **policy)
    n_rows = 0.0
    for part in data.draw(cuts(table)):
        has_key = np.array([reference.key_of(key) is key for key in part.keys])
        n_rows += has_key.sum() if part.weights is None else part.weights[has_key].sum()
        if data.draw(st.booleans()) or policy["unseen"] == "error":
            reference.learn(part.X, part.keys, part.weights)
            grouped.partial_fit(part.X, sample_weight=part.weights, groups=part.groups)
        else:
            expected = reference.prequential_transform(part.X, part.keys, part.weights)
            assert_close(
                grouped.prequential_transform(part.X, sample_weight=part.weights, groups=part.groups), expected
            )
        assert len(grouped.groups_) <= most
        assert set(grouped.groups_.tolist()) == set(reference.groups)
        assert grouped.n_folded_ == reference.n_folded
        folded = grouped.folded_scaler_
        in_all = grouped.group_counts_.sum() + (0 if folded is None else reference.folded.weight)
        assert in_all == pytest.approx(n_rows)
        whole = clone(scaler).fit(reference.everything.values, sample_weight=reference.everything.weights)
        assert_close(grouped.global_scaler_.transform(table.X.copy()), whole.transform(table.X.copy()))
        if folded is not None and reference.folded.weight:
            assert_close(folded.transform(table.X.copy()), reference.folded.scaler.transform(table.X.copy()))
    try:
        expected = reference.transform(table.X, table.keys)
    except ValueError:
        with pytest.raises(ValueError, match="Found unknown keys"):
            grouped.transform(table.X, groups=table.groups)
    else:
        assert_close(grouped.transform(table.X, groups=table.groups), expected)


def test_a_sixteenth_is_folded_at_least():
    X = np.arange(100.0)[:, np.newaxis]
    grouped = GroupedScaler(max_groups=64).partial_fit(X[:64], groups=np.arange(64))
    assert grouped.n_folded_ == 0
    assert grouped.folded_scaler_ is None
    grouped.partial_fit(X[:3], groups=[0, 2, 1]).partial_fit(X[64:65], groups=[64])
    assert grouped.n_folded_ == 5
    assert grouped.groups_.tolist() == [0, 1, 2, *range(8, 65)]
    np.testing.assert_array_equal(grouped.folded_scaler_.mean_, [5.0])
    # A key that comes back begins anew; what was folded stays folded.
    grouped.partial_fit([[1000.0]], groups=[5])
    assert grouped.mean_[grouped.groups_.tolist().index(5)] == 1000.0
    np.testing.assert_array_equal(grouped.folded_scaler_.mean_, [5.0])


@each_kind
def test_endless_new_keys(scaler, rng):
    grouped, n_rows = GroupedScaler(clone(scaler), max_groups=10), 0
    for i in range(30):
        keys = rng.integers(i * 5, i * 5 + 12, 17)
        verb = grouped.partial_fit if i % 2 else grouped.prequential_transform
        verb(rng.normal(size=(17, 2)), groups=keys)
        n_rows += 17
        assert 1 <= len(grouped.groups_) <= 10
        assert len(grouped.group_counts_) == len(grouped.groups_) == len(grouped.scale_)
    folded_rows = grouped._learned.groups.folded.n_rows
    assert grouped.group_counts_.sum() + folded_rows == n_rows
    assert grouped.n_folded_ > 30
    out = grouped.transform(rng.normal(size=(4, 2)), groups=[-1, -2, 10_000, keys[-1]])
    assert np.isfinite(out).all()


@each_kind
def test_a_bound_set_later_holds_from_the_next_batch_on(scaler, X, keys):
    grouped = GroupedScaler(clone(scaler)).fit(X, groups=keys)
    n_groups = len(grouped.groups_)
    grouped.set_params(max_groups=3)
    assert len(grouped.groups_) == n_groups
    grouped.partial_fit(X[:2], groups=[100, 100])
    assert len(grouped.groups_) == 3
    assert 100 in grouped.groups_
    grouped.set_params(max_groups=None).partial_fit(X[:8], groups=range(200, 208))
    assert len(grouped.groups_) == 11


def test_fit_with_too_many_keys_keeps_those_that_came_last(X):
    keys = np.arange(N_ROWS)
    for verb in ("fit", "fit_transform", "prequential_transform"):
        grouped = GroupedScaler(sknorm.MeanScaler(), max_groups=7)
        getattr(grouped, verb)(X, groups=keys)
        assert grouped.groups_.tolist() == keys[-7:].tolist()
        assert grouped.n_folded_ == N_ROWS - 7
        expected = sknorm.MeanScaler().fit(X[:-7]).transform(X[:-7])
        assert_close(grouped.transform(X[:-7], groups=keys[:-7]), expected)


@each_kind
def test_fit_transform_is_fit_then_transform_where_groups_are_folded(scaler, X, keys):
    for most in (1, 3, 8):
        one, other = (GroupedScaler(clone(scaler), max_groups=most) for _ in range(2))
        scaled = one.fit_transform(X, groups=keys)
        assert_same_bits(scaled, other.fit(X, groups=keys).transform(X, groups=keys))
        assert one.to_json() == other.to_json()


def test_merge_keeps_the_bound(X, keys):
    one, other = (GroupedScaler(max_groups=6) for _ in range(2))
    one.fit(X[:30], groups=keys[:30])
    other.fit(X[30:], groups=keys[30:] + 100)
    n_folded = one.n_folded_ + other.n_folded_
    one.merge(other)
    assert len(one.groups_) == 6
    assert one.n_folded_ == n_folded + 6
    assert one.group_counts_.sum() + one._learned.groups.folded.n_rows == N_ROWS
    assert_close(one.global_scaler_.transform(X), sknorm.StandardScaler().fit(X).transform(X))


# All or nothing.


class Unhashable:
    """Cannot be a key."""

    __hash__ = None


def huge(X):
    X = X.copy()
    X[-2:, 1] = -1.7e308, 1.7e308
    return X


def infinite(X):
    X = X.copy()
    X[-1, -1] = np.inf
    return X


FAULTS = {
    "infinity": lambda X, keys: (infinite(X), keys),
    "infinity in the first row": lambda X, keys: (infinite(X)[::-1], keys[::-1]),
    "missing key": lambda X, keys: (X, [*keys[:-1], None]),
    "unhashable key": lambda X, keys: (X, [*keys[:-1], Unhashable()]),
    "a set": lambda X, keys: (X, [*keys[:-1], {1}]),
    "too wide": lambda X, keys: (np.hstack([X, X]), keys),
    "text": lambda X, keys: (np.where(np.arange(3) == 2, "text", X.astype(object)), keys),
    "too few keys": lambda X, keys: (X, keys[:-1]),
    "keys of two parts": lambda X, keys: (X, np.column_stack([keys, keys])),
    "no keys": lambda X, keys: (X, None),
    "no rows": lambda X, keys: (X[:0], keys[:0]),
    "overflow": lambda X, keys: (huge(X), [*keys[:-2], 1, 1]),
    "overflow in a new group": lambda X, keys: (huge(X), [*keys[:-2], 77, 77]),
    "overflow of all rows": lambda X, keys: (huge(X), [*keys[:-2], 77, 78]),
    "one-dimensional": lambda X, keys: (X[:, 0], keys),
}
# What a scaler is that nothing was refused, by its setting and whether it was fitted; the tables are always the same.
GOING_ON = {}
OVERFLOWING = (sknorm.StandardScaler, sknorm.MeanScaler, sknorm.MinMaxScaler)


@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform", "fit", "fit_transform"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fitted", [False, True], ids=["first", "later"])
@each_kind
def test_what_is_refused_changes_nothing(scaler, fitted, fault, verb, X, keys):
    begins = not fitted or verb in ("fit", "fit_transform")
    if begins and fault in ("no keys", "too wide", "keys of two parts"):
        return  # which is no fault in a first batch
    if "overflow" in fault and not isinstance(scaler, OVERFLOWING):
        return
    grouped = GroupedScaler(clone(scaler), missing_key="error", max_groups=20)
    if fitted:
        grouped.fit(X, groups=keys)
    before = snapshot(grouped)
    bad, bad_keys = FAULTS[fault](X, [*keys[:-1].tolist(), 99])
    with pytest.raises((ValueError, TypeError)):
        getattr(grouped, verb)(bad, groups=bad_keys)
    assert snapshot(grouped) == before
    # And goes on as if nothing had been.
    grouped.partial_fit(X, groups=keys + 3)
    if (key := (name_of(scaler), fitted)) not in GOING_ON:
        twin = GroupedScaler(clone(scaler), missing_key="error", max_groups=20)
        if fitted:
            twin.fit(X, groups=keys)
        GOING_ON[key] = twin.partial_fit(X, groups=keys + 3).to_json()
    assert grouped.to_json() == GOING_ON[key]


@each_kind
def test_refused_merges_change_nothing(scaler, X, keys):
    grouped = GroupedScaler(clone(scaler)).fit(X, groups=keys)
    before = snapshot(grouped)
    other = {
        "parameter smooth": GroupedScaler(clone(scaler), smooth=1.0).fit(X, groups=keys),
        "parameter scaler__clip": GroupedScaler(clone(scaler).set_params(clip=9.0)).fit(X, groups=keys),
        "number of columns": GroupedScaler(clone(scaler)).fit(X[:, :2], groups=keys),
        "feature names": GroupedScaler(clone(scaler)).fit(pd.DataFrame(X, columns=list("abc")), groups=keys),
        "number of parts of a key": GroupedScaler(clone(scaler)).fit(X),
        "parameter by": GroupedScaler(clone(scaler), by=0).fit(np.column_stack([keys[:, np.newaxis], X[:, :2]])),
        "parameter scaler": GroupedScaler(sknorm.DecimalScaler()).fit(X, groups=keys),
    }
    for what, one in other.items():
        with pytest.raises(ValueError, match=f"must have the same {what}"):
            grouped.merge(one)
        assert snapshot(grouped) == before
    for wrong in (clone(scaler).fit(X), None):
        with pytest.raises(TypeError, match="merges with its own kind"):
            grouped.merge(wrong)
    with pytest.raises(NotFittedError):
        grouped.merge(GroupedScaler(clone(scaler)))
    with pytest.raises(NotFittedError):
        GroupedScaler(clone(scaler)).merge(grouped)
    if scaler.window:
        with pytest.raises(ValueError, match="Windows cannot be merged"):
            grouped.merge(GroupedScaler(clone(scaler)).fit(X, groups=keys))
    assert snapshot(grouped) == before


@pytest.mark.parametrize("scaler", [kind for kind in KINDS if isinstance(kind, OVERFLOWING) and not kind.window])
def test_a_merge_that_overflows_changes_nothing(scaler):
    low, high = (GroupedScaler(clone(scaler)).fit([[sign * 1.7e308]], groups=[1]) for sign in (-1, 1))
    before = snapshot(low)
    with pytest.raises(ValueError, match="overflows"):
        low.merge(high)
    assert snapshot(low) == before


PLACES = ["store.put", "store.resize", "store.take", "index.add", "index.find", "about.resize", "index.keep"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform", "merge"])
@each_kind
def test_without_memory_nothing_changes(scaler, verb, place, moment, X, keys, monkeypatch):
    """Wherever memory runs out, at whatever call."""
    if verb == "merge" and scaler.window:
        return
    owner, name = place.split(".")
    if isinstance(scaler, sknorm.RobustScaler):
        scaler = clone(scaler).set_params(chunk_size=25)  # two chunks
    if scaler.outliers is not None:
        scaler = clone(scaler).set_params(outliers__chunk_size=25)
    more = GroupedScaler(clone(scaler), max_groups=9).fit(X[:40], groups=keys[:40] + 5)
    fitted = GroupedScaler(clone(scaler), max_groups=9).fit(X, groups=keys)
    before, twin = snapshot(fitted), copy.deepcopy(fitted).partial_fit(X[:40], groups=keys[:40] + 5).to_json()
    for which in range(1, 24):
        grouped = copy.deepcopy(fitted)
        kind, calls = type(getattr(grouped._learned.groups, owner)), [0]
        original = getattr(kind, name)

        def failing(self, *args, original=original, calls=calls, which=which, **kwargs):
            calls[0] += 1
            if calls[0] != which:
                return original(self, *args, **kwargs)
            if moment == "after" and name in ("put", "resize"):
                original(self, *args, **kwargs)
            raise MemoryError("out of memory")

        with monkeypatch.context() as patch:
            patch.setattr(kind, name, failing)
            try:
                if verb == "merge":
                    grouped.merge(more)
                else:
                    getattr(grouped, verb)(X[:40], groups=keys[:40] + 5)
            except MemoryError:
                pass
            else:
                assert calls[0] < which
                break
        assert snapshot(grouped) == before
        grouped.partial_fit(X[:40], groups=keys[:40] + 5)
        assert grouped.to_json() == twin
    else:
        raise AssertionError("called more often than expected")
    assert calls[0] or name in ("keep", "find", "take", "resize", "add"), "was never called"


# Large numbers.

EXTREME = [1e308, -1e308, 1.7e308, 1e154, 1e150, 1e-308, 5e-324, 0.0, 1.0, -1.0, 3.5]


@each_entry
@settings(max_examples=40)
@given(data=st.data())
def test_large_values_are_scaled_or_refused(entry, data):
    """A finite value is never made an infinity or NaN by a group that is known, or else nothing was learned."""
    scaler = clone(data.draw(st.sampled_from(without_clippers(entry))))
    n_rows = data.draw(st.integers(1, 12))
    X, keys = picks(data.draw, EXTREME, (n_rows, 2)), picks(data.draw, range(4), n_rows)
    smooth, messages = data.draw(st.sampled_from([0.0, 3.5, "auto"])), []
    for verb in ("fit", "partial_fit", "prequential_transform"):
        grouped = GroupedScaler(scaler, smooth=smooth)
        if verb != "fit":
            grouped.fit([[1.0, 2.0], [3.0, 1.0]], groups=[0, 0])
        before = snapshot(grouped)
        with np.errstate(over="ignore"):  # of values divided by a scale that is small
            try:
                getattr(grouped, verb)(X, groups=keys)
            except ValueError as error:
                messages.append(str(error))
                assert snapshot(grouped) == before
                continue
            scaled = grouped.transform(X, groups=keys)
        assert not np.isnan(scaled).any()
    assert all("overflows" in message for message in messages)


def test_constant_and_single_rows_are_scaled_to_finite_values(rng):
    X = np.vstack([np.full((5, 2), 7.25), [[3.0, -2.0]], np.full((4, 2), 1e300), np.full((3, 2), -1e-300)])
    keys = [*"aaaaa", "b", *"cccc", *"ddd"]
    for scaler in instances():
        for smooth in (0.0, 3.5, "auto"):
            grouped = GroupedScaler(clone(scaler), smooth=smooth, by=None)
            if isinstance(scaler, sknorm.MeanScaler) or reads_moments(scaler):  # all rows together: squares of 1e300
                grouped.fit(X[X[:, 0] < 1e300], groups=[*"aaaaabddd"])
            else:
                grouped.fit(X, groups=keys)
            scaled = grouped.transform(X, groups=keys)
            own = X[:, 0] < 1e300 if "c" not in grouped.groups_ else slice(None)
            drops = getattr(clipper_of(scaler), "action", None) == "missing"
            assert (np.isfinite(scaled[own]) | (drops & np.isnan(scaled[own]))).all(), name_of(scaler)


# Cost.


@each_kind
def test_a_batch_touches_its_own_groups_alone(scaler, rng, monkeypatch):
    grouped = GroupedScaler(clone(scaler)).fit(rng.normal(size=(3_000, 2)), groups=np.arange(3_000))
    groups = grouped._learned.groups
    sizes = []
    for name in ("take", "put"):
        original = getattr(type(groups.store), name)

        def recorded(self, some, *args, original=original):
            sizes.append(len(some))
            return original(self, some, *args)

        monkeypatch.setattr(type(groups.store), name, recorded)
    X, keys = rng.normal(size=(20, 2)), [*range(0, 100, 10), *range(5_000, 5_010)]
    for verb in (grouped.partial_fit, grouped.prequential_transform, grouped.transform):
        sizes.clear()
        verb(X, groups=keys)
        assert sizes
        assert max(sizes) <= len(keys)


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@each_kind
def test_memory_of_a_batch_does_not_grow_with_the_groups(scaler, rng):
    """Which is to say: nothing is copied, nor gone through, of groups that the batch does not have."""
    X, keys = rng.normal(size=(100, 3)), np.arange(0, 1_000, 10)
    peaks = []
    for n_groups in (1_000, 40_000):
        grouped = GroupedScaler(clone(scaler)).fit(rng.normal(size=(n_groups, 3)), groups=np.arange(n_groups))
        grouped.partial_fit(X, groups=keys + 7)
        for verb in (grouped.partial_fit, grouped.prequential_transform, grouped.transform):
            verb(X, groups=keys)
        peaks.append(
            [peak_of(lambda verb=verb: verb(X, groups=keys)) for verb in (grouped.partial_fit, grouped.transform)]
        )
    few, many = np.array(peaks)
    assert (many < 1.5 * few + 100_000).all()


@pytest.mark.parametrize(
    ("scaler", "fields"), [(sknorm.StandardScaler(), 4), (sknorm.MinMaxScaler(), 3)], ids=["4", "3"]
)
def test_memory_of_a_hundred_thousand_keys(scaler, fields):
    n_groups = 100_000
    X, keys = np.random.default_rng(0).normal(size=(n_groups, 3)), np.random.default_rng(1).permutation(n_groups) * 977
    tracemalloc.start()
    try:
        grouped = GroupedScaler(scaler).fit(X, groups=keys)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(grouped.groups_) == n_groups
    assert fields * n_groups * 3 * 8 <= held <= fields * n_groups * 3 * 8 + 120 * n_groups


# Pipelines.


class Failing(TransformerMixin, BaseEstimator):
    """Fails at the rows that it is told."""

    def __init__(self, fail=False, verb="partial_fit"):
        self.fail = fail
        self.verb = verb

    def fit(self, X, y=None):
        return self.partial_fit(X)

    def partial_fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        if self.fail and self.verb == "partial_fit":
            raise RuntimeError("failed")
        return self

    def transform(self, X):
        if self.fail and self.verb == "transform":
            raise RuntimeError("failed")
        return X


def frame_of(X, keys):
    return pd.DataFrame(X, columns=list("abc")).assign(key=[f"key {key}" for key in keys])[["a", "key", "b", "c"]]


@pytest.mark.parametrize("verb", ["partial_fit", "transform"])
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("fitted", [False, True], ids=["first", "later"])
@each_kind
def test_a_later_step_that_fails_takes_the_groups_back(scaler, fitted, nested, verb, X, keys):
    frame = frame_of(X, keys)
    grouped, failing = GroupedScaler(clone(scaler), by="key", max_groups=6), Failing(verb=verb)
    pipeline = make_streaming_pipeline(grouped, sknorm.StandardScaler(), failing, sknorm.MaxAbsScaler())
    if nested:
        pipeline = make_streaming_pipeline(
            make_streaming_pipeline(grouped, sknorm.StandardScaler()), failing, sknorm.MaxAbsScaler()
        )
    if fitted:
        pipeline.partial_fit(frame[:30])
    before = snapshot(grouped)
    failing.fail = True
    new = frame.assign(key=frame["key"] + " more")
    for call in (
        lambda: pipeline.partial_fit(new),
        lambda: pipeline.prequential_transform(new, chunk_size=7),
        lambda: pipeline.partial_fit(frame),
    ):
        with pytest.raises(RuntimeError, match="failed"):
            call()
        assert snapshot(grouped) == before
    # And goes on as if nothing had been.
    failing.fail = False
    pipeline.partial_fit(new)
    twin = clone(grouped).partial_fit(frame[:30]) if fitted else clone(grouped)
    assert grouped.to_json() == twin.partial_fit(new).to_json()


def test_a_pipeline_that_failed_at_the_last_chunk_goes_on(X, keys):
    """Chunks that were learned before the one that failed are taken back too."""
    frame = frame_of(X, keys)
    grouped = GroupedScaler(by="key", max_groups=6)
    pipeline = make_streaming_pipeline(grouped, sknorm.MaxAbsScaler()).partial_fit(frame[:20])
    before = snapshot(grouped)
    bad = frame.copy()
    bad.loc[N_ROWS - 1, "c"] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        pipeline.prequential_transform(bad, chunk_size=10)
    assert snapshot(grouped) == before
    pipeline.prequential_transform(frame, chunk_size=10)
    twin = clone(grouped).partial_fit(frame[:20])
    for start in range(0, N_ROWS, 10):
        twin.prequential_transform(frame[start : start + 10])
    assert grouped.to_json() == twin.to_json()


@each_kind
def test_in_a_streaming_pipeline(scaler, X, keys, rng):
    X = np.nan_to_num(X, nan=2.0)
    y, frame = (X[:, 0] > 5).astype(int), frame_of(X, keys)
    pipeline = make_streaming_pipeline(
        GroupedScaler(clone(scaler), by="key"), SGDClassifier(loss="log_loss", random_state=0)
    )
    scores = pipeline.prequential_predict_proba(frame, y, classes=[0, 1], chunk_size=20)
    grouped, model = GroupedScaler(clone(scaler), by="key"), SGDClassifier(loss="log_loss", random_state=0)
    expected = np.full((20, 2), 0.5)
    model.partial_fit(grouped.partial_fit(frame[:20]).transform(frame[:20]), y[:20], classes=[0, 1])
    for start in (20, 40):
        rows = slice(start, start + 20)
        Z = grouped.prequential_transform(frame[rows])
        expected = np.vstack([expected, model.predict_proba(Z)])
        model.partial_fit(Z, y[rows])
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    twin = sknorm.from_json(make_streaming_pipeline(pipeline[0], sknorm.MaxAbsScaler()).to_json())
    assert twin[0].to_json() == pipeline[0].to_json()


# Threads.

N_BATCHES = 15


@pytest.fixture
def often():
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def read_while(write, read, n_readers=3):
    """Return what threads read while the calling thread writes, at least once each."""
    done, started, seen = threading.Event(), threading.Barrier(n_readers + 1, timeout=30), []

    def reader():
        started.wait()
        while not done.is_set():
            seen.append(read())
        seen.append(read())

    with ThreadPoolExecutor(n_readers) as pool:
        readers = [pool.submit(reader) for _ in range(n_readers)]
        try:
            started.wait()
            write()
        finally:
            done.set()
        for future in readers:
            future.result(timeout=60)
    return seen


def moving_batches(rng):
    """Return batches that move mean and range of every group each time, with ever new keys."""
    for i in range(N_BATCHES):
        keys = [*range(5), 100 + i, 100 + i // 3, None]
        yield rng.normal(10.0 ** rng.uniform(-2, 3), 2.0 ** rng.uniform(-2, 5), size=(len(keys), 3)), keys


READS = {
    "transform": lambda grouped, X, keys: grouped.transform(X, groups=keys).tobytes(),
    "pickle": lambda grouped, X, keys: pickle.loads(pickle.dumps(grouped)).transform(X, groups=keys).tobytes(),
    "deepcopy": lambda grouped, X, keys: copy.deepcopy(grouped).transform(X, groups=keys).tobytes(),
    "to_json": lambda grouped, X, keys: grouped.to_json(),
    "counts": lambda grouped, X, keys: grouped.group_counts_.tobytes(),
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    ("parameters", "read"),
    [
        *(({}, read) for read in READS),
        *(({"max_groups": 6}, read) for read in READS),
        ({"smooth": 2.0}, "transform"),
        ({"missing_key": "global", "min_samples": 3}, "transform"),
    ],
    ids=str,
)
@each_kind
def test_readers_see_the_states_between_batches(scaler, parameters, read, rng):
    batches = list(moving_batches(rng))
    probe, probe_keys = rng.normal(size=(8, 3)), [0, 3, 101, 113, 120, None, 10**6, 4]
    alone, states = GroupedScaler(clone(scaler), **parameters), set()
    for i, (X, keys) in enumerate(batches):
        alone.partial_fit(X, groups=keys) if i % 2 == 0 else alone.prequential_transform(X, groups=keys)
        states.add(READS[read](alone, probe, probe_keys))
    shared = GroupedScaler(clone(scaler), **parameters).partial_fit(batches[0][0], groups=batches[0][1])

    def write():
        for i, (X, keys) in enumerate(batches[1:], start=1):
            shared.partial_fit(X, groups=keys) if i % 2 == 0 else shared.prequential_transform(X, groups=keys)

    seen = read_while(write, lambda: READS[read](shared, probe, probe_keys))
    assert set(seen) <= states
    assert READS[read](shared, probe, probe_keys) == READS[read](alone, probe, probe_keys)


@pytest.mark.usefixtures("often")
@each_kind
def test_readers_beside_a_writer_that_fails(scaler, rng):
    X, keys = rng.normal(size=(30, 3)), rng.integers(0, 5, 30)
    shared = GroupedScaler(clone(scaler)).fit(X, groups=keys)
    expected = shared.transform(X, groups=keys).tobytes()
    grouped = GroupedScaler(clone(scaler), by="key").fit(frame_of(X, keys))
    in_pipeline = make_streaming_pipeline(grouped, Failing(fail=True, verb="partial_fit"), sknorm.MaxAbsScaler())
    before = snapshot(grouped)

    def write():
        for _ in range(10):
            with pytest.raises(ValueError, match="infinity"):
                shared.partial_fit(infinite(X), groups=keys + 3)
            with pytest.raises(RuntimeError, match="failed"):
                in_pipeline.partial_fit(frame_of(X * 3, keys + 100))

    assert set(read_while(write, lambda: shared.transform(X, groups=keys).tobytes())) == {expected}
    assert snapshot(grouped) == before


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("by", [None, 0])
@each_kind
def test_readers_beside_a_writer_that_changes_the_width(scaler, by, rng):
    narrow, wide = (np.column_stack([np.arange(9) % 3, rng.normal(size=(9, d))]) for d in (2, 60))
    expected = {GroupedScaler(clone(scaler), by=by).fit(table).transform(table).tobytes() for table in (narrow, wide)}
    shared = GroupedScaler(clone(scaler), by=by).fit(narrow)

    def write():
        for _ in range(25):
            shared.fit(wide)
            shared.fit(narrow)

    def read():
        seen = set()
        for table in (narrow, wide):
            with contextlib.suppress(ValueError):
                seen.add(shared.transform(table).tobytes())
        return seen

    assert set().union(*read_while(write, read)) <= expected


@pytest.mark.usefixtures("often")
@each_kind
def test_writers_wait_for_each_other(scaler, rng):
    batches = [(rng.normal(size=(9, 2)), rng.integers(0, 40, 9)) for _ in range(60)]
    shared = GroupedScaler(clone(scaler)).fit(rng.normal(size=(5, 2)), groups=[-1] * 5)

    def learn(part):
        for X, keys in part:
            shared.partial_fit(X, groups=keys)

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(learn, batches[i::3]) for i in range(3)]:
            future.result(timeout=60)
    everything = np.concatenate([keys for _, keys in batches])
    assert counts_of(shared) == {-1: 5} | {key: int((everything == key).sum()) for key in set(everything.tolist())}
    if scaler.window is None and scaler.half_life is None and not clips_first(scaler):
        X = np.concatenate([X for X, _ in batches])
        batch = GroupedScaler(clone(scaler)).fit(X, groups=everything)
        assert_close(shared.transform(X, groups=everything), batch.transform(X, groups=everything))


@pytest.mark.usefixtures("often")
def test_two_scalers_that_merge_with_each_other_do_not_wait_forever(X, keys):
    one, other = (GroupedScaler().fit(X, groups=keys + i) for i in range(2))

    def merge(a, b):
        for _ in range(15):
            a.merge(b)
            b.partial_fit(X, groups=keys)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(merge, one, other), pool.submit(merge, other, one)]:
            future.result(timeout=60)
    assert len(one.groups_) == len(one.group_counts_)
