"""Weak adversarial form: a network against test functions that look for where the weak residual is largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..conditions import Condition, Dirichlet, Neumann, Observations, Periodic, Robin, label
from ..constraints import BoxDistance
from ..domain import Box
from ..errors import NotApplicableError
from ..jet import Jet
from ..nn import MLP, Architecture, Frame, HardConstraint, Spread
from ..optim import Adam, Cosine, Optimizer
from ..problem import Elliptic, Problem, conditions_of
from ..recipe import Objective, Turn
from .ansatz import Enforcement, Jets
from .collocation import INTERIOR, Collocation, Law
from .formulation import Conditions, Task, require_known, weights_of
from .neural import Neural, Training


@final
@dataclass(frozen=True)
class WeakAdversarial:
    """min over u, max over the test functions, of  r^T G^-1 r,  r_i = a(u, phi_i) - l(phi_i),  G_ij = int grad phi_i . grad phi_j.

    The adversary is one network with several outputs that vanish on the Dirichlet boundary. r^T G^-1 r is the largest
    (a(u, phi) - l(phi))^2 / |phi|_1^2 over their span (eqs 15.14-15.16, normalised by the norm of phi): the squared dual
    norm of the residual as far as the adversary sees it. With one output it is the original method.

    Args:
        adversary: network of the test functions.
        tests: its outputs.
        adversary_optimizer: how it moves.
        adversary_updates: its updates per step.
        boundary_weight: of soft conditions.

    Notes:
        First derivatives only, and u may have kinks. A saddle point: losses oscillate, and polishing by a second-order
        method would freeze the adversary, so leave it off.
    Good values: 20 to 50 tests, one update per step.
    Reference: Zang, Bao, Ye, Zhou 2020, doi:10.1016/j.jcp.2020.109409; book, section 15.2.3.
    """

    adversary: Architecture = field(default_factory=lambda: MLP(width=50, depth=2, init=Spread(3.0, start=1.0)))
    tests: int = 40
    adversary_optimizer: Optimizer = field(default_factory=lambda: Adam(1e-3))
    adversary_updates: int = 1
    boundary_weight: float = 100.0

    def __post_init__(self) -> None:
        integer("WeakAdversarial", "tests", self.tests)
        integer("WeakAdversarial", "adversary_updates", self.adversary_updates)
        real("WeakAdversarial", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Needs an elliptic problem on a box with a Dirichlet part."""
        if not isinstance(problem, Elliptic):
            raise NotApplicableError(
                f"wan: {problem.name} declares no weak form, expected an Elliptic problem; use pinn"
            )
        require_known("wan", problem)
        if not isinstance(problem.domain, Box) or not conditions_of(problem, Dirichlet):
            raise NotApplicableError(
                f"wan: {problem.name} needs a box with a Dirichlet part, where test functions vanish; use pinn"
            )

    def objective(self, task: Task) -> Objective:
        """The two players' losses."""
        return _WeakObjective(task, self)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """1 for the weak residual of both players."""
        return weights_of(("weak", "adversary"), _penalised(soft), self.boundary_weight)

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """The unknown, then its adversary."""
        return (unknown, Turn("phi", self.adversary_optimizer, self.adversary_updates, unknown.schedule))

    @property
    def adversarial(self) -> bool:
        """A saddle point."""
        return True


def _penalised(soft: Sequence[Condition]) -> list[Condition]:
    return [c for c in soft if isinstance(c, Dirichlet | Periodic | Observations)]


@final
class _WeakObjective:
    def __init__(self, task: Task, form: WeakAdversarial) -> None:
        problem = task.problem
        assert isinstance(problem, Elliptic)  # `require` has seen to it
        self._task, self._problem = task, problem
        parameter = next(task.ansatz.parameters())
        domain = problem.domain
        frame = Frame(domain.lower, domain.upper, form.tests, parameter.dtype)
        built = form.adversary.build(frame, task.generator)
        self._adversary = HardConstraint(built, _vanishing(problem), None).to(parameter.device)
        self._jets = task.jets()
        self._tests = Jets(problem, self._adversary, steps=task.steps, outputs=("phi",) * form.tests)
        self._plan = self._jets.plan(lambda u: (u.value, u.grad))
        self._conditions = Conditions(task, self._jets, (Dirichlet, Periodic, Observations))
        self._natural = [c for c in task.soft if isinstance(c, Neumann | Robin)]
        self._measure = domain.measure()

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"u": self._task.ansatz, "phi": self._adversary}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._task.points.sample(generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        # The player who does not move is evaluated without a graph.
        with torch.set_grad_enabled(player == "u"):
            u = self._jets(INTERIOR, batch, self._plan)
            values = {c: self._jets(label(c), batch, self._plan) for c in self._natural}
        with torch.set_grad_enabled(player == "phi"):
            phi = self._tests(INTERIOR, batch, self._plan)
            tested = {c: self._tests(label(c), batch, self._plan) for c in self._natural}
        weight = batch[f"{INTERIOR}.weight"] / self._measure
        residual = _tested(self._problem, u, phi, weight)
        for condition in self._natural:
            surface = batch[f"{label(condition)}.weight"] / self._measure
            load = self._problem.boundary_weak(condition, values[condition])
            residual = residual + (surface[:, None] * load * tested[condition].value).sum(dim=0)
        ratio = _ratio(residual, phi, weight) / self._task.scale**2
        if player == "phi":
            return {"adversary": -torch.log(ratio + torch.finfo(ratio.dtype).tiny)}
        return {"weak": ratio} | self._conditions.terms(batch)


def _tested(problem: Elliptic, u: Jet, phi: Jet, weight: Tensor) -> Tensor:
    """a(u, phi_i) - l(phi_i) for all tests i at once, (m,)."""
    flux, load = problem.weak_parts(u)
    return torch.einsum("n,ns,nms->m", weight, flux, phi.grad) + torch.einsum("n,nk,nm->m", weight, load, phi.value)


def _ratio(residual: Tensor, phi: Jet, weight: Tensor) -> Tensor:
    """r^T G^-1 r with a relative shift that keeps nearly dependent tests from dividing by zero."""
    gradient = phi.grad * weight.sqrt()[:, None, None]
    flat = gradient.permute(1, 0, 2).reshape(len(residual), -1)
    gram = flat @ flat.T
    shift = 1e3 * torch.finfo(gram.dtype).eps * gram.diagonal().sum()
    gram = gram + shift * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    factor = torch.linalg.cholesky(gram)
    return (torch.linalg.solve_triangular(factor, residual[:, None], upper=False) ** 2).sum()


def _vanishing(problem: Problem) -> nn.Module:
    """Zero on the Dirichlet faces."""
    box = problem.domain
    assert isinstance(box, Box)
    powers = [[0, 0] for _ in range(box.dim)]
    for condition in conditions_of(problem, Dirichlet):
        for part in box.resolve(condition.where):
            axis, side = box.face(part)
            powers[axis][side] = 1
    return BoxDistance(box.lower, box.upper, [(low, high) for low, high in powers])


def wan() -> Neural:
    """Weak adversarial network with hard conditions and quadrature points."""
    return Neural(
        name="wan",
        formulation=WeakAdversarial(),
        network=MLP(width=50, depth=2, init=Spread(3.0)),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=1500, optimizer=Adam(5e-3), schedule=Cosine(), polish=0),
        conditions=Enforcement.HARD,
    )
