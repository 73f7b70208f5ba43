"""The six scalers on a skewed column, without and with a few outliers."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style
from skewed import amounts, draw_ridge, spoil

from sknorm import DecimalScaler, MaxAbsScaler, MeanScaler, MinMaxScaler, RobustScaler, StandardScaler

SCALERS = (StandardScaler(), RobustScaler(), MinMaxScaler(), MeanScaler(), MaxAbsScaler(), DecimalScaler())
LOW, HIGH = -2.2, 4.2

picture_style.use()
clean = amounts()
figure, axes = plt.subplots(1, 2, figsize=(9.6, 5.2), sharey=True)
for ax, column, title in (
    (axes[0], clean, "As it is"),
    (axes[1], spoil(clean), "0.5 % of the values ten times too large"),
):
    for i, scaler in enumerate(SCALERS):
        base = len(SCALERS) - 1 - i
        name = type(scaler).__name__
        values = scaler.fit_transform(column)
        draw_ridge(ax, values, base, picture_style.COLOURS[name], LOW, HIGH, height=0.7)
        low, high = np.quantile(values, (0.05, 0.95))
        ax.plot([low, high], [base - 0.06] * 2, color=picture_style.INK, linewidth=2.5, solid_capstyle="butt")
        ax.text(HIGH, base + 0.25, f"{high - low:.2f}", ha="right", va="center")
    ax.axvline(0, color=picture_style.GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    ax.set(xlim=(LOW, HIGH), ylim=(-0.2, len(SCALERS)), title=title, xlabel="scaled value")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.text(HIGH, len(SCALERS) - 0.2, "the middle 90 % (bar) spans", ha="right", va="center", fontsize=9)
axes[0].set_yticks(range(len(SCALERS)), [type(scaler).__name__ for scaler in reversed(SCALERS)], va="bottom")
