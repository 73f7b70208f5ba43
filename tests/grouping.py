"""Tables with keys, and what a scaler for each key makes of them, the long way: a dict of scalers, or formulas."""

import copy
import datetime as dt
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st
from references import kept_rows
from scipy.special import ndtri
from sklearn.base import clone
from strategies import picks

import sknorm

EPS = np.finfo(float).eps

# Tables.

KEYS = {
    "int": [3, -1, 0, 7, 12_345],
    "huge": [2**63 - 1, -(2**63), 2**62, -1, 0],
    "unsigned": [2**64 - 1, 2**63, 0, 1],
    "beyond": [2**80, -(2**80), 1, 2**64],
    "str": ["a", "", "größe", "年収", "a\x01", "A"],
    "bool": [True, False],
    "float": [0.5, 2.0, -0.0, 1e300, -7.25],
    "date": [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "timestamp": [pd.Timestamp("2024-02-29"), pd.Timestamp("1970-01-01 00:00:00.000001"), pd.Timestamp("2100-01-01")],
    "mixed": [1, "1", 2.5, (1, "x"), dt.date(2020, 1, 1), "", 2**70],
}
# How a column of these is handed over, beside an array of objects.
TYPED = {
    "int": [
        lambda keys: np.array(keys, np.int64),
        lambda keys: np.array(keys, np.int32),
        lambda keys: pd.Series(keys, dtype="Int64"),
        lambda keys: pl.Series("k", keys, dtype=pl.Int64),
        lambda keys: np.array(keys, np.float64),
    ],
    "huge": [lambda keys: np.array(keys, np.int64), lambda keys: pd.Series(keys, dtype="Int64")],
    "unsigned": [lambda keys: np.array(keys, np.uint64), lambda keys: pd.Series(keys, dtype="UInt64")],
    "str": [
        lambda keys: pd.Series(keys, dtype="str"),
        lambda keys: pd.Series(keys, dtype="string"),
        lambda keys: pd.Series(pd.Categorical(keys)),
        lambda keys: pl.Series("k", keys),
        lambda keys: pl.Series("k", keys, dtype=pl.Categorical),
    ],
    "bool": [lambda keys: np.array(keys, bool), lambda keys: pd.Series(keys, dtype="boolean")],
    "float": [lambda keys: np.array(keys, float), lambda keys: pd.Series(keys, dtype=float)],
    "date": [lambda keys: pl.Series("k", keys)],
    "timestamp": [lambda keys: pd.Series(keys, dtype="datetime64[us]")],
}

LAYOUTS = {
    "C": lambda X: X.copy(),
    "F": np.asfortranarray,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "every other": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "both": lambda X: np.repeat(X[:, ::-1], 3, axis=0)[::3, ::-1],
    "float32": lambda X: X.astype(np.float32),
}

# Quarters: their sums are exact, so that a mean is the nearest double however it was added up. A scaled value is off by
# a digit of the mean over the deviation, which other numbers could make as large as they like.
quarters = st.integers(-40, 40).map(lambda i: i / 4) | st.just(np.nan) | st.sampled_from([0.0, 1.0, 1.0, -3.5, 200.0])
SCALES = [1.0, 1.0, 2.0**-40, 2.0**40]
weights_of_rows = [0.0, 0.5, 1.0, 2.0, 3.0]
whole_weights_of_rows = [0.0, 1.0, 2.0, 3.0]


class Table(NamedTuple):
    """Rows: values, the key of each as Python has it, None for a missing one, weights or None, and columns of keys."""

    X: Any
    keys: list[Any]
    weights: Any
    columns: list[Any]

    @property
    def groups(self):
        """The keys as they are handed over beside X."""
        if len(self.columns) == 1:
            return self.columns[0]
        return pd.DataFrame({f"k{i}": as_objects(column) for i, column in enumerate(self.columns)})

    def part(self, rows):
        """Return these rows; their keys are handed over as objects."""
        keys = [self.keys[i] for i in np.arange(len(self.X))[rows]]
        columns = [as_objects(part) for part in (zip(*keys, strict=True) if len(self.columns) > 1 else [keys])]
        return Table(self.X[rows], keys, None if self.weights is None else self.weights[rows], columns)

    def frame(self, at=0):
        """Return a frame in which the columns of keys, k0, k1, …, stand before this column of values."""
        values = {f"v{j}": self.X[:, j] for j in range(self.X.shape[1])}
        keys = {f"k{i}": pd.Series(as_objects(column)) for i, column in enumerate(self.columns)}
        names = [*list(values)[:at], *keys, *list(values)[at:]]
        return pd.DataFrame({name: {**values, **keys}[name] for name in names})


def as_objects(keys):
    """Return keys as an array of objects, of one dimension also where they are tuples; a typed column as it is."""
    if not isinstance(keys, list | tuple):
        return keys if isinstance(keys, np.ndarray) else np.array(keys, object)
    column = np.empty(len(keys), object)
    column[:] = keys
    return column


@st.composite
def key_columns(draw, n_rows, missing=True, composite=True):
    """Draw the keys of rows, as Python has them and as columns."""
    if composite and draw(st.integers(0, 5)) == 0:
        parts = [draw(key_columns(n_rows, missing, composite=False)) for _ in range(draw(st.integers(2, 3)))]
        return list(zip(*(keys for keys, _ in parts), strict=True)), [columns[0] for _, columns in parts]
    kind = draw(st.sampled_from(sorted(KEYS)))
    n_distinct = draw(st.integers(1, len(KEYS[kind])))
    options = [*KEYS[kind][:n_distinct], *([None] if missing and draw(st.booleans()) else [])]
    keys = [options[i] for i in picks(draw, range(len(options)), n_rows)]
    if draw(st.booleans()):
        order = {key: i for i, key in enumerate(keys)}
        keys.sort(key=order.get)
    makers = [list, as_objects, lambda keys: pd.Series(as_objects(keys), index=range(7, 7 + len(keys)), dtype=object)]
    makers += [make for make in TYPED.get(kind, []) if None not in keys or holds_none(make)]
    return keys, [draw(st.sampled_from(makers))(keys)]


def holds_none(make):
    """Say whether a type of column has a place for a missing key."""
    try:
        return not isinstance(make([None]), np.ndarray)
    except (TypeError, ValueError):
        return False


@st.composite
def tables(draw, min_rows=1, max_rows=25, max_columns=3, missing=True, weights=weights_of_rows, composite=True):
    """Draw a table of values of quarters, of any layout, with keys of any kind."""
    n_rows, n_columns = draw(st.integers(min_rows, max_rows)), draw(st.integers(1, max_columns))
    some = draw(st.lists(quarters, min_size=1, max_size=12))
    X = picks(draw, some, (n_rows, n_columns)) * picks(draw, SCALES, n_columns)
    keys, columns = draw(key_columns(n_rows, missing, composite))
    weights = picks(draw, weights, n_rows) if weights is not None and draw(st.booleans()) else None
    if weights is not None:
        weights[0] = weights[0] or 1.0
    return Table(LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](X), keys, weights, columns)


