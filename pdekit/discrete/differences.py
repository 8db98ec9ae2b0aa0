"""One-dimensional difference matrices of any order, by exactness on polynomials."""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@cache
def weights(offsets: tuple[float, ...], derivative: int) -> tuple[float, ...]:
    """Weights w with sum_j w_j f(offsets_j) = f^(derivative)(0) for every polynomial of degree < len(offsets).

    >>> [round(w, 12) for w in weights((-1.0, 0.0, 1.0), 2)]
    [1.0, -2.0, 1.0]
    """
    moments = np.vander(np.array(offsets), increasing=True).T
    target = np.zeros(len(offsets))
    target[derivative] = factorial(derivative)
    return tuple(np.linalg.solve(moments, target).tolist())


def difference_matrix(
    targets: NDArray[np.float64],
    first: float,
    columns: int,
    derivative: int,
    *,
    width: int,
    edge_width: int,
    period: int | None = None,
) -> csr_matrix:
    """Matrix that takes values on a line of points at unit spacing to a derivative at `targets`.

    Args:
        targets: (rows,) positions at which the derivative is wanted.
        first: position of column 0; column j sits at first + j.
        columns: number of columns.
        derivative: its order.
        width: points per row, centred.
        edge_width: points per row where a centred row would leave the line.
        period: columns j and j + period are the same point and rows wrap around; None for a line with two ends.

    Returns:
        (rows, columns). For a spacing h divide by h**derivative.
    """
    from scipy import sparse

    rows: list[int] = []
    cols: list[int] = []
    vals: list[float] = []
    for row, target in enumerate(targets):
        start = round(target - first - (width - 1) / 2)
        members = np.arange(start, start + width)
        if period is None and (start < 0 or start + width > columns):
            start = 0 if start < 0 else columns - edge_width
            members = np.arange(start, start + edge_width)
        offsets = tuple((first + members - target).tolist())
        rows += [row] * len(members)
        cols += (members if period is None else members % period).tolist()
        vals += weights(offsets, derivative)
    return sparse.csr_matrix((vals, (rows, cols)), shape=(len(targets), columns))
