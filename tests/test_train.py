"""The training loop on problems small enough to know every number."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from train_cases import Fit, Saddle
from train_objectives import Custom, Number, descent, go, parabola

from pdekit.errors import (
    ConfigError,
)
from pdekit.optim import LBFGS, SGD, Adam, Cosine
from pdekit.record import Record
from pdekit.train import Below, Budget, Phase, Probe, Stalled, TrainStatus, Turn

# History ----------------------------------------------------------------------------------------------------------


def test_the_row_of_step_k_belongs_to_k_updates():
    """theta_k = 0.9^k, so the loss at step k is 0.81^k / 2."""
    trained = go(record_every=5)
    step = trained.history["step"]
    np.testing.assert_array_equal(step, [0, 5, 10, 15, 20])
    np.testing.assert_allclose(trained.history["loss"], 0.5 * 0.81**step, rtol=1e-12)
    np.testing.assert_array_equal(trained.history["half"], trained.history["loss"])
    assert trained.steps == 20
    assert trained.status is TrainStatus.FINISHED
    assert trained.message == trained.status.value


@pytest.mark.parametrize("record_every", [1, 3, 7, 100])
def test_the_first_and_the_last_step_are_always_recorded(record_every):
    step = go(record_every=record_every).history["step"]
    assert step[0] == 0
    assert step[-1] == 20
    assert set(np.diff(step)) <= {record_every, 20 % record_every or record_every}


def test_recording_does_not_change_the_training():
    states = []
    for record_every in (1, 4, 50):
        objective = Fit()
        go(objective, (Phase((Turn("u", Adam()),), 10), Phase((Turn("u", LBFGS()),), 10)), record_every=record_every)
        states.append(objective.players["u"].state_dict())
    for state in states[1:]:
        assert all(torch.equal(state[k], states[0][k]) for k in state)


def test_weights_scale_the_loss_but_not_the_recorded_terms():
    objective = Fit()
    history = go(objective, (Phase((Turn("u", Adam()),), 5),), weights={"fit": 2.0, "amplitude": 0.5}).history
    np.testing.assert_allclose(history["loss"], 2.0 * history["fit"] + 0.5 * history["amplitude"], rtol=1e-14)


def test_a_zero_weight_switches_a_term_off():
    objective = Fit()
    go(objective, (Phase((Turn("u", SGD(0.1)),), 5),), weights={"fit": 0.0, "amplitude": 1.0})
    fresh = Fit().players["u"]["net"].state_dict()
    assert all(torch.equal(v, fresh[k]) for k, v in objective.players["u"]["net"].state_dict().items())


def test_probes_are_measured_at_their_own_pace():
    objective = Custom(parabola)
    probe = Probe("theta", 4, lambda: {"theta": float(objective.players["u"].value.detach())})
    history = go(objective, record_every=10, probes=[probe]).history
    known = ~np.isnan(history["theta"])
    np.testing.assert_array_equal(history["step"][known], [0, 4, 8, 12, 16, 20])
    np.testing.assert_allclose(history["theta"][known], 0.9 ** history["step"][known], rtol=1e-12)
    np.testing.assert_array_equal(history["step"], [0, 4, 8, 10, 12, 16, 20])


def test_a_probe_cannot_spoil_the_gradient():
    objective, spoilt = Custom(parabola), Custom(parabola)

    def measure() -> Mapping[str, float]:
        value = spoilt.players["u"].value
        (1e6 * value).backward()
        return {"theta": float(value.detach())}

    go(objective)
    go(spoilt, probes=[Probe("bad manners", 1, measure)])
    assert torch.equal(objective.players["u"].value, spoilt.players["u"].value)


def test_a_probe_with_a_taken_column_is_refused():
    with pytest.raises(ConfigError, match="probe 'p': column 'loss' exists"):
        go(probes=[Probe("p", 1, lambda: {"loss": 1.0})])


def test_global_generators_stay_as_they_are():
    objective = Fit()
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    go(objective, (Phase((Turn("u", Adam()),), 5, resample_every=1), Phase((Turn("u", LBFGS()),), 5)))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


# Turns, phases, points --------------------------------------------------------------------------------------------


def test_players_take_turns():
    """u descends u v, v descends -u v: two updates of u, then one of v, each with the newest other."""
    players = {"u": Number(1.0), "v": Number(2.0)}

    def losses(player, players, batch, calls):
        product = players["u"].value * players["v"].value
        return {"product": product if player == "u" else -product}

    go(Custom(losses, players), (Phase((Turn("u", SGD(0.1), updates=2), Turn("v", SGD(0.01))), 3),))
    u, v = 1.0, 2.0
    for _ in range(3):
        u -= 0.1 * v
        u -= 0.1 * v
        v += 0.01 * u
    assert float(players["u"].value.detach()) == pytest.approx(u, rel=1e-13)
    assert float(players["v"].value.detach()) == pytest.approx(v, rel=1e-13)


def test_the_other_players_columns_carry_their_name():
    history = go(Saddle(), (Phase((Turn("phi", Adam()), Turn("u", Adam())), 2),)).history
    assert history.columns == ("step", "phase", "seconds", "loss", "weak", "phi.loss", "phi.weak")
    np.testing.assert_allclose(history["phi.loss"], -history["loss"], rtol=1e-14)


def test_a_frozen_first_player_is_recorded():
    """An adversary can be trained alone, against a fixed solution."""
    objective = Saddle()
    objective.players["u"].requires_grad_(False)
    history = go(objective, (Phase((Turn("phi", Adam(1e-2)),), 30),)).history
    assert history["loss"][-1] > history["loss"][0]  # phi maximises what u would minimise


def test_a_schedule_counts_within_its_phase():
    turn = Turn("u", SGD(0.2), schedule=Cosine())
    objective = Custom(parabola)
    go(objective, (Phase((turn,), 4), Phase((turn,), 8)))
    expected = 1.0
    for steps in (4, 8):
        for k in range(steps):
            expected *= 1 - 0.2 * 0.5 * (1 + math.cos(math.pi * k / steps))
    assert float(objective.players["u"].value.detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("phases", "samples"),
    [
        (descent(steps=20), 1),
        (descent(steps=20, resample_every=1), 20),
        (descent(steps=20, resample_every=7), 3),
        ((*descent(steps=10), *descent(steps=10, resample_every=5)), 3),
        ((*descent(steps=10, resample_every=5), *descent(steps=10)), 2),
    ],
)
def test_points_are_drawn_when_due(phases, samples):
    objective = Custom(parabola)
    go(objective, phases)
    assert objective.samples == samples


def test_the_points_come_from_the_generator():
    seen = []

    def losses(player, players, batch, calls):
        seen.append(float(batch["x"]))
        return {"a": players["u"].value * batch["x"].sum()}

    go(Custom(losses), descent(steps=3, resample_every=1))
    generator = torch.Generator().manual_seed(4)
    drawn = [float(torch.rand(1, generator=generator, dtype=torch.float64)) for _ in range(3)]
    assert list(dict.fromkeys(seen)) == drawn


def test_lbfgs_says_why_it_ended_and_the_next_phase_follows():
    objective = Fit()
    phases = (Phase((Turn("u", LBFGS(gradient_tolerance=1e-2)),), 5000), Phase((Turn("u", Adam(1e-3)),), 7))
    trained = go(objective, phases)
    assert trained.status is TrainStatus.FINISHED
    assert "phase 1 ended after" in trained.message
    assert "largest gradient entry at most 0.01" in trained.message
    assert trained.history["phase"][-1] == 2
    assert trained.steps < 5007


def test_nothing_left_to_gain_is_a_status_of_its_own():
    trained = go(Custom(parabola), (Phase((Turn("u", LBFGS()),), 100),))
    assert trained.status is TrainStatus.EXHAUSTED
    assert trained.steps < 100
    assert float(trained.history["loss"][-1]) < 1e-20


def test_lbfgs_goes_on_with_new_points():
    """It converges within a few iterations on each draw; then points are drawn early instead of ending the phase."""

    def losses(player, players, batch, calls):
        return {"a": (players["u"].value - batch["x"].sum()) ** 2}

    objective = Custom(losses)
    trained = go(objective, (Phase((Turn("u", LBFGS()),), 30, resample_every=20),))
    assert trained.steps == 30
    assert objective.samples > 3


def test_lbfgs_beats_adam_by_orders():
    """The reason for second phases: the same network, points and number of steps."""
    losses = {}
    for name, optimizer in (("adam", Adam(1e-3)), ("lbfgs", LBFGS())):
        losses[name] = go(Fit(), (Phase((Turn("u", optimizer),), 300),)).history.last("loss")
    assert losses["lbfgs"] < 1e-3 * losses["adam"]


# Ends -------------------------------------------------------------------------------------------------------------


def test_the_step_budget_covers_all_phases():
    trained = go(phases=(*descent(steps=10), *descent(steps=10)), budget=Budget(steps=13))
    assert trained.steps == 13
    assert trained.status is TrainStatus.STEP_BUDGET
    assert trained.history["step"][-1] == 13


def test_the_time_budget_ends_the_training():
    trained = go(phases=descent(rate=1e-9, steps=10**9), budget=Budget(seconds=0.2))
    assert trained.status is TrainStatus.TIME_BUDGET
    assert 0.2 <= trained.seconds < 2.0


def test_a_stop_rule_stops_before_the_update():
    """0.81^k / 2 <= 0.05 first at the recorded step k = 15 (0.021), since 0.061 at k = 10."""
    trained = go(record_every=5, stop=[Below("loss", 0.05)])
    assert trained.steps == 15
    assert trained.status is TrainStatus.STOPPED
    assert "loss = 0.0212 <= 0.05" in trained.message
    np.testing.assert_allclose(trained.history.last("loss"), 0.5 * 0.81**15, rtol=1e-12)


def test_rules_read_probes_too():
    objective = Custom(parabola)
    probe = Probe("theta", 1, lambda: {"theta": float(objective.players["u"].value.detach())})
    assert go(objective, probes=[probe], stop=[Below("theta", 0.5)]).steps == 7  # 0.9^7 = 0.478


@pytest.mark.parametrize(
    ("values", "stops"),
    [
        ([1.0, 1.0, 1.0, 1.0], True),
        ([1.0, 0.5, 0.25, 0.125], False),
        ([1.0, 0.5, 0.499, 0.498], True),
        ([1.0, 1.0], False),
        ([-1.0, -2.0, -3.0, -4.0], False),
        ([1.0, 0.2, 5.0, 0.1], False),
        ([], False),
    ],
)
def test_stalled_looks_at_a_whole_window(values, stops):
    history = Record.from_columns({"step": [10.0 * i for i in range(len(values))], "loss": values})
    assert (Stalled("loss", 20, 0.01).reason(history) is not None) == stops


def test_rules_about_unknown_columns_are_silent():
    assert Stalled("error", 10).reason(Record()) is None
    assert Below("error", 1.0).reason(Record()) is None


def test_the_best_row_can_be_restored():
    """theta oscillates about 0 with growing amplitude; the best recorded row is the first."""
    objective = Custom(parabola)
    trained = go(objective, descent(rate=2.05), record_every=5)
    final = float(objective.players["u"].value.detach())
    assert abs(final) > 1.0
    assert (trained.best_step, trained.best_value) == (0, 0.5)
    trained.restore_best()
    assert float(objective.players["u"].value.detach()) == 1.0


def test_the_best_can_be_measured_by_a_probe():
    objective = Custom(parabola)
    probe = Probe("distance", 1, lambda: {"distance": abs(float(objective.players["u"].value.detach()) - 0.5)})
    trained = go(objective, probes=[probe], best_of="distance")
    assert trained.best_step == 7  # 0.9^7 = 0.478 is nearest to 0.5 (0.9^6 = 0.531)
    assert float(trained.best_state["u"]["value"]) == pytest.approx(0.9**7)


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", [Adam(1e-2), LBFGS()], ids=lambda o: o.name)
def test_training_on_the_device_agrees_with_the_cpu(optimizer):
    losses = {}
    for device in ("cpu", "cuda"):
        objective = Fit()
        objective.players["u"].to(device)
        drawn = Fit().sample(torch.Generator().manual_seed(4))["x"].to(device)

        class Placed(Fit):
            def sample(self, generator, drawn=drawn):
                return {"x": drawn}

        history = go(Placed(objective.players), (Phase((Turn("u", optimizer),), 50),), record_every=10).history
        losses[device] = history["loss"]
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-5)
