"""Arrays of numbers at a public boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error


def finite_array(name: str, value: ArrayLike, unit: str) -> NDArray[np.float64]:
    """Return ``value`` as an array of float.

    Args:
        name: the argument's public name.
        value: any shape; may be empty.
        unit: for the message.

    Raises:
        ArgumentError: a number is not finite; says which one.
    """
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise argument_error(name, f"hold finite numbers in {unit}", array[~np.isfinite(array)].flat[0])
    return array
