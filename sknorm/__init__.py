"""Normalization of tabular data for scikit-learn: exact, streaming, mergeable, at memory speed."""

from sknorm._version import __version__
from sknorm.scalers.decimal import DecimalScaler
from sknorm.scalers.maxabs import MaxAbsScaler
from sknorm.scalers.mean import MeanScaler
from sknorm.scalers.minmax import MinMaxScaler
from sknorm.scalers.robust import RobustScaler
from sknorm.scalers.standard import StandardScaler

__all__ = [
    "DecimalScaler",
    "MaxAbsScaler",
    "MeanScaler",
    "MinMaxScaler",
    "RobustScaler",
    "StandardScaler",
    "__version__",
]
