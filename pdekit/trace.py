"""ErrorTrace: the error of a solve against time, measured while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import final

import torch
from torch import Tensor

from .checks import real
from .domain import Points
from .problem import Problem
from .recipe import SHORTEST, Budget, Probe
from .record import Record
from .sampling import Sobol, interior_points
from .stopwatch import Clock, Stopwatch
from .trust.accuracy import accuracy

SECONDS = "seconds"
ERROR = "rel_l2"

_POINTS = 4096
_SEED = 90_001  # of the held-out points: no solver's
_FIRST = 0.02  # seconds until the first measurement
_GROWTH = 1.05  # of the time between measurements: times to a tolerance are known to 5 %


@final
class ErrorTrace:
    """Relative L2 error on held-out points against the seconds of a solve, on a clock that stands still meanwhile.

    Hand one to `solve(..., trace=trace)`: the whole solve then has `seconds` at most, building included, and the trace's
    record says how large the error was when. The assessment that follows a solve is not part of it.

    Args:
        problem: what is solved; without a reference only time is kept.
        seconds: what the solve may take, or None.
        clock: what counts as time.
        measured: whether errors are measured on the way; else there is time only, and the error at the end.

    Raises:
        ConfigError: seconds that are not positive.

    Notes: solvers without steps have one row, their end. Measurements are spaced by 5 % of the time that has passed.
    """

    def __init__(
        self, problem: Problem, seconds: float | None = None, clock: Clock = Clock.WALL, *, measured: bool = True
    ) -> None:
        if seconds is not None:
            real("ErrorTrace", "seconds", seconds, low=0.0)
        self.record = Record()
        self.budget = seconds
        self.points = held_out(problem)
        reference = problem.reference()
        self.reference: Tensor | None = None if reference is None else reference(self.points.x)
        self.clock, self.measured = clock, measured
        self._next = _FIRST
        self.watch = Stopwatch(clock)

    def start(self) -> None:
        """Set the clock to zero."""
        self.record, self._next = Record(), _FIRST
        self.watch = Stopwatch(self.clock)

    def left(self, budget: Budget) -> Budget:
        """A budget, with at most the seconds that are left."""
        if self.budget is None:
            return budget
        left = max(self.budget - self.watch.seconds, SHORTEST)
        return Budget(budget.steps, left if budget.seconds is None else min(left, budget.seconds))

    def stopped(self) -> AbstractContextManager[None]:
        """Within it the clock stands still: for instruments."""
        return self.watch.stopped()

    @property
    def due(self) -> bool:
        """Whether it is time to measure again."""
        return self.measured and self.reference is not None and self.watch.seconds >= self._next

    def measure(self, function: Callable[[Tensor], Tensor]) -> Mapping[str, float]:
        """Keep the error that a function (n, d) -> (n, m) has now; return it by name."""
        with self.stopped():
            now = self.watch.seconds
            self._next = max(now, _FIRST) * _GROWTH
            error = self.error(function)
            self.record.append({SECONDS: now, ERROR: error})
            return {ERROR: error}

    def add(self, columns: Mapping[str, Sequence[float]], seconds: float) -> None:
        """Append what another process measured, whose clock began at zero when ours stood where it stands, and its seconds."""
        now = self.watch.seconds
        for then, error in zip(columns.get(SECONDS, ()), columns.get(ERROR, ()), strict=True):
            self.record.append({SECONDS: now + then, ERROR: error})
        self.watch.add(seconds)

    def error(self, function: Callable[[Tensor], Tensor]) -> float:
        """The relative L2 error of a function; NaN without a reference."""
        if self.reference is None:
            return math.nan
        with torch.no_grad():
            return accuracy(function(self.points.x), self.reference, self.points.weight).rel_l2

    def probe(self, function: Callable[[Tensor], Tensor]) -> Probe:
        """A probe of a function in training, float64 on the CPU outside."""
        return Probe("trace", 1, lambda: self.measure(function), ready=lambda: self.due)


def held_out(problem: Problem, points: int = _POINTS) -> Points:
    """The points that errors are measured at while a solve runs."""
    return interior_points(problem.domain, Sobol(points), torch.Generator().manual_seed(_SEED))
