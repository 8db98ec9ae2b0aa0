"""The dual norm on boxes: eigenfunctions of the Laplacian as test functions, by matrix products along each axis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar, final

import numpy as np
import torch
from torch import Tensor

from ..checks import integer
from ..conditions import Condition, Dirichlet, Neumann, Periodic, Robin
from ..domain import Box, Points
from ..problem import Elliptic, faces_of
from ..spectrum.eigenmodes import AxisModes, Ends, resolved_modes
from .dual_norm import Metric, Whitening, constant_metric, energy_metric
from .dual_space import Face

_LEAST_NODES = 8
_MOST_WHITENED = 2000
_COLUMNS = 128
_T = TypeVar("_T")


@final
@dataclass(frozen=True)
class Eigenfunctions:
    """Eigenfunctions of the Laplacian on a box as test functions.

    Args:
        most: along each axis at most; None takes as many as the quadrature points tell apart, 0.6 per node.
    """

    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None:
            integer("Eigenfunctions", "most", self.most)

    def build(self, problem: Elliptic, points: int, whitening: Whitening) -> ModalSpace:
        """The test space with about `points` quadrature points."""
        return modal_space(problem, points, self.most, whitening)

    def unlimited(self) -> Eigenfunctions:
        """As many as the points tell apart."""
        return Eigenfunctions()


@final
@dataclass(frozen=True, eq=False)
class ModalSpace:
    """Products of eigenfunctions along the axes: sines between Dirichlet faces, cosines where fluxes are given, Fourier
    modes on periodic axes.

    Each mode is divided by its length in the norm with constant coefficients A_a and c, sqrt(sum_a A_a k_a^2 + c), in which
    they are orthogonal. Where the metric is the problem's own energy, the Cholesky factor of its matrix follows. Build it
    with `modal_space`.

    Args:
        points, interior, faces, metric: as in `TestSpace`.
        values, slopes: modes and their derivatives at the nodes of each axis (n_a, M_a).
        weights: of the nodes of each axis (n_a,).
        ends: for each face its axis, and the modes' values there (1, M_a).
        length: of each mode (m,); infinite for the constant, where u is free up to one.
        factor: L (m, m) with L L^T the matrix of the metric in the modes divided by their lengths; None for the identity.

    Reference: Taylor, Pardo, Muga 2023, doi:10.1016/j.cma.2022.115850.
    """

    points: Points
    interior: slice
    faces: tuple[Face, ...]
    metric: Metric
    values: tuple[Tensor, ...]
    slopes: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    ends: tuple[tuple[int, Tensor], ...]
    length: Tensor
    factor: Tensor | None = None

    @property
    def size(self) -> int:
        """Number of modes."""
        return len(self.length)

    def tested(self, values: Tensor) -> Tensor:
        """Rows (m, k) of the dual norm."""
        weighted = [_transposed(v, w) for v, w in zip(self.values, self.weights, strict=True)]
        total = _separable(weighted, values[self.interior, 0])
        if values.shape[1] > 1:
            for axis, slope in enumerate(self.slopes):
                along = _replaced(weighted, axis, _transposed(slope, self.weights[axis]))
                total = total + _separable(along, values[self.interior, 1 + axis])
        for face, (axis, end) in zip(self.faces, self.ends, strict=True):
            total = total + _separable(_replaced(weighted, axis, end.T), values[face.rows, 0])
        rows = total / self.length[:, None]
        return rows if self.factor is None else torch.linalg.solve_triangular(self.factor, rows, upper=False)

    def represented(self, rows: Tensor) -> Tensor:
        """Values and slopes (n, 1 + s, k) of the functions that represent functionals."""
        if self.factor is not None:
            rows = torch.linalg.solve_triangular(self.factor.mT, rows, upper=True)
        coefficients = rows / self.length[:, None]
        along = [_replaced(self.values, axis, slope) for axis, slope in enumerate(self.slopes)]
        return torch.stack([_separable(matrices, coefficients) for matrices in (self.values, *along)], dim=1)

    def whitened(self, metric: Metric) -> ModalSpace:
        """The same test functions in another metric."""
        size, matrix = self.size, torch.empty(self.size, self.size, dtype=self.length.dtype)
        for start in range(0, size, _COLUMNS):
            chosen = torch.eye(size, dtype=self.length.dtype)[:, start : start + _COLUMNS]
            densities = metric.densities(self.represented(chosen))
            edges = densities.new_zeros(len(self.points) - len(densities), *densities.shape[1:])
            matrix[:, start : start + _COLUMNS] = self.tested(torch.cat([densities, edges]))
        return dataclasses.replace(self, metric=metric, factor=torch.linalg.cholesky(0.5 * (matrix + matrix.mT)))

    def to(self, dtype: torch.dtype, device: str | torch.device) -> ModalSpace:
        """The same space for residuals of another type or on another device."""

        def moved(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(t.to(device, dtype) for t in tensors)

        return dataclasses.replace(
            self,
            points=self.points.to(dtype, device),
            faces=tuple(dataclasses.replace(face, normal=face.normal.to(device, dtype)) for face in self.faces),
            values=moved(self.values),
            slopes=moved(self.slopes),
            weights=moved(self.weights),
            ends=tuple((axis, end.to(device, dtype)) for axis, end in self.ends),
            length=self.length.to(device, dtype),
            factor=None if self.factor is None else self.factor.to(device, dtype),
        )


def modal_space(
    problem: Elliptic, points: int, most: int | None = None, whitening: Whitening = Whitening.LAPLACE
) -> ModalSpace:
    """The test space of a problem on a box, float64 on the CPU.

    Args:
        problem: declares the box, the coefficients, and what holds on the faces.
        points: quadrature nodes in all, about; shared out by the lengths of the edges.
        most: modes along each axis at most; None takes as many as the nodes tell apart.
        whitening: choice of the metric.
    """
    box = problem.domain
    assert isinstance(box, Box)  # `require` has seen to it
    spacing = (box.measure() / points) ** (1 / box.dim)
    nodes = [max(_LEAST_NODES, round(length / spacing)) for length in box.lengths]
    axes = _families(problem, box, [min(resolved_modes(n), most or n) for n in nodes])
    rules = [axis.rule(n) for axis, n in zip(axes, nodes, strict=True)]
    grid = _product([x for x, _ in rules])
    sets, ends, flux = [grid], [], []
    for part, condition in faces_of(problem).items():
        if isinstance(condition, Neumann | Robin):
            axis, side = box.face(part)
            end = np.array([(box.lower, box.upper)[side][axis]])
            sets.append(_product(_replaced([x for x, _ in rules], axis, end)))
            ends.append((axis, _tensor(axes[axis].values(end))))
            normal = torch.zeros(len(sets[-1]), box.dim, dtype=torch.float64)
            normal[:, axis] = 2.0 * side - 1.0
            flux.append((condition, normal))
    stops = np.cumsum([len(x) for x in sets]).tolist()
    weight = torch.zeros(stops[-1], dtype=torch.float64)
    weight[: stops[0]] = _tensor(_product([w for _, w in rules]).prod(axis=1))
    metric = constant_metric(problem, _tensor(grid))
    space = ModalSpace(
        Points(_tensor(np.concatenate(sets)), weight),
        slice(0, stops[0]),
        tuple(Face(c, slice(a, b), normal) for (c, normal), (a, b) in zip(flux, pairwise(stops), strict=True)),
        metric,
        tuple(_tensor(axis.values(x)) for axis, (x, _) in zip(axes, rules, strict=True)),
        tuple(_tensor(axis.slopes(x)) for axis, (x, _) in zip(axes, rules, strict=True)),
        tuple(_tensor(w) for _, w in rules),
        tuple(ends),
        _lengths(metric, [axis.wavenumbers for axis in axes]),
    )
    if whitening is Whitening.LAPLACE or (whitening is Whitening.AUTO and not _varies(space)):
        return space
    return space.whitened(energy_metric(problem, _tensor(grid)))


def _varies(space: ModalSpace) -> bool:
    return space.metric.spread not in (None, 1.0) and space.size <= _MOST_WHITENED


def _families(problem: Elliptic, box: Box, counts: Sequence[int]) -> list[AxisModes]:
    conditions = faces_of(problem)

    def ends(axis: int) -> Ends:
        lower, upper = (conditions.get(box.part(axis, side)) for side in (0, 1))
        return Ends.PERIODIC if isinstance(lower, Periodic) else Ends.of(_fixed(lower), _fixed(upper))

    return [AxisModes(box.lower[i], box.upper[i], count, ends(i)) for i, count in enumerate(counts)]


def _fixed(condition: Condition | None) -> bool:
    return isinstance(condition, Dirichlet)


def _lengths(metric: Metric, wavenumbers: Sequence[np.ndarray]) -> Tensor:
    squares = metric.reaction[0].numpy()
    for a, k in zip(metric.diffusion[0].diagonal().tolist(), wavenumbers, strict=True):
        squares = np.add.outer(squares, a * k**2).reshape(-1)
    return _tensor(np.where(squares > 0, np.sqrt(squares), math.inf))


def _product(parts: Sequence[np.ndarray]) -> np.ndarray:
    """(n, d): all combinations, the last axis fastest."""
    return np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, len(parts))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _transposed(modes: Tensor, weights: Tensor) -> Tensor:
    """(M, n): a quadrature against each mode."""
    return (modes * weights[:, None]).T


def _replaced(items: Sequence[_T], index: int, item: _T) -> list[_T]:
    return [*items[:index], item, *items[index + 1 :]]


def _separable(matrices: Sequence[Tensor], values: Tensor) -> Tensor:
    """Apply one matrix (out_a, in_a) along each axis of values (prod in_a, k); (prod out_a, k)."""
    columns, before = values.shape[1], 1
    for matrix in matrices:
        values = matrix @ values.reshape(before, matrix.shape[1], -1)
        before *= len(matrix)
    return values.reshape(-1, columns)
