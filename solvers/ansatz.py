"""The ansatz: network, hard conditions and unknown coefficients in one module, and jets of it on point sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, final

import torch
from torch import Tensor, nn

from ..conditions import Condition
from ..constraints import hard_constraint
from ..errors import CheckpointError, ConfigError, DtypeError, ShapeError
from ..field import NetworkField
from ..jet import Jet
from ..kernels import (
    CompiledKernel,
    Derivatives,
    DerivativeSource,
    ForwardKernel,
    Kernel,
    Plan,
    Recorder,
    Tabulated,
    select_kernel,
)
from ..kernels.compiled import runs_natively
from ..nn import Architecture, Frame, HardConstraint, check_parameters
from ..probe import jet_of
from ..problem import Problem
from ..sampling import Sobol, interior_points
from ..scales import with_scales


@final
class Enforcement(Enum):
    """How Dirichlet and initial conditions are met."""

    SOFT = "soft"
    """By terms of the loss."""
    HARD = "hard"
    """By construction: u = lift + distance * network."""


@final
class Ansatz(nn.Module):
    """What a training moves: a function of the coordinates and the unknown coefficients of the problem.

    Args:
        function: maps (n, d) to (n, m), hard conditions included.
        unknowns: unknown coefficients with the values to start from.
        dtype: of the coefficients.
    """

    def __init__(self, function: nn.Module, unknowns: Mapping[str, float], dtype: torch.dtype) -> None:
        super().__init__()
        self.function = function
        self.unknowns = nn.ParameterDict({k: nn.Parameter(torch.tensor(v, dtype=dtype)) for k, v in unknowns.items()})

    def forward(self, x: Tensor) -> Tensor:
        """The function's values, (n, m)."""
        return self.function(x)


def build_ansatz(
    problem: Problem,
    network: Architecture,
    enforcement: Enforcement,
    generator: torch.Generator,
    dtype: torch.dtype,
    device: str,
) -> tuple[Ansatz, tuple[Condition, ...]]:
    """The ansatz and the conditions that remain soft.

    Raises:
        ShapeError: the network takes other points, or its output does not have one column per unknown of the problem.
        NonFiniteError: NaN among the initial weights.
    """
    domain, outputs, network = problem.domain, problem.outputs, with_scales(network, problem)
    built: nn.Module = network.build(Frame(domain.lower, domain.upper, len(outputs), dtype), generator)
    check_parameters(built)
    _check_output(problem, network, built, dtype)
    soft = problem.conditions
    if enforcement is Enforcement.HARD:
        parts = hard_constraint(problem)
        soft = tuple(c for c in soft if c not in parts.covered)
        built = HardConstraint(built, parts.distance, parts.lift)
    return Ansatz(built, problem.unknowns, dtype).to(device), soft


def load_weights(
    problem: Problem, network: Architecture, enforcement: Enforcement, tensors: Mapping[str, Tensor]
) -> NetworkField:
    """The field of a stored network.

    Raises:
        CheckpointError: the tensors are another architecture's, with the first that differs.
    """
    stored, coefficients = NetworkField.stored(tensors)
    dtype = next((t.dtype for t in stored.values() if t.is_floating_point()), torch.float64)
    ansatz, _ = build_ansatz(problem, network, enforcement, torch.Generator().manual_seed(0), dtype, "cpu")
    expected = ansatz.function.state_dict()
    for name in sorted(expected.keys() | stored.keys()):
        shapes = [tuple(state[name].shape) if name in state else None for state in (stored, expected)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"weights: layer {name!r} has shape {shapes[0]}, expected {shapes[1]}; load them with the network they are of"
            )
    ansatz.function.load_state_dict(stored)
    return NetworkField(ansatz.function, dtype, "cpu", coefficients)


def _check_output(problem: Problem, network: Architecture, built: nn.Module, dtype: torch.dtype) -> None:
    lower = torch.tensor([problem.domain.lower, problem.domain.upper], dtype=torch.float64).to(dtype)
    name = type(network).__name__
    try:
        with torch.no_grad():
            values = built(lower)
    except RuntimeError as error:  # a module of the user's own; torch's words name neither it nor the problem
        dim = problem.domain.dim
        raise ShapeError(
            f"{name} for {problem.name}: cannot be evaluated at points of shape (2, {dim}) and type {dtype} ({error}); "
            f"build it with {dim} inputs, one for each of {problem.domain.names}, in {dtype}"
        ) from error
    if tuple(values.shape) != (2, len(problem.outputs)):
        raise ShapeError(
            f"{name} for {problem.name}: maps 2 points to shape {tuple(values.shape)}, expected (2, {len(problem.outputs)}), "
            f"one column for each of {problem.outputs}"
        )
    if values.dtype != dtype:
        raise DtypeError(f"{name} for {problem.name}: returns {values.dtype} for {dtype} inputs; build it in {dtype}")


