"""Fused compositions for plans of order at most 2: few passes over memory, little kept for the way back.

They compute what `composition.compose` and `compose_affine` compute, with the backward pass written out. Points go
through in chunks whose temporaries stay in the processor's cache. Where a backward pass must itself be differentiated,
and under `torch.vmap`, the plain formulas take over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .composition import compose, compose_affine
from .formulas import Eager, Function
from .layout import Layout

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
        out, formulas = torch.empty_like(data), Eager()
        for chunk in _chunks(data[0]):
            z, written = data[:, chunk], out[:, chunk]
            f = formulas.terms(function, _argument(z, bias), layout.order, written[0])
            formulas.forward(f, layout, z, written, None, known=False)
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
        layout, inner, formulas = ctx.layout, torch.empty_like(data), Eager()
        for chunk in _chunks(data[0]):
            z = data[:, chunk]
            f = formulas.terms(ctx.function, _argument(z, bias), layout.order + 1, output[0, chunk], known=True)
            formulas.backward(f, layout, z, inner[:, chunk].copy_(grad[:, chunk]), None)
        return inner, None if bias is None else inner[0].sum(0), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, data: Tensor, bias: Tensor | None, function: Function, layout: Layout) -> Any:
        return torch.vmap(lambda z, b: compose(function, layout, z, b), in_dims[:2])(data, bias), 0


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(value: Tensor, powers: Tensor, function: Function, layout: Layout) -> Tensor:
        out, formulas = value.new_empty(layout.size, *value.shape), Eager()
        for chunk in _chunks(value):
            f = formulas.terms(function, value[chunk], layout.order, out[0, chunk])
            formulas.affine_forward(f, layout, powers, out[:, chunk])
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
        layout, inner, outer, formulas = ctx.layout, torch.empty_like(value), torch.zeros_like(powers), Eager()
        for chunk in _chunks(value):
            f = formulas.terms(ctx.function, value[chunk], layout.order + 1, output[0, chunk], known=True)
            inner[chunk] = formulas.affine_backward(f, layout, powers, grad[:, chunk].clone(), outer)
        return inner, outer, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, value: Tensor, powers: Tensor, function: Function, layout: Layout) -> Any:
        return torch.vmap(lambda z, p: compose_affine(function, layout, z, p), in_dims[:2])(value, powers), 0


for _function in (_Stacked, _Affine):
    # torch binds the arguments by signature at every call; reading a stored one saves a tenth of a small step.
    _function.forward.__signature__ = inspect.signature(_function.forward)  # type: ignore[union-attr]


def _argument(z: Tensor, bias: Tensor | None) -> Tensor:
    return z[0] if bias is None else z[0] + bias


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
