"""Readers beside a writer, processes that fork, and how many threads a scaler takes."""

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from registry import SCALERS, name_of, refusing
from sklearn.base import clone
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

import sknorm
from sknorm.kernels.threads import LARGE, effective_n_threads, map_chunks

CLASSES = [entry.scaler for entry in SCALERS]
N_READERS, N_BATCHES = 4, 100

each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)


@pytest.fixture
def often():
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def read_while(write, read, n_readers=N_READERS):
    """Return what threads read while the calling thread writes, at least once each."""
    done, started, seen = threading.Event(), threading.Barrier(n_readers + 1, timeout=30), []

    def reader():
        started.wait()
        while not done.is_set():
            seen.append(read())
        seen.append(read())

    with ThreadPoolExecutor(n_readers) as pool:
        readers = [pool.submit(reader) for _ in range(n_readers)]
        try:
            started.wait()
            write()
        finally:
            done.set()
        for future in readers:
            future.result(timeout=60)
    return seen


def batches(rng):
    """Return batches that move mean, spread and range each time, so that two states never mix unseen."""
    return [rng.normal(10.0**i, 2.0**i, size=(6, 5)) for i in np.linspace(-2, 5, N_BATCHES)]


VERBS = {
    "transform": lambda scaler, probe: scaler.transform(probe),
    "inverse_transform": lambda scaler, probe: scaler.inverse_transform(probe),
    "pickle": lambda scaler, probe: pickle.loads(pickle.dumps(scaler)).transform(probe),
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("verb", VERBS)
@each_class
def test_readers_see_whole_states(scaler_class, verb, rng):
    data, probe = batches(rng), rng.normal(size=(3, 5))
    setting = {"clip": 1e6} if "clip" in scaler_class().get_params() else {}
    if not setting:
        probe *= 1e9  # what lies within its bounds is the same for every state
    states, scaler = set(), scaler_class(**setting)
    for batch in data:
        states.add(VERBS[verb](scaler.partial_fit(batch), probe).tobytes())

    shared = scaler_class(**setting).partial_fit(data[0])

    def write():
        for batch in data[1:]:
            shared.partial_fit(batch)

    seen = read_while(write, lambda: VERBS[verb](shared, probe).tobytes())
    assert set(seen) <= states
    assert VERBS[verb](shared, probe).tobytes() == VERBS[verb](scaler, probe).tobytes()


@pytest.mark.usefixtures("often")
@each_class
def test_readers_beside_merge_and_fit(scaler_class, rng):
    """``fit`` on a fitted scaler swaps too: nobody finds it unfitted in between."""
    data, probe = batches(rng)[:20], rng.normal(size=(3, 5))
    parts = [scaler_class().fit(batch) for batch in data]
    states = {part.transform(probe).tobytes() for part in parts}
    states |= {pickle.loads(pickle.dumps(a)).merge(b).transform(probe).tobytes() for a in parts for b in parts}
    shared = scaler_class().fit(data[0])

    def write():
        for batch, part in zip(data, reversed(parts), strict=True):
            shared.fit(batch)
            shared.merge(part)

    assert set(read_while(write, lambda: shared.transform(probe).tobytes())) <= states


@pytest.mark.usefixtures("often")
@each_class
def test_readers_beside_a_writer_that_fails(scaler_class, rng):
    data, probe = rng.normal(size=(50, 5)), rng.normal(size=(3, 5))
    bad = data.copy()
    bad[40, 3] = np.inf
    shared = scaler_class(**refusing(scaler_class)).fit(data)
    expected = shared.transform(probe).tobytes()

    def write():
        for verb in [shared.fit, shared.partial_fit] * 50:
            with pytest.raises(ValueError, match="infinity"):
                verb(bad)

    assert set(read_while(write, lambda: shared.transform(probe).tobytes())) == {expected}


@pytest.mark.usefixtures("often")
@each_class
def test_readers_beside_a_writer_that_changes_the_width(scaler_class, rng):
    """A reader may be told that its table is too wide; it never gets a mixture, and never reads past an end."""
    narrow, wide = rng.normal(size=(6, 2)), rng.normal(size=(6, 300))
    expected = {scaler_class().fit(table).transform(table).tobytes() for table in (narrow, wide)}
    shared = scaler_class().fit(narrow)

    def write():
        for _ in range(100):
            shared.fit(wide)
            shared.fit(narrow)

    def read():
        seen = set()
        for table in (narrow, wide):
            with contextlib.suppress(ValueError):
                seen.add(shared.transform(table).tobytes())
        return seen

    assert set().union(*read_while(write, read)) <= expected


STREAMS = [
    sknorm.StandardScaler(),
    sknorm.StandardScaler(half_life=3.0),
    sknorm.StandardScaler(window=40),
    sknorm.MeanScaler(window=7),
    sknorm.MinMaxScaler(),
    sknorm.DecimalScaler(window=3),
    sknorm.RobustScaler(chunk_size=2),
    sknorm.RobustScaler(window=33),
    sknorm.StandardScaler(outliers=sknorm.OutlierClipper("sigma", fold=1.0, chunk_size=2)),
]
SECONDS = 10.0


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("scaler", STREAMS, ids=name_of)
def test_readers_beside_a_stream(scaler, rng):
    """8 threads transform while one learns, by ``partial_fit`` and by ``prequential_transform``: 10 seconds in all."""
    probe, shared = rng.normal(size=(3, 5)), clone(scaler).fit(rng.normal(size=(9, 5)))
    states = {shared.transform(probe).tobytes()}

    def write():
        end = time.monotonic() + SECONDS / len(STREAMS)
        while time.monotonic() < end:
            # Mean, spread and range move each time, so that two states never mix unseen.
            batch = rng.normal(10.0 ** rng.uniform(-2, 5), 2.0 ** rng.uniform(-2, 5), size=(3, 5))
            alone = pickle.loads(pickle.dumps(shared))
            if rng.random() < 0.5:
                shared.partial_fit(batch)
                alone.partial_fit(batch)
            else:
                scaled = shared.prequential_transform(batch)
                np.testing.assert_array_equal(scaled, alone.prequential_transform(batch))
            states.add(alone.transform(probe).tobytes())

    seen = set(read_while(write, lambda: shared.transform(probe).tobytes(), n_readers=8))
    assert seen <= states
    assert len(seen) > 1
    assert shared.transform(probe).tobytes() in states


@each_class
def test_large_tables_in_many_threads(scaler_class, rng):
    """Threads that each start threads of their own."""
    table = rng.normal(size=(LARGE // 8 // 4 + 1000, 4))
    scaler = scaler_class().fit(table[:1000])
    expected = scaler.transform(table)
    with ThreadPoolExecutor(2) as pool:
        for out in pool.map(scaler.transform, [table] * 2):
            np.testing.assert_array_equal(out, expected)
        learned = [future.result() for future in [pool.submit(scaler_class().fit, table) for _ in range(2)]]
    np.testing.assert_array_equal(*(each.transform(table[:100]) for each in learned))


# Processes.


def run(script, **environment):
    path = os.pathsep.join([str(Path(sknorm.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


FORK = """
import multiprocessing, threading, warnings
import numpy as np
import sknorm

X = np.random.default_rng(0).normal(size=(1_250_000, 4))  # 40 MB
names = {names}

def learn(queue=None):
    out = [getattr(sknorm, name)().fit(X).transform(X[:9]).tobytes() for name in names]
    queue.put(out)

here = multiprocessing.get_context("fork").Queue()
class Keep:
    put = lambda self, out: setattr(self, "out", out)
keep = Keep()
learn(keep)
assert threading.active_count() == 1, "threads are left behind"
child = multiprocessing.get_context("fork").Process(target=learn, args=(here,))
child.start()
there = here.get(timeout=60)
child.join(60)
assert child.exitcode == 0
assert there == keep.out
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_learns_as_its_parent_did():
    assert run(FORK.format(names=[scaler.__name__ for scaler in CLASSES])) == ["same"]


def fit_in_worker(scaler, table):
    return scaler.fit(table).transform(table[:50]), effective_n_threads()


@each_class
def test_joblib_processes_learn_the_same(scaler_class, rng):
    table = rng.normal(size=(1000, 4))
    with joblib.parallel_config("loky", n_jobs=2):
        results = Parallel()(delayed(fit_in_worker)(scaler_class(), table) for _ in range(2))
    for out, n_threads in results:
        np.testing.assert_array_equal(out, scaler_class().fit(table).transform(table[:50]))
        assert n_threads == 1


# Threads.

COUNT = "from sknorm.kernels.threads import effective_n_threads; print(effective_n_threads())"


def test_threads_are_those_of_scikit_learn():
    assert effective_n_threads() == _openmp_effective_n_threads()


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_parallel_config_is_an_upper_bound(backend):
    with joblib.parallel_config(backend, n_jobs=1):
        assert effective_n_threads() == 1
    with joblib.parallel_config(backend, n_jobs=-1):
        assert effective_n_threads() == min(_openmp_effective_n_threads(), joblib.cpu_count())
    with joblib.parallel_config(backend, n_jobs=10_000):
        assert effective_n_threads() == _openmp_effective_n_threads()
    with joblib.parallel_config(backend):
        assert effective_n_threads() == _openmp_effective_n_threads()


@pytest.mark.skipif(_openmp_effective_n_threads() == 1, reason="scikit-learn has one thread here, whatever is set")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_omp_num_threads(n_threads):
    assert run(COUNT, OMP_NUM_THREADS=str(n_threads)) == [str(n_threads)]


def test_threadpoolctl_is_an_upper_bound():
    with threadpool_limits(1):
        assert effective_n_threads() == 1


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_one_thread_inside_a_worker(backend):
    calls = (joblib.delayed(effective_n_threads)() for _ in range(4))
    assert joblib.Parallel(n_jobs=2, backend=backend)(calls) == [1] * 4


@pytest.mark.parametrize("n_bytes", [0, LARGE - 1, LARGE, 10 * LARGE])
def test_chunks_come_back_in_order(n_bytes):
    assert map_chunks(lambda i: i * i, range(100), n_bytes) == [i * i for i in range(100)]


def test_small_work_stays_on_the_calling_thread():
    threads = set(map_chunks(lambda _: threading.get_ident(), range(8), LARGE - 1))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("n_bytes", [0, LARGE])
def test_an_error_in_a_chunk_is_raised_and_leaves_no_threads(n_bytes):
    def fail(i):
        if i == 5:
            raise ZeroDivisionError("chunk 5")
        return i

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="chunk 5"):
        map_chunks(fail, range(10), n_bytes)
    assert threading.active_count() == before


@each_class
def test_bits_do_not_depend_on_the_number_of_threads(scaler_class, rng):
    table = rng.normal(1e6, 1, size=(LARGE // 8 // 5 + 12_345, 5))
    table.ravel()[::97] = np.nan
    outputs = []
    for n_jobs in (1, 2, -1):
        with joblib.parallel_config("threading", n_jobs=n_jobs):
            scaler = scaler_class().fit(table)
            outputs.append((pickle.dumps(scaler), scaler.transform(table).tobytes()))
    assert outputs[0] == outputs[1] == outputs[2]


@each_class
def test_infinity_is_found_in_every_chunk(scaler_class, rng):
    table = rng.normal(size=(LARGE // 8 // 4 + 1000, 4))
    setting = refusing(scaler_class)
    in_place = {"copy": False} if "copy" in scaler_class().get_params() else {}
    scaler = scaler_class(**setting, **in_place).fit(table[:100])
    for row in (0, len(table) // 2, len(table) - 1):
        table[row, 2] = np.inf
        before = table[:: len(table) // 7].tobytes()
        for verb in (scaler_class(**setting).fit, scaler.partial_fit, scaler.transform):
            with pytest.raises(ValueError, match="infinity"):
                verb(table)
        assert table[:: len(table) // 7].tobytes() == before
        table[row, 2] = 0.0
