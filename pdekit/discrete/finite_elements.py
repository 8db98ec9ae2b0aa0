"""Lagrange finite elements on simplicial meshes: basis functions at quadrature points, and the forms made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ShapeError, unknown_name
from .locate import Locator
from .mesh import Mesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from skfem import Basis, FacetBasis
    from skfem import Mesh as SkfemMesh
    from skfem.element import Element

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DEGREES = (1, 2)

_NEWTON = 5  # steps that find a point in a bent cell; it bends by a few hundredths, and each step doubles the digits


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
        bent: for degree 2, where the nodes are moved to (N, d), so that cells bend along with a curved boundary
            (isoparametric elements); None leaves cells straight. See `pdekit.curved.elements_on`.

    Raises:
        ConfigError: another degree, or an order below 1.
        ShapeError: `bent` is not of the shape of the nodes.

    Reference: Brenner and Scott, doi:10.1007/978-0-387-75934-0, sections 3.2, 10.2 and 10.4; scikit-fem,
        doi:10.21105/joss.02369.
    """

    mesh: Mesh
    degree: int = 2
    order: int | None = None
    bent: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.degree not in DEGREES or isinstance(self.degree, bool):
            raise ConfigError(f"finite elements: got degree {self.degree!r}, expected 1 or 2")
        if self.order is not None and (not isinstance(self.order, int) or self.order < 1):
            raise ConfigError(f"finite elements: got quadrature order {self.order!r}, expected a positive integer")
        if self.bent is not None and (self.degree, self.bent.shape) != (2, self.basis.doflocs.T.shape):
            raise ShapeError(
                f"finite elements: got bent nodes of shape {self.bent.shape} for degree {self.degree}, expected "
                f"{self.basis.doflocs.T.shape} for degree 2"
            )

    @property
    def size(self) -> int:
        """Number of nodes, N."""
        return len(self.nodes)

    @cached_property
    def nodes(self) -> FloatArray:
        """Where the nodal values are taken, (N, d)."""
        found: FloatArray = np.ascontiguousarray(self.basis.doflocs.T)
        return found if self.bent is None else self.bent

    @cached_property
    def interior(self) -> Quadrature:
        """The basis functions at quadrature points of the cells, cell by cell."""
        return _sampled(self.basis, None, self.bent)

    def boundary(self, part: str) -> Quadrature:
        """The basis functions at quadrature points of one boundary part.

        Raises:
            UnknownNameError: no such part, with the closest.
        """
        from skfem import FacetBasis

        facets = self._facets(part)
        basis = FacetBasis(self.basis.mesh, self.basis.elem, facets=facets, intorder=self._order)
        return _sampled(basis, np.asarray(basis.normals), self.bent)

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
        local = self.locator.local(cells, x)
        inverse = self.locator.inverses[cells]
        if self.bent is not None:
            curved = np.flatnonzero(self._curved[cells])
            local[curved], inverse[curved] = self._unbent(cells[curved], x[curved], local[curved])
        values, slopes = self._reference(local)
        return self.numbers[cells], values, slopes @ inverse.swapaxes(1, 2)

    def _reference(self, local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Basis functions (n, k) and derivatives (n, k, d) on the reference cell."""
        n, d = local.shape
        found = [self.basis.elem.lbasis(local.T, i) for i in range(self.numbers.shape[1])]
        values = np.stack([np.broadcast_to(value, n) for value, _ in found], axis=1)
        return values, np.stack([np.broadcast_to(slope, (d, n)).T for _, slope in found], axis=1)

    def _unbent(self, cells: IntArray, x: FloatArray, local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Reference coordinates (n, d) of points in bent cells, by Newton's method, and inverses (n, d, d) of the map."""
        places = self.nodes[self.numbers[cells]]
        for _ in range(_NEWTON):
            values, slopes = self._reference(local)
            inverse = np.asarray(np.linalg.inv(slopes.swapaxes(1, 2) @ places), dtype=np.float64)
            local = local + ((x - (values[:, None, :] @ places)[:, 0])[:, None, :] @ inverse)[:, 0]
        return local, inverse

    @cached_property
    def locator(self) -> Locator:
        """Finds cells."""
        return Locator(self.mesh)

    @cached_property
    def _curved(self) -> NDArray[np.bool_]:
        """Which cells are bent (m,)."""
        return _moved(self.basis, self.nodes)

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


def _sampled(basis: Basis | FacetBasis, normals: FloatArray | None, bent: FloatArray | None) -> Quadrature:
    from scipy.sparse import csr_array

    d = basis.mesh.dim()
    x = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
    shape = x.shape[:2]
    functions = [field[0] for field in basis.basis]
    k, n = len(functions), shape[0] * shape[1]
    numbers = np.repeat(basis.element_dofs.T, shape[1], axis=0)
    x, weight = x.reshape(n, d), np.asarray(basis.dx).reshape(n)
    normal = None if normals is None else np.moveaxis(normals, 0, -1).reshape(n, d)
    values = np.stack([np.broadcast_to(np.asarray(f), shape).reshape(n) for f in functions], axis=1)
    slopes = np.stack([np.broadcast_to(f.grad, (d, *shape)).reshape(d, n) for f in functions], axis=2)
    if bent is not None:
        rows = np.repeat(_moved(basis, bent), shape[1])
        x, weight, slopes = x.copy(), weight.copy(), np.ascontiguousarray(slopes)
        outward = None if normal is None else normal[rows]
        x[rows], weight[rows], turned, slopes[:, rows] = _bent(
            bent[numbers[rows]], values[rows], slopes[:, rows], weight[rows], outward
        )
        if normal is not None:
            normal = normal.copy()
            normal[rows] = turned

    def matrix(data: FloatArray) -> csr_array:
        return csr_array((data.reshape(-1), numbers.reshape(-1), np.arange(n + 1) * k), shape=(n, basis.N))

    return Quadrature(x, weight, matrix(values), tuple(matrix(part) for part in slopes), normal)


def _moved(basis: Basis | FacetBasis, bent: FloatArray) -> NDArray[np.bool_]:
    """Which cells of a basis have nodes elsewhere than straight cells."""
    moved = (bent != basis.doflocs.T).any(axis=1)
    found: NDArray[np.bool_] = moved[basis.element_dofs].any(axis=0)
    return found


def _bent(
    places: FloatArray, values: FloatArray, slopes: FloatArray, weight: FloatArray, normal: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray | None, FloatArray]:
    """Points, weights, normals and slopes (d, n, k) of bent cells whose nodes are at `places` (n, k, d)."""
    x = (values[:, None, :] @ places)[:, 0]
    jacobian = slopes.swapaxes(0, 1) @ places  # [n, j, i]: derivative of coordinate i along the straight coordinate j
    inverse, growth = np.linalg.inv(jacobian), np.linalg.det(jacobian)
    slopes = (inverse @ slopes.swapaxes(0, 1)).swapaxes(0, 1)
    if normal is not None:
        normal = (inverse @ normal[..., None])[..., 0]
        stretch = np.linalg.norm(normal, axis=1)
        normal, growth = normal / stretch[:, None], growth * stretch
    return x, weight * growth, normal, slopes


def _weighted(left: csr_array, weight: FloatArray, right: csr_array) -> csr_array:
    """left^T diag(weight) right."""
    from scipy.sparse import diags_array

    return (left.T @ (diags_array(weight) @ right)).tocsr()


def _column(weight: FloatArray, values: FloatArray) -> FloatArray:
    return weight if values.ndim == 1 else weight[:, None]
