"""The mutable state of one training run, and the step that advances it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from .errors import ConfigError, DivergenceError, unknown_name
from .optim import ClosureStepper, GradientStepper, IterativeStepper, SystemStepper
from .preflight import trainable
from .recipe import Objective, Phase, Probe, StopRule, Turn, system_of, weighted
from .record import Record

State = dict[str, dict[str, Tensor]]  # player -> parameter or buffer -> tensor

_BLOW_UP = 1e6  # growth over the initial loss that no training recovers from
_SMALL_LOSS = 1e-3  # initial losses below this count as this, lest noise near zero look like a blow-up
_STEPS_BETWEEN_SYNCS = 20  # on CUDA the loss is read, and the last finite state kept, only so often


@final
class Mover:
    """A turn in progress: the player's parameters and the stepper that moves them."""

    def __init__(self, turn: Turn, objective: Objective, weights: Mapping[str, float]) -> None:
        """Build a fresh optimiser."""
        self.turn = turn
        self.player = turn.player
        self.parameters = trainable(objective.players[turn.player])
        self.stepper = turn.optimizer.build(self.parameters)
        self._objective = objective
        self._weights = weights
        self._factor = math.nan  # so that the first step sets the rate, also after a resume

    @property
    def end_reason(self) -> str | None:
        """Why the optimiser cannot go on, if it cannot."""
        return self.stepper.end_reason if isinstance(self.stepper, IterativeStepper) else None

    def evaluate(self, batch: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], Tensor]:
        """Return the raw terms and their weighted sum, with graph."""
        return weighted(self._objective.losses(self.player, batch), self._weights)

    def set_rate(self, step: int, total: int) -> None:
        """Apply the schedule for this step."""
        factor = self.turn.schedule.factor(step, total)
        if factor != self._factor:
            self._factor = factor
            self.stepper.set_rate(self.turn.optimizer.learning_rate * factor)

    def closure(self, batch: Mapping[str, Tensor]) -> Callable[[], Tensor]:
        """Return the function that evaluates the loss and writes its gradient."""

        def evaluated() -> Tensor:
            total = self.evaluate(batch)[1]
            self.differentiate(total)
            return total.detach()

        return evaluated

    def iterate(self, stepper: IterativeStepper, batch: Mapping[str, Tensor]) -> float:
        """Do one iteration of an iterative stepper; return the loss it ends with."""
        if isinstance(stepper, SystemStepper):
            return stepper.iterate(system_of(self._objective, self.player, batch, self._weights))
        assert isinstance(stepper, ClosureStepper)
        return stepper.iterate(self.closure(batch))

    def differentiate(self, total: Tensor) -> None:
        """Write the gradient of the player's own parameters; the other players' stay untouched."""
        for p in self.parameters:
            p.grad = None
        # backward rather than autograd.grad: it lays gradients out as the parameters are, as fused updates require.
        total.backward(inputs=self.parameters)


@final
@dataclass
class Best:
    """The best recorded row and the parameters it was measured with."""

    value: float
    step: int
    state: State


