"""Test the synthetic data sets: what they promise in their docstrings."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknorm.datasets import make_credit_applications

OMITTED = ["income", "months_employed", "savings", "utilisation"]
MISTYPED = ["income", "loan_amount", "savings"]
CATEGORICAL = ["purpose", "housing", "employment"]


def documented_log_odds(X):
    """Return the log-odds as the docstring writes them."""
    effects = {
        "purpose": {"car": 0, "home": -0.2, "education": 0.2, "debt": 0.4, "business": 0.6},
        "housing": {"rent": 0.3, "mortgage": -0.2, "own": -0.3},
        "employment": {"employed": 0, "self-employed": 0.4, "retired": -0.3},
    }
    return (
        -3.6
        - 0.6 * np.log(X["income"] / 38000)
        + 0.6 * np.log(X["loan_amount"] / 9000)
        + 200 * (X["monthly_rate"] - 0.009)
        + 2 * X["debt_to_income"]
        + 3 * X["utilisation"]
        - 0.12 * np.log(1 + X["savings"] / 500)
        - 0.006 * X["months_employed"]
        + 0.45 * X["n_late"]
        - 0.015 * (X["age"] - 40)
        + 0.7 * (X["application_time"] - 1.7e9) / 31536000
        + sum(X[name].astype(object).map(effect).astype(float) for name, effect in effects.items())
    )


def test_the_table_is_what_the_docstring_says():
    X, y = make_credit_applications()
    assert X.shape == (5000, 15)
    assert list(X.columns[-3:]) == CATEGORICAL
    assert list(X.select_dtypes("number").columns) == list(X.columns[:12])
    assert y.name == "default"
    assert y.index.equals(X.index)
    assert set(y) == {0, 1}
    assert 0.2 <= y.mean() <= 0.25
    assert X["application_time"].between(1.7e9, 1.7e9 + 31536000).all()
    for name in ("debt_to_income", "utilisation"):
        assert X[name].dropna().between(0, 1).all()
    medians = X.select_dtypes("number").median()
    assert medians.min() < 1e-2
    assert medians.max() > 1e9


@pytest.mark.parametrize("seed", range(3))
def test_the_default_rate_holds_for_other_seeds(seed):
    assert 0.22 <= make_credit_applications(20_000, random_state=seed)[1].mean() <= 0.26


def test_the_label_follows_the_documented_model():
    X, y = make_credit_applications(50_000, missing=0, outliers=0, random_state=1)
    risk = 1 / (1 + np.exp(-documented_log_odds(X)))
    band = pd.qcut(risk, 10, labels=False)
    n, expected, observed = (part.groupby(band) for part in (risk, risk, y))
    error = np.sqrt(expected.mean() * (1 - expected.mean()) / n.size())
    assert (np.abs(observed.mean() - expected.mean()) < 4 * error).all()
    assert 0.8 < roc_auc_score(y, risk) < 0.84


def test_a_plain_model_reaches_the_promised_auc():
    X, y = make_credit_applications()
    numeric = list(X.select_dtypes("number").columns)
    scale = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((scale, numeric), (OneHotEncoder(), CATEGORICAL))
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    assert 0.75 < cross_val_score(model, X, y, scoring="roc_auc").mean() < 0.8


def test_spoiled_cells_are_counted_and_the_others_stay():
    clean, y = make_credit_applications(2000, missing=0, outliers=0)
    spoiled, same_y = make_credit_applications(2000, missing=0.1, outliers=0.02)
    pd.testing.assert_series_equal(y, same_y)
    assert not clean.isna().any(axis=None)
    for name in clean:
        missing = spoiled[name].isna()
        assert missing.sum() == (200 if name in OMITTED else 0)
        changed = (spoiled[name] != clean[name]) & ~missing
        if name not in MISTYPED:
            assert not changed.any()
        else:
            assert 20 <= changed.sum() <= 40
            np.testing.assert_array_equal(spoiled[name][changed], clean[name][changed] * 1000)


def test_entry_errors_do_not_depend_on_missing_values():
    X, _ = make_credit_applications(1000, missing=0)
    Z, _ = make_credit_applications(1000, missing=0.5)
    pd.testing.assert_frame_equal(Z.dropna(), X.loc[Z.dropna().index])


def test_worse_risks_leave_fields_empty():
    X, _ = make_credit_applications(20_000, missing=0, outliers=0)
    risk = documented_log_odds(X)
    Z, _ = make_credit_applications(20_000, missing=0.1, outliers=0)
    gap = {name: risk[Z[name].isna()].mean() - risk[Z[name].notna()].mean() for name in OMITTED}
    assert min(gap["income"], gap["months_employed"]) > 0.5
    assert max(abs(gap["savings"]), abs(gap["utilisation"])) < 0.15


def test_seeds():
    X, y = make_credit_applications(100, random_state=3)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    again, same_y = make_credit_applications(100, random_state=3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(X, again)
    pd.testing.assert_series_equal(y, same_y)
    from_generator, _ = make_credit_applications(100, random_state=np.random.default_rng(3))
    pd.testing.assert_frame_equal(X, from_generator)
    assert not X.equals(make_credit_applications(100, random_state=4)[0])
    assert not make_credit_applications(100, random_state=None)[0].equals(
        make_credit_applications(100, random_state=None)[0]
    )


@pytest.mark.parametrize("n_samples", [1, 2, 19])
def test_few_rows(n_samples):
    X, y = make_credit_applications(n_samples)
    assert X.shape == (n_samples, 15)
    assert len(y) == n_samples


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 0),
        ("n_samples", 2.5),
        ("missing", -0.1),
        ("missing", 1),
        ("missing", np.nan),
        ("missing", "5 %"),
        ("outliers", 1.5),
        ("random_state", -1),
        ("random_state", "seed"),
    ],
)
def test_bad_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of make_credit_applications must be"):
        make_credit_applications(**{name: value})


def test_importing_the_module_does_not_import_pandas():
    code = "import sys, sklearn.utils; before = 'pandas' in sys.modules; import sknorm.datasets; "
    code += "sys.exit('pandas' in sys.modules and not before)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
