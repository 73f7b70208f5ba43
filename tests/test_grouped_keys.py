"""Keys as users have them: of every kind, named in every way, in frames and beside them, and changing on the way."""

import datetime as dt
import re
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from grouping import KEYS, TYPED, as_objects, assert_same_bits, holds_none

import sknorm
from sknorm import GroupedScaler, StandardScaler

VALUES = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 20.0], [9.0, 90.0], [2.0, 40.0], [8.0, 70.0]])
NAMES = ["a", "b"]


def frame_with(column, at=1, container=pd.DataFrame):
    """Return a frame of the values with a column "key" among them."""
    columns = [("a", VALUES[:, 0]), ("b", VALUES[:, 1])]
    columns.insert(at, ("key", column))
    return container(dict(columns))


def expected_of(keys, values=VALUES):
    """Return the z-scores within keys that Python takes for equal."""
    out = np.empty_like(values)
    for key in dict.fromkeys(keys):
        rows = [i for i, other in enumerate(keys) if other == key]
        out[rows] = StandardScaler().fit_transform(values[rows])
    return out


def names_of(table):
    """Return the names that this release of scikit-learn reads of a table; of Polars not all do."""
    return getattr(StandardScaler().fit(table), "feature_names_in_", np.array(["x0", "x1", "x2"])).tolist()


# Kinds.

COLUMNS = {f"{kind}-{i}": (kind, make) for kind in TYPED for i, make in enumerate(TYPED[kind])}
COLUMNS |= {f"{kind}-objects": (kind, as_objects) for kind in KEYS}


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("name", COLUMNS)
def test_keys_of_every_kind(name, missing):
    kind, make = COLUMNS[name]
    some = KEYS[kind]
    keys = [some[0], some[1], some[0], some[-1], some[1], some[-1]]
    if missing:
        if name != f"{kind}-objects" and not holds_none(make):
            return
        keys[2] = keys[4] = None
    column, expected = make(keys), expected_of(keys)
    beside = GroupedScaler()
    np.testing.assert_allclose(beside.fit_transform(VALUES, groups=column), expected, rtol=1e-12)
    assert beside.groups_.tolist() == list(dict.fromkeys(keys))
    frames = [frame_with(as_objects(keys)), np.column_stack([VALUES[:, :1], as_objects(keys), VALUES[:, 1:]])]
    frames.append(frame_with(column, container=pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame))
    for frame in frames:
        inside = GroupedScaler(by=1)
        np.testing.assert_allclose(inside.fit_transform(frame), expected, rtol=1e-12)
        assert inside.groups_.tolist() == beside.groups_.tolist()
    # Every other kind of column finds them again.
    state = beside.to_json()
    for other_kind, other in COLUMNS.values():
        if other_kind == kind and (not missing or other is as_objects or holds_none(other)):
            assert_same_bits(beside.transform(VALUES, groups=other(keys)), beside.transform(VALUES, groups=column))
    assert beside.to_json() == state


@pytest.mark.parametrize(
    "keys",
    [
        [b"x", b"", b"x", b"y", b"", b"y"],
        [UUID(int=1), UUID(int=2), UUID(int=1), UUID(int=3), UUID(int=2), UUID(int=3)],
        [Decimal(1), Decimal("1.5"), 1, 2.5, 1.5, Decimal("2.5")],
        [dt.time(1), dt.time(2), dt.time(1), dt.time(3), dt.time(2), dt.time(3)],
        [frozenset("a"), frozenset("b"), frozenset("a"), frozenset(), frozenset("b"), frozenset()],
    ],
    ids=["bytes", "uuid", "decimal", "time", "frozenset"],
)
def test_any_hashable_object_is_a_key(keys):
    np.testing.assert_allclose(GroupedScaler().fit_transform(VALUES, groups=as_objects(keys)), expected_of(keys))


def test_one_and_the_string_one_are_two():
    keys = as_objects([1, "1", 1.0, "1", True, "1.0"])
    grouped = GroupedScaler().fit(VALUES, groups=keys)
    assert grouped.groups_.tolist() == [1, "1", "1.0"]
    assert [type(key) for key in grouped.groups_] == [int, str, str]
    assert grouped.group_counts_.tolist() == [3, 2, 1]


