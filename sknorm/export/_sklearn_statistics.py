"""What scikit-learn's scalers have learned, as statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sklearn.preprocessing
from numpy.typing import NDArray
from scipy.special import ndtri

from sknorm.scalers.maxabs import MaxAbsScaler
from sknorm.scalers.minmax import MinMaxScaler
from sknorm.scalers.robust import RobustScaler
from sknorm.scalers.standard import StandardScaler
from sknorm.statistics import Extremes, Moments, Quantiles


def moments_of(scaler: Any) -> Moments:
    """Return the statistic of scikit-learn's StandardScaler."""
    count = np.broadcast_to(np.asarray(scaler.n_samples_seen_, np.float64), scaler.n_features_in_)
    mean, variance = (
        np.zeros(count.shape) if of is None else np.asarray(of, np.float64) for of in (scaler.mean_, scaler.var_)
    )
    if scaler.scale_ is not None:
        scale = np.asarray(scaler.scale_, np.float64)
        variance = np.where((scale == 1) & (np.sqrt(variance) != 1), 0.0, variance)  # a constant
    seen = (count > 0) & ~np.isnan(mean) & ~np.isnan(variance)
    rows = np.where(seen, [mean, np.zeros(count.shape), variance * count, count], 0.0)
    return Moments(rows[:, np.newaxis])


def extremes_of(scaler: Any) -> Extremes:
    """Return the statistic of scikit-learn's MinMaxScaler or MaxAbsScaler."""
    if hasattr(scaler, "max_abs_"):
        high = np.asarray(scaler.max_abs_, np.float64)
        low = -high
    else:
        low, high = (np.asarray(of, np.float64) for of in (scaler.data_min_, scaler.data_max_))
    seen = ~np.isnan(high)
    rows = [np.where(seen, scaler.n_samples_seen_, 0.0), np.where(seen, low, np.inf), np.where(seen, high, -np.inf)]
    return Extremes(np.array(rows)[:, np.newaxis])


def quantiles_of(scaler: Any) -> Quantiles:
    """Return a statistic that has the median and the quantiles of scikit-learn's RobustScaler.

    Three values, weighted so that each quantile lies within the repeats of one.
    """
    low, high = (end / 100 for end in scaler.quantile_range)
    if not 0 <= low < 0.5 < high <= 1:
        raise ValueError(
            f"A RobustScaler with quantile_range={scaler.quantile_range} cannot be taken over, since it does not "
            "enclose 50: there is no table that has its median and its quantiles."
        )
    nothing = np.zeros(scaler.n_features_in_)
    centre = nothing if scaler.center_ is None else np.asarray(scaler.center_, np.float64)
    spread = nothing if scaler.scale_ is None else np.asarray(scaler.scale_, np.float64)
    if scaler.unit_variance:
        spread = spread * (ndtri(high) - ndtri(low))
    total = 1.0 + math.ceil(2 / min(0.5 - low, high - 0.5))
    below, above = math.ceil(low * (total - 1)) + 1.0, total - math.floor(high * (total - 1))
    weights = np.array([below, total - below - above, above])
    values = around(centre, spread)
    values[:, np.isnan(values).any(axis=0)] = np.nan
    return Quantiles.exact(values, weights, probabilities=(low, 0.5, high))


def around(centre: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for every column, values (low, centre, high) whose ends differ by the spread.

    Far from zero doubles are sparse, so that not any two ends that do so exist: what was learned from is tried, above,
    below and around the centre, and what comes next to it is taken.
    """
    tried = []
    with np.errstate(over="ignore", invalid="ignore"):
        for low in (centre - spread / 2, centre, centre - spread):
            high = np.maximum(low + spread, centre)
            tried.append([low, centre, high])
        ends = np.array(tried)
        off = np.abs(ends[:, 2] - ends[:, 0] - spread)
    best = np.argmin(np.where(np.isnan(off), np.inf, off), axis=0)
    return np.take_along_axis(ends, best[np.newaxis, np.newaxis], axis=0)[0]


# For each class of scikit-learn, ours, and what reads its statistic.
STATISTICS: dict[Any, tuple[Any, Any]] = {
    sklearn.preprocessing.StandardScaler: (StandardScaler, moments_of),
    sklearn.preprocessing.MinMaxScaler: (MinMaxScaler, extremes_of),
    sklearn.preprocessing.MaxAbsScaler: (MaxAbsScaler, extremes_of),
    sklearn.preprocessing.RobustScaler: (RobustScaler, quantiles_of),
}