@final
class Loop:
    """Everything that changes during a training; one object per call of `train`."""

    def __init__(
        self,
        *,
        objective: Objective,
        phases: Sequence[Phase],
        generator: torch.Generator,
        weights: Mapping[str, float],
        batch: dict[str, Tensor],
        probes: Sequence[Probe],
        stop: Sequence[StopRule],
        best_of: str,
        record_every: int,
        clock: Callable[[], float],
    ) -> None:
        """Start before the first step of the first phase."""
        self.objective, self.phases, self.generator, self.weights = objective, phases, generator, weights
        self.probes, self.stop, self.best_of, self.record_every = probes, stop, best_of, record_every
        self.players = dict(objective.players)
        self.primary = next(iter(self.players))
        self.recorded = [
            self.primary,
            *dict.fromkeys(t.player for p in phases for t in p.turns if t.player != self.primary),
        ]
        self.batch, self.drawn_at = batch, 0
        self.step, self.phase, self.local = 0, 0, 0
        self.history = Record()
        self.best = Best(math.inf, 0, self.state())
        self.notes: list[str] = []
        self.exhausted = False  # whether the last phase that ended did so because its optimisers could not go on
        self.first_loss: float | None = None
        self.loss = math.nan  # newest value of the primary player's loss that was read
        self.rolled_back = False
        self.clean = True  # no update has been made within the current step
        self.seconds_before, self._clock, self._started = 0.0, clock, clock()
        self._parameters = [p for module in self.players.values() for p in trainable(module)]
        self._kept = [p.detach().clone() for p in self._parameters]
        self._kept_loss = math.inf
        cuda = any(p.is_cuda for p in self._parameters)
        self._check_every = _STEPS_BETWEEN_SYNCS if cuda else 1
        self.movers = self._build_movers()

    @property
    def seconds(self) -> float:
        """Time in the loop, earlier legs included."""
        return self.seconds_before + self._clock() - self._started

    @property
    def planned_steps(self) -> int:
        """The steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def state(self) -> State:
        """Copy the parameters and buffers of all players."""
        return {
            name: {k: v.detach().clone() for k, v in module.state_dict().items()}
            for name, module in self.players.items()
        }

    def ready(self) -> bool:
        """Go on to the next phase if this one is over; tell whether there is a step left to do."""
        while True:
            phase = self.phases[self.phase]
            reasons = [mover.end_reason for mover in self.movers]
            if self.local < phase.steps and (phase.resample_every is not None or not all(reasons)):
                return True
            self.exhausted = self.local < phase.steps
            if self.exhausted:
                self._note(f"phase {self.phase + 1} ended after {self.local} of {phase.steps} steps: {reasons[0]}")
            if self.phase + 1 == len(self.phases):
                return False  # the optimisers stay, so that a resumed run with more steps goes on with them
            self.enter(self.phase + 1, 0)

    def enter(self, phase: int, local: int) -> None:
        """Go to a step of a phase, with fresh optimisers."""
        self.phase, self.local, self.rolled_back = phase, local, False
        self.movers = self._build_movers()

    def advance(self) -> str | None:
        """Do one step: draw points if due, record if due, let every turn update.

        Returns:
            The reason of a stop rule that was met (then nothing was updated), else None.

        Raises:
            DivergenceError: when a loss is not finite or has blown up.
        """
        phase = self.phases[self.phase]
        redrawn = self._draw_if_due(phase)
        first = self.movers[0]
        evaluation = self._checked(first) if isinstance(first.stepper, GradientStepper) else None
        reason = self._record_if_due(evaluation)
        if reason is not None:
            return reason
        self.clean = False
        for mover in self.movers:
            mover.set_rate(self.local, phase.steps)
            for update in range(mover.turn.updates):
                if isinstance(mover.stepper, IterativeStepper):
                    changed = update == 0 and (redrawn or len(self.movers) > 1)
                    self._iterate(mover, mover.stepper, changed)
                elif isinstance(mover.stepper, GradientStepper):
                    mover.differentiate((evaluation or self._checked(mover))[1])
                    mover.stepper.step()
                evaluation = None  # it belongs to the first update of the first turn
        self.step, self.local, self.clean = self.step + 1, self.local + 1, True
        return None

    def finish(self) -> None:
        """Record the last row, with every probe, unless it is there already."""
        if self._last_row() != self.step:
            self._append_row(None, self.probes)

    def _build_movers(self) -> list[Mover]:
        return [Mover(turn, self.objective, self.weights) for turn in self.phases[self.phase].turns]

    def _note(self, text: str) -> None:
        if text not in self.notes:  # a resumed run comes to the same conclusion again
            self.notes.append(text)

    def _draw_if_due(self, phase: Phase) -> bool:
        if phase.resample_every is None or self.drawn_at == self.step:
            return False
        # Early, too, when the optimisers have got all they can out of the present points.
        if self.local % phase.resample_every and not all(mover.end_reason for mover in self.movers):
            return False
        self.batch, self.drawn_at = self.objective.sample(self.generator), self.step
        return True

    # Recording --------------------------------------------------------------------------------------------------

    def _last_row(self) -> int:
        return int(self.history.last("step")) if len(self.history) else -1

    def _record_if_due(self, evaluation: tuple[Mapping[str, Tensor], Tensor] | None) -> str | None:
        due = [probe for probe in self.probes if probe.due(self.step)]
        if not due and self.step % self.record_every:
            return None
        if self._last_row() != self.step:
            self._append_row(evaluation, due)
        return next((reason for rule in self.stop if (reason := rule.reason(self.history)) is not None), None)

    def _append_row(self, evaluation: tuple[Mapping[str, Tensor], Tensor] | None, probes: Sequence[Probe]) -> None:
        row: dict[str, float] = {"step": self.step, "phase": self.phase + 1, "seconds": self.seconds}
        for player in self.recorded:
            reuse = evaluation is not None and self.movers[0].player == player
            terms, total = (
                evaluation
                if evaluation is not None and reuse
                else weighted(self.objective.losses(player, self.batch), self.weights)
            )
            prefix = "" if player == self.primary else f"{player}."
            row[f"{prefix}loss"] = float(total.detach())
            row |= {f"{prefix}{name}": float(term.detach()) for name, term in terms.items()}
        if not self._healthy(row["loss"], self.primary) and self._undone(row["loss"], self.movers[0]):
            self._append_row(None, probes)
            return
        self._check_loss(row["loss"], self.primary)
        for probe in probes:
            for name, value in probe.measure().items():
                if name in row:
                    raise ConfigError(f"probe {probe.name!r}: column {name!r} exists already; give it another name")
                row[name] = float(value)
        if not len(self.history) and self.best_of not in row:
            raise unknown_name("train: best_of", self.best_of, row)
        self.history.append(row)
        value = row.get(self.best_of, math.nan)
        if value < self.best.value:
            self.best = Best(value, self.step, self.state())

    # Finiteness -------------------------------------------------------------------------------------------------

    def _checked(self, mover: Mover) -> tuple[Mapping[str, Tensor], Tensor]:
        """Evaluate; every few steps (on CPU each) read the loss, and keep the parameters it is finite at."""
        evaluation = mover.evaluate(self.batch)
        if self.step % self._check_every == 0:
            self._check_loss(float(evaluation[1].detach()), mover.player)
        return evaluation

    def _check_loss(self, value: float, player: str) -> None:
        if not self._healthy(value, player):
            raise self.diverged(value)
        if player == self.primary:
            self.loss = value
            self._keep(value)

    def _healthy(self, value: float, player: str) -> bool:
        if not math.isfinite(value):
            return False
        if player != self.primary:
            return True
        if self.first_loss is None:
            self.first_loss = value
        return value <= _BLOW_UP * max(abs(self.first_loss), _SMALL_LOSS)

    def _keep(self, value: float) -> None:
        self._kept_loss = value
        with torch.no_grad():
            for kept, p in zip(self._kept, self._parameters, strict=True):
                kept.copy_(p)

    def _iterate(self, mover: Mover, stepper: IterativeStepper, changed: bool) -> None:
        """Do one iteration of L-BFGS and its kind; `changed`: the function is not that of its last iteration."""
        if changed:
            stepper.refresh()
        self._keep(self.loss if math.isfinite(self.loss) else math.inf)
        value = mover.iterate(stepper, self.batch)
        if not self._healthy(value, mover.player):
            if not self._undone(value, mover):
                raise self.diverged(value)
        elif mover.player == self.primary:
            self.loss = value

    def _undone(self, value: float, mover: Mover) -> bool:
        """Go back to the kept parameters and restart the optimiser, if it is of the kind that can; once per phase."""
        if self.rolled_back or not isinstance(mover.stepper, IterativeStepper):
            return False
        self.rolled_back = True
        self._restore_kept()
        mover.stepper.restart()
        self._note(f"step {self.step}: the loss became {value:g}; went back and restarted {mover.turn.optimizer.name}")
        return True

    def _restore_kept(self) -> None:
        with torch.no_grad():
            for kept, p in zip(self._kept, self._parameters, strict=True):
                p.copy_(kept)

    def diverged(self, value: float) -> DivergenceError:
        """Restore the better of the last finite and the best recorded parameters; return the error to raise."""
        by_loss = self.best_of == "loss"
        if by_loss and self._kept_loss <= self.best.value:
            self._restore_kept()
            restored = f"the last finite parameters (loss {self._kept_loss:.3g})"
        else:
            load_state(self.players, self.best.state)
            restored = f"the best parameters (step {self.best.step}, {self.best_of} {self.best.value:.3g})"
        best = min(self.best.value, self._kept_loss) if by_loss else self.best.value
        return DivergenceError(
            f"training diverged at step {self.step}: got loss {value:g}, expected a finite one below "
            f"{_BLOW_UP:g} times the first; restored {restored}; lower the learning rate",
            step=self.step,
            loss=value,
            best=best,
        )


def load_state(players: Mapping[str, nn.Module], state: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Copy a stored state into the modules."""
    for name, module in players.items():
        module.load_state_dict(dict(state[name]))
