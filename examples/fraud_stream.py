"""Follow a card-fraud stream: what normalization does for a model that learns while the levels of its columns move.

Every transaction is first scored, then learned from (prequential evaluation): by the scaler row by row, by logistic
regression (stochastic gradient descent) chunk by chunk. The first day is for learning only; from the second on, the
average precision is taken day by day. Without ``--data`` it runs on synthetic transactions.

    python examples/fraud_stream.py
    python examples/fraud_stream.py --data handbook_transactions.parquet

``--data`` takes transactions as the Fraud Detection Handbook simulates them: a CSV, csv.gz or Parquet file with the
columns TX_TIME_SECONDS, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT and TX_FRAUD.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import average_precision_score

from sknorm import StandardScaler, StreamingPipeline
from sknorm.datasets import make_transactions

try:
    from river.preprocessing import StandardScaler as RiverScaler
except ImportError:
    RiverScaler = None

DAY = 86_400
RIVER = "River StandardScaler"
NONE = "no normalization"
# name: (colour, line), in the order of the table
NORMALIZATIONS = {
    NONE: ("#7F7F7F", "-"),
    "frozen after day 1": ("#CC79A7", "-"),
    "cumulative": ("#0072B2", "-"),
    "window": ("#009E73", "-"),
    "half-life": ("#D55E00", "-"),
    RIVER: ("#262626", (0, (1.5, 3))),
}
# The synthetic stream's abrupt changes: what changes, and after how many days
N_DAYS = 60
CHANGES = {"a currency": N_DAYS // 3, "the network": N_DAYS // 2, "a unit": 2 * N_DAYS // 3}
SKEWED = {"amount", "distance_km", "balance", "latency_ms", "seconds_since_last", "customer_mean_7d"}


def main(argv: list[str] | None = None) -> None:
    """Print the table and save the picture."""
    parser = make_parser()
    options = parser.parse_args(argv)
    start = time.perf_counter()
    try:
        X, y, day, title = load(options)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(title)
    results = {name: follow(name, X, y, day, options) for name in NORMALIZATIONS if name != RIVER or RiverScaler}
    daily = {name: score_days(y, day, scores) for name, (scores, *_) in results.items()}
    print_table(results, daily, y, options)
    if options.picture:
        save_picture(daily, title, options)
        print(f"Picture: {options.picture}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", metavar="PATH", help="the Handbook's transactions; default: synthetic ones")
    add("--rows", metavar="N", type=positive, help="the first so many; default: 200,000, or all of --data")
    add("--half-life", metavar="ROWS", type=positive, default=400, help="default: %(default)s")
    add("--window", metavar="ROWS", type=positive, default=1200, help="default: %(default)s")
    add("--chunk", metavar="ROWS", type=positive, default=200, help="that the model scores, then learns from")
    add("--log", action="store_true", help="take logarithms of amounts, distances and times first")
    add("--smooth", metavar="DAYS", type=positive, default=7, help="over which the picture averages")
    add("--river-rows", metavar="N", type=positive, default=300_000, help="most rows for River, which is slow")
    add("--picture", metavar="PATH", default="fraud_stream.png", help="'' for none")
    add("--seed", metavar="N", type=int, default=0)
    return parser


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def load(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Load features, a 0/1 target and the day of every row, in time order, and say in one line what they are."""
    X, y, day = load_handbook(options) if options.data else load_synthetic(options)
    if day[-1] < 1 or not y[day > 0].any():
        raise ValueError("there is no fraud after the first day: take more --rows")
    if options.log:
        X = X.assign(**{name: np.log1p(X[name]) for name in X if name in SKEWED})
    source = Path(options.data).name if options.data else "Synthetic transactions"
    title = f"{source}: {len(y):,} rows in {day[-1] + 1} days, {X.shape[1]} columns, {y.mean():.2%} fraud"
    return X.to_numpy(dtype=float), y, day, title


