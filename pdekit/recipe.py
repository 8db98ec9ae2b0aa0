"""What a training run is made of: the objective, who moves when, what is measured, when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from .checks import integer, real
from .errors import ConfigError, NotApplicableError
from .optim import Block, Constant, Optimizer, Schedule, System
from .record import Record


class Objective(Protocol):
    """The losses of one or more players; all that the training loop knows of a problem.

    The first player is the one whose weighted loss is recorded as "loss".
    """

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """The modules trained, by name; unknown coefficients are parameters of a module too."""

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the points; called at the start and on resampling, kept in checkpoints."""

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the raw scalar terms that this player minimises; the same names at every call."""


@runtime_checkable
class BlockObjective(Objective, Protocol):
    """An objective that shows the residuals its losses are made of, for second-order optimisers."""

    @property
    def least_squares(self) -> bool:
        """Whether the weighted squares of the blocks sum to the loss; otherwise they are the metric of an energy."""

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> Sequence[Block]:
        """Return the player's residual blocks, each named after a loss term; nothing is evaluated yet."""


def weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> tuple[Mapping[str, Tensor], Tensor]:
    """Return the terms and sum_i weight_i term_i."""
    total: Tensor | None = None
    for name, term in terms.items():
        weight = weights[name]
        part = term if weight == 1.0 else weight * term
        total = part if total is None else total + part
    if total is None:
        raise ConfigError("losses: got no terms, expected the same terms at every call")
    return terms, total


def system_of(objective: Objective, player: str, batch: Mapping[str, Tensor], weights: Mapping[str, float]) -> System:
    """The residual blocks of a player with its weighted loss, for optimisers that use curvature.

    Raises:
        NotApplicableError: the objective has none.
    """
    if not isinstance(objective, BlockObjective):
        raise NotApplicableError(
            f"player {player!r}: its loss shows no residuals, expected least squares or an energy; use Adam or LBFGS"
        )
    return System(
        objective.players[player],
        objective.blocks(player, batch),
        weights,
        lambda: weighted(objective.losses(player, batch), weights)[1],
        least_squares=objective.least_squares,
    )


@final
@dataclass(frozen=True)
class Turn:
    """One player's share of a step.

    Args:
        player: name of the player whose parameters move.
        optimizer: how they move.
        updates: how many updates in a row.
        schedule: multiplies the learning rate; counts steps within the phase.
    """

    player: str
    optimizer: Optimizer
    updates: int = 1
    schedule: Schedule = field(default_factory=Constant)

    def __post_init__(self) -> None:
        integer("Turn", "updates", self.updates)


@final
@dataclass(frozen=True)
class Phase:
    """A number of steps with the same turns; every phase starts with fresh optimisers.

    Args:
        turns: taken in order at each step.
        steps: length of the phase; without resampling it ends earlier when its optimisers can make no progress.
        resample_every: steps between new points; None keeps the points there are. Mini-batches: 1. Points are drawn
            earlier when the optimisers can make no progress on the present ones.
    """

    turns: tuple[Turn, ...]
    steps: int
    resample_every: int | None = None

    def __post_init__(self) -> None:
        integer("Phase", "steps", self.steps)
        if self.resample_every is not None:
            integer("Phase", "resample_every", self.resample_every)
        if not self.turns:
            raise ConfigError("Phase: turns: got none, expected at least one Turn")


@final
@dataclass(frozen=True)
class Probe:
    """A measurement taken during training; its numbers become columns of the history.

    Args:
        name: what errors call it.
        every: steps between measurements; the first is before the first update, the last after the last.
        measure: returns column names and floats; it gets no handle on the training.
        at: measure at these steps instead, and after the last update.
        ready: asked at the steps that are due; a probe that is not ready is left out there.
    """

    name: str
    every: int
    measure: Callable[[], Mapping[str, float]]
    at: frozenset[int] | None = None
    ready: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        integer(f"Probe {self.name!r}", "every", self.every)

    def due(self, step: int) -> bool:
        """Whether to measure before the update with this number, from 0."""
        due = step % self.every == 0 if self.at is None else step in self.at
        return due and (self.ready is None or self.ready())


class StopRule(Protocol):
    """Ends the training; a pure function of the history, so that it needs no state in checkpoints."""

    def reason(self, history: Record) -> str | None:
        """Return why to stop, given the rows up to now; consulted after each new row."""


@final
@dataclass(frozen=True)
class Below:
    """Stop when the newest value of a column is at most `value`."""

    column: str
    value: float

    def reason(self, history: Record) -> str | None:
        """Return the reason once the column has fallen to the value."""
        if self.column not in history:
            return None
        newest = history.last(self.column)
        return f"{self.column} = {newest:.3g} <= {self.value:g}" if newest <= self.value else None


@final
@dataclass(frozen=True)
class Stalled:
    """Stop when the best value of a column has fallen by less than a fraction over the last steps.

    Args:
        column: name of the column; smaller is better.
        patience_steps: length of the window in steps.
        min_decrease: fraction of the best value before the window by which it must fall.
    """

    column: str
    patience_steps: int
    min_decrease: float = 0.01

    def __post_init__(self) -> None:
        integer("Stalled", "patience_steps", self.patience_steps)
        real("Stalled", "min_decrease", self.min_decrease, low=0.0, high=1.0, open_low=False)

    def reason(self, history: Record) -> str | None:
        """Return the reason once a whole window brought too little."""
        if self.column not in history:
            return None
        step, value = history["step"], history[self.column]
        known = ~np.isnan(value)
        step, value = step[known], value[known]
        before = value[step <= step[-1] - self.patience_steps] if len(step) else value
        if not len(before):
            return None
        earlier, now = before.min(), value.min()
        if earlier - now > self.min_decrease * abs(earlier):
            return None
        return f"{self.column} fell by less than {self.min_decrease:.2g} of its value in {self.patience_steps} steps"


SHORTEST = 1e-9
"""Seconds of a budget that is used up: a training that gets it ends before its first step."""


@final
@dataclass(frozen=True)
class Budget:
    """What a training may cost at most; None means no limit.

    Args:
        steps: over all phases.
        seconds: wall time in the training loop, earlier legs of a resumed run included.
    """

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps is not None:
            integer("Budget", "steps", self.steps)
        if self.seconds is not None:
            real("Budget", "seconds", self.seconds, low=0.0)


@final
@dataclass(frozen=True)
class Every:
    """How often to save: after so many steps or so many seconds, whichever comes first."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise ConfigError("Every: got neither steps nor seconds, expected at least one of them")
        if self.steps is not None:
            integer("Every", "steps", self.steps)
        if self.seconds is not None:
            real("Every", "seconds", self.seconds, low=0.0, open_low=False)
