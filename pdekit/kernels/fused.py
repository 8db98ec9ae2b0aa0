"""Fused compositions for plans of order at most 2: few passes over memory, little kept for the way back.

They compute what `composition.compose` and `compose_affine` compute, with the backward pass written out. Points go
through in chunks whose temporaries stay in the processor's cache. Where a backward pass must itself be differentiated,
and under `torch.vmap`, the plain formulas take over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .composition import compose, compose_affine
from .functions import derivatives
from .layout import Layout

Function: TypeAlias = Callable[[Tensor], Tensor]

CHUNK_BYTES = 1 << 18
"""Size of one row of a chunk; a handful of them fit a core's second-level cache."""


def compose_fused(function: Function, layout: Layout, data: Tensor, bias: Tensor | None) -> Tensor:
    """Return the channels (C, n, w) of function(z + bias), data (C, n, w) being those of z."""
    return _Stacked.apply(data, bias, function, layout)


def compose_affine_fused(function: Function, layout: Layout, value: Tensor, powers: Tensor) -> Tensor:
    """Return the channels (C, n, w) of function(z) for affine z; see `composition.compose_affine`."""
    return _Affine.apply(value, powers, function, layout)


class _Stacked(torch.autograd.Function):
    @staticmethod
    def forward(data: Tensor, bias: Tensor | None, function: Function, layout: Layout) -> Tensor:
        out = torch.empty_like(data)
        for chunk in _chunks(data[0]):
            _stacked_forward(function, layout, data[:, chunk], bias, out[:, chunk])
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor | None, Function, Layout], output: Tensor) -> None:
        data, bias, ctx.function, ctx.layout = inputs
        ctx.save_for_backward(data, bias, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        data, bias, output = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_differentiable(lambda z, b: compose(ctx.function, ctx.layout, z, b), data, bias, grad), None, None
        inner = torch.empty_like(data)
        for chunk in _chunks(data[0]):
            parts = (t[:, chunk] for t in (data, output, grad, inner))
            _stacked_backward(ctx.function, ctx.layout, bias, *parts)
        return inner, None if bias is None else inner[0].sum(0), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, data: Tensor, bias: Tensor | None, function: Function, layout: Layout) -> Any:
        return torch.vmap(lambda z, b: compose(function, layout, z, b), in_dims[:2])(data, bias), 0


def _stacked_forward(function: Function, layout: Layout, z: Tensor, bias: Tensor | None, out: Tensor) -> None:
    first = len(layout.axes)
    f = derivatives(function, z[0] if bias is None else z[0] + bias, layout.order)
    out[0].copy_(f[0])
    if first:
        torch.mul(z[1 : 1 + first], f[1], out=out[1 : 1 + first])
    for row, pairs in enumerate(layout.pairs, 1 + first):
        torch.mul(z[row], f[1], out=out[row]).addcmul_(f[2], _pair_sum(z, pairs))


def _stacked_backward(
    function: Function, layout: Layout, bias: Tensor | None, z: Tensor, out: Tensor, grad: Tensor, inner: Tensor
) -> None:
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


def _pair_sum(z: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    total = z[pairs[0][0]] * z[pairs[0][1]]
    for i, j in pairs[1:]:
        total.addcmul_(z[i], z[j])
    return total


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(value: Tensor, powers: Tensor, function: Function, layout: Layout) -> Tensor:
        out = value.new_empty(layout.size, *value.shape)
        for chunk in _chunks(value):
            f = derivatives(function, value[chunk], layout.order)
            out[0, chunk].copy_(f[0])
            for order, start, stop in layout.blocks:
                torch.mul(powers[start - 1 : stop - 1, None], f[order], out=out[start:stop, chunk])
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Function, Layout], output: Tensor) -> None:
        value, powers, ctx.function, ctx.layout = inputs
        ctx.save_for_backward(value, powers, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        value, powers, output = ctx.saved_tensors
        if torch.is_grad_enabled():
            plain = lambda z, p: compose_affine(ctx.function, ctx.layout, z, p)  # noqa: E731
            return *_differentiable(plain, value, powers, grad), None, None
        inner, outer = torch.empty_like(value), torch.zeros_like(powers)
        for chunk in _chunks(value):
            f = derivatives(ctx.function, value[chunk], ctx.layout.order + 1, output[0, chunk])
            part = torch.mul(grad[0, chunk], f[1], out=inner[chunk])
            for order, start, stop in ctx.layout.blocks:
                total = torch.zeros_like(f[0])
                for row in range(start, stop):
                    total.addcmul_(grad[row, chunk], powers[row - 1])
                    outer[row - 1] += (grad[row, chunk] * f[order]).sum(0)
                part.addcmul_(total, f[order + 1])
        return inner, outer, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, value: Tensor, powers: Tensor, function: Function, layout: Layout) -> Any:
        return torch.vmap(lambda z, p: compose_affine(function, layout, z, p), in_dims[:2])(value, powers), 0


for _function in (_Stacked, _Affine):
    # torch binds the arguments by signature at every call; reading a stored one saves a tenth of a small step.
    _function.forward.__signature__ = inspect.signature(_function.forward)  # type: ignore[union-attr]


def _chunks(points: Tensor) -> Iterator[slice]:
    """Slices of the points (n, w); one slice for all where launches cost more than memory."""
    n, width = points.shape
    size = n if points.is_cuda else CHUNK_BYTES // (max(width, 1) * points.element_size())
    size = max(size, 1)
    return (slice(start, start + size) for start in range(0, n, size))


def _differentiable(
    plain: Callable[[Tensor, Any], Tensor], first: Tensor, second: Tensor | None, grad: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of plain(first, second) as functions that can be differentiated again, also inside torch.func."""
    if second is None:
        pull = torch.func.vjp(lambda z: plain(z, None), first)[1]
        return *pull(grad), None
    pull = torch.func.vjp(plain, first, second)[1]
    return pull(grad)
