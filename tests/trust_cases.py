"""Fields and problems with known errors, shared by the tests of pdekit.trust."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pdekit.conditions import Condition, Dirichlet, Neumann, Periodic, Robin
from pdekit.domain import Box, Interval, Rectangle
from pdekit.kernels import DerivativeSource, Plan, Recorder
from pdekit.problem import Elliptic, Problem, SecondOrder
from pdekit.sampling import GaussLegendre, interior_points

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Known:
    """A function in closed form as a field; derivatives by nested autograd."""

    function: Function
    parameters: int = 0

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x).detach()

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        return Recorder(self.function, x)

    def tensors(self) -> dict[str, Tensor]:
        return {}


def error_of(problem: Problem, waves: float, smooth: float = 1e-3, oscillating: float = 3e-4) -> Function:
    """A smooth part that is not zero on the boundary, and an oscillation of `waves` half waves per edge."""
    lower, lengths = torch.tensor(problem.domain.lower), torch.tensor(problem.domain.lengths)

    def error(x: Tensor) -> Tensor:
        s = (x - lower) / lengths
        low = torch.cos(1.3 * s.sum(dim=1, keepdim=True) + 0.4)
        return smooth * low + oscillating * torch.sin(waves * math.pi * s + 0.3).prod(dim=1, keepdim=True)

    return error


def perturbed(problem: Problem, error: Function) -> Known:
    """The exact solution plus a known error."""
    return Known(lambda x: problem.exact(x) + error(x))


@dataclass(frozen=True)
class Sizes:
    l2: float
    energy: float


def sizes(problem: SecondOrder, function: Function) -> Sizes:
    """L2 and energy norm by Gauss quadrature, independent of any grid of the estimates."""
    panels = {1: 400, 2: 20, 3: 6}[problem.domain.dim]
    points = interior_points(problem.domain, GaussLegendre(6, panels), torch.Generator())
    l2 = energy = 0.0
    for x, w in zip(points.x.split(20_000), points.weight.split(20_000), strict=True):
        recorder = Recorder(function, x)
        value = recorder.partial(()).detach()[:, 0]
        slope = recorder.gradient(problem.domain.space_axes).detach()[:, 0]
        a, c = problem.diffusion(x), problem.reaction(x)
        if a is None or a.ndim == 2:
            density = (slope**2).sum(dim=1) * (1.0 if a is None else a[:, 0])
        else:
            density = torch.einsum("ni,nij,nj->n", slope, a, slope)
        if c is not None and bool((c >= 0).all()):
            density = density + c[:, 0] * value**2
        l2, energy = l2 + float(w @ value**2), energy + float(w @ density)
    return Sizes(math.sqrt(l2), math.sqrt(energy))


def on_points(function: Function, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return function(torch.from_numpy(points))[:, 0].detach().numpy().reshape(shape)


@dataclass(frozen=True)
class MixedFaces(Elliptic):
    """-div((1 + x^2/2) grad u) + b . grad u + c u = f on a rectangle: flux given left, Robin on top; u = e^x cos y."""

    transport: float = 0.0

    @property
    def domain(self) -> Box:
        return Rectangle((0.0, 0.0), (1.0, 2.0))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (
            Neumann("left", lambda x: -torch.cos(x[:, 1:])),
            Dirichlet(("right", "bottom"), self.exact),
            Robin("top", 2.0, self._top),
        )

    def _top(self, x: Tensor) -> Tensor:
        slope = -torch.exp(x[:, :1]) * torch.sin(x[:, 1:])
        return self.diffusion(x) * slope + 2.0 * self.exact(x)

    def diffusion(self, x: Tensor) -> Tensor:
        return 1.0 + 0.5 * x[:, :1] ** 2

    def advection(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.transport)

    def reaction(self, x: Tensor) -> Tensor:
        return torch.ones_like(x[:, :1])

    def source(self, x: Tensor) -> Tensor:
        u = self.exact(x)
        uy = -torch.exp(x[:, :1]) * torch.sin(x[:, 1:])
        return -x[:, :1] * u + self.transport * (u + uy) + u  # the Laplacian of u is zero

    def exact(self, x: Tensor) -> Tensor:
        return torch.exp(x[:, :1]) * torch.cos(x[:, 1:])


@dataclass(frozen=True)
class FullTensor(Elliptic):
    """-div(A grad u) = f with a full constant matrix A; u = sin(2 x + y)."""

    @property
    def domain(self) -> Box:
        return Rectangle()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet("boundary", self.exact),)

    def diffusion(self, x: Tensor) -> Tensor:
        return torch.tensor([[2.0, 0.6], [0.6, 1.0]], dtype=x.dtype).expand(len(x), 2, 2)

    def source(self, x: Tensor) -> Tensor:
        return (2.0 * 4 + 2 * 0.6 * 2 + 1.0) * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        return torch.sin(2 * x[:, :1] + x[:, 1:])


@dataclass(frozen=True)
class FreeMean(Elliptic):
    """-u'' = cos x on (0, pi) with zero flux at both ends and mean 1: u = 1 + cos x."""

    @property
    def domain(self) -> Box:
        return Interval(0.0, math.pi)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Neumann("left"), Neumann("right"))

    def mean(self) -> float:
        return 1.0

    def source(self, x: Tensor) -> Tensor:
        return torch.cos(x)

    def exact(self, x: Tensor) -> Tensor:
        return 1.0 + torch.cos(x)


@dataclass(frozen=True)
class Ring(Elliptic):
    """-u'' + u = f, periodic on (0, 2 pi); u = sin 3x."""

    @property
    def domain(self) -> Box:
        return Interval(0.0, 2 * math.pi)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Periodic("x"),)

    def reaction(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def source(self, x: Tensor) -> Tensor:
        return 10.0 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        return torch.sin(3 * x)
