"""Simple shapes: disc, ellipse, ball and polygon, and the box as an operand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..domain import Box
from ..errors import DomainError, DomainTypeError
from .curves import Arc, Segment
from .patch import EndPoint, Patch
from .shape import Piece, Shape
from .surfaces import Parallelogram, Sphere


@final
@dataclass(frozen=True)
class Disk(Shape):
    """|x - centre| < radius in the plane; its boundary is the part "circle".

    Args:
        centre: (x, y).
        radius: positive.
        name: another name for the boundary.

    Raises:
        DomainError: a radius that is not positive, or numbers that are not finite.

    >>> Disk((0, 0), 2).resolve("boundary"), round(Disk().measure(), 4)
    (('circle',), 3.1416)
    """

    centre: tuple[float, float] = (0.0, 0.0)
    radius: float = 1.0
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _coordinates("disk", "centre", self.centre, 2))
        object.__setattr__(self, "radius", _length("disk", "radius", self.radius))

    @property
    def given_name(self) -> str | None:
        """The name of the circle, if given."""
        return self.name

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """One circle."""
        return (Piece(self.name or "circle", Arc.circle(self.centre, self.radius)),)

    def signed_distance(self, x: Tensor) -> Tensor:
        """|x - centre| - radius."""
        return (x - x.new_tensor(self.centre)).norm(dim=1) - self.radius

    def kept(self, part: str | None = None) -> float:
        """1: nothing is rejected."""
        return 1.0

    def _inside(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Squared radius and angle, which preserve area: a Gauss rule in them converges exponentially."""
        return _polar(self.centre, (self.radius, 0.0), (0.0, self.radius), unit)


