"""Nonlinear elliptic problems."""

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
from ..domain import Box, Interval
from ..errors import ConfigError
from ..jet import Jet
from ..problem import Variational


@final
@dataclass(frozen=True)
class PLaplace(Variational):
    """-(A |u'|^(p-2) u')' = 1 on (0, 1), u(0) = u(1) = 0, A = 1 / (2 + cos(2 pi x/eps)).

    Exact: A |u'|^(p-2) u' = c - x, so u' = sign(c - x) (|c - x| (2 + cos(2 pi x/eps)))^(1/(p-1)), integrated by Gauss
    quadrature to round-off in the variable |c - x|^(1/(p-1)), in which it is smooth; c from u(1) = 0, which is 1/2 for
    integer 1/eps. For p = 2 it is `elliptic-two-scale`.

    The solution minimises E(u) = int A |u'|^p / p - u.

    Args:
        p: an integer of at least 2.
        eps: the small scale, in (0, 1].

    Notes:
        Where u' vanishes the equation degenerates: u'' is infinite there for p > 2, and u = 0 is a stationary point of the
        squared strong residual, at which pinn stays. The energy is convex and needs first derivatives only: deep-ritz
        reaches 4e-3 (p = 5) and 7e-3 (p = 8) as it is, in 15 s of one processor. No linear solver applies.
    Good values:
        p = 5 and 8, eps = 0.1 and 0.01; deep-ritz.
    Reference:
        Li, Xu, Zhang 2020, doi:10.4208/cicp.OA-2020-0187 (multi-scale networks for nonlinear equations).
    """

    name: ClassVar[str] = "p-laplace"
    hard_because: ClassVar[str] = (
        "nonlinear and degenerate where u' = 0, with a coefficient that oscillates on the scale eps"
    )

    p: int = 5
    eps: float = 0.1

    def __post_init__(self) -> None:
        checks.integer(self.name, "p", self.p, low=2)
        checks.real(self.name, "eps", self.eps, low=0.0, high=1.0)
        if self.eps * _MOST_PANELS < _PANELS * (self.p - 1):
            raise ConfigError(
                f"{self.name}: eps: got {self.eps!r}, expected at least {_PANELS * (self.p - 1) / _MOST_PANELS:.2g} with "
                f"p = {self.p}, or the exact solution takes too much memory"
            )

    @property
    def domain(self) -> Box:
        """(0, 1)."""
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = 0 at both ends."""
        return (Dirichlet(),)

    def diffusion(self, x: Tensor) -> Tensor:
        """A, between 1/3 and 1."""
        return 1 / self._compliance(x)

    def residual(self, u: Jet) -> Tensor:
        """-A (p-1) |u'|^(p-2) u'' - A' |u'|^(p-2) u' - 1, (n, 1)."""
        a, slope, w = u.data("A", self.diffusion), u.grad[:, 0, :], 2 * math.pi / self.eps
        bend = u.data("A'", lambda x: w * torch.sin(w * x) / self._compliance(x) ** 2)
        return -(slope.abs() ** (self.p - 2)) * (a * (self.p - 1) * u.laplacian + bend * slope) - 1

    def energy(self, u: Jet) -> Tensor:
        """A |u'|^p / p - u, (n, 1)."""
        return u.data("A", self.diffusion) * u.grad[:, 0, :].abs() ** self.p / self.p - u.value

    def normal_flux(self, u: Jet, normal: Tensor) -> Tensor:
        """A |u'|^(p-2) u' n, (n, 1)."""
        slope = u.grad[:, 0, :]
        return u.data("A", self.diffusion) * slope.abs() ** (self.p - 2) * slope * normal

    def exact(self, x: Tensor) -> Tensor:
        """By quadrature."""
        return _profile(self.p, self.eps)(x.double()).to(x.dtype)

    def _compliance(self, x: Tensor) -> Tensor:
        return 2 + torch.cos(2 * math.pi / self.eps * x)


_PANELS = 4  # per period of A where |c - x|^(1/(p-1)) runs slowest
_MOST_PANELS = 10**6
_NODES, _WEIGHTS = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(16))


@final
@dataclass(frozen=True, eq=False)
class _Side:
    """G(r) = int_0^r (s B(c +- s))^(1/q) ds, B = 2 + cos(2 pi x/eps), on one side of c; t = s^(1/q) makes it smooth.

    Args:
        q: p - 1.
        eps: the small scale.
        centre: c.
        sign: 1 to the right of c, -1 to the left.
        edges: panel ends in t.
    """

    q: int
    eps: float
    centre: float
    sign: int
    edges: Tensor

    def __call__(self, r: Tensor) -> Tensor:
        """G at r (n, 1): the panels before r, summed once, and one rule up to it."""
        t = r ** (1 / self.q)
        panel = torch.searchsorted(self.edges, t.detach()).clamp(1, len(self.edges) - 1) - 1
        return self._sums[panel] + self._integral(self.edges[panel], t)

    @functools.cached_property
    def _sums(self) -> Tensor:
        whole = self._integral(self.edges[:-1, None], self.edges[1:, None])[:, 0]
        return torch.cat([whole.new_zeros(1), torch.cumsum(whole, 0)])

    def _integral(self, a: Tensor, b: Tensor) -> Tensor:
        """From a (n, 1) to b (n, 1), by one Gauss rule each."""
        half = (b - a) / 2
        t = a + half * (1 + _NODES)
        turns = 2 * math.pi / self.eps * (self.centre + self.sign * t**self.q)
        values = self.q * t**self.q * (2 + torch.cos(turns)) ** (1 / self.q)
        return half * (values @ _WEIGHTS)[:, None]


@final
@dataclass(frozen=True, eq=False)
class _Profile:
    """u(x) = G(c) - G(|x - c|), with G of the side on which x lies."""

    centre: float
    left: _Side
    right: _Side

    def __call__(self, x: Tensor) -> Tensor:
        """u at x (n, 1), float64."""
        top = self.left(x.new_tensor([[self.centre]]))
        r = x - self.centre
        return top - torch.where(r < 0, self.left((-r).clamp(min=0)), self.right(r.clamp(min=0)))


@functools.lru_cache(maxsize=8)
def _profile(p: int, eps: float) -> _Profile:
    """The profile whose top is where both ends are met."""
    from scipy.optimize import brentq

    def at(c: float) -> _Profile:
        count = math.ceil(_PANELS * (p - 1) / eps)
        lengths = {-1: c, 1: 1 - c}
        left, right = (
            _Side(p - 1, eps, c, sign, torch.linspace(0.0, r ** (1 / (p - 1)), count + 1, dtype=torch.float64))
            for sign, r in lengths.items()
        )
        return _Profile(c, left, right)

    if math.remainder(1 / eps, 1.0) == 0.0:
        return at(0.5)

    def gap(c: float) -> float:
        return float(at(c)(torch.ones(1, 1, dtype=torch.float64)))

    return at(brentq(gap, 0.05, 0.95, xtol=1e-15))
