"""Linear layers and activations in a row as one operation, which takes the points through in chunks.

Layer by layer, each product and each activation streams all points through memory. Here a chunk passes all layers while
its channels lie in the processor's cache, and what the way back needs is kept in buffers that serve step after step.
Where a backward pass must itself be differentiated, and under `torch.vmap`, the plain formulas take over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..nn import Elementwise
from .channels import AffineChannels, StackedChannels
from .composition import compose, compose_affine
from .formulas import Function
from .functions import has_closed_form
from .layout import Layout
from .native_chain import NativeChain, serves
from .pullback import pullback
from .scratch import Buffers, take
from .workspace import Lease, Workspace

Weights: TypeAlias = list[tuple[Tensor, Tensor | None]]

CHUNK_BYTES = 1 << 20
"""Size of a chunk's channels between two layers, per thread: half of a core's second-level cache."""
LEAST_POINTS = 128
"""In smaller chunks, launches cost more than the cache saves."""


@final
@dataclass(frozen=True, eq=False)
class Chain:
    """linear, activation, linear, ..., activation, linear.

    Args:
        linears: the linear layers, one more than activations.
        functions: the activations.
    """

    linears: tuple[nn.Linear, ...]
    functions: tuple[Function, ...]


def chain_of(layers: Sequence[nn.Module]) -> Chain | None:
    """The layers as a chain, if they are one."""
    linears = tuple(layer for layer in layers[::2] if isinstance(layer, nn.Linear))
    functions = tuple(layer.function for layer in layers[1::2] if isinstance(layer, Elementwise))
    if not functions or len(linears) != len(functions) + 1 or len(linears) + len(functions) != len(layers):
        return None
    # Activations that are no elementwise functions change the width.
    fits = all(a.out_features == b.in_features for a, b in pairwise(linears))
    return Chain(linears, functions) if fits and all(map(has_closed_form, functions)) else None


def has_chain(network: nn.Module) -> bool:
    """Whether part of the network, from some layer to the end of a row, is a chain."""
    rows = (list(module) for module in network.modules() if isinstance(module, nn.Sequential))
    return any(chain_of(row[i:]) is not None for row in rows for i in range(len(row)))


def chained(chain: Chain, channels: AffineChannels, workspace: Workspace) -> StackedChannels:
    """Return the channels of the chain, for layouts of order at most 2."""
    tensors = (channels.value, channels.slopes, *(t for layer in chain.linears for t in (layer.weight, layer.bias)))
    tracked = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    lease = workspace.lease() if tracked else None
    native = workspace.native and serves(chain.functions, channels.value)
    run = _Run(chain.functions, channels.layout, workspace, lease, native, torch.get_num_threads())
    return StackedChannels(channels.layout, _Chain.apply(run, *tensors))


@final
@dataclass(frozen=True, eq=False)
class _Run:
    """One pass: what it applies, and the memory in which it keeps what the way back needs (None: nothing is kept).

    `native`: in one call of machine code; `threads`: what points are shared out among, there and back.
    """

    functions: tuple[Function, ...]
    layout: Layout
    workspace: Workspace
    lease: Lease | None
    native: bool
    threads: int

    def chunks(self, value: Tensor, weights: Weights) -> Iterator[tuple[int, slice]]:
        """Numbers and slices of equal chunks of points; one for all on devices where launches cost more than memory."""
        n, width = len(value), max(len(weight) for weight, _ in weights[:-1])
        size = CHUNK_BYTES * self.threads // (self.layout.size * width * value.element_size())
        count = 1 if value.is_cuda else -(-n // max(LEAST_POINTS, size))
        size = max(1, -(-n // max(1, count)))
        return enumerate(slice(start, min(n, start + size)) for start in range(0, n, size))

    def forward(self, value: Tensor, slopes: Tensor, weights: Weights) -> Tensor:
        layout, rows, spare = self.layout, self.layout.size, Buffers()
        formulas = self.workspace.formulas(spare)
        powers = AffineChannels(layout, value, slopes @ weights[0][0].T).powers()
        if self.native:
            return self._machine_code(value, powers, weights).forward()
        last, last_bias = weights[-1]
        out = value.new_empty(rows, len(value), len(last))
        for number, chunk in self.chunks(value, weights):
            # Kept for the way back; what a chunk hands from layer to layer is the same memory each time.
            buffers = spare if self.lease is None else self.lease.chunk(number)
            previous, n = value[chunk], chunk.stop - chunk.start
            for layer, (weight, bias) in enumerate(weights[:-1]):
                width = len(weight)
                kept = self._kept(buffers, layer, n, width, value)
                torch.mm(previous, weight.T, out=kept.z.view(-1, width))
                if bias is not None:
                    kept.z[0].add_(bias)
                a = take(spare, ("a", width), (rows, n, width), value)
                f = formulas.terms(self.functions[layer], kept.z[0], layout.order, kept.value)
                if layer:
                    formulas.forward(f, layout, kept.z, a, kept.squares, known=False)
                else:
                    formulas.affine_forward(f, layout, powers, a)
                previous = a.flatten(0, 1)
            out[:, chunk] = torch.mm(previous, last.T).view(rows, n, -1)
        if last_bias is not None:
            out[0] += last_bias
        return out

    def backward(
        self, value: Tensor, slopes: Tensor, weights: Weights, grad: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None, Weights]:
        """Gradients with respect to value and slopes, where wanted, and to all weights."""
        assert self.lease is not None
        layout, rows, spare = self.layout, self.layout.size, Buffers()
        formulas = self.workspace.formulas(spare)
        first = (slopes @ weights[0][0].T).requires_grad_()
        with torch.enable_grad():
            powers = AffineChannels(layout, value, first).powers()
        to_value = torch.empty_like(value, memory_format=torch.contiguous_format) if wanted[0] else None
        if self.native:
            outer, grads = self._machine_code(value, powers.detach(), weights).backward(grad, to_value)
            (to_first,) = pullback(powers, [first], outer)
            grads[0][0].addmm_(to_first.T, slopes)
            return to_value, to_first @ weights[0][0] if wanted[1] else None, grads
        fixed, outer = powers.detach(), torch.zeros_like(powers)
        grads = [(torch.zeros_like(w), None if b is None else torch.zeros_like(b)) for w, b in weights]
        for number, chunk in self.chunks(value, weights):
            buffers, points, n = self.lease.chunk(number), value[chunk], chunk.stop - chunk.start
            part = grad[:, chunk].flatten(0, 1)
            _add_sum(grads[-1][1], grad[0, chunk])
            for layer in range(len(weights) - 1, 0, -1):
                # From the activations between linear layers `layer` - 1 and `layer` only z and f(z) were kept.
                weight = weights[layer][0]
                width = weight.shape[1]
                kept = self._kept(buffers, layer - 1, n, width, value)
                a = take(spare, ("a", width), (rows, n, width), value)
                f = formulas.terms(self.functions[layer - 1], kept.z[0], layout.order + 1, kept.value, known=True)
                if layer > 1:
                    formulas.forward(f, layout, kept.z, a, kept.squares, known=True)
                else:
                    formulas.affine_forward(f, layout, fixed, a)
                grads[layer][0].addmm_(part.T, a.flatten(0, 1))
                g = take(spare, (f"g{layer % 2}", width), (rows, n, width), value)
                torch.mm(part, weight, out=g.view(rows * n, width))
                if layer > 1:
                    formulas.backward(f, layout, kept.z, g, kept.squares)
                    _add_sum(grads[layer - 1][1], g[0])
                    part = g.view(rows * n, width)
            inner = formulas.affine_backward(f, layout, fixed, g, outer)
            grads[0][0].addmm_(inner.T, points)
            _add_sum(grads[0][1], inner)
            if to_value is not None:
                torch.mm(inner, weights[0][0], out=to_value[chunk])
        (to_first,) = pullback(powers, [first], outer)
        grads[0][0].addmm_(to_first.T, slopes)
        return to_value, to_first @ weights[0][0] if wanted[1] else None, grads

    def _machine_code(self, value: Tensor, powers: Tensor, weights: Weights) -> NativeChain:
        buffers = Buffers() if self.lease is None else self.lease.chunk(0)
        plain = [(weight.contiguous(), None if bias is None else bias.contiguous()) for weight, bias in weights]
        return NativeChain(self.layout, value.contiguous(), powers.contiguous(), plain, buffers, self.threads)

    def _kept(self, buffers: Buffers, layer: int, n: int, width: int, like: Tensor) -> _Kept:
        """The memory of an activation's argument, value and, for a collapsed Laplacian, squared slopes."""
        rows = self.layout.size if layer else 1
        block = take(buffers, ("kept", layer), (rows + 2, n, width), like)
        return _Kept(block[:rows], block[rows], block[rows + 1] if layer and self.layout.collapsed else None)

    def plain(self, *tensors: Tensor | None) -> Tensor:
        """The same as `forward` of value, slopes and the layers' tensors, by differentiable operations."""
        value, slopes, *layers = tensors
        assert value is not None
        assert slopes is not None
        (weight, bias), *rest = _paired(layers)
        affine = AffineChannels(self.layout, functional.linear(value, weight, bias), slopes @ weight.T)
        data = compose_affine(self.functions[0], self.layout, affine.value, affine.powers())
        for function, (weight, bias) in zip((*self.functions[1:], None), rest, strict=True):
            data = data @ weight.T
            if function is not None:
                data = compose(function, self.layout, data, bias)
            elif bias is not None:
                data = torch.cat([data[:1] + bias, data[1:]])
        return data


