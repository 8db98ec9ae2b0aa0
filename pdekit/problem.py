"""Problem: the data of a partial differential equation, declared once; every form a solver needs is derived from it."""

from __future__ import annotations

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from .conditions import Condition, Dirichlet, Neumann, Periodic, Robin, evaluate, label
from .domain import Region
from .errors import NotApplicableError, ProblemError
from .jet import Jet, column
from .reference import Reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .check import Report
    from .discrete import Grid, LinearSystem


class Problem(ABC):
    """A partial differential equation with its domain and conditions.

    Subclass it, as a frozen dataclass if it has parameters; solvers read it and never change it.

    Attributes:
        name: the name the shell knows.
        hard_because: one line on what makes the problem hard, for listings.
        outputs: names of the unknown functions.
        unknowns: unknown coefficients of an inverse problem and the values to start from.
    """

    name: ClassVar[str] = "problem"
    hard_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    unknowns: ClassVar[Mapping[str, float]] = {}

    @property
    @abstractmethod
    def domain(self) -> Region:
        """Where the equation holds."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Boundary and initial conditions, observations."""

    @abstractmethod
    def residual(self, u: Jet) -> Tensor | tuple[Tensor, ...]:
        """Strong form at the jet's points, one column (n, 1) per equation; zero at the solution."""

    def exact(self, x: Tensor) -> Tensor | None:
        """Exact solution at x (n, d), as (n, m); None where it is not known."""
        return None

    def reference(self) -> Reference | None:
        """The solution to measure errors by: the exact one, or None where it is not known.

        Override it to compute one, with the error it has of its own. Whatever measures asks for it, solvers never do; so
        compute it there, once (`functools.lru_cache` on a function of the problem), and say in the class what that costs.
        """
        corner = torch.tensor([self.domain.lower], dtype=torch.float64)
        return None if self.exact(corner) is None else Reference(exact_of(self))

    def normal_flux(self, u: Jet, normal: Tensor) -> Tensor:
        """What Neumann and Robin conditions speak of: grad u . n, (n, 1)."""
        return (u.grad[:, 0, :] * normal[:, list(self.domain.space_axes)]).sum(dim=1, keepdim=True)

    def parameters(self) -> dict[str, Any]:
        """The problem's own parameters by name, empty unless it is a dataclass."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    def check(self) -> Report:
        """Look for declarations that cannot be right; raises the first error found, returns the warnings."""
        from .check import check_problem

        return check_problem(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw where the conditions hold, and which parts of the boundary have none."""
        from .plot_problem import plot_problem

        return plot_problem(self, ax)


