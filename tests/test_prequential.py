"""The prequential pass is transform, then partial_fit, row by row: bit for bit, whatever the table and the setting."""

import copy
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import (
    SCALERS,
    centres,
    clipper_of,
    instances,
    lasting,
    name_of,
    takes_infinities,
    takes_sparse,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from strategies import batches, tables

import sknorm
from sknorm import MeanScaler, MinMaxScaler, RobustScaler, StandardScaler
from sknorm.statistics import Quantiles

CLASSES = [entry.scaler for entry in SCALERS]
MB = 1_000_000


def by_rows(scaler):
    """Return the same setting, taken row by row where rows are taken in chunks else."""
    scaler, parameters = clone(scaler), scaler.get_params()
    return scaler.set_params(**{name: 1 for name in ("chunk_size", "outliers__chunk_size") if name in parameters})


SETTINGS = list({name_of(scaler): scaler for scaler in map(by_rows, instances())}.values())
BY_ROWS = [entry for entry in SCALERS if "chunk_size" not in entry.scaler().get_params()]
# Bounds of few rows may lie beyond zero, which sparse tables have no room for; test_outliers_in_scalers.py has others.
SPARSE = [scaler for scaler in SETTINGS if takes_sparse(scaler) and clipper_of(scaler) is None]
MERGING = [scaler for scaler in SETTINGS if scaler.window is None]

each_setting = pytest.mark.parametrize("scaler", SETTINGS, ids=name_of, indirect=True)
each_sparse_setting = pytest.mark.parametrize("scaler", SPARSE, ids=name_of, indirect=True)
each_merging_setting = pytest.mark.parametrize("scaler", MERGING, ids=name_of, indirect=True)
each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)


@pytest.fixture
def scaler(request):
    """Return a scaler of the test's own: those in the list live as long as the run."""
    return clone(request.param)


@pytest.fixture
def X(rng):
    """Return 75 rows: plain, late, skewed, constant, 0 or 1, of any size, and without a value; NaN here and there."""
    X = rng.normal(size=(75, 7))
    X[:, 2] = np.exp(X[:, 2])
    X[:, 3] = 7.25
    X[:, 4] = X[:, 4] > 0
    X[:, 5] = 500 + 30 * X[:, 5]
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:20, 1] = X[:, 6] = np.nan
    return X


def state_of(scaler):
    """Return the bits of all that a scaler holds."""
    return {name: pickle.dumps(value) for name, value in vars(scaler).items()}


def history_of(scaler):
    return pickle.dumps(scaler._learned.history)


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


def of_the_unseen(scaler, rows):
    """Return what rows become where a column has had no value: 0, or feature_range[0], or x; then clipped."""
    if getattr(scaler, "limits", None):
        return np.clip(rows, *scaler.limits)
    low = getattr(scaler, "feature_range", (0.0,))[0]
    scaled = np.where(np.isnan(rows), np.nan, low) if centres(scaler) else rows.astype(np.float64)
    if scaler.clip in (None, False):
        return scaled
    clip = scaler._clip_interval if scaler.clip is True else scaler.clip
    clipper = StandardScaler(with_mean=False, with_std=False, clip=clip, clip_mode=scaler.clip_mode)
    return clipper.fit(np.ones((1, rows.shape[1]))).transform(scaled)


def row_by_row(scaler, X, weights=None, size=1):
    """Return X scaled row by row, or chunk by chunk, by calls that the other tests know; the scaler learns."""
    scaled = of_the_unseen(scaler, X).astype(X.dtype)
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        if scaler.__sklearn_is_fitted__():
            seen = scaler._learned.statistic.count[0] > 0
            scaled[rows, seen] = scaler.transform(X[rows].copy())[:, seen]
        scaler.partial_fit(X[rows], sample_weight=None if weights is None else weights[rows])
    return scaled


# What row_by_row gave of a table, and the scaler that learned it, by setting, dtype and bytes of the table.
ALONE = {}


def alone_on(scaler, X):
    """Return X scaled row by row by a new scaler of this setting, and that scaler; most tests ask for the same."""
    key = name_of(scaler), X.dtype, X.tobytes()
    if key not in ALONE:
        alone = clone(scaler)
        ALONE[key] = row_by_row(alone, X), alone
    return ALONE[key]


