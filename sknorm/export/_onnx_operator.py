"""Fitted estimators as operators of skl2onnx: declared, given a shape, and converted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from sknorm.export._exported import Exported, exported
from sknorm.export._onnx_graph import CONVERTERS, Graph, flags

# An input of an operator, and the position of a column in it.
Column: TypeAlias = tuple[Any, int]

ALIAS = "SknormScaler"


def declare(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> Any:
    """Declare the operator of an estimator, and return its outputs."""
    operator = scope.declare_local_operator(ALIAS, model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("variable", output_type(operator)))
    return operator.outputs


def set_shape(operator: Any) -> None:
    """Set type and shape of an operator's output."""
    operator.outputs[0].type = output_type(operator)


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Write the nodes of an operator.

    Raises
    ------
    TypeError
        If the keys are not what the graph's input for them holds.
    ValueError
        If the inputs have another number of columns than the estimator's table, or strings where there are numbers.
    """
    what, columns, graph = exported_by(operator), columns_of(operator), Graph(scope, container)
    name = type(operator.raw_operator).__name__
    if len(columns) != n_columns(what):
        beside = n_columns(what) - len(what.names_in)
        keys = f", and then {beside} of keys, which were given beside X: name them in initial_types" if beside else ""
        raise ValueError(
            f"{name} was fitted on {len(what.names_in)} columns{keys}; the graph has {len(columns)} for it."
        )
    X = Z = values_of(graph, columns, what.values)
    if what.lookup is not None:
        own = operator.raw_operator.missing_key == "own"
        parts = [key_column(graph, *columns[position]) for position in key_positions(what)]
        graph.codes = coded(graph, parts, key_tuples(what), own)
    for step in what.steps:
        Z = CONVERTERS[type(step)](graph, Z, step)
    if what.lookup is not None and what.lookup.blank.any():
        Z = graph.node("Where", graph.parameter(what.lookup.blank), X if what.lookup.passes else np.nan, Z)
    if what.flags is not None:
        Z = graph.node("Concat", Z, flags(graph, X, what.flags), axis=1)
    if what.keys is not None and len(what.names_out) > len(what.values):
        if any(kind_of(columns[position][0]) == "string" for position in what.keys):
            raise ValueError(f"A graph cannot put out strings among numbers; set drop_keys=True in the {name}.")
        both = graph.node("Concat", Z, values_of(graph, columns, what.keys), axis=1)
        Z = graph.node("Gather", both, np.argsort([*what.values, *what.keys]), axis=1)
    graph.finish(graph.cast(Z, "FLOAT") if is_single(operator) else Z, operator.outputs[0].full_name)


def exported_by(operator: Any) -> Exported:
    """Return what the estimator of an operator does; found out once, since there may be a million keys."""
    if not hasattr(operator, "exported"):
        operator.exported = exported(operator.raw_operator)
    what: Exported = operator.exported
    return what


def output_type(operator: Any) -> Any:
    """Return the type of an operator's output."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return (FloatTensorType if is_single(operator) else DoubleTensorType)([None, len(exported_by(operator).names_out)])


# Columns.


def columns_of(operator: Any) -> list[Column]:
    """Return the columns that the inputs of an operator have together; the width of one may not be known yet."""
    shapes = [variable.type.shape for variable in operator.inputs]
    given = [shape[1] if len(shape) == 2 else None for shape in shapes]
    rest = max(n_columns(exported_by(operator)) - sum(width or 0 for width in given), 0)
    widths = [rest if width is None and given.count(None) == 1 else width or 0 for width in given]
    return [(variable, i) for variable, width in zip(operator.inputs, widths, strict=True) for i in range(width)]


def kind_of(variable: Any) -> str:
    """Return what a tensor holds: "string", "double", "float", "int64", "boolean" and so on."""
    return type(variable.type).__name__.removesuffix("TensorType").lower()


