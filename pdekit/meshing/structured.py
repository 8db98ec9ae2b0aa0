"""Structured meshes: intervals, boxes cut into simplices, and the cube blown up into a ball."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ..discrete.mesh import FloatArray, IntArray, Mesh
from ..domain import Box
from ..geometry import Ball, Shape


def box_mesh(box: Box, size: float) -> Mesh:
    """Each cell of a grid cut into d! simplices along its diagonal (Kuhn), mirrored from cell to cell."""
    shape = [max(1, math.ceil(length / size - 1e-9)) for length in box.lengths]
    points, cells = _grid(shape)
    points = np.array(box.lower) + points * np.array(box.lengths)
    return Mesh.of(points, cells, _faces(box, points, cells))


def line_mesh(shape: Shape, size: float) -> Mesh:
    """Each interval of a shape on the line in equal cells."""
    ends = sorted((piece.patch.bounds[0][0], piece.part) for piece in shape.outline)
    points: list[FloatArray] = []
    cells: list[IntArray] = []
    parts: dict[str, list[list[int]]] = {}
    count = 0
    for (a, first), (b, last) in zip(ends[::2], ends[1::2], strict=True):
        n = max(1, math.ceil((b - a) / size - 1e-9))
        points.append(np.linspace(a, b, n + 1))
        cells.append(count + np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))
        parts.setdefault(first, []).append([count])
        parts.setdefault(last, []).append([count + n])
        count += n + 1
    named = {name: np.array(facets) for name, facets in parts.items()}
    return Mesh(np.concatenate(points)[:, None], np.concatenate(cells), named)


def ball_mesh(ball: Ball, size: float) -> Mesh:
    """The cube [-1, 1]^3 with rays stretched so that it becomes the ball."""
    n = max(1, math.ceil(2 * ball.radius / size - 1e-9))
    points, cells = _grid([n + n % 2] * 3)
    points = 2 * points - 1
    length = np.linalg.norm(points, axis=1, keepdims=True)
    scale = np.abs(points).max(axis=1, keepdims=True) / np.where(length > 0, length, 1.0)
    (part,) = ball.parts
    made = Mesh.of(np.array(ball.centre) + ball.radius * scale * points, cells)
    return Mesh(made.points, made.cells, {part: made.facets})


def _grid(shape: Sequence[int]) -> tuple[FloatArray, IntArray]:
    """Points of a grid on the unit cube and its cells, each cut into simplices along a diagonal.

    The diagonals of neighbouring cells mirror each other, so that they meet at every second point and faces match.
    """
    dim = len(shape)
    axes = [np.linspace(0, 1, n + 1) for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
    stride = np.array([math.prod(n + 1 for n in shape[axis + 1 :]) for axis in range(dim)])
    corner = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, dim)
    odd = corner % 2
    start, step = (corner + odd) @ stride, (1 - 2 * odd) * stride  # from the even corner of each cell to the odd one
    cells = []
    for order in itertools.permutations(range(dim)):
        path = np.cumsum(np.stack([start, *(step[:, axis] for axis in order)], axis=1), axis=1)
        cells.append(path)
    return points, np.concatenate(cells)


def _faces(box: Box, points: FloatArray, cells: IntArray) -> dict[str, IntArray]:
    """Facets of each face of the box."""
    dim, parts = box.dim, {}
    facets = np.concatenate([np.delete(cells, i, axis=1) for i in range(dim + 1)])
    for part in box.parts:
        axis, side = box.face(part)
        on = points[:, axis] == (points[:, axis].max() if side else points[:, axis].min())
        parts[part] = facets[on[facets].all(axis=1)]
    return parts
