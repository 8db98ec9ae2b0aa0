"""Activations made of others: trainable slopes, groups of units, and pairs of cosine and sine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import real
from ..errors import ConfigError
from .activations import Activation, Tanh


@final
@dataclass(frozen=True)
class CosineSine:
    """z to s [cos z, sin z]: doubles the number of units, so that linear layers before it have half the width.

    Args:
        amplitude: s, in (0, 1].

    Good values: 0.5.
    Reference: Li, Xu, Zhang 2023, Subspace decomposition based DNN, doi:10.1016/j.jcp.2023.112242; book, section 5.1.2.
    """

    amplitude: float = 0.5
    smoothness = math.inf

    def __post_init__(self) -> None:
        real("CosineSine", "amplitude", self.amplitude, low=0.0, high=1.0)

    def __call__(self, z: Tensor) -> Tensor:
        """Return all cosines, then all sines, (..., 2 w)."""
        return self.amplitude * torch.cat([torch.cos(z), torch.sin(z)], -1)


@final
@dataclass(frozen=True)
class Adaptive:
    """f(n a z) with trained slopes a, starting at n a = 1.

    Args:
        function: f.
        per_unit: one slope for each unit instead of one per layer.
        gain: n; slopes move n times as fast.

    Good values: gain 1 to 10.
    Reference: Jagtap, Kawaguchi, Karniadakis 2020, doi:10.1016/j.jcp.2019.109136 and (per unit)
    doi:10.1098/rspa.2020.0334; book, section 5.4.
    """

    function: Activation = field(default_factory=Tanh)
    per_unit: bool = False
    gain: float = 1.0

    def __post_init__(self) -> None:
        real("Adaptive", "gain", self.gain, low=0.0)
        if isinstance(self.function, Adaptive):
            raise ConfigError("Adaptive.function: got another Adaptive, expected the function itself; nest them once")

    @property
    def smoothness(self) -> float:
        """That of the function."""
        return self.function.smoothness

    def __call__(self, z: Tensor) -> Tensor:
        """Return f(z), the function at its initial slope; `activated` builds the layers that train it."""
        return self.function(z)


@final
@dataclass(frozen=True)
class Mixed:
    """Different functions for equal groups of units, in the order given.

    Args:
        functions: one per group; elementwise and without trained slopes.

    Reference: Jagtap, Shin, Kawaguchi, Karniadakis 2022, doi:10.1016/j.neucom.2021.10.036; book, section 5.4.
    """

    functions: tuple[Activation, ...] = ()

    def __post_init__(self) -> None:
        for function in self.functions:
            if isinstance(function, CosineSine | Adaptive | Mixed):
                raise ConfigError(f"Mixed.functions: got {function!r}, expected elementwise functions such as Tanh()")
        if not self.functions:
            raise ConfigError("Mixed.functions: got none, expected at least one; try (Tanh(), Sine())")

    @property
    def smoothness(self) -> float:
        """That of the least smooth function."""
        return min(function.smoothness for function in self.functions)

    def groups(self, z: Tensor) -> tuple[Tensor, ...]:
        """The units of each function, along the last axis."""
        return torch.tensor_split(z, len(self.functions), -1)

    def __call__(self, z: Tensor) -> Tensor:
        """Return each function of its group of units."""
        return torch.cat([function(part) for function, part in zip(self.functions, self.groups(z), strict=True)], -1)


def fan_out(function: Activation) -> int:
    """How many units the function makes of one."""
    match function:
        case CosineSine():
            return 2
        case Adaptive():
            return fan_out(function.function)
    return 1


def check_width(owner: str, width: int, function: Activation) -> None:
    """Raise ConfigError unless a layer of `width` units can have this activation."""
    if width % fan_out(function):
        raise ConfigError(f"{owner}.width: got {width}, expected an even number for {function!r}; try {width + 1}")
    if isinstance(function, Mixed) and width < len(function.functions):
        raise ConfigError(
            f"{owner}.width: got {width}, expected at least {len(function.functions)}, one unit for each of {function!r}"
        )
