"""Quantiles of many groups: every group as if it were alone, in batches, stores, windows and documents."""

import copy
import pickle
from functools import reduce

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from references import kept_rows
from strategies import few_values, picks

from sknorm._document import parse, plain, write
from sknorm.kernels import _quantiles as kernels
from sknorm.statistics import Quantiles, WindowedQuantiles
from sknorm.statistics import _ragged as ragged

PROBABILITIES = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)
WINDOWS = [1, 2, 7, 16, 33, 50]

FEW = settings(max_examples=50)  # of laws that run for several kinds or windows

numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, 1e150, -1e150, 5e-324, np.nan]) | st.floats(-1e3, 1e3)
# Sums of these are exact, in whatever order.
some_weights = [0.0, 0.5, 1.0, 3.0]


@st.composite
def tables(draw, n_groups=5, n_features=2, max_rows=40):
    """Draw rows, their weights or None, and their groups."""
    n = draw(st.integers(0, max_rows))
    weights = picks(draw, some_weights, n) if draw(st.booleans()) else None
    return few_values(draw, numbers, (n, n_features)), weights, picks(draw, range(n_groups), n)


@pytest.fixture
def batch(rng):
    """Return 3,000 rows of 300 groups, the last of which have none, with NaN and ties; weights and groups."""
    X = np.round(rng.normal(size=(3000, 3)), 1)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 2] = np.where(rng.random(3000) < 0.5, 0.0, -0.0)
    return X, rng.integers(0, 4, 3000) / 2, np.minimum(rng.integers(0, 900, 3000), rng.integers(0, 280, 3000))


def of_group(group, X, weights, codes):
    own = codes == group
    return X[own], None if weights is None else weights[own]


def cells(statistic, group):
    """Return the items and weights of each column of a group."""
    ends = statistic.offsets.tolist()
    n_features = statistic.count.shape[1]
    found = [slice(ends[c], ends[c + 1]) for c in range(group * n_features, (group + 1) * n_features)]
    return [(statistic.items[cell], statistic.weights[cell]) for cell in found]


def assert_group(statistic, group, alone):
    """Fail where a group is not what it is alone, digit for digit."""
    for name in ("is_exact", "count", "min", "max"):
        np.testing.assert_array_equal(getattr(statistic, name)[group], getattr(alone, name)[0], err_msg=name)
    for (items, weights), (own_items, own_weights) in zip(cells(statistic, group), cells(alone, 0), strict=True):
        np.testing.assert_array_equal(items, own_items)
        np.testing.assert_array_equal(weights, own_weights)
    of_group = statistic.take([group])
    np.testing.assert_array_equal(of_group.quantiles(PROBABILITIES), alone.quantiles(PROBABILITIES))
    np.testing.assert_array_equal(of_group.mad(), alone.mad())


