"""Samplers: point sets of the unit cube with weights, and their images in regions and on boundary parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .domain import Points, Region, Where
from .errors import EmptyBoundaryError, EmptyDomainError, MemoryBudgetError, SamplingError

MEMORY_LIMIT = 8 * 2**30
"""Bytes that one point set may take; more is refused before allocation."""

_ATTEMPTS = 12
"""Doublings of the points drawn before a region is called too thin."""


@runtime_checkable
class Sampler(Protocol):
    """A rule that fills the unit cube; `Points` on a region come from `interior_points` and `boundary_points`."""

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points (n, dim) of [0, 1]^dim and weights (n,) summing to 1, both float64."""
        ...

    def count(self, dim: int) -> int:
        """Number of points in `dim` dimensions."""
        ...

    def scaled(self, fraction: float, dim: int) -> Sampler:
        """The same rule with about `fraction` of the points of the `dim`-dimensional one."""
        ...


@final
@dataclass(frozen=True)
class Grid:
    """Tensor grid with n points per axis, both ends included, and trapezoidal weights.

    Notes: on smooth functions second order in the spacing; a source of frequency above half the grid's (n - 1)/2 per
    unit length aliases. Cost n^dim points.
    """

    n: int

    def __post_init__(self) -> None:
        check_count("Grid.n", self.n, least=2)

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The grid; `generator` is not used."""
        nodes = torch.linspace(0.0, 1.0, self.n, dtype=torch.float64)
        weights = torch.full((self.n,), 1.0 / (self.n - 1), dtype=torch.float64)
        weights[0] = weights[-1] = 0.5 / (self.n - 1)
        return _tensor_product(nodes, weights, dim)

    def count(self, dim: int) -> int:
        """n^dim."""
        return self.n**dim

    def scaled(self, fraction: float, dim: int) -> Grid:
        """A coarser grid in every direction."""
        return Grid(max(2, round(self.n * fraction ** (1 / dim))))


@final
@dataclass(frozen=True)
class GaussLegendre:
    """Composite Gauss-Legendre quadrature: `panels` equal panels per axis with `n` nodes each.

    Exact for polynomials of degree 2n - 1 on each panel. Energies of oscillating solutions need about four nodes per
    half wave. Cost (n panels)^dim points.
    """

    n: int = 8
    panels: int = 1

    def __post_init__(self) -> None:
        check_count("GaussLegendre.n", self.n)
        check_count("GaussLegendre.panels", self.panels)

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The quadrature nodes and weights; `generator` is not used."""
        nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(self.n))
        starts = torch.arange(self.panels, dtype=torch.float64)[:, None]
        nodes = ((nodes + 1) / 2 + starts).reshape(-1) / self.panels
        weights = (weights / 2 / self.panels).repeat(self.panels)
        return _tensor_product(nodes, weights, dim)

    def count(self, dim: int) -> int:
        """(n panels)^dim."""
        return (self.n * self.panels) ** dim

    def scaled(self, fraction: float, dim: int) -> GaussLegendre:
        """Fewer panels of the same order, then fewer nodes."""
        per_axis = self.n * self.panels * fraction ** (1 / dim)
        return GaussLegendre(min(self.n, max(1, round(per_axis))), max(1, round(per_axis / self.n)))


@final
@dataclass(frozen=True)
class Sobol:
    """Scrambled Sobol points (Owen), equal weights; n a power of two keeps the balance.

    Reference: doi:10.1137/S0036142994277468 (scrambling); scipy.stats.qmc.
    """

    n: int

    def __post_init__(self) -> None:
        check_count("Sobol.n", self.n)

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A new scrambling at every call."""
        from scipy.stats import qmc

        if dim == 0:
            return _endpoint()
        engine = qmc.Sobol(dim, scramble=True, rng=_numpy_generator(generator))
        # The whole powers of two avoid scipy's balance warning; the surplus is cut off.
        x = engine.random_base2(max(0, (self.n - 1).bit_length()))[: self.n]
        return torch.from_numpy(x), _equal(self.n)

    def count(self, dim: int) -> int:
        """n, or 1 on a single end point."""
        return self.n if dim else 1

    def scaled(self, fraction: float, dim: int) -> Sobol:
        """Fewer points."""
        return Sobol(max(1, round(self.n * fraction)))


@final
@dataclass(frozen=True)
class LatinHypercube:
    """Latin hypercube sample: one point in each of n slabs of every axis, equal weights. doi:10.1080/00401706.1979.10489755."""

    n: int

    def __post_init__(self) -> None:
        check_count("LatinHypercube.n", self.n)

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A new sample at every call."""
        from scipy.stats import qmc

        if dim == 0:
            return _endpoint()
        return torch.from_numpy(qmc.LatinHypercube(dim, rng=_numpy_generator(generator)).random(self.n)), _equal(self.n)

    def count(self, dim: int) -> int:
        """n, or 1 on a single end point."""
        return self.n if dim else 1

    def scaled(self, fraction: float, dim: int) -> LatinHypercube:
        """Fewer points."""
        return LatinHypercube(max(1, round(self.n * fraction)))


