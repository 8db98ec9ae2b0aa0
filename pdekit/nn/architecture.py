"""Network configurations: frozen values that build torch modules from a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

import torch
from torch import nn

from .activations import Activation, Tanh
from .initialisation import Glorot, Initialisation
from .layers import Network, Residual, Scaling
from .stack import Stack, check_positive, check_shape


class Architecture(Protocol):
    """A network's configuration."""

    def build(
        self,
        inputs: int,
        outputs: int,
        *,
        lower: Sequence[float],
        upper: Sequence[float],
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> nn.Module:
        """Build the network on the CPU; the same generator state gives the same weights.

        Args:
            inputs: number of coordinates d.
            outputs: number of components m.
            lower: lower bounds of the domain; with `upper` they scale the inputs to [-1, 1].
            upper: upper bounds of the domain.
            generator: source of all random numbers.
            dtype: element type of the parameters.
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

    def build(
        self,
        inputs: int,
        outputs: int,
        *,
        lower: Sequence[float],
        upper: Sequence[float],
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        check_positive("MLP.build", inputs=inputs, outputs=outputs)
        stack = Stack(self.width, self.activation, self.init, generator, dtype)
        body = nn.Sequential(Scaling(lower, upper, dtype), *stack.perceptron(inputs, outputs, self.depth))
        return Network(f"MLP {inputs}-{self.width}x{self.depth}-{outputs}", inputs, outputs, body)


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

    def build(
        self,
        inputs: int,
        outputs: int,
        *,
        lower: Sequence[float],
        upper: Sequence[float],
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        check_positive("ResNet.build", inputs=inputs, outputs=outputs)
        stack = Stack(self.width, self.activation, self.init, generator, dtype)
        layers: list[nn.Module] = [Scaling(lower, upper, dtype), stack.coordinates(inputs)]
        for _ in range(self.depth):
            layers.append(Residual(nn.Sequential(*stack.hidden(self.width), *stack.hidden(self.width))))
        layers.append(stack.last(self.width, outputs))
        name = f"ResNet {inputs}-{self.width}x{self.depth}-{outputs}"
        return Network(name, inputs, outputs, nn.Sequential(*layers))
