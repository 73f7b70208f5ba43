"""Every layer is a scikit-learn transformer: its contract, containers, bad input, pipelines and documents."""

import copy
import inspect
import io
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn.preprocessing
from bad_tables import TABLES, outcome
from registry import LAYERS, layers, name_of, row_norms
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

import sknorm
from sknorm import BatchNorm, GroupedScaler, GroupNorm, InstanceNorm, LayerNorm, StandardScaler, StreamingPipeline

N_SAMPLES, N_FEATURES = 30, 4
CLASSES = [entry.layer for entry in LAYERS]
BY_ROW = [entry.layer for entry in LAYERS if not entry.learns]

each_class = pytest.mark.parametrize("layer_class", CLASSES, ids=lambda layer: layer.__name__)
each_row_norm_class = pytest.mark.parametrize("layer_class", BY_ROW, ids=lambda layer: layer.__name__)
each_setting = pytest.mark.parametrize("layer", layers(even=True), ids=name_of, indirect=True)
each_row_norm = pytest.mark.parametrize("layer", row_norms(even=True), ids=name_of, indirect=True)


@pytest.fixture
def layer(request):
    """Return a layer of the test's own: those in the registry's list live as long as the run."""
    return clone(request.param)


@pytest.fixture
def X(rng):
    return rng.normal(3, [1, 10, 0.1, 2], size=(N_SAMPLES, N_FEATURES))


@pytest.fixture
def y(X):
    return (X[:, 0] + X[:, 2] > 6).astype(int)


def state_of(layer):
    """Return the bits of everything that a layer holds, by name."""
    return {name: pickle.dumps(value) for name, value in vars(layer).items()}


def learns(layer):
    return hasattr(layer, "partial_fit")


def any_batch(layer_class):
    """Return a layer of the class that learns from a single row too."""
    return layer_class(update="keras") if layer_class is BatchNorm else layer_class()


# scikit-learn's own checks; one transforms its table twice, which no estimator passes that works in place.
CHECKS = parametrize_with_checks([layer for layer in layers() if layer.copy]).mark
# Release 1.6 puts a sparse matrix before scalers that refuse it (its issue 30139).
WANTED = [
    pair
    for pair in CHECKS.args[1]
    if getattr(pair, "values", pair)[1].func.__name__ != "check_sample_weight_equivalence_on_sparse_data"
]


@pytest.mark.parametrize(CHECKS.args[0], WANTED, **CHECKS.kwargs)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Parameters and copies.


@each_setting
def test_parameters_make_the_round_trip(layer):
    twin = type(layer)().set_params(**layer.get_params())
    assert twin.get_params() == layer.get_params()
    assert list(layer.get_params()) == sorted(inspect.signature(type(layer)).parameters)
    assert eval(repr(layer), vars(sknorm) | {"np": np}).get_params() == layer.get_params()


@each_class
def test_constructor_stores_what_it_gets_untouched(layer_class):
    parameters = {name: object() for name in layer_class().get_params()}
    assert vars(layer_class(**parameters)) == parameters


@each_setting
def test_clone_has_the_parameters_and_nothing_learned(layer, X):
    twin = clone(layer.fit(X))
    assert vars(twin) == layer.get_params()