def test_missing_keys_of_all_kinds_are_one():
    keys = as_objects([None, np.nan, pd.NA, pd.NaT, float("nan"), np.datetime64("NaT")])
    grouped = GroupedScaler().fit(VALUES, groups=keys)
    assert grouped.groups_.tolist() == [None]
    assert grouped.group_counts_.tolist() == [6]
    expected = StandardScaler().fit_transform(VALUES)
    np.testing.assert_allclose(grouped.transform(VALUES, groups=[None] * 6), expected, rtol=1e-12)
    for keys in ([np.nan, "a", None, "a", np.nan, "b"], [None, 1, np.nan, 1, pd.NA, 2]):
        assert GroupedScaler().fit(VALUES, groups=as_objects(keys)).group_counts_.tolist() == [3, 2, 1]
        with pytest.raises(ValueError, match="missing"):
            GroupedScaler(missing_key="error").fit(VALUES, groups=as_objects(keys))
        grouped = GroupedScaler(missing_key="global").fit(VALUES, groups=as_objects(keys))
        assert None not in grouped.groups_.tolist()
        assert grouped.group_counts_.tolist() == [2, 1]
        np.testing.assert_allclose(
            grouped.transform(VALUES, groups=as_objects(keys))[[0, 2, 4]],
            StandardScaler().fit_transform(VALUES)[[0, 2, 4]],
            rtol=1e-12,
        )


def test_a_composite_key_with_a_missing_part():
    keys = pd.DataFrame({"x": ["a", None, "a", None, "a", "a"], "y": [1, 1, None, 1, 1, 2]})
    grouped = GroupedScaler().fit(VALUES, groups=keys)
    assert grouped.groups_.tolist() == [("a", 1), (None, 1), ("a", None), ("a", 2)]
    other = GroupedScaler(missing_key="global").fit(VALUES, groups=keys)
    assert other.groups_.tolist() == [("a", 1), ("a", 2)]
    assert other.global_scaler_.n_samples_seen_ == 6
    with pytest.raises(ValueError, match="missing"):
        GroupedScaler(missing_key="error").fit(VALUES, groups=keys)


def test_groups_come_in_the_order_of_their_first_row():
    grouped = GroupedScaler().fit(VALUES[:3], groups=["c", "a", "c"])
    grouped.partial_fit(VALUES[3:], groups=["b", "a", "d"])
    assert grouped.groups_.tolist() == ["c", "a", "b", "d"]
    other = GroupedScaler().fit(VALUES, groups=["x", "b", "y", "a", "x", "c"])
    assert grouped.merge(other).groups_.tolist() == ["c", "a", "b", "d", "x", "y"]
    numbers = GroupedScaler().fit(VALUES, groups=[5, -1, 2**63 - 1, 5, -(2**63), 0])
    assert numbers.groups_.dtype == np.int64
    assert numbers.groups_.tolist() == [5, -1, 2**63 - 1, -(2**63), 0]


# Kinds that change between batches.

CHANGES = {
    "int, float, object": [np.array([1, 2, 1]), np.array([1.0, 3.0, 2.0]), as_objects([3, 1, 2])],
    "int, then strings": [np.array([1, 2, 1]), np.array(["1", "b", "2"]), np.array([2, 1, 2])],
    "strings of four kinds": [
        np.array(["a", "b", "a"]),
        pd.Series(["a", "c", "b"], dtype="str"),
        pl.Series(["c", "a", "b"]),
        pd.Series(pd.Categorical(["b", "a", "z"])),
    ],
    "other categories": [
        pd.Series(pd.Categorical(["a", "b", "a"], categories=["b", "a"])),
        pd.Series(pd.Categorical(["c", "a", "b"], categories=["a", "b", "c", "unused"])),
    ],
    "whole categories, then integers": [pd.Series(pd.Categorical([1, 2, 1])), np.array([2, 3, 1])],
    "int32, uint8, Int64 with NA": [
        np.array([1, 2, 1], np.int32),
        np.array([2, 200, 1], np.uint8),
        pd.Series([1, None, 200], dtype="Int64"),
    ],
    "floats with NaN, then None": [
        np.array([1.0, np.nan, 2.0]),
        as_objects([None, 1, 2]),
        pd.Series([2, pd.NA, 1], dtype="Int64"),
    ],
    "bool, then int": [np.array([True, False, True]), np.array([1, 0, 2])],
    "huge": [
        np.array([2**63 - 1, 0, -(2**63)]),
        np.array([2**63, 2**64 - 1, 0], np.uint64),
        as_objects([2**63, 2**70, 0]),
    ],
    "dates": [
        np.array(["2024-01-01", "2024-01-02", "NaT"], "M8[D]"),
        pd.Series(pd.to_datetime(["2024-01-02", None, "2024-01-01"])),
        pl.Series([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 3), None]),
    ],
}  # fmt: skip


