"""StreamingPipeline takes scikit-learn's callbacks (1.9 and later): a chunk is a subtask."""

import numpy as np
import pytest
import sklearn
import sklearn.preprocessing
from pipelines import N_ROWS, bad_label, bayes, make_labels, make_rows, state_of, steps_of
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB

import sknorm
from sknorm import StreamingPipeline, make_streaming_pipeline


@pytest.fixture
def X(rng):
    return make_rows(rng)


@pytest.fixture
def y(X, rng):
    return make_labels(X, rng)


class Recorder:
    """Writes down which hook was called, and with what; may raise at one."""

    def __init__(self, fail_at=None):
        self.calls, self.fail_at = [], fail_at

    def record(self, hook, estimator, context, **given):
        self.calls.append((hook, context, given))
        if (hook, context.task_name) == self.fail_at:
            raise RuntimeError("the callback fails")

    def setup(self, estimator, context):
        self.record("setup", estimator, context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.record("begin", estimator, context, X=X, y=y, fitted_estimator=fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.record("end", estimator, context, X=X, y=y, fitted_estimator=fitted_estimator)

    def teardown(self, estimator, context):
        self.record("teardown", estimator, context)

    def hooks(self):
        return [(hook, context.estimator_name, context.task_name) for hook, context, _ in self.calls]


class PropagatedRecorder(Recorder):
    """Goes on to the steps, where they are taught one by one."""

    max_propagation_depth = None


@pytest.fixture
def callbacks():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


@pytest.mark.usefixtures("callbacks")
@pytest.mark.parametrize("recorder", [Recorder, PropagatedRecorder])
@pytest.mark.parametrize("verb", ["prequential_predict_proba", "prequential_transform"])
def test_a_chunk_is_a_subtask(verb, recorder, X, y):
    last = [] if verb == "prequential_transform" else [bayes()]
    pipeline, twin = (make_streaming_pipeline(sknorm.StandardScaler(), *clone(last, safe=False)) for _ in range(2))
    recorder = recorder()
    watched = getattr(pipeline.set_callbacks(recorder), verb)(X, y, chunk_size=100)
    np.testing.assert_array_equal(watched, getattr(twin, verb)(X, y, chunk_size=100))
    assert state_of(pipeline) == state_of(twin)
    root = ("StreamingPipeline", verb.replace("_", "-"))
    chunk = ("StreamingPipeline", "chunk")
    inner = [(hook, *chunk) for _ in range(3) for hook in ("begin", "end")]
    assert recorder.hooks() == [("setup", *root), ("begin", *root), *inner, ("end", *root), ("teardown", *root)]
    contexts = [context for hook, context, _ in recorder.calls if hook == "begin"]
    assert contexts[0].max_subtasks == 3
    assert [context.task_id for context in contexts[1:]] == [0, 1, 2]
    assert all(context.parent is contexts[0] and context.max_subtasks == 0 for context in contexts[1:])
    given = [given for hook, _, given in recorder.calls if hook == "begin"]
    np.testing.assert_array_equal(np.concatenate([chunk["X"] for chunk in given[1:]]), X)
    np.testing.assert_array_equal(np.concatenate([chunk["y"] for chunk in given[1:]]), y)
    assert given[0]["X"] is X
    assert set(vars(pipeline)) - set(vars(twin)) == {"_skl_callbacks"}


@pytest.mark.usefixtures("callbacks")
def test_callbacks_can_have_the_pipeline_as_it_was_after_each_chunk(X, y):
    recorder = Recorder()
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), bayes()).set_callbacks(recorder)
    pipeline.prequential_predict_proba(X, y, chunk_size=100)
    ends = [given["fitted_estimator"] for hook, _, given in recorder.calls if hook == "end"]
    twin = make_streaming_pipeline(sknorm.StandardScaler(), bayes())
    for rows, then in zip((slice(0, 100), slice(100, 200), slice(200, N_ROWS)), ends, strict=False):
        twin.prequential_predict_proba(X[rows], y[rows], classes=[0, 1, 2])
        assert then is not pipeline
        assert state_of(then) == state_of(twin)
    assert state_of(ends[-1]) == state_of(pipeline)


@pytest.mark.usefixtures("callbacks")
def test_partial_fit_hands_callbacks_on(X):
    """As ``fit`` does."""
    hooks = {}
    for verb in ("fit", "partial_fit"):
        recorder = PropagatedRecorder()
        pipeline = make_streaming_pipeline(sknorm.StandardScaler(), "passthrough", sknorm.MinMaxScaler())
        getattr(pipeline.set_callbacks(recorder), verb)(X)
        hooks[verb] = [(hook, estimator) for hook, estimator, _ in recorder.hooks()]
        assert not any("_parent_callback_ctx" in vars(step) for step in steps_of(pipeline))
    for verb in hooks:
        assert [call for call in hooks[verb] if call[1] != "StreamingPipeline"] == [
            (hook, scaler) for scaler in ("StandardScaler", "MinMaxScaler") for hook in ("begin", "end")
        ]
        assert hooks[verb][:2] == [("setup", "StreamingPipeline"), ("begin", "StreamingPipeline")]
        assert hooks[verb][-2:] == [("end", "StreamingPipeline"), ("teardown", "StreamingPipeline")]


