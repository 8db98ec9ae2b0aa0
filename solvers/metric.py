"""The metric of an energy: its Hessian in function space, as residual blocks for natural gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..jet import Jet
from ..kernels import Derivatives, Plan
from ..optim import Block
from .ansatz import Jets

Density = Callable[[Jet], Tensor]
"""A jet to one number per point, (n, 1)."""


def energy_block(
    name: str, batch: Mapping[str, Tensor], points: str, weight: Tensor, density: Density, plan: Plan, jets: Jets
) -> Block:
    """The block with 2 J^T J = the Hessian of sum_i weight_i density(u(x_i), grad u(x_i), ...), as far as it is positive.

    Args:
        name: of the loss term.
        batch: the points.
        points: name of the point set.
        weight: (n,) >= 0.
        density: of the energy; convex in the derivatives for a metric without loss.
        plan: derivatives it reads.
        jets: of the ansatz that is trained.

    Notes: the second derivative of u in the parameters is left out, as in Gauss-Newton; where the density is quadratic,
    the metric is that of the energy norm. Reference: Mueller and Zeinhofer 2023, arXiv:2302.13163.
    """
    root = (0.5 * weight).sqrt()[:, None]

    def pointwise(ansatz: nn.Module) -> Tensor:
        found = jets.of(ansatz).derivatives(points, batch, plan)

        def energy(channels: Tensor) -> Tensor:
            return density(jets.reading(points, batch, replace(found, channels=channels)))

        factor = hessian_root(energy, found.channels.detach())
        return root * torch.einsum("nqk,nk->nq", factor, _by_point(found))

    return Block(name, len(root), pointwise)


def _by_point(found: Derivatives) -> Tensor:
    return found.channels.permute(1, 0, 2).flatten(1)


def hessian_root(density: Callable[[Tensor], Tensor], channels: Tensor) -> Tensor:
    """R (n, k, k) with R^T R the positive part of the density's Hessian at each point.

    Args:
        density: channels (C, n, m) to (n, 1), point by point.
        channels: where.
    """
    with torch.enable_grad():
        at = channels.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(density(at).sum(), at, create_graph=True)
        rows = []
        for component in slope.permute(0, 2, 1).flatten(0, 1):  # (n,) each
            row = torch.zeros_like(at)
            if component.requires_grad:
                (row,) = torch.autograd.grad(
                    component.sum(), at, retain_graph=True, allow_unused=True, materialize_grads=True
                )
            rows.append(row.permute(1, 0, 2).flatten(1))
    values, vectors = torch.linalg.eigh(torch.stack(rows, 1))
    return values.clamp(min=0.0).sqrt()[..., None] * vectors.mT
