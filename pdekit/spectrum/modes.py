"""Sets of modes to project on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError
from ._arrays import Array, as_real, as_samples, per_axis


class Modes(Protocol):
    """A finite set of functions."""

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each mode."""

    @property
    def wavevectors(self) -> Array | None:
        """(M, d) angular wave numbers, or None where the modes have none."""

    def matrix(self, points: Array) -> NDArray[np.inexact]:
        """Values (n, M) of the modes at `points` (n, d)."""


def _label(k: Array) -> str:
    return "k=" + ",".join(f"{value:.6g}" for value in k)


def as_wavevectors(name: str, k: ArrayLike) -> tuple[tuple[float, ...], ...]:
    """`k` (M,) or (M, d) as rows."""
    array = as_real(name, k)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ShapeError(f"{name}: got k of shape {array.shape}, expected (M,) or (M, d); give one row for each mode")
    array = array.reshape(len(array), -1)
    return tuple(tuple(float(value) for value in row) for row in array)


@final
@dataclass(frozen=True)
class Sines:
    """Products of sines: prod over axes a of sin(k_a (x_a - origin_a)).

    Build with `Sines.of(k)` for given wave numbers or `Sines.on_box(orders, lower, upper)` for the eigenmodes of the
    Dirichlet Laplacian on a box.
    """

    k: tuple[tuple[float, ...], ...]
    origin: tuple[float, ...]

    @classmethod
    def of(cls, k: ArrayLike) -> Sines:
        """sin(k x) for `k` (M,), or products for `k` (M, d)."""
        rows = as_wavevectors("Sines", k)
        return cls(rows, (0.0,) * len(rows[0]))

    @classmethod
    def on_box(cls, orders: ArrayLike, lower: Sequence[float], upper: Sequence[float]) -> Sines:
        """Eigenmodes of orders j (M,) or (M, d): k_a = j_a pi / (upper_a - lower_a), zero on the faces of the box."""
        rows = as_wavevectors("Sines.on_box", orders)
        lengths = np.asarray(upper, dtype=float) - np.asarray(lower, dtype=float)
        k = np.asarray(rows) * (np.pi / per_axis("Sines.on_box lengths", tuple(lengths), len(rows[0])))
        return cls(as_wavevectors("Sines.on_box", k), tuple(float(value) for value in lower))

    @property
    def labels(self) -> tuple[str, ...]:
        """The wave numbers."""
        return tuple(_label(np.asarray(row)) for row in self.k)

    @property
    def wavevectors(self) -> Array:
        """(M, d)."""
        return np.asarray(self.k)

    def matrix(self, points: Array) -> Array:
        """(n, M)."""
        return _products(np.sin, points - np.asarray(self.origin), self.wavevectors)


@final
@dataclass(frozen=True)
class Cosines:
    """Products of cosines: prod over axes a of cos(k_a x_a). Build with `Cosines.of(k)`."""

    k: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, k: ArrayLike) -> Cosines:
        """cos(k x) for `k` (M,), or products for `k` (M, d)."""
        return cls(as_wavevectors("Cosines", k))

    @property
    def labels(self) -> tuple[str, ...]:
        """The wave numbers."""
        return tuple("cos " + _label(np.asarray(row)) for row in self.k)

    @property
    def wavevectors(self) -> Array:
        """(M, d)."""
        return np.asarray(self.k)

    def matrix(self, points: Array) -> Array:
        """(n, M)."""
        return _products(np.cos, points, self.wavevectors)


@final
@dataclass(frozen=True)
class Waves:
    """Plane waves exp(i k.x), with complex coefficients. Build with `Waves.of(k)`."""

    k: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, k: ArrayLike) -> Waves:
        """exp(i k x) for `k` (M,), exp(i k.x) for `k` (M, d)."""
        return cls(as_wavevectors("Waves", k))

    @property
    def labels(self) -> tuple[str, ...]:
        """The wave vectors."""
        return tuple(_label(np.asarray(row)) for row in self.k)

    @property
    def wavevectors(self) -> Array:
        """(M, d)."""
        return np.asarray(self.k)

    def matrix(self, points: Array) -> NDArray[np.complex128]:
        """(n, M)."""
        return np.exp(1j * (points @ self.wavevectors.T))


@final
@dataclass(frozen=True)
class Functions:
    """Any functions of order one, by name: each takes points (n, d) and returns (n,)."""

    named: tuple[tuple[str, Callable[[Array], Array]], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names."""
        return tuple(name for name, _ in self.named)

    @property
    def wavevectors(self) -> None:
        """Unknown."""
        return None

    def matrix(self, points: Array) -> NDArray[np.inexact]:
        """(n, M)."""
        return np.stack([as_samples(name, f(points), len(points)).reshape(len(points)) for name, f in self.named], 1)


@final
@dataclass(frozen=True)
class Joined:
    """Several sets of modes as one, e.g. `Joined((Sines.of(k), Cosines.of(k)))`."""

    parts: tuple[Modes, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all parts in turn."""
        return tuple(label for part in self.parts for label in part.labels)

    @property
    def wavevectors(self) -> Array | None:
        """Wave vectors of all parts, if all have them."""
        known = [part.wavevectors for part in self.parts]
        return np.concatenate([k for k in known if k is not None]) if all(k is not None for k in known) else None

    def matrix(self, points: Array) -> NDArray[np.inexact]:
        """(n, M)."""
        return np.concatenate([part.matrix(points) for part in self.parts], axis=1)


def _products(function: Callable[[Array], Array], x: Array, k: Array) -> Array:
    if x.shape[1] != k.shape[1]:
        raise ShapeError(f"modes: got {k.shape[1]} wave numbers for each mode and points with {x.shape[1]} coordinates")
    result = np.ones((len(x), len(k)))
    for axis in range(x.shape[1]):
        result *= function(np.outer(x[:, axis], k[:, axis]))
    return result
