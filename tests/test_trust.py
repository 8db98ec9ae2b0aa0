"""Residuals, violations, aliasing, bands, flags and the verdict, on fields whose errors are known."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from pdekit.problems import (
    EllipticTwoScale,
    Heat,
    Helmholtz,
    NewtonLaw,
    PoissonFourModes,
    PoissonFourModes2D,
    PoissonND,
    PoissonSine,
    Variant,
)
from torch import Tensor
from trust_cases import Known, MixedFaces, Ring, error_of, perturbed

from pdekit.conditions import Condition, Dirichlet, Initial, Observations
from pdekit.discrete import solve_direct
from pdekit.discretise import discretise, space_grid
from pdekit.domain import Box, Hypercube, Interval
from pdekit.errors import AliasingWarning, IllPosedError, ReferenceWarning
from pdekit.field import GridField, NetworkField, SumField
from pdekit.jet import Jet
from pdekit.nn import MLP, Frame, ReLU
from pdekit.problem import Elliptic, Problem
from pdekit.record import Record
from pdekit.sampling import Sobol, interior_points
from pdekit.solution import Flag, Measures
from pdekit.solver import Outcome, Setting
from pdekit.trust import alias_warning, assess, relative_residual
from pdekit.trust.accuracy import error_bands
from pdekit.trust.residual import boundary_violation


def outcome(field, **more) -> Outcome:
    return Outcome(field, Record(), "done", **more)


def judge(problem, field, **more):
    return assess(problem, outcome(field, **more), Setting(seed=3))


def points_of(problem, n=2048):
    return interior_points(problem.domain, Sobol(n), torch.Generator().manual_seed(5))


@dataclass(frozen=True)
class Wave(Elliptic):
    """-u'' = k^2 sin kx on (-1, 1)."""

    k: float = 40.0

    @property
    def domain(self) -> Box:
        return Interval(-1.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet("boundary", lambda x: torch.sin(self.k * x)),)

    def source(self, x: Tensor) -> Tensor:
        return self.k**2 * torch.sin(self.k * x)


@dataclass(frozen=True)
class WrongSign(Elliptic):
    """Coefficients of -u'' = f, but a residual with the sign of f turned; no exact solution that would betray it."""

    @property
    def domain(self) -> Box:
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        return math.pi**2 * torch.sin(math.pi * x)

    def residual(self, u: Jet) -> Tensor:
        return self.operator(u) + self.source_at(u)


@dataclass(frozen=True)
class Pair(Problem):
    """u' = v, v' = -u on (0, 1), nonlinear solvers' kind: two unknowns, no exact solution declared."""

    outputs = ("u", "v")

    @property
    def domain(self) -> Box:
        return Box((0.0,), (1.0,), ("t",), "t")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Initial(0.0), Initial(1.0, component="v"))

    def residual(self, u: Jet) -> tuple[Tensor, ...]:
        return u["u"].d("t") - u["v"].value, u["v"].d("t") + u["u"].value


UNIT_SQUARE = Frame((0.0, 0.0), (1.0, 1.0), 1, torch.float64)
ALL = [PoissonFourModes(), PoissonSine(2), Heat(), Helmholtz(1), NewtonLaw(), EllipticTwoScale(), MixedFaces()]


# Residuals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL, ids=str)
def test_the_exact_solution_has_no_residual_and_no_violation(problem):
    field = Known(problem.exact)
    assert relative_residual(problem, field, points_of(problem)) < 1e-10
    assert boundary_violation(problem, field, torch.Generator().manual_seed(1), 64) < 1e-12


@pytest.mark.parametrize("problem", [p for p in ALL if not isinstance(p, Heat)], ids=str)
def test_a_field_that_does_nothing_has_residual_one(problem):
    zero = Known(lambda x: 0.0 * x[:, :1])
    assert relative_residual(problem, zero, points_of(problem, 8192)) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("amount", [1e-3, 0.2])
def test_the_residual_is_that_of_the_error(amount):
    """-u'' of a sin(24 x) over the source, which is 16/sqrt(2) of it in one of its four modes."""
    problem = PoissonFourModes()
    field = Known(lambda x: (1 + amount) * problem.exact(x))
    assert relative_residual(problem, field, points_of(problem)) == pytest.approx(amount, rel=0.02)


