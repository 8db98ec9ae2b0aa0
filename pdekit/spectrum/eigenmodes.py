"""Eigenfunctions of the Laplacian on an interval, by what holds at its two ends; products of them serve boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import final

import numpy as np

from ..errors import ConfigError
from ._arrays import Array


@final
class Ends(Enum):
    """What eigenfunctions do at the lower and the upper end of an interval."""

    FIXED = "fixed"
    """u = 0 at both: sines."""
    FREE = "free"
    """u' = 0 at both: cosines, the constant among them."""
    FIXED_FREE = "fixed-free"
    """u = 0 at the lower end, u' = 0 at the upper one: sines of odd quarter waves."""
    FREE_FIXED = "free-fixed"
    """The same mirrored: cosines of odd quarter waves."""
    PERIODIC = "periodic"
    """The constant, then a sine and a cosine for every whole number of periods."""

    @staticmethod
    def of(lower_fixed: bool, upper_fixed: bool) -> Ends:
        """The kind by whether u = 0 at each end."""
        kinds = {(True, True): Ends.FIXED, (False, False): Ends.FREE, (True, False): Ends.FIXED_FREE}
        return kinds.get((lower_fixed, upper_fixed), Ends.FREE_FIXED)


@final
@dataclass(frozen=True)
class AxisModes:
    """The first `count` eigenfunctions of -u'' = k^2 u on an interval, orthonormal in L2, by rising k.

    e_j(x) = c_j sin(k_j (x - lower) + phase_j), c_j = sqrt(2/L), and sqrt(1/L) for the constant.

    Args:
        lower, upper: ends of the interval.
        count: number of functions.
        ends: what they do at the ends.

    >>> AxisModes(0.0, math.pi, 3).wavenumbers.tolist()
    [1.0, 2.0, 3.0]
    """

    lower: float
    upper: float
    count: int
    ends: Ends = Ends.FIXED

    def __post_init__(self) -> None:
        if self.count < 1 or not self.lower < self.upper:
            raise ConfigError(
                f"AxisModes: got {self.count} modes on ({self.lower}, {self.upper}), expected at least one, lower < upper"
            )

    @cached_property
    def wavenumbers(self) -> Array:
        """k_j (count,), in radians per unit of length."""
        j, length = np.arange(self.count), self.upper - self.lower
        match self.ends:
            case Ends.FIXED:
                halves = j + 1.0
            case Ends.FREE:
                halves = j + 0.0
            case Ends.PERIODIC:
                halves = 2.0 * ((j + 1) // 2)
            case _:
                halves = j + 0.5
        return halves * (math.pi / length)

    def values(self, x: Array) -> Array:
        """e_j at x (n,), as (n, count)."""
        return self._amplitudes * np.sin(self._angles(x))

    def slopes(self, x: Array) -> Array:
        """e_j' at x (n,), as (n, count)."""
        return self._amplitudes * self.wavenumbers * np.cos(self._angles(x))

    def _angles(self, x: Array) -> Array:
        return np.outer(x - self.lower, self.wavenumbers) + self._phases

    @cached_property
    def _phases(self) -> Array:
        match self.ends:
            case Ends.FREE | Ends.FREE_FIXED:
                return np.full(self.count, math.pi / 2)
            case Ends.PERIODIC:
                return np.where(np.arange(self.count) % 2 == 0, math.pi / 2, 0.0)
            case _:
                return np.zeros(self.count)

    @cached_property
    def _amplitudes(self) -> Array:
        return np.sqrt(np.where(self.wavenumbers > 0, 2.0, 1.0) / (self.upper - self.lower))

    def rule(self, nodes: int) -> tuple[Array, Array]:
        """Nodes and weights that integrate products of such functions: Gauss-Legendre, equidistant if periodic.

        Notes: n >= 1.7 M + 4 nodes leave an error of at most 1e-3 in the products of the first M functions, and round-off
        in all but the fastest of them: Gauss-Legendre needs pi/2 nodes per half wave of M, and a few to pass the transition.
        """
        length = self.upper - self.lower
        if self.ends is Ends.PERIODIC:
            return self.lower + length * (np.arange(nodes) + 0.5) / nodes, np.full(nodes, length / nodes)
        from scipy.special import roots_legendre

        x, weight = roots_legendre(nodes)
        return self.lower + length * (x + 1.0) / 2.0, weight * length / 2.0


def resolved_modes(nodes: int) -> int:
    """How many eigenfunctions `AxisModes.rule` with so many nodes tells apart."""
    return max(1, math.floor((nodes - 4) / 1.7))
