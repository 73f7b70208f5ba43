"""GroupedScaler inside scikit-learn and in documents: its checks, meta-estimators, routing, copies, hostile text."""

import contextlib
import copy
import datetime as dt
import inspect
import io
import json
import pickle
import random
import re
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from registry import clipper_of, instances, name_of
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

import sknorm
from sknorm import GroupedScaler, make_streaming_pipeline

each_setting = pytest.mark.parametrize("scaler", instances(), ids=name_of)
# One scaler for each kind of store: tables, decay, windows, quantiles and windows of these.
KINDS = [
    sknorm.StandardScaler(),
    sknorm.StandardScaler(half_life=3.0, clip=1.5),
    sknorm.MeanScaler(window=4),
    sknorm.MinMaxScaler(),
    sknorm.RobustScaler(scale="mad"),
    sknorm.RobustScaler(window=4),
]
each_kind = pytest.mark.parametrize("scaler", KINDS, ids=name_of)

N_ROWS = 80


@pytest.fixture
def frame(rng):
    """Return two columns of values, and two of keys."""
    keys = rng.integers(0, 6, N_ROWS)
    return pd.DataFrame(
        {
            "amount": rng.normal(keys * 10, 1 + keys),
            "shop": [f"shop {key}" for key in keys],
            "hour": rng.normal(12, 3, N_ROWS),
            "day": rng.integers(0, 3, N_ROWS),
        }
    )


@pytest.fixture
def y(frame):
    return (frame["amount"] > frame.groupby("shop")["amount"].transform("mean")).to_numpy().astype(int)


# scikit-learn's own checks.

# A row of weight 2 pushes the rows before it back by one, the row twice by two; so for the scalers themselves.
CHECKED = {
    "default": GroupedScaler(),
    "by": GroupedScaler(by=0),
    "keep": GroupedScaler(by=-1, drop_keys=False),
    "MinMax": GroupedScaler(sknorm.MinMaxScaler(clip=True), by=0, unseen="nan"),
    "Robust": GroupedScaler(sknorm.RobustScaler(), by=0, smooth="auto"),
    "Decimal": GroupedScaler(sknorm.DecimalScaler(), unseen="error"),
    "half-life": GroupedScaler(sknorm.StandardScaler(half_life=3.0), by=0),
    "bound": GroupedScaler(sknorm.MeanScaler(), by=0, max_groups=1000),
}


def excused(estimator):
    """Return the checks that the inner scaler fails as well."""
    if estimator.scaler is None or getattr(estimator.scaler, "half_life", None) is None:
        return {}
    reason = "a row of weight 2 pushes the rows before it back by one, the row twice by two"
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in ("dense", "sparse")}


def each_check(estimators):
    """Return scikit-learn's mark with a list in place of the generator of older releases, which pytest 9 refuses."""
    mark = parametrize_with_checks(estimators, expected_failed_checks=excused).mark
    pairs = []
    for pair in mark.args[1]:
        _, check = getattr(pair, "values", pair)
        # Release 1.6 puts a sparse matrix before estimators that refuse it.
        if check.func.__name__ != "check_sample_weight_equivalence_on_sparse_data":
            pairs.append(pair)
    return pytest.mark.parametrize(mark.args[0], pairs, **mark.kwargs)


@each_check(list(CHECKED.values()))
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Parameters.


def test_parameters_are_those_of_the_signature():
    grouped = GroupedScaler(sknorm.RobustScaler(), by="shop", smooth=2)
    assert list(grouped.get_params(deep=False)) == sorted(inspect.signature(GroupedScaler).parameters)
    assert grouped.get_params()["scaler__quantile_range"] == (25.0, 75.0)
    grouped.set_params(scaler__scale="mad", unseen="nan")
    assert (grouped.scaler.scale, grouped.unseen) == ("mad", "nan")
    assert eval(repr(grouped), vars(sknorm)).get_params(deep=False).keys() == grouped.get_params(deep=False).keys()
    parameters = {name: object() for name in grouped.get_params(deep=False)}
    assert GroupedScaler(**parameters).get_params(deep=False) == parameters
    for estimator in (grouped, GroupedScaler().fit([[1.0]])):
        assert "GroupedScaler" in estimator._repr_html_()