COPIES = {
    "pickle": lambda s: pickle.loads(pickle.dumps(s)),
    "old pickle": lambda s: pickle.loads(pickle.dumps(s, 0)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": lambda s: (file := io.BytesIO(), joblib.dump(s, file), file.seek(0), joblib.load(file))[-1],
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@each_setting
def test_copies_map_the_same_and_learn_alone(layer, make, X):
    expected = layer.fit(X).transform(X.copy())
    before, twin = state_of(layer), make(layer)
    assert twin.transform(X.copy()).tobytes() == expected.tobytes()
    (twin.partial_fit if learns(twin) else twin.fit)(X[:, :: 1 if learns(twin) else 2] * 7)
    twin.set_params(eps=0.5)
    assert state_of(layer) == before
    assert layer.transform(X.copy()).tobytes() == expected.tobytes()


@each_class
def test_pickle_holds_no_data(layer_class):
    few, many = (layer_class().fit(np.arange(4.0 * n).reshape(n, 4)) for n in (100, 10_000))
    assert len(pickle.dumps(many)) < len(pickle.dumps(few)) + 100


@each_setting
def test_parameters_set_after_fit_take_effect_at_once(layer, X):
    """But for those of how a batch is learned, which the next batch follows."""
    late = type(layer)(copy=True)
    learned = {name: value for name, value in layer.get_params().items() if name in ("momentum", "update")}
    late.set_params(**learned).fit(X).transform(X)
    late.set_params(**layer.get_params())
    assert late.transform(X.copy()).tobytes() == layer.fit(X).transform(X.copy()).tobytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("eps", -1.0, "The 'eps' parameter of {} must be"),
        ("eps", np.nan, "The 'eps' parameter of {} must be"),
        ("copy", "no", "The 'copy' parameter of {} must be"),
        ("gamma", "a", "The 'gamma' parameter of {} must be"),
        ("beta", {1.0: 2.0}, r"beta must be numbers, but is {{1.0: 2.0}}\."),
        (
            "gamma",
            [1.0, 2.0, 3.0],
            r"gamma must be one number or 4 numbers, one for each column.* has the shape \(3,\)",
        ),
        ("gamma", [[1.0] * 4], r"gamma must be one number or 4 numbers.* has the shape \(1, 4\)"),
        ("gamma", [], r"gamma must be one number or 4 numbers.* has the shape \(0,\)|gamma must be numbers"),
        ("beta", [1.0, np.nan, 0, 0], "beta must be finite, but is"),
        ("beta", np.inf, "beta must be finite, but is inf"),
        ("gamma", ["1", "2", "3", "4"], "gamma must be numbers, but is"),
        ("gamma", np.ones(4) + 1j, "gamma must be numbers, but is"),
        ("gamma", [10**400, 1, 1, 1], "gamma must be numbers, but is"),
        ("gamma", [None, 1, 1, 1], "gamma must be numbers, but is"),
    ],
)
@each_class
def test_bad_parameter_set_after_fit_is_refused_at_the_next_verb(layer_class, name, value, message, X):
    verbs = {"transform", "inverse_transform", "fit", "partial_fit", "fit_transform"}
    for verb in sorted(verbs & set(dir(layer_class))):
        layer = layer_class().fit(X)
        before, kept, expected = state_of(layer), layer.get_params(), layer.transform(X)
        layer.set_params(**{name: value})
        for _ in range(2):
            with pytest.raises(ValueError, match=message.format(layer_class.__name__)):
                getattr(layer, verb)(X)
        layer.set_params(**kept)
        assert layer.transform(X).tobytes() == expected.tobytes(), verb
        assert state_of(layer).keys() == before.keys(), verb


@pytest.mark.parametrize(("name", "value"), [("momentum", 2.0), ("momentum", "a"), ("update", "tensorflow")])
def test_bad_rule_set_after_fit_is_refused_at_the_next_batch(name, value, X):
    norm = BatchNorm().fit(X)
    before, kept = norm.mean_, getattr(norm, name)
    norm.set_params(**{name: value})
    for _ in range(2):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of BatchNorm must be"):
            norm.partial_fit(X * 3)
    assert norm.set_params(**{name: kept}).mean_.tobytes() == before.tobytes()
    norm.partial_fit(X)


