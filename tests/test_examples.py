"""Run the examples as a user would: as a command, on small settings."""

import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sknorm.datasets import make_credit_applications

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "credit_scoring.py"
STREAM = ROOT / "examples" / "fraud_stream.py"
GROUPS = ROOT / "examples" / "merchant_normalization.py"
OUTLIERS = ROOT / "examples" / "outliers.py"
DEPLOY = ROOT / "examples" / "deploy.py"
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
    """Run the comparison of normalizations with two folds."""
    return run_example(EXAMPLE, folder, "--folds", 2, "--jobs", 1, *arguments)


def run_example(example, folder, *arguments):
    """Run an example in a folder of its own, where the checkout cannot shadow the built package."""
    return subprocess.run(
        [sys.executable, example, *map(str, arguments)],
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


# The fraud stream.

FOLLOWED = ["no normalization", "frozen after day 1", "cumulative", "window of 1,200 rows", "half-life of 400 rows"]
RIVER = "River StandardScaler"


def has_river():
    return find_spec("river") is not None


def make_handbook(n_rows, seed=0):
    """Make transactions with the Handbook's columns, over three days, some in the same second."""
    rng = np.random.default_rng(seed)
    table = {"TX_TIME_SECONDS": np.sort(rng.integers(0, 3 * 86400, n_rows))}
    table["TX_TIME_SECONDS"][1::5] = table["TX_TIME_SECONDS"][:-1:5]
    table |= {"CUSTOMER_ID": rng.integers(0, 5, n_rows), "TERMINAL_ID": rng.integers(0, 7, n_rows)}
    table |= {"TX_AMOUNT": rng.integers(0, 9999, n_rows) / 100, "TX_FRAUD": (rng.random(n_rows) < 0.1).astype(int)}
    return pd.DataFrame(table)


def load_stream(path, *arguments):
    """Return the features as the example derives them."""
    example = runpy.run_path(str(STREAM))
    options = example["make_parser"]().parse_args(["--data", str(path), *arguments])
    return example["load_handbook"](options)


def check_stream(done, folder):
    """Check the table and the picture of a finished run; return {normalization: numbers}."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120
    rows = {}
    for line in done.stdout.splitlines():
        name, cells = line[:26].strip(), line[26:].replace(",", "").split()
        if name in [*FOLLOWED, RIVER]:
            rows[name] = [np.nan if cell == "-" else float(cell) for cell in cells]
    assert list(rows) == FOLLOWED + [RIVER] * has_river()
    assert ("River is not installed" in done.stdout) == (not has_river())
    for name, (*precision, speed, alone) in rows.items():
        assert len(precision) == 3
        assert all(0 < value <= 1 or (name == RIVER and np.isnan(value)) for value in precision)
        assert speed > 0
        assert np.isnan(alone) if name == "no normalization" else alone > 0
    assert (folder / "fraud_stream.png").read_bytes().startswith(b"\x89PNG")
    return rows


def test_stream(tmp_path):
    rows = check_stream(run_example(STREAM, tmp_path, "--rows", 20_000), tmp_path)
    assert rows["half-life of 400 rows"][1] > rows["cumulative"][1] > 5 * rows["no normalization"][1]
    if has_river():  # the same rule, so the same scores to rounding
        np.testing.assert_allclose(rows[RIVER][:3], rows["cumulative"][:3], atol=0.02)


def test_stream_of_logarithms(tmp_path):
    done = run_example(STREAM, tmp_path, "--rows", 8000, "--log", "--river-rows", 2000, "--seed", 1)
    check_stream(done, tmp_path)
    assert ("of the first 2,000 rows alone" in done.stdout) == has_river()


def test_stream_without_river(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "river.preprocessing", None)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(STREAM))["main"](["--rows", "3000", "--picture", ""])
    printed = capsys.readouterr().out
    assert "River is not installed" in printed
    assert RIVER not in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_features_of_the_handbook(tmp_path, suffix):
    table = make_handbook(300)
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(tmp_path / "own.parquet")
    else:
        table.to_csv(tmp_path / f"own{suffix}", index=False)
    X, y, day = load_stream(tmp_path / f"own{suffix}")
    np.testing.assert_array_equal(y, table["TX_FRAUD"])
    time = table["TX_TIME_SECONDS"].to_numpy()
    np.testing.assert_array_equal(day, time // 86400)
    np.testing.assert_array_equal(X["amount"], table["TX_AMOUNT"])
    for name, period in {"day": 86400, "week": 604800}.items():
        turn = np.arctan2(X[f"{name}_sin"], X[f"{name}_cos"]) / (2 * np.pi) % 1
        np.testing.assert_allclose(turn, time % period / period, atol=1e-9)
    for key, name in {"CUSTOMER_ID": "customer", "TERMINAL_ID": "terminal"}.items():
        for i in range(len(table)):
            past = table[: i + 1][table[key][: i + 1] == table[key][i]]
            recent = past[past["TX_TIME_SECONDS"] > time[i] - 86400]
            assert X[f"{name}_count_1d"][i] == len(recent)
            assert X[f"{name}_count_7d"][i] == len(past)
            assert X[f"{name}_mean_7d"][i] == pytest.approx(past["TX_AMOUNT"].mean(), abs=1e-9)
            if name == "customer":
                last = past["TX_TIME_SECONDS"].iloc[-2] if len(past) > 1 else 0
                assert X["seconds_since_last"][i] == time[i] - last


def test_features_know_neither_the_future_nor_the_labels(tmp_path):
    table = make_handbook(400)
    table.to_csv(tmp_path / "whole.csv", index=False)
    table.assign(TX_FRAUD=1 - table["TX_FRAUD"])[:200].to_csv(tmp_path / "half.csv", index=False)
    whole, half = load_stream(tmp_path / "whole.csv")[0], load_stream(tmp_path / "half.csv")[0]
    pd.testing.assert_frame_equal(whole[:200], half, rtol=1e-12)
    pd.testing.assert_frame_equal(load_stream(tmp_path / "whole.csv", "--rows", "200")[0], half)


def test_a_stream_of_ones_own(tmp_path):
    make_handbook(600).sample(frac=1, random_state=0).to_csv(tmp_path / "own.csv", index=False)
    done = run_example(STREAM, tmp_path, "--data", "own.csv", "--chunk", 50)
    check_stream(done, tmp_path)
    assert "own.csv: 600 rows in 3 days, 12 columns" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "other.csv"], "no such column: CUSTOMER_ID, TERMINAL_ID, TX_FRAUD, TX_TIME_SECONDS"),
        (["--rows", "0"], "invalid positive value: '0'"),
        (["--seed", "-1"], "random_state"),
        (["--data", "empty.csv"], "no rows"),
        (["--data", "own.csv", "--rows", "100"], "no fraud after the first day"),
        (["--rows", "50", "--seed", "3"], "no fraud after the first day"),
    ],
)
def test_mistakes_about_the_stream_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "other.csv").write_text("TX_AMOUNT,x\n1,1\n", encoding="utf-8")
    make_handbook(600).to_csv(tmp_path / "own.csv", index=False)
    make_handbook(600)[:0].to_csv(tmp_path / "empty.csv", index=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(STREAM))["main"](arguments)
    assert message in capsys.readouterr().err


def test_labels_do_not_overlap():
    spread = runpy.run_path(str(STREAM))["spread"]
    heights = spread({"a": 0.5, "b": 0.1, "c": 0.51, "d": 0.52, "e": 0.9}, 0.1)
    assert sorted(heights, key=heights.get) == ["b", "a", "c", "d", "e"]
    assert np.diff(sorted(heights.values())).min() == pytest.approx(0.1)
    assert heights["b"] == pytest.approx(0.1)
    assert heights["c"] == pytest.approx(0.51)
    assert heights["e"] == pytest.approx(0.9)


def test_the_stream_names_the_extra_of_a_missing_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example = runpy.run_path(str(STREAM))
    options = example["make_parser"]().parse_args(["--picture", str(tmp_path / "picture.png")])
    with pytest.raises(SystemExit, match=re.escape('pip install "sknorm[examples]"')):
        example["save_picture"]({}, "", options)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_stream_of_the_handbook(tmp_path):
    file = DATA / "handbook_transactions_first30days.csv.gz"
    done = run_example(STREAM, tmp_path, "--data", file, "--rows", 30_000, "--river-rows", 15_000)
    rows = check_stream(done, tmp_path)
    assert rows["cumulative"][0] > 2 * rows["no normalization"][0]


# Amounts scaled by key.


def check_groups(done, folder, second="merchant"):
    """Check the table and the picture of a finished run; return {representation: numbers}."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120
    alone, both = ["raw", "global"], f"per customer, per {second}"
    grouped = ["per customer", f"per {second}", both, f"per pair of customer and {second}", f"raw, {both}"]
    rows = {}
    for line in done.stdout.splitlines():
        if (name := line[:38].strip()) in alone + grouped:
            rows[name] = [np.nan if cell == "-" else float(cell) for cell in line[38:].split()]
    assert list(rows) == alone + grouped
    for name, row in rows.items():
        assert np.isnan(row).tolist() == [False, name in alone, name in alone] * 2
        assert all(0 < cell <= 1 for cell in row if not np.isnan(cell))
    assert rows["raw"][0] == rows["raw"][3]
    assert (folder / "merchant_normalization.png").read_bytes().startswith(b"\x89PNG")
    return rows


def test_groups(tmp_path):
    rows = check_groups(run_example(GROUPS, tmp_path, "--rows", 20_000), tmp_path)
    assert rows["per merchant"][0] > 3 * rows["raw"][0]
    assert rows["per pair of customer and merchant"][0] < 2 * rows["raw"][0]


def test_groups_of_logarithms(tmp_path):
    done = run_example(GROUPS, tmp_path, "--rows", 20_000, "--log", "--smooth", 3, "--seed", 1, "--below", 900)
    rows = check_groups(done, tmp_path)
    assert "amounts to 900, logarithms" in done.stdout
    assert rows["per merchant"][2] > 2 * rows["raw"][0]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_groups_of_ones_own(tmp_path, suffix):
    table = make_handbook(2000).sample(frac=1, random_state=0)
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(tmp_path / "own.parquet")
    else:
        table.to_csv(tmp_path / f"own{suffix}", index=False)
    done = run_example(GROUPS, tmp_path, "--data", f"own{suffix}", "--rows", 1500)
    check_groups(done, tmp_path, "terminal")
    assert f"own{suffix}: 1,500 rows, 5 customers, 7 terminals" in done.stdout


def test_what_is_prequential_knows_nothing_later():
    example = runpy.run_path(str(GROUPS))
    options = example["make_parser"]().parse_args(["--rows", "3000"])
    table, _ = example["load"](options)
    known = {}
    for verb in ("prequential", "with hindsight"):
        whole, half = (example["scale"](part, ("merchant",), verb, 5) for part in (table, table[:1500]))
        known[verb] = np.array_equal(whole[:1500], half)
    assert known == {"prequential": True, "with hindsight": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "other.csv"], "no such column: CUSTOMER_ID, TERMINAL_ID, TX_FRAUD, TX_TIME_SECONDS"),
        (["--rows", "0"], "invalid positive value: '0'"),
        (["--seed", "-1"], "random_state"),
        (["--below", "0"], "no rows"),
        (["--rows", "50"], "need both genuine and fraudulent rows"),
    ],
)
def test_mistakes_about_groups_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "other.csv").write_text("TX_AMOUNT,x\n1,1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(GROUPS))["main"](arguments)
    assert message in capsys.readouterr().err


def test_the_groups_name_the_extra_of_a_missing_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example = runpy.run_path(str(GROUPS))
    options = example["make_parser"]().parse_args(["--picture", str(tmp_path / "picture.png")])
    with pytest.raises(SystemExit, match=re.escape('pip install "sknorm[examples]"')):
        example["save_picture"](pd.DataFrame(), 0.01, "", options)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_groups_of_the_handbook(tmp_path):
    file = DATA / "handbook_transactions_first30days.csv.gz"
    rows = check_groups(run_example(GROUPS, tmp_path, "--data", file, "--below", 220), tmp_path, "terminal")
    assert rows["per customer"][2] > 3 * rows["raw"][0]


# Outliers.


def check_outliers(done, folder):
    """Check the table and the picture of a finished run; return {preparation: numbers}."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120
    names = list(runpy.run_path(str(OUTLIERS))["PREPARATIONS"])
    rows = {}
    for line in done.stdout.splitlines():
        if (name := line[:31].strip()) in names:
            rows[name] = [np.nan if cell == "-" else float(cell) for cell in line[31:].replace("%", "").split()]
    assert list(rows) == names
    for row in rows.values():
        assert len(row) == 10
        assert all(0 < error < 0.7 for error in row[:4] + row[5:9])
    assert all(percent == 0 or np.isnan(percent) for percent in rows["StandardScaler"][4::5])
    assert (folder / "outliers.png").read_bytes().startswith(b"\x89PNG")
    return rows


def test_outliers(tmp_path):
    done = run_example(OUTLIERS, tmp_path, "--sample", 1000)
    rows = check_outliers(done, tmp_path)
    assert "1,000 of 5,000 rows, 12 numeric columns" in done.stdout
    for percents in zip(*(row[4::5] for row in rows.values()), strict=True):
        prevented = dict(zip(rows, percents, strict=True))
        assert prevented["MAD clip, StandardScaler"] > 50
        assert prevented["StandardScaler, hard clip 3"] < 50
    assert "- Clip before the scale is learned, not after" in done.stdout


def test_outliers_in_learning_alone(tmp_path):
    done = run_example(OUTLIERS, tmp_path, "--sample", 400, "--folds", 2, "--clean", "--seed", 1)
    rows = check_outliers(done, tmp_path)
    assert "judged on rows without corruption" in done.stdout
    assert rows["MAD clip, StandardScaler"][3] < rows["StandardScaler"][3]


def test_outliers_in_a_table_of_ones_own(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": range(200), "kind": "a", "amount": rng.exponential(size=200), "empty": np.nan})
    table["label"] = np.where(table["amount"] + rng.random(200) > 2, "yes", "no")
    table.loc[::9, "amount"] = np.nan
    table.to_csv(tmp_path / "own.csv", index=False, na_rep="?")
    done = run_example(OUTLIERS, tmp_path, "--data", "own.csv", "--target", "label", "--drop", "id", "--folds", 2)
    check_outliers(done, tmp_path)
    assert "own.csv: 200 of 200 rows, 2 numeric columns" in done.stdout


def test_corruption_grows():
    corrupt = runpy.run_path(str(OUTLIERS))["corrupt"]
    X = np.random.default_rng(1).normal(size=(2000, 3))
    X[0] = np.nan
    few, many = corrupt(X, 0.01, 0), corrupt(X, 0.05, 0)
    np.testing.assert_array_equal(corrupt(X, 0, 0), X)
    np.testing.assert_array_equal(few[few != X], 1000 * X[few != X])
    np.testing.assert_array_equal(many[few != X], few[few != X])
    assert np.mean(many != X) == pytest.approx(0.05, abs=0.01)


def test_conclusions_about_outliers_follow_the_figures():
    example = runpy.run_path(str(OUTLIERS))
    shares, names = example["SHARES"], list(example["PREPARATIONS"])
    columns = pd.MultiIndex.from_product([example["MODELS"], shares])
    errors = pd.DataFrame(np.tile([0.2, 0.3, 0.35, 0.4], (len(names), 2)), index=names, columns=columns)
    swelling = {share: np.full(3, 1 + 1000 * share) for share in shares}

    def concluded(errors):
        return " ".join("\n".join(example["conclude"](errors, swelling)).split())

    assert "Clip before" not in concluded(errors)
    assert "A robust scale" not in concluded(errors)
    assert "error 0.000 higher" in concluded(errors)
    errors.loc[["MAD clip, StandardScaler", "RobustScaler, soft clip 3"]] = 0.2
    assert "Clip before" in concluded(errors)
    assert "divided by 51 times" in concluded(errors)
    assert "A robust scale" in concluded(errors)
    assert "Quantiles help" not in concluded(errors)
    errors.loc["quantile clip, StandardScaler", [("logistic", shares[1]), ("k-NN", shares[1])]] = 0.21
    assert "Quantiles help" in concluded(errors)
    errors.loc["MAD clip, StandardScaler", "k-NN"] = [0.3, 0.4, 0.4, 0.4]
    assert "Clip before" not in concluded(errors)
    assert "costs little" not in concluded(errors)
    errors.loc["RobustScaler"] = 0.2
    assert concluded(errors) == "The figures of the two models have no conclusion in common."
    errors.loc["StandardScaler", ("k-NN", shares[1])] = 0.5
    assert "Few outliers" not in concluded(errors)
    swelling[shares[1]] = np.array([1, 2, 30])
    assert "Few outliers" in concluded(errors)
    errors.loc[:] = 0.2  # outliers do nothing, so nothing is prevented
    assert concluded(errors).count("- ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x"], "go together"),
        (["--data", "nowhere.csv", "--target", "x"], "nowhere.csv"),
        (["--drop", "nothing"], "no such column: nothing"),
        (["--data", "three.csv", "--target", "x"], "two labels"),
        (["--data", "three.csv", "--target", "y"], "--folds must be from 2 to 1"),
        (["--sample", "40"], "at least 50 rows"),
        (["--seed", "-1"], "random_state"),
    ],
)
def test_mistakes_about_outliers_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "three.csv").write_text("x,y\n1,1\n2,0\n3,0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(OUTLIERS))["main"](arguments)
    assert message in capsys.readouterr().err


def test_the_outliers_name_the_extra_of_a_missing_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example = runpy.run_path(str(OUTLIERS))
    options = example["make_parser"]().parse_args(["--picture", str(tmp_path / "picture.png")])
    with pytest.raises(SystemExit, match=re.escape('pip install "sknorm[examples]"')):
        example["save_picture"](pd.DataFrame(), "", options)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_outliers_in_real_data(tmp_path):
    arguments = ["--data", DATA / "taiwan_credit_default.csv.gz", "--target", "default_next_month", "--drop", "ID"]
    done = run_example(OUTLIERS, tmp_path, *arguments, "--sample", 400, "--folds", 2)
    rows = check_outliers(done, tmp_path)
    assert rows["MAD clip, StandardScaler"][3] < rows["StandardScaler"][3]


# One score in several places.


def check_deployed(done):
    """Return the largest differences by place, after checking that there is one for each."""
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(scikit-learn|ONNX Runtime|DuckDB|PyTorch) +(\S+) +([\d.]+)$", done.stdout, re.MULTILINE)
    differences = {name: float(difference) for name, difference, _ in rows}
    assert list(differences) == ["scikit-learn", "ONNX Runtime", "DuckDB", "PyTorch"]
    assert max(differences.values()) < 1e-12
    assert 'FROM "applications"' in done.stdout
    return differences


needs_places = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("duckdb", "onnxruntime", "skl2onnx", "sqlglot", "torch")),
    reason="not all of duckdb, onnxruntime, skl2onnx, sqlglot and torch are installed",
)


@needs_places
def test_deployed_scores_agree(tmp_path):
    done = run_example(DEPLOY, tmp_path, "--rows", 500)
    assert check_deployed(done)["scikit-learn"] == 0
    assert "ROC AUC on the scored rows: 0.7" in done.stdout


@needs_places
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_deployed_scores_of_real_data_agree(tmp_path):
    data = ["--data", DATA / "taiwan_credit_default.csv.gz", "--target", "default_next_month", "--drop", "ID"]
    check_deployed(run_example(DEPLOY, tmp_path, *data, "--rows", 50))


@needs_places
def test_a_place_that_disagrees_is_an_error(monkeypatch, capsys):
    example = runpy.run_path(str(DEPLOY))
    monkeypatch.setitem(example["PLACES"], "DuckDB", lambda pipeline, rows: lambda: np.full(len(rows), 0.5))
    with pytest.raises(SystemExit, match=r"differ by .*, more than 1e-06"):
        example["main"](["--rows", "10"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x"], "go together"),
        (["--data", "nowhere.csv", "--target", "x"], "nowhere.csv"),
        (["--drop", "nothing"], "no such column: nothing"),
        (["--rows", "0"], "--rows must be from 1 to 2500"),
    ],
)
def test_mistakes_about_deploying_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(DEPLOY))["main"](arguments)
    assert message in capsys.readouterr().err
