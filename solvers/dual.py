"""Dual residual: least squares of the residual in the dual norm, which is the energy error itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ..checks import member, real
from ..conditions import Condition, Dirichlet, Observations, Periodic
from ..domain import Box
from ..errors import ConfigError, NotApplicableError
from ..field import Field
from ..nn import MLP, HardConstraint, Sine, Spread
from ..optim import Block, Constant, LevenbergMarquardt
from ..probe import Function
from ..problem import Elliptic, Problem, conditions_of
from ..recipe import Objective, Turn
from .ansatz import Enforcement, Jets
from .collocation import INTERIOR, Collocation, Law
from .dual_forms import Pairing, energy_of_solution, rows_of
from .dual_mesh import ElementFunctions
from .dual_modes import Eigenfunctions
from .dual_norm import Whitening
from .dual_space import TestFunctions, TestSpace
from .formulation import Conditions, SelfEstimate, Task, require_known, weights_of
from .neural import Neural, Training

_DUAL, _ERROR = "dual", "energy_error"
_FINER = 4  # times as many points hold the residual against what training saw
_MOST_DIM = 3


@final
@dataclass(frozen=True)
class DualResidual:
    """min over u of sum_k r_k^2,  r_k = (a(u, v_k) - l(v_k)) / |v_k| / |u*|,  v_k a basis of test functions.

    The squared dual norm of the residual, relative to the energy of the solution: its root is the relative energy error
    as far as the test functions reach, with constant coefficients exactly, else up to the factor that the coefficients
    vary by. The history has it in the column "energy_error"; the message gives it on four times as many points and test
    functions, which shows what the test functions missed.

    The interior points are those of a quadrature, about as many as the collocation asks for, whatever its law: Gauss-Legendre
    nodes on boxes (equidistant on periodic axes), the nodes of a rule on each cell of a mesh elsewhere.

    Args:
        pairing: strong (second derivatives) or weak (first derivatives, for kinks and discontinuous coefficients).
        tests: test functions; None takes eigenfunctions on boxes and finite elements on other domains.
        whitening: in which norm the test functions have length 1.
        boundary_weight: of soft conditions. With hard ones the loss is the error estimate, with soft ones a part of it.

    Raises:
        ConfigError: values out of range; at the first step of a second-order optimiser, more unknowns than test functions.

    Notes:
        Weighs mode k of the error by k, where the strong residual weighs it by k^2: smooth errors count. Costs one product with
        a matrix along each axis per step beyond the strong residual. What oscillates faster than the test functions is not
        seen: give the points about two nodes per half wave of the solution along each axis.
    Good values: nodes along an axis: 10 plus 2 for each half wave.
    Reference: Taylor, Pardo, Muga 2023, doi:10.1016/j.cma.2022.115850; Rojas et al. 2024, doi:10.1016/j.cma.2024.116904.
    """

    pairing: Pairing = Pairing.STRONG
    tests: Eigenfunctions | ElementFunctions | None = None
    whitening: Whitening = Whitening.AUTO
    boundary_weight: float = 100.0

    def __post_init__(self) -> None:
        member("DualResidual", "pairing", self.pairing, Pairing)
        member("DualResidual", "whitening", self.whitening, Whitening)
        real("DualResidual", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Needs an elliptic problem with known coefficients in at most three dimensions; a periodic one on a box."""
        if not isinstance(problem, Elliptic):
            raise NotApplicableError(
                f"dual-residual: {problem.name} declares no weak form, expected an Elliptic problem; use pinn"
            )
        require_known("dual-residual", problem)
        name, domain, tests = problem.name, problem.domain, self.chosen(problem)
        if domain.dim > _MOST_DIM:
            raise NotApplicableError(
                f"dual-residual: {name} has {domain.dim} dimensions, expected at most {_MOST_DIM}; use deep-ritz or pinn"
            )
        if isinstance(tests, Eigenfunctions) and not isinstance(domain, Box):
            raise NotApplicableError(
                f"dual-residual: {name} lives on a {type(domain).__name__}, expected a box for eigenfunctions; use "
                "tests=ElementFunctions()"
            )
        if isinstance(tests, ElementFunctions) and conditions_of(problem, Periodic):
            raise NotApplicableError(
                f"dual-residual: {name} is periodic, expected Dirichlet, Neumann or Robin conditions for finite elements; use "
                "tests=Eigenfunctions()"
            )

    def chosen(self, problem: Problem) -> TestFunctions:
        """The test functions for a problem."""
        if self.tests is not None:
            return self.tests
        return Eigenfunctions() if isinstance(problem.domain, Box) else ElementFunctions()

    def objective(self, task: Task) -> Objective:
        """The single player's losses."""
        return _DualObjective(task, self)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """1 for the dual norm, which holds the flux conditions; the energy error is its root, recorded only."""
        return {_ERROR: 0.0} | weights_of((_DUAL,), _penalised(soft), self.boundary_weight)

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """The unknown alone."""
        return (unknown,)

    @property
    def adversarial(self) -> bool:
        """A minimum."""
        return False


