"""Bad input gets scikit-learn's own error, and leaves a scaler exactly as it was."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from bad_tables import TABLES, outcome
from registry import ENTRIES, peer_of, takes_infinities
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import sknorm

NAMES = list(ENTRIES)
# Those whose parameters are scikit-learn's.
SHARED = [name for name, entry in ENTRIES.items() if entry.peer == name]
LEARNING = ["fit", "partial_fit", "fit_transform", "prequential_transform"]
# What scikit-learn's scalers do in place of what is ours.
THEIRS = {"prequential_transform": "partial_fit"}


def ours(name, **setting):
    return getattr(sknorm, name)(**setting)


def refusing(name, **setting):
    """Return a scaler that refuses infinities, as all do by default but clippers."""
    scaler = ours(name, **setting)
    return scaler.set_params(infinite="error") if takes_infinities(scaler) else scaler


def as_expected(name, expected, **setting):
    """Return a scaler for which an outcome is to be expected: one that refuses infinities if that is the error."""
    return (refusing if expected and "infinity" in expected[1] else ours)(name, **setting)


def has(name, parameter):
    return parameter in ours(name).get_params()


# Clippers only clip: they scale by nothing that would have to be clipped after, and never work in place.
CLIPPING = [name for name in NAMES if has(name, "clip")]

each_class = pytest.mark.parametrize("name", NAMES)
each_clipping_class = pytest.mark.parametrize("name", CLIPPING)
each_learning = pytest.mark.parametrize("verb", LEARNING)


def expected_outcome(name, verb, *arguments, fitted_to=None, **keywords):
    """Return what the peer raises, with our name in the message."""
    scaler, verb = peer_of(name), THEIRS.get(verb, verb)
    if fitted_to is not None:
        scaler.fit(fitted_to)
    if not hasattr(scaler, verb):  # RobustScaler has no partial_fit in scikit-learn
        verb = "fit" if fitted_to is None else "transform"
    with np.errstate(all="ignore"):  # inf − inf in scikit-learn's own sums
        result = outcome(getattr(scaler, verb), *arguments, **keywords)
    return result and (result[0], result[1].replace(ENTRIES[name].peer, name))


def state_of(scaler):
    """Return the bits of everything that the scaler holds, by name."""
    return {attribute: pickle.dumps(value) for attribute, value in vars(scaler).items()}


@pytest.fixture
def X(rng):
    return rng.normal(size=(6, 3))


# Tables, of the width that the scalers were fitted to where they can be.

each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@each_table
@each_learning
@each_class
def test_table_to_learn_from(name, verb, table):
    expected = expected_outcome(name, verb, table())
    scaler = as_expected(name, expected)
    assert outcome(getattr(scaler, verb), table()) == expected
    if expected:
        assert vars(scaler) == scaler.get_params()


@each_table
@each_learning
@each_class
def test_table_after_fit(name, verb, table, X):
    expected = expected_outcome(name, verb, table(), fitted_to=X)
    scaler = as_expected(name, expected).fit(X)
    before, mapped = state_of(scaler), scaler.transform(X)
    kept = vars(scaler)["_learned"]
    assert outcome(getattr(scaler, verb), table()) == expected
    if expected:
        assert state_of(scaler) == before
        assert vars(scaler)["_learned"] is kept
        np.testing.assert_array_equal(scaler.transform(X), mapped)


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@each_table
@pytest.mark.parametrize(
    ("name", "setting"),
    [(name, {}) for name in NAMES] + [(name, {"copy": False}) for name in NAMES if has(name, "copy")],
    ids=str,
)
def test_table_to_map(name, table, verb, setting, X):
    expected = expected_outcome(name, verb, table(), fitted_to=X)
    # The inverse has no bounds, so that an infinity is always an error there.
    scaler = as_expected(name, expected if verb == "transform" else None, **setting).fit(X)
    before = state_of(scaler)
    data, twin = table(), table()
    if expected and verb == "inverse_transform":  # where scikit-learn gives its check no names
        message = re.sub("^Input contains", "Input X contains", expected[1])
        message = re.sub(r" is required\.$", f" is required by {name}.", message)
        expected = expected[0], message.replace("None expected", f"{name} expected")
    got = outcome(getattr(scaler, verb), data)
    assert got == expected
    assert state_of(scaler) == before
    if expected and isinstance(data, np.ndarray) and data.dtype != object:
        assert data.tobytes() == twin.tobytes()


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform", "transform"])
@each_class
def test_wrong_width(name, verb, width, X):
    scaler = ours(name).fit(X)
    before = state_of(scaler)
    got = outcome(getattr(scaler, verb), np.ones((5, width)))
    assert got == expected_outcome(name, verb, np.ones((5, width)), fitted_to=X)
    assert got == (ValueError, f"X has {width} features, but {name} is expecting 3 features as input.")
    assert state_of(scaler) == before


@pytest.mark.parametrize("width", [1, 2, 4])
@each_class
def test_wrong_width_of_scaled_data(name, width, X):
    """scikit-learn lets NumPy broadcast one column here, and fail with words of its own for others."""
    with pytest.raises(ValueError, match=f"X has {width} features, but {name} is expecting 3 features as input"):
        ours(name).fit(X).inverse_transform(np.ones((5, width)))


@pytest.mark.parametrize("verb", ["transform", "inverse_transform"])
@each_class
def test_unfitted(name, verb, X):
    got = outcome(getattr(ours(name), verb), X)
    assert got == expected_outcome(name, verb, X)
    assert got[0] is NotFittedError
    # Whatever the table: that nothing was learned comes first.
    assert outcome(getattr(ours(name), verb), "nonsense")[0] is NotFittedError


@each_class
def test_failed_fit_leaves_an_unfitted_scaler(name):
    scaler = refusing(name)
    with pytest.raises(ValueError, match="infinity"):
        scaler.fit(pd.DataFrame({"a": [1.0, np.inf]}))
    assert not hasattr(scaler, "n_features_in_")
    assert not hasattr(scaler, "feature_names_in_")
    with pytest.raises(NotFittedError):
        scaler.transform([[1.0]])
    assert scaler.partial_fit([[1.0, 2.0]]).n_features_in_ == 2


# Names.

FRAMES = {
    "reordered": lambda X: pd.DataFrame(X, columns=["b", "a", "c"]),
    "renamed": lambda X: pd.DataFrame(X, columns=["a", "b", "z"]),
    "one more": lambda X: pd.DataFrame(np.c_[X, X[:, :1]], columns=["a", "b", "c", "d"]),
    "one less": lambda X: pd.DataFrame(X[:, :2], columns=["a", "b"]),
    "all others": lambda X: pd.DataFrame(X, columns=["x", "y", "z"]),
    "no names": lambda X: X,
    "integer names": lambda X: pd.DataFrame(X),
    "mixed names": lambda X: pd.DataFrame(X, columns=["a", 1, "c"]),
}


@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform", "transform"])
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@each_class
def test_names(name, frame, verb, X):
    named = pd.DataFrame(X, columns=["a", "b", "c"])
    scaler = ours(name).fit(named)
    before = state_of(scaler)
    got = outcome(getattr(scaler, verb), frame(X))
    assert got == expected_outcome(name, verb, frame(X), fitted_to=named)
    assert got is not None
    assert state_of(scaler) == before


@pytest.mark.parametrize("verb", ["partial_fit", "prequential_transform", "transform"])
@each_class
def test_names_come_where_there_were_none(name, verb, X):
    named = pd.DataFrame(X, columns=["a", "b", "c"])
    scaler = ours(name).fit(X)
    before = state_of(scaler)
    got = outcome(getattr(scaler, verb), named)
    assert got == expected_outcome(name, verb, named, fitted_to=X)
    assert got[0] is UserWarning
    assert state_of(scaler) == before


@pytest.mark.parametrize("bad", [np.inf, "x"], ids=["inf", "string"])
@each_class
def test_failed_fit_keeps_the_names_of_the_last(name, bad, X):
    scaler = refusing(name).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    before = state_of(scaler)
    with pytest.raises(ValueError, match=r"infinity|could not convert string to float"):
        scaler.fit(pd.DataFrame({"p": [1.0, 2.0], "q": [3.0, bad]}))
    assert state_of(scaler) == before
    assert scaler.feature_names_in_.tolist() == ["a", "b", "c"]


@each_class
def test_successful_fit_without_names_forgets_them(name, X):
    scaler = ours(name).fit(pd.DataFrame(X, columns=["a", "b", "c"])).fit(X)
    assert not hasattr(scaler, "feature_names_in_")


# Weights.

WEIGHTS = {
    "too few": [1.0, 2.0],
    "too many": np.ones(7),
    "2-d": np.ones((6, 1)),
    "NaN": [1.0, 1.0, np.nan, 1.0, 1.0, 1.0],
    "inf": [1.0, 1.0, np.inf, 1.0, 1.0, 1.0],
    "strings": list("abcdef"),
    "complex": np.ones(6) * 1j,
    "dict": {"a": 1},
    "None inside": [1.0, None, 1.0, 1.0, 1.0, 1.0],
    "string": "balanced",
    "empty": [],
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
@each_class
def test_weights(name, verb, weights, X):
    scaler = ours(name).fit(X * 2)
    before = state_of(scaler)
    theirs = getattr(sklearn.preprocessing.StandardScaler().fit(X), THEIRS.get(verb, verb))
    got, expected = (outcome(call, X, sample_weight=weights) for call in (getattr(scaler, verb), theirs))
    assert got == (expected[0], expected[1].replace("StandardScaler", name))
    assert state_of(scaler) == before


@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
@each_class
def test_negative_weights(name, verb, X):
    scaler = ours(name).fit(X * 2)
    before = state_of(scaler)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        getattr(scaler, verb)(X, sample_weight=[1, 1, -1e-300, 1, 1, 1])
    assert state_of(scaler) == before


@each_learning
@each_class
def test_missing_weights_are_refused_whatever_the_configuration(name, verb, X):
    scaler = ours(name).fit(X * 2)
    before = state_of(scaler)
    with config_context(assume_finite=True), pytest.raises(ValueError, match="Input sample_weight contains NaN"):
        getattr(scaler, verb)(X, sample_weight=[1, 1, np.nan, 1, 1, 1])
    assert state_of(scaler) == before


@each_class
def test_weights_that_are_all_zero(name, X):
    scaler = ours(name).fit(X * 2)
    before = state_of(scaler)
    with pytest.raises(ValueError, match="Sample weights must contain at least one non-zero number"):
        scaler.fit(X, sample_weight=np.zeros(6))
    assert state_of(scaler) == before
    mapped = scaler.transform(X)
    np.testing.assert_array_equal(scaler.partial_fit(X, sample_weight=np.zeros(6)).transform(X), mapped)


@each_class
def test_bad_weights_beside_new_names(name, X):
    scaler = ours(name).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    before = state_of(scaler)
    with pytest.raises(ValueError, match="sample_weight"):
        scaler.fit(pd.DataFrame(X[:, :2], columns=["p", "q"]), sample_weight=[1.0])
    assert state_of(scaler) == before


@each_class
def test_weights_whose_sum_overflows(name, X):
    scaler = ours(name).fit(X * 2)
    before = state_of(scaler)
    for verb in (scaler.fit, scaler.partial_fit):
        with pytest.raises(ValueError, match="overflow"):
            verb(X, sample_weight=np.full(6, 1e308))
    assert state_of(scaler) == before


@each_class
def test_weights_are_not_changed(name, X):
    weights = np.array([1.0, 0, 2, 0, 3, 1])
    ours(name).fit(X, sample_weight=weights).partial_fit(X, sample_weight=weights)
    assert weights.tolist() == [1, 0, 2, 0, 3, 1]


# Parameters.

SHARED_PARAMETERS = [
    *((name, "copy", value) for name in SHARED for value in ("yes", None, 3, 0.5)),
    *(("StandardScaler", parameter, value) for parameter in ("with_mean", "with_std") for value in ("no", None, 2)),
    *(("MinMaxScaler", "feature_range", value) for value in (None, 1, "ab", [0, 1], np.array([0, 1]), (1, 0), (2, 2))),
    *(("RobustScaler", "quantile_range", value) for value in (None, 5, [25, 75], (75, 25), (-1, 50), (25, 101))),
    *(
        ("RobustScaler", parameter, value)
        for parameter in ("with_centering", "with_scaling", "unit_variance")
        for value in ("no", None, 2)
    ),
]


@each_learning
@pytest.mark.parametrize(("name", "parameter", "value"), SHARED_PARAMETERS)
def test_parameters_of_scikit_learn(name, parameter, value, verb, X):
    theirs = "fit" if name == "RobustScaler" else THEIRS.get(verb, verb)
    scaler = ours(name, **{parameter: value})
    got = outcome(getattr(scaler, verb), X)
    assert got == outcome(getattr(peer_of(name, **{parameter: value}), theirs), X)
    assert issubclass(got[0], ValueError)
    assert not hasattr(scaler, "n_features_in_")


OWN_PARAMETERS = {
    "every class": [
        *(("clip", value, InvalidParameterError) for value in ("3", [0, 1], 0, -2, 0.0, np.nan, {"low": 1}, 1j)),
        *(("clip", value, ValueError) for value in ((3, 1), (1, 1), (1,), (1, 2, 3), (), (np.nan, 1), ("a", "b"))),
        *(("clip_mode", value, InvalidParameterError) for value in ("medium", None, True, 1)),
        *(("window", value, InvalidParameterError) for value in (0, -1, 7.0, np.nan, np.inf, "7", 2**53 + 1, (7,))),
        *(("outliers", value, InvalidParameterError) for value in ("iqr", sknorm.StandardScaler())),
    ],
    "OutlierClipper": [
        ("method", "std", InvalidParameterError),
        *(("fold", value, InvalidParameterError) for value in (0, np.nan, "3", None)),
        ("tail", None, InvalidParameterError),
        ("quantile_range", [1, 99], InvalidParameterError),
        *(("quantile_range", value, ValueError) for value in ((5, 5), (1,))),
        ("limits", [0, 1], InvalidParameterError),
        ("limits", (0, 1), ValueError),
        ("action", None, InvalidParameterError),
        ("infinite", True, InvalidParameterError),
        ("indicator", 2, InvalidParameterError),
        ("half_life", 0, InvalidParameterError),
        ("half_life", 3, ValueError),
        ("chunk_size", 0, InvalidParameterError),
    ],
    "StandardScaler": [
        ("clip", True, ValueError),
        ("clip", np.True_, ValueError),
        *(("ddof", value, InvalidParameterError) for value in (-1, "one", None, np.nan, (0, 1))),
        *(("half_life", value, InvalidParameterError) for value in (0, -1.0, np.nan, np.inf, "3", (3,))),
    ],
    "RobustScaler": [
        ("clip", True, ValueError),
        ("clip", np.True_, ValueError),
        *(("scale", value, InvalidParameterError) for value in ("std", None, True, 1)),
        *(("zero_iqr", value, InvalidParameterError) for value in ("one", None, False, 0)),
        *(("chunk_size", value, InvalidParameterError) for value in (0, -1, 1.0, None, "1")),
    ],
}
OWN_PARAMETERS = [
    (name, *case)
    for name in NAMES
    for case in [case for case in OWN_PARAMETERS["every class"] if has(name, case[0])] + OWN_PARAMETERS.get(name, [])
]


@each_learning
@pytest.mark.parametrize(("name", "parameter", "value", "error"), OWN_PARAMETERS)
def test_parameters_of_our_own(name, parameter, value, error, verb, X):
    scaler = ours(name, **{parameter: value})
    with pytest.raises(error, match=parameter) as caught:
        getattr(scaler, verb)(X)
    if error is InvalidParameterError:
        assert str(caught.value).startswith(f"The '{parameter}' parameter of {name} must be ")
    assert not hasattr(scaler, "n_features_in_")


@pytest.mark.parametrize("clip", [(-1.0, 1.0), True], ids=["pair", "True"])
@each_clipping_class
def test_soft_clip_takes_one_number(name, clip, X):
    with pytest.raises(ValueError, match=r"clip_mode='soft' takes one number as clip"):
        ours(name, clip=clip, clip_mode="soft").fit(X)


@pytest.mark.parametrize("clip", [None, False, np.False_], ids=["None", "False", "np.False_"])
@pytest.mark.parametrize("clip_mode", ["hard", "soft"])
@each_clipping_class
def test_no_clip_is_no_clip(name, clip, clip_mode, X):
    expected = ours(name).fit(X).transform(X * 100)
    np.testing.assert_array_equal(ours(name, clip=clip, clip_mode=clip_mode).fit(X).transform(X * 100), expected)


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.int64(2), np.float64(2)], ids=repr)
@each_clipping_class
def test_clip_takes_numbers_of_every_kind(name, number, X):
    expected = ours(name, clip=2.0).fit(X).transform(X * 100)
    for clip in (number, (-number, number)):
        np.testing.assert_array_equal(ours(name, clip=clip).fit(X).transform(X * 100), expected)


@pytest.mark.parametrize("name", ["MinMaxScaler", "MaxAbsScaler", "MeanScaler", "DecimalScaler"])
def test_clip_true_is_no_number(name, X):
    low, high = (0, 5) if name == "MinMaxScaler" else (-1, 1)
    setting = {"feature_range": (0, 5)} if name == "MinMaxScaler" else {}
    for true in (True, np.True_):
        out = ours(name, clip=true, **setting).fit(X).transform(X * 100)
        assert (out.min(), out.max()) == (low, high)


@each_class
def test_bad_parameters_come_before_bad_data(name, X):
    parameter = "clip" if has(name, "clip") else "fold"
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter"):
        ours(name, **{parameter: "x"}).fit("nonsense")


# Overflow.

OVERFLOWS = [
    ("MinMaxScaler", [-1e308, 1e308], "range"),
    ("MeanScaler", [-1e308, 1e308], "range"),
    ("StandardScaler", [-1e200, 1e200], "variance"),
    ("StandardScaler", [-1.7e308, 1.7e308], "variance"),
    ("RobustScaler", [-1.7e308] * 5 + [1.7e308] * 5, "scale"),
]


@pytest.mark.parametrize("named", [False, True], ids=["plain", "named"])
@pytest.mark.parametrize("verb", ["fit", "partial_fit", "prequential_transform"])
@pytest.mark.parametrize(("name", "values", "what"), OVERFLOWS)
def test_overflow_names_the_column(name, values, what, verb, named, rng):
    def table(column):
        values = np.c_[rng.normal(size=len(column)), column]
        return pd.DataFrame(values, columns=["small", "vast"]) if named else values

    scaler = ours(name).fit(table(np.arange(3.0)))
    before = state_of(scaler)
    column = "'vast'" if named else "1"
    with pytest.raises(ValueError, match=f"The {what} of column {column} overflows"):
        getattr(scaler, verb)(table(values))
    assert state_of(scaler) == before


@pytest.mark.parametrize("name", ["MinMaxScaler", "MeanScaler", "StandardScaler"])
def test_overflow_in_a_stream(name):
    scaler = ours(name).fit([[-1.7e308]])
    before = state_of(scaler)
    with pytest.raises(ValueError, match="of column 0 overflows"):
        scaler.partial_fit([[1.7e308]])
    assert state_of(scaler) == before


@pytest.mark.parametrize(("name", "values", "what"), OVERFLOWS)
def test_overflow_in_a_merge(name, values, what):
    low, high = (np.array(half)[:, np.newaxis] for half in np.split(np.array(values), 2))
    one, other = ours(name).fit(low), ours(name).fit(high)
    before = state_of(one), state_of(other)
    with pytest.raises(ValueError, match=f"The {what} of column 0 overflows"):
        one.merge(other)
    assert (state_of(one), state_of(other)) == before


# Merging.


@each_class
def test_merge_with_what_does_not_fit(name, X):
    fitted = ours(name).fit(X)
    before = state_of(fitted)
    another_class = ours(next(other for other in NAMES if other != name)).fit(X)
    named = ours(name).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    parameter = "clip" if has(name, "clip") else "fold"
    cases = [
        (another_class, TypeError, "merges with its own kind"),
        (peer_of(name).fit(X), TypeError, "merges with its own kind"),
        (None, TypeError, "merges with its own kind"),
        (X, TypeError, "merges with its own kind"),
        (ours(name), NotFittedError, "not fitted"),
        (ours(name, **{parameter: 3.0}).fit(X), ValueError, f"same parameters; {parameter} is"),
        (ours(name).fit(X[:, :2]), ValueError, "same width"),
        (named, ValueError, "same feature names"),
    ]
    for other, error, words in cases:
        with pytest.raises(error, match=words):
            fitted.merge(other)
        assert state_of(fitted) == before
    with pytest.raises(NotFittedError):
        ours(name).merge(fitted)
    with pytest.raises(ValueError, match="same feature names"):
        named.merge(fitted)


# Arrays of other libraries.


class ForeignArray:
    """What a tensor looks like from outside."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.dtype, self.ndim = self.values.shape, self.values.dtype, self.values.ndim

    def __array_namespace__(self, api_version=None):
        return np

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


