"""Propagation through networks for many frequencies, against nested autograd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_kernels import ORDER_TWO, assert_close, build, generator, gradients, loss, plans, points
from torch import nn

from pdekit.kernels import ForwardKernel, Plan, ReverseKernel, derivatives, select_kernel
from pdekit.kernels.channels import AffineChannels, coordinates
from pdekit.kernels.composition import compose, compose_affine
from pdekit.kernels.fused import compose_affine_fused, compose_fused
from pdekit.kernels.layout import layout_of
from pdekit.kernels.rules import has_closed_forms, propagate
from pdekit.nn import (
    GELU,
    MLP,
    Activation,
    Adaptive,
    BSpline,
    CosineSine,
    Elementwise,
    FourierFeatures,
    Gaussian,
    Mixed,
    Multiscale,
    PhaseShift,
    Positional,
    ReLU,
    ResNet,
    Ricker,
    S2ReLU,
    Sine,
    SReLU,
    Structure,
    Subspace,
    Tanh,
)

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "scales per unit": lambda d: build(Multiscale(7, 2, (1.0, 3.0), Structure.PER_UNIT), d),
    "subnetworks": lambda d: build(Multiscale(4, 2, (1.0, 3.0)), d),
    "subspace": lambda d: build(Subspace(4, 1, (1.0, 2.0, 5.0), MLP(3, 1)), d),
    "shared layers": lambda d: build(FourierFeatures(4, 2, (Gaussian(1.0, 3), Gaussian(2.0, 3))), d),
    "trained frequencies": lambda d: build(FourierFeatures(4, 1, (Positional(2),), True, 0.5), d),
    "phase shift": lambda d: build(PhaseShift(3, 1, (1.0, 2.0)), d),
    "cosine and sine": lambda d: build(ResNet(6, 1, CosineSine()), d),
    "adaptive": lambda d: build(MLP(6, 2, Adaptive(CosineSine(), True, 5.0)), d),
    "mixed": lambda d: build(MLP(5, 2, Mixed((Tanh(), Sine(2.0), ReLU(3)))), d),
    "cubic spline": lambda d: build(MLP(5, 2, BSpline(3)), d),
    "ricker": lambda d: build(MLP(5, 2, Ricker(0.5)), d),
}
CASES = [(name, d) for name in NETWORKS for d in (1, 2, 3) if (name, d) != ("phase shift", 3)]


@pytest.mark.parametrize(("name", "d"), CASES)
def test_forward_equals_nested_autograd_in_values_and_parameter_gradients(name: str, d: int) -> None:
    network, x = NETWORKS[name](d), points(d, 3)
    assert has_closed_forms(network)
    for plan in plans(d):
        forward, reverse = ForwardKernel()(network, x, plan), ReverseKernel()(network, x, plan)
        for axes in plan.partials:
            assert_close(forward.partial(axes), reverse.partial(axes))
        if plan.laplacian:
            assert_close(forward.laplacian(plan.laplacian), reverse.laplacian(plan.laplacian))
        pairs = zip(gradients(loss(forward, plan), network), gradients(loss(reverse, plan), network), strict=True)
        for found, expected in pairs:
            assert_close(found, expected)


@pytest.mark.parametrize("name", ["subnetworks", "shared layers", "trained frequencies", "phase shift", "adaptive"])
def test_second_parameter_derivatives(name: str) -> None:
    network, x, plan = NETWORKS[name](2), points(2, 3), Plan(frozenset({()}), (0, 1))
    curvatures = []
    for kernel in (ForwardKernel(), ReverseKernel()):
        parameters = list(network.parameters())
        slope = torch.autograd.grad(loss(kernel(network, x, plan), plan), parameters, create_graph=True)
        norm = sum(part.square().sum() for part in slope)
        curvatures.append(torch.autograd.grad(norm, parameters, allow_unused=True, materialize_grads=True))
    for found, expected in zip(*curvatures, strict=True):
        assert_close(found, expected)


FUNCTIONS = [SReLU(), BSpline(2), BSpline(3), S2ReLU(), Ricker(), GELU(), Mixed((Tanh(), SReLU(), Sine(2.0)))]


@pytest.mark.parametrize("function", FUNCTIONS, ids=repr)
def test_closed_derivatives_equal_differentiated_ones(function: Activation) -> None:
    z = 2 * torch.randn(20, 6, generator=generator(), dtype=torch.float64)
    brute_force = derivatives.dispatch(object)
    for closed, expected in zip(derivatives(function, z, 5), brute_force(function, z, 5), strict=True):
        assert_close(closed, expected)


@pytest.mark.parametrize("function", [BSpline(3), Ricker(), Mixed((Tanh(), Sine(2.0)))], ids=repr)
@pytest.mark.parametrize("plan", ORDER_TWO, ids=str)
def test_fused_compositions_have_right_first_and_second_gradients(function: Activation, plan: Plan) -> None:
    layout, g = layout_of(plan), generator()
    data = torch.randn(layout.size, 3, 2, generator=g, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, generator=g, dtype=torch.float64, requires_grad=True)
    powers = torch.randn(layout.size - 1, 2, generator=g, dtype=torch.float64, requires_grad=True)
    stacked = lambda z, b: compose_fused(function, layout, z, b)
    affine = lambda z, p: compose_affine_fused(function, layout, z[0], p)
    assert_close(stacked(data, bias), compose(function, layout, data, bias))
    assert_close(affine(data, powers), compose_affine(function, layout, data[0], powers))
    for run, second in ((stacked, bias), (affine, powers)):
        assert torch.autograd.gradcheck(run, (data, second))
        assert torch.autograd.gradgradcheck(run, (data, second))


def test_scaled_groups_stay_affine_up_to_their_activation() -> None:
    """The first activation has a cheaper rule for affine channels; side by side they must not be written out."""
    first = build(Multiscale(7, 2, (1.0, 3.0), Structure.PER_UNIT), 2).get_submodule("body.1")
    channels = propagate(first, coordinates(points(2), layout_of(Plan(frozenset({()}), (0, 1)))))
    assert isinstance(channels, AffineChannels)


@pytest.mark.parametrize("name", NETWORKS)
def test_all_of_them_are_propagated_forwards(name: str) -> None:
    plan = Plan(frozenset({()}), (0, 1))
    kernel = select_kernel(NETWORKS[name](2), plan, device=torch.device("cpu"), steps_expected=100)
    assert kernel == ForwardKernel()


def test_one_pair_has_the_derivatives_of_its_waves() -> None:
    x = points(1)
    channels = propagate(Elementwise(CosineSine(0.5)), coordinates(x, layout_of(Plan(frozenset({(0, 0, 0)})))))
    c, s = 0.5 * x.cos(), 0.5 * x.sin()
    expected = torch.stack([torch.cat(pair, 1) for pair in ((c, s), (-s, c), (-c, -s), (s, -c))])
    assert_close(channels.stacked(), expected)
