"""What the parameters ``clip`` and ``clip_mode`` mean."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np

from sknorm.maps import Clip, Elementwise, Fence, Squash

Interval: TypeAlias = tuple[float, float]
Bound: TypeAlias = tuple[Literal["none", "hard", "soft"], float, float]


def clips_nothing(clip: Any) -> bool:
    """Say whether ``clip`` is None or False, NumPy's too; 0 is neither."""
    return clip is None or (is_bool(clip) and not clip)


def is_bool(clip: Any) -> bool:
    """Say whether ``clip`` is a truth value; asked before whether it is a number, since True is 1."""
    return isinstance(clip, (bool, np.bool_))


def check_pair(name: str, pair: Any) -> None:
    """Raise where a parameter is not a pair of finite numbers."""
    if len(pair) != 2 or not all(isinstance(end, Real) and math.isfinite(end) for end in pair):
        raise ValueError(f"{name} must be a pair of finite numbers, not {pair!r}.")


def check_quantile_range(pair: Any) -> None:
    """Raise where the parameter ``quantile_range`` is not a pair of percentages, in their order."""
    check_pair("quantile_range", pair)
    if not 0 <= pair[0] <= pair[1] <= 100:
        raise ValueError(f"Invalid quantile range: {pair}")


def check_clip(clip: Any, clip_mode: str, interval: Interval | None, name: str) -> None:
    """Raise where ``clip`` and ``clip_mode`` make no sense together, or for the scaler of that name.

    ``interval`` is what True means, None where it means nothing.
    """
    if clips_nothing(clip):
        return
    if clip_mode == "soft":
        if is_bool(clip) or isinstance(clip, tuple):
            raise ValueError(f"clip_mode='soft' takes one number as clip, not {clip!r}; e.g. clip=3.0.")
    elif is_bool(clip):
        if interval is None:
            raise ValueError(f"clip=True has no meaning for {name}; give a number or a pair, e.g. clip=3.0.")
    elif isinstance(clip, tuple):
        if len(clip) != 2 or not all(isinstance(bound, Real) for bound in clip):
            raise ValueError(f"clip must be a pair of numbers, not {clip!r}.")
        if not clip[0] < clip[1]:
            raise ValueError(f"clip must be a pair (low, high) with low < high, not {clip!r}.")


def bound_of(clip: Any, clip_mode: str, interval: Interval | None) -> Bound:
    """Return the kind of bound that follows the scaling, and its ends."""
    if clips_nothing(clip):
        return "none", 0.0, 0.0
    if clip_mode == "soft":
        return "soft", -float(clip), float(clip)
    if is_bool(clip):
        assert interval is not None  # check_clip saw to it
        clip = interval
    low, high = clip if isinstance(clip, tuple) else (-clip, clip)
    return "hard", float(low), float(high)


def fence_maps(bounds: Any) -> tuple[Elementwise, ...]:
    """Return the maps of what outliers are clipped to before anything else, none or one."""
    return () if bounds is None else (Fence(bounds.low, bounds.high, bounds.drops, bounds.takes),)


def clip_maps(bound: Bound, shape: tuple[int, ...]) -> tuple[Elementwise, ...]:
    """Return the maps of a bound, none or one."""
    kind, low, high = bound
    if kind == "none":
        return ()
    if kind == "soft":
        return (Squash(np.full(shape, high)),)
    return (Clip(np.full(shape, low), np.full(shape, high)),)