@pytest.mark.usefixtures("callbacks")
def test_callbacks_reach_a_pipeline_within(X):
    recorder = PropagatedRecorder()
    inner = make_streaming_pipeline(sknorm.StandardScaler())
    pipeline = make_streaming_pipeline(inner, sknorm.MinMaxScaler()).set_callbacks(recorder)
    pipeline.partial_fit(X)
    begun = [
        (context.estimator_name, context.source_task_name) for hook, context, _ in recorder.calls if hook == "begin"
    ]
    assert begun == [
        ("StreamingPipeline", None),
        ("StreamingPipeline", "partial-fit-streamingpipeline"),
        ("StandardScaler", "partial-fit-standardscaler"),
        ("MinMaxScaler", "partial-fit-minmaxscaler"),
    ]
    recorder.calls.clear()
    pipeline.prequential_transform(X)
    assert {hook[1] for hook in recorder.hooks()} == {"StreamingPipeline"}


@pytest.mark.usefixtures("callbacks")
@pytest.mark.parametrize("hook", ["setup", "begin", "end"])
@pytest.mark.parametrize("task", ["root", "chunk"])
def test_a_callback_that_fails_leaves_no_trace(hook, task, X, y):
    if (hook, task) == ("setup", "chunk"):
        hook = "begin"
    recorder = Recorder((hook, "prequential-predict-proba" if task == "root" else "chunk"))
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), bayes()).partial_fit(X, y, classes=[0, 1, 2])
    before = state_of(pipeline)
    with pytest.raises(RuntimeError, match="the callback fails"):
        pipeline.set_callbacks(recorder).prequential_predict_proba(X, y)
    assert state_of(pipeline) == before
    assert recorder.hooks()[-1][0] == "teardown"
    assert set(vars(pipeline.set_callbacks())) == set(vars(clone(pipeline)))


@pytest.mark.usefixtures("callbacks")
@pytest.mark.parametrize("verb", ["prequential_predict_proba", "prequential_transform"])
@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
def test_a_teardown_that_fails_leaves_no_trace(verb, fitted, X, y):
    last = sklearn.preprocessing.MaxAbsScaler() if verb == "prequential_transform" else bayes()
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), last)
    if fitted:
        getattr(pipeline, verb)(X, y)
    before = state_of(pipeline)
    pipeline.set_callbacks(Recorder(("teardown", verb.replace("_", "-"))))
    with pytest.raises(RuntimeError, match="the callback fails"):
        getattr(pipeline, verb)(X, y, chunk_size=100)
    assert state_of(pipeline) == before


@pytest.mark.usefixtures("callbacks")
def test_callbacks_of_steps_survive_an_error(X, y):
    recorder = Recorder()
    scaler = sklearn.preprocessing.StandardScaler().set_callbacks(recorder)
    pipeline = make_streaming_pipeline(scaler, GaussianNB()).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="label"):
        pipeline.partial_fit(*bad_label(X, y))
    assert scaler._skl_callbacks[0] is recorder
    recorder.calls.clear()
    pipeline.partial_fit(X, y)
    assert [hook for hook, *_ in recorder.hooks()] == ["setup", "begin", "end", "teardown"]


@pytest.mark.usefixtures("callbacks")
def test_no_callbacks_no_slow_path(X, y, monkeypatch):
    def slow(*arguments, **keywords):
        raise AssertionError("the slow path was entered")

    monkeypatch.setattr(StreamingPipeline, "_init_callback_context", slow)
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), bayes())
    pipeline.partial_fit(X, y, classes=[0, 1, 2]).prequential_predict_proba(X, y)
    pipeline[:-1].prequential_transform(X)
    for verb in ("partial_fit", "prequential_predict_proba"):
        with pytest.raises(AssertionError, match="the slow path was entered"):
            getattr(pipeline.set_callbacks(Recorder()), verb)(X, y)


@pytest.mark.parametrize("verb", ["prequential_predict_proba", "prequential_transform"])
def test_progress_bar(verb, callbacks, X, y, capsys):
    pytest.importorskip("rich", reason="the progress bar needs rich")
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), *([bayes()] if verb != "prequential_transform" else []))
    getattr(pipeline.set_callbacks(callbacks.ProgressBar()), verb)(X, y, chunk_size=10)
    shown = capsys.readouterr().out
    assert f"StreamingPipeline - {verb.replace('_', '-')}" in shown
    assert "100%" in shown


def test_scoring_monitor(callbacks, X, y):
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), bayes()).set_callbacks(monitor)
    pipeline.prequential_predict_proba(X, y, chunk_size=50)
    scores = [entry["accuracy"] for entry in monitor.get_logs().data if entry["task_name"] == "chunk"]
    assert len(scores) == 5
    assert all(0.2 < score <= 1 for score in scores)
