"""Bad input to solvers and solve: refused before the first step, by the right error, naming object, value and cure."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from pdekit.problems import PoissonFourModes, PoissonSine
from pdekit.solvers import Collocation, Training

import pdekit
from pdekit import config, nn, optim, solvers
from pdekit.domain import Interval
from pdekit.errors import (
    ConfigError,
    DeviceError,
    ExtrapolationError,
    NonFiniteError,
    NotApplicableError,
    PdekitError,
    RunLockedError,
    ShapeError,
    UnknownNameError,
)
from pdekit.recipe import Budget
from pdekit.rundir import RunDirectory

SECONDS = 1.0  # of this process, so that a busy machine does not matter


def refused(action, error, builtin, *words):
    """Assert that `action` raises our error, of the built-in kind too, at once and with these words."""
    assert issubclass(error, PdekitError)
    assert issubclass(error, builtin)
    started = time.process_time()
    with pytest.raises(error) as caught:
        action()
    assert time.process_time() - started < SECONDS
    assert [word for word in words if word not in str(caught.value)] == [], caught.value


@dataclass(frozen=True)
class Convection(pdekit.Elliptic):
    """-u'' + u' = 1: no energy."""

    name: ClassVar[str] = "convection"
    domain: ClassVar[Interval] = Interval(0.0, 1.0)
    conditions: ClassVar[tuple] = (pdekit.Dirichlet(),)

    def advection(self, x):
        return torch.ones_like(x)

    def source(self, x):
        return torch.ones_like(x)


@dataclass(frozen=True)
class Resonant(pdekit.Elliptic):
    """-u'' - c u = 1 with c = 2/h^2 on 10 points: the diagonal of the difference equations vanishes."""

    name: ClassVar[str] = "resonant"
    domain: ClassVar[Interval] = Interval(0.0, 1.0)
    conditions: ClassVar[tuple] = (pdekit.Dirichlet(),)

    def reaction(self, x):
        return torch.full_like(x, -2.0 * 81)

    def source(self, x):
        return torch.ones_like(x)


def pinn(**options):
    return config.with_options(solvers.solver("pinn"), options)


def solve(**options):
    return pdekit.solve(PoissonSine(), solvers.solver("pinn"), **options)


NAN = float("nan")

ROWS = {
    "E3": (
        lambda: nn.activation("tahn"),
        UnknownNameError,
        LookupError,
        ("activation", "'tahn'", "did you mean 'tanh'"),
    ),
    "E3 option": (lambda: pinn(activation="tahn"), UnknownNameError, LookupError, ("'tahn'", "did you mean 'tanh'")),
    "E4": (lambda: solvers.solver("pin"), UnknownNameError, LookupError, ("solver", "'pin'", "did you mean 'pinn'")),
    "E5": (lambda: pinn(polsih="1"), ConfigError, TypeError, ("'polsih'", "did you mean 'polish'")),
    "E6 nan": (lambda: optim.Adam(NAN), ConfigError, TypeError, ("learning_rate", "nan", "float")),
    "E6 zero": (lambda: optim.Adam(0), ConfigError, ValueError, ("learning_rate", "0", "int")),
    "E6 negative": (lambda: optim.Adam(-1e-3), ConfigError, ValueError, ("learning_rate", "-0.001", "float")),
    "E6 text": (lambda: optim.Adam("1e-3"), ConfigError, TypeError, ("learning_rate", "'1e-3'", "str")),
    "E6 option": (lambda: pinn(learning_rate="nan"), ConfigError, ValueError, ("learning_rate", "nan")),
    "E7 zero": (lambda: Training(steps=0), ConfigError, ValueError, ("steps", "0", "int")),
    "E7 negative": (lambda: Training(steps=-1), ConfigError, ValueError, ("steps", "-1", "int")),
    "E7 fraction": (lambda: Training(steps=1.5), ConfigError, TypeError, ("steps", "1.5", "float")),
    "E7 option": (lambda: pinn(steps="1.5"), ConfigError, TypeError, ("steps", "'1.5'", "an integer")),
    "E7 budget": (lambda: Budget(steps=0), ConfigError, ValueError, ("steps", "0")),
    "E11 negative": (lambda: solve(seed=-1), ConfigError, ValueError, ("seed", "-1")),
    "E11 text": (lambda: solve(seed="a"), ConfigError, TypeError, ("seed", "'a'")),
    "E11 bool": (lambda: solve(seed=True), ConfigError, TypeError, ("seed", "True")),
    "E12": (lambda: nn.MLP(width=0), ConfigError, ValueError, ("width", "0")),
    "E12 depth": (lambda: nn.MLP(depth=-1), ConfigError, ValueError, ("depth", "-1")),
    "E12 option": (lambda: pinn(width="0"), ConfigError, ValueError, ("width", "0")),
    "E13": (lambda: solve(device="tpu"), DeviceError, RuntimeError, ("device", "'tpu'", "cpu")),
    "E16 energy": (
        lambda: pdekit.solve(Convection(), solvers.solver("deep-ritz")),
        *(NotApplicableError, TypeError, ("convection", "symmetric")),
    ),
    "E16 diagonal": (
        lambda: pdekit.solve(Resonant(), config.with_options(solvers.solver("jacobi"), {"points": "10"}), check=False),
        *(NotApplicableError, TypeError, ("diagonal",)),
    ),
    "rtol": (lambda: solve(rtol=0), ConfigError, ValueError, ("rtol", "0")),
    "rtol text": (lambda: solve(rtol="1e-3"), ConfigError, TypeError, ("rtol", "'1e-3'")),
}


