"""Darcy flow as a map from the permeability to the pressure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from .. import checks
from ..conditions import Dirichlet
from ..discrete import batched
from ..domain import Box, Rectangle
from ..errors import NotApplicableError
from ..jet import Jet
from ..operator_problem import Family, Prescribed, checked_pair
from ..problem import Problem
from ..quantity import Axis, Quantity
from ..random_fields import LaplacianField
from .cases import EllipticCase, classical_answer, require_clamped

_HIGH, _LOW = 12.0, 3.0
_LEAST = 121
"""Points per axis of the grids that data sets are solved on, at least."""
_TOGETHER = 16
"""Cases solved at once: as many as stay in the cache."""


class Permeability(enum.Enum):
    """How the coefficient comes of a Gaussian field."""

    PIECEWISE = "piecewise"
    """12 where the field is positive, 3 elsewhere."""
    LOG_NORMAL = "log-normal"
    """Its exponential, scaled so that log a has a given root mean square."""


@final
@dataclass(frozen=True)
class DarcyFamily(Family):
    """a -> u with -div(a grad u) = 1 on the unit square, u = 0 on its boundary.

    a comes of the field N(0, (-lap + 9)^(-2)) with Neumann eigenfunctions.

    Args:
        permeability: piecewise constant or log-normal.
        deviation: root mean square of log a, where a is log-normal.
        modes: highest wave number of the field along each axis.
        points: along each edge, both ends included.

    Notes:
        Where a is piecewise constant, u has kinks that no grid follows: finite volumes converge with the first order only,
        and there is no equation at points. Data are solved on at least 121 x 121 points.
    Good values:
        16 points: the constant mean of the training solutions is about 0.49 off, relative.
    Reference:
        Li et al. 2021, arXiv:2010.08895, section 5.2 and appendix A.3.2.
    """

    name: ClassVar[str] = "darcy-family"
    hard_because: ClassVar[str] = "the coefficient jumps along random curves, and acts through its inverse"
    solved_by: ClassVar[str] = (
        "finite volumes with harmonic means, conjugate gradients preconditioned by sine transforms"
    )

    permeability: Permeability = Permeability.PIECEWISE
    deviation: float = 1.0
    modes: int = 32
    points: int = 16

    def __post_init__(self) -> None:
        checks.member(self.name, "permeability", self.permeability, Permeability)
        checks.real(self.name, "deviation", self.deviation, low=0.0)
        checks.integer(self.name, "modes", self.modes)
        checks.integer(self.name, "points", self.points, low=5)

    @property
    def input(self) -> Quantity:
        """a(x, y)."""
        return Quantity(self.output.axes, ("a",))

    @property
    def output(self) -> Quantity:
        """u(x, y)."""
        return Quantity((Axis("x", self.points), Axis("y", self.points)), ("u",))

    @property
    def law(self) -> LaplacianField:
        """The Gaussian field behind the coefficient."""
        field = LaplacianField(sigma=1.0, tau=3.0, alpha=2.0, dim=2, modes=self.modes, constant=True)
        return field if self.permeability is Permeability.PIECEWISE else field.scaled(self.deviation)

    @property
    def refinement(self) -> int:
        """To 121 points or more."""
        return -(-(_LEAST - 1) // (self.points - 1))

    def inputs(self, drawn: Tensor) -> Tensor:
        """The coefficient at the points."""
        field = self.law.values(drawn, [axis.coordinates for axis in self.input.axes])[..., None]
        if self.permeability is Permeability.LOG_NORMAL:
            return field.exp()
        return torch.where(field > 0.0, _HIGH, _LOW).to(torch.float64)

    def solve(self, inputs: Tensor) -> Tensor:
        """Finite volumes."""
        spacing = [axis.spacing for axis in self.output.axes]
        parts = inputs[..., 0].split(_TOGETHER)
        solved = [batched.diffusion(a.numpy(), 1.0, spacing, smooth=self.smooth_inputs) for a in parts]
        return torch.from_numpy(np.concatenate(solved))[..., None]

    @property
    def domain(self) -> Box:
        """The unit square."""
        return Rectangle()

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """u = 0."""
        return (Prescribed("boundary"),)

    @property
    def smooth_inputs(self) -> bool:
        """Not where the coefficient jumps."""
        return self.permeability is Permeability.LOG_NORMAL

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """-a lap u - grad a . grad u - 1.

        Raises:
            NotApplicableError: the coefficient jumps.
        """
        if not self.smooth_inputs:
            raise NotApplicableError(
                f"{self.name}: the coefficient jumps, so the equation holds in no pointwise sense; use grid_residual, or "
                "permeability=log-normal"
            )
        return -given.value * u.laplacian - (given.grad * u.grad).sum(dim=2) - 1.0

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Finite volumes at the interior points, (count, n - 2, n - 2); boundary values not."""
        checked_pair(self, outputs, inputs)
        u, (along_x, along_y) = outputs[..., 0], batched.face_means(inputs[..., 0])
        h = self.output.axes[0].spacing
        flux_x, flux_y = along_x * torch.diff(u[:, :, 1:-1], dim=1), along_y * torch.diff(u[:, 1:-1], dim=2)
        return -(torch.diff(flux_x, dim=1) + torch.diff(flux_y, dim=2)) / h**2 - 1.0

    def case(self, values: Tensor) -> EllipticCase:
        """The elliptic problem for one coefficient; between points a piecewise constant one takes the nearest value."""
        coefficient = self.interpolant(values[None])
        answer = partial(classical_answer, self, values)
        return EllipticCase(self.domain, (Dirichlet(),), lambda x: torch.ones_like(x[:, 0:1]), coefficient, answer)

    def inputs_of(self, problem: Problem) -> Tensor:
        """The coefficient of -div(a grad u) = 1."""
        elliptic, x = require_clamped(self, problem), torch.from_numpy(self.input.points())
        a = elliptic.diffusion(x)
        if a is None or a.ndim != 2 or bool((elliptic.source(x) != 1.0).any()):
            raise NotApplicableError(f"{self.name}: got {problem.name}, expected -div(a grad u) = 1 with a scalar a")
        return a.reshape(self.input.shape)
