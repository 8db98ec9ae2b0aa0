"""Loss and gradient in one go, against autograd through the same stack."""

from __future__ import annotations

import pytest
import torch
from torch import nn as torch_nn

from pdekit import nn
from pdekit.nn.frame import Frame
from pdekit.nn.stacked import stack
from pdekit.phenomena import CrossEntropy, MeanSquare, perceptrons
from pdekit.phenomena.perceptrons import Perceptrons

ACTIVATIONS = [nn.Tanh(), nn.Sine(3.0), nn.ReLU(2), nn.Ricker(0.3)]
COUNT, POINTS = 5, 7


def stacked(activation=ACTIVATIONS[0], outputs=2, depth=2):
    frame = Frame((-2.0, 0.0), (1.0, 2.0), outputs, torch.float64)
    architecture = nn.MLP(6, depth, activation, nn.Glorot(bias=0.3))
    return stack([architecture.build(frame, torch.Generator().manual_seed(61 + seed)) for seed in range(COUNT)])


def compare(network, misfit, x, y):
    """Losses, outputs and gradients of one pass equal autograd's."""
    models = Perceptrons.of(network, misfit)
    assert models is not None
    found = models.evaluate(x, y)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(3 * found.total, parameters)
    losses, values = misfit(network, x, y)
    expected = torch.autograd.grad(3 * losses.sum(), parameters)
    torch.testing.assert_close(found.losses, losses.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.outputs, values.detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.total, losses.sum(), rtol=1e-12, atol=0)
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-11, atol=1e-14)
        assert gradient.is_contiguous()


@pytest.mark.parametrize("group_bytes", [1, 2000, 1 << 30], ids=["one by one", "two by two", "all at once"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_gradients_are_those_of_autograd(activation, group_bytes, monkeypatch):
    monkeypatch.setattr(perceptrons, "_GROUP_BYTES", group_bytes)
    x, y = torch.rand(POINTS, 2, dtype=torch.float64), torch.rand(COUNT, POINTS, 2, dtype=torch.float64)
    compare(stacked(activation), MeanSquare(0.5), x, y)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("own", [False, True], ids=["shared points", "own points"])
def test_shapes(outputs, depth, own):
    shape = (COUNT, POINTS) if own else (POINTS,)
    x, y = torch.rand(*shape, 2, dtype=torch.float64), torch.rand(*shape, outputs, dtype=torch.float64)
    compare(stacked(outputs=outputs, depth=depth), MeanSquare(), x, y)


@pytest.mark.parametrize("own", [False, True], ids=["shared points", "own points"])
def test_cross_entropy(own):
    shape = (COUNT, POINTS) if own else (POINTS,)
    labels = torch.randint(0, 3, shape)
    compare(stacked(outputs=3), CrossEntropy(), torch.rand(*shape, 2, dtype=torch.float64), labels)


def test_as_many_models_as_points():
    """Shared targets (n, m) and targets of each model (S, n, m) must not be taken for each other where S = n."""
    x = torch.rand(COUNT, 2, dtype=torch.float64)
    compare(stacked(), MeanSquare(), x, torch.rand(COUNT, 2, dtype=torch.float64))
    compare(stacked(), MeanSquare(), x, torch.rand(COUNT, COUNT, 2, dtype=torch.float64))


def test_layers_without_biases():
    single = [
        torch_nn.Sequential(torch_nn.Linear(2, 4), nn.Elementwise(nn.Tanh()), torch_nn.Linear(4, 1, bias=False))
        for _ in range(3)
    ]
    x, y = torch.rand(6, 2, dtype=torch.float64), torch.rand(6, 1, dtype=torch.float64)
    compare(stack([network.double() for network in single]), MeanSquare(), x, y)


def test_other_networks_are_left_to_autograd():
    frame = Frame((-1.0,), (1.0,), 1, torch.float64)
    generator = torch.Generator().manual_seed(1)
    for architecture in (nn.ResNet(4, 1), nn.MLP(4, 1, nn.CosineSine()), nn.MLP(4, 1, nn.Adaptive(nn.Tanh()))):
        assert Perceptrons.of(stack([architecture.build(frame, generator)]), MeanSquare()) is None
    assert Perceptrons.of(nn.MLP(4, 1).build(frame, generator), MeanSquare()) is None
    frozen = stack([nn.MLP(4, 1).build(frame, generator)])
    next(iter(frozen.parameters())).requires_grad_(False)
    assert Perceptrons.of(frozen, MeanSquare()) is None
