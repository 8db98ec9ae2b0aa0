"""Low and high part of an error at scattered points, in any dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import FrequencyError, MemoryBudgetError
from ._arrays import as_points, as_samples, as_weights, weighted_norm

MAX_POINTS = 20_000  # the kernel is a dense matrix: 3.2 GB at this size


@final
@dataclass(frozen=True)
class Split:
    """Relative errors of the part below and of the part above a cut-off wave number."""

    low: float
    high: float


@final
class FilterMeter:
    """Splits errors at scattered points into a low and a high part by a Gaussian filter; prepared once.

    u_low(x_i) = sum_j G_ij w_j u(x_j) / sum_j G_ij w_j with G_ij = exp(-|x_i - x_j|^2 cutoff^2 / 2), which multiplies
    frequency k by exp(-|k|^2 / (2 cutoff^2)); u_high = u - u_low. Relative errors: |e_low| / |u_ref_low|, the same for high.

    Why not bands: off a grid, energies by |k| need projections on the modes of a shell, whose number grows as k^(d-1) while
    n random points leave a noise of |u|^2 / n in each of them. Beyond three dimensions the noise is all there is. A filter
    needs no modes.

    Args:
        reference: (n,) or (n, m).
        points: (n, d), n <= 20,000.
        cutoff: angular wave number at which the filter passes exp(-1/2).
        weights: (n,) quadrature weights, equal by default.

    Raises:
        FrequencyError: cut-off not positive, or the points too sparse for it (fewer than two neighbours within reach).

    Notes:
        The split is soft (one octave wide) and its two energies do not add up to the whole. Costs n^2 for each call.

    Reference: book, chapter 4 (filtering method); Xu, Zhang, Luo, Xiao, Ma 2020, doi:10.4208/cicp.OA-2020-0085.
    """

    def __init__(
        self, reference: ArrayLike, points: ArrayLike, cutoff: float, weights: ArrayLike | None = None
    ) -> None:
        """Build the filter and split the reference."""
        x = as_points("points", points)
        if len(x) > MAX_POINTS:
            raise MemoryBudgetError(
                f"FilterMeter: got {len(x)} points, which need {8e-9 * len(x) ** 2:.1f} GB, expected at most {MAX_POINTS}; "
                "measure on a random part of them"
            )
        if not 0 < cutoff < np.inf:
            raise FrequencyError(f"FilterMeter: got cutoff={cutoff}, expected a positive wave number")
        self._weights = as_weights(weights, len(x))
        self._reference = as_samples("reference", reference, len(x))
        scaled = (x - x.mean(axis=0)) * cutoff
        squares = np.einsum("nd,nd->n", scaled, scaled)
        distance = np.maximum(squares[:, None] + squares[None, :] - 2 * scaled @ scaled.T, 0.0)
        kernel = np.exp(-0.5 * distance) * self._weights
        self._filter = kernel / kernel.sum(axis=1, keepdims=True)
        self.neighbours = float(np.mean(1.0 / np.einsum("ij,ij->i", self._filter, self._filter)))
        if self.neighbours < 2:
            raise FrequencyError(
                f"FilterMeter: got cutoff={cutoff:.6g}, at which a point has {self.neighbours:.1f} effective neighbours among "
                f"N = {len(x)}, expected at least 2; lower the cut-off or take more points"
            )
        self._low_size, self._high_size = self._sizes(self._reference)

    def low(self, values: ArrayLike) -> NDArray[np.inexact]:
        """The low part of `values` (n,) or (n, m) at the points."""
        return self._filter @ as_samples("values", values, len(self._weights))

    def _sizes(self, samples: NDArray[np.inexact]) -> tuple[float, float]:
        low = self.low(samples)
        return weighted_norm(low, self._weights), weighted_norm(samples - low, self._weights)

    def __call__(self, error: ArrayLike) -> Split:
        """Split `error` = values - reference, of the reference's shape; a part the reference lacks gives infinity."""
        low, high = self._sizes(as_samples("error", error, len(self._weights)))
        return Split(
            low / self._low_size if self._low_size > 0 else np.inf,
            high / self._high_size if self._high_size > 0 else np.inf,
        )
