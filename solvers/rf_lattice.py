"""The lattice of a random-feature solution: a box divided evenly, and the cell that owns each place of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..domain import Box, Region
from ..errors import EmptyDomainError
from ..sampling import GaussLegendre, Sobol

IntArray = NDArray[np.intp]
_SLIVER = 0.15  # share of a place in the region below which a neighbour takes it over
_TENSOR_DIM = 3  # up to which tensor products of Gauss-Legendre nodes are used


@final
@dataclass(frozen=True, eq=False)
class CellLattice:
    """Cells centred at places of a lattice; a place without a cell of its own belongs to the nearest one.

    Args:
        lower: corner of the box.
        radius: half the edge lengths of a place.
        owners: number of the owning cell by place, of the lattice's shape.
        homes: (cells, d) the place at which each cell is centred.
    """

    lower: tuple[float, ...]
    radius: tuple[float, ...]
    owners: IntArray
    homes: IntArray

    @staticmethod
    def of(region: Region, counts: Sequence[int], points: int) -> CellLattice:
        """Cut the bounding box of a region into `counts` places per axis.

        Places less than 15 % of which lie in the region, seen on `points` points, get no cell.

        Raises:
            EmptyDomainError: no place lies in the region.
        """
        from scipy.ndimage import distance_transform_edt

        radius = tuple(length / (2 * n) for length, n in zip(region.lengths, counts, strict=True))
        shape = tuple(counts)
        places = CellLattice(tuple(region.lower), radius, np.arange(math.prod(shape)).reshape(shape), _indices(shape))
        kept = np.ones(shape, dtype=bool)
        if not isinstance(region, Box):
            x = places.placed(unit_nodes(points, region.dim), slice(None))
            inside = region.contains(x.reshape(-1, region.dim)).reshape(len(x), -1)
            kept = (inside.double().mean(dim=1).numpy() >= _SLIVER).reshape(shape)
        if not kept.any():
            raise EmptyDomainError(
                f"random-features: 0 of {kept.size} cells lie in the domain to {_SLIVER:.0%} or more, expected some; "
                "take more cells"
            )
        numbers = np.where(kept, np.cumsum(kept).reshape(shape) - 1, -1)
        _, nearest = distance_transform_edt(~kept, return_indices=True)
        return CellLattice(places.lower, radius, numbers[tuple(nearest)], np.argwhere(kept))

    @property
    def shape(self) -> tuple[int, ...]:
        """Places along each axis."""
        return self.owners.shape

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.homes)

    @cached_property
    def centres(self) -> Tensor:
        """(cells, d)."""
        return self._corner + self.radii * (2.0 * torch.from_numpy(self.homes) + 1.0)

    @cached_property
    def radii(self) -> Tensor:
        """(d,)."""
        return torch.tensor(self.radius, dtype=torch.float64)

    @cached_property
    def _corner(self) -> Tensor:
        return torch.tensor(self.lower, dtype=torch.float64)

    def place(self, x: Tensor) -> IntArray:
        """The place of each point of x (n, d), (n, d); beyond the box, the nearest one."""
        at: IntArray = ((x - self._corner) / (2 * self.radii)).floor().long().numpy()
        return np.clip(at, 0, np.array(self.shape) - 1)

    def owner(self, x: Tensor) -> IntArray:
        """Number of the cell that owns each point of x (n, d), (n,)."""
        found: IntArray = self.owners[tuple(self.place(x).T)]
        return found

    def local(self, x: Tensor, owners: IntArray) -> Tensor:
        """Coordinates (n, d) in the cells `owners` (n,), from -1 to 1 within the cells' homes."""
        return (x - self.centres[torch.from_numpy(owners)]) / self.radii

    def placed(self, local: Tensor, cells: IntArray | slice) -> Tensor:
        """The points at local coordinates (n, d) of several cells, (cells, n, d)."""
        return self.centres[cells, None, :] + self.radii * local


def unit_nodes(count: int, dim: int) -> Tensor:
    """About `count` nodes of (-1, 1)^dim, (n, dim): Gauss-Legendre up to three dimensions, a Sobol set beyond."""
    fixed = torch.Generator().manual_seed(60_013)
    if dim > _TENSOR_DIM:
        return 2.0 * Sobol(count).unit(dim, fixed)[0] - 1.0
    return 2.0 * GaussLegendre(nodes_per_axis(count, dim)).unit(dim, fixed)[0] - 1.0


def nodes_per_axis(count: int, dim: int) -> int:
    """Nodes of a tensor rule with at least `count` nodes in all."""
    return math.ceil(round(count ** (1 / max(dim, 1)), 9))


def _indices(shape: tuple[int, ...]) -> IntArray:
    return np.array(list(itertools.product(*(range(n) for n in shape))), dtype=np.intp)
