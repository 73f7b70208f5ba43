"""Keys of rows as numbers, for what picks parameters by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknorm.export._exported import Exported
from sknorm.grouped import GroupedScaler
from sknorm.groups.batch import read


def group_codes(estimator: GroupedScaler, X: Any, groups: Any = None) -> NDArray[np.int64]:
    """Return the code of every row's key, as the module or the layer of a `GroupedScaler` takes it beside the values.

    The codes of the keys that were learned are 0 to n_groups − 1, in the order of ``groups_``; n_groups is that of
    all others; and n_groups + 1 that of a missing key under ``missing_key="global"``. They are right for what was
    exported from this scaler in the state that it is in now: learning adds keys.

    Parameters
    ----------
    estimator : GroupedScaler
        It was fitted with keys.
    X : array-like or frame of shape (n_samples, n_features)
        The table, as its ``transform`` takes it.
    groups : array-like of shape (n_samples,) or (n_samples, n_parts), default=None
        The keys of the rows, where they are no columns of X.

    Returns
    -------
    codes : ndarray of shape (n_samples,), int64
        A number for each row.

    Raises
    ------
    TypeError
        If `estimator` is no GroupedScaler.
    ValueError
        If it was fitted without keys, or as its ``transform`` does.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from sknorm import GroupedScaler
    >>> from sknorm.export import group_codes
    >>> X = pd.DataFrame({"merchant": ["a", "a", "b"], "amount": [1.0, 3.0, 100.0]})
    >>> scaler = GroupedScaler(by="merchant").fit(X)
    >>> group_codes(scaler, X.assign(merchant=["b", "new", "a"]))
    array([1, 2, 0])
    """
    if not isinstance(estimator, GroupedScaler):
        raise TypeError(f"Codes are those of a GroupedScaler's keys; {type(estimator).__name__} has none.")
    known = estimator._known()
    if known.n_parts == 0:
        raise ValueError(f"{type(estimator).__name__} was fitted without keys, so rows have no codes.")
    batch = read(estimator, estimator, X, groups, known)
    assert batch.codes is not None, "there are keys"
    with known.groups.lock:
        found, n_groups = known.groups.look_up(batch.keys).groups, len(known.groups)
    of_keys = np.append(np.where(found < 0, n_groups, found), n_groups + 1)  # the last is that of code −1
    return of_keys[batch.codes].astype(np.int64, copy=False)


def takes_codes(parts: Sequence[Exported]) -> bool:
    """Say whether what follows one after the other begins with a scaler by keys.

    Raises
    ------
    ValueError
        If a later one is a scaler by keys, or gets keys among its values.
    """
    grouped = [part.lookup is not None for part in parts]
    if any(grouped[1:]):
        raise ValueError(
            "A GroupedScaler can be handed on only as the first step of a pipeline: codes of keys come in with the "
            "values, and the steps before it would have scaled the keys."
        )
    if len(parts) > 1 and grouped[0] and len(parts[0].names_out) > len(parts[0].values):
        raise ValueError(
            "A GroupedScaler with drop_keys=False hands its keys on to the steps after it, which a tensor of values "
            "cannot hold; set drop_keys=True."
        )
    return bool(grouped) and grouped[0]
