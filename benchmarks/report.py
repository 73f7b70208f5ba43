"""The table: one line a row, printed as it is measured, and its JSON."""

from __future__ import annotations

from typing import Any

from benchmarks.case import COPY, FEW_KNOWN, INPUT, ONE_THREAD, PLAIN, READ, READ_BY_TWO, Case
from benchmarks.goals import SKNORM, Goal
from benchmarks.keyed import KeyedTable
from benchmarks.measures import Result
from benchmarks.peers import SKLEARN
from benchmarks.tables import Table

FACTORS = {"ms": 1e3, "µs": 1e6, "ns a value": 1e9, "MB": 1e-6, "bytes a key": 1.0}
LIMITS = (ONE_THREAD, PLAIN, FEW_KNOWN, READ, COPY, INPUT)
UNITS = {"ns a value": "seconds a value", "MB": "bytes", "bytes a key": "bytes a key"}
CONTROLS = (READ_BY_TWO,)
WIDTHS = {
    "task": 60, "shape": 16, "dtype": 7, "order": 7, "NaN": 4, "keys": 14, "threads": 7, SKNORM: 9, "unit": 11,
    SKLEARN: 12, "other peers": 27, "limit": 17, "× scikit-learn": 14, "× limit": 7, "figures": 0,
}  # fmt: skip


def header() -> str:
    """Return the table's first line."""
    return line({name: name for name in WIDTHS})


def line(cells: dict[str, str]) -> str:
    """Return one line of the table."""
    return "  ".join(cells.get(name, "").ljust(width) for name, width in WIDTHS.items()).rstrip()


def describe(result: Result) -> str:
    """Return a result's line."""
    case, amounts = result.case, result.amounts
    shown = {name: f"{short(amount * FACTORS[case.unit])}" for name, amount in amounts.items()}
    limit = next((name for name in LIMITS if name in amounts), None)
    others = [f"{name} {text}" for name, text in shown.items() if name not in (SKNORM, SKLEARN, *LIMITS, *CONTROLS)]
    return line(
        described_table(case)
        | {
            "task": case.task,
            "threads": str(case.threads),
            SKNORM: shown.get(SKNORM, "–"),
            "unit": case.unit,
            SKLEARN: shown.get(SKLEARN, ""),
            "other peers": " · ".join(others),
            "limit": f"{limit} {shown[limit]}" if limit else "",
            "× scikit-learn": ratio(amounts, SKLEARN, SKNORM),
            "× limit": ratio(amounts, SKNORM, limit),
            "figures": " · ".join(filter(None, [*(judged(goal, result) for goal in case.goals), remarks(result)])),
        }
    )


def described_table(case: Case) -> dict[str, str]:
    """Return the cells that say what table the row is about."""
    table = case.table
    if not table.n_values:
        return {}
    return {
        "shape": " × ".join(f"{n:,}" for n in table.shape),
        "dtype": table.dtype,
        "order": order_of(table),
        "NaN": "5 %" if table.missing else "",
        "keys": f"{table.n_keys:,} {table.keys}" if isinstance(table, KeyedTable) else "",
    }


def order_of(table: Table) -> str:
    """Return the memory order, or the container."""
    if isinstance(table, KeyedTable):
        return table.form
    return "frame" if table.frame else table.order


def judged(goal: Goal, result: Result) -> str:
    """Return a stated figure and whether it is reached; at a reduced shape it says nothing."""
    value, reached = goal.value(result.amounts), goal.reached(result.amounts)
    factor = 1.0 if goal.against else FACTORS[result.case.unit]
    text = {
        "faster": f"≥ {goal.bound:g} × {goal.against}",
        "within": f"≤ {goal.bound:g} × {goal.against}",
        "at most": f"≤ {goal.bound * factor:g} {result.case.unit}",
    }[goal.kind]
    if value is None or reached is None:
        return f"{text}: not measured"
    return f"{text}: {short(value * factor)} {'(reduced shape)' if result.reduced else mark(reached)}"


def remarks(result: Result) -> str:
    """Return what else there is to say on a row."""
    bits = "" if result.same_bits is None else f"same bits {mark(result.same_bits)}"
    reduced = "(reduced shape)" if result.reduced and not result.case.goals else ""
    return " · ".join(filter(None, [bits, result.note, reduced]))


def mark(reached: bool) -> str:
    """Return a tick or a cross."""
    return "✓" if reached else "✗"


def ratio(amounts: dict[str, float], over: str, under: str | None) -> str:
    """Return a ratio of two amounts, nothing where one is missing."""
    if under is None or over not in amounts or not amounts.get(under):
        return ""
    return short(amounts[over] / amounts[under])


def short(number: float) -> str:
    """Return three significant digits, without an exponent."""
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:,.{digits}f}"


def summary(results: list[Result]) -> str:
    """Return how many stated figures are reached, and which are not."""
    judgements = [
        (result, goal, goal.reached(result.amounts)) for result in results if not result.reduced
        for goal in result.case.goals
    ]  # fmt: skip
    missed = [(result, goal) for result, goal, reached in judgements if reached is False]
    reached = sum(reached is True for *_, reached in judgements)
    lines = [f"{reached} of {len(judgements)} figures reached."]
    lines += [
        f"  missed: {r.case.task}, {' '.join(described_table(r.case).values())}: {judged(g, r)}" for r, g in missed
    ]
    return "\n".join(lines)


def as_json(result: Result) -> dict[str, Any]:
    """Return a result as JSON types: seconds or bytes by contender, and every figure with its verdict."""
    case = result.case
    return {
        "task": case.task,
        "shape": list(case.table.shape),
        "dtype": case.table.dtype,
        "order": order_of(case.table),
        "keys": described_table(case).get("keys", ""),
        "missing": case.table.missing,
        "threads": case.threads,
        "unit": UNITS.get(case.unit, "seconds"),
        "amounts": result.amounts,
        "reduced": result.reduced,
        "same_bits": result.same_bits,
        "note": result.note,
        "figures": [
            {
                "figure": judged(goal, result),
                "value": goal.value(result.amounts),
                "reached": goal.reached(result.amounts),
            }
            for goal in case.goals
        ],
    }
