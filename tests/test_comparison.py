"""Comparisons: what they count, tell, keep and draw; processes of their own are in the slow tests."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import sys

import numpy as np
import pytest
import torch

from pdekit import problems, solvers
from pdekit.cli import main
from pdekit.comparison import Comparison, Fate, Run, Standing, classical, compare, job
from pdekit.comparison.classical import Classical, Rung
from pdekit.comparison.job import Job, Terms
from pdekit.errors import ChildError, ConfigError, UnknownNameError
from pdekit.field import NetworkField
from pdekit.record import Record
from pdekit.solver import Outcome
from pdekit.stopwatch import Clock

PROBLEM = problems.PoissonMscale1D(periods=2)
SMALL = solvers.FiniteDifference(points=65, name="small")
LARGE = solvers.FiniteDifference(points=257, name="large")


@pytest.fixture
def here(monkeypatch):
    """Processes of their own replaced by calls; whoever asks for the calls made gets them."""
    calls = []

    def called(function, *arguments, **options):
        calls.append(arguments)
        try:
            return function(*arguments)
        except Exception as error:
            raise ChildError(str(error), type(error).__name__) from error

    monkeypatch.setattr(job, "in_child", called)
    monkeypatch.setattr(classical, "in_child", called)
    return calls


def run(seed: int, errors: list[float], fate: Fate = Fate.FINISHED, **more: object) -> Run:
    """A run whose error was errors[i] after i + 1 seconds."""
    trace = {"seconds": [float(i + 1) for i in range(len(errors))], "rel_l2": errors}
    record = {"solver": "a", "seed": seed, "fate": fate.value, "message": "why", "trace": trace}
    return Run(record | {"error": errors[-1] if errors else None, "seconds": float(len(errors))} | more)


# Counting ----------------------------------------------------------------------------------------------------------


def test_a_failed_run_is_infinitely_bad_and_not_dropped():
    good = [run(0, [1.0, 1e-3]), run(1, [1.0, 2e-3])]
    standing = Standing("a", (*good, run(2, [1.0, 1e-9], Fate.NOT_FINITE)))
    assert standing.median == 2e-3
    assert standing.worst == math.inf
    assert standing.time_to(1e-2) == 2.0
    assert len(standing.failures) == 1
    two = Standing("a", (good[0], run(1, [], Fate.FAILED)))
    assert two.median == math.inf, "half of the seeds came to nothing"
    assert two.time_to(1e-2) == math.inf


def test_time_to_is_the_first_time_within():
    assert run(0, [1.0, 0.05, 0.5, 0.01]).time_to(0.1) == 2.0
    assert run(0, [1.0, 0.5]).time_to(0.1) == math.inf


def test_verdicts_are_counted():
    runs = (run(0, [1.0], flags=["not_converged"]), run(1, [1e-4], flags=[]), run(2, [], Fate.DIVERGED))
    assert Standing("a", runs).verdicts == {"not converged": 1, "trusted": 1, "diverged": 1}


def test_the_classical_solver_is_the_fastest_that_is_as_good():
    rungs = tuple(
        Rung("f", str(n), error, seconds, n) for n, error, seconds in ((1, 0.1, 1), (2, 1e-3, 5), (3, 1e-4, 2))
    )
    assert Classical(1e-2, rungs, {}).best.told == "3"
    assert Classical(1e-2, rungs, {}).as_good
    hopeless = Classical(1e-9, rungs, {})
    assert hopeless.best.told == "3"
    assert not hopeless.as_good
    assert Classical(1e-2, (), {}).best is None


def test_classical_solvers_climb_until_they_are_as_good(here):
    found = classical.climbed(PROBLEM, 1e-3, Terms(5.0))
    families = {rung.family: rung for rung in found.rungs}  # the last of each
    assert set(families) == {"finite-difference", "finite-difference, order 4", "multigrid", "finite-element"}
    assert all(rung.error <= 1e-3 for rung in families.values())
    second = [rung.error for rung in found.rungs if rung.family == "finite-difference"]
    assert np.allclose(np.array(second[1:-1]) / np.array(second[2:]), 4, rtol=0.2), "of order 2"
    assert found.covers(1e-2)
    assert not found.covers(1e-9)


# Running -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Broken:
    """Raises whatever it is told to, or returns NaN."""

    how: str
    name: str = "broken"

    def require(self, problem):
        if self.how == "inapplicable":
            solvers.Ritz().require(problem)

    def run(self, problem, setting):
        if self.how == "error":
            raise RuntimeError("nothing works")
        lost = torch.nn.Linear(1, 1, dtype=torch.float64)
        torch.nn.init.constant_(lost.weight, math.nan)
        return Outcome(NetworkField(lost), Record(), "lost")

    def restore(self, problem, tensors):
        raise NotImplementedError


def test_a_comparison_runs_to_its_end(here, tmp_path):
    entries = {"small": SMALL, "large": LARGE, "bad": Broken("error"), "nan": Broken("nan")}
    found = compare(PROBLEM, entries, seconds=5.0, seeds=(0,), out=tmp_path / "out")
    assert found["small"].median > found["large"].median
    assert found.best.label == "large"
    assert [run.fate for run in found["bad"].runs] == [Fate.FAILED]
    assert "RuntimeError: nothing works" in found["bad"].runs[0].record["message"]
    assert [run.fate for run in found["nan"].runs] == [Fate.NOT_FINITE]
    assert found.finished
    assert not found.success
    assert found.trivial == pytest.approx(1.0, abs=1e-3)  # the mean of a sine over full periods is zero
    table = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert table == json.loads(json.dumps(found.to_dict()))
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        "error-against-time.png",
        "work-precision.png",
        "bands.png",
        "fields.png",
    }
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    assert [line["solver"] for line in lines][:4] == list(entries)
    assert lines[-1]["solver"] == "best constant"
    assert float(lines[1]["error_median"]) == found["large"].median

    # Again: finished runs are kept, failed ones are tried again, and the classical solvers are not.
    here.clear()
    again = compare(PROBLEM, entries, seconds=5.0, seeds=(0,), out=tmp_path / "out")
    assert [arguments[0].label for arguments in here] == ["bad"]
    assert again["large"].median == found["large"].median


def test_tables_tell_everything(here):
    heat = problems.Heat()
    found = compare(
        heat, {"small": solvers.FiniteDifference(points=33), "ritz": Broken("inapplicable")}, seconds=1.0, seeds=(7,)
    )
    for text in (str(found), found.table(markdown=True)):
        for word in ("heat", "1 thread", "seeds 7", "1/1", "best constant", "classical", "has no energy", "error at k"):
            assert word in text, word
        assert "nan" not in text
    assert found["ritz"].absent
    assert found.success, "what does not apply does not fail"


def test_the_record_of_a_run_is_strict_json():
    record = job._solved(Job(PROBLEM, "small", SMALL, 0, Terms(5.0, clock=Clock.PROCESSOR)))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["fate"] == "finished"
    assert record["trace"]["rel_l2"][-1] == pytest.approx(record["error"], rel=0.1)
    assert record["mebibytes"] > 100
    assert len(record["field"]["values"]) == len(record["field"]["error"]) == len(record["field"]["axes"][0])


def test_runs_are_known_by_all_that_decides():
    same = Job(PROBLEM, "a", SMALL, 0, Terms(5.0))
    assert same.digest == Job(PROBLEM, "b", SMALL, 0, Terms(5.0)).digest
    others = [
        Job(problems.PoissonMscale1D(periods=3), "a", SMALL, 0, Terms(5.0)),
        Job(PROBLEM, "a", LARGE, 0, Terms(5.0)),
        Job(PROBLEM, "a", SMALL, 1, Terms(5.0)),
        Job(PROBLEM, "a", SMALL, 0, Terms(6.0)),
        Job(PROBLEM, "a", SMALL, 0, Terms(5.0, threads=2)),
        Job(PROBLEM, "a", SMALL, 0, Terms(5.0, clock=Clock.PROCESSOR)),
    ]
    assert len({each.digest for each in [same, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"solvers": ["deep-rits"]}, UnknownNameError, "deep-ritz"),
        ({"solvers": []}, ConfigError, "0 solvers"),
        ({"solvers": "pinn"}, ConfigError, r"\('pinn',\)"),
        ({"solvers": [3]}, ConfigError, "got 3"),
        ({"seconds": 0}, ConfigError, "compare: seconds"),
        ({"seconds": math.nan}, ConfigError, "compare: seconds"),
        ({"seeds": ()}, ConfigError, "0 seeds"),
        ({"seeds": (-1,)}, ConfigError, "compare: seed"),
        ({"threads": 0}, ConfigError, "compare: threads"),
        ({"jobs": 0}, ConfigError, "compare: jobs"),
        ({"clock": "wall"}, ConfigError, "compare.clock"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(options, error, match, tmp_path):
    with pytest.raises(error, match=match):
        compare(PROBLEM, **{"solvers": [SMALL], "out": tmp_path / "out", **options})
    assert not (tmp_path / "out").exists()


# The command -------------------------------------------------------------------------------------------------------


def test_the_command_compares(here, capsys):
    words = [
        "compare",
        "poisson-mscale-1d",
        "--set",
        "periods=2",
        "--solvers",
        "finite-difference,rough=finite-difference",
    ]
    code = main([*words, "--set", "rough.points=33", "--seconds", "5", "--seeds", "0", "--json", "--quiet"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["problem"]["periods"] == 2
    rough, fine = (found["standings"][i]["error_median"] for i in (1, 0))
    assert rough > 10 * fine


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["poisson-sin", "--solvers", "pinn"], 2, "did you mean 'poisson-sine'"),
        (["poisson-sine", "--solvers", "pin"], 2, "did you mean 'pinn'"),
        (["poisson-sine", "--solvers", "pinn,pinn"], 2, "different labels"),
        (["poisson-sine", "--solvers", "pinn", "--seconds", "0"], 2, "more than 0"),
        (["poisson-sine", "--solvers", "pinn", "--seeds", "a"], 2, "separated by commas"),
        (["poisson-sine", "--solvers", "pinn", "--set", "kk=4"], 2, "'k'"),
        (["poisson-sine"], 2, "--solvers"),
        (["heat", "--solvers", "deep-ritz", "--seeds", "0", "--seconds", "1"], 1, "heat has no energy"),
    ],
)
def test_the_command_refuses(words, code, said, capsys, here):
    assert main(["compare", *words]) == code
    printed = capsys.readouterr()
    assert said in printed.err + printed.out


def test_the_command_tells_of_failed_runs_by_its_code(monkeypatch, capsys):
    monkeypatch.setattr(Job, "run", lambda self: run(self.seed, [], Fate.FAILED) if self.seed else run(0, [1e-3]))
    monkeypatch.setattr(sys.modules["pdekit.comparison.comparing"], "_classical", lambda *_: None)
    assert main(["compare", "poisson-sine", "--solvers", "pinn", "--seeds", "0,1", "--quiet"]) == 3
    assert "seed 1 failed: why" in capsys.readouterr().out


@pytest.mark.slow
def test_processes_of_their_own(tmp_path):
    """Two side by side, one of them with a class that only this test knows."""
    found = compare(
        PROBLEM,
        {"features": solvers.solver("random-features"), "broken": Broken("error")},
        seconds=5.0,
        seeds=(0,),
        jobs=2,
    )
    assert found["features"].median < 1e-10
    assert "RuntimeError: nothing works" in found["broken"].runs[0].record["message"]
    assert isinstance(found, Comparison)
