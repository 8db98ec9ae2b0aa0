"""Sine modes of grids between Dirichlet faces: what relaxation does to an error, computed without relaxing.

Modes are prod over axes of sin(k_a pi (x_a - lower_a) / (upper_a - lower_a)) with k_a = 1 ... n_a - 2; they are the
eigenvectors of every symmetric constant-coefficient stencil, so Jacobi and Chebyshev act on each by a factor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotApplicableError, ShapeError
from .relaxation import Chebyshev, Jacobi
from .system import LinearSystem

FloatArray = NDArray[np.float64]
_MOST = 2**62


def sine_coefficients(interior: FloatArray) -> FloatArray:
    """Coefficients c with u = sum over k of c_k times mode k, by the fast sine transform.

    Args:
        interior: values at the interior points, (n_0 - 2, ..., n_(d-1) - 2).

    Returns:
        Array of the same shape, entry (k_0 - 1, ...) for mode k.

    >>> import numpy as np
    >>> x = np.linspace(0.0, 1.0, 9)[1:-1]
    >>> np.abs(sine_coefficients(3.0 * np.sin(2 * np.pi * x))).round(12).tolist()[:3]
    [0.0, 3.0, 0.0]
    """
    from scipy.fft import dstn

    scale = float(np.prod([n + 1 for n in interior.shape]))
    return np.asarray(dstn(interior, type=1)) / scale


def from_sine_coefficients(coefficients: FloatArray) -> FloatArray:
    """Values at the interior points; the inverse of `sine_coefficients`."""
    from scipy.fft import dstn

    return np.asarray(dstn(coefficients, type=1)) / 2.0**coefficients.ndim


def relative_eigenvalues(system: LinearSystem) -> FloatArray:
    """Eigenvalues mu of D^-1 M by sine mode, (n_0 - 2, ..., n_(d-1) - 2).

    Raises:
        NotApplicableError: the system has no sine modes.
    """
    if system.star is None or not system.star.symmetric:
        raise NotApplicableError(
            "sine modes: the system has variable coefficients, advection, order 4 or a face that is not Dirichlet, expected "
            "constant symmetric coefficients of order 2 between Dirichlet faces; count the sweeps with relax"
        )
    return np.real(system.star.eigenvalues(system.grid.shape)) / system.star.centre


def predicted_sweeps(coefficients: FloatArray, factors: FloatArray, tolerance: float) -> int:
    """Smallest n with sum over k of |c_k| |factor_k|^n <= tolerance, which bounds the maximum norm of the error.

    Args:
        coefficients: of the error.
        factors: of one sweep, of the same shape, as `relaxation.reduction(mu)` returns them.
        tolerance: positive.

    Raises:
        ShapeError: shapes differ.
        NotApplicableError: the modes that do not decay are together larger than the tolerance.
    """
    if np.shape(coefficients) != np.shape(factors):
        raise ShapeError(
            f"predicted_sweeps: got coefficients of shape {np.shape(coefficients)} and factors of shape {np.shape(factors)}, "
            "expected the same; take both from one grid"
        )
    sizes, rates = np.abs(coefficients).ravel(), np.abs(factors).ravel()
    logs = np.log(np.maximum(rates, 1e-300))
    return _first(lambda n: float(np.sum(sizes * np.exp(n * logs))) <= tolerance, tolerance)


def exact_sweeps(system: LinearSystem, relaxation: Jacobi | Chebyshev, error: FloatArray, tolerance: float) -> int:
    """The sweep at which max |error| first meets the tolerance, by propagating every mode.

    Equals what `relax` counts, up to its rounding, at the price of about 60 sine transforms: the way to count sweeps that
    would take days.

    Args:
        system: symmetric constant-coefficient system of order 2 between Dirichlet faces.
        relaxation: the iteration; its error must shrink monotonically, as that of Jacobi with omega <= 1 does.
        error: start minus solution, grid-shaped.
        tolerance: positive bound for the maximum norm.
    """
    rates = np.asarray(relaxation.reduction(relative_eigenvalues(system)))
    coefficients = sine_coefficients(np.asarray(error)[system.grid.interior])
    signs = np.sign(rates)
    logs = np.log(np.maximum(np.abs(rates), 1e-300))

    def met(n: int) -> bool:
        powers = np.exp(n * logs) * (signs if n % 2 else np.abs(signs)) if n else np.ones_like(logs)
        return float(np.abs(from_sine_coefficients(coefficients * powers)).max()) <= tolerance

    return _first(met, tolerance)


def _first(met: Callable[[int], bool], tolerance: float) -> int:
    """The smallest n with met(n), for a condition that stays met: doubling, then bisection."""
    if not tolerance > 0.0:
        raise ConfigError(f"sweeps: tolerance is {tolerance!r}, expected a positive number; use 1e-6")
    if met(0):
        return 0
    low, high = 0, 1
    while not met(high):
        if high >= _MOST:
            raise NotApplicableError(
                f"sweeps: the error stays above {tolerance:g}, expected it to decay; use a smaller omega"
            )
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return high
