"""Options by name: `--set width=128` finds the field it means inside a nested configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from .codec import KIND, Reader, changed, encode, parameters, same_name, unknown_option
from .errors import ConfigError


@final
@dataclass(frozen=True)
class Slot:
    """A field somewhere inside a configuration."""

    path: tuple[str, ...]
    annotation: Any
    current: Any

    @property
    def dotted(self) -> str:
        """The full path, as an option names it."""
        return ".".join(self.path)


def with_options(
    value: Any, options: Mapping[str, Any], reader: Reader, owner: str = "solver", also: Iterable[str] = ()
) -> Any:
    """`value` with options replaced by name, as `--set key=value` gives them.

    A key is a field's name or a dotted path, of which the beginning may be left out; the shallowest field of that name
    is meant. Options of shallow fields are applied first, so that `network=resnet` and `width=20` go together.

    Args:
        value: the configuration.
        options: text (or plain data) by option.
        reader: what options may name.
        owner: what messages call the configuration.
        also: further names to suggest where there is no such option.

    Raises:
        ConfigError: no such option, with the closest; several at the same depth, with their full names; a wrong value.
    """
    left = dict(options)
    while left:
        found = {key: slot for key in left if (slot := find(value, key, owner)) is not None}
        if not found:
            known = {slot.path[-1] for level in _levels(value) for slot in level}
            raise unknown_option(owner, next(iter(left)), known | set(also))
        key = min(found, key=lambda k: len(found[k].path))
        slot, raw = found[key], left.pop(key)
        if _is_already(slot, raw, reader):
            continue
        new = reader.read(slot.annotation, raw, f"{owner}.{slot.dotted}", text=isinstance(raw, str))
        value = _replaced(value, slot.path, new)
    return value


def find(value: Any, key: str, owner: str) -> Slot | None:
    """The shallowest field of `value` that `key` names; None if there is none."""
    wanted = tuple(key.split("."))
    for level in _levels(value):
        matches = [slot for slot in level if slot.path[-len(wanted) :] == wanted]
        if len(matches) > 1:
            raise ConfigError(
                f"{owner}: option {key!r} is ambiguous, expected one of {', '.join(slot.dotted for slot in matches)}"
            )
        if matches:
            return matches[0]
    return None


def _is_already(slot: Slot, raw: Any, reader: Reader) -> bool:
    """Whether an option names the class that is there: then that configuration stays, not the class's defaults."""
    ready = reader.named.get(slot.annotation, {})
    return isinstance(raw, str) and raw not in ready and same_name(raw, type(slot.current).__name__)


def listing(value: Any) -> dict[str, Any]:
    """All options of a configuration by dotted name, in order; a nested configuration's own entry is its class."""
    found: dict[str, Any] = {}
    for name in parameters(type(value)):
        item = getattr(value, name)
        plain = encode(item)
        found[name] = plain[KIND] if isinstance(plain, dict) and KIND in plain else plain
        if dataclasses.is_dataclass(item):
            found |= {f"{name}.{key}": inner for key, inner in listing(item).items()}
    return found


def _levels(value: Any) -> Iterator[list[Slot]]:
    """The fields inside a configuration, level by level."""
    above: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while above:
        level, below = [], []
        for path, owner in above:
            if isinstance(owner, tuple):
                below += [((*path, str(i)), item) for i, item in enumerate(owner)]
                continue
            if not dataclasses.is_dataclass(owner):
                continue
            for name, parameter in parameters(type(owner)).items():
                level.append(Slot((*path, name), parameter.annotation, getattr(owner, name)))
                below.append(((*path, name), getattr(owner, name)))
        if level:
            yield level
        above = below


def _replaced(value: Any, path: tuple[str, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, tuple):
        i = int(path[0])
        return (*value[:i], _replaced(value[i], path[1:], new), *value[i + 1 :])
    return changed(value, {path[0]: _replaced(getattr(value, path[0]), path[1:], new)})
