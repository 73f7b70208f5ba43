"""Statistics that merge: what a scaler learns."""

from sknorm.statistics._base import Statistic
from sknorm.statistics.extremes import Extremes, MomentsAndExtremes
from sknorm.statistics.moments import Moments
from sknorm.statistics.quantiles import Quantiles

__all__ = ["Extremes", "Moments", "MomentsAndExtremes", "Quantiles", "Statistic"]