def load_synthetic(options: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Make transactions at a little over one a day and customer."""
    n = 200_000 if options.rows is None else options.rows
    X, y = make_transactions(n, n_days=N_DAYS, n_customers=max(100, n // 50), random_state=options.seed)
    day = X["day"].to_numpy()
    columns = X.drop(columns=["customer_id", "merchant_id", "time", "day"])
    return columns.assign(**tell_time(X["time"])), y.to_numpy(), day


def load_handbook(options: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Read transactions and derive features, each from its row and the rows before it."""
    read = pd.read_parquet if options.data.endswith(".parquet") else pd.read_csv
    table = read(options.data)
    unknown = {"TX_TIME_SECONDS", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"} - set(table)
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    if table.empty:
        raise ValueError("there are no rows")
    table = table.sort_values("TX_TIME_SECONDS", kind="stable", ignore_index=True)[: options.rows]
    second, amount = table["TX_TIME_SECONDS"].to_numpy(np.int64), table["TX_AMOUNT"].to_numpy(float)
    day = second // DAY
    columns = {"amount": amount, **tell_time(second)}
    for key, name in {"CUSTOMER_ID": "customer", "TERMINAL_ID": "terminal"}.items():
        codes = pd.factorize(table[key])[0].astype(np.int64)
        for days in (1, 7):
            columns[f"{name}_count_{days}d"], mean = look_back(codes, second, amount, days)
        columns[f"{name}_mean_7d"] = mean
    elapsed = table.groupby("CUSTOMER_ID")["TX_TIME_SECONDS"].diff()
    columns["seconds_since_last"] = elapsed.fillna(table["TX_TIME_SECONDS"]).to_numpy(float)
    return pd.DataFrame(columns), table["TX_FRAUD"].to_numpy(np.int64), day - day[0]


def tell_time(second: np.ndarray | pd.Series) -> dict[str, np.ndarray]:
    """Return the time of day and of the week as points on a circle, which have no jump at midnight.

    A number that stands still for a day and then jumps is what forgetting takes worst: by then its scale is nearly 0.
    """
    angle = {"day": 2 * np.pi * second / DAY, "week": 2 * np.pi * second / (7 * DAY)}
    return {f"{name}_{f.__name__}": f(angle[name]) for name in angle for f in (np.sin, np.cos)}


def look_back(key: np.ndarray, second: np.ndarray, amount: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number and the mean amount of the key's transactions in so many days, this one included."""
    order = np.lexsort((second, key))
    # One sorted code for all keys, which lie so far apart that no look back reaches the key before.
    code = key[order] * (second[-1] + 1 + days * DAY) + second[order]
    start, stop = np.searchsorted(code, code - days * DAY, side="right"), np.arange(1, len(code) + 1)
    total = np.concatenate([[0.0], np.cumsum(amount[order])])
    count, mean = np.empty(len(key)), np.empty(len(key))
    count[order] = stop - start
    mean[order] = (total[stop] - total[start]) / (stop - start)
    return count, mean


class River(TransformerMixin, BaseEstimator):
    """River's scaler as a step of a pipeline: a dictionary a row."""

    def partial_fit(self, X, y=None):
        self.prequential_transform(X)
        return self

    fit = partial_fit

    def transform(self, X):
        return np.array([list(self.scaler_.transform_one(dict(enumerate(row))).values()) for row in X.tolist()])

    def prequential_transform(self, X, y=None):
        if not hasattr(self, "scaler_"):
            self.scaler_ = RiverScaler()
        scaled = []
        for values in X.tolist():
            row = dict(enumerate(values))
            scaled.append(list(self.scaler_.transform_one(row).values()))
            self.scaler_.learn_one(row)
        return np.array(scaled)


def make_scaler(name: str, first_day: np.ndarray, options: argparse.Namespace):
    """Make the scaler of a normalization."""
    scalers = {
        NONE: lambda: "passthrough",
        "frozen after day 1": lambda: FrozenEstimator(StandardScaler().fit(first_day)),
        "cumulative": lambda: StandardScaler(),
        "window": lambda: StandardScaler(window=options.window),
        "half-life": lambda: StandardScaler(half_life=options.half_life),
        RIVER: River,
    }
    return scalers[name]()


def follow(
    name: str, X: np.ndarray, y: np.ndarray, day: np.ndarray, options: argparse.Namespace
) -> tuple[np.ndarray, float, float]:
    """Learn from the first day, then score and learn.

    Return the scores, NaN where there is none, and rows per second, with the model and of the scaler alone.
    """
    first, n = np.searchsorted(day, 1), len(y)
    if name == RIVER:
        n = min(n, max(options.river_rows, first + 1))
    head, tail = X[:first], X[first:n]
    model = SGDClassifier(loss="log_loss", random_state=options.seed)
    pipeline = StreamingPipeline([("scale", make_scaler(name, head, options)), ("model", model)])
    pipeline.partial_fit(head, y[:first], classes=[0, 1])
    start = time.perf_counter()
    probabilities = pipeline.prequential_predict_proba(tail, y[first:n], chunk_size=options.chunk)
    seconds = time.perf_counter() - start
    scores = np.full(len(y), np.nan)
    scores[first:n] = probabilities[:, 1]

    alone = StreamingPipeline([("scale", make_scaler(name, head, options))]).partial_fit(head)
    start = time.perf_counter()
    alone.prequential_transform(tail, chunk_size=options.chunk)
    seconds_alone = time.perf_counter() - start if name != NONE else np.nan
    return scores, (n - first) / seconds, (n - first) / seconds_alone


def score_days(y: np.ndarray, day: np.ndarray, scores: np.ndarray) -> pd.Series:
    """Return the average precision of every day after the first, NaN where it has no fraud or no score."""
    table = pd.DataFrame({"y": y, "score": scores})[day > 0]
    groups = table.groupby(day[day > 0])
    return pd.Series({label: average_precision(rows["y"], rows["score"]) for label, rows in groups}, dtype=float)


def average_precision(y: pd.Series, scores: pd.Series) -> float:
    """Return the average precision, NaN where there is none."""
    if scores.isna().any() or not y.any():
        return np.nan
    return float(average_precision_score(y, scores))


def label(name: str, options: argparse.Namespace) -> str:
    """Name a normalization with its number of rows."""
    rows = {"window": options.window, "half-life": options.half_life}
    return f"{name} of {rows[name]:,g} rows" if name in rows else name


def print_table(results: dict, daily: dict, y: np.ndarray, options: argparse.Namespace) -> None:
    """Print one row per normalization and the footnotes that explain the columns."""
    days = daily[NONE].index
    last = f"last {min(7, len(days))} days"
    print(f"\n{'':26}{'average precision':^39}{'rows per second':>27}")
    print(f"{'normalization':26}{'all rows':>11}{'mean of days':>14}{last:>14}{'with model':>13}{'scaler alone':>14}")
    for name, (scores, *speeds) in results.items():
        scored = ~np.isnan(scores)
        overall = average_precision_score(y[scored], scores[scored])
        precisions = show([overall, daily[name].mean(), daily[name].iloc[-7:].mean()], ".3f", 14)
        print(f"{label(name, options):23}{precisions}{show(speeds[:1], ',.0f', 13)}{show(speeds[1:], ',.0f', 14)}")
    print(
        f"\nScored: days {days[0] + 1} to {days[-1] + 1}, in chunks of {options.chunk} rows. "
        "At random, the average precision is the share of fraud.\n"
        "Rows per second: of one run on this machine, in the same chunks."
    )
    if RIVER not in results:
        print("River is not installed, so its line is left out: pip install river")
    elif np.isnan(results[RIVER][0]).sum() > np.isnan(results[NONE][0]).sum():
        print(f"River's numbers are of the first {options.river_rows:,} rows alone (--river-rows).")


def show(values: list[float], spec: str, width: int) -> str:
    """Format numbers in columns of the table, NaN as a dash."""
    return "".join(f"{'-' if np.isnan(value) else format(value, spec):>{width}}" for value in values)


def save_picture(daily: dict[str, pd.Series], title: str, options: argparse.Namespace) -> None:
    """Draw the average precision over the days, one line per normalization."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        raise SystemExit('The picture needs matplotlib: pip install "sknorm[examples]"') from None
    figure, ax = plt.subplots(figsize=(11, 5.2), layout="constrained")
    ends, texts = {}, {}
    for name, values in daily.items():
        smooth = values.rolling(options.smooth, min_periods=1).mean().where(values.notna()).dropna()
        colour, style = NORMALIZATIONS[name]
        ax.plot(smooth.index + 1, smooth, color=colour, linestyle=style, linewidth=2)
        if len(smooth):
            ends[name], texts[name] = smooth.iloc[-1], label(name, options)
            if smooth.index[-1] < daily[NONE].last_valid_index():  # River's line, if cut short
                texts[name] += f", to day {smooth.index[-1] + 1}"
    days = daily[NONE].index
    top = ax.get_ylim()[1]
    ax.set(xlim=(days[0] + 1, days[-1] + 1), ylim=(0, top), xlabel="day of the stream")
    ax.set_ylabel(f"average precision, mean of the last {options.smooth} days")
    if not options.data:
        for what, after in CHANGES.items():
            ax.axvline(after + 1, color="#B0B0B0", linewidth=1, zorder=0)
            ax.annotate(
                f"{what} changes", (after + 1, 1), (4, -2), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", fontsize=9, color="#555555",
            )  # fmt: skip
    for name, height in spread(ends, 0.05 * top).items():
        colour = NORMALIZATIONS[name][0]
        ax.annotate(
            texts[name], (1, height), (8, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", color=colour, annotation_clip=False,
        )  # fmt: skip
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.grid(axis="y", color="#E8E8E8")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.picture, dpi=120)
    plt.close(figure)


def spread(ends: dict[str, float], gap: float) -> dict[str, float]:
    """Move heights apart until none is nearer than ``gap`` to the next, no farther than it takes."""
    names = sorted(ends, key=ends.get)
    heights = np.array([ends[name] for name in names])
    steps = gap * np.arange(len(heights))
    # Isotonic regression: heights less their steps must not fall, and the nearest such sequence is what is wanted.
    return dict(zip(names, isotonic_regression(heights - steps) + steps, strict=True))


if __name__ == "__main__":
    main()
