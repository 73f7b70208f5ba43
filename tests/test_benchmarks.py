"""The benchmarks run, and measure every figure that the library's speed is stated by."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks").exists():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)
# Last, so that an installed sknorm is not shadowed by the source folder.
sys.path.append(str(ROOT))

from benchmarks import measures  # noqa: E402
from benchmarks.__main__ import FULL, QUICK, SMOKE, main, run, selected, shape_of  # noqa: E402
from benchmarks.case import COPY, FEW_KNOWN, INPUT, ONE_THREAD, PLAIN, READ, Case  # noqa: E402
from benchmarks.cases import CASES, C, F  # noqa: E402
from benchmarks.goals import at_most, faster, within  # noqa: E402
from benchmarks.keyed import KEY, Keyed, KeyedTable, encoded_before  # noqa: E402
from benchmarks.measures import MEASURES, Result, contenders, rows_of  # noqa: E402
from benchmarks.peers import PANDAS, PEERS, POLARS, RIVER, SKLEGO, ours  # noqa: E402
from benchmarks.report import as_json, describe  # noqa: E402
from benchmarks.tables import Table, make_table  # noqa: E402
from benchmarks.timing import interleaved  # noqa: E402

MILLION, ROW, GIGABYTE = (1_000_000, 10), (1, 30), (12_500_000, 10)
C_ORDER = {"dtype": "float64", "order": "C", "missing": False, "frame": False}
F_ORDER = C_ORDER | {"order": "F"}
FRAME = F_ORDER | {"frame": True}
FLOAT32 = C_ORDER | {"dtype": "float32"}
MISSING = C_ORDER | {"missing": True}
CLIPPING = ("StandardScaler(clip=3.0)", "MinMaxScaler(clip=True)", "MaxAbsScaler(clip=True)", "RobustScaler(clip=3.0)")

# The figures as they are stated: task, shape, what the table is like, threads, goal.
STATED = [
    ("StandardScaler.fit", MILLION, C_ORDER, 1, faster(14)),
    ("StandardScaler.fit", MILLION, C_ORDER, 1, within(2.5, READ)),
    ("StandardScaler.fit", MILLION, F_ORDER, 1, faster(6)),
    ("StandardScaler.fit", MILLION, FRAME, 1, faster(6)),
    ("StandardScaler.fit", MILLION, FLOAT32, 1, faster(14)),
    ("StandardScaler.fit", MILLION, MISSING, 1, faster(12)),
    *(
        (f"{name}.fit", MILLION, layout, 2, faster(bound))
        for name in ("MinMaxScaler", "MaxAbsScaler")
        for layout, bound in ((C_ORDER, 10), (F_ORDER, 2.5), (MISSING, 10), (FLOAT32, 10))
    ),
    *(("RobustScaler.fit", MILLION, layout, 2, faster(10)) for layout in (C_ORDER, F_ORDER, MISSING, FLOAT32)),
    *(
        (f"{name}.transform", MILLION, C_ORDER, 2, goal)
        for name in CLIPPING
        for goal in (within(1.15, COPY), faster(3))
    ),
    ("StandardScaler.fit", MILLION, C_ORDER, 2, faster(1, POLARS)),
    ("StandardScaler.fit_transform", MILLION, C_ORDER, 2, faster(1, POLARS)),
    *((f"StandardScaler.{work}", ROW, C_ORDER, 1, faster(20)) for work in ("transform", "partial_fit")),
    *(
        (f"{name}.{task}", shape, C_ORDER, 1, goal)
        for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
        for task, shape, goal in (
            ("partial_fit", ROW, at_most(20e-6)),
            ("partial_fit, batches of 1,000", (100_000, 30), faster(8)),
        )
    ),
    ("StandardScaler.prequential_transform", MILLION, C_ORDER, 1, faster(100, RIVER)),
    ("StandardScaler.prequential_transform", MILLION, C_ORDER, 1, at_most(12e-9)),
    ("StandardScaler(half_life=1000).prequential_transform", MILLION, C_ORDER, 1, within(2, PLAIN)),
    *(
        (f"StandardScaler(window={rows}).prequential_transform", MILLION, C_ORDER, 1, within(4, PLAIN))
        for rows in (100, 1_000, 10_000)
    ),
    ("StandardScaler.to_json + from_json", (1_000, 30), C_ORDER, 1, at_most(1e-3)),
    *(
        (f"StandardScaler.{work}", shape, C_ORDER, 2, faster(1.4, ONE_THREAD))
        for shape in (MILLION, (400_000, 10))
        for work in ("fit", "transform")
    ),
    *(
        (f"StandardScaler.memory of {work}", GIGABYTE, layout | {"missing": missing}, 2, at_most(8e6))
        for work in ("fit", "transform")
        for layout in (C_ORDER, FRAME)
        for missing in (False, True)
    ),
    *(
        ("RobustScaler.memory of fit", GIGABYTE, layout | {"missing": missing}, 2, within(0.1, INPUT))
        for layout in (C_ORDER, FRAME)
        for missing in (False, True)
    ),
    *(
        (f"RobustScaler.partial_fit, batches of {batch}", MILLION, C_ORDER, 1, at_most(40e-9))
        for batch in ("1,000", "100,000")
    ),
    ("import", (0, 0), C_ORDER, 1, at_most(0.03)),
]

# The same of groups: what is done, how sknorm gets the keys, shape, the keys and how many there are, threads, goal.
MILLION_ROWS = (1_000_000, 3)
STATED_OF_GROUPS = [
    *(
        ("fit_transform", form, MILLION_ROWS, keys, 50_000, 2, faster(bound, PANDAS))
        for keys, bound in (("int", 5), ("str", 2.5), ("object", 1.5))
        for form in ("groups=", "pandas")
    ),
    *(("fit_transform", form, MILLION_ROWS, "int", 50_000, 2, faster(5, POLARS)) for form in ("groups=", "polars")),
    ("fit_transform", "groups=", (20_000, 3), "int", 500, 1, faster(500, SKLEGO)),
    *(("transform", form, MILLION_ROWS, "int", 50_000, 2, at_most(40e-3)) for form in ("groups=", "pandas")),
    ("prequential_transform", "groups=", MILLION_ROWS, "int", 50_000, 1, faster(100, RIVER)),
    ("prequential_transform of encoded keys", "groups=", MILLION_ROWS, "int", 50_000, 1, at_most(50e-9)),
    ("partial_fit of 100 rows", "groups=", MILLION_ROWS, "int", 1_000_000, 1, within(2, FEW_KNOWN)),
    *(
        (f"memory held after {work}", "groups=", MILLION_ROWS, "int", 1_000_000, 1, at_most(120))
        for work in ("fit", "partial_fit")
    ),
]


@pytest.mark.parametrize(("task", "shape", "layout", "threads", "goal"), STATED)
def test_stated_figure_has_a_row(task, shape, layout, threads, goal):
    table = Table(shape, **layout)
    assert [
        case for case in CASES if (case.task, case.table, case.threads) == (task, table, threads) and goal in case.goals
    ], f"no row measures {goal} of {task} on {table}"


@pytest.mark.parametrize(("work", "form", "shape", "keys", "n_groups", "threads", "goal"), STATED_OF_GROUPS)
def test_stated_figure_of_groups_has_a_row(work, form, shape, keys, n_groups, threads, goal):
    table = KeyedTable(shape, keys=keys, n_groups=n_groups, form=form)
    task = f"GroupedScaler.{work}" if form == "groups=" else f"GroupedScaler(by={KEY}).{work}"
    assert [
        case for case in CASES if (case.task, case.table, case.threads) == (task, table, threads) and goal in case.goals
    ], f"no row measures {goal} of {task} on {table}"


def test_shapes_and_layouts_are_covered():
    shapes = {case.table.shape for case in CASES}
    assert shapes >= {MILLION, (1_000_000, 30), (100_000, 300), (10_000_000, 1), ROW}
    layouts = {(c.table.dtype, c.table.order, c.table.missing) for c in CASES if c.task == "StandardScaler.fit"}
    assert len(layouts) == 8


def test_rows_differ():
    assert len(set(CASES)) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_row_can_be_measured(case):
    assert case.work in MEASURES
    limits = {READ, COPY, ONE_THREAD, INPUT, PLAIN, FEW_KNOWN}
    if case.estimator:
        assert set(case.against) <= limits | set(PEERS[case.estimator])
    assert {goal.against for goal in case.goals} <= {"", *case.against, *limits}


def test_smoke():
    results = list(run(CASES, SMOKE))
    assert len(results) == len(CASES)
    for result in results:
        assert describe(result).startswith(result.case.task)
        assert result.same_bits is not False
        assert result.note or all(goal.reached(result.amounts) is not None for goal in result.case.goals)
        json.dumps(as_json(result))


def test_command(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")  # main would set it for good
    main(["--only", "StandardScaler.fit", "--shape", "200x3", "--repeat", "1", "--json", str(tmp_path / "report.json")])
    printed = capsys.readouterr().out
    assert "StandardScaler.fit" in printed
    assert "MinMaxScaler" not in printed
    rows = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["rows"]
    assert {tuple(row["shape"]) for row in rows} == {(200, 3)}
    assert all(row["amounts"]["sknorm"] > 0 for row in rows)


def test_quick_keeps_shapes_with_a_stated_speed():
    for case in CASES:
        assert FULL.reduce(case) == case
        if (case.goals or case.threads > 1) and case.unit != "MB":
            assert QUICK.reduce(case) == case
        elif case.table.shape[0] > 10:
            assert QUICK.reduce(case).table.n_values < case.table.n_values


def test_selection_by_task_and_shape():
    assert {case.work for case in selected("memory of", None)} == {"memory of fit", "memory of transform"}
    moved = selected("StandardScaler.fit", shape_of("1_000x4"))
    assert {case.table.shape for case in moved} == {(1_000, 4)}
    assert not any(case.goals for case in moved)
    assert len(set(moved)) == len(moved)
    stayed = selected("StandardScaler.fit", MILLION)
    assert len({replace(case, goals=()) for case in stayed}) == len(stayed)
    assert sum(len(case.goals) for case in stayed) == sum(
        1 for task, shape, *_ in STATED if "StandardScaler.fit" in task and shape == MILLION
    )


@pytest.mark.parametrize(
    ("goal", "amounts", "value", "reached"),
    [
        (faster(10), {"sknorm": 1.0, "scikit-learn": 12.0}, 12.0, True),
        (faster(10), {"sknorm": 1.0, "scikit-learn": 9.0}, 9.0, False),
        (faster(10), {"sknorm": 1.0}, None, None),
        (within(2.5, READ), {"sknorm": 5.0, READ: 2.0}, 2.5, True),
        (within(2.5, READ), {"sknorm": 6.0, READ: 2.0}, 3.0, False),
        (at_most(8e6), {"sknorm": 9e6}, 9e6, False),
        (at_most(8e6), {}, None, None),
    ],
)
def test_goal(goal, amounts, value, reached):
    assert goal.value(amounts) == value
    assert goal.reached(amounts) is reached


def test_reduced_rows_are_labelled_and_not_judged():
    case = Case("fit", "StandardScaler", C, goals=(faster(14),))
    full = Result(case, {"sknorm": 1.0, "scikit-learn": 17.2})
    assert "≥ 14 × scikit-learn: 17.2 ✓" in describe(full)
    assert "≥ 14 × scikit-learn: 17.2 (reduced shape)" in describe(replace(full, reduced=True))


def test_plain_forgets_nothing():
    case = next(case for case in CASES if case.task == "StandardScaler(window=100).prequential_transform")
    ours, plain = (contenders(case)[name].make() for name in ("sknorm", PLAIN))
    assert (ours.window, plain.window) == (100, None)
    assert all(case.params for case in CASES if PLAIN in case.against)


def test_part_of_a_stream_counts_by_the_value(monkeypatch):
    pytest.importorskip("river")
    monkeypatch.setattr(measures, "interleaved", lambda calls, repeat: dict.fromkeys(calls, 1.0))
    case = Case("prequential_transform", "StandardScaler", Table((20_000, 2)), against=(RIVER,), unit="ns a value")
    result = measures.measure_prequential(case, repeat=1)
    assert result.amounts == {"sknorm": 1 / 40_000, RIVER: 1 / 20_000}
    assert result.note == "River: the first 10,000 rows"


def test_keys_are_encoded_once():
    table = KeyedTable((2_000, 2), n_groups=50)
    keyed = make_table(table)
    expected = ours("GroupedScaler").make().fit(keyed).prequential_transform(keyed)
    other = replace(keyed, keys=np.zeros(2_000))
    with encoded_before(keyed):
        scaled = ours("GroupedScaler").make().fit(keyed).prequential_transform(other)
    np.testing.assert_array_equal(scaled, expected)
    scaled = ours("GroupedScaler").make().fit(keyed).prequential_transform(other)
    assert not np.allclose(scaled, expected)


def test_batches_have_known_or_new_keys():
    keyed = make_table(KeyedTable((500, 2), n_groups=500))
    known, new = rows_of(keyed, 100, new=False), rows_of(keyed, 100, new=True)
    for _ in range(3):
        assert np.isin(next(known).keys, keyed.keys).all()
    keys = np.concatenate([keyed.keys, *(next(new).keys for _ in range(3))])
    assert len(np.unique(keys)) == 800


def test_part_of_a_stream_of_keys_is_timed_with_all_of_them_known(monkeypatch):
    pytest.importorskip("river")
    monkeypatch.setattr(measures, "interleaved", lambda calls, repeat: {n: len(c.args[0]) for n, c in calls.items()})
    table = KeyedTable((101_000, 2), n_groups=2_000)
    result = measures.measure_prequential(Case("prequential_transform", "GroupedScaler", table, (), (RIVER,)), 1)
    assert result.amounts == {"sknorm": 101_000, RIVER: 100_000}
    peer = PEERS["GroupedScaler"][RIVER]
    assert len(peer.make().fit(peer.table(measures.trained(make_table(table), peer))).scalers) == 2_000


def test_interleaving_takes_turns():
    order = []

    def contender(name):
        def call():
            order.append(name)
            end = perf_counter() + 3e-3
            while perf_counter() < end:
                pass

        return call

    best = interleaved({"a": contender("a"), "b": contender("b")}, repeat=3)
    assert order[2:] == ["a", "b"] * 3
    assert set(best) == {"a", "b"}


@pytest.mark.parametrize("table", [C, F, Table(dtype="float32"), Table(missing=True), Table(order="F", frame=True)])
def test_table_is_what_it_says(table):
    X = make_table(table.divided(1_000))
    values = np.asarray(X)
    assert values.shape == (1_000, 10)
    assert values.dtype == table.dtype
    assert values.flags[f"{table.order}_CONTIGUOUS"]
    assert hasattr(X, "columns") == table.frame
    assert np.isnan(values).mean() == pytest.approx(0.05 if table.missing else 0.0, abs=0.01)


@pytest.mark.parametrize("keys", ["int", "str", "object"])
@pytest.mark.parametrize("form", ["groups=", "pandas", "polars"])
def test_keyed_table_is_what_it_says(keys, form):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = KeyedTable(keys=keys, form=form).divided(1_000)
    keyed = make_table(table)
    assert keyed.X.shape == (1_000, 3)
    assert len(set(keyed.keys)) == table.n_keys == 50
    kinds = {"int": np.dtype(np.int64), "str": pandas.Series(["a"], dtype="str").dtype, "object": np.dtype(object)}
    assert keyed.keys.dtype == kinds[keys]
    given = keyed.given()
    if form == "groups=":
        assert given is keyed
        return
    assert isinstance(given, pandas.DataFrame if form == "pandas" else polars.DataFrame)
    assert list(given.columns) == ["x0", "x1", "x2", KEY]
    assert list(given[KEY]) == list(keyed.keys)
    np.testing.assert_array_equal(given[["x0", "x1", "x2"]].to_numpy(), keyed.X)


def test_every_key_comes_once_at_least():
    keyed = make_table(KeyedTable((1_000, 3), n_groups=1_000))
    assert len(np.unique(keyed.keys)) == 1_000
    assert not np.array_equal(keyed.keys, np.sort(keyed.keys))
    assert isinstance(keyed[:10], Keyed)
    assert len(keyed[:10]) == 10
    assert keyed[:10].size == 30
