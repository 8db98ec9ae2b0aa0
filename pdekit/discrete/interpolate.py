"""Functions of grid values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ExtrapolationError, NonFiniteError, ShapeError
from .grid import Grid

if TYPE_CHECKING:
    from scipy.interpolate import NdBSpline

FloatArray = NDArray[np.float64]


class Interpolation(IntEnum):
    """Degree of the tensor-product spline."""

    LINEAR = 1
    CUBIC = 3


@final
@dataclass(frozen=True, eq=False)
class GridFunction:
    """The tensor-product spline through grid values.

    Args:
        grid: the grid.
        values: grid-shaped, finite.
        degree: LINEAR (error h^2, keeps bounds) or CUBIC (error h^4, not-a-knot ends; at least 4 points per axis).

    Raises:
        ShapeError: values are not grid-shaped.
        NonFiniteError: some value is NaN or infinite.
        ConfigError: fewer than 4 points on an axis of a cubic.

    Reference:
        de Boor, A Practical Guide to Splines (2001), chapters 4 and 17.
    """

    grid: Grid
    values: FloatArray
    degree: Interpolation = Interpolation.CUBIC

    def __post_init__(self) -> None:
        """Check shape and values."""
        if np.shape(self.values) != self.grid.shape:
            raise ShapeError(
                f"GridFunction: got values of shape {np.shape(self.values)}, expected the grid's {self.grid.shape}; reshape them"
            )
        if not np.isfinite(self.values).all():
            raise NonFiniteError(
                "GridFunction: some values are NaN or infinite, expected finite ones; check their origin"
            )
        if min(self.grid.shape) <= self.degree:
            raise ConfigError(
                f"GridFunction: a grid of shape {self.grid.shape}, expected more than {int(self.degree)} points per axis; use LINEAR"
            )

    def __call__(self, points: FloatArray) -> FloatArray:
        """Values at points.

        Args:
            points: (n, d), inside the box.

        Returns:
            (n,).

        Raises:
            ShapeError: points of another shape.
            NonFiniteError: NaN or infinity among them.
            ExtrapolationError: points outside the box.
        """
        return self._evaluate(points, (0,) * self.grid.dim)

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient at points, (n, d); piecewise constant along each axis where the degree is LINEAR."""
        d = self.grid.dim
        return np.stack([self._evaluate(points, tuple(int(a == b) for b in range(d))) for a in range(d)], axis=1)

    @cached_property
    def _spline(self) -> NdBSpline:
        from scipy.interpolate import NdBSpline, make_interp_spline

        coefficients = np.asarray(self.values, dtype=np.float64)
        knots = []
        for axis, x in enumerate(self.grid.axes):
            if self.degree == Interpolation.LINEAR:
                knots.append(np.concatenate([x[:1], x, x[-1:]]))
                continue  # its coefficients are the values
            line = make_interp_spline(x, np.moveaxis(coefficients, axis, 0), k=int(self.degree))
            coefficients = np.moveaxis(line.c, 0, axis)
            knots.append(line.t)
        return NdBSpline(tuple(knots), np.ascontiguousarray(coefficients), int(self.degree))

    def _evaluate(self, points: FloatArray, derivative: tuple[int, ...]) -> FloatArray:
        x = np.asarray(points, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.grid.dim:
            raise ShapeError(
                f"GridFunction: got points of shape {x.shape}, expected (n, {self.grid.dim}); one row per point"
            )
        if not np.isfinite(x).all():
            row = int((~np.isfinite(x)).any(axis=1).argmax())
            raise NonFiniteError(
                f"GridFunction: point {row} is {x[row].tolist()}, expected finite coordinates; check its origin"
            )
        lower, upper = np.array(self.grid.lower), np.array(self.grid.upper)
        slack = 1e-6 * np.array(self.grid.spacing)  # single-precision points of the boundary count as inside
        outside = ((x < lower - slack) | (x > upper + slack)).any(axis=1)
        if outside.any():
            raise ExtrapolationError(
                f"GridFunction: {outside.sum()} of {len(x)} points are outside [{self.grid.lower}, {self.grid.upper}], first "
                f"{x[outside.argmax()].tolist()}, expected all inside; clip them"
            )
        if len(x) == 0:
            return np.zeros(0)
        return np.asarray(self._spline(np.clip(x, lower, upper), nu=derivative))
