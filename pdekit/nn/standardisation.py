"""Standardisation: data to mean 0 and deviation 1 and back, inside the network, so that its statistics travel with it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class Standardisation(nn.Module):
    """(z - mean) / deviation, and back.

    Args:
        mean: broadcasts against arrays (count, *grid, m): (m,) for one number per component, (*grid, m) for one per point.
        deviation: of the same shape. Where it is zero, the data are constant: they are mapped to zero, and back to the mean.
        dtype: of the statistics.
    """

    def __init__(self, mean: Tensor, deviation: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("mean", mean.to(dtype))
        self.register_buffer("deviation", deviation.to(dtype))
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """Standardised values."""
        return (values - self.mean) / torch.where(self.deviation > 0.0, self.deviation, 1.0)

    def restored(self, values: Tensor) -> Tensor:
        """Values in the data's own units."""
        return self.mean + self.deviation * values

    def extra_repr(self) -> str:
        """Name the shape of the statistics in the network's printed form."""
        return f"{tuple(self.mean.shape)}"
