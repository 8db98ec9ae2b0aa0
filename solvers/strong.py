"""Strong form: least squares of the residual, the physics-informed network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from ..checks import real
from ..conditions import Condition
from ..nn import MLP
from ..optim import Adam, Block, Cosine
from ..problem import Problem
from ..recipe import Objective, Turn
from .ansatz import Enforcement, Jets
from .collocation import INTERIOR, Collocation, mean
from .formulation import Conditions, Task, equations, mean_block, weights_of
from .neural import Neural, Training


@final
@dataclass(frozen=True)
class StrongForm:
    """L = L_pde + w (L_bc + L_ic + L_data), L_pde the mean squared residual over that of u = 0 (eqs 15.4-15.8).

    Args:
        boundary_weight: w.

    Notes:
        Weighs mode k of the error by k^2: high modes are fitted first and a smooth error may remain that the loss does
        not show. Second derivatives need a smooth activation.
    Good values: w from 1 to 1000; 100 where u is of order one.
    Reference: Raissi, Perdikaris, Karniadakis 2019, doi:10.1016/j.jcp.2018.10.045; book, section 15.2.1.
    """

    boundary_weight: float = 100.0

    def __post_init__(self) -> None:
        real("StrongForm", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Every problem has a strong form."""

    def objective(self, task: Task) -> Objective:
        """The single player's losses."""
        return _StrongObjective(task)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """1 for the equation, w for each soft condition."""
        return weights_of(("pde",), soft, self.boundary_weight)

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """The unknown alone."""
        return (unknown,)

    @property
    def adversarial(self) -> bool:
        """A minimum."""
        return False


@final
class _StrongObjective:
    def __init__(self, task: Task) -> None:
        self._task, self._jets = task, task.jets()
        self._plan = self._jets.plan(lambda u: equations(task.problem, u))
        self._conditions = Conditions(task, self._jets)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"u": self._task.ansatz}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._task.points.sample(generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        first, *rest = (mean(batch, INTERIOR, part**2) for part in self._residuals(batch, self._jets))
        return {"pde": sum(rest, first)} | self._conditions.terms(batch)

    @property
    def least_squares(self) -> bool:
        return True

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> list[Block]:
        equation = mean_block("pde", batch, INTERIOR, partial(self._residuals, batch), self._jets)
        return [equation, *self._conditions.blocks(batch)]

    def _residuals(self, batch: Mapping[str, Tensor], jets: Jets) -> tuple[Tensor, ...]:
        parts = equations(self._task.problem, jets(INTERIOR, batch, self._plan))
        return tuple(part / self._task.scale for part in parts)


def pinn() -> Neural:
    """Physics-informed network: tanh, Sobol points, soft conditions, Adam then L-BFGS."""
    return Neural(
        name="pinn",
        formulation=StrongForm(),
        network=MLP(width=40, depth=3),
        collocation=Collocation(points=2000),
        training=Training(steps=1500, optimizer=Adam(3e-3), schedule=Cosine(), polish=500),
        conditions=Enforcement.SOFT,
    )
