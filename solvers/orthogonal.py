"""Orthogonality between the parts of a network, as a term added to any formulation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ..checks import real
from ..conditions import Condition
from ..nn import parts_of
from ..optim import Block
from ..problem import Problem
from ..recipe import BlockObjective, Objective, Turn
from .ansatz import Ansatz
from .collocation import INTERIOR, mean_weight
from .formulation import Formulation, Task
from .ritz import Ritz

_TERM = "orthogonality"
_TINY = 1e-30  # of the norms: a part that is zero is orthogonal to all


@final
@dataclass(frozen=True)
class Orthogonal:
    """L = L_formulation + weight * sum over i < j of <u_i, u_j>^2 / (|u_i|^2 |u_j|^2), u_i the parts of the network.

    The norms count as constants: a part grows or shrinks by what the solution needs, not to change an angle.

    Args:
        formulation: what the sum of the parts is trained on.
        weight: of the squared cosines.

    Notes: without parts (`nn.parts_of`) the term is zero. The sum is the solution whatever the parts are; the term
        only keeps the oscillating ones free of what the smooth one can hold.
    Good values: 0.1 to 1.
    Reference: Li, Xu, Zhang 2023, doi:10.1016/j.jcp.2023.112242; book, eq. 5.10 (there without the norms).
    """

    formulation: Formulation = Ritz()  # noqa: RUF009 (frozen)
    weight: float = 1.0

    def __post_init__(self) -> None:
        real("Orthogonal", "weight", self.weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Whatever the formulation needs."""
        self.formulation.require(problem)

    def objective(self, task: Task) -> Objective:
        """The formulation's losses and the term; with residual blocks if the formulation has some."""
        inner = self.formulation.objective(task)
        if isinstance(inner, BlockObjective):
            return _OrthogonalBlocks(inner, task.ansatz)
        return _Orthogonal(inner, task.ansatz)

    def weights(self, soft: Sequence[Condition]) -> dict[str, float]:
        """Those of the formulation, and that of the term."""
        return self.formulation.weights(soft) | {_TERM: self.weight}

    def turns(self, unknown: Turn) -> tuple[Turn, ...]:
        """Those of the formulation."""
        return self.formulation.turns(unknown)

    @property
    def adversarial(self) -> bool:
        """As the formulation."""
        return self.formulation.adversarial


@final
class _Orthogonal:
    def __init__(self, inner: Objective, ansatz: Ansatz) -> None:
        self._inner, self._ansatz = inner, ansatz
        (self._player,) = (name for name, module in inner.players.items() if module is ansatz)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return self._inner.players

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._inner.sample(generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        terms = dict(self._inner.losses(player, batch))
        if player == self._player:
            terms[_TERM] = (cosine_densities(self._ansatz, batch).sum(0) ** 2).sum()
        return terms


@final
class _OrthogonalBlocks:
    def __init__(self, inner: BlockObjective, ansatz: Ansatz) -> None:
        self._inner, self._plain = inner, _Orthogonal(inner, ansatz)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return self._plain.players

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self._plain.sample(generator)

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self._plain.losses(player, batch)

    @property
    def least_squares(self) -> bool:
        return self._inner.least_squares

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> Sequence[Block]:
        points = len(batch[f"{INTERIOR}.x"])
        cosines = Block(_TERM, points, lambda ansatz: cosine_densities(ansatz, batch), lambda values: values.sum(0))
        return [*self._inner.blocks(player, batch), cosines]


def cosine_densities(ansatz: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """w u_i u_j / (|u_i| |u_j|) at the interior points, one column per pair of parts; they sum to the cosines."""
    x, weight = batch[f"{INTERIOR}.x"], mean_weight(batch, INTERIOR)[:, None]
    assert isinstance(ansatz, Ansatz)
    parts = [part.function(x) for part in parts_of(ansatz.function).values()]
    pairs = list(itertools.combinations(parts, 2))
    if not pairs:
        return x.new_zeros(len(x), 1)
    norms = {id(part): (weight * part.detach() ** 2).sum().sqrt() + _TINY for part in parts}
    columns = [weight * (u * v).sum(1, keepdim=True) / (norms[id(u)] * norms[id(v)]) for u, v in pairs]
    return torch.cat(columns, 1)
