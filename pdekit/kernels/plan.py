"""What one evaluation of a network must return, and how its result is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final

import torch
from torch import Tensor, nn

from ..errors import ConfigError, PlanError

MAX_ORDER = 4

Axes: TypeAlias = tuple[int, ...]
"""A derivative's multi-index: the sorted axis numbers, () for the value, (0, 0, 1) for d3/dx0^2 dx1."""


@final
@dataclass(frozen=True)
class Plan:
    """What one evaluation must return: partial derivatives and, collapsed into one number, a Laplacian.

    Args:
        partials: multi-indices of the partial derivatives, each a sorted tuple of axes, length 0 (the value) to 4.
        laplacian: axes summed in the collapsed Laplacian, sum over a of d2u/dx_a^2; () if none is wanted.

    Raises:
        ConfigError: a multi-index is not sorted, has a negative axis or more than four of them.
    """

    partials: frozenset[Axes]
    laplacian: Axes = ()

    def __post_init__(self) -> None:
        for axes in self.partials:
            _check_axes("partials", axes)
            if len(axes) > MAX_ORDER:
                raise ConfigError(
                    f"Plan.partials: got {axes}, expected at most {MAX_ORDER} axes; split the equation into a system"
                )
        _check_axes("laplacian", self.laplacian)
        if len(set(self.laplacian)) != len(self.laplacian):
            raise ConfigError(f"Plan.laplacian: got {self.laplacian}, expected each axis once; remove the repetition")

    @property
    def order(self) -> int:
        """Highest derivative order."""
        return max(2 if self.laplacian else 0, *(len(axes) for axes in self.partials), 0)


def _check_axes(name: str, axes: Axes) -> None:
    if any(axis < 0 for axis in axes) or list(axes) != sorted(axes):
        raise ConfigError(
            f"Plan.{name}: got {axes}, expected axis numbers >= 0 in ascending order; use tuple(sorted(axes))"
        )


class DerivativeSource(Protocol):
    """What a jet reads values and derivatives from."""

    def partial(self, axes: Axes) -> Tensor:
        """Return one partial derivative of every component, (n, m)."""
        ...

    def gradient(self, axes: Axes) -> Tensor:
        """Return the first derivatives along `axes`, (n, m, len(axes))."""
        ...

    def laplacian(self, axes: Axes) -> Tensor:
        """Return the sum of the second derivatives along `axes`, (n, m)."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Derivatives:
    """The derivatives of one planned pass, stacked along the first dimension.

    Args:
        channels: (C, n, m) one slice per derivative.
        rows: the slice of each multi-index.
        collapsed: axes of the collapsed Laplacian, () if there is none.
        collapsed_row: the slice of the collapsed Laplacian.
    """

    channels: Tensor
    rows: Mapping[Axes, int]
    collapsed: Axes = ()
    collapsed_row: int = -1

    def partial(self, axes: Axes) -> Tensor:
        """Return one partial derivative, (n, m).

        Raises:
            PlanError: the plan did not ask for it.
        """
        if axes not in self.rows:
            raise self._unplanned("partial", axes)
        return self.channels[self.rows[axes]]

    def gradient(self, axes: Axes) -> Tensor:
        """Return the first derivatives along `axes`, (n, m, len(axes)); a view when they lie side by side."""
        rows = [self._row((axis,)) for axis in axes]
        if rows and rows == list(range(rows[0], rows[0] + len(rows))):
            return self.channels[rows[0] : rows[0] + len(rows)].permute(1, 2, 0)
        return self.channels[rows].permute(1, 2, 0)

    def laplacian(self, axes: Axes) -> Tensor:
        """Return the sum over `axes` of the second derivatives, (n, m)."""
        axes = tuple(sorted(axes))
        if axes == self.collapsed:
            return self.channels[self.collapsed_row]
        if not axes or not all((axis, axis) in self.rows for axis in axes):
            raise self._unplanned("laplacian", axes)
        return self.channels[[self.rows[axis, axis] for axis in axes]].sum(0)

    def _row(self, axes: Axes) -> int:
        if axes not in self.rows:
            raise self._unplanned("gradient", axes)
        return self.rows[axes]

    def _unplanned(self, what: str, axes: Axes) -> PlanError:
        return PlanError(
            f"Derivatives.{what}: got axes {axes}, expected one of {sorted(self.rows)} or the Laplacian over "
            f"{self.collapsed}; a residual must ask for the same derivatives at every call"
        )


class Kernel(Protocol):
    """Evaluates a network and the planned derivatives at a batch of points; all kernels agree to round-off."""

    def __call__(self, network: nn.Module, x: Tensor, plan: Plan) -> Derivatives:
        """Return the planned derivatives of `network` at `x` (n, d), differentiable in the parameters."""
        ...


def stacked(parts: Mapping[Axes, Tensor], laplacian: Axes, total: Tensor | None) -> Derivatives:
    """Stack separately computed derivatives, each (n, m), into one result."""
    order = sorted(parts, key=lambda axes: (len(axes), axes))
    tensors = [parts[axes] for axes in order]
    if total is not None:
        tensors.append(total)
    rows = {axes: row for row, axes in enumerate(order)}
    return Derivatives(torch.stack(tensors), rows, laplacian if total is not None else (), len(order))


def with_subindices(partials: Iterable[Axes]) -> tuple[Axes, ...]:
    """Close a set of multi-indices under taking parts, sorted by order, then by axes; it always holds ().

    >>> with_subindices([(0, 1)])
    ((), (0,), (1,), (0, 1))
    """
    closed: set[Axes] = {()}
    for axes in partials:
        closed.update(tuple(a for i, a in enumerate(axes) if mask >> i & 1) for mask in range(1 << len(axes)))
    return tuple(sorted(closed, key=lambda axes: (len(axes), axes)))
