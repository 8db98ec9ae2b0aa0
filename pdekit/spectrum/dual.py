"""The dual norm of a residual on a box: the energy norm of the error that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import as_field, as_real, per_axis
from .basis import radius, sine_transform


def dual_norm(residual: ArrayLike, lengths: float | Sequence[float]) -> float:
    """H^-1 norm of a residual on a box with Dirichlet conditions: sqrt(sum over k of |r_k|^2 / |k|^2).

    r_k are the coefficients on the orthonormal eigenmodes prod sqrt(2/L_a) sin(k_a x_a), k_a = j_a pi / L_a. With
    -lap e = r and e = 0 on the boundary this is the energy norm of e, sqrt(int |grad e|^2): for r = f + lap u, the energy
    error of u.

    Args:
        residual: (n1, ..., nd) at the inner points of a uniform grid, spacing L_a / (n_a + 1).
        lengths: of the box, one number or one for each axis.

    Returns:
        The norm; it has the units of residual x length^(1 + d/2).

    Raises:
        NonFiniteError, ShapeError, DtypeError: the residual is no finite real grid function.

    Notes:
        Exact for residuals made of resolved eigenmodes, error O(h^2) or better for smooth ones. Frequencies above
        pi / h are folded down and overweighted: compare with a finer grid. Not a bound unless the
        boundary values are exact; add the energy of a lift of the boundary error. Costs one fast transform.

    Reference: Taylor, Pardo, Muga 2023, doi:10.1016/j.cma.2022.115850.

    >>> x = np.linspace(0.0, 1.0, 17)[1:-1]
    >>> energy = 3 * np.pi / np.sqrt(2)  # of e = sin(3 pi x)
    >>> bool(np.isclose(dual_norm((3 * np.pi) ** 2 * np.sin(3 * np.pi * x), 1.0), energy, rtol=1e-12))
    True
    """
    field = as_real("residual", as_field("residual", residual, least=1))
    sides = per_axis("lengths", lengths, field.ndim)
    spacing = sides / (np.array(field.shape) + 1)
    wavenumbers = tuple(np.arange(1, n + 1) * (np.pi / side) for n, side in zip(field.shape, sides, strict=True))
    coefficients = field * np.sqrt(spacing.prod())
    for axis in range(field.ndim):
        coefficients = sine_transform(coefficients, axis)
    return float(np.linalg.norm(coefficients / radius(wavenumbers)))
