"""Closed forms of geometry in d dimensions: how the volume of the unit ball is spread.

Reference: Blum, Hopcroft, Kannan 2020, Foundations of Data Science, doi:10.1017/9781108755528, chapter 2.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def log_ball_volume(dim: ArrayLike, radius: ArrayLike = 1.0) -> FloatArray:
    """Natural logarithm of `ball_volume`, for thousands of dimensions."""
    d, r = np.asarray(dim, dtype=np.float64), np.asarray(radius, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(0.5 * d * math.log(math.pi) - scipy.special.gammaln(0.5 * d + 1.0) + d * np.log(r))


def ball_volume(dim: ArrayLike, radius: ArrayLike = 1.0) -> FloatArray:
    """Volume V(d) = 2 pi^(d/2) / (d Gamma(d/2)) r^d of the ball."""
    return np.exp(log_ball_volume(dim, radius))


def inner_share(dim: ArrayLike, thickness: ArrayLike) -> FloatArray:
    """Share (1 - eps)^d of the ball that lies deeper than eps below its surface."""
    return (1.0 - np.asarray(thickness, dtype=np.float64)) ** np.asarray(dim, dtype=np.float64)


def slab_share(dim: ArrayLike, half_width: ArrayLike) -> FloatArray:
    """Share I_(t^2)(1/2, (d + 1)/2) of the ball with |x_1| <= t: x_1^2 follows a beta law."""
    d, t = np.asarray(dim, dtype=np.float64), np.asarray(half_width, dtype=np.float64)
    return np.asarray(scipy.special.betainc(0.5, 0.5 * (d + 1.0), np.clip(t, 0.0, 1.0) ** 2))


def angle_cdf(theta: ArrayLike, dim: int) -> FloatArray:
    """Distribution function of the angle (radians) between two random directions, of density ~ sin^(d-2)."""
    angle = np.asarray(theta, dtype=np.float64)
    below = 0.5 * scipy.special.betainc(0.5 * (dim - 1.0), 0.5, np.sin(angle) ** 2)
    return np.where(angle <= 0.5 * math.pi, below, 1.0 - below)


def angle_density(theta: ArrayLike, dim: int) -> FloatArray:
    """Density of the angle per radian, sin^(d-2)(theta) / B((d-1)/2, 1/2)."""
    angle = np.asarray(theta, dtype=np.float64)
    log_norm = scipy.special.betaln(0.5 * (dim - 1.0), 0.5)
    return np.asarray(np.exp(scipy.special.xlogy(dim - 2.0, np.sin(angle)) - log_norm))


def angle_deviation(dim: int) -> float:
    """Standard deviation of the angle in radians; about 1/sqrt(d) for large d."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    angle = 0.5 * math.pi * (nodes + 1.0)
    variance = 0.5 * math.pi * np.sum(weights * (angle - 0.5 * math.pi) ** 2 * angle_density(angle, dim))
    return float(np.sqrt(variance))


def distance_density(distance: ArrayLike, dim: int) -> FloatArray:
    """Density of the distance s of two uniform points of the unit ball, d s^(d-1) I_(1-s^2/4)((d+1)/2, 1/2).

    Reference: Tu and Fischbach 2002, doi:10.1088/0305-4470/35/31/303.
    """
    s = np.clip(np.asarray(distance, dtype=np.float64), 0.0, 2.0)
    overlap = scipy.special.betainc(0.5 * (dim + 1.0), 0.5, 1.0 - 0.25 * s**2)
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(math.log(dim) + scipy.special.xlogy(dim - 1.0, s) + np.log(overlap)))


def distance_mean(dim: int) -> float:
    """Mean distance of two uniform points of the unit ball, d/(d+1) 2^(d+1) B(d/2 + 1, (d+1)/2) / B((d+1)/2, 1/2)."""
    log_ratio = scipy.special.betaln(0.5 * dim + 1.0, 0.5 * (dim + 1.0)) - scipy.special.betaln(0.5 * (dim + 1.0), 0.5)
    return float(dim / (dim + 1.0) * np.exp((dim + 1.0) * math.log(2.0) + log_ratio))


def square_distance_mean(dim: int) -> float:
    """Mean squared distance 2 d / (d + 2) of two uniform points of the unit ball: tends to 2."""
    return 2.0 * dim / (dim + 2.0)
