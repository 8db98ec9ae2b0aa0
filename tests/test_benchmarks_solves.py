"""The benchmarks of whole solves: who runs is fit to run, and what is told of it follows from the runs."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import peers

from pdekit import problems
from pdekit.comparison import Comparison, Run, Standing


@pytest.mark.parametrize("name", peers.CONTESTS)
def test_whoever_is_in_a_contest_takes_its_problem(name):
    contest = peers.CONTESTS[name]
    entries = contest.entries()
    assert set(contest.ours) < set(entries)
    for solver in entries.values():
        solver.require(contest.problem)


def every() -> ModuleType:
    """benchmarks/solvers.py, under a name that is not the solvers' own."""
    path = Path(peers.__file__).with_name("solvers.py")
    spec = importlib.util.spec_from_file_location("benchmark_of_solvers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_solver_that_takes_a_problem_is_compared():
    found = every().entries(problems.Heat())
    assert {"pinn", "random-features", "finite-difference"} <= set(found)
    assert "deep-ritz" not in found


def finished(label: str, *rows: tuple[float, float]) -> Standing:
    """A solver with one run, which had these errors after these seconds."""
    seconds, errors = zip(*rows, strict=True)
    trace = {"seconds": list(seconds), "rel_l2": list(errors)}
    record = {"solver": label, "seed": 0, "fate": "finished", "message": "", "trace": trace}
    return Standing(label, (Run(record | {"error": errors[-1], "seconds": seconds[-1]}),))


def sides(**standings: list[tuple[float, float]]) -> peers.Sides:
    """A contest of dual-residual against the others."""
    made = tuple(finished(label.replace("_", "-"), *rows) for label, rows in standings.items())
    contest = peers.CONTESTS["poisson-sine-4"]
    return peers.Sides(Comparison({"name": "p"}, {}, (0,), made, None, 1.0, {}), contest)


def test_the_summary_counts_times_errors_and_what_was_never_reached():
    quick = sides(dual_residual=[(1.0, 1e-4)], peer=[(8.0, 1e-3)], random_features=[(0.1, 1e-9)])
    equal = sides(dual_residual=[(2.0, 5e-4)], peer=[(4.0, 5e-4)], random_features=[(0.1, 1e-9)])
    never = sides(dual_residual=[(3.0, 1e-4)], peer=[(4.0, 0.5)], random_features=[(0.1, 1e-9)])
    told = peers.summary({"quick": quick, "equal": equal, "never": never})
    assert "4.0 times sooner" in told, "the geometric mean of 8 and 2"
    assert "DeepXDE never reaches it: never" in told
    assert "pdekit never reaches it: none" in told
    assert "not lower with pdekit: equal" in told
    assert quick.time(True) == 1.0, "random features stand aside"


def test_a_side_without_answers_is_infinitely_bad():
    lost = sides(dual_residual=[(1.0, 1e-4)], random_features=[(0.1, 1e-9)])
    assert lost.error(False) == math.inf
    assert "never" in lost.row("lost")
