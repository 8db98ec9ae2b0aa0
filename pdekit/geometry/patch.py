"""Patches: the pieces of a boundary, each with a map from the unit cube that preserves relative measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Keep = Callable[[FloatArray, FloatArray], BoolArray]
"""Which points (n, d) with outward normals (n, d) lie on the boundary of a shape that is being cut out, (n,)."""


class Patch(ABC):
    """An oriented piece of the boundary of a shape in d dimensions."""

    @property
    @abstractmethod
    def measure(self) -> float:
        """Length or area; 1 for a point."""

    @property
    @abstractmethod
    def volume(self) -> float:
        """The integral of x . n / d: what the patch contributes to the volume of the shape it bounds."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Corners of a box around it, (d,) each."""

    @property
    def kept(self) -> float:
        """Share of the unit cube's points that `at` returns: 1 unless it rejects."""
        return 1.0

    @abstractmethod
    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Points and outward unit normals (n, d) at parameters (n, d - 1), and which of the parameters they belong to."""

    @abstractmethod
    def projected(self, x: FloatArray) -> FloatArray:
        """Points of the patch (n, d) at or next to points (n, d) near it."""

    @abstractmethod
    def reversed(self) -> Patch:
        """The same piece, with the other side outside."""

    @abstractmethod
    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """What is left of it where `keep` holds.

        Args:
            others: patches whose intersections with this one are where `keep` may change.
            keep: whether points of this patch stay.
        """


@final
@dataclass(frozen=True)
class EndPoint(Patch):
    """An end of an interval.

    Args:
        x: where.
        normal: 1 for an upper end, -1 for a lower one.
    """

    x: float
    normal: float

    @property
    def measure(self) -> float:
        """1."""
        return 1.0

    @property
    def volume(self) -> float:
        """Signed coordinate."""
        return self.x * self.normal

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The point, twice."""
        return np.array([self.x]), np.array([self.x])

    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """The point, as often as asked."""
        n = len(unit)
        return np.full((n, 1), self.x), np.full((n, 1), self.normal), np.ones(n, bool)

    def projected(self, x: FloatArray) -> FloatArray:
        """The point."""
        return np.full_like(x, self.x)

    def reversed(self) -> EndPoint:
        """The end of the interval on the other side."""
        return EndPoint(self.x, -self.normal)

    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """The point or nothing."""
        x, normal, _ = self.at(np.zeros((1, 0)))
        return (self,) if keep(x, normal)[0] else ()
