"""What a scaler knows of a stream whose level and spread change, without forgetting and with two ways of it."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style

from sknorm import StandardScaler

N_ROWS, SHIFT, SPREAD = 1500, 500, 1000
DRAWN = slice(None, None, 3)  # every third row: enough to be seen, and a third of the file
MEMORIES = {
    "all rows alike": ({}, picture_style.BLUE),
    "half_life=50": ({"half_life": 50}, picture_style.ORANGE),
    "window=150": ({"window": 150}, picture_style.GREEN),
}


def stream(seed=0):
    """Return rows with a level that jumps from 0 to 6 and, later, a standard deviation that goes from 1 to 3."""
    row = np.arange(N_ROWS)
    level, spread = np.where(row < SHIFT, 0.0, 6.0), np.where(row < SPREAD, 1.0, 3.0)
    return (level + spread * np.random.default_rng(seed).standard_normal(N_ROWS))[:, np.newaxis]


def known(X, setting):
    """Return the mean and the standard deviation after every row."""
    scaler, after = StandardScaler(**setting), []
    for row in X:
        scaler.partial_fit(row[np.newaxis])
        after.append((scaler.mean_[0], scaler.var_[0] ** 0.5))
    return np.array(after).T


picture_style.use()
X, rows = stream(), np.arange(N_ROWS)[DRAWN]
figure, axes = plt.subplots(3, 2, figsize=(9.6, 6.4), sharex=True, sharey="col")
for (left, right), (label, (setting, colour)) in zip(axes, MEMORIES.items(), strict=True):
    mean, deviation = known(X, setting)[:, DRAWN]
    left.plot(rows, X[DRAWN], ".", color=picture_style.GREY, markersize=3.5, markeredgewidth=0)
    left.fill_between(rows, mean - deviation, mean + deviation, color=colour, alpha=0.35, linewidth=0, zorder=2)
    left.plot(rows, mean, color=colour)
    left.text(20, 14.5, label, color=colour, fontweight="bold", va="center")
    scaled = StandardScaler(**setting).prequential_transform(X)
    right.plot(rows, scaled[DRAWN], ".", color=colour, markersize=3.5, markeredgewidth=0)
    for ax in (left, right):
        for change in (SHIFT, SPREAD):
            ax.axvline(change, color=picture_style.GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
        ax.set(xlim=(0, N_ROWS), xticks=range(0, N_ROWS + 1, 500))
        ax.xaxis.set_major_formatter("{x:,.0f}")
    left.set(ylim=(-5, 17), yticks=(0, 6, 12))
    right.set(ylim=(-7, 8), yticks=(-3, 0, 3))
    right.grid(axis="y")
axes[0, 0].set_title("Mean ± 1 standard deviation so far")
axes[0, 1].set_title("Each row scaled by those before it")
for change, what in ((SHIFT, "the level rises"), (SPREAD, "the spread triples")):
    axes[0, 0].annotate(
        what, (change, 14.5), (5, 0), textcoords="offset points", va="center", fontsize=9, color="#555555",
    )  # fmt: skip
for ax in axes[-1]:
    ax.set_xlabel("row")