@final
class Jets:
    """Jets of one function on named point sets, with derivative plans found once and data kept as long as the points.

    Args:
        problem: names the coordinates and the unknowns.
        function: the network, with hard conditions.
        coefficients: the unknown coefficients.
        steps: how often jets will be asked for, so that compilation is chosen only where it pays.
    """

    def __init__(
        self,
        problem: Problem,
        function: nn.Module,
        coefficients: Mapping[str, Tensor] | None = None,
        *,
        steps: int = 1,
        outputs: tuple[str, ...] | None = None,
    ) -> None:
        self._problem, self._function, self._steps = problem, function, steps
        self._coefficients, self._outputs = coefficients or {}, outputs or problem.outputs
        self._kernels: dict[Plan, Kernel] = {}
        self._known = _Known()

    def of(self, ansatz: nn.Module) -> Jets:
        """Jets of a copy of the ansatz at the same points: data and constraints known there are shared.

        Raises:
            ConfigError: not an Ansatz.
        """
        if not isinstance(ansatz, Ansatz):
            raise ConfigError(
                f"Jets.of: got a {type(ansatz).__name__}, expected an Ansatz; pass on what a block is given"
            )
        other = Jets(self._problem, ansatz.function, dict(ansatz.unknowns), outputs=self._outputs)
        other._known = self._known
        return other

    def plan(self, expression: Callable[[Jet], object]) -> Plan:
        """Which derivatives an expression asks for, found by evaluating it at two points of the domain."""
        parameter = next(self._function.parameters())
        points = interior_points(self._problem.domain, Sobol(2), torch.Generator().manual_seed(0))
        x = points.x.to(parameter.device, parameter.dtype)
        recorder = Recorder(self._function, x)
        expression(jet_of(self._problem, x, recorder, self._coefficients, outputs=self._outputs))
        return recorder.plan()

    def __call__(self, name: str, batch: Mapping[str, Tensor], plan: Plan) -> Jet:
        """The jet on one point set of the batch."""
        return self.reading(name, batch, self.derivatives(name, batch, plan))

    def derivatives(self, name: str, batch: Mapping[str, Tensor], plan: Plan) -> Derivatives:
        """The planned derivatives on one point set of the batch."""
        self._known.enter(batch)
        x = batch[f"{name}.x"]
        if plan not in self._kernels:
            self._kernels[plan] = select_kernel(
                self._moving(plan, x.device), plan, device=x.device, steps_expected=self._steps, points=len(x)
            )
        kernel = self._kernels[plan]
        return kernel(self._at(name, x, plan, kernel), x, plan)

    def reading(self, name: str, batch: Mapping[str, Tensor], source: DerivativeSource) -> Jet:
        """The jet on one point set of the batch with derivatives from elsewhere."""
        self._known.enter(batch)
        return jet_of(
            self._problem,
            batch[f"{name}.x"],
            source,
            self._coefficients,
            memo=self._known.memos.setdefault(name, {}),
            outputs=self._outputs,
        )

    def _moving(self, plan: Plan, device: torch.device) -> nn.Module:
        """What the choice of a kernel is about: in pdekit's own machine code, distance and lift are tables beside it."""
        function = self._function
        if isinstance(function, HardConstraint) and runs_natively(function.network, plan, device):
            return function.network
        return function

    def _at(self, name: str, x: Tensor, plan: Plan, kernel: Kernel) -> nn.Module:
        """The function for one point set, its distance and lift differentiated there once for as long as the points last."""
        function = self._function
        if not isinstance(function, HardConstraint):
            return function
        # A pass through torch.compile belongs to the module it was compiled for.
        if not (
            isinstance(kernel, ForwardKernel)
            or (isinstance(kernel, CompiledKernel) and kernel.runs_natively(function, x, plan))
        ):
            return function
        known = self._known.constraints
        if (name, plan) not in known:
            lift = None if function.lift is None else Tabulated(function.lift, x, plan)
            known[name, plan] = Tabulated(function.distance, x, plan), lift
        return HardConstraint(function.network, *known[name, plan])


@final
class _Known:
    """What does not change while the points of a batch stay."""

    def __init__(self) -> None:
        self._batch: Mapping[str, Tensor] | None = None
        self.memos: dict[str, dict[str, Any]] = {}
        self.constraints: dict[tuple[str, Plan], tuple[Tabulated, Tabulated | None]] = {}

    def enter(self, batch: Mapping[str, Tensor]) -> None:
        """Forget everything if the batch is another one."""
        if batch is not self._batch:
            self._batch, self.memos, self.constraints = batch, {}, {}
