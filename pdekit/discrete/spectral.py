"""Fourier methods on the periodic line: derivatives, shifts, and Burgers' equation; many functions at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..checks import integer, real
from ..errors import ConfigError, DivergenceError, ShapeError

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_CONTOUR = 32
"""Points on the circle by which the coefficients of the exponential method are averaged."""


def wave_numbers(points: int, length: float = 1.0) -> FloatArray:
    """2 pi k / length for the coefficients of `numpy.fft.rfft`, (points // 2 + 1,)."""
    return np.asarray(2 * math.pi * np.fft.rfftfreq(points, length / points))


def shifted(values: FloatArray, distance: float, length: float = 1.0) -> FloatArray:
    """The functions u(x - distance), exact for trigonometric polynomials below the Nyquist frequency.

    Args:
        values: (count, n) over one period.
        distance: how far to the right.
        length: of the period.
    """
    n = values.shape[-1]
    return np.asarray(np.fft.irfft(np.fft.rfft(values) * np.exp(-1j * wave_numbers(n, length) * distance), n))


def burgers(
    initial: FloatArray, times: FloatArray, viscosity: float, *, length: float = 1.0, steps: int | None = None
) -> FloatArray:
    """du/dt + u du/dx = nu d2u/dx2 on a periodic line, by Fourier modes and exponential time differencing of order 4.

    The diffusion is integrated exactly; u^2 is formed on half as many points again, so that nothing aliases.

    Args:
        initial: (count, n) at time 0.
        times: (T,) rising, from 0 on, equally spaced.
        viscosity: nu.
        length: of the period.
        steps: time steps between two of the times; chosen from the largest speed by default.

    Returns:
        (count, n, T).

    Raises:
        ConfigError: times that do not rise in equal steps from 0 on.
        DivergenceError: the steps were too few.

    Notes: a shock of width nu / max|u| needs some points across. Cost: four transforms of 3 n / 2 per step and stage.

    Reference: Cox, Matthews 2002, doi:10.1006/jcph.2002.6995; Kassam, Trefethen 2005, doi:10.1137/S1064827502410633.
    """
    real("burgers", "viscosity", viscosity, low=0.0)
    if initial.ndim != 2:
        raise ShapeError(f"burgers: got initial values of shape {initial.shape}, expected (count, n)")
    gaps = np.diff(times)
    if len(gaps) < 1 or times[0] != 0.0 or gaps.min() <= 0.0 or np.ptp(gaps) > 1e-9 * gaps.max():
        raise ConfigError(f"burgers: got times {times.tolist()[:4]}..., expected 0 and more, rising in equal steps")
    n, interval = initial.shape[1], float(times[-1]) / len(gaps)
    if steps is None:
        speed = max(float(np.abs(initial).max()), 1e-12)  # it never grows
        steps = math.ceil(interval * max(_PER_TIME, _COURANT * speed * n / length))
    integer("burgers", "steps", steps)
    method = _ExponentialRungeKutta(n, length, viscosity, interval / steps)
    state = np.fft.rfft(initial)
    found = np.empty((*initial.shape, len(times)))
    found[..., 0] = initial
    for number in range(1, len(times)):
        for _ in range(steps):
            state = method.step(state)
        found[..., number] = np.fft.irfft(state, n)
        if not np.isfinite(found[..., number]).all():
            raise DivergenceError(
                f"burgers: values are not finite at time {times[number]:.6g} with {steps} steps per interval, expected "
                "finite ones; take more steps"
            )
    return found


_PER_TIME, _COURANT = 100, 0.5
"""Steps per unit of time, and per crossing of a cell, of which the larger number is taken."""


class _ExponentialRungeKutta:
    """One step of ETDRK4 for u' = L u + N(u), L diagonal in Fourier modes and N = -1/2 d(u^2)/dx."""

    def __init__(self, points: int, length: float, viscosity: float, step: float) -> None:
        k = wave_numbers(points, length)
        self._points, self._padded = points, 3 * points // 2
        slope = 1j * k
        if points % 2 == 0:
            slope[-1] = 0.0  # the derivative of the mode that alternates from point to point is not on the grid
        self._half_slope = -0.5 * slope
        linear = -viscosity * k**2 * step
        # The coefficients are differences that cancel near zero: means over a circle around each number do not.
        z = linear[:, None] + np.exp(1j * math.pi * (np.arange(_CONTOUR) + 0.5) / _CONTOUR)
        ez = np.exp(z)
        self._whole, self._half = np.exp(linear), np.exp(linear / 2)
        self._q = step * np.real(np.mean((np.exp(z / 2) - 1) / z, axis=1))
        self._first = step * np.real(np.mean((-4 - z + ez * (4 - 3 * z + z**2)) / z**3, axis=1))
        self._middle = step * np.real(np.mean(2 * (2 + z + ez * (z - 2)) / z**3, axis=1))
        self._last = step * np.real(np.mean((-4 - 3 * z - z**2 + ez * (4 - z)) / z**3, axis=1))

    def step(self, v: ComplexArray) -> ComplexArray:
        n_v = self._nonlinear(v)
        a = self._half * v + self._q * n_v
        n_a = self._nonlinear(a)
        b = self._half * v + self._q * n_a
        n_b = self._nonlinear(b)
        c = self._half * a + self._q * (2 * n_b - n_v)
        return self._whole * v + self._first * n_v + self._middle * (n_a + n_b) + self._last * self._nonlinear(c)

    def _nonlinear(self, v: ComplexArray) -> ComplexArray:
        ratio = self._padded / self._points
        u = np.fft.irfft(v, self._padded) * ratio
        return self._half_slope * (np.fft.rfft(u * u)[..., : v.shape[-1]] / ratio)
