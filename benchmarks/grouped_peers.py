"""Who else scales within groups: adapters for `benchmarks.peers`, which take what `Keyed` makes.

River and pandas have no scaler that does it, so what is timed is what their users write.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self

import numpy as np

import sknorm
from benchmarks.keyed import KEY, Keyed


@dataclass
class Beside:
    """Our scaler with keys beside the values."""

    scaler: Any

    def fit(self, keyed: Keyed) -> Self:
        self.scaler.fit(keyed.X, groups=keyed.keys)
        return self

    def partial_fit(self, keyed: Keyed) -> Self:
        self.scaler.partial_fit(keyed.X, groups=keyed.keys)
        return self

    def transform(self, keyed: Keyed) -> Any:
        return self.scaler.transform(keyed.X, groups=keyed.keys)

    def fit_transform(self, keyed: Keyed) -> Any:
        return self.scaler.fit_transform(keyed.X, groups=keyed.keys)

    def prequential_transform(self, keyed: Keyed) -> Any:
        return self.scaler.prequential_transform(keyed.X, groups=keyed.keys)


def our_grouped(**params: Any) -> Any:
    """Return our scaler, whose parameters may be those of the scaler within: ``scaler__window``."""
    scaler = sknorm.GroupedScaler(sknorm.StandardScaler()).set_params(**params)
    return Beside(scaler) if scaler.by is None else scaler


class PandasGroups:
    """The group-wise z-score in pandas, over a frame with a column of keys."""

    def fit(self, X: Any) -> Self:
        groups = X.groupby(KEY)
        self.centre_, self.scale_ = groups.mean(), groups.std(ddof=0)
        return self

    def transform(self, X: Any) -> Any:
        row = self.centre_.index.get_indexer(X[KEY])
        return (X.drop(columns=KEY) - self.centre_.to_numpy()[row]) / self.scale_.to_numpy()[row]

    def fit_transform(self, X: Any) -> Any:
        groups = X.groupby(KEY)
        return (X.drop(columns=KEY) - groups.transform("mean")) / groups.transform("std", ddof=0)


class PolarsGroups:
    """The same in Polars, one query on its own threads."""

    def fit(self, X: Any) -> Self:
        import polars as pl

        each = pl.exclude(KEY)
        self.learned_ = X.group_by(KEY).agg(each.mean().name.suffix("_centre"), each.std(ddof=0).name.suffix("_scale"))
        return self

    def transform(self, X: Any) -> Any:
        import polars as pl

        names = [name for name in X.columns if name != KEY]
        joined = X.join(self.learned_, on=KEY, how="left", maintain_order="left")
        return joined.select((pl.col(c) - pl.col(f"{c}_centre")) / pl.col(f"{c}_scale") for c in names)

    def fit_transform(self, X: Any) -> Any:
        import polars as pl

        each = pl.exclude(KEY)
        return X.select((each - each.mean().over(KEY)) / each.std(ddof=0).over(KEY))


class RiverGroups:
    """River's scaler of that name for each key, in a dict; fed row by row."""

    def __init__(self, name: str) -> None:
        self.scalers: Any = defaultdict(getattr(import_module("river.preprocessing"), name))

    def fit(self, X: list[tuple[Any, dict[int, float]]]) -> Self:
        for key, row in X:
            self.scalers[key].learn_one(row)
        return self

    def transform(self, X: list[tuple[Any, dict[int, float]]]) -> list[list[float]]:
        return [list(self.scalers[key].transform_one(row).values()) for key, row in X]

    def prequential_transform(self, X: list[tuple[Any, dict[int, float]]]) -> list[dict[int, float]]:
        """Return the rows as River has them: lists would take time that its users need not spend."""
        scaled = []
        for key, row in X:
            scaler = self.scalers[key]
            scaled.append(scaler.transform_one(row))
            scaler.learn_one(row)
        return scaled


def as_keyed_dictionaries(X: Keyed) -> list[tuple[Any, dict[int, float]]]:
    """Return keys and rows as River's users have them."""
    return list(zip(np.asarray(X.keys).tolist(), (dict(enumerate(row)) for row in X.X.tolist()), strict=True))


def sklego_groups(name: str) -> Any:
    """Return scikit-lego's transformer with a clone of scikit-learn's scaler for each key."""
    scaler = getattr(import_module("sklearn.preprocessing"), name)()
    return import_module("sklego.meta").GroupedTransformer(scaler, groups=[KEY])
