"""From the state of a training loop to a checkpoint and back, with the comparisons that make resuming safe."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from .checkpoint import read_checkpoint, write_checkpoint
from .errors import CheckpointError, ConfigError, ProblemMismatchError, ResumeWarning
from .loop import Best, Loop, State, load_state
from .optim import Constant
from .recipe import Every, Phase
from .record import Record
from .rundir import RunDirectory

Scalar = str | int | float | bool | None


@final
class Saver:
    """Writes the state of one training to its run directory."""

    def __init__(self, run: RunDirectory, every: Every, identity: Mapping[str, Scalar]) -> None:
        """Save to `run.checkpoint` at the given cadence; `identity` says what is being solved, field by field."""
        for field, value in identity.items():
            if not isinstance(value, (str, int, float, bool, type(None))):
                raise ConfigError(
                    f"identity[{field!r}]: got {type(value).__name__}, expected a string or a number; flatten nested values"
                )
        self._run, self._every, self._identity = run, every, dict(identity)
        self._step, self._time = -1, time.perf_counter()

    def due(self, step: int) -> bool:
        """Tell whether it is time to save again."""
        steps, seconds = self._every.steps, self._every.seconds
        if steps is not None and step - self._step >= steps:
            return True
        return seconds is not None and time.perf_counter() - self._time >= seconds

    def save(self, loop: Loop) -> None:
        """Write the checkpoint, then the history."""
        write_checkpoint(self._run.checkpoint, capture(loop, self._identity))
        self.write_history(loop.history)
        self._step, self._time = loop.step, time.perf_counter()

    def write_history(self, history: Record) -> None:
        """Write the history alone."""
        self._run.write_history(history)

    def load(self, loop: Loop) -> None:
        """Put the saved state into a fresh loop.

        Raises:
            FileNotFoundError, CheckpointError, ProblemMismatchError: before anything is changed.
        """
        path = self._run.checkpoint
        state = read_checkpoint(path)
        try:
            _check_identity(str(path), state["identity"], self._identity)
            _check_phases(str(path), state, loop)
            _check_architecture(str(path), state["players"], loop.players)
            differences = [*_differences(state["environment"], _environment(loop)), *_other_steps(state, loop)]
            restore(loop, state)
        except KeyError as error:
            raise CheckpointError(
                f"checkpoint {str(path)!r}: got no entry {error}, expected one; the file is incomplete"
            ) from error
        self._step, self._time = loop.step, time.perf_counter()
        if differences:
            warnings.warn(
                ResumeWarning(f"resuming {str(path)!r} under other circumstances: {'; '.join(differences)}"),
                stacklevel=4,
            )


def capture(loop: Loop, identity: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return everything the rest of the training depends on, as tensors and plain values."""
    return {
        "identity": dict(identity),
        "environment": _environment(loop),
        "phases": [_phase_text(phase) for phase in loop.phases],
        "phase_steps": [phase.steps for phase in loop.phases],
        "weights": dict(loop.weights),
        "best_of": loop.best_of,
        "players": loop.state(),
        "movers": [mover.stepper.state_dict() for mover in loop.movers],
        "generator": loop.generator.get_state(),
        "batch": dict(loop.batch),
        "drawn_at": loop.drawn_at,
        "step": loop.step,
        "phase": loop.phase,
        "local": loop.local,
        "rolled_back": loop.rolled_back,
        "first_loss": loop.first_loss,
        "loss": loop.loss,
        "history": {name: torch.from_numpy(loop.history[name]) for name in loop.history.columns},
        "best": {"value": loop.best.value, "step": loop.best.step, "state": loop.best.state},
        "notes": list(loop.notes),
        "seconds": loop.seconds,
    }