def test_the_denominator_does_not_depend_on_the_points():
    """At the zeros of the source a ratio to the source there would be infinite."""
    problem = Wave(10 * math.pi)
    zeros = dataclasses.replace(
        points_of(problem, 16), x=torch.linspace(-0.9, 0.9, 16, dtype=torch.float64)[:, None].round(decimals=1)
    )
    assert relative_residual(problem, Known(lambda x: 0.0 * x), zeros) < 1e-10


def test_a_field_without_derivatives_has_no_residual():
    problem = PoissonSine(1)
    grid = space_grid(problem, 9)
    relu = MLP(4, 2, activation=ReLU()).build(UNIT_SQUARE, torch.Generator())
    for field in (GridField(grid, np.zeros(grid.shape)), NetworkField(relu)):
        assert relative_residual(problem, field, points_of(problem, 64)) is None


def test_residuals_of_a_float32_network_are_close_to_those_in_float64():
    problem = PoissonSine(1)
    network = MLP(16, 2).build(UNIT_SQUARE, torch.Generator().manual_seed(2))
    double = relative_residual(problem, NetworkField(network), points_of(problem))
    single = relative_residual(problem, NetworkField(network.float(), torch.float32), points_of(problem))
    assert single == pytest.approx(double, rel=1e-5)


VIOLATIONS = [
    ("dirichlet", PoissonND(1), lambda x: 0.1 + 0 * x, 0.1, 1.1),
    ("initial value", Heat(), lambda x: 0.1 * (1 - x[:, 1:]) * torch.sin(math.pi * x[:, :1]), 0.1, 1.4),
    ("initial slope", NewtonLaw(), lambda x: 0.01 * x, 0.01, 1.0 / 2 + 1 - math.cos(1.0) + 0.01),
    ("periodic", Ring(), lambda x: 0.1 * x / (2 * math.pi), 0.1, 1.0),
]


@pytest.mark.parametrize(
    ("problem", "error", "jump", "size"), [v[1:] for v in VIOLATIONS], ids=[v[0] for v in VIOLATIONS]
)
def test_violations_are_relative_to_what_they_violate(problem, error, jump, size):
    found = boundary_violation(problem, perturbed(problem, error), torch.Generator().manual_seed(1), 512)
    assert found == pytest.approx(jump / size, rel=0.1)


def test_a_flux_violation_counts_against_the_largest_flux():
    problem = MixedFaces()
    found = boundary_violation(
        problem, perturbed(problem, lambda x: 0.2 * x[:, :1] * (1 - x[:, :1])), torch.Generator().manual_seed(1), 512
    )
    assert found == pytest.approx(0.2 / (1.5 * math.e), rel=0.1)  # flux 0.2 at x = 0; largest 1.5 e at (1, 0)


def test_noise_of_observations_is_no_violation():
    @dataclass(frozen=True)
    class Measured(Ring):
        @property
        def conditions(self) -> tuple[Condition, ...]:
            x = torch.tensor([[1.0]], dtype=torch.float64)
            return (*super().conditions, Observations(x, torch.tensor([[7.0]], dtype=torch.float64)))

    problem = Measured()
    assert boundary_violation(problem, Known(problem.exact), torch.Generator(), 64) < 1e-12


# Aliasing --------------------------------------------------------------------------------------------------------

ALIASING = [
    (Wave(40.0), 20, True),
    (Wave(40.0), 39, False),  # Nyquist 59.7
    (Wave(40 * math.pi), 39, True),
    (PoissonFourModes(), 12, True),
    (PoissonFourModes(), 1001, False),
    (PoissonSine(7), 36, True),
    (PoissonSine(7), 1024, False),
    (PoissonFourModes2D(), 100, True),
    (PoissonND(5), 32, False),  # beyond three dimensions the number says nothing
    (NewtonLaw(), 8, False),
    (Heat(), 64, False),
]


@pytest.mark.parametrize(("problem", "points", "aliased"), ALIASING, ids=str)
def test_a_source_above_the_nyquist_number_is_announced(problem, points, aliased):
    started = time.perf_counter()
    if aliased:
        with pytest.warns(AliasingWarning, match=rf"k = .* N = {points} "):
            assert alias_warning(problem, points) is not None
    else:
        assert alias_warning(problem, points) is None
    assert time.perf_counter() - started < 1.0