@final
@dataclass(frozen=True)
class Ellipse(Shape):
    """The ellipse with half axes a and b, turned by an angle counter-clockwise; its boundary is the part "ellipse".

    Args:
        centre: (x, y).
        axes: (a, b), positive.
        angle: of the first axis, in radians.
        name: another name for the boundary.
    """

    centre: tuple[float, float] = (0.0, 0.0)
    axes: tuple[float, float] = (2.0, 1.0)
    angle: float = 0.0
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _coordinates("ellipse", "centre", self.centre, 2))
        object.__setattr__(self, "axes", _coordinates("ellipse", "axes", self.axes, 2))
        object.__setattr__(self, "angle", _coordinates("ellipse", "angle", (self.angle,), 1)[0])
        for value in self.axes:
            _length("ellipse", "axes", value)

    @property
    def given_name(self) -> str | None:
        """The name of the boundary, if given."""
        return self.name

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """One closed arc."""
        return (Piece(self.name or "ellipse", Arc(self.centre, *self._half_axes)),)

    def signed_distance(self, x: Tensor) -> Tensor:
        """(|q| - 1) / |grad |q||, q the coordinates in which the ellipse is the unit circle: exact to first order."""
        to_frame = torch.linalg.inv(x.new_tensor(self._half_axes).T)
        q = (x - x.new_tensor(self.centre)) @ to_frame.T
        size = q.norm(dim=1).clamp_min(1e-12)
        slope = (q @ to_frame).norm(dim=1) / size
        return (size - 1) / slope.clamp_min(1 / max(self.axes))

    def kept(self, part: str | None = None) -> float:
        """1: nothing is rejected."""
        return 1.0

    def _inside(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """The affine image of the disc."""
        return _polar(self.centre, *self._half_axes, unit)

    @property
    def _half_axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        (a, b), c, s = self.axes, math.cos(self.angle), math.sin(self.angle)
        return (a * c, a * s), (-b * s, b * c)


@final
@dataclass(frozen=True)
class Ball(Shape):
    """|x - centre| < radius in space; its boundary is the part "sphere"."""

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 1.0
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _coordinates("ball", "centre", self.centre, 3))
        object.__setattr__(self, "radius", _length("ball", "radius", self.radius))

    @property
    def given_name(self) -> str | None:
        """The name of the sphere, if given."""
        return self.name

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """One sphere."""
        return (Piece(self.name or "sphere", Sphere(self.centre, self.radius)),)

    def signed_distance(self, x: Tensor) -> Tensor:
        """|x - centre| - radius."""
        return (x - x.new_tensor(self.centre)).norm(dim=1) - self.radius

    def kept(self, part: str | None = None) -> float:
        """1: nothing is rejected."""
        return 1.0

    def _inside(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Cubed radius, longitude and height, which preserve volume."""
        r, angle, z = self.radius * unit[:, 0] ** (1 / 3), 2 * math.pi * unit[:, 1], 2 * unit[:, 2] - 1
        across = (1 - z**2).clamp_min(0).sqrt()
        direction = torch.stack([across * torch.cos(angle), across * torch.sin(angle), z], dim=1)
        return unit.new_tensor(self.centre) + r[:, None] * direction, torch.ones(len(unit), dtype=torch.bool)


@final
@dataclass(frozen=True)
class Polygon(Shape):
    """A simple polygon; the edge from vertex i to the next is the part "edge<i>", counted from 1.

    Args:
        vertices: (x, y) in order, either way round; the last is joined to the first.
        edges: names of the parts, one per edge; edges of one name are one part.

    Raises:
        DomainError: fewer than three vertices, repeated ones, or edges that cross, with the vertex numbers.

    >>> Polygon(((0, 0), (1, 0), (0, 1))).measure("edge2") ** 2
    2.0000000000000004
    """

    vertices: tuple[tuple[float, float], ...]
    edges: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.vertices, tuple | list) or len(self.vertices) < 3:
            raise DomainError(f"polygon: got vertices {self.vertices!r}, expected at least three pairs of numbers")
        vertices = tuple(_coordinates("polygon", f"vertex {i}", v, 2) for i, v in enumerate(self.vertices))
        object.__setattr__(self, "vertices", vertices)
        if self.edges is not None:
            object.__setattr__(self, "edges", tuple(self.edges))
            if len(self.edges) != len(vertices) or not all(isinstance(e, str) and e for e in self.edges):
                raise DomainError(
                    f"polygon: got the edge names {self.edges!r}, expected {len(vertices)} non-empty strings, one per edge"
                )
        self._check_simple()

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """The edges, with the inside on their left."""
        ring = [Segment(a, b) for a, b in zip(self.vertices, self._turned(1), strict=True)]
        names = self.edges or tuple(f"edge{i + 1}" for i in range(len(ring)))
        if sum(edge.volume for edge in ring) < 0:
            return tuple(Piece(name, edge.reversed()) for name, edge in zip(names[::-1], ring[::-1], strict=True))
        return tuple(Piece(name, edge) for name, edge in zip(names, ring, strict=True))

    def signed_distance(self, x: Tensor) -> Tensor:
        """Distance to the nearest edge, negative inside (by the number of edges to the right)."""
        a, b = x.new_tensor(self.vertices), x.new_tensor(self._turned(1))
        d, offset = b - a, x[:, None, :] - a
        along = ((offset * d).sum(2) / (d * d).sum(1)).clamp(0, 1)
        distance = (offset - along[..., None] * d).norm(dim=2).amin(dim=1)
        crosses = (a[:, 1] <= x[:, 1:2]) != (b[:, 1] <= x[:, 1:2])
        rise = torch.where(d[:, 1] == 0, torch.ones_like(d[:, 1]), d[:, 1])
        right = x[:, 0:1] < a[:, 0] + offset[..., 1] * d[:, 0] / rise
        inside = (crosses & right).sum(dim=1) % 2 == 1
        return torch.where(inside, -distance, distance)

    def _turned(self, by: int) -> tuple[tuple[float, float], ...]:
        return self.vertices[by:] + self.vertices[:by]

    def _check_simple(self) -> None:
        points, n = np.array(self.vertices), len(self.vertices)
        size = float(np.ptp(points, axis=0).max())
        gaps = np.linalg.norm(points[:, None] - points, axis=2)
        for i, j in np.argwhere(np.triu(gaps <= 1e-12 * size, 1)).tolist():
            raise DomainError(
                f"polygon: vertices {i} and {j} are both {self.vertices[i]}, expected distinct ones; remove one"
            )
        edges = [Segment(a, b) for a, b in zip(self.vertices, self._turned(1), strict=True)]
        ends = np.stack([points, np.roll(points, -1, axis=0)])
        low, high = ends.min(axis=0) - 1e-9 * size, ends.max(axis=0) + 1e-9 * size
        near = ((low[:, None] <= high) & (high[:, None] >= low)).all(axis=2)
        for i, j in np.argwhere(np.triu(near, 1)).tolist():
            # Neighbours share a vertex; they overlap where they fold back on each other.
            shared = {1: self.vertices[j], n - 1: self.vertices[i]}.get(j - i)
            for x in (*_common(edges[i], edges[j]), *_common(edges[j], edges[i])):
                if shared is None or math.dist(x, shared) > 1e-9 * size:
                    raise DomainError(
                        f"polygon: the edges {i}-{(i + 1) % n} and {j}-{(j + 1) % n} (numbers of vertices) meet at "
                        f"({x[0]:.6g}, {x[1]:.6g}), expected edges that do not cross; reorder the vertices"
                    )


@final
@dataclass(frozen=True)
class Boxed(Shape):
    """A box without time as an operand of set operations; faces keep their names."""

    box: Box

    @property
    def names(self) -> tuple[str, ...]:
        """The box's own."""
        return self.box.names

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """The faces."""
        return tuple(Piece(part, _face(self.box, part)) for part in self.box.parts)

    def signed_distance(self, x: Tensor) -> Tensor:
        """Exact distance to a box."""
        lower, upper = x.new_tensor(self.box.lower), x.new_tensor(self.box.upper)
        beyond = torch.maximum(lower - x, x - upper)
        return beyond.clamp_min(0).norm(dim=1) + beyond.amax(dim=1).clamp_max(0)


def _face(box: Box, part: str) -> Patch:
    axis, side = box.face(part)
    (a, b), outward = (box.lower, box.upper), 2.0 * side - 1.0
    if box.dim == 1:
        return EndPoint((a, b)[side][0], outward)
    corner = [(a, b)[side][i] if i == axis else a[i] for i in range(box.dim)]
    spans = [[b[i] - a[i] if i == j else 0.0 for i in range(box.dim)] for j in range(box.dim) if j != axis]
    if box.dim == 2:
        edge = Segment((corner[0], corner[1]), (corner[0] + spans[0][0], corner[1] + spans[0][1]))
        return edge if (outward > 0) == (axis == 0) else edge.reversed()
    face = Parallelogram(*((v[0], v[1], v[2]) for v in (corner, *spans)))
    return face if (outward > 0) == (axis != 1) else face.reversed()


def _polar(
    centre: tuple[float, float], u: tuple[float, float], v: tuple[float, float], unit: Tensor
) -> tuple[Tensor, Tensor]:
    r, angle = unit[:, 0].sqrt(), 2 * math.pi * unit[:, 1]
    q = torch.stack([r * torch.cos(angle), r * torch.sin(angle)], dim=1)
    return unit.new_tensor(centre) + q @ unit.new_tensor([u, v]), torch.ones(len(unit), dtype=torch.bool)


def _common(first: Segment, second: Segment) -> list[tuple[float, float]]:
    """Points that two edges have in common."""
    x = first.meeting(second)
    s = first.parameter(x)
    slack = 1e-9
    return [(float(p[0]), float(p[1])) for p in x[(s > -slack) & (s < 1 + slack)]]


def _coordinates(owner: str, what: str, values: object, count: int) -> tuple[float, ...]:
    if not isinstance(values, tuple | list | np.ndarray) or len(values) != count:
        raise DomainError(f"{owner}: got {what} {values!r}, expected {count} numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise DomainTypeError(f"{owner}: got {what} {values!r}, expected {count} numbers")
        if not math.isfinite(value):
            raise DomainError(f"{owner}: got {what} {values!r}, expected finite numbers")
    return tuple(float(value) for value in values)


def _length(owner: str, what: str, value: object) -> float:
    (number,) = _coordinates(owner, what, (value,), 1)
    if not number > 0:
        raise DomainError(f"{owner}: got {what} {value!r}, expected a positive length")
    return number
