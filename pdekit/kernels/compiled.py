"""Forward propagation in compiled code: the same numbers, fewer passes over memory, after a wait."""

from __future__ import annotations

import importlib.util
import subprocess
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeAlias, final

import torch
from torch import Tensor, nn

from .chain import has_chain
from .checks import check_placement
from .forward import channels_of, read
from .layout import layout_of
from .native import NATIVE_TYPES, host_compiler, library
from .plan import Derivatives, Plan
from .workspace import Workspace

Pass: TypeAlias = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True)
class CompiledKernel:
    """`ForwardKernel` in compiled code.

    On the CPU, plans of order at most 2 of networks that have rows of linear layers and activations run in machine code of
    pdekit's own: whole rows if the activation is tanh (native_chain.py), else all between the products (native.py). Everything else goes through torch.compile once per network, plan
    and batch shape, kept as long as this object lives; on a GPU the pass is captured in a graph as well, which removes the
    cost of launching its kernels. Where no compiler is found, or it fails, the same pass runs uncompiled.

    Args:
        most_shapes: how many different passes go through torch.compile; further ones run uncompiled.

    Notes: pdekit's own code takes a second or two to compile, torch.compile 10 to 60 s on two cores; `select_kernel` weighs that
    against the length of the run.
    """

    most_shapes: int = 8
    _workspace: Workspace = field(default_factory=lambda: Workspace(native=True), repr=False, compare=False)
    _passes: dict[Hashable, Pass] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, network: nn.Module, x: Tensor, plan: Plan) -> Derivatives:
        """Return the planned derivatives of `network` at `x` (n, d), differentiable in the parameters."""
        check_placement(network, x)
        layout = layout_of(plan)
        if self.runs_natively(network, x, plan):
            return read(layout, channels_of(network, x, layout, self._workspace))

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

    def runs_natively(self, network: nn.Module, x: Tensor, plan: Plan) -> bool:
        """Whether such a pass runs in pdekit's own machine code, for which nothing is compiled per network."""
        return runs_natively(network, plan, x.device) and x.dtype in NATIVE_TYPES and library() is not None


def runs_natively(network: nn.Module, plan: Plan, device: torch.device) -> bool:
    """Whether pdekit's own machine code serves this network and plan."""
    return device.type == "cpu" and plan.order <= 2 and has_chain(network)


def compiler_found(device: torch.device) -> bool:
    """Whether this machine has what torch.compile needs for `device`: a C++ compiler, for CUDA Triton as well."""
    return host_compiler() is not None and (device.type == "cpu" or importlib.util.find_spec("triton") is not None)


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
