"""Activation functions: small values that are called on a tensor and know how smooth they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor, nn

from ..errors import ConfigError


class Activation(Protocol):
    """A function of each unit, along the last axis; immutable, without parameters, compared by value."""

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous; one more exists almost everywhere."""
        ...

    def __call__(self, z: Tensor) -> Tensor:
        """Return the function of each element."""
        ...


@final
@dataclass(frozen=True)
class Tanh:
    """tanh z, infinitely smooth: the default for equations."""

    smoothness = math.inf

    def __call__(self, z: Tensor) -> Tensor:
        """Return tanh z."""
        return torch.tanh(z)


@final
@dataclass(frozen=True)
class Sine:
    """sin(frequency z), infinitely smooth.

    Args:
        frequency: factor on the argument, written w0 by Sitzmann et al.

    Good values: 30 for images and signals with the `Siren` law, 1 to 10 for equations.
    Reference: Sitzmann et al. 2020, Implicit neural representations with periodic activation functions,
    doi:10.48550/arXiv.2006.09661; book, section 4.1.1.
    """

    frequency: float = 1.0
    smoothness = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.frequency) and self.frequency > 0):
            raise ConfigError(f"Sine.frequency: got {self.frequency!r}, expected a positive number; try 1.0")

    def __call__(self, z: Tensor) -> Tensor:
        """Return sin(frequency z)."""
        return torch.sin(z if self.frequency == 1.0 else self.frequency * z)


@final
@dataclass(frozen=True)
class ReLU:
    """max(z, 0)^power, with power - 1 continuous derivatives.

    Args:
        power: 1, 2 or 3.

    Notes: power 1 serves energies (first derivatives), 2 and 3 strong forms of second order.
    """

    power: int = 1

    def __post_init__(self) -> None:
        if self.power not in (1, 2, 3):
            raise ConfigError(f"ReLU.power: got {self.power!r}, expected 1, 2 or 3; use Tanh() for a smoother function")

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous."""
        return self.power - 1

    def __call__(self, z: Tensor) -> Tensor:
        """Return max(z, 0)^power."""
        return torch.relu(z) if self.power == 1 else torch.relu(z) ** self.power


@final
@dataclass(frozen=True)
class GELU:
    """z Phi(z), Phi the distribution function of the normal law: a smooth ramp.

    Good values: in networks that map functions, where its half that passes signals unchanged trains faster than tanh.
    Reference: Hendrycks, Gimpel 2016, arXiv:1606.08415.
    """

    smoothness = math.inf

    def __call__(self, z: Tensor) -> Tensor:
        """Return z Phi(z)."""
        return nn.functional.gelu(z)


@final
class Elementwise(nn.Module):
    """The layer that applies an activation to every unit."""

    def __init__(self, function: Activation) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor) -> Tensor:
        """Return the function of each element."""
        return self.function(z)

    def extra_repr(self) -> str:
        """Name the function in the network's printed form."""
        return repr(self.function)
