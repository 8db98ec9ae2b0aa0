"""The experiments of chapter 4: mechanics on tiny sizes; verdicts of the quick sizes are slow tests."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pdekit.errors import ConfigError, MissingDataError, ShapeError
from pdekit.nn import MLP, Perceptron, PowerLaw, Ricker, Sine
from pdekit.optim import Adam
from pdekit.phenomena import Context, Finding, Fit, LogSpaced, Periodic, Size
from pdekit.phenomena.chapter4 import (
    EXPERIMENTS,
    activation_runs,
    amplitude,
    early_stopping,
    image_large_init,
    image_split,
    parity,
    real_projection,
    smooth_depth,
    step_target,
    three_modes,
    two_modes,
)
from pdekit.phenomena.curves import Curve, RoundedSine, Sines, in_order, learnt, quotient
from pdekit.phenomena.picture_fits import PictureFit
from pdekit.phenomena.plateaus import plateaus
from pdekit.plot_style import new_figure

SMALL = MLP(8, 2, init=PowerLaw())
SHORT = Fit(60, Adam(5e-3), record=Periodic(1))
CURVE = Curve(points=24, network=SMALL, fit=SHORT)
PICTURE = PictureFit(8, 6, (400, 320), SMALL, Fit(20, Adam(1e-2), record=LogSpaced(6)))

TINY = {
    "freq-smooth-depth": smooth_depth.SmoothDepth(6, 8, (1, 2), fit=Fit(20, record=LogSpaced(5))),
    "freq-sin-two-modes": two_modes.TwoModes(
        Curve(Sines((1.0, 5.0)), -2 * math.pi, 2 * math.pi, 48, SMALL, SHORT), change=0.5
    ),
    "freq-step-target": step_target.StepTarget(Curve(RoundedSine(), -3 * math.pi, 3 * math.pi, 96, SMALL, SHORT), 4),
    "freq-image-fit": PICTURE,
    "image-low-high-split": image_split.ImageSplit(32, 3),
    "freq-sin-three-modes": three_modes.ThreeModes(CURVE),
    "freq-activation-ricker": activation_runs.ActivationRuns(Ricker(0.1), Ricker(0.3), CURVE),
    "freq-activation-sin": activation_runs.ActivationRuns(Sine(10.0), Sine(1.0), CURVE),
    "freq-image-large-init": image_large_init.LargeInit(PICTURE),
    "freq-early-stopping": early_stopping.EarlyStopping(
        Curve(Sines((1.0,)), -3 * math.pi, 3 * math.pi, 30, SMALL, Fit(30, record=Periodic(5)))
    ),
    "freq-real-projection": real_projection.RealProjection(train=300, waves=20, fit=Fit(5, record=Periodic(5))),
    "freq-parity": parity.Parity(4, 8, Perceptron((8, 4)), Fit(10, record=Periodic(5))),
    "freq-amplitude-vs-frequency": amplitude.AmplitudeFrequency(CURVE, (1.0, 3.0), 3.0, (2.0, 4.0)),
}


UNDECIDED = {"correlation", "ratio", "median", "T_high"}
"""NaN where neither time came within so few steps."""


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.id)
def test_every_experiment_decides_its_claims_and_draws_its_figures(experiment) -> None:
    found: Finding = experiment.run(TINY[experiment.id], Context(seeds=(0, 1)))
    assert found.claims and found.figures
    for claim in found.claims:
        for name, values in claim.measured.items():
            assert not np.isnan(np.asarray(values, dtype=float)).any() or UNDECIDED & set(name.split()), name
    for name, array in found.arrays.items():
        assert not np.isnan(array).any() or "ratio" in name, name
    for draw in found.figures.values():
        figure = new_figure(8, 4)
        draw(figure)
        figure.canvas.draw()


def test_a_run_repeats_itself() -> None:
    first, second = (EXPERIMENTS[5].run(three_modes.ThreeModes(CURVE), Context(seeds=(3,))) for _ in range(2))
    np.testing.assert_array_equal(first.arrays["loss"], second.arrays["loss"])


# The set-up that they share --------------------------------------------------------------------------------------------


def test_a_curve_trains_each_seed_on_each_target() -> None:
    context, targets = Context(seeds=(0, 1)), (Sines((1.0,)), Sines((2.0,), (0.5,)))
    both = CURVE.train(context, "both", targets=targets)
    alone = dataclasses.replace(CURVE, target=targets[1]).train(Context(seeds=(1,)), "alone")
    np.testing.assert_allclose(both.outputs[-1, 3], alone.outputs[-1, 0], rtol=1e-3, atol=1e-4)  # single precision
    np.testing.assert_allclose(both.target[3], 0.5 * np.sin(2 * CURVE.grid()), atol=1e-15)


def test_the_finer_grid_holds_the_training_points() -> None:
    trained = CURVE.train(Context(seeds=(0,)), "fine", finer=5)
    assert trained.fine.shape[-1] == 5 * CURVE.points
    np.testing.assert_array_equal(trained.fine[..., ::5], trained.outputs)
    assert CURVE.between(5)[-1] == pytest.approx(CURVE.grid()[-1])


def test_noisy_data_are_trained_on_and_the_clean_target_is_measured_against() -> None:
    data = np.ones((1, CURVE.points))
    trained = CURVE.train(Context(seeds=(0,)), "noisy", values=data)
    np.testing.assert_allclose(trained.loss[0], np.mean((trained.outputs[0] - 1.0) ** 2), rtol=1e-5)
    np.testing.assert_allclose(trained.target[0], Sines()(CURVE.grid()))


def test_targets() -> None:
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(Sines((1.0, 4.0), (2.0, -1.0))(x), 2 * np.sin(x) - np.sin(4 * x))
    assert set(RoundedSine()(np.linspace(-9, 9, 301))) == {-1.0, 0.0, 1.0}
    with pytest.raises(ConfigError, match="amplitude"):
        Sines((1.0, 2.0), (1.0,))


def test_order_of_times() -> None:
    times = np.array([[1.0, 2, 3], [1, 2, 2], [1, 2, np.inf], [3, 2, 1]])
    assert in_order(times).tolist() == [True, False, False, False]
    assert quotient(np.array([0.0, 6.0, np.inf]), np.array([0.0, 3.0, 2.0])).tolist() == [1.0, 2.0, np.inf]


def test_times_are_those_of_the_relative_error() -> None:
    trained = CURVE.train(Context(seeds=(0,)), "times")
    delta = trained.delta((1.0,))[:, 0, 0]
    found = learnt(trained, (1.0,), threshold=0.9, hold=1)
    below = np.flatnonzero(delta < 0.9)
    assert found[0, 0] == (trained.steps[below[0]] if len(below) else np.inf)


def test_plateaus() -> None:
    steps = np.arange(1, 1001)
    loss = np.where(steps < 100, 1.0, np.where(steps < 700, 0.1, 0.001)) * (1 + 0.001 * np.sin(steps))
    found = plateaus(steps, loss)
    assert [(p.start, p.end) for p in found] == [(1, 99), (100, 699)]
    assert found[1].level == pytest.approx(0.1, rel=0.01)
    assert not plateaus(steps, 1.0 / steps)
    with pytest.raises(ShapeError, match="losses"):
        plateaus(steps, loss[:-1])


def test_cifar_without_files_is_missing_data() -> None:
    with pytest.raises(MissingDataError):
        real_projection.run(real_projection.EXPERIMENT.full, Context(seeds=(0,), size=Size.FULL))


def test_the_network_for_pictures_reads_flat_rows() -> None:
    import torch

    network = real_projection.PictureNetwork((12, 10, 3), 4, torch.Generator().manual_seed(2))
    assert network(torch.rand(5, 360)).shape == (5, 4)


# Verdicts --------------------------------------------------------------------------------------------------------------

HOLDING = {
    "freq-smooth-depth",
    "freq-sin-two-modes",
    "freq-step-target",
    "freq-image-fit",
    "image-low-high-split",
    "freq-sin-three-modes",
    "freq-activation-ricker",
    "freq-activation-sin",
    "freq-early-stopping",
    "freq-real-projection",
    "freq-parity",
    "freq-amplitude-vs-frequency",
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.id)
def test_quick_verdicts(experiment) -> None:
    found = experiment.run(experiment.quick, Context(seeds=experiment.seeds(Size.QUICK)))
    failing = [claim.text for claim in found.claims if not claim.holds]
    assert bool(failing) == (experiment.id not in HOLDING), failing
