"""Resuming equals not having been interrupted, bit for bit, and no kill leaves an unreadable checkpoint."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import train_cases
from train_cases import CASES, child, run_case

from pdekit.checkpoint import read_checkpoint
from pdekit.interrupt import Interrupted

SHORT = ("adam", "adam-lbfgs", "saddle", "second-order")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("cut", [1, 7, 20, 25, 33, 59])
def test_a_resumed_run_equals_a_straight_one(name, cut, tmp_path):
    """The cuts fall before, on and after resampling, records, phase changes and L-BFGS iterations."""
    _, straight = run_case(name)
    first, _ = run_case(name, tmp_path / "run", steps=cut)
    assert first.steps == cut
    second, resumed = run_case(name, tmp_path / "run")
    assert second.steps == 60
    assert resumed == straight


@pytest.mark.parametrize("name", SHORT)
def test_many_legs_equal_one(name, tmp_path):
    straight, expected = run_case(name)
    for steps in range(5, 61, 5):
        trained, found = run_case(name, tmp_path / "run", steps=steps)
    assert found == expected
    assert len(trained.history) == len(straight.history)


def test_a_new_process_resumes(tmp_path):
    """L-BFGS memory, two phases, resampling, best state: through the file, not through this process's memory."""
    script = [sys.executable, train_cases.__file__, "adam-lbfgs", str(tmp_path / "run")]
    run_case("adam-lbfgs", tmp_path / "run", steps=37)
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == run_case("adam-lbfgs")[1]


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    first, expected = run_case("saddle", tmp_path / "run")
    second, found = run_case("saddle", tmp_path / "run")
    assert found == expected
    assert second.status is first.status


def test_seconds_count_the_earlier_legs(tmp_path):
    first, _ = run_case("adam", tmp_path / "run", steps=30)
    second, _ = run_case("adam", tmp_path / "run")
    assert second.seconds > first.history["seconds"][-2]
    assert (second.history["seconds"][1:] >= second.history["seconds"][:-1]).all()


@pytest.fixture(scope="module")
def context():
    """Children are forked from a fresh server that has imported torch once."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["pdekit.train"])
    return made


def started(process, mark: Path) -> None:
    """Wait until the child is past its imports."""
    deadline = time.monotonic() + 60
    while not mark.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)


def check_kills(context, directory: Path, name: str, kills: int) -> None:
    """Kill the training `kills` times at random moments, let it finish, compare with a straight run."""
    choose, midway = random.Random(kills), 0
    mark, finished = directory.with_suffix(".started"), directory.with_suffix(".digest")
    for _ in range(kills):
        mark.unlink(missing_ok=True)
        process = context.Process(target=child, args=(name, str(directory)))
        process.start()
        started(process, mark)
        time.sleep(choose.uniform(0.0, 0.25))
        process.kill()
        process.join()
        if (directory / "state.pt").exists():
            midway += read_checkpoint(directory / "state.pt")["step"] > 0 and not finished.exists()
    process = context.Process(target=child, args=(name, str(directory)))
    process.start()
    process.join(timeout=180)
    assert process.exitcode == 0
    assert midway >= kills // 3, "too few of the kills fell into the training to prove anything"
    assert finished.read_text() == run_case(name)[1]
    assert not (directory / "state.pt.tmp").exists()


def test_kills_at_random_moments(context, tmp_path):
    check_kills(context, tmp_path / "run", "long", 6)


@pytest.mark.slow
def test_sixty_kills_at_random_moments(context, tmp_path):
    check_kills(context, tmp_path / "run", "longer", 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_is_reported(number, tmp_path):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    objective_type = CASES["adam"].objective
    calls = 0

    class Signalled(objective_type):
        def losses(self, player, batch):
            nonlocal calls
            calls += 1
            if calls == 30:
                os.kill(os.getpid(), number)
            return super().losses(player, batch)

    case = CASES["adam"]
    CASES["signalled"] = type(case)(Signalled, case.phases)
    try:
        with pytest.raises(Interrupted) as caught:
            run_case("signalled", tmp_path / "run", interrupts=True)
        assert caught.value.signal is number
        assert caught.value.exit_code == 128 + int(number)
        assert not isinstance(caught.value, Exception)
        assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
        assert 20 <= read_checkpoint(tmp_path / "run" / "state.pt")["step"] <= 30
        resumed, found = run_case("signalled", tmp_path / "run")
    finally:
        del CASES["signalled"]
    assert resumed.steps == 60
    assert found == run_case("adam")[1]
