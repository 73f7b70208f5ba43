from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STAGE_DIVIDE: int
STAGE_FENCE: int
STAGE_MULTIPLY: int
STAGE_CLIP: int
STAGE_SQUASH: int
STAGE_UNSQUASH: int
N_PARAMETERS: int

class Program:
    def __init__(self, kinds: Sequence[int], parameters: NDArray[np.float64]) -> None: ...
    def per_value(self) -> Program: ...
    def __call__(
        self, X: NDArray[Any], out: NDArray[Any], start: int, stop: int, codes: NDArray[np.intp] | None = None
    ) -> bool: ...
