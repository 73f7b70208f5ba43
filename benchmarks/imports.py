"""How long imports take, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import sknorm

TIMED = """
import sys
from importlib import import_module
from time import perf_counter
for name in sys.argv[1:]:
    start = perf_counter()
    import_module(name)
    print(perf_counter() - start)
"""


def seconds_to_import(names: Sequence[str], repeat: int) -> list[float]:
    """Return the seconds that each import takes after those before it, the best of several fresh processes.

    One process times all of them, one after another: a difference between two processes would drown the 30 ms that
    are asked about in the noise of the 700 that scikit-learn takes.
    """
    runs = [timed_imports(names) for _ in range(repeat)]
    return [min(column) for column in zip(*runs, strict=True)]


def timed_imports(names: Sequence[str]) -> list[float]:
    """Return the seconds of one process."""
    path = os.pathsep.join([str(Path(sknorm.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", TIMED, *names],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()]
