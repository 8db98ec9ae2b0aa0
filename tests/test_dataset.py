"""Data sets: made alike at any number of processes, kept in a folder, refused where damaged or foreign; the user's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from pdekit.problems import AdvectionFamily, Antiderivative, DarcyFamily, UserArrays

from pdekit import dataset_cache
from pdekit.dataset import Dataset
from pdekit.dataset_cache import cached, default_folder, read
from pdekit.errors import (
    ConfigError,
    DataError,
    DataWarning,
    DtypeError,
    MemoryBudgetError,
    NonFiniteError,
    ShapeError,
    SweepError,
)
from pdekit.generate import generate
from pdekit.operator_problem import Family
from pdekit.quantity import Axis, Quantity

FAMILY = Antiderivative(points=20)


def same(one: Dataset, two: Dataset) -> bool:
    return np.array_equal(one.inputs, two.inputs) and np.array_equal(one.outputs, two.outputs)


@dataclass(frozen=True)
class Failing(Family):
    """The antiderivative, with NaN in one case, or an error."""

    bad: int = 40
    raises: bool = False
    points: int = 20
    name = "failing"
    refinement = 1
    input = FAMILY.input
    output = FAMILY.output
    law = FAMILY.law

    def inputs(self, drawn):
        return FAMILY.inputs(drawn)

    def refined(self, factor):
        return self

    def solve(self, inputs):
        if self.raises:
            raise ArithmeticError("no pivot")
        outputs = FAMILY.solve(inputs)
        if len(inputs) > 8 and len(inputs) < 32:  # the second of the chunks of 32
            outputs[self.bad - 32, 3] = torch.nan
        return outputs


# Making --------------------------------------------------------------------------------------------------------------


def test_pairs_are_made_and_described():
    heard = []
    data = generate(FAMILY, 40, 5, jobs=1, report=lambda label, done: heard.append((label, done)))
    assert data.inputs.shape == data.outputs.shape == (40, 20, 1)
    assert heard == [("data of antiderivative", 0.5), ("data of antiderivative", 1.0)]
    assert data.provenance.family == {"name": "antiderivative", "length_scale": 0.2, "points": 20}
    assert data.provenance.seed == 5
    assert "spline" in data.provenance.solver
    assert data.provenance.error is not None and 1e-12 < data.provenance.error < 1e-4
    slopes = np.gradient(data.outputs[..., 0], data.output.axes[0].coordinates, axis=1)
    assert np.abs(slopes - data.inputs[..., 0])[:, 1:-1].max() < 0.3  # h^2 / 6 times f'', which is some hundred


@pytest.mark.slow
def test_processes_do_not_change_the_data(monkeypatch):
    monkeypatch.setattr("pdekit.generate._WORTH", 0.0)  # else so little work is done here
    assert same(generate(FAMILY, 70, 5, jobs=1), generate(FAMILY, 70, 5, jobs=2))


def test_chunks_do_not_change_the_data(monkeypatch):
    data = generate(DarcyFamily(points=9, modes=4), 5, 5, jobs=1)
    monkeypatch.setattr("pdekit.generate._CHUNK", 2)
    assert np.allclose(generate(DarcyFamily(points=9, modes=4), 5, 5, jobs=1).outputs, data.outputs, rtol=1e-7)
    assert not same(generate(FAMILY, 3, 5, jobs=1), generate(FAMILY, 3, 6, jobs=1))


def test_resolutions_hold_the_same_functions():
    coarse, fine = (generate(DarcyFamily(points=n, modes=4), 3, 2, jobs=1) for n in (9, 17))
    assert np.array_equal(coarse.inputs, fine.inputs[:, ::2, ::2])
    assert coarse.output.relative_errors(coarse.outputs, fine.outputs[:, ::2, ::2]).max() < 1e-2


def test_bad_cases_are_named():
    with pytest.raises(NonFiniteError, match="case 40 holds NaN"):
        generate(Failing(), 50, 0, jobs=1)
    with pytest.raises(SweepError, match=r"cases 0 to 31: got ArithmeticError: no pivot"):
        generate(Failing(raises=True), 50, 0, jobs=1)


@pytest.mark.parametrize("arguments", [(0, 0), (-1, 0), (2.5, 0), (True, 0), (3, -1)])
def test_impossible_numbers_are_refused(arguments, tmp_path):
    with pytest.raises(ConfigError, match="expected an integer"):
        generate(FAMILY, *arguments)
    with pytest.raises(ConfigError, match="expected an integer"):
        cached(FAMILY, *arguments, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_than_the_memory_is_refused_at_once():
    with pytest.raises(MemoryBudgetError, match=r"cases of antiderivative takes .* make fewer"):
        generate(FAMILY, 10**12)


def test_splits_and_the_mean_predictor():
    data = generate(AdvectionFamily(points=64), 200, 1, jobs=1)
    train, test = data.split(150)
    assert (len(train), len(test)) == (150, 50)
    assert np.array_equal(test.inputs[0], data.inputs[150])
    assert train.mean_predictor(test) == pytest.approx(
        1.0, abs=0.1
    )  # the mean of functions with mean zero says nothing
    with pytest.raises(ConfigError, match="at most 199"):
        data.split(200)


def test_shapes_are_checked():
    line = Quantity((Axis("x", 4),))
    assert Dataset(np.ones((2, 4)), np.ones((2, 4, 1)), line, line).inputs.shape == (2, 4, 1)
    with pytest.raises(ShapeError, match=r"inputs: got shape \(2, 5\)"):
        Dataset(np.ones((2, 5)), np.ones((2, 4)), line, line)
    with pytest.raises(ShapeError, match="3 inputs and 2 outputs"):
        Dataset(np.ones((3, 4)), np.ones((2, 4)), line, line)
    with pytest.raises(ConfigError, match="0 cases"):
        Dataset(np.ones((0, 4)), np.ones((0, 4)), line, line)


# The cache -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path) -> tuple[Path, Dataset]:
    data = cached(FAMILY, 5, 3, folder=tmp_path, jobs=1)
    (path,) = tmp_path.iterdir()
    return path, data


def test_data_are_made_once(kept, monkeypatch):
    path, data = kept
    monkeypatch.setattr(dataset_cache, "generate", None)  # calling it would fail
    again = cached(FAMILY, 5, 3, folder=path.parent)
    assert same(again, data)
    assert again.provenance.cached and not data.provenance.cached
    assert again.provenance.error == data.provenance.error
    assert path.name.startswith("antiderivative-5-seed3-")
    with np.load(path) as arrays:  # an ordinary NPZ file, which says what it is
        about = json.loads(arrays["about"].item())
    assert about["family"] == {"name": "antiderivative", "length_scale": 0.2, "points": 20}
    assert about["seed"] == 3


def test_every_flipped_bit_is_noticed(kept):
    path, _ = kept
    content = path.read_bytes()
    places = np.random.default_rng(4).integers(0, 8 * len(content), 200)
    for place in [*places, 0, 8 * len(content) - 1]:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=path.name):
            read(path, FAMILY, 5, 3)


def test_every_truncation_is_noticed(kept):
    path, _ = kept
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 64).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="SHA-256"):
            read(path, FAMILY, 5, 3)


def test_what_is_damaged_is_told_and_made_again(kept):
    path, data = kept
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.warns(DataWarning, match="made again"):
        assert same(cached(FAMILY, 5, 3, folder=path.parent, jobs=1), data)
    assert same(read(path, FAMILY, 5, 3), data)


def test_a_foreign_file_is_told_and_replaced(kept, tmp_path_factory):
    path, data = kept
    other = tmp_path_factory.mktemp("other")
    cached(Antiderivative(0.3, points=20), 5, 3, folder=other, jobs=1)
    (foreign,) = other.iterdir()
    assert foreign.name != path.name
    path.write_bytes(foreign.read_bytes())
    with pytest.warns(DataWarning, match=r"0\.3.*expected.*0\.2"):
        assert same(cached(FAMILY, 5, 3, folder=path.parent, jobs=1), data)


def test_parameters_and_seeds_have_files_of_their_own(kept):
    path, _ = kept
    for family, count, seed in ((FAMILY, 6, 3), (FAMILY, 5, 4), (FAMILY.at(21), 5, 3)):
        cached(family, count, seed, folder=path.parent, jobs=1)
    assert len(list(path.parent.iterdir())) == 4


def test_the_default_folder_is_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "pdekit" / "data"
    cached(FAMILY, 1, jobs=1)
    assert len(list(default_folder().iterdir())) == 1


# The user's own ------------------------------------------------------------------------------------------------------


def arrays(**changes):
    x, t = np.linspace(0, 2, 6), np.arange(4) / 4
    own = {
        "inputs": np.ones((3, 6)),
        "inputs.x": x,
        "inputs.unit": "W/m",
        "inputs.x.unit": "m",
        "outputs": np.ones((3, 6, 4, 2)),
        "outputs.x": x,
        "outputs.t": t,
        "outputs.unit": "K",
        "periodic": np.array(["t"]),
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


@pytest.fixture
def given(tmp_path):
    def write(**changes):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays(**changes))
        return str(path)

    return write


def test_own_arrays_are_a_family(given):
    family = UserArrays(given(), input_unit="W/m")
    data = family.read()
    assert len(data) == 3
    assert family.input.axes == (Axis("x", 6, 0.0, 2.0, unit="m"),)
    assert family.output.axes[1] == Axis("t", 4, periodic=True)
    assert family.output.names == ("outputs1", "outputs2")
    assert (family.input.unit, family.output.unit) == ("W/m", "K")
    assert data.provenance.family["file"].endswith("mine.npz")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"inputs": None}, DataError, "expected inputs too"),
        ({"inputs": np.ones((4, 6))}, ShapeError, "4 inputs and 3 outputs"),
        ({"inputs": np.ones((3, 7))}, ShapeError, r"shape \(3, 7\)"),
        ({"inputs": np.ones(3)}, ShapeError, "inputs"),
        ({"inputs": np.ones((0, 6)), "outputs": np.ones((0, 6, 4, 2))}, ConfigError, "0 cases"),
        ({"inputs": np.where(np.arange(18).reshape(3, 6) == 7, np.nan, 1.0)}, NonFiniteError, "case 1 holds NaN"),
        ({"inputs": np.full((3, 6), "a")}, DtypeError, "expected real numbers"),
        ({"inputs": np.array([{}] * 3, dtype=object)}, DataError, "plain arrays"),
        ({"inputs.x": np.arange(6.0) ** 2}, DataError, "equally spaced"),
        ({"inputs.x": np.arange(6.0)[::-1]}, DataError, "rising"),
        ({"inputs.x": None}, DataError, "no coordinates"),
        ({"inputs.unit": "kW/m"}, DataError, "kW/m, expected W/m"),
        ({"outputs.x.unit": "cm"}, DataError, "m and outputs over cm"),
    ],
)
def test_bad_arrays_are_named(given, changes, error, message):
    with pytest.raises(error, match=message):
        UserArrays(given(**changes), input_unit="W/m").read()


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match="set file="):
        UserArrays().read()
    with pytest.raises(FileNotFoundError, match="nearest"):
        UserArrays(str(tmp_path / "none.npz")).read()
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match="cannot be read"):
        UserArrays(str(tmp_path / "text.npz")).read()
