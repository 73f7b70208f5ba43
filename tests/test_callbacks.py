"""Every scaler takes scikit-learn's callbacks, StandardScaler as scikit-learn's own does."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from registry import SCALERS, refusing
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import sknorm

pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

CLASSES = {"sknorm": sknorm.StandardScaler, "sklearn": sklearn.preprocessing.StandardScaler}


class Recorder:
    """Writes down which hook was called, and with what."""

    def __init__(self, fail_at=None):
        self.calls, self.fail_at = [], fail_at

    def record(self, hook, estimator, context, **given):
        self.calls.append((hook, estimator, context, given))
        if hook == self.fail_at:
            raise RuntimeError(f"{hook} fails")

    def setup(self, estimator, context):
        self.record("setup", estimator, context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.record("begin", estimator, context, X=X, y=y, metadata=metadata, fitted_estimator=fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.record("end", estimator, context, X=X, y=y, metadata=metadata, fitted_estimator=fitted_estimator)

    def teardown(self, estimator, context):
        self.record("teardown", estimator, context)

    @property
    def hooks(self):
        return [call[0] for call in self.calls]

    def given(self, hook):
        return next(call[3] for call in self.calls if call[0] == hook)


class PropagatedRecorder(Recorder):
    """Goes from a meta-estimator to the estimators inside."""

    max_propagation_depth = None


@pytest.fixture
def X(rng):
    return rng.normal(3, 2, size=(30, 3))


def state_of(scaler):
    return {name: pickle.dumps(value) for name, value in vars(scaler).items() if name != "_skl_callbacks"}


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "fit_transform"])
def test_every_hook_is_called_once(verb, X):
    for scaler_class in CLASSES.values():
        recorder = Recorder()
        scaler = scaler_class().set_callbacks(recorder)
        getattr(scaler, verb)(X)
        assert recorder.hooks == ["setup", "begin", "end", "teardown"]
        assert all(call[1] is scaler for call in recorder.calls)


@pytest.mark.parametrize("table", ["array", "list", "frame", "int", "F"])
def test_hooks_get_what_scikit_learn_gives(table, X):
    make = {
        "array": lambda: X,
        "list": lambda: X.tolist(),
        "frame": lambda: pd.DataFrame(X, columns=["a", "b", "c"]),
        "int": lambda: X.astype(int),
        "F": lambda: np.asfortranarray(X),
    }[table]
    weights, y = np.arange(30.0), np.zeros(30)
    given = {}
    for name, scaler_class in CLASSES.items():
        recorder = Recorder()
        scaler_class().set_callbacks(recorder).fit(make(), y, sample_weight=weights)
        given[name] = [recorder.given(hook) for hook in ("begin", "end")]
    for ours, theirs in zip(given["sknorm"], given["sklearn"], strict=True):
        assert type(ours["X"]) is type(theirs["X"])
        assert ours["X"].dtype == theirs["X"].dtype
        np.testing.assert_array_equal(ours["X"], theirs["X"])
        assert ours["y"] is theirs["y"] is y
        assert set(ours["metadata"]) == set(theirs["metadata"]) == {"sample_weight"}
        np.testing.assert_array_equal(ours["metadata"]["sample_weight"], theirs["metadata"]["sample_weight"])
        assert (ours["fitted_estimator"] is None) == (theirs["fitted_estimator"] is None)


def test_contexts_are_those_of_scikit_learn(X):
    seen = {}
    for name, scaler_class in CLASSES.items():
        recorder = Recorder()
        scaler_class().set_callbacks(recorder).fit(X)
        contexts = [call[2] for call in recorder.calls]
        assert len(set(map(id, contexts))) == 1
        context = contexts[0]
        seen[name] = (context.task_name, context.task_id, context.max_subtasks, context.estimator_name, context.parent)
    assert seen["sknorm"] == seen["sklearn"] == ("fit", 0, 0, "StandardScaler", None)


def test_fitted_estimator_at_the_end_can_transform(X):
    recorder = Recorder()
    scaler = sknorm.StandardScaler().set_callbacks(recorder).fit(X)
    reconstructed = recorder.given("end")["fitted_estimator"]
    assert reconstructed is not scaler
    np.testing.assert_array_equal(reconstructed.transform(X), scaler.transform(X))
    expected = reconstructed.transform(X)
    scaler.partial_fit(X * 10)
    np.testing.assert_array_equal(reconstructed.transform(X), expected)


def test_what_is_learned_is_the_same_with_callbacks(X):
    plain = sknorm.StandardScaler().fit(X).partial_fit(X * 2, sample_weight=np.arange(30.0))
    watched = sknorm.StandardScaler().set_callbacks(Recorder())
    watched.fit(X).partial_fit(X * 2, sample_weight=np.arange(30.0))
    assert state_of(watched) == state_of(plain)


def test_nothing_of_a_callback_stays_behind(X):
    scaler = sknorm.StandardScaler().set_callbacks(Recorder()).fit(X)
    assert set(vars(scaler)) - set(vars(sknorm.StandardScaler().fit(X))) == {"_skl_callbacks"}
    assert "_skl_callbacks" not in vars(scaler.set_callbacks())


def test_several_callbacks(X):
    recorders = [Recorder(), Recorder()]
    sknorm.StandardScaler().set_callbacks(*recorders).fit(X)
    assert [recorder.hooks for recorder in recorders] == [["setup", "begin", "end", "teardown"]] * 2


@pytest.mark.parametrize("bad", [object(), Recorder, "progress"], ids=["object", "class", "string"])
def test_what_is_no_callback_is_refused(bad):
    with pytest.raises(TypeError, match="callbacks must be instances following the FitCallback protocol"):
        sknorm.StandardScaler().set_callbacks(bad)


def test_clone_has_the_callbacks_that_scikit_learns_clone_has(X):
    clones = [clone(scaler_class().set_callbacks(Recorder())) for scaler_class in CLASSES.values()]
    assert len({hasattr(twin, "_skl_callbacks") for twin in clones}) == 1


def test_no_callbacks_no_slow_path(X, monkeypatch):
    def slow(*arguments, **keywords):
        raise AssertionError("the slow path was entered")

    monkeypatch.setattr(sknorm.StandardScaler, "_init_callback_context", slow)
    scaler = sknorm.StandardScaler().fit(X).partial_fit(X[:1])
    scaler.transform(X)
    scaler.set_callbacks(Recorder()).set_callbacks().fit(X)
    with pytest.raises(AssertionError, match="the slow path was entered"):
        scaler.set_callbacks(Recorder()).fit(X)


# Every scaler, and what is ours alone.

each_class = pytest.mark.parametrize(
    "scaler_class", [entry.scaler for entry in SCALERS], ids=lambda scaler_class: scaler_class.__name__
)
each_verb = pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])


@each_verb
@each_class
def test_every_scaler_takes_callbacks(scaler_class, verb, X):
    recorder = Recorder()
    scaler = scaler_class().set_callbacks(recorder)
    weights, y = np.arange(30.0), np.zeros(30)
    getattr(scaler, verb)(X, y, sample_weight=weights)
    assert recorder.hooks == ["setup", *recorder.hooks[1:-1], "teardown"]
    assert recorder.hooks.count("begin") == recorder.hooks.count("end") > 0
    assert all(call[1] is scaler for call in recorder.calls)
    for given in (recorder.given("begin"), recorder.calls[-2][3]):
        np.testing.assert_array_equal(given["X"], X)
        assert given["y"] is y
        np.testing.assert_array_equal(given["metadata"]["sample_weight"], weights)
    context = recorder.calls[-1][2]
    name = "prequential-transform" if verb == "prequential_transform" else "fit"
    assert (context.task_name, context.estimator_name) == (name, scaler_class.__name__)


@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@each_verb
@each_class
def test_callbacks_change_nothing(scaler_class, verb, fitted, X):
    plain, watched = scaler_class(), scaler_class().set_callbacks(Recorder())
    if fitted:
        plain.fit(X * 2), watched.fit(X * 2)
    expected, got = getattr(plain, verb)(X), getattr(watched, verb)(X)
    assert state_of(watched) == state_of(plain)
    if verb == "prequential_transform":
        np.testing.assert_array_equal(got, expected)


@each_verb
@pytest.mark.parametrize("fail_at", ["setup", "begin"])
@each_class
def test_no_scaler_learns_if_a_callback_refuses(scaler_class, fail_at, verb, X):
    for scaler in (scaler_class(), scaler_class().fit(X)):
        recorder = Recorder(fail_at)
        scaler.set_callbacks(recorder)
        before = state_of(scaler)
        with pytest.raises(RuntimeError, match=f"{fail_at} fails"):
            getattr(scaler, verb)(X * 5)
        assert recorder.hooks == {"setup": ["setup", "teardown"], "begin": ["setup", "begin", "teardown"]}[fail_at]
        assert state_of(scaler) == before


@pytest.mark.parametrize("row", [0, 13, 29])
@each_class
def test_teardown_after_a_pass_that_fails(scaler_class, row, X):
    """Quantiles meet an infinity in mid-stream, chunks after the first: what they learned till then is dropped."""
    recorder = Recorder()
    setting = {"chunk_size": 7} if "chunk_size" in scaler_class().get_params() else {}
    scaler = scaler_class(**setting, **refusing(scaler_class)).fit(X).set_callbacks(recorder)
    before = state_of(scaler)
    X[row, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        scaler.prequential_transform(X)
    assert state_of(scaler) == before
    assert (recorder.hooks[0], recorder.hooks[-1]) == ("setup", "teardown")
    # The whole, and the chunk that failed.
    unfinished = recorder.hooks.count("begin") - recorder.hooks.count("end")
    assert unfinished == (2 if setting else 1)


@pytest.mark.parametrize(
    "scaler",
    [
        sknorm.RobustScaler(chunk_size=7),
        sknorm.OutlierClipper(chunk_size=7),
        sknorm.StandardScaler(outliers=sknorm.OutlierClipper(chunk_size=7)),
    ],
    ids=str,
)
def test_chunks_are_subtasks(scaler, X):
    recorder = Recorder()
    clone(scaler).set_callbacks(recorder).prequential_transform(X)
    root, *chunks = [call[2] for call in recorder.calls if call[0] == "begin"]
    assert (root.task_name, root.max_subtasks, len(chunks)) == ("prequential-transform", 5, 5)
    assert [chunk.task_id for chunk in chunks] == [0, 1, 2, 3, 4]
    assert all(chunk.parent is root for chunk in chunks)


# Errors.

BAD = {
    "inf": {"X": [[np.inf, 1.0, 2.0]]},
    "strings": {"X": [["a", "b", "c"]]},
    "weights": {"X": [[1.0, 2.0, 3.0]], "sample_weight": [1.0, 2.0]},
    "negative": {"X": [[1.0, 2.0, 3.0]], "sample_weight": [-1.0]},
    "overflow": {"X": [[1e300, 1.0, 2.0], [-1e300, 1.0, 2.0]]},
}


@pytest.mark.parametrize("verb", ["fit", "partial_fit"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_teardown_after_bad_input(bad, verb, X):
    recorder = Recorder()
    scaler = sknorm.StandardScaler().fit(X).set_callbacks(recorder)
    before = state_of(scaler)
    with pytest.raises(ValueError, match=r"infinity|convert|sample_weight|overflow"):
        getattr(scaler, verb)(**bad)
    assert state_of(scaler) == before
    assert "end" not in recorder.hooks
    assert recorder.hooks.count("setup") == recorder.hooks.count("teardown")


@pytest.mark.parametrize("bad", [[["a", "b", "c"]], [[1.0, 2.0]], [1.0, 2.0, 3.0]], ids=["strings", "width", "1-d"])
def test_tables_that_are_refused_start_no_task(bad, X):
    """As in scikit-learn. (Infinities are found later here, by the pass that learns.)"""
    for scaler_class in CLASSES.values():
        recorder = Recorder()
        scaler = scaler_class().fit(X).set_callbacks(recorder)
        with pytest.raises(ValueError, match=r"convert|features|Expected 2D array"):
            scaler.partial_fit(bad)
        assert recorder.hooks == []


@pytest.mark.parametrize("verb", ["fit", "partial_fit"])
@pytest.mark.parametrize("fail_at", ["setup", "begin"])
def test_teardown_and_state_after_a_callback_fails(fail_at, verb, X):
    recorder = Recorder(fail_at)
    scaler = sknorm.StandardScaler().fit(X).set_callbacks(recorder)
    before = state_of(scaler)
    with pytest.raises(RuntimeError, match=f"{fail_at} fails"):
        getattr(scaler, verb)(X * 5)
    assert recorder.hooks == {"setup": ["setup", "teardown"], "begin": ["setup", "begin", "teardown"]}[fail_at]
    assert state_of(scaler) == before


@pytest.mark.parametrize("fail_at", ["end", "teardown"])
def test_a_callback_that_fails_after_learning(fail_at, X):
    """What was learned is learned, as in scikit-learn; nothing else is left behind."""
    recorder = Recorder(fail_at)
    scaler = sknorm.StandardScaler().set_callbacks(recorder)
    with pytest.raises(RuntimeError, match=f"{fail_at} fails"):
        scaler.fit(X)
    assert recorder.hooks == ["setup", "begin", "end", "teardown"]
    assert state_of(scaler) == state_of(sknorm.StandardScaler().fit(X))


def test_unfitted_after_a_callback_fails(X):
    scaler = sknorm.StandardScaler().set_callbacks(Recorder("begin"))
    with pytest.raises(RuntimeError, match="begin fails"):
        scaler.fit(X)
    with pytest.raises(NotFittedError):
        scaler.transform(X)
    assert not hasattr(scaler, "n_features_in_")


# Inside others.


def test_in_a_pipeline(X):
    y = (X[:, 0] > 3).astype(int)
    hooks = []
    for scaler_class in CLASSES.values():
        recorder = PropagatedRecorder()
        make_pipeline(scaler_class(), LogisticRegression()).set_callbacks(recorder).fit(X, y)
        hooks.append([(hook, type(estimator).__name__) for hook, estimator, *_ in recorder.calls])
    assert hooks[0] == hooks[1]
    assert ("begin", "StandardScaler") in hooks[0]


def test_in_a_grid_search(X):
    y = (X[:, 0] > 3).astype(int)
    hooks = []
    for scaler_class in CLASSES.values():
        recorder = PropagatedRecorder()
        search = GridSearchCV(
            make_pipeline(scaler_class(), LogisticRegression()), {"standardscaler__with_std": [True, False]}, cv=2
        )
        search.set_callbacks(recorder).fit(X, y)
        hooks.append([(hook, type(estimator).__name__) for hook, estimator, *_ in recorder.calls])
        assert "_parent_callback_ctx" not in vars(search.best_estimator_[0])
    assert hooks[0] == hooks[1]
