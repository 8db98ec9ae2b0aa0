"""Fitting functions by networks, many at once, on the project's one training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..errors import ConfigError, ShapeError
from ..optim import Adam, Constant, Optimizer, Schedule
from ..recipe import Below, Phase, Probe, Turn
from ..train import train
from .experiment import Context
from .losses import Loss, MeanSquare, Misfit, outputs
from .perceptrons import Perceptrons
from .records import Periodic, Records

Measure = Callable[[nn.Module], Tensor]
"""A measurement: a network to a tensor, taken without gradients at each record."""

_PLAYER, _TERM, _LARGEST = "network", "sum", "largest"


@final
@dataclass(frozen=True)
class Fit:
    """How to train.

    Args:
        steps: optimiser steps at most.
        optimizer: how the parameters move.
        schedule: multiplies the learning rate.
        record: at which steps the history gets a row; the first and the last one do in any case.
        stop_loss: stop at the first record at which every model's loss is at most this; 0 for never.
        batch: points per step, drawn anew each time, the same for all models; None for all points.
    """

    steps: int
    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Constant)
    record: Records = field(default_factory=Periodic)
    stop_loss: float = 0.0
    batch: int | None = None

    def __post_init__(self) -> None:
        integer("Fit", "steps", self.steps)
        real("Fit", "stop_loss", self.stop_loss, low=0.0, open_low=False)
        if self.batch is not None:
            integer("Fit", "batch", self.batch)


@final
@dataclass(frozen=True)
class History:
    """What was recorded while S models trained; row t belongs to the parameters after steps[t] updates.

    Attributes:
        steps: (T,) integers, the first 0, the last the number of steps done.
        loss: (T, S); with mini-batches that of the batch.
        outputs: (T, S, p, m), at the points that were asked for; empty, (T, 0), if none were.
        values: further measurements by name, (T, ...).
        network: the trained network or stack.
    """

    steps: np.ndarray
    loss: np.ndarray
    outputs: np.ndarray
    values: Mapping[str, np.ndarray]
    network: nn.Module


def fit(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    how: Fit,
    context: Context,
    *,
    loss: Loss = MeanSquare(),  # noqa: B008
    at: Tensor | None = None,
    probes: Mapping[str, Measure] | None = None,
    label: str = "training",
) -> History:
    """Train a network, or all networks of a stack, each on the same data or on its own.

    minimise sum_s loss_s: models share no parameter, so each one trains as it would alone, to round-off.

    Args:
        network: a `Stacked`, or one module (a stack of one); trained in place.
        x: points (n, d), or (S, n, d).
        y: what the loss compares with, (n, m) or (S, n, m).
        how: optimiser, steps, records.
        context: hears of progress, and gives the random numbers of mini-batches.
        loss: of each model.
        at: points (p, d) or (S, p, d) whose outputs are recorded; those of `x` itself cost nothing.
        probes: measurements by name, given the network.
        label: what progress calls this.

    Returns:
        The records, and the network with its final parameters.

    Raises:
        ShapeError: x, y and at do not belong together.
        ConfigError: a batch larger than the data.
        DivergenceError: the sum of losses grew without bound.

    Notes: with `stop_loss` models that get there first go on until the last one does.
    """
    data = _Data(network, x, y, loss, how.batch)
    recorder = _Recorder(data, at, probes or {})
    steps = how.record.steps(how.steps)

    def record() -> Mapping[str, float]:
        context.report(label, steps[recorder.rows] / how.steps)
        return {_LARGEST: recorder.record()}

    phase = Phase((Turn(_PLAYER, how.optimizer, schedule=how.schedule),), how.steps, 1 if how.batch else None)
    trained = train(
        data,
        [phase],
        generator=context.generator(context.seeds[0], "batches", label),
        probes=[Probe("record", how.steps, record, at=frozenset(steps))],
        stop=[Below(_LARGEST, how.stop_loss)] if how.stop_loss else [],
        record_every=how.steps,
        best_of=_LARGEST,
    )
    context.report(label, 1.0)
    return recorder.history(trained.history["step"].astype(int))


@final
class _Data:
    """The training data as an objective; keeps what its newest evaluation found, for the records."""

    def __init__(self, network: nn.Module, x: Tensor, y: Tensor, loss: Loss, batch: int | None) -> None:
        self.network, self.x, self.y, self.batch = network, x, y, batch
        self._loss = loss
        self._perceptrons = Perceptrons.of(network, loss) if isinstance(loss, Misfit) else None
        self._own_x, self._own_y = x.ndim == 3, x.ndim == 3 or y.ndim == 3  # whether each model has points of its own
        points = x.shape[-2] if x.ndim in (2, 3) else 0
        if not points or y.ndim <= self._own_y or y.shape[int(self._own_y)] != points:
            raise ShapeError(
                f"fit: got x of shape {tuple(x.shape)} and y of shape {tuple(y.shape)}, expected (n, d) and (n, m), or "
                "(n, d) and (S, n, m), or (S, n, d) and (S, n, m) with n > 0; give one row per point"
            )
        if batch is not None and batch > points:
            raise ConfigError(f"fit: batch: got {batch}, expected at most the {points} points")
        self.losses_now, self.outputs_now = torch.empty(0), torch.empty(0)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {_PLAYER: self.network}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        if self.batch is None:
            return {"x": self.x, "y": self.y}
        chosen = torch.randperm(self.x.shape[-2], generator=generator)[: self.batch]
        x, y = self.x.index_select(int(self._own_x), chosen), self.y.index_select(int(self._own_y), chosen)
        return {"x": x, "y": y}

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        x, y = batch["x"], batch["y"]
        if self._perceptrons is not None:
            found = self._perceptrons.evaluate(x, y)
            self.losses_now, self.outputs_now, total = found.losses, found.outputs, found.total
        else:
            losses, values = self._loss(self.network, x, y)
            self.losses_now, self.outputs_now, total = losses.detach(), values.detach(), losses.sum()
        return {_TERM: total}


@final
class _Recorder:
    """Collects rows; right after an evaluation of the training data at the same parameters."""

    def __init__(self, data: _Data, at: Tensor | None, probes: Mapping[str, Measure]) -> None:
        self._data, self._at, self._probes = data, at, probes
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._values: dict[str, list[Tensor]] = {name: [] for name in probes}

    @property
    def rows(self) -> int:
        return len(self._losses)

    @torch.no_grad()
    def record(self) -> float:
        """Add a row; return the largest loss of any model."""
        losses = self._data.losses_now
        self._losses.append(losses)
        if self._at is not None:
            evaluated = self._at is self._data.x and self._data.batch is None
            self._outputs.append(self._data.outputs_now if evaluated else outputs(self._data.network, self._at))
        for name, measure in self._probes.items():
            self._values[name].append(measure(self._data.network).detach().clone())
        return float(losses.max())

    def history(self, steps: np.ndarray) -> History:
        return History(
            steps,
            _array(self._losses),
            _array(self._outputs) if self._outputs else np.empty((len(steps), 0)),
            {name: _array(values) for name, values in self._values.items()},
            self._data.network,
        )


def _array(rows: list[Tensor]) -> np.ndarray:
    return torch.stack(rows).cpu().numpy()
