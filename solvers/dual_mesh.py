"""The dual norm on meshes: finite elements as test functions, whitened by a sparse Cholesky factor of their stiffness."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from ..conditions import Dirichlet, Neumann, Robin
from ..curved import elements_on
from ..discrete.cholesky import SparseCholesky
from ..discrete.finite_elements import DEGREES, Elements, Quadrature
from ..domain import Points
from ..errors import ConfigError
from ..problem import Elliptic, faces_of
from .dual_norm import Metric, Whitening, constant_metric, energy_metric
from .dual_space import Face

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_ORDER = 4  # of the quadrature
_PER_CELL = {1: 3, 2: 6, 3: 11}  # points of a rule of that order
_CELL = {1: 1.0, 2: math.sqrt(3) / 4, 3: math.sqrt(2) / 12}  # volume of a regular simplex with edges of length 1


@final
@dataclass(frozen=True)
class ElementFunctions:
    """Finite elements on a mesh of the domain as test functions.

    Args:
        degree: 1 or 2.

    Notes: a cell has 3, 6 or 11 quadrature points in one, two or three dimensions, and so many points there are for about
    half a cell's test functions of degree 1, or two cells' of degree 2 in the plane.
    """

    degree: int = 2

    def __post_init__(self) -> None:
        if self.degree not in DEGREES or isinstance(self.degree, bool):
            raise ConfigError(f"ElementFunctions.degree: got {self.degree!r}, expected 1 or 2")

    def build(self, problem: Elliptic, points: int, whitening: Whitening) -> MeshSpace:
        """The test space with about `points` quadrature points."""
        from ..meshing import mesh

        region = problem.domain
        volume = region.measure() * _PER_CELL[region.dim] / points
        size = (volume / _CELL[region.dim]) ** (1 / region.dim)
        return mesh_space(problem, elements_on(region, mesh(region, size), self.degree, _ORDER), whitening)

    def unlimited(self) -> ElementFunctions:
        """These: a mesh has no other limit than its points."""
        return self


@final
@dataclass(frozen=True, eq=False)
class MeshSpace:
    """Finite elements that vanish on Dirichlet parts. Build it with `mesh_space`.

    Args:
        points, interior, faces, metric: as in `TestSpace`.
        tests: (m, n (1 + s)) pairs densities, point by point, with the elements and their slopes.
        loads: (m, n) the same for densities without slopes.
        sampled: values and slopes of the elements at the interior points, 1 + s matrices (n, m).
        cholesky: of the metric's matrix.

    Notes: the work is done in float64 on the CPU, wherever residuals live.
    """

    points: Points
    interior: slice
    faces: tuple[Face, ...]
    metric: Metric
    tests: csr_array
    loads: csr_array
    sampled: tuple[csr_array, ...]
    cholesky: SparseCholesky

    @property
    def size(self) -> int:
        """Number of elements."""
        return len(self.cholesky.scale)

    def tested(self, values: Tensor) -> Tensor:
        """Rows (m, k) of the dual norm; can be differentiated once."""
        rows: Tensor = _Tested.apply(
            values.flatten(0, 1), self.loads if values.shape[1] == 1 else self.tests, self.cholesky
        )
        return rows

    def represented(self, rows: Tensor) -> Tensor:
        """Values and slopes (n, 1 + s, k) of the functions that represent functionals."""
        nodal = self.cholesky.adjoint(rows.numpy())
        return torch.from_numpy(np.stack([part @ nodal for part in self.sampled], axis=1))

    def to(self, dtype: torch.dtype, device: str | torch.device) -> MeshSpace:
        """The same space for points of another type or on another device."""
        faces = tuple(dataclasses.replace(face, normal=face.normal.to(device, dtype)) for face in self.faces)
        return dataclasses.replace(self, points=self.points.to(dtype, device), faces=faces)


def mesh_space(problem: Elliptic, elements: Elements, whitening: Whitening) -> MeshSpace:
    """The test space of a problem on given elements, float64 on the CPU.

    Raises:
        SingularSystemError: the metric's matrix is not positive definite.
    """
    from scipy import sparse

    inside, faces = elements.interior, faces_of(problem)
    natural = [(c, elements.boundary(part)) for part, c in faces.items() if isinstance(c, Neumann | Robin)]
    fixed = [elements.on(part) for part, c in faces.items() if isinstance(c, Dirichlet)]
    free = np.setdiff1d(np.arange(elements.size), np.concatenate([*fixed, np.empty(0, np.int64)]))
    metric = _metric(problem, torch.from_numpy(inside.x), whitening)
    if not fixed and not float(metric.reaction.abs().max()):
        free = free[1:]  # u is free up to a constant, in which the data have no part
    matrix = inside.stiffness(_on(metric.diffusion, len(inside.x))) + inside.mass(
        _on(metric.reaction, len(inside.x))[:, 0]
    )
    sampled = tuple(part.tocsc()[:, free].tocsr() for part in (inside.values, *inside.slopes))
    loads = sparse.vstack([_weighted(inside.values, inside), *(_weighted(q.values, q) for _, q in natural)]).tocsc()[
        :, free
    ]
    slopes = [
        sparse.vstack([_weighted(s, inside), *(_nothing(q) for _, q in natural)]).tocsc()[:, free]
        for s in inside.slopes
    ]
    stops = np.cumsum([len(inside.x), *(len(q.x) for _, q in natural)]).tolist()
    weight = np.zeros(stops[-1])
    weight[: stops[0]] = inside.weight
    return MeshSpace(
        Points(torch.from_numpy(np.concatenate([inside.x, *(q.x for _, q in natural)])), torch.from_numpy(weight)),
        slice(0, stops[0]),
        tuple(
            Face(c, slice(a, b), torch.from_numpy(np.ascontiguousarray(q.normal)))
            for (c, q), (a, b) in zip(natural, pairwise(stops), strict=True)
        ),
        metric,
        _interleaved([loads, *slopes]),
        loads.T.tocsr(),
        sampled,
        SparseCholesky.of(matrix.tocsr()[free][:, free]),
    )


@final
class _Tested(torch.autograd.Function):
    """C^-1 P T v for columns v, and its adjoint."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, tests: csr_array, cholesky: SparseCholesky) -> Tensor:
        ctx.tests, ctx.cholesky = tests, cholesky
        return torch.from_numpy(cholesky.whitened(tests @ _array(values))).to(values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, rows: Tensor) -> tuple[Tensor, None, None]:
        return torch.from_numpy(ctx.tests.T @ ctx.cholesky.adjoint(_array(rows))).to(rows), None, None


