"""Collocation: which points a network is trained on, as a configuration and as the batch of tensors it yields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from ..conditions import Condition, Observations, Periodic, label, place
from ..curved import cell_points
from ..domain import Box, Points
from ..errors import NotApplicableError
from ..problem import Problem
from ..sampling import (
    GaussLegendre,
    Grid,
    LatinHypercube,
    Sampler,
    Sobol,
    Uniform,
    boundary_points,
    check_count,
    interior_points,
)

INTERIOR = "interior"
"""Name of the interior point set; the others bear their condition's label."""

_PLANE = 2
_GAUSS_NODES = 8  # per panel, where one panel would need more than
_MOST_GAUSS_NODES = 24
_PER_WAVE = {1: 30, 2: 10, 3: 6}  # points per wavelength and axis
_MOST_POINTS = 2**15
_DEFAULT_POINTS = {1: 256, 2: 1600, 3: 5832}


@final
class Law(Enum):
    """How points are laid out."""

    GRID = "grid"
    GAUSS_LEGENDRE = "gauss-legendre"
    SOBOL = "sobol"
    LATIN_HYPERCUBE = "lhs"
    UNIFORM = "uniform"

    def sampler(self, n: int, dim: int) -> Sampler:
        """A sampler with about n points in `dim` dimensions; tensor rules round the points per axis up."""
        per_axis = max(2, _root(n, max(dim, 1)))
        match self:
            case Law.GRID:
                return Grid(per_axis)
            case Law.GAUSS_LEGENDRE:
                if per_axis <= _MOST_GAUSS_NODES:
                    return GaussLegendre(per_axis)
                return GaussLegendre(_GAUSS_NODES, -(-per_axis // _GAUSS_NODES))
            case Law.SOBOL:
                return Sobol(n)
            case Law.LATIN_HYPERCUBE:
                return LatinHypercube(n)
            case Law.UNIFORM:
                return Uniform(n)


@final
@dataclass(frozen=True)
class Collocation:
    """Training points of a network.

    Args:
        points: in the interior; None takes 256 in one dimension, 1600 in two, 5832 in three and 4000 beyond, or, up to
            three, as many as the highest scale of a multiscale network needs.
        law: how they are laid out. Energies of oscillating solutions need a quadrature (gauss-legendre, grid, or a full
            sobol set): the noise of random points is largest in the smooth modes, which are the least stiff. On plane
            regions with corners and holes gauss-legendre stands for the Gauss points of the cells of a mesh.
        boundary_points: on all conditions together, shared out by measure.
        resample_every: steps between new points; None keeps them. Only random laws change.

    Good values: 30 points per wavelength and axis in low dimension, a few thousand in all beyond three.
    """

    points: int | None = None
    law: Law = Law.SOBOL
    boundary_points: int = 256
    resample_every: int | None = None

    def __post_init__(self) -> None:
        if self.points is not None:
            check_count("Collocation.points", self.points)
        check_count("Collocation.boundary_points", self.boundary_points)

    def count(self, dim: int) -> int:
        """Interior points asked for in `dim` dimensions."""
        return self.points if self.points is not None else _DEFAULT_POINTS.get(dim, 4000)

    def resolving(self, wavenumber: float, dim: int) -> Collocation:
        """The same with enough points for waves of this angular frequency on [-1, 1]^dim, if their number is left open."""
        if self.points is not None or dim not in _PER_WAVE:
            return self
        per_axis = math.ceil(_PER_WAVE[dim] * wavenumber / math.pi)
        return dataclasses.replace(self, points=max(self.count(dim), min(per_axis**dim, _MOST_POINTS)))

    def interior(self, problem: Problem, generator: torch.Generator) -> Points:
        """Interior points of the problem's domain."""
        dim = problem.domain.dim
        if self.law is Law.GAUSS_LEGENDRE and dim == _PLANE and problem.domain.kept() < 1:
            return cell_points(problem.domain, self.count(dim))
        return interior_points(problem.domain, self.law.sampler(self.count(dim), dim), generator)


@final
class PointSets:
    """Draws the batch of a training: interior points and one set per soft condition.

    Args:
        problem: whose domain they lie in.
        collocation: how many and where.
        soft: conditions that enter the loss.
        dtype, device: of the tensors.
    """

    def __init__(
        self, problem: Problem, collocation: Collocation, soft: Sequence[Condition], dtype: torch.dtype, device: str
    ) -> None:
        self._problem, self._collocation, self._soft = problem, collocation, tuple(soft)
        self._dtype, self._device = dtype, device

    @property
    def count(self) -> int:
        """Interior points asked for."""
        return self._collocation.count(self._problem.domain.dim)

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Tensors named `set.x` (n, d), `set.weight` (n,) and, on boundaries, `set.normal` (n, d)."""
        return self.placed({INTERIOR: self._collocation.interior(self._problem, generator)}, generator)

    def placed(self, sets: Mapping[str, Points], generator: torch.Generator) -> dict[str, Tensor]:
        """The tensors of given sets, and of one drawn for each soft condition."""
        sets = dict(sets)
        share = max(1, self._collocation.boundary_points // max(1, len(self._soft)))
        for condition in self._soft:
            sets |= self._points(condition, share, generator)
        batch: dict[str, Tensor] = {}
        for name, points in sets.items():
            placed = points.to(self._dtype, self._device)
            batch |= {f"{name}.x": placed.x, f"{name}.weight": placed.weight}
            if placed.normal is not None:
                batch[f"{name}.normal"] = placed.normal
        return batch

    def _points(self, condition: Condition, n: int, generator: torch.Generator) -> dict[str, Points]:
        problem, name = self._problem, label(condition)
        match condition:
            case Observations():
                count = len(condition.x)
                return {name: Points(condition.x, torch.full((count,), 1.0 / count, dtype=torch.float64))}
            case Periodic():
                return _paired(problem, condition, self._collocation.law, n, generator)
            case _:
                where = place(condition)
                dim = problem.domain.parameter_dim(problem.domain.resolve(where)[0])
                return {name: boundary_points(problem.domain, where, self._collocation.law.sampler(n, dim), generator)}


def mean(batch: Mapping[str, Tensor], name: str, values: Tensor) -> Tensor:
    """Weighted mean over a point set of a column (n, 1)."""
    weight = batch[f"{name}.weight"]
    return (values[:, 0] * weight).sum() / weight.sum()


def mean_weight(batch: Mapping[str, Tensor], name: str) -> Tensor:
    """The weights of `mean`, (n,), which sum to 1."""
    weight = batch[f"{name}.weight"]
    return weight / weight.sum()


def _paired(problem: Problem, condition: Periodic, law: Law, n: int, generator: torch.Generator) -> dict[str, Points]:
    """The same points on the two faces of a periodic axis."""
    box = problem.domain
    if not isinstance(box, Box):
        raise NotApplicableError(f"{problem.name}: periodic conditions need a box, got a {type(box).__name__}")
    lower, upper = box.resolve((f"{condition.axis}-", f"{condition.axis}+"))
    dim = box.parameter_dim(lower)
    unit, weight = law.sampler(n, dim).unit(dim, generator)
    name = label(condition)
    return {f"{name}.lower": box.placed(unit, weight, lower), f"{name}.upper": box.placed(unit, weight, upper)}


def _root(n: int, dim: int) -> int:
    """Smallest k with k^dim >= n."""
    k = max(1, round(n ** (1 / dim)))
    while k**dim < n:
        k += 1
    while k > 1 and (k - 1) ** dim >= n:
        k -= 1
    return k
