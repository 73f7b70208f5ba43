"""Half-lives and windows through the public methods, against explicit weights and the rows that count."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from references import aged, assert_moments, exact_moments, kept_rows, oldest_kept
from registry import SCALERS, assert_same, clips_first, instances, name_of, refusing, sparse_setting
from sklearn.base import clone
from strategies import batches, tables

import sknorm
from sknorm import (
    DecimalScaler,
    MaxAbsScaler,
    MeanScaler,
    MinMaxScaler,
    OutlierClipper,
    RobustScaler,
    StandardScaler,
)

CLASSES = [entry.scaler for entry in SCALERS]
DECAYING = [scaler for scaler in instances() if getattr(scaler, "half_life", None) is not None]
# What is clipped first is clipped to bounds that forget alike: others would say what no weights of the scaler say.
ALIKE = [
    clone(scaler).set_params(**({"outliers__half_life": scaler.half_life} if clips_first(scaler) else {}))
    for scaler in DECAYING
]
WINDOWED = [scaler for scaler in instances() if scaler.window is not None]

each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)
each_decaying = pytest.mark.parametrize("scaler", DECAYING, ids=name_of)
each_alike = pytest.mark.parametrize("scaler", ALIKE, ids=name_of)
each_windowed = pytest.mark.parametrize("scaler", WINDOWED, ids=name_of)

# Whole, a fraction, one whose reciprocal rounds up or down to a whole number, and far from any table's length.
HALF_LIVES = [0.01, 0.1, 1 / 3, 0.5, 0.7, 1, 1.1, 1.5, 2, 3, 7.25, 100, 1e6]
half_lives = st.sampled_from(HALF_LIVES) | st.floats(0.01, 1e6) | st.integers(1, 200).map(lambda n: 1 / n)
some_weights = st.sampled_from([0.0, 1.0, 0.3, 2.5])


def state_of(scaler):
    """Return the bits of all that a scaler holds."""
    return {name: pickle.dumps(value) for name, value in vars(scaler).items()}


def history_of(scaler):
    return pickle.dumps(scaler._learned.history)


def streamed(scaler, X, cuts, weights=None):
    for rows in np.split(np.arange(len(X)), cuts):
        if len(rows):
            scaler.partial_fit(X[rows], sample_weight=None if weights is None else weights[rows])
    return scaler


def table(rng, n_rows=120):
    """Return rows: plain, far, farther, rare, constant, and one column that drifts; NaN here and there."""
    X = rng.normal([0, 1e8, 1e12, 5, 0, 0], size=(n_rows, 6))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[rng.random(n_rows) < 0.8, 3] = np.nan
    X[:, 4] = 7.25
    X[:, 5] += np.linspace(-1e4, 1e4, n_rows)
    return X


def assert_decayed(scaler, X, weights, half_life):
    """Fail where mean, variance and count of a StandardScaler are not those of explicit weights."""
    count = np.broadcast_to(scaler.n_samples_seen_, X.shape[1])
    for j, column in enumerate(X.T):
        expected = exact_moments(column, aged(column, weights, half_life))
        if expected.count:
            assert_moments(column, expected, count[j], scaler.mean_[j], scaler.var_[j])
        else:
            assert count[j] == 0
            assert np.isnan([scaler.mean_[j], scaler.var_[j]]).all()


# Half-lives.


def test_the_reference_ages_values_not_rows():
    column, weights = np.array([1.0, np.nan, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 1.0, 0.0, 1.0])
    assert aged(column, weights, 1) == [Fraction(1, 2), 0, Fraction(1, 2), 0, 1]
    assert [float(w) for w in aged(column, weights, 2.0)] == pytest.approx([1, 0, 0.5**0.5, 0, 1], rel=1e-15)
    assert exact_moments(column, [1, 0, 0, 0, 3]) == (4, Fraction(13, 4), Fraction(27, 16))


@given(data=st.data())
def test_a_stream_decays_as_explicit_weights_for_any_split(data):
    X, half_life = data.draw(tables()), data.draw(half_lives)
    weights = np.array([1.0, *data.draw(st.lists(some_weights, min_size=len(X) - 1, max_size=len(X) - 1))])
    parts = data.draw(batches(np.arange(len(X))))
    scaler = StandardScaler(half_life=half_life)
    for rows in parts:
        scaler.partial_fit(X[rows], sample_weight=weights[rows])
    assert_decayed(scaler, X, weights, half_life)


@pytest.mark.parametrize("half_life", [9e-4, 1e-300, 1e300])
@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
def test_a_column_without_a_value_has_nothing_to_decay(verb, half_life):
    scaler = StandardScaler(half_life=half_life)
    getattr(scaler, verb)([[1.0, np.nan], [2.0, np.nan], [4.0, np.nan]])
    assert scaler.n_samples_seen_[1] == 0
    np.testing.assert_allclose(scaler.n_samples_seen_[0], 1 if half_life < 1 else 3, rtol=1e-15)
    assert np.isnan(scaler.transform([[3.0, np.nan]])[0]).tolist() == [False, True]


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [60], range(120)], ids=["whole", "few", "halves", "rows"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_decayed_moments_far_from_zero(half_life, weighted, cuts, rng):
    X = table(rng)
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], len(X)) if weighted else np.ones(len(X))
    weights[0] = 1.0
    scaler = StandardScaler(half_life=half_life)
    assert_decayed(streamed(scaler, X, cuts, weights if weighted else None), X, weights, half_life)


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_the_value_before_weighs_what_the_half_life_says(half_life):
    """Two values, of which the mean and the count are known without any reference."""
    scaler = StandardScaler(half_life=half_life).fit([[1.0], [0.0]])
    weight = 2.0 ** (-1 / half_life)
    np.testing.assert_allclose(scaler.n_samples_seen_, 1 + weight, rtol=1e-15)
    np.testing.assert_allclose(scaler.mean_, weight / (1 + weight), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(scaler.var_, weight / (1 + weight) ** 2, rtol=1e-13)


@pytest.mark.parametrize("half_life", [0.1, 1, 2.5, 50])
def test_weight_halves_after_half_life_values(half_life, rng):
    """The count of an endless stream is 1/(1 − 2^(−1/half_life))."""
    scaler = StandardScaler(half_life=half_life).fit(rng.normal(size=(5000, 2)))
    np.testing.assert_allclose(scaler.n_samples_seen_, 1 / (1 - 2.0 ** (-1 / half_life)), rtol=1e-12)


@pytest.mark.parametrize("values", [[1e17, 1.5], [-1.7e308, 1.7e308], [1e300, 1e-300]], ids=str)
@pytest.mark.parametrize("half_life", [1e-4, 1e-300, 5e-324])
def test_a_half_life_of_next_to_nothing_knows_the_last_value(half_life, values):
    scaler = StandardScaler(half_life=half_life)
    for value in values:
        scaler.partial_fit([[value]])
    assert (scaler.mean_, scaler.var_) == (values[-1], 0)
    np.testing.assert_allclose(scaler.n_samples_seen_, 1, rtol=1e-15)


def test_a_half_life_beyond_all_rows_forgets_nothing(rng):
    X = table(rng)
    scaler, whole = StandardScaler(half_life=1e300).fit(X), StandardScaler().fit(X)
    assert_same(scaler._learned.statistic, whole._learned.statistic, X)


@given(data=st.data())
def test_any_split_of_a_decaying_stream_gives_the_same_bits(data):
    X, half_life = data.draw(tables()), data.draw(half_lives)
    stream = StandardScaler(half_life=half_life)
    for part in data.draw(batches(X)):
        stream.partial_fit(part)
    assert history_of(stream) == history_of(StandardScaler(half_life=half_life).fit(X))


@each_alike
def test_what_is_missing_ages_nothing(scaler, rng):
    X = table(rng)
    spread = np.full((3 * len(X), X.shape[1]), np.nan)
    spread[::3] = X
    assert history_of(clone(scaler).fit(spread)) == history_of(clone(scaler).fit(X))


@each_decaying
def test_batches_of_nothing_age_nothing(scaler, rng):
    X = table(rng)
    dense = clone(scaler).fit(X)
    before = history_of(dense)
    dense.partial_fit(np.full((5, 6), np.nan))
    dense.partial_fit(X * 100, sample_weight=np.zeros(len(X)))
    dense.prequential_transform(np.full((70, 6), np.nan))
    assert history_of(dense) == before


@each_alike
def test_a_column_ages_by_itself(scaler, rng):
    X = table(rng)
    together = clone(scaler).fit(X).transform(X.copy())
    for j in range(X.shape[1]):
        alone = clone(scaler).fit(X[:, [j]]).transform(X[:, [j]].copy())
        np.testing.assert_array_equal(together[:, [j]], alone)


@each_alike
def test_decay_is_explicit_weights(scaler, rng):
    """Through the parameters: the map is that of a scaler that forgets nothing, given the weights by hand."""
    X, half_life = table(rng), scaler.half_life
    remembers = {name: None for name in scaler.get_params() if name.endswith("half_life")}
    image = clone(scaler).fit(X).transform(X.copy())
    for j, column in enumerate(X.T):
        weights = [float(w) for w in aged(column, np.ones(len(X)), half_life)]
        by_hand = clone(scaler).set_params(**remembers).fit(X[:, [j]], sample_weight=weights)
        np.testing.assert_allclose(image[:, [j]], by_hand.transform(X[:, [j]].copy()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32, np.float64], ids=lambda kind: kind.__name__)
def test_half_lives_of_every_kind_of_number(kind, rng):
    X = table(rng)
    expected = StandardScaler(half_life=3).fit(X[:50]).partial_fit(X[50:])
    scaler = StandardScaler(half_life=kind(3)).fit(X[:50])
    scaler.set_params(half_life=3.0).partial_fit(X[50:])
    np.testing.assert_array_equal(scaler.transform(X), expected.transform(X))


# Merging decayed scalers.


@given(data=st.data())
def test_merged_each_as_of_its_last_value(data):
    half_life, width = data.draw(half_lives), data.draw(st.integers(1, 3))
    draw_part = st.integers(1, 12).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-1e3, 1e3) | st.just(np.nan), min_size=width, max_size=width), min_size=n, max_size=n
        )
    )
    parts = [np.array(part) for part in data.draw(st.lists(draw_part, min_size=2, max_size=4))]
    scalers = [StandardScaler(half_life=half_life).fit(part) for part in parts]
    whole = np.vstack(parts)
    later = data.draw(st.floats(-1e3, 1e3))
    for order in (scalers, scalers[::-1]):
        merged = sknorm.merge(order)
        after = copy.deepcopy(merged).partial_fit(np.full((1, width), later))
        for j in range(width):
            weights = [w for part in parts for w in aged(part[:, j], np.ones(len(part)), half_life)]
            expected = exact_moments(whole[:, j], weights)
            if not expected.count:
                assert np.isnan(merged.mean_[j])
                continue
            count = np.broadcast_to(merged.n_samples_seen_, width)[j]
            assert_moments(whole[:, j], expected, count, merged.mean_[j], merged.var_[j])
            # From here on both age together, a value at a time.
            older = aged(np.zeros(2), np.ones(2), half_life)[0]
            expected = exact_moments(np.append(whole[:, j], later), [*(w * older for w in weights), Fraction(1)])
            count = np.broadcast_to(after.n_samples_seen_, width)[j]
            assert_moments(np.append(whole[:, j], later), expected, count, after.mean_[j], after.var_[j])


@each_decaying
def test_merging_decayed_scalers_is_commutative(scaler, rng):
    X = table(rng)
    one, other = clone(scaler).fit(X[:50]), clone(scaler).fit(X[50:])
    before = state_of(one), state_of(other)
    a, b = sknorm.merge([one, other]), sknorm.merge([other, one])
    assert_same(a._learned.statistic, b._learned.statistic, X)
    np.testing.assert_allclose(a.transform(X.copy()), b.transform(X.copy()), rtol=1e-9, atol=1e-9)
    assert (state_of(one), state_of(other)) == before


# Windows.


def test_a_window_keeps_no_less_than_it_says_and_a_sixteenth_more_at_most():
    for window in [*range(1, 41), 100, 1000]:
        for n_rows in range(1, 3 * window + 70):
            kept = n_rows - oldest_kept(n_rows, window)
            assert min(n_rows, window) <= kept <= window * (1 + 1 / 16)


@each_class
@pytest.mark.parametrize("window", [1, 2, 15, 16, 31, 32, 33, 40, 47, 100])
def test_the_oldest_pane_is_dropped_whole(scaler_class, window):
    """Row by row and in one batch: as many rows count as the panes hold, and none of them is older."""
    stream = scaler_class(window=window)
    n_rows = 2 * window + 20
    for n in range(1, n_rows + 1):
        kept = n - oldest_kept(n, window)
        assert stream.partial_fit([[float(n)]]).n_samples_seen_ == kept
        statistic = stream._learned.statistic
        assert statistic.count == kept
        if hasattr(statistic, "min"):
            assert (statistic.min, statistic.max) == (n - kept + 1, n)
        if n % 7 == 0 or n == n_rows:
            assert scaler_class(window=window).fit(np.arange(1.0, n + 1)[:, np.newaxis]).n_samples_seen_ == kept


@each_class
@given(data=st.data())
def test_a_window_is_the_batch_of_the_rows_it_keeps(scaler_class, data):
    window = data.draw(st.integers(1, 40) | st.sampled_from([100, 1000]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n_rows, width = data.draw(st.integers(1, 2 * window + 40)), data.draw(st.integers(1, 6))
    X = np.round(rng.normal(size=(n_rows, width)), 3) + rng.choice([0, 5, 1e8, 1e12], width)
    X[rng.random(X.shape) < data.draw(st.sampled_from([0, 0.1, 0.9]))] = np.nan
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], n_rows) if data.draw(st.booleans()) else None
    if weights is not None:
        weights[0] = 1.0
    cuts = np.sort(rng.integers(0, n_rows + 1, data.draw(st.integers(0, 6))))
    if weights is not None or data.draw(st.booleans()):
        stream = streamed(scaler_class(window=window), X, cuts, weights)
    else:
        stream = scaler_class(window=window)
        for part in np.split(X, cuts):
            if len(part):
                stream.prequential_transform(part)
    kept = kept_rows(window, n_rows, weights)
    batch = scaler_class().fit(X[kept], sample_weight=None if weights is None else weights[kept])
    assert_same(stream._learned.statistic, batch._learned.statistic, X[kept])
    np.testing.assert_allclose(stream.n_samples_seen_, batch.n_samples_seen_, rtol=1e-14)


@pytest.mark.parametrize("offset", [0.0, 1e8, 1e12, -1e15])
@pytest.mark.parametrize("window", [5, 36, 100, 500])
def test_a_window_far_from_zero_loses_no_digits(window, offset, rng):
    X = rng.normal(size=(300, 2)) + offset
    X[rng.random(300) < 0.2, 1] = np.nan
    for scaler in (StandardScaler(window=window).fit(X), streamed(StandardScaler(window=window), X, range(300))):
        kept = X[kept_rows(window, 300)]
        count = np.broadcast_to(scaler.n_samples_seen_, 2)
        for j in range(2):
            expected = exact_moments(kept[:, j], [1] * len(kept))
            assert_moments(kept[:, j], expected, count[j], scaler.mean_[j], scaler.var_[j])
        mean = MeanScaler(window=window).fit(X).mean_
        np.testing.assert_array_equal(mean, scaler.mean_)


@pytest.mark.parametrize("window", [5, 50])
@each_class
def test_an_outlier_is_forgotten_without_a_trace(scaler_class, window, rng):
    X = rng.normal(size=(3 * window, 3))
    wild = X.copy()
    wild[:window] = [1e15, -1e15, 1e-300]
    for learn in (lambda s, X: s.fit(X), lambda s, X: streamed(s, X, range(len(X)))):
        calm, shaken = (learn(scaler_class(window=window), rows) for rows in (X, wild))
        np.testing.assert_array_equal(shaken.transform(X), calm.transform(X))


@each_windowed
def test_a_column_left_without_a_value_is_as_one_never_seen(scaler, rng):
    window = min(scaler.window, 40)
    scaler = clone(scaler).set_params(window=window)
    X = rng.normal(5, 2, size=(3 * window, 2))
    gone = np.column_stack([np.full(len(X), np.nan), X[:, 1]])
    stream, never = clone(scaler).fit(X), clone(scaler).fit(gone)
    stream.partial_fit(gone)
    never.partial_fit(gone)
    names = ("mean_", "var_", "scale_", "data_min_", "data_max_", "max_abs_", "center_", "n_samples_seen_", "min_")
    for name in (*names, "lower_", "upper_"):
        np.testing.assert_array_equal(getattr(stream, name, None), getattr(never, name, None), err_msg=name)
    np.testing.assert_array_equal(stream.transform(X), never.transform(X))
    row = np.array([[3.5, 4.0]])
    np.testing.assert_array_equal(
        copy.deepcopy(stream).prequential_transform(row), copy.deepcopy(never).prequential_transform(row)
    )
    # What comes next is learned as a first value.
    np.testing.assert_array_equal(stream.partial_fit(row).transform(X), never.partial_fit(row).transform(X))


@each_windowed
def test_rows_of_nothing_count(scaler, rng):
    X, nothing = rng.normal(size=(20, 3)), np.full((1000, 3), np.nan)
    stream = clone(scaler).fit(X).partial_fit(nothing)
    assert (stream._learned.statistic.count > 0).all() == (scaler.window > 1000)
    if scaler.window < 1000:
        np.testing.assert_array_equal(stream.transform(X.copy()), clone(scaler).fit(nothing).transform(X.copy()))


def test_a_window_of_quantiles_is_exact_while_its_values_fit(rng):
    X = rng.standard_cauchy(size=(4000, 2))
    X[:, 1] += 1e12
    stream = streamed(RobustScaler(window=1000, scale="iqr"), X, range(0, 4000, 150))
    kept = X[kept_rows(1000, 4000)]
    low, middle, high = np.quantile(kept, [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_array_equal(stream.center_, middle)
    np.testing.assert_array_equal(stream.scale_, high - low)


def test_a_wide_window_of_quantiles_is_within_1_percent_of_rank(rng):
    X = rng.normal(size=(60_000, 2)) + np.linspace(0, 10, 60_000)[:, np.newaxis]
    stream = streamed(RobustScaler(window=20_000), X, range(0, 60_000, 997))
    kept = np.sort(X[kept_rows(20_000, 60_000)], axis=0)
    for q, values in zip((0.25, 0.5, 0.75), stream._learned.statistic.quantiles((0.25, 0.5, 0.75)), strict=True):
        for j in range(2):
            assert abs(np.searchsorted(kept[:, j], values[0, j]) / len(kept) - q) <= 0.01


def large_then_bad(bad_row, n_rows=1000):
    X = np.random.default_rng(1).normal(size=(n_rows, 2))
    X[bad_row, 1] = -np.inf
    return X


FORMS = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bad_row", [0, 3, 500, 999])
@each_class
def test_infinities_in_rows_that_are_dropped_at_once_are_refused(scaler_class, bad_row, form):
    setting = sparse_setting(scaler_class)
    if form in ("csr", "csc") and setting is None:
        return
    scaler = scaler_class(**(setting or {}) | refusing(scaler_class) | {"window": 7})
    X = FORMS[form](large_then_bad(bad_row))
    weights = np.ones(1000)
    weights[bad_row] = 0
    scaler.fit([[-1.0, 2.0], [3.0, -4.0]])
    before = state_of(scaler)
    for verb in (scaler.fit, scaler.partial_fit, scaler.prequential_transform):
        for given_weights in (None, weights):
            with pytest.raises(ValueError, match="infinity"):
                verb(X, sample_weight=given_weights)
            assert state_of(scaler) == before


@pytest.mark.parametrize("form", FORMS)
def test_infinities_in_rows_that_are_dropped_at_once_are_as_if_missing(form):
    for bad_row in (0, 500, 999):
        X = large_then_bad(bad_row)
        missing = FORMS[form](np.where(np.isinf(X), np.nan, X))
        for verb in ("fit", "partial_fit", "prequential_transform"):
            clipper, expected = (OutlierClipper("sigma", window=7).fit(X[600:604]) for _ in range(2))
            getattr(clipper, verb)(FORMS[form](X))
            getattr(expected, verb)(missing)
            np.testing.assert_array_equal(clipper.lower_, expected.lower_)
            np.testing.assert_array_equal(clipper.upper_, expected.upper_)
            assert clipper.n_clipped_low_[1] == expected.n_clipped_low_[1] + 1


@pytest.mark.parametrize("at", [0, 1, 5, 62, 63, 64, 65, 127, 128, 250, 297, 298])
@pytest.mark.parametrize("scaler_class", [StandardScaler, MinMaxScaler, MeanScaler], ids=lambda s: s.__name__)
@pytest.mark.parametrize("window", [2, 16, 40])
def test_overflow_inside_a_window_raises_as_single_rows_do(scaler_class, window, at):
    """The rows fit on their own, and the last window fits; but some row saw both."""
    X = np.random.default_rng(2).normal(size=(300, 3))
    X[at, 1], X[at + 1, 1] = -1.7e308, 1.7e308
    for scaler in (scaler_class(window=window), scaler_class(window=window).fit(X[:1] * 0)):
        alone, before = copy.deepcopy(scaler), state_of(scaler)
        with pytest.raises(ValueError, match="of column 1 overflows") as single:
            streamed(alone, X, range(300))
        with pytest.raises(ValueError, match="of column 1 overflows") as together:
            scaler.prequential_transform(X)
        assert str(together.value) == str(single.value)
        assert state_of(scaler) == before


@pytest.mark.parametrize("scaler", [MaxAbsScaler(window=3), DecimalScaler(window=3)], ids=name_of)
def test_what_needs_no_range_overflows_in_no_window(scaler):
    X = np.array([[1.0], [-1.7e308], [1.7e308], [1.0], [1.0], [1.0]])
    assert np.isfinite(clone(scaler).prequential_transform(X)[:1]).all()
    assert clone(scaler).prequential_transform(X)[-1] == clone(scaler).fit(X[:-1]).transform(X[-1:])


@each_windowed
def test_windows_are_never_merged(scaler, rng):
    X = rng.normal(size=(50, 3))
    one, other = clone(scaler).fit(X), clone(scaler).fit(X + 1)
    before = state_of(one), state_of(other)
    for merge in (lambda: one.merge(other), lambda: sknorm.merge([one, other]), lambda: one.merge(one)):
        with pytest.raises(ValueError, match="Windows cannot be merged"):
            merge()
        assert (state_of(one), state_of(other)) == before


# Parameters.


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
def test_two_ways_of_forgetting_are_one_too_many(verb):
    scaler = StandardScaler(half_life=3.0, window=10)
    with pytest.raises(ValueError, match=r"half_life=3\.0 and window=10 are two ways of forgetting; set one to None"):
        getattr(scaler, verb)([[1.0], [2.0]])
    assert not scaler.__sklearn_is_fitted__()
    assert getattr(scaler.set_params(half_life=None), verb)([[1.0], [2.0]]) is not None


def sigma_clipper(**setting):
    return OutlierClipper("sigma", **setting)


CHANGES = [
    *((sigma_clipper, "half_life", before, after) for before, after in ((None, 3.0), (3.0, None), (3.0, 4.0))),
    (StandardScaler, "half_life", None, 3.0),
    (StandardScaler, "half_life", 3.0, None),
    (StandardScaler, "half_life", 3.0, 4.0),
    *(
        (scaler_class, "window", before, after)
        for scaler_class in CLASSES
        for before, after in ((None, 7), (7, None), (7, 8))
    ),
]


@pytest.mark.parametrize(("scaler_class", "name", "before", "after"), CHANGES)
def test_how_to_forget_cannot_be_changed_after_fit(scaler_class, name, before, after, rng):
    X = rng.normal(size=(20, 3))
    scaler = scaler_class(**{name: before}).fit(X)
    image = scaler.transform(X)
    scaler.set_params(**{name: after})
    state = state_of(scaler)
    words = f"{name} is {after!r} and was {before!r} when {type(scaler).__name__} was fitted"
    for call in (lambda: scaler.partial_fit(X), lambda: scaler.prequential_transform(X), scaler.to_json):
        with pytest.raises(ValueError, match=words):
            call()
        assert state_of(scaler) == state
    scaler.set_params(**{name: before})
    np.testing.assert_array_equal(scaler.transform(X), image)
    expected = scaler_class(**{name: before}).fit(X).partial_fit(X * 2)
    assert history_of(scaler.partial_fit(X * 2)) == history_of(expected)
    # To begin again is always possible.
    again = scaler.set_params(**{name: after}).fit(X)
    assert history_of(again) == history_of(scaler_class(**{name: after}).fit(X))


@pytest.mark.parametrize("scaler", [*DECAYING, *WINDOWED], ids=name_of)
def test_a_copy_in_mid_stream_goes_on_alike(scaler, rng):
    X = table(rng)[:, [0, 3, 4]]
    stream = clone(scaler).partial_fit(X[:50]).partial_fit(X[50:51])
    for make in (
        copy.deepcopy,
        copy.copy,
        lambda s: pickle.loads(pickle.dumps(s)),
        lambda s: sknorm.from_json(s.to_json()),
    ):
        twin, original = make(stream), copy.deepcopy(stream)
        for part in (X[51:52], X[52:90], X[90:]):
            twin.partial_fit(part)
            original.partial_fit(part)
            assert twin.to_json() == original.to_json()
        assert twin.transform(X.copy()).tobytes() == original.transform(X.copy()).tobytes()
