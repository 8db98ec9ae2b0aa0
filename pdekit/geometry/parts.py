"""Names of boundary parts: with a dot they belong to groups, "hole1" stands for "hole1.left", "hole1.right" and so on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain import Where
from ..errors import unknown_name

HOLE = "hole"
"""Parts called hole1, hole2, ... are the group "holes"."""


def groups(parts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Parts by every name that stands for some of them: their own, those of groups, "holes", "boundary".

    >>> groups(("left", "hole1.a", "hole1.b"))["hole1"]
    ('hole1.a', 'hole1.b')
    """
    found: dict[str, tuple[str, ...]] = {"boundary": tuple(parts)}
    for part in parts:
        words = part.split(".")
        for length in range(1, len(words) + 1):
            name = ".".join(words[:length])
            found[name] = (*found.get(name, ()), part)
    holes = tuple(part for part in parts if part.split(".")[0].rstrip("0123456789") == HOLE)
    return found | ({"holes": holes} if holes else {})


def resolved(where: Where, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Part names of `where`, each once, in the order given.

    Raises:
        UnknownNameError: a name that is none, with the closest.
    """
    found: dict[str, None] = {}
    for name in (where,) if isinstance(where, str) else where:
        if name not in known:
            raise unknown_name("boundary part", name, known)
        found |= dict.fromkeys(known[name])
    if not found:
        raise unknown_name("boundary part", where, known)
    return tuple(found)
