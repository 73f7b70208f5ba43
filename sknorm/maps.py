"""Maps: what ``transform`` does. A small closed set, each member invertible where that makes sense."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error
from sknorm.kernels import _apply, _rownorm
from sknorm.kernels.threads import LARGE, effective_n_threads, map_chunks

Parameter: TypeAlias = NDArray[np.float64]

LARGEST = float(np.finfo(np.float64).max)

# How much more work than a plain pass over a table it is to pick each row's own parameters.
GROUPED_WORK = 4


class Stage(NamedTuple):
    """One stage of a kernel's program: its kind, and those of its parameters that are set."""

    kind: int
    parameters: dict[int, Parameter]


class Map(ABC):
    """A function of the rows of a table."""

    takes_infinities: bool  # whether an infinity may be mapped to something finite

    @property
    @abstractmethod
    def _program(self) -> _apply.Program | _rownorm.Program | None:
        """The kernel's program; None for the identity."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_program", "takes_infinities")}

    def __call__(
        self, X: NDArray[Any], out: NDArray[Any] | None = None, codes: NDArray[np.intp] | None = None
    ) -> NDArray[Any]:
        """Return the mapped table, float32 or float64 as X is.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64, any strides
            The table; NaN stays NaN.
        out : ndarray like X, or None
            Where to write; X itself to work in place, None for a new array in X's memory order
            (in C's with codes).
        codes : ndarray of shape (n_samples,), intp, or None
            The group of each row.

        Raises
        ------
        ValueError
            If X holds an infinity. Then X is as it was, in place too.
        """
        program, n_samples = self._program, X.shape[0]
        if program is None:
            program, codes = identity(X.shape[1]), None
        if out is None:  # rows of groups lie apart, so that whole rows are written faster
            out = np.empty_like(X, subok=False) if codes is None else np.empty(X.shape, X.dtype)
        elif out is X and not identity(X.shape[1])(X, X, 0, n_samples):
            if not self.takes_infinities:
                raise infinity_error(X.dtype)
            out[...] = self(X, None, codes)  # which may yet refuse one
            return out
        work = X.nbytes if codes is None else GROUPED_WORK * X.nbytes
        if work < LARGE:
            finite = program(X, out, 0, n_samples, codes)
        else:
            step = -(-n_samples // effective_n_threads())
            finite = all(
                map_chunks(
                    lambda start: program(X, out, start, min(start + step, n_samples), codes),
                    range(0, n_samples, step),
                    work,
                )
            )
        if not finite:
            raise infinity_error(X.dtype)
        return out


def identity(n_features: int) -> _apply.Program:
    """Return the program of no stages: a copy that looks for infinities."""
    return _apply.Program((), np.empty((0, _apply.N_PARAMETERS, 1, n_features)))


class Elementwise(Map):
    """A function of each value by itself, with parameters of shape (n_groups, n_features)."""

    @abstractmethod
    def stages(self) -> list[Stage]:
        """Return the kernel's program."""

    @abstractmethod
    def inverse(self) -> Elementwise:
        """Return the inverse map; the inverse of a hard clip is the identity."""

    def take(self, groups: NDArray[np.intp]) -> Self:
        """Return the map of these groups, in this order."""
        mine: Any = self
        parameters = {field.name: getattr(self, field.name) for field in fields(mine)}
        return replace(mine, **{name: of[groups] for name, of in parameters.items() if isinstance(of, np.ndarray)})

    @cached_property
    def _program(self) -> _apply.Program | None:
        stages = self.stages()
        if not stages:
            return None
        shape = next(iter(stages[0].parameters.values())).shape
        parameters = np.empty((len(stages), _apply.N_PARAMETERS, *shape))  # a kernel reads those of its kind alone
        for row, stage in zip(parameters, stages, strict=True):
            for index, value in stage.parameters.items():
                row[index] = value
        return _apply.Program([stage.kind for stage in stages], parameters)

    def on_sparse(self, X: Any, out: Any) -> Any:
        """Map the stored values of a CSR or CSC matrix into ``out``, which has the same structure.

        Right only for a map that keeps zero; see `keeps_zero`.
        """
        stored, target = X.data[:, np.newaxis], out.data[:, np.newaxis]
        if not self.takes_infinities and not identity(1)(stored, np.empty_like(stored), 0, X.nnz):
            raise infinity_error(X.dtype)
        if self._program is not None:
            columns = X.indices if X.format == "csr" else np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
            codes = np.ascontiguousarray(columns, dtype=np.intp)
            mapped = np.empty_like(target) if self.takes_infinities else target
            if not self._program.per_value()(stored, mapped, 0, X.nnz, codes):
                raise infinity_error(X.dtype)
            target[...] = mapped
        return out

    @cached_property
    def takes_infinities(self) -> bool:  # type: ignore[override]
        """Whether an infinity may be mapped to something finite."""
        stages = self.stages()
        return bool(stages) and bool(stages[0].kind & _apply.STAGE_FENCE)

    def drops_zero(self) -> bool:
        """Say whether 0 is missing after the map, since it lies outside a fence."""
        return False

    def keeps_zero(self, n_features: int) -> bool:
        """Say whether 0 is mapped to 0 (or NaN, where nothing was learned) in every column."""
        image = self(np.zeros((1, n_features)))
        return not np.any(np.abs(image) > 0) and not self.drops_zero()


@dataclass(frozen=True, eq=False)
class Affine(Elementwise):
    """``y = (x − centre)/scale · gain + shift``, in this order; what is None is left out.

    Divided, never multiplied by a reciprocal: ``(max − min)/(max − min)`` is 1.
    """

    centre: Parameter | None = None
    scale: Parameter | None = None
    gain: Parameter | None = None
    shift: Parameter | None = None

    def stages(self) -> list[Stage]:
        kind = 0
        parameters: dict[int, Parameter] = {}
        if self.centre is not None or self.scale is not None:
            kind |= _apply.STAGE_DIVIDE
            parameters |= filled((0, self.centre, 0.0), (1, self.scale, 1.0))
        if self.gain is not None or self.shift is not None:
            kind |= _apply.STAGE_MULTIPLY
            parameters |= filled((2, self.gain, 1.0), (3, self.shift, 0.0))
        return [Stage(kind, parameters)] if kind else []

    def inverse(self) -> Affine:
        return Affine(self.shift, self.gain, self.scale, self.centre)


def filled(*parameters: tuple[int, Parameter | None, float]) -> dict[int, Parameter]:
    """Return the parameters by index, a missing one filled with its neutral value."""
    shape = next(value.shape for _, value, _ in parameters if value is not None)
    return {i: np.full(shape, neutral) if value is None else value for i, value, neutral in parameters}


@dataclass(frozen=True, eq=False)
class Clip(Elementwise):
    """``y = min(max(x, low), high)``; NaN stays, and an infinity is an error."""

    low: Parameter
    high: Parameter

    def stages(self) -> list[Stage]:
        return [Stage(_apply.STAGE_CLIP, {4: self.low, 5: self.high})]

    def inverse(self) -> Chain:
        return Chain()


@dataclass(frozen=True, eq=False)
class Fence(Elementwise):
    """``y = min(max(x, low), high)``, or NaN in place of what lies outside with ``drops``; NaN stays.

    With ``takes`` an infinity is something outside like any other, and an error only where that side is open
    (±infinity is its bound) and nothing is dropped. Without, it is an error.
    """

    low: Parameter
    high: Parameter
    drops: bool = False
    takes: bool = True

    def stages(self) -> list[Stage]:
        low, high = self.low, self.high
        if self.drops:  # infinities on an open side too
            low, high = np.maximum(low, -LARGEST), np.minimum(high, LARGEST)
        none = np.full(low.shape, np.nan)
        ends = (none, none) if self.drops else (low, high)
        fence = Stage(_apply.STAGE_FENCE, dict(zip((6, 7, 8, 9), (low, high, *ends), strict=True)))
        return [fence] if self.takes else [Stage(0, {0: low}), fence]  # a stage that looks for infinities

    def drops_zero(self) -> bool:
        return self.drops and bool(((self.low > 0) | (self.high < 0)).any())

    def inverse(self) -> Chain:
        return Chain()


@dataclass(frozen=True, eq=False)
class Squash(Elementwise):
    """``y = B·x/√(x² + B²)``, a soft clip into (−B, B), written so that x = 1e200 gives B."""

    bound: Parameter

    def stages(self) -> list[Stage]:
        return [Stage(_apply.STAGE_SQUASH, {4: self.bound})]

    def inverse(self) -> Unsquash:
        return Unsquash(self.bound)


@dataclass(frozen=True, eq=False)
class Unsquash(Elementwise):
    """``y = B·x/√(B² − x²)``, the inverse of `Squash` inside (−B, B); ±infinity from ±B on."""

    bound: Parameter

    def stages(self) -> list[Stage]:
        return [Stage(_apply.STAGE_UNSQUASH, {4: self.bound})]

    def inverse(self) -> Squash:
        return Squash(self.bound)


class Chain(Elementwise):
    """Maps one after another, in one pass over memory."""

    def __init__(self, *maps: Elementwise) -> None:
        self.maps = maps

    def stages(self) -> list[Stage]:
        fused: list[Stage] = []
        for stage in (stage for map_ in self.maps for stage in map_.stages()):
            # The kernel fences, divides, multiplies and clips in this order within one stage.
            if fused and stage.kind < _apply.STAGE_SQUASH and 0 < fused[-1].kind < stage.kind & -stage.kind:
                last = fused.pop()
                stage = Stage(last.kind | stage.kind, last.parameters | stage.parameters)
            fused.append(stage)
        return fused

    def inverse(self) -> Chain:
        return Chain(*(map_.inverse() for map_ in reversed(self.maps)))

    def take(self, groups: NDArray[np.intp]) -> Chain:
        return Chain(*(map_.take(groups) for map_ in self.maps))

    def drops_zero(self) -> bool:
        return any(map_.drops_zero() for map_ in self.maps)


@dataclass(frozen=True, eq=False)
class RowNorm(Map):
    """``y = (x − mean)/√(variance + eps) · gain + shift``, mean and variance being those of a row's own block.

    Blocks are of adjacent columns; the variance has no correction. Missing values stay, and the others of their block
    are normalized without them. A constant block becomes 0 before gain and shift, also where eps is 0.

    Parameters
    ----------
    ends : ndarray of shape (n_blocks,), intp
        The column after the last one of every block: increasing, the last is the number of columns.
    eps : float
        What is added to the variance, 0 or more.
    gain, shift : ndarray of shape (1, n_features) or None
        What is left out where it is None.
    """

    ends: NDArray[np.intp]
    eps: float
    gain: Parameter | None = None
    shift: Parameter | None = None

    takes_infinities = False

    @cached_property
    def _program(self) -> _rownorm.Program:
        return _rownorm.Program(self.ends, self.eps, self.gain, self.shift)


@dataclass(frozen=True, eq=False)
class Lookup:
    """A map for every key: the rows of its parameters are picked by the key of a row.

    Parameters
    ----------
    keys : list of length n_keys
        The keys, tuples where they are composite, None for a missing one.
    map_ : Elementwise
        Its parameters have n_keys + 2 rows: one for each key, in their order; for a key that is none of these; and for
        a row whose key is missing, or is in part, where that is none of these.
    blank : ndarray of shape (n_keys + 2, n_features), bool
        The cells that have no map: what is in them stays, or is missing afterwards.
    passes : bool
        Whether what has no map stays.
    """

    keys: list[Any]
    map_: Elementwise
    blank: NDArray[np.bool_]
    passes: bool
