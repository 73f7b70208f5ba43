"""The laws of a commutative monoid, and what a batch's statistic must not depend on, for every statistic."""

import pickle
from functools import reduce

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from registry import STATISTICS, assert_same
from strategies import batches, tables

# All that a statistic of some kind keeps.
KEPT = ("table", "count", "mean", "mean_low", "m2", "min", "max", "items", "weights", "offsets", "state")

parametrize = pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.__name__)


@pytest.fixture
def X(rng):
    """Return 300 rows: narrow, wide, far from zero, constant, 0 and 1, and no value at all; NaN here and there."""
    X = rng.normal(size=(300, 6)) * [1, 1e9, 1, 0, 1, 1] + [0, 0, 1e12, 7.25, 0, 0]
    X[:, 4] = X[:, 4] > 0
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 5] = np.nan
    return X


def bits(statistic):
    """Return all that a statistic holds, as bytes."""
    return pickle.dumps(statistic)


def merged(statistic, parts, n_features):
    return reduce(lambda a, b: a.merge(b), (statistic.of(part) for part in parts), statistic.zero(1, n_features))


# A commutative monoid.


@parametrize
def test_zero_is_neutral_to_the_bit(statistic, X):
    some, zero = statistic.of(X), statistic.zero(1, X.shape[1])
    for same in (some.merge(zero), zero.merge(some), some.merge(statistic.of(X[:0])), statistic.of(X[:0]).merge(some)):
        assert_same(same, some)
        assert bits(same) == bits(some)
    assert bits(zero.merge(zero)) == bits(zero) == bits(statistic.of(X[:0]))


@parametrize
def test_zero_holds_nothing(statistic):
    zero = statistic.zero(3, 2)
    assert zero.count.shape == (3, 2)
    assert not zero.count.any()


@parametrize
@given(data=st.data())
def test_merge_is_commutative(statistic, data):
    X = data.draw(tables(min_rows=2))
    cut = data.draw(st.integers(0, len(X)))
    a, b = statistic.of(X[:cut]), statistic.of(X[cut:])
    assert_same(a.merge(b), b.merge(a), X)


@parametrize
@given(data=st.data())
def test_merge_is_associative(statistic, data):
    X = data.draw(tables())
    one, two = sorted(data.draw(st.tuples(*[st.integers(0, len(X))] * 2)))
    a, b, c = (statistic.of(part) for part in (X[:one], X[one:two], X[two:]))
    assert_same(a.merge(b).merge(c), a.merge(b.merge(c)), X)


@parametrize
@given(data=st.data())
def test_streamed_is_batch_for_any_split(statistic, data):
    X = data.draw(tables())
    assert_same(merged(statistic, data.draw(batches(X, min_rows=0)), X.shape[1]), statistic.of(X), X)


@parametrize
@given(data=st.data())
def test_merged_in_any_order_is_batch(statistic, data):
    X = data.draw(tables())
    parts = data.draw(st.permutations(data.draw(batches(X, min_rows=0))))
    assert_same(merged(statistic, parts, X.shape[1]), statistic.of(X), X)


@parametrize
def test_row_by_row_is_batch(statistic, X):
    assert_same(merged(statistic, np.split(X, len(X)), X.shape[1]), statistic.of(X), X)


@parametrize
def test_merge_changes_neither(statistic, X):
    a, b = statistic.of(X[:100]), statistic.of(X[100:])
    before = bits(a), bits(b)
    a.merge(b)
    assert (bits(a), bits(b)) == before


@parametrize
def test_different_data_differ(statistic, X):
    # Else the comparison that the laws rest on would prove nothing.
    changed = X.copy()
    changed[np.nanargmax(X[:, 0]), 0] += 1.0
    changed[np.nanargmin(X[:, 0]), 0] -= 1.0
    changed[:, 0] += 1e-9
    with pytest.raises(AssertionError):
        assert_same(statistic.of(changed), statistic.of(X), X)
    with pytest.raises(AssertionError):
        assert_same(statistic.of(X[1:]), statistic.of(X), X)


# What is absent.


@parametrize
@given(data=st.data())
def test_nan_is_absent(statistic, data):
    X = data.draw(tables())
    for column in X.T:
        present = column[~np.isnan(column), np.newaxis]
        assert_same(statistic.of(column[:, np.newaxis]), statistic.of(present), present)


