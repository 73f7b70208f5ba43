from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

class Count:
    n_columns: int
    above: Integers
    threshold_above: Integers
    valid: Integers
    minimum: Floats
    maximum: Floats

def count_rows(
    X: NDArray[Any],
    low: Floats,
    high: Floats,
    offset: Integers,
    threshold: Floats,
    threshold_offset: Integers,
    sample_min: Floats,
    sample_max: Floats,
    centre: Floats | None = None,
) -> Count: ...
def take_kept(counts: list[Count], column: int) -> Floats: ...
def sort_columns(
    X: NDArray[Any], out: Floats, n_valid: Integers, low: Floats | None = None, high: Floats | None = None
) -> bool: ...
def sort_sample(X: NDArray[Any], h: int, seed: int, out: Floats, n_valid: Integers) -> None: ...
def seed_cells(seed: int, n_cells: int, first: int = 0) -> NDArray[np.uint64]: ...
def seed_panes(panes: Integers, n_features: int) -> NDArray[np.uint64]: ...
def order_rows(
    codes: NDArray[np.intp] | None, weights: Floats | None, n_samples: int, n_groups: int
) -> tuple[Integers, Integers]: ...
def sort_cells(
    X: NDArray[Any], weights: Floats | None, codes: NDArray[np.intp] | None, n_groups: int
) -> tuple[Floats, Floats | None, Integers, Integers, Floats, Floats, Floats] | None: ...
def copy_ranges(source: Floats, starts: Integers, lengths: Integers, target: Floats, places: Integers) -> None: ...
def merge_cells(
    k: int,
    items: Floats,
    weights: Floats,
    offsets: Integers,
    exact: NDArray[np.uint8],
    state: NDArray[np.uint64],
    other_items: Floats,
    other_weights: Floats | None,
    other_starts: Integers,
    other_lengths: Integers,
    other_exact: NDArray[np.uint8] | None,
    other_state: NDArray[np.uint64],
    runs_exact: bool = True,
    level: int = 0,
) -> tuple[Floats, Floats, Integers, NDArray[np.uint8], NDArray[np.uint64]]: ...
def fold_cells(
    k: int,
    items: Floats,
    weights: Floats,
    offsets: Integers,
    exact: NDArray[np.uint8],
    state: NDArray[np.uint64],
) -> tuple[Floats, Floats, Integers, NDArray[np.uint8], NDArray[np.uint64]]: ...
def read_cells(
    items: Floats,
    weights: Floats | None,
    starts: Integers,
    lengths: Integers,
    exact: NDArray[np.uint8],
    probabilities: Floats,
    with_mad: bool,
) -> tuple[Floats, Floats | None]: ...
def interpolate(low: float, high: float, t: float, is_median: bool) -> float: ...
