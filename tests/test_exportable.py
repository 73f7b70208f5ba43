"""Every public estimator is tried on every target, or refused by all with a reason that the guide gives."""

import inspect
from pathlib import Path

import pytest
from exports import exportable, fitted
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

import sknorm
from sknorm import GroupedScaler
from sknorm._mapped import Mapped
from sknorm.export._exported import exported

TESTS = Path(__file__).parent
GUIDE = TESTS.parent / "docs" / "guide" / "export.rst"
TARGETS = {
    "onnx": ("skl2onnx", sknorm.export.to_onnx),
    "sql": ("sqlglot", lambda estimator: sknorm.export.to_sql(estimator, table="rows")),
    "torch": ("torch", sknorm.export.to_torch),
    "keras": ("keras", sknorm.export.to_keras),
}


@pytest.fixture(params=TARGETS)
def export(request):
    """Return what hands an estimator on to a target."""
    package, call = TARGETS[request.param]
    pytest.importorskip(package)
    return call


def test_no_public_estimator_is_left_out():
    public = [getattr(sknorm, name) for name in sknorm.__all__]
    scaling = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, (Mapped, GroupedScaler))}
    assert {type(estimator) for estimator in exportable()} == scaling


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_tried_on_all_of_them(target):
    assert "exportable()" in (TESTS / f"test_export_{target}.py").read_text(encoding="utf-8")


def test_what_refuses_a_key_cannot_be_handed_on(export):
    with pytest.raises(ValueError, match='unseen="error" cannot be handed on'):
        export(fitted(GroupedScaler(by="merchant", unseen="error")))
    if GUIDE.exists():
        assert 'unseen="error"' in GUIDE.read_text(encoding="utf-8")


def test_what_is_not_fitted_is_refused(export):
    with pytest.raises(NotFittedError):
        export(sknorm.StandardScaler())


def test_what_is_not_of_sknorm_is_refused(export):
    with pytest.raises(TypeError, match="StandardScaler"):
        export(StandardScaler().fit([[1.0], [2.0]]))


def test_a_column_without_values_in_one_group_of_all_rows_passes_nowhere():
    scaler = GroupedScaler(unseen="passthrough").fit([[1.0, float("nan")], [2.0, float("nan")]])
    with pytest.raises(ValueError, match=r"Columns \[1\] had no value in fit"):
        exported(scaler)
