"""The boundary of a plane shape as a closed chain of edges, short enough for what is near it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from ..discrete.mesh import FloatArray, IntArray
from ..errors import NotApplicableError
from ..geometry import Shape
from ..geometry.curves import Arc, Curve
from ..geometry.patch import BoolArray

GRADING = 0.3
"""Growth of the edge length per unit distance."""

_TURN = math.pi / 8  # of an arc per edge
_ROOM = 0.75  # distance of other vertices from an edge's middle, in lengths of the edge
_NEAR = 12  # edges and vertices looked at around each edge
_ROUNDS = 40


@final
@dataclass(frozen=True, eq=False)
class Chain:
    """Edges on the boundary of a shape, with the shape on their left.

    Args:
        curves: the smooth pieces of the boundary.
        owner: number of the curve of each edge (k,).
        start, end: parameters of its ends on the curve (k,).
    """

    curves: tuple[Curve, ...]
    owner: IntArray
    start: FloatArray
    end: FloatArray

    @staticmethod
    def of(shape: Shape, size: float) -> Chain:
        """Edges of about equal length on each piece, at most `size` long, halved until they leave each other room."""
        curves = tuple(piece.patch for piece in shape.outline if isinstance(piece.patch, Curve))
        owner, start, end = [], [], []
        for number, curve in enumerate(curves):
            turns = abs(curve.end - curve.start) / _TURN if isinstance(curve, Arc) else 1.0
            n = max(1, math.ceil(max(curve.measure / size, turns) - 1e-9))
            s = np.linspace(0, 1, n + 1)
            owner.append(np.full(n, number))
            start.append(s[:-1])
            end.append(s[1:])
        chain = Chain(curves, np.concatenate(owner), np.concatenate(start), np.concatenate(end))
        for _ in range(_ROUNDS):
            crowded = chain._crowded(size)
            if not crowded.any():
                return chain
            chain = chain.halved(crowded)
        return chain

    def halved(self, which: BoolArray) -> Chain:
        """Some edges split at their middles."""
        middle = 0.5 * (self.start + self.end)
        return Chain(
            self.curves,
            np.concatenate([self.owner, self.owner[which]]),
            np.concatenate([self.start, middle[which]]),
            np.concatenate([np.where(which, middle, self.end), self.end[which]]),
        )

    def points(self) -> tuple[FloatArray, IntArray]:
        """The vertices (n, 2), each once, and the edges (k, 2) in the direction of the chain."""
        from scipy.spatial import cKDTree

        ends = np.concatenate([self._at(self.start), self._at(self.end)])
        size = float(np.ptp(ends, axis=0).max())
        # The ends of neighbouring pieces are computed from either and differ by round-off.
        pairs = cKDTree(ends).query_pairs(1e-8 * size, output_type="ndarray")
        first = np.arange(len(ends))
        np.minimum.at(first, pairs[:, 1], pairs[:, 0])
        np.minimum.at(first, pairs[:, 0], first[pairs[:, 1]])
        first = first[first]
        kept, number = np.unique(first, return_inverse=True)
        return ends[kept], number.reshape(2, -1).T

    def _at(self, s: FloatArray) -> FloatArray:
        x = np.empty((len(s), 2))
        for number, curve in enumerate(self.curves):
            mine = self.owner == number
            x[mine] = curve.point(s[mine])
        return x

    def _crowded(self, size: float) -> BoolArray:
        """Edges that are too long for an edge or vertex near them."""
        from scipy.spatial import cKDTree

        x, edges = self.points()
        a, b = x[edges[:, 0]], x[edges[:, 1]]
        middle, length = 0.5 * (a + b), np.linalg.norm(b - a, axis=1)
        if length.min() < 1e-5 * size:
            raise NotApplicableError(
                "mesh: the boundary has a corner too sharp, or two parts too near each other, for the mesher; "
                "expected gaps above 1e-5 of the size; ask for smaller cells or move the parts"
            )
        k = min(_NEAR, len(x))
        gap, near = cKDTree(x).query(middle, k=k)
        follows = np.full(len(x), -1)  # vertices at both sides of a corner share it; they are never apart enough
        precedes = follows.copy()
        follows[edges[:, 0]], precedes[edges[:, 1]] = edges[:, 1], edges[:, 0]
        own = (near[..., None] == np.stack([*edges.T, follows[edges[:, 1]], precedes[edges[:, 0]]], 1)[:, None]).any(2)
        left = np.stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]], axis=1)
        ahead = np.einsum("knd,kd->kn", x[near] - middle[:, None], left) > 0  # not across a hole
        tight = ((gap < _ROOM * length[:, None]) & ahead & ~own).any(axis=1)
        gap, near = cKDTree(middle).query(middle, k=min(_NEAR, len(middle)))
        uneven = (length[:, None] > 1.5 * (length[near] + GRADING * gap)).any(axis=1)
        crowded: BoolArray = tight | uneven
        return crowded
