"""Whether a problem's conditions determine its solution: each part covered once, data that agree, initial values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .conditions import Dirichlet, Initial, Neumann, Observations, Periodic, Robin, evaluate, label
from .domain import Box
from .errors import (
    CompatibilityWarning,
    ConflictError,
    IllPosedError,
    IndefiniteWarning,
    PdekitWarning,
)
from .kernels.plan import Plan
from .problem import Elliptic, Problem, SecondOrder, conditions_of
from .sampling import GaussLegendre, Sampler, Uniform, boundary_points, interior_points

Facial = Dirichlet | Neumann | Robin | Periodic

_EDGES = 8
_GAP = 1e-6


def check_coverage(problem: Problem, plan: Plan, generator: torch.Generator) -> list[PdekitWarning]:
    """Refuse missing and contradicting conditions; return what is doubtful.

    Args:
        problem: the problem.
        plan: the derivatives its equations contain.
        generator: for sample points.

    Raises:
        IllPosedError: a part or the initial time without condition; Neumann data without solution or with many.
        ConflictError: two conditions for the same unknown on the same part.
    """
    found: list[PdekitWarning] = []
    on_part = _by_part(problem)
    for (component, part), conditions in on_part.items():
        _check_single(problem, component, part, conditions, generator)
    if isinstance(problem, SecondOrder):
        _check_complete(problem, {part for _, part in on_part})
    elif isinstance(problem.domain, Box):
        _check_orders(problem, problem.domain, plan, on_part)
    _check_initial(problem, plan)
    for condition in conditions_of(problem, Robin):
        if condition.alpha < 0:
            found.append(
                IndefiniteWarning(
                    f"{problem.name}: {label(condition)} has alpha = {condition.alpha}, below 0, which may make the "
                    "form indefinite; check the sign of A grad u . n + alpha u = g"
                )
            )
    if isinstance(problem, Elliptic):
        _check_constants(problem, generator)
    if isinstance(problem.domain, Box):
        found += _check_corners(problem, problem.domain, generator)
    return found


def _by_part(problem: Problem) -> dict[tuple[str, str], list[Facial]]:
    """Conditions by unknown and boundary part, Initial apart."""
    found: dict[tuple[str, str], list[Facial]] = {}
    for condition in problem.conditions:
        match condition:
            case Dirichlet() | Neumann() | Robin():
                parts = problem.domain.resolve(condition.where)
            case Periodic():
                parts = problem.domain.resolve((f"{condition.axis}-", f"{condition.axis}+"))
            case _:
                continue
        if not parts:
            raise IllPosedError(
                f"{problem.name}: {label(condition)} covers nothing, the domain has no boundary in space"
            )
        for part in parts:
            found.setdefault((condition.component, part), []).append(condition)
    return found


def _check_single(
    problem: Problem, component: str, part: str, conditions: Sequence[Facial], generator: torch.Generator
) -> None:
    """One condition per part for equations of second order; for others, at most one of a kind."""
    for first, second in itertools.combinations(conditions, 2):
        if not isinstance(problem, SecondOrder) and type(first) is not type(second):
            continue
        at = boundary_points(problem.domain, part, Uniform(4), generator).x[:1]
        shown = " and ".join(f"{label(c)} = {_value(c, at)}" for c in (first, second))
        raise ConflictError(
            f"{problem.name}: {part!r} has two conditions for {component!r}: {shown} at {at[0].tolist()}, expected one; "
            "remove one, or split 'boundary' into the parts each covers"
        )


def _value(condition: Facial, x: Tensor) -> str:
    if isinstance(condition, Periodic):
        return "the other face's"
    return f"{float(evaluate(label(condition), condition.value, x)):.6g}"


def _check_complete(problem: SecondOrder, covered: set[str]) -> None:
    missing = [part for part in problem.domain.parts if part not in covered]
    if missing and len(missing) == len(problem.domain.parts):
        raise IllPosedError(
            f"{problem.name}: no boundary condition, so that constants lie in the kernel of the operator; "
            "add one, such as Dirichlet('boundary', 0.0)"
        )
    if missing:
        raise IllPosedError(
            f"{problem.name}: no condition on {', '.join(map(repr, missing))}, expected one on each part; "
            f"add Dirichlet({missing[0]!r}) or, for no flux, Neumann({missing[0]!r})"
        )


def _check_orders(problem: Problem, box: Box, plan: Plan, on_part: Mapping[tuple[str, str], Sequence[Facial]]) -> None:
    """As many conditions on the two faces of an axis as the equation has derivatives along it, of whatever kind.

    Systems are left alone, since each of their equations counts for itself, and so are problems with measured data.
    """
    if len(problem.outputs) != 1 or problem.unknowns or conditions_of(problem, Observations):
        return
    for axis in box.space_axes:
        order = max(2 if axis in plan.laplacian else 0, *(axes.count(axis) for axes in plan.partials if axes), 0)
        faces = [on_part.get((problem.outputs[0], box.part(axis, side)), ()) for side in (0, 1)]
        if any(isinstance(c, Periodic) for face in faces for c in face):
            continue
        count, name = sum(len(face) for face in faces), box.names[axis]
        told = f"{problem.name}: the equation is of order {order} in {name!r}, expected {order} conditions on the two faces"
        if count < order:
            part = box.part(axis, 0 if len(faces[0]) <= len(faces[1]) else 1)
            given = {type(c) for c in faces[box.face(part)[1]]}
            missing = "Neumann" if Dirichlet in given else "Dirichlet"
            raise IllPosedError(f"{told}, got {count}; add one, such as {missing}({part!r})")
        if count > order >= 2:
            extra = ", ".join(label(c) for face in faces for c in face)
            raise ConflictError(f"{told}, got {count}: {extra}; remove {count - order}")


def _check_initial(problem: Problem, plan: Plan) -> None:
    """As many initial conditions as time derivatives; observations or data at the final time may stand in."""
    time, axis = problem.domain.time, problem.domain.time_axis
    initial = conditions_of(problem, Initial)
    if time is None or axis is None:
        return
    for first, second in itertools.combinations(initial, 2):
        if (first.component, first.order) == (second.component, second.order):
            raise ConflictError(f"{problem.name}: {label(first)} is declared twice, expected once; remove one")
    needed = max((axes.count(axis) for axes in plan.partials), default=0)
    ends = {"initial", "final"}
    if any(
        isinstance(c, Observations) or (isinstance(c, Dirichlet) and ends & set(problem.domain.resolve(c.where)))
        for c in problem.conditions
    ):
        return
    orders = {condition.order for condition in initial}
    for order in range(min(needed, 2)):
        if order not in orders:
            what = "value" if order == 0 else f"derivative d/d{time}"
            raise IllPosedError(
                f"{problem.name}: no initial {what} although the equation is of order {needed} in {time!r}; "
                f"add Initial(..., order={order})"
            )
    if orders and max(orders) >= needed:
        raise IllPosedError(
            f"{problem.name}: an initial condition of order {max(orders)} for an equation of order {needed} in {time!r}; "
            "remove it"
        )


def _check_constants(problem: Elliptic, generator: torch.Generator) -> None:
    """Without Dirichlet, Robin or reaction terms u is fixed up to a constant, and only if the data balance."""
    if conditions_of(problem, Dirichlet) or any(c.alpha != 0 for c in conditions_of(problem, Robin)):
        return
    c = problem.reaction(interior_points(problem.domain, Uniform(64), generator).x)
    if not problem.symmetric or (c is not None and bool((c != 0).any())):
        return
    fine, coarse = (_load(problem, n, generator) for n in (12, 8))
    (inside, boundary, size), (inside_coarse, boundary_coarse, _) = fine, coarse
    gap = inside + boundary
    if abs(gap) > _GAP * size + 10 * abs(gap - inside_coarse - boundary_coarse):
        raise IllPosedError(
            f"{problem.name}: flux conditions alone need the integrals of source and flux to cancel, got {inside:.6g} "
            f"and {boundary:.6g}, gap {gap:.6g}; correct the data, or add a Dirichlet part or a reaction term"
        )
    if problem.mean() is None and not conditions_of(problem, Observations):
        raise IllPosedError(
            f"{problem.name}: flux conditions alone leave constants in the kernel, the mean of u is not fixed; "
            "override `mean` to return it, or add Observations of u at a point"
        )


def _load(problem: Elliptic, n: int, generator: torch.Generator) -> tuple[float, float, float]:
    """Integrals of source and fluxes, and of their absolute values together."""
    dim = problem.domain.dim
    sampler: Sampler = GaussLegendre(n, {1: 32, 2: 4}.get(dim, 1)) if dim <= 3 else Uniform(400 * n)
    points = interior_points(problem.domain, sampler, generator)
    values = problem.source(points.x)[:, 0]
    inside, boundary = float((points.weight * values).sum()), 0.0
    size = float((points.weight * values.abs()).sum())
    for condition in (*conditions_of(problem, Neumann), *conditions_of(problem, Robin)):
        for part in problem.domain.resolve(condition.where):
            points = boundary_points(problem.domain, part, sampler, generator)
            values = evaluate(label(condition), condition.value, points.x)[:, 0]
            boundary += float((points.weight * values).sum())
            size += float((points.weight * values.abs()).sum())
    return inside, boundary, size


def _check_corners(problem: Problem, box: Box, generator: torch.Generator) -> list[PdekitWarning]:
    """Prescribed values must agree where faces meet, the initial time included."""
    faces: list[tuple[Dirichlet | Initial, list[tuple[int, int]]]] = [
        (c, [box.face(part) for part in box.resolve(c.where)]) for c in conditions_of(problem, Dirichlet)
    ]
    if box.time_axis is not None:
        faces += [(c, [(box.time_axis, 0)]) for c in conditions_of(problem, Initial) if c.order == 0]
    found: list[PdekitWarning] = []
    for (first, mine), (second, others) in itertools.combinations(faces, 2):
        if first.component != second.component:
            continue
        meeting = [(f, g) for f, g in itertools.product(mine, others) if f[0] != g[0]]
        x = _edge_points(box, meeting[:_EDGES], generator)
        if not len(x):
            continue
        a, b = (evaluate(label(c), c.value, x) for c in (first, second))
        jump = (a - b).abs()[:, 0]
        worst = int(jump.argmax())
        if float(jump[worst]) > _GAP * (1 + float(a.abs().max())):
            found.append(
                CompatibilityWarning(
                    f"{problem.name}: {label(first)} and {label(second)} meet at {x[worst].tolist()} with a jump of "
                    f"{float(jump[worst]):.4g}; the solution is not continuous there, expect slow convergence near it"
                )
            )
    return found


def _edge_points(
    box: Box, edges: Sequence[tuple[tuple[int, int], tuple[int, int]]], generator: torch.Generator
) -> Tensor:
    """A few points on each intersection of two faces."""
    lower, upper = torch.tensor(box.lower, dtype=torch.float64), torch.tensor(box.upper, dtype=torch.float64)
    rows = []
    for edge in edges:
        x = lower + (upper - lower) * torch.rand(4, box.dim, dtype=torch.float64, generator=generator)
        for axis, side in edge:
            x[:, axis] = (lower, upper)[side][axis]
        rows.append(x)
    return torch.cat(rows) if rows else lower.new_zeros(0, box.dim)