@final
@dataclass(frozen=True)
class Uniform:
    """Independent uniform points, equal weights: the plain Monte Carlo rule, error n^(-1/2)."""

    n: int

    def __post_init__(self) -> None:
        check_count("Uniform.n", self.n)

    def unit(self, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A new sample at every call."""
        if dim == 0:
            return _endpoint()
        return torch.rand(self.n, dim, dtype=torch.float64, generator=generator), _equal(self.n)

    def count(self, dim: int) -> int:
        """n, or 1 on a single end point."""
        return self.n if dim else 1

    def scaled(self, fraction: float, dim: int) -> Uniform:
        """Fewer points."""
        return Uniform(max(1, round(self.n * fraction)))


def interior_points(region: Region, sampler: Sampler, generator: torch.Generator) -> Points:
    """Points of `region` (time included) with weights summing to its measure, float64 on the CPU.

    Raises:
        MemoryBudgetError: more points than fit into memory, before anything is allocated.
        SamplingError: the sampler gave points that all coincide.
    """
    return _placed(region, sampler, generator, None)


def boundary_points(region: Region, where: Where, sampler: Sampler, generator: torch.Generator) -> Points:
    """Points on boundary parts with outward normals; the sampler's points are shared out by the parts' measures.

    Args:
        region: the domain.
        where: part names, or "boundary".
        sampler: the rule for the whole of `where`.
        generator: source of randomness.
    """
    parts = region.resolve(where)
    if not parts:
        raise EmptyBoundaryError(f"boundary points: {where!r} names no part; available: {', '.join(region.parts)}")
    total = sum(region.measure(part) for part in parts)
    placed = []
    for part in parts:
        dim = region.parameter_dim(part)
        share = region.measure(part) / total
        placed.append(_placed(region, sampler.scaled(share, dim) if dim else sampler, generator, part))
    return Points.joined(placed)


def sampler_names() -> dict[str, type]:
    """Samplers by the names the shell knows."""
    return {"grid": Grid, "gauss-legendre": GaussLegendre, "sobol": Sobol, "lhs": LatinHypercube, "uniform": Uniform}


def check_count(name: str, n: object, least: int = 1) -> None:
    """Raise SamplingError unless n is an integer of at least `least`."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
        raise SamplingError(f"{name}: got {n!r}, expected an integer of at least {least}")


def check_distinct(name: str, x: Tensor) -> None:
    """Raise SamplingError when all of several points coincide."""
    if len(x) > 1 and bool((x == x[0]).all()):
        raise SamplingError(f"{name}: all {len(x)} points are {x[0].tolist()}, expected distinct points")


def _placed(region: Region, sampler: Sampler, generator: torch.Generator, part: str | None) -> Points:
    kept = region.kept(part)
    if kept == 1:
        points = _mapped(region, sampler, generator, part)
    else:
        points = _accepted(region, sampler, generator, part, kept)
    if region.parameter_dim(part):
        check_distinct(type(sampler).__name__, points.x)
    return points


def _accepted(region: Region, sampler: Sampler, generator: torch.Generator, part: str | None, kept: float) -> Points:
    """As many points as the sampler asks for although the region rejects some; about as many by a tensor rule."""
    dim = region.parameter_dim(part)
    wanted = sampler.count(dim)
    tensor = isinstance(sampler, Grid | GaussLegendre)
    surplus = 1.0 if tensor else 1 + 3 / math.sqrt(wanted)  # three standard deviations of the number accepted
    for _ in range(_ATTEMPTS):
        points = _mapped(region, sampler.scaled(surplus / kept, dim), generator, part)
        if len(points) >= (1 if tensor else wanted):
            return points if tensor else _first(points, wanted)
        surplus *= 2
    raise EmptyDomainError(
        f"{type(region).__name__}: {len(points)} of about {wanted * surplus / kept / 2:.0f} points of its bounding box "
        f"accepted, expected {kept:.2g} of them; the region is too thin for {type(sampler).__name__}"
    )


def _mapped(region: Region, sampler: Sampler, generator: torch.Generator, part: str | None) -> Points:
    dim = region.parameter_dim(part)
    count = sampler.count(dim)
    bytes_needed = 8 * count * (region.dim + 1)
    if bytes_needed > MEMORY_LIMIT:
        raise MemoryBudgetError(
            f"{type(sampler).__name__}: {count} points need {bytes_needed} bytes, the limit is {MEMORY_LIMIT}; ask for fewer points"
        )
    return region.placed(*sampler.unit(dim, generator), part)


def _first(points: Points, n: int) -> Points:
    """The first n of points of equal weight."""
    normal = None if points.normal is None else points.normal[:n]
    return Points(points.x[:n], points.weight[:n] * (len(points) / n), normal)


def _tensor_product(nodes: Tensor, weights: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    if dim == 0:
        return _endpoint()
    x = torch.cartesian_prod(*[nodes] * dim).reshape(-1, dim)
    w = torch.cartesian_prod(*[weights] * dim).reshape(-1, dim).prod(dim=1)
    return x, w


def _endpoint() -> tuple[Tensor, Tensor]:
    return torch.zeros(1, 0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)


def _equal(n: int) -> Tensor:
    return torch.full((n,), 1.0 / n, dtype=torch.float64)


def _numpy_generator(generator: torch.Generator) -> np.random.Generator:
    seed: Sequence[int] = torch.randint(2**62, (2,), generator=generator).tolist()
    return np.random.default_rng(seed)
