"""Documents: estimators written as JSON come back bit for bit, and files hold one whole document at any time."""

import json
import math
import os
import random
import re
import signal
import stat
import time
import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import SCALERS, instances, layers, name_of
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from strategies import tables

import sknorm
from sknorm import StreamingPipeline
from sknorm._document import parse, plain, write
from sknorm.state import Persistent
from sknorm.statistics import Extremes, Moments, MomentsAndExtremes, Quantiles

# At the edges: all but the last row is gone, or nothing ever will be.
FORGETTING = [
    *(sknorm.StandardScaler(half_life=half_life) for half_life in (1e-3, 1e300)),
    *(sknorm.StandardScaler(window=window) for window in (1, 2**53)),
    *(sknorm.RobustScaler(window=window) for window in (1, 2**53)),
]
SETTINGS = [*instances(), *FORGETTING]
each_setting = pytest.mark.parametrize("scaler", SETTINGS, ids=name_of, indirect=True)
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
    parameters = twin.get_params()
    for name, value in original.get_params().items():
        got = parameters[name]
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
    scaler = sknorm.MinMaxScaler().fit(X)
    twin = sknorm.from_json(scaler.to_json())
    np.testing.assert_array_equal([twin.data_min_, twin.data_max_], X)
    for name in ("data_min_", "data_max_"):  # the sign of a zero too
        assert getattr(twin, name).tobytes() == getattr(scaler, name).tobytes()


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


@pytest.mark.parametrize("kind", [Extremes, Moments, MomentsAndExtremes, Quantiles], ids=lambda kind: kind.__name__)
def test_round_trip_of_groups(kind):
    """A statistic of several groups, one of them without rows."""
    X, codes = table(60), np.arange(60, dtype=np.intp) % 3 + 1
    first, second = (kind.of(part, None, codes[:30], 4) for part in np.split(X, 2))
    twin = kind.zero(4, 1).restored(parse(write(plain(first.fields()))), 6)
    assert write(plain(twin.fields())) == write(plain(first.fields()))
    assert write(plain(twin.merge(second).fields())) == write(plain(first.merge(second).fields()))
    with pytest.raises(ValueError, match=r"must be a list of 3, but has 4|offsets must be a list of 19, but has 25"):
        kind.zero(3, 1).restored(parse(write(plain(first.fields()))), 6)


def test_a_memory_that_no_longer_fits_cannot_be_written():
    """The scaler itself refuses to go on then."""
    scaler = sknorm.StandardScaler(half_life=3).fit(table(9)).set_params(half_life=4)
    with pytest.raises(ValueError, match=r"half_life is 4 and was 3.0 when StandardScaler was fitted"):
        scaler.to_json()


def test_infinite_counts_cannot_be_written():
    """What overflowed by itself is not read, so it is not written either."""
    scaler = sknorm.MaxAbsScaler().fit([[1.0]])
    scaler._learned.n_rows = math.inf
    with pytest.raises(ValueError, match="not JSON compliant"):
        scaler.to_json()


# Parameters, and estimators inside estimators.


class Steps(Persistent, BaseEstimator):
    """Stands for an estimator that holds others."""

    _parameter_constraints: ClassVar[dict] = {"steps": [list, tuple, Persistent, None], "names": "no_validation"}

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
    text = pipeline.set_params(memory=None).to_json().replace('"memory": null', f'"memory": "{tmp_path.as_posix()}"')
    with pytest.raises(ValueError, match="parameters are not valid: a document holds no memory"):
        sknorm.from_json(text)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (lambda: StreamingPipeline([("a", None), ("pca", PCA())]), TypeError, r"parameters.steps\[1\]\[1\] is a skle"),
        (lambda: Steps(PCA), TypeError, r"parameters.steps is a abc.ABCMeta, which a document does not hold"),
        (lambda: Steps({"a": {1, 2}}), TypeError, r"parameters.steps\['a'\] is a builtins.set, which a document does"),
        (lambda: Steps({1.5: 1}), TypeError, r"parameters.steps has the key 1.5; a document holds dicts by strings"),
        (lambda: Steps({True: 1}), TypeError, r"parameters.steps has the key True; a document holds dicts by strings"),
        (lambda: Steps(1 + 2j), TypeError, r"parameters.steps is a builtins.complex"),
        (lambda: Steps(np.ones((1, 2))), TypeError, r"parameters.steps is a numpy.ndarray"),
        (lambda: Steps(np.array(3)), TypeError, r"parameters.steps is a numpy.ndarray"),
        (lambda: Steps([np.array(["a"])]), TypeError, r"parameters.steps\[0\] is a numpy.ndarray"),
        (lambda: Steps(np.uint64([0, 2**63])), ValueError, r"parameters.steps\[1\] is an integer of more than 64 bits"),
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


