"""Sparse tables mean what their dense twins mean: what is not stored is zero, and zero stays zero."""

import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.preprocessing
from registry import SCALERS, clipper_of, sparse_setting, takes_infinities

import sknorm

# Scalers that keep zero, as they are set for it: every one, and what is worth testing besides.
FOR_SPARSE = {entry.scaler: sparse_setting(entry.scaler) for entry in SCALERS}
PLAIN = {
    scaler.__name__.removesuffix("Scaler"): partial(scaler, **setting)
    for scaler, setting in FOR_SPARSE.items()
    if setting is not None
}
DENSE = [scaler for scaler, setting in FOR_SPARSE.items() if setting is None]
REMEMBERING = PLAIN | {
    "Standard-ddof": lambda **s: sknorm.StandardScaler(with_mean=False, ddof=1, **s),
    "Standard-plain": lambda **s: sknorm.StandardScaler(with_mean=False, with_std=False, **s),
    "Robust-mad": lambda **s: sknorm.RobustScaler(with_centering=False, scale="mad", **s),
    "Robust-range": lambda **s: sknorm.RobustScaler(with_centering=False, zero_iqr="range", **s),
}
FORGETTING = {f"{name}-window": partial(make, window=40) for name, make in PLAIN.items()} | {
    "Standard-half-life": lambda **s: sknorm.StandardScaler(with_mean=False, half_life=5.0, **s),
}
KEEPERS = REMEMBERING | FORGETTING
# Those that scikit-learn has.
PEERS = {
    "Standard": lambda **s: sklearn.preprocessing.StandardScaler(with_mean=False, **s),
    "Standard-plain": lambda **s: sklearn.preprocessing.StandardScaler(with_mean=False, with_std=False, **s),
    "MaxAbs": lambda **s: sklearn.preprocessing.MaxAbsScaler(**s),
    "Robust": lambda **s: sklearn.preprocessing.RobustScaler(with_centering=False, **s),
}
FORMATS = {
    "csr_matrix": sp.csr_matrix,
    "csc_matrix": sp.csc_matrix,
    "csr_array": sp.csr_array,
    "csc_array": sp.csc_array,
}
OTHER_FORMATS = {
    "coo_matrix": sp.coo_matrix,
    "coo_array": sp.coo_array,
    "lil_array": sp.lil_array,
    "dok_array": sp.dok_array,
    "bsr_array": sp.bsr_array,
    "dia_array": sp.dia_array,
}

each_remembering_keeper = pytest.mark.parametrize("make", REMEMBERING.values(), ids=REMEMBERING)
each_keeper = pytest.mark.parametrize("make", KEEPERS.values(), ids=KEEPERS)
each_peer = pytest.mark.parametrize("name", PEERS)
each_format = pytest.mark.parametrize("store", FORMATS.values(), ids=FORMATS)


def each_keeper_with(*settings):
    """Return every keeper under those of the settings that it has."""
    kept = {
        f"{name}-{setting}": (make, setting)
        for name, make in KEEPERS.items()
        for setting in settings
        if setting.keys() <= make().get_params().keys()
    }
    return pytest.mark.parametrize(("make", "setting"), kept.values(), ids=kept)


def refusing(make):
    """Return a scaler that refuses infinities, as all do by default but clippers."""
    return make(infinite="error") if takes_infinities(make()) else make()


@pytest.fixture
def X(rng):
    """Return a table that is mostly zero: one column empty, one full, one row empty."""
    table = rng.normal(2, 5, size=(60, 6)) * (rng.uniform(size=(60, 6)) < 0.3)
    table[:, 1] = 0
    table[:, 2] = rng.normal(size=60)
    table[7] = 0
    return table


def with_missing(X):
    X = X.copy()
    X[::9, 0] = X[4:8, 2] = np.nan
    return X


def stored(X, store, extra_zeros=False, dtype=np.float64, index=None):
    """Return X in a sparse format, with zeros stored too in places, and indices of the type asked for."""
    rows, columns = np.nonzero((X != 0) | (extra_zeros & (np.indices(X.shape).sum(0) % 3 == 0)))
    out = store(sp.coo_array((X[rows, columns].astype(dtype), (rows, columns)), shape=X.shape))
    if index is not None:
        out.indices, out.indptr = out.indices.astype(index), out.indptr.astype(index)
    return out


