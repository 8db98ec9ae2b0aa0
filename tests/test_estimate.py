"""Error estimates against errors known in closed form."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from pdekit.problems import (
    EllipticThreeScale,
    EllipticTwoScale,
    Heat,
    Helmholtz,
    PoissonFourModes,
    PoissonFourModes2D,
    PoissonFourModes3D,
    PoissonND,
    PoissonSine,
    PoissonTwoFrequency,
    Variant,
)
from trust_cases import FreeMean, FullTensor, Known, MixedFaces, Ring, error_of, on_points, perturbed, sizes

from pdekit.discrete import Grid, solve_direct
from pdekit.discretise import discretise, space_grid
from pdekit.errors import ReferenceWarning
from pdekit.evolution import march
from pdekit.field import GridField
from pdekit.trust.defect import defect_estimate
from pdekit.trust.evidence import classical_evidence
from pdekit.trust.norms import norms, split
from pdekit.trust.reference import coarse_check, reference_estimate

# Problem, half waves per edge of the oscillating part of the error.
LINEAR = [
    (PoissonFourModes(), 60),
    (PoissonTwoFrequency(), 60),
    (EllipticTwoScale(0.1), 30),
    (EllipticTwoScale(0.01), 250),
    (EllipticThreeScale(), 200),
    (Helmholtz(1), 60),
    (Helmholtz(1, -30.0), 60),
    (PoissonSine(1), 6),
    (PoissonSine(7), 15),
    (PoissonFourModes2D(), 15),
    (Helmholtz(2, -100.0), 12),
    (PoissonND(1, Variant.COSINE), 20),
    (PoissonND(2, Variant.HARMONIC), 8),
    (PoissonND(3, Variant.SINE), 4),
    pytest.param(PoissonFourModes3D(), 6, marks=pytest.mark.slow),
    (Heat(1), 6),
    pytest.param(Heat(2), 4, marks=pytest.mark.slow),
    (MixedFaces(), 6),
    (MixedFaces(transport=3.0), 6),
    (FullTensor(), 6),
]


def effective(estimate, problem, error):
    """The estimate's numbers over the true ones: absolute energy, relative energy, relative L2."""
    true, size = sizes(problem, error), sizes(problem, problem.exact)
    return (
        estimate.energy / true.energy,
        estimate.relative_energy * size.energy / true.energy,
        estimate.relative_l2 * size.l2 / true.l2,
    )


@pytest.mark.parametrize(("problem", "waves"), LINEAR, ids=str)
def test_the_defect_tells_the_error_of_a_function(problem, waves):
    error = error_of(problem, waves)
    estimate = defect_estimate(problem, perturbed(problem, error))
    assert estimate.resolved
    assert all(0.95 < ratio < 1.05 for ratio in effective(estimate, problem, error))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_the_estimate_is_proportional_to_the_error(scale):
    problem, error = PoissonSine(1), error_of(PoissonSine(1), 5)
    estimate = defect_estimate(problem, perturbed(problem, lambda x: scale * error(x)))
    assert estimate.energy == pytest.approx(scale * sizes(problem, error).energy, rel=0.02)


@pytest.mark.parametrize("problem", [PoissonFourModes(), PoissonSine(1), Heat(1)], ids=str)
def test_the_exact_solution_has_no_error(problem):
    estimate = defect_estimate(problem, Known(problem.exact))
    assert estimate.resolved
    assert estimate.relative_l2 < 1e-11


def test_a_free_constant_is_fixed_by_the_mean():
    problem = FreeMean()
    estimate = defect_estimate(problem, Known(lambda x: problem.exact(x) + 0.01))
    assert estimate.relative_l2 == pytest.approx(0.01 / math.sqrt(1.5), rel=1e-6)
    assert estimate.energy < 1e-10


def test_a_periodic_field_is_estimated_and_a_jump_at_the_seam_is_not():
    problem = Ring()
    estimate = defect_estimate(problem, Known(lambda x: problem.exact(x) + 0.01 * torch.cos(5 * x)))
    assert estimate.relative_l2 == pytest.approx(0.01, rel=1e-3)
    assert estimate.relative_energy == pytest.approx(0.01 * math.sqrt(26 / 10), rel=1e-3)
    assert defect_estimate(problem, Known(lambda x: problem.exact(x) + 0.01 * x)) is None


