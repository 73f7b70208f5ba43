"""What a fitted `GroupedScaler` shows of its groups."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknorm._base import Scaler
from sknorm._fitted import fitted, whole_numbers
from sknorm._learned import Learned
from sknorm.groups.batch import Known
from sknorm.groups.frame import cell_attributes, frame_of


class GroupAttributes:
    """The keys, what was learned of each, and the scalers of all rows and of those that were folded."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _learned: Known

    @fitted
    def groups_(self) -> NDArray[Any]:
        """The keys."""
        return self._learned.groups.snapshot().key_index.keys()

    @fitted
    def group_counts_(self) -> NDArray[Any]:
        """The rows of every group."""
        return whole_numbers(self._learned.groups.snapshot().weight)

    @fitted
    def n_folded_(self) -> int:
        """How many groups were folded."""
        return self._learned.groups.n_folded

    @fitted
    def global_scaler_(self) -> Scaler:
        """The scaler, fitted on all rows."""
        return self._scaler_of(self._learned.groups.everything)

    @fitted
    def folded_scaler_(self) -> Scaler | None:
        """The scaler, fitted on the rows of groups that were folded."""
        folded = self._learned.groups.folded
        return None if folded is None else self._scaler_of(folded)

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_") and "_learned" in self.__dict__:
            known = self._learned
            compute = cell_attributes(known.scaler).get(name)
            if compute is not None:
                cells = compute(known.groups.snapshot().statistic.now())
                if cells is not None:
                    cells.setflags(write=False)
                return cells
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def statistics_frame(self) -> Any:
        """Return what was learned of every group, to be read.

        Returns
        -------
        frame : pandas.DataFrame
            A row for every key. The first column, ``("rows", "")``, has the weight of its rows; then come, for every
            feature, the number of values and what the scaler shows of it, such as ``("amount", "mean")``.
        """
        check_is_fitted(self)
        known = self._learned
        names = _check_feature_names_in(self, None).tolist()
        if known.columns is None:
            return frame_of(known, ["key"] * known.n_parts, names)
        return frame_of(known, [names[i] for i in known.columns.keys], [names[i] for i in known.columns.values])

    def _scaler_of(self, learned: Learned) -> Scaler:
        known, scaler = self._learned, clone(self._learned.scaler)
        names = object.__new__(type(scaler))
        names.__dict__["n_features_in_"] = known.n_values
        if "feature_names_in_" in self.__dict__:
            columns = slice(None) if known.columns is None else known.columns.values
            names.__dict__["feature_names_in_"] = self.feature_names_in_[columns]
        scaler._take_over(learned, names, first=True)
        return scaler
