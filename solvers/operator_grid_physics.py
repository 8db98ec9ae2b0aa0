"""A loss that needs no labels: the discretised equation, and what the family prescribes on the boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..checks import real
from ..errors import NotApplicableError
from ..operator_problem import Family, OperatorProblem, Prescribed
from .operator_known import EQUATION, MEASURED, PRESCRIBED, family_of, size_of, target
from .operator_loss import CaseBatch, LearningTask, PreparedLoss


@final
@dataclass(frozen=True)
class GridPhysics:
    """The family's discretised equation on the output's grid, and the values it prescribes there.

    equation: mean over cases and equations of the squared residual, over that of u = 0 (where it is not zero).
    prescribed: mean over cases and boundary points of the squared difference from the prescribed value.

    Args:
        weight: of the term "equation".
        boundary_weight: of the term "prescribed".

    Notes:
        The discretised solution is what it leads to, not that of the finer solve that labels come from. The residual weighs
        a wave k by k^2 (second-order equations): smooth errors show least.
    Reference: Li et al. 2024, doi:10.1145/3648506.
    """

    weight: float = 1.0
    boundary_weight: float = 10.0

    def __post_init__(self) -> None:
        real("GridPhysics", "weight", self.weight, low=0.0)
        real("GridPhysics", "boundary_weight", self.boundary_weight, low=0.0)

    @property
    def weights(self) -> Mapping[str, float]:
        """Two terms."""
        return {EQUATION: self.weight, PRESCRIBED: self.boundary_weight}

    @property
    def labelled(self) -> bool:
        """False."""
        return False

    def require(self, family: OperatorProblem) -> None:
        """A residual on the grid."""
        known = family_of("GridPhysics", family)
        axes = known.output.axes
        if tuple(axis.name for axis in axes) != known.domain.names:
            raise NotApplicableError(
                f"{known.name}: the discretised equation is about functions of {', '.join(known.domain.names)}, the outputs "
                f"are {known.output.describe()}; set times to 3 or more"
            )
        inputs = known.sample(1, torch.Generator().manual_seed(0))
        known.grid_residual(torch.zeros(1, *known.output.shape, dtype=torch.float64), inputs)

    def prepare(self, task: LearningTask) -> PreparedLoss:
        """Find the boundary points of the grid and the size of the residual."""
        return _GridPhysics(family_of("GridPhysics", task.family), task)


@final
class _GridPhysics:
    """`GridPhysics` for one task."""

    def __init__(self, family: Family, task: LearningTask) -> None:
        self._family = family
        zero = task.inputs.new_zeros(min(len(task.inputs), MEASURED), *family.output.shape)
        self._scale = size_of(family.grid_residual(zero, task.inputs[:MEASURED]))
        x = torch.from_numpy(family.output.points())
        self._parts: list[tuple[Prescribed, Tensor, Tensor]] = []
        for part in family.prescribed:
            rows = _on_part(family, part, x)
            self._parts.append((part, rows.to(task.inputs.device), x[rows].to(task.inputs)))

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """Equation and prescribed values."""
        outputs = batch.predicted
        equation = (self._family.grid_residual(outputs, batch.inputs) / self._scale).square().mean()
        total = torch.zeros_like(equation)
        for part, rows, x in self._parts:
            found = outputs.reshape(len(outputs), -1)[:, rows].T
            total = total + (found - target(self._family, part, batch.inputs, x)).square().mean()
        return {EQUATION: equation, PRESCRIBED: total}


def _on_part(family: Family, part: Prescribed, x: Tensor) -> Tensor:
    """Numbers of the grid points that lie on a part of the boundary."""
    domain = family.domain
    found = torch.zeros(len(x), dtype=torch.bool)
    for name in domain.resolve(part.where):
        axis, side = domain.face(name)
        end = (domain.lower, domain.upper)[side][axis]
        found |= (x[:, axis] - end).abs() < 1e-9 * (domain.upper[axis] - domain.lower[axis])
    return found.nonzero()[:, 0]
