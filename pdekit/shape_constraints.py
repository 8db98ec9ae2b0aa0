"""Hard conditions on shapes: a function that vanishes on parts of the boundary, and one that takes given values there."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from .errors import NotApplicableError
from .geometry import Shape
from .geometry.curves import Arc, Segment
from .geometry.patch import EndPoint, Patch
from .geometry.surfaces import Parallelogram, Sphere, Trimmed
from .kernels.channels import Channels, multiplied
from .kernels.elementwise import composed
from .kernels.functions import derivatives
from .kernels.rules import by_autograd, propagate
from .sampling import Sobol, interior_points

_TRIALS = 2048
_TINY = 1e-12
_DIGITS = 13  # to which lines are told apart

Numbers = tuple[float, ...]


class Wall(ABC):
    """A line, plane, circle, ellipse or sphere that bounds a shape, or a piece of one."""

    @abstractmethod
    def level(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, 1): zero on the wall, positive and of size 1 inside the shape."""

    @abstractmethod
    def foot(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d): the points of the wall that belong to x."""


@final
@dataclass(frozen=True)
class Plane(Wall):
    """(x - a) . n / reach = 0: a line in the plane, a point on the line.

    Args:
        a: a point of it.
        normal: unit normal into the shape.
        reach: extent of the shape.
    """

    a: Numbers
    normal: Numbers
    reach: float

    def level(self, x: Tensor) -> Tensor:
        """Distance, in units of the reach."""
        return (x - x.new_tensor(self.a)) @ x.new_tensor(self.normal)[:, None] / self.reach

    def foot(self, x: Tensor) -> Tensor:
        """Foot of the perpendicular."""
        return x - self.reach * self.level(x) * x.new_tensor(self.normal)


@final
@dataclass(frozen=True)
class Quadric(Wall):
    """|q| = 1 with q = M (x - c): a circle, an ellipse or a sphere; the level is 1 - |q|^2, or 1 - 1 / |q|^2 around holes.

    Args:
        centre: c.
        matrix: M, row by row.
        hole: whether the shape is outside.
    """

    centre: Numbers
    matrix: tuple[Numbers, ...]
    hole: bool

    def level(self, x: Tensor) -> Tensor:
        """1 at the centre, or far away from a hole."""
        square = (self._frame(x) ** 2).sum(dim=1, keepdim=True)
        return 1 - 1 / square if self.hole else 1 - square

    def foot(self, x: Tensor) -> Tensor:
        """Along rays from the centre."""
        q = self._frame(x)
        unit = q / q.norm(dim=1, keepdim=True).clamp_min(_TINY)
        return x.new_tensor(self.centre) + unit @ torch.linalg.inv(x.new_tensor(self.matrix)).T

    def _frame(self, x: Tensor) -> Tensor:
        return (x - x.new_tensor(self.centre)) @ x.new_tensor(self.matrix).T


@final
@dataclass(frozen=True)
class Stretch(Wall):
    """A piece of a line, trimmed to the disc around it: zero there only, and smooth but at its ends.

    Args:
        carrier: the line.
        middle, radius: of the disc that has the piece as a diameter.
    """

    carrier: Plane
    middle: Numbers
    radius: float

    def level(self, x: Tensor) -> Tensor:
        """In units of the carrier's reach."""
        square = ((x - x.new_tensor(self.middle)) ** 2).sum(dim=1, keepdim=True)
        return _trimmed(self.carrier.level(x), (self.radius**2 - square) / (2 * self.radius * self.carrier.reach))

    def foot(self, x: Tensor) -> Tensor:
        """On the line, drawn back to the nearer end."""
        middle = x.new_tensor(self.middle)
        ray = self.carrier.foot(x) - middle
        return middle + ray * (self.radius / ray.norm(dim=1, keepdim=True).clamp_min(self.radius))


@final
@dataclass(frozen=True)
class Bow(Wall):
    """A piece of a circle or ellipse, trimmed to the side of its chord.

    Args:
        carrier: the whole curve.
        chord: the line through its ends, its normal towards the piece.
        middle: the angle of its middle, in the frame of the carrier.
        half: half of the angle between its ends.
    """

    carrier: Quadric
    chord: Plane
    middle: float
    half: float

    def level(self, x: Tensor) -> Tensor:
        """In units of the half axes."""
        return _trimmed(self.carrier.level(x), self.chord.level(x))

    def foot(self, x: Tensor) -> Tensor:
        """Along rays from the centre, drawn back to the nearer end."""
        q = (x - x.new_tensor(self.carrier.centre)) @ x.new_tensor(self.carrier.matrix).T
        ahead = q @ q.new_tensor([math.cos(self.middle), math.sin(self.middle)])
        aside = q @ q.new_tensor([-math.sin(self.middle), math.cos(self.middle)])
        angle = self.middle + torch.atan2(aside, ahead).clamp(-self.half, self.half)
        on = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
        return x.new_tensor(self.carrier.centre) + on @ torch.linalg.inv(x.new_tensor(self.carrier.matrix)).T


