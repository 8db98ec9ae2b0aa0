"""freq-amplitude-vs-frequency: how far a large amplitude makes up for a high frequency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import scipy

from ...optim import Adam
from ...plot_style import grid_lines, style
from ..curves import LEARNT, Curve, Sines, learnt, quotient
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..records import Periodic
from ..statistics import FloatArray
from .three_modes import BOOK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOLD = 10
"""Records in a row below the threshold."""


@final
@dataclass(frozen=True)
class AmplitudeFrequency:
    """Two families of targets: sin x + a sin(fixed x), and sin x + small sin(k x).

    Args:
        curve: network and training; each target of a family is fitted by every seed.
        amplitudes: a, rising.
        fixed: the wave number in the first family.
        wavenumbers: k, rising.
        small: the amplitude in the second family.
    """

    curve: Curve = field(default_factory=lambda: Curve(points=100, fit=Fit(3000, Adam(1e-3), record=Periodic(1))))
    amplitudes: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5, 3.0)
    fixed: float = 4.0
    wavenumbers: tuple[float, ...] = (2.0, 3.0, 4.0, 5.0, 6.0)
    small: float = 0.2


def run(config: AmplitudeFrequency, context: Context) -> Finding:
    """Measure T_high / T_low over both families."""
    first = [Sines((1.0, config.fixed), (1.0, a)) for a in config.amplitudes]
    second = [Sines((1.0, k), (1.0, config.small)) for k in config.wavenumbers]
    times = {
        "amplitude": _times(config, first, "amplitudes", context),
        "wave number": _times(config, second, "wave numbers", context),
    }
    ratio = {name: quotient(each[..., 1], each[..., 0]) for name, each in times.items()}
    median = {name: np.median(each, axis=1) for name, each in ratio.items()}
    varied = {"amplitude": config.amplitudes, "wave number": config.wavenumbers}
    rank = {name: float(scipy.stats.spearmanr(varied[name], median[name]).statistic) for name in varied}
    claims = tuple(
        Claim(
            text,
            f"rank correlation of the {name} and the median of T_high / T_low over the seeds {test}",
            {
                name: list(varied[name]),
                "median of T_high / T_low": median[name].tolist(),
                "rank correlation": rank[name],
            },
            holds,
        )
        for name, text, test, holds in (
            (
                "amplitude",
                "a larger amplitude makes the high frequency come earlier",
                "<= -0.8",
                rank["amplitude"] <= -0.8,
            ),
            ("wave number", "a higher frequency comes later", ">= 0.8", rank["wave number"] >= 0.8),
        )
    )

    def draw_ratios(figure: Figure) -> None:
        for ax, (name, values) in zip(figure.subplots(1, 2), ratio.items(), strict=True):
            x = np.array(varied[name])
            middle = median[name]
            with np.errstate(invalid="ignore"):  # where neither time came
                spread = np.abs(np.stack([values.min(axis=1), values.max(axis=1)]) - middle)
            ax.errorbar(x, middle, np.where(np.isfinite(spread), spread, 0.0), marker="o", capsize=3, **style(0))
            ax.set(
                xlabel=f"{name} of the high frequency", ylabel="$T_{high} / T_{low}$, median and range", yscale="log"
            )
            grid_lines(ax)

    arrays = {"amplitudes": np.array(config.amplitudes), "wavenumbers": np.array(config.wavenumbers)}
    for name, key in (("amplitude", "amplitude"), ("wave number", "wavenumber")):
        arrays |= {f"{key}_times": times[name], f"{key}_ratio": ratio[name]}
    return Finding(claims, arrays, {"ratios": draw_ratios})


def _times(config: AmplitudeFrequency, targets: list[Sines], label: str, context: Context) -> FloatArray:
    """T of both sines, (targets, seeds, 2)."""
    trained = config.curve.train(context, label, targets=targets)
    count = len(context.seeds)
    of_each = []
    for number, target in enumerate(targets):
        part = trained.models(range(number * count, (number + 1) * count))
        of_each.append(learnt(part, target.wavenumbers, threshold=LEARNT, hold=HOLD))
    return np.array(of_each)


EXPERIMENT = Experiment(
    id="freq-amplitude-vs-frequency",
    chapter=4,
    source="an extension: the manual of experiments, chapter 1, tasks 1 and 2",
    title="how far a large amplitude makes up for a high frequency",
    quick=AmplitudeFrequency(),
    full=AmplitudeFrequency(
        Curve(points=1000, network=BOOK, fit=Fit(10_000, Adam(1e-4), record=Periodic(5))),
        wavenumbers=tuple(float(k) for k in range(2, 11)),
    ),
    run=run,
)