def assert_groups(statistic, expected):
    """Fail where any group is not what it is in another statistic, digit for digit."""
    for name in ("is_exact", "count", "min", "max", "offsets", "items", "weights"):
        np.testing.assert_array_equal(getattr(statistic, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(statistic.quantiles(PROBABILITIES), expected.quantiles(PROBABILITIES))
    np.testing.assert_array_equal(statistic.mad(), expected.mad())


def bits(statistic):
    return repr(plain(statistic.fields()))


def restored(statistic, zero):
    """Return what is read from the text of a statistic."""
    fields = parse(write(plain(statistic.fields())))
    n_features = (statistic.newest if isinstance(statistic, WindowedQuantiles) else statistic).count.shape[1]
    return zero.restored(fields, n_features)


# Batches.


@given(table=tables())
def test_of_is_every_group_alone(table):
    X, weights, codes = table
    some = Quantiles.of(X, weights, codes, 5)
    for group in range(5):
        assert_group(some, group, Quantiles.of(*of_group(group, *table)))


@given(table=tables())
def test_exact_is_every_group_alone(table):
    X, weights, codes = table
    some = Quantiles.exact(X, weights, codes, 5, probabilities=PROBABILITIES, mad=True)
    for group in range(5):
        alone = Quantiles.exact(*of_group(group, *table), probabilities=PROBABILITIES, mad=True)
        assert_group(some, group, alone)
        np.testing.assert_array_equal(some.table[:, group], alone.table[:, 0])
        np.testing.assert_array_equal(some.deviation[group], alone.deviation[0])


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("n_values", [1, 5, 200], ids=lambda n: f"{n} at once")
def test_a_batch_cut_into_pieces_is_the_same(batch, weighted, n_values, monkeypatch):
    """Columns of a one-shot fit, and rows of others, are sorted as many at once as memory allows."""
    X, weights, codes = batch
    weights = weights if weighted else None
    whole = Quantiles.of(X, weights, codes, 300), Quantiles.exact(X, weights, codes, 300, mad=True)
    for module in ("_runs", "quantiles"):
        monkeypatch.setattr(f"sknorm.statistics.{module}.GROUPED", n_values * 3000)
    for form in (X, sp.csr_array(X), sp.csc_array(X)):
        parts = Quantiles.of(form, weights, codes, 300), Quantiles.exact(form, weights, codes, 300, mad=True)
        for some, expected in zip(parts, whole, strict=True):
            assert_groups(some, expected)
    assert bits(Quantiles.exact(X, weights, codes, 300, mad=True)) == bits(whole[1])


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_layouts_and_types_agree(batch, weighted):
    X, weights, codes = batch
    weights = weights if weighted else None
    expected = bits(Quantiles.of(X, weights, codes, 300))
    twice = np.repeat(codes, 2)
    for layout in (np.asfortranarray(X), X[::-1, ::-1].copy()[::-1, ::-1], np.repeat(X, 2, axis=1)[:, ::2]):
        assert bits(Quantiles.of(layout, weights, twice[::2], 300)) == expected
    single = X.astype(np.float32)
    assert bits(Quantiles.of(single, weights, codes, 300)) == bits(
        Quantiles.of(single.astype(float), weights, codes, 300)
    )


@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 32, 33, 100, 1000, 2500])
@pytest.mark.parametrize("kind", ["ties", "sorted", "reversed", "normal"])
def test_cells_are_sorted_with_their_weights(n, kind, rng):
    X = rng.normal(size=(n, 2))
    X = {"ties": np.round(X), "sorted": np.sort(X, axis=0), "reversed": np.sort(X, axis=0)[::-1], "normal": X}[kind]
    weights, codes = rng.random(n), rng.integers(0, 3, n)
    for w in (weights, None):
        items, moved, starts, lengths, count, low, high = kernels.sort_cells(X, w, codes, 3)
        for cell in range(6):
            own, x = codes == cell // 2, X[codes == cell // 2, cell % 2]
            order, place = np.argsort(x, kind="stable"), slice(starts[cell], starts[cell] + lengths[cell])
            np.testing.assert_array_equal(items[place], x[order])
            if w is not None:  # equal values keep the order of their rows
                np.testing.assert_array_equal(moved[place], weights[own][order])
            np.testing.assert_allclose(count.flat[cell], len(x) if w is None else weights[own].sum(), rtol=1e-12)
            assert (low.flat[cell], high.flat[cell]) == (x.min(initial=np.inf), x.max(initial=-np.inf))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("n", [3, 100])
