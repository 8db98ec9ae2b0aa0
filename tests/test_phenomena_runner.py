"""Runs of experiments: what is written, what is not run again, and that one failure stops no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pdekit.cli import main
from pdekit.errors import ConfigError, MissingDataError, PdekitWarning, RunLockedError, ShapeError, UnknownNameError
from pdekit.phenomena import (
    Claim,
    Context,
    Experiment,
    Finding,
    Size,
    Verdict,
    data,
    experiments,
    registry,
    run,
    run_experiments,
    runner,
    select,
)
from pdekit.rundir import RunDirectory


@dataclass(frozen=True)
class Config:
    count: int = 3
    names: tuple[str, ...] = ("a", "b")


def good(config, context):
    context.report("drawing", 0.5)
    draws = [float(context.numpy_generator(seed, "numbers").random()) for seed in context.seeds]

    def line(figure):
        axes = figure.subplots()
        axes.plot(range(config.count))

    claim = Claim.over_seeds("numbers are small", "all | below 1", {"number": draws}, [d < 1 for d in draws])
    arrays = {"draws": np.array(draws), "threads": np.array(context.jobs)}
    return Finding((claim,), arrays, {"line": line}, ("made up",), {"limit": np.float64(1), "never": np.inf})


def bad(config, context):
    warnings.warn("the grid is coarse", PdekitWarning, stacklevel=1)
    claims = (Claim("a", "x = 1", {"x": 1.0}, True), Claim("b", "x = 2", {"x": np.float32(1)}, False, note="it is 1"))
    return Finding(claims)


def broken(config, context):
    return 1 / (config.count - config.count)


def undrawable(config, context):
    return Finding((Claim("a", "x = 1", {"x": 1.0}, True),), figures={"none": lambda figure: broken(config, context)})


def with_data(config, context):
    found = data.mnist(context.data)
    return Finding((Claim("a", "some", {"n": len(found.train)}, True),), provenance=(found.provenance,))


def slow(config, context):
    time.sleep(60)
    return bad(config, context)


def experiment(function, **changes):
    return Experiment(
        function.__name__, 4, "Fig. 0", f"title of {function.__name__}", Config(), Config(9), function, **changes
    )


EVERY = [experiment(f) for f in (good, bad, broken, with_data, undrawable)]


@pytest.fixture(autouse=True)
def same_code(monkeypatch):
    """The checkout may be edited while tests run."""
    monkeypatch.setattr(runner, "code_digest", lambda: "code")


@pytest.fixture
def catalogue(monkeypatch):
    monkeypatch.setattr(registry, "experiments", lambda chapter=None: tuple(EVERY))


def verdicts(report):
    return [str(outcome.verdict) for outcome in report.outcomes]


# Claims and findings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "expected"), [("11110", True), ("11100", False), ("111", True), ("110", False), ("1" * 16 + "0" * 4, True)]
)
def test_four_of_five_seeds_and_all_of_three(held, expected):
    seeds = [letter == "1" for letter in held]
    assert Claim.over_seeds("a", "b", {"x": [0.0] * len(seeds)}, seeds).holds is expected


def test_claims_and_findings_that_say_nothing_are_refused():
    with pytest.raises(ConfigError, match="no text or no criterion"):
        Claim("a", "", {"x": 1.0}, True)
    with pytest.raises(ConfigError, match="expected the numbers"):
        Claim("a", "b", {}, True)
    with pytest.raises(ShapeError, match="x: got 2 numbers, expected one per seed, 3"):
        Claim.over_seeds("a", "b", {"x": [1.0, 2.0]}, [True] * 3)
    with pytest.raises(ConfigError, match="claims: got none"):
        Finding(())
    with pytest.raises(ConfigError, match=r"arrays\['x'\]: got list"):
        Finding((Claim("a", "b", {"x": 1.0}, True),), {"x": [1]})


def test_random_streams_are_reproducible_and_independent():
    first, again = (Context().generator(3, "weights", 1).initial_seed() for _ in range(2))
    others = [
        Context().generator(*key).initial_seed()
        for key in ((3,), (3, "weights"), (3, "weights", "1"), (4, "weights", 1))
    ]
    assert first == again and len({first, *others}) == 5


def test_seeds_and_sizes():
    one = experiment(good, quick_seeds=2, full_seeds=4)
    assert one.seeds(Size.QUICK) == (0, 1) and one.seeds(Size.FULL, 7) == (7, 8, 9, 10)
    assert one.config(Size.FULL).count == 9


# Runs ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_failure_stops_no_other(tmp_path, jobs):
    report = run_experiments(EVERY, Size.QUICK, 0, tmp_path / "out", jobs=jobs)
    assert verdicts(report) == ["pass", "fail", "error", "not-run", "error"] and not report.success
    messages = [outcome.message for outcome in report.outcomes]
    assert messages[2].startswith("ZeroDivisionError: division by zero (test_phenomena_runner.py:")
    assert "give --data DIR" in messages[3]
    assert sorted(path.name for path in (tmp_path / "out" / "undrawable").glob("*.png")) == []
    assert report.outcomes[1].record["warnings"] == ["the grid is coarse"]


def test_what_an_experiment_leaves(tmp_path):
    run_experiments([experiment(good)], Size.QUICK, 5, tmp_path, jobs=2)
    folder = tmp_path / "good"
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["experiment"] == {"id": "good", "size": "quick", "seeds": [5, 6, 7]}
    assert config["config"] == {"kind": "Config", "count": 3, "names": ["a", "b"]}
    record = json.loads((folder / "finding.json").read_text())
    assert record["verdict"] == "pass" and record["seeds"] == [5, 6, 7] and record["provenance"] == ["made up"]
    assert record["numbers"] == {"limit": 1.0, "never": None}
    assert record["claims"][0]["holds_by_seed"] == [True] * 3 and record["figures"] == ["line.png"]
    with np.load(folder / "arrays.npz") as arrays:
        np.testing.assert_array_equal(arrays["draws"], record["claims"][0]["measured"]["number"])
        assert arrays["threads"] == 2  # a single experiment has all processes for its sweeps
    assert (folder / "line.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "environment.json").read_text())["versions"]["torch"]


def test_the_index_shows_everything(tmp_path):
    report = run_experiments(EVERY, Size.QUICK, 0, tmp_path, jobs=1)
    page = report.index.read_text()
    assert "5 experiments: 1 pass, 1 fail, 1 not-run, 2 error; 2 of 3 claims hold." in page
    assert "| **no** | b | x = 2 | x 1 | it is 1 |" in page
    assert "all \\| below 1" in page and "![good, line.png](good/line.png)" in page and "never: none" in page
    assert "> warning: the grid is coarse" in page and "> ZeroDivisionError" in page


def test_what_is_finished_is_not_run_again(tmp_path):
    first = run_experiments(EVERY, Size.QUICK, 0, tmp_path, jobs=1)
    second = run_experiments(EVERY, Size.QUICK, 0, tmp_path, jobs=1)
    assert [outcome.resumed for outcome in first.outcomes] == [False] * 5
    # What ended with an error or lacked its data may go better now.
    assert [outcome.resumed for outcome in second.outcomes] == [True, True, False, False, False]
    assert verdicts(second) == verdicts(first)
    assert second.outcomes[0].record["seconds"] == first.outcomes[0].record["seconds"]


@pytest.mark.parametrize(
    "change", ["again", "seed", "size", "config", "data", "code", "damaged"], ids=lambda name: f"other {name}"
)
def test_what_is_another_run_is_run(tmp_path, change, monkeypatch):
    run_experiments([experiment(good)], Size.QUICK, 0, tmp_path, jobs=1)
    size, seed, again, folder, changed = Size.QUICK, 0, False, None, experiment(good)
    match change:
        case "again":
            again = True
        case "seed":
            seed = 1
        case "size":
            size = Size.FULL
        case "config":
            changed = Experiment("good", 4, "Fig. 0", "title of good", Config(4), Config(), good)
        case "data":
            folder = tmp_path
        case "code":
            monkeypatch.setattr(runner, "code_digest", lambda: "other")
        case "damaged":
            (tmp_path / "good" / "finding.json").write_text('{"id": "good"')
    report = run_experiments([changed], size, seed, tmp_path, folder, jobs=1, again=again)
    assert not report.outcomes[0].resumed and verdicts(report) == ["pass"]


def test_a_folder_without_the_data_set_is_an_error(tmp_path):
    (tmp_path / "data").mkdir()
    report = run_experiments(
        [experiment(with_data), experiment(good)], Size.QUICK, 0, tmp_path / "out", tmp_path / "data"
    )
    assert verdicts(report) == ["error", "pass"] and not report.success
    assert "MNIST: got" in report.outcomes[0].message and "(empty)" in report.outcomes[0].message


def test_success_needs_something_that_ran(tmp_path):
    assert run_experiments([experiment(good), experiment(with_data)], Size.QUICK, 0, tmp_path / "a", jobs=1).success
    assert not run_experiments([experiment(with_data)], Size.QUICK, 0, tmp_path / "b", jobs=1).success


def test_a_folder_of_results_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("something")
    with pytest.raises(NotADirectoryError, match="got a file in its place"):
        run_experiments([experiment(good)], Size.QUICK, 0, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "something"
    with RunDirectory.create(tmp_path / "locked"), pytest.raises(RunLockedError, match="second writer"):
        run_experiments([experiment(good)], Size.QUICK, 0, tmp_path / "locked")
    with pytest.raises(ConfigError, match="jobs"):
        run_experiments([experiment(good)], Size.QUICK, 0, tmp_path / "none", jobs=0)
    assert not (tmp_path / "none").exists()


def test_a_folder_of_one_experiment_that_is_locked(tmp_path):
    with RunDirectory.create(tmp_path / "good"):
        report = run_experiments([experiment(good), experiment(bad)], Size.QUICK, 0, tmp_path, jobs=1)
    assert verdicts(report) == ["error", "fail"] and "second writer" in report.outcomes[0].message


def test_a_failed_figure_does_not_leave_the_last_run_s(tmp_path):
    run_experiments([experiment(good)], Size.QUICK, 0, tmp_path, jobs=1)
    renamed = Experiment("good", 4, "Fig. 0", "t", Config(), Config(), undrawable)
    assert verdicts(run_experiments([renamed], Size.QUICK, 0, tmp_path, jobs=1, again=True)) == ["error"]
    assert not list((tmp_path / "good").glob("*.png"))


# The catalogue ---------------------------------------------------------------------------------------------------------


def test_names_are_known_and_each_stands_once():
    found = experiments()
    assert len({e.id for e in found}) == len(found)
    assert [e.chapter for e in found] == sorted(e.chapter for e in found)
    assert all(e.title and e.source and e.id == e.id.lower() for e in found)
    assert select(["all"]) == found


def test_unknown_names_get_the_closest(catalogue):
    assert [e.id for e in select(["bad", "good", "bad"])] == ["good", "bad"]
    with pytest.raises(UnknownNameError, match="did you mean 'good'"):
        run("goood")
    with pytest.raises(UnknownNameError, match="chapter: got 99"):
        experiments(99)


# The command -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(capsys, catalogue):
    def call(*argv):
        code = main(["phenomena", *map(str, argv)])
        return code, *capsys.readouterr()

    return call


def test_the_list(shell):
    code, out, err = shell("list")
    assert code == 0 and out.splitlines()[0] == "good        title of good (Fig. 0)" and err == ""
    _, out, _ = shell("list", "--json")
    assert [row["id"] for row in json.loads(out)["experiments"]] == [e.id for e in EVERY]


@pytest.mark.parametrize(
    ("names", "expected"), [(["good"], 0), (["good", "with_data"], 0), (["bad"], 3), (["with_data"], 3), (["all"], 1)]
)
def test_exit_codes(shell, tmp_path, names, expected):
    code, out, err = shell("run", *names, "--out", tmp_path, "--jobs", 1)
    assert code == expected
    assert "experiments: " in out.splitlines()[-1] and f"index in {tmp_path / 'index.md'}" in err


def test_seeds_named_one_by_one(shell, tmp_path):
    code, out, _ = shell("run", "good", "--out", tmp_path, "--seeds", "7,3", "--json")
    assert code == 0 and json.loads(out)["experiments"][0]["seeds"] == [7, 3]


def test_what_the_command_prints(shell, tmp_path):
    code, out, err = shell("run", "bad", "good", "--out", tmp_path, "--jobs", 1)
    lines = out.splitlines()
    assert lines[0].startswith("pass    good  1/1 claims") and lines[1].startswith("fail    bad  1/2 claims")
    assert lines[2] == "        does not hold: x = 2; measured x 1 (it is 1)"
    assert err.startswith("[1/2] pass    good") and "[2/2]" in err
    code, out, err = shell("run", "good", "--out", tmp_path, "--json", "--quiet")
    assert code == 0 and err == ""
    assert json.loads(out)["experiments"][0]["claims"][0]["holds"] is True


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["run", "goood"], 2, "did you mean 'good'"),
        (["run", "all", "--seed", "-1"], 2, "seed: got -1"),
        (["run", "all", "--seeds", "0,-1"], 2, "seed: got -1"),
        (["run", "all", "--seeds", "0,x"], 2, "seeds: got '0,x', expected integers"),
        (["run", "all", "--seeds", "1,1"], 2, "seeds: got [1, 1], expected one or more, each once"),
        (["run", "all", "--size", "huge"], 2, "invalid choice: 'huge'"),
        (["run", "all", "--jobs", "0"], 2, "jobs: got 0"),
        (["run", "all", "--data", "nowhere"], 1, "folder of data sets 'nowhere': no such file"),
        (["run"], 2, "NAME"),
        (["rum"], 2, "did you mean 'run'"),
    ],
)
def test_bad_usage(shell, tmp_path, monkeypatch, argv, code, words):
    monkeypatch.chdir(tmp_path)
    found, out, err = shell(*argv)
    assert found == code and words in err and out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_signals_end_a_run_and_keep_what_had_finished(tmp_path, number, code):
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_phenomena_runner as t\n"
        "from pdekit.phenomena import registry\n"
        "from pdekit.cli import main\n"
        "registry.experiments = lambda chapter=None: (t.experiment(t.good), t.experiment(t.slow))\n"
        f"sys.exit(main(['phenomena', 'run', 'all', '--out', {str(tmp_path)!r}, '--jobs', '1']))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120
    while not (tmp_path / "slow" / ".lock").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert f"what had finished is in {tmp_path}; the same command goes on" in err
    assert json.loads((tmp_path / "good" / "finding.json").read_text())["verdict"] == "pass"
    assert "| [good](#good) | pass" in (tmp_path / "index.md").read_text()


def test_missing_data_error_is_a_missing_file():
    assert issubclass(MissingDataError, FileNotFoundError) and Verdict.NOT_RUN.value == "its data are not here"