@pytest.mark.parametrize("name", ["gamma", "beta"])
@each_class
def test_gain_that_does_not_fit_is_refused_in_fit(layer_class, name, X):
    layer = layer_class(**{name: [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match=f"{name} must be one number or 4 numbers"):
        layer.fit(X)
    assert vars(layer) == layer.get_params()


@pytest.mark.parametrize("kind", [list, tuple, np.array, np.float32, pd.Series, pl.Series])
@each_class
def test_gain_of_any_kind(layer_class, kind, X):
    gamma, beta = [2.0, -0.5, 0.25, 1.0], [0.0, 3.0, -1.0, 0.5]
    plain = layer_class().fit(X).transform(X)
    layer = layer_class(gamma=kind(gamma), beta=kind(beta)).fit(X)
    np.testing.assert_allclose(layer.transform(X), plain * gamma + beta, rtol=1e-15, atol=1e-15)
    assert clone(layer).fit(X).transform(X).tobytes() == layer.transform(X).tobytes()


# Names and containers.


def frames_of(X):
    """Return the same table as a pandas frame, which has an index of its own, and as a Polars frame."""
    names = list("abcd")
    return {
        "pandas": pd.DataFrame(X, columns=names, index=[f"row {i}" for i in range(len(X))]),
        "polars": pl.DataFrame(X, schema=names),
    }


@pytest.mark.parametrize("source", ["numpy", "pandas", "polars"])
@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@each_class
def test_set_output(layer_class, container, source, X):
    table = {"numpy": X, **frames_of(X)}[source]
    expected = layer_class().fit_transform(X)
    layer = layer_class(copy=False).set_output(transform=container)
    for out in (layer.fit_transform(copy.deepcopy(table)), layer.transform(copy.deepcopy(table))):
        assert type(out) is {"default": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}[container]
        np.testing.assert_allclose(np.asarray(out), expected, rtol=1e-12, atol=1e-13)
        if container != "default":
            # Not every release of scikit-learn reads the names of every release of Polars.
            theirs = sklearn.preprocessing.StandardScaler().set_output(transform=container).fit_transform(table)
            assert list(out.columns) == list(theirs.columns)
        if container == source == "pandas":
            assert out.index.equals(table.index)


@each_setting
def test_feature_names(layer, X):
    frame = frames_of(X)["pandas"]
    assert clone(layer).fit(X).get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    named = layer.fit(frame)
    assert named.feature_names_in_.tolist() == named.get_feature_names_out().tolist() == list("abcd")
    for verb in ("transform", *(["partial_fit"] if learns(layer) else [])):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(named, verb)(frame[list("dcba")])
    assert not hasattr(named.fit(X), "feature_names_in_")
    assert named.n_features_in_ == N_FEATURES


@each_class
def test_attributes_appear_with_fit(layer_class, X):
    section = inspect.getdoc(layer_class).split("Attributes\n----------\n")[1].split("\n\n")[0]
    names = re.findall(r"^(\w+) : ", section, re.MULTILINE)
    public = {name for name in dir(layer_class) if name.endswith("_") and not name.startswith("_")}
    assert {"n_features_in_", "feature_names_in_"} <= set(names) == public | {"n_features_in_", "feature_names_in_"}
    assert not any(hasattr(layer_class(), name) for name in names)
    fitted = layer_class().fit(frames_of(X)["pandas"])
    assert all(hasattr(fitted, name) for name in names)


# Tables of every kind.


@pytest.mark.parametrize(
    ("dtype", "out_dtype"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float16),
        (np.longdouble, np.float64),
        (">f8", np.float64),
        (np.int64, np.float64),
        (np.uint8, np.float64),
        (bool, np.float64),
        (object, np.float64),
    ],
    ids=str,
)
@each_setting
def test_dtypes(layer, dtype, out_dtype, X):
    table = np.abs(X).round(1).astype(dtype)
    out = layer.fit(table).transform(table.copy())
    assert out.dtype == out_dtype
    expected = clone(layer).fit(table.astype(np.float64)).transform(table.astype(np.float64))
    resolution = 4 * np.finfo(out_dtype).eps
    np.testing.assert_allclose(out.astype(np.float64), expected, rtol=resolution, atol=resolution)


def layouts_of(X):
    """Return the same table laid out in memory in every way."""
    n, d = X.shape
    shifted = np.frombuffer(bytearray(b"\0" + X.tobytes()), dtype=np.uint8)[1:].view(X.dtype).reshape(n, d)
    records = np.zeros((n, d), [("value", X.dtype), ("more", np.uint8)])
    records["value"] = X
    return {
        "C": X.copy(),
        "F": X.copy(order="F"),
        "every other": X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3],
        "rows apart": np.hstack([X, X])[:, :d],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "transposed": X.T.copy().T,
        "unaligned": shifted,
        "odd strides": records["value"],
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@each_setting
def test_layouts_and_work_in_place(layer, dtype, X):
    X = X.astype(dtype)
    X[3, 1] = np.nan
    expected = layer.fit(X).set_params(copy=True).transform(X)
    for name, table in layouts_of(X).items():
        np.testing.assert_array_equal(table, X, err_msg=name)
        before = table.copy()
        out = layer.set_params(copy=True).transform(table)
        assert not np.shares_memory(out, table), name
        np.testing.assert_array_equal(out, expected, err_msg=name)
        np.testing.assert_array_equal(table, before, err_msg=name)
        table.flags.writeable = False
        out = layer.set_params(copy=False).transform(table)
        np.testing.assert_array_equal(out, expected, err_msg=name)
        np.testing.assert_array_equal(table, before, err_msg=name)
    for name, table in layouts_of(X).items():
        out = layer.set_params(copy=False).transform(table)
        assert out is table, name
        np.testing.assert_array_equal(table, expected, err_msg=name)


@each_setting
def test_rows_that_share_their_memory(layer, X):
    table = np.broadcast_to(X[0], (5, N_FEATURES))
    expected = layer.fit(X).transform(X[:1].copy())
    np.testing.assert_array_equal(layer.transform(table), np.repeat(expected, 5, axis=0))


# Bad input: scikit-learn's own error, and nothing has changed.


def expected_outcome(layer, verb, table, fitted_to=None):
    """Return what scikit-learn's scaler raises, with the name of ours, and no error of infinities where none are read.

    A row norm does not look at values before it transforms.
    """
    peer = sklearn.preprocessing.StandardScaler()
    if fitted_to is not None:
        peer.fit(fitted_to)
    with np.errstate(all="ignore"):
        found = outcome(getattr(peer, verb), table)
    if found and verb == "fit" and not learns(layer) and "infinity" in found[1]:
        return None
    return found and (found[0], found[1].replace("StandardScaler", type(layer).__name__))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@each_class
def test_bad_tables(layer_class, table, X):
    fitted = any_batch(layer_class).set_params(copy=False).fit(X[:, :3])
    before = state_of(fitted)
    for verb in sorted({"fit", "partial_fit", "transform"} & set(dir(layer_class))):
        layer = any_batch(layer_class)
        if verb != "transform":
            expected = expected_outcome(layer, verb, table())
            assert outcome(getattr(layer, verb), table()) == expected, verb
            if expected:
                assert vars(layer) == layer.get_params(), verb
        expected = expected_outcome(layer, verb, table(), fitted_to=X[:, :3])
        if expected:
            data, twin = table(), table()
            assert outcome(getattr(fitted, verb), data) == expected, verb
            assert state_of(fitted) == before, verb
            assert not isinstance(data, np.ndarray) or data.dtype == object or data.tobytes() == twin.tobytes(), verb


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@each_row_norm_class
def test_bad_tables_without_fit(layer_class, table):
    """What learns nothing need not be fitted, and refuses what a scaler does that learns."""
    layer = layer_class()
    expected = expected_outcome(layer, "fit_transform", table())
    assert outcome(layer.transform, table()) == expected
    assert not expected or vars(layer) == layer.get_params()


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@each_class
def test_sparse_is_refused_in_scikit_learns_words(layer_class, form, X):
    table, peer = form(X), sklearn.preprocessing.PowerTransformer()
    fitted = layer_class().fit(X)
    assert not fitted.__sklearn_tags__().input_tags.sparse
    before = state_of(fitted)
    expected = outcome(peer.fit, table)
    assert expected[0] is TypeError
    assert "dense data is required" in expected[1]
    for layer in (layer_class(), fitted):
        for verb in sorted({"fit", "partial_fit", "transform"} & set(dir(layer))):
            if verb == "transform" and layer is not fitted and learns(layer):
                continue
            got = outcome(getattr(layer, verb), table)
            assert (got[0], got[1].replace(layer_class.__name__, "PowerTransformer")) == expected, verb
    assert state_of(fitted) == before


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@each_setting
def test_wrong_width(layer, width, X):
    before = state_of(layer.fit(X))
    message = f"X has {width} features, but {type(layer).__name__} is expecting 4 features as input"
    for verb in sorted({"partial_fit", "transform", "inverse_transform"} & set(dir(layer))):
        with pytest.raises(ValueError, match=message):
            getattr(layer, verb)(np.ones((5, width)))
    assert state_of(layer) == before


def test_unfitted_batch_norm_says_so(X):
    for verb in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError, match="This BatchNorm instance is not fitted yet"):
            getattr(BatchNorm(gamma=0.0), verb)(X)
    with pytest.raises(NotFittedError):
        BatchNorm().to_json() and BatchNorm().get_feature_names_out()


