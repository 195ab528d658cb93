"""Tables of drawn values beside NumPy arrays and PyTorch tensors, without importing PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def like(x: Any, table: NDArray[Any]) -> Any:
    """Return ``table`` as it is beside an array, and beside a tensor as one of its type and place."""
    return table if isinstance(x, np.ndarray | np.generic | float | int) else x.new_tensor(table)


def on_host(x: Any) -> NDArray[Any]:
    """Return a NumPy view of an array, or of a tensor in the processor's memory."""
    return np.asarray(x.detach() if hasattr(x, "detach") else x)


def back(x: Any, result: NDArray[Any]) -> Any:
    """Return ``result`` as the kind of array that ``x`` is, with the type of ``x``."""
    return result.astype(x.dtype, copy=False) if isinstance(x, np.ndarray) else x.new_tensor(result)
