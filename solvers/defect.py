"""The defect problem: what is missing from a grid solution, as a problem that networks can be trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet, Neumann, Periodic, Robin
from ..discrete import GridFunction, Jacobi, LinearSystem
from ..domain import Region
from ..problem import Elliptic


@final
@dataclass(frozen=True, eq=False)
class Defect(Elliptic):
    """L e = r / scale with zero data, for the defect e = (u - u_h) / scale of grid values u_h with residual r.

    Args:
        original: the problem whose operator and conditions these are.
        residual: r between the grid points.
        scale: size of the defect, so that e is of order one.
    """

    name: ClassVar[str] = "defect"

    original: Elliptic
    residual_values: GridFunction
    scale: float

    @property
    def domain(self) -> Region:
        """The original's."""
        return self.original.domain

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The original's with zero data."""
        return tuple(_homogeneous(c) for c in self.original.conditions if isinstance(c, _BOUNDARY))

    def diffusion(self, x: Tensor) -> Tensor | None:
        """The original's."""
        return self.original.diffusion(x)

    def advection(self, x: Tensor) -> Tensor | None:
        """The original's."""
        return self.original.advection(x)

    def reaction(self, x: Tensor) -> Tensor | None:
        """The original's."""
        return self.original.reaction(x)

    @property
    def symmetric(self) -> bool:
        """As the original."""
        return self.original.symmetric

    def source(self, x: Tensor) -> Tensor:
        """r / scale, interpolated."""
        values = self.residual_values(x.detach().to("cpu", torch.float64).numpy())
        return torch.from_numpy(values)[:, None].to(x) / self.scale


_SMOOTHING = 8
_BOUNDARY = (Dirichlet, Neumann, Robin, Periodic)


def _homogeneous(condition: Dirichlet | Neumann | Robin | Periodic) -> Condition:
    match condition:
        case Dirichlet():
            return Dirichlet(condition.where, 0.0, condition.component)
        case Neumann():
            return Neumann(condition.where, 0.0, condition.component)
        case Robin():
            return Robin(condition.where, condition.alpha, 0.0, condition.component)
        case Periodic():
            return condition


def defect_of(problem: Elliptic, system: LinearSystem, values: np.ndarray, size: float) -> tuple[np.ndarray, Defect]:
    """Smoothed grid values and their defect problem.

    Args:
        problem: the original problem.
        system: its discrete equations.
        values: grid-shaped values that do not solve them yet.
        size: estimated largest error, which becomes the scale.
    """
    grid = system.grid
    # Undamped Jacobi leaves the roughest modes of the grid, which the network could only alias.
    values = Jacobi(omega=0.5).prepare(system).sweep(values, _SMOOTHING)
    residual = np.zeros(grid.shape)
    # Rows carry their cell's share; without it they are in the units of the equation.
    residual[system.unknown] = system.residual(values) / grid.cells()[system.unknown]
    for axis in range(grid.dim):
        for side in (0, 1):
            face, one, two = (_layer(grid.dim, axis, side, depth) for depth in (0, 1, 2))
            fixed = ~system.unknown[face]
            # On Dirichlet faces there is no equation: continue the residual linearly.
            residual[face] = np.where(fixed, 2 * residual[one] - residual[two], residual[face])
    return values, Defect(problem, GridFunction(grid, residual), size)


def _layer(dim: int, axis: int, side: int, depth: int) -> tuple[slice | int, ...]:
    index = depth if side == 0 else -1 - depth
    return tuple(index if a == axis else slice(None) for a in range(dim))
