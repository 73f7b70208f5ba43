"""What the bounds of each method are, and what a scaler learns as outliers become more."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style

from sknorm import OutlierClipper, StandardScaler

CENTRE, SPREAD, ERROR, ROWS = 50.0, 5.0, 100.0, 4000
METHODS = {
    "sigma": picture_style.ORANGE,
    "quantile": picture_style.PURPLE,
    "iqr": picture_style.GREEN,
    "mad": picture_style.BLUE,
}
TITLES = {"mean_": "The mean, off by so many σ", "scale_": "The standard deviation, in σ"}


def spoiled(share):
    """Return a column of which this share are errors, and which rows these are."""
    rng = np.random.default_rng(0)
    column, wrong = rng.normal(CENTRE, SPREAD, ROWS), np.arange(ROWS) < round(share * ROWS)
    column[wrong] = rng.normal(ERROR, 1.0, wrong.sum())
    return column[:, np.newaxis], wrong


picture_style.use()
figure, (bars, *curves) = plt.subplots(1, 3, figsize=(9.6, 4.3), width_ratios=(1.35, 1, 1))

column, wrong = spoiled(0.1)
top = len(METHODS)
for rows, colour in ((~wrong, picture_style.GREY), (wrong, picture_style.INK)):
    counts, edges = np.histogram(column[rows, 0], np.arange(5, 110.5))
    bars.stairs(top + counts / 190, edges, baseline=top, fill=True, color=colour, linewidth=0)
bars.plot([5, 105], [top, top], color=picture_style.GREY, linewidth=0.8)
bars.text(100, top + 0.85, "errors", ha="center")
for base, (method, colour) in enumerate(METHODS.items()):
    clipper = OutlierClipper(method).fit(column)
    low, high = clipper.lower_[0], clipper.upper_[0]
    bars.plot([low, high], [base + 0.35] * 2, color=colour, linewidth=9, solid_capstyle="butt")
    cut = (clipper.transform(column) != column)[wrong].mean()
    bars.text(5, base + 0.62, f'"{method}" clips {100 * cut:.0f} % of the errors', fontsize=9)
for x in (97, 103):
    bars.plot([x, x], [0, top], color=picture_style.INK, linewidth=0.7, linestyle=(0, (2, 3)))
bars.set(xlim=(5, 106), ylim=(0, top + 1.9), yticks=(), xlabel="value", title="Bounds, where 10 % are errors")
bars.spines["left"].set_visible(False)

shares = np.linspace(0, 0.5, 51)
ways = {"without outliers=": (None, {"color": "#C8C8C8", "linewidth": 6})}
ways |= {f'"{method}"': (OutlierClipper(method), {"color": colour}) for method, colour in METHODS.items()}
missing = {"color": picture_style.BLUE, "linestyle": (0, (3, 1.5))}
ways['"mad", action="missing"'] = OutlierClipper("mad", action="missing"), missing
for label, (outliers, style) in ways.items():
    scalers = [StandardScaler(outliers=outliers).fit(spoiled(share)[0]) for share in shares]
    for ax, name, zero in zip(curves, TITLES, (CENTRE, 0.0), strict=True):
        ax.plot(100 * shares, [(getattr(scaler, name)[0] - zero) / SPREAD for scaler in scalers], label=label, **style)
for ax, title, low in zip(curves, TITLES.values(), (-0.5, 0.5), strict=True):
    ax.set(xlim=(0, 50), ylim=(low, low + 5.7), xlabel="errors, %", title=title)
    ax.xaxis.set_major_locator(plt.MultipleLocator(10))
    ax.grid(axis="y")
figure.legend(*curves[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, columnspacing=1.2)
