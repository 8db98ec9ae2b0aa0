"""Figures of a solution: field, error, history, spectrum, bands.

Every function takes the axes to draw on, or makes a figure of its own, and returns the axes: `ax.figure.savefig(...)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import NotApplicableError, unknown_name
from .files import check_directory
from .plot_parts import plot_parts
from .plot_study import plot_study
from .plot_style import (
    DASHES,
    ERROR_MAP,
    FAINT,
    FIELD_MAP,
    INK,
    PALETTE,
    axes_or_new,
    grid_lines,
    save_figure,
    style,
)
from .record import Record
from .section import Section, section
from .spectrum import Bands, Hann, Periodic, Spectrum, peaks, spectrum
from .study import HybridStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .solution import Solution

FloatArray = NDArray[np.float64]

_CURVE, _IMAGE = 1001, 201  # points of a curve, and along each side of an image
_COUNTERS = ("step", "sweep", "sweeps", "iteration", "cycle")  # what a history may be drawn against
_NOT_DRAWN = frozenset({*_COUNTERS, "phase", "seconds", "predicted_sweeps"})
_LINES = 33  # parallel lines whose spectra are averaged in two and more dimensions
_PEAK_FLOOR = 0.05  # above the Hann window's side lobes, 0.027 of the peak or a little more after detrending
_BAND_DECADES = 8  # drawn below the highest bar; round-off lies further down


def plot_field(solution: Solution, ax: Axes | None = None, *, component: str | None = None) -> Axes:
    """u on its domain: a curve in 1-D (exact solution dashed), else an image, in 3-D and above of a middle plane.

    Args:
        solution: what to draw.
        ax: where; a new figure by default.
        component: which unknown; the first by default.
    """
    index, name = _component(solution, component)
    shown = _shown(solution)
    if len(shown.axes) == 1:
        return _curves(solution, shown, index, name, ax)
    return _image(solution, shown, shown.values[..., index], name, ax)


def plot_error(solution: Solution, ax: Axes | None = None, *, component: str | None = None) -> Axes:
    """u - u_exact on the domain; colours are centred at zero.

    Raises:
        NotApplicableError: the problem has no exact solution.
    """
    index, name = _component(solution, component)
    shown = _shown(solution)
    if shown.error is None:
        raise NotApplicableError(
            f"plot_error: {solution.problem.name} has no exact solution to compare with; see plot_bands for its residual"
        )
    error, label = shown.error[..., index], f"{name} - {name}_exact"
    if len(shown.axes) > 1:
        return _image(solution, shown, error, label, ax, centred=True)
    axes = axes_or_new(ax)
    axes.axhline(0.0, color=FAINT, linewidth=0.8)
    axes.plot(shown.axes[0], error, color=PALETTE[1], linewidth=1.4)
    axes.set(xlabel=shown.names[0], ylabel=label, title=_title(solution, shown))
    axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    grid_lines(axes)
    return axes


def plot_history(solution: Solution, ax: Axes | None = None) -> Axes:
    """Losses and errors against steps (or sweeps), on a log scale.

    Columns with negative values, such as an energy, are drawn on a linear scale to the right; zeros are left out. Dotted
    vertical lines mark the phases of training.

    Raises:
        NotApplicableError: nothing was recorded.
    """
    return draw_history(solution.history, _title(solution), ax)


def draw_history(history: Record, title: str, ax: Axes | None = None) -> Axes:
    """The columns of a history against its steps or sweeps; see `plot_history`."""
    counter = next((name for name in _COUNTERS if name in history), None)
    drawn = [name for name in history.columns if name not in _NOT_DRAWN]
    drawn = [name for name in drawn if (np.isfinite(history[name]) & (history[name] != 0)).any()]
    if not drawn:
        raise NotApplicableError(f"plot_history: no history was recorded of {title}")
    axes = axes_or_new(ax)
    x = history[counter] if counter else np.arange(len(history), dtype=np.float64)
    signed = [name for name in drawn if np.nanmin(history[name]) < 0]
    logarithmic = len(signed) < len(drawn)
    linear = axes.twinx() if signed and logarithmic else axes
    lines = []
    for number, name in enumerate(drawn):
        values = history[name]
        seen = np.isfinite(values) & ((values > 0) | (name in signed))
        look: dict[str, Any] = {"color": INK, "linestyle": "-", "linewidth": 1.8} if name == "loss" else style(number)
        on, suffix = (linear, " (linear)") if name in signed and logarithmic else (axes, "")
        lines += on.plot(x[seen], values[seen], label=name + suffix, **look)
    if logarithmic:
        axes.set_yscale("log")
    if linear is not axes:
        linear.set_ylabel(", ".join(signed))
    for place in _phase_changes(history, x):
        axes.axvline(place, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set(xlabel=counter or "row", ylabel="loss, error" if logarithmic else ", ".join(signed), title=title)
    grid_lines(axes)
    axes.legend(handles=lines, fontsize="small", ncols=1 + len(lines) // 6, framealpha=0.8)
    return axes


def plot_spectrum(solution: Solution, ax: Axes | None = None, *, component: str | None = None) -> Axes:
    """|u_hat(k)| of the solution, and of the exact one dashed, with the peaks marked.

    Affine trend removed, Hann window. In two and more dimensions one curve for each axis of the drawn section: the root
    mean square over parallel lines.

    Raises:
        NotApplicableError: the domain does not fill its bounding box.
    """
    index, name = _component(solution, component)
    shown = _shown(solution)
    if not np.isfinite(shown.values).all():
        raise NotApplicableError(f"plot_spectrum: the domain of {solution.problem.name} is no box; see plot_bands")
    axes = axes_or_new(ax)
    furthest, highest = 0.0, 0.0
    for number, axis in enumerate(shown.names):
        suffix = f", k_{axis}" if len(shown.axes) > 1 else ""
        spacing = shown.axes[number][1] - shown.axes[number][0]
        found = _line_spectrum(shown.values[..., index], number, spacing)
        compared = found if shown.exact is None else _line_spectrum(shown.exact[..., index], number, spacing)
        k, half = found.wavenumbers[0], found.wavenumbers[0].size // 2
        colour = PALETTE[number]
        axes.plot(k[:half], found.magnitude[:half], color=colour, linewidth=1.6, label=f"{name}{suffix}")
        if shown.exact is not None:
            look: dict[str, Any] = {"color": INK, "linestyle": DASHES[1 + number], "linewidth": 1.0}
            axes.plot(k[:half], compared.magnitude[:half], label=f"{name}_exact{suffix}", **look)
        for peak, height in _peaks(compared):
            axes.plot(peak, height, marker="v", color=colour, markersize=6, clip_on=False)
            axes.annotate(f"{peak:.3g}", (peak, height), (0, 7), textcoords="offset points", ha="center", fontsize=8)
            furthest = max(furthest, peak)
        highest = max(highest, compared.magnitude.max())
    if highest > 0:
        axes.set_yscale("log")
        axes.set_ylim(highest * 1e-5, highest * 4)
    periods = 2 * np.pi / max(float(np.ptp(line)) for line in shown.axes)
    axes.set_xlim(0, max(2 * furthest, 10 * periods))
    axes.set(xlabel="wave number k", ylabel="|u_hat(k)|", title=_title(solution, shown))
    grid_lines(axes)
    axes.legend(fontsize="small", loc="upper right")
    return axes


def plot_bands(solution: Solution, ax: Axes | None = None) -> Axes:
    """Relative error in each frequency band, with its part in the whole error; or each band's part of the residual.

    Raises:
        NotApplicableError: the solution has no bands.
    """
    bands = solution.bands
    if bands is None:
        raise NotApplicableError(f"plot_bands: no bands were measured for {solution.problem.name}")
    return draw_bands(bands, solution.band_kind, _title(solution), ax)


def draw_bands(bands: Bands, kind: str, title: str, ax: Axes | None = None) -> Axes:
    """Bars for bands of an error or a residual; see `plot_bands`."""
    axes = axes_or_new(ax)
    place = np.arange(len(bands.labels))
    of_error = kind == "error"
    bars = bands.relative if of_error else bands.share
    top = max(float(bars.max()), float(bands.share.max())) or 1.0
    both = np.concatenate([bars, bands.share])
    bottom = 0.3 * float(np.min(both[both > top * 10.0**-_BAND_DECADES], initial=0.1 * top))
    label = "relative error of the band" if of_error else "part of the residual"
    axes.bar(place, np.maximum(bars, bottom), 0.7, color=PALETTE[0], label=label)
    if of_error:
        seen = bands.share > bottom
        axes.plot(place[seen], bands.share[seen], "o", color=PALETTE[1], label="its part in the whole error")
        axes.axhline(bands.total, color=INK, linewidth=1.0, linestyle="--", label=f"whole error {bands.total:.2g}")
    for x, height in zip(place, bars, strict=True):
        at = (x, max(height, bottom))
        axes.annotate(f"{height:.1e}", at, (0, 3), textcoords="offset points", ha="center", size=7)
    axes.set_yscale("log")
    axes.set_ylim(bottom, top * (top / bottom) ** 0.3)  # room for the legend
    axes.set_xticks(place, bands.labels, rotation=30 if len(place) > 5 else 0, fontsize=8)
    axes.set(xlabel="wave numbers k of the band", ylabel="relative error" if of_error else label)
    axes.set_title(title)
    axes.grid(True, axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(fontsize="x-small", loc="upper center", ncols=3)
    return axes


def write_figures(solution: Solution, directory: str | Path) -> list[Path]:
    """Write field.png, error.png, history.png, spectrum.png, bands.png, parts.png and study.png, those that apply.

    Returns:
        The paths written.
    """
    place = check_directory(directory)
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in _FIGURES.items():
        try:
            axes = draw(solution)
        except NotApplicableError:
            continue
        written.append(save_figure(axes.figure, place / f"{name}.png"))
    if solution.parts and solution.problem.domain.dim == 1:
        written.append(save_figure(plot_parts(solution), place / "parts.png"))
    if isinstance(solution.study, HybridStudy):
        written.append(save_figure(plot_study(solution.study), place / "study.png"))
    return written


_FIGURES = {
    "field": plot_field,
    "error": plot_error,
    "history": plot_history,
    "spectrum": plot_spectrum,
    "bands": plot_bands,
}


def _component(solution: Solution, component: str | None) -> tuple[int, str]:
    outputs = solution.problem.outputs
    name = outputs[0] if component is None else component
    if name not in outputs:
        raise unknown_name("component", name, outputs)
    return outputs.index(name), name


def _shown(solution: Solution) -> Section:
    """The part of the domain that a sheet of paper can hold; time, if it is one of two coordinates, runs to the right."""
    domain = solution.problem.domain
    if domain.dim == 1:
        return section(solution, (0,), (_CURVE,))
    return section(solution, (1, 0) if domain.dim == 2 and domain.time is not None else (0, 1), (_IMAGE, _IMAGE))


def _title(solution: Solution, shown: Section | None = None) -> str:
    title = f"{solution.problem.name}, {solution.solver}"
    return f"{title}, {shown.where}" if shown is not None and shown.where else title


def _curves(solution: Solution, shown: Section, index: int, name: str, ax: Axes | None) -> Axes:
    axes = axes_or_new(ax)
    axes.plot(shown.axes[0], shown.values[:, index], color=PALETTE[0], linewidth=2.0, label=name)
    if shown.exact is not None:
        axes.plot(shown.axes[0], shown.exact[:, index], color=INK, linewidth=1.0, linestyle="--", label=f"{name}_exact")
        axes.legend(fontsize="small")
    axes.set(xlabel=shown.names[0], ylabel=name, title=_title(solution, shown))
    grid_lines(axes)
    return axes


def _image(
    solution: Solution, shown: Section, values: FloatArray, label: str, ax: Axes | None, *, centred: bool = False
) -> Axes:
    timely = solution.problem.domain.time in shown.names
    sides = [float(np.ptp(line)) for line in shown.axes]
    axes = axes_or_new(ax, 5.6, 4.4 if timely else 0.9 + 4.0 * min(max(sides[1] / sides[0], 0.3), 1.5))
    extreme = float(np.nanmax(np.abs(values))) or 1.0
    image = axes.pcolormesh(
        shown.axes[0],
        shown.axes[1],
        values.T,
        cmap=ERROR_MAP if centred else FIELD_MAP,
        shading="nearest",
        rasterized=True,
        vmin=-extreme if centred else None,
        vmax=extreme if centred else None,
    )
    # An inset follows the height of the image, whatever its aspect.
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)), label=label)
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    axes.set(xlabel=shown.names[0], ylabel=shown.names[1], title=_title(solution, shown))
    if not timely:
        axes.set_aspect("equal")
    return axes


def _phase_changes(history: Record, x: FloatArray) -> FloatArray:
    if "phase" not in history:
        return np.zeros(0)
    changes: FloatArray = x[1:][np.diff(history["phase"]) != 0]
    return changes


def _line_spectrum(values: FloatArray, axis: int, spacing: float) -> Spectrum:
    """Spectrum along one axis: root mean square over at most `_LINES` lines."""
    lines = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    lines = lines[:: max(1, len(lines) // _LINES)]
    found = [spectrum(u, spacing, basis=Periodic(closed=True, padding=8), window=Hann(), detrend=True) for u in lines]
    mean = np.sqrt(np.mean([one.magnitude**2 for one in found], axis=0))
    return Spectrum(found[0].wavenumbers, mean, found[0].cyclic)


def _peaks(of: Spectrum) -> list[tuple[float, float]]:
    """Wave number and height of the peaks to mark: not the mean, and none for a function that is affine."""
    found = peaks(of, 6, floor=_PEAK_FLOOR)
    return [
        (float(k), float(abs(a)))
        for k, a in zip(found.wavevectors[:, 0], found.amplitude, strict=True)
        if k > 0 and abs(a) > 0
    ]
