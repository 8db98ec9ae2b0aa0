"""Jets of an ansatz: whichever kernel computes them, and whatever of a hard constraint is kept between steps."""

from __future__ import annotations

import pytest
import torch
from pdekit.solvers import Enforcement
from pdekit.solvers.ansatz import Jets, build_ansatz

from pdekit import nn, problems
from pdekit.kernels import CompiledKernel, Recorder
from pdekit.kernels.native import library

PROBLEM = problems.PoissonND(2)  # its boundary data are not zero, so that there is a lift


@pytest.mark.parametrize("steps", [1, 1_000_000], ids=["uncompiled", "compiled"])
def test_hard_conditions_keep_their_tables_only_as_long_as_the_points(steps):
    generator = torch.Generator().manual_seed(3)
    ansatz, _ = build_ansatz(PROBLEM, nn.MLP(8, 2), Enforcement.HARD, generator, torch.float64, "cpu")
    jets = Jets(PROBLEM, ansatz.function, steps=steps)
    plan = jets.plan(lambda u: (u.laplacian, u.value, u.grad))
    for _ in range(2):  # other points at the second time
        batch = {"interior.x": torch.rand(40, 2, dtype=torch.float64, generator=generator)}
        for _ in range(2):  # another network at the second step
            u, reference = jets("interior", batch, plan), Recorder(ansatz.function, batch["interior.x"])
            assert torch.allclose(u.value, reference.partial(()), atol=1e-12)
            assert torch.allclose(u.grad, reference.gradient((0, 1)), atol=1e-11)
            assert torch.allclose(u.laplacian, reference.laplacian((0, 1)), atol=1e-9)
            with torch.no_grad():
                for p in ansatz.parameters():
                    p.mul_(1.1)
    kernels = list(jets._kernels.values())
    assert isinstance(kernels[0], CompiledKernel) == (steps > 1 and library() is not None)
