"""Poisson problems with one or two sine modes: the plainest tests of accuracy and of frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..domain import Box, Interval, Rectangle
from ..problem import Elliptic


@final
@dataclass(frozen=True)
class PoissonSine(Elliptic):
    """-lap u = 2 (k pi)^2 sin(k pi x) sin(k pi y) on the unit square, u = 0 on the boundary.

    Exact: u = sin(k pi x) sin(k pi y).

    Args:
        k: number of half waves per side.

    Notes:
        From k = 4 on, plain networks stall whatever the optimiser; they need frequency features or the dual norm.
    Good values:
        k = 1 for accuracy, k = 7 for frequency.
    """

    name: ClassVar[str] = "poisson-sine"
    hard_because: ClassVar[str] = "one mode: k = 1 measures accuracy, larger k the frequency a network can reach"

    k: int = 1

    def __post_init__(self) -> None:
        checks.integer(self.name, "k", self.k)

    @property
    def domain(self) -> Box:
        """The unit square."""
        return Rectangle()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 on all four sides."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """2 (k pi)^2 u."""
        return 2 * (self.k * math.pi) ** 2 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        """sin(k pi x) sin(k pi y)."""
        return torch.sin(self.k * math.pi * x).prod(dim=1, keepdim=True)


@final
@dataclass(frozen=True)
class PoissonMscale1D(Elliptic):
    """-u'' = mu^2 sin(mu x) on (-1, 1), u(-1) = u(1) = 0, mu = periods pi.

    Exact: u = sin(mu x).

    Args:
        periods: of the solution on the interval.

    Notes:
        A plain network keeps an error of about 1: its units turn once where the solution turns a dozen times.
    Good values:
        periods = 6; MscaleDNN with scales 1 to 20 or so, hard conditions.
    Reference:
        Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179 (MscaleDNN).
    """

    name: ClassVar[str] = "poisson-mscale-1d"
    hard_because: ClassVar[str] = "one mode of six periods and no lower one: out of reach of a plain network"

    periods: int = 6

    def __post_init__(self) -> None:
        checks.integer(self.name, "periods", self.periods)

    @property
    def domain(self) -> Box:
        """(-1, 1)."""
        return Interval(-1.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 at both ends."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """mu^2 u."""
        return (self.periods * math.pi) ** 2 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        """sin(mu x)."""
        return torch.sin(self.periods * math.pi * x)


_TWO = ((1.0, 2 * math.pi), (0.1, 50 * math.pi))  # amplitude a and angular frequency w of a sin w x


@final
@dataclass(frozen=True)
class PoissonTwoFrequency(Elliptic):
    """-u'' = f on (0, 1), u = 0 at both ends, u = sin(2 pi x) + 0.1 sin(50 pi x).

    Notes:
        The source is dominated by the high frequency, 62 times the low one.
    Good values:
        Fourier features with scales 1 and 10.
    Reference:
        Wang, Wang, Perdikaris 2021, doi:10.1016/j.cma.2021.113938.
    """

    name: ClassVar[str] = "poisson-two-frequency"
    hard_because: ClassVar[str] = "frequencies 1 and 25, the higher one tenth as large"

    @property
    def domain(self) -> Box:
        """(0, 1)."""
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 at both ends."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """Sum of a w^2 sin w x."""
        return sum((a * w**2 * torch.sin(w * x) for a, w in _TWO), torch.zeros_like(x))

    def exact(self, x: Tensor) -> Tensor:
        """Sum of a sin w x."""
        return sum((a * torch.sin(w * x) for a, w in _TWO), torch.zeros_like(x))
