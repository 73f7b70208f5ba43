"""What 600 groups of one to a thousand rows are scaled by: centre and scale against the size of the group."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style

from sknorm import GroupedScaler

N_GROUPS, LEVELS, SPREAD = 600, 1.0, 3.0
SETTINGS = {"smooth=0": 0.0, 'smooth="auto"': "auto", "smooth=10": 10.0}
COLOURS = (picture_style.ORANGE, picture_style.GREEN, picture_style.BLUE)


def rows_of_groups(seed=0):
    """Return the true level and the size of every group, and rows with their groups."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(0, np.log(1000), N_GROUPS)).astype(int)
    level = LEVELS * rng.standard_normal(N_GROUPS)
    groups = np.repeat(np.arange(N_GROUPS), size)
    return level, size, (level[groups] + SPREAD * rng.standard_normal(len(groups)))[:, np.newaxis], groups


def used(X, groups, smooth):
    """Return the centre and the scale that the rows of every group are scaled by."""
    scaler = GroupedScaler(smooth=smooth).fit(X, groups=groups)
    at = [scaler.inverse_transform(np.full((N_GROUPS, 1), z), groups=np.arange(N_GROUPS))[:, 0] for z in (0.0, 1.0)]
    return at[0], at[1] - at[0]


picture_style.use()
level, size, X, groups = rows_of_groups()
small = size < 10
figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.2), sharex=True, sharey="row")
for (above, below), (title, smooth), colour in zip(axes.T, SETTINGS.items(), COLOURS, strict=True):
    truths = level, np.full(N_GROUPS, SPREAD)
    for ax, values, truth in zip((above, below), used(X, groups, smooth), truths, strict=True):
        ax.plot(size, values, "o", color=colour, markersize=3, markeredgewidth=0, alpha=0.7)
        ax.axhline(truth.mean(), color=picture_style.INK, linewidth=0.8, linestyle=(0, (2, 3)))
        error = np.sqrt(np.mean((values - truth)[small] ** 2))
        note = f"off by {error:.1f} below 10 rows"
        ax.text(0.97, 0.95, note, transform=ax.transAxes, ha="right", va="top", fontsize=9)
        ax.grid(axis="y")
    above.set(title=title, ylim=(-10, 11))
    below.set(xscale="log", ylim=(-0.3, 7.5), xlabel="rows of the group", xticks=(1, 10, 100, 1000))
    below.xaxis.set_major_formatter("{x:,.0f}")
axes[0, 0].set_ylabel("centre")
axes[1, 0].set_ylabel("scale")
