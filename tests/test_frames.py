"""Data frames: read as scikit-learn reads them, never changed, and not copied where that can be."""

import tracemalloc
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import sklearn.preprocessing
from registry import SCALERS, name_of, peer_of, reads_quantiles
from sklearn.base import clone

import sknorm
from sknorm import OutlierClipper

CLASSES = [entry.scaler for entry in SCALERS]
MB = 1_000_000

each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)


def without_copies(scaler_class):
    """Return a scaler that works in place if it can."""
    return scaler_class(copy=False) if "copy" in scaler_class().get_params() else scaler_class()


def column(values, dtype):
    return pd.array(values, dtype=dtype)


# What a frame holds, and the float table that it means.
NUMBERS = [[1.0, 4.0], [2.0, 5.5], [3.0, 6.0]]
WHOLE = [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
MISSING = [[1.0, 4.0], [np.nan, 5.0], [3.0, 6.0]]
TRUTHS = [[1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]]
FRAMES = {
    "float64": (lambda: pd.DataFrame(NUMBERS, columns=["a", "b"]), NUMBERS),
    "float64 NaN": (lambda: pd.DataFrame(MISSING, columns=["a", "b"]), MISSING),
    "int64": (lambda: pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}), WHOLE),
    "uint8": (lambda: pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}, dtype="uint8"), WHOLE),
    "bool": (lambda: pd.DataFrame({"a": [True, False], "b": [True, True]}), [[1.0, 1.0], [0.0, 1.0]]),
    "object": (lambda: pd.DataFrame({"a": [1, 2, 3], "b": [4, 5.0, 6]}, dtype=object), WHOLE),
    "object None": (lambda: pd.DataFrame({"a": [1, None, 3], "b": [4, 5, 6]}, dtype=object), MISSING),
    "decimal": (lambda: pd.DataFrame({"a": [Decimal(1), Decimal(2), Decimal(3)], "b": [4, 5, 6]}), WHOLE),
    "Int64": (lambda: pd.DataFrame({"a": column([1, 2, 3], "Int64"), "b": column([4, 5, 6], "Int64")}), WHOLE),
    "Int64 NA": (lambda: pd.DataFrame({"a": column([1, None, 3], "Int64"), "b": column([4, 5, 6], "Int64")}), MISSING),
    "Float64 NA": (
        lambda: pd.DataFrame({"a": column([1, None, 3], "Float64"), "b": column([4, 5, 6], "Float64")}),
        MISSING,
    ),
    "boolean NA": (
        lambda: pd.DataFrame(
            {"a": column([True, False, None], "boolean"), "b": column([True, False, True], "boolean")}
        ),
        TRUTHS,
    ),
    "arrow int NA": (
        lambda: pd.DataFrame({"a": column([1, None, 3], "int64[pyarrow]"), "b": column([4, 5, 6], "int64[pyarrow]")}),
        MISSING,
    ),
    "arrow double NA": (
        lambda: pd.DataFrame({"a": column([1, None, 3], "double[pyarrow]"), "b": column([4, 5, 6], "double[pyarrow]")}),
        MISSING,
    ),
    "arrow bool NA": (
        lambda: pd.DataFrame(
            {"a": column([True, False, None], "bool[pyarrow]"), "b": column([True, False, True], "bool[pyarrow]")}
        ),
        TRUTHS,
    ),
    "mixed": (lambda: pd.DataFrame({"a": column([1, None, 3], "Int64"), "b": [4.0, 5.0, 6.0]}), MISSING),
    "float and bool": (lambda: pd.DataFrame({"a": [0.5, 2.0], "b": [True, False]}), [[0.5, 1.0], [2.0, 0.0]]),
    "categories of numbers": (lambda: pd.DataFrame({"a": pd.Categorical([1, 2, 3]), "b": [4, 5, 6]}), WHOLE),
    "every 2nd row": (lambda: pd.DataFrame(np.repeat(NUMBERS, 2, axis=0), columns=["a", "b"]).iloc[::2], NUMBERS),
    "columns swapped": (lambda: pd.DataFrame(NUMBERS, columns=["b", "a"])[["a", "b"]], np.flip(NUMBERS, axis=1)),
    "polars int": (lambda: pl.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}), WHOLE),
    "polars nulls": (lambda: pl.DataFrame({"a": [1, None, 3], "b": [4.0, 5.0, 6.0]}), MISSING),
    "polars NaN": (lambda: pl.DataFrame({"a": [1.0, float("nan"), 3.0], "b": [4.0, 5.0, 6.0]}), MISSING),
    "polars bool nulls": (lambda: pl.DataFrame({"a": [True, False, None], "b": [True, False, True]}), TRUTHS),
    "polars mixed": (lambda: pl.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.5, 6.0]}), NUMBERS),
    "pyarrow": (lambda: pa.table({"a": [1, None, 3], "b": [4.0, 5.0, 6.0]}), MISSING),
}


