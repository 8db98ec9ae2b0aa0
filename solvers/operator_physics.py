"""Losses that need no labels: the equation at points or on the grid, and what the family prescribes on the boundary."""

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
from ..operator_problem import Family, OperatorProblem, Prescribed, Prescription
from ..sampling import Sobol, boundary_points, interior_points
from .collocation import Law
from .operator_loss import CaseBatch, LearningTask, PreparedLoss

_EQUATION: Final = "equation"
_PRESCRIBED: Final = "prescribed"
_MEASURED: Final = 64
"""Cases that the size of the residual is measured on."""


@final
@dataclass(frozen=True)
class Physics:
    """The family's equation at points, and the values it prescribes: for networks whose outputs are functions of coordinates.

    equation: mean over cases and points of the squared residual, over that of u = 0 (where it is not zero).
    prescribed: mean over cases and boundary points of the squared difference from the prescribed value.

    Args:
        weight: of the term "equation".
        boundary_weight: of the term "prescribed"; hard conditions leave nothing of it where the value is zero.
        points: in the interior, the same for all cases of a step; drawn anew whenever cases are.
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
        return {_EQUATION: self.weight, _PRESCRIBED: self.boundary_weight}

    @property
    def labelled(self) -> bool:
        """False."""
        return False

    def require(self, family: OperatorProblem) -> None:
        """A residual at points, and outputs that are functions of all coordinates of the domain."""
        known = _family("Physics", family)
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
        family, network = _family("Physics", task.family), task.network
        if not isinstance(network, PointOperator):
            raise NotApplicableError(
                f"Physics: {type(network).__name__} has its outputs on a grid only, expected functions of coordinates; take "
                "GridPhysics, or DeepONet for the architecture"
            )
        plan = _plan(family)
        check_smoothness(network, plan.order)
        return _PointPhysics(self, family, network, plan, task)


@final
@dataclass(frozen=True)
class GridPhysics:
    """The family's discretised equation on the output's grid, and the values it prescribes there.

    equation: mean over cases and equations of the squared residual, over that of u = 0 (where it is not zero).
    prescribed: mean over cases and boundary points of the squared difference from the prescribed value.

    Args:
        weight: of the term "equation".
        boundary_weight: of the term "prescribed".

    Notes:
        The discretised solution is what it leads to, not that of the finer solve that labels come from. The residual weighs
        a wave k by k^2 (second-order equations): smooth errors show least.
    Reference: Li et al. 2024, doi:10.1145/3648506.
    """

    weight: float = 1.0
    boundary_weight: float = 10.0

    def __post_init__(self) -> None:
        real("GridPhysics", "weight", self.weight, low=0.0)
        real("GridPhysics", "boundary_weight", self.boundary_weight, low=0.0)

    @property
    def weights(self) -> Mapping[str, float]:
        """Two terms."""
        return {_EQUATION: self.weight, _PRESCRIBED: self.boundary_weight}

    @property
    def labelled(self) -> bool:
        """False."""
        return False

    def require(self, family: OperatorProblem) -> None:
        """A residual on the grid."""
        known = _family("GridPhysics", family)
        axes = known.output.axes
        if tuple(axis.name for axis in axes) != known.domain.names:
            raise NotApplicableError(
                f"{known.name}: the discretised equation is about functions of {', '.join(known.domain.names)}, the outputs "
                f"are {known.output.describe()}; set times to 3 or more"
            )
        inputs = known.sample(1, torch.Generator().manual_seed(0))
        known.grid_residual(torch.zeros(1, *known.output.shape, dtype=torch.float64), inputs)

    def prepare(self, task: LearningTask) -> PreparedLoss:
        """Find the boundary points of the grid and the size of the residual."""
        return _GridPhysics(_family("GridPhysics", task.family), task)


@final
class _PointPhysics:
    """`Physics` for one task; data at points are kept as long as neither points nor cases change."""

    def __init__(self, config: Physics, family: Family, network: PointOperator, plan: Plan, task: LearningTask) -> None:
        self._config, self._family, self._network, self._plan = config, family, network, plan
        self._like = task.inputs
        self._scale = _size(family.residual(*_at_rest(family, task.inputs[:_MEASURED])))
        self._kernel: Kernel | None = None
        self._known: tuple[Tensor, Tensor, Jet] | None = None

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Points and weights in the interior and on each part that has prescribed values."""
        config, domain = self._config, self._family.domain
        sets = {_EQUATION: interior_points(domain, config.law.sampler(config.points, domain.dim), generator)}
        for number, part in enumerate(self._family.prescribed):
            dim = domain.parameter_dim(domain.resolve(part.where)[0])
            sampler = config.law.sampler(config.boundary_points, dim)
            sets[f"{_PRESCRIBED}{number}"] = boundary_points(domain, part.where, sampler, generator)
        drawn: dict[str, Tensor] = {}
        for name, points in sets.items():
            drawn |= {f"{name}.x": points.x.to(self._like), f"{name}.weight": points.weight.to(self._like)}
        return drawn

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """Equation and prescribed values."""
        function, x = self._network.function(batch.inputs), batch.drawn[f"{_EQUATION}.x"]
        if self._kernel is None:  # kept, for it keeps the memory of its passes
            self._kernel = ForwardKernel() if has_rule(function) else ReverseKernel()
        u = _jet(self._family, x, self._kernel(function, x, self._plan), len(batch.inputs))
        residual = self._family.residual(u, self._given(batch, x)) / self._scale
        equation = _mean_square(residual, batch.drawn[f"{_EQUATION}.weight"])
        total = torch.zeros_like(equation)
        for number, part in enumerate(self._family.prescribed):
            x = batch.drawn[f"{_PRESCRIBED}{number}.x"]
            difference = function(x) - _target(self._family, part, batch.inputs, x)
            total = total + _mean_square(difference, batch.drawn[f"{_PRESCRIBED}{number}.weight"])
        return {_EQUATION: equation, _PRESCRIBED: total}

    def _given(self, batch: CaseBatch, x: Tensor) -> Jet:
        """The inputs at the points; where all cases are taken at every step, at the same points, they are found once."""
        if self._known is not None:
            inputs, points, jet = self._known
            if inputs is batch.inputs and points is x:
                return jet
        given = _Remembered(self._family.given(batch.inputs, x), self._family.domain.names)
        jet = _jet(self._family, x, given, len(batch.inputs))
        self._known = (batch.inputs, x, jet)
        return jet


