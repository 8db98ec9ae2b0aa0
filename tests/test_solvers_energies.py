"""Energies other than the quadratic one of second order: who minimises them, who refuses them, and what trust says."""

from __future__ import annotations

import dataclasses

import pytest
from pdekit.problems import Biharmonic, EllipticMultiscale2D, PLaplace
from pdekit.solvers import Enforcement, FiniteDifference, deep_nitsche, deep_ritz, pinn
from solver_cases import tiny

from pdekit.errors import NotApplicableError
from pdekit.nn import MLP, Sine, Spread
from pdekit.solution import Flag, Status
from pdekit.solver import solve

NETWORK = MLP(16, 2, activation=Sine(), init=Spread(2.0, start=0))
BROAD = PLaplace(p=3, eps=1.0)


def small(preset, **kept):
    return dataclasses.replace(tiny(preset, polish=60, **kept), network=NETWORK)


@pytest.mark.parametrize(("problem", "largest"), [(BROAD, 4.5e-3), (Biharmonic(), 1.3e-3)], ids=str)
def test_deep_ritz_minimises_them(problem, largest):
    """Twice the largest error of ten seeds."""
    solution = solve(problem, small(deep_ritz(), points=400), seed=3)
    assert solution.measures.rel_l2 < largest
    assert solution.trust.boundary_violation < 1e-12
    assert solution.trust.trusted


def test_fourth_derivatives_are_trained():
    solver = dataclasses.replace(small(pinn(), points=100), conditions=Enforcement.HARD)
    assert solve(Biharmonic(), solver, seed=3).measures.rel_l2 < 0.1


def test_a_stationary_point_that_solves_nothing_is_not_trusted():
    """At u = 0 the strong residual of the p-Laplacian has no slope: networks that start there stay."""
    solver = dataclasses.replace(small(pinn()), conditions=Enforcement.HARD)
    solution = solve(PLaplace(), solver, seed=3)
    assert solution.measures.rel_l2 > 0.5
    assert Flag.NOT_CONVERGED in solution.trust.flags


@pytest.mark.parametrize(
    ("solver", "problem", "words"),
    [
        (deep_nitsche(), BROAD, "p-laplace is not linear of second order"),
        (deep_nitsche(), Biharmonic(), "biharmonic is not linear of second order"),
        (FiniteDifference(), BROAD, "not a linear elliptic or parabolic problem"),
    ],
    ids=str,
)
def test_refused_by_the_property_that_is_missing(solver, problem, words):
    with pytest.raises(NotApplicableError, match=words):
        solve(problem, solver)


def test_an_essential_flux_cannot_be_soft_in_an_energy():
    solver = dataclasses.replace(small(deep_ritz()), conditions=Enforcement.SOFT)
    with pytest.raises(NotApplicableError, match=r"neumann\(boundary\) is essential.*conditions=hard"):
        solve(Biharmonic(), solver)


def test_a_computed_reference_counts_with_its_own_error():
    """Errors near the reference's own are no evidence of less than that."""
    problem = EllipticMultiscale2D()
    solution = solve(problem, FiniteDifference(points=257), rtol=1e-3)
    assert solution.trust.reference_error == problem.reference().error
    assert "reference known to 3.8e-6" in str(solution)
    assert solution.status is Status.CONVERGED
    assert solution.to_json()["trust"]["reference_error"] == problem.reference().error
