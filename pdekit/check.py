"""Looking a problem over before it is solved: what cannot be right is refused, what is doubtful is reported."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .check_equation import check_finite, check_residual
from .conditions import Dirichlet, Initial, Neumann, Observations, Periodic, Robin, evaluate, label, place
from .coverage import check_coverage
from .domain import Region, check_inside
from .errors import (
    ComponentError,
    DtypeError,
    IllPosedError,
    IndefiniteWarning,
    PdekitWarning,
    PrecisionWarning,
    ProblemError,
    ShapeError,
    unknown_name,
)
from .jet import column
from .kernels.plan import Plan
from .kernels.record import Recorder
from .probe import jet_of, mismatch_of
from .problem import Elliptic, Problem, SecondOrder, exact_of
from .sampling import Uniform, boundary_points, interior_points

_POINTS = 16
_COEFFICIENT_POINTS = 256
_EXACT_TOLERANCE = 1e-6


@final
@dataclass(frozen=True)
class Report:
    """What the check found in a problem without errors.

    Args:
        plan: the derivatives that the residual asks for.
        equations: number of equations.
        warnings: what is doubtful; the same were emitted through `warnings`.
    """

    plan: Plan
    equations: int
    warnings: tuple[PdekitWarning, ...] = ()


def check_problem(problem: Problem) -> Report:
    """Evaluate every declaration of a problem at a few points and compare them with each other.

    Checked: names; that each boundary part has its conditions and no two of them contradict; initial data; signs of
    coefficients; shapes, types and finiteness of all data; that the residual is a deterministic function of the
    unknown; compatibility of pure Neumann data; the exact solution, where there is one, against everything else.

    Raises:
        PdekitError: the first error found; its class says of which kind.

    Notes:
        About 10 ms for most problems. It samples: a coefficient that is negative on a tiny set may pass.
    """
    generator = torch.Generator().manual_seed(20_26)
    _check_names(problem)
    _check_data(problem, generator)
    found: list[PdekitWarning] = []
    if isinstance(problem, SecondOrder):
        found += _check_coefficients(problem, generator)
    plan, equations, scale = check_residual(problem, generator)
    found += check_coverage(problem, plan, generator)
    _check_exact(problem, generator, scale)
    for warning in found:
        warnings.warn(warning, stacklevel=3)
    return Report(plan, equations, tuple(found))


def check_precision(region: Region, dtype: torch.dtype, order: int) -> tuple[PdekitWarning, ...]:
    """Warn when a floating-point type is too coarse for the region's coordinates or for derivatives of this order.

    Args:
        region: the domain.
        dtype: element type of a run.
        order: highest derivative order of the equation.
    """
    found: list[PdekitWarning] = []
    eps = torch.finfo(dtype).eps
    for name, a, b in zip(region.names, region.lower, region.upper, strict=True):
        spacing = eps * max(abs(a), abs(b))
        if spacing > 1e-4 * (b - a):
            found.append(
                PrecisionWarning(
                    f"domain: {name!r} runs from {a} to {b}, where {dtype} numbers are {spacing:.2g} apart, "
                    f"{spacing / (b - a):.2g} of its length; use float64 or shift the origin"
                )
            )
    if order >= 2 and eps > 1e-4:
        found.append(PrecisionWarning(f"{dtype}: too coarse for derivatives of order {order}; use float32 or float64"))
    for warning in found:
        warnings.warn(warning, stacklevel=2)
    return tuple(found)


def _check_names(problem: Problem) -> None:
    if not isinstance(problem.domain, Region):
        raise ProblemError(f"{problem.name}.domain: got {problem.domain!r}, expected a Region such as Box((0,), (1,))")
    if not problem.outputs or len(set(problem.outputs)) < len(problem.outputs):
        raise ProblemError(f"{problem.name}.outputs: got {problem.outputs}, expected distinct names, at least one")
    if not isinstance(problem.conditions, tuple):
        kind = type(problem.conditions).__name__
        raise ProblemError(
            f"{problem.name}.conditions: got a {kind}, expected a tuple of conditions; write (c,) for one"
        )
    for condition in problem.conditions:
        if not isinstance(condition, Dirichlet | Neumann | Robin | Periodic | Initial | Observations):
            raise ProblemError(
                f"{problem.name}.conditions: got {condition!r}, expected Dirichlet, Neumann, Robin, Periodic, Initial "
                "or Observations"
            )
        if not isinstance(condition.component, str):
            raise ComponentError(
                f"{problem.name}: {type(condition).__name__} speaks of component {condition.component!r}, expected one "
                f"of the {len(problem.outputs)} names {', '.join(problem.outputs)}"
            )
        if condition.component not in problem.outputs:
            raise unknown_name(f"{problem.name}: component of {label(condition)}", condition.component, problem.outputs)
        if isinstance(condition, Observations):
            _check_observations(problem, condition)


def _check_observations(problem: Problem, condition: Observations) -> None:
    if condition.x.shape[1] != problem.domain.dim:
        raise ShapeError(
            f"{problem.name}: Observations.x: got shape {tuple(condition.x.shape)}, expected (n, {problem.domain.dim}), "
            f"columns {problem.domain.names}"
        )
    check_inside(f"{problem.name}: Observations.x", problem.domain, condition.x)


def _check_data(problem: Problem, generator: torch.Generator) -> None:
    """Shapes, types and finiteness of the data of all conditions."""
    for condition in problem.conditions:
        if isinstance(condition, Initial) and problem.domain.time is None:
            raise ProblemError(
                f"{problem.name}: {label(condition)} on a domain without time; build the domain with Box.with_time"
            )
        if isinstance(condition, Dirichlet | Neumann | Robin | Initial):
            points = boundary_points(problem.domain, place(condition), Uniform(_POINTS), generator)
            evaluate(f"{problem.name}: {label(condition)}", condition.value, points.x)


def _check_coefficients(problem: SecondOrder, generator: torch.Generator) -> list[PdekitWarning]:
    """Shapes, finiteness and element types of the coefficients; A positive; c not too negative."""
    x = interior_points(problem.domain, Uniform(_COEFFICIENT_POINTS), generator).x
    s = len(problem.domain.space_axes)
    a = _coefficient(problem, "diffusion", problem.diffusion, x, None)
    b = _coefficient(problem, "advection", problem.advection, x, s)
    c = _coefficient(problem, "reaction", problem.reaction, x, 1)
    _coefficient(problem, "source", problem.source, x, 1)
    lowest = 1.0
    if a is not None:
        if a.ndim == 3 and not torch.allclose(a, a.mT):
            raise IllPosedError(
                f"{problem.name}.diffusion: the matrix is not symmetric at {x[0].tolist()}, expected a symmetric one; "
                "put the divergence of its antisymmetric part into the advection"
            )
        smallest = torch.linalg.eigvalsh(a)[:, 0] if a.ndim == 3 else a[:, 0]
        lowest, where = float(smallest.min()), x[int(smallest.argmin())].tolist()
        if lowest <= 0:
            what = "smallest eigenvalue" if a.ndim == 3 else "minimum"
            raise IllPosedError(
                f"{problem.name}.diffusion: got {what} {lowest:.4g} at {where}, expected a positive one; "
                "check the sign: the equation is -div(A grad u) + ... = f"
            )
    if c is None or b is not None or not isinstance(problem, Elliptic):
        return []
    return _indefinite(problem, lowest, float(c.min()))


def _indefinite(problem: Elliptic, diffusion: float, reaction: float) -> list[PdekitWarning]:
    """Compare -c with a lower bound of the smallest eigenvalue: that of the bounding box if all data are Dirichlet."""
    fixed = {part for c in problem.conditions if isinstance(c, Dirichlet) for part in problem.domain.resolve(c.where)}
    bound = 0.0
    if fixed == set(problem.domain.parts):
        bound = diffusion * sum((torch.pi / length) ** 2 for length in problem.domain.lengths)
    if reaction >= -bound:
        return []
    return [
        IndefiniteWarning(
            f"{problem.name}.reaction: got {reaction:.4g}, below {-bound:.4g}, where the form may become indefinite; "
            "energies then have no minimum: use the strong form or a direct solver"
        )
    ]


def _coefficient(
    problem: SecondOrder, name: str, function: Callable[[Tensor], Tensor | None], x: Tensor, width: int | None
) -> Tensor | None:
    if getattr(type(problem), name) is getattr(SecondOrder, name):
        return None
    owner, s = f"{problem.name}.{name}", len(problem.domain.space_axes)
    values = function(x)
    if values is None and name != "source":  # an override may say "identity" or "zero" too
        return None
    if not (isinstance(values, Tensor) and width is None and tuple(values.shape) == (len(x), s, s)):
        values = column(owner, values, len(x), width or 1)
    check_finite(owner, values, x)
    single = function(x[:1].float())
    if isinstance(single, Tensor) and single.dtype != torch.float32:
        raise DtypeError(
            f"{owner}: got {single.dtype} values at float32 points, expected float32; "
            "make constants with x.new_tensor(...) or keep them Python numbers"
        )
    return values


def _check_exact(problem: Problem, generator: torch.Generator, scale: float) -> None:
    """The exact solution must satisfy the equation and all conditions; skipped while coefficients are unknown."""
    x = interior_points(problem.domain, Uniform(_POINTS), generator).x.requires_grad_(True)
    values = problem.exact(x)
    if values is None or problem.unknowns:
        return
    column(f"{problem.name}.exact", values, len(x), len(problem.outputs))
    x, exact = x.detach(), exact_of(problem)

    if values.requires_grad:
        zero = problem.residual(jet_of(problem, x, Recorder(lambda at: 0 * at[:, :1].expand(-1, values.shape[1]), x)))
        for r in zero if isinstance(zero, tuple) else (zero,):
            if bool(torch.isfinite(r).all()):
                scale = max(scale, float(r.detach().abs().max()))
        result = problem.residual(jet_of(problem, x, Recorder(exact, x)))
        for number, r in enumerate(result if isinstance(result, tuple) else (result,)):
            _refuse_mismatch(f"{problem.name}: equation {number}", r.detach(), x, scale)
    for condition in problem.conditions:
        if isinstance(condition, Dirichlet | Neumann | Robin | Initial):
            if not (values.requires_grad or isinstance(condition, Dirichlet)):
                continue
            points = boundary_points(problem.domain, place(condition), Uniform(_POINTS), generator)
            gap = mismatch_of(problem, condition, points, exact)
            size = max(1.0, float(exact(points.x).abs().max()))
            _refuse_mismatch(f"{problem.name}: {label(condition)}", gap, points.x, size)


def _refuse_mismatch(owner: str, gap: Tensor, x: Tensor, scale: float) -> None:
    worst = int(gap[:, 0].abs().argmax())
    if not float(gap[worst].abs()) <= _EXACT_TOLERANCE * scale:
        raise ProblemError(
            f"{owner}: the exact solution leaves {float(gap[worst]):.4g} at {x[worst].tolist()}, expected zero; "
            "check the signs of the declaration and the exact solution"
        )
