"""Which scales a function has beside its smooth part: the few bands that hold nearly all its energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ._arrays import Array, as_real
from .transform import Hann

SMOOTH_DEGREE = 4
"""Degree per axis up to which polynomials count as smooth: on [-1, 1] under a Hann window they hold waves up to about k = 6."""

_REACH = np.sqrt(2.0)  # a scale stands for half an octave to either side
_SMOOTH_BINS = 2  # what polynomials leave over of smooth functions
_LEAKAGE = 2.5  # bins: half the main lobe of the window, and a half for peaks between bins


@final
@dataclass(frozen=True, eq=False)
class Content:
    """Energy of functions on [-1, 1]^d by wave number.

    Args:
        energy: (B,) of what is not smooth, by max over the axes of |k_a| rounded to a multiple of pi.
        whole: energy of all, the smooth part included.
    """

    energy: Array
    whole: float

    def __add__(self, other: Content) -> Content:
        """The content of both functions, as of one with two components."""
        count = max(len(self.energy), len(other.energy))
        parts = (np.pad(part.energy, (0, count - len(part.energy))) for part in (self, other))
        return Content(sum(parts, np.zeros(count)), self.whole + other.whole)

    def scaled(self, factor: float) -> Content:
        """The content of functions sqrt(factor) times as large."""
        return Content(factor * self.energy, factor * self.whole)

    def within(self, band: Band) -> float:
        """Energy in a band."""
        return float(self.energy[band.bins].sum())


@final
@dataclass(frozen=True)
class Band:
    """A band of frequencies around a peak.

    Args:
        wavenumber: its mean, angular, in coordinates scaled to [-1, 1].
        share: square root of the band's share of the whole energy.
        bins: the entries of `Content.energy` it covers.
    """

    wavenumber: float
    share: float
    bins: slice


def content(components: Sequence[Array]) -> Content:
    """Content of functions, less their polynomial part of degree 4 per axis.

    Args:
        components: (N1, ..., Nd) each, such as the slopes of one function, on a grid over [-1, 1]^d with both ends.

    Notes:
        Under a Hann window frequencies show at their places whether or not they fit the box; what happens only near the
        boundary is not seen.
    """
    parts = []
    for component in components:
        windowed, rough = _windowed(as_real("component", component))
        parts.append(Content(_energy(rough), float(np.mean(windowed**2))))
    return sum(parts, Content(np.zeros(1), 0.0))


def cover(of: Content, *, floor: float, most: int) -> tuple[Band, ...]:
    """Bands around the highest peaks, one after the other, until what is left is below the floor.

    Args:
        of: energies by wave number.
        floor: share of the whole, in amplitude, below which a band does not count.
        most: how many at most.

    Returns:
        By rising wave number; broad spectra get bands an octave apart.
    """
    left = of.energy.copy()
    left[:_SMOOTH_BINS] = 0.0
    found: list[Band] = []
    while len(found) < most and of.whole > 0:
        peak = int(left.argmax())
        lower = min(peak / _REACH, peak - _LEAKAGE)
        upper = max(peak * _REACH, peak + _LEAKAGE)
        bins = slice(max(0, int(np.ceil(lower))), int(upper) + 1)
        share = float(np.sqrt(left[bins].sum() / of.whole))
        if share <= floor:
            break
        orders = np.arange(len(left))[bins]
        found.append(Band(float(np.pi * (orders @ left[bins]) / left[bins].sum()), share, bins))
        left[bins] = 0.0
    return tuple(sorted(found, key=lambda band: band.wavenumber))


def _windowed(values: Array) -> tuple[Array, Array]:
    """`values` under a Hann window of root mean square 1; the same less their best polynomial of degree 4 per axis.

    The polynomial is best under the window: without it, it would follow any oscillation near the ends.
    """
    bases = []
    for axis, count in enumerate(values.shape):
        s = np.linspace(-1.0, 1.0, count)
        taper = Hann()((s + 1.0) / 2.0) / np.sqrt(3 / 8)
        values = values * taper.reshape(tuple(-1 if a == axis else 1 for a in range(values.ndim)))
        polynomials = np.polynomial.legendre.legvander(s, min(SMOOTH_DEGREE, count - 3))
        bases.append(np.linalg.qr(taper[:, None] * polynomials)[0])
    smooth = values
    for axis, basis in enumerate(bases):
        smooth = np.moveaxis(np.tensordot(basis, np.tensordot(basis, smooth, (0, axis)), (1, 0)), 0, axis)
    return values, values - smooth


def _energy(values: Array) -> Array:
    """Mean square of a periodic function, both ends given, by max |k_a| / pi."""
    from scipy.fft import rfftn

    inner = values[(slice(0, -1),) * values.ndim]
    amplitude = rfftn(inner, norm="forward")
    power = 2.0 * np.abs(amplitude) ** 2  # of k and -k
    power[..., 0] *= 0.5
    if inner.shape[-1] % 2 == 0:
        power[..., -1] *= 0.5
    orders = [np.abs(np.fft.fftfreq(n, 1.0 / n)) for n in inner.shape[:-1]]
    orders.append(np.arange(amplitude.shape[-1], dtype=float))
    highest = np.zeros((1,) * values.ndim)
    for axis, order in enumerate(orders):
        highest = np.maximum(highest, order.reshape(tuple(-1 if a == axis else 1 for a in range(values.ndim))))
    return np.bincount(np.rint(highest).astype(int).ravel(), weights=power.ravel()).astype(np.float64)