@final
class _GridPhysics:
    """`GridPhysics` for one task."""

    def __init__(self, family: Family, task: LearningTask) -> None:
        self._family = family
        zero = task.inputs.new_zeros(min(len(task.inputs), _MEASURED), *family.output.shape)
        self._scale = _size(family.grid_residual(zero, task.inputs[:_MEASURED]))
        x = torch.from_numpy(family.output.points())
        self._parts: list[tuple[Prescribed, Tensor, Tensor]] = []
        for part in family.prescribed:
            rows = _on_part(family, part, x)
            self._parts.append((part, rows.to(task.inputs.device), x[rows].to(task.inputs)))

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """Equation and prescribed values."""
        outputs = batch.predicted
        equation = (self._family.grid_residual(outputs, batch.inputs) / self._scale).square().mean()
        total = torch.zeros_like(equation)
        for part, rows, x in self._parts:
            found = outputs.reshape(len(outputs), -1)[:, rows].T
            total = total + (found - _target(self._family, part, batch.inputs, x)).square().mean()
        return {_EQUATION: equation, _PRESCRIBED: total}


@final
class _Remembered:
    """Derivatives of known functions, computed once."""

    def __init__(self, jet: Jet, names: tuple[str, ...]) -> None:
        self._jet, self._names = jet, names
        self._partials: dict[tuple[int, ...], Tensor] = {}

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        """One partial derivative of every function, (n, count)."""
        if axes not in self._partials:
            self._partials[axes] = self._jet.d(*(self._names[axis] for axis in axes))
        return self._partials[axes]

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        """First derivatives, (n, count, len(axes))."""
        return torch.stack([self.partial((axis,)) for axis in axes], dim=2)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        """Sum of the second derivatives, (n, count)."""
        return torch.stack([self.partial((axis, axis)) for axis in axes]).sum(dim=0)


def _family(owner: str, family: OperatorProblem) -> Family:
    if not isinstance(family, Family):
        raise NotApplicableError(f"{owner}: {family.name} has no equation, only data; train on Labels()")
    return family


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


def _size(residual: Tensor) -> float:
    """Root mean square of the residual of u = 0; 1 where that solves the equation."""
    size = float(residual.detach().square().mean().sqrt())
    return size if size > 0.0 else 1.0


def _mean_square(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over points, by their weights, and cases of the squares of (n, count)."""
    return (values.square().mean(dim=1) * weight).sum() / weight.sum()


def _target(family: Family, part: Prescribed, inputs: Tensor, x: Tensor) -> Tensor:
    """Prescribed values, (n, count)."""
    if part.value is Prescription.ZERO:
        return x.new_zeros(len(x), len(inputs))
    return family.given(inputs, x).value


def _on_part(family: Family, part: Prescribed, x: Tensor) -> Tensor:
    """Numbers of the grid points that lie on a part of the boundary."""
    domain = family.domain
    found = torch.zeros(len(x), dtype=torch.bool)
    for name in domain.resolve(part.where):
        axis, side = domain.face(name)
        end = (domain.lower, domain.upper)[side][axis]
        found |= (x[:, axis] - end).abs() < 1e-9 * (domain.upper[axis] - domain.lower[axis])
    return found.nonzero()[:, 0]
