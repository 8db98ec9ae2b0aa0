"""Frozen dataclasses to plain tables and back; classes come from a given registry, never from a file.

>>> @dataclass(frozen=True)
... class Disc:
...     radius: float = 1.0
>>> encode(Disc(2.0))
{'kind': 'Disc', 'radius': 2.0}
>>> Reader({"Disc": Disc}).build(Disc, {"radius": 3}, "disc")
Disc(radius=3.0)
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, final

from .errors import ConfigError, unknown_name

KIND = "kind"
"""Key under which a table names the class it describes."""
_NONE = "none"
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def encode(value: object) -> Any:  # noqa: PLR0911 (one per kind of value)
    """Plain data for a configuration value: numbers, strings, lists, and tables with the key "kind".

    Enumerations are written by their names in lower case. What is no configuration (a function, say) leaves only its
    name, and can then not be read back.
    """
    match value:
        case None:
            return {KIND: _NONE}
        case enum.Enum():
            return _slug(value.name)
        case bool() | str():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value)
        case Mapping():
            return {str(key): encode(item) for key, item in value.items()}
        case tuple() | list():
            return [encode(item) for item in value]
    table: dict[str, Any] = {KIND: getattr(value, "__qualname__", type(value).__name__)}
    if dataclasses.is_dataclass(value):
        for name, parameter in parameters(type(value)).items():
            item = getattr(value, name)
            if not (item is None and parameter.default is None):
                table[name] = encode(item)
    return table


@final
@dataclass(frozen=True)
class Parameter:
    """A parameter of a configuration class: its type, and its default where it has one."""

    annotation: Any
    default: Any = dataclasses.MISSING


def parameters(kind: type) -> dict[str, Parameter]:
    """What a configuration class is built from, by name; the instance has attributes of the same names."""
    constructor = vars(kind)["__init__"]
    hints, signature = typing.get_type_hints(constructor), inspect.signature(constructor).parameters
    return {name: Parameter(hints[name], p.default) for name, p in signature.items() if name != "self"}


@final
@dataclass(frozen=True)
class Reader:
    """Builds configuration values from plain tables or from text.

    Args:
        kinds: configuration classes by name; no other class is ever built.
        named: by interface, the short names of ready instances and what makes them.
    """

    kinds: Mapping[str, type]
    named: Mapping[type, Mapping[str, Callable[[], Any]]] = field(default_factory=dict)

    def read(self, annotation: Any, value: Any, where: str, text: bool = False) -> Any:  # noqa: PLR0911 (one per type)
        """The value that `value` describes, of the annotated type.

        Args:
            annotation: a type as dataclass fields are annotated with.
            value: plain data.
            where: what messages call it.
            text: whether strings may stand for numbers, lists and None, as on a command line.

        Raises:
            ConfigError: not of that type.
            UnknownNameError: no such name, with the closest.
        """
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation is Any or annotation is object:
            return value
        if origin in (typing.Union, types.UnionType):
            return self._union(args, value, where, text)
        if annotation in _LEAVES:
            return _leaf(annotation, value, where, text)
        if isinstance(annotation, enum.EnumMeta):
            return _member(annotation, value, where)
        if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Sequence)):
            return self._sequence(args, value, where, text)
        if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
            return {key: self.read(args[1], item, f"{where}.{key}", text) for key, item in value.items()}
        return self._object(annotation, value, where)

    def build(self, kind: type, table: Mapping[str, Any], where: str, text: bool = False) -> Any:
        """An instance of a dataclass from the table of its fields; absent fields get their defaults."""
        known = parameters(kind)
        given = {key: value for key, value in table.items() if key != KIND}
        for key in given:
            if key not in known:
                raise unknown_option(where, key, known)
        arguments = {
            key: self.read(known[key].annotation, value, f"{where}.{key}", text and isinstance(value, str))
            for key, value in given.items()
        }
        try:
            return kind(**arguments)
        except ConfigError:
            raise
        except TypeError as error:  # a required field is absent
            raise ConfigError(f"{where}: got {sorted(given)} for {kind.__name__}: {error}") from error

    def updated(self, value: Any, table: Mapping[str, Any], where: str, text: bool = False) -> Any:
        """`value` with the fields that `table` names replaced; a table without "kind" changes the nested value."""
        known = parameters(type(value))
        changes = {}
        for key, raw in table.items():
            if key not in known:
                raise unknown_option(where, key, known)
            current, path = getattr(value, key), f"{where}.{key}"
            if isinstance(raw, Mapping) and KIND not in raw and dataclasses.is_dataclass(current):
                changes[key] = self.updated(current, raw, path)
            else:
                changes[key] = self.read(known[key].annotation, raw, path, text and isinstance(raw, str))
        return changed(value, changes)

    def _union(self, members: tuple[Any, ...], value: Any, where: str, text: bool) -> Any:
        if type(None) in members and (value is None or value == {KIND: _NONE} or (text and value == _NONE)):
            return None
        members = tuple(m for m in members if m is not type(None))
        failures: list[Exception] = []
        for member in members:
            try:
                return self.read(member, value, where, text)
            except (ConfigError, LookupError) as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        raise ConfigError(f"{where}: got {value!r}, expected {' or '.join(_describe(m) for m in members)}")

    def _sequence(self, args: tuple[Any, ...], value: Any, where: str, text: bool) -> tuple[Any, ...]:
        if text and isinstance(value, str):
            value = [part.strip() for part in value.strip("()[]").split(",") if part.strip()]
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: got {value!r} ({type(value).__name__}), expected a list")
        if len(args) == 2 and args[1] is Ellipsis:
            args = (args[0],) * len(value)
        elif len(args) == 1:  # Sequence[X]
            args *= len(value)
        if len(args) != len(value):
            raise ConfigError(f"{where}: got {len(value)} values, expected {len(args)}")
        return tuple(self.read(a, v, f"{where}.{i}", text) for i, (a, v) in enumerate(zip(args, value, strict=True)))

    def _object(self, annotation: Any, value: Any, where: str) -> Any:
        if isinstance(value, Mapping) and KIND in value:
            kind = self._kind(annotation, str(value[KIND]), where)
            return self.build(kind, value, where)
        if not isinstance(value, str):
            raise ConfigError(
                f"{where}: got {value!r}, expected {_describe(annotation)}: a name or a table with 'kind'"
            )
        ready = self.named.get(annotation, {})
        if value in ready:
            return ready[value]()
        return self.build(self._kind(annotation, value, where, ready), {}, where)

    def _kind(self, annotation: Any, name: str, where: str, more: Iterable[str] = ()) -> type:
        fitting = {key: kind for key, kind in self.kinds.items() if _fits(kind, annotation)}
        found = {_plain(key): kind for key, kind in fitting.items()}.get(_plain(name))
        if found is None:
            raise unknown_name(where, name, [*fitting, *more])
        return found


def unknown_option(owner: str, key: str, known: Iterable[str]) -> ConfigError:
    """Build the error for an option that does not exist, with the closest one."""
    close = difflib.get_close_matches(key.rpartition(".")[2], sorted(known), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return ConfigError(
        f"{owner}: got unknown option {key!r}, expected one of {', '.join(sorted(known)) or 'none'}{hint}"
    )


def changed(value: Any, changes: Mapping[str, Any]) -> Any:
    """`dataclasses.replace`, also for classes that write their own constructor."""
    return type(value)(**{name: changes.get(name, getattr(value, name)) for name in parameters(type(value))})


def _as_bool(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError(text)


_LEAVES: Mapping[type, tuple[str, Callable[[str], Any]]] = {
    bool: ("true or false", _as_bool),
    int: ("an integer", int),
    float: ("a number", float),
    str: ("a string", str),
}


def _leaf(annotation: type, value: Any, where: str, text: bool) -> Any:
    expected, parse = _LEAVES[annotation]
    if text and isinstance(value, str):
        try:
            return parse(value)
        except ValueError:
            pass
    elif type(value) is annotation:
        return value
    elif annotation is float and type(value) is int:
        return float(value)
    raise ConfigError(f"{where}: got {value!r} ({type(value).__name__}), expected {expected}")


def _member(choices: enum.EnumMeta, value: Any, where: str) -> Any:
    members: list[enum.Enum] = list(choices)
    for member in members:
        if value == member.value or (isinstance(value, str) and _plain(value) == _plain(member.name)):
            return member
    raise unknown_name(where, value, [_slug(member.name) for member in members])


def _fits(kind: type, annotation: Any) -> bool:
    """Whether instances of a dataclass can stand where `annotation` is asked for; interfaces by their members."""
    if not isinstance(annotation, type):
        return True
    if not getattr(annotation, "_is_protocol", False):
        return issubclass(kind, annotation)
    own = [item for base in annotation.__mro__[:-1] if base.__module__ != "typing" for item in vars(base).items()]
    members = {name: member for name, member in own if name == "__call__" or not name.startswith("_")}
    return all(_offers(kind, name, member) for name, member in members.items())


def _offers(kind: type, name: str, member: object) -> bool:
    """Whether a class has this member of an interface, with the same parameters if it is a method."""
    if not inspect.isfunction(member):
        return name in dir(kind) or name in {f.name for f in dataclasses.fields(kind)}
    method = getattr(kind, name, None)
    return callable(method) and set(inspect.signature(member).parameters) <= set(inspect.signature(method).parameters)


def _describe(annotation: Any) -> str:
    if annotation in _LEAVES:
        return _LEAVES[annotation][0]
    return str(getattr(annotation, "__name__", annotation))


def _slug(name: str) -> str:
    return name.lower().replace("_", "-")


def same_name(a: str, b: str) -> bool:
    """Whether two names differ only in case, hyphens and underscores."""
    return _plain(a) == _plain(b)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
