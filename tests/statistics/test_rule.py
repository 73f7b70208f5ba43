"""Rules and pasts take the rows and the arrays that they can read, and refuse all others."""

import numpy as np
import pytest
from registry import SCALERS

from sknorm.kernels._stream import Past
from sknorm.statistics import Extremes, Moments, MomentsAndExtremes
from sknorm.statistics.rule import Rule

X = np.array([[1.0, -2.0], [3.0, 5.0], [4.0, 0.5]])
READS = {
    Moments: [Rule("mean"), Rule(scale="std"), Rule("mean", "std", ddof=1.0)],
    Extremes: [Rule("min"), Rule("min", "range"), *(Rule(scale=scale) for scale in ("range", "max_abs", "power"))],
    MomentsAndExtremes: [Rule("mean", "range"), Rule("min", "std"), Rule("mean", "max_abs")],
}


def past_of(kind):
    return Past(kind.zero(1, 2).table.copy(), kind.ROWS.start)


def can_read(kind, of):
    return kind is of or kind is MomentsAndExtremes


@pytest.mark.parametrize("of", READS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("kind", READS, ids=lambda kind: kind.__name__)
def test_a_rule_reads_rows_that_are_kept(kind, of):
    learned = kind.of(X).table
    for rule in READS[of]:
        out = np.full_like(X, np.nan)
        if can_read(kind, of):
            past_of(kind).follow(X, None, rule, out)
            assert np.isfinite(out).all()
            rule.derive(learned, kind.ROWS.start)
            continue
        past = past_of(kind)
        for call in (
            lambda past=past, rule=rule, out=out: past.follow(X, None, rule, out),
            lambda rule=rule: rule.derive(learned, kind.ROWS.start),
        ):
            with pytest.raises(ValueError, match="the rule reads rows that the statistic does not keep"):
                call()
        np.testing.assert_array_equal(past.table, kind.zero(1, 2).table)
        assert np.isnan(out).all()


@pytest.mark.parametrize("entry", SCALERS, ids=lambda entry: entry.scaler.__name__)
def test_the_rule_of_a_scaler_reads_what_it_learns(entry):
    for setting in ({}, *entry.settings):
        rule = entry.scaler(**setting)._rule()
        if rule is not None:
            entry.statistic.of(X).derived(rule)


def read_only(array):
    array.setflags(write=False)
    return array


def byte_swapped(array):
    return array.astype(array.dtype.newbyteorder())


# What is only read may be read-only.
CHANGED = {
    "table": lambda changed: Past(changed(Moments.zero(1, 2).table.copy()), 0),
    "phase": lambda changed: Past(
        Moments.zero(1, 2).table.copy(), 0, half_life=2.0, phase=changed(np.full((1, 2), -1.0))
    ),
    "pane_weight": lambda changed: Past(
        Moments.zero(1, 3).table.reshape(4, 3, 1).copy(), 0, window=2, length=1, pane_weight=changed(np.zeros(3))
    ),
    "out": lambda changed: past_of(Moments).follow(X, None, Rule("mean"), changed(np.empty_like(X))),
}
READ = {
    "X": lambda changed: past_of(Moments).follow(changed(X.copy())),
    "weights": lambda changed: past_of(Moments).follow(X, changed(np.ones(3))),
    "derived": lambda changed: Rule("mean").derive(changed(Moments.of(X).table.copy()), 0),
}


@pytest.mark.parametrize(
    ("call", "change"),
    [
        *(pytest.param(call, read_only, id=f"{name}-read-only") for name, call in CHANGED.items()),
        *(pytest.param(call, byte_swapped, id=f"{name}-byte-swapped") for name, call in (CHANGED | READ).items()),
    ],
)
def test_arrays_that_the_kernel_cannot_read_are_refused(call, change):
    call(np.array)  # as they should be
    with pytest.raises(ValueError, match=r"float64|writeable|native"):
        call(change)


@pytest.mark.parametrize("call", READ.values(), ids=READ)
def test_what_is_only_read_may_be_read_only(call):
    call(read_only)
