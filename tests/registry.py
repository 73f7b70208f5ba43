"""Every public scaler, layer and statistic: what the common tests run over. A new scaler or layer is one entry here."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sklearn.preprocessing

import sknorm
from sknorm import OutlierClipper
from sknorm.statistics import (
    Clipped,
    Decayed,
    Extremes,
    Fenced,
    Moments,
    MomentsAndExtremes,
    Quantiles,
    Running,
    Statistic,
    WindowedQuantiles,
    WindowedTable,
)


class Entry(NamedTuple):
    """A scaler, what it learns, and the settings worth testing besides its defaults.

    ``peer`` is the class of scikit-learn whose errors and names it repeats: its namesake, or the likest there is.
    """

    scaler: type
    statistic: type[Statistic]
    peer: str
    centres: bool  # by default
    settings: tuple[dict[str, Any], ...]


NO_COPY = {"copy": False}
CLIPS = ({"clip": 1.5}, {"clip": (-0.5, 2.0)}, {"clip": 1.5, "clip_mode": "soft"})
CLIPS_TRUE = ({"clip": True}, *CLIPS)
# Smaller than nearly every table of the tests; between, in panes of two rows that do not add up to it; and larger.
WINDOWS = ({"window": 7}, {"window": 33, "clip": 1.5}, {"window": 10_000})

# Clippers of each kind of statistic; a scaler that has one is no longer what a batch of all its rows would make it.
SIGMA, MAD = {"outliers": OutlierClipper("sigma", fold=1.5)}, {"outliers": OutlierClipper("mad", action="missing")}
STRICT = {"outliers": OutlierClipper(fold=0.5, infinite="error", chunk_size=7), "clip": 1.5}

SCALERS = (
    Entry(sknorm.DecimalScaler, Extremes, "MaxAbsScaler", False, (NO_COPY, *CLIPS_TRUE, *WINDOWS, SIGMA)),
    Entry(sknorm.MaxAbsScaler, Extremes, "MaxAbsScaler", False, (NO_COPY, *CLIPS_TRUE, *WINDOWS, MAD)),
    Entry(sknorm.MeanScaler, MomentsAndExtremes, "MinMaxScaler", True, (NO_COPY, *CLIPS_TRUE, *WINDOWS, STRICT)),
    Entry(
        sknorm.MinMaxScaler,
        Extremes,
        "MinMaxScaler",
        True,
        (
            NO_COPY,
            *CLIPS_TRUE,
            {"feature_range": (-2, 0.1)},
            {"feature_range": (5, 6)},
            {"feature_range": (-1, 1), "clip": True, "copy": False},
            *WINDOWS,
            SIGMA,
        ),
    ),
    Entry(
        OutlierClipper,
        Fenced,
        "MaxAbsScaler",
        False,
        (
            {"method": "sigma"},
            {"method": "sigma", "fold": 1.0, "half_life": 3.0},
            {"method": "mad", "infinite": "error", "tail": "left"},
            {"method": "quantile", "quantile_range": (5.0, 80.0)},
            {"method": "limits", "limits": (-1.0, 2.0)},
            {"fold": 0.5, "tail": "right", "action": "missing"},
            {"window": 7},
        ),
    ),
    Entry(
        sknorm.RobustScaler,
        Quantiles,
        "RobustScaler",
        True,
        (
            NO_COPY,
            *CLIPS,
            {"with_centering": False},
            {"with_scaling": False},
            {"quantile_range": (10.0, 80.0), "unit_variance": True},
            {"scale": "mad"},
            {"scale": "mad", "unit_variance": True, "clip": 3.0},
            {"zero_iqr": "range"},
            {"chunk_size": 1},
            {"window": 7},
            {"window": 33, "with_centering": False, "clip": 1.5},
            {"window": 10_000},
            MAD,
        ),
    ),
    Entry(
        sknorm.StandardScaler,
        Moments,
        "StandardScaler",
        True,
        (
            NO_COPY,
            *CLIPS,
            {"with_mean": False},
            {"with_std": False},
            {"with_mean": False, "with_std": False},
            {"with_mean": False, "with_std": False, "clip": 2.0, "clip_mode": "soft"},
            {"ddof": 1},
            {"with_mean": False, "ddof": 1.5, "clip": 2.0},
            {"with_mean": False, "clip": (1.0, 2.0)},
            {"window": 7},
            {"window": 33, "with_mean": False, "clip": 1.5},
            {"window": 10_000},
            {"half_life": 3.0},
            {"half_life": 100, "ddof": 1},
            {"half_life": 2.5, "with_mean": False, "clip": 1.5},
            {"outliers": OutlierClipper()},
            SIGMA | {"with_mean": False, "half_life": 3.0},
        ),
    ),
)


class Layer(NamedTuple):
    """A normalization layer, which is no rule from a merging statistic, and the settings worth testing.

    A layer that ``learns`` does so from columns; the others normalize each row by itself. The settings do for tables of
    any width; those of ``two_blocks`` for an even number of columns.
    """

    layer: type
    learns: bool
    settings: tuple[dict[str, Any], ...]
    two_blocks: tuple[dict[str, Any], ...] = ()


AFFINE = {"gamma": 2.5, "beta": -1.0}
EXACT = {"eps": 0, "gamma": -0.5}
BY_BLOCK = {"gamma": [2.0, -0.5], "beta": (0.25, 3)}

LAYERS = (
    Layer(
        sknorm.BatchNorm,
        True,
        (
            NO_COPY,
            AFFINE,
            EXACT,
            {"momentum": None},
            {"momentum": 0.9, "eps": 1e-3, "update": "keras"},
            {"momentum": None, "update": "mxnet", "beta": 3},
            {"momentum": 0.3, "copy": False, "gamma": 0.1},
        ),
    ),
    Layer(
        sknorm.GroupNorm,
        False,
        (NO_COPY, AFFINE, EXACT),
        ({"n_groups": 2}, {"n_groups": 2, "eps": 0.0, "beta": 0.5, "copy": False}),
    ),
    Layer(
        sknorm.InstanceNorm,
        False,
        (NO_COPY, AFFINE, EXACT),
        ({"n_channels": 2}, {"n_channels": 2, **BY_BLOCK}),
    ),
    Layer(sknorm.LayerNorm, False, (NO_COPY, AFFINE, EXACT, {"eps": 1, "copy": False})),
)


ENTRIES = {entry.scaler.__name__: entry for entry in SCALERS}


def peer_of(name: str, **setting: Any) -> Any:
    """Return scikit-learn's scaler whose errors and names are those of ours of that name."""
    return getattr(sklearn.preprocessing, ENTRIES[name].peer)(**setting)


