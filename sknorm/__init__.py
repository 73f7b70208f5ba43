"""Normalization of tabular data for scikit-learn: exact, streaming, mergeable, at memory speed."""

from typing import Any as _Any

from sknorm._merge import merge
from sknorm._version import __version__
from sknorm.grouped import GroupedScaler
from sknorm.outliers import OutlierClipper
from sknorm.pipeline import StreamingPipeline, make_streaming_pipeline
from sknorm.rowwise import GroupNorm, InstanceNorm, LayerNorm
from sknorm.scalers.batch_norm import BatchNorm
from sknorm.scalers.decimal import DecimalScaler
from sknorm.scalers.maxabs import MaxAbsScaler
from sknorm.scalers.mean import MeanScaler
from sknorm.scalers.minmax import MinMaxScaler
from sknorm.scalers.robust import RobustScaler
from sknorm.scalers.standard import StandardScaler
from sknorm.state import from_json, load
from sknorm.weights import apply_weight_norm, weight_norm

__all__ = [
    "BatchNorm",
    "DecimalScaler",
    "GroupNorm",
    "GroupedScaler",
    "InstanceNorm",
    "LayerNorm",
    "MaxAbsScaler",
    "MeanScaler",
    "MinMaxScaler",
    "OutlierClipper",
    "RobustScaler",
    "StandardScaler",
    "StreamingPipeline",
    "__version__",
    "apply_weight_norm",
    "from_json",
    "load",
    "make_streaming_pipeline",
    "merge",
    "weight_norm",
]


def __getattr__(name: str) -> _Any:
    if name == "export":  # its exporters need what most users have not installed
        from importlib import import_module

        return import_module("sknorm.export")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "export"})
