"""Marching in time against exact solutions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from pdekit.problems import Heat
from torch import Tensor

from pdekit.conditions import Condition, Dirichlet, Initial, Neumann
from pdekit.discretise import Data, space_grid
from pdekit.domain import Box, Interval
from pdekit.errors import ConfigError, IllPosedError
from pdekit.evolution import march
from pdekit.problem import Parabolic, faces_of


@dataclass(frozen=True)
class Travelling(Parabolic):
    """du/dt - ((1 + x/2) u')' = f on (0, 1) x (0, 1), u = cos(2 x - t): value given left, flux right, both in time."""

    slope: float = 0.5

    @property
    def domain(self) -> Box:
        return Interval(0.0, 1.0).with_time(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet("left", self.exact), Neumann("right", self._flux), Initial(self.exact))

    def _flux(self, x: Tensor) -> Tensor:
        return -2 * self.diffusion(x) * torch.sin(2 * x[:, :1] - x[:, 1:])

    def diffusion(self, x: Tensor) -> Tensor:
        return 1 + self.slope * x[:, :1]

    def source(self, x: Tensor) -> Tensor:
        sine = torch.sin(2 * x[:, :1] - x[:, 1:])
        return sine + 2 * self.slope * sine + 4 * self.diffusion(x) * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        return torch.cos(2 * x[:, :1] - x[:, 1:])


@dataclass(frozen=True)
class Pinned(Travelling):
    """The same with values given at both ends and A = 1: marched by sine transforms."""

    slope: float = 0.0

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet("boundary", self.exact), Initial(self.exact))


def at(problem, grid, time):
    space = torch.from_numpy(grid.points())
    x = torch.cat([space, torch.full((len(space), 1), time, dtype=torch.float64)], dim=1)
    return problem.exact(x).numpy().reshape(grid.shape)


def final_error(problem, points, order=2, steps=None):
    grid = space_grid(problem, points)
    values = march(problem, grid, np.linspace(0.0, 1.0, (steps or points - 1) + 1), order)
    return float(np.abs(values[..., -1] - at(problem, grid, 1.0)).max())


@pytest.mark.parametrize(
    ("problem", "cap"), [(Travelling(), 3e-4), (Pinned(), 6e-5), (Heat(1), 1e-4), (Heat(2), 2e-4)], ids=str
)
def test_second_order_on_every_pair_of_grids(problem, cap):
    errors = [final_error(problem, n) for n in (17, 33, 65)]
    rates = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(1.8 < rate < 2.3 for rate in rates), rates
    assert errors[-1] < cap


def test_fourth_order_in_space():
    errors = [final_error(Heat(1), n, order=4, steps=240) for n in (33, 65)]
    assert math.log2(errors[0] / errors[1]) > 3.5


def test_initial_values_that_jump_at_the_boundary_do_not_ring():
    """Without the first two damped steps Crank-Nicolson would carry the jump on as a sawtooth."""
    problem = Heat(1, diffusivity=1.0)
    grid = space_grid(problem, 65)
    data = Data(problem.source, faces_of(problem), 1.0)
    values = march(problem, grid, np.linspace(0.0, 0.1, 21), data=data)[..., -1]
    series = sum(
        4 / (k * math.pi) * np.exp(-((k * math.pi) ** 2) * 0.1) * np.sin(k * math.pi * grid.axes[0]) for k in (1, 3, 5)
    )
    assert np.abs(values - series).max() < 5e-3
    assert (np.diff(values[:33]) > 0).all()


def test_data_replace_the_problem_s_own():
    problem = Pinned()
    grid, times = space_grid(problem, 9), np.linspace(0.0, 1.0, 5)
    data = Data(
        lambda x: 0.0 * x[:, :1], {"left": Dirichlet("left"), "right": Dirichlet("right", 2.0)}, lambda x: 2 * x[:, :1]
    )
    assert march(problem, grid, times, data=data)[..., -1] == pytest.approx(2.0 * grid.axes[0], abs=1e-12)


def test_values_are_returned_for_every_time_and_start_with_the_initial_ones():
    problem = Heat(2)
    grid = space_grid(problem, 9)
    values = march(problem, grid, np.linspace(0.0, 1.0, 4))
    assert values.shape == (9, 9, 4)
    assert (values[..., 0] == at(problem, grid, 0.0)).all()


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.5, 0.6], [1.0, 0.5, 0.0], [0.0, 0.0]], ids=str)
def test_times_that_cannot_be_marched_are_refused(times):
    with pytest.raises(ConfigError, match="equally spaced"):
        march(Heat(), space_grid(Heat(), 9), np.array(times))


def test_a_problem_without_initial_values_is_refused():
    @dataclass(frozen=True)
    class NoStart(Pinned):
        @property
        def conditions(self) -> tuple[Condition, ...]:
            return (Dirichlet("boundary", self.exact),)

    with pytest.raises(IllPosedError, match="initial values"):
        march(NoStart(), space_grid(NoStart(), 9), np.linspace(0.0, 1.0, 3))
