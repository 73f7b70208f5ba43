"""Normalization of tabular data for scikit-learn: exact, streaming, mergeable, at memory speed."""

from sknorm._merge import merge
from sknorm._version import __version__
from sknorm.grouped import GroupedScaler
from sknorm.outliers import OutlierClipper
from sknorm.pipeline import StreamingPipeline, make_streaming_pipeline
from sknorm.scalers.decimal import DecimalScaler
from sknorm.scalers.maxabs import MaxAbsScaler
from sknorm.scalers.mean import MeanScaler
from sknorm.scalers.minmax import MinMaxScaler
from sknorm.scalers.robust import RobustScaler
from sknorm.scalers.standard import StandardScaler
from sknorm.state import from_json, load

__all__ = [
    "DecimalScaler",
    "GroupedScaler",
    "MaxAbsScaler",
    "MeanScaler",
    "MinMaxScaler",
    "OutlierClipper",
    "RobustScaler",
    "StandardScaler",
    "StreamingPipeline",
    "__version__",
    "from_json",
    "load",
    "make_streaming_pipeline",
    "merge",
]
