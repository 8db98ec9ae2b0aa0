"""Fields: what a solver leaves behind, a function of the coordinates that can be evaluated, differentiated and stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor, nn

from .discrete import Grid, GridFunction
from .discrete.finite_elements import Elements
from .discrete.mesh import Mesh
from .discrete.mesh_function import MeshFunction
from .errors import NotApplicableError
from .kernels import DerivativeSource, Plan, check_smoothness, select_kernel
from .kernels.plan import stacked

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
        inside = np.clip(_array(x), self.grid.lower, self.grid.upper)
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
class MeshField:
    """A finite element function: nodal values on a mesh, polynomials between them.

    Args:
        elements: the space, N nodes.
        nodal: values (N,).
    """

    elements: Elements
    nodal: np.ndarray

    @property
    def parameters(self) -> int:
        """Number of nodal values."""
        return int(self.nodal.size)

    @property
    def coefficients(self) -> Mapping[str, float]:
        """None: finite elements solve direct problems."""
        return {}

    @cached_property
    def function(self) -> MeshFunction:
        """The same in numpy."""
        return MeshFunction(self.elements, self.nodal)

    def __call__(self, x: Tensor) -> Tensor:
        """Values (n, 1)."""
        return torch.from_numpy(self.function(_array(x)))[:, None]

    def derivatives(self, x: Tensor, plan: Plan) -> DerivativeSource:
        """Value and gradient, which jumps between cells; the strong residual is not a function, the weak one is.

        Raises:
            NotApplicableError: a second derivative is asked for.
        """
        if plan.order > 1:
            raise NotApplicableError("MeshField: finite elements have no strong residual; assess them by the weak form")
        value, gradient = self.function.with_gradient(_array(x))
        columns = {(): value} | {(axis,): slope for axis, slope in enumerate(gradient.T)}
        return stacked({axes: torch.from_numpy(part)[:, None] for axes, part in columns.items()}, (), None)

    def tensors(self) -> dict[str, Tensor]:
        """The values and the mesh."""
        mesh = self.elements.mesh
        arrays = {"values": self.nodal, "degree": np.array(self.elements.degree), "points": mesh.points}
        if self.elements.bent is not None:
            arrays["bent"] = self.elements.bent
        arrays |= {"cells": mesh.cells} | {f"part.{name}": facets for name, facets in mesh.parts.items()}
        return {f"mesh.{name}": torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}

    @staticmethod
    def restored(tensors: Mapping[str, Tensor]) -> MeshField:
        """The field that `tensors` describes."""
        prefix = "mesh.part."
        parts = {name.removeprefix(prefix): t.numpy() for name, t in tensors.items() if name.startswith(prefix)}
        mesh = Mesh(tensors["mesh.points"].numpy(), tensors["mesh.cells"].numpy(), parts)
        bent = tensors["mesh.bent"].numpy() if "mesh.bent" in tensors else None
        elements = Elements(mesh, int(tensors["mesh.degree"]), bent=bent)
        return MeshField(elements, tensors["mesh.values"].numpy())


def _array(x: Tensor) -> np.ndarray:
    array: np.ndarray = x.detach().to("cpu", torch.float64).numpy()
    return array


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
        """Sum of the parts' derivatives.

        Raises:
            NotApplicableError: a part has no such derivatives: grid values none, finite elements only first ones.
        """
        return _Sum(tuple(part.derivatives(x, plan) for part in self.parts))

    def tensors(self) -> dict[str, Tensor]:
        """The parts' tensors with the part's number in front."""
        return {f"part{i}.{name}": t for i, part in enumerate(self.parts) for name, t in part.tensors().items()}


@final
@dataclass(frozen=True, eq=False)
class _Sum:
    """Sum of derivatives, float64 on the CPU."""

    sources: tuple[DerivativeSource, ...]

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return self._sum(lambda source: source.partial(axes))

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        return self._sum(lambda source: source.gradient(axes))

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        return self._sum(lambda source: source.laplacian(axes))

    def _sum(self, read: Callable[[DerivativeSource], Tensor]) -> Tensor:
        return torch.stack([read(source).to("cpu", torch.float64) for source in self.sources]).sum(dim=0)
