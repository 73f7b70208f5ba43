"""Fitted estimators as ONNX graphs, SQL, PyTorch modules and Keras layers; and theirs as fitted estimators."""

from sknorm.export._codes import group_codes
from sknorm.export.imports import from_keras, from_sklearn, from_torch
from sknorm.export.keras import to_keras
from sknorm.export.onnx import register_onnx, to_onnx
from sknorm.export.sql import lookup_table, to_sql
from sknorm.export.torch import to_torch

__all__ = [
    "from_keras",
    "from_sklearn",
    "from_torch",
    "group_codes",
    "lookup_table",
    "register_onnx",
    "to_keras",
    "to_onnx",
    "to_sql",
    "to_torch",
]
