"""Residuals and boundary violations of a finished field, relative to the problem's data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet, Initial, Neumann, Observations, Periodic, Robin, mismatch, place
from ..domain import Points
from ..field import Field
from ..jet import Jet
from ..kernels import DerivativeSource, Plan, Recorder
from ..probe import jet_of, residual_scale, smooth_function
from ..problem import Problem
from ..sampling import Sobol, boundary_points, interior_points

_BATCH = 16384  # bounds the memory of the derivative channels of wide networks
_SCALE_POINTS = 1024


def relative_residual(problem: Problem, field: Field, x: Tensor, weight: Tensor | None = None) -> float:
    """Root mean square of the strong residual over points, relative to that of u = 0: 1 for a field that does nothing.

    The denominator comes from points of its own, the same at every call, so that values on training and on held-out
    points compare even where the training points alias the source to zero.

    Args:
        problem: the equation.
        field: a field with derivatives.
        x: points (n, d).
        weight: quadrature weights (n,), equal by default.

    Raises:
        NotApplicableError: the field has no derivatives.
    """
    values = strong_residual(problem, field, x)
    w = torch.ones(len(x), dtype=torch.float64) if weight is None else weight.detach().to("cpu", torch.float64)
    square = float((w @ values**2).sum() / w.sum())
    return math.sqrt(square) / reference_scale(problem)


def reference_scale(problem: Problem) -> float:
    """Size of the residual of u = 0 on a fixed point set."""
    points = interior_points(problem.domain, Sobol(_SCALE_POINTS), torch.Generator().manual_seed(40_487))
    return residual_scale(problem, points.x)


def strong_residual(problem: Problem, field: Field, x: Tensor) -> Tensor:
    """The residual's equations as columns, (n, equations), float64 on the CPU.

    Raises:
        NotApplicableError: the field has no derivatives.
    """

    def expression(u: Jet) -> Tensor:
        found = problem.residual(u)
        return torch.cat(found, dim=1) if isinstance(found, tuple) else found

    return evaluated(problem, field, x, expression)


def evaluated(problem: Problem, field: Field, x: Tensor, expression: Callable[[Jet], Tensor]) -> Tensor:
    """`expression` of the field's jet at x, in batches; (n, k), float64 on the CPU.

    The derivatives are planned by one run of the expression on a few points of a smooth function.
    """
    x = x.detach().to("cpu", torch.float64)
    plan = planned(problem, x, expression)
    parts = [expression(jet_of(problem, part, _AtHome(field.derivatives(part, plan)))) for part in x.split(_BATCH)]
    return torch.cat([part.detach() for part in parts])


def planned(problem: Problem, x: Tensor, expression: Callable[[Jet], Tensor]) -> Plan:
    """What `expression` asks of a jet."""
    trial = smooth_function(problem.domain, len(problem.outputs), torch.Generator().manual_seed(40_493), terms=1)
    recorder = Recorder(trial, x[:2])
    expression(jet_of(problem, x[:2], recorder))
    return recorder.plan()


@final
@dataclass(frozen=True, eq=False)
class _AtHome:
    """Derivatives brought to float64 on the CPU, where problems' data live."""

    source: DerivativeSource

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return self.source.partial(axes).to("cpu", torch.float64)

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        return self.source.gradient(axes).to("cpu", torch.float64)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        return self.source.laplacian(axes).to("cpu", torch.float64)


@final
@dataclass(frozen=True, eq=False)
class _ValueOnly:
    """A field's values where no derivative is needed; anything else is the field's own refusal."""

    field: Field
    x: Tensor

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return self.field.derivatives(self.x, Plan(frozenset({axes}))).partial(axes) if axes else self.field(self.x)

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        return self.field.derivatives(self.x, Plan(frozenset((axis,) for axis in axes))).gradient(axes)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        return self.field.derivatives(self.x, Plan(frozenset(), axes)).laplacian(axes)


def boundary_violation(problem: Problem, field: Field, generator: torch.Generator, points: int, size: float) -> float:
    """Largest violation of a condition on new boundary points.

    Mismatches of values count relative to the size of u, those of fluxes relative to the largest flux there. Measured
    data are no conditions: their noise would count.

    Args:
        problem: declares the conditions.
        field: the field.
        generator: draws the points.
        points: for each condition.
        size: largest |u|.

    Raises:
        NotApplicableError: a flux condition, and the field has no derivatives.
    """
    found = [_violation(problem, field, condition, generator, points, size) for condition in problem.conditions]
    return max(found, default=0.0)


def _violation(
    problem: Problem, field: Field, condition: Condition, generator: torch.Generator, count: int, size: float
) -> float:
    match condition:
        case Observations():
            return 0.0
        case Periodic():
            return _seam(problem, field, condition, generator, count) / size
        case Dirichlet() | Neumann() | Robin() | Initial():
            points = boundary_points(problem.domain, place(condition), Sobol(count), generator)
            return _mismatch(problem, field, condition, points, size)


def _mismatch(
    problem: Problem, field: Field, condition: Dirichlet | Neumann | Robin | Initial, points: Points, size: float
) -> float:
    normal = torch.zeros_like(points.x) if points.normal is None else points.normal
    jet = jet_of(problem, points.x, _ValueOnly(field, points.x))[condition.component]
    rest = mismatch(condition, jet, problem.domain.time, lambda u: problem.normal_flux(u, normal))
    return float(rest.detach().abs().max()) / _unit(problem, condition, jet, size)


def _unit(problem: Problem, condition: Dirichlet | Neumann | Robin | Initial, jet: Jet, size: float) -> float:
    """What a mismatch of this condition is compared with."""
    if isinstance(condition, Dirichlet) or (isinstance(condition, Initial) and condition.order == 0):
        return size
    if isinstance(condition, Initial):
        assert problem.domain.time is not None
        rate = float(jet.d(problem.domain.time).detach().abs().max())
        return max(rate, size / problem.domain.lengths[-1])
    axes = torch.eye(problem.domain.dim, dtype=torch.float64)[list(problem.domain.space_axes)]
    fluxes = [problem.normal_flux(jet, axis.expand(len(jet.x), -1)).detach().abs().max() for axis in axes]
    return max(float(torch.stack(fluxes).max()), torch.finfo(torch.float64).tiny)


def _seam(problem: Problem, field: Field, condition: Periodic, generator: torch.Generator, count: int) -> float:
    """Largest jump of u across a periodic seam."""
    box = problem.domain
    axis, component = box.names.index(condition.axis), problem.outputs.index(condition.component)
    lower = boundary_points(box, f"{condition.axis}-", Sobol(count), generator).x
    upper = lower.clone()
    upper[:, axis] = box.upper[axis]
    return float((field(lower) - field(upper))[:, component].abs().max())
