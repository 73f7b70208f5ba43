"""Every scaler is a scikit-learn estimator: what its meta-estimators, tools and users rely on."""

import copy
import inspect
import io
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.preprocessing
from registry import SCALERS, clipper_of, clips_first, forgetting, instances, lasting, name_of, reads_quantiles
from sklearn import config_context
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, get_routing_for_object, process_routing
from sklearn.utils.validation import check_is_fitted

import sknorm
from sknorm import OutlierClipper, StandardScaler

CLASSES = [entry.scaler for entry in SCALERS]
N_SAMPLES, N_FEATURES = 60, 3
METHODS = ["transform", "inverse_transform", "get_feature_names_out"]

each_class = pytest.mark.parametrize("scaler_class", CLASSES, ids=lambda scaler: scaler.__name__)
each_setting = pytest.mark.parametrize("scaler", instances(), ids=name_of)


@pytest.fixture
def X(rng):
    return rng.normal(3, [1, 10, 0.1], size=(N_SAMPLES, N_FEATURES))


@pytest.fixture
def y(X):
    return (X[:, 0] + X[:, 2] > 6).astype(int)


def documented_attributes(scaler_class):
    """Return the names in the Attributes section of the class's docstring."""
    section = inspect.getdoc(scaler_class).split("Attributes\n----------\n")[1].split("\n\n")[0]
    return [name for line in re.findall(r"^(\w.*?) : ", section, re.MULTILINE) for name in line.split(", ")]


def attributes_of(scaler):
    """Return the documented attributes that there are, by name."""
    return {name: getattr(scaler, name) for name in documented_attributes(type(scaler)) if hasattr(scaler, name)}


def shown(value):
    """Return an attribute to be compared by value: of a fitted clipper, its own attributes."""
    return attributes_of(value) if isinstance(value, BaseEstimator) else value


def parameters_of(scaler):
    """Return the parameters to be compared by value: of an estimator within, its class beside its own."""
    return {
        name: type(value) if isinstance(value, BaseEstimator) else value for name, value in scaler.get_params().items()
    }


def fitted_otherwise(scaler, X):
    """Return a scaler fitted under defaults, but for what cannot be changed after fit."""
    fixed = lasting(scaler)
    if reads_quantiles(scaler):
        fixed.pop("method", None)  # which may become another that reads them
    return type(scaler)(**fixed).fit(X)


def model_for(scaler):
    """Return a classifier that takes what the scaler makes."""
    drops = getattr(clipper_of(scaler), "action", None) == "missing"
    return DecisionTreeClassifier(random_state=0) if drops else GaussianNB()


def state_of(scaler):
    """Return the bits of everything that the scaler holds, by name."""
    return {name: pickle.dumps(value) for name, value in vars(scaler).items()}


# One check transforms its table twice; scikit-learn's own scalers fail it too where they work in place.
CHECKED = [scaler for scaler in instances() if scaler.copy]


def applies(scaler, check):
    """Say whether scikit-learn's check is one that its own scalers pass.

    Release 1.6 puts a sparse matrix before scalers that refuse it, StandardScaler() too (its issue 30139).
    """
    sparse = scaler.__sklearn_tags__().input_tags.sparse
    return sparse or check.func.__name__ != "check_sample_weight_equivalence_on_sparse_data"


def excused(scaler):
    """Return the checks that a scaler fails, and why: those that say "weight 2 is the row twice", and no others."""
    name = "check_sample_weight_equivalence_on_{}_data"
    zeros = "bounds of the check's table, whose values are all above zero, leave out the zeros that a matrix may have"
    found = {name.format("sparse"): zeros} if clips_first(scaler) else {}
    if not forgetting(scaler) or (scaler.window or 0) > 30 or isinstance(scaler, sknorm.DecimalScaler):
        return found  # the table of the check fits into the window, or has the same power of ten within it
    reason = "a row of weight 2 pushes the rows before it back by one, the row twice by two"
    return found | {name.format(kind): reason for kind in ("dense", "sparse")}


