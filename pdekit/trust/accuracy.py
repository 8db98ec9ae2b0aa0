"""Errors against the exact or reference solution, and energies by frequency band of errors and residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..discrete import Grid
from ..domain import Points, Region
from ..errors import FrequencyError
from ..field import Field, GridField
from ..problem import Problem
from ..spectrum import BandMeter, Bands, FilterMeter
from .residual import strong_residual

_ERROR_POINTS = {1: 2049, 2: 257, 3: 65}
_FILTERED = 4096  # the filter is a dense matrix
_RESIDUAL_POINTS = {1: 2049, 2: 129, 3: 33}  # a residual costs about five times a value


@final
@dataclass(frozen=True)
class Accuracy:
    """Errors against a known solution: relative L2 and largest."""

    rel_l2: float
    max_error: float


def accuracy(values: Tensor, exact: Tensor, weight: Tensor) -> Accuracy:
    """Relative L2 and largest error of values (n, m) at points with weights (n,)."""
    error = values - exact
    size = float((weight @ exact**2).sum())
    rest = float((weight @ error**2).sum())
    relative = math.sqrt(rest / size) if size > 0 else (0.0 if rest == 0 else math.inf)
    return Accuracy(relative, float(error.abs().max()))


def discrete_error(field: Field, target: np.ndarray) -> float | None:
    """Largest difference between a field and the discrete solution on its grid."""
    if isinstance(field, GridField) and field.values.shape == target.shape:
        return float(np.abs(field.values - target).max())
    return None


def box_grid(region: Region, points: int) -> Grid:
    """A uniform grid over all coordinates of the bounding box, time included."""
    return Grid(region.lower, region.upper, (points,) * region.dim)


def error_bands(problem: Problem, field: Field, points: Points) -> Bands | None:
    """Error against the reference by wave number: octaves on a grid over up to three coordinates, else two halves.

    Args:
        problem: with a reference; None comes back without.
        field: the answer.
        points: held-out points, for what has no grid.

    Notes:
        Regions that are no boxes are cut out of their bounding box: error and reference are zero outside. The edge carries
        a little of every wave number, k^(-3/2), into the bands above it, of both alike.
    """
    grid = _band_grid(problem, _ERROR_POINTS)
    if grid is None:
        return _filtered_bands(problem, field, points)
    reference = problem.reference()
    if reference is None:
        return None
    x, inside = _inside(problem, grid)
    known = reference(x)
    return _summed_bands(grid, inside, (field(x) - known).numpy(), known.numpy())


def residual_bands(problem: Problem, field: Field) -> Bands | None:
    """Shares of the residual by octave of wave number.

    Raises:
        NotApplicableError: the field has no derivatives.
    """
    grid = _band_grid(problem, _RESIDUAL_POINTS)
    if grid is None:
        return None
    x, inside = _inside(problem, grid)
    residual = strong_residual(problem, field, x).numpy()
    return _summed_bands(grid, inside, residual, residual)


def _band_grid(problem: Problem, points: Mapping[int, int]) -> Grid | None:
    region = problem.domain
    return box_grid(region, points[region.dim]) if region.dim in points else None


def _inside(problem: Problem, grid: Grid) -> tuple[Tensor, np.ndarray]:
    """The grid's points in the domain, and which they are, (grid.size,)."""
    x = torch.from_numpy(grid.points())
    inside = problem.domain.contains(x)
    return x[inside], inside.numpy()


def _filtered_bands(problem: Problem, field: Field, points: Points) -> Bands | None:
    """Two bands from a Gaussian filter at scattered points; None where the points are too sparse for one.

    With G the filter, <G e, e> and <e - G e, e> weigh |e_k|^2 by a bell curve around k = 0 and by the rest of it: they are
    not negative, and sum to |e|^2 as the energies of bands do.
    """
    x, weight = points.x[:_FILTERED].numpy(), points.weight[:_FILTERED].numpy()
    reference = problem.reference()
    if reference is None:
        return None
    known = reference(points.x[:_FILTERED]).numpy()
    cutoff = 2 * math.pi / max(problem.domain.lengths)
    try:
        meter = FilterMeter(known, x, cutoff, weight)
    except FrequencyError:
        return None

    def energies(values: np.ndarray) -> np.ndarray:
        low = meter.low(values)
        parts = (weight @ (low * values)).sum(), (weight @ ((values - low) * values)).sum()
        return np.maximum(parts, 0.0)

    error = field(points.x[:_FILTERED]).numpy() - known
    size = energies(known)
    return Bands(np.array([0.0, cutoff, 2 * cutoff]), energies(error), size) if size.any() else None


def _summed_bands(grid: Grid, inside: np.ndarray, error: np.ndarray, reference: np.ndarray) -> Bands | None:
    """Bands of all components together; None for a reference that is zero or values that are not finite."""
    if not (np.isfinite(error).all() and np.isfinite(reference).all()):
        return None
    parts: list[Bands] = []
    for e, r in zip(error.T, reference.T, strict=True):
        try:
            parts.append(BandMeter(_spread(grid, inside, r), grid.spacing)(_spread(grid, inside, e)))
        except FrequencyError:  # this component is zero
            continue
    if not parts:
        return None
    errors, references = (
        np.sum([getattr(p, name) for p in parts], axis=0) for name in ("error_energy", "reference_energy")
    )
    return Bands(parts[0].edges, errors, references)


def _spread(grid: Grid, inside: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at the inside points on the whole grid, zero elsewhere."""
    whole = np.zeros(grid.size)
    whole[inside] = values
    return whole.reshape(grid.shape)
