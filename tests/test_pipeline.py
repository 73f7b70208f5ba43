"""StreamingPipeline: a Pipeline in all that a Pipeline does, and beyond that it learns in parts and tests first."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.preprocessing
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

import sknorm
from sknorm import StreamingPipeline, make_streaming_pipeline

N_ROWS = 230


@pytest.fixture
def X(rng):
    """Return columns of different scales, which drift."""
    drift = np.linspace(0, 1, N_ROWS)[:, np.newaxis]
    return (rng.normal(size=(N_ROWS, 4)) + drift) * [1.0, 20.0, 0.01, 3.0] + [0.0, 100.0, 5.0, -7.0]


@pytest.fixture
def y(X, rng):
    return np.digitize(X[:, 0] + rng.normal(0, 0.5, N_ROWS), [0.0, 1.0])


def log_loss(**settings):
    return SGDClassifier(loss="log_loss", random_state=0, **settings)


def bayes():
    """Return a classifier that is content with a single row, and with a class that has not come yet."""
    return BernoulliNB(binarize=0.2)


def frozen():
    return FrozenEstimator(sklearn.preprocessing.MinMaxScaler().fit([[0.0] * 4, [1.0] * 4]))


TRANSFORMERS = {
    "one": lambda: [sknorm.StandardScaler()],
    "two": lambda: [sknorm.RobustScaler(), sknorm.MinMaxScaler(clip=True)],
    "foreign": lambda: [sklearn.preprocessing.StandardScaler()],
    "in place": lambda: [sklearn.preprocessing.StandardScaler(copy=False), sklearn.preprocessing.MaxAbsScaler()],
    "projection": lambda: [sknorm.StandardScaler(), IncrementalPCA(2)],
    "stateless": lambda: [FunctionTransformer(np.arcsinh), sknorm.StandardScaler(), Normalizer()],
    "frozen": lambda: [sknorm.StandardScaler(), frozen()],
    "passthrough": lambda: ["passthrough", sknorm.StandardScaler(), None],
}
CLASSIFIERS = {"bayes": bayes, "sgd": log_loss, "average": lambda: log_loss(average=True)}

each_transformers = pytest.mark.parametrize("transformers", TRANSFORMERS.values(), ids=TRANSFORMERS)
each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)


def name(steps):
    return [(f"step{number}", step) for number, step in enumerate(steps)]


def pipeline_of(transformers, classifier):
    return StreamingPipeline(name([*transformers(), classifier()]))


def skipped(step):
    return step is None or (isinstance(step, str) and step == "passthrough")


def steps_of(pipeline):
    for _, step in pipeline.steps:
        if isinstance(step, Pipeline):
            yield from steps_of(step)
        elif not skipped(step):
            yield step


def state_of(*steps):
    """Return the bits of all that steps have learned; where they are pipelines, of all steps in them."""
    flat = [inner for step in steps for inner in (steps_of(step) if isinstance(step, Pipeline) else [step])]
    return [{name: bits_of(value) for name, value in vars(step).items()} for step in flat if not skipped(step)]


def bits_of(value):
    """Return the bits of an attribute, whatever the order in which an array lies in memory."""
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else pickle.dumps(value)


def fitted(step):
    try:
        check_is_fitted(step)
    except NotFittedError:
        return False
    return True


def is_fixed(step):
    return isinstance(step, FrozenEstimator) or not get_tags(step).requires_fit


def batches(X, y, size=60):
    for start in range(0, len(y), size):
        yield X[start : start + size], y[start : start + size]


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


def prequential(steps, X, y, classes, chunk_size):
    """Return what prequential_predict_proba should, by a plain loop."""
    *transformers, last = [step for step in steps if not skipped(step)]
    rows = []
    for part, labels in batches(X.copy(), y, chunk_size):
        ready = all(fitted(step) for step in [*transformers, last])
        for step in transformers:
            if is_fixed(step):
                part = step.fit(part, labels).transform(part)
            elif not fitted(step):
                part = step.partial_fit(part.copy(), labels).transform(part)
            elif hasattr(step, "prequential_transform"):
                part = step.prequential_transform(part)
            else:
                learned = part.copy()
                part = step.transform(part)
                step.partial_fit(learned, labels)
        rows.append(last.predict_proba(part) if ready else np.full((len(labels), len(classes)), 1 / len(classes)))
        last.partial_fit(part, labels, **({} if fitted(last) else {"classes": classes}))
    return np.concatenate(rows)


@each_transformers
@each_classifier
@pytest.mark.parametrize("chunk_size", [1, 7, 60, 100, N_ROWS, 1000])
def test_prequential_is_the_loop_over_chunks(transformers, classifier, chunk_size, X, y):
    if chunk_size < 7 and transformers is TRANSFORMERS["projection"]:
        chunk_size = 3  # IncrementalPCA wants a row a component
    pipeline = pipeline_of(transformers, classifier)
    steps = [*transformers(), classifier()]
    given = X.copy()
    probabilities = pipeline.prequential_predict_proba(given, y, classes=[0, 1, 2], chunk_size=chunk_size)
    np.testing.assert_array_equal(probabilities, prequential(steps, X, y, [0, 1, 2], chunk_size))
    assert probabilities.dtype == np.float64
    assert state_of(pipeline) == state_of(*steps)
    np.testing.assert_array_equal(probabilities[: min(chunk_size, N_ROWS)], 1 / 3)


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
    pipeline = pipeline_of(lambda: [sknorm.StandardScaler()], classifier)
    probabilities = pipeline.prequential_predict_proba(X, y, classes=[0, 1, 2], chunk_size=1)
    scaler, last = sknorm.StandardScaler(), classifier()
    last.partial_fit(scaler.partial_fit(X[:1]).transform(X[:1]), y[:1], classes=[0, 1, 2])
    np.testing.assert_array_equal(probabilities[0], 1 / 3)
    for i in range(1, N_ROWS):
        row = scaler.transform(X[i : i + 1])
        np.testing.assert_array_equal(probabilities[i], last.predict_proba(row)[0])
        scaler.partial_fit(X[i : i + 1])
        last.partial_fit(row, y[i : i + 1])
    assert state_of(pipeline) == state_of(scaler, last)


@each_transformers
@pytest.mark.parametrize("chunk_size", [3, 50])
@pytest.mark.parametrize("i", [0, 20, 120, 149, 150, 228])
def test_nothing_leaks_from_later(transformers, chunk_size, i, X, y):
    """Neither the labels from row i on nor the rows after it change what is predicted up to row i."""
    later, labels = X.copy(), y.copy()
    later[i + 1 :] = later[i + 1 :][::-1] * -3 + 1
    labels[i:] = (labels[i:] + 1) % 3
    original, changed = (
        pipeline_of(transformers, bayes).prequential_predict_proba(*given, classes=[0, 1, 2], chunk_size=chunk_size)
        for given in [(X.copy(), y), (later, labels)]
    )
    np.testing.assert_array_equal(changed[: i + 1], original[: i + 1])
    assert i > 225 or not np.array_equal(changed, original)


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
        pipeline = make_streaming_pipeline(scaler, GaussianNB().fit(X, y))
        probabilities = pipeline.prequential_predict_proba(X, y, chunk_size=100)
        np.testing.assert_array_equal(probabilities[:100], 1 / 3)
        assert not (probabilities[100:] == 1 / 3).any()


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


# Errors, after which all is as it was.


class Fails(TransformerMixin, BaseEstimator):
    """Learns in place, and raises at a given call of ``partial_fit`` or of ``transform``."""

    def __init__(self, verb="partial_fit", at=2, error=KeyboardInterrupt):
        self.verb, self.at, self.error = verb, at, error

    def fit(self, X, y=None):
        self.total_, self.n_calls_ = np.zeros(X.shape[1]), {"partial_fit": 0, "transform": 0}
        return self.partial_fit(X, y)

    def partial_fit(self, X, y=None):
        if not hasattr(self, "total_"):
            return self.fit(X, y)
        self.total_ += np.sum(X, axis=0)
        self.count("partial_fit")
        return self

    def transform(self, X):
        self.count("transform")
        return X

    def count(self, verb):
        self.n_calls_[verb] += 1
        if verb == self.verb and self.n_calls_[verb] == self.at:
            raise self.error


def bad_label(X, y):
    return X, np.where(np.arange(len(y)) == len(y) - 1, 9, y)


def missing_label(X, y):
    return X, np.where(np.arange(len(y)) == len(y) - 1, np.nan, y)


def infinity(X, y):
    X = X.copy()
    X[-1, 2] = np.inf
    return X, y


def too_narrow(X, y):
    return X[:, :3], y


def too_few_labels(X, y):
    return X, y[:-1]


BAD = (bad_label, missing_label, infinity, too_narrow, too_few_labels)


def taught(transformers, classifier, X, y):
    return pipeline_of(transformers, classifier).partial_fit(X[:100].copy(), y[:100], classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("bad", "new"),
    [*((bad, False) for bad in BAD), *((bad, True) for bad in BAD if bad is not too_narrow)],
    ids=lambda value: {True: "new", False: "taught"}[value] if isinstance(value, bool) else value.__name__,
)
@each_transformers
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_predict_proba"])
def test_a_bad_batch_leaves_no_trace(bad, transformers, verb, new, X, y):
    make = pipeline_of if new else lambda *parts: taught(*parts, X, y)
    pipeline, twin = make(transformers, GaussianNB), make(transformers, GaussianNB)
    before = state_of(pipeline)
    identities = [id(step) for step in steps_of(pipeline)]
    given = {"chunk_size": 40} if verb == "prequential_predict_proba" else {}
    if new:
        given["classes"] = [0, 1, 2]
    with pytest.raises(ValueError, match=r"label|infinity|features|NaN|inconsistent|shape|classes"):
        getattr(pipeline, verb)(*bad(X.copy(), y), **given)
    assert state_of(pipeline) == before
    assert [id(step) for step in steps_of(pipeline)] == identities
    results = [getattr(each, verb)(X.copy(), y, **given) for each in (pipeline, twin)]
    assert state_of(pipeline) == state_of(twin)
    if verb != "partial_fit":
        np.testing.assert_array_equal(*results)


def test_the_last_step_is_put_back_too(X, y):
    """GaussianNB changes its variances before it looks at the labels."""
    alone = GaussianNB().fit(X, y)
    before = state_of(alone)
    with pytest.raises(ValueError, match="label"):
        alone.partial_fit(*bad_label(X, y))
    assert state_of(alone) != before
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).fit(X, y)
    before = state_of(pipeline)
    with pytest.raises(ValueError, match="label"):
        pipeline.partial_fit(*bad_label(X, y))
    assert state_of(pipeline) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
@pytest.mark.parametrize("failing", ["partial_fit", "transform"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_predict_proba", "prequential_transform"])
def test_what_changes_in_place_is_put_back(verb, nested, failing, error, X, y):
    before_it = [sknorm.StandardScaler(), sklearn.preprocessing.StandardScaler()]
    middle = Fails(failing, 4, error)
    steps = [make_streaming_pipeline(*before_it, middle)] if nested else [*before_it, middle]
    last = GaussianNB() if verb != "prequential_transform" else sknorm.MinMaxScaler()
    pipeline = make_streaming_pipeline(*steps, last)
    pipeline.partial_fit(X[:50], y[:50], **({"classes": [0, 1, 2]} if isinstance(last, GaussianNB) else {}))
    for _ in range(2 if verb == "partial_fit" else 0):
        pipeline.partial_fit(X[50:60], y[50:60])
    before = state_of(pipeline)
    given = {} if verb == "partial_fit" else {"chunk_size": 40}
    with pytest.raises(error):
        getattr(pipeline, verb)(X[60:], y[60:], **given)
    assert state_of(pipeline) == before
    assert middle is list(steps_of(pipeline))[2]


def test_what_a_step_shares_is_not_torn_apart(X, y):
    """A callback or a parameter may be somebody else's; averaged weights are two names of one array."""
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), log_loss(average=True))
    pipeline.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="NaN"):
        pipeline.partial_fit(*missing_label(X, y))
    twin = make_streaming_pipeline(sknorm.StandardScaler(), log_loss(average=True))
    twin.partial_fit(X, y, classes=[0, 1, 2])
    assert state_of(pipeline.partial_fit(X, y)) == state_of(twin.partial_fit(X, y))