def test_unresolved_errors_are_not_evidence():
    """8,000 half waves are two points per half wave on the finest grid: the number is wrong, and says so."""
    problem = PoissonFourModes()
    field = perturbed(problem, error_of(problem, 8000, smooth=0.0))
    with pytest.warns(ReferenceWarning, match="differ by"):
        evidence = classical_evidence(problem, field)
    assert evidence.estimate.gap > 0.1
    assert not evidence.estimate.resolved


GRIDS = [
    (PoissonFourModes(), 1001, (2, 4)),
    (PoissonFourModes(), 400, (2, 4)),
    (EllipticTwoScale(0.01), 1001, (2, 4)),
    (Helmholtz(1, -30.0), 501, (2, 4)),
    (Helmholtz(2, -100.0), 65, (2, 4)),
    (PoissonSine(7), 65, (2, 4)),
    (PoissonND(3, Variant.SINE), 33, (2,)),
    (MixedFaces(), 33, (2,)),
    (Heat(1), 65, (2,)),
]


@pytest.mark.parametrize("unfinished", [0.0, 1e-3])
@pytest.mark.parametrize(
    ("problem", "points", "order"), [(p, n, order) for p, n, orders in GRIDS for order in orders], ids=str
)
def test_extrapolation_tells_the_error_of_grid_values(problem, points, order, unfinished):
    """Effective for both orders without being told which, and with what an unfinished iteration leaves over."""
    box = problem.domain
    grid = Grid(box.lower, box.upper, (points,) * box.dim)
    values = march(problem, *split(grid)) if box.time else solve_direct(discretise(problem, grid, order))
    values = values + unfinished * np.sin(2.0 * grid.points()).prod(axis=1).reshape(grid.shape)
    estimate = reference_estimate(problem, GridField(grid, values))
    exact = on_points(problem.exact, grid.points(), grid.shape)
    true, size = norms(problem, grid, values - exact), norms(problem, grid, exact)
    assert estimate.resolved
    assert estimate.relative_l2 * size.l2 / true.l2 == pytest.approx(1.0, abs=0.05)
    assert estimate.energy / true.energy == pytest.approx(1.0, abs=0.05)


def test_values_without_a_grid_are_sampled():
    problem, error = PoissonTwoFrequency(), error_of(PoissonTwoFrequency(), 20)
    estimate = reference_estimate(problem, perturbed(problem, error))
    assert estimate.resolved
    assert all(0.95 < ratio < 1.05 for ratio in effective(estimate, problem, error))


def test_a_grid_that_costs_too_much_is_not_solved():
    """More unknowns than a factorisation may have, and an even number of points, so that no coarser grid nests."""
    problem = EllipticTwoScale()
    grid = space_grid(problem, 300_000)
    assert reference_estimate(problem, GridField(grid, np.zeros(grid.shape))) is None


def test_the_coarse_check_sees_a_wrong_answer_and_its_own_limits():
    problem = PoissonFourModes()
    good, bad = coarse_check(problem, Known(problem.exact)), coarse_check(problem, Known(lambda x: -problem.exact(x)))
    assert good.difference < good.gap < 1e-3
    assert bad.difference == pytest.approx(2.0, rel=1e-2)
    assert (
        coarse_check(EllipticThreeScale(), Known(EllipticThreeScale().exact)).gap > 0.1
    )  # 100 periods on 127 intervals


@pytest.mark.parametrize("eps", [1 / 10, 1 / 64, 1 / 100, 1 / 128, 1 / 256, 1 / 512, 1 / 1000, 1 / 1024])
def test_no_round_period_looks_constant_on_the_check_grids(eps):
    """A coefficient whose period divides the spacing is one constant at all half points, and both grids agree on it."""
    check = coarse_check(EllipticTwoScale(eps), Known(EllipticTwoScale(eps).exact))
    assert check.difference < 0.05 + check.gap


def test_estimates_depend_on_nothing_random():
    problem, error = PoissonSine(2), error_of(PoissonSine(2), 7)
    first, second = (defect_estimate(problem, perturbed(problem, error)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("problem", "waves"), [(PoissonFourModes(), 40), (PoissonSine(2), 6)], ids=str)
def test_single_precision_costs_digits_not_truth(problem, waves):
    """Residuals of float32 values are noisy; their noise is rough, and the inverse of the operator takes it away."""
    error = error_of(problem, waves)
    exact = perturbed(problem, error)
    rounded = Known(lambda x: exact.function(x.float()).double())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = reference_estimate(problem, rounded)
    assert all(0.9 < ratio < 1.2 for ratio in effective(estimate, problem, error))
