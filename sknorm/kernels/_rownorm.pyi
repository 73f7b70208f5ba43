from typing import Any

import numpy as np
from numpy.typing import NDArray

class Program:
    def __init__(
        self,
        ends: NDArray[np.intp],
        eps: float,
        gain: NDArray[np.float64] | None = None,
        shift: NDArray[np.float64] | None = None,
    ) -> None: ...
    def __call__(self, X: NDArray[Any], out: NDArray[Any], start: int, stop: int, codes: Any = None) -> bool: ...
