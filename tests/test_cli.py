"""The command: what it prints where, its exit codes, and that it fails in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pdekit.problems import CATALOGUE, FAMILIES
from pdekit.solvers import OPERATOR_SOLVERS, SOLVERS

import pdekit
from pdekit.checkpoint import read_checkpoint
from pdekit.cli import main

QUICK = ("--solver", "finite-difference", "--set", "points=33")
TINY = ("--solver", "pinn", "--set", "width=4", "--set", "depth=2", "--set", "points=16", "--set", "polish=1")


class Done:
    """What a command in this process left."""

    def __init__(self, code, captured):
        self.code, self.out, self.err = code, captured.out, captured.err

    @property
    def data(self):
        def refuse(word):
            raise AssertionError(f"{word} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


@pytest.fixture
def run(capsys):
    def call(*argv):
        return Done(main([str(a) for a in argv]), capsys.readouterr())

    return call


def shell(*argv, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "pdekit", *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "finished"
    assert main(["solve", "poisson-four-modes", *QUICK, "--out", str(path)]) == 0
    return path


# Listings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("problems", {"problems": CATALOGUE, "families": FAMILIES}),
        ("solvers", {"solvers": SOLVERS, "operator_solvers": OPERATOR_SOLVERS}),
    ],
)
def test_listings_name_everything(run, command, kinds):
    text, data = run(command), run(command, "--json")
    assert text.code == data.code == 0
    lines = [line for line in text.out.splitlines() if line and not line.endswith(":")]  # without headings
    assert [line.split("(")[0].split()[0] for line in lines] == [name for names in kinds.values() for name in names]
    assert {kind: [row["name"] for row in data.data[kind]] for kind in kinds} == {k: list(v) for k, v in kinds.items()}
    assert all(len(line.split()) > 1 for line in lines)  # each says what it is
    assert text.err == data.err == ""


@pytest.mark.parametrize("name", [*CATALOGUE, *FAMILIES, *SOLVERS, *OPERATOR_SOLVERS])
def test_show_describes_everything(run, name):
    text, data = run("show", name), run("show", name, "--json")
    assert text.code == data.code == 0
    assert text.out.startswith(name)
    assert len(data.data["description"]) > 5


def test_show_lists_the_options(run):
    assert "network.width" in run("show", "pinn").out
    assert run("show", "poisson-nd", "--json").data["parameters"] == {"dim": 5, "variant": "cosine"}


def test_doctor(run):
    text, data = run("doctor"), run("doctor", "--json")
    assert text.code == data.code == 0
    subjects = {row["subject"] for row in data.data["findings"]}
    assert {"threads", "device", "compiler", "meshio", "deepxde"} <= subjects
    assert all(subject in text.out for subject in subjects)


# Solving -------------------------------------------------------------------------------------------------------------


def test_solve_prints_six_lines(run):
    done = run("solve", "poisson-four-modes", *QUICK)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 6
    assert done.err == ""


def test_solve_prints_one_json_object(run):
    done = run("solve", "poisson-sine", *QUICK, "--set", "k=2", "--seed", 5, "--json")
    assert done.code == 0, done.err
    assert (done.data["problem"], done.data["solver"], done.data["seed"]) == ("poisson-sine", "finite-difference", 5)
    assert done.data["parameters_of_problem"]["k"] == 2
    assert 0 < done.data["rel_l2"] < 0.1
    assert done.data["success"] is True


def test_an_unmet_tolerance_is_3(run):
    done = run("solve", "poisson-sine", *QUICK, "--rtol", "1e-9", "--json")
    assert done.code == 3, done.err
    assert done.data["success"] is False
    assert done.data["rtol"] == 1e-9


def test_out_holds_the_run(finished, run):
    names = {path.name for path in finished.iterdir()}
    assert {
        "config.toml",
        "history.csv",
        "result.json",
        "environment.json",
        "weights.safetensors",
        "field.png",
    } <= names
    assert pdekit.load(finished).success


def test_a_run_can_be_repeated_from_its_config(finished, run, tmp_path):
    done = run("solve", "--config", finished / "config.toml", "--json")
    assert done.code == 0, done.err
    assert done.data["rel_l2"] == json.loads((finished / "result.json").read_text())["rel_l2"]


def test_the_command_line_goes_before_the_file(run, tmp_path):
    path = tmp_path / "f.toml"
    path.write_text('problem = "poisson-sine"\n[solver]\nname = "finite-difference"\npoints = 9\n[run]\nseed = 1\n')
    assert run("solve", "--config", path, "--json").data["points"] == 81
    done = run("solve", "--config", path, "--set", "points=17", "--seed", 2, "--json")
    assert (done.data["points"], done.data["seed"]) == (17**2, 2)
    done = run("solve", "poisson-four-modes", "--config", path, "--json")
    assert (done.data["problem"], done.data["points"], done.data["seed"]) == ("poisson-four-modes", 9, 1)


def test_an_unknown_key_in_the_file_is_refused(run, tmp_path):
    path = tmp_path / "f.toml"
    path.write_text('problem = "poisson-sine"\nsolver = "pinn"\n[run]\nsede = 1\n')
    done = run("solve", "--config", path)
    assert done.code == 2
    assert "did you mean 'seed'" in done.err


OWN = """
from pdekit import Dirichlet, Elliptic, Interval
class Own(Elliptic):
    name = "own"
    domain = Interval(0.0, 1.0)
    conditions = (Dirichlet(),)
    def source(self, x):
        return 0 * x + 2
    def exact(self, x):
        return x * (1 - x)
