"""The four scalers that scikit-learn has too: changing the import is the whole migration."""

import inspect
from numbers import Integral

import numpy as np
import pytest
import sklearn.preprocessing

import sknorm

NAMES = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"]
STREAMING = NAMES[:3]

# Every parameter that both have, at more than its default.
SETTINGS = [
    ("StandardScaler", {}),
    ("StandardScaler", {"with_mean": False}),
    ("StandardScaler", {"with_std": False}),
    ("StandardScaler", {"with_mean": False, "with_std": False}),
    ("StandardScaler", {"copy": False}),
    ("MinMaxScaler", {}),
    ("MinMaxScaler", {"feature_range": (-3, 8)}),
    ("MinMaxScaler", {"feature_range": (0.25, 0.5), "clip": True}),
    ("MinMaxScaler", {"clip": True}),
    ("MinMaxScaler", {"copy": False}),
    ("MaxAbsScaler", {}),
    ("MaxAbsScaler", {"clip": True}),
    ("MaxAbsScaler", {"copy": False}),
    ("RobustScaler", {}),
    ("RobustScaler", {"with_centering": False}),
    ("RobustScaler", {"with_scaling": False}),
    ("RobustScaler", {"with_centering": False, "with_scaling": False}),
    ("RobustScaler", {"quantile_range": (5.0, 80.0)}),
    ("RobustScaler", {"quantile_range": (0, 100)}),
    ("RobustScaler", {"unit_variance": True}),
    ("RobustScaler", {"quantile_range": (10.0, 60.0), "unit_variance": True, "copy": False}),
]


def has(name, setting):
    """Say whether this release of scikit-learn has the parameters: MaxAbsScaler got its clip late."""
    return set(setting) <= set(inspect.signature(getattr(sklearn.preprocessing, name)).parameters)


SETTINGS = [(name, setting) for name, setting in SETTINGS if has(name, setting)]

each_setting = pytest.mark.parametrize(
    ("name", "setting"),
    SETTINGS,
    ids=["-".join([name.removesuffix("Scaler"), *(f"{k}={v}" for k, v in s.items())]) for name, s in SETTINGS],
)
each_class = pytest.mark.parametrize("name", NAMES)
each_streaming = pytest.mark.parametrize("name", STREAMING)


def both(name, **setting):
    """Return our scaler and scikit-learn's, unfitted."""
    return getattr(sknorm, name)(**setting), getattr(sklearn.preprocessing, name)(**setting)


def learned(scaler):
    """Return scikit-learn's fitted attributes and their values."""
    return {name: value for name, value in vars(scaler).items() if name.endswith("_") and not name.startswith("_")}


def tolerance(dtype):
    """Return how far scikit-learn itself is from exact arithmetic: it learns in the precision of its input."""
    return {"float32": {"rtol": 2e-6, "atol": 5e-6}, "float16": {"rtol": 2e-2, "atol": 2e-2}}.get(
        np.dtype(dtype).name, {"rtol": 1e-12, "atol": 1e-12}
    )


def assert_learned_the_same(ours, theirs, dtype=np.float64):
    for name, expected in learned(theirs).items():
        got = getattr(ours, name)
        if expected is None:
            assert got is None, name
            continue
        assert np.shape(got) == np.shape(expected), name
        np.testing.assert_allclose(
            np.asarray(got, dtype=float), np.asarray(expected, dtype=float), **tolerance(dtype), err_msg=name
        )


def assert_maps_the_same(ours, theirs, X):
    for verb in ("transform", "inverse_transform"):
        got, expected = getattr(ours, verb)(X.copy()), getattr(theirs, verb)(X.copy())
        assert got.dtype == expected.dtype, verb
        np.testing.assert_allclose(got, expected, **tolerance(expected.dtype), err_msg=verb)


@pytest.fixture
def X(rng):
    table = rng.normal([0, 5, -3, 0], [1, 2, 0.3, 10], size=(80, 4))
    table[:, 3] = 4.25  # a constant
    return table


