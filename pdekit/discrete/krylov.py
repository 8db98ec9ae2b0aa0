"""Conjugate gradients."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import NotApplicableError
from .iterate import Relaxed, Sample
from .multigrid import Cycle
from .system import LinearSystem

FloatArray = NDArray[np.float64]


def cg(
    system: LinearSystem,
    start: FloatArray,
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 10_000,
    target: FloatArray | None = None,
    preconditioner: Cycle | None = None,
    max_seconds: float | None = None,
) -> Relaxed:
    """Conjugate gradients, with a history of every iteration.

    Args:
        system: symmetric positive (semi-)definite system.
        start: grid-shaped first guess.
        tolerance: bound for max |u - target| if there is a target, else for the 2-norm of the residual over that of rhs.
        max_iterations: give up after these.
        target: grid-shaped values to reach.
        max_seconds: give up after this wall time.
        preconditioner: residual -> correction, symmetric positive; `multigrid_cycle(system)` is one.

    Returns:
        The outcome; its `sweeps` are iterations, one application of the matrix each.

    Raises:
        NotApplicableError: the matrix is not symmetric, or turns out not to be positive definite.

    Notes:
        About sqrt(condition number) iterations: n per axis for a Laplacian. scipy's routine hands its callback neither the
        residual nor a sign of an indefinite matrix, hence this one.

    Reference:
        Hestenes, Stiefel, J. Res. Nat. Bur. Stand. 49 (1952), 409-436, doi:10.6028/jres.049.044.
    """
    if not system.symmetric:
        raise NotApplicableError(
            "cg: the matrix is not symmetric, expected a symmetric one (no advection, order 2); use solve_direct"
        )
    system = system.balanced()
    started = time.perf_counter()
    u, residual = system.restrict(start), system.rhs.copy()
    residual -= system.apply(u)
    measure = _relative(system) if target is None else _distance(system, system.restrict(target))
    step = np.zeros_like(residual)
    last = 1.0
    history: list[Sample] = []
    for iteration in range(max_iterations + 1):
        error = measure(u, residual)
        seconds = time.perf_counter() - started
        history.append(Sample(iteration, seconds, error))
        late = max_seconds is not None and seconds >= max_seconds
        if error <= tolerance or late or iteration == max_iterations:
            break
        correction = residual if preconditioner is None else preconditioner(residual)
        product = _dot(residual, correction)
        step *= product / last
        step += correction
        image = system.apply(step)
        curvature = _dot(step, image)
        if not (curvature > 0.0 and product > 0.0):
            raise NotApplicableError(
                f"cg: a direction of curvature {curvature:.3g} turned up in iteration {iteration}, expected a positive "
                "definite matrix and preconditioner; use solve_direct"
            )
        image *= product / curvature
        residual -= image
        u += np.multiply(step, product / curvature, out=image)
        last = product
    full = system.centred(system.extend(u))
    return Relaxed(full, len(history) - 1, seconds, error <= tolerance, tuple(history))


def _dot(a: FloatArray, b: FloatArray) -> float:
    # not a @ b: a threaded BLAS costs more than it saves at these sizes, and 30 times more on a busy machine
    return float(np.einsum("i,i->", a, b))


def _relative(system: LinearSystem) -> Callable[[FloatArray, FloatArray], float]:
    size = _dot(system.rhs, system.rhs) ** 0.5 or 1.0
    return lambda u, residual: _dot(residual, residual) ** 0.5 / size


def _distance(system: LinearSystem, target: FloatArray) -> Callable[[FloatArray, FloatArray], float]:
    gap = np.empty_like(target)

    def distance(u: FloatArray, residual: FloatArray) -> float:
        free = system.restrict(system.centred(system.extend(u))) if system.null_space else u
        np.subtract(free, target, out=gap)
        return max(float(gap.max()), -float(gap.min()))

    return distance
