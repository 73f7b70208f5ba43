"""The one table of peers: who else does the work of each of our estimators.

It feeds the benchmarks, where a peer is timed, and tests/test_peers.py, where its numbers must be ours. A new
estimator adds its line to `PEERS`; a new library adds an adapter that looks like a scikit-learn transformer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Self

import numpy as np

import sknorm
from benchmarks.grouped_peers import (
    PandasGroups,
    PolarsGroups,
    RiverGroups,
    as_keyed_dictionaries,
    our_grouped,
    sklego_groups,
)
from benchmarks.keyed import Keyed
from benchmarks.layer_peers import TorchBatchNorm, TorchInstanceNorm, TorchRowNorm, as_tensor


@dataclass(frozen=True)
class Peer:
    """Another implementation of one estimator.

    Parameters
    ----------
    module : str
        What must be installed.
    make : callable
        Returns an unfitted object with ``fit`` and, unless it only learns, ``transform`` and ``fit_transform``.
    table : callable
        Turns an array or a pandas frame into the peer's own container; never timed.
    missing : bool
        Whether the peer ignores NaN as we do.
    rtol : float
        How far its transformed values may be from ours; anything but the default needs its reason.
    first : int or None
        How many rows of a stream it is timed on, where they stand for all; None for all.
    params : tuple of (str, value) pairs
        Our parameters under which it does the same.
    """

    module: str
    make: Callable[[], Any]
    table: Callable[[Any], Any] = lambda X: X
    missing: bool = True
    rtol: float = 1e-9
    first: int | None = None
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def installed(self) -> bool:
        """Whether the peer can be imported here."""
        return find_spec(self.module) is not None


def sklearn(name: str) -> Peer:
    """Return scikit-learn's class of that name."""
    return Peer("sklearn", lambda: getattr(import_module("sklearn.preprocessing"), name)())


def ours(name: str, **params: Any) -> Peer:
    """Return our own class as a peer among the others."""
    if name == "GroupedScaler":
        return Peer("sknorm", lambda: our_grouped(**params), Keyed.given)
    return Peer("sknorm", lambda: getattr(sknorm, name)(**params))


# Frames: a rule is two functions of a frame's columns, the centre and the scale.


@dataclass
class Frame:
    """Fit and transform by a data-frame library's column expressions, ``(X − centre)/scale``."""

    centre: Callable[[Any], Any]
    scale: Callable[[Any], Any]

    def fit(self, X: Any) -> Self:
        self.centre_, self.scale_ = self.centre(X), self.scale(X)
        return self

    def transform(self, X: Any) -> Any:
        return (X - self.centre_) / self.scale_

    def fit_transform(self, X: Any) -> Any:
        return self.fit(X).transform(X)

    def prequential_transform(self, X: Any) -> Any:
        """Apply the rule to the rows before each: pandas has its mean, std, min and max of expanding windows too."""
        before = X.expanding()
        return (X - self.centre(before).shift()) / self.scale(before).shift()


class PolarsFrame(Frame):
    """The same in Polars, whose expressions see all columns at once and run as one query on its own threads."""

    def fit(self, X: Any) -> Self:
        import polars as pl

        each = pl.all()
        learned = self.centre(each).name.suffix("_centre"), self.scale(each).name.suffix("_scale")
        self.learned_ = X.select(*learned).row(0)
        return self

    def transform(self, X: Any) -> Any:
        import polars as pl

        centres, scales = self.learned_[: X.width], self.learned_[X.width :]
        return X.select((pl.col(c) - m) / s for c, m, s in zip(X.columns, centres, scales, strict=True))

    def fit_transform(self, X: Any) -> Any:
        import polars as pl

        return X.select((pl.all() - self.centre(pl.all())) / self.scale(pl.all()))


def pandas(centre: Callable[[Any], Any], scale: Callable[[Any], Any]) -> Peer:
    """Return the rule over a pandas frame."""
    return Peer("pandas", lambda: Frame(centre, scale), lambda X: import_module("pandas").DataFrame(X))


def polars(centre: Callable[[Any], Any], scale: Callable[[Any], Any]) -> Peer:
    """Return the rule over a Polars frame, where what is missing is null: Polars counts NaN as a value."""
    return Peer(
        "polars",
        lambda: PolarsFrame(centre, scale),
        lambda X: import_module("polars").from_numpy(X, orient="row").fill_nan(None),
    )


# River: one row at a time, as dictionaries.