@each_row_norm
def test_row_norms_need_no_fit(layer, X):
    frame, expected = frames_of(X)["pandas"], clone(layer).fit(X).transform(X.copy())
    np.testing.assert_array_equal(layer.transform(X.copy()), expected)
    np.testing.assert_array_equal(layer.transform(frame.copy()), expected)
    assert vars(layer) == layer.get_params()
    with pytest.raises(NotFittedError):
        layer.get_feature_names_out()


@each_class
def test_what_is_no_scaler_is_refused_where_one_is_wanted(layer_class, X):
    with pytest.raises(InvalidParameterError, match="The 'scaler' parameter of GroupedScaler must be"):
        GroupedScaler(layer_class(), by=0).fit(X)
    with pytest.raises(InvalidParameterError, match="The 'outliers' parameter of StandardScaler must be"):
        StandardScaler(outliers=layer_class()).fit(X)
    if not learns(layer_class):
        with pytest.raises(TypeError, match=r"Scalers of sknorm can be merged; scalers\[0\] is "):
            sknorm.merge([layer_class().fit(X)])


# Parameters of blocks.


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (GroupNorm(3), "n_groups must divide the number of columns of X, 4, but is 3"),
        (GroupNorm(5), "n_groups must divide the number of columns of X, 4, but is 5"),
        (GroupNorm(0), "The 'n_groups' parameter of GroupNorm must be"),
        (GroupNorm(2.0), "The 'n_groups' parameter of GroupNorm must be"),
        (GroupNorm("2"), "The 'n_groups' parameter of GroupNorm must be"),
        (GroupNorm(None), "The 'n_groups' parameter of GroupNorm must be"),
        (GroupNorm([1, 2]), r"add up to 4, the number of columns of X, not \[1, 2\]"),
        (GroupNorm([0, 4]), r"add up to 4, .* not \[0, 4\]"),
        (GroupNorm([-1, 5]), r"add up to 4, .* not \[-1, 5\]"),
        (GroupNorm([2.0, 2.0]), r"add up to 4, .* not \[2.0, 2.0\]"),
        (GroupNorm([]), r"add up to 4, .* not \[\]"),
        (GroupNorm([[2, 2]]), r"add up to 4, .* not \[\[2, 2\]\]"),
        (GroupNorm([True] * 4), "add up to 4"),
        (GroupNorm(np.array(4)), "add up to 4"),
        (GroupNorm([2**62] * 4 + [4]), "add up to 4"),  # in 64 bits it is 4
        (GroupNorm(np.array([2**63, 2**63, 4], np.uint64)), "add up to 4"),
        (GroupNorm([2**64, 4]), "add up to 4"),
        (InstanceNorm(3), "n_channels must divide the number of columns of X, 4, but is 3"),
        (InstanceNorm(-1), "The 'n_channels' parameter of InstanceNorm must be"),
        (InstanceNorm([2, 2]), "The 'n_channels' parameter of InstanceNorm must be"),
        (InstanceNorm(2, gamma=[1.0] * 3), "gamma must be one number or 4 numbers, one for each column, or 2, one for"),
        (GroupNorm(2, gamma=[1.0, 2.0]), "gamma must be one number or 4 numbers, one for each column, but"),
    ],
    ids=str,
)
def test_blocks_that_do_not_fit(layer, message, X):
    layer = clone(layer)
    for verb in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(layer, verb)(X)
        assert vars(layer) == layer.get_params()
    fitted = type(layer)().fit(X)
    expected = fitted.transform(X)
    for name, value in layer.get_params().items():
        setattr(fitted, name, value)
    with pytest.raises(ValueError, match=message):
        fitted.transform(X)
    assert fitted.set_params(**type(layer)().get_params()).transform(X).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "widths", [(1, 3), [1, 3], np.array([1, 3]), np.array([1, 3], np.uint64), [np.int8(1), np.int16(3)]], ids=repr
)
def test_widths_of_blocks_of_any_kind(widths, X):
    expected = np.hstack([np.zeros((len(X), 1)), LayerNorm().fit_transform(X[:, 1:])])
    np.testing.assert_array_equal(GroupNorm(widths).fit_transform(X), expected)


