"""Every kernel against closed forms, finite differences and nested autograd."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pdekit.errors import ConfigError, DtypeError, NotApplicableError, PlanError, ShapeError, SmoothnessError
from pdekit.kernels import (
    Channels,
    CompiledKernel,
    Derivatives,
    ForwardKernel,
    Kernel,
    Plan,
    Recorder,
    ReverseKernel,
    check_smoothness,
    derivatives,
    propagate,
    select_kernel,
)
from pdekit.kernels.composition import compose, compose_affine
from pdekit.kernels.fused import compose_affine_fused, compose_fused
from pdekit.kernels.layout import layout_of
from pdekit.kernels.native import library
from pdekit.nn import (
    MLP,
    Activation,
    Architecture,
    Concatenation,
    Dilation,
    Elementwise,
    Frame,
    Glorot,
    HardConstraint,
    Polynomial,
    ReLU,
    ResNet,
    Scaling,
    Sine,
    Sum,
    Tanh,
)

DEVICES = [pytest.param("cpu"), pytest.param("cuda", marks=pytest.mark.gpu)]
KERNELS = [ForwardKernel(), ReverseKernel()]


class Ripple(nn.Module):
    """A module without a propagation rule."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin((x**2).sum(1, keepdim=True))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1729)


def build(architecture: Architecture, d: int, m: int = 2, dtype: torch.dtype = torch.float64) -> nn.Module:
    g = generator()
    network = architecture.build(Frame((-1.0,) * d, (2.0,) * d, m, dtype), g)
    with torch.no_grad():  # biases and coefficients that start at zero would hide mistakes
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g, dtype=dtype))
    return network


def points(d: int, n: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(n, d, generator=generator(), dtype=dtype)


def mlp(function: Activation) -> Callable[[int], nn.Module]:
    return lambda d: build(MLP(7, 2, function, Glorot(bias=0.2)), d)


def smooth_torch(d: int) -> nn.Module:
    torch_layers = [
        nn.Linear(d, 5),
        nn.SiLU(),
        nn.Linear(5, 5),
        nn.Sigmoid(),
        nn.Identity(),
        nn.Linear(5, 2),
        nn.Softplus(),
    ]
    network = nn.Sequential(*torch_layers).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator(), dtype=torch.float64))
    return network


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "tanh": mlp(Tanh()),
    "sine": mlp(Sine(2.0)),
    "relu3": mlp(ReLU(3)),
    "one-layer": lambda d: build(MLP(4, 1), d),
    "resnet": lambda d: build(ResNet(5, 2), d),
    "polynomial": lambda d: build(Polynomial(4), d),
    "tensor polynomial": lambda d: build(Polynomial(2, tensor=True), d),
    "torch layers": smooth_torch,
    "hard, with rules": lambda d: HardConstraint(build(MLP(5, 1), d), build(MLP(4, 1), d, 1), build(Polynomial(2), d)),
    "hard, without rules": lambda d: HardConstraint(build(MLP(5, 1), d), Ripple(), Ripple()),
    "hard, no lift": lambda d: HardConstraint(build(MLP(5, 1, Sine()), d), Ripple()),
    "hard, inside": lambda d: nn.Sequential(
        build(MLP(4, 1), d), HardConstraint(build(MLP(3, 1), 2), Ripple(), Ripple())
    ),
    "multiscale": lambda d: Sum(
        build(MLP(4, 1), d),
        nn.Sequential(Dilation(torch.tensor(3.0, dtype=torch.float64)), build(MLP(5, 1, Sine()), d)),
    ),
    "concatenation": lambda d: Concatenation(build(MLP(4, 1), d), build(Polynomial(2), d)),
    "scaled inside": lambda d: nn.Sequential(
        build(MLP(4, 1), d), Scaling(Frame((0.0, 1.0), (2.0, 4.0), 1, torch.float64))
    ),
}


def every(d: int, order: int) -> list[tuple[int, ...]]:
    return [axes for k in range(order + 1) for axes in itertools.combinations_with_replacement(range(d), k)]


