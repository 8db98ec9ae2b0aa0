"""Sweeps to a residual of 1e-10 on new right-hand sides: Jacobi alone, begun by an operator, with it every few sweeps; multigrid."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from pdekit.solvers import Recurring

from pdekit.discrete import Grid, Jacobi, LinearSystem, Multigrid, Relaxation, relax
from pdekit.errors import ConvergenceError
from pdekit.operator_problem import Family
from pdekit.operators import Operator

SEED = 10_007
"""Of the right-hand sides; training and test data have others."""
EVERY = 15
TOLERANCE = 1e-10
ITERATIONS = ("jacobi", "start", "hints", "multigrid")
MOST = 10**7
"""What counts as never done, diverged iterations among them."""


def sweeps_saved(operator: Operator, count: int = 100) -> dict[str, float]:
    """Medians over the right-hand sides, and the worst share of Jacobi's sweeps; a cycle counts as `EVERY` sweeps."""
    family = operator.predictor.family
    assert isinstance(family, Family)
    inputs = family.sample(count, torch.Generator().manual_seed(SEED))
    box = family.domain
    systems = []
    for values in inputs:
        problem = family.case(values)
        systems.append(problem.discretise(Grid(box.lower, box.upper, family.output.shape[:-1])))
    begun = operator.predictor.outputs(inputs.numpy())[..., 0]
    zero = np.zeros_like(begun)
    runs: dict[str, Callable[[], list[int]]] = {
        "jacobi": lambda: _sweeps(systems, zero, Jacobi()),
        "start": lambda: _sweeps(systems, begun, Jacobi()),
        "hints": lambda: [EVERY * n for n in _sweeps(systems, zero, Recurring(operator, Jacobi(2 / 3), EVERY))],
        "multigrid": lambda: _sweeps(systems, zero, Multigrid()),
    }
    found: dict[str, float] = {}
    counted: dict[str, np.ndarray] = {}
    for name, run in runs.items():
        began = time.process_time()
        counted[name] = np.array(run())
        found |= {
            f"{name} seconds": (time.process_time() - began) / count,
            f"{name} sweeps": float(np.median(counted[name])),
        }
    shares = {name: counted[name] / counted["jacobi"] for name in ("start", "hints")}
    return found | {f"{name} share": float(share.max()) for name, share in shares.items()}


def _sweeps(systems: list[LinearSystem], starts: np.ndarray, relaxation: Relaxation) -> list[int]:
    found = []
    for system, start in zip(systems, starts, strict=True):
        try:
            done = relax(system, relaxation, start, max_sweeps=MOST, tolerance=TOLERANCE)
            found.append(done.sweeps if done.converged else MOST)
        except ConvergenceError:
            found.append(MOST)
    return found
