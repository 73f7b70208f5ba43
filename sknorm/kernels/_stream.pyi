from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Parameter = NDArray[np.float64]

class Overflow(Exception): ...

def exponents(max_abs: Parameter) -> NDArray[np.int64]: ...

class Rule:
    def __init__(
        self,
        centre: Literal["none", "mean", "min"] = "none",
        scale: Literal["none", "std", "range", "max_abs", "power"] = "none",
        *,
        ddof: float = 0.0,
        gain: float = 1.0,
        shift: float = 0.0,
    ) -> None: ...
    gain: float
    shift: float
    def bounded(self, kind: Literal["none", "hard", "soft"], low: float, high: float) -> Rule: ...
    def derive(
        self, table: Parameter, first_row: int, constant: float = 1.0
    ) -> tuple[Parameter | None, Parameter | None]: ...

class Past:
    table: Parameter
    phase: Parameter
    pane_weight: Parameter
    seen: int
    def __init__(
        self,
        table: Parameter,
        first_row: int,
        *,
        half_life: float = 0.0,
        phase: Parameter | None = None,
        window: int = 0,
        length: int = 0,
        seen: int = 0,
        pane_weight: Parameter | None = None,
    ) -> None: ...
    def read(self) -> Parameter: ...
    def follow(
        self,
        X: NDArray[Any],
        weights: Parameter | None = None,
        rule: Rule | None = None,
        out: NDArray[Any] | None = None,
    ) -> None: ...