@pytest.mark.parametrize("verb", ["partial_fit", "prequential_predict_proba"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_transformer_that_cannot_learn_in_parts(verb, nested, X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), PCA(2), GaussianNB())
    outer = make_streaming_pipeline(sknorm.MinMaxScaler(), pipeline) if nested else pipeline
    before = state_of(outer)
    with pytest.raises(TypeError, match=r"Step 'pca' \(PCA\) has to learn but has no partial_fit: .*FrozenEstimator"):
        getattr(outer, verb)(X, y, classes=[0, 1, 2])
    assert state_of(outer) == before
    outer.fit(X, y)  # as a Pipeline


def test_names_of_parameters(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB())
    for wrong in ("sample_weight", "gaussian__sample_weight", "gaussiannb__", "gaussiannb"):
        with pytest.raises(ValueError, match=f"'{wrong}' names no parameter of a step; .* standardscaler, gaussiannb"):
            pipeline.partial_fit(X, y, classes=[0, 1, 2], **{wrong: np.ones(N_ROWS)})
    assert not fitted(pipeline[0])


@pytest.mark.parametrize("verb", ["prequential_predict_proba", "prequential_transform"])
@pytest.mark.parametrize(
    ("chunk_size", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("all", TypeError)]
)
def test_chunk_size_is_checked(verb, chunk_size, error, X, y):
    last = GaussianNB() if verb == "prequential_predict_proba" else sknorm.MinMaxScaler()
    with pytest.raises(error, match="chunk_size"):
        getattr(make_streaming_pipeline(last), verb)(X, y, chunk_size=chunk_size)


def test_a_table_without_rows(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).fit(X, y)
    with pytest.raises(ValueError, match="X has no rows"):
        pipeline.prequential_predict_proba(X[:0], y[:0])


def test_classes_that_contradict_what_was_learned(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).fit(X, y)
    with pytest.raises(ValueError, match=r"classes are .*, but the last step has learned"):
        pipeline.prequential_predict_proba(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"y has the labels .*9.*, which are not among the classes"):
        pipeline.prequential_predict_proba(*bad_label(X, y))
    with pytest.raises(ValueError, match=r"y should be a 1d array"):
        pipeline.prequential_predict_proba(X, np.stack([y, y], axis=1))


class Growing(ClassifierMixin, BaseEstimator):
    """Has the classes that it has met: one column after the first chunk."""

    def fit(self, X, y):
        return self.partial_fit(X, y)

    def partial_fit(self, X, y):
        self.n_classes_ = 1
        return self

    def predict_proba(self, X):
        return np.ones((len(X), self.n_classes_))


def test_probabilities_of_another_shape_are_refused(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), Growing())
    with pytest.raises(ValueError, match=r"predict_proba returned an array of shape \(100, 1\), not \(100, 3\)"):
        pipeline.prequential_predict_proba(X, y)
    assert not fitted(pipeline[0])


