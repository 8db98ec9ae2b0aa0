"""Errors of others, files and progress during a training."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from train_cases import Fit, digest
from train_objectives import Custom, Number, Terms, go, parabola, poisoned

from pdekit.checkpoint import read_checkpoint
from pdekit.errors import (
    DivergenceError,
)
from pdekit.optim import SGD, Adam
from pdekit.progress import Bar, Lines, Quiet, progress_for
from pdekit.rundir import RunDirectory
from pdekit.train import Every, Phase, Probe, TrainStatus, Turn

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
