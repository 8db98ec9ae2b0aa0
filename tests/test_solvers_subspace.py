"""Subspace decomposition: the orthogonality term, its residual blocks, and the parts of a solution."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from fakes import solved
from pdekit.problems import PoissonND
from pdekit.solvers import Orthogonal, Ritz
from solver_cases import LINE, TINY_PARTS, prepared

import pdekit
from pdekit.errors import ConfigError, NotApplicableError
from pdekit.nn import MLP
from pdekit.parts import band_edges, field_parts, own_shares
from pdekit.plot_parts import plot_parts
from pdekit.recipe import system_of


def test_the_term_is_the_squared_cosine_between_the_parts() -> None:
    task, batch = prepared(LINE, TINY_PARTS)
    x, w = batch["interior.x"], batch["interior.weight"]
    smooth, rapid = (part.function(x)[:, 0] for part in pdekit.nn.parts_of(task.ansatz.function).values())
    cosine = (w * smooth * rapid).sum() / ((w * smooth**2).sum() * (w * rapid**2).sum()).sqrt()
    term = task.objective.losses("u", batch)["orthogonality"]
    torch.testing.assert_close(term, cosine**2)
    system = system_of(task.objective, "u", batch, task.weights)
    assert system.least_squares is False  # an energy; the rest of it is tested with Ritz


def test_a_network_without_parts_has_no_term() -> None:
    task, batch = prepared(LINE, dataclasses.replace(TINY_PARTS, network=MLP(6, 1)))
    assert float(task.objective.losses("u", batch)["orthogonality"]) == 0


def test_weights_and_bad_weights() -> None:
    assert Orthogonal(Ritz(7.0), 0.5).weights(LINE.conditions)["orthogonality"] == 0.5
    with pytest.raises(ConfigError, match="Orthogonal"):
        Orthogonal(Ritz(), weight=-1.0)


def test_parts_of_a_solution_sum_to_it_and_survive_a_file(tmp_path) -> None:
    found = pdekit.solve(LINE, TINY_PARTS, seed=3)
    back = pdekit.load(found.save(tmp_path / "run"))
    x = np.linspace(0, 1, 17)[:, None]
    assert list(found.parts) == list(back.parts) == ["smooth", "oscillating1"]
    for name, part in found.parts.items():
        assert (back.parts[name](x) == part(x)).all()
    np.testing.assert_allclose(sum(part(x) for part in found.parts.values()), found(x), atol=1e-12)
    parts = field_parts(found.field, LINE.domain)
    assert [part.wavenumber for part in parts.values()] == [2.0, 12.0]  # scales 1 and 6 over half the domain, 1/2
    assert band_edges(parts) == pytest.approx((0.0, 24**0.5, np.inf))
    assert own_shares(parts, LINE.domain)["smooth"] > 0.9
    assert len(plot_parts(found).axes) == 2


def test_solutions_without_parts_have_none_to_draw() -> None:
    plain = solved(PoissonND(1).domain)
    assert plain.parts == {}
    with pytest.raises(NotApplicableError, match="plot_parts"):
        plot_parts(plain)
