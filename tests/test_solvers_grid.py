"""Classical solvers: orders, sweep counts, agreement with the direct solution, starting values, limits."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from pdekit.problems import (
    EllipticTwoScale,
    Heat,
    Helmholtz,
    PoissonFourModes,
    PoissonFourModes2D,
    PoissonND,
    PoissonSine,
)
from pdekit.solvers import (
    ConjugateGradients,
    FiniteDifference,
    Iterative,
    conjugate_gradients,
    gauss_seidel,
    jacobi,
    multigrid,
)
from solver_cases import LINE
from test_solvers_forms import Mixed
from torch import Tensor
from trust_cases import FullTensor, Ring

from pdekit.conditions import Condition, Dirichlet
from pdekit.discrete import Jacobi, exact_sweeps, solve_direct
from pdekit.discretise import space_grid
from pdekit.domain import Box, Interval
from pdekit.errors import ConfigError, ConvergenceError, NotApplicableError
from pdekit.problem import Elliptic, Problem
from pdekit.recipe import Budget
from pdekit.solver import Setting, solve


def grid_error(problem: Problem, solver: FiniteDifference) -> float:
    """Largest error at the grid points."""
    field = solver.run(problem, Setting()).field
    exact = problem.exact(torch.from_numpy(field.grid.points())).numpy().reshape(field.grid.shape)
    return float(np.abs(field.values - exact).max())


def rates(problem: Problem, solvers: list[FiniteDifference]) -> list[float]:
    """log2 of the error's fall between solvers whose spacings halve."""
    errors = [grid_error(problem, solver) for solver in solvers]
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


@pytest.mark.parametrize(
    ("problem", "points"),
    [
        (LINE, 17),
        (PoissonSine(2), 17),
        (EllipticTwoScale(0.5), 65),
        (Helmholtz(1), 257),
        (Helmholtz(2, -100.0), 65),
        (PoissonND(3), 9),
        (FullTensor(), 17),
        (Ring(), 33),
    ],
    ids=lambda v: v.name if isinstance(v, Problem) else str(v),
)
def test_second_order(problem, points):
    sizes = [points, 2 * points - 1, 4 * points - 3]
    found = rates(problem, [FiniteDifference(n) for n in sizes])
    assert all(1.8 < rate < 2.3 for rate in found), found


@pytest.mark.parametrize(("problem", "points"), [(LINE, 65), (PoissonSine(1), 33), (EllipticTwoScale(0.5), 65)])
def test_fourth_order(problem, points):
    sizes = [points, 2 * points - 1, 4 * points - 3]
    found = rates(problem, [FiniteDifference(n, order=4) for n in sizes])
    assert all(3.6 < rate < 4.6 for rate in found), found


def test_heat_is_second_order_in_space_and_time():
    """At the end; the first steps are of first order where initial modes are faster than they."""
    x = torch.stack([torch.linspace(0, 1, 17), torch.ones(17)], dim=1).to(torch.float64)
    errors = []
    for n in (33, 65, 129):
        field = FiniteDifference(n, time_points=n).run(Heat(1), Setting()).field
        errors.append(float((field(x) - Heat(1).exact(x)).abs().max()))
    found = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(1.8 < rate < 2.3 for rate in found), found


def test_heat_is_second_order_in_time():
    """In space the error is left behind: differences to the solution with twenty times the levels."""
    fine = FiniteDifference(33, time_points=1281).run(Heat(1), Setting()).field.values[:, -1]
    errors = []
    for levels in (33, 65, 129):
        coarse = FiniteDifference(33, time_points=levels).run(Heat(1), Setting()).field.values[:, -1]
        errors.append(np.abs(coarse - fine).max())
    found = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(1.8 < rate < 2.3 for rate in found), found


def test_heat_takes_as_many_levels_as_points_by_default():
    field = FiniteDifference(9).run(Heat(2), Setting()).field
    assert field.grid.shape == (9, 9, 9)
    assert field.grid.upper[-1] == Heat(2).end


# Iterations -----------------------------------------------------------------------------------------------------------


def exact_count(problem: Elliptic, points: int, tolerance: float) -> int:
    """Sweeps of Jacobi from zero, told mode by mode."""
    system = problem.discretise(space_grid(problem, points))
    error = system.extend(np.zeros_like(system.rhs)) - solve_direct(system)
    return exact_sweeps(system, Jacobi(), error, tolerance)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-4, 1e-6])
def test_jacobi_takes_as_many_sweeps_as_its_modes_tell(tolerance):
    solver = dataclasses.replace(jacobi(), points=101, tolerance=tolerance)
    outcome = solver.run(PoissonFourModes(), Setting())
    assert outcome.measures.sweeps == exact_count(PoissonFourModes(), 101, tolerance)
    assert np.abs(outcome.field.values - outcome.target).max() <= tolerance
    assert outcome.history["max_error"][-1] <= tolerance < outcome.history["max_error"][0]


def test_jacobi_in_the_plane():
    solver = dataclasses.replace(jacobi(), points=33, tolerance=1e-3)
    outcome = solver.run(PoissonFourModes2D(), Setting())
    assert outcome.measures.sweeps == exact_count(PoissonFourModes2D(), 33, 1e-3)


def test_the_rate_of_jacobi():
    """The slowest mode of 101 points falls by cos(pi / 100) a sweep; odd data excite modes from the second on."""
    sweeps = [
        dataclasses.replace(jacobi(), points=101, tolerance=t).run(PoissonFourModes(), Setting()).measures.sweeps
        for t in (1e-4, 1e-6)
    ]
    assert sweeps[1] - sweeps[0] == pytest.approx(math.log(1e-2) / math.log(math.cos(2 * math.pi / 100)), rel=0.01)


