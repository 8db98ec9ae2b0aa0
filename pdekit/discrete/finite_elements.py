"""Lagrange finite elements on simplicial meshes: basis functions at quadrature points, and the forms made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, unknown_name
from .mesh import Mesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from skfem import Basis, FacetBasis
    from skfem import Mesh as SkfemMesh
    from skfem.element import Element

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DEGREES = (1, 2)


@final
@dataclass(frozen=True, eq=False)
class Quadrature:
    """Points, weights, and the basis functions there: u and its gradient are sparse matrices times nodal values.

    Args:
        x: points (n, d).
        weight: (n,), summing to the measure of what they cover.
        values: basis functions at the points (n, N).
        slopes: their derivatives along each axis, d matrices (n, N).
        normal: outward unit normals (n, d) on a boundary, None in the interior.
    """

    x: FloatArray
    weight: FloatArray
    values: csr_array
    slopes: tuple[csr_array, ...]
    normal: FloatArray | None = None

    def stiffness(self, a: FloatArray) -> csr_array:
        """int A grad u . grad v, (N, N); A at the points: (n,), diagonal (n, d) or full (n, d, d)."""
        d = len(self.slopes)
        if a.ndim < 3:
            columns = np.broadcast_to(a.reshape(len(a), -1), (len(a), d)).T
            return sum(_weighted(s, self.weight * c, s) for s, c in zip(self.slopes, columns, strict=True))
        pairs = [(i, j) for i in range(d) for j in range(d)]
        return sum(_weighted(self.slopes[i], self.weight * a[:, i, j], self.slopes[j]) for i, j in pairs)

    def transport(self, b: FloatArray) -> csr_array:
        """int (b . grad u) v, (N, N); b at the points (n, d)."""
        return sum(_weighted(self.values, self.weight * c, s) for s, c in zip(self.slopes, b.T, strict=True))

    def mass(self, c: FloatArray | float = 1.0) -> csr_array:
        """int c u v, (N, N); c at the points (n,)."""
        return _weighted(self.values, self.weight * c, self.values)

    def load(self, f: FloatArray) -> FloatArray:
        """int f v, (N,) or (N, k); f at the points (n,) or (n, k)."""
        return np.asarray(self.values.T @ (_column(self.weight, f) * f))

    def flux_load(self, q: FloatArray) -> FloatArray:
        """int q . grad v, (N,); q at the points (n, d)."""
        parts = [s.T @ (self.weight * c) for s, c in zip(self.slopes, q.T, strict=True)]
        return np.asarray(np.sum(parts, axis=0))

    def gradient(self, nodal: FloatArray) -> FloatArray:
        """Gradient at the points (n, d) of the function with these nodal values (N,)."""
        return np.stack([s @ nodal for s in self.slopes], axis=1)


@final
@dataclass(frozen=True, eq=False)
class Elements:
    """Continuous functions that are polynomials of degree 1 or 2 on each cell of a mesh, by their nodal values.

    Nodes are the corners of the mesh, in its order, and for degree 2 the middles of the edges.

    Args:
        mesh: in d = 1, 2 or 3 dimensions.
        degree: 1 (error h^2) or 2 (error h^3; h^2 where a curved boundary is cut by straight facets).
        order: polynomials up to this degree are integrated exactly on a cell; None takes 2 degree + 1. Integrands that
            oscillate within a cell need more.

    Raises:
        ConfigError: another degree, or an order below 1.

    Reference: Brenner and Scott, doi:10.1007/978-0-387-75934-0, sections 3.2 and 10.2; scikit-fem, doi:10.21105/joss.02369.
    """

    mesh: Mesh
    degree: int = 2
    order: int | None = None

    def __post_init__(self) -> None:
        if self.degree not in DEGREES or isinstance(self.degree, bool):
            raise ConfigError(f"finite elements: got degree {self.degree!r}, expected 1 or 2")
        if self.order is not None and (not isinstance(self.order, int) or self.order < 1):
            raise ConfigError(f"finite elements: got quadrature order {self.order!r}, expected a positive integer")

    @property
    def size(self) -> int:
        """Number of nodes, N."""
        return len(self.nodes)

    @cached_property
    def nodes(self) -> FloatArray:
        """Where the nodal values are taken, (N, d)."""
        found: FloatArray = np.ascontiguousarray(self.basis.doflocs.T)
        return found

    @cached_property
    def interior(self) -> Quadrature:
        """The basis functions at quadrature points of the cells, cell by cell."""
        return _sampled(self.basis, None)

    def boundary(self, part: str) -> Quadrature:
        """The basis functions at quadrature points of one boundary part.

        Raises:
            UnknownNameError: no such part, with the closest.
        """
        from skfem import FacetBasis

        facets = self._facets(part)
        basis = FacetBasis(self.basis.mesh, self.basis.elem, facets=facets, intorder=self._order)
        return _sampled(basis, basis.normals)

    def on(self, part: str) -> IntArray:
        """Numbers of the nodes on a boundary part, ascending."""
        found: IntArray = np.unique(self.basis.get_dofs(self._facets(part)).flatten())
        return found

    def evaluated(self, cells: IntArray, x: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Basis functions of given cells at points, inside them or not.

        Args:
            cells: a cell (n,) for each point.
            x: points (n, d).

        Returns:
            Node numbers (n, k), values (n, k) and gradients (n, k, d) of the k basis functions of each point's cell.
        """
        corners = self.mesh.points[self.mesh.cells[cells]]
        spans = corners[:, 1:] - corners[:, :1]  # rows are edges, so that x - x0 = X @ spans
        inverse = np.linalg.inv(spans)
        local = np.einsum("ni,nij->nj", x - corners[:, 0], inverse)
        values, slopes = zip(*(self.basis.elem.lbasis(local.T, i) for i in range(self.numbers.shape[1])), strict=True)
        shape = np.broadcast_shapes((len(x),), *(np.shape(v) for v in values))
        gradients = [np.einsum("nij,jn->ni", inverse, np.broadcast_to(s, local.T.shape)) for s in slopes]
        return (
            self.numbers[cells],
            np.stack([np.broadcast_to(v, shape) for v in values], axis=1),
            np.stack(gradients, axis=1),
        )

    @cached_property
    def numbers(self) -> IntArray:
        """Node numbers of each cell (m, k)."""
        found: IntArray = np.ascontiguousarray(self.basis.element_dofs.T, dtype=np.int64)
        return found

    @cached_property
    def basis(self) -> Basis:
        """The same in scikit-fem."""
        from skfem import Basis

        kind, element = _kinds(self.mesh.dim, self.degree)
        mesh = kind(np.ascontiguousarray(self.mesh.points.T), np.ascontiguousarray(self.mesh.cells.T), sort_t=False)
        return Basis(mesh, element, intorder=self._order)

    @property
    def _order(self) -> int:
        return 2 * self.degree + 1 if self.order is None else self.order

    def _facets(self, part: str) -> IntArray:
        """Numbers of a part's facets in scikit-fem."""
        if part not in self.mesh.parts:
            raise unknown_name("boundary part of the mesh", part, self.mesh.parts)
        every, wanted = (np.sort(f, axis=1) for f in (self.basis.mesh.facets.T, self.mesh.parts[part]))
        stride = len(self.mesh.points) ** np.arange(self.mesh.dim, dtype=np.int64)
        keys = every @ stride
        order = np.argsort(keys)
        found: IntArray = order[np.searchsorted(keys, wanted @ stride, sorter=order)]
        return found


