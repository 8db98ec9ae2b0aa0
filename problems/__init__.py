"""The problem catalogue: classes by name, each with its exact solution.

>>> problem("poisson-sine", k=4)
PoissonSine(k=4)
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import typing

from ..errors import ConfigError, unknown_name
from ..problem import Problem
from .disk import LShape as LShape
from .disk import PoissonDisk as PoissonDisk
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


def names() -> tuple[str, ...]:
    """Names of all problems, in the order of the catalogue."""
    return tuple(CATALOGUE)


def problem(name: str, **parameters: object) -> Problem:
    """The problem of that name with these parameters; enumerated ones may be given by their values.

    Raises:
        UnknownNameError: no such problem, with the closest names.
        ConfigError: no such parameter, with the closest, or an impossible value.
    """
    if name not in CATALOGUE:
        raise unknown_name("problem", name, CATALOGUE)
    kind = CATALOGUE[name]
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
