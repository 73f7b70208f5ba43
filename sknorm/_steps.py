"""What a step of a pipeline can do, and how it is put back after an error."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sknorm._chunks import copied
from sknorm._learning import Learner
from sknorm.grouped import GroupedScaler


def is_passthrough(step: Any) -> bool:
    """Say whether a step stands for nothing."""
    return step is None or (isinstance(step, str) and step == "passthrough")


def learns(step: Any) -> bool:
    """Say whether a step has anything to learn: it is neither a passthrough, nor stateless, nor frozen."""
    return not is_passthrough(step) and not isinstance(step, FrozenEstimator) and get_tags(step).requires_fit


def learns_in_parts(step: Any) -> bool:
    """Say whether ``partial_fit`` can teach a step all that it has to learn."""
    return not learns(step) or hasattr(step, "partial_fit")


def is_fitted(step: Any) -> bool:
    """Say whether a step knows enough to transform or predict."""
    try:
        return is_passthrough(step) or check_is_fitted(step) is None
    except NotFittedError:
        return False


def unfitted(step: Any) -> Iterator[Any]:
    """Yield the estimators in a step that know nothing yet."""
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            yield from unfitted(inner)
    elif not is_fitted(step):
        yield step


def takes_classes(step: Any) -> bool:
    """Say whether a step's ``partial_fit`` has a parameter ``classes``."""
    return "classes" in inspect.signature(step.partial_fit).parameters


def states(step: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each estimator in a step with a copy of its attributes that later learning leaves alone."""
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            yield from states(inner)
    elif isinstance(step, (Learner, GroupedScaler)) or (not learns(step) and not is_passthrough(step)):
        # What a scaler has learned is never changed, only replaced; groups take changes back themselves.
        yield step, dict(vars(step))
    elif not is_passthrough(step):
        callbacks = vars(step).get("_skl_callbacks")
        try:
            state = copy.deepcopy(vars(step), {id(callbacks): callbacks})
        except TypeError as error:
            raise TypeError(
                f"{type(step).__name__} cannot be copied ({error}), so it could not be put back after an error; "
                "a step of a StreamingPipeline must be one that copy.deepcopy takes."
            ) from error
        yield step, state


def grouped(step: Any) -> Iterator[Any]:
    """Yield what the fitted `GroupedScaler` in a step have learned."""
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            yield from grouped(inner)
    elif isinstance(step, GroupedScaler) and is_fitted(step):
        yield step._learned.groups


@contextmanager
def all_or_nothing(pipeline: Pipeline) -> Iterator[None]:
    """Put every step back as it was if anything is raised."""
    before = list(states(pipeline))
    try:
        with ExitStack() as stack:
            for groups in grouped(pipeline):
                stack.enter_context(groups.all_or_nothing())
            yield
    except BaseException:
        for step, state in before:
            for name in vars(step).keys() - state.keys():
                del vars(step)[name]
            vars(step).update(state)
        raise


def learn(step: Any, X: Any, y: Any, given: Any, classes: Any = None) -> None:
    """Let a step learn; one that has nothing to learn is fitted once, which records the columns."""
    if learns(step):
        known = {"classes": classes} if classes is not None and takes_classes(step) else {}
        step.partial_fit(X, y, **known, **given["partial_fit"])
    elif not hasattr(step, "n_features_in_"):
        step.fit(X, y)


def learn_and_transform(step: Any, X: Any, y: Any, given: Any) -> Any:
    """Let a step learn from X and return what it makes of X then."""
    if hasattr(step, "_learn_and_transform"):  # a pipeline within: X goes through it once
        return step._learn_and_transform(X, y, {**given["partial_fit"], **given["transform"]})
    learn(step, X, y, given)
    return step.transform(X, **given["transform"])


def transform_and_learn(step: Any, X: Any, y: Any, given: Any, settle: bool) -> Any:
    """Return what a step makes of X by what it knew before, and let it learn from X.

    One that knows nothing learns first, or, unless ``settle``, scales row after row, where it can.
    """
    if hasattr(step, "_transform_and_learn"):
        return step._transform_and_learn(X, y, {**given["partial_fit"], **given["transform"]}, settle)
    if not learns(step) or not (is_fitted(step) or (hasattr(step, "prequential_transform") and not settle)):
        return learn_and_transform(step, X, y, given)
    if hasattr(step, "prequential_transform"):
        return step.prequential_transform(X, y, **given["partial_fit"])
    # A transformer that works in place would leave nothing to learn from.
    transformed = step.transform(copied(X), **given["transform"])
    learn(step, X, y, given)
    return transformed
