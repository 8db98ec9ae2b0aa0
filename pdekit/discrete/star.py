"""Constant-coefficient star stencils on the interior of a Dirichlet grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Star:
    """(M u)_i = centre u_i + sum over axes a of lower[a] u_(i - e_a) + upper[a] u_(i + e_a), without a matrix.

    Args:
        centre: weight of the point itself.
        lower: weight of the neighbour at the lower side, per axis.
        upper: weight of the neighbour at the upper side, per axis.
    """

    centre: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def symmetric(self) -> bool:
        """Whether M equals its transpose."""
        return self.lower == self.upper

    def from_boundary(self, known: FloatArray) -> FloatArray:
        """M u at the interior points for grid-shaped u that vanishes there, (n_0 - 2, ..., n_(d-1) - 2)."""
        out = np.zeros([n - 2 for n in known.shape])
        for axis, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            for weight, layer in ((low, 0), (high, -1)):
                behind = tuple(layer if a == axis else slice(1, -1) for a in range(known.ndim))
                beside = tuple(layer if a == axis else slice(None) for a in range(known.ndim))
                out[beside] += weight * known[behind]
        return out

    def matrix(self, shape: tuple[int, ...]) -> csr_matrix:
        """Return M as a sparse matrix over the interior points in C order.

        Args:
            shape: points per axis of the whole grid, boundary included.
        """
        from scipy import sparse

        total = sparse.csr_matrix((1, 1))
        for axis, count in enumerate(n - 2 for n in shape):
            line = sparse.diags(
                [self.lower[axis], self.centre if axis == 0 else 0.0, self.upper[axis]],
                (-1, 0, 1),
                shape=(count, count),
            )
            total = sparse.kron(total, sparse.identity(count), "csr") + sparse.kron(
                sparse.identity(total.shape[0]), line, "csr"
            )
        return sparse.csr_matrix(total)

    def eigenvalues(self, shape: tuple[int, ...]) -> FloatArray | NDArray[np.complex128]:
        """Eigenvalues of M by mode (k_0, ..., k_(d-1)), k from 1; those of a symmetric star belong to sine modes.

        Args:
            shape: points per axis of the whole grid, boundary included.

        Returns:
            (n_0 - 2, ..., n_(d-1) - 2); complex where advection outweighs diffusion between two points.
        """
        # A tridiagonal Toeplitz matrix has centre + 2 sqrt(lower upper) cos(k pi / (n - 1)). Pulling the cosine's 1 out
        # leaves centre + lower + upper, which vanishes exactly for a Laplacian: smooth modes keep all their digits.
        couplings = [_coupling(low, high) for low, high in zip(self.lower, self.upper, strict=True)]
        values = np.full([n - 2 for n in shape], self.centre + sum(couplings))
        for axis, n in enumerate(shape):
            half = np.sin(0.5 * np.pi * np.arange(1, n - 1) / (n - 1))
            part = -2.0 * couplings[axis] * half**2
            values = values + part.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return values

    @property
    def reaction(self) -> float:
        """What M makes of the constant 1."""
        return self.centre + sum(self.lower) + sum(self.upper)

    def coarsened(self) -> Star:
        """Return the stencil of the same symmetric equation at twice the spacing."""
        lower, upper = (tuple(0.25 * weight for weight in weights) for weights in (self.lower, self.upper))
        return Star(self.reaction - sum(lower) - sum(upper), lower, upper)

    def jacobi_radius(self, shape: tuple[int, ...], omega: float) -> float:
        """Spectral radius of I - omega D^-1 M."""
        return float(np.abs(1.0 - omega * self.eigenvalues(shape) / self.centre).max())

    @property
    def dominant(self) -> bool:
        """Whether the centre is at least the sum of the absolute values of the neighbours, to round-off."""
        return sum(map(abs, self.lower + self.upper)) <= self.centre * (1.0 + 1e-12)


def _coupling(lower: float, upper: float) -> float | complex:
    if lower == upper:
        return 2.0 * lower
    return -2.0 * (lower * upper) ** 0.5  # complex for a negative product