def _trimmed(f: Tensor, t: Tensor) -> Tensor:
    """sqrt(f^2 + ((sqrt(t^2 + f^4) - t) / 2)^2): zero where f is zero and t is not negative.

    Reference: Rvachev, Sheiko 1995, doi:10.1115/1.3005099; Sukumar, Srivastava 2022, doi:10.1016/j.cma.2021.114333.
    """
    excess = ((t**2 + f**4).clamp_min(_TINY**2).sqrt() - t) / 2
    return (f**2 + excess**2).clamp_min(_TINY**2).sqrt()


def walls_of(shape: Shape, owner: Mapping[str, int]) -> list[tuple[Wall, int]]:
    """The walls of some boundary parts, each with the number of its owner.

    A whole line or circle stands for its pieces if it does not cross the shape and all its pieces have one owner.

    Args:
        shape: whose boundary it is.
        owner: a number for each part that is wanted.

    Raises:
        NotApplicableError: a surface that crosses the shape elsewhere, as in a union of balls.
    """
    reach = max(shape.lengths)
    carriers = [(_carrier(piece.patch, reach), owner.get(piece.part), piece.patch) for piece in shape.outline]
    owners: dict[Wall, set[int | None]] = {}
    for carrier, number, _ in carriers:
        owners.setdefault(carrier, set()).add(number)
    found: dict[Wall, int] = {}
    for carrier, number, patch in carriers:
        if number is None:
            continue
        whole = len(owners[carrier]) == 1 and not _crosses(shape, carrier)
        found[carrier if whole else _piece(carrier, patch)] = number
    return list(found.items())


@final
class ShapeDistance(nn.Module):
    """The product of the levels of walls, zero on each of them, times a scale."""

    def __init__(self, walls: Sequence[Wall], scale: float = 1.0) -> None:
        super().__init__()
        self.walls = tuple(walls)
        self.scale = scale

    @staticmethod
    def over(shape: Shape, walls: Sequence[Wall]) -> ShapeDistance:
        """With the scale that makes its maximum on the shape about 1."""
        points = interior_points(shape, Sobol(_TRIALS), torch.Generator().manual_seed(0))
        return ShapeDistance(walls, 1 / float(ShapeDistance(walls)(points.x).abs().max()))

    def forward(self, x: Tensor) -> Tensor:
        """The distance, (n, 1)."""
        result = self.scale * self.walls[0].level(x)
        for wall in self.walls[1:]:
            result = result * wall.level(x)
        return result


