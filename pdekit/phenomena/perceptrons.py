"""Loss and gradient of stacked perceptrons in one go, some models at a time, in memory that serves every step.

Autograd takes all models through a layer before the next one: then memory is the limit, and for small networks its graph
costs more than the arithmetic. Here a group of models passes all layers, forth and back, while its values lie in the
processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn

from ..kernels.functions import derivatives
from ..nn import Dilation, Elementwise, Scaling, Tanh
from ..nn.combined import fan_out
from ..nn.stacked import Stacked, StackedLinear
from .losses import Misfit

Function = Callable[[Tensor], Tensor]

_GROUP_BYTES = 3 << 19
"""What a group may take up: most of a core's second-level cache, of which 2 MB are common."""


@final
@dataclass(frozen=True)
class Evaluation:
    """What one pass found: the sum of all losses, which has a graph, the losses (S,) and the outputs (S, n, m)."""

    total: Tensor
    losses: Tensor
    outputs: Tensor


@final
@dataclass(frozen=True, eq=False)
class Perceptrons:
    """S networks linear, activation, linear, ..., linear, with the misfit they are trained by.

    Args:
        scalings: fixed maps of the coordinates ahead of the first layer.
        layers: one more than functions.
        functions: elementwise.
        misfit: compares outputs with targets.
    """

    scalings: tuple[nn.Module, ...]
    layers: tuple[StackedLinear, ...]
    functions: tuple[Function, ...]
    misfit: Misfit
    _memory: dict[tuple[str, int], Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, network: nn.Module, misfit: Misfit) -> Perceptrons | None:
        """The parts of a stack of perceptrons; None for any other network."""
        modules = _flat(network.body) if isinstance(network, Stacked) else []
        start = next((i for i, m in enumerate(modules) if not isinstance(m, Scaling | Dilation)), 0)
        layers, between = modules[start::2], modules[start + 1 :: 2]
        linear = tuple(m for m in layers if isinstance(m, StackedLinear))
        functions = tuple(m.function for m in between if isinstance(m, Elementwise) and fan_out(m.function) == 1)
        if len(linear) < len(layers) or len(functions) < len(between) or len(linear) != len(functions) + 1:
            return None
        if not all(p.requires_grad for layer in linear for p in layer.parameters()):
            return None
        return cls(tuple(modules[:start]), linear, functions, misfit)

    def evaluate(self, x: Tensor, y: Tensor) -> Evaluation:
        """Losses at points x, (n, d) or (S, n, d), with targets y, (n, ...) or (S, n, ...)."""
        for scaling in self.scalings:
            x = scaling(x)
        parameters = [p for layer in self.layers for p in layer.parameters()]
        return Evaluation(*_WithGradient.apply(self, x, y, *parameters))

    @torch.no_grad()
    def losses_outputs_gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Losses (S,), outputs (S, n, m), and the gradients of the losses for all parameters in order."""
        gradients = [torch.empty_like(p) for layer in self.layers for p in layer.parameters()]
        count = self.layers[0].weight.shape[0]
        size = self._group_size(x)
        own_y = x.ndim == 3 or y.ndim == 3
        losses, outputs = [], []
        for start in range(0, count, size):
            group = slice(start, min(start + size, count))
            points = x[group] if x.ndim == 3 else x.expand(group.stop - group.start, *x.shape)
            slices = _slices(self.layers, gradients, group)
            loss, output = self._pass(points, y[group] if own_y else y, slices, size)
            losses.append(loss)
            outputs.append(output)
        return _joined(losses), _joined(outputs), gradients

    def _group_size(self, x: Tensor) -> int:
        """How many models go together, in groups of about equal size."""
        widths = [layer.weight.shape[-1] for layer in self.layers]
        kept = sum(widths) + max(widths) + sum(w for w, f in zip(widths, self.functions, strict=False) if not _alone(f))
        count, each = self.layers[0].weight.shape[0], x.shape[-2] * kept * x.element_size()
        groups = 1 if x.is_cuda else min(count, max(1, round(count * each / _GROUP_BYTES)))
        return math.ceil(count / groups)

    def _pass(self, x: Tensor, y: Tensor, layers: list[_Slice], size: int) -> tuple[Tensor, Tensor]:
        """Losses and outputs of a group; writes its gradients."""

        def room(name: str, number: int, width: int) -> Tensor:
            shape = (size, x.shape[1], width)
            found = self._memory.get((name, number))
            if found is None or found.shape != shape or found.dtype != x.dtype:
                found = self._memory[name, number] = x.new_empty(shape)
            return found[: len(x)]

        values, arguments = [x], []
        for number, (layer, function) in enumerate(zip(layers, self.functions, strict=False)):
            z = layer.affine(values[-1], room("argument", number, layer.weight.shape[-1]))
            arguments.append(z)
            values.append(torch.tanh(z, out=z) if _alone(function) else function(z))
        output = layers[-1].affine(values[-1], torch.empty(0, dtype=x.dtype, device=x.device))
        losses, slope = self.misfit.with_gradient(output, y)
        for number in reversed(range(len(layers))):
            layer, value = layers[number], values[number]
            layer.write_gradient(value, slope)
            if number:
                below = room("slope", number, value.shape[-1])
                torch.bmm(slope, layer.weight.mT, out=below)
                slope = _through(self.functions[number - 1], arguments[number - 1], value, below)
        return losses, output


@final
@dataclass(frozen=True)
class _Slice:
    """A layer of some models, and where its gradient goes."""

    weight: Tensor
    bias: Tensor | None
    weight_gradient: Tensor
    bias_gradient: Tensor | None

    def affine(self, x: Tensor, out: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(x, self.weight, out=out)
        return torch.baddbmm(self.bias, x, self.weight, out=out)

    def write_gradient(self, x: Tensor, slope: Tensor) -> None:
        if slope.shape[-1] == 1:  # a product of rows, which lie in memory as they are read
            torch.bmm(slope.mT, x, out=self.weight_gradient.mT)
        else:
            torch.bmm(x.mT, slope, out=self.weight_gradient)
        if self.bias_gradient is not None:
            torch.sum(slope, 1, keepdim=True, out=self.bias_gradient)


class _WithGradient(torch.autograd.Function):
    """The sum of losses, with its gradient computed on the way forth."""

    @staticmethod
    def forward(
        ctx: Any, models: Perceptrons, x: Tensor, y: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        losses, outputs, gradients = models.losses_outputs_gradients(x, y)
        ctx.gradients = gradients
        ctx.mark_non_differentiable(losses, outputs)
        return losses.sum(), losses, outputs

    @staticmethod
    def backward(ctx: Any, total: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, ()  # let go of, so that they become .grad without a copy
        unchanged = not total.is_cuda and float(total) == 1.0
        return None, None, None, *(g if unchanged else g * total for g in gradients)


def _alone(function: Function) -> bool:
    """Whether the function's value suffices for its derivative, so that it may overwrite its argument."""
    return isinstance(function, Tanh)


def _through(function: Function, z: Tensor, value: Tensor, slope: Tensor) -> Tensor:
    """slope * f'(z), in place."""
    if _alone(function):
        torch.ops.aten.tanh_backward.grad_input(slope, value, grad_input=slope)
        return slope
    return slope.mul_(derivatives(function, z, 1, value)[1])


def _slices(layers: tuple[StackedLinear, ...], gradients: list[Tensor], group: slice) -> list[_Slice]:
    left = iter(gradients)
    result = []
    for layer in layers:
        weight, weight_gradient = layer.weight[group], next(left)[group]
        if layer.bias is None:
            result.append(_Slice(weight, None, weight_gradient, None))
        else:
            result.append(_Slice(weight, layer.bias[group], weight_gradient, next(left)[group]))
    return result


def _flat(module: nn.Module) -> list[nn.Module]:
    return [m for child in module for m in _flat(child)] if isinstance(module, nn.Sequential) else [module]


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
