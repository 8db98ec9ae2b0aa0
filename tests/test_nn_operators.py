"""DeepONets, learned Green's functions and grid networks: their formulas, their derivatives, and what bad input gets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pdekit.errors import ConfigError, DtypeError, NotApplicableError, ShapeError
from pdekit.kernels import ForwardKernel, Plan, Recorder, ReverseKernel
from pdekit.kernels.rules import has_rule
from pdekit.nn import (
    MLP,
    DeepONet,
    FourierFeatures,
    GreenNet,
    GridNet,
    OperatorArchitecture,
    OperatorFrame,
    OperatorNetwork,
    PodDeepONet,
    PointOperator,
)
from pdekit.nn.deeponet import LinearCombination
from pdekit.nn.green_net import GreenOperator
from pdekit.nn.principal import PrincipalComponents
from pdekit.nn.regrid import regridded
from pdekit.quantity import Axis, Quantity

F64 = torch.float64
LINE = Quantity((Axis("x", 9),), ("f",))
RING = Quantity((Axis("x", 8, 0.0, 2.0, periodic=True),), ("u0",))
EVOLVED = Quantity((RING.axes[0], Axis("t", 5, 0.0, 3.0)), ("u", "p"))
AROUND = Quantity((Axis("s", 16, 0.0, 4.0, periodic=True),), ("g",))
SQUARE = Quantity((Axis("x", 5), Axis("y", 6)), ("u",))

ARCHITECTURES: dict[str, OperatorArchitecture] = {
    "deeponet": DeepONet(5, MLP(6, 2), MLP(7, 1)),
    "linear deeponet": DeepONet(5, FourierFeatures(), None),
    "pod": PodDeepONet(3, MLP(6, 1)),
    "green": GreenNet(MLP(6, 2), distance=False),
    "grid": GridNet(MLP(6, 1)),
    "matrix": GridNet(None),
}
MAPS = {"line": (LINE, LINE), "evolution": (RING, EVOLVED), "boundary data": (AROUND, SQUARE)}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=F64)


def frame(source: Quantity, target: Quantity, factor: nn.Module | None = None) -> OperatorFrame:
    return OperatorFrame(
        source, target, F64, random(6, *source.shape) + 1, 3 * random(6, *target.shape, seed=2), factor
    )


def built(architecture: OperatorArchitecture, source: Quantity, target: Quantity) -> OperatorNetwork:
    return architecture.build(frame(source, target), generator())


def point_operator(architecture: OperatorArchitecture, frame: OperatorFrame) -> PointOperator:
    network = architecture.build(frame, generator())
    assert isinstance(network, PointOperator)
    return network


class Bump(nn.Module):
    """x (1 - x) of the first coordinate."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * (1 - x[:, :1])


