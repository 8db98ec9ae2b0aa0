"""Propagation rule of networks whose last layer is computed by another network."""

from __future__ import annotations

from torch.nn import functional

from ..nn.deeponet import LinearCombination
from .channels import Channels
from .rules import propagate


@propagate.register
def _linear_combination(layer: LinearCombination, channels: Channels) -> Channels:
    return channels.mapped(lambda z: functional.linear(z, layer.weight), layer.bias)