@final
class ShapeLift(nn.Module):
    """Values on walls continued by weights 1 / level^2: sum_i w_i g_i(foot_i(x)) / sum_i w_i.

    Args:
        walls: where the values are prescribed.
        values: g_i (n, d) -> (n, 1), read on the wall only.

    Reference: Rvachev, Sheiko, Shapiro, Tsukanov 2001, doi:10.1016/S0167-8396(01)00015-2 (transfinite interpolation).
    """

    def __init__(self, walls: Sequence[Wall], values: Sequence[Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self._walls, self._values = tuple(walls), tuple(values)

    def forward(self, x: Tensor) -> Tensor:
        """The lift, (n, 1)."""
        levels = torch.cat([wall.level(x) for wall in self._walls], dim=1)
        weights = torch.softmax(-(levels**2).clamp_min(_TINY**2).log(), dim=1)
        values = [g(wall.foot(x)) for wall, g in zip(self._walls, self._values, strict=True)]
        return (weights * torch.cat(values, dim=1)).sum(dim=1, keepdim=True)


@final
@dataclass(frozen=True)
class AroundHole:
    """1 - 1/z."""

    def __call__(self, z: Tensor) -> Tensor:
        """Elementwise."""
        return 1 - 1 / z


@derivatives.register
def _around_hole(function: AroundHole, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    """(-1)^(k+1) k! / z^(k+1)."""
    inverse = 1 / z
    found = [1 - inverse]
    found += [(-1) ** (k + 1) * math.factorial(k) * inverse ** (k + 1) for k in range(1, order + 1)]
    return found


@propagate.register
def _shape_distance(layer: ShapeDistance, channels: Channels) -> Channels:
    result: Channels | None = None
    for wall in layer.walls:
        factor = _level(wall, channels)
        result = factor if result is None else multiplied(result, factor)
    assert result is not None
    return result.mapped(lambda z: layer.scale * z)


def _level(wall: Wall, channels: Channels) -> Channels:
    """The channels of a wall's level."""
    match wall:
        case Plane():
            like = channels.stacked()
            normal = like.new_tensor(wall.normal)[:, None] / wall.reach
            return channels.mapped(lambda z: z @ normal, -(like.new_tensor(wall.a) @ normal))
        case Quadric():
            like = channels.stacked()
            matrix = like.new_tensor(wall.matrix).T
            q = channels.mapped(lambda z: z @ matrix, -(like.new_tensor(wall.centre) @ matrix))
            square = multiplied(q, q).mapped(lambda z: z.sum(dim=-1, keepdim=True))
            if wall.hole:
                return composed(AroundHole(), square)
            return square.mapped(lambda z: -z, like.new_ones(1))
    return by_autograd(_Level(wall), channels)


@final
class _Level(nn.Module):
    """The level of a wall as a module."""

    def __init__(self, wall: Wall) -> None:
        super().__init__()
        self._wall = wall

    def forward(self, x: Tensor) -> Tensor:
        return self._wall.level(x)


def _carrier(patch: Patch, reach: float) -> Wall:
    """The line, plane or quadric that a patch lies on; equal for all patches of one."""
    match patch:
        case Arc():
            matrix = np.linalg.inv(np.array([patch.u, patch.v]).T)
            return Quadric(patch.centre, tuple(tuple(row) for row in matrix.tolist()), patch.end < patch.start)
        case Sphere():
            scale = 1 / patch.radius
            rows = tuple(tuple(scale * (i == j) for j in range(3)) for i in range(3))
            return Quadric(patch.centre, rows, patch.outward < 0)
        case Segment() | EndPoint() | Parallelogram():
            dim = len(patch.bounds[0])
            x, outward, _ = patch.at(np.full((1, dim - 1), 0.5))
            normal = np.round(-outward[0], _DIGITS)
            offset = reach * np.round(x[0] @ normal / reach, _DIGITS)
            return Plane(tuple((offset * normal).tolist()), tuple(normal.tolist()), reach)
        case Trimmed():
            return _carrier(patch.whole, reach)
    raise NotApplicableError(f"hard conditions: got a boundary of {type(patch).__name__}s; use soft ones")


def _piece(carrier: Wall, patch: Patch) -> Wall:
    """A wall that vanishes on one patch only."""
    match carrier, patch:
        case Plane(), Segment():
            middle = 0.5 * (np.array(patch.a) + patch.b)
            return Stretch(carrier, tuple(middle.tolist()), 0.5 * patch.measure)
        case Quadric(), Arc():
            a, b = patch.point(np.array([0.0, 1.0]))
            angle = 0.5 * (patch.start + patch.end)
            top = np.array(patch.centre) + math.cos(angle) * np.array(patch.u) + math.sin(angle) * np.array(patch.v)
            across = np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
            normal = across * math.copysign(1.0, (top - a) @ across)
            chord = Plane(tuple(a.tolist()), tuple(normal.tolist()), patch.size)
            return Bow(carrier, chord, angle, 0.5 * abs(patch.end - patch.start))
    raise NotApplicableError(
        f"hard conditions: a {type(carrier).__name__.lower()} that bounds the shape crosses it elsewhere, or has two "
        "conditions, expected whole faces and spheres in space; use soft conditions"
    )


def _crosses(shape: Shape, wall: Wall) -> bool:
    """Whether some points of a wall have the shape on both sides."""
    generator = torch.Generator().manual_seed(0)
    random = torch.rand(_TRIALS, shape.dim, dtype=torch.float64, generator=generator)
    lower, upper = (torch.tensor(corner, dtype=torch.float64) for corner in (shape.lower, shape.upper))
    feet = wall.foot(lower + (upper - lower) * random)
    step = 1e-6 * max(shape.lengths)
    aside = step * torch.nn.functional.normalize(random.flip(0) - 0.5)
    both = torch.maximum(shape.signed_distance(feet + aside), shape.signed_distance(feet - aside))
    return bool((both < -0.1 * step).any())
