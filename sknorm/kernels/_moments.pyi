from typing import Any

import numpy as np
from numpy.typing import NDArray

class Infinite(Exception): ...

def zeros(n_groups: int, d: int, with_extremes: bool = True) -> NDArray[np.float64]: ...
def summarize(
    X: NDArray[Any], start: int, stop: int, with_moments: bool, with_extremes: bool
) -> NDArray[np.float64]: ...
def summarize_fenced(
    X: NDArray[Any],
    start: int,
    stop: int,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    drops: bool,
    with_moments: bool,
    with_extremes: bool,
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64], NDArray[np.float64]]: ...
def scatter(
    X: NDArray[Any], weights: NDArray[np.float64] | None, codes: NDArray[np.intp] | None, n_groups: int
) -> NDArray[np.float64]: ...
def scatter_once(
    X: NDArray[Any], codes: NDArray[np.intp], table: NDArray[np.float64], first: int, last: int
) -> bool: ...
def merge(a: NDArray[np.float64], b: NDArray[np.float64], first_row: int) -> NDArray[np.float64]: ...
def overflows(table: NDArray[np.float64], first_row: int, ddof: float = 0.0) -> bool: ...
def variance(table: NDArray[np.float64], ddof: float) -> NDArray[np.float64]: ...
