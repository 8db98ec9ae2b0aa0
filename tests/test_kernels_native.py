"""The formulas in machine code against the eager ones, and what happens where they cannot be had."""

from __future__ import annotations

import subprocess

import pytest
import torch
from torch import Tensor, nn

from pdekit.kernels import CompiledKernel, ForwardKernel, Plan, ReverseKernel
from pdekit.kernels.chain import has_chain
from pdekit.kernels.compiled import runs_natively
from pdekit.kernels.formulas import Eager, Formulas, Function
from pdekit.kernels.layout import Layout, layout_of
from pdekit.kernels.native import Native, host_compiler, library, native_formulas
from pdekit.kernels.workspace import Workspace
from pdekit.nn import Elementwise, ReLU, Sine, Tanh

PLANS = {
    "value": Plan(frozenset({()})),
    "gradient": Plan(frozenset({(0,), (2,)})),
    "laplacian": Plan(frozenset({()}), (0, 1, 2)),
    "heat": Plan(frozenset({(2,)}), (0, 1)),
    "mixed": Plan(frozenset({(0, 1), (1, 2), (2, 2)})),
    "both": Plan(frozenset({(0, 1)}), (0, 1, 2)),
}
WIDTH = 300  # more than one block of channels.cpp, and no multiple of it

compiled = pytest.mark.skipif(host_compiler() is None, reason="needs a C++ compiler")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def results(formulas: Formulas, function: Function, layout: Layout, dtype: torch.dtype) -> list[Tensor]:
    """All that the formulas compute from the same random channels."""
    generator = torch.Generator().manual_seed(3)
    z, grad = torch.randn(2, layout.size, 37, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
    powers = torch.randn(layout.size - 1, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
    value, squares = torch.empty_like(z[0]), torch.empty_like(z[0]) if layout.collapsed else None
    there, again, affine, outer = (
        torch.empty_like(z),
        torch.empty_like(z),
        torch.empty_like(z),
        torch.zeros_like(powers),
    )
    formulas.forward(formulas.terms(function, z[0], layout.order, value), layout, z, there, squares, known=False)
    f = formulas.terms(function, z[0], layout.order + 1, value, known=True)
    formulas.forward(f, layout, z, again, squares, known=True)
    formulas.affine_forward(f, layout, powers, affine)
    back = grad.clone()
    formulas.backward(f, layout, z, back, squares)
    inner = formulas.affine_backward(f, layout, powers, grad, outer)
    return [value, there, again, affine, back, inner, outer]


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("function", [Tanh(), Sine(2.0), ReLU(3)], ids=str)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_machine_code_equals_the_eager_formulas(
    plan: Plan, function: Function, dtype: torch.dtype, two_threads: None
) -> None:
    layout = layout_of(plan)
    native = native_formulas({})
    assert isinstance(native, Native)
    # 37 points are summed, and at most 10 rows: rounding errors of some hundred units in the last place.
    tolerance = 500 * torch.finfo(dtype).eps
    pairs = zip(results(native, function, layout, dtype), results(Eager(), function, layout, dtype), strict=True)
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def network(second: Function, *, wide: bool = False, bias: bool = True) -> nn.Sequential:
    """Two hidden layers; with tanh in both of them the whole of it is one call of machine code."""
    torch.manual_seed(0)
    width = WIDTH if wide else 7
    return nn.Sequential(
        nn.Linear(3, width, bias=bias),
        Elementwise(Tanh()),
        nn.Linear(width, 5, bias=bias),
        Elementwise(second),
        nn.Linear(5, 2, bias=bias),
    ).double()


def points(n: int = 50) -> Tensor:
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@compiled
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("second", [Tanh(), Sine(2.0)], ids=str)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_compiled_kernel_equals_nested_autograd(
    plan: Plan, second: Function, wide: bool, bias: bool, two_threads: None
) -> None:
    model, x, kernel = network(second, wide=wide, bias=bias), points(67), CompiledKernel()
    assert runs_natively(model, plan, x.device)

    def gradients(u: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(u.square().sum(), tuple(model.parameters()), allow_unused=True)

    for _ in range(2):  # the second pass uses the memory of the first
        found, expected = kernel(model, x, plan), ReverseKernel()(model, x, plan)
        rows = [(found.partial(axes), expected.partial(axes)) for axes in plan.partials]
        if plan.laplacian:
            rows.append((found.laplacian(plan.laplacian), expected.laplacian(plan.laplacian)))
        for a, b in rows:
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
        sums = [sum(u for u in column) for column in zip(*rows, strict=True)]
        for a, b in zip(*map(gradients, sums), strict=True):
            if a is None or b is None:  # a bias that the planned derivatives do not see
                assert a is None or not a.any()
                continue
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@compiled
@pytest.mark.parametrize("count", [1, 16, 500])
def test_points_are_shared_out_among_chunks_and_threads(count: int, two_threads: None) -> None:
    model, x, plan = network(Tanh()).float(), points(count).float(), PLANS["laplacian"]
    x.requires_grad_(True)

    def gradients(kernel: CompiledKernel | ForwardKernel) -> tuple[Tensor, ...]:
        u = kernel(model, x, plan)
        return u.channels, *torch.autograd.grad(u.channels.square().mean(), (x, *model.parameters()))

    for a, b in zip(gradients(CompiledKernel()), gradients(ForwardKernel()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@compiled
def test_a_graph_can_be_gone_back_twice_and_threads_changed_in_between(two_threads: None) -> None:
    model, x = network(Tanh()), points(300)
    u = CompiledKernel()(model, x, PLANS["laplacian"])
    parameters = tuple(model.parameters())
    first = torch.autograd.grad(u.channels.square().sum(), parameters, retain_graph=True)
    torch.set_num_threads(1)
    for a, b in zip(first, torch.autograd.grad(u.channels.square().sum(), parameters), strict=True):
        torch.testing.assert_close(a, b)


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_tanh_of_machine_code(dtype: torch.dtype) -> None:
    entries = library()
    assert entries is not None
    small = torch.logspace(-30, 2, 20_001, dtype=torch.float64)
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan], dtype=torch.float64)
    x = torch.cat([small, -small, special]).to(dtype)
    found = torch.empty_like(x)
    entries["tanh", dtype](x.data_ptr(), found.data_ptr(), len(x))
    # Rounding errors of a dozen operations, relative also for small x.
    expected = torch.tanh(x.double()).to(dtype)
    torch.testing.assert_close(found, expected, rtol=6 * torch.finfo(dtype).eps, atol=0.0, equal_nan=True)
    assert torch.equal(torch.signbit(found[:-1]), torch.signbit(x[:-1]))


@compiled
@pytest.mark.parametrize("second", [Tanh(), Sine(2.0)], ids=str)
def test_gradients_of_gradients(second: Function, two_threads: None) -> None:
    model, x, plan = network(second), points(5), PLANS["laplacian"]
    parameters = tuple(model.parameters())

    def product(kernel: CompiledKernel | ForwardKernel) -> tuple[Tensor, ...]:
        u = kernel(model, x, plan)
        slopes = torch.autograd.grad((u.channels**2).sum(), parameters, create_graph=True)
        return torch.autograd.grad(sum(s.square().sum() for s in slopes), parameters)

    for a, b in zip(product(CompiledKernel()), product(ForwardKernel()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_chain_is_found_within_other_layers() -> None:
    assert has_chain(nn.ModuleList([nn.Sequential(nn.Identity(), *network(Tanh()))]))
    assert not has_chain(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))


@pytest.mark.parametrize(
    "error", [subprocess.CalledProcessError(1, "g++"), subprocess.TimeoutExpired("g++", 1), OSError()]
)
def test_without_a_working_compiler_the_eager_formulas_serve(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert library.__wrapped__() is None
    monkeypatch.setattr("pdekit.kernels.native.library", lambda: None)
    assert isinstance(Workspace(native=True).formulas({}), Eager)
