"""Poisson's equation as a map from its source, or from its boundary values, to the solution."""

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
from ..domain import Box, Hypercube
from ..errors import ConfigError, NotApplicableError
from ..jet import Jet
from ..operator_problem import Family, Prescribed, Prescription, checked_pair
from ..problem import Problem
from ..quantity import Axis, Quantity
from ..random_fields import Basis, LaplacianField
from .cases import EllipticCase, classical_answer, require_clamped


class PoissonInput(enum.Enum):
    """Which function the solution is a map of."""

    SOURCE = "source"
    """f, with u = 0 on the boundary."""
    BOUNDARY = "boundary"
    """g, with f = 0: g(s) of the distance s along the boundary of the square, counter-clockwise from (0, 0)."""


@final
@dataclass(frozen=True)
class PoissonFamily(Family):
    """-lap u = f in (0, 1)^dim, u = g on the boundary: f -> u with g = 0, or g -> u with f = 0.

    The input is N(0, c (-lap + 1/l^2)^(-2)), c such that its mean square is 1.

    Args:
        data: which input.
        dim: 1 or 2; boundary data need 2.
        length_scale: l, of the input; in parts of the edge.
        modes: the input's highest wave number along each axis.
        mean: whether the input has a mean; else it is 0.
        points: along each edge.

    Notes:
        Without a mean nothing tells a learnt map what a constant input does: Green's function is then known up to any
        function of x, and residuals, which have a mean, are no inputs.
        The solution divides mode k of the source by k^2, and that of the boundary data decays like exp(-k) inwards: high
        frequencies of the input leave little in the output, and less in a loss.
    Reference:
        Khoo, Lu, Ying 2021, doi:10.1017/S0956792520000182.
    """

    name: ClassVar[str] = "poisson-family"
    hard_because: ClassVar[str] = "high frequencies of the input are weak in the output, which is smooth"
    solved_by: ClassVar[str] = "compact differences of order 4, fast sine transforms"

    data: PoissonInput = PoissonInput.SOURCE
    dim: int = 1
    length_scale: float = 0.1
    modes: int = 32
    mean: bool = True
    points: int = 127

    def __post_init__(self) -> None:
        checks.member(self.name, "data", self.data, PoissonInput)
        checks.integer(self.name, "dim", self.dim)
        checks.real(self.name, "length_scale", self.length_scale, low=0.0)
        checks.integer(self.name, "modes", self.modes)
        checks.integer(self.name, "points", self.points, low=5)
        allowed = (1, 2) if self.data is PoissonInput.SOURCE else (2,)
        if self.dim not in allowed:
            raise ConfigError(
                f"{self.name}: dim: got {self.dim} for {self.data}, expected {' or '.join(map(str, allowed))}; set dim=2"
            )

    @property
    def input(self) -> Quantity:
        """f(x), f(x, y), or g(s)."""
        if self.data is PoissonInput.BOUNDARY:
            return Quantity((Axis("s", 4 * (self.points - 1), 0.0, 4.0, periodic=True),), ("g",))
        return Quantity(self.output.axes, ("f",))

    @property
    def output(self) -> Quantity:
        """u(x) or u(x, y)."""
        return Quantity(tuple(Axis(name, self.points) for name in self.domain.names), ("u",))

    @property
    def law(self) -> LaplacianField:
        """The Gaussian field, on an edge of length 1 or, for boundary data, once around."""
        around = self.data is PoissonInput.BOUNDARY
        return LaplacianField(
            tau=(4.0 if around else 1.0) / self.length_scale,
            dim=1 if around else self.dim,
            basis=Basis.PERIODIC if around else Basis.NEUMANN,
            modes=self.modes,
            constant=self.mean,
        ).scaled(1.0)

    @property
    def refinement(self) -> int:
        """To 255 points or more."""
        return -(-254 // (self.points - 1))

    def inputs(self, drawn: Tensor) -> Tensor:
        """The drawn functions on the grid, or around the square."""
        axes = [(axis.coordinates - axis.lower) / (axis.upper - axis.lower) for axis in self.input.axes]
        return self.law.values(drawn, axes)[..., None]

    def solve(self, inputs: Tensor) -> Tensor:
        """Compact differences of order 4."""
        count, spacing = len(inputs), [axis.spacing for axis in self.output.axes]
        zero = np.zeros((count, *self.output.shape[:-1]))
        if self.data is PoissonInput.SOURCE:
            source, boundary = inputs[..., 0].numpy(), zero
        else:
            source, boundary = zero, self._around(inputs[..., 0].numpy())
        return torch.from_numpy(batched.poisson(source, boundary, spacing))[..., None]

    @property
    def domain(self) -> Box:
        """(0, 1) or the unit square."""
        return Hypercube(self.dim)

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """u = 0 or u = g."""
        zero = self.data is PoissonInput.SOURCE
        return (Prescribed("boundary", Prescription.ZERO if zero else Prescription.INPUT),)

    def located(self, x: Tensor) -> Tensor:
        """The points themselves, or the distance along the boundary of the nearest boundary points."""
        if self.data is PoissonInput.SOURCE:
            return x
        a, b = x[:, 0], x[:, 1]
        side = torch.stack([b, 1 - a, 1 - b, a], dim=1).argmin(dim=1)
        along = torch.stack([a, 1 + b, 3 - a, 4 - b], dim=1)
        return along.gather(1, side[:, None])

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """-lap u - f."""
        return -u.laplacian - given.value if self.data is PoissonInput.SOURCE else -u.laplacian

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """The compact differences at the interior points, (count, n - 2) or (count, n - 2, n - 2); boundary values not."""
        checked_pair(self, outputs, inputs)
        u = outputs[..., 0]
        source = inputs[..., 0] if self.data is PoissonInput.SOURCE else torch.zeros_like(u)
        h = self.output.axes[0].spacing
        if self.dim == 1:
            return -_second(u, 1, h) - source[:, 1:-1] - h**2 / 12 * _second(source, 1, h)
        inner = slice(1, -1)
        flat = _second(u, 1, h)[:, :, inner] + _second(u, 2, h)[:, inner]
        load = _second(source, 1, h)[:, :, inner] + _second(source, 2, h)[:, inner]
        mixed = _second(_second(u, 1, h), 2, h)
        return -flat - h**2 / 6 * mixed - source[:, inner, inner] - h**2 / 12 * load

    def case(self, values: Tensor) -> EllipticCase:
        """Poisson's equation for one input."""
        function = self.interpolant(values[None])
        answer = partial(classical_answer, self, values)
        if self.data is PoissonInput.SOURCE:
            return EllipticCase(self.domain, (Dirichlet(),), function, None, answer)
        walls = (Dirichlet("boundary", lambda x: function(self.located(x))),)
        return EllipticCase(self.domain, walls, lambda x: torch.zeros_like(x[:, 0:1]), None, answer)

    @property
    def of_source(self) -> bool:
        """Unless the boundary values are the input."""
        return self.data is PoissonInput.SOURCE

    def inputs_of(self, problem: Problem) -> Tensor:
        """The source of Poisson's equation."""
        if self.data is not PoissonInput.SOURCE:
            raise NotApplicableError(f"{self.name}: with data=boundary it has no source to read off; use data=source")
        elliptic, x = require_clamped(self, problem), torch.from_numpy(self.input.points())
        a = elliptic.diffusion(x)
        if a is not None and (a.ndim != 2 or bool((a != 1.0).any())):
            raise NotApplicableError(f"{self.name}: got {problem.name} with a coefficient, expected -lap u = f")
        return elliptic.source(x).reshape(self.input.shape)

    def _around(self, g: np.ndarray) -> np.ndarray:
        """Values (count, 4 (n - 1)) along the boundary as arrays (count, n, n) that are zero inside."""
        n = self.points
        u = np.zeros((len(g), n, n))
        bottom, right, top, left = np.split(g, 4, axis=1)
        u[:, :-1, 0], u[:, -1, :-1], u[:, :0:-1, -1], u[:, 0, :0:-1] = bottom, right, top, left
        return u


def _second(values: Tensor, axis: int, h: float) -> Tensor:
    return torch.diff(values, n=2, dim=axis) / h**2
