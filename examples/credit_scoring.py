"""Compare normalizations in credit scoring: what each does to four models, to the range of the data and to the clock.

Every cell of the table is a stratified cross-validation of one pipeline: numeric columns are imputed and scaled by
sknorm, categorical ones one-hot encoded by scikit-learn. Without ``--data`` it runs on synthetic applications.

    python examples/credit_scoring.py
    python examples/credit_scoring.py --data german_credit.csv --target class
"""

from __future__ import annotations

import argparse
import time
import timeit
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from sknorm import DecimalScaler, MaxAbsScaler, MeanScaler, MinMaxScaler, RobustScaler, StandardScaler
from sknorm.datasets import make_credit_applications

# name: (scaler, the range in which its user expects values)
NORMALIZATIONS = {
    "none": ("passthrough", None),
    "StandardScaler": (StandardScaler(), (-3, 3)),
    "StandardScaler, soft clip 3": (StandardScaler(clip=3.0, clip_mode="soft"), (-3, 3)),
    "MinMaxScaler, clip": (MinMaxScaler(clip=True), (0, 1)),
    "MeanScaler": (MeanScaler(), (-1, 1)),
    "DecimalScaler": (DecimalScaler(), (-1, 1)),
    "RobustScaler": (RobustScaler(zero_iqr="range"), (-3, 3)),
    "RobustScaler, MAD": (RobustScaler(scale="mad", zero_iqr="range"), (-3, 3)),
    "MaxAbsScaler": (MaxAbsScaler(), (-1, 1)),
}
MODELS = {
    "logistic": lambda seed: LogisticRegression(max_iter=200),
    "k-NN": lambda seed: KNeighborsClassifier(n_neighbors=25),
    "SVM": lambda seed: LinearSVC(C=0.1, dual=False, max_iter=200),
    "MLP": lambda seed: MLPClassifier((16,), alpha=1.0, learning_rate_init=0.01, random_state=seed),
}
# option: (title, scikit-learn's scorer, error of a score)
METRICS = {
    "auc": ("ROC AUC", "roc_auc", lambda score: 1 - score),
    "log_loss": ("log-loss", "neg_log_loss", lambda score: -score),
}
PICTURE_COLUMNS = {
    "none": ("raw", "#7f7f7f"),
    "StandardScaler": ("z-score", "#0072B2"),
    "StandardScaler, soft clip 3": ("z-score, soft clip 3", "#56B4E9"),
    "MinMaxScaler, clip": ("min-max, clip", "#009E73"),
    "RobustScaler": ("robust", "#D55E00"),
}


