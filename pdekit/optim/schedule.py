"""Learning-rate schedules: pure functions of the step within a phase."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, final

from ..checks import integer, real


class Schedule(Protocol):
    """Multiplies the learning rate."""

    def factor(self, step: int, total: int) -> float:
        """Return the multiplier for update `step` (from 0) of a phase of `total` steps."""


@final
@dataclass(frozen=True)
class Constant:
    """factor = 1."""

    def factor(self, step: int, total: int) -> float:
        """Return 1."""
        return 1.0


@final
@dataclass(frozen=True)
class Exponential:
    """factor = decay ** (step / every), continuously.

    Args:
        decay: the factor reached after `every` steps, in (0, 1].
        every: steps.

    Good values: decay 0.9 every 1,000-2,000 steps.
    """

    decay: float = 0.9
    every: int = 1000

    def __post_init__(self) -> None:
        real("Exponential", "decay", self.decay, low=0.0, high=1.0)
        integer("Exponential", "every", self.every)

    def factor(self, step: int, total: int) -> float:
        """Return decay ** (step / every)."""
        return float(self.decay ** (step / self.every))


@final
@dataclass(frozen=True)
class Cosine:
    """factor = final + (1 - final) (1 + cos(pi step / total)) / 2.

    Args:
        final: the factor at the end of the phase, in [0, 1].
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        real("Cosine", "final", self.final, low=0.0, high=1.0, open_low=False)

    def factor(self, step: int, total: int) -> float:
        """Return the half-cosine between 1 and `final`."""
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * min(step / total, 1.0)))


@final
@dataclass(frozen=True)
class Warmup:
    """Linear rise over the first steps, then another schedule over the rest.

    Args:
        steps: length of the rise; the first factor is 1 / steps.
        then: the schedule that follows; it counts from the end of the rise.
    """

    steps: int
    then: Schedule = field(default_factory=Constant)

    def __post_init__(self) -> None:
        integer("Warmup", "steps", self.steps)

    def factor(self, step: int, total: int) -> float:
        """Return (step + 1) / steps during the rise."""
        if step < self.steps:
            return (step + 1) / self.steps
        return self.then.factor(step - self.steps, max(total - self.steps, 1))
