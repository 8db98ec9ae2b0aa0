"""What cannot be trained is refused before the first step; what diverges goes back to its best state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import nn
from train_cases import Fit
from train_objectives import Custom, Number, descent, go, parabola, poisoned

from pdekit.errors import (
    ConfigError,
    DivergenceError,
    GraphError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from pdekit.optim import LBFGS, Adam
from pdekit.rundir import RunDirectory
from pdekit.train import Budget, Every, Phase, Probe, Stalled, TrainStatus, Turn, train

# Before the first step --------------------------------------------------------------------------------------------


def frozen() -> Mapping[str, nn.Module]:
    number = Number(1.0)
    number.value.requires_grad_(False)
    return {"u": number}


BAD_OBJECTIVES = [
    (Custom(parabola, frozen()), ConfigError, "player 'u': got no trainable parameter"),
    (Custom(parabola, {"u": Number(math.nan)}), NonFiniteError, "parameter 'value': got 1 of 1"),
    (Custom(lambda p, u, b, c: {"a": u["u"].value.detach()}), GraphError, "does not depend on the network"),
    (Custom(lambda p, u, b, c: {"a": torch.ones(())}), GraphError, r"loss \(a\)"),
    (Custom(lambda p, u, b, c: {"a": b["x"].sum().requires_grad_()}), GraphError, "no gradient reaches"),
    (Custom(lambda p, u, b, c: {"a": u["u"].value.repeat(3)}), ShapeError, r"'a': got shape \(3,\), expected a scalar"),
    (Custom(lambda p, u, b, c: {"a": u["u"].value / 0.0}), NonFiniteError, "'a': got inf at the initial weights"),
    (Custom(lambda p, u, b, c: {"step": u["u"].value}), ConfigError, "'step' has the name of a history column"),
    (Custom(lambda p, u, b, c: {}), ConfigError, "no loss terms"),
]


@pytest.mark.parametrize(("objective", "error", "words"), BAD_OBJECTIVES, ids=[row[2][:20] for row in BAD_OBJECTIVES])
def test_an_objective_that_cannot_be_trained_is_refused(tmp_path, objective, error, words):
    with RunDirectory.create(tmp_path / "run") as run:
        with pytest.raises(error, match=words):
            go(objective, run=run)
        assert not (run.path / "state.pt").exists()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"fit": 1.0}, r"got 1 \(fit\), expected 2 \(fit, amplitude\)"),
        ({"fit": 1.0, "amplitude": 1.0, "x": 1.0}, "got 3"),
        ({"fit": 1.0, "amp": 1.0}, r"got 2 \(fit, amp\)"),
        ({}, r"got 0 \(none\)"),
        ({"fit": 1.0, "amplitude": -1.0}, r"weights\['amplitude'\] \(index 1\): got -1.0"),
        ({"fit": math.nan, "amplitude": 1.0}, r"index 0\): got nan"),
        ({"fit": "1", "amplitude": 1.0}, r"got '1' \(str\)"),
        ({"fit": 0.0, "amplitude": 0}, r"got all 2 zero"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, words):
    with pytest.raises(ConfigError, match=words):
        go(Fit(), weights=weights)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10", None])
def test_impossible_step_counts_are_refused(value):
    with pytest.raises(ConfigError, match="Phase: steps: got") as caught:
        Phase((Turn("u", Adam()),), value)
    assert type(value).__name__ in str(caught.value)
    with pytest.raises(ConfigError, match="record_every"):
        go(record_every=value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Phase((), 10),
        lambda: Phase((Turn("u", Adam()),), 10, resample_every=0),
        lambda: Turn("u", Adam(), updates=0),
        lambda: Probe("p", 0, dict),
        lambda: Budget(steps=0),
        lambda: Budget(seconds=math.nan),
        Every,
        lambda: Every(steps=-1),
        lambda: Stalled("loss", 0),
        lambda: train(Custom(parabola), [], generator=torch.Generator()),
    ],
)
def test_other_impossible_options_are_refused(make):
    with pytest.raises(ConfigError, match="got"):
        make()


def test_unknown_names_get_the_closest():
    with pytest.raises(UnknownNameError, match="player: got 'U', expected one of u"):
        go(phases=(Phase((Turn("U", Adam()),), 1),))
    with pytest.raises(UnknownNameError, match="did you mean 'loss'"):
        go(best_of="los")


# Divergence -------------------------------------------------------------------------------------------------------


def test_an_absurd_learning_rate_diverges_and_the_best_weights_return():
    objective = Fit()
    start = {k: v.clone() for k, v in objective.players["u"].state_dict().items()}
    with pytest.raises(DivergenceError, match="lower the learning rate") as caught:
        go(objective, (Phase((Turn("u", Adam(1e6)),), 50),))
    assert isinstance(caught.value, ArithmeticError)
    assert caught.value.step == 1
    assert caught.value.loss > 1e6 * caught.value.best
    assert all(torch.equal(v, start[k]) for k, v in objective.players["u"].state_dict().items())


@pytest.mark.parametrize("at", [9, 10, 12])
def test_nan_restores_the_last_finite_step(at):
    """Calls: preflight, then one per step; call k + 2 is step k, at theta = 0.9^k. Step 10 is also a recorded one."""
    objective = Custom(poisoned(at))
    with pytest.raises(DivergenceError, match="got loss nan") as caught:
        go(objective, record_every=10)
    step = at - 2
    assert caught.value.step == step
    assert float(objective.players["u"].value.detach()) == pytest.approx(0.9 ** (step - 1), rel=1e-12)
    assert caught.value.best == pytest.approx(0.5 * 0.81 ** (step - 1), rel=1e-12)


def test_nan_after_the_last_update_is_noticed():
    objective = Custom(poisoned(22))
    with pytest.raises(DivergenceError) as caught:
        go(objective)
    assert caught.value.step == 20
    assert float(objective.players["u"].value.detach()) == pytest.approx(0.9**19, rel=1e-12)


def test_nan_gradients_of_a_finite_loss_are_noticed():
    """sqrt has an infinite slope at 0: the loss is finite, the update is not."""

    def losses(player, players, batch, calls):
        u = players["u"].value
        return {"a": u**2 + (torch.sqrt((u - u.detach()) * 1.0) if calls > 6 else 0.0)}

    objective = Custom(losses)
    with pytest.raises(DivergenceError):
        go(objective)
    assert math.isfinite(float(objective.players["u"].value.detach()))


def test_a_measure_of_the_best_other_than_the_loss_decides_what_returns():
    objective = Custom(poisoned(15))
    probe = Probe("distance", 1, lambda: {"distance": abs(float(objective.players["u"].value.detach()) - 0.5)})
    with pytest.raises(DivergenceError, match=r"step 7, distance 0\.0217"):
        go(objective, probes=[probe], best_of="distance")
    assert float(objective.players["u"].value.detach()) == pytest.approx(0.9**7)


def quartic(bad: Callable[[int], bool]):
    def losses(player, players, batch, calls):
        u = players["u"].value
        return {"a": (u**4 + u**2) * (math.nan if bad(calls) else 1.0)}

    return losses


def test_lbfgs_goes_back_once_and_goes_on():
    """Points are redrawn at each step, so that every iteration evaluates its start afresh and meets the NaN."""
    objective = Custom(quartic(lambda calls: calls == 12))
    trained = go(objective, (Phase((Turn("u", LBFGS()),), 40, resample_every=1),), record_every=100)
    assert "went back and restarted L-BFGS" in trained.message
    assert abs(float(objective.players["u"].value.detach())) < 1e-8


def test_lbfgs_diverges_the_second_time():
    objective = Custom(quartic(lambda calls: calls >= 12))
    with pytest.raises(DivergenceError) as caught:
        go(objective, (Phase((Turn("u", LBFGS()),), 40, resample_every=1),))
    assert math.isfinite(caught.value.best)
    assert abs(float(objective.players["u"].value.detach())) < 1.0


def test_small_losses_may_grow_back():
    """From 5e-17 to 0.5 is more than a factor 1e6 and no divergence: what counts is the first loss, or 1e-3."""

    def losses(player, players, batch, calls):
        return {"a": 0.5 * (players["u"].value - 1.0) ** 2 - 0.5 + 5e-17}

    objective = Custom(losses, {"u": Number(1e-9)})
    assert go(objective, descent(rate=1.9)).status is TrainStatus.FINISHED


@pytest.mark.gpu
def test_divergence_is_noticed_on_the_device():
    objective = Fit()
    objective.players["u"].cuda()

    class Placed(Fit):
        def sample(self, generator):
            return {"x": super().sample(generator)["x"].cuda()}

    with pytest.raises(DivergenceError):
        go(Placed(objective.players), (Phase((Turn("u", Adam(1e6)),), 500),))
    assert all(torch.isfinite(p).all() for p in objective.players["u"].parameters())