def main(argv: list[str] | None = None) -> None:
    """Print the table and save the picture."""
    parser = make_parser()
    options = parser.parse_args(argv)
    start = time.perf_counter()
    try:
        X, y, title = load(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(title)
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    folds = list(folds.split(X, y))
    scores, notes = score_all(X, y, folds, options)
    scaling = {name: measure_scaling(name, X, folds) for name in NORMALIZATIONS}
    print_table(scores, scaling, notes, options)
    if options.picture:
        save_picture(X, options.picture)
        print(f"Picture: {options.picture}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="PATH", help="CSV or csv.gz with a header; default: synthetic applications")
    parser.add_argument("--target", metavar="NAME", help="column of --data with two labels; the rarer is the positive")
    parser.add_argument("--drop", metavar="COLUMN", nargs="+", default=[], help="columns that are no features")
    parser.add_argument("--sample", metavar="N", type=int, default=6000, help="most rows to use, stratified; 0 = all")
    parser.add_argument("--folds", metavar="N", type=int, default=5)
    parser.add_argument("--metric", choices=METRICS, default="auc")
    parser.add_argument("--picture", metavar="PATH", default="credit_scoring.png", help="'' for none")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument("--jobs", metavar="N", type=int, default=-1, help="processes; -1 = one per core")
    return parser


def load(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.Series, str]:
    """Load features and a 0/1 target, at most ``--sample`` rows of them, and say in one line what they are."""
    if bool(options.data) != bool(options.target):
        raise ValueError("--data and --target go together")
    if options.data:
        table, target = pd.read_csv(options.data, na_values="?"), options.target
    else:
        X, y = make_credit_applications(random_state=options.seed)
        table, target = X.assign(default=y), "default"
    unknown = [name for name in (target, *options.drop) if name not in table]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}; there are {', '.join(table)}")
    X, y = table.drop(columns=[target, *options.drop]), table[target]
    counts = y.value_counts(dropna=False)
    if len(counts) != 2 or y.isna().any():
        labels = ", ".join(map(str, counts.index[:5]))
        raise ValueError(f"the target needs two labels and no missing value; it has {len(counts)}: {labels}")
    positive = counts.idxmin()
    y = (y == positive).astype(int)
    if 0 < options.sample < len(y):
        y = y.groupby(y).sample(frac=options.sample / len(y), random_state=options.seed).sort_index()
        X = X.loc[y.index]
    if not 2 <= options.folds <= y.sum():
        raise ValueError(f"--folds must be from 2 to {y.sum()}, the number of rows with label {positive}")
    numeric, categorical = split_columns(X)
    if not numeric:
        raise ValueError("there is no numeric column to normalize")
    source = Path(options.data).name if options.data else "Synthetic credit applications"
    title = (
        f"{source}: {len(y):,} of {counts.sum():,} rows (--sample {options.sample}), "
        f"{len(numeric)} numeric and {len(categorical)} categorical columns\n"
        f"Positive label: {positive} ({y.mean():.1%}). {options.folds}-fold stratified cross-validation."
    )
    return X.reset_index(drop=True), y.reset_index(drop=True), title


def split_columns(X: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the numeric and the other columns."""
    return make_column_selector(dtype_include=np.number)(X), make_column_selector(dtype_exclude=np.number)(X)


def make_imputer() -> SimpleImputer:
    """Make the imputer of the numeric columns; one without a value becomes constant instead of being dropped."""
    return SimpleImputer(strategy="median", keep_empty_features=True)


def make_pipeline(name: str, X: pd.DataFrame, model) -> Pipeline:
    """Make the pipeline of a normalization and a model."""
    numeric, categorical = split_columns(X)
    scale = Pipeline([("impute", make_imputer()), ("scale", NORMALIZATIONS[name][0])])
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [
        ("numeric", scale, numeric),
        ("missing", MissingIndicator(error_on_new=False), numeric),
        ("categorical", encode, categorical),
    ]
    return Pipeline([("columns", ColumnTransformer(columns)), ("model", model)])


def score_all(X: pd.DataFrame, y: pd.Series, folds: list, options: argparse.Namespace) -> tuple[dict, dict]:
    """Return the mean score of every (normalization, model), and the Counter of each normalization's warnings."""
    cells = [(name, model) for name in NORMALIZATIONS for model in MODELS]
    results = Parallel(n_jobs=options.jobs)(
        delayed(score_fold)(make_pipeline(name, X, MODELS[model](options.seed)), X, y, train, test, options.metric)
        for name, model in cells
        for train, test in folds
    )
    scores, notes = {}, {name: Counter() for name in NORMALIZATIONS}
    for i, (name, model) in enumerate(cells):
        per_fold = results[i * len(folds) : (i + 1) * len(folds)]
        scores[name, model] = float(np.mean([score for score, _ in per_fold]))
        for _, caught in per_fold:
            notes[name].update(caught)
    return scores, notes


def score_fold(pipeline: Pipeline, X: pd.DataFrame, y: pd.Series, train, test, metric: str) -> tuple[float, set[type]]:
    """Fit and score one fold; return the score and the kinds of warnings, which are counted, not printed 180 times."""
    if metric == "log_loss" and not hasattr(pipeline, "predict_proba"):
        return np.nan, set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(X.iloc[train], y.iloc[train])
        score = get_scorer(METRICS[metric][1])(pipeline, X.iloc[test], y.iloc[test])
    return score, {warning.category for warning in caught}


def measure_scaling(name: str, X: pd.DataFrame, folds: list) -> tuple[float, float]:
    """Return the share of held-out values inside the expected range, and transform's microseconds per row."""
    scaler, expected = NORMALIZATIONS[name]
    if expected is None:
        return np.nan, np.nan
    low, high = expected
    numbers = X[split_columns(X)[0]]
    inside, seconds = [], []
    for train, test in folds:
        imputer = make_imputer().fit(numbers.iloc[train])
        held_out = imputer.transform(numbers.iloc[test])
        scaler.fit(imputer.transform(numbers.iloc[train]))
        values = scaler.transform(held_out)
        inside.append(np.mean((low <= values) & (values <= high)))
        seconds.append(min(timeit.repeat(partial(scaler.transform, held_out), number=10, repeat=5)) / 10 / len(test))
    return float(np.mean(inside)), 1e6 * min(seconds)


def print_table(scores: dict, scaling: dict, notes: dict, options: argparse.Namespace) -> None:
    """Print one row per normalization and the footnotes that explain the columns."""
    title, _, error = METRICS[options.metric]
    names = "".join(f"{model:>9}" if i == 0 else f"{model:>7}" for i, model in enumerate(MODELS))
    print(f"\n{'':27}{title:^30} {'error reduction, %':^37}{'in':>8}{'µs per':>7}{'fits not':>10}")
    print(f"{'normalization':27}{names} {names}{'mean':>7}{'range %':>8}{'row':>7}{'converged':>10}")
    for name in NORMALIZATIONS:
        score = [abs(scores[name, model]) for model in MODELS]
        reduction = [100 * (1 - error(scores[name, model]) / error(scores["none", model])) for model in MODELS]
        reduction.append(np.nanmean(reduction))
        inside, microseconds = scaling[name]
        print(
            f"{name:27}{show(score, '.3f')} {show(reduction, '+.1f' if name != 'none' else '.0f')}"
            f"{show([100 * inside], '.1f', 8)}{show([microseconds], '.3f', 7)}{notes[name][ConvergenceWarning]:>10}"
        )
    n_fits = options.folds * sum(not np.isnan(scores["none", model]) for model in MODELS)
    print(
        f"\nError: {'1 - AUC' if options.metric == 'auc' else 'the log-loss; LinearSVC has no probabilities'}. "
        "Reduction: against no normalization; mean over models.\n"
        "In range: share of held-out values in [-3, 3] (standard, robust), [0, 1] (min-max), [-1, 1] (the others).\n"
        f"Microseconds: the scaler's transform of a held-out fold, best of several. Not converged: of {n_fits} fits."
    )
    others = sum(notes.values(), Counter())
    del others[ConvergenceWarning]
    for category, count in others.items():
        print(f"{category.__name__}: in {count} of {n_fits * len(NORMALIZATIONS)} fits.")


def show(values: list[float], spec: str, later: int = 7) -> str:
    """Format numbers in columns of the table, NaN as a dash."""
    texts = ["-" if np.isnan(value) else format(value, spec) for value in values]
    first = 9 if len(texts) > 1 else later
    return f"{texts[0]:>{first}}" + "".join(f"{text:>{later}}" for text in texts[1:])


def choose_columns(X: pd.DataFrame) -> dict[str, str]:
    """Choose up to four columns that tell normalizations apart, each with what it stands for."""
    numeric, _ = split_columns(X)
    numeric = [name for name in numeric if X[name].nunique() > 30] or numeric
    quantile = X[numeric].quantile([0, 0.05, 0.5, 0.95, 1]).T
    median, bulk = quantile[0.5], (quantile[0.95] - quantile[0.05]).clip(lower=np.finfo(float).tiny)
    spread = (quantile[1] - quantile[0]) / bulk
    traits = {
        "heaviest outliers": spread,
        # Beside an entry error no shape can be seen.
        "most skewed": ((quantile[0.95] + quantile[0.05] - 2 * median).abs() / bulk).where(spread < 20, 0),
        "farthest from zero": median.abs() / bulk,
        "smallest scale": -bulk,
    }
    chosen: dict[str, str] = {}
    for trait, strength in traits.items():
        rest = strength.drop(list(chosen))
        if len(rest):
            chosen[rest.idxmax()] = trait
    return chosen


def save_picture(X: pd.DataFrame, path: str) -> None:
    """Draw raw and normalized distributions side by side, one row per chosen column."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        raise SystemExit('The picture needs matplotlib: pip install "sknorm[examples]"') from None
    chosen = choose_columns(X)
    figure, axes = plt.subplots(
        len(chosen), len(PICTURE_COLUMNS), figsize=(13, 2.1 * len(chosen) + 0.6), squeeze=False, layout="constrained"
    )
    for row, (column, trait) in zip(axes, chosen.items(), strict=True):
        raw = X[[column]].dropna().to_numpy(dtype=float)
        for ax, (name, (label, colour)) in zip(row, PICTURE_COLUMNS.items(), strict=True):
            scaler, expected = NORMALIZATIONS[name]
            values = raw if expected is None else scaler.fit_transform(raw)
            draw_histogram(ax, values.ravel(), expected, colour)
            if ax in axes[0]:
                ax.set_title(label, fontsize=12)
        row[0].set_ylabel(f"{column}\n({trait})", fontsize=10)
    figure.suptitle("Raw and normalized distributions, each over the range that its normalization aims at", fontsize=13)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_histogram(ax, values: np.ndarray, expected: tuple | None, colour: str) -> None:
    """Draw one histogram over the expected range and a margin, and say what share lies beyond."""
    low, high = expected or (values.min(), values.max())
    margin = 0.08 * (high - low) or 1.0
    ax.hist(values, bins=32, range=(low - margin, high + margin), color=colour)
    beyond = np.mean((values < low) | (values > high))
    if beyond > 0:
        farthest = np.abs(values).max()
        share = f"{beyond:.1%}" if beyond >= 0.001 else "<0.1%"
        text = f"{share} beyond,\nup to {farthest:,.{0 if farthest >= 10 else 1}f}"
        ax.text(1, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=9)
    ax.set_xlim(low - margin, high + margin)
    ticks = [low, (low + high) / 2, high]
    ax.set_xticks(ticks, [short(tick) for tick in ticks], fontsize=9)
    ax.set_yticks([])
    ax.spines[["left", "top", "right"]].set_visible(False)


def short(value: float) -> str:
    """Write a number in few characters: 0.009, 38,000, 1.716e9."""
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("-", "\u2212")


if __name__ == "__main__":
    main()
