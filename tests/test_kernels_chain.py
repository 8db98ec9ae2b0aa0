"""Chains: the same channels and gradients as layer by layer, whatever the chunks, and memory that is used again."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn

from pdekit.kernels import ForwardKernel, Plan, chain
from pdekit.kernels.chain import chain_of
from pdekit.kernels.forward import channels_of
from pdekit.kernels.layout import layout_of
from pdekit.kernels.workspace import Workspace
from pdekit.nn import CosineSine, Dilation, Elementwise, Sine, Tanh

PLANS = {
    "value": Plan(frozenset({()})),
    "gradient": Plan(frozenset({(0,), (1,), (2,)})),
    "laplacian": Plan(frozenset({()}), (0, 1, 2)),
    "heat": Plan(frozenset({(2,)}), (0, 1)),
    "mixed": Plan(frozenset({(0, 1), (1, 2), (2, 2)})),
}


def layers(*, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 7, bias=bias),
        Elementwise(Tanh()),
        nn.Linear(7, 5, bias=bias),
        Elementwise(Sine(2.0)),
        nn.Linear(5, 6, bias=bias),
        Elementwise(Tanh()),
        nn.Linear(6, 2, bias=bias),
    ).double()


def points(n: int = 50) -> Tensor:
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gradients(network: nn.Module, x: Tensor, plan: Plan, workspace: Workspace | None) -> list[Tensor]:
    channels = channels_of(network, x, layout_of(plan), workspace)
    weight = torch.linspace(0.5, 2.0, channels.numel(), dtype=torch.float64).view_as(channels)
    used = [p for p in network.parameters() if p.requires_grad]
    return [channels, *torch.autograd.grad((weight * channels).square().sum(), used, allow_unused=True)]


def same(left: list[Tensor], right: list[Tensor]) -> None:
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("bias", [True, False])
def test_a_chain_equals_its_layers_one_by_one(plan: Plan, bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = layers(bias=bias), points()
    alone = gradients(network, x, plan, None)
    same(gradients(network, x, plan, Workspace()), alone)
    monkeypatch.setattr(chain, "CHUNK_BYTES", 1)
    monkeypatch.setattr(chain, "LEAST_POINTS", 7)
    same(gradients(network, x, plan, Workspace()), alone)


def test_the_way_back_can_be_differentiated_again() -> None:
    network, x = layers(), points(5)
    parameters = list(network.parameters())

    def curvature(workspace: Workspace | None) -> list[Tensor]:
        channels = channels_of(network, x, layout_of(PLANS["laplacian"]), workspace)
        first = torch.autograd.grad(channels.square().sum(), parameters, create_graph=True)
        return list(torch.autograd.grad(sum(g.square().sum() for g in first), parameters))

    same(curvature(Workspace()), curvature(None))


def test_gradients_reach_the_points() -> None:
    network, x = layers(), points(9).requires_grad_()
    workspaces = (None, Workspace())
    plain, chained = (channels_of(network, x, layout_of(PLANS["laplacian"]), w).square().sum() for w in workspaces)
    torch.testing.assert_close(torch.autograd.grad(chained, x)[0], torch.autograd.grad(plain, x)[0])


def test_passes_that_live_at_once_do_not_share_memory() -> None:
    network, plan, workspace = layers(), PLANS["laplacian"], Workspace()
    sets, parameters = [points(20), points(30) + 1.0], list(network.parameters())
    passes = [channels_of(network, x, layout_of(plan), workspace) for x in sets]
    found = [torch.autograd.grad(p.square().sum(), parameters, retain_graph=True) for p in passes]
    again = [torch.autograd.grad(p.square().sum(), parameters) for p in passes]
    for x, first, second in zip(sets, found, again, strict=True):
        alone = torch.autograd.grad(channels_of(network, x, layout_of(plan)).square().sum(), parameters)
        same(list(first), list(alone))
        same(list(second), list(alone))


def test_memory_serves_step_after_step() -> None:
    network, kernel, x = layers(), ForwardKernel(), points()

    def step() -> None:
        u = kernel(network, x, PLANS["laplacian"])
        torch.autograd.grad(u.laplacian((0, 1, 2)).square().mean(), [network[0].weight])

    def addresses() -> list[int]:
        gc.collect()
        ((chunks,),) = (kernel._workspace._free,)
        return [tensor.data_ptr() for buffers in chunks for tensor in buffers.values()]

    step()
    first = addresses()
    step()
    assert addresses() == first


def test_evaluation_without_gradients_keeps_nothing() -> None:
    workspace = Workspace()
    with torch.no_grad():
        channels_of(layers(), points(), layout_of(PLANS["laplacian"]), workspace)
    assert not workspace._free


def test_no_points() -> None:
    assert channels_of(layers(), points(0), layout_of(PLANS["laplacian"]), Workspace()).shape == (5, 0, 2)


@pytest.mark.parametrize(
    "modules",
    [
        [nn.Linear(3, 2)],
        [nn.Linear(3, 2), Elementwise(Tanh())],
        [nn.Linear(3, 2), Elementwise(CosineSine()), nn.Linear(4, 1)],
        [nn.Linear(3, 2), Dilation(torch.tensor(2.0)), nn.Linear(2, 1)],
        [Elementwise(Tanh()), nn.Linear(3, 2), Elementwise(Tanh())],
        [nn.Linear(3, 2), Elementwise(lambda z: z**3), nn.Linear(2, 1)],
    ],
)
def test_what_is_no_chain(modules: list[nn.Module]) -> None:
    assert chain_of(modules) is None
