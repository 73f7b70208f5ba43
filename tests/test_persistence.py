"""Documents: estimators written as JSON come back bit for bit, and nothing that is not one does harm."""

import contextlib
import json
import math
import os
import random
import re
import signal
import stat
import time
import tracemalloc
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import SCALERS, instances, name_of
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from strategies import tables

import sknorm
from sknorm import StreamingPipeline
from sknorm.state import Persistent

each_setting = pytest.mark.parametrize("scaler", instances(), ids=name_of, indirect=True)
each_entry = pytest.mark.parametrize("entry", SCALERS, ids=lambda entry: entry.scaler.__name__.removesuffix("Scaler"))

NAMES = ["age", "größe", "年収", 'x "quoted"\n', "", "🜁"]


@pytest.fixture
def scaler(request):
    """Return a scaler of the test's own: those in the registry's list live as long as the run."""
    return clone(request.param)


def table(n_rows, seed=0):
    """Return rows with NaN: normal, constant, never seen, huge and constant, tiny, and of size 1e100."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 6))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 1], X[:, 2], X[:, 3] = 7.25, np.nan, 1e300
    X[:, 4] *= 1e-310
    X[:, 5] *= 1e100
    return X


def strict(text):
    """Return the content of a text that is JSON by the standard, without NaN or a key that comes twice."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    def distinct(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=distinct)


def merge_possible(scaler):
    return getattr(scaler, "window", None) is None


def assert_goes_on_alike(twin, original, X):
    """Fail where two estimators, or what they learn and make from here on, differ in a bit."""
    assert type(twin) is type(original)
    assert vars(twin).keys() == vars(original).keys()
    for name, value in original.get_params().items():
        got = getattr(twin, name)
        assert (type(got), repr(got)) == (type(value), repr(value)), name
    for learn in (
        lambda s: s,
        lambda s: s.partial_fit(X),
        lambda s: s.merge(clone(s).fit(X)) if merge_possible(s) else s,
        lambda s: s.partial_fit(X[:1], sample_weight=[0.3]),
    ):
        learn(twin), learn(original)
        assert twin.to_json() == original.to_json()
        assert twin.transform(X.copy()).tobytes() == original.transform(X.copy()).tobytes()


# There and back.

LEARNED = {
    "fit": lambda s: s.fit(table(50)),
    "one row": lambda s: s.partial_fit(table(1)),
    "partial_fit": lambda s: s.fit(table(20)).partial_fit(table(3, 1)).partial_fit(table(30, 2)),
    "merge": lambda s: s.fit(table(20)).merge(clone(s).fit(table(30, 1))) if merge_possible(s) else s.fit(table(9)),
    "weights": lambda s: s.fit(table(20), sample_weight=np.linspace(0.0, 2.0, 20)).partial_fit(
        table(5, 1), sample_weight=[0.0, 1e-300, 1 / 3, 1e10, 2.0]
    ),
    "float32": lambda s: s.fit(table(20)[:, :3].astype(np.float32)),
}


@pytest.mark.parametrize("learn", LEARNED.values(), ids=LEARNED)
@each_setting
def test_round_trip(scaler, learn):
    original = learn(scaler)
    text = original.to_json()
    strict(text)
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    assert_goes_on_alike(twin, original, table(10, 9)[:, : original.n_features_in_])


@each_setting
def test_round_trip_of_what_learned_nothing(scaler):
    text = scaler.to_json()
    assert strict(text)["learned"] is None
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    assert not twin.__sklearn_is_fitted__()
    assert_goes_on_alike(twin.fit(table(30)), scaler.fit(table(30)), table(10, 9))


@each_setting
def test_round_trip_with_names_and_output(scaler):
    frame = pd.DataFrame(table(40), columns=NAMES)
    scaler.set_output(transform="pandas").fit(frame)
    twin = sknorm.from_json(scaler.to_json())
    np.testing.assert_array_equal(twin.feature_names_in_, scaler.feature_names_in_)
    assert twin.feature_names_in_.dtype == scaler.feature_names_in_.dtype
    out = twin.transform(frame.copy())
    assert list(out.columns) == NAMES
    pd.testing.assert_frame_equal(out, scaler.transform(frame.copy()), check_exact=True)
    with pytest.raises(ValueError, match="feature names"):
        twin.transform(frame[NAMES[::-1]])
    assert all(f'"{name}"' in scaler.to_json() for name in NAMES[:3])


@each_entry
@given(data=st.data())
def test_round_trip_of_any_table(entry, data):
    X = data.draw(tables())
    scaler = entry.scaler(**data.draw(st.sampled_from([{}, *entry.settings]))).partial_fit(X)
    twin = sknorm.from_json(scaler.to_json())
    assert twin.to_json() == scaler.to_json()
    assert twin.transform(X.copy()).tobytes() == scaler.transform(X.copy()).tobytes()