def assert_as_row_by_row(scaler, tables, rows, weights=None):
    """Fail unless a pass over any of the tables, of these rows, gives their bits and leaves their state behind."""
    if weights is None and not scaler.__sklearn_is_fitted__():
        expected, alone = alone_on(scaler, rows)
    else:
        alone = copy.deepcopy(scaler)
        expected = row_by_row(alone, rows, weights)
    for table in tables:
        whole = copy.deepcopy(scaler)
        assert_same_bits(np.asarray(whole.prequential_transform(table, sample_weight=weights)), expected)
        assert history_of(whole) == history_of(alone)
        np.testing.assert_allclose(whole.n_samples_seen_, alone.n_samples_seen_, rtol=1e-14)


# Row by row.

LAYOUTS = {
    "C": lambda X: X.copy(),
    "F": np.asfortranarray,
    "every other": lambda X: X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "misaligned": lambda X: np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape),
    "odd strides": lambda X: np.array([(0, r) for r in X], [("flag", np.int8), ("row", X.dtype, X.shape[1])])["row"],
}
# Chunks are taken out of a table as NumPy does, and their time: each layout once.
LAYOUTS_OF_CHUNKS = {
    np.float64: ["C", "F", "misaligned"],
    np.float32: ["C", "every other"],
    np.float16: ["odd strides", "reversed"],
}


def in_chunks(scaler):
    """Say whether a scaler takes rows in chunks, be they of one row, for the quantiles that it or its clipper reads."""
    return bool({"chunk_size", "outliers__chunk_size"} & set(scaler.get_params()))


@each_setting
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16], ids=lambda dtype: dtype.__name__)
def test_dense(scaler, X, dtype):
    X = X.astype(dtype)
    tables = [LAYOUTS[name](X) for name in (LAYOUTS_OF_CHUNKS[dtype] if in_chunks(scaler) else LAYOUTS)]
    for table in tables:
        table.setflags(write=False)
    assert_as_row_by_row(scaler, tables, X)
    for table in tables:
        assert_same_bits(table, X)


@each_setting
def test_weights(scaler, X, rng):
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], len(X))
    weights[0] = 2.0
    before = weights.copy()
    tables = [np.asfortranarray(X)] if in_chunks(scaler) else [X, np.asfortranarray(X)]
    assert_as_row_by_row(scaler, tables, X, weights)
    assert_same_bits(weights, before)
    scaler.fit(X)
    state = state_of(scaler)
    np.testing.assert_array_equal(
        scaler.prequential_transform(X, sample_weight=0 * weights), scaler.transform(X.copy())
    )
    assert state_of(scaler) == state


@each_setting
def test_several_calls(scaler, X):
    expected, _ = alone_on(scaler, X)
    parts = np.split(X, [1, 2, 40, 41])
    assert_same_bits(np.concatenate([scaler.prequential_transform(part) for part in parts]), expected)


@each_setting
def test_after_fit_and_before_partial_fit(scaler, X):
    scaler.fit(X[:30])
    assert_as_row_by_row(scaler, [X[30:60]], X[30:60])
    scaler.prequential_transform(X[30:60])
    scaler.partial_fit(X[60:])
    assert_as_row_by_row(scaler, [X[:1]], X[:1])


@each_merging_setting
def test_after_merge(scaler, X):
    scaler.fit(X[:20]).merge(clone(scaler).fit(X[20:40]))
    assert_as_row_by_row(scaler, [X[40:]], X[40:])


@each_setting
def test_after_a_round_trip_as_json(scaler, X):
    scaler.prequential_transform(X[:40])
    twin = sknorm.from_json(scaler.to_json())
    assert_same_bits(twin.prequential_transform(X[40:]), scaler.prequential_transform(X[40:]))
    assert twin.to_json() == scaler.to_json()


@each_setting
def test_parameters_set_after_fit(scaler, X):
    """A new parameter counts from the next row on; how to forget, and what is clipped first, is as it was."""
    late = by_rows(type(scaler)(**lasting(scaler))).fit(X[:40])
    late.transform(X.copy())
    for name, value in scaler.get_params(deep=False).items():
        setattr(late, name, value)
    assert_as_row_by_row(late, [X[40:]], X[40:])


