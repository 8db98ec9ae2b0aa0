"""Energy forms: Deep Ritz with a penalty, Deep Nitsche with consistent boundary terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from ..checks import real
from ..conditions import Condition, Dirichlet, Neumann, Observations, Periodic, Robin, evaluate, label
from ..errors import NotApplicableError
from ..jet import Jet
from ..nn import MLP, Spread
from ..optim import Adam, Block, Cosine
from ..problem import Elliptic, Problem, Variational
from ..recipe import Objective, Turn
from .ansatz import Enforcement
from .collocation import INTERIOR, Collocation, Law, mean, mean_weight
from .formulation import Conditions, Task, require_known, weights_of
from .metric import energy_block
from .neural import Neural, Training


@final
@dataclass(frozen=True)
class Ritz:
    """E(u) + w mean (u - g)^2, E the energy over measure and size of the data (eqs 15.11-15.12, 15.19).

    Args:
        boundary_weight: w, for Dirichlet, periodic and observation terms; Neumann and Robin data are part of E.

    Notes:
        First derivatives only. With a penalty the minimiser misses the boundary data by order 1/w; hard conditions or
        `Nitsche` do not. An energy needs quadrature, not random points.
    Good values: w of 100 to 1000.
    Reference: E and Yu 2018, doi:10.1007/s40304-018-0127-z; book, section 15.2.2.
    """

    boundary_weight: float = 500.0

    def __post_init__(self) -> None:
        real("Ritz", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Needs a problem with an energy."""
        require_energy("deep-ritz", problem)

    def objective(self, task: Task) -> Objective:
        """The energy and the penalties."""
        return _EnergyObjective(task, None)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """1 for the energy, w for each penalty."""
        return weights_of(("energy",), _essential(soft), self.boundary_weight)

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """The unknown alone."""
        return (unknown,)

    @property
    def adversarial(self) -> bool:
        """A minimum."""
        return False


