"""freq-real-projection: labels of real pictures are of low frequency along a principal direction, and so is the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor, nn

from ...nn import MLP, Glorot
from ...nn.frame import Frame
from ...nn.stacked import stack
from ...optim import Adam
from ...plot_style import grid_lines, style
from ...spectrum import fourier_sum, principal_direction
from ..data import Split, cifar10, digits
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, fit
from ..losses import CrossEntropy, outputs
from ..records import Periodic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCK = 2000
"""Inputs that a network reads at once when it is evaluated."""


@final
class DataSet(Enum):
    """Which pictures; the value says where they come from."""

    DIGITS = "8 x 8 digits that scikit-learn bundles, in place of CIFAR-10"
    CIFAR10 = "the user's files"


@final
@dataclass(frozen=True)
class RealProjection:
    """The data, the network, and the spectrum.

    Args:
        data: which data set.
        train: how many pictures of the digits are trained on; CIFAR-10 says so itself.
        label: the class whose membership, 0 or 1, is transformed.
        highest: largest wave number, in cycles over one standard deviation of the projected data.
        waves: how many.
        fit: the training.
    """

    data: DataSet = DataSet.DIGITS
    train: int = 1200
    label: int = 8
    highest: float = 2.0
    waves: int = 100
    fit: Fit = field(default_factory=lambda: Fit(600, Adam(1e-3), record=Periodic(20)))


@final
class PictureNetwork(nn.Module):
    """Two convolutions of 32 and 64 channels, one pooling, 400 units: tanh, from weights by Glorot's law.

    Args:
        shape: rows, columns and channels of a picture, which is read as one row of numbers.
        classes: how many outputs.
        generator: source of the initial weights.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns, channels = self.shape = shape
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, 32, 3), nn.Tanh(), nn.Conv2d(32, 64, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(64 * ((rows - 4) // 2) * ((columns - 4) // 2), 400), nn.Tanh(), nn.Linear(400, classes)),
        )
        for layer in self.body:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of pictures (n, rows * columns * channels)."""
        scores: Tensor = self.body(x.reshape(-1, *self.shape).movedim(-1, 1))
        return scores


def run(config: RealProjection, context: Context) -> Finding:
    """Train a classifier and compare spectra of the labels and of its output along the first principal direction."""
    samples = _data(config, context)
    x_train, x_test = (_flat(part.x) for part in (samples.train, samples.test))
    y = np.concatenate([samples.train.y, samples.test.y])
    direction = principal_direction(x_train[: 20 * x_train.shape[1]])
    every = np.concatenate([x_train, x_test])
    place = every @ direction
    spread = float(place[: len(x_train)].std())
    k = np.linspace(0.0, config.highest / spread, config.waves)
    member = (y == config.label).astype(np.float64)
    spectra = {
        "training data": _spectrum(place[: len(x_train)], member[: len(x_train)], k),
        "all data": _spectrum(place, member, k),
    }
    network = stack([_network(config, samples, context.generator(seed, "weights")) for seed in context.seeds])
    inputs, labels = torch.as_tensor(x_train, dtype=torch.float32), torch.as_tensor(samples.train.y)
    history = fit(network, inputs, labels, config.fit, context, loss=CrossEntropy(), label="classes of pictures")
    likely = _probabilities(network, every)
    fitted = [_spectrum(place, of_seed[:, config.label].astype(np.float64), k) for of_seed in likely]
    right = likely.argmax(axis=-1) == y
    whole = np.abs(spectra["all data"]) ** 2
    tenth, half = max(1, config.waves // 10), config.waves // 2
    lowest, highest = float(whole[:tenth].sum()), float(whole[half:].sum())
    band = int(np.searchsorted(np.cumsum(whole), 0.9 * whole.sum())) + 1
    deviation = [
        float(np.linalg.norm((one - spectra["all data"])[:band]) / np.linalg.norm(spectra["all data"][:band]))
        for one in fitted
    ]
    worst = [float((np.abs(one - spectra["all data"]) / np.abs(spectra["all data"]))[:band].max()) for one in fitted]
    claims = (
        Claim(
            "along the principal direction labels are of low frequency",
            "energy of the lowest 10 % of wave numbers >= 10 x that of the highest 50 %",
            {"lowest 10 %": lowest, "highest 50 %": highest, "ratio": lowest / highest},
            lowest >= 10 * highest,
        ),
        Claim.over_seeds(
            "the network agrees with the data there",
            "|F_net - F_all| / |F_all| < 0.2 at each wave number of the lowest ones with 90 % of the energy, every seed",
            {"largest": worst, "over the band": deviation, "wave numbers in the band": [band] * len(worst)},
            [value < 0.2 for value in worst],
            share=1.0,
        ),
    )

    def draw_spectra(figure: Figure) -> None:
        ax = figure.subplots()
        curves = (*spectra.items(), ("network on all data", fitted[0]))
        for number, (name, values) in enumerate(curves):
            ax.plot(k, np.abs(values), label=name)[0].set(**style(number))
        ax.axvspan(k[0], k[band - 1], alpha=0.1, color=style(0)["color"], linewidth=0)
        ax.set(xlabel="wave number in cycles; the band of 90 % of the energy shaded", ylabel="|F(k)|")
        ax.legend()
        grid_lines(ax)

    return Finding(
        claims,
        {
            "k": k,
            "steps": history.steps,
            "loss": history.loss,
            "direction": direction,
            "data_train": np.abs(spectra["training data"]),
            "data_all": np.abs(spectra["all data"]),
            "network": np.abs(np.array(fitted)),
        },
        {"spectra": draw_spectra},
        provenance=(samples.provenance,),
        numbers={
            "training accuracy": right[:, : len(x_train)].mean(axis=1).tolist(),
            "test accuracy": right[:, len(x_train) :].mean(axis=1).tolist(),
            "standard deviation of the projected data": spread,
            "|F_net| / |F_all| in thirds of the wave numbers": [
                [
                    float(np.linalg.norm(net) / np.linalg.norm(all_))
                    for net, all_ in zip(np.array_split(one, 3), np.array_split(spectra["all data"], 3), strict=True)
                ]
                for one in fitted
            ],
        },
    )


def _data(config: RealProjection, context: Context) -> Split:
    if config.data is DataSet.CIFAR10:
        return cifar10(context.data)
    return digits().as_stand_in().split(config.train, context.numpy_generator(context.seeds[0], "split"))


def _network(config: RealProjection, samples: Split, generator: torch.Generator) -> nn.Module:
    shape, classes = samples.train.x.shape[1:], int(samples.train.y.max()) + 1
    if config.data is DataSet.CIFAR10:
        return PictureNetwork(shape, classes, generator)
    inputs = int(np.prod(shape))
    # Brightness runs from 0 to 1, which the frame maps to [-1, 1].
    frame = Frame((0.0,) * inputs, (1.0,) * inputs, classes, torch.float32)
    return MLP(200, 1, init=Glorot()).build(frame, generator)


def _probabilities(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """Probabilities (S, n, classes) that the networks give to each class."""
    with torch.no_grad():
        blocks = [
            torch.softmax(outputs(network, block), -1) for block in torch.as_tensor(x, dtype=torch.float32).split(BLOCK)
        ]
    return torch.cat(blocks, 1).numpy()


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def _spectrum(place: np.ndarray, values: np.ndarray, k: np.ndarray) -> np.ndarray:
    """F(k) = mean of y_i exp(-2 pi i k p_i)."""
    return fourier_sum(values, place[:, None], 2 * np.pi * k)


EXPERIMENT = Experiment(
    id="freq-real-projection",
    chapter=4,
    source="Fig. 4.13a, section 4.2.3",
    title="labels of real pictures are of low frequency along a principal direction, and so is the network",
    quick=RealProjection(),
    full=RealProjection(DataSet.CIFAR10, highest=2.6, fit=Fit(100_000, Adam(1e-4), record=Periodic(1000), batch=50)),
    run=run,
    full_seeds=1,
)