@each_setting
def test_the_scaler_is_cloned_and_never_changed(scaler, frame):
    scaler = clone(scaler)
    before = pickle.dumps(vars(scaler))
    grouped = GroupedScaler(scaler, by="shop")
    grouped.fit(frame).partial_fit(frame).transform(frame)
    grouped.prequential_transform(frame)
    assert grouped.scaler is scaler
    assert pickle.dumps(vars(scaler)) == before
    twin = clone(grouped)
    assert twin.scaler is not scaler
    assert name_of(twin.scaler) == name_of(scaler)
    assert not twin.__sklearn_is_fitted__()
    with pytest.raises(NotFittedError):
        twin.transform(frame)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scaler", "standard"),
        ("scaler", sknorm.StandardScaler),
        ("unseen", "zero"),
        ("min_samples", 0),
        ("min_samples", -1.0),
        ("smooth", -1.0),
        ("smooth", "much"),
        ("missing_key", "drop"),
        ("drop_keys", "yes"),
        ("max_groups", 0),
        ("max_groups", 2.5),
    ],
)
def test_wrong_parameters_are_refused_at_once_and_later(name, value, frame):
    X = frame[["amount", "hour"]].to_numpy()
    grouped = GroupedScaler(**{name: value})
    for verb in (grouped.fit, grouped.partial_fit, grouped.fit_transform, grouped.prequential_transform):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of GroupedScaler must be"):
            verb(X)
    fitted = GroupedScaler().fit(X)
    state = fitted.to_json()
    fitted.set_params(**{name: value})
    for verb in (fitted.transform, fitted.partial_fit, fitted.inverse_transform, fitted.prequential_transform):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of GroupedScaler must be"):
            verb(X)
    fitted.set_params(**{name: getattr(GroupedScaler(), name)})
    assert fitted.to_json() == state


def test_wrong_parameters_of_the_scaler_are_refused(frame):
    for scaler in (sknorm.StandardScaler(clip=-1.0), sknorm.RobustScaler(quantile_range=(3.0, 1.0))):
        with pytest.raises(ValueError, match=r"clip|quantile"):
            GroupedScaler(scaler, by="shop").fit(frame)


def test_parameters_set_after_fit_take_effect_at_once(frame):
    grouped = GroupedScaler(by="shop").fit(frame)
    with pytest.raises(ValueError, match="could not convert"):
        grouped.transform(frame.assign(hour="noon"))
    new = frame.head(2).assign(shop="new")
    assert np.isfinite(grouped.transform(new)).all()
    assert np.isnan(grouped.set_params(unseen="nan").transform(new)).all()
    grouped.unseen = "passthrough"
    np.testing.assert_array_equal(grouped.transform(new), new[["amount", "hour", "day"]])
    with pytest.raises(ValueError, match=r"Found unknown keys \['new'\]"):
        grouped.set_params(unseen="error").transform(new)
    own = grouped.transform(frame)
    assert not np.allclose(grouped.set_params(smooth=5.0).transform(frame), own)


# Unfitted.


@pytest.mark.parametrize(
    "verb", ["transform", "inverse_transform", "get_feature_names_out", "statistics_frame", "merge"]
)
def test_unfitted(verb):
    arguments = {"transform": [[[1.0]]], "inverse_transform": [[[1.0]]], "merge": [GroupedScaler()]}.get(verb, [])
    with pytest.raises(NotFittedError, match="This GroupedScaler instance is not fitted yet"):
        getattr(GroupedScaler(), verb)(*arguments)


def test_attributes_appear_with_fit(frame):
    names = [
        "groups_",
        "group_counts_",
        "global_scaler_",
        "folded_scaler_",
        "n_folded_",
        "mean_",
        "scale_",
        "var_",
        "n_features_in_",
    ]
    grouped = GroupedScaler(by="shop")
    assert not any(hasattr(grouped, name) for name in [*names, "feature_names_in_"])
    grouped.fit(frame)
    assert all(hasattr(grouped, name) for name in names)
    assert not hasattr(grouped, "center_")
    assert not hasattr(grouped, "nothing_")
    for name in ("groups_", "group_counts_", "mean_", "scale_"):
        value = getattr(grouped, name)
        assert len(value) == 6
        assert not value.flags.writeable, name
        with pytest.raises(AttributeError):
            type(grouped)().groups_ = value
    assert grouped.global_scaler_.feature_names_in_.tolist() == ["amount", "hour", "day"]
    assert grouped.feature_names_in_.tolist() == list(frame.columns)
    kept = {name: getattr(grouped, name) for name in ("groups_", "group_counts_", "mean_")}
    values = copy.deepcopy(kept)
    grouped.partial_fit(frame.assign(amount=7.0))
    for name, value in values.items():
        np.testing.assert_array_equal(kept[name], value)


