"""Names of test cases that are the same in every process, so that they can be shared out among several."""

from __future__ import annotations

import re


def stable(value: object) -> str:
    """The value's printed form without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