def test_parameters_are_checked(X, y):
    with pytest.raises(ValueError, match="'memory' parameter of StreamingPipeline"):
        StreamingPipeline([("bayes", GaussianNB())], memory=3).partial_fit(X, y)
    with pytest.raises(TypeError, match="All intermediate steps should be transformers"):
        StreamingPipeline(name([GaussianNB(), GaussianNB()])).partial_fit(X, y)
    with pytest.raises(ValueError, match="Names provided are not unique"):
        StreamingPipeline([("a", sknorm.StandardScaler()), ("a", GaussianNB())]).partial_fit(X, y)
    with pytest.raises(ValueError, match="transform_input"):
        StreamingPipeline([("bayes", GaussianNB())], transform_input=["X_val"]).partial_fit(X, y)


# What is there.

ALL = {"partial_fit", "prequential_predict_proba", "prequential_transform"}


@pytest.mark.parametrize(
    ("last", "there"),
    [
        (GaussianNB(), {"partial_fit", "prequential_predict_proba"}),
        (SGDClassifier(loss="hinge"), {"partial_fit"}),
        (SGDRegressor(), {"partial_fit"}),
        (LogisticRegression(), set()),
        (PCA(), set()),
        (sknorm.MinMaxScaler(), {"partial_fit", "prequential_transform"}),
        (FunctionTransformer(), {"partial_fit", "prequential_transform"}),
        ("passthrough", {"partial_fit", "prequential_transform"}),
        (None, {"partial_fit", "prequential_transform"}),
        (FrozenEstimator(LogisticRegression()), {"partial_fit", "prequential_predict_proba"}),
        (make_streaming_pipeline(GaussianNB()), {"partial_fit", "prequential_predict_proba"}),
        (make_streaming_pipeline(sknorm.MinMaxScaler()), {"partial_fit", "prequential_transform"}),
        (make_pipeline(GaussianNB()), set()),
    ],
    ids=str,
)
def test_methods_are_there_if_the_last_step_allows(last, there):
    pipeline = StreamingPipeline([("scaler", sknorm.StandardScaler()), ("last", last)])
    assert {verb for verb in ALL if hasattr(pipeline, verb)} == there
    for verb in ALL - there:
        with pytest.raises(AttributeError, match=f"'StreamingPipeline' has no attribute '{verb}'") as raised:
            getattr(pipeline, verb)
        assert "The last step, 'last' (" in str(raised.value.__cause__)