def as_python(column):
    """Return the keys of a column as Python has them."""
    values = column.to_list() if hasattr(column, "to_list") else column.tolist()
    if getattr(column, "dtype", None) is not None and str(column.dtype).startswith(("datetime64", "Datetime")):
        values = [pd.Timestamp(value) for value in values]
    return [None if value is None or value is pd.NA or value is pd.NaT or value != value else value for value in values]


@pytest.mark.parametrize("columns", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform"])
def test_kinds_may_change_between_batches(columns, verb):
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(len(column), 2)) for column in columns]
    keys = [key for column in columns for key in as_python(column)]
    grouped = GroupedScaler()
    for X, column in zip(batches, columns, strict=True):
        getattr(grouped, verb)(X, groups=column)
    assert [as_python(pd.Series([key], dtype=object))[0] for key in grouped.groups_] == list(dict.fromkeys(keys))
    expected = expected_of(keys, np.vstack(batches))
    got = [grouped.transform(X, groups=column) for X, column in zip(batches, columns, strict=True)]
    np.testing.assert_allclose(np.vstack(got), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "bad", [[1, [2], 3, 1, 1, 1], [1, {}, 3, 1, 1, 1], [1, 1j, np.array([1, 2]), 1, 1, 1]], ids=str
)
def test_what_is_no_key_is_refused(bad):
    grouped = GroupedScaler().fit(VALUES, groups=range(6))
    state = grouped.to_json()
    for verb in (grouped.fit, grouped.partial_fit, grouped.transform, grouped.prequential_transform):
        with pytest.raises(TypeError, match="A key argument must be a string, a number, a date or a tuple of these"):
            verb(VALUES, groups=as_objects(bad))
        assert grouped.to_json() == state


# How columns are named.


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_by_name_position_list_and_tuple(at, container):
    keys = ["x", "y", "x", "z", "y", "z"]
    frame, expected = frame_with(keys, at, container), expected_of(keys)
    numbers = frame_with([1.0] * 6, at, container)
    for by in ("key", ["key"], ("key",), at, [at], at - 3, np.int64(at), [np.int32(at - 3)]):
        grouped = GroupedScaler(by=by)
        np.testing.assert_allclose(grouped.fit_transform(frame), expected, rtol=1e-12)
        assert grouped.n_features_in_ == 3
        names = names_of(numbers)
        assert grouped.get_feature_names_out().tolist() == [name for i, name in enumerate(names) if i != at]
        if names == list(frame.columns):
            assert grouped.feature_names_in_.tolist() == names
            with pytest.raises(ValueError, match="feature names"):
                grouped.transform(frame[names[::-1]])


def test_composite_keys_are_in_the_order_of_by():
    frame = frame_with(["x", "y", "x", "z", "y", "z"])
    frame["other"] = [1, 1, 2, 1, 1, 1]
    pairs = list(zip(frame["key"], frame["other"], strict=True))
    for by, keys in (
        (["key", "other"], pairs),
        (["other", "key"], [pair[::-1] for pair in pairs]),
        ((1, -1), pairs),
        (("other", 1), [pair[::-1] for pair in pairs]),
    ):
        grouped = GroupedScaler(by=by)
        np.testing.assert_allclose(grouped.fit_transform(frame), expected_of(keys), rtol=1e-12)
        assert grouped.groups_.tolist() == list(dict.fromkeys(keys))
        Z = grouped.transform(frame)
        named = [frame.columns[one] if isinstance(one, int) else one for one in by]
        for groups in (
            frame[named],
            frame[named].to_numpy(),
            pl.DataFrame({name: frame[name].tolist() for name in named}),
        ):
            np.testing.assert_allclose(grouped.inverse_transform(Z, groups=groups), VALUES, rtol=1e-12)
        assert grouped.statistics_frame().index.names == named


