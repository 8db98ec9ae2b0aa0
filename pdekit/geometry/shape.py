"""Shapes: regions without time that know their signed distance and the patches of their boundary."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..domain import Points, Region, Where, default_names
from ..errors import ShapeError, unknown_name
from .parts import groups, resolved
from .patch import FloatArray, Patch


@final
@dataclass(frozen=True)
class Piece:
    """A patch of the boundary and the name of the part it belongs to."""

    part: str
    patch: Patch


class Shape(Region):
    """A bounded region in one, two or three space dimensions.

    Its boundary is made of patches, each of which belongs to a part; see `parts.groups` for the names of parts.
    """

    @property
    @abstractmethod
    def outline(self) -> tuple[Piece, ...]:
        """The whole boundary, every piece oriented outward."""

    @abstractmethod
    def signed_distance(self, x: Tensor) -> Tensor:
        """A function (n, d) -> (n,) that is negative inside, positive outside and close to the distance near the boundary."""

    @property
    def given_name(self) -> str | None:
        """The name that the user gave to the whole boundary, if any."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """x, y, z."""
        return default_names(len(self._bounds[0]))

    @property
    def time(self) -> str | None:
        """None."""
        return None

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner of the bounding box."""
        return self._bounds[0]

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner of the bounding box."""
        return self._bounds[1]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that are left of the boundary."""
        return tuple(dict.fromkeys(piece.part for piece in self.outline))

    def resolve(self, where: Where) -> tuple[str, ...]:
        """Canonical part names of `where`, each once; groups and "boundary" expanded."""
        return resolved(where, self._groups)

    def measure(self, part: str | None = None) -> float:
        """Volume by the divergence theorem, length or area of a part patch by patch; exact in one and two dimensions."""
        if part is None:
            return sum(piece.patch.volume for piece in self.outline)
        return sum(patch.measure for patch in self.patches(part))

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Which rows of x lie inside or within the tolerance, relative to the size of the shape."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ShapeError(
                f"{self._kind}: got points of shape {tuple(x.shape)}, expected (n, {self.dim}), columns {self.names}"
            )
        slack = max(self.lengths) * tolerance + 4 * torch.finfo(x.dtype).eps * self._reach
        return self.signed_distance(x.double()) <= slack

    def parameter_dim(self, part: str | None = None) -> int:
        """`dim` for the shape, one less for a part."""
        return self.dim - (part is not None)

    def patches(self, part: str) -> tuple[Patch, ...]:
        """The patches of a part."""
        found = tuple(piece.patch for piece in self.outline if piece.part == part)
        if not found:
            raise unknown_name("boundary part", part, self._groups)
        return found

    def projected(self, x: FloatArray, part: str) -> FloatArray:
        """Points near a part (n, d) moved onto it."""
        found = np.stack([patch.projected(x) for patch in self.patches(part)])
        nearest = np.linalg.norm(found - x, axis=2).argmin(axis=0)
        return found[nearest, np.arange(len(x))]

    def kept(self, part: str | None = None) -> float:
        """Share of the unit cube's points that `placed` returns: in the interior it rejects those of the bounding box."""
        if part is None:
            return self.measure() / float(np.prod(self.lengths))
        patches = self.patches(part)
        return self.measure(part) / sum(patch.measure / patch.kept for patch in patches)

    def placed(self, unit: Tensor, weight: Tensor, part: str | None = None) -> Points:
        """In the interior, the points of the bounding box that lie inside; on a part, uniform in arc length or area."""
        x, normal, kept = self.located(unit, part)
        mine = weight[kept]
        weights = mine * (self.measure(part) / mine.sum().clamp_min(torch.finfo(weight.dtype).tiny))
        return Points(x[kept], weights, None if normal is None else normal[kept])

    def located(self, unit: Tensor, part: str | None = None) -> tuple[Tensor, Tensor | None, Tensor]:
        """What `placed` does with each point of the unit cube.

        Returns:
            Coordinates (n, d), outward normals (n, d) or None in the interior, and which points are kept (n,).
        """
        if unit.ndim != 2 or unit.shape[1] != self.parameter_dim(part):
            raise ShapeError(
                f"{self._kind}: got unit points of shape {tuple(unit.shape)}, expected (n, {self.parameter_dim(part)})"
            )
        if part is not None:
            return self._on(part, unit)
        x, kept = self._inside(unit)
        return x, None, kept

    def _inside(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Points of the bounding box, and which of them lie inside."""
        lower, upper = (torch.tensor(corner, dtype=unit.dtype) for corner in self._bounds)
        x = lower + (upper - lower) * unit
        return x, self.signed_distance(x) <= 0

    def _on(self, part: str, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The first parameter chooses the patch; what is left of it goes on as that patch's own."""
        patches, flat = self.patches(part), unit.numpy()
        ends = np.cumsum([patch.measure / patch.kept for patch in patches])
        ends /= ends[-1]
        first = flat[:, 0] if flat.shape[1] else (np.arange(len(flat)) + 0.5) / len(flat)
        owner = np.minimum(np.searchsorted(ends, first, side="right"), len(patches) - 1)
        x, normal = np.empty((len(flat), self.dim)), np.empty((len(flat), self.dim))
        kept = np.zeros(len(flat), bool)
        for number, patch in enumerate(patches):
            mine = owner == number
            start = ends[number - 1] if number else 0.0
            own = flat[mine].copy()
            own[:, :1] = np.clip((own[:, :1] - start) / (ends[number] - start), 0.0, 1.0)
            x[mine], normal[mine], kept[mine] = patch.at(own)
        return torch.from_numpy(x), torch.from_numpy(normal), torch.from_numpy(kept)

    @cached_property
    def _bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        corners = [piece.patch.bounds for piece in self.outline]
        lower, upper = np.min([a for a, _ in corners], axis=0), np.max([b for _, b in corners], axis=0)
        return tuple(float(a) for a in lower), tuple(float(b) for b in upper)

    @cached_property
    def _reach(self) -> float:
        """Largest coordinate: what floating-point coordinates are rounded relative to."""
        return max(abs(c) for corner in self._bounds for c in corner)

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        return groups(self.parts)

    @property
    def _kind(self) -> str:
        return type(self).__name__.lower()
