"""Bounds and soft clips against other libraries'."""

import numpy as np
import pandas as pd
import pytest

from sknorm import OutlierClipper, RobustScaler

PEER = {"sigma": "gaussian", "iqr": "iqr", "mad": "mad", "quantile": "quantiles"}
each_method = pytest.mark.parametrize("method", PEER)


def winsorizer(*args):
    """Return feature_engine's Winsorizer; the oldest releases that we support are older than it takes."""
    return pytest.importorskip("feature_engine.outliers").Winsorizer(*args)


def tables(rng):
    """Return tables that the peer takes: no column without a spread."""
    return {
        "normal": rng.normal(size=(1000, 4)),
        "heavy": np.round(np.exp(2 * rng.normal(size=(733, 3))), 2),
        "ties": rng.integers(0, 6, size=(400, 3)).astype(float),
        "far": 1.7e9 + rng.normal(0, 1000, size=(500, 2)),
        "large": rng.standard_t(2, size=(60_000, 2)),
        "few": rng.normal(size=(2, 2)),
    }


@each_method
@pytest.mark.parametrize("name", ["normal", "heavy", "ties", "far", "large", "few"])
@pytest.mark.parametrize("tail", ["both", "left", "right"])
@pytest.mark.parametrize("fold", ["auto", 0.7])
def test_bounds_are_those_of_the_winsorizer(rng, method, name, tail, fold):
    X = tables(rng)[name]
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    setting = (
        {"quantile_range": (5, 95) if fold == "auto" else (12.5, 87.5)} if method == "quantile" else {"fold": fold}
    )
    peer = winsorizer(PEER[method], tail, 0.125 if method == "quantile" and fold != "auto" else fold).fit(frame)
    ours = OutlierClipper(method, tail=tail, **setting).fit(frame)
    for bounds, caps, open_ in (
        (ours.lower_, peer.left_tail_caps_, -np.inf),
        (ours.upper_, peer.right_tail_caps_, np.inf),
    ):
        wanted = [caps.get(column, open_) for column in frame]
        np.testing.assert_allclose(bounds, wanted, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(ours.transform(frame), peer.transform(frame), rtol=1e-13, atol=1e-13)


@each_method
def test_bounds_on_real_data_are_those_of_the_winsorizer(data_folder, method):
    frame = pd.read_csv(data_folder / "taiwan_credit_default.csv.gz").filter(regex="BILL|LIMIT|^AGE").astype(float)
    setting = {"quantile_range": (5, 95)} if method == "quantile" else {}
    peer, ours = winsorizer(PEER[method], "both").fit(frame), OutlierClipper(method, **setting).fit(frame)
    np.testing.assert_allclose(ours.lower_, [peer.left_tail_caps_[c] for c in frame], rtol=1e-12)
    np.testing.assert_allclose(ours.upper_, [peer.right_tail_caps_[c] for c in frame], rtol=1e-12)


def test_soft_clip_is_the_squashing_scaler(rng):
    X = rng.standard_t(1.5, size=(2000, 4)) * [1, 10, 1e-3, 1e6]
    X[rng.random(X.shape) < 0.05] = np.nan
    skrub = pytest.importorskip("skrub")
    peer = skrub.SquashingScaler(max_absolute_value=3.0).fit(X)
    ours = RobustScaler(clip=3.0, clip_mode="soft").fit(X)
    np.testing.assert_allclose(ours.transform(X), peer.transform(X), rtol=1e-12, atol=1e-12)
    assert (np.abs(ours.transform([[1e300] * 4, [-1e300] * 4])) == 3).all()