class SecondOrder(Problem):
    """A scalar linear operator L u = -div(A grad u) + b . grad u + c u with source f, declared by its coefficients.

    Shapes: diffusion (n, 1) for a scalar A or (n, s, s) for a matrix over the s space axes; advection (n, s);
    reaction and source (n, 1). A coefficient that is None is the identity (diffusion) or zero.
    """

    def diffusion(self, x: Tensor) -> Tensor | None:
        """A(x); None for the identity."""
        return None

    def advection(self, x: Tensor) -> Tensor | None:
        """b(x); None for zero."""
        return None

    def reaction(self, x: Tensor) -> Tensor | None:
        """c(x); None for zero."""
        return None

    @abstractmethod
    def source(self, x: Tensor) -> Tensor:
        """f(x)."""

    def mean(self) -> float | None:
        """Mean of u over the domain, to be given where flux conditions alone leave u free up to a constant."""
        return None

    def operator(self, u: Jet) -> Tensor:
        """L u = -A : D2 u - (div A) . grad u + b . grad u + c u at the jet's points, (n, 1).

        div A is taken by automatic differentiation of `diffusion` at the points, once for as long as they last.
        """
        n, axes = len(u.x), self.domain.space_axes
        a = self._coefficient(u, "diffusion", None)
        if a is None:
            result = -u.laplacian
        elif a.ndim == 2:
            result = -a * u.laplacian
        else:
            names = [self.domain.names[axis] for axis in axes]
            result = u.x.new_zeros(n, 1)
            for i, j in itertools.product(range(len(names)), repeat=2):
                result = result - a[:, i, j, None] * u.d(names[i], names[j])
        slope = u.data("div A", self._divergence) if a is not None else None
        if slope is not None and slope.shape[1]:
            result = result - (slope * u.grad[:, 0, :]).sum(dim=1, keepdim=True)
        b = self._coefficient(u, "advection", len(axes))
        if b is not None:
            result = result + (b * u.grad[:, 0, :]).sum(dim=1, keepdim=True)
        c = self._coefficient(u, "reaction", 1)
        if c is not None:
            result = result + c * u.value
        return column(f"{self.name}: operator", result, n)

    def source_at(self, u: Jet) -> Tensor:
        """f at the jet's points, (n, 1)."""
        return u.data("source", lambda x: column(f"{self.name}.source", self.source(x), len(x)))

    def flux(self, u: Jet) -> Tensor:
        """A grad u, (n, s)."""
        a, gradient = self._coefficient(u, "diffusion", None), u.grad[:, 0, :]
        if a is None:
            return gradient
        return a * gradient if a.ndim == 2 else torch.einsum("nij,nj->ni", a, gradient)

    def normal_flux(self, u: Jet, normal: Tensor) -> Tensor:
        """A grad u . n, (n, 1)."""
        return (self.flux(u) * normal[:, list(self.domain.space_axes)]).sum(dim=1, keepdim=True)

    @property
    def symmetric(self) -> bool:
        """True without advection: then an energy exists."""
        return type(self).advection is SecondOrder.advection

    def _coefficient(self, u: Jet, which: str, width: int | None) -> Tensor | None:
        if getattr(type(self), which) is getattr(SecondOrder, which):
            return None
        function = getattr(self, which)
        values = u.data(which, function)
        if values is None:  # an override may still say "identity", as one that stands for another problem does
            return None
        s = len(self.domain.space_axes)
        if width is None and tuple(values.shape) == (len(u.x), s, s):
            return values
        return column(f"{self.name}.{which}", values, len(u.x), width or 1)

    def _divergence(self, x: Tensor) -> Tensor:
        """(n, s): sum over i of dA_ij/dx_i (for a scalar A its gradient); (n, 0) if A does not depend on x."""
        axes = list(self.domain.space_axes)
        with torch.enable_grad():
            at = x.detach().requires_grad_(True)
            a = self.diffusion(at)
            if a is None or not a.requires_grad:
                return x.new_zeros(len(x), 0)
            if a.ndim == 2:
                return torch.autograd.grad(a.sum(), at)[0][:, axes]
            slopes = []
            for j in range(len(axes)):
                rows = [
                    torch.autograd.grad(a[:, i, j].sum(), at, retain_graph=True)[0][:, axis]
                    for i, axis in enumerate(axes)
                ]
                slopes.append(torch.stack(rows).sum(dim=0))
            return torch.stack(slopes, dim=1)


class Variational(Problem):
    """A problem whose solution minimises an energy: the integral of `energy`, and of `boundary_energy` on natural parts."""

    @abstractmethod
    def energy(self, u: Jet) -> Tensor:
        """Density of the energy in the interior, (n, 1)."""

    @property
    def has_energy(self) -> bool:
        """Whether these coefficients allow an energy."""
        return True

    def natural(self, condition: Condition) -> bool:
        """Whether the minimiser meets a condition by itself, so that it is neither built in nor penalised."""
        return isinstance(condition, Neumann | Robin)

    def boundary_energy(self, condition: Neumann | Robin, u: Jet) -> Tensor:
        """Density of the energy on a natural part of the boundary, (n, 1): -g u, or 1/2 alpha u^2 - g u."""
        load = u.data(label(condition), lambda x: evaluate(label(condition), condition.value, x)) * u.value
        return 0.5 * condition.alpha * u.value**2 - load if isinstance(condition, Robin) else -load