def test_a_channel_has_a_gain_of_its_own(X):
    one, two = (
        InstanceNorm(2, gamma=gamma, beta=beta) for gamma, beta in (([2, 3], [0, 1]), ([2, 2, 3, 3], [0, 0, 1, 1]))
    )
    assert one.fit_transform(X).tobytes() == two.fit_transform(X).tobytes()


# Inside other estimators.


@each_setting
def test_in_a_pipeline(layer, X, y):
    pipeline = make_pipeline(clone(layer), GaussianNB()).fit(X.copy(), y)
    model = GaussianNB().fit(layer.fit_transform(X.copy()), y)
    np.testing.assert_array_equal(pipeline.predict_proba(X.copy()), model.predict_proba(layer.transform(X.copy())))


@each_setting
def test_in_a_column_transformer(layer, X):
    frame = frames_of(X)["pandas"].assign(e="x")
    transformer = ColumnTransformer([("norm", clone(layer), ["c", "a"]), ("kept", "passthrough", ["e"])])
    out = transformer.set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["norm__c", "norm__a", "kept__e"]
    expected = layer.fit_transform(X[:, [2, 0]])
    np.testing.assert_allclose(out.iloc[:, :2].to_numpy(dtype=float), expected, rtol=1e-12, atol=1e-13)