def each_check(scalers):
    """Return scikit-learn's mark with a list in place of the generator of older releases, which pytest 9 refuses."""
    mark = parametrize_with_checks(scalers, expected_failed_checks=excused).mark
    pairs = [pair for pair in mark.args[1] if applies(*getattr(pair, "values", pair))]
    return pytest.mark.parametrize(mark.args[0], pairs, **mark.kwargs)


@each_check(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_there_are_settings_enough():
    assert len(CHECKED) >= 40


# Parameters.


@each_setting
def test_clone_has_the_parameters_and_nothing_learned(scaler, X):
    scaler = clone(scaler).fit(X)
    twin = clone(scaler)
    assert parameters_of(twin) == parameters_of(scaler)
    assert vars(twin) == twin.get_params(deep=False)
    if clips_first(scaler):
        assert twin.outliers is not scaler.outliers
        assert vars(twin.outliers) == scaler.outliers.get_params()


@each_setting
def test_parameters_make_the_round_trip(scaler):
    twin = type(scaler)().set_params(**scaler.get_params())
    assert twin.get_params() == scaler.get_params()
    assert list(twin.get_params(deep=False)) == sorted(inspect.signature(type(scaler)).parameters)


@each_setting
def test_constructor_stores_what_it_gets_untouched(scaler):
    parameters = {name: object() for name in scaler.get_params(deep=False)}
    assert vars(type(scaler)(**parameters)) == parameters


@each_setting
def test_repr_makes_the_same_scaler(scaler):
    assert parameters_of(eval(repr(scaler), vars(sknorm))) == parameters_of(scaler)


@each_setting
def test_html_repr(scaler, X):
    for estimator in (clone(scaler), clone(scaler).fit(X)):
        assert type(scaler).__name__ in estimator._repr_html_()


@each_class
def test_unknown_parameter_is_refused(scaler_class, X):
    scaler = scaler_class().fit(X)
    before = state_of(scaler)
    with pytest.raises(ValueError, match="Invalid parameter 'clipp' for estimator"):
        scaler.set_params(clipp=3)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        scaler_class(clipp=3)
    assert state_of(scaler) == before


@each_setting
def test_parameters_set_after_fit_change_the_map(scaler, X):
    late = fitted_otherwise(scaler, X)
    late.transform(X.copy())
    late.set_params(**scaler.get_params())
    np.testing.assert_array_equal(late.transform(X.copy()), clone(scaler).fit(X).transform(X.copy()))


@each_setting
def test_parameters_assigned_after_fit_change_the_map(scaler, X):
    """As in scikit-learn, where ``scaler.clip = True`` needs no ``set_params``."""
    late = fitted_otherwise(scaler, X)
    late.transform(X.copy())
    for name, value in scaler.get_params(deep=False).items():
        setattr(late, name, value)
    np.testing.assert_array_equal(late.transform(X.copy()), clone(scaler).fit(X).transform(X.copy()))


@pytest.mark.parametrize("verb", ["transform", "inverse_transform", "fit", "fit_transform"])
@each_class
def test_bad_parameter_set_after_fit_is_refused_at_the_next_verb(scaler_class, verb, X):
    scaler = scaler_class().fit(X)
    expected, before = scaler.transform(X), scaler.get_params()
    name = "clip" if "clip" in before else "fold"
    scaler.set_params(**{name: -1.0})
    for _ in range(2):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of {scaler_class.__name__} must be"):
            getattr(scaler, verb)(X)
    np.testing.assert_array_equal(scaler.set_params(**before).transform(X), expected)


@each_class
def test_parameters_can_be_set_one_by_one_after_fit(scaler_class, X):
    """Between the two assignments the pair makes no sense; nobody has asked for a map yet."""
    before, after = {"clip": (-1.0, 2.0)}, {"clip_mode": "soft", "clip": 3.0}
    if "clip" not in scaler_class().get_params():
        before, after = {"fold": 2.0}, {"method": "quantile", "fold": "auto"}
    scaler = scaler_class(**before).fit(X)
    for name, value in after.items():
        setattr(scaler, name, value)
    expected = scaler_class(**after).fit(X).transform(X)
    np.testing.assert_array_equal(scaler.transform(X), expected)


# Copies.

COPIES = {
    **{f"pickle{p}": lambda s, p=p: pickle.loads(pickle.dumps(s, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": lambda s: (file := io.BytesIO(), joblib.dump(s, file), file.seek(0), joblib.load(file))[-1],
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@each_setting
def test_copies_map_the_same_and_learn_alone(scaler, make, X):
    scaler = clone(scaler).fit(X)
    expected, before = scaler.transform(X.copy()), state_of(scaler)
    twin = make(scaler)
    np.testing.assert_array_equal(twin.transform(X.copy()), expected)
    np.testing.assert_array_equal(twin.partial_fit(X * 7).transform(X.copy()), make(twin).transform(X.copy()))
    assert state_of(scaler) == before
    np.testing.assert_array_equal(scaler.transform(X.copy()), expected)
    after = scaler.partial_fit(X * 7).transform(X.copy())
    np.testing.assert_array_equal(twin.transform(X.copy()), after)


@each_setting
def test_copy_of_unfitted_scaler_is_unfitted(scaler):
    for make in COPIES.values():
        twin = make(clone(scaler))
        assert not twin.__sklearn_is_fitted__()
        assert parameters_of(twin) == parameters_of(scaler)


@each_class
def test_pickle_holds_no_data(scaler_class):
    few, many = (scaler_class().fit(np.arange(3.0 * n).reshape(n, 3)) for n in (10_000, 100_000))
    assert len(pickle.dumps(many)) < 1.5 * len(pickle.dumps(few)) + 1_000


# Names and containers.


@each_setting
def test_feature_names_out(scaler, X):
    names = ["a", "b", "c"]
    plain = clone(scaler).fit(X)
    assert plain.get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    assert plain.get_feature_names_out(names).tolist() == names
    assert plain.get_feature_names_out().dtype == object
    with pytest.raises(ValueError, match="input_features should have length equal to number of features"):
        plain.get_feature_names_out(["a"])
    named = clone(scaler).fit(pd.DataFrame(X, columns=names))
    assert named.get_feature_names_out().tolist() == names
    assert named.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        named.get_feature_names_out(["c", "b", "a"])


def frames_of(X):
    """Return the same table as a pandas and as a Polars frame, the first with an index of its own."""
    return {
        "pandas": pd.DataFrame(X, columns=["a", "b", "c"], index=[f"row {i}" for i in range(len(X))]),
        "polars": pl.DataFrame(X, schema=["a", "b", "c"]),
    }


@pytest.mark.parametrize("source", ["numpy", "pandas", "polars"])
@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@each_setting
def test_set_output(scaler, container, source, X):
    table = {"numpy": X, **frames_of(X)}[source]
    expected = clone(scaler).fit(X).transform(X.copy())
    scaler = clone(scaler).set_output(transform=container)
    for out in (scaler.fit_transform(copy.deepcopy(table)), scaler.transform(copy.deepcopy(table))):
        assert type(out) is {"default": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}[container]
        # Frames are in column order, where the mean is added up in another order.
        np.testing.assert_allclose(np.asarray(out), expected, rtol=1e-12, atol=1e-13)
        if container != "default":
            # Not every release of scikit-learn reads the names of every release of Polars.
            theirs = sklearn.preprocessing.StandardScaler().set_output(transform=container).fit_transform(table)
            assert list(out.columns) == list(theirs.columns)
        if container == source == "pandas":
            assert out.index.equals(table.index)
    assert type(scaler.inverse_transform(expected)) is np.ndarray


@each_class
def test_set_output_by_configuration(scaler_class, X):
    with config_context(transform_output="polars"):
        assert isinstance(scaler_class().fit_transform(X), pl.DataFrame)
    assert isinstance(scaler_class().fit_transform(X), np.ndarray)


@each_class
def test_frame_from_set_output_owns_its_values(scaler_class, X):
    frame = scaler_class().set_output(transform="pandas").fit_transform(X)
    before = X.copy()
    frame.iloc[:, :] = 7.0
    np.testing.assert_array_equal(X, before)


# Inside other estimators.


@each_setting
def test_in_a_column_transformer(scaler, X):
    frame = frames_of(X)["pandas"].assign(d=list("xyz") * 20)
    transformer = ColumnTransformer(
        [("scaled", clone(scaler), ["c", "a"]), ("kept", "passthrough", ["d"])], verbose_feature_names_out=True
    ).set_output(transform="pandas")
    out = transformer.fit_transform(frame.copy())
    assert list(out.columns) == ["scaled__c", "scaled__a", "kept__d"]
    expected = clone(scaler).fit_transform(X[:, [2, 0]])
    np.testing.assert_allclose(out.iloc[:, :2].to_numpy(dtype=float), expected, rtol=1e-12, atol=1e-13)
    assert list(out["kept__d"]) == list(frame["d"])


@each_setting
def test_in_a_pipeline(scaler, X, y):
    pipeline = make_pipeline(clone(scaler), model_for(scaler)).fit(X.copy(), y)
    by_hand = clone(scaler)
    model = model_for(scaler).fit(by_hand.fit_transform(X.copy()), y)
    np.testing.assert_array_equal(pipeline.predict_proba(X.copy()), model.predict_proba(by_hand.transform(X.copy())))
    np.testing.assert_array_equal(pipeline[:-1].get_feature_names_out(["a", "b", "c"]), ["a", "b", "c"])


@each_setting
def test_in_cross_validation(scaler, X, y):
    scores = cross_val_score(make_pipeline(clone(scaler), model_for(scaler)), X, y, cv=3, error_score="raise")
    assert np.isfinite(scores).all()


@each_class
def test_in_a_feature_union(scaler_class, X):
    union = FeatureUnion([("ours", scaler_class()), ("again", scaler_class())]).set_output(transform="pandas")
    out = union.fit_transform(X)
    assert list(out.columns) == [f"{name}__x{i}" for name in ("ours", "again") for i in range(3)]
    np.testing.assert_array_equal(out.iloc[:, :3], out.iloc[:, 3:])


@each_class
def test_grid_search_over_clip(scaler_class, X, y):
    step = scaler_class.__name__.lower()
    grid = {f"{step}__clip": [None, False, 0.5, (-1.0, 3.0)], f"{step}__copy": [True, False]}
    if "clip" not in scaler_class().get_params():
        grid = {f"{step}__method": ["sigma", "iqr"], f"{step}__fold": [1.0, 3.0], f"{step}__indicator": [True, False]}
    search = GridSearchCV(make_pipeline(scaler_class(), GaussianNB()), grid, cv=2, error_score="raise")
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    found = search.best_estimator_.get_params()
    assert {name: found[name] for name in grid} == search.best_params_


def test_grid_search_over_what_is_clipped_first(X, y):
    scaler = StandardScaler(outliers=OutlierClipper())
    grid = {"standardscaler__outliers__method": ["sigma", "mad"], "standardscaler__outliers__fold": [0.3, 5.0]}
    search = GridSearchCV(make_pipeline(scaler, GaussianNB()), grid, cv=2, error_score="raise").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    best = search.best_estimator_.named_steps["standardscaler"]
    assert best.outliers_.get_params() == best.outliers.get_params()
    assert (best.outliers.method, best.outliers.fold) == tuple(search.best_params_[name] for name in grid)
    assert (scaler.outliers.method, scaler.outliers.fold) == ("iqr", "auto")


@each_class
def test_grid_search_over_scalers(scaler_class, X, y):
    pipeline = Pipeline([("scale", "passthrough"), ("model", GaussianNB())])
    search = GridSearchCV(pipeline, {"scale": ["passthrough", scaler_class()]}, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Fitted attributes.


@each_setting
def test_fitted_attributes_appear_with_fit(scaler, X):
    unfitted = clone(scaler)
    for name in documented_attributes(type(scaler)):
        assert not hasattr(unfitted, name), name
    with pytest.raises(NotFittedError):
        check_is_fitted(unfitted)
    fitted = clone(scaler).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    check_is_fitted(fitted)
    for name in documented_attributes(type(scaler)):
        assert hasattr(fitted, name), name


@each_setting
def test_attributes_are_those_documented(scaler, X):
    public = {name for name in dir(type(scaler)) if name.endswith("_") and not name.startswith("_")}
    if "outliers" not in scaler.get_params():
        public.remove("outliers_")
    assert public | {"n_features_in_", "feature_names_in_"} == set(documented_attributes(type(scaler)))


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "NaN"])
@each_setting
def test_fitted_attributes_are_read_only(scaler, missing, X):
    if missing:
        X[0, 0] = X[:, 1] = np.nan
    scaler = clone(scaler).fit(X)
    before = state_of(scaler)
    for name in sorted(set(documented_attributes(type(scaler))) - {"n_features_in_", "feature_names_in_"}):
        with pytest.raises(AttributeError):
            setattr(scaler, name, 1.0)
        with pytest.raises(AttributeError):
            delattr(scaler, name)
        value = getattr(scaler, name)
        assert not isinstance(value, np.ndarray) or not value.flags.writeable, name
        assert not isinstance(value, np.ndarray) or value.shape == (N_FEATURES,), name
    if clips_first(scaler):
        scaler.outliers_.partial_fit(X * 9).set_params(fold=7.0)
    assert state_of(scaler) == before


@each_setting
def test_attributes_read_twice_are_equal(scaler, X):
    scaler = clone(scaler).fit(X)
    for name in attributes_of(scaler):
        np.testing.assert_equal(shown(getattr(scaler, name)), shown(getattr(scaler, name)))


@each_setting
def test_attributes_kept_by_a_user_do_not_change(scaler, X):
    scaler = clone(scaler).fit(X)
    kept = attributes_of(scaler)
    values = copy.deepcopy(kept)
    scaler.partial_fit(X * 10 + 5).transform(X.copy())
    for name in set(documented_attributes(type(scaler))) - {"feature_names_in_"}:
        np.testing.assert_equal(shown(kept[name]), shown(values[name]), err_msg=name)


@each_setting
def test_learning_keeps_no_reference_to_the_data(scaler, X):
    scaler = clone(scaler)
    if "copy" in scaler.get_params():
        scaler.set_params(copy=False)
    expected = clone(scaler).fit(X.copy()).transform(X.copy())
    data = X.copy()
    scaler.fit(data)
    data[:] = -1e6
    np.testing.assert_array_equal(scaler.transform(X.copy()), expected)
    scaler.partial_fit(data)
    expected = clone(scaler).fit(X.copy()).partial_fit(data.copy()).transform(X.copy())
    data[:] = 0.0
    np.testing.assert_array_equal(scaler.transform(X.copy()), expected)


@each_setting
def test_fit_forgets_and_partial_fit_does_not(scaler, X):
    other = X * 3 - 50
    again = clone(scaler).fit(other).fit(X)
    np.testing.assert_array_equal(again.transform(X.copy()), clone(scaler).fit(X).transform(X.copy()))
    assert state_of(again) == state_of(clone(scaler).fit(X))
    narrow = clone(scaler).fit(X).fit(X[:, :2])
    assert narrow.n_features_in_ == 2
    assert narrow.transform(X[:, :2].copy()).shape == (N_SAMPLES, 2)


@each_setting
def test_verbs_return_the_scaler(scaler, X):
    scaler = clone(scaler)
    assert scaler.partial_fit(X) is scaler
    assert scaler.fit(X) is scaler
    if scaler.window is None:
        assert scaler.merge(clone(scaler).fit(X)) is scaler
    assert scaler.set_params() is scaler
    assert scaler.set_output(transform="default") is scaler


@each_setting
def test_y_is_ignored(scaler, X, y):
    for target in (y, list("ab") * 30, pd.Series(y)):
        assert state_of(clone(scaler).fit(X, target)) == state_of(clone(scaler).fit(X))
        assert state_of(clone(scaler).partial_fit(X, target)) == state_of(clone(scaler).partial_fit(X))


# Metadata.


class LearnInBatches(MetaEstimatorMixin, BaseEstimator):
    """The smallest meta-estimator that routes metadata to ``partial_fit``."""

    def __init__(self, estimator):
        self.estimator = estimator

    def get_metadata_routing(self):
        mapping = MethodMapping().add(caller="fit", callee="partial_fit")
        return MetadataRouter(owner=type(self).__name__).add(estimator=self.estimator, method_mapping=mapping)

    def fit(self, X, y=None, **metadata):
        routed = process_routing(self, "fit", **metadata)
        self.estimator_ = clone(self.estimator).partial_fit(X, y, **routed.estimator.partial_fit)
        return self


@pytest.fixture
def weights(rng):
    return rng.integers(0, 4, size=N_SAMPLES).astype(float)


@each_class
def test_weights_reach_fit_through_a_pipeline(scaler_class, X, y, weights):
    with config_context(enable_metadata_routing=True):
        scaler = scaler_class().set_fit_request(sample_weight=True)
        model = GaussianNB().set_fit_request(sample_weight=False)
        step = scaler_class.__name__.lower()
        learned = make_pipeline(scaler, model).fit(X, y, sample_weight=weights).named_steps[step]
        assert state_of(learned)["_learned"] == state_of(scaler_class().fit(X, sample_weight=weights))["_learned"]
        assert state_of(learned)["_learned"] != state_of(scaler_class().fit(X))["_learned"]


@each_class
def test_weights_stay_away_from_a_scaler_that_declines(scaler_class, X, y, weights):
    with config_context(enable_metadata_routing=True):
        scaler = scaler_class().set_fit_request(sample_weight=False)
        model = GaussianNB().set_fit_request(sample_weight=True)
        step = scaler_class.__name__.lower()
        learned = make_pipeline(scaler, model).fit(X, y, sample_weight=weights).named_steps[step]
        assert state_of(learned)["_learned"] == state_of(scaler_class().fit(X))["_learned"]


@each_class
def test_weights_without_a_request_are_an_error(scaler_class, X, y, weights):
    with config_context(enable_metadata_routing=True):
        model = GaussianNB().set_fit_request(sample_weight=True)
        with pytest.raises(ValueError, match="sample_weight"):
            make_pipeline(scaler_class(), model).fit(X, y, sample_weight=weights)


@each_class
def test_weights_reach_partial_fit_through_a_router(scaler_class, X, weights):
    with config_context(enable_metadata_routing=True):
        scaler = scaler_class().set_partial_fit_request(sample_weight=True)
        assert get_routing_for_object(scaler).consumes("partial_fit", ["sample_weight"]) == {"sample_weight"}
        learned = LearnInBatches(scaler).fit(X, sample_weight=weights).estimator_
        expected = scaler_class().partial_fit(X, sample_weight=weights)
        assert state_of(learned)["_learned"] == state_of(expected)["_learned"]


@each_class
def test_fit_transform_takes_weights(scaler_class, X, weights):
    expected = scaler_class().fit(X, sample_weight=weights).transform(X)
    np.testing.assert_array_equal(scaler_class().fit_transform(X, sample_weight=weights), expected)
    np.testing.assert_array_equal(scaler_class().fit_transform(X, None, sample_weight=weights), expected)


@each_class
def test_requests_are_those_of_scikit_learn_and_weights(scaler_class):
    def requests(some_class):
        return {name for name in dir(some_class) if name.startswith("set_") and name.endswith("_request")}

    theirs = requests(getattr(sklearn.preprocessing, scaler_class.__name__, BaseEstimator))
    assert requests(scaler_class) == theirs | {"set_fit_request", "set_partial_fit_request"}


# Tags.


@each_class
def test_tags_are_scikit_learns(scaler_class):
    theirs = getattr(sklearn.preprocessing, scaler_class.__name__, None)
    if theirs is None:
        pytest.skip("scikit-learn has no class of that name")
    ours, expected = scaler_class().__sklearn_tags__(), theirs().__sklearn_tags__()
    # Arrays of other libraries come later.
    expected.array_api_support = ours.array_api_support
    # Those that scikit-learn leaves at its default, float64, keep float32 too.
    assert ours.transformer_tags.preserves_dtype == ["float64", "float32"]
    expected.transformer_tags.preserves_dtype = ours.transformer_tags.preserves_dtype
    assert ours == expected


@pytest.mark.parametrize("method", METHODS)
@each_class
def test_unfitted_scaler_says_so(scaler_class, method, X):
    arguments = [] if method == "get_feature_names_out" else [X]
    message = f"This {scaler_class.__name__} instance is not fitted yet. Call 'fit' with appropriate arguments"
    with pytest.raises(NotFittedError, match=message):
        getattr(scaler_class(), method)(*arguments)
