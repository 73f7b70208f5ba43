"""Tables that scikit-learn refuses, or not, and what an error says."""

import numpy as np
import pandas as pd

# Each has three columns where it can.
RAGGED = [[1.0, 2.0, 3.0], [4.0, 5.0]]
TABLES = {
    "1-d": lambda: np.ones(3),
    "3-d": lambda: np.ones((2, 3, 1)),
    "0-d": lambda: np.array(3.0),
    "number": lambda: 3.0,
    "None": lambda: None,
    "empty list": list,
    "list of empty lists": lambda: [[], []],
    "no rows": lambda: np.empty((0, 3)),
    "no columns": lambda: np.empty((4, 0)),
    "ragged": lambda: RAGGED,
    "string": lambda: "abc",
    "strings": lambda: [["a", "b", "c"]],
    "numeric strings": lambda: [["1", "2", "3"], ["4", "5", "6"]],
    "object strings": lambda: np.array([["a", "b", "c"]], dtype=object),
    "object dicts": lambda: np.array([[{}, {}, {}]], dtype=object),
    "object None": lambda: np.array([[1.0, 2.0, None], [1.0, 2.0, 3.0]], dtype=object),
    "object inf": lambda: np.array([[1.0, 2.0, np.inf]], dtype=object),
    "object huge": lambda: np.array([[1, 2, 10**400]], dtype=object),
    "bytes": lambda: np.array([[b"a", b"b", b"c"]]),
    "complex": lambda: np.ones((2, 3)) + 1j,
    "complex list": lambda: [[1j, 2.0, 3.0]],
    "datetime": lambda: np.zeros((2, 3), dtype="M8[ns]"),
    "timedelta": lambda: np.zeros((2, 3), dtype="m8[ns]"),
    "structured": lambda: np.zeros((2, 3), dtype=[("a", float)]),
    "np.matrix": lambda: np.ones((2, 3)).view(np.matrix),
    "masked array": lambda: np.ma.masked_array(np.ones((2, 3)), mask=np.eye(2, 3)),
    "dict": lambda: {"a": [1.0], "b": [2.0], "c": [3.0]},
    "set": lambda: {1.0, 2.0, 3.0},
    "generator": lambda: (row for row in [[1.0, 2.0, 3.0]]),
    "class": lambda: object,
    "object": lambda: object(),
    "Series": lambda: pd.Series([1.0, 2.0, 3.0]),
    "Series, 1 row": lambda: pd.Series([1.0, 2.0, 3.0]).to_frame().T.iloc[0],
    "frame of strings": lambda: pd.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]}),
    "frame of categories": lambda: pd.DataFrame(dict.fromkeys("abc", pd.Categorical(["x", "y"]))),
    "frame of dates": lambda: pd.DataFrame(dict.fromkeys("abc", pd.to_datetime(["2020-01-01"]))),
    "inf": lambda: np.array([[1.0, np.inf, 2.0]]),
    "-inf": lambda: np.array([[1.0, -np.inf, 2.0]]),
    "inf and NaN": lambda: np.array([[np.nan, -np.inf, 2.0]]),
    "both inf": lambda: np.array([[np.inf, 0.0, 1.0], [-np.inf, 0.0, 1.0]]),
    "inf, float32": lambda: np.array([[1.0, np.inf, 2.0]], dtype=np.float32),
    "inf, float16": lambda: np.array([[1.0, np.inf, 2.0]], dtype=np.float16),
    "inf, F": lambda: np.asfortranarray(np.where(np.eye(9, 3) > 0, np.inf, 1.0)),
    "inf, strided": lambda: np.where(np.eye(9, 6) > 0, np.inf, 1.0)[:, ::2],
    "inf, longdouble": lambda: np.array([[1.0, np.inf, 2.0]], dtype=np.longdouble),
    "inf, frame": lambda: pd.DataFrame([[1.0, np.inf, 2.0]], columns=[0, 1, 2]),
    "inf, last of many": lambda: np.where(np.arange(30_000).reshape(10_000, 3) == 29_999, np.inf, 1.0),
}


def outcome(call, *arguments, **keywords):
    """Return the class and the message of the error that a call raises, or None."""
    try:
        call(*arguments, **keywords)
    except Exception as error:
        return type(error), str(error)
    return None
