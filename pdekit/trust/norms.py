"""Norms of grid functions: L2, and the energy of an elliptic operator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from ..discrete import Grid
from ..discretise import at_time
from ..problem import SecondOrder

Array = np.ndarray


@final
@dataclass(frozen=True)
class Norms:
    """L2 and energy norm of a grid function; over space and time for problems with time."""

    l2: float
    energy: float


def norms(problem: SecondOrder, grid: Grid, values: Array) -> Norms:
    """Norms of values on a grid over all coordinates; A and c are taken at the initial time."""
    if problem.domain.time is None:
        squares = l2_square(grid, values), energy_square(problem, grid, values)
    else:
        space, times = split(grid)
        weights = np.full(len(times), times[1] - times[0])
        weights[[0, -1]] *= 0.5
        squares = weights @ l2_square(space, values), weights @ energy_square(problem, space, values, float(times[0]))
    l2, energy = (math.sqrt(float(square)) for square in squares)
    return Norms(l2, energy)


def split(grid: Grid) -> tuple[Grid, Array]:
    """The space grid and the times of a grid whose last axis is time."""
    return Grid(grid.lower[:-1], grid.upper[:-1], grid.shape[:-1]), grid.axes[-1]


def l2_square(grid: Grid, values: Array) -> Array:
    """Squared L2 norm over the grid's axes by the trapezoidal rule; trailing axes of `values` stay."""
    return np.tensordot(grid.weights(), values**2, axes=grid.dim)


def energy_square(problem: SecondOrder, grid: Grid, values: Array, time: float | None = None) -> Array:
    """int A grad v . grad v + c v^2 over the grid's axes; trailing axes of `values` stay.

    Differences at half points, where finite volumes take their fluxes; mixed terms at the centres of cells. The reaction
    counts only where c >= 0 everywhere: with an indefinite form the norm is that of the gradient.

    Args:
        problem: declares A and c.
        grid: grid over the space axes.
        values: (*grid.shape, ...).
        time: where A and c are evaluated, for problems with time.
    """
    total = np.zeros(values.shape[grid.dim :])
    for axis, h in enumerate(grid.spacing):
        middle = at_time(grid.midpoints(axis), time)
        a = _diffusion(problem, middle, axis, axis)
        shape = tuple(n - (b == axis) for b, n in enumerate(grid.shape))
        # The trapezoidal weights across, the midpoint rule along the axis.
        weights = np.delete(grid.weights(), 0, axis)
        weights = np.moveaxis(weights, axis, 0)
        weights[-1] *= 2.0
        weights = np.moveaxis(weights, 0, axis) * a.reshape(shape)
        total = total + np.tensordot(weights, (np.diff(values, axis=axis) / h) ** 2, axes=grid.dim)
    if _is_full(problem, grid, time):
        total = total + _mixed(problem, grid, values, time)
    c = problem.reaction(at_time(grid.points(), time))
    if c is not None and bool((c >= 0).all()):
        weights = grid.weights() * c.detach().numpy().reshape(grid.shape)
        total = total + np.tensordot(weights, values**2, axes=grid.dim)
    return total


def _mixed(problem: SecondOrder, grid: Grid, values: Array, time: float | None) -> Array:
    """The terms 2 A_ij d_i v d_j v, i < j, at the centres of cells."""
    axes = [0.5 * (x[1:] + x[:-1]) for x in grid.axes]
    centres = at_time(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, grid.dim), time)
    slopes = [_centred_slope(grid, values, axis) for axis in range(grid.dim)]
    volume = math.prod(grid.spacing)
    total = np.zeros(values.shape[grid.dim :])
    for i in range(grid.dim):
        for j in range(i):
            weights = 2.0 * volume * _diffusion(problem, centres, i, j).reshape([n - 1 for n in grid.shape])
            total = total + np.tensordot(weights, slopes[i] * slopes[j], axes=grid.dim)
    return total


def _centred_slope(grid: Grid, values: Array, axis: int) -> Array:
    slope = np.diff(values, axis=axis) / grid.spacing[axis]
    for other in range(grid.dim):
        if other != axis:
            n = grid.shape[other]
            slope = 0.5 * (slope.take(range(1, n), axis=other) + slope.take(range(n - 1), axis=other))
    return slope


def _diffusion(problem: SecondOrder, x: Tensor, i: int, j: int) -> Array:
    a = problem.diffusion(x)
    if a is None:
        return np.full(len(x), float(i == j))
    values: Array = (a[:, i, j] if a.ndim == 3 else a[:, 0]).detach().numpy()
    return values


def _is_full(problem: SecondOrder, grid: Grid, time: float | None) -> bool:
    a = problem.diffusion(at_time(grid.points()[:1], time))
    return a is not None and a.ndim == 3