class Elliptic(SecondOrder, Variational):
    """-div(A grad u) + b . grad u + c u = f: one declaration, from which every form is derived.

    strong:   residual = L u - f
    energy:   E(u) = int 1/2 A grad u . grad u + 1/2 c u^2 - f u  +  int_Neumann -g u  +  int_Robin 1/2 alpha u^2 - g u
    weak:     a(u, v) - l(v) = int A grad u . grad v + (b . grad u) v + c u v - f v  +  the same boundary terms
    discrete: `discretise(grid)`, finite differences of order 2 or 4

    Reference: book, sections 15.2.1 to 15.2.3.
    """

    def residual(self, u: Jet) -> Tensor:
        """L u - f, (n, 1)."""
        return self.operator(u) - self.source_at(u)

    def energy(self, u: Jet) -> Tensor:
        """Density of the energy in the interior, (n, 1).

        Raises:
            NotApplicableError: with advection there is no energy.
        """
        if not self.symmetric:
            raise NotApplicableError(
                f"{self.name}: has advection, an energy needs a symmetric operator; use the strong or weak form"
            )
        density = 0.5 * (self.flux(u) * u.grad[:, 0, :]).sum(dim=1, keepdim=True) - self.source_at(u) * u.value
        c = self._coefficient(u, "reaction", 1)
        return density if c is None else density + 0.5 * c * u.value**2

    @property
    def has_energy(self) -> bool:
        """True without advection."""
        return self.symmetric

    def weak_parts(self, u: Jet) -> tuple[Tensor, Tensor]:
        """What the weak form pairs with grad v, (n, s), and with v, (n, 1): A grad u and b . grad u + c u - f."""
        load = -self.source_at(u)
        b = self._coefficient(u, "advection", len(self.domain.space_axes))
        if b is not None:
            load = load + (b * u.grad[:, 0, :]).sum(dim=1, keepdim=True)
        c = self._coefficient(u, "reaction", 1)
        return self.flux(u), load if c is None else load + c * u.value

    def weak(self, u: Jet, v: Jet) -> Tensor:
        """Density of a(u, v) - l(v) in the interior, (n, 1)."""
        flux, load = self.weak_parts(u)
        return (flux * v.grad[:, 0, :]).sum(dim=1, keepdim=True) + load * v.value

    def boundary_weak(self, condition: Neumann | Robin, u: Jet) -> Tensor:
        """What the weak form pairs with v on a natural part of the boundary: -g, or alpha u - g; (n, 1)."""
        g = u.data(label(condition), lambda x: evaluate(label(condition), condition.value, x))
        return condition.alpha * u.value - g if isinstance(condition, Robin) else -g

    def discretise(self, grid: Grid, order: int = 2) -> LinearSystem:
        """Finite differences of this problem on a grid of its box; see `pdekit.discrete.assemble`."""
        from .discretise import discretise

        return discretise(self, grid, order)


class Parabolic(SecondOrder):
    """du/dt + L u = f on a box with time; coefficients may depend on space, the source on time too."""

    def residual(self, u: Jet) -> Tensor:
        """du/dt + L u - f, (n, 1)."""
        time = self.domain.time
        if time is None:
            raise NotApplicableError(f"{self.name}: the domain has no time coordinate; build it with Box.with_time")
        return u.d(time) + self.operator(u) - self.source_at(u)

    def discretise(self, grid: Grid, time: float, order: int = 2) -> LinearSystem:
        """Finite differences of L u = f in space at one time, boundary data included."""
        from .discretise import discretise

        return discretise(self, grid, order, time)


def conditions_of(problem: Problem, kind: type[Condition]) -> tuple[Any, ...]:
    """The problem's conditions of one kind."""
    return tuple(c for c in problem.conditions if isinstance(c, kind))


def exact_of(problem: Problem) -> Callable[[Tensor], Tensor]:
    """The exact solution of a problem that has one, as a function (n, d) -> (n, m)."""

    def exact(x: Tensor) -> Tensor:
        values = problem.exact(x)
        if values is None:
            raise ProblemError(f"{problem.name}.exact: returned None at some points only, expected values everywhere")
        return values

    return exact


def faces_of(problem: Problem) -> dict[str, Dirichlet | Neumann | Robin | Periodic]:
    """Which condition holds on each part of the boundary in space; parts without one are absent."""
    found: dict[str, Dirichlet | Neumann | Robin | Periodic] = {}
    for condition in problem.conditions:
        match condition:
            case Dirichlet() | Neumann() | Robin():
                found |= dict.fromkeys(problem.domain.resolve(condition.where), condition)
            case Periodic():
                found |= dict.fromkeys(problem.domain.resolve((f"{condition.axis}-", f"{condition.axis}+")), condition)
    return found