def test_an_empty_pipeline_has_nothing():
    assert not any(hasattr(StreamingPipeline([]), verb) for verb in ALL)


# Containers.

CONTAINERS = {
    "array": lambda X: X,
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X)) * 10),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
}
TARGETS = {
    "array": lambda y: y,
    "list": lambda y: y.tolist(),
    "pandas": lambda y: pd.Series(y, index=np.arange(len(y)) * 10),
    "polars": lambda y: pl.Series("y", y),
}


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("foreign", [False, True])
def test_frames(container, target, output, foreign, X, y):
    middle = sklearn.preprocessing.MinMaxScaler() if foreign else sknorm.MinMaxScaler()
    make = lambda: make_streaming_pipeline(sknorm.StandardScaler(), clone(middle), GaussianNB())  # noqa: E731
    pipeline, twin = make().set_output(transform=output), make()
    for classes in ([0, 1, 2], None):
        np.testing.assert_allclose(
            pipeline.prequential_predict_proba(container(X), target(y), classes=classes, chunk_size=70),
            twin.prequential_predict_proba(X, y, classes=classes, chunk_size=70),
            rtol=1e-9,  # a frame lies in memory column by column, which sums in another order
        )
    pipeline.partial_fit(container(X), target(y))
    twin.partial_fit(X, y)
    np.testing.assert_allclose(pipeline.predict_proba(container(X)), twin.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("chunk_size", [50, 1000])
def test_prequential_transform_gives_what_transform_gives(container, output, chunk_size, X):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), sklearn.preprocessing.MinMaxScaler())
    pipeline.set_output(transform=output)
    transformed = pipeline.prequential_transform(container(X), chunk_size=chunk_size)
    usual = pipeline.transform(container(X))
    assert type(transformed) is type(usual)
    assert transformed.shape == usual.shape
    assert list(getattr(transformed, "columns", [])) == list(getattr(usual, "columns", []))
    if output == "pandas":
        assert transformed.index.equals(usual.index)
    plain = make_streaming_pipeline(sknorm.StandardScaler(), sklearn.preprocessing.MinMaxScaler())
    np.testing.assert_array_equal(np.asarray(transformed), plain.prequential_transform(X, chunk_size=chunk_size))


