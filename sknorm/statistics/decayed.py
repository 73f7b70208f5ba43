"""Moments in which an older value weighs less than a newer one."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.kernels import _groups, _stream
from sknorm.statistics._base import Statistic
from sknorm.statistics._table import Followed
from sknorm.statistics.moments import Moments


class Decayed(Followed):
    """Count, mean and centred sum of squares in which a value weighs half as much after ``half_life`` more.

    A value of weight w that was followed by a values of its column weighs ``w · 2^(−a/half_life)``. What is missing or
    weighs 0 ages nothing. Inside, the weight of new values grows instead, so that old ones are not touched: rounding
    cannot pile up, and any split of a stream into batches gives the same bits.

    Attributes
    ----------
    half_life : float
        Values after which a value's weight has halved.
    moments : Moments
        The moments under the growing weights.
    phase : ndarray of shape (1, n_features)
        The weight of the newest value is ``2^(phase/half_life)``, from 1 to 2; −1 before the first.

    References
    ----------
    G. Cormode, V. Shkapenyuk, D. Srivastava and B. Xu, "Forward decay: a practical time decay model for streaming
    systems", ICDE 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Decayed
    >>> decayed = Decayed.zero(1, 1, half_life=1.0).after(np.array([[7.0], [7.0], [np.nan], [1.0]]))
    >>> decayed.now().count, decayed.now().mean  # weights 1/4, 1/2 and 1
    (array([[1.75]]), array([[3.57142857]]))
    """

    __slots__ = ("half_life", "moments", "phase")

    half_life: float
    moments: Moments
    phase: NDArray[np.float64]

    def __init__(self, moments: Moments, phase: NDArray[np.float64], half_life: float) -> None:
        phase.setflags(write=False)
        object.__setattr__(self, "moments", moments)
        object.__setattr__(self, "phase", phase)
        object.__setattr__(self, "half_life", half_life)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.moments, self.phase, self.half_life)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, half_life: float = np.inf) -> Self:
        """Return the statistic of no rows."""
        if not half_life > 0:
            raise ValueError(f"half_life must be positive, not {half_life!r}.")
        return cls(Moments.zero(n_groups, n_features), np.full((n_groups, n_features), -1.0), half_life)

    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        if codes is None:
            return self.follow(X, sample_weight)[1]
        return self.follow_groups(X, sample_weight, codes)[1]

    @property
    def n_groups(self) -> int:
        return self.phase.shape[0]

    def now(self) -> Moments:
        if self.n_groups == 1:
            return Moments(self._past().read())
        return Moments(self._grouped_past(np.zeros(self.n_groups)).read())

    def merge(self, other: Self) -> Self:
        """Return the statistic of the rows of both, each aged as of its own last value."""
        if self.half_life != other.half_life:
            raise ValueError(f"Cannot merge a half-life of {self.half_life} with one of {other.half_life}.")
        merged = self.now().merge(other.now())
        return type(self)(merged, np.where(merged.count > 0, 0.0, -1.0), self.half_life)

    def fields(self) -> dict[str, Any]:
        fields = {"half_life": self.half_life, "phase": self.phase, "moments": self.moments.fields()}
        return {"kind": type(self).__name__} | fields

    def restored(self, fields: Node, n_features: int) -> Self:
        half_life, ages, nodes = fields.of_kind(type(self).__name__, "half_life", "phase", "moments")
        half_life.same_number(self.half_life)
        moments = self.moments.restored(nodes, n_features)
        phase, seen = ages.floats(*moments.count.shape), moments.count > 0
        ages.refuse(seen & ~((phase >= 0) & (phase < self.half_life)), "must be 0 or more, and less than half_life")
        ages.refuse(~seen & (phase != -1), "must be -1 where the count is 0")
        return type(self)(moments, phase, self.half_life)

    def _past(self) -> _stream.Past:
        table, phase = self.moments.table.copy(), self.phase.copy()
        return _stream.Past(table, Moments.ROWS.start, half_life=self.half_life, phase=phase)

    def _gone_on(self, past: _stream.Past) -> Self:
        return type(self)(Moments(past.table), past.phase, self.half_life)

    def _grouped_past(self, weight: NDArray[np.float64]) -> _groups.Groups:
        table, phase = self.moments.table.copy(), self.phase.copy()
        return _groups.Groups(table, Moments.ROWS.start, weight, half_life=self.half_life, phase=phase)

    def _grouped_gone_on(self, groups: _groups.Groups) -> Self:
        return type(self)(Moments(groups.table), groups.phase, self.half_life)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return self.moments.arrays() | {"phase": self.phase}

    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Self:
        return type(self)(self.moments.with_arrays(arrays), arrays["phase"], self.half_life)

    def nothing(self) -> Self:
        return type(self).zero(1, self.phase.shape[1], half_life=self.half_life)

    def standing_for(self, statistic: Any) -> Self:
        return type(self)(statistic, np.where(statistic.count > 0, 0.0, -1.0), self.half_life)


def decay_over(kind: type[Statistic], n_groups: int, n_features: int, half_life: float) -> Decayed:
    """Return the decay of a kind of statistic, before the first row; extremes and quantiles have none."""
    if kind is not Moments:
        raise TypeError(f"A half-life forgets moments; {kind.__name__} can be kept over a window.")
    return Decayed.zero(n_groups, n_features, half_life=half_life)
