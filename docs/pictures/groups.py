"""Amounts of four merchants, some of them fraudulent: as they are, scaled by all rows, and scaled per merchant."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import picture_style

from sknorm import GroupedScaler, StandardScaler

MERCHANTS = {"kiosk": 6, "grocer": 45, "restaurant": 90, "jeweller": 900}  # usual amounts
N_ROWS, N_FRAUDS, FACTOR = 250, 3, 4


def transactions(seed=3):
    """Return merchants, amounts and which rows are fraud: each merchant has some amounts several times too high."""
    rng = np.random.default_rng(seed)
    fraud = np.tile(np.arange(N_ROWS) < N_FRAUDS, len(MERCHANTS))
    amount = np.repeat(list(MERCHANTS.values()), N_ROWS) * np.exp(0.3 * rng.standard_normal(len(fraud)))
    table = pd.DataFrame({"merchant": np.repeat(list(MERCHANTS), N_ROWS), "amount": amount})
    return table.assign(amount=np.where(fraud, FACTOR * table["amount"], table["amount"])), fraud


picture_style.use()
table, fraud = transactions()
PANELS = {
    "As they are": table["amount"].to_numpy(),
    "StandardScaler()": StandardScaler().fit_transform(table[["amount"]])[:, 0],
    'GroupedScaler(by="merchant")': GroupedScaler(by="merchant").fit_transform(table)[:, 0],
}
jitter = np.random.default_rng(0).uniform(-0.28, 0.28, len(fraud))
height = np.repeat(np.arange(len(MERCHANTS))[::-1], N_ROWS) + np.where(fraud, 0, jitter)
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), sharey=True)
for ax, (title, values) in zip(axes, PANELS.items(), strict=True):
    ax.plot(values[~fraud], height[~fraud], ".", color=picture_style.GREY, markersize=3, markeredgewidth=0)
    ax.plot(values[fraud], height[fraud], "o", color=picture_style.ORANGE, markersize=6, markeredgewidth=0)
    ax.set(title=title, ylim=(-0.5, len(MERCHANTS) - 0.5))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
axes[0].set_xscale("log")
axes[0].xaxis.set_major_formatter("{x:,.0f}")
axes[0].set_xlabel("amount, logarithmic")
for ax in axes[1:]:
    ax.axvline(0, color=picture_style.GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    ax.set_xlabel("scaled amount")
axes[2].set_xticks((0, 5, 10))
axes[0].set_yticks(range(len(MERCHANTS)), reversed(MERCHANTS))
axes[0].annotate(
    "fraud: four times\nthe usual", (table["amount"][2], 3), (130, 2.85),
    color=picture_style.ORANGE, fontsize=9, va="center",
)  # fmt: skip
