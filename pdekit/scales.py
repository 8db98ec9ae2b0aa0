"""Scales from the problem: which frequencies its solution has, read off its data, or off what an approximation misses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from .codec import changed, parameters
from .conditions import Dirichlet, Initial
from .field import Field
from .kernels import Recorder
from .lattice import Array, Lattice, Reading, resolving
from .nn import Auto, Scales
from .probe import Function, jet_of, smooth_function
from .problem import Problem, SecondOrder, conditions_of
from .spectrum import Band, Content, content, cover, slopes_of, solution_slopes
from .trust.residual import strong_residual

_SOURCE: Final = "source"
_COEFFICIENT: Final = "coefficient"
_BOUNDARY: Final = "boundary data"
_INITIAL: Final = "initial data"
_RESIDUAL: Final = "residual"


def recommend_scales(problem: Problem, choice: Auto = Auto(), *, field: Field | None = None) -> Scales:  # noqa: B008
    """Scales for networks on this problem: 1 for the smooth part, and one for each band of frequencies that matters.

    The slope q of the solution is estimated from the data, A q = grad psi + constant with -lap psi = f, which in one
    dimension is the solution's own. So the source counts with f_k / |k| and an oscillation of A with its relative size;
    boundary and initial data count with their slopes. A band that holds at least `floor` of it all gets a scale.

    Args:
        problem: its data are read on a grid of the bounding box by their formulas, holes or not, and taken for zero
            where these are not finite.
        choice: floor and largest number of scales.
        field: an approximation: then its residual is read, so that only bands which it misses count.

    Returns:
        Scales rising from 1, with the reason for each.

    Raises:
        NotApplicableError, SmoothnessError: the field has no residual.

    Notes:
        The grid is refined until linear interpolation reproduces the data; if the finest does not do, the first reason
        says so. Beyond three dimensions the data are read along axis-parallel lines. Layers (strong reaction or
        advection) are no oscillations and get no scale. Costs 10 ms in one dimension, seconds for 1500^2 points.
    Reference: book, section 5.1; Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179.
    """
    readings = _readings(problem)
    lattices, resolved = resolving(problem.domain, [*readings.values()])
    found = _joined(_contents(problem, readings, lattice) for lattice in lattices)
    through = isinstance(problem, SecondOrder) and _COEFFICIENT in found  # then that content holds the source's too
    whole = _total(part for name, part in found.items() if not (through and name == _SOURCE))
    if field is not None:
        residual = partial(_residual, problem, field)
        missed = _total(content(_slopes(problem, residual, readings, lattice)) for lattice in lattices)
        found, whole = {_RESIDUAL: missed}, Content(missed.energy, max(whole.whole, missed.whole))
    bands = cover(whole, floor=choice.floor, most=choice.most)
    smooth = math.sqrt(max(0.0, 1.0 - sum(band.share**2 for band in bands)))
    note = "" if resolved else "; the data vary faster than the finest grid shows, so scales may be missing"
    why = [_reason(problem, band, found) for band in bands]
    return Scales(
        (1.0, *(band.wavenumber for band in bands)), (f"the smooth part, {smooth:.0%} of the slope{note}", *why)
    )


def _reason(problem: Problem, band: Band, found: Mapping[str, Content]) -> str:
    """Where a band comes from: its wave number in the problem's units, its share, and the data that hold most of it."""
    shares = {name: of.within(band) / of.whole if of.whole > 0 else 0.0 for name, of in found.items()}
    origin = next(name for name, share in shares.items() if share >= 0.9 * max(shares.values()))  # the source first
    radii = {0.5 * length for length in problem.domain.lengths}
    where = f"k = {band.wavenumber / radii.pop():.3g}" if len(radii) == 1 else "a band"
    return f"{origin}: {where}, {band.share:.0%} of the slope"


# What is read ------------------------------------------------------------------------------------------------------


def _readings(problem: Problem) -> dict[str, Reading]:
    """Everything known of a problem that shows in its solution, by name."""
    if isinstance(problem, SecondOrder):
        readings: dict[str, Reading] = {_SOURCE: problem.source}
        if problem.diffusion(_corner(problem)) is not None:
            readings[_COEFFICIENT] = problem.diffusion  # type: ignore[assignment]
    else:
        zero, trial = _trials(problem)
        readings = {_SOURCE: partial(_equations, problem, zero), _COEFFICIENT: partial(_response, problem, zero, trial)}
    for name, kind in ((_BOUNDARY, Dirichlet), (_INITIAL, Initial)):
        given = [condition.value for condition in conditions_of(problem, kind) if callable(condition.value)]
        if given:
            readings[name] = partial(_data, problem, given, kind is Initial)
    return readings


def _corner(problem: Problem) -> Tensor:
    return torch.tensor([problem.domain.lower], dtype=torch.float64)


def _data(problem: Problem, given: Sequence[Reading], at_start: bool, x: Tensor) -> Tensor:
    """Boundary or initial data, one column each, continued into the domain by their formulas."""
    axis = problem.domain.time_axis
    if at_start and axis is not None:
        x = x.clone()
        x[:, axis] = problem.domain.lower[axis]
    return torch.cat([value(x) for value in given], dim=1)


