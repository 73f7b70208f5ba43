"""What a `GroupedScaler` knows, in documents."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknorm._base import Scaler
from sknorm._document import Node
from sknorm._key_index import read_keys
from sknorm._learned import Learned
from sknorm.groups.batch import ONE_KEY, Known
from sknorm.groups.columns import Columns
from sknorm.groups.groups import Groups
from sknorm.state import LARGEST, read_estimator, write_estimator

NAMES = (
    "scaler",
    "keys_at",
    "n_parts",
    "keys",
    "weight",
    "updated",
    "clock",
    "groups",
    "everything",
    "folded",
    "n_folded",
)


def write_known(known: Known) -> dict[str, Any]:
    """Return what is known as numbers, strings, arrays and dicts of these."""
    groups = known.groups
    with groups.writing:
        _, statistic, weight = groups.whole()
        values = (
            write_estimator(known.scaler, "learned.scaler"),
            None if known.columns is None else list(known.columns.keys),
            known.n_parts,
            groups.index.fields(),
            weight,
            groups.about["updated"].copy(),
            groups.clock,
            statistic.fields(),
            write_learned(groups.everything),
            None if groups.folded is None else write_learned(groups.folded),
            groups.n_folded,
        )
    return dict(zip(NAMES, values, strict=True))


def write_learned(learned: Learned) -> dict[str, Any]:
    """Return what was learned of one group."""
    return {"n_rows": learned.n_rows, "statistic": learned.history.fields()}


def read_known(node: Node, estimator: Any) -> Known:
    """Return what `write_known` wrote of an estimator that has its parameters, its width and its names."""
    kind, keys_at, n_parts, keys, weight, updated, clock, groups, everything, folded, n_folded = node.entries(*NAMES)
    scaler = read_estimator(kind)
    if not isinstance(scaler, Scaler) or "_learned" in scaler.__dict__:
        raise kind.error("must be a scaler that was not fitted")
    columns = read_columns(keys_at, estimator.n_features_in_)
    n_features = estimator.n_features_in_ if columns is None else len(columns.values)
    parts = n_parts.integer(0, LARGEST)
    if columns is not None:
        n_parts.equal(len(columns.keys))
    index = read_keys(keys)
    check_parts(keys, index.keys(), parts)
    weights = weight.floats(len(index))
    weight.refuse(weights < 0, "must not be negative")
    named = getattr(estimator, "feature_names_in_", None)
    names = named if named is None or columns is None else named[columns.values]
    statistic: Any = scaler._no_rows(len(index), n_features).restored(groups, n_features)
    check(scaler, statistic.now(), names, groups)
    known = Groups(index, statistic.store(), weights, read_learned(everything, scaler, n_features, names, now=False))
    known.about["updated"][:] = updated.integers(len(index), high=LARGEST, dtype=np.int64)
    known.clock, known.n_folded = clock.integer(0, LARGEST), n_folded.integer(0, LARGEST)
    if folded.value is not None:
        known.folded = read_learned(folded, scaler, n_features, names, now=True)
    return Known(scaler, known, columns, parts)


def read_learned(node: Node, scaler: Scaler, n_features: int, names: Any, *, now: bool) -> Learned:
    """Return what was learned of one group: as the scaler keeps its past, or as it is ``now``."""
    n_rows, fields = node.entries("n_rows", "statistic")
    zero: Any = scaler._no_rows(1, 1)
    history = (zero.now() if now else zero).restored(fields, n_features)
    learned = Learned(history, n_rows.number(0))
    if history.n_rows is not None:
        n_rows.same_number(history.n_rows)
    check(scaler, learned.statistic, names, fields)
    return learned


def check(scaler: Scaler, statistic: Any, names: Any, node: Node) -> None:
    """Raise where a statistic is none that the scaler would have learned."""
    try:
        scaler._check_overflow(statistic, names)
    except ValueError as error:
        raise ValueError(f"{node} does not fit {type(scaler).__name__}: {error}") from None


def read_columns(node: Node, n_columns: int) -> Columns | None:
    """Return which columns are keys; None where they are given as groups."""
    if node.value is None:
        return None
    keys = tuple(column.integer(0, n_columns - 1) for column in node.items())
    if not keys or len(set(keys)) < len(keys) or len(keys) == n_columns:
        raise node.error("must be distinct columns, some but not all")
    return Columns(keys, np.array([i for i in range(n_columns) if i not in set(keys)], np.intp))


def check_parts(node: Node, keys: Any, n_parts: int) -> None:
    """Raise where keys do not have so many parts."""
    if n_parts == 0:
        if keys.dtype != object and len(keys) == 1 and keys[0] == ONE_KEY[0]:
            return
        raise node.error("must be [0] where there are no keys")
    if n_parts > 1:
        node.refuse(
            np.array([type(key) is not tuple or len(key) != n_parts for key in keys], bool),
            f"must be a key of {n_parts} parts",
        )
