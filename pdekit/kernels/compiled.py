"""Forward propagation through torch.compile: the same numbers, fewer passes over memory, after a wait."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeAlias, final

import torch
from torch import Tensor, nn

from .checks import check_placement
from .forward import channels_of, read
from .layout import layout_of
from .plan import Derivatives, Plan

Pass: TypeAlias = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True)
class CompiledKernel:
    """`ForwardKernel` compiled once per network, plan and batch shape; kept as long as this object lives.

    Where no compiler is found, or it fails, the same pass runs uncompiled. On a GPU the pass is captured in a graph,
    which removes the cost of launching its kernels.

    Args:
        most_shapes: how many different passes are compiled; further ones run uncompiled.

    Notes: compiling takes 10 to 60 s on two cores; `select_kernel` weighs that against the length of the run.
    """

    most_shapes: int = 8
    _passes: dict[Hashable, Pass] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, network: nn.Module, x: Tensor, plan: Plan) -> Derivatives:
        """Return the planned derivatives of `network` at `x` (n, d), differentiable in the parameters."""
        check_placement(network, x)
        layout = layout_of(plan)

        def uncompiled(points: Tensor) -> Tensor:
            return channels_of(network, points, layout)

        # The pass holds the network, so that its id stays its own.
        key = (id(network), layout, tuple(x.shape), x.dtype, x.device, torch.is_grad_enabled())
        if key in self._passes:
            return read(layout, self._passes[key](x))
        if len(self._passes) >= self.most_shapes or not len(x) or not compiler_found(x.device):
            return read(layout, uncompiled(x))
        self._passes[key] = _compiled(network, uncompiled, x)
        return read(layout, self._passes[key](x))


def compiler_found(device: torch.device) -> bool:
    """Whether this machine has what torch.compile needs for `device`: a C++ compiler, for CUDA Triton as well."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    host = any(shutil.which(name) for name in names if name)
    return host and (device.type == "cpu" or importlib.util.find_spec("triton") is not None)


def _compiled(network: nn.Module, uncompiled: Pass, x: Tensor) -> Pass:
    """Return the compiled pass, tried forwards and backwards, or the given one where compiling fails."""
    # A code object of its own: torch counts recompilations per code object and gives up after a few.
    assert isinstance(uncompiled, types.FunctionType)
    code = uncompiled.__code__.replace()
    own = types.FunctionType(code, uncompiled.__globals__, "uncompiled", None, uncompiled.__closure__)
    graphs = x.is_cuda
    compiled = torch.compile(own, fullgraph=True, dynamic=False, mode="reduce-overhead" if graphs else None)

    def run(points: Tensor) -> Tensor:
        # The next replay of a graph overwrites its output, hence the copy.
        return compiled(points).clone() if graphs else compiled(points)

    try:
        trial = run(x)
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if trial.requires_grad and parameters:  # the way back is compiled at its first use
            torch.autograd.grad(trial.sum(), parameters, allow_unused=True)
    except (RuntimeError, ImportError, OSError, subprocess.SubprocessError):
        return uncompiled
    return run