def is_single(operator: Any) -> bool:
    """Say whether values come as float32, and with them nothing but integers; then so they go."""
    columns = columns_of(operator)
    variables = [columns[i][0] for i in exported_by(operator).values if i < len(columns)] or operator.inputs
    kinds = set(map(kind_of, variables))
    return "float" in kinds and "double" not in kinds


def values_of(graph: Graph, columns: list[Column], positions: list[int]) -> str:
    """Write the columns at these positions as one tensor of doubles."""
    parts = []
    for name, group in groupby((columns[i] for i in positions), lambda column: column[0].full_name):
        picked = list(group)
        variable, kind = picked[0][0], kind_of(picked[0][0])
        if kind == "string":
            raise ValueError(f"The input {variable.raw_name!r} holds strings, but is to be scaled.")
        whole = sum(other.full_name == name for other, _ in columns) == len(picked)
        part = name if whole else graph.node("Gather", name, np.array([i for _, i in picked]), axis=1)
        parts.append(part if kind == "double" else graph.cast(part, "DOUBLE"))
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def key_column(graph: Graph, variable: Any, i: int) -> tuple[str, str]:
    """Write a column of keys as a tensor of one dimension, and return its name and its kind."""
    name, kind = graph.node("Gather", variable.full_name, np.int64(i), axis=1), kind_of(variable)
    if kind in ("string", "double", "int64"):
        return name, kind
    to = "double" if kind == "float" else "int64"
    return graph.cast(name, to.upper()), to


# Keys.


def key_tuples(what: Exported) -> list[tuple[Any, ...]]:
    """Return the keys as tuples of their parts."""
    keys = [] if what.lookup is None else what.lookup.keys
    composite = all(isinstance(key, tuple) for key in keys) if what.keys is None else len(what.keys) > 1
    return keys if composite else [(key,) for key in keys]


def key_positions(what: Exported) -> list[int]:
    """Return the positions of the columns of keys; those beside X come after those of X."""
    if what.lookup is None or what.keys is not None:
        return what.keys or []
    n_parts = len(next(iter(key_tuples(what)), (None,)))
    return list(range(len(what.names_in), len(what.names_in) + n_parts))


def n_columns(what: Exported) -> int:
    """Return the number of columns of X and of keys beside it."""
    return max([len(what.names_in), *(position + 1 for position in key_positions(what))])


def kind_of_keys(keys: Iterable[Any]) -> str:
    """Return "string", "int64" or "double": what holds keys, or parts of keys, of which some may be missing.

    Integers with missing ones are doubles, among which NaN is missing, unless they are too large.

    Raises
    ------
    TypeError
        If nothing holds them.
    """
    kinds: set[str] = set()
    for key in keys:
        kind = next((kind for type_, kind in KINDS.items() if isinstance(key, type_)), None)
        if kind is None or (kind == "integer" and not -(2**63) <= key < 2**63):
            raise TypeError(f"ONNX has no type for the key {key!r}; it has strings, doubles and integers of 64 bits.")
        kinds.add("large" if kind == "integer" and float(key) != key else kind)
        if not any(kinds <= held for _, held in HOLD):
            raise TypeError(f"The key {key!r} is of another kind than others of its column; a tensor holds one kind.")
    return next(tensor for tensor, held in HOLD if kinds <= held)


KINDS = {str: "string", int: "integer", float: "fraction", type(None): "missing"}
# What tensors hold; the first that does is taken.
HOLD = (
    ("int64", {"integer", "large"}),
    ("double", {"integer", "fraction", "missing"}),
    ("int64", {"integer", "large", "missing"}),
    ("string", {"string", "missing"}),
)


