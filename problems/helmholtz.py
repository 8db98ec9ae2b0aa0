"""Helmholtz equations, definite and indefinite, with oscillating solutions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Dirichlet
from ..domain import Box, Hypercube
from ..errors import ConfigError, IllPosedError
from ..problem import Elliptic

_LENGTH = {1: 8.0, 2: 1.0}  # edge length by dimension
_TERMS = ((0.5, 5 * math.pi, math.pi / 4), (0.5, math.pi, math.pi / 20))  # a sin(w x + b)


@final
@dataclass(frozen=True)
class Helmholtz(Elliptic):
    """-lap u + c u = f on (0, 8) in 1-D or the unit square in 2-D, Dirichlet.

    c = lambda > 0 is the equation u'' - lambda u = -f; c = -k^2 < 0 is lap u + k^2 u = -f with wave number k.
    Exact: u = prod_i p(x_i), p(s) = sin(3 pi s + 3 pi/20) cos(2 pi s + pi/10) + 2.

    Args:
        dim: 1 or 2.
        shift: c.

    Raises:
        IllPosedError: -c is an eigenvalue of -lap on the box, so that solutions are not unique.

    Notes:
        For c below minus the smallest eigenvalue (1-D: -0.154, 2-D: -19.7) the form is indefinite: energies have no
        minimum and relaxation diverges.
    Good values:
        dim = 1 with c = 4 (20 waves on the interval); dim = 2 with c = -100 (wave number 10).
    Reference:
        Chen, Chi, E, Yang 2022, doi:10.4208/jml.220726.
    """

    name: ClassVar[str] = "helmholtz"
    hard_because: ClassVar[str] = "many waves in the domain; with negative shift also an indefinite form"

    dim: int = 1
    shift: float = 4.0

    def __post_init__(self) -> None:
        if self.dim not in _LENGTH:
            raise ConfigError(f"{self.name}: dim: got {self.dim!r}, expected 1 or 2")
        checks.real(self.name, "shift", self.shift, low=-1e8)
        unit = (math.pi / _LENGTH[self.dim]) ** 2
        largest = math.isqrt(int(max(0.0, -self.shift) / unit)) + 2
        for numbers in itertools.product(range(1, largest), repeat=self.dim - 1):
            # Only the last number can bring the eigenvalue near -c: take the two integers around its real value.
            rest = -self.shift / unit - sum(k**2 for k in numbers)
            last = round(math.sqrt(max(1.0, rest)))
            if abs(rest - last**2) * unit < 1e-9 * max(1.0, abs(self.shift)):
                raise IllPosedError(
                    f"{self.name}: shift {self.shift} is minus the eigenvalue of mode {(*numbers, last)}, expected a "
                    "shift between eigenvalues; change it by a few per cent"
                )

    @property
    def domain(self) -> Box:
        """(0, 8) or the unit square."""
        return Hypercube(self.dim, 0.0, _LENGTH[self.dim])

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The exact solution's boundary values."""
        return (Dirichlet("boundary", self.exact),)

    def reaction(self, x: Tensor) -> Tensor:
        """c."""
        return torch.full_like(x[:, 0:1], self.shift)

    def source(self, x: Tensor) -> Tensor:
        """-lap u + c u with u = prod p(x_i)."""
        p = _profile(x)
        bend = sum(a * w**2 * torch.sin(w * x + b) for a, w, b in _TERMS)  # -p''
        value = p.prod(dim=1, keepdim=True)
        return (value * bend / p).sum(dim=1, keepdim=True) + self.shift * value  # p lies in [1, 3]

    def exact(self, x: Tensor) -> Tensor:
        """prod p(x_i)."""
        return _profile(x).prod(dim=1, keepdim=True)


def _profile(x: Tensor) -> Tensor:
    """p, elementwise: 3 pi and 2 pi make 5 pi and pi."""
    return sum((a * torch.sin(w * x + b) for a, w, b in _TERMS), torch.full_like(x, 2.0))