@pytest.mark.parametrize(
    ("by", "X", "problem"),
    [
        ("nokey", "frame", "by='nokey' is no column of X, which has ['a', 'key', 'b']."),
        (["key", "nokey"], "frame", "by='nokey' is no column of X"),
        (3, "frame", "by=3 is no column of X, which has 3."),
        (-4, "frame", "by=-4 is no column of X, which has 3."),
        ("key", "array", "by='key' names a column, but X is no data frame; give the position of the column."),
        (["key", 1], "frame", "by=['key', 1] names a column twice."),
        ([0, -3], "array", "by=[0, -3] names a column twice."),
        (["a", "key", "b"], "frame", "X has 3 feature(s), all of them keys (by=['a', 'key', 'b']); there is none left"),
        ([], "frame", "by must name one column at least"),
        ((), "array", "by must name one column at least"),
        ([None], "frame", "by must be names or positions of columns, not None."),
        ([True], "frame", "by must be names or positions of columns, not True."),
        ([1.0], "frame", "by must be names or positions of columns, not 1.0."),
        (1.0, "frame", "The 'by' parameter of GroupedScaler must be"),
        ({"key"}, "frame", "The 'by' parameter of GroupedScaler must be"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_by_is_named(by, X, problem):
    X = frame_with([1, 2, 1, 2, 1, 2]) if X == "frame" else np.column_stack([VALUES, [1, 2, 1, 2, 1, 2]])
    for verb in ("fit", "partial_fit", "fit_transform", "prequential_transform"):
        grouped = GroupedScaler(by=by)
        with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
            getattr(grouped, verb)(X)
        assert not grouped.__sklearn_is_fitted__()
        assert not hasattr(grouped, "n_features_in_")
        assert not hasattr(grouped, "feature_names_in_")


def test_keys_in_columns_and_beside_are_one_too_many():
    frame = frame_with([1, 2, 1, 2, 1, 2])
    grouped = GroupedScaler(by="key")
    with pytest.raises(ValueError, match=r"The keys are columns of X, by='key'; groups must be None\."):
        grouped.fit(frame, groups=frame["key"])
    grouped.fit(frame)
    for verb in (grouped.transform, grouped.partial_fit, grouped.prequential_transform):
        with pytest.raises(ValueError, match="groups must be None"):
            verb(frame, groups=frame["key"])


# Keys beside the table.

BESIDE = {
    "list": list,
    "tuple": tuple,
    "range": lambda keys: keys,
    "array": np.array,
    "column": lambda keys: np.array(keys)[:, np.newaxis],
    "object": lambda keys: np.array(keys, object),
    "Series": lambda keys: pd.Series(keys, index=list("zyxwvu")),
    "Index": pd.Index,
    "frame": lambda keys: pd.DataFrame({"k": keys}),
    "polars": lambda keys: pl.Series("k", keys),
    "polars frame": lambda keys: pl.DataFrame({"k": keys}),
    "strided": lambda keys: np.repeat(keys, 3)[::3],
    "reversed": lambda keys: np.array(keys[::-1])[::-1],
    "lists": lambda keys: [[key] for key in keys],
    "memory": lambda keys: np.array(keys).view(np.recarray),
}


@pytest.mark.parametrize("make", BESIDE.values(), ids=BESIDE)
def test_keys_beside_the_table(make):
    keys = [3, 1, 3, 2, 1, 2]
    groups, expected = make(keys), expected_of(keys)
    for table in (
        VALUES,
        pd.DataFrame(VALUES, columns=NAMES, index=list("uvwxyz")),
        pl.DataFrame(VALUES, schema=NAMES),
    ):
        grouped = GroupedScaler()
        np.testing.assert_allclose(grouped.fit_transform(table, groups=groups), expected, rtol=1e-12)
        np.testing.assert_allclose(grouped.transform(table, groups=groups), expected, rtol=1e-12)
        np.testing.assert_allclose(grouped.inverse_transform(expected, groups=groups), VALUES, rtol=1e-12)
        assert grouped.groups_.tolist() == [3, 1, 2]
        assert grouped.n_features_in_ == 2


@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        ([1, 2, 3], "groups must have one key for each of the 6 rows, but is of shape (3,)."),
        (np.ones((6, 0)), "groups must have one key for each of the 6 rows, but is of shape (6, 0)."),
        (np.ones((6, 1, 1)), "groups must have one key for each of the 6 rows, but is of shape (6, 1, 1)."),
        (np.ones((2, 6)), "groups must have one key for each of the 6 rows, but is of shape (2, 6)."),
        (np.ones((6, 2)), "groups has keys of 2 part(s), but was fitted with 1."),
        ([[1], [2], [3], [4], [5], [6, 7]], "groups has keys of different numbers of parts."),
        (None, "GroupedScaler was fitted with keys; give those of the rows as groups."),
    ],
    ids=range(7),
)
def test_wrong_groups_are_named(groups, problem):
    grouped = GroupedScaler().fit(VALUES, groups=[1, 2, 1, 2, 1, 2])
    state = grouped.to_json()
    for verb in (grouped.partial_fit, grouped.transform, grouped.inverse_transform, grouped.prequential_transform):
        with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
            verb(VALUES, groups=groups)
        assert grouped.to_json() == state


def test_groups_where_there_were_none():
    grouped = GroupedScaler().fit(VALUES)
    for verb in (grouped.partial_fit, grouped.transform, grouped.inverse_transform, grouped.prequential_transform):
        with pytest.raises(ValueError, match="GroupedScaler was fitted without groups; groups must be None"):
            verb(VALUES, groups=[0] * 6)
    assert grouped.groups_.tolist() == [0]
    assert grouped.group_counts_.tolist() == [6]


def test_tuples_are_keys_and_lists_are_parts():
    pairs = [("x", 1), ("y", 1), ("x", 1), ("x", 2), ("y", 1), ("x", 2)]
    one, two = GroupedScaler().fit(VALUES, groups=pairs), GroupedScaler().fit(VALUES, groups=list(map(list, pairs)))
    assert one.groups_.tolist() == two.groups_.tolist() == [("x", 1), ("y", 1), ("x", 2)]
    assert_same_bits(one.transform(VALUES, groups=pairs), two.transform(VALUES, groups=np.array(pairs, object)))


# Keys that stay.


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@pytest.mark.parametrize("source", ["numpy", "pandas", "polars"])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("keys", [[3, 1, 3, 2, 1, 2], ["x", "y", "x", "z", "y", "z"]], ids=["int", "str"])
def test_keys_stay_where_they_are(keys, at, source, container):
    frame = frame_with(keys, at)
    table = {
        "numpy": lambda: frame.to_numpy(),
        "pandas": lambda: frame.set_index(pd.Index([*"pqrstu"])),
        "polars": lambda: frame_with(keys, at, pl.DataFrame),
    }[source]()
    names = names_of(
        {"numpy": np.zeros, "pandas": pd.DataFrame, "polars": pl.DataFrame}[source](
            (6, 3) if source == "numpy" else {name: np.zeros(6) for name in frame.columns}
        )
    )
    grouped = GroupedScaler(by=at, drop_keys=False).set_output(transform=container)
    expected = expected_of(keys)
    for out in (
        grouped.fit_transform(table),
        grouped.transform(table),
        grouped.fit(table).transform(table),
    ):
        kind = {"default": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}[container]
        assert type(out) is kind
        assert out.shape == (6, 3)
        if container != "default":
            assert list(out.columns) == names
            values = np.column_stack([np.asarray(out[name], float) for i, name in enumerate(names) if i != at])
            assert list(out[names[at]]) == keys
        else:
            values = np.delete(out, at, axis=1).astype(float)
            assert out[:, at].tolist() == keys
            assert out.dtype == (float if isinstance(keys[0], int) else object)
        if container == source == "pandas":
            assert out.index.tolist() == [*"pqrstu"]
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert grouped.get_feature_names_out().tolist() == names
    back = grouped.inverse_transform(out)
    assert type(back) is np.ndarray
    restored = np.delete(back, at, axis=1).astype(float)
    assert back[:, at].tolist() == keys
    np.testing.assert_allclose(restored, VALUES, rtol=1e-12)
    np.testing.assert_allclose(grouped.inverse_transform(expected, groups=keys), VALUES, rtol=1e-12)
    ahead = grouped.prequential_transform(table)
    assert type(ahead) is type(out)
    assert ahead.shape == (6, 3)


def test_large_integers_that_stay_are_not_rounded():
    keys = [2**53 + 1, 2**53, 2**53 + 1, 2**53, 2**53 + 1, 2**53]
    out = GroupedScaler(by="key", drop_keys=False).fit_transform(frame_with(keys))
    assert out.dtype == object
    assert out[:, 1].tolist() == keys
    single = frame_with([2**24 + 1] * 6).astype({"a": np.float32, "b": np.float32})
    assert GroupedScaler(by="key", drop_keys=False).fit_transform(single)[:, 1].tolist() == [2**24 + 1] * 6


def test_categories_stay_categories():
    column = pd.Series(pd.Categorical(["x", "y", "x", None, "y", "x"], categories=["z", "y", "x"]))
    out = GroupedScaler(by="key", drop_keys=False).set_output(transform="pandas").fit_transform(frame_with(column))
    assert out["key"].dtype == column.dtype
    assert out["key"].equals(column)


@pytest.mark.parametrize("drop_keys", [True, False])
def test_dropped_keys_are_handed_back_for_the_inverse(drop_keys):
    keys = ["x", "y", "x", "z", "y", "z"]
    frame = frame_with(keys)
    for scaler in (StandardScaler(), sknorm.MinMaxScaler(feature_range=(-1, 2)), sknorm.RobustScaler()):
        grouped = GroupedScaler(scaler, by="key", drop_keys=drop_keys).fit(frame)
        Z = np.delete(grouped.transform(frame), 1, axis=1).astype(float) if not drop_keys else grouped.transform(frame)
        for groups in (keys, frame["key"], frame[["key"]], np.array(keys), pl.Series(keys)):
            np.testing.assert_allclose(grouped.inverse_transform(Z, groups=groups), VALUES, rtol=1e-12)
        for table in (pd.DataFrame(Z, columns=NAMES), pl.DataFrame(Z, schema=NAMES), Z.tolist()):
            np.testing.assert_allclose(grouped.inverse_transform(table, groups=keys), VALUES, rtol=1e-12)
        with pytest.raises(ValueError, match="expecting 2 features as input"):
            grouped.inverse_transform(np.hstack([Z, Z]), groups=keys)
        if drop_keys:
            with pytest.raises(ValueError, match="give those of the rows as groups"):
                grouped.inverse_transform(Z)
    unseen = GroupedScaler(by="key").fit(frame)
    np.testing.assert_allclose(
        unseen.inverse_transform([[0.0, 0.0]], groups=["new"]), unseen.global_scaler_.inverse_transform([[0.0, 0.0]])
    )


def test_columns_of_values_of_other_kinds():
    """Integers, booleans, and pandas' own types with NA are numbers; text that is no key is not."""
    frame = pd.DataFrame(
        {
            "k": [*"xxyy"],
            "i": [1, 3, 5, 9],
            "b": [True, False, True, True],
            "f": pd.array([1.0, pd.NA, 2.0, 4.0], "Float64"),
        }
    )
    out = GroupedScaler(by="k").fit_transform(frame)
    np.testing.assert_array_equal(out, [[-1, 1, 0], [1, -1, np.nan], [-1, 0, -1], [1, 0, 1]])
    with pytest.raises(ValueError, match="could not convert string to float"):
        GroupedScaler(by="i").fit(frame)


def test_an_overflow_is_said_of_the_column_of_X():
    X = np.array([[1.0, 5.0, -1.7e308], [1.0, 6.0, 1.7e308]])
    with pytest.raises(ValueError, match="column 2 overflows"):
        GroupedScaler(by=0).fit(X)
    with pytest.raises(ValueError, match="column 'c' overflows"):
        GroupedScaler(by="a").fit(pd.DataFrame(X, columns=list("abc")))
