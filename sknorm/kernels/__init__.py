"""The compiled inner loops: the only folder that knows about SIMD, strides and dtypes."""
