"""Keys in SQL: a table of the parameters that differ between them, and the join with it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sknorm.export._exported import Exported
from sknorm.export._sql_query import Query, unlike
from sknorm.maps import Fence

Which: TypeAlias = tuple[int, str, int]  # a parameter, by step, name and column
Parameters: TypeAlias = dict[Which, NDArray[np.float64]]  # each of every group

# Keys that a statement holds: SQLite unites 500 SELECTs.
INLINE = 400


def parameters_of(part: Exported) -> Parameters:
    """Return the parameters that a part has; NaN is missing, as are the bounds of open sides."""
    found: Parameters = {}
    for i, step in enumerate(part.steps):
        for name in ("centre", "scale", "gain", "shift", "low", "high", "bound"):
            of = getattr(step, name, None)
            if of is None:
                continue
            if isinstance(step, Fence):
                of = np.where(np.isinf(of), np.nan, of)
            elif np.isinf(of).any():
                raise ValueError(f"The parameter {name} of {type(step).__name__} is infinite, which SQL cannot say.")
            there = ~np.isnan(of).all(axis=0) | (not isinstance(step, Fence))
            found |= {(i, name, j): of[:, j] for j in np.flatnonzero(there).tolist()}
    if part.lookup is not None:
        blank = part.lookup.blank
        found |= {(-1, "blank", j): blank[:, j].astype(float) for j in np.flatnonzero(blank.any(axis=0)).tolist()}
    return found


def varying(part: Exported, parameters: Parameters) -> dict[Which, str]:
    """Return the parameters that are not the same for all keys, and what a table of keys calls them."""
    taken: set[str] = set()
    return {
        which: unlike(f"{which[1]}_{part.names_in[part.values[which[2]]]}", taken)
        for which, of in parameters.items()
        if not np.array_equal(of, np.full(of.shape, of[0]), equal_nan=True)
    }


class Keys(NamedTuple):
    """The keys that are joined: all, but for the missing one of keys of one part.

    ``parts`` holds the values of every part, ``kinds`` their types, ``rows`` where their parameters are; ``unknown``
    and ``missing`` are where those of other keys are, and those of missing ones.
    """

    parts: list[list[Any]]
    kinds: list[str]
    rows: list[int]
    unknown: int
    missing: int


def keys_of(part: Exported) -> Keys:
    """Return the keys of a scaler by keys."""
    assert part.lookup is not None
    keys = part.lookup.keys
    n_parts = 1 if part.keys is None else len(part.keys)
    if part.keys is None and keys and all(isinstance(key, tuple) and len(key) == len(keys[0]) for key in keys):
        n_parts = len(keys[0])
    rows = [i for i, key in enumerate(keys) if key is not None]
    missing = keys.index(None) if len(rows) < len(keys) else len(keys) + 1
    parts = [[keys[i][part] if n_parts > 1 else keys[i] for i in rows] for part in range(n_parts)]
    return Keys(parts, [kind_of(values) for values in parts], rows, len(keys), missing)


def kind_of(values: list[Any]) -> str:
    """Return the type in SQL of the values of one part of the keys."""
    of_kind = {kind_of_key(value): value for value in values if value is not None}
    if len(of_kind) > 1 and set(of_kind) <= {"boolean", "bigint", "double"}:  # 1, 1.0 and True are one key
        return "double" if "double" in of_kind else "bigint"
    if len(of_kind) > 1:
        some = " and ".join(map(repr, of_kind.values()))
        raise ValueError(f"The keys are of several kinds, such as {some}; a column in SQL is of one.")
    return next(iter(of_kind), "text")


def kind_of_key(key: Any) -> str:
    """Return the type in SQL of a value."""
    if isinstance(key, bool):
        return "boolean"
    if isinstance(key, int) and -(2**63) <= key < 2**63:
        return "bigint"
    if isinstance(key, float) and np.isfinite(key):
        return "double"
    if isinstance(key, str) and "\0" not in key:
        return "text"
    if isinstance(key, datetime) and not getattr(key, "nanosecond", 0):
        return "timestamp" if key.tzinfo is None else "timestamptz"
    if type(key) is date:
        return "date"
    raise TypeError(f"The key {key!r} is none that SQL can write.")


def join(query: Query, part: Exported, columns: list[str], parameters: Parameters) -> dict[Which, str]:
    """Add the parameters that differ between keys, which are in these columns; return what they are called."""
    keys, varied = keys_of(part), varying(part, parameters)
    if keys.rows and len(columns) != len(keys.parts):
        raise ValueError(
            f"The keys were given to fit as groups, of {len(keys.parts)} part(s); give the columns of the table that "
            f"hold them as groups too, not {len(columns)}."
        )
    if not varied:
        return {}
    misses = [query.is_missing(query[name], kind) for name, kind in zip(columns, keys.kinds, strict=False)]
    if keys.rows:
        theirs = query.lookup or query.subquery("keys", keys_as_select(query, keys, varied, parameters))
        x, k = (unlike(name, query.taken_tables) for name in ("x", "k"))
        for node in (*query.columns.values(), *misses):
            for column in node.find_all(query.exp.Column):
                column.set("table", query.identifier(x))
        conditions = [
            condition
            for i, (name, values, kind) in enumerate(zip(columns, keys.parts, keys.kinds, strict=True), 1)
            for condition in query.same(query[name], query.column(f"key_{i}", k), values, kind)
        ]
        x_name, k_name = query.text(query.identifier(x)), query.text(query.identifier(k))
        on = query.text(query.exp.and_(*conditions, copy=False))
        query.source = f"{query.source} AS {x_name}\nLEFT JOIN {theirs} AS {k_name} ON {on}"
    found = {}
    for which, name in varied.items():
        of, branches = parameters[which], []
        if keys.rows:
            known = query.op("EQ", query.column("known", k), query.exp.Literal.number(1))
            value = query.column(name, k)
            branches.append((known, query.as_double(value) if query.lookup else value))
        if misses and not np.array_equal(of[keys.missing], of[keys.unknown], equal_nan=True):
            branches.append((query.either(*(miss.copy() for miss in misses)), query.number(of[keys.missing])))
        found[which] = query.add(name, query.case(*branches, otherwise=query.number(of[keys.unknown])))
    query.level()
    return found


def keys_as_select(query: Query, keys: Keys, varied: dict[Which, str], parameters: Parameters) -> str:
    """Return the keys and their parameters as SELECTs."""
    if len(keys.rows) > INLINE:
        raise ValueError(
            f"The scaler knows {len(keys.rows)} keys, and a statement holds {INLINE}: write what "
            "sknorm.export.lookup_table returns into a table of the database, and give its name as lookup."
        )
    rows = []
    for i, row in enumerate(keys.rows):
        parts = zip(keys.parts, keys.kinds, strict=True)
        columns = {"known": query.exp.Literal.number(1)}
        columns |= {f"key_{n}": query.key(values[i], kind) for n, (values, kind) in enumerate(parts, 1)}
        columns |= {name: query.number(parameters[which][row]) for which, name in varied.items()}
        rows.append(query.listed(columns, ", ") if i == 0 else ", ".join(map(query.text, columns.values())))
    return "SELECT " + "\nUNION ALL SELECT ".join(rows)
