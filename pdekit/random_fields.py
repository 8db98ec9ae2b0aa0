"""Gaussian random functions on unit cubes, drawn as coefficients: one seed gives the same functions on every grid."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .checks import integer, member, real

FloatArray = NDArray[np.float64]


class RandomField(Protocol):
    """A law of random functions with mean zero."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Coefficients of `count` independent functions, (count, ...), float64."""

    def values(self, coefficients: Tensor, axes: Sequence[FloatArray]) -> Tensor:
        """The functions on a tensor grid.

        Args:
            coefficients: as drawn.
            axes: coordinates in [0, 1] along each axis, (n_a,) each.

        Returns:
            (count, n_1, ..., n_d).
        """

    def covariance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """E[f(x) f(y)] for points x (n, d) and y (k, d), as (n, k)."""


class Basis(enum.Enum):
    """Eigenfunctions of the Laplacian on (0, 1) that a field is a series of."""

    PERIODIC = "periodic"
    """1, sqrt 2 cos 2 pi k x, sqrt 2 sin 2 pi k x."""
    NEUMANN = "neumann"
    """1, sqrt 2 cos pi k x."""
    DIRICHLET = "dirichlet"
    """sqrt 2 sin pi k x."""


@final
@dataclass(frozen=True)
class LaplacianField:
    """N(0, sigma^2 (-lap + tau^2)^(-alpha)) on functions on (0, 1)^dim.

    A draw is its Karhunen-Loeve series: independent standard normal numbers times the square roots of the eigenvalues
    sigma^2 (|kappa|^2 + tau^2)^(-alpha), kappa the wave numbers of the basis.

    Args:
        sigma: amplitude.
        tau: wave number below which the spectrum is flat; 1/tau is a length scale.
        alpha: smoothness; almost surely f has alpha - dim/2 derivatives in L2.
        dim: d.
        basis: boundary behaviour, the same along every axis.
        modes: the series ends at this wave number along each axis.
        constant: whether the mean is random too; else it is 0. A Dirichlet basis has no constant.

    Reference: Li et al. 2021, arXiv:2010.08895, appendix A.3; Lord, Powell, Shardlow 2014, doi:10.1017/CBO9781139017329,
        section 7.4.
    """

    sigma: float = 1.0
    tau: float = 3.0
    alpha: float = 2.0
    dim: int = 1
    basis: Basis = Basis.NEUMANN
    modes: int = 64
    constant: bool = False

    def __post_init__(self) -> None:
        for key in ("sigma", "alpha"):
            real("LaplacianField", key, getattr(self, key), low=0.0)
        real("LaplacianField", "tau", self.tau, low=0.0, open_low=self.constant)
        integer("LaplacianField", "dim", self.dim)
        member("LaplacianField", "basis", self.basis, Basis)
        integer("LaplacianField", "modes", self.modes)

    @property
    def deviation(self) -> float:
        """Root mean square of the functions over the cube."""
        return math.sqrt(float((self._deviations**2).sum()))

    def scaled(self, deviation: float) -> LaplacianField:
        """The field with sigma such that its root mean square is `deviation`."""
        real("LaplacianField.scaled", "deviation", deviation, low=0.0)
        return replace(self, sigma=self.sigma * deviation / self.deviation)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Coefficients (count, J, ..., J) with J functions along each axis."""
        integer("LaplacianField.draw", "count", count)
        deviations = self._deviations
        return torch.randn(count, *deviations.shape, generator=generator, dtype=torch.float64) * deviations

    def values(self, coefficients: Tensor, axes: Sequence[FloatArray]) -> Tensor:
        """The functions on a tensor grid, (count, n_1, ..., n_d)."""
        values = coefficients
        for x in axes:  # each contraction takes the first axis of the coefficients and puts the points last
            values = torch.tensordot(values, self._table(x), dims=([1], [1]))
        return values

    def covariance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The truncated series of the covariance, (n, k)."""
        variances = self._deviations.numpy() ** 2
        total = np.zeros((len(x), len(y)))
        tables = [(self._table(x[:, a]).numpy(), self._table(y[:, a]).numpy()) for a in range(self.dim)]
        for index in itertools.product(*map(range, variances.shape)):
            left, right = (
                math.prod(table[side][:, j] for table, j in zip(tables, index, strict=True)) for side in (0, 1)
            )
            total += variances[index] * np.outer(left, right)
        return total

    @cached_property
    def _wave_numbers(self) -> FloatArray:
        k = np.arange(1, self.modes + 1)
        match self.basis:
            case Basis.PERIODIC:
                return np.concatenate([np.zeros(1), 2 * math.pi * k, 2 * math.pi * k])
            case Basis.NEUMANN:
                return np.concatenate([np.zeros(1), math.pi * k])
            case Basis.DIRICHLET:
                return np.asarray(math.pi * k, np.float64)

    @cached_property
    def _deviations(self) -> Tensor:
        """Square roots of the eigenvalues, (J, ..., J)."""
        squares = sum(np.ix_(*[self._wave_numbers**2] * self.dim), np.zeros(()))
        present = (squares > 0.0) | self.constant
        roots = self.sigma * (np.where(present, squares, 1.0) + self.tau**2) ** (-self.alpha / 2)
        return torch.from_numpy(np.where(present, roots, 0.0))

    def _table(self, x: FloatArray) -> Tensor:
        """The basis functions at x (n,), (n, J)."""
        x, k = np.asarray(x, np.float64)[:, None], np.arange(1, self.modes + 1)
        one, root = np.ones((len(x), 1)), math.sqrt(2.0)
        match self.basis:
            case Basis.PERIODIC:
                angle = 2 * math.pi * k * x
                return torch.from_numpy(np.hstack([one, root * np.cos(angle), root * np.sin(angle)]))
            case Basis.NEUMANN:
                return torch.from_numpy(np.hstack([one, root * np.cos(math.pi * k * x)]))
            case Basis.DIRICHLET:
                return torch.from_numpy(root * np.sin(math.pi * k * x))


