"""Families in the shell: solve, resume, predict, plot, listings, refusals; on an operator that learns in a second."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import safetensors.torch
import torch

import pdekit
from pdekit.cli import main

KEYS = [
    "problem",
    "solver",
    "seed",
    "success",
    "status",
    "message",
    "rel_l2",
    "rel_l2_worst",
    "rel_l2_median",
    "rel_l2_resolutions",
    "mean_predictor",
    "train_seconds",
    "data_seconds",
    "seconds_per_case",
    "classical_seconds_per_case",
    "break_even_cases",
    "steps",
    "parameters",
    "device",
    "dtype",
    "versions",
    "bands",
]


def options(**changes):
    given = {"problem.points": 16, "problem.modes": 3, "train": 30, "test": 8, "batch": 10, "width": 6}
    given |= {"solver.modes": 3, "depth": 1, "training.steps": 60, "record_every": 20} | changes
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(autouse=True)
def quiet_backend():
    threads, backend = torch.get_num_threads(), matplotlib.get_backend()
    torch.set_num_threads(1)
    matplotlib.use("Agg")
    yield
    torch.set_num_threads(threads)
    matplotlib.use(backend)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shell")


@pytest.fixture(scope="module")
def run(place) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert main(solving(place, "--out", str(place / "run"))) == 0
    torch.set_num_threads(threads)
    return place / "run"


def solving(place, *more, **changes):
    words = ["solve", "advection-family", "--solver", "fno", "--data", str(place / "data"), "--quiet"]
    return [*words, *options(**changes), *more]


def said(capsys):
    return json.loads(capsys.readouterr().out)


def test_solve_prints_one_json_object_with_every_key(place, run, capsys):
    capsys.readouterr()
    assert main(solving(place, "--json")) == 0
    found = said(capsys)
    assert not [key for key in KEYS if key not in found]
    assert list(found["rel_l2_resolutions"]) == ["16", "32", "64"]
    assert found["rel_l2"] < found["mean_predictor"] and found["dtype"] == "float32"
    assert main(solving(place, "--json", "--rtol", "1e-9")) == 3


def test_a_run_holds_files_and_figures(run):
    files = {path.name for path in run.iterdir()}
    expected = "config.toml history.csv result.json environment.json state.pt weights.safetensors cases.npz"
    assert {*expected.split(), "examples.png", "bands.png", "resolutions.png", "history.png"} <= files
    assert 'data = "' in (run / "config.toml").read_text()
    back = pdekit.load_operator(run)  # config.toml names family and solver
    assert back.learner.architecture.width == 6 and back.predictor.family.points == 16


def test_resuming_is_bitwise(place, run, capsys):
    other = place / "interrupted"
    assert main(solving(place, "--out", str(other), "--steps", "25")) in (0, 3)
    assert main(["solve", "--resume", str(other), "--steps", "60", "--quiet"]) == 0
    one, two = (safetensors.torch.load_file(at / "weights.safetensors") for at in (run, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_predict_writes_what_the_operator_says(run, place, capsys):
    operator = pdekit.load_operator(run)
    family = operator.predictor.family
    inputs = family.at(32).sample(3, torch.Generator().manual_seed(5)).numpy()
    np.savez(place / "in.npz", inputs=inputs)
    capsys.readouterr()
    assert main(["predict", str(run), str(place / "in.npz"), "--out", str(place / "u.npz"), "--json"]) == 0
    found = said(capsys)
    assert found["cases"] == 3 and found["shape"] == [3, 32, 1] and found["far"] == 0
    with np.load(place / "u.npz") as file:
        assert np.array_equal(file["outputs"], operator.predict(inputs))
        assert np.array_equal(file["outputs.x"], np.arange(32) / 32) and file["periodic"].tolist() == ["x"]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"inputs": np.zeros((2, 4))}, "modes"),
        ({"inputs": np.zeros((0, 16))}, "got 0 cases"),
        ({"inputs": np.full((2, 16), np.nan)}, "case 0 holds NaN"),
        ({"inputs": np.zeros((2, 16, 3))}, "got shape (2, 16, 3)"),
        ({"f": np.zeros((2, 16))}, "got arrays f, expected 'inputs'"),
    ],
)
def test_bad_inputs_are_refused_and_nothing_is_written(arrays, said, run, place, tmp_path, capsys):
    np.savez(tmp_path / "in.npz", **arrays)
    assert main(["predict", str(run), str(tmp_path / "in.npz"), "--out", str(tmp_path / "u.npz")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "u.npz").exists()


def test_far_inputs_are_told(run, tmp_path, capsys):
    np.savez(tmp_path / "in.npz", inputs=np.full((1, 16), 1e3))
    assert main(["predict", str(run), str(tmp_path / "in.npz"), "--out", str(tmp_path / "u.npz")]) == 0
    assert "warning: advection-family: 1 of 1 inputs are far outside" in capsys.readouterr().err


def test_figures_are_drawn_again_one_by_one(run, tmp_path, capsys):
    assert main(["plot", str(run), "--figure", "bands", "--out", str(tmp_path / "bands.png")]) == 0
    assert (tmp_path / "bands.png").stat().st_size > 1000
    assert main(["plot", str(run), "--figure", "field", "--out", str(tmp_path / "u.png")]) == 2
    assert "expected one of examples, bands" in capsys.readouterr().err


def test_listings_name_operator_solvers_and_their_families(capsys):
    assert main(["solvers", "--json"]) == 0
    assert "fno" in [row["name"] for row in said(capsys)["operator_solvers"]]
    assert main(["show", "fno", "--json"]) == 0
    shown = said(capsys)
    assert "darcy-family" in shown["families"] and "architecture.modes" in shown["options"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["solve", "poisson-sine", "--solver", "fno"], "'fno', which learns families"),
        (["solve", "darcy-family", "--solver", "pinn"], "'pinn', which solves single problems"),
        (["solve", "darcy-family", "--solver", "fnoo"], "did you mean 'fno'"),
        (["solve", "poisson-sine", "--solver", "multigrid", "--data", "d"], "expected it with a family only"),
        (["solve", "darcy-family", "--solver", "fno", "--set", "train=0"], "train: got 0"),
        (["solve", "darcy-family", "--solver", "fno", "--set", "lenght=3"], "unknown option 'lenght'"),
    ],
)
def test_wrong_commands_are_usage_errors(words, answer, capsys):
    assert main(words) == 2
    assert answer in capsys.readouterr().err


def test_too_coarse_a_grid_is_refused_before_training(place, capsys):
    assert main(solving(place, **{"problem.points": 8, "solver.modes": 8})) == 1
    assert "modes" in capsys.readouterr().err


def test_a_family_of_ones_own_is_learnt_by_name(place, capsys):
    file = place / "mine.py"
    file.write_text(
        "from pdekit.problems import AdvectionFamily\nMine = AdvectionFamily(points=16, modes=3, speed=0.1)\n"
    )
    words = solving(place, "--json", **{"problem.points": 16})
    words[1] = f"{file}:Mine"
    assert main(words) == 0
    assert said(capsys)["parameters_of_problem"]["speed"] == 0.1
