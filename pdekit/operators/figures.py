"""Figures of an operator: test cases, error by frequency, error against resolution, history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dataset import FloatArray
from ..errors import NotApplicableError
from ..files import check_directory
from ..plot import draw_bands, draw_history
from ..plot_style import ERROR_MAP, FIELD_MAP, INK, PALETTE, axes_or_new, grid_lines, new_figure, save_figure
from ..quantity import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Operator


def plot_examples(operator: Operator) -> Figure:
    """Input, output, prediction and error of the test cases with the median and the worst error; one row each."""
    examples, family = operator.examples, operator.predictor.family
    errors = family.output.relative_errors(examples.predicted, examples.outputs)
    figure = new_figure(12.0 if family.output.dim > 1 else 9.0, 2.8 * len(examples.labels) + 0.4)
    rows = figure.subplots(len(examples.labels), 4 if family.output.dim > 1 else 3, squeeze=False)
    for i, (row, label) in enumerate(zip(rows, examples.labels, strict=True)):
        _function(row[0], family.input, examples.inputs[i], f"{label}: {family.input.names[0]}")
        error = examples.predicted[i] - examples.outputs[i]
        text = f"error, relative L2 {errors[i]:.1e}"
        name = family.output.names[0]
        if family.output.dim > 1:
            limits = (float(examples.outputs[i, ..., 0].min()), float(examples.outputs[i, ..., 0].max()))
            _image(row[1], family.output, examples.outputs[i], f"{name}, classical", limits=limits)
            _image(row[2], family.output, examples.predicted[i], f"{name}, {operator.learner.name}", limits=limits)
            _image(row[3], family.output, error, text, centred=True)
            continue
        _line(row[1], family.output, examples.outputs[i], name, color=INK, label="classical")
        _line(
            row[1], family.output, examples.predicted[i], name, color=PALETTE[1], dash="--", label=operator.learner.name
        )
        row[1].legend(fontsize="small")
        _line(row[2], family.output, error, text, color=PALETTE[1])
        row[2].axhline(0.0, color=INK, linewidth=0.8)
    return figure


def plot_error_bands(operator: Operator, ax: Axes | None = None) -> Axes:
    """Relative error in each frequency band over the test set, with its part in the whole error."""
    return draw_bands(operator.scores.test.bands, "error", _title(operator), ax)


def plot_resolutions(operator: Operator, ax: Axes | None = None) -> Axes:
    """Mean, median and worst error over test sets with several numbers of points, with the same weights.

    Raises:
        NotApplicableError: one resolution was measured only.
    """
    scores = operator.scores
    if not scores.finer:
        raise NotApplicableError(f"plot_resolutions: {operator.learner.name} was measured at one resolution only")
    axes = axes_or_new(ax)
    sets = sorted((scores.test, *scores.finer), key=lambda errors: errors.points)
    at = [errors.points[0] for errors in sets]
    for number, (name, values) in enumerate(
        {
            "mean": [errors.mean for errors in sets],
            "median": [errors.median for errors in sets],
            "worst": [errors.worst for errors in sets],
        }.items()
    ):
        axes.plot(at, values, "osv"[number], linestyle="-", color=PALETTE[number], label=name)
    axes.axhline(scores.mean_predictor, color=INK, linewidth=1.0, linestyle="--", label="mean output for every input")
    axes.axvline(scores.test.points[0], color=INK, linewidth=0.8, linestyle=":", label="trained on")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(at, [str(points) for points in at])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="points along each axis", ylabel="relative L2 error", title=_title(operator))
    grid_lines(axes)
    axes.legend(fontsize="small")
    return axes


def plot_training(operator: Operator, ax: Axes | None = None) -> Axes:
    """Losses, and errors over some test cases by frequency, against steps."""
    return draw_history(operator.history, _title(operator), ax)


def write_figures(operator: Operator, directory: str | Path) -> list[Path]:
    """Write examples.png, bands.png, resolutions.png and history.png, those that apply; returns their paths."""
    place = check_directory(directory)
    place.mkdir(parents=True, exist_ok=True)
    written = [save_figure(plot_examples(operator), place / "examples.png")]
    for name, draw in {
        "bands": plot_error_bands,
        "resolutions": plot_resolutions,
        "history": plot_training,
    }.items():
        try:
            written.append(save_figure(draw(operator).figure, place / f"{name}.png"))
        except NotApplicableError:
            continue
    return written


def _title(operator: Operator) -> str:
    return f"{operator.predictor.family.name}, {operator.learner.name}"


def _function(axes: Axes, quantity: Quantity, values: FloatArray, title: str) -> None:
    if quantity.dim > 1:
        _image(axes, quantity, values, title)
    else:
        _line(axes, quantity, values, title, color=PALETTE[0])


def _line(
    axes: Axes,
    quantity: Quantity,
    values: FloatArray,
    title: str,
    *,
    color: str,
    dash: str = "-",
    label: str | None = None,
) -> None:
    axis = quantity.axes[0]
    axes.plot(axis.coordinates, values[:, 0], color=color, linestyle=dash, linewidth=1.4, label=label)
    unit = f" in {axis.unit}" if axis.unit else ""
    axes.set(xlabel=f"{axis.name}{unit}")
    axes.set_title(title, fontsize=9)
    axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    grid_lines(axes)


def _image(
    axes: Axes,
    quantity: Quantity,
    values: FloatArray,
    title: str,
    *,
    centred: bool = False,
    limits: tuple[float, float] | None = None,
) -> None:
    shown = values[..., 0]
    while shown.ndim > 2:  # a middle plane of what has more than two axes
        shown = shown[..., shown.shape[-1] // 2]
    x, y = quantity.axes[:2]
    extreme = float(np.abs(shown).max()) or 1.0
    low, high = (-extreme, extreme) if centred else limits or (None, None)
    look: dict[str, Any] = {"cmap": ERROR_MAP if centred else FIELD_MAP, "shading": "nearest", "rasterized": True}
    image = axes.pcolormesh(x.coordinates, y.coordinates, shown.T, vmin=low, vmax=high, **look)
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.05, 1.0)))
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    bar.ax.tick_params(labelsize=7)
    axes.set(xlabel=x.name, ylabel=y.name)
    axes.set_title(title, fontsize=9)
    if (x.upper - x.lower) == (y.upper - y.lower):
        axes.set_aspect("equal")
