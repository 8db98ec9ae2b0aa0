"""A layer's value and derivatives at every point, and the algebra that rules are written in.

Two forms: `AffineChannels`, before the first activation, where first derivatives are the same at all points and higher
ones vanish; and `StackedChannels`, one tensor (C, n, w) so that a linear layer is one tall matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from torch import Tensor

from .layout import Layout
from .workspace import Workspace

Map: TypeAlias = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class AffineChannels:
    """The channels of an affine function of the coordinates.

    Args:
        layout: the channels of this pass.
        value: (n, w).
        slopes: (k, w) first derivatives along `layout.axes`.
        workspace: memory that the layers to come may use; None where each is to make its own.
    """

    layout: Layout
    value: Tensor
    slopes: Tensor
    workspace: Workspace | None = None

    def mapped(self, linear: Map, shift: Tensor | None = None) -> AffineChannels:
        """Apply a linear map of the units, then add `shift` (w,)."""
        value = linear(self.value)
        value = value if shift is None else value + shift
        return AffineChannels(self.layout, value, linear(self.slopes), self.workspace)

    def powers(self) -> Tensor:
        """Return the product of slopes along each multi-index but (), (C - 1, w): d^a f(z) = f^(|a|)(z) * powers[a]."""
        layout, slopes = self.layout, self.slopes
        blocks = [slopes]
        for _, start, stop in layout.blocks[1:]:
            if start == len(layout.indices):
                positions = [layout.rows[axis,] - 1 for axis in layout.collapsed]
                blocks.append((slopes[positions] ** 2).sum(0, keepdim=True))
                continue
            product: Tensor | None = None
            for axes in zip(*layout.indices[start:stop], strict=True):
                factor = slopes[[layout.rows[axis,] - 1 for axis in axes]]
                product = factor if product is None else product * factor
            blocks += [] if product is None else [product]
        return torch.cat(blocks)

    def stacked(self) -> Tensor:
        """Return all channels, (C, n, w)."""
        first, n = len(self.slopes), len(self.value)
        blocks = [self.value[None], self.slopes[:, None].expand(-1, n, -1)]
        if self.layout.size > 1 + first:
            blocks.append(self.value.new_zeros(self.layout.size - 1 - first, *self.value.shape))
        return torch.cat(blocks)


@final
@dataclass(frozen=True, eq=False)
class StackedChannels:
    """The channels of any function.

    Args:
        layout: the channels of this pass.
        data: (C, n, w).
        bias: (w,) still to be added to the value; the next activation adds it on the fly.
    """

    layout: Layout
    data: Tensor
    bias: Tensor | None = None

    def mapped(self, linear: Map, shift: Tensor | None = None) -> StackedChannels:
        """Apply a linear map of the units, then add `shift` (w,)."""
        return StackedChannels(self.layout, linear(self.stacked()), shift)

    def stacked(self) -> Tensor:
        """Return all channels, (C, n, w)."""
        if self.bias is None:
            return self.data
        return torch.cat([self.data[:1] + self.bias, self.data[1:]])


Channels: TypeAlias = AffineChannels | StackedChannels


def coordinates(x: Tensor, layout: Layout, workspace: Workspace | None = None) -> AffineChannels:
    """Return the channels of the coordinates themselves, x (n, d)."""
    slopes = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[list(layout.axes)]
    return AffineChannels(layout, x, slopes, workspace)


def added(terms: Sequence[Channels]) -> Channels:
    """Return the channels of a sum of functions."""
    total = terms[0].stacked()
    for term in terms[1:]:
        total = total + term.stacked()
    return StackedChannels(terms[0].layout, total)


def joined(parts: Sequence[Channels]) -> Channels:
    """Return the channels of several functions side by side; affine ones stay affine."""
    affine = [part for part in parts if isinstance(part, AffineChannels)]
    if len(affine) == len(parts):
        value = torch.cat([part.value for part in affine], -1)
        return AffineChannels(parts[0].layout, value, torch.cat([part.slopes for part in affine], -1))
    return StackedChannels(parts[0].layout, torch.cat([part.stacked() for part in parts], -1))


def multiplied(left: Channels, right: Channels) -> Channels:
    """Return the channels of a product of functions, by Leibniz' formula; widths broadcast."""
    layout = left.layout
    u, v = left.stacked().unbind(0), right.stacked().unbind(0)
    rows = []
    for terms in layout.products:
        total: Tensor | None = None
        for weight, i, j in terms:
            product = u[i] * v[j] if weight == 1 else weight * u[i] * v[j]
            total = product if total is None else total + product
        rows.append(total)
    return StackedChannels(layout, torch.stack([row for row in rows if row is not None]))
