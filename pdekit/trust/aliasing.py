"""Whether fixed points can see the data's oscillations."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from ..domain import Box
from ..errors import AliasingWarning
from ..jet import Jet
from ..kernels import Recorder
from ..probe import jet_of
from ..problem import Problem, SecondOrder
from ..spectrum import dominant_frequencies

_MAX_DIM = 3  # beyond, points are so few per axis that the Nyquist number says nothing about smooth functions
_LINE = 2049
_LINES = (0.37, 0.61, 0.83)  # places, in units of the edges, through which the probing lines run
_STRONG = 0.5  # share of the strongest oscillation from which on one counts as dominant


def alias_warning(problem: Problem, points: int) -> AliasingWarning | None:
    """Warn when a dominant frequency of the source is above the Nyquist number of n fixed points.

    k > pi (N - 1) / L on some axis, with N = n^(1/d) points along it. At such points the source looks like one of lower
    frequency, and training fits that one: the loss falls and the answer is wrong.

    Args:
        problem: declares the source.
        points: number n of interior points.

    Returns:
        The warning emitted, or None. Nothing is checked off boxes and beyond three coordinates.
    """
    box = problem.domain
    if not isinstance(box, Box) or box.dim > _MAX_DIM:
        return None
    count = points ** (1 / box.dim)
    for axis, (name, length) in enumerate(zip(box.names, box.lengths, strict=True)):
        wave = max((_dominant(problem, box, axis, place) for place in _LINES), default=0.0)
        nyquist = math.pi * max(count - 1, 1.0) / length
        if wave > nyquist:
            needed = math.ceil(wave * length / math.pi + 1) ** box.dim
            warning = AliasingWarning(
                f"{problem.name}: the source oscillates along {name!r} with k = {wave:.4g}, above the Nyquist number "
                f"{nyquist:.4g} of N = {points} fixed points; take more than {needed} points or resample them"
            )
            warnings.warn(warning, stacklevel=2)
            return warning
    return None


def _dominant(problem: Problem, box: Box, axis: int, place: float) -> float:
    """Highest of the strongest wave numbers of the source along a line parallel to an axis."""
    lower, lengths = (torch.tensor(v, dtype=torch.float64) for v in (box.lower, box.lengths))
    x = (lower + place * lengths).repeat(_LINE, 1)
    x[:, axis] = torch.linspace(box.lower[axis], box.upper[axis], _LINE, dtype=torch.float64)
    waves = [
        dominant_frequencies(column.numpy(), lengths[axis].item() / (_LINE - 1), floor=_STRONG)
        for column in _data(problem, x).unbind(1)
        if bool(torch.isfinite(column).all())
    ]
    return max((float(found.max()) for found in waves if len(found)), default=0.0)


def _data(problem: Problem, x: Tensor) -> Tensor:
    """The source, or the residual of u = 0, by equation."""
    if isinstance(problem, SecondOrder):
        return problem.source(x).detach()

    def residual(u: Jet) -> Tensor:
        found = problem.residual(u)
        return torch.cat(found, dim=1) if isinstance(found, tuple) else found

    recorder = Recorder(lambda at: 0.0 * at[:, :1].expand(-1, len(problem.outputs)), x)
    return residual(jet_of(problem, x, recorder)).detach()
