"""Classical solutions to compare with: error estimates of fields without derivatives, and a coarse check of any field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from ..discrete import Grid, solve_direct
from ..discretise import discretise
from ..domain import Box
from ..errors import NonFiniteError
from ..evolution import march
from ..field import Field, GridField
from ..problem import Elliptic, Parabolic, SecondOrder
from .defect import Estimate, on_grid, ratio, relative_gap, transformable
from .norms import norms, split

Array = np.ndarray

# Unknowns that a direct solve may have, by space dimension: sparse factorisations fill in.
_TRANSFORM_LIMIT = 2_200_000
_FACTOR_LIMIT: Mapping[int, int] = {1: 200_000, 2: 80_000, 3: 60_000}
_TIMES_LIMIT = 1100  # time steps of a march, each of which assembles a right-hand side
# Points per axis: of the grid on which a field without a grid of its own is sampled, and of the coarse check. Intervals
# are odd primes times powers of two, so that coefficients of period 1/10 or 1/64 do not look constant on the grids.
_SAMPLED: Mapping[int, int] = {1: 1017, 2: 137, 3: 35}
_COARSE: Mapping[int, int] = {1: 255, 2: 123, 3: 35}
_COARSE_IN_TIME: Mapping[int, int] = {1: 123, 2: 35, 3: 15}


@final
@dataclass(frozen=True)
class CoarseCheck:
    """A field beside a coarse classical solution.

    Args:
        difference: relative L2 difference.
        gap: the same between the classical solution and the one on a grid of twice the spacing.
    """

    difference: float
    gap: float


def reference_estimate(problem: SecondOrder, field: Field) -> Estimate | None:
    """Error of a field by its distance to a better solution: second-order differences on three grids, extrapolated twice.

    u* = R(h) + (R(h) - R(2h)) / 15 with R(h) = u_h + (u_h - u_2h) / 3, from direct solves on the finest three grids that the
    budget allows, up to a quarter of the field's own spacing. It contains what an unfinished iteration left over, and
    serves for fields of any order of accuracy.

    Args:
        problem: linear, on a box of at most three space coordinates.
        field: grid values, or anything that can be evaluated.

    Returns:
        The estimate, its gap between the last two extrapolations; None where the problem is of another kind, or a direct
        solve on the field's grid would be too costly.

    Raises:
        NotApplicableError: finite differences do not fit the problem.
        SingularSystemError, IllPosedError: the problem has no unique solution.
    """
    if not _solvable(problem):
        return None
    grids = _grids(problem, _own_grid(problem, field))
    if grids is None:
        return None
    own, fine, middle, coarse = grids
    common = own if own.size < coarse.size else coarse
    u, v, w = (_injected(classical(problem, grid), common) for grid in (fine, middle, coarse))
    good, rough = u + (u - v) / 3.0, v + (v - w) / 3.0
    better = good + (good - rough) / 15.0
    values = _injected(on_grid(field, own), common)
    size, error, rougher = (norms(problem, common, v) for v in (better, values - better, values - good))
    l2, energy = ratio(error.l2, size.l2), ratio(error.energy, size.energy)
    before_l2, before_energy = ratio(rougher.l2, size.l2), ratio(rougher.energy, size.energy)
    gap = max(relative_gap(before_l2, l2), relative_gap(before_energy, energy))
    return Estimate(l2, energy, error.energy, before_l2, gap, max(fine.shape))


def coarse_check(problem: SecondOrder, field: Field) -> CoarseCheck | None:
    """A field against the direct solution of the same problem on a coarse grid; None for other than linear problems on boxes.

    It reads the problem's coefficients and the field's values only, so it also sees what a wrong residual hides.

    Raises:
        NotApplicableError: finite differences do not fit the problem.
        SingularSystemError, IllPosedError: the problem has no unique solution.
    """
    if not _solvable(problem):
        return None
    box, dim = problem.domain, len(problem.domain.space_axes)
    points = (_COARSE if problem.domain.time is None else _COARSE_IN_TIME)[dim]
    grid = Grid(box.lower, box.upper, (points,) * box.dim)
    if grid.size > _limit(problem):
        grid = grid.coarsened()
    fine, coarse = classical(problem, grid), classical(problem, grid.coarsened())
    size = norms(problem, grid, fine).l2
    gap = norms(problem, grid.coarsened(), _injected(fine, grid.coarsened()) - coarse).l2
    return CoarseCheck(ratio(norms(problem, grid, on_grid(field, grid) - fine).l2, size), ratio(gap, size))


def classical(problem: SecondOrder, grid: Grid) -> Array:
    """The problem's finite difference solution of order 2 on a grid over all coordinates."""
    if isinstance(problem, Parabolic):
        return march(problem, *split(grid))
    system = discretise(problem, grid)
    values = solve_direct(system)
    mean = problem.mean()
    return values if mean is None or system.balance is None else values + mean


def _solvable(problem: SecondOrder) -> bool:
    linear = isinstance(problem, Elliptic | Parabolic) and isinstance(problem.domain, Box)
    return linear and len(problem.domain.space_axes) in _FACTOR_LIMIT


def _limit(problem: SecondOrder) -> int:
    if transformable(problem):
        return _TRANSFORM_LIMIT
    return _FACTOR_LIMIT[len(problem.domain.space_axes)]


def _own_grid(problem: SecondOrder, field: Field) -> Grid:
    if isinstance(field, GridField):
        return field.grid
    box = problem.domain
    grid = Grid(box.lower, box.upper, (_SAMPLED[len(box.space_axes)],) * box.dim)
    while grid.size > _limit(problem) // 4 and all(n % 2 for n in grid.shape):
        grid = grid.coarsened()
    return grid


def _grids(problem: SecondOrder, own: Grid) -> tuple[Grid, Grid, Grid, Grid] | None:
    """The field's grid, and the finest three within the budget that nest with it, finest first."""
    limit, in_time = _limit(problem), problem.domain.time is not None
    ladder = [own.refined().refined(), own.refined(), own]
    while all(n % 2 and n >= 9 for n in ladder[-1].shape):
        ladder.append(ladder[-1].coarsened())
    affordable = [g for g in ladder if g.size <= limit and not (in_time and g.shape[-1] > _TIMES_LIMIT)]
    return (own, *affordable[:3]) if len(affordable) >= 3 else None  # type: ignore[return-value]


def _injected(values: Array, grid: Grid) -> Array:
    """Values at the points of a coarser or equal grid."""
    if not np.isfinite(values).all():
        raise NonFiniteError("estimate: got values NaN or infinite, expected finite ones; the field diverged")
    return values[tuple(slice(None, None, (f - 1) // (c - 1)) for f, c in zip(values.shape, grid.shape, strict=True))]
