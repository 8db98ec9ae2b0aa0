"""Poisson problems in many dimensions, in the variants that published results are for."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..domain import Box, Hypercube
from ..errors import ConfigError
from ..problem import Elliptic


class Variant(enum.Enum):
    """Which solution: u is a sum of one term per coordinate, or per pair of coordinates."""

    SINE = "sine"
    """sum sin(pi x_i/2) on (0, 1)^d."""
    CENTRED_SINE = "centred-sine"
    """sum sin(pi x_i/2) on (-1, 1)^d."""
    HARMONIC = "harmonic"
    """x1 x2 + x3 x4 + ... on (0, 1)^d, d even; the source is zero."""
    COSINE = "cosine"
    """sum cos(pi x_i) on (0, 1)^d."""


@final
@dataclass(frozen=True)
class BestConstant:
    """The trivial predictor to print beside every result: the constant nearest to u.

    Args:
        value: the mean of u.
        rel_l2: its relative L2 error.
    """

    value: float
    rel_l2: float


@final
@dataclass(frozen=True)
class _Sum:
    """u = sum of independent terms: how they are computed, and mean and variance of one of them."""

    lower: float
    group: int
    exact: Callable[[Tensor], Tensor]
    source: Callable[[Tensor], Tensor]
    mean: float
    variance: float


def _half_wave(x: Tensor) -> Tensor:
    return torch.sin(math.pi / 2 * x)


def _half_wave_source(x: Tensor) -> Tensor:
    return (math.pi / 2) ** 2 * torch.sin(math.pi / 2 * x)


_SUMS: Final[Mapping[Variant, _Sum]] = {
    Variant.SINE: _Sum(0.0, 1, _half_wave, _half_wave_source, 2 / math.pi, 1 / 2 - 4 / math.pi**2),
    Variant.CENTRED_SINE: _Sum(-1.0, 1, _half_wave, _half_wave_source, 0.0, 1 / 2),
    Variant.HARMONIC: _Sum(
        0.0, 2, lambda x: x[:, 0::2] * x[:, 1::2], lambda x: torch.zeros_like(x[:, 0:1]), 1 / 4, 1 / 9 - 1 / 16
    ),
    Variant.COSINE: _Sum(
        0.0, 1, lambda x: torch.cos(math.pi * x), lambda x: math.pi**2 * torch.cos(math.pi * x), 0.0, 1 / 2
    ),
}


@final
@dataclass(frozen=True)
class PoissonND(Elliptic):
    """-lap u = f on a cube in d dimensions, Dirichlet data from the exact solution; see `Variant` for u.

    Args:
        dim: d.
        variant: which solution.

    Notes:
        u concentrates around its mean as d grows; quote `best_constant()` beside any error.
    Good values:
        d = 5 cosine, d = 5 centred-sine, d = 10 harmonic.
    Reference:
        Dangel, Mueller, Zeinhofer 2024, arXiv:2405.15603 (harmonic, cosine);
        Zang, Bao, Ye, Zhou 2020, doi:10.1016/j.jcp.2020.109409 (sine).
    """

    name: ClassVar[str] = "poisson-nd"
    hard_because: ClassVar[str] = "many dimensions: quadrature by grids is out of reach, means concentrate"

    dim: int = 5
    variant: Variant = Variant.COSINE

    def __post_init__(self) -> None:
        checks.integer(self.name, "dim", self.dim)
        if not isinstance(self.variant, Variant):
            raise ConfigError(f"{self.name}: variant: got {self.variant!r}, expected a Variant, such as Variant.SINE")
        if self.dim % _SUMS[self.variant].group:
            raise ConfigError(f"{self.name}: dim: got {self.dim}, expected an even number for {self.variant}")

    @property
    def domain(self) -> Box:
        """(0, 1)^d or (-1, 1)^d."""
        return Hypercube(self.dim, _SUMS[self.variant].lower, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The exact solution's boundary values."""
        return (Dirichlet("boundary", self.exact),)

    def source(self, x: Tensor) -> Tensor:
        """Minus the Laplacian of the sum."""
        return _SUMS[self.variant].source(x).sum(dim=1, keepdim=True)

    def exact(self, x: Tensor) -> Tensor:
        """The sum."""
        return _SUMS[self.variant].exact(x).sum(dim=1, keepdim=True)

    def best_constant(self) -> BestConstant:
        """The constant nearest to u in L2, and its relative error sqrt(var / (var + mean^2))."""
        terms = self.dim // _SUMS[self.variant].group
        mean, variance = terms * _SUMS[self.variant].mean, terms * _SUMS[self.variant].variance
        return BestConstant(mean, math.sqrt(variance / (variance + mean**2)))
