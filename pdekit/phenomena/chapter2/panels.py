"""What the figures of this chapter share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Sampled:
    """Samples in one dimension, with the law they should follow.

    Args:
        dim: the dimension.
        values: (n,).
        density: of the law.
        mark: the value they are said to concentrate at.
    """

    dim: int
    values: FloatArray
    density: Callable[[FloatArray], FloatArray]
    mark: float


def histograms(
    figure: Figure, panels: Sequence[Sampled], quantity: str, mark: str, *, limits: tuple[float, float] | None = None
) -> None:
    """A normalised histogram for each dimension under the curve of its law, a dashed line where it concentrates.

    Args:
        figure: an empty one.
        panels: from left to right.
        quantity: what is sampled.
        mark: name of the dashed line.
        limits: of all panels; by default each shows its own samples, on axes of one length.
    """
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    width = max(float(np.ptp(panel.values)) for panel in panels)
    for ax, panel in zip(row, panels, strict=True):
        bins = np.linspace(float(panel.values.min()), float(panel.values.max()), 51)
        ax.hist(panel.values, bins=bins, density=True, color=PALETTE[5], label="samples")
        fine = np.linspace(bins[0], bins[-1], 801)
        ax.plot(fine, panel.density(fine), color=INK, linewidth=1.2, label="law")
        ax.axvline(panel.mark, color=PALETTE[1], linestyle="--", linewidth=1.6, label=mark)
        middle = 0.5 * (bins[0] + bins[-1])
        ax.set_xlim(limits or (middle - 0.55 * width, middle + 0.55 * width))
        ax.set_title(f"d = {panel.dim}", fontsize=10)
        grid_lines(ax)
    row[0].set_ylabel("density")
    figure.supxlabel(quantity, fontsize=10)
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
