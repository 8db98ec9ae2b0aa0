"""What an operator cost, what a case costs with it and without, and how many cases repay it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

_LEAST: Final = 0.05
"""Seconds that a measurement takes at least."""
_REPEATS: Final = 3


@final
@dataclass(frozen=True)
class Costs:
    """Seconds.

    Args:
        data: processor time that the training data took.
        train: wall time of the training.
        case: of one case by the operator, among many.
        classical: of one case by the family's classical solver on the same grid, among many; None where there is none.
    """

    data: float
    train: float
    case: float
    classical: float | None = None

    @property
    def break_even(self) -> int | None:
        """Cases from which on data and training have been cheaper than classical solves; None if never, or unknown."""
        if self.classical is None or self.classical <= self.case:
            return None
        return 1 + int((self.data + self.train) / (self.classical - self.case))


def seconds_per_case(work: Callable[[], object], cases: int) -> float:
    """Wall seconds for each of the cases that a call works through: the best of three, each of 0.05 s at least."""
    best, calls = float("inf"), 1
    for _ in range(_REPEATS):
        while True:
            began = time.perf_counter()
            for _ in range(calls):
                work()
            elapsed = time.perf_counter() - began
            if elapsed >= _LEAST:
                break
            calls = 2 * calls if elapsed <= 0.0 else max(calls + 1, int(calls * 1.2 * _LEAST / elapsed))
        best = min(best, elapsed / calls)
    return best / cases
