"""PyTorch's normalization layers as scikit-learn transformers of tensors, on as many threads as ours have."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Self

import numpy as np

from sknorm.kernels.threads import effective_n_threads


def as_tensor(X: Any) -> Any:
    """Return an array as a tensor."""
    return import_module("torch").from_numpy(np.asarray(X))


def on_our_threads(call: Callable[[], Any]) -> Any:
    """Return what a call of PyTorch returns, without gradients, on the threads that joblib allows us."""
    torch = import_module("torch")
    torch.set_num_threads(effective_n_threads())
    with torch.no_grad():
        return call()


class TorchBatchNorm:
    """BatchNorm1d: it learns by a forward pass in training, which scales the batch by itself too."""

    def fit(self, X: Any) -> Self:
        self.layer = import_module("torch").nn.BatchNorm1d(X.shape[1], momentum=None, dtype=X.dtype)
        self.partial_fit(X)
        self.layer.momentum = 0.1
        return self

    def partial_fit(self, X: Any) -> Self:
        self.layer.train()
        on_our_threads(lambda: self.layer(X))
        return self

    def transform(self, X: Any) -> Any:
        self.layer.eval()
        return on_our_threads(lambda: self.layer(X))


class TorchRowNorm:
    """A function of PyTorch that normalizes rows."""

    def __init__(self, name: str, *arguments: Callable[[Any], Any]) -> None:
        self.name, self.arguments = name, arguments

    def fit(self, X: Any) -> Self:
        return self

    def transform(self, X: Any) -> Any:
        function = getattr(import_module("torch").nn.functional, self.name)
        return on_our_threads(lambda: function(X, *(argument(X) for argument in self.arguments)))


class TorchInstanceNorm(TorchRowNorm):
    """instance_norm of rows of so many channels."""

    def __init__(self, n_channels: int) -> None:
        super().__init__("instance_norm")
        self.n_channels = n_channels

    def transform(self, X: Any) -> Any:
        return super().transform(X.reshape(len(X), self.n_channels, -1)).reshape(X.shape)
