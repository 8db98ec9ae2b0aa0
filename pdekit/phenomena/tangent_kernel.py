"""The tangent kernel of a network: how a step of gradient descent for one point moves the output at another."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def tangent_kernel(network: nn.Module, x: Tensor) -> Tensor:
    """K_ij = sum over parameters of du(x_i)/dtheta du(x_j)/dtheta, (n, n), for the first component u.

    Notes: holds the Jacobian, n times as many numbers as there are parameters.

    Reference: Jacot, Gabriel, Hongler 2018, doi:10.48550/arXiv.1806.07572.
    """
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def output(values: dict[str, Tensor], point: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(network, values, (point[None],))
        return result[0, 0]

    rows = torch.func.vmap(torch.func.grad(output), in_dims=(None, 0))(parameters, x)
    jacobian = torch.cat([row.flatten(1) for row in rows.values()], dim=1)
    return jacobian @ jacobian.T
