"""Build the compiled kernels; everything else about the package stands in pyproject.toml."""

from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("sknorm", "kernels")

# Contraction to fused multiply-add is off so that every processor gives the same bits; errno and
# floating-point traps are never read, and minding them would keep the loops from being vectorized.
FLAGS = {
    "unix": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    "msvc": ["/O2", "/fp:precise"],
}


class BuildKernels(build_ext):
    """Choose the compiler's flags once it is known which compiler it is."""

    def build_extensions(self):
        """Build with the flags of the compiler found."""
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS.get(self.compiler.compiler_type, [])
        super().build_extensions()


extensions = [
    Extension(
        f"sknorm.kernels.{source.stem}",
        [source.as_posix()],
        include_dirs=[numpy.get_include(), KERNELS.as_posix()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=[header.as_posix() for header in sorted(KERNELS.glob("*.h"))],
    )
    for source in sorted(KERNELS.glob("*.pyx"))
]

setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
)
