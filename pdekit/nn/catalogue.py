"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..errors import unknown_name
from .activations import GELU, Activation, ReLU, Sine, Tanh
from .combined import Adaptive, CosineSine, Mixed
from .compact import BSpline, Ricker, S2ReLU, SReLU

ACTIVATIONS: Mapping[str, Callable[[], Activation]] = MappingProxyType(
    {
        "tanh": Tanh,
        "sine": Sine,
        "relu": ReLU,
        "relu2": lambda: ReLU(2),
        "relu3": lambda: ReLU(3),
        "srelu": SReLU,
        "phi": BSpline,
        "phi3": lambda: BSpline(3),
        "s2relu": S2ReLU,
        "ricker": Ricker,
        "gelu": GELU,
        "cosine-sine": CosineSine,
        "adaptive": Adaptive,
        "mixed": lambda: Mixed((Tanh(), Sine())),
    }
)


def activation(name: str) -> Activation:
    """Return the activation of that name with its default parameters.

    Raises:
        UnknownNameError: no such activation; the message gives the closest names.

    >>> activation("relu2")
    ReLU(power=2)
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
