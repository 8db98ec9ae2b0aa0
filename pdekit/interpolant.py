"""Functions between the points of their grid, with derivatives; many at once, differentiable in the coordinates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from .checks import integer
from .errors import PlanError, ShapeError
from .quantity import Axis, Quantity

_DEGREE = 5


@final
@dataclass(frozen=True, eq=False)
class Interpolant:
    """Piecewise polynomials through grid values: on each cell, the one through the nearest degree + 1 points per axis.

    Args:
        quantity: the grid; one component.
        values: (count, *quantity.shape), `count` functions.
        degree: 5 for smooth functions (error of order 6, derivatives lose one order each); 0 takes the nearest value, for
            functions that jump.

    Notes: continuous, with derivatives that jump between cells by what they are in error. Memory: n count numbers.
    """

    quantity: Quantity
    values: Tensor
    degree: int = _DEGREE

    def __post_init__(self) -> None:
        integer("Interpolant", "degree", self.degree, low=0)
        if len(self.quantity.names) != 1 or tuple(self.values.shape[1:]) != self.quantity.shape:
            raise ShapeError(
                f"Interpolant: got values of shape {tuple(self.values.shape)}, expected (count, *{self.quantity.shape}) "
                "with one component; interpolate components one by one"
            )

    def __call__(self, x: Tensor, orders: Sequence[int] | None = None) -> Tensor:
        """Values, or partial derivatives, at points.

        Args:
            x: (n, d), coordinates in the order of the axes; beyond the ends of an axis the last polynomial goes on.
            orders: order of the derivative along each axis; none by default.

        Returns:
            (n, count): one column for each function.
        """
        axes = self.quantity.axes
        if x.ndim != 2 or x.shape[1] != len(axes):
            raise ShapeError(f"Interpolant: got points of shape {tuple(x.shape)}, expected (n, {len(axes)})")
        orders = orders or (0,) * len(axes)
        lines = [
            _weights(axis, x[:, a], self.degree, order)
            for a, (axis, order) in enumerate(zip(axes, orders, strict=True))
        ]
        flat = self.values.reshape(len(self.values), -1).T.to(x)  # (points, count)
        total = x.new_zeros(len(x), len(self.values))
        for choice in itertools.product(*(range(weights.shape[1]) for _, weights in lines)):
            index = torch.zeros(len(x), dtype=torch.long, device=x.device)
            weight = x.new_ones(len(x))
            for axis, (nodes, weights), j in zip(axes, lines, choice, strict=True):
                index, weight = index * axis.points + nodes[:, j], weight * weights[:, j]
            total = total + weight[:, None] * flat[index]
        return total


@final
@dataclass(frozen=True, eq=False)
class InterpolantSource:
    """Where a jet of interpolated functions reads from: derivatives in the coordinates of the points.

    Args:
        functions: what is interpolated.
        x: points (n, k) of a domain.
        columns: which coordinate of the domain each axis of the functions is; they do not depend on the others.
    """

    functions: Interpolant
    x: Tensor
    columns: tuple[int, ...]

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        """One partial derivative of every function, (n, count)."""
        if not set(axes) <= set(self.columns):
            return self.x.new_zeros(len(self.x), len(self.functions.values))
        return self.functions(self.x[:, list(self.columns)], [axes.count(column) for column in self.columns])

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        """First derivatives, (n, count, len(axes))."""
        return torch.stack([self.partial((axis,)) for axis in axes], dim=2)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        """Sum of the second derivatives, (n, count)."""
        return torch.stack([self.partial((axis, axis)) for axis in axes]).sum(dim=0)


@final
@dataclass(frozen=True, eq=False)
class ValueSource:
    """Where a jet reads from that has values only, such as those of boundary data.

    Args:
        values: (n, count).
    """

    values: Tensor

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        """The values."""
        if axes:
            raise _without_derivatives(axes)
        return self.values

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        """Refused."""
        raise _without_derivatives(axes)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        """Refused."""
        raise _without_derivatives(axes)


def _without_derivatives(axes: tuple[int, ...]) -> PlanError:
    return PlanError(
        f"input function: got a derivative along {axes} of values on the boundary, expected the value alone"
    )


def _weights(axis: Axis, x: Tensor, degree: int, order: int) -> tuple[Tensor, Tensor]:
    """Numbers (n, p) of the points that count, and what each weighs in the derivative of that order."""
    degree = min(degree, axis.points - 1)
    position = (x - axis.lower) / axis.spacing
    first = torch.floor(position.detach() - 0.5 * (degree - 1)).long()
    if not axis.periodic:
        first = first.clamp(0, axis.points - 1 - degree)
    nodes = first[:, None] + torch.arange(degree + 1, device=x.device)
    local = position - first - 0.5 * degree  # centred, for the sake of rounding
    # rows: coefficients of the polynomial that is 1 at one node and 0 at the others
    lagrange = np.linalg.inv(np.vander(np.arange(degree + 1) - 0.5 * degree, increasing=True)).T
    powers = [
        local ** (k - order) * (math.perm(k, order) / axis.spacing**order) if k >= order else torch.zeros_like(local)
        for k in range(degree + 1)
    ]
    weights = torch.stack(powers, dim=1) @ torch.from_numpy(lagrange).to(x).T
    return nodes % axis.points, weights