def restore(loop: Loop, state: Mapping[str, Any]) -> None:
    """Put a captured state into a loop built from the same objective and phases."""
    load_state(loop.players, state["players"])
    loop.enter(state["phase"], state["local"])
    for mover, saved in zip(loop.movers, state["movers"], strict=True):
        mover.stepper.load_state_dict(saved)
    loop.generator.set_state(state["generator"])
    like = _like(loop.players)
    saved_dtype = state["environment"]["dtype"]
    loop.batch = {name: _cast(tensor, saved_dtype, like) for name, tensor in state["batch"].items()}
    loop.drawn_at, loop.step = state["drawn_at"], state["step"]
    loop.rolled_back, loop.first_loss, loop.loss = state["rolled_back"], state["first_loss"], state["loss"]
    loop.history = Record.from_columns({name: column.numpy() for name, column in state["history"].items()})
    loop.best = Best(state["best"]["value"], state["best"]["step"], state["best"]["state"])
    loop.notes = list(state["notes"])
    loop.seconds_before = state["seconds"]


def _like(players: Mapping[str, nn.Module]) -> Tensor:
    return next(p for module in players.values() for p in module.parameters())


def _cast(tensor: Tensor, saved_dtype: str, like: Tensor) -> Tensor:
    other = str(tensor.dtype) == saved_dtype != str(like.dtype)
    return tensor.to(device=like.device, dtype=like.dtype if other else tensor.dtype)


def _environment(loop: Loop) -> dict[str, Scalar]:
    like = _like(loop.players)
    return {
        "seed": loop.generator.initial_seed(),
        "dtype": str(like.dtype),
        "device": like.device.type,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "record_every": loop.record_every,
    }


def _differences(then: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> list[str]:
    return [f"{key} {then[key]} then, {now[key]} now" for key in now if then.get(key) != now[key]]


def _phase_text(phase: Phase) -> str:
    """Say everything of a phase but its length, which may be raised on resuming."""
    # Addresses in the repr of a callable would differ in each process.
    turns = re.sub(r" at 0x[0-9a-f]+", "", repr(phase.turns))
    return f"turns {turns}, resample_every {phase.resample_every}"


def _check_identity(path: str, then: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> None:
    for field in dict.fromkeys([*now, *then]):
        absent = "absent"
        if then.get(field, absent) != now.get(field, absent):
            raise ProblemMismatchError(
                f"checkpoint {path!r}: field {field!r}: got {then.get(field, absent)!r} in the file, "
                f"expected {now.get(field, absent)!r}; resume with the configuration it was started with"
            )


def _check_phases(path: str, state: Mapping[str, Any], loop: Loop) -> None:
    """Refuse other weights, another measure of the best, or other turns in a phase already begun."""
    then: dict[str, Scalar] = {"best_of": state["best_of"]}
    now: dict[str, Scalar] = {"best_of": loop.best_of}
    then |= {f"weights[{name}]": value for name, value in state["weights"].items()}
    now |= {f"weights[{name}]": value for name, value in loop.weights.items()}
    texts = [_phase_text(phase) for phase in loop.phases]
    for i, text in enumerate(state["phases"][: state["phase"] + 1]):
        then[f"phases[{i}]"] = text
        now[f"phases[{i}]"] = texts[i] if i < len(texts) else None
    _check_identity(path, then, now)


def _other_steps(state: Mapping[str, Any], loop: Loop) -> list[str]:
    """Name the phases begun that an uninterrupted run would have done otherwise with the new number of steps."""
    current = state["phase"]
    return [
        f"phases[{i}].steps {then} then, {phase.steps} now"
        for i, (then, phase) in enumerate(zip(state["phase_steps"][: current + 1], loop.phases, strict=False))
        if then != phase.steps and (i < current or any(turn.schedule != Constant() for turn in phase.turns))
    ]


def _check_architecture(path: str, saved: State, players: Mapping[str, nn.Module]) -> None:
    for player, module in players.items():
        here = {name: tuple(t.shape) for name, t in module.state_dict().items()}
        there = {name: tuple(t.shape) for name, t in saved.get(player, {}).items()}
        for name in dict.fromkeys([*here, *there]):
            if here.get(name) != there.get(name):
                raise CheckpointError(
                    f"checkpoint {path!r}: player {player!r}: first differing layer {name!r}: got shape "
                    f"{there.get(name, 'absent')} in the file, expected {here.get(name, 'absent')}; "
                    "build the network it was saved from"
                )
