"""Star stencils compiled into calls of numpy's ufuncs.

All arrays are flat, so that each neighbour is a shift and every call runs over contiguous memory; the shifts that wrap
around a row meet a mask of zeros. Blocks keep the partial sums in the cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from .star import Star

FloatArray = NDArray[np.float64]
Step = tuple[Callable[..., object], FloatArray, "FloatArray | float", FloatArray]  # (ufunc, operand, operand, out)
_BLOCK = 8192  # numbers per block: its handful of operands stays in the fast caches


@final
@dataclass(frozen=True)
class Block:
    """A flat range of points and the mask of its interior ones; None where all are."""

    start: int
    stop: int
    mask: FloatArray | None


def neighbours(star: Star, shape: tuple[int, ...], scale: float) -> dict[int, float]:
    """Weights of the neighbours by flat offset, times `scale`."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    weights: dict[int, float] = {}
    for stride, low, high in zip(strides, star.lower, star.upper, strict=True):
        weights |= {-stride: scale * low, stride: scale * high}
    return weights


def star_program(
    source: FloatArray, target: FloatArray, weights: Mapping[int, float], load: FloatArray | None = None
) -> list[Step]:
    """Calls that set target_i = sum over offsets o of weights[o] source_(i + o) (+ load_i) at every interior point.

    Args:
        source: grid-shaped.
        target: grid-shaped; written at interior points, set to zero or left alone elsewhere.
        weights: by flat offset.
        load: grid-shaped, zero on the boundary.
    """
    groups: dict[float, list[int]] = {}  # points of equal weight are summed before they are multiplied
    for offset, weight in weights.items():
        groups.setdefault(weight, []).append(offset)
    blocks = _blocks(source.shape)
    scratch = np.empty((2, max(block.stop - block.start for block in blocks)))
    program: list[Step] = []
    for block in blocks:
        steps = _weighted_sum(source.ravel(), groups, block, scratch)
        out = target.ravel()[block.start : block.stop]
        if load is None:
            steps[-1] = (*steps[-1][:3], out)
        else:
            steps.append((np.add, steps[-1][3], load.ravel()[block.start : block.stop], out))
        program += steps
    return program


def run(program: Iterable[Step]) -> None:
    """Do the calls of a program."""
    for operation, x, y, out in program:
        operation(x, y, out)


@final
class StarOperator:
    """u -> M u for a star stencil on one grid."""

    def __init__(self, star: Star, shape: tuple[int, ...]) -> None:
        """Compile the product."""
        self._interior = (slice(1, -1),) * len(shape)
        self._source, self._target = np.zeros(shape), np.zeros(shape)
        self._program = star_program(self._source, self._target, {0: star.centre} | neighbours(star, shape, 1.0))

    def __call__(self, interior: FloatArray) -> FloatArray:
        """M u at the interior points, for values there and zeros on the boundary."""
        self._source[self._interior] = interior
        run(self._program)
        return self._target[self._interior].copy()


def _blocks(shape: tuple[int, ...]) -> list[Block]:
    """Ranges that cover the layers between the first axis's ends: whole layers together, or parts of large ones."""
    last, layer = shape[0] - 1, math.prod(shape[1:])
    if len(shape) == 1:
        return [Block(i, min(i + _BLOCK, last), None) for i in range(1, last, _BLOCK)]
    inside = np.zeros(shape[1:])
    inside[(slice(1, -1),) * (len(shape) - 1)] = 1.0
    if layer > 2 * _BLOCK:
        cuts = np.linspace(0, layer, layer // _BLOCK + 1, dtype=int).tolist()
        parts = [(i, j, inside.ravel()[i:j]) for i, j in itertools.pairwise(cuts)]
        return [Block(p * layer + i, p * layer + j, mask) for p in range(1, last) for i, j, mask in parts]
    thickness = max(1, _BLOCK // layer)
    mask = np.tile(inside.ravel(), thickness)
    ends = [(p, min(p + thickness, last)) for p in range(1, last, thickness)]
    return [Block(p * layer, q * layer, mask[: (q - p) * layer]) for p, q in ends]


def _weighted_sum(
    source: FloatArray, groups: Mapping[float, list[int]], block: Block, scratch: FloatArray
) -> list[Step]:
    """Calls that leave the masked sum of one block in the first row of `scratch`."""
    total, part = scratch[:, : block.stop - block.start]

    def shifted(offset: int) -> FloatArray:
        return source[block.start + offset : block.stop + offset]

    steps: list[Step] = []
    for index, (weight, offsets) in enumerate(groups.items()):
        out = total if index == 0 else part
        factor = weight * block.mask if block.mask is not None and len(groups) == 1 else weight
        head, *rest = offsets
        if rest:
            steps.append((np.add, shifted(head), shifted(rest[0]), out))
            steps += [(np.add, out, shifted(offset), out) for offset in rest[1:]]
            steps.append((np.multiply, out, factor, out))
        else:
            steps.append((np.multiply, shifted(head), factor, out))
        if index > 0:
            steps.append((np.add, total, part, total))
    if block.mask is not None and len(groups) > 1:
        steps.append((np.multiply, total, block.mask, total))
    return steps
