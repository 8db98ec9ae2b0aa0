"""Propagation rules of the layers in `pdekit.nn.frequency_layers`."""

from __future__ import annotations

from torch.nn import functional

from ..nn import Modulation, Parts, SharedBody, Slope, Waves
from .channels import Channels, StackedChannels, added, joined, multiplied
from .rules import propagate


@propagate.register
def _slope(layer: Slope, channels: Channels) -> Channels:
    factor = layer.factor
    return channels.mapped(lambda z: factor * z)


@propagate.register
def _waves(layer: Waves, channels: Channels) -> Channels:
    return channels.mapped(lambda z: functional.linear(z, layer.vectors))


@propagate.register
def _shared_body(layer: SharedBody, channels: Channels) -> Channels:
    return joined([propagate(layer.body, propagate(entry, channels)) for entry in layer.entries])


@propagate.register
def _modulation(layer: Modulation, channels: Channels) -> Channels:
    carrier, envelope = propagate(layer.carrier, channels).stacked(), propagate(layer.envelope, channels)
    components = envelope.stacked().shape[-1] // carrier.shape[-1]
    repeated = StackedChannels(channels.layout, carrier.repeat_interleave(components, -1))
    return multiplied(repeated, envelope).mapped(lambda z: z.unflatten(-1, (-1, components)).sum(-2))


@propagate.register
def _parts(layer: Parts, channels: Channels) -> Channels:
    return added([propagate(part, channels) for part in layer.parts.values()])
