"""Run the examples as a user would: as a command, on small settings."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from sknorm.datasets import make_credit_applications

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "credit_scoring.py"
DATA = ROOT.parent / "shared" / "data"
NORMALIZATIONS = [
    "none",
    "StandardScaler",
    "StandardScaler, soft clip 3",
    "MinMaxScaler, clip",
    "MeanScaler",
    "DecimalScaler",
    "RobustScaler",
    "RobustScaler, MAD",
    "MaxAbsScaler",
]
WITHIN_BY_CONSTRUCTION = ["StandardScaler, soft clip 3", "MinMaxScaler, clip"]

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not beside the tests")


def run(folder, *arguments):
    """Run the example in a folder of its own, where the checkout cannot shadow the built package."""
    return subprocess.run(
        [sys.executable, EXAMPLE, "--folds", "2", "--jobs", "1", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def read_rows(output):
    """Return {normalization: numbers} of the printed table, a dash as None."""
    rows = {}
    for line in output.splitlines():
        name, cells = line[:27].strip(), line[27:].split()
        if name in NORMALIZATIONS:
            rows[name] = [None if cell == "-" else float(cell) for cell in cells]
    return rows


def check(done, folder, n_models=4):
    """Check the table and the picture of a finished run."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120
    for model in ("logistic", "k-NN", "SVM", "MLP"):
        assert len(re.findall(rf"\b{model}\b", done.stdout)) >= 2
    rows = read_rows(done.stdout)
    assert list(rows) == NORMALIZATIONS
    for name, row in rows.items():
        assert len(row) == 12
        scores, reductions, (mean, in_range, microseconds, not_converged) = row[:4], row[4:8], row[8:]
        assert sum(score is not None for score in scores) == n_models
        assert all(score >= 0 for score in scores if score is not None)
        assert all(reduction < 100 for reduction in reductions if reduction is not None)
        assert mean is not None
        assert not_converged in range(2 * n_models + 1)
        if name == "none":
            assert in_range is None
            assert mean == 0
        else:
            assert 50 <= in_range <= 100
            assert microseconds > 0
    for name in WITHIN_BY_CONSTRUCTION:
        assert rows[name][9] == 100
    assert (folder / "credit_scoring.png").read_bytes().startswith(b"\x89PNG")
    return rows


def test_default(tmp_path):
    done = run(tmp_path, "--sample", 500)
    rows = check(done, tmp_path)
    assert "500 of 5,000 rows" in done.stdout
    assert rows["StandardScaler"][8] > 10


def test_log_loss(tmp_path):
    done = run(tmp_path, "--sample", 300, "--metric", "log_loss", "--seed", 1)
    rows = check(done, tmp_path, n_models=3)
    assert rows["StandardScaler"][2] is None


def test_a_table_of_ones_own(tmp_path):
    lines = ["id,amount,kind,flag,label"]
    for i in range(200):
        amount, label = "?" if i % 9 == 0 else 1.5 ** (i % 40), "yes" if i % 40 > 30 else "no"
        lines.append(f"{i},{amount},{'abc'[i % 3]},{i % 2 == 0},{label}")
    (tmp_path / "own.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run(tmp_path, "--data", "own.csv", "--target", "label", "--drop", "id")
    check(done, tmp_path)
    assert "1 numeric and 2 categorical" in done.stdout
    assert "Positive label: yes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x"], "go together"),
        (["--data", "nowhere.csv", "--target", "x"], "nowhere.csv"),
        (["--drop", "nothing"], "no such column: nothing"),
        (["--data", "three.csv", "--target", "x"], "two labels"),
        (["--data", "three.csv", "--target", "y"], "--folds must be from 2 to 1"),
    ],
)
def test_mistakes_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "three.csv").write_text("x,y\n1,1\n2,0\n3,0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(EXAMPLE))["main"](["--folds", "2", *arguments])
    assert message in capsys.readouterr().err


def test_a_missing_matplotlib_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    X, _ = make_credit_applications(100)
    with pytest.raises(SystemExit, match=re.escape('pip install "sknorm[examples]"')):
        runpy.run_path(str(EXAMPLE))["save_picture"](X, tmp_path / "picture.png")


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize(
    ("file", "target", "drop"),
    [
        ("german_credit.csv", "class", []),
        ("taiwan_credit_default.csv.gz", "default_next_month", ["--drop", "ID"]),
        ("credit_approval_crx.csv", "A16", []),
    ],
)
def test_real_data(tmp_path, file, target, drop):
    check(run(tmp_path, "--data", DATA / file, "--target", target, "--sample", 300, *drop), tmp_path)
