"""StreamingPipeline learns in parts, and tests before it learns."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.preprocessing
from pipelines import (
    N_ROWS,
    TRANSFORMERS,
    batches,
    bayes,
    each_classifier,
    each_transformers,
    fitted,
    is_fixed,
    log_loss,
    make_labels,
    make_rows,
    name,
    pipeline_of,
    prequential,
    skipped,
    state_of,
    steps_of,
)
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

import sknorm
from sknorm import StreamingPipeline, make_streaming_pipeline

# Of the smallest chunks, whose time is that of scikit-learn's calls: more than a window of the transformers holds.
FEW_ROWS = 60


@pytest.fixture
def X(rng):
    return make_rows(rng)


@pytest.fixture
def y(X, rng):
    return make_labels(X, rng)


# Learning in parts.


@each_transformers
@each_classifier
def test_partial_fit_is_the_loop_over_the_steps(transformers, classifier, X, y):
    pipeline = pipeline_of(transformers, classifier)
    *manual, last = transformers(), classifier()
    manual = [step for step in manual[0] if not skipped(step)]
    for part, labels in batches(X, y):
        assert pipeline.partial_fit(part.copy(), labels, classes=[0, 1, 2]) is pipeline
        for step in manual:
            if not get_tags(step).requires_fit:
                step.fit(part, labels)
            elif not isinstance(step, FrozenEstimator):
                step.partial_fit(part, labels)
            part = step.transform(part)
        last.partial_fit(part, labels, classes=[0, 1, 2])
        assert state_of(pipeline) == state_of(*manual, last)
    assert pipeline.predict_proba(X).shape == (N_ROWS, 3)


def test_partial_fit_goes_on_from_fit(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).fit(X[:50], y[:50])
    scaler, bayes = sknorm.StandardScaler(), GaussianNB()
    bayes.fit(scaler.fit_transform(X[:50]), y[:50])
    assert state_of(pipeline) == state_of(scaler, bayes)
    pipeline.partial_fit(X[50:], y[50:])
    bayes.partial_fit(scaler.partial_fit(X[50:]).transform(X[50:]), y[50:])
    assert state_of(pipeline) == state_of(scaler, bayes)


def test_the_same_step_may_come_twice(X):
    scaler, twin = sknorm.StandardScaler(), sknorm.StandardScaler()
    StreamingPipeline(name([scaler, scaler])).partial_fit(X)
    twin.partial_fit(X)
    twin.partial_fit(twin.transform(X))
    assert state_of(scaler) == state_of(twin)


@pytest.mark.parametrize("last", ["passthrough", None])
def test_a_last_step_to_be_passed_through(last, X):
    pipeline = StreamingPipeline([("scaler", sknorm.StandardScaler()), ("last", last)]).partial_fit(X[:100])
    pipeline.partial_fit(X[100:])
    assert state_of(pipeline) == state_of(sknorm.StandardScaler().partial_fit(X[:100]).partial_fit(X[100:]))


def test_classes_go_to_a_last_step_that_takes_them(X, y):
    regressor = make_streaming_pipeline(sknorm.StandardScaler(), SGDRegressor(random_state=0))
    regressor.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(regressor[-1], "classes_")
    classifier = make_streaming_pipeline(sknorm.StandardScaler(), log_loss())
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X, y, classes=[0, 1, 2, 5]).partial_fit(X, y)
    np.testing.assert_array_equal(classifier.classes_, [0, 1, 2, 5])


def test_stateless_steps_are_fitted_once(X):
    class Counting(FunctionTransformer):
        n_fits = 0

        def fit(self, X, y=None):
            self.n_fits += 1
            return super().fit(X, y)

    pipeline = make_streaming_pipeline(Counting(), sknorm.StandardScaler())
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline.partial_fit(frame).partial_fit(frame)
    assert pipeline[0].n_fits == 1
    assert list(pipeline.feature_names_in_) == list("abcd")


def test_frozen_steps_stay(X, y):
    scaler = sknorm.StandardScaler().fit(X)
    bayes = GaussianNB().fit(X, y)
    before = state_of(scaler, bayes)
    pipeline = make_streaming_pipeline(FrozenEstimator(scaler), FrozenEstimator(bayes))
    pipeline.partial_fit(X * 2, y)
    probabilities = pipeline.prequential_predict_proba(X * 2, y)
    np.testing.assert_array_equal(probabilities, bayes.predict_proba(scaler.transform(X * 2)))
    assert state_of(scaler, bayes) == before


# Testing first.


@each_transformers
@each_classifier
@pytest.mark.parametrize("chunk_size", [1, 7, 60, 100, N_ROWS, 1000])
def test_prequential_is_the_loop_over_chunks(transformers, classifier, chunk_size, X, y):
    if chunk_size < 7 and transformers is TRANSFORMERS["projection"]:
        chunk_size = 3  # IncrementalPCA wants a row a component
    if chunk_size <= 7:
        X, y = X[:FEW_ROWS], y[:FEW_ROWS]
    pipeline = pipeline_of(transformers, classifier)
    steps = [*transformers(), classifier()]
    given = X.copy()
    probabilities = pipeline.prequential_predict_proba(given, y, classes=[0, 1, 2], chunk_size=chunk_size)
    np.testing.assert_array_equal(probabilities, prequential(steps, X, y, [0, 1, 2], chunk_size))
    assert probabilities.dtype == np.float64
    assert state_of(pipeline) == state_of(*steps)
    np.testing.assert_array_equal(probabilities[: min(chunk_size, len(y))], 1 / 3)


@pytest.mark.parametrize("start", ["fit", "partial_fit"])
@each_transformers
def test_prequential_goes_on_from_what_was_learned(transformers, start, X, y):
    if start == "fit" and transformers is TRANSFORMERS["in place"]:
        X = X.copy()
    pipeline, twin = (pipeline_of(transformers, bayes) for _ in range(2))
    for each in (pipeline, twin):
        each.fit(X[:80].copy(), y[:80]) if start == "fit" else each.partial_fit(
            X[:80].copy(), y[:80], classes=[0, 1, 2]
        )
    expected = prequential([step for _, step in twin.steps], X[80:], y[80:], [0, 1, 2], 50)
    probabilities = pipeline.prequential_predict_proba(X[80:], y[80:], chunk_size=50)
    np.testing.assert_array_equal(probabilities, expected)
    assert not (probabilities[:50] == 1 / 3).all()
    assert state_of(pipeline) == state_of(twin)


@each_transformers
def test_a_stream_may_be_cut_between_chunks(transformers, X, y):
    whole, cut = (pipeline_of(transformers, bayes) for _ in range(2))
    expected = whole.prequential_predict_proba(X, y, classes=[0, 1, 2], chunk_size=40)
    pieces = [(slice(0, 80), {"classes": [0, 1, 2]}), (slice(80, 120), {}), (slice(120, None), {"classes": [2, 1, 0]})]
    parts = [cut.prequential_predict_proba(X[rows], y[rows], chunk_size=40, **given) for rows, given in pieces]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert state_of(cut) == state_of(whole)


@each_classifier
def test_chunks_of_one_row_are_transform_predict_learn(classifier, X, y):
    X, y = X[:FEW_ROWS], y[:FEW_ROWS]
    pipeline = pipeline_of(lambda: [sknorm.StandardScaler()], classifier)
    probabilities = pipeline.prequential_predict_proba(X, y, classes=[0, 1, 2], chunk_size=1)
    scaler, last = sknorm.StandardScaler(), classifier()
    last.partial_fit(scaler.partial_fit(X[:1]).transform(X[:1]), y[:1], classes=[0, 1, 2])
    np.testing.assert_array_equal(probabilities[0], 1 / 3)
    for i in range(1, FEW_ROWS):
        row = scaler.transform(X[i : i + 1])
        np.testing.assert_array_equal(probabilities[i], last.predict_proba(row)[0])
        scaler.partial_fit(X[i : i + 1])
        last.partial_fit(row, y[i : i + 1])
    assert state_of(pipeline) == state_of(scaler, last)


def predicted(transformers, X, y, chunk_size):
    pipeline = pipeline_of(transformers, bayes)
    return pipeline.prequential_predict_proba(X.copy(), y, classes=[0, 1, 2], chunk_size=chunk_size)


# What is predicted of the first rows of the table, which is the same in every test, by transformers and chunk size.
ORIGINALS = {}


@each_transformers
@pytest.mark.parametrize(
    ("chunk_size", "n_rows", "i"),
    [
        *((3, FEW_ROWS, i) for i in (0, 20, 40, 47, 48, FEW_ROWS - 2)),
        *((50, N_ROWS, i) for i in (0, 20, 120, 149, 150, N_ROWS - 2)),
    ],
)
def test_nothing_leaks_from_later(transformers, chunk_size, n_rows, i, X, y):
    """Neither the labels from row i on nor the rows after it change what is predicted up to row i."""
    X, y = X[:n_rows], y[:n_rows]
    later, labels = X.copy(), y.copy()
    later[i + 1 :] = later[i + 1 :][::-1] * -3 + 1
    labels[i:] = (labels[i:] + 1) % 3
    if (transformers, chunk_size) not in ORIGINALS:
        ORIGINALS[transformers, chunk_size] = predicted(transformers, X, y, chunk_size)
    original, changed = ORIGINALS[transformers, chunk_size], predicted(transformers, later, labels, chunk_size)
    np.testing.assert_array_equal(changed[: i + 1], original[: i + 1])
    assert i == n_rows - 2 or not np.array_equal(changed, original)


@each_transformers
@each_classifier
def test_labels_of_a_chunk_do_not_show_in_it(transformers, classifier, X, y):
    swapped = y.copy()
    swapped[100:150] = 2 - y[100:150]
    original, changed = (
        pipeline_of(transformers, classifier).prequential_predict_proba(
            X.copy(), labels, classes=[0, 1, 2], chunk_size=50
        )
        for labels in (y, swapped)
    )
    np.testing.assert_array_equal(changed[:150], original[:150])
    assert not np.array_equal(changed[150:], original[150:])


@pytest.mark.parametrize("verb", ["prequential_predict_proba", "prequential_transform"])
@each_transformers
def test_the_table_stays(transformers, verb, X, y):
    """Even if steps work in place."""
    given = X.copy()
    last = [bayes()] if verb == "prequential_predict_proba" else []
    pipeline = StreamingPipeline(name([*transformers(), *last]))
    for _ in range(2):
        getattr(pipeline, verb)(given, y)
        np.testing.assert_array_equal(given, X)


def test_nothing_leaks_where_a_transformer_knows_nothing_but_the_classifier_does(X, y):
    """The transformer learns the chunk first, so the chunk is not predicted."""
    for scaler in (sknorm.StandardScaler(), sklearn.preprocessing.StandardScaler()):
        for last in (GaussianNB().fit(X, y), make_streaming_pipeline(sknorm.MinMaxScaler(), GaussianNB()).fit(X, y)):
            pipeline = make_streaming_pipeline(clone(scaler), last)
            probabilities = pipeline.prequential_predict_proba(X, y, chunk_size=100)
            np.testing.assert_array_equal(probabilities[:100], 1 / 3)
            assert not (probabilities[100:] == 1 / 3).any()


def test_a_classifier_is_told_its_classes_once(X, y):
    class Listening(GaussianNB):
        told = ()

        def partial_fit(self, X, y, classes=None, sample_weight=None):
            self.told = (*self.told, classes is not None)
            return super().partial_fit(X, y, classes, sample_weight)

    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), Listening())
    for _ in range(2):
        pipeline.prequential_predict_proba(X, y, classes=[0, 1, 2])
    assert pipeline[-1].told == (True, *[False] * 5)


class Doubling(TransformerMixin, BaseEstimator):
    """Has nothing to learn, but does not say so."""

    def fit(self, X, y=None):
        return self

    partial_fit = fit

    def transform(self, X):
        return X * 2


@pytest.mark.parametrize("nested", [False, True])
def test_steps_that_do_not_say_that_they_are_stateless(nested, X, y):
    steps = [sknorm.StandardScaler(), Doubling(), bayes()]
    pipeline = make_streaming_pipeline(*steps)
    if nested:
        pipeline = make_streaming_pipeline(Doubling(), make_streaming_pipeline(*steps))
    pipeline.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    probabilities = pipeline.prequential_predict_proba(X[100:], y[100:])
    assert not (probabilities == 1 / 3).all(axis=1).any()


def test_classes_are_those_of_y_where_none_are_given_or_known(X, y):
    labels = np.array(["low", "middle", "top"])[y]
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), log_loss())
    probabilities = pipeline.prequential_predict_proba(X, labels)
    assert list(pipeline.classes_) == ["low", "middle", "top"]
    twin = make_streaming_pipeline(sknorm.StandardScaler(), log_loss())
    given = twin.prequential_predict_proba(
        X, labels, classes=["top", "low", "middle"]
    )  # columns are sorted all the same
    np.testing.assert_array_equal(probabilities, given)
    more = make_streaming_pipeline(sknorm.StandardScaler(), log_loss()).prequential_predict_proba(
        X, y, classes=range(5)
    )
    assert more.shape == (N_ROWS, 5)
    assert pipeline.prequential_predict_proba(X[:7], np.repeat("low", 7)).shape == (7, 3)


def test_first_chunk_pollutes_no_classifier(rng):
    """With few rows behind it, a row of large numbers scales to large numbers, which GaussianNB would never forget."""
    X = rng.normal(1e6, 1e5, size=(1000, 2))
    y = (X[:, 0] > 1e6).astype(int)
    probabilities = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).prequential_predict_proba(X, y)
    assert ((probabilities[100:, 1] > 0.5) == y[100:]).mean() > 0.9


@each_transformers
@pytest.mark.parametrize("chunk_size", [30, 100, 1000])
def test_prequential_transform_goes_through_all_steps(transformers, chunk_size, X, y):
    pipeline = StreamingPipeline(name(transformers()))
    transformed = pipeline.prequential_transform(X.copy(), y, chunk_size=chunk_size)
    steps, expected = transformers(), []
    for part, labels in batches(X.copy(), y, chunk_size):
        for step in steps:
            if skipped(step):
                continue
            if hasattr(step, "prequential_transform") and not is_fixed(step):
                part = step.prequential_transform(part)
            elif is_fixed(step) or not fitted(step):
                part = (step.fit if is_fixed(step) else step.partial_fit)(part.copy(), labels).transform(part)
            else:
                learned = part.copy()
                part = step.transform(part)
                step.partial_fit(learned, labels)
        expected.append(part)
    np.testing.assert_array_equal(transformed, np.concatenate(expected))
    assert state_of(pipeline) == state_of(*steps)


def test_prequential_transform_of_a_scaler_is_its_own(X):
    scaler = sknorm.StandardScaler()
    expected = scaler.prequential_transform(X)
    for chunk_size in (1, 13, 100, 1000):
        pipeline = make_streaming_pipeline(sknorm.StandardScaler())
        np.testing.assert_array_equal(pipeline.prequential_transform(X, chunk_size=chunk_size), expected)
        assert state_of(pipeline) == state_of(scaler)


@each_transformers
@pytest.mark.parametrize("chunk_size", [20, 100])
def test_pipelines_nest(transformers, chunk_size, X, y):
    """A pipeline of pipelines is the pipeline of their steps."""
    flat = pipeline_of(transformers, bayes)
    expected = flat.prequential_predict_proba(X.copy(), y, chunk_size=chunk_size)
    left = StreamingPipeline([("inner", StreamingPipeline(name(transformers()))), ("last", bayes())])
    right = StreamingPipeline(name([*transformers()[:1], pipeline_of(lambda: transformers()[1:], bayes)]))
    for nested in (left, right):
        np.testing.assert_array_equal(nested.prequential_predict_proba(X.copy(), y, chunk_size=chunk_size), expected)
        assert state_of(nested) == state_of(flat)
    for each in (flat, left, right):
        each.partial_fit(X.copy(), y)
    assert state_of(left) == state_of(right) == state_of(flat)
    inside = StreamingPipeline(name([StreamingPipeline(name(transformers())), "passthrough"]))
    alone = StreamingPipeline(name(transformers()))
    for _ in range(2):
        np.testing.assert_array_equal(
            inside.prequential_transform(X.copy(), chunk_size=chunk_size),
            alone.prequential_transform(X.copy(), chunk_size=chunk_size),
        )
    assert state_of(inside) == state_of(alone)


# Parameters of the steps.


def test_parameters_go_to_partial_fit_of_their_step(X, y, rng):
    weights = rng.uniform(size=N_ROWS)
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), FunctionTransformer(), GaussianNB())
    pipeline.partial_fit(
        X, y, [0, 1, 2], standardscaler__sample_weight=weights, gaussiannb__sample_weight=weights[::-1]
    )
    scaler, bayes = sknorm.StandardScaler(), GaussianNB()
    bayes.partial_fit(scaler.partial_fit(X, sample_weight=weights).transform(X), y, [0, 1, 2], weights[::-1])
    assert state_of(pipeline[0], pipeline[-1]) == state_of(scaler, bayes)


def test_parameters_are_taken_apart_with_the_rows(X, y, rng):
    weights = rng.uniform(size=N_ROWS)
    for make in (lambda: StreamingPipeline([("inner", flat())]), lambda: flat()):

        def flat():
            return StreamingPipeline([("scaler", sknorm.StandardScaler()), ("bayes", GaussianNB())])

        pipeline, twin = make(), flat()
        prefix = "inner__" if len(pipeline) == 1 else ""
        given = {f"{prefix}scaler__sample_weight": weights, f"{prefix}bayes__sample_weight": weights}
        probabilities = pipeline.prequential_predict_proba(X, y, classes=[0, 1, 2], chunk_size=100, **given)
        expected = [np.full((100, 3), 1 / 3)]
        scaler, bayes = twin[0], twin[1]
        bayes.partial_fit(
            scaler.partial_fit(X[:100], sample_weight=weights[:100]).transform(X[:100]),
            y[:100],
            [0, 1, 2],
            weights[:100],
        )
        for rows in (slice(100, 200), slice(200, N_ROWS)):
            scaled = scaler.prequential_transform(X[rows], sample_weight=weights[rows])
            expected.append(bayes.predict_proba(scaled))
            bayes.partial_fit(scaled, y[rows], sample_weight=weights[rows])
        np.testing.assert_array_equal(probabilities, np.concatenate(expected))
        assert state_of(pipeline) == state_of(twin)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


class Offset(TransformerMixin, BaseEstimator):
    """Takes metadata to ``transform``."""

    def fit(self, X, y=None):
        return self.partial_fit(X, y)

    def partial_fit(self, X, y=None):
        self.n_rows_ = getattr(self, "n_rows_", 0) + len(X)
        return self

    def transform(self, X, offset=None):
        return X if offset is None else X + np.asarray(offset)[:, np.newaxis]


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("nested", [False, True])
def test_routing(nested, X, y, rng):
    weights, offset = rng.uniform(size=N_ROWS), rng.normal(size=N_ROWS)

    def make():
        scaler = sknorm.StandardScaler().set_partial_fit_request(sample_weight=True)
        last = GaussianNB().set_partial_fit_request(sample_weight="other")
        steps = [scaler, Offset().set_transform_request(offset=True)]
        return make_streaming_pipeline(*([make_streaming_pipeline(*steps)] if nested else steps), last)

    pipeline, (scaler, shift, last) = make(), list(steps_of(make()))
    pipeline.partial_fit(X, y, [0, 1, 2], sample_weight=weights, other=weights[::-1], offset=offset)
    scaled = shift.fit(X).transform(scaler.partial_fit(X, sample_weight=weights).transform(X), offset)
    last.partial_fit(scaled, y, [0, 1, 2], weights[::-1])
    assert state_of(pipeline) == state_of(scaler, shift, last)
    probabilities = pipeline.prequential_predict_proba(
        X, y, chunk_size=100, sample_weight=weights, other=weights[::-1], offset=offset
    )
    for rows in (slice(0, 100), slice(100, 200), slice(200, N_ROWS)):
        scaled = scaler.prequential_transform(X[rows], sample_weight=weights[rows])
        scaled = shift.partial_fit(scaled).transform(scaled, offset[rows])
        np.testing.assert_array_equal(probabilities[rows], last.predict_proba(scaled))
        last.partial_fit(scaled, y[rows], sample_weight=weights[::-1][rows])
    assert state_of(pipeline) == state_of(scaler, shift, last)
    transformed = pipeline[:-1].prequential_transform(X, sample_weight=weights, offset=offset)
    expected = scaler.prequential_transform(X, sample_weight=weights) + offset[:, np.newaxis]
    np.testing.assert_array_equal(transformed, expected)


@pytest.mark.usefixtures("routing")
def test_routing_refuses_what_nobody_requested(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB())
    with pytest.raises(TypeError, match=r"unexpected argument.*colour"):
        pipeline.partial_fit(X, y, [0, 1, 2], colour=y)
    with pytest.raises(ValueError, match=r"\[sample_weight\] are passed but are not explicitly set as requested"):
        pipeline.prequential_predict_proba(X, y, sample_weight=np.ones(N_ROWS))
    assert not fitted(pipeline[0])
    pipeline.partial_fit(X, y, [0, 1, 2])
    with pytest.raises(ValueError, match="not explicitly set as requested"):
        pipeline.partial_fit(X, y, sample_weight=np.ones(N_ROWS))


def test_routing_of_all_other_methods_is_that_of_a_pipeline():
    steps = name([sknorm.StandardScaler(), FunctionTransformer(), "passthrough", GaussianNB()])
    ours, theirs = (get_routing_for_object(kind(steps)) for kind in (StreamingPipeline, Pipeline))
    for (_, one), (_, other) in zip(ours, theirs, strict=True):
        routes = [(route.caller, route.callee) for route in one.mapping]
        assert [route for route in routes if route[0] != "partial_fit"] == [
            (route.caller, route.callee) for route in other.mapping
        ]
        assert {route for route in routes if route[0] == "partial_fit"} == {
            ("partial_fit", "partial_fit"),
            ("partial_fit", "transform"),
        }
    assert not hasattr(StreamingPipeline(steps), "set_partial_fit_request")


@pytest.mark.usefixtures("routing")
def test_transform_input(X, y):
    class Validating(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, X_val=None):
            return self.partial_fit(X, y, X_val=X_val)

        def partial_fit(self, X, y, X_val=None):
            self.seen_ = X_val
            return self

    last = Validating().set_partial_fit_request(X_val=True).set_fit_request(X_val=True)
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), last, transform_input=["X_val"])
    pipeline.partial_fit(X, y, X_val=X[:5] * 2)
    np.testing.assert_array_equal(pipeline[-1].seen_, pipeline[0].transform(X[:5] * 2))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("nested", [False, True])
def test_metadata_of_transform_goes_with_a_prequential_pass(nested, X):
    """StandardScaler has a ``copy`` of its ``transform`` and none of its ``prequential_transform``."""
    steps = [sknorm.StandardScaler().set_transform_request(copy=True)]
    pipeline = make_streaming_pipeline(*([make_streaming_pipeline(*steps)] if nested else steps))
    twin = sknorm.StandardScaler()
    for _ in range(2):
        np.testing.assert_array_equal(
            pipeline.prequential_transform(X, chunk_size=100, copy=True), twin.prequential_transform(X)
        )