@given(low=st.floats(allow_nan=False, allow_infinity=False), high=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_exact(low, high):
    X = np.sort([[low], [high]], axis=0) / 2
    twin = sknorm.from_json(sknorm.MinMaxScaler().fit(X).to_json())
    assert np.array([twin.data_min_, twin.data_max_]).tobytes() == X.tobytes()


@pytest.mark.parametrize("n_rows", [300, 3_000, 60_000])
@pytest.mark.parametrize("scale", ["iqr", "mad"])
def test_round_trip_of_a_sketch(scale, n_rows):
    """Exact, sketched and sampled cells in one; the last column has hardly a value."""
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    X[:, 1] = np.round(X[:, 1])
    X[1:-5, 2] = np.nan
    for original in (sknorm.RobustScaler(scale=scale).fit(X), sknorm.RobustScaler(scale=scale).partial_fit(X)):
        twin = sknorm.from_json(original.to_json())
        assert_goes_on_alike(twin, original, X[:100])


def test_infinite_counts_cannot_be_written():
    """What overflowed by itself is not read, so it is not written either."""
    scaler = sknorm.MaxAbsScaler().fit([[1.0]])
    scaler._learned.n_rows = math.inf
    with pytest.raises(ValueError, match="not JSON compliant"):
        scaler.to_json()


# Parameters, and estimators inside estimators.


class Steps(Persistent, BaseEstimator):
    """Stands for an estimator that holds others."""

    _parameter_constraints = {"steps": [list, tuple, Persistent, None], "names": "no_validation"}

    def __init__(self, steps=None, names=None):
        self.steps = steps
        self.names = names


@pytest.fixture
def steps(monkeypatch):
    monkeypatch.setattr(sknorm, "Steps", Steps, raising=False)
    monkeypatch.setattr(sknorm, "__all__", [*sknorm.__all__, "Steps"])
    return Steps


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"clip": np.float32(1.1)}, {"clip": 1.100000023841858}),
        ({"ddof": np.int64(1), "with_mean": np.bool_(False)}, {"ddof": 1, "with_mean": False}),
        ({"clip": (np.float64(-1), np.int8(2))}, {"clip": (-1.0, 2)}),
        ({"clip": (-math.inf, 2**62)}, {"clip": (-math.inf, 2**62)}),
        ({"clip": np.float64(1e-320), "clip_mode": np.str_("soft")}, {"clip": 1e-320, "clip_mode": "soft"}),
    ],
)
def test_parameters_come_back_as_pythons_own(parameters, expected):
    twin = sknorm.from_json(sknorm.StandardScaler(**parameters).to_json())
    for name, value in expected.items():
        got = getattr(twin, name)
        assert (type(got), got) == (type(value), value)
        if isinstance(value, tuple):
            assert [type(entry) for entry in got] == [type(entry) for entry in value]


def test_nested_estimators_keep_what_they_learned(steps):
    X = table(30)
    inner = sknorm.StandardScaler(clip=(-1.0, 2.0)).fit(X)
    outer = steps(
        [("scaler", inner), ("more", steps((sknorm.RobustScaler(), None)))],
        names=(1, 2.0, "a", True, None, (), [], ["b", ("c",)], math.nan),
    )
    text = outer.to_json()
    strict(text)
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    assert repr(twin.names) == repr(outer.names)
    assert type(twin.steps) is list
    assert type(twin.steps[1][1].steps) is tuple
    assert_goes_on_alike(twin.steps[0][1], inner, X)


def test_pipelines_keep_what_their_steps_learned():
    X = table(30)
    original = StreamingPipeline([("a", sknorm.StandardScaler()), ("b", "passthrough"), ("c", sknorm.MaxAbsScaler())])
    original = StreamingPipeline([("inner", original), ("last", sknorm.MeanScaler(clip=True))]).partial_fit(X)
    text = original.to_json()
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    assert type(twin.steps) is list
    assert all(type(step) is tuple for step in twin.steps)
    for pipeline in (twin, original):
        pipeline.partial_fit(X[:7])
    assert twin.to_json() == original.to_json()
    assert twin.transform(X).tobytes() == original.transform(X).tobytes()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([3], "parameters are not valid: "),
        ([], "parameters are not valid: "),
        ([("a", 3), ("b", None)], "parameters are not valid: All intermediate steps should be transformers"),
        ([("a", None), ("a", None)], "parameters are not valid: Names provided are not unique"),
        ([("a__b", None)], "parameters are not valid: Estimator names must not contain __"),
    ],
)
def test_steps_are_checked(steps, message):
    text = StreamingPipeline([("a", sknorm.MeanScaler())]).to_json()
    document = json.loads(text)
    document["parameters"]["steps"] = [{"tuple": list(step)} if isinstance(step, tuple) else step for step in steps]
    with pytest.raises(ValueError, match=message):
        sknorm.from_json(json.dumps(document))


