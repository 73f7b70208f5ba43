"""What a fitted estimator does to a table, as exporters read it: maps, whatever the estimator."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknorm._learning import Learner
from sknorm._steps import is_passthrough
from sknorm.grouped import GroupedScaler
from sknorm.maps import Affine, Chain, Clip, Fence, Lookup, Map, RowNorm, Squash

Values: TypeAlias = NDArray[np.float64]
Step: TypeAlias = Affine | Clip | Fence | Squash | RowNorm


class Exported(NamedTuple):
    """What a fitted estimator does to a table.

    Parameters
    ----------
    steps : tuple of maps
        One after the other. The parameters of those that are elementwise have one row; or, with a lookup, one for each
        key, and then one for keys that are not known and one for rows that have none.
    names_in, names_out : list of str
        The columns of X, and of what comes out.
    values : list of int
        The positions of the columns of X that are scaled.
    keys : list of int or None
        The positions of those that hold the keys, in the order of their parts; None where keys come beside X, or where
        there are none.
    lookup : Lookup or None
        The keys, where the parameters depend on them.
    flags : Fence or None
        What is reported beside the values, in a column for each: −1 for what was below its bounds, 1 above, else 0.
    """

    steps: tuple[Step, ...]
    names_in: list[str]
    names_out: list[str]
    values: list[int]
    keys: list[int] | None = None
    lookup: Lookup | None = None
    flags: Fence | None = None


def exported(estimator: Any) -> Exported:
    """Return what a fitted estimator of sknorm does.

    Raises
    ------
    TypeError
        If it is none of sknorm's.
    ValueError
        If what it does cannot be done elsewhere.
    NotFittedError
        If it is not fitted.
    """
    if not hasattr(estimator, "_fitted_map") and not isinstance(estimator, GroupedScaler):
        raise TypeError(
            f"{type(estimator).__name__} is not an estimator of sknorm that scales, so it cannot be exported."
        )
    check_is_fitted(estimator, None if isinstance(estimator, GroupedScaler) else "n_features_in_")
    names_in = _check_feature_names_in(estimator, None).tolist()
    names_out = estimator.get_feature_names_out().tolist()
    if isinstance(estimator, GroupedScaler):
        return grouped(estimator, names_in, names_out)
    steps = steps_of(estimator._fitted_map())
    flags = None
    if getattr(estimator, "indicator", False):
        flags = next(step for step in steps if isinstance(step, Fence))
    return Exported(steps, names_in, names_out, list(range(len(names_in))), flags=flags)


def grouped(estimator: GroupedScaler, names_in: list[str], names_out: list[str]) -> Exported:
    """Return what a scaler by keys does."""
    known, lookup = estimator._known(), estimator._lookup()
    columns = known.columns
    values = list(range(known.n_values)) if columns is None else columns.values.tolist()
    if known.n_parts == 0:  # all rows are one group
        if lookup.blank[0].any():
            raise ValueError(
                f"Columns {np.flatnonzero(lookup.blank[0]).tolist()} had no value in fit, so there is nothing to "
                "export for them; leave them out."
            )
        return Exported(steps_of(lookup.map_.take(np.array([0]))), names_in, names_out, values)
    keys = None if columns is None else list(columns.keys)
    return Exported(steps_of(lookup.map_), names_in, names_out, values, keys, lookup)


def steps_of(map_: Map) -> tuple[Any, ...]:
    """Return the maps that a map consists of, without those that change nothing."""
    if isinstance(map_, Chain):
        return tuple(step for part in map_.maps for step in steps_of(part))
    if isinstance(map_, Affine) and all(getattr(map_, field.name) is None for field in fields(map_)):
        return ()
    return (map_,)


def exported_steps(estimator: Any) -> list[Exported]:
    """Return what an estimator does, or each step of a pipeline that consists of estimators of sknorm."""
    if not isinstance(estimator, Pipeline):
        return [exported(estimator)]
    steps = [step for _, step in estimator.steps if not is_passthrough(step)]
    return [part for step in steps for part in exported_steps(step)]


def blocks_of(ends: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns of every block, as rows that are filled up with the number of columns; and where each is."""
    widths = np.diff(ends, prepend=0)
    inside = np.arange(widths.max()) < widths[:, np.newaxis]
    columns = np.full(inside.shape, ends[-1], np.int64)
    columns[inside] = np.arange(ends[-1])
    return columns, np.flatnonzero(inside)


def float32_loss(estimator: Any) -> NDArray[np.float64]:
    """Return how far the rounding of X to float32 may move a typical value of every column that is scaled.

    In what the column is divided by, or in its standard deviation (its range, where extremes alone are known),
    whichever is more. Typical values lie around the centre of a map or the mean of what was learned; those that float32
    cannot hold are moved infinitely.
    """
    what = exported(estimator)
    loss = np.zeros(len(what.values))
    for step in what.steps:
        if isinstance(step, Affine) and step.centre is not None and step.scale is not None:
            loss = np.fmax(loss, np.fmax.reduce(moved(np.abs(step.centre), step.scale)))
    if isinstance(estimator, GroupedScaler):
        estimator = estimator.global_scaler_
    if isinstance(estimator, Learner):
        loss = np.fmax(loss, moved(*typical(estimator._learned.statistic))[0])
    return loss


def moved(largest: Values, spread: Values) -> Values:
    """Return how many spreads the rounding of so large a value to float32 may move it; 0 where there is none."""
    single = np.finfo(np.float32)
    # Half a unit in the last place, which is no less than half the smallest number.
    half = np.maximum(largest * single.epsneg, float(single.smallest_subnormal) / 2 * (largest > 0))
    some = (spread > 0) & np.isfinite(spread)
    loss = np.divide(half, spread, out=np.zeros(np.broadcast_shapes(half.shape, spread.shape)), where=some)
    return np.where(largest > single.max, np.inf, loss)


def typical(statistic: Any) -> tuple[Values, Values]:
    """Return the size of the values that a statistic is of, and how they are spread: 0 where that is not known."""
    statistic = getattr(statistic, "spread", statistic)  # of a clipper
    if hasattr(statistic, "variance"):
        variance = statistic.variance() if callable(statistic.variance) else statistic.variance
        return np.abs(statistic.mean), np.sqrt(variance)
    if hasattr(statistic, "quantile"):
        return np.abs(statistic.quantile(0.5)), statistic.quantile(0.75) - statistic.quantile(0.25)
    if hasattr(statistic, "min"):
        some = statistic.count > 0
        low, high = np.where(some, statistic.min, 0.0), np.where(some, statistic.max, 0.0)
        return np.maximum(np.abs(low), np.abs(high)), high - low
    return np.zeros_like(statistic.count), np.zeros_like(statistic.count)