@pytest.mark.parametrize(("make", "means"), FRAMES.values(), ids=FRAMES)
@each_class
def test_what_a_frame_means(scaler_class, make, means):
    expected = scaler_class().fit(np.asarray(means)).transform(np.asarray(means))
    scaler = scaler_class().fit(make())
    peer = peer_of(scaler_class.__name__).fit(make())
    assert hasattr(scaler, "feature_names_in_") == hasattr(peer, "feature_names_in_")
    if hasattr(peer, "feature_names_in_"):
        assert scaler.feature_names_in_.tolist() == ["a", "b"]
    out = scaler.transform(make())
    assert out.dtype == peer.transform(make()).dtype == np.float64
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(scaler_class().partial_fit(make()).transform(make()), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(scaler.inverse_transform(out), means, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtypes", [("float32",) * 2, ("float32", "int8"), ("float32", "float64")], ids="+".join)
@each_class
def test_float32_frames(scaler_class, dtypes):
    frame = pd.DataFrame({name: np.array([1, 2, 4], dtype=dtype) for name, dtype in zip("ab", dtypes, strict=True)})
    expected = np.float64 if "float64" in dtypes else np.float32
    assert scaler_class().fit_transform(frame).dtype == expected


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": [1, 2]}),
        pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}),
        pd.DataFrame({"a": pd.Series([1, pd.NA], dtype=object)}),
        pl.DataFrame({"a": ["x", "y"], "b": [1, 2]}),
        pd.DataFrame({"a": [1.0, 2.0], 1: [3.0, 4.0]}),
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
    ],
    ids=["categories", "strings", "NA-object", "polars-strings", "mixed-names", "empty", "no-rows"],
)
@each_class
def test_frames_that_scikit_learn_refuses(scaler_class, frame):
    name = scaler_class.__name__
    peer = peer_of(name)
    with pytest.raises(Exception) as expected:  # noqa: PT011
        peer.fit(frame)
    scaler = scaler_class()
    with pytest.raises(expected.type) as got:
        scaler.fit(frame)
    assert str(got.value) == str(expected.value).replace(type(peer).__name__, name)
    assert vars(scaler) == scaler.get_params()


# Names.


@each_class
def test_integer_names_are_no_names(scaler_class):
    scaler = scaler_class().fit(pd.DataFrame(NUMBERS))
    assert not hasattr(scaler, "feature_names_in_")
    assert scaler.get_feature_names_out().tolist() == ["x0", "x1"]
    expected = scaler.transform(np.array(NUMBERS))
    np.testing.assert_allclose(scaler.transform(pd.DataFrame(NUMBERS, columns=[7, 8])), expected, rtol=1e-12)


@each_class
def test_names_go_from_one_library_to_the_other(scaler_class):
    frames = [pd.DataFrame(NUMBERS, columns=["a", "b"]), pl.DataFrame(NUMBERS, schema=["a", "b"], orient="row")]
    scaler = scaler_class().fit(frames[0])
    if not hasattr(sklearn.preprocessing.StandardScaler().fit(frames[1]), "feature_names_in_"):
        pytest.skip("this release of scikit-learn does not read the names of this release of Polars")
    np.testing.assert_allclose(scaler.transform(frames[1]), scaler.transform(frames[0]), rtol=1e-12)
    assert scaler.partial_fit(frames[1]).feature_names_in_.tolist() == ["a", "b"]
    other = pl.DataFrame(NUMBERS, schema=["b", "a"], orient="row")
    with pytest.raises(ValueError, match="Feature names must be in the same order as they were in fit"):
        scaler.transform(other)


