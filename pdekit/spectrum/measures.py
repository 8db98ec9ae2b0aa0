"""Single numbers and curves that say how rough a function is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import FrequencyError
from ._arrays import Array, as_numbers, as_points, as_real
from .transform import Spectrum


def centroid(of: Spectrum) -> float:
    """Mean of |k| over the energy of a spectrum: sum |k| |u_hat|^2 / sum |u_hat|^2.

    Notes: of one coordinate or of equal grids on all axes; a mean value (k = 0) pulls it down, so subtract it first.
    """
    energy = of.magnitude**2
    if not energy.any():
        raise FrequencyError("centroid: got a spectrum that is zero everywhere, expected a function")
    return float((of.radius * energy).sum() / energy.sum())


def radial_mean(of: Spectrum, edges: ArrayLike) -> Array:
    """Mean of |u_hat(k)| over each shell edges[i] <= |k| < edges[i + 1]; NaN where a shell holds no wave number.

    Args:
        of: the spectrum, of a picture say.
        edges: (B + 1,) rising wave numbers.

    Returns:
        (B,).
    """
    limits = as_real("edges", edges)
    if limits.ndim != 1 or len(limits) < 2 or (np.diff(limits) <= 0).any():
        raise FrequencyError(f"edges: got {limits.tolist()}, expected at least two rising wave numbers")
    size = np.broadcast_to(of.radius, of.magnitude.shape).ravel()
    shell = np.searchsorted(limits, size, side="right") - 1
    inside = (shell >= 0) & (shell < len(limits) - 1)
    counts, sums = (
        np.bincount(shell[inside], weights=weights, minlength=len(limits) - 1)
        for weights in (None, of.magnitude.ravel()[inside])
    )
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def total_variation(values: ArrayLike, axis: int = -1) -> Array:
    """Sum of |u_{i+1} - u_i| along an axis: the length of the way up and down; noise has much, a blurred copy little.

    >>> float(total_variation([0.0, 1.0, -1.0]))
    3.0
    """
    result: Array = np.abs(np.diff(as_numbers("values", values), axis=axis)).sum(axis=axis)
    return result


def principal_direction(points: ArrayLike) -> Array:
    """Unit vector (d,) along which points (n, d) vary most; its largest component is positive.

    `fourier_sum(values, points, np.outer(k, direction))` is the spectrum of data along it.

    Notes: the first singular vector of the centred points; costs n d min(n, d).

    Reference: book, section 4.2.3 (frequency principle on data sets).

    >>> principal_direction([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]).round(3).tolist()
    [0.447, 0.894]
    """
    x = as_points("points", points)
    direction: Array = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][0]
    return direction * np.sign(direction[np.abs(direction).argmax()])
