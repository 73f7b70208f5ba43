"""Fitted estimators as modules of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from sknorm.export._codes import takes_codes
from sknorm.export._exported import exported_steps

if TYPE_CHECKING:
    from torch import nn


def to_torch(estimator: Any) -> nn.Module:
    """Return a module of PyTorch that does to a tensor what a fitted estimator's ``transform`` does to a table.

    Its parameters are buffers: ``state_dict``, ``to(device)``, gradients with respect to its input, ``torch.export``,
    ``torch.compile`` and TorchScript work as with any module. It computes in the dtype of its buffers, double unless
    you change it (``module.float()``), and returns the dtype of its input: a float32 tensor is rounded once, at the
    end, as in ``transform``. Missing values (NaN) stay.

    Parameters
    ----------
    estimator : scaler, GroupedScaler or Pipeline of these
        What was fitted. Of a pipeline, only the first step may be a GroupedScaler.

    Returns
    -------
    module : torch.nn.Module
        ``module(x)`` takes a tensor of shape (…, n_features). That of a GroupedScaler is ``module(x, codes)``: x has
        the columns that are scaled, without those of keys, and codes, int64 of shape (…), are what `group_codes`
        returns. A pipeline becomes a ``torch.nn.Sequential``, unless it takes codes.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If `estimator`, or a step of the pipeline, is none of sknorm's.
    ValueError
        If it cannot be handed on: a GroupedScaler with ``unseen="error"``, or one that is not the first step.
    NotFittedError
        If it is not fitted.

    Notes
    -----
    A module cannot refuse values, so an infinity is no error: where nothing clips it, it gives infinity or NaN.

    Examples
    --------
    >>> import torch
    >>> from sknorm import StandardScaler
    >>> from sknorm.export import to_torch
    >>> scaler = StandardScaler(clip=2.0).fit([[1.0, 5.0], [3.0, 5.0]])
    >>> to_torch(scaler)(torch.tensor([[1.0, 5.0], [9.0, 6.0]]))
    tensor([[-1.,  0.],
            [ 2.,  1.]])
    """
    try:
        from torch import nn
    except ImportError:
        raise ImportError('to_torch needs PyTorch; install it with pip install "sknorm[torch]".') from None
    from sknorm.export._torch_modules import GroupedFirst, GroupedScaling, Scaling

    parts = exported_steps(estimator)
    if takes_codes(parts):
        first, rest = GroupedScaling(parts[0]), nn.Sequential(*map(Scaling, parts[1:]))
        return GroupedFirst(first, rest) if len(rest) else first
    modules = list(map(Scaling, parts))
    return nn.Sequential(*modules) if isinstance(estimator, Pipeline) else modules[0]
