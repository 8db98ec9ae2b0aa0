"""How channels pass through each kind of layer; `propagate.register` adds a rule for your own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import NotApplicableError, ShapeError
from ..nn import (
    Concatenation,
    Dilation,
    Elementwise,
    HardConstraint,
    Monomials,
    Network,
    ReLU,
    Residual,
    Scaling,
    Sum,
    Tanh,
)
from .chain import chain_of, chained
from .channels import AffineChannels, Channels, StackedChannels, added, joined, multiplied
from .elementwise import composed
from .functions import Power, has_closed_form
from .plan import Axes
from .record import Recorder


@singledispatch
def propagate(layer: nn.Module, channels: Channels) -> Channels:
    """Return the channels of layer(z) from the channels of z.

    Raises:
        NotApplicableError: the layer's type has no rule.
    """
    raise NotApplicableError(
        f"forward propagation: got a layer of type {type(layer).__name__}, expected one with a rule; add one with "
        "propagate.register or use ReverseKernel()"
    )


def has_rule(layer: nn.Module) -> bool:
    """Whether channels can pass through `layer` and all that is in it."""
    rule = propagate.dispatch(type(layer))
    if rule is propagate.dispatch(nn.Module):
        return False
    if isinstance(layer, HardConstraint):  # its other parts may be anything, see `_part`
        return has_rule(layer.network)
    return all(has_rule(part) for part in _parts(layer))


def _parts(layer: nn.Module) -> Iterator[nn.Module]:
    for child in layer.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from child.children()
        else:
            yield child


def has_closed_forms(layer: nn.Module) -> bool:
    """Whether channels pass through `layer` without any nested autograd."""
    if isinstance(layer, Elementwise) and not has_closed_form(layer.function):
        return False
    if propagate.dispatch(type(layer)) in (_torch_elementwise, propagate.dispatch(nn.Module)):
        return False
    return all(has_closed_forms(part) for part in _parts(layer))


def by_autograd(module: nn.Module, channels: Channels) -> Channels:
    """Return the channels of any module, by nested autograd along the coordinates; exact, but as slow as that is."""
    layout, stacked = channels.layout, channels.stacked()
    positions = {axis: i for i, axis in enumerate(layout.axes)}
    origin = stacked.new_zeros(stacked.shape[1], len(positions))

    def monomial(step: Tensor, axes: Axes) -> Tensor:
        factors = [step[:, positions[axis], None] for axis in axes]
        return math.prod(factors[1:], start=factors[0]) / math.prod(math.factorial(axes.count(a)) for a in set(axes))

    def taylor(step: Tensor, rows: dict[Axes, int]) -> Tensor:
        return sum((monomial(step, axes) * stacked[row] for axes, row in rows.items() if axes), stacked[0])

    # The derivatives of module(z(x)) are those of module(z's Taylor polynomial) at the point of expansion.
    source = Recorder(lambda step: module(taylor(step, layout.rows)), origin)
    rows = [source.partial(tuple(positions[axis] for axis in axes)) for axes in layout.indices]
    if layout.collapsed:
        # Of the second derivatives only their sum counts here: put it all on the first axis.
        first: dict[Axes, int] = {axes: row for axes, row in layout.rows.items() if len(axes) == 1}
        second: dict[Axes, int] = {(layout.collapsed[0],) * 2: len(layout.indices)}
        source = Recorder(lambda step: module(taylor(step, first | second)), origin)
        rows.append(source.laplacian(tuple(positions[axis] for axis in layout.collapsed)))
    return StackedChannels(layout, torch.stack(rows))


@propagate.register
def _network(layer: Network, channels: Channels) -> Channels:
    if isinstance(channels, AffineChannels):
        layer.check(channels.value)
    return propagate(layer.body, channels)


@propagate.register
def _sequential(layer: nn.Sequential, channels: Channels) -> Channels:
    children = list(layer)
    for i, child in enumerate(children):
        if isinstance(channels, AffineChannels) and channels.workspace is not None and channels.layout.order <= 2:
            chain = chain_of(children[i:])
            if chain is not None and chain.linears[0].in_features == channels.value.shape[-1]:
                return chained(chain, channels, channels.workspace)
        channels = propagate(child, channels)
    return channels


@propagate.register
def _identity(layer: nn.Identity, channels: Channels) -> Channels:
    return channels


@propagate.register
def _linear(layer: nn.Linear, channels: Channels) -> Channels:
    width = channels.value.shape[-1] if isinstance(channels, AffineChannels) else channels.data.shape[-1]
    if width != layer.in_features:
        raise ShapeError(f"Linear layer: got input of width {width}, expected {layer.in_features}; match the widths")
    return channels.mapped(lambda z: functional.linear(z, layer.weight), layer.bias)


@propagate.register
def _scaling(layer: Scaling, channels: Channels) -> Channels:
    if isinstance(channels, AffineChannels):
        return AffineChannels(
            channels.layout, layer(channels.value), channels.slopes / layer.radius, channels.workspace
        )
    return channels.mapped(lambda z: z / layer.radius, -layer.centre / layer.radius)


@propagate.register
def _dilation(layer: Dilation, channels: Channels) -> Channels:
    return channels.mapped(lambda z: layer.factor * z)


@propagate.register
def _elementwise(layer: Elementwise, channels: Channels) -> Channels:
    return composed(layer.function, channels)


@propagate.register
def _tanh(layer: nn.Tanh, channels: Channels) -> Channels:
    return composed(Tanh(), channels)


@propagate.register
def _relu(layer: nn.ReLU, channels: Channels) -> Channels:
    return composed(ReLU(), channels)


@propagate.register(nn.Sigmoid)
@propagate.register(nn.SiLU)
@propagate.register(nn.GELU)
@propagate.register(nn.Softplus)
def _torch_elementwise(layer: nn.Module, channels: Channels) -> Channels:
    return composed(layer, channels)


@propagate.register
def _residual(layer: Residual, channels: Channels) -> Channels:
    return added([channels, propagate(layer.body, channels)])


@propagate.register
def _sum(layer: Sum, channels: Channels) -> Channels:
    return added([propagate(part, channels) for part in layer.parts])


@propagate.register
def _concatenation(layer: Concatenation, channels: Channels) -> Channels:
    return joined([propagate(part, channels) for part in layer.parts])


@propagate.register
def _hard_constraint(layer: HardConstraint, channels: Channels) -> Channels:
    free = multiplied(_part(layer.distance, channels), propagate(layer.network, channels))
    return free if layer.lift is None else added([_part(layer.lift, channels), free])


def _part(module: nn.Module, channels: Channels) -> Channels:
    return propagate(module, channels) if has_rule(module) else by_autograd(module, channels)


@propagate.register
def _monomials(layer: Monomials, channels: Channels) -> Channels:
    columns = []
    for axis, exponents in enumerate(layer.exponents.unbind(1)):
        powers = [composed(Power(k), _column(channels, axis)).data for k in range(layer.degree + 1)]
        columns.append(StackedChannels(channels.layout, torch.cat(powers, -1)[..., exponents]))
    product: Channels = columns[0]
    for column in columns[1:]:
        product = multiplied(product, column)
    return product


def _column(channels: Channels, axis: int) -> Channels:
    return channels.mapped(lambda z: z[..., axis : axis + 1])
