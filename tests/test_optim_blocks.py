"""Residual blocks and their Jacobians, against brute force: one reverse pass per row."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from pdekit.problems import CATALOGUE
from pdekit.solvers import Collocation, Enforcement, Neural, Nitsche, Ritz, pinn
from pdekit.solvers.metric import hessian_root
from solver_cases import prepared
from torch import Tensor, nn

from pdekit.kernels import ForwardKernel, Plan, ReverseKernel
from pdekit.kernels.per_point import PerPoint
from pdekit.nn import MLP, Architecture, Frame, HardConstraint, Polynomial, ResNet, Sine
from pdekit.optim import Block, System
from pdekit.recipe import system_of

PLAN = Plan(frozenset({(), (0,), (1,), (0, 1)}), (0, 1))
ROWS = [(), (0,), (1,), (0, 1)]


class Wave(nn.Module):
    """A layer with a parameter of its own and no propagation rule."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor([1.5, 0.5], dtype=torch.float64))
        self.inner = nn.Linear(2, 1, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.inner(x * self.rate))


class Round(nn.Module):
    """Zero on the unit circle."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.0 - (x**2).sum(1, keepdim=True)


class Tied(nn.Module):
    """A layer used twice is a parameter used twice."""

    def __init__(self) -> None:
        super().__init__()
        first, self.last = (nn.Linear(2, 2, dtype=torch.float64) for _ in range(2))
        self.body = nn.Sequential(first, nn.Tanh(), first, nn.Tanh(), self.last)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def built(architecture: Architecture) -> nn.Module:
    g = torch.Generator().manual_seed(2718)
    network = architecture.build(Frame((-1.0,) * 2, (2.0,) * 2, 1, torch.float64), g)
    with torch.no_grad():  # what starts at zero would hide mistakes
        for p in network.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g, dtype=torch.float64))
    return network


NETWORKS = {
    "mlp": lambda: built(MLP(6, 2)),
    "sine": lambda: built(MLP(5, 3, Sine(2.0))),
    "resnet": lambda: built(ResNet(4, 2)),
    "polynomial": lambda: built(Polynomial(3)),
    "hard": lambda: HardConstraint(built(MLP(6, 2)), Round(), Round()),
    "without a rule": Wave,
    "hard without a rule": lambda: HardConstraint(Wave(), Round()),
    "tied": lambda: Tied().body,
}


def derivatives(network: nn.Module, x: Tensor, kernel: ForwardKernel | ReverseKernel) -> Tensor:
    """All planned derivatives of the first component, (n, q)."""
    found = kernel(network, x, PLAN)
    return torch.stack([*(found.partial(axes)[:, 0] for axes in ROWS), found.laplacian((0, 1))[:, 0]], 1)


def by_rows(values: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    """One reverse pass per number."""
    rows = []
    for value in values.reshape(-1):
        parts = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([part.reshape(-1) for part in parts]))
    return torch.stack(rows)


def close(found: Tensor, expected: Tensor, dtype: torch.dtype = torch.float64) -> bool:
    """Equal to round-off: some hundred operations of relative error eps, on the scale of the largest entry."""
    return float((found - expected).abs().max()) <= 200 * torch.finfo(dtype).eps * float(expected.abs().max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_jacobian_of_every_kind_of_network(name, dtype):
    network = NETWORKS[name]().to(dtype)
    kernel = ReverseKernel() if "without" in name else ForwardKernel()
    x = torch.rand(7, 2, generator=torch.Generator().manual_seed(31), dtype=torch.float64).to(dtype)
    block = Block("pde", len(x), lambda module: derivatives(module, x, kernel))
    system = System(network, [block], {"pde": 4.0}, lambda: torch.zeros(()), least_squares=True)
    residual, jacobian = system.jacobian()
    values = derivatives(network, x, kernel)
    assert close(residual, 2.0 * values.reshape(-1).detach(), dtype)
    assert close(jacobian, 2.0 * by_rows(values, list(network.parameters())), dtype)


def test_frozen_parameters_have_no_column():
    network = NETWORKS["mlp"]()
    next(network.parameters()).requires_grad_(False)
    x = torch.rand(3, 2, dtype=torch.float64)
    block = Block("pde", 3, lambda module: derivatives(module, x, ForwardKernel()))
    jacobian = System(network, [block], {"pde": 1.0}, lambda: torch.zeros(()), least_squares=True).jacobian()[1]
    moving = [p for p in network.parameters() if p.requires_grad]
    assert close(jacobian, by_rows(derivatives(network, x, ForwardKernel()), moving))


def test_transform_mixes_rows():
    network, x = NETWORKS["mlp"](), torch.rand(6, 2, dtype=torch.float64)
    mix = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    block = Block(
        "pde",
        6,
        lambda module: derivatives(module, x, ForwardKernel()),
        lambda values: torch.einsum("mnq,nqk->mk", mix, values),
    )
    residual, jacobian = System(network, [block], {"pde": 1.0}, lambda: torch.zeros(()), least_squares=True).jacobian()
    rows = torch.einsum("mnq,nq->m", mix, derivatives(network, x, ForwardKernel()))
    assert close(residual, rows.detach())
    assert close(jacobian, by_rows(rows, list(network.parameters())))


def test_copies_share_what_has_no_parameters():
    network = HardConstraint(built(MLP(6, 2)), Round())
    copied = PerPoint(network, 3)
    assert copied.module.distance is network.distance
    assert [leaf.shape[1:] for leaf in copied.leaves] == [p.shape for p in network.parameters()]
    assert all(
        leaf.untyped_storage().nbytes() < 3 * leaf[0].numel() * 8 for leaf in copied.leaves if leaf[0].numel() > 1
    )


def small(problem: str, conditions: Enforcement) -> Neural:
    return dataclasses.replace(
        pinn(), network=MLP(5, 2), collocation=Collocation(24, boundary_points=12), conditions=conditions
    )


@pytest.mark.parametrize("conditions", Enforcement, ids=str)
@pytest.mark.parametrize("name", ["poisson-sine", "heat", "newton-law", "poisson-nd"])
def test_blocks_of_the_strong_form(name, conditions):
    """Their squares sum to the loss, and twice J^T r is its gradient."""
    problem = CATALOGUE[name]()
    task, batch = prepared(problem, small(name, conditions))
    system = system_of(task.objective, "u", batch, task.weights)
    residual, jacobian = system.jacobian()
    loss, gradient = system.gradient()
    assert float(residual.square().sum()) == pytest.approx(loss, rel=1e-12)
    assert torch.equal(residual, system.residual()) or close(residual, system.residual())
    assert close(2.0 * jacobian.T @ residual, gradient)


@pytest.mark.parametrize("form", [Ritz(), Nitsche()], ids=["ritz", "nitsche"])
def test_metric_of_an_energy(form):
    """For an ansatz linear in its parameters the Hessian of the energy is 2 J^T J; Nitsche's boundary part is indefinite."""
    problem = CATALOGUE["poisson-nd"](2)
    conditions = Enforcement.HARD if form == Ritz() else Enforcement.SOFT
    solver = dataclasses.replace(small("poisson-nd", conditions), network=Polynomial(3), formulation=form)
    task, batch = prepared(problem, solver)
    system = system_of(task.objective, "u", batch, task.weights)
    jacobian = system.jacobian()[1]
    assert not system.least_squares
    gradient = system.gradient()[1]
    parameters = list(task.ansatz.parameters())
    nn.utils.vector_to_parameters(torch.zeros_like(gradient), parameters)
    start = system.gradient()[1]
    columns = []
    for unit in torch.eye(len(gradient), dtype=torch.float64):
        nn.utils.vector_to_parameters(unit, parameters)
        columns.append(system.gradient()[1] - start)
    hessian, metric = torch.stack(columns), 2.0 * jacobian.T @ jacobian
    if form == Ritz():
        assert close(metric, hessian)
    else:  # the metric only adds what is missing from a norm
        assert float(torch.linalg.eigvalsh(metric - hessian).min()) > -1e-10 * float(metric.diagonal().max())
        assert float(torch.linalg.eigvals(torch.linalg.solve(metric, hessian)).real.min()) > 0.1


def test_hessian_root_of_a_nonquadratic_density():
    """|g|^4 has the Hessian 4 |g|^2 I + 8 g g^T; a concave part is left out."""
    g = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)  # (n, 2)
    channels = torch.stack([torch.full((2,), 0.3, dtype=torch.float64), *g.T])[..., None]
    root = hessian_root(lambda c: (c[1:] ** 2).sum(0) ** 2 - c[0] ** 2, channels)
    square = (g**2).sum(1)[:, None, None]
    expected = torch.zeros(2, 3, 3, dtype=torch.float64)
    expected[:, 1:, 1:] = 4 * square * torch.eye(2, dtype=torch.float64) + 8 * g[:, :, None] * g[:, None, :]
    assert close(root.mT @ root, expected)
