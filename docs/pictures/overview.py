"""One skewed column with outliers, and where each normalization puts it: the README's picture.

``python docs/pictures/overview.py`` writes docs/images/overview.png.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import picture_style
from skewed import amounts, draw_ridge, spoil

from sknorm import DecimalScaler, MaxAbsScaler, MeanScaler, MinMaxScaler, RobustScaler, StandardScaler

LOW, HIGH = -1.2, 3.2
ROWS = {
    "StandardScaler()": "(x − μ) / σ",
    "MinMaxScaler()": "(x − min) / (max − min)",
    "MeanScaler()": "(x − μ) / (max − min)",
    "MaxAbsScaler()": "x / max|x|",
    "DecimalScaler()": "x / 10ʲ",
    "RobustScaler()": "(x − median) / IQR",
    'RobustScaler(clip=3,\nclip_mode="soft")': "squashed into (−3, 3)",
}
SCALERS = (
    StandardScaler(),
    MinMaxScaler(),
    MeanScaler(),
    MaxAbsScaler(),
    DecimalScaler(),
    RobustScaler(),
    RobustScaler(clip=3, clip_mode="soft"),
)


def draw() -> plt.Figure:
    """Draw the raw column above, and its seven normalizations on one axis below."""
    picture_style.use()
    column = spoil(amounts())
    figure, (raw, ax) = plt.subplots(2, 1, figsize=(9.6, 6), height_ratios=(1, 6.2))

    draw_ridge(raw, column, 0, picture_style.GREY, 0, column.max() * 1.02, height=1)
    outliers = np.sort(column.ravel())[-20:]
    raw.plot(outliers, np.full(20, 0.1), "|", color=picture_style.INK, markersize=9, markeredgewidth=1.2)
    raw.annotate(
        "20 of 4,000 amounts were entered ten times too large",
        (outliers[10], 0.2), (column.max() * 0.5, 0.66), ha="center",
        arrowprops={"arrowstyle": "-", "color": picture_style.GREY, "relpos": (0.5, 0)},
    )  # fmt: skip
    raw.set(yticks=[], ylim=(0, 1.05), xlim=(0, column.max() * 1.02), title="One raw column …")
    raw.xaxis.set_major_formatter("{x:,.0f}")
    raw.spines["left"].set_visible(False)

    for i, (formula, scaler) in enumerate(zip(ROWS.values(), SCALERS, strict=True)):
        base = len(ROWS) - 1 - i
        colour = picture_style.COLOURS[type(scaler).__name__]
        values = scaler.fit_transform(column)
        draw_ridge(ax, values, base, colour, LOW, HIGH)
        ends = np.sort(values.ravel())[-20:]
        seen = ends[ends <= HIGH]
        ax.plot(seen, np.full(len(seen), base + 0.09), "|", color=picture_style.INK, markersize=8, markeredgewidth=1.2)
        low, high = np.quantile(values, (0.05, 0.95))
        ax.text(HIGH + 0.12, base + 0.5, formula, va="center")
        note = f"middle 90 % spans {high - low:.2f}, outliers up to {ends[-1]:.{0 if ends[-1] > 10 else 2}f}"
        note += " →" if ends[-1] > HIGH else ""
        ax.text(HIGH + 0.12, base + 0.2, note, va="center", fontsize=8.5, color="#555555")
    ax.set_yticks(range(len(ROWS)), reversed(ROWS), va="bottom", fontfamily="monospace", fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=picture_style.GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    ax.set(xlim=(LOW, HIGH), ylim=(-0.05, len(ROWS)), title="… and where each normalization puts it, on one axis")
    ax.spines["left"].set_visible(False)
    return figure


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "images" / "overview.png"
    draw().savefig(target, dpi=150, pil_kwargs={"optimize": True})
    plt.close("all")