@parametrize
def test_a_batch_of_nan_adds_nothing(statistic, X):
    some = statistic.of(X)
    assert bits(some.merge(statistic.of(np.full((5, X.shape[1]), np.nan)))) == bits(some)


@parametrize
@given(data=st.data())
def test_weight_0_is_absent(statistic, data):
    X = data.draw(tables())
    weights = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.3, 2.5]), min_size=len(X), max_size=len(X))))
    there = weights > 0
    assert_same(statistic.of(X, weights), statistic.of(X[there], weights[there]), X)


@parametrize
@given(data=st.data())
def test_weight_n_is_the_row_n_times(statistic, data):
    X = data.draw(tables())
    weights = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(X), max_size=len(X))))
    assert_same(statistic.of(X, weights.astype(float)), statistic.of(np.repeat(X, weights, axis=0)), X)


@parametrize
def test_weight_1_is_no_weight(statistic, X):
    assert_same(statistic.of(X, np.ones(len(X))), statistic.of(X), X)


@parametrize
def test_infinity_at_weight_0_is_still_an_error(statistic, X):
    X[7, 3] = np.inf
    weights = np.ones(len(X))
    weights[7] = 0
    with pytest.raises(ValueError, match="infinity"):
        statistic.of(X, weights)


# Groups.


@parametrize
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_a_group_is_its_own_rows(statistic, X, rng, weighted):
    codes = rng.integers(0, 4, len(X)) + (rng.integers(0, 4, len(X)) == 0)  # 0 to 4; 5 stays empty
    weights = rng.choice([0.5, 1.0, 3.0], len(X)) if weighted else None
    grouped = statistic.of(X, weights, codes, 6)
    assert grouped.count.shape == (6, X.shape[1])
    for group in range(6):
        own = codes == group
        alone = statistic.of(X[own], None if weights is None else weights[own])
        assert_same(grouped, alone, X, group)


@parametrize
def test_groups_merge_each_on_its_own(statistic, X, rng):
    codes = rng.integers(0, 3, len(X))
    halves = [statistic.of(X[part], None, codes[part], 3) for part in (slice(None, 150), slice(150, None))]
    both = halves[0].merge(halves[1])
    for group in range(3):
        assert_same(both, statistic.of(X[codes == group]), X, group)


@parametrize
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_no_codes_put_every_row_into_group_0(statistic, X, weighted):
    weights = np.full(len(X), 2.0) if weighted else None
    for table in (X, sp.csr_array(X)):
        grouped = statistic.of(table, weights, None, 3)
        assert_same(grouped, statistic.of(X, weights), X, 0)
        assert_same(grouped, statistic.zero(1, X.shape[1]), X, 2)


@parametrize
@pytest.mark.parametrize("code", [-1, 3])
def test_a_code_outside_the_groups_is_an_error(statistic, X, code):
    codes = np.zeros(len(X), dtype=np.intp)
    codes[-1] = code
    with pytest.raises(IndexError):
        statistic.of(X, None, codes, 3)


# Layouts, dtypes, formats.


@parametrize
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_memory_layouts_agree(statistic, X, rng, weighted):
    weights = rng.choice([1.0, 2.0], len(X)) if weighted else None
    expected = statistic.of(X, weights)
    n, d = X.shape
    every_other = np.empty((2 * n, 3 * d))
    every_other[::2, ::3] = X
    unaligned = np.frombuffer(b"\0" + X.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(n, d)
    packed = np.empty(n, dtype=[("flag", np.int8), ("row", np.float64, (d,))])
    packed["row"] = X
    layouts = {
        "F": np.asfortranarray(X),
        "every other": every_other[::2, ::3],
        "every other row": every_other[::2, ::3].copy().repeat(2, axis=0)[::2],
        "transposed": X.T.copy().T[:, :],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "reversed F": np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
        "unaligned": unaligned,
        "strides that are no multiple of 8": packed["row"],
    }
    assert not unaligned.flags.aligned
    for name, layout in layouts.items():
        assert np.array_equal(layout, X, equal_nan=True), name
        assert_same(statistic.of(layout, weights), expected, X)


@parametrize
@pytest.mark.parametrize("order", ["C", "F"])
def test_float32_is_learned_as_double(statistic, X, order):
    single = np.array(X, dtype=np.float32, order=order)
    assert_same(statistic.of(single), statistic.of(single.astype(np.float64)), X)


@parametrize
@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix])
@pytest.mark.parametrize("what", ["plain", "weighted", "grouped", "both"])
def test_sparse_is_dense(statistic, X, rng, form, what):
    X[rng.random(X.shape) < 0.7] = 0.0
    X[:, 0] = 0.0
    X[:, 1] = 5.0 + rng.random(len(X))  # no zero, stored or not
    weights = rng.choice([0.0, 0.1, 1.0, 3.0], len(X)) if what in ("weighted", "both") else None
    codes = rng.integers(0, 3, len(X)) if what in ("grouped", "both") else None
    sparse, dense = statistic.of(form(X), weights, codes, 3), statistic.of(X, weights, codes, 3)
    for group in range(3):
        own = np.full(len(X), group == 0) if codes is None else codes == group
        alone = statistic.of(X[own], None if weights is None else weights[own])
        assert_same(sparse, alone, X, group)
        assert_same(dense, alone, X, group)


