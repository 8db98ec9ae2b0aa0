"""Jacobi sweeps of a star stencil without a matrix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from .system import LinearSystem

FloatArray = NDArray[np.float64]
Block = tuple[int, int, "FloatArray | None"]  # flat range, and the mask of its interior points
Step = tuple[Callable[..., object], FloatArray, "FloatArray | float", FloatArray]  # (ufunc, operand, operand, out)
_BLOCK = 8192  # numbers per block: its handful of operands stays in the fast caches


@final
class StarJacobi:
    """u <- u + omega D^-1 (rhs - M u) on the interior of a Dirichlet grid.

    The sweep is compiled once into a list of calls of numpy's ufuncs on views of two buffers. All arrays are flat, so that
    each neighbour is a shift and every call runs over contiguous memory; the shifts that wrap around a row meet a mask of
    zeros. Blocks of whole layers keep the partial sums in the cache.

    Notes:
        About 2.5 microseconds per sweep of 1,000 points in 1-D, and 6 ns per point in 3-D.
    """

    def __init__(self, system: LinearSystem, omega: float) -> None:
        """Compile the sweep."""
        star, shape = system.star, system.grid.shape
        assert star is not None
        self._system = system
        self.monotone = star.dominant and omega <= 1.0
        self.monotone_residual = self.monotone
        self._interior = system.grid.interior
        self._buffers = (np.zeros(shape), np.zeros(shape))
        load = np.zeros(shape)
        load[self._interior] = (omega / star.centre) * system.rhs.reshape([n - 2 for n in shape])

        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        groups: dict[float, list[int]] = {}  # neighbours of equal weight are summed before they are multiplied
        if omega != 1.0:
            groups[1.0 - omega] = [0]
        for stride, low, high in zip(strides, star.lower, star.upper, strict=True):
            groups.setdefault(-omega * low / star.centre, []).append(-stride)
            groups.setdefault(-omega * high / star.centre, []).append(stride)

        first, second = (buffer.ravel() for buffer in self._buffers)
        blocks = _blocks(shape)
        scratch = np.empty((2, max(stop - start for start, stop, _ in blocks)))
        self._programs = tuple(
            [step for block in blocks for step in _steps(source, (load.ravel(), target), groups, block, scratch)]
            for source, target in ((first, second), (second, first))
        )

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n sweeps; the known values stay."""
        self._buffers[0][self._interior] = full[self._interior]
        even, odd = self._programs
        for k in range(n):
            for operation, x, y, out in odd if k & 1 else even:
                operation(x, y, out)
        swept = self._system.known.copy()
        swept[self._interior] = self._buffers[n & 1][self._interior]
        return swept


def _blocks(shape: tuple[int, ...]) -> list[Block]:
    """Flat ranges (start, stop) of the layers off the first axis's ends, each with its mask of interior points."""
    layer = math.prod(shape[1:])
    if len(shape) == 1:
        return [(i, min(i + _BLOCK, shape[0] - 1), None) for i in range(1, shape[0] - 1, _BLOCK)]
    inside = np.zeros(shape[1:])
    inside[(slice(1, -1),) * (len(shape) - 1)] = 1.0
    if layer > 2 * _BLOCK:
        cuts = np.linspace(0, layer, layer // _BLOCK + 1, dtype=int).tolist()
        parts = [(i, j, inside.ravel()[i:j]) for i, j in itertools.pairwise(cuts)]
        return [(p * layer + i, p * layer + j, mask) for p in range(1, shape[0] - 1) for i, j, mask in parts]
    thickness = max(1, _BLOCK // layer)
    mask = np.tile(inside.ravel(), thickness)
    ends = [(p, min(p + thickness, shape[0] - 1)) for p in range(1, shape[0] - 1, thickness)]
    return [(p * layer, q * layer, mask[: (q - p) * layer]) for p, q in ends]


def _steps(
    source: FloatArray,
    load_and_target: tuple[FloatArray, FloatArray],
    groups: dict[float, list[int]],
    block: Block,
    scratch: FloatArray,
) -> list[Step]:
    """The calls that bring one block of `source` one sweep further into `target`."""
    start, stop, mask = block
    load, target = (array[start:stop] for array in load_and_target)
    total, part = scratch[:, : stop - start]

    def shifted(offset: int) -> FloatArray:
        return source[start + offset : stop + offset]

    steps: list[Step] = []
    for index, (weight, offsets) in enumerate(groups.items()):
        out = total if index == 0 else part
        factor = weight * mask if mask is not None and len(groups) == 1 else weight
        head, *rest = offsets
        if not rest:
            steps.append((np.multiply, shifted(head), factor, out))
        else:
            steps.append((np.add, shifted(head), shifted(rest[0]), out))
            steps += [(np.add, out, shifted(offset), out) for offset in rest[1:]]
            steps.append((np.multiply, out, factor, out))
        if index > 0:
            steps.append((np.add, total, part, total))
    if mask is not None and len(groups) > 1:
        steps.append((np.multiply, total, mask, total))
    return [*steps, (np.add, total, load, target)]
