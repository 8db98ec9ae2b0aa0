"""A loss that needs no labels: the equation at points, and what the family prescribes on the boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor

from ..checks import integer, member, real
from ..errors import NotApplicableError
from ..jet import Jet
from ..kernels import DerivativeSource, ForwardKernel, Kernel, Plan, Recorder, ReverseKernel, check_smoothness
from ..kernels.rules import has_rule
from ..nn import PointOperator
from ..operator_problem import Family, OperatorProblem
from ..sampling import Sobol, boundary_points, interior_points
from .collocation import Law
from .operator_known import EQUATION, MEASURED, PRESCRIBED, KnownData, Remembered, family_of, size_of, target
from .operator_loss import CaseBatch, LearningTask, PreparedLoss

_WITHOUT_CHANCE: Final = frozenset({Law.GRID, Law.GAUSS_LEGENDRE})


@final
@dataclass(frozen=True)
class Physics:
    """The family's equation at points, and the values it prescribes: for networks whose outputs are functions of coordinates.

    equation: mean over cases and points of the squared residual, over that of u = 0 (where it is not zero).
    prescribed: mean over cases and boundary points of the squared difference from the prescribed value.

    Args:
        weight: of the term "equation".
        boundary_weight: of the term "prescribed"; hard conditions leave nothing of it where the value is zero.
        points: in the interior, the same for all cases of a step; drawn anew whenever cases are, if chance lays them.
        law: how they lie.
        boundary_points: on all parts together.

    Notes: derivatives go once through the trunk, for all cases together, so that many cases cost little more than one.
    Good values: as many points as the inputs have, or a few times as many; boundary_weight 1 to 100.
    Reference: Wang, Wang, Perdikaris 2021, doi:10.1126/sciadv.abi8605; Zhang et al. 2022, in the book, section 15.3.
    """

    weight: float = 1.0
    boundary_weight: float = 10.0
    points: int = 128
    law: Law = Law.SOBOL
    boundary_points: int = 64

    def __post_init__(self) -> None:
        real("Physics", "weight", self.weight, low=0.0)
        real("Physics", "boundary_weight", self.boundary_weight, low=0.0)
        integer("Physics", "points", self.points)
        integer("Physics", "boundary_points", self.boundary_points)
        member("Physics", "law", self.law, Law)

    @property
    def weights(self) -> Mapping[str, float]:
        """Two terms."""
        return {EQUATION: self.weight, PRESCRIBED: self.boundary_weight}

    @property
    def labelled(self) -> bool:
        """False."""
        return False

    def require(self, family: OperatorProblem) -> None:
        """A residual at points, and outputs that are functions of all coordinates of the domain."""
        known = family_of("Physics", family)
        names = tuple(axis.name for axis in known.output.axes)
        if names != known.domain.names or len(known.output.names) != 1:
            cure = "; set times to 3 or more" if known.domain.time is not None else ""
            raise NotApplicableError(
                f"{known.name}: the equation is about one function of {', '.join(known.domain.names)}, the outputs are "
                f"{known.output.describe()}{cure}"
            )
        _plan(known)

    def prepare(self, task: LearningTask) -> PreparedLoss:
        """Find the derivatives and the size of the residual.

        Raises:
            NotApplicableError: outputs that live on a grid.
            SmoothnessError: an activation of the network has too few derivatives.
        """
        family, network = family_of("Physics", task.family), task.network
        if not isinstance(network, PointOperator):
            raise NotApplicableError(
                f"Physics: {type(network).__name__} has its outputs on a grid only, expected functions of coordinates; take "
                "GridPhysics, or DeepONet for the architecture"
            )
        plan = _plan(family)
        check_smoothness(network, plan.order)
        if plan.order > 1 and not network.smooth:
            raise NotApplicableError(
                f"Physics: {type(network).__name__} has kinks at the points of its quadrature, expected outputs with derivatives "
                f"of order {plan.order}; set distance=False, or train on Labels()"
            )
        return _PointPhysics(self, family, network, plan, task)


@final
class _PointPhysics:
    """`Physics` for one task; where chance has no part in the points, the data of all cases are found there once."""

    def __init__(self, config: Physics, family: Family, network: PointOperator, plan: Plan, task: LearningTask) -> None:
        self._config, self._family, self._network, self._plan = config, family, network, plan
        self._like = task.inputs
        self._scale = size_of(family.residual(*_at_rest(family, task.inputs[:MEASURED])))
        self._kernel: Kernel | None = None
        self._laid: dict[str, Tensor] = {}
        self._known: tuple[Tensor, KnownData] | None = None
        if config.law in _WITHOUT_CHANCE:
            self._laid = self._points(torch.Generator())
            self._known = (self._laid[f"{EQUATION}.x"], self._data(task.inputs, self._laid))

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Points and weights in the interior and on each part that has prescribed values, where chance lays them."""
        return {} if self._laid else self._points(generator)

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """Equation and prescribed values."""
        function, drawn = self._network.function(batch.inputs), self._laid or batch.drawn
        data, x = self._of(batch, drawn), drawn[f"{EQUATION}.x"]
        if self._kernel is None:  # kept, for it keeps the memory of its passes
            self._kernel = ForwardKernel() if has_rule(function) else ReverseKernel()
        count = len(batch.inputs)
        u = _jet(self._family, x, self._kernel(function, x, self._plan), count)
        residual = self._family.residual(u, _jet(self._family, x, data.given, count)) / self._scale
        equation = _mean_square(residual, drawn[f"{EQUATION}.weight"])
        total = torch.zeros_like(equation)
        for number, wanted in enumerate(data.targets):
            name = f"{PRESCRIBED}{number}"
            total = total + _mean_square(function(drawn[f"{name}.x"]) - wanted, drawn[f"{name}.weight"])
        return {EQUATION: equation, PRESCRIBED: total}

    def _points(self, generator: torch.Generator) -> dict[str, Tensor]:
        config, domain = self._config, self._family.domain
        sets = {EQUATION: interior_points(domain, config.law.sampler(config.points, domain.dim), generator)}
        for number, part in enumerate(self._family.prescribed):
            dim = domain.parameter_dim(domain.resolve(part.where)[0])
            sampler = config.law.sampler(config.boundary_points, dim)
            sets[f"{PRESCRIBED}{number}"] = boundary_points(domain, part.where, sampler, generator)
        drawn: dict[str, Tensor] = {}
        for name, points in sets.items():
            drawn |= {f"{name}.x": points.x.to(self._like), f"{name}.weight": points.weight.to(self._like)}
        return drawn

    def _data(self, inputs: Tensor, drawn: Mapping[str, Tensor]) -> KnownData:
        family, x = self._family, drawn[f"{EQUATION}.x"]
        targets = [
            target(family, part, inputs, drawn[f"{PRESCRIBED}{number}.x"])
            for number, part in enumerate(family.prescribed)
        ]
        return KnownData(Remembered(family.given(inputs, x), family.domain.names), tuple(targets))

    def _of(self, batch: CaseBatch, drawn: Mapping[str, Tensor]) -> KnownData:
        """Data of the batch: part of what is known of all cases, or found anew."""
        x = drawn[f"{EQUATION}.x"]
        if self._known is not None and self._known[0] is x:
            return self._known[1].of(batch.cases)
        data = self._data(batch.inputs, drawn)
        if batch.cases is None:  # and so it will be at the next step, at the same points
            self._known = (x, data)
        return data


