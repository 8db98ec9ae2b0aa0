"""Finite elements solved directly: the classical answer on domains that no grid fits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from ..checks import real
from ..conditions import Periodic
from ..curved import elements_on
from ..discrete.finite_elements import DEGREES
from ..domain import Region
from ..errors import ConfigError, NotApplicableError
from ..field import Field, MeshField
from ..problem import Elliptic, Problem, conditions_of
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from ..trust.mesh_defect import classical_on
from .formulation import require_known

_CELLS_ACROSS = {1: 500, 2: 40, 3: 8}  # of the default mesh, along the longest side of the bounding box


@final
@dataclass(frozen=True)
class FiniteElement:
    """a(u, v) = l(v) by continuous elements of degree 1 or 2 on a mesh of the domain, solved directly.

    Args:
        size: longest edge of the cells, about; None takes 500, 40 or 10 cells along the longest side in one, two or three
            dimensions. Small holes get smaller cells.
        degree: 1 or 2.

    Notes:
        Error C size^(degree + 1), curved boundaries included, for smooth solutions; less at corners that point inward.
        Costs about 1 s for 60,000 nodes in two dimensions, for 10,000 in three.
    Good values: two cells of degree 2 per wavelength for 20 %, four for 3 %, eight for 0.4 %.
    Reference: Brenner and Scott, doi:10.1007/978-0-387-75934-0.
    """

    size: float | None = None
    degree: int = 2
    name: str = "finite-element"

    def __post_init__(self) -> None:
        if self.size is not None:
            real("FiniteElement", "size", self.size, low=0.0)
        check_degree("FiniteElement", self.degree)

    def require(self, problem: Problem) -> None:
        """Needs a linear elliptic problem without periodic conditions in up to three dimensions."""
        require_mesh(self.name, problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Mesh, assemble and solve."""
        from ..meshing import mesh

        assert isinstance(problem, Elliptic)  # `require` has seen to it
        started = time.perf_counter()
        cells = mesh(problem.domain, size_for(problem.domain, self.size))
        elements = elements_on(problem.domain, cells, self.degree)
        meshed = time.perf_counter()
        nodal = classical_on(problem, elements)
        return Outcome(
            field=MeshField(elements, nodal),
            history=Record(),
            message=f"solved directly on {elements.size} nodes of {len(elements.mesh.cells)} cells",
            measures=Measures(points=elements.size, parameters=elements.size),
            order=self.degree + 1,
            timings={"mesh": meshed - started, "direct": time.perf_counter() - meshed},
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The nodal values on their mesh."""
        return MeshField.restored(tensors)


def require_mesh(solver: str, problem: Problem) -> None:
    """Raise NotApplicableError unless finite elements apply."""
    if not isinstance(problem, Elliptic):
        raise NotApplicableError(
            f"{solver}: {problem.name} is not a linear elliptic problem, which finite elements need; use pinn"
        )
    require_known(solver, problem)
    if problem.domain.dim not in _CELLS_ACROSS:
        raise NotApplicableError(
            f"{solver}: {problem.name} has {problem.domain.dim} dimensions, expected at most 3; use pinn"
        )
    for condition in conditions_of(problem, Periodic):
        raise NotApplicableError(
            f"{solver}: {problem.name} is periodic in {condition.axis!r}, expected Dirichlet, Neumann or Robin conditions; "
            "use finite-difference"
        )


def check_degree(owner: str, degree: object) -> None:
    """Raise ConfigError unless there are elements of this degree."""
    if degree not in DEGREES or isinstance(degree, bool):
        raise ConfigError(f"{owner}.degree: got {degree!r}, expected 1 or 2")


def size_for(region: Region, size: float | None) -> float:
    """The edge length asked for, or the default of the dimension."""
    return size if size is not None else max(region.lengths) / _CELLS_ACROSS[region.dim]
