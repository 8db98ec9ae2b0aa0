"""freq-step-target: the outline of a step function is learnt before its jumps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import scipy

from ...optim import Adam
from ...plot_style import grid_lines, style
from ...spectrum import peaks, spectrum
from ..curves import Curve, RoundedSine, in_order, learnt
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..panels import draw_heat, draw_spectrum
from ..records import Periodic
from .three_modes import BOOK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLD = 0.2
"""Delta_F that counts as learnt."""
FIRST = 3
"""Peaks whose order is asked for."""
INDICES = 40
"""Of the spectra that are shown."""


@final
@dataclass(frozen=True)
class StepTarget:
    """The fit.

    Args:
        curve: target, network and training.
        peaks: how many peaks of the target's spectrum are followed.
        shown: fractions of the training at which outputs are drawn.
    """

    curve: Curve = field(
        default_factory=lambda: Curve(
            RoundedSine(), -3 * math.pi, 3 * math.pi, fit=Fit(4500, Adam(1e-3), record=Periodic(1))
        )
    )
    peaks: int = 10
    shown: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0)


def run(config: StepTarget, context: Context) -> Finding:
    """Train, and follow Delta_F at the peaks of the target's spectrum."""
    curve = config.curve
    trained = curve.train(context, "a step function")
    spacing = trained.x[1] - trained.x[0]
    k = peaks(spectrum(trained.target[0], spacing), config.peaks, floor=0.01).wavevectors[:, 0].astype(np.float64)
    delta, times = trained.delta(k), learnt(trained, k, threshold=THRESHOLD)
    rank = [_rank(k, each) for each in times]
    claims = (
        Claim.over_seeds(
            "the peaks of the spectrum are learnt from low to high",
            f"T_k of the first {FIRST} peaks rises (Delta_F = {THRESHOLD:g}) in at least 4 of 5 seeds",
            {f"T_{wavenumber:.3g}": times[:, i].tolist() for i, wavenumber in enumerate(k[:FIRST])},
            in_order(times[:, :FIRST]).tolist(),
        ),
        Claim.over_seeds(
            "so are all peaks that are learnt at all",
            "rank correlation of k and T_k over the peaks reached at least 0.8 in at least 4 of 5 seeds",
            {"correlation": rank, "peaks reached": np.isfinite(times).sum(axis=1).tolist()},
            [value >= 0.8 for value in rank],
        ),
    )
    shown = [trained.record(fraction * trained.steps[-1]) for fraction in config.shown]
    snapshots = trained.outputs[shown]
    labels = [f"{wavenumber:.3g}" for wavenumber in k]
    low = 2 * np.pi / (curve.upper - curve.lower) * np.arange(INDICES)

    def magnitude(values: np.ndarray) -> np.ndarray:
        return 2 * np.abs(np.fft.rfft(values))[:INDICES] / len(values)

    def draw_outputs(figure: Figure) -> None:
        axes = figure.subplots(1, len(shown), sharey=True)
        for ax, row, values in zip(axes, shown, snapshots[:, 0], strict=True):
            ax.plot(trained.x, trained.target[0], label="target", **style(0))
            ax.plot(trained.x, values, label="network", **style(1))
            ax.set(xlabel="x", title=f"step {trained.steps[row]}")
            grid_lines(ax)
        axes[0].set_ylabel("output")
        axes[0].legend(fontsize=8)

    def draw_spectra(figure: Figure) -> None:
        axes = figure.subplots(1, len(shown), sharey=True)
        for ax, row, values in zip(axes, shown, snapshots[:, 0], strict=True):
            draw_spectrum(ax, low, [magnitude(trained.target[0]), magnitude(values)], ["target", "network"])
            ax.set(yscale="log", ylim=(1e-4, 3), title=f"step {trained.steps[row]}")

    def draw_course(figure: Figure) -> None:
        draw_heat(figure.subplots(), trained.steps, delta[:, 0], labels)

    return Finding(
        claims,
        {
            "x": trained.x,
            "target": trained.target[0],
            "k": k,
            "steps": trained.steps,
            "loss": trained.loss,
            "delta": delta.astype(np.float32),
            "times": times,
            "shown": trained.steps[shown],
            "outputs": snapshots,
        },
        {"outputs": draw_outputs, "spectra": draw_spectra, "course": draw_course},
    )


def _rank(k: np.ndarray, times: np.ndarray) -> float:
    reached = np.isfinite(times)
    return float(scipy.stats.spearmanr(k[reached], times[reached]).statistic) if reached.sum() >= FIRST else math.nan


EXPERIMENT = Experiment(
    id="freq-step-target",
    chapter=4,
    source="Figs. 4.3, 4.6, sections 4.1.1, 4.1.3",
    title="the outline of a step function is learnt before its jumps",
    quick=StepTarget(),
    full=StepTarget(
        Curve(
            RoundedSine(),
            *(-3 * math.pi, 3 * math.pi, 600),
            network=BOOK,
            fit=Fit(30_000, Adam(1e-4), record=Periodic(10)),
        )
    ),
    run=run,
)