def _jet(family: Family, x: Tensor, source: DerivativeSource, count: int) -> Jet:
    domain = family.domain
    return Jet(x, source, names=domain.names, space_axes=domain.space_axes, outputs=family.output.names * count)


def _plan(family: Family) -> Plan:
    """The derivatives of the outputs that the equation asks for, found by evaluating it at two points."""
    x = interior_points(family.domain, Sobol(2), torch.Generator().manual_seed(0)).x
    recorder = Recorder(lambda x: x.square().sum(1, keepdim=True), x)
    inputs = family.sample(1, torch.Generator().manual_seed(0))
    family.residual(_jet(family, x, recorder, 1), family.given(inputs, x))
    return recorder.plan()


def _at_rest(family: Family, inputs: Tensor) -> tuple[Jet, Jet]:
    """The jets of u = 0 and of the inputs at some points."""
    x = interior_points(family.domain, Sobol(256), torch.Generator().manual_seed(0)).x.to(inputs)
    zero = Recorder(lambda x: x.new_zeros(len(x), len(inputs)), x)
    return _jet(family, x, zero, len(inputs)), family.given(inputs, x)


def _mean_square(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over points, by their weights, and cases of the squares of (n, count)."""
    return (values.square().mean(dim=1) * weight).sum() / weight.sum()
