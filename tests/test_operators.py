"""Operators: learning, errors, costs, reach, single cases, storage, resuming, refusals; on a matrix that is learnt in no time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from operator_cases import dense
from pdekit.problems import AdvectionFamily, Antiderivative, DarcyFamily, PoissonFamily, UserArrays
from pdekit.solvers import Cases, Labels

import pdekit
from pdekit.dataset import Dataset
from pdekit.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DtypeError,
    NonFiniteError,
    NotApplicableError,
    ProblemError,
    ProblemMismatchError,
    ReachWarning,
    ShapeError,
)
from pdekit.operators import Reach, Source, Split
from pdekit.operators.accuracy import CaseErrors
from pdekit.operators.costs import Costs
from pdekit.quantity import Axis, Quantity
from pdekit.recipe import Budget
from pdekit.rundir import RunDirectory
from pdekit.solution import Status

FAMILY = Antiderivative(points=20)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


def learnt(folder, solver=None, family=FAMILY, **options):
    return pdekit.learn(family, solver or dense(), folder=folder, jobs=1, **options)


@pytest.fixture(scope="module")
def operator(folder):
    return learnt(folder)


def sine(x):
    return np.cos(3 * x[:, 0])


# Learning ------------------------------------------------------------------------------------------------------------


def test_a_linear_map_is_learnt_by_a_matrix(operator):
    # 8.9e-3 at most over 10 seeds
    assert operator.scores.test.mean < 0.02 < 0.5 < operator.scores.mean_predictor
    assert operator.success and operator.status is Status.FINISHED
    assert operator.scores.train < operator.scores.test.mean * 2
    assert operator.train_cases == 60 and operator.parameters == 400


def test_errors_are_those_of_the_predictions(operator, folder):
    test = Source(folder, 1).test(FAMILY, dense().cases)
    errors = FAMILY.output.relative_errors(operator.predict(test.inputs), test.outputs)
    scores = operator.scores.test
    assert np.allclose(errors, scores.each, rtol=1e-5)
    assert scores.mean == pytest.approx(errors.mean(), rel=1e-5)
    assert (scores.median, scores.worst) == pytest.approx((np.median(errors), errors.max()), rel=1e-5)
    assert errors[scores.worst_case] == errors.max()


def test_bands_of_a_test_set_sum_to_its_error():
    quantity = Quantity((Axis("x", 64, periodic=True), Axis("t", 17)))
    rng = np.random.default_rng(3)
    reference, predicted = (rng.normal(size=(4, *quantity.shape)) for _ in range(2))
    errors = CaseErrors.of((64,), quantity, predicted, reference)
    size = quantity.norms(predicted - reference) ** 2
    assert errors.bands.error_energy.sum() == pytest.approx(size.sum())


def test_a_wave_lies_in_its_own_band():
    quantity = Quantity((Axis("x", 64, periodic=True),))
    x = quantity.axes[0].coordinates
    reference = (np.sin(2 * np.pi * x) + np.sin(20 * np.pi * x))[None, :, None]
    predicted = (0.9 * np.sin(2 * np.pi * x) + 0.5 * np.sin(20 * np.pi * x))[None, :, None]
    bands = CaseErrors.of((64,), quantity, predicted, reference).bands
    found = {label: e for label, e in zip(bands.labels, bands.relative, strict=True) if e > 1e-6}
    assert list(found.values()) == pytest.approx([0.1, 0.5])


def test_history_holds_errors_by_frequency(operator):
    columns = operator.history.columns
    assert "labels" in columns and "rel_l2" in columns and any(name.startswith("band[") for name in columns)
    assert operator.history["rel_l2"][-1] == pytest.approx(operator.scores.test.mean, rel=1e-5)


def test_the_same_seed_gives_the_same_operator_and_another_another(operator, folder):
    inputs = np.random.default_rng(1).normal(size=(3, 20))
    with pytest.warns(ReachWarning):
        first, again, other = (o.predict(inputs) for o in (operator, learnt(folder), learnt(folder, seed=1)))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_tolerance_decides_over_success(folder):
    few = dense(steps=1)
    assert learnt(folder, rtol=0.5).status is Status.CONVERGED
    assert learnt(folder, rtol=1e-9).status is Status.NOT_CONVERGED
    worthless = learnt(folder, replace(few, losses=(Labels(weight=1e-3),)))
    assert worthless.scores.test.mean > 0.5
    exhausted = learnt(folder, rtol=1e-9, budget=Budget(steps=50))
    assert exhausted.status is Status.BUDGET and exhausted.steps == 50


def test_an_operator_no_better_than_the_mean_is_not_trusted(folder):
    # the outputs' mean is nearly zero, so one step with a huge rate is worse
    from pdekit.solvers import Training

    from pdekit.optim import Adam

    worse = dense(training=Training(steps=1, optimizer=Adam(10.0), polish=0, record_every=1))
    operator = learnt(folder, worse)
    assert operator.status is Status.UNTRUSTED and not operator.success
    assert "no better than the mean output" in operator.message


def test_test_cases_are_never_training_cases(folder):
    cases = Cases(train=30, test=10, data_seed=4)
    split = Source(folder, 1).split(FAMILY, cases, labelled=True)
    together = np.concatenate([split.inputs, split.test.inputs])
    assert len(np.unique(together, axis=0)) == 40
    assert cases.train_seed != cases.test_seed
    everywhere_alike = DarcyFamily(points=5, modes=1)  # two draws, one function: no reason to refuse
    inputs = everywhere_alike.sample(40, torch.Generator().manual_seed(0)).numpy().reshape(40, -1)
    assert len(np.unique(inputs, axis=0)) < 40
    learn_from = Cases(train=30, test=10)
    assert len(Source(folder, 1).split(everywhere_alike, learn_from, labelled=True).inputs) == 30
    with pytest.raises(DataError, match="training case 2 as case 0"):
        Split.of(
            *(
                Dataset(split.inputs[at], split.outputs[at], FAMILY.input, FAMILY.output)
                for at in (slice(9), slice(2, 4))
            )
        )


def test_unlabelled_training_cases_are_the_labelled_ones_without_outputs(folder):
    cases = Cases(train=12, test=5)
    with_labels, without = (Source(folder, 1).split(FAMILY, cases, labelled=flag) for flag in (True, False))
    assert without.outputs is None and np.array_equal(with_labels.inputs, without.inputs)


def test_the_users_own_arrays_are_split_and_learnt(tmp_path):
    x = np.linspace(0, 1, 12)
    inputs = np.random.default_rng(5).normal(size=(50, 12))
    file = tmp_path / "mine.npz"
    np.savez(file, inputs=inputs, outputs=np.cumsum(inputs, axis=1), **{"inputs.x": x, "outputs.x": x})
    operator = pdekit.learn(UserArrays(str(file)), dense(cases=Cases(train=1000, test=10)))
    assert operator.train_cases == 40 and len(operator.scores.test.each) == 10
    assert operator.costs.classical is None and operator.costs.break_even is None
    assert operator.scores.test.mean < 0.3 < operator.scores.mean_predictor
    with pytest.raises(NotApplicableError, match="use predict"):
        operator(sine)
    with pytest.raises(ConfigError, match="50 cases, expected more than the 50 to test on"):
        pdekit.learn(UserArrays(str(file)), dense(cases=Cases(test=50)))


def test_break_even():
    assert Costs(data=5.0, train=15.0, case=0.5, classical=2.5).break_even == 11
    assert Costs(5.0, 15.0, 2.5, 0.5).break_even is None
    assert Costs(5.0, 15.0, 2.5).break_even is None


def test_costs_are_measured(operator):
    costs = operator.costs
    assert 0 < costs.case < 0.1 and 0 < costs.classical < 0.1 and costs.train > 0 and costs.data > 0


# Reach ---------------------------------------------------------------------------------------------------------------


def test_reach_is_about_one_inside_and_counts_both_kinds_of_strangeness():
    rng = np.random.default_rng(7)
    directions = np.linalg.qr(rng.normal(size=(30, 5)))[0].T
    draw = lambda n: rng.normal(size=(n, 5)) * [3, 2, 1, 1, 1] @ directions + 10 + 0.05 * rng.normal(size=(n, 30))
    reach = Reach.of(draw(500))
    inside = reach.distances(draw(400))
    assert 0.8 < inside.mean() < 1.2 and reach.far(inside).mean() < 0.01
    assert reach.quantile == pytest.approx(np.quantile(reach.distances(draw(4000)), 0.99), rel=0.15)
    large, strange = 10 + 10 * (draw(1) - 10), draw(1) + 3 * np.cos(np.pi * np.arange(30))
    assert reach.far(reach.distances(large)).all() and reach.far(reach.distances(strange)).all()


def test_inputs_all_alike_have_a_reach():
    reach = Reach.of(np.full((5, 8), 2.0))
    assert reach.distances(np.full((1, 8), 2.0)) < 1 and reach.far(reach.distances(np.zeros((1, 8)))).all()


def test_inputs_far_outside_are_told_with_their_distance(operator):
    far = 100 * FAMILY.sample(3, torch.Generator().manual_seed(8)).numpy()
    distances = operator.distances(far)
    with pytest.warns(ReachWarning, match=f"3 of 3 inputs .* distance of {distances.max():.3g}"):
        operator.predict(far)


# Single cases --------------------------------------------------------------------------------------------------------


def test_one_case_is_a_solution_with_errors_bands_and_trust(operator):
    solution = operator(sine)
    x = np.linspace(0, 1, 7)[:, None]
    assert np.abs(solution(x)[:, 0] - np.sin(3 * x[:, 0]) / 3).max() < 0.02
    assert solution.measures.rel_l2 < 0.05 and solution.bands is not None
    assert "distance" in solution.message and solution.trust.boundary_violation is not None
    classical = operator.classical(sine)
    assert classical.measures.rel_l2 < 1e-4 and classical.solver == "classical"
    values = sine(FAMILY.input.points())
    assert np.array_equal(operator(values)(x), solution(x))


def test_one_case_of_a_periodic_family_closes_the_period(folder):
    family = AdvectionFamily(points=16, times=5, modes=3)
    operator = learnt(folder, dense(), family)
    solution = operator(lambda x: np.sin(2 * np.pi * x[:, 0]))
    ends = solution(np.array([[0.0, 0.3], [1.0, 0.3]]))
    assert ends[0, 0] == pytest.approx(ends[1, 0], abs=1e-12)


def test_outputs_at_one_time_are_no_solution_of_the_problem(folder):
    family = AdvectionFamily(points=16, modes=3)
    operator = learnt(folder, dense(), family)
    assert operator.predict(np.zeros((2, 16))).shape == (2, 16, 1)
    with pytest.raises(NotApplicableError, match="set times=33, or use predict"):
        operator(np.zeros(16))


# Storage -------------------------------------------------------------------------------------------------------------

FRESH = """
import sys
import numpy as np
import torch
sys.path.insert(0, sys.argv[1])
from operator_cases import dense
import pdekit
torch.set_num_threads(1)
operator = pdekit.load_operator(sys.argv[2], solver=dense())
np.save(sys.argv[4], operator.predict(np.load(sys.argv[3])))
"""


def test_a_fresh_process_predicts_the_same_bits(operator, tmp_path):
    inputs = FAMILY.sample(4, torch.Generator().manual_seed(9)).numpy()
    np.save(tmp_path / "in.npy", inputs)
    operator.save(tmp_path / "run")
    arguments = [str(Path(__file__).parent), *(str(tmp_path / name) for name in ("run", "in.npy", "out.npy"))]
    subprocess.run([sys.executable, "-c", FRESH, *arguments], check=True)
    assert np.array_equal(np.load(tmp_path / "out.npy"), operator.predict(inputs))


def test_everything_comes_back_from_a_run(operator, tmp_path):
    operator.save(tmp_path / "run")
    back = pdekit.load_operator(tmp_path / "run", solver=dense())
    assert back.to_dict() == operator.to_dict() and str(back) == str(operator)
    assert np.array_equal(back.scores.test.each, operator.scores.test.each)
    assert np.array_equal(back.examples.predicted, operator.examples.predicted)
    assert back.history.columns == operator.history.columns
    json.dumps(back.to_dict(), allow_nan=False)


def test_an_interrupted_training_resumes_bit_for_bit(operator, folder, tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        learnt(folder, run=run, budget=Budget(steps=130))
        resumed = learnt(folder, run=run, resume=True)
    for name, tensor in operator.predictor.network.state_dict().items():
        assert torch.equal(tensor, resumed.predictor.network.state_dict()[name])
    assert resumed.steps == 300
    assert np.array_equal(resumed.history["rel_l2"], operator.history["rel_l2"])
    assert pdekit.load_operator(tmp_path / "run", solver=dense()).scores.test.mean == operator.scores.test.mean


def test_another_family_is_not_resumed(folder, tmp_path):
    with RunDirectory.create(tmp_path / "run") as run:
        learnt(folder, run=run, budget=Budget(steps=10))
        with pytest.raises(ProblemMismatchError, match="length_scale"):
            learnt(folder, family=Antiderivative(points=20, length_scale=0.3), run=run, resume=True)


def test_damage_and_mix_ups_are_noticed(operator, tmp_path):
    place = operator.save(tmp_path / "run")
    with pytest.raises(ProblemError, match="load_operator"):
        pdekit.load(place)
    with pytest.raises(ProblemMismatchError, match="points"):
        pdekit.load_operator(place, Antiderivative(points=21), dense())
    for name in ("weights.safetensors", "cases.npz", "config.toml", "result.json"):
        content = bytearray((place / name).read_bytes())
        content[len(content) // 2] ^= 1
        whole = (place / name).read_bytes()
        (place / name).write_bytes(content)
        with pytest.raises((CheckpointError, ProblemError)):
            pdekit.load_operator(place, solver=dense())
        (place / name).write_bytes(whole)
    pdekit.load_operator(place, solver=dense())


# Refusals ------------------------------------------------------------------------------------------------------------


def test_wrong_inputs_are_refused(operator):
    good = np.zeros((3, 20))
    with pytest.raises(ShapeError, match=r"dense: got inputs on 21 points, expected 20, as trained on"):
        operator.predict(np.zeros((3, 21)))
    with pytest.raises(ShapeError, match=r"got shape \(20,\)"):
        operator.predict(good[0])
    with pytest.raises(ShapeError, match=r"got shape \(3, 20, 2\)"):
        operator.predict(np.zeros((3, 20, 2)))
    with pytest.raises(DtypeError, match="real numbers"):
        operator.predict(good + 1j)
    bad = good.copy()
    bad[1, 4] = np.nan
    with pytest.raises(NonFiniteError, match="case 1 holds NaN"):
        operator.predict(bad)
    with pytest.raises(ShapeError, match="20 rows, one for each point"):
        operator(lambda x: np.zeros(3))
    assert operator.predict(np.zeros((0, 20))).shape == (0, 20, 1)


def own_split(train=5, test=2, points=20):
    inputs = np.random.default_rng(2).normal(size=(train + test, points))
    quantity = Quantity((Axis("x", points),), ("f",))
    return Split.of(
        Dataset(inputs[:train], inputs[:train], quantity, quantity),
        Dataset(inputs[train:], inputs[train:], quantity, quantity),
    )


def test_data_that_do_not_fit_are_refused_before_the_first_step(tmp_path):
    few = dense(batch=5)
    with pytest.raises(ShapeError, match="training inputs: got shape"):
        pdekit.learn(FAMILY, few, data=own_split(points=21))
    good = own_split()
    with pytest.raises(ShapeError, match="5 training inputs and 4 outputs"):
        pdekit.learn(FAMILY, few, data=replace(good, outputs=good.outputs[:4]))
    bad = good.inputs.copy()
    bad[3, 0] = np.inf
    with pytest.raises(NonFiniteError, match="training inputs: case 3"):
        pdekit.learn(FAMILY, few, data=replace(good, inputs=bad))
    with pytest.raises(ConfigError, match="0 cases"):
        replace(good, inputs=good.inputs[:0])
    with pytest.raises(ConfigError, match="got 20 cases per step of 5"):
        pdekit.learn(FAMILY, dense(), data=good)


def test_impossible_configurations_are_refused():
    with pytest.raises(ConfigError, match="train: got 0"):
        Cases(train=0)
    with pytest.raises(ConfigError, match="resolutions"):
        Cases(resolutions=(2,))
    with pytest.raises(ConfigError, match="expected at least one, each once"):
        dense(losses=())
    with pytest.raises(ConfigError, match="each once"):
        dense(losses=(Labels(), Labels(weight=2.0)))
    with pytest.raises(ConfigError, match="polish=0 or batch=none"):
        dense(training=replace(dense().training, polish=10))
    with pytest.raises(ConfigError, match="Labels: weight"):
        Labels(weight=-1.0)
    with pytest.raises(NotApplicableError, match="hard conditions need outputs that vanish"):
        from pdekit.solvers import Enforcement

        pdekit.learn(AdvectionFamily(points=16), dense(conditions=Enforcement.HARD))
    with pytest.raises(ConfigError, match="seed"):
        pdekit.learn(FAMILY, dense(), seed=-1)


def test_hard_conditions_vanish_where_the_outputs_do():
    from pdekit.solvers import Enforcement

    solver = dense(conditions=Enforcement.HARD)
    x = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64)
    assert (solver._factor(Antiderivative())(x)[:, 0] == 0).tolist() == [True, False, False]
    assert (solver._factor(PoissonFamily())(x)[:, 0] == 0).tolist() == [True, False, True]
