"""Delta_F at the peaks of a grid function's spectrum: the instrument that hybrids and relaxations carry along."""

from __future__ import annotations

import numpy as np

from ..discrete import Grid
from ..spectrum import DeltaF, Hann, Periodic, Sines, Spectrum, eigenmodes_near, peaks, spectrum

_PEAKS = 3
_MOST_POINTS = 2**17  # each mode is stored at every point
_NOTHING = 1e-10  # share of the largest mode that is round-off: a side lobe of the window, no peak


def windowed_spectrum(grid: Grid, values: np.ndarray) -> Spectrum:
    """Spectrum in which frequencies show at their places whether or not they fit the box; padded where that is cheap."""
    padding = 8 if grid.dim == 1 else 1
    return spectrum(values, grid.spacing, basis=Periodic(closed=True, padding=padding), window=Hann())


def delta_of(grid: Grid, reference: np.ndarray) -> DeltaF | None:
    """Delta_F at the Dirichlet eigenmodes nearest to the reference's highest peaks; None on grids too large for it.

    Notes: see `DeltaF` on why eigenmodes: under relaxation each decays at its own rate, and an orthogonal set shows
    exactly its own.
    """
    if grid.size > _MOST_POINTS or not np.any(reference):
        return None
    found = peaks(windowed_spectrum(grid, reference), _PEAKS)
    orders = np.unique(eigenmodes_near(reference, grid.spacing, found.wavevectors), axis=0)
    shares = np.abs(Sines.on_box(orders, grid.lower, grid.upper).matrix(grid.points()).T @ reference.ravel())
    held = orders[shares > _NOTHING * shares.max()]
    return DeltaF(reference.ravel(), grid.points(), Sines.on_box(held, grid.lower, grid.upper))
