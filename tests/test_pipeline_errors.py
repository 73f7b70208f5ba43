"""After an error, every step of a StreamingPipeline is as it was."""

import threading

import numpy as np
import pytest
import sklearn
import sklearn.preprocessing
from pipelines import (
    N_ROWS,
    bad_label,
    each_transformers,
    fitted,
    log_loss,
    make_labels,
    make_rows,
    name,
    pipeline_of,
    state_of,
    steps_of,
)
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB

import sknorm
from sknorm import StreamingPipeline, make_streaming_pipeline


@pytest.fixture
def X(rng):
    return make_rows(rng)


@pytest.fixture
def y(X, rng):
    return make_labels(X, rng)


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


class Locked(Fails):
    """Holds what no copy can be made of."""

    def fit(self, X, y=None):
        self.lock_ = threading.Lock()
        return super().fit(X, y)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_predict_proba"])
def test_a_step_that_cannot_be_copied_is_named(verb, nested, X, y):
    locked = Locked(at=None)
    steps = [sknorm.StandardScaler(), locked]
    steps = [make_streaming_pipeline(*steps)] if nested else steps
    pipeline = make_streaming_pipeline(*steps, GaussianNB()).fit(X, y)
    lock, total = locked.lock_, locked.total_.copy()
    others = [step for step in steps_of(pipeline) if step is not locked]
    before = state_of(*others)
    with pytest.raises(TypeError, match=r"^Locked cannot be copied \(.*lock.*\), so it could not be put back"):
        getattr(pipeline, verb)(X, y)
    assert state_of(*others) == before
    assert locked.lock_ is lock
    np.testing.assert_array_equal(locked.total_, total)


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