def plans(d: int) -> list[Plan]:
    space = tuple(range(max(1, d - 1)))
    return [
        Plan(frozenset({()})),
        Plan(frozenset({(), (d - 1,)})),
        Plan(frozenset({()}), tuple(range(d))),
        Plan(frozenset({(), (d - 1,)}), space),  # heat: Laplacian over space, not time
        Plan(frozenset({(0, d - 1)}), tuple(range(d))),
        Plan(frozenset({(0, 0), (d - 1,)})),
        Plan(frozenset({(0, 0, 0)}), tuple(range(d))),
        Plan(frozenset({(0, 0, d - 1, d - 1), (0, 0, 0, 0)})),
        Plan(frozenset(every(d, 2)), tuple(range(d))),
    ]


def loss(found: Derivatives, plan: Plan) -> Tensor:
    """A scalar in which every derivative counts, and differently."""
    total = found.channels.sum() * 0
    for i, axes in enumerate(sorted(plan.partials), 1):
        total = total + i * found.partial(axes).square().sum()
    if plan.laplacian:
        total = total + (0.5 * found.laplacian(plan.laplacian)).pow(3).sum()
    return total


def gradients(value: Tensor, network: nn.Module) -> list[Tensor]:
    if not value.requires_grad:  # a derivative that vanishes identically
        return [torch.zeros_like(parameter) for parameter in network.parameters()]
    return list(torch.autograd.grad(value, list(network.parameters()), allow_unused=True, materialize_grads=True))


def assert_close(found: Tensor, expected: Tensor, rtol: float = 1e-10) -> None:
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * scale)


# Forward against reverse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_forward_equals_nested_autograd_in_values_and_parameter_gradients(name: str, d: int) -> None:
    network, x = NETWORKS[name](d), points(d)
    for plan in plans(d):
        forward, reverse = ForwardKernel()(network, x, plan), ReverseKernel()(network, x, plan)
        for axes in plan.partials:
            assert_close(forward.partial(axes), reverse.partial(axes))
        if plan.laplacian:
            assert_close(forward.laplacian(plan.laplacian), reverse.laplacian(plan.laplacian))
        pairs = zip(gradients(loss(forward, plan), network), gradients(loss(reverse, plan), network), strict=True)
        for found, expected in pairs:
            assert_close(found, expected)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_all_derivatives_to_fourth_order(d: int) -> None:
    network, x = build(MLP(3, 2), d, m=1), points(d, 2)
    plan = Plan(frozenset(every(d, 4 if d < 4 else 3)))
    forward, reverse = ForwardKernel()(network, x, plan), ReverseKernel()(network, x, plan)
    for axes in plan.partials:
        assert_close(forward.partial(axes), reverse.partial(axes))


# Closed forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_one_sine_layer_has_the_derivatives_of_a_plane_wave(kernel: Kernel) -> None:
    a = torch.tensor([1.5, -0.7, 0.4], dtype=torch.float64)
    network = nn.Sequential(nn.Linear(3, 1), Elementwise(Sine(2.0))).double()
    with torch.no_grad():
        network[0].weight.copy_(a[None])
        network[0].bias.fill_(0.3)
    x = points(3)
    phase = 2.0 * (x @ a + 0.3)[:, None]
    waves = [phase.sin(), phase.cos(), -phase.sin(), -phase.cos(), phase.sin()]
    plan = Plan(frozenset(every(3, 4)), (0, 1))
    found = kernel(network, x, plan)
    for axes in plan.partials:
        assert_close(found.partial(axes), waves[len(axes)] * math.prod(2.0 * float(a[axis]) for axis in axes))
    assert_close(found.laplacian((0, 1)), -4.0 * float(a[0] ** 2 + a[1] ** 2) * phase.sin())


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_polynomial_has_the_derivatives_of_its_monomials(kernel: Kernel) -> None:
    network = Polynomial(3).build(Frame((-1.0,) * 2, (1.0,) * 2, 1, torch.float64), generator())
    exponents = network.get_submodule("body.1").exponents
    with torch.no_grad():  # u = x^2 y
        network.get_submodule("body.2").weight.copy_(((exponents == torch.tensor([2, 1])).all(1)).double()[None])
    x = points(2)
    found = kernel(network, x, Plan(frozenset(every(2, 4)), (0, 1)))
    u, v = x[:, :1], x[:, 1:]
    closed = {(): u**2 * v, (0,): 2 * u * v, (1,): u**2, (0, 0): 2 * v, (0, 1): 2 * u, (0, 0, 1): torch.full_like(u, 2)}
    for axes in every(2, 4):
        assert_close(found.partial(axes), closed.get(axes, torch.zeros_like(u)))
    assert_close(found.laplacian((0, 1)), 2 * v)


