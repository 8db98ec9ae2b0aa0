"""What all figures share: colours, axes made on demand without pyplot, and saving."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .files import check_component, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

FIELD_MAP = "viridis"
ERROR_MAP = "RdBu_r"
INK = "#222222"
FAINT = "#9a9a9a"
# Distinguishable with every kind of colour blindness: Okabe and Ito, without their yellow, which is pale on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":")


def axes_or_new(ax: Axes | None, width: float = 6.0, height: float = 4.0) -> Axes:
    """The axes given, or those of a new figure of this size in inches that no window and no global list knows."""
    if ax is not None:
        return ax
    return new_figure(width, height).subplots()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; `figure.savefig` writes it in any format."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def style(number: int) -> dict[str, str]:
    """Colour and dash of the curve with this number; unlike for 24 curves."""
    return {"color": PALETTE[number % len(PALETTE)], "linestyle": DASHES[number // len(PALETTE) % len(DASHES)]}


def grid_lines(ax: Axes) -> None:
    """Faint lines at the major ticks, behind the data."""
    ax.grid(True, color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)


def save_figure(figure: Figure | SubFigure, path: Path, dpi: int = 160) -> Path:
    """Write a figure as PNG; the file appears whole or not at all.

    Raises:
        UnsafePathError: a file name no file system should hold, or a symbolic link.
    """
    check_component(str(path), path.name)
    content = io.BytesIO()
    figure.figure.savefig(content, format="png", dpi=dpi)
    write_atomically(path, (content.getbuffer(),))
    return path
