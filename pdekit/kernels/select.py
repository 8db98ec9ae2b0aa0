"""Which kernel suits a network and the length of a run."""

from __future__ import annotations

import torch
from torch import nn

from .checks import check_smoothness
from .compiled import CompiledKernel, compiler_found, runs_natively
from .forward import ForwardKernel
from .layout import layout_of
from .plan import Kernel, Plan
from .reverse import ReverseKernel
from .rules import has_closed_forms, has_rule

# Measured on two cores, see benchmarks/kernels.md; orders of magnitude are enough here.
COMPILE_SECONDS = 40.0
NATIVE_SECONDS = 2.0
SECONDS_PER_UNIT = 1.0e-8  # of an uncompiled step, per channel, point and hidden unit
SAVED_FRACTION = 0.4
GPU_SECONDS_SAVED = 2e-3  # per step: launches of small kernels
REPAYMENT = 2.0  # a run must save this many times what compiling costs


def select_kernel(
    network: nn.Module, plan: Plan, *, device: torch.device, steps_expected: int, points: int = 2000
) -> Kernel:
    """Choose the fastest kernel: reverse mode for networks without rules, compiled where the run repays it.

    Args:
        network: the network to differentiate.
        plan: the derivatives wanted.
        device: where it will run.
        steps_expected: number of evaluations, each with its gradient.
        points: points per evaluation.

    Raises:
        SmoothnessError: an activation has too few derivatives for the plan.
    """
    check_smoothness(network, plan.order)
    if not has_rule(network):
        return ReverseKernel()
    if not (has_closed_forms(network) and compiler_found(device)):
        return ForwardKernel()
    units = sum(module.out_features for module in network.modules() if isinstance(module, nn.Linear))
    step = SAVED_FRACTION * SECONDS_PER_UNIT * layout_of(plan).size * points * units
    saved = steps_expected * (GPU_SECONDS_SAVED if device.type == "cuda" else step)
    wait = NATIVE_SECONDS if runs_natively(network, plan, device) else COMPILE_SECONDS
    return CompiledKernel() if saved > REPAYMENT * wait else ForwardKernel()
