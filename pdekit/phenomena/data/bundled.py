"""Small data sets that scikit-learn brings along; nothing is downloaded."""

from __future__ import annotations

import numpy as np

from ...environment import version
from ...errors import MissingDataError
from .samples import Samples


def digits() -> Samples:
    """1797 handwritten digits, x (1797, 8, 8) in [0, 1].

    Raises:
        MissingDataError: scikit-learn is not installed.

    Reference: Alpaydin and Kaynak 1998, doi:10.24432/C50P49.
    """
    return _loaded("digits", (8, 8), 16.0)


def iris() -> Samples:
    """150 flowers of three species, x (150, 4): lengths and widths of sepals and petals in cm.

    Raises:
        MissingDataError: scikit-learn is not installed.

    Reference: Fisher 1936, doi:10.1111/j.1469-1809.1936.tb02137.x.
    """
    return _loaded("iris", (4,), 1.0)


def _loaded(name: str, shape: tuple[int, ...], scale: float) -> Samples:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingDataError(
            f"data set {name!r}: got no scikit-learn, expected the package, which bundles it; pip install scikit-learn"
        ) from error
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    provenance = f"{name} of scikit-learn {version('scikit-learn')}"
    return Samples(np.asarray(x, np.float64).reshape(-1, *shape) / scale, np.asarray(y, np.int64), provenance)
