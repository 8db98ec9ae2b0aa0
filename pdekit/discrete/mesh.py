"""Simplicial meshes: intervals, triangles and tetrahedra with named boundary parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError, ShapeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Snap = Callable[[FloatArray, str], FloatArray]
"""Moves points (n, d) of a boundary part onto the curved boundary they approximate."""

_FLAT = 1e-12
"""Least volume of a cell, relative to the cube of its longest edge (square, length in lower dimensions)."""

_CELL = {1: "interval", 2: "triangle", 3: "tetrahedron"}


@final
@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """A mesh of simplices: points, cells, and the facets of each part of the boundary.

    Args:
        points: coordinates (n, d), d = 1, 2 or 3.
        cells: numbers of the d + 1 corners of each cell (m, d + 1), positively oriented.
        parts: facets (k, d) by boundary part; together they are the whole boundary, each facet once.

    Raises:
        ShapeError: arrays whose shapes do not fit together.
        DomainError: NaN or infinite coordinates, corner numbers out of range, flat or inverted cells, facets that are
            not on the boundary, or boundary facets in no part or in two.

    Notes: `Mesh.of` orients the cells and finds the boundary.

    >>> square = Mesh.of(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [0, 2, 3]]))
    >>> square.measure, len(square.parts["boundary"]), square.refined().size == square.size / 2
    (1.0, 4, True)
    """

    points: FloatArray
    cells: IntArray
    parts: Mapping[str, IntArray]

    def __post_init__(self) -> None:
        points, cells = _checked(self.points, self.cells)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "cells", cells)
        _check_cells(points, cells)
        object.__setattr__(self, "parts", self._matched_parts())

    def __repr__(self) -> str:
        return (
            f"Mesh({len(self.points)} points, {len(self.cells)} {_CELL[self.dim]} cells, parts {', '.join(self.parts)})"
        )

    @staticmethod
    def of(points: FloatArray, cells: IntArray, parts: Mapping[str, IntArray] | None = None) -> Mesh:
        """A mesh from cells in any orientation; boundary facets that no part names become the part "boundary"."""
        points, cells = _checked(points, cells)
        inverted = signed_volumes(points, cells) < 0
        if inverted.any():
            cells = cells.copy()
            cells[inverted, -2:] = cells[inverted, -2:][:, ::-1]
        outer = boundary_facets(cells)
        named = {name: _ints(facets, points.shape[1]) for name, facets in (parts or {}).items()}
        taken = {tuple(sorted(facet)) for facets in named.values() for facet in facets.tolist()}
        rest = [facet for facet in outer.tolist() if tuple(sorted(facet)) not in taken]
        if rest:
            named["boundary"] = np.array([*named.get("boundary", np.empty((0, points.shape[1]), int)), *rest])
        return Mesh(points, cells, named)

    @property
    def dim(self) -> int:
        """Number of coordinates, d."""
        return int(self.points.shape[1])

    @property
    def measure(self) -> float:
        """Total volume of the cells."""
        return float(self.volumes.sum())

    @cached_property
    def volumes(self) -> FloatArray:
        """Length, area or volume of each cell (m,), positive."""
        return signed_volumes(self.points, self.cells)

    @cached_property
    def edges(self) -> IntArray:
        """Each edge of a cell once, corner numbers ascending (e, 2)."""
        pairs = np.concatenate([self.cells[:, list(p)] for p in itertools.combinations(range(self.dim + 1), 2)])
        pairs = np.sort(pairs, axis=1)
        return pairs[_distinct(pairs)[0]]

    @cached_property
    def size(self) -> float:
        """Length h of the longest edge."""
        ends = self.points[self.edges]
        return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).max())

    @cached_property
    def facets(self) -> IntArray:
        """All boundary facets (k, d), part by part, oriented so that the outward normal is on their right."""
        return np.concatenate([*self.parts.values(), np.empty((0, self.dim), np.int64)])

    @cached_property
    def quality(self) -> FloatArray:
        """d times inradius over circumradius of each cell (m,): 1 for regular simplices, 0 for flat ones.

        In two dimensions 0.5 stands for a smallest angle of about 22 degrees.
        """
        if self.dim == 1:
            return np.ones(len(self.cells))
        corners = self.points[self.cells]
        surface = sum(_areas(np.delete(corners, i, axis=1)) for i in range(self.dim + 1))
        inradius = self.dim * self.volumes / surface
        spans = corners[:, 1:] - corners[:, :1]
        centre = np.linalg.solve(2 * spans, (spans**2).sum(axis=2)[..., None])[..., 0]
        return self.dim * inradius / np.linalg.norm(centre, axis=1)

    @property
    def smallest_angle(self) -> float:
        """Smallest angle of a triangle, in degrees; 0 is flat, 60 equilateral.

        Raises:
            ShapeError: not a mesh of triangles.
        """
        if self.dim != 2:
            raise ShapeError(f"mesh: angles are those of triangles, got cells of dimension {self.dim}; read `quality`")
        corners = self.points[self.cells]
        worst = 180.0
        for i in range(3):
            a, b = (corners[:, (i + j) % 3] - corners[:, i] for j in (1, 2))
            cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
            worst = min(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).min()))
        return worst

    def areas(self, part: str) -> FloatArray:
        """Length or area of each facet of a part (k,); 1 for the end points of an interval."""
        return _areas(self.points[self.parts[part]])

    def normals(self, part: str) -> FloatArray:
        """Outward unit normal of each facet of a part (k, d)."""
        facets = self.parts[part]
        corners = self.points[facets]
        match self.dim:
            case 1:
                return np.where(np.isin(facets, self.cells[:, 1]), 1.0, -1.0)
            case 2:
                tangent = corners[:, 1] - corners[:, 0]
                normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
            case _:
                normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def refined(self, snap: Snap | None = None) -> Mesh:
        """Each edge halved: 2^d cells in place of one (red refinement), boundary parts kept.

        Args:
            snap: moves the new points of a boundary part onto a curved boundary; None leaves them on the facets.

        Notes: the points of this mesh come first, so that nodal values restrict by slicing. Angles of triangles are
            those of this mesh, but for snapped points.
        """
        edges = self.edges
        points = np.concatenate([self.points, self.points[edges].mean(axis=1)])
        middle = _Midpoints(edges, len(self.points))
        parts = {name: middle.split_facets(facets) for name, facets in self.parts.items()}
        if snap is not None and self.dim > 1:
            for name, facets in self.parts.items():
                new = np.unique(np.concatenate([middle(a, b) for a, b in itertools.combinations(facets.T, 2)]))
                points[new] = snap(points[new], name)
        return Mesh(points, middle.split_cells(self.cells, points), parts)

    def _matched_parts(self) -> dict[str, IntArray]:
        """The parts with every facet oriented outward; refuses what is not the boundary, once."""
        outer = {tuple(sorted(facet)): facet for facet in boundary_facets(self.cells).tolist()}
        seen: dict[tuple[int, ...], str] = {}
        parts: dict[str, IntArray] = {}
        for name, given in self.parts.items():
            oriented = []
            for facet in _ints(given, self.dim).tolist():
                key = tuple(sorted(facet))
                if key not in outer:
                    raise DomainError(
                        f"mesh: facet {facet} of part {name!r} is not on the boundary, expected a facet of one cell"
                    )
                if key in seen:
                    raise DomainError(
                        f"mesh: facet {facet} is in the parts {seen[key]!r} and {name!r}, expected in one; remove it from one"
                    )
                seen[key] = name
                oriented.append(outer[key])
            if oriented:
                parts[name] = np.array(oriented, dtype=np.int64)
        if len(seen) < len(outer):
            left = next(facet for key, facet in outer.items() if key not in seen)
            raise DomainError(
                f"mesh: {len(outer) - len(seen)} of {len(outer)} boundary facets are in no part, the first {left}; "
                "name them, or use Mesh.of"
            )
        return parts


@final
class _Midpoints:
    """Numbers of the points halfway along edges, and what becomes of cells and facets."""

    def __init__(self, edges: IntArray, first: int) -> None:
        self._first, self._stride = first, first + len(edges) + 1
        self._keys = edges[:, 0] * self._stride + edges[:, 1]  # ascending, as `edges` is sorted

    def __call__(self, a: IntArray, b: IntArray) -> IntArray:
        keys = np.minimum(a, b) * self._stride + np.maximum(a, b)
        return self._first + np.searchsorted(self._keys, keys)

    def split_facets(self, facets: IntArray) -> IntArray:
        match facets.shape[1]:
            case 1:
                return facets
            case 2:
                return self._split_lines(facets)
            case _:
                return self._split_triangles(facets)

    def split_cells(self, cells: IntArray, points: FloatArray) -> IntArray:
        match cells.shape[1]:
            case 2:
                return self._split_lines(cells)
            case 3:
                return self._split_triangles(cells)
            case _:
                return self._split_tetrahedra(cells, points)

    def _split_lines(self, lines: IntArray) -> IntArray:
        a, b = lines.T
        m = self(a, b)
        return np.concatenate([np.stack([a, m], 1), np.stack([m, b], 1)])

    def _split_triangles(self, triangles: IntArray) -> IntArray:
        a, b, c = triangles.T
        ab, bc, ca = self(a, b), self(b, c), self(c, a)
        rows = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        return np.concatenate([np.stack(row, 1) for row in rows])

    def _split_tetrahedra(self, cells: IntArray, points: FloatArray) -> IntArray:
        """Four at the corners; the octahedron between them is cut along its shortest diagonal. doi:10.1007/BF01389564."""
        a, b, c, d = cells.T
        ab, ac, ad, bc, bd, cd = (self(p, q) for p, q in ((a, b), (a, c), (a, d), (b, c), (b, d), (c, d)))
        corners = ((a, ab, ac, ad), (ab, b, bc, bd), (ac, bc, c, cd), (ad, bd, cd, d))
        # Each diagonal with the ring of the other four around it.
        diagonals = ((ab, cd, (ac, ad, bd, bc)), (ac, bd, (ab, bc, cd, ad)), (ad, bc, (ab, ac, cd, bd)))
        lengths = np.stack([np.linalg.norm(points[p] - points[q], axis=1) for p, q, _ in diagonals])
        shortest = lengths.argmin(axis=0)
        inner = []
        for number, (p, q, ring) in enumerate(diagonals):
            chosen = shortest == number
            inner += [np.stack([p, q, ring[i], ring[(i + 1) % 4]], 1)[chosen] for i in range(4)]
        found = np.concatenate([*(np.stack(row, 1) for row in corners), *inner])
        inverted = signed_volumes(points, found) < 0
        found[inverted, -2:] = found[inverted, -2:][:, ::-1]
        return found


def _checked(points: FloatArray, cells: IntArray) -> tuple[FloatArray, IntArray]:
    points = np.ascontiguousarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in _CELL:
        raise ShapeError(f"mesh: got points of shape {points.shape}, expected (n, d) with d = 1, 2 or 3")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise DomainError(
            f"mesh: point {bad[0]} is {points[bad[0]].tolist()}, expected finite coordinates; {len(bad)} are not"
        )
    cells = _ints(cells, points.shape[1] + 1)
    if not len(cells):
        raise ShapeError(f"mesh: got no cells, expected at least one {_CELL[points.shape[1]]}")
    bad = np.flatnonzero(((cells < 0) | (cells >= len(points))).any(axis=1))
    if len(bad):
        raise DomainError(
            f"mesh: cell {bad[0]} has the corners {cells[bad[0]].tolist()}, expected numbers from 0 to {len(points) - 1}"
        )
    return points, cells


def _ints(numbers: IntArray, width: int) -> IntArray:
    found = np.asarray(numbers)
    if found.size == 0:
        return np.empty((0, width), np.int64)
    if found.ndim != 2 or found.shape[1] != width or not np.issubdtype(found.dtype, np.integer):
        raise ShapeError(
            f"mesh: got corner numbers of shape {found.shape} and type {found.dtype}, expected integers (m, {width})"
        )
    return np.ascontiguousarray(found, dtype=np.int64)


def _check_cells(points: FloatArray, cells: IntArray) -> None:
    volumes = signed_volumes(points, cells)
    corners = points[cells]
    longest = np.max(
        [np.linalg.norm(corners - corners[:, i : i + 1], axis=2).max(axis=1) for i in range(cells.shape[1])], 0
    )
    flat = np.flatnonzero(np.abs(volumes) <= _FLAT * longest ** points.shape[1])
    if len(flat):
        raise DomainError(
            f"mesh: cell {flat[0]} with corners {cells[flat[0]].tolist()} has no volume, expected distinct corners; "
            f"{len(flat)} of {len(cells)} are flat, remove them"
        )
    inverted = np.flatnonzero(volumes < 0)
    if len(inverted):
        raise DomainError(
            f"mesh: cell {inverted[0]} is inverted, expected positively oriented cells; use Mesh.of, which turns them"
        )


def signed_volumes(points: FloatArray, cells: IntArray) -> FloatArray:
    """Volumes of cells (m, d + 1), negative for those that are inverted, (m,)."""
    corners = points[cells]
    spans: FloatArray = np.linalg.det(corners[:, 1:] - corners[:, :1])
    return spans / math.factorial(points.shape[1])


def _areas(corners: FloatArray) -> FloatArray:
    """Measure of the simplices (k, r + 1, d), r < d: by Gram's determinant; 1 for points."""
    spans = corners[:, 1:] - corners[:, :1]
    if not spans.shape[1]:
        return np.ones(len(corners))
    gram = np.einsum("kid,kjd->kij", spans, spans)
    return np.sqrt(np.maximum(np.linalg.det(gram), 0.0)) / math.factorial(spans.shape[1])


def boundary_facets(cells: IntArray) -> IntArray:
    """The facets (k, d) of only one of the cells (m, d + 1), oriented so that they point out of positive cells."""
    dim = cells.shape[1] - 1
    # The facet opposite corner i, in the order that its right-hand normal points out of a positive cell.
    opposite = {1: ((1,), (0,)), 2: ((1, 2), (2, 0), (0, 1)), 3: ((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1))}[dim]
    facets = np.stack([cells[:, list(corners)] for corners in opposite], axis=1).reshape(-1, dim)
    first, counts = _distinct(np.sort(facets, axis=1))
    if (counts > 2).any():
        raise DomainError(
            f"mesh: facet {facets[first[counts.argmax()]].tolist()} belongs to {counts.max()} cells, expected at most two"
        )
    return facets[np.sort(first[counts == 1])]


def _distinct(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Where each distinct row of numbers occurs first, in lexicographic order of the rows, and how often."""
    base, width = int(rows.max()) + 1, rows.shape[1]
    if base**width < 2**63:  # one number per row sorts many times faster than rows do
        keys = rows @ base ** np.arange(width, dtype=np.int64)[::-1]
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    else:
        _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    return first, counts
