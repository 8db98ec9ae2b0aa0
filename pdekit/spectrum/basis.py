"""What a function does beyond the ends of a grid axis, which decides the transform that is right for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ShapeError
from ._arrays import Array


class Basis(Protocol):
    """An orthonormal system on one grid axis.

    With c the coefficients on all axes, sum |c|^2 is the quadrature of |u|^2 (Parseval), so that energies of sets of
    modes add up to the squared L2 norm.
    """

    @property
    def cyclic(self) -> bool:
        """Whether the last wave number is a neighbour of the first."""

    def positions(self, count: int) -> Array:
        """Place of the `count` grid points in the period or interval, from 0 to 1."""

    def wavenumbers(self, count: int, spacing: float) -> Array:
        """Angular wave numbers k (radians per unit of length) of the coefficients."""

    def peak_values(self, count: int, spacing: float) -> Array:
        """Largest absolute value of each basis function: amplitude = coefficient x peak value."""

    def coefficients(self, values: NDArray[np.inexact], axis: int, spacing: float) -> NDArray[np.inexact]:
        """Orthonormal coefficients of `values` along `axis`."""


@final
@dataclass(frozen=True)
class Periodic:
    """exp(i k x), k = 2 pi j / L: the discrete Fourier transform.

    Args:
        closed: the grid holds both ends of the period (as `Grid` does). They are one point of the circle: their mean
            is used, which is what the trapezoid rule does. Without this a grid with both ends has a period one
            spacing too long and every peak leaks.
        padding: continue by zeros to `padding` periods and so sample the spectrum `padding` times as finely. It moves
            peaks between bins to their place; it does not separate frequencies closer than 2 pi / L.

    Notes:
        A function that differs at the two ends leaks as 1/k, one whose slope differs as 1/k^2. Use a `Hann` window for
        frequencies that are no multiples of 2 pi / L.
    """

    closed: bool = False
    padding: int = 1

    def __post_init__(self) -> None:
        """Check the padding."""
        if self.padding < 1:
            raise ConfigError(f"Periodic: got padding={self.padding}, expected a whole number of at least 1; try 4")

    cyclic = True

    def _period(self, count: int) -> int:
        return count - 1 if self.closed else count

    def positions(self, count: int) -> Array:
        """j / (points per period)."""
        return np.arange(count) / self._period(count)

    def wavenumbers(self, count: int, spacing: float) -> Array:
        """2 pi j / (padding L), in the order of the FFT: zero, positive, negative."""
        return 2 * np.pi * np.fft.fftfreq(self.padding * self._period(count), spacing)

    def peak_values(self, count: int, spacing: float) -> Array:
        """1 / sqrt(L), times sqrt(padding) because padding shares the energy out over more bins."""
        period = self._period(count)
        return np.full(self.padding * period, np.sqrt(self.padding / (period * spacing)))

    def coefficients(self, values: NDArray[np.inexact], axis: int, spacing: float) -> NDArray[np.inexact]:
        """Orthonormal FFT."""
        from scipy.fft import fft

        if self.closed:
            body, last = np.split(values, [-1], axis=axis)
            first, inner = np.split(body, [1], axis=axis)
            values = np.concatenate([0.5 * (first + last), inner], axis=axis)
        padded = self.padding * values.shape[axis]
        return np.sqrt(spacing) * fft(values, n=padded, axis=axis, norm="ortho")


@final
@dataclass(frozen=True)
class Odd:
    """sin(k (x - a)), k = j pi / L, j = 1, 2, ...: the sine transform, for functions that vanish at both ends.

    These are the eigenfunctions of the Laplacian with Dirichlet conditions, of the continuous operator and of the
    5-point one alike. The grid holds both ends.

    Notes:
        The values at the two ends do not enter. A function that is not zero there leaks as 1/k: use `Even`, or subtract
        a lift of the boundary values. A function odd (even) about the middle has only even (odd) j, so every other
        coefficient is zero: look for peaks in the `Periodic` spectrum instead.
    """

    cyclic = False

    def positions(self, count: int) -> Array:
        """j / (count - 1)."""
        return np.linspace(0.0, 1.0, count)

    def wavenumbers(self, count: int, spacing: float) -> Array:
        """k = j pi / L, j = 1 .. count - 2."""
        return np.arange(1, count - 1) * (np.pi / ((count - 1) * spacing))

    def peak_values(self, count: int, spacing: float) -> Array:
        """sqrt(2 / L)."""
        return np.full(count - 2, np.sqrt(2.0 / ((count - 1) * spacing)))

    def coefficients(self, values: NDArray[np.inexact], axis: int, spacing: float) -> NDArray[np.inexact]:
        """Orthonormal DST-I of the inner points."""
        inner = values[(slice(None),) * axis + (slice(1, -1),)]
        return np.sqrt(spacing) * sine_transform(inner, axis)


@final
@dataclass(frozen=True)
class Even:
    """cos(k (x - a)), k = j pi / L, j = 0, 1, ...: the cosine transform, for functions with any values at the ends.

    The even continuation has no jump, only a kink, so leakage falls as 1/k^2 (1/k^4 where the slope vanishes at the
    ends). The grid holds both ends; Parseval holds with the trapezoid rule. The safe choice when nothing is known.
    """

    cyclic = False

    def positions(self, count: int) -> Array:
        """j / (count - 1)."""
        return np.linspace(0.0, 1.0, count)

    def wavenumbers(self, count: int, spacing: float) -> Array:
        """k = j pi / L, j = 0 .. count - 1."""
        return np.arange(count) * (np.pi / ((count - 1) * spacing))

    def peak_values(self, count: int, spacing: float) -> Array:
        """sqrt(2 / L), and sqrt(1 / L) for the constant and the sawtooth of the highest wave number."""
        peaks = np.full(count, np.sqrt(2.0 / ((count - 1) * spacing)))
        peaks[[0, -1]] /= np.sqrt(2.0)
        return peaks

    def coefficients(self, values: NDArray[np.inexact], axis: int, spacing: float) -> NDArray[np.inexact]:
        """Orthonormal DCT-I under the trapezoid rule."""
        from scipy.fft import dct

        shape = [1] * values.ndim
        shape[axis] = -1
        roots = np.full(values.shape[axis], np.sqrt(spacing))
        roots[[0, -1]] /= np.sqrt(2.0)  # square roots of the trapezoid weights
        result: NDArray[Any] = dct(values * roots.reshape(shape), type=1, axis=axis, norm="ortho", orthogonalize=True)
        return result


def as_bases(basis: Basis | tuple[Basis, ...], dim: int) -> tuple[Basis, ...]:
    """One basis for each of `dim` axes; a single one holds for all."""
    bases = basis if isinstance(basis, tuple) else (basis,) * dim
    if len(bases) != dim:
        raise ShapeError(f"basis: got {len(bases)}, expected {dim}; give one for each axis of the values")
    return bases


def sine_transform(inner: NDArray[np.inexact], axis: int) -> NDArray[np.inexact]:
    """Orthonormal DST-I along `axis`; its own inverse. scipy refuses it for a single point, where it is 1."""
    from scipy.fft import dst

    if inner.shape[axis] == 1:
        return inner
    result: NDArray[Any] = dst(inner, type=1, axis=axis, norm="ortho")
    return result


def transform(
    values: NDArray[np.inexact], spacing: Array, bases: tuple[Basis, ...]
) -> tuple[tuple[Array, ...], NDArray[np.inexact]]:
    """Wave numbers of each axis and the orthonormal coefficients of `values` on all of them."""
    wavenumbers = tuple(
        basis.wavenumbers(count, float(h)) for basis, count, h in zip(bases, values.shape, spacing, strict=True)
    )
    for axis, (basis, h) in enumerate(zip(bases, spacing, strict=True)):
        values = basis.coefficients(values, axis, float(h))
    return wavenumbers, values


def radius(wavenumbers: tuple[Array, ...]) -> Array:
    """|k| of every coefficient, in the coefficients' shape."""
    total = np.zeros((1,) * len(wavenumbers))
    for axis, k in enumerate(wavenumbers):
        shape = [1] * len(wavenumbers)
        shape[axis] = -1
        total = total + (k * k).reshape(shape)
    return np.sqrt(total)
