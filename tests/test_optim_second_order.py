"""Levenberg-Marquardt and natural gradients: linear systems, convergence, refusals, memory."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import subprocess
import sys

import pytest
import torch
from pdekit.solvers import TRAININGS, Enforcement, Neural, Polisher, Training, deep_ritz, pinn, wan
from solver_cases import ADVERSARY, LINE, tiny
from torch import nn
from train_cases import Fit
from train_cases import network as train_network

from pdekit.errors import ConfigError, MemoryBudgetError, NotApplicableError
from pdekit.nn import Polynomial
from pdekit.optim import SOAP, Adam, Block, Constant, Form, LevenbergMarquardt, NaturalGradient, Size, System
from pdekit.optim.normal_equations import NormalEquations, bytes_needed, gram
from pdekit.recipe import Phase, Turn
from pdekit.solver import Setting
from pdekit.train import train

SHAPES = [(9, 4), (4, 9), (6, 6)]


def matrix(m: int, n: int, seed: int = 5) -> torch.Tensor:
    return torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(m: int = 12, n: int = 5) -> tuple[nn.Module, System]:
    """r = A w - b for the weights w of a linear layer."""
    layer = nn.Linear(n, 1, bias=False, dtype=torch.float64)
    a, b = matrix(m, n), matrix(m, 1, 6)
    block = Block("fit", m, lambda module: module(a) - b)
    return layer, System(layer, [block], {"fit": 1.0}, lambda: (layer(a) - b).square().sum(), least_squares=True)


# Linear systems ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 8, 33])
def test_gram(k):
    a = matrix(k, 7)
    assert torch.allclose(torch.tril(gram(a)), torch.tril(a @ a.T), rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", Form, ids=str)
def test_both_forms_solve_the_damped_system(shape, form):
    jacobian, residual, right = matrix(*shape), matrix(shape[0], 1)[:, 0], matrix(shape[1], 1, 8)[:, 0]
    equations = NormalEquations(jacobian, form)
    assert equations.scale == pytest.approx(float(jacobian.square().sum() / shape[1]))
    for damping in (1e-1, 1e-4):
        assert equations.factorise(damping)
        damped = jacobian.T @ jacobian + damping * torch.eye(shape[1], dtype=torch.float64)
        expected = torch.linalg.solve(damped, torch.stack([right, jacobian.T @ residual], 1))
        assert torch.allclose(equations.solve(right), expected[:, 0], rtol=1e-8, atol=1e-9)
        assert torch.allclose(equations.solve_residual(residual), expected[:, 1], rtol=1e-8, atol=1e-9)


def test_an_indefinite_matrix_is_noticed():
    equations = NormalEquations(torch.zeros(3, 3, dtype=torch.float64))
    assert not equations.factorise(0.0)
    assert equations.factorise(1.0)


def test_the_cheaper_form_is_chosen():
    assert Form.AUTO.chosen(Size(100, 50, 0)) is Form.DENSE
    assert Form.AUTO.chosen(Size(50, 100, 0)) is Form.WOODBURY
    assert Form.WOODBURY.chosen(Size(100, 50, 0)) is Form.WOODBURY


# Convergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [LevenbergMarquardt(), LevenbergMarquardt(geodesic=False), NaturalGradient()])
@pytest.mark.parametrize("form", Form, ids=str)
@pytest.mark.parametrize("shape", [(12, 5), (5, 12)])
def test_linear_least_squares(optimizer, form, shape):
    """The damping shrinks by a third at least per iteration: thirty end it at 1e-2 / 3^30 of the scale."""
    layer, system = linear(*shape)
    stepper = dataclasses.replace(optimizer, form=form).build(list(layer.parameters()))
    best = float(torch.linalg.lstsq(matrix(*shape), matrix(shape[0], 1, 6), driver="gelsd").residuals.sum() or 0.0)
    for _ in range(30):
        loss = stepper.iterate(system)
        if stepper.end_reason is not None:
            break
    assert system.loss() == pytest.approx(loss, rel=1e-12, abs=1e-25)
    assert loss == pytest.approx(best, rel=1e-10, abs=1e-18)


def trained(solver: Neural, seed: int) -> float:
    """Relative L2 error on the unit interval."""
    solution = solver.run(LINE, Setting(seed=seed))
    x = torch.linspace(0.0, 1.0, 501, dtype=torch.float64)[:, None]
    exact = LINE.exact(x)
    return float((solution.field(x) - exact).norm() / exact.norm())


@pytest.mark.parametrize(
    ("solver", "largest"),
    [
        (dataclasses.replace(tiny(pinn()), training=Training(40, LevenbergMarquardt(), polish=0)), 1e-5),
        (
            dataclasses.replace(
                tiny(pinn()), training=Training(40, Adam(1e-2), polish=40, polisher=Polisher.LEVENBERG_MARQUARDT)
            ),
            1e-5,
        ),
        (dataclasses.replace(tiny(deep_ritz()), training=Training(40, NaturalGradient(), Constant(), polish=0)), 1e-5),
        (
            dataclasses.replace(
                tiny(pinn()), training=Training(40, Adam(1e-2), polish=300, polisher=Polisher.SELF_SCALED_BROYDEN)
            ),
            1e-5,
        ),
    ],
    ids=["levenberg-marquardt", "adam first", "natural gradient", "broyden"],
)
def test_accuracy_in_one_dimension(solver, largest):
    assert trained(solver, 3) < largest


def test_natural_gradient_of_an_energy_is_newton_for_linear_ansatz():
    """A quadratic energy of a polynomial: one undamped step is exact."""
    solver = dataclasses.replace(
        deep_ritz(),
        network=Polynomial(12),
        training=Training(12, NaturalGradient(damping=1e-12), polish=0, record_every=1),
    )
    assert trained(solver, 3) < 1e-9


@pytest.mark.slow
def test_momentum_helps_with_few_points():
    """Ten new points per step: the same steps and points with and without what earlier ones have shown."""
    errors = {}
    for momentum in (0.0, 0.9):
        solver = tiny(pinn(), points=10)
        optimizer = NaturalGradient(momentum=momentum, form=Form.WOODBURY, smallest=1e-4)
        solver = dataclasses.replace(
            solver,
            collocation=dataclasses.replace(solver.collocation, resample_every=1),
            training=Training(150, optimizer, Constant(), polish=0, record_every=10),
            conditions=Enforcement.HARD,
        )
        errors[momentum] = math.exp(sum(math.log(trained(solver, seed)) for seed in range(4)) / 4)
    assert errors[0.9] < errors[0.0]


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "words"),
    [
        (tiny(wan(), formulation=ADVERSARY), "its loss shows no residuals, expected least squares or an energy"),
        (tiny(deep_ritz()), "got an energy, expected a sum of squares"),
    ],
    ids=["saddle point", "energy"],
)
def test_not_applicable(solver, words):
    solver = dataclasses.replace(solver, training=Training(5, LevenbergMarquardt(), polish=0))
    with pytest.raises(NotApplicableError, match=words):
        solver.run(LINE, Setting(seed=0))


@pytest.mark.parametrize("optimizer", [LevenbergMarquardt(memory_limit=1000), NaturalGradient(memory_limit=1000)])
def test_memory_is_refused_before_the_first_step(optimizer):
    solver = dataclasses.replace(tiny(pinn()), training=Training(5, Adam(), polish=0))
    prepared = solver.prepare(LINE, Setting(seed=0))
    phases = (*prepared.phases, Phase((Turn("u", optimizer),), 5))
    before = [p.detach().clone() for p in prepared.ansatz.parameters()]
    with pytest.raises(MemoryBudgetError, match=r"need \d+ bytes, the limit is 1000"):
        train(prepared.objective, phases, generator=prepared.generator, weights=prepared.weights)
    assert all(torch.equal(p, q) for p, q in zip(before, prepared.ansatz.parameters(), strict=True))


def test_blocks_that_are_not_the_loss_are_refused():
    class Wrong(Fit):
        def blocks(self, player, batch):
            return [super().blocks(player, batch)[0]]

    with pytest.raises(ConfigError, match="squares of its residuals sum to"):
        train(Wrong(), (Phase((Turn("u", LevenbergMarquardt()),), 3),), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", [LevenbergMarquardt, NaturalGradient])
@pytest.mark.parametrize("key", ["damping", "smallest", "memory_limit"])
@pytest.mark.parametrize("value", [0, -1, math.nan, "1"])
def test_bad_settings(kind, key, value):
    with pytest.raises(ConfigError, match=key):
        kind(**{key: value})


def test_a_nonfinite_loss_is_reported_not_followed():
    layer, _ = linear()
    a = matrix(12, 5)
    poison = System(
        layer, [Block("fit", 12, lambda m: m(a) * math.nan)], {"fit": 1.0}, lambda: layer(a).sum(), least_squares=True
    )
    assert math.isnan(LevenbergMarquardt().build(list(layer.parameters())).iterate(poison))


def test_the_shell_knows_the_recipes():
    from pdekit.config import with_options

    for name, made in TRAININGS.items():
        assert with_options(pinn(), {"training": name}).training == made()
    chosen = with_options(
        pinn(), {"optimizer": "levenberg-marquardt", "geodesic": "false", "polisher": "self-scaled-broyden"}
    )
    assert chosen.training.optimizer == LevenbergMarquardt(geodesic=False)
    assert chosen.training.polisher is Polisher.SELF_SCALED_BROYDEN


# SOAP -------------------------------------------------------------------------------------------------------------


def descended(steps: int, halfway: bool) -> list[torch.Tensor]:
    """Weights after steps of SOAP on a sine, with a fresh stepper that takes over the state halfway if asked."""
    network, x = train_network(7), torch.linspace(-1.0, 1.0, 30, dtype=torch.float64)[:, None]
    stepper = SOAP(precondition_frequency=3).build(list(network.parameters()))
    for step in range(steps):
        if halfway and 2 * step == steps:
            state = copy.deepcopy(stepper.state_dict())
            stepper = SOAP(precondition_frequency=3).build(list(network.parameters()))
            stepper.load_state_dict(state)
        network.zero_grad()
        (network(x) - torch.sin(3.0 * x)).square().mean().backward()
        stepper.step()
    return [p.detach() for p in network.parameters()]


def test_soap_goes_on_where_it_was():
    pytest.importorskip("pytorch_optimizer", reason="pip install pdekit[soap]")
    assert all(torch.equal(p, q) for p, q in zip(descended(14, True), descended(14, False), strict=True))


def test_soap_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(NotApplicableError, match=r"pip install pdekit\[soap\]"):
        SOAP().build([nn.Parameter(torch.zeros(2))])
    for arguments in ({"learning_rate": -1.0}, {"betas": (1.0, 0.5)}, {"precondition_frequency": 0}):
        with pytest.raises(ConfigError, match=next(iter(arguments))):
            SOAP(**arguments)


# Memory -----------------------------------------------------------------------------------------------------------

_PROBE = """
import re, sys, torch
torch.set_num_threads(1)
from pdekit.kernels import ForwardKernel, Plan
from pdekit.nn import MLP, Frame
from pdekit.optim import Block, Form, LevenbergMarquardt, System
from pdekit.optim.normal_equations import bytes_needed

