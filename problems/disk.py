"""Membranes: -lap u = 1 on the disk, and the harmonic function that is singular at the corner of an L."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet
from ..geometry import Disk, Polygon
from ..problem import Elliptic


@final
@dataclass(frozen=True)
class PoissonDisk(Elliptic):
    """-lap u = 1 on the unit disk, u = 0 on the circle; exact: u = (1 - x^2 - y^2) / 4.

    Notes:
        Not hard but for the curved boundary: the plainest test of energies on domains that are no boxes.
    Good values:
        Gauss points in squared radius and angle (law gauss-legendre): they integrate polynomials exactly.
    Reference:
        E and Yu 2018, doi:10.1007/s40304-018-0127-z, section 3.
    """

    name: ClassVar[str] = "disk"
    hard_because: ClassVar[str] = "only its boundary is curved: tests energies and boundary terms"

    @property
    def domain(self) -> Disk:
        """The unit disk; its boundary is the part circle."""
        return Disk()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(x[:, 0:1])

    def exact(self, x: Tensor) -> Tensor:
        """(1 - |x|^2) / 4."""
        return (1 - (x**2).sum(dim=1, keepdim=True)) / 4


_L = ((0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1))


@final
@dataclass(frozen=True)
class LShape(Elliptic):
    """-lap u = 0 on (-1, 1)^2 without its fourth quadrant, u = r^(2/3) sin(2 phi / 3) on the boundary and inside.

    Notes:
        The gradient is infinite at the corner: errors of elements fall like size^(4/3) whatever their degree, and smooth
        networks see the corner late.
    Reference:
        Brenner and Scott, doi:10.1007/978-0-387-75934-0, section 5.5.
    """

    name: ClassVar[str] = "l-shape"
    hard_because: ClassVar[str] = "a corner that points inward, where the gradient is infinite"

    @property
    def domain(self) -> Polygon:
        """The L."""
        return Polygon(_L)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = exact."""
        return (Dirichlet("boundary", self.exact),)

    def source(self, x: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(x[:, 0:1])

    def exact(self, x: Tensor) -> Tensor:
        """r^(2/3) sin(2 phi / 3), phi from 0 on the positive x-axis to 3 pi / 2."""
        angle = torch.atan2(x[:, 1:2], x[:, 0:1])
        angle = torch.where(angle < -1e-12, angle + 2 * math.pi, angle)
        return x.norm(dim=1, keepdim=True) ** (2 / 3) * torch.sin(angle * (2 / 3))
