"""Test spaces of the dual norm: at which points a residual is tested, and how it becomes rows of least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor

from ..conditions import Neumann, Robin
from ..domain import Points
from ..problem import Elliptic
from .dual_norm import Metric, Whitening


@final
@dataclass(frozen=True, eq=False)
class Face:
    """Points on a part of the boundary where a flux is given.

    Args:
        condition: what holds there.
        rows: their place among the space's points.
        normal: outward unit normals (n_f, d).
    """

    condition: Neumann | Robin
    rows: slice
    normal: Tensor


class TestSpace(Protocol):
    """Functions v that vanish where u is prescribed, and an inner product on their span."""

    @property
    def points(self) -> Points:
        """Quadrature points: the interior ones first, then those of the faces, which have weight 0."""
        ...

    @property
    def interior(self) -> slice:
        """The rows of the interior points."""
        ...

    @property
    def faces(self) -> tuple[Face, ...]:
        """The parts of the boundary where a flux is given."""
        ...

    @property
    def metric(self) -> Metric:
        """The inner product."""
        ...

    @property
    def size(self) -> int:
        """Dimension m of the span."""
        ...

    def tested(self, values: Tensor) -> Tensor:
        """Rows of the dual norm: |rows| is the largest l(v) over the v of length 1.

        Args:
            values: densities (n, q, k) of k functionals l at all points: what is paired with v and, if q > 1, with the slope
                of v along each axis.

        Returns:
            (m, k).
        """
        ...

    def represented(self, rows: Tensor) -> Tensor:
        """Values and slopes at the interior points (n, 1 + s, k) of the w with (w, v) = l(v) for all v.

        Args:
            rows: of k functionals l (m, k).
        """
        ...

    def to(self, dtype: torch.dtype, device: str | torch.device) -> TestSpace:
        """The same space for residuals of another type or on another device."""
        ...


class TestFunctions(Protocol):
    """A choice of test functions."""

    def build(self, problem: Elliptic, points: int, whitening: Whitening) -> TestSpace:
        """The test space of a problem, float64 on the CPU.

        Args:
            problem: declares domain, coefficients, and where u is prescribed.
            points: quadrature points in all, about.
            whitening: choice of the metric.
        """
        ...

    def unlimited(self) -> TestFunctions:
        """The same kind, as many as the points tell apart: to hold a residual against."""
        ...
