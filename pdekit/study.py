"""HybridStudy: what a hybrid's four-panel figure shows, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .errors import NonFiniteError, ShapeError

FloatArray = NDArray[np.float64]


@final
class Role(Enum):
    """What a trace shows; the value is its default name in a legend."""

    NETWORK = "network alone"
    RELAXATION = "relaxation alone"
    HYBRID_EARLY = "hybrid, too early"
    HYBRID_AUTO = "hybrid, automatic"
    HYBRID_LATE = "hybrid, too late"


@final
@dataclass(frozen=True, eq=False)
class Trace:
    """Largest error against wall time of one run.

    Args:
        role: what it shows.
        seconds: (n,) wall time since the start of the run, training included.
        max_error: (n,) largest error against the discrete solution at those times; NaN where it was not measured.
        label: name in the legend, the role's by default.
    """

    role: Role
    seconds: FloatArray
    max_error: FloatArray
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.role.value)
        _keep(self, "seconds", ("n",), {})
        _keep(self, "max_error", ("n",), {"n": len(self.seconds)})

    def reached(self, tolerance: float) -> float | None:
        """Seconds after which the error first is at most `tolerance`; None if it never is."""
        below = np.flatnonzero(self.max_error <= tolerance)
        return float(self.seconds[below[0]]) if len(below) else None


@final
@dataclass(frozen=True)
class HandOver:
    """One row of the hand-over table: train for `step` steps, then relax to the tolerance.

    Args:
        step: number M of optimiser steps before the hand-over.
        training_seconds: wall time of those steps.
        sweeps: relaxation sweeps after it.
        relaxation_seconds: wall time of those sweeps.
        automatic: whether the hybrid chose this step itself.
        reached: whether the tolerance was met; if not, the sweeps are those spent in vain.
    """

    step: int
    training_seconds: float
    sweeps: int
    relaxation_seconds: float
    automatic: bool = False
    reached: bool = True

    @property
    def total_seconds(self) -> float:
        """Wall time of training and relaxation together."""
        return self.training_seconds + self.relaxation_seconds


@final
@dataclass(frozen=True, eq=False)
class HybridStudy:
    """Why a hybrid of network and relaxation works: the data of the book's figure 15.1.

    Args:
        x: (n,) coordinates along a section of the grid.
        reference: (n,) discrete solution there.
        wavenumbers: (q,) rising angular wave numbers of the reference's spectrum.
        magnitude: (q,) |u_hat(k)| there.
        peaks: (K,) wave numbers of the watched modes.
        steps: (S,) optimiser steps at which the network was measured.
        delta_network: (S, K) Delta_F of each mode, network alone.
        sweeps: (T,) sweeps at which the relaxation was measured.
        delta_relaxation: (T, K) Delta_F of each mode, relaxation alone.
        traces: error against wall time of the runs compared.
        hand_overs: the hand-over table, by rising step.
        tolerance: the error down to which the runs are compared.
        labels: K names of the modes, "k = ..." by default.
        axis: name of the coordinate x.
        relaxation: name of the relaxation.

    Raises:
        ShapeError: arrays that do not fit together.
        NonFiniteError: NaN or infinity in a coordinate, a reference value, a step or a sweep number.

    Reference: book, section 15.5, figure 15.1.
    """

    x: FloatArray
    reference: FloatArray
    wavenumbers: FloatArray
    magnitude: FloatArray
    peaks: FloatArray
    steps: FloatArray
    delta_network: FloatArray
    sweeps: FloatArray
    delta_relaxation: FloatArray
    traces: tuple[Trace, ...] = ()
    hand_overs: tuple[HandOver, ...] = ()
    tolerance: float | None = None
    labels: tuple[str, ...] = field(default=())
    axis: str = "x"
    relaxation: str = "Jacobi"

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        for name, shape in _SHAPES.items():
            _keep(self, name, shape, sizes)
        for name in ("x", "reference", "wavenumbers", "magnitude", "peaks", "steps", "sweeps"):
            if not np.isfinite(getattr(self, name)).all():
                raise NonFiniteError(
                    f"HybridStudy.{name}: got NaN or infinity, expected finite numbers; drop the entry"
                )
        labels = tuple(self.labels) or tuple(f"k = {k:.3g}" for k in self.peaks)
        if len(labels) != len(self.peaks):
            raise ShapeError(f"HybridStudy.labels: got {len(labels)}, expected {len(self.peaks)}, one for each peak")
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "traces", tuple(self.traces))
        object.__setattr__(self, "hand_overs", tuple(sorted(self.hand_overs, key=lambda row: row.step)))

    @property
    def automatic(self) -> HandOver | None:
        """The row that the hybrid chose itself."""
        return next((row for row in self.hand_overs if row.automatic), None)

    @property
    def best(self) -> HandOver | None:
        """The row with the least wall time among those that met the tolerance."""
        return min((row for row in self.hand_overs if row.reached), key=lambda row: row.total_seconds, default=None)

    def summary(self) -> dict[str, Any]:
        """Plain data for JSON: the hand-over table, the automatic choice beside the best, time to tolerance by run."""
        automatic, best = self.automatic, self.best
        comparable = automatic is not None and automatic.reached and best is not None and best.total_seconds > 0
        ratio = automatic.total_seconds / best.total_seconds if comparable and automatic and best else None
        return {
            "tolerance": self.tolerance,
            "peaks": self.peaks.tolist(),
            "hand_overs": [
                {
                    "step": row.step,
                    "training_seconds": row.training_seconds,
                    "sweeps": row.sweeps,
                    "relaxation_seconds": row.relaxation_seconds,
                    "total_seconds": row.total_seconds,
                    "automatic": row.automatic,
                    "reached": row.reached,
                }
                for row in self.hand_overs
            ],
            "automatic_step": automatic.step if automatic is not None else None,
            "best_step": best.step if best is not None else None,
            "automatic_over_best": ratio,
            "seconds_to_tolerance": {
                trace.label: trace.reached(self.tolerance) if self.tolerance is not None else None
                for trace in self.traces
            },
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything as named arrays of numbers and text, for `numpy.savez`; no pickling needed."""
        arrays: dict[str, np.ndarray] = {name: getattr(self, name) for name in _SHAPES}
        arrays["labels"] = np.array(self.labels, dtype=np.str_)
        arrays["names"] = np.array([self.axis, self.relaxation], dtype=np.str_)
        arrays["tolerance"] = np.array(np.nan if self.tolerance is None else self.tolerance)
        arrays["hand_overs"] = np.array(
            [
                (r.step, r.training_seconds, r.sweeps, r.relaxation_seconds, r.automatic, r.reached)
                for r in self.hand_overs
            ],
            dtype=np.float64,
        ).reshape(-1, 6)
        arrays["traces"] = np.array([(t.role.name, t.label) for t in self.traces], dtype=np.str_).reshape(-1, 2)
        for i, trace in enumerate(self.traces):
            arrays[f"trace{i}"] = np.stack([trace.seconds, trace.max_error])
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> HybridStudy:
        """The study that `to_arrays` wrote."""
        tolerance = float(arrays["tolerance"])
        axis, relaxation = arrays["names"].tolist()
        return HybridStudy(
            **{name: arrays[name] for name in _SHAPES},
            traces=tuple(
                Trace(Role[role], arrays[f"trace{i}"][0], arrays[f"trace{i}"][1], label)
                for i, (role, label) in enumerate(arrays["traces"].tolist())
            ),
            hand_overs=tuple(
                HandOver(int(step), training, int(sweeps), relaxing, bool(automatic), bool(reached))
                for step, training, sweeps, relaxing, automatic, reached in arrays["hand_overs"].tolist()
            ),
            tolerance=None if np.isnan(tolerance) else tolerance,
            labels=tuple(arrays["labels"].tolist()),
            axis=axis,
            relaxation=relaxation,
        )


_SHAPES: dict[str, tuple[str, ...]] = {
    "x": ("n",),
    "reference": ("n",),
    "wavenumbers": ("q",),
    "magnitude": ("q",),
    "peaks": ("K",),
    "steps": ("S",),
    "delta_network": ("S", "K"),
    "sweeps": ("T",),
    "delta_relaxation": ("T", "K"),
}


def _keep(owner: object, name: str, shape: tuple[str, ...], sizes: dict[str, int]) -> None:
    """Store a float64 copy of the owner's array; each size has one value, fixed by the first array that has it."""
    array = np.array(getattr(owner, name), dtype=np.float64)
    expected = tuple(sizes.get(size, "any") for size in shape)
    if array.ndim != len(shape) or any(e not in ("any", n) for e, n in zip(expected, array.shape, strict=True)):
        raise ShapeError(
            f"{type(owner).__name__}.{name}: got shape {array.shape}, expected ({', '.join(shape)}) = {expected}; "
            "give it one entry for each"
        )
    sizes |= dict(zip(shape, array.shape, strict=True))
    array.setflags(write=False)
    object.__setattr__(owner, name, array)
