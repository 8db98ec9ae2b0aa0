"""A network whose every point has parameters of its own, so that one reverse pass yields the Jacobian.

Row i of a pointwise quantity depends on the network at point i only. Give each point its own copy of the parameters
(a view: nothing is stored n times); then the gradient of the sum over the points, taken in the copies, holds row i of
the Jacobian at copy i. All kernels evaluate such a network as they evaluate any other.
"""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .channels import Channels, StackedChannels
from .layout import Layout
from .rules import propagate


@final
class PerPoint:
    """A module evaluated with separate parameters at each of n points.

    Args:
        module: maps rows to rows.
        n: number of points of every evaluation.

    Attributes:
        module: the copy; parts without parameters are shared.
        leaves: (n, *shape) one per parameter of `module` that is trained, in its order; differentiate in these.

    Notes:
        Linear layers pass channels by one tall product and write the outer products of their rows on the way back. Any
        other layer with parameters of its own runs under `torch.vmap`.
    """

    def __init__(self, module: nn.Module, n: int) -> None:
        self._n = n
        self._leaves: dict[int, Tensor] = {}
        self.module = self._copied(module)
        self.leaves = [self._leaf(p) for p in module.parameters() if p.requires_grad]

    def _leaf(self, parameter: Tensor) -> Tensor:
        if id(parameter) not in self._leaves:  # a parameter that several layers share gets one copy
            leaf = parameter.detach().expand(self._n, *parameter.shape)
            self._leaves[id(parameter)] = leaf.requires_grad_(parameter.requires_grad)
        return self._leaves[id(parameter)]

    def _copied(self, module: nn.Module) -> nn.Module:
        if next(module.parameters(), None) is None:
            return module
        own = dict(module.named_parameters(recurse=False))
        if type(module) is nn.Linear:
            return _Linear(self._leaf(module.weight), None if module.bias is None else self._leaf(module.bias))
        if own and type(module).forward is not nn.Module.forward:
            return _Mapped(module, {name: self._leaf(p) for name, p in module.named_parameters()})
        clone = copy.copy(module)
        # A mere holder of parameters; a number of its own meets columns (n, 1).
        clone._parameters = {name: _at_least_column(self._leaf(p)) for name, p in own.items()}  # type: ignore[misc]
        clone._modules = {
            name: None if child is None else self._copied(child) for name, child in module._modules.items()
        }
        return clone


def _at_least_column(leaf: Tensor) -> Tensor:
    return leaf[:, None] if leaf.ndim == 1 else leaf


@final
class _Linear(nn.Module):
    """A linear layer with weights (n, out, in) and biases (n, out)."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        """Return the image of x (n, in); can be differentiated any number of times."""
        out = torch.einsum("ni,noi->no", x, self.weight)
        return out if self.bias is None else out + self.bias


@final
class _Mapped(nn.Module):
    """Any layer, each point with its own parameters."""

    def __init__(self, layer: nn.Module, leaves: dict[str, Tensor]) -> None:
        super().__init__()
        self.layer, self.leaves = layer, leaves

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's values at x (n, d)."""

        def at_one_point(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
            value: Tensor = torch.func.functional_call(self.layer, parameters, (row[None],))
            return value[0]

        values: Tensor = torch.vmap(at_one_point)(self.leaves, x)
        return values


@final
class _Rule(nn.Module):
    """A layer's propagation rule as a module, so that parameters can be put into it."""

    def __init__(self, layer: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.layer, self._layout = layer, layout

    def forward(self, data: Tensor) -> Tensor:
        return propagate(self.layer, StackedChannels(self._layout, data)).stacked()


@propagate.register
def _linear(layer: _Linear, channels: Channels) -> Channels:
    return StackedChannels(channels.layout, _LinearFunction.apply(channels.stacked(), layer.weight, layer.bias))


@propagate.register
def _mapped(layer: _Mapped, channels: Channels) -> Channels:
    rule = _Rule(layer.layer, channels.layout)
    leaves = {f"layer.{name}": leaf for name, leaf in layer.leaves.items()}

    def at_one_point(parameters: dict[str, Tensor], data: Tensor) -> Tensor:
        value: Tensor = torch.func.functional_call(rule, parameters, (data[:, None],))
        return value[:, 0]

    return StackedChannels(channels.layout, torch.vmap(at_one_point, (0, 1), 1)(leaves, channels.stacked()))


class _LinearFunction(torch.autograd.Function):
    """Channels (C, n, in) through weights that are equal at all points, and their gradient point by point."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(data, weight)
        out = functional.linear(data, weight[0])
        if bias is not None:
            out[0] += bias
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        data, weight = ctx.saved_tensors
        wants_data, wants_weight, wants_bias = ctx.needs_input_grad
        return (
            grad @ weight[0] if wants_data else None,
            torch.einsum("cno,cni->noi", grad, data) if wants_weight else None,
            grad[0] if wants_bias else None,
        )
