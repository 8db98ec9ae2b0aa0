"""Checks of a training before its first step: each refusal says which player, parameter, term or weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from .errors import ConfigError, GraphError, NonFiniteError, ShapeError, unknown_name
from .optim import SystemOptimizer
from .recipe import Objective, Phase, system_of

RESERVED_COLUMNS = frozenset({"step", "phase", "seconds", "loss"})

_SAME_LOSS = 1e-3  # relative; both are sums of the same numbers, in float32 perhaps


def trainable(player: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that gradients move."""
    return [p for p in player.parameters() if p.requires_grad]


def check_players(players: Mapping[str, nn.Module], phases: Sequence[Phase]) -> None:
    """Refuse unknown players, players that cannot move, and weights that are not finite.

    Raises:
        UnknownNameError, ConfigError, NonFiniteError
    """
    if not phases:
        raise ConfigError("train: phases: got none, expected at least one Phase")
    for name in dict.fromkeys(turn.player for phase in phases for turn in phase.turns):
        if name not in players:
            raise unknown_name("player", name, players)
        if not trainable(players[name]):
            raise ConfigError(
                f"player {name!r}: got no trainable parameter, expected at least one with requires_grad=True"
            )
    for player, module in players.items():
        for name, p in module.named_parameters():
            bad = int((~torch.isfinite(p.detach())).sum())
            if bad:
                raise NonFiniteError(
                    f"player {player!r}: parameter {name!r}: got {bad} of {p.numel()} entries NaN or infinite, "
                    "expected finite initial weights; check the initialisation"
                )


def check_terms(objective: Objective, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Evaluate a player's losses once and refuse what cannot be trained.

    Returns:
        The raw terms.

    Raises:
        ShapeError: for a term that is not a scalar.
        NonFiniteError: for a term that is NaN or infinite at the initial weights.
        GraphError: for terms none of which depends on the player's parameters.
    """
    terms = objective.losses(player, batch)
    if not terms:
        raise ConfigError(f"player {player!r}: got no loss terms, expected at least one")
    for name, term in terms.items():
        if name in RESERVED_COLUMNS:
            raise ConfigError(f"player {player!r}: loss term {name!r} has the name of a history column; rename it")
        if term.shape != ():
            raise ShapeError(
                f"player {player!r}: loss term {name!r}: got shape {tuple(term.shape)}, expected a scalar ()"
            )
        if not math.isfinite(float(term.detach())):
            raise NonFiniteError(
                f"player {player!r}: loss term {name!r}: got {float(term.detach())} at the initial weights, "
                "expected a finite number; check source and coefficients at the points"
            )
    attached = [term for term in terms.values() if term.requires_grad]
    parameters = trainable(objective.players[player])
    gradients: Sequence[Tensor | None] = [None]
    if attached and parameters:
        whole = sum(attached, start=torch.zeros_like(attached[0]))
        gradients = torch.autograd.grad(whole, parameters, allow_unused=True)
    if parameters and all(g is None for g in gradients):  # a frozen player is only recorded
        raise GraphError(
            f"player {player!r}: the loss ({', '.join(terms)}) does not depend on the network: no gradient reaches its "
            "parameters; expected torch operations on the network's output, without .detach(), .item() or NumPy"
        )
    return terms


def check_systems(
    objective: Objective, phases: Sequence[Phase], batch: Mapping[str, Tensor], weights: Mapping[str, float]
) -> None:
    """Refuse second-order optimisers where the objective, or its size, does not suit them.

    Raises:
        NotApplicableError: no residuals, or not the kind the optimiser needs.
        MemoryBudgetError: the Jacobian and what is made of it would not fit, before anything is allocated.
        ConfigError: the squares of the residuals do not sum to the loss, though the objective says so.
    """
    for turn in dict.fromkeys(turn for phase in phases for turn in phase.turns):
        if isinstance(turn.optimizer, SystemOptimizer):
            system = system_of(objective, turn.player, batch, weights)
            turn.optimizer.check(system)
            if not system.least_squares:
                continue
            loss, squares = system.loss(), float(system.residual().square().sum())
            if abs(loss - squares) > _SAME_LOSS * (abs(loss) + abs(squares)):
                raise ConfigError(
                    f"player {turn.player!r}: the squares of its residuals sum to {squares:.6g}, expected its loss "
                    f"{loss:.6g}; give each block the root of its point weights, or set least_squares to False"
                )


def checked_weights(weights: Mapping[str, float] | None, terms: Iterable[str]) -> dict[str, float]:
    """Return the weight of every term; 1 for all if none are given.

    Raises:
        ConfigError: for missing or surplus names, negative or non-finite weights, or all zero.
    """
    names = tuple(dict.fromkeys(terms))
    if weights is None:
        return dict.fromkeys(names, 1.0)
    if set(weights) != set(names):
        raise ConfigError(
            f"weights: got {len(weights)} ({', '.join(weights) or 'none'}), expected {len(names)} ({', '.join(names)}); "
            "give one weight per loss term"
        )
    for index, (name, weight) in enumerate(weights.items()):
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise ConfigError(
                f"weights[{name!r}] (index {index}): got {weight!r} ({type(weight).__name__}), "
                "expected a finite number of at least 0"
            )
    if not any(weights.values()):
        raise ConfigError(f"weights: got all {len(names)} zero ({', '.join(names)}), expected at least one positive")
    return {name: float(weights[name]) for name in names}