def test_statistics_frame(frame):
    grouped = GroupedScaler(by=["shop", "day"]).fit(frame)
    shown = grouped.statistics_frame()
    by_key = frame.groupby(["shop", "day"])
    np.testing.assert_allclose(shown[("amount", "mean")], by_key["amount"].mean().loc[shown.index], rtol=1e-12)
    np.testing.assert_allclose(shown[("hour", "var")], by_key["hour"].var(ddof=0).loc[shown.index], rtol=1e-12)
    assert shown[("rows", "")].tolist() == by_key.size().loc[shown.index].tolist()
    assert shown[("amount", "count")].tolist() == shown[("rows", "")].tolist()
    assert shown.columns.names == ["feature", "statistic"]
    assert shown.index.names == ["shop", "day"]
    assert GroupedScaler().fit([[1.0]]).statistics_frame().shape == (1, 5)


def test_a_frame_may_have_names_that_come_twice_among_features_and_statistics():
    X = pd.DataFrame([[1.0, "a"], [2.0, "b"]], columns=["", "key"])
    shown = GroupedScaler(by="key").fit(X).statistics_frame()
    assert shown.columns.is_unique
    assert len(shown.columns) == 5


# Copies.

COPIES = {
    **{f"pickle{p}": lambda s, p=p: pickle.loads(pickle.dumps(s, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": lambda s: (file := io.BytesIO(), joblib.dump(s, file), file.seek(0), joblib.load(file))[-1],
    "document": lambda s: sknorm.from_json(s.to_json()),
    "merge": lambda s: sknorm.merge([s]),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@each_kind
def test_copies_map_the_same_and_learn_alone(scaler, make, frame):
    grouped = GroupedScaler(clone(scaler), by="shop", max_groups=5).fit(frame)
    expected, state = grouped.transform(frame), grouped.to_json()
    twin = make(grouped)
    np.testing.assert_array_equal(twin.transform(frame), expected)
    assert twin.to_json() == state
    more = frame.assign(shop=frame["shop"] + "!", amount=frame["amount"] * 7)
    twin.partial_fit(more).partial_fit(frame)
    twin.prequential_transform(more)
    assert grouped.to_json() == state
    np.testing.assert_array_equal(grouped.transform(frame), expected)
    grouped.partial_fit(more).partial_fit(frame)
    grouped.prequential_transform(more)
    assert grouped.to_json() == twin.to_json()
    np.testing.assert_array_equal(grouped.transform(frame), twin.transform(frame))


def test_merge_of_many(frame):
    parts = [GroupedScaler(by="shop").fit(part) for part in (frame[:20], frame[20:25], frame[25:])]
    states = [part.to_json() for part in parts]
    merged = sknorm.merge(parts)
    np.testing.assert_allclose(
        merged.transform(frame), GroupedScaler(by="shop").fit(frame).transform(frame), rtol=1e-12, atol=1e-12
    )
    assert [part.to_json() for part in parts] == states
    with pytest.raises(ValueError, match=r"same parameter smooth.*the other is scalers\[1\]"):
        sknorm.merge([parts[0], GroupedScaler(by="shop", smooth=1.0).fit(frame)])


# Inside other estimators.


def test_in_a_column_transformer(frame):
    transformer = ColumnTransformer(
        [
            ("shop", GroupedScaler(by="shop"), ["shop", "amount"]),
            ("day", GroupedScaler(sknorm.MinMaxScaler(), by=-1), ["hour", "day"]),
            ("rest", OneHotEncoder(sparse_output=False), ["day"]),
        ],
    ).set_output(transform="pandas")
    out = transformer.fit_transform(frame)
    assert list(out.columns) == ["shop__amount", "day__hour", *[f"rest__day_{i}" for i in range(3)]]
    assert out.index.equals(frame.index)
    amounts, hours = frame.groupby("shop")["amount"], frame.groupby("day")["hour"]
    z = (frame["amount"] - amounts.transform("mean")) / amounts.transform("std", ddof=0)
    np.testing.assert_allclose(out["shop__amount"], z, rtol=1e-12)
    low, high = hours.transform("min"), hours.transform("max")
    np.testing.assert_allclose(out["day__hour"], (frame["hour"] - low) / (high - low), rtol=1e-12)
    np.testing.assert_allclose(transformer.transform(frame), out)
    plain = make_column_transformer((GroupedScaler(by="day"), make_column_selector(dtype_include=np.number)))
    np.testing.assert_allclose(
        plain.fit_transform(frame)[:, 1], GroupedScaler(by=1).fit_transform(frame[["hour", "day"]])[:, 0]
    )


def test_in_a_feature_union(frame):
    union = FeatureUnion([("own", GroupedScaler(by="shop")), ("smooth", GroupedScaler(by="shop", smooth=3.0))])
    out = union.set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == [
        f"{name}__{column}" for name in ("own", "smooth") for column in ("amount", "hour", "day")
    ]


@pytest.mark.parametrize(
    "scaler", [s for s in instances() if getattr(clipper_of(s), "action", None) != "missing"], ids=name_of
)
def test_in_a_pipeline(scaler, frame, y):
    pipeline = make_pipeline(GroupedScaler(clone(scaler), by="shop"), GaussianNB()).fit(frame, y)
    by_hand = GroupedScaler(clone(scaler), by="shop")
    model = GaussianNB().fit(by_hand.fit_transform(frame), y)
    np.testing.assert_array_equal(pipeline.predict_proba(frame), model.predict_proba(by_hand.transform(frame)))
    assert pipeline[:-1].get_feature_names_out().tolist() == ["amount", "hour", "day"]


def test_grid_search_over_all_parameters(frame, y):
    pipeline = make_pipeline(GroupedScaler(sknorm.StandardScaler(), by="shop"), GaussianNB())
    grid = {
        "groupedscaler__scaler__with_mean": [True, False],
        "groupedscaler__smooth": [0.0, 3.0, "auto"],
        "groupedscaler__by": ["shop", ["shop", "day"]],
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(frame, y)
    assert len(search.cv_results_["params"]) == 12
    best = search.best_estimator_[0]
    assert best.scaler.with_mean == search.best_params_["groupedscaler__scaler__with_mean"]
    assert search.best_score_ > 0.8
    scalers = {"groupedscaler__scaler": [None, sknorm.RobustScaler(), sknorm.MinMaxScaler(clip=True)]}
    assert np.isfinite(GridSearchCV(pipeline, scalers, cv=2, error_score="raise").fit(frame, y).best_score_)


# Metadata.


def requested(**parameters):
    """Return a scaler that asks for groups wherever it takes them."""
    grouped = GroupedScaler(**parameters)
    for verb in ("fit", "partial_fit", "transform", "inverse_transform"):
        getattr(grouped, f"set_{verb}_request")(groups=True)
    return grouped


def test_groups_reach_every_method_through_a_pipeline(frame, y):
    X, keys = frame[["amount", "hour"]], frame["shop"]
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(requested(), GaussianNB()).fit(X, y, groups=keys)
        by_hand = GroupedScaler().fit(X, groups=keys)
        Z = by_hand.transform(X, groups=keys)
        assert pipeline[0].to_json() == by_hand.to_json()
        np.testing.assert_array_equal(pipeline.predict_proba(X, groups=keys), GaussianNB().fit(Z, y).predict_proba(Z))
        assert pipeline.score(X, y, groups=keys) > 0.8
        two = make_pipeline(requested(), requested(scaler=sknorm.MinMaxScaler())).fit(X, groups=keys)
        out = two.transform(X, groups=keys)
        np.testing.assert_allclose(two.inverse_transform(out, groups=keys), X, rtol=1e-9)
        with pytest.raises(ValueError, match="groups"):
            make_pipeline(GroupedScaler(), GaussianNB()).fit(X, y, groups=keys)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="scikit-learn 1.6 hands no metadata to the steps of a pipeline that it scores",
)
def test_groups_of_the_folds_are_those_of_the_scaler(frame, y):
    X, keys = frame[["amount", "hour"]], frame["shop"].to_numpy()
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(requested(unseen="error"), GaussianNB())
        scores = cross_validate(model, X, y, cv=2, params={"groups": keys}, error_score="raise")
        assert (scores["test_score"] > 0.6).all()
        # Of a fold none of whose keys were seen, every row is one of all rows.
        model = make_pipeline(requested(unseen="error"), GaussianNB())
        with pytest.raises(ValueError, match="Found unknown keys"):
            cross_validate(model, X, y, cv=GroupKFold(3), params={"groups": keys}, error_score="raise")
        model[0].set_params(unseen="global")
        cross_validate(model, X, y, cv=GroupKFold(3), params={"groups": keys}, error_score="raise")
        grid = GridSearchCV(model, {"groupedscaler__smooth": [0.0, 2.0]}, cv=2, error_score="raise")
        assert grid.fit(X, y, groups=keys).best_score_ > 0.5


def test_weights_and_groups_in_a_column_transformer(frame):
    weights = np.arange(N_ROWS) % 3 + 0.5
    with config_context(enable_metadata_routing=True):
        grouped = requested().set_fit_request(groups=True, sample_weight=True)
        transformer = ColumnTransformer([("values", grouped, ["amount", "hour"])])
        out = transformer.fit_transform(frame, groups=frame["shop"], sample_weight=weights)
        expected = GroupedScaler().fit(frame[["amount", "hour"]], sample_weight=weights, groups=frame["shop"])
        np.testing.assert_array_equal(out, expected.transform(frame[["amount", "hour"]], groups=frame["shop"]))
        np.testing.assert_array_equal(transformer.transform(frame, groups=frame["shop"]), out)


def test_groups_reach_a_streaming_pipeline(frame):
    X, keys = frame[["amount", "hour"]], frame["shop"]
    with config_context(enable_metadata_routing=True):
        pipeline = make_streaming_pipeline(requested(), sknorm.MaxAbsScaler())
        by_hand = GroupedScaler()
        for rows in (slice(0, 30), slice(30, None)):
            pipeline.partial_fit(X[rows], groups=keys[rows])
            by_hand.partial_fit(X[rows], groups=keys[rows])
        assert json.loads(pipeline[0].to_json())["learned"] == json.loads(by_hand.to_json())["learned"]
        ahead = pipeline.prequential_transform(X, groups=keys, chunk_size=25)
        assert ahead.shape == X.shape
        for start in range(0, N_ROWS, 25):
            by_hand.prequential_transform(X[start : start + 25], groups=keys[start : start + 25])
        assert json.loads(pipeline[0].to_json())["learned"] == json.loads(by_hand.to_json())["learned"]


def test_requests():
    methods = {name for name in dir(GroupedScaler) if re.fullmatch(r"set_\w+_request", name)}
    assert methods == {f"set_{verb}_request" for verb in ("fit", "partial_fit", "transform", "inverse_transform")}


def test_tags():
    for by in (None, "shop"):
        tags = GroupedScaler(by=by).__sklearn_tags__()
        assert tags.input_tags.allow_nan
        assert not tags.input_tags.sparse
        assert tags.input_tags.string is (by is not None)
        assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, bool])
def test_dtypes(dtype):
    X = np.array([[1, 2], [3, 5], [0, 1], [9, 9]]).astype(dtype)
    kept = X.dtype if X.dtype.kind == "f" else np.dtype(float)
    for by in (None, 0):
        grouped = GroupedScaler(by=by, missing_key="own")
        for out in (grouped.fit_transform(X), grouped.transform(X), grouped.prequential_transform(X)):
            assert out.dtype == kept
        assert grouped.inverse_transform(out, groups=None if by is None else X[:, 0]).dtype == kept


# Documents.

TABLES = {
    "ints": lambda: (np.arange(12) % 4, {}),
    "strings": lambda: (np.array(["", "größe", "年", 'x "y"\n'] * 3, object), {}),
    "mixed": lambda: (as_objects([None, 1, "1", (2, None), 2.5, 2**70] * 2), {}),
    "times": lambda: (
        pd.Series(pd.to_datetime(["2024-01-01T00:00:00.000000", None, "2024-01-03T01:02:03.000001"] * 4)),
        {},
    ),
    "composite": lambda: (pd.DataFrame({"a": [*"xyz"] * 4, "b": [1, 2] * 6}), {}),
    "missing": lambda: (as_objects([None, "a"] * 6), {"missing_key": "global"}),
    "folded": lambda: (np.arange(12) % 7, {"max_groups": 3, "smooth": "auto", "min_samples": 2}),
    "none": lambda: (None, {"unseen": "nan"}),
    "bools": lambda: (np.arange(12) % 3 == 0, {"drop_keys": False}),
}


def as_objects(keys):
    column = np.empty(len(keys), object)
    column[:] = keys
    return column


def values(seed=0):
    X = np.random.default_rng(seed).normal(size=(12, 3))
    X[::5, 1] = np.nan
    X[:, 2] = [7.25, np.nan] * 6
    return X


EVERY = [(scaler, "folded") for scaler in instances()] + [(scaler, kind) for scaler in KINDS for kind in TABLES]


@pytest.mark.parametrize(
    ("scaler", "kind"), EVERY, ids=[f"{name_of(scaler)}-{kind}-{i}" for i, (scaler, kind) in enumerate(EVERY)]
)
def test_documents_come_back_bit_for_bit(scaler, kind, tmp_path):
    keys, parameters = TABLES[kind]()
    grouped = GroupedScaler(clone(scaler), **parameters).set_output(transform="pandas")
    text = grouped.to_json()
    assert sknorm.from_json(text).to_json() == text
    grouped.fit(values(), groups=keys).partial_fit(values(1), groups=keys)
    grouped.prequential_transform(values(2), groups=keys)
    text = grouped.to_json()
    grouped.save(tmp_path / "scaler.json")
    for twin in (sknorm.from_json(text), sknorm.load(tmp_path / "scaler.json")):
        assert twin.to_json() == text
        original = copy.deepcopy(grouped)
        for learn in (
            lambda s: s,
            lambda s: s.partial_fit(values(3), groups=keys),
            lambda s: s.merge(copy.deepcopy(s)) if s.scaler.window is None else s,
        ):
            learn(twin), learn(original)
            assert twin.to_json() == original.to_json()
            out, expected = (one.transform(values(4), groups=keys) for one in (twin, original))
            pd.testing.assert_frame_equal(out, expected, check_exact=True)
            ahead, expected = (
                copy.deepcopy(one).prequential_transform(values(5), groups=keys) for one in (twin, original)
            )
            pd.testing.assert_frame_equal(ahead, expected, check_exact=True)


def test_documents_of_keys_in_columns(frame):
    for by in ("shop", ["day", "shop"], (-1, 1), 3):
        grouped = GroupedScaler(by=by).fit(frame if by != 3 else frame.drop(columns="shop").assign(last=frame["shop"]))
        twin = sknorm.from_json(grouped.to_json())
        assert (type(twin.by), twin.by) == (type(by), by)
        assert twin.feature_names_in_.tolist() == grouped.feature_names_in_.tolist()
        assert twin.to_json() == grouped.to_json()


@pytest.mark.parametrize("key", [b"x", frozenset("a"), dt.time(1)], ids=str)
def test_keys_that_no_document_holds(key, tmp_path):
    grouped = GroupedScaler().fit([[1.0], [2.0]], groups=as_objects([key, "a"]))
    with pytest.raises(TypeError, match="a document holds none"):
        grouped.save(tmp_path / "scaler.json")
    assert not list(tmp_path.iterdir())


SMALL = pd.DataFrame({"a": [1.0, 4.0, 7.0, 2.0], "k": ["x", "y", "x", None], "b": [2.0, np.nan, 8.0, 3.0]})
FOLDED = GroupedScaler(sknorm.MinMaxScaler(), by="k", max_groups=2)
WHOLE = {
    "Standard": GroupedScaler(by="k").fit(SMALL),
    "folded": FOLDED.fit(SMALL),
    "Robust": GroupedScaler(sknorm.RobustScaler(scale="mad"), by=["k"], drop_keys=False).fit(SMALL),
    "stream": GroupedScaler(sknorm.RobustScaler()).partial_fit(SMALL[["a", "b"]], groups=[1, 2, 1, -3]),
    "decay": GroupedScaler(sknorm.StandardScaler(half_life=1.5), by=1, smooth="auto").fit(SMALL),
    "window": GroupedScaler(sknorm.MeanScaler(window=2), by="k", missing_key="global").fit(SMALL),
    "quantiles": GroupedScaler(sknorm.RobustScaler(window=2), by="k").fit(SMALL),
    "composite": GroupedScaler().fit(SMALL[["a", "b"]].to_numpy(), groups=SMALL[["k", "a"]]),
    "none": GroupedScaler(sknorm.DecimalScaler()).fit(SMALL[["a", "b"]]),
    "unfitted": GroupedScaler(sknorm.MaxAbsScaler(), by="k"),
}
TEXTS = {name: scaler.to_json() for name, scaler in WHOLE.items()}
LACKING = object()

CHANGES = [
    ("Standard", "learned.scaler.class", "GroupedScaler", "learned.scaler"),
    ("Standard", "learned.scaler.class", "StreamingPipeline", "learned.scaler"),
    ("Standard", "learned.scaler", None, "learned.scaler must be an object, but is None."),
    ("Standard", "learned.scaler.class", "MinMaxScaler", "learned.scaler.parameters"),
    ("Standard", "learned.keys_at", [3], "learned.keys_at[0] must be an integer from 0 to 2, but is 3."),
    ("Standard", "learned.keys_at", [-1], "learned.keys_at[0] must be an integer from 0 to 2, but is -1."),
    ("Standard", "learned.keys_at", [0, 1, 2], "learned.keys_at must be distinct columns, some but not all"),
    ("Standard", "learned.keys_at", [1, 1], "learned.keys_at must be distinct columns, some but not all"),
    ("Standard", "learned.keys_at", [], "learned.keys_at must be distinct columns, some but not all"),
    ("Standard", "learned.keys_at", "k", "learned.keys_at must be a list, but is 'k'."),
    ("Standard", "learned.n_parts", 2, "learned.n_parts must be 1, but is 2."),
    ("Standard", "learned.n_parts", -1, "learned.n_parts must be 1, but is -1."),
    ("Standard", "learned.keys", ["x", "y"], "learned.weight must be a list of 2, but has 3."),
    ("Standard", "learned.keys", ["x", "y", "x"], "learned.keys[2] must not be a key that came before"),
    ("Standard", "learned.keys", 3, "learned.keys must be a list, but is 3."),
    ("Standard", "learned.keys[0]", {"date": "x"}, "learned.keys[0] must be a date as a document writes it"),
    ("Standard", "learned.keys[0]", ["x"], "learned.keys[0] must be a key"),
    ("Standard", "learned.weight[1]", -1.0, "learned.weight[1] must not be negative, but is -1.0."),
    ("Standard", "learned.weight[1]", "NaN", "learned.weight[1] must be a number, but is 'NaN'."),
    ("Standard", "learned.updated[0]", -1, "learned.updated[0] must be an integer from 0"),
    ("Standard", "learned.updated", [0, 0], "learned.updated must be a list of 3, but has 2."),
    ("Standard", "learned.clock", 1.5, "learned.clock must be an integer from 0"),
    ("Standard", "learned.n_folded", -1, "learned.n_folded must be an integer from 0"),
    ("Standard", "learned.groups", None, "learned.groups must be an object, but is None."),
    ("Standard", "learned.groups.kind", "Extremes", "learned.groups.kind must be 'Moments', but is 'Extremes'."),
    ("Standard", "learned.groups.m2[1][0]", -1.0, "learned.groups.m2[1][0] must be 0 or more, but is -1.0."),
    ("Standard", "learned.groups.mean", [[1.0, 2.0]], "learned.groups.mean must be a list of 3, but has 1."),
    ("Standard", "learned.groups.m2[0][1]", "Infinity", "learned.groups does not fit StandardScaler: The variance"),
    ("Standard", "learned.everything", None, "learned.everything must be an object, but is None."),
    ("Standard", "learned.everything.statistic.count[0][1]", -2.0, "learned.everything.statistic.count[0][1] must not"),
    ("Standard", "learned.everything.n_rows", -1, "learned.everything.n_rows must be a finite number, at least 0"),
    ("Standard", "learned.extra", 1, "learned has the unknown key 'extra'."),
    ("Standard", "learned.clock", LACKING, "learned lacks the key 'clock'."),
    ("Standard", "features", ["a", "k"], "learned.everything.statistic.mean[0] must be a list of 1"),
    ("Standard", "parameters.unseen", "zero", "parameters are not valid: The 'unseen' parameter of GroupedScaler"),
    ("Standard", "parameters.by", {"tuple": [1.5]}, None),
    ("folded", "learned.folded.statistic.min[0][0]", 9.0, "learned.folded.statistic.min[0][0] must not exceed max"),
    ("folded", "learned.folded.n_rows", "many", "learned.folded.n_rows must be a finite number, at least 0"),
    ("window", "learned.groups.seen[0]", -1, "learned.groups.seen[0] must be an integer from 0 to"),
    ("window", "learned.groups.window", 3, "learned.groups.window must be 2, but is 3."),
    ("decay", "learned.groups.phase[1][0]", 1.5, "learned.groups.phase[1][0] must be 0 or more, and less than half_l"),
    ("stream", "learned.keys[0]", 2**64, "learned.keys[0] must be an integer from -9223372036854775808 to"),
    ("stream", "learned.keys[0]", 2**64 - 1, None),
    ("stream", "learned.keys", [1, 2, 2], "learned.keys[2] must not be a key that came before"),
    ("composite", "learned.keys[0]", "x", "learned.keys[0] must be a key of 2 parts"),
    ("composite", "learned.keys[0]", {"tuple": ["x"]}, "learned.keys[0] must be a key of 2 parts"),
    ("none", "learned.keys", [1], "learned.keys must be [0] where there are no keys"),
    ("none", "learned.keys", [], "learned.keys must be [0] where there are no keys"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "value", "problem"),
    [pytest.param(*row, id=f"{i}-{row[0]}-{row[1]}") for i, row in enumerate(CHANGES)],
)
def test_a_wrong_value_is_named(name, path, value, problem):
    document = json.loads(TEXTS[name])
    *parents, last = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)]
    place = document
    for step in parents:
        place = place[step]
    if value is LACKING:
        del place[last]
    else:
        place[last] = value
    text = json.dumps(document)
    if problem is None:
        use(sknorm.from_json(text))
        return
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as caught:
        sknorm.from_json(text)
    assert "\n" not in str(caught.value)


