"""What the two experiments on activations share: three networks that differ in activation and in their initial output."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ...nn import MLP, Activation, AntiSymmetric, Architecture, Perceptron
from ...plot_style import grid_lines, style
from ..curves import LEARNT, Curve, Trained, in_order, learnt, quotient
from ..experiment import Context
from ..finding import Claim, Draw
from ..panels import draw_delta, draw_heat
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINER = 20
"""Test points for each training point."""
ZERO = 1e-6
"""Largest initial output that counts as none."""


@final
@dataclass(frozen=True)
class ActivationRuns:
    """Networks with a rough and with a smooth activation, and what they fit.

    Args:
        rough: its spectrum reaches beyond the target's.
        smooth: the same with a spectrum that falls off.
        curve: target, network and training; the network's activation is replaced.
        wavenumbers: of the target.
    """

    rough: Activation
    smooth: Activation
    curve: Curve = field(default_factory=Curve)
    wavenumbers: tuple[float, ...] = (1.0, 3.0, 5.0)


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """One kind of network after training, S seeds.

    Args:
        title: which kind it is.
        trained: the course of training.
        delta: (T, S, K).
        times: (S, K).
        test: (S,) mean square errors between the training points.
        output: (S, p) at the end, there.
    """

    title: str
    trained: Trained
    delta: FloatArray
    times: FloatArray
    test: FloatArray
    output: FloatArray

    @property
    def train(self) -> FloatArray:
        """Training losses (S,) at the end."""
        return self.trained.loss[-1].astype(np.float64)

    @property
    def ratio(self) -> FloatArray:
        """How much later the highest frequency is learnt than the lowest, (S,)."""
        return quotient(self.times[:, -1], self.times[:, 0])

    @property
    def initial(self) -> FloatArray:
        """Largest initial output (S,) on the training points."""
        return np.abs(self.trained.outputs[0]).max(axis=1).astype(np.float64)


def outcomes(config: ActivationRuns, context: Context) -> tuple[Outcome, Outcome, Outcome]:
    """Train the rough activation as it is, the rough and the smooth one from a zero initial output."""
    plain = with_activation(config.curve.network, config.rough)
    kinds: Mapping[str, Architecture] = {
        f"{config.rough}": plain,
        f"{config.rough}, zero initial output": AntiSymmetric(plain),
        f"{config.smooth}, zero initial output": AntiSymmetric(with_activation(plain, config.smooth)),
    }
    first, second, third = (_outcome(config, title, network, context) for title, network in kinds.items())
    return first, second, third


def with_activation(network: Architecture, activation: Activation) -> MLP | Perceptron:
    """The same fully connected network with another activation."""
    assert isinstance(network, MLP | Perceptron)
    return dataclasses.replace(network, activation=activation)


def _outcome(config: ActivationRuns, title: str, network: Architecture, context: Context) -> Outcome:
    curve = dataclasses.replace(config.curve, network=network)
    trained = curve.train(context, title)
    x = curve.between(FINER)
    output = trained.at_end(x)
    test = np.mean((output - curve.target(x)) ** 2, axis=1)
    return Outcome(title, trained, trained.delta(config.wavenumbers), learnt(trained, config.wavenumbers), test, output)


def order_claim(text: str, config: ActivationRuns, outcome: Outcome, least: float) -> Claim:
    """Lower frequencies are learnt first, the highest at least `least` times as late as the lowest."""
    names = _names(config)
    return Claim.over_seeds(
        text,
        f"{' < '.join(names)} and {names[-1]} / {names[0]} >= {least:g} in every seed",
        _times(config, outcome) | {"ratio": outcome.ratio.tolist()},
        (in_order(outcome.times) & (outcome.ratio >= least)).tolist(),
        share=1.0,
    )


def disorder_claim(text: str, config: ActivationRuns, outcome: Outcome, most: float) -> Claim:
    """The highest frequency is learnt at most `most` times as late as the lowest."""
    names = _names(config)
    return Claim.over_seeds(
        text,
        f"{names[-1]} / {names[0]} <= {most:g} in every seed, whatever the order",
        _times(config, outcome) | {"ratio": outcome.ratio.tolist()},
        (outcome.ratio <= most).tolist(),
        share=1.0,
    )


def zero_claim(*started_at_zero: Outcome) -> Claim:
    """The networks that should start at zero do."""
    largest = np.max([outcome.initial for outcome in started_at_zero], axis=0)
    return Claim.over_seeds(
        "the difference of two equal networks starts at zero",
        f"max |f| <= {ZERO:g} before training",
        {"max |f|": largest.tolist()},
        (largest <= ZERO).tolist(),
        share=1.0,
    )


def arrays(config: ActivationRuns, found: tuple[Outcome, ...]) -> dict[str, np.ndarray]:
    """What is kept of three outcomes."""
    result = {"x": config.curve.between(FINER)}
    for name, outcome in zip(("rough", "rough_zero", "smooth_zero"), found, strict=True):
        result |= {
            f"{name}_steps": outcome.trained.steps,
            f"{name}_loss": outcome.trained.loss,
            f"{name}_delta": outcome.delta.astype(np.float32),
            f"{name}_times": outcome.times,
            f"{name}_output": outcome.output.astype(np.float32),
            f"{name}_initial": outcome.trained.outputs[0],
            f"{name}_test": outcome.test,
        }
    return result


def figures(config: ActivationRuns, found: tuple[Outcome, ...]) -> dict[str, Draw]:
    """Activations with their spectra, the order of learning, and outputs on training and on test points."""
    x = config.curve.between(FINER)
    labels = [f"{k:g}" for k in config.wavenumbers]

    def draw_activations(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        z = np.linspace(-40.0, 40.0, 2**14, endpoint=False)
        k = 2 * np.pi * np.fft.rfftfreq(len(z), z[1] - z[0])
        for number, activation in enumerate((config.rough, config.smooth)):
            value = activation(torch.from_numpy(z)).numpy()
            transform = np.abs(np.fft.rfft(value * np.hanning(len(z))))
            near, low = np.abs(z) <= 2, k <= 40
            left.plot(z[near], value[near], label=str(activation), **style(number))
            right.plot(k[low], transform[low] / transform.max(), **style(number))
        left.set(xlabel="z", ylabel="activation")
        right.set(xlabel="wave number", ylabel="magnitude of the transform, largest 1")
        left.legend(fontsize=8)
        for ax in (left, right):
            grid_lines(ax)

    def draw_order(figure: Figure) -> None:
        figure.set_size_inches(12.0, 7.0)  # six panels
        axes = figure.subplots(2, 3)
        for number, ((above, below), outcome) in enumerate(zip(axes.T, found, strict=True)):
            steps, delta = outcome.trained.steps, outcome.delta[:, 0]
            draw_delta(above, steps, delta, [f"k = {k}" for k in labels], times=outcome.times[0], threshold=LEARNT)
            above.set_title(outcome.title.replace(", ", ",\n"), fontsize=9)
            draw_heat(below, steps, delta, labels, bar=number == len(found) - 1)

    def draw_outputs(figure: Figure) -> None:
        axes = figure.subplots(1, 3, sharey=True)
        for ax, outcome in zip(axes, found, strict=True):
            ax.plot(x, outcome.output[0], linewidth=0.9, label="between training points", **style(1))
            ax.plot(outcome.trained.x, outcome.trained.outputs[-1, 0], ".", markersize=3, label="on them", color="k")
            ax.plot(x, config.curve.target(x), linewidth=0.9, linestyle="--", label="target", color=style(0)["color"])
            ax.plot(
                outcome.trained.x, outcome.trained.outputs[0, 0], linewidth=0.9, label="before training", **style(2)
            )
            ax.set(xlabel="x", title=outcome.title.replace(", ", ",\n"))
            ax.title.set_fontsize(9)
            grid_lines(ax)
        axes[0].set_ylabel("output")
        axes[0].legend(fontsize=7, loc="lower right")

    return {"activations": draw_activations, "order": draw_order, "outputs": draw_outputs}


def _names(config: ActivationRuns) -> list[str]:
    return [f"T_{k:g}" for k in config.wavenumbers]


def _times(config: ActivationRuns, outcome: Outcome) -> dict[str, list[float]]:
    return dict(zip(_names(config), outcome.times.T.tolist(), strict=True))
