"""Statistics that merge: what a scaler learns."""

from sknorm.statistics._base import Statistic, Unordered
from sknorm.statistics.decayed import Decayed
from sknorm.statistics.extremes import Extremes, MomentsAndExtremes
from sknorm.statistics.fence import FenceRule
from sknorm.statistics.fenced import Clipped, Fenced
from sknorm.statistics.moments import Moments
from sknorm.statistics.quantiles import Quantiles
from sknorm.statistics.running import Running, Update
from sknorm.statistics.windowed import Windowed, WindowedTable
from sknorm.statistics.windowed_quantiles import WindowedQuantiles

__all__ = [
    "Clipped",
    "Decayed",
    "Extremes",
    "FenceRule",
    "Fenced",
    "Moments",
    "MomentsAndExtremes",
    "Quantiles",
    "Running",
    "Statistic",
    "Unordered",
    "Update",
    "Windowed",
    "WindowedQuantiles",
    "WindowedTable",
]
