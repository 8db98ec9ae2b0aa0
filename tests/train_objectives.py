"""Objectives whose every number is known, and a call of `train` with the usual arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pdekit.optim import SGD
from pdekit.train import Phase, Turn, train

Terms = Mapping[str, Tensor]


class Number(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))


@dataclass
class Custom:
    """Players that are single numbers, and losses given by a function of (player, players, batch, calls)."""

    function: Callable[[str, Mapping[str, Number], Terms, int], Terms]
    players: Mapping[str, nn.Module] = field(default_factory=lambda: {"u": Number(1.0)})
    calls: int = 0
    samples: int = 0

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        self.samples += 1
        return {"x": torch.rand(1, generator=generator, dtype=torch.float64)}

    def losses(self, player: str, batch: Terms) -> Terms:
        self.calls += 1
        return self.function(player, self.players, batch, self.calls)


def parabola(player, players, batch, calls) -> Terms:
    return {"half": 0.5 * players["u"].value ** 2}


def descent(rate: float = 0.1, steps: int = 20, **options) -> tuple[Phase]:
    return (Phase((Turn("u", SGD(rate)),), steps, **options),)


def go(objective=None, phases=None, **options):
    return train(
        objective or Custom(parabola), phases or descent(), generator=torch.Generator().manual_seed(4), **options
    )


def poisoned(at: int):
    """A parabola whose loss is NaN from call `at` on."""

    def losses(player, players, batch, calls):
        return {"half": 0.5 * players["u"].value ** 2 * (math.nan if calls >= at else 1.0)}

    return losses
