"""How many unknowns a partial differential equation in d dimensions has on a grid."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...discrete import DirichletFace, Grid, LinearSystem, assemble
from ...errors import MemoryBudgetError
from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

APPLICATIONS = (("Schroedinger's equation, 10 particles", 30), ("Black-Scholes equation, 100 assets", 100))


@final
@dataclass(frozen=True)
class Unknowns:
    """Section 2.2.2: Poisson's equation on the unit cube; the book leaves n open.

    Args:
        n: unknowns per axis.
        dims: the matrix is assembled up to this dimension.
        refused: in this dimension it is far beyond any memory.
        products: of matrix and vector, timed; the shortest counts.
    """

    n: int = 10
    dims: int = 6
    refused: int = 10
    products: int = 5


def run(config: Unknowns, context: Context) -> Finding:
    """Assemble -lap u = 1 by finite differences for growing d; count unknowns, non-zeros, bytes and time."""
    dims = np.arange(1, config.dims + 1)
    unknowns, nonzeros, size, seconds = (np.empty(len(dims)) for _ in range(4))
    for row, dim in enumerate(dims.tolist()):
        context.report(f"d = {dim}", row / len(dims))
        matrix = _poisson(config.n, dim).matrix
        unknowns[row], nonzeros[row] = matrix.shape[0], matrix.nnz
        size[row] = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        seconds[row] = min(_seconds(matrix, np.ones(matrix.shape[0])) for _ in range(config.products))
    expected = [nonzero_count(config.n, dim) for dim in dims.tolist()]
    per_nonzero = size[-1] / nonzeros[-1]
    far = per_nonzero * nonzero_count(config.n, config.refused)
    return Finding(
        claims=(
            Claim(
                "finite differences for Poisson's equation on the d-cube have n^d unknowns",
                f"exactly, n = {config.n}, d = 1 to {config.dims}",
                {f"unknowns, d = {d}": float(count) for d, count in zip(dims, unknowns, strict=True)},
                unknowns.tolist() == [config.n**d for d in dims.tolist()],
                note="n counts interior points per axis; n intervals have n - 1",
            ),
            Claim(
                "and a matrix that grows as fast",
                "exactly (2d+1) n^d - 2d n^(d-1) non-zeros",
                {f"non-zeros, d = {d}": float(count) for d, count in zip(dims, nonzeros, strict=True)},
                nonzeros.tolist() == expected,
            ),
            Claim(
                "already moderate dimensions are out of reach",
                f"the matrix would take more than 1e11 bytes in {config.refused} dimensions",
                {f"bytes, d = {config.refused}": far, f"bytes, d = {config.dims}": float(size[-1])},
                far > 1e11,
            ),
        ),
        arrays={
            "dims": dims,
            "unknowns": unknowns,
            "nonzeros": nonzeros,
            "bytes": size,
            "matvec_seconds": seconds,
        },
        figures={"unknowns": partial(_draw, config.n, dims, unknowns, size, seconds)},
        numbers={
            f"what pdekit says in {config.refused} dimensions": _refusal(config),
            "seconds of one product, by dimension (CPU time of this machine)": seconds.tolist(),
            **{f"unknowns of {name} with {config.n} per axis": f"{config.n}^{dim}" for name, dim in APPLICATIONS},
        },
    )


def nonzero_count(n: int, dim: int) -> int:
    """Non-zeros of the star stencil: 2d + 1 in each row, less those that would reach over a face."""
    return (2 * dim + 1) * n**dim - 2 * dim * n ** (dim - 1)


def _poisson(n: int, dim: int) -> LinearSystem:
    grid = Grid((0.0,) * dim, (1.0,) * dim, (n + 2,) * dim)
    walls = {(axis, side): DirichletFace() for axis in range(dim) for side in (0, 1)}
    return assemble(grid, source=1.0, faces=walls)


def _refusal(config: Unknowns) -> str:
    try:
        _poisson(config.n, config.refused)
    except MemoryBudgetError as error:
        return str(error)
    return "nothing: it fits into this machine"


def _seconds(matrix: object, vector: FloatArray) -> float:
    start = time.process_time()
    matrix @ vector  # type: ignore[operator]
    return time.process_time() - start


def _draw(
    n: int, dims: np.ndarray, unknowns: FloatArray, size: FloatArray, seconds: FloatArray, figure: Figure
) -> None:
    left, right = figure.subplots(1, 2)
    far = np.arange(1, 31)
    left.plot(far, float(n) ** far, color=INK, linestyle="--", label=f"${n}^d$")
    left.plot(dims, unknowns, "o", color=PALETTE[0], label="unknowns, assembled")
    left.plot(dims, size, "s", color=PALETTE[1], label="bytes of the matrix")
    left.axvline(30, color=PALETTE[2], linestyle=":", label="10 particles")
    left.set(yscale="log", xlabel="dimension d", ylabel="number")
    right.plot(dims, np.maximum(seconds, 1e-7), "o-", color=PALETTE[0])
    right.set(yscale="log", xlabel="dimension d", ylabel="seconds for one matrix-vector product")
    for ax in (left, right):
        grid_lines(ax)
    left.legend(fontsize=8)


EXPERIMENTS = (
    Experiment(
        "cod-pde-unknowns",
        2,
        "Section 2.2.2",
        "finite differences for Poisson's equation have n^d unknowns",
        quick=Unknowns(),
        full=Unknowns(),
        run=run,
        quick_seeds=1,
        full_seeds=1,
    ),
)
