"""Peak memory of one call, in a process that does nothing else.

The process makes the table, calls once on a few rows (so that code and lazy imports are loaded), gives freed memory
back to the system (``malloc_trim``; it could be reused without being seen), resets the kernel's high-water mark of its
resident memory (writing 5 to ``/proc/self/clear_refs`` sets VmHWM to VmRSS) and calls. What counts is VmHWM after less
VmRSS before, less the bytes of the arrays that came back.

What a scaler of many keys holds is VmRSS after a call, once freed memory was given back, less VmRSS before.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from joblib import parallel_config

from benchmarks.goals import SKNORM
from benchmarks.keyed import KeyedTable
from benchmarks.peers import PEERS, ours
from benchmarks.tables import Table, make_table

PROCESS = Path("/proc/self")
MEASURABLE, NOT_MEASURABLE = (PROCESS / "clear_refs").exists(), "not measured: needs Linux' /proc"
# The table, the copy that made it a frame, the output, and scikit-learn's temporaries.
NEEDED_PER_INPUT = 5
# What the server of processes imports once; it holds no table, and what it forks starts in 0.1 s instead of 1.4.
# What Moments has of every group and feature: count, mean, its low part, m2; a figure of bytes a key leaves them out.
FIELDS = 4
# Rows of a batch in which keys are added.
BATCH = 10_000
PRELOADED = ["benchmarks.memory", "pandas", "sklearn.preprocessing"]


def memory_beyond(
    name: str, estimator: str, params: tuple[tuple[str, object], ...], table: Table, work: str, threads: int
) -> int | str:
    """Return the bytes that a call needs beyond its input and output, or why that was not measured."""
    if not MEASURABLE:
        return NOT_MEASURABLE
    available = in_status(Path("/proc/meminfo"), "MemAvailable")
    if available < NEEDED_PER_INPUT * table.n_bytes:
        return f"not measured: {available / 1e9:.1f} GB available, {NEEDED_PER_INPUT} × the input needed"
    return in_fresh_process(peak_of_call, name, estimator, params, table, work, threads)


def memory_held(estimator: str, params: tuple[tuple[str, object], ...], table: KeyedTable, work: str) -> float | str:
    """Return the bytes a key held after a call, beyond the statistic's fields, or why that was not measured."""
    return in_fresh_process(held_after, estimator, params, table, work) if MEASURABLE else NOT_MEASURABLE


def in_fresh_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of this module measures."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *arguments).result()


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


def held_after(estimator: str, params: tuple[tuple[str, object], ...], table: KeyedTable, work: str) -> float:
    """Return the bytes a key beyond the statistic's fields; to be run in a fresh process."""
    keyed, peer = make_table(table), ours(estimator, **dict(params))
    few = make_table(table.divided(table.shape[0] // 1_000 or 1))
    peer.make().fit(few).partial_fit(few)
    scaler = peer.make()
    give_back()
    before = in_status(PROCESS / "status", "VmRSS")
    size = len(keyed) if work == "fit" else BATCH
    for start in range(0, len(keyed), size):
        scaler.partial_fit(keyed[start : start + size])
    give_back()
    held = in_status(PROCESS / "status", "VmRSS") - before
    return held / table.n_keys - 8 * FIELDS * table.shape[1]


def give_back() -> None:
    """Return freed memory to the system, where the C library has a call for it."""
    gc.collect()
    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def in_status(path: Path, key: str) -> int:
    """Return the bytes after ``key:`` in a file of /proc, which has them in kB."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
