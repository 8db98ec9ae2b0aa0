"""image-low-high-split: the low frequencies of a picture hold its outline, the high ones its details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from ..data import image
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..picture_fits import draw_picture
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARE = 0.6
"""Of the energy without the mean that the low part holds at least."""


@final
@dataclass(frozen=True)
class ImageSplit:
    """How the picture is cut.

    Args:
        size: rows and columns of the picture.
        half_width: of the square of frequencies around zero that is the low part.
    """

    size: int = 256
    half_width: int = 10


def run(config: ImageSplit, context: Context) -> Finding:
    """Cut the spectrum of a picture in two and compare the parts."""
    picture = image(context.data).resized(config.size, config.size)
    transform = np.fft.fft2(picture.pixels)
    order = np.abs(np.fft.fftfreq(config.size, 1 / config.size)) <= config.half_width
    kept = np.outer(order, order)
    low, high = (np.fft.ifft2(np.where(part, transform, 0)).real for part in (kept, ~kept))
    gap = float(np.abs(low + high - picture.pixels).max())
    energy = _energy(low - low.mean()), _energy(high)
    share = energy[0] / sum(energy)
    slopes = {"low": _gradient(low) / energy[0], "high": _gradient(high) / energy[1]}
    claims = (
        Claim("the two parts are the picture", "they add up to it to 1e-9", {"largest difference": gap}, gap <= 1e-9),
        Claim(
            "the low part holds the outline",
            f"at least {SHARE:.0%} of the energy without the mean in the lowest {kept.mean():.1%} of the frequencies",
            {"share of the energy": share, "share of the frequencies": float(kept.mean())},
            share >= SHARE,
        ),
        Claim(
            "the high part holds the details",
            "its gradient energy over its energy is the larger one",
            slopes,
            slopes["high"] > slopes["low"],
        ),
    )

    def draw_parts(figure: Figure) -> None:
        axes = figure.subplots(1, 3)
        draw_picture(axes[0], picture.pixels, "picture")
        draw_picture(axes[1], low, "low frequencies")
        draw_picture(axes[2], high + 0.5, "high frequencies, grey for 0")

    return Finding(
        claims,
        {"picture": picture.pixels, "low": low, "high": high},
        {"parts": draw_parts},
        provenance=(picture.provenance,),
    )


def _energy(values: FloatArray) -> float:
    return float((values**2).sum())


def _gradient(values: FloatArray) -> float:
    """Sum of squared differences of neighbours; the picture goes on periodically, as its spectrum has it."""
    return sum(_energy(np.roll(values, -1, axis) - values) for axis in (0, 1))


EXPERIMENT = Experiment(
    id="image-low-high-split",
    chapter=4,
    source="Fig. 4.5, section 4.1.2",
    title="low frequencies of a picture hold its outline, high ones its details",
    quick=ImageSplit(),
    full=ImageSplit(512),
    run=run,
    quick_seeds=1,
    full_seeds=1,
)