def test_infinity_is_an_error_wherever_it_is(value, weight, n):
    X, codes, weights = np.zeros((n, 2)), np.arange(n) % 3, np.ones(n)
    X[n // 2, 1], weights[n // 2] = value, weight
    for some in (X, X.astype(np.float32), sp.csr_array(X)):
        for learn in (
            lambda X, w: Quantiles.of(X, w, codes, 3),
            lambda X, w: Quantiles.exact(X, w, codes, 3),
            lambda X, w: WindowedQuantiles.zero(3, 2, window=2).after(X, w, codes),
        ):
            for w in (weights, None):
                with pytest.raises(ValueError, match="contains infinity"):
                    learn(some, w)


@pytest.mark.parametrize("code", [-1, 3, 2**62])
def test_codes_are_checked(code):
    X, codes = np.zeros((4, 1)), np.array([0, 1, code, 2])
    zero = Quantiles.zero(3, 1), WindowedQuantiles.zero(3, 1, window=2)
    for learn in (lambda: Quantiles.of(X, None, codes, 3), *(lambda z=z: z.after(X, None, codes) for z in zero)):
        with pytest.raises(IndexError, match="outside"):
            learn()
    for kernel in (lambda: kernels.sort_cells(X, None, codes, 3), lambda: kernels.order_rows(codes, None, 4, 3)):
        with pytest.raises(IndexError, match="outside"):
            kernel()
    with pytest.raises(ValueError, match="as many as the rows"):
        kernels.order_rows(codes[:2], None, 4, 3)


def test_groups_without_rows():
    for X in (np.zeros((0, 2)), np.full((3, 2), np.nan)):
        codes = np.zeros(len(X), np.intp)
        for some in (Quantiles.of(X, None, codes, 4), Quantiles.exact(X, np.ones(len(X)), codes, 4, mad=True)):
            assert some.items.size == 0
            assert np.isnan(some.quantile(0.5)).all()
            assert np.isnan(some.mad()).all()
    nobody = Quantiles.of(np.zeros((0, 2)), None, np.zeros(0, np.intp), 0)
    assert nobody.store().take([]).count.shape == (0, 2)
    assert nobody.merge(nobody).quantile(0.5).shape == (0, 2)


# Streams.


@given(parts=st.lists(tables(max_rows=15), max_size=5))
def test_after_is_every_group_alone(parts):
    some, alone = Quantiles.zero(5, 2), [Quantiles.zero(1, 2)] * 5
    for part in parts:
        some = some.after(*part)
        alone = [one.after(*of_group(group, *part)) for group, one in enumerate(alone)]
    for group in range(5):
        assert_group(some, group, alone[group])


def test_k_and_seed_go_on():
    some = Quantiles.zero(2, 1, k=9, seed=5).after(np.arange(500.0)[:, np.newaxis], None, np.arange(500) % 2)
    assert (some.k, some.seed) == (9, 5)
    assert not some.is_exact.any()
    assert some.count.tolist() == [[250.0], [250.0]]
    other = Quantiles.zero(2, 1, k=9, seed=6).after(np.arange(500.0)[:, np.newaxis], None, np.arange(500) % 2)
    assert some.items.tolist() != other.items.tolist()


def rank_error(values, value, q):
    ordered, position = np.sort(values), q * (len(values) - 1)
    low, high = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
    return max(low - position, position - high, 0) / len(ordered)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_groups_beyond_what_is_exact(weighted, rng):
    """By one batch and by a store: within 1 % of rank, and the same bits from the same data."""
    n = 60_000
    X, codes = rng.normal(size=(n, 1)), rng.choice(4, n, p=[0.01, 0.1, 0.29, 0.6])
    weights = rng.integers(0, 3, n).astype(float) if weighted else None
    results = []
    for _ in range(2):
        store = Quantiles.zero(4, 1).store()
        for rows in np.array_split(np.arange(n), 30):
            groups, local = np.unique(codes[rows], return_inverse=True)
            store.put(groups, store.take(groups).after(X[rows], None if weights is None else weights[rows], local))
        results.append((Quantiles.of(X, weights, codes, 4), store.take(np.arange(4))))
    for some, again in zip(*results, strict=True):
        assert bits(some) == bits(again)
        assert some.is_exact.ravel().tolist() == [1, 0, 0, 0]
        assert np.diff(some.offsets).max() <= 1200 + 9 * 63
        for group in range(4):
            own = (
                X[codes == group, 0] if weights is None else np.repeat(X[:, 0], weights.astype(int) * (codes == group))
            )
            for q in np.linspace(0.05, 0.95, 19):
                assert rank_error(own, some.quantile(q)[group, 0], q) < 0.01
    exact = Quantiles.exact(X, weights, codes, 4).table
    for group in range(4):
        own = X[codes == group, 0] if weights is None else np.repeat(X[:, 0], weights.astype(int) * (codes == group))
        np.testing.assert_array_equal(exact[:, group, 0], np.quantile(own, (0.25, 0.5, 0.75)))


def test_take_is_these_groups_in_this_order(batch):
    some = Quantiles.exact(*batch, 300, mad=True)
    groups = np.array([299, 3, 0, 77])
    taken = some.take(groups)
    assert taken.n_groups == 4
    for place, group in enumerate(groups):
        assert_group(taken, place, some.take([group]))
        np.testing.assert_array_equal(taken.state[place], some.state[group])
        np.testing.assert_array_equal(taken.table[:, place], some.table[:, group])
    for wrong in ([-1], [300], [0, 300]):
        with pytest.raises(IndexError, match="outside"):
            some.take(wrong)
    with pytest.raises(ValueError, match="one dimension"):
        some.take([[1]])
    with pytest.raises(ValueError, match="read-only"):
        taken.items[0] = 1.0


def test_folded_is_merged_one_after_the_other(rng):
    X, codes = rng.normal(size=(30_000, 2)), np.minimum(rng.integers(0, 24, 30_000), rng.integers(0, 24, 30_000))
    some = Quantiles.of(X, None, codes, 24)
    assert 0 < some.is_exact.sum() < some.is_exact.size
    for n in (1, 2, 3, 24):
        folded = some.folded(n)
        expected = reduce(Quantiles.merge, [some.take(np.arange(i, 24, n)) for i in range(n)])
        assert bits(folded) == bits(expected)
    sparse = Quantiles.of(X[:3], None, np.array([5, 8, 8]), 24).folded(3)  # panes without rows, and groups
    assert [len(cells(sparse, group)[0][0]) for group in range(8)] == [0, 1, 2, 0, 0, 0, 0, 0]


def test_ranges_are_checked():
    source, target = np.arange(5.0), np.zeros(4)

    def copied(start, length, place):
        arrays = (np.array([value], np.int64) for value in (start, length))
        kernels.copy_ranges(source, *arrays, target, np.array([place], np.int64))

    copied(2, 3, 1)
    assert target.tolist() == [0.0, 2.0, 3.0, 4.0]
    copied(99, 0, 99)  # nothing lies anywhere
    for wrong in ((3, 3, 0), (0, 5, 0), (0, 1, 4), (-1, 1, 0), (0, 1, -1), (0, -1, 0), (2**62, 2**62, 0)):
        with pytest.raises(IndexError, match="outside"):
            copied(*wrong)
    with pytest.raises(ValueError, match="as many"):
        kernels.copy_ranges(source, np.zeros(2, np.int64), np.zeros(1, np.int64), target, np.zeros(1, np.int64))


# Stores.

KINDS = {"plain": lambda n: Quantiles.zero(n, 2)} | {
    f"window {window}": lambda n, window=window: WindowedQuantiles.zero(n, 2, window=window) for window in (2, 33)
}
each_kind = pytest.mark.parametrize("zero", KINDS.values(), ids=KINDS)


@each_kind
@FEW
@given(data=st.data())
def test_a_store_is_a_dict_of_statistics(zero, data):
    """Whatever is learned, forgotten, copied and added, in whatever order."""
    store, known = zero(0).store(), []
    for _ in range(data.draw(st.integers(1, 8))):
        n_groups = data.draw(st.integers(0, 7))
        store.resize(n_groups)
        known = known[:n_groups] + [zero(1)] * (n_groups - len(known))
        assert store.n_groups == n_groups
        groups = np.array(data.draw(st.permutations(range(n_groups)))[: data.draw(st.integers(0, 7))], np.intp)
        if len(groups):
            X, weights, codes = data.draw(tables(n_groups=len(groups), max_rows=30))
            taken = store.take(groups)
            before = bits(taken)
            store.put(groups, taken.after(X, weights, codes))
            assert bits(taken) == before  # what was taken stays as it was
            for local, group in enumerate(groups):
                known[group] = known[group].after(*of_group(local, X, weights, codes))
        make = data.draw(st.sampled_from([lambda s: s, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]))
        store = make(store)
    every = store.take(np.arange(store.n_groups))
    for group, alone in enumerate(known):
        assert_group(every.now(), group, alone.now())
    if isinstance(every, WindowedQuantiles):
        assert every.seen.tolist() == [int(alone.seen[0]) for alone in known]
        np.testing.assert_array_equal(every.group_weight, [alone.n_rows for alone in known])


@each_kind
def test_a_copied_store_is_another(zero, batch):
    X, weights, codes = batch
    store = zero(300).after(X[:, :2], weights, codes).store()
    before = bits(store.take(np.arange(300)))
    for make in (copy.deepcopy, copy.copy, lambda s: pickle.loads(pickle.dumps(s))):
        twin = make(store)
        assert bits(twin.take(np.arange(300))) == before
        twin.put([5], zero(1))
        twin.resize(7)
        assert bits(store.take(np.arange(300))) == before


@each_kind
def test_what_is_wrong_changes_nothing(zero, rng):
    store = zero(0).store()
    store.resize(4)
    X = rng.normal(size=(40, 2))
    store.put(np.arange(4), store.take(np.arange(4)).after(X, None, np.arange(40) % 4))
    before = bits(store.take(np.arange(4)))
    one = store.take([1])
    three = type(zero(1)).zero(1, 3, **({"window": one.window} if one.window else {}))
    for groups, statistic, error in (
        ([4], one, IndexError),
        ([-1], one, IndexError),
        ([0, 1], one, ValueError),
        ([2, 2], store.take([0, 1]), ValueError),
        ([[2]], one, ValueError),
        ([2], three, ValueError),
    ):
        with pytest.raises(error, match=r"group|shape"):
            store.put(groups, statistic)
        assert bits(store.take(np.arange(4))) == before
    with pytest.raises(IndexError, match="outside"):
        store.take([4])
    with pytest.raises(ValueError, match="must not be negative"):
        store.resize(-1)
    assert bits(store.take(np.arange(4))) == before


def test_k_and_window_must_agree():
    with pytest.raises(ValueError, match="Cannot put quantiles of k=9"):
        Quantiles.zero(2, 1).store().put([0], Quantiles.zero(1, 1, k=9))
    with pytest.raises(ValueError, match="Cannot put a window of 3 where one of 4"):
        WindowedQuantiles.zero(2, 1, window=4).store().put([0], WindowedQuantiles.zero(1, 1, window=3))


def test_new_groups_are_those_of_zero():
    store = Quantiles.zero(2, 3, seed=9).store()
    for n_groups in (3, 7, 5, 40):
        store.resize(n_groups)
        assert bits(store.take(np.arange(n_groups))) == bits(Quantiles.zero(n_groups, 3, seed=9))


def test_an_arena_holds_little_in_vain(rng):
    """Cells that grow leave their places, and what is forgotten leaves them too."""
    store = Quantiles.zero(50, 2).store()
    for turn in range(300):
        groups = rng.permutation(50)[:7]
        store.put(groups, store.take(groups).after(rng.normal(size=(70, 2)), None, np.arange(70) % 7))
        alive = len(store.take(np.arange(50)).items)
        assert store._alive == alive
        assert store._end <= len(store._items) == len(store._weights) <= 3 * alive + 2 * ragged.SLACK
        if turn == 200:
            alone = [store.take([group]) for group in range(50)]
            store.resize(3)
            store.resize(50)
            store.put(np.arange(3, 50), Quantiles.zero(47, 2))
            for group in range(50):
                assert_group(store.take([group]), 0, alone[group] if group < 3 else Quantiles.zero(1, 2))


def test_exact_results_stay_where_no_group_is_put(batch, rng):
    exact = Quantiles.exact(*batch, 300, mad=True)
    store = exact.store()
    groups = np.array([7, 2, 200])
    X = rng.normal(size=(9, 3))
    X[:, 1] = np.nan
    merged = store.take(groups).after(X, None, np.arange(9) % 3)
    store.put(groups, merged)
    store.resize(301)
    every, untouched = store.take(np.arange(301)), np.setdiff1d(np.arange(300), groups)
    assert every.probabilities == exact.probabilities
    np.testing.assert_array_equal(every.table[:, untouched], exact.table[:, untouched])
    np.testing.assert_array_equal(every.deviation[untouched], exact.deviation[untouched])
    np.testing.assert_array_equal(every.table[:, groups, 1], exact.table[:, groups, 1])
    assert np.isnan(every.table[:, groups][:, :, [0, 2]]).all()
    assert np.isnan(every.table[:, 300]).all()
    np.testing.assert_array_equal(every.take(groups).quantiles((0.25, 0.5)), merged.quantiles((0.25, 0.5)))
    twin = pickle.loads(pickle.dumps(store))
    assert bits(twin.take(np.arange(301))) == bits(every)
    # What has no exact results leaves none behind; those of other quantiles go nowhere.
    for other in (Quantiles.zero(1, 3), Quantiles.exact(X, probabilities=(0.4,))):
        store.put([0], other)
        assert np.isnan(store.take([0, 1]).table[:, 0]).all()
    assert store.take([0]).table is None


def test_exact_results_come_into_a_store_that_has_none(batch):
    exact = Quantiles.exact(*batch, 300, mad=True)
    store = Quantiles.zero(0, 3).store()
    store.resize(310)
    store.put(np.arange(300), exact)
    assert bits(store.take(np.arange(300))) == bits(exact)
    assert store.take(np.arange(300, 310)).table is None
    assert np.isnan(store.take([4, 305]).table[:, 1]).all()


# Windows.


@pytest.mark.parametrize("window", WINDOWS)
@FEW
@given(parts=st.lists(tables(n_groups=3, max_rows=70), max_size=5))
def test_a_window_is_of_every_group_alone(window, parts):
    some, alone = WindowedQuantiles.zero(3, 2, window=window), [WindowedQuantiles.zero(1, 2, window=window)] * 3
    for part in parts:
        some = some.after(*part)
        alone = [one.after(*of_group(group, *part)) for group, one in enumerate(alone)]
    for group in range(3):
        assert_group(some.now(), group, alone[group].now())
        assert some.seen[group] == alone[group].seen[0]
        assert some.group_weight[group] == alone[group].n_rows
    assert some.n_rows == sum(one.n_rows for one in alone)
    again = restored(some, WindowedQuantiles.zero(3, 1, window=window))
    assert bits(again) == bits(some)
    assert bits(again.now()) == bits(some.now())


@pytest.mark.parametrize("window", WINDOWS)
@FEW
@given(data=st.data())
def test_a_window_holds_the_rows_that_count(window, data):
    X, weights, codes = data.draw(tables(n_groups=3, max_rows=90))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(X)), max_size=5)))
    some = WindowedQuantiles.zero(3, 2, window=window)
    for rows in np.split(np.arange(len(X)), cuts):
        some = some.after(X[rows], None if weights is None else weights[rows], codes[rows])
    for group in range(3):
        own, own_weights = of_group(group, X, weights, codes)
        rows = kept_rows(window, len(own), own_weights)
        alone = Quantiles.of(own[rows], None if weights is None else own_weights[rows])
        assert_group(some.now(), group, alone)
        assert some.group_weight[group] == (len(rows) if weights is None else own_weights[rows].sum())


