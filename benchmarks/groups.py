"""The rows of the table that are about groups: a million rows, or a million keys."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.case import FEW_KNOWN, PLAIN, Case
from benchmarks.goals import Goal, at_most, faster, within
from benchmarks.keyed import KEY, KeyedTable
from benchmarks.peers import PANDAS, POLARS, RIVER, SKLEGO

NAME = "GroupedScaler"
BY = (("by", KEY),)
# 1,000,000 × 3 with 50,000 keys; as many keys as rows; and what a scaler a key in Python can still do.
KEYED = KeyedTable()
MILLION_KEYS = KeyedTable(n_groups=1_000_000)
FEW_ROWS = KeyedTable((20_000, 3), n_groups=500)
# A key has twenty rows.
HALF_LIFE, WINDOW = (("scaler__half_life", 10),), (("scaler__window", 10),)


def case(
    work: str, table: KeyedTable, against: tuple[str, ...], goals: tuple[Goal, ...] = (), threads: int = 1
) -> Case:
    """Return a row in which sknorm gets the keys as the table says."""
    return Case(work, NAME, table, () if table.form == "groups=" else BY, against, threads, goals=goals)


def fit_transforms() -> list[Case]:
    """Return what learns and scales a million rows as a user gets it, on two threads; pandas has one."""
    work = "fit_transform"
    ints = {
        "groups=": ((PANDAS, POLARS), (faster(5, PANDAS), faster(5, POLARS))),
        "pandas": ((PANDAS,), (faster(5, PANDAS),)),
        "polars": ((POLARS,), (faster(5, POLARS),)),
    }
    return [
        *(case(work, replace(KEYED, form=form), *judged, threads=2) for form, judged in ints.items()),
        *(
            case(work, replace(KEYED, keys=keys, form=form), (PANDAS,), (faster(bound, PANDAS),), threads=2)
            for keys, bound in (("str", 2.5), ("object", 1.5))
            for form in ("groups=", "pandas")
        ),
        case(work, replace(KEYED, keys="str", form="polars"), (POLARS,), threads=2),
        *(case(work, replace(KEYED, keys=keys), (PANDAS,)) for keys in ("int", "str")),
        case(work, FEW_ROWS, (SKLEGO,), (faster(500, SKLEGO),)),
    ]


def transforms() -> list[Case]:
    """Return what scales a million rows whose keys are known."""
    stated = {KEYED: (at_most(40e-3),), replace(KEYED, form="pandas"): (at_most(40e-3),)}
    others = dict.fromkeys((replace(KEYED, keys="str", form="pandas"), replace(KEYED, keys="object")), ())
    return [case("transform", table, (PANDAS,), goals, threads=2) for table, goals in (stated | others).items()]


def prequential() -> list[Case]:
    """Return what scales every row by those of its key before it, then learns from it."""
    work, per = "prequential_transform", "ns a value"
    return [
        Case(work, NAME, KEYED, (), (RIVER,), 1, per, (faster(100, RIVER),)),
        Case(f"{work} of encoded keys", NAME, KEYED, (), (), 1, per, (at_most(50e-9),)),
        *(Case(work, NAME, KEYED, params, (PLAIN,), 1, per) for params in (HALF_LIFE, WINDOW)),
    ]


def batches() -> list[Case]:
    """Return what a few rows take while a million keys are known, and while a thousand are."""
    works = ("partial_fit of 100 rows", "partial_fit of 100 new keys", "partial_fit of a row", "transform of a row")
    return [
        Case(work, NAME, MILLION_KEYS, (), (FEW_KNOWN,), 1, "µs", (within(2, FEW_KNOWN),) if i == 0 else ())
        for i, work in enumerate(works)
    ]


def memory() -> list[Case]:
    """Return what a million keys take beyond the statistic's fields."""
    return [
        Case(f"memory held after {work}", NAME, MILLION_KEYS, unit="bytes a key", against=(), goals=(at_most(120),))
        for work in ("fit", "partial_fit")
    ]


def grouped() -> list[Case]:
    """Return all rows that are about groups."""
    return [*fit_transforms(), *transforms(), *prequential(), *batches(), *memory()]
