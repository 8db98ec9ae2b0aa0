"""Error by frequency band, and when each band converged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import FrequencyError, ShapeError
from ._arrays import Array, as_field, as_numbers, as_real, per_axis
from .basis import Basis, Even, Periodic, as_bases, radius, transform


def octaves(lowest: float, highest: float) -> Array:
    """Band edges lowest x (1, 2, 4, ...) up to `highest`; the last band may be 0.7 to 1.4 octaves wide.

    >>> octaves(1.0, 20.0).tolist()
    [1.0, 2.0, 4.0, 8.0, 20.0]
    """
    if not 0 < lowest < highest < np.inf:
        raise FrequencyError(f"octaves: got {lowest} and {highest}, expected 0 < lowest < highest; give pi/L and pi/h")
    count = max(1, round(np.log2(highest / lowest)))
    return np.append(lowest * 2.0 ** np.arange(count), highest)


def low_mid_high(lowest: float, highest: float) -> Array:
    """Edges of three bands of equal width in log k.

    >>> low_mid_high(1.0, 1000.0).round(9).tolist()
    [1.0, 10.0, 100.0, 1000.0]
    """
    if not 0 < lowest < highest < np.inf:
        raise FrequencyError(f"low_mid_high: got {lowest} and {highest}, expected 0 < lowest < highest")
    return np.geomspace(lowest, highest, 4)


@final
@dataclass(frozen=True, eq=False)
class Bands:
    """Energies of an error and of its reference by band of |k|; they sum to the squared L2 norms.

    Args:
        edges: (B + 1,) angular wave numbers. Band i holds edges[i] <= |k| < edges[i+1]; the first also holds everything
            below (the mean), the last everything above (corners of the box in k).
        error_energy: (B,).
        reference_energy: (B,).
    """

    edges: Array
    error_energy: Array
    reference_energy: Array

    @property
    def relative(self) -> Array:
        """(B,) relative error of each band: sqrt(error energy / reference energy of the same band).

        A band in which the reference has less than 1e-12 of its energy is compared with that much, so the number is
        finite and at most 1e6 x the error relative to the whole reference.
        """
        floor = 1e-12 * self.reference_energy.sum()
        return np.sqrt(self.error_energy / np.maximum(self.reference_energy, floor))

    @property
    def share(self) -> Array:
        """(B,) part of each band in the relative L2 error: sqrt(error energy / whole reference energy)."""
        return np.sqrt(self.error_energy / self.reference_energy.sum())

    @property
    def total(self) -> float:
        """Relative L2 error, over all bands."""
        return float(np.sqrt(self.error_energy.sum() / self.reference_energy.sum()))

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each band."""
        return tuple(f"{a:.3g}-{b:.3g}" for a, b in zip(self.edges, self.edges[1:], strict=False))

    def rows(self) -> list[dict[str, float]]:
        """One plain dict for each band, for tables and JSON."""
        columns = (self.edges, self.edges[1:], self.relative, self.share)
        names = ("k_from", "k_to", "relative", "share")
        return [dict(zip(names, (float(v) for v in row), strict=True)) for row in zip(*columns, strict=False)]


