"""StreamingPipeline is a Pipeline in all that a Pipeline does, and takes the tables that a Pipeline takes."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.preprocessing
from pipelines import (
    fitted,
    log_loss,
    make_labels,
    make_rows,
    name,
    prequential,
    state_of,
)
from sklearn.base import clone
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import sknorm
from sknorm import StreamingPipeline, make_streaming_pipeline


@pytest.fixture
def X(rng):
    return make_rows(rng)


@pytest.fixture
def y(X, rng):
    return make_labels(X, rng)


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


def scaled_twice(foreign):
    middle = sklearn.preprocessing.MinMaxScaler() if foreign else sknorm.MinMaxScaler()
    return make_streaming_pipeline(sknorm.StandardScaler(), middle, GaussianNB())


# What arrays give, by whether there is a scaler of scikit-learn: the table is the same in every test.
OF_ARRAYS = {}


def probabilities_of_arrays(foreign, X, y):
    """Return the probabilities of two prequential passes, and after one more part."""
    if foreign not in OF_ARRAYS:
        pipeline = scaled_twice(foreign)
        passes = [
            pipeline.prequential_predict_proba(X, y, classes=classes, chunk_size=70) for classes in ([0, 1, 2], None)
        ]
        OF_ARRAYS[foreign] = passes, pipeline.partial_fit(X, y).predict_proba(X)
    return OF_ARRAYS[foreign]


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("foreign", [False, True])
def test_frames(container, target, output, foreign, X, y):
    passes, afterwards = probabilities_of_arrays(foreign, X, y)
    pipeline = scaled_twice(foreign).set_output(transform=output)
    # A frame lies in memory column by column, which sums in another order.
    for classes, expected in zip(([0, 1, 2], None), passes, strict=True):
        probabilities = pipeline.prequential_predict_proba(container(X), target(y), classes=classes, chunk_size=70)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-9)
    pipeline.partial_fit(container(X), target(y))
    np.testing.assert_allclose(pipeline.predict_proba(container(X)), afterwards, rtol=1e-9)


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
