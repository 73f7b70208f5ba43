"""Fitted estimators as SQL: one SELECT that does in a database what ``transform`` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sknorm.export._exported import exported_steps
from sknorm.export._sql_keys import keys_of, parameters_of, varying
from sknorm.export._sql_maps import write_part
from sknorm.export._sql_query import DIALECTS, Query

__all__ = ["lookup_table", "to_sql"]


def to_sql(
    estimator: Any,
    *,
    dialect: str = "duckdb",
    table: str,
    keep: str | Sequence[str] = (),
    lookup: str | None = None,
    groups: str | Sequence[str] | None = None,
) -> str:
    """Return one SELECT statement that does to a table what ``transform`` does.

    Its columns are those of `keep`, unchanged, then those of ``estimator.get_feature_names_out()``, in double
    precision, computed as ``transform`` does: ``(x − centre)/scale``, never by a reciprocal. What is missing, NULL or
    NaN, comes out as NULL. Infinities, which ``transform`` refuses or drops as outliers, are for the table to keep out:
    a statement refuses no row. Nor does it refuse missing keys, under ``missing_key="error"``: all rows' parameters are
    theirs. PostgreSQL raises where a result is too large, or too small, for a double.

    Parameters
    ----------
    estimator : estimator of sknorm, or Pipeline of such
        Fitted. The table must have columns of the names that X had, numbers all, but for keys; x0, x1, … if X had none.
    dialect : {"bigquery", "duckdb", "postgres", "snowflake", "spark", "sqlite"}, default="duckdb"
        For whom the statement is. A soft clip and the norms of rows need SQLite's mathematical functions.
    table : str
        The table, such as ``"sales"`` or ``"shop.sales"``; quoted as the dialect does where a name holds more than
        letters, digits and underscores: ``'"last year"'``. Upper and lower case are kept.
    keep : str or sequence of str, default=()
        Columns of the table that come first, as they are, such as its primary key.
    lookup : str, default=None
        The table that holds what `lookup_table` returns, for a `GroupedScaler`. None writes the keys into the
        statement, 400 at most.
    groups : str or sequence of str, default=None
        The columns of the table that hold the keys of a `GroupedScaler` that was fitted with ``groups``.

    Returns
    -------
    statement : str
        The statement, without a semicolon: to be a view, a part of another, or the source of an INSERT. No column is
        known to exist before it runs.

    Raises
    ------
    ImportError
        If sqlglot is not installed.
    TypeError
        If the estimator is none of sknorm's, or a key is none that SQL can write: strings, integers of 64 bits, finite
        numbers, booleans, and, except in SQLite, dates and times to the microsecond.
    ValueError
        If the dialect is not known, a name clashes with another or cannot be one, the parts of keys are of several
        kinds, there are too many keys for a statement, or what the estimator does cannot be done elsewhere.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from sknorm import StandardScaler
    >>> from sknorm.export import to_sql
    >>> scaler = StandardScaler().fit(pd.DataFrame({"amount": [1.0, 3.0]}))
    >>> print(to_sql(scaler, dialect="sqlite", table="sales", keep="id"))
    SELECT
      "id",
      (CAST("amount" AS REAL) - CAST(2e0 AS REAL)) / CAST(1e0 AS REAL) AS "amount"
    FROM "sales"
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(sorted(DIALECTS))}, not {dialect!r}.")
    parts = exported_steps(estimator)
    if not parts:
        raise ValueError("The pipeline has no step that does anything, so there is nothing to export.")
    names, kept = list(estimator.get_feature_names_out()), as_list(keep)
    refuse_twice([*kept, *names], "the statement's columns, those of keep among them")
    refuse_twice(parts[0].names_in, "the columns of X")
    looked_up = [part for part in parts if part.lookup is not None]
    beside = [] if groups is None else as_list(groups)
    if groups is not None and all(part.keys is not None for part in looked_up):
        raise ValueError("groups names the keys of a scaler that was fitted with groups; there is none here.")
    if lookup is not None and len(looked_up) != 1:
        raise ValueError(f"lookup is the table of one scaler's keys; there are {len(looked_up)} here.")
    query = Query(dialect, table, lookup)
    columns = [query.add(name) for name in parts[0].names_in]
    keeping, beside = [query.add(name) for name in kept], [query.add(name) for name in beside]
    for part in parts:
        columns = write_part(query, part, columns, beside)
    return query.statement(dict(zip([*kept, *names], [*keeping, *columns], strict=True)))


def lookup_table(estimator: Any) -> Any:
    """Return what a `GroupedScaler` knows of every key, for a table that `to_sql` joins as its `lookup`.

    Parameters
    ----------
    estimator : GroupedScaler, or Pipeline with one
        Fitted. A statement goes with the table of the same state: the parameters of other keys are in the statement.

    Returns
    -------
    table : pandas.DataFrame
        A row for each key, with the columns ``known``, which is 1; ``key_1``, ``key_2``, …, the parts of the key in the
        order of ``by``, some of them missing; and ``<parameter>_<column>`` for each parameter that is not the same for
        all keys: ``centre``, ``scale``, ``gain``, ``shift``, ``low``, ``high`` (missing where there is no bound), and
        ``blank``, which is 1 where a key has no value of a column. The missing key, where keys are of one part, is in
        the statement too.

    Raises
    ------
    TypeError
        If the estimator is none of sknorm's, or a key is none that SQL can write.
    ValueError
        If there is not one such scaler, or parts of keys are of several kinds.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from sknorm import GroupedScaler
    >>> from sknorm.export import lookup_table
    >>> X = pd.DataFrame({"merchant": ["a", "a", "b", "b"], "amount": [1.0, 3.0, 10.0, 30.0]})
    >>> lookup_table(GroupedScaler(by="merchant").fit(X))
       known key_1  centre_amount  scale_amount
    0      1     a            2.0           1.0
    1      1     b           20.0          10.0
    """
    import pandas as pd

    parts = [part for part in exported_steps(estimator) if part.lookup is not None]
    if len(parts) != 1:
        raise ValueError(f"A table of keys is that of one GroupedScaler; there are {len(parts)} here.")
    keys, parameters = keys_of(parts[0]), parameters_of(parts[0])
    dtypes = {"bigint": "Int64", "boolean": "boolean", "double": "float64", "date": "object"}
    columns = {
        f"key_{i}": pd.Series(values, dtype=dtypes.get(kind))
        for i, (values, kind) in enumerate(zip(keys.parts, keys.kinds, strict=True), 1)
    }
    varied = {name: parameters[which][keys.rows] for which, name in varying(parts[0], parameters).items()}
    return pd.DataFrame({"known": np.ones(len(keys.rows), np.int64), **columns, **varied})


def as_list(names: str | Sequence[str]) -> list[str]:
    """Return names as a list, one alone too."""
    return [names] if isinstance(names, str) else list(names)


def refuse_twice(names: list[str], what: str) -> None:
    """Raise where a name is there twice."""
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} is twice among {what}.")
