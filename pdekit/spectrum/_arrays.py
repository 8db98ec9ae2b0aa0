"""Checks and conversions of the arrays that users hand to the instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DtypeError, NonFiniteError, ShapeError

Array = NDArray[np.floating[Any]]


def as_numbers(name: str, values: ArrayLike) -> NDArray[np.inexact]:
    """`values` as a finite float64 or complex128 array."""
    array = np.asarray(values)
    if array.dtype.kind not in "biufc":
        raise DtypeError(f"{name}: got dtype {array.dtype}, expected real or complex numbers; convert it first")
    array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise NonFiniteError(
            f"{name}: got {int((~finite).sum())} of {array.size} values NaN or infinite, the first at index {first}, "
            "expected finite numbers; look for a diverged run or an undefined point of the reference"
        )
    return array


def as_real(name: str, values: ArrayLike) -> Array:
    """`values` as a finite float64 array."""
    array = as_numbers(name, values)
    if array.dtype.kind == "c":
        raise DtypeError(
            f"{name}: got complex numbers, expected real ones; pass the real and imaginary parts separately"
        )
    return array.astype(np.float64, copy=False)


def as_field(name: str, values: ArrayLike, least: int = 3) -> NDArray[np.inexact]:
    """`values` on a tensor grid: finite, at least one axis, at least `least` points on each."""
    array = as_numbers(name, values)
    if array.ndim == 0 or min(array.shape) < least:
        raise ShapeError(
            f"{name}: got shape {array.shape}, expected at least {least} grid points on each axis; "
            "give the values in the shape of their grid, one component at a time"
        )
    return array


def per_axis(name: str, value: float | Sequence[float], dim: int) -> Array:
    """One positive number for each axis, (dim,); a single number holds for all axes."""
    array = as_real(name, value)
    if array.ndim > 1 or (array.ndim == 1 and array.shape != (dim,)):
        raise ShapeError(
            f"{name}: got shape {array.shape}, expected one number or ({dim},); give one for each grid axis"
        )
    if (array <= 0).any():
        raise ShapeError(f"{name}: got {value}, expected positive numbers; give grid spacings, not coordinates")
    return np.broadcast_to(array, (dim,))


def as_points(name: str, points: ArrayLike) -> Array:
    """`points` as finite coordinates (n, d)."""
    array = as_real(name, points)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"{name}: got shape {array.shape}, expected (n, d); for one coordinate use x[:, None]")
    return array


def as_weights(weights: ArrayLike | None, count: int) -> Array:
    """Non-negative quadrature weights (count,), equal ones by default."""
    if weights is None:
        return np.full(count, 1.0 / count)
    array = as_real("weights", weights)
    if array.shape != (count,):
        raise ShapeError(
            f"weights: got shape {array.shape}, expected ({count},), one for each point; use Points.weight"
        )
    if (array < 0).any() or not array.any():
        raise ShapeError("weights: got negative or only zero weights, expected quadrature weights; use Points.weight")
    return array


def as_samples(name: str, values: ArrayLike, count: int) -> NDArray[np.inexact]:
    """`values` at `count` points: (count,) or (count, m)."""
    array = as_numbers(name, values)
    if array.ndim not in (1, 2) or array.shape[0] != count:
        raise ShapeError(
            f"{name}: got shape {array.shape}, expected ({count},) or ({count}, m); flatten grids in C order"
        )
    return array


def weighted_norm(samples: NDArray[np.inexact], weights: Array) -> float:
    """Weighted norm sqrt(sum w_i |u_i|^2) over points and components."""
    return float(np.sqrt((weights @ np.abs(samples) ** 2).sum()))
