"""Elliptic problems whose coefficient oscillates on one or two small scales."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..discrete import cg, multigrid_cycle
from ..discretise import space_grid
from ..domain import Box, Interval, Rectangle
from ..field import GridField
from ..problem import Elliptic
from ..reference import Reference


@final
@dataclass(frozen=True)
class EllipticTwoScale(Elliptic):
    """-(A u')' = 1 on (0, 1), u(0) = u(1) = 0, A = 1 / (2 + cos(2 pi x/eps)).

    Exact: integrate A u' = c - x once more, with c from u(1) = 0. For integer 1/eps, c = 1/2 and
    u = x - x^2 + eps (sin(2 pi x/eps) (1/4 - x/2)/pi - eps cos(2 pi x/eps)/(4 pi^2) + eps/(4 pi^2)).

    Args:
        eps: the small scale, in (0, 1].

    Notes:
        The oscillation of u is of size eps, that of u' of size 1: an error of eps misses it.
    Good values:
        eps = 0.1 and 0.01.
    """

    name: ClassVar[str] = "elliptic-two-scale"
    hard_because: ClassVar[str] = "the coefficient oscillates on the scale eps, the solution with amplitude eps"

    eps: float = 0.1

    def __post_init__(self) -> None:
        checks.real(self.name, "eps", self.eps, low=0.0, high=1.0)

    @property
    def domain(self) -> Box:
        """(0, 1)."""
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 at both ends."""
        return (Dirichlet(),)

    def diffusion(self, x: Tensor) -> Tensor:
        """1 / (2 + cos(2 pi x/eps)), between 1/3 and 1."""
        return 1 / (2 + torch.cos(2 * math.pi / self.eps * x))

    def source(self, x: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(x)

    def exact(self, x: Tensor) -> Tensor:
        """Integral of (c - x)(2 + cos(2 pi x/eps))."""
        w = 2 * math.pi / self.eps
        turn = 2 * math.pi * math.remainder(1 / self.eps, 1.0)  # w modulo full turns: exact for integer 1/eps
        sine, cosine = math.sin(turn), math.cos(turn)
        c = (1 + sine / w + (cosine - 1) / w**2) / (2 + sine / w)
        return 2 * c * x - x**2 + (c - x) * torch.sin(w * x) / w + (1 - torch.cos(w * x)) / w**2


@final
@dataclass(frozen=True)
class EllipticThreeScale(Elliptic):
    """-(A u')' = f on (0, 1), Dirichlet, A = (2 + cos(2 pi x/e1)) (2 + cos(2 pi x/e2)).

    Exact: u = x - x^2 + e1/(4 pi) sin(2 pi x/e1) + e2/(4 pi) sin(2 pi x/e2); f from it.

    Args:
        e1: the middle scale, in (0, 1].
        e2: the small scale, in (0, 1].

    Notes:
        A varies between 1 and 9, and f is of size 1/e2.
    Good values:
        e1 = 0.1, e2 = 0.01.
    Reference:
        Book, section 5.1.2, eq. 5.9; Li, Xu, Zhang 2023, doi:10.1016/j.jcp.2023.112242.
    """

    name: ClassVar[str] = "elliptic-three-scale"
    hard_because: ClassVar[str] = "a smooth part and oscillations of amplitude e1 and e2 that their slopes make visible"

    e1: float = 0.1
    e2: float = 0.01

    def __post_init__(self) -> None:
        checks.real(self.name, "e1", self.e1, low=0.0, high=1.0)
        checks.real(self.name, "e2", self.e2, low=0.0, high=1.0)

    @property
    def domain(self) -> Box:
        """(0, 1)."""
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The exact solution's end values: 0 and, for integer 1/e1 and 1/e2, 0."""
        right = sum(e / (4 * math.pi) * math.sin(2 * math.pi * math.remainder(1 / e, 1.0)) for e in (self.e1, self.e2))
        return (Dirichlet("left"), Dirichlet("right", right))

    def diffusion(self, x: Tensor) -> Tensor:
        """The product of two oscillations."""
        return (2 + torch.cos(2 * math.pi / self.e1 * x)) * (2 + torch.cos(2 * math.pi / self.e2 * x))

    def source(self, x: Tensor) -> Tensor:
        """-A' u' - A u''."""
        w1, w2 = 2 * math.pi / self.e1, 2 * math.pi / self.e2
        cos1, sin1, cos2, sin2 = torch.cos(w1 * x), torch.sin(w1 * x), torch.cos(w2 * x), torch.sin(w2 * x)
        slope = 1 - 2 * x + 0.5 * cos1 + 0.5 * cos2
        curvature = -2 - 0.5 * w1 * sin1 - 0.5 * w2 * sin2
        diffusion_slope = -w1 * sin1 * (2 + cos2) - w2 * sin2 * (2 + cos1)
        return -diffusion_slope * slope - (2 + cos1) * (2 + cos2) * curvature

    def exact(self, x: Tensor) -> Tensor:
        """x - x^2 and two sines."""
        scales = (self.e1, self.e2)
        return x - x**2 + sum(e / (4 * math.pi) * torch.sin(2 * math.pi / e * x) for e in scales)


@final
@dataclass(frozen=True)
class EllipticMultiscale2D(Elliptic):
    """-div(A grad u) = 1 on the unit square, u = 0 on the boundary, A = a(x/e1) a(x/e2), a(s) = 2 + cos 2 pi s1 cos 2 pi s2.

    No exact solution is known. The reference is made of finite differences on 257^2 and 513^2 points, extrapolated; its
    own error, the distance to the same from grids twice as coarse, is 4e-6 with the default scales. It is computed when a
    solution is first assessed, in about 2 s of one processor.

    Args:
        e1: the large scale of A, in (0, 1].
        e2: the small one, at least 0.02, which leaves the grids five points per period.

    Notes:
        A varies between 1 and 9. The oscillations of u have a size of e2 / 10 or less: what they do to its mean slope is
        most of the error of methods that do not see them.
    Good values:
        e1 = 1/4, e2 = 1/20.
    Reference:
        Hou, Wu 1997, doi:10.1006/jcph.1997.5682 (oscillating coefficients of this kind).
    """

    name: ClassVar[str] = "elliptic-multiscale-2d"
    hard_because: ClassVar[str] = "the coefficient varies nine-fold on two scales, the smaller a twentieth of the side"

    e1: float = 0.25
    e2: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("e1", self.e1), ("e2", self.e2)):
            checks.real(self.name, name, value, low=_LEAST_SCALE, high=1.0, open_low=False)

    @property
    def domain(self) -> Box:
        """The unit square."""
        return Rectangle()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 on all four sides."""
        return (Dirichlet(),)

    def diffusion(self, x: Tensor) -> Tensor:
        """a(x/e1) a(x/e2)."""
        large, small = (2 + torch.cos(2 * math.pi / e * x).prod(dim=1, keepdim=True) for e in (self.e1, self.e2))
        return large * small

    def source(self, x: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(x[:, 0:1])

    def reference(self) -> Reference:
        """Extrapolated finite differences."""
        return _extrapolated(self)


_LEAST_SCALE = 0.02
_GRIDS = (129, 257, 513)  # points per axis, each grid twice as fine as the one before
_TOLERANCE = 1e-12  # of the residual, far below what the discretisation leaves


@functools.lru_cache(maxsize=4)
def _extrapolated(problem: Elliptic) -> Reference:
    """(4 u_h - u_2h) / 3 from the two finest grids, and its distance to the same from the two coarsest."""
    coarse, middle, fine = (_finite_differences(problem, points) for points in _GRIDS)
    before, better = ((4 * u[::2, ::2] - v) / 3 for u, v in ((middle, coarse), (fine, middle)))
    gap = np.linalg.norm(before - better[::2, ::2]) / np.linalg.norm(better[::2, ::2])
    field = GridField(space_grid(problem, _GRIDS[1]), better)
    return Reference(field, float(gap), f"finite differences on {_GRIDS[1]}^2 and {_GRIDS[2]}^2 points, extrapolated")


def _finite_differences(problem: Elliptic, points: int) -> np.ndarray:
    system = problem.discretise(space_grid(problem, points))
    return cg(system, np.zeros(system.grid.shape), tolerance=_TOLERANCE, preconditioner=multigrid_cycle(system)).u