class Broken(Own):
    exact = None
    def source(self, x):
        raise KeyError("lost")
"""


def test_a_problem_of_ones_own(run, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    done = run("solve", f"{path}:Own", *QUICK, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert done.data["rel_l2"] < 1e-6
    assert run("export", tmp_path / "run", tmp_path / "u.csv").code == 0


def test_its_errors_take_one_line(run, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    done = run("solve", f"{path}:Broken", *QUICK)
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert "lost" in done.err


def test_traceback_shows_where(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    with pytest.raises(Exception, match="lost"):
        main(["solve", f"{path}:Broken", *QUICK, "--traceback"])


# Figures and exports -------------------------------------------------------------------------------------------------


def test_plot_all(run, finished):
    (finished / "field.png").unlink()
    done = run("plot", finished, "--json")
    assert done.code == 0, done.err
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in done.data["figures"])
    assert (finished / "field.png").exists()


@pytest.mark.parametrize("figure", ["field", "spectrum"])
def test_plot_one(run, finished, tmp_path, figure):
    done = run("plot", finished, "--out", tmp_path / "one.png", "--figure", figure)
    assert done.code == 0, done.err
    assert done.out.split() == [str(tmp_path / "one.png")]
    assert (tmp_path / "one.png").stat().st_size > 1000


@pytest.mark.parametrize("suffix", ["vtu", "csv", "npz"])
def test_export(run, finished, tmp_path, suffix):
    path = tmp_path / f"u.{suffix}"
    done = run("export", finished, path)
    assert done.code == 0, done.err
    assert path.stat().st_size > 100


# Failing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ((), 2, "usage"),
        (("slove",), 2, "did you mean 'solve'"),
        (("solve", "poisson-sin", *QUICK), 2, "did you mean 'poisson-sine'"),
        (("solve", "poisson-sine", "--solver", "pin"), 2, "did you mean 'pinn'"),
        (("solve", "poisson-sine"), 2, "--solver"),
        (("solve", "--solver", "pinn"), 2, "PROBLEM"),
        (("solve", "poisson-sine", "--solver", "pinn", "--set", "rtoll=1"), 2, "did you mean 'rtol'"),
        (("solve", "poisson-sine", "--solver", "pinn", "--set", "widht=1"), 2, "did you mean 'width'"),
        (("solve", "poisson-sine", "--solver", "pinn", "--set", "width"), 2, "expected key=value"),
        (("solve", "poisson-sine", "--solver", "pinn", "--set", "k=1.5"), 2, "an integer"),
        (("solve", "poisson-sine", "--solver", "pinn", "--set", "learning_rate=-1"), 2, "learning_rate"),
        (("solve", "poisson-sine", "--solver", "pinn", "--stesp", "3"), 2, "did you mean '--steps'"),
        (("solve", "poisson-sine", "--solver", "pinn", "--steps", "1.5"), 2, "--steps"),
        (("solve", "poisson-sine", "--solver", "pinn", "--steps", "0"), 2, "steps"),
        (("solve", "poisson-sine", "--solver", "pinn", "--seed", "-1"), 2, "seed"),
        (("solve", "poisson-sine", "--solver", "pinn", "--rtol", "2"), 2, "rtol"),
        (("solve", "poisson-sine", "--solver", "pinn", "--device", "tpu"), 2, "--device"),
        (("solve", "poisson-sine", "--solver", "pinn", "--config", "no.toml"), 1, "no.toml"),
        (("solve", "nowhere.py:X", "--solver", "pinn"), 1, "nowhere.py"),
        (("solve", "newton-law", "--solver", "deep-ritz"), 1, "newton-law"),
        (("solve", "poisson-sine", *QUICK, "--out", "con"), 1, "con"),
        (("solve", "--resume", "nowhere"), 1, "nowhere"),
        (("show", "pin"), 2, "did you mean"),
        (("plot", "nowhere"), 1, "nowhere"),
        (("export", "nowhere", "u.vtu"), 1, "nowhere"),
    ],
)
def test_failing_takes_one_line_and_the_right_code(run, argv, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = time.process_time()
    done = run(*argv)
    assert time.process_time() - started < 1.0
    assert done.code == code, done.err
    assert words in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert len([line for line in done.err.splitlines() if "error:" in line]) <= 1
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_json_too(run):
    done = run("solve", "poisson-sin", *QUICK, "--json")
    assert done.code == 2
    assert done.data["success"] is False
    assert done.data["error"]["kind"] == "UnknownNameError"


def test_export_to_an_unknown_kind(run, finished, tmp_path):
    done = run("export", finished, tmp_path / "u.xyz")
    assert done.code == 2
    assert ".vtu" in done.err


@pytest.mark.parametrize("flag", [("--solver", "pinn"), ("--set", "k=1"), ("--config", "x.toml")])
def test_resume_takes_no_other_problem(run, finished, flag):
    done = run("solve", "--resume", finished, *flag)
    assert done.code == 2
    assert flag[0] in done.err


def test_resume_refuses_another_problem(run, finished):
    done = run("solve", "poisson-sine", "--resume", finished)
    assert done.code == 1
    assert "poisson-sine" in done.err


def test_resume_with_a_larger_budget(run, tmp_path):
    path = tmp_path / "run"
    straight = run("solve", "poisson-sine", *TINY, "--set", "training.steps=6", "--json").data
    first = run("solve", "poisson-sine", *TINY, "--set", "training.steps=6", "--steps", 3, "--out", path, "--json")
    assert first.data["steps"] == 3, first.err
    again = run("solve", "--resume", path, "--steps", 100, "--json")
    assert again.code in (0, 3), again.err
    assert again.data["steps"] == straight["steps"]
    assert again.data["rel_l2"] == straight["rel_l2"]
    other = run("solve", "--resume", path, "--seed", 9, "--json")
    assert len(other.err.splitlines()) == 1  # the warning, in one line
    assert other.err.startswith("warning: resuming")
    assert "seed" in other.err


# Processes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("solve", "--help")])
def test_help_needs_no_torch(argv):
    script = f"import sys; from pdekit.cli import main; code = main({list(argv)!r}); sys.exit(code or 'torch' in sys.modules)"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "pdekit" in done.stdout
    assert time.perf_counter() - started < 10  # half a second on a machine that is not busy


def test_help_shows_examples_and_codes():
    done = shell("solve", "--help")
    text = done.communicate(timeout=60)[0]
    assert "examples:" in text
    assert "exit codes:" in text
    assert "130" in text


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_an_interrupted_run_is_saved_and_goes_on(number, code, tmp_path, run):
    path = tmp_path / "run"
    process = shell("solve", "poisson-sine", *TINY, "--set", "training.steps=1000000", "--out", path)
    deadline = time.monotonic() + 100
    while not (path / "state.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f"pdekit solve --resume {path}" in err
    steps = read_checkpoint(path / "state.pt")["step"]
    done = run("solve", "--resume", path, "--steps", steps + 2, "--json")
    assert done.code in (0, 3), done.err
    assert done.data["steps"] == steps + 2


def test_a_reader_that_leaves_is_no_error(tmp_path):
    process = shell("problems")
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
