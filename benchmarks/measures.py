"""How each kind of work is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, cycle, pairwise
from pickle import dumps
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.base import clone

import sknorm
from benchmarks.case import COPY, FEW_KNOWN, INPUT, ONE_THREAD, PLAIN, READ, READ_BY_TWO, Case
from benchmarks.cases import N_MERGED
from benchmarks.goals import SKNORM
from benchmarks.imports import seconds_to_import
from benchmarks.keyed import LARGEST_KEY, Keyed, encoded_before
from benchmarks.memory import memory_beyond, memory_held
from benchmarks.peers import PEERS, Peer, ours
from benchmarks.tables import Table, make_table
from benchmarks.timing import interleaved

Call = Callable[[], object]
# What a scaler must do without to be the plain one.
EXTRAS = ("half_life", "window", "clip", "clip_mode", "outliers")
# So many that their rows are not all in the processor's cache.
N_BATCHES = 1_000


@dataclass
class Result:
    """What a row measured.

    Parameters
    ----------
    case : Case
        The row as it ran.
    amounts : dict of str to float
        Seconds (or bytes) by contender.
    same_bits : bool or None
        Whether one thread learned and returned the same bits, where that was asked.
    note : str
        What else is to be said, for instance why something is missing.
    reduced : bool
        Whether the table was smaller than the one the figures are stated for.
    """

    case: Case
    amounts: dict[str, float]
    same_bits: bool | None = None
    note: str = ""
    reduced: bool = False


# Work: given an unfitted scaler, the table and what it is fitted on, the call to be timed.


def fit(scaler: Any, X: Any, train: Any) -> Call:
    return lambda: scaler.fit(X)


def fit_transform(scaler: Any, X: Any, train: Any) -> Call:
    return lambda: scaler.fit_transform(X)


def transform(scaler: Any, X: Any, train: Any) -> Call:
    scaler.fit(train)
    return lambda: scaler.transform(X)


def partial_fit(scaler: Any, X: Any, train: Any) -> Call:
    scaler.fit(train)
    return lambda: scaler.partial_fit(X)


def learn_and_transform(scaler: Any, X: Any, train: Any) -> Call:
    scaler.fit(train)
    return lambda: (scaler.partial_fit(X), scaler.transform(X))


def to_json_and_back(scaler: Any, X: Any, train: Any) -> Call:
    scaler.fit(train)
    return lambda: sknorm.from_json(scaler.to_json())


def merge(scaler: Any, X: Any, train: Any) -> Call:
    scalers = [clone(scaler).fit(train) for _ in range(N_MERGED)]
    return lambda: sknorm.merge(scalers)


WORK: dict[str, Callable[[Any, Any, Any], Call]] = {
    "fit": fit,
    "fit_transform": fit_transform,
    "transform": transform,
    "partial_fit": partial_fit,
    "learn and transform": learn_and_transform,
    "to_json + from_json": to_json_and_back,
    f"merge of {N_MERGED}": merge,
}


def plain_read(X: Any) -> object:
    """Read every byte of the table once, as fast as NumPy can.

    The bits are compared as integers: NumPy's vectorized maximum of integers is its fastest reduction (80 MB in 2.4 ms,
    a sum takes 3.0), and does not stop at a NaN as a maximum of floats may.
    """
    values = np.asarray(X).ravel(order="K")
    return np.maximum.reduce(values.view(f"i{values.itemsize}"))


def plain_read_by_two(X: Any) -> object:
    """Read every byte once, on two threads: what a second thread can gain here, which is little where others work."""
    values = np.asarray(X).ravel(order="K")
    middle = values.size // 2
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(plain_read, (values[:middle], values[middle:])))


def plain_copy(X: Any) -> object:
    """Copy the table in its own memory order; `ndarray.copy` would transpose a Fortran-ordered one."""
    return np.asarray(X).copy(order="K")


LIMITS: dict[str, Callable[[Any], object]] = {READ: plain_read, COPY: plain_copy}


def contenders(case: Case) -> dict[str, Peer]:
    """Return our estimator, a plain one where that is asked, and the installed peers, by name."""
    params, peers = dict(case.params), PEERS.get(case.estimator, {})
    known = {name: peers[name] for name in case.against if name in peers}
    if PLAIN in case.against:
        plain = {name: params[name] for name in params if name.rpartition("__")[2] not in EXTRAS}
        known[PLAIN] = ours(case.estimator, **plain)
    return {SKNORM: ours(case.estimator, **params)} | {n: p for n, p in known.items() if p.installed}


def absent(case: Case) -> str:
    """Return a note on the peers that are not installed."""
    peers = PEERS.get(case.estimator, {})
    names = [name for name in case.against if name in peers and not peers[name].installed]
    return f"not installed: {', '.join(names)}" if names else ""


def trained_on(table: Table) -> Table:
    """Return what to fit on before a call is timed: the table itself, or more rows like its only one."""
    return table if table.shape[0] > 1 else Table((1_000, table.shape[1]), dtype=table.dtype)


def trained(train: Any, peer: Peer) -> Any:
    """Return what a peer knows before its stream, where that is timed on a part: as many keys as the others."""
    if peer.first is None:
        return train
    return train.one_of_each() if isinstance(train, Keyed) else train[: peer.first]


def rows_of(keyed: Keyed, n_rows: int, new: bool) -> Iterator[Keyed]:
    """Return batches without end: of keys that are in no order among the known ones, or else are all new."""
    if new:
        for start in count(LARGEST_KEY, n_rows):
            yield replace(keyed, X=keyed.X[:n_rows], keys=np.arange(start, start + n_rows))
    random = np.random.default_rng(1)
    parts = [keyed[random.integers(0, len(keyed), n_rows)] for _ in range(N_BATCHES)]
    yield from cycle(parts)


def measure_call(case: Case, repeat: int) -> Result:
    """Time one call on a table of each contender, the limit and, where asked, of ours on one thread."""
    X, train = make_table(case.table), make_table(trained_on(case.table))
    work = WORK[case.work]
    calls = {name: work(peer.make(), peer.table(X), peer.table(train)) for name, peer in contenders(case).items()}
    calls |= {name: partial(LIMITS[name], X) for name in case.against if name in LIMITS}
    if ONE_THREAD not in case.against:
        with parallel_config(n_jobs=case.threads):
            return Result(case, interleaved(calls, repeat), note=absent(case))
    calls[ONE_THREAD] = on_one_thread(work(contenders(case)[SKNORM].make(), X, train))
    calls |= {READ: partial(plain_read, X), READ_BY_TWO: partial(plain_read_by_two, X)}
    with parallel_config(n_jobs=case.threads):
        amounts = interleaved(calls, repeat)
    same_bits = bits(case, X, threads=case.threads) == bits(case, X, threads=1)
    return Result(case, amounts, same_bits, f"a read gains {amounts[READ] / amounts[READ_BY_TWO]:.2f} ×")


def on_one_thread(call: Call) -> Call:
    """Return the call under joblib's limit of one thread."""

    def limited() -> object:
        with parallel_config(n_jobs=1):
            return call()

    return limited


