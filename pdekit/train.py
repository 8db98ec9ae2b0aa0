"""The one training loop; it knows no PDE, only an `Objective`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import nn

from .checks import integer
from .errors import ConfigError, DivergenceError
from .interrupt import Interrupted, InterruptGuard
from .loop import Loop, State, load_state
from .preflight import check_players, check_systems, check_terms, checked_weights
from .progress import Progress, Quiet
from .recipe import Below, Budget, Every, Objective, Phase, Probe, Stalled, StopRule, Turn
from .record import Record
from .resume import Saver, Scalar
from .rundir import RunDirectory

__all__ = [
    "Below",
    "Budget",
    "Every",
    "Interrupted",
    "Objective",
    "Phase",
    "Probe",
    "Stalled",
    "StopRule",
    "TrainStatus",
    "Trained",
    "Turn",
    "train",
]

_SECONDS_BETWEEN_UPDATES = 0.1


@final
class TrainStatus(Enum):
    """How a training ended; the value says what to do about it."""

    FINISHED = "all phases ran; for a smaller loss give more steps or end with a second-order phase"
    STOPPED = "a stop rule was met; nothing to do"
    EXHAUSTED = "no optimiser could lower the loss further; use float64, a wider network or other points"
    STEP_BUDGET = "the step budget ran out; resume with a larger one"
    TIME_BUDGET = "the time budget ran out; resume with a larger one"


@final
@dataclass(frozen=True)
class Trained:
    """The outcome of a training; the modules hold the final parameters.

    Attributes:
        history: columns step, phase, seconds, loss (weighted, of the first player), its raw terms by name, other
            players' as "player.loss" and "player.term", and the probes' columns. The row of step k belongs to the
            parameters after k updates.
        steps: updates done, earlier legs included.
        seconds: wall time in the loop, earlier legs included.
        message: status and notes in words.
        best_step, best_value, best_state: the recorded row with the smallest `best_of`, and its parameters.
    """

    history: Record
    steps: int
    seconds: float
    status: TrainStatus
    message: str
    best_step: int
    best_value: float
    best_state: State
    players: Mapping[str, nn.Module]

    def restore_best(self) -> None:
        """Put the best recorded parameters into the modules."""
        load_state(self.players, self.best_state)


def train(
    objective: Objective,
    phases: Sequence[Phase],
    *,
    generator: torch.Generator,
    weights: Mapping[str, float] | None = None,
    budget: Budget = Budget(),  # noqa: B008
    probes: Sequence[Probe] = (),
    stop: Sequence[StopRule] = (),
    best_of: str = "loss",
    record_every: int = 100,
    run: RunDirectory | None = None,
    checkpoint_every: Every = Every(seconds=30.0),  # noqa: B008
    identity: Mapping[str, Scalar] | None = None,
    resume: bool = False,
    interrupts: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Trained:
    """Train the players of an objective through the phases.

    loss = sum_i weight_i term_i

    Args:
        objective: the losses; its modules are trained in place.
        phases: run in order.
        generator: for drawing points.
        weights: one per loss term, by name; all 1 if None.
        budget: limits over all phases.
        probes: measurements during training.
        stop: rules consulted after each new row of the history.
        best_of: the column whose smallest value makes a state the best; recorded rows only.
        record_every: steps between rows of the history.
        run: where checkpoints and the history go; without it nothing is written.
        checkpoint_every: how often; one is written before the first step (so that a full or read-only disk is noticed
            then) and one at the end in any case.
        identity: flat fields that say what is solved and how; a checkpoint with others is refused.
        resume: go on from the checkpoint in `run`; on the CPU the outcome is the one of an uninterrupted run, bit for
            bit, the column "seconds" excepted.
        interrupts: on SIGINT or SIGTERM finish the step, save, and raise `Interrupted`.
        progress: what is shown meanwhile; nothing by default.
        clock: tells the seconds that the budget and the history speak of.

    Returns:
        The history and how it ended.

    Raises:
        ConfigError, ShapeError, UnknownNameError, NonFiniteError, GraphError: before the first step.
        DivergenceError: when the loss becomes NaN, infinite, or 1e6 times the first; the modules then hold the better
            of the last finite and the best recorded parameters.
        FileNotFoundError, CheckpointError, ProblemMismatchError: when there is nothing fit to resume from.
        Interrupted: after a signal, if `interrupts`.
        Exception: whatever a probe raises, after a checkpoint.
    """
    integer("train", "record_every", record_every)
    check_players(objective.players, phases)
    batch = objective.sample(generator)
    used = dict.fromkeys([next(iter(objective.players)), *(turn.player for phase in phases for turn in phase.turns)])
    terms = {player: check_terms(objective, player, batch) for player in used}
    checked = checked_weights(weights, (name for player in used for name in terms[player]))
    check_systems(objective, phases, batch, checked)
    loop = Loop(
        objective=objective,
        phases=phases,
        generator=generator,
        weights=checked,
        batch=batch,
        probes=probes,
        stop=stop,
        best_of=best_of,
        record_every=record_every,
        clock=clock,
    )
    saver = _saver(run, checkpoint_every, identity, resume)
    if saver is not None:
        if resume:
            saver.load(loop)
        else:
            saver.save(loop)
    progress = progress if progress is not None else Quiet()
    progress.start(min(loop.planned_steps, budget.steps or loop.planned_steps), loop.step)
    ending = "stopped by an error"
    try:
        with InterruptGuard(interrupts) as guard:
            status, reason = _run(loop, budget, progress, saver, guard)
        ending = f"{loop.step} steps, loss {loop.loss:.3e}"
    finally:
        progress.finish(ending)
    message = "; ".join([reason or status.value, *loop.notes])
    best = loop.best
    return Trained(
        loop.history, loop.step, loop.seconds, status, message, best.step, best.value, best.state, loop.players
    )


def _saver(run: RunDirectory | None, every: Every, identity: Mapping[str, Scalar] | None, resume: bool) -> Saver | None:
    if run is not None:
        return Saver(run, every, identity or {})
    if resume:
        raise ConfigError("train: resume: got True without a run directory, expected run=RunDirectory.open(path)")
    return None


def _run(
    loop: Loop, budget: Budget, progress: Progress, saver: Saver | None, guard: InterruptGuard
) -> tuple[TrainStatus, str]:
    """Advance until something ends it; then save, obey a signal, record the last row."""
    try:
        ending = _advance(loop, budget, progress, saver, guard)
        if saver is not None:
            # Before the last row, which an uninterrupted run with a larger budget would not have.
            saver.save(loop)
        if guard.received is not None:
            saved = "saved" if saver is not None else "not saved, for there is no run directory"
            raise Interrupted(guard.received, f"{guard.received.name} after step {loop.step}; {saved}")
        loop.finish()
    except DivergenceError:
        raise  # the last checkpoint was sound; this state is not worth keeping
    except Exception as error:
        if saver is not None and loop.clean:
            _save_for(error, loop, saver)
        raise
    if saver is not None:
        saver.write_history(loop.history)
    return ending


def _save_for(error: Exception, loop: Loop, saver: Saver) -> None:
    """Save while an error is on its way out, without hiding it behind another."""
    try:
        saver.save(loop)
        error.add_note(f"pdekit: the state of step {loop.step} was saved; resume from it once the cause is removed")
    except OSError as second:
        error.add_note(f"pdekit: saving step {loop.step} failed as well: {second}")


def _advance(
    loop: Loop, budget: Budget, progress: Progress, saver: Saver | None, guard: InterruptGuard
) -> tuple[TrainStatus, str]:
    shown = 0.0
    while guard.received is None and loop.ready():
        if budget.steps is not None and loop.step >= budget.steps:
            return TrainStatus.STEP_BUDGET, ""
        if budget.seconds is not None and loop.seconds >= budget.seconds:
            return TrainStatus.TIME_BUDGET, ""
        if saver is not None and saver.due(loop.step):
            saver.save(loop)
        reason = loop.advance()
        if reason is not None:
            return TrainStatus.STOPPED, f"stopped at step {loop.step}: {reason}"
        now = time.perf_counter()
        if now - shown > _SECONDS_BETWEEN_UPDATES:
            shown = now
            progress.update(loop.step, loop.loss, {name: loop.history.last(name) for name in loop.history.columns})
    return (TrainStatus.EXHAUSTED if loop.exhausted else TrainStatus.FINISHED), ""
