"""What statements compute is what ``transform`` does, in every engine that is here."""

import csv
import io
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from exports import GROUPED, columns_of, export_id, exportable, fitted, tried_on
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler as ScikitScaler

from sknorm import GroupedScaler, GroupNorm, LayerNorm, MinMaxScaler, OutlierClipper, StandardScaler
from sknorm.export._sql_keys import INLINE
from sknorm.export._sql_query import DIALECTS, Query
from sknorm.export.sql import lookup_table, to_sql

sqlglot = pytest.importorskip("sqlglot", reason="statements are written by sqlglot")
duckdb = pytest.importorskip("duckdb", reason="statements are run by DuckDB")

ESTIMATORS = exportable()
FITTED = cache(lambda i: fitted(ESTIMATORS[i]))
TRIED = tried_on()
# In keys and names: quotes of every kind, escapes, comments, ends of statements, what is not ASCII, nothing, much.
HOSTILE = [
    "o'clock",
    'quo"te',
    "tick`",
    "back\\slash\\",
    "'; DROP TABLE tried; --",
    "/* */",
    "--",
    "%s ? :x $1 {}",
    "é 漢",
]
HOSTILE += ["new\nline", "tab\t", "NULL", "select", " ", "long " * 9]

# Engines: each makes tables, and returns the names and the rows of what a statement selects.


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Engine:
    """An engine of which a connection of Python's kind is here."""

    types: ClassVar = {"f": "DOUBLE", "i": "BIGINT", "b": "BOOLEAN", "O": "VARCHAR", "M": "TIMESTAMP"}

    def create(self, name, frame, types=None):
        """Make a table of a frame, missing values as NULL; ``types`` are those of some columns."""
        given = types or {}
        columns = [f"{quoted(column)} {given.get(column, self.types[kind(frame[column])])}" for column in frame]
        self.run(f"DROP TABLE IF EXISTS {name}")
        self.run(f"CREATE TABLE {name} ({', '.join(columns)})")
        self.insert(name, list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)))


def kind(column):
    """Return the letter of NumPy for what is in a column."""
    return "O" if isinstance(column.dtype, pd.StringDtype) else column.dtype.kind


class DuckDB(Engine):
    dialect, has_nan = "duckdb", True

    def __init__(self):
        self.connection = duckdb.connect()

    def run(self, text):
        self.connection.execute(text).fetchall()

    def insert(self, name, rows):
        def literal(value):
            return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"

        self.run(f"INSERT INTO {name} VALUES " + ", ".join(f"({', '.join(map(literal, row))})" for row in rows))

    def select(self, text):
        result = self.connection.execute(text)
        return [column[0] for column in result.description], result.fetchall()


class SQLite(Engine):
    dialect, has_nan = "sqlite", False
    types: ClassVar = {"f": "REAL", "i": "INTEGER", "b": "INTEGER", "O": "TEXT"}

    def __init__(self):
        self.connection = sqlite3.connect(":memory:")

    def run(self, text):
        self.connection.execute(text)

    def insert(self, name, rows):
        self.connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def select(self, text):
        result = self.connection.execute(text)
        return [column[0] for column in result.description], result.fetchall()