def duplicated(X, store):
    """Return a matrix that holds every value as two halves, in descending order: not canonical."""
    canonical = store(X)
    data = np.repeat(canonical.data / 2, 2)
    matrix = store((data, np.repeat(canonical.indices, 2), canonical.indptr * 2), shape=X.shape)
    matrix.has_canonical_format = False
    matrix.has_sorted_indices = False
    return matrix


def bits_of(matrix):
    return tuple(getattr(matrix, name).tobytes() for name in ("data", "indices", "indptr"))


def learned(scaler):
    """Return what the map of the scaler does to two rows."""
    probe = np.array([[1.0] * scaler.n_features_in_, [-2.5] * scaler.n_features_in_])
    return scaler.transform(probe)


def assert_close(got, expected):
    if sp.issparse(got):
        got = got.toarray()
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


OF_CLIPPERS = ("lower_", "upper_", "n_clipped_low_", "n_clipped_high_")


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@pytest.mark.parametrize("zeros", [False, True], ids=["nonzero", "explicit-zeros"])
@each_format
@each_keeper
def test_equals_dense(make, store, zeros, missing, X):
    table = with_missing(X) if missing else X
    matrix = stored(table, store, zeros)
    before = bits_of(matrix)
    ours, dense = make().fit(matrix), make().fit(table)
    for name in ("scale_", "var_", "center_", "max_abs_", "mean_", "n_samples_seen_", *OF_CLIPPERS):
        if getattr(dense, name, None) is not None:
            np.testing.assert_allclose(getattr(ours, name), getattr(dense, name), rtol=1e-12, atol=1e-13, err_msg=name)
    out = ours.transform(matrix)
    assert_close(out, dense.transform(table))
    assert_close(ours.inverse_transform(out), table if clipper_of(ours) is None else dense.transform(table))
    assert_close(make().fit_transform(matrix), dense.transform(table))
    assert bits_of(matrix) == before


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@each_format
@each_peer
def test_equals_scikit_learn(name, store, missing, X):
    matrix = stored(with_missing(X) if missing else X, store)
    ours, theirs = KEEPERS[name]().fit(matrix), PEERS[name]().fit(matrix)
    for attribute, expected in vars(theirs).items():
        if attribute.endswith("_") and not attribute.startswith("_"):
            got = getattr(ours, attribute)
            if expected is None:
                # scikit-learn learns no mean from a sparse table where it divides by nothing.
                assert got is None or attribute == "mean_", attribute
            else:
                np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-13, err_msg=attribute)
    for verb in ("transform", "inverse_transform"):
        got, expected = getattr(ours, verb)(matrix), getattr(theirs, verb)(matrix)
        assert_close(got, expected.toarray())
        assert got.dtype == expected.dtype
        assert isinstance(got, sp.sparray) == isinstance(expected, sp.sparray)
        assert got.format in {matrix.format, expected.format}
        assert got.nnz == expected.nnz


@pytest.mark.parametrize("store", OTHER_FORMATS.values(), ids=OTHER_FORMATS)
@each_peer
def test_other_formats(name, store, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sp.SparseEfficiencyWarning)  # a table as a DIA array
        matrix = store(X)
    ours, theirs = KEEPERS[name]().fit(matrix), PEERS[name]().fit(matrix)
    got, expected = ours.transform(matrix), theirs.transform(matrix)
    assert_close(got, expected.toarray())
    assert got.format == expected.format
    assert type(got) is type(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8, np.uint16, bool], ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("store", [sp.csr_array, sp.csc_array], ids=["csr", "csc"])
@each_peer
def test_dtypes(name, store, dtype, rng):
    table = rng.integers(0, 100, size=(40, 4)) * (rng.uniform(size=(40, 4)) < 0.4)
    matrix = store(table.astype(dtype))
    ours, theirs = KEEPERS[name]().fit(matrix), PEERS[name]().fit(matrix)
    for verb in ("transform", "inverse_transform"):
        got, expected = getattr(ours, verb)(matrix), getattr(theirs, verb)(matrix)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got.toarray(), expected.toarray(), rtol=2e-6)


@pytest.mark.parametrize("index", [np.int32, np.int64], ids=["int32", "int64"])
@each_format
@each_keeper
def test_index_types(make, store, index, X):
    matrix = stored(X, store, index=index)
    out = make().fit(matrix).transform(matrix)
    assert_close(out, make().fit(X).transform(X))
    if isinstance(out, sp.sparray):  # SciPy narrows those of a matrix whenever it copies one
        assert out.indices.dtype == out.indptr.dtype == index


# Not canonical.


