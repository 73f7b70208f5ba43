"""What a `GroupedScaler` knows, in documents."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from sknorm._base import Scaler
from sknorm._document import Node
from sknorm._learned import Learned
from sknorm.groups.batch import ONE_KEY, Batch, Known
from sknorm.groups.columns import Columns
from sknorm.groups.groups import restored
from sknorm.groups.key_index import read_keys
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

# Rows, or groups, that a document may claim: so many more can be counted.
MOST = 2**62


def write_known(known: Known) -> dict[str, Any]:
    """Return what is known as numbers, strings, arrays and dicts of these."""
    groups = known.groups.snapshot()
    values = (
        write_estimator(known.scaler, "learned.scaler"),
        None if known.columns is None else list(known.columns.keys),
        known.n_parts,
        groups.key_index.fields(),
        groups.weight,
        groups.updated,
        groups.clock,
        groups.statistic.fields(),
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
    scaler, n_columns = read_estimator(kind), estimator.n_features_in_
    if not isinstance(scaler, Scaler) or "_learned" in scaler.__dict__:
        raise kind.error("must be a scaler that was not fitted")
    if (keys_at.value is None) != (estimator.by is None):
        raise keys_at.error(f"does not go with by={estimator.by!r}")
    key_columns = () if keys_at.value is None else read_positions(keys_at, n_columns)
    n_values = n_columns - len(key_columns)
    named = names_of_values(estimator, set(key_columns))
    whole = read_learned(everything, scaler, n_values, named, now=False)
    # The table is as wide as it says: from here on, memory is taken for columns.
    columns = None
    if key_columns:
        columns = Columns(key_columns, np.array([i for i in range(n_columns) if i not in set(key_columns)], np.intp))
        n_parts.equal(len(key_columns))
    batch = Batch(np.empty((0, n_values)), None, [], columns=columns, names=estimator)
    names = getattr(batch.named, "feature_names_in_", None)
    check(scaler, whole.now, names, everything)
    index, parts = read_keys(keys), n_parts.integer(0, LARGEST)
    check_parts(keys, index.keys(), parts)
    weights = weight.floats(len(index))
    weight.refuse(weights < 0, "must not be negative")
    statistic: Any = scaler._no_rows(len(index), 1, named).restored(groups, n_values)
    check(scaler, statistic.now(), names, groups)
    now = clock.integer(0, MOST)
    last = updated.integers(len(index), high=now, dtype=np.int64)
    rest, n_rest = None, n_folded.integer(0, MOST)
    if n_rest:
        rest = read_learned(folded, scaler, n_values, named, now=True)
        check(scaler, rest.now, names, folded)
    else:
        folded.null("where no groups were folded")
    known = restored(index, statistic.store(), weights, last, whole, rest, n_rest, now)
    return Known(scaler, known, n_columns, parts, columns)


def names_of_values(estimator: Any, key_columns: set[int]) -> SimpleNamespace:
    """Return an object that has the names of the columns that are no keys, if they have any."""
    if "feature_names_in_" not in estimator.__dict__:
        return SimpleNamespace()
    names = [name for i, name in enumerate(estimator.feature_names_in_) if i not in key_columns]
    return SimpleNamespace(feature_names_in_=names)


def read_learned(node: Node, scaler: Scaler, n_features: int, named: Any, *, now: bool) -> Learned:
    """Return what was learned of one group: as the scaler keeps its past, or as it is ``now``."""
    n_rows, fields = node.entries("n_rows", "statistic")
    zero: Any = scaler._no_rows(1, 1, named)
    history = (zero.now() if now else zero).restored(fields, n_features)
    learned = Learned(history, n_rows.number(0))
    if history.n_rows is not None:
        n_rows.same_number(history.n_rows)
    return learned


def check(scaler: Scaler, now: Any, names: Any, node: Node) -> None:
    """Raise where a statistic is none that the scaler would have learned."""
    try:
        scaler._check_now(now, names)
    except ValueError as error:
        raise ValueError(f"{node} does not fit {type(scaler).__name__}: {error}") from None


def read_positions(node: Node, n_columns: int) -> tuple[int, ...]:
    """Return which columns are keys."""
    keys = tuple(column.integer(0, n_columns - 1) for column in node.items())
    if not keys or len(set(keys)) < len(keys) or len(keys) >= n_columns:
        raise node.error("must be distinct columns, some but not all")
    return keys


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