@final
class BandMeter:
    """Measures the error of grid functions by band against one reference; prepared once, used at every probe.

    E_band = sum over edges[i] <= |k| < edges[i+1] of |c_k|^2, with c the orthonormal coefficients, so that sum of all E is
    the squared L2 norm by the basis's quadrature (trapezoid rule for `Even`).

    Args:
        reference: (N1, ..., Nd) on a grid with both ends, one component.
        spacing: one number or one for each axis.
        edges: (B + 1,) rising wave numbers; octaves from the lowest wave number to the Nyquist number by default.
        basis: `Even()` (default) for any boundary values, `Odd()` for functions that vanish on the boundary, in which
            eigenmodes stay in their band exactly; one for all axes or one for each.

    Raises:
        FrequencyError: edges not rising or beginning above the Nyquist number; reference zero.
        ShapeError, NonFiniteError: as the names say.

    Notes:
        For a residual without a reference pass the residual as both: `share` then is each band's part of it.
        A call costs one fast transform: 0.1 ms for 1001 points, about 0.2 s for 129^3. Off a grid see `FilterMeter`.
    """

    def __init__(
        self,
        reference: ArrayLike,
        spacing: float | Sequence[float],
        *,
        edges: ArrayLike | None = None,
        basis: Basis | tuple[Basis, ...] = Even(),  # noqa: B008 (frozen)
    ) -> None:
        """Transform the reference and sort the wave numbers into bands."""
        field = as_field("reference", reference)
        self._shape = field.shape
        self._spacing = per_axis("spacing", spacing, field.ndim)
        self._bases = as_bases(basis, field.ndim)
        wavenumbers, coefficients = transform(field, self._spacing, self._bases)
        lowest = min(float(np.abs(k[k != 0]).min()) for k in wavenumbers)
        nyquist = float((np.pi / self._spacing).max())
        self.edges = (
            octaves(min(lowest, nyquist / 2), nyquist)
            if edges is None
            else _checked_edges(edges, nyquist, max(field.shape))
        )
        size = np.broadcast_to(radius(wavenumbers), coefficients.shape)
        self._band = np.searchsorted(self.edges[1:-1], size.ravel(), side="right")
        self._reference_energy = self._energies(coefficients)
        if not self._reference_energy.any():
            raise FrequencyError(
                "reference: got zero everywhere, expected a function; relative errors need a reference"
            )

    def _energies(self, coefficients: NDArray[np.inexact]) -> Array:
        energy = np.abs(coefficients.ravel()) ** 2
        sums: Array = np.bincount(self._band, weights=energy, minlength=len(self.edges) - 1).astype(np.float64)
        return sums

    def energies(self, values: ArrayLike) -> Array:
        """Energy (B,) of `values`, on the reference's grid, in each band (of a residual, say)."""
        field = as_field("values", values)
        if field.shape != self._shape:
            raise ShapeError(f"values: got shape {field.shape}, expected {self._shape}, the reference's grid")
        return self._energies(transform(field, self._spacing, self._bases)[1])

    def __call__(self, error: ArrayLike) -> Bands:
        """Bands of `error` = values - reference, on the reference's grid."""
        return Bands(self.edges, self.energies(error), self._reference_energy)


def bands_of(
    error: ArrayLike,
    reference: ArrayLike,
    spacing: float | Sequence[float],
    *,
    edges: ArrayLike | None = None,
    basis: Basis | tuple[Basis, ...] = Even(),  # noqa: B008 (frozen)
) -> Bands:
    """Bands of one error; see `BandMeter`, which is faster when there are many.

    >>> x = np.linspace(0.0, np.pi, 65)
    >>> found = bands_of(0.1 * np.cos(x) + 0.3 * np.cos(9 * x), np.cos(x) + np.cos(9 * x), x[1] - x[0])
    >>> found.relative.round(9)[[0, 3]].tolist()
    [0.1, 0.3]
    """
    return BandMeter(reference, spacing, edges=edges, basis=basis)(error)


def band_energies(
    values: ArrayLike,
    spacing: float,
    edges: ArrayLike,
    *,
    basis: Basis = Periodic(),  # noqa: B008 (frozen)
) -> Array:
    """Energies (..., B) by band of |k| of many functions of one coordinate at once, say of every step and seed of a run.

    Args:
        values: (..., n) on a grid.
        spacing: of the grid.
        edges: (B + 1,) as in `Bands`: the first band also holds everything below, the last everything above.
        basis: what the functions do beyond the ends.

    >>> x = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
    >>> band_energies([np.sin(x), 2 * np.sin(9 * x)], x[1], [0, 5, 32]).round(9).tolist()
    [[3.141592654, 0.0], [0.0, 12.566370614]]
    """
    samples = as_numbers("values", values)
    count = samples.shape[-1] if samples.ndim else 0
    if count < 3:
        raise ShapeError(f"values: got shape {samples.shape}, expected (..., n) with at least 3 grid points")
    step = float(per_axis("spacing", spacing, 1)[0])
    limits = _checked_edges(edges, np.pi / step, count)
    band = np.searchsorted(limits[1:-1], np.abs(basis.wavenumbers(count, step)), side="right")
    energy = np.abs(basis.coefficients(samples, samples.ndim - 1, step)) ** 2
    member = (band[:, None] == np.arange(len(limits) - 1)).astype(float)
    sums: Array = energy @ member
    return sums


def _checked_edges(edges: ArrayLike, nyquist: float, count: int) -> Array:
    array = as_real("edges", edges)
    if array.ndim != 1 or len(array) < 2 or array[0] < 0 or (np.diff(array) <= 0).any():
        raise FrequencyError(
            f"edges: got {array.tolist()}, expected at least two rising wave numbers; try octaves(pi/L, pi/h)"
        )
    if array[-2] >= nyquist * (1 + 1e-9):
        raise FrequencyError(
            f"edges: got a band from k = {array[-2]:.6g} on, where N = {count} points on an axis resolve at most "
            f"k = {nyquist:.6g} (Nyquist); drop it or refine the grid"
        )
    return array