@each_format
@each_keeper_with({}, {"clip": 0.2}, {"clip": 0.2, "clip_mode": "soft"}, {"method": "limits", "limits": (-0.2, 0.2)})
def test_duplicates_count_once(make, store, setting, X):
    matrix = duplicated(X, store)
    before = bits_of(matrix)
    scaler, dense = make(**setting).fit(matrix), make(**setting).fit(X)
    np.testing.assert_allclose(learned(scaler), learned(dense), rtol=1e-12)
    assert_close(scaler.transform(matrix), dense.transform(X))
    assert_close(make(**setting).partial_fit(matrix).transform(X), dense.transform(X))
    assert bits_of(matrix) == before


@each_format
@each_keeper
def test_unsorted_indices(make, store, X):
    matrix = store(X)
    for start, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        matrix.indices[start:end] = matrix.indices[start:end][::-1].copy()
        matrix.data[start:end] = matrix.data[start:end][::-1].copy()
    matrix.has_sorted_indices = False
    before = bits_of(matrix)
    assert_close(make().fit(matrix).transform(matrix), make().fit(X).transform(X))
    assert bits_of(matrix) == before


@each_format
@each_keeper_with({}, {"copy": False})
def test_read_only(make, setting, store, X):
    matrix = store(X)
    for name in ("data", "indices", "indptr"):
        getattr(matrix, name).setflags(write=False)
    scaler = make(**setting)
    assert_close(scaler.fit(matrix).transform(matrix), make().fit(X).transform(X))
    assert_close(scaler.partial_fit(matrix).transform(X.copy()), make().fit(np.r_[X, X]).transform(X))
    assert_close(matrix, X)


# Little or nothing stored.


@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (1, 4)], ids=str)
@each_format
@each_keeper
def test_nothing_stored(make, store, shape):
    matrix, table = store(shape), np.zeros(shape)
    scaler = make().fit(matrix)
    np.testing.assert_array_equal(learned(scaler), learned(make().fit(table)))
    out = scaler.transform(matrix)
    assert (out.nnz, out.shape) == (0, shape)
    assert_close(scaler.partial_fit(matrix).transform(table), table)


@each_format
@each_keeper
def test_column_without_a_value(make, store):
    table = np.c_[np.full(4, np.nan), np.arange(4.0)]
    scaler = make().fit(stored(table, store, extra_zeros=True))
    np.testing.assert_array_equal(learned(scaler), learned(make().fit(table)))
    scaler.partial_fit(store(np.ones((3, 2))))
    np.testing.assert_allclose(learned(scaler), learned(make().fit(np.r_[table, np.ones((3, 2))])), rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)], ids=["no-rows", "no-columns"])
@each_peer
def test_no_rows_and_no_columns(name, shape):
    with pytest.raises(ValueError, match="while a minimum of 1 is required") as expected:
        PEERS[name]().fit(sp.csr_array(shape))
    with pytest.raises(ValueError, match="while a minimum of 1 is required") as got:
        KEEPERS[name]().fit(sp.csr_array(shape))
    assert str(got.value) == str(expected.value)


@each_keeper
def test_tall_and_nearly_empty(make):
    """What is learned must not need the table: 3,000,000 rows of 4 columns with three values."""
    matrix = sp.csr_array(([3.0, -1.0, 7.0], ([0, 5, 2_999_999], [0, 1, 1])), shape=(3_000_000, 4))
    out = make().fit(matrix).transform(matrix)
    assert out.nnz == 3
    assert np.isfinite(out.data).all()


# Weights and streams.


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@each_format
@each_keeper
def test_weights(make, store, missing, X, rng):
    table = with_missing(X) if missing else X
    for weights in (rng.integers(0, 4, size=60), rng.uniform(0, 2, size=60)):
        got = make().fit(stored(table, store, extra_zeros=True), sample_weight=weights)
        expected = make().fit(table, sample_weight=weights)
        np.testing.assert_allclose(learned(got), learned(expected), rtol=1e-10)


@each_remembering_keeper
def test_weights_are_repeats(make, X, rng):
    weights = rng.integers(0, 4, size=60)
    got = make().fit(sp.csr_array(X), sample_weight=weights)
    expected = make().fit(sp.csr_array(np.repeat(X, weights, axis=0)))
    np.testing.assert_allclose(learned(got), learned(expected), rtol=1e-10)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@each_format
