"""Running mean and variance of batches, as the layers of deep-learning frameworks keep them."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.statistics._base import Statistic
from sknorm.statistics.moments import Moments
from sknorm.statistics.store import ArrayStore

NAMES = ("mean", "variance", "count", "n_batches")


class Update(NamedTuple):
    """How a batch changes what is known: the share that it has from then on, and the ddof of its variance.

    None for the share makes all batches count alike.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Running, Update
    >>> Running.zero(1, 1, Update(share=0.5, ddof=0)).after(np.array([[10.0], [30.0]])).mean
    array([[10.]])
    """

    share: float | None = None
    ddof: int = 1


AVERAGE = Update()


class Running(Statistic):
    """Mean and variance of every column, each batch changing them by its share.

    ``mean ← (1 − share)·mean + share·mean_batch``, and the variance likewise, from mean 0 and variance 1 on; or,
    without a share, the averages of what the batches had. A column that has no more values in a batch than `ddof`, so
    no variance, is not changed by it.

    Attributes
    ----------
    table : ndarray of shape (4, n_groups, n_features)
        The mean, the variance, the number of values (the sum of their weights), and of batches that had some.
    update : Update
        How the next batch will change them.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Running, Update
    >>> running = Running.zero(1, 1, Update(share=0.1)).after(np.array([[10.0], [30.0]]))
    >>> running.mean, running.variance
    (array([[2.]]), array([[20.9]]))
    """

    __slots__ = ("table", "update")

    table: NDArray[np.float64]
    update: Update

    def __init__(self, table: NDArray[np.float64], update: Update) -> None:
        table.setflags(write=False)
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "update", update)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.table, self.update)

    @classmethod
    def zero(cls, n_groups: int, n_features: int, update: Update = AVERAGE) -> Self:
        """Return the statistic of no rows."""
        table = np.zeros((len(NAMES), n_groups, n_features))
        table[1] = 1.0
        return cls(table, update)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The running mean."""
        return self.table[0]

    @property
    def variance(self) -> NDArray[np.float64]:
        """The running variance."""
        return self.table[1]

    @property
    def count(self) -> NDArray[np.float64]:
        """The number of values, or the sum of their weights."""
        return self.table[2]

    @property
    def n_batches(self) -> NDArray[np.float64]:
        """The number of batches that had values."""
        return self.table[3]

    @property
    def n_groups(self) -> int:
        return self.table.shape[1]

    def changed(self, update: Update) -> Self:
        """Return the same, which the next batch changes otherwise."""
        return type(self)(self.table, update)

    def after(
        self, X: Any, sample_weight: NDArray[np.float64] | None = None, codes: NDArray[np.intp] | None = None
    ) -> Self:
        batch = Moments.of(X, sample_weight, codes, self.n_groups)
        some = batch.count > self.update.ddof
        share = 1 / (self.n_batches + 1) if self.update.share is None else self.update.share
        freedom = np.where(some, batch.count - self.update.ddof, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):  # whoever learns looks for what overflowed
            variance = batch.m2 / freedom
            mean, variance = (1 - share) * self.table[:2] + share * np.array([batch.mean, variance])
            after = np.array([mean, variance, self.count + batch.count, self.n_batches + 1])
        return type(self)(np.where(some, after, self.table), self.update)

    def merge(self, other: Self) -> Self:
        """Return the averages over the batches of both.

        Raises
        ------
        ValueError
            If batches have a share, so that their order matters.
        """
        if self.update.share is not None:
            raise ValueError(
                f"Running statistics in which a batch has the share {self.update.share} depend on the order of the "
                "batches, so they do not merge; those with momentum=None do."
            )
        n_batches = self.n_batches + other.n_batches
        share = other.n_batches / np.where(n_batches > 0, n_batches, 1.0)
        means = (1 - share) * self.table[:2] + share * other.table[:2]
        with np.errstate(over="ignore"):
            counts = self.table[2:] + other.table[2:]
        return type(self)(np.concatenate([means, counts]), self.update)

    def take(self, groups: NDArray[np.intp]) -> Self:
        return type(self)(self.table[:, groups], self.update)

    def store(self) -> ArrayStore:
        return ArrayStore(self)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that differs between groups as arrays whose first axis is the group."""
        return {"table": self.table.transpose(1, 0, 2)}

    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the statistic that these arrays make, which may have more or fewer groups."""
        return type(self)(np.ascontiguousarray(arrays["table"].transpose(1, 0, 2)), self.update)

    def nothing(self) -> Self:
        """Return the statistic of one group without rows."""
        return type(self).zero(1, self.table.shape[2], self.update)

    def fields(self) -> dict[str, Any]:
        return {"kind": type(self).__name__, **dict(zip(NAMES, self.table, strict=True))}

    def restored(self, fields: Node, n_features: int) -> Self:
        nodes = fields.of_kind(type(self).__name__, *NAMES)
        table = np.array([node.floats(self.n_groups, n_features) for node in nodes])
        _, variance, count, n_batches = table
        for node, values in zip(nodes[1:], (variance, count, n_batches), strict=True):
            node.refuse(values < 0, "must not be negative")
        nodes[3].refuse(n_batches != np.trunc(n_batches), "must be a whole number")
        return type(self)(table, self.update)
