"""Stage: one training of a hybrid, up to its hand-over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from ..problem import Problem
from ..recipe import Budget, Probe
from ..record import Record
from ..solver import Setting
from .forecast import PREDICTED, HandOverRule
from .neural import Neural

Function = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class Stage:
    """What the first solver leaves to the relaxation.

    Args:
        values: on the grid, the solution so far included.
        hand_over: training step they are of; None for solvers without steps.
        steps: training steps done.
        seconds: wall time.
        history: of the training.
        why: why it ended there.
    """

    values: np.ndarray
    hand_over: int | None
    steps: int
    seconds: float
    history: Record
    why: str


def train_stage(
    first: Neural,
    problem: Problem,
    setting: Setting,
    *,
    stream: int,
    hand_over: int | None,
    rule: HandOverRule,
    probe_of: Callable[[Function], Probe],
    completed: Callable[[Function], np.ndarray],
    watch_every: int,
) -> Stage:
    """Train until the hand-over.

    Args:
        first: the network and its training.
        problem: what it is trained on.
        setting: circumstances.
        stream: number of the random stream.
        hand_over: step to stop at; None lets `rule` decide, and takes the state with the best forecast.
        rule: when more training does not pay.
        probe_of: makes the probe that forecasts.
        completed: grid values of the whole solution.
        watch_every: steps between forecasts.
    """
    prepared = first.prepare(problem, setting, stream)
    function = prepared.ansatz.function
    if hand_over is not None:
        limit = min(hand_over, setting.budget.steps or hand_over)
        setting = dataclasses.replace(setting, budget=Budget(limit, setting.budget.seconds))
    trained = first.train(
        prepared,
        setting,
        probes=(probe_of(function),),
        stop=() if hand_over is not None else (rule,),
        best_of=PREDICTED,
        record_every=watch_every,
    )
    step = trained.steps
    why = f"handed over at step {step}, as asked"
    if hand_over is None:
        trained.restore_best()
        step = trained.best_step
        why = f"handed over the state of step {step}: {trained.message}"
    return Stage(completed(function), step, trained.steps, trained.seconds, trained.history, why)


def budget_left(budget: Budget, steps: int, seconds: float) -> Budget | None:
    """What is left of a budget after so many steps and seconds; None if there is nothing to train on."""
    steps_left = None if budget.steps is None else budget.steps - steps
    time_left = seconds_left(budget, seconds)
    if steps_left == 0 or time_left == 0.0:
        return None
    return Budget(steps_left, time_left)


def seconds_left(budget: Budget, seconds: float) -> float | None:
    """Wall time left of a budget after so many seconds; None if it has no limit."""
    return None if budget.seconds is None else max(0.0, budget.seconds - seconds)
