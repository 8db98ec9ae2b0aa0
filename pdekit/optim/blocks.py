"""Residual blocks: what a least-squares loss or an energy shows of its inside, for optimisers that use curvature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ..kernels.per_point import PerPoint
from ..kernels.pullback import pullback
from .base import Closure


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Residuals r = transform(pointwise(u)) of one loss term at n points.

    Args:
        name: the loss term they belong to, whose weight they get.
        points: n.
        pointwise: the player, or a copy of it with separate parameters at each point, to (n, q); row i depends on the
            player at the i-th point of one or more sets of n points only. Quadrature weights go in here, as roots.
        transform: linear, (n, q, k) to (m, k), column by column, without gradients; None keeps the n q rows.
    """

    name: str
    points: int
    pointwise: Callable[[nn.Module], Tensor]
    transform: Callable[[Tensor], Tensor] | None = None

    def rows(self, values: Tensor) -> Tensor:
        """The rows (m, k) of pointwise values or derivatives (n, q, k)."""
        return values.flatten(0, 1) if self.transform is None else self.transform(values)

    def residual(self, player: nn.Module) -> Tensor:
        """r (m,), without a graph."""
        with torch.no_grad():
            return self.rows(self.pointwise(player)[..., None])[:, 0]


@final
@dataclass(frozen=True)
class Size:
    """How large linearised blocks are.

    Args:
        rows: residuals m.
        columns: parameters P.
        peak: bytes needed at most while the Jacobian is built, itself included.
    """

    rows: int
    columns: int
    peak: int


@final
class System:
    """Loss and residual blocks of a player as functions of its present parameters.

    loss = sum over the blocks of weight |r|^2 where `least_squares`; otherwise the blocks are the metric of an energy:
    J^T J is its Hessian in function space, pulled back to the parameters.

    Args:
        player: the module that is trained.
        blocks: its residual blocks.
        weights: one per loss term.
        loss: computes the loss.
        least_squares: whether the squares of the blocks sum to the loss.
    """

    def __init__(
        self,
        player: nn.Module,
        blocks: Iterable[Block],
        weights: Mapping[str, float],
        loss: Closure,
        *,
        least_squares: bool,
    ) -> None:
        self.least_squares = least_squares
        self._player, self._loss = player, loss
        self._blocks = [(block, math.sqrt(weights[block.name])) for block in blocks if weights[block.name]]
        self._parameters = [p for p in player.parameters() if p.requires_grad]
        self._columns = sum(p.numel() for p in self._parameters)

    def loss(self) -> float:
        """The loss."""
        with torch.no_grad():
            return float(self._loss())

    def gradient(self) -> tuple[float, Tensor]:
        """The loss and its gradient (P,)."""
        with torch.enable_grad():
            loss = self._loss()
        parts = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        return float(loss.detach()), torch.cat([part.reshape(-1) for part in parts])

    def residual(self) -> Tensor:
        """All residuals times the roots of their weights, (m,)."""
        return torch.cat([root * block.residual(self._player) for block, root in self._blocks])

    def jacobian(self) -> tuple[Tensor, Tensor]:
        """All residuals (m,) and their derivatives in the parameters (m, P), times the roots of their weights.

        The derivatives come in float64, in which linear systems are solved whatever the network's type.
        """
        taped = [_Taped(block, self._player, root) for block, root in self._blocks]
        residual = torch.cat([part.residual for part in taped])
        jacobian = residual.new_empty(len(residual), self._columns, dtype=torch.float64)
        start = 0
        while taped:  # each graph goes when it has been read
            part = taped.pop(0)
            part.write(jacobian[start : start + len(part.residual)])
            start += len(part.residual)
        return residual, jacobian

    def size(self) -> Size:
        """Measure the blocks by a pass without derivatives in the parameters."""
        rows = graphs = extra = 0
        for block, root in self._blocks:
            held: dict[int, int] = {}

            def note(tensor: Tensor, held: dict[int, int] = held) -> Tensor:
                storage = tensor.untyped_storage()
                held[storage.data_ptr()] = storage.nbytes()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                taped = _Taped(block, self._player, root)
            m, bytes_per_row = len(taped.residual), self._columns * taped.residual.element_size()
            graph, copies = sum(held.values()), block.points * bytes_per_row
            transformed = 0 if block.transform is None else 2 * (taped.values.numel() + m) * bytes_per_row
            rows, graphs, extra = rows + m, graphs + graph, max(extra, graph + copies + transformed)
        jacobian = rows * self._columns * torch.float64.itemsize
        return Size(rows, self._columns, jacobian + graphs + extra)


@final
class _Taped:
    """A block evaluated with separate parameters at each point."""

    def __init__(self, block: Block, player: nn.Module, root: float) -> None:
        self._block, self._root = block, root
        with torch.enable_grad():
            per_point = PerPoint(player, block.points)
            self.values = block.pointwise(per_point.module)
        self._leaves = per_point.leaves
        self.residual = root * block.rows(self.values.detach()[..., None])[:, 0]

    def write(self, out: Tensor) -> None:
        """Write the derivatives of the rows into `out` (m, P)."""
        (n, q), columns = self.values.shape, out.shape[1]
        direct = self._block.transform is None
        raw = out.view(n, q, columns) if direct else self.values.new_empty(n, q, columns)
        for j in range(q):
            with torch.enable_grad():
                column = self.values[:, j]
            found = pullback(column, self._leaves, self._root, keep=j + 1 < q)
            start = 0
            for leaf, part in zip(self._leaves, found, strict=True):
                stop = start + leaf[0].numel()
                if part is None:
                    raw[:, j, start:stop] = 0
                else:
                    raw[:, j, start:stop].view(leaf.shape).copy_(part)
                start = stop
        if not direct:
            out.copy_(self._block.rows(raw))
