"""A SELECT in the making, in the dialect of an engine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any, TypeAlias

Node: TypeAlias = Any  # an expression of sqlglot

# What the dialects call text that compare it with numbers; the others refuse to.
TEXT = {"duckdb": ("VARCHAR", "ENUM"), "snowflake": ("VARCHAR",), "spark": ("string",), "sqlite": ("text",)}
DIALECTS = ("bigquery", "postgres", *TEXT)
# Bytes of a name: PostgreSQL cuts off what follows the 63rd.
LONGEST = 50


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


def unlike(name: str, taken: set[str]) -> str:
    """Return a name, shortened, that differs from those taken by more than upper and lower case; take it."""
    name = found = name.encode()[:LONGEST].decode(errors="ignore")
    n = 1
    while found.casefold() in taken:
        n += 1
        found = f"{name}_{n}"
    taken.add(found.casefold())
    return found