# Files.

SMALL = np.array([[1.0, 2.0], [4.0, np.nan], [7.0, 8.0]])
OLD, NEW = sknorm.MinMaxScaler().fit(SMALL), sknorm.StandardScaler(clip=2.0).fit(SMALL)
OLD_TEXT, NEW_TEXT = OLD.to_json(), NEW.to_json()


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
    OLD.save(path)
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
            NEW.save(saved)
    assert list(saved.parent.iterdir()) == [saved]
    assert saved.read_text(encoding="utf-8") == OLD_TEXT


def test_save_where_no_file_can_be(tmp_path):
    with pytest.raises(FileNotFoundError):
        NEW.save(tmp_path / "none" / "scaler.json")
    with pytest.raises(OSError):  # noqa: PT011 - of another kind on every platform
        NEW.save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob(".sknorm-*"))
    with pytest.raises(TypeError):
        NEW.save(3)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("fifo", marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no FIFOs")),
        "folder",
        "missing folder",
    ],
)
def test_save_names_what_it_cannot_replace_and_leaves_it(kind, tmp_path):
    path = tmp_path / "here"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
        (path / "inside").write_text("kept")
    target = path / "scaler.json" if kind == "missing folder" else path

    def all_there_is():
        return sorted((str(each), each.lstat().st_mode, each.lstat().st_ino) for each in tmp_path.rglob("*"))

    before, state = all_there_is(), NEW.to_json()
    with pytest.raises(OSError, match=re.escape(repr(str(path)))):  # the folder, where that is what is missing
        NEW.save(target)
    assert all_there_is() == before
    assert NEW.to_json() == state


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
    NEW.save(saved)
    assert calls == [f"{len(NEW_TEXT)} bytes", "replace", *(["folder"] if hasattr(os, "O_DIRECTORY") else [])]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_permissions_stay(saved):
    for mode in (0o640, 0o604, 0o600):
        saved.chmod(mode)
        NEW.save(saved)
        assert stat.S_IMODE(saved.stat().st_mode) == mode
    mask = os.umask(0o027)
    try:
        NEW.save(saved.with_name("new.json"))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(saved.with_name("new.json").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
def test_links_stay(saved):
    link = saved.with_name("link.json")
    link.symlink_to(saved.name)
    NEW.save(link)
    assert link.is_symlink()
    assert saved.read_text(encoding="utf-8") == NEW_TEXT


@pytest.mark.skipif(os.name != "posix", reason="where a path may be no longer than a name")
def test_names_as_long_as_the_platform_allows(tmp_path):
    path = tmp_path / ("a" * 250)
    NEW.save(path)
    assert sknorm.load(path).to_json() == NEW_TEXT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_killed_process_leaves_the_old_file_or_the_new(saved):
    """200 processes save two states in turns, and are killed at any moment."""
    states, texts = (OLD, NEW), {OLD_TEXT, NEW_TEXT}
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


@pytest.mark.parametrize("scaler", layers(even=True), ids=name_of, indirect=True)
def test_skops_of_layers(scaler):
    io = pytest.importorskip("skops.io", reason="skops is one more way to keep estimators without pickle")
    X = table(30)[:, [0, 5]]
    content = io.dumps(scaler.fit(X))
    ours = io.get_untrusted_types(data=content)
    assert all(name.startswith("sknorm.") for name in ours)
    twin = io.loads(content, trusted=ours)
    assert twin.to_json() == scaler.to_json()
    assert twin.transform(X.copy()).tobytes() == scaler.transform(X.copy()).tobytes()
