"""What scalers should know, computed the long way round: clipping by hand; forgetting without sketches and panes."""

from fractions import Fraction
from math import exp2
from typing import NamedTuple

import numpy as np


def winsorized(X, lower, upper, action):
    """Return X in double with what lies outside at the bound, or missing; infinities on an open side are missing."""
    X = np.asarray(X, dtype=np.float64)
    below, above = np.maximum(lower, -np.finfo(float).max) > X, np.minimum(upper, np.finfo(float).max) < X
    out = np.where(below, lower, np.where(above, upper, X))
    return np.where(np.isinf(out) | ((below | above) & (action == "missing")), np.nan, out)


class ExactMoments(NamedTuple):
    """Count, mean and variance of weighted doubles, as fractions; 0 without a value."""

    count: Fraction
    mean: Fraction
    variance: Fraction


def oldest_kept(n_rows, window):
    """Return which of so many rows is the oldest that counts: a pane drops whole when the later rows suffice."""
    pane, oldest = max(1, window // 16), 0
    while n_rows - (oldest + pane) >= window:
        oldest += pane
    return oldest


def kept_rows(window, n_rows, weights=None):
    """Return the indices of the rows that a window keeps; None for a window keeps all, and weight 0 counts nowhere."""
    counted = np.arange(n_rows) if weights is None else np.flatnonzero(weights)
    return counted if window is None else counted[oldest_kept(len(counted), window) :]


def aged(column, weights, half_life):
    """Return what every row of a column weighs in the end: a value ages with each later one, what is missing does not.

    Fractions do not underflow, and of the power of two only the part below 1 is rounded.
    """
    age, result = Fraction(), []
    for value, weight in zip(reversed(column.tolist()), reversed(weights.tolist()), strict=True):
        counts = value == value and weight > 0
        turns = age // Fraction(half_life)
        share = Fraction(exp2(turns - age / Fraction(half_life))) / 2**turns if turns < 5000 else 0
        result.append(Fraction(weight) * share if counts else Fraction())
        age += counts
    return result[::-1]


def exact_moments(column, weights):
    """Return the moments of the values that weigh something; integers over one power of two do not round."""
    pairs = [(x, w) for x, w in zip(column.tolist(), weights, strict=True) if w > 0 and x == x]
    if not pairs:
        return ExactMoments(Fraction(), Fraction(), Fraction())
    values, value_unit = over_one_unit([x for x, _ in pairs])
    shares, share_unit = over_one_unit([w for _, w in pairs])
    count = sum(shares)
    total = sum(w * x for x, w in zip(values, shares, strict=True))
    squares = sum(w * x * x for x, w in zip(values, shares, strict=True))
    variance = Fraction(count * squares - total * total, (count * value_unit) ** 2)
    return ExactMoments(Fraction(count, share_unit), Fraction(total, count * value_unit), variance)


def over_one_unit(numbers):
    """Return integers and the denominator that they share, a power of two."""
    ratios = [number.as_integer_ratio() for number in numbers]
    unit = max(denominator for _, denominator in ratios)
    return [numerator * (unit // denominator) for numerator, denominator in ratios], unit


def assert_moments(column, expected, count, mean, variance):
    """Fail where count or variance are off by more than 1e-12, or the mean by more than its own last digits.

    Where values jump and the older hardly weigh anything any more, the rounding of the jump itself is allowed for.
    """
    values = column[~np.isnan(column)]
    largest, jump = Fraction(float(np.abs(values).max())), Fraction(float(values.max())) - Fraction(float(values.min()))
    rounding, deviation = jump / 2**52, Fraction(float(expected.variance) ** 0.5)
    of_jumps = 2 * deviation * rounding + rounding**2
    tiny = Fraction(1, 10**300)  # where digits go missing in denormals
    for name, got, exact, slack in (
        ("count", count, expected.count, expected.count / 10**12),
        ("mean", mean, expected.mean, largest / 10**14 + tiny),
        ("variance", variance, expected.variance, expected.variance / 10**12 + of_jumps + tiny),
    ):
        assert abs(Fraction(float(got)) - exact) <= slack, f"{name}: got {got}, wanted {float(exact)}"


def normalized_block(values, eps):
    """Return the deviations of doubles from their mean over √(variance + eps), from fractions, rounded once at the end.

    What is missing stays, and the others are normalized without it; where the root is zero, 1 stands in.
    """
    present = [Fraction(x) for x in values.tolist() if x == x]
    if not present:
        return values
    mean = sum(present) / len(present)
    variance = sum((x - mean) ** 2 for x in present) / len(present) + Fraction(eps)
    out = []
    for x in values.tolist():
        deviation = Fraction(x) - mean if x == x else None
        square = None if deviation is None else deviation**2 / (variance or 1)
        out.append(x if square is None else (1 if deviation > 0 else -1) * float(square) ** 0.5)
    return out
