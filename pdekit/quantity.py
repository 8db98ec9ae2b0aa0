"""Functions as arrays hold them: the grids they are sampled on, their names and units."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from .checks import integer
from .errors import ConfigError, DomainError, DtypeError, NonFiniteError, ShapeError

FloatArray = NDArray[np.float64]
_FEWEST = 3


@final
@dataclass(frozen=True)
class Axis:
    """Equally spaced points of one coordinate.

    Args:
        name: of the coordinate.
        points: how many; both ends are among them, unless the axis is periodic: then `upper` is `lower` again.
        lower, upper: ends.
        periodic: whether functions continue at `lower` beyond `upper`.
        unit: of the coordinate, such as "m"; empty where it has none.

    >>> Axis("x", 4, periodic=True).coordinates.tolist()
    [0.0, 0.25, 0.5, 0.75]
    """

    name: str
    points: int
    lower: float = 0.0
    upper: float = 1.0
    periodic: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("Axis: got an empty name, expected the name of a coordinate, such as 'x'")
        integer(f"axis {self.name!r}", "points", self.points, low=_FEWEST)
        if not (math.isfinite(self.lower) and math.isfinite(self.upper) and self.lower < self.upper):
            raise DomainError(
                f"axis {self.name!r}: runs from {self.lower} to {self.upper}, expected finite ends, lower < upper"
            )

    @property
    def spacing(self) -> float:
        """Step between neighbours."""
        return (self.upper - self.lower) / (self.points if self.periodic else self.points - 1)

    @property
    def coordinates(self) -> FloatArray:
        """(points,)."""
        return np.linspace(self.lower, self.upper, self.points, endpoint=not self.periodic)

    @property
    def weights(self) -> FloatArray:
        """Trapezoidal weights (points,), which sum to the length."""
        weights = np.full(self.points, self.spacing)
        if not self.periodic:
            weights[[0, -1]] *= 0.5
        return weights

    def refined(self, factor: int) -> Axis:
        """The axis with steps `factor` times smaller, which contains every point of this one."""
        integer(f"axis {self.name!r}", "factor", factor)
        closed = 0 if self.periodic else 1
        return replace(self, points=(self.points - closed) * factor + closed)

    def stride(self, coarse: Axis) -> int:
        """Each how many-th point of this axis is a point of a coarser one.

        Raises:
            ShapeError: the points are not nested.
        """
        factor = round(coarse.spacing / self.spacing)
        if factor < 1 or coarse.refined(factor) != self:
            raise ShapeError(
                f"axis {self.name!r}: got {coarse.points} coarse and {self.points} fine points, expected nested ones on "
                "one axis; refine it by an integer factor"
            )
        return factor


@final
@dataclass(frozen=True)
class Quantity:
    """A kind of function on a tensor grid, with one or several components.

    Arrays of `count` functions have the shape (count, n_1, ..., n_d, m).

    Args:
        axes: the grid.
        names: of the m components.
        unit: of the values.
    """

    axes: tuple[Axis, ...]
    names: tuple[str, ...] = ("u",)
    unit: str = ""

    def __post_init__(self) -> None:
        coordinates = [axis.name for axis in self.axes]
        for what, names in (("axes", coordinates), ("components", list(self.names))):
            if not names or len(set(names)) < len(names):
                raise ConfigError(f"Quantity: got {what} {names}, expected at least one, each with its own name")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one function's array: (n_1, ..., n_d, m)."""
        return (*(axis.points for axis in self.axes), len(self.names))

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def weights(self) -> FloatArray:
        """Trapezoidal weights of all points (n_1, ..., n_d), which sum to the measure of the grid."""
        weights = np.ones(())
        for axis in self.axes:
            weights = weights[..., None] * axis.weights
        return weights

    def describe(self) -> str:
        """One line, such as "u(x, y) on 16 x 16 points"."""
        names = ", ".join(self.names)
        grid = " x ".join(f"{axis.points}{' periodic' if axis.periodic else ''}" for axis in self.axes)
        return f"{names}({', '.join(axis.name for axis in self.axes)}){f' in {self.unit}' if self.unit else ''} on {grid} points"

    def points(self) -> FloatArray:
        """Coordinates of all points in C order, (n_1 ... n_d, d)."""
        grids = np.meshgrid(*(axis.coordinates for axis in self.axes), indexing="ij")
        return np.stack([grid.ravel() for grid in grids], axis=1)

    def checked(self, owner: str, values: object) -> FloatArray:
        """Values as an array (count, *shape), where the m of one component may have been left out.

        Raises:
            DtypeError: no real numbers.
            ShapeError: another shape.
            NonFiniteError: NaN or infinity, with the number of the first such case.
        """
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise DtypeError(
                f"{owner}: got values of type {array.dtype}, expected real numbers; convert them to floats"
            )
        array = array.astype(np.float64, copy=False)
        if len(self.names) == 1 and array.shape[1:] == self.shape[:-1]:
            array = array[..., None]
        if array.ndim == 0 or array.shape[1:] != self.shape:
            raise ShapeError(
                f"{owner}: got shape {array.shape}, expected (cases, {', '.join(map(str, self.shape))}) for "
                f"{self.describe()}"
            )
        bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if bad.any():
            first = int(bad.argmax())
            raise NonFiniteError(
                f"{owner}: case {first} holds NaN or infinity, as do {int(bad.sum())} of {len(array)} cases, expected "
                f"finite values; remove it (cases are numbered from 0)"
            )
        return array

    def norms(self, values: FloatArray) -> FloatArray:
        """L2 norms (count,) of functions (count, *shape), by the trapezoidal rule."""
        squares = (values**2).sum(axis=-1)
        for axis in reversed(self.axes):
            squares = squares @ axis.weights
        return np.asarray(np.sqrt(squares))

    def relative_errors(self, values: FloatArray, reference: FloatArray) -> FloatArray:
        """Relative L2 distance of each function from its reference, (count,); absolute where the reference is zero."""
        size = self.norms(reference)
        return np.asarray(self.norms(values - reference) / np.where(size > 0.0, size, 1.0))

    def restricted(self, values: FloatArray, fine: Quantity) -> FloatArray:
        """The values (count, *fine.shape) of a finer quantity at the points of this one.

        Raises:
            ShapeError: the grids are not nested.
        """
        steps = (slice(None, None, f.stride(c)) for f, c in zip(fine.axes, self.axes, strict=True))
        return values[(slice(None), *steps)]