class ForeignBuffer(ForeignArray):
    """What a tensor of an older library looks like."""

    __array_namespace__ = None

    def __dlpack__(self, **keywords):
        return self.values.__dlpack__(**keywords)


@pytest.mark.parametrize("kind", [ForeignArray, ForeignBuffer], ids=["namespace", "dlpack"])
@pytest.mark.parametrize("verb", [*LEARNING, "transform", "inverse_transform"])
@each_class
def test_arrays_of_other_libraries(name, verb, kind, X):
    scaler = ours(name).fit(X)
    before = state_of(scaler)
    with pytest.raises(TypeError, match=rf"X is a .*\.{kind.__name__}; sknorm reads NumPy arrays: convert it first"):
        getattr(scaler, verb)(kind(X))
    assert state_of(scaler) == before


DISPATCH = """
import numpy as np, pandas as pd, sklearn, sknorm
try:
    sklearn.set_config(array_api_dispatch=True)
except ImportError as error:
    raise SystemExit(f"skip: {{error}}")
X = np.arange(12.0).reshape(4, 3)
for scaler in {scalers}:
    out = scaler.fit(X).transform(X)
    assert type(out) is np.ndarray, scaler
    assert type(scaler.partial_fit(X.astype(np.float32)).transform(X.astype(int))) is np.ndarray, scaler
    frame = scaler.fit(pd.DataFrame(X)).transform(pd.DataFrame(X))
    np.testing.assert_allclose(frame, out, rtol=1e-12)
"""


