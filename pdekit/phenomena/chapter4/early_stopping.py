"""freq-early-stopping: noise is fitted last, so the test error has a minimum before the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from ...optim import Adam
from ...plot_style import FAINT, grid_lines, style
from ...spectrum import band_energies
from ..curves import Curve, Sines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..panels import draw_losses
from ..records import Periodic
from .three_modes import BOOK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINER = 10
"""Test points for each training point."""
SIGNAL = 1.0
"""Wave number of the clean target."""


@final
@dataclass(frozen=True)
class EarlyStopping:
    """The fit of noisy data.

    Args:
        curve: the clean target, network and training; whole periods of the target.
        noise: standard deviation.
        above: wave numbers above this count as noise, in multiples of the signal's.
    """

    curve: Curve = field(
        default_factory=lambda: Curve(
            Sines((SIGNAL,)), *(-3 * math.pi, 3 * math.pi, 100), fit=Fit(8000, Adam(3e-4), record=Periodic(25))
        )
    )
    noise: float = 0.2
    above: float = 2.5


def run(config: EarlyStopping, context: Context) -> Finding:
    """Train on noisy data and compare the step of smallest test error with the end."""
    curve = config.curve
    noise = [context.numpy_generator(seed, "noise").standard_normal(curve.points) for seed in context.seeds]
    data = curve.target(curve.grid()) + config.noise * np.array(noise)
    trained = curve.train(context, "noisy data", values=data, finer=FINER)
    x = curve.between(FINER)
    test = np.mean((trained.fine[..., : len(x)] - curve.target(x)) ** 2, axis=-1)
    best = test.argmin(axis=0)
    seeds = np.arange(len(best))
    delta = trained.delta((SIGNAL,))[..., 0]
    spacing = trained.x[1] - trained.x[0]
    energy = {
        factor: band_energies(trained.outputs.astype(np.float64), spacing, [0.0, factor * SIGNAL, np.pi / spacing])[
            ..., 1
        ]
        for factor in (2.0, config.above)
    }
    growth = test[-1] / test[best, seeds]
    share = best / (len(test) - 1)
    high = energy[config.above][best, seeds] / energy[config.above][-1]
    claims = (
        Claim(
            "the test error rises again after its minimum",
            "test error at the end >= 1.5 x its minimum in every seed and >= 2 x in the median",
            {
                "minimum": test[best, seeds].tolist(),
                "end": test[-1].tolist(),
                "ratio": growth.tolist(),
                "median": float(np.median(growth)),
            },
            bool((growth >= 1.5).all() and np.median(growth) >= 2),
            tuple(bool(value >= 1.5) for value in growth),
        ),
        Claim.over_seeds(
            "the minimum comes early",
            "before half of the steps in every seed",
            {"step of the minimum": trained.steps[best].tolist(), "share of the steps": share.tolist()},
            (share < 0.5).tolist(),
            share=1.0,
        ),
        Claim.over_seeds(
            "at the minimum the signal is learnt",
            f"Delta_F({SIGNAL:g}) < 0.15 there in every seed",
            {"Delta_F": delta[best, seeds].tolist()},
            (delta[best, seeds] < 0.15).tolist(),
            share=1.0,
        ),
        Claim.over_seeds(
            "and the noise is not",
            f"energy above k = {config.above * SIGNAL:g} at most 60 % of that at the end in every seed",
            {
                "at the minimum": energy[config.above][best, seeds].tolist(),
                "at the end": energy[config.above][-1].tolist(),
                "share": high.tolist(),
            },
            (high <= 0.6).tolist(),
            share=1.0,
        ),
    )
    rows = (int(best[0]), len(test) - 1)

    def draw_losses_(figure: Figure) -> None:
        ax = figure.subplots()
        draw_losses(ax, trained.steps, trained.loss, label="training, noisy data")
        draw_losses(ax, trained.steps, test, label="test, clean target", number=1)
        ax.axvline(trained.steps[rows[0]], color=FAINT, linestyle=":")

    def draw_outputs(figure: Figure) -> None:
        axes = figure.subplots(1, 2, sharey=True)
        for ax, row in zip(axes, rows, strict=True):
            ax.plot(trained.x, data[0], ".", color=FAINT, label="noisy data")
            ax.plot(x, curve.target(x), label="clean target", linestyle="--", color=style(0)["color"])
            ax.plot(x, trained.fine[row, 0, : len(x)], label="network", **style(1))
            ax.set(xlabel="x", title=f"step {trained.steps[row]}")
            grid_lines(ax)
        axes[0].set_ylabel("output")
        axes[0].legend(fontsize=8, loc="lower left")

    def draw_spectra(figure: Figure) -> None:
        ax = figure.subplots()
        k = 2 * np.pi * np.fft.rfftfreq(curve.points, spacing)
        curves = (
            ("clean target", trained.target[0], 0),
            (f"step {trained.steps[rows[0]]}, test minimum", trained.outputs[rows[0], 0], 1),
            (f"step {trained.steps[rows[1]]}, end", trained.outputs[rows[1], 0], 2),
        )
        for label, values, number in curves:
            amplitude = 2 * np.abs(np.fft.rfft(values)) / curve.points
            ax.semilogy(k[1:], np.maximum(amplitude[1:], 1e-5), marker=".", label=label, **style(number))
        ax.set(xlabel="wave number k", ylabel="amplitude", ylim=(1e-5, 2))
        ax.legend(fontsize=8)
        grid_lines(ax)

    return Finding(
        claims,
        {
            "x": trained.x,
            "data": data,
            "steps": trained.steps,
            "loss": trained.loss,
            "test": test,
            "delta": delta.astype(np.float32),
            "high_energy": energy[config.above],
            "at_minimum": trained.outputs[best, seeds],
            "at_end": trained.outputs[-1],
        },
        {"losses": draw_losses_, "outputs": draw_outputs, "spectra": draw_spectra},
        numbers={"energy above twice the signal's wave number, at the end": energy[2.0][-1].tolist()},
    )


EXPERIMENT = Experiment(
    id="freq-early-stopping",
    chapter=4,
    source="Fig. 4.12, section 4.2.2",
    title="noise is fitted last: the test error has a minimum before the end",
    quick=EarlyStopping(),
    full=EarlyStopping(
        Curve(
            Sines((SIGNAL,)),
            *(-3 * math.pi, 3 * math.pi, 100),
            network=BOOK,
            fit=Fit(30_000, Adam(1e-5), record=Periodic(50)),
        )
    ),
    run=run,
)
