from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from ferrogen.device.roots import falling_root

STEEPNESS = st.lists(st.floats(0.01, 50.0), min_size=1, max_size=5)


@given(STEEPNESS, st.floats(-0.9, 0.9))
def test_agrees_with_brent(steepness: list[float], target: float) -> None:
    k = np.array(steepness)

    def function(x: np.ndarray) -> np.ndarray:
        return np.asarray(target - np.tanh(k * x) - 0.1 * x)

    found = falling_root(function, np.full(k.size, -30.0), np.full(k.size, 30.0), 1e-9, 200)
    exact = [brentq(lambda x, a=a: target - np.tanh(a * x) - 0.1 * x, -30.0, 30.0, xtol=1e-12) for a in k]
    np.testing.assert_allclose(found, exact, atol=1e-8)


@given(st.floats(-5.0, 5.0))
def test_a_jump_is_a_root(jump: float) -> None:
    found = falling_root(lambda x: np.where(x < jump, 1.0, -1.0), np.array([-6.0]), np.array([6.0]), 1e-6, 200)
    assert abs(found[0] - jump) < 2e-6


@given(STEEPNESS)
def test_no_root_depends_on_the_others(steepness: list[float]) -> None:
    k = np.array(steepness)

    def root(some: np.ndarray) -> np.ndarray:
        return falling_root(
            lambda x: 1.0 - np.exp(some * x), np.full(some.size, -2.0), np.full(some.size, 0.5), 1e-6, 100
        )

    np.testing.assert_array_equal(root(k)[:1], root(k[:1]))
