"""Streams, pipelines to learn from them, and what a pipeline has learned, for its tests."""

import pickle

import numpy as np
import pytest
import sklearn
import sklearn.preprocessing
from sklearn.decomposition import IncrementalPCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import sknorm
from sknorm import StreamingPipeline

N_ROWS = 230


def make_rows(rng):
    """Return columns of different scales, which drift."""
    drift = np.linspace(0, 1, N_ROWS)[:, np.newaxis]
    return (rng.normal(size=(N_ROWS, 4)) + drift) * [1.0, 20.0, 0.01, 3.0] + [0.0, 100.0, 5.0, -7.0]


def make_labels(X, rng):
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
    "forgetting": lambda: [sknorm.StandardScaler(half_life=30), sknorm.MinMaxScaler(window=40)],
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


def bad_label(X, y):
    return X, np.where(np.arange(len(y)) == len(y) - 1, 9, y)
