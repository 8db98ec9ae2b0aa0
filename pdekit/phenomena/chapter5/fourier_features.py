"""fourier-feature-image: random Fourier features restore detail, and too high ones fit noise between the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from ...nn import FrequencyLaw, Gaussian
from ...plot_style import grid_lines, style
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..picture_fits import PictureFit
from ..statistics import FloatArray
from ..tangent_kernel import tangent_kernel
from .encodings import LARGE, SMALL, arrays, courses, draw_pictures, draw_ratios, encoded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN = "no features"


@final
@dataclass(frozen=True)
class FourierImage:
    """The picture with the network behind the features, and the features.

    Args:
        task: picture, network and training.
        sigmas: standard deviations of the frequencies, in periods over the picture; the last is too high.
        count: frequencies of each.
        kernel_pixels: how many pixels the spectra of the tangent kernels are taken on.
    """

    task: PictureFit = SMALL
    sigmas: tuple[float, ...] = (1.0, 5.0, 20.0)
    count: int = 64
    kernel_pixels: int = 256

    @property
    def laws(self) -> dict[str, FrequencyLaw | None]:
        """No features, then each sigma."""
        return {PLAIN: None} | {f"sigma = {sigma:g}": Gaussian(sigma, self.count) for sigma in self.sigmas}


def kernel_spectrum(config: FourierImage, law: FrequencyLaw | None, context: Context) -> FloatArray:
    """Eigenvalues of the tangent kernel before training over the largest, falling; of the first seed."""
    features, networks = encoded(config.task, law, context)
    chosen = torch.linspace(0, features.shape[1] - 1, config.kernel_pixels).long()
    kernel = tangent_kernel(networks.unstack(0), features[0, chosen]).double()
    values = torch.linalg.eigvalsh(kernel).flip(0).clamp(min=0.0)
    spectrum: FloatArray = (values / values[0]).numpy()
    return spectrum


def run(config: FourierImage, context: Context) -> Finding:
    """Fit the picture without features and with those of each size."""
    picture = config.task.picture(context)
    found = courses(config.task, config.laws, picture.pixels, context)
    spectra = {name: kernel_spectrum(config, law, context) for name, law in config.laws.items()}
    plain, *moderate, high = found.values()
    train, test = (np.max([getattr(one, part)[-1] for one in moderate], axis=0) for part in ("train", "test"))
    gain_train, gain_test, loss_test = train - plain.train[-1], test - plain.test[-1], test - high.test[-1]
    names = list(found)
    claims = (
        Claim.over_seeds(
            "random Fourier features restore detail in the pixels trained on",
            f"best PSNR of {' and '.join(names[1:-1])} >= that without features + 3 dB",
            {name: one.train[-1].tolist() for name, one in found.items()} | {"gain": gain_train.tolist()},
            (gain_train >= 3).tolist(),
        ),
        Claim.over_seeds(
            "and in the pixels between",
            f"best PSNR of {' and '.join(names[1:-1])} >= that without features + 1 dB",
            {name: one.test[-1].tolist() for name, one in found.items()} | {"gain": gain_test.tolist()},
            (gain_test >= 1).tolist(),
        ),
        Claim.over_seeds(
            "features of too high frequencies fit noise between the pixels",
            f"there, PSNR of {names[-1]} <= the best of the others - 4 dB",
            {"difference": loss_test.tolist()},
            (loss_test >= 4).tolist(),
        ),
    )

    def draw_spectra(figure: Figure) -> None:
        ax = figure.subplots()
        for number, (name, values) in enumerate(spectra.items()):
            ax.loglog(np.arange(1, len(values) + 1), np.maximum(values, 1e-10), label=name, **style(number))
        ax.set(xlabel="number of the eigenvalue", ylabel="eigenvalue / largest", title="tangent kernel before training")
        ax.legend()
        grid_lines(ax)

    return Finding(
        claims,
        arrays(picture.pixels, found) | {"tangent_spectra": np.stack(list(spectra.values()))},
        {
            "pictures": partial(draw_pictures, picture=picture.pixels, found=found),
            "ratios": partial(draw_ratios, found=found),
            "tangent-kernels": draw_spectra,
        },
        (picture.provenance,),
    )


EXPERIMENT = Experiment(
    id="fourier-feature-image",
    chapter=5,
    source="Fig. 5.7, Eq. 5.11, section 5.3",
    title="random Fourier features restore the detail of a picture",
    quick=FourierImage(),
    full=FourierImage(
        LARGE,
        count=256,
    ),
    run=run,
)
