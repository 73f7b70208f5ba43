"""Statistics with bounds: what bounds are made of, and what is learned of values that were first fenced in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.statistics._base import Statistic
from sknorm.statistics._growing import Growing
from sknorm.statistics.fence import Bounds, FenceRule, learned_without_infinities
from sknorm.statistics.quantiles import Quantiles

Values = NDArray[np.float64]

DEFAULT = FenceRule("iqr", 1.5)


class Composed(Statistic):
    """A statistic that consists of others, its ``PARTS``, and of ``COUNTS`` of shape (n_groups, n_features).

    Whatever one part can do with groups, documents and merges, the whole can.
    """

    __slots__ = ()
    PARTS: tuple[str, ...] = ()
    COUNTS: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def changed(self, **fields: Any) -> Self:
        """Return a statistic with other parts or counts."""
        other = object.__new__(type(self))
        names = {name: None for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())}
        other._set(**{name: getattr(self, name) for name in names} | fields)
        return other

    def parts(self) -> dict[str, Any]:
        """Return the parts by their names."""
        return {name: getattr(self, name) for name in self.PARTS}

    def counts(self) -> dict[str, Values]:
        """Return the counts by their names."""
        return {name: getattr(self, name) for name in self.COUNTS}

    def merge(self, other: Self) -> Self:
        merged: dict[str, Any] = {name: part.merge(getattr(other, name)) for name, part in self.parts().items()}
        return self.changed(**merged, **{name: count + getattr(other, name) for name, count in self.counts().items()})

    def now(self) -> Self:
        return self.changed(**{name: part.now() for name, part in self.parts().items()})

    def take(self, groups: NDArray[np.intp]) -> Self:
        taken: dict[str, Any] = {name: part.take(groups) for name, part in self.parts().items()}
        return self.changed(**taken, **{name: count[groups] for name, count in self.counts().items()})

    def store(self) -> ComposedStore:
        return ComposedStore(self)

    @property
    def _last(self) -> Any:
        return getattr(self, self.PARTS[-1])

    @property
    def n_groups(self) -> int:
        return self._last.n_groups

    @property
    def n_rows(self) -> float | None:
        return self._last.n_rows

    @property
    def half_life(self) -> float | None:  # type: ignore[override]
        return self._last.half_life

    @property
    def window(self) -> int | None:  # type: ignore[override]
        return self._last.window

    def fields(self) -> dict[str, Any]:
        parts = {name: part.fields() for name, part in self.parts().items()}
        return {"kind": type(self).__name__} | self.counts() | parts

    def restored(self, fields: Node, n_features: int) -> Self:
        nodes = dict(
            zip(
                (*self.COUNTS, *self.PARTS), fields.of_kind(type(self).__name__, *self.COUNTS, *self.PARTS), strict=True
            )
        )
        read: dict[str, Any] = {name: part.restored(nodes[name], n_features) for name, part in self.parts().items()}
        for name in self.COUNTS:
            read[name] = nodes[name].floats(self.n_groups, n_features)
            nodes[name].refuse(read[name] < 0, "must not be negative")
        return self.changed(**read)


class Fenced(Composed):
    """What bounds are made of, and how many values were outside those of their time.

    Attributes
    ----------
    spread : Statistic
        What the bounds are made of, without infinities.
    rule : FenceRule
        How.
    below, above : ndarray of shape (n_groups, n_features), float64
        The weight of the values that were outside when they were learned.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Fenced, FenceRule
    >>> learned = Fenced.zero(1, 1, rule=FenceRule("iqr", fold=1.5)).after(np.array([[1.0], [2.0], [3.0], [90.0]]))
    >>> learned.bounds().high, learned.above
    (array([[59.25]]), array([[1.]]))
    """

    __slots__ = ("above", "below", "rule", "spread")
    PARTS = ("spread",)
    COUNTS = ("below", "above")

    spread: Any
    rule: FenceRule
    below: Values
    above: Values

    def __init__(self, spread: Any, rule: FenceRule, below: Values, above: Values) -> None:
        self._set(spread=spread, rule=rule, below=below, above=above)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spread, self.rule, self.below, self.above)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, *, rule: FenceRule = DEFAULT) -> Self:
        """Return the statistic of no rows, where nothing is forgotten."""
        return cls.of_spread(rule.kind.zero(n_groups, n_features), rule, n_features)

    @classmethod
    def of_spread(cls, spread: Any, rule: FenceRule, n_features: int) -> Self:
        """Return what bounds are made of, before anything was counted."""
        shape = (spread.n_groups, n_features)
        return cls(spread, rule, np.zeros(shape), np.zeros(shape))

    @property
    def count(self) -> Values:
        """The number of values, or the sum of their weights."""
        return self.spread.count

    def bounds(self) -> Bounds:
        return self.rule.bounds(self.spread.now())

    def merge(self, other: Self) -> Self:
        if self.rule != other.rule:
            raise ValueError(f"Cannot merge what bounds are made of by {self.rule} with {other.rule}.")
        with np.errstate(over="ignore"):
            return super().merge(other)

    def learning(self, learn: Callable[[Any], Any], X: Any) -> Self:
        """Return what bounds are made of once ``learn(X)`` is; nothing is counted."""
        return self.changed(spread=learned_without_infinities(learn, X) if self.rule.takes else learn(X))

    def counting(self, below: Values, above: Values) -> Self:
        """Return the same with so much more outside."""
        with np.errstate(over="ignore"):  # which is refused where the weights are
            return self.changed(below=self.below + below, above=self.above + above)

    def spread_after(self, X: Any, sample_weight: Values | None = None, codes: NDArray[np.intp] | None = None) -> Self:
        """Return the statistic of these rows, then those of a batch; nothing is counted."""
        return self.learning(lambda rows: self.spread.after(rows, sample_weight, codes), X)

    def after(self, X: Any, sample_weight: Values | None = None, codes: NDArray[np.intp] | None = None) -> Self:
        after = self.spread_after(X, sample_weight, codes)
        return after.counting(*after.bounds().outside(X, sample_weight, codes))


class Clipped(Composed):
    """The statistic of values that were first fenced in, by bounds learned from their own batch and those before it.

    Attributes
    ----------
    fenced : Fenced
        What the bounds are made of.
    kept : Statistic
        What was learned of the values within them.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Clipped, Fenced, FenceRule, Moments
    >>> nothing = Clipped(Fenced.zero(1, 1, rule=FenceRule("limits", limits=((None, 0.0, 9.0),))), Moments.zero(1, 1))
    >>> nothing.after(np.array([[1.0], [5.0], [1e9]])).own.mean
    array([[5.]])
    """

    __slots__ = ("fenced", "kept")
    PARTS = ("fenced", "kept")

    fenced: Fenced
    kept: Any

    def __init__(self, fenced: Fenced, kept: Any) -> None:
        self._set(fenced=fenced, kept=kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.fenced, self.kept)

    @classmethod
    def zero(cls, n_groups: int, n_features: int) -> Self:
        """Return the statistic of no rows."""
        return cls(Fenced.zero(n_groups, n_features), Quantiles.zero(n_groups, n_features))

    @property
    def own(self) -> Any:
        return self.kept

    def bounds(self) -> Bounds:
        return self.fenced.bounds()

    def after(self, X: Any, sample_weight: Values | None = None, codes: NDArray[np.intp] | None = None) -> Self:
        fenced = self.fenced.spread_after(X, sample_weight, codes)
        kept, below, above = self.kept.after_fenced(X, fenced.bounds(), sample_weight, codes)
        return self.changed(fenced=fenced.counting(below, above), kept=kept)


class ComposedStore:
    """A store of composed statistics: a store for each part, and arrays of the counts.

    Parameters
    ----------
    statistic : Composed
        What is known of the first groups.
    """

    def __init__(self, statistic: Composed) -> None:
        self._none = statistic.take(np.zeros(0, np.intp))
        self._stores = {name: part.store() for name, part in statistic.parts().items()}
        self._counts = Growing(**statistic.counts()) if statistic.COUNTS else None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.take(np.arange(self.n_groups)),)

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return self._stores[self._none.PARTS[-1]].n_groups

    def take(self, groups: NDArray[np.intp]) -> Any:
        """Return the statistic of these groups, in this order, which later changes leave alone."""
        taken = {name: store.take(groups) for name, store in self._stores.items()}
        counts = {} if self._counts is None else {name: self._counts[name][groups] for name in self._none.COUNTS}
        return self._none.changed(**taken, **counts)

    def put(self, groups: NDArray[np.intp], statistic: Any) -> None:
        """Let a statistic be what is known of these groups, in this order; no group comes twice."""
        self.prepared(groups, statistic)()

    def prepared(self, groups: NDArray[np.intp], statistic: Any) -> Callable[[], None]:
        """Do all of `put` that may raise, and return the rest; nothing may come between."""
        puts = [store.prepared(groups, getattr(statistic, name)) for name, store in self._stores.items()]

        def commit() -> None:
            for put in puts:
                put()
            for name in self._none.COUNTS:
                assert self._counts is not None
                self._counts[name][groups] = getattr(statistic, name)

        return commit

    def resize(self, n_groups: int) -> None:
        """Add groups without rows, or forget the last ones."""
        for store in self._stores.values():
            store.resize(n_groups)
        if self._counts is not None:
            self._counts.resize(n_groups, **dict.fromkeys(self._none.COUNTS, 0.0))
