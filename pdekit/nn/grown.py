"""Networks that have grown: scales added to one that has been trained, without changing what it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .architecture import Architecture
from .frame import Frame
from .layers import Network, Sum
from .scales import Scaled, check_scales, scale_values

_ADDED = "added"


@final
@dataclass(frozen=True)
class Grown:
    """A multiscale network plus one network of its kind for each added scale, whose last layers start at zero.

    Args:
        base: a multiscale architecture, such as `Multiscale` or `FourierBands`.
        added: scales, in the order they came.

    Raises:
        ConfigError: the base has no scales; an added one is not positive and finite.

    Notes: weights of the network before it grew fit by name, and with them the function is what it was.
    """

    base: Architecture
    added: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.base, Scaled):
            raise ConfigError(f"Grown.base: got {type(self.base).__name__}, expected an architecture with scales")
        if self.added:
            check_scales("Grown.added", self.added)

    @property
    def scales(self) -> tuple[float, ...]:
        """Those of the base, then those added."""
        assert isinstance(self.base, Scaled)  # the constructor has seen to it
        return (*scale_values("Grown", self.base.scales), *self.added)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        parts = []
        for scale in (None, *self.added):
            kind = self.base if scale is None else dataclasses.replace(self.base, scales=(scale,))  # type: ignore[type-var]
            part = kind.build(frame, generator)
            if scale is not None:
                _silence(part)
            parts.append(part)
        network = Network("Grown", f"1+{len(self.added)} parts", frame, Sum(*parts))
        network.register_buffer(_ADDED, torch.tensor(self.added, dtype=torch.float64))
        return network


def added_scales(tensors: Mapping[str, Tensor]) -> tuple[float, ...]:
    """The scales added to a grown network, from its stored state."""
    return next((tuple(t.tolist()) for name, t in tensors.items() if not is_weight(name)), ())


def is_weight(name: str) -> bool:
    """Whether an entry of a grown network's state is kept when it grows further: all but the list of added scales."""
    return name.rpartition(".")[2] != _ADDED


def _silence(part: nn.Module) -> None:
    """Set the last layer to zero."""
    last = [module for module in part.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.zero_()
