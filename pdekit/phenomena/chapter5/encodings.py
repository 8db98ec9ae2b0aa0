"""What the two experiments on encodings share: a picture fitted by networks that read waves instead of coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...nn import MLP, CosineSine, Elementwise, FrequencyLaw, ReLU, TorchDefault, Waves
from ...nn.frame import Frame
from ...nn.stacked import Stacked, stack
from ...optim import Adam
from ...plot_style import grid_lines, style
from ..experiment import Context
from ..fitting import Fit, fit
from ..picture_fits import Course, PictureFit, draw_picture, psnr
from ..records import LogSpaced
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SMALL = PictureFit(48, 48, (480, 480), MLP(128, 2, ReLU(), TorchDefault()), Fit(500, Adam(1e-3), record=LogSpaced(30)))
"""After 500 steps the pixels trained on are fitted behind all but the lowest features."""
LARGE = PictureFit(
    256, 256, (480, 480), MLP(256, 3, ReLU(), TorchDefault()), Fit(10_000, Adam(1e-3), record=LogSpaced(30))
)


def encoding(law: FrequencyLaw | None, generator: torch.Generator, dim: int = 2) -> nn.Module:
    """gamma(v) = [cos 2 pi b . v, sin 2 pi b . v] of coordinates in [-1, 1]^dim, b periods over the longer side.

    Without a law the coordinates themselves.

    Notes: its waves are not trained, so that it is evaluated once, ahead of the training, and not in every step.

    Reference: book, section 5.2 and eq. 5.11.
    """
    if law is None:
        return nn.Identity()
    vectors = (math.pi * law.draw(dim, generator)).to(torch.float32)
    return nn.Sequential(Waves(vectors), Elementwise(CosineSine(1.0)))


def encoded(config: PictureFit, law: FrequencyLaw | None, context: Context) -> tuple[Tensor, Stacked]:
    """What the networks read at every pixel (S, rows * columns, features), and the untrained networks, one per seed."""
    at = torch.as_tensor(config.coordinates(), dtype=torch.float32)
    features = torch.stack([encoding(law, context.generator(seed, "features"))(at) for seed in context.seeds])
    count = features.shape[-1]
    frame = Frame((-1.0,) * count, (1.0,) * count, 1, torch.float32)
    return features, stack([config.network.build(frame, context.generator(seed, "weights")) for seed in context.seeds])


def course(config: PictureFit, law: FrequencyLaw | None, picture: FloatArray, context: Context, label: str) -> Course:
    """Fit every second column of a picture by one network per seed behind its encoding."""
    features, networks = encoded(config, law, context)
    chosen = np.arange(picture.size).reshape(picture.shape)[:, config.trained_columns].ravel()
    values = torch.as_tensor(picture.reshape(-1)[chosen], dtype=torch.float32)[:, None]
    data = values.expand(len(context.seeds), -1, -1)
    history = fit(networks, features[:, chosen], data, config.fit, context, at=features, label=label)
    pixels = history.outputs[..., 0].reshape(*history.outputs.shape[:2], *picture.shape)
    error = (pixels - picture) ** 2
    train, test = (psnr(error[..., part]) for part in (config.trained_columns, config.test_columns))
    return Course(history.steps, history.loss, pixels, train, test)


def courses(
    config: PictureFit, laws: Mapping[str, FrequencyLaw | None], picture: FloatArray, context: Context
) -> dict[str, Course]:
    """One course for each encoding."""
    return {name: course(config, law, picture, context, name) for name, law in laws.items()}


def arrays(picture: FloatArray, found: Mapping[str, Course]) -> dict[str, np.ndarray]:
    """What is kept of the courses: ratios and losses at every record, the pictures at the end."""
    kept = {"picture": picture}
    for name, one in found.items():
        key = name.replace(" ", "_").replace("=", "")
        kept |= {f"{key}_steps": one.steps, f"{key}_loss": one.loss, f"{key}_end": one.pixels[-1]}
        kept |= {f"{key}_train": one.train, f"{key}_test": one.test}
    return kept


def draw_pictures(figure: Figure, picture: FloatArray, found: Mapping[str, Course]) -> None:
    """The picture beside what each encoding made of it, with both ratios of the first seed."""
    axes = figure.subplots(1, 1 + len(found))
    draw_picture(axes[0], picture, "picture")
    for ax, (name, one) in zip(axes[1:], found.items(), strict=True):
        draw_picture(ax, one.pixels[-1, 0], f"{name}\n{one.train[-1, 0]:.1f} / {one.test[-1, 0]:.1f} dB")


def draw_ratios(figure: Figure, found: Mapping[str, Course]) -> None:
    """Ratios on the columns trained on and on the others against steps, medians of seeds."""
    axes = figure.subplots(1, 2, sharex=True)
    for number, (name, one) in enumerate(found.items()):
        for ax, ratios in zip(axes, (one.train, one.test), strict=True):
            ax.semilogx(np.maximum(one.steps, 1), np.median(ratios, axis=1), label=name, **style(number))
    for ax, title in zip(axes, ("columns trained on", "columns in between"), strict=True):
        ax.set(xlabel="optimiser step", title=title)
        grid_lines(ax)
    axes[0].set_ylabel("PSNR in dB, median of seeds")
    axes[0].legend(fontsize=8)
