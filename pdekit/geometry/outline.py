"""The boundary of a plane region as lines to be drawn."""

from __future__ import annotations

import numpy as np

from .mesh_region import MeshRegion
from .patch import FloatArray
from .shape import Shape

_POINTS = 65


def outlines(region: Shape | MeshRegion) -> list[FloatArray]:
    """Points (k, 2) along each smooth piece of the boundary of a region in the plane, or the ends of each facet."""
    if isinstance(region, MeshRegion):
        return list(region.mesh.points[region.mesh.facets])
    unit = np.linspace(0.0, 1.0, _POINTS)[:, None]
    return [piece.patch.at(unit)[0] for piece in region.outline]
