"""Every estimator that can be handed on, and the tables that it learns from and is tried on."""

from typing import Any

import numpy as np
import pandas as pd
from registry import instances, layers, name_of
from sklearn.base import clone

from sknorm import GroupedScaler, GroupNorm, MinMaxScaler, OutlierClipper, RobustScaler, StandardScaler

GROUPED = (
    GroupedScaler(by="merchant"),
    GroupedScaler(MinMaxScaler((-2, 0.1), clip=True), by=["branch", "merchant"], unseen="nan"),
    GroupedScaler(
        StandardScaler(clip=2.0, clip_mode="soft"), by="merchant", unseen="passthrough", min_samples=9, drop_keys=False
    ),
    GroupedScaler(StandardScaler(outliers=OutlierClipper(fold=0.5)), by="branch", smooth=5.0),
    GroupedScaler(RobustScaler(clip=(-0.5, 1.0)), by="merchant", missing_key="global", max_groups=3),
    GroupedScaler(OutlierClipper("mad", action="missing"), by=["merchant", "branch"], unseen="nan"),
    GroupedScaler(),
)
VALUES = ["amount", "Age of client", "constant", "rare", "far"]
KEYS = ["merchant", "branch"]


def learned_from() -> pd.DataFrame:
    """Return rows of keys (strings with missing ones, integers) and values with outliers, missing ones, a constant and
    a column far from zero."""
    rng = np.random.default_rng(7)
    n = 200
    values = {
        "amount": rng.standard_t(2, n) * 100,
        "Age of client": rng.integers(18, 90, n).astype(float),
        "constant": np.full(n, 7.5),
        "rare": np.where(rng.random(n) < 0.7, np.nan, rng.normal(size=n)),
        "far": 1.7e9 + rng.normal(0, 1000, n),
    }
    merchants = rng.choice(np.array(["a", "b", 'quo"te', "o'clock", "é", None], dtype=object), n)
    return pd.DataFrame({"merchant": merchants, "branch": rng.integers(-1, 4, n), **values})


def tried_on(n: int = 60) -> pd.DataFrame:
    """Return rows like those of `learned_from`, with keys that are not known and values far outside."""
    rng = np.random.default_rng(8)
    X = learned_from().iloc[:n].reset_index(drop=True)
    X.loc[::4, "amount"] *= 1e3
    X.loc[1::9, "amount"] = np.nan
    X.loc[2::9, "far"] = -1e200
    X["rare"] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n) * 3)
    X.loc[::5, "constant"] = [7.5 + i for i in range(len(X.loc[::5]))]
    X.loc[3::11, "merchant"] = "nobody"
    X.loc[4::13, "branch"] = 99
    return X


def columns_of(estimator: Any) -> list[str]:
    """Return the columns that an estimator takes: what it scales, and its keys."""
    by = getattr(estimator, "by", None)
    return VALUES if by is None else [*(KEYS if isinstance(by, list) else [by]), *VALUES]


def exportable() -> list[Any]:
    """Return every setting of every estimator, not fitted."""
    return [*instances(), *layers(), GroupNorm([2, 3], eps=0.1, beta=[0.0, 1.0, 2.0, 3.0, 4.0]), *GROUPED]


def fitted(estimator: Any) -> Any:
    """Return an estimator that has learned from `learned_from`."""
    return clone(estimator).fit(learned_from()[columns_of(estimator)])


def export_id(estimator: Any) -> str:
    """Return a short name of a setting."""
    return (
        repr(estimator).replace("\n", "").replace(" ", "")
        if isinstance(estimator, GroupedScaler)
        else name_of(estimator)
    )
