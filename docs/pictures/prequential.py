"""A stream whose level rises, scaled with hindsight and by what was known at the time."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style

from sknorm import StandardScaler

N_ROWS, SHIFT = 600, 300

picture_style.use()
rows = np.arange(N_ROWS)
X = (np.where(rows < SHIFT, 0.0, 4.0) + np.random.default_rng(0).standard_normal(N_ROWS))[:, np.newaxis]
SCALED = {
    "fit_transform": (StandardScaler().fit_transform(X), picture_style.ORANGE),
    "prequential_transform": (StandardScaler().prequential_transform(X), picture_style.BLUE),
}
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.3), sharey=True)
for ax, (verb, (scaled, colour)) in zip(axes, SCALED.items(), strict=True):
    ax.plot(rows, scaled, ".", color=colour, markersize=3.5, markeredgewidth=0)
    ax.axvline(SHIFT, color=picture_style.GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    before = scaled[1:SHIFT]
    note = f"mean {before.mean():.2f}, sd {before.std():.2f}".replace("-", "−")
    ax.text(SHIFT / 2, 4.6, note, ha="center", va="center")
    ax.set(title=verb, xlabel="row", xlim=(0, N_ROWS), ylim=(-4, 6), yticks=(-3, 0, 3), xticks=range(0, N_ROWS, 150))
    ax.grid(axis="y")
axes[0].set_ylabel("scaled value")