_PENALISED = (Dirichlet, Periodic, Observations)


def _penalised(soft: Sequence[Condition]) -> list[Condition]:
    return [c for c in soft if isinstance(c, _PENALISED)]


@final
class _DualObjective:
    def __init__(self, task: Task, form: DualResidual) -> None:
        assert isinstance(task.problem, Elliptic)  # `require` has seen to it
        self._problem, self._task, self._form, self._jets = task.problem, task, form, task.jets()
        self._tests = form.chosen(task.problem)
        self._at_home = at_home = self._tests.build(task.problem, task.points.count, form.whitening)
        self._size = energy_of_solution(task.problem, at_home, _lift(task))
        parameter = next(task.ansatz.parameters())
        self._space = at_home.to(parameter.dtype, parameter.device)
        self._plan = self._jets.plan(lambda u: form.pairing.reads(self._problem, at_home, u))
        self._conditions = Conditions(task, self._jets, _PENALISED)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"u": self._task.ansatz}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._task.points.placed({INTERIOR: self._space.points}, generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        square = (self._rows(self._densities(batch, self._jets)[..., None]) ** 2).sum()
        return {_DUAL: square, _ERROR: square.detach().sqrt()} | self._conditions.terms(batch)

    @property
    def least_squares(self) -> bool:
        return True

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> list[Block]:
        unknowns = sum(p.numel() for p in self._task.ansatz.parameters() if p.requires_grad)
        if unknowns > self._space.size:
            raise ConfigError(
                f"dual-residual: got {unknowns} unknowns and {self._space.size} test functions, expected at least as many test "
                "functions, lest all rows vanish at a wrong function; take more collocation.points or a smaller network"
            )
        points = len(batch[f"{INTERIOR}.x"])
        dual = Block(_DUAL, points, lambda ansatz: self._densities(batch, self._jets.of(ansatz)), self._rows)
        return [dual, *self._conditions.blocks(batch)]

    def estimate(self, field: Field) -> SelfEstimate:
        problem, points = self._problem, self._task.points.count

        def found(space: TestSpace) -> float:
            return float(rows_of(problem, self._form.pairing, space, field).norm())

        # Both in the metric that needs no factor of a large dense matrix.
        seen = found(self._tests.build(problem, points, Whitening.LAPLACE))
        whole = found(self._tests.unlimited().build(problem, _FINER * points, Whitening.LAPLACE))
        whitened = found(self._at_home) / seen if seen > 0 else 1.0
        share = min(1.0, seen / whole) if whole > 0 else 1.0
        spread = None if _penalised(self._task.soft) else self._at_home.metric.spread
        return SelfEstimate(whole * whitened / self._size, share, spread)

    def _densities(self, batch: Mapping[str, Tensor], jets: Jets) -> Tensor:
        return self._form.pairing.densities(self._problem, self._space, jets(INTERIOR, batch, self._plan))

    def _rows(self, values: Tensor) -> Tensor:
        return self._space.tested(values) / self._size


def _lift(task: Task) -> Function | None:
    """What meets the Dirichlet data where conditions are hard, float64 on the CPU."""
    function = task.ansatz.function
    if not isinstance(function, HardConstraint) or function.lift is None:
        return None
    return copy.deepcopy(function.lift).to("cpu", torch.float64)


def dual_residual() -> Neural:
    """Sines of trainable frequency in one layer, hard conditions, Levenberg-Marquardt in the dual norm."""
    return Neural(
        name="dual-residual",
        formulation=DualResidual(),
        network=MLP(width=240, depth=1, activation=Sine(), init=Spread(8.0)),
        collocation=Collocation(points=5184, law=Law.GAUSS_LEGENDRE),
        training=Training(steps=100, optimizer=LevenbergMarquardt(), schedule=Constant(), polish=0, record_every=10),
        conditions=Enforcement.HARD,
    )
