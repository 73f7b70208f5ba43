"""scikit-learn's callbacks where it has them (1.9 and later)."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin in releases without callbacks."""

    with_callbacks = None

__all__ = ["CallbackSupportMixin", "with_callbacks"]