class PostgreSQL(Engine):
    """A server of one folder, and psql."""

    dialect, has_nan = "postgres", True
    types: ClassVar = Engine.types | {"f": "DOUBLE PRECISION"}

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder

    def command(self, program, *arguments):
        """Return a command, of another user where we are root, for whom the server does not start."""
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        return [*user, str(self.programs / program), *arguments]

    def do(self, program, *arguments):
        subprocess.run(self.command(program, *arguments), cwd=self.folder, capture_output=True, check=True)

    def start(self):
        data = str(self.folder / "data")
        self.do("initdb", "-D", data, "-U", "sknorm", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c client_min_messages=warning"
        self.do("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")
        asked = ["-X", "-q", "-h", str(self.folder), "-U", "sknorm", "-d", "postgres"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.psql = subprocess.Popen(self.command("psql", *asked), cwd=self.folder, encoding="utf-8", **pipes)

    def stop(self):
        self.psql.communicate("\\q\n")
        self.do("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def run(self, text):
        self.psql.stdin.write(f"{text}\n;\n\\echo <DONE>\n")
        self.psql.stdin.flush()
        lines = []
        while "<DONE>\n" not in lines[-1:]:
            lines.append(self.psql.stdout.readline())
            assert lines[-1], "psql has ended"
        lines.pop()
        if any(line.startswith("ERROR:") for line in lines):
            raise RuntimeError("".join(lines))
        return "".join(lines)

    def insert(self, name, rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [["<NULL>" if value is None else value for value in row] for row in rows]
        )
        self.run(f"COPY {name} FROM STDIN (FORMAT csv, NULL '<NULL>');\n{text.getvalue()}\\.\n")

    def select(self, text):
        answer = self.run(f"COPY ({text}) TO STDOUT (FORMAT csv, NULL '<NULL>', HEADER);")
        names, *rows = csv.reader(io.StringIO(answer, newline=""))
        return names, [tuple(None if value == "<NULL>" else value for value in row) for row in rows]


def postgresql():
    """Return a server that has started, or skip what needs one."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), *filter(None, [shutil.which("initdb")])]
    if not found:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="sknorm-postgres-"))  # which its user can enter, unlike those of pytest
    if os.geteuid() == 0:
        try:
            shutil.chown(folder, "postgres", "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not start for root, and has no user of its own")
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not start for root, and there is no runuser")
    server = PostgreSQL(Path(found[-1]).resolve().parent, folder)
    server.start()
    return server


@pytest.fixture(scope="module", params=["duckdb", "sqlite", "postgres"])
def engine(request):
    if request.param != "postgres":
        engine = {"duckdb": DuckDB, "sqlite": SQLite}[request.param]()
        yield engine
        engine.connection.close()
        return
    server = postgresql()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def tables(engine):
    """Return an engine that has the table ``tried``, with a number for each row."""
    engine.create("tried", TRIED.assign(row=np.arange(len(TRIED))))
    return engine


# Comparing.


def numbers(rows):
    """Return rows of numbers, NaN where they are missing."""
    return np.array([[math.nan if value is None else float(value) for value in row] for row in rows])


def computed(engine, estimator, table="tried", **parameters):
    """Return what a statement makes of a table, in the order of its column ``row``."""
    text = to_sql(estimator, dialect=engine.dialect, table=table, keep="row", **parameters)
    names, rows = engine.select(f'SELECT * FROM (\n{text}\n) AS q ORDER BY "row"')
    assert names == ["row", *estimator.get_feature_names_out()]
    return [row[1:] for row in rows]


def assert_close(actual, expected):
    """Fail where numbers differ by more than 1e-12, or others are missing."""
    assert actual.shape == expected.shape
    with np.errstate(invalid="ignore"):
        error = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected)) | (error <= 1e-12)
    assert same.all(), f"got {actual[~same][:5]}, wanted {expected[~same][:5]}"


def assert_computes(engine, estimator, X, types=None, beside=None, **parameters):
    """Fail where what a statement makes of X, in a table with keys beside it, is not what ``transform`` does."""
    engine.create("given", X.assign(**beside or {}, row=np.arange(len(X))), types)
    keys = {} if beside is None else {"groups": pd.DataFrame(beside).to_numpy(dtype=object)}
    expected = np.asarray(estimator.transform(X, **keys), float)
    assert_close(numbers(computed(engine, estimator, "given", **parameters)), expected)


# All that is exported.


@pytest.mark.parametrize("i", range(len(ESTIMATORS)), ids=map(export_id, ESTIMATORS))
def test_statement_is_transform(tables, i):
    scaler = FITTED(i)
    expected = np.asarray(scaler.transform(TRIED[columns_of(scaler)]))
    actual = computed(tables, scaler)
    if not getattr(scaler, "drop_keys", True):  # the keys stay as they are
        keys = TRIED["merchant"].astype(object)
        assert [row[0] for row in actual] == keys.where(keys.notna(), None).tolist()
        actual, expected = [row[1:] for row in actual], expected[:, 1:].astype(float)
    assert_close(numbers(actual), expected)


def test_not_a_number_is_missing(engine):
    if not engine.has_nan:
        pytest.skip("SQLite has no NaN")
    engine.create("given", pd.DataFrame({"key": [1.0, 2.0, 3.0], "a": [1.0, 2.0, 3.0], "row": [0, 1, 2]}))
    engine.run("UPDATE given SET a = 'NaN' WHERE row = 1")
    engine.run("UPDATE given SET key = 'NaN' WHERE row = 2")
    X = pd.DataFrame({"key": [1.0, 1.0, np.nan, np.nan], "a": [1.0, 3.0, 10.0, 30.0]})
    for scaler, wanted in (
        (OutlierClipper(indicator=True), (None, "0.0")),
        (OutlierClipper("limits", limits=(0, 1), action="missing"), (None,)),
        (StandardScaler(clip=1.0), (None,)),
        (StandardScaler(clip=1.0, clip_mode="soft"), (None,)),
        (LayerNorm(), (None,)),
    ):
        assert (
            tuple(
                value if value is None else str(float(value))
                for value in computed(engine, scaler.fit(X[["a"]]), "given")[1]
            )
            == wanted
        )
    scaler = GroupedScaler(by="key").fit(X)
    assert computed(engine, scaler, "given")[1] == (None,)
    assert float(computed(engine, scaler, "given")[2][0]) == (3 - 20) / 10  # by the rows without a key


def test_columns_of_other_types(engine):
    X = pd.DataFrame({"whole": [1, -(2**31), 2**31 - 1], "cents": [0.1, -12.25, 99999.99], "single": [0.1, 3e38, -7.0]})
    X["single"] = X["single"].astype(np.float32).astype(float)
    single = {"duckdb": "FLOAT", "sqlite": "REAL", "postgres": "REAL"}[engine.dialect]
    types = {"whole": "INTEGER", "cents": "DECIMAL(10, 2)", "single": single}
    scaler = MinMaxScaler((-1, 3)).fit(X.iloc[:2])
    assert_computes(engine, scaler, X, types=types)


def test_a_column_that_was_never_seen_is_missing(engine):
    X = pd.DataFrame({"seen": [1.0, 2.0], "never": [np.nan, np.nan]})
    scaler = StandardScaler().fit(X)
    assert np.isnan(scaler.transform(X.fillna(1.0))[0, 1])
    assert_computes(engine, scaler, X.fillna(1.0))


def test_numbers_are_exact(engine):
    rng = np.random.default_rng(3)
    values = np.ldexp(rng.uniform(0.5, 1, 600), rng.integers(-900, 900, 600)) * rng.choice([-1, 1], 600)
    values = np.r_[values, rng.normal(size=600), 1.7e9 + rng.normal(size=600), 0.1, 1e22, -3, 0, 2**53 - 1]
    query = Query(engine.dialect, "nothing", None)
    for part in np.array_split(values, 10):
        _, rows = engine.select(
            "SELECT " + ", ".join(f"{query.text(query.number(value))} AS c{i}" for i, value in enumerate(part))
        )
        assert np.array_equal(numbers(rows)[0], part)


def test_a_soft_clip_takes_all_numbers(engine):
    """PostgreSQL refuses what is too large for a double or too small."""
    ends = [0.0, 5e-324, 1e-300, 1e-162, 1e-17, 1e-9, 1.0, 1.999, 2.0, 3.0, 1e9, 1e17, 1e160, 1e300, 1.7e308]
    X = pd.DataFrame({"a": [*ends, *np.negative(ends), np.nan]})
    for clip in (2.0, 1e-200, 1e200, 1e305):
        scaler = StandardScaler(with_mean=False, with_std=False, clip=clip, clip_mode="soft").fit(X[:10])
        assert_computes(engine, scaler, X)


def test_open_sides_are_not_compared():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    for tail, below, above in (("left", 2, 0), ("right", 0, 2), ("both", 2, 2)):  # the value, and its indicator
        text = to_sql(OutlierClipper(tail=tail, indicator=True).fit(X), table="t")
        assert (text.count("<"), text.count(">")) == (below, above)
    assert "CASE" not in to_sql(OutlierClipper("limits", limits={}).fit(X), table="t")


# Names.


def test_names_are_quoted(engine):
    names = [name for name in HOSTILE if name.strip()]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(5, len(names))), columns=names)
    assert_computes(engine, StandardScaler(clip=0.5).fit(X), X, types=dict.fromkeys(names, engine.types["f"]))
    keyed = X.assign(**{"o'clock": [1, 1, 2, 2, 3]})
    types = dict.fromkeys(names, engine.types["f"]) | {"o'clock": "INTEGER"}
    assert_computes(engine, GroupedScaler(by="o'clock").fit(keyed), keyed, types=types)


@pytest.mark.parametrize("name", ["main.given", 'main."gi""ven"', '"step"', '"x"', '"keys"', '"o\'clock"', '"a.b"'])
def test_tables_are_quoted(engine, name):
    if engine.dialect == "postgres":
        name = name.replace("main", "public")
    X = pd.DataFrame({"key": ["a", "a", "b"], "a": [1.0, 2.0, 5.0]})
    scaler = GroupedScaler(StandardScaler(clip=0.9), by="key").fit(X)
    engine.create(name, X.assign(row=range(3)))
    assert_close(numbers(computed(engine, scaler, name)), scaler.transform(X))


def test_what_is_no_table_is_refused():
    scaler = StandardScaler().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    names = ["", "read_csv('x')", "a.b.c.d", "a\0b", "t; DROP TABLE t", "t AS u", "(SELECT 1)", "t, u", "my table"]
    for name in [*names, None, 3]:
        with pytest.raises(ValueError, match=r"is not the name of a table|cannot be a name"):
            to_sql(scaler, table=name)


def test_upper_and_lower_case_are_two_columns_where_they_can_be(engine):
    X = pd.DataFrame({"a": [1.0, 2.0, 9.0], "A": [5.0, 7.0, -9.0]})
    scaler = StandardScaler(clip=0.5).fit(X)
    if engine.dialect == "postgres":
        assert_computes(engine, scaler, X)
    else:
        assert '"A_2"' in to_sql(scaler, dialect=engine.dialect, table="t")


def test_long_names_stay_apart(engine):
    """PostgreSQL cuts off names after 63 bytes."""
    names = ["é" * 31, "é" * 30 + "e", "é" * 30 + "f", "known", "key_1", "centre_key_1"]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 6)), columns=names).assign(key=[0, 0, 0, 1, 1, 1])
    assert_computes(engine, GroupedScaler(StandardScaler(clip=1.0), by="key").fit(X), X)


def test_kept_columns_come_first_and_stay(tables):
    scaler = FITTED(ESTIMATORS.index(GROUPED[0]))
    text = to_sql(scaler, dialect=tables.dialect, table="tried", keep=["row", "merchant", "branch"])
    names, rows = tables.select(f'SELECT * FROM (\n{text}\n) AS q ORDER BY "row"')
    assert names == ["row", "merchant", "branch", *scaler.get_feature_names_out()]
    kept = TRIED[["merchant", "branch"]].astype(object)
    assert [(row[1], int(row[2])) for row in rows] == list(
        kept.where(kept.notna(), None).itertuples(index=False, name=None)
    )
    assert_close(numbers([row[3:] for row in rows]), scaler.transform(TRIED[columns_of(scaler)]))


def test_what_is_kept_must_not_clash():
    scaler = OutlierClipper(indicator=True).fit(pd.DataFrame({"a": [1.0, 2.0]}))
    for keep in ("a", ["a_clipped"], ["id", "id"]):
        with pytest.raises(ValueError, match="twice"):
            to_sql(scaler, table="t", keep=keep)
    assert to_sql(scaler, table="t", keep="id") == to_sql(scaler, table="t", keep=["id"])


# Text.


SOFT = StandardScaler(clip=2.0, clip_mode="soft", outliers=OutlierClipper())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "estimator",
    [
        GroupedScaler(SOFT, by=["merchant", "branch"], unseen="passthrough", drop_keys=False),
        GroupedScaler(MinMaxScaler((-1, 2)), by="branch", unseen="nan"),
        OutlierClipper(indicator=True),
        GroupNorm(2, eps=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_statements_parse_as_what_they_are(dialect, estimator):
    scaler = estimator.fit(TRIED.iloc[:8][[*columns_of(estimator)[:-5], "amount", "rare"]])
    text = to_sql(scaler, dialect=dialect, table="shop.tried", keep=["id"])
    (tree,) = sqlglot.parse(text, dialect=dialect)
    assert isinstance(tree, sqlglot.exp.Select)
    assert tree.named_selects == ["id", *scaler.get_feature_names_out()]
    assert {table.db for table in tree.find_all(sqlglot.exp.Table)} == {"", "shop"}
    assert all(name.quoted for name in tree.find_all(sqlglot.exp.Identifier))
    # What is divided is divided, by what it is divided by, which is made NULL for rows without a value alone.
    n_blocks = scaler.n_groups if isinstance(scaler, GroupNorm) else 0
    assert text.count("NULLIF(") == text.count("'NaN'") + n_blocks
    assert not any(word in text for word in ("SAFE_", "TRY_", "DIV0", "IFF"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_keys_are_literals_in_all_dialects(dialect):
    X = pd.DataFrame({"key": HOSTILE, "a": np.arange(len(HOSTILE), dtype=float)})
    tree = sqlglot.parse_one(to_sql(GroupedScaler(by="key").fit(X), dialect=dialect, table="t"), dialect=dialect)
    found = {literal.this for literal in tree.find_all(sqlglot.exp.Literal) if literal.is_string}
    assert found.issuperset(HOSTILE)
    names = [name for name in HOSTILE if name.strip()]
    X = pd.DataFrame(np.eye(2, len(names)), columns=names)
    tree = sqlglot.parse_one(to_sql(MinMaxScaler().fit(X), dialect=dialect, table="t"), dialect=dialect)
    assert tree.named_selects == names


def test_dialects_that_are_not_known_are_refused():
    scaler = StandardScaler().fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="bigquery, duckdb, postgres, snowflake, spark, sqlite, not 'oracle'"):
        to_sql(scaler, dialect="oracle", table="t")


# Keys.


def test_hostile_keys(engine):
    keys = [*HOSTILE, "", "A", "a"]
    X = pd.DataFrame({"key": np.repeat(keys, 3), "a": np.random.default_rng(0).normal(size=3 * len(keys)) * 50})
    scaler = GroupedScaler(by="key").fit(X)
    unknown = pd.DataFrame({"key": ["aa", "O'CLOCK", "null", "  "], "a": [1.0, 2.0, 3.0, 4.0]})
    assert_computes(engine, scaler, pd.concat([X, unknown], ignore_index=True))


@pytest.mark.parametrize("unseen", ["nan", "passthrough"])
@pytest.mark.parametrize("missing_key", ["own", "global"])
@pytest.mark.parametrize("seen", [True, False])
def test_missing_keys(engine, unseen, missing_key, seen):
    """Missing keys are groups like others, which may be unknown; or rows without a group."""
    keys = pd.DataFrame({"s": ["a", "a", "b", "b", None, None], "i": pd.array([1, 2, 1, 2, 1, 2], dtype="Int64")})
    keys = keys.loc[np.arange(12) // 2 % 6].reset_index(drop=True).assign(a=np.random.default_rng(1).normal(size=12))
    new = pd.DataFrame({"s": ["c", None, "a", None], "i": pd.array([1, 3, None, None], dtype="Int64"), "a": 1.0})
    tried = pd.concat([keys, new], ignore_index=True)
    for by, given in (("s", keys[["s", "a"]]), ("i", keys[["i", "a"]]), (["i", "s"], keys)):
        learned = given if seen else given.dropna()
        scaler = GroupedScaler(by=by, unseen=unseen, missing_key=missing_key).fit(learned)
        assert_computes(engine, scaler, tried[learned.columns])


@pytest.mark.parametrize(
    ("keys", "type_"),
    [
        ([True, False, True, False], None),
        ([1, -5, 1, 2**62 + 1], None),
        ([0.5, -1.25, 1e-30, 0.5], None),
        ([1, 0.5, 1, 0.5], "DECIMAL(10, 3)"),
        ([1, 2, 1, 3], "DECIMAL(10, 3)"),
        ([1.0, 2.0, None, 3.0], None),
        (["a", "b", None, "a"], None),
    ],
)
def test_kinds_of_keys(engine, keys, type_):
    X = pd.DataFrame({"key": pd.Series(keys, dtype=object), "a": [1.0, 2.0, 4.0, 8.0]})
    scaler = GroupedScaler(by="key", unseen="nan").fit(X)
    kinds = {bool: "BOOLEAN", int: "BIGINT", float: engine.types["f"], str: "VARCHAR"}
    assert_computes(engine, scaler, X, types={"key": type_ or kinds[type(keys[0])]})


def test_one_and_true_are_one_key(engine):
    X = pd.DataFrame({"key": pd.Series([1, 2.5, True], dtype=object), "a": [1.0, 2.0, 4.0]})
    scaler = GroupedScaler(by="key").fit(X)
    assert_computes(engine, scaler, X.assign(key=[1.0, 2.5, 1.0]))
    assert lookup_table(scaler)["key_1"].tolist() == [1.0, 2.5]
    X = pd.DataFrame({"key": pd.Series([True, 2, True], dtype=object), "a": [1.0, 2.0, 4.0]})
    assert_computes(engine, GroupedScaler(by="key").fit(X), X.assign(key=[1, 2, 1]))
    assert lookup_table(GroupedScaler(by="key").fit(X))["key_1"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("keys", "type_"),
    [
        ([date(2024, 2, 29), date(1, 1, 1), None], "DATE"),
        ([datetime(2024, 2, 29, 12, 30, 15, 250), datetime(1969, 1, 1), None], "TIMESTAMP"),
        (
            [datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5))), datetime(2024, 1, 1, tzinfo=UTC), None],
            "TIMESTAMPTZ",
        ),
    ],
)
def test_dates_and_times_are_keys(engine, keys, type_):
    X = pd.DataFrame({"key": pd.Series(keys, dtype=object), "a": [1.0, 2.0, 4.0]})
    scaler = GroupedScaler(by="key", unseen="nan").fit(X)
    if engine.dialect == "sqlite":
        with pytest.raises(TypeError, match="SQLite has no type for the key d"):
            to_sql(scaler, dialect="sqlite", table="t")
    else:
        assert_computes(engine, scaler, X, types={"key": type_})
        engine.create("keys", lookup_table(scaler), {"key_1": type_})
        assert_computes(engine, scaler, X, types={"key": type_}, lookup="keys")


@pytest.mark.parametrize(("learned", "there"), [([1, 2, 3], ["1", " 2", "x"]), (["1", "2", "3"], [1, 2, None])])
def test_text_is_no_number(engine, learned, there):
    """1 and "1" are two keys: rows are of no known key, or an engine refuses to compare them."""
    scaler = GroupedScaler(by="key", unseen="nan", missing_key="global")
    scaler.fit(pd.DataFrame({"key": pd.Series(learned, dtype=object), "a": [1.0, 2.0, 4.0]}))
    types = ["BIGINT" if isinstance(keys[0], int) else "VARCHAR" for keys in (learned, there)]
    X = pd.DataFrame({"key": pd.Series(there, dtype=object), "a": [1.0, 2.0, 3.0]})
    engine.create("keys", lookup_table(scaler), {"key_1": types[0]})
    for lookup in (None, "keys"):
        if engine.dialect == "postgres":
            with pytest.raises(RuntimeError, match="operator does not exist"):
                assert_computes(engine, scaler, X, types={"key": types[1]}, lookup=lookup)
        elif engine.dialect == "duckdb" and "x" in there:
            with pytest.raises(duckdb.ConversionException, match="'x' to DOUBLE"):
                assert_computes(engine, scaler, X, types={"key": types[1]}, lookup=lookup)
            assert_computes(engine, scaler, X[:2], types={"key": types[1]}, lookup=lookup)
        else:
            assert_computes(engine, scaler, X, types={"key": types[1]}, lookup=lookup)


def test_a_number_is_no_missing_text():
    """SQLite holds both in one column."""
    X = pd.DataFrame({"key": ["a", "b", None], "part": [1, 1, 1], "a": [1.0, 2.0, 4.0]})
    scaler = GroupedScaler(by=["key", "part"], unseen="nan").fit(X)
    engine = SQLite()
    tried = X.assign(key=pd.Series(["a", 1, None], dtype=object))
    assert_computes(engine, scaler, tried, types={"key": "ANY"})
    engine.connection.close()


def test_categories_are_text(engine):
    if engine.dialect != "duckdb":
        pytest.skip("only DuckDB has categories")
    X = pd.DataFrame({"key": ["a", "a", "b"], "a": [1.0, 2.0, 4.0]})
    assert_computes(engine, GroupedScaler(by="key", unseen="nan").fit(X), X, types={"key": "ENUM('a', 'b')"})


def test_keys_that_sql_cannot_write_are_refused():
    for key in (b"bytes", 2**70, np.inf, "nul\0", timedelta(1), (1, 2), pd.Timestamp(1), UUID(int=3)):
        X = pd.DataFrame({"key": pd.Series(["a", key], dtype=object), "a": [1.0, 2.0]})
        for work in (lambda scaler: to_sql(scaler, table="t"), lookup_table):
            with pytest.raises(TypeError, match=re.escape(repr(key)[:10])):
                work(GroupedScaler(by="key").fit(X))
    for keys in (["1", 1], [1.5, "a"], [True, "a"], [date(2024, 1, 1), datetime(2024, 1, 1)]):
        X = pd.DataFrame({"key": pd.Series(keys, dtype=object), "a": [1.0, 2.0]})
        with pytest.raises(ValueError, match="several kinds, such as"):
            to_sql(GroupedScaler(by="key").fit(X), table="t")


def test_missing_keys_that_are_an_error_have_the_parameters_of_all_rows(engine):
    X = pd.DataFrame({"key": ["a", "a", "b"], "a": [1.0, 2.0, 9.0]})
    scaler = GroupedScaler(by="key", unseen="nan", missing_key="error").fit(X)
    engine.create("given", X.assign(key=["a", None, "c"], row=range(3)))
    actual = numbers(computed(engine, scaler, "given"))[:, 0]
    assert_close(actual, np.array([-1.0, (2 - 4) / np.std(X["a"]), np.nan]))


def test_no_key_at_all(engine):
    X = pd.DataFrame({"key": pd.Series([None, None], dtype=object), "a": [1.0, 2.0]})
    for missing_key in ("own", "global"):
        scaler = GroupedScaler(by="key", missing_key=missing_key).fit(X)
        assert_computes(engine, scaler, X.assign(key=[None, "a"]), types={"key": "VARCHAR"})


def many_keys(n_keys):
    rng = np.random.default_rng(n_keys)
    X = pd.DataFrame({"key": np.arange(3 * n_keys) % n_keys, "a": rng.normal(size=3 * n_keys) * 1e3, "b": 1.0})
    X.loc[X["key"] == 5, "b"] = np.nan
    return X.assign(key=[f"k'{key}" for key in X["key"]])


def test_many_keys_are_in_a_table(engine):
    X = many_keys(1000)
    scaler = GroupedScaler(StandardScaler(clip=1.0), by="key", unseen="nan").fit(X)
    with pytest.raises(ValueError, match=r"1000 keys, and a statement holds 400: .*lookup_table.* as lookup"):
        to_sql(scaler, table="t")
    engine.create("keys", lookup_table(scaler))
    tried = pd.concat([X[::7], pd.DataFrame({"key": ["new", None], "a": 1.0, "b": 2.0})], ignore_index=True)
    assert_computes(engine, scaler, tried, lookup="keys")
    text = to_sql(scaler, dialect=engine.dialect, table="t", lookup="keys")
    assert len(text) < 3000


def test_as_many_keys_as_a_statement_holds(engine):
    X = many_keys(INLINE)
    assert_computes(engine, GroupedScaler(by="key", unseen="nan").fit(X), X)


def test_tables_of_keys_load_as_they_are():
    """As frames that DuckDB reads, and as what pandas writes into SQLite."""
    X = TRIED[["merchant", "branch", "amount", "rare"]]
    scaler = GroupedScaler(OutlierClipper(action="missing"), by=["merchant", "branch"], unseen="nan").fit(X)
    keys = lookup_table(scaler)
    assert list(keys.columns[:3]) == ["known", "key_1", "key_2"]
    assert len(keys) == len(scaler.groups_)
    assert keys["low_rare"].isna().any()  # no bound
    first, second = DuckDB(), SQLite()
    first.connection.register("keys", keys)
    keys.to_sql("keys", second.connection, index=False)
    known = X[X["merchant"].notna()].reset_index(drop=True)
    for engine in (first, second):
        assert_computes(engine, scaler, known, lookup="keys")
        engine.connection.close()


def test_keys_beside_the_table(engine):
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=8), "b": 1.0})
    one, two = ["x", "x", "y", None] * 2, [1, 2, 3, 3] * 2
    scaler = GroupedScaler(unseen="nan").fit(X, groups=one)
    assert_computes(engine, scaler, X, beside={"key": one}, groups="key")
    several = GroupedScaler(StandardScaler(clip=0.5)).fit(X, groups=np.array([one, two], dtype=object).T)
    engine.create("keys", lookup_table(several))
    for lookup in (None, "keys"):
        beside = {"first": one, "second": two}
        assert_computes(engine, several, X, beside=beside, groups=["first", "second"], lookup=lookup)


def test_groups_must_be_what_the_scaler_has():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "key": [0, 0, 1]})
    beside = GroupedScaler().fit(X[["a"]], groups=X["key"])
    for groups in (None, [], ["a", "b"]):
        with pytest.raises(ValueError, match="as groups"):
            to_sql(beside, table="t", groups=groups)
    for scaler in (GroupedScaler(by="key").fit(X), StandardScaler().fit(X)):
        with pytest.raises(ValueError, match="there is none here"):
            to_sql(scaler, table="t", groups="key")
    for scaler in (StandardScaler().fit(X), make_pipeline(*[GroupedScaler(by=1, drop_keys=False)] * 2).fit(X)):
        with pytest.raises(ValueError, match="lookup is the table"):
            to_sql(scaler, table="t", lookup="keys")
        with pytest.raises(ValueError, match="there are"):
            lookup_table(scaler)


# Pipelines.


def test_pipelines(engine):
    X, values = TRIED.assign(far=TRIED["far"].clip(0)), columns_of(StandardScaler())
    clipped = make_pipeline(OutlierClipper(indicator=True), "passthrough", StandardScaler(clip=2.0)).fit(X[values])
    assert_computes(engine, clipped, X[values])
    nested = make_pipeline(make_pipeline(MinMaxScaler((1, 2)), OutlierClipper(fold=0.3)), LayerNorm()).fit(X[values])
    assert_computes(engine, nested, X[values])
    keyed = make_pipeline(
        GroupedScaler(by="branch", unseen="passthrough", drop_keys=False),
        GroupedScaler(OutlierClipper(fold=0.5), by="branch", drop_keys=False),
        MinMaxScaler(),  # of the key too
    ).set_output(transform="pandas")
    assert_computes(engine, keyed.fit(X[["branch", "amount", "far"]]), X[["branch", "amount", "far"]])


def test_a_pipeline_that_does_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to export"):
        to_sql(make_pipeline("passthrough").fit([[1.0]]), table="t")


# Norms of rows.


def rows_of_all_kinds(n_columns):
    """Return rows far from zero and near, constant, with missing values, and with the largest numbers and the least."""
    rng = np.random.default_rng(n_columns)
    X = rng.normal(size=(40, n_columns)) * 10.0 ** rng.integers(-5, 5, (40, 1)) + rng.choice([0, 1e6], (40, 1))
    X[0], X[1], X[2], X[3, ::2] = 0, 0.1, np.nan, np.nan
    X[4, 0], X[5], X[6], X[7], X[8] = -1e200, 1e308 * np.sign(X[5]), 1e-170 * X[6], 1e300, 1e-150
    X[9:30] = rng.normal(size=(21, 1))
    X[15:20, 0] *= 1 + np.finfo(float).eps  # no constants, if only just
    X[20:30, 1::2] = np.nan
    return pd.DataFrame(X, columns=[f"c{i}" for i in range(n_columns)])


@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_norms_of_rows(engine, eps):
    X = rows_of_all_kinds(12)
    rng = np.random.default_rng(0)
    for norm in (
        LayerNorm(eps),
        GroupNorm([1, 4, 7], eps, gamma=rng.normal(size=12)),
        GroupNorm(3, eps, gamma=rng.normal(size=12), beta=rng.normal(size=12)),
    ):
        assert_computes(engine, norm.fit(X), X)


def test_norms_of_wide_rows(engine):
    X = rows_of_all_kinds(300)
    assert_computes(engine, LayerNorm().fit(X), X)


def test_statements_grow_as_tables_do():
    for estimator in (LayerNorm(), StandardScaler(clip=1.0, clip_mode="soft"), OutlierClipper(indicator=True)):
        short, long = (len(to_sql(estimator.fit(rows_of_all_kinds(n).clip(-1, 1)), table="t")) for n in (20, 40))
        assert long < 2.1 * short


# Bad input.


def test_what_is_not_fitted_or_not_ours_is_refused():
    with pytest.raises(NotFittedError):
        to_sql(StandardScaler(), table="t")
    with pytest.raises(NotFittedError):
        lookup_table(GroupedScaler())
    X = [[1.0], [2.0]]
    for estimator in (ScikitScaler().fit(X), make_pipeline(StandardScaler(), ScikitScaler()).fit(X), "scaler"):
        with pytest.raises(TypeError, match="sknorm"):
            to_sql(estimator, table="t")


def test_what_cannot_be_a_name_is_refused():
    scaler = StandardScaler().fit([[1.0], [2.0]])
    for keep in (["a\0b"], [3]):
        with pytest.raises(ValueError, match="cannot be a name in SQL"):
            to_sql(scaler, table="t", keep=keep)


def test_sqlglot_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(ImportError, match=r'to_sql needs sqlglot; install it with pip install "sknorm\[sql\]"'):
        to_sql(StandardScaler().fit([[1.0], [2.0]]), table="t")
