"""What the norms of rows share: all but their blocks of columns."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from sknorm._document import Node
from sknorm._gain import CONSTRAINTS, numbers_of, row_of
from sknorm._mapped import Mapped
from sknorm._validation import check_table, is_plain, stand_in
from sknorm.maps import RowNorm
from sknorm.state import Persistent


class RowNormalizer(Mapped, Persistent, BaseEstimator):
    """A transformer that normalizes blocks of a row's columns by their own mean and variance.

    A subclass writes ``_blocks``.
    """

    eps: float
    gamma: Any
    beta: Any
    # Whether gamma and beta may have one number for each block.
    _gain_by_block: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "eps": [Interval(Real, 0, None, closed="left")],
        **CONSTRAINTS,
        "copy": ["boolean"],
    }

    n_features_in_: int
    _map: RowNorm | None

    def _blocks(self, n_features: int) -> int | NDArray[np.intp]:
        """Return the number of blocks, all of one width, or the width of each; raise where they do not fit."""
        return 1

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the width of X and the names of its columns; nothing is learned from its values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If the parameters do not fit the number of columns.
        """
        self._check_all_parameters()
        names = stand_in(self)
        n_features = self._table(X, names, reset=True).shape[1]
        names.__dict__["_map"] = self._map_for(n_features)
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(names.__dict__)
        return self

    def _fitted_map(self) -> RowNorm:
        map_: RowNorm | None = self.__dict__.get("_map")
        if map_ is None:
            self._check_all_parameters()
            map_ = self.__dict__["_map"] = self._map_for(self.n_features_in_)
        return map_

    def _transform(self, X: Any, copy: bool) -> Any:
        if "n_features_in_" in self.__dict__:
            if not is_plain(X, self):  # before there is a map, whose memory is that of a row
                X = self._table(X, self, reset=False)
            return self._apply(self._fitted_map(), X, copy)
        self._check_all_parameters()  # there is nothing to learn, so what is not fitted transforms too
        X = self._table(X, stand_in(self), reset=True)
        return self._apply(self._map_for(X.shape[1]), X, copy)

    def _map_for(self, n_features: int) -> RowNorm:
        """Return the map of a table of so many columns."""
        blocks, n_channels = self._blocks_and_channels(n_features)
        gamma, beta = (row_of(name, getattr(self, name), n_features, n_channels) for name in ("gamma", "beta"))
        widths = np.full(blocks, n_features // blocks, np.intp) if isinstance(blocks, int) else blocks
        return RowNorm(np.cumsum(widths, dtype=np.intp), float(self.eps), gamma, beta)

    def _check_width(self, n_features: int) -> None:
        """Raise where the parameters do not fit so many columns; takes no memory for them."""
        _, n_channels = self._blocks_and_channels(n_features)
        for name in ("gamma", "beta"):
            numbers_of(name, getattr(self, name), n_features, n_channels)

    def _blocks_and_channels(self, n_features: int) -> tuple[int | NDArray[np.intp], int | None]:
        """Return `_blocks`, and how many of them may have a gamma and a beta each; None for none."""
        blocks = self._blocks(n_features)
        return blocks, blocks if self._gain_by_block and isinstance(blocks, int) else None

    def _table(self, X: Any, names: Any, reset: bool) -> Any:
        return check_table(names, X, reset=reset, accept_sparse=False)

    def _check_all_parameters(self) -> None:
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__.pop("_map", None)  # a parameter changed after fit takes effect at once

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    # Documents; see `Persistent`.

    def _write_learned(self) -> dict[str, Any] | None:
        return {} if "n_features_in_" in self.__dict__ else None

    def _read_learned(self, learned: Node, n_features: int) -> None:
        learned.entries()
        self._check_width(n_features)