@each_setting
def test_frames(scaler, X):
    names = list("abcdefg")
    expected, _ = alone_on(scaler, X)
    if in_chunks(scaler):
        X, expected = X[:30], expected[:30]
    index = range(100, 100 + len(X))
    frames = {"pandas": pd.DataFrame(X, columns=names, index=index), "polars": pl.DataFrame(X, names)}
    for source, frame in frames.items():
        for container, kind in (("default", np.ndarray), ("pandas", pd.DataFrame), ("polars", pl.DataFrame)):
            whole = clone(scaler).set_output(transform=container)
            scaled = whole.prequential_transform(frame)
            assert type(scaled) is kind
            assert_same_bits(np.asarray(scaled, dtype=np.float64), expected)
            if container != "default":
                likewise = (
                    clone(scaler)
                    .set_output(transform=container)
                    .fit_transform(frame.clone() if source == "polars" else frame.copy())
                )
                assert list(scaled.columns) == list(likewise.columns)
            if container == source == "pandas":
                assert scaled.index.equals(frame.index)
            if source == "pandas":
                assert whole.feature_names_in_.tolist() == names
        assert_same_bits(np.array(frame), X)


@pytest.mark.parametrize("kind", ["list", "object", "int", "longdouble", "big-endian", "one row", "memory map"])
@each_class
def test_tables_of_every_kind(scaler_class, kind, X, tmp_path):
    X = np.nan_to_num(np.round(X)) + 0.0  # no −0
    np.save(tmp_path / "table.npy", X)
    table = {
        "list": X.tolist,
        "object": lambda: X.astype(object),
        "int": lambda: X.astype(np.int32),
        "longdouble": lambda: X.astype(np.longdouble),
        "big-endian": lambda: X.astype(">f8"),
        "one row": lambda: X[:1],
        "memory map": lambda: np.load(tmp_path / "table.npy", mmap_mode="r"),
    }[kind]()
    assert_as_row_by_row(by_rows(scaler_class()), [table], X[: len(table)])


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 63, 129, 3000, 9000])
@pytest.mark.parametrize("setting", [{}, {"window": 5}, {"window": 40}, {"half_life": 2.5}], ids=str)
def test_widths(width, setting, rng):
    """Rows go through in blocks of 64, and of fewer where they are wide."""
    n_rows = 150 if width < 1000 else 7
    X = rng.normal(3, 2, size=(n_rows, width))
    X[rng.random(X.shape) < 0.1] = np.nan
    for scaler_class in [StandardScaler] if "half_life" in setting else [StandardScaler, MinMaxScaler]:
        for table in (X, X.astype(np.float32)):
            assert_as_row_by_row(scaler_class(**setting), [table, np.asfortranarray(table)], table)


@pytest.mark.parametrize("entry", BY_ROWS, ids=lambda entry: entry.scaler.__name__)
@settings(max_examples=50)
@given(data=st.data())
def test_any_table_in_any_parts(entry, data):
    scaler = by_rows(entry.scaler(**data.draw(st.sampled_from([{}, *entry.settings]))))
    X = data.draw(tables())
    with np.errstate(over="ignore"):  # of values divided by a scale that is small so far
        expected = row_by_row(clone(scaler), X)
        scaled = [scaler.prequential_transform(part) for part in data.draw(batches(X))]
    assert_same_bits(np.concatenate(scaled), expected)


