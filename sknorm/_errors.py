"""Errors that several layers raise, in scikit-learn's words where it has them."""

from __future__ import annotations

from typing import Any

import numpy as np


def infinity_error(dtype: np.dtype[Any]) -> ValueError:
    """Return scikit-learn's own error for an infinite value in X."""
    return ValueError(f"Input X contains infinity or a value too large for {dtype!r}.")
