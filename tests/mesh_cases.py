"""Meshes of boxes for the tests of finite elements: scikit-fem's, with the box's part names."""

from __future__ import annotations

import numpy as np
import skfem

from pdekit.discrete.mesh import Mesh
from pdekit.domain import Box


def box_mesh(box: Box, n: int) -> Mesh:
    """n intervals along each axis, cut into simplices."""
    lines = [np.linspace(a, b, n + 1) for a, b in zip(box.lower, box.upper, strict=True)]
    made = {
        1: lambda: skfem.MeshLine(*lines),
        2: lambda: skfem.MeshTri.init_tensor(*lines),
        3: lambda: skfem.MeshTet.init_tensor(*lines),
    }[box.dim]()
    points = np.ascontiguousarray(made.p.T)
    facets = made.facets.T
    parts = {}
    for part in box.parts:
        axis, side = box.face(part)
        on = np.isclose(points[facets][..., axis], (box.lower, box.upper)[side][axis]).all(axis=1)
        parts[part] = facets[on]
    return Mesh.of(points, np.ascontiguousarray(made.t.T), parts)
