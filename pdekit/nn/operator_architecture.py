"""Networks that map functions to functions: what their configurations are given, and what the built networks offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ..errors import DtypeError, NotApplicableError, ShapeError
from ..quantity import Quantity
from .frame import Frame
from .standardisation import Standardisation


@final
@dataclass(frozen=True, eq=False)
class OperatorFrame:
    """The functions a network maps between, and the data it is standardised by.

    Args:
        input, output: grids and names of the functions.
        dtype: element type of the parameters.
        inputs: training inputs (count, *input.shape); None for a network whose weights are loaded afterwards.
        outputs: training outputs (count, *output.shape); None where there are none, as in training without labels.
        factor: maps coordinates of the output (n, d) to (n, 1): zero where outputs are known to vanish; they are multiplied
            by it.

    Raises:
        DtypeError: not a floating-point type.
        ShapeError: data of another shape.
    """

    input: Quantity
    output: Quantity
    dtype: torch.dtype
    inputs: Tensor | None = None
    outputs: Tensor | None = None
    factor: nn.Module | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point):
            raise DtypeError(
                f"OperatorFrame.dtype: got {self.dtype!r}, expected a floating-point type; try torch.float32"
            )
        for what, values, quantity in (("inputs", self.inputs, self.input), ("outputs", self.outputs, self.output)):
            if values is not None and tuple(values.shape[1:]) != quantity.shape:
                raise ShapeError(
                    f"OperatorFrame.{what}: got shape {tuple(values.shape)}, expected (count, "
                    f"{', '.join(map(str, quantity.shape))}) for {quantity.describe()}"
                )

    @property
    def coordinates(self) -> Frame:
        """The frame of networks that read the output's coordinates."""
        axes = self.output.axes
        lower, upper = tuple(axis.lower for axis in axes), tuple(axis.upper for axis in axes)
        return Frame(lower, upper, len(self.output.names), self.dtype)

    def standardised_input(self, *, pointwise: bool = False) -> Standardisation:
        """Mean and deviation of the training inputs, per component or at each point."""
        return _standardisation(self.input, self.inputs, pointwise, self.dtype)

    def standardised_output(self, *, pointwise: bool = False) -> Standardisation:
        """Mean and deviation of the training outputs, per component or at each point; 0 and 1 where there are none."""
        return _standardisation(self.output, self.outputs, pointwise, self.dtype)


def _standardisation(quantity: Quantity, data: Tensor | None, pointwise: bool, dtype: torch.dtype) -> Standardisation:
    shape = quantity.shape if pointwise else quantity.shape[-1:]
    if data is None:
        return Standardisation(torch.zeros(shape), torch.ones(shape), dtype)
    over = (0,) if pointwise else tuple(range(data.ndim - 1))
    return Standardisation(data.mean(dim=over), data.std(dim=over, correction=0), dtype)


class OperatorNetwork(nn.Module, ABC):
    """A built network; it takes and returns values in the data's own units.

    Arrays of functions have the shape (count, n_1, ..., n_d, m) of their `Quantity`.
    """

    @abstractmethod
    def resolves(self, points: Sequence[int]) -> None:
        """Refuse input grids with these numbers of points if the network cannot read them.

        Raises:
            FrequencyError: too coarse for the network's modes.
            ShapeError: another number of axes, or not the grid that the network was built for.
        """

    @abstractmethod
    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        """The output functions.

        Args:
            inputs: (count, *n_in, m_in).
            points: of the output grid, along each of its axes; if None, axes that the input has too are taken with the
                input's points by networks of any resolution, and as they were built in all other cases.

        Returns:
            (count, *n_out, m_out).

        Raises:
            FrequencyError, ShapeError: as `resolves`.
        """


class PointOperator(OperatorNetwork):
    """A network whose outputs are functions of coordinates."""

    @property
    def smooth(self) -> bool:
        """Whether the outputs have derivatives at every point, so that a strong residual says something of them."""
        return True

    @abstractmethod
    def at(self, inputs: Tensor, x: Tensor) -> Tensor:
        """The output functions at points.

        Args:
            inputs: (count, *n_in, m_in).
            x: (q, d), coordinates of the output.

        Returns:
            (count, q, m_out).
        """

    @abstractmethod
    def function(self, inputs: Tensor) -> nn.Module:
        """The output functions as one network of the coordinates, (q, d) to (q, count m_out): what kernels differentiate.

        The gradient flows on into the parameters of this operator. Column j m_out + i is component i of case j.
        """


class OperatorArchitecture(ABC):
    """A network's configuration; concrete ones are frozen dataclasses."""

    @abstractmethod
    def build(self, frame: OperatorFrame, generator: torch.Generator) -> OperatorNetwork:
        """Build the network on the CPU; the same generator state gives the same weights.

        Raises:
            NotApplicableError: the network cannot map between such functions.
            FrequencyError: the grid is too coarse for the network's modes.
        """


def check_axes(owner: str, points: Sequence[int], quantity: Quantity) -> None:
    """Raise ShapeError unless there is one number of points per axis of the quantity."""
    if len(points) != quantity.dim:
        raise ShapeError(
            f"{owner}: got a grid of {' x '.join(map(str, points)) or 'no'} points, expected {quantity.dim} axes, as in "
            f"{quantity.describe()}"
        )


def check_grid(owner: str, what: str, points: Sequence[int], quantity: Quantity) -> None:
    """Raise ShapeError unless the grid is the one that a network was built for."""
    expected = quantity.shape[:-1]
    if tuple(points) != expected:
        raise ShapeError(
            f"{owner}: got {what} on {' x '.join(map(str, points))} points, expected {' x '.join(map(str, expected))}, as "
            "trained on; restrict or interpolate, or take a network for every resolution, such as fno"
        )


def check_inputs(owner: str, inputs: Tensor, quantity: Quantity) -> tuple[int, ...]:
    """The grid sizes of inputs (count, *n, m).

    Raises:
        ShapeError: another number of axes or components.
    """
    if inputs.ndim != quantity.dim + 2 or inputs.shape[-1] != len(quantity.names):
        raise ShapeError(
            f"{owner}: got inputs of shape {tuple(inputs.shape)}, expected (count, "
            f"{', '.join(f'n_{i + 1}' for i in range(quantity.dim))}, {len(quantity.names)}) for {quantity.describe()}"
        )
    return tuple(inputs.shape[1:-1])


def refuse_factor(owner: str, frame: OperatorFrame) -> None:
    """Raise NotApplicableError if conditions are to be hard and the network cannot do so."""
    if frame.factor is not None:
        raise NotApplicableError(f"{owner}: cannot multiply its outputs by a boundary factor; use soft conditions")
