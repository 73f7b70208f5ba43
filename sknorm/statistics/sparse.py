"""Sparse batches: what is stored, cell by cell, and the weight of the zeros that are not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error


class Entries(NamedTuple):
    """Stored values, their cells (``group * n_features + feature``), and the weight of the zeros not stored."""

    values: NDArray[Any]
    cells: NDArray[np.intp]
    weights: NDArray[np.float64] | None  # of the values; None where every row weighs 1
    implicit: NDArray[np.float64]  # of shape (n_groups, n_features)


def summed(X: Any) -> Any:
    """Return a sparse matrix in which every value is stored once."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def columns_of(X: Any) -> NDArray[np.intp]:
    """Return the column of every stored value of a CSR or CSC matrix."""
    return X.indices if X.format == "csr" else np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))


def canonical(X: Any) -> Any:
    """Return a CSR or CSC matrix in which every value is stored once, X itself if it is one.

    Raises
    ------
    ValueError
        If X holds an infinity, or values stored in parts that are infinite together.
    """
    infinite = np.isinf(X.data).any()
    X = summed(X)
    if infinite or np.isinf(X.data).any():
        raise infinity_error(X.dtype)
    return X


def entries_of(
    X: Any, sample_weight: NDArray[np.float64] | None, codes: NDArray[np.intp] | None, n_groups: int
) -> Entries:
    """Return the entries of a CSR or CSC batch; a NaN that is stored is no zero.

    Raises
    ------
    ValueError
        If X holds an infinity.
    """
    n_samples, n_features = X.shape
    X = canonical(X)
    stored = X.tocoo()
    group = np.zeros(n_samples, dtype=np.intp) if codes is None else codes
    cells = group[stored.row] * n_features + stored.col.astype(np.intp)
    weights = None if sample_weight is None else sample_weight[stored.row]
    n_cells = n_groups * n_features
    total = np.bincount(group, sample_weight, n_groups)[:, np.newaxis]
    implicit = total - np.bincount(cells, weights, n_cells).reshape(n_groups, n_features)
    # Weights that add up differently in two orders must not leave a trace of a zero where there is none.
    counted = slice(None) if sample_weight is None else sample_weight > 0
    n_counted = np.bincount(group[counted], minlength=n_groups)[:, np.newaxis]
    n_stored = np.bincount(cells if weights is None else cells[weights > 0], minlength=n_cells)
    zeros = n_counted > n_stored.reshape(n_groups, n_features)
    return Entries(stored.data, cells, weights, np.where(zeros, np.maximum(implicit, 0.0), 0.0))
