"""What a scaler makes of counts, moments and extremes, as the kernels know it."""

from sknorm.kernels._groups import Unseen
from sknorm.kernels._stream import Overflow, Rule, exponents

__all__ = ["Overflow", "Rule", "Unseen", "exponents"]
