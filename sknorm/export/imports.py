"""Fitted scalers of scikit-learn, and layers of PyTorch and Keras, as fitted estimators of sknorm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sknorm._learned import Learned
from sknorm.export._sklearn_statistics import STATISTICS
from sknorm.rowwise import GroupNorm, InstanceNorm, LayerNorm
from sknorm.scalers.batch_norm import BatchNorm
from sknorm.scalers.maxabs import MaxAbsScaler
from sknorm.scalers.minmax import MinMaxScaler
from sknorm.scalers.robust import RobustScaler
from sknorm.scalers.standard import StandardScaler
from sknorm.statistics import Moments, Running, Statistic

Estimator = TypeVar("Estimator", bound=Any)


def from_sklearn(scaler: Any) -> StandardScaler | MinMaxScaler | MaxAbsScaler | RobustScaler:
    """Return what a fitted scaler of scikit-learn has learned as the fitted scaler of sknorm that has its name.

    Its parameters, its feature names and what it does to a table are the same, up to rounding, and `partial_fit` goes
    on as scikit-learn's would, where there is one: from the counts that it has kept.

    Parameters
    ----------
    scaler : StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler of scikit-learn
        What was fitted. It stays as it is.

    Returns
    -------
    scaler : scaler of sknorm
        The same, fitted.

    Raises
    ------
    TypeError
        If it is of another class.
    ValueError
        If it is a RobustScaler whose ``quantile_range`` does not enclose 50.
    NotFittedError
        If it is not fitted.

    Notes
    -----
    Of a column that scikit-learn took for a constant the variance is 0 from then on. A MaxAbsScaler keeps no sign, so
    the extremes are ∓max_abs. A RobustScaler keeps neither values nor a count, so that `partial_fit` goes on from a
    stand-in that has the same median and quantiles: three values that count as a few rows, 9 for quartiles.

    Examples
    --------
    >>> import sklearn.preprocessing
    >>> from sknorm.export import from_sklearn
    >>> theirs = sklearn.preprocessing.StandardScaler().fit([[1.0], [3.0]])
    >>> ours = from_sklearn(theirs)
    >>> ours.transform([[5.0]])
    array([[3.]])
    >>> ours.partial_fit([[5.0]]).mean_
    array([3.])
    """
    if type(scaler) not in STATISTICS:
        names = ", ".join(kind.__name__ for kind in STATISTICS)
        raise TypeError(f"from_sklearn takes one of scikit-learn's {names}, not {type(scaler).__name__}.")
    check_is_fitted(scaler)
    kind, statistic_of = STATISTICS[type(scaler)]
    theirs = scaler.get_params(deep=False)
    ours = kind(**{name: theirs[name] for name in kind().get_params(deep=False) if name in theirs})
    statistic = statistic_of(scaler)
    n_rows = float(np.max(getattr(scaler, "n_samples_seen_", statistic.count), initial=0.0))
    return knowing(ours, statistic, n_rows, getattr(scaler, "feature_names_in_", None))


def knowing(estimator: Estimator, history: Statistic, n_rows: float, names: Any = None) -> Estimator:
    """Return an estimator that is fitted: this was learned, from so many rows of columns with these names."""
    estimator._check_all_parameters()
    learned = Learned(history, n_rows)
    estimator._check_now(learned.now, names)
    columns = SimpleNamespace(n_features_in_=learned.statistic.count.shape[1])
    if names is not None:
        columns.feature_names_in_ = names
    estimator._take_over(learned, columns, first=True)
    return estimator


def from_torch(module: Any) -> BatchNorm | LayerNorm | GroupNorm | InstanceNorm:
    """Return a normalization layer of PyTorch, as it is in evaluation, as an estimator of sknorm.

    ``transform`` does to a table what ``module.eval()`` does to a tensor, in double. `BatchNorm` goes on from the
    running statistics, by PyTorch's rule.

    Parameters
    ----------
    module : torch.nn.BatchNorm1d, LayerNorm, GroupNorm or InstanceNorm1d
        It stays as it is.

    Returns
    -------
    estimator : BatchNorm, LayerNorm, GroupNorm or InstanceNorm
        The same; fitted, but for an InstanceNorm, which transforms a table of any width that its channels divide: one
        channel after the other, as ``flatten(1)`` puts them.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If `module` is of another class.
    ValueError
        If it is a BatchNorm1d that keeps no running statistics, an InstanceNorm1d that does, or a LayerNorm over more
        than the last axis.

    Notes
    -----
    PyTorch counts batches but no rows, so that ``n_samples_seen_`` is the number of batches.
    """
    try:
        from torch import nn
    except ImportError:
        raise ImportError('from_torch needs PyTorch; install it with pip install "sknorm[torch]".') from None
    kind = type(module)
    if kind not in (nn.BatchNorm1d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d):
        raise TypeError(f"from_torch takes a BatchNorm1d, LayerNorm, GroupNorm or InstanceNorm1d, not {kind.__name__}.")
    gain = {"eps": module.eps, "gamma": numbers_of(module.weight), "beta": numbers_of(module.bias)}
    if kind is nn.GroupNorm:
        return GroupNorm(module.num_groups, **gain).fit(np.zeros((1, module.num_channels)))
    if kind is nn.LayerNorm:
        if len(module.normalized_shape) != 1:
            raise ValueError(
                f"The rows of a table have one axis, but LayerNorm has the normalized_shape {module.normalized_shape}."
            )
        return LayerNorm(**gain).fit(np.zeros((1, *module.normalized_shape)))
    if kind is nn.InstanceNorm1d:
        if module.track_running_stats:
            raise ValueError(
                "An InstanceNorm1d with track_running_stats=True normalizes by running statistics in evaluation, which "
                "InstanceNorm has none of."
            )
        return InstanceNorm(module.num_features, **gain)
    if module.running_mean is None:
        raise ValueError("A BatchNorm1d with track_running_stats=False has learned nothing that could be taken over.")
    n_batches = float(module.num_batches_tracked)
    return batch_norm_of(BatchNorm(module.momentum, **gain), module.running_mean, module.running_var, n_batches)


def from_keras(layer: Any, *, n_samples: float = 1) -> StandardScaler | BatchNorm:
    """Return a normalization layer of Keras, as it is in inference, as a fitted estimator of sknorm.

    Parameters
    ----------
    layer : keras.layers.Normalization or BatchNormalization
        It is built, and normalizes the last axis of a table. It stays as it is.
    n_samples : float, default=1
        How many rows a Normalization counts as when `partial_fit` goes on from it, since Keras keeps no count.

    Returns
    -------
    estimator : StandardScaler or BatchNorm
        A StandardScaler of a Normalization; a ``BatchNorm(update="keras")`` of a BatchNormalization.

    Raises
    ------
    ImportError
        If Keras 3 is not installed.
    TypeError
        If `layer` is of another class.
    ValueError
        If it normalizes another axis, or inverts; or if `n_samples` is not positive.
    NotFittedError
        If it has not learned, or not been given, its numbers yet.

    Notes
    -----
    A column of variance 0 is divided by 1, where Keras's Normalization divides by its epsilon, 1e-7. A
    BatchNormalization counts as one batch of one row.
    """
    try:
        from keras.layers import BatchNormalization, Normalization
    except ImportError as error:
        raise ImportError('from_keras needs Keras 3; install it with pip install "sknorm[keras]".') from error
    kind = type(layer)
    if kind not in (Normalization, BatchNormalization):
        raise TypeError(f"from_keras takes a Normalization or BatchNormalization of Keras, not {kind.__name__}.")
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0] if len(layer.axis) == 1 else None
    if axis not in (-1, 1):
        raise ValueError(f"The columns of a table are its last axis, but {kind.__name__} has axis={layer.axis!r}.")
    mean = layer.mean if kind is Normalization else getattr(layer, "moving_mean", None)
    if mean is None:
        raise NotFittedError(f"This {kind.__name__} knows no mean yet; adapt, build or call it first.")
    if kind is BatchNormalization:
        gain = {"gamma": numbers_of(layer.gamma), "beta": numbers_of(layer.beta)}
        ours = BatchNorm(layer.momentum, layer.epsilon, **gain, update="keras")
        return batch_norm_of(ours, mean, layer.moving_variance, 1.0)
    if layer.invert:
        raise ValueError("A Normalization with invert=True undoes a scaling; give the one that scales.")
    if not 0 < n_samples < np.inf:
        raise ValueError(f"n_samples must be a positive number, not {n_samples!r}.")
    mean, variance = (numbers_of(of).reshape(-1) for of in (mean, layer.variance))
    count = np.full(mean.shape, float(n_samples))
    table = np.array([mean, np.zeros(mean.shape), variance * count, count])[:, np.newaxis]
    return knowing(StandardScaler(), Moments(table), float(n_samples))


def numbers_of(tensor: Any) -> Any:
    """Return the numbers of a tensor of PyTorch or a variable of Keras as float64, None for None."""
    if tensor is None:
        return None
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    elif hasattr(tensor, "numpy"):
        tensor = tensor.numpy()
    return np.array(tensor, np.float64)


def batch_norm_of(norm: BatchNorm, mean: Any, variance: Any, n_batches: float) -> BatchNorm:
    """Return a BatchNorm that has these running statistics after so many batches."""
    mean, variance = numbers_of(mean), numbers_of(variance)
    count = np.full(mean.shape, n_batches)
    table = np.array([mean, variance, count, count])[:, np.newaxis]
    return knowing(norm, Running(table, norm._update()), n_batches)
