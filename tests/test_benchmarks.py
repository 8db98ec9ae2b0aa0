"""The benchmark of frequency-aware solvers: every row runs, finished runs are kept, failures are told and tried again."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import frequency
from cases import AtLeast, AtMost, Beats, Case, Log, Results, Row, classical_cases, with_budget
from frequency_rows import ROWS
from pdekit.problems import PoissonFourModes
from pdekit.solvers import DualResidual, FiniteDifference, FiniteElement, Hybrid, Neural, RandomFeatures

from pdekit.codec import encode
from pdekit.recipe import Budget
from pdekit.solver import Setting

STEPS = Budget(steps=1)


def tiny(solver):
    """The same solver with few points, features or cells."""
    match solver:
        case Neural(formulation=DualResidual()):  # needs as many points as unknowns
            return solver
        case Neural():
            kept = {"points": 64, "boundary_points": 16}
            return dataclasses.replace(solver, collocation=dataclasses.replace(solver.collocation, **kept))
        case RandomFeatures():
            return dataclasses.replace(solver, cells=2, features=20, points=40)
        case FiniteElement():
            return dataclasses.replace(solver, size=0.5)
        case Hybrid():
            then = dataclasses.replace(solver.then, size=0.5)
            return dataclasses.replace(solver, first=tiny(solver.first), then=then)
        case _:
            return solver


CASES = [(row, case) for row in ROWS.values() for case in row.cases]


@pytest.mark.filterwarnings("ignore::pdekit.errors.AliasingWarning")
@pytest.mark.parametrize(("row", "case"), CASES, ids=lambda value: getattr(value, "name", None) or value.label)
def test_every_case_runs(row, case):
    solver = tiny(case.solver)
    solver.require(case.problem)
    found = solver.run(case.problem, Setting(budget=STEPS))
    centre = torch.tensor([case.problem.domain.lower], dtype=torch.float64)
    assert torch.isfinite(found.field(centre)).all()


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_rows_hang_together(row):
    labels = [case.label for case in row.cases]
    assert len(set(labels)) == len(labels)
    for i, case in enumerate(row.cases):
        assert case.equal_time_to is None or case.equal_time_to in labels[:i]
        encode(case.solver)
    for claim in row.claims:
        assert claim.label in labels
        assert getattr(claim, "other", labels[0]) in labels
    for solver in row.classical:
        solver.require(row.main.problem)
    assert len({case.label for case in classical_cases(row)}) == len(row.classical)


LINE = PoissonFourModes()
GOOD, BROKEN = FiniteDifference(points=65), FiniteDifference(points=5, order=4)  # the latter needs seven points
SMALL = Row(
    "small",
    "A row of two cases.",
    (Case("good", LINE, GOOD, random=False), Case("broken", LINE, BROKEN, random=False, equal_time_to="good")),
    (AtMost("good", 0.1), AtLeast("good", 0.1), Beats("good", "broken")),
    (FiniteDifference(points=9), FiniteDifference(points=65), FiniteDifference(points=129)),
)


@pytest.fixture
def in_this_process(monkeypatch):
    """Cases run here, and are counted."""
    ran = []

    def run(script, row, case, seed, seconds, threads):
        ran.append((case.label, seed, seconds))
        if case.solver is BROKEN:
            return {"failure": "ConfigError: too few points"}
        return {**case.run(seed, Budget(seconds=seconds)), "command": 1.0}

    monkeypatch.setattr(frequency, "in_a_process", run)
    return ran


def test_finished_runs_are_kept_and_failures_tried_again(tmp_path, in_this_process):
    path = tmp_path / "runs.jsonl"
    text = frequency.section(SMALL, frequency.collect(SMALL, (0, 1), 1, Log(path)))
    assert [label for label, _, _ in in_this_process] == [
        "good",
        "broken",
        "finite-difference (points 9, order 2)",
        "finite-difference (points 65, order 2)",
    ]
    assert "| finite-difference (points 65, order 2): as good |" in text
    assert "- broken: ConfigError: too few points" in text
    assert "- holds: good: error <= 0.1" in text
    assert "- FAILS: good: error >= 0.1" in text
    assert "- not run: good: at least 1 x below broken" in text
    assert in_this_process[1][2] == pytest.approx(json.loads(path.read_text().splitlines()[0])["seconds"])
    in_this_process.clear()
    assert frequency.section(SMALL, frequency.collect(SMALL, (0, 1), 1, Log(path))) == text
    assert [label for label, _, _ in in_this_process] == ["broken"]


def test_another_configuration_is_another_run():
    case = SMALL.main
    again = dataclasses.replace(case, solver=FiniteDifference(points=65))
    finer = dataclasses.replace(case, solver=FiniteDifference(points=129))
    assert case.digest == again.digest != finer.digest
    assert case.digest != dataclasses.replace(case, seconds=3.0).digest


def test_equal_time_is_the_median_of_the_other():
    results = Results({"a": [{"seconds": 1.0}, {"seconds": 9.0}, {"seconds": 2.0}]})
    case = Case("b", LINE, GOOD, equal_time_to="a")
    assert with_budget(case, results).seconds == 2.0
    assert with_budget(SMALL.main, results) is SMALL.main


def test_a_case_runs_in_a_process_of_its_own(tmp_path):
    row = ROWS["random-features-two-scale"]
    case = classical_cases(row)[0]
    found = frequency.in_a_process(frequency.SCRIPT, row, case, 0, None, 1)
    assert found["error"] < 2e-5
    assert found["command"] > found["seconds"] > 0
    broken = tmp_path / "broken.py"
    broken.write_text("raise ValueError('no points')")
    assert frequency.in_a_process(broken, row, case, 0, None, 1) == {"failure": "ValueError: no points"}
