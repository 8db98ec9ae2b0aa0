"""Layers that networks are composed of; each has a propagation rule in `pdekit.kernels`."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ..errors import ConfigError, NonFiniteError, ShapeError
from .frame import Frame


@final
class Scaling(nn.Module):
    """Maps a box affinely to [-1, 1]^d: (x - centre) / radius.

    Args:
        frame: has the box and the element type.

    Notes: subtracts before it divides, so that a small box far from the origin loses no more digits than x itself has.
    """

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        lower, upper = (torch.tensor(bounds, dtype=torch.float64) for bounds in (frame.lower, frame.upper))
        self.register_buffer("centre", (0.5 * (lower + upper)).to(frame.dtype))
        self.register_buffer("radius", (0.5 * (upper - lower)).to(frame.dtype))
        self.centre: Tensor
        self.radius: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - centre) / radius, (n, d)."""
        return (x - self.centre) / self.radius

    def extra_repr(self) -> str:
        """Name the dimension in the network's printed form."""
        return f"{len(self.centre)} coordinates"


@final
class Dilation(nn.Module):
    """Multiplies its input by fixed factors: one number, or one per unit.

    Args:
        factor: scalar or (w,) tensor, not trained.

    Reference: multiscale networks, book, section 5.1.1.
    """

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor.detach().clone())
        self.factor: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return factor * x."""
        return self.factor * x


@final
class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Return x + body(x)."""
        return x + self.body(x)


@final
class Sum(nn.Module):
    """The sum of several parts that read the same input."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        if not parts:
            raise ConfigError("Sum: got no parts, expected at least one; pass the modules to add")
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of all parts at x."""
        total = self.parts[0](x)
        for part in self.parts[1:]:
            total = total + part(x)
        return total


@final
class Concatenation(nn.Module):
    """The outputs of several parts that read the same input, side by side."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        if not parts:
            raise ConfigError("Concatenation: got no parts, expected at least one; pass the modules to join")
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (n, total width)."""
        return torch.cat([part(x) for part in self.parts], -1)


@final
class HardConstraint(nn.Module):
    """u(x) = lift(x) + distance(x) * network(x): exact where distance vanishes.

    Args:
        network: the free part, (n, d) to (n, m).
        distance: (n, d) to (n, 1) or (n, m), zero where u is prescribed.
        lift: (n, d) to (n, m), equal to the prescribed values there; None for zero.
    """

    def __init__(self, network: nn.Module, distance: nn.Module, lift: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network
        self.distance = distance
        self.lift = lift

    def forward(self, x: Tensor) -> Tensor:
        """Return the constrained function, (n, m)."""
        inner = self.distance(x) * self.network(x)
        return inner if self.lift is None else self.lift(x) + inner


@final
class Network(nn.Module):
    """A built network: checks what it is given and passes it to its layers.

    Args:
        kind: what messages call it, followed by its inputs, its layout and its outputs.
        layout: its layers in short, such as "64x4".
        frame: what it was built for.
        body: maps (n, inputs) to (n, outputs).
    """

    def __init__(self, kind: str, layout: str, frame: Frame, body: nn.Module) -> None:
        super().__init__()
        self.inputs, self.outputs = frame.inputs, frame.outputs
        self.name = f"{kind} {self.inputs}-{layout}-{self.outputs}"
        self.body = body

    def check(self, x: Tensor) -> None:
        """Raise ShapeError unless x is (n, inputs)."""
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise ShapeError(
                f"{self.name}: got points of shape {tuple(x.shape)}, expected (n, {self.inputs}); "
                "give one row per point and one column per coordinate"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's value, (n, outputs)."""
        self.check(x)
        return self.body(x)

    def extra_repr(self) -> str:
        """Name the network and its widths in its printed form."""
        return f"{self.name}: {self.inputs} -> {self.outputs}"


def check_parameters(network: nn.Module) -> None:
    """Raise NonFiniteError, naming the parameter, if any parameter holds NaN or infinity."""
    for name, parameter in network.named_parameters():
        bad = int((~torch.isfinite(parameter)).sum())
        if bad:
            raise NonFiniteError(
                f"parameter {name!r}: got {bad} of {parameter.numel()} values NaN or infinite, expected finite "
                "weights; draw them anew or load another state"
            )
