"""What is known of every group, as a frame that a person can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sknorm._base import Scaler
from sknorm._fitted import column_attributes, whole_numbers
from sknorm.groups.batch import Known


def cell_attributes(scaler: Scaler) -> dict[str, Callable[[Any], Any]]:
    """Return by name what computes the attributes of all groups from what is known now: a scaler's, and its bounds."""

    def of(part: str, owner: Any) -> dict[str, Callable[[Any], Any]]:
        def reading(get: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
            return lambda now: get(owner, getattr(now, part))

        return {name: reading(get) for name, get in column_attributes(type(owner)).items()}

    own = of("own", scaler)
    return own if scaler.outliers is None else own | of("fenced", scaler.outliers)


def frame_of(known: Known, key_names: list[Any], features: list[Any]) -> Any:
    """Return a pandas frame with a row for every key: its weight, and what its scaler would show of every feature.

    Parameters
    ----------
    known : Known
        What is known.
    key_names : list
        A name for each part of the keys.
    features : list
        The names of the values.
    """
    import pandas

    snapshot = known.groups.snapshot()
    keys, now = snapshot.key_index.keys(), snapshot.statistic.now()
    columns = {("rows", ""): whole_numbers(snapshot.weight)}
    cells = {"count": now.own.count}
    for name, compute in cell_attributes(known.scaler).items():
        cells[name.removesuffix("_")] = compute(now)
    for i, feature in enumerate(features):
        columns |= {(feature, name): values[:, i] for name, values in cells.items() if values is not None}
    index: Any
    if known.n_parts > 1:
        index = pandas.MultiIndex.from_tuples(keys.tolist(), names=key_names)
    else:
        index = pandas.Index(keys, name=key_names[0] if key_names else None)
    frame = pandas.DataFrame(columns, index)
    frame.columns = pandas.MultiIndex.from_tuples(columns, names=["feature", "statistic"])
    return frame
