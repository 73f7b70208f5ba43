"""The laws of statistics that forget: Decayed, WindowedTable and WindowedQuantiles."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from references import aged, assert_moments, exact_moments, kept_rows
from registry import FORGETTING, assert_same
from strategies import batches, tables

from sknorm._document import plain
from sknorm.statistics import (
    Decayed,
    Extremes,
    Moments,
    MomentsAndExtremes,
    Quantiles,
    Statistic,
    Windowed,
    WindowedQuantiles,
    WindowedTable,
)
from sknorm.statistics.decayed import decay_over

# Every way to forget: how its zero is made, and the statistic that it gives.
MAKERS = {
    "Decayed 3": (lambda d: Decayed.zero(1, d, half_life=3.0), Moments),
    "Decayed 0.1": (lambda d: Decayed.zero(1, d, half_life=0.1), Moments),
    "Moments, 7": (lambda d: WindowedTable.zero(1, d, kind=Moments, window=7), Moments),
    "Extremes, 40": (lambda d: WindowedTable.zero(1, d, kind=Extremes, window=40), Extremes),
    "MomentsAndExtremes, 33": (
        lambda d: WindowedTable.zero(1, d, kind=MomentsAndExtremes, window=33),
        MomentsAndExtremes,
    ),
    "Moments, 1000": (lambda d: WindowedTable.zero(1, d, kind=Moments, window=1000), Moments),
    "Quantiles, 7": (lambda d: WindowedQuantiles.zero(1, d, window=7), Quantiles),
    "Quantiles, 50": (lambda d: WindowedQuantiles.zero(1, d, window=50), Quantiles),
}
FOLLOWED = {name: maker for name, maker in MAKERS.items() if not name.startswith("Quantiles")}
WINDOWED = {name: maker for name, maker in MAKERS.items() if not name.startswith("Decayed")}

# Their sums are exact: where ranks are weights, the last digit of a sum may decide between two values.
some_weights = st.sampled_from([0.0, 0.5, 1.0, 2.5])

each = pytest.mark.parametrize(("zero", "kind"), MAKERS.values(), ids=MAKERS)
each_followed = pytest.mark.parametrize(("zero", "kind"), FOLLOWED.values(), ids=FOLLOWED)
each_windowed = pytest.mark.parametrize(("zero", "kind"), WINDOWED.values(), ids=WINDOWED)


@pytest.fixture
def X(rng):
    """Return 200 rows: narrow, wide, far from zero, constant, 0 and 1, and no value at all; NaN here and there."""
    X = rng.normal([0, 0, 1e12, 7.25, 0, 0], [1, 1e9, 1, 0, 1, 1], size=(200, 6))
    X[:, 4] = X[:, 4] > 0
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 5] = np.nan
    return X


def bits(statistic):
    """Return all that a statistic holds, digit for digit; what it has read and keeps at hand is no part of it."""
    return repr(plain(statistic.fields()))


def streamed(statistic, parts, weights=None):
    for i, part in enumerate(parts):
        statistic = statistic.after(part, None if weights is None else weights[i])
    return statistic


def kept(statistic, X, weights=None):
    """Return the rows that a window keeps, and their weights; what decays keeps all."""
    rows = kept_rows(statistic.window, len(X), weights)
    return X[rows], None if weights is None else weights[rows]


def test_every_way_to_forget_is_tested():
    assert {type(zero(1)) for zero, _ in MAKERS.values()} == set(FORGETTING)


# Zero.


@each
def test_zero_knows_nothing(zero, kind):
    some = zero(4)
    assert isinstance(some, Statistic)
    now = some.now()
    assert type(now) is kind
    assert now.count.shape == (1, 4)
    assert_same(now, kind.zero(1, 4))
    assert some.n_rows in (None, 0)


@each
def test_no_rows_change_nothing(zero, kind, X):
    for some in (zero(6), zero(6).after(X)):
        for nothing in (X[:0], X[:0].astype(np.float32), sp.csr_array((0, 6))):
            assert bits(some.after(nothing)) == bits(some)
        assert bits(some.after(X, np.zeros(len(X)))) == bits(some)


@each
def test_after_changes_neither(zero, kind, X):
    some, table = zero(6).after(X[:50]), X.copy()
    weights = np.linspace(0, 2, len(X))
    before = bits(some), weights.copy()
    for array in (table, weights):
        array.setflags(write=False)
    some.after(table, weights).after(table)
    assert bits(some) == before[0]
    np.testing.assert_array_equal(table, X)
    np.testing.assert_array_equal(weights, before[1])


# Streams.


@each_followed
@given(data=st.data())
def test_any_split_gives_the_same_bits(zero, kind, data):
    X = data.draw(tables())
    weights = np.array(data.draw(st.lists(some_weights, min_size=len(X), max_size=len(X))))
    rows = data.draw(batches(np.arange(len(X)), min_rows=0))
    whole = zero(X.shape[1]).after(X, weights)
    assert bits(streamed(zero(X.shape[1]), [X[r] for r in rows], [weights[r] for r in rows])) == bits(whole)


@each_windowed
@given(data=st.data())
def test_any_split_of_a_windowed_stream_is_the_rows_it_keeps(zero, kind, data):
    X = data.draw(tables(max_rows=60))
    weights = None
    if data.draw(st.booleans()):
        weights = np.array(data.draw(st.lists(some_weights, min_size=len(X), max_size=len(X))))
    rows = data.draw(batches(np.arange(len(X)), min_rows=0))
    some = streamed(zero(X.shape[1]), [X[r] for r in rows], None if weights is None else [weights[r] for r in rows])
    rest, rest_weights = kept(some, X, weights)
    assert_same(some.now(), kind.of(rest, rest_weights), rest)
    np.testing.assert_allclose(some.n_rows, len(rest) if weights is None else rest_weights.sum(), rtol=1e-14)
    assert some.seen == (len(X) if weights is None else np.count_nonzero(weights))


@each
def test_row_by_row_is_batch(zero, kind, X):
    stream, batch = streamed(zero(6), np.split(X, len(X))), zero(6).after(X)
    assert_same(stream.now(), batch.now(), kept(batch, X)[0])
    assert stream.n_rows == batch.n_rows


@each
@pytest.mark.parametrize("n", [1, 2, 6, 7, 8, 33, 35, 199])
def test_now_is_of_the_rows_that_count(zero, kind, n, X):
    """After every few rows, not at the end of a batch alone."""
    some = zero(6).after(X[:n])
    rest, _ = kept(some, X[:n])
    if isinstance(some, Windowed):
        assert_same(some.now(), kind.of(rest), rest)
        assert some.n_rows == len(rest)
        return
    for j in range(5):
        expected = exact_moments(X[:n, j], aged(X[:n, j], np.ones(n), some.half_life))
        if expected.count:
            now = some.now()
            assert_moments(X[:n, j], expected, now.count[0, j], now.mean[0, j], now.variance()[0, j])


@each
def test_now_read_twice_is_the_same_and_changes_nothing(zero, kind, X):
    some = zero(6).after(X)
    before = bits(some)
    assert bits(some.now()) == bits(some.now())
    assert bits(some) == before
    assert bits(pickle.loads(pickle.dumps(some)).now()) == bits(some.now())


@each_windowed
def test_a_missing_row_counts_and_a_weightless_one_does_not(zero, kind, X):
    some = zero(6).after(X)
    nothing = np.full((30, 6), np.nan)
    after = some.after(nothing)
    rest, _ = kept(some, np.vstack([X, nothing]))
    assert_same(after.now(), kind.of(rest), rest)
    assert bits(some.after(X, np.zeros(len(X)))) == bits(some)


@pytest.mark.parametrize("half_life", [0.1, 3.0, 1e6])
def test_what_is_missing_ages_nothing(half_life, X):
    some = Decayed.zero(1, 6, half_life=half_life).after(X)
    assert bits(some.after(np.full((100, 6), np.nan))) == bits(some)


@each
def test_different_data_differ(zero, kind, X):
    # Else the comparison that the laws rest on would prove nothing.
    changed = X.copy()
    changed[-1] = X[-1] + 1
    changed[-3, 0] = 50.0
    some, other = zero(6).after(X), zero(6).after(changed)
    with pytest.raises(AssertionError):
        assert_same(some.now(), other.now(), X)
    assert bits(some) != bits(other)


# Merging.


@pytest.mark.parametrize("half_life", [0.1, 3.0, 50.0])
def test_zero_is_neutral(half_life, X):
    some, zero = Decayed.zero(1, 6, half_life=half_life).after(X), Decayed.zero(1, 6, half_life=half_life)
    for same in (some.merge(zero), zero.merge(some)):
        assert_same(same.now(), some.now(), X)
        assert same.half_life == half_life
        assert_same(same.after(X[:9]).now(), some.after(X[:9]).now(), X)
    assert bits(zero.merge(zero)) == bits(zero)


@given(data=st.data())
def test_merging_decayed_is_commutative_and_associative(data):
    half_life = data.draw(st.sampled_from([0.1, 1.0, 2.5, 100.0]))
    X = data.draw(tables())
    one, two = sorted(data.draw(st.tuples(*[st.integers(0, len(X))] * 2)))
    a, b, c = (Decayed.zero(1, X.shape[1], half_life=half_life).after(part) for part in (X[:one], X[one:two], X[two:]))
    assert_same(a.merge(b).now(), b.merge(a).now(), X)
    assert_same(a.merge(b).merge(c).now(), a.merge(b.merge(c)).now(), X)


def test_merging_takes_each_as_of_its_last_value(X):
    parts = [Decayed.zero(1, 6, half_life=5.0).after(part) for part in (X[:30], X[30:50])]
    before = [bits(part) for part in parts]
    now = parts[0].merge(parts[1]).now()
    assert_same(now, parts[0].now().merge(parts[1].now()), X)
    for j in range(5):
        weights = [w for part in (X[:30], X[30:50]) for w in aged(part[:, j], np.ones(len(part)), 5.0)]
        expected = exact_moments(X[:50, j], weights)
        assert_moments(X[:50, j], expected, now.count[0, j], now.mean[0, j], now.variance()[0, j])
    assert [bits(part) for part in parts] == before


def test_half_lives_must_agree(X):
    with pytest.raises(ValueError, match=r"Cannot merge a half-life of 3\.0 with one of 4\.0"):
        Decayed.zero(1, 6, half_life=3.0).after(X).merge(Decayed.zero(1, 6, half_life=4.0).after(X))


@each_windowed
def test_windows_are_not_merged(zero, kind, X):
    for other in (zero(6), zero(6).after(X)):
        with pytest.raises(ValueError, match="Windows cannot be merged"):
            zero(6).after(X).merge(other)


# Tables of every kind.


@each
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_memory_layouts_agree(zero, kind, X, rng, weighted):
    weights = rng.choice([1.0, 2.0], len(X)) if weighted else None
    expected = zero(6).after(X, weights)
    packed = np.empty(len(X), dtype=[("flag", np.int8), ("row", np.float64, (6,))])
    packed["row"] = X
    for layout in (
        np.asfortranarray(X),
        X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3],
        X[::-1, ::-1].copy()[::-1, ::-1],
        np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float64).reshape(X.shape),
        packed["row"],
    ):
        assert bits(zero(6).after(layout, weights)) == bits(expected)


@each
def test_float32_is_learned_as_double(zero, kind, X):
    single = X.astype(np.float32)
    assert bits(zero(6).after(single)) == bits(zero(6).after(single.astype(np.float64)))


@each
@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_sparse_is_dense(zero, kind, X, rng, form, weighted):
    X[rng.random(X.shape) < 0.7] = 0.0
    weights = rng.choice([0.0, 0.1, 1.0, 3.0], len(X)) if weighted else None
    some = zero(6).after(form(X[:150]), None if weights is None else weights[:150])
    some = some.after(form(X[150:]), None if weights is None else weights[150:])
    assert_same(some.now(), zero(6).after(X, weights).now(), kept(some, X, weights)[0])


@each
@pytest.mark.parametrize("row", [0, 3, 63, 64, 120, 199])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_an_error_wherever_it_is(zero, kind, X, row, value):
    X[row, 4] = value
    weights = np.ones(len(X))
    weights[row] = 0
    for table in (X, X.astype(np.float32), np.asfortranarray(X), sp.csr_array(X), sp.csc_array(X)):
        for some in (None, weights):
            with pytest.raises(ValueError, match="contains infinity"):
                zero(6).after(table, some)


# The rows that come back.


@each_followed
def test_learning_alone_gives_no_rows(zero, kind, X):
    out, after = zero(6).follow(X)
    assert out is None
    assert bits(after) == bits(zero(6).after(X))


# Values.


@each
def test_a_statistic_is_frozen(zero, kind, X):
    some = zero(6).after(X)
    for frozen in (some, zero(2), pickle.loads(pickle.dumps(some)), copy.deepcopy(some)):
        for name in ("half_life", "window", "panes", "pane_weight", "seen", "phase", "moments", "something_new"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(frozen, name, 0)
        with pytest.raises(ValueError, match="read-only"):
            frozen.now().count[0, 0] = 5
        for name in ("phase", "pane_weight"):
            kept_array = getattr(frozen, name, None)
            assert not isinstance(kept_array, np.ndarray) or not kept_array.flags.writeable
        for table in (getattr(frozen, "moments", None), getattr(frozen, "panes", None)):
            assert getattr(table, "table", None) is None or not table.table.flags.writeable


@each
@pytest.mark.parametrize("make", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy, copy.copy])
def test_copies_keep_every_bit_and_go_on_alike(zero, kind, X, make):
    some = zero(6).after(X[:77])
    twin = make(some)
    assert type(twin) is type(some)
    assert bits(twin) == bits(some)
    assert bits(twin.after(X[77:])) == bits(some.after(X[77:]))
    assert bits(twin) == bits(some)


@each
def test_the_same_data_give_the_same_bits(zero, kind, X):
    one, two = (streamed(zero(6), [X[:140].copy(), X[140:].copy()]) for _ in range(2))
    assert bits(one) == bits(two)
    assert bits(one.now()) == bits(two.now())


# What a scaler never asks for.


@pytest.mark.parametrize(("window", "length"), [(1, 1), (15, 1), (16, 1), (31, 1), (32, 2), (100, 6), (1000, 62)])
def test_a_pane_is_a_sixteenth_of_the_window(window, length):
    """The oldest rows go as many at a time as a pane holds."""
    some, counts = WindowedTable.zero(1, 1, window=window), []
    for _ in range(3 * window):
        some = some.after(np.zeros((1, 1)))
        counts.append(some.now().count[0, 0])
    assert counts[:window] == list(range(1, window + 1))
    drops = {before + 1 - after for before, after in zip(counts[window:], counts[window + 1 :], strict=False)}
    assert drops <= {0, length}
    assert length in drops


def test_decayed_holds_its_half_life():
    assert Decayed.zero(1, 2).half_life == np.inf
    forever = Decayed.zero(1, 1).after(np.arange(5.0)[:, np.newaxis])
    assert_same(forever.now(), Moments.of(np.arange(5.0)[:, np.newaxis]))
    assert (forever.window, forever.n_rows) == (None, None)
    assert aged(np.zeros(3), np.ones(3), 1.0) == [Fraction(1, 4), Fraction(1, 2), 1]


@pytest.mark.parametrize("kind", [Extremes, MomentsAndExtremes, Quantiles], ids=lambda kind: kind.__name__)
def test_a_half_life_forgets_moments_alone(kind):
    assert type(decay_over(Moments, 1, 2, 3.0)) is Decayed
    with pytest.raises(TypeError, match=f"A half-life forgets moments; {kind.__name__} can be kept over a window"):
        decay_over(kind, 1, 2, 3.0)
