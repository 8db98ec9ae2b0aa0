"""The benchmark of operators: every case learns, rows hang together, finished runs are kept and failures tried again."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import operator_rows
import operators
from cases import AtMost, Log, Results
from operator_rows import ROWS, OperatorCase, OperatorRow, WorstAtMost, kernel_error
from operator_sweeps import sweeps_saved
from pdekit.problems import PoissonFamily
from pdekit.solvers import Cases, OperatorSolver, operator_solver

import pdekit
from pdekit.nn.green_net import GreenOperator

CASES = [(row, case) for row in ROWS.values() for case in row.cases]


def tiny(solver: OperatorSolver, cases: Cases) -> OperatorSolver:
    """The same with few cases and one step of each phase."""
    training = dataclasses.replace(solver.training, steps=1, polish=min(1, solver.training.polish))
    batch = None if solver.batch is None else 4
    return dataclasses.replace(solver, training=training, batch=batch, cases=cases)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(("row", "case"), CASES, ids=lambda value: getattr(value, "name", None) or value.label)
def test_every_case_runs(row, case, folder):
    cases = Cases(40, 3, resolutions=())
    found = dataclasses.replace(case, solver=tiny(case.solver, cases), extra=None).run(0, folder)
    assert 0.0 < found["error"] <= found["case"] < np.inf
    assert 0.0 <= found["classical error"] < 0.2
    assert found["parameters"] > 0 and found["each"] > 0


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_rows_hang_together(row):
    labels = [case.label for case in row.cases]
    assert len(set(labels)) == len(labels)
    for claim in row.claims:
        assert claim.label in labels
    assert len({case.digest for case in row.cases}) == len(labels)
    assert len({case.solver.cases for case in row.cases}) == 1


def test_the_exact_kernel_has_no_error(folder):
    class Exact(torch.nn.Module):
        def forward(self, z):
            x, y, r = z.unbind(-1)
            return (0.5 * (x + y - r) - x * y)[:, None]

    family = PoissonFamily(points=17, modes=4)
    operator = pdekit.learn(
        family, tiny(operator_solver("green-net"), Cases(40, 3, resolutions=())), folder=folder, jobs=1
    )
    network = operator.predictor.network
    assert isinstance(network, GreenOperator)
    network.network, network.scale = Exact(), torch.ones_like(network.scale)
    network.network.register_parameter("unused", torch.nn.Parameter(torch.zeros_like(network.scale)))  # has the type
    assert kernel_error(operator)["kernel"] < 1e-6
    sweeps = sweeps_saved(operator, 3)
    assert sweeps["start sweeps"] == 0  # the sum over its grid is the solution of the discrete equations
    assert sweeps["hints sweeps"] == 15 and sweeps["hints share"] < 0.1
    network.scale = -2.0 * torch.ones_like(network.scale)  # it makes everything worse, and counts as never done
    assert sweeps_saved(operator, 1)["hints share"] > 1
    network.scale = 1.5 * torch.ones_like(network.scale)
    assert kernel_error(operator)["kernel"] == pytest.approx(0.5, abs=1e-6)


FAMILY = PoissonFamily(points=17, modes=4)
SMALL = OperatorRow(
    "small",
    "A row of two cases.",
    (
        OperatorCase("good", FAMILY, tiny(operator_solver("grid-net"), Cases(40, 4, resolutions=()))),
        OperatorCase("broken", FAMILY, tiny(operator_solver("fno"), Cases(40, 4, resolutions=()))),
    ),
    (AtMost("good", 1e3), WorstAtMost("good", 1e-9), AtMost("broken", 1.0)),
)


def test_finished_runs_are_kept_and_failures_tried_again(tmp_path, monkeypatch, folder):
    ran = []

    def run(script, row, case, seed, seconds, threads, options):
        ran.append((case.label, seed))
        return {"failure": "FrequencyError: too few"} if case.label == "broken" else case.run(seed, folder)

    monkeypatch.setattr(operators, "in_a_process", run)
    path = tmp_path / "runs.jsonl"
    text = operators.section(SMALL, operators.collect(SMALL, (0, 1), 1, Log(path)))
    assert ran == [("good", 0), ("good", 1), ("broken", 0), ("broken", 1)]
    assert "- holds: good: error <= 1000" in text
    assert "- FAILS: good: error <= 1e-09 for every seed" in text
    assert "- not run: broken: error <= 1" in text
    assert "- broken: FrequencyError: too few" in text
    assert "| mean output | " in text and f"| classical: {FAMILY.solved_by} | " in text
    ran.clear()
    assert operators.section(SMALL, operators.collect(SMALL, (0, 1), 1, Log(path))) == text
    assert ran == [("broken", 0), ("broken", 1)]


def test_the_worst_seed_decides():
    results = Results({"a": [{"error": 1.0}, {"error": 3.0}, {"error": 2.0}]})
    assert WorstAtMost("a", 2.5).holds(results) is False
    assert WorstAtMost("a", 3.0).holds(results) is True
    assert WorstAtMost("b", 3.0).holds(results) is None


def test_data_are_made_once(folder, monkeypatch):
    made = []
    monkeypatch.setattr(
        operator_rows.Source, "_cached", lambda self, family, count, seed: made.append((family.points, count))
    )
    monkeypatch.setattr(
        operator_rows.Source, "split", lambda self, family, cases, labelled: made.append((family.points, cases.train))
    )
    operator_rows.made_ready(ROWS["burgers"], folder)
    assert made == [(128, 1000), (256, 200), (512, 200)]
