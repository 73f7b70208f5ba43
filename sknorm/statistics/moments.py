"""Count, mean and centred sum of squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknorm._document import Node
from sknorm.kernels import _moments
from sknorm.statistics._table import Table


class Moments(Table):
    """Count, mean and centred sum of squares of every column.

    ``m2 = Σ w (x − mean)²``, merged by the formula of Chan, Golub and LeVeque:
    ``m2 = m2_a + m2_b + δ² · n_a · n_b / n`` with ``δ = mean_b − mean_a``. The mean is the unevaluated sum
    ``mean + mean_low``, so that a stream far from zero loses no digits; ``mean`` alone is that sum, rounded.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37(3), 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from sknorm.statistics import Moments
    >>> first, second = Moments.of(np.array([[1.0], [2.0]])), Moments.of(np.array([[6.0], [np.nan]]))
    >>> both = first.merge(second)
    >>> both.count, both.mean, both.m2
    (array([[3.]]), array([[3.]]), array([[14.]]))
    """

    __slots__ = ()
    ROWS = slice(0, 4)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean, 0 where there is no value."""
        return self.table[0]

    @property
    def mean_low(self) -> NDArray[np.float64]:
        """What the mean lacks to its value in higher precision."""
        return self.table[1]

    @property
    def m2(self) -> NDArray[np.float64]:
        """The sum of squared deviations from the mean."""
        return self.table[2]

    def variance(self, ddof: float = 0) -> NDArray[np.float64]:
        """Return ``m2 / (count − ddof)``, 0 where ddof leaves no degree of freedom and NaN without a value."""
        return _moments.variance(self.table, ddof)

    def _check(self, fields: Node) -> None:
        super()._check(fields)
        fields["m2"].refuse(~(self.m2 >= 0), "must be 0 or more")
        low = fields["mean_low"]
        low.refuse(self.mean + self.mean_low != self.mean, "must be what the mean lacks, less than its last digit")
        for name in ("mean", "m2"):
            fields[name].refuse((getattr(self, name) != 0) & (self.count == 0), "must be 0 where the count is 0")
