"""Many networks of one architecture as one module: their parameters share tensors with a leading axis of models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from ..checks import integer
from ..errors import ConfigError, ShapeError
from .activations import Elementwise
from .layers import Concatenation, Dilation, Network, Residual, Scaling, Sum

_LEAVES = (nn.Linear, Elementwise, Scaling, Dilation)
"""Modules with a formula that holds for leading axes too; the linear one gets a weight for each model."""
_CONTAINERS = (nn.Sequential, nn.ModuleList, Residual, Sum, Concatenation)
"""Modules that only pass (..., n, d) on to their children."""


def stack(networks: Sequence[nn.Module]) -> Stacked:
    """Copy networks of one architecture into one module that evaluates them all at once.

    Args:
        networks: S modules that map (n, d) to (n, m) and differ in nothing but the values of parameters and buffers.

    Raises:
        ConfigError: no networks.
        ShapeError: two architectures, naming the first parameter that differs.

    Notes: fully connected and residual networks run as batched matrix products; any other module by `torch.func.vmap`,
        which is slower.

    >>> from pdekit.nn import MLP
    >>> from pdekit.nn.frame import Frame
    >>> frame = Frame((-1.0,), (1.0,), 1, torch.float64)
    >>> stacked = stack([MLP(8, 2).build(frame, torch.Generator().manual_seed(seed)) for seed in range(5)])
    >>> stacked(torch.zeros(3, 1, dtype=torch.float64)).shape
    torch.Size([5, 3, 1])
    """
    if not networks:
        raise ConfigError("stack: networks: got none, expected at least one")
    _check_alike(networks)
    return Stacked(networks)


@final
class Stacked(nn.Module):
    """S networks as one module; `stack` builds it.

    Attributes:
        count: S.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.count = len(networks)
        self._template = (copy.deepcopy(networks[0]),)  # in a tuple, so that its parameters are not this module's
        self.body = _batched(networks) if _can_batch(networks[0]) else _Mapped(networks)

    def forward(self, x: Tensor) -> Tensor:
        """Return all values, (S, n, m), at shared points (n, d) or at points of each network's own, (S, n, d)."""
        if x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[0] != self.count):
            raise ShapeError(
                f"Stacked: got points of shape {tuple(x.shape)}, expected (n, d) or ({self.count}, n, d); "
                "give the same points to all networks or a set to each"
            )
        value: Tensor = self.body(x)
        return value

    def unstack(self, index: int) -> nn.Module:
        """A copy of one network, as it was before stacking but with its present parameters."""
        integer("Stacked", "index", index, low=0)
        if index >= self.count:
            raise ConfigError(f"Stacked: index: got {index}, expected less than {self.count}")
        network = copy.deepcopy(self._template[0])
        with torch.no_grad():
            _copy_out(self.body, network, index)
        return network

    def extra_repr(self) -> str:
        """Say how many networks there are."""
        return f"{self.count} networks"


@final
class StackedLinear(nn.Module):
    """x A_s + b_s for each model s.

    Args:
        layers: S linear layers of one shape.

    Notes: the weight is kept as (S, inputs, outputs), the layout in which its gradient x^T g comes out.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]).contiguous())
        biased = layers[0].bias is not None
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers])) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (S, n, outputs) for x of shape (n, inputs) or (S, n, inputs)."""
        each = x.expand(len(self.weight), *x.shape[-2:])
        return torch.bmm(each, self.weight) if self.bias is None else torch.baddbmm(self.bias, each, self.weight)


@final
class _Mapped(nn.Module):
    """Any module, mapped over the axis of models."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self._template = (copy.deepcopy(networks[0]).to("meta"),)
        trained = {name for name, p in networks[0].named_parameters() if p.requires_grad}
        self._names: dict[str, str] = {}
        for number, name in enumerate(networks[0].state_dict()):
            values = torch.stack([network.state_dict()[name].detach() for network in networks])
            own = f"value{number}"
            self._names[name] = own
            if name in trained:
                self.register_parameter(own, nn.Parameter(values))
            else:
                self.register_buffer(own, values)

    def values(self) -> dict[str, Tensor]:
        """Parameters and buffers (S, ...) by the names that the single network gives them."""
        return {name: getattr(self, own) for name, own in self._names.items()}

    def forward(self, x: Tensor) -> Tensor:
        template = self._template[0]

        def single(values: dict[str, Tensor], points: Tensor) -> Tensor:
            result: Tensor = torch.func.functional_call(template, values, (points,))
            return result

        return torch.func.vmap(single, in_dims=(0, 0 if x.ndim == 3 else None))(self.values(), x)


# From single layers to stacked ones and back --------------------------------------------------------------------------


def _can_batch(module: nn.Module) -> bool:
    if isinstance(module, Network):
        return _can_batch(module.body)
    if isinstance(module, _CONTAINERS):
        return all(_can_batch(child) for child in module.children())
    return isinstance(module, _LEAVES)


def _batched(modules: Sequence[nn.Module]) -> nn.Module:
    first = modules[0]
    if isinstance(first, nn.Linear):
        return StackedLinear([module for module in modules if isinstance(module, nn.Linear)])
    if isinstance(first, Network):
        return _batched([module.body for module in modules if isinstance(module, Network)])
    result = copy.deepcopy(first)
    for name, _ in first.named_children():
        result.add_module(name, _batched([module.get_submodule(name) for module in modules]))
    for name, buffer in first.named_buffers(recurse=False):
        values = [module.get_buffer(name) for module in modules]
        if any(not torch.equal(value, buffer) for value in values):
            # (S, 1, d): one row for all points of a model; a scalar becomes (S, 1, 1).
            setattr(result, name, torch.stack([value.reshape(1, -1) for value in values]))
    return result


def _copy_out(stacked: nn.Module, single: nn.Module, index: int) -> None:
    """Write the values of one model into a network of the same architecture."""
    if isinstance(stacked, _Mapped):
        single.load_state_dict({name: values[index] for name, values in stacked.values().items()})
    elif isinstance(single, Network):
        _copy_out(stacked, single.body, index)
    elif isinstance(stacked, StackedLinear) and isinstance(single, nn.Linear):
        single.weight.copy_(stacked.weight[index].T)
        if stacked.bias is not None:
            single.bias.copy_(stacked.bias[index, 0])
    else:
        for name, buffer in single.named_buffers(recurse=False):
            values = stacked.get_buffer(name)
            buffer.copy_(values if values.shape == buffer.shape else values[index].reshape(buffer.shape))
        for name, child in single.named_children():
            _copy_out(stacked.get_submodule(name), child, index)


def _check_alike(networks: Sequence[nn.Module]) -> None:
    expected = _description(networks[0])
    for number, network in enumerate(networks[1:], start=1):
        found = _description(network)
        for name in [*expected, *found]:
            if expected.get(name) != found.get(name):
                raise ShapeError(
                    f"stack: networks[{number}]: {name or 'type'}: got {found.get(name)}, expected "
                    f"{expected.get(name)} as in networks[0]; stack networks of one architecture"
                )


def _description(network: nn.Module) -> dict[str, str]:
    """What must agree: the kind of each module, and the shape and type of each parameter and buffer, by name."""
    kinds = {name: f"{type(module).__name__} {module.extra_repr()}" for name, module in network.named_modules()}
    return kinds | {name: f"{tuple(v.shape)} of {v.dtype}" for name, v in network.state_dict().items()}
