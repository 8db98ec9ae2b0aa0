"""The companion runs behind a hybrid's figure: network alone, relaxation alone, hand-over too early, right, too late."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..discrete import LinearSystem, Relaxation, Relaxed, relax
from ..problem import Elliptic
from ..record import Record
from ..solver import Setting
from ..study import HandOver, HybridStudy, Role, Trace
from .forecast import Forecast
from .iterative import sweep_record
from .neural import Neural
from .peaks import windowed_spectrum
from .watch import Watch

_EARLY = 1 / 4  # of the automatic step
_MAX_SWEEPS = 2_000_000


def study_of(
    first: Neural,
    relaxation: Relaxation,
    problem: Elliptic,
    system: LinearSystem,
    watch: Watch,
    forecast: Forecast,
    setting: Setting,
    automatic: int,
    tolerance: float,
    watch_every: int,
) -> HybridStudy:
    """Run the companions of a hybrid that handed over at step `automatic`.

    Args:
        first: the network; it is trained to the end, from the same seed.
        relaxation: it is run alone, from zero, and from three states of the network.
        problem, system, watch, forecast, setting: the hybrid's own.
        automatic: its hand-over step.
        tolerance: to which runs are compared.
        watch_every: steps between measurements.
    """
    setting = dataclasses.replace(setting, run=None, resume=False)
    prepared = first.prepare(problem, setting)
    states: list[np.ndarray] = []
    probe = watch.probe(prepared.ansatz.function, lambda values: values, forecast, watch_every, states)
    trained = first.train(prepared, setting, probes=(probe,), record_every=watch_every)
    history = trained.history

    def relaxed(start: np.ndarray, probed: bool = False) -> Relaxed:
        return relax(
            system,
            relaxation,
            start,
            max_sweeps=_MAX_SWEEPS,
            tolerance=tolerance,
            target=watch.target,
            probe=(lambda _, u: watch.columns(u)) if probed else None,
        )

    alone = sweep_record(relaxed(system.extend(np.zeros_like(system.rhs)), probed=True))
    traces = [
        Trace(Role.NETWORK, history["seconds"], history["max_error"]),
        Trace(Role.RELAXATION, alone["seconds"], alone["max_error"]),
    ]
    hand_overs = []
    rows = history["step"].astype(int)
    choices = {
        Role.HYBRID_EARLY: _nearest(rows, round(_EARLY * automatic)),
        Role.HYBRID_AUTO: _nearest(rows, automatic),
        Role.HYBRID_LATE: len(rows) - 1,
    }
    for role, row in choices.items():
        sweep = relaxed(states[row])
        trace, hand_over = _handed_over(role, history, row, sweep)
        traces.append(trace)
        hand_overs.append(hand_over)

    labels = [name for name in history.columns if name.startswith("delta_f[")]
    found = windowed_spectrum(system.grid, watch.target)
    positive = found.wavenumbers[0] >= 0
    order = np.argsort(found.wavenumbers[0][positive])
    return HybridStudy(
        x=system.grid.axes[0],
        reference=watch.target,
        wavenumbers=np.asarray(found.wavenumbers[0][positive][order], dtype=np.float64),
        magnitude=np.asarray(found.magnitude[positive][order], dtype=np.float64),
        peaks=_peak_numbers(watch),
        steps=history["step"],
        delta_network=np.stack([history[name] for name in labels], axis=1),
        sweeps=alone["sweeps"],
        delta_relaxation=np.stack([alone[name] for name in labels], axis=1),
        traces=tuple(traces),
        hand_overs=tuple(hand_overs),
        tolerance=tolerance,
        axis=problem.domain.names[0],
        relaxation=relaxation.name,
    )


def _handed_over(role: Role, history: Record, row: int, sweep: Relaxed) -> tuple[Trace, HandOver]:
    seconds, errors = history["seconds"][: row + 1], history["max_error"][: row + 1]
    tail = sweep_record(sweep)
    trace = Trace(
        role,
        np.concatenate([seconds, seconds[-1] + tail["seconds"]]),
        np.concatenate([errors, tail["max_error"]]),
    )
    step = int(history["step"][row])
    return trace, HandOver(
        step, float(seconds[-1]), sweep.sweeps, sweep.seconds, role is Role.HYBRID_AUTO, sweep.converged
    )


def _nearest(rows: np.ndarray, step: int) -> int:
    return int(np.abs(rows - step).argmin())


def _peak_numbers(watch: Watch) -> np.ndarray:
    vectors = None if watch.delta is None else watch.delta.wavevectors
    return np.zeros(0) if vectors is None else np.linalg.norm(vectors, axis=1)
