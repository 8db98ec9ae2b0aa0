"""Which mesher a region gets."""

from __future__ import annotations

import math

from ..checks import real
from ..discrete.mesh import Mesh
from ..domain import Box, Region
from ..errors import MemoryBudgetError, NotApplicableError
from ..geometry import Ball, MeshRegion, Shape
from .structured import ball_mesh, box_mesh, line_mesh
from .triangulate import plane_mesh

MOST_CELLS = 20_000_000
"""Cells that a mesh may have; more is refused before anything is allocated."""


def mesh(region: Region, size: float) -> Mesh:
    """A mesh of a region whose edges are about `size` long at most; smaller where the boundary needs it.

    Args:
        region: a box or shape without time; in space, only boxes, balls and mesh regions.
        size: length of edges (about; diagonals of boxes are longer by sqrt(d)).

    Raises:
        NotApplicableError: another region.
        ConfigError: a size that is not a positive number.
        MemoryBudgetError: more cells than fit into memory.

    Notes:
        Boxes get a structured mesh. Plane shapes get boundary points equally spaced on each piece, at most 22.5 degrees
        of an arc apart, closer where boundaries come near each other, and a Delaunay triangulation of smoothed hexagonal
        points between them. Curved boundaries are replaced by chords, an error of order size^2; `refined` puts new points
        on the curve. Cost about 20 microseconds per triangle.

    >>> from pdekit.domain import Rectangle
    >>> square = mesh(Rectangle(), 0.25)
    >>> len(square.cells), sorted(square.parts)
    (32, ['bottom', 'left', 'right', 'top'])
    """
    real("mesh", "size", size, low=0.0)
    if region.time is not None:
        raise NotApplicableError(f"mesh: {region!r} has the time {region.time!r}, expected space only; mesh its space")
    estimate = math.factorial(region.dim) * math.prod(max(1.0, length / size) for length in region.lengths)
    if estimate > MOST_CELLS:
        raise MemoryBudgetError(
            f"mesh: size {size:g} needs about {estimate:.3g} cells, expected at most {MOST_CELLS:.3g}; ask for larger ones"
        )
    match region:
        case MeshRegion():
            return _until_small(region.mesh, size)
        case Box() if region.dim <= 3:
            return box_mesh(region, size)
        case Ball():
            return ball_mesh(region, size)
        case Shape() if region.dim == 1:
            return line_mesh(region, size)
        case Shape() if region.dim == 2:
            return plane_mesh(region, size)
    raise NotApplicableError(
        f"mesh: got {region!r}, expected a box or shape in at most two dimensions, or a box or ball in three; "
        "mesh it with Gmsh and read the file with read_mesh"
    )


def refined(region: Region, coarse: Mesh) -> Mesh:
    """A mesh of a region with each edge halved and new boundary points on the region's boundary.

    Args:
        region: what `coarse` is a mesh of.
        coarse: its points come first in the result.
    """
    return coarse.refined(region.projected if isinstance(region, Shape) else None)


def _until_small(own: Mesh, size: float) -> Mesh:
    while own.size > size:
        own = own.refined()
    return own
