"""The converse hybrid: a network for the oscillations, one coarse classical solve of its defect for the smooth rest."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from ..checks import integer, real
from ..curved import elements_on
from ..discrete import solve_direct
from ..discretise import discretise, space_grid
from ..domain import Box
from ..field import Field, GridField, MeshField, SumField
from ..galerkin import galerkin
from ..problem import Elliptic, Problem
from ..solver import Outcome, Solver
from ..trust.defect import defect_data
from ..trust.mesh_defect import weak_defect
from .finite_difference import points_for, require_grid
from .finite_element import check_degree, require_mesh

_CELLS_ACROSS = 16  # of the default mesh, along the longest side of the bounding box
_ORDER = 14  # of the quadrature of what the network leaves: half a dozen half waves per cell may pass


@final
@dataclass(frozen=True)
class CoarseSolve:
    """L e = f - L u_theta, e = g - u_theta on the boundary, on a coarse grid or mesh; the result is u_theta + e.

    The strong residual weighs mode k by k^2, so a network trained on it may leave a smooth error that its loss does not
    show; a coarse grid resolves just that. On boxes by finite differences; on other domains, and where a size is given, by
    finite elements: a(e, v) = l(v) - a(u_theta, v), which reads first derivatives only.

    Args:
        points: per axis of the coarse grid; None chooses by dimension.
        size: longest edge of the cells of the coarse mesh, about; None takes a sixteenth of the longest side.
        degree: of the finite elements, 1 or 2.

    Notes:
        On a grid, residuals beyond its Nyquist frequency alias. On a mesh they do not: what is left over is integrated to
        high order, and the elements pick out of it what they resolve.
    Good values: 4 to 5 points per wavelength of the solution.
    """

    points: int | None = None
    size: float | None = None
    degree: int = 2

    def __post_init__(self) -> None:
        if self.points is not None:
            integer("CoarseSolve", "points", self.points, low=4)
        if self.size is not None:
            real("CoarseSolve", "size", self.size, low=0.0)
        check_degree("CoarseSolve", self.degree)

    def require(self, solver: str, problem: Problem) -> None:
        """Needs a linear elliptic problem in up to three dimensions."""
        if self._on_grid(problem):
            require_grid(solver, problem, time=False)
        else:
            require_mesh(solver, problem)

    def corrected(self, problem: Elliptic, outcome: Outcome) -> Outcome:
        """The outcome with the correction added to its field.

        Raises:
            NotApplicableError: the field has no strong residual, or on meshes no first derivatives.
        """
        started = time.perf_counter()
        solved = self._by_differences if self._on_grid(problem) else self._by_elements
        correction = solved(problem, outcome.field)
        return dataclasses.replace(
            outcome,
            residual_train=None,  # that of the uncorrected network says nothing about the sum
            field=SumField((outcome.field, correction)),
            message=f"{outcome.message}; corrected by a coarse solve on {_extent(correction)}",
            measures=dataclasses.replace(outcome.measures, cycles=1),
            timings=dict(outcome.timings) | {"coarse": time.perf_counter() - started},
        )

    def restored(self, problem: Problem, first: Solver, tensors: Mapping[str, Tensor]) -> Field:
        """The sum that `SumField.tensors` describes."""
        parts: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        for name, tensor in tensors.items():
            part, rest = name.removeprefix("part").split(".", 1)
            parts[int(part)][rest] = tensor
        kind = GridField if self._on_grid(problem) else MeshField
        return SumField((first.restore(problem, parts[0]), kind.restored(parts[1])))

    def _on_grid(self, problem: Problem) -> bool:
        return isinstance(problem.domain, Box) and self.size is None

    def _by_differences(self, problem: Elliptic, field: Field) -> GridField:
        grid = space_grid(problem, points_for(problem, self.points))
        return GridField(grid, solve_direct(discretise(problem, grid, data=defect_data(problem, field))))

    def _by_elements(self, problem: Elliptic, field: Field) -> MeshField:
        from ..meshing import mesh

        size = self.size if self.size is not None else max(problem.domain.lengths) / _CELLS_ACROSS
        elements = elements_on(problem.domain, mesh(problem.domain, size), self.degree)
        return MeshField(elements, galerkin(problem, elements, weak_defect(problem, field), _ORDER).solve())


def _extent(correction: GridField | MeshField) -> str:
    match correction:
        case GridField():
            return f"{' x '.join(map(str, correction.grid.shape))} points"
        case MeshField():
            return f"{correction.parameters} nodes of {len(correction.elements.mesh.cells)} cells"
