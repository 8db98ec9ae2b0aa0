"""The frame of a network: what the problem, not the architecture, decides about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch

from ..checks import integer
from ..errors import ConfigError, DtypeError, ShapeError


@final
@dataclass(frozen=True)
class Frame:
    """The box a network's coordinates come from, how many components it returns, and in which numbers.

    Args:
        lower: lower bounds of the box, one per coordinate.
        upper: upper bounds, above the lower ones.
        outputs: number of components m.
        dtype: element type of the parameters.

    Raises:
        ShapeError: not as many lower as upper bounds.
        ConfigError: no coordinates, bounds that are not finite or not in order, or no components.
        DtypeError: not a floating-point type.

    >>> Frame((0.0, 0.0), (1.0, 2.0), 1, torch.float64).inputs
    2
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outputs: int
    dtype: torch.dtype

    def __post_init__(self) -> None:
        if len(self.lower) != len(self.upper):
            raise ShapeError(
                f"Frame: got {len(self.lower)} lower and {len(self.upper)} upper bounds; give one of each per coordinate"
            )
        if not self.lower:
            raise ConfigError("Frame: got no bounds, expected one of each per coordinate; try (0.0,), (1.0,)")
        for axis, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ConfigError(f"Frame: got bounds ({low}, {high}) on axis {axis}, expected lower < upper, finite")
        integer("Frame", "outputs", self.outputs)
        if not (isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point):
            raise DtypeError(f"Frame.dtype: got {self.dtype!r}, expected a floating-point type; try torch.float64")

    @property
    def inputs(self) -> int:
        """Number of coordinates d."""
        return len(self.lower)