def with_missing(X):
    X = X.copy()
    X[::7, 0] = X[3:20, 1] = X[5, :] = np.nan
    return X


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "every-2nd-row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every-2nd-column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "rows-reversed": lambda X: X[::-1].copy()[::-1],
    "columns-reversed": lambda X: X[:, ::-1].copy()[:, ::-1],
    "both-reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "F-strided": lambda X: np.asfortranarray(np.repeat(X, 3, axis=0))[::3],
    "broadcast": lambda X: np.broadcast_to(X[1:2], X.shape),
    "read-only": lambda X: np.frombuffer(X.tobytes(), dtype=X.dtype).reshape(X.shape),
    "unaligned": lambda X: np.frombuffer(b"\0" + X.tobytes(), dtype=X.dtype, offset=1).reshape(X.shape),
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@each_setting
def test_layouts(name, setting, layout, X):
    for data in (X, with_missing(X)):
        table = LAYOUTS[layout](data)
        ours, theirs = both(name, **setting)
        ours.fit(table)
        theirs.fit(np.array(table, dtype=np.float64))
        assert_learned_the_same(ours, theirs)
        expected = theirs.transform(np.array(table, dtype=np.float64))
        got = ours.transform(LAYOUTS[layout](data))
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


FLOATS = ["float64", "float32", "float16", "longdouble"]
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool", "object"])
@each_setting
def test_dtypes(name, setting, dtype, rng):
    table = np.array(rng.integers(0, 100, size=(50, 3))).astype(dtype)
    ours, theirs = both(name, **setting)
    assert_learned_the_same(ours.fit(table.copy()), theirs.fit(table.copy()), dtype)
    got, expected = ours.transform(table.copy()), theirs.transform(table.copy())
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, **tolerance(expected.dtype))
    got, expected = ours.inverse_transform(got), theirs.inverse_transform(expected)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, **tolerance(expected.dtype))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool", "object"])
@pytest.mark.parametrize("name", ["MeanScaler", "DecimalScaler"])
def test_dtypes_of_our_own_scalers(name, dtype, rng):
    table = np.array(rng.integers(0, 100, size=(50, 3))).astype(dtype)
    ours, theirs = getattr(sknorm, name)(), sklearn.preprocessing.MaxAbsScaler()
    got, expected = ours.fit_transform(table), theirs.fit_transform(table)
    assert got.dtype == expected.dtype
    assert ours.inverse_transform(got).dtype == theirs.inverse_transform(expected).dtype
    reference = getattr(sknorm, name)().fit_transform(table.astype(np.float64))
    np.testing.assert_allclose(got, reference, **tolerance(got.dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "object"])
@each_setting
def test_missing_values(name, setting, dtype, X):
    table = with_missing(X).astype(dtype)
    ours, theirs = both(name, **setting)
    assert_learned_the_same(ours.fit(table.copy()), theirs.fit(table.copy()), dtype)
    got, expected = ours.transform(table.copy()), theirs.transform(table.copy())
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, **tolerance(expected.dtype))


@pytest.mark.parametrize("values", [[2.5, 0.0, -1e-300, 1e3], [1, 2, 3, 4]], ids=["extreme", "int"])
@each_setting
def test_one_row(name, setting, values):
    table = np.array([values], dtype=float)
    ours, theirs = both(name, **setting)
    ours.fit(table.copy())
    theirs.fit(table.copy())
    assert_learned_the_same(ours, theirs)
    np.testing.assert_allclose(ours.transform(table.copy()), theirs.transform(table.copy()), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-8, 0.1, 7.0, -1e10, 1e100, 1 / 3], ids=str)
@each_setting
def test_constant_columns(name, setting, value):
    table = np.full((37, 2), value)
    table[:, 1] = np.arange(37)
    ours, theirs = both(name, **setting)
    ours.fit(table.copy())
    theirs.fit(table.copy())
    np.testing.assert_allclose(
        ours.transform(table.copy()), theirs.transform(table.copy()), rtol=1e-12, atol=1e-12 * max(1, abs(value))
    )
    if setting.get("with_std", True) and setting.get("with_scaling", True):
        np.testing.assert_allclose(ours.scale_, theirs.scale_, rtol=1e-12)


@each_setting
def test_new_data_and_its_inverse(name, setting, X):
    ours, theirs = both(name, **setting)
    assert_maps_the_same(ours.fit(X), theirs.fit(X), with_missing(X * 3 - 1))