def use(grouped):
    """Do all that can be done with a scaler; a ValueError is an answer, anything else is not."""
    text = grouped.to_json()
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    width = getattr(grouped, "n_features_in_", 2)
    table = np.resize(np.array([1.0, 4.0, 7.0, 2.0, 5.0]), (4, width))
    if hasattr(grouped, "feature_names_in_"):
        table = pd.DataFrame(table, columns=grouped.feature_names_in_)
    calls = [lambda: grouped.merge(twin), grouped.statistics_frame, grouped.to_json]
    for verb in ("transform", "partial_fit", "prequential_transform", "inverse_transform"):
        for groups in ({}, {"groups": [1, 2, 1, -3]}, {"groups": ["x", "y", "z", None]}):
            calls.append(lambda verb=verb, groups=groups: getattr(grouped, verb)(table, **groups))
    calls += [
        lambda name=name: getattr(grouped, name, None)
        for name in ("groups_", "group_counts_", "mean_", "scale_", "global_scaler_", "folded_scaler_")
    ]
    for call in calls:
        with contextlib.suppress(ValueError):
            call()


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\s\w]')
OTHERS = [
    *(
        "0",
        "1",
        "2",
        "-1",
        "0.5",
        "-1.0",
        "1e308",
        "1e999",
        "5e-324",
        "null",
        "true",
        "NaN",
        "[]",
        "{}",
        "[[]]",
        "[1,2]",
    ),
    *('"Infinity"', '""', '"x"', '"\\ud800"', '"Moments"', '"GroupedScaler"', '"StandardScaler"', '{"tuple":["x"]}'),
    *('{"tuple":[]}', '{"timestamp":"2024"}', '{"integer":"9"}', '{"float":"NaN"}', '{"date":"2024-01-01"}'),
    *(str(number) for number in (2**53, 2**63 - 1, 2**63, 2**64, 10**12, 10**400)),
]