def bits(case: Case, X: Any, threads: int) -> bytes:
    """Return what is learned from X, and what X is mapped to, on so many threads."""
    with parallel_config(n_jobs=threads):
        scaler = contenders(case)[SKNORM].make().fit(X)
        mapped: bytes = scaler.transform(X).tobytes(order="A")
        return dumps(scaler) + mapped


def measure_stream(case: Case, repeat: int, batch: int) -> Result:
    """Time a new sketch a column fed with the whole table in batches of rows."""
    X = make_table(case.table)
    edges = [*range(0, len(X), batch), len(X)]
    batches = [X[start:stop] for start, stop in pairwise(edges)]

    def feed(peer: Peer) -> None:
        scaler = peer.make()
        for rows in batches:
            scaler.partial_fit(rows)

    calls = {name: partial(feed, peer) for name, peer in contenders(case).items()}
    with parallel_config(n_jobs=case.threads):
        amounts = interleaved(calls, repeat)
    return Result(case, {name: s / case.table.n_values for name, s in amounts.items()}, note=absent(case))


def measure_prequential(case: Case, repeat: int) -> Result:
    """Time each row scaled by what was known before it, then learned from, by one scaler that goes on and on."""
    X, train = make_table(case.table), make_table(trained_on(case.table))
    calls, n_values, notes = {}, {}, [absent(case)]
    for name, peer in contenders(case).items():
        scaler, rows = peer.make().fit(peer.table(trained(train, peer))), X[: peer.first]
        calls[name], n_values[name] = partial(scaler.prequential_transform, peer.table(rows)), rows.size
        if len(rows) < len(X):
            notes.append(f"{name}: the first {len(rows):,} rows")
    with parallel_config(n_jobs=case.threads):
        amounts = interleaved(calls, repeat)
    if case.unit == "ns a value":
        amounts = {name: seconds / n_values[name] for name, seconds in amounts.items()}
    return Result(case, amounts, note=" · ".join(filter(None, notes)))