def centres(scaler: Any) -> bool:
    """Return whether a scaler takes a centre off every column, as it is set."""
    parameters = scaler.get_params()
    return parameters.get("with_mean", parameters.get("with_centering", ENTRIES[type(scaler).__name__].centres))


def takes_sparse(scaler: Any) -> bool:
    """Return whether a scaler takes sparse tables, as it is set."""
    return scaler.__sklearn_tags__().input_tags.sparse


def sparse_setting(scaler: type) -> dict[str, Any] | None:
    """Return the first setting under which a class takes sparse tables; None where it never does."""
    settings = ({}, *ENTRIES[scaler.__name__].settings)
    return next((setting for setting in settings if takes_sparse(scaler(**setting))), None)


def instances() -> list[Any]:
    """Return a fresh scaler for every setting of every scaler."""
    return [entry.scaler(**setting) for entry in SCALERS for setting in ({}, *entry.settings)]


def layers(even: bool = False) -> list[Any]:
    """Return a fresh layer for every setting; ``even`` adds those for tables of an even number of columns."""
    return [
        entry.layer(**setting)
        for entry in LAYERS
        for setting in ({}, *entry.settings, *(entry.two_blocks if even else ()))
    ]


def row_norms(even: bool = False) -> list[Any]:
    """Return those of the `layers` that normalize each row by itself."""
    by_row = tuple(entry.layer for entry in LAYERS if not entry.learns)
    return [layer for layer in layers(even) if isinstance(layer, by_row)]


def clips_first(scaler: Any) -> bool:
    """Return whether a scaler clips outliers before it learns, to bounds that earlier batches did not know."""
    return scaler.outliers is not None


def without_clippers(entry: Entry) -> list[Any]:
    """Return a fresh scaler for every setting of an entry that clips no outliers first."""
    scalers = [entry.scaler(**setting) for setting in ({}, *entry.settings)]
    return [scaler for scaler in scalers if clipper_of(scaler) is None]


def lasting(scaler: Any) -> dict[str, Any]:
    """Return the parameters that only `fit` takes, as they are set."""
    parameters = scaler.get_params(deep=False)
    names = ("outliers", *(("method", "limits") if isinstance(scaler, OutlierClipper) else ()))
    return forgetting(scaler) | {name: parameters[name] for name in names if name in parameters}


def clipper_of(scaler: Any) -> Any:
    """Return the clipper that a scaler is or has, None without one."""
    return scaler if isinstance(scaler, OutlierClipper) else scaler.outliers


