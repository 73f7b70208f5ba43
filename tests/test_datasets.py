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

from sknorm.datasets import make_credit_applications, make_transactions

OMITTED = ["income", "months_employed", "savings", "utilisation"]
MISTYPED = ["income", "loan_amount", "savings"]
CATEGORICAL = ["purpose", "housing", "employment"]
STREAM = ["amount", "distance_km", "seconds_since_last", "count_24h", "balance", "latency_ms", "device_score"]
DRIFTING = ["amount", "latency_ms", "device_score"]
MONDAY = 1_699_833_600  # 13 November 2023, 00:00 UTC


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


def test_the_stream_is_what_the_docstring_says():
    X, y = make_transactions()
    assert X.shape == (50_000, 11)
    assert list(X.columns) == ["customer_id", "merchant_id", "time", "day", *STREAM]
    assert not X.isna().any(axis=None)
    assert y.name == "fraud"
    assert y.index.equals(X.index)
    assert set(y) == {0, 1}
    assert X["time"].is_monotonic_increasing
    assert X["time"].between(MONDAY, MONDAY + 60 * 86400 - 1).all()
    np.testing.assert_array_equal(X["day"], (X["time"] - MONDAY) // 86400)
    assert set(X["day"]) == set(range(60))
    assert set(X["customer_id"]) <= set(range(500))
    assert set(X["merchant_id"]) <= {f"M{number:04d}" for number in range(200)}
    assert X["merchant_id"].nunique() > 190
    low, high = X[STREAM].min(), X[STREAM].max()
    expected = {"amount": (0.1, 3, 5e3, 5e4), "distance_km": (0.01, 0.2, 300, 3e3), "balance": (5, 100, 2e4, 2e5)}
    expected |= {"latency_ms": (5, 40, 200, 1500), "count_24h": (1, 1, 10, 40)}
    expected |= {"seconds_since_last": (0, 10, 86400, 60 * 86400), "device_score": (1e-3, 0.02, 50, 100)}
    for name, (lowest, low_enough, high_enough, highest) in expected.items():
        assert lowest <= low[name] <= low_enough
        assert high_enough <= high[name] <= highest
    cents = 100 * X["amount"]
    np.testing.assert_allclose(cents, cents.round(), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("rate", "n_fraud"), [(0, 0), (0.001, 3), (0.01, 30), (0.123, 369), (0.5, 1500)])
def test_the_fraud_rate_is_exact(rate, n_fraud):
    assert make_transactions(3000, fraud_rate=rate)[1].sum() == n_fraud


def test_what_looks_back_is_counted_right():
    X, _ = make_transactions(2000, n_days=5, n_customers=15, random_state=4)
    assert (X["time"].diff() == 0).any()
    for _, rows in X.groupby("customer_id"):
        time, row = rows["time"].to_numpy(), np.arange(len(rows))
        np.testing.assert_array_equal(rows["seconds_since_last"], np.diff(time, prepend=MONDAY))
        # Of those in the same second, the earlier rows have been.
        count = [(time[: i + 1] > time[i] - 86400).sum() for i in row]
        np.testing.assert_array_equal(rows["count_24h"], count)


def test_drift_follows_the_documented_model():
    still, y = make_transactions(20_000, drift=0, random_state=2)
    for strength in (0.5, 1):
        moved, same_y = make_transactions(20_000, drift=strength, random_state=2)
        pd.testing.assert_series_equal(y, same_y)
        pd.testing.assert_frame_equal(still.drop(columns=DRIFTING), moved.drop(columns=DRIFTING))
        day, number = still["day"], still["merchant_id"].str[1:].astype(int)
        factor = np.exp(0.004 * day) * np.where((day >= 20) & (number % 5 == 0), 10, 1)
        error = np.abs(moved["amount"] - still["amount"] * factor**strength)
        assert (error <= 0.006 * (1 + factor**strength)).all()  # both amounts are rounded to cents
        factor = np.where(day >= 40, 100, 1) ** strength
        assert (np.abs(moved["device_score"] - still["device_score"] * factor) <= 6e-5 * (1 + factor)).all()


def test_the_network_wanders_and_is_renewed():
    still, _ = make_transactions(20_000, drift=0)
    moved, _ = make_transactions(20_000, drift=1)
    level = np.log(moved["latency_ms"] / still["latency_ms"])
    level += np.log(2.5) * (still["day"] >= 30)
    days = (still["time"].to_numpy() - MONDAY) / 86400
    hats = np.maximum(0, 1 - np.abs(days[:, None] - np.arange(61)))  # what each midnight adds, linear in between
    midnights = np.linalg.lstsq(hats, level, rcond=None)[0] / 0.3
    assert abs(midnights.mean()) < 0.4
    assert 0.7 < midnights.std() < 1.3
    np.testing.assert_allclose(hats @ (0.3 * midnights), level, rtol=0, atol=0.01)  # both are rounded to 0.1 ms


def test_days_and_weeks_have_their_rhythm():
    X, _ = make_transactions(200_000, n_days=70, fraud_rate=0, drift=0)
    per_weekday = X.groupby(X["day"] % 7).size() / len(X)
    np.testing.assert_allclose(per_weekday, np.array([0.9, 0.9, 0.95, 1, 1.2, 1.25, 0.8]) / 7, rtol=0.04)
    weekend = X["day"] % 7 >= 5
    assert 0.13 < np.log(X["amount"]).groupby(weekend).mean().diff().iloc[1] < 0.17
    hour = (X["time"] - MONDAY) // 3600 % 24
    by_hour = X.groupby(hour).size() / len(X)
    assert 12 <= by_hour.idxmax() <= 17
    assert by_hour[2] < 0.1 * by_hour.max()
    latency = np.log(X["latency_ms"]).groupby(hour).mean()
    assert 0.37 < latency.loc[14:15].mean() - latency.loc[2:3].mean() < 0.43
    spread = hour.groupby(X["customer_id"]).std()
    assert spread.median() < 0.85 * hour.std()  # each customer keeps to hours of their own


def test_fraud_follows_the_documented_model():
    X, y = make_transactions(200_000, drift=0, random_state=1)
    logs = np.log(X[["amount", "distance_km", "latency_ms", "balance"]])
    logs["device_score"] = np.log(X["device_score"] / (1 - X["device_score"]))
    logs["latency_ms"] -= 0.2 * np.cos(2 * np.pi * ((X["time"] - MONDAY) / 3600 - 15) / 24)
    shift = logs.groupby(y).mean().diff().loc[1]
    # Three standard errors of 2,000 frauds, the spread of customers and merchants included.
    assert abs(shift["amount"] - 0.8) < 0.07
    assert abs(shift["distance_km"] - 0.8) < 0.08
    assert abs(shift["latency_ms"] - 0.5) < 0.015
    assert abs(shift["device_score"] - 1) < 0.06
    assert abs(shift["balance"]) < 0.07
    before = X["time"] - X["time"].where(y == 0).groupby(X["customer_id"]).ffill()
    assert before[y == 1].notna().all()
    assert before[y == 1].median() < 6 * 3600


def test_fraud_shows_beside_what_is_usual_only():
    X, y = make_transactions(100_000)
    logs = np.log(X[["amount", "distance_km", "latency_ms", "device_score"]])
    beside = logs.copy()
    for name, by in {
        "amount": [X["merchant_id"], X["day"] >= 20],
        "distance_km": X["customer_id"],
        "latency_ms": X["time"] // 7200,
        "device_score": X["day"] >= 40,
    }.items():
        beside[name] -= beside.groupby(by)[name].transform("mean")
    beside["amount"] -= beside.groupby(X["customer_id"])["amount"].transform("mean")
    for name in logs:
        assert 0.6 < roc_auc_score(y, logs[name]) < 0.75
    for name, least in {"amount": 0.88, "distance_km": 0.77, "latency_ms": 0.93, "device_score": 0.78}.items():
        assert roc_auc_score(y, beside[name]) > least


def test_seeds_of_the_stream():
    X, y = make_transactions(500, random_state=3)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    again, same_y = make_transactions(500, random_state=3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(X, again)
    pd.testing.assert_series_equal(y, same_y)
    from_generator, _ = make_transactions(500, random_state=np.random.default_rng(3))
    pd.testing.assert_frame_equal(X, from_generator)
    assert not X.equals(make_transactions(500, random_state=4)[0])
    assert not make_transactions(500, random_state=None)[0].equals(make_transactions(500, random_state=None)[0])


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_samples": 1},
        {"n_samples": 1, "fraud_rate": 0.5},
        {"n_samples": 3, "fraud_rate": 0.5},
        {"n_samples": 200, "n_days": 1},
        {"n_samples": 200, "n_customers": 1, "n_merchants": 1},
        {"n_samples": 200, "drift": 10},
    ],
)
def test_small_streams(parameters):
    X, y = make_transactions(**parameters)
    assert X.shape == (parameters["n_samples"], 11)
    assert len(y) == len(X)
    assert np.isfinite(X[STREAM]).all(axis=None)
    assert X["day"].max() < parameters.get("n_days", 60)
    assert (X[["amount", "distance_km"]] > 0).all(axis=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 0),
        ("n_samples", 2.5),
        ("n_days", 0),
        ("n_days", "60"),
        ("n_customers", 0),
        ("n_merchants", -1),
        ("fraud_rate", -0.1),
        ("fraud_rate", 0.6),
        ("fraud_rate", np.nan),
        ("drift", -1),
        ("drift", np.inf),
        ("drift", "none"),
        ("random_state", -1),
        ("random_state", "seed"),
    ],
)
def test_bad_parameters_of_the_stream_are_named(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of make_transactions must be"):
        make_transactions(**{name: value})


def test_importing_the_module_does_not_import_pandas():
    code = "import sys, sklearn.utils; before = 'pandas' in sys.modules; import sknorm.datasets; "
    code += "sys.exit('pandas' in sys.modules and not before)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