# Sparse.


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(sp.csr_array, np.float64), (sp.csc_array, np.float32), (sp.csr_matrix, np.float32), (sp.csc_matrix, np.float64)],
    ids=["csr_array", "csc_array", "csr_matrix", "csc_matrix"],
)
@each_sparse_setting
def test_sparse_is_dense(scaler, form, dtype, rng):
    X = rng.normal(size=(80, 5)).astype(dtype)
    X[rng.random(X.shape) < 0.7] = 0
    X[rng.random(X.shape) < 0.05] = np.nan
    X[:, 4] = 0
    weights = rng.choice([0.0, 1.0, 2.5], len(X))
    weights[0] = 1.0
    matrix = form(X)
    before = [getattr(matrix, name).copy() for name in ("data", "indices", "indptr")]
    if scaler.clip == (1.0, 2.0):
        state = state_of(scaler)
        with pytest.raises(ValueError, match="zeros of a sparse matrix"):
            scaler.prequential_transform(matrix)
        assert state_of(scaler) == state
        return
    dense = clone(scaler)
    for given_weights in (weights, None):
        scaled = scaler.prequential_transform(matrix, sample_weight=given_weights)
        expected = dense.prequential_transform(X, sample_weight=given_weights)
        assert type(scaled) is form
        assert scaled.dtype == dtype
        # Quantiles of a sparse table count its zeros as one weighted value, and so round otherwise.
        close = {"rtol": 1e-6 if dtype == np.float32 else 1e-12, "atol": 0}
        exact = {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(scaled.toarray(), expected, **(close if scaler._statistic is Quantiles else exact))
    for name, array in zip(("data", "indices", "indptr"), before, strict=True):
        np.testing.assert_array_equal(getattr(matrix, name), array)
    np.testing.assert_allclose(scaler.transform(X.copy()), dense.transform(X.copy()), rtol=1e-6)


@each_sparse_setting
def test_sparse_in_two_parts_and_out_of_order(scaler, rng):
    """A value stored as two halves, in descending order of columns."""
    X = np.round(rng.normal(size=(30, 4)) * 4) / 2
    X[rng.random(X.shape) < 0.5] = 0
    canonical = sp.csr_array(X)
    data, indices = np.repeat(canonical.data / 2, 2), np.repeat(canonical.indices, 2)
    matrix = sp.csr_array((data, indices, canonical.indptr * 2), shape=X.shape)
    for start, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        matrix.indices[start:end], matrix.data[start:end] = indices[start:end][::-1], data[start:end][::-1]
    matrix.has_canonical_format = matrix.has_sorted_indices = False
    if scaler.clip != (1.0, 2.0):
        expected = clone(scaler).prequential_transform(canonical).toarray()
        np.testing.assert_allclose(scaler.prequential_transform(matrix).toarray(), expected, rtol=1e-14)


@pytest.mark.parametrize("setting", [{}, {"window": 1000}, {"half_life": 1000.0}], ids=str)
def test_a_sparse_table_of_several_blocks(setting, rng):
    """A dense block of so many columns holds some 100 rows of them."""
    X = sp.random(450, 10_000, density=0.001, format="csr", random_state=0)
    for weights in (None, rng.choice([0.0, 0.5, 2.0], 450)):
        scaler, dense = (StandardScaler(with_mean=False, **setting) for _ in range(2))
        scaled = scaler.prequential_transform(X, sample_weight=weights)
        expected = dense.prequential_transform(X[:, :300].toarray(), sample_weight=weights)
        assert_same_bits(scaled[:, :300].toarray(), expected)
        np.testing.assert_array_equal(scaler.scale_[:300], dense.scale_)


@pytest.mark.parametrize("scaler_class", [kind for kind in CLASSES if not takes_sparse(kind())])
def test_centring_a_sparse_table_is_refused(scaler_class):
    scaler = scaler_class()
    with pytest.raises((ValueError, TypeError), match=r"[Ss]parse"):
        scaler.prequential_transform(sp.csr_array(np.eye(3)))
    assert vars(scaler) == scaler.get_params()


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@each_sparse_setting
def test_a_refused_container_leaves_no_trace(scaler, fitted, container):
    scaler.set_output(transform=container)
    if fitted:
        scaler.fit(np.eye(3))
    before = state_of(scaler)
    with pytest.raises(ValueError, match=r"The transformer outputs a scipy sparse matrix|zeros of a sparse matrix"):
        scaler.prequential_transform(sp.csr_array(np.eye(3)))
    assert state_of(scaler) == before


# A column without a value so far.


@each_setting
def test_a_column_without_a_value_so_far(scaler):
    X = np.array([[np.nan, 0.25, 5.0], [np.nan, 0.25, np.nan], [-3.5, np.nan, 4.0]])
    scaled = scaler.prequential_transform(X)
    first = [scaled[0, 1], scaled[0, 2], scaled[2, 0]]
    if centres(scaler):
        expected = np.full(3, float(getattr(scaler, "feature_range", [0.0])[0]))
    else:
        expected = np.array([0.25, 5.0, -3.5])
    if getattr(scaler, "limits", None):
        expected = np.clip(expected, *scaler.limits)
    if isinstance(scaler.clip, tuple):
        expected = np.clip(expected, *scaler.clip)
    elif scaler.clip_mode == "soft":
        expected = expected / np.sqrt(1 + (expected / scaler.clip) ** 2)
    elif scaler.clip is True:
        expected = np.clip(expected, *scaler._clip_interval)
    elif scaler.clip not in (None, False):
        expected = np.clip(expected, -scaler.clip, scaler.clip)
    np.testing.assert_allclose(first, expected, rtol=1e-15)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(X))


@each_setting
def test_nothing_but_missing_values(scaler):
    nothing = np.full((70, 2), np.nan)
    assert np.isnan(scaler.prequential_transform(nothing)).all()
    X = np.array([[1.0, np.nan], [3.0, 2.0]])
    expected = row_by_row(copy.deepcopy(scaler), X)
    assert_same_bits(scaler.prequential_transform(X), expected)


