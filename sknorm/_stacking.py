"""Blocks of rows, put together again."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp


def stacked(parts: list[Any], like: Any) -> Any:
    """Return blocks of rows as one table of the class and the format of another, dense or sparse."""
    if not sp.issparse(like):
        return np.concatenate(parts)
    return type(like)(sp.vstack(parts, format=like.format))  # SciPy 1.11 makes a matrix of arrays
