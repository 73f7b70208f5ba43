"""Estimators as versioned JSON, and back: nothing in a document is run, and no value in it is believed unchecked."""

from __future__ import annotations

import math
import os
import sys
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from sknorm._atomic import write_atomically
from sknorm._document import SHORT, Node, is_unicode, parse, plain, write
from sknorm._version import __version__

FORMAT, VERSION = "sknorm", 1
HEADER = ("format", "version", "written_by")
KEYS = ("class", "parameters", "output", "features", "learned")

# Estimators within tuples within lists within estimators: deeper than anyone builds, far from Python's own limit.
DEEPEST = 20
LARGEST = 2**63 - 1


class Persistent:
    """An estimator that documents can hold.

    A subclass that learns writes `_write_learned` and `_read_learned`; all else follows from its parameters.
    """

    @classmethod
    @cache
    def _get_param_names(cls) -> Any:
        # scikit-learn reads the signature at each call, which takes longer than learning a row or ten.
        return super()._get_param_names()  # type: ignore[misc]

    def to_json(self) -> str:
        """Return the parameters and all that was learned as a JSON document; see `sknorm.from_json`.

        Returns
        -------
        text : str
            The document, the same for the same state.

        Raises
        ------
        TypeError
            If a parameter, or an estimator inside this one, is of a kind that a document does not hold.
        ValueError
            If a value is one that `sknorm.from_json` would refuse, such as feature names that are not unique.
        """
        document = {"format": FORMAT, "version": VERSION, "written_by": f"sknorm {__version__}"}
        return write(document | write_estimator(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file, in UTF-8; see `sknorm.load`.

        The file is replaced in one step: after a crash at any moment it holds the old document or the new one.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        None

        Raises
        ------
        TypeError, ValueError
            As `to_json` does.
        OSError
            If the file cannot be written. Then it is as it was.
        """
        write_atomically(path, self.to_json().encode())

    def _write_learned(self) -> dict[str, Any] | None:
        """Return what was learned as numbers, strings, arrays and dicts of these, None if nothing was."""
        return None

    def _read_learned(self, learned: Node, n_features: int) -> None:
        """Take over what `_write_learned` wrote, after checking all of it; the parameters are set and checked."""
        learned.null("for an estimator that learns nothing")

    def _check_all_parameters(self) -> None:
        self._validate_params()  # type: ignore[attr-defined]


def from_json(text: str | bytes) -> Any:
    """Return the estimator that a document of `to_json` holds.

    Nothing of the document is run, and every value is checked before it is used, so a document may come from anywhere.
    Loading takes memory in proportion to the text.

    Parameters
    ----------
    text : str, or bytes in UTF-8
        The document.

    Returns
    -------
    estimator : object
        An estimator that goes on, bit for bit, as the one that was written would have.

    Raises
    ------
    ValueError
        If the text is not a document that this release of sknorm reads, or if a value in it cannot be. The message
        says which, as a path such as ``learned.statistic.m2[0][3]``.

    Examples
    --------
    >>> import sknorm
    >>> text = sknorm.MaxAbsScaler().fit([[1.0], [-4.0]]).to_json()
    >>> sknorm.from_json(text).transform([[2.0]])
    array([[0.5]])
    """
    document = parse(text)
    document["format"].equal(FORMAT)
    if document["version"].value != VERSION or type(document.value["version"]) is not int:
        raise document["version"].error(f"must be {VERSION}, the version that sknorm {__version__} reads")
    document["written_by"].text()
    return read_estimator(document, HEADER)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the estimator that ``save`` wrote to a file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator : object
        As from `from_json`.

    Raises
    ------
    ValueError
        As `from_json` does.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import sknorm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "scaler.json")
    ...     sknorm.MaxAbsScaler().fit([[1.0], [-4.0]]).save(path)
    ...     sknorm.load(path).max_abs_
    array([4.])
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return from_json(content)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from None


# Estimators.


def class_named(name: str) -> type[Persistent] | None:
    """Return the public class of that name, if documents can hold its estimators; nothing else is ever looked up."""
    package = sys.modules[__package__]  # importing it here would close a circle
    found = getattr(package, name) if name in package.__all__ else None
    return found if isinstance(found, type) and issubclass(found, Persistent) else None


def write_estimator(estimator: Any, path: str = "", depth: int = 0) -> dict[str, Any]:
    """Return the part of a document that an estimator is."""
    kind: Any = type(estimator)
    is_ours = class_named(kind.__name__) is kind
    if not is_ours:
        raise TypeError(
            f"{path or 'The estimator'} is a {kind.__module__}.{kind.__qualname__}, "
            "which is none of sknorm's own classes; a document holds no other."
        )
    prefix = f"{path}.parameters" if path else "parameters"
    parameters = {
        name: write_parameter(getattr(estimator, name), f"{prefix}.{name}", depth) for name in kind._get_param_names()
    }
    output = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    learned = estimator._write_learned()
    features = None if learned is None else write_features(estimator)
    return dict(zip(KEYS, (kind.__name__, parameters, output, features, plain(learned)), strict=True))


def read_estimator(node: Node, header: tuple[str, ...] = (), depth: int = 0) -> Any:
    """Return the estimator that a part of a document is, after checking all of it."""
    kind, parameters, output, features, learned = node.entries(*KEYS, *header)[: len(KEYS)]
    found: Any = class_named(kind.text())
    if found is None:
        raise kind.error("must name an estimator of sknorm")
    names = found._get_param_names()
    values = [read_parameter(value, depth) for value in parameters.entries(*names)]
    estimator = found(**dict(zip(names, values, strict=True)))
    check_parameters(estimator, parameters)
    if output.value is not None:
        if output.value not in ("default", "pandas", "polars"):
            raise output.error("must be null, 'default', 'pandas' or 'polars'")
        estimator.set_output(transform=output.value)
    if learned.value is None:
        features.null("where nothing was learned")
    else:
        estimator._read_learned(learned, read_features(features, estimator))
    return estimator


def write_features(estimator: Any) -> int | list[str]:
    """Return the names of the features, or how many there are if they have none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return int(estimator.n_features_in_)
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        raise ValueError(f"Feature names must be unique for a document, but are {SHORT.repr(names)}.")
    if not all(map(is_unicode, names)):
        raise ValueError(f"Feature names must be of Unicode characters for a document, but are {SHORT.repr(names)}.")
    return names


def read_features(node: Node, estimator: Any) -> int:
    """Set the names of the features, and return how many there are."""
    if type(node.value) is list and node.value:
        names = [name.text() for name in node.items()]
        if len(set(names)) < len(names):
            raise node.error("must be unique")
        estimator.feature_names_in_ = np.array(names, dtype=object)
        estimator.n_features_in_ = len(names)
    elif type(node.value) is int and 0 < node.value <= LARGEST:
        estimator.n_features_in_ = node.value
    else:
        raise node.error("must be the names of the features, or how many there are")
    return estimator.n_features_in_


# Parameters.


def write_parameter(value: Any, path: str, depth: int) -> Any:
    """Return a parameter as JSON has it; what JSON has no notation for is an object with one key that says what."""
    if depth > DEEPEST:
        raise ValueError(f"{path} is nested more than {DEEPEST} levels deep.")
    if value is None or isinstance(value, (bool, np.bool_)):
        return value if value is None else bool(value)
    if isinstance(value, (int, np.integer)):
        if abs(int(value)) > LARGEST:
            raise ValueError(f"{path} is an integer of more than 64 bits; give a float.")
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else {"float": plain(np.array(value, np.float64))}
    if isinstance(value, str):
        if not is_unicode(value):
            raise ValueError(f"{path} must be a string of Unicode characters, but is {value!r}.")
        return str(value)
    if isinstance(value, (tuple, list)):
        entries = [write_parameter(entry, f"{path}[{i}]", depth + 1) for i, entry in enumerate(value)]
        return {"tuple": entries} if isinstance(value, tuple) else entries
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fiu":
        return {"array": write_parameter(value.tolist(), path, depth)}
    if isinstance(value, dict):
        return {"dict": [write_item(*item, path, depth + 1) for item in value.items()]}
    if hasattr(value, "get_params") and not isinstance(value, type):
        return write_estimator(value, path, depth + 1)
    raise TypeError(f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which a document does not hold.")


def write_item(key: Any, value: Any, path: str, depth: int) -> list[Any]:
    """Return a key of a dict and its value."""
    if not isinstance(key, (str, int, np.integer)) or isinstance(key, bool):
        raise TypeError(f"{path} has the key {key!r}; a document holds dicts by strings and integers.")
    return [write_parameter(key, path, depth), write_parameter(value, f"{path}[{key!r}]", depth)]


def read_parameter(node: Node, depth: int) -> Any:
    """Return the parameter that `write_parameter` wrote."""
    value = node.value
    if depth > DEEPEST:
        raise ValueError(f"{node} is nested more than {DEEPEST} levels deep.")
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return node.integer(-LARGEST, LARGEST)
    if type(value) is float:
        return node.number()
    if type(value) is str:
        return node.text()
    if type(value) is list:
        return [read_parameter(entry, depth + 1) for entry in node.items()]
    if type(value) is dict and "tuple" in value:
        (entries,) = node.entries("tuple")
        return tuple(read_parameter(entry, depth + 1) for entry in entries.items())
    if type(value) is dict and "dict" in value:
        (entries,) = node.entries("dict")
        return read_dict(entries, depth)
    if type(value) is dict and "array" in value:
        (entries,) = node.entries("array")
        return read_array(entries, depth)
    if type(value) is dict and "float" in value:
        (name,) = node.entries("float")
        return name.non_finite()
    return read_estimator(node, depth=depth + 1)


def read_array(node: Node, depth: int) -> NDArray[Any]:
    """Return an array of one dimension from the list of its numbers: of integers if all are."""
    numbers = [read_parameter(entry, depth + 1) for entry in node.items()]
    if not all(type(number) in (int, float) for number in numbers):
        raise node.error("must be numbers")
    return np.array(numbers, np.int64 if numbers and all(type(number) is int for number in numbers) else np.float64)


def read_dict(node: Node, depth: int) -> dict[Any, Any]:
    """Return a dict from the list of its keys and values."""
    found: dict[Any, Any] = {}
    for item in node.items():
        name, value = item.items(2)
        key = read_parameter(name, depth + 1)
        if type(key) not in (str, int):
            raise name.error("must be a string or an integer")
        if key in found:
            raise name.error("must not be there twice")
        found[key] = read_parameter(value, depth + 1)
    return found


def check_parameters(estimator: Any, node: Node) -> None:
    """Raise where the parameters are none that the estimator could be fitted with, whatever the configuration."""
    try:
        with config_context(skip_parameter_validation=False):
            estimator._check_all_parameters()
    except Exception as error:  # a check may stumble over a value of a kind that it did not expect
        message = str(error)  # scikit-learn's shows the whole value
        raise ValueError(f"{node} are not valid: {message[:300]}{'…' * (len(message) > 300)}") from error
