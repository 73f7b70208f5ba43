"""The documentation: examples run, pictures are drawn, links lead somewhere, no public name is missing."""

import ast
import doctest
import inspect
import re
import runpy
from pathlib import Path

import pytest
from registry import LAYERS
from sklearn.pipeline import Pipeline

import sknorm

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [path for path in sorted(DOCS.glob("**/*.rst")) if not {"_build", "_templates", "generated"} & set(path.parts)]
MARKDOWN = [path for name in ("README", "CHANGELOG", "CONTRIBUTING") if (path := ROOT / f"{name}.md").exists()]
PICTURES = [path for path in sorted((DOCS / "pictures").glob("*.py")) if path.stem not in ("picture_style", "skewed")]
PYTHON_BLOCK = {
    ".rst": re.compile(r"^\.\. code-block:: python\n\n(?P<code>(?:(?: {3}.*)?\n)+)", re.MULTILINE),
    ".md": re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL),
}

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not beside the tests")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def examples(path):
    """Return a page's examples in order: its doctests, and the statements of its other blocks of Python."""
    text = path.read_text(encoding="utf-8").replace("\n```\n", "\n\n```\n")
    found = doctest.DocTestParser().get_examples(text)
    for block in PYTHON_BLOCK[path.suffix].finditer(text):
        code = inspect.cleandoc(block["code"])
        if ">>>" not in code:
            line = text.count("\n", 0, block.start("code"))
            for node in ast.parse(code).body:
                source = ast.get_source_segment(code, node)
                found.append(doctest.Example(f"{source}\n\n", "", lineno=line + node.lineno - 1))
    return sorted(found, key=lambda example: example.lineno)


# What the examples of a page need.
NEEDED = {
    "README.md": ["sqlglot"],
    "docs/guide/export.rst": ["onnxruntime", "skl2onnx", "sqlglot", "torch"],
}


@pytest.mark.parametrize("path", [*PAGES, *MARKDOWN], ids=name_of)
def test_examples_run(path, monkeypatch, tmp_path):
    found = examples(path)
    if not found:
        pytest.skip("the page has no examples")
    for package in NEEDED.get(name_of(path), ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    failed, _ = runner.run(doctest.DocTest(found, {}, name_of(path), str(path), 0, None), out=report.append)
    assert not failed, "".join(report)


@pytest.mark.parametrize("path", [DOCS / "guide" / "getting_started.rst", ROOT / "README.md"], ids=name_of)
def test_first_pages_have_examples(path):
    assert examples(path), "the parser of examples finds none: is the markup still what it reads?"


@pytest.mark.parametrize("path", PICTURES, ids=name_of)
def test_picture_is_drawn(path, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib", reason="the pictures need matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.syspath_prepend(str(path.parent))
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    with plt.rc_context():
        module = runpy.run_path(str(path))
        figure = module["draw"]() if "draw" in module else plt.gcf()
        figure.savefig(tmp_path / "picture.png")
    plt.close("all")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_every_picture_is_shown():
    text = "".join(path.read_text(encoding="utf-8") for path in [*PAGES, *MARKDOWN])
    for path in PICTURES:
        assert f"pictures/{path.name}" in text or f"images/{path.stem}.png" in text, path.name
    assert (DOCS / "images" / "overview.png").stat().st_size <= 150_000


def test_every_public_name_has_its_page():
    """The API page is written from the public names; here its source is made and read."""
    namespace = {"__file__": str(DOCS / "conf.py"), "__name__": "conf"}
    exec(compile((DOCS / "conf.py").read_text(encoding="utf-8"), "conf.py", "exec"), namespace)
    entries = (DOCS / "api" / "generated" / "names.rst").read_text(encoding="utf-8").split()
    by_row = {entry.layer for entry in LAYERS if not entry.learns}
    for name in sknorm.__all__:
        assert name.startswith("__") or name in entries, name
        value = getattr(sknorm, name)
        if inspect.isclass(value) and not issubclass(value, Pipeline):
            wanted = {"fit", "transform"} | (set() if value in by_row else {"partial_fit", "merge"})
            assert wanted <= set(namespace["own_methods"](f"sknorm.{name}"))
    assert "\n.. public-names" in (DOCS / "api.rst").read_text(encoding="utf-8")


def test_public_names_in_pages_exist():
    """What a page writes as `name` is a link to the API, so it must be public."""
    from sknorm import datasets, export, maps, statistics

    known = {
        *sknorm.__all__,
        *(f"export.{name}" for name in export.__all__),
        *datasets.__all__,
        *statistics.__all__,
        *vars(maps),
        "transform",
    }
    for path in PAGES:
        for name in re.findall(r"(?<![`:])`([A-Za-z_.]+)`(?![`_])", path.read_text(encoding="utf-8")):
            assert name.removeprefix("sknorm.") in known, f"{name_of(path)}: {name}"


@pytest.mark.parametrize("path", [*PAGES, *MARKDOWN], ids=name_of)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        links = re.findall(r"\]\(([^)#\s]+)", text)
        targets = [path.parent / link for link in links if not re.match(r"\w+:", link)]
    else:
        documents = re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text)
        trees = re.findall(r"^\.\. toctree::\n(?: {3}:.*\n)*\n((?: {3}.*\n)+)", text, re.MULTILINE)
        documents += "".join(trees).split()
        files = re.findall(r"^\.\. (?:image|plot|literalinclude):: (\S+)", text, re.MULTILINE)
        targets = [(DOCS if name.startswith("/") else path.parent) / f"{name.lstrip('/')}.rst" for name in documents]
        targets += [DOCS / name if name.startswith("pictures/") else path.parent / name for name in files]
    if not (ROOT / "LICENSE").exists():  # the tests of a built package bring the documentation, not the whole checkout
        targets = [target for target in targets if target.is_relative_to(DOCS)]
    for target in targets:
        assert target.exists(), f"{name_of(path)} links to {target}"


def test_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [block.strip() for block in re.findall(r"^```(?:bash|console|sh)?\n(.*?)^```$", readme, re.M | re.S)]
    assert 'pip install ".[examples]" && python examples/credit_scoring.py' in blocks
    assert 'pip install -e ".[test]" && pytest' in blocks
