"""Tables, decays and windows of many groups: each group as if it were alone, in batches, row by row, and in stores."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import STATISTICS, assert_same
from strategies import few_values, picks

from sknorm._document import parse, plain, write
from sknorm.kernels import _apply, _groups, _moments
from sknorm.maps import Affine, Chain, Clip, Squash
from sknorm.statistics import Decayed, Extremes, Moments, MomentsAndExtremes, WindowedTable
from sknorm.statistics.rule import Overflow, Rule, Unseen

TABLES = [Extremes, Moments, MomentsAndExtremes]
each_table = pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)

# Statistics that know their rows in order, and how one of them begins.
KINDS = {
    "Extremes": lambda n, d: Extremes.zero(n, d),
    "Moments": lambda n, d: Moments.zero(n, d),
    "MomentsAndExtremes": lambda n, d: MomentsAndExtremes.zero(n, d),
    "Decayed 3": lambda n, d: Decayed.zero(n, d, half_life=3.0),
    "Decayed 0.5": lambda n, d: Decayed.zero(n, d, half_life=0.5),
    **{
        f"Windowed {kind.__name__} {window}": lambda n, d, kind=kind, window=window: WindowedTable.zero(
            n, d, kind=kind, window=window
        )
        for kind, window in ((Extremes, 1), (Moments, 5), (MomentsAndExtremes, 7), (Moments, 40), (Extremes, 10_000))
    },
}
each_kind = pytest.mark.parametrize("zero", KINDS.values(), ids=KINDS)

FEW = settings(max_examples=25)

values = st.integers(-40, 40).map(lambda i: i / 4) | st.just(np.nan) | st.sampled_from([0.0, -0.0, 1e6, 1e-6])
some_weights = [0.0, 0.5, 1.0, 3.0]


@st.composite
def rows(draw, n_groups=4, max_rows=14, max_columns=5, absent=False, n_features=None):
    """Draw rows, their weights or None, and their groups; −1 for none where ``absent``."""
    n, d = draw(st.integers(0, max_rows)), n_features or draw(st.integers(1, max_columns))
    X = few_values(draw, values, (n, d))
    codes = picks(draw, range(-1 if absent else 0, n_groups), n)
    weights = picks(draw, some_weights, n) if draw(st.booleans()) else None
    layout = draw(st.sampled_from(["C", "F", "reversed", "float32"]))
    X = {"C": X, "F": np.asfortranarray(X), "reversed": X[::-1].copy()[::-1], "float32": X.astype(np.float32)}[layout]
    return X, weights, codes


def of_group(group, X, weights, codes):
    own = codes == group
    return X[own], None if weights is None else weights[own]


def bits(statistic):
    return write(plain(statistic.fields()))


def assert_group(statistic, group, alone, X):
    """Fail where a group is not what it is alone, but for the last digits of its moments."""
    now = statistic.now()
    assert type(now) in STATISTICS
    assert_same(now, alone.now(), np.nan_to_num(X), group)


# Batches.


@each_kind
@FEW
@given(data=st.data())
def test_every_group_learns_alone(zero, data):
    """In batches and row by row, whatever comes between."""
    parts = data.draw(st.lists(rows(n_features=2), min_size=1, max_size=4))
    together, followed = zero(4, 2), zero(4, 2)
    alone = [zero(1, 2)] * 4
    for X, weights, codes in parts:
        together = together.after(X, weights, codes)
        nothing, followed, group_weight = followed.follow_groups(X, weights, codes)
        assert nothing is None
        np.testing.assert_allclose(group_weight, np.bincount(codes, weights, 4), rtol=1e-14)
        alone = [one.after(*of_group(group, X, weights, codes)) for group, one in enumerate(alone)]
    X = np.vstack([part[0] for part in parts]) if parts else np.zeros((1, 2))
    for group in range(4):
        assert_group(together, group, alone[group], X)
        assert_group(followed, group, alone[group], X)
        assert_group(together.take(np.array([group])), 0, alone[group], X)


@each_table
@FEW
@given(batch=rows(n_groups=5, max_rows=40))
def test_records_are_what_scattering_gives(kind, batch):
    X, _, codes = batch
    table = _moments.zeros(5, X.shape[1], kind is not Moments)
    right = _moments.scatter_once(X, codes, table, 0, 5)
    expected = kind.of(X, np.ones(len(X)), codes, 5)
    assert right
    got = kind(table[kind.ROWS].copy())
    for group in range(5):
        assert_same(got, expected.take(np.array([group])), np.nan_to_num(X), group)


@FEW
@given(batch=rows(n_groups=6, max_rows=40), cut=st.integers(0, 6))
def test_records_in_parts_are_the_whole(batch, cut):
    X, _, codes = batch
    whole, parts = _moments.zeros(6, X.shape[1]), _moments.zeros(6, X.shape[1])
    assert _moments.scatter_once(X, codes, whole, 0, 6)
    assert _moments.scatter_once(X, codes, parts, 0, cut)
    assert _moments.scatter_once(X, codes, parts, cut, 6)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 9])
def test_infinities_are_found_in_every_lane(width, dtype, value, rng):
    codes = rng.integers(0, 5, 40).astype(np.intp)
    for column in range(width):
        X = rng.normal(size=(40, width)).astype(dtype)
        X[33, column] = value
        for weights in (None, np.ones(40)):
            for statistic in (Moments, Extremes, MomentsAndExtremes):
                with pytest.raises(ValueError, match="infinity"):
                    statistic.of(X, weights, codes, 5)
            for zero in (Moments.zero(5, width), Decayed.zero(5, width, half_life=2.0)):
                with pytest.raises(ValueError, match="infinity"):
                    zero.follow_groups(X, weights, codes)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 33, 300])
def test_widths_and_many_rows(width, rng):
    n_rows, n_groups = 1500 if width < 100 else 60, 17
    X = rng.normal(1e6, 1, size=(n_rows, width))
    X[rng.random(X.shape) < 0.1] = np.nan
    codes = (rng.zipf(1.4, n_rows) % n_groups).astype(np.intp)
    for weights in (None, rng.choice([0.0, 0.5, 2.0], n_rows)):
        for kind in TABLES:
            batch = kind.of(X, weights, codes, n_groups)
            _, followed, _ = kind.zero(n_groups, width).follow_groups(X, weights, codes)
            for group in range(n_groups):
                alone = kind.of(*of_group(group, X, weights, codes))
                assert_same(batch, alone, np.nan_to_num(X), group)
                assert_same(followed, alone, np.nan_to_num(X), group)


def test_codes_are_checked(rng):
    X = rng.normal(size=(4, 2))
    for codes in ([0, 1, 2, 3], [-1, 0, 0, 0], [2**40, 0, 0, 0]):
        with pytest.raises(IndexError, match="outside range"):
            Moments.of(X, None, np.array(codes, np.intp), 3)
    with pytest.raises(IndexError, match="outside range"):
        Moments.zero(3, 2).follow_groups(X, None, np.array([0, 1, 2, 3], np.intp))
    with pytest.raises(IndexError, match="outside range"):
        Moments.zero(3, 2).follow_groups(X, None, np.array([0, 1, 2, -2], np.intp))
    with pytest.raises(ValueError, match="one for each row"):
        Moments.of(X, None, np.zeros(3, np.intp), 3)
    table = _moments.zeros(3, 2)
    for codes in ([0, 1, 2, 3], [-1, 0, 0, 0], [-(2**40), 0, 0, 2**40]):
        try:
            right = _moments.scatter_once(X, np.array(codes, np.intp), table, 0, 3)
        except (IndexError, ValueError):
            continue
        assert not right or max(codes) < 3


def test_the_kernel_checks_what_it_reads(rng):
    def groups(**changes):
        given = {"table": np.zeros((4, 3, 2)), "first_row": 0, "weight": np.zeros(3)} | changes
        return _groups.Groups(given.pop("table"), given.pop("first_row"), given.pop("weight"), **given)

    for changes in (
        {"table": np.zeros((4, 3))},
        {"table": np.zeros((4, 3, 2), np.float32)},
        {"table": np.zeros((7, 3, 2))},
        {"table": np.zeros((4, 3, 2))[::-1]},
        {"first_row": 3},
        {"first_row": -1},
        {"weight": np.zeros(4)},
        {"weight": np.zeros(3, np.float32)},
        {"half_life": -1.0},
        {"half_life": 1.0},
        {"half_life": 1.0, "phase": np.zeros((2, 2))},
        {"window": -1},
        {"window": 3},
        {"window": 3, "length": 1, "seen": np.zeros(3, np.int64), "pane_weight": np.zeros((3, 4))},
        {"half_life": 1.0, "window": 3, "length": 1},
    ):
        with pytest.raises(ValueError, match=r"must|negative"):
            groups(**changes)
    X, codes, rule = rng.normal(size=(5, 2)), np.zeros(5, np.intp), Rule("mean", "std")
    out = np.empty((5, 2))
    for arguments, options in (
        ((X[:, :1], codes), {}),
        ((X.astype(int), codes), {}),
        ((X, codes[:4]), {}),
        ((X, codes.astype(np.int32)), {}),
        ((X, np.zeros(10, np.intp)[::2]), {}),
        ((X, codes, np.ones(4)), {}),
        ((X, codes, np.ones(5, np.float32)), {}),
        ((X, codes, None, rule), {}),
        ((X, codes, None, None, out), {}),
        ((X, codes, None, rule, out), {}),
        ((X, codes, None, rule, out), {"all": 3}),
        ((X, codes, None, rule, out), {"all": 2, "other": 3}),
        ((X, codes, None, rule, out), {"all": 2, "other": -2}),
        ((X, codes, None, rule, out[:4]), {"all": 2}),
        ((X, codes, None, rule, out.astype(np.float32)), {"all": 2}),
        ((X, codes, None, rule, out), {"all": 2, "unseen": "zero"}),
    ):
        with pytest.raises(ValueError, match=r"must|goes with|not in"):
            groups().follow(*arguments, **options)
    out.setflags(write=False)
    with pytest.raises(ValueError, match="writeable"):
        groups().follow(X, codes, None, rule, out, all=2)


def test_no_rows_and_no_groups():
    for zero in KINDS.values():
        some = zero(0, 2)
        assert some.n_groups == 0
        assert some.now().count.shape == (0, 2)
        assert some.after(np.empty((0, 2)), None, np.empty(0, np.intp)).n_groups == 0
        some = zero(3, 2).after(np.empty((0, 2)), None, np.empty(0, np.intp))
        assert not some.now().count.any()
        _, same, weight = some.follow_groups(np.empty((0, 2)), None, np.empty(0, np.intp))
        assert bits(same) == bits(some)
        assert weight.tolist() == [0.0] * 3


# Scaled on the way.

RULES = {
    "z": Rule("mean", "std"),
    "ddof": Rule("mean", "std", ddof=1.5),
    "mean": Rule("mean", "none"),
    "min-max": Rule("min", "range", gain=2.0, shift=-1.0).bounded("hard", -1.0, 1.0),
    "mean and range": Rule("mean", "range"),
    "power": Rule(scale="power").bounded("soft", -2.0, 2.0),
    "max_abs": Rule(scale="max_abs"),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(
    "zero",
    [
        lambda n: MomentsAndExtremes.zero(n, 3),
        lambda n: WindowedTable.zero(n, 3, kind=MomentsAndExtremes, window=4),
        lambda n: WindowedTable.zero(n, 3, kind=MomentsAndExtremes, window=33),
    ],
    ids=["all", "window 4", "window 33"],
)
@settings(max_examples=20)
@given(data=st.data())
def test_each_row_is_scaled_by_the_past_of_its_group(zero, rule, data):
    X, weights, codes = data.draw(rows(n_features=3, absent=True))
    unseen = data.draw(st.sampled_from(["global", "nan", "passthrough"]))
    least = data.draw(st.sampled_from([1.0, 2.0]))
    known = zero(5)
    scaled, after, weight = known.follow_groups(
        X, weights, codes, np.zeros(5), rule, all=4, unseen=unseen, min_samples=least
    )
    assert scaled.dtype == X.dtype
    alone, counted = [zero(1)] * 5, np.zeros(5)
    for i, code in enumerate(codes.tolist()):
        row, row_weight = X[i : i + 1], None if weights is None else weights[i : i + 1]
        one = 1.0 if weights is None else weights[i]

        def of(group, row=row):
            return alone[group].follow(row, None, rule)[0][0]

        if code < 0:
            expected = of(4)
        else:
            instead = {"global": lambda: of(4), "passthrough": lambda row=row: row[0]}.get(
                unseen, lambda: np.full(3, np.nan)
            )()
            expected = instead
            if counted[code] > 0 and (least <= 1 or counted[code] >= least):
                expected = np.where(alone[code].now().count[0] > 0, of(code), instead)
        tolerance = 1e-12 if X.dtype == np.float64 else 2e-6
        np.testing.assert_allclose(scaled[i], expected, rtol=tolerance, atol=tolerance)
        for group in {code, 4} - {-1}:
            alone[group] = alone[group].after(row, row_weight)
            counted[group] += one
    np.testing.assert_allclose(weight, counted)
    for group in range(5):
        assert_group(after, group, alone[group], X)


def test_a_group_that_must_have_been_seen():
    X, codes = np.array([[1.0], [2.0], [3.0]]), np.array([0, 0, 1], np.intp)
    known = Moments.zero(3, 1)
    with pytest.raises(Unseen) as caught:
        known.follow_groups(X, None, codes, np.array([1.0, 0.0, 1.0]), Rule("mean", "none"), all=2, unseen="error")
    assert caught.value.args == (2,)
    # What was folded stands for it.
    known.follow_groups(X, None, codes, np.array([1.0, 0.0, 1.0, 5.0])[[0, 1, 2]], Rule("mean", "none"), all=2, other=0)


@pytest.mark.parametrize("codes", [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_a_variance_that_overflows_on_the_way(codes):
    X = np.array([-6e153, 6e153, 0.0, 0.0, 0.0])[:, np.newaxis]
    with pytest.raises(Overflow) as caught:
        Moments.zero(3, 1).follow_groups(
            X, None, np.array(codes, np.intp), np.zeros(3), Rule("mean", "std", ddof=1.9), all=2
        )
    assert caught.value.args[0] == 0


def test_put_off_rows_lose_no_digits(rng):
    """The record of all rows takes many rows at once, far from zero as well, and with huge values among them."""
    for offset in (0.0, 1e8, 1e15):
        X = rng.normal(offset, 1, size=(500, 2))
        codes = rng.integers(0, 40, 500).astype(np.intp)
        out, after, _ = Moments.zero(41, 2).follow_groups(X, None, codes, np.zeros(41), Rule("mean", "std"), all=40)
        assert np.isfinite(out).all()
        assert_same(after.take(np.array([40])), Moments.of(X), X)
    X[250] = 1e153
    _, after, _ = Moments.zero(41, 2).follow_groups(X, None, codes, np.zeros(41), Rule("mean", "std"), all=40)
    assert_same(after.take(np.array([40])), Moments.of(X), X)


# Maps.


def map_of(rng, n_groups, d, which):
    centre, scale = rng.normal(size=(n_groups, d)), rng.uniform(0.5, 2, (n_groups, d))
    gain, shift = np.full((n_groups, d), 2.0), rng.normal(size=(n_groups, d))
    affine = Affine(centre, scale, gain, shift)
    return {
        "affine": affine,
        "centre": Affine(centre),
        "scale": Affine(None, scale),
        "clip": Chain(affine, Clip(np.full((n_groups, d), -1.0), np.full((n_groups, d), 0.5))),
        "squash": Chain(affine, Squash(np.full((n_groups, d), 1.5))),
        "unsquash": Chain(affine, Squash(np.full((n_groups, d), 1.5))).inverse(),
        "nothing": Affine(),
    }[which]


def group_of(map_, group):
    """Return the map of one group."""
    if isinstance(map_, Chain):
        return Chain(*(group_of(part, group) for part in map_.maps))
    return type(map_)(**{name: None if v is None else v[[group]] for name, v in vars(map_).items() if name[0] != "_"})


@pytest.mark.parametrize("which", ["affine", "centre", "scale", "clip", "squash", "unsquash", "nothing"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 17])
def test_each_row_has_the_map_of_its_group(which, dtype, d, rng):
    n_groups, n = 7, 200
    map_ = map_of(rng, n_groups, d, which)
    X = rng.normal(size=(n, d)).astype(dtype)
    if which == "unsquash":
        X = np.tanh(X)
    X[rng.random(X.shape) < 0.1] = np.nan
    codes = rng.integers(0, n_groups, n).astype(np.intp)
    expected = np.empty_like(X)
    for group in range(n_groups):
        expected[codes == group] = group_of(map_, group)(X[codes == group])
    wide = np.full((n, d + 1), np.inf, dtype)  # beside the values, where kernels may not look
    wide[:, :d] = X
    for table in (X, np.asfortranarray(X), X[::-1].copy()[::-1], np.repeat(X, 2, axis=1)[:, ::2], wide[:, :d]):
        before = table.copy()
        np.testing.assert_array_equal(map_(table, None, codes), expected)
        np.testing.assert_array_equal(table, before)
    order = np.argsort(codes, kind="stable")
    np.testing.assert_array_equal(map_(X[order], None, codes[order]), expected[order])
    some = X.copy()
    assert map_(some, some, codes) is some
    np.testing.assert_array_equal(some, expected)
    for row, column in ((0, 0), (n - 1, d - 1), (n // 2, d // 2)):
        bad = X.copy()
        bad[row, column] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            map_(bad, None, codes)


def test_programs_check_codes(rng):
    program = _apply.Program([_apply.STAGE_DIVIDE], np.ones((1, _apply.N_PARAMETERS, 3, 2)))
    X = rng.normal(size=(4, 2))
    for wrong in (np.zeros(4, np.int32), np.zeros(8, np.intp)[::2], np.zeros(3, np.intp)):
        with pytest.raises(ValueError, match="codes must be n contiguous intp"):
            program(X, X.copy(), 0, 4, wrong)
    for codes in ([0, 1, 2, 3], [0, -1, 0, 0]):
        with pytest.raises(IndexError, match="outside"):
            program(X, X.copy(), 0, 4, np.array(codes, np.intp))


# What stores are made of.


@each_kind
@FEW
@given(data=st.data())
def test_groups_are_taken_and_joined(zero, data):
    X, weights, codes = data.draw(rows(n_features=2))
    some = zero(4, 2).after(X, weights, codes)
    every = [some.take(np.array([group])) for group in range(4)]
    joined = every[0].joined(*every[1:])
    assert bits(joined) == bits(some)
    order = np.array(data.draw(st.lists(st.integers(0, 3), max_size=6)), np.intp)
    taken = some.take(order)
    assert taken.n_groups == len(order)
    for place, group in enumerate(order):
        assert bits(taken.take(np.array([place]))) == bits(every[group])
    arrays = some.arrays()
    assert all(len(array) == 4 for array in arrays.values())
    assert bits(some.with_arrays(arrays)) == bits(some)
    assert bits(some.nothing()) == bits(zero(1, 2))


@each_kind
@FEW
@given(data=st.data())
def test_a_statistic_stands_for_what_is_known_now(zero, data):
    X, weights, _ = data.draw(rows(n_features=2, n_groups=1))
    now = zero(1, 2).after(X, weights).now()
    stands = zero(1, 2).standing_for(now)
    assert stands.n_groups == 1
    assert type(stands) is type(zero(1, 2))
    assert_same(stands.now(), now, np.nan_to_num(X))
    assert_same(zero(2, 2).joined(stands).now().take(np.array([2])), now, np.nan_to_num(X))


@each_kind
@settings(max_examples=25)
@given(data=st.data())
def test_a_store_is_a_dict_of_statistics(zero, data):
    """Whatever is learned, forgotten, copied and added, in whatever order."""
    store, known = zero(0, 2).store(), []
    for _ in range(data.draw(st.integers(1, 6))):
        n_groups = data.draw(st.integers(0, 7))
        store.resize(n_groups)
        known = known[:n_groups] + [zero(1, 2)] * (n_groups - len(known))
        assert store.n_groups == n_groups
        groups = np.array(data.draw(st.permutations(range(n_groups)))[: data.draw(st.integers(0, 7))], np.intp)
        if len(groups):
            X, weights, codes = data.draw(rows(n_groups=len(groups), n_features=2))
            taken = store.take(groups)
            before = bits(taken)
            after = taken.after(X, weights, codes)
            store.put(groups, after)
            assert bits(taken) == before
            for local, group in enumerate(groups):
                known[group] = after.take(np.array([local]))
        store = data.draw(st.sampled_from([lambda s: s, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]))(store)
    for group, alone in enumerate(known):
        assert bits(store.take(np.array([group]))) == bits(alone)


@each_kind
def test_what_is_wrong_changes_nothing(zero, rng):
    X = rng.normal(size=(20, 2))
    store = zero(4, 2).after(X, None, (np.arange(20) % 4).astype(np.intp)).store()
    every = np.arange(4)
    before, one = bits(store.take(every)), store.take(np.array([1]))
    for groups, statistic, error in (
        ([4], one, IndexError),
        ([-1], one, IndexError),
        ([0, 1], one, ValueError),
        ([[2]], one, ValueError),
        ([2], zero(1, 3), ValueError),
    ):
        with pytest.raises(error, match=r"group|shape"):
            store.put(np.array(groups), statistic)
        assert bits(store.take(every)) == before
    with pytest.raises(IndexError, match="outside"):
        store.take(np.array([4]))
    # What was taken is its own.
    for array in store.take(every).arrays().values():
        if array.flags.writeable:
            array[...] = 0
    assert bits(store.take(every)) == before


@each_kind
def test_new_groups_know_nothing_after_others_were_forgotten(zero, rng):
    X = rng.normal(size=(40, 2))
    store = zero(8, 2).after(X, None, (np.arange(40) % 8).astype(np.intp)).store()
    for n_groups in (5, 9, 2, 40, 0, 3):
        kept = min(store.n_groups, n_groups)
        before = bits(store.take(np.arange(kept)))
        store.resize(n_groups)
        assert store.n_groups == n_groups
        assert bits(store.take(np.arange(kept))) == before
        assert bits(store.take(np.arange(kept, n_groups))) == bits(zero(n_groups - kept, 2))


@each_kind
@FEW
@given(data=st.data())
def test_documents_of_groups(zero, data):
    X, weights, codes = data.draw(rows(n_features=2))
    some = zero(4, 2).after(X, weights, codes)
    text = bits(some)
    assert bits(zero(4, 1).restored(parse(text), 2)) == text
    with pytest.raises(ValueError, match="must be"):
        zero(3, 1).restored(parse(text), 2)
