"""Run: what became of one solver with one seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, final

import numpy as np

from ..trace import ERROR, SECONDS

TOLERANCES = tuple(10.0**-k for k in range(1, 9))
"""Relative L2 errors whose times are told."""


@final
class Fate(Enum):
    """How a run ended."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    """Training left the finite numbers."""
    NOT_FINITE = "not finite"
    """The answer holds NaN or infinity."""
    FAILED = "failed"
    """An error, or a process that died or did not end."""


@final
@dataclass(frozen=True, eq=False)
class Run:
    """One run, as its file has it.

    Args:
        record: plain data: solver, seed, digest, fate, message, error, seconds, trace, bands, estimate, ...
    """

    record: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """Of its random numbers."""
        return int(self.record["seed"])

    @property
    def fate(self) -> Fate:
        """How it ended."""
        return Fate(self.record["fate"])

    @property
    def failed(self) -> bool:
        """Whether it came to no answer."""
        return self.fate is not Fate.FINISHED

    @property
    def error(self) -> float:
        """Relative L2 error of the answer: infinite for a failed run, NaN where no reference is known."""
        if self.failed:
            return math.inf
        found = self.record.get("error")
        return math.nan if found is None else float(found)

    @property
    def seconds(self) -> float:
        """Of the whole solve; infinite for a failed run."""
        return math.inf if self.failed else float(self.record["seconds"])

    @property
    def trace(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds and the errors then, (n,) each."""
        table = self.record.get("trace") or {SECONDS: [], ERROR: []}
        seconds, errors = (np.array([math.nan if v is None else v for v in table[key]]) for key in (SECONDS, ERROR))
        return seconds, errors

    def time_to(self, tolerance: float) -> float:
        """Seconds after which the error first was at most the tolerance; infinite if it never was, or the run failed."""
        seconds, errors = self.trace
        within = errors <= tolerance
        return float(seconds[int(within.argmax())]) if within.any() and not self.failed else math.inf

    def number(self, key: str) -> float:
        """A number of the record; NaN where there is none."""
        value = self.record.get(key)
        return math.nan if value is None else float(value)
