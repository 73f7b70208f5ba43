"""Run nogil kernels over chunks on the cores that scikit-learn would use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

# Below this a second thread costs more than it saves.
LARGE = 32_000_000

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def effective_n_threads() -> int:
    """Return the number of threads that scikit-learn would use here.

    OMP_NUM_THREADS, threadpoolctl's limits and cgroup quotas count through scikit-learn's own function; inside a
    joblib worker it is 1, and ``joblib.parallel_config(n_jobs=...)`` is an upper bound.
    """
    backend, n_jobs = get_active_backend()
    if (backend.nesting_level or 0) > 0:
        return 1
    n_threads = _openmp_effective_n_threads()
    if isinstance(n_jobs, int):
        n_threads = min(n_threads, effective_n_jobs(n_jobs))
    return max(1, n_threads)


def map_chunks(function: Callable[[Chunk], Result], chunks: Sequence[Chunk], n_bytes: int) -> list[Result]:
    """Return ``[function(chunk) for chunk in chunks]``, on several threads where ``n_bytes`` is large.

    The chunks are the caller's, so what comes back does not depend on the number of threads. The pool lives as long
    as the call: a fork finds no threads to miss, and two thread starts (0.1 ms) vanish in the call.
    """
    if n_bytes >= LARGE and len(chunks) > 1:
        n_threads = min(effective_n_threads(), len(chunks))
        if n_threads > 1:
            with ThreadPoolExecutor(n_threads) as pool:
                return list(pool.map(function, chunks))
    return [function(chunk) for chunk in chunks]
