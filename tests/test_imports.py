"""Imports run one way, cost little, and what is public is documented."""

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from registry import LAYERS as NORMS
from registry import SCALERS

import sknorm
import sknorm.statistics
from sknorm._base import Scaler
from sknorm._mapped import Mapped

ROOT = Path(sknorm.__file__).parent
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyx")])

# What a layer may import of the package: itself and these. A module or folder that is not here fails the tests.
LAYERS = {
    "_version": set(),
    "_errors": set(),
    "_atomic": set(),
    "_document": set(),
    "_callbacks": set(),
    "_stacking": set(),
    "_fitted": set(),
    "_validation": {"_errors"},
    "datasets": set(),
    "kernels": set(),
    "statistics": {"kernels", "_document", "_errors", "_stacking"},
    "maps": {"kernels", "_errors"},
    "_clipping": {"maps"},
    "_learned": {"maps", "statistics"},
    "state": {"_atomic", "_document", "_version"},
    "_learning": {"_callbacks", "_document", "_learned", "_validation", "state", "statistics"},
    "_mapped": {"_learned", "_learning", "_validation", "maps"},
    "_gain": {"_document"},
    "_prequential": {"_callbacks", "_clipping", "_learned", "_stacking", "_validation", "maps", "statistics"},
    "_base": {
        "_clipping",
        "_fitted",
        "_learned",
        "_learning",
        "_mapped",
        "_prequential",
        "_validation",
        "maps",
        "statistics",
    },
    "scalers": {"_base", "_clipping", "_fitted", "_gain", "_learned", "_mapped", "maps", "statistics"},
    "_row_normalizer": {"_document", "_gain", "_mapped", "_validation", "maps", "state"},
    "rowwise": {"_document", "_row_normalizer"},
    "weights": set(),
    "_limits": set(),
    "outliers": {"_base", "_clipping", "_fitted", "_learned", "_limits", "_validation", "maps", "statistics"},
    "groups": {
        "_base",
        "_callbacks",
        "_clipping",
        "_document",
        "_errors",
        "_fitted",
        "_learned",
        "_prequential",
        "_validation",
        "kernels",
        "maps",
        "state",
        "statistics",
    },
    "grouped": {
        "_base",
        "_callbacks",
        "_document",
        "_fitted",
        "_learned",
        "_validation",
        "groups",
        "maps",
        "scalers",
        "state",
    },
    "_merge": {"_learning", "grouped"},
    "_tasks": {"_callbacks"},
    "_chunks": {"_stacking"},
    "_steps": {"_chunks", "_learning", "grouped"},
    "pipeline": {"_chunks", "_steps", "_tasks", "state"},
    "export": {"_learned", "_learning", "_steps", "grouped", "groups", "maps", "rowwise", "scalers", "statistics"},
    "__init__": {"_merge", "_version", "grouped", "outliers", "pipeline", "rowwise", "scalers", "state", "weights"},
}
# What the package stands on. Everything else is optional: imported inside the function that needs it.
REQUIRED = {"joblib", "numpy", "scipy", "sklearn"}
KERNELS_REQUIRE = {"numpy", "cpython", "cython", "libc"}
# Classes that derive from those of an optional package; imported inside functions alone.
AT_THE_TOP = {"export/_keras_layers.py": {"keras"}, "export/_torch_modules.py": {"torch"}}
# What the examples of a module need.
NEEDED = {
    "sknorm.export._keras_layers": ["keras"],
    "sknorm.export._torch_modules": ["torch"],
    "sknorm.export.imports": ["keras", "torch"],
    "sknorm.export.keras": ["keras"],
    "sknorm.export.onnx": ["skl2onnx"],
    "sknorm.export.sql": ["sqlglot"],
    "sknorm.export.torch": ["torch"],
}


def imports_of(source, inside_functions=True):
    """Return the dotted names that a module imports; those below TYPE_CHECKING are for type checkers alone."""
    text = (ROOT / source).read_text(encoding="utf-8")
    if source.endswith(".pyx"):
        lines = re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w., ]+))", text, re.MULTILINE)
        return {name.split()[0] for pair in lines for name in (pair[0] or pair[1]).split(",")}
    names = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not inside_functions:
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source} has a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(text))
    return names


def layer_of(source):
    return source.split("/")[0].removesuffix(".py")


def test_every_module_has_a_layer():
    assert {layer_of(source) for source in SOURCES} <= set(LAYERS)


def test_layers_have_no_circle():
    done = []
    while len(done) < len(LAYERS):
        ready = [layer for layer in LAYERS if layer not in done and LAYERS[layer] <= set(done)]
        assert ready
        done += ready


@pytest.mark.parametrize("source", SOURCES)
def test_imports_run_one_way(source):
    layer = layer_of(source)
    ours = {name.split(".")[1] for name in imports_of(source) if name.startswith("sknorm.")}
    assert ours <= LAYERS[layer] | {layer}
    assert "sknorm" not in imports_of(source)