def step(n, width, form):
    network = MLP(width, 2).build(Frame((0.0,) * 2, (1.0,) * 2, 1, torch.float64), torch.Generator().manual_seed(0))
    x = torch.rand(n, 2, dtype=torch.float64)
    def residual(module):
        return ForwardKernel()(module, x, Plan(frozenset({()}), (0, 1))).laplacian((0, 1)) - 1.0
    block = Block("pde", n, residual)
    system = System(network, [block], {"pde": 1.0}, lambda: residual(network).square().sum(), least_squares=True)
    LevenbergMarquardt(form=form).build(list(network.parameters())).iterate(system)
    return bytes_needed(system.size(), form)

def kibibytes(key):
    return int(re.search(key + r":\\s*(\\d+)", open("/proc/self/status").read())[1])

for n, width, form in ((5000, 36, Form.DENSE), (1200, 72, Form.WOODBURY)):
    step(10, 4, form)
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    before = kibibytes("VmRSS")
    needed = step(n, width, form)
    print(needed, 1024 * (kibibytes("VmHWM") - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_the_estimate_of_memory_holds():
    """The largest resident size in a process of its own; the allocator may round up by some MiB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    for line in done.stdout.splitlines():
        needed, used = (int(word) for word in line.split())
        assert used <= needed + 16 * 2**20
        assert used >= 0.4 * needed, "an estimate far too high refuses what would fit"


def test_bytes_needed_counts_the_larger_of_both_stages():
    assert bytes_needed(Size(100, 10, 10**9), Form.DENSE) == 10**9
    assert bytes_needed(Size(10, 1000, 0), Form.DENSE) > 4 * 8 * 1000**2
    assert bytes_needed(Size(10, 1000, 0), Form.WOODBURY) < 8 * 1000**2
