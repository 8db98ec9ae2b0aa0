"""Layers of networks that are made for many frequencies; each has a propagation rule in `pdekit.kernels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError


@final
class Slope(nn.Module):
    """gain a z with trained a, starting at gain a = 1.

    Args:
        count: how many slopes: 1 for all units, or one per unit.
        gain: n; slopes move n times as fast.
        dtype: element type.
    """

    def __init__(self, count: int, gain: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.gain = gain
        self.slope = nn.Parameter(torch.full((count,), 1.0 / gain, dtype=torch.float64).to(dtype))

    @property
    def factor(self) -> Tensor:
        """What z is multiplied by, (count,)."""
        return self.gain * self.slope

    def forward(self, z: Tensor) -> Tensor:
        """Return gain a z."""
        return self.factor * z


@final
class Waves(nn.Module):
    """The phases w . x of plane waves.

    Args:
        vectors: (m, d) angular frequencies.
        trained: whether they move.
    """

    def __init__(self, vectors: Tensor, *, trained: bool = False) -> None:
        super().__init__()
        self.vectors: Tensor
        if trained:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)

    def forward(self, x: Tensor) -> Tensor:
        """Return the phases, (n, m)."""
        return functional.linear(x, self.vectors)

    def extra_repr(self) -> str:
        """Say how many waves there are."""
        return f"{len(self.vectors)} waves"


@final
class SharedBody(nn.Module):
    """One body applied to several entries, side by side: body(entry_1(x)), body(entry_2(x)), ...

    Args:
        entries: maps of x to equal widths.
        body: the layers that all entries share.
    """

    def __init__(self, entries: Sequence[nn.Module], body: nn.Module) -> None:
        super().__init__()
        self.entries = nn.ModuleList(entries)
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (n, total width)."""
        return torch.cat([self.body(entry(x)) for entry in self.entries], -1)


@final
class Modulation(nn.Module):
    """Sum over the J carriers of carrier_j(x) envelope_ji(x), for each component i.

    Args:
        carrier: maps (n, d) to (n, J).
        envelope: maps (n, d) to (n, J m), all components of the first carrier first.
    """

    def __init__(self, carrier: nn.Module, envelope: nn.Module) -> None:
        super().__init__()
        self.carrier = carrier
        self.envelope = envelope

    def forward(self, x: Tensor) -> Tensor:
        """Return the modulated sum, (n, m)."""
        carrier = self.carrier(x)
        return (carrier[..., None] * self.envelope(x).unflatten(-1, (carrier.shape[-1], -1))).sum(-2)


@final
class Parts(nn.Module):
    """The sum of named parts that read the same input and can be called by themselves.

    Args:
        parts: by name; names are identifiers.
        scales: the scale that each is for.
    """

    def __init__(self, parts: Mapping[str, nn.Module], scales: Sequence[float]) -> None:
        super().__init__()
        if not parts or len(scales) != len(parts):
            raise ConfigError(
                f"Parts: got {len(parts)} parts and {len(scales)} scales, expected one scale for each part"
            )
        self.parts = nn.ModuleDict(parts)
        self.scales = tuple(scales)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of all parts at x."""
        first, *rest = (part(x) for part in self.parts.values())
        return sum(rest, first)
