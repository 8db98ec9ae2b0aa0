"""Constructive geometry: difference, union and intersection of shapes and boxes, in one to three dimensions."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..domain import Box, Region
from ..errors import DomainError, DomainTypeError, EmptyDomainError, NotApplicableError
from .leaves import Boxed
from .patch import BoolArray, FloatArray, Patch
from .shape import Piece, Shape

Distance = Callable[[Tensor], Tensor]

_STEP = 1e-7
"""Distance, relative to the shape's size, at which both sides of a boundary are looked at."""

_TRIALS = 4096


@final
@dataclass(frozen=True)
class Difference(Shape):
    """The base without the holes, which may overlap each other and the boundary of the base.

    Parts of the base keep their names. What is left of the boundary of the i-th hole is the part "hole<i>", or the
    name it was given, or "hole<i>.<part>" if it has several; "holes" stands for all that are called hole<i>.

    Args:
        base: a shape or a box without time.
        holes: at least one.

    Raises:
        EmptyDomainError: the holes swallow the base.
        NotApplicableError: operands with time or in more than three dimensions.
        DomainError: operands of different dimension, or no hole.

    >>> from pdekit.domain import Rectangle
    >>> from pdekit.geometry import Disk
    >>> plate = Difference(Rectangle(), (Disk((0.5, 0.5), 0.1), Disk((1, 0), 0.2, name="corner")))
    >>> plate.parts
    ('left', 'right', 'bottom', 'top', 'hole1', 'corner')
    """

    base: Region
    holes: tuple[Region, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "holes", _operands("difference", "holes", self.holes, 1))
        _check(self, (self.base, *self.holes))

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the base."""
        return self.base.names

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """What is left of the base's boundary, then of the holes'."""
        pieces = [list(self._shapes[0].outline)]
        for number, hole in enumerate(self._shapes[1:], start=1):
            alone = len(hole.parts) == 1
            pieces.append(
                [
                    Piece((hole.given_name or f"hole{number}") + ("" if alone else f".{p.part}"), p.patch.reversed())
                    for p in hole.outline
                ]
            )
        return _left_of(pieces, self.signed_distance, self.base)

    def signed_distance(self, x: Tensor) -> Tensor:
        """max(d_base, -d_hole): exact in sign and near the boundary."""
        base, *holes = (shape.signed_distance(x) for shape in self._shapes)
        return torch.stack([base, *(-hole for hole in holes)]).amax(dim=0)

    @cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        return tuple(as_shape(region) for region in (self.base, *self.holes))


@final
@dataclass(frozen=True)
class Union(Shape):
    """The points of any of the shapes.

    Parts keep their names; where two shapes have a part of one name, "left" say, they become "left.1", "left.2", ...
    with the numbers of the shapes, and "left" stands for all of them.
    """

    shapes: tuple[Region, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", _operands("union", "shapes", self.shapes, 2))
        _check(self, self.shapes)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the first shape."""
        return self.shapes[0].names

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """What is left of each boundary."""
        return _left_of(_numbered(self._shapes), self.signed_distance, *self.shapes)

    def signed_distance(self, x: Tensor) -> Tensor:
        """The least of the distances: exact in sign and near the boundary."""
        return torch.stack([shape.signed_distance(x) for shape in self._shapes]).amin(dim=0)

    @cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        return tuple(as_shape(region) for region in self.shapes)


