"""Every public scaler and statistic: what the common tests run over. A new scaler is one entry here."""

from typing import Any, NamedTuple

import numpy as np

import sknorm
from sknorm.statistics import Extremes, Moments, MomentsAndExtremes, Statistic


class Entry(NamedTuple):
    """A scaler, what it learns, and the settings worth testing besides its defaults."""

    scaler: type
    statistic: type[Statistic]
    settings: tuple[dict[str, Any], ...]


NO_COPY = {"copy": False}
CLIPS = ({"clip": 1.5}, {"clip": (-0.5, 2.0)}, {"clip": 1.5, "clip_mode": "soft"})
CLIPS_TRUE = ({"clip": True}, *CLIPS)

SCALERS = (
    Entry(sknorm.DecimalScaler, Extremes, (NO_COPY, *CLIPS_TRUE)),
    Entry(sknorm.MaxAbsScaler, Extremes, (NO_COPY, *CLIPS_TRUE)),
    Entry(sknorm.MeanScaler, MomentsAndExtremes, (NO_COPY, *CLIPS_TRUE)),
    Entry(
        sknorm.MinMaxScaler,
        Extremes,
        (
            NO_COPY,
            *CLIPS_TRUE,
            {"feature_range": (-2, 0.1)},
            {"feature_range": (5, 6)},
            {"feature_range": (-1, 1), "clip": True, "copy": False},
        ),
    ),
    Entry(
        sknorm.StandardScaler,
        Moments,
        (
            NO_COPY,
            *CLIPS,
            {"with_mean": False},
            {"with_std": False},
            {"with_mean": False, "with_std": False},
            {"ddof": 1},
            {"with_mean": False, "ddof": 1.5, "clip": 2.0},
            {"with_mean": False, "clip": (1.0, 2.0)},
        ),
    ),
)


def instances() -> list[Any]:
    """Return a fresh scaler for every setting of every scaler."""
    return [entry.scaler(**setting) for entry in SCALERS for setting in ({}, *entry.settings)]


def name_of(scaler: Any) -> str:
    """Return a short id for a setting: MinMax-feature_range=(5, 6)."""
    changed = {name: value for name, value in scaler.get_params().items() if value != type(scaler)().get_params()[name]}
    return "-".join([type(scaler).__name__.removesuffix("Scaler"), *(f"{k}={v}" for k, v in changed.items())])
