"""The cells of a quantile sketch, read from a document: all that the kernels assume of them is checked here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.statistics.extremes import check_extremes

NAMES = (
    "items", "weights", "offsets", "is_exact", "state", "count", "min", "max",
    "k", "seed", "probabilities", "table", "deviation",
)  # fmt: skip
# The levels of a sketch hold items of the weights 1, 2, 4, …, 2^62.
LEVELS = 63


def read_cells(fields: Node, kind: str, n_groups: int, n_features: int, k: int) -> dict[str, Any]:
    """Return the arguments of `Quantiles`, for so many cells and this k."""
    node = dict(zip(NAMES, fields.of_kind(kind, *NAMES), strict=True))
    node["k"].equal(k)
    shape, n_cells = (n_groups, n_features), n_groups * n_features
    offsets = node["offsets"].integers(n_cells + 1, high=2**62, dtype=np.int64)
    node["offsets"].refuse(np.diff(offsets, prepend=0) < 0, "must not be less than the one before")
    node["offsets"][0].equal(0)
    n_items = int(offsets[-1])
    probabilities = tuple(q.number() for q in node["probabilities"].items())
    node["probabilities"].refuse(np.array([not 0 <= q <= 1 for q in probabilities], bool), "must lie between 0 and 1")
    cells: dict[str, Any] = {
        "items": node["items"].floats(n_items),
        "weights": node["weights"].floats(n_items),
        "offsets": offsets,
        "is_exact": node["is_exact"].integers(*shape, high=1, dtype=np.uint8),
        "state": node["state"].integers(*shape, high=2**64 - 1, dtype=np.uint64),
        "count": node["count"].floats(*shape),
        "min": node["min"].floats(*shape, non_finite=True),
        "max": node["max"].floats(*shape, non_finite=True),
        "k": k,
        "seed": node["seed"].integer(0, 2**64 - 1),
        "probabilities": probabilities,
        "table": None,
        "deviation": None,
    }
    node["count"].refuse(cells["count"] < 0, "must not be negative")
    check_extremes(fields, cells["count"], cells["min"], cells["max"])
    check_items(node, cells)
    if probabilities:
        cells["table"] = node["table"].floats(len(probabilities), *shape, non_finite=True)
        outside = (cells["table"] < cells["min"]) | (cells["table"] > cells["max"])
        node["table"].refuse(outside, "must lie between min and max")
    else:
        node["table"].null("where there are no probabilities")
    if node["deviation"].value is not None:
        cells["deviation"] = node["deviation"].floats(*shape, non_finite=True)
        with np.errstate(over="ignore"):
            outside = (cells["deviation"] < 0) | (cells["deviation"] > cells["max"] - cells["min"])
        node["deviation"].refuse(outside, "must be neither negative nor wider than the range")
    return cells


def check_items(node: dict[str, Node], cells: dict[str, Any]) -> None:
    """Raise where items or weights are none that the kernels write.

    They index by the exponents of weights, merge what they take for sorted, and read a cell level by level, which takes
    quadratic time where levels alternate.
    """
    items, weights, lengths = cells["items"], cells["weights"], np.diff(cells["offsets"])
    is_exact = cells["is_exact"].reshape(-1) > 0
    room = np.where(is_exact, 3 * cells["k"], 3 * cells["k"] + 9 * LEVELS)
    node["offsets"].refuse(np.append(False, lengths > room), "must not give a cell more items than its k allows")
    cell = np.repeat(np.arange(len(lengths)), lengths)
    exact = is_exact[cell]
    low, high = (cells[name].reshape(-1)[cell] for name in ("min", "max"))
    node["items"].refuse((items < low) | (items > high), "must lie between min and max")
    node["weights"].refuse(weights <= 0, "must be positive")
    level = (np.frexp(weights)[0] == 0.5) & (weights >= 1) & (weights < 2.0**LEVELS)
    node["weights"].refuse(~exact & ~level, "must be a power of two, less than 2**63, where the cell is not exact")
    with np.errstate(over="ignore"):
        total = np.bincount(cell, weights, len(lengths))
    node["weights"].refuse(~np.isfinite(total)[cell], "must have a finite sum within its cell")

    def after(earlier: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.append(np.zeros(min(len(items), 1), bool), earlier & (cell[1:] == cell[:-1]))

    fewer, same = weights[1:] < weights[:-1], weights[1:] == weights[:-1]
    node["weights"].refuse(
        after(fewer & ~exact[1:]), "must not be less than the one before, where the cell is not exact"
    )
    less, equal = items[1:] < items[:-1], items[1:] == items[:-1]
    unsorted = np.where(exact[1:], less | equal, less & same)
    node["items"].refuse(after(unsorted), "must follow the one before: its cell is sorted, and distinct if exact")