@each_setting
def test_transform_of_what_was_never_fitted_is_still_an_error(scaler, X):
    with pytest.raises(NotFittedError):
        scaler.transform(X)
    scaler.prequential_transform(X[:1])
    scaler.transform(X)


# What a row must not know.


@each_class
@settings(max_examples=50)
@given(data=st.data())
def test_no_row_depends_on_a_later_one(scaler_class, data):
    entry = next(entry for entry in SCALERS if entry.scaler is scaler_class)
    scaler = by_rows(scaler_class(**data.draw(st.sampled_from([{}, *entry.settings]))))
    X = data.draw(tables(max_rows=30))
    j = data.draw(st.integers(0, len(X) - 1))
    changed = X.copy()
    changed[j:] = changed[j:] * data.draw(st.sampled_from([-1.0, 0.5, np.nan])) - data.draw(st.floats(-1e6, 1e6))
    with np.errstate(over="ignore"):
        one, other = clone(scaler).prequential_transform(X), clone(scaler).prequential_transform(changed)
    assert_same_bits(other[:j], one[:j])
    if j and np.isfinite(X[j]).all():
        # And row j by what was before it, not by itself.
        expected = row_by_row(clone(scaler).partial_fit(X[:j]), changed[j : j + 1])
        np.testing.assert_allclose(other[j : j + 1], expected, rtol=1e-9, atol=1e-9)


def test_a_jump_is_scaled_by_what_was_before_it():
    X = np.array([[1.0], [3.0], [1.0], [3.0], [1000.0]])
    assert StandardScaler().prequential_transform(X)[-1] == 998.0
    assert MinMaxScaler().prequential_transform(X)[-1] == 499.5
    assert RobustScaler(chunk_size=1).prequential_transform(X)[-1] == 499.0
    assert StandardScaler(window=2).prequential_transform(X)[-1] == 998.0
    assert MinMaxScaler(window=1).prequential_transform(X)[-1] == 997.0


# Chunks.


@pytest.mark.parametrize("size", [1, 2, 7, 74, 75, 76, 100, 10**9])
@pytest.mark.parametrize("setting", [{}, {"window": 20}, {"clip": 1.5, "with_centering": False}], ids=str)
def test_chunks_are_a_loop_of_chunks(size, setting, X, rng):
    weights = rng.choice([0.0, 1.0, 2.0], len(X))
    weights[:3] = 1.0
    for given_weights in (None, weights):
        scaler, alone = (RobustScaler(chunk_size=size, **setting) for _ in range(2))
        for part in (slice(0, 30), slice(30, 75)):
            part_weights = None if given_weights is None else given_weights[part]
            expected = row_by_row(alone, X[part], part_weights, size)
            assert_same_bits(scaler.prequential_transform(X[part], sample_weight=part_weights), expected)
        assert history_of(scaler) == history_of(alone)


def test_a_chunk_is_scaled_by_what_was_before_it(rng):
    X = rng.normal(5, 2, size=(250, 2))
    scaler = RobustScaler()
    assert scaler.chunk_size == 100
    scaled = scaler.prequential_transform(X)
    np.testing.assert_array_equal(scaled[:100], np.zeros((100, 2)))
    known = RobustScaler().partial_fit(X[:100])
    np.testing.assert_array_equal(scaled[100:200], known.transform(X[100:200]))
    np.testing.assert_array_equal(scaled[200:], known.partial_fit(X[100:200]).transform(X[200:]))


# Errors.


@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@pytest.mark.parametrize("scaler", [s for s in instances() if not takes_infinities(s)], ids=name_of, indirect=True)
def test_an_infinity_in_any_block_leaves_no_trace(scaler, X, fitted):
    """Whatever else is refused, test_laws.py and test_bad_input.py see to it."""
    if fitted:
        scaler.fit(X).transform(X.copy())
    before = state_of(scaler)
    for row, column, value in zip((0, 63, 63, 64, 64, 74, 74), range(7), [np.inf, -np.inf] * 4, strict=False):
        bad = X.copy()
        bad[row, column] = value
        with pytest.raises(ValueError, match="Input X contains infinity or a value too large for dtype"):
            scaler.prequential_transform(bad)
        assert state_of(scaler) == before


