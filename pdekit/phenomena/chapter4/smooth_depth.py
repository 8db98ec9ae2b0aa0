"""freq-smooth-depth: networks of any depth join the points of a sine by a smooth curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import scipy
import torch

from ...nn import Initialisation, Perceptron, PowerLaw
from ...nn.stacked import stack
from ...optim import SGD, Adam
from ...plot_style import INK, grid_lines, style
from ...spectrum import Periodic as PeriodicBasis
from ...spectrum import band_energies
from ..curves import drawn, tensor
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, History, fit
from ..losses import outputs
from ..records import LogSpaced
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEST = 1001
"""Test points on the interval, both ends included."""


@final
@dataclass(frozen=True)
class SmoothDepth:
    """The points and the networks.

    Args:
        points: samples of sin x on [-pi, pi], both ends included.
        width: units per hidden layer.
        depths: hidden layers of each network; the book counts the output as one more.
        init: law of the initial weights.
        contrast: law of one more network, of the second depth, with weights too large to be smooth.
        above: wave numbers above this count as high.
        fit: the training.
    """

    points: int = 10
    width: int = 100
    depths: tuple[int, ...] = (1, 3, 5, 7)
    init: Initialisation = field(default_factory=PowerLaw)
    contrast: Initialisation = field(default_factory=lambda: PowerLaw(gamma=0.0, scale=0.5))
    above: float = 3.0
    fit: Fit = field(default_factory=lambda: Fit(5000, Adam(1e-3), record=LogSpaced(100), stop_loss=1e-6))


def run(config: SmoothDepth, context: Context) -> Finding:
    """Fit the points by networks of each depth and measure how smooth the curve between them is."""
    samples = np.linspace(-math.pi, math.pi, config.points)
    x = np.linspace(-math.pi, math.pi, TEST)
    true = np.sin(x)
    histories: dict[int, History] = {}
    curves: dict[int, FloatArray] = {}
    for depth in config.depths:
        histories[depth], curves[depth] = _fitted(config, depth, config.init, samples, x, context)
    _, rough = _fitted(config, config.depths[1], config.contrast, samples, x, context)
    polynomial = scipy.interpolate.BarycentricInterpolator(samples, np.sin(samples))(x)
    error = {depth: np.abs(curve - true).max(axis=1) for depth, curve in curves.items()}
    high = {depth: _high(curve, x, config.above) for depth, curve in curves.items()}
    claims = (
        *(
            Claim.over_seeds(
                f"with {depth} hidden layers the curve follows the sine",
                "sup |f - sin| < 0.25 on [-pi, pi] in at least 2 of 3 seeds",
                {"sup |f - sin|": error[depth].tolist(), "training loss": histories[depth].loss[-1].tolist()},
                (error[depth] < 0.25).tolist(),
                share=2 / 3,
            )
            for depth in config.depths
        ),
        Claim(
            "the curves are smooth",
            f"share of the energy above k = {config.above:g} below 5 % for every depth and seed",
            {f"{depth} hidden layers": high[depth].tolist() for depth in config.depths},
            all((high[depth] < 0.05).all() for depth in config.depths),
        ),
    )
    roughness = {
        **{f"{depth} hidden layers": _bend(curves[depth], x).tolist() for depth in config.depths},
        "large initial weights": _bend(rough, x).tolist(),
        "interpolating polynomial": float(_bend(polynomial, x)),
        "sine": float(_bend(true, x)),
    }

    def draw_curves(figure: Figure) -> None:
        axes = figure.subplots(1, 2, sharey=True)
        for number, depth in enumerate(config.depths):
            axes[0].plot(x, curves[depth][0], linewidth=1.2, label=f"{depth} hidden layers", **style(number))
        axes[1].plot(x, rough[0], linewidth=1.2, label="large initial weights", **style(1))
        axes[1].plot(x, polynomial, linewidth=1.2, label=f"polynomial of degree {config.points - 1}", **style(2))
        for ax in axes:
            ax.plot(samples, np.sin(samples), "o", color=INK, markersize=4, label="samples")
            ax.set(xlabel="x", ylim=(-2, 2))
            ax.legend(fontsize=8, loc="upper left")
            grid_lines(ax)
        axes[0].set_ylabel("output")

    return Finding(
        claims,
        {
            "x": x,
            "samples": samples,
            **{f"curve_{depth}": curve for depth, curve in curves.items()},
            **{f"steps_{depth}": history.steps for depth, history in histories.items()},
            **{f"loss_{depth}": history.loss for depth, history in histories.items()},
            "curve_large": rough,
            "polynomial": polynomial,
        },
        {"curves": draw_curves},
        numbers={
            "largest second derivative": roughness,
            "share of the energy above, large initial weights": _high(rough, x, config.above).tolist(),
        },
    )


def _fitted(
    config: SmoothDepth, depth: int, init: Initialisation, samples: FloatArray, x: FloatArray, context: Context
) -> tuple[History, FloatArray]:
    """The training, and the curves (S, p) at its end."""
    network = stack(drawn(Perceptron((config.width,) * depth, init=init, biased=False), context))
    label = f"{depth} hidden layers"
    history = fit(network, tensor(samples), tensor(np.sin(samples)), config.fit, context, label=label)
    with torch.no_grad():
        return history, outputs(network, tensor(x))[..., 0].double().numpy()


def _high(curve: FloatArray, x: FloatArray, above: float) -> FloatArray:
    """Share of the energy above a wave number, for each seed; the whole interval is one period."""
    spacing = x[1] - x[0]
    energy = band_energies(curve, spacing, [0.0, above + 0.5, np.pi / spacing], basis=PeriodicBasis(closed=True))
    result: FloatArray = energy[..., 1] / energy.sum(axis=-1)
    return result


def _bend(curve: FloatArray, x: FloatArray) -> FloatArray:
    """Largest absolute second difference quotient."""
    result: FloatArray = np.abs(np.diff(curve, 2)).max(axis=-1) / (x[1] - x[0]) ** 2
    return result


EXPERIMENT = Experiment(
    id="freq-smooth-depth",
    chapter=4,
    source="Fig. 4.1, section 4.1.1",
    title="networks of any depth join the points of a sine by a smooth curve",
    quick=SmoothDepth(),
    full=SmoothDepth(fit=Fit(100_000, SGD(0.02), record=LogSpaced(200), stop_loss=1e-6)),
    run=run,
)
