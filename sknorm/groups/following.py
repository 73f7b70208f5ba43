"""Every row of a group scaled by what was known before it, then learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sknorm._callbacks import Subtask
from sknorm._clipping import bound_of
from sknorm._learned import Weights, weight_of
from sknorm._prequential import as_constants, neutral
from sknorm.groups.batch import Batch, Known
from sknorm.groups.learning import check_overflow, learn, settle
from sknorm.groups.scaling import refuse_unseen, scale
from sknorm.groups.shrinkage import Policy
from sknorm.maps import Affine
from sknorm.statistics.rule import Overflow, Unseen


def follow(
    known: Known, policy: Policy, batch: Batch, weights: Weights, max_groups: int | None, subtask: Subtask
) -> Any:
    """Return the values of a batch, scaled and then learned, within `Groups.all_or_nothing`."""
    size = known.scaler._chunk_size(known.scaler._rule())
    if size is None:
        return follow_rows(known, policy, batch, weights, max_groups)
    parts = []
    for rows in chunks(len(batch.values), size):
        with subtask():
            chunk = part_of(batch, rows)
            parts.append(scale_so_far(known, policy, chunk))
            learn(known, chunk, None if weights is None else weights[rows], max_groups)
    return np.concatenate(parts)


def chunks(n_samples: int, size: int) -> list[slice]:
    """Return the rows of every chunk."""
    return [slice(start, start + size) for start in range(0, n_samples, size)]


def part_of(batch: Batch, rows: slice) -> Batch:
    """Return some rows of a batch, with those keys alone that they have."""
    if batch.codes is None:
        return batch._replace(values=batch.values[rows])
    numbers, codes = np.unique(batch.codes[rows], return_inverse=True)
    has_none = int(numbers.size > 0 and numbers[0] < 0)  # −1 is the number of no key
    numbers, codes = numbers[has_none:], codes.astype(np.intp, copy=False) - has_none
    keys = batch.keys[numbers] if isinstance(batch.keys, np.ndarray) else [batch.keys[i] for i in numbers.tolist()]
    return batch._replace(values=batch.values[rows], codes=codes, keys=keys)


def scale_so_far(known: Known, policy: Policy, batch: Batch) -> npt.NDArray[Any]:
    """Return the values of a batch, scaled; a column without a value so far as a constant would be."""
    found = known.groups.look_up(batch.keys)
    scaled, everything = scale(known, policy, batch, found=found), found.everything.statistic
    none = everything.count == 0
    by_all = np.full(len(scaled), policy.unseen == "global")
    if batch.codes is not None and none.any():
        pulled = np.zeros(len(found.groups) + 1, np.bool_)
        pulled[-1] = True  # rows without a key
        pulled[np.flatnonzero(found.groups >= 0)] = policy.seen(found.weight) & (policy.smooth != 0)
        by_all |= pulled[batch.codes]
    if none.any() and by_all.any():
        affine: Affine = known.scaler._derive(everything)
        plain = Affine(neutral(affine.centre, none, 0.0), neutral(affine.scale, none, 1.0), affine.gain, affine.shift)
        X, bounds = np.where(none, batch.X, batch.X.dtype.type(0)), known.scaler._bounds_of(found.everything.now)
        if affine.centre is not None:
            X, bounds = as_constants(X, none, bounds)
        constant = known.scaler._bounded(plain, none.shape, bounds)(X)
        cells = by_all[:, np.newaxis] & none & np.isnan(scaled)
        scaled[cells] = constant[cells]
    return scaled


def follow_rows(
    known: Known, policy: Policy, batch: Batch, weights: Weights, max_groups: int | None
) -> npt.NDArray[Any]:
    """Return the values of a batch, scaled and then learned row by row."""
    scaler, groups = known.scaler, known.groups
    rule = scaler._rule()
    assert rule is not None, "there is no chunk size"
    touched = groups.enter(batch.keys)
    statistic, weight = groups.take(touched)
    m, everything, folded = len(touched), groups.everything, groups.folded
    others, other_weight = [everything.history], [everything.n_rows]
    if folded is not None:
        others.append(statistic.standing_for(folded.statistic))
        other_weight.append(folded.n_rows)
    codes = np.zeros(len(batch.values), np.intp) if batch.codes is None else batch.codes
    bound = bound_of(scaler.clip, scaler.clip_mode, scaler._clip_interval)
    try:
        scaled, after, weight = statistic.joined(*others).follow_groups(
            batch.X,
            weights,
            codes,
            np.concatenate([weight, other_weight]),
            rule.bounded(*bound),
            all=m,
            other=m + 1 if folded is not None else -1,
            **policy._asdict(),
        )
    except Unseen as unseen:
        refuse_unseen(batch.keys, codes[[unseen.args[0]]])
    except Overflow as overflow:
        # Single rows would have been refused on the way: let them.
        start = overflow.args[0]
        for rows in (slice(0, start), *(slice(i, i + 1) for i in range(start, len(batch.values)))):
            if rows.stop:
                learn(known, part_of(batch, rows), None if weights is None else weights[rows], None)
        raise AssertionError("no row overflows") from overflow
    check_overflow(scaler, after, batch)
    learned = everything.after(after.part(m, m + 1), weight_of(batch.X, weights))
    statistic = after.part(0, m)
    settle(known, touched, statistic, weight[:m], learned, batch, weights, max_groups)
    return scaled.astype(batch.values.dtype, copy=False)
