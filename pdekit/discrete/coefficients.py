"""The coefficients of -div(A grad u) + b.grad u + c u = f, evaluated and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import IllPosedError, NotApplicableError
from .faces import Field, evaluate
from .grid import Grid

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Constants:
    """Coefficients that are the same everywhere: A and b per axis, and c."""

    diffusion: tuple[float, ...]
    advection: tuple[float, ...]
    reaction: float


@final
@dataclass(frozen=True)
class Coefficients:
    """Numbers or callables of points (n, d); None is A = 1, b = 0, c = 0.

    Args:
        source: f, (n,).
        diffusion: A, (n,) or diagonal (n, d) or full symmetric (n, d, d); positive.
        advection: b, (n, d).
        reaction: c, (n,).
    """

    source: Field
    diffusion: Field | None = None
    advection: Field | None = None
    reaction: Field | None = None

    def f(self, points: FloatArray) -> FloatArray:
        """Source at points, (n,)."""
        return evaluate("source", self.source, points)

    def c(self, points: FloatArray) -> FloatArray:
        """Reaction at points, (n,)."""
        return evaluate("reaction", 0.0 if self.reaction is None else self.reaction, points)

    def b(self, points: FloatArray) -> FloatArray:
        """Advection at points, (n, d)."""
        n, d = points.shape
        if self.advection is None:
            return np.zeros((n, d))
        trailing: tuple[tuple[int, ...], ...] = ((d,), ()) if d == 1 else ((d,),)
        return evaluate("advection", self.advection, points, trailing).reshape(n, d)

    def tensor(self, points: FloatArray) -> FloatArray:
        """Diffusion at points as returned: (n,), (n, d) or (n, d, d).

        Raises:
            IllPosedError: it is not positive (definite) somewhere.
        """
        d = points.shape[1]
        values = evaluate("diffusion", 1.0 if self.diffusion is None else self.diffusion, points, ((), (d,), (d, d)))
        if values.ndim == 3:
            smallest = np.linalg.eigvalsh(0.5 * (values + values.swapaxes(1, 2)))[:, 0]
        else:
            smallest = values if values.ndim == 1 else values.min(axis=1)
        worst = int(smallest.argmin())
        if smallest[worst] <= 0.0:
            raise IllPosedError(
                f"diffusion: got {smallest[worst]:.6g} at {points[worst].tolist()}, the smallest of {len(points)} points, "
                "expected a positive coefficient; check its formula"
            )
        return values

    def a(self, axis: int, points: FloatArray) -> FloatArray:
        """Diffusion along one axis, (n,)."""
        values = self.tensor(points)
        return values if values.ndim == 1 else (values[:, axis] if values.ndim == 2 else values[:, axis, axis])

    def constants(self, grid: Grid) -> Constants | None:
        """The coefficients where all are constant and A has no mixed entries, else None."""
        d = grid.dim
        sample = (
            [grid.points()]
            if any(map(callable, (self.diffusion, self.advection, self.reaction)))
            else [np.zeros((1, d))]
        )
        if callable(self.diffusion):
            # a coefficient that oscillates with the period of the grid looks constant at its points
            sample += [grid.midpoints(axis) for axis in range(d)]
        c, b = self.c(sample[0]), self.b(sample[0])
        if np.ptp(c) > 0.0 or np.ptp(b, axis=0).max() > 0.0:
            return None
        rows = []
        for points in sample:
            values = self.tensor(points)
            if values.ndim == 3:
                return None
            rows.append(np.broadcast_to(values.reshape(len(points), -1), (len(points), d)))
        diffusion = rows[0][0]
        if any((part != diffusion).any() for part in rows):
            return None
        return Constants(tuple(diffusion.tolist()), tuple(b[0].tolist()), float(c[0]))


def refuse_full_tensor(values: FloatArray, what: str) -> None:
    """Raise NotApplicableError if diffusion values are full matrices."""
    if values.ndim == 3:
        raise NotApplicableError(
            f"assemble: got a full diffusion matrix of shape {values.shape}, expected a scalar or diagonal coefficient with "
            f"{what}; rotate the coordinates, or use order 2 with Dirichlet or periodic faces"
        )