def test_weights_reach_batch_norm_through_a_pipeline(X, y):
    weights = np.arange(N_SAMPLES) % 3.0
    with config_context(enable_metadata_routing=True):
        norm = BatchNorm().set_fit_request(sample_weight=True)
        model = GaussianNB().set_fit_request(sample_weight=False)
        learned = make_pipeline(norm, model).fit(X, y, sample_weight=weights)[0]
    np.testing.assert_array_equal(learned.mean_, BatchNorm().fit(X, sample_weight=weights).mean_)
    np.testing.assert_array_equal(
        BatchNorm().fit_transform(X, sample_weight=weights), BatchNorm().fit(X, sample_weight=weights).transform(X)
    )


class Fails(TransformerMixin, BaseEstimator):
    """Raises at a given call of ``partial_fit``."""

    def __init__(self, at=1):
        self.at = at

    def fit(self, X, y=None):
        self.n_calls_ = 0
        return self.partial_fit(X, y)

    def partial_fit(self, X, y=None):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        if self.n_calls_ == self.at:
            raise KeyboardInterrupt
        return self

    def transform(self, X):
        return X


def test_in_a_streaming_pipeline(X, y):
    steps = [("batch", BatchNorm(0.3)), ("row", LayerNorm()), ("model", SGDClassifier(random_state=0))]
    pipeline = StreamingPipeline(steps)
    norm, model = BatchNorm(0.3), SGDClassifier(random_state=0)
    for rows in np.split(np.arange(N_SAMPLES), 3):
        pipeline.partial_fit(X[rows], y[rows], classes=[0, 1])
        scaled = LayerNorm().fit_transform(norm.partial_fit(X[rows]).transform(X[rows]))
        model.partial_fit(scaled, y[rows], classes=[0, 1])
    assert pipeline["batch"].to_json() == norm.to_json()
    assert pipeline["row"].n_features_in_ == N_FEATURES
    np.testing.assert_array_equal(pipeline["model"].coef_, model.coef_)
    twin = sknorm.from_json(StreamingPipeline(pipeline.steps[:2]).to_json())
    np.testing.assert_array_equal(twin.transform(X), pipeline[:2].transform(X))


@pytest.mark.parametrize("at", [1, 2])
def test_a_streaming_pipeline_is_put_back_after_an_error(at, X):
    pipeline = StreamingPipeline([("batch", BatchNorm()), ("row", GroupNorm(2)), ("fails", Fails(at))])
    for _ in range(at - 1):
        pipeline.partial_fit(X)
    before = [state_of(step) for _, step in pipeline.steps]
    with pytest.raises(KeyboardInterrupt):
        pipeline.partial_fit(X * 7)
    assert [state_of(step) for _, step in pipeline.steps] == before


