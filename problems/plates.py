"""Equations of fourth order: clamped plates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet, Neumann
from ..domain import Box, Rectangle
from ..jet import Jet
from ..problem import Variational


@final
@dataclass(frozen=True)
class Biharmonic(Variational):
    """lap^2 u = f on the unit square, u = du/dn = 0 on the boundary: a clamped plate under load.

    Exact: u = sin^2(k pi x) sin^2(k pi y). The solution minimises E(u) = int 1/2 (lap u)^2 - f u over functions that meet
    both conditions; neither is natural.

    Args:
        k: number of bumps per side.

    Notes:
        Fourth derivatives weigh mode k of a strong residual by k^4; the energy needs second ones only: deep-ritz reaches
        3e-4 as it is, in about a minute of one processor. Soft conditions compete with the equation, hard ones, by the
        squared distance, do not; energies take no soft clamping at all. Too few points leave the energy unbounded below.
    Good values:
        k = 1: deep-ritz, or pinn with conditions=hard; larger k for frequency.
    Reference:
        Ciarlet, The Finite Element Method for Elliptic Problems (2002), section 1.2.
    """

    name: ClassVar[str] = "biharmonic"
    hard_because: ClassVar[str] = "fourth derivatives weigh mode k by k^4, and two conditions hold on every face"

    k: int = 1

    def __post_init__(self) -> None:
        checks.integer(self.name, "k", self.k)

    @property
    def domain(self) -> Box:
        """The unit square."""
        return Rectangle()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 and du/dn = 0 on all four sides."""
        return (Dirichlet(), Neumann())

    def source(self, x: Tensor) -> Tensor:
        """lap^2 u."""
        w = 2 * math.pi * self.k
        cosines = torch.cos(w * x)
        return w**4 / 4 * (4 * cosines.prod(dim=1, keepdim=True) - cosines.sum(dim=1, keepdim=True))

    def residual(self, u: Jet) -> Tensor:
        """u_xxxx + 2 u_xxyy + u_yyyy - f, (n, 1)."""
        mixed = u.d("x", "x", "y", "y")
        return u.d("x", "x", "x", "x") + 2 * mixed + u.d("y", "y", "y", "y") - u.data("source", self.source)

    def energy(self, u: Jet) -> Tensor:
        """1/2 (lap u)^2 - f u, (n, 1)."""
        return 0.5 * u.laplacian**2 - u.data("source", self.source) * u.value

    def natural(self, condition: Condition) -> bool:
        """Clamping is essential."""
        return False

    def exact(self, x: Tensor) -> Tensor:
        """sin^2(k pi x) sin^2(k pi y)."""
        return (torch.sin(self.k * math.pi * x) ** 2).prod(dim=1, keepdim=True)
