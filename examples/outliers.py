"""Clip before or after scaling? What values a thousand times too large do to two models, and what helps.

A share of the values in the numeric columns is multiplied by 1,000, as by a wrong unit. Logistic regression and
k-nearest neighbours learn from the table, prepared in seven ways, and are judged by cross-validation on held-out rows
that are corrupted like those they learned from: in use, rows come from the same source. With ``--clean`` they are
judged on the rows as they were, which shows what is due to learning alone. The error is 1 − ROC AUC, which asks how
well applicants are ranked: few of them default, so that a model that suspects nobody is mostly right, and a ranking
needs no threshold that outliers could move. Without ``--data`` it runs on synthetic applications.

    python examples/outliers.py
    python examples/outliers.py --data taiwan_credit_default.csv.gz --target default_next_month --drop ID
"""

from __future__ import annotations

import argparse
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from sknorm import OutlierClipper, RobustScaler, StandardScaler
from sknorm.datasets import make_credit_applications

FACTOR = 1000
SHARES = (0.0, 0.001, 0.01, 0.05)  # of the values that are multiplied by it
# The parts of a name stand in the order in which they work.
PLAIN, ROBUST, ROBUST_CLIP = "StandardScaler", "RobustScaler", "RobustScaler, soft clip 3"
HARD, SOFT = "StandardScaler, hard clip 3", "StandardScaler, soft clip 3"
QUANTILE, MAD = "quantile clip, StandardScaler", "MAD clip, StandardScaler"
# name: (scaler, its line in the picture)
PREPARATIONS = {
    PLAIN: (StandardScaler(), {"color": "#BDBDBD", "linewidth": 6, "marker": "o"}),
    HARD: (StandardScaler(clip=3), {"color": "#D55E00", "linestyle": "--", "marker": "o"}),
    SOFT: (StandardScaler(clip=3, clip_mode="soft"), {"color": "#E69F00", "linestyle": "--", "marker": "o"}),
    ROBUST: (RobustScaler(), {"color": "#CC79A7", "marker": "s"}),
    ROBUST_CLIP: (RobustScaler(clip=3, clip_mode="soft"), {"color": "#56B4E9", "linestyle": "--", "marker": "s"}),
    QUANTILE: (
        StandardScaler(outliers=OutlierClipper("quantile", quantile_range=(1, 99))),
        {"color": "#009E73", "marker": "v"},
    ),
    MAD: (StandardScaler(outliers=OutlierClipper("mad")), {"color": "#0072B2", "marker": "v", "linewidth": 3}),
}
MODELS = {
    # lbfgs, the default solver, does not converge on columns whose outliers nothing has bounded.
    "logistic": LogisticRegression(solver="newton-cg", max_iter=200),
    # "brute" takes squared distances by a matrix product, in which small ones lose their digits beside outliers.
    "k-NN": KNeighborsClassifier(n_neighbors=25, algorithm="kd_tree"),
}