# Of a stream; each row costs it the same, and so many take as long as our million does.
RIVER_ROWS = 10_000
# Of a stream with keys: so many meet nearly all of 50,000, as a stream does, and not those in the cache alone.
RIVER_KEYED_ROWS = 100_000


class River:
    """River's scaler fed row by row, ``learn_one`` and ``transform_one``."""

    def __init__(self, name: str) -> None:
        self.scaler = getattr(import_module("river.preprocessing"), name)()

    def fit(self, X: list[dict[int, float]]) -> Self:
        for row in X:
            self.scaler.learn_one(row)
        return self

    partial_fit = fit

    def transform(self, X: list[dict[int, float]]) -> list[list[float]]:
        return [list(self.scaler.transform_one(row).values()) for row in X]

    def prequential_transform(self, X: list[dict[int, float]]) -> list[dict[int, float]]:
        """Return the rows as River has them: lists would take time that its users need not spend."""
        scaled = []
        for row in X:
            scaled.append(self.scaler.transform_one(row))
            self.scaler.learn_one(row)
        return scaled


def river(name: str) -> Peer:
    """Return River's scaler of that name; one NaN would make its state NaN for good."""
    return Peer("river", lambda: River(name), as_dictionaries, missing=False, first=RIVER_ROWS)


def as_dictionaries(X: Any) -> list[dict[int, float]]:
    """Return the rows as River takes them."""
    return [dict(enumerate(row)) for row in np.asarray(X).tolist()]


# dask-ml: scikit-learn's names over chunks of rows.


class DaskML:
    """dask-ml's scaler, its results computed: it returns a task graph otherwise."""

    def __init__(self, name: str) -> None:
        self.scaler = getattr(import_module("dask_ml.preprocessing"), name)()

    def fit(self, X: Any) -> Self:
        self.scaler.fit(X)
        return self

    def transform(self, X: Any) -> Any:
        return self.scaler.transform(X).compute()

    def fit_transform(self, X: Any) -> Any:
        return self.fit(X).transform(X)


def dask_ml(name: str, *, missing: bool = False) -> Peer:
    """Return dask-ml's scaler of that name; its quantiles and extremes are NaN where a value is."""
    return Peer("dask_ml", lambda: DaskML(name), as_chunks, missing=missing)


def as_chunks(X: Any) -> Any:
    """Return a dask array of 100,000-row chunks, kept in memory."""
    return import_module("dask.array").from_array(X, chunks=(100_000, X.shape[1]))


# DataSketches: quantiles only.


class KLL:
    """A column's KLL sketch of Apache DataSketches each, k = 400; fed through ``partial_fit``."""

    def partial_fit(self, X: Any) -> Self:
        if not hasattr(self, "sketches"):
            new = import_module("datasketches").kll_doubles_sketch
            self.sketches = [new(400) for _ in range(X.shape[1])]
        for sketch, column in zip(self.sketches, X.T, strict=True):
            sketch.update(np.ascontiguousarray(column))
        return self

    fit = partial_fit

    def transform(self, X: Any) -> Any:
        low, median, high = (np.array([s.get_quantile(q) for s in self.sketches]) for q in (0.25, 0.5, 0.75))
        return (X - median) / (high - low)


def datasketches() -> Peer:
    """Return Apache DataSketches' KLL in RobustScaler's place.

    At k = 400 a quantile is 0.68 % of rank off at 99 % confidence, which is 0.02 σ at a quartile of the normal
    distribution: 2 % of what is scaled, and twice that where centre and scale err together.
    """
    return Peer("datasketches", KLL, np.asarray, rtol=5e-2)


# feature_engine and skrub: outliers.


def winsorizer(method: str, ours: str, fold: float | str = "auto") -> Peer:
    """Return feature_engine's Winsorizer in the place of our method of that name."""
    params: tuple[tuple[str, Any], ...] = (("method", ours),)
    return Peer(
        "feature_engine",
        lambda: import_module("feature_engine.outliers").Winsorizer(method, "both", fold),
        lambda X: import_module("pandas").DataFrame(X),
        missing=False,
        params=params,
    )


def squashing() -> Peer:
    """Return skrub's SquashingScaler in the place of a soft clip at 3."""
    return Peer(
        "skrub",
        lambda: import_module("skrub").SquashingScaler(),
        params=(("clip", 3.0), ("clip_mode", "soft")),
    )


# PyTorch: layers.