@pytest.mark.parametrize("row", ROWS)
def test_bad_input_is_refused(row):
    action, error, builtin, words = ROWS[row]
    refused(action, error, builtin, *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_e13_cuda():
    refused(lambda: solve(device="cuda"), DeviceError, RuntimeError, "'cuda'", "available: cpu")


def test_e10_there_are_no_batches_larger_than_the_points():
    """Batches are drawn afresh, not cut from a fixed set: there is no such option, and points must be positive."""
    refused(lambda: pinn(batch="10"), ConfigError, TypeError, "'batch'")
    with pytest.raises(PdekitError, match="points"):
        Collocation(points=0)


def test_e15_without_a_reference_there_is_no_error_and_no_success_by_it():
    """A number that cannot be had is None, never made up."""

    @dataclass(frozen=True)
    class Unknown(Convection):
        name: ClassVar[str] = "unknown"

    solver = config.with_options(solvers.solver("finite-difference"), {"points": "33"})
    solution = pdekit.solve(Unknown(), solver)
    assert solution.measures.rel_l2 is None
    assert solution.measures.max_error is None
    assert solution.to_json()["rel_l2"] is None


def test_e23_two_runs_in_one_directory(tmp_path):
    with RunDirectory.create(tmp_path / "run"):
        refused(
            lambda: RunDirectory.create(tmp_path / "run"), RunLockedError, RuntimeError, f"{os.getpid()}", "another"
        )


@pytest.mark.parametrize("row", ["E11 negative", "E13", "E16 energy", "rtol"])
def test_nothing_is_written_for_bad_input(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PdekitError):
        ROWS[row][0]()
    assert list(tmp_path.iterdir()) == []


def test_h9_an_unwritable_directory_is_noticed_before_training(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").mkdir()  # not even root can write to it
    with pytest.raises(OSError):
        RunDirectory.create(tmp_path / "run")


# Evaluation ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def solution():
    solver = config.with_options(solvers.solver("finite-difference"), {"points": "33"})
    return pdekit.solve(PoissonFourModes(), solver)


@pytest.mark.parametrize(
    ("x", "error", "builtin", "words"),
    [
        ([[9.0], [0.0], [-9.0]], ExtrapolationError, ValueError, ("2 of 3", "9.0", "allow_extrapolation")),  # G2
        ([[0.0], [NAN]], NonFiniteError, FloatingPointError, ("row 1",)),  # G3
        ([[np.inf]], NonFiniteError, FloatingPointError, ("row 0",)),
        ([[0.0, 1.0]], ShapeError, ValueError, ("(1, 2)", "(n, 1)")),  # G4
        ([0.0, 1.0], ShapeError, ValueError, ("(2,)", "(n, 1)", "x[:, None]")),
        (0.0, ShapeError, ValueError, ("()", "(n, 1)")),
    ],
)
def test_points_that_cannot_be_evaluated(solution, x, error, builtin, words):
    refused(lambda: solution(np.array(x)), error, builtin, *words)


def test_g1_there_is_no_solution_before_solving():
    """A solver is a value without state: it has nothing to evaluate."""
    assert not callable(solvers.solver("pinn"))


def test_g2_outside_when_asked_for(solution):
    values = solution(np.array([[1.0], [1.5]]), allow_extrapolation=True)
    assert values[1] == values[0]  # a grid has nothing to say outside; the nearest value is the least wrong


def test_g5_no_points(solution):
    values = solution(np.zeros((0, 1)))
    assert values.shape == (0, 1)
    assert values.dtype == np.float64


def test_good_input_warns_of_nothing(solution):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution(np.linspace(-1.0, 1.0, 7)[:, None])
