"""Random points of balls and spheres, and how well a sample agrees with a law."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import NonFiniteError, ShapeError
from ..sampling import check_count

FloatArray = NDArray[np.float64]

BLOCK = 2**21
"""Numbers drawn at once: 16 MB, whatever the dimension."""


def sample_sphere(n: int, dim: int, generator: np.random.Generator) -> FloatArray:
    """n independent points, uniform on the unit sphere of R^dim, (n, dim).

    Normal vectors over their length: their law knows no direction.

    Raises:
        SamplingError: n or dim is not a positive integer.
    """
    check_count("sample_sphere: n", n)
    check_count("sample_sphere: dim", dim)
    points = generator.standard_normal((n, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points


def sample_ball(n: int, dim: int, generator: np.random.Generator) -> FloatArray:
    """n independent points, uniform in the unit ball of R^dim, (n, dim).

    A uniform direction times the radius U^(1/dim), whose distribution function is r^dim. For 10^5 points in a thousand
    dimensions draw `in_blocks`.

    Raises:
        SamplingError: n or dim is not a positive integer.
    """
    points = sample_sphere(n, dim, generator)
    points *= generator.random((n, 1)) ** (1.0 / dim)
    return points


def in_blocks(n: int, dim: int, draw: Callable[[int], FloatArray]) -> FloatArray:
    """What `draw(count)` returns for n points of R^dim in all, without holding all points at once.

    Args:
        n: number of points.
        dim: coordinates of each.
        draw: draws `count` points and returns what is kept of them, (count, ...).

    Returns:
        (n, ...).
    """
    size = max(1, BLOCK // dim)
    return np.concatenate([draw(min(size, n - start)) for start in range(0, n, size)])


def share_error(share: ArrayLike, n: int) -> FloatArray:
    """Standard error sqrt(p (1 - p) / n) of a share counted among n independent draws, p its expectation."""
    p = np.asarray(share, dtype=np.float64)
    return np.sqrt(np.clip(p * (1.0 - p), 0.0, None) / n)


def deviations(measured: ArrayLike, expected: ArrayLike, error: ArrayLike) -> FloatArray:
    """|measured - expected| in standard errors; what agrees to round-off counts as 0 even where the error is 0."""
    a, b, e = (np.asarray(part, dtype=np.float64) for part in (measured, expected, error))
    gap = np.abs(a - b)
    exact = gap <= 1e-12 * np.maximum(1.0, np.abs(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exact, 0.0, gap / e)


def by_seed(condition: ArrayLike) -> tuple[bool, ...]:
    """Whether a condition (S, ...) holds everywhere, seed by seed: what a claim is judged by.

    >>> by_seed([[True, True], [True, False]])
    (True, False)
    """
    return tuple(bool(np.all(row)) for row in np.asarray(condition))


def columns(names: Iterable[str], values: ArrayLike) -> dict[str, list[float]]:
    """The columns of (S, n) numbers by name, one number per seed in each: what a claim reports.

    >>> columns(["d = 2", "d = 5"], [[1.0, 2.0], [3.0, 4.0]])
    {'d = 2': [1.0, 3.0], 'd = 5': [2.0, 4.0]}
    """
    table = np.asarray(values, dtype=np.float64)
    return {name: column.tolist() for name, column in zip(names, table.T, strict=True)}


@final
@dataclass(frozen=True)
class Slope:
    """A straight line log y = value log x + intercept.

    Args:
        value: the exponent.
        error: its standard error; infinite for two points.
        intercept: natural logarithm of y at x = 1.
    """

    value: float
    error: float
    intercept: float

    def solve(self, y: float) -> float:
        """The x at which the line takes the value y."""
        return float(np.exp((np.log(y) - self.intercept) / self.value))


def log_log_slope(x: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray) -> Slope:
    """Least-squares exponent of y = c x^p, natural logarithms of both.

    Args:
        x: (n,), positive, at least two distinct values.
        y: (n,), positive.

    Raises:
        ShapeError: lengths that differ, or fewer than two distinct x.
        NonFiniteError: values that are not positive and finite.

    >>> round(log_log_slope([1.0, 10.0, 100.0], [3.0, 0.3, 0.03]).value, 9)
    -1.0
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or len(np.unique(a)) < 2:
        raise ShapeError(f"log_log_slope: got x {a.shape} and y {b.shape}, expected (n,) each with two distinct x")
    if not (np.isfinite(a) & np.isfinite(b) & (a > 0) & (b > 0)).all():
        raise NonFiniteError(
            "log_log_slope: got values that are not positive and finite, which have no logarithm; leave them out"
        )
    u, v = np.log(a), np.log(b)
    spread = float(np.sum((u - u.mean()) ** 2))
    value = float(np.sum((u - u.mean()) * (v - v.mean()))) / spread
    intercept = float(v.mean() - value * u.mean())
    rest = v - value * u - intercept
    error = float(np.sqrt(np.sum(rest**2) / (len(u) - 2) / spread)) if len(u) > 2 else float("inf")
    return Slope(value, error, intercept)
