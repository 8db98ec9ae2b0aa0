"""freq-image-fit: a picture is learnt from a blurred outline to its details."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...nn import Perceptron, TorchDefault
from ...optim import Adam
from ...plot_style import grid_lines, style
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..picture_fits import BANDS, PictureFit, band_errors, course, draw_picture, psnr
from ..records import LogSpaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNT = 0.5
"""Relative error of a band that counts as learnt."""
GAIN = 6.0
"""dB by which the network has to beat the mean brightness on columns it has not seen."""
BOOK = Perceptron((500, 400, 300, 200, 200, 100), init=TorchDefault())
"""The network of the figure."""


def run(config: PictureFit, context: Context) -> Finding:
    """Fit the odd columns and follow the errors of three frequency bands."""
    picture = config.picture(context)
    found = course(config, None, picture.pixels, context, "a picture")
    errors = band_errors(config, found.pixels, picture.pixels)
    times = _first_below(found.steps, errors)
    trained, unseen = (picture.pixels[:, part] for part in (config.trained_columns, config.test_columns))
    mean = float(psnr((unseen - trained.mean()) ** 2))
    gain = found.test[-1] - mean
    low, middle, high = times.T
    claims = (
        Claim.over_seeds(
            "low frequencies are learnt before middle ones, and these before high ones",
            f"relative errors of the three bands reach {LEARNT:g} in this order (never is last) in every seed",
            {f"step, {band} band": times[:, i].tolist() for i, band in enumerate(BANDS)}
            | {f"error at the end, {band} band": errors[-1, :, i].tolist() for i, band in enumerate(BANDS)},
            ((low < middle) & (middle < high)).tolist(),
            share=1.0,
        ),
        Claim.over_seeds(
            "columns that were not trained on are restored too",
            f"test PSNR at the end >= that of the mean brightness + {GAIN:g} dB in every seed",
            {
                "test PSNR": found.test[-1].tolist(),
                "training PSNR": found.train[-1].tolist(),
                "mean brightness": [mean] * len(gain),
                "gain": gain.tolist(),
            },
            (gain >= GAIN).tolist(),
            share=1.0,
        ),
    )
    rows = [int(np.searchsorted(found.steps, share * found.steps[-1])) for share in (0.01, 0.05, 0.3, 1.0)]

    def draw_course(figure: Figure) -> None:
        axes = figure.subplots(1, 1 + len(rows))
        draw_picture(axes[0], picture.pixels, "picture")
        for ax, row in zip(axes[1:], rows, strict=True):
            draw_picture(ax, found.pixels[row, 0], f"step {found.steps[row]}")

    def draw_bands(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        steps = np.maximum(found.steps, 1)
        for i, band in enumerate(BANDS):
            lines = left.loglog(steps, errors[..., i], linewidth=1.0, **style(i))
            lines[0].set_label(f"{band} frequencies")
        left.axhline(LEARNT, color="black", linestyle=":", linewidth=0.8)
        left.set(xlabel="optimiser step", ylabel="relative error of the band")
        for number, (values, label) in enumerate(
            ((found.train, "odd columns, trained on"), (found.test, "even columns"))
        ):
            lines = right.semilogx(steps, values, linewidth=1.0, **style(number))
            lines[0].set_label(label)
        right.axhline(mean, color="black", linestyle=":", linewidth=0.8, label="mean brightness, even columns")
        right.set(xlabel="optimiser step", ylabel="PSNR in dB")
        for ax in (left, right):
            ax.legend(fontsize=8)
            grid_lines(ax)

    return Finding(
        claims,
        {
            "picture": picture.pixels,
            "steps": found.steps,
            "loss": found.loss,
            "train_psnr": found.train,
            "test_psnr": found.test,
            "band_errors": errors,
            "times": times,
            "shown": found.steps[rows],
            "pixels": found.pixels[rows],
        },
        {"course": draw_course, "bands": draw_bands},
        provenance=(picture.provenance,),
    )


def _first_below(steps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The first recorded step (S, 3) at which each error (T, S, 3) is down to `LEARNT`; inf if none is."""
    below = errors <= LEARNT
    return np.where(below.any(axis=0), steps[below.argmax(axis=0)].astype(float), np.inf)


EXPERIMENT = Experiment(
    id="freq-image-fit",
    chapter=4,
    source="Fig. 4.4, section 4.1.1",
    title="a picture is learnt from a blurred outline to its details",
    quick=PictureFit(),
    full=PictureFit(75, 60, None, network=BOOK, fit=Fit(1_000_000, Adam(5e-5), record=LogSpaced(200))),
    run=run,
)
