"""Documents that are none: a ValueError says what is wrong and where, and whatever loads does no harm."""

import contextlib
import json
import math
import random
import re
import tracemalloc
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from registry import instances, layers, name_of
from sklearn.base import clone

import sknorm
from sknorm import StreamingPipeline

SETTINGS = [
    *instances(),
    *(sknorm.StandardScaler(half_life=half_life) for half_life in (1e-3, 1e300)),
    *(kind(window=window) for kind in (sknorm.MeanScaler, sknorm.RobustScaler) for window in (1, 2**53)),
    *layers(even=True),
]

SMALL = np.array([[1.0, 2.0], [4.0, np.nan], [7.0, 8.0]])
WHOLE = {
    "Standard": sknorm.StandardScaler(clip=(-2.0, 3.0)).fit(SMALL),
    "names": sknorm.MaxAbsScaler().fit(pd.DataFrame(SMALL, columns=["a", "b"])),
    "MinMax": sknorm.MinMaxScaler((-1, 2)).fit(SMALL),
    "Mean": sknorm.MeanScaler().fit(SMALL),
    "exact": sknorm.RobustScaler(scale="mad").fit(SMALL),
    "stream": sknorm.RobustScaler().partial_fit(SMALL).partial_fit(SMALL),
    "decay": sknorm.StandardScaler(half_life=1.5).fit(SMALL),
    "window": sknorm.MinMaxScaler(window=2).fit(SMALL),
    "quantiles": sknorm.RobustScaler(window=2).fit(SMALL),
    "clipper": sknorm.OutlierClipper("limits", limits={1: (0.0, 3.0)}).fit(SMALL),
    "clipped": sknorm.StandardScaler(outliers=sknorm.OutlierClipper("sigma")).fit(SMALL),
    "unfitted": sknorm.RobustScaler(),
    "pipeline": StreamingPipeline([("a", sknorm.MeanScaler(clip=1.0)), ("b", sknorm.MaxAbsScaler())]).fit(SMALL),
    "batch": sknorm.BatchNorm(None, update="keras", gamma=np.array([0.5, -2.0])).fit(SMALL),
    "blocks": sknorm.GroupNorm([1, 1], beta=np.array([3, -1])).fit(SMALL),
    "channels": sknorm.InstanceNorm(2, gamma=(1.0, 2.0)).fit(SMALL),
}
TEXTS = {name: scaler.to_json() for name, scaler in WHOLE.items()}
LACKING = object()


def whole(path):
    """Return a path from the document on."""
    return f"learned.statistic{path}" if path.startswith(".") else path


def changed(name, path, value):
    """Return a document with another value at a path such as class, or .m2[0][1] for a field of the statistic."""
    document = json.loads(TEXTS[name])
    *parents, last = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", whole(path))]
    place = document
    for step in parents:
        place = place[step]
    if value is LACKING:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


# A sketch that is not exact has hundreds of items, unless it is made by hand.
SKETCHED = json.loads(TEXTS["exact"])
SKETCHED["learned"]["statistic"] |= {"is_exact": [[0, 0]], "weights": [1.0, 2.0, 2.0, 1.0, 2.0**62]}
TEXTS["sketch"] = json.dumps(SKETCHED)

