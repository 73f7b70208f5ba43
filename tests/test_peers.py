"""The same work gives the same numbers as every peer's: what is timed side by side is the same thing."""

import sys
from pathlib import Path

import numpy as np
import pytest

import sknorm
from sknorm._mapped import Mapped

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks").exists():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)
# Last, so that an installed sknorm is not shadowed by the source folder.
sys.path.append(str(ROOT))

from benchmarks.cases import CASES  # noqa: E402
from benchmarks.keyed import Keyed  # noqa: E402
from benchmarks.peers import PEERS, ours  # noqa: E402

PAIRS = [pytest.param(name, peer, id=f"{name}-{peer}") for name, peers in PEERS.items() for peer in peers]
STREAMED = sorted(
    {
        (case.estimator, peer)
        for case in CASES
        if case.work == "prequential_transform"
        for peer in case.against
        if peer in PEERS[case.estimator]
    }
)


def table_for(name, missing):
    """Return what an estimator takes: columns, and keys beside them for one that has groups."""
    X = columns(missing)
    return Keyed(X, np.random.default_rng(8).integers(0, 20, len(X))) if name == "GroupedScaler" else X


def columns(missing):
    """Return 2,000 rows of columns that are offset, skewed, small and negative."""
    random = np.random.default_rng(7)
    X = random.normal(size=(2_000, 4)) * [1.0, 20.0, 1e-3, 5.0] + [0.0, 300.0, 0.0, -40.0]
    X[:, 3] = -np.exp(X[:, 3] / 20)
    if missing:
        X[random.random(X.shape) < 0.05] = np.nan
    return X


def test_every_estimator_has_its_peers():
    classes = {name for name in sknorm.__all__ if isinstance(getattr(sknorm, name), type)}
    scalers = (Mapped, sknorm.GroupedScaler)
    assert set(PEERS) == {name for name in classes if issubclass(getattr(sknorm, name), scalers)}


@pytest.mark.parametrize("missing", [False, True], ids=["full", "missing"])
@pytest.mark.parametrize(("name", "peer"), PAIRS)
def test_same_numbers(name, peer, missing):
    other = PEERS[name][peer]
    if not other.installed:
        pytest.skip(f"{other.module} is not installed")
    if missing and not other.missing:
        pytest.skip(f"{peer} does not ignore NaN")
    X = table_for(name, missing)
    expected = ours(name, **dict(other.params)).make().fit_transform(X)
    scaler, table = other.make(), other.table(X)
    actual = np.asarray(scaler.fit(table).transform(table), dtype=np.float64)
    np.testing.assert_allclose(actual, expected, rtol=other.rtol, atol=other.rtol)
    if hasattr(scaler, "fit_transform"):
        whole = np.asarray(other.make().fit_transform(table), dtype=np.float64)
        np.testing.assert_allclose(whole, expected, rtol=other.rtol, atol=other.rtol)


@pytest.mark.parametrize("missing", [False, True], ids=["full", "missing"])
@pytest.mark.parametrize(("name", "peer"), STREAMED)
def test_same_numbers_row_by_row(name, peer, missing):
    other = PEERS[name][peer]
    if not other.installed:
        pytest.skip(f"{other.module} is not installed")
    if missing and not other.missing:
        pytest.skip(f"{peer} does not ignore NaN")
    X = table_for(name, missing)
    expected = ours(name).make().prequential_transform(X)
    scaled = other.make().prequential_transform(other.table(X))
    actual = np.array([list(row.values()) for row in scaled] if isinstance(scaled, list) else scaled)
    # Until a column of a group has had two values it has no spread, and every library has its own number for that.
    compared = np.zeros(expected.shape, np.bool_)
    values, keys = (X.X, X.keys) if isinstance(X, Keyed) else (X, np.zeros(len(X)))
    for key in np.unique(keys):
        compared[keys == key] = np.cumsum(~np.isnan(values[keys == key]), axis=0) > 2
    assert compared[len(np.unique(keys)) * 10 :].all()
    np.testing.assert_allclose(actual[compared], expected[compared], rtol=other.rtol, atol=other.rtol)
