"""Surfaces in space: rectangles and spheres, whole or trimmed by rejection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import final

import numpy as np

from .patch import BoolArray, FloatArray, Keep, Patch

Triple = tuple[float, float, float]

_TRIM_POINTS = 2**16


@final
@dataclass(frozen=True)
class Parallelogram(Patch):
    """The points a + s u + t v; the outward normal is along u x v."""

    a: Triple
    u: Triple
    v: Triple

    @property
    def measure(self) -> float:
        """Area."""
        return float(np.linalg.norm(np.cross(self.u, self.v)))

    @property
    def volume(self) -> float:
        """A third of the determinant of a, u and v: x . n is constant."""
        return float(np.dot(self.a, np.cross(self.u, self.v))) / 3

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Box around its corners."""
        corners, _, _ = self.at(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float))
        return corners.min(axis=0), corners.max(axis=0)

    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Affine image of the unit square."""
        normal = np.cross(self.u, self.v) / self.measure
        x = np.array(self.a) + unit @ np.array([self.u, self.v])
        return x, np.tile(normal, (len(unit), 1)), np.ones(len(unit), bool)

    def projected(self, x: FloatArray) -> FloatArray:
        """Nearest points."""
        frame = np.array([self.u, self.v])
        unit = np.linalg.lstsq(frame.T, (x - np.array(self.a)).T, rcond=None)[0].T
        return self.at(np.clip(unit, 0.0, 1.0))[0]

    def reversed(self) -> Parallelogram:
        """With u and v exchanged."""
        return Parallelogram(self.a, self.v, self.u)

    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """Whole, trimmed or gone."""
        return trimmed(self, keep)


@final
@dataclass(frozen=True)
class Sphere(Patch):
    """A whole sphere.

    Args:
        centre, radius: of the sphere.
        outward: 1 if the ball is inside, -1 if it is outside.
    """

    centre: Triple
    radius: float
    outward: float = 1.0

    @property
    def measure(self) -> float:
        """4 pi r^2."""
        return 4 * math.pi * self.radius**2

    @property
    def volume(self) -> float:
        """Plus or minus 4/3 pi r^3."""
        return self.outward * self.measure * self.radius / 3

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Box around the ball."""
        return np.array(self.centre) - self.radius, np.array(self.centre) + self.radius

    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Longitude and height, which preserve area (Archimedes)."""
        angle, z = 2 * math.pi * unit[:, 0], 2 * unit[:, 1] - 1
        r = np.sqrt(np.maximum(1 - z**2, 0))
        n = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
        return np.array(self.centre) + self.radius * n, self.outward * n, np.ones(len(unit), bool)

    def projected(self, x: FloatArray) -> FloatArray:
        """Along rays from the centre."""
        ray = x - np.array(self.centre)
        found: FloatArray = np.array(self.centre) + self.radius * ray / np.linalg.norm(ray, axis=1, keepdims=True)
        return found

    def reversed(self) -> Sphere:
        """Inside out."""
        return replace(self, outward=-self.outward)

    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """Whole, trimmed or gone."""
        return trimmed(self, keep)


@final
@dataclass(frozen=True)
class Trimmed(Patch):
    """What is left of a surface, by rejection; area and volume by 65,536 quasi-random points, to about 1e-4."""

    whole: Patch
    keep: Keep = field(repr=False)

    @cached_property
    def _sample(self) -> tuple[FloatArray, FloatArray, BoolArray]:
        x, normal, kept = self.whole.at(_spread(_TRIM_POINTS))
        return x, normal, kept & self.keep(x, normal)

    @property
    def kept(self) -> float:
        """Share of the surface that is left."""
        return self.whole.kept * float(self._sample[2].mean())

    @property
    def measure(self) -> float:
        """Area that is left."""
        return self.whole.measure / self.whole.kept * self.kept

    @property
    def volume(self) -> float:
        """Mean of x . n / 3 over what is left, times its area."""
        x, normal, kept = self._sample
        return self.measure * float((x[kept] * normal[kept]).sum(axis=1).mean()) / 3

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Those of the whole surface."""
        return self.whole.bounds

    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """The whole surface's points, some rejected."""
        x, normal, kept = self.whole.at(unit)
        return x, normal, kept & self.keep(x, normal)

    def projected(self, x: FloatArray) -> FloatArray:
        """On the whole surface: points near what is left stay near it."""
        return self.whole.projected(x)

    def reversed(self) -> Trimmed:
        """The same points with opposite normals."""
        return Trimmed(self.whole.reversed(), lambda x, normal: self.keep(x, -normal))

    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """Trimmed again."""
        return trimmed(self, keep)


def trimmed(patch: Patch, keep: Keep) -> tuple[Patch, ...]:
    """The patch itself if all of it is kept, nothing if none of it is, else what is left of it."""
    x, normal, there = patch.at(_spread(4096))
    kept = keep(x[there], normal[there])
    if kept.all():
        return (patch,)
    return (Trimmed(patch, keep),) if kept.any() else ()


def _spread(n: int) -> FloatArray:
    """n points of the unit square, evenly spread (Roberts' additive recurrence)."""
    golden = 1.32471795724474602596
    points: FloatArray = np.mod(0.5 + np.arange(n)[:, None] * np.array([1 / golden, 1 / golden**2]), 1.0)
    return points
