"""Uniform tensor-product grids."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..checks import memory
from ..errors import ConfigError, DomainError, DomainTypeError

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Grid:
    """A uniform grid on a box; every axis includes both of its end points.

    Args:
        lower: lower bound of each axis.
        upper: upper bound of each axis.
        shape: points per axis, at least 3 each.

    Raises:
        DomainError: bounds reversed, not finite, or of another number than the axes.
        ConfigError: fewer than 3 points on an axis.

    >>> grid = Grid((-1.0,), (1.0,), (5,))
    >>> grid.spacing, grid.refined().shape
    ((0.5,), (9,))
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the bounds and the numbers of points."""
        if not len(self.lower) == len(self.upper) == len(self.shape) >= 1:
            raise DomainError(
                f"Grid: got {len(self.lower)} lower bounds, {len(self.upper)} upper bounds and {len(self.shape)} numbers "
                "of points, expected one of each per axis; give them tuples of equal length"
            )
        for axis, (low, high, count) in enumerate(zip(self.lower, self.upper, self.shape, strict=True)):
            for name, bound in (("lower", low), ("upper", high)):
                if not isinstance(bound, Real) or isinstance(bound, bool):
                    raise DomainTypeError(f"Grid: {name}[{axis}] is {bound!r}, expected a real number; pass a float")
                if not math.isfinite(bound):
                    raise DomainError(
                        f"Grid: {name}[{axis}] is {bound!r}, expected a finite number; pass a finite bound"
                    )
            if not low < high:
                raise DomainError(
                    f"Grid: axis {axis} runs from {low} to {high}, expected lower < upper; swap the bounds"
                )
            if not isinstance(count, Integral) or isinstance(count, bool) or count < 3:
                raise ConfigError(f"Grid: shape[{axis}] is {count!r}, expected an integer of at least 3; add points")
        object.__setattr__(self, "lower", tuple(float(low) for low in self.lower))
        object.__setattr__(self, "upper", tuple(float(high) for high in self.upper))
        object.__setattr__(self, "shape", tuple(int(count) for count in self.shape))

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Step h of each axis."""
        return tuple((b - a) / (n - 1) for a, b, n in zip(self.lower, self.upper, self.shape, strict=True))

    @property
    def axes(self) -> tuple[FloatArray, ...]:
        """Coordinates along each axis, (shape[a],) each."""
        return tuple(np.linspace(a, b, n) for a, b, n in zip(self.lower, self.upper, self.shape, strict=True))

    @property
    def interior(self) -> tuple[slice, ...]:
        """Index of the points off the boundary."""
        return (slice(1, -1),) * self.dim

    def points(self) -> FloatArray:
        """Coordinates of all points in C order, (size, dim)."""
        return self._tensor(self.axes)

    def midpoints(self, axis: int) -> FloatArray:
        """Coordinates half a step along `axis`, in C order; that axis has one point fewer than the grid."""
        axes = list(self.axes)
        axes[axis] = 0.5 * (axes[axis][1:] + axes[axis][:-1])
        return self._tensor(tuple(axes))

    def face(self, axis: int, side: int) -> tuple[slice | int, ...]:
        """Index of the points on one face; side 0 is the lower one, side 1 the upper one."""
        return tuple((0 if side == 0 else -1) if a == axis else slice(None) for a in range(self.dim))

    def cells(self) -> FloatArray:
        """Share of a full cell that belongs to each point, grid-shaped: 1 inside, 1/2 on a face, 1/4 on an edge."""
        share = np.ones(self.shape)
        for axis in range(self.dim):
            for side in (0, 1):
                share[self.face(axis, side)] *= 0.5
        return share

    def weights(self) -> FloatArray:
        """Trapezoidal weights, grid-shaped; they sum to the measure of the box."""
        return self.cells() * math.prod(self.spacing)

    def refined(self) -> Grid:
        """Return the grid with half the spacing; it contains every point of this one."""
        return Grid(self.lower, self.upper, tuple(2 * n - 1 for n in self.shape))

    def coarsened(self) -> Grid:
        """Return the grid with twice the spacing.

        Raises:
            ConfigError: an axis has an even number of points or fewer than 5.
        """
        for axis, count in enumerate(self.shape):
            if count % 2 == 0 or count < 5:
                raise ConfigError(
                    f"Grid: axis {axis} has {count} points, expected an odd number of at least 5 to coarsen; "
                    f"use {max(5, count + 1 - count % 2)} points"
                )
        return Grid(self.lower, self.upper, tuple((n + 1) // 2 for n in self.shape))

    def check_memory(self, what: str, numbers_per_point: int) -> None:
        """Raise MemoryBudgetError if so many float64 numbers per point exceed half the memory of this machine."""
        memory(what, f"a grid of shape {self.shape}", 8 * numbers_per_point * self.size, "use fewer points")

    def _tensor(self, axes: tuple[FloatArray, ...]) -> FloatArray:
        self.check_memory("Grid", self.dim)
        points = np.empty((*(len(axis) for axis in axes), self.dim))
        for a, values in enumerate(axes):
            points[..., a] = values.reshape([-1 if b == a else 1 for b in range(self.dim)])
        return points.reshape(-1, self.dim)
