"""`python -m pdekit`: the same as the command `pdekit`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
