"""Activations of compact or nearly compact support, whose spectrum does not fall from frequency zero on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..checks import real
from ..errors import ConfigError


@final
@dataclass(frozen=True)
class SReLU:
    """max(z, 0) max(1 - z, 0), the parabola z (1 - z) on [0, 1]; continuous.

    Notes: for energies only, since its slope jumps.
    Reference: Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179; book, section 5.1.1.
    """

    smoothness = 0

    def __call__(self, z: Tensor) -> Tensor:
        """Return the parabola's positive part."""
        return torch.relu(z * (1 - z))


@final
@dataclass(frozen=True)
class BSpline:
    """A B-spline with knots 0, 1, ..., degree + 1, not normalised: sum over k of (-1)^k C(p+1, k) max(z - k, 0)^p.

    Args:
        degree: p; 2 is the phi of multiscale networks, 3 has one more continuous derivative.

    Notes: evaluated from the nearer end, so that the powers cancel exactly beyond the last knot.
    Reference: Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179.
    """

    degree: int = 2

    def __post_init__(self) -> None:
        if self.degree not in (2, 3):
            raise ConfigError(f"BSpline.degree: got {self.degree!r}, expected 2 or 3; use ReLU(1) for a kink")

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous."""
        return self.degree - 1

    @property
    def pieces(self) -> tuple[tuple[float, int], ...]:
        """(radius, factor) with value = sum of factor max(radius - |z - centre|, 0)^degree; the first radius is the centre."""
        p, centre = self.degree, 0.5 * (self.degree + 1)
        return tuple((centre - k, (-1) ** k * math.comb(p + 1, k)) for k in range(p + 1) if centre > k)

    def __call__(self, z: Tensor) -> Tensor:
        """Return the spline."""
        (centre, _), *_ = self.pieces
        distance = (z - centre).abs()
        terms = [factor * torch.relu(radius - distance) ** self.degree for radius, factor in self.pieces]
        return sum(terms[1:], terms[0])


@final
@dataclass(frozen=True)
class S2ReLU:
    """sin(2 pi z) max(z, 0) max(1 - z, 0): one smooth oscillation on [0, 1], with a continuous slope.

    Reference: Li, Xu, Zhang 2020, doi:10.4208/cicp.OA-2020-0187.
    """

    smoothness = 1

    def __call__(self, z: Tensor) -> Tensor:
        """Return the oscillation."""
        return torch.sin(2 * math.pi * z) * torch.relu(z * (1 - z))


@final
@dataclass(frozen=True)
class Ricker:
    """pi^(1/4) / (15 a) (1 - (z/a)^2) exp(-(z/a)^2 / 2), infinitely smooth; its spectrum peaks at sqrt(2) / a.

    Args:
        width: a.

    Notes: with a small width (0.1) a network fits high frequencies as early as low ones, and generalises badly; at 0.3
    the order of the frequency principle is back.
    Reference: book, eqs 4.3 and 6.1.
    """

    width: float = 0.3
    smoothness = math.inf

    def __post_init__(self) -> None:
        real("Ricker", "width", self.width, low=0.0)

    @property
    def height(self) -> float:
        """The value at 0."""
        return math.pi**0.25 / (15 * self.width)

    def __call__(self, z: Tensor) -> Tensor:
        """Return the wavelet."""
        square = (z / self.width) ** 2
        return self.height * (1 - square) * torch.exp(-0.5 * square)