def coded(graph: Graph, parts: list[tuple[str, str]], keys: list[tuple[Any, ...]], own: bool) -> str:
    """Write the number of every row's key; the two after them are those of another key, and of none.

    The parts of a key are numbered one after the other: the number of all before, and that of the part, make a number
    that stands for both, and these are numbered again. ``own`` says that a missing part is a value like any other.
    """
    codes, absent, so_far = "", "", [0] * len(keys)
    for i, (name, kind) in enumerate(parts):
        numbers = numbered(key[i] for key in keys)
        other, n_codes = len(numbers), len(numbers) + 2
        none = numbers.get(None, other) if own else other + 1
        code = encoded(graph, name, kind, numbers, none)
        both = [before * n_codes + numbers[key[i]] for before, key in zip(so_far, keys, strict=True)]
        pairs = numbered(both)
        so_far = [pairs[pair] for pair in both]
        if i > 0:
            pair = graph.node("Add", graph.node("Mul", codes, np.int64(n_codes)), code)
            codes = encoded(graph, pair, "int64", pairs, len(pairs))
        else:
            codes = code
        if not own and len(parts) > 1:
            is_none = graph.node("Equal", code, np.int64(none))
            absent = graph.node("Or", absent, is_none) if absent else is_none
    return graph.node("Where", absent, np.int64(len(keys) + 1), codes) if absent else codes


def numbered(values: Iterable[Any]) -> dict[Any, int]:
    """Return the number of each distinct value, in the order in which they came."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def encoded(graph: Graph, name: str, kind: str, numbers: dict[Any, int], none: int) -> str:
    """Write the numbers of values; after them comes that of all others, and ``none`` is that of a missing one."""
    known = {value: number for value, number in numbers.items() if value is not None}
    if known and (kind_of_keys(known) == "string") != (kind == "string"):
        raise TypeError(f"The key {next(iter(known))!r} was learned, but the graph has a tensor of {kind} for it.")
    if kind == "double":
        return encoded_doubles(graph, name, numbers, none)
    if kind == "int64":
        known = {int(value): number for value, number in known.items() if value % 1 == 0}
    elif "" in known and None in numbers:
        raise ValueError('To a graph the empty string is a missing key, but "" and None were learned as two keys.')
    else:
        known = {"": none} | known
    return labelled(graph, name, known, len(numbers))


def encoded_doubles(graph: Graph, name: str, numbers: dict[Any, int], none: int) -> str:
    """Write the same of doubles, which are rounded to integers, numbered, and compared with what has their number."""
    other = len(numbers)
    keys = np.full(other + 1, np.nan)
    for value, number in numbers.items():
        keys[number] = value if value is not None and float(value) == value else np.nan  # equal to no double
    present = np.flatnonzero(~np.isnan(keys))
    power = 0
    if (np.trunc(keys[present]) != keys[present]).any():  # as many digits as there is room for
        power = min(62 - int(np.frexp(np.abs(keys[present]))[1].max()), 1000)
    rounded = dict(zip(np.trunc(np.ldexp(keys[present], power)).tolist(), present.tolist(), strict=True))
    if len(rounded) < len(present) or not all(abs(value) < 2**63 for value in rounded):
        raise ValueError("Keys that are not whole numbers are too close to each other for a graph, or too large.")
    scaled = graph.node("Mul", name, 2.0**power) if power else name
    integers = {int(value): number for value, number in rounded.items()}
    codes = labelled(graph, graph.cast(scaled, "INT64"), integers, other)
    found = graph.node("Equal", graph.node("Gather", keys, codes, axis=0), name)
    codes = graph.node("Where", found, codes, np.int64(other))
    return codes if none == other else graph.node("Where", graph.node("IsNaN", name), np.int64(none), codes)


def labelled(graph: Graph, name: str, known: dict[Any, int], other: int) -> str:
    """Write the numbers of strings or integers."""
    keys = {"keys_strings" if isinstance(next(iter(known), 0), str) else "keys_int64s": list(known) or [0]}
    numbers = {"values_int64s": list(known.values()) or [other], "default_int64": other}
    return graph.node("LabelEncoder", name, op_domain="ai.onnx.ml", op_version=2, **keys, **numbers)
