"""One credit score, four places: scikit-learn, ONNX Runtime, DuckDB and PyTorch must agree on 1,000 applications.

A pipeline learns to score: one sknorm estimator clips outliers and scales, and a logistic regression says how likely a
default is. What sknorm has learned is handed on by `sknorm.export`; the logistic regression, which is a sum, is written
out beside it where no library does that. Then each place scores the same rows, and the largest difference from
scikit-learn's own answer is printed with the time that a row takes. Gaps are filled with medians beforehand. Without
``--data`` it runs on synthetic applications.

    python examples/deploy.py
    python examples/deploy.py --data taiwan_credit_default.csv.gz --target default_next_month --drop ID
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

import sknorm
from sknorm import OutlierClipper, StandardScaler
from sknorm.datasets import make_credit_applications

LARGEST_DIFFERENCE = 1e-6
NEEDED = ("duckdb", "onnxruntime", "skl2onnx", "sqlglot", "torch")


def main(argv: list[str] | None = None) -> None:
    """Train, export, score and compare; exit with an error where a place disagrees."""
    parser = make_parser()
    options = parser.parse_args(argv)
    try:
        X, y, source = load(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    held_out = np.random.default_rng(options.seed).permutation(len(X))[: options.rows]
    learned_from = np.setdiff1d(np.arange(len(X)), held_out)
    X = X.fillna(X.iloc[learned_from].median()).fillna(0.0)
    pipeline = train(X.iloc[learned_from], y[learned_from])
    rows = X.iloc[held_out].reset_index(drop=True)
    print(f"{source}: {len(learned_from):,} rows learned from, {len(rows):,} scored, {X.shape[1]} numeric columns")
    expected = pipeline.predict_proba(rows)[:, 1]
    if len(set(y[held_out])) == 2:
        print(f"ROC AUC on the scored rows: {roc_auc_score(y[held_out], expected):.3f}")
    print(f"\n{'':14}{'largest difference':>20}{'µs a row':>10}")
    worst = 0.0
    for name, place in PLACES.items():
        score = place(pipeline, rows)
        difference = float(np.abs(score() - expected).max())
        worst = max(worst, difference)
        print(f"{name:14}{difference:20.1e}{microseconds(score) / len(rows):10.2f}")
    print("\nA call takes all rows at once; DuckDB's plans its statement first.")
    print(f"\nThe SQL that scales the first column:\n\n{shown(pipeline, rows)}")
    if not worst <= LARGEST_DIFFERENCE:
        raise SystemExit(f"The scores differ by {worst:.1e}, more than {LARGEST_DIFFERENCE:g}.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", metavar="PATH", help="CSV or csv.gz with a header; default: synthetic applications")
    add("--target", metavar="NAME", help="column of --data with two labels; the rarer is the positive")
    add("--drop", metavar="COLUMN", nargs="+", default=[], help="columns that are no features")
    add("--rows", metavar="N", type=int, default=1000, help="how many rows are held out, and scored in each place")
    add("--seed", metavar="N", type=int, default=0)
    return parser


def load(options: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Load the numeric columns and a 0/1 target, and say where they are from."""
    if bool(options.data) != bool(options.target):
        raise ValueError("--data and --target go together")
    if options.data:
        table, target, source = pd.read_csv(options.data, na_values="?"), options.target, Path(options.data).name
    else:
        X, y = make_credit_applications(random_state=options.seed)
        table, target, source = X.assign(default=y), "default", "Synthetic credit applications"
    unknown = [name for name in (target, *options.drop) if name not in table]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}; there are {', '.join(table)}")
    counts = table[target].value_counts(dropna=False)
    if len(counts) != 2 or table[target].isna().any():
        raise ValueError(f"the target needs two labels and no missing value; it has {len(counts)} values")
    X = table.drop(columns=[target, *options.drop]).select_dtypes("number").astype(float)
    if X.empty:
        raise ValueError("there is no numeric column to scale")
    if not 1 <= options.rows <= len(X) // 2:
        raise ValueError(f"--rows must be from 1 to {len(X) // 2}, half of what there is")
    return X, (table[target] == counts.idxmin()).to_numpy(int), source


def train(X: pd.DataFrame, y: np.ndarray) -> Pipeline:
    """Return the pipeline, fitted."""
    scaler = StandardScaler(outliers=OutlierClipper("quantile", quantile_range=(1, 99)))
    return Pipeline([("scale", scaler), ("model", LogisticRegression(max_iter=1000))]).fit(X, y)


# Each place returns the call that scores the rows; what is prepared once is not timed.


def in_scikit_learn(pipeline: Pipeline, rows: pd.DataFrame) -> Callable[[], np.ndarray]:
    """Score where it was trained."""
    return lambda: pipeline.predict_proba(rows)[:, 1]


def in_onnx_runtime(pipeline: Pipeline, rows: pd.DataFrame) -> Callable[[], np.ndarray]:
    """Score by one graph for the whole pipeline."""
    import onnxruntime

    model = sknorm.export.to_onnx(pipeline)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: rows.to_numpy()}
    return lambda: session.run([session.get_outputs()[1].name], feed)[0][:, 1]


def in_duckdb(pipeline: Pipeline, rows: pd.DataFrame) -> Callable[[], np.ndarray]:
    """Score in the database: the scaling by `to_sql`, the logistic regression as the sum that it is."""
    import duckdb

    scaled = sknorm.export.to_sql(pipeline["scale"], dialect="duckdb", table="applications", keep=["row"])
    model, names = pipeline["model"], pipeline["scale"].get_feature_names_out()
    terms = [f"{b:.17e} * {quoted(name)}" for name, b in zip(names, model.coef_[0], strict=True)]
    logit = " + ".join([f"{model.intercept_[0]:.17e}", *terms])
    query = f"SELECT 1 / (1 + exp(-({logit}))) AS score FROM ({scaled}) ORDER BY row"
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.register("frame", rows.assign(row=np.arange(len(rows))))
    connection.execute("CREATE TABLE applications AS SELECT * FROM frame")
    return lambda: connection.execute(query).fetchnumpy()["score"]


def in_torch(pipeline: Pipeline, rows: pd.DataFrame) -> Callable[[], np.ndarray]:
    """Score by a module: the scaling by `to_torch`, the logistic regression as a linear layer."""
    import torch

    model = pipeline["model"]
    linear = torch.nn.Linear(model.coef_.shape[1], 1, dtype=torch.float64)
    linear.load_state_dict({"weight": torch.tensor(model.coef_), "bias": torch.tensor(model.intercept_)})
    scorer = torch.nn.Sequential(sknorm.export.to_torch(pipeline["scale"]), linear, torch.nn.Sigmoid()).eval()
    x = torch.from_numpy(rows.to_numpy())

    def score() -> np.ndarray:
        with torch.no_grad():
            return scorer(x).numpy()[:, 0]

    return score


PLACES = {"scikit-learn": in_scikit_learn, "ONNX Runtime": in_onnx_runtime, "DuckDB": in_duckdb, "PyTorch": in_torch}


def quoted(name: str) -> str:
    """Write a column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def shown(pipeline: Pipeline, rows: pd.DataFrame) -> str:
    """Return the statement that scales the first column alone."""
    first = StandardScaler(**pipeline["scale"].get_params(deep=False)).fit(rows.iloc[:, :1])
    return sknorm.export.to_sql(first, dialect="duckdb", table="applications")


def microseconds(call: Callable[[], object], repeat: int = 20) -> float:
    """Return the shortest time of several calls."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        sys.exit(f'{error}\nThis example needs {", ".join(NEEDED)}: pip install "sknorm[onnx,sql,torch]"')
