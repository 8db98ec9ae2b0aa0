"""At which steps of a training the history gets a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from ..checks import integer


class Records(Protocol):
    """A choice of steps."""

    def steps(self, total: int) -> tuple[int, ...]:
        """The steps to record of a training of `total` steps, in order, 0 and `total` among them."""
        ...


@final
@dataclass(frozen=True)
class Periodic:
    """Every so many steps."""

    every: int = 10

    def __post_init__(self) -> None:
        integer("Periodic", "every", self.every)

    def steps(self, total: int) -> tuple[int, ...]:
        """0, every, 2 every, ..., total."""
        return tuple(sorted({*range(0, total, self.every), total}))


@final
@dataclass(frozen=True)
class LogSpaced:
    """About `count` steps whose ratios are equal, as a logarithmic axis shows them."""

    count: int = 100

    def __post_init__(self) -> None:
        integer("LogSpaced", "count", self.count, low=2)

    def steps(self, total: int) -> tuple[int, ...]:
        """0, 1, ..., total; fewer than `count`, since small steps coincide when rounded.

        >>> LogSpaced(5).steps(100)
        (0, 1, 3, 10, 32, 100)
        """
        return tuple(sorted({0, *np.geomspace(1, total, self.count).round().astype(int).tolist()}))
