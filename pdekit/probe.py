"""Probing a problem before it is solved: smooth trial functions and their jets at a few points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .conditions import Dirichlet, Initial, Neumann, Robin, mismatch
from .domain import Points, Region
from .jet import Jet
from .kernels.plan import DerivativeSource, Plan
from .kernels.record import Recorder
from .sampling import Sobol, interior_points

if TYPE_CHECKING:
    from .problem import Problem

Function = Callable[[Tensor], Tensor]
"""A function of the points (n, d) that returns (n, m)."""


def smooth_function(region: Region, outputs: int, generator: torch.Generator, terms: int = 4) -> Function:
    """A random sum of plane waves of about one period across the region, of size about 1.

    Args:
        region: sets the length scale of each coordinate.
        outputs: number of components m.
        generator: source of randomness.
        terms: waves per component.

    Returns:
        A function (n, d) -> (n, m), infinitely differentiable, no derivative of which vanishes identically.
    """
    random = torch.rand(3, outputs, terms, dtype=torch.float64, generator=generator)
    direction = torch.rand(outputs, terms, region.dim, dtype=torch.float64, generator=generator) + 0.5
    sign = torch.randint(0, 2, direction.shape, generator=generator) * 2.0 - 1.0
    amplitude, phase, offset = (0.5 + random[0]) / terms, 2 * math.pi * random[1], random[2].mean(dim=1)
    lower, lengths = (torch.tensor(v, dtype=torch.float64) for v in (region.lower, region.lengths))
    # As one hidden layer of sines: few operations, because each is differentiated many times in high dimension.
    inner = ((2 / math.sqrt(region.dim)) * direction * sign / lengths).reshape(outputs * terms, region.dim).T
    outer = torch.block_diag(*amplitude[:, :, None])

    def function(x: Tensor) -> Tensor:
        angle = (x - lower.to(x)) @ inner.to(x) + phase.reshape(-1).to(x)
        return torch.sin(angle) @ outer.to(x) + offset.to(x)

    return function


def jet_of(
    problem: Problem,
    x: Tensor,
    source: DerivativeSource,
    coefficients: Mapping[str, Tensor] | None = None,
    *,
    memo: dict[str, Any] | None = None,
    outputs: tuple[str, ...] | None = None,
) -> Jet:
    """The jet that the problem's residual and conditions read.

    Args:
        problem: names the coordinates and the unknown functions.
        x: points (n, d).
        source: values and derivatives there.
        coefficients: unknown coefficients; their initial values if None.
        memo: values of known data at x that outlive this jet.
        outputs: names of the components, when they are not the problem's.
    """
    initial = {name: torch.tensor(value, dtype=x.dtype) for name, value in problem.unknowns.items()}
    return Jet(
        x,
        source,
        names=problem.domain.names,
        space_axes=problem.domain.space_axes,
        outputs=outputs or problem.outputs,
        coefficients=coefficients or initial,
        memo=memo,
    )


def plan_of(problem: Problem, formula: Callable[[Jet], object]) -> Plan:
    """The derivatives that a formula reads of a jet, seen at two points of the domain."""
    generator = torch.Generator().manual_seed(40_493)
    x = interior_points(problem.domain, Sobol(2), generator).x
    recorder = Recorder(smooth_function(problem.domain, len(problem.outputs), generator, terms=1), x)
    formula(jet_of(problem, x, recorder))
    return recorder.plan()


def residual_scale(problem: Problem, x: Tensor) -> float:
    """Root mean square over x of the residual of u = 0: the size of the data, by which residuals are divided.

    Where the data vanish, that of a smooth trial function of size 1. With it a loss is the squared relative residual,
    and the same in all units of length.
    """
    generator = torch.Generator().manual_seed(11)
    trials: tuple[Function, ...] = (
        lambda at: 0.0 * at[:, :1].expand(-1, len(problem.outputs)),
        smooth_function(problem.domain, len(problem.outputs), generator),
    )
    at = x.detach().to("cpu", torch.float64)
    for trial in trials:
        residual = problem.residual(jet_of(problem, at, Recorder(trial, at)))
        parts = residual if isinstance(residual, tuple) else (residual,)
        scale = math.sqrt(sum(float((part.detach() ** 2).mean()) for part in parts))
        if scale > 0:
            return scale
    return 1.0


def mismatch_of(
    problem: Problem, condition: Dirichlet | Neumann | Robin | Initial, points: Points, function: Function
) -> Tensor:
    """What a condition leaves over for `function` at points of its part, (n, 1), without gradients."""
    normal = torch.zeros_like(points.x) if points.normal is None else points.normal
    jet = jet_of(problem, points.x, Recorder(function, points.x))[condition.component]

    def normal_flux(u: Jet) -> Tensor:
        return problem.normal_flux(u, normal)

    return mismatch(condition, jet, problem.domain.time, normal_flux).detach()
