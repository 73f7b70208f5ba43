"""Is this amount unusual for this merchant, for this customer? What fraud detection gains from scaling by key.

One column, the amount of a card transaction, goes to logistic regression: as it is, scaled by all rows, by those of its
customer, by those of its merchant (or terminal), or both. The model learns from the first 60 % of the days and is
judged on the rest, by its average precision. Every row is scaled by what came before it, as it would be in use
(prequential), and, to see what that hides, with hindsight: by a scaler that was fitted on all rows. Without ``--data``
it runs on synthetic transactions.

    python examples/merchant_normalization.py
    python examples/merchant_normalization.py --data handbook_transactions.parquet --log --below 220

``--data`` takes transactions as the Fraud Detection Handbook simulates them: a CSV, csv.gz or Parquet file with the
columns TX_TIME_SECONDS, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT and TX_FRAUD.
"""

from __future__ import annotations

import argparse
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline

from sknorm import GroupedScaler, StandardScaler
from sknorm.datasets import make_transactions

DAY = 86_400
SPLIT = 0.6  # of the days: those before are for learning
HANDBOOK = {
    "TX_TIME_SECONDS": "time",
    "CUSTOMER_ID": "customer",
    "TERMINAL_ID": "terminal",
    "TX_AMOUNT": "amount",
    "TX_FRAUD": "fraud",
}
# name: method of the scaler, colour
VERBS = {"prequential": ("prequential_transform", "#0072B2"), "with hindsight": ("fit_transform", "#D55E00")}


def main(argv: list[str] | None = None) -> None:
    """Print the table and save the picture."""
    parser = make_parser()
    options = parser.parse_args(argv)
    start = time.perf_counter()
    try:
        table, title = load(options)
        learning = split(table)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(title)
    results = compare(table, learning, options.smooth)
    at_random = table["fraud"][~learning].mean()
    print_table(results, at_random, learning)
    if options.picture:
        save_picture(results, at_random, title, options)
        print(f"Picture: {options.picture}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", metavar="PATH", help="the Handbook's transactions; default: synthetic ones")
    add("--rows", metavar="N", type=positive, help="the first so many; default: 100,000, or all of --data")
    add("--log", action="store_true", help="take logarithms of the amounts first")
    add("--below", metavar="AMOUNT", type=float, help="leave larger amounts out, those that a limit would catch")
    add("--smooth", metavar="VALUES", type=positive, default=5, help="that all rows are worth; default: %(default)s")
    add("--picture", metavar="PATH", default="merchant_normalization.png", help="'' for none")
    add("--seed", metavar="N", type=int, default=0)
    return parser


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def load(options: argparse.Namespace) -> tuple[pd.DataFrame, str]:
    """Load time, two keys, amount and a 0/1 label of every transaction, in time order, and say in a line what they are.

    The keys are the second and the third column.
    """
    table = load_handbook(options) if options.data else load_synthetic(options)
    if options.below is not None:
        table = table[table["amount"] <= options.below]
    if table.empty:
        raise ValueError("there are no rows")
    source = Path(options.data).name if options.data else "Synthetic transactions"
    keys = ", ".join(f"{table[key].nunique():,} {key}s" for key in table.columns[1:3])
    title = f"{source}: {len(table):,} rows, {keys}, {table['fraud'].mean():.2%} fraud"
    if options.below is not None:
        title += f", amounts to {options.below:g}"
    if options.log:
        table, title = table.assign(amount=np.log1p(table["amount"])), title + ", logarithms"
    return table.reset_index(drop=True), title


