"""Many scalers as one: `sknorm.merge`. What `scaler.merge` does to one other is in test_laws.py."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import SCALERS, assert_same, clips_first, forgetting, instances, name_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from strategies import tables

import sknorm
from sknorm import MinMaxScaler, RobustScaler, StandardScaler

CLASSES = [entry.scaler for entry in SCALERS]
REMEMBERING = [scaler for scaler in instances() if not forgetting(scaler) and not clips_first(scaler)]
N_SHARDS = 32

each_setting = pytest.mark.parametrize("scaler", REMEMBERING, ids=name_of)
each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)


@pytest.fixture
def X(rng):
    """Return 1,000 rows: near zero, far and farther from it, of few values, constant, and rarely there."""
    X = rng.normal([0, 1e8, 1e12, 0, 7.25, 3], [1, 1, 1, 2, 0, 1], size=(1000, 6))
    X[:, 3] = np.round(X[:, 3])
    X[rng.random(X.shape) < 0.05] = np.nan
    X[30:970, 5] = np.nan
    return X


@pytest.fixture
def shards(rng, X):
    """Return the rows in 32 parts of any size, one row at least; the last column has no value in most."""
    cuts = np.sort(rng.choice(np.arange(1, len(X)), N_SHARDS - 1, replace=False))
    return np.split(X, cuts)


def state_of(scaler):
    """Return the bits of all that a scaler holds."""
    return {name: pickle.dumps(value) for name, value in vars(scaler).items()}


def assert_is_batch(merged, batch, X):
    assert_same(merged._learned.statistic, batch._learned.statistic, X)
    np.testing.assert_array_equal(merged.n_samples_seen_, batch.n_samples_seen_)
    np.testing.assert_allclose(merged.transform(X.copy()), batch.transform(X.copy()), rtol=1e-9, atol=1e-9)


@each_setting
def test_32_shards_in_any_order_are_the_batch(scaler, X, shards, rng):
    parts = [clone(scaler).fit(shard) for shard in shards]
    before = [state_of(part) for part in parts]
    batch = clone(scaler).fit(X)
    for order in (range(N_SHARDS), reversed(range(N_SHARDS)), rng.permutation(N_SHARDS)):
        merged = sknorm.merge([parts[i] for i in order])
        assert type(merged) is type(scaler)
        assert merged.get_params() == scaler.get_params()
        assert_is_batch(merged, batch, X)
    assert [state_of(part) for part in parts] == before


@each_setting
def test_shards_merged_as_a_tree_are_the_batch(scaler, X, shards):
    level = [clone(scaler).partial_fit(shard) for shard in shards]
    while len(level) > 1:
        level = [sknorm.merge(level[i : i + 2]) for i in range(0, len(level), 2)]
    assert_is_batch(level[0], clone(scaler).fit(X), X)


@each_setting
def test_weighted_shards_are_the_weighted_batch(scaler, X, rng):
    weights, cuts = rng.choice([0.25, 0.5, 1.0, 3.0], len(X)), range(31, 1000, 31)
    pairs = zip(np.split(X, cuts), np.split(weights, cuts), strict=True)
    parts = [clone(scaler).fit(rows, sample_weight=some) for rows, some in pairs]
    assert_is_batch(sknorm.merge(parts), clone(scaler).fit(X, sample_weight=weights), X)


@pytest.mark.parametrize("name", [entry.scaler.__name__ for entry in SCALERS])
@settings(max_examples=50)
@given(data=st.data())
def test_any_parts_of_any_table(name, data):
    entry = next(entry for entry in SCALERS if entry.scaler.__name__ == name)
    every = [setting for setting in ({}, *entry.settings) if not setting.get("outliers")]  # which learn by parts
    usable = [setting for setting in every if not forgetting(entry.scaler(**setting))]
    setting, X = data.draw(st.sampled_from(usable)), data.draw(tables())
    rows = [[row] for row in range(len(X))]  # the smallest parts
    parts = [entry.scaler(**setting).fit(X[part]) for part in data.draw(st.permutations(rows))]
    assert_same(sknorm.merge(parts)._learned.statistic, entry.scaler(**setting).fit(X)._learned.statistic, X)


@each_class
def test_it_is_merge_folded(scaler_class, shards):
    """The same scalers in the same order give the same bits."""
    parts = [scaler_class().fit(shard) for shard in shards]
    folded = copy.deepcopy(parts[0])
    for part in parts[1:]:
        folded.merge(part)
    for merged in (sknorm.merge(parts), sknorm.merge(copy.deepcopy(parts))):
        assert merged.to_json() == folded.to_json()


@each_class
def test_any_iterable_is_accepted(scaler_class, shards):
    parts = [scaler_class().fit(shard) for shard in shards[:4]]
    expected = sknorm.merge(parts).to_json()
    for scalers in (tuple(parts), iter(parts), (part for part in parts), dict(enumerate(parts)).values()):
        assert sknorm.merge(scalers).to_json() == expected


@each_class
def test_one_scaler_gives_a_copy(scaler_class, X):
    some = scaler_class().fit(X)
    merged = sknorm.merge([some])
    assert merged is not some
    assert state_of(merged) == state_of(some)


@each_class
def test_the_merged_one_is_independent_of_its_parts(scaler_class, X, shards):
    parts = [scaler_class().fit(shard) for shard in shards]
    merged = sknorm.merge(parts)
    before, image = [state_of(part) for part in parts], merged.transform(X)
    name = "clip" if "clip" in merged.get_params() else "fold"
    parts[0].partial_fit(X * 3).set_params(**{name: 9.0})
    parts[1].fit(X[:, :2])
    np.testing.assert_array_equal(merged.transform(X), image)
    assert merged.get_params() == scaler_class().get_params()
    del before[:2]
    merged.partial_fit(X * 5).set_params(**{name: 7.0}).set_output(transform="pandas")
    assert [state_of(part) for part in parts[2:]] == before
    assert parts[0].get_params()[name] == 9.0
    assert not hasattr(parts[0], "_sklearn_output_config")


@each_class
def test_the_same_scaler_many_times_counts_many_times(scaler_class, X):
    some = scaler_class().fit(X)
    assert_same(
        sknorm.merge([some] * 3)._learned.statistic, scaler_class().fit(np.vstack([X] * 3))._learned.statistic, X
    )


@each_class
def test_names_and_output_stay(scaler_class, X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    parts = [scaler_class().set_output(transform="pandas").fit(frame[:500]), scaler_class().fit(frame[500:])]
    merged = sknorm.merge(parts)
    assert merged.feature_names_in_.tolist() == list("abcdef")
    out = merged.transform(frame)
    pd.testing.assert_frame_equal(out, scaler_class().set_output(transform="pandas").fit(frame).transform(frame))


@each_class
def test_the_merged_one_goes_on(scaler_class, X):
    merged = sknorm.merge([scaler_class().fit(X[:300]), scaler_class().fit(X[300:600])])
    assert_is_batch(merged.partial_fit(X[600:]), scaler_class().fit(X), X)
    assert_is_batch(pickle.loads(pickle.dumps(merged)), scaler_class().fit(X), X)


def test_a_sketch_of_many_shards_is_within_1_percent_of_rank(rng):
    X = rng.normal(size=(320_000, 2)) ** 3
    merged = sknorm.merge(RobustScaler().fit(part) for part in np.split(X, N_SHARDS))
    ordered = np.sort(X, axis=0)
    for q, values in zip((0.25, 0.5, 0.75), merged._learned.statistic.quantiles((0.25, 0.5, 0.75)), strict=True):
        for j in range(2):
            assert abs(np.searchsorted(ordered[:, j], values[0, j]) / len(X) - q) <= 0.01


# Errors.


@pytest.mark.parametrize("nothing", [[], (), iter([]), {}], ids=["list", "tuple", "iterator", "dict"])
def test_nothing_to_merge(nothing):
    with pytest.raises(ValueError, match="There is no scaler to merge; give one at least"):
        sknorm.merge(nothing)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "other",
    [None, 3, "scaler", StandardScaler, sklearn.preprocessing.StandardScaler()],
    ids=lambda other: str(other)[:9],
)
def test_what_is_no_scaler(other, place):
    scalers = [StandardScaler().fit([[1.0]]) for _ in range(2)]
    scalers.insert(place, other)
    with pytest.raises(TypeError, match=rf"scalers\[{place}\] is "):
        sknorm.merge(scalers)


@pytest.mark.parametrize("what", [StandardScaler().fit([[1.0]]), 3, None], ids=["scaler", "number", "None"])
def test_what_is_not_iterable(what):
    with pytest.raises(TypeError, match="not iterable"):
        sknorm.merge(what)


ROWS = np.arange(12.0).reshape(4, 3)
UNLIKE = {
    "class": (MinMaxScaler().fit(ROWS), TypeError, "merges with its own kind, not with MinMaxScaler"),
    "parameters": (StandardScaler(clip=3.0).fit(ROWS), ValueError, r"same parameters; clip is None here and 3\.0 in"),
    "half_life": (
        StandardScaler(half_life=2).fit(ROWS),
        ValueError,
        "same parameters; half_life is None here and 2 in",
    ),
    "window": (StandardScaler(window=2).fit(ROWS), ValueError, "same parameters; window is None here and 2 in"),
    "width": (StandardScaler().fit([[1.0]]), ValueError, "same width; this one has 3 features and the other 1"),
    "names": (
        StandardScaler().fit(pd.DataFrame(ROWS, columns=list("abc"))),
        ValueError,
        r"feature names; they are \[\] here and \['a', 'b', 'c'\] in",
    ),
    "unfitted": (StandardScaler(), NotFittedError, "not fitted"),
}


@pytest.mark.parametrize("place", [1, 5])
@pytest.mark.parametrize(("other", "error", "words"), UNLIKE.values(), ids=UNLIKE)
def test_unlike_scalers_are_refused_by_name(other, error, words, place):
    scalers = [StandardScaler().fit(ROWS) for _ in range(7)]
    scalers[place] = other
    before = [state_of(scaler) for scaler in scalers]
    with pytest.raises(error, match=words) as caught:
        sknorm.merge(scalers)
    assert f"Here is scalers[0], {scalers[0]!r}; the other is scalers[{place}], {other!r}" in str(caught.value)
    assert [state_of(scaler) for scaler in scalers] == before


@each_class
def test_the_merged_one_has_an_output_of_its_own(scaler_class, X):
    parts = [scaler_class().set_output(transform="default").fit(part) for part in (X[:500], X[500:])]
    merged = sknorm.merge(parts).set_output(transform="pandas")
    assert type(merged.transform(X)) is pd.DataFrame
    assert [type(part.transform(X)) for part in parts] == [np.ndarray] * 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_none_fitted(count):
    with pytest.raises(NotFittedError, match="not fitted"):
        sknorm.merge([StandardScaler() for _ in range(count)])


def test_overflow_of_the_whole_names_the_column():
    scalers = [StandardScaler().fit([[value, 0.0]]) for value in (1.0, 1e200, -1e200)]
    before = [state_of(scaler) for scaler in scalers]
    with pytest.raises(ValueError, match="The variance of column 0 overflows"):
        sknorm.merge(scalers)
    assert [state_of(scaler) for scaler in scalers] == before


def test_shards_without_a_value_add_nothing(X):
    nothing = np.full((5, 6), np.nan)
    for scaler_class in CLASSES:
        parts = [scaler_class().fit(part) for part in (nothing, X[:400], nothing, X[400:], nothing)]
        assert_same(sknorm.merge(parts)._learned.statistic, scaler_class().fit(X)._learned.statistic, X)
        empty = sknorm.merge([scaler_class().fit(nothing)] * 3)
        assert (empty._learned.statistic.count == 0).all()
