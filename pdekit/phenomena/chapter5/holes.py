"""mscale-poisson-holes: a multiscale network resolves the oscillations on a square with holes, a plain one does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol, final

import numpy as np
import torch
from torch import Tensor, nn

from ...checks import real
from ...conditions import Condition, Dirichlet
from ...domain import Rectangle
from ...geometry import Difference, Disk
from ...nn import MLP, Architecture, BSpline, Glorot, Multiscale, Sine
from ...nn.frame import Frame
from ...nn.stacked import Stacked, stack
from ...optim import Adam, Constant
from ...plot_style import ERROR_MAP, grid_lines, style
from ...problem import Elliptic
from ...sampling import Sobol, interior_points
from ...solver import solve
from ...solvers import Collocation, Enforcement, Law, Neural, Ritz, Training
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit, fit
from ..records import LogSpaced
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class ThreeHoles(Elliptic):
    """-lap u = 2 mu^2 sin(mu x) sin(mu y) on (-1, 1)^2 without three discs, u = sin(mu x) sin(mu y) on the boundary.

    Args:
        mu: wave number along each axis.

    Reference: Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179, section 6.1.3, domain 1; book, eqs 5.4 and 5.5.
    """

    name: ClassVar[str] = "poisson-three-holes"
    hard_because: ClassVar[str] = "high frequency only, on a square with three holes"

    mu: float = 7 * math.pi

    def __post_init__(self) -> None:
        real(self.name, "mu", self.mu, low=0.0)

    @cached_property
    def domain(self) -> Difference:
        """The square without the discs."""
        discs = (Disk((-0.5, -0.5), 0.1), Disk((0.5, 0.5), 0.2), Disk((0.5, -0.5), 0.2))
        return Difference(Rectangle((-1, -1), (1, 1)), discs)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """u = exact on the whole boundary."""
        return (Dirichlet("boundary", self.exact),)

    def source(self, x: Tensor) -> Tensor:
        """2 mu^2 u."""
        return 2 * self.mu**2 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        """sin(mu x) sin(mu y)."""
        return torch.sin(self.mu * x).prod(dim=1, keepdim=True)


Function = Callable[[Tensor], Tensor]
"""Points (n, 2) to values (n, 1)."""


@final
@dataclass(frozen=True, eq=False)
class Found:
    """What one architecture found, one network per seed.

    Args:
        functions: S of them.
        errors: (S,) relative L2 errors.
        steps: (T,) recorded steps.
        course: (T, S) what `measure` names.
        parameters: of each network.
    """

    functions: tuple[Function, ...]
    errors: tuple[float, ...]
    steps: np.ndarray
    course: np.ndarray
    parameters: int


class Method(Protocol):
    """How a network is made to resemble the solution."""

    @property
    def measure(self) -> str:
        """What it records."""
        ...

    def find(self, problem: ThreeHoles, network: Architecture, context: Context, label: str) -> Found:
        """Train one network per seed."""
        ...


@final
@dataclass(frozen=True)
class ByEnergy:
    """Solves the equation by its energy, with a penalty for the boundary values.

    Args:
        points: in the interior.
        boundary_points: on all boundaries together.
        training: the optimisers.
        penalty: weight of the boundary condition.
    """

    points: int = 5000
    boundary_points: int = 5000
    training: Training = field(default_factory=lambda: Training(20_000, Adam(1e-3), Constant(), 0, record_every=100))
    penalty: float = 1000.0
    measure: ClassVar[str] = "energy, per measure and size of the data"

    def find(self, problem: ThreeHoles, network: Architecture, context: Context, label: str) -> Found:
        """Solve once per seed."""
        collocation = Collocation(self.points, Law.GAUSS_LEGENDRE, self.boundary_points)
        solver = Neural(label, Ritz(self.penalty), network, collocation, self.training, Enforcement.SOFT)
        solutions = []
        for number, seed in enumerate(context.seeds):
            context.report(label, number / len(context.seeds))
            solutions.append(solve(problem, solver, seed=seed))
        context.report(label, 1.0)
        return Found(
            tuple(solution.field for solution in solutions),
            tuple(math.nan if s.measures.rel_l2 is None else float(s.measures.rel_l2) for s in solutions),
            solutions[0].history["step"],
            np.stack([solution.history["energy"] for solution in solutions], axis=1),
            solutions[0].measures.parameters or 0,
        )


@final
@dataclass(frozen=True)
class ByValues:
    """Fits the solution itself at points of the domain: which functions a network finds, without the equation.

    Args:
        points: fitted.
        test_points: on which errors are measured.
        fit: the training.
    """

    points: int = 1000
    test_points: int = 2000
    fit: Fit = field(default_factory=lambda: Fit(600, Adam(1e-3), record=LogSpaced(40)))
    measure: ClassVar[str] = "relative L2 error"

    def find(self, problem: ThreeHoles, network: Architecture, context: Context, label: str) -> Found:
        """Fit one network per seed, all at once, to the same points."""
        x, at = (
            interior_points(problem.domain, Sobol(count), context.generator(context.seeds[0], "points", count)).x
            for count in (self.points, self.test_points)
        )
        frame = Frame(problem.domain.lower, problem.domain.upper, 1, torch.float32)
        networks = [network.build(frame, context.generator(seed, "weights")) for seed in context.seeds]
        x, at = x.to(torch.float32), at.to(torch.float32)
        history = fit(stack(networks), x, problem.exact(x), self.fit, context, at=at, label=label)
        exact = problem.exact(at)[:, 0].double().numpy()
        error = np.linalg.norm(history.outputs[..., 0] - exact, axis=2) / np.linalg.norm(exact)
        stacked = history.network
        assert isinstance(stacked, Stacked)
        trained = [stacked.unstack(number) for number in range(len(context.seeds))]
        parameters = sum(p.numel() for p in trained[0].parameters())
        return Found(tuple(map(_single, trained)), tuple(error[-1].tolist()), history.steps, error, parameters)


@final
@dataclass(frozen=True)
class Holes:
    """The problem, two networks with about as many parameters, and how both are trained.

    Args:
        problem: on the square with holes.
        multiscale: one subnetwork per scale.
        plain: the other.
        method: the same for both.
        error: largest relative L2 error of the multiscale network; infinite for no such claim.

    Notes: 2000 steps of Adam on the energy with 1000 points take minutes per network and seed, so the small size fits
        the solution instead, as the catalogue allows.
    """

    problem: ThreeHoles
    multiscale: Architecture
    plain: Architecture
    method: Method
    error: float = math.inf


def run(config: Holes, context: Context) -> Finding:
    """Train both networks once per seed and compare the errors."""
    networks = {"multiscale": config.multiscale, "plain": config.plain}
    found = {name: config.method.find(config.problem, one, context, name) for name, one in networks.items()}
    multiscale, plain = found.values()
    pairs = list(zip(multiscale.errors, plain.errors, strict=True))
    claims = [
        Claim.over_seeds(
            "a multiscale network resolves the oscillations better than a plain one of as many parameters",
            "relative L2 error at the end at most half of the plain network's",
            {name: one.errors for name, one in found.items()},
            [ours <= 0.5 * theirs for ours, theirs in pairs],
        )
    ]
    if math.isfinite(config.error):
        claims.append(
            Claim.over_seeds(
                "the multiscale network resolves them",
                f"relative L2 error below {config.error:g}",
                {"multiscale": multiscale.errors},
                [error < config.error for error in multiscale.errors],
            )
        )
    line = np.linspace(-1.0, 1.0, 201)
    exact, *fields = (
        _values(function, config.problem, line)
        for function in (config.problem.exact, *(one.functions[0] for one in found.values()))
    )

    def draw_fields(figure: Figure) -> None:
        axes = figure.subplots(1, 3, sharey=True)
        for ax, values, name in zip(axes, (exact, *fields), ("exact", *found), strict=True):
            shown = ax.imshow(values, origin="lower", extent=(-1, 1, -1, 1), cmap=ERROR_MAP, vmin=-1.2, vmax=1.2)
            title = name if name == "exact" else f"{name}: error {found[name].errors[0]:.2g}"
            ax.set(xlabel="x", title=title)
        axes[0].set_ylabel("y")
        figure.colorbar(shown, ax=axes, label="u", shrink=0.8)

    def draw_course(figure: Figure) -> None:
        ax = figure.subplots()
        for number, (name, one) in enumerate(found.items()):
            for seed, curve in enumerate(one.course.T):
                ax.plot(one.steps, curve, linewidth=1.0, label="" if seed else name, color=style(number)["color"])
        ax.set(xlabel="optimiser step", ylabel=config.method.measure)
        ax.legend()
        grid_lines(ax)

    return Finding(
        tuple(claims),
        {"x": line, "exact": exact, "multiscale": fields[0], "plain": fields[1]}
        | {f"{name}_{part}": array for name, one in found.items() for part, array in _courses(one)},
        {"fields": draw_fields, "course": draw_course},
        numbers={"parameters": {name: one.parameters for name, one in found.items()}, "method": _method(config)},
    )


def _courses(found: Found) -> tuple[tuple[str, np.ndarray], ...]:
    return ("steps", found.steps), ("course", found.course)


def _method(config: Holes) -> str:
    return type(config.method).__name__


def _single(network: nn.Module) -> Function:
    """A trained network of single precision as a function of points of any."""

    def function(x: Tensor) -> Tensor:
        with torch.no_grad():
            values: Tensor = network(x.to(torch.float32))
        return values

    return function


def _values(function: Function, problem: ThreeHoles, line: FloatArray) -> FloatArray:
    """Values (p, p) on a grid of the square; NaN in the holes."""
    grid = torch.cartesian_prod(torch.as_tensor(line), torch.as_tensor(line))
    values = function(grid)[:, 0].to(torch.float64)
    values[problem.domain.signed_distance(grid) > 0] = math.nan
    found: FloatArray = values.numpy().reshape(len(line), len(line)).T
    return found


_SCALES = (1.0, 2.0, 4.0, 8.0, 16.0)

EXPERIMENT = Experiment(
    id="mscale-poisson-holes",
    chapter=5,
    source="Figs 5.2 and 5.3, Eqs 5.2-5.6, section 5.1.1",
    title="a multiscale network resolves the oscillations on a square with holes, a plain one does not",
    quick=Holes(
        ThreeHoles(3 * math.pi),
        Multiscale(40, 3, _SCALES, activation=Sine(), init=Glorot()),
        MLP(91, 3, Sine(), Glorot()),
        ByValues(),
    ),
    full=Holes(
        ThreeHoles(), Multiscale(200, 3, _SCALES, activation=BSpline(2)), MLP(451, 3, BSpline(2)), ByEnergy(), error=0.2
    ),
    run=run,
)
