"""Fitting by stacks: each model trains as it would alone, and the records are what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pdekit import nn, optim
from pdekit.errors import ConfigError, ShapeError
from pdekit.nn.frame import Frame
from pdekit.nn.stacked import stack
from pdekit.phenomena import Context, CrossEntropy, Fit, LogSpaced, MeanSquare, Periodic, fit

CONTEXT = Context()
X = torch.linspace(-1, 1, 11, dtype=torch.float64)[:, None]
Y = torch.sin(3 * X + 0.4)  # no symmetry, whose vanishing gradients Adam would blow up to steps of rounding errors


def networks(count=3, outputs=1):
    frame = Frame((-1.0,), (1.0,), outputs, torch.float64)
    return [nn.MLP(8, 2).build(frame, torch.Generator().manual_seed(91 + seed)) for seed in range(count)]


@pytest.mark.parametrize("optimizer", [optim.Adam(1e-2), optim.SGD(0.1, momentum=0.5)], ids=lambda o: o.name)
def test_a_stack_trains_each_model_as_it_would_alone(optimizer):
    how = Fit(40, optimizer, optim.Exponential(0.5, 20), record=Periodic(10))
    y = torch.stack([Y, 2 * Y, Y**2])
    together = fit(stack(networks()), X, y, how, CONTEXT, at=X)
    for index, single in enumerate(networks()):
        alone = fit(single, X, y[index], how, CONTEXT, at=X)
        np.testing.assert_allclose(together.loss[:, index], alone.loss[:, 0], rtol=1e-10)
        np.testing.assert_allclose(together.outputs[:, index], alone.outputs[:, 0], rtol=1e-9, atol=1e-12)
    assert (together.loss[-1] < together.loss[0]).all()


def test_rows_belong_to_their_steps():
    history = fit(stack(networks()), X, Y, Fit(25, record=Periodic(10)), CONTEXT, at=X, probes={"n": lambda n: n(X)})
    assert history.steps.tolist() == [0, 10, 20, 25]
    assert history.loss.shape == (4, 3) and history.outputs.shape == (4, 3, 11, 1)
    np.testing.assert_allclose(history.loss, ((history.outputs - Y.numpy()) ** 2).mean((2, 3)), rtol=1e-12)
    np.testing.assert_allclose(history.values["n"], history.outputs, rtol=1e-12)
    np.testing.assert_allclose(history.outputs[0], stack(networks())(X).detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(history.outputs[-1], history.network(X).detach().numpy(), rtol=1e-12)
    elsewhere = fit(stack(networks()), X, Y, Fit(25, record=Periodic(10)), CONTEXT, at=X[:5])
    np.testing.assert_allclose(elsewhere.outputs, history.outputs[:, :, :5], rtol=1e-12)


def test_logarithmic_records():
    steps = LogSpaced(20).steps(1000)
    assert steps[:3] == (0, 1, 2) and steps[-1] == 1000 and len(steps) <= 21
    ratios = np.diff(np.log(steps[8:]))
    assert ratios.max() < 1.2 * ratios.min()


def test_training_stops_when_every_model_is_good_enough():
    history = fit(stack(networks()), X, Y, Fit(3000, optim.Adam(1e-2), stop_loss=1e-3), CONTEXT)
    assert history.steps[-1] < 3000
    assert history.loss[-1].max() <= 1e-3 < history.loss[-2].max()


def test_cross_entropy_is_that_of_each_model():
    labels = (X[:, 0] > 0).long()
    history = fit(stack(networks(outputs=2)), X, labels, Fit(5), CONTEXT, loss=CrossEntropy(), at=X)
    first = torch.from_numpy(history.outputs[0])
    expected = [float(-torch.log_softmax(o, 1)[torch.arange(11), labels].mean()) for o in first]
    np.testing.assert_allclose(history.loss[0], expected, rtol=1e-12)


def test_half_a_square():
    losses, _ = MeanSquare(0.5)(stack(networks()), X, Y)
    whole, _ = MeanSquare()(stack(networks()), X, Y)
    torch.testing.assert_close(2 * losses, whole)


def test_minibatches_are_reproducible_and_cover_the_data():
    how = Fit(30, batch=4, record=Periodic(1))
    first, second = (fit(stack(networks()), X, Y, how, CONTEXT).loss for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = fit(stack(networks()), X, Y, how, Context(seeds=(5,))).loss
    assert not np.array_equal(first, other)


def test_progress_is_reported_from_start_to_end():
    heard: list[tuple[str, float]] = []
    fit(
        stack(networks()), X, Y, Fit(20), Context(report=lambda label, done: heard.append((label, done))), label="sines"
    )
    assert {label for label, _ in heard} == {"sines"}
    fractions = [done for _, done in heard]
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, Y[:5], "got x of shape"),
        (X[:, 0], Y[:, 0], "got x of shape"),
        (X, Y[:, 0], "MeanSquare: got targets"),
        (X, Y.expand(11, 2), "MeanSquare: got targets"),
        (X.expand(3, 11, 1), Y, "got x of shape"),
    ],
)
def test_data_that_do_not_belong_together_are_refused(x, y, words):
    with pytest.raises(ShapeError, match=words):
        fit(stack(networks()), x, y, Fit(5), CONTEXT)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ConfigError, match="at most the 11 points"):
        fit(stack(networks()), X, Y, Fit(5, batch=12), CONTEXT)
    with pytest.raises(ConfigError, match="stop_loss"):
        Fit(5, stop_loss=math.nan)
