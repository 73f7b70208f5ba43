"""Sphinx configuration. ``python -m sphinx -W --keep-going -b html docs docs/_build/html`` builds without a network."""

import inspect
import os
import re
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

import sknorm
import sknorm.datasets
import sknorm.export
import sknorm.maps
import sknorm.statistics

project = "sknorm"
author = "The sknorm developers"
copyright = "The sknorm developers"
version = release = sknorm.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
if os.environ.get("SKNORM_DOCS_INTERSPHINX"):  # links into other projects' pages, for a build with a network
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

templates_path = ["_templates"]
exclude_patterns = ["_build", "images", "pictures", "api/generated/names.rst"]
default_role = "py:obj"
rst_prolog = ".. currentmodule:: sknorm\n"
nitpicky = False
highlight_language = "python"
add_module_names = False
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
autodoc_typehints = "none"  # the docstrings say more

numpydoc_show_class_members = False
numpydoc_xref_param_type = False

plot_formats = ["svg"]
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = f"sknorm {version}"
html_static_path = ["_static"]
html_css_files = ["sknorm.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"api": [], "design": []}
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 2,
    "show_prev_next": True,
}


def own_methods(fullname: str) -> list[str]:
    """Return the public methods of a class that sknorm defines, in the order of definition, its bases' first."""
    module, _, name = fullname.rpartition(".")
    cls = getattr(__import__(module, fromlist=[name]), name)
    ours = [base for base in reversed(cls.__mro__) if base.__module__.partition(".")[0] == "sknorm"]
    names = dict.fromkeys(name for base in ours for name, value in vars(base).items() if is_method(value))
    return [name for name in names if not name.startswith("_")]


def is_method(value: object) -> bool:
    """Say whether a member of a class is a method or a class method with a docstring."""
    return inspect.isfunction(inspect.unwrap(getattr(value, "__func__", value)))


def tables(toctree: str) -> str:
    """Return the tables of the API page, made from the public names: a new name needs no edit in the docs."""
    public = {name: getattr(sknorm, name) for name in sknorm.__all__ if not name.startswith("__")}
    classes = [name for name, value in public.items() if inspect.isclass(value)]
    pipelines = [name for name in classes if issubclass(public[name], Pipeline)]
    maps = [name for name, value in vars(sknorm.maps).items() if is_map(value)]
    sections = {
        "Scalers and layers": ("sknorm", [name for name in classes if name not in pipelines]),
        "Pipelines": ("sknorm", pipelines),
        "Functions": ("sknorm", [name for name, value in public.items() if inspect.isfunction(value)]),
        "Export": ("sknorm.export", sknorm.export.__all__),
        "Data sets": ("sknorm.datasets", sknorm.datasets.__all__),
        "Statistics": ("sknorm.statistics", sknorm.statistics.__all__),
        "Maps": ("sknorm.maps", maps),
    }
    notes = {
        "Export": "Fitted estimators handed on, and taken over. See :doc:`/guide/export`.",
        "Statistics": "For those who write a scaler: what a scaler learns. See :doc:`/design`.",
        "Maps": "For those who write a scaler: what `transform` does. See :doc:`/design`.",
    }
    lines = []
    for title, (module, names) in sections.items():
        if names:
            lines += [title, "-" * len(title), "", f".. currentmodule:: {module}", "", notes.get(title, ""), ""]
            lines += [".. autosummary::", f"   :toctree: {toctree}", "   :nosignatures:", ""]
            lines += [*(f"   {name}" for name in names), ""]
    return "\n".join(lines)


def is_map(value: object) -> bool:
    """Say whether a value is a map, or their base class."""
    return inspect.isclass(value) and issubclass(value, sknorm.maps.Map)


def fill_in(app: object, docname: str, source: list[str]) -> None:
    """Put the tables in their place on the API page."""
    if docname == "api":
        source[0] = source[0].replace(".. public-names", tables("api/generated"))


def escape_bars(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let docstrings write absolute values between bars, which reStructuredText takes for a substitution."""
    lines[:] = [line if "``" in line else re.sub(r"(?<!\\)\|", r"\\|", line) for line in lines]


def setup(app: Any) -> None:
    """Connect the hooks."""
    from numpydoc.docscrape_sphinx import SphinxDocString

    # An attribute that is a property is described by its class's docstring, which says more than the property's.
    describe = SphinxDocString._process_param
    SphinxDocString._process_param = lambda self, name, text, fake: describe(self, name, text, False)
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", escape_bars)


# autosummary looks for names before any page is read, so it is given a file of its own.
NAMES = Path(__file__).parent / "api" / "generated" / "names.rst"
NAMES.parent.mkdir(parents=True, exist_ok=True)
NAMES.write_text(tables("."), encoding="utf-8")
autosummary_generate = ["api/generated/names.rst"]
autosummary_context = {"own_methods": own_methods}
suppress_warnings = ["config.cache"]  # the context holds a function
