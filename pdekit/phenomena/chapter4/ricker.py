"""freq-activation-ricker: an activation that oscillates finely takes away the order of frequencies."""

from __future__ import annotations

import numpy as np

from ...nn import Ricker
from ...optim import Adam
from ..curves import Curve
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..records import Periodic
from .activation_runs import ActivationRuns, arrays, disorder_claim, figures, order_claim, outcomes, zero_claim
from .three_modes import BOOK

FITTED = 1e-4
"""Training loss from which on test errors are compared."""
FACTOR = 100.0
"""By how much the test errors differ."""


def run(config: ActivationRuns, context: Context) -> Finding:
    """Train with a narrow and a wide Ricker wavelet and compare order and test error."""
    plain, zero, wide = found = outcomes(config, context)
    fitted = np.max([outcome.train for outcome in found], axis=0)
    gap = np.minimum(plain.test, zero.test) / wide.test
    claims = (
        order_claim("a wide wavelet keeps the order of frequencies", config, wide, 5.0),
        disorder_claim("a narrow one removes it", config, plain, 2.5),
        disorder_claim("so it does from a zero initial output", config, zero, 2.5),
        Claim.over_seeds(
            "all three fit the training points",
            f"training losses at the end <= {FITTED:g} in every seed",
            {"narrow": plain.train.tolist(), "narrow, zero": zero.train.tolist(), "wide": wide.train.tolist()},
            (fitted <= FITTED).tolist(),
            share=1.0,
        ),
        Claim.over_seeds(
            "the narrow one oscillates between the training points",
            f"test errors of the narrow wavelet >= {FACTOR:g} x that of the wide one in every seed",
            {
                "narrow": plain.test.tolist(),
                "narrow, zero": zero.test.tolist(),
                "wide": wide.test.tolist(),
                "ratio": gap.tolist(),
            },
            (gap >= FACTOR).tolist(),
            share=1.0,
        ),
        zero_claim(zero, wide),
    )
    return Finding(claims, arrays(config, found), figures(config, found))


EXPERIMENT = Experiment(
    id="freq-activation-ricker",
    chapter=4,
    source="Figs. 4.8, 4.9, 6.3; eqs. 4.3, 6.1, section 4.2.1",
    title="a narrow Ricker activation breaks the order of frequencies, and generalisation with it",
    quick=ActivationRuns(
        Ricker(0.1), Ricker(0.3), Curve(fit=Fit(3000, Adam(2e-4), record=Periodic(1), stop_loss=1e-5))
    ),
    full=ActivationRuns(
        Ricker(0.1), Ricker(0.3), Curve(points=600, network=BOOK, fit=Fit(6000, Adam(1e-5), record=Periodic(1)))
    ),
    run=run,
)
