"""The polynomial ansatz: the book's first example, exactness, and what is not linear."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from pdekit.problems import NewtonLaw, PoissonSine
from pdekit.solvers import PolynomialFit, polynomial
from test_solvers_forms import Mixed, Parabola
from test_solvers_neural import Inverse
from trust_cases import Ring

from pdekit.conditions import Condition, Dirichlet
from pdekit.domain import Box, Interval
from pdekit.errors import ConfigError, NotApplicableError
from pdekit.nn import Polynomial
from pdekit.problem import Problem
from pdekit.solver import Setting, solve


@dataclass(frozen=True)
class Cubic(Problem):
    """-u'' + u^3 = 1 on (0, 1), zero at both ends."""

    name: ClassVar[str] = "cubic"
    domain: ClassVar[Box] = Interval(0.0, 1.0)
    conditions: ClassVar[tuple[Condition, ...]] = (Dirichlet(),)

    def residual(self, u):
        return -u.laplacian + u.value**3 - 1


def fit(degree: int, tensor: bool = False) -> PolynomialFit:
    return PolynomialFit(ansatz=Polynomial(degree, tensor))


def error(problem: Problem, solver: PolynomialFit) -> float:
    field = solver.run(problem, Setting()).field
    box = problem.domain
    unit = torch.rand(300, box.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.tensor(box.lower, dtype=torch.float64) + unit * torch.tensor(box.lengths, dtype=torch.float64)
    return float((field(x) - problem.exact(x)).norm() / problem.exact(x).norm())


def legendre_fit(degree: int) -> np.ndarray:
    """The book's coefficients by another way: s'' fitted in Legendre polynomials, s(0) = s'(0) = 0 by integration."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = (nodes + 1) / 2
    basis = np.stack([np.polynomial.legendre.legval(nodes, row) for row in np.eye(degree - 1)], axis=1)
    root = np.sqrt(weights)
    return np.linalg.lstsq(root[:, None] * basis, root * (np.sin(t) + t), rcond=None)[0]


def test_degree_four_is_the_book_s_fit():
    """With conditions of great weight the second derivative is the best quadratic fit of sin t + t."""
    solver = dataclasses.replace(fit(4), boundary_weight=1e10)
    field = solver.run(NewtonLaw(), Setting()).field
    t = np.linspace(0, 1, 21)
    curve = np.polynomial.legendre.Legendre(legendre_fit(4), domain=[0, 1]).integ(2, lbnd=0)
    found = field(torch.from_numpy(t)[:, None]).numpy()[:, 0]
    np.testing.assert_allclose(found, curve(t), rtol=0, atol=1e-8)
    assert 1e-5 < error(NewtonLaw(), solver) < 1e-2


def test_errors_fall_with_the_degree_to_round_off():
    errors = [error(NewtonLaw(), fit(degree)) for degree in (4, 6, 8, 12)]
    assert errors[0] > 20 * errors[1] > 400 * errors[2]
    assert errors[3] <= 1e-12
    assert solve(NewtonLaw(), polynomial()).measures.rel_l2 <= 1e-12


@pytest.mark.parametrize("problem", [Parabola(), Mixed()], ids=lambda p: p.name)
def test_polynomial_solutions_are_found_exactly(problem):
    """Whatever the kinds of conditions."""
    assert error(problem, fit(4)) < 1e-10


def test_periodic_conditions():
    assert error(Ring(), fit(24)) < 1e-6


def test_in_the_plane():
    assert error(PoissonSine(1), fit(6, tensor=True)) < 1e-3


def test_it_tells_coefficients_and_condition():
    outcome = fit(4).run(NewtonLaw(), Setting())
    assert outcome.measures.parameters == 5
    assert "5 coefficients" in outcome.message
    assert outcome.residual_train is not None and outcome.residual_train < 0.1


def test_nonlinear_problems_are_refused():
    with pytest.raises(NotApplicableError, match=r"cubic.*not linear.*pinn"):
        fit(4).run(Cubic(), Setting())


def test_unknown_coefficients_are_refused():
    with pytest.raises(NotApplicableError, match=r"inverse.*unknown coefficients"):
        fit(4).require(Inverse())


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_e9_weights_that_are_no_weights(weight):
    with pytest.raises(ConfigError, match="boundary_weight"):
        PolynomialFit(boundary_weight=weight)
