"""Normalization of each row by itself: statistics of a row's own values, nothing learned."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from sknorm._document import SHORT
from sknorm._row_normalizer import RowNormalizer


class LayerNorm(RowNormalizer):
    """Centre and scale every row by the mean and variance of its own values.

    ``y = (x − μ)/√(σ² + ε) · γ + β``, μ and σ² = Σ(x − μ)²/d being those of the row's d values. Nothing is learned but
    the width. Missing values are left out of mean and variance and stay missing. A constant row becomes β.

    Columns are weighed against each other, so they must have one unit, as embeddings, pixels, spectra or counts have:
    in a row of an age and an income the income alone decides. Scale such columns first, or use `StandardScaler`.

    Parameters
    ----------
    eps : float, default=1e-5
        ε, in squared units of the data: what is added to the variance.
    gamma : float or array-like of shape (n_features,), default=None
        γ, what the result is multiplied by; None for 1.
    beta : float or array-like of shape (n_features,), default=None
        β, what is added then; None for 0.
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.

    Attributes
    ----------
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    GroupNorm : The same within blocks of columns.
    sklearn.preprocessing.Normalizer : Scales every row to length 1, without centring.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> from sknorm import LayerNorm
    >>> LayerNorm(eps=0).fit_transform([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]).round(4)
    array([[-1.2247,  0.    ,  1.2247],
           [ 0.    ,  0.    ,  0.    ]])
    """

    def __init__(
        self,
        eps: float = 1e-5,
        *,
        gamma: float | ArrayLike | None = None,
        beta: float | ArrayLike | None = None,
        copy: bool = True,
    ) -> None:
        self.eps = eps
        self.gamma = gamma
        self.beta = beta
        self.copy = copy


class GroupNorm(RowNormalizer):
    """Centre and scale blocks of columns of every row by the mean and variance of their own values.

    ``y = (x − μ)/√(σ² + ε) · γ + β``, μ and σ² = Σ(x − μ)²/w being those of the w values that a row has in the block.
    Nothing is learned but the width. Missing values are left out of mean and variance and stay missing. A block that is
    constant in a row becomes β there.

    The columns of a block are weighed against each other, so they must have one unit; those of different blocks need
    not. A block of one column is always constant.

    Parameters
    ----------
    n_groups : int or sequence of int, default=1
        The number of blocks, all of as many adjacent columns; or the number of columns of each block, from left to
        right.
    eps : float, default=1e-5
        ε, in squared units of the data: what is added to the variance.
    gamma : float or array-like of shape (n_features,), default=None
        γ, what the result is multiplied by; None for 1.
    beta : float or array-like of shape (n_features,), default=None
        β, what is added then; None for 0.
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.

    Attributes
    ----------
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    LayerNorm : The whole row as one block.
    InstanceNorm : A block for each channel of a signal or a picture.

    References
    ----------
    Y. Wu and K. He, "Group normalization", ECCV 2018.

    Examples
    --------
    >>> from sknorm import GroupNorm
    >>> GroupNorm(2, eps=0).fit_transform([[1.0, 3.0, 100.0, 300.0]])
    array([[-1.,  1., -1.,  1.]])
    >>> GroupNorm([1, 3], eps=0).fit_transform([[1.0, 3.0, 3.0, 3.0]])
    array([[0., 0., 0., 0.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_groups": [Interval(Integral, 1, None, closed="left"), "array-like"],
        **RowNormalizer._parameter_constraints,
    }

    def __init__(
        self,
        n_groups: int | Sequence[int] = 1,
        eps: float = 1e-5,
        *,
        gamma: float | ArrayLike | None = None,
        beta: float | ArrayLike | None = None,
        copy: bool = True,
    ) -> None:
        self.n_groups = n_groups
        self.eps = eps
        self.gamma = gamma
        self.beta = beta
        self.copy = copy

    def _blocks(self, n_features: int) -> int | NDArray[np.intp]:
        if isinstance(self.n_groups, Integral):
            return checked_number("n_groups", int(self.n_groups), n_features)
        widths = np.asarray(self.n_groups)
        # Added up as Python's integers: sums of 64 bits wrap around to whatever number of columns one likes.
        if (
            widths.ndim != 1
            or widths.dtype.kind not in "iu"
            or not (widths > 0).all()
            or sum(widths.tolist()) != n_features
        ):
            raise ValueError(
                f"n_groups must be a number of blocks, or whole numbers of columns that add up to {n_features}, "
                f"the number of columns of X, not {SHORT.repr(self.n_groups)}."
            )
        return widths.astype(np.intp)


class InstanceNorm(RowNormalizer):
    """Centre and scale every channel of every row by the mean and variance of its own values.

    ``y = (x − μ)/√(σ² + ε) · γ + β``, μ and σ² = Σ(x − μ)²/w being those of the w values that a row has in the channel.
    A row holds the channels one after the other, each of as many values: a signal of 3 channels and 100 points is a row
    of 300 columns. Nothing is learned but the width. Missing values are left out of mean and variance and stay missing.
    A channel that is constant in a row becomes β there.

    A channel of one value is always constant: with ``n_channels=n_features`` nothing is left of the data. For columns
    of different units use `StandardScaler`.

    Parameters
    ----------
    n_channels : int, default=1
        The number of channels, which must divide the number of columns.
    eps : float, default=1e-5
        ε, in squared units of the data: what is added to the variance.
    gamma : float or array-like of shape (n_channels,) or (n_features,), default=None
        γ, what the result is multiplied by; None for 1.
    beta : float or array-like of shape (n_channels,) or (n_features,), default=None
        β, what is added then; None for 0.
    copy : bool, default=True
        Whether `transform` leaves its input alone; False works in place where it can.

    Attributes
    ----------
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names that are all strings.

    See Also
    --------
    GroupNorm : Blocks of any width.

    References
    ----------
    D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization: the missing ingredient for fast stylization",
    arXiv:1607.08022, 2016.

    Examples
    --------
    >>> from sknorm import InstanceNorm
    >>> InstanceNorm(2, eps=0, gamma=[1.0, 10.0]).fit_transform([[1.0, 3.0, 100.0, 300.0]])
    array([[ -1.,   1., -10.,  10.]])
    """

    _gain_by_block = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        **RowNormalizer._parameter_constraints,
    }

    def __init__(
        self,
        n_channels: int = 1,
        eps: float = 1e-5,
        *,
        gamma: float | ArrayLike | None = None,
        beta: float | ArrayLike | None = None,
        copy: bool = True,
    ) -> None:
        self.n_channels = n_channels
        self.eps = eps
        self.gamma = gamma
        self.beta = beta
        self.copy = copy

    def _blocks(self, n_features: int) -> int:
        return checked_number("n_channels", int(self.n_channels), n_features)


def checked_number(name: str, n_blocks: int, n_features: int) -> int:
    """Return a number of blocks; raise where so many of one width do not come out even."""
    if n_features % n_blocks:
        raise ValueError(f"{name} must divide the number of columns of X, {n_features}, but is {n_blocks}.")
    return n_blocks
