"""What fits of a picture share: odd columns are trained on, even ones are looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ..nn import MLP, Architecture, Initialisation, Perceptron, TorchDefault
from ..nn.frame import Frame
from ..nn.stacked import stack
from ..optim import Adam
from ..spectrum import BandMeter, Even
from .data import Picture, image
from .experiment import Context
from .fitting import Fit, fit
from .records import LogSpaced
from .statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = ("low", "middle", "high")


@final
@dataclass(frozen=True)
class PictureFit:
    """A picture as a function of two coordinates, and the network that fits it.

    Args:
        rows, columns: of the picture that is fitted.
        crop: rows and columns of the part of the photograph that is shrunk to it; None for all of it.
        network: reads coordinates in [-1, 1] along the longer side.
        fit: the training.
    """

    rows: int = 40
    columns: int = 32
    crop: tuple[int, int] | None = (400, 320)
    network: Architecture = field(default_factory=lambda: MLP(128, 3, init=TorchDefault()))
    fit: Fit = field(default_factory=lambda: Fit(5000, Adam(2e-3), record=LogSpaced(150)))

    def picture(self, context: Context) -> Picture:
        """The user's picture, or the photograph that is always there."""
        found = image(context.data)
        if self.crop is not None and self.crop[0] <= found.pixels.shape[0] and self.crop[1] <= found.pixels.shape[1]:
            found = found.cropped(*self.crop)
        return found.resized(self.rows, self.columns)

    def coordinates(self) -> FloatArray:
        """(rows * columns, 2), row by row."""
        size = max(self.rows, self.columns) - 1
        y, x = np.mgrid[0 : self.rows, 0 : self.columns]
        return np.stack([2 * x - self.columns + 1, 2 * y - self.rows + 1], axis=-1).reshape(-1, 2) / size

    @property
    def trained_columns(self) -> slice:
        """The first, third, ... column."""
        return slice(0, None, 2)

    @property
    def test_columns(self) -> slice:
        """The others."""
        return slice(1, None, 2)


@final
@dataclass(frozen=True, eq=False)
class Course:
    """What S networks made of a picture at T recorded steps.

    Args:
        steps: (T,).
        loss: (T, S).
        pixels: (T, S, rows, columns).
        train, test: (T, S) peak signal-to-noise ratios in dB on the columns trained on, and on the others.
    """

    steps: np.ndarray
    loss: np.ndarray
    pixels: np.ndarray
    train: FloatArray
    test: FloatArray


def course(
    config: PictureFit, init: Initialisation | None, picture: FloatArray, context: Context, label: str
) -> Course:
    """Fit the odd columns of a picture by one network per seed, from weights of another law if one is given."""
    network = config.network if init is None else with_init(config.network, init)
    frame = Frame((-1.0, -1.0), (1.0, 1.0), 1, torch.float32)
    stacked = stack([network.build(frame, context.generator(seed, "weights")) for seed in context.seeds])
    at = torch.as_tensor(config.coordinates(), dtype=torch.float32)
    chosen = np.arange(picture.size).reshape(picture.shape)[:, config.trained_columns].ravel()
    values = torch.as_tensor(picture.reshape(-1)[chosen], dtype=torch.float32)[:, None]
    history = fit(stacked, at[chosen], values, config.fit, context, at=at, label=label)
    pixels = history.outputs[..., 0].reshape(*history.outputs.shape[:2], *picture.shape)
    error = (pixels - picture) ** 2
    train, test = (psnr(error[..., part]) for part in (config.trained_columns, config.test_columns))
    return Course(history.steps, history.loss, pixels, train, test)


def with_init(network: Architecture, init: Initialisation) -> MLP | Perceptron:
    """The same fully connected network from another law of initial weights."""
    import dataclasses

    assert isinstance(network, MLP | Perceptron)
    return dataclasses.replace(network, init=init)


def psnr(squares: FloatArray) -> FloatArray:
    """Peak signal-to-noise ratio in dB of squared errors (..., rows, columns) of brightness from 0 to 1."""
    result: FloatArray = -10 * np.log10(np.maximum(squares.mean(axis=(-2, -1)), 1e-12))
    return result


def band_errors(config: PictureFit, pixels: np.ndarray, picture: FloatArray) -> FloatArray:
    """Relative errors (T, S, 3) of low, middle and high thirds of |k| on the columns trained on, mean brightness aside.

    Wave numbers are in radians per pixel; the columns trained on are two pixels apart.
    """
    trained = picture[:, config.trained_columns]
    reference = trained - trained.mean()
    meter = BandMeter(reference, (1.0, 2.0), edges=np.linspace(0.0, np.pi, len(BANDS) + 1), basis=Even())
    error = pixels[..., config.trained_columns].astype(np.float64) - trained
    error -= error.mean(axis=(-2, -1), keepdims=True)
    return np.array([[meter(one).relative for one in row] for row in error])


def draw_picture(ax: Axes, pixels: np.ndarray, title: str) -> None:
    """A grey picture without ticks."""
    ax.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0)
    ax.set_title(title, fontsize=9)
    ax.set(xticks=(), yticks=())
