"""Many scalers, learned apart, as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from sknorm._learning import Learner
from sknorm.grouped import GroupedScaler

AnyScaler = TypeVar("AnyScaler", bound=Learner | GroupedScaler)


def merge(scalers: Iterable[AnyScaler]) -> AnyScaler:
    """Return a new scaler that knows what all of these learned, as if it had seen all their rows.

    Learn on several machines, or in several processes, and merge: the order does not matter but for the last digits,
    and the same scalers in the same order give the same bits. Of scalers with a ``half_life`` each is taken as of its
    own last row. Missing values and weights are counted as where they were learned.

    Parameters
    ----------
    scalers : iterable of scalers of one class, with the same parameters, width and feature names
        One at least, all fitted. They stay as they are.

    Returns
    -------
    scaler : scaler of their class
        It has the parameters and the feature names that they have.

    Raises
    ------
    TypeError
        If one is no scaler of sknorm, or of another class than the first.
    ValueError
        If there is none; if parameters, width or feature names of one differ from those of the first, both of which the
        message names; if they have a ``window``; or if what they learned overflows together.
    NotFittedError
        If one is not fitted.

    See Also
    --------
    StandardScaler.merge : Absorbs one other scaler; every scaler has it.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37(3), 1983.

    Examples
    --------
    >>> import sknorm
    >>> monday = sknorm.MinMaxScaler().fit([[0.0], [3.0]])
    >>> tuesday = sknorm.MinMaxScaler().fit([[1.0], [8.0]])
    >>> sknorm.merge([monday, tuesday]).data_max_
    array([8.])
    """
    some = list(scalers)
    if not some:
        raise ValueError("There is no scaler to merge; give one at least.")
    for i, scaler in enumerate(some):
        if not isinstance(scaler, (Learner, GroupedScaler)):
            raise TypeError(f"Scalers of sknorm can be merged; scalers[{i}] is {scaler!r}.")
    merged = some[0]._twin()
    for i, scaler in enumerate(some[1:], start=1):
        try:
            merged.merge(scaler)
        except (TypeError, ValueError) as error:
            error.args = (f"{error} Here is scalers[0], {some[0]!r}; the other is scalers[{i}], {scaler!r}.",)
            raise
    return merged
