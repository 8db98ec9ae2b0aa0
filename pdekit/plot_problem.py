"""A picture of a problem: its domain, which condition holds where, and which parts have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from .conditions import Condition, Initial, Observations, Periodic, place
from .domain import Points, Region
from .geometry import MeshRegion, Shape, outlines
from .plot_style import FAINT, INK, PALETTE, axes_or_new, grid_lines, new_figure
from .problem import Problem
from .sampling import Sobol, boundary_points, interior_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ARROWS = 4  # normals drawn on each part of the boundary; the first points of a Sobol set are spread over the part
_FEW = 4  # parts more than a box has
_MARKERS = "osD^vP"


@final
@dataclass(frozen=True, eq=False)
class _Piece:
    """Points that share a legend entry, one set for each part; arrows where they have normals."""

    label: str
    parts: tuple[Points, ...]
    color: str
    marker: str
    size: float


def plot_problem(problem: Problem, ax: Axes | None = None, *, points: int = 512) -> Axes:
    """Draw where each condition holds, with outward normals, and the parts of the boundary that have no condition.

    In three coordinates the axes are three-dimensional (give axes made with projection="3d", or none); in more, or on
    plane axes, the first two coordinates are shown. Time runs to the right beside one coordinate in space.

    Args:
        problem: what to draw.
        ax: where; a new figure by default.
        points: points in the interior; a quarter as many for each condition.
    """
    domain = problem.domain
    axes = ax if ax is not None else _new_axes(domain)
    solid = axes.name == "3d" and domain.dim >= 3
    shown = (0, 1, 2) if solid else (0,) if domain.dim == 1 else (1, 0) if _is_space_time(domain) else (0, 1)
    reach = 0.09 * max(domain.lengths[axis] for axis in domain.space_axes)
    if isinstance(domain, Shape | MeshRegion) and domain.dim == 2:
        for line in outlines(domain):
            axes.plot(*line.T, color=INK, linewidth=0.8, zorder=1)
    for piece in _pieces(problem, points):
        all_points = torch.cat([part.x for part in piece.parts])
        look: dict[str, Any] = {"s": piece.size, "c": piece.color, "marker": piece.marker, "linewidths": 0.8}
        axes.scatter(*_columns(all_points, shown), label=f"{piece.label} ({len(all_points)})", **look)
        for part in piece.parts:
            if part.normal is not None and bool(part.normal.any()):
                start, arrow = _columns(part.x[:_ARROWS], shown), _columns(reach * part.normal[:_ARROWS], shown)
                look = {} if solid else {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.004}
                axes.quiver(*start, *arrow, color=piece.color, **look)
                tips = torch.stack([a + 1.2 * b for a, b in zip(start, arrow, strict=True)], dim=1)
                if not solid:  # plane quivers count with their feet only when the limits are found
                    axes.update_datalim(tips.numpy())
    names = [domain.names[axis] for axis in shown]
    axes.set_xlabel(names[0])
    if len(names) > 1:
        axes.set_ylabel(names[1])
        grid_lines(axes)
    else:
        axes.set_yticks([])
    if solid:
        axes.set(zlabel=names[2])
    if len(names) > 1 and domain.time not in names:
        axes.set_aspect("equal")
    axes.margins(0.06)
    axes.autoscale_view()
    title = f"{problem.name}, projected on {' and '.join(names)}" if domain.dim > max(2, len(names)) else problem.name
    axes.set_title(title)
    corner = (-0.25, 1.0) if solid else (1.04, 1.0)  # the layout makes room beside plane axes only
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=corner, borderaxespad=0.0, frameon=False)
    return axes


def _new_axes(domain: Region) -> Axes:
    if domain.dim == 3:
        return new_figure(7.6, 5.2).add_subplot(projection="3d")
    return axes_or_new(None, 7.2, 1.8 if domain.dim == 1 else 4.2)


def _is_space_time(domain: Region) -> bool:
    return domain.dim == 2 and domain.time is not None


def _pieces(problem: Problem, count: int) -> list[_Piece]:
    domain, generator = problem.domain, torch.Generator().manual_seed(0)

    many = len(domain.parts) > 2 * domain.dim + _FEW  # then marks of the usual size would hide the parts

    def sampled(parts: tuple[str, ...]) -> tuple[Points, ...]:
        each = Sobol(max(_ARROWS, count // (4 * len(parts))))
        return tuple(boundary_points(domain, part, each, generator) for part in parts)

    pieces = [_Piece("interior", (interior_points(domain, Sobol(count), generator),), "#cfcfcf", ".", 9.0)]
    for number, condition in enumerate(problem.conditions):
        label = _label(problem, condition)
        if isinstance(condition, Observations):
            weight = torch.ones(len(condition.x), dtype=condition.x.dtype)
            pieces.append(_Piece(label, (Points(condition.x, weight),), INK, "x", 18.0))
        else:
            # Each condition in smaller marks than the last, or it would hide another on the same part.
            size = max(6.0, 40.0 - 17.0 * number) / (4.0 if many else 1.0)
            look = (PALETTE[number % len(PALETTE)], _MARKERS[number % len(_MARKERS)], size)
            pieces.append(_Piece(label, sampled(_parts(domain, condition)), *look))
    bare = _bare(problem)
    if bare:
        pieces.append(_Piece(f"no condition: {', '.join(bare)}", sampled(bare), FAINT, "x", 16.0))
    return pieces


def _parts(domain: Region, condition: Condition) -> tuple[str, ...]:
    """Canonical names of the parts that a condition covers."""
    match condition:
        case Observations():
            return ()
        case Periodic():
            return domain.resolve((f"{condition.axis}-", f"{condition.axis}+"))
        case _:
            return domain.resolve(place(condition))


def _bare(problem: Problem) -> tuple[str, ...]:
    """Parts without any condition; the final time needs none."""
    domain = problem.domain
    covered = {part for condition in problem.conditions for part in _parts(domain, condition)}
    needed = domain.parts if domain.time is None else (*domain.parts, "initial")
    return tuple(part for part in needed if part not in covered)


def _label(problem: Problem, condition: Condition) -> str:
    kind = type(condition).__name__
    kind = f"{kind} of d/d{problem.domain.time}" if isinstance(condition, Initial) and condition.order else kind
    kind = f"{kind} for {condition.component}" if len(problem.outputs) > 1 else kind
    parts = _parts(problem.domain, condition)
    if len(parts) > 4 and parts == problem.domain.parts:
        return f"{kind}: boundary"
    return f"{kind}: {', '.join(parts)}" if parts else kind


def _columns(x: Tensor, shown: tuple[int, ...]) -> list[Tensor]:
    """The shown coordinates; a line is drawn at height zero."""
    columns = [x[:, axis].detach().cpu() for axis in shown]
    return columns if len(columns) > 1 else [columns[0], torch.zeros_like(columns[0])]
