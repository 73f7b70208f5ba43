"""Transformers whose ``transform`` is a map."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sknorm._learned import Learned
from sknorm._learning import Learner, refuse_sparse
from sknorm._validation import as_float32, check_scaled, is_plain, within_float16
from sknorm.maps import Elementwise, Map


class Mapped(OneToOneFeatureMixin, TransformerMixin):
    """A transformer of floating-point tables, one column in and one out, that is a map once it is fitted.

    Its ``_table(X, names, reset)`` returns X as an array or a sparse matrix, checked against the names.
    """

    # What a transformer without such a parameter has.
    copy: bool = True
    # The sparse formats taken.
    _accept_sparse: ClassVar[tuple[str, ...] | bool] = False

    @abstractmethod
    def _fitted_map(self) -> Map:
        """Return the map; raise where there is none yet."""

    def transform(self, X: Any) -> Any:
        """Scale X; nothing is learned from it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, sparse where the estimator takes that. Missing values (NaN) stay.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled data, float32 if X is, else float64; X itself if ``copy=False`` and X is a writeable array of
            these dtypes. A frame after ``set_output``.

        Raises
        ------
        ValueError
            If X holds an infinity that is not clipped first, or has another width than in ``fit``.
        """
        return self._transform(X, self.copy)

    def _transform(self: Any, X: Any, copy: bool) -> Any:
        map_ = self._fitted_map()
        if not is_plain(X, self):
            X = self._table(X, self, reset=False)
        return self._apply(map_, X, copy)

    def _apply(self, map_: Any, X: Any, copy: bool) -> Any:
        if X.dtype == np.float16:
            out = map_(as_float32(X, map_.takes_infinities))
            return (within_float16(out) if map_.takes_infinities else out).astype(np.float16)
        return map_(X, None if copy or not X.flags.writeable else X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = bool(self._accept_sparse)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class MappedLearner(Mapped, Learner):
    """A transformer whose map follows from what was learned, and has an inverse."""

    @abstractmethod
    def _map_of(self, learned: Learned) -> Elementwise:
        """Return the map that what was learned and the parameters make."""

    def _fitted_map(self) -> Elementwise:
        learned: Learned | None = self.__dict__.get("_learned")
        if learned is None:
            check_is_fitted(self)
            raise AssertionError("check_is_fitted raised")
        if learned.map is None:
            if not learned.checked:
                self._check_all_parameters()
            learned.map = self._map_of(learned)
        return learned.map

    def inverse_transform(self, X: Any) -> Any:
        """Undo ``transform``; what was cut by a hard clip comes back as the bound.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Scaled data. Missing values (NaN) stay.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The data in its original units; ±infinity where a soft clip had rounded to its bound.

        Raises
        ------
        ValueError
            If X holds an infinity, or has another width than the data that was learned from.
        """
        return self._inverse_transform(X, self.copy)

    def _inverse_transform(self, X: Any, copy: bool) -> Any:
        map_ = self._fitted_map()
        refuse_sparse(self, X, "uncenter")
        X = check_scaled(self, X, accept_sparse=self._accept_sparse)
        return self._apply(map_.inverse(), X, copy)
