"""Brute-force derivatives by nested autograd, and the plan of what was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ..errors import ShapeError
from .plan import Axes, Plan


@final
class Recorder:
    """Computes derivatives lazily by nested reverse mode and remembers which were asked for.

    A residual run once on a few points with a recorder yields the plan of all later evaluations; as the plainest
    possible implementation it is also the reference that the kernels are tested against.

    Args:
        function: maps (n, d) to (n, m), each row from its own row only.
        x: (n, d) points; they are copied out of any graph.

    Notes:
        One reverse pass per component and derivative; memory grows with the order. Made for few points.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self._track = torch.is_grad_enabled()
        with torch.enable_grad():
            self._x = x.detach().requires_grad_(True)
            self._value = function(self._x)
        if self._value.ndim != 2 or self._value.shape[0] != x.shape[0]:
            raise ShapeError(
                f"network output: got shape {tuple(self._value.shape)}, expected ({x.shape[0]}, components); "
                "return one row per point"
            )
        self._gradients: dict[Axes, Tensor] = {}
        self._partials: set[Axes] = set()
        self._laplacians: set[Axes] = set()

    def partial(self, axes: Axes) -> Tensor:
        """Return one partial derivative, (n, m)."""
        axes = tuple(sorted(axes))
        self._partials.add(axes)
        return self._finished(self._derivative(axes))

    def gradient(self, axes: Axes) -> Tensor:
        """Return the first derivatives along `axes`, (n, m, len(axes))."""
        self._partials.update((axis,) for axis in axes)
        return self._finished(self._gradient(())[..., list(axes)])

    def laplacian(self, axes: Axes) -> Tensor:
        """Return the sum of the second derivatives along `axes`, (n, m)."""
        axes = tuple(sorted(axes))
        self._laplacians.add(axes)
        total = torch.zeros_like(self._value)
        for axis in axes:
            total = total + self._derivative((axis, axis))
        return self._finished(total)

    def plan(self) -> Plan:
        """Return what was asked for so far; the widest Laplacian is collapsed, any other is written out."""
        collapsed = max(self._laplacians, key=lambda axes: (len(axes), axes), default=())
        others = {(axis, axis) for axes in self._laplacians if axes != collapsed for axis in axes}
        return Plan(frozenset(self._partials | others), collapsed)

    def _derivative(self, axes: Axes) -> Tensor:
        return self._gradient(axes[:-1])[..., axes[-1]] if axes else self._value

    def _gradient(self, axes: Axes) -> Tensor:
        """All first derivatives (n, m, d) of the partial derivative `axes`."""
        if axes not in self._gradients:
            with torch.enable_grad():
                columns = [self._slope(column) for column in self._derivative(axes).unbind(1)]
                self._gradients[axes] = torch.stack(columns, 1)
        return self._gradients[axes]

    def _slope(self, column: Tensor) -> Tensor:
        if not column.requires_grad:
            return torch.zeros_like(self._x)
        (slope,) = torch.autograd.grad(
            column.sum(), self._x, create_graph=True, allow_unused=True, materialize_grads=True
        )
        return slope

    def _finished(self, result: Tensor) -> Tensor:
        return result if self._track else result.detach()