@pytest.mark.parametrize(
    "make", [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array], ids=lambda make: make.__name__
)
def test_sparse(make, X, y):
    table = make(np.where(X > 1, np.abs(X), 0.0))
    steps = lambda: make_streaming_pipeline(sknorm.MaxAbsScaler(), MultinomialNB())  # noqa: E731
    dense = steps().prequential_predict_proba(table.toarray(), y, chunk_size=60)
    np.testing.assert_allclose(steps().prequential_predict_proba(table, y, chunk_size=60), dense, rtol=1e-12)
    transformed = steps()[:-1].prequential_transform(table, chunk_size=60)
    assert sp.issparse(transformed)
    assert isinstance(transformed, sp.sparray) == isinstance(table, sp.sparray)
    np.testing.assert_array_equal(transformed.toarray(), steps()[:-1].prequential_transform(table.toarray()))


def test_rows_that_are_text(y):
    texts = [f"row {label} {number % 7}" for number, label in enumerate(y)]
    pipeline = make_streaming_pipeline(HashingVectorizer(n_features=32), log_loss())
    probabilities = pipeline.prequential_predict_proba(texts, y.tolist(), chunk_size=50)
    hashed = HashingVectorizer(n_features=32).transform(texts)
    np.testing.assert_array_equal(probabilities, prequential([log_loss()], hashed, y, [0, 1, 2], 50))


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


# A Pipeline in all else.