def test_test_then_learn_in_a_streaming_pipeline(X):
    """The map of before transforms, in place too, and then the layer learns from what was there."""
    pipeline = StreamingPipeline([("batch", BatchNorm(copy=False)), ("row", LayerNorm(copy=False))]).fit(X[:10].copy())
    norm = BatchNorm().fit(X[:10])
    expected = LayerNorm().transform(norm.transform(X[10:20]))
    np.testing.assert_array_equal(pipeline.prequential_transform(X[10:20].copy()), expected)
    assert pipeline["batch"].mean_.tobytes() == norm.partial_fit(X[10:20]).mean_.tobytes()


# Documents.

GAINS = {
    "list": [2.0, -0.5, 1, 3],
    "tuple": (2.0, -0.5, 1, 3),
    "array": np.array([2.0, -0.5, 1e-300, 1 / 3]),
    "integers": np.array([2, -5, 1, 3]),
    "number": 1 / 3,
    "integer": 3,
    "none": None,
}


def learned(layer, X):
    """Return a layer that learned what there is, in parts where it can."""
    layer.fit(X)
    return layer.partial_fit(X[:7] * 3, sample_weight=[0.1, 2.0, 0.0, 1.0, 1.0, 1.0, 1e9]) if learns(layer) else layer


def assert_goes_on_alike(twin, layer, X):
    """Fail where two layers, or what they make and learn from here on, differ in a bit."""
    assert type(twin) is type(layer)
    assert vars(twin).keys() - {"_map"} == vars(layer).keys() - {"_map"}
    for go_on in (lambda s: s, lambda s: s.partial_fit(X * 2) if learns(s) else s.fit(X)):
        assert go_on(twin).to_json() == go_on(layer).to_json()
        assert twin.transform(X.copy()).tobytes() == layer.transform(X.copy()).tobytes()


@each_setting
def test_round_trip(layer, X):
    X[2, 1] = X[:, 3] = np.nan
    for original in (clone(layer), learned(layer, X)):
        text = original.to_json()
        twin = sknorm.from_json(text)
        assert twin.to_json() == text
        assert repr(twin) == repr(original)
    assert_goes_on_alike(twin, original, X)


@each_setting
def test_round_trip_with_names_and_output(layer, X):
    frame = frames_of(X)["pandas"]
    layer.set_output(transform="pandas").fit(frame)
    twin = sknorm.from_json(layer.to_json())
    assert twin.feature_names_in_.tolist() == list("abcd")
    pd.testing.assert_frame_equal(twin.transform(frame.copy()), layer.transform(frame.copy()), check_exact=True)


@pytest.mark.parametrize("gamma", GAINS.values(), ids=GAINS)
@each_class
def test_round_trip_of_a_gain(layer_class, gamma, X):
    layer = learned(layer_class(gamma=gamma, beta=copy.copy(gamma)), X)
    twin = sknorm.from_json(layer.to_json())
    for name in ("gamma", "beta"):
        got, wanted = getattr(twin, name), getattr(layer, name)
        assert type(got) is type(wanted)
        assert getattr(got, "dtype", None) == getattr(wanted, "dtype", None)
        np.testing.assert_array_equal(got, wanted)
    assert_goes_on_alike(twin, layer, X)


def test_arrays_in_documents_keep_their_bits():
    for array in (np.array([-0.0, 5e-324, 1.7e308]), np.array([-(2**62), 2**63 - 1]), np.array([1.0, np.nan, np.inf])):
        got = sknorm.from_json(LayerNorm(gamma=array).to_json()).gamma
        assert got.dtype == array.dtype
        assert got.tobytes() == array.tobytes()


@each_class
def test_save_and_load(layer_class, tmp_path, X):
    layer = learned(layer_class(gamma=np.ones(4)), X)
    layer.save(tmp_path / "layer.json")
    assert_goes_on_alike(sknorm.load(tmp_path / "layer.json"), layer, X)


# And with each other.


def test_layers_one_after_another_are_the_maps_one_after_another(X):
    pipeline = Pipeline([("batch", BatchNorm()), ("block", GroupNorm([1, 3])), ("row", LayerNorm(gamma=2.0))])
    by_hand = LayerNorm(gamma=2.0).transform(GroupNorm([1, 3]).transform(BatchNorm().fit(X).transform(X)))
    assert pipeline.fit_transform(X).tobytes() == by_hand.tobytes()
