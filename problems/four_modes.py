"""Poisson problems whose solutions mix low and high frequencies: the book's hybrid experiment, and its kin in 2-D and 3-D."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, final

import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet
from ..domain import Box, Hypercube, Interval
from ..problem import Elliptic

Modes: TypeAlias = tuple[tuple[float, tuple[int, ...]], ...]
"""Terms of a sine sum: an amplitude and one mode number per axis."""

_TERMS = ((1.0, 1), (1 / 4, 4), (-1 / 8, 8), (1 / 36, 24))  # amplitude a and angular frequency w of a sin w x
_SLOPE = sum(a * math.sin(w) for a, w in _TERMS)
_MODES_2D: Modes = ((1.0, (1, 1)), (1 / 4, (3, 2)), (-1 / 8, (5, 4)), (1 / 36, (15, 14)))
_MODES_3D: Modes = ((1.0, (1, 1, 1)), (1 / 4, (3, 2, 1)), (-1 / 8, (5, 4, 3)), (1 / 36, (15, 14, 13)))


@final
@dataclass(frozen=True)
class PoissonFourModes(Elliptic):
    """-u'' = sin x + 4 sin 4x - 8 sin 8x + 16 sin 24x on (-1, 1), u(-1) = u(1) = 0.

    Exact: u = sin x + 1/4 sin 4x - 1/8 sin 8x + 1/36 sin 24x - c x with c x the line through the end values.

    Notes:
        A network finds sin x first and sin 24x last; Jacobi sweeps the other way round.
    Good values:
        1001 grid points; second-order finite differences then differ from the exact solution by 1.40e-5.
    Reference:
        Book, section 15.5.
    """

    name: ClassVar[str] = "poisson-four-modes"
    hard_because: ClassVar[str] = "four frequencies from 1 to 24: the low ones stop relaxation, the high ones a network"

    @property
    def domain(self) -> Box:
        """(-1, 1)."""
        return Interval(-1.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 at both ends."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """Sum of a w^2 sin w x."""
        return sum((a * w**2 * torch.sin(w * x) for a, w in _TERMS), torch.zeros_like(x))

    def exact(self, x: Tensor) -> Tensor:
        """Sum of a sin w x, less the line through the end values."""
        return sum((a * torch.sin(w * x) for a, w in _TERMS), -_SLOPE * x)


@final
@dataclass(frozen=True)
class PoissonFourModes2D(Elliptic):
    """-lap u = f on (-1, 1)^2, u = 0 on the boundary, u = S(1,1) + S(3,2)/4 - S(5,4)/8 + S(15,14)/36.

    S(k, l) = sin(k pi (x+1)/2) sin(l pi (y+1)/2). Amplitudes and frequencies are those of the 1-D problem, the latter
    rounded to modes of the square.

    Good values:
        A grid of 129 x 129 points; second-order finite differences then differ from the exact solution by 5e-4.
    Reference:
        Book, section 15.5 (1-D).
    """

    name: ClassVar[str] = "poisson-four-modes-2d"
    hard_because: ClassVar[str] = "mode numbers from 1 to 15 in two dimensions: for hybrids at size"

    @property
    def domain(self) -> Box:
        """(-1, 1)^2."""
        return Hypercube(2, -1.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 on all four sides."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """Each mode times its eigenvalue."""
        return _sine_sum(_scaled_by_eigenvalues(_MODES_2D), x)

    def exact(self, x: Tensor) -> Tensor:
        """The sine sum."""
        return _sine_sum(_MODES_2D, x)


@final
@dataclass(frozen=True)
class PoissonFourModes3D(Elliptic):
    """-lap u = f on (-1, 1)^3, u = 0 on the boundary, u = S(1,1,1) + S(3,2,1)/4 - S(5,4,3)/8 + S(15,14,13)/36.

    S(k, l, m) = sin(k pi (x+1)/2) sin(l pi (y+1)/2) sin(m pi (z+1)/2), as in two dimensions.

    Good values:
        A grid of 129^3 points; second-order finite differences then differ from the exact solution by 5e-4.
    Reference:
        Book, section 15.5 (1-D).
    """

    name: ClassVar[str] = "poisson-four-modes-3d"
    hard_because: ClassVar[str] = "mode numbers from 1 to 15 on two million grid points: for hybrids at size"

    @property
    def domain(self) -> Box:
        """(-1, 1)^3."""
        return Hypercube(3, -1.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 on all six faces."""
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        """Each mode times its eigenvalue."""
        return _sine_sum(_scaled_by_eigenvalues(_MODES_3D), x)

    def exact(self, x: Tensor) -> Tensor:
        """The sine sum."""
        return _sine_sum(_MODES_3D, x)


def _scaled_by_eigenvalues(modes: Modes) -> Modes:
    return tuple((a * (math.pi / 2) ** 2 * sum(k**2 for k in numbers), numbers) for a, numbers in modes)


def _sine_sum(modes: Modes, x: Tensor) -> Tensor:
    """Sum over modes of a prod_i sin(k_i pi (x_i + 1)/2), (n, 1)."""
    total = torch.zeros_like(x[:, 0:1])
    for a, numbers in modes:
        angles = x.new_tensor(numbers) * (math.pi / 2) * (x + 1)
        total = total + a * torch.sin(angles).prod(dim=1, keepdim=True)
    return total