def reads_moments(scaler: Any) -> bool:
    """Return whether squares are summed for a scaler, which overflow from 1e154 on."""
    return isinstance(scaler, sknorm.StandardScaler) or getattr(clipper_of(scaler), "method", None) == "sigma"


def reads_quantiles(scaler: Any) -> bool:
    """Return whether a scaler reads quantiles, whose weights count rows."""
    of_clipper = getattr(clipper_of(scaler), "method", None) in ("iqr", "mad", "quantile")
    return isinstance(scaler, sknorm.RobustScaler) or of_clipper


def takes_infinities(scaler: Any) -> bool:
    """Return whether infinities are something to clip for a scaler, as it is set."""
    return getattr(clipper_of(scaler), "infinite", "error") == "clip"


def refusing(scaler: type) -> dict[str, Any]:
    """Return the setting under which a class refuses infinities."""
    return {"infinite": "error"} if takes_infinities(scaler()) else {}


def forgetting(scaler: Any) -> dict[str, Any]:
    """Return the parameters by which a scaler forgets, as they are set; none if it remembers all."""
    parameters = scaler.get_params(deep=False)
    return {name: parameters[name] for name in ("half_life", "window") if parameters.get(name) is not None}


def name_of(scaler: Any) -> str:
    """Return a short id of a setting: MinMax-feature_range=(5, 6)."""
    defaults = type(scaler)().get_params()
    changed = [f"{name}={value}" for name, value in scaler.get_params(deep=False).items() if value != defaults[name]]
    return "-".join([type(scaler).__name__.removesuffix("Scaler"), *changed])


class Field(NamedTuple):
    """What to compare of two statistics: an array (n_groups, n_features), and how far it may be off."""

    read: Callable[[Any], Any]
    relative: float = 0.0
    of_largest: float = 0.0  # times the column's largest absolute value


COUNT = {"count": Field(lambda s: s.count, relative=1e-14)}
MOMENTS = COUNT | {
    "mean": Field(lambda s: s.mean, of_largest=1e-13),
    "variance": Field(lambda s: s.variance(), relative=1e-12),
}
EXTREMES = COUNT | {"min": Field(lambda s: s.min), "max": Field(lambda s: s.max)}
QUANTILES = EXTREMES | {f"q{p}": Field(lambda s, p=p: s.quantile(p), of_largest=1e-13) for p in (0, 0.25, 0.5, 0.9, 1)}
QUANTILES |= {"mad": Field(lambda s: s.mad(), of_largest=1e-13)}

# A quantile sketch is compared where it is exact: while its values fit.
STATISTICS = {Extremes: EXTREMES, Moments: MOMENTS, MomentsAndExtremes: MOMENTS | EXTREMES, Quantiles: QUANTILES}

# What consists of others: the laws of the scalers are theirs.
COMPOSED = (Clipped, Fenced)

# What remembers less, and has laws of its own.
FORGETTING = (Decayed, WindowedQuantiles, WindowedTable)

# What depends on how rows are cut into batches, and in which order these come: the laws of the layers are its own.
ORDERED = (Running,)


# Bounds are what they are made of: as far as a sum of the quantiles' or the moments' rounding.
FENCED = {
    "count": COUNT["count"],
    "low": Field(lambda s: s.bounds().low, of_largest=1e-12),
    "high": Field(lambda s: s.bounds().high, of_largest=1e-12),
}


def assert_same(actual: Statistic, expected: Statistic, X: Any = 0.0, group: int | None = None) -> None:
    """Fail where two statistics of (the columns of) X differ, or ``actual``'s group from an ungrouped one."""
    X = np.atleast_2d(np.asarray(X, dtype=np.float64))
    largest = np.max(np.abs(X), axis=0, initial=0.0, where=~np.isnan(X))
    for name, field in (STATISTICS | {Fenced: FENCED})[type(expected)].items():
        got, wanted = field.read(actual), field.read(expected)
        if group is not None:
            got = got[[group]]
        assert got.shape == wanted.shape, name
        with np.errstate(invalid="ignore"):  # of infinities, where there is no value
            # Squares of deviations below 1e-150 lose digits in denormals, which no order of summing can keep.
            tolerance = np.abs(wanted) * field.relative + largest * field.of_largest + (1e-300 if field.relative else 0)
            same = (got == wanted) | (np.isnan(got) & np.isnan(wanted)) | (np.abs(got - wanted) <= tolerance)
        assert same.all(), f"{name}: got {got[~same]}, wanted {wanted[~same]}"
