"""What groups learn from a batch, all of it or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._key_index import KeyIndex
from sknorm._learned import Learned, Weights
from sknorm.groups.batch import Batch, Known, row_weight
from sknorm.groups.groups import Codes, Groups, combined


def begin(
    scaler: Scaler, batch: Batch, weights: Weights, max_groups: int | None
) -> tuple[Known, tuple[Codes, Any, Any] | None]:
    """Return what is known after a first batch, and what `Groups.look_up` would of its keys, if none was folded."""
    n_groups, n_features = len(batch.keys), batch.values.shape[1]
    X, own_weights, codes = batch.with_keys(weights)
    history: Any
    if scaler.half_life is None and scaler.window is None:
        history = scaler._begin(X, own_weights, codes, n_groups)
    else:
        history = scaler._no_rows(n_groups, n_features).after(X, own_weights, codes)
    check_overflow(scaler, history, batch)
    weight = row_weight(codes, own_weights, len(X), n_groups)
    if codes is None:
        everything = Learned(history, 0.0).after(history, float(weight[0]))
    else:
        everything = scaler._go_on(None, batch.X, weights, batch.named)
    index = KeyIndex()
    index.add(batch.keys)
    groups = Groups(index, history.store(), weight, everything)
    known = Known(scaler, groups, batch.columns, batch.n_parts)
    if max_groups is not None:
        groups.about["updated"][:] = last_rows(batch, n_groups)
        with groups.all_or_nothing():
            groups.count_rows(len(batch.values))
            fold_oldest(known, batch, max_groups)
    return known, None if groups.n_folded else (np.arange(n_groups), history, weight)


def before(scaler: Scaler, batch: Batch) -> Known:
    """Return what is known before the first batch."""
    n_features = batch.values.shape[1]
    everything = Learned(scaler._no_rows(1, n_features), 0.0)
    groups = Groups(KeyIndex(), scaler._no_rows(0, n_features).store(), np.zeros(0), everything)
    return Known(scaler, groups, batch.columns, batch.n_parts)


def learn(known: Known, batch: Batch, weights: Weights, max_groups: int | None) -> None:
    """Let the groups learn from a batch, within `Groups.all_or_nothing`."""
    scaler, groups = known.scaler, known.groups
    touched = groups.enter(batch.keys)
    statistic, weight = groups.take(touched)
    X, own_weights, codes = batch.with_keys(weights)
    after = statistic.after(X, own_weights, codes)
    check_overflow(scaler, after, batch)
    everything = scaler._go_on(groups.everything, batch.X, weights, batch.named)
    weight = weight + row_weight(codes, own_weights, len(X), len(touched))
    settle(known, touched, after, weight, everything, batch, max_groups)


def settle(
    known: Known,
    touched: Codes,
    statistic: Any,
    weight: NDArray[np.float64],
    everything: Learned,
    batch: Batch,
    max_groups: int | None,
) -> None:
    """Write what was learned, and fold the oldest groups where there are too many."""
    groups = known.groups
    updated = groups.clock + (0 if max_groups is None else last_rows(batch, len(touched)))
    groups.put(touched, statistic, weight, np.broadcast_to(updated, touched.shape), everything)
    groups.count_rows(len(batch.values))
    if max_groups is not None:
        fold_oldest(known, batch, max_groups)


def last_rows(batch: Batch, n_groups: int) -> NDArray[np.int64]:
    """Return the number of the last row of every group of a batch."""
    last = np.zeros(n_groups, np.int64)
    if batch.codes is not None:
        own = np.flatnonzero(batch.codes >= 0)
        last[batch.codes[own]] = own  # what is written last stays
    return last


def fold_oldest(known: Known, batch: Batch, max_groups: int) -> None:
    """Fold the groups that were updated longest ago where there are more than ``max_groups``."""

    def fold(folded: Learned | None, dropped: Any, weight: float) -> Learned:
        added = Learned(combined(dropped.now()), weight)
        folded = added if folded is None else folded.merge(added)
        check_overflow(known.scaler, folded.history, batch)
        return folded

    known.groups.fold(max_groups, fold)


def check_overflow(scaler: Scaler, history: Any, batch: Batch) -> None:
    """Raise where what the groups learned overflows."""
    scaler._check_overflow(history.now(), getattr(batch.named, "feature_names_in_", None))


def absorb(known: Known, other: Known, batch: Batch, max_groups: int | None) -> None:
    """Let the groups absorb those of another, key by key, within `Groups.all_or_nothing`; a batch has the names."""
    groups, (keys, theirs, their_weight) = known.groups, other.groups.whole()
    touched = groups.enter(keys if keys.dtype != object else keys.tolist())
    mine, weight = groups.take(touched)
    statistic = mine.merge(theirs)
    check_overflow(known.scaler, statistic, batch)
    everything = groups.everything.merge(other.groups.everything)
    check_overflow(known.scaler, everything.history, batch)
    weight = weight + their_weight
    updated = np.maximum(groups.about["updated"][touched], other.groups.about["updated"])
    groups.put(touched, statistic, weight, updated, everything)
    groups.count_rows(other.groups.clock)
    groups.absorb_folded(other.groups)
    if max_groups is not None:
        fold_oldest(known, batch, max_groups)
