"""Projection on modes of values at any points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import FrequencyError, NonFiniteError, ShapeError, SingularSystemError
from ._arrays import Array, as_field, as_points, as_samples, as_weights, per_axis, weighted_norm
from .basis import Odd, transform
from .modes import Modes, as_wavevectors

MAX_CONDITION = 1e8  # beyond it half the digits of a double are lost and neighbouring modes cannot be told apart


@final
@dataclass(frozen=True, eq=False)
class Projector:
    """Weighted least-squares projection on a set of modes: coefficients = operator @ values.

    Args:
        operator: (M, n).
        basis: (n, M), values of the modes at the points.
        weights: (n,).
        condition: condition number of the modes, each scaled to norm 1: 1 if they are orthogonal on these points.
        labels: one for each mode.
    """

    operator: NDArray[np.inexact]
    basis: NDArray[np.inexact]
    weights: Array
    condition: float
    labels: tuple[str, ...]

    def __call__(self, values: ArrayLike) -> NDArray[np.inexact]:
        """Coefficients (M,) or (M, m) of `values` (n,) or (n, m)."""
        return self.operator @ as_samples("values", values, self.basis.shape[0])

    def remainder(self, values: ArrayLike) -> float:
        """Share of the norm of `values` that the modes leave over, from 0 to 1."""
        samples = as_samples("values", values, self.basis.shape[0])
        left = samples - self.basis @ (self.operator @ samples)
        whole = weighted_norm(samples, self.weights)
        return weighted_norm(left, self.weights) / whole if whole > 0 else 0.0


def projector(points: ArrayLike, modes: Modes, weights: ArrayLike | None = None) -> Projector:
    """Prepare the projection on `modes` of values at `points`.

    c = argmin over c of sum_i w_i |u(x_i) - sum_m c_m phi_m(x_i)|^2, for all modes together, so that overlapping modes
    do not count twice.

    Args:
        points: (n, d), on a grid or not.
        modes: M <= n modes.
        weights: (n,) quadrature weights; equal by default.

    Raises:
        FrequencyError: a wave number above the Nyquist number of the points' coordinates on an axis.
        SingularSystemError: condition above 1e8: the points cannot tell two of the modes apart.

    Notes:
        Costs n M^2 once and n M for each call. Errors in the values are amplified by at most `condition`.
    """
    x = as_points("points", points)
    w = as_weights(weights, len(x))
    _check_nyquist(x, modes)
    basis = modes.matrix(x)
    labels = modes.labels
    if not np.isfinite(basis).all():
        bad = labels[int(np.argwhere(~np.isfinite(basis))[0, 1])]
        raise NonFiniteError(f"modes: got NaN or infinity in {bad} at the given points, expected finite values")
    scaled = np.sqrt(w)[:, None] * basis
    norms = np.linalg.norm(scaled, axis=0)
    zero = norms <= 1e-12 * np.sqrt(w.sum())  # round-off of a sine that vanishes at all points
    if basis.shape[1] > len(x) or zero.any():
        raise SingularSystemError(
            f"modes: got {basis.shape[1]} modes on {len(x)} points, {int(zero.sum())} of them zero at all points, "
            "expected independent modes; take fewer modes or more points"
        )
    q, r = np.linalg.qr(scaled / norms)
    condition = float(np.linalg.cond(r))
    if not condition < MAX_CONDITION:
        raise SingularSystemError(
            f"modes: got {', '.join(labels)} with condition {condition:.1e} on {len(x)} points, expected below "
            f"{MAX_CONDITION:.0e}; drop one of two nearly equal modes, or take a longer interval"
        )
    operator = np.linalg.solve(r, q.conj().T * np.sqrt(w)) / norms[:, None]
    return Projector(operator, basis, w, condition, labels)


@final
@dataclass(frozen=True, eq=False)
class Projection:
    """Coefficients (M,) or (M, m) of given values, the condition of the modes and the share of the norm left over."""

    coefficients: NDArray[np.inexact]
    condition: float
    remainder: float


def projection(values: ArrayLike, points: ArrayLike, modes: Modes, weights: ArrayLike | None = None) -> Projection:
    """Least-squares coefficients of `values` (n,) or (n, m) on `modes`; see `projector`.

    >>> from pdekit.spectrum import Sines
    >>> x = np.linspace(-1.0, 1.0, 41)[:, None]
    >>> found = projection(np.sin(x[:, 0]) + 0.25 * np.sin(4 * x[:, 0]), x, Sines.of([1, 4]))
    >>> found.coefficients.round(12).tolist(), found.condition < 2
    ([1.0, 0.25], True)
    """
    prepared = projector(points, modes, weights)
    return Projection(prepared(values), prepared.condition, prepared.remainder(values))


def fourier_sum(
    values: ArrayLike, points: ArrayLike, wavevectors: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.complex128]:
    """Nonuniform Fourier sum u_hat(k) = sum_i w_i u(x_i) exp(-i k.x_i) / sum_i w_i at any wave vectors.

    Args:
        values: (n,) or (n, m).
        points: (n, d).
        wavevectors: (K,) or (K, d), angular.
        weights: (n,); equal by default, which is the sum used for data sets.

    Returns:
        (K,) or (K, m).

    Notes:
        Frequencies that are not orthogonal on the points leak into each other; with n random points |u_hat| has a noise
        floor of about rms(u) / sqrt(n). Costs n K.

    Reference: book, chapter 4 (frequency principle on data sets, after projection on one direction).
    """
    x = as_points("points", points)
    w = as_weights(weights, len(x))
    samples = as_samples("values", values, len(x))
    k = np.asarray(as_wavevectors("wavevectors", wavevectors))
    if k.shape[1] != x.shape[1]:
        raise ShapeError(f"wavevectors: got {k.shape[1]} components, expected {x.shape[1]}, as the points have")
    kernel = np.exp(-1j * (k @ x.T)) * (w / w.sum())
    result: NDArray[np.complex128] = kernel @ samples
    return result


def eigenmodes_near(values: ArrayLike, spacing: float | Sequence[float], wavevectors: ArrayLike) -> NDArray[np.intp]:
    """Orders (P, d) of the Dirichlet eigenmodes that stand for given wave vectors of a grid function.

    Of the orders next to k L / pi (one below, one above, on each axis) the one with the largest coefficient in `values` is
    taken: a function that is odd about the middle has only every other eigenmode.

    Args:
        values: (N1, ..., Nd) on a grid with both ends, usually the reference solution.
        spacing: one number or one for each axis.
        wavevectors: (P, d), usually `peaks(...).wavevectors`.
    """
    field = as_field("values", values)
    steps = per_axis("spacing", spacing, field.ndim)
    wavenumbers, coefficients = transform(field, steps, (Odd(),) * field.ndim)
    targets = np.abs(np.asarray(as_wavevectors("wavevectors", wavevectors)))
    fundamental = np.array([k[0] for k in wavenumbers])
    if targets.shape[1] != field.ndim:
        raise ShapeError(
            f"wavevectors: got {targets.shape[1]} components, expected {field.ndim}, one for each grid axis"
        )
    chosen = []
    for target in np.rint(targets / fundamental).astype(int):
        last = np.minimum(target + 1, coefficients.shape)  # order j has index j - 1
        low = np.clip(target - 2, 0, last - 1)
        block = np.abs(coefficients[tuple(slice(a, b) for a, b in zip(low, last, strict=True))])
        chosen.append(low + np.array(np.unravel_index(block.argmax(), block.shape)) + 1)
    return np.array(chosen)


def _check_nyquist(x: Array, modes: Modes) -> None:
    """Refuse wave numbers that the points alias; a necessary condition, exact on grids, lax for scattered points."""
    k = modes.wavevectors
    if k is None:
        return
    if k.shape[1] != x.shape[1]:
        raise ShapeError(f"modes: got {k.shape[1]} wave numbers for each mode and points with {x.shape[1]} coordinates")
    for axis in range(x.shape[1]):
        places = np.unique(x[:, axis])
        length = places[-1] - places[0]
        top = np.pi * (len(places) - 1) / length if length > 0 else 0.0
        worst = float(np.abs(k[:, axis]).max())
        if worst > top * (1 + 1e-9):
            raise FrequencyError(
                f"modes: got k = {worst:.6g} on axis {axis}, where N = {len(places)} points resolve at most k = {top:.6g} "
                f"(Nyquist); take at least {int(np.ceil(worst * length / np.pi)) + 1} points"
            )