# Streams.


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@pytest.mark.parametrize("sizes", [[80], [40, 40], [1] * 80, [1, 30, 2, 47]], ids=["80", "40+40", "1+1+…", "uneven"])
@each_streaming
def test_partial_fit(name, sizes, missing, X):
    table = with_missing(X) if missing else X
    # scikit-learn forgets what it had when a batch has no value in a column.
    if missing and 1 in sizes:
        sizes = [30, 50]
    ours, theirs = both(name)
    start = 0
    for size in sizes:
        batch = table[start : start + size]
        ours.partial_fit(batch)
        theirs.partial_fit(batch)
        assert_learned_the_same(ours, theirs)
        start += size
    assert_maps_the_same(ours, theirs, X * 2)


@each_streaming
def test_partial_fit_after_fit_goes_on(name, X):
    ours, theirs = both(name)
    assert_learned_the_same(ours.fit(X[:30]).partial_fit(X[30:]), theirs.fit(X[:30]).partial_fit(X[30:]))
    assert_learned_the_same(ours.fit(X[50:]), theirs.fit(X[50:]))


@pytest.mark.parametrize("setting", [{}, {"with_mean": False}, {"with_std": False}], ids=str)
@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
def test_weights(setting, missing, X, rng):
    table = with_missing(X)[:, :3] if missing else X
    for weights in (rng.uniform(0, 3, size=80), rng.integers(0, 4, size=80), np.ones(80)):
        ours, theirs = both("StandardScaler", **setting)
        assert_learned_the_same(ours.fit(table, sample_weight=weights), theirs.fit(table, sample_weight=weights))
        np.testing.assert_allclose(ours.transform(table), theirs.transform(table), rtol=1e-11, atol=1e-11)


def test_weights_in_a_stream(X, rng):
    weights = rng.uniform(0.5, 3, size=80)
    ours, theirs = both("StandardScaler")
    for rows in (slice(0, 10), slice(10, 11), slice(11, 80)):
        ours.partial_fit(X[rows], sample_weight=weights[rows])
        theirs.partial_fit(X[rows], sample_weight=weights[rows])
        assert_learned_the_same(ours, theirs)


KINDS = {"list": list, "tuple": tuple, "float32": np.float32, "number": lambda _: 2.0, "int": lambda _: 2}


@pytest.mark.parametrize("give", KINDS.values(), ids=KINDS)
def test_kinds_of_weights(give, X):
    weights = [1.0, 2.0] * 40
    ours, theirs = both("StandardScaler")
    assert_learned_the_same(ours.fit(X, None, give(weights)), theirs.fit(X, None, give(weights)))


# The number of samples.


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@each_streaming
def test_type_of_n_samples_seen(name, missing, X):
    table = with_missing(X) if missing else X
    ours, theirs = both(name)
    for table_of_batch in (table, table[:40]):
        got = ours.partial_fit(table_of_batch).n_samples_seen_
        expected = theirs.partial_fit(table_of_batch).n_samples_seen_
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_array_equal(got, expected)
        if name == "StandardScaler":  # an integer in scikit-learn 1.6, a float in 1.9
            assert np.asarray(got).dtype == np.int64
        else:
            assert type(got) is type(expected) is int


def test_type_of_n_samples_seen_with_weights(X):
    X = X[:, :3]  # scikit-learn's weighted variance of a constant can be negative
    for weights in (np.full(80, 0.31), np.linspace(0.1, 1.234, 80)):
        ours, theirs = both("StandardScaler")
        got = ours.fit(X, sample_weight=weights).n_samples_seen_
        expected = theirs.fit(X, sample_weight=weights).n_samples_seen_
        assert isinstance(got, float)
        assert got == pytest.approx(expected, rel=1e-14)


@each_class
def test_n_features_in_is_an_int(name, X):
    ours, _ = both(name)
    assert isinstance(ours.fit(X).n_features_in_, Integral)


# Attributes.


@each_setting
def test_attributes_of_scikit_learn_are_all_there(name, setting, X):
    ours, theirs = both(name, **setting)
    assert not [name for name in learned(theirs.fit(X)) if not hasattr(ours.fit(X), name)]


