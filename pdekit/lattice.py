"""Lattices: where the data of a problem are read when their frequencies are looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .domain import Region

Array = NDArray[np.floating]
Reading = Callable[[Tensor], Tensor]
"""Data as a function of the points, (n, d) -> (n, ...)."""

_COUNTS = {
    1: (1_025, 8_193, 65_537),
    2: (193, 577, 1_537),
    3: (49, 97),
}  # points per axis, the next if one is too coarse
_LINES, _LINE_COUNT = 32, 513
_PROBES = 512
_RESOLVED = 0.15  # relative error of linear interpolation: about six points per wavelength
_BATCH = 2**17


@final
@dataclass(frozen=True, eq=False)
class Lattice:
    """A uniform grid over the bounding box of a region, on all axes or on some.

    Args:
        region: whose bounding box it fills.
        axes: along which it extends.
        count: points per axis, both ends included.
        base: the other coordinates, (d,).
    """

    region: Region
    axes: tuple[int, ...]
    count: int
    base: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Points per axis."""
        return (self.count,) * len(self.axes)

    @property
    def radii(self) -> tuple[float, ...]:
        """Half the box's length on each of its axes."""
        return tuple(0.5 * self.region.lengths[axis] for axis in self.axes)

    def points(self) -> Tensor:
        """All points, (count^axes, d)."""
        nodes = torch.linspace(0.0, 1.0, self.count, dtype=torch.float64)
        return self._placed(torch.cartesian_prod(*[nodes] * len(self.axes)).reshape(-1, len(self.axes)))

    def values(self, reading: Reading) -> Array:
        """Values of a reading, (count, ..., count, k), zero where it is not finite."""
        parts = [reading(part) for part in self.points().split(_BATCH)]
        found = torch.cat([part.detach().to(torch.float64) for part in parts]).numpy()
        return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0).reshape(*self.shape, *found.shape[1:])

    def resolves(self, reading: Reading) -> bool:
        """Whether linear interpolation between the points reproduces a reading elsewhere."""
        from scipy.interpolate import RegularGridInterpolator

        generator = torch.Generator().manual_seed(50_207)
        unit = torch.rand(_PROBES, len(self.axes), dtype=torch.float64, generator=generator)
        wanted = np.nan_to_num(reading(self._placed(unit)).detach().numpy()).reshape(_PROBES, -1)
        values = self.values(reading).reshape(*self.shape, -1)
        found = RegularGridInterpolator([np.linspace(0.0, 1.0, self.count)] * len(self.axes), values)(unit.numpy())
        size = np.sqrt(np.mean((wanted - wanted.mean(axis=0)) ** 2))
        return bool(np.sqrt(np.mean((found - wanted) ** 2)) <= _RESOLVED * size + 1e-12 * np.abs(wanted).max())

    def _placed(self, unit: Tensor) -> Tensor:
        x = self.base.expand(len(unit), -1).clone()
        for column, axis in enumerate(self.axes):
            x[:, axis] = self.region.lower[axis] + self.region.lengths[axis] * unit[:, column]
        return x


def resolving(region: Region, readings: Sequence[Reading]) -> tuple[tuple[Lattice, ...], bool]:
    """Lattices that resolve all readings, and whether the finest affordable ones do.

    Up to three dimensions one grid, refined until it resolves; beyond, axis-parallel lines through random points.
    """
    base = torch.tensor(region.lower, dtype=torch.float64)
    if region.dim <= max(_COUNTS):
        axes = tuple(range(region.dim))
        for count in _COUNTS[region.dim]:
            grid = Lattice(region, axes, count, base)
            if all(grid.resolves(reading) for reading in readings):
                return (grid,), True
        return (grid,), False
    generator = torch.Generator().manual_seed(50_221)
    unit = torch.rand(_LINES, region.dim, dtype=torch.float64, generator=generator)
    starts = base + unit * torch.tensor(region.lengths, dtype=torch.float64)
    lines = tuple(Lattice(region, (i % region.dim,), _LINE_COUNT, start) for i, start in enumerate(starts))
    return lines, all(line.resolves(reading) for line in lines for reading in readings)
