"""Comparison: what came of solvers that were given the same problem and the same time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..report import plain
from .classical import Classical
from .run import TOLERANCES, Fate, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, eq=False)
class Standing:
    """One solver's runs.

    Args:
        label: what tables call it.
        runs: one for each seed; failed ones count, as infinitely bad.
        absent: why it did not run at all; empty if it did.
    """

    label: str
    runs: tuple[Run, ...]
    absent: str = ""

    @property
    def failures(self) -> tuple[Run, ...]:
        """The runs that came to no answer."""
        return tuple(run for run in self.runs if run.failed)

    @property
    def median(self) -> float:
        """Median relative L2 error over the seeds."""
        return self._over_seeds([run.error for run in self.runs])

    @property
    def worst(self) -> float:
        """Largest error over the seeds; infinite if a run failed."""
        errors = [run.error for run in self.runs]
        return math.nan if not errors or any(math.isnan(e) for e in errors) else max(errors)

    @property
    def typical(self) -> Run | None:
        """The run whose error is the median, or next above it; None if none came to an answer."""
        answered = sorted((run for run in self.runs if not run.failed), key=lambda run: run.error)
        return answered[min(len(self.runs) // 2, len(answered) - 1)] if answered else None

    def time_to(self, tolerance: float) -> float:
        """Median over the seeds of the seconds to an error; infinite if half of them never came to it."""
        return self._over_seeds([run.time_to(tolerance) for run in self.runs])

    def number(self, key: str) -> float:
        """Median of a number over the runs that have it; NaN if none has."""
        values = [value for run in self.runs if not math.isnan(value := run.number(key))]
        return statistics.median(values) if values else math.nan

    @property
    def verdicts(self) -> dict[str, int]:
        """How often each outcome came: "trusted", flags such as "not converged", "failed"."""
        counts: dict[str, int] = {}
        for run in self.runs:
            for verdict in _verdict(run):
                counts[verdict] = counts.get(verdict, 0) + 1
        return counts

    def bands(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Edges (B + 1,) of the frequency bands and the relative error (B,) in each, of the typical run."""
        table = None if self.typical is None else self.typical.record.get("bands")
        if table is None or table["kind"] != "error":
            return None
        return np.array(table["edges"]), np.array(table["relative"])

    @staticmethod
    def _over_seeds(values: Sequence[float]) -> float:
        if not values or any(math.isnan(value) for value in values):
            return math.nan
        # The upper of two middle values: an even number of seeds must not average a time with one that never came.
        return statistics.median_high(values)

    def plain(self) -> dict[str, Any]:
        """The same as plain data; None where a number is infinite or unknown."""
        return {
            "solver": self.label,
            "absent": self.absent or None,
            "seeds": [run.seed for run in self.runs],
            "failures": [
                {"seed": run.seed, "fate": run.fate.value, "message": run.record["message"]} for run in self.failures
            ],
            "error_median": self.median,
            "error_worst": self.worst,
            "seconds_to": {f"{tolerance:.0e}": self.time_to(tolerance) for tolerance in TOLERANCES},
            "seconds": self.number("seconds"),
            "estimate": self.number("estimate"),
            "verdicts": self.verdicts,
            "parameters": self.number("parameters"),
            "points": self.number("points"),
            "steps": self.number("steps"),
            "mebibytes": self.number("mebibytes"),
            "runs": [{key: value for key, value in run.record.items() if key != "field"} for run in self.runs],
        }


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Solvers beside each other, beside the classical ones and the best constant.

    Args:
        problem: name and parameters.
        terms: seconds, threads, clock, device and dtype that all had.
        seeds: of the runs.
        standings: one for each solver, in the order asked for.
        classical: what the classical solvers reach; None where no reference is known.
        trivial: relative L2 error of the best constant; None where no reference is known.
        environment: machine and versions.
    """

    problem: Mapping[str, Any]
    terms: Mapping[str, Any]
    seeds: tuple[int, ...]
    standings: tuple[Standing, ...]
    classical: Classical | None
    trivial: float | None
    environment: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether a run came to an answer."""
        return any(not run.failed for standing in self.standings for run in standing.runs)

    @property
    def success(self) -> bool:
        """Whether runs were made and none failed; solvers that do not apply do not count."""
        return self.finished and not any(standing.failures for standing in self.standings)

    @property
    def best(self) -> Standing | None:
        """The solver with the smallest median error."""
        known = [standing for standing in self.standings if math.isfinite(standing.median)]
        return min(known, key=lambda standing: standing.median, default=None)

    def __getitem__(self, label: str) -> Standing:
        """The standing of a solver."""
        return next(standing for standing in self.standings if standing.label == label)

    def __str__(self) -> str:
        """The table for terminals."""
        return self.table()

    def table(self, markdown: bool = False) -> str:
        """The results as text, or as Markdown."""
        from .table import as_markdown, as_text

        return as_markdown(self) if markdown else as_text(self)

    def to_csv(self) -> str:
        """One line for each solver, the classical one and the best constant; numbers in full."""
        from .table import as_csv

        return as_csv(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the fields, as plain data that strict JSON can hold."""
        best = self.best
        table: dict[str, Any] = plain(
            {
                "problem": self.problem,
                "terms": self.terms,
                "seeds": list(self.seeds),
                "success": self.success,
                "best": None if best is None else best.label,
                "standings": [standing.plain() for standing in self.standings],
                "classical": None if self.classical is None else self.classical.plain(),
                "trivial": self.trivial,
                "environment": self.environment,
            }
        )
        return table

    def plot(self) -> dict[str, Figure]:
        """Figures by name: error against time, work and precision, bands, fields; those that there are data for."""
        from .figures import figures

        return figures(self)


def _verdict(run: Run) -> list[str]:
    if run.failed:
        return ["failed" if run.fate is Fate.FAILED else run.fate.value]
    flags = [str(flag).replace("_", " ") for flag in run.record.get("flags") or []]
    return [flag for flag in flags if flag != "reference unresolved"] or ["trusted"]
