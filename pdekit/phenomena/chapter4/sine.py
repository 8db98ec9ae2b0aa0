"""freq-activation-sin: a fast sine as activation takes away the order of frequencies."""

from __future__ import annotations

from ...nn import Sine
from ...optim import Adam
from ..curves import Curve
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..records import Periodic
from .activation_runs import ActivationRuns, arrays, disorder_claim, figures, order_claim, outcomes, zero_claim
from .three_modes import BOOK

SAME = 3.0
"""Test errors up to this multiple of the training error count as generalisation."""
WORSE = 50.0
"""From this multiple on they do not."""


def run(config: ActivationRuns, context: Context) -> Finding:
    """Train with sin(10 z) and with sin z and compare order and test error."""
    plain, zero, slow = found = outcomes(config, context)
    quotients = [outcome.test / outcome.train for outcome in found]
    claims = (
        order_claim("a slow sine keeps the order of frequencies", config, slow, 20.0),
        disorder_claim("a fast one weakens or removes it", config, plain, 5.0),
        disorder_claim("so it does from a zero initial output", config, zero, 5.0),
        Claim.over_seeds(
            "the slow sine is as good between the training points as on them",
            f"test error / training loss <= {SAME:g} at the end in every seed",
            {"test": slow.test.tolist(), "train": slow.train.tolist(), "ratio": quotients[2].tolist()},
            (quotients[2] <= SAME).tolist(),
            share=1.0,
        ),
        *(
            Claim.over_seeds(
                f"the fast sine is not{start}",
                f"test error / training loss >= {WORSE:g} at the end in every seed",
                {"test": outcome.test.tolist(), "train": outcome.train.tolist(), "ratio": ratio.tolist()},
                (ratio >= WORSE).tolist(),
                share=1.0,
            )
            for start, outcome, ratio in zip(
                ("", ", from a zero initial output"), (plain, zero), quotients, strict=False
            )
        ),
        zero_claim(zero, slow),
    )
    return Finding(claims, arrays(config, found), figures(config, found))


EXPERIMENT = Experiment(
    id="freq-activation-sin",
    chapter=4,
    source="Fig. 4.10, section 4.2.1",
    title="a fast sine as activation breaks the order of frequencies, and generalisation with it",
    quick=ActivationRuns(Sine(10.0), Sine(1.0), Curve(fit=Fit(2500, Adam(2e-4), record=Periodic(1), stop_loss=1e-6))),
    full=ActivationRuns(
        Sine(10.0), Sine(1.0), Curve(points=600, network=BOOK, fit=Fit(20_000, Adam(1e-5), record=Periodic(2)))
    ),
    run=run,
)
