"""Chapter 6: closed forms against brute force, the mechanics of the trainings on tiny sizes, and the quick runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import integrate

from pdekit import nn
from pdekit.errors import NotApplicableError, ShapeError
from pdekit.kernels import ForwardKernel, Plan, Recorder
from pdekit.nn.frame import Frame
from pdekit.nn.stacked import stack
from pdekit.optim import Adam
from pdekit.phenomena import Context, Fit, Periodic, Size, Verdict
from pdekit.phenomena.chapter6 import EXPERIMENTS, gradient_measure, init_size, loss_gradient, tanh_transform
from pdekit.phenomena.curves import Curve
from pdekit.phenomena.sobolev import ValueAndSlope
from pdekit.plot_style import new_figure

PLAN = Plan(frozenset({(), (0,), (0, 0), (0, 1)}), (0, 1))
TINY = Curve(points=20, network=nn.MLP(6, 2), fit=Fit(70, Adam(1e-2), record=Periodic(1)))


def networks(inputs, count=3):
    frame = Frame((-1.0,) * inputs, (2.0,) * inputs, 2, torch.float64)
    return [nn.MLP(7, 2).build(frame, torch.Generator().manual_seed(617 + seed)) for seed in range(count)]


def check_mechanics(finding, seeds):
    """Claims are decided by finite numbers, arrays are finite, figures can be drawn."""
    for claim in finding.claims:
        assert len(claim.holds_by_seed) in (0, seeds)
    for name, array in finding.arrays.items():
        assert np.isfinite(array).all() or name.startswith("times") or name.endswith("times"), name
    for draw in finding.figures.values():
        figure = new_figure(6, 3)
        draw(figure)
        assert figure.axes


def test_stacked_networks_have_the_derivatives_of_each():
    x = torch.rand(11, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(618))
    singles = networks(2)
    found = ForwardKernel()(stack(singles), x, PLAN)
    for index, single in enumerate(singles):
        expected = Recorder(single, x)
        for axes in PLAN.partials:
            torch.testing.assert_close(found.partial(axes)[index], expected.partial(axes), rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(found.laplacian((0, 1))[index], expected.laplacian((0, 1)), rtol=1e-12, atol=1e-13)


def test_stacked_networks_must_read_the_coordinates():
    behind = torch.nn.Sequential(torch.nn.Linear(2, 2, dtype=torch.float64), torch.nn.Tanh(), stack(networks(2)))
    with pytest.raises(NotApplicableError, match="expected the coordinates"):
        ForwardKernel()(behind, torch.zeros(3, 2, dtype=torch.float64), PLAN)


def test_value_and_slope_is_the_sum_of_both_means_with_its_gradient():
    frame = Frame((-1.0,), (1.0,), 1, torch.float64)
    singles = [nn.MLP(5, 2).build(frame, torch.Generator().manual_seed(seed)) for seed in (31, 32)]
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    y = torch.cat([torch.sin(x), torch.cos(x)], 1)
    stacked = stack(singles)
    losses, values = ValueAndSlope(0.5)(stacked, x, y)
    (slopes,) = torch.autograd.grad(losses.sum(), [next(stacked.parameters())])
    for index, single in enumerate(singles):
        u = Recorder(single, x)
        alone = (u.partial(()) - y[:, :1]).square().mean() + 0.5 * (u.partial((0,)) - y[:, 1:]).square().mean()
        torch.testing.assert_close(losses[index], alone, rtol=1e-12, atol=0.0)
        torch.testing.assert_close(values[index], single(x), rtol=1e-12, atol=1e-14)
        (slope,) = torch.autograd.grad(alone, [next(single.parameters())])
        torch.testing.assert_close(slopes[index].T, slope, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(ValueAndSlope(0.5)(single, x, y)[0][0], losses[index], rtol=1e-12, atol=0.0)


def test_value_and_slope_refuses_other_targets():
    with pytest.raises(ShapeError, match="values and slopes side by side"):
        ValueAndSlope()(networks(1)[0], torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.float64))


@pytest.mark.parametrize("weight", [0.7, -1.6])
def test_the_transform_of_a_neuron_by_quadrature_on_the_real_line(weight):
    k, bias = np.array([0.5, 1.5]), 0.3

    def slope(x):
        return weight / np.cosh(weight * x + bias) ** 2

    formula = tanh_transform.neuron_transform(k, weight, bias)
    shifted = tanh_transform.quadrature(k, weight, bias)
    for number, one in enumerate(k):
        real = integrate.quad(lambda x, j=one: slope(x) * np.cos(j * x), -60, 60, limit=400)[0]
        imaginary = integrate.quad(lambda x, j=one: slope(x) * np.sin(j * x), -60, 60, limit=400)[0]
        expected = (real - 1j * imaginary) / (1j * one)
        assert abs(formula[number] - expected) < 1e-8 * abs(expected)
        assert abs(shifted[number] - expected) < 1e-8 * abs(expected)


def test_the_transform_of_the_relu_hat():
    k = np.array([0.7, 3.0, 40.0, 211.0])
    np.testing.assert_allclose(tanh_transform.hat_transform(k), (np.sin(k / 2) / (k / 2)) ** 2, rtol=1e-9)


def test_gradients_of_the_loss_at_a_frequency_are_those_of_autograd():
    generator = torch.Generator().manual_seed(619)
    k, target = 3.0, 1.0
    a, w, b = (torch.randn(4, 2, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(3))
    neuron = -1j * torch.pi / (w.abs() * torch.sinh(torch.pi * k / (2 * w))) * torch.exp(1j * b * k / w)
    ((a * neuron).sum(1) - target).abs().square().mul(0.5).sum().backward()
    expected = torch.cat([a.grad, w.grad, b.grad], 1).abs().log().numpy()
    found = gradient_measure.log_gradients(*(t.detach().numpy() for t in (a, w, b)), k, target)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_logarithms_of_gradients_survive_where_the_gradients_underflow():
    tiny = np.full((1, 1), 1e-4)
    low, high = (gradient_measure.log_gradients(tiny, tiny, tiny, k, 1.0) for k in (1.0, 3.0))
    assert np.isfinite(low).all() and (low < -15_000).all() and (low - high > 30_000).all()


def test_the_slope_term_weighs_waves_by_the_square_of_their_wave_number():
    np.testing.assert_allclose(loss_gradient.mode_weights(40, 5), np.arange(1, 6) ** 2, rtol=1e-12)


def test_gradient_measure_with_few_samples():
    config = dataclasses.replace(gradient_measure.EXPERIMENT.quick, samples=2000)
    finding = gradient_measure.run(config, Context(seeds=(3, 4)))
    check_mechanics(finding, 2)
    assert finding.claims[0].holds and finding.claims[1].holds


def test_tanh_transform():
    finding = tanh_transform.run(tanh_transform.EXPERIMENT.quick, Context(seeds=(0,)))
    check_mechanics(finding, 1)
    assert finding.verdict is Verdict.PASS


def test_mechanics_of_the_trainings():
    context = Context(seeds=(1, 2))
    check_mechanics(init_size.run(init_size.InitSize(TINY, nn.MLP(6, 2, init=nn.PowerLaw(0.0))), context), 2)
    check_mechanics(loss_gradient.run(loss_gradient.LossGradient(TINY, steps=60), context), 2)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.id)
def test_quick_runs(experiment):
    size = Size.QUICK
    finding = experiment.run(experiment.config(size), Context(seeds=experiment.seeds(size), size=size))
    assert finding.verdict is Verdict.PASS, [claim.criterion for claim in finding.claims if not claim.holds]