# The verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("problem", "waves"), [(PoissonFourModes(), 8), (PoissonSine(1), 4), (Heat(), 3)], ids=str)
def test_a_good_answer_is_trusted_and_its_numbers_are_true(problem, waves):
    verdict = judge(problem, perturbed(problem, error_of(problem, waves)), residual_train=0.01)
    trust = verdict.trust
    assert trust.trusted and not trust.flags
    assert trust.estimate == verdict.evidence == pytest.approx(verdict.measures.rel_l2, rel=0.03)
    assert trust.coarse_difference < 0.01 and trust.estimate_gap < 0.1
    assert verdict.band_kind == "error"
    assert verdict.bands.total == pytest.approx(verdict.measures.rel_l2, rel=0.05)
    assert trust.residual_bands.total == pytest.approx(1.0)
    assert trust.residual_train == 0.01


def test_bands_are_those_of_the_residual_when_no_solution_is_known():
    verdict = judge(Wave(), Known(lambda x: torch.sin(40.0 * x) + 1e-3 * torch.sin(300 * x)))
    bands = verdict.bands
    assert verdict.band_kind == "residual" and verdict.measures.rel_l2 is None
    assert bands.edges[bands.share.argmax()] < 300 < bands.edges[bands.share.argmax() + 1]


def test_bands_beyond_three_dimensions_are_two_and_sum_to_the_error():
    problem = PoissonND(5, Variant.COSINE)
    sample = points_of(problem, 4096)
    low = error_bands(problem, Known(lambda x: 1.1 * problem.exact(x)), sample)
    high = error_bands(problem, perturbed(problem, lambda x: 0.3 * torch.cos(9 * math.pi * x[:, :1])), sample)
    assert low.total == pytest.approx(0.1) and low.error_energy[0] > 3 * low.error_energy[1]
    assert high.error_energy[1] > 10 * high.error_energy[0]


def test_grid_values_are_judged_by_a_better_solution():
    problem = PoissonSine(2)
    grid = space_grid(problem, 65)
    target = solve_direct(discretise(problem, grid))
    values = target + 1e-3 * np.sin(math.pi * grid.points()).prod(axis=1).reshape(grid.shape)
    verdict = judge(problem, GridField(grid, values), target=target)
    assert verdict.measures.max_error_discrete == pytest.approx(1e-3, rel=1e-6)
    assert verdict.measures.parameters == grid.size
    assert verdict.trust.residual_held_out is None
    assert verdict.evidence == pytest.approx(verdict.measures.rel_l2, rel=0.02)


def test_a_sum_of_network_and_grid_is_judged_by_its_values():
    problem, error = PoissonSine(1), error_of(PoissonSine(1), 3)
    grid = space_grid(problem, 65)
    half = 0.5 * problem.exact(torch.from_numpy(grid.points()))[:, 0].numpy().reshape(grid.shape)
    field = SumField((perturbed(problem, lambda x: error(x) - 0.5 * problem.exact(x)), GridField(grid, half)))
    verdict = judge(problem, field)
    assert verdict.trust.flags == ()
    assert verdict.evidence == pytest.approx(verdict.measures.rel_l2, rel=0.02)


def test_the_solver_s_own_numbers_stay():
    verdict = judge(PoissonFourModes(), Known(PoissonFourModes().exact), measures=Measures(steps=7, points=11))
    assert (verdict.measures.steps, verdict.measures.points) == (7, 11)


def test_the_verdict_depends_on_the_seed_alone():
    problem = PoissonSine(1)
    field = perturbed(problem, error_of(problem, 4))
    first, second = judge(problem, field), judge(problem, field)
    other = assess(problem, outcome(field), Setting(seed=4))
    assert dataclasses.replace(first.trust, residual_bands=None) == dataclasses.replace(
        second.trust, residual_bands=None
    )
    assert first.measures == second.measures != other.measures
    assert first.trust.estimate == other.trust.estimate


