"""freq-sin-three-modes: of three sines of equal size the lowest is learnt first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from ...nn import Perceptron, PowerLaw
from ...optim import Adam
from ...spectrum import Spectrum, spectrum
from ..curves import LEARNT, Curve, Sines, in_order, learnt, quotient
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..panels import draw_delta, draw_heat, draw_spectrum
from ..records import Periodic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOOK = Perceptron((200, 200, 200, 100), init=PowerLaw())
"""The tanh network of the chapter's notebooks: weights and biases of variance 1 / 200."""


@final
@dataclass(frozen=True)
class ThreeModes:
    """The fit.

    Args:
        curve: target, network and training.
        wavenumbers: of the sines in the target.
        control: amplitudes of a second target, with the highest sine largest.
    """

    curve: Curve = field(default_factory=Curve)
    wavenumbers: tuple[float, ...] = (1.0, 3.0, 5.0)
    control: tuple[float, ...] = (1.0, 2.0, 3.0)


def run(config: ThreeModes, context: Context) -> Finding:
    """Train on equal amplitudes, and on rising ones as a control, and compare when each sine is learnt."""
    curve, k, count = config.curve, config.wavenumbers, len(context.seeds)
    targets = (Sines(k), Sines(k, config.control))
    trained = curve.train(context, "sums of three sines", targets=targets)
    delta, both = trained.delta(k), learnt(trained, k)
    times, control = both[:count], both[count:]
    names = [f"T_{wavenumber:g}" for wavenumber in k]
    ratio = quotient(times[:, -1], times[:, 0])
    claims = (
        Claim.over_seeds(
            "of sines of equal amplitude the one of lowest frequency is learnt first",
            f"{' < '.join(names)} at Delta_F = {LEARNT:g} in at least 4 of 5 seeds",
            dict(zip(names, times.T.tolist(), strict=True)),
            in_order(times).tolist(),
        ),
        Claim(
            "the highest one is learnt much later",
            f"median of {names[-1]} / {names[0]} at least 10",
            {"ratio": ratio.tolist(), "median": float(np.median(ratio))},
            bool(np.median(ratio) >= 10),
        ),
    )
    reference = spectrum(trained.target[0], curve.grid()[1] - curve.grid()[0])
    labels = [f"k = {wavenumber:g}" for wavenumber in k]
    low = _lowest(reference, 2 * k[-1])

    def draw_course(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_delta(left, trained.steps, delta[:, 0], labels, times=times[0], threshold=LEARNT)
        draw_heat(right, trained.steps, delta[:, 0], [f"{wavenumber:g}" for wavenumber in k])

    def draw_target(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(trained.x, trained.target[0])
        left.set(xlabel="x", ylabel="target")
        draw_spectrum(right, reference.wavenumbers[0][low], [2 * reference.magnitude[low]], ["target"])

    return Finding(
        claims,
        {
            "x": trained.x,
            "target": trained.target[0],
            "steps": trained.steps,
            "loss": trained.loss[:, :count],
            "delta": delta[:, :count].astype(np.float32),
            "times": times,
            "control_delta": delta[:, count:].astype(np.float32),
            "control_times": control,
        },
        {"course": draw_course, "target": draw_target},
        numbers={
            "control amplitudes": list(config.control),
            "control times": control.tolist(),
            "control in order": in_order(control).tolist(),
        },
    )


def _lowest(of: Spectrum, limit: float) -> np.ndarray:
    """The places of wave numbers from 0 to a limit."""
    found: np.ndarray = np.flatnonzero((of.wavenumbers[0] >= 0) & (of.wavenumbers[0] <= limit))
    return found


EXPERIMENT = Experiment(
    id="freq-sin-three-modes",
    chapter=4,
    source="Fig. 4.7, section 4.1.3",
    title="of sines of equal amplitude the lowest frequency is learnt first",
    quick=ThreeModes(),
    full=ThreeModes(Curve(points=600, network=BOOK, fit=Fit(10_000, Adam(1e-4), record=Periodic(2)))),
    run=run,
)