@each_class
def test_a_table_without_names_after_one_with(scaler_class):
    scaler = scaler_class().fit(pd.DataFrame(NUMBERS, columns=["a", "b"]))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but .* was fitted with feature names"):
        out = scaler.transform(np.array(NUMBERS))
    np.testing.assert_allclose(out, scaler.transform(pd.DataFrame(NUMBERS, columns=["a", "b"])), rtol=1e-12)


@each_class
def test_inverse_transform_asks_for_no_names(scaler_class):
    """As in scikit-learn: scaled data has been through models and NumPy since."""
    scaler = scaler_class().fit(pd.DataFrame(NUMBERS, columns=["a", "b"]))
    scaled = scaler.transform(pd.DataFrame(NUMBERS, columns=["a", "b"]))
    for table in (scaled, scaled.tolist(), pd.DataFrame(scaled), pd.DataFrame(scaled, columns=["p", "q"])):
        np.testing.assert_allclose(scaler.inverse_transform(table), NUMBERS, rtol=1e-12)


# Never changed.


CHOICE = int(pd.__version__.split(".")[0]) < 3  # later releases have copy-on-write only


@pytest.fixture
def copy_on_write():
    if not CHOICE:
        yield
    else:
        with pd.option_context("mode.copy_on_write", True):
            yield


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("verb", ["transform", "inverse_transform", "fit_transform"])
@pytest.mark.usefixtures("copy_on_write")
@each_class
def test_frames_are_never_changed(scaler_class, verb, dtype):
    frame = pd.DataFrame(np.array(NUMBERS, dtype=dtype), columns=["a", "b"])
    view, before = frame[:], frame.copy(deep=True)
    scaler = without_copies(scaler_class).fit(frame)
    pd.testing.assert_frame_equal(frame, before)
    out = getattr(scaler, verb)(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(view, before)
    out[:] = -1
    pd.testing.assert_frame_equal(frame, before)
    # And the frame is still its owner's to write to.
    frame.iloc[0, 0] = 9.0
    assert view.iloc[0, 0] == before.iloc[0, 0]


@each_class
def test_copies_protect_every_frame(scaler_class):
    frame = pd.DataFrame(NUMBERS, columns=["a", "b"])
    before = frame.copy(deep=True)
    scaler_class().fit(frame).transform(frame)[:] = -1
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("verb", ["transform", "inverse_transform", "fit_transform"])
@each_class
def test_polars_frames_are_never_changed(scaler_class, verb):
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0]})
    before = frame.clone()
    getattr(without_copies(scaler_class).fit(frame), verb)(frame)[:] = -1
    assert frame.equals(before)
    assert frame["a"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("verb", ["transform", "inverse_transform", "fit_transform"])
@each_class
def test_read_only_arrays_are_copied(scaler_class, verb, dtype):
    table = np.array(NUMBERS, dtype=dtype)
    table.setflags(write=False)
    scaler = without_copies(scaler_class).fit(table)
    out = getattr(scaler, verb)(table)
    assert not np.shares_memory(out, table)
    assert out.flags.writeable
    np.testing.assert_array_equal(table, np.array(NUMBERS, dtype=dtype))
    np.testing.assert_array_equal(out, getattr(scaler_class().fit(table), verb)(table))


def test_memory_map(tmp_path):
    np.save(tmp_path / "table.npy", np.array(NUMBERS))
    table = np.load(tmp_path / "table.npy", mmap_mode="r")
    for scaler_class in CLASSES:
        expected = scaler_class().fit(np.array(NUMBERS)).transform(np.array(NUMBERS))
        for scaler in (scaler_class(), without_copies(scaler_class)):
            out = scaler.fit(table).transform(table)
            assert type(out) is np.ndarray
            np.testing.assert_array_equal(out, expected)


# Memory.


def memory_beyond(call, output_bytes=0):
    """Return the bytes that a call took at its peak, beyond its output."""
    tracemalloc.start()
    try:
        result = call()
        _, peak = tracemalloc.get_traced_memory()
        del result
        return peak - output_bytes
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def large():
    """Return a table of 50 MB, 5 % of it missing."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(625_000, 10))
    table.ravel()[::20] = np.nan
    return table


CONTAINERS = {
    "array": lambda X: X,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcdefghij"), copy=False),
    "F-frame": lambda X: pd.DataFrame(np.asfortranarray(X), columns=list("abcdefghij"), copy=False),
}


# Quantiles are learned in a little more.
BLOCKWISE = [scaler_class() for scaler_class in CLASSES if not reads_quantiles(scaler_class())]
BLOCKWISE += [OutlierClipper("sigma"), sknorm.StandardScaler(outliers=OutlierClipper("sigma"))]
QUANTILES = [scaler_class() for scaler_class in CLASSES if reads_quantiles(scaler_class())]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("scaler", BLOCKWISE, ids=name_of)
def test_a_block_is_not_copied(scaler, container, large):
    table = CONTAINERS[container](large)
    scaler = clone(scaler)
    assert memory_beyond(lambda: scaler.fit(table)) < 8 * MB
    assert memory_beyond(lambda: scaler.partial_fit(table)) < 8 * MB
    assert memory_beyond(lambda: scaler.transform(table), large.nbytes) < 8 * MB
    assert memory_beyond(lambda: scaler.inverse_transform(table), large.nbytes) < 8 * MB
    scaler.set_params(**{"clip" if "clip" in scaler.get_params() else "fold": 2.0})
    assert memory_beyond(lambda: scaler.transform(table), large.nbytes) < 8 * MB


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("scaler", QUANTILES, ids=name_of)
def test_a_block_is_not_copied_for_quantiles(scaler, container, large):
    table = CONTAINERS[container](large)
    scaler = clone(scaler)
    assert memory_beyond(lambda: scaler.fit(table)) < 0.1 * large.nbytes + 4 * MB
    assert memory_beyond(lambda: scaler.transform(table), large.nbytes) < 8 * MB
    assert memory_beyond(lambda: scaler.partial_fit(table)) < 8 * MB


@pytest.mark.parametrize("scaler_class", [c for c in CLASSES if "copy" in c().get_params()], ids=lambda c: c.__name__)
def test_in_place_takes_nothing(scaler_class, large):
    scaler = scaler_class(copy=False).fit(large[:1000])
    table = large.copy()
    assert memory_beyond(lambda: scaler.transform(table)) < 8 * MB


@pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda c: c.__name__)
def test_pandas_output_is_not_copied_once_more(scaler_class, large):
    frame = CONTAINERS["frame"](large)
    scaler = scaler_class().set_output(transform="pandas").fit(frame.iloc[:1000])
    assert memory_beyond(lambda: scaler.transform(frame), large.nbytes) < 8 * MB


SPARSE_FRAMES = {
    "csr": lambda: pd.DataFrame.sparse.from_spmatrix(sp.csr_array([[1.0, 0.0], [0.0, 2.0]]), columns=["a", "b"]),
    "NaN": lambda: pd.DataFrame({"a": pd.arrays.SparseArray([1.0, 0.0, np.nan], fill_value=0.0)}),
}


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "fit_transform", "prequential_transform"])
@pytest.mark.parametrize("make", SPARSE_FRAMES.values(), ids=SPARSE_FRAMES)
def test_frames_of_sparse_columns_are_not_centred(make, verb):
    with pytest.raises(ValueError, match="Cannot center sparse matrices") as expected:
        sklearn.preprocessing.StandardScaler().fit(make())
    scaler = sknorm.StandardScaler()
    with pytest.raises(ValueError, match="Cannot center sparse matrices") as got:
        getattr(scaler, verb)(make())
    assert str(got.value) == str(expected.value)
    assert vars(scaler) == scaler.get_params()
    getattr(sknorm.StandardScaler(with_mean=False), verb)(make())