@final
@dataclass(frozen=True)
class Nitsche:
    """E(u) - int_D (A grad u . n)(u - g) + penalty / (2 L) int_D (u - g)^2, with L the size of the domain.

    The flux term makes the exact solution a stationary point for every penalty that keeps the form positive, so no
    large penalty is needed.

    Args:
        penalty: dimensionless; must outweigh the inverse estimate of the network, |A grad u . n| <= C |grad u|.
        boundary_weight: of periodic and observation terms.

    Notes: unbounded below when the penalty is too small for how steep the network gets near the boundary. Second-order
        training finds such networks: a disk with 595 parameters had its answer after 30 natural gradients and left it
        after 80.
    Good values: 20 to 100; few units, and NaturalGradient(smallest=1e-9), which keeps away from steep ones.
    Reference: Liao and Ming 2021, doi:10.4208/cicp.OA-2020-0219.
    """

    penalty: float = 100.0
    boundary_weight: float = 100.0

    def __post_init__(self) -> None:
        real("Nitsche", "penalty", self.penalty, low=0.0)
        real("Nitsche", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Needs a symmetric elliptic problem with a Dirichlet part."""
        require_energy("deep-nitsche", problem)
        if not isinstance(problem, Elliptic):
            raise NotApplicableError(
                f"deep-nitsche: {problem.name} is not linear of second order, as its boundary terms need, expected an "
                "Elliptic problem; use deep-ritz"
            )

    def objective(self, task: Task) -> Objective:
        """The energy with Nitsche's terms."""
        return _EnergyObjective(task, self.penalty)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """1 for the energy, which holds the Dirichlet terms."""
        rest = [c for c in _essential(soft) if not isinstance(c, Dirichlet)]
        return weights_of(("energy",), rest, self.boundary_weight)

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """The unknown alone."""
        return (unknown,)

    @property
    def adversarial(self) -> bool:
        """A minimum."""
        return False


def require_energy(solver: str, problem: Problem) -> None:
    """Raise NotApplicableError unless the problem declares an energy and has one, with known coefficients."""
    if not isinstance(problem, Variational):
        raise NotApplicableError(f"{solver}: {problem.name} has no energy, expected a Variational problem; use pinn")
    require_known(solver, problem)
    if not problem.has_energy:
        raise NotApplicableError(
            f"{solver}: {problem.name} has advection, expected a symmetric operator; use pinn or wan"
        )


def _essential(soft: Sequence[Condition]) -> list[Condition]:
    return [c for c in soft if isinstance(c, Dirichlet | Periodic | Observations)]


@final
class _EnergyObjective:
    def __init__(self, task: Task, nitsche: float | None) -> None:
        assert isinstance(task.problem, Variational)  # `require` has seen to it
        self._problem, self._task, self._jets, self._penalty = task.problem, task, task.jets(), nitsche
        self._plan = self._jets.plan(task.problem.energy)
        self._surface_plan = self._jets.plan(lambda u: (u.value, u.grad))
        penalised = (Periodic, Observations) if nitsche is not None else (Dirichlet, Periodic, Observations)
        self._conditions = Conditions(task, self._jets, penalised)
        self._natural = [c for c in task.soft if isinstance(c, Neumann | Robin)]
        for condition in self._natural:
            if not task.problem.natural(condition):
                raise NotApplicableError(
                    f"deep-ritz: {task.problem.name}: {label(condition)} is essential, which no penalty here enforces, "
                    "expected it to be built in; use conditions=hard"
                )
        self._nitsche = [c for c in task.soft if isinstance(c, Dirichlet)] if nitsche is not None else []
        domain = task.problem.domain
        self._measure, self._size = domain.measure(), max(domain.lengths)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"u": self._task.ansatz}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._task.points.sample(generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        energy = mean(batch, INTERIOR, self._problem.energy(self._jets(INTERIOR, batch, self._plan)))
        for condition in (*self._natural, *self._nitsche):
            name = label(condition)
            density = self._surface(condition, batch, self._jets(name, batch, self._surface_plan))
            energy = energy + (density[:, 0] * batch[f"{name}.weight"]).sum() / self._measure
        return {"energy": energy / self._task.scale} | self._conditions.terms(batch)

    @property
    def least_squares(self) -> bool:
        return False

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> list[Block]:
        weight = mean_weight(batch, INTERIOR) / self._task.scale
        blocks = [energy_block("energy", batch, INTERIOR, weight, self._problem.energy, self._plan, self._jets)]
        for condition in (*self._natural, *self._nitsche):
            name = label(condition)
            weight = batch[f"{name}.weight"] / (self._measure * self._task.scale)
            density = partial(self._surface, condition, batch)
            blocks.append(energy_block("energy", batch, name, weight, density, self._surface_plan, self._jets))
        return [*blocks, *self._conditions.blocks(batch)]

    def _surface(self, condition: Neumann | Robin | Dirichlet, batch: Mapping[str, Tensor], u: Jet) -> Tensor:
        """Density on the condition's part of the boundary, (n, 1)."""
        name = label(condition)
        if isinstance(condition, Dirichlet):
            assert self._penalty is not None
            gap = u.value - u.data(name, lambda x: evaluate(name, condition.value, x))
            flux = self._problem.normal_flux(u, batch[f"{name}.normal"])
            return -flux * gap + 0.5 * self._penalty / self._size * gap**2
        return self._problem.boundary_energy(condition, u)


def deep_ritz() -> Neural:
    """Deep Ritz: tanh units spread over the domain, quadrature points, hard conditions."""
    return Neural(
        name="deep-ritz",
        formulation=Ritz(),
        network=MLP(width=50, depth=2, init=Spread(3.0)),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=1500, optimizer=Adam(5e-3), schedule=Cosine(), polish=300),
        conditions=Enforcement.HARD,
    )


def deep_nitsche() -> Neural:
    """Deep Nitsche: as deep-ritz, with the boundary data in the energy."""
    return Neural(
        name="deep-nitsche",
        formulation=Nitsche(),
        network=MLP(width=50, depth=2, init=Spread(3.0)),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE, boundary_points=400),
        training=Training(steps=1500, optimizer=Adam(5e-3), schedule=Cosine(), polish=300),
        conditions=Enforcement.SOFT,
    )
