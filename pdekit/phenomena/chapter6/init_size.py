"""freq-init-size: large initial weights destroy the order of frequencies and leave noise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ...nn import MLP, Architecture, Perceptron, PowerLaw
from ...nn.stacked import stack
from ...optim import Adam
from ...plot_style import FAINT, grid_lines, style
from ...spectrum import band_energies
from ..curves import LEARNT, Curve, Trained, drawn, in_order, learnt, quotient, tensor
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..losses import outputs
from ..panels import draw_delta, draw_heat
from ..records import Periodic
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINER = 20
"""The outputs are looked at on a grid this much finer than the training grid."""


@final
@dataclass(frozen=True)
class InitSize:
    """The fit, and the two networks that differ in the size of their initial weights and biases only.

    Args:
        small: target, network of small weights, training.
        large: the network of large weights.
        wavenumbers: of the sines in the target.
        high: the target has nothing above this wave number.

    Notes: noise can stay only where the data do not see it, above points / 2 in wave number; see `_POINTS`.
    """

    small: Curve = field(default_factory=lambda: Curve(points=100, fit=Fit(3000, Adam(1e-3), record=Periodic(1))))
    large: Architecture = field(default_factory=lambda: MLP(100, 3, init=PowerLaw(0.0)))
    wavenumbers: tuple[float, ...] = (1.0, 3.0, 5.0)
    high: float = 10.0


@final
@dataclass(frozen=True, eq=False)
class Course:
    """What became of the networks of one initial size; S seeds.

    Args:
        trained: the training.
        delta: (T, S, K) relative errors of the target's frequencies.
        times: (S, K) when each was learnt.
        first: (S, p) outputs at the start on the finer grid.
        last: (S, p) those at the end.
        energy: (2, S) energy above the target's frequencies at the start and at the end.
    """

    trained: Trained
    delta: FloatArray
    times: FloatArray
    first: FloatArray
    last: FloatArray
    energy: FloatArray


def course(config: InitSize, curve: Curve, label: str, context: Context) -> Course:
    """Train one network per seed."""
    fine = curve.grid(FINER)
    with torch.no_grad():
        first = outputs(stack(drawn(curve.network, context)), tensor(fine))[..., 0].double().numpy()
    trained = curve.train(context, label)
    last = trained.at_end(fine)
    edges = [0.0, config.high + 0.5, 0.5 * np.pi / (fine[1] - fine[0])]
    energy = band_energies(np.stack([first, last]), fine[1] - fine[0], edges)[..., 1].astype(np.float64)
    return Course(trained, trained.delta(config.wavenumbers), learnt(trained, config.wavenumbers), first, last, energy)


def run(config: InitSize, context: Context) -> Finding:
    """Train from small and from large weights, and compare orders and what is left above the target's frequencies."""
    curves = {"small": config.small, "large": replace(config.small, network=config.large)}
    found = {name: course(config, curve, f"{name} initial weights", context) for name, curve in curves.items()}
    small, large = found["small"], found["large"]
    names = [f"T_{k:g}" for k in config.wavenumbers]
    ratio = {name: quotient(one.times[:, -1], one.times[:, 0]) for name, one in found.items()}
    excess = large.energy[1] / small.energy[1]
    claims = (
        Claim.over_seeds(
            "from small weights low frequencies are learnt first",
            f"{' < '.join(names)} and {names[-1]} / {names[0]} >= 10",
            _times(names, small, ratio["small"]),
            (in_order(small.times) & (ratio["small"] >= 10)).tolist(),
        ),
        Claim.over_seeds(
            "from large weights there is no such order",
            f"{' < '.join(names)} does not hold, or {names[-1]} / {names[0]} <= 5",
            _times(names, large, ratio["large"]),
            (~in_order(large.times) | (ratio["large"] <= 5)).tolist(),
        ),
        Claim.over_seeds(
            "the high frequencies of large initial weights stay as noise",
            f"energy above k = {config.high:g} at the end at least 20 times that from small weights",
            {
                f"{name} weights, {when}": one.energy[row].tolist()
                for name, one in found.items()
                for row, when in enumerate(("start", "end"))
            }
            | {"ratio at the end": excess.tolist()},
            (excess >= 20).tolist(),
            note=_POINTS,
        ),
    )
    fine = config.small.grid(FINER)
    arrays = {"x": fine, "steps": small.trained.steps}
    for name, one in found.items():
        arrays |= {
            f"{name}_loss": one.trained.loss,
            f"{name}_delta": one.delta.astype(np.float32),
            f"{name}_times": one.times,
            f"{name}_first": one.first,
            f"{name}_last": one.last,
        }

    def draw_outputs(figure: Figure) -> None:
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (name, one) in zip(axes, reversed(found.items()), strict=True):
            ax.plot(fine, config.small.target(fine), label="target", color=FAINT, linewidth=4.0)
            ax.plot(fine, one.first[0], label="network at the start", color=style(1)["color"], linewidth=1.0)
            ax.plot(fine, one.last[0], label="network at the end", color=style(2)["color"], linewidth=1.0)
            ax.set(xlabel="x", title=f"{name} initial weights", ylim=(-4, 4))
            grid_lines(ax)
        axes[0].set_ylabel("output")
        axes[1].legend(loc="lower right")

    def draw_order(figure: Figure) -> None:
        rows = figure.subplots(2, 2, sharex="col")
        for (curve, heat), (name, one) in zip(rows.T, reversed(found.items()), strict=True):
            steps, delta, labels = one.trained.steps, one.delta[:, 0], [f"{k:g}" for k in config.wavenumbers]
            draw_delta(curve, steps, delta, [f"k = {k}" for k in labels], times=one.times[0], threshold=LEARNT)
            draw_heat(heat, steps, delta, labels)
            curve.set(title=f"{name} initial weights", xlabel="")

    return Finding(claims, arrays, {"outputs": draw_outputs, "order": draw_order})


_POINTS = (
    "with 100 points 20 seeds gave ratios from 83 to 1753; with 200, 10 seeds gave 15 to 92 after 5000 steps, for then the "
    "data see wave numbers up to 100 and the training removes most of the noise"
)


def _times(names: list[str], one: Course, ratio: FloatArray) -> dict[str, list[float]]:
    return dict(zip(names, one.times.T.tolist(), strict=True)) | {"ratio": ratio.tolist()}


EXPERIMENT = Experiment(
    id="freq-init-size",
    chapter=6,
    source="Fig. 6.2, section 6.1.1",
    title="large initial weights destroy the order of frequencies and leave noise",
    quick=InitSize(),
    full=InitSize(
        Curve(
            points=100,
            network=Perceptron((200, 200, 200, 100), init=PowerLaw()),
            fit=Fit(40_000, Adam(1e-4), record=Periodic(2)),
        ),
        Perceptron((200, 200, 200, 100), init=PowerLaw(0.0)),
    ),
    run=run,
    quick_seeds=5,
)
