"""Nothing public escapes the common tests."""

import inspect

import pytest
import registry
from sklearn.base import BaseEstimator

import sknorm
import sknorm.statistics
from sknorm._base import Scaler


def test_every_public_scaler_has_its_entry():
    public = {getattr(sknorm, name) for name in sknorm.__all__}
    estimators = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, Scaler)}
    assert {entry.scaler for entry in registry.SCALERS} == estimators


def test_every_public_estimator_is_registered():
    public = {getattr(sknorm, name) for name in sknorm.__all__}
    estimators = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, BaseEstimator)}
    entries = [entry.scaler for entry in registry.SCALERS] + [entry.layer for entry in registry.LAYERS]
    assert len(entries) == len(set(entries))
    # What holds scalers has tests of its own.
    assert {*entries, sknorm.GroupedScaler, sknorm.StreamingPipeline} == estimators


@pytest.mark.parametrize("entry", registry.LAYERS, ids=lambda entry: entry.layer.__name__)
def test_an_entry_says_whether_its_layer_learns(entry):
    assert entry.layer().__sklearn_tags__().requires_fit == entry.learns == hasattr(entry.layer, "partial_fit")


def test_every_public_statistic_has_its_entry():
    public = {getattr(sknorm.statistics, name) for name in sknorm.statistics.__all__}
    public -= {sknorm.statistics.FenceRule, sknorm.statistics.Update}
    others = {thing for thing in public if not issubclass(thing, sknorm.statistics.Unordered)}
    assert set(registry.STATISTICS) == public - others - {sknorm.statistics.Unordered}
    others -= {sknorm.statistics.Statistic, sknorm.statistics.Windowed}
    assert others == {*registry.FORGETTING, *registry.COMPOSED, *registry.ORDERED}


@pytest.mark.parametrize("entry", registry.SCALERS, ids=lambda entry: entry.scaler.__name__)
def test_an_entry_names_what_its_scaler_learns(entry):
    assert type(entry.scaler().fit([[1.0], [2.0]])._learned.statistic) is entry.statistic
    assert entry.statistic in {*registry.STATISTICS, *registry.COMPOSED}


def test_there_are_settings_enough_and_no_two_alike():
    names = [registry.name_of(scaler) for scaler in registry.instances()]
    assert len(names) >= 40
    assert len(set(names)) == len(names)
    names = [registry.name_of(layer) for layer in registry.layers(even=True)]
    assert len(names) >= 20
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", [sknorm, sknorm.statistics], ids=lambda module: module.__name__)
def test_all_is_sorted_and_true(module):
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert hasattr(module, name), name
