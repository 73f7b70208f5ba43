"""Codes of keys are positions in ``groups_``, as the modules and layers of a `GroupedScaler` take them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from exports import GROUPED, columns_of, export_id, fitted, learned_from, tried_on
from sklearn.exceptions import NotFittedError

from sknorm import GroupedScaler, StandardScaler
from sknorm.export._codes import group_codes
from sknorm.export._exported import exported

BY_KEYS = [scaler for scaler in GROUPED if scaler.by is not None]


@pytest.mark.parametrize("estimator", BY_KEYS, ids=export_id)
def test_codes_pick_the_rows_of_the_map(estimator):
    scaler, X = fitted(estimator), tried_on()[columns_of(estimator)]
    codes, lookup = group_codes(scaler, X), exported(scaler).lookup
    assert codes.dtype == np.int64
    assert codes.shape == (len(X),)
    assert codes.max() >= len(scaler.groups_)  # some are not known
    values = X.iloc[:, len(X.columns) - 5 :].to_numpy()
    mapped = lookup.map_(values, None, codes.astype(np.intp))
    blank = lookup.blank[codes]
    mapped[blank] = values[blank] if lookup.passes else np.nan
    scaled = scaler.set_output(transform="pandas").transform(X).iloc[:, -5:].to_numpy(float)
    np.testing.assert_array_equal(mapped, scaled)


def test_codes_are_positions():
    scaler = GroupedScaler().fit(np.arange(4.0).reshape(4, 1), groups=["b", "a", None, "b"])
    assert scaler.groups_.tolist() == ["b", "a", None]
    X = np.zeros((5, 1))
    assert group_codes(scaler, X, groups=["a", "new", None, "b", 1]).tolist() == [1, 3, 2, 0, 3]
    scaler.set_params(missing_key="global")
    assert group_codes(scaler, X, groups=["a", "new", None, "b", 1]).tolist() == [1, 3, 4, 0, 3]
    scaler.partial_fit([[1.0]], groups=["new"])
    assert group_codes(scaler, X, groups=["a", "new", None, "b", 1]).tolist() == [1, 3, 5, 0, 4]


def test_codes_of_composite_keys():
    X = pd.DataFrame({"p": [1, 1, 2], "q": ["a", None, "a"], "x": [0.0, 1.0, 2.0]})
    scaler = GroupedScaler(by=["q", "p"]).fit(X)
    assert group_codes(scaler, X.iloc[::-1]).tolist() == [2, 1, 0]
    assert group_codes(scaler, X.assign(p=3)).tolist() == [3, 3, 3]
    scaler.set_params(missing_key="global")
    assert group_codes(scaler, X).tolist() == [0, 4, 2]


def test_refused():
    X = learned_from()
    with pytest.raises(TypeError, match="StandardScaler has none"):
        group_codes(StandardScaler().fit([[1.0]]), [[1.0]])
    with pytest.raises(NotFittedError):
        group_codes(GroupedScaler(by="merchant"), X)
    with pytest.raises(ValueError, match="fitted without keys"):
        group_codes(GroupedScaler().fit([[1.0]]), [[1.0]])
    by_name = GroupedScaler(by="branch").fit(X.drop(columns="merchant"))
    with pytest.raises(ValueError, match="groups must be None"):
        group_codes(by_name, X.drop(columns="merchant"), groups=X["branch"])
    with pytest.raises(ValueError, match="feature names"):
        group_codes(by_name, X)
    strict = GroupedScaler(missing_key="error").fit([[1.0]], groups=["a"])
    with pytest.raises(ValueError, match="missing"):
        group_codes(strict, [[1.0]], groups=[None])


def test_other_packages_are_imported_only_when_needed():
    script = (
        "import sys; from sknorm.export import torch, keras, imports; "
        "print(*sorted({'torch', 'keras', 'tensorflow', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
