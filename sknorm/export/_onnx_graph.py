"""Maps as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sknorm.maps import LARGEST, Affine, Clip, Fence, Map, RowNorm, Squash

# The name of a tensor, or a constant.
Input: TypeAlias = str | float | np.generic | NDArray[Any]

# The oldest opset that has all operators that are needed, in forms that later ones have too.
OPSET = 13
# A block of a row whose values are beyond the first is divided by the second, a power of two, so that its squares do
# not overflow.
HUGE, UNIT = 1e140, 2.0**600


class Graph:
    """The nodes that one operator of skl2onnx becomes. They take the names of tensors, or constants."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.scope = scope
        self.container = container
        self.written: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
        self.constants: dict[Any, str] = {}
        self.codes: str | None = None  # the rows of the parameters that the rows of X take, where there are several

    def node(self, op: str, *inputs: Input, **attributes: Any) -> str:
        """Write a node, and return the name of its output."""
        return self.nodes(op, *inputs, n_outputs=1, **attributes)[0]

    def nodes(self, op: str, *inputs: Input, n_outputs: int, **attributes: Any) -> list[str]:
        """Write a node of several outputs, and return their names."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        outputs = [self.scope.get_unique_variable_name(op.lower()) for _ in range(n_outputs)]
        self.written.append((op, names, outputs, {"op_version": OPSET} | attributes))
        return outputs

    def finish(self, result: str, name: str) -> None:
        """Give all nodes to skl2onnx, and the result of the last its name."""
        if not self.written:
            self.written.append(("Identity", [result], [result], {"op_version": OPSET}))
        for op, inputs, outputs, attributes in self.written:
            outputs = [name if output == result else output for output in outputs]
            self.container.add_node(op, inputs, outputs, name=self.scope.get_unique_operator_name(op), **attributes)

    def constant(self, value: Any) -> str:
        """Return the name of a constant, the same for equal ones."""
        from onnx.numpy_helper import from_array

        array = np.asarray(value, order="C")
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self.constants:
            self.constants[key] = self.scope.get_unique_variable_name("constant")
            self.container.add_initializer(self.constants[key], None, None, from_array(array))
        return self.constants[key]

    def parameter(self, values: NDArray[Any]) -> Input:
        """Return a map's parameter: the one row that it has, or the row of each row's key."""
        first = values[:1]
        if self.codes is None or np.array_equal(values, np.broadcast_to(first, values.shape), equal_nan=True):
            return first
        return self.node("Gather", values, self.codes, axis=0)

    def cast(self, name: str, to: str) -> str:
        """Return a tensor of another type."""
        from onnx import TensorProto

        return self.node("Cast", name, to=getattr(TensorProto, to))


def affine(graph: Graph, x: str, step: Affine) -> str:
    """Write ``(x − centre)/scale · gain + shift``."""
    for op, values in (("Sub", step.centre), ("Div", step.scale), ("Mul", step.gain), ("Add", step.shift)):
        if values is not None:
            x = graph.node(op, x, graph.parameter(values))
    return x


def clip(graph: Graph, x: str, step: Clip | Fence) -> str:
    """Write what moves values to their bounds: comparisons, since nothing says that Min and Max keep NaN."""
    for op, values in (("Less", step.low), ("Greater", step.high)):
        if not np.isinf(values).all():
            bound = graph.parameter(values)
            x = graph.node("Where", graph.node(op, x, bound), bound, x)
    return x


def fence(graph: Graph, x: str, step: Fence) -> str:
    """Write what moves values to their bounds, or drops them."""
    if not step.drops:
        return clip(graph, x, step)
    return graph.node("Where", graph.node("Or", *outside(graph, x, step)), np.nan, x)


def outside(graph: Graph, x: str, step: Fence) -> tuple[str, str]:
    """Write which values are below and which above; an infinity is outside where a side is open, too."""
    low, high = np.maximum(step.low, -LARGEST), np.minimum(step.high, LARGEST)
    return graph.node("Less", x, graph.parameter(low)), graph.node("Greater", x, graph.parameter(high))


def flags(graph: Graph, x: str, step: Fence) -> str:
    """Write −1 for what is below, 1 for what is above, else 0."""
    below, above = (graph.cast(name, "DOUBLE") for name in outside(graph, x, step))
    return graph.node("Sub", above, below)


def squash(graph: Graph, x: str, step: Squash) -> str:
    """Write ``B·x/√(x² + B²)`` as t/√(1 + (t/m)²), where t is x clipped to ±B, and m the larger of its size and B."""
    bound, size = graph.parameter(step.bound), graph.node("Abs", x)
    top = clip(graph, x, Clip(-step.bound, step.bound))
    ratio = graph.node("Div", top, graph.node("Where", graph.node("Less", size, bound), bound, size))
    root = graph.node("Sqrt", graph.node("Add", graph.node("Mul", ratio, ratio), 1.0))
    return graph.node("Div", top, root)


def rownorm(graph: Graph, x: str, step: RowNorm) -> str:
    """Write the normalization of every block, at once where all are equally wide."""
    widths = np.diff(step.ends, prepend=0).astype(np.int64)
    if len(widths) == 1:
        x = normalized(graph, x, step.eps)
    elif (widths == widths[0]).all():
        blocks = graph.node("Reshape", x, np.array([0, len(widths), widths[0]]))
        x = graph.node("Reshape", normalized(graph, blocks, step.eps), np.array([0, widths.sum()]))
    else:
        blocks_apart = graph.nodes("Split", x, widths, n_outputs=len(widths), axis=1)
        x = graph.node("Concat", *(normalized(graph, block, step.eps) for block in blocks_apart), axis=1)
    return affine(graph, x, Affine(gain=step.gain, shift=step.shift))


def normalized(graph: Graph, x: str, eps: float) -> str:
    """Write ``(x − mean)/√(variance + eps)`` along the last axis, without what is missing."""
    missing = graph.node("IsNaN", x)

    def total(values: Input) -> str:
        present = graph.node("Where", missing, 0.0, values)
        return graph.node("ReduceSum", present, np.array([-1]), keepdims=1)

    def mean(values: str) -> str:
        return graph.node("Div", total(values), count)

    count = total(1.0)
    huge = graph.node("Greater", mean(graph.node("Abs", x)), HUGE)
    x = graph.node("Div", x, graph.node("Where", huge, UNIT, 1.0))
    centre = mean(x)
    deviation = graph.node("Sub", x, centre)
    deviation = graph.node("Sub", deviation, mean(deviation))  # what the mean was rounded by
    variance = mean(graph.node("Mul", deviation, deviation))
    root = graph.node("Sqrt", graph.node("Add", variance, graph.node("Where", huge, 0.0, eps)) if eps else variance)
    # Those of a constant are exactly 0: its mean is off by a few units in the last place, whose sum is exact.
    return graph.node("Div", deviation, graph.node("Where", graph.node("Greater", root, 0.0), root, np.inf))


CONVERTERS: dict[type[Map], Callable[[Graph, str, Any], str]] = {
    Affine: affine,
    Clip: clip,
    Fence: fence,
    Squash: squash,
    RowNorm: rownorm,
}