def measure_encoded(case: Case, repeat: int) -> Result:
    """Time the same with keys that are encoded already: by the value, what is left of ours."""
    keyed = make_table(case.table)
    scaler = ours(case.estimator, **dict(case.params)).make().fit(keyed)
    with parallel_config(n_jobs=case.threads), encoded_before(keyed):
        amounts = interleaved({SKNORM: partial(scaler.prequential_transform, keyed)}, repeat)
    return Result(case, {name: seconds / keyed.size for name, seconds in amounts.items()})


def measure_known(case: Case, repeat: int, method: str, n_rows: int, new: bool = False) -> Result:
    """Time a few rows while all keys of the table are known, and while a thousand are."""
    calls = {}
    for name, n_known in ((SKNORM, case.table.shape[0]), (FEW_KNOWN, min(1_000, case.table.shape[0]))):
        keyed = make_table(replace(case.table, shape=(n_known, case.table.shape[1])))
        scaler, batches = ours(case.estimator, **dict(case.params)).make().fit(keyed), rows_of(keyed, n_rows, new)
        next(batches)
        calls[name] = partial(of_next, getattr(scaler, method), batches)
    with parallel_config(n_jobs=case.threads):
        return Result(case, interleaved(calls, repeat))


def of_next(call: Callable[[Any], object], batches: Iterator[Any]) -> object:
    return call(next(batches))


def measure_held(case: Case, repeat: int, work: str) -> Result:
    """Return the memory a key that is held after a call, beyond the statistic's fields, in a process of its own."""
    held = memory_held(case.estimator, case.params, case.table, work)
    return Result(case, {}, note=held) if isinstance(held, str) else Result(case, {SKNORM: held})


def measure_memory(case: Case, repeat: int, work: str) -> Result:
    """Return the peak of memory beyond input and output of each contender, each in a process of its own."""
    amounts, note = {}, ""
    for name in (SKNORM, *(name for name in case.against if name != INPUT)):
        params = case.params if name == SKNORM else ()
        amount = memory_beyond(name, case.estimator, params, case.table, work, case.threads)
        if isinstance(amount, str):
            note = amount
        else:
            amounts[name] = float(amount)
    if INPUT in case.against:
        amounts[INPUT] = float(case.table.n_bytes)
    return Result(case, amounts, note=note)


def measure_import(case: Case, repeat: int) -> Result:
    """Return what `import sknorm` takes once `sklearn.preprocessing` is imported, and what that took."""
    sklearn, sknorm = seconds_to_import(("sklearn.preprocessing", "sknorm"), repeat)
    return Result(case, {SKNORM: sknorm, "scikit-learn": sklearn})


MEASURES: dict[str, Callable[[Case, int], Result]] = {
    **dict.fromkeys(WORK, measure_call),
    "partial_fit, batches of 1,000": partial(measure_stream, batch=1_000),
    "partial_fit, batches of 100,000": partial(measure_stream, batch=100_000),
    "prequential_transform": measure_prequential,
    "memory of fit": partial(measure_memory, work="fit"),
    "memory of transform": partial(measure_memory, work="transform"),
    "prequential_transform of encoded keys": measure_encoded,
    "partial_fit of 100 rows": partial(measure_known, method="partial_fit", n_rows=100),
    "partial_fit of 100 new keys": partial(measure_known, method="partial_fit", n_rows=100, new=True),
    "partial_fit of a row": partial(measure_known, method="partial_fit", n_rows=1),
    "transform of a row": partial(measure_known, method="transform", n_rows=1),
    "memory held after fit": partial(measure_held, work="fit"),
    "memory held after partial_fit": partial(measure_held, work="partial_fit"),
    "import": measure_import,
}
