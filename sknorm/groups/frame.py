"""What is known of every group, as a frame that a person can read."""

from __future__ import annotations

from typing import Any

from sknorm._fitted import column_attributes, whole_numbers
from sknorm.groups.batch import Known


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
    keys, statistic = snapshot.key_index.keys(), snapshot.statistic.now().own
    columns = {("rows", ""): whole_numbers(snapshot.weight)}
    cells = {"count": statistic.count}
    for name, compute in column_attributes(type(known.scaler)).items():
        cells[name.removesuffix("_")] = compute(known.scaler, statistic)
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
