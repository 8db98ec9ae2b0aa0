"""The problem catalogue: classes by name, each with its exact solution; and families of problems.

>>> problem("poisson-sine", k=4)
PoissonSine(k=4)
>>> family("antiderivative", points=64)
Antiderivative(length_scale=0.2, points=64)
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import typing

from ..errors import ConfigError, unknown_name
from ..operator_problem import OperatorProblem
from ..problem import Problem
from .antiderivative import Antiderivative as Antiderivative
from .arrays import UserArrays as UserArrays
from .darcy_family import DarcyFamily as DarcyFamily
from .darcy_family import Permeability as Permeability
from .disk import LShape as LShape
from .disk import PoissonDisk as PoissonDisk
from .evolution_families import AdvectionFamily as AdvectionFamily
from .evolution_families import BurgersFamily as BurgersFamily
from .four_modes import PoissonFourModes as PoissonFourModes
from .four_modes import PoissonFourModes2D as PoissonFourModes2D
from .four_modes import PoissonFourModes3D as PoissonFourModes3D
from .heat import Heat as Heat
from .helmholtz import Helmholtz as Helmholtz
from .multiscale import EllipticMultiscale2D as EllipticMultiscale2D
from .multiscale import EllipticThreeScale as EllipticThreeScale
from .multiscale import EllipticTwoScale as EllipticTwoScale
from .newton import NewtonLaw as NewtonLaw
from .nonlinear import PLaplace as PLaplace
from .plates import Biharmonic as Biharmonic
from .poisson_family import PoissonFamily as PoissonFamily
from .poisson_family import PoissonInput as PoissonInput
from .poisson_nd import PoissonND as PoissonND
from .poisson_nd import Variant as Variant
from .porous import PoissonBoltzmann as PoissonBoltzmann
from .porous import PoissonPorous as PoissonPorous
from .sine import PoissonMscale1D as PoissonMscale1D
from .sine import PoissonSine as PoissonSine
from .sine import PoissonTwoFrequency as PoissonTwoFrequency

CATALOGUE: typing.Final[typing.Mapping[str, type[Problem]]] = {
    "newton-law": NewtonLaw,
    "poisson-four-modes": PoissonFourModes,
    "poisson-four-modes-2d": PoissonFourModes2D,
    "poisson-four-modes-3d": PoissonFourModes3D,
    "poisson-sine": PoissonSine,
    "poisson-mscale-1d": PoissonMscale1D,
    "poisson-two-frequency": PoissonTwoFrequency,
    "elliptic-two-scale": EllipticTwoScale,
    "elliptic-three-scale": EllipticThreeScale,
    "elliptic-multiscale-2d": EllipticMultiscale2D,
    "helmholtz": Helmholtz,
    "p-laplace": PLaplace,
    "biharmonic": Biharmonic,
    "poisson-porous": PoissonPorous,
    "poisson-boltzmann": PoissonBoltzmann,
    "disk": PoissonDisk,
    "l-shape": LShape,
    "heat": Heat,
    "poisson-nd": PoissonND,
}
"""Problem classes by the names the shell knows."""

FAMILIES: typing.Final[typing.Mapping[str, type[OperatorProblem]]] = {
    "antiderivative": Antiderivative,
    "poisson-family": PoissonFamily,
    "darcy-family": DarcyFamily,
    "burgers-family": BurgersFamily,
    "advection-family": AdvectionFamily,
    "arrays": UserArrays,
}
"""Families of problems by the names the shell knows."""

_Kind = typing.TypeVar("_Kind")


def names() -> tuple[str, ...]:
    """Names of all problems, in the order of the catalogue."""
    return tuple(CATALOGUE)


def problem(name: str, **parameters: object) -> Problem:
    """The problem of that name with these parameters; enumerated ones may be given by their values.

    Raises:
        UnknownNameError: no such problem, with the closest names.
        ConfigError: no such parameter, with the closest, or an impossible value.
    """
    return _built("problem", CATALOGUE, name, parameters)


def family(name: str, **parameters: object) -> OperatorProblem:
    """The family of that name with these parameters; enumerated ones may be given by their values.

    Raises:
        UnknownNameError: no such family, with the closest names.
        ConfigError: no such parameter, with the closest, or an impossible value.
    """
    return _built("family", FAMILIES, name, parameters)


def _built(what: str, kinds: typing.Mapping[str, type[_Kind]], name: str, parameters: dict[str, object]) -> _Kind:
    if name not in kinds:
        raise unknown_name(what, name, kinds)
    kind = kinds[name]
    types = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key, value in parameters.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            raise ConfigError(
                f"{name}: got parameter {key!r}, expected one of {', '.join(known) or 'none'}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
        if isinstance(types[key], enum.EnumMeta) and isinstance(value, str):
            parameters[key] = _member(f"{name}.{key}", types[key], value)
    return kind(**parameters)


def _member(owner: str, choices: enum.EnumMeta, value: str) -> object:
    for choice in choices:  # type: ignore[var-annotated]
        if choice.value == value:
            return choice
    raise unknown_name(owner, value, [choice.value for choice in choices])  # type: ignore[var-annotated]