# A document, a place in it, another value for that, and what is said of the place, or the whole message.
CHANGES = [
    # What kind of document it is.
    ("Standard", "format", "pickle", "must be 'sknorm', but is 'pickle'."),
    ("Standard", "format", LACKING, "The document lacks the key 'format'."),
    ("Standard", "version", 2, "must be 1, the version that sknorm "),
    ("Standard", "version", True, "must be 1, the version that sknorm "),
    ("Standard", "version", "1", "must be 1, the version that sknorm "),
    ("Standard", "version", 10**400, "must be 1, the version that sknorm "),
    ("Standard", "written_by", 7, "must be a string of Unicode characters, but is 7."),
    ("Standard", "extra", 1, "The document has the unknown key 'extra'."),
    ("Standard", "class", LACKING, "The document lacks the key 'class'."),
    ("Standard", "class", "os.system", "must name an estimator of sknorm, but is 'os.system'."),
    ("Standard", "class", "from_json", "must name an estimator of sknorm, but is 'from_json'."),
    ("Standard", "class", "__version__", "must name an estimator of sknorm, but is '__version__'."),
    ("Standard", "class", "__class__", "must name an estimator of sknorm, but is '__class__'."),
    ("Standard", "class", ["StandardScaler"], "must be a string of Unicode characters, but is ['StandardScaler']."),
    ("Standard", "class", "MaxAbsScaler", "parameters has the unknown key 'ddof'."),
    ("MinMax", "class", "StandardScaler", "parameters lacks the key 'ddof'."),
    # Parameters.
    ("Standard", "parameters", None, "must be an object, but is None."),
    ("Standard", "parameters.ddof", LACKING, "parameters lacks the key 'ddof'."),
    ("Standard", "parameters.__class__", 1, "parameters has the unknown key '__class__'."),
    ("Standard", "parameters.ddof", -1, "parameters are not valid: The 'ddof' parameter of StandardScaler must be"),
    ("Standard", "parameters.ddof", 2**64, f"must be an integer from {1 - 2**63} to {2**63 - 1}"),
    ("Standard", "parameters.ddof", "1", "parameters are not valid: The 'ddof' parameter of StandardScaler must be"),
    ("Standard", "parameters.clip", {"tuple": [2.0, 1.0]}, "parameters are not valid: clip must be a pair (low, high)"),
    ("Standard", "parameters.clip", [1.0, 2.0], "parameters are not valid: The 'clip' parameter of StandardScaler"),
    ("Standard", "parameters.clip", {"tuple": 3}, "parameters.clip.tuple must be a list, but is 3."),
    ("Standard", "parameters.clip", {"tuple": [], "more": 1}, "parameters.clip has the unknown key 'more'."),
    ("Standard", "parameters.clip", {"float": "1.5"}, "parameters.clip.float must be one of Infinity, -Infinity, NaN,"),
    ("Standard", "parameters.clip", {"set": []}, "parameters.clip lacks the key 'class'."),
    ("Standard", "parameters.clip", {"float": "NaN"}, "parameters are not valid: The 'clip' parameter of Standard"),
    ("Standard", "parameters.clip", {"tuple": [{"tuple": [["\ud800"]]}, 1]}, "parameters.clip.tuple[0].tuple[0][0]"),
    ("MinMax", "parameters.feature_range", {"tuple": [1, 0]}, "parameters are not valid: Minimum of desired feature"),
    ("MinMax", "parameters.feature_range", {"tuple": [1]}, "parameters are not valid: "),
    ("MinMax", "parameters.feature_range", {"tuple": [0, None]}, "parameters are not valid: "),
    ("exact", "parameters.quantile_range", {"tuple": [None, 1]}, "parameters are not valid: "),
    ("Standard", "parameters.with_mean", "yes", "parameters are not valid: The 'with_mean' parameter of Standard"),
    ("Standard", "output", "numpy", "must be null, 'default', 'pandas' or 'polars', but is 'numpy'."),
    ("Standard", "output", ["pandas"], "must be null, 'default', 'pandas' or 'polars', but is ['pandas']."),
    ("clipper", "parameters.limits.dict", 3, "parameters.limits.dict must be a list, but is 3."),
    ("clipper", "parameters.limits.dict", [[1]], "parameters.limits.dict[0] must be a list of 2, but has 1."),
    ("clipper", "parameters.limits.dict", [[1.5, 2]], "parameters.limits.dict[0][0] must be a string or an integer"),
    ("clipper", "parameters.limits.dict", [[True, 2]], "parameters.limits.dict[0][0] must be a string or an integer"),
    ("clipper", "parameters.limits.dict", [[1, 2], [1, 2]], "parameters.limits.dict[1][0] must not be there twice"),
    ("clipper", "parameters.limits.dict", [["a", {"tuple": [0, 1]}]], "limits has bounds for the column 'a', which X"),
    ("clipper", "parameters.limits.dict", [[7, {"tuple": [0, 1]}]], "learned.statistic does not fit OutlierClipper: l"),
    ("clipper", "parameters.limits.dict", [[0, 1]], "parameters are not valid: limits must be pairs (low, high)"),
    ("clipper", "parameters.method", "iqr", "parameters are not valid: limits={1: (0.0, 3.0)} does not go with"),
    ("clipped", "parameters.outliers", 3, "parameters are not valid: The 'outliers' parameter of StandardScaler must"),
    ("clipped", "parameters.outliers", None, "learned.statistic.kind must be 'Moments', but is 'Clipped'."),
    ("clipped", "parameters.outliers.parameters.method", "iqr", "learned.statistic.fenced.spread.kind must be"),
    ("clipped", "parameters.outliers.parameters.indicator", True, "parameters are not valid: indicator="),
    ("clipped", "parameters.outliers.learned", {}, "parameters.outliers.features must be the names of the features"),
    # Features.
    ("Standard", "features", 10**12, "learned.statistic.mean[0] must be a list of 1000000000000, but has 2."),
    ("Standard", "features", 2**63, "must be the names of the features, or how many there are, but is"),
    ("Standard", "features", 0, "must be the names of the features, or how many there are, but is 0."),
    ("Standard", "features", 2.0, "must be the names of the features, or how many there are, but is 2.0."),
    ("Standard", "features", True, "must be the names of the features, or how many there are, but is True."),
    ("Standard", "features", None, "must be the names of the features, or how many there are, but is None."),
    ("names", "features", [], "must be the names of the features, or how many there are, but is []."),
    ("names", "features", ["a", "a"], "must be unique, but is ['a', 'a']."),
    ("names", "features", ["a", 1], "features[1] must be a string of Unicode characters, but is 1."),
    ("names", "features", ["a", "\udc00"], "features[1] must be a string of Unicode characters, but is '\\udc00'."),
    ("names", "features", ["a", "b", "c"], "learned.statistic.count[0] must be a list of 3, but has 2."),
    ("unfitted", "features", 2, "must be null where nothing was learned, but is 2."),
    ("unfitted", "learned", {}, "features must be the names of the features, or how many there are, but is None."),
    # What was learned.
    ("clipper", ".below[0][0]", -1.0, "must not be negative, but is -1.0."),
    ("clipper", ".above[0]", [1.0], "must be a list of 2, but has 1."),
    ("clipper", ".spread.kind", "Moments", "must be 'Extremes', but is 'Moments'."),
    ("clipped", ".kind", "Fenced", "must be 'Clipped', but is 'Fenced'."),
    ("clipped", ".fenced.above[0][1]", None, "must be a number, but is None."),
    ("clipped", ".fenced.spread.m2[0][0]", -1.0, "must be 0 or more, but is -1.0."),
    ("clipped", ".kept.count[0][0]", -1.0, "must not be negative, but is -1.0."),
    ("clipped", ".kept", LACKING, "learned.statistic lacks the key 'kept'."),
    ("Standard", "learned", 1, "must be an object, but is 1."),
    ("Standard", "learned.n_rows", -1.0, "must be a finite number, at least 0, but is -1.0."),
    ("Standard", "learned.n_rows", "NaN", "must be a finite number, at least 0, but is 'NaN'."),
    ("Standard", "learned.n_rows", 10**400, "must be a finite number, at least 0, but is inf."),
    ("Standard", "learned.n_rows", False, "must be a finite number, at least 0, but is False."),
    ("Standard", "learned.statistic", [], "must be an object, but is []."),
    ("Standard", ".kind", "Extremes", "must be 'Moments', but is 'Extremes'."),
    ("Mean", ".kind", "Moments", "must be 'MomentsAndExtremes', but is 'Moments'."),
    ("Standard", ".mean", LACKING, "learned.statistic lacks the key 'mean'."),
    ("Standard", ".max", [[1.0, 1.0]], "learned.statistic has the unknown key 'max'."),
    ("Standard", ".mean", [1.0, 2.0], "must be a list of 1, but has 2."),
    ("Standard", ".mean", [[1.0], [2.0]], "must be a list of 1, but has 2."),
    ("Standard", ".mean", "AAAA", "must be a list of 1, but is 'AAAA'."),
    ("Standard", ".mean[0][1]", None, "must be a number, but is None."),
    ("Standard", ".mean[0][1]", True, "must be a number, but is True."),
    ("Standard", ".mean[0][0]", "1.0", "must be a number, but is '1.0'."),
    ("Standard", ".mean[0][0]", "Infinity", "must be a number, but is 'Infinity'."),
    ("Standard", ".mean[0][0]", [[[]]], "must be a number, but is [[[]]]."),
    ("Standard", ".mean[0][0]", math.inf, "must be finite, but is inf."),
    ("Standard", ".count[0][0]", math.nan, "must be finite, but is nan."),
    ("Standard", ".count[0][0]", 10**400, "must be finite, but is inf."),
    ("Standard", ".count[0][1]", -2.0, "must not be negative, but is -2.0."),
    ("Standard", ".m2[0][1]", -1e-9, "must be 0 or more, but is -1e-09."),
    ("Standard", ".m2[0][1]", "-Infinity", "must be 0 or more, but is '-Infinity'."),
    ("Standard", ".m2[0][1]", "Infinity", "learned.statistic does not fit StandardScaler: The variance of"),
    ("Standard", ".m2[0][1]", "NaN", "must be 0 or more, but is 'NaN'."),
    ("Standard", ".count[0][1]", 0.0, "learned.statistic.mean[0][1] must be 0 where the count is 0, but is 5"),
    ("Standard", ".mean_low[0][0]", 0.1, "must be what the mean lacks,"),
    ("MinMax", ".min[0][1]", 9.0, "must not exceed max, but is 9.0."),
    ("MinMax", ".max[0][1]", "Infinity", "must be finite where the count is not"),
    ("MinMax", ".min[0][1]", "NaN", "must be finite where the count is not 0"),
    ("MinMax", ".min[0][1]", "nan", "must be a number, but is 'nan'."),
    ("MinMax", ".count[0][1]", 0, "learned.statistic.min[0][1] must be 'Infinity' where the count is 0"),
    ("Mean", ".mean[0][1]", 8.1, "must lie between min and max, but is 8.1."),
    # Sketches.
    ("exact", ".k", 10**9, "must be 400, but is 1000000000."),
    ("exact", ".seed", -1, "must be an integer from 0 to 18446744073709551615, but is"),
    ("exact", ".state[0][1]", 2**64, "must be an integer from 0 to 1844674"),
    ("exact", ".state[0][1]", -1, "must be an integer from 0 to 1844674407"),
    ("exact", ".state[0][1]", 1.0, "must be an integer from 0 to 1844674407"),
    ("exact", ".is_exact[0][1]", 2, "must be an integer from 0 to 1, but"),
    ("exact", ".offsets", [0, 5], "must be a list of 3, but has 2."),
    ("exact", ".offsets", [0, 4, 3], "learned.statistic.offsets[2] must not be less than the one before"),
    ("exact", ".offsets", [1, 3, 5], "learned.statistic.offsets[0] must be 0, but is 1."),
    ("exact", ".offsets", [0, -1, 5], "learned.statistic.offsets[1] must be an integer from 0 to 4611686"),
    ("exact", ".offsets", [0, 3, 2**62], "learned.statistic.items must be a list of 4611686018427387904, bu"),
    ("exact", ".weights", [1.0] * 4, "must be a list of 5, but has 4."),
    ("exact", ".weights[3]", 0.0, "must be positive, but is 0.0."),
    ("exact", ".weights[3]", -1.0, "must be positive, but is -1.0."),
    ("exact", ".weights", [1e308] * 5, "learned.statistic.weights[0] must have a finite sum within its cell"),
    ("exact", ".items[1]", 1.0, "must follow the one before: its cell is sorted"),
    ("exact", ".items[1]", 0.5, "must lie between min and max, but is 0.5."),
    ("exact", ".items[1]", 10.0**300, "must lie between min and max, but is 1e"),
    ("exact", ".is_exact[0][0]", 0, None),
    ("exact", ".weights[1]", 7.5, None),
    ("sketch", ".weights[0]", 3.0, "must be a power of two, less than 2**63"),
    ("sketch", ".weights[0]", 0.5, "must be a power of two, less than 2**63"),
    ("sketch", ".weights[0]", 2.0**63, "must be a power of two, less than 2*"),
    ("sketch", ".weights[2]", 1.0, "must not be less than the one before, wh"),
    ("sketch", ".items[2]", 3.0, "must follow the one before: its cell is so"),
    ("sketch", ".is_exact[0][0]", 1, None),
    ("exact", ".count[0][1]", -1.0, "must not be negative, but is -1.0."),
    ("exact", ".max[0][1]", 1.0, "learned.statistic.min[0][1] must not exceed max, but is 2.0."),
    ("exact", ".probabilities[0]", 1.5, "must lie between 0 and 1, but"),
    ("exact", ".probabilities[0]", "a", "must be a finite number, but"),
    ("exact", ".probabilities", 0.5, "must be a list, but is 0.5."),
    ("exact", ".probabilities", [], "learned.statistic.table must be null where there are no probabilities"),
    ("exact", ".probabilities", [0.5] * 9, "learned.statistic.table must be a list of 9, but has 3."),
    ("exact", ".table[1][0][1]", 9.0, "must lie between min and max, but"),
    ("exact", ".table[1][0][1]", "Infinity", "must lie between min and max"),
    ("exact", ".table[1][0][1]", "NaN", None),
    ("exact", ".deviation[0][1]", -1.0, "must be neither negative nor w"),
    ("exact", ".deviation[0][1]", 6.5, "must be neither negative nor wi"),
    # What forgets.
    ("decay", ".kind", "Moments", "must be 'Decayed', but is 'Moments'."),
    ("decay", "parameters.half_life", None, "learned.statistic.kind must be 'Moments', but is 'Decayed'."),
    ("decay", "parameters.half_life", 2.5, "learned.statistic.half_life must be 2.5, but is 1.5."),
    ("decay", "parameters.window", 5, "parameters are not valid: half_life=1.5 and window=5 are two ways"),
    ("decay", ".half_life", -1.5, "must be 1.5, but is -1.5."),
    ("decay", ".phase[0][1]", -1.0, "must be 0 or more, and less than half_"),
    ("decay", ".phase[0][1]", 1.5, "must be 0 or more, and less than half_l"),
    ("decay", ".moments", None, "must be an object, but is None."),
    ("decay", ".moments.m2[0][0]", -1.0, "must be 0 or more, but is -1.0."),
    ("window", ".window", 3, "must be 2, but is 3."),
    ("window", "parameters.window", 3, "learned.statistic.window must be 3, but is 2."),
    ("window", "parameters.window", 2**62, "parameters are not valid: The 'window' parameter of MinMaxScaler must be"),
    ("window", "parameters.window", None, "learned.statistic.kind must be 'Extremes', but is 'WindowedTable'."),
    ("window", ".seen[0]", 2**63, "must be an integer from 0 to 4611686018427387904"),
    ("window", ".seen[0]", 3.0, "must be an integer from 0 to 4611686018427387904, but"),
    ("window", ".seen[0]", 1, "learned.statistic.pane_weight[0][2] must be 0: after so many rows this pane does"),
    ("window", ".pane_weight[0][2]", -1.0, "must not be negative, but is"),
    ("window", ".pane_weight[0][2]", 7.0, "learned.n_rows must be 8.0, but is 2.0."),
    ("window", ".panes.count", [[1.0, 1.0]], "must be a list of 3, but has"),
    ("window", ".panes.kind", "Moments", "must be 'Extremes', but is 'Mome"),
    ("quantiles", ".seen", [1], "learned.statistic.pane_weight[0][1] must be 0: after so many rows this pane does"),
    ("quantiles", ".seen", 3, "must be a list of 1, but is 3."),
    ("quantiles", ".seen[0]", -1, "must be an integer from 0 to 4611686018427387904, but"),
    ("quantiles", ".pane_weight", [[1.0]], "learned.statistic.pane_weight[0] must be a list of 3, but has 1."),
    ("quantiles", ".pane_weight[0][1]", -1.0, "must not be negative, but is -1.0."),
    ("quantiles", ".pane_weight[0][1]", 7.0, "learned.n_rows must be 8.0, but is 2.0."),
    ("quantiles", ".pane_weight[0][2]", 1.0, "must be 0: after so many rows this pane does not count, but is 1.0."),
    ("quantiles", ".closed", [], "must be an object, but is []."),
    ("quantiles", ".closed.k", 8, "must be 400, but is 8."),
    ("quantiles", ".closed.items[0]", 9.0, "must lie between min a"),
    ("quantiles", ".newest.offsets", [0, 0], "must be a list of 3, but has 2."),
    ("stream", ".table", [], "must be null where there are no probabilities, but is"),
    # Layers.
    ("batch", ".kind", "Moments", "must be 'Running', but is 'Moments'."),
    ("batch", ".mean", [1.0, 2.0], "must be a list of 1, but has 2."),
    ("batch", ".mean[0][1]", "NaN", "must be a number, but is 'NaN'."),
    ("batch", ".variance[0][0]", -1e-300, "must not be negative, but is -1e-300."),
    ("batch", ".variance[0][0]", 10**400, "must be finite, but is inf."),
    ("batch", ".count[0][1]", -1, "must not be negative, but is -1."),
    ("batch", ".n_batches[0][1]", -1, "must not be negative, but is -1."),
    ("batch", ".n_batches[0][1]", 0.5, "must be a whole number, but is 0.5."),
    ("batch", ".n_batches[0]", [1], "must be a list of 2, but has 1."),
    ("batch", ".share", 0.5, "learned.statistic has the unknown key 'share'."),
    ("batch", "learned.n_rows", -1.0, "must be a finite number, at least 0, but is -1.0."),
    ("batch", "features", 3, "learned.statistic.mean[0] must be a list of 3, but has 2."),
    ("batch", "parameters.momentum", 1.5, "parameters are not valid: The 'momentum' parameter of BatchNorm must be"),
    ("batch", "parameters.update", "jax", "parameters are not valid: The 'update' parameter of BatchNorm must be"),
    ("batch", "parameters.momentum", 0.5, None),
    ("batch", "parameters.gamma", {"array": [1]}, "learned.statistic does not fit BatchNorm: gamma must be one number"),
    ("batch", "parameters.gamma", {"array": [[1]]}, "parameters.gamma.array must be numbers, but is [[1]]."),
    ("batch", "parameters.gamma", {"array": ["1"]}, "parameters.gamma.array must be numbers, but is ['1']."),
    ("batch", "parameters.gamma", {"array": [True]}, "parameters.gamma.array must be numbers, but is [True]."),
    ("batch", "parameters.gamma", {"array": 3}, "parameters.gamma.array must be a list, but is 3."),
    ("batch", "parameters.gamma", {"array": [], "more": 1}, "parameters.gamma has the unknown key 'more'."),
    ("batch", "parameters.gamma.array[0]", 2**63, f"must be an integer from {1 - 2**63} to {2**63 - 1}"),
    ("batch", "parameters.gamma.array[0]", {"float": "NaN"}, "learned.statistic does not fit BatchNorm: gamma must"),
    ("batch", "parameters.gamma.array[0]", {"array": [{"array": [1]}]}, "parameters.gamma.array[0].array must be numb"),
    ("blocks", "learned", {"mean": 1}, "learned has the unknown key 'mean'."),
    ("blocks", "learned", [], "must be an object, but is []."),
    ("blocks", "features", 3, "n_groups must be a number of blocks, or whole numbers of columns that add up to 3"),
    ("blocks", "parameters.n_groups", 3, "n_groups must divide the number of columns of X, 2, but is 3."),
    ("blocks", "parameters.n_groups", [2**62] * 4 + [2], "n_groups must be a number of blocks, or whole numbers of"),
    ("blocks", "parameters.n_groups", 0, "parameters are not valid: The 'n_groups' parameter of GroupNorm must be"),
    ("blocks", "parameters.n_groups", 1, None),
    ("blocks", "parameters.beta.array", [1, 2, 3], "beta must be one number or 2 numbers, one for each column, but"),
    ("channels", "features", 5, "n_channels must divide the number of columns of X, 5, but is 2."),
    ("channels", "features", 2**40, None),
    ("channels", "parameters.gamma", 0.5, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "value", "problem"),
    [pytest.param(*row, id=f"{i}-{row[0]}{row[1]}") for i, row in enumerate(CHANGES)],
)
def test_a_wrong_value_is_named(name, path, value, problem):
    text = changed(name, path, value)
    if problem is None:  # as good as what was there: what is made of it goes on without harm
        use(sknorm.from_json(text))
        return
    message = f"{whole(path)} {problem}" if problem.startswith("must") else problem
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        sknorm.from_json(text)
    assert "\n" not in str(caught.value)


