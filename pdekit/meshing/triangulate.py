"""Triangulations of plane shapes: a chain of boundary edges, smoothed hexagonal points inside, Delaunay between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ..discrete.mesh import FloatArray, IntArray, Mesh
from ..errors import NotApplicableError
from ..geometry import Shape
from ..geometry.patch import BoolArray
from .boundary import GRADING, Chain

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_SMOOTHINGS = 14
_FILLINGS = (3, 6)
_LARGE = 1.45  # longest edge of a triangle that calls for a point in its middle, in edges wanted there
_REPAIRS = 8
_MARGIN = 0.55  # least distance of inner points from the boundary, in lengths of edges there
_NEAREST = 4


def plane_mesh(shape: Shape, size: float) -> Mesh:
    """A conforming Delaunay mesh of a plane shape; see `mesh`.

    Raises:
        NotApplicableError: the boundary is too sharp or too narrow for it.
    """
    chain = Chain.of(shape, size)
    for _ in range(_REPAIRS):
        boundary, edges = chain.points()
        room = _Room(shape, boundary, edges, size)
        points = np.concatenate([boundary, _smoothed(room, _lattice(room))])
        triangles = _triangles(points)
        missing = ~_present(triangles, edges, len(points))
        if not missing.any():
            return _made(shape, chain, points, _inside(triangles, edges, len(points)), edges)
        chain = chain.halved(missing)
    raise NotApplicableError(
        f"mesh: {int(missing.sum())} boundary edges could not be kept at size {size:g}; ask for smaller cells"
    )


@final
@dataclass(frozen=True, eq=False)
class _Room:
    """How far apart points should be, and how far inside they are.

    Args:
        shape: to be meshed.
        points: its boundary points (n, 2).
        edges: between them (k, 2).
        size: largest edge length.
    """

    shape: Shape
    points: FloatArray
    edges: IntArray
    size: float

    def spacing(self, x: FloatArray) -> FloatArray:
        """Edge lengths wanted: those of the boundary near x, growing with the distance up to `size`."""
        gap, near = self._nearest(x)
        wanted: FloatArray = np.minimum((self._lengths[near] + GRADING * gap).min(axis=1), self.size)
        return wanted

    def depth(self, x: FloatArray) -> FloatArray:
        """Distance from the boundary edges, negative outside."""
        _, near = self._nearest(x)
        a, b = (self.points[self.edges[near, i]] for i in (0, 1))  # (n, k, 2)
        along = ((x[:, None] - a) * (b - a)).sum(axis=2) / self._lengths[near] ** 2
        foot = a + np.clip(along, 0, 1)[..., None] * (b - a)
        distance = np.linalg.norm(x[:, None] - foot, axis=2).min(axis=1)
        inside = self.shape.signed_distance(torch.from_numpy(np.ascontiguousarray(x))).numpy() <= 0
        return np.where(inside, distance, -distance)

    def enough(self, x: FloatArray) -> BoolArray:
        """Which points are far enough inside to leave the boundary edges their triangles."""
        if not len(x):
            return np.empty(0, bool)
        far: BoolArray = self.depth(x) > _MARGIN * self.spacing(x)
        return far

    def _nearest(self, x: FloatArray) -> tuple[FloatArray, IntArray]:
        k = min(_NEAREST, len(self.edges))
        gap, near = self._tree.query(x, k=k)
        return gap.reshape(len(x), k), near.reshape(len(x), k)

    @cached_property
    def _lengths(self) -> FloatArray:
        ends = self.points[self.edges]
        lengths: FloatArray = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        return lengths

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.points[self.edges].mean(axis=1))


def _lattice(room: _Room) -> FloatArray:
    """Hexagonal points, finer where the spacing is smaller: rhombic cells are quartered until they are small enough."""
    lower, upper = np.array(room.shape.lower), np.array(room.shape.upper)
    skew = np.array([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
    corners = np.array([[x, y] for x in (lower[0], upper[0]) for y in (lower[1], upper[1])]) - lower
    frame = corners @ np.linalg.inv(skew) / room.size
    low, high = np.floor(frame.min(axis=0)).astype(int) - 1, np.ceil(frame.max(axis=0)).astype(int) + 1
    cells = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    cells, side = cells.reshape(-1, 2) + 0.5, 1.0
    kept = []
    while len(cells):
        x = lower + room.size * cells @ skew
        wanted, depth, reach = room.spacing(x), room.depth(x), side * room.size
        cells, x, wanted, depth = (v[depth > -reach] for v in (cells, x, wanted, depth))
        small = reach <= 1.25 * wanted
        kept.append(x[small & (depth > _MARGIN * wanted)])
        side *= 0.5
        cells = np.concatenate([cells[~small] + side * np.array(o) / 2 for o in ((-1, -1), (-1, 1), (1, -1), (1, 1))])
    return np.concatenate(kept)


def _smoothed(room: _Room, inner: FloatArray) -> FloatArray:
    """Inner points moved to the mean of their neighbours unless that is too near the boundary; gaps filled on the way."""
    for number in range(_SMOOTHINGS):
        points = np.concatenate([room.points, inner])
        triangles = _inside(_triangles(points), room.edges, len(points))
        if number in _FILLINGS:
            inner = np.concatenate([inner, _gaps(room, points, triangles)])
            continue
        pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        total, count = np.zeros_like(points), np.zeros(len(points))
        for a, b in (pairs.T, pairs.T[::-1]):
            for axis in (0, 1):
                total[:, axis] += np.bincount(a, points[b, axis], len(points))
            count += np.bincount(a, minlength=len(points))
        moved = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)[len(room.points) :]
        inner = np.where(room.enough(moved)[:, None], moved, inner)
    return inner


def _gaps(room: _Room, points: FloatArray, triangles: IntArray) -> FloatArray:
    """Middles of the longest edges of triangles that are too large for the spacing."""
    ends = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2)  # (m, 3, 2)
    lengths = np.linalg.norm(points[ends[:, :, 0]] - points[ends[:, :, 1]], axis=2)
    longest = ends[np.arange(len(ends)), lengths.argmax(axis=1)]
    middle = points[longest].mean(axis=1)
    large = lengths.max(axis=1) > _LARGE * room.spacing(middle)
    chosen = np.unique(middle[large], axis=0)  # two triangles may share their longest edge
    return chosen[room.enough(chosen)]


def _triangles(points: FloatArray) -> IntArray:
    """Delaunay triangles, counter-clockwise, without flat ones."""
    from scipy.spatial import Delaunay

    triangles = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    p, q = b - a, c - a
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    triangles[area < 0] = triangles[area < 0][:, ::-1]
    longest = np.maximum((p**2).sum(axis=1), (q**2).sum(axis=1))
    return triangles[np.abs(area) > 1e-10 * longest]


def _directed(triangles: IntArray, n: int) -> IntArray:
    """A number for each directed edge of each triangle (3, m)."""
    return np.stack([triangles[:, i] * n + triangles[:, (i + 1) % 3] for i in range(3)])


def _present(triangles: IntArray, edges: IntArray, n: int) -> BoolArray:
    """Which boundary edges have a triangle on their left, (k,)."""
    found: BoolArray = np.isin(edges[:, 0] * n + edges[:, 1], _directed(triangles, n))
    return found


def _inside(triangles: IntArray, edges: IntArray, n: int) -> IntArray:
    """The triangles that can be reached from the left of a boundary edge without crossing one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys = _directed(triangles, n)
    wall = np.concatenate([edges[:, 0] * n + edges[:, 1], edges[:, 1] * n + edges[:, 0]])
    flat = keys.ravel()
    owner = np.tile(np.arange(len(triangles)), 3)
    twins = (flat % n) * n + flat // n
    order = np.argsort(flat)
    place = np.minimum(np.searchsorted(flat, twins, sorter=order), len(flat) - 1)
    joined = (flat[order[place]] == twins) & ~np.isin(flat, wall)
    links = coo_array(
        (np.ones(int(joined.sum())), (owner[joined], owner[order[place[joined]]])), shape=(len(triangles),) * 2
    )
    _, label = connected_components(links, directed=False)
    seeds = owner[np.isin(flat, edges[:, 0] * n + edges[:, 1])]
    return triangles[np.isin(label, label[seeds])]


def _made(shape: Shape, chain: Chain, points: FloatArray, triangles: IntArray, edges: IntArray) -> Mesh:
    """The mesh, without points that no triangle uses, its boundary named."""
    used, numbers = np.unique(triangles, return_inverse=True)
    new = np.full(len(points), -1)
    new[used] = np.arange(len(used))
    names = np.array([piece.part for piece in shape.outline])[chain.owner]
    parts = {part: new[edges[names == part]] for part in shape.parts}
    return Mesh(points[used], numbers.reshape(-1, 3), parts)
