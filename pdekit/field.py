"""Fields: what a solver leaves behind, a function of the coordinates that can be evaluated, differentiated and stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor, nn

from .discrete import Grid, GridFunction
from .errors import NotApplicableError
from .kernels import DerivativeSource, Plan, check_smoothness, select_kernel

_COEFFICIENT = "coefficient."


class Field(Protocol):
    """A function (n, d) -> (n, m); evaluated without gradients, in float64 on the CPU outside."""

    @property
    def parameters(self) -> int:
        """How many numbers describe it."""
        ...

    @property
    def coefficients(self) -> Mapping[str, float]:
        """Coefficients found together with it, for inverse problems; empty otherwise."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Values (n, m) at x (n, d)."""
        ...

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        """The planned derivatives at x.

        Raises:
            NotApplicableError: the field has no such derivatives.
        """
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a file must keep to restore it."""
        ...


@final
@dataclass(frozen=True, eq=False)
class NetworkField:
    """A trained network.

    Args:
        network: maps (n, d) to (n, m).
        dtype: type of its parameters.
        device: where they live.
        coefficients: unknown coefficients of the problem that were trained with it.
    """

    network: nn.Module
    dtype: torch.dtype = torch.float64
    device: str = "cpu"
    coefficients: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(p.numel() for p in self.network.parameters())

    def __call__(self, x: Tensor) -> Tensor:
        """Values (n, m), float64 on the CPU."""
        with torch.no_grad():
            return self.network(x.to(self.device, self.dtype)).to("cpu", torch.float64)

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        """The planned derivatives, in one pass and without a graph to the parameters.

        Raises:
            SmoothnessError: the activations have fewer derivatives than the plan asks for.
        """
        check_smoothness(self.network, plan.order)
        kernel = select_kernel(self.network, plan, device=torch.device(self.device), steps_expected=1)
        with torch.no_grad():
            return kernel(self.network, x.to(self.device, self.dtype), plan)

    def tensors(self) -> dict[str, Tensor]:
        """The network's state, and the coefficients."""
        state = {f"network.{k}": v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        found = {f"{_COEFFICIENT}{k}": torch.tensor(v, dtype=torch.float64) for k, v in self.coefficients.items()}
        return state | found

    @staticmethod
    def stored(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The network's state and the coefficients that `tensors` returned."""
        found = {k: float(v) for k, v in tensors.items() if k.startswith(_COEFFICIENT)}
        state = {k.removeprefix("network."): v for k, v in tensors.items() if k not in found}
        return state, {k.removeprefix(_COEFFICIENT): v for k, v in found.items()}


@final
@dataclass(frozen=True, eq=False)
class GridField:
    """Values on a grid (time as last axis, if any) with tensor-product cubic interpolation between them."""

    grid: Grid
    values: np.ndarray

    @property
    def parameters(self) -> int:
        """Number of grid values."""
        return int(self.values.size)

    @property
    def coefficients(self) -> Mapping[str, float]:
        """None: grid solvers solve direct problems."""
        return {}

    def __call__(self, x: Tensor) -> Tensor:
        """Interpolated values (n, 1); outside the grid, where a cubic would run away, the nearest ones in it."""
        inside = np.clip(x.detach().cpu().to(torch.float64).numpy(), self.grid.lower, self.grid.upper)
        return torch.from_numpy(self.function(inside))[:, None]

    @cached_property
    def function(self) -> GridFunction:
        """The interpolant in numpy, built at its first use."""
        return GridFunction(self.grid, self.values)

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        """Not available: the strong residual of interpolated values says nothing about the solution they stand for."""
        raise NotApplicableError("GridField: grid values have no strong residual; assess them on a finer grid instead")

    def tensors(self) -> dict[str, Tensor]:
        """The values and the grid."""
        return {
            "grid.values": torch.from_numpy(np.ascontiguousarray(self.values)),
            "grid.lower": torch.tensor(self.grid.lower, dtype=torch.float64),
            "grid.upper": torch.tensor(self.grid.upper, dtype=torch.float64),
        }

    @staticmethod
    def restored(tensors: Mapping[str, Tensor]) -> GridField:
        """The field that `tensors` describes."""
        values = tensors["grid.values"].numpy()
        lower, upper = (tuple(tensors[f"grid.{end}"].tolist()) for end in ("lower", "upper"))
        return GridField(Grid(lower, upper, values.shape), values)


@final
@dataclass(frozen=True, eq=False)
class SumField:
    """The sum of several fields, such as a network and a coarse correction."""

    parts: tuple[Field, ...]

    @property
    def parameters(self) -> int:
        """All numbers of all parts."""
        return sum(part.parameters for part in self.parts)

    @property
    def coefficients(self) -> Mapping[str, float]:
        """Those of the parts."""
        return {name: value for part in self.parts for name, value in part.coefficients.items()}

    def __call__(self, x: Tensor) -> Tensor:
        """Sum of the parts' values, (n, m)."""
        return torch.stack([part(x) for part in self.parts]).sum(dim=0)

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        """Not available when a part lives on a grid."""
        raise NotApplicableError("SumField: has no strong residual; assess it against a finer solution instead")

    def tensors(self) -> dict[str, Tensor]:
        """The parts' tensors with the part's number in front."""
        return {f"part{i}.{name}": t for i, part in enumerate(self.parts) for name, t in part.tensors().items()}
