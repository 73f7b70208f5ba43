"""The compiled inner loops: the only folder that knows about SIMD, strides and dtypes."""

try:
    from sknorm.kernels import _apply, _moments, _quantiles
except ModuleNotFoundError as error:
    raise ImportError(
        "sknorm was imported from its source folder, where its compiled kernels are not. Leave the checkout's root "
        "(or run pytest rather than python -m pytest) to use the installed package, or install it editable: "
        "pip install -e ."
    ) from error

__all__ = ["_apply", "_moments", "_quantiles"]
