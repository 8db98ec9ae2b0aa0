"""Finite differences solved directly: the classical answer beside every other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from ..checks import integer
from ..discrete import Grid, solve_direct
from ..discretise import space_grid
from ..domain import Box
from ..errors import ConfigError, NotApplicableError
from ..evolution import march
from ..field import Field, GridField
from ..problem import Elliptic, Parabolic, Problem
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from .formulation import require_known

_DEFAULT_POINTS = {1: 1001, 2: 257, 3: 65}


@final
@dataclass(frozen=True)
class FiniteDifference:
    """L u = f on a uniform grid, by a sparse factorisation or fast sine transforms; du/dt + L u = f by Crank-Nicolson.

    Args:
        points: per space axis, both ends included; None chooses by dimension (1001, 257, 65).
        order: 2 or 4 (elliptic problems).
        time_points: time levels of a problem with time, both ends included; None takes as many as `points`.

    Notes: error C h^order. In 3-D with variable coefficients the factorisation fills in; use multigrid beyond 40^3.
    Good values: 20 points per wavelength at order 2, 8 at order 4.
    """

    points: int | None = None
    order: int = 2
    time_points: int | None = None
    name: str = "finite-difference"

    def __post_init__(self) -> None:
        for key, value in (("points", self.points), ("time_points", self.time_points)):
            if value is not None:
                integer("FiniteDifference", key, value, low=3)
        if self.order not in (2, 4):
            raise ConfigError(f"FiniteDifference.order: got {self.order!r}, expected 2 or 4")

    def require(self, problem: Problem) -> None:
        """Needs a linear elliptic or parabolic problem on a box of up to three space dimensions."""
        require_grid(self.name, problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Assemble and solve."""
        started = time.perf_counter()
        if isinstance(problem, Parabolic):
            if self.order != 2:
                raise NotApplicableError(
                    f"{self.name}: order {self.order} is for elliptic problems; use order=2 in time"
                )
            space = space_grid(problem, points_for(problem, self.points))
            box, levels = problem.domain, self.time_points or max(space.shape)
            grid = Grid((*space.lower, box.lower[-1]), (*space.upper, box.upper[-1]), (*space.shape, levels))
            values = march(problem, space, grid.axes[-1])
        else:
            assert isinstance(problem, Elliptic)  # `require` has seen to it
            grid = space_grid(problem, points_for(problem, self.points))
            values = solve_direct(problem.discretise(grid, self.order))
        seconds = time.perf_counter() - started
        return Outcome(
            field=GridField(grid, values),
            history=Record(),
            message=f"solved directly on {' x '.join(map(str, grid.shape))} points",
            measures=Measures(points=grid.size, parameters=grid.size),
            target=values,
            order=self.order,
            timings={"direct": seconds},
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The grid values."""
        return GridField.restored(tensors)


def require_grid(solver: str, problem: Problem, *, time: bool = True) -> None:
    """Raise NotApplicableError unless finite differences apply."""
    if not isinstance(problem, Elliptic | Parabolic if time else Elliptic):
        raise NotApplicableError(
            f"{solver}: {problem.name} is not a linear elliptic{' or parabolic' if time else ''} problem, which finite "
            "differences need; use pinn"
        )
    require_known(solver, problem)
    if not isinstance(problem.domain, Box):
        raise NotApplicableError(
            f"{solver}: the domain of {problem.name} is a {type(problem.domain).__name__}, expected a box; use finite-element"
        )
    dim = len(problem.domain.space_axes)
    if dim > max(_DEFAULT_POINTS):
        raise NotApplicableError(f"{solver}: {problem.name} has {dim} space dimensions, expected at most 3; use pinn")


def points_for(problem: Problem, points: int | None) -> int:
    """Points per axis: those asked for, or the default of the dimension."""
    return points if points is not None else _DEFAULT_POINTS[len(problem.domain.space_axes)]
