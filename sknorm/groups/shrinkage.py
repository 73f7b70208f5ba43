"""The parameters of every group's map: its own, pulled towards those of all rows, or in their place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._fitted import EPS
from sknorm.maps import Affine
from sknorm.statistics.fence import Bounds

Values = NDArray[np.float64]


class Policy(NamedTuple):
    """What a group that is unseen, or small, is scaled by."""

    unseen: str
    min_samples: float
    smooth: float  # less than 0 for "auto"

    def seen(self, weight: Values) -> NDArray[np.bool_]:
        """Say of which groups enough rows are known."""
        return (weight > 0) if self.min_samples <= 1 else weight >= self.min_samples


def affine_of(scaler: Scaler, policy: Policy, statistic: Any, everything: Any) -> Affine:
    """Return the map of every group, whether enough of it is known or not.

    Parameters
    ----------
    scaler : Scaler
        Whose rule it is.
    policy : Policy
        How groups are pulled, and whether a column without a value takes the parameters of all rows.
    statistic : Unordered
        What is known of the groups.
    everything : Unordered
        What is known of all rows; of one group.
    """
    if not policy.smooth:
        affine = scaler._derive(statistic)
        if policy.unseen != "global" or (statistic.count > 0).all():
            return affine
        return filled(affine, statistic.count > 0, scaler._derive(everything))
    own, whole = scaler._derive(statistic, 0.0), scaler._derive(everything, 0.0)
    share = share_of(policy.smooth, statistic, everything, own, whole)
    centre, scale = pulled(own.centre, whole.centre, share), pulled(own.scale, whole.scale, share)
    return Affine(centre, None if scale is None else np.where(scale == 0, 1.0, scale), own.gain, own.shift)


def bounds_of(scaler: Scaler, policy: Policy, now: Any, everything: Any) -> Bounds | None:
    """Return the bounds that the rows of every group are fenced in by, pulled and filled in as its map is.

    A side that is open, since the group's values are all the same, is as far as that of all rows once it is pulled.
    """
    own, whole = scaler._bounds_of(now), scaler._bounds_of(everything)
    if own is None:
        return None
    if not policy.smooth:
        known = now.own.count > 0
        if policy.unseen != "global" or known.all():
            return own
        return own._replace(low=np.where(known, own.low, whole.low), high=np.where(known, own.high, whole.high))
    affines = scaler._derive(now.own, 0.0), scaler._derive(everything.own, 0.0)
    share = share_of(policy.smooth, now.own, everything.own, *affines)

    def pull(end: Values, of_all: Values) -> Values:
        end = np.where(np.isinf(end) & (share < 1), of_all, end)
        return np.where(np.isinf(of_all), end, mixed(end, of_all, share))

    return own._replace(low=pull(own.low, whole.low), high=pull(own.high, whole.high))


def share_of(smooth: float, statistic: Any, everything: Any, own: Affine, whole: Affine) -> Values:
    """Return the share of every group's own parameters: ``n/(n + smooth)``.

    With "auto" smooth is the ratio of the group's variance to that of all rows, or of their squared scales where no
    variances are known.
    """
    count = statistic.count
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        worth = smooth if smooth >= 0 else spread_of(statistic, own) / spread_of(everything, whole)
        share = count / (count + worth)
    share = np.where((count > 0) & (share >= EPS), share, 0.0)  # also for NaN; less would leave a scale near 0
    return np.where(everything.count > 0, share, 1.0)


def spread_of(statistic: Any, affine: Affine) -> Values:
    """Return the variance of every cell, or the square of its scale."""
    if hasattr(statistic, "m2"):
        return statistic.m2 / statistic.count
    return np.ones(statistic.count.shape) if affine.scale is None else affine.scale**2


def pulled(own: Values | None, whole: Values | None, share: Values) -> Values | None:
    """Return parameters of which so much is a group's own, and the rest that of all rows."""
    return None if own is None or whole is None else mixed(own, whole, share)


def mixed(own: Values, whole: Values, share: Values) -> Values:
    """Return the mean of two values of which the first has this share; itself where it has all or nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = whole + share * (own - whole)
        mean = np.where(np.isfinite(mean), mean, share * own + (1 - share) * whole)  # the difference overflows
    return np.where(share == 1, own, np.where(share == 0, whole, mean))


def filled(affine: Affine, known: NDArray[np.bool_], other: Affine) -> Affine:
    """Return a map with another's parameters where its own are not known."""

    def choose(own: Values | None, instead: Values | None) -> Values | None:
        return None if own is None or instead is None else np.where(known, own, instead)

    return Affine(choose(affine.centre, other.centre), choose(affine.scale, other.scale), affine.gain, affine.shift)


def stacked(*maps: Affine) -> Affine:
    """Return the maps of the groups of all of these, which are of one scaler, one after the other."""

    def stack(*parameters: Values | None) -> Values | None:
        present = [values for values in parameters if values is not None]
        return np.concatenate(present) if present else None

    return Affine(*(stack(*(getattr(map_, name) for map_ in maps)) for name in ("centre", "scale", "gain", "shift")))
