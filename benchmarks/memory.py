"""Peak memory of one call, in a process that does nothing else.

The process makes the table, calls once on a few rows (so that code and lazy imports are loaded), gives freed memory
back to the system (``malloc_trim``; it could be reused without being seen), resets the kernel's high-water mark of its
resident memory (writing 5 to ``/proc/self/clear_refs`` sets VmHWM to VmRSS) and calls. What counts is VmHWM after less
VmRSS before, less the bytes of the arrays that came back.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from joblib import parallel_config

from benchmarks.goals import SKNORM
from benchmarks.peers import PEERS, ours
from benchmarks.tables import Table, make_table

PROCESS = Path("/proc/self")
# The table, the copy that made it a frame, the output, and scikit-learn's temporaries.
NEEDED_PER_INPUT = 5
# What the server of processes imports once; it holds no table, and what it forks starts in 0.1 s instead of 1.4.
PRELOADED = ["benchmarks.memory", "pandas", "sklearn.preprocessing"]


def memory_beyond(
    name: str, estimator: str, params: tuple[tuple[str, object], ...], table: Table, work: str, threads: int
) -> int | str:
    """Return the bytes that a call needs beyond its input and output, or why that was not measured."""
    if not (PROCESS / "clear_refs").exists():
        return "not measured: needs Linux' /proc"
    available = in_status(Path("/proc/meminfo"), "MemAvailable")
    if available < NEEDED_PER_INPUT * table.n_bytes:
        return f"not measured: {available / 1e9:.1f} GB available, {NEEDED_PER_INPUT} × the input needed"
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(peak_of_call, name, estimator, params, table, work, threads).result()


def peak_of_call(
    name: str, estimator: str, params: tuple[tuple[str, object], ...], table: Table, work: str, threads: int
) -> int:
    """Return the bytes beyond input and output; to be run in a fresh process."""
    peer = ours(estimator, **dict(params)) if name == SKNORM else PEERS[estimator][name]
    X, few = peer.table(make_table(table)), peer.table(make_table(table.divided(table.shape[0] // 1_000 or 1)))
    make_table.cache_clear()
    with parallel_config(n_jobs=threads):
        scaler = peer.make().fit(few)
        scaler.transform(few)
        call = scaler.fit if work == "fit" else scaler.transform
        give_back()
        before = in_status(PROCESS / "status", "VmRSS")
        (PROCESS / "clear_refs").write_text("5")
        output = call(X)
    peak = in_status(PROCESS / "status", "VmHWM") - before
    return max(0, peak - getattr(output, "nbytes", 0))


def give_back() -> None:
    """Return freed memory to the system, where the C library has a call for it."""
    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def in_status(path: Path, key: str) -> int:
    """Return the bytes after ``key:`` in a file of /proc, which has them in kB."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
