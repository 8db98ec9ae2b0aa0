"""The run directory: safe names, one writer, whole files."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pdekit import rundir
from pdekit.errors import RunLockedError, UnsafePathError
from pdekit.files import write_atomically
from pdekit.record import Record
from pdekit.rundir import RunDirectory

BAD_NAMES = [
    "",
    "../x",
    "/x",
    "a\0",
    "a" * 300,
    "con",
    "con/x",
    "x/NUL.txt",
    "a\\b",
    "a/../b",
    ".",
    "a//b",
    "x.",
    "x ",
    "a\nb",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_leave_the_directory_are_refused(tmp_path, name):
    with RunDirectory.create(tmp_path / "run") as run:
        with pytest.raises(UnsafePathError, match=r"got .* expected"):
            run.write_text(name, "x")
        assert [p.name for p in tmp_path.rglob("*")] == ["run", ".lock"]


@pytest.mark.parametrize("name", ["result.json", "figures/error.png", "console.txt", "über.txt", ".hidden"])
def test_plain_names_are_written(tmp_path, name):
    with RunDirectory.create(tmp_path / "run") as run:
        run.write_text(name, "x")
        assert (tmp_path / "run" / name).read_text() == "x"


@pytest.mark.parametrize("name", ["", "a\0b", "a" * 300, "con", "runs/aux/x"])
def test_directories_no_file_system_should_hold_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePathError):
        RunDirectory.create(name)
    assert list(tmp_path.iterdir()) == []


def test_directories_the_user_chooses_are_accepted(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for chosen in (str(tmp_path / "absolute" / "deep"), "../sibling", "./runs/demo", Path("plain")):
        RunDirectory.create(chosen).close()
        assert Path(chosen).is_dir()


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(UnsafePathError, match="symbolic link to"):
        RunDirectory.create(tmp_path / "link")
    with RunDirectory.create(tmp_path / "run") as run:
        for name, target in (("result.json", outside / "r"), ("figures", outside), ("history.csv.tmp", outside / "h")):
            (run.path / name).symlink_to(target)
        for name in ("result.json", "figures/a.png", "history.csv"):
            with pytest.raises(UnsafePathError, match="symbolic link"):
                run.write_text(name, "x")
    assert list(outside.iterdir()) == []


def test_an_unwritable_place_is_a_permission_error(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(rundir.os, "open", refused)
    with pytest.raises(PermissionError, match="cannot be written"):
        RunDirectory.create(tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_directory_without_write_permission(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="closed"):
        RunDirectory.create(tmp_path / "closed" / "run")


def test_a_second_writer_is_told_the_process(tmp_path):
    words = rf"process {os.getpid()} \(this one\)"
    with RunDirectory.create(tmp_path / "run"), pytest.raises(RunLockedError, match=words):
        RunDirectory.open(tmp_path / "run")
    RunDirectory.open(tmp_path / "run").close()


HOLD = "import sys, time; from pdekit.rundir import RunDirectory; r = RunDirectory.create(sys.argv[1]); print(1, flush=True); time.sleep(60)"


def test_the_lock_of_a_killed_process_is_gone(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(RunLockedError, match=f"process {holder.pid} is writing"):
            RunDirectory.create(tmp_path / "run")
    finally:
        holder.kill()
        holder.wait()
    RunDirectory.create(tmp_path / "run").close()


def test_a_view_reads_beside_a_writer_and_cannot_write(tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        run.write_json("result.json", {"success": True})
        view = RunDirectory.view(tmp_path / "run")
        assert view.read_json("result.json") == {"success": True}
        with pytest.raises(RunLockedError, match="view"):
            view.write_text("x", "x")
    with pytest.raises(RunLockedError, match="closed"):
        run.write_text("x", "x")


@pytest.mark.parametrize("take", [RunDirectory.open, RunDirectory.view])
def test_a_missing_directory_names_the_nearest(tmp_path, take):
    (tmp_path / "demo").mkdir()
    with pytest.raises(FileNotFoundError, match=rf"nearest: '{tmp_path}/demo'"):
        take(tmp_path / "dem0")


def test_a_missing_file_names_the_nearest(tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        run.write_json("result.json", {})
        with pytest.raises(FileNotFoundError, match=r"nearest: .*result\.json"):
            run.read_json("results.json")


def test_files_come_back(tmp_path):
    history = Record.from_columns({"step": [0.0, 1.0], "loss": [0.1, 1 / 3]})
    config = {"problem": {"name": "poisson-sine", "k": 3, "eps": 1e-3}, "scales": (1, 2), "device": None}
    with RunDirectory.create(tmp_path / "run") as run:
        run.write_history(history)
        run.write_config(config)
        run.write_environment()
        run.write_json("result.json", {"rel_l2": math.nan, "bands": [0.5, -math.inf], "n": 3, "name": "é"})
        run.write_weights({"u": {"0.weight": torch.eye(3).T, "0.bias": torch.zeros(3, dtype=torch.float64)}})
        np.testing.assert_array_equal(run.read_history()["loss"], history["loss"])
        assert run.read_config() == {"problem": config["problem"], "scales": [1, 2]}
        assert run.read_json("result.json") == {"rel_l2": None, "bands": [0.5, None], "n": 3, "name": "é"}
        packages = run.read_json("environment.json")["versions"]
        assert packages["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
        assert not list(run.path.glob("*.tmp"))
    from safetensors.torch import load_file

    weights = load_file(tmp_path / "run" / "weights.safetensors")
    assert set(weights) == {"u/0.weight", "u/0.bias"}
    assert torch.equal(weights["u/0.weight"], torch.eye(3))


def test_json_is_standard(tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        run.write_json("result.json", {"a": math.inf})

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        assert json.loads((run.path / "result.json").read_text(), parse_constant=refuse) == {"a": None}


def rewrite(path: Path) -> None:
    for i in range(10_000):
        write_atomically(path, (bytes([i % 256]) * 50_000,))


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, (b"\0" * 50_000,))
    writer = multiprocessing.get_context("forkserver").Process(target=rewrite, args=(path,))
    writer.start()
    try:
        seen: set[int] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 10 and time.monotonic() < deadline:
            content = path.read_bytes()
            assert len(content) == 50_000
            assert len(set(content)) == 1
            seen.add(content[0])
    finally:
        writer.kill()
        writer.join()
    assert len(seen) == 10
    assert len(path.read_bytes()) == 50_000