def test_a_cell_holds_no_more_than_a_sketch_of_its_size():
    document = json.loads(sknorm.RobustScaler().fit(np.arange(1_200.0)[:, np.newaxis]).to_json())
    statistic = document["learned"]["statistic"]
    assert statistic["is_exact"] == [[1]]
    sknorm.from_json(json.dumps(document))
    statistic |= {"items": sorted([*statistic["items"], 0.5]), "weights": [1.0] * 1201, "offsets": [0, 1201]}
    with pytest.raises(ValueError, match=r"statistic.offsets\[1\] must not give a cell more items than its k allows"):
        sknorm.from_json(json.dumps(document))


STANDARD = TEXTS["Standard"]


def with_value(key, text):
    """Return a document with another text for a value that is null, true or false."""
    changed, count = re.subn(rf'"{key}": \w+', f'"{key}": {text}', STANDARD)
    assert count == 1
    return changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The text is not JSON: Expecting value: line 1 column 1"),
        (STANDARD[:-1], "The text is not JSON: Expecting ',' delimiter: line"),
        (STANDARD[: len(STANDARD) // 2], "The text is not JSON: "),
        (STANDARD + "{}", "The text is not JSON: Extra data: line"),
        ("\ufeff" + STANDARD, "The text is not JSON: "),
        (b"\x80\x04\x95.", "The text is not UTF-8: byte 0 is 0x80."),
        (STANDARD.encode("utf-16"), "The text is not UTF-8: byte 0 is 0xff."),
        (STANDARD.replace('"sknorm"', '"sknorm\xe9"').encode("latin-1"), "The text is not UTF-8: byte"),
        ("null", "The document must be an object, but is None."),
        ("[1, 2]", "The document must be an object, but is [1, 2]."),
        ("1" * 100_000, "The document must be an object, but is inf."),
        ("[" * 100_000, "The text is nested too deeply for a document."),
        ('{"a":' * 100_000, "The text is nested too deeply for a document."),
        (with_value("output", "[" * 900 + "]" * 900), "output must be null, 'default', 'pandas' or 'polars', but is"),
        (with_value("copy", "[" * 300 + "]" * 300), "is nested more than 20 levels deep."),
        (with_value("copy", '{"tuple":[' * 30 + "]}" * 30), "is nested more than 20 levels deep."),
        (with_value("copy", '{"array":[' * 300 + "]}" * 300), "is nested more than 20 levels deep."),
        (STANDARD.replace('"version": 1', '"version": 1, "version": 1'), "two keys 'version'."),
        (STANDARD.replace('"copy": true', '"copy": true, "copy": true'), "parameters must be an object, but is an obj"),
        (STANDARD.replace('"m2"', '"mean"'), "learned.statistic must be an object, but is an object with two keys"),
        (STANDARD.replace('"m2": [[', '"m2": [[NaN, '), "learned.statistic.m2[0] must be a list of 2, but has 3."),
        (STANDARD.replace("18.0", "Infinity"), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("18.0", "1e999"), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("18.0", "9" * 400), "learned.statistic.m2[0][0] must be finite, but is inf."),
        (STANDARD.replace("null", "'pandas'"), "The text is not JSON: Expecting value: line"),
    ],
    ids=range(25),
)  # fmt: skip
def test_a_wrong_text_is_named(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        sknorm.from_json(text)
    assert len(str(caught.value)) < 300


def test_a_text_is_a_text():
    for wrong in (None, 1, {}):
        with pytest.raises(TypeError):
            sknorm.from_json(wrong)


def peak_of(text):
    """Return the memory that reading a text takes at most, whether it is a document or not."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            sknorm.from_json(text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Standard", "features", 2**62),
        ("exact", ".offsets", [0, 2**61, 2**62]),
        ("exact", ".k", 2**62),
        ("batch", "features", 2**62),
        ("blocks", "parameters.n_groups", 2**62),
        ("channels", "parameters.n_channels", 2**62),
    ],
)
def test_memory_is_taken_for_what_is_there(name, path, value):
    """Whatever a document of a kilobyte announces."""
    text = changed(name, path, value)
    with pytest.raises(ValueError, match=" must "):
        sknorm.from_json(text)
    assert peak_of(text) < 1_000_000


def test_blocks_take_no_memory_before_there_are_columns():
    """A document without an array may say that there are as many channels as it likes."""
    document = json.loads(sknorm.InstanceNorm(gamma=2.0).fit(SMALL).to_json())
    document["features"] = document["parameters"]["n_channels"] = 2**62
    text = json.dumps(document)
    layer = sknorm.from_json(text)
    assert peak_of(text) < 1_000_000
    with pytest.raises(ValueError, match=f"X has 2 features, but InstanceNorm is expecting {2**62} features"):
        layer.transform(SMALL)


def test_memory_is_in_proportion_to_the_text():
    lists, objects = "[" + ",".join(["[]"] * 30_000) + "]", "[" + ",".join(['{"a":{}}'] * 10_000) + "]"
    wide = sknorm.MinMaxScaler().fit(np.random.default_rng(0).normal(size=(2, 2_000))).to_json()
    for text in (lists, objects, wide):
        assert peak_of(text) < 100 * len(text)


# Anything at all.

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\s\w]')
OTHERS = [
    *[
        "0",
        "1",
        "2",
        "8",
        "-1",
        "0.0",
        "-0.0",
        "0.5",
        "-1.0",
        "1e308",
        "-1e308",
        "1e999",
        "5e-324",
        "1e-300",
        "400",
        "1200",
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
    ],
    *[
        '"Infinity"',
        '"-Infinity"',
        '"NaN"',
        '""',
        '"a"',
        '"\\ud800"',
        '"soft"',
        '"mad"',
        '"Moments"',
        '"Extremes"',
        '"Quantiles"',
        '"pandas"',
    ],
    *['"StandardScaler"', '"MinMaxScaler"', '"RobustScaler"', '"__version__"', '"load"', '{"class":"StandardScaler"}'],
    *[
        "[]",
        "{}",
        "[[]]",
        "[1,2]",
        "[[1.0,2.0]]",
        '{"tuple":[]}',
        '{"tuple":[0,1]}',
        '{"tuple":[[0,1],[2,3]]}',
        '{"float":"NaN"}',
        '{"array":[]}',
        '{"array":[1.0,2.0]}',
        '{"array":[2,1,7]}',
    ],
    *(str(number) for number in (2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**12, 10**30, 10**400)),
]
FUZZED = {name_of(some): clone(some).fit(SMALL).to_json() for some in SETTINGS}
LEARNING = [some for some in SETTINGS if hasattr(some, "partial_fit")]
FUZZED |= {f"more-{name_of(some)}": clone(some).fit(SMALL).partial_fit(SMALL[:2]).to_json() for some in LEARNING}
FUZZED |= TEXTS
# Short documents more often: they are as quickly through.
DOCUMENTS = 100_000 / sum(1 / len(text) for text in FUZZED.values())


@lru_cache(maxsize=1)
def tokens_of(text):
    """Return the tokens of a document, and which of them are keys and which are values."""
    tokens = TOKEN.findall(text)
    keys = [i for i, token in enumerate(tokens[:-1]) if tokens[i + 1] == ":"]
    values = sorted({i for i, token in enumerate(tokens) if token not in ",:{}[]"}.difference(keys))
    return tokens, keys, values


def mutated(text, rng):
    """Return a document with some of its tokens, or of its bytes, exchanged, lost or doubled."""
    if rng.random() < 0.1:
        return mutated_bytes(text, rng)
    tokens, keys, values = tokens_of(text)
    tokens = tokens.copy()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        i, how = rng.choice(values), rng.randrange(8)
        if how < 3:
            tokens[i] = rng.choice(OTHERS)
        elif how < 5:
            with contextlib.suppress(ValueError):
                number = float(tokens[i])
                tokens[i] = json.dumps(rng.choice((-number, number + 1, number / 3, number * 1e10, number * 1e300)))
        elif how == 5:
            j = rng.choice(values)
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif how == 6:
            tokens[rng.choice(keys)] = tokens[rng.choice(keys)]
        else:
            i = rng.randrange(len(tokens))
            tokens[i] = rng.choice(("", tokens[i] * 2, rng.choice(tokens)))
    return "".join(tokens).encode()


def mutated_bytes(text, rng):
    content = bytearray(text.encode())
    for _ in range(rng.choice((1, 1, 2, 5))):
        i = rng.randrange(len(content))
        content[i : i + rng.randrange(3)] = rng.choice((b"", bytes([rng.randrange(256)]), content[i : i + 20]))
    return bytes(content[: rng.choice((None, rng.randrange(len(content))))])


def use(estimator):
    """Do all that can be done with an estimator; a ValueError is an answer, anything else is not."""
    text = estimator.to_json()
    twin = sknorm.from_json(text)
    assert twin.to_json() == text
    # What learns from no value may be of any width, however large.
    X = np.resize(SMALL, (3, min(getattr(estimator, "n_features_in_", 2), 10)))
    if hasattr(estimator, "feature_names_in_"):
        X = pd.DataFrame(X, columns=estimator.feature_names_in_[:10])
    attributes = [name for name in dir(type(estimator)) if name.endswith("_") and name[0] != "_"]
    verbs = ("transform", "inverse_transform", "partial_fit", "prequential_transform", "transform")
    for verb in verbs:
        with contextlib.suppress(ValueError):
            if hasattr(type(estimator), verb) or isinstance(estimator, StreamingPipeline):
                getattr(estimator, verb)(X.copy())
    with contextlib.suppress(ValueError):
        if hasattr(estimator, "merge"):
            estimator.merge(twin)
    for name in attributes:
        with contextlib.suppress(ValueError):
            getattr(estimator, name, None)
    with contextlib.suppress(ValueError):
        estimator.to_json()


@pytest.mark.parametrize("name", FUZZED)
def test_mutated_documents_do_no_harm(name):
    """A document that has been changed is refused with a ValueError, or makes an estimator that works."""
    text, rng, messages = FUZZED[name], random.Random(name), []
    for _ in range(math.ceil(DOCUMENTS / len(text))):
        try:
            estimator = sknorm.from_json(mutated(text, rng))
        except ValueError as error:
            messages.append(str(error))
        else:
            # Counts next to nothing and parameters next to the largest double overflow on their way, and the steps of a
            # pipeline may differ in whether they know names: scikit-learn warns.
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(estimator)
    assert all(0 < len(message) < 1_000 for message in messages)
