"""The rows of the table, and what each of them must reach."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.case import COPY, INPUT, MILLION_BY_TEN, ONE_THREAD, PLAIN, READ, Case
from benchmarks.goals import at_most, faster, within
from benchmarks.groups import grouped
from benchmarks.layers import layers
from benchmarks.outliers import outliers
from benchmarks.peers import DASK_ML, DATASKETCHES, PANDAS, POLARS, RIVER, SKLEARN
from benchmarks.tables import DType, Order, Table

N_MERGED = 32
DTYPES: tuple[DType, ...] = ("float64", "float32")
ORDERS: tuple[Order, ...] = ("C", "F")
C, F, FRAME = MILLION_BY_TEN, Table(order="F"), Table(order="F", frame=True)
FLOAT32, MISSING = Table(dtype="float32"), Table(missing=True)
LAYOUTS = [
    Table(dtype=dtype, order=order, missing=missing)
    for dtype in DTYPES
    for order in ORDERS
    for missing in (False, True)
]
FRAMES = [FRAME, Table(order="F", frame=True, missing=True)]
SHAPES = [(1_000_000, 30), (100_000, 300), (10_000_000, 1)]
GIGABYTE = (12_500_000, 10)
ROW, SMALL = Table((1, 30)), Table((100_000, 10))
HALF_LIFE, WINDOW = (("half_life", 1_000),), (("window", 10_000),)

STANDARD = {
    C: (faster(14), within(2.5, READ)),
    F: (faster(6),),
    FRAME: (faster(6),),
    FLOAT32: (faster(14),),
    MISSING: (faster(12),),
}
EXTREMES = {C: (faster(10),), F: (faster(2.5),), MISSING: (faster(10),), FLOAT32: (faster(10),)}
ROBUST = dict.fromkeys((C, F, MISSING, FLOAT32), (faster(10),))


def fits() -> list[Case]:
    """Return the fits of 1,000,000 × 10: StandardScaler on one thread, the others as a user gets them, on two."""
    return [
        *(Case("fit", "StandardScaler", t, against=(SKLEARN, READ), goals=STANDARD.get(t, ())) for t in LAYOUTS),
        *(Case("fit", "StandardScaler", t, against=(SKLEARN, PANDAS, READ), goals=STANDARD.get(t, ())) for t in FRAMES),
        *(
            Case("fit", name, t, against=(SKLEARN, ONE_THREAD, READ), threads=2, goals=goals)
            for name, stated in (("MinMaxScaler", EXTREMES), ("MaxAbsScaler", EXTREMES), ("RobustScaler", ROBUST))
            for t, goals in stated.items()
        ),
        *(Case("fit", name, t, against=(PANDAS, READ)) for name in ("MeanScaler", "DecimalScaler") for t in (C, F)),
    ]


def transforms() -> list[Case]:
    """Return the transforms of 1,000,000 × 10 as a user gets them, on two threads.

    scikit-learn's StandardScaler and RobustScaler do not clip: they are timed with less to do.
    """
    to_copy = within(1.15, COPY)
    clipping = {"StandardScaler": 3.0, "MinMaxScaler": True, "MaxAbsScaler": True, "RobustScaler": 3.0}
    return [
        *(
            Case("transform", "StandardScaler", t, against=(SKLEARN, ONE_THREAD, COPY), threads=2)
            for t in (C, F, FRAME)
        ),
        *(
            Case(
                "transform",
                name,
                t,
                params=(("clip", clip),),
                against=(SKLEARN, ONE_THREAD, COPY),
                threads=2,
                goals=(to_copy, faster(3)) if t.order == "C" and t.dtype == "float64" else (to_copy,),
            )
            for name, clip in clipping.items()
            for t in (C, F, FLOAT32, MISSING)
        ),
        *(
            Case("transform", name, C, params=(("clip", True),), against=(PANDAS, COPY))
            for name in ("MeanScaler", "DecimalScaler")
        ),
    ]


def other_shapes() -> list[Case]:
    """Return the rows of the other shapes, which no figure is stated for."""
    return [
        case.on(replace(case.table, shape=shape))
        for shape in SHAPES
        for case in (
            *(Case("fit", "StandardScaler", t, against=(SKLEARN, READ)) for t in (C, F, FLOAT32, MISSING)),
            Case("fit", "MinMaxScaler", against=(SKLEARN, READ)),
            Case("fit", "RobustScaler", against=(SKLEARN, READ)),
            Case("transform", "StandardScaler", params=(("clip", 3.0),), against=(SKLEARN, COPY)),
        )
    ]


def two_threads() -> list[Case]:
    """Return the rows on two threads: against other libraries' threads, and against one of ours.

    Only these have Polars and dask-ml, whose pools have as many threads as the machine has cores.
    """
    others = {"fit": (POLARS, DASK_ML, READ), "fit_transform": (POLARS, DASK_ML, COPY)}
    own = ("fit", "transform")
    return [
        *(
            Case(work, "StandardScaler", C, against=against, threads=2, goals=(faster(1, POLARS),))
            for work, against in others.items()
        ),
        *(Case(work, "StandardScaler", F, against=against, threads=2) for work, against in others.items()),
        *(
            Case(work, name, replace(C, shape=shape), (), (ONE_THREAD,), 2, goals=(faster(1.4, ONE_THREAD),))
            for shape in ((1_000_000, 10), (400_000, 10))
            for name in ("StandardScaler", "MinMaxScaler", "RobustScaler")
            for work in own
        ),
        *(
            Case(work, "StandardScaler", replace(t, shape=shape), (), (ONE_THREAD,), 2)
            for t, shape in ((F, (1_000_000, 10)), (MISSING, (1_000_000, 10)), (C, (10_000_000, 1)))
            for work in own
        ),
    ]


def rows() -> list[Case]:
    """Return the calls on a single row."""
    stated = (faster(20),)
    return [
        *(
            Case(work, name, ROW, unit="µs", goals=stated if work == "transform" else (*stated, at_most(20e-6)))
            for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
            for work in ("transform", "partial_fit")
        ),
        Case("transform", "RobustScaler", ROW, unit="µs", goals=stated),
        Case("transform", "StandardScaler", ROW, (("clip", 3.0),), unit="µs", goals=stated),
        Case("partial_fit", "RobustScaler", ROW, unit="µs", against=(DATASKETCHES,)),
        *(Case("partial_fit", "StandardScaler", ROW, params, (PLAIN,), unit="µs") for params in (HALF_LIFE, WINDOW)),
        *(Case("prequential_transform", s, ROW, (), (RIVER,), unit="µs") for s in ("StandardScaler", "MinMaxScaler")),
        *(Case("prequential_transform", "StandardScaler", ROW, p, (PLAIN,), unit="µs") for p in (HALF_LIFE, WINDOW)),
        Case("learn and transform", "StandardScaler", Table((1, 10)), unit="µs", against=(SKLEARN, RIVER)),
        Case("learn and transform", "MinMaxScaler", Table((1, 10)), unit="µs", against=(SKLEARN, RIVER)),
    ]


def streams() -> list[Case]:
    """Return the quantile sketches' streams, ten columns at once and one alone."""
    return [
        Case(
            f"partial_fit, batches of {batch:,}",
            "RobustScaler",
            Table((1_000_000, columns)),
            against=(DATASKETCHES,),
            unit="ns a value",
            goals=(at_most(40e-9),) if columns == 10 else (),
        )
        for columns in (10, 1)
        for batch in (1_000, 100_000)
    ]


