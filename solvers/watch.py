"""Watch: what a hybrid measures while its network trains and its relaxation sweeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from ..discrete import Grid, Relaxed
from ..recipe import Probe
from ..record import Record
from ..spectrum import DeltaF
from .forecast import PREDICTED, Forecast
from .iterative import delta_columns, grid_values


@final
@dataclass(frozen=True, eq=False)
class Watch:
    """Measures grid values against the discrete solution.

    Args:
        grid: where values live.
        target: the discrete solution.
        delta: Delta_F of its peaks, or None.
    """

    grid: Grid
    target: np.ndarray
    delta: DeltaF | None

    def columns(self, values: np.ndarray) -> dict[str, float]:
        """Largest error and Delta_F of grid values, by column name."""
        found = {"max_error": float(np.abs(values - self.target).max())}
        return found if self.delta is None else found | delta_columns(self.delta, values)

    def probe(
        self,
        function: Callable[[Tensor], Tensor],
        completed: Callable[[np.ndarray], np.ndarray],
        forecast: Forecast,
        every: int,
        keep: list[np.ndarray] | None = None,
    ) -> Probe:
        """A probe of a network in training.

        Args:
            function: the network.
            completed: from its values on the grid to those of the whole solution.
            forecast: tells the sweeps still needed.
            every: steps between measurements.
            keep: where to put the values measured, if they are wanted afterwards.
        """

        def measure() -> Mapping[str, float]:
            values = completed(grid_values(function, self.grid))
            if keep is not None:
                keep.append(values)
            return {PREDICTED: float(forecast.sweeps(values))} | self.columns(values)

        return Probe("hybrid", every, measure)


def sweeps_into(record: Record, relaxed: Relaxed, cycle: int, step: int, sweeps: int, seconds: float) -> None:
    """Append a relaxation to a hybrid's history, after `sweeps` and `seconds` already spent."""
    for sample in relaxed.history:
        row = {"cycle": cycle, "step": step, "sweeps": sweeps + sample.sweep, "seconds": seconds + sample.seconds}
        record.append(row | {"max_error": sample.error} | dict(sample.probed))
