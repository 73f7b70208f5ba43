"""The rows of groups, scaled by what is known of each."""

from __future__ import annotations

from reprlib import Repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._errors import infinity_error
from sknorm.groups.batch import Batch, Known
from sknorm.groups.groups import Codes, Found
from sknorm.groups.keys import Keys
from sknorm.groups.shrinkage import Policy, affine_of, bounds_of, stacked
from sknorm.maps import Elementwise, Lookup

SHORT = Repr()
SHORT.maxlist = 5


def scale(
    known: Known, policy: Policy, batch: Batch, *, inverse: bool = False, found: Found | None = None
) -> NDArray[Any]:
    """Return the values of a batch, scaled or, ``inverse``, in their units again.

    ``found`` is what `Groups.look_up` returns of the batch's keys.
    """
    X = batch.X
    map_, codes, blank = map_of(known, policy, batch, found or known.groups.look_up(batch.keys))
    out = (map_.inverse() if inverse else map_)(X, None, codes)
    if blank is not None:
        cells = blank[codes]
        if policy.unseen == "passthrough" and np.isinf(X[cells]).any():
            raise infinity_error(batch.values.dtype)
        out[cells] = X[cells] if policy.unseen == "passthrough" else np.nan
    return out.astype(batch.values.dtype, copy=False)


def map_of(
    known: Known, policy: Policy, batch: Batch, found: Found
) -> tuple[Elementwise, Codes | None, NDArray[np.bool_] | None]:
    """Return the map of the groups of a batch, which of them each row has, and the cells that it has nothing for."""
    scaler, weight, folded = known.scaler, found.weight, found.folded
    now, everything = found.statistic.now(), found.everything
    statistic = now.own
    affine, seen = affine_of(scaler, policy, statistic, everything.statistic), policy.seen(weight)
    bounds = bounds_of(scaler, policy, now, everything.now)
    n_known, codes = len(weight), batch.codes
    shape = (n_known, batch.values.shape[1])
    nothing = np.zeros(shape, np.bool_)
    if policy.unseen != "global" and not policy.smooth:
        nothing = statistic.count == 0
    has_rest = n_known < len(found.groups) or not seen.all()
    if has_rest or (codes is not None and codes.size > 0 and codes.min() < 0):
        # After the known groups come what stands for the others, and all rows.
        stands_in = folded is not None and policy.seen(np.array([folded.n_rows])).all()
        rest = folded if stands_in and folded else everything
        affine = stacked(affine, *(scaler._derive(learned.statistic) for learned in (rest, everything)))
        if bounds is not None:
            others = [scaler._bounds_of(learned.now) for learned in (rest, everything)]
            low, high = (np.concatenate([getattr(one, end) for one in (bounds, *others)]) for end in ("low", "high"))
            bounds = bounds._replace(low=low, high=high)
        rows = np.full(len(found.groups) + 1, n_known)
        rows[-1] = n_known + 1
        rows[np.flatnonzero(found.groups >= 0)[seen]] = np.flatnonzero(seen)
        codes = rows[np.zeros(len(batch.values), np.intp) if codes is None else codes]
        shape = (n_known + 2, shape[1])
        alone = policy.unseen != "global" and not stands_in
        if alone and policy.unseen == "error" and has_rest:
            refuse_unseen(batch.keys, np.flatnonzero(rows == n_known))
        nothing = np.concatenate([nothing, np.full((1, shape[1]), alone), np.zeros((1, shape[1]), np.bool_)])
    if codes is None and n_known == 1 and nothing.any():
        codes = np.zeros(len(batch.values), np.intp)
    return scaler._bounded(affine, shape, bounds), codes, nothing if nothing.any() else None


def lookup_of(known: Known, policy: Policy, missing_key: str) -> Lookup:
    """Return the map of every key that is known, of one that is not, and of no key.

    Raises
    ------
    ValueError
        If a key that is not known is to be an error, which no map can say.
    """
    if policy.unseen == "error":
        raise ValueError(
            'A scaler with unseen="error" cannot be handed on, since what computes the map elsewhere cannot refuse a '
            'row; set unseen to "global", "nan" or "passthrough".'
        )
    snapshot = known.groups.snapshot()
    keys = list(snapshot.key_index.keys())
    every = np.arange(len(keys))
    # A row of each key, one of a key that is not known, and one whose key is missing.
    missing = len(keys) if missing_key == "own" else -1
    batch = Batch(np.empty((len(keys) + 2, known.n_values)), np.append(every, [len(keys), missing]), [*keys, None])
    found = Found(np.append(every, -1), snapshot.statistic, snapshot.weight, snapshot.everything, snapshot.folded)
    map_, codes, blank = map_of(known, policy, batch, found)
    assert codes is not None, "some rows are of no known key"
    nothing = np.zeros(batch.values.shape, np.bool_) if blank is None else blank[codes]
    return Lookup([as_python(key) for key in keys], map_.take(codes), nothing, policy.unseen == "passthrough")


def as_python(key: Any) -> Any:
    """Return a key as Python has it."""
    return key.item() if isinstance(key, np.generic) else key


def refuse_unseen(keys: Keys, unseen: Codes) -> None:
    """Raise for keys of which too little is known."""
    some = [keys[i] for i in unseen[:6].tolist()]
    raise ValueError(
        f"Found unknown keys {SHORT.repr([as_python(key) for key in some])} "
        f"({len(unseen)} in all), of which no rows, or fewer than min_samples, were learned; "
        'learn them first, or set unseen="global".'
    )
