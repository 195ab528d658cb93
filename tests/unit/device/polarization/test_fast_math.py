from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.device.polarization.fast_math import fast_exp, fast_expm1, fast_log

# Two units in the last place of a double are 4.4e-16; the reductions are good to that.
TOLERANCE = 5e-16


@njit(error_model="numpy")
def _all(x: NDArray[np.float64], y: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for i in range(x.shape[0]):
        out[0, i] = fast_exp(x[i])
        out[1, i] = fast_expm1(x[i])
        out[2, i] = fast_log(y[i])


def test_exponential_and_logarithm_agree_with_the_library() -> None:
    random = np.random.default_rng(1)
    tiny = 10.0 ** random.uniform(-300.0, 0.0, 5000)
    x = np.concatenate([random.uniform(-699.0, 699.0, 20000), tiny, -tiny, [0.0]])
    y = np.concatenate([10.0 ** random.uniform(-300.0, 300.0, 20000), random.uniform(0.5, 2.0, 10001)])
    out = np.empty((3, x.size))
    _all(x, y, out)
    np.testing.assert_allclose(out[0], np.exp(x), rtol=TOLERANCE)
    np.testing.assert_allclose(out[1], np.expm1(x), rtol=TOLERANCE)
    np.testing.assert_allclose(out[2], np.log(y), rtol=TOLERANCE, atol=1e-16)


def test_beyond_the_range_they_stay_finite() -> None:
    x, y = np.array([-1e308, -np.inf, 1e308, np.inf]), np.array([0.0, 1e308, 1e-308, 1.0])
    out = np.empty((3, 4))
    _all(x, y, out)
    assert np.all(np.isfinite(out))
    np.testing.assert_allclose(out[0], np.exp([-700.0, -700.0, 700.0, 700.0]), rtol=1e-12)
    assert out[2, 0] < -700.0
    assert out[2, 3] == 0.0