@pytest.mark.parametrize("source", SOURCES)
def test_optional_packages_are_imported_where_they_are_needed(source):
    outside = {name.split(".")[0] for name in imports_of(source, inside_functions=False)}
    allowed = REQUIRED | KERNELS_REQUIRE | AT_THE_TOP.get(source, set())
    assert outside - set(sys.stdlib_module_names) - {"sknorm"} <= allowed


@pytest.mark.parametrize("source", SOURCES)
def test_modules_that_need_an_optional_package_are_imported_inside_functions(source):
    optional = {"sknorm." + module.removesuffix(".py").replace("/", ".") for module in AT_THE_TOP}
    names = imports_of(source, inside_functions=False)
    assert not {name for name in names if name.startswith(tuple(optional))}


@pytest.mark.parametrize("source", [source for source in SOURCES if source.endswith(".pyx")])
def test_kernels_import_numpy_only(source):
    assert {name.split(".")[0] for name in imports_of(source)} - {"sknorm"} <= KERNELS_REQUIRE


@pytest.mark.parametrize("source", [source for source in SOURCES if layer_of(source) != "_validation"])
def test_validation_is_in_one_place(source):
    """Data-frame types, and scikit-learn's checks of tables, are named in ``_validation`` only.

    Keys may be of pandas' types, and what is known of them is shown as a frame, or handed on as one.
    """
    forbidden = {"pandas", "polars", "sklearn.utils.validation.check_array", "sklearn.utils.validation.validate_data"}
    if layer_of(source) in ("export", "groups"):
        forbidden -= {"pandas"}
    if layer_of(source) != "datasets":
        assert not imports_of(source) & forbidden


COST = """
import sys
import sklearn.frozen, sklearn.pipeline, sklearn.preprocessing
before = set(sys.modules)
import sknorm
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def run(script):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT.parent), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


def test_import_brings_nothing_but_ourselves():
    brought = {name for name in run(COST) if not name.startswith("_cython_")}  # Cython's own runtime
    # NumPy 1.26 leaves numpy.typing for those who ask.
    assert {"sknorm"} <= brought - set(sys.stdlib_module_names) <= {"numpy", "sknorm"}


def test_export_is_there_without_being_imported_and_brings_no_optional_package():
    packages = sorted({package for needed in NEEDED.values() for package in needed} | {"onnx", "onnxruntime"})
    assert (
        run(
            f"import sys, sknorm; sknorm.export.to_sql; print(*{packages} & sys.modules.keys())".replace(
                "[", "{"
            ).replace("]", "}")
        )
        == []
    )
    assert run("import sys, sknorm; print('sknorm.export' in sys.modules, 'export' in dir(sknorm))") == [
        "False",
        "True",
    ]


def test_import_starts_no_threads_and_reads_no_arguments():
    assert run("import threading, sknorm; print(threading.active_count())") == ["1"]


# Names.


def test_all_is_sorted_and_complete():
    public = {name for name in vars(sknorm) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(sknorm, name))}
    assert sknorm.__all__ == sorted(sknorm.__all__)
    assert set(sknorm.__all__) - {"__version__"} == public - modules
    assert all(inspect.ismodule(getattr(sknorm, name)) for name in modules)


def test_star_import():
    namespace = {}
    exec("from sknorm import *", namespace)
    assert set(sknorm.__all__) <= set(namespace)


@pytest.mark.parametrize("module", ["sknorm.statistics", "sknorm.datasets", "sknorm.export", "sknorm.maps"])
def test_all_of_the_other_modules(module):
    module = importlib.import_module(module)
    names = getattr(module, "__all__", [])
    assert names == sorted(names)
    assert all(hasattr(module, name) for name in names)


def test_registry_holds_every_scaler():
    classes = [name for name in sknorm.__all__ if inspect.isclass(getattr(sknorm, name))]
    scalers = [name for name in classes if issubclass(getattr(sknorm, name), Scaler)]
    assert [entry.scaler.__name__ for entry in SCALERS] == scalers
    layers = [name for name in classes if issubclass(getattr(sknorm, name), Mapped) and name not in scalers]
    assert [entry.layer.__name__ for entry in NORMS] == layers


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(dev|a|b|rc)\d+)?", sknorm.__version__)


@pytest.mark.parametrize("name", [name for name in sknorm.__all__ if name != "__version__"])
def test_public_names_say_where_they_are(name):
    thing = getattr(sknorm, name)
    assert thing.__module__.startswith("sknorm.")
    assert getattr(importlib.import_module(thing.__module__), thing.__name__) is thing


def test_py_typed():
    assert (ROOT / "py.typed").exists()


# Documentation.

DOCUMENTED = [*(entry.scaler for entry in SCALERS), *(entry.layer for entry in NORMS), sknorm.GroupedScaler]
FUNCTIONS = [getattr(sknorm, name) for name in sknorm.__all__ if inspect.isfunction(getattr(sknorm, name))]
each_class = pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda c: c.__name__)


def sections_of(docstring):
    """Return the text under each heading of a numpydoc docstring."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", docstring, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries_of(section):
    """Return {name: type} of a section of parameters or attributes, and check that each entry is described."""
    entries = {}
    pattern = r"^(\*{0,2}\w[\w, ]*?)(?: : (.*))?\n((?: {4}.*\n?|\n)*)"
    for names, kind, text in re.findall(pattern, section, re.MULTILINE):
        assert text.strip(), f"{names} is not described"
        entries |= dict.fromkeys((name.strip("* ") for name in names.split(",")), kind)
    return entries


