"""Hard and soft clipping: the curves, and what they make of a column with outliers."""

import matplotlib.pyplot as plt
import numpy as np
import picture_style
from skewed import amounts, spoil

from sknorm import RobustScaler, StandardScaler

WAYS = {
    "none": ({}, picture_style.GREY, (0, (1, 1.5))),
    "clip=3": ({"clip": 3}, picture_style.ORANGE, "-"),
    'clip=3, clip_mode="soft"': ({"clip": 3, "clip_mode": "soft"}, picture_style.BLUE, "-"),
}

picture_style.use()
figure, (curves, tails) = plt.subplots(1, 2, figsize=(9.6, 3.9), width_ratios=(1, 1.15))

z = np.linspace(-8, 8, 401)[:, np.newaxis]
for label, (setting, colour, style) in WAYS.items():
    scaler = StandardScaler(**setting).fit([[-1.0], [1.0]])  # mean 0, standard deviation 1
    curves.plot(z, scaler.transform(z), color=colour, linestyle=style, label=label)
curves.set(
    xlabel="scaled value, unclipped", ylabel="result", xlim=(-8, 8), ylim=(-4.6, 4.6), xticks=range(-8, 9, 4),
    yticks=(-3, 0, 3), title="The curves",
)  # fmt: skip
curves.grid()

column = spoil(amounts())
largest = np.sort(column, axis=0)[-60:]
unclipped = RobustScaler().fit(column).transform(largest)
for label, (setting, colour, style) in WAYS.items():
    if setting:
        scaled = RobustScaler(**setting).fit(column).transform(largest)
        tails.plot(largest, scaled, color=colour, linestyle=style, marker=".", markersize=6, linewidth=1, label=label)
tails.text(265_000, 2.2, f"unclipped: {unclipped[0, 0]:.1f} to {unclipped[-1, 0]:.0f}", ha="right", color="#555555")
tails.set(
    xlabel="amount: the 60 largest of 4,000", ylabel="result", ylim=(2.1, 3.15), yticks=(2.25, 2.5, 2.75, 3),
    title="RobustScaler on amounts with errors",
)  # fmt: skip
tails.xaxis.set_major_formatter("{x:,.0f}")
tails.set_xticks(range(50_000, 300_000, 50_000))
tails.grid()
handles, labels = curves.get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3)
