"""What groups learn from a batch, all of it or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm._base import Scaler
from sknorm._learned import Learned, Weights
from sknorm.groups.batch import Batch, Known, row_weight
from sknorm.groups.groups import Codes, Found, Groups, Snapshot, combined
from sknorm.groups.key_index import KeyIndex


def begin(scaler: Scaler, batch: Batch, weights: Weights, max_groups: int | None) -> tuple[Known, Found | None]:
    """Return what is known after a first batch, and what `Groups.look_up` would of its keys, if none was folded."""
    n_groups = len(batch.keys)
    X, own_weights, codes = batch.with_keys(weights)
    history: Any
    history = scaler._first(X, own_weights, codes, n_groups, batch.named)
    check_overflow(scaler, history, batch)
    weight = row_weight(codes, own_weights, len(X), n_groups)
    if codes is None:
        everything = Learned(history, 0.0).after(history, float(weight[0]))
    else:
        everything = scaler._go_on(None, batch.X, weights, batch.named)
    index = KeyIndex()
    index.add(batch.keys)
    groups = Groups(index, history.store(), weight, everything)
    known = Known(scaler, groups, batch.n_columns, batch.n_parts, batch.columns)
    if max_groups is not None:
        groups.about["updated"][:] = last_rows(batch, weights, n_groups)
    with groups.all_or_nothing():
        groups.count_rows(len(batch.values))
        forget_idle(known, np.arange(n_groups), batch, max_groups)
    return known, Found(np.arange(n_groups), history, weight, everything) if len(groups) == n_groups else None


def before(scaler: Scaler, batch: Batch) -> Known:
    """Return what is known before the first batch."""
    n_features = batch.values.shape[1]
    everything = Learned(scaler._no_rows(1, n_features, batch.named), 0.0)
    groups = Groups(KeyIndex(), scaler._no_rows(0, n_features, batch.named).store(), np.zeros(0), everything)
    return Known(scaler, groups, batch.n_columns, batch.n_parts, batch.columns)


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
    settle(known, touched, after, weight, everything, batch, weights, max_groups)


def settle(
    known: Known,
    touched: Codes,
    statistic: Any,
    weight: NDArray[np.float64],
    everything: Learned,
    batch: Batch,
    weights: Weights,
    max_groups: int | None,
) -> None:
    """Write what was learned, and fold the oldest groups where there are too many."""
    groups = known.groups
    updated = np.full(len(touched), groups.clock)
    if max_groups is not None:
        last = last_rows(batch, weights, len(touched))
        updated = np.where(last < 0, groups.about["updated"][touched], updated + last)
    groups.put(touched, statistic, weight, updated, everything)
    groups.count_rows(len(batch.values))
    forget_idle(known, touched, batch, max_groups)


def last_rows(batch: Batch, weights: Weights, n_groups: int) -> NDArray[np.int64]:
    """Return the number of the last row of every group of a batch, −1 where no row counts."""
    last = np.full(n_groups, -1)
    if batch.codes is not None:
        own = np.flatnonzero(batch.codes >= 0 if weights is None else (batch.codes >= 0) & (weights > 0))
        last[batch.codes[own]] = own  # what is written last stays
    return last


def forget_idle(known: Known, touched: Codes, batch: Batch, max_groups: int | None) -> None:
    """Forget groups none of whose rows counts, and fold the oldest where there are too many."""
    none = known.groups.about["weight"][touched] == 0
    if none.any():
        known.groups.forget(touched[none])
    if max_groups is not None:
        fold_oldest(known, batch, max_groups)


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
    scaler._check_now(history.now(), getattr(batch.named, "feature_names_in_", None))


def absorb(known: Known, other: Snapshot, batch: Batch, max_groups: int | None) -> None:
    """Let the groups absorb others, key by key, within `Groups.all_or_nothing`; a batch has the names."""
    groups, keys = known.groups, other.key_index.keys()
    touched = groups.enter(keys if keys.dtype != object else keys.tolist())
    mine, weight = groups.take(touched)
    statistic = mine.merge(other.statistic)
    check_overflow(known.scaler, statistic, batch)
    everything = groups.everything.merge(other.everything)
    check_overflow(known.scaler, everything.history, batch)
    updated = np.maximum(groups.about["updated"][touched], other.updated)
    groups.put(touched, statistic, weight + other.weight, updated, everything)
    groups.count_rows(other.clock)
    folded = groups.folded
    if folded is not None and other.folded is not None:
        folded = folded.merge(other.folded)
        check_overflow(known.scaler, folded.history, batch)
    groups.set_folded(folded or other.folded, groups.n_folded + other.n_folded)
    if max_groups is not None:
        fold_oldest(known, batch, max_groups)
