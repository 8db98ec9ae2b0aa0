"""Histories of errors by band or mode, and when each converged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConfigError, ShapeError
from ._arrays import as_real


@final
@dataclass(frozen=True)
class BandHistory:
    """Errors of B bands (or modes) at S recorded steps.

    Args:
        steps: S rising step numbers.
        errors: S rows of B errors, e.g. `Bands.relative` or a `DeltaF`.
        labels: B names.
    """

    steps: tuple[int, ...] = ()
    errors: tuple[tuple[float, ...], ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the rows fit."""
        widths = {len(row) for row in self.errors} | ({len(self.labels)} if self.labels else set())
        if len(self.steps) != len(self.errors) or len(widths) > 1:
            raise ShapeError(
                f"BandHistory: got {len(self.steps)} steps, {len(self.errors)} rows of widths {sorted(widths)}, "
                "expected one row for each step, all of one width"
            )
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ConfigError(f"BandHistory: got steps {self.steps}, expected rising ones; record each step once")

    def appended(self, step: int, errors: Sequence[float] | np.ndarray) -> BandHistory:
        """The history with one more row."""
        row = tuple(float(value) for value in errors)
        return BandHistory((*self.steps, int(step)), (*self.errors, row), self.labels)

    def converged_at(self, threshold: float) -> tuple[int | None, ...]:
        """For each band the step when it converged; see `converged_at`."""
        return converged_at(self.steps, self.errors, threshold)


def converged_at(steps: Sequence[int], errors: ArrayLike, threshold: float) -> tuple[int | None, ...]:
    """The first recorded step from which on each error stays below `threshold`; None if the last is not below.

    Args:
        steps: S step numbers.
        errors: (S, B).
        threshold: relative error that counts as converged.

    Notes:
        Exact to the recording interval. Good values: 0.2 for the order in which a network learns frequencies (the
        book's figures), the tolerance itself for a solver.

    >>> converged_at([0, 10, 20], [[1.0, 1.0], [0.1, 0.1], [0.05, 0.3]], 0.2)
    (10, None)
    """
    table = np.asarray(errors, dtype=float).reshape(len(steps), -1) if len(steps) else np.zeros((0, 0))
    as_real("threshold", threshold)
    # NaN (a step without measurement of a band) is not below, so it never counts as converged.
    stays = np.logical_and.accumulate((table < threshold)[::-1])[::-1]
    return tuple(int(steps[int(column.argmax())]) if column.any() else None for column in stays.T)
