"""A network fitted to |x|^2 on points of a high-dimensional ball knows its surface only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...nn import MLP, He, ReLU
from ...nn.frame import Frame
from ...nn.stacked import stack
from ...optim import Adam, Cosine
from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, fit
from ..losses import outputs
from ..records import LogSpaced
from ..statistics import by_seed, columns, sample_ball, sample_sphere

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

RADII = np.linspace(0.05, 1.0, 20)
INITIAL = He(scale=6.0**-0.5, uniform=True)
"""Kaiming's law as torch's linear layers have it, of variance 1/(3 inputs): the full one starts rougher, and errs more at r = 1."""


@final
@dataclass(frozen=True)
class QuadraticFit:
    """Figure 2.2; the book gives dimension, samples and the loss reached, not width, initial law and optimiser.

    Args:
        dim: of the ball.
        samples: to train on.
        network: two layers.
        fit: how it trains.
        on_axis: points tested on the first axis.
        on_sphere: points tested on each sphere.
    """

    dim: int = 100
    samples: int = 4000
    network: MLP = field(default_factory=lambda: MLP(200, 1, ReLU(), INITIAL))
    fit: Fit = field(default_factory=lambda: Fit(1200, Adam(3e-3), Cosine(), LogSpaced(100)))
    on_axis: int = 500
    on_sphere: int = 1000


def run(config: QuadraticFit, context: Context) -> Finding:
    """Train on points of the ball; measure the error on an axis and on spheres of every radius."""
    seeds, dim = context.seeds, config.dim
    frame = Frame((-1.0,) * dim, (1.0,) * dim, 1, torch.float32)
    balls = [sample_ball(config.samples, dim, context.numpy_generator(seed, "ball")) for seed in seeds]
    radius = np.linalg.norm(balls, axis=2)
    x, y = (torch.from_numpy(part).to(frame.dtype) for part in (np.stack(balls), radius[..., None] ** 2))
    networks = [config.network.build(frame, context.generator(seed, "weights")) for seed in seeds]
    history = fit(stack(networks), x, y, config.fit, context)

    place = np.linspace(-1.0, 1.0, config.on_axis)
    axis = torch.zeros(config.on_axis, dim, dtype=frame.dtype)
    axis[:, 0] = torch.from_numpy(place)
    generators = [context.numpy_generator(seed, "spheres") for seed in seeds]
    error = np.empty((len(seeds), len(RADII)))
    with torch.no_grad():
        on_axis = outputs(history.network, axis)[..., 0].numpy()
        centre = outputs(history.network, torch.zeros(1, dim, dtype=frame.dtype))[:, 0, 0].numpy()
        for column, r in enumerate(RADII):
            sphere = np.stack([r * sample_sphere(config.on_sphere, dim, generator) for generator in generators])
            value = outputs(history.network, torch.from_numpy(sphere).to(frame.dtype))
            error[:, column] = (value[..., 0] - r**2).abs().mean(1).numpy()

    falling = error[:, RADII > 0.09]
    ripple = (falling[:, 1:] / falling[:, :-1]).max(axis=1)
    best = RADII[error.argmin(axis=1)]
    inner = error[:, np.argmin(np.abs(RADII - 0.1))]
    ratio = inner / error[:, -1]
    final = history.loss[-1]
    return Finding(
        claims=(
            Claim.over_seeds(
                "the mean error on a sphere falls with its radius",
                "from r = 0.1 to 1 never more than 5 % above that on the sphere before",
                {
                    "largest ratio of neighbours": ripple.tolist(),
                    **columns((f"error, r = {r:.2g}" for r in RADII[1::4]), error[:, 1::4]),
                },
                by_seed(ripple <= 1.05),
            ),
            Claim.over_seeds(
                "it is smallest at the surface",
                "smallest at r >= 0.95",
                {"radius of the smallest error": best.tolist()},
                by_seed(best >= 0.95 - 1e-9),
            ),
            Claim.over_seeds(
                "the network is accurate near the surface and wrong in the middle",
                "error at r = 0.1 at least 10 times that at r = 1",
                {"ratio": ratio.tolist(), "f(0), where |x|^2 = 0": centre.tolist(), "training loss": final.tolist()},
                by_seed(ratio >= 10.0),
                note=f"radii concentrate at {radius.mean():.3f} and |x|^2 has variance {np.var(radius**2):.1e}: even a nearly "
                "constant function has a small loss",
            ),
        ),
        arrays={
            "steps": history.steps,
            "loss": history.loss,
            "radii": RADII,
            "error": error,
            "axis": place,
            "on_axis": on_axis,
            "sample_radius": radius.astype(np.float32),
        },
        figures={
            "quadratic": partial(_draw, radius.ravel(), place, on_axis, error),
            "loss": partial(_draw_loss, history.steps, history.loss),
        },
        numbers={"samples with radius below 0.9": int((radius < 0.9).sum())},
    )


def _draw(radius: FloatArray, place: FloatArray, on_axis: FloatArray, error: FloatArray, figure: Figure) -> None:
    left, middle, right = figure.subplots(1, 3)
    left.hist(radius, bins=np.linspace(0.0, 1.0, 101), density=True, color=PALETTE[5])
    left.set(xlabel="radius of the samples", ylabel="density", title="(a) samples")
    middle.plot(place, place**2, color=INK, linestyle="--", label=r"$x_1^2$")
    for seed, values in enumerate(on_axis):
        middle.plot(place, values, color=PALETTE[seed % len(PALETTE)], label="network" if seed == 0 else None)
    middle.set(xlabel="$x_1$", ylabel="value on the first axis", title="(b) first axis")
    middle.legend(fontsize=8)
    for seed, values in enumerate(error):
        right.plot(RADII, values, "o-", markersize=3, color=PALETTE[seed % len(PALETTE)])
    right.set(xlabel="radius r of the sphere", ylabel="mean absolute error", title="(c) spheres")
    for ax in (left, middle, right):
        grid_lines(ax)


def _draw_loss(steps: FloatArray, loss: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    for seed, values in enumerate(loss.T):
        ax.plot(steps, values, color=PALETTE[seed % len(PALETTE)])
    ax.set(xscale="symlog", yscale="log", xlabel="training step", ylabel="mean square error on the samples")
    ax.set_xlim(0, steps[-1])
    grid_lines(ax)


EXPERIMENTS = (
    Experiment(
        "hd-quadratic-fit",
        2,
        "Fig. 2.2, section 2.1.2",
        "a fit of |x|^2 in 100 dimensions is good at the surface of the ball and wrong in its middle",
        quick=QuadraticFit(),
        full=QuadraticFit(
            samples=10_000,
            network=MLP(500, 1, ReLU(), INITIAL),
            fit=Fit(30_000, Adam(1e-3), Cosine(), LogSpaced(200), stop_loss=1e-6, batch=1000),
        ),
        run=run,
        full_seeds=3,
    ),
)
