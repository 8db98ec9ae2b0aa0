"""Relative error of chosen frequencies, Delta_F(k), as a fast probe."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import FrequencyError, ShapeError
from ._arrays import Array, as_numbers, as_samples
from .least_squares import projector
from .modes import Modes


@final
class DeltaF:
    """Delta_F(k) = |u_hat(k) - u_ref_hat(k)| / |u_ref_hat(k)| at chosen modes, with the projection prepared once.

    u_hat are the coefficients of the weighted least-squares projection on all modes together, so the error of one mode does
    not show in another as long as the error lies in their span. For `Waves` at the grid's own FFT frequencies, and for
    `Sines.on_box`, the modes are orthogonal and this is the FFT, or DST, bin itself.

    Args:
        reference: (n,) or (n, m), the reference solution at the points.
        points: (n, d); a grid or not.
        modes: at which modes.
        weights: (n,) quadrature weights, equal by default.

    Raises:
        FrequencyError: the reference has nothing at one of the modes, or the points do not resolve one.
        SingularSystemError: the points cannot tell two of the modes apart.

    Notes:
        Which modes? Take `Sines.on_box(eigenmodes_near(...))` at the reference's peaks to watch a relaxation or a solver
        on a Dirichlet box: the error is then a sum of many eigenmodes, each with its own decay, and an orthogonal set
        shows exactly its own. With the solution's building blocks instead (`Sines.of([1, 4, 8, 24])` on (-1, 1), where
        sin 4x is no eigenmode), part of the slowest eigenmode, sin(pi x), is seen at all k: after 10,000 Jacobi sweeps
        from zero on 1001 points it reads 0.42 at k = 8 and 0.17 at k = 24, and later even 4 converges after 1, although
        the eigenmodes 3 pi and 8 pi have fallen to 0.17 and 3e-6. Take such modes where error and solution are known to be made of
        them (data sets, synthetic signals). Raw FFT bins are worst there: on (-1, 1) the error of sin x alone leaks into
        the bins next to 4 and 8.
        One call costs n M multiplications: 15 microseconds for 1001 points and 4 modes.

    Reference: book, sections 4.2 and 15.5.
    """

    def __init__(self, reference: ArrayLike, points: ArrayLike, modes: Modes, weights: ArrayLike | None = None) -> None:
        """Project the reference."""
        self._modes = modes
        self._projector = projector(points, modes, weights)
        self._reference = as_samples("reference", reference, self._projector.basis.shape[0])
        self._coefficients = self._projector.operator @ self._reference
        size = np.sqrt(np.mean(np.abs(self._reference) ** 2))
        # Round-off of the projection; a mode this small has no relative error.
        empty = np.abs(self._coefficients) <= 1e-13 * size * self._projector.condition
        if empty.any():
            mode = int(np.argwhere(empty)[0, 0])
            raise FrequencyError(
                f"DeltaF: got the mode {self.labels[mode]}, of which the reference has "
                f"{abs(self._coefficients[empty][0]):.1e}, expected a nonzero share; choose modes with peaks(spectrum(reference))"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each mode."""
        return self._projector.labels

    @property
    def wavevectors(self) -> Array | None:
        """Wave vectors (M, d) of the modes, if they have them."""
        return self._modes.wavevectors

    @property
    def condition(self) -> float:
        """Condition number of the modes on the points; 1 if they are orthogonal."""
        return self._projector.condition

    @property
    def reference_coefficients(self) -> NDArray[np.inexact]:
        """Coefficients (M,) or (M, m) of the reference."""
        return self._coefficients

    def __call__(self, values: ArrayLike) -> Array:
        """Delta_F (M,) or (M, m) of `values`, which have the reference's shape."""
        samples = np.asarray(values)
        if samples.shape != self._reference.shape:
            raise ShapeError(
                f"values: got shape {samples.shape}, expected {self._reference.shape}, the reference's; reshape one of them"
            )
        # The difference is projected, not both: no digits are lost when it is small.
        error = as_samples("values", samples, len(samples)) - self._reference
        return np.abs(self._projector.operator @ error) / np.abs(self._coefficients)

    def each(self, values: ArrayLike) -> Array:
        """Delta_F (..., M) of many functions at once, say of every step and seed of a run.

        Args:
            values: (..., n), each of one component, as the reference is.
        """
        samples = as_numbers("values", values)
        if self._reference.ndim != 1 or samples.shape[-1:] != self._reference.shape:
            raise ShapeError(
                f"values: got shape {samples.shape}, expected (..., n) with the reference's shape (n,), here "
                f"{self._reference.shape}; pass one component at a time"
            )
        return np.abs((samples - self._reference) @ self._projector.operator.T) / np.abs(self._coefficients)


def delta_f(
    values: ArrayLike, reference: ArrayLike, points: ArrayLike, modes: Modes, weights: ArrayLike | None = None
) -> Array:
    """Delta_F of `values` against `reference` once; see `DeltaF`.

    >>> from pdekit.spectrum import Sines
    >>> x = np.linspace(-1.0, 1.0, 101)[:, None]
    >>> low, high = np.sin(x[:, 0]), np.sin(8 * x[:, 0])
    >>> delta_f(0.9 * low + 0.5 * high, low + high, x, Sines.of([1, 8])).round(12).tolist()
    [0.1, 0.5]
    """
    return DeltaF(reference, points, modes, weights)(values)
