"""scikit-learn's callbacks where it has them (1.9 and later); they cost nothing where none is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias, TypeVar

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin in releases without callbacks."""

    with_callbacks = None

__all__ = ["CallbackSupportMixin", "as_task", "with_callbacks"]

Result = TypeVar("Result")
Subtask: TypeAlias = Callable[[], AbstractContextManager[None]]


def as_task(
    estimator: Any,
    work: Callable[[Subtask], Result],
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    name: str = "fit",
    n_subtasks: int = 0,
) -> Result:
    """Return what ``work`` returns, run as one task of the estimator's callbacks.

    ``work`` is given what makes each of its parts a subtask, of which there are ``n_subtasks``.
    """
    if "_skl_callbacks" not in estimator.__dict__ and "_parent_callback_ctx" not in estimator.__dict__:
        return work(nullcontext)
    return with_callbacks(_run)(estimator, work, X, y, sample_weight, name, n_subtasks)


def _run(
    estimator: Any,
    work: Callable[[Subtask], Result],
    X: Any,
    y: Any,
    sample_weight: Any,
    name: str,
    n_subtasks: int,
) -> Result:
    @contextmanager
    def subtask() -> Iterator[None]:
        part = context.subcontext(task_name="chunk")
        part.call_on_fit_task_begin(estimator=estimator)
        yield
        part.call_on_fit_task_end(estimator=estimator)

    context = estimator._init_callback_context(task_name=name, max_subtasks=n_subtasks)
    about = {"estimator": estimator, "X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
    context.call_on_fit_task_begin(**about)
    result = work(subtask)
    context.call_on_fit_task_end(**about, reconstruction_attributes={})
    return result
