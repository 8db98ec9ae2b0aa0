"""The fully connected layers that architectures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from ..errors import ConfigError
from .activations import Activation, Elementwise
from .combined import Adaptive, check_width, fan_out
from .frequency_layers import Slope
from .initialisation import Initialisation, Site, linear
from .layers import Concatenation, Dilation


@final
@dataclass(frozen=True, eq=False)
class Stack:
    """Draws the layers of one network in order.

    Args:
        width: units per hidden layer, behind the activation.
        activation: the function between layers.
        init: law of the weights.
        generator: source of all random numbers.
        dtype: element type.
    """

    width: int
    activation: Activation
    init: Initialisation
    generator: torch.Generator
    dtype: torch.dtype

    def hidden(self, inputs: int) -> list[nn.Module]:
        """A hidden layer with its activation, reading `inputs` units."""
        return [self._linear(inputs, self._units), *activated(self.activation, self._units, self.dtype)]

    def first(self, inputs: int, factors: Sequence[float] = ()) -> list[nn.Module]:
        """The hidden layer that reads the coordinates, with its activation.

        Args:
            inputs: number of coordinates.
            factors: each equal group of units reads the coordinates times one of these; none for 1.
        """
        layers: list[nn.Module] = []
        for group, factor in enumerate(factors or (1.0,)):
            count = len(range(group, self._units, max(len(factors), 1)))
            layer = self._linear(inputs, count, first=True, factor=factor)
            layers.append(nn.Sequential(_dilation(factor, self.dtype), layer) if factors else layer)
        joined = layers[0] if len(layers) == 1 else Concatenation(*layers)
        return [joined, *activated(self.activation, self._units, self.dtype)]

    def coordinates(self, inputs: int) -> nn.Module:
        """A linear map of the coordinates to the full width, without activation."""
        return self._linear(inputs, self.width, first=True)

    def last(self, inputs: int, outputs: int, *, biased: bool = True) -> nn.Module:
        """The layer that yields the output."""
        site = Site(inputs, outputs, self.width, False, self.activation, last=True)
        return linear(site, self.init, self.generator, self.dtype, biased=biased)

    def perceptron(
        self, inputs: int, outputs: int, depth: int, factors: Sequence[float] = (), *, biased: bool = True
    ) -> list[nn.Module]:
        """`depth` hidden layers, of which the first reads the coordinates, and the last layer, with biases or without."""
        layers = self.first(inputs, factors)
        for _ in range(depth - 1):
            layers += self.hidden(self.width)
        return [*layers, self.last(self.width, outputs, biased=biased)]

    @property
    def _units(self) -> int:
        """What linear layers return: `width` before the activation."""
        return self.width // fan_out(self.activation)

    def _linear(self, inputs: int, outputs: int, *, first: bool = False, factor: float = 1.0) -> nn.Linear:
        site = Site(inputs, outputs, self.width, first, self.activation, factor=factor)
        return linear(site, self.init, self.generator, self.dtype)


def _dilation(factor: float, dtype: torch.dtype) -> Dilation:
    return Dilation(torch.tensor(factor, dtype=torch.float64).to(dtype))


def activated(function: Activation, units: int, dtype: torch.dtype) -> list[nn.Module]:
    """The layers that apply a function to `units` units, with trained slopes where it has some."""
    if not isinstance(function, Adaptive):
        return [Elementwise(function)]
    return [Slope(units if function.per_unit else 1, function.gain, dtype), Elementwise(function.function)]


def check_shape(owner: str, width: int, depth: int, activation: Activation) -> None:
    """Raise ConfigError unless layers of that width and number can be built."""
    check_positive(owner, width=width, depth=depth)
    check_width(owner, width, activation)


def check_positive(owner: str, **values: int) -> None:
    """Raise ConfigError for the first value that is not a positive integer."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{owner}.{name}: got {value!r}, expected a positive integer; try 32")