def main(argv: list[str] | None = None) -> None:
    """Print the table and what follows from it, and save the picture."""
    parser = make_parser()
    options = parser.parse_args(argv)
    start = time.perf_counter()
    try:
        X, y, title = load(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(title)
    errors = compare(X, y, options)
    print_table(errors, options)
    print("\n".join(conclude(errors, {share: measure_swelling(X, share, options.seed) for share in SHARES})))
    if options.picture:
        save_picture(errors, title, options)
        print(f"Picture: {options.picture}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", metavar="PATH", help="CSV or csv.gz with a header; default: synthetic applications")
    add("--target", metavar="NAME", help="column of --data with two labels; the rarer is the positive")
    add("--drop", metavar="COLUMN", nargs="+", default=[], help="columns that are no features")
    add("--sample", metavar="N", type=int, default=4000, help="most rows to use, stratified; 0 = all")
    add("--folds", metavar="N", type=int, default=3)
    add("--clean", action="store_true", help="judge on held-out rows without corruption")
    add("--picture", metavar="PATH", default="outliers.png", help="'' for none")
    add("--seed", metavar="N", type=int, default=0)
    return parser


def load(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, str]:
    """Load the numeric columns and a 0/1 target, at most ``--sample`` rows, and say in one line what they are.

    The other columns are left out, so that a model has nothing to go by but what is corrupted and prepared. The
    synthetic applications come without entry errors of their own.
    """
    if bool(options.data) != bool(options.target):
        raise ValueError("--data and --target go together")
    if options.data:
        table, target = pd.read_csv(options.data, na_values="?"), options.target
    else:
        X, y = make_credit_applications(outliers=0, random_state=options.seed)
        table, target = X.assign(default=y), "default"
    unknown = [name for name in (target, *options.drop) if name not in table]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}; there are {', '.join(table)}")
    counts = table[target].value_counts(dropna=False)
    if len(counts) != 2 or table[target].isna().any():
        raise ValueError(f"the target needs two labels and no missing value; it has {len(counts)} values")
    y = (table[target] == counts.idxmin()).astype(int)
    if 0 < options.sample < len(y):
        y = y.groupby(y).sample(frac=options.sample / len(y), random_state=options.seed).sort_index()
    if not 2 <= options.folds <= y.sum():
        raise ValueError(f"--folds must be from 2 to {y.sum()}, the number of rows with label {counts.idxmin()}")
    X = table.loc[y.index].drop(columns=[target, *options.drop]).select_dtypes("number").astype(float)
    if len(y) < 50:
        raise ValueError("k-NN needs at least 50 rows")
    if X.empty:
        raise ValueError("there is no numeric column to corrupt")
    source = Path(options.data).name if options.data else "Synthetic credit applications"
    title = f"{source}: {len(y):,} of {len(table):,} rows, {X.shape[1]} numeric columns, {y.mean():.1%} positive"
    return X.to_numpy(), y.to_numpy(), title


