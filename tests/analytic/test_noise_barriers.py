"""The multiphonon barrier against a numerical search for the parabolas' crossing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from ferrogen.device.noise.multiphonon import barrier_expansion, barriers


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.0, 1.3, 2.0])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.9])
def test_the_barrier_is_the_height_of_the_crossing(ratio: float, share: float) -> None:
    energy = 1.19
    offset = -energy / ratio**2 + share * (energy + energy / ratio**2)

    def empty(q: float) -> float:
        return energy * q**2

    def occupied(q: float) -> float:
        return energy / ratio**2 * (q - 1.0) ** 2 + offset

    crossing = brentq(lambda q: empty(q) - occupied(q), 0.0, 1.0, xtol=1e-15, rtol=1e-14)
    forth, back = barriers(energy, offset, ratio)
    # the root is good to 1e-14; so are heights of order 1 eV, with slopes of order 1 to 10
    assert float(forth) == pytest.approx(empty(crossing), abs=1e-12)
    assert float(back) == pytest.approx(occupied(crossing) - offset, abs=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.3, 2.0])
def test_the_expansion_is_its_second_order(ratio: float) -> None:
    """What is left falls as the cube of the offset: a factor of eight when it is halved."""
    energy, offsets = 1.19, np.array([0.04, 0.02, 0.01])
    left = barriers(energy, offsets, ratio)[0] - barrier_expansion(energy, offsets, ratio)
    # the next term is relatively of order offset / energy times a coefficient of order 1 to 3: 10 %
    np.testing.assert_allclose(left[:-1] / left[1:], 8.0, rtol=0.1)
    np.testing.assert_allclose(barriers(energy, offsets, 1.0)[0], barrier_expansion(energy, offsets), rtol=1e-13)
