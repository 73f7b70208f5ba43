"""The style that all pictures share: colours that colour-blind readers can tell apart (Okabe and Ito 2008)."""

import matplotlib.pyplot as plt

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#7F7F7F"
PALE = "#E8E8E8"
INK = "#262626"

COLOURS = {
    "raw": GREY,
    "StandardScaler": BLUE,
    "MinMaxScaler": GREEN,
    "MeanScaler": SKY,
    "DecimalScaler": PURPLE,
    "RobustScaler": ORANGE,
    "MaxAbsScaler": "#A6761D",
}

SETTINGS = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": PALE,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "sknorm",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
}


def use() -> None:
    """Make the shared style the current one."""
    plt.rcdefaults()
    plt.rcParams.update(SETTINGS)
