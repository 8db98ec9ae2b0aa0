"""The converse hybrid: a network for the oscillations, one coarse classical solve of its defect for the smooth rest."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from ..checks import integer
from ..discrete import solve_direct
from ..discretise import discretise, space_grid
from ..field import Field, GridField, SumField
from ..problem import Elliptic, Problem
from ..solver import Outcome, Solver
from ..trust.defect import defect_data
from .finite_difference import points_for


@final
@dataclass(frozen=True)
class CoarseSolve:
    """L e = f - L u_theta, e = g - u_theta on the boundary, by finite differences on a coarse grid; the result is u_theta + e.

    The strong residual weighs mode k by k^2, so a network trained on it may leave a smooth error that its loss does not
    show; a coarse grid resolves just that.

    Args:
        points: per axis of the coarse grid; None chooses by dimension.

    Notes: corrects only what the grid resolves: residuals beyond its Nyquist frequency alias.
    Good values: 4 to 5 points per wavelength of the solution.
    """

    points: int | None = None

    def __post_init__(self) -> None:
        if self.points is not None:
            integer("CoarseSolve", "points", self.points, low=4)

    def corrected(self, problem: Elliptic, outcome: Outcome) -> Outcome:
        """The outcome with the correction added to its field.

        Raises:
            NotApplicableError: the field has no strong residual.
        """
        started = time.perf_counter()
        grid = space_grid(problem, points_for(problem, self.points))
        correction = solve_direct(discretise(problem, grid, data=defect_data(problem, outcome.field)))
        return dataclasses.replace(
            outcome,
            residual_train=None,  # that of the uncorrected network says nothing about the sum
            field=SumField((outcome.field, GridField(grid, correction))),
            message=f"{outcome.message}; corrected by a coarse solve on {' x '.join(map(str, grid.shape))} points",
            measures=dataclasses.replace(outcome.measures, cycles=1),
            timings=dict(outcome.timings) | {"coarse": time.perf_counter() - started},
        )

    def restored(self, problem: Problem, first: Solver, tensors: Mapping[str, Tensor]) -> Field:
        """The sum that `SumField.tensors` describes."""
        parts: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        for name, tensor in tensors.items():
            part, rest = name.removeprefix("part").split(".", 1)
            parts[int(part)][rest] = tensor
        return SumField((first.restore(problem, parts[0]), GridField.restored(parts[1])))
