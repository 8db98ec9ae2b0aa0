"""Problems of one's own: found in a Python file by name, and traced back to it."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, final

from .errors import ProblemError, unknown_name
from .files import missing
from .operator_problem import OperatorProblem
from .problem import Problem

SEPARATOR: Final = ":"
_Kind = TypeVar("_Kind", Problem, OperatorProblem)


@final
@dataclass(frozen=True)
class Origin:
    """A name in a Python file, written file.py:Name.

    Args:
        file: the file.
        name: of a problem or family, or of a class or function that makes one.
    """

    file: Path
    name: str

    @staticmethod
    def parsed(text: str) -> Origin | None:
        """The origin that a text names; None if it has not the form file.py:Name."""
        file, separator, name = text.rpartition(SEPARATOR)
        if not separator or not file.endswith(".py") or not name:
            return None
        return Origin(Path(file), name)

    def __str__(self) -> str:
        return f"{self.file}{SEPARATOR}{self.name}"

    def load(self) -> Problem | OperatorProblem | Callable[..., object]:
        """What the name stands for; the file is run, once per process.

        Raises:
            FileNotFoundError: with the nearest existing path.
            UnknownNameError: no such name in the file, with the closest.
            ProblemError: the file fails (the cause is chained), or the name stands for something else.
        """
        names = vars(_module(self.file))
        if self.name not in names:
            raise unknown_name(str(self.file), self.name, [key for key in names if not key.startswith("_")])
        value = names[self.name]
        if isinstance(value, Problem | OperatorProblem) or callable(value):
            return value
        raise ProblemError(
            f"{self}: got {type(value).__name__}, expected a Problem, its class, or a function making one"
        )


def made(owner: str, maker: Callable[..., object], **parameters: object) -> Problem:
    """What a user's class or function makes.

    Raises:
        ProblemError: the call fails (the cause is chained), or what comes of it is no problem.
    """
    return _made(Problem, owner, maker, parameters)  # type: ignore[type-abstract]


def made_family(owner: str, maker: Callable[..., object], **parameters: object) -> OperatorProblem:
    """The same for a family of problems."""
    return _made(OperatorProblem, owner, maker, parameters)  # type: ignore[type-abstract]


def _made(kind: type[_Kind], owner: str, maker: Callable[..., object], parameters: Mapping[str, object]) -> _Kind:
    try:
        found = maker(**parameters)
    except Exception as error:
        raise ProblemError(f"{owner}: calling it failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, kind):
        raise ProblemError(f"{owner}: got {type(found).__name__} from calling it, expected a {kind.__name__}")
    return found


def origin(problem: Problem | OperatorProblem) -> Origin | None:
    """File and name of a user's problem or its class.

    None for the catalogue's problems, for those of a script that is running now (it is not run a second time for the
    sake of a class in it), and where no name leads to them, as for classes made inside functions.
    """
    kind = type(problem)
    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__" or kind.__module__.partition(".")[0] == __package__:
        return None
    names, file = vars(module), module.__file__
    name = next((key for key, value in names.items() if value is problem), None)
    repeatable = dataclasses.is_dataclass(kind) or kind.__init__ is object.__init__
    if name is None and repeatable and names.get(kind.__name__) is kind:
        name = kind.__name__
    return None if file is None or name is None else Origin(Path(file).absolute(), name)


def _module(path: Path) -> types.ModuleType:
    path = path.absolute()
    if not path.is_file():
        raise missing("problem file", path)
    name = f"pdekit_user_{path.stem}_{abs(hash(str(path))):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProblemError(f"{path}: got a file that Python cannot import, expected one ending in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    sys.path.insert(0, str(path.parent))  # so that it can import its neighbours, as a script can
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ProblemError(f"{path}: running it failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module
