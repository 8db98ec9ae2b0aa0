"""Network configurations: frozen values that build torch modules from a generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, final

import torch
from torch import nn

from .activations import Activation, Tanh
from .frame import Frame
from .initialisation import Glorot, Initialisation
from .layers import Network, Residual, Scaling
from .stack import Stack, check_shape


class Architecture(Protocol):
    """A network's configuration."""

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; the same generator state gives the same weights.

        Args:
            frame: coordinates, components and element type; coordinates in its box are scaled to [-1, 1].
            generator: source of all random numbers.
        """
        ...


@final
@dataclass(frozen=True)
class MLP:
    """A fully connected network: `depth` hidden layers of `width` units.

    Args:
        width: units per hidden layer.
        depth: number of hidden layers.
        activation: the function between layers.
        init: law of the initial weights.

    Raises:
        ConfigError: width or depth is not a positive integer.

    Good values: width 20 to 64, depth 2 to 5.
    """

    width: int = 64
    depth: int = 4
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)

    def __post_init__(self) -> None:
        check_shape("MLP", self.width, self.depth, self.activation)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        body = nn.Sequential(Scaling(frame), *stack.perceptron(frame.inputs, frame.outputs, self.depth))
        return Network("MLP", f"{self.width}x{self.depth}", frame, body)


@final
@dataclass(frozen=True)
class ResNet:
    """A residual network: `depth` blocks x + s(W2 s(W1 x + b1) + b2).

    Args:
        width: units per layer.
        depth: number of blocks, two layers each.
        activation: the function s.
        init: law of the initial weights.

    Raises:
        ConfigError: width or depth is not a positive integer.

    Good values: width 10 to 64, depth 3 or 4.
    Reference: E and Yu 2018, The Deep Ritz method, doi:10.1007/s40304-018-0127-z.
    """

    width: int = 32
    depth: int = 3
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)

    def __post_init__(self) -> None:
        check_shape("ResNet", self.width, self.depth, self.activation)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        layers: list[nn.Module] = [Scaling(frame), stack.coordinates(frame.inputs)]
        for _ in range(self.depth):
            layers.append(Residual(nn.Sequential(*stack.hidden(self.width), *stack.hidden(self.width))))
        layers.append(stack.last(self.width, frame.outputs))
        return Network("ResNet", f"{self.width}x{self.depth}", frame, nn.Sequential(*layers))
