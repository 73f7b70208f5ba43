"""How far the streamed quartiles are from the exact ones, in rank, along streams of different kinds."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style

from sknorm import RobustScaler

N_ROWS, BATCH = 300_000, 1000
rng = np.random.default_rng(0)
NORMAL = rng.standard_normal(N_ROWS)
STREAMS = {
    "shuffled": (NORMAL, picture_style.BLUE, "o"),
    "sorted": (np.sort(NORMAL), picture_style.ORANGE, "s"),
    "heavy tails": (rng.standard_t(1, N_ROWS), picture_style.GREEN, "^"),
    "trend": (np.linspace(0, 20, N_ROWS) + NORMAL, picture_style.PURPLE, "D"),
}
CHECKS = np.unique(np.geomspace(BATCH, N_ROWS, 16).astype(int) // BATCH * BATCH)


def rank_errors(values):
    """Return at every check the largest error of the three quartiles, as a share of the rows so far."""
    scaler, errors = RobustScaler(), []
    lower = RobustScaler(quantile_range=(25.0, 50.0))
    for start in range(0, N_ROWS, BATCH):
        batch = values[start : start + BATCH, np.newaxis]
        scaler.partial_fit(batch)
        lower.partial_fit(batch)
        seen = start + len(batch)
        if seen in CHECKS:
            median = scaler.center_[0]
            first = median - lower.scale_[0]
            quartiles = (first, median, first + scaler.scale_[0])
            ranks = [np.mean(values[:seen] <= quartile) for quartile in quartiles]
            errors.append(100 * max(abs(rank - q) for rank, q in zip(ranks, (0.25, 0.5, 0.75), strict=True)))
    return errors


picture_style.use()
figure, ax = plt.subplots(figsize=(7.6, 3.8))
for name, (values, colour, marker) in STREAMS.items():
    ax.semilogx(CHECKS, rank_errors(values), color=colour, marker=marker, markersize=5, linewidth=1.5, label=name)
ax.axhline(1, color=picture_style.INK, linewidth=1, linestyle=(0, (4, 3)))
ax.annotate("1 % of rank", (CHECKS[-1], 1), (0, 4), textcoords="offset points", ha="right", fontsize=9)
ax.set(
    xlabel="rows learned", ylabel="rank error, % of the rows", ylim=(0, 1.25),
    title="The worst of the three quartiles, one pass of partial_fit",
)  # fmt: skip
ax.xaxis.set_major_formatter("{x:,.0f}")
ax.legend(loc="upper left", bbox_to_anchor=(0, 0.79))
ax.grid(axis="y")