@each_class
def test_attributes_are_arrays_of_float64(name, X):
    ours, theirs = both(name)
    for attribute, value in learned(theirs.fit(X)).items():
        if isinstance(value, np.ndarray):
            assert getattr(ours.fit(X), attribute).dtype == value.dtype


# Signatures.


@each_class
def test_constructor(name):
    ours, theirs = (list(inspect.signature(type(scaler)).parameters.values()) for scaler in both(name))
    shared, extra = ours[: len(theirs)], ours[len(theirs) :]
    for our, their in zip(shared, theirs, strict=False):
        assert (our.name, our.kind) == (their.name, their.kind)
        assert (our.default, type(our.default)) == (their.default, type(their.default))
    # Nothing of theirs is missing; in older releases MaxAbsScaler has no clip, so ours comes as an extra.
    assert {parameter.name for parameter in shared} == {parameter.name for parameter in theirs}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in extra)


METHODS = "fit partial_fit transform inverse_transform fit_transform get_feature_names_out get_params set_output"


@pytest.mark.parametrize("method", METHODS.split())
@each_class
def test_methods(name, method):
    if name == "RobustScaler" and method == "partial_fit":
        pytest.skip("scikit-learn's RobustScaler has none")
    ours, theirs = (list(inspect.signature(getattr(scaler, method)).parameters.values()) for scaler in both(name))
    for our, their in zip(ours, theirs, strict=False):
        assert (our.name, our.kind, our.default) == (their.name, their.kind, their.default)
    assert len(ours) >= len(theirs)
    assert {parameter.name for parameter in ours[len(theirs) :]} <= {"sample_weight"}


@each_class
def test_bases_are_mixed_in_as_in_scikit_learn(name):
    ours, theirs = both(name)
    missing = {base.__name__ for base in type(theirs).__mro__} - {base.__name__ for base in type(ours).__mro__}
    assert missing == set()


# In place.

INPUTS = {
    "C": lambda: np.arange(12.0).reshape(4, 3),
    "F": lambda: np.asfortranarray(np.arange(12.0).reshape(4, 3)),
    "strided": lambda: np.arange(24.0).reshape(4, 6)[:, ::2],
    "reversed": lambda: np.arange(12.0).reshape(4, 3)[::-1],
    "float32": lambda: np.arange(12, dtype=np.float32).reshape(4, 3),
    "int": lambda: np.arange(12).reshape(4, 3),
    "read-only": lambda: np.broadcast_to(np.arange(3.0), (4, 3)),
    "list": lambda: np.arange(12.0).reshape(4, 3).tolist(),
}


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@pytest.mark.parametrize("copy", [True, False], ids=["copy", "in-place"])
@pytest.mark.parametrize("kind", INPUTS)
@each_class
def test_copy(name, kind, copy, verb):
    results = []
    for scaler in both(name, copy=copy):
        table = INPUTS[kind]()
        scaler.fit(np.arange(12.0).reshape(4, 3))
        out = getattr(scaler, verb)(table)
        results.append((out is table, np.shares_memory(out, np.asarray(table)), np.array(table)))
    (ours_same, ours_shares, ours_after), (theirs_same, theirs_shares, theirs_after) = results
    assert (ours_same, ours_shares) == (theirs_same, theirs_shares)
    np.testing.assert_allclose(ours_after, theirs_after, **tolerance(theirs_after.dtype))


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@pytest.mark.parametrize("parameter", [True, False])
@pytest.mark.parametrize("argument", [None, True, False])
def test_copy_argument_of_standard_scaler(parameter, argument, verb):
    shares = []
    for scaler in both("StandardScaler", copy=parameter):
        table = np.arange(12.0).reshape(4, 3)
        scaler.fit(table)
        shares.append(np.shares_memory(getattr(scaler, verb)(table, copy=argument), table))
    assert shares[0] == shares[1]


@pytest.mark.parametrize("kind", ["C", "F"])
@each_class
def test_memory_order_of_the_output(name, kind):
    ours, theirs = (scaler.fit_transform(INPUTS[kind]()) for scaler in both(name))
    assert ours.flags.c_contiguous == theirs.flags.c_contiguous
    assert ours.flags.f_contiguous == theirs.flags.f_contiguous
    assert type(ours) is np.ndarray
    assert ours.flags.writeable
    assert ours.flags.owndata
