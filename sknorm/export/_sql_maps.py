"""Maps in SQL."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sknorm.export._exported import Exported
from sknorm.export._sql_keys import Which, join, parameters_of
from sknorm.export._sql_query import Node, Query
from sknorm.maps import Affine, Clip, Fence, RowNorm, Squash

# A ratio whose square is nothing beside 1.
NEGLIGIBLE = 2.0**-30
# Rows with values beyond LARGE are divided by UNIT, so that no square overflows. What is within SMALL has no square, or
# one so small that PostgreSQL refuses to divide it.
LARGE, UNIT, SMALL = 1e150, 2.0**600, 1e-160


def write_part(query: Query, part: Exported, columns: list[str], beside: list[str]) -> list[str]:
    """Let columns become what a part makes of them; return those that come out."""
    values, parameters = [columns[j] for j in part.values], parameters_of(part)
    query.as_numbers(values)
    joined: dict[Which, str] = {}
    if part.lookup is not None:
        joined = join(query, part, beside if part.keys is None else [columns[j] for j in part.keys], parameters)

    def parameter(which: Which, fold: float = 1.0) -> Node:
        if which in joined:
            value = query[joined[which]]
            return value if fold == 1 else query.op("Mul", value, query.number(fold))
        return query.number(float(parameters[which][0]) * fold) if which in parameters else None

    def blank(j: int, is_blank: float) -> Node:
        return query.op("EQ", parameter((-1, "blank", j)), query.number(is_blank))

    flags, untouched = [], {}
    if part.flags is not None:
        query.plain(values)
        sides = [query.number(-1), query.number(1)]
        bounds = [np.where(np.isinf(end[0]), np.nan, end[0]) for end in (part.flags.low, part.flags.high)]
        for name, out, *ends in zip(values, part.names_out[len(values) :], *bounds, strict=True):
            nodes = [None if np.isnan(end) else query.number(end) for end in ends]
            flags.append(query.add(out, fenced(query, name, nodes, sides, query.number(0))))
        query.numbers.update(flags)
    for j in [j for _, field, j in parameters if field == "blank"]:
        name = values[j]
        if part.lookup is not None and part.lookup.passes:
            untouched[j] = query.add(name, query[name])
        else:
            query.columns[name] = query.case((blank(j, 0), query[name]))
    for i, step in enumerate(part.steps):
        if isinstance(step, RowNorm):
            write_rows(query, step, values)
        elif not isinstance(step, Affine):
            query.plain(values)
        for j, name in enumerate(values):
            of = partial(lambda i, j, field, fold=1.0: parameter((i, field, j), fold), i, j)
            query.columns[name] = mapped_by(query, step, name, of)
    for j, name in untouched.items():
        query.columns[values[j]] = query.case((blank(j, 1), query[name]), otherwise=query.columns[values[j]])
    stay = columns if not flags and len(part.names_out) == len(columns) else values
    query.drop({*joined.values(), *untouched.values(), *columns}.difference(stay))
    return [*stay, *flags]


def mapped_by(query: Query, step: Any, name: str, of: Callable[..., Node]) -> Node:
    """Return what a map makes of a column, whose parameters, times a number if one is given, `of` returns."""
    if isinstance(step, Squash):
        return squashed(query, name, of)
    if isinstance(step, (Clip, Fence)):
        ends = [of("low"), of("high")]
        drops = isinstance(step, Fence) and step.drops
        return fenced(query, name, ends, [query.exp.Null()] * 2 if drops else ends, query[name])
    value = query[name]
    for kind, field in (("Sub", "centre"), ("Div", "scale"), ("Mul", "gain"), ("Add", "shift")):
        parameter = of(field)
        if parameter is not None:
            value = query.op(kind, value, parameter)
    return value


def fenced(query: Query, name: str, ends: list[Node], to: list[Node], inside: Node) -> Node:
    """Return what becomes of a column below the first end and above the second, where there is one, and inside."""
    branches = [
        (query.op(kind, query[name], end.copy()), value.copy())
        for kind, end, value in zip(("LT", "GT"), ends, to, strict=True)
        if end is not None
    ]
    return query.case(*branches, otherwise=inside)


def beyond(query: Query, name: str, high: Node, low: Node) -> Node:
    """Return the condition that a column is above the one or below the other."""
    return query.either(query.op("GT", query[name], high), query.op("LT", query[name], low))


def squashed(query: Query, name: str, of: Callable[..., Node]) -> Node:
    """Return x/√(1 + (x/B)²), where the square is neither all there is, which gives B, nor nothing beside 1."""
    op, x = query.op, partial(query.__getitem__, name)
    ratio = op("Div", x(), of("bound"))
    root = query.exp.Sqrt(this=op("Add", query.number(1), op("Mul", ratio, ratio.copy())))
    return query.case(
        (op("GT", x(), of("bound", 1 / NEGLIGIBLE)), of("bound")),
        (op("LT", x(), of("bound", -1 / NEGLIGIBLE)), of("bound", -1.0)),
        (beyond(query, name, of("bound", NEGLIGIBLE), of("bound", -NEGLIGIBLE)), op("Div", x(), root)),
        otherwise=x(),
    )


def write_rows(query: Query, step: RowNorm, names: list[str]) -> None:
    """Let columns become their distances from the mean of their block over √(variance + eps)."""
    op, number, case, exp = query.op, query.number, query.case, query.exp
    ends = step.ends.tolist()
    blocks = [names[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def each(name: str, of: Callable[..., Node], *others: list[str]) -> list[str]:
        return [query.add(name, of(*block)) for block in zip(blocks, *others, strict=True)]

    def change(kind: str, by: list[str]) -> None:
        for block, other in zip(blocks, by, strict=True):
            for name in block:
                query.columns[name] = op(kind, query.columns[name], query[other])

    def or_zero(value: Node) -> Node:
        return exp.Coalesce(this=value, expressions=[number(0)])

    def count_of(block: list[str]) -> Node:
        some = [case((query.is_null(query[name]), number(0)), otherwise=number(1)) for name in block]
        return query.call("NULLIF", query.total(some), number(0))

    def unit_of(block: list[str]) -> Node:
        largest = query.largest([or_zero(exp.Abs(this=query[name])) for name in block])
        return case((op("GT", largest, number(LARGE)), number(UNIT)), otherwise=number(1))

    def mean_of(block: list[str], count: str) -> Node:
        return op("Div", query.total([or_zero(query[name]) for name in block]), query[count])

    def variance_of(block: list[str], count: str) -> Node:
        is_some = (beyond(query, name, number(SMALL), number(-SMALL)) for name in block)
        squares = ((some, op("Mul", query[name], query[name])) for some, name in zip(is_some, block, strict=True))
        return op("Div", query.total([case(square, otherwise=number(0)) for square in squares]), query[count])

    def root_of(_: list[str], unit: str, variance: str) -> Node:
        eps = case((op("GT", query[unit], number(1)), number(0)), otherwise=number(step.eps))
        root = exp.Sqrt(this=op("Add", query[variance], eps) if step.eps else query[variance])
        return case((op("GT", root, number(0)), root.copy()), otherwise=number(1))

    query.plain(names)
    counts, units = each("count", count_of), each("unit", unit_of)
    query.level(barrier=True)
    change("Div", units)
    means = each("mean", mean_of, counts)
    query.level(barrier=True)
    change("Sub", means)
    lows = each("low", mean_of, counts)  # what the mean was rounded by: a constant is 0 without
    query.level(barrier=True)
    change("Sub", lows)
    query.level()
    variances = each("variance", variance_of, counts)
    query.level(barrier=True)
    roots = each("root", root_of, units, variances)
    query.level()
    change("Div", roots)
    query.drop([*counts, *units, *means, *lows, *variances, *roots])
