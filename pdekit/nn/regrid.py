"""Functions on one grid carried to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..interpolant import Interpolant
from ..quantity import Axis, Quantity


def with_points(axes: Sequence[Axis], points: Sequence[int]) -> tuple[Axis, ...]:
    """The axes with other numbers of points."""
    return tuple(replace(axis, points=n) for axis, n in zip(axes, points, strict=True))


def coordinates(axes: Sequence[Axis], like: Tensor) -> Tensor:
    """All points of a grid in C order, (n_1 ... n_d, d), in the element type and on the device of a tensor."""
    return torch.from_numpy(Quantity(tuple(axes)).points()).to(like)


def regridded(values: Tensor, axes: Sequence[Axis], points: Sequence[int]) -> Tensor:
    """Functions (count, *n, m) on a grid with other numbers of points, by piecewise polynomials of degree 5."""
    if tuple(points) == tuple(axis.points for axis in axes):
        return values
    x = coordinates(with_points(axes, points), values)
    grid = Quantity(tuple(axes))
    columns = [Interpolant(grid, component[..., None])(x).T for component in values.unbind(-1)]
    return torch.stack(columns, -1).reshape(len(values), *points, values.shape[-1])
