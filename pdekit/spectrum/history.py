"""Histories of errors by band or mode, and when each converged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from ..checks import integer
from ..errors import ConfigError, ShapeError
from ._arrays import Array, as_real


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


def settled_at(steps: ArrayLike, errors: ArrayLike, threshold: float, hold: int = 50) -> Array:
    """The first recorded step from which on each error is below `threshold` for `hold` records in a row; inf if none is.

    This is the T_k(tau) of the frequency principle, by which the order of convergence is judged while a training goes
    on: unlike `converged_at` it does not ask for the rest of the run, which may end in noise.

    Args:
        steps: (T,) step numbers.
        errors: (T, ...), e.g. of a `DeltaF.each`.
        threshold: tau.
        hold: how many records; 1 for the first passage.

    Returns:
        One step number for each error, (...).

    Notes:
        Exact to the recording interval, which the meaning of `hold` depends on too. Good values: 0.1 and 50 with every
        step recorded.

    Reference: book, section 4.1.3.

    >>> settled_at([0, 10, 20, 30], [[1.0, 0.1], [0.1, 1.0], [0.1, 0.1], [1.0, 1.0]], 0.2, hold=2).tolist()
    [10.0, inf]
    """
    at = as_real("steps", steps)
    table = np.asarray(errors, dtype=float)
    integer("settled_at", "hold", hold)
    as_real("threshold", threshold)
    if at.ndim != 1 or table.shape[:1] != at.shape:
        raise ShapeError(
            f"settled_at: got {at.shape} steps and errors of shape {table.shape}, expected (T,) and (T, ...)"
        )
    # NaN is not below. A window of `hold` records is below throughout if it holds that many.
    counts = np.cumsum(np.concatenate([np.zeros((1, *table.shape[1:]), dtype=int), table < threshold]), axis=0)
    held = counts[hold:] - counts[:-hold] == hold
    if not len(held):
        return np.full(table.shape[1:], np.inf)
    return np.where(held.any(axis=0), at[held.argmax(axis=0)], np.inf)