@final
@dataclass(frozen=True)
class SquaredExponential:
    """The Gaussian process on (0, 1) with covariance exp(-(x - y)^2 / (2 l^2)).

    Its functions are entire: a draw is their values at Chebyshev points, dense enough that the polynomial through them
    is the function to ten digits, and is that polynomial everywhere else.

    Args:
        length_scale: l.

    Notes: values at 24 + 8/l points; the square root of their covariance costs the cube of that, once.

    Good values: l = 0.2.

    Reference: Lu et al. 2021, doi:10.1038/s42256-021-00302-5; Berrut, Trefethen 2004, doi:10.1137/S0036144502417715.
    """

    length_scale: float = 0.2

    def __post_init__(self) -> None:
        real("SquaredExponential", "length_scale", self.length_scale, low=0.01)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Values at the Chebyshev points, (count, M)."""
        integer("SquaredExponential.draw", "count", count)
        root = self._root
        return torch.randn(count, len(root), generator=generator, dtype=torch.float64) @ root

    def values(self, coefficients: Tensor, axes: Sequence[FloatArray]) -> Tensor:
        """The functions at the points of one axis, (count, n)."""
        (x,) = axes
        return coefficients @ torch.from_numpy(_barycentric(self._nodes, np.asarray(x, np.float64)).T)

    def covariance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """exp(-(x - y)^2 / (2 l^2)), (n, k)."""
        return np.asarray(np.exp(-((x[:, :1] - y[:, 0]) ** 2) / (2 * self.length_scale**2)))

    @cached_property
    def _nodes(self) -> FloatArray:
        return _chebyshev(24 + math.ceil(8 / self.length_scale))

    @cached_property
    def _root(self) -> Tensor:
        """The symmetric root of the covariance at the nodes: unlike a Cholesky factor, it bears its tiny eigenvalues."""
        nodes = self._nodes[:, None]
        eigenvalues, vectors = np.linalg.eigh(self.covariance(nodes, nodes))
        return torch.from_numpy((vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T)


def _chebyshev(count: int) -> FloatArray:
    return np.asarray(0.5 - 0.5 * np.cos(np.arange(count) * math.pi / (count - 1)))


def _barycentric(nodes: FloatArray, x: FloatArray) -> FloatArray:
    """Matrix (n, M) from values at Chebyshev points to values at x of the polynomial through them."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] *= 0.5
    gaps = x[:, None] - nodes
    hit = gaps == 0.0
    terms = weights / np.where(hit, 1.0, gaps)
    matrix = terms / terms.sum(axis=1, keepdims=True)
    rows = hit.any(axis=1)
    matrix[rows] = hit[rows]
    return matrix
