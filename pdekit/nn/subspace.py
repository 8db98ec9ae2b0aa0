"""Subspace decomposition: a sum of networks, one for each scale of the solution, that can be looked at one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import final

import torch
from torch import nn

from ..errors import ConfigError
from .architecture import MLP, Architecture
from .frequency_layers import Parts
from .layers import HardConstraint, Network
from .multiscale import Multiscale
from .stack import check_positive


@final
@dataclass(frozen=True)
class Part:
    """One part of a `Subspace` network.

    Args:
        name: what it is called; an identifier.
        network: its architecture.
    """

    name: str
    network: Architecture

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"Part.name: got {self.name!r}, expected a name of letters, digits and _; try 'smooth'")


def _default_parts() -> tuple[Part, ...]:
    rapid = tuple(math.pi * 2.0**k for k in range(2, 6))
    return Part("smooth", MLP(20, 2)), Part("oscillating", Multiscale(20, 2, rapid))


@final
@dataclass(frozen=True)
class Subspace:
    """SD2DNN: u = smooth part + oscillating parts, each a network of its own.

    Args:
        parts: from smooth to rapid; the first one carries the lift of hard conditions.

    Raises:
        ConfigError: no parts, or two of the same name.

    Notes: the sum alone does not say which part holds what: separate their scales, and train with an orthogonality
        penalty.
    Reference: Li, Xu, Zhang 2023, doi:10.1016/j.jcp.2023.112242; book, section 5.1.2, figure 5.4.
    """

    parts: tuple[Part, ...] = field(default_factory=_default_parts)

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if not names:
            raise ConfigError("Subspace.parts: got none, expected at least one; try (Part('smooth', MLP(20, 2)),)")
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"Subspace.parts: got the name {name!r} twice, expected different names; rename one")

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
        check_positive("Subspace.build", inputs=inputs, outputs=outputs)
        built = {
            part.name: part.network.build(inputs, outputs, lower=lower, upper=upper, generator=generator, dtype=dtype)
            for part in self.parts
        }
        return Network(f"Subspace {inputs}-{'+'.join(built)}-{outputs}", inputs, outputs, Parts(built))


@singledispatch
def parts_of(network: nn.Module) -> Mapping[str, nn.Module]:
    """The named parts whose sum is the network, weights shared with it; empty where it has none."""
    return {}


@parts_of.register
def _parts(network: Parts) -> Mapping[str, nn.Module]:
    return {name: part for name, part in network.parts.items()}


@parts_of.register
def _network(network: Network) -> Mapping[str, nn.Module]:
    return parts_of(network.body)


@parts_of.register
def _hard_constraint(network: HardConstraint) -> Mapping[str, nn.Module]:
    lift, parts = network.lift, {}
    for name, part in parts_of(network.network).items():
        parts[name] = HardConstraint(part, network.distance, lift)
        lift = None  # the first part has it
    return parts
