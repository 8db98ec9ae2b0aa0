"""Clocks to measure solves by, and a stopwatch that stands still while instruments measure."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import final


@final
class Clock(Enum):
    """What counts as time."""

    WALL = "wall"
    """Seconds that pass; what waits for a busy machine pays for it."""
    PROCESSOR = "processor"
    """Seconds of the processor, of this process and of the finished ones that it started: for busy machines, and for one
    thread, since several threads add up."""

    def read(self) -> float:
        """Seconds since some moment in the past."""
        if self is Clock.WALL:
            return time.perf_counter()
        children = os.times()  # finer than its hundredths of a second is only this process's own
        return time.process_time() + children.children_user + children.children_system


@final
class Stopwatch:
    """Seconds since its start, without those in which it was stopped.

    Args:
        clock: what it reads.
    """

    def __init__(self, clock: Clock = Clock.WALL) -> None:
        self._clock = clock
        self._before, self._since = 0.0, clock.read()
        self._depth = 0  # of stops within stops

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._before if self._depth else self._before + self._clock.read() - self._since

    def read(self) -> float:
        """The same as a function, for what takes a clock."""
        return self.seconds

    def add(self, seconds: float) -> None:
        """Count seconds that passed elsewhere."""
        self._before += seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within it no time passes."""
        self._before, self._depth = self.seconds, self._depth + 1
        try:
            yield
        finally:
            self._depth -= 1
            self._since = self._clock.read()