COMPARED = {
    "classifier": [sknorm.StandardScaler(), log_loss()],
    "bayes": [sknorm.StandardScaler(), sknorm.MinMaxScaler(), GaussianNB()],
    "regressor": [sknorm.StandardScaler(), SGDRegressor(random_state=0)],
    "not in parts": [sknorm.StandardScaler(), KNeighborsClassifier()],
    "transformers": [sknorm.StandardScaler(), sknorm.MinMaxScaler()],
    "stateless first": [Normalizer(), sknorm.StandardScaler(), log_loss()],
    "stateless last": [sknorm.StandardScaler(), FunctionTransformer()],
    "passthrough": [sknorm.StandardScaler(), "passthrough", GaussianNB()],
    "projection": [sklearn.preprocessing.StandardScaler(), IncrementalPCA(1), log_loss()],
    "nested": [sknorm.StandardScaler(), make_streaming_pipeline(sknorm.MinMaxScaler(), GaussianNB())],
}


def outcomes(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    return {result["check_name"]: result["status"] for result in results}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("steps", COMPARED.values(), ids=COMPARED)
def test_check_estimator_finds_what_it_finds_in_a_pipeline(steps):
    ours, theirs = outcomes(StreamingPipeline(name(steps))), outcomes(Pipeline(name(steps)))
    assert ours == theirs
    assert list(ours.values()).count("passed") >= 40


@pytest.mark.parametrize("steps", COMPARED.values(), ids=COMPARED)
def test_fits_and_predicts_as_a_pipeline(steps, X, y):
    ours, theirs = (kind(name(clone(steps, safe=False))).fit(X, y) for kind in (StreamingPipeline, Pipeline))
    verbs = ["predict", "predict_proba", "decision_function", "transform", "get_feature_names_out"]
    assert [hasattr(ours, verb) for verb in verbs] == [hasattr(theirs, verb) for verb in verbs]
    for verb in verbs[:4]:
        if hasattr(ours, verb):
            np.testing.assert_array_equal(getattr(ours, verb)(X), getattr(theirs, verb)(X))
    assert get_tags(ours) == get_tags(theirs)


def test_parts_copies_and_parameters(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(clip=3), sknorm.MinMaxScaler(), GaussianNB())
    assert type(pipeline[:-1]) is StreamingPipeline
    assert pipeline[:-1][0] is pipeline["standardscaler"] is pipeline.named_steps.standardscaler
    pipeline.partial_fit(X, y, classes=[0, 1, 2])
    twin = clone(pipeline)
    assert type(twin) is StreamingPipeline
    assert not fitted(twin)
    assert twin.get_params()["standardscaler__clip"] == 3
    twin.set_params(standardscaler__clip=None, minmaxscaler="passthrough").partial_fit(X, y, classes=[0, 1, 2])
    assert pickle.loads(pickle.dumps(pipeline)).predict(X).tolist() == pipeline.predict(X).tolist()
    assert state_of(copy.deepcopy(pipeline)) == state_of(pipeline)
    assert repr(pipeline).startswith("StreamingPipeline(steps=[('standardscaler', StandardScaler(clip=3)),")
    assert "StreamingPipeline" in pipeline._repr_html_()
    assert pipeline.n_features_in_ == 4
    assert list(pipeline[:-1].get_feature_names_out(list("abcd"))) == list("abcd")


def test_in_a_grid_search(X, y):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), log_loss())
    plain = make_pipeline(sknorm.StandardScaler(), log_loss())
    grid = {"standardscaler__clip": [None, 1.0], "sgdclassifier__alpha": [1e-4, 1e-1]}
    ours, theirs = (GridSearchCV(each, grid, cv=3).fit(X, y) for each in (pipeline, plain))
    assert ours.cv_results_["mean_test_score"].tolist() == theirs.cv_results_["mean_test_score"].tolist()
    ours.best_estimator_.prequential_predict_proba(X, y)


def test_memory_is_for_fit(X, y, tmp_path):
    pipeline = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB(), memory=str(tmp_path)).fit(X, y)
    twin = make_streaming_pipeline(sknorm.StandardScaler(), GaussianNB()).fit(X, y)
    assert state_of(pipeline.partial_fit(X * 2, y)) == state_of(twin.partial_fit(X * 2, y))


def test_make_streaming_pipeline_is_make_pipeline():
    steps = [sknorm.StandardScaler(), sknorm.StandardScaler(), "passthrough", GaussianNB()]
    given = {"memory": "folder", "verbose": True, "transform_input": ["X_val"]}
    ours, theirs = make_streaming_pipeline(*steps, **given), make_pipeline(*steps, **given)
    assert ours.get_params() == theirs.get_params()
    assert type(ours) is StreamingPipeline


# Callbacks, from scikit-learn 1.9 on.


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
