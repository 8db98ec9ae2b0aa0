"""The heat equation in any dimension with initial data of several scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet, Initial
from ..domain import Box, Hypercube
from ..problem import Parabolic

_MODES = ((1.0, 1), (1 / 4, 4), (1 / 8, 8))  # amplitude and mode number


@final
@dataclass(frozen=True)
class Heat(Parabolic):
    """du/dt = kappa lap u on (0, 1)^dim x (0, T), u = 0 on the boundary, u(x, 0) = prod_i w(x_i, 0).

    Exact: u = prod_i w(x_i, t), w(s, t) = sum over (a, k) of a exp(-kappa (k pi)^2 t) sin(k pi s) with (a, k) = (1, 1),
    (1/4, 4), (1/8, 8): a product of solutions of the heat equation in one variable is one in several.

    Args:
        dim: space dimensions.
        diffusivity: kappa.
        end: T.

    Notes:
        The modes decay 16 and 64 times faster than the first: an initial layer, then one smooth mode.
    Good values:
        dim = 1, 2, 4; kappa = 0.05, T = 1.
    """

    name: ClassVar[str] = "heat"
    hard_because: ClassVar[str] = "initial data with modes 1, 4 and 8, whose decay times differ 64-fold"

    dim: int = 1
    diffusivity: float = 0.05
    end: float = 1.0

    def __post_init__(self) -> None:
        checks.integer(self.name, "dim", self.dim)
        checks.real(self.name, "diffusivity", self.diffusivity, low=0.0)
        checks.real(self.name, "end", self.end, low=0.0)

    @property
    def domain(self) -> Box:
        """The cube times (0, T)."""
        return Hypercube(self.dim).with_time(0.0, self.end)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 on the faces, the product of sine sums at the start."""
        return (Dirichlet(), Initial(self.exact))

    def diffusion(self, x: Tensor) -> Tensor:
        """kappa."""
        return torch.full_like(x[:, 0:1], self.diffusivity)

    def source(self, x: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(x[:, 0:1])

    def exact(self, x: Tensor) -> Tensor:
        """The product of the one-dimensional solutions."""
        space, t = x[:, :-1], x[:, -1:]
        factors = sum(
            a * torch.exp(-self.diffusivity * (k * math.pi) ** 2 * t) * torch.sin(k * math.pi * space)
            for a, k in _MODES
        )
        return factors.prod(dim=1, keepdim=True)  # type: ignore[union-attr]