def mutated(text, rng):
    """Return a document with some of its tokens exchanged, lost or doubled."""
    tokens = TOKEN.findall(text)
    keys = [i for i, token in enumerate(tokens[:-1]) if tokens[i + 1] == ":"]
    places = sorted({i for i, token in enumerate(tokens) if token not in ",:{}[]"}.difference(keys))
    for _ in range(rng.choice((1, 1, 2, 3))):
        i, how = rng.choice(places), rng.randrange(8)
        if how < 4:
            tokens[i] = rng.choice(OTHERS)
        elif how < 6:
            j = rng.choice(places)
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif how == 6:
            tokens[rng.choice(keys)] = tokens[rng.choice(keys)]
        else:
            i = rng.randrange(len(tokens))
            tokens[i] = rng.choice(("", tokens[i] * 2, rng.choice(tokens)))
    return "".join(tokens)


@pytest.mark.parametrize("name", TEXTS)
def test_mutated_documents_do_no_harm(name):
    rng, messages = random.Random(name), []
    for _ in range(250):
        text = mutated(TEXTS[name], rng)
        try:
            grouped = sknorm.from_json(text)
        except ValueError as error:
            messages.append(str(error))
        else:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(grouped)
    assert len(messages) > 50
    assert all(0 < len(message) < 1_000 for message in messages)


@pytest.mark.parametrize("name", TEXTS)
def test_every_value_of_a_document_is_checked(name):
    """Each value in turn replaced by each of some others: a ValueError, or a scaler that works."""
    tokens = TOKEN.findall(TEXTS[name])
    keys = {i for i, token in enumerate(tokens[:-1]) if tokens[i + 1] == ":"}
    places = [i for i, token in enumerate(tokens) if token not in ",:{}[]" and i not in keys]
    for i in places:
        for other in ("null", "-1", '"x"', "[]", "1e308"):
            with contextlib.suppress(ValueError), np.errstate(all="ignore"):
                sknorm.from_json("".join([*tokens[:i], other, *tokens[i + 1 :]])).to_json()