def test_numpy_arrays_under_array_api_dispatch():
    scalers = ", ".join(f"sknorm.{name}()" for name in NAMES)
    environment = os.environ | {
        "SCIPY_ARRAY_API": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(sknorm.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    script = DISPATCH.format(scalers=f"[{scalers}]")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    if done.stderr.startswith("skip: "):
        pytest.skip(done.stderr.removeprefix("skip: ").strip())
    assert done.returncode == 0, done.stderr


def test_merging_does_not_pass_parameters_that_were_never_checked(X):
    first, second = sknorm.StandardScaler().fit(X), sknorm.StandardScaler().fit(X)
    for scaler in (first, second):
        scaler.set_params(clip=(3.0, 1.0))
    first.merge(second)
    with pytest.raises(ValueError, match="low < high"):
        first.transform(X)


@pytest.mark.parametrize(
    "pair", [("a", "b"), ((0, 1), (2, 3)), (1,), (0, 1, 2), (0, None), (float("nan"), 1), (-float("inf"), 1)], ids=str
)
def test_pairs_are_pairs_of_numbers(pair):
    for scaler in (sknorm.MinMaxScaler(feature_range=pair), sknorm.RobustScaler(quantile_range=pair)):
        with pytest.raises(ValueError, match="must be a pair of finite numbers"):
            scaler.fit([[1.0], [2.0]])


@pytest.mark.parametrize("pair", [(25, 25), (0, 50), (10, 100)], ids=str)
def test_unit_variance_needs_quantiles_that_differ(pair):
    with pytest.raises(ValueError, match="0 < low < high < 100"):
        sknorm.RobustScaler(quantile_range=pair, unit_variance=True).fit([[1.0], [2.0]])
    sknorm.RobustScaler(quantile_range=pair, unit_variance=True, scale="mad").fit([[1.0], [2.0]])
