"""Solutions on disk: equal after reading, and never read when they are damaged, foreign or somebody else's."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from fakes import SineProduct, solved
from hypothesis import given, settings
from hypothesis import strategies as st
from pdekit.problems import PoissonFourModes, PoissonSine

import pdekit
from pdekit import config, sealed, solvers, storage
from pdekit.domain import Interval
from pdekit.errors import (
    CheckpointError,
    ConfigError,
    ProblemError,
    ProblemMismatchError,
    RunLockedError,
    UnsafePathError,
)
from pdekit.record import Record
from pdekit.rundir import CHECKPOINT, CONFIG, HISTORY, RESULT, WEIGHTS, RunDirectory
from pdekit.solution import Flag, Measures, Trust
from pdekit.study import HandOver, HybridStudy, Role, Trace

TINY = {"width": "4", "depth": "2", "points": "16", "training.steps": "3", "polish": "2"}


def grid_solution():
    return pdekit.solve(PoissonFourModes(), config.with_options(solvers.solver("jacobi"), {"points": "33"}), seed=1)


def network_solution(dtype=torch.float64, problem=None):
    torch.set_num_threads(1)
    return pdekit.solve(
        problem or PoissonSine(), config.with_options(solvers.solver("pinn"), TINY), seed=2, dtype=dtype
    )


@pytest.fixture(scope="module")
def solution():
    return grid_solution()


@pytest.fixture(scope="module")
def stored(solution, tmp_path_factory):
    return solution.save(tmp_path_factory.mktemp("run") / "jacobi")


@pytest.fixture
def copy(stored, tmp_path):
    return shutil.copytree(stored, tmp_path / "copy")


@pytest.fixture(scope="module")
def network_run(tmp_path_factory):
    return network_solution().save(tmp_path_factory.mktemp("run") / "pinn")


# Equal after reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        grid_solution,
        network_solution,
        lambda: network_solution(torch.float32),
        lambda: network_solution(None, PoissonSine(2)),
    ],
    ids=["grid", "float64", "float32", "parameter"],
)
def test_a_loaded_solution_is_bitwise_equal(make, tmp_path):
    solution = make()
    loaded = pdekit.load(solution.save(tmp_path / "run"))
    lower, upper = np.array(solution.problem.domain.lower), np.array(solution.problem.domain.upper)
    x = lower + (upper - lower) * np.random.default_rng(3).random((257, len(lower)))
    assert loaded(x).tobytes() == solution(x).tobytes()
    assert loaded.problem == solution.problem
    assert loaded.to_json() == solution.to_json()
    assert (loaded.status, loaded.message, loaded.solver) == (solution.status, solution.message, solution.solver)
    assert loaded.measures == solution.measures
    assert dict(loaded.timings) == dict(solution.timings)
    assert loaded.history.columns == solution.history.columns
    assert loaded.history.to_csv() == solution.history.to_csv()
    assert str(loaded) == str(solution)


def test_every_number_of_the_evidence_survives(solution, tmp_path):
    names = [f.name for f in dataclasses.fields(Trust) if f.name not in ("flags", "residual_bands")]
    numbers = dict(zip(names, np.random.default_rng(5).random(len(names)).tolist(), strict=True))
    trust = Trust(**numbers, residual_bands=solution.bands, flags=(Flag.ALIASED, Flag.NOT_CONVERGED))
    measures = Measures(*range(2, 2 + len(dataclasses.fields(Measures))))
    changed = dataclasses.replace(solution, trust=trust, measures=measures, status=pdekit.Status.UNTRUSTED)
    loaded = pdekit.load(changed.save(tmp_path / "run"))
    assert dataclasses.replace(loaded.trust, residual_bands=None) == dataclasses.replace(trust, residual_bands=None)
    assert loaded.measures == measures
    assert not loaded.success
    for mine, theirs in ((loaded.bands, solution.bands), (loaded.trust.residual_bands, solution.bands)):
        for name in ("edges", "error_energy", "reference_energy"):
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes()


def test_numbers_that_are_not_finite_become_null(solution, tmp_path):
    changed = dataclasses.replace(solution, measures=Measures(rel_l2=float("nan"), max_error=float("inf")))
    run = changed.save(tmp_path / "run")

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    result = json.loads((run / RESULT).read_text(), parse_constant=refuse)
    assert result["rel_l2"] is None
    assert result["max_error"] is None
    assert pdekit.load(run).measures == Measures()


def test_a_study_survives(solution, tmp_path):
    study = HybridStudy(
        **{name: np.arange(3.0) for name in ("x", "reference", "wavenumbers", "magnitude", "steps", "sweeps")},
        peaks=np.array([1.0, 4.0]),
        delta_network=np.ones((3, 2)),
        delta_relaxation=np.zeros((3, 2)),
        traces=(Trace(Role.NETWORK, np.arange(2.0), np.array([1.0, 0.1])),),
        hand_overs=(HandOver(200, 1.0, 30, 0.5, automatic=True),),
        tolerance=0.5,
    )
    loaded = pdekit.load(dataclasses.replace(solution, study=study).save(tmp_path / "run"))
    assert loaded.study.summary() == study.summary()


def test_solve_writes_the_run_it_is_given(tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        solver = config.with_options(solvers.solver("jacobi"), {"points": "17"})
        solution = pdekit.solve(PoissonFourModes(), solver, run=run)
    loaded = pdekit.load(tmp_path / "run")
    assert loaded.to_json() == solution.to_json()


# Damage --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, RESULT])
def test_a_flipped_bit_is_noticed(stored, copy, name):
    content = bytearray((stored / name).read_bytes())
    rng = np.random.default_rng(7)
    for offset in rng.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[offset] ^= 1 << int(rng.integers(0, 8))
        (copy / name).write_bytes(damaged)
        with pytest.raises(CheckpointError, match="checksum"):
            pdekit.load(copy)


@pytest.mark.parametrize(
    "damage", [lambda text: text.replace("e-", "E-", 1), lambda text: text.replace(": ", ":\t", 1)]
)
def test_a_change_that_reads_the_same_is_noticed(copy, damage):
    result = json.loads((copy / RESULT).read_text())
    original = sealed.sealed(result | {"rel_l2": 1e-5})
    (copy / RESULT).write_text(damage(original))
    assert json.loads(damage(original)) == json.loads(original)
    with pytest.raises(CheckpointError, match="checksum"):
        pdekit.load(copy)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, RESULT])
def test_a_truncated_file_is_noticed(stored, copy, name):
    content = (stored / name).read_bytes()
    for length in np.linspace(0, len(content) - 2, 64).astype(int):  # the last byte may be a mere line end
        (copy / name).write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="checksum"):
            pdekit.load(copy)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_noticed(stored, tmp_path_factory, content):
    run = shutil.copytree(stored, tmp_path_factory.mktemp("garbage") / "run")
    (run / RESULT).write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        pdekit.load(run)


def test_a_file_put_together_from_two_runs_is_noticed(copy, network_run):
    shutil.copy(network_run / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(CheckpointError, match="checksum"):
        pdekit.load(copy)


def test_a_newer_format_names_both_versions(copy):
    result = json.loads((copy / RESULT).read_text())
    del result["sha256_of_this"]
    result["format"] = sealed.FORMAT + 1
    (copy / RESULT).write_text(sealed.sealed(result))
    with pytest.raises(CheckpointError, match=rf"version {sealed.FORMAT + 1}, expected at most {sealed.FORMAT}"):
        pdekit.load(copy)


# Somebody else's ------------------------------------------------------------------------------------------------------


def test_another_architecture_is_refused(network_run):
    other = config.with_options(solvers.solver("pinn"), TINY | {"width": "5"})
    with pytest.raises(CheckpointError, match=r"4.*5"):
        pdekit.load(network_run, solver=other)


def test_another_solver_is_refused(network_run):
    with pytest.raises(CheckpointError, match="tensor"):
        pdekit.load(network_run, solver=solvers.solver("jacobi"))


@pytest.mark.parametrize(("problem", "field"), [(PoissonSine(k=3), "'k'"), (PoissonFourModes(), "'name'")])
def test_another_problem_is_refused(network_run, problem, field):
    with pytest.raises(ProblemMismatchError, match=field):
        pdekit.load(network_run, problem)


def test_the_same_problem_is_accepted(network_run):
    assert pdekit.load(network_run, PoissonSine(k=1)).problem == PoissonSine(k=1)


def test_a_problem_without_a_file_has_to_be_given(tmp_path):
    fake = solved(Interval(0.0, 1.0))
    run = dataclasses.replace(fake, config=grid_config(fake)).save(tmp_path / "run")
    with pytest.raises(ProblemError, match="pass the problem"):
        pdekit.load(run)
    loaded = pdekit.load(run, fake.problem)
    assert loaded.problem == SineProduct(Interval(0.0, 1.0))
    assert loaded.history.columns == Record().columns


def grid_config(solution):
    table = {key: value for key, value in config.problem_table(solution.problem).items() if key != config.FILE}
    return {"problem": table, "solver": {"name": "finite-difference"}, "run": {"seed": 0}}


def test_an_unknown_solver_has_to_be_given(tmp_path, solution):
    table = dict(solution.config) | {"solver": {"kind": "MyOwn"}}
    run = dataclasses.replace(solution, config=table).save(tmp_path / "run")
    with pytest.raises(ConfigError, match="pass the solver"):
        pdekit.load(run)
    assert pdekit.load(run, solver=solvers.solver("jacobi")).problem == solution.problem


# Missing, unsafe, busy -------------------------------------------------------------------------------------------------


def test_a_missing_directory_names_the_nearest(stored):
    with pytest.raises(FileNotFoundError, match=r"nearest: .*jacobi"):
        pdekit.load(stored.parent / "jakobi")


@pytest.mark.parametrize("name", [WEIGHTS, RESULT, CONFIG])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        pdekit.load(copy)


def test_history_is_not_needed(copy):
    (copy / HISTORY).unlink()
    assert len(pdekit.load(copy).history) == 0


def test_an_unfinished_run_says_how_to_go_on(copy):
    (copy / RESULT).unlink()
    (copy / CHECKPOINT).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="--resume"):
        pdekit.load(copy)


def test_a_new_solve_drops_the_old_result(copy):
    with RunDirectory.open(copy) as run:
        storage.write_start({"problem": {"name": "poisson-sine"}}, run)
    with pytest.raises(FileNotFoundError, match=RESULT):
        pdekit.load(copy)


@pytest.mark.parametrize("name", ["a\0", "", "x" * 300, "con/run", "nul"])
def test_an_unsafe_directory_is_refused(solution, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for action in (solution.save, pdekit.load):
        with pytest.raises(UnsafePathError):
            action(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [WEIGHTS, RESULT])
def test_a_link_is_not_followed(solution, copy, tmp_path, name):
    (tmp_path / "elsewhere").write_text("precious")
    (copy / name).unlink()
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePathError):
        solution.save(copy)
    with pytest.raises(UnsafePathError):
        pdekit.load(copy)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_one_writer_at_a_time(solution, copy):
    with RunDirectory.open(copy), pytest.raises(RunLockedError):
        solution.save(copy)