@pytest.mark.parametrize(
    "scaler",
    [s for s in SETTINGS if isinstance(s, StandardScaler | MinMaxScaler | MeanScaler) and s.outliers is None],
    ids=name_of,
    indirect=True,
)
def test_overflow_leaves_no_trace(scaler, X):
    X[50, 0], X[51, 0] = -1.7e308, 1.7e308
    scaler.fit(X[:5])
    before = state_of(scaler)
    for table in (X, pd.DataFrame(X), np.asfortranarray(X)):
        with pytest.raises(ValueError, match="of column 0 overflows"):
            scaler.prequential_transform(table)
        assert state_of(scaler) == before


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        # The squares sum to 7.2e307: too much when divided by 2 − 1.9, the rows so far, but not by 5 − 1.9, all rows.
        ({"ddof": 1.9}, [-6e153, 6e153, 0.0, 0.0, 0.0]),
        # Here to 9.6e307, divided by 1.5 − 1 first.
        ({"ddof": 1, "half_life": 1.0}, [0.0, 1.7e154, 1.7e154, 1.7e154]),
    ],
    ids=["ddof", "half_life"],
)
def test_a_variance_that_overflows_on_the_way_is_refused_as_row_by_row(setting, values):
    X = np.array(values)[:, np.newaxis]
    StandardScaler(**setting).fit(X)
    scaler, alone = StandardScaler(**setting), StandardScaler(**setting)
    with pytest.raises(ValueError, match="variance of column 0 overflows") as single:
        row_by_row(alone, X)
    with pytest.raises(ValueError, match="variance of column 0 overflows") as together:
        scaler.prequential_transform(X)
    assert str(together.value) == str(single.value)
    assert vars(scaler) == scaler.get_params()


@each_class
@pytest.mark.parametrize("name", ["clip", "window", "copy"])
def test_a_bad_parameter_set_after_fit_is_refused(scaler_class, name, X):
    scaler = scaler_class().fit(X)
    if name not in scaler.get_params():
        name = "fold"
    scaler.set_params(**{name: -1.0})
    before = state_of(scaler)
    with pytest.raises(ValueError, match=name):
        scaler.prequential_transform(X)
    assert state_of(scaler) == before


# The output.


@pytest.mark.parametrize("copy_parameter", [True, False], ids=["copy", "in-place"])
@pytest.mark.parametrize("layout", ["C", "F", "every other", "reversed"])
@each_class
def test_the_output_stands_alone(scaler_class, layout, copy_parameter, X):
    table = LAYOUTS[layout](X)
    scaler = scaler_class()
    if "copy" in scaler.get_params():
        scaler.set_params(copy=copy_parameter)
    scaled = by_rows(scaler).prequential_transform(table)
    assert type(scaled) is np.ndarray
    assert scaled.flags.writeable
    assert not np.shares_memory(scaled, table)
    assert_same_bits(table, X)
    state = scaler_class().fit(X).transform(LAYOUTS[layout](X))
    assert scaled.dtype == state.dtype
    assert scaled.shape == state.shape


@each_class
def test_a_subclass_of_ndarray_gives_an_array(scaler_class, X):
    scaled = scaler_class().prequential_transform(X.view(np.recarray))
    assert type(scaled) is np.ndarray


@each_class
def test_y_is_ignored(scaler_class, X):
    expected = scaler_class().prequential_transform(X)
    for y in (np.arange(len(X)), ["a"] * len(X), pd.Series(range(len(X)))):
        assert_same_bits(scaler_class().prequential_transform(X, y), expected)


def memory_beyond(call, output_bytes):
    """Return the bytes that a call took at its peak, beyond its output."""
    tracemalloc.start()
    try:
        result = call()
        _, peak = tracemalloc.get_traced_memory()
        del result
        return peak - output_bytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "scaler",
    [StandardScaler(), StandardScaler(half_life=100.0), MeanScaler(window=1000), RobustScaler(chunk_size=50_000)],
    ids=name_of,
)
def test_a_pass_takes_the_memory_of_its_output(scaler, order):
    X = np.random.default_rng(0).normal(size=(300_000, 10)).astype(order=order, dtype=np.float64)
    X[::7, 3] = np.nan
    scaler = clone(scaler).fit(X[:100])
    # What quantiles are scaled chunk by chunk into lies there twice when the chunks are joined.
    copies = 2 if isinstance(scaler, RobustScaler) else 1
    assert memory_beyond(lambda: scaler.prequential_transform(X), copies * X.nbytes) < 16 * MB
    if isinstance(scaler, StandardScaler | MeanScaler):
        assert memory_beyond(lambda: scaler.partial_fit(X), 0) < 8 * MB