def _array(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().to("cpu", torch.float64).numpy()
    return found


def _metric(problem: Elliptic, x: Tensor, whitening: Whitening) -> Metric:
    constant = constant_metric(problem, x)
    if whitening is Whitening.LAPLACE or (whitening is Whitening.AUTO and constant.spread in (None, 1.0)):
        return constant
    return energy_metric(problem, x)


def _on(coefficient: Tensor, points: int) -> np.ndarray:
    """A coefficient of the metric at every point."""
    return coefficient.expand(points, *coefficient.shape[1:]).numpy()


def _weighted(sampled: csr_array, rule: Quadrature) -> csr_array:
    """Functions at quadrature points (n, N) times the weights."""
    from scipy import sparse

    return sparse.diags_array(rule.weight) @ sampled


def _nothing(rule: Quadrature) -> csr_array:
    """No slopes at points of a face."""
    from scipy import sparse

    return sparse.csr_array(rule.values.shape)


def _interleaved(parts: Sequence[csr_array]) -> csr_array:
    """(m, n q) from q matrices (n, m): columns point by point."""
    from scipy import sparse

    q, n = len(parts), parts[0].shape[0]
    order = np.arange(n * q).reshape(q, n).T.ravel()
    return sparse.vstack(parts).tocsr()[order].T.tocsr()
