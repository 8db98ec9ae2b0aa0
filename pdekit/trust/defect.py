"""Error estimates of fields with derivatives: the defect equation, solved by finite differences on two grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..conditions import Dirichlet, Initial, Neumann, Periodic, Robin, mismatch
from ..discrete import Grid, solve_direct
from ..discrete.system import Balance
from ..discretise import Data, discretise, space_grid
from ..domain import Box
from ..evolution import march
from ..field import Field, GridField
from ..jet import Jet
from ..problem import Elliptic, Parabolic, SecondOrder, conditions_of, faces_of
from .norms import Norms, norms, split
from .residual import Expression

Array = np.ndarray
RESOLVED = 0.10
"""Largest gap between the estimates on two grids at which they count as evidence."""
ENOUGH = 0.03  # gap at which refining stops: the finer estimate then is about 1 % from its limit
_BATCH = 65536
_ROUND_OFF = 1e-9  # relative errors below this are noise of strong residuals and direct solves
_SEAM = 1e-9  # jump across a periodic seam, relative to u, that finite differences may overlook

# Points per axis, in increasing order: (fast sine transforms, sparse factorisation). Each ladder ends where a solve and
# the evaluation of a network of 10^4 parameters together take about as long as an assessment may. Spacings fall by 1.8 and
# not by 2: what oscillates beyond a grid is folded to some lower frequency, and on a grid of half the spacing to the same
# one half the time, so that both would agree on a wrong number. Numbers of intervals without common factors never do.
_ELLIPTIC: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    1: ((1014, 1824, 3302, 5940, 10692), (1014, 1824, 3302, 5940, 10692)),
    2: ((68, 122, 218, 390), (68, 122, 218)),
    3: ((18, 32, 56), (12, 21, 36)),
}
_PARABOLIC: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    1: ((68, 122, 218, 390), (68, 122, 218)),
    2: ((18, 32, 56), (18, 32)),
    3: ((12, 21), (12, 21)),
}


@final
@dataclass(frozen=True)
class Estimate:
    """An estimated error.

    Args:
        relative_l2: of the error, relative to the solution.
        relative_energy: the same in the energy norm.
        energy: energy norm of the error, the dual norm of the residual.
        coarser: relative L2 error as found on the coarser of the two grids.
        gap: largest relative difference between the numbers on the two grids.
        points: per axis, on the finer grid; in all, on a mesh.
    """

    relative_l2: float
    relative_energy: float
    energy: float
    coarser: float
    gap: float
    points: int

    @property
    def resolved(self) -> bool:
        """Whether the two grids agree."""
        return self.gap <= RESOLVED


def defect_estimate(problem: SecondOrder, field: Field) -> Estimate | None:
    """Error of a field with derivatives, from the equation that the error obeys.

    L e = f - L u with boundary values g - u and fluxes g - A grad u . n (for problems with time: de/dt + L e = f - du/dt -
    L u from u0 - u on) is solved on two grids whose spacings differ 1.8-fold, refined until they agree to 3 % or the budget
    ends. The energy norm of e is the dual norm of the residual.

    Args:
        problem: linear, on a box of at most three space coordinates.
        field: with the derivatives of the strong form.

    Returns:
        The estimate, or None where the problem is of another kind, or the field jumps across a periodic seam.

    Raises:
        NotApplicableError: the field has no derivatives, or finite differences do not fit the problem.
        SingularSystemError: the problem has no unique solution.

    Notes:
        The strong residual misses jumps of the flux: fields with kinks and discontinuous coefficients need a comparison of
        values instead (`reference_estimate`).

    Reference:
        Taylor, Pardo, Muga 2023, doi:10.1016/j.cma.2022.115850 (the dual norm of a network's residual).
    """
    ladder = _ladder(problem)
    if ladder is None or _jumps(problem, field):
        return None
    data = defect_data(problem, field)
    found: Estimate | None = None
    for points in ladder:
        found = _refined(found, *_on_grid(problem, field, data, points), points)
        if found.gap <= ENOUGH:
            break
    return found


def defect_data(problem: SecondOrder, field: Field) -> Data:
    """Source, boundary and initial values of the equation that the error of `field` obeys."""
    time = problem.domain.time

    def source(u: Jet) -> Tensor:
        rest = problem.source_at(u) - problem.operator(u)
        return rest if time is None else rest - u.d(time)

    faces = {part: _defect_condition(problem, field, part, c) for part, c in faces_of(problem).items()}
    initial = [_rest(problem, field, c, torch.zeros(problem.domain.dim)) for c in conditions_of(problem, Initial)]
    return Data(Expression(problem, field, source), faces, initial[0] if initial else 0.0)


def _defect_condition(
    problem: SecondOrder, field: Field, part: str, condition: Dirichlet | Neumann | Robin | Periodic
) -> Dirichlet | Neumann | Robin | Periodic:
    if isinstance(condition, Periodic):
        return condition
    box = problem.domain
    assert isinstance(box, Box)
    axis, side = box.face(part)
    normal = torch.zeros(box.dim, dtype=torch.float64)
    normal[axis] = 2.0 * side - 1.0
    value = _rest(problem, field, condition, normal)
    match condition:
        case Dirichlet():
            return Dirichlet(part, value)
        case Neumann():
            return Neumann(part, value)
        case Robin():
            return Robin(part, condition.alpha, value)


def _rest(
    problem: SecondOrder, field: Field, condition: Dirichlet | Neumann | Robin | Initial, normal: Tensor
) -> Callable[[Tensor], Tensor]:
    """What the field leaves over of a condition."""

    def formula(u: Jet) -> Tensor:
        return -mismatch(
            condition, u, problem.domain.time, lambda v: problem.normal_flux(v, normal.expand(len(v.x), -1))
        )

    return Expression(problem, field, formula)


def _ladder(problem: SecondOrder) -> tuple[int, ...] | None:
    ladders = {Elliptic: _ELLIPTIC, Parabolic: _PARABOLIC}
    kind = next((k for k in ladders if isinstance(problem, k)), None)
    dim = len(problem.domain.space_axes)
    if kind is None or not isinstance(problem.domain, Box) or dim not in ladders[kind]:
        return None
    transforms, factorisations = ladders[kind][dim]
    return transforms if transformable(problem) else factorisations


def transformable(problem: SecondOrder) -> bool:
    """Whether direct solves go by fast sine transforms, seen on a small grid."""
    time = None if problem.domain.time is None else problem.domain.lower[-1]
    star = discretise(problem, space_grid(problem, 9), time=time).star
    return star is not None and star.symmetric


def _jumps(problem: SecondOrder, field: Field) -> bool:
    """Whether the field jumps across a periodic seam, which the defect's finite differences would not see."""
    box = problem.domain
    assert isinstance(box, Box)
    for condition in conditions_of(problem, Periodic):
        axis = box.names.index(condition.axis)
        x = torch.from_numpy(Grid(box.lower, box.upper, (5,) * box.dim).points())
        lower, upper = x.clone(), x.clone()
        lower[:, axis], upper[:, axis] = box.lower[axis], box.upper[axis]
        u, v = field(lower), field(upper)
        if float((u - v).abs().max()) > _SEAM * float(u.abs().max()):
            return True
    return False


def _on_grid(problem: SecondOrder, field: Field, data: Data, points: int) -> tuple[Norms, Norms]:
    """Norms of the error and of the solution, found on one grid."""
    box = problem.domain
    grid = Grid(box.lower, box.upper, (points,) * box.dim)
    if isinstance(problem, Parabolic):
        error = march(problem, *split(grid), data=data)
    else:
        error = _elliptic_defect(problem, field, grid, data)
    return norms(problem, grid, error), norms(problem, grid, error + on_grid(field, grid))


def on_grid(field: Field, grid: Grid) -> Array:
    """First component of a field at the points of a grid, grid-shaped."""
    if isinstance(field, GridField) and field.grid == grid:
        return field.values
    points = torch.from_numpy(grid.points()).split(_BATCH)
    return torch.cat([field(x)[:, 0] for x in points]).numpy().reshape(grid.shape)


def _elliptic_defect(problem: SecondOrder, field: Field, grid: Grid, data: Data) -> Array:
    system = discretise(problem, grid, data=data)
    if system.balance is None:
        return solve_direct(system)
    # Source and fluxes of the defect cancel up to quadrature, which may outweigh them when both are small.
    error = solve_direct(replace(system, balance=Balance(0.0, 0.0, 1.0, 1.0)))
    mean = problem.mean()
    if mean is None:
        return error
    weights = grid.weights()
    values = on_grid(field, grid)
    return error + mean - float((weights * values).sum() / weights.sum())


def _refined(before: Estimate | None, error: Norms, size: Norms, points: int) -> Estimate:
    """The estimate on a finer grid, and how far it is from the one before."""
    l2, energy = ratio(error.l2, size.l2), ratio(error.energy, size.energy)
    if before is None:
        return Estimate(l2, energy, error.energy, math.inf, math.inf, points)
    gap = max(relative_gap(before.relative_l2, l2), relative_gap(before.relative_energy, energy))
    return Estimate(l2, energy, error.energy, before.relative_l2, gap, points)


def ratio(part: float, whole: float) -> float:
    """part / whole; infinite where nothing is compared with."""
    return part / whole if whole > 0 else math.inf


def relative_gap(coarse: float, fine: float) -> float:
    """Difference of two relative errors, relative to the finer one; errors at round-off count as equal."""
    if not math.isfinite(fine):
        return math.inf
    return abs(coarse - fine) / max(fine, _ROUND_OFF)
