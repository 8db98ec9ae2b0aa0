"""Spectra of grid functions, their peaks and their dominant frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from ._arrays import Array, as_field, per_axis
from .basis import Basis, Periodic, as_bases, radius, transform


class Window(Protocol):
    """A taper that takes a function to zero at both ends of each axis."""

    @property
    def gain(self) -> float:
        """Mean of the taper, by which amplitudes are divided."""

    def __call__(self, positions: Array) -> Array:
        """The taper at positions from 0 to 1."""


@final
@dataclass(frozen=True)
class Hann:
    """w(s) = sin^2(pi s): leakage falls as 1/k^3, every peak is 4 bins wide (8 pi / L), its height known to 15 %."""

    gain = 0.5

    def __call__(self, positions: Array) -> Array:
        """sin^2(pi s)."""
        return np.sin(np.pi * positions) ** 2


@final
@dataclass(frozen=True, eq=False)
class Spectrum:
    """Amplitudes of a grid function over its wave numbers: u = sum over k of amplitude(k) e_k, with max |e_k| = 1.

    Args:
        wavenumbers: for each axis, the angular wave numbers k, in radians per unit of length (sin(4 x) has k = 4).
        amplitude: (K1, ..., Kd), complex for the `Periodic` basis (a cosine of height 1 gives 1/2 at +k and -k) and real
            for `Odd` and `Even` (a basis function of height 1 gives 1).
        cyclic: for each axis, whether its last wave number is a neighbour of its first.
    """

    wavenumbers: tuple[Array, ...]
    amplitude: NDArray[np.inexact]
    cyclic: tuple[bool, ...]

    @property
    def magnitude(self) -> Array:
        """|amplitude|, in the same shape."""
        return np.abs(self.amplitude)

    @property
    def radius(self) -> Array:
        """|k| of every amplitude, in the same shape."""
        return radius(self.wavenumbers)

    def wavevectors(self, index: NDArray[np.intp]) -> Array:
        """Wave vectors (p, d) of the entries at `index` (p, d)."""
        return np.stack([k[index[:, axis]] for axis, k in enumerate(self.wavenumbers)], axis=1)


@final
@dataclass(frozen=True, eq=False)
class Peaks:
    """Local maxima of a spectrum, by rising |k|.

    Args:
        wavevectors: (p, d).
        amplitude: (p,), as in the spectrum.
        index: (p, d), their place in the spectrum.
    """

    wavevectors: Array
    amplitude: NDArray[np.inexact]
    index: NDArray[np.intp]


def spectrum(
    values: ArrayLike,
    spacing: float | Sequence[float],
    *,
    basis: Basis | tuple[Basis, ...] = Periodic(),  # noqa: B008 (frozen)
    window: Window | None = None,
    detrend: bool = False,
) -> Spectrum:
    """Spectrum of a function given on a tensor grid.

    u(x) = sum over k of u_hat(k) exp(i k.x), and the same with sines or cosines for the other bases.

    Args:
        values: (N1, ..., Nd), one component.
        spacing: grid spacing, one number or one for each axis.
        basis: what the function does beyond the ends, one for all axes or one for each.
        window: taper against leakage; amplitudes are corrected for its mean.
        detrend: subtract the best affine function first, which otherwise fills the lowest wave numbers.

    Returns:
        The spectrum over angular wave numbers.

    Raises:
        ShapeError, NonFiniteError, DtypeError: the values are no finite grid function.

    Notes:
        On an interval of length L frequencies closer than 2 pi / L are one peak. The book's example (sin x, sin 4x, sin 8x,
        sin 24x on an interval of length 2) therefore has three peaks, not four, and shows them at their places with
        `basis=Periodic(closed=True, padding=8), window=Hann()`.

    Reference: book, section 15.5, figure 15.1(a).

    >>> x = np.linspace(0.0, 2 * np.pi, 65)
    >>> found = peaks(spectrum(np.cos(3 * x), x[1] - x[0], basis=Periodic(closed=True)), count=1)
    >>> found.wavevectors.round(6).tolist(), found.amplitude.real.round(6).tolist()
    ([[3.0]], [0.5])
    """
    field = as_field("values", values)
    bases = as_bases(basis, field.ndim)
    steps = per_axis("spacing", spacing, field.ndim)
    shapes = [tuple(-1 if a == axis else 1 for a in range(field.ndim)) for axis in range(field.ndim)]
    if detrend:
        field = _detrended(field, shapes)
    scales = [b.peak_values(n, float(h)) for b, n, h in zip(bases, field.shape, steps, strict=True)]
    if window is not None:
        for axis, (b, n) in enumerate(zip(bases, field.shape, strict=True)):
            field = field * window(b.positions(n)).reshape(shapes[axis])
            scales[axis] = scales[axis] / window.gain
    wavenumbers, amplitude = transform(field, steps, bases)
    for scale, shape in zip(scales, shapes, strict=True):
        amplitude = amplitude * scale.reshape(shape)
    return Spectrum(wavenumbers, amplitude, tuple(b.cyclic for b in bases))


def peaks(of: Spectrum, count: int, *, floor: float = 1e-3) -> Peaks:
    """The `count` highest local maxima of |u_hat(k)|, by rising |k|.

    An entry is a peak if no neighbour (diagonal ones too) is higher. Of k and -k, which a real function has alike, only
    the one whose first nonzero component is positive counts.

    Args:
        of: the spectrum, usually of the reference solution.
        count: how many at most.
        floor: ignore maxima below this share of the highest (round-off and window side lobes; Hann's highest is 0.027,
            falling fast).

    Returns:
        At most `count` peaks; fewer if there are no more.
    """
    if count < 1:
        raise ConfigError(f"peaks: got count={count}, expected at least 1; try 3")
    magnitude = of.magnitude
    highest = magnitude > floor * magnitude.max(initial=0.0)
    for axis, cyclic in enumerate(of.cyclic):
        if cyclic:
            highest &= _not_negative(of.wavenumbers, axis)
    neighbourhood = magnitude
    for axis, cyclic in enumerate(of.cyclic):
        neighbourhood = _widened(neighbourhood, axis, cyclic)
    index = np.argwhere(highest & (magnitude >= neighbourhood))
    index = index[np.argsort(-magnitude[tuple(index.T)], kind="stable")[:count]]
    index = index[np.argsort(np.linalg.norm(of.wavevectors(index), axis=1), kind="stable")]
    return Peaks(of.wavevectors(index), of.amplitude[tuple(index.T)], index)


def dominant_frequencies(
    values: ArrayLike, spacing: float | Sequence[float], count: int = 8, *, floor: float = 0.05
) -> Array:
    """Wave vectors of the strongest oscillations of a function on a grid with both ends, strongest first.

    Affine trend removed, Hann window, peaks of the spectrum, each moved to the top of the parabola through the logarithms
    of the three magnitudes around it on every axis.

    Args:
        values: (N1, ..., Nd).
        spacing: one number or one for each axis.
        count: how many at most.
        floor: ignore peaks below this share of the highest.

    Returns:
        (p, d) angular wave numbers |k_a| on each axis, p <= count; p = 0 for an affine function.

    Notes:
        Good to about 0.1 x 2 pi / L for frequencies that are at least 4 x 2 pi / L apart and above that; what makes less
        than two periods on the grid is seen as the lowest bins.

    >>> x = np.linspace(-1.0, 1.0, 401)
    >>> float(dominant_frequencies(np.sin(24 * x) + x, x[1] - x[0], 1)[0, 0].round(1))
    24.0
    """
    field = as_field("values", values)
    steps = per_axis("spacing", spacing, field.ndim)
    of = spectrum(field, tuple(steps), basis=Periodic(closed=True), window=Hann(), detrend=True)
    if of.magnitude.max() <= 1e-12 * np.abs(field).max():
        return np.zeros((0, field.ndim))
    magnitude = of.magnitude
    seen: dict[tuple[float, ...], tuple[float, Array]] = {}
    found = peaks(of, count << field.ndim, floor=floor)  # sin(kx) sin(ly) has its peak at (k, l) and at (k, -l)
    for index, vector, amplitude in zip(found.index, found.wavevectors, found.amplitude, strict=True):
        key = tuple(np.abs(vector))
        if key not in seen or seen[key][0] < abs(amplitude):
            shift = np.array([_summit(magnitude, tuple(index), axis) for axis in range(field.ndim)])
            bins = np.array([2 * np.pi / (k.size * h) for k, h in zip(of.wavenumbers, steps, strict=True)])
            seen[key] = (abs(amplitude), np.abs(vector + shift * bins))
    ranked = sorted(seen.values(), key=lambda pair: -pair[0])[:count]
    return np.array([vector for _, vector in ranked])


def _detrended(field: NDArray[np.inexact], shapes: list[tuple[int, ...]]) -> NDArray[np.inexact]:
    """`field` less its least-squares affine function; on a tensor grid the mean and the slopes are orthogonal."""
    rest = field - field.mean()
    for axis, shape in enumerate(shapes):
        s = np.linspace(-1.0, 1.0, field.shape[axis])
        others = tuple(a for a in range(field.ndim) if a != axis)
        slope = (rest.mean(axis=others) @ s) / (s @ s)
        rest = rest - (slope * s).reshape(shape)
    return rest


def _not_negative(wavenumbers: tuple[Array, ...], axis: int) -> NDArray[np.bool_]:
    """Where k on `axis` is positive, or zero, or decided by an earlier axis that is not zero."""
    dim = len(wavenumbers)
    decided = np.zeros((1,) * dim, dtype=bool)
    for before in range(axis):
        decided = decided | (wavenumbers[before] != 0).reshape([-1 if a == before else 1 for a in range(dim)])
    result: NDArray[np.bool_] = decided | (wavenumbers[axis] >= 0).reshape([-1 if a == axis else 1 for a in range(dim)])
    return result


def _widened(magnitude: Array, axis: int, cyclic: bool) -> Array:
    """Maximum of each entry and its two neighbours along `axis`."""
    lower, upper = np.roll(magnitude, 1, axis), np.roll(magnitude, -1, axis)
    if not cyclic:
        np.moveaxis(lower, axis, 0)[0] = 0.0
        np.moveaxis(upper, axis, 0)[-1] = 0.0
    return np.maximum(magnitude, np.maximum(lower, upper))


def _summit(magnitude: Array, index: tuple[int, ...], axis: int) -> float:
    """Offset in bins, within (-1/2, 1/2), of the top of the parabola through three log magnitudes."""
    line = np.moveaxis(magnitude, axis, -1)[(*index[:axis], *index[axis + 1 :])]
    at = index[axis]
    left, middle, right = np.log(np.maximum(line[[at - 1, at, (at + 1) % line.size]], np.finfo(float).tiny))
    curvature = left - 2 * middle + right
    return 0.0 if curvature >= 0 else float(0.5 * (left - right) / curvature)