def _kinds(dim: int, degree: int) -> tuple[type[SkfemMesh], Element]:
    """Mesh class and element of scikit-fem."""
    import skfem

    meshes = {1: skfem.MeshLine, 2: skfem.MeshTri, 3: skfem.MeshTet}
    elements = {
        1: (skfem.ElementLineP1, skfem.ElementLineP2),
        2: (skfem.ElementTriP1, skfem.ElementTriP2),
        3: (skfem.ElementTetP1, skfem.ElementTetP2),
    }
    return meshes[dim], elements[dim][degree - 1]()


def _sampled(basis: Basis | FacetBasis, normals: FloatArray | None) -> Quadrature:
    from scipy.sparse import csr_array

    d = basis.mesh.dim()
    x = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
    shape = x.shape[:2]
    functions = [field[0] for field in basis.basis]
    k, n, size = len(functions), shape[0] * shape[1], basis.N
    columns = np.repeat(basis.element_dofs.T, shape[1], axis=0).reshape(-1)
    starts = np.arange(n + 1) * k

    def matrix(parts: list[FloatArray]) -> csr_array:
        data = np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1)
        return csr_array((data.reshape(-1), columns, starts), shape=(n, size))

    return Quadrature(
        x.reshape(n, d),
        np.asarray(basis.dx).reshape(n),
        matrix([np.asarray(f) for f in functions]),
        tuple(matrix([f.grad[axis] for f in functions]) for axis in range(d)),
        None if normals is None else np.moveaxis(np.asarray(normals), 0, -1).reshape(n, d),
    )


def _weighted(left: csr_array, weight: FloatArray, right: csr_array) -> csr_array:
    """left^T diag(weight) right."""
    from scipy.sparse import diags_array

    return (left.T @ (diags_array(weight) @ right)).tocsr()


def _column(weight: FloatArray, values: FloatArray) -> FloatArray:
    return weight if values.ndim == 1 else weight[:, None]