@st.composite
def cuts(draw, table, most=3):
    """Draw a way to cut a table into consecutive parts; the first weighs something."""
    n_rows = len(table.X)
    at = sorted(draw(st.lists(st.integers(1, max(1, n_rows - 1)), max_size=most, unique=True)))
    return [table.part(slice(i, j)) for i, j in pairwise([0, *at, n_rows]) if j > i]


def rows_by_group(keys):
    """Return the rows of every key, in the order in which the keys came."""
    numbers = numbered(keys)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def numbered(keys):
    """Return the numbers of keys, in the order of their first appearance; equal is what Python says is."""
    known = {}
    return np.array([known.setdefault(key, len(known)) for key in keys])


def assert_close(actual, expected, message=""):
    """Fail where two tables differ by more than 1e-12, or, of float32, in more than their last digits."""
    assert actual.shape == expected.shape
    tolerance = 1e-12 if actual.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(
        actual.astype(float), expected.astype(float), rtol=tolerance, atol=tolerance, err_msg=message
    )


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


# A scaler for each key.


class Rows:
    """What was learned of some rows: a plain scaler, and the rows themselves."""

    def __init__(self, scaler, n_features):
        self.new = scaler
        self.scaler = clone(scaler)
        self.values = np.empty((0, n_features))
        self.weights = np.empty(0)

    def learn(self, X, weights):
        """Learn rows, in their order."""
        if (len(X) and weights.any()) or hasattr(self.scaler, "n_features_in_"):
            self.scaler.partial_fit(X, sample_weight=weights)
        self.values, self.weights = np.vstack([self.values, X]), np.append(self.weights, weights)

    @property
    def weight(self):
        """The weight of all rows."""
        return self.weights.sum()

    @property
    def kept(self):
        """The rows that count now, and their weights."""
        rows = kept_rows(self.new.window, len(self.values), self.weights)
        return self.values[rows], self.weights[rows]

    def has_value(self):
        """Say which columns have a value."""
        values, weights = self.kept
        return (~np.isnan(values[weights > 0])).any(axis=0)

    def scaled(self, X, so_far):
        """Return rows as the scaler has them; ``so_far``: where it knows nothing of a column, as a constant."""
        if so_far and not self.has_value().all():
            alone = [copy.deepcopy(self.scaler).prequential_transform(row) for row in X[:, np.newaxis].copy()]
            return np.concatenate(alone)
        return self.scaler.transform(X.copy())


