"""Propagation rules of many networks at once; between their layers the points of one network follow those of another."""

from __future__ import annotations

from ..errors import NotApplicableError
from ..nn.stacked import Stacked, StackedLinear
from .channels import AffineChannels, Channels, StackedChannels
from .rules import propagate


@propagate.register
def _stacked(layer: Stacked, channels: Channels) -> Channels:
    if not isinstance(channels, AffineChannels):
        raise NotApplicableError("Stacked: got derivatives of an inner layer, expected the coordinates; put it first")
    data = propagate(layer.body, channels).stacked()
    return StackedChannels(channels.layout, data.unflatten(1, (layer.count, len(channels.value))))


@propagate.register
def _stacked_linear(layer: StackedLinear, channels: Channels) -> Channels:
    data, count = channels.stacked(), len(layer.weight)
    each = data[:, None] if isinstance(channels, AffineChannels) else data.unflatten(1, (count, -1))
    product = each @ layer.weight  # (C, S, n, w)
    if layer.bias is not None:
        product[0].add_(layer.bias)
    return StackedChannels(channels.layout, product.flatten(1, 2))
