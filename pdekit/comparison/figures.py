"""Figures of a comparison: error against time, work and precision, error by band, fields side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..plot_style import ERROR_MAP, FAINT, FIELD_MAP, INK, grid_lines, new_figure, style
from .result import Comparison, Standing
from .run import TOLERANCES
from .table import subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_TIMES = 300  # of a curve
_LEAST = 1e-17  # errors of zero are drawn there
_ACROSS = 4  # panels in a row


def figures(comparison: Comparison) -> dict[str, Figure]:
    """All figures that there are data for, by name."""
    if comparison.trivial is None or not comparison.finished:
        return {}
    drawn = {"error-against-time": error_against_time, "work-precision": work_precision}
    if any(standing.bands() is not None for standing in comparison.standings):
        drawn["bands"] = error_by_band
    found = {}
    for name, draw in drawn.items():
        figure = new_figure(8.5, 5.0)
        draw(comparison, figure.subplots())
        found[name] = figure
    return found | {"fields": fields(comparison)}


def error_against_time(comparison: Comparison, axes: Axes) -> Axes:
    """Median over the seeds of the error of the latest state, with the band from the best to the worst seed.

    Solvers without steps, and classical ones, are points. Where runs failed the curve is broken off.
    """
    for number, standing in enumerate(comparison.standings):
        if standing.absent:
            continue
        traces = [run.trace for run in standing.runs if not run.failed]
        if not traces:
            axes.plot([], [], label=f"{standing.label} (failed)", **_look(number))
        elif max(len(seconds) for seconds, _ in traces) < 3:
            _points(axes, standing, number)
        else:
            _band(axes, standing, traces, number)
    classical = comparison.classical
    if classical is not None and (best := classical.best) is not None:
        axes.plot(
            best.seconds, max(best.error, _LEAST), "*", color=INK, markersize=12, label=f"classical: {best.family}"
        )
    assert comparison.trivial is not None
    axes.axhline(comparison.trivial, color=FAINT, linestyle="--", linewidth=1.0, label="best constant")
    axes.set(
        xscale="log", yscale="log", xlabel=_seconds(comparison), ylabel="relative L2 error", title=subject(comparison)
    )
    _top(axes)
    return _finished(axes)


def work_precision(comparison: Comparison, axes: Axes) -> Axes:
    """Median seconds to reach an error, against that error, up to the end; classical families climb by resolution."""
    for number, standing in enumerate(comparison.standings):
        times = np.array([standing.time_to(tolerance) for tolerance in TOLERANCES])
        reached = np.isfinite(times)
        if reached.any():
            end = max(standing.median, _LEAST), standing.number("seconds")
            line = [*np.array(TOLERANCES)[reached], end[0]], [*times[reached], end[1]]
            axes.plot(*line, marker="o", markersize=4, label=standing.label, **_look(number))
    classical = comparison.classical
    if classical is not None:
        families = list(dict.fromkeys(rung.family for rung in classical.rungs))
        for marker, family in zip("v^<>", families, strict=False):
            rungs = [rung for rung in classical.rungs if rung.family == family and rung.error > _LEAST]
            line = [rung.error for rung in rungs], [rung.seconds for rung in rungs]
            axes.plot(*line, marker=marker, markersize=4, color=FAINT, linewidth=0.8, label=f"classical: {family}")
    axes.set(
        xscale="log", yscale="log", xlabel="relative L2 error", ylabel=_seconds(comparison), title=subject(comparison)
    )
    axes.invert_xaxis()
    return _finished(axes)


def error_by_band(comparison: Comparison, axes: Axes) -> Axes:
    """Relative error of each octave of wave numbers, of the run with the median error."""
    for number, standing in enumerate(comparison.standings):
        found = standing.bands()
        if found is None:
            continue
        edges, relative = found
        centres = np.sqrt(np.maximum(edges[:-1], 0.5 * edges[1]) * edges[1:])
        axes.plot(
            centres, np.maximum(relative, _LEAST), marker="o", markersize=4, label=standing.label, **_look(number)
        )
    axes.axhline(1.0, color=FAINT, linestyle="--", linewidth=1.0)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="wave number k, radians per unit length",
        ylabel="relative error of the band",
        title=f"{subject(comparison)}: run with the median error",
    )
    return _finished(axes)


def fields(comparison: Comparison) -> Figure:
    """The answers of the runs with the median error, and below each its error."""
    shown = [(s.label, s.typical) for s in comparison.standings if s.typical and s.typical.record.get("field")]
    panels = [(label, run.error, run.record["field"]) for label, run in shown]
    rows = -(-len(panels) // _ACROSS)
    figure = new_figure(3.1 * min(_ACROSS, len(panels)), 0.6 + 5.2 * rows)
    grid = figure.subplots(2 * rows, min(_ACROSS, len(panels)), squeeze=False)
    for axes in grid.flat[:]:
        axes.set_visible(False)
    exact = _exact(panels)
    for number, (label, error, field) in enumerate(panels):
        above = grid[2 * (number // _ACROSS), number % _ACROSS]
        below = grid[2 * (number // _ACROSS) + 1, number % _ACROSS]
        draw = _curve if len(field["names"]) == 1 else _image
        draw(figure, above, below, field, exact)
        above.set_title(f"{label}\nrelative L2 error {error:.1e}", fontsize=9)
        for axes in (above, below):
            axes.set_visible(True)
            axes.tick_params(labelsize=7)
    where = panels[0][2]["where"]
    figure.suptitle(f"{subject(comparison)}{f', {where}' if where else ''}: u, and below it its error", fontsize=10)
    return figure


# Parts -------------------------------------------------------------------------------------------------------------


def _band(axes: Axes, standing: Standing, traces: Sequence[tuple[FloatArray, FloatArray]], number: int) -> None:
    first = min(seconds[0] for seconds, _ in traces)
    last = max(seconds[-1] for seconds, _ in traces)
    times = np.geomspace(max(first, 1e-3), last, _TIMES)
    errors = np.array([_held(seconds, values, times) for seconds, values in traces])
    # A failed run is infinitely bad at all times: it moves the median and has no upper edge to draw.
    lost = np.full((len(standing.failures), _TIMES), np.inf)
    ordered = np.sort(np.concatenate([errors, lost]), axis=0)
    median = ordered[len(ordered) // 2]
    seen = np.isfinite(median)
    label = standing.label if not standing.failures else f"{standing.label} ({len(standing.failures)} failed)"
    look = _look(number)
    axes.plot(times[seen], median[seen], label=label, linewidth=1.6, **look)
    axes.fill_between(times, ordered[0], errors.max(axis=0), color=look["color"], alpha=0.15, linewidth=0)


def _held(seconds: FloatArray, values: FloatArray, times: FloatArray) -> FloatArray:
    """The latest measured error at each time; infinite before the first."""
    latest = np.searchsorted(seconds, times, side="right") - 1
    return np.where(latest < 0, np.inf, np.maximum(values[np.maximum(latest, 0)], _LEAST))


def _points(axes: Axes, standing: Standing, number: int) -> None:
    done = [run for run in standing.runs if not run.failed]
    place = [run.seconds for run in done], [max(run.error, _LEAST) for run in done]
    axes.plot(*place, "D", color=_look(number)["color"], markersize=5, label=standing.label)


def _exact(panels: Sequence[tuple[str, float, Mapping[str, Any]]]) -> FloatArray | None:
    """The exact solution where panels draw it: an answer less its error, of the best panel."""
    known = [(error, field) for _, error, field in panels if field["error"] is not None]
    if not known:
        return None
    best = min(known, key=lambda pair: pair[0])[1]
    return _array(best["values"]) - _array(best["error"])


def _array(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64)  # None, where JSON has no NaN, becomes NaN


def _curve(figure: Figure, above: Axes, below: Axes, field: Mapping[str, Any], exact: FloatArray | None) -> None:
    x = _array(field["axes"][0])
    above.plot(x, _array(field["values"]), color=_look(0)["color"], linewidth=1.2)
    if exact is not None:
        above.plot(x, exact, color=INK, linestyle="--", linewidth=0.8)
        below.plot(x, _array(field["error"]), color=_look(1)["color"], linewidth=1.0)
        below.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
        below.yaxis.get_offset_text().set_fontsize(7)
    below.set_xlabel(field["names"][0], fontsize=8)
    for axes, name in ((above, "u"), (below, "error")):
        axes.set_ylabel(name, fontsize=8)
        grid_lines(axes)


def _image(figure: Figure, above: Axes, below: Axes, field: Mapping[str, Any], exact: FloatArray | None) -> None:
    x, y = (_array(line) for line in field["axes"])
    values = _array(field["values"])
    scale = values if exact is None else exact
    images = [(above, values, FIELD_MAP, float(np.nanmin(scale)), float(np.nanmax(scale)))]
    if field["error"] is not None:
        error = _array(field["error"])
        size = float(np.nanmax(np.abs(error))) or 1.0
        images.append((below, error, ERROR_MAP, -size, size))
    for axes, shown, colours, low, high in images:
        image = axes.pcolormesh(x, y, shown.T, cmap=colours, vmin=low, vmax=high, shading="gouraud", rasterized=True)
        bar = figure.colorbar(image, ax=axes, shrink=0.8)
        bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))
        bar.ax.tick_params(labelsize=7)
        bar.ax.yaxis.get_offset_text().set_fontsize(7)
        axes.set_xlabel(field["names"][0], fontsize=8)
        axes.set_ylabel(field["names"][1], fontsize=8)
        if math.isclose(float(np.ptp(x)), float(np.ptp(y)), rel_tol=1.0):
            axes.set_aspect("equal")


def _look(number: int) -> dict[str, Any]:
    """Colour and dash of a solver, the same in all figures."""
    return dict(style(number))


def _seconds(comparison: Comparison) -> str:
    terms = comparison.terms
    return f"seconds ({terms['clock']} clock, {terms['threads']} thread{'s' if terms['threads'] != 1 else ''})"


def _top(axes: Axes) -> None:
    """Blow-ups at the start do not set the scale."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, min(high, 20.0))


def _finished(axes: Axes) -> Axes:
    grid_lines(axes)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return axes
