"""freq-loss-gradient: a loss that compares slopes as well learns high frequencies sooner."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import nn

from ...nn import Elementwise, Perceptron, PowerLaw, Sine
from ...nn.stacked import stack
from ...optim import Adam
from ..curves import LEARNT, Curve, Sines, Trained, drawn, learnt, quotient, tensor
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, fit
from ..panels import draw_delta
from ..records import Periodic
from ..sobolev import ValueAndSlope
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class LossGradient:
    """The fit by values alone, and how long the loss with slopes is trained.

    Args:
        curve: network, points and training; the target is a sum of sines.
        wavenumbers: of the sines, rising.
        steps: of the training by values and slopes.
    """

    curve: Curve = field(default_factory=lambda: Curve(fit=Fit(2000, Adam(1e-3), record=Periodic(1))))
    wavenumbers: tuple[float, ...] = (1.0, 3.0, 5.0)
    steps: int = 1000


def wave(k: float) -> nn.Module:
    """sin k x as a network of one unit, whose derivatives the kernel knows."""
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.constant_(layer.weight, k)
    return nn.Sequential(layer, Elementwise(Sine()))


def mode_weights(points: int, highest: int) -> FloatArray:
    """Ratio of the slope term to the value term of the loss for an error sin k x, k = 1 to `highest`."""
    x = 2 * torch.pi * torch.arange(points, dtype=torch.float64)[:, None] / points
    zero = torch.zeros(points, 2, dtype=torch.float64)
    with torch.no_grad():
        terms = [ValueAndSlope().terms(wave(k), x, zero) for k in range(1, highest + 1)]
    return np.array([float(slope / value) for value, slope, _ in terms])


def train_with_slopes(config: LossGradient, curve: Curve, context: Context) -> Trained:
    """The training of `Curve.train`, with the loss that compares slopes as well."""
    x, k = curve.grid(), np.array(config.wavenumbers)
    slopes = np.cos(np.outer(x, k)) @ k
    data = torch.as_tensor(np.stack([curve.target(x), slopes], axis=1), dtype=torch.float32)
    networks, inputs = stack(drawn(curve.network, context)), tensor(x)
    how = replace(curve.fit, steps=config.steps)
    history = fit(networks, inputs, data, how, context, loss=ValueAndSlope(), at=inputs, label="loss with slopes")
    recorded = history.outputs[..., 0]
    target = np.tile(curve.target(x), (len(context.seeds), 1))
    return Trained(history.steps, history.loss, recorded, recorded, target, x, networks)


def run(config: LossGradient, context: Context) -> Finding:
    """Train the same networks with both losses."""
    curve, k = replace(config.curve, target=Sines(config.wavenumbers)), config.wavenumbers
    plain, steep = curve.train(context, "loss of values"), train_with_slopes(config, curve, context)
    delta_plain, delta_steep = plain.delta(k), steep.delta(k)
    times_plain, times_steep = learnt(plain, k), learnt(steep, k)
    gain = quotient(times_steep[:, -1], times_plain[:, -1])
    ratio_plain, ratio_steep = (quotient(times[:, -1], times[:, -2]) for times in (times_plain, times_steep))
    weights = mode_weights(curve.points, _HIGHEST) / np.arange(1, _HIGHEST + 1) ** 2
    middle, last = (f"T_{wavenumber:g}" for wavenumber in k[-2:])
    claims = (
        Claim.over_seeds(
            "comparing slopes as well speeds up the high frequencies",
            f"{last} with slopes at most half of {last} without",
            {
                f"{last} with slopes": times_steep[:, -1].tolist(),
                f"{last} without": times_plain[:, -1].tolist(),
                "quotient": gain.tolist(),
            },
            (gain <= 0.5).tolist(),
        ),
        Claim.over_seeds(
            "the order of frequencies, clear without slopes, is gone with them",
            f"{last} / {middle} <= 1.3 with slopes, and >= 2 without",
            {
                f"{last} / {middle} with slopes": ratio_steep.tolist(),
                f"{last} / {middle} without": ratio_plain.tolist(),
            },
            ((ratio_steep <= 1.3) & (ratio_plain >= 2)).tolist(),
        ),
        Claim(
            "the added term weighs an error of wave number k by k^2",
            f"slope term / value term of the loss at sin k x is k^2 within 1e-6, k = 1 to {_HIGHEST}",
            {"largest relative deviation": float(np.abs(weights - 1).max())},
            bool((np.abs(weights - 1) <= 1e-6).all()),
        ),
    )
    arrays = {
        "steps_values": plain.steps,
        "steps_slopes": steep.steps,
        "loss_values": plain.loss,
        "loss_slopes": steep.loss,
        "delta_values": delta_plain.astype(np.float32),
        "delta_slopes": delta_steep.astype(np.float32),
        "times_values": times_plain,
        "times_slopes": times_steep,
    }

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        labels = [f"k = {wavenumber:g}" for wavenumber in k]
        draw_delta(axes[0], plain.steps, delta_plain[:, 0], labels, times=times_plain[0], threshold=LEARNT)
        draw_delta(axes[1], steep.steps, delta_steep[:, 0], labels, times=times_steep[0], threshold=LEARNT)
        axes[0].set_title("loss of values")
        axes[1].set(title="loss of values and slopes", ylabel="")

    return Finding(claims, arrays, {"order": draw})


_HIGHEST = 10

EXPERIMENT = Experiment(
    id="freq-loss-gradient",
    chapter=6,
    source="Fig. 6.4, Eqs 6.2 and 6.3, section 6.1.3",
    title="a loss that compares slopes as well learns high frequencies sooner",
    quick=LossGradient(),
    full=LossGradient(
        Curve(
            points=600,
            network=Perceptron((200, 200, 200, 100), init=PowerLaw()),
            fit=Fit(10_000, Adam(1e-4), record=Periodic(1)),
        ),
        steps=10_000,
    ),
    run=run,
    quick_seeds=5,
)
