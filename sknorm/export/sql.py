"""Fitted estimators as SQL: one SELECT that does in a database what ``transform`` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sknorm.export._exported import Exported, exported_steps
from sknorm.maps import Affine, Clip, Fence, RowNorm, Squash

Node: TypeAlias = Any  # an expression of sqlglot
Which: TypeAlias = tuple[int, str, int]  # a parameter, by step, name and column
Parameters: TypeAlias = dict[Which, NDArray[np.float64]]  # each of every group

# What the dialects call text that compare it with numbers; the others refuse to.
TEXT = {"duckdb": ("VARCHAR", "ENUM"), "snowflake": ("VARCHAR",), "spark": ("string",), "sqlite": ("text",)}
DIALECTS = ("bigquery", "postgres", *TEXT)
# Keys that a statement holds: SQLite unites 500 SELECTs.
INLINE = 400
# Bytes of a name: PostgreSQL cuts off what follows the 63rd.
LONGEST = 50
# A ratio whose square is nothing beside 1.
NEGLIGIBLE = 2.0**-30
# Rows with values beyond LARGE are divided by UNIT, so that no square overflows. What is within SMALL has no square, or
# one so small that PostgreSQL refuses to divide it.
LARGE, UNIT, SMALL = 1e150, 2.0**600, 1e-160


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


# What is exported.


def as_list(names: str | Sequence[str]) -> list[str]:
    """Return names as a list, one alone too."""
    return [names] if isinstance(names, str) else list(names)


def refuse_twice(names: list[str], what: str) -> None:
    """Raise where a name is there twice."""
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} is twice among {what}.")


def unlike(name: str, taken: set[str]) -> str:
    """Return a name, shortened, that differs from those taken by more than upper and lower case; take it."""
    name = found = name.encode()[:LONGEST].decode(errors="ignore")
    n = 1
    while found.casefold() in taken:
        n += 1
        found = f"{name}_{n}"
    taken.add(found.casefold())
    return found


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


# The statement.


class Query:
    """A statement in the making: columns, as expressions over the last of its levels.

    A level is a SELECT that the next one reads. What mentions a column more than once wants it `plain`, a column of the
    level below, lest expressions grow with every step.
    """

    def __init__(self, dialect: str, table: str, lookup: str | None) -> None:
        try:
            from sqlglot import Dialect, exp
        except ImportError:
            raise ImportError('to_sql needs sqlglot; install it with pip install "sknorm[sql]"') from None
        self.exp: Any = exp
        self.dialect, self.generate = dialect, Dialect.get_or_raise(dialect).generate
        self.type = self.text(exp.DataType(this=exp.DataType.Type.DOUBLE))
        self.taken: set[str] = set()
        self.taken_tables: set[str] = set()
        self.source = self.table(table)
        self.lookup = None if lookup is None else self.table(lookup)
        self.columns: dict[str, Node] = {}
        self.numbers: set[str] = set()
        self.levels: list[str] = []

    # Names and columns.

    def identifier(self, name: str) -> Node:
        """Return a name, quoted."""
        if not isinstance(name, str) or "\0" in name:
            raise ValueError(f"{name!r} cannot be a name in SQL.")
        return self.exp.to_identifier(name, quoted=True)

    def table(self, name: str) -> str:
        """Return the name of a table, which may have those of a schema and a catalog before it."""
        from sqlglot import parse_one
        from sqlglot.errors import SqlglotError

        try:
            parts = [part.this for part in parse_one(name, into=self.exp.Table, dialect=self.dialect).parts]
        except (AttributeError, TypeError, SqlglotError):
            parts = []
        if not 1 <= len(parts) <= 3 or not all(isinstance(part, str) and part for part in parts):
            raise ValueError(
                f"{name!r} is not the name of a table, such as 'sales' or 'shop.sales'; quote it as SQL does where it "
                "holds more than letters, digits and underscores."
            )
        self.taken_tables.add(parts[-1].casefold())
        return ".".join(self.text(self.identifier(part)) for part in parts)

    def column(self, name: str, table: str | None = None) -> Node:
        """Return a column of the last level, or of a table that is joined."""
        return self.exp.Column(this=self.identifier(name), table=None if table is None else self.identifier(table))

    def __getitem__(self, name: str) -> Node:
        return self.columns[name].copy()

    def add(self, name: str, value: Node = None) -> str:
        """Add a column, of the table if no value is given; return what it is called within the statement."""
        value = self.column(name) if value is None else value
        inside = unlike(name, self.taken)
        self.columns[inside] = value
        return inside

    def drop(self, names: Iterable[str]) -> None:
        """Leave columns out from now on."""
        for name in names:
            del self.columns[name]

    def as_numbers(self, names: list[str]) -> None:
        """Let columns be numbers in double precision."""
        self.columns |= {name: self.as_double(self[name]) for name in names if name not in self.numbers}
        self.numbers.update(names)

    # Levels.

    def plain(self, names: list[str]) -> None:
        """Let these be columns of the level below."""
        if not all(isinstance(self.columns[name], self.exp.Column) for name in names):
            self.level()

    def level(self, barrier: bool = False) -> None:
        """Begin a level above; a barrier keeps engines from writing its expressions wherever they are mentioned."""
        level = self.select(self.columns)
        if barrier and self.dialect == "postgres":
            level += "\nOFFSET 0"
        materialized = " MATERIALIZED" if barrier and self.dialect == "sqlite" else ""
        self.source = self.subquery("step", level, materialized)
        self.columns = {name: self.column(name) for name in self.columns}

    def subquery(self, name: str, text: str, materialized: str = "") -> str:
        """Put a SELECT before the statement; return its name."""
        name = self.text(self.identifier(unlike(name, self.taken_tables)))
        self.levels.append(f"{name} AS{materialized} (\n{text}\n)")
        return name

    def select(self, columns: dict[str, Node]) -> str:
        """Return a SELECT of these columns from the last level."""
        listed = self.listed(columns, ",\n  ")
        return f"SELECT\n  {listed}\nFROM {self.source}"

    def listed(self, columns: dict[str, Node], comma: str) -> str:
        """Return columns and their names."""
        names = {name: self.text(self.identifier(name)) for name in columns}
        texts = {name: self.text(value) for name, value in columns.items()}
        return comma.join(text if text == names[name] else f"{text} AS {names[name]}" for name, text in texts.items())

    def statement(self, columns: dict[str, str]) -> str:
        """Return the statement whose columns are these, by what they are called within."""
        select = self.select({name: self.columns[inside] for name, inside in columns.items()})
        return f"WITH {', '.join(self.levels)}\n{select}" if self.levels else select

    def text(self, node: Node) -> str:
        """Return an expression as the dialect has it."""
        return self.generate(node, copy=False)

    # Expressions.

    def number(self, value: float) -> Node:
        """Return a number in double precision; NULL if it is not finite.

        With 17 digits, since SQLite does not round fewer to the nearest number; and with an exponent, since what has
        none is decimal to engines.
        """
        digits, _, exponent = f"{value:.16e}".partition("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}" if exponent else "NULL"
        quote = "'" if exponent and self.dialect == "snowflake" else ""  # to which some of them are decimal even so
        return self.exp.Var(this=f"CAST({quote}{text}{quote} AS {self.type})")  # as it is: a tree of it is slow

    def double(self, value: Node) -> Node:
        """Return a value in double precision."""
        return self.exp.Cast(this=value, to=self.exp.DataType(this=self.exp.DataType.Type.DOUBLE))

    def as_double(self, value: Node) -> Node:
        """Return a value in double precision, NULL where it is missing."""
        double = self.double(value)
        if self.dialect == "sqlite":  # which has no NaN
            return double
        if self.dialect == "bigquery":  # whose NaN does not equal itself
            return self.case((self.call("IS_NAN", double), self.exp.Null()), otherwise=double.copy())
        return self.call("NULLIF", double, self.double(self.exp.Literal.string("NaN")))

    def call(self, name: str, *arguments: Node) -> Node:
        """Return a call of a function."""
        return self.exp.Anonymous(this=name, expressions=list(arguments))

    def op(self, kind: str, left: Node, right: Node) -> Node:
        """Return an operation, by sqlglot's name, of which the operands come first."""
        exp = self.exp
        sums, products = (exp.Add, exp.Sub), (exp.Mul, exp.Div)
        if kind in ("Mul", "Div") and isinstance(left, sums):
            left = exp.Paren(this=left)
        if isinstance(right, (*sums, *products) if kind in ("Mul", "Div") else sums):
            right = exp.Paren(this=right)
        plainly = {"typed": True, "safe": False} if kind == "Div" else {}  # no cast, no NULLIF
        return getattr(exp, kind)(this=left, expression=right, **plainly)

    def either(self, *conditions: Node) -> Node:
        """Return the condition that one of these is true."""
        return self.exp.or_(*conditions, copy=False)

    def case(self, *branches: tuple[Node, Node], otherwise: Node = None) -> Node:
        """Return what the first condition that is true leads to."""
        ifs = [self.exp.If(this=condition, true=value) for condition, value in branches]
        return self.exp.Case(ifs=ifs, default=otherwise) if ifs else otherwise

    def is_null(self, value: Node) -> Node:
        """Return the condition that a value is NULL."""
        return self.exp.Is(this=value, expression=self.exp.Null())

    def total(self, terms: list[Node]) -> Node:
        """Return a sum, in pairs: engines refuse what is nested too deep."""
        half = -(-len(terms) // 2)
        return terms[0] if half == len(terms) else self.op("Add", self.total(terms[:half]), self.total(terms[half:]))

    def largest(self, terms: list[Node]) -> Node:
        """Return the largest of values of which none is missing; functions of SQLite take 127 of them."""
        name = "MAX" if self.dialect == "sqlite" else "GREATEST"
        while len(terms) > 1:
            groups = [terms[i : i + 50] for i in range(0, len(terms), 50)]
            terms = [group[0] if len(group) == 1 else self.call(name, *group) for group in groups]
        return terms[0]

    # Keys.

    def key(self, value: Any, kind: str) -> Node:
        """Return a part of a key."""
        exp = self.exp
        if value is None:
            return exp.cast(exp.Null(), kind)
        if kind == "text":
            return exp.Literal.string(value)
        if kind == "boolean":
            return exp.Boolean(this=value)
        if kind == "double":
            return self.number(value)
        if kind == "bigint":
            literal = exp.Literal.number(str(abs(value)))
            return exp.Neg(this=literal) if value < 0 else literal
        if self.dialect == "sqlite":
            raise TypeError(f"SQLite has no type for the key {value!r}, nor for other dates and times.")
        return exp.cast(exp.Literal.string(str(value.astimezone(UTC) if kind == "timestamptz" else value)), kind)

    def is_missing(self, key: Node, kind: str) -> Node:
        """Return the condition that a part of a key is missing; NaN is."""
        return self.is_null(self.as_double(key) if kind in ("bigint", "double") else key)

    def is_kind(self, key: Node, kind: str) -> Node:
        """Return the condition that a part of a key is text, or that it is none."""
        exp, name = self.exp, self.call("TYPEOF", self.call("TO_VARIANT", key) if self.dialect == "snowflake" else key)
        if self.dialect == "duckdb":  # ENUM('a', 'b')
            name = self.call("SPLIT_PART", name, exp.Literal.string("("), exp.Literal.number(1))
        is_text = exp.In(this=name, expressions=[exp.Literal.string(text) for text in TEXT[self.dialect]])
        return is_text if kind == "text" else exp.Not(this=is_text)

    def same(self, mine: Node, theirs: Node, values: list[Any], kind: str) -> list[Node]:
        """Return the conditions that a part of a key, which has these values, is the same in two tables.

        They are equalities of what is not NULL, which all engines look up; IS NOT DISTINCT FROM is not such.
        """
        some = next((value for value in values if value is not None), None)
        may_miss, typed = None in values, mine.copy()
        if some is not None and self.dialect in TEXT:  # lest '1' be 1
            typed = self.case((self.is_kind(mine.copy(), kind), typed))
        if not may_miss:
            return [self.op("EQ", typed, theirs)]
        if some is not None and self.dialect == "sqlite":  # which looks up IS
            is_kind = self.either(self.is_null(mine.copy()), self.is_kind(mine, kind))
            return [self.op("NullSafeEQ", typed, theirs), is_kind]
        number, misses = self.exp.Literal.number, [self.is_missing(of.copy(), kind) for of in (mine, theirs)]
        same = [self.op("EQ", *(self.case((miss.copy(), number(1)), otherwise=number(0)) for miss in misses))]
        if some is not None:
            filled = zip(misses, (typed, theirs), strict=True)
            same.append(self.op("EQ", *(self.case((miss, self.key(some, kind)), otherwise=of) for miss, of in filled)))
        return same


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


# What maps are.


def write_part(query: Query, part: Exported, columns: list[str], beside: list[str]) -> list[str]:
    """Let columns become what a part makes of them; return those that come out."""
    values, parameters = [columns[j] for j in part.values], parameters_of(part)
    query.as_numbers(values)
    joined: dict[Which, str] = {}
    if part.lookup is not None:
        joined = join(query, part, beside if part.keys is None else [columns[j] for j in part.keys], parameters)

    def parameter(which: Which, fold: float = 1.0) -> Node:
        if which in joined:
            value = query[joined[which]]
            return value if fold == 1 else query.op("Mul", value, query.number(fold))
        return query.number(float(parameters[which][0]) * fold) if which in parameters else None

    def blank(j: int, is_blank: float) -> Node:
        return query.op("EQ", parameter((-1, "blank", j)), query.number(is_blank))

    flags, untouched = [], {}
    if part.flags is not None:
        query.plain(values)
        sides = [query.number(-1), query.number(1)]
        bounds = [np.where(np.isinf(end[0]), np.nan, end[0]) for end in (part.flags.low, part.flags.high)]
        for name, out, *ends in zip(values, part.names_out[len(values) :], *bounds, strict=True):
            nodes = [None if np.isnan(end) else query.number(end) for end in ends]
            flags.append(query.add(out, fenced(query, name, nodes, sides, query.number(0))))
        query.numbers.update(flags)
    for j in [j for _, field, j in parameters if field == "blank"]:
        name = values[j]
        if part.lookup is not None and part.lookup.passes:
            untouched[j] = query.add(name, query[name])
        else:
            query.columns[name] = query.case((blank(j, 0), query[name]))
    for i, step in enumerate(part.steps):
        if isinstance(step, RowNorm):
            write_rows(query, step, values)
        elif not isinstance(step, Affine):
            query.plain(values)
        for j, name in enumerate(values):
            of = partial(lambda i, j, field, fold=1.0: parameter((i, field, j), fold), i, j)
            query.columns[name] = mapped_by(query, step, name, of)
    for j, name in untouched.items():
        query.columns[values[j]] = query.case((blank(j, 1), query[name]), otherwise=query.columns[values[j]])
    stay = columns if not flags and len(part.names_out) == len(columns) else values
    query.drop({*joined.values(), *untouched.values(), *columns}.difference(stay))
    return [*stay, *flags]


def mapped_by(query: Query, step: Any, name: str, of: Callable[..., Node]) -> Node:
    """Return what a map makes of a column, whose parameters, times a number if one is given, `of` returns."""
    if isinstance(step, Squash):
        return squashed(query, name, of)
    if isinstance(step, (Clip, Fence)):
        ends = [of("low"), of("high")]
        drops = isinstance(step, Fence) and step.drops
        return fenced(query, name, ends, [query.exp.Null()] * 2 if drops else ends, query[name])
    value = query[name]
    for kind, field in (("Sub", "centre"), ("Div", "scale"), ("Mul", "gain"), ("Add", "shift")):
        parameter = of(field)
        if parameter is not None:
            value = query.op(kind, value, parameter)
    return value


def fenced(query: Query, name: str, ends: list[Node], to: list[Node], inside: Node) -> Node:
    """Return what becomes of a column below the first end and above the second, where there is one, and inside."""
    branches = [
        (query.op(kind, query[name], end.copy()), value.copy())
        for kind, end, value in zip(("LT", "GT"), ends, to, strict=True)
        if end is not None
    ]
    return query.case(*branches, otherwise=inside)


def beyond(query: Query, name: str, high: Node, low: Node) -> Node:
    """Return the condition that a column is above the one or below the other."""
    return query.either(query.op("GT", query[name], high), query.op("LT", query[name], low))


def squashed(query: Query, name: str, of: Callable[..., Node]) -> Node:
    """Return x/√(1 + (x/B)²), where the square is neither all there is, which gives B, nor nothing beside 1."""
    op, x = query.op, partial(query.__getitem__, name)
    ratio = op("Div", x(), of("bound"))
    root = query.exp.Sqrt(this=op("Add", query.number(1), op("Mul", ratio, ratio.copy())))
    return query.case(
        (op("GT", x(), of("bound", 1 / NEGLIGIBLE)), of("bound")),
        (op("LT", x(), of("bound", -1 / NEGLIGIBLE)), of("bound", -1.0)),
        (beyond(query, name, of("bound", NEGLIGIBLE), of("bound", -NEGLIGIBLE)), op("Div", x(), root)),
        otherwise=x(),
    )


def write_rows(query: Query, step: RowNorm, names: list[str]) -> None:
    """Let columns become their distances from the mean of their block over √(variance + eps)."""
    op, number, case, exp = query.op, query.number, query.case, query.exp
    ends = step.ends.tolist()
    blocks = [names[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def each(name: str, of: Callable[..., Node], *others: list[str]) -> list[str]:
        return [query.add(name, of(*block)) for block in zip(blocks, *others, strict=True)]

    def change(kind: str, by: list[str]) -> None:
        for block, other in zip(blocks, by, strict=True):
            for name in block:
                query.columns[name] = op(kind, query.columns[name], query[other])

    def or_zero(value: Node) -> Node:
        return exp.Coalesce(this=value, expressions=[number(0)])

    def count_of(block: list[str]) -> Node:
        some = [case((query.is_null(query[name]), number(0)), otherwise=number(1)) for name in block]
        return query.call("NULLIF", query.total(some), number(0))

    def unit_of(block: list[str]) -> Node:
        largest = query.largest([or_zero(exp.Abs(this=query[name])) for name in block])
        return case((op("GT", largest, number(LARGE)), number(UNIT)), otherwise=number(1))

    def mean_of(block: list[str], count: str) -> Node:
        return op("Div", query.total([or_zero(query[name]) for name in block]), query[count])

    def variance_of(block: list[str], count: str) -> Node:
        is_some = (beyond(query, name, number(SMALL), number(-SMALL)) for name in block)
        squares = ((some, op("Mul", query[name], query[name])) for some, name in zip(is_some, block, strict=True))
        return op("Div", query.total([case(square, otherwise=number(0)) for square in squares]), query[count])

    def root_of(_: list[str], unit: str, variance: str) -> Node:
        eps = case((op("GT", query[unit], number(1)), number(0)), otherwise=number(step.eps))
        root = exp.Sqrt(this=op("Add", query[variance], eps) if step.eps else query[variance])
        return case((op("GT", root, number(0)), root.copy()), otherwise=number(1))

    query.plain(names)
    counts, units = each("count", count_of), each("unit", unit_of)
    query.level(barrier=True)
    change("Div", units)
    means = each("mean", mean_of, counts)
    query.level(barrier=True)
    change("Sub", means)
    lows = each("low", mean_of, counts)  # what the mean was rounded by: a constant is 0 without
    query.level(barrier=True)
    change("Sub", lows)
    query.level()
    variances = each("variance", variance_of, counts)
    query.level(barrier=True)
    roots = each("root", root_of, units, variances)
    query.level()
    change("Div", roots)
    query.drop([*counts, *units, *means, *lows, *variances, *roots])
