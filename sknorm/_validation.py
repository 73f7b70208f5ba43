"""The one place that touches scikit-learn's validation and data-frame types."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils._set_output import _get_output_config, _wrap_data_with_container
from sklearn.utils.validation import _check_n_features, _check_sample_weight, check_array, validate_data

from sknorm._errors import infinity_error

Sparse: TypeAlias = Any  # a CSR or CSC matrix or array
Table: TypeAlias = NDArray[Any] | Sparse

FLOAT_DTYPES = (np.float64, np.float32, np.float16)
PLAIN_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))
ALLOW_ALL_ZERO = (
    {"allow_all_zero_weights": True}
    if "allow_all_zero_weights" in inspect.signature(_check_sample_weight).parameters
    else {}
)


def is_plain(X: object, estimator: Any) -> bool:
    """Say whether X needs no validation: the very array that validation would return.

    scikit-learn's takes 150 µs; a row in a stream should not wait for it.
    """
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in PLAIN_DTYPES
        and X.shape[1] == estimator.n_features_in_
        and X.shape[0] > 0
        and "feature_names_in_" not in estimator.__dict__
    )


def check_table(estimator: Any, X: Any, *, reset: bool, accept_sparse: tuple[str, ...] | bool) -> Table:
    """Return X as a two-dimensional float array (or CSR or CSC matrix) of the estimator's width.

    Values are not looked at: the kernels see infinities in the pass that they make anyway.
    """
    return validate_data(
        estimator,
        as_numpy(X),
        reset=reset,
        accept_sparse=accept_sparse,
        dtype=FLOAT_DTYPES,
        ensure_all_finite=False,
    )


def check_scaled(
    estimator: Any, X: Any, *, accept_sparse: tuple[str, ...] | bool, n_columns: int | None = None
) -> Table:
    """Return X for ``inverse_transform``: any table of the right width, whatever its columns are called."""
    X = check_array(
        as_numpy(X),
        accept_sparse=accept_sparse,
        dtype=FLOAT_DTYPES,
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    if n_columns is None:
        _check_n_features(estimator, X, reset=False)
    else:
        check_width(estimator, X, n_columns)
    return X


def check_mixed(estimator: Any, X: Any) -> Any:
    """Return X as a frame or an array, whose columns may be of any kind and name."""
    if sp.issparse(X):
        raise TypeError(
            f"Sparse data was passed to {type(estimator).__name__}, which needs a dense table. "
            "Use '.toarray()' to convert to a dense numpy array."
        )
    if not hasattr(X, "iloc") and not hasattr(X, "get_column"):
        table = np.asarray(as_numpy(X))
        # A list of lists whose strings are to stay apart from its numbers.
        X = np.array(X, dtype=object) if table.dtype.kind in "US" and table is not X else table
    if len(X.shape) != 2 or 0 in X.shape or (isinstance(X, np.ndarray) and X.dtype.kind == "c"):
        check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X")  # which raises
    return X


def stand_in(estimator: Any) -> Any:
    """Return another estimator of the same state, for scikit-learn's validation to set names and width of.

    It does so before it looks at the values: a table that is refused leaves no trace then, and no thread that reads
    meets half of a change.
    """
    other = object.__new__(type(estimator))
    other.__dict__.update(estimator.__dict__)
    return other


def check_names(estimator: Any, X: Any, *, reset: bool) -> None:
    """Raise where X has not the estimator's width and names, or, with ``reset``, let the estimator have its."""
    validate_data(estimator, X, reset=reset, skip_check_array=True)


def check_columns(estimator: Any, X: Any, columns: NDArray[np.intp]) -> NDArray[Any]:
    """Return some columns of X, a frame or an array, as a float array."""
    first, last = int(columns[0]), int(columns[-1])
    together = last - first == len(columns) - 1  # then they need not be copied
    wanted: Any = slice(first, last + 1) if together else columns.tolist()
    values = X[:, wanted] if isinstance(X, np.ndarray) else _safe_indexing(X, wanted, axis=1)
    return check_array(
        values, dtype=FLOAT_DTYPES, ensure_all_finite=False, estimator=estimator, input_name="X", ensure_min_features=0
    )


def column_of(X: Any, column: int) -> Any:
    """Return one column of a frame or an array, of whatever kind it is."""
    return X[:, column] if isinstance(X, np.ndarray) else _safe_indexing(X, column, axis=1)


def has_names(X: Any) -> bool:
    """Say whether the columns of X have names."""
    return hasattr(X, "columns")


