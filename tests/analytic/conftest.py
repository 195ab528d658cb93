from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.windows import window_sums


@pytest.fixture
def simulate() -> Callable[..., NDArray[np.float64]]:
    """Independent traps, one a column: (traps, cycles, observed phases)."""

    def run(
        to_one: NDArray[np.float64], to_zero: NDArray[np.float64], observed: list[bool], cycles: int, seed: int
    ) -> NDArray[np.float64]:
        traps = to_one.shape[0]
        return window_sums(
            Streams(seed).key(Purpose.TELEGRAPH_WINDOW),
            np.arange(traps, dtype=np.uint64),
            np.arange(traps + 1),
            np.ones(traps),
            to_one,
            to_zero,
            np.array(observed),
            first_cycle=0,
            cycles=cycles,
        )

    return run


@pytest.fixture
def z_limit() -> Callable[[int], float]:
    """Two-sided limit on |z| such that so many comparisons together raise one false alarm in a thousand runs."""
    return lambda comparisons: float(stats.norm.isf(1e-3 / 2 / comparisons))
