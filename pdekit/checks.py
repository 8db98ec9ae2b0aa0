"""Checks of scalar options, for the constructors of configs: every refusal names key, value and type."""

from __future__ import annotations

import math
import os
from enum import Enum

from .errors import ConfigError, MemoryBudgetError


def real(owner: str, key: str, value: object, *, low: float, high: float = math.inf, open_low: bool = True) -> None:
    """Refuse a value that is not a finite number with low < value <= high (low <= value if not `open_low`).

    Raises:
        ConfigError: naming owner, key, value and type.

    >>> real("Adam", "learning_rate", 1e-3, low=0.0)
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and math.isfinite(value) and (value > low or (value == low and not open_low)) and value <= high:  # type: ignore[operator, arg-type]
        return
    lower = f"{'more than' if open_low else 'at least'} {low:g}"
    upper = "" if high == math.inf else f" and at most {high:g}"
    raise ConfigError(
        f"{owner}: {key}: got {value!r} ({type(value).__name__}), expected a finite number {lower}{upper}"
    )


def integer(owner: str, key: str, value: object, *, low: int = 1) -> None:
    """Refuse a value that is not an int of at least `low`; bools and floats are refused too.

    Raises:
        ConfigError: naming owner, key, value and type.

    >>> integer("Phase", "steps", 100)
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return
    raise ConfigError(f"{owner}: {key}: got {value!r} ({type(value).__name__}), expected an integer of at least {low}")


def member(owner: str, key: str, value: object, kind: type[Enum]) -> None:
    """Refuse a value that is no member of an enumeration.

    Raises:
        ConfigError: naming owner, key, value and the choices.
    """
    if not isinstance(value, kind):
        choices = ", ".join(str(choice) for choice in kind)
        raise ConfigError(f"{owner}.{key}: got {value!r}, expected one of {choices}")


def memory(owner: str, what: str, needed: int, cure: str) -> None:
    """Refuse an allocation of more than half the memory of this machine, before it is attempted.

    Args:
        owner: what messages begin with.
        what: takes the memory.
        needed: bytes.
        cure: what to do instead.

    Raises:
        MemoryBudgetError: with both numbers of bytes.
    """
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    if needed > limit:
        raise MemoryBudgetError(
            f"{owner}: {what} takes {needed:,} bytes, expected at most {limit:,} (half the memory of this machine); {cure}"
        )