@each_keeper
def test_partial_fit(make, store, missing, X):
    table = with_missing(X) if missing else X
    scaler = make()
    for start in (0, 1, 8, 30):
        end = {0: 1, 1: 8, 8: 30, 30: 60}[start]
        batch = table[start:end]
        scaler.partial_fit(stored(batch, store) if start != 8 else batch)
        np.testing.assert_allclose(learned(scaler), learned(make().fit(table[:end])), rtol=1e-11)


@each_format
@each_remembering_keeper
def test_merge(make, store, X):
    whole = learned(make().fit(X))
    sparse, dense = make().fit(store(X[:20])), make().fit(X[20:])
    np.testing.assert_allclose(learned(make().fit(store(X[:20])).merge(dense)), whole, rtol=1e-11)
    np.testing.assert_allclose(learned(make().fit(X[20:]).merge(sparse)), whole, rtol=1e-11)


# What is refused.


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "fit_transform", "transform"])
@each_format
@pytest.mark.parametrize("name", ["StandardScaler", "RobustScaler"])
def test_centring_is_refused(name, store, verb, X):
    ours, theirs = getattr(sknorm, name)(), getattr(sklearn.preprocessing, name)()
    # scikit-learn's RobustScaler has no partial_fit, and its transform centres a sparse matrix: NumPy's error.
    theirs_verb = "fit" if name == "RobustScaler" else verb
    if verb == "transform":
        ours.fit(X)
        if name == "StandardScaler":
            theirs.fit(X)
    with pytest.raises(ValueError, match="Cannot center sparse matrices: ") as expected:
        getattr(theirs, theirs_verb)(store(X))
    before = dict(vars(ours))
    with pytest.raises(ValueError, match="Cannot center sparse matrices: ") as got:
        getattr(ours, verb)(store(X))
    assert str(got.value) == str(expected.value)
    assert vars(ours) == before


@pytest.mark.parametrize("name", ["StandardScaler", "RobustScaler"])
def test_uncentring_is_refused(name, X):
    scaler = getattr(sknorm, name)().fit(X)
    with pytest.raises(ValueError, match=r"Cannot uncenter sparse matrices: (pass|use) `with_"):
        scaler.inverse_transform(sp.csr_array(X))


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "fit_transform"])
@each_format
def test_min_max_scaler_refuses(store, verb, X):
    with pytest.raises(TypeError) as expected:
        getattr(sklearn.preprocessing.MinMaxScaler(), verb)(store(X))
    scaler = sknorm.MinMaxScaler()
    with pytest.raises(TypeError, match="Consider using MaxAbsScaler instead") as got:
        getattr(scaler, verb)(store(X))
    assert str(got.value) == str(expected.value)
    assert vars(scaler) == scaler.get_params()


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@pytest.mark.parametrize("scaler_class", DENSE)
def test_dense_scalers_refuse_to_map(scaler_class, verb, X):
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        getattr(scaler_class().fit(X), verb)(sp.csr_array(X))


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "fit_transform"])
@each_format
@pytest.mark.parametrize("scaler_class", [scaler for scaler in DENSE if scaler is not sknorm.MinMaxScaler])
def test_dense_scalers_refuse_to_learn(scaler_class, store, verb, X):
    """MinMaxScaler does so in scikit-learn's words."""
    scaler = scaler_class()
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        getattr(scaler, verb)(store(X))
    assert vars(scaler) == scaler.get_params()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@each_format
@each_keeper
def test_infinity_is_refused(make, store, value, X):
    bad = X.copy()
    bad[5, 0] = value
    matrix = store(bad)
    scaler = refusing(make)
    if "copy" in scaler.get_params():
        scaler.set_params(copy=False)
    scaler.fit(X)
    before, bits = vars(scaler)["_learned"], bits_of(matrix)
    for verb in ("fit", "partial_fit", "transform", "inverse_transform"):
        with pytest.raises(ValueError, match="Input X contains infinity or a value too large for dtype"):
            getattr(scaler, verb)(matrix)
    assert vars(scaler)["_learned"] is before
    assert bits_of(matrix) == bits


HALVES = {"overflow": [1.5e308, 1.5e308], "both-inf": [np.inf, -np.inf]}
each_halves = pytest.mark.parametrize("halves", HALVES.values(), ids=HALVES)


@each_halves
@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
@each_format
@each_keeper
def test_duplicates_that_are_no_number_together_are_not_learned(make, store, verb, halves):
    assert_refuses_duplicates(make, store, verb, halves)


