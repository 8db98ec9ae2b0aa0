"""The antiderivative: the simplest operator worth learning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Dirichlet
from ..domain import Box, Interval
from ..jet import Jet
from ..operator_problem import Family, Prescribed, checked_pair
from ..quantity import Axis, Quantity
from ..random_fields import SquaredExponential
from .cases import EquationCase, classical_answer


@final
@dataclass(frozen=True)
class Antiderivative(Family):
    """f -> u with du/dx = f on (0, 1), u(0) = 0; f a Gaussian process with covariance exp(-(x - y)^2 / (2 l^2)).

    Args:
        length_scale: l.
        points: of both grids.

    Good values:
        l = 0.2, 100 points: published errors are 4e-3 for a DeepONet and 2.5e-3 for one trained without labels.
    Reference:
        Lu et al. 2021, doi:10.1038/s42256-021-00302-5; Wang, Wang, Perdikaris 2021, doi:10.1126/sciadv.abi8605.
    """

    name: ClassVar[str] = "antiderivative"
    hard_because: ClassVar[str] = (
        "smooth inputs of all shapes; a linear map, so that what is missed is the network's fault"
    )
    solved_by: ClassVar[str] = "integral of the quintic spline"

    length_scale: float = 0.2
    points: int = 100

    def __post_init__(self) -> None:
        checks.real(self.name, "length_scale", self.length_scale, low=0.01)
        checks.integer(self.name, "points", self.points, low=6)

    @property
    def input(self) -> Quantity:
        """f(x)."""
        return Quantity((Axis("x", self.points),), ("f",))

    @property
    def output(self) -> Quantity:
        """u(x)."""
        return Quantity((Axis("x", self.points),), ("u",))

    @property
    def law(self) -> SquaredExponential:
        """The Gaussian process."""
        return SquaredExponential(self.length_scale)

    @property
    def refinement(self) -> int:
        """1: the spline is exact to many digits."""
        return 1

    def inputs(self, drawn: Tensor) -> Tensor:
        """f at the points."""
        return self.law.values(drawn, [self.input.axes[0].coordinates])[..., None]

    def solve(self, inputs: Tensor) -> Tensor:
        """The integral of the quintic spline through f."""
        from scipy.interpolate import make_interp_spline

        x = self.input.axes[0].coordinates
        integral = make_interp_spline(x, inputs.numpy(), k=5, axis=1).antiderivative()
        return torch.from_numpy(integral(x))

    @property
    def domain(self) -> Box:
        """(0, 1)."""
        return Interval(0.0, 1.0)

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """u(0) = 0."""
        return (Prescribed("left"),)

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """du/dx - f."""
        return u.d("x") - given.value

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Differences of u against the integral of the cubic through four values of f, (count, points - 3)."""
        checked_pair(self, outputs, inputs)
        u, f = outputs[..., 0], inputs[..., 0]
        mean = (13 * (f[:, 1:-2] + f[:, 2:-1]) - f[:, :-3] - f[:, 3:]) / 24
        return (u[:, 2:-1] - u[:, 1:-2]) / self.input.axes[0].spacing - mean

    def case(self, values: Tensor) -> EquationCase:
        """The initial value problem for one f."""
        source = self.interpolant(values[None])

        def equation(u: Jet) -> Tensor:
            return u.d("x") - u.data("source", source)

        return EquationCase(self.domain, (Dirichlet("left"),), equation, partial(classical_answer, self, values))
