"""Square plates with round holes of several sizes: domains that no grid fits and no sine mode diagonalises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..domain import Rectangle
from ..errors import ConfigError
from ..geometry import Difference, Disk
from ..problem import Elliptic
from ..reference import Reference
from .references import finite_element_reference

_RADII = (0.05, 0.2)
_MARGIN = 0.05  # between holes, and between holes and sides
_TRIALS = 2000
_HOLES = 16


def perforated_square(holes: int, seed: int) -> Difference:
    """(-1, 1)^2 without `holes` discs, the largest placed first; the same seed gives the same layout.

    Radii from 0.05 to 0.2, uniform in the logarithm; holes keep 0.05 from each other and from the sides.

    Raises:
        ConfigError: so many holes do not fit.
    """
    random = np.random.default_rng(seed)
    low, high = _RADII
    radii = np.sort(low * (high / low) ** random.random(holes))[::-1]
    placed: list[tuple[float, float, float]] = []
    for radius in radii.tolist():
        reach = 1.0 - radius - _MARGIN
        for x, y in random.uniform(-reach, reach, (_TRIALS, 2)).tolist():
            if all(math.hypot(x - a, y - b) > radius + r + _MARGIN for a, b, r in placed):
                placed.append((x, y, radius))
                break
        else:
            raise ConfigError(f"perforated square: {holes} holes do not fit with seed {seed}, expected fewer; 20 do")
    return Difference(Rectangle((-1, -1), (1, 1)), tuple(Disk((x, y), r) for x, y, r in placed))


@final
@dataclass(frozen=True)
class PoissonPorous(Elliptic):
    """-lap u = 2 mu^2 sin(mu x) sin(mu y) on (-1, 1)^2 without discs, u = sin(mu x) sin(mu y) on the boundary, mu = k pi.

    Args:
        k: half waves per unit length.
        holes: number of discs; sides and holes are the parts left, right, bottom, top, hole1, hole2, ...
        layout: seed of the layout.

    Notes:
        Plain networks find a smooth function, error 1. Those with the right scales find the oscillation, and the strong
        residual leaves a smooth error of order one unless it is trained far: a coarse correction removes it.
    Good values:
        k = 7; meshes of 0.06, five points per wavelength along an axis, for corrections.
    Reference:
        book, section 5.1.1; Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179.
    """

    name: ClassVar[str] = "poisson-porous"
    hard_because: ClassVar[str] = "seven waves across a square with holes: no grid, and high frequency only"

    k: int = 7
    holes: int = 16
    layout: int = 0

    def __post_init__(self) -> None:
        checks.integer(self.name, "k", self.k)
        checks.integer(self.name, "holes", self.holes)
        checks.integer(self.name, "layout", self.layout, low=0)

    @cached_property
    def domain(self) -> Difference:
        """The square with holes."""
        return perforated_square(self.holes, self.layout)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = exact on the whole boundary."""
        return (Dirichlet("boundary", self.exact),)

    def source(self, x: Tensor) -> Tensor:
        """2 mu^2 u."""
        return 2 * (self.k * math.pi) ** 2 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        """sin(mu x) sin(mu y)."""
        return torch.sin(self.k * math.pi * x).prod(dim=1, keepdim=True)


@final
@dataclass(frozen=True)
class PoissonBoltzmann(Elliptic):
    """-lap u + kappa^2 u = (2 mu^2 + kappa^2) sin(mu x) sin(mu y), mu = 3 pi, on (-1, 1)^2 without discs.

    u = 1 on the discs and 0 on the sides.

    Args:
        kappa: inverse screening length: u changes over 1/kappa next to the discs.
        layout: seed of the layout of sixteen discs.

    Notes:
        No exact solution is known: `reference` solves by finite elements on two meshes (about 5 s, once) and states how
        far they differ.
    Good values:
        kappa from 1 (smooth) to 10 (layers as thin as the waves are long).
    Reference:
        Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179.
    """

    name: ClassVar[str] = "poisson-boltzmann"
    hard_because: ClassVar[str] = "thin layers around many holes beside oscillations of the source"

    kappa: float = 10.0
    layout: int = 1

    def __post_init__(self) -> None:
        checks.real(self.name, "kappa", self.kappa, low=0.0)
        checks.integer(self.name, "layout", self.layout, low=0)

    @cached_property
    def domain(self) -> Difference:
        """The square with holes."""
        return perforated_square(_HOLES, self.layout)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 1 on the discs, 0 on the sides."""
        return (Dirichlet("holes", 1.0), Dirichlet(("left", "right", "bottom", "top"), 0.0))

    def reaction(self, x: Tensor) -> Tensor:
        """kappa^2."""
        return torch.full_like(x[:, 0:1], self.kappa**2)

    def source(self, x: Tensor) -> Tensor:
        """(2 mu^2 + kappa^2) sin(mu x) sin(mu y)."""
        mu = 3 * math.pi
        return (2 * mu**2 + self.kappa**2) * torch.sin(mu * x).prod(dim=1, keepdim=True)

    def reference(self) -> Reference:
        """Quadratic elements, and how far they are from those on a mesh twice as coarse."""
        return finite_element_reference(self, 0.04)
