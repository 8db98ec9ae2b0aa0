"""A mesh as a region: what a mesh file describes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..discrete.locate import Locator
from ..discrete.mesh import FloatArray, IntArray, Mesh
from ..domain import Points, Region, Where, default_names
from ..errors import ShapeError
from .parts import groups, resolved


@final
@dataclass(frozen=True, eq=False)
class MeshRegion(Region):
    """The union of the cells of a mesh, with the mesh's boundary parts.

    Points are uniform in length, area or volume, within cells and from cell to cell; they are contained if a cell
    contains them.

    Args:
        mesh: of intervals, triangles or tetrahedra.

    >>> from pdekit.domain import Rectangle
    >>> from pdekit.meshing import mesh
    >>> region = MeshRegion(mesh(Rectangle(), 0.5))
    >>> region.resolve("boundary"), region.measure("left")
    (('left', 'right', 'bottom', 'top'), 1.0)
    """

    mesh: Mesh

    @property
    def names(self) -> tuple[str, ...]:
        """x, y, z."""
        return default_names(self.mesh.dim)

    @property
    def time(self) -> str | None:
        """None."""
        return None

    @cached_property
    def lower(self) -> tuple[float, ...]:
        """Lower corner of the bounding box."""
        return tuple(float(a) for a in self.mesh.points[self.mesh.cells].min(axis=(0, 1)))

    @cached_property
    def upper(self) -> tuple[float, ...]:
        """Upper corner of the bounding box."""
        return tuple(float(b) for b in self.mesh.points[self.mesh.cells].max(axis=(0, 1)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The mesh's."""
        return tuple(self.mesh.parts)

    def resolve(self, where: Where) -> tuple[str, ...]:
        """Canonical part names of `where`, each once; groups and "boundary" expanded."""
        return resolved(where, groups(self.parts))

    def measure(self, part: str | None = None) -> float:
        """Sum over cells or facets."""
        return self.mesh.measure if part is None else float(self._areas(part).sum())

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Which rows of x lie in a cell, or within the tolerance, relative to the size of the region, of one."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ShapeError(
                f"mesh region: got points of shape {tuple(x.shape)}, expected (n, {self.dim}), columns {self.names}"
            )
        reach = max(abs(c) for corner in (self.lower, self.upper) for c in corner)
        slack = max(self.lengths) * max(tolerance, 1e-12) + 4 * torch.finfo(x.dtype).eps * reach
        points = x.detach().cpu().to(torch.float64).numpy()
        finite = np.isfinite(points).all(axis=1)
        inside = np.zeros(len(points), bool)
        cells = self._locator(points[finite])
        out = self._locator.distances(cells, points[finite])
        inside[finite] = out * self._heights[cells] <= slack
        return torch.from_numpy(inside).to(x.device)

    def parameter_dim(self, part: str | None = None) -> int:
        """`dim` for the region, one less for a part."""
        return self.dim - (part is not None)

    def placed(self, unit: Tensor, weight: Tensor, part: str | None = None) -> Points:
        """The first parameter chooses the cell or facet; what is left of it and the others, a point in it."""
        if unit.ndim != 2 or unit.shape[1] != self.parameter_dim(part):
            raise ShapeError(
                f"mesh region: got unit points of shape {tuple(unit.shape)}, expected (n, {self.parameter_dim(part)})"
            )
        total = weight * self.measure(part)
        if part is None:
            _, x = _chosen(self.mesh.points[self.mesh.cells], self.mesh.volumes, unit.numpy())
            return Points(torch.from_numpy(x), total)
        facet, x = _chosen(self.mesh.points[self.mesh.parts[part]], self._areas(part), unit.numpy())
        return Points(torch.from_numpy(x), total, torch.from_numpy(self.mesh.normals(part)[facet]))

    def _areas(self, part: str) -> FloatArray:
        (name,) = self.resolve(part)
        return self.mesh.areas(name)

    @cached_property
    def _locator(self) -> Locator:
        return Locator(self.mesh)

    @cached_property
    def _heights(self) -> FloatArray:
        """Least height of each cell (m,): the reciprocal of the largest gradient of its barycentric coordinates."""
        corners = self.mesh.points[self.mesh.cells]
        slopes = np.linalg.inv(corners[:, 1:] - corners[:, :1])  # (m, d, d), one column per coordinate
        slopes = np.concatenate([slopes, slopes.sum(axis=2, keepdims=True)], axis=2)
        heights: FloatArray = 1 / np.linalg.norm(slopes, axis=1).max(axis=1)
        return heights


def _chosen(corners: FloatArray, measures: FloatArray, unit: FloatArray) -> tuple[IntArray, FloatArray]:
    """For each row of the unit cube a simplex (n,), chosen by measure, and a point in it (n, d), uniform."""
    if not unit.shape[1]:  # end points of intervals
        which = np.arange(len(unit)) % len(corners)
        return which, corners[which, 0]
    ends = np.cumsum(measures) / measures.sum()
    which = np.minimum(np.searchsorted(ends, unit[:, 0], side="right"), len(ends) - 1)
    start = np.concatenate([[0.0], ends[:-1]])[which]
    own = unit.copy()
    own[:, 0] = np.clip((unit[:, 0] - start) / (ends[which] - start), 0.0, 1.0)
    # Differences of sorted uniform numbers are uniform barycentric coordinates.
    steps = np.diff(np.sort(own, axis=1), axis=1, prepend=0.0, append=1.0)
    return which, np.einsum("nk,nkd->nd", steps, corners[which])
