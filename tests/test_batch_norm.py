"""Running statistics, batch by batch: what a batch changes, what it does not, and what merges."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from strategies import batches, tables

import sknorm
from sknorm import BatchNorm, StandardScaler
from sknorm._document import parse, plain, write
from sknorm.statistics import Running, Update

# The same rule under two names: the weight of the new batch in PyTorch, that of what was known before in the others.
RULES = {"torch": (0.3, 1), "mxnet": (0.7, 0), "keras": (0.7, 0)}
each_rule = pytest.mark.parametrize("update", RULES)
each_momentum = pytest.mark.parametrize("average", [False, True], ids=["momentum", "average"])


def norm_of(update, average=False, **parameters):
    return BatchNorm(None if average else RULES[update][0], update=update, **parameters)


@pytest.fixture
def X(rng):
    return rng.normal(size=(40, 3)) * [1, 30, 0.01] + [0, 100, -5]


def running(parts, update, average=False):
    """Return the mean and variance after some batches, column by column, by the formulas that the layers document."""
    share, ddof = (0.3 if update == "torch" else 1 - 0.7), RULES[update][1]
    mean, variance, n_batches = np.zeros(parts[0].shape[1]), np.ones(parts[0].shape[1]), np.zeros(parts[0].shape[1])
    for part in parts:
        for j, column in enumerate(part.T):
            column = column[~np.isnan(column)]
            if len(column) > ddof:
                of_batch = 1 / (n_batches[j] + 1) if average else share
                mean[j] += of_batch * (column.mean() - mean[j])
                variance[j] += of_batch * (column.var(ddof=ddof) - variance[j])
                n_batches[j] += 1
    return mean, variance, n_batches


def assert_knows(norm, mean, variance, n_batches=None):
    np.testing.assert_allclose(norm.mean_, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(norm.var_, variance, rtol=1e-12, atol=1e-13)
    if n_batches is not None:
        np.testing.assert_array_equal(norm.n_batches_ + np.zeros(len(mean)), n_batches)


# What a batch does.


@each_momentum
@each_rule
def test_batches_by_the_formula(update, average, X):
    X[:, 1][::3] = X[5, 0] = np.nan
    X[:10, 2] = np.nan
    parts = np.split(X, 4)
    norm = norm_of(update, average)
    for part in parts:
        norm.partial_fit(part)
    assert_knows(norm, *running(parts, update, average))
    counts = (~np.isnan(X)).sum(axis=0)
    np.testing.assert_array_equal(norm.n_samples_seen_, counts)


@pytest.mark.parametrize("update", RULES)
@given(data=st.data())
def test_any_batches_by_the_formula(update, data):
    X = np.clip(data.draw(tables(min_rows=2)), -1e6, 1e6)
    parts = [part for part in data.draw(batches(X)) if len(part) > RULES[update][1]]
    assume(parts)
    norm = norm_of(update, eps=0.5)
    for part in parts:
        norm.partial_fit(part)
    mean, variance, _ = running(parts, update)
    largest = np.nanmax(np.abs(X), initial=1.0)
    np.testing.assert_allclose(norm.mean_, mean, atol=1e-13 * largest)
    np.testing.assert_allclose(norm.var_, variance, rtol=1e-9, atol=1e-13 * largest)


@each_momentum
@each_rule
def test_a_first_batch_starts_from_mean_0_and_variance_1(update, average, X):
    assert_knows(norm_of(update, average).partial_fit(X), *running([X], update, average))


@each_momentum
@each_rule
def test_fit_begins_anew_and_keeps_the_statistics_of_its_batch(update, average, X):
    ddof = RULES[update][1]
    norm = norm_of(update, average).partial_fit(X * 7).fit(X)
    assert_knows(norm, X.mean(axis=0), X.var(axis=0, ddof=ddof), [1, 1, 1])
    assert norm.to_json() == norm_of(update, average).fit(X).to_json()


@each_rule
def test_partial_fit_goes_on_from_fit(update, X):
    more, ddof = X * 2 + 1, RULES[update][1]
    means, variances = ([X.mean(axis=0), more.mean(axis=0)], [X.var(axis=0, ddof=ddof), more.var(axis=0, ddof=ddof)])
    for average, share in ((False, 0.3), (True, 0.5)):
        norm = norm_of(update, average).fit(X).partial_fit(more)
        mean, variance = ((1 - share) * before + share * batch for before, batch in (means, variances))
        assert_knows(norm, mean, variance, [2, 2, 2])


def test_the_order_of_batches_matters_to_a_momentum_and_not_to_an_average(X):
    parts = np.split(X, 4)
    for momentum, same in ((0.3, False), (None, True)):
        there, back = BatchNorm(momentum), BatchNorm(momentum)
        for one, other in zip(parts, reversed(parts), strict=True):
            there.partial_fit(one), back.partial_fit(other)
        assert np.allclose(there.mean_, back.mean_, rtol=1e-12) == same


@pytest.mark.parametrize(
    ("momentum", "update", "share"), [(1, "torch", 1), (0, "torch", 0), (1, "keras", 0), (0, "mxnet", 1)]
)
def test_momentum_at_its_ends(momentum, update, share, X):
    norm = BatchNorm(momentum, update=update).partial_fit(X * 9).partial_fit(X)
    ddof = RULES[update][1]
    assert_knows(norm, share * X.mean(axis=0), share * X.var(axis=0, ddof=ddof) + 1 - share)


def test_momentum_and_rule_may_change_between_batches(X):
    one, two, three = X[:10], X[10:20] * 3, X[20:] - 4
    norm = BatchNorm(0.1).partial_fit(one)
    norm.set_params(momentum=0.5).partial_fit(two)
    norm.momentum, norm.update = 0.75, "keras"
    norm.partial_fit(three)
    mean = 0.75 * (0.5 * (0.1 * one.mean(axis=0)) + 0.5 * two.mean(axis=0)) + 0.25 * three.mean(axis=0)
    variance = 0.5 * (0.9 + 0.1 * one.var(axis=0, ddof=1)) + 0.5 * two.var(axis=0, ddof=1)
    assert_knows(norm, mean, 0.75 * variance + 0.25 * three.var(axis=0), [3, 3, 3])


# A batch of one row.


def test_one_row_has_no_variance_in_torch(X):
    for rows, weights in ((X[:1], None), (X[:3], [0.0, 1.0, 0.0]), (X[:2], [0.25, 0.5])):
        fresh, norm = BatchNorm(), BatchNorm().fit(X)
        before = pickle.dumps(norm)
        for verb in (fresh.fit, fresh.partial_fit, norm.fit, norm.partial_fit):
            with pytest.raises(ValueError, match=r"expects more than 1 row in a batch.* but got 1 sample"):
                verb(rows, sample_weight=weights)
        assert vars(fresh) == fresh.get_params()
        assert pickle.dumps(norm) == before


@each_momentum
@pytest.mark.parametrize("update", ["mxnet", "keras"])
def test_one_row_is_a_batch_elsewhere(update, average, X):
    norm = norm_of(update, average)
    for row in X[:5]:
        norm.partial_fit(row[np.newaxis])
    assert_knows(norm, *running(np.split(X[:5], 5), update, average))


def test_a_column_with_one_value_has_no_variance_in_torch(X):
    X[1:, 0] = np.nan
    fitted = BatchNorm().fit(X)
    assert (fitted.mean_[0], fitted.var_[0], fitted.scale_[0]) == (0.0, 1.0, np.sqrt(1 + 1e-5))
    np.testing.assert_array_equal(fitted.n_batches_, [0, 1, 1])
    np.testing.assert_array_equal(fitted.n_samples_seen_, [0, 40, 40])
    assert BatchNorm(update="keras").fit(X).mean_[0] == X[0, 0]


# What is absent.


@each_momentum
@each_rule
def test_weight_2_is_the_row_twice_and_weight_0_is_absent(update, average, rng, X):
    weights = rng.integers(0, 4, size=len(X))
    weighted, repeated = norm_of(update, average), norm_of(update, average)
    for rows in np.split(np.arange(len(X)), 4):
        weighted.partial_fit(X[rows], sample_weight=weights[rows].astype(float))
        repeated.partial_fit(np.repeat(X[rows], weights[rows], axis=0))
    assert_knows(weighted, repeated.mean_, repeated.var_, [4, 4, 4])
    assert weighted.n_samples_seen_ == repeated.n_samples_seen_ == weights.sum()


@each_rule
def test_a_batch_without_values_changes_nothing(update, X):
    norm = norm_of(update).fit(X)
    mean, variance = norm.mean_, norm.var_
    norm.partial_fit(np.full((5, 3), np.nan)).partial_fit(X * 9, sample_weight=np.zeros(len(X)))
    for name, before in (("mean_", mean), ("var_", variance)):
        assert getattr(norm, name).tobytes() == before.tobytes()
    assert (norm.n_batches_, norm.n_samples_seen_) == (1, len(X))


def test_nan_is_absent_and_stays(X):
    missing = X.copy()
    missing[::2, 1] = missing[:, 2] = np.nan
    norm = BatchNorm().fit(missing)
    assert_knows(BatchNorm().fit(X[1::2, [1]]), norm.mean_[[1]], norm.var_[[1]])
    assert (norm.mean_[2], norm.var_[2]) == (0.0, 1.0)
    out = norm.transform(missing)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(missing))
    np.testing.assert_allclose(out[:, 0], BatchNorm().fit_transform(X[:, [0]])[:, 0], rtol=1e-13, atol=1e-14)


# Transforming.


def test_transform_reads_the_running_statistics_alone(X):
    norm = BatchNorm(gamma=[2.0, 1.0, -1.0], beta=0.5).partial_fit(X).partial_fit(X * 3)
    before = pickle.dumps(norm)
    expected = (X - norm.mean_) / np.sqrt(norm.var_ + 1e-5) * [2.0, 1.0, -1.0] + 0.5
    whole = norm.transform(X)
    np.testing.assert_allclose(whole, expected, rtol=1e-13, atol=1e-13)
    for rows in (slice(0, 1), slice(3, 20, 4), slice(None, None, -1)):
        assert norm.transform(X[rows]).tobytes() == np.ascontiguousarray(whole[rows]).tobytes()
    assert pickle.dumps(norm) == before


@pytest.mark.parametrize("eps", [0, 1e-5, 2.0])
def test_inverse_transform(eps, X):
    norm = BatchNorm(eps=eps, gamma=[2.0, -0.25, 1e6], beta=[0.0, 3.0, -7.0]).partial_fit(X)
    X[3, 1] = np.nan
    back = norm.inverse_transform(norm.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-12)
    out = norm.set_params(copy=False).transform(X.copy())
    assert norm.inverse_transform(out) is out
    np.testing.assert_array_equal(out, back)


def test_what_a_gain_of_0_took_cannot_be_restored(X):
    norm = BatchNorm(gamma=[1.0, 0.0, 0.0], beta=4.0).fit(X)
    np.testing.assert_array_equal(norm.transform(X)[:, 1:], 4.0)
    with pytest.raises(ValueError, match="gamma is 0 in column 1, so what was there cannot be restored"):
        norm.inverse_transform(X)
    np.testing.assert_allclose(norm.set_params(gamma=None).inverse_transform(norm.transform(X)), X)


@each_rule
@pytest.mark.parametrize("eps", [0, 1e-5])
def test_a_constant_column_becomes_beta(update, eps):
    X = np.tile([0.1, 1e12 + 0.1, -1e300, 0.0, 5e-324], (7, 1))
    norm = norm_of(update, eps=eps, gamma=3.0, beta=-2.0).fit(X)
    np.testing.assert_array_equal(norm.transform(X), np.full(X.shape, -2.0))
    np.testing.assert_array_equal(norm.var_, 0.0)
    np.testing.assert_array_equal(norm.scale_, np.sqrt(eps) if eps else 1.0)
    np.testing.assert_array_equal(norm_of(update, eps=eps).partial_fit(X).var_, 0.7)


def test_as_standard_scaler_but_for_eps(X):
    norm, scaler = BatchNorm(eps=0).fit(X), StandardScaler(ddof=1).fit(X)
    np.testing.assert_allclose(norm.transform(X), scaler.transform(X), rtol=1e-13, atol=1e-14)


# Errors leave what was learned.


@each_momentum
@each_rule
def test_overflow_names_the_column(update, average, X):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    bad = frame.iloc[:2].assign(b=[1e200, -1e200])
    norm = norm_of(update, average).fit(frame)
    before = pickle.dumps(norm)
    for verb in (norm.fit, norm.partial_fit, clone(norm).fit, clone(norm).partial_fit):
        with pytest.raises(ValueError, match="The variance of column 'b' overflows float64"):
            verb(bad)
    with pytest.raises(ValueError, match="The variance of column 1 overflows float64"):
        norm_of(update, average).fit(bad.to_numpy())
    assert pickle.dumps(norm) == before
    norm.partial_fit(bad.assign(b=[1.7e308, 1.7e308]))  # a mean of the largest does not overflow


@pytest.mark.parametrize("weights", [[-1.0] * 40, [np.nan] * 40, [1.0] * 39, [1e308] * 40, [0.0] * 40])
def test_bad_weights_change_nothing(weights, X):
    norm = BatchNorm()
    for verb in (norm.fit, norm.partial_fit):
        with pytest.raises(ValueError, match=r"[Ww]eight"):
            verb(X, sample_weight=weights)
    assert vars(norm) == norm.get_params()


def test_the_sum_of_weights_does_not_overflow_over_batches():
    X, heavy = np.zeros((2, 3)), [8e307, 8e307]
    norm, other = (BatchNorm(None).fit(X, sample_weight=heavy) for _ in range(2))
    before = pickle.dumps(norm)
    for go_on in (lambda: norm.partial_fit(X, sample_weight=heavy), lambda: norm.merge(other)):
        with pytest.raises(ValueError, match="The sum of all sample_weight so far overflows"):
            go_on()
    assert pickle.dumps(norm) == before


# Merging.


@each_rule
def test_merged_averages_are_the_average_of_all_batches(update, X):
    X[::4, 1] = np.nan
    parts = np.split(X, 8)
    whole, one, other = (norm_of(update, average=True) for _ in range(3))
    for i, part in enumerate(parts):
        whole.partial_fit(part)
        (one if i < 3 else other).partial_fit(part)
    before = pickle.dumps(other)
    merged = sknorm.merge([one, other])
    assert_knows(merged, whole.mean_, whole.var_, whole.n_batches_)
    np.testing.assert_array_equal(merged.n_samples_seen_, whole.n_samples_seen_)
    assert one.merge(other) is one
    assert one.to_json() == merged.to_json()
    assert pickle.dumps(other) == before
    assert_knows(other.merge(merged).partial_fit(X), other.mean_, other.var_, [14, 14, 14])


def test_a_merge_with_no_batches_of_a_column_is_the_other_to_the_bit(X):
    X[:, 2] = np.nan
    none, some = BatchNorm(None).fit(X), BatchNorm(None).fit(X[:, ::-1])
    merged = sknorm.merge([none, some])
    for name in ("mean_", "var_"):
        assert getattr(merged, name)[2] == getattr(some, name)[2]
        assert getattr(merged, name)[0] == getattr(none, name)[0]
    np.testing.assert_array_equal(merged.n_batches_, [1, 2, 1])


@each_rule
def test_what_depends_on_the_order_does_not_merge(update, X):
    one, other = norm_of(update).fit(X), norm_of(update).fit(X * 2)
    before = pickle.dumps(one)
    for merge in (lambda: one.merge(other), lambda: sknorm.merge([one, other])):
        with pytest.raises(ValueError, match=r"depend on the order of the batches, so they do not merge; those with"):
            merge()
    assert pickle.dumps(one) == before


def test_the_momentum_of_now_decides_what_merges(X):
    """Also of what comes from a document, which holds the parameters of now."""
    for then, now, merges in ((0.1, None, True), (None, 0.1, False)):
        one = BatchNorm(then).fit(X).set_params(momentum=now)
        for norm in (one, sknorm.from_json(one.to_json())):
            other = BatchNorm(now).fit(X * 3)
            if merges:
                np.testing.assert_allclose(norm.merge(other).mean_, 2 * X.mean(axis=0))
            else:
                with pytest.raises(ValueError, match="they do not merge"):
                    norm.merge(other)


@pytest.mark.parametrize(
    ("parameters", "same"),
    [
        ({"gamma": np.array([1.0, 2.0, 3.0])}, True),
        ({"gamma": [1.0, 2.0, 3.0]}, True),
        ({"gamma": pd.Series([1.0, 2.0, 3.0])}, True),
        ({"gamma": [1.0, 2.0, 4.0]}, False),
        ({"gamma": 1.0}, False),
        ({"eps": 1e-3}, False),
        ({"update": "mxnet"}, False),
    ],
    ids=repr,
)
def test_only_what_has_the_same_parameters_merges(parameters, same, X):
    norm = BatchNorm(None, gamma=[1.0, 2.0, 3.0]).fit(X)
    other = clone(norm).set_params(**parameters).fit(X)
    if same:
        assert norm.merge(other).n_batches_ == 2
    else:
        with pytest.raises(ValueError, match=f"must have the same parameters; {next(iter(parameters))} is"):
            norm.merge(other)


def test_what_else_does_not_merge(X):
    norm = BatchNorm(None).fit(X)
    with pytest.raises(TypeError, match="BatchNorm merges with its own kind, not with StandardScaler"):
        norm.merge(StandardScaler().fit(X))
    with pytest.raises(ValueError, match="must have the same width"):
        norm.merge(BatchNorm(None).fit(X[:, :2]))
    with pytest.raises(ValueError, match="must have the same feature names"):
        norm.merge(BatchNorm(None).fit(pd.DataFrame(X, columns=["a", "b", "c"])))


# What is learned is read only, and whole.


def test_attributes_are_read_only_and_of_their_own_time(X):
    norm = BatchNorm().fit(X)
    names = ("mean_", "var_", "scale_", "n_batches_", "n_samples_seen_")
    kept = {name: getattr(norm, name) for name in names}
    copies = {name: np.copy(value) for name, value in kept.items()}
    norm.partial_fit(X * 5)
    for name in names:
        np.testing.assert_array_equal(kept[name], copies[name])
        with pytest.raises(AttributeError):
            setattr(norm, name, 1.0)
        assert not isinstance(kept[name], np.ndarray) or not kept[name].flags.writeable
    np.testing.assert_array_equal(norm.scale_, np.sqrt(norm.var_ + 1e-5))
    np.testing.assert_array_equal(norm.set_params(eps=0.5).scale_, np.sqrt(norm.var_ + 0.5))


def test_learning_keeps_no_reference_to_the_data(X):
    norm = BatchNorm().fit(X)
    before = norm.to_json()
    X[:] = 0.0
    assert norm.to_json() == before


def test_readers_see_whole_states(X):
    """Threads that transform beside one that learns get the map of some batch, never of two."""
    shared, twin, done, seen = BatchNorm(0.5).fit(X), BatchNorm(0.5).fit(X), threading.Event(), []
    states = {twin.transform(X[:2]).tobytes()}
    for i in range(100):
        states.add(twin.partial_fit(X * i).transform(X[:2]).tobytes())

    def read():
        while not done.is_set():
            seen.append(shared.transform(X[:2]).tobytes())

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for i in range(100):
            shared.partial_fit(X * i)
        done.set()
        for reader in readers:
            reader.result()
    assert set(seen) <= states


# The statistic.


@pytest.fixture
def statistic(X):
    X[::5, 2] = np.nan
    codes = np.arange(len(X), dtype=np.intp) % 3
    return Running.zero(4, 3, Update(0.25, 0)).after(X, codes=codes).after(X * 2, codes=codes)


def test_groups_are_statistics_of_their_own(statistic, X):
    for group in range(3):
        rows = X[group::3]
        alone = Running.zero(1, 3, Update(0.25, 0)).after(rows).after(rows * 2)
        np.testing.assert_allclose(statistic.take(np.array([group])).table, alone.table, rtol=1e-13)
    np.testing.assert_array_equal(statistic.table[:, 3], np.repeat([[0.0], [1.0], [0.0], [0.0]], 3, axis=1))


def test_statistic_is_frozen(statistic):
    with pytest.raises(AttributeError, match="Running is frozen"):
        statistic.update = Update()
    with pytest.raises(ValueError, match="read-only"):
        statistic.mean[0, 0] = 1.0
    before = statistic.table.tobytes()
    statistic.changed(Update(None)).merge(statistic.changed(Update(None)))
    assert statistic.table.tobytes() == before


def test_statistic_makes_the_round_trips(statistic):
    for twin in (
        pickle.loads(pickle.dumps(statistic)),
        Running.zero(4, 1, Update(0.25, 0)).restored(parse(write(plain(statistic.fields()))), 3),
        statistic.store().take(np.arange(4)),
        statistic.with_arrays(statistic.arrays()),
    ):
        assert twin.update == statistic.update
        assert twin.table.tobytes() == statistic.table.tobytes()


def test_merge_of_averages_is_commutative_and_associative(X):
    a, b, c = (Running.zero(1, 3).after(part) for part in np.split(X[:39], 3))
    zero = Running.zero(1, 3)
    assert a.merge(zero).table.tobytes() == zero.merge(a).table.tobytes() == a.table.tobytes()
    np.testing.assert_allclose(a.merge(b).table, b.merge(a).table, rtol=1e-14)
    np.testing.assert_allclose(a.merge(b).merge(c).table, a.merge(b.merge(c)).table, rtol=1e-13)
