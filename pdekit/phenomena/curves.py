"""Fits of functions of one coordinate: the set-up that most figures of the frequency principle share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor

from ..checks import integer, real
from ..errors import ConfigError
from ..nn import MLP, Architecture, PowerLaw
from ..nn.frame import Frame
from ..nn.stacked import Stacked, stack
from ..optim import Adam
from ..spectrum import DeltaF, Waves, settled_at
from .experiment import Context
from .fitting import Fit, fit
from .losses import outputs
from .records import Periodic
from .statistics import FloatArray

LEARNT = 0.1
"""A frequency counts as learnt when Delta_F is below this, unless the source says otherwise."""
HOLD = 50
"""For how many records in a row."""


class Target(Protocol):
    """A function of one coordinate that networks are to fit."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values at `x`, in its shape."""
        ...


@final
@dataclass(frozen=True)
class Sines:
    """sum_i a_i sin(k_i x).

    Args:
        wavenumbers: k, rising.
        amplitudes: a; all 1 if empty.
    """

    wavenumbers: tuple[float, ...] = (1.0, 3.0, 5.0)
    amplitudes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.wavenumbers or (self.amplitudes and len(self.amplitudes) != len(self.wavenumbers)):
            raise ConfigError(
                f"Sines: got {len(self.wavenumbers)} wave numbers and {len(self.amplitudes)} amplitudes, expected one "
                "amplitude for each, or none for all 1"
            )

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values at `x`."""
        waves = np.sin(np.multiply.outer(x, self.wavenumbers))
        result: FloatArray = waves @ (np.array(self.amplitudes) if self.amplitudes else np.ones(waves.shape[-1]))
        return result


@final
@dataclass(frozen=True)
class RoundedSine:
    """sin x rounded to -1, 0 or 1: a step function of three levels, with the odd wave numbers that 3 does not divide."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values at `x`."""
        return np.asarray(np.round(np.sin(x)), dtype=np.float64)


@final
@dataclass(frozen=True)
class Curve:
    """A target on a periodic grid, the network that fits it, and how it is trained.

    Args:
        target: the function.
        lower, upper: ends of the interval, whole periods of the target apart; the grid leaves the right end out.
        points: n.
        network: one is drawn for each seed; it reads x itself, not scaled.
        fit: the training.

    Reference: book, section 4.1; the authors' notebooks.
    """

    target: Target = field(default_factory=Sines)
    lower: float = -math.pi
    upper: float = math.pi
    points: int = 200
    network: Architecture = field(default_factory=lambda: MLP(100, 3, init=PowerLaw()))
    fit: Fit = field(default_factory=lambda: Fit(2500, Adam(1e-3), record=Periodic(1)))

    def __post_init__(self) -> None:
        real("Curve", "upper", self.upper, low=self.lower)
        integer("Curve", "points", self.points, low=3)

    def grid(self, finer: int = 1) -> FloatArray:
        """The n points, or `finer` times as many on the same interval; every `finer`-th of them is a training point."""
        count = finer * self.points
        return self.lower + (self.upper - self.lower) * np.arange(count) / count

    def between(self, finer: int) -> FloatArray:
        """The finer grid from the first to the last training point: what lies beyond would be extrapolated."""
        return self.grid(finer)[: finer * (self.points - 1) + 1]

    def train(
        self,
        context: Context,
        label: str,
        *,
        targets: Sequence[Target] = (),
        values: FloatArray | None = None,
        finer: int = 1,
    ) -> Trained:
        """Train one network per seed, all at once.

        Args:
            context: seeds and progress.
            label: what progress calls this.
            targets: if given, every seed fits each of them instead of `target`; models are ordered by target, then seed.
            values: if given, (S, n), the data of each model, noisy say, instead of the target's values.
            finer: record outputs on a grid this much finer.
        """
        functions = targets or (self.target,)
        x = self.grid()
        clean = np.repeat([function(x) for function in functions], len(context.seeds), axis=0)
        data = clean if values is None else values
        stacked = stack([network for _ in functions for network in drawn(self.network, context)])
        inputs, at = tensor(x), tensor(self.grid(finer))
        history = fit(stacked, inputs, tensor(data), self.fit, context, at=at if finer > 1 else inputs, label=label)
        recorded = history.outputs[..., 0]
        return Trained(history.steps, history.loss, recorded[..., ::finer], recorded, clean, x, stacked)


@final
@dataclass(frozen=True, eq=False)
class Trained:
    """S networks and the course of their training, T records.

    Args:
        steps: (T,).
        loss: (T, S).
        outputs: (T, S, n) on the training grid.
        fine: (T, S, p) on the finer grid that was asked for, of which the training grid is a part.
        target: (S, n) the function each was to learn, without noise.
        x: (n,) the training grid.
        network: all of them, trained.
    """

    steps: np.ndarray
    loss: np.ndarray
    outputs: np.ndarray
    fine: np.ndarray
    target: FloatArray
    x: FloatArray
    network: Stacked

    def models(self, chosen: Sequence[int]) -> Trained:
        """The records of some of the models; the networks stay together."""
        rows = list(chosen)
        return dataclasses.replace(
            self,
            loss=self.loss[:, rows],
            outputs=self.outputs[:, rows],
            fine=self.fine[:, rows],
            target=self.target[rows],
        )

    def delta(self, wavenumbers: Sequence[float] | FloatArray) -> FloatArray:
        """Delta_F (T, S, K) on the training grid, against the function without noise."""
        waves = Waves.of(np.asarray(wavenumbers, dtype=float))
        each = [
            DeltaF(target, self.x[:, None], waves).each(self.outputs[:, number].astype(np.float64))
            for number, target in enumerate(self.target)
        ]
        return np.stack(each, axis=1)

    def at_end(self, x: FloatArray) -> FloatArray:
        """Values (S, p) of the trained networks at `x` (p,)."""
        with torch.no_grad():
            result: FloatArray = outputs(self.network, tensor(x))[..., 0].double().numpy()
        return result

    def record(self, step: float) -> int:
        """The number of the last record at or before a step."""
        return int(np.searchsorted(self.steps, step, side="right")) - 1


def drawn(network: Architecture, context: Context) -> list[torch.nn.Module]:
    """A network of one coordinate for each seed, in single precision, which reads the coordinate as it is."""
    unscaled = Frame((-1.0,), (1.0,), 1, torch.float32)
    return [network.build(unscaled, context.generator(seed, "weights")) for seed in context.seeds]


def tensor(values: FloatArray) -> Tensor:
    """Values (..., n) of one component as a single-precision tensor (..., n, 1)."""
    return torch.as_tensor(values, dtype=torch.float32)[..., None]


def learnt(
    trained: Trained, wavenumbers: Sequence[float] | FloatArray, *, threshold: float = LEARNT, hold: int = HOLD
) -> FloatArray:
    """T_k (S, K): the first step from which on Delta_F(k) is below the threshold for `hold` records; inf if never."""
    return np.asarray(settled_at(trained.steps, trained.delta(wavenumbers), threshold, hold), dtype=np.float64)


def in_order(times: FloatArray) -> np.ndarray:
    """Whether times (S, K) are finite and rise strictly, for each seed."""
    return np.asarray(np.isfinite(times).all(axis=1) & (times[:, 1:] > times[:, :-1]).all(axis=1))


def quotient(later: FloatArray, earlier: FloatArray) -> FloatArray:
    """Quotients of times, step 0 counted as step 1; infinite where only the later time never came, else NaN."""
    with np.errstate(invalid="ignore"):
        ratio: FloatArray = np.maximum(later, 1.0) / np.maximum(earlier, 1.0)
    return ratio
