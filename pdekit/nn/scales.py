"""Scales: the angular frequencies, in coordinates scaled to [-1, 1], that a multiscale network is built for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final, runtime_checkable

from ..checks import integer, real
from ..errors import ConfigError


@final
@dataclass(frozen=True)
class Auto:
    """Scales to be read off the problem before training; see `pdekit.scales.recommend_scales`.

    Args:
        floor: a band of frequencies counts if it holds this share of the solution's slope.
        most: how many scales at most, the strongest first.

    Good values: `floor` from 0.01 to 0.1.
    """

    floor: float = 0.03
    most: int = 8

    def __post_init__(self) -> None:
        real("Auto", "floor", self.floor, low=0.0, high=1.0)
        integer("Auto", "most", self.most)


@final
@dataclass(frozen=True)
class Scales:
    """Scales that were chosen for a problem, with the reason for each.

    Args:
        values: scale a stands for angular frequencies near a in coordinates scaled to [-1, 1], where 1 is smooth.
        why: one sentence for each.
    """

    values: tuple[float, ...]
    why: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_scales("Scales", self.values)
        if self.why and len(self.why) != len(self.values):
            raise ConfigError(
                f"Scales.why: got {len(self.why)} reasons for {len(self.values)} scales; give one for each"
            )

    def __str__(self) -> str:
        reasons = self.why or ("as given",) * len(self.values)
        return "; ".join(f"{value:.3g} ({why})" for value, why in zip(self.values, reasons, strict=True))


ScaleChoice: TypeAlias = tuple[float, ...] | Auto | Scales
"""What architectures take as `scales`: numbers, numbers with reasons, or the wish to have them chosen."""


@runtime_checkable
class Scaled(Protocol):
    """An architecture built for several scales."""

    @property
    def scales(self) -> ScaleChoice:
        """Its scales, known or to be chosen."""


def highest_scale(network: object) -> float:
    """The highest scale an architecture is built for; 0 where it has none, or none yet."""
    if not isinstance(network, Scaled) or isinstance(network.scales, Auto):
        return 0.0
    return max(scale_values(type(network).__name__, network.scales))


def check_scales(owner: str, scales: ScaleChoice) -> None:
    """Raise ConfigError, for constructors, if there are no scales or one is no positive finite number."""
    if isinstance(scales, Auto | Scales):
        return
    if isinstance(scales, str) or not isinstance(scales, Sequence):
        kind = type(scales).__name__
        raise ConfigError(
            f"{owner}.scales: got {scales!r} ({kind}), expected a tuple of numbers; try (1, 2, 4) or Auto()"
        )
    if not scales:
        raise ConfigError(f"{owner}.scales: got none, expected at least one; try (1,) or Auto()")
    for i, scale in enumerate(scales):
        number = isinstance(scale, int | float) and not isinstance(scale, bool)
        if not (number and math.isfinite(scale) and scale > 0):
            kind = type(scale).__name__
            raise ConfigError(
                f"{owner}.scales[{i}]: got {scale!r} ({kind}), expected a positive finite number; try (1, 2, 4)"
            )


def scale_values(owner: str, scales: ScaleChoice) -> tuple[float, ...]:
    """The numbers, for building a network.

    Raises:
        ConfigError: they are still to be chosen.
    """
    if isinstance(scales, Auto):
        raise ConfigError(
            f"{owner}.scales: got Auto(), expected numbers to build with; take recommend_scales(problem), as solvers do"
        )
    return scales.values if isinstance(scales, Scales) else tuple(float(scale) for scale in scales)