# Finite differences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "resnet", "hard, without rules", "torch layers"])
def test_derivatives_match_finite_differences(name: str) -> None:
    network, x, h = NETWORKS[name](2), points(2), 1e-3
    found = ForwardKernel()(network, x, Plan(frozenset({(0,), (0, 1)}), (0, 1)))
    e = h * torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        u = network
        first = (u(x + e[0]) - u(x - e[0])) / (2 * h)
        mixed = (u(x + e[0] + e[1]) - u(x + e[0] - e[1]) - u(x - e[0] + e[1]) + u(x - e[0] - e[1])) / (4 * h * h)
        laplacian = sum(u(x + step) + u(x - step) - 2 * u(x) for step in e) / (h * h)
    # Central differences err by h^2 / 6 times the third (fourth) derivatives, which are below 1e3 here.
    for exact, difference in (
        (found.partial((0,)), first),
        (found.partial((0, 1)), mixed),
        (found.laplacian((0, 1)), laplacian),
    ):
        torch.testing.assert_close(exact.detach(), difference, rtol=1e-3, atol=2e-4)


# Elementwise functions and their fused compositions -------------------------------------------------------------------


@pytest.mark.parametrize("function", [Tanh(), Sine(), Sine(3.0), ReLU(1), ReLU(2), ReLU(3)], ids=repr)
def test_closed_derivatives_equal_differentiated_ones(function: Activation) -> None:
    z = torch.randn(50, generator=generator(), dtype=torch.float64)
    brute_force = derivatives.dispatch(object)
    for closed, expected in zip(derivatives(function, z, 5), brute_force(function, z, 5), strict=True):
        assert_close(closed, expected)


ORDER_TWO = [
    Plan(frozenset({()})),
    Plan(frozenset({(0,), (2,)})),
    Plan(frozenset({(2,)}), (0, 1)),
    Plan(frozenset({(0, 1), (1, 1)})),
    Plan(frozenset({(0, 1)}), (0, 1, 2)),
]


@pytest.mark.parametrize("function", [Tanh(), Sine(2.0), ReLU(3)], ids=repr)
@pytest.mark.parametrize("plan", ORDER_TWO, ids=str)
@pytest.mark.parametrize("with_bias", [True, False])
def test_fused_stack_has_right_first_and_second_gradients(function: Activation, plan: Plan, with_bias: bool) -> None:
    layout, g = layout_of(plan), generator()
    data = torch.randn(layout.size, 3, 2, generator=g, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, generator=g, dtype=torch.float64, requires_grad=True) if with_bias else None
    assert_close(compose_fused(function, layout, data, bias), compose(function, layout, data, bias))
    inputs = (data, bias) if bias is not None else (data,)
    run = lambda z, b=None: compose_fused(function, layout, z, b)
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("function", [Tanh(), Sine(2.0), ReLU(3)], ids=repr)
@pytest.mark.parametrize("plan", ORDER_TWO, ids=str)
def test_fused_affine_has_right_first_and_second_gradients(function: Activation, plan: Plan) -> None:
    layout, g = layout_of(plan), generator()
    value = torch.randn(3, 2, generator=g, dtype=torch.float64, requires_grad=True)
    powers = torch.randn(layout.size - 1, 2, generator=g, dtype=torch.float64, requires_grad=True)
    assert_close(compose_affine_fused(function, layout, value, powers), compose_affine(function, layout, value, powers))
    run = lambda z, p: compose_affine_fused(function, layout, z, p)
    assert torch.autograd.gradcheck(run, (value, powers))
    assert torch.autograd.gradgradcheck(run, (value, powers))


def test_points_beyond_one_chunk_agree_with_points_one_by_one() -> None:
    network, x = build(MLP(64, 2), 2), points(2, 1500)
    plan = Plan(frozenset({()}), (0, 1))
    together = ForwardKernel()(network, x, plan)
    halves = [ForwardKernel()(network, part, plan) for part in x.split(77)]
    assert_close(together.channels, torch.cat([half.channels for half in halves], 1))
    split_loss = loss(Derivatives(torch.cat([h.channels for h in halves], 1), together.rows, (0, 1), 3), plan)
    for a, b in zip(gradients(loss(together, plan), network), gradients(split_loss, network), strict=True):
        assert_close(a, b)


# Transforms -----------------------------------------------------------------------------------------------------------