@pytest.mark.parametrize("window", [1000, 5000])
def test_a_long_window_is_within_one_percent(window, rng):
    n = 80_000
    X, codes = np.cumsum(rng.normal(size=(n, 1)), axis=0), rng.choice(3, n, p=[0.2, 0.3, 0.5])
    some = WindowedQuantiles.zero(3, 1, window=window)
    for rows in np.array_split(np.arange(n), 40):
        some = some.after(X[rows], None, codes[rows])
    at_once = WindowedQuantiles.zero(3, 1, window=window).after(X, None, codes)
    for group in range(3):
        own = X[codes == group, 0]
        own = own[kept_rows(window, len(own))]
        for q in (0.05, 0.25, 0.5, 0.75, 0.95):
            for one in (some, at_once):
                assert rank_error(own, one.now().quantile(q)[group, 0], q) < 0.01


def test_the_merged_panes_are_kept_while_one_is_open(rng):
    some = WindowedQuantiles.zero(1, 2, window=160).after(rng.normal(size=(205, 2)))
    assert some.now().count[0, 0] == 165
    for rows in (1, 2):
        after = some.after(rng.normal(size=(rows, 2)))
        assert after._folded is some._folded
    assert some.after(rng.normal(size=(10, 2)))._folded is not some._folded


def test_sparse_windows_are_dense_ones(batch):
    X, weights, codes = batch
    X = np.where(np.isnan(X), 0.0, X)
    for w in (None, weights):
        for form in (sp.csr_array, sp.csc_matrix):
            dense, sparse = (WindowedQuantiles.zero(300, 3, window=5).after(x, w, codes) for x in (X, form(X)))
            for group in (0, 5, 150, 299):
                assert_group(sparse.now(), group, dense.now().take([group]))


# Documents.


@given(table=tables())
def test_documents_of_groups(table):
    X, weights, codes = table
    for some in (Quantiles.of(X, weights, codes, 5), Quantiles.exact(X, weights, codes, 5, mad=True)):
        assert bits(restored(some, Quantiles.zero(5, 1))) == bits(some)
    with pytest.raises(ValueError, match=r"must be a list of"):
        restored(some, Quantiles.zero(6, 1))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("seen", [3, 3, 3], "must be a list of 2"),
        ("seen", [1, 9], r"pane_weight\[0\]\[1\] must be 0: after so many rows this pane does not count"),
        ("pane_weight", [[1.0, 1.0, 0.0]], "must be a list of 2"),
        ("window", 3, "must be 2"),
    ],
)
def test_a_wrong_window_is_named(field, value, problem):
    X = np.arange(12.0)[:, np.newaxis]
    some = WindowedQuantiles.zero(2, 1, window=2).after(X, None, np.arange(12) % 2)
    fields = plain(some.fields()) | {field: value}
    with pytest.raises(ValueError, match=problem):
        some.restored(parse(write(fields)), 1)
