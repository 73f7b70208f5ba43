"""The column that several pictures show: skewed amounts, a few of which were entered ten times too large."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray


def amounts(n: int = 4000, seed: int = 7) -> NDArray[np.float64]:
    """Return a skewed column without errors."""
    return 9000 * np.exp(0.55 * np.random.default_rng(seed).standard_normal((n, 1)))


def spoil(column: NDArray[np.float64], share: float = 0.005, seed: int = 1) -> NDArray[np.float64]:
    """Return the column with a share of its values ten times too large."""
    rng = np.random.default_rng(seed)
    spoiled = column.copy()
    spoiled[rng.choice(len(column), round(share * len(column)), replace=False)] *= 10
    return spoiled


def draw_ridge(
    ax: Axes, values: NDArray[np.float64], base: float, colour: str, low: float, high: float, height: float = 0.8
) -> None:
    """Draw a histogram of the values on the line ``base``, its tallest bar of the given height."""
    bins = np.linspace(low, high, 177)
    counts, edges = np.histogram(values, bins)
    heights = base + height * counts / counts.max()
    ax.stairs(heights, edges, baseline=base, fill=True, color=colour, alpha=0.85, linewidth=0)
    ax.plot([low, high], [base, base], color=colour, linewidth=0.8)
