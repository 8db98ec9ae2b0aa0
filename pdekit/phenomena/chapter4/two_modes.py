"""freq-sin-two-modes: first the slow sine, then a plateau, then the fast one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from ...optim import Adam
from ...plot_style import FAINT, grid_lines, style
from ..curves import LEARNT, Curve, Sines, in_order, learnt, quotient
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..panels import draw_delta
from ..plateaus import plateaus
from ..records import Periodic
from .three_modes import BOOK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLOW, FAST = 1.0, 5.0
"""Wave numbers of the two sines, each of amplitude 1."""
MISSING = 0.5
"""Mean square of the fast sine: the loss while it is all that is missing."""


@final
@dataclass(frozen=True)
class TwoModes:
    """The fit.

    Args:
        curve: network and training; the interval holds two periods of the slow sine.
        change: by how much the loss may vary on a plateau.
    """

    curve: Curve = field(
        default_factory=lambda: Curve(
            Sines((SLOW, FAST)), -2 * math.pi, 2 * math.pi, fit=Fit(6000, Adam(3e-4), record=Periodic(1))
        )
    )
    change: float = 0.1


def run(config: TwoModes, context: Context) -> Finding:
    """Train, and look for the steps at which the network is the slow sine alone."""
    trained = config.curve.train(context, "a slow and a fast sine")
    delta, times = trained.delta((SLOW, FAST)), learnt(trained, (SLOW, FAST))
    ratio = quotient(times[:, 1], times[:, 0])
    slow_only = (delta[..., 0] < 0.15) & (delta[..., 1] > 0.8)
    near = np.abs(trained.loss / MISSING - 1)
    nearest = np.where(slow_only, near, np.inf).min(axis=0)
    at = [int(trained.steps[row]) for row in np.where(slow_only, near, np.inf).argmin(axis=0)]
    flat = [plateaus(trained.steps, loss, change=config.change) for loss in trained.loss.T]
    claims = (
        Claim.over_seeds(
            "the slow sine is learnt long before the fast one",
            f"T_1 < T_5 at Delta_F = {LEARNT:g} and T_5 / T_1 >= 3 in every seed",
            {"T_1": times[:, 0].tolist(), "T_5": times[:, 1].tolist(), "ratio": ratio.tolist()},
            (in_order(times) & (ratio >= 3)).tolist(),
            share=1.0,
        ),
        Claim.over_seeds(
            "meanwhile the network is the slow sine, and the loss the energy of the fast one",
            "at some step Delta_F(1) < 0.15, Delta_F(5) > 0.8 and the loss is within 15 % of 0.5, in every seed",
            {
                "smallest distance of the loss from 0.5": nearest.tolist(),
                "at step": at,
                "steps with only the slow sine": slow_only.sum(axis=0).tolist(),
            },
            (nearest <= 0.15).tolist(),
            share=1.0,
        ),
    )
    shown = (1, at[0], int(trained.steps[-1]))

    def draw_outputs(figure: Figure) -> None:
        axes = figure.subplots(1, 3, sharey=True)
        for ax, step in zip(axes, shown, strict=True):
            ax.plot(trained.x, trained.target[0], label="target", **style(0))
            ax.plot(trained.x, trained.outputs[trained.record(step), 0], label="network", **style(1))
            ax.set(xlabel="x", title=f"step {step}")
            grid_lines(ax)
        axes[0].set_ylabel("output")
        axes[0].legend(fontsize=8)

    def draw_course(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_delta(left, trained.steps, delta[:, 0], ("k = 1", "k = 5"), times=times[0], threshold=LEARNT)
        right.loglog(np.maximum(trained.steps, 1), trained.loss[:, 0], linewidth=1.0)
        for plateau in flat[0]:
            right.axvspan(plateau.start, plateau.end, color=FAINT, alpha=0.3, linewidth=0)
        right.axhline(MISSING, color=FAINT, linestyle=":")
        right.set(xlabel="optimiser step", ylabel="mean square error", title="plateaus shaded")
        grid_lines(right)

    return Finding(
        claims,
        {
            "x": trained.x,
            "target": trained.target[0],
            "steps": trained.steps,
            "loss": trained.loss,
            "delta": delta.astype(np.float32),
            "times": times,
            "shown": np.array(shown),
            "outputs": trained.outputs[[trained.record(step) for step in shown]],
        },
        {"outputs": draw_outputs, "course": draw_course},
        numbers={"plateaus (start, end, loss)": [[(p.start, p.end, p.level) for p in each] for each in flat]},
    )


EXPERIMENT = Experiment(
    id="freq-sin-two-modes",
    chapter=4,
    source="Fig. 4.2, section 4.1.1",
    title="first the slow sine, then a plateau of the loss, then the fast one",
    quick=TwoModes(),
    full=TwoModes(
        Curve(
            Sines((SLOW, FAST)),
            *(-2 * math.pi, 2 * math.pi, 600),
            network=BOOK,
            fit=Fit(15_000, Adam(3e-5), record=Periodic(5)),
        )
    ),
    run=run,
)
