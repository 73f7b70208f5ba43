"""Print the table: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.case import FEW_KNOWN, ONE_THREAD, PLAIN, Case
from benchmarks.cases import CASES
from benchmarks.measures import MEASURES, Result
from benchmarks.report import as_json, describe, header, summary

PACKAGES = ("numpy", "scikit-learn", "pandas", "polars", "river", "dask-ml", "datasketches", "scikit-lego")
# As many as sknorm may use in the rows where it stands.
POLARS_THREADS = 2


@dataclass(frozen=True)
class Settings:
    """How much is done: rounds, and what the rows of a table are divided by where a figure is stated, and where not."""

    repeat: int
    divide_stated: int = 1
    divide: int = 1

    def reduce(self, case: Case) -> Case:
        """Return the case on the table it runs on.

        What is stated about memory is stated for too much for a quick run; a second thread starts at 32 MB only.
        """
        stated = (case.goals or case.threads > 1) and case.unit != "MB"
        return case.on(case.table.divided(self.divide_stated if stated else self.divide))


FULL = Settings(repeat=7)
QUICK = Settings(repeat=2, divide=10)
SMOKE = Settings(repeat=1, divide_stated=1_000, divide=10_000)


def run(cases: Sequence[Case], settings: Settings) -> Iterator[Result]:
    """Measure the cases one after another."""
    for case in cases:
        reduced = settings.reduce(case)
        result = MEASURES[case.work](reduced, settings.repeat)
        result.reduced = reduced != case
        yield result


def selected(pattern: str, shape: tuple[int, int] | None) -> list[Case]:
    """Return the cases whose task has the pattern in it, on one shape where that is asked, each once."""
    cases = [case for case in CASES if pattern.lower() in case.task.lower()]
    if shape is None:
        return cases
    reshaped = [
        case if case.table.shape == shape else replace(case, goals=()).on(replace(case.table, shape=shape))
        for case in cases
        if case.table.n_values
    ]
    # Rows that differed by their shape alone are one now; the one that a figure is stated for comes first.
    return list({replace(case, goals=()): case for case in reversed(reshaped)}.values())[::-1]


def shape_of(text: str) -> tuple[int, int]:
    """Return (1000, 10) for "1000x10"."""
    rows, columns = text.replace("_", "").replace(",", "").lower().split("x")
    return int(rows), int(columns)


def conditions(settings: Settings) -> str:
    """Return what the table was measured with."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    size = "" if settings.divide == 1 else "REDUCED: fewer rounds, and fewer rows where no speed is stated. "
    return (
        f"{size}Best of {settings.repeat} interleaved rounds. {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {', '.join(versions)}.\n"
        f"One thread is joblib's parallel_config(n_jobs=1). Polars has {polars_threads()} threads, dask-ml one a core; "
        "they stand in rows of two threads only.\n"
        f"A read: NumPy's maximum of the bits as integers, its fastest reduction. A copy: X.copy(order='K'). "
        f'"{ONE_THREAD}": ours; what a second one can gain at all shows in a plain read by two.\n'
        f'"{PLAIN}": ours with neither half_life nor window. prequential_transform: River on its first rows, which '
        "stand for all of them, per value.\n"
        'Keys lie beside an array ("groups=") or in a column of a frame; the peers have frames, or rows as dicts. '
        f'"{FEW_KNOWN}": ours.'
    )


def polars_threads() -> str:
    """Return how many threads Polars has in this process: what its pool was made with when it was imported."""
    try:
        return str(import_module("polars").thread_pool_size())
    except ImportError:
        return "no"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="sknorm, its peers and the limits.")
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer rounds and rows")
    parser.add_argument("--only", default="", metavar="PATTERN", help="tasks with this in their name")
    parser.add_argument("--shape", type=shape_of, metavar="ROWSxCOLUMNS", help="one shape for all tasks")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument("--repeat", type=int, help="rounds; the best counts")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write what the command line asks for."""
    options = parse(arguments)
    os.environ.setdefault("POLARS_MAX_THREADS", str(POLARS_THREADS))  # which it reads once, when it is imported
    settings = QUICK if options.quick else FULL
    if options.repeat:
        settings = replace(settings, repeat=options.repeat)
    print(conditions(settings), header(), sep="\n\n", flush=True)
    results: list[Result] = []
    try:
        for result in run(selected(options.only, options.shape), settings):
            results.append(result)
            print(describe(result), flush=True)
    finally:  # what was measured before an interruption counts
        print(f"\n{summary(results)}")
        if options.json:
            report = {"conditions": conditions(settings), "rows": [as_json(result) for result in results]}
            options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
