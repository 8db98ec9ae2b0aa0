"""A shape in space times an interval of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..domain import Box, Interval, Points, Region, Where
from ..errors import DomainError, NotApplicableError, ShapeError
from .shape import Shape

_ENDS = ("initial", "final")


@final
@dataclass(frozen=True)
class SpaceTime(Region):
    """space x (start, end): parts of the boundary in space keep their names; "initial" and "final" are the ends of time.

    Args:
        space: a shape, a mesh region or a box without time (boxes also have `with_time`).
        start, end: of time.
        name: of the time coordinate.

    Raises:
        DomainError: reversed, equal or non-finite times, or a name that space uses.
        NotApplicableError: space has a time already.

    >>> from pdekit.geometry import Disk
    >>> SpaceTime(Disk(), 0, 2).measure("initial") * 2 == SpaceTime(Disk(), 0, 2).measure()
    True
    """

    space: Region
    start: float
    end: float
    name: str = "t"

    def __post_init__(self) -> None:
        if self.space.time is not None:
            raise NotApplicableError(f"space-time: {self.space!r} has the time {self.space.time!r}, expected none")
        if self.name in self.space.names:
            raise DomainError(f"space-time: the name {self.name!r} is used in space, expected another")
        time = Interval(self.start, self.end, self.name)
        object.__setattr__(self, "start", time.lower[0])
        object.__setattr__(self, "end", time.upper[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Those of space, then time."""
        return (*self.space.names, self.name)

    @property
    def time(self) -> str | None:
        """The name of the time coordinate."""
        return self.name

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner of the bounding box."""
        return (*self.space.lower, self.start)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner of the bounding box."""
        return (*self.space.upper, self.end)

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of space."""
        return self.space.parts

    def resolve(self, where: Where) -> tuple[str, ...]:
        """Canonical part names of `where`, each once; "initial" and "final" are no part of "boundary"."""
        wanted = (where,) if isinstance(where, str) else where
        found: dict[str, None] = {}
        for name in wanted:
            found |= dict.fromkeys((name,) if name in _ENDS else self.space.resolve(name))
        return tuple(found)

    def measure(self, part: str | None = None) -> float:
        """The measure in space, times the length of time except at its ends."""
        return self.space.measure() if part in _ENDS else self.space.measure(part) * (self.end - self.start)

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Which rows of x lie in the closed region."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ShapeError(
                f"space-time: got points of shape {tuple(x.shape)}, expected (n, {self.dim}), columns {self.names}"
            )
        during = Box((self.start,), (self.end,)).contains(x[:, -1:], tolerance)
        return self.space.contains(x[:, :-1], tolerance) & during

    def parameter_dim(self, part: str | None = None) -> int:
        """One more than in space, but at the ends of time."""
        return self.space.parameter_dim() if part in _ENDS else self.space.parameter_dim(part) + 1

    def kept(self, part: str | None = None) -> float:
        """As in space."""
        return self.space.kept(None if part in _ENDS else part)

    def placed(self, unit: Tensor, weight: Tensor, part: str | None = None) -> Points:
        """Points in space from the first parameters, times from the last."""
        if unit.ndim != 2 or unit.shape[1] != self.parameter_dim(part):
            raise ShapeError(
                f"space-time: got unit points of shape {tuple(unit.shape)}, expected (n, {self.parameter_dim(part)})"
            )
        if part in _ENDS:
            inside = self.space.placed(unit, weight)
            moment = torch.full_like(inside.x[:, :1], self.start if part == _ENDS[0] else self.end)
            at = torch.cat([inside.x, moment], dim=1)
            return Points(at, inside.weight, torch.zeros_like(at))
        times = self.start + (self.end - self.start) * unit[:, -1:]
        if isinstance(self.space, Shape):
            times = times[self.space.located(unit[:, :-1], part)[2]]
        points = self.space.placed(unit[:, :-1], weight, part)
        normal = None if points.normal is None else torch.cat([points.normal, torch.zeros_like(times)], dim=1)
        return Points(torch.cat([points.x, times], dim=1), points.weight * (self.end - self.start), normal)