class Dict:
    """GroupedScaler as a dict of scalers, one for all rows, and one for those that were folded."""

    def __init__(
        self, scaler, *, unseen="global", min_samples=1, smooth=0.0, missing_key="own", max_groups=None, **_: Any
    ):
        self.scaler, self.unseen, self.min_samples, self.smooth = scaler, unseen, min_samples, smooth
        self.missing_key, self.max_groups = missing_key, max_groups
        self.groups, self.updated, self.clock = {}, {}, 0
        self.everything = self.folded = None
        self.n_folded = 0

    def key_of(self, key):
        """Return a key, or the key None as a tuple of its own where it is missing and has no group."""
        absent = key is None or (isinstance(key, tuple) and None in key)
        return NOTHING if absent and self.missing_key == "global" else key

    def learn(self, X, keys, weights=None, fold=True):
        """Learn rows."""
        X = np.asarray(X, float)
        keys, weights = [self.key_of(key) for key in keys], np.ones(len(X)) if weights is None else weights
        if self.everything is None:
            self.everything = Rows(self.scaler, X.shape[1])
        self.everything.learn(X, weights)
        for rows in rows_by_group(keys):
            key, rows = keys[rows[0]], rows[weights[rows] > 0]
            if key is not NOTHING and len(rows):  # what weighs nothing is absent
                self.groups.setdefault(key, Rows(self.scaler, X.shape[1])).learn(X[rows], weights[rows])
                self.updated[key] = self.clock + rows[-1]
        self.clock += len(X)
        if fold:
            self.fold()

    def fold(self):
        """Fold the groups that were updated longest ago."""
        if self.max_groups is None or len(self.groups) <= self.max_groups:
            return
        n_kept = max(1, self.max_groups - self.max_groups // 16)
        oldest = sorted(self.groups, key=self.updated.get)[: len(self.groups) - n_kept]
        for key in oldest:
            rows = self.groups.pop(key)
            if self.folded is None:
                self.folded = Rows(self.scaler, rows.values.shape[1])
            self.folded.learn(*rows.kept)
            self.n_folded += 1

    def seen(self, rows):
        """Say whether enough of a group is known."""
        return rows is not None and rows.weight > 0 and (self.min_samples <= 1 or rows.weight >= self.min_samples)

    def scaled_rows(self, x, key, so_far):
        """Return rows as the group of their key has them."""
        key, everything = self.key_of(key), self.everything
        if key is NOTHING:
            return everything.scaled(x, so_far)
        own = self.groups.get(key)
        if not self.seen(own):
            own = self.folded if self.seen(self.folded) else None
            if own is None and self.unseen == "error":
                raise ValueError("unknown keys")
        elif self.smooth:
            return pulled(x, own, everything, self.smooth, so_far)
        instead = {
            "global": lambda: everything.scaled(x, so_far),
            "passthrough": lambda: x.copy(),
        }.get(self.unseen, lambda: np.full(x.shape, np.nan))
        if own is None:
            return instead()
        has_value = own.has_value()
        if has_value.all():
            return own.scaled(x, so_far)
        return np.where(has_value, own.scaled(x, so_far), instead())

    def transform(self, X, keys, so_far=False):
        """Return rows, each scaled by what is known of its key."""
        out = np.empty(X.shape)
        for rows in rows_by_group(keys):
            out[rows] = self.scaled_rows(X[rows], keys[rows[0]], so_far)
        return out.astype(X.dtype)

    def prequential_transform(self, X, keys, weights=None):
        """Return rows, each scaled by what was known before it, or before its chunk."""
        chunks = [s for s in (self.scaler, self.scaler.outliers) if "chunk_size" in (s.get_params() if s else {})]
        size = min((s.chunk_size for s in chunks), default=1)
        weights, parts = np.ones(len(X)) if weights is None else weights, []
        if self.everything is None:
            self.everything = Rows(self.scaler, X.shape[1])
        for start in range(0, len(X), size):
            rows = slice(start, start + size)
            parts.append(self.transform(X[rows], keys[rows], so_far=True))
            # The kernel's rows are one batch; chunks are one after another.
            self.learn(X[rows], keys[rows], weights[rows], fold=bool(chunks))
        self.fold()
        return np.vstack(parts)


NOTHING = object()


# Formulas.


class Facts(NamedTuple):
    """What NumPy makes of rows, a value for each column: n, centre, scale (0 for a constant), and spread."""

    n: Any
    centre: Any
    scale: Any
    spread: Any


def shares(values, weights, scaler):
    """Return what every value weighs by now, 0 where it is missing."""
    counted = np.where(np.isnan(values), 0.0, weights[:, np.newaxis])
    if getattr(scaler, "half_life", None) is not None:
        after = np.cumsum((counted > 0)[::-1], axis=0)[::-1] - (counted > 0)
        counted = counted * 2.0 ** (-after / scaler.half_life)
    return counted


def facts_of(rows):
    """Return the facts of what was learned of some rows, by the formulas in the docstrings of the scalers."""
    scaler = rows.new
    values, weights = rows.kept
    columns = [column_facts(scaler, x, w) for x, w in zip(values.T, shares(values, weights, scaler).T, strict=True)]
    return Facts(*(np.array(part, float) for part in zip(*columns, strict=True)))


def column_facts(scaler, x, w):
    """Return n, centre, scale and spread of one column."""
    x, w = x[w > 0], w[w > 0]
    n = w.sum()
    if not len(x):
        return 0.0, np.nan, np.nan, np.nan
    kind = type(scaler).__name__.removesuffix("Scaler")
    mean, low, high = (w * x).sum() / n, x.min(), x.max()
    m2 = (w * (x - mean) ** 2).sum()

    def unless_constant(scale):
        return 0.0 if scale < 10 * EPS else scale

    if kind == "Standard":
        variance = m2 / (n - scaler.ddof) if n > scaler.ddof else 0.0
        capped = min(n, 10_000)
        scale = 0.0 if variance <= capped * EPS * variance + (capped * mean * EPS) ** 2 else np.sqrt(variance)
        return n, mean if scaler.with_mean else 0.0, scale if scaler.with_std else 1.0, m2 / n
    if kind == "Mean":
        return n, mean, unless_constant(high - low), m2 / n
    if kind == "Robust":
        scale = robust_scale(scaler, x, w, unless_constant)
        scale = scale if scaler.with_scaling else 1.0
        return n, quantile(x, w, 0.5) if scaler.with_centering else 0.0, scale, scale**2
    if kind == "Decimal":
        largest, power = max(-low, high), -323
        while float(f"1e{power}") <= largest:
            power += 1
        scale = float(f"1e{power}") if largest > 0 else 1.0
    else:
        scale = unless_constant({"MinMax": high - low, "MaxAbs": max(-low, high)}[kind])
    return n, low if kind == "MinMax" else 0.0, scale, scale**2


def quantile(x, w, q):
    """Return a quantile of values with whole weights: those of a table in which they come so often."""
    return np.quantile(np.repeat(x, w.astype(int)), q)


def robust_scale(scaler, x, w, unless_constant):
    low, high = (percent / 100 for percent in scaler.quantile_range)
    if scaler.scale == "mad":
        spread = quantile(np.abs(x - quantile(x, w, 0.5)), w, 0.5)
    else:
        spread = quantile(x, w, high) - quantile(x, w, low)
    scale = unless_constant(spread)
    if scaler.zero_iqr == "range" and scale == 0:
        scale = unless_constant(x.max() - x.min())
    if scaler.unit_variance:
        scale /= 0.67449 if scaler.scale == "mad" else ndtri(high) - ndtri(low)
    return scale


def centred(scaler):
    """Say whether a scaler takes a centre off, by its parameters."""
    if isinstance(scaler, sknorm.DecimalScaler | sknorm.MaxAbsScaler):
        return False
    return getattr(scaler, "with_mean", getattr(scaler, "with_centering", True))


def scaled_by_values(scaler):
    """Say whether a scaler's divisor is unknown without a value: it is no power of ten, and there is one."""
    parameters = scaler.get_params()
    return parameters.get("with_std", parameters.get("with_scaling", not isinstance(scaler, sknorm.DecimalScaler)))


def pulled(x, own, everything, smooth, so_far):
    """Return rows scaled by their group's parameters, pulled towards those of all rows."""
    scaler, group, whole = own.new, facts_of(own), facts_of(everything)
    with np.errstate(all="ignore"):
        worth = group.spread / whole.spread if smooth == "auto" else smooth
        share = group.n / (group.n + worth)
    # What is no more than a digit of the whole is nothing; so is a share of 0/0.
    share = np.where((group.n > 0) & (share >= EPS), share, 0.0)

    def mixed(a, b):
        return np.where(share == 1, a, np.where(share == 0, b, b + share * (a - b)))

    centre, scale = mixed(group.centre, whole.centre), mixed(group.scale, whole.scale)
    scale = np.where(scale == 0, 1.0, scale)
    if not centred(scaler):
        centre = np.zeros_like(x, dtype=float)
    if so_far or not scaled_by_values(scaler):
        scale = np.where(np.isnan(scale), 1.0, scale)
    if so_far:  # as a constant where nothing is known
        centre = np.where(np.isnan(centre), np.where(np.isnan(x), 0.0, x), centre)
    return bounded(scaler, (x - centre) / scale)


def bounded(scaler, z):
    """Return scaled values after what follows the scaling: a range to lie in, and clipping."""
    if isinstance(scaler, sknorm.MinMaxScaler):
        low, high = scaler.feature_range
        z = z * (high - low) + low
    clip = scaler.clip
    if clip is None or clip is False:
        return z
    if scaler.clip_mode == "soft":
        return clip * z / np.sqrt(z**2 + clip**2)
    if clip is True:
        clip = getattr(scaler, "feature_range", (-1.0, 1.0))
    low, high = clip if isinstance(clip, tuple) else (-clip, clip)
    return np.clip(z, low, high)