def test_no_document_says_where_a_cache_is(tmp_path):
    pipeline = StreamingPipeline([("a", sknorm.MeanScaler())], memory=str(tmp_path))
    with pytest.raises(ValueError, match="a document holds no memory for fitted transformers, but memory is"):
        pipeline.to_json()
    text = pipeline.set_params(memory=None).to_json().replace('"memory": null', f'"memory": {json.dumps(str(tmp_path))}')
    with pytest.raises(ValueError, match="parameters are not valid: a document holds no memory"):
        sknorm.from_json(text)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (lambda: StreamingPipeline([("a", sknorm.MeanScaler()), ("pca", PCA())]), TypeError, r"parameters.steps\[1\]\[1\] is a sklear"),
        (lambda: Steps(PCA), TypeError, r"parameters.steps is a abc.ABCMeta, which a document does not hold"),
        (lambda: Steps({"a": 1}), TypeError, r"parameters.steps is a builtins.dict, which a document does not hold"),
        (lambda: Steps(1 + 2j), TypeError, r"parameters.steps is a builtins.complex"),
        (lambda: Steps(np.arange(3)), TypeError, r"parameters.steps is a numpy.ndarray"),
        (lambda: Steps(2**63), ValueError, r"parameters.steps is an integer of more than 64 bits; give a float"),
        (lambda: Steps(["\ud800"]), ValueError, r"parameters.steps\[0\] must be a string of Unicode characters"),
        (lambda: nested(Steps, 30), ValueError, r"is nested more than 20 levels deep"),
        (lambda: holding_itself(), ValueError, r"is nested more than 20 levels deep"),
        (lambda: type("Mine", (sknorm.MeanScaler,), {})(), TypeError, r"The estimator is a test_persistence.Mine"),
        (lambda: named(["a", "a"]), ValueError, r"must be unique for a document, but are \['a', 'a'\]"),
        (lambda: named(["a", "\udfff"]), ValueError, r"must be of Unicode characters for a document"),
    ],
)  # fmt: skip
def test_what_a_document_does_not_hold(steps, estimator, error, message, tmp_path):
    path = tmp_path / "estimator.json"
    estimator = estimator()
    with pytest.raises(error, match=message):
        estimator.to_json()
    with pytest.raises(error, match=message):
        estimator.save(path)
    assert not list(tmp_path.iterdir())


def nested(kind, depth):
    return kind(nested(kind, depth - 1)) if depth else kind()


def holding_itself():
    estimator = Steps()
    estimator.steps = [estimator]
    return estimator


def named(names):
    scaler = sknorm.MaxAbsScaler().fit([[1.0, 2.0]])
    scaler.feature_names_in_ = np.array(names, dtype=object)
    return scaler


def test_parameters_are_checked_whatever_the_configuration():
    text = sknorm.StandardScaler().to_json().replace('"hard"', '"harder"')
    with (
        config_context(skip_parameter_validation=True),
        pytest.raises(ValueError, match=r"^parameters are not valid: The 'clip_mode' parameter of StandardScaler must"),
    ):
        sknorm.from_json(text)


def test_every_public_estimator_is_persistent():
    public = [getattr(sknorm, name) for name in sknorm.__all__]
    estimators = [value for value in public if isinstance(value, type) and issubclass(value, BaseEstimator)]
    assert len(estimators) >= len(SCALERS)
    assert all(issubclass(estimator, Persistent) for estimator in estimators)


# What is not a document.

SMALL = np.array([[1.0, 2.0], [4.0, np.nan], [7.0, 8.0]])
# 50,000 rows with 400 values: a sample of a few of them, so a sketched cell in a small document.
SPARSE_ROWS = np.full((50_000, 2), np.nan)
SPARSE_ROWS[:: 50_000 // 400, 0] = np.arange(400.0)
SPARSE_ROWS[7::1_000, 1] = -3.0

WHOLE = {
    "Standard": sknorm.StandardScaler(clip=(-2.0, 3.0)).fit(SMALL),
    "names": sknorm.MaxAbsScaler().fit(pd.DataFrame(SMALL, columns=["a", "b"])),
    "MinMax": sknorm.MinMaxScaler((-1, 2)).fit(SMALL),
    "Mean": sknorm.MeanScaler().fit(SMALL),
    "exact": sknorm.RobustScaler(scale="mad").fit(SMALL),
    "stream": sknorm.RobustScaler().partial_fit(SMALL).partial_fit(SMALL),
    "sketch": sknorm.RobustScaler().fit(SPARSE_ROWS),
    "unfitted": sknorm.RobustScaler(),
    "pipeline": StreamingPipeline([("a", sknorm.MeanScaler(clip=1.0)), ("b", sknorm.MaxAbsScaler())]).fit(SMALL),
}
TEXTS = {name: scaler.to_json() for name, scaler in WHOLE.items()}
LACKING = object()


def changed(name, path, value):
    """Return a document with another value at a path such as learned.statistic.m2[0][1]."""
    document = json.loads(TEXTS[name])
    *parents, last = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)]
    place = document
    for step in parents:
        place = place[step]
    if value is LACKING:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


learned, statistic = "learned", "learned.statistic"