def torch(make: Callable[[], Any], **params: Any) -> Peer:
    """Return a layer of PyTorch, which does not ignore NaN, in the place of ours with these parameters."""
    return Peer("torch", make, as_tensor, missing=False, params=tuple(params.items()))


def power_of_ten(largest: Any) -> Any:
    """Return 10^j, the smallest power above ``largest``; for a pandas series of column maxima."""
    return largest.map(lambda value: 10.0 ** next(j for j in range(-308, 309) if value < 10.0**j))


SKLEARN, RIVER, DASK_ML, PANDAS, POLARS, DATASKETCHES, SKLEGO, FEATURE_ENGINE, SKRUB, TORCH = (
    "scikit-learn",
    "River",
    "dask-ml",
    "pandas",
    "Polars",
    "DataSketches",
    "scikit-lego",
    "feature_engine",
    "skrub",
    "PyTorch",
)
# feature_engine by another method than ours by default.
GAUSSIAN, MAD, QUANTILES = (f"{FEATURE_ENGINE}, {method}" for method in ("gaussian", "mad", "quantiles"))

PEERS: dict[str, dict[str, Peer]] = {
    "StandardScaler": {
        SKLEARN: sklearn("StandardScaler"),
        RIVER: river("StandardScaler"),
        DASK_ML: dask_ml("StandardScaler", missing=True),
        PANDAS: pandas(lambda X: X.mean(), lambda X: X.std(ddof=0)),
        POLARS: polars(lambda X: X.mean(), lambda X: X.std(ddof=0)),
    },
    "MinMaxScaler": {
        SKLEARN: sklearn("MinMaxScaler"),
        RIVER: river("MinMaxScaler"),
        DASK_ML: dask_ml("MinMaxScaler"),
        PANDAS: pandas(lambda X: X.min(), lambda X: X.max() - X.min()),
        POLARS: polars(lambda X: X.min(), lambda X: X.max() - X.min()),
    },
    "MaxAbsScaler": {
        SKLEARN: sklearn("MaxAbsScaler"),
        RIVER: river("MaxAbsScaler"),
        PANDAS: pandas(lambda X: 0.0, lambda X: X.abs().max()),
        POLARS: polars(lambda X: X.min() * 0.0, lambda X: X.abs().max()),
    },
    "MeanScaler": {
        PANDAS: pandas(lambda X: X.mean(), lambda X: X.max() - X.min()),
        POLARS: polars(lambda X: X.mean(), lambda X: X.max() - X.min()),
    },
    "DecimalScaler": {PANDAS: pandas(lambda X: 0.0, lambda X: power_of_ten(X.abs().max()))},
    "RobustScaler": {
        SKLEARN: sklearn("RobustScaler"),
        DASK_ML: dask_ml("RobustScaler"),
        PANDAS: pandas(lambda X: X.median(), lambda X: X.quantile(0.75) - X.quantile(0.25)),
        POLARS: polars(
            lambda X: X.quantile(0.5, "linear"), lambda X: X.quantile(0.75, "linear") - X.quantile(0.25, "linear")
        ),
        DATASKETCHES: datasketches(),
        SKRUB: squashing(),
    },
    "OutlierClipper": {
        FEATURE_ENGINE: winsorizer("iqr", "iqr"),
        GAUSSIAN: winsorizer("gaussian", "sigma"),
        MAD: winsorizer("mad", "mad"),
        QUANTILES: winsorizer("quantiles", "quantile", 0.01),
    },
    "BatchNorm": {TORCH: torch(TorchBatchNorm)},
    "GroupNorm": {TORCH: torch(lambda: TorchRowNorm("group_norm", lambda X: 2), n_groups=2)},
    "InstanceNorm": {TORCH: torch(lambda: TorchInstanceNorm(2), n_channels=2)},
    "LayerNorm": {TORCH: torch(lambda: TorchRowNorm("layer_norm", lambda X: X.shape[1:]))},
    # Of the z-score, in groups of several rows that are not constant: elsewhere each has a number of its own.
    "GroupedScaler": {
        RIVER: Peer(
            "river", lambda: RiverGroups("StandardScaler"), as_keyed_dictionaries, missing=False, first=RIVER_KEYED_ROWS
        ),
        PANDAS: Peer("pandas", PandasGroups, Keyed.pandas),
        POLARS: Peer("polars", PolarsGroups, lambda X: X.polars().fill_nan(None)),
        SKLEGO: Peer("sklego", lambda: sklego_groups("StandardScaler"), Keyed.pandas, missing=False),
    },
}
