"""Experiments that repeat one measurement in several dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..experiment import Context

FloatArray = NDArray[np.float64]

Measure = Callable[[int, np.random.Generator], ArrayLike]
"""A dimension and random numbers to a number or an array, of one shape in all dimensions."""


def each_dimension(context: Context, stream: str, dims: Sequence[int], measure: Measure) -> FloatArray:
    """What `measure` returns for each seed and dimension, (seeds, dims, ...).

    Args:
        context: the seeds; hears of progress.
        stream: names the random numbers, of which each seed and dimension has its own.
        dims: the dimensions.
        measure: called once for each.
    """
    total, done, rows = len(context.seeds) * len(dims), 0, []
    for seed in context.seeds:
        row = []
        for dim in dims:
            context.report(f"seed {seed}, d = {dim}", done / total)
            row.append(measure(dim, context.numpy_generator(seed, stream, dim)))
            done += 1
        rows.append(row)
    return np.array(rows, dtype=np.float64)