class _Kept(NamedTuple):
    """What an activation leaves for the way back; its other channels are made again, which costs less than storing them."""

    z: Tensor
    value: Tensor
    squares: Tensor | None


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(run: _Run, value: Tensor, slopes: Tensor, *tensors: Tensor | None) -> Tensor:
        return run.forward(value, slopes, _paired(tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.run, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        run, tensors = ctx.run, ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, *_differentiable(run, tensors, grad)
        value, slopes, *rest = tensors
        to_value, to_slopes, grads = run.backward(value, slopes, _paired(rest), grad, ctx.needs_input_grad[1:3])
        return None, to_value, to_slopes, *(g for pair in grads for g in pair)

    @staticmethod
    def vmap(info: Any, in_dims: Any, run: _Run, *tensors: Tensor | None) -> Any:
        return torch.vmap(run.plain, in_dims[1:])(*tensors), 0


def _differentiable(run: _Run, tensors: Sequence[Tensor | None], grad: Tensor) -> Iterator[Tensor | None]:
    """Gradients as functions that can be differentiated again, also inside torch.func."""
    present = [i for i, t in enumerate(tensors) if t is not None]

    def plain(*given: Tensor) -> Tensor:
        filled: list[Tensor | None] = [None] * len(tensors)
        for i, t in zip(present, given, strict=True):
            filled[i] = t
        return run.plain(*filled)

    pulled = iter(torch.func.vjp(plain, *(tensors[i] for i in present))[1](grad))
    return (None if t is None else next(pulled) for t in tensors)


def _paired(tensors: Iterable[Tensor | None]) -> Weights:
    """Weight and bias of each layer."""
    each = list(tensors)
    return [(weight, bias) for weight, bias in zip(each[::2], each[1::2], strict=True) if weight is not None]


def _add_sum(total: Tensor | None, rows: Tensor) -> None:
    if total is not None:
        total.add_(rows.sum(0))