@pytest.mark.parametrize(("tolerance", "sweeps"), [(1e-2, 196_552), (1e-3, 313_202), (1e-4, 429_852), (1e-6, 663_151)])
def test_the_book_s_sweeps_by_modes(tolerance, sweeps):
    assert exact_count(PoissonFourModes(), 1001, tolerance) == sweeps


@pytest.mark.slow
def test_the_book_s_sweeps():
    assert dataclasses.replace(jacobi(), tolerance=1e-2).run(PoissonFourModes(), Setting()).measures.sweeps == 196_552


@pytest.mark.parametrize(
    "problem", [LINE, PoissonSine(3), EllipticTwoScale(), Mixed(), FullTensor()], ids=lambda p: p.name
)
@pytest.mark.parametrize(
    "method",
    [
        conjugate_gradients(),
        dataclasses.replace(conjugate_gradients(), method=ConjugateGradients(preconditioned=True)),
        multigrid(),
        dataclasses.replace(gauss_seidel(), tolerance=1e-10),
    ],
    ids=["cg", "pcg", "multigrid", "gauss-seidel"],
)
def test_iterations_agree_with_the_direct_solution(method, problem):
    outcome = dataclasses.replace(method, points=33).run(problem, Setting())
    direct = FiniteDifference(33).run(problem, Setting()).field.values
    np.testing.assert_allclose(outcome.field.values, direct, rtol=0.0, atol=1.01e-10)
    assert not outcome.exhausted
    assert outcome.measures.sweeps >= 1


def test_gauss_seidel_takes_half_of_jacobi_s_sweeps():
    """The square of its rate."""
    jacobi_sweeps, seidel_sweeps = (
        dataclasses.replace(method, points=33, tolerance=1e-8).run(PoissonSine(1), Setting()).measures.sweeps
        for method in (jacobi(), gauss_seidel())
    )
    assert seidel_sweeps == pytest.approx(jacobi_sweeps / 2, rel=0.02)


def test_multigrid_does_not_mind_the_size():
    counts = [
        dataclasses.replace(multigrid(), points=n).run(PoissonFourModes2D(), Setting()).measures.sweeps
        for n in (33, 65, 129)
    ]
    assert max(counts) <= min(counts) + 3
    assert max(counts) < 25


@pytest.mark.parametrize("method", [jacobi(), conjugate_gradients(), multigrid()], ids=lambda s: s.name)
def test_a_start_near_the_solution_saves_sweeps(method):
    method = dataclasses.replace(method, points=33, tolerance=1e-4)
    cold = method.run(Mixed(), Setting()).measures.sweeps
    near, there = (solve(Mixed(), FiniteDifference(n)) for n in (17, 33))
    assert 0 < method.run(Mixed(), Setting(initial=near)).measures.sweeps < cold
    assert method.run(Mixed(), Setting(initial=there)).measures.sweeps == 0


@pytest.mark.parametrize("method", [jacobi(), gauss_seidel(), conjugate_gradients(), multigrid()], ids=lambda s: s.name)
def test_a_limit_of_sweeps_is_kept(method):
    outcome = dataclasses.replace(method, points=33, tolerance=1e-12, max_sweeps=3).run(Mixed(), Setting())
    assert outcome.measures.sweeps == 3
    assert outcome.exhausted
    assert "above max error" in outcome.message


@pytest.mark.parametrize("method", [jacobi(), conjugate_gradients()], ids=lambda s: s.name)
def test_a_budget_of_steps_limits_sweeps(method):
    outcome = dataclasses.replace(method, points=33).run(Mixed(), Setting(budget=Budget(steps=5)))
    assert outcome.measures.sweeps == 5
    assert outcome.exhausted


def test_a_budget_of_seconds_limits_sweeps():
    outcome = jacobi().run(PoissonFourModes(), Setting(budget=Budget(seconds=0.05)))
    assert outcome.exhausted
    assert outcome.timings["sweeps"] < 1.0


# What is refused ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Indefinite(Elliptic):
    """-u'' - 50 u = 1 on (0, 1), zero at both ends: two modes with negative eigenvalues."""

    name: ClassVar[str] = "indefinite"
    domain: ClassVar[Box] = Interval(0.0, 1.0)
    conditions: ClassVar[tuple[Condition, ...]] = (Dirichlet(),)

    def reaction(self, x: Tensor) -> Tensor:
        return torch.full_like(x, -50.0)

    def source(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)


def test_e16_jacobi_refuses_to_diverge():
    with pytest.raises(ConvergenceError, match="spectral radius"):
        dataclasses.replace(jacobi(), points=33).run(Indefinite(), Setting())


def test_e16_conjugate_gradients_refuse_indefinite_matrices():
    with pytest.raises(NotApplicableError, match="positive"):
        dataclasses.replace(conjugate_gradients(), points=33).run(Indefinite(), Setting())


def test_fourth_order_is_for_elliptic_problems():
    with pytest.raises(NotApplicableError, match="order 4"):
        FiniteDifference(9, order=4).run(Heat(1), Setting())


@pytest.mark.parametrize(
    "make",
    [
        lambda: FiniteDifference(2),
        lambda: FiniteDifference(9.0),
        lambda: FiniteDifference(9, order=3),
        lambda: FiniteDifference(time_points=1),
        lambda: dataclasses.replace(jacobi(), points=2),
        lambda: dataclasses.replace(jacobi(), tolerance=0.0),
        lambda: dataclasses.replace(jacobi(), tolerance=math.nan),
        lambda: Iterative("jacobi", Jacobi(), max_sweeps=0),
        lambda: Jacobi(omega=0.0),
    ],
)
def test_e12_sizes_that_are_no_sizes(make):
    with pytest.raises(ConfigError, match=r"got|is 0"):
        make()
