from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sknorm.kernels._stream import Rule

Parameter = NDArray[np.float64]

class Unseen(Exception): ...

class Groups:
    table: Parameter
    weight: Parameter
    phase: Parameter
    seen: NDArray[np.int64]
    pane_weight: Parameter
    def __init__(
        self,
        table: Parameter,
        first_row: int,
        weight: Parameter,
        *,
        half_life: float = 0.0,
        phase: Parameter | None = None,
        window: int = 0,
        length: int = 0,
        seen: NDArray[np.int64] | None = None,
        pane_weight: Parameter | None = None,
    ) -> None: ...
    def read(self) -> Parameter: ...
    def follow(
        self,
        X: NDArray[Any],
        codes: NDArray[np.intp],
        weights: Parameter | None = None,
        rule: Rule | None = None,
        out: NDArray[Any] | None = None,
        *,
        all: int = -1,
        other: int = -1,
        unseen: Literal["global", "nan", "passthrough", "error"] = "global",
        min_samples: float = 1.0,
        smooth: float = 0.0,
    ) -> None: ...
