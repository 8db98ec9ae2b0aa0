"""Figure of the parts of a solution beside the scales of the exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from .discrete import from_sine_coefficients, sine_coefficients
from .errors import NotApplicableError
from .parts import band_edges, field_parts, own_shares
from .plot_style import INK, PALETTE, grid_lines, new_figure
from .section import exact_at

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .solution import Solution

FloatArray = NDArray[np.float64]

_POINTS = 4097
_PERIODS = 6  # shown of a part that oscillates more often
_HEADROOM = 0.35  # above and below the curves, for the legend


def plot_parts(solution: Solution, figure: Figure | None = None) -> Figure:
    """One panel for each part of the solution; dashed the exact solution's content in the part's band of wave numbers.

    A part that oscillates often is shown over a few periods in the middle of the domain. The titles say which share of
    the part's spectral energy lies in its own band. The sine series of a smooth function falls as 1 / k^3 only:
    the exact content of the higher bands has some of it, which the smooth part keeps.

    Args:
        solution: in one dimension.
        figure: an empty figure to draw on; a new one by default.

    Raises:
        NotApplicableError: the solution has no parts, or more than one coordinate.

    Reference: book, figure 5.5.
    """
    domain = solution.problem.domain
    parts = field_parts(solution.field, domain)
    if not parts or domain.dim != 1:
        raise NotApplicableError(
            f"plot_parts: {solution.solver} left {len(parts)} parts of {solution.problem.name} in {domain.dim} dimensions, "
            "expected some, in one dimension; solve with sd2"
        )
    figure = figure if figure is not None else new_figure(7.0, 2.3 * len(parts))
    low, high = domain.lower[0], domain.upper[0]
    x = np.linspace(low, high, _POINTS)
    exact = exact_at(solution, x[:, None])
    edges, shares = band_edges(parts), own_shares(parts, domain)
    for number, (name, part) in enumerate(parts.items()):
        axes = figure.add_subplot(len(parts), 1, number + 1)
        values = part.field(torch.from_numpy(x[:, None]))[:, 0].numpy()
        reach = min(0.5 * (high - low), np.pi * _PERIODS / part.wavenumber)
        seen = np.abs(x - 0.5 * (low + high)) <= reach
        axes.plot(x[seen], values[seen], color=PALETTE[number % len(PALETTE)], linewidth=1.8, label=name)
        if exact is not None:
            band = _within(exact[:, 0], x[1] - x[0], edges[number], edges[number + 1])
            axes.plot(x[seen], band[seen], color=INK, linewidth=1.0, linestyle="--", label="exact, this band")
        axes.set_title(f"{name}: k = {part.wavenumber:.3g}, {shares[name]:.1%} of its energy in its band", fontsize=10)
        axes.set_ylabel(solution.problem.outputs[0])
        axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
        axes.margins(y=_HEADROOM)
        axes.legend(fontsize="small", loc="upper right", ncols=2)
        grid_lines(axes)
    axes.set_xlabel(domain.names[0])
    figure.suptitle(f"{solution.problem.name}, {solution.solver}", fontsize=11)
    return figure


def _within(values: FloatArray, spacing: float, low: float, high: float) -> FloatArray:
    """The part of a function on a line with low <= k < high, by its sine series without the line through its ends."""
    line = np.linspace(values[0], values[-1], len(values))
    coefficients = sine_coefficients((values - line)[1:-1])
    k = np.pi * np.arange(1, len(values) - 1) / (spacing * (len(values) - 1))
    kept = np.zeros_like(line)
    kept[1:-1] = from_sine_coefficients(np.where((k >= low) & (k < high), coefficients, 0.0))
    return kept + line if low == 0 else kept