def load_synthetic(options: argparse.Namespace) -> pd.DataFrame:
    """Make transactions, 200 for every merchant and 100 for every customer on average."""
    n = 100_000 if options.rows is None else options.rows
    X, y = make_transactions(
        n, n_customers=max(10, n // 100), n_merchants=max(5, n // 200), random_state=options.seed
    )  # fmt: skip
    names = {"time": "time", "customer_id": "customer", "merchant_id": "merchant", "amount": "amount"}
    return X[list(names)].rename(columns=names).assign(fraud=y)


def load_handbook(options: argparse.Namespace) -> pd.DataFrame:
    """Read transactions, in time order."""
    read = pd.read_parquet if options.data.endswith(".parquet") else pd.read_csv
    table = read(options.data)
    unknown = set(HANDBOOK) - set(table)
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    table = table[list(HANDBOOK)].rename(columns=HANDBOOK)
    return table.sort_values("time", kind="stable")[: options.rows]


def split(table: pd.DataFrame) -> np.ndarray:
    """Say which rows are of the days to learn from."""
    day = table["time"].to_numpy() // DAY
    learning = day < day[0] + np.ceil(SPLIT * (day[-1] - day[0] + 1))
    for rows, what in ((learning, "learn from"), (~learning, "be judged on")):
        if table["fraud"][rows].nunique() < 2:
            raise ValueError(f"the days to {what} need both genuine and fraudulent rows: take more --rows")
    return learning


def compare(table: pd.DataFrame, learning: np.ndarray, smooth: int) -> pd.DataFrame:
    """Return the average precision: a row for every representation of the amount, a column for (verb, smooth)."""
    first, second = table.columns[1:3]
    representations = {
        "raw": [None],
        "global": [()],
        f"per {first}": [(first,)],
        f"per {second}": [(second,)],
        f"per {first}, per {second}": [(first,), (second,)],
        f"per pair of {first} and {second}": [(first, second)],
        f"raw, per {first}, per {second}": [None, (first,), (second,)],
    }
    y = table["fraud"].to_numpy()
    results = {}
    for verb in VERBS:
        for value in (0.0, "auto", smooth):
            scaled = {by: scale(table, by, verb, value) for by in set(chain(*representations.values()))}
            results[verb, str(value)] = {
                name: judge(np.hstack([scaled[by] for by in keys]), y, learning)
                for name, keys in representations.items()
                if value == 0.0 or any(keys)
            }
    return pd.DataFrame(results).loc[list(representations)]


def scale(table: pd.DataFrame, by: tuple[str, ...] | None, verb: str, smooth: float | str) -> np.ndarray:
    """Return the amounts, scaled by the rows that have the same keys; by all rows without keys, as they are for None.

    The second row of a key meets the scale of a constant, 1, and the third that of two values. A soft clip bounds what
    comes of that, and leaves the values in order.
    """
    if by is None:
        return table[["amount"]].to_numpy()
    scaler = StandardScaler(clip=5, clip_mode="soft")
    if by:
        scaler = GroupedScaler(scaler, by=by, smooth=smooth)
    return getattr(scaler, VERBS[verb][0])(table[[*by, "amount"]])


def judge(X: np.ndarray, y: np.ndarray, learning: np.ndarray) -> float:
    """Return the average precision on the later days of a model that has learned from the earlier ones."""
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", tol=1e-3))
    model.fit(X[learning], y[learning])
    return float(average_precision_score(y[~learning], model.decision_function(X[~learning])))


def print_table(results: pd.DataFrame, at_random: float, learning: np.ndarray) -> None:
    """Print a row for every representation, and what the columns mean."""
    values = ["0" if value == "0.0" else value for _, value in results]
    print(f"\n{'average precision':38}" + "".join(f"{verb:>25}{'':5}" for verb in VERBS))
    print(f"{'smooth':>38}" + "".join(f"{value:>10}" for value in values))
    for name, row in results.iterrows():
        print(f"{name:38}" + "".join(f"{'-' if np.isnan(cell) else format(cell, '.3f'):>10}" for cell in row))
    print(
        f"\nThe model learned from the first {learning.sum():,} rows and is judged on the other {(~learning).sum():,}. "
        f"At random: {at_random:.3f}.\n"
        "Prequential: each row is scaled by those before it. With hindsight: by all, later ones and itself among them."
    )


def save_picture(results: pd.DataFrame, at_random: float, title: str, options: argparse.Namespace) -> None:
    """Draw the average precision of every representation, prequential and with hindsight, without and with smooth."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        raise SystemExit('The picture needs matplotlib: pip install "sknorm[examples]"') from None
    figure, ax = plt.subplots(figsize=(11, 4.6), layout="constrained")
    heights = np.arange(len(results))[::-1]
    for shift, (verb, (_, colour)) in zip((0.14, -0.14), VERBS.items(), strict=True):
        for value, filled in (("0.0", False), (str(options.smooth), True)):
            ax.plot(
                results[verb, value], heights + shift, "o", markersize=6 if filled else 10, markeredgewidth=1.8,
                color=colour, markerfacecolor=colour if filled else "none",
                label=f"{verb}, {f'smooth={value}' if filled else 'no smooth'}",
            )  # fmt: skip
    ax.axvline(at_random, color="#7F7F7F", linewidth=1, zorder=0)
    ax.annotate(
        "at random", (at_random, 0), (4, 4), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=9, color="#555555",
    )  # fmt: skip
    ax.set_yticks(heights, results.index)
    ax.set(xlim=(0, 1.08 * results.max().max()), ylim=(-0.7, len(results) - 0.4), xlabel="average precision")
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    ax.grid(color="#E8E8E8")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