@parametrize
def test_sparse_duplicates_add_up_and_stored_zeros_are_zeros(statistic):
    entries = np.array([1.0, 2.0, 5.0, 0.0]), (np.array([0, 0, 1, 2]), np.array([0, 0, 0, 0]))
    summed = np.array([[3.0], [5.0], [0.0], [0.0]])
    coo = sp.coo_array(entries, shape=(4, 1))
    duplicated = sp.csr_array((np.array([1.0, 2.0, 5.0, 0.0]), [0, 0, 0, 0], [0, 2, 3, 4, 4]), shape=(4, 1))
    assert not duplicated.has_canonical_format
    for sparse in (coo.tocsr(), coo.tocsc(), duplicated):
        assert_same(statistic.of(sparse), statistic.of(summed), summed)


@parametrize
@pytest.mark.parametrize("where", [(0, 0), (150, 2), (299, 5)])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_an_error_wherever_it_is(statistic, X, where, value):
    X[where] = value
    for table in (X, X.astype(np.float32), np.asfortranarray(X), X[::-1], sp.csr_array(X), sp.csc_array(X)):
        with pytest.raises(ValueError, match="contains infinity"):
            statistic.of(table)


@parametrize
def test_opposite_infinities_are_no_missing_value(statistic):
    with pytest.raises(ValueError, match="contains infinity"):
        statistic.of(np.array([[np.inf], [-np.inf], [np.nan], [1.0]]))


@parametrize
def test_of_leaves_its_input_alone(statistic, X, rng):
    weights, codes = rng.random(len(X)), rng.integers(0, 3, len(X))
    before = X.copy(), weights.copy(), codes.copy()
    for array in (X, weights, codes):
        array.setflags(write=False)
    statistic.of(X)
    statistic.of(X, weights, codes, 3)
    for array, copy in zip((X, weights, codes), before, strict=True):
        assert array.tobytes() == copy.tobytes()


# Values.


@parametrize
def test_a_statistic_is_frozen(statistic, X):
    some = statistic.of(X)
    for frozen in (some, some.merge(some), statistic.zero(1, 2), pickle.loads(pickle.dumps(some))):
        for name in KEPT:
            if hasattr(frozen, name):
                with pytest.raises(AttributeError):
                    setattr(frozen, name, 0)
        # A frozen dataclass with slots raises TypeError for a name that is no field.
        with pytest.raises((AttributeError, TypeError)):
            frozen.something_new = 0
        with pytest.raises(ValueError, match="read-only"):
            frozen.count[0, 0] = 5


@parametrize
def test_fields_that_are_kept_are_read_only(statistic, X):
    some = statistic.of(X)
    kept = [name for name in KEPT if getattr(some, name, None) is not None]
    assert "count" in kept
    for name in kept:
        assert not getattr(some, name).flags.writeable, name


@parametrize
def test_pickle_keeps_every_bit(statistic, X):
    some = statistic.of(X)
    back = pickle.loads(pickle.dumps(some))
    assert type(back) is statistic
    assert bits(back) == bits(some)
    assert_same(back.merge(some), some.merge(some))


@parametrize
def test_the_same_data_give_the_same_bits(statistic, X):
    halves = X[:140], X[140:]
    one, two = (merged(statistic, [part.copy() for part in halves], X.shape[1]) for _ in range(2))
    assert bits(one) == bits(two)