@pytest.mark.parametrize("where", MAPS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_contract(name: str, where: str) -> None:
    """Shapes, seeds, statistics that travel with the weights, gradients in every parameter, one case at a time."""
    source, target = MAPS[where]
    network = built(ARCHITECTURES[name], source, target)
    inputs = random(3, *source.shape, seed=5)
    outputs = network(inputs)
    assert outputs.shape == (3, *target.shape)
    assert torch.equal(built(ARCHITECTURES[name], source, target)(inputs), outputs)
    torch.testing.assert_close(network(inputs[1:2]), outputs[1:2], rtol=1e-12, atol=1e-12)
    empty = ARCHITECTURES[name].build(OperatorFrame(source, target, F64), generator(7))
    empty.load_state_dict(network.state_dict())
    assert torch.equal(empty(inputs), outputs)
    outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


@pytest.mark.parametrize("where", MAPS)
@pytest.mark.parametrize("name", ["deeponet", "linear deeponet", "green"])
def test_at_grid_and_function_agree(name: str, where: str) -> None:
    source, target = MAPS[where]
    network = point_operator(ARCHITECTURES[name], frame(source, target))
    inputs, x = random(2, *source.shape, seed=5), torch.from_numpy(target.points())
    on_grid = network(inputs)
    torch.testing.assert_close(network.at(inputs, x).reshape(on_grid.shape), on_grid, rtol=1e-13, atol=1e-13)
    columns = network.function(inputs)(x)
    components = len(target.names)
    for case in range(2):
        for i in range(components):
            torch.testing.assert_close(
                columns[:, case * components + i], on_grid[case, ..., i].reshape(-1), rtol=1e-13, atol=1e-13
            )


@pytest.mark.parametrize("hard", [False, True], ids=["free", "hard"])
@pytest.mark.parametrize("name", ["deeponet", "linear deeponet"])
def test_kernels_differentiate_deeponets(name: str, hard: bool) -> None:
    """Forward propagation against nested autograd: values, jets, and their gradients in branch and trunk."""
    network = point_operator(ARCHITECTURES[name], frame(RING, EVOLVED, Bump() if hard else None))
    inputs, x = random(3, *RING.shape, seed=5), torch.rand(4, 2, generator=generator(6), dtype=F64)
    plan = Plan(frozenset({(), (1,), (0, 0)}))
    function = network.function(inputs)
    assert has_rule(function)

    def sums(found: torch.Tensor) -> list[torch.Tensor]:
        gradients = torch.autograd.grad(found.square().sum(), list(network.parameters()), allow_unused=True)
        return [torch.zeros(()) if g is None else g for g in gradients]

    recorder = Recorder(function, x)
    expected = torch.stack([recorder.partial(axes) for axes in sorted(plan.partials)])
    derivatives = ForwardKernel()(network.function(inputs), x, plan)
    found = torch.stack([derivatives.partial(axes) for axes in sorted(plan.partials)])
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    for one, other in zip(sums(found), sums(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def test_reverse_mode_differentiates_greens_functions() -> None:
    """Against central differences."""
    network = point_operator(ARCHITECTURES["green"], frame(LINE, LINE))
    inputs, x = random(2, *LINE.shape), torch.tensor([[0.21], [0.6]], dtype=F64)
    found = ReverseKernel()(network.function(inputs), x, Plan(frozenset({(), (0,)})))
    step = 1e-5
    slope = (network.at(inputs, x + step) - network.at(inputs, x - step)) / (2 * step)
    torch.testing.assert_close(found.partial((0,)), slope[..., 0].T, rtol=1e-7, atol=1e-8)


def test_deeponet_is_the_sum_of_products() -> None:
    """u = mean + deviation (bias + sum_k b_k t_k / sqrt p), with branch and trunk evaluated one by one."""
    given = frame(LINE, LINE)
    network = DeepONet(4, MLP(5, 1), None).build(given, generator())
    assert given.inputs is not None and given.outputs is not None
    inputs, x = random(1, *LINE.shape, seed=3), torch.tensor([[0.3]], dtype=F64)
    assert network.branch.matrix is not None
    b = network.branch.matrix.weight @ network.branch.components(inputs)[0]
    t = network.trunk(x)[0]
    products = sum(b[k] * t[k] for k in range(4)) / math.sqrt(4)
    expected = given.outputs.mean() + given.outputs.std(correction=0) * (products + network.bias[0])
    torch.testing.assert_close(network.at(inputs, x)[0, 0, 0], expected)


@pytest.mark.parametrize("count", [3, 9, 50])
def test_branches_read_principal_components(count: int) -> None:
    """Uncorrelated, the first of deviation 1, the k-th of sqrt(s_k / s_1); nothing beyond the rank of six cases less one."""
    given = frame(LINE, LINE)
    assert given.inputs is not None
    components = PrincipalComponents.of(given, count)
    z = components(given.inputs)
    assert z.shape == (6, min(count, 9))
    covariance = z.T @ z / 6
    sizes = torch.linalg.svdvals((given.inputs - given.inputs.mean(0)).flatten(1))
    expected = torch.zeros(9, dtype=F64)
    expected[:5] = (sizes / sizes[0])[:5]
    torch.testing.assert_close(covariance, torch.diag(expected[: min(count, 9)]), rtol=1e-10, atol=1e-12)


def test_a_branch_without_network_is_affine() -> None:
    network = built(ARCHITECTURES["linear deeponet"], LINE, LINE)
    f, g = random(1, *LINE.shape, seed=3), random(1, *LINE.shape, seed=4)
    torch.testing.assert_close(network(2 * f - g), 2 * network(f) - network(g))


def test_periodic_axes_are_periodic() -> None:
    network = point_operator(ARCHITECTURES["deeponet"], frame(RING, EVOLVED))
    inputs = random(2, *RING.shape)
    there, again = torch.tensor([[0.4, 1.0]], dtype=F64), torch.tensor([[2.4, 1.0]], dtype=F64)
    torch.testing.assert_close(network.at(inputs, there), network.at(inputs, again))
    assert not torch.allclose(network.at(inputs, there), network.at(inputs, there + 0.5))


def test_hard_conditions_hold_for_every_input() -> None:
    for architecture in (DeepONet(5, MLP(6, 1), None), GreenNet(MLP(5, 1)), GridNet(None)):
        outputs = architecture.build(frame(LINE, LINE, Bump()), generator())(random(3, *LINE.shape))
        assert outputs[:, [0, -1]].abs().max() == 0.0
        assert outputs[:, 1:-1].abs().max() > 0.0


def test_pod_modes_hold_the_training_outputs() -> None:
    """With all modes the branch alone decides: the modes are orthonormal in L2, and their residue is that of the SVD."""
    given = frame(LINE, LINE)
    assert given.outputs is not None
    network = PodDeepONet(3, None).build(given, generator())
    weights = torch.from_numpy(LINE.weights)
    modes = network.basis[..., 0]
    gram = (modes * weights) @ modes.T
    deviations = gram.diagonal().sqrt()
    assert (gram - torch.diag(gram.diagonal())).abs().max() < 1e-12 * gram.max()
    centred = (given.outputs - given.outputs.mean(0))[..., 0]
    scores = (centred * weights) @ (modes / deviations[:, None]).T
    torch.testing.assert_close(scores.square().mean(0).sqrt(), deviations)
    rest = centred - scores @ (modes / deviations[:, None])
    every = torch.linalg.svdvals(centred * weights.sqrt())
    torch.testing.assert_close((rest.square() * weights).sum(), every[3:].square().sum())


def test_pod_on_another_grid_interpolates_its_modes() -> None:
    x = torch.linspace(0, 1, 33, dtype=F64)
    outputs = torch.stack([torch.sin((k + 1) * x) for k in range(4)])[..., None]
    fine = Quantity((Axis("x", 33),), ("u",))
    network = PodDeepONet(2, None).build(OperatorFrame(LINE, fine, F64, random(4, *LINE.shape), outputs), generator())
    inputs = random(2, *LINE.shape)
    torch.testing.assert_close(network(inputs, (65,))[:, ::2], network(inputs), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(regridded(network(inputs), fine.axes, (65,)), network(inputs, (65,)))


class Exact(nn.Module):
    """min(x, y) - x y from the features x, y, |x - y|: Green's function of -u'' on (0, 1)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x, y, r = z.unbind(-1)
        return (0.5 * (x + y - r) - x * y)[:, None]


def test_greens_function_of_poissons_equation() -> None:
    """-u'' = pi^2 sin pi x has u = sin pi x: quadrature of order 2 at every resolution of the input."""
    errors = []
    for points in (17, 33, 65):
        line = Quantity((Axis("x", points),), ("f",))
        network = GreenOperator(GreenNet(), OperatorFrame(LINE, LINE, F64), generator())
        network.network = Exact()
        x = torch.from_numpy(line.axes[0].coordinates)
        u = network(math.pi**2 * torch.sin(math.pi * x)[None, :, None])[0, :, 0]
        errors.append(float((u - torch.sin(math.pi * x)).detach().abs().max()))
    assert 3.9 < errors[0] / errors[1] < 4.1
    assert 3.9 < errors[1] / errors[2] < 4.1


def test_symmetric_greens_functions_are_symmetric() -> None:
    x = torch.rand(4, 1, generator=generator(), dtype=F64)
    plain, symmetric = (GreenNet(MLP(6, 2), symmetric=s).build(frame(LINE, LINE), generator()) for s in (False, True))
    free, bound = plain.green(x, x)[..., 0, 0], symmetric.green(x, x)[..., 0, 0]
    torch.testing.assert_close(bound, bound.T)
    assert not torch.allclose(free, free.T)
    torch.testing.assert_close(bound, 0.5 * (free + free.T))


def test_grid_net_is_exact_where_outputs_are_constant() -> None:
    """A boundary value that all training outputs share has deviation 0: it is returned whatever the weights."""
    outputs = random(6, *LINE.shape, seed=2)
    outputs[:, 0], outputs[:, -1] = 0.0, 2.5
    network = GridNet(MLP(6, 1)).build(OperatorFrame(LINE, LINE, F64, random(6, *LINE.shape), outputs), generator())
    found = network(10 * random(3, *LINE.shape, seed=4))
    assert (found[:, 0] == 0.0).all() and (found[:, -1] == 2.5).all()


def test_a_linear_combination_is_no_parameter() -> None:
    layer = LinearCombination(random(2, 3), random(2))
    assert not list(layer.parameters())
    assert not layer.state_dict()
    with pytest.raises(ShapeError, match="LinearCombination"):
        LinearCombination(random(2, 3), random(3))


def test_bad_input() -> None:
    for name in ("deeponet", "pod", "grid"):
        network = built(ARCHITECTURES[name], LINE, LINE)
        with pytest.raises(ShapeError, match="got inputs on 17 points, expected 9, as trained on"):
            network(random(1, 17, 1))
        with pytest.raises(ShapeError, match="got inputs on 17 points"):
            network.resolves((17,))
        with pytest.raises(ShapeError, match=r"got inputs of shape \(9, 1\)"):
            network(random(9, 1))
    with pytest.raises(ShapeError, match="got outputs on 17 points, expected 9"):
        built(GridNet(), LINE, LINE)(random(1, 9, 1), (17,))
    with pytest.raises(ConfigError, match="neither a network nor a linear part"):
        built(GridNet(None, linear=False), LINE, LINE)
    with pytest.raises(ConfigError, match="modes: got 7, expected at most 6"):
        built(PodDeepONet(7), LINE, LINE)
    with pytest.raises(ConfigError, match="features"):
        DeepONet(0)
    with pytest.raises(NotApplicableError, match="live on different coordinates"):
        built(GreenNet(), AROUND, SQUARE)
    with pytest.raises(NotApplicableError, match="boundary factor"):
        PodDeepONet(3).build(frame(LINE, LINE, Bump()), generator())
    with pytest.raises(DtypeError, match=r"OperatorFrame\.dtype"):
        OperatorFrame(LINE, LINE, torch.int64)
    with pytest.raises(ShapeError, match=r"OperatorFrame\.outputs: got shape \(6, 8\)"):
        OperatorFrame(LINE, LINE, F64, None, random(6, 8))
