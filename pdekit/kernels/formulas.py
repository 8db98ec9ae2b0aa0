"""The formulas by which channels of order at most 2 pass an activation and come back, written into given memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final

import torch
from torch import Tensor

from .functions import derivatives
from .layout import Layout

Function: TypeAlias = Callable[[Tensor], Tensor]


class Formulas(Protocol):
    """How an activation f maps the channels z (C, n, w) of its argument to those of f(z), and gradients back.

    `bias` (w,) or None is still to be added to the value of z.
    """

    def forward(self, function: Function, layout: Layout, z: Tensor, bias: Tensor | None, out: Tensor) -> None:
        """Write the channels of f(z) to `out`."""
        ...

    def backward(
        self,
        function: Function,
        layout: Layout,
        z: Tensor,
        bias: Tensor | None,
        out: Tensor,
        grad: Tensor,
        inner: Tensor,
    ) -> None:
        """Write the gradient with respect to z to `inner`, given the one with respect to `out`."""
        ...


@final
@dataclass(frozen=True)
class Eager:
    """One operation after the other, as few passes over memory as they allow."""

    def forward(self, function: Function, layout: Layout, z: Tensor, bias: Tensor | None, out: Tensor) -> None:
        """Write the channels of f(z) to `out`."""
        first = len(layout.axes)
        f = derivatives(function, z[0] if bias is None else z[0] + bias, layout.order)
        out[0].copy_(f[0])
        if first:
            torch.mul(z[1 : 1 + first], f[1], out=out[1 : 1 + first])
        for row, pairs in enumerate(layout.pairs, 1 + first):
            torch.mul(z[row], f[1], out=out[row]).addcmul_(f[2], _pair_sum(z, pairs))

    def backward(
        self,
        function: Function,
        layout: Layout,
        z: Tensor,
        bias: Tensor | None,
        out: Tensor,
        grad: Tensor,
        inner: Tensor,
    ) -> None:
        """Write the gradient with respect to z to `inner`."""
        f = derivatives(function, z[0] if bias is None else z[0] + bias, layout.order + 1, out[0])
        torch.mul(grad, f[1], out=inner)
        if layout.order:
            value = grad[1] * z[1]
            for row in range(2, layout.size):
                value.addcmul_(grad[row], z[row])
            inner[0].addcmul_(f[2], value)
        for row, pairs in enumerate(layout.pairs, 1 + len(layout.axes)):
            inner[0].addcmul_(f[3], _pair_sum(z, pairs).mul_(grad[row]))
            weight = f[2] * grad[row]
            for i, j in pairs:
                if i == j:
                    inner[i].addcmul_(weight, z[i], value=2)
                else:
                    inner[i].addcmul_(weight, z[j])
                    inner[j].addcmul_(weight, z[i])


EAGER = Eager()


def affine_forward(function: Function, layout: Layout, z: Tensor, powers: Tensor, out: Tensor) -> None:
    """Write the channels of f(z), z (n, w) affine in the coordinates; see `AffineChannels.powers`."""
    f = derivatives(function, z, layout.order)
    out[0].copy_(f[0])
    for order, start, stop in layout.blocks:
        torch.mul(powers[start - 1 : stop - 1, None], f[order], out=out[start:stop])


def affine_backward(
    function: Function,
    layout: Layout,
    z: Tensor,
    powers: Tensor,
    out: Tensor,
    grad: Tensor,
    inner: Tensor,
    outer: Tensor,
) -> None:
    """Write the gradient with respect to z to `inner` (n, w), and add the one with respect to `powers` to `outer`."""
    f = derivatives(function, z, layout.order + 1, out[0])
    torch.mul(grad[0], f[1], out=inner)
    for order, start, stop in layout.blocks:
        total = torch.zeros_like(f[0])
        for row in range(start, stop):
            total.addcmul_(grad[row], powers[row - 1])
            outer[row - 1] += (grad[row] * f[order]).sum(0)
        inner.addcmul_(total, f[order + 1])


def _pair_sum(z: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    total = z[pairs[0][0]] * z[pairs[0][1]]
    for i, j in pairs[1:]:
        total.addcmul_(z[i], z[j])
    return total
