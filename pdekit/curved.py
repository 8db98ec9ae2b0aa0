"""Finite elements and quadrature that bend along with the curved boundary of a region."""

from __future__ import annotations

import math

import numpy as np
import torch

from .discrete.finite_elements import Elements
from .discrete.mesh import Mesh
from .domain import Points, Region

_ORDER = 4
_PER_CELL = 6  # points of a rule of that order on a triangle


def elements_on(region: Region, mesh: Mesh, degree: int = 2, order: int | None = None) -> Elements:
    """Elements on a mesh of a region; those of degree 2 bend along its boundary.

    Without bending, elements of degree 2 on a curved boundary are no better than those of degree 1.

    Args:
        region: what the mesh is of.
        mesh: with corners on the boundary.
        degree: 1 or 2.
        order: of the quadrature; see `Elements`.

    Reference: Ciarlet and Raviart 1972, doi:10.1016/B978-0-12-068650-6.50020-4.
    """
    from .meshing import refined

    straight = Elements(mesh, degree, order)
    if degree == 1 or mesh.dim == 1:
        return straight
    before, after = mesh.refined().points, refined(region, mesh).points
    moved = np.flatnonzero((before != after).any(axis=1))
    if not len(moved):
        return straight
    bent = straight.nodes.copy()
    bent[_numbers_of(before[moved], bent)] = after[moved]
    return Elements(mesh, degree, order, bent)


def cell_points(region: Region, count: int) -> Points:
    """About `count` points of a region in the plane, with weights that integrate smooth functions over it.

    Gauss points of the cells of a mesh, exact for polynomials of degree 4 on each; cells bend along the boundary, so that
    the whole integrates with error size^4.

    Args:
        region: in two dimensions, without time.
        count: number of points, about; small holes and corners may ask for more.

    Raises:
        NotApplicableError: the region cannot be meshed.

    Notes: meshing costs about 4 microseconds per point.
    """
    from .meshing import mesh

    cell = region.measure() * _PER_CELL / max(count, _PER_CELL)
    inside = elements_on(region, mesh(region, math.sqrt(4 / math.sqrt(3) * cell)), 2, _ORDER).interior
    return Points(torch.from_numpy(inside.x), torch.from_numpy(inside.weight))


def _numbers_of(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The node at each of some points."""
    from scipy.spatial import cKDTree

    found: np.ndarray = cKDTree(nodes).query(x)[1]
    return found
