"""Scaler: what was learned, by a subclass's rule, as a map."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions

from sknorm._clipping import bound_of, check_clip, clip_maps, fence_maps
from sknorm._fitted import fitted
from sknorm._learned import Learned, refuse_overflow
from sknorm._learning import Learner
from sknorm._mapped import MappedLearner
from sknorm._prequential import Prequential
from sknorm._validation import as_float32
from sknorm.maps import Affine, Chain, Elementwise
from sknorm.statistics import Clipped, Extremes, Statistic
from sknorm.statistics.rule import Rule
from sknorm.statistics.sparse import canonical, summed


class Scaler(Prequential, MappedLearner):
    """A rule from a statistic that merges to a map.

    A subclass names its ``_statistic`` and writes ``_rule``, or ``_derive`` where the kernels do not know its rule; all
    else is here. See `Statistic` and `Map`.
    """

    # Rows that `prequential_transform` takes together where there is no ``_rule``.
    chunk_size: int = 1
    # What a scaler without such a parameter has.
    clip: bool | float | tuple[float, float] | None = None
    clip_mode: Literal["hard", "soft"] = "hard"
    outliers: Any = None
    # What clip=True means; None where it means nothing.
    _clip_interval: tuple[float, float] | None = None
    _parameter_constraints: ClassVar[dict[str, Any]] = Learner._parameter_constraints | {
        "copy": ["boolean"],
        "clip": ["boolean", Interval(Real, 0, None, closed="neither"), tuple, None],
        "clip_mode": [StrOptions({"hard", "soft"})],
    }

    def __init__(
        self,
        *,
        copy: bool = True,
        clip: bool | float | tuple[float, float] | None = False,
        clip_mode: Literal["hard", "soft"] = "hard",
        window: int | None = None,
        outliers: Any = None,
    ) -> None:
        self.copy = copy
        self.clip = clip
        self.clip_mode = clip_mode
        self.window = window
        self.outliers = outliers

    # What a subclass defines.

    def _rule(self) -> Rule | None:
        """Return the centre and the scale that the kernels shall make of the statistic, before any clipping."""
        return None

    def _derive(self, statistic: Any, constant: float = 1.0) -> Affine:
        """Return the map that the statistic and the parameters make, before any clipping.

        The statistic may be of several groups, and of no rows: its centre and scale are NaN. The scale of a constant
        is ``constant``: 1 to divide by, or 0 where it is to be weighed against others.
        """
        rule = self._rule()
        assert rule is not None, "a scaler writes _rule or _derive"
        centre, scale = statistic.derived(rule, constant)
        gain = None if rule.gain == 1 and rule.shift == 0 else np.full(statistic.count.shape, rule.gain)
        shift = None if rule.shift == 0 else np.full(statistic.count.shape, rule.shift)
        return Affine(centre, scale, gain, shift)

    def _check_overflow(self, statistic: Any, names: Any) -> None:
        if type(self)._rule is not Scaler._rule and not statistic.overflows():  # cheaper than the map
            return
        affine = self._derive(statistic)
        for what, values in (("scale", affine.scale), ("centre", affine.centre)):
            if values is not None:
                refuse_overflow(values, statistic.count, what, names)
        if affine.centre is not None and isinstance(statistic, Extremes):  # x − centre would overflow
            refuse_overflow(statistic.range(), statistic.count, "range", names)

    # Outliers.

    @property
    def _takes_infinities(self) -> bool:  # type: ignore[override]
        return self.outliers is not None and self.outliers.infinite == "clip"

    def _no_rows(self, n_groups: int, n_features: int, names: Any = None) -> Statistic:
        own = super()._no_rows(n_groups, n_features)
        return own if self.outliers is None else Clipped(self.outliers._no_rows(n_groups, n_features, names), own)

    def _first(
        self,
        X: Any,
        weights: NDArray[np.float64] | None,
        codes: NDArray[np.intp] | None = None,
        n_groups: int = 1,
        names: Any = None,
    ) -> Statistic:
        if self.outliers is None:
            return super()._first(X, weights, codes, n_groups, names)
        fenced = self.outliers._first_spread(X, weights, codes, n_groups, names)
        bounds = fenced.bounds()
        if type(self)._begin is Learner._begin or self.window is not None:
            nothing = super()._no_rows(n_groups, X.shape[1])
            kept, below, above = nothing.after_fenced(X, bounds, weights, codes)
        else:
            kept = self._begin(bounds.fenced(X, codes), weights, codes, n_groups)
            below, above = bounds.outside(X, weights, codes)
        return Clipped(fenced.counting(below, above), kept)

    def _check_memory(self, history: Any, names: Any) -> None:
        super()._check_memory(history, names)
        had_outliers = history.own is not history
        if self.outliers is None and not had_outliers:
            return
        same = had_outliers == (self.outliers is not None)
        if same and self.outliers is not None:
            self.outliers._check_memory(history.fenced, names)
            same = history.fenced.rule == self.outliers._fence_rule(names)
        if not same:
            raise ValueError(
                f"outliers is {self.outliers!r} and was another when {type(self).__name__} was fitted; what was "
                "clipped cannot be changed: call fit to begin again."
            )

    def _check_now(self, now: Any, names: Any) -> None:
        super()._check_now(now, names)
        if self.outliers is not None:
            self.outliers._check_overflow(now.fenced, names)

    def _check_in_groups(self, owner: str) -> None:
        """Raise where the scaler cannot be that of a `GroupedScaler`."""

    def _bounds_of(self, now: Any) -> Any:
        """Return the bounds that values are fenced in by first, None where there are none."""
        return now.bounds()

    @fitted
    def outliers_(self) -> Any:
        """The clipper, fitted."""
        learned: Learned = self._learned  # once: another thread may be learning
        if self.outliers is None or not isinstance(learned.history, Clipped):
            return None
        return self.outliers._fitted_as(learned.history, learned.n_rows, self)

    # Transforming.

    def _check_all_parameters(self) -> None:
        super()._check_all_parameters()
        if self.outliers is not None:
            if isinstance(self.outliers, type) or not hasattr(self.outliers, "_check_inside"):
                raise InvalidParameterError(
                    f"The 'outliers' parameter of {type(self).__name__} must be an OutlierClipper or None. "
                    f"Got {self.outliers!r} instead."
                )
            self.outliers._check_inside(type(self).__name__)
        check_clip(self.clip, self.clip_mode, self._clip_interval, type(self).__name__)

    def _map_of(self, learned: Learned) -> Elementwise:
        statistic = learned.statistic
        return self._bounded(self._derive(statistic), statistic.count.shape, self._bounds_of(learned.now))

    def _bounded(self, map_: Elementwise, shape: tuple[int, ...], bounds: Any = None) -> Elementwise:
        """Return a map of values fenced in by these bounds, and clipped as the parameters say."""
        fences = fence_maps(bounds)
        clips = clip_maps(bound_of(self.clip, self.clip_mode, self._clip_interval), shape)
        return Chain(*fences, map_, *clips) if fences or clips else map_

    def _apply(self, map_: Elementwise, X: Any, copy: bool) -> Any:
        return self._apply_sparse(map_, X, copy) if sp.issparse(X) else super()._apply(map_, X, copy)

    def _apply_sparse(self, map_: Elementwise, X: Any, copy: bool) -> Any:
        self._refuse_unless_zero_stays(map_, X.shape[1])
        single = as_float32(X, map_.takes_infinities)
        fresh = single is not X
        if not single.has_canonical_format:
            whole = summed(single) if map_.takes_infinities else canonical(single)
            if not isinstance(map_, Affine):
                single, fresh = whole, True  # a value stored in two parts is clipped as one
        in_place = fresh or (not copy and X.data.flags.writeable)
        out = map_.on_sparse(single, single if in_place else single.copy())
        return out.astype(np.float16) if X.dtype == np.float16 else out

    def _refuse_unless_zero_stays(self, map_: Elementwise, n_features: int) -> None:
        if not map_.keeps_zero(n_features):
            raise ValueError(
                f"{type(self).__name__} would turn the zeros of a sparse matrix into other values; "
                "let the clipping interval contain 0, or convert X to a dense array."
            )

    def _scale_of(self, statistic: Any) -> NDArray[np.float64]:
        """Return the divisor of every column, for `scale_`."""
        scale = self._derive(statistic).scale
        assert scale is not None, "the rule has a scale"
        return scale

    @fitted
    def n_samples_seen_(self) -> int | float:
        """The number of rows."""
        n_rows = self._learned.n_rows
        return int(n_rows) if n_rows.is_integer() else n_rows
