"""Sections: a solution's values on a tensor grid of its domain, or of a slice through its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from .domain import Region

if TYPE_CHECKING:
    from .solution import Solution

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Section:
    """Values on a tensor grid over some of the coordinates, the others held fixed.

    Args:
        names: names of the coordinates that vary, one for each axis of the arrays.
        axes: their values (n_a,).
        fixed: names and values of the other coordinates.
        values: (n_1, ..., n_s, m); NaN outside the domain.
        exact: the exact solution in the same shape, or None.
    """

    names: tuple[str, ...]
    axes: tuple[FloatArray, ...]
    fixed: Mapping[str, float]
    values: FloatArray
    exact: FloatArray | None

    @property
    def error(self) -> FloatArray | None:
        """u - u_exact, or None."""
        return None if self.exact is None else self.values - self.exact

    @property
    def where(self) -> str:
        """The fixed coordinates in words, such as "z = 0.5"; empty if there are none."""
        return ", ".join(f"{name} = {value:.3g}" for name, value in self.fixed.items())


def section(solution: Solution, axes: Sequence[int], shape: Sequence[int]) -> Section:
    """Values of a solution on a uniform grid over the bounding box of some coordinates.

    The other coordinates in space are held at the middle of the domain, time at its end.

    Args:
        solution: what to evaluate.
        axes: axis numbers that vary.
        shape: points for each of them.
    """
    domain = solution.problem.domain
    lines = tuple(np.linspace(domain.lower[a], domain.upper[a], n) for a, n in zip(axes, shape, strict=True))
    held = {
        name: domain.upper[a] if name == domain.time else 0.5 * (domain.lower[a] + domain.upper[a])
        for a, name in enumerate(domain.names)
        if a not in axes
    }
    points = np.empty((*shape, domain.dim))
    for a, name in enumerate(domain.names):
        if name in held:
            points[..., a] = held[name]
    for a, mesh in zip(axes, np.meshgrid(*lines, indexing="ij"), strict=True):
        points[..., a] = mesh
    flat = points.reshape(-1, domain.dim)
    inside = inside_of(domain, flat)
    known = exact_at(solution, flat[inside])
    return Section(
        tuple(domain.names[a] for a in axes),
        lines,
        held,
        _spread(solution(flat[inside]), inside, tuple(shape)),
        None if known is None else _spread(known, inside, tuple(shape)),
    )


def exact_at(solution: Solution, x: FloatArray) -> FloatArray | None:
    """The exact or reference solution at x (n, d) as (n, m), or None where the problem knows none."""
    reference = solution.problem.reference()
    if reference is None:
        return None
    return reference(torch.from_numpy(np.ascontiguousarray(x))).detach().cpu().to(torch.float64).numpy()


def inside_of(domain: Region, x: FloatArray) -> NDArray[np.bool_]:
    """Which points lie in the domain, (n,)."""
    found: NDArray[np.bool_] = domain.contains(torch.from_numpy(x)).numpy()
    return found


def _spread(values: FloatArray, inside: NDArray[np.bool_], shape: tuple[int, ...]) -> FloatArray:
    spread = np.full((len(inside), values.shape[1]), np.nan)
    spread[inside] = values
    return spread.reshape(*shape, values.shape[1])
