"""freq-parity: parity has nothing but a high frequency, and a network that memorises samples of it learns nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ...nn import Architecture, Perceptron, PowerLaw
from ...nn.frame import Frame
from ...nn.stacked import stack
from ...optim import Adam
from ...plot_style import grid_lines, style
from ...spectrum import fourier_sum
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, fit
from ..losses import outputs
from ..panels import draw_losses
from ..records import Periodic
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = np.pi / 2
"""The highest wave number that points with coordinates -1 and 1 tell apart."""
LOW = np.pi / 4
"""Wave numbers below this are the low band."""
WAVES = 101
"""Of a spectrum."""


@final
@dataclass(frozen=True)
class Parity:
    """The data and the network.

    Args:
        dimension: d; the parity of d signs has 2^d values.
        samples: how many of them, all distinct, are trained on.
        network: reads the d signs.
        fit: the training.
    """

    dimension: int = 10
    samples: int = 200
    network: Architecture = field(default_factory=lambda: Perceptron((500, 100), init=PowerLaw(gamma=0.0, scale=0.05)))
    fit: Fit = field(default_factory=lambda: Fit(1001, Adam(5e-4), record=Periodic(10)))


def run(config: Parity, context: Context) -> Finding:
    """Train on some of the values and compare three spectra along (1, ..., 1)."""
    points = np.array(list(itertools.product((-1.0, 1.0), repeat=config.dimension)))
    parity = points.prod(axis=1)
    k = np.linspace(0.0, TOP, WAVES)
    chosen = [context.numpy_generator(seed, "samples").permutation(len(points)) for seed in context.seeds]
    train = np.array([order[: config.samples] for order in chosen])
    rest = np.array([order[config.samples :] for order in chosen])
    frame = Frame((-1.0,) * config.dimension, (1.0,) * config.dimension, 1, torch.float32)
    stacked = stack([config.network.build(frame, context.generator(seed, "weights")) for seed in context.seeds])
    every = torch.as_tensor(points, dtype=torch.float32)
    values = torch.as_tensor(parity, dtype=torch.float32)[:, None]
    history = fit(stacked, every[train], values[train], config.fit, context, label="parity")
    with torch.no_grad():
        output = outputs(stacked, every)[..., 0].double().numpy()

    true = _spectrum(points, parity, k)
    sampled = np.array([_spectrum(points[rows], parity[rows], k) for rows in train])
    fitted = np.array([_spectrum(points, value, k) for value in output])
    error = float(np.abs(true - np.sin(k) ** config.dimension).max())
    right = np.sign(output) == parity
    accuracy = {
        name: [float(of_seed[rows].mean()) for of_seed, rows in zip(right, which, strict=True)]
        for name, which in (("training", train), ("test", rest))
    }
    low = {name: _energy(each, k) for name, each in (("true", true), ("samples", sampled), ("network", fitted))}
    factor = {name: (low[name] / low["true"]).tolist() for name in ("samples", "network")}
    highest = fitted[:, -1]
    claims = (
        Claim(
            "parity has its energy at the highest wave number",
            f"numeric |F(k)| = |sin k|^{config.dimension} to 1e-12",
            {"largest difference": error},
            error <= 1e-12,
        ),
        Claim.over_seeds(
            "the network memorises the samples",
            "training accuracy 1 in every seed",
            {"accuracy": accuracy["training"]},
            [value == 1.0 for value in accuracy["training"]],
            share=1.0,
        ),
        Claim.over_seeds(
            "it knows nothing about the other points",
            "test accuracy from 0.43 to 0.57 in every seed",
            {"accuracy": accuracy["test"]},
            [0.43 <= value <= 0.57 for value in accuracy["test"]],
            share=1.0,
        ),
        Claim.over_seeds(
            "sampling makes low frequencies that are not there",
            "energy of the samples below k = pi/4 at least 10 x the true one in at least 4 of 5 seeds",
            {"energy": low["samples"].tolist(), "true": [float(low["true"])] * len(train), "ratio": factor["samples"]},
            [value >= 10 for value in factor["samples"]],
        ),
        Claim.over_seeds(
            "the network adopts them",
            "energy of the network on all points below k = pi/4 at least 10 x the true one in at least 4 of 5 seeds",
            {"energy": low["network"].tolist(), "ratio": factor["network"]},
            [value >= 10 for value in factor["network"]],
        ),
        Claim.over_seeds(
            "its high-frequency content is far too small",
            "|F(pi/2)| of the network at most 0.4, where parity has 1, in at least 4 of 5 seeds",
            {"|F(pi/2)|": highest.tolist()},
            (highest <= 0.4).tolist(),
        ),
    )

    def draw_spectra(figure: Figure) -> None:
        ax = figure.subplots()
        curves = (("all points", true), ("training samples", sampled[0]), ("network on all points", fitted[0]))
        for number, (label, values) in enumerate(curves):
            ax.semilogy(k, np.maximum(values, 1e-5), label=label, **style(number))
        ax.axvspan(0, LOW, alpha=0.1, color=style(0)["color"], linewidth=0)
        ax.set(xlabel="wave number k along (1, ..., 1); low band shaded", ylabel="|F(k)|")
        ax.legend()
        grid_lines(ax)

    def draw_loss(figure: Figure) -> None:
        draw_losses(figure.subplots(), history.steps, history.loss)

    return Finding(
        claims,
        {
            "k": k,
            "true": true,
            "samples": sampled,
            "network": fitted,
            "steps": history.steps,
            "loss": history.loss,
            "train": train,
        },
        {"spectra": draw_spectra, "loss": draw_loss},
    )


def _spectrum(points: FloatArray, values: FloatArray, k: FloatArray) -> FloatArray:
    """|F(k)| along (1, ..., 1)."""
    result: FloatArray = np.abs(fourier_sum(values, points, np.outer(k, np.ones(points.shape[1]))))
    return result


def _energy(magnitude: FloatArray, k: FloatArray) -> FloatArray:
    """Integral of |F|^2 over the low band."""
    below = k <= LOW * (1 + 1e-9)
    return np.asarray(np.trapezoid(magnitude[..., below] ** 2, k[below], axis=-1))


EXPERIMENT = Experiment(
    id="freq-parity",
    chapter=4,
    source="Fig. 4.13b, eq. 4.4, section 4.2.3",
    title="parity is a high frequency: a network memorises samples of it and learns nothing",
    quick=Parity(),
    full=Parity(),
    run=run,
    quick_seeds=5,
)
