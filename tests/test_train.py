"""The training loop on problems small enough to know every number."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from train_cases import Fit, Saddle, digest

from pdekit.checkpoint import read_checkpoint
from pdekit.errors import (
    ConfigError,
    DivergenceError,
    GraphError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from pdekit.optim import LBFGS, SGD, Adam, Cosine
from pdekit.progress import Bar, Lines, Quiet, progress_for
from pdekit.record import Record
from pdekit.rundir import RunDirectory
from pdekit.train import Below, Budget, Every, Phase, Probe, Stalled, TrainStatus, Turn, train

Terms = Mapping[str, Tensor]


class Number(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))


@dataclass
class Custom:
    """Players that are single numbers, and losses given by a function of (player, players, batch, calls)."""

    function: Callable[[str, Mapping[str, Number], Terms, int], Terms]
    players: Mapping[str, nn.Module] = field(default_factory=lambda: {"u": Number(1.0)})
    calls: int = 0
    samples: int = 0

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        self.samples += 1
        return {"x": torch.rand(1, generator=generator, dtype=torch.float64)}

    def losses(self, player: str, batch: Terms) -> Terms:
        self.calls += 1
        return self.function(player, self.players, batch, self.calls)


def parabola(player, players, batch, calls) -> Terms:
    return {"half": 0.5 * players["u"].value ** 2}


def descent(rate: float = 0.1, steps: int = 20, **options) -> tuple[Phase]:
    return (Phase((Turn("u", SGD(rate)),), steps, **options),)


def go(objective=None, phases=None, **options):
    return train(
        objective or Custom(parabola), phases or descent(), generator=torch.Generator().manual_seed(4), **options
    )


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


def poisoned(at: int, forever: bool = True):
    """A parabola whose loss is NaN from call `at` on, or at that call only."""

    def losses(player, players, batch, calls):
        bad = calls >= at if forever else calls == at
        return {"half": 0.5 * players["u"].value ** 2 * (math.nan if bad else 1.0)}

    return losses


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


# Errors of others, signals, files ---------------------------------------------------------------------------------


class OwnError(Exception):
    pass


def test_an_error_in_a_probe_comes_through_and_the_state_is_saved(tmp_path):
    fail_at = 8

    def run(directory: Path, armed: bool, resume: bool):
        objective, count = Fit(), 0

        def measure() -> Mapping[str, float]:
            nonlocal count
            count += 1
            if armed and count == fail_at:
                raise OwnError("mine")
            return {"a": 1.0}

        with RunDirectory.create(directory) as opened:
            return go(
                objective,
                (Phase((Turn("u", Adam()),), 60, resample_every=5),),
                probes=[Probe("p", 5, measure)],
                run=opened,
                resume=resume,
            )

    with pytest.raises(OwnError, match="mine") as caught:
        run(tmp_path / "run", True, False)
    assert "the state of step 35 was saved" in caught.value.__notes__[0]
    assert read_checkpoint(tmp_path / "run" / "state.pt")["step"] == 35
    assert digest(run(tmp_path / "run", False, True)) == digest(run(tmp_path / "straight", False, False))


def test_an_error_within_a_step_leaves_the_checkpoint_before(tmp_path):
    def losses(player, players, batch, calls):
        if calls == 31:  # from the first step on, u evaluates at even calls and v at odd ones
            raise OwnError
        return {player: players["u"].value ** 2 + players["v"].value ** 2}

    players = {"u": Number(1.0), "v": Number(1.0)}
    with RunDirectory.create(tmp_path / "run") as run, pytest.raises(OwnError):
        go(
            Custom(losses, players),
            (Phase((Turn("u", SGD()), Turn("v", SGD())), 50),),
            run=run,
            checkpoint_every=Every(steps=3),
        )
    assert read_checkpoint(tmp_path / "run" / "state.pt")["step"] % 3 == 0


def test_a_run_leaves_checkpoint_and_history(tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        trained = go(run=run, record_every=5)
        assert sorted(p.name for p in run.path.iterdir()) == [".lock", "history.csv", "state.pt"]
        back = run.read_history()
    for name in trained.history.columns:
        np.testing.assert_array_equal(back[name], trained.history[name])


def test_without_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    go()
    assert list(tmp_path.iterdir()) == []


def test_interrupts_are_off_outside_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(go(interrupts=True).status))
    thread.start()
    thread.join()
    assert results == [TrainStatus.FINISHED]


# Progress ---------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def slow(player, players, batch, calls) -> Terms:
    torch.ones(300, 300) @ torch.ones(300, 300)
    return parabola(player, players, batch, calls)


def test_lines_tell_step_loss_metrics_speed_and_time(capfd):
    stream = io.StringIO()
    probe = Probe("error", 1, lambda: {"rel_l2": 0.25})
    go(Custom(slow), probes=[probe], progress=Lines(stream, interval=0.0))
    first, last = stream.getvalue().splitlines()[0], stream.getvalue().splitlines()[-1]
    for words in ("step 1/20", "loss 5.0", "rel_l2 2.50e-01", "it/s", "s left"):
        assert words in first
    assert last.startswith("20 steps, loss")
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_drawn_on_terminals_only():
    terminal, pipe = Terminal(), io.StringIO()
    assert isinstance(progress_for(terminal), Bar)
    assert isinstance(progress_for(pipe), Quiet)
    assert isinstance(progress_for(pipe, verbose=True), Lines)
    go(Custom(slow), progress=Bar(terminal))
    assert "/20" in terminal.getvalue()


def test_progress_ends_after_an_error_too():
    stream = io.StringIO()
    with pytest.raises(DivergenceError):
        go(Custom(poisoned(5)), progress=Lines(stream))
    assert stream.getvalue() == "stopped by an error\n"


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
