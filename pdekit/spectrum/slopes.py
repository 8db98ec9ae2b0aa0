"""An estimate of the slopes of a solution from the source and the coefficients of its equation, on a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ._arrays import Array, as_real


def slopes_of(values: Array) -> tuple[Array, ...]:
    """Slopes along each axis of a function on a grid over [-1, 1]^d, by central differences."""
    steps = [2.0 / (count - 1) for count in values.shape]
    found = np.gradient(values, *steps, edge_order=2)
    return (found,) if values.ndim == 1 else tuple(found)


def solution_slopes(
    source: Array,
    radii: Sequence[float],
    *,
    diffusion: Array | None = None,
    reaction: float = 0.0,
    order: int = 2,
    time_axis: int | None = None,
    rise: Sequence[float] | None = None,
) -> tuple[Array, ...]:
    """Slopes of u where -div(A grad u) + c u = f, estimated without boundary conditions.

    A grad u = grad psi + constant, where a |k|^2 psi_k + c psi_k = f_k in the cosine basis, a the mean of A: exact in one
    dimension for c = 0, where the constant follows from the rise of u. In more dimensions the flux's part without
    divergence is left out.

    Args:
        source: f (N1, ..., Nd) on a grid over the box scaled to [-1, 1]^d.
        radii: half the box's length on each axis.
        diffusion: A, as `source` or (N1, ..., Nd, s, s) over the s space axes; None for 1.
        reaction: mean of c, of either sign.
        order: of the equation; of order 4, psi_k = f_k / |k|^4.
        time_axis: axis on which u is differentiated once.
        rise: mean slope on each axis, zero by default.

    Returns:
        d arrays like `source`: slopes in the scaled coordinates.

    Notes: near resonance (c = -a |k|^2) the symbol is kept at the distance of neighbouring modes.
    """
    from scipy.fft import dctn

    f = as_real("source", source)
    dim, steps = f.ndim, tuple(radii)
    if len(steps) != dim:
        raise ShapeError(f"slopes: got {len(steps)} radii for {dim} axes; give half the length of each")
    space = [axis for axis in range(dim) if axis != time_axis]
    level = 1.0 if diffusion is None else _level(diffusion, dim)
    squares, clock, waves = np.zeros((1,) * dim), np.zeros((1,) * dim), []
    for axis, (count, radius) in enumerate(zip(f.shape, steps, strict=True)):
        waves.append((np.arange(count) * (np.pi / 2)).reshape(_along(axis, dim)))
        if axis == time_axis:
            clock = waves[axis] / radius
        else:
            squares = squares + (waves[axis] / radius) ** 2
    symbol = level * squares ** (order / 2) + reaction
    if reaction < 0:
        nearest = np.sqrt(-reaction * level) * np.pi / (2 * max(steps))
        symbol = np.where(np.abs(symbol) < nearest, nearest, symbol)
    if time_axis is not None:
        symbol = np.hypot(symbol, clock)
    alone = symbol.flat[0] == 0.0  # the mean of f: no mode of the cosine basis solves for it
    symbol.flat[0] = 1.0 if alone else symbol.flat[0]
    coefficients = dctn(f, type=1) / symbol
    mean = float(coefficients.flat[0] / np.prod([2.0 * (n - 1) for n in f.shape])) if alone else 0.0
    coefficients.flat[0] = 0.0 if alone else coefficients.flat[0]
    found = [_derivative(coefficients, waves[axis], axis) for axis in range(dim)]
    for axis in space:  # -a lap psi = mean for psi = -mean |x|^2 / (2 a s)
        s = np.linspace(-1.0, 1.0, f.shape[axis]).reshape(_along(axis, dim))
        found[axis] = found[axis] - mean * s * steps[axis] ** 2 / (level * len(space))
    return _through(found, diffusion, level, steps, space, tuple(rise) if rise is not None else (0.0,) * dim)


def _along(axis: int, dim: int) -> tuple[int, ...]:
    """Shape in which a vector lies along one axis."""
    return tuple(-1 if a == axis else 1 for a in range(dim))


def _derivative(coefficients: Array, k: Array, axis: int) -> Array:
    """Derivative along an axis of the sum of cosines that `coefficients`, from dctn of type 1, describe."""
    from scipy.fft import dst, idctn

    others = [a for a in range(coefficients.ndim) if a != axis]
    partial = idctn(-k * coefficients, type=1, axes=others) if others else -k * coefficients
    count = coefficients.shape[axis]
    inner = dst(np.take(partial, range(1, count - 1), axis), type=1, axis=axis) / (2 * (count - 1))
    result: Array = np.pad(inner, [(1, 1) if a == axis else (0, 0) for a in range(inner.ndim)])
    return result


def _level(diffusion: Array, dim: int) -> float:
    """Mean size of A."""
    if diffusion.ndim == dim:
        return float(np.abs(diffusion).mean())
    return float(np.abs(np.trace(diffusion, axis1=-2, axis2=-1)).mean() / diffusion.shape[-1])


def _through(
    found: list[Array],
    diffusion: Array | None,
    level: float,
    radii: tuple[float, ...],
    space: list[int],
    rise: tuple[float, ...],
) -> tuple[Array, ...]:
    """Slopes a A^-1 (grad psi + constant), the constant such that the mean slopes are the rise."""
    if diffusion is None:
        return tuple(part - part.mean() + up for part, up in zip(found, rise, strict=True))
    if diffusion.ndim == found[0].ndim:
        inverse = level / diffusion
        for axis in space:
            constant = (rise[axis] - (inverse * found[axis]).mean()) / inverse.mean()
            found[axis] = inverse * (found[axis] + constant)
        return tuple(found)
    scale = np.array([radii[axis] for axis in space])
    inverse = level * np.linalg.inv(diffusion) * scale[:, None] / scale  # in scaled coordinates
    flux = np.stack([found[axis] for axis in space], axis=-1)
    axes = tuple(range(found[0].ndim))
    through = np.einsum("...ij,...j->...i", inverse, flux).mean(axis=axes)
    constant = np.linalg.solve(inverse.mean(axis=axes), np.array([rise[axis] for axis in space]) - through)
    slopes = np.einsum("...ij,...j->...i", inverse, flux + constant)
    for i, axis in enumerate(space):
        found[axis] = slopes[..., i]
    return tuple(found)
