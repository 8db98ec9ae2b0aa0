"""Reference: the solution that errors are measured by, exact or computed, with an error of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import Tensor

from .checks import real


@final
@dataclass(frozen=True, eq=False)
class Reference:
    """A solution as good as is known.

    Args:
        function: u at x (n, d) as (n, m), float64 on the CPU.
        error: its own relative L2 error, as two resolutions show it; 0 for an exact solution.
        origin: where it comes from, in a few words.

    Raises:
        ConfigError: a negative error, or one that is no number.
    """

    function: Callable[[Tensor], Tensor]
    error: float = 0.0
    origin: str = "exact"

    def __post_init__(self) -> None:
        real("Reference", "error", self.error, low=0.0, open_low=False)

    def __call__(self, x: Tensor) -> Tensor:
        """u at x."""
        return self.function(x)

    @property
    def exact(self) -> bool:
        """Whether it has no error of its own."""
        return self.error == 0.0
