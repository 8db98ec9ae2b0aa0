"""sd2nn-three-scale: networks that are kept orthogonal find one scale of the solution each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from ...parts import PartField, field_parts, own_shares
from ...plot_style import ERROR_MAP, INK, grid_lines, style
from ...problems import EllipticThreeScale
from ...solution import Solution
from ...solver import Solver, solve
from ...solvers import mscale, sd2
from ...spectrum import Hann, Spectrum, spectrum
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 4001
"""Of the grid that parts are looked at on: 40 per period of the finest scale."""


@final
@dataclass(frozen=True)
class ThreeScale:
    """The problem, the solver with one network for each scale, and a multiscale network to compare it with.

    Args:
        problem: with the scales 1, e1 and e2.
        solver: its parts are for the scales of the problem.
        rival: another solver, if it is to be compared.
        error: largest relative L2 error of the whole.
        gain: by what factor the rival's error must be larger.

    Notes: natural gradients reach in 80 steps what the source's 60,000 epochs of Adam are for.
    """

    problem: EllipticThreeScale = field(default_factory=EllipticThreeScale)
    solver: Solver = field(default_factory=sd2)
    rival: Solver | None = None
    error: float = 0.02
    gain: float = 5.0


def exact_parts(problem: EllipticThreeScale, x: FloatArray) -> FloatArray:
    """x - x^2 and the two sines it is the sum of, (3, n)."""
    waves = [e / (4 * math.pi) * np.sin(2 * math.pi / e * x) for e in (problem.e1, problem.e2)]
    return np.stack([x - x**2, *waves])


def equation_error(problem: EllipticThreeScale) -> float:
    """Largest difference of f and -(A u')' by automatic differentiation of the stated u and A, relative to f."""
    x = torch.linspace(0.0, 1.0, 1001, dtype=torch.float64)[:, None].requires_grad_()

    def slope(values: Tensor) -> Tensor:
        return torch.autograd.grad(values.sum(), x, create_graph=True)[0]

    flux = problem.diffusion(x) * slope(problem.exact(x))
    f = problem.source(x).detach()
    return float((f + slope(flux).detach()).abs().max() / f.abs().max())


def run(config: ThreeScale, context: Context) -> Finding:
    """Solve once per seed, and look at what each network holds."""
    domain = config.problem.domain
    solutions = _solutions(config, config.solver, context, "one network per scale")
    parts = [field_parts(solution.field, domain) for solution in solutions]
    names = list(parts[0])
    shares = [own_shares(each, domain) for each in parts]
    x = np.linspace(0.0, 1.0, POINTS)
    values = np.stack([[_values(part, x) for part in each.values()] for each in parts])  # (S, 3, n)
    cosines = np.stack([_cosines(each) for each in values])
    errors = [_error(solution) for solution in solutions]
    checked = equation_error(config.problem)
    claims = [
        Claim(
            "the stated u solves -(A u')' = f",
            "f equals -(A u')' by automatic differentiation within 1e-10 of its size",
            {"largest difference": checked},
            checked <= 1e-10,
        ),
        Claim.over_seeds(
            "each network takes its own scale",
            "at least 80 % of the energy of every network is in its own band of frequencies",
            {name: [share[name] for share in shares] for name in names},
            [min(share.values()) >= 0.8 for share in shares],
        ),
        Claim.over_seeds(
            "their sum is the solution",
            f"relative L2 error below {config.error:g}",
            {"error": errors},
            [error < config.error for error in errors],
        ),
    ]
    numbers: dict[str, object] = {"largest cosine between parts": _off_diagonal(cosines)}
    if config.rival is not None:
        others = [_error(solution) for solution in _solutions(config, config.rival, context, "rival")]
        claims.append(
            Claim.over_seeds(
                "a multiscale network without such parts is less accurate",
                f"its error is at least {config.gain:g} times as large",
                {"error": errors, "error of the rival": others},
                [error <= other / config.gain for error, other in zip(errors, others, strict=True)],
            )
        )
    exact = exact_parts(config.problem, x)

    def draw_parts(figure: Figure) -> None:
        axes = figure.subplots(1, len(names))
        for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
            seen = x <= (1.0, 3 * config.problem.e1, 5 * config.problem.e2)[number]
            ax.plot(x[seen], exact[number, seen], color=INK, linewidth=2.5, alpha=0.35, label="exact")
            ax.plot(x[seen], values[0, number, seen], label="found", **style(number))
            ax.set(xlabel="x", title=name)
            grid_lines(ax)
        axes[0].legend(fontsize=8)
        axes[0].set_ylabel("part of the solution")

    def draw_spectra(figure: Figure) -> None:
        axes = figure.subplots(1, len(names), sharex=True, sharey=True)
        for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
            for row, label, look in (
                (exact[number], "exact", {"color": INK, "linewidth": 2.5, "alpha": 0.35}),
                (values[0, number], name, style(number)),
            ):
                of = _spectrum(row)
                k = of.wavenumbers[0]
                ax.loglog(k[k > 0], of.magnitude[k > 0] + 1e-12, label=label, **look)
            ax.set(xlabel="wave number k", title=name, ylim=(1e-9, 1), xlim=(None, 1500))
            grid_lines(ax)
        axes[0].set_ylabel("amplitude")

    def draw_cosines(figure: Figure) -> None:
        ax = figure.subplots()
        shown = ax.imshow(cosines[0], cmap=ERROR_MAP, vmin=-1, vmax=1)
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(names)), names)
        for row in range(len(names)):
            for column in range(len(names)):
                ax.text(
                    column,
                    row,
                    f"{cosines[0, row, column]:.3f}",
                    ha="center",
                    va="center",
                    color="white" if row == column else INK,
                )
        ax.set(xlabel="part", ylabel="part", title="inner products over the norms")
        figure.colorbar(shown, ax=ax)

    return Finding(
        tuple(claims),
        {"x": x, "parts": values, "exact_parts": exact, "cosines": cosines},
        {"parts": draw_parts, "spectra": draw_spectra, "cosines": draw_cosines},
        numbers=numbers,
    )


def _solutions(config: ThreeScale, solver: Solver, context: Context, label: str) -> list[Solution]:
    found = []
    for number, seed in enumerate(context.seeds):
        context.report(label, number / len(context.seeds))
        found.append(solve(config.problem, solver, seed=seed))
    context.report(label, 1.0)
    return found


def _error(solution: Solution) -> float:
    error = solution.measures.rel_l2
    return math.nan if error is None else float(error)


def _values(part: PartField, x: FloatArray) -> FloatArray:
    found: FloatArray = part.field(torch.as_tensor(x)[:, None])[:, 0].numpy()
    return found


def _spectrum(values: Sequence[float] | FloatArray) -> Spectrum:
    return spectrum(values, 1.0 / (POINTS - 1), window=Hann())


def _cosines(values: FloatArray) -> FloatArray:
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    products: FloatArray = units @ units.T
    return products


def _off_diagonal(cosines: FloatArray) -> Mapping[str, float]:
    size = cosines.shape[-1]
    return {"value": float(np.abs(cosines[:, ~np.eye(size, dtype=bool)]).max())}


EXPERIMENT = Experiment(
    id="sd2nn-three-scale",
    chapter=5,
    source="Figs 5.4 and 5.5, Eqs 5.7-5.10, section 5.1.2",
    title="networks that are kept orthogonal find one scale of the solution each",
    quick=ThreeScale(),
    full=ThreeScale(rival=mscale(), error=5e-4),
    run=run,
)
