"""Reference solutions that are computed, for problems whose exact solution is not known."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ..curved import elements_on
from ..field import MeshField
from ..galerkin import galerkin
from ..problem import Elliptic
from ..reference import Reference


@lru_cache(maxsize=8)
def finite_element_reference(problem: Elliptic, size: float) -> Reference:
    """The solution by quadratic elements on a mesh of half the given size, and its distance to the one on the mesh itself.

    Args:
        problem: hashable, on a region that can be meshed.
        size: edge length of the coarser mesh.

    Notes: the error stated is that of the coarser solution, a safe bound for the finer one's.
    """
    from ..meshing import mesh, refined

    coarse = elements_on(problem.domain, mesh(problem.domain, size))
    fine = elements_on(problem.domain, refined(problem.domain, coarse.mesh))
    fields = [MeshField(elements, galerkin(problem, elements).solve()) for elements in (coarse, fine)]
    inside = fine.interior
    rough, good = (field(torch.from_numpy(inside.x))[:, 0].numpy() for field in fields)
    error = math.sqrt(inside.weight @ (good - rough) ** 2 / (inside.weight @ good**2))

    def values(x: Tensor) -> Tensor:
        return fields[1](x)

    return Reference(values, error)