CHANGES = [
    # What kind of document it is.
    ("Standard", "format", "pickle", "format must be 'sknorm', but is 'pickle'."),
    ("Standard", "format", LACKING, "The document lacks the key 'format'."),
    ("Standard", "version", 2, "version must be 1, the version that sknorm "),
    ("Standard", "version", True, "version must be 1, the version that sknorm "),
    ("Standard", "version", "1", "version must be 1, the version that sknorm "),
    ("Standard", "version", 10**400, "version must be 1, the version that sknorm "),
    ("Standard", "written_by", 7, "written_by must be a string of Unicode characters, but is 7."),
    ("Standard", "extra", 1, "The document has the unknown key 'extra'."),
    ("Standard", "class", LACKING, "The document lacks the key 'class'."),
    ("Standard", "class", "os.system", "class must name an estimator of sknorm, but is 'os.system'."),
    ("Standard", "class", "from_json", "class must name an estimator of sknorm, but is 'from_json'."),
    ("Standard", "class", "__version__", "class must name an estimator of sknorm, but is '__version__'."),
    ("Standard", "class", "__class__", "class must name an estimator of sknorm, but is '__class__'."),
    ("Standard", "class", ["StandardScaler"], "class must be a string of Unicode characters, but is ['StandardScaler']."),
    ("Standard", "class", "MaxAbsScaler", "parameters has the unknown key 'ddof'."),
    ("MinMax", "class", "StandardScaler", "parameters lacks the key 'ddof'."),
    # Parameters.
    ("Standard", "parameters", None, "parameters must be an object, but is None."),
    ("Standard", "parameters.ddof", LACKING, "parameters lacks the key 'ddof'."),
    ("Standard", "parameters.__class__", 1, "parameters has the unknown key '__class__'."),
    ("Standard", "parameters.ddof", -1, "parameters are not valid: The 'ddof' parameter of StandardScaler must be"),
    ("Standard", "parameters.ddof", 2**64, f"parameters.ddof must be an integer from {1 - 2**63} to {2**63 - 1}"),
    ("Standard", "parameters.ddof", "1", "parameters are not valid: The 'ddof' parameter of StandardScaler must be"),
    ("Standard", "parameters.clip", {"tuple": [2.0, 1.0]}, "parameters are not valid: clip must be a pair (low, high)"),
    ("Standard", "parameters.clip", [1.0, 2.0], "parameters are not valid: The 'clip' parameter of StandardScaler"),
    ("Standard", "parameters.clip", {"tuple": 3}, "parameters.clip.tuple must be a list, but is 3."),
    ("Standard", "parameters.clip", {"tuple": [], "more": 1}, "parameters.clip has the unknown key 'more'."),
    ("Standard", "parameters.clip", {"float": "1.5"}, "parameters.clip.float must be one of Infinity, -Infinity, NaN,"),
    ("Standard", "parameters.clip", {"set": []}, "parameters.clip lacks the key 'class'."),
    ("Standard", "parameters.clip", {"float": "NaN"}, "parameters are not valid: The 'clip' parameter of Standard"),
    ("Standard", "parameters.clip", {"tuple": [{"tuple": [["\ud800"]]}, 1]}, "parameters.clip.tuple[0].tuple[0][0] must"),
    ("MinMax", "parameters.feature_range", {"tuple": [1, 0]}, "parameters are not valid: Minimum of desired feature"),
    ("MinMax", "parameters.feature_range", {"tuple": [1]}, "parameters are not valid: "),
    ("MinMax", "parameters.feature_range", {"tuple": [0, None]}, "parameters are not valid: "),
    ("exact", "parameters.quantile_range", {"tuple": [None, 1]}, "parameters are not valid: "),
    ("Standard", "parameters.with_mean", "yes", "parameters are not valid: The 'with_mean' parameter of Standard"),
    ("Standard", "output", "numpy", "output must be null, 'default', 'pandas' or 'polars', but is 'numpy'."),
    ("Standard", "output", ["pandas"], "output must be null, 'default', 'pandas' or 'polars', but is ['pandas']."),
    # Features.
    ("Standard", "features", 10**12, "learned.statistic.mean[0] must be a list of 1000000000000, but has 2."),
    ("Standard", "features", 2**63, "features must be the names of the features, or how many there are, but is"),
    ("Standard", "features", 0, "features must be the names of the features, or how many there are, but is 0."),
    ("Standard", "features", 2.0, "features must be the names of the features, or how many there are, but is 2.0."),
    ("Standard", "features", True, "features must be the names of the features, or how many there are, but is True."),
    ("Standard", "features", None, "features must be the names of the features, or how many there are, but is None."),
    ("names", "features", [], "features must be the names of the features, or how many there are, but is []."),
    ("names", "features", ["a", "a"], "features must be unique, but is ['a', 'a']."),
    ("names", "features", ["a", 1], "features[1] must be a string of Unicode characters, but is 1."),
    ("names", "features", ["a", "\udc00"], "features[1] must be a string of Unicode characters, but is '\\udc00'."),
    ("names", "features", ["a", "b", "c"], "learned.statistic.count[0] must be a list of 3, but has 2."),
    ("unfitted", "features", 2, "features must be null where nothing was learned, but is 2."),
    ("unfitted", "learned", {}, "features must be the names of the features, or how many there are, but is None."),
    # What was learned.
    ("Standard", learned, 1, "learned must be an object, but is 1."),
    ("Standard", f"{learned}.n_rows", -1.0, "learned.n_rows must be a finite number, at least 0, but is -1.0."),
    ("Standard", f"{learned}.n_rows", "NaN", "learned.n_rows must be a finite number, at least 0, but is 'NaN'."),
    ("Standard", f"{learned}.n_rows", 10**400, "learned.n_rows must be a finite number, at least 0, but is inf."),
    ("Standard", f"{learned}.n_rows", False, "learned.n_rows must be a finite number, at least 0, but is False."),
    ("Standard", statistic, [], "learned.statistic must be an object, but is []."),
    ("Standard", f"{statistic}.kind", "Extremes", "learned.statistic.kind must be 'Moments', but is 'Extremes'."),
    ("Mean", f"{statistic}.kind", "Moments", "learned.statistic.kind must be 'MomentsAndExtremes', but is 'Moments'."),
    ("Standard", f"{statistic}.mean", LACKING, "learned.statistic lacks the key 'mean'."),
    ("Standard", f"{statistic}.max", [[1.0, 1.0]], "learned.statistic has the unknown key 'max'."),
    ("Standard", f"{statistic}.mean", [1.0, 2.0], "learned.statistic.mean must be a list of 1, but has 2."),
    ("Standard", f"{statistic}.mean", [[1.0], [2.0]], "learned.statistic.mean must be a list of 1, but has 2."),
    ("Standard", f"{statistic}.mean", "AAAA", "learned.statistic.mean must be a list of 1, but is 'AAAA'."),
    ("Standard", f"{statistic}.mean[0][1]", None, "learned.statistic.mean[0][1] must be a number, but is None."),
    ("Standard", f"{statistic}.mean[0][1]", True, "learned.statistic.mean[0][1] must be a number, but is True."),
    ("Standard", f"{statistic}.mean[0][0]", "1.0", "learned.statistic.mean[0][0] must be a number, but is '1.0'."),
    ("Standard", f"{statistic}.mean[0][0]", "Infinity", "learned.statistic.mean[0][0] must be a number, but is 'Infinity'."),
    ("Standard", f"{statistic}.mean[0][0]", [[[]]], "learned.statistic.mean[0][0] must be a number, but is [[[]]]."),
    ("Standard", f"{statistic}.mean[0][0]", math.inf, "learned.statistic.mean[0][0] must be finite, but is inf."),
    ("Standard", f"{statistic}.count[0][0]", math.nan, "learned.statistic.count[0][0] must be finite, but is nan."),
    ("Standard", f"{statistic}.count[0][0]", 10**400, "learned.statistic.count[0][0] must be finite, but is inf."),
    ("Standard", f"{statistic}.count[0][1]", -2.0, "learned.statistic.count[0][1] must not be negative, but is -2.0."),
    ("Standard", f"{statistic}.m2[0][1]", -1e-9, "learned.statistic.m2[0][1] must not be negative, but is -1e-09."),
    ("Standard", f"{statistic}.m2[0][1]", "-Infinity", "learned.statistic.m2[0][1] must not be negative, but is '-Inf"),
    ("Standard", f"{statistic}.m2[0][1]", "Infinity", "learned.statistic does not fit StandardScaler: The variance of"),
    ("Standard", f"{statistic}.m2[0][1]", "NaN", "learned.statistic does not fit StandardScaler: The variance of"),
    ("Standard", f"{statistic}.count[0][1]", 0.0, "learned.statistic.mean[0][1] must be 0 where the count is 0, but is 5"),
    ("Standard", f"{statistic}.mean_low[0][0]", 0.1, "learned.statistic.mean_low[0][0] must be what the mean lacks,"),
    ("MinMax", f"{statistic}.min[0][1]", 9.0, "learned.statistic.min[0][1] must not exceed max, but is 9.0."),
    ("MinMax", f"{statistic}.max[0][1]", "Infinity", "learned.statistic.max[0][1] must be finite where the count is not"),
    ("MinMax", f"{statistic}.min[0][1]", "NaN", "learned.statistic.min[0][1] must be finite where the count is not 0"),
    ("MinMax", f"{statistic}.min[0][1]", "nan", "learned.statistic.min[0][1] must be a number, but is 'nan'."),
    ("MinMax", f"{statistic}.count[0][1]", 0, "learned.statistic.min[0][1] must be 'Infinity' where the count is 0"),
    ("Mean", f"{statistic}.mean[0][1]", 8.1, "learned.statistic.mean[0][1] must lie between min and max, but is 8.1."),
    # Sketches.
    ("exact", f"{statistic}.k", 10**9, "learned.statistic.k must be 400, but is 1000000000."),
    ("exact", f"{statistic}.seed", -1, "learned.statistic.seed must be an integer from 0 to 18446744073709551615, but is"),
    ("exact", f"{statistic}.state[0][1]", 2**64, "learned.statistic.state[0][1] must be an integer from 0 to 1844674"),
    ("exact", f"{statistic}.state[0][1]", -1, "learned.statistic.state[0][1] must be an integer from 0 to 1844674407"),
    ("exact", f"{statistic}.state[0][1]", 1.0, "learned.statistic.state[0][1] must be an integer from 0 to 1844674407"),
    ("exact", f"{statistic}.is_exact[0][1]", 2, "learned.statistic.is_exact[0][1] must be an integer from 0 to 1, but"),
    ("exact", f"{statistic}.offsets", [0, 5], "learned.statistic.offsets must be a list of 3, but has 2."),
    ("exact", f"{statistic}.offsets", [0, 4, 3], "learned.statistic.offsets[2] must not be less than the one before"),
    ("exact", f"{statistic}.offsets", [1, 3, 5], "learned.statistic.offsets[0] must be 0, but is 1."),
    ("exact", f"{statistic}.offsets", [0, -1, 5], "learned.statistic.offsets[1] must be an integer from 0 to 4611686"),
    ("exact", f"{statistic}.offsets", [0, 3, 2**62], "learned.statistic.items must be a list of 4611686018427387904, bu"),
    ("exact", f"{statistic}.weights", [1.0] * 4, "learned.statistic.weights must be a list of 5, but has 4."),
    ("exact", f"{statistic}.weights[3]", 0.0, "learned.statistic.weights[3] must be positive, but is 0.0."),
    ("exact", f"{statistic}.weights[3]", -1.0, "learned.statistic.weights[3] must be positive, but is -1.0."),
    ("exact", f"{statistic}.weights", [1e308] * 5, "learned.statistic.weights[0] must have a finite sum within its cell"),
    ("exact", f"{statistic}.items[1]", 1.0, "learned.statistic.items[1] must follow the one before: its cell is sorted"),
    ("exact", f"{statistic}.items[1]", 0.5, "learned.statistic.items[1] must lie between min and max, but is 0.5."),
    ("exact", f"{statistic}.items[1]", 10.0**300, "learned.statistic.items[1] must lie between min and max, but is 1e"),
    ("exact", f"{statistic}.is_exact[0][0]", 0, None),
    ("exact", f"{statistic}.weights[1]", 7.5, None),
    ("sketch", f"{statistic}.weights[0]", 3.0, "learned.statistic.weights[0] must be a power of two, less than 2**63"),
    ("sketch", f"{statistic}.weights[0]", 0.5, "learned.statistic.weights[0] must be a power of two, less than 2**63"),
    ("sketch", f"{statistic}.weights[0]", 2.0**63, "learned.statistic.weights[0] must be a power of two, less than 2*"),
    ("sketch", f"{statistic}.weights[2]", 1.0, "learned.statistic.weights[2] must not be less than the one before, wh"),
    ("sketch", f"{statistic}.items[0]", 399.0, "learned.statistic.items[1] must follow the one before: its cell is so"),
    ("sketch", f"{statistic}.is_exact[0][0]", 1, None),
    ("exact", f"{statistic}.count[0][1]", -1.0, "learned.statistic.count[0][1] must not be negative, but is -1.0."),
    ("exact", f"{statistic}.max[0][1]", 1.0, "learned.statistic.min[0][1] must not exceed max, but is 2.0."),
    ("exact", f"{statistic}.probabilities[0]", 1.5, "learned.statistic.probabilities[0] must lie between 0 and 1, but"),
    ("exact", f"{statistic}.probabilities[0]", "a", "learned.statistic.probabilities[0] must be a finite number, but"),
    ("exact", f"{statistic}.probabilities", 0.5, "learned.statistic.probabilities must be a list, but is 0.5."),
    ("exact", f"{statistic}.probabilities", [], "learned.statistic.table must be null where there are no probabilities"),
    ("exact", f"{statistic}.probabilities", [0.5] * 9, "learned.statistic.table must be a list of 9, but has 3."),
    ("exact", f"{statistic}.table[1][0][1]", 9.0, "learned.statistic.table[1][0][1] must lie between min and max, but"),
    ("exact", f"{statistic}.table[1][0][1]", "Infinity", "learned.statistic.table[1][0][1] must lie between min and max"),
    ("exact", f"{statistic}.table[1][0][1]", "NaN", None),
    ("exact", f"{statistic}.deviation[0][1]", -1.0, "learned.statistic.deviation[0][1] must be neither negative nor w"),
    ("exact", f"{statistic}.deviation[0][1]", 6.5, "learned.statistic.deviation[0][1] must be neither negative nor wi"),
    ("stream", f"{statistic}.table", [], "learned.statistic.table must be null where there are no probabilities, but is"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [pytest.param(*row, id=f"{i}-{row[0]}.{row[1].split('.')[-1]}") for i, row in enumerate(CHANGES)],
)
def test_a_wrong_value_is_named(name, path, value, message):
    text = changed(name, path, value)
    if message is None:  # as good as what was there: what was made of it goes on without harm
        return use(sknorm.from_json(text))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        sknorm.from_json(text)
    assert "\n" not in str(caught.value)
    return None


STANDARD = TEXTS["Standard"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The text is not JSON: Expecting value: line 1 column 1"),
        (STANDARD[:-1], "The text is not JSON: Expecting ',' delimiter: line"),
        (STANDARD[: len(STANDARD) // 2], "The text is not JSON: "),
        (STANDARD + "{}", "The text is not JSON: Extra data: line"),
        ("\ufeff" + STANDARD, "The text is not JSON: "),
        (b"\x80\x04\x95.", "The text is not UTF-8: byte 0 is 0x80."),
        (STANDARD.encode("utf-16"), "The text is not UTF-8: byte 0 is 0xff."),
        (STANDARD.replace('"sknorm"', '"sknorm\xe9"').encode("latin-1"), "The text is not UTF-8: byte"),
        ("null", "The document must be an object, but is None."),
        ("[1, 2]", "The document must be an object, but is [1, 2]."),
        ("1" * 100_000, "The document must be an object, but is inf."),
        ("[" * 100_000, "The text is nested too deeply for a document."),
        ('{"a":' * 100_000, "The text is nested too deeply for a document."),
        (STANDARD.replace('"output": null', '"output": ' + "[" * 900 + "]" * 900), "output must be null, 'default', 'pandas' or 'polars', but is"),
        (STANDARD.replace('"copy": true', '"copy": ' + "[" * 300 + "]" * 300), "is nested more than 20 levels deep."),
        (STANDARD.replace('"copy": true', '"copy": ' + '{"tuple":[' * 30 + "]}" * 30), "is nested more than 20 levels"),
        (STANDARD.replace('"version": 1', '"version": 1, "version": 1'), "two keys 'version'."),
        (STANDARD.replace('"copy": true', '"copy": true, "copy": true'), "parameters must be an object, but is an obj"),
        (STANDARD.replace('"m2"', '"mean"'), "learned.statistic must be an object, but is an object with two keys 'mean'."),
        (STANDARD.replace('"m2": [[', '"m2": [[NaN, '), "learned.statistic.m2[0] must be a list of 2, but has 3."),
        (STANDARD.replace("18.0", "Infinity"), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("18.0", "1e999"), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("18.0", "9" * 400), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("null", "'pandas'"), "The text is not JSON: Expecting value: line"),
    ],
    ids=range(24),
)  # fmt: skip
def test_a_wrong_text_is_named(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        sknorm.from_json(text)
    assert len(str(caught.value)) < 300


def test_a_text_is_a_text():
    for wrong in (None, 1, {}):
        with pytest.raises(TypeError):
            sknorm.from_json(wrong)


def peak_of(text):
    """Return the memory that reading a text takes at most, whether it is a document or not."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            sknorm.from_json(text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Standard", "features", 2**62),
        ("exact", f"{statistic}.offsets", [0, 2**61, 2**62]),
        ("exact", f"{statistic}.k", 2**62),
    ],
)
def test_memory_is_taken_for_what_is_there(name, path, value):
    """Whatever a document of a kilobyte announces."""
    text = changed(name, path, value)
    with pytest.raises(ValueError):
        sknorm.from_json(text)
    assert peak_of(text) < 1_000_000


def test_memory_is_in_proportion_to_the_text():
    lists, objects = "[" + ",".join(["[]"] * 30_000) + "]", "[" + ",".join(['{"a":{}}'] * 10_000) + "]"
    wide = sknorm.MinMaxScaler().fit(np.random.default_rng(0).normal(size=(2, 2_000))).to_json()
    for text in (lists, objects, wide):
        assert peak_of(text) < 100 * len(text)


# Anything at all.

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\s\w]')
OTHERS = [
    *[
        "0",
        "1",
        "2",
        "8",
        "-1",
        "0.0",
        "-0.0",
        "0.5",
        "-1.0",
        "1e308",
        "-1e308",
        "1e999",
        "5e-324",
        "1e-300",
        "400",
        "1200",
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
    ],
    *[
        '"Infinity"',
        '"-Infinity"',
        '"NaN"',
        '""',
        '"a"',
        '"\\ud800"',
        '"soft"',
        '"mad"',
        '"Moments"',
        '"Extremes"',
        '"Quantiles"',
        '"pandas"',
    ],
    *['"StandardScaler"', '"MinMaxScaler"', '"RobustScaler"', '"__version__"', '"load"', '{"class":"StandardScaler"}'],
    *[
        "[]",
        "{}",
        "[[]]",
        "[1,2]",
        "[[1.0,2.0]]",
        '{"tuple":[]}',
        '{"tuple":[0,1]}',
        '{"tuple":[[0,1],[2,3]]}',
        '{"float":"NaN"}',
    ],
    *(str(number) for number in (2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**12, 10**30, 10**400)),
]
FUZZED = {
    **{f"{i}-{name_of(scaler)}": clone(scaler).fit(SMALL) for i, scaler in enumerate(instances())},
    **{
        f"part-{name_of(scaler)}": clone(scaler).partial_fit(SMALL, sample_weight=[0.5, 2, 3]) for scaler in instances()
    },
    **WHOLE,
}
DOCUMENTS = 100_000


@lru_cache(maxsize=1)
def tokens_of(text):
    """Return the tokens of a document, and which of them are keys and which are values."""
    tokens = TOKEN.findall(text)
    keys = [i for i, token in enumerate(tokens[:-1]) if tokens[i + 1] == ":"]
    values = sorted({i for i, token in enumerate(tokens) if token not in ",:{}[]"}.difference(keys))
    return tokens, keys, values


def mutated(text, rng):
    """Return a document with some of its tokens, or of its bytes, exchanged, lost or doubled."""
    if rng.random() < 0.1:
        return mutated_bytes(text, rng)
    tokens, keys, values = tokens_of(text)
    tokens = tokens.copy()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        i, how = rng.choice(values), rng.randrange(8)
        if how < 3:
            tokens[i] = rng.choice(OTHERS)
        elif how < 5:
            with contextlib.suppress(ValueError):
                number = float(tokens[i])
                tokens[i] = json.dumps(rng.choice((-number, number + 1, number / 3, number * 1e10, number * 1e300)))
        elif how == 5:
            j = rng.choice(values)
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif how == 6:
            tokens[rng.choice(keys)] = tokens[rng.choice(keys)]
        else:
            i = rng.randrange(len(tokens))
            tokens[i] = rng.choice(("", tokens[i] * 2, rng.choice(tokens)))
    return "".join(tokens).encode()


def mutated_bytes(text, rng):
    content = bytearray(text.encode())
    for _ in range(rng.choice((1, 1, 2, 5))):
        i = rng.randrange(len(content))
        content[i : i + rng.randrange(3)] = rng.choice((b"", bytes([rng.randrange(256)]), content[i : i + 20]))
    return bytes(content[: rng.choice((None, rng.randrange(len(content))))])


def use(estimator):
    """Do all that can be done with an estimator; a ValueError is an answer, anything else is not."""
    text = estimator.to_json()
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    X = np.resize(SMALL, (3, getattr(estimator, "n_features_in_", 2)))
    if hasattr(estimator, "feature_names_in_"):
        X = pd.DataFrame(X, columns=estimator.feature_names_in_)
    attributes = [name for name in dir(type(estimator)) if name.endswith("_") and name[0] != "_"]
    verbs = ("transform", "inverse_transform", "partial_fit", "prequential_transform", "transform")
    for verb in verbs:
        with contextlib.suppress(ValueError):
            getattr(estimator, verb)(X.copy())
    with contextlib.suppress(ValueError):
        if hasattr(estimator, "merge"):
            estimator.merge(twin)
    for name in attributes:
        with contextlib.suppress(ValueError):
            getattr(estimator, name, None)
    with contextlib.suppress(ValueError):
        estimator.to_json()


@pytest.mark.parametrize("name", FUZZED)
def test_mutated_documents_do_no_harm(name):
    """A document that has been changed is refused with a ValueError, or makes an estimator that works."""
    text, rng = FUZZED[name].to_json(), random.Random(name)
    for _ in range(DOCUMENTS // len(FUZZED)):
        try:
            estimator = sknorm.from_json(mutated(text, rng))
        except ValueError as error:
            assert 0 < len(str(error)) < 1_000
        else:
            # Counts that are next to nothing, and parameters next to the largest double, overflow on their way.
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                use(estimator)


# Files.


@pytest.mark.parametrize("kind", [str, lambda path: path, os.fspath], ids=["str", "Path", "fspath"])
def test_save_and_load(tmp_path, kind):
    path = tmp_path / "größe.of-any-suffix"
    scaler = sknorm.StandardScaler().fit(pd.DataFrame(SMALL, columns=NAMES[1:3]))
    assert scaler.save(kind(path)) is None
    assert path.read_bytes() == scaler.to_json().encode()
    assert sknorm.load(kind(path)).to_json() == scaler.to_json()
    scaler.partial_fit(pd.DataFrame(SMALL, columns=NAMES[1:3]))
    scaler.save(kind(path))
    assert sknorm.load(kind(path)).to_json() == scaler.to_json()
    assert list(tmp_path.iterdir()) == [path]


def test_load_names_the_file(tmp_path):
    path = tmp_path / "scaler.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=re.escape(f"{str(path)!r}: The text is not UTF-8: byte 0 is 0xff.")):
        sknorm.load(path)
    with pytest.raises(FileNotFoundError):
        sknorm.load(tmp_path / "none.json")


@pytest.fixture
def saved(tmp_path):
    """Return a folder with a file that holds an older state."""
    path = tmp_path / "scaler.json"
    WHOLE["MinMax"].save(path)
    return path


class Crash(BaseException):
    """What no handler of errors expects."""


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, Crash])
@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.chmod"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, monkeypatch, call, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(error):
            WHOLE["Standard"].save(saved)
    assert list(saved.parent.iterdir()) == [saved]
    assert saved.read_text(encoding="utf-8") == TEXTS["MinMax"]


def test_save_where_no_file_can_be(tmp_path):
    with pytest.raises(FileNotFoundError):
        WHOLE["Standard"].save(tmp_path / "none" / "scaler.json")
    with pytest.raises(OSError):  # noqa: PT011 - of another kind on every platform
        WHOLE["Standard"].save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob(".sknorm-*"))
    with pytest.raises(TypeError):
        WHOLE["Standard"].save(3)


def test_the_new_file_is_on_the_disk_before_it_has_the_name(saved, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("folder" if is_folder else f"{os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def note_replace(*paths):
        calls.append("replace")
        replace(*paths)

    monkeypatch.setattr("os.fsync", note_fsync)
    monkeypatch.setattr("os.replace", note_replace)
    WHOLE["Standard"].save(saved)
    assert calls == [f"{len(STANDARD)} bytes", "replace", *(["folder"] if hasattr(os, "O_DIRECTORY") else [])]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_permissions_stay(saved):
    for mode in (0o640, 0o604, 0o600):
        saved.chmod(mode)
        WHOLE["Standard"].save(saved)
        assert stat.S_IMODE(saved.stat().st_mode) == mode
    mask = os.umask(0o027)
    try:
        WHOLE["Standard"].save(saved.with_name("new.json"))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(saved.with_name("new.json").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
def test_links_stay(saved):
    link = saved.with_name("link.json")
    link.symlink_to(saved.name)
    WHOLE["Standard"].save(link)
    assert link.is_symlink()
    assert saved.read_text(encoding="utf-8") == STANDARD


def test_names_as_long_as_the_platform_allows(tmp_path):
    path = tmp_path / ("a" * 250)
    WHOLE["Standard"].save(path)
    assert sknorm.load(path).to_json() == STANDARD


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_killed_process_leaves_the_old_file_or_the_new(saved):
    """200 processes save two states in turns, and are killed at any moment."""
    states, texts = (WHOLE["MinMax"], WHOLE["Standard"]), {TEXTS["MinMax"], STANDARD}
    rng, seen = random.Random(0), set()
    for _ in range(200):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests: the child needs none
            child = os.fork()
        if child == 0:
            try:
                while True:
                    for state in states:
                        state.save(saved)
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the child could not save"
        seen.add(sknorm.load(saved).to_json())
        assert seen <= texts
    assert seen == texts
    assert {path.name for path in saved.parent.iterdir() if not path.name.startswith(".sknorm-")} == {saved.name}


# Other ways.


@pytest.mark.parametrize("learn", [lambda s: s, lambda s: s.fit(table(30))], ids=["unfitted", "fitted"])
@each_setting
def test_skops(scaler, learn):
    io = pytest.importorskip("skops.io", reason="skops is one more way to keep estimators without pickle")
    original = learn(scaler)
    content = io.dumps(original)
    ours = io.get_untrusted_types(data=content)
    assert all(name.startswith("sknorm.") for name in ours)
    twin = io.loads(content, trusted=ours)
    assert twin.to_json() == original.to_json()
    if original.__sklearn_is_fitted__():
        assert_goes_on_alike(twin, original, table(10, 9))
