"""Channels of f(z) from the channels of z: the plain formulas, and fused ones for second-order plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .channels import AffineChannels, Channels, StackedChannels
from .functions import derivatives
from .layout import Layout

Function: TypeAlias = Callable[[Tensor], Tensor]


def composed(function: Function, inner: Channels) -> StackedChannels:
    """Return the channels of function(z), by Faa di Bruno's formula."""
    layout = inner.layout
    if isinstance(inner, AffineChannels):
        return StackedChannels(layout, _of_affine(function, inner))
    if layout.order <= 2 and _has_closed_form(function) and not torch.compiler.is_compiling():
        return StackedChannels(layout, _Fused.apply(inner.data, inner.bias, function, layout))
    return StackedChannels(layout, compose_plain(function, layout, inner.data, inner.bias))


def compose_plain(function: Function, layout: Layout, data: Tensor, bias: Tensor | None) -> Tensor:
    """Return the channels (C, n, w) of function(z) by differentiable operations, one formula per row."""
    z = list(data.unbind(0))
    if bias is not None:
        z[0] = z[0] + bias
    f = derivatives(function, z[0], layout.order)
    products: dict[tuple[int, ...], Tensor] = {}

    def product(rows: tuple[int, ...]) -> Tensor:
        if len(rows) == 1:
            return z[rows[0]]
        if rows not in products:
            products[rows] = product(rows[:-1]) * z[rows[-1]]
        return products[rows]

    out = [f[0]]
    for terms in layout.compositions[1:]:
        # Terms are grouped by the derivative of f, so that each multiplies once.
        sums: dict[int, Tensor] = {}
        for weight, order, rows in terms:
            term = product(rows) if weight == 1 else weight * product(rows)
            sums[order] = sums[order] + term if order in sums else term
        out.append(_total([f[order] * term for order, term in sums.items()]))
    return torch.stack(out)


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _of_affine(function: Function, inner: AffineChannels) -> Tensor:
    layout = inner.layout
    f = derivatives(function, inner.value, layout.order)
    powers = inner.powers()
    blocks = [f[0][None]]
    row = 0
    for order in range(1, len(layout.indices[-1]) + 1):
        rows = sum(len(axes) == order for axes in layout.indices)
        blocks.append(f[order] * powers[row : row + rows, None])
        row += rows
    if layout.collapsed:
        blocks.append(f[2] * powers[row:, None])
    return torch.cat(blocks)


def _has_closed_form(function: Function) -> bool:
    return derivatives.dispatch(type(function)) is not derivatives.dispatch(object)


class _Fused(torch.autograd.Function):
    """`compose_plain` for plans of order at most 2, with few passes over memory and little kept for the way back.

    Kept are z and the value f(z), which the next layer keeps anyway. The backward pass is written out; where it must
    itself be differentiated it runs through the plain formulas.
    """

    @staticmethod
    def forward(data: Tensor, bias: Tensor | None, function: Function, layout: Layout) -> Tensor:
        first = len(layout.axes)
        f = derivatives(function, data[0] if bias is None else data[0] + bias, layout.order)
        out = torch.empty_like(data)
        out[0].copy_(f[0])
        if first:
            torch.mul(data[1 : 1 + first], f[1], out=out[1 : 1 + first])
        for row, pairs in enumerate(layout.pairs, 1 + first):
            torch.mul(data[row], f[1], out=out[row]).addcmul_(f[2], _pair_sum(data, pairs))
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor | None, Function, Layout], output: Tensor) -> None:
        data, bias, ctx.function, ctx.layout = inputs
        ctx.save_for_backward(data, bias, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        data, bias, output = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_backward_plain(ctx.function, ctx.layout, data, bias, grad), None, None
        inner, shift = _backward_fused(ctx.function, ctx.layout, data, bias, output, grad)
        return inner, shift, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], data: Tensor, bias: Tensor | None, function: Function, layout: Layout):
        plain = torch.vmap(lambda z, b: compose_plain(function, layout, z, b), in_dims[:2])
        return plain(data, bias), 0


def _pair_sum(data: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    total = data[pairs[0][0]] * data[pairs[0][1]]
    for i, j in pairs[1:]:
        total.addcmul_(data[i], data[j])
    return total


def _backward_fused(
    function: Function, layout: Layout, data: Tensor, bias: Tensor | None, output: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor | None]:
    first = len(layout.axes)
    f = derivatives(function, data[0] if bias is None else data[0] + bias, layout.order + 1, output[0])
    inner = grad * f[1]
    if layout.order:
        value = grad[1] * data[1]
        for row in range(2, layout.size):
            value.addcmul_(grad[row], data[row])
        inner[0].addcmul_(f[2], value)
    for row, pairs in enumerate(layout.pairs, 1 + first):
        inner[0].addcmul_(f[3], grad[row] * _pair_sum(data, pairs))
        weight = f[2] * grad[row]
        for i, j in pairs:
            inner[i].addcmul_(weight, data[j])
            inner[j].addcmul_(weight, data[i])
    return inner, None if bias is None else inner[0].sum(0)


def _backward_plain(
    function: Function, layout: Layout, data: Tensor, bias: Tensor | None, grad: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    with torch.enable_grad():
        output = compose_plain(function, layout, data, bias)
        inputs = [t for t in (data, bias) if t is not None and t.requires_grad]
        grads = iter(torch.autograd.grad(output, inputs, grad, create_graph=True))
    return tuple(next(grads) if t is not None and t.requires_grad else None for t in (data, bias))
