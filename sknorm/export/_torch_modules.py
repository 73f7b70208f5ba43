"""What an estimator does, as modules of PyTorch; imported only where PyTorch is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sknorm import maps
from sknorm.export._exported import Exported, blocks_of

# TorchScript reads annotations of classes, and then takes no buffer that is None; so they are for type checkers alone.


def rows_of(parameter: Tensor, codes: Tensor | None) -> Tensor:
    """Return a parameter of every column, or the row of it that each code picks."""
    return parameter if codes is None else nn.functional.embedding(codes, parameter)


class Step(nn.Module):
    """A map, its parameters as buffers: of shape (n_features,), or (n_groups, n_features)."""

    def __init__(self, map_: Any, *names: str) -> None:
        super().__init__()
        for name in names:
            values = getattr(map_, name)
            if values is not None:
                values = torch.from_numpy(np.array(values[0] if len(values) == 1 else values))
            self.register_buffer(name, values)


class Affine(Step):
    """``y = (x − centre)/scale · gain + shift``, in this order; what is None is left out."""

    if TYPE_CHECKING:
        centre: Tensor | None
        scale: Tensor | None
        gain: Tensor | None
        shift: Tensor | None

    def __init__(self, map_: maps.Affine) -> None:
        super().__init__(map_, "centre", "scale", "gain", "shift")

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        if self.centre is not None:
            x = x - rows_of(self.centre, codes)
        if self.scale is not None:
            x = x / rows_of(self.scale, codes)
        if self.gain is not None:
            x = x * rows_of(self.gain, codes)
        if self.shift is not None:
            x = x + rows_of(self.shift, codes)
        return x


class Clip(Step):
    """``y = min(max(x, low), high)``; NaN stays."""

    if TYPE_CHECKING:
        low: Tensor
        high: Tensor

    def __init__(self, map_: maps.Clip | maps.Fence) -> None:
        super().__init__(map_, "low", "high")

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        return torch.clamp(x, rows_of(self.low, codes), rows_of(self.high, codes))


class Drop(Clip):
    """NaN in place of what lies outside [low, high], infinities on an open side too."""

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        outside = (x < rows_of(self.low, codes)) | (x > rows_of(self.high, codes)) | torch.isinf(x)
        return x.masked_fill(outside, float("nan"))


class Flags(Clip):
    """−1 for what lies below its bounds, 1 above, else 0; an infinity lies outside an open side too."""

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        infinite = torch.isinf(x)
        above = (x > rows_of(self.high, codes)) | (infinite & (x > 0))
        below = (x < rows_of(self.low, codes)) | (infinite & (x < 0))
        return above.to(x.dtype) - below.to(x.dtype)


class Squash(Step):
    """``y = B·x/√(x² + B²)``, written so that no square overflows, and no gradient is NaN."""

    if TYPE_CHECKING:
        bound: Tensor

    def __init__(self, map_: maps.Squash) -> None:
        super().__init__(map_, "bound")

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        bound = rows_of(self.bound, codes)
        missing = torch.isnan(x)
        v = x.masked_fill(missing, 0.0)
        inside = v.abs() <= bound
        ratio = torch.where(inside, v / bound, bound / torch.where(inside, bound, v))
        top = torch.where(inside, v, torch.copysign(bound, v))
        return torch.where(missing, x, top / torch.sqrt(1.0 + ratio * ratio))


class RowNorm(Step):
    """``y = (x − mean)/√(variance + eps) · gain + shift`` of blocks of adjacent columns; NaN stays, and is left out."""

    if TYPE_CHECKING:
        gain: Tensor | None
        shift: Tensor | None
        columns: Tensor
        places: Tensor

    def __init__(self, map_: maps.RowNorm) -> None:
        super().__init__(map_, "gain", "shift")
        self.eps = float(map_.eps)
        columns, places = blocks_of(map_.ends)
        self.n_blocks = len(columns)
        self.register_buffer("columns", torch.from_numpy(columns.ravel()), persistent=False)
        self.register_buffer("places", torch.from_numpy(places), persistent=False)

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        # Blocks become rows of one length, filled up with a column of NaN.
        padded = nn.functional.pad(x, [0, 1], value=float("nan"))
        blocks = padded.index_select(-1, self.columns).unflatten(-1, [self.n_blocks, -1])
        y = normalized(blocks, self.eps).flatten(-2).index_select(-1, self.places)
        y = torch.where(torch.isnan(x), x, y)
        if self.gain is not None:
            y = y * self.gain
        if self.shift is not None:
            y = y + self.shift
        return y


def normalized(x: Tensor, eps: float) -> Tensor:
    """Return every row with mean 0 and variance 1, without its missing values; a constant becomes 0."""
    missing = torch.isnan(x)
    x = x.masked_fill(missing, 0.0)
    count = (~missing).to(x.dtype).sum(-1, keepdim=True).clamp(min=1.0)
    largest = x.detach().abs().amax(-1, keepdim=True).clamp(min=1.0)
    mantissa, _ = torch.frexp(largest)
    unit = largest / mantissa  # a power of two, so that no square overflows and no digit is lost
    x = x / unit
    mean = x.sum(-1, keepdim=True) / count
    x = (x - mean).masked_fill(missing, 0.0)
    low = x.sum(-1, keepdim=True) / count  # what the mean was rounded by
    x = (x - low).masked_fill(missing, 0.0)
    square = (x * x).sum(-1, keepdim=True) / count + eps / unit / unit
    nothing = square == 0.0
    return x / torch.where(nothing, float("inf"), torch.sqrt(torch.where(nothing, 1.0, square)))


MODULES: dict[type[maps.Map], Callable[[Any], nn.Module]] = {
    maps.Affine: Affine,
    maps.Clip: Clip,
    maps.Fence: lambda fence: Drop(fence) if fence.drops else Clip(fence),
    maps.Squash: Squash,
    maps.RowNorm: RowNorm,
}


class Steps(nn.Module):
    """What an estimator does, computed in the dtype of the buffers, double unless it is changed."""

    if TYPE_CHECKING:
        number: Tensor

    def __init__(self, part: Exported) -> None:
        super().__init__()
        self.n_features = len(part.values)
        self.steps = nn.ModuleList(MODULES[type(step)](step) for step in part.steps)
        self.flags = None if part.flags is None else Flags(part.flags)
        # Of the dtype that is computed in, also where there is no other buffer.
        self.register_buffer("number", torch.zeros((), dtype=torch.float64), persistent=False)

    def scaled(self, x: Tensor, codes: Tensor | None) -> Tensor:
        """Return x, scaled by what the codes pick, in its own dtype; in that of the buffers where it has integers."""
        if not torch.jit.is_tracing():
            if x.shape[-1] != self.n_features:
                raise ValueError(f"x has {x.shape[-1]} columns, but {self.n_features} are scaled.")
            if codes is not None and codes.shape != x.shape[:-1]:
                raise ValueError(f"x has rows of shape {x.shape[:-1]}, but codes are of shape {codes.shape}.")
        y = before = x.to(self.number.dtype)
        for step in self.steps:
            y = step(y, codes)
        if self.flags is not None:
            y = torch.cat([y, self.flags(before, None)], -1)
        return y.to(x.dtype) if x.is_floating_point() else y


class Scaling(Steps):
    """What an estimator does to a tensor of shape (…, n_features)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x as ``transform`` does; NaN stays."""
        return self.scaled(x, None)


class GroupedScaling(Steps):
    """What a scaler by keys does to a tensor of shape (…, n_features) whose rows have codes of shape (…).

    The codes of keys are 0 to n_keys − 1; n_keys is that of a key that is not known, n_keys + 1 that of none.
    """

    if TYPE_CHECKING:
        blank: Tensor | None

    def __init__(self, part: Exported) -> None:
        super().__init__(part)
        assert part.lookup is not None, "there are keys"
        self.passes = part.lookup.passes
        blank = torch.from_numpy(part.lookup.blank.copy()) if part.lookup.blank.any() else None
        self.register_buffer("blank", blank)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return x as ``transform`` does of rows with these keys; NaN stays."""
        y = self.scaled(x, codes)
        if self.blank is not None:
            blank = nn.functional.embedding(codes, self.blank)
            y = torch.where(blank, x.to(y.dtype), y) if self.passes else y.masked_fill(blank, float("nan"))
        return y


class GroupedFirst(nn.Module):
    """A scaler by keys, and what follows it."""

    def __init__(self, first: GroupedScaling, rest: nn.Sequential) -> None:
        super().__init__()
        self.first = first
        self.rest = rest

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return x as the pipeline does of rows with these keys; NaN stays."""
        return self.rest(self.first(x, codes))