FLAGGED = [
    ("large error", PoissonSine(1), lambda p: Known(lambda x: 1.2 * p.exact(x)), {}, Flag.NOT_CONVERGED),
    ("violated boundary", PoissonFourModes(), lambda p: perturbed(p, lambda x: 0.3 + 0 * x), {}, Flag.NOT_CONVERGED),
    ("aliased", Wave(), lambda p: Known(torch.sin), {"residual_train": 1e-2}, Flag.ALIASED),
    ("diverged", PoissonSine(1), lambda p: Known(p.exact), {"diverged": True}, Flag.DIVERGED),
    ("not finite", PoissonSine(1), lambda p: Known(lambda x: torch.nan * x[:, :1]), {}, Flag.DIVERGED),
    ("wrong sign", WrongSign(), lambda p: Known(lambda x: -torch.sin(math.pi * x)), {}, Flag.NOT_CONVERGED),
    ("no estimate", Pair(), lambda p: Known(lambda x: torch.cat([x**3, 1 - 4 * x], dim=1)), {}, Flag.NOT_CONVERGED),
    ("no estimate, many dimensions", PoissonND(5), lambda p: Known(lambda x: 0 * x[:, :1]), {}, Flag.NOT_CONVERGED),
]


@pytest.mark.parametrize(("problem", "field", "more", "flag"), [f[1:] for f in FLAGGED], ids=[f[0] for f in FLAGGED])
def test_what_cannot_be_trusted_is_flagged(problem, field, more, flag):
    verdict = judge(problem, field(problem), **more)
    assert flag in verdict.trust.flags
    assert not verdict.trust.trusted


def test_a_good_answer_to_a_system_is_not_flagged():
    verdict = judge(Pair(), Known(lambda x: torch.cat([torch.sin(x), torch.cos(x)], dim=1)))
    assert verdict.trust.flags == () and verdict.evidence is None
    assert verdict.band_kind == "residual"


def test_a_wrong_residual_has_a_small_residual_and_a_large_estimate():
    trust = judge(WrongSign(), Known(lambda x: -torch.sin(math.pi * x))).trust
    assert trust.residual_held_out < 1e-10
    assert trust.estimate == pytest.approx(2.0, rel=1e-3) and trust.coarse_difference == pytest.approx(2.0, rel=1e-3)


def test_points_that_alias_are_not_blamed_for_a_tolerable_residual():
    field = Known(lambda x: torch.sin(40.0 * x) + 0.001 * torch.sin(60 * x))
    assert Flag.ALIASED not in judge(Wave(), field, residual_train=1e-9).trust.flags


def test_a_problem_without_a_unique_solution_is_flagged():
    @dataclass(frozen=True)
    class Resonance(Elliptic):
        """-u'' - lambda u = 1 with lambda an eigenvalue of the coarse check's own matrix."""

        @property
        def domain(self) -> Box:
            return Interval(0.0, 1.0)

        @property
        def conditions(self) -> tuple[Condition, ...]:
            return (Dirichlet(),)

        def reaction(self, x: Tensor) -> Tensor:
            return torch.full_like(x, -((2 * 254 * math.sin(math.pi / 508)) ** 2))

        def source(self, x: Tensor) -> Tensor:
            return torch.ones_like(x)

    verdict = judge(Resonance(), Known(lambda x: torch.sin(math.pi * x)))
    assert Flag.ILL_POSED in verdict.trust.flags and verdict.evidence is None


def test_a_problem_that_lacks_a_condition_is_refused_or_flagged():
    @dataclass(frozen=True)
    class Open(WrongSign):
        @property
        def conditions(self) -> tuple[Condition, ...]:
            return (Dirichlet("left"),)

    with pytest.raises(IllPosedError, match="right"):
        Open().check()
    assert Flag.ILL_POSED in judge(Open(), Known(lambda x: x)).trust.flags


def test_an_unresolved_estimate_is_said_to_be_one_and_is_not_used():
    problem = PoissonFourModes()
    field = perturbed(problem, lambda x: 1e-7 * torch.sin(20_000 * x))
    with pytest.warns(ReferenceWarning):
        verdict = judge(problem, field)
    assert verdict.trust.flags == (Flag.REFERENCE_UNRESOLVED,) and verdict.trust.trusted
    size = problem.exact(torch.linspace(-1, 1, 2001, dtype=torch.float64)[:, None]).square().mean().sqrt().item()
    assert verdict.evidence == verdict.measures.rel_l2 == pytest.approx(1e-7 / math.sqrt(2) / size, rel=0.05)


def test_domains_beyond_boxes_of_three_dimensions_are_judged_without_grids():
    assert PoissonND(4).domain == Hypercube(4)
    verdict = judge(PoissonND(4), Known(PoissonND(4).exact))
    assert verdict.trust.estimate is None and verdict.trust.coarse_difference is None
    assert verdict.evidence == verdict.measures.rel_l2 < 1e-12
