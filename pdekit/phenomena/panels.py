"""Parts of figures that the chapters share; each draws on axes it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..plot_style import FIELD_MAP, INK, grid_lines, style
from .records import LogSpaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 160
"""Of a heat map; more cannot be told apart."""


def draw_delta(
    ax: Axes,
    steps: np.ndarray,
    delta: np.ndarray,
    labels: Sequence[str],
    *,
    times: np.ndarray | None = None,
    threshold: float | None = None,
) -> None:
    """Relative errors (T, K) of frequencies in the course of training, with the time when each was learnt.

    Args:
        ax: axes to draw on.
        steps: (T,).
        delta: (T, K).
        labels: K names.
        times: (K,) steps at which a dot is set; infinite for none.
        threshold: Delta_F that counts as learnt.
    """
    for number, label in enumerate(labels):
        ax.loglog(np.maximum(steps, 1), delta[:, number], linewidth=1.0, label=label, **style(number))
        if times is not None and threshold is not None and np.isfinite(times[number]):
            ax.plot(max(times[number], 1), threshold, "o", color=style(number)["color"])
    if threshold is not None:
        ax.axhline(threshold, color=INK, linewidth=0.8, linestyle=":")
    ax.set(xlabel="optimiser step", ylabel="relative error $\\Delta_F(k)$")
    ax.legend(loc="lower left", fontsize=8)
    grid_lines(ax)


def draw_heat(
    ax: Axes, steps: np.ndarray, delta: np.ndarray, labels: Sequence[str], title: str = "", *, bar: bool = True
) -> None:
    """The same as a heat map: a row for each frequency, the lowest at the bottom, logarithmic steps to the right.

    Args:
        ax: where.
        steps, delta, labels, title: as in `draw_delta`.
        bar: whether the colour bar is drawn, which maps side by side share.
    """
    last = int(steps[-1])
    wanted = np.array(LogSpaced(COLUMNS).steps(last)[1:])
    rows = np.searchsorted(steps, wanted, side="right") - 1
    edges = np.append(wanted[0] / 1.1, np.append(np.sqrt(wanted[1:] * wanted[:-1]), last))
    mesh = ax.pcolormesh(
        edges,
        np.arange(len(labels) + 1),
        np.clip(delta[rows].T, 0.0, 1.0),
        cmap=FIELD_MAP,
        vmin=0.0,
        vmax=1.0,
        rasterized=True,
    )
    ax.set(xscale="log", xlabel="optimiser step", ylabel="wave number", xlim=(edges[0], last), title=title)
    ax.set_yticks(np.arange(len(labels)) + 0.5, labels)
    if bar:
        ax.figure.colorbar(mesh, ax=ax, label="relative error $\\Delta_F(k)$, cut at 1")


def draw_losses(ax: Axes, steps: np.ndarray, loss: np.ndarray, *, label: str = "", number: int = 0) -> None:
    """Losses (T, S) of all seeds as thin curves of one colour."""
    lines = ax.loglog(np.maximum(steps, 1), loss, linewidth=0.9, alpha=0.8, **style(number))
    if label:
        lines[0].set_label(label)
        ax.legend(fontsize=8)
    ax.set(xlabel="optimiser step", ylabel="mean square error")
    grid_lines(ax)


def draw_spectrum(ax: Axes, k: np.ndarray, magnitudes: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """Magnitudes of several spectra over the same wave numbers."""
    for number, (magnitude, label) in enumerate(zip(magnitudes, labels, strict=True)):
        (line,) = ax.plot(k, magnitude, marker=".", markersize=4, linewidth=1.0, label=label)
        line.set(**style(number))
    ax.set(xlabel="wave number k", ylabel="amplitude")
    ax.legend(fontsize=8)
    grid_lines(ax)
