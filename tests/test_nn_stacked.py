"""Stacked networks: the values, gradients and copies of the single ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn as torch_nn

from pdekit import nn
from pdekit.errors import ConfigError, ShapeError
from pdekit.nn.frame import Frame
from pdekit.nn.stacked import StackedLinear, stack

FRAME = Frame((-1.0, 0.0), (1.0, 2.0), 3, torch.float64)
BATCHED = [nn.MLP(7, 2), nn.MLP(5, 1, activation=nn.Ricker(0.3)), nn.ResNet(6, 2), nn.AntiSymmetric(nn.MLP(6, 2))]
MAPPED = [nn.MLP(6, 2, activation=nn.Adaptive(nn.Tanh())), nn.FourierFeatures(width=6, depth=1)]


def built(architecture, count=4, frame=FRAME):
    return [architecture.build(frame, torch.Generator().manual_seed(41 + seed)) for seed in range(count)]


@pytest.mark.parametrize("architecture", [*BATCHED, *MAPPED], ids=lambda a: type(a).__name__)
def test_values_and_gradients_are_those_of_the_single_networks(architecture):
    networks = built(architecture)
    stacked = stack(networks)
    shared = torch.rand(9, 2, dtype=torch.float64)
    own = torch.rand(4, 9, 2, dtype=torch.float64)
    torch.testing.assert_close(
        stacked(shared), torch.stack([network(shared) for network in networks]), rtol=1e-13, atol=1e-14
    )
    expected = torch.stack([network(x) for network, x in zip(networks, own, strict=True)])
    torch.testing.assert_close(stacked(own), expected, rtol=1e-13, atol=1e-14)
    (stacked(own) ** 2).sum().backward()
    (expected**2).sum().backward()
    total = sum((p.grad**2).sum() for p in stacked.parameters())
    torch.testing.assert_close(
        total, sum((p.grad**2).sum() for network in networks for p in network.parameters()), rtol=1e-12, atol=0
    )
    assert sum(p.numel() for p in stacked.parameters()) == sum(p.numel() for n in networks for p in n.parameters())


@pytest.mark.parametrize("architecture", BATCHED, ids=lambda a: type(a).__name__)
def test_the_usual_networks_run_as_batched_products(architecture):
    assert any(isinstance(module, StackedLinear) for module in stack(built(architecture)).modules())


@pytest.mark.parametrize("architecture", [*BATCHED, *MAPPED], ids=lambda a: type(a).__name__)
def test_a_network_comes_back_with_the_present_parameters(architecture):
    networks = built(architecture)
    stacked = stack(networks)
    x = torch.rand(5, 2, dtype=torch.float64)
    before = [p.detach().clone() for p in networks[2].parameters()]
    with torch.no_grad():
        for p in stacked.parameters():
            p.mul_(1 + torch.rand_like(p))
    single = stacked.unstack(2)
    assert type(single) is type(networks[2])
    torch.testing.assert_close(single(x), stacked(x)[2], rtol=1e-13, atol=1e-14)
    assert all(torch.equal(a, b) for a, b in zip(before, networks[2].parameters(), strict=True)), "a copy, not a view"
    assert not torch.allclose(single(x), networks[2](x))


def test_scalings_of_different_boxes_are_kept_apart():
    frames = [Frame((-k, 0.0), (1.0, 2.0 * k), 1, torch.float64) for k in (1.0, 2.0)]
    networks = [nn.MLP(5, 1).build(frame, torch.Generator().manual_seed(3)) for frame in frames]
    x = torch.rand(6, 2, dtype=torch.float64)
    torch.testing.assert_close(stack(networks)(x), torch.stack([network(x) for network in networks]))
    torch.testing.assert_close(stack(networks).unstack(1)(x), networks[1](x))


def test_networks_without_biases():
    def single():
        return torch_nn.Sequential(torch_nn.Linear(2, 4), nn.Elementwise(nn.Tanh()), torch_nn.Linear(4, 1, bias=False))

    networks = [single() for _ in range(3)]
    x = torch.rand(6, 2)
    torch.testing.assert_close(stack(networks)(x), torch.stack([network(x) for network in networks]))


def test_what_cannot_be_stacked_is_refused():
    with pytest.raises(ConfigError, match="got none"):
        stack([])
    with pytest.raises(ShapeError, match=r"networks\[1\].*expected.*as in networks\[0\]"):
        stack([built(nn.MLP(7, 2), 1)[0], built(nn.MLP(6, 2), 1)[0]])
    with pytest.raises(ShapeError, match=r"Ricker\(width=0.1\), expected .*Ricker\(width=0.3\)"):
        stack([built(nn.MLP(7, 1, activation=nn.Ricker(width)), 1)[0] for width in (0.3, 0.1)])
    stacked = stack(built(nn.MLP(7, 2)))
    with pytest.raises(ShapeError, match=r"expected \(n, d\) or \(4, n, d\)"):
        stacked(torch.rand(3, 5, 2, dtype=torch.float64))
    with pytest.raises(ConfigError, match="less than 4"):
        stacked.unstack(4)
