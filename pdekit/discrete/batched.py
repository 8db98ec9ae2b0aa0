"""Elliptic equations for many right-hand sides or coefficients at once, by fast sine transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError, IllPosedError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
Values = TypeVar("Values", FloatArray, "Tensor")
_SWEEPS = 500


def poisson(source: FloatArray, boundary: FloatArray, spacing: Sequence[float]) -> FloatArray:
    """-lap u = f, u = g on the boundary, of order 4 by compact differences, in 1-D and 2-D.

    -(D_x + D_y + (h_x^2 + h_y^2)/12 D_x D_y) u = (1 + h_x^2/12 D_x + h_y^2/12 D_y) f with D the second differences: the
    nine points around each, diagonal in sine modes.

    Args:
        source: f (count, n) or (count, n_x, n_y), at all grid points.
        boundary: of the same shape; its values on the boundary are u's, those inside do not matter.
        spacing: h of each axis.

    Returns:
        u, of the same shape.

    Reference: Collatz 1960, The Numerical Treatment of Differential Equations, chapter V; Swarztrauber 1977, doi:10.1137/1019071.
    """
    dim = len(spacing)
    if source.shape != boundary.shape or source.ndim != dim + 1 or dim > 2:
        raise ShapeError(
            f"poisson: got f of shape {source.shape}, u of shape {boundary.shape} and {dim} steps, expected (count, n) "
            "with one or (count, n_x, n_y) with two"
        )
    inside = (slice(None), *[slice(1, -1)] * dim)
    lifted = boundary.copy()
    lifted[inside] = 0.0
    load = source[inside] + sum(h**2 / 12 * _second(source, a, dim, h) for a, h in enumerate(spacing))
    load = load + sum(_second(lifted, a, dim, h) for a, h in enumerate(spacing))
    eigenvalues = [_eigenvalues(n, h) for n, h in zip(source.shape[1:], spacing, strict=True)]
    if dim == 1:
        symbol = eigenvalues[0]
    else:
        cross = sum(h**2 for h in spacing) / 12
        wide = lifted.copy()
        wide[:, 1:-1] = np.diff(lifted, 2, axis=1) / spacing[0] ** 2
        load = load + cross * _second(wide, 1, dim, spacing[1])
        x, y = np.ix_(*eigenvalues)
        symbol = x + y - cross * x * y
    lifted[inside] = _sine_solve(load, symbol)
    return lifted


def diffusion(
    coefficient: FloatArray,
    source: FloatArray | float,
    spacing: Sequence[float],
    *,
    smooth: bool = False,
    tolerance: float = 1e-9,
) -> FloatArray:
    """-div(a grad u) = f on a rectangle, u = 0 on its boundary, by finite volumes; one coefficient for each case.

    Between two points flows their harmonic mean times the difference: fluxes across jumps of a halfway between grid
    points are exact. Conjugate gradients for all cases at once, preconditioned by the Laplacian, or by a^(1/2) times it
    times a^(1/2), which differs from -div(a grad) by no derivative of u.

    Args:
        coefficient: a > 0 (count, n_x, n_y) at all grid points.
        source: f, of the same shape, or a number.
        spacing: h of each axis.
        smooth: whether a varies smoothly, which the second preconditioner needs.
        tolerance: of the residual relative to the load, in the norm of the preconditioner.

    Returns:
        u (count, n_x, n_y).

    Raises:
        IllPosedError: a is not positive, with the case.
        ConvergenceError: 500 iterations were not enough.

    Notes: the number of iterations does not grow with the grid. Measured on 121 x 121 points: 18 for a of 3 and 12 along
        random curves (80 with `smooth`), 13 for a log-normal a with a root mean square of 1 in the logarithm (56 without).

    Reference: Concus, Golub 1973, doi:10.1137/0710092.
    """
    smallest = coefficient.min(axis=(1, 2))
    if not smallest.min() > 0.0:
        raise IllPosedError(
            f"diffusion: case {int(smallest.argmin())} has a coefficient of {smallest.min():.6g}, expected positive ones"
        )
    faces = face_means(coefficient)
    scale = coefficient[:, 1:-1, 1:-1] ** -0.5 if smooth else np.ones((1, 1, 1))
    x, y = np.ix_(*(_eigenvalues(n, h) for n, h in zip(coefficient.shape[1:], spacing, strict=True)))
    eigenvalues = x + y
    residual = np.broadcast_to(source, coefficient.shape)[:, 1:-1, 1:-1].copy()
    solution = np.zeros_like(residual)
    z = scale * _sine_solve(scale * residual, eigenvalues)
    direction, size = z, _dot(residual, z)
    goal = tolerance**2 * size
    for _ in range(_SWEEPS):
        if (size <= goal).all():
            break
        image = _apply(faces, direction, spacing)
        safe = np.maximum(_dot(direction, image), np.finfo(np.float64).tiny)
        length = size / safe
        solution += length * direction
        residual -= length * image
        z = scale * _sine_solve(scale * residual, eigenvalues)
        old, size = size, _dot(residual, z)
        direction = z + size / np.maximum(old, np.finfo(np.float64).tiny) * direction
    else:
        worst = int((size - goal).argmax())
        raise ConvergenceError(
            f"diffusion: case {worst} has a residual of {math.sqrt(float(size[worst, 0, 0])):.3g} after {_SWEEPS} iterations, "
            f"expected {math.sqrt(float(goal[worst, 0, 0])):.3g}; its coefficient ranges over "
            f"{coefficient[worst].min():.3g} to {coefficient[worst].max():.3g}"
        )
    full = np.zeros(coefficient.shape)
    full[:, 1:-1, 1:-1] = solution
    return full


def face_means(coefficient: Values) -> tuple[Values, Values]:
    """Harmonic means between neighbours along x (count, n_x - 1, n_y - 2) and y (count, n_x - 2, n_y - 1)."""

    def mean(a: Values, b: Values) -> Values:
        return 2 * a * b / (a + b)

    along_x, along_y = coefficient[:, :, 1:-1], coefficient[:, 1:-1]
    return mean(along_x[:, 1:], along_x[:, :-1]), mean(along_y[:, :, 1:], along_y[:, :, :-1])


def _apply(faces: tuple[FloatArray, FloatArray], u: FloatArray, spacing: Sequence[float]) -> FloatArray:
    """-div(a grad u) at the interior points for u (count, n_x - 2, n_y - 2) that vanishes on the boundary."""
    padded = np.pad(u, ((0, 0), (1, 1), (1, 1)))
    flux_x = faces[0] * np.diff(padded[:, :, 1:-1], axis=1)
    flux_y = faces[1] * np.diff(padded[:, 1:-1], axis=2)
    return np.asarray(-np.diff(flux_x, axis=1) / spacing[0] ** 2 - np.diff(flux_y, axis=2) / spacing[1] ** 2)


def _eigenvalues(points: int, h: float) -> FloatArray:
    """Of minus the second difference between Dirichlet ends, (points - 2,)."""
    k = np.arange(1, points - 1)
    return np.asarray((2 / h * np.sin(0.5 * math.pi * k / (points - 1))) ** 2)


def _sine_solve(load: FloatArray, symbol: FloatArray) -> FloatArray:
    from scipy.fft import dstn, idstn

    axes = tuple(range(1, load.ndim))
    modes = dstn(load, type=1, axes=axes)
    modes /= symbol
    return np.asarray(idstn(modes, type=1, axes=axes, overwrite_x=True))


def _second(values: FloatArray, axis: int, dim: int, h: float) -> FloatArray:
    """Second differences along one axis at the interior points."""
    inner = tuple(slice(None) if a == axis else slice(1, -1) for a in range(dim))
    return np.asarray(np.diff(values[(slice(None), *inner)], 2, axis=axis + 1) / h**2)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.einsum("cxy,cxy->c", a, b)[:, None, None]
