"""Points of a random-feature solution: in its cells, on the boundary, and on the seams between cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..domain import Box, Region
from ..sampling import boundary_points
from .collocation import Law
from .rf_lattice import CellLattice, IntArray, unit_nodes

_DENSER = 1.5  # points on curved boundaries, where cells are cut anyhow, relative to those on faces


@final
@dataclass(frozen=True, eq=False)
class LocalPoints:
    """Points with the cells that own them.

    Args:
        x: (n, d).
        local: in the cells' coordinates, (n, d); bitwise the same for all cells that the region fills, so that these can
            share a factorisation.
        owner: number of the cell, (n,).
        normal: outward unit normals (n, d) on the boundary.
    """

    x: Tensor
    local: Tensor
    owner: IntArray
    normal: Tensor | None = None

    @staticmethod
    def found(lattice: CellLattice, x: Tensor, normal: Tensor | None = None) -> LocalPoints:
        """Given points."""
        owner = lattice.owner(x)
        return LocalPoints(x, lattice.local(x, owner), owner, normal)

    @staticmethod
    def joined(parts: Sequence[LocalPoints]) -> LocalPoints:
        """All points of several sets."""
        normals = [part.normal for part in parts if part.normal is not None]
        return LocalPoints(
            torch.cat([part.x for part in parts]),
            torch.cat([part.local for part in parts]),
            np.concatenate([part.owner for part in parts]),
            torch.cat(normals) if normals else None,
        )

    def of_cell(self, cell: int) -> Tensor:
        """Rows of the points of one cell."""
        start, end = np.searchsorted(self.owner[self._order], (cell, cell + 1))
        return torch.from_numpy(self._order[start:end])

    @cached_property
    def _order(self) -> IntArray:
        return np.argsort(self.owner, kind="stable")


@final
@dataclass(frozen=True, eq=False)
class Seam:
    """Points between two cells in the coordinates of either.

    Args:
        axis: of the normal.
        cells: the two, or one twice across a periodic seam.
        local: (n, d) for each.
    """

    axis: int
    cells: tuple[int, int]
    local: tuple[Tensor, Tensor]


def interior_of(region: Region, lattice: CellLattice, points: int) -> LocalPoints:
    """About `points` points in each cell, also where the region fills it only in part."""
    nodes = unit_nodes(points, region.dim)
    everywhere = lattice.placed(nodes, slice(None))
    cells = np.arange(lattice.cells)
    if isinstance(region, Box):
        return _in_cells(everywhere, nodes, cells)
    inside = region.contains(everywhere.reshape(-1, region.dim)).reshape(len(everywhere), -1)
    full = inside.all(dim=1).numpy()
    parts = [_in_cells(everywhere[full], nodes, cells[full])] if full.any() else []
    # Cells that are cut, and places that a neighbour has taken over.
    owned = {tuple(home) for home in lattice.homes[full].tolist()}
    for place in itertools.product(*(range(n) for n in lattice.shape)):
        if place in owned:
            continue
        here = CellLattice(lattice.lower, lattice.radius, lattice.owners, np.array([place]))
        share = float(region.contains(here.placed(nodes, slice(None))[0]).double().mean())
        if not share:
            continue
        x = here.placed(unit_nodes(math.ceil(points / max(share, 0.1)), region.dim), slice(None))[0]
        x = x[region.contains(x)]
        if len(x):
            parts.append(LocalPoints.found(lattice, x))
    return LocalPoints.joined(parts)


def boundary_of(
    region: Region, lattice: CellLattice, parts: Sequence[str], on_face: int, generator: torch.Generator
) -> LocalPoints:
    """Points on boundary parts, about `on_face` for every piece of the size of a cell's face."""
    found = []
    for part in parts:
        if isinstance(region, Box):
            axis, side = region.face(part)
            local = _face(on_face, region.dim, axis, 2.0 * side - 1.0)
            at_face = np.flatnonzero(lattice.homes[:, axis] == (lattice.shape[axis] - 1 if side else 0))
            normal = torch.zeros_like(local)
            if axis != region.time_axis:
                normal[:, axis] = 2.0 * side - 1.0
            found.append(_in_cells(lattice.placed(local, at_face), local, at_face, normal))
        else:
            dim = region.parameter_dim(part)
            face = math.prod(2 * r for r in lattice.radius) ** (dim / region.dim)
            count = math.ceil(_DENSER * on_face * (1 + region.measure(part) / face))
            points = boundary_points(region, part, Law.GAUSS_LEGENDRE.sampler(count, dim), generator)
            found.append(LocalPoints.found(lattice, points.x, points.normal))
    return LocalPoints.joined(found)


def seams_of(region: Region, lattice: CellLattice, on_face: int, periodic: frozenset[int]) -> list[Seam]:
    """The seams between neighbouring places of different owners; those across the axes in `periodic` too."""
    found = []
    for axis, count in enumerate(lattice.shape):
        upper, lower = (_face(on_face, region.dim, axis, end) for end in (1.0, -1.0))
        for place in itertools.product(*(range(n) for n in lattice.shape)):
            last = place[axis] == count - 1
            if last and axis not in periodic:
                continue
            beyond = (*place[:axis], 0 if last else place[axis] + 1, *place[axis + 1 :])
            cells = (int(lattice.owners[place]), int(lattice.owners[beyond]))
            if cells[0] == cells[1] and not last:
                continue
            local = (_seen(lattice, cells[0], place, upper), _seen(lattice, cells[1], beyond, lower))
            if not isinstance(region, Box):
                inside = region.contains(lattice.placed(local[0], np.array(cells[:1]))[0])
                local = (local[0][inside], local[1][inside])
            if len(local[0]):
                found.append(Seam(axis, cells, local))
    return found


def _in_cells(x: Tensor, local: Tensor, cells: IntArray, normal: Tensor | None = None) -> LocalPoints:
    """The same local points in several cells, from x (cells, n, d)."""
    count = len(cells)
    return LocalPoints(
        x.reshape(-1, x.shape[-1]),
        local.repeat(count, 1),
        np.repeat(cells, len(local)),
        None if normal is None else normal.repeat(count, 1),
    )


def _face(count: int, dim: int, axis: int, end: float) -> Tensor:
    """Nodes of the face s_axis = end of (-1, 1)^dim, (n, dim)."""
    nodes = unit_nodes(count, dim - 1) if dim > 1 else torch.zeros(1, 0, dtype=torch.float64)
    fixed = torch.full((len(nodes), 1), end, dtype=torch.float64)
    return torch.cat([nodes[:, :axis], fixed, nodes[:, axis:]], dim=1)


def _seen(lattice: CellLattice, owner: int, place: tuple[int, ...], local: Tensor) -> Tensor:
    """Local points of a place in the coordinates of the cell that owns it."""
    shift = torch.from_numpy(np.array(place) - lattice.homes[owner])
    return local + 2.0 * shift if bool(shift.any()) else local
