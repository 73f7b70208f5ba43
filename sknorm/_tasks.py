"""Tasks of scikit-learn's callbacks; they cost nothing where no callback is set."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias, TypeVar

from sklearn.utils.metaestimators import available_if

from sknorm._callbacks import with_callbacks

Method = TypeVar("Method", bound=Callable[..., Any])
Subtask: TypeAlias = Callable[..., AbstractContextManager[None]]


def available(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
    """Make a method available where a check of its object passes: scikit-learn's ``available_if``, with types."""
    return available_if(check)


def tears_down(method: Method) -> Method:
    """Make a method tell the callbacks when it is over, also by an error."""
    return with_callbacks(method) if with_callbacks else method


def no_subtask(name: str, X: Any, y: Any, step: Any = None) -> AbstractContextManager[None]:
    """Do nothing, as a part of a task that nobody follows."""
    return nullcontext()


@contextmanager
def task(pipeline: Any, name: str, n_subtasks: int, X: Any, y: Any) -> Iterator[Subtask]:
    """Run as a task that learns X; yields what makes each of its parts a subtask.

    A subtask of a step hands the callbacks on to it. At the end of the others the callbacks can have the pipeline as it
    is then: a copy, for the pipeline goes on learning.
    """
    if "_skl_callbacks" not in vars(pipeline) and "_parent_callback_ctx" not in vars(pipeline):
        yield no_subtask
        return

    def reconstruction_attributes() -> dict[str, Any]:
        own = [vars(step).get("_skl_callbacks") for _, step in pipeline.steps if hasattr(step, "__dict__")]
        return {"steps": copy.deepcopy(pipeline.steps, {id(callbacks): callbacks for callbacks in own})}

    @contextmanager
    def subtask(name: str, X: Any, y: Any, step: Any = None) -> Iterator[None]:
        context = root.subcontext(task_name=name)
        with nullcontext() if step is None else context.propagate_callback_context(step):
            context.call_on_fit_task_begin(estimator=pipeline, X=X, y=y)
            yield
            whole = {} if step is not None else {"reconstruction_attributes": reconstruction_attributes}
            context.call_on_fit_task_end(estimator=pipeline, X=X, y=y, **whole)

    root = pipeline._init_callback_context(task_name=name, max_subtasks=n_subtasks)
    root.call_on_fit_task_begin(estimator=pipeline, X=X, y=y)
    yield subtask
    root.call_on_fit_task_end(estimator=pipeline, X=X, y=y, reconstruction_attributes=reconstruction_attributes)
