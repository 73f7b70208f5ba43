"""The laws of learning and transforming, for every setting of every scaler, through the public methods."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from references import kept_rows
from registry import (
    SCALERS,
    assert_same,
    clipper_of,
    clips_first,
    forgetting,
    instances,
    name_of,
    reads_moments,
    reads_quantiles,
    takes_infinities,
)
from sklearn.base import clone
from strategies import batches, tables

import sknorm
import sknorm.kernels.threads
import sknorm.maps

each_setting = pytest.mark.parametrize("scaler", instances(), ids=name_of, indirect=True)
SPARSE = [scaler for scaler in instances() if scaler.__sklearn_tags__().input_tags.sparse]
# What is clipped before it is learned depends on the batch that it came in.
AS_BATCH = [scaler for scaler in instances() if not clips_first(scaler)]
# Clippers cut what they scale by nothing; test_outliers.py has their laws.
SCALING = [scaler for scaler in AS_BATCH if clipper_of(scaler) is None]
CUTTING = [scaler for scaler in SCALING if scaler.clip not in (None, False) and scaler.clip_mode == "hard"]
REFUSING = [scaler for scaler in instances() if not takes_infinities(scaler)]
IN_PLACE = [scaler for scaler in instances() if "copy" in scaler.get_params()]
# "Weight 2 is the row twice" and "merged is batch" are not for those that forget; test_forgetting.py has their laws.
REMEMBERING = [scaler for scaler in AS_BATCH if not forgetting(scaler)]
MERGING = [scaler for scaler in instances() if scaler.window is None]
# All rows of a test fit into the window.
WIDE = [scaler for scaler in instances() if scaler.window in (None, 10_000)]
each_batch_setting = pytest.mark.parametrize("scaler", AS_BATCH, ids=name_of, indirect=True)
each_scaling_setting = pytest.mark.parametrize("scaler", SCALING, ids=name_of, indirect=True)
each_refusing_setting = pytest.mark.parametrize("scaler", REFUSING, ids=name_of, indirect=True)
each_in_place_setting = pytest.mark.parametrize("scaler", IN_PLACE, ids=name_of, indirect=True)
each_sparse_setting = pytest.mark.parametrize("scaler", SPARSE, ids=name_of, indirect=True)
each_cutting_setting = pytest.mark.parametrize("scaler", CUTTING, ids=name_of, indirect=True)
each_remembering_setting = pytest.mark.parametrize("scaler", REMEMBERING, ids=name_of, indirect=True)
each_merging_setting = pytest.mark.parametrize("scaler", MERGING, ids=name_of, indirect=True)
each_wide_setting = pytest.mark.parametrize("scaler", WIDE, ids=name_of, indirect=True)
each_entry = pytest.mark.parametrize("entry", SCALERS, ids=lambda entry: entry.scaler.__name__.removesuffix("Scaler"))


@pytest.fixture
def scaler(request):
    """Return a scaler of the test's own: those in the registry's list live as long as the run."""
    return clone(request.param)


@pytest.fixture
def X(rng):
    """Return 200 rows: plain, skewed, whole numbers, constant, small, and 0 or 1; NaN here and there."""
    X = rng.normal(size=(200, 6))
    X[:, 1] = np.exp(2 * X[:, 1])
    X[:, 2] = np.round(50 + 20 * X[:, 2])
    X[:, 3] = 7.25
    X[:, 4] *= 1e-9
    X[:, 5] = X[:, 5] > 0
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


def statistic_of(scaler):
    return scaler._learned.statistic


def state_of(scaler):
    """Return the bits of all that a scaler holds."""
    return {name: pickle.dumps(value) for name, value in vars(scaler).items()}


def attributes_of(scaler):
    """Return what was learned, by name, as the public attributes show it."""
    names = [name for name in dir(type(scaler)) if name.endswith("_") and not name.startswith("_")]
    found = {name: getattr(scaler, name) for name in names}
    clipper = found.pop("outliers_")
    return found if clipper is None else found | {f"outliers_.{k}": v for k, v in attributes_of(clipper).items()}


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


def assert_learned_the_same(actual, expected, X):
    """Compare statistics and counts, and the attributes and the map where X is not far from zero."""
    assert_same(statistic_of(actual), statistic_of(expected), X)
    learned = attributes_of(actual)
    for name, value in attributes_of(expected).items():
        if value is None:
            assert learned[name] is None
        elif "n_clipped" not in name:  # each batch lost what it lost
            np.testing.assert_allclose(learned[name], value, rtol=1e-11, atol=1e-24, err_msg=name)
    got, wanted = actual.transform(X.copy()), expected.transform(X.copy())
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def streamed(scaler, parts, weights=None):
    for i, part in enumerate(parts):
        scaler.partial_fit(part, sample_weight=None if weights is None else weights[i])
    return scaler


# Streams and merges.


@each_entry
@given(data=st.data())
def test_streamed_is_batch_for_any_split(entry, data):
    setting = data.draw(st.sampled_from([s for s in [{}, *entry.settings] if not s.get("outliers")]))
    X = data.draw(tables())
    some, batch = streamed(entry.scaler(**setting), data.draw(batches(X))), entry.scaler(**setting).fit(X)
    assert_same(statistic_of(some), statistic_of(batch), X)
    np.testing.assert_array_equal(getattr(some, "n_samples_seen_", 0), getattr(batch, "n_samples_seen_", 0))


@each_entry
@given(data=st.data())
def test_merged_is_batch_for_any_split_and_order(entry, data):
    remembering = [s for s in [{}, *entry.settings] if not forgetting(entry.scaler(**s)) and not s.get("outliers")]
    setting = data.draw(st.sampled_from(remembering))
    X = data.draw(tables())
    first, *rest = data.draw(st.permutations(data.draw(batches(X))))
    some, batch = entry.scaler(**setting).fit(first), entry.scaler(**setting).fit(X)
    for part in rest:
        some.merge(entry.scaler(**setting).fit(part))
    assert_same(statistic_of(some), statistic_of(batch), X)
    np.testing.assert_array_equal(getattr(some, "n_samples_seen_", 0), getattr(batch, "n_samples_seen_", 0))


@each_batch_setting
@pytest.mark.parametrize("sizes", [(1,), (7,), (100,), (199, 1), (1, 199)], ids=str)
def test_streamed_and_merged_map_as_batch(scaler, X, sizes):
    cuts = np.cumsum(sizes * (200 // sum(sizes)))
    parts = [part for part in np.split(X, cuts) if len(part)]
    batch = clone(scaler).fit(X)
    assert_learned_the_same(streamed(clone(scaler), parts), batch, X)
    if forgetting(scaler):
        return
    merged = clone(scaler).fit(parts[-1])
    for part in reversed(parts[:-1]):
        merged.merge(clone(scaler).partial_fit(part))
    assert_learned_the_same(merged, batch, X)


@each_batch_setting
def test_partial_fit_goes_on_from_fit(scaler, X):
    assert_learned_the_same(clone(scaler).fit(X[:90]).partial_fit(X[90:]), clone(scaler).fit(X), X)


@each_remembering_setting
def test_partial_fit_goes_on_from_merge(scaler, X):
    batch = clone(scaler).fit(X)
    merged = clone(scaler).fit(X[:30]).merge(clone(scaler).fit(X[30:90])).partial_fit(X[90:])
    assert_learned_the_same(merged, batch, X)


@each_merging_setting
def test_merge_leaves_the_other_alone(scaler, X):
    one, other = clone(scaler).fit(X[:90]), clone(scaler).fit(X[90:])
    other.transform(X.copy())
    before = state_of(other)
    one.merge(other).partial_fit(X)
    assert state_of(other) == before


@each_remembering_setting
def test_merge_with_itself_counts_twice(scaler, X):
    some = clone(scaler).fit(X)
    assert_learned_the_same(some.merge(some), clone(scaler).fit(np.vstack([X, X])), X)


@each_setting
def test_refused_merges_change_nothing(scaler, X):
    some = clone(scaler).fit(X)
    before = state_of(some)
    other_class = next(type(other) for other in instances() if type(other) is not type(scaler))
    with pytest.raises(TypeError, match="merges with its own kind"):
        some.merge(other_class().fit(X))
    with pytest.raises(ValueError, match="same width"):
        some.merge(clone(scaler).fit(X[:, :2]))
    with pytest.raises(ValueError, match="same feature names"):
        some.merge(clone(scaler).fit(pd.DataFrame(X, columns=list("abcdef"))))
    name = "clip" if "clip" in scaler.get_params() else "chunk_size"
    with pytest.raises(ValueError, match=f"same parameters; {name} is"):
        some.merge(clone(scaler).set_params(**{name: 99}).fit(X))
    with pytest.raises(ValueError, match="not fitted"):
        some.merge(clone(scaler))
    assert state_of(some) == before


# What is absent.


@each_setting
def test_nan_is_absent(scaler, X):
    whole = clone(scaler).fit(X)
    X = X[kept_rows(scaler.window, len(X))]  # a row counts in a window with or without a value
    for j, column in enumerate(X.T):
        there = ~np.isnan(column)
        present = column[there, np.newaxis]
        alone = clone(scaler).fit(present)
        if not clips_first(scaler):  # whose bounds may differ in a last digit, and so what is learned within them
            assert_same(statistic_of(clone(scaler).fit(column[:, np.newaxis])), statistic_of(alone), present)
        got, wanted = whole.transform(X.copy())[there, j], alone.transform(present.copy())[:, 0]
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@each_wide_setting
def test_a_batch_without_a_value_changes_nothing_for_its_column(scaler, X):
    stream = clone(scaler).partial_fit(X)
    before = {name: value for name, value in attributes_of(stream).items() if np.shape(value)}
    image = stream.transform(X.copy())
    batch = X[:50].copy()
    batch[:, [0, 3]] = np.nan
    stream.partial_fit(batch)
    after = attributes_of(stream)
    for name, value in before.items():
        assert_same_bits(np.asarray(after[name], dtype=float)[[0, 3]], np.asarray(value, dtype=float)[[0, 3]])
    assert_same_bits(stream.transform(X.copy())[:, [0, 3]], image[:, [0, 3]])


@each_batch_setting
def test_a_column_first_seen_late_is_learned_then(scaler, X):
    late = X.copy()
    late[:120, 0] = np.nan
    stream = clone(scaler).partial_fit(late[:120])
    assert not np.isinf(stream.transform(X.copy())).any()
    stream.partial_fit(late[120:])
    assert_learned_the_same(stream, clone(scaler).fit(late), late)


@each_setting
def test_nan_stays_nan(scaler, X):
    if getattr(clipper_of(scaler), "action", None) == "missing":
        pytest.skip("others become NaN too")
    scaler.fit(X)
    for verb in (scaler.transform, scaler.inverse_transform):
        for table in (X.copy(), np.asfortranarray(X), X.astype(np.float32), X[::2].copy()):
            np.testing.assert_array_equal(np.isnan(verb(table.copy(order="K"))), np.isnan(table))


@each_batch_setting
def test_weight_0_is_absence(scaler, X, rng):
    weights = rng.choice([0.0, 0.0, 0.5, 1.0, 3.0], len(X))
    there = weights > 0
    expected = clone(scaler).fit(X[there], sample_weight=weights[there])
    assert_learned_the_same(clone(scaler).fit(X, sample_weight=weights), expected, X)
    assert_learned_the_same(clone(scaler).fit(X, sample_weight=weights.tolist()), expected, X)
    halves = [X[:70], X[70:]], [weights[:70], weights[70:]]
    assert_learned_the_same(streamed(clone(scaler), *halves), expected, X)


@pytest.mark.parametrize(
    "scaler", [s for s in WIDE if not clips_first(s) and (not forgetting(s) or s.window)], ids=name_of, indirect=True
)
def test_weight_n_is_n_rows(scaler, X, rng):
    weights = rng.integers(0, 4, len(X))
    assert 0 in weights
    expected = clone(scaler).fit(np.repeat(X, weights, axis=0))
    assert_learned_the_same(clone(scaler).fit(X, sample_weight=weights), expected, X)
    halves = [X[:70], X[70:]], [weights[:70], weights[70:]]
    assert_learned_the_same(streamed(clone(scaler), *halves), expected, X)


@each_setting
def test_a_batch_of_weight_0_changes_nothing(scaler, X):
    stream = clone(scaler).fit(X)
    before = state_of(stream)
    stream.partial_fit(X * 100, sample_weight=np.zeros(len(X)))
    assert state_of(stream) == before


@each_setting
def test_equal_weights_change_nothing(scaler, X):
    if getattr(scaler, "ddof", 0) or reads_quantiles(scaler):
        pytest.skip("weights count rows there: ddof and the place between two values depend on their sum")
    equal, none = clone(scaler).fit(X, sample_weight=np.full(len(X), 0.375)), clone(scaler).fit(X)
    np.testing.assert_allclose(equal.transform(X.copy()), none.transform(X.copy()), rtol=1e-9, atol=1e-9)


# Refused batches.


def poisoned(X):
    """Return batches that are refused, each good but for its last value or type."""
    last = X.copy()
    last[-1, -1] = np.inf
    first = X.copy()
    first[0, 0] = -np.inf
    text = X.astype(object)
    text[-1, -1] = "text"
    return {
        "inf in the last row": last,
        "inf in the first row": first,
        "inf in float32": last.astype(np.float32),
        "inf in F order": np.asfortranarray(last),
        "inf in a frame": pd.DataFrame(last, columns=list("abcdef")),
        "text in the last row": text,
        "complex": X.astype(complex),
        "too wide": np.hstack([X, X]),
        "one-dimensional": X[:, 0],
        "no rows": X[:0],
    }


@each_refusing_setting
@pytest.mark.parametrize("what", poisoned(np.zeros((2, 6))))
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
def test_a_refused_batch_changes_nothing(scaler, X, what):
    batch = poisoned(X)[what]
    scaler.fit(X).transform(X.copy())
    before = state_of(scaler)
    verbs = [scaler.partial_fit, scaler.prequential_transform, scaler.transform, scaler.inverse_transform]
    # A fit of its own may have any width.
    for verb in verbs if what == "too wide" else [*verbs, scaler.fit]:
        with pytest.raises((ValueError, TypeError)):
            verb(batch)
        assert state_of(scaler) == before


@each_refusing_setting
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_a_refused_batch_leaves_names_alone(scaler, X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    bad = frame.rename(columns=str.upper)
    bad.iloc[-1, -1] = np.inf
    scaler.fit(frame)
    before = state_of(scaler)
    for verb in (scaler.fit, scaler.partial_fit, scaler.prequential_transform):
        for table in (bad, X[:, 0], X[:0]):
            with pytest.raises(ValueError, match=r"infinity|1D|feature names|0 sample"):
                verb(table)
            assert state_of(scaler) == before


@each_refusing_setting
@pytest.mark.parametrize("what", ["inf in the last row", "text in the last row", "no rows", "one-dimensional"])
def test_a_refused_first_batch_leaves_an_unfitted_scaler(scaler, X, what):
    before = state_of(scaler)
    for verb in (scaler.fit, scaler.partial_fit, scaler.prequential_transform):
        with pytest.raises(ValueError, match=r"infinity|could not convert|1D array|0 sample"):
            verb(poisoned(X)[what])
        assert state_of(scaler) == before


@each_setting
@pytest.mark.parametrize("weights", [-1.0, np.nan, np.inf, "short", "2-d"], ids=str)
def test_refused_weights_change_nothing(scaler, X, weights):
    bad = {"short": np.ones(3), "2-d": np.ones((len(X), 2))}.get(weights)
    if bad is None:
        bad = np.ones(len(X))
        bad[-1] = weights
    scaler.fit(X)
    before = state_of(scaler)
    for verb in (scaler.fit, scaler.partial_fit, scaler.prequential_transform):
        with pytest.raises(ValueError, match=r"[Ww]eight"):
            verb(X * 2, sample_weight=bad)
        assert state_of(scaler) == before


@each_sparse_setting
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_infinity_in_a_sparse_matrix_changes_nothing(scaler, X, form):
    if takes_infinities(scaler):
        pytest.skip("they are clipped")
    good = sp.random(200, 6, density=0.3, random_state=0, format=form)
    bad = good.copy()
    bad.data[-1] = np.inf
    scaler.fit(good)
    before = state_of(scaler), bad.data.copy()
    verbs = [scaler.fit, scaler.partial_fit, scaler.prequential_transform, scaler.transform, scaler.inverse_transform]
    for verb in verbs:
        with pytest.raises(ValueError, match=r"infinity|zeros of a sparse matrix"):
            verb(bad)
        assert state_of(scaler) == before[0]
        assert_same_bits(bad.data, before[1])


@each_in_place_setting
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda X: X.repeat(2, axis=0)[::2]])
def test_an_in_place_transform_looks_before_it_writes(scaler, X, layout):
    if takes_infinities(scaler):
        pytest.skip("they are clipped; what is not has its test in test_outliers.py")
    scaler.set_params(copy=False).fit(X)
    bad = X.copy()
    bad[-1, -1] = np.inf
    bad = layout(bad)
    before = bad.copy()
    for verb in (scaler.transform, scaler.inverse_transform):
        with pytest.raises(ValueError, match="infinity"):
            verb(bad)
        assert_same_bits(bad, before)


# What learning and transforming must not do.

LAYOUTS = {
    "C": lambda X: X.copy(),
    "F": np.asfortranarray,
    "every other": lambda X: X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "float32": lambda X: X.astype(np.float32),
    "float32 F": lambda X: np.asfortranarray(X.astype(np.float32)),
    "float16": lambda X: X.astype(np.float16),
}


@each_setting
@pytest.mark.parametrize("layout", LAYOUTS)
def test_learning_never_changes_its_input(scaler, X, rng, layout):
    table, weights = LAYOUTS[layout](X), rng.random(len(X))
    before = table.copy(), weights.copy()
    scaler.fit(table).fit(table, sample_weight=weights).partial_fit(table).partial_fit(table, sample_weight=weights)
    image = scaler.prequential_transform(table, sample_weight=weights)
    assert not np.shares_memory(image, table)
    assert_same_bits(table, before[0])
    assert_same_bits(weights, before[1])


@each_setting
@pytest.mark.parametrize("layout", LAYOUTS)
def test_transforming_a_copy_never_changes_its_input(scaler, X, layout):
    if "copy" in scaler.get_params():
        scaler.set_params(copy=True)
    scaler.fit(X)
    table = LAYOUTS[layout](X)
    before = table.copy()
    for verb in (scaler.transform, scaler.inverse_transform, scaler.fit_transform):
        with np.errstate(over="ignore"):  # what has not been scaled down overflows float16 when it is scaled up
            image = verb(table)
        assert not np.shares_memory(image, table)
        assert_same_bits(table, before)


@each_in_place_setting
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "float16"])
def test_in_place_writes_the_same_and_returns_the_array(scaler, X, layout):
    copying, in_place = clone(scaler).set_params(copy=True).fit(X), clone(scaler).set_params(copy=False).fit(X)
    for verb in ("transform", "inverse_transform"):
        table = LAYOUTS[layout](X)
        expected = getattr(copying, verb)(table)
        assert np.shares_memory(getattr(in_place, verb)(table), table)
        assert_same_bits(table, expected)


@each_in_place_setting
def test_a_read_only_array_is_copied_whatever_copy_says(scaler, X):
    scaler.set_params(copy=False).fit(X)
    expected = scaler.transform(X.copy())
    table = X.copy()
    table.setflags(write=False)
    assert_same_bits(clone(scaler).fit(table).transform(table), expected)
    assert_same_bits(table, X)


@each_setting
def test_transforming_never_learns(scaler, X):
    scaler.fit(X)
    before = state_of(scaler), {name: np.array(value, dtype=float) for name, value in attributes_of(scaler).items()}
    for table in (X * 100 + 5, X[:1], X.astype(np.float32)):
        scaler.transform(table.copy())
        scaler.inverse_transform(table.copy())
    assert state_of(scaler) == before[0]
    after = attributes_of(scaler)
    for name, value in before[1].items():
        np.testing.assert_array_equal(np.array(after[name], dtype=float), value)


@each_setting
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
def test_a_row_never_depends_on_its_neighbours(scaler, X, verb, dtype):
    scaler.fit(X)
    apply = getattr(scaler, verb)
    X = X.astype(dtype)
    whole = apply(X.copy())
    for size in (1, 3, 64, 127):
        assert_same_bits(np.vstack([apply(X[i : i + size].copy()) for i in range(0, len(X), size)]), whole)
    order = np.random.default_rng(0).permutation(len(X))
    assert_same_bits(apply(X[order]), whole[order])
    for layout in ("F", "every other", "reversed"):
        assert_same_bits(np.ascontiguousarray(apply(LAYOUTS[layout](X))), whole)


@each_sparse_setting
@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
def test_a_sparse_matrix_is_mapped_as_a_dense_one(scaler, verb):
    table = sp.random(200, 6, density=0.3, random_state=0, format="csr")
    table.data[::9] = np.nan
    for form, dtype in (("csr", np.float64), ("csc", np.float64), ("csr", np.float32)):
        sparse = table.asformat(form).astype(dtype)
        fitted = clone(scaler).fit(sparse)
        if scaler.clip == (1.0, 2.0):
            with pytest.raises(ValueError, match="zeros of a sparse matrix"):
                fitted.transform(sparse)
            return
        expected = getattr(clone(scaler).fit(sparse.toarray()), verb)(sparse.toarray())
        got = getattr(fitted, verb)(sparse.copy())
        assert got.format == form
        assert got.dtype == dtype
        np.testing.assert_allclose(got.toarray(), expected, rtol=1e-6 if dtype == np.float32 else 1e-12)


# Inverse.


@each_scaling_setting
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inverse_undoes_transform_where_nothing_was_cut(scaler, X, dtype):
    X = X.astype(dtype)
    scaler.fit(X)
    unclipped = clone(scaler).set_params(clip=None, clip_mode="hard").fit(X).transform(X.copy())
    image = scaler.transform(X.copy())
    # A soft clip loses digits near its bound.
    inside = np.abs(unclipped) < 5 if scaler.clip_mode == "soft" else image == unclipped
    assert inside[:, :3].any(axis=0).all() or scaler.clip == (1.0, 2.0)
    back = scaler.inverse_transform(image.copy())
    assert back.dtype == dtype
    largest = np.broadcast_to(np.nanmax(np.abs(X), axis=0), X.shape)
    error = np.abs(back.astype(np.float64) - X) / largest
    assert np.nanmax(error[inside]) < (1e-11 if dtype == np.float64 else 1e-4)


@each_cutting_setting
def test_a_cut_value_comes_back_as_the_bound(scaler, X):
    scaler.fit(X)
    far = np.vstack([np.full(6, -1e6), np.full(6, 1e6)])
    image = scaler.transform(far.copy())
    low, high = image[:, 0]
    assert (image == [[low], [high]]).all()
    back = scaler.inverse_transform(image.copy())
    np.testing.assert_allclose(scaler.transform(back.copy()), image, rtol=1e-12, atol=1e-12)
    assert (back > -1e6).all()
    assert (back < 1e6).all()


# Determinism.


@each_setting
def test_the_same_data_give_the_same_bits(scaler, X):
    one, two = (streamed(clone(scaler).fit(X.copy()), [X[:33].copy(), X[33:].copy()]) for _ in range(2))
    assert state_of(one) == state_of(two)
    assert_same_bits(one.transform(X.copy()), two.transform(X.copy()))


LARGE_TABLES = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "strided": lambda X: X[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LARGE_TABLES)
@each_entry
def test_threads_give_the_same_bits(entry, layout, rng, monkeypatch):
    scaler = entry.scaler()
    X = rng.normal(3.0, 2.0, size=(150_000, 8))
    X[rng.random(len(X)) < 0.01, 3] = np.nan
    X = LARGE_TABLES[layout](X)
    used = []

    def with_threads(n_threads):
        def effective():
            used.append(n_threads)
            return n_threads

        for module in (sknorm.kernels.threads, sknorm.maps):
            monkeypatch.setattr(module, "effective_n_threads", effective)
            monkeypatch.setattr(module, "LARGE", 0, raising=False)
        fitted = clone(scaler).fit(X)
        image = fitted.transform(X)
        return state_of(fitted), image, fitted.inverse_transform(image)

    (state, image, back), *others = (with_threads(n) for n in (1, 2, 3))
    assert {1, 2, 3} <= set(used)
    for other in others:
        assert other[0] == state
        assert_same_bits(other[1], image)
        assert_same_bits(other[2], back)


@pytest.mark.parametrize("where", [0, 149_999])
@each_entry
def test_threads_find_an_infinity_in_any_chunk(entry, where, rng, monkeypatch):
    for module in (sknorm.kernels.threads, sknorm.maps):
        monkeypatch.setattr(module, "effective_n_threads", lambda: 2)
        monkeypatch.setattr(module, "LARGE", 0, raising=False)
    X = rng.normal(size=(150_000, 4))
    in_place = {} if entry.scaler is sknorm.OutlierClipper else {"copy": False}
    scaler = entry.scaler(**in_place or {"infinite": "error"}).fit(X)
    before = state_of(scaler)
    X[where, 2] = np.inf
    copy = X.copy()
    for verb in (scaler.fit, scaler.partial_fit, scaler.transform):
        with pytest.raises(ValueError, match="infinity"):
            verb(X)
    assert state_of(scaler) == before
    assert_same_bits(X, copy)


# Tables of every kind.


@each_setting
@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -3.5, 0.1, 1e-300, 1e300, 1.7e9])
def test_a_constant_column(scaler, value):
    X = np.full((57, 2), value)
    batch = clone(scaler).fit(X)
    image = batch.transform(X.copy())
    assert np.isfinite(image).all()
    assert (image == image[0, 0]).all()
    for stream in (streamed(clone(scaler), np.array_split(X, 13)), streamed(clone(scaler), X[:, np.newaxis])):
        assert_same_bits(stream.transform(X.copy()), image)
    parameters = scaler.get_params()
    centring = parameters.get("with_mean", parameters.get("with_centering", hasattr(batch, "mean_")))
    if centring:
        assert (image == 0).all()
        np.testing.assert_array_equal(batch.inverse_transform(image), X)
    if isinstance(scaler, sknorm.MinMaxScaler) and scaler.clip in (False, True):
        assert (image == scaler.feature_range[0]).all()
    # Its scale is 1, so that what is off by a quarter is so after too.
    if centring and parameters.get("unit_variance") is not True and scaler.clip_mode == "hard" and abs(value) < 4:
        np.testing.assert_allclose(batch.transform(X + 0.25), 0.25, rtol=1e-14)


@each_setting
def test_one_row(scaler):
    X = np.array([[1.5, -2.0, 0.0, np.nan]])
    image = scaler.fit(X).transform(X.copy())
    np.testing.assert_array_equal(np.isnan(image), np.isnan(X))
    assert_same_bits(clone(scaler).partial_fit(X).transform(X.copy()), image)
    assert not np.isinf(image).any()


@each_setting
def test_one_row_of_nothing(scaler):
    scaler.fit(np.full((1, 3), np.nan)).partial_fit(np.full((4, 3), np.nan))
    for value in attributes_of(scaler).values():
        if isinstance(value, np.ndarray):
            assert not np.isinf(np.asarray(value, dtype=float)).any()
    assert np.isnan(scaler.transform(np.full((1, 3), np.nan))).all()


@each_setting
def test_no_rows_are_scikit_learns_error(scaler, X):
    for verb in (scaler.fit, scaler.partial_fit, scaler.prequential_transform):
        with pytest.raises(ValueError, match="0 sample"):
            verb(X[:0])
    scaler.fit(X)
    learning = scaler.fit, scaler.partial_fit, scaler.prequential_transform
    for verb in (*learning, scaler.transform, scaler.inverse_transform):
        with pytest.raises(ValueError, match="0 sample"):
            verb(X[:0])
        with pytest.raises(ValueError, match=r"0 feature|features"):
            verb(X[:, :0])


def is_finite(scaler, image):
    """Return whether values are finite, or missing where a clipper makes them so."""
    drops = getattr(clipper_of(scaler), "action", None) == "missing"
    image = np.asarray(image)
    return not np.isinf(image).any() if drops else np.isfinite(image).all()


@each_setting
def test_values_of_1e308(scaler):
    X = np.array([[1e308], [0.9e308], [0.8e308], [1e308]])
    if reads_moments(scaler):
        before = state_of(scaler)
        with pytest.raises(ValueError, match="variance of column 0 overflows"):
            scaler.fit(X)
        assert state_of(scaler) == before
        X = X / 1e160
    image = scaler.fit(X).transform(X.copy())
    assert np.isfinite(image).all()
    if isinstance(scaler, sknorm.DecimalScaler):
        assert scaler.exponent_ == (149 if reads_moments(scaler) else 308)
    elif getattr(scaler, "scale_", None) is not None:
        # A power of two changes no digit.
        smaller = X * 2.0**-100
        np.testing.assert_allclose(clone(scaler).fit(smaller).transform(smaller.copy()), image, rtol=1e-14)


@pytest.mark.parametrize("values", [(1.5e308, -1.5e308), (1.5e308, -1.5e308, 0.0)], ids=len)
@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@each_setting
def test_what_spans_more_than_float64_is_refused_or_scaled(scaler, fitted, verb, values):
    X = np.c_[np.arange(len(values)), values, np.arange(len(values))]
    for table, name in ((X, "1"), (pd.DataFrame(X, columns=["a", "b", "c"]), "'b'")):
        this = clone(scaler)
        if fitted:
            this.fit(table * 1e-306).transform(table)
        before, refusal = state_of(this), None
        try:
            getattr(this, verb)(table)
        except ValueError as error:
            refusal = str(error)
        if refusal is not None:
            assert re.search(rf"The .* of column {name} overflows float64", refusal)
            assert state_of(this) == before
        else:
            assert is_finite(scaler, this.transform(table.copy()))


@each_setting
def test_denormals(scaler):
    X = np.array([[5e-324], [1e-320], [-1e-310], [0.0]])
    image = scaler.fit(X).transform(X.copy())
    assert is_finite(scaler, image)
    if not clips_first(scaler):
        assert_same(statistic_of(streamed(clone(scaler), X[:, np.newaxis])), statistic_of(scaler), X)
    mixed = np.vstack([X, [[1.0], [2.0]]])
    assert is_finite(scaler, clone(scaler).fit(mixed).transform(mixed.copy()))


@each_setting
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8, bool, object, np.float16, np.longdouble])
def test_other_dtypes_are_learned_as_the_floats_they_are(scaler, dtype):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    values = [0, 1, 1, 0, 1, 1] if info is None else [info.min, info.max, 0, 1, info.max // 2, info.max - 1]
    table = np.array(values, dtype=dtype).reshape(3, 2)
    floats = table.astype(np.float32 if dtype == np.float16 else np.float64)
    expected = clone(scaler).fit(floats).transform(floats.copy())
    image = scaler.fit(table).transform(table)
    assert image.dtype == (np.float16 if dtype == np.float16 else np.float64)
    assert_same_bits(image, expected.astype(image.dtype))
    if clips_first(scaler):
        return
    twice = clone(scaler).partial_fit(table).partial_fit(table)
    assert_same(statistic_of(twice), statistic_of(clone(scaler).fit(np.vstack([floats, floats]))), floats)


@each_setting
def test_object_columns_with_none_and_text_numbers(scaler, X):
    table = X.astype(object)
    table[np.isnan(X)] = None
    table[0, 0] = np.float32(0.5)
    table[1, 0] = 2
    floats = X.copy()
    floats[:2, 0] = 0.5, 2
    expected = clone(scaler).fit(floats).transform(floats.copy())
    assert_same_bits(scaler.fit(table).transform(table), expected)


@each_setting
def test_lists_frames_and_views_are_the_same_table(scaler, X):
    expected = clone(scaler).fit(X).transform(X.copy())
    frame = pd.DataFrame(X, columns=list("abcdef"))
    wide = np.hstack([X, X])
    for table in (X.tolist(), frame, frame.convert_dtypes(), wide[:, :6], X[::-1].copy()[::-1], np.asfortranarray(X)):
        if isinstance(table, np.ndarray):
            table = np.array(table, order="K") if scaler.copy else table.copy(order="K")
        image = np.asarray(clone(scaler).fit(table).transform(table))
        np.testing.assert_allclose(image, expected, rtol=1e-12, atol=1e-12)


@each_setting
def test_a_memory_map(scaler, X, tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, X)
    expected = clone(scaler).fit(X).transform(X.copy())
    for mode in ("r", "c"):
        table = np.load(path, mmap_mode=mode)
        assert_same_bits(np.asarray(clone(scaler).fit(table).transform(table)), expected)
        assert_same_bits(np.load(path), X)


@each_setting
def test_float16_is_learned_as_float32_and_given_back(scaler, X):
    half = (X * [1, 1e-2, 1, 1, 1e9, 1]).astype(np.float16)
    single = half.astype(np.float32)
    expected = clone(scaler).fit(single)
    scaler.fit(half).partial_fit(half)
    assert_same(statistic_of(scaler), statistic_of(expected.partial_fit(single)), half)
    image = scaler.transform(half.copy())
    assert image.dtype == np.float16
    assert_same_bits(image, expected.transform(single.copy()).astype(np.float16))
    assert scaler.inverse_transform(image).dtype == np.float16
