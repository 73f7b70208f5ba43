"""A pipeline that learns from a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import column_or_1d
from sklearn.utils.metadata_routing import UNUSED, process_routing

from sknorm._chunks import Chunks
from sknorm._steps import (
    all_or_nothing,
    is_fitted,
    is_passthrough,
    learn,
    learn_and_transform,
    learns_in_parts,
    transform_and_learn,
    unfitted,
)
from sknorm._tasks import available, task, tears_down
from sknorm.state import Persistent


def last_step_can(*verbs: str) -> Callable[[Any], bool]:
    """Return a check that the last step learns in parts and has some methods."""

    def check(pipeline: Any) -> bool:
        name, step = pipeline.steps[-1]
        lacking = [verb for verb in verbs if not hasattr(step, verb)]
        if not learns_in_parts(step):
            lacking.append("partial_fit")
        if lacking:
            raise AttributeError(f"The last step, {name!r} ({type(step).__name__}), has no {lacking[0]}.")
        return True

    return check


def last_step_transforms(pipeline: Any) -> bool:
    """Say whether the last step transforms and learns in parts."""
    return is_passthrough(pipeline.steps[-1][1]) or last_step_can("transform")(pipeline)


class StreamingPipeline(Persistent, Pipeline):
    """Chain transformers and a last estimator, as scikit-learn's ``Pipeline`` does, and learn from a stream.

    What a ``Pipeline`` can do it does in the same way. Beyond that, ``partial_fit`` takes a batch through all steps,
    and ``prequential_predict_proba`` tests on every row before it learns from it.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        The names of the steps and their estimators, in order; "passthrough" or None for one that does nothing.
    transform_input : list of str, default=None
        Names of metadata that the earlier steps transform before a step gets it. Needs metadata routing.
    memory : str or object with the joblib.Memory interface, default=None
        Where ``fit`` keeps fitted transformers; what learns in parts is not kept.
    verbose : bool, default=False
        Whether ``fit`` prints the time that each step takes.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.
    classes_ : ndarray of shape (n_classes,)
        The classes of the last step, if that is a classifier.
    n_features_in_ : int
        The number of features, as the first step has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    make_streaming_pipeline : Names the steps by itself.

    Notes
    -----
    A step without anything to learn only transforms: one that is stateless, such as ``FunctionTransformer`` (at first
    it is fitted, which checks its parameters and records the columns), or wrapped in
    ``sklearn.frozen.FrozenEstimator``.

    If a method that learns in parts raises, every step is put back as it was before the call. sknorm's scalers make
    that free; of what other steps have learned, a copy is taken at each call. X itself is not put back where a
    step works in place (``copy=False``).

    References
    ----------
    A. P. Dawid, "Present position and potential developments: some personal views: statistical theory: the prequential
    approach", Journal of the Royal Statistical Society A 147(2), 1984.
    J. Gama, R. Sebastião and P. P. Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90(3), 2013.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sknorm import StandardScaler, StreamingPipeline
    >>> pipeline = StreamingPipeline([("scaler", StandardScaler()), ("classifier", GaussianNB())])
    >>> X, y = [[1.0], [2.0], [11.0], [12.0]], [0, 0, 1, 1]
    >>> pipeline.partial_fit(X, y, classes=[0, 1]).predict([[1.5], [10.0]])
    array([0, 1])
    >>> pipeline.prequential_predict_proba([[2.5], [12.5]], [0, 1]).round(2)
    array([[1., 0.],
           [0., 1.]])
    """

    # It is for the last step, and goes there by name.
    __metadata_request__partial_fit: ClassVar[dict[str, str]] = {"classes": UNUSED}

    @available(last_step_can())
    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **params: Any) -> Self:
        """Learn from a batch in addition to what was learned before, by ``fit`` or by ``partial_fit``.

        Every transformer learns from the batch, then transforms it for the next step. Only available if the last step
        has ``partial_fit`` or nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The next rows, as the first step takes them.
        y : array-like of shape (n_samples,), default=None
            Their targets.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come, for the last step: classifiers need them in the first call.
        **params : dict of str -> object
            Parameters of the steps' ``partial_fit``, as ``step__parameter``; with metadata routing, what the steps
            requested for ``partial_fit`` and ``transform``.

        Returns
        -------
        self : object
            The pipeline.

        Raises
        ------
        TypeError
            If a transformer that has to learn has no ``partial_fit``. Nothing has changed then.
        ValueError
            If a step refuses the batch. Every step is put back as it was.
        """
        self._check_steps()
        with all_or_nothing(self):
            self._learn_and_transform(X, y, params, classes, transform=False)
        return self

    @available(last_step_can("predict_proba"))
    def prequential_predict_proba(
        self, X: Any, y: Any, *, classes: Any = None, chunk_size: int = 100, **params: Any
    ) -> NDArray[np.float64]:
        """Predict each row before its label is learned, and learn from all (test, then train).

        Rows go through in chunks: a chunk is transformed, predicted, and then learned from. Only available if the last
        step has ``predict_proba``, and ``partial_fit`` or nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The next rows, in the order of time.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come. None means those that the last step knows, or, before it has learned
            anything, those of y.
        chunk_size : int, default=100
            Rows that the last step predicts and then learns together; 1 is the slowest and the closest to a stream.
        **params : dict of str -> object
            As in ``partial_fit``; what has a value a row is taken apart with the rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            The probability of each class, in the order of ``classes_``; 1/n_classes for the first chunk if a step knew
            nothing before it.

        Raises
        ------
        TypeError
            If a transformer that has to learn has no ``partial_fit``. Nothing has changed then.
        ValueError
            If y has a label that is not among the classes, or a step refuses a chunk. Every step is put back as it was
            before the call.

        Notes
        -----
        Within a chunk, transformers that have ``prequential_transform`` (sknorm's scalers) scale each row with what
        came before that row; others transform with what came before the chunk. A transformer that knows nothing learns
        its first chunk first; that one is not predicted.
        """
        self._check_steps()
        chunks = Chunks(X, y, chunk_size, params)
        classes = self._all_classes(chunks.y, classes)
        probabilities = np.full((chunks.n_rows, len(classes)), 1 / len(classes))
        with all_or_nothing(self):
            self._predict_chunks(chunks, classes, probabilities)
        return probabilities

    @available(last_step_transforms)
    def prequential_transform(self, X: Any, y: Any = None, *, chunk_size: int = 100, **params: Any) -> Any:
        """Transform each row by what was known before it, and learn from all.

        Only available if all steps transform, and the last has ``partial_fit`` or nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The next rows, in the order of time.
        y : array-like of shape (n_samples,), default=None
            Their targets, for transformers that learn from them.
        chunk_size : int, default=100
            Rows that go through together; of no consequence for a scaler that takes row by row.
        **params : dict of str -> object
            As in ``partial_fit``; what has a value a row is taken apart with the rows.

        Returns
        -------
        X_tr : {ndarray, sparse matrix, frame} of shape (n_samples, n_features_out)
            The transformed rows.

        Raises
        ------
        TypeError
            If a transformer that has to learn has no ``partial_fit``. Nothing has changed then.
        ValueError
            If a step refuses a chunk. Every step is put back as it was before the call.

        Notes
        -----
        Transformers that have ``prequential_transform`` (sknorm's scalers) take each row with what came before it, the
        first row with nothing; others take each chunk with what came before the chunk, except that one that knows
        nothing learns its first chunk first.
        """
        self._check_steps()
        chunks = Chunks(X, y, chunk_size, params)
        with all_or_nothing(self):
            return chunks.join(self._transform_chunks(chunks))

    @tears_down
    def _learn_and_transform(
        self, X: Any, y: Any, params: dict[str, Any], classes: Any = None, transform: bool = True
    ) -> Any:
        """Let every step learn X as the steps before it make it; return what the last makes of it, if wanted."""
        last = len(self.steps) - 1
        with task(self, "partial-fit", len(self.steps), X, y) as subtask:
            for index, name, step, given in self._each_step(params):
                with subtask(f"partial-fit-{name}", X, y, step):
                    if index < last or transform:
                        X = learn_and_transform(step, X, y, given)
                    else:
                        learn(step, X, y, given, classes)
        return X

    @tears_down
    def _predict_chunks(self, chunks: Chunks, classes: Any, probabilities: NDArray[np.float64]) -> None:
        """Fill in the probabilities of each chunk, where a step knew something before it, and learn from all."""
        with task(self, "prequential-predict-proba", len(chunks), chunks.X, chunks.y) as subtask:
            for chunk in chunks:
                with subtask("chunk", chunk.X, chunk.y):
                    predicted = self._predict_and_learn(chunk.X, chunk.y, classes, chunk.params)
                    if predicted is not None:
                        probabilities[chunk.rows] = check_shape(predicted, probabilities[chunk.rows])

    @tears_down
    def _transform_chunks(self, chunks: Chunks) -> list[Any]:
        """Return what all steps make of each chunk, and learn from all."""
        parts = []
        with task(self, "prequential-transform", len(chunks), chunks.X, chunks.y) as subtask:
            for chunk in chunks:
                with subtask("chunk", chunk.X, chunk.y):
                    parts.append(self._transform_and_learn(chunk.X, chunk.y, chunk.params, settle=False))
        return parts

    def _predict_and_learn(self, X: Any, y: Any, classes: Any, params: dict[str, Any]) -> Any:
        """Return the probabilities of a chunk, or None if a step knows nothing, and learn from it."""
        new, last = list(unfitted(self)), len(self.steps) - 1
        for index, _, step, given in self._each_step(params):
            if index < last:
                X = transform_and_learn(step, X, y, given, settle=True)
        # A step that knows nothing even now is stateless, though it may not say so.
        informed = any(is_fitted(known) for known in new)
        if isinstance(step, StreamingPipeline):
            predicted = step._predict_and_learn(X, y, classes, given["partial_fit"])
        else:
            ready = is_fitted(step)
            predicted = step.predict_proba(X) if ready else None
            learn(step, X, y, given, None if ready else classes)
        return None if informed else predicted

    def _transform_and_learn(self, X: Any, y: Any, params: dict[str, Any], settle: bool) -> Any:
        """Take a chunk through all steps; see `transform_and_learn`."""
        for _, _, step, given in self._each_step(params):
            X = transform_and_learn(step, X, y, given, settle)
        return X

    def _each_step(self, params: dict[str, Any]) -> Iterator[tuple[int, str, Any, Any]]:
        """Yield the number and the name of each step that is none to be passed through, and what it is given."""
        routed = self._route(params)
        for index, name, step in self._iter():
            given = self._get_metadata_for_step(step_idx=index, step_params=routed[name], all_params=params)
            yield index, name, step, given

    def _route(self, params: dict[str, Any]) -> Any:
        """Return {step: {method: parameters}}."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "partial_fit", **params)
        routed: dict[str, Any] = {name: {"partial_fit": {}, "transform": {}} for name, _ in self.steps}
        for key, value in params.items():
            name, _, parameter = key.partition("__")
            if not parameter or name not in routed:
                raise ValueError(
                    f"{key!r} names no parameter of a step; write step__parameter, with one of the steps "
                    f"{', '.join(routed)}."
                )
            routed[name]["partial_fit"][parameter] = value
        return routed

    def get_metadata_routing(self) -> Any:
        """Return what the steps requested; ``partial_fit`` hands it on to their ``partial_fit`` and ``transform``.

        Returns
        -------
        routing : MetadataRouter
            The requests of all steps.
        """
        router = super().get_metadata_routing()
        for _, step in router:
            step.mapping.add(caller="partial_fit", callee="partial_fit")
            step.mapping.add(caller="partial_fit", callee="transform")
        return router

    def _all_classes(self, y: Any, classes: Any) -> NDArray[Any]:
        """Return the classes in the order of the probabilities, after checking that y has no others."""
        labels = np.unique(column_or_1d(y))
        known = getattr(self, "classes_", None)
        if known is None:
            known = labels if classes is None else np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(f"classes are {list(classes)}, but the last step has learned {list(known)}.")
        if not np.isin(labels, known).all():
            raise ValueError(f"y has the labels {list(np.setdiff1d(labels, known))}, which are not among the classes.")
        return known

    # Documents; see `Persistent`. All that is learned is the steps'.

    def _write_learned(self) -> None:
        self._check_all_parameters()

    def _check_all_parameters(self) -> None:
        self._validate_params()
        self._validate_steps()
        if self.memory is not None:  # what lies in a cache is unpickled, so a document must not say where one is
            raise ValueError(f"a document holds no memory for fitted transformers, but memory is {self.memory!r}")

    def _check_steps(self) -> None:
        """Raise where a parameter is wrong or a transformer cannot learn in parts."""
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()
        if self.transform_input is not None and not get_config()["enable_metadata_routing"]:
            raise ValueError("transform_input needs sklearn.set_config(enable_metadata_routing=True).")
        self._validate_steps()
        for _, name, step in self._iter():
            if not learns_in_parts(step):
                raise TypeError(
                    f"Step {name!r} ({type(step).__name__}) has to learn but has no partial_fit: take a transformer "
                    "that has one, or fit it beforehand and wrap it in sklearn.frozen.FrozenEstimator."
                )
            if isinstance(step, StreamingPipeline):
                step._check_steps()


def check_shape(predicted: Any, expected: NDArray[np.float64]) -> Any:
    """Return probabilities if they are of the expected shape; NumPy would repeat a single column."""
    if np.shape(predicted) != expected.shape:
        raise ValueError(f"predict_proba returned an array of shape {np.shape(predicted)}, not {expected.shape}.")
    return predicted


def make_streaming_pipeline(
    *steps: Any, transform_input: list[str] | None = None, memory: Any = None, verbose: bool = False
) -> StreamingPipeline:
    """Chain estimators to a `StreamingPipeline`, each named after its class in lower case.

    Parameters
    ----------
    *steps : estimators
        The estimators, in order.
    transform_input : list of str, default=None
        As in `StreamingPipeline`.
    memory : str or object with the joblib.Memory interface, default=None
        As in `StreamingPipeline`.
    verbose : bool, default=False
        As in `StreamingPipeline`.

    Returns
    -------
    pipeline : StreamingPipeline
        The pipeline, not fitted.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sknorm import StandardScaler, make_streaming_pipeline
    >>> list(make_streaming_pipeline(StandardScaler(), GaussianNB()).named_steps)
    ['standardscaler', 'gaussiannb']
    """
    named = make_pipeline(*steps).steps
    return StreamingPipeline(named, transform_input=transform_input, memory=memory, verbose=verbose)