def compare(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> pd.DataFrame:
    """Return the mean error over folds: a row for every preparation, a column for every (model, share)."""
    folds = list(StratifiedKFold(options.folds, shuffle=True, random_state=options.seed).split(X, y))
    errors = {}
    for share in SHARES:
        corrupted = corrupt(X, share, options.seed)
        judged = X if options.clean else corrupted
        for model in MODELS:
            errors[model, share] = {
                name: np.mean([judge(name, model, corrupted, judged, y, *fold) for fold in folds])
                for name in PREPARATIONS
            }
    return pd.DataFrame(errors)[list(MODELS)]


def corrupt(X: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return X with about that share of its values multiplied; zeros and missing values stay what they are.

    The cells of a smaller share are among those of a larger one, so that shares differ by nothing else.
    """
    return np.where(np.random.default_rng(seed).random(X.shape) < share, FACTOR * X, X)


def judge(name: str, model: str, learned: np.ndarray, judged: np.ndarray, y: np.ndarray, train, test) -> float:
    """Return the error on the held-out rows of one table of a model that has learned from the others of another."""
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    pipeline = Pipeline([("impute", impute), ("scale", PREPARATIONS[name][0]), ("model", MODELS[model])])
    pipeline.fit(learned[train], y[train])
    return 1 - get_scorer("roc_auc")(pipeline, judged[test], y[test])


def prevented(errors: pd.DataFrame, model: str, shares: tuple[float, ...] = SHARES[1:]) -> pd.Series:
    """Return how much of the error that outliers add to StandardScaler each preparation prevents, in percent.

    Negative where more is added than there; NaN where so little is added there (0.005) that no share of it says much.
    """
    added = errors[model][list(shares)].mean(axis="columns") - errors[model, 0.0]
    return 100 * (1 - added / (added[PLAIN] if added[PLAIN] > 0.005 else np.nan))


def measure_swelling(X: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return how many times as large as without corruption the standard deviation of every column is."""
    return StandardScaler().fit(corrupt(X, share, seed)).scale_ / StandardScaler().fit(X).scale_


def print_table(errors: pd.DataFrame, options: argparse.Namespace) -> None:
    """Print a row for every preparation, and what the columns mean."""
    shares = "".join(f"{show(share):>7}" for share in SHARES) + f"{'prevented':>11}"
    print(f"\n{'1 - ROC AUC':31}" + "".join(f"{model:^39}" for model in MODELS).rstrip())
    print(f"{'values corrupted':31}" + shares * len(MODELS))
    percent = {model: prevented(errors, model) for model in MODELS}
    for name in PREPARATIONS:
        cells = [
            "".join(f"{error:7.3f}" for error in errors.loc[name, model])
            + f"{'-' if np.isnan(percent[model][name]) else f'{percent[model][name]:.0f} %':>11}"
            for model in MODELS
        ]
        print(f"{name:31}" + "".join(cells))
    print(
        f"\nCorrupted: multiplied by {FACTOR:,}. {options.folds}-fold cross-validation, judged on "
        f"{'rows without corruption' if options.clean else 'rows that are corrupted alike'}.\n"
        "Prevented: of the error that the corrupted values add to StandardScaler, on average over their shares.\n"
        "Quantile clip: to the quantiles 1 and 99 %. MAD clip: to the median ± 3.29 deviations, estimated by the MAD."
    )


def show(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:g} %"


def conclude(errors: pd.DataFrame, swelling: dict[float, np.ndarray]) -> list[str]:
    """Return what the figures say; what they do not say is left out."""
    few, more, many = SHARES[1:]
    overall, at_few, at_many = (
        pd.DataFrame({model: prevented(errors, model, shares) for model in MODELS})
        for shares in (SHARES[1:], (few,), (many,))
    )
    clean = errors.xs(0.0, axis="columns", level=1)
    cost = max(0, (clean.loc[MAD] - clean.loc[PLAIN]).max())
    swollen = np.nanmedian(swelling[many])
    (low, high), (low_more, high_more) = (np.nanquantile(swelling[share], (0.1, 0.9)) for share in (few, more))
    findings = {
        "Clip before the scale is learned, not after. A clip after it bounds the outliers, but they have set the scale "
        f"by then: with {show(many)}, the median column is divided by {swollen:.0f} times its standard deviation.": (
            (overall.loc[[HARD, SOFT]] < 50).all(axis=None) and (overall.loc[MAD] > 50).all() and swollen > 10
        ),
        f"A robust scale alone is not enough: outliers stay large. With {show(many)}, they need a bound after it.": (
            (at_many.loc[ROBUST] < 50).all() and (at_many.loc[ROBUST_CLIP] > 50).all()
        ),
        f"Quantiles help while they cut off more than is corrupted ({show(few)}), not beyond ({show(many)}), "
        "where the MAD still does.": (
            (at_few.loc[QUANTILE] > 50).all() and (at_many.loc[QUANTILE] < 50).all() and (at_many.loc[MAD] > 50).all()
        ),
        f"Where nothing is corrupted, the MAD clip costs little: an error {cost:.3f} higher at most.": cost <= 0.01,
        f"Few outliers can harm k-NN more than many, since it weighs columns by their scale: {show(few)} divide most "
        f"columns by {low:.0f} to {high:.0f} times their standard deviation, {show(more)} by {low_more:.0f} to "
        f"{high_more:.0f}, which is more alike.": (
            errors.loc[PLAIN, ("k-NN", few)] > errors.loc[PLAIN, ("k-NN", more)] and high / low > high_more / low_more
        ),
    }
    lines = [textwrap.fill(f"- {text}", 120, subsequent_indent="  ") for text, true in findings.items() if true]
    head = "What the figures say:" if lines else "The figures of the two models have no conclusion in common."
    return ["", head, *lines]


def save_picture(errors: pd.DataFrame, title: str, options: argparse.Namespace) -> None:
    """Draw the error against the share of corrupted values: a panel for every model, a line for every preparation."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        raise SystemExit('The picture needs matplotlib: pip install "sknorm[examples]"') from None
    figure, axes = plt.subplots(1, len(MODELS), figsize=(12, 4.6), sharey=True, layout="constrained")
    for ax, (model, estimator) in zip(axes, MODELS.items(), strict=True):
        for name, (_, line) in PREPARATIONS.items():
            ax.plot(range(len(SHARES)), errors.loc[name, model], label=name, **{"linewidth": 2, **line})
        ax.set_title(type(estimator).__name__)
        ax.set_xticks(range(len(SHARES)), [show(share) for share in SHARES])
        ax.set_xlabel(f"values multiplied by {FACTOR:,}")
        ax.grid(color="#E8E8E8")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("error: 1 − ROC AUC")
    # In the order of the lines' right ends.
    order = errors.xs(SHARES[-1], axis="columns", level=1).mean(axis="columns").to_numpy().argsort()[::-1]
    handles, labels = axes[-1].get_legend_handles_labels()
    axes[-1].legend(
        [handles[i] for i in order], [labels[i] for i in order],
        loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelspacing=0.9,
        title="dashed: clipped after scaling", alignment="left",
    )  # fmt: skip
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    figure.savefig(options.picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