def batches() -> list[Case]:
    """Return what learns a stream in batches of 1,000 × 30."""
    work, table, per = "partial_fit, batches of 1,000", Table((100_000, 30)), "ns a value"
    return [
        *(
            Case(work, name, table, unit=per, goals=(faster(8),))
            for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
        ),
        *(Case(work, "StandardScaler", table, params, (PLAIN,), unit=per) for params in (HALF_LIFE, WINDOW)),
    ]


def forgetting() -> list[Case]:
    """Return the fits that forget, against those that do not."""
    return [
        Case("fit", "StandardScaler", C, HALF_LIFE, (PLAIN,)),
        *(Case("fit", name, C, WINDOW, (PLAIN,)) for name in ("StandardScaler", "MinMaxScaler", "RobustScaler")),
    ]


def prequential() -> list[Case]:
    """Return what scales every row by what was known before it, then learns from it."""
    work, per, windows = "prequential_transform", "ns a value", (100, 1_000, 10_000)
    return [
        Case(work, "StandardScaler", C, (), (RIVER,), 1, per, (faster(100, RIVER), at_most(12e-9))),
        Case(work, "StandardScaler", C, HALF_LIFE, (PLAIN,), 1, per, (within(2, PLAIN),)),
        *(Case(work, "StandardScaler", C, (("window", n),), (PLAIN,), 1, per, (within(4, PLAIN),)) for n in windows),
        *(Case(work, "StandardScaler", t, (), (RIVER,), 1, per) for t in (FLOAT32, F)),
        Case(work, "StandardScaler", MISSING, (), (), 1, per),
        *(
            Case(work, name, SMALL, (), against, 1, per)
            for name, against in (
                ("StandardScaler", (PANDAS,)),
                ("MinMaxScaler", (RIVER, PANDAS)),
                ("MaxAbsScaler", (RIVER,)),
                ("MeanScaler", (PANDAS,)),
                ("DecimalScaler", ()),
                ("RobustScaler", ()),
            )
        ),
    ]


def whole_states() -> list[Case]:
    """Return what is done to all that a scaler of 30 columns has learned."""
    table = Table((1_000, 30))
    return [
        Case("to_json + from_json", "StandardScaler", table, against=(), goals=(at_most(1e-3),)),
        Case(f"merge of {N_MERGED}", "StandardScaler", table, against=()),
    ]


def memory() -> list[Case]:
    """Return the peaks of memory beyond input and output, on 1 GB."""
    tables = [replace(t, shape=GIGABYTE) for t in (C, MISSING, FRAME, FRAMES[1])]
    small, tenth = (at_most(8e6),), (within(0.1, INPUT),)
    return [
        *(Case(f"memory of {work}", "StandardScaler", t, threads=2, unit="MB", goals=small)
          for work in ("fit", "transform") for t in tables),
        *(Case("memory of fit", name, t, threads=2, unit="MB", goals=small)
          for name in ("MinMaxScaler", "MaxAbsScaler") for t in tables[1::2]),
        *(Case("memory of fit", name, tables[1], against=(), threads=2, unit="MB", goals=small)
          for name in ("MeanScaler", "DecimalScaler")),
        Case("memory of transform", "MinMaxScaler", tables[1], (("clip", True),), threads=2, unit="MB", goals=small),
        *(Case("memory of fit", "RobustScaler", t, (), (SKLEARN, INPUT), 2, "MB", tenth) for t in tables),
        Case("memory of transform", "RobustScaler", tables[1], threads=2, unit="MB", goals=small),
    ]  # fmt: skip


CASES = [
    *fits(),
    *transforms(),
    *other_shapes(),
    *two_threads(),
    *rows(),
    *streams(),
    *batches(),
    *forgetting(),
    *prequential(),
    *whole_states(),
    *memory(),
    *grouped(),
    *outliers(),
    *layers(),
    Case("import", table=Table((0, 0)), goals=(at_most(30e-3),)),
]
