"""The four-panel figure of a hybrid: what it solves, what the network learns first, what relaxation removes first, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .plot_style import FAINT, INK, PALETTE, grid_lines, new_figure
from .study import HybridStudy, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

# Black and grey for the two ingredients, colour for the mixtures; the automatic one on top and thickest.
_LOOKS: dict[Role, dict[str, Any]] = {
    Role.NETWORK: {"color": INK, "linestyle": "--", "linewidth": 1.4, "zorder": 2.2},
    Role.RELAXATION: {"color": FAINT, "linestyle": "-", "linewidth": 1.8, "zorder": 2.1},
    Role.HYBRID_EARLY: {"color": PALETTE[5], "linestyle": "-.", "linewidth": 1.5, "zorder": 2.3},
    Role.HYBRID_LATE: {"color": PALETTE[3], "linestyle": "-.", "linewidth": 1.5, "zorder": 2.4},
    Role.HYBRID_AUTO: {"color": PALETTE[1], "linestyle": "-", "linewidth": 2.2, "zorder": 2.5},
}
_MARKERS = "osD^vP"


def plot_study(study: HybridStudy, figure: Figure | None = None) -> Figure:
    """Draw a hybrid's study in four panels.

    (a) the reference solution, inset its spectrum with the watched modes marked; (b) Delta_F of these modes against
    optimiser steps, network alone; (c) the same against sweeps, relaxation alone; (d) largest error against wall time.

    Args:
        study: the data.
        figure: an empty figure to draw on; a new one of 10 x 7.2 inches by default.

    Reference: book, section 15.5, figure 15.1.
    """
    figure = figure if figure is not None else new_figure(10.0, 7.2)
    (a, b), (c, d) = figure.subplots(2, 2)
    _reference(study, a)
    _delta(study, b, study.steps, study.delta_network)
    b.set(xlabel="optimiser step", title="network: error of each mode")
    _delta(study, c, study.sweeps, study.delta_relaxation)
    name = study.relaxation[:1].upper() + study.relaxation[1:]
    c.set(xlabel=f"{name} sweep", title=f"{name}: error of each mode")
    _error(study, d)
    for letter, axes in zip("abcd", (a, b, c, d), strict=True):
        axes.set_title(f"({letter})  {axes.get_title()}", loc="left", fontsize=10.5)
        axes.set_title("")
        grid_lines(axes)
    return figure


def _reference(study: HybridStudy, axes: Axes) -> None:
    axes.plot(study.x, study.reference, color=INK, linewidth=1.4)
    axes.set(xlabel=study.axis, ylabel=r"$u_{\mathrm{ref}}$", title="reference solution and its spectrum")
    low, high = float(study.reference.min()), float(study.reference.max())
    room = (high - low) or 1.0
    # The inset takes the upper part of the panel, the curve the lower.
    axes.set_ylim(low - 0.08 * room, high + 0.95 * room)
    axes.margins(x=0)
    axes.locator_params(axis="x", nbins=5)
    inset = axes.inset_axes((0.34, 0.58, 0.63, 0.34))
    inset.plot(study.wavenumbers, study.magnitude, color=INK, linewidth=0.9)
    height = np.interp(study.peaks, study.wavenumbers, study.magnitude)
    width = 1.6 * float(study.peaks.max()) if len(study.peaks) else float(study.wavenumbers[-1])
    lift, last = 0, -np.inf
    for number, (k, top) in enumerate(zip(study.peaks, height, strict=True)):
        look: dict[str, Any] = {
            "color": PALETTE[number % len(PALETTE)],
            "markeredgecolor": "white",
            "markeredgewidth": 0.5,
        }
        inset.plot(k, top, _MARKERS[number % len(_MARKERS)], markersize=4.5, **look)
        lift = lift + 8 if k - last < 0.09 * width else 0  # neighbours' names stand one above the other
        at: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "size": 7, "color": look["color"]}
        inset.annotate(f"{k:.3g}", (k, top), (0, 4 + lift), **at)
        last = k
    highest = float(study.magnitude.max())
    if highest > 0:
        inset.set_yscale("log")
        inset.set_ylim(highest * 1e-4, highest * 30)
    inset.set_xlim(0, width)
    inset.tick_params(labelsize=7, which="both", length=2)
    inset.set_xlabel("k", fontsize=8, labelpad=-1)
    inset.set_title(r"$|\hat u_{\mathrm{ref}}(k)|$", fontsize=8, pad=2)


def _delta(study: HybridStudy, axes: Axes, at: FloatArray, delta: FloatArray) -> None:
    for number, label in enumerate(study.labels):
        drawn = np.isfinite(delta[:, number]) & (delta[:, number] > 0)
        axes.plot(
            at[drawn],
            delta[drawn, number],
            color=PALETTE[number % len(PALETTE)],
            marker=_MARKERS[number % len(_MARKERS)],
            # About ten markers a curve, staggered so that they do not hide each other.
            markevery=(number * max(1, int(drawn.sum()) // 40), max(1, int(drawn.sum()) // 10)),
            markersize=4,
            linewidth=1.4,
            label=label,
        )
    _log_abscissa(axes, at)
    axes.set_yscale("log")
    axes.set_ylabel(r"$\Delta_F(k)$")
    _limit_decades(axes, delta)
    if study.labels:
        axes.legend(fontsize=8, loc="lower left", framealpha=0.9)


def _error(study: HybridStudy, axes: Axes) -> None:
    seconds: list[FloatArray] = [np.zeros(0)]
    for trace in study.traces:
        drawn = np.isfinite(trace.max_error) & (trace.max_error > 0)
        axes.plot(trace.seconds[drawn], trace.max_error[drawn], label=trace.label, **_LOOKS[trace.role])
        seconds.append(trace.seconds[drawn])
    if study.tolerance is not None:
        axes.axhline(study.tolerance, color=INK, linewidth=0.8, linestyle=":", zorder=1)
        place: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "size": 7.5}
        axes.annotate(f"tolerance {study.tolerance:.0e}", (0.38, study.tolerance), (0, 3), **place)
    _log_abscissa(axes, np.concatenate(seconds), decades=2.5)
    axes.set_yscale("log")
    axes.set(xlabel="wall time (s)", ylabel="max error", title="error against time")
    if study.traces:
        axes.legend(fontsize=8, loc="lower left", framealpha=0.9)


def _log_abscissa(axes: Axes, at: FloatArray, decades: float = 5.0) -> None:
    """Logarithmic where the numbers span more than two decades; what lies below the last ones is on a linear piece."""
    positive = at[at > 0]
    if not len(positive) or positive.max() < 100 * positive.min():
        return
    # A power of ten, or the tick at zero runs into the next one.
    start = max(float(positive.min()), float(positive.max()) * 10.0**-decades)
    axes.set_xscale("symlog", linthresh=10.0 ** np.ceil(np.log10(start)), linscale=0.4)
    axes.set_xlim(0 if at.min() <= 0 else float(positive.min()), float(positive.max()))


def _limit_decades(axes: Axes, delta: FloatArray, decades: float = 6.0) -> None:
    """Keep round-off from taking most of the panel."""
    finite = delta[np.isfinite(delta) & (delta > 0)]
    if len(finite):
        top = float(finite.max())
        axes.set_ylim(max(float(finite.min()), top * 10.0**-decades) / 1.5, top * 2)