def test_second_parameter_derivatives_pass_through_the_forward_kernel() -> None:
    network, x, plan = build(MLP(3, 2), 2, m=1), points(2, 3), Plan(frozenset({()}), (0, 1))
    curvatures = []
    for kernel in KERNELS:
        parameters = list(network.parameters())
        slope = torch.autograd.grad(loss(kernel(network, x, plan), plan), parameters, create_graph=True)
        norm = sum(part.square().sum() for part in slope)
        curvatures.append(torch.autograd.grad(norm, parameters, allow_unused=True, materialize_grads=True))
    for found, expected in zip(*curvatures, strict=True):
        assert_close(found, expected)


def test_stacked_models_and_per_point_jacobians_by_torch_func() -> None:
    network, x, plan = build(MLP(4, 2), 2, m=1), points(2, 6), Plan(frozenset({()}), (0, 1))
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    class Laplacian(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return ForwardKernel()(self.network, x, plan).laplacian((0, 1))[:, 0]

    laplacian = Laplacian()
    named = {f"network.{name}": p for name, p in parameters.items()}
    residual = lambda p, x: torch.func.functional_call(laplacian, p, (x,))
    jacobian = torch.func.jacrev(residual)(named, x)
    rows = torch.func.vmap(torch.func.grad(lambda p, x: residual(p, x[None])[0]), (None, 0))(named, x)
    stacked = {name: torch.stack([p, 2 * p]) for name, p in named.items()}
    twice = torch.func.vmap(residual, (0, None))(stacked, x)
    assert_close(twice[1], residual({name: 2 * p for name, p in named.items()}, x))
    for name, p in named.items():
        assert_close(jacobian[name], rows[name])
        reference = [
            torch.autograd.grad(laplacian(x)[i], network.get_parameter(name[8:]), allow_unused=True)[0]
            for i in range(6)
        ]
        assert_close(jacobian[name], torch.stack([torch.zeros_like(p) if r is None else r for r in reference]))


# Shapes, types, devices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_shapes_and_types(kernel: Kernel, n: int, dtype: torch.dtype, device: str) -> None:
    network = build(MLP(4, 2), 3, m=2, dtype=dtype).to(device)
    found = kernel(network, points(3, n, dtype).to(device), Plan(frozenset({(), (2,)}), (0, 1)))
    assert found.partial(()).shape == found.laplacian((0, 1)).shape == (n, 2)
    assert found.gradient((2,)).shape == (n, 2, 1)
    assert found.channels.dtype == dtype
    assert found.channels.device.type == device
    gradients(loss(found, Plan(frozenset({()}), (0, 1))), network)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_points_that_are_not_contiguous(kernel: Kernel) -> None:
    network, plan = build(MLP(4, 2), 2), Plan(frozenset({(0, 1)}), (0, 1))
    wide = points(4, 6)
    for strided in (wide[:, ::2], wide.T[:2].T, wide[::2, 1:3], wide[:1, :2].expand(5, 2)):
        assert_close(kernel(network, strided, plan).channels, kernel(network, strided.contiguous(), plan).channels)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_no_graph_is_kept_without_gradients(kernel: Kernel) -> None:
    network, x, plan = build(MLP(4, 2), 2), points(2), Plan(frozenset({()}), (0, 1))
    with torch.no_grad():
        found = kernel(network, x, plan)
    assert not found.channels.requires_grad
    assert_close(found.channels, kernel(network, x, plan).channels.detach())


def test_gradient_is_a_view_where_rows_lie_side_by_side() -> None:
    found = ForwardKernel()(build(MLP(4, 2), 3), points(3), Plan(frozenset({(0,), (1,), (2,)}), (0, 1)))
    assert found.gradient((0, 1, 2)).untyped_storage().data_ptr() == found.channels.untyped_storage().data_ptr()
    assert_close(found.gradient((2, 0))[..., 0], found.partial((2,)))


# Plans --------------------------------------------------------------------------------------------------------------------


def test_recorder_remembers_what_was_read() -> None:
    recorder = Recorder(build(MLP(4, 1), 3), points(3))
    recorder.partial(())
    recorder.gradient((0, 2))
    recorder.laplacian((0, 1))
    assert recorder.plan() == Plan(frozenset({(), (0,), (2,)}), (0, 1))
    recorder.laplacian((2,))  # a second Laplacian is written out
    recorder.partial((0, 1, 1))
    plan = recorder.plan()
    assert plan == Plan(frozenset({(), (0,), (2,), (2, 2), (0, 1, 1)}), (0, 1))
    assert plan.order == 3


@pytest.mark.parametrize(
    ("plan", "channels"),
    [
        (Plan(frozenset({()})), 1),
        (Plan(frozenset({()}), (0, 1)), 4),
        (Plan(frozenset({()}), tuple(range(50))), 52),
        (Plan(frozenset({(1,), (0, 0)})), 4),
        (Plan(frozenset({(1,)}), (0,)), 4),  # one axis: nothing to collapse
        (Plan(frozenset({(0, 0), (1, 1)}), (0, 1)), 5),  # second derivatives travel anyway
        (Plan(frozenset({(0, 0, 0)})), 4),
        (Plan(frozenset({(0, 0, 1, 1)})), 9),
    ],
    ids=str,
)
def test_number_of_channels(plan: Plan, channels: int) -> None:
    assert layout_of(plan).size == channels


@given(st.lists(st.lists(st.integers(0, 2), max_size=4).map(sorted).map(tuple), min_size=1, max_size=3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_plan_is_served(partials: list[tuple[int, ...]], with_laplacian: bool) -> None:
    network, x = build(MLP(3, 1), 3, m=1), points(3, 2)
    plan = Plan(frozenset(partials), (0, 2) if with_laplacian else ())
    forward, reverse = ForwardKernel()(network, x, plan), ReverseKernel()(network, x, plan)
    for axes in plan.partials:
        assert_close(forward.partial(axes), reverse.partial(axes))
    if with_laplacian:
        assert_close(forward.laplacian((0, 2)), reverse.laplacian((0, 2)))


@pytest.mark.parametrize(
    ("partials", "laplacian", "word"),
    [([(1, 0)], (), "ascending"), ([(-1,)], (), ">= 0"), ([(0,) * 5], (), "at most 4"), ([()], (0, 0), "once")],
)
def test_bad_plans_are_refused(partials: list[tuple[int, ...]], laplacian: tuple[int, ...], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        Plan(frozenset(partials), laplacian)


# Choice of kernel and errors ------------------------------------------------------------------------------------------------


def test_networks_without_rules_get_reverse_mode() -> None:
    plan, device = Plan(frozenset({()}), (0, 1)), torch.device("cpu")
    for network in (
        Ripple(),
        nn.Sequential(build(MLP(4, 1), 2, m=1), nn.LayerNorm(1)),
        Sum(Ripple(), build(MLP(4, 1), 2, m=1)),
    ):
        assert select_kernel(network, plan, device=device, steps_expected=10**6) == ReverseKernel()
    assert select_kernel(build(MLP(4, 1), 2), plan, device=device, steps_expected=100) == ForwardKernel()
    assert (
        select_kernel(NETWORKS["hard, without rules"](2), plan, device=device, steps_expected=10**7) == ForwardKernel()
    )
    with pytest.raises(NotApplicableError, match="Ripple"):
        ForwardKernel()(Ripple(), points(2), plan)


def test_long_runs_get_the_compiled_kernel_where_a_compiler_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    network, plan, device = build(MLP(64, 4), 2), Plan(frozenset({()}), (0, 1)), torch.device("cpu")
    for found, expected in ((True, CompiledKernel), (False, ForwardKernel)):
        monkeypatch.setattr("pdekit.kernels.select.compiler_found", lambda device, found=found: found)
        kernel = select_kernel(network, plan, device=device, steps_expected=100_000)
        assert isinstance(kernel, expected)


def test_compiled_kernel_falls_back_where_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("pdekit.kernels.compiled.library", library.__wrapped__)
    network, x, plan = build(MLP(4, 1), 2), points(2), Plan(frozenset({()}), (0, 1))
    assert_close(CompiledKernel()(network, x, plan).channels, ForwardKernel()(network, x, plan).channels)


def test_compiled_kernel_falls_back_where_compiling_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> Callable[[Tensor], Tensor]:
        def fail(x: Tensor) -> Tensor:
            raise RuntimeError("no compiler today")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr("pdekit.kernels.compiled.library", lambda: None)
    monkeypatch.setattr("pdekit.kernels.compiled.compiler_found", lambda device: True)
    network, x, plan = build(MLP(4, 1), 2), points(2), Plan(frozenset({()}), (0, 1))
    assert_close(CompiledKernel()(network, x, plan).channels, ForwardKernel()(network, x, plan).channels)


def test_compiled_kernel_falls_back_where_the_way_back_fails_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:
            raise ImportError("invalid ELF header")

    monkeypatch.setattr(torch, "compile", lambda function, **options: lambda x: Broken.apply(function(x)))
    monkeypatch.setattr("pdekit.kernels.compiled.library", lambda: None)
    monkeypatch.setattr("pdekit.kernels.compiled.compiler_found", lambda device: True)
    network, x, plan = build(MLP(4, 1), 2), points(2), Plan(frozenset({()}), (0, 1))
    found, expected = CompiledKernel()(network, x, plan), ForwardKernel()(network, x, plan)
    for a, b in zip(gradients(loss(found, plan), network), gradients(loss(expected, plan), network), strict=True):
        assert_close(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_compiled_kernel_equals_the_forward_kernel(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdekit.kernels.compiled.library", lambda: None)  # torch.compile; see test_kernels_native.py
    kernel = CompiledKernel()
    for name in ("tanh", "sine", "hard, with rules"):
        network = NETWORKS[name](2).to(device)
        x, plan = points(2).to(device), Plan(frozenset({(0,)}), (0, 1))
        expected = ForwardKernel()(network, x, plan)
        slopes = gradients(loss(expected, plan), network)
        for _ in range(3):
            found = kernel(network, x, plan)
            assert_close(found.channels, expected.channels)
            for a, b in zip(gradients(loss(found, plan), network), slopes, strict=True):
                assert_close(a, b)


@pytest.mark.parametrize(
    ("function", "order", "fits"),
    [
        (ReLU(1), 1, True),
        (ReLU(1), 2, False),
        (ReLU(2), 2, True),
        (ReLU(2), 3, False),
        (ReLU(3), 4, False),
        (Tanh(), 4, True),
    ],
    ids=str,
)
def test_smoothness(function: Activation, order: int, fits: bool) -> None:
    network = build(MLP(4, 1, function), 2)
    if fits:
        check_smoothness(network, order)
        return
    with pytest.raises(SmoothnessError, match=rf"ReLU\(power={function.power}\).*order {order}"):
        check_smoothness(network, order)
    with pytest.raises(SmoothnessError):
        select_kernel(network, Plan(frozenset({(0,) * order})), device=torch.device("cpu"), steps_expected=1)


def test_torch_activations_have_known_smoothness() -> None:
    with pytest.raises(SmoothnessError, match="LeakyReLU"):
        check_smoothness(nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU()), 2)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_wrong_input_is_named(kernel: Kernel) -> None:
    network, plan = build(MLP(4, 1), 2), Plan(frozenset({()}), (0, 1))
    with pytest.raises(ShapeError, match=r"MLP 2-4x1-2: got points of shape \(5, 3\), expected \(n, 2\)"):
        kernel(network, points(3), plan)
    with pytest.raises(DtypeError, match=r"float32.*float64"):
        kernel(network, points(2, dtype=torch.float32), plan)


def test_linear_layers_of_other_widths_are_named() -> None:
    with pytest.raises(ShapeError, match="width 3, expected 2"):
        ForwardKernel()(nn.Sequential(nn.Linear(2, 1)).double(), points(3), Plan(frozenset({()})))


def test_unplanned_derivatives_are_refused() -> None:
    found = ForwardKernel()(build(MLP(4, 1), 2), points(2), Plan(frozenset({()}), (0, 1)))
    for read in (lambda: found.partial((0, 1)), lambda: found.laplacian((0,)), lambda: found.gradient((7,))):
        with pytest.raises(PlanError, match="same derivatives"):
            read()


def test_users_can_add_rules_for_their_own_layers() -> None:
    class Doubling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    network, x, plan = nn.Sequential(build(MLP(4, 1), 2), Doubling()), points(2), Plan(frozenset({()}), (0, 1))
    device = torch.device("cpu")
    assert isinstance(select_kernel(network, plan, device=device, steps_expected=1), ReverseKernel)

    @propagate.register(Doubling)
    def doubling(layer: Doubling, channels: Channels) -> Channels:
        return channels.mapped(lambda z: 2 * z)

    assert isinstance(select_kernel(network, plan, device=device, steps_expected=1), ForwardKernel)
    assert_close(ForwardKernel()(network, x, plan).channels, 2 * ForwardKernel()(network[0], x, plan).channels)
