"""One-dimensional elliptic problems whose coefficient oscillates on one or two small scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..domain import Box, Interval
from ..problem import Elliptic


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
