"""nerf-position-encoding: without the encoding of positions by octaves of waves, detail is lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np

from ...nn import FrequencyLaw, Positional
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..picture_fits import PictureFit
from .encodings import LARGE, SMALL, arrays, courses, draw_pictures, draw_ratios


@final
@dataclass(frozen=True)
class PositionEncoding:
    """The picture with the network behind the encoding, and the numbers of octaves.

    Args:
        task: picture, network and training.
        levels: L of sin(2^l pi p), cos(2^l pi p), l < L; 0 for the coordinates themselves comes first.

    Notes: the book shows views of a scene that a radiance field renders, which needs posed photographs. A picture fitted
        pixel by pixel is the same regression in two dimensions.
    """

    task: PictureFit = SMALL
    levels: tuple[int, ...] = (0, 2, 4, 6)

    @property
    def laws(self) -> dict[str, FrequencyLaw | None]:
        """One encoding for each number of octaves."""
        return {f"L = {count}": Positional(count) if count else None for count in self.levels}


def run(config: PositionEncoding, context: Context) -> Finding:
    """Fit the picture behind each encoding and compare the best with none."""
    picture = config.task.picture(context)
    found = courses(config.task, config.laws, picture.pixels, context)
    plain, *coded = found.values()
    gains = {
        name: np.max([ratios[-1] for ratios in each], axis=0) - none[-1]
        for name, each, none in (
            ("train", [one.train for one in coded], plain.train),
            ("test", [one.test for one in coded], plain.test),
        )
    }
    claims = (
        Claim.over_seeds(
            "encoding positions restores detail in the pixels trained on",
            "PSNR of the best L >= PSNR without encoding + 3 dB",
            {name: one.train[-1].tolist() for name, one in found.items()} | {"gain": gains["train"].tolist()},
            (gains["train"] >= 3).tolist(),
        ),
        Claim.over_seeds(
            "and in the pixels between",
            "PSNR of the best L >= PSNR without encoding + 1 dB",
            {name: one.test[-1].tolist() for name, one in found.items()} | {"gain": gains["test"].tolist()},
            (gains["test"] >= 1).tolist(),
        ),
    )
    return Finding(
        claims,
        arrays(picture.pixels, found),
        {
            "pictures": partial(draw_pictures, picture=picture.pixels, found=found),
            "ratios": partial(draw_ratios, found=found),
        },
        ("stand-in: a picture instead of the views of a scene", picture.provenance),
    )


EXPERIMENT = Experiment(
    id="nerf-position-encoding",
    chapter=5,
    source="Fig. 5.6, section 5.2",
    title="encoding positions by octaves of waves restores the detail of a picture",
    quick=PositionEncoding(),
    full=PositionEncoding(
        LARGE,
        levels=(0, 2, 4, 6, 8),
    ),
    run=run,
)
