"""Checkpoints: damaged, foreign, mismatched or half-written ones are named, never loaded."""

from __future__ import annotations

import errno
import io
import os
import pickle
import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from train_cases import Fit, network

from pdekit import files
from pdekit.checkpoint import FORMAT, read_checkpoint, write_checkpoint
from pdekit.errors import CheckpointError, ConfigError, PdekitWarning, ProblemMismatchError, ResumeWarning
from pdekit.optim import LBFGS, Adam, Cosine
from pdekit.rundir import RunDirectory
from pdekit.train import Budget, Every, Phase, Trained, Turn, train

STATE = {"weights": torch.arange(300, dtype=torch.float64), "step": 7, "text": "a", "none": None, "list": [1.5, True]}
PHASES = (Phase((Turn("u", Adam(1e-2)),), 30),)


@pytest.fixture
def path(tmp_path) -> Path:
    written = tmp_path / "state.pt"
    write_checkpoint(written, STATE)
    return written


def test_what_is_written_is_read(path):
    state = read_checkpoint(path)
    assert torch.equal(state.pop("weights"), STATE["weights"])
    assert state == {k: v for k, v in STATE.items() if k != "weights"}
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.pt"]


def test_a_flipped_bit_is_noticed_wherever_it_is(path):
    content, choose = path.read_bytes(), random.Random(500)
    for _ in range(500):
        damaged = bytearray(content)
        damaged[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="checksum") as caught:
            read_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_truncation_is_noticed_wherever_it_is(path):
    content = path.read_bytes()
    for i in range(64):
        path.write_bytes(content[: len(content) * i // 64])
        with pytest.raises(CheckpointError, match="checksum"):
            read_checkpoint(path)
    path.write_bytes(content + b"x")
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(path)


@pytest.mark.parametrize("size", [0, 1, 51, 52, 53, 10_000])
def test_garbage_is_refused(path, size):
    path.write_bytes(random.Random(size).randbytes(size))
    with pytest.raises(CheckpointError, match="checksum") as caught:
        read_checkpoint(path)
    assert isinstance(caught.value, OSError)


class Malicious:
    """Touches a file when unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    """A foreign file fails the checksum; one with a right checksum fails the unpickler, which loads plain values only."""
    canary, path = tmp_path / "canary", tmp_path / "state.pt"
    path.write_bytes(pickle.dumps(Malicious(canary)))
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(path)
    write_checkpoint(path, {"x": Malicious(canary)})
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path):
    """The file above is dangerous to a reader without protection."""
    buffer = io.BytesIO()
    torch.save({"x": Malicious(tmp_path / "canary")}, buffer)
    buffer.seek(0)
    torch.load(buffer, weights_only=False)
    assert (tmp_path / "canary").exists()


def test_a_newer_format_names_both_versions(path):
    write_checkpoint(path, STATE, version=FORMAT + 8)
    with pytest.raises(CheckpointError, match=f"got format version {FORMAT + 8}, expected at most {FORMAT}"):
        read_checkpoint(path)


def test_the_layout_is_fixed(path):
    """Files written by earlier releases stay readable: this is their header."""
    content = path.read_bytes()
    assert struct.unpack("<8sIQ", content[:20]) == (b"pdekitck", 1, len(content) - 52)


@pytest.mark.parametrize("missing", ["stat.pt", "../run2/state.pt", "deep/er/state.pt"])
def test_a_missing_checkpoint_names_the_nearest(path, missing):
    with pytest.raises(FileNotFoundError, match="nearest") as caught:
        read_checkpoint(path.parent / missing)
    nearest = "state.pt'" if missing == "stat.pt" else path.parent.parent.name
    assert nearest in str(caught.value)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_previous_checkpoint(path, monkeypatch, failing):
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, failing, full)
    with pytest.raises(OSError, match="No space") as caught:
        write_checkpoint(path, {"x": torch.zeros(5)})
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert not path.with_name("state.pt.tmp").exists()


def test_a_stale_temporary_file_is_ignored_and_goes(path):
    stale = path.with_name("state.pt.tmp")
    stale.write_bytes(b"half a checkpoint")
    read_checkpoint(path)
    write_checkpoint(path, STATE)
    assert not stale.exists()
    read_checkpoint(path)


# Resuming what does not fit -------------------------------------------------------------------------------------


def go(directory: Path, objective: Fit | None = None, *, resume: bool = True, steps: int = 20, **changes) -> Trained:
    arguments = {
        "objective": objective or Fit(),
        "phases": PHASES,
        "generator": torch.Generator().manual_seed(11),
        "budget": Budget(steps=steps),
        "identity": {"problem": "fit", "eps": 0.01},
        "checkpoint_every": Every(steps=5),
    }
    with RunDirectory.create(directory) as run:
        return train(run=run, resume=resume, **(arguments | changes))


@pytest.fixture
def begun(tmp_path) -> Path:
    go(tmp_path / "run", resume=False, steps=10)
    return tmp_path / "run"


def players(width: int = 6, extra: nn.Module | None = None) -> dict[str, nn.Module]:
    usual = Fit().players["u"]
    parts = {"net": network(1, width), "amplitude": usual["amplitude"]}
    return {"u": nn.ModuleDict(parts | ({"extra": extra} if extra is not None else {}))}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (players(7), r"first differing layer 'net\.0\.weight': got shape \(6, 1\) in the file, expected \(7, 1\)"),
        (players(6, nn.Linear(1, 1).double()), r"'extra\.weight': got shape absent in the file, expected \(1, 1\)"),
    ],
)
def test_another_architecture_names_layer_and_shapes(begun, other, words):
    with pytest.raises(CheckpointError, match=words):
        go(begun, Fit(other))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"identity": {"problem": "other", "eps": 0.01}}, "'problem': got 'fit' in the file, expected 'other'"),
        ({"identity": {"problem": "fit", "eps": 0.02}}, "'eps'"),
        ({"identity": {"problem": "fit"}}, "'eps': got 0.01 in the file, expected 'absent'"),
        ({"identity": {"problem": "fit", "eps": 0.01, "k": 3}}, "'k': got 'absent'"),
        ({"weights": {"fit": 1.0, "amplitude": 2.0}}, r"weights\[amplitude\]"),
        ({"phases": (Phase((Turn("u", Adam(2e-2)),), 30),)}, r"phases\[0\]"),
        ({"phases": (Phase((Turn("u", LBFGS()),), 30),)}, r"phases\[0\]"),
        ({"phases": (replace(PHASES[0], resample_every=3),)}, r"phases\[0\]"),
        ({"best_of": "fit"}, "best_of"),
    ],
)
def test_another_problem_names_the_field(begun, changes, field):
    before = (begun / "state.pt").read_bytes()
    with pytest.raises(ProblemMismatchError, match=field) as caught:
        go(begun, **changes)
    assert isinstance(caught.value, ValueError)
    assert (begun / "state.pt").read_bytes() == before


def single() -> Fit:
    objective = Fit()
    objective.players["u"].float()
    return SinglePrecision(objective.players)


class SinglePrecision(Fit):
    def sample(self, generator):
        return {"x": super().sample(generator)["x"].float()}


@pytest.mark.parametrize(
    ("objective", "changes", "words"),
    [
        (Fit, {"generator": torch.Generator().manual_seed(12)}, "seed 11 then, 12 now"),
        (single, {}, "dtype torch.float64 then, torch.float32 now"),
        (Fit, {"record_every": 7}, "record_every 100 then, 7 now"),
    ],
)
def test_other_circumstances_are_listed(begun, objective, changes, words):
    with pytest.warns(ResumeWarning, match=words):
        trained = go(begun, objective(), **changes)
    assert trained.steps == 20


def test_another_number_of_threads_is_listed(begun):
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with pytest.warns(ResumeWarning, match=f"threads {before} then, {before + 1} now"):
            go(begun)
    finally:
        torch.set_num_threads(before)


def test_more_steps_are_welcome_unless_the_schedule_would_have_differed(tmp_path, recwarn):
    longer = (replace(PHASES[0], steps=50),)
    go(tmp_path / "a", resume=False, steps=30)
    assert go(tmp_path / "a", phases=longer, steps=50).steps == 50
    assert not [w for w in recwarn if issubclass(w.category, PdekitWarning)]
    decaying = Phase((Turn("u", Adam(1e-2), schedule=Cosine()),), 30)
    go(tmp_path / "b", resume=False, steps=30, phases=(decaying,))
    with pytest.warns(ResumeWarning, match=r"phases\[0\]\.steps 30 then, 50 now"):
        go(tmp_path / "b", phases=(replace(decaying, steps=50),), steps=50)


def test_resuming_needs_a_directory_and_a_checkpoint(tmp_path):
    with pytest.raises(ConfigError, match="resume: got True without a run directory"):
        train(Fit(), PHASES, generator=torch.Generator(), resume=True)
    with pytest.raises(FileNotFoundError, match="nearest"):
        go(tmp_path / "empty")
    assert not (tmp_path / "empty" / "state.pt").exists()


def test_identity_fields_are_flat(tmp_path):
    with pytest.raises(ConfigError, match=r"identity\['domain'\]: got list"):
        go(tmp_path / "run", resume=False, identity={"domain": [0, 1]})


def test_a_damaged_checkpoint_stops_before_training(begun):
    content = bytearray((begun / "state.pt").read_bytes())
    content[len(content) // 2] ^= 4
    (begun / "state.pt").write_bytes(content)
    objective = Fit()
    before = {k: v.clone() for k, v in objective.players["u"].state_dict().items()}
    with pytest.raises(CheckpointError, match="checksum"):
        go(begun, objective)
    assert all(torch.equal(v, before[k]) for k, v in objective.players["u"].state_dict().items())


def test_a_full_disk_is_noticed_before_the_first_step(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    objective = Fit()
    before = objective.players["u"]["amplitude"].value.item()
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        go(tmp_path / "run", objective, resume=False)
    assert objective.players["u"]["amplitude"].value.item() == before