def with_values(X: Any, columns: NDArray[np.intp], values: NDArray[Any], container: str) -> Any:
    """Return X, a frame or an array, with values in place of these columns.

    Other columns keep their kind in a "pandas" or "polars" frame, whose columns are to be named; an array ("default")
    is of floats where that is exact, and else of objects.
    """
    others = {i: column_of(X, i) for i in range(X.shape[1])}
    own = dict(zip(columns.tolist(), values.T, strict=True))
    if container == "pandas":
        import pandas

        index = X.index if hasattr(X, "iloc") else None
        return pandas.DataFrame({i: own.get(i, pandas.Series(column, index)) for i, column in others.items()}, index)
    if container == "polars":
        import polars

        return polars.DataFrame([polars.Series(str(i), own.get(i, column)) for i, column in others.items()])
    kept = [np.asarray(column) for i, column in others.items() if i not in own]
    exact = all(map(is_exact, kept, [values.dtype] * len(kept)))
    table = np.empty(X.shape, values.dtype if exact else object)
    table[:, columns] = values
    table[:, [i for i in others if i not in own]] = np.column_stack(kept) if exact else as_objects(kept)
    return table


def is_exact(column: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Say whether floats of this dtype hold a column exactly."""
    if column.dtype.kind == "b":
        return True
    if column.dtype.kind in "iu":
        most = 2 ** (np.finfo(dtype).nmant + 1)
        return not column.size or (int(column.min()) >= -most and int(column.max()) <= most)
    return column.dtype.kind == "f" and bool((column.astype(dtype) == column)[column == column].all())


def container_of(estimator: Any) -> str:
    """Return what ``set_output`` asks for: "default", "pandas" or "polars"."""
    return str(_get_output_config("transform", estimator)["dense"])


def as_objects(columns: list[NDArray[Any]]) -> NDArray[Any]:
    """Return columns as a table of objects, each of the type that it had."""
    table = np.empty((len(columns[0]), len(columns)), object)
    for i, column in enumerate(columns):
        table[:, i] = column
    return table


def check_values(estimator: Any, X: Any, n_values: int) -> NDArray[Any]:
    """Return X for ``inverse_transform`` as a float array of so many columns, whatever they are called."""
    X = check_array(as_numpy(X), dtype=FLOAT_DTYPES, ensure_all_finite=False, estimator=estimator, input_name="X")
    check_width(estimator, X, n_values)
    return X


def check_width(estimator: Any, X: Any, n_columns: int) -> None:
    """Raise where X has another number of columns."""
    if X.shape[1] != n_columns:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting {n_columns} features as input."
        )


def check_weights(sample_weight: Any, X: Table, *, all_zero: bool) -> NDArray[np.float64] | None:
    """Return the weights as float64 of shape (n_samples,), or None; ``all_zero`` allows that no row counts."""
    if sample_weight is None:
        return None
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, **(ALLOW_ALL_ZERO if all_zero else {})
    )
    if not all_zero and not weights.any():  # older releases of scikit-learn let them pass
        raise ValueError("Sample weights must contain at least one non-zero number.")
    with np.errstate(over="ignore"):
        if not np.isfinite(weights.sum()):
            if not np.isfinite(weights).all():  # with assume_finite scikit-learn does not look
                raise ValueError("Input sample_weight contains NaN or infinity.")
            raise ValueError("The sum of sample_weight overflows float64; divide the weights by a power of ten.")
    return np.ascontiguousarray(weights)


def in_container(estimator: Any, table: Any, X: Any) -> Any:
    """Return a transformed table in the container that ``set_output`` asks for, its index that of X."""
    return _wrap_data_with_container("transform", table, X, estimator)


def as_numpy(X: Any) -> Any:
    """Return X as something that scikit-learn's validation reads as NumPy would, or refuse it."""
    if isinstance(X, np.ndarray) or sp.issparse(X):
        return X
    if hasattr(X, "__array_namespace__") or hasattr(X, "__dlpack__"):
        kind = f"{type(X).__module__}.{type(X).__qualname__}"
        raise TypeError(f"X is a {kind}; sknorm reads NumPy arrays: convert it first, e.g. numpy.asarray(X).")
    return X


def as_float32(X: Any, takes_infinities: bool = False) -> Any:
    """Return half precision as single, which the kernels read; everything else as it is."""
    if X.dtype != np.float16:
        return X
    if (
        not takes_infinities and np.isinf(X.data if sp.issparse(X) else X).any()
    ):  # the kernels would name their own dtype
        raise infinity_error(X.dtype)
    return X.astype(np.float32)


def within_float16(X: NDArray[Any]) -> NDArray[Any]:
    """Return values that half precision holds: what is finite and larger becomes the largest."""
    largest = float(np.finfo(np.float16).max)
    return np.where(np.isfinite(X), np.clip(X, -largest, largest), X)


def plain_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters, those of estimators within by their values, so that equal ones compare equal."""
    own = {
        name: type(value).__name__ if hasattr(value, "get_params") else value
        for name, value in estimator.get_params(deep=False).items()
    }
    own |= {name: np.asarray(value).tolist() for name, value in own.items() if hasattr(value, "__array__")}
    return own | {name: value for name, value in estimator.get_params().items() if name not in own}