@each_class
def test_sections_of_a_class(documented):
    docstring = inspect.getdoc(documented)
    headings = ["Parameters", "Attributes", "References", "Examples"]
    assert [heading for heading in sections_of(docstring) if heading in headings] == headings
    first = docstring.splitlines()[0]
    assert first.endswith(".")
    assert len(first) < 100
    text = docstring.split("Parameters\n----")[0]
    assert "``" in text, "the formula is missing"
    assert "issing" in text or "NaN" in text, "what NaN does is missing"
    assert "constant" in text or "of zeros" in text or "range" in text, "what a constant column does is missing"


@each_class
def test_parameters_of_a_class(documented):
    entries = entries_of(sections_of(inspect.getdoc(documented))["Parameters"])
    signature = inspect.signature(documented).parameters
    assert list(entries) == list(signature)
    for name, kind in entries.items():
        default = re.search(r", default=(.*)$", kind)
        assert default, f"{name} has no default"
        assert ast.literal_eval(default[1]) == signature[name].default
        assert type(ast.literal_eval(default[1])) is type(signature[name].default)


def methods_of(some_class):
    return {
        name: method
        for name, method in inspect.getmembers(some_class, inspect.isfunction)
        if not name.startswith("_") and method.__module__.startswith("sknorm.")
    }


@each_class
def test_methods_of_a_class(documented):
    for name, method in methods_of(documented).items():
        docstring = inspect.getdoc(method)
        assert docstring, name
        assert docstring.splitlines()[0].endswith("."), name
        sections = sections_of(docstring)
        parameters = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
        assert list(entries_of(sections.get("Parameters", ""))) == parameters, name
        assert "Returns" in sections, name


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_sections_of_a_function(function):
    docstring = inspect.getdoc(function)
    assert docstring.splitlines()[0].endswith(".")
    sections = sections_of(docstring)
    assert {"Parameters", "Returns", "Examples"} <= set(sections)
    parameters = inspect.signature(function).parameters
    entries = entries_of(sections["Parameters"])
    assert list(entries) == list(parameters)
    for name, kind in entries.items():
        default = re.search(r", default=(.*)$", kind)
        stated = inspect.Parameter.empty if default is None else ast.literal_eval(default[1])
        assert stated == parameters[name].default, name


@each_class
def test_properties_are_documented(documented):
    for name, value in inspect.getmembers(documented, lambda member: isinstance(member, property)):
        if name.endswith("_") and not name.startswith("_"):
            assert value.__doc__, name


def test_statistics_are_documented():
    for name in sknorm.statistics.__all__:
        some_class = getattr(sknorm.statistics, name)
        docstring = inspect.getdoc(some_class)
        assert docstring, name
        if not inspect.isabstract(some_class):
            assert ">>>" in docstring or some_class.__mro__[1].__module__.startswith("sknorm"), name


def modules():
    """Return the names of all modules of the package that have a source to be read."""
    names = [module.name for module in pkgutil.walk_packages(sknorm.__path__, "sknorm.")]
    return ["sknorm", *(name for name in names if not name.startswith("sknorm.kernels._"))]


def need(name):
    """Skip a test of a module whose optional packages are not installed."""
    for package in NEEDED.get(name, ()):
        pytest.importorskip(package)


@pytest.mark.parametrize("name", [name for name in modules() if name != "sknorm._version"])
def test_modules_say_what_they_are(name):
    need(name)
    docstring = importlib.import_module(name).__doc__
    assert docstring
    assert docstring.splitlines()[0].endswith(".")


@pytest.mark.parametrize("name", modules())
def test_doctests(name):
    need(name)
    module = importlib.import_module(name)
    with np.printoptions():
        outcome = doctest.testmod(module)
    assert outcome.failed == 0


@pytest.mark.parametrize("documented", [*DOCUMENTED, *FUNCTIONS], ids=lambda documented: documented.__name__)
def test_every_public_name_has_a_doctest(documented):
    finder = doctest.DocTestFinder(recurse=False)
    assert sum(len(found.examples) for found in finder.find(documented)) >= 2


def test_every_package_is_installed():
    settings = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    found = {"sknorm", *("sknorm." + path.parent.name for path in ROOT.glob("*/__init__.py"))}
    assert set(settings["tool"]["setuptools"]["packages"]) == found