@each_halves
@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@each_format
@each_keeper
def test_duplicates_that_are_no_number_together_are_not_mapped(make, store, verb, halves):
    assert_refuses_duplicates(make, store, verb, halves)


def assert_refuses_duplicates(make, store, verb, halves):
    matrix = store((halves, [0, 0], [0, 2]), shape=(1, 1))
    scaler = refusing(make).fit([[-1.0], [2.0]])
    before, bits = vars(scaler)["_learned"], bits_of(matrix)
    with pytest.raises(ValueError, match="Input X contains infinity or a value too large for dtype"):
        getattr(scaler, verb)(matrix)
    assert vars(scaler)["_learned"] is before
    assert bits_of(matrix) == bits


@each_keeper
def test_wrong_width(make, X):
    scaler = make().fit(sp.csr_array(X))
    for verb in ("partial_fit", "transform", "inverse_transform"):
        with pytest.raises(ValueError, match=r"X has 4 features, but .* is expecting 6 features as input"):
            getattr(scaler, verb)(sp.csr_array(X[:, :4]))


@each_keeper
def test_complex_is_refused(make):
    with pytest.raises(ValueError, match="Complex data not supported"):
        make().fit(sp.csr_array(np.eye(3) * 1j))


# Clipping.


@each_format
@each_keeper_with(
    {"clip": 0.3},
    {"clip": (-0.5, 0.1)},
    {"clip": 0.3, "clip_mode": "soft"},
    {"clip": (0.0, 0.2)},
    {"method": "limits", "limits": (0.0, 0.2)},
)
def test_clip_around_zero(make, store, setting, X):
    matrix = stored(with_missing(X), store, extra_zeros=True)
    table = with_missing(X)
    sparse, dense = make(**setting).fit(matrix), make(**setting).fit(table)
    got, expected = sparse.transform(matrix), dense.transform(table)
    assert_close(got, expected)
    assert_close(sparse.inverse_transform(got), dense.inverse_transform(expected))


@pytest.mark.parametrize("name", [name for name, make in PLAIN.items() if make()._clip_interval])
def test_clip_true(name, X):
    make = PLAIN[name]
    scaler = make(clip=True).fit(sp.csr_array(X))
    low, high = scaler._clip_interval
    assert_close(scaler.transform(sp.csr_array(X * 50)), np.clip(make().fit(X).transform(X * 50), low, high))


@each_keeper_with({"clip": (0.5, 2.0)}, {"clip": (-2.0, -0.5)}, {"method": "limits", "limits": (0.5, 2.0)})
def test_clip_beside_zero_is_refused(make, setting, X):
    scaler = make(**setting).fit(sp.csr_array(X))
    with pytest.raises(ValueError, match="zeros of a sparse matrix"):
        scaler.transform(sp.csr_array(X))
    assert_close(scaler.transform(X), make(**setting).fit(X).transform(X))


# In place.


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@pytest.mark.parametrize("store", [sp.csr_matrix, sp.csr_array], ids=["matrix", "array"])
@pytest.mark.parametrize("copy", [True, False], ids=["copy", "in-place"])
@each_peer
def test_copy(name, copy, store, verb, X):
    shares = []
    for make in (KEEPERS[name], PEERS[name]):
        matrix = store(X)
        scaler = make(copy=copy).fit(X.copy())
        out = getattr(scaler, verb)(matrix)
        shares.append(np.shares_memory(out.data, matrix.data))
        if not shares[-1]:
            np.testing.assert_array_equal(matrix.toarray(), X)
    assert shares[0] == shares[1] == (not copy)


@each_format
@each_keeper_with({}, {"copy": False})
def test_output_stands_alone(make, setting, store, X):
    """With ``copy=True`` nothing is shared, the structure neither."""
    matrix = store(X)
    out = make(**setting).fit(matrix).transform(matrix)
    if not setting:
        for name in ("data", "indices", "indptr"):
            assert not np.shares_memory(getattr(out, name), getattr(matrix, name)), name
    assert out.shape == matrix.shape


def test_standard_scaler_copy_argument(X):
    scaler = sknorm.StandardScaler(with_mean=False).fit(X)
    matrix = sp.csr_array(X)
    assert np.shares_memory(scaler.transform(matrix, copy=False).data, matrix.data)


@each_keeper
def test_set_output_does_not_take_sparse(make, X):
    scaler = make().set_output(transform="pandas").fit(sp.csr_array(X))
    with pytest.raises(ValueError, match="The transformer outputs a scipy sparse matrix"):
        scaler.transform(sp.csr_array(X))
