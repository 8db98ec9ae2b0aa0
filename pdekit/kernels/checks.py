"""What a network must satisfy before its derivatives mean anything."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import DeviceError, DtypeError, SmoothnessError
from ..nn import Elementwise

# How many derivatives of torch's own kinked activations are continuous; all others count as smooth.
_TORCH_SMOOTHNESS: dict[type[nn.Module], int] = {
    nn.ReLU: 0,
    nn.LeakyReLU: 0,
    nn.PReLU: 0,
    nn.ReLU6: 0,
    nn.SELU: 0,
    nn.Hardtanh: 0,
    nn.ELU: 1,
    nn.CELU: 1,
}


def check_smoothness(network: nn.Module, order: int) -> None:
    """Raise SmoothnessError if an activation in `network` has too few derivatives for derivatives of `order`.

    A function with s continuous derivatives has one more almost everywhere, which least squares and energies can use;
    so `order` may be s + 1: first derivatives of ReLU, second ones of its square.
    """
    for module in network.modules():
        if isinstance(module, Elementwise):
            smoothness, name = module.function.smoothness, repr(module.function)
        elif type(module) in _TORCH_SMOOTHNESS:
            smoothness, name = _TORCH_SMOOTHNESS[type(module)], type(module).__name__
        else:
            continue
        if order > smoothness + 1:
            raise SmoothnessError(
                f"activation {name}: got an equation with derivatives of order {order}, expected at most "
                f"{int(smoothness) + 1} (beyond that they vanish or do not exist); use Tanh() or a first-order form"
            )


def check_placement(network: nn.Module, x: Tensor) -> None:
    """Raise DtypeError or DeviceError if the points are not of the network's element type or not on its device."""
    parameter = next(network.parameters(), None)
    if parameter is None:
        return
    if parameter.dtype != x.dtype:
        raise DtypeError(
            f"points: got {x.dtype}, expected the network's {parameter.dtype}; use x.to({parameter.dtype})"
        )
    if parameter.device != x.device:
        raise DeviceError(
            f"points: got them on {x.device}, expected the network's {parameter.device}; use x.to({parameter.device})"
        )
