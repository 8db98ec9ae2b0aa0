"""The figure of the book's porous example: what each method finds on a square with holes, and where and at which frequencies it errs.

Columns: the exact solution; a plain network; a multiscale network of as many parameters, trained alike (the least squares
of frequency.py's rows, second order); the same with a coarse correction; finite elements on the mesh of the correction.
Rows: the solution, its error, its error by band.

    python benchmarks/porous.py [--seconds 300] [--size 0.114] [--seed 0] [--threads 2] [--out benchmarks/porous.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from frequency_rows import FIVE_POINTS, MSCALE_WITH_HOLES, plain
from matplotlib.axes import Axes
from pdekit.solvers import CoarseSolve, FiniteElement, Hybrid

from pdekit import Budget, problems
from pdekit.plot import plot_bands, plot_error, plot_field
from pdekit.plot_style import new_figure, save_figure
from pdekit.solution import Solution
from pdekit.solver import Solver, solve

PROBLEM = problems.PoissonPorous()
PLAIN_WIDTH = 27  # of two hidden layers: 865 parameters beside 802


def solved(solver: Solver, options: argparse.Namespace) -> Solution:
    found = solve(PROBLEM, solver, seed=options.seed, budget=Budget(seconds=options.seconds))
    print(found, flush=True)
    return found


def drawn(columns: dict[str, Solution], out: Path) -> Path:
    figure = new_figure(4.4 * (len(columns) + 1), 12.0)
    axes = figure.subplots(3, len(columns) + 1)
    x = np.linspace(-1, 1, 201)
    grid = torch.from_numpy(np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2))
    values = np.where(PROBLEM.domain.contains(grid).numpy(), PROBLEM.exact(grid)[:, 0].numpy(), np.nan)
    image = axes[0, 0].pcolormesh(x, x, values.reshape(201, 201).T, shading="nearest", rasterized=True)
    figure.colorbar(image, cax=axes[0, 0].inset_axes((1.03, 0.0, 0.045, 1.0)), label="u")
    axes[0, 0].set(title="exact", aspect="equal", xlabel="x", ylabel="y")
    for blank in axes[1:, 0]:
        blank.axis("off")
    for column, (name, solution) in zip(axes.T[1:], columns.items(), strict=True):
        plot_field(solution, column[0]).set_title(f"{name}: error {solution.measures.rel_l2:.1e}")
        plot_error(solution, column[1]).set_title("error")
        _narrowed(plot_bands(solution, column[2]), axes[2, 0])
    return save_figure(figure, out)


def _narrowed(bands: Axes, aside: Axes) -> None:
    """Without numbers at the bars, which meet in a narrow panel, and with the legend in a panel beside it."""
    bands.set_title("error by band")
    for number in list(bands.texts):
        number.remove()
    handles, labels = bands.get_legend_handles_labels()
    bands.get_legend().remove()
    named = [(h, label) for h, label in zip(handles, labels, strict=True) if not label.startswith("whole error")]
    aside.legend(*zip(*named, strict=True), title="dashed: the whole error", loc="center")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--size", type=float, default=2 * FIVE_POINTS, help="of the cells; five nodes per wavelength")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    first, then = MSCALE_WITH_HOLES, CoarseSolve(size=options.size)
    columns = {
        "plain network": solved(plain(first, PLAIN_WIDTH), options),
        "mscale": solved(first, options),
        "mscale + coarse": solved(Hybrid(first, then), options),
        "finite elements": solved(FiniteElement(options.size), options),
    }
    print(drawn(columns, options.out))


if __name__ == "__main__":
    main()
