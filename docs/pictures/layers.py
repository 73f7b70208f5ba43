"""Which values of a table are normalized together: a column's, a row's, or a block's of a row."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style
from matplotlib.patches import Rectangle

from sknorm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm

N_ROWS, N_COLUMNS = 5, 6
LAYERS = (
    ("BatchNorm()", BatchNorm(), [1] * N_COLUMNS, N_ROWS, "a column of the batch"),
    ("LayerNorm()", LayerNorm(), [N_COLUMNS], 1, "a row"),
    ("GroupNorm([2, 4])", GroupNorm([2, 4]), [2, 4], 1, "a block of a row's columns"),
    ("InstanceNorm(2)", InstanceNorm(2), [3, 3], 1, "a channel of a row"),
)
COLOURS = (picture_style.BLUE, picture_style.ORANGE, picture_style.GREEN)


def table(seed=3):
    """Return rows whose columns have levels of their own, the middle row ten times as large as the others."""
    rng = np.random.default_rng(seed)
    X = rng.normal([5, 1, 3, 8, 2, 6], 1.0, size=(N_ROWS, N_COLUMNS))
    X[2] *= 10
    return X


picture_style.use()
X = table()
figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.9), sharey=True)
for ax, (title, layer, widths, height, caption) in zip(axes, LAYERS, strict=True):
    Y = layer.fit_transform(X)
    for block, width in enumerate(widths):
        column = sum(widths[:block])
        for row in range(0, N_ROWS, height):
            colour = COLOURS[(block + row // height) % len(COLOURS)]
            ax.add_patch(Rectangle((column, row), width, height, facecolor=colour, alpha=0.22, edgecolor="white", lw=3))
    for (row, column), y in np.ndenumerate(Y):
        ax.text(column + 0.5, row + 0.5, f"{y:.1f}".replace("-", "−"), ha="center", va="center", fontsize=8)
    ax.set(title=title, xlim=(0, N_COLUMNS), ylim=(N_ROWS, 0), xticks=(), yticks=(), xlabel=caption)
    for side in ax.spines.values():
        side.set_visible(False)
axes[0].set_ylabel("rows")