@final
@dataclass(frozen=True)
class Intersection(Shape):
    """The points of all of the shapes; parts are named as in a union.

    Raises:
        EmptyDomainError: the shapes have no interior point in common.
    """

    shapes: tuple[Region, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", _operands("intersection", "shapes", self.shapes, 2))
        _check(self, self.shapes)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the first shape."""
        return self.shapes[0].names

    @cached_property
    def outline(self) -> tuple[Piece, ...]:
        """What is left of each boundary."""
        return _left_of(_numbered(self._shapes), self.signed_distance, *self.shapes)

    def signed_distance(self, x: Tensor) -> Tensor:
        """The largest of the distances: exact in sign and near the boundary."""
        return torch.stack([shape.signed_distance(x) for shape in self._shapes]).amax(dim=0)

    @cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        return tuple(as_shape(region) for region in self.shapes)


def as_shape(region: Region) -> Shape:
    """A region as an operand: shapes themselves, boxes without time in up to three dimensions.

    Raises:
        NotApplicableError: any other region.
    """
    match region:
        case Shape():
            return region
        case Box() if region.time is None and region.dim <= 3:
            return Boxed(region)
    what = f"{type(region).__name__} with coordinates {region.names}" if isinstance(region, Region) else repr(region)
    raise NotApplicableError(
        f"geometry: got {what}, expected a shape or a box without time in at most three dimensions; "
        "build the shape in space and add time with SpaceTime"
    )


def _operands(owner: str, what: str, regions: object, least: int) -> tuple[Region, ...]:
    if not isinstance(regions, tuple | list):
        raise DomainTypeError(f"{owner}: got {what} {regions!r}, expected a tuple of shapes; write (shape,) for one")
    if len(regions) < least:
        raise DomainError(f"{owner}: got {len(regions)} {what}, expected at least {least}")
    return tuple(regions)


def _check(shape: Shape, operands: Sequence[Region]) -> None:
    """Refuse operands of different dimensions, and what has no interior."""
    name, dims = type(shape).__name__.lower(), [as_shape(region).dim for region in operands]
    if len(set(dims)) > 1:
        raise DomainError(f"{name}: got shapes of dimensions {dims}, expected all of the same dimension")
    if shape.outline and shape.measure() > 0:
        return
    lower, upper = (torch.tensor(corner, dtype=torch.float64) for corner in (operands[0].lower, operands[0].upper))
    trials = torch.rand(_TRIALS, dims[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    accepted = int((shape.signed_distance(lower + (upper - lower) * trials) < 0).sum())
    raise EmptyDomainError(
        f"{shape!r}: {accepted} of {_TRIALS} points accepted in the bounding box of {operands[0]!r}, expected a region "
        "with an interior; a hole may swallow the domain, or the shapes may not meet: check centres and radii"
    )


def _numbered(shapes: Sequence[Shape]) -> list[list[Piece]]:
    """Pieces of each shape, with the shape's number where several have a part of that name."""
    count = collections.Counter(part for shape in shapes for part in shape.parts)
    return [
        [Piece(f"{p.part}.{number}" if count[p.part] > 1 else p.part, p.patch) for p in shape.outline]
        for number, shape in enumerate(shapes, start=1)
    ]


def _left_of(pieces: Sequence[Sequence[Piece]], distance: Distance, *regions: Region) -> tuple[Piece, ...]:
    """The pieces of operands' boundaries, cut at each other, that have the inside on one side and the outside on the other."""
    step = _STEP * max(length for region in regions for length in region.lengths)

    def keep(x: FloatArray, normal: FloatArray) -> BoolArray:
        sides = torch.from_numpy(np.concatenate([x - step * normal, x + step * normal]))
        inner, outer = distance(sides).numpy().reshape(2, -1)
        kept: BoolArray = (inner < 0) & (outer >= 0)
        return kept

    everything = [piece.patch for group in pieces for piece in group]
    owner = np.repeat(np.arange(len(pieces)), [len(group) for group in pieces])
    corners = np.array([patch.bounds for patch in everything])  # (k, 2, d)
    left: list[Piece] = []
    middles = _Seen(step)
    for mine, group in enumerate(pieces):
        for piece in group:
            lower, upper = piece.patch.bounds
            near = (corners[:, 0] <= upper + step).all(axis=1) & (corners[:, 1] >= lower - step).all(axis=1)
            others = [everything[i] for i in np.flatnonzero(near & (owner != mine))]
            # Where boundaries coincide, the first operand's is taken.
            left += [
                Piece(piece.part, patch) for patch in piece.patch.trimmed(others, keep) if middles.add(patch, mine)
            ]
    return tuple(left)


@final
class _Seen:
    """Middles of patches, to tell those that coincide."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._middles: list[FloatArray] = []
        self._owners: list[int] = []

    def add(self, patch: Patch, owner: int) -> bool:
        """Remember a patch of an operand unless another operand's is at the same place; whether it was remembered."""
        dim = len(patch.bounds[0]) - 1
        middle = patch.at(np.full((1, dim), 0.5 if dim < 2 else 0.41))[0][0]  # edges of a cube share their middles
        if self._middles:
            same = np.abs(np.array(self._middles) - middle).max(axis=1) <= self._step
            if (same & (np.array(self._owners) != owner)).any():
                return False
        self._middles.append(middle)
        self._owners.append(owner)
        return True
