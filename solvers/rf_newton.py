"""Gauss-Newton steps for the output weights of random features; linear problems take one, and one against round-off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

from torch import Tensor

from ..discrete.dissection import Conditioning
from ..errors import DivergenceError
from ..field import Field
from ..recipe import Budget
from ..record import Record
from .rf_system import Linearised, System
from .rf_terms import Linear

_ROUND_OFF = 1e-12  # size of the residual, relative to the first, that is not expected to fall any further
_GAIN = 0.9  # a step is worth taking if it is predicted to leave at most this share of the residual
_HALVINGS = 12


@final
class End(Enum):
    """Why the steps ended."""

    LINEAR = "linear"
    NO_GAIN = "converged"
    LIMIT = "stopped at the limit of steps"
    BUDGET = "stopped by the budget"


@final
@dataclass(frozen=True, eq=False)
class Found:
    """Where the steps ended.

    Args:
        weights: c, (cells, J, m).
        steps: how many were taken.
        end: why no more.
        conditioning: of the last least-squares solve.
        history: a row for each step.
    """

    weights: Tensor
    steps: int
    end: End
    conditioning: Conditioning
    history: Record


@final
@dataclass(frozen=True)
class GaussNewton:
    """c <- c + t d with d the least-squares solution of the linearised rows, t = 1, 1/2, ... until the residual falls.

    Args:
        cutoff: relative size of singular values that count as zero.
        iterations: at most.
        budget: on steps and seconds.
    """

    cutoff: float
    iterations: int
    budget: Budget

    def solve(self, system: System, start: Field | None) -> Found:
        """Steps from zero, or from the derivatives of another field, until no step is predicted to gain.

        Raises:
            NonFiniteError: the equations are not finite at the start.
            DivergenceError: no part of a step reduces the residual.
        """
        started, history = time.perf_counter(), Record()
        weights = system.zero() if start is None else self._fitted(system, start)
        state = system.channels(weights)
        linear = system.linearised(state)
        factored = Linearised(system, linear, self.cutoff)
        first = factored.size([part.values for part in linear])
        end, step = End.LIMIT, 0
        while step < min(self.iterations, self.budget.steps or self.iterations):
            change = factored.step([part.values for part in linear], weights)
            moved = system.channels(change)
            share = _share(factored, linear, state, moved, first if step else 0.0)
            if not share:
                end = End.NO_GAIN
                break
            step += 1
            weights, state = weights + share * change, [q + share * dq for q, dq in zip(state, moved, strict=True)]
            linear = system.linearised(state)
            size = factored.size([part.values for part in linear])
            seconds = time.perf_counter() - started
            history.append({"step": step, "residual": size / (first or 1.0), "share": share, "seconds": seconds})
            if factored.serves(linear):
                weights = weights + factored.step([part.values for part in linear], weights)
                end, step = End.LINEAR if step == 1 else End.NO_GAIN, step + 1
                break
            if self.budget.seconds is not None and seconds > self.budget.seconds:
                end = End.BUDGET
                break
            factored = Linearised(system, linear, self.cutoff)
        return Found(weights, step, end, factored.conditioning, history)

    def _fitted(self, system: System, start: Field) -> Tensor:
        """Where the equations linearised around another field lead in one full step."""
        state = system.read(start)
        linear = system.linearised(state)
        values = [part.values - part.product(q) for part, q in zip(linear, state, strict=True)]
        return Linearised(system, linear, self.cutoff).step(values, system.zero())


def _share(
    factored: Linearised, linear: Sequence[Linear], state: Sequence[Tensor], moved: Sequence[Tensor], first: float
) -> float:
    """How much of a step to take: 0 if nothing is to be gained, else the first of 1, 1/2, ... that gains.

    Args:
        factored: where the step comes from.
        linear: the terms there.
        state: the derivatives there.
        moved: what the step adds to them.
        first: size of the residual at the start; 0 in the first step, which is taken anyhow.
    """
    size = factored.size([part.values for part in linear])
    predicted = factored.size([part.values + part.product(dq) for part, dq in zip(linear, moved, strict=True)])
    if size <= _ROUND_OFF * first or (first and predicted > _GAIN * size):
        return 0.0
    share = 1.0
    for _ in range(_HALVINGS):
        if factored.size_at([q + share * dq for q, dq in zip(state, moved, strict=True)]) <= size:
            return share
        share /= 2
    raise DivergenceError(
        f"random-features: a Gauss-Newton step and {_HALVINGS} halvings of it do not reduce the residual from "
        f"{size:.2g}, expected a decrease; take more cells, or a solution that is closer as `initial`",
        loss=size,
        best=size,
    )
