"""Formulation: which functional a network is trained on; and the terms all formulations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from ..conditions import Condition, Observations, Periodic, label, mismatch
from ..errors import EquationError, NotApplicableError
from ..field import Field
from ..jet import Jet, column
from ..kernels import Plan
from ..optim import Block
from ..problem import Problem
from ..recipe import Objective, Turn
from .ansatz import Ansatz, Jets
from .collocation import PointSets, mean, mean_weight


@final
@dataclass(frozen=True, eq=False)
class Task:
    """One training task, handed to a formulation.

    Args:
        problem: what is solved.
        ansatz: what is trained.
        soft: conditions that the ansatz does not meet by construction.
        points: draws the batches.
        scale: size of the residual of u = 0; losses are relative to it.
        generator: for the initial weights of further players.
        steps: expected number of steps.
    """

    problem: Problem
    ansatz: Ansatz
    soft: tuple[Condition, ...]
    points: PointSets
    scale: float
    generator: torch.Generator
    steps: int

    def jets(self) -> Jets:
        """Jets of the ansatz."""
        return Jets(self.problem, self.ansatz.function, dict(self.ansatz.unknowns), steps=self.steps)


class Formulation(Protocol):
    """A functional of the unknown whose minimiser, or saddle point, solves the problem."""

    def require(self, problem: Problem) -> None:
        """Raise NotApplicableError, naming the missing property, unless the formulation exists for the problem."""
        ...

    def objective(self, task: Task) -> Objective:
        """The losses of all players."""
        ...

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """Weight of each loss term by name."""
        ...

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """Who moves in one step, given how the unknown does."""
        ...

    @property
    def adversarial(self) -> bool:
        """Whether the loss is a saddle point, so that its smallest value marks no best state."""
        ...


@final
@dataclass(frozen=True)
class SelfEstimate:
    """What a loss that is an error estimate says of the field found.

    Args:
        energy_error: relative energy error, on more points and test functions than training had.
        seen: part of it that the training's own points and test functions see, from 0 to 1.
        spread: factor by which it may at most be off; None where no bound is known.
    """

    energy_error: float
    seen: float
    spread: float | None

    def __str__(self) -> str:
        bound = (
            "" if self.spread == 1 else " without bound" if self.spread is None else f" up to {self.spread:.3g}-fold"
        )
        return f"relative energy error {self.energy_error:.2g}{bound} by its loss, which saw {self.seen:.0%} of it"


@runtime_checkable
class SelfEstimating(Objective, Protocol):
    """An objective whose loss is an error estimate."""

    def estimate(self, field: Field) -> SelfEstimate:
        """Evaluate it for a finished field."""


@final
class Conditions:
    """The soft conditions' mean squared mismatch on a batch, one term each.

    Args:
        task: the training task.
        jets: jets of its ansatz.
        kinds: which of the soft conditions enter; all by default.
    """

    def __init__(self, task: Task, jets: Jets, kinds: tuple[type[Condition], ...] | None = None) -> None:
        self._problem, self._jets = task.problem, jets
        self._conditions = tuple(c for c in task.soft if kinds is None or isinstance(c, kinds))
        self._plans = {label(c): self._plan(c) for c in self._conditions}

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weighted mean of the squared mismatch by label."""
        return {
            name: sum((mean(batch, points, gap**2) for gap in gaps), gaps[0].new_zeros(()))
            for name, (points, gaps) in self.gaps(batch).items()
        }

    def gaps(self, batch: Mapping[str, Tensor]) -> dict[str, tuple[str, tuple[Tensor, ...]]]:
        """By label: the name of the point set, and the mismatches there, (n, 1) each."""
        return {label(c): (self._points(c), self._gaps(c, batch, self._jets)) for c in self._conditions}

    def blocks(self, batch: Mapping[str, Tensor]) -> list[Block]:
        """The mismatches as residual blocks, one per condition; their squares sum to `terms`."""
        return [
            mean_block(label(c), batch, self._points(c), partial(self._gaps, c, batch), self._jets)
            for c in self._conditions
        ]

    def _points(self, condition: Condition) -> str:
        """Name of the point set whose weights count."""
        return f"{label(condition)}.lower" if isinstance(condition, Periodic) else label(condition)

    def _gaps(self, condition: Condition, batch: Mapping[str, Tensor], jets: Jets) -> tuple[Tensor, ...]:
        name = label(condition)
        plan = self._plans[name]
        match condition:
            case Periodic():
                lower, upper = (jets(f"{name}.{side}", batch, plan) for side in ("lower", "upper"))
                return periodic_gaps(condition, lower, upper)
            case Observations():
                u = jets(name, batch, plan)[condition.component]
                return (u.value - u.data("values", condition.values.to),)
            case _:
                u = jets(name, batch, plan)[condition.component]
                normal = batch[f"{name}.normal"]
                gap = mismatch(
                    condition, u, self._problem.domain.time, lambda jet: self._problem.normal_flux(jet, normal)
                )
                return (gap,)

    def _plan(self, condition: Condition) -> Plan:
        time = self._problem.domain.time

        def expression(u: Jet) -> object:
            match condition:
                case Periodic():
                    return periodic_gaps(condition, u, u)
                case Observations():
                    return u.value
                case _:
                    normal = torch.ones_like(u.x)
                    part = u[condition.component]
                    return mismatch(condition, part, time, lambda jet: self._problem.normal_flux(jet, normal))

        return self._jets.plan(expression)


def mean_block(
    name: str,
    batch: Mapping[str, Tensor],
    points: str,
    residuals: Callable[[Jets], tuple[Tensor, ...]],
    jets: Jets,
) -> Block:
    """The block whose squares sum to the weighted mean of the residuals' squares over a point set.

    Args:
        name: of the loss term.
        batch: the points.
        points: name of the point set whose weights count.
        residuals: jets to columns (n, 1).
        jets: of the ansatz that is trained.
    """
    root = mean_weight(batch, points).sqrt()[:, None]
    return Block(name, len(root), lambda ansatz: root * torch.cat(residuals(jets.of(ansatz)), 1))


def periodic_gaps(condition: Periodic, lower: Jet, upper: Jet) -> tuple[Tensor, Tensor]:
    """Differences of value and of the derivative along the axis between the two faces, (n, 1) each."""
    a, b = lower[condition.component], upper[condition.component]
    return a.value - b.value, a.d(condition.axis) - b.d(condition.axis)


def equations(problem: Problem, u: Jet) -> tuple[Tensor, ...]:
    """The residual's equations, each a column (n, 1).

    Raises:
        EquationError: the residual is not a tensor or a tuple of tensors.
    """
    residual = problem.residual(u)
    parts = residual if isinstance(residual, tuple) else (residual,)
    for i, part in enumerate(parts):
        if not isinstance(part, Tensor):
            raise EquationError(
                f"{problem.name}: equation {i} of the residual is {type(part).__name__}, expected a tensor (n, 1)"
            )
        column(f"{problem.name}: equation {i} of the residual", part, len(u.x))
    return parts


def require_known(solver: str, problem: Problem) -> None:
    """Raise NotApplicableError if the problem has unknown coefficients, which only residuals can tell."""
    if problem.unknowns:
        raise NotApplicableError(
            f"{solver}: {problem.name} has unknown coefficients ({', '.join(problem.unknowns)}), expected none; use pinn"
        )


def weights_of(terms: Sequence[str], soft: Sequence[Condition], boundary_weight: float) -> dict[str, float]:
    """Weight 1 for the formulation's own terms and `boundary_weight` for every soft condition."""
    return dict.fromkeys(terms, 1.0) | {label(c): boundary_weight for c in soft}
