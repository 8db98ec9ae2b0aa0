"""Named solvers as a problem suggests them."""

from __future__ import annotations

import json

import pytest
from pdekit.solvers import Enforcement, Hybrid, StrongForm

from pdekit import config, problems, solvers
from pdekit.cli import main

POROUS = problems.PoissonPorous()
SINE = problems.PoissonSine()


def test_around_holes_multiscale_networks_learn_the_strong_residual_with_soft_conditions():
    found = solvers.solver("mscale", POROUS)
    assert isinstance(found.formulation, StrongForm) and found.conditions is Enforcement.SOFT
    found.require(POROUS)


@pytest.mark.parametrize("name", solvers.names())
def test_on_boxes_and_without_a_problem_names_mean_the_default(name):
    assert solvers.solver(name, SINE) == solvers.solver(name) == solvers.SOLVERS[name]()


def test_names_inside_a_configuration_mean_what_suits_the_problem():
    options = {"first": "mscale", "then": "coarse"}
    found = config.with_options(solvers.hybrid(), options, problem=POROUS)
    assert found == Hybrid(first=solvers.solver("mscale", POROUS), then=solvers.CoarseSolve())
    assert config.with_options(solvers.hybrid(), options).first == solvers.mscale()


def test_tables_change_what_suits_the_problem():
    table = {"name": "mscale", "network": {"width": 12}}
    found = config.solver_from_table(table, POROUS)
    assert found.network.width == 12 and found.network.depth == 1
    assert config.solver_from_table(table).network.depth == solvers.mscale().network.depth == 2


def test_the_command_solves_by_what_suits_the_problem(capsys, tmp_path):
    argv = "solve poisson-porous --solver mscale --set network.width=6 --set collocation.points=200 --steps 2 --quiet"
    main([*argv.split(), "--json", "--out", str(tmp_path / "run")])
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    assert 'kind = "StrongForm"' in (tmp_path / "run" / "config.toml").read_text()
