"""Relative error of a streamed variance, against exact rational arithmetic, as the data move away from zero."""

from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import picture_style
from sklearn import preprocessing

import sknorm

OFFSETS = [10.0**exponent for exponent in range(4, 16)]
N_ROWS, BATCH = 5000, 50
NOTHING = 1e-18  # where an error of exactly 0 is drawn


def exact_variance(values):
    """Return the variance of the float64 values in rational arithmetic."""
    fractions = [Fraction(value) for value in values.ravel().tolist()]
    total, squares = sum(fractions), sum(value * value for value in fractions)
    return squares / len(fractions) - (total / len(fractions)) ** 2


def error(make, values, exact):
    """Return the relative error of the variance learned in batches, with a floor."""
    scaler = make()
    for start in range(0, len(values), BATCH):
        scaler.partial_fit(values[start : start + BATCH])
    return max(float(abs(Fraction(float(scaler.var_[0])) - exact) / exact), NOTHING)


picture_style.use()
noise = np.random.default_rng(0).standard_normal((N_ROWS, 1))
errors = {"scikit-learn": [], "sknorm": []}
for offset in OFFSETS:
    column = noise + offset
    exact = exact_variance(column)
    errors["scikit-learn"].append(error(preprocessing.StandardScaler, column, exact))
    errors["sknorm"].append(error(sknorm.StandardScaler, column, exact))

figure, ax = plt.subplots(figsize=(7.6, 4))
for name, colour, marker in (("scikit-learn", picture_style.ORANGE, "s"), ("sknorm", picture_style.BLUE, "o")):
    ax.loglog(OFFSETS, errors[name], marker=marker, color=colour, clip_on=False)
    ax.annotate(
        name, (OFFSETS[-1], errors[name][-1]), (10, 0), textcoords="offset points", va="center", color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )  # fmt: skip
ax.axhline(np.finfo(float).eps, color=picture_style.GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
ax.annotate(
    "the distance from 1 to the next double", (4e5, np.finfo(float).eps), (0, 5), textcoords="offset points",
    fontsize=9, color="#555555",
)  # fmt: skip
ax.set(
    xlabel="offset of the data (standard deviation 1)",
    ylabel="relative error of the variance",
    title=f"{N_ROWS:,} rows learned in batches of {BATCH}",
    ylim=(NOTHING, 1),
    yticks=[1e-18, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1],
)
ax.set_yticklabels(["0", *[f"$10^{{{exponent}}}$" for exponent in (-15, -12, -9, -6, -3)], "1"])
ax.minorticks_off()
ax.grid(axis="y")