def _trials(problem: Problem) -> tuple[Function, Function]:
    """The zero function and a smooth one of size 1."""
    smooth = smooth_function(problem.domain, len(problem.outputs), torch.Generator().manual_seed(50_231))
    return (lambda x: 0.0 * smooth(x)), smooth


def _equations(problem: Problem, function: Function, x: Tensor) -> Tensor:
    """Residual of a function, one column for each equation."""
    residual = problem.residual(jet_of(problem, x, Recorder(function, x)))
    return (torch.cat(residual, dim=1) if isinstance(residual, tuple) else residual).detach()


def _order(problem: Problem) -> int:
    """Highest derivative of the equation."""
    if isinstance(problem, SecondOrder):
        return 2
    x, trial = _corner(problem), _trials(problem)[1]
    recorder = Recorder(trial, x)
    problem.residual(jet_of(problem, x, recorder))
    return max(1, recorder.plan().order)


def _response(problem: Problem, zero: Function, trial: Function, x: Tensor) -> Tensor:
    """What the operator makes of a smooth function: it oscillates as the coefficients do."""
    return _equations(problem, trial, x) - _equations(problem, zero, x)


def _residual(problem: Problem, field: Field, x: Tensor) -> Tensor:
    """Residual of a field, zero outside the domain."""
    return strong_residual(problem, field, x) * problem.domain.contains(x)[:, None]


# What it says of the solution ---------------------------------------------------------------------------------------


def _contents(problem: Problem, readings: Mapping[str, Reading], lattice: Lattice) -> dict[str, Content]:
    """Content of the solution's slopes by the data that it comes from."""
    found: dict[str, Content] = {}
    for name, reading in readings.items():
        if name == _SOURCE:
            found[name] = content(_slopes(problem, reading, {}, lattice))
        elif name != _COEFFICIENT:
            columns = np.moveaxis(lattice.values(reading), -1, 0)
            found[name] = content([slope for column in columns for slope in slopes_of(column)])
        elif isinstance(problem, SecondOrder):
            found[name] = content(_slopes(problem, readings[_SOURCE], readings, lattice))
        else:
            response = content(_slopes(problem, reading, {}, lattice))
            found[name] = response.scaled(max(found[_SOURCE].whole, 1.0) / max(response.whole, 1e-300))
    return found


def _slopes(problem: Problem, source: Reading, readings: Mapping[str, Reading], lattice: Lattice) -> tuple[Array, ...]:
    """Slopes that a source causes, through the coefficient if there is one among the readings."""
    sources = lattice.values(source)
    region = problem.domain
    time_axis = lattice.axes.index(region.time_axis) if region.time_axis in lattice.axes else None
    diffusion, reaction = None, 0.0
    if isinstance(problem, SecondOrder):
        if _COEFFICIENT in readings:
            diffusion = lattice.values(readings[_COEFFICIENT])
            diffusion = diffusion[..., 0] if diffusion.ndim == len(lattice.axes) + 1 else diffusion
        reactions = problem.reaction(lattice.points()[:: max(1, lattice.count // 64)])
        reaction = 0.0 if reactions is None else float(reactions.mean())
    idle = diffusion is not None and not np.any(sources)
    return tuple(
        slope
        for column in range(sources.shape[-1])
        for slope in solution_slopes(
            sources[..., column],
            lattice.radii,
            diffusion=diffusion,
            reaction=reaction,
            order=_order(problem),
            time_axis=time_axis,
            rise=[float(idle)] * len(lattice.axes),
        )
    )


def _total(parts: Iterable[Content]) -> Content:
    return sum(parts, Content(np.zeros(1), 0.0))


def _joined(found: Iterable[Mapping[str, Content]]) -> dict[str, Content]:
    """Sums by name."""
    joined: dict[str, Content] = {}
    for contents in found:
        for name, part in contents.items():
            joined[name] = joined[name] + part if name in joined else part
    return joined


# Configurations that leave their scales open ------------------------------------------------------------------------


def with_scales(config: Any, problem: Problem) -> Any:
    """A configuration in which every Auto() inside, however deep, has become the scales recommended for the problem."""
    if isinstance(config, Auto):
        return recommend_scales(problem, config)
    if isinstance(config, tuple):
        items = [with_scales(item, problem) for item in config]
        return tuple(items) if any(a is not b for a, b in zip(items, config, strict=True)) else config
    if not dataclasses.is_dataclass(config):
        return config
    changes = {
        name: new
        for name in parameters(type(config))
        if (new := with_scales(old := getattr(config, name), problem)) is not old
    }
    return changed(config, changes) if changes else config


def scales_within(config: Any) -> Iterator[Scales]:
    """All recommended scales inside a configuration."""
    if isinstance(config, Scales):
        yield config
    elif isinstance(config, tuple):
        for item in config:
            yield from scales_within(item)
    elif dataclasses.is_dataclass(config):
        for name in parameters(type(config)):
            yield from scales_within(getattr(config, name))
