"""OperatorProblem: a family of equations as one map between functions, for solvers that learn the map."""

from __future__ import annotations

import dataclasses
import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import torch
from torch import Tensor

from .codec import changed
from .domain import Box, Where
from .errors import NotApplicableError, ShapeError
from .interpolant import Interpolant, InterpolantSource, ValueSource
from .jet import Jet
from .kernels.plan import DerivativeSource
from .problem import Problem
from .quantity import Quantity
from .random_fields import RandomField


class OperatorProblem(ABC):
    """A map from input functions to output functions, known by examples.

    Attributes:
        name: the name the shell knows.
        hard_because: one line on what makes the map hard to learn, for listings.
    """

    name: ClassVar[str] = "operator"
    hard_because: ClassVar[str] = ""

    @property
    @abstractmethod
    def input(self) -> Quantity:
        """Input functions: their grid, names and units."""

    @property
    @abstractmethod
    def output(self) -> Quantity:
        """Output functions."""

    def parameters(self) -> dict[str, Any]:
        """The family's own parameters by name, empty unless it is a dataclass."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}


class Prescription(enum.Enum):
    """What the outputs equal on a part of the boundary."""

    ZERO = "zero"
    INPUT = "input"
    """The input function."""


@final
@dataclass(frozen=True)
class Prescribed:
    """The outputs on a part of the domain's boundary, "initial" included."""

    where: Where
    value: Prescription = Prescription.ZERO


class Family(OperatorProblem):
    """A family of equations whose input functions are drawn from a law and whose solutions are computed.

    Concrete families are frozen dataclasses with a field `points`, the resolution. A draw is a tensor of coefficients:
    the same one gives the same functions on every grid.

    Arrays of functions have the shape (count, n_1, ..., n_d, m) of their `Quantity`, in float64.
    """

    points: int
    """Points along each axis that `at` changes."""

    solved_by: ClassVar[str] = ""
    """The classical solver, in words."""

    @property
    @abstractmethod
    def law(self) -> RandomField:
        """Law of the input functions."""

    @property
    @abstractmethod
    def refinement(self) -> int:
        """How many times finer than the family's own grid data sets are solved on."""

    @abstractmethod
    def inputs(self, drawn: Tensor) -> Tensor:
        """The drawn functions on the input grid, (count, *input.shape)."""

    @abstractmethod
    def solve(self, inputs: Tensor) -> Tensor:
        """Outputs (count, *output.shape) by a classical solver on the family's own grid, from inputs (count, *input.shape)."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Coefficients of `count` random input functions, the same at every resolution."""
        return self.law.draw(count, generator)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random input functions, (count, *input.shape)."""
        return self.inputs(self.draw(count, generator))

    def at(self, points: int) -> Self:
        """The same family at another resolution."""
        family: Self = changed(self, {"points": points})
        return family

    def refined(self, factor: int) -> Self:
        """The same family on a grid with steps `factor` times smaller, which contains every point of this one."""
        return self.at(self.output.axes[0].refined(factor).points)

    def solve_drawn(self, drawn: Tensor, refinement: int | None = None) -> Tensor:
        """Outputs (count, *output.shape) of drawn functions, solved on a finer grid and restricted to this one."""
        fine = self.refined(self.refinement if refinement is None else refinement)
        outputs = fine.solve(fine.inputs(drawn)).numpy()
        return torch.from_numpy(self.output.restricted(outputs, fine.output).copy())

    def case(self, values: Tensor) -> Problem:
        """The ordinary problem of one input function, (*input.shape): what trust, plots and all other solvers take.

        Between grid points the input is interpolated.
        """
        raise NotApplicableError(f"{self.name}: has no ordinary problem for one case")

    @property
    def of_source(self) -> bool:
        """Whether the input is the source of a linear equation with u = 0 on the boundary: then residuals are inputs too."""
        return False

    def inputs_of(self, problem: Problem) -> Tensor:
        """The input function of an ordinary problem, (*input.shape): what `case` is made of.

        Raises:
            NotApplicableError: the problem is not one of the family.
        """
        raise NotApplicableError(f"{self.name}: cannot tell whether {problem.name} is one of its cases; use predict")

    # Outputs as functions of coordinates --------------------------------------------------------------------------

    @property
    def domain(self) -> Box:
        """Where the outputs are functions, time last."""
        raise NotApplicableError(f"{self.name}: its outputs are known on their grid only; use a solver for grids")

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """Values on the boundary of the domain; axes that are periodic need none."""
        return ()

    @property
    def periodic(self) -> tuple[str, ...]:
        """Coordinates of the domain along which the outputs are periodic."""
        return tuple(axis.name for axis in self.output.axes if axis.periodic)

    @property
    def smooth_inputs(self) -> bool:
        """Whether the inputs can be interpolated by polynomials; else the nearest value is taken."""
        return True

    def interpolant(self, inputs: Tensor) -> Interpolant:
        """Input functions (count, *input.shape) between their grid points."""
        return Interpolant(self.input, inputs) if self.smooth_inputs else Interpolant(self.input, inputs, degree=0)

    def given(self, inputs: Tensor, x: Tensor) -> Jet:
        """The input functions at points of the domain, with their derivatives.

        Args:
            inputs: (count, *input.shape).
            x: (n, d) in the domain.

        Returns:
            A jet whose value is (n, count): one column for each function. Inputs that live on other coordinates than the
            domain's, as boundary data do, have values there only.
        """
        names = self.domain.names
        coordinates = [axis.name for axis in self.input.axes]
        functions = self.interpolant(inputs)
        source: DerivativeSource
        if set(coordinates) <= set(names):
            source = InterpolantSource(functions, x, tuple(names.index(name) for name in coordinates))
        else:
            source = ValueSource(functions(self.located(x)))
        return Jet(x, source, names=names, space_axes=self.domain.space_axes, outputs=self.input.names * len(inputs))

    def located(self, x: Tensor) -> Tensor:
        """Coordinates (n, k) of the input functions that points (n, d) of the domain have."""
        names = self.domain.names
        return x[:, [names.index(axis.name) for axis in self.input.axes]]

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """The equation at the jets' points, zero at the solution; for training without labels.

        Args:
            u: outputs, with value (n, count): one column for each case.
            given: their input functions at the same points.

        Returns:
            (n, count).
        """
        raise NotApplicableError(f"{self.name}: has no residual at points; use grid_residual")

    # Outputs on their grid ----------------------------------------------------------------------------------------

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """The discretised equation, zero at its solution; differentiable, for training without labels on grids.

        Args:
            outputs: (count, *output.shape).
            inputs: (count, *input.shape).

        Returns:
            (count, ...), one number for each equation of the grid.
        """
        raise NotApplicableError(f"{self.name}: has no residual on grids; use residual")


def checked_pair(family: OperatorProblem, outputs: Tensor, inputs: Tensor) -> None:
    """Refuse arrays that are not those of a family.

    Raises:
        ShapeError: other shapes, or another number of inputs than outputs.
    """
    for what, array, quantity in (("inputs", inputs, family.input), ("outputs", outputs, family.output)):
        if tuple(array.shape[1:]) != quantity.shape:
            raise ShapeError(
                f"{family.name}: got {what} of shape {tuple(array.shape)}, expected (count, "
                f"{', '.join(map(str, quantity.shape))}) for {quantity.describe()}"
            )
    if len(inputs) != len(outputs):
        raise ShapeError(f"{family.name}: got {len(inputs)} inputs and {len(outputs)} outputs, expected one per case")
