"""Network configurations: frozen values that build torch modules from a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, final

import torch
from torch import nn

from ..errors import ConfigError
from .activations import Activation, Elementwise, Tanh
from .initialisation import Glorot, Initialisation, Site, linear
from .layers import Network, Residual, Scaling


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
        check_positive("MLP", width=self.width, depth=self.depth)

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
        widths = [inputs, *[self.width] * self.depth, outputs]
        layers: list[nn.Module] = [Scaling(lower, upper, dtype)]
        for i, (before, after) in enumerate(pairwise(widths)):
            site = Site(before, after, self.width, i == 0, self.activation, last=i == self.depth)
            layers += [linear(site, self.init, generator, dtype), Elementwise(self.activation)]
        return Network(
            f"MLP {inputs}-{self.width}x{self.depth}-{outputs}", inputs, outputs, nn.Sequential(*layers[:-1])
        )


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
        check_positive("ResNet", width=self.width, depth=self.depth)

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

        def layer(before: int, after: int, *, first: bool = False, last: bool = False) -> nn.Linear:
            return linear(Site(before, after, self.width, first, self.activation, last), self.init, generator, dtype)

        layers: list[nn.Module] = [Scaling(lower, upper, dtype), layer(inputs, self.width, first=True)]
        for _ in range(self.depth):
            halves = [(layer(self.width, self.width), Elementwise(self.activation)) for _ in range(2)]
            layers.append(Residual(nn.Sequential(*halves[0], *halves[1])))
        layers.append(layer(self.width, outputs, last=True))
        name = f"ResNet {inputs}-{self.width}x{self.depth}-{outputs}"
        return Network(name, inputs, outputs, nn.Sequential(*layers))


def check_positive(owner: str, **values: int) -> None:
    """Raise ConfigError for the first value that is not a positive integer."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{owner}.{name}: got {value!r}, expected a positive integer; try 32")
