"""Residuals and boundary violations of a finished field, relative to the problem's data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from ..conditions import (
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observations,
    Periodic,
    Robin,
    evaluate,
    label,
    mismatch,
    place,
)
from ..domain import Points
from ..errors import NotApplicableError, SmoothnessError
from ..field import Field
from ..jet import Jet
from ..kernels import DerivativeSource, Plan
from ..probe import jet_of, plan_of, residual_scale
from ..problem import Problem
from ..sampling import Sobol, boundary_points, interior_points

_BATCH = 16384  # bounds the memory of the derivative channels of wide networks
_SCALE_POINTS = 1024


def relative_residual(problem: Problem, field: Field, points: Points) -> float | None:
    """Root mean square of the strong residual over points, relative to that of u = 0: 1 for a field that does nothing.

    The denominator comes from points of its own, the same at every call, so that values on training and on held-out
    points compare even where the training points alias the source to zero.

    Args:
        problem: the equation.
        field: a field with derivatives.
        points: where, with quadrature weights.

    Returns:
        The ratio; None for fields without these derivatives, such as grid values or ReLU networks trained on an energy.
    """
    try:
        values = strong_residual(problem, field, points.x)
    except (NotApplicableError, SmoothnessError):
        return None
    weight = points.weight.detach().to("cpu", torch.float64)
    return math.sqrt(float((weight @ values**2).sum() / weight.sum())) / reference_scale(problem)


def reference_scale(problem: Problem) -> float:
    """Size of the residual of u = 0 on a fixed point set."""
    points = interior_points(problem.domain, Sobol(_SCALE_POINTS), torch.Generator().manual_seed(40_487))
    return residual_scale(problem, points.x)


def strong_residual(problem: Problem, field: Field, x: Tensor) -> Tensor:
    """The residual's equations as columns, (n, equations), float64 on the CPU.

    Raises:
        NotApplicableError, SmoothnessError: the field has no such derivatives.
    """

    def expression(u: Jet) -> Tensor:
        found = problem.residual(u)
        return torch.cat(found, dim=1) if isinstance(found, tuple) else found

    return Expression(problem, field, expression)(x)


@final
@dataclass(frozen=True, eq=False)
class Expression:
    """An expression of a field's jet as a function of the points: (n, d) -> (n, k), float64 on the CPU.

    Args:
        problem: names coordinates and components.
        field: the function.
        formula: what is computed from its jet; the derivatives it reads are planned once, on two points.
    """

    problem: Problem
    field: Field
    formula: Callable[[Jet], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """Values at x, in batches."""
        x = x.detach().to("cpu", torch.float64)
        found = self.field.coefficients if self.problem.unknowns else {}
        known = {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}
        parts = [self.formula(jet_of(self.problem, part, self._source(part), known)) for part in x.split(_BATCH)]
        return torch.cat([part.detach() for part in parts])

    def _source(self, x: Tensor) -> DerivativeSource:
        if not self.plan.order:
            return _Values(self.field(x).to("cpu", torch.float64))
        return _AtHome(self.field.derivatives(x, self.plan))

    @cached_property
    def plan(self) -> Plan:
        """The derivatives that the formula reads."""
        return plan_of(self.problem, self.formula)


@final
@dataclass(frozen=True, eq=False)
class _Values:
    """Values without derivatives, for formulas that read none."""

    values: Tensor

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return self.values

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        raise NotApplicableError("field: no derivative was planned")

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        raise NotApplicableError("field: no derivative was planned")


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


def boundary_violation(problem: Problem, field: Field, generator: torch.Generator, points: int) -> float | None:
    """Largest violation of a condition on new boundary points.

    Mismatches count relative to the largest value of their kind in the domain: of |u|, of |du/dt|, of the flux along an
    axis. Measured data are no conditions: their noise would count.

    Args:
        problem: declares the conditions.
        field: the field.
        generator: draws the points.
        points: on each condition, and in the interior for the sizes.

    Returns:
        The violation; None if a condition speaks of derivatives that the field does not have.
    """
    inside = interior_points(problem.domain, Sobol(points), generator)
    size = float(field(inside.x).abs().max())
    try:
        found = [_violation(problem, field, c, generator, inside, size) for c in problem.conditions]
    except (NotApplicableError, SmoothnessError):
        return None
    return max(found, default=0.0)


def _violation(
    problem: Problem, field: Field, condition: Condition, generator: torch.Generator, inside: Points, size: float
) -> float:
    match condition:
        case Observations():
            return 0.0
        case Periodic():
            return _relative(_seam(problem, field, condition, generator, len(inside)), size)
        case Dirichlet() | Initial(order=0):
            points = boundary_points(problem.domain, place(condition), Sobol(len(inside)), generator)
            rest, given = _mismatch(problem, field, condition, points)
            return _relative(rest, max(size, given))
        case _:
            points = boundary_points(problem.domain, place(condition), Sobol(len(inside)), generator)
            rest, given = _mismatch(problem, field, condition, points)
            return _relative(rest, max(_slopes(problem, field, condition, inside.x), given))


def _relative(part: float, whole: float) -> float:
    """part / whole, and 0 where both vanish."""
    return part / whole if whole > 0 else float(part > 0)


def _mismatch(
    problem: Problem, field: Field, condition: Dirichlet | Neumann | Robin | Initial, points: Points
) -> tuple[float, float]:
    """Largest mismatch and largest prescribed value."""
    normal = torch.zeros_like(points.x) if points.normal is None else points.normal

    def formula(u: Jet) -> Tensor:
        # Boundary samples are smaller than a batch: the jet's points are all of them, or the two that plan it.
        flux = normal[: len(u.x)]
        return mismatch(condition, u[condition.component], problem.domain.time, lambda v: problem.normal_flux(v, flux))

    rest = Expression(problem, field, formula)(points.x)
    given = evaluate(label(condition), condition.value, points.x)
    return float(rest.abs().max()), float(given.abs().max())


def _slopes(problem: Problem, field: Field, condition: Neumann | Robin | Initial, x: Tensor) -> float:
    """Largest derivative of the kind that the condition speaks of: in time, or the flux along an axis."""
    axes = torch.eye(problem.domain.dim, dtype=torch.float64)[list(problem.domain.space_axes)]

    def formula(u: Jet) -> Tensor:
        part = u[condition.component]
        if isinstance(condition, Initial):
            return part.d(problem.domain.names[-1])
        return torch.cat([problem.normal_flux(part, axis.expand(len(u.x), -1)) for axis in axes], dim=1)

    return float(Expression(problem, field, formula)(x).abs().max())


def _seam(problem: Problem, field: Field, condition: Periodic, generator: torch.Generator, count: int) -> float:
    """Largest jump of u across a periodic seam."""
    box = problem.domain
    axis, component = box.names.index(condition.axis), problem.outputs.index(condition.component)
    lower = boundary_points(box, f"{condition.axis}-", Sobol(count), generator).x
    upper = lower.clone()
    upper[:, axis] = box.upper[axis]
    return float((field(lower) - field(upper))[:, component].abs().max())
