"""The exact law of two subtracted windows against matrix exponentials, brute-force sums and followed traps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from ferrogen.device.noise.rtn.closed_form import scheduled_difference_moments
from ferrogen.device.noise.rtn.difference import (
    difference_cumulants,
    difference_memory,
    difference_transform,
    start_of_cycle,
)
from ferrogen.device.noise.rtn.windows import window_sums

RATES = st.floats(-5.0, 4.0).map(lambda x: 10.0**x)
SHARES = st.floats(0.0, 1.0)


def generator(a: float, b: float) -> np.ndarray:
    return np.array([[-a, a], [b, -b]])


@given(a=RATES, b=RATES, start=SHARES, size=st.floats(0.01, 20.0), imaginary=st.booleans())
def test_the_transform_is_that_of_the_matrix_exponentials(
    a: float, b: float, start: float, size: float, imaginary: bool
) -> None:
    theta = 1j * size if imaginary else complex(size)
    occupied = np.diag([0.0, 1.0])
    both = expm(generator(a, b) - theta * occupied) @ expm(generator(a, b) + theta * occupied)
    expected = complex(np.array([1.0 - start, start]) @ both @ np.ones(2))
    # scipy's error grows with the norm of the matrix, either's with the factors' size
    limit = 1e-13 * (10.0 + a + b) * math.exp(abs(theta.real))
    assert abs(difference_transform(a, b, start, theta) - expected) < limit


def occupied_for(moments: np.ndarray, step: float) -> np.ndarray:
    """Add ``step`` to D where the trap is occupied."""
    shifted = moments.copy()
    for n in range(5):
        shifted[n, 1] = sum(math.comb(n, m) * step ** (n - m) * moments[m, 1] for m in range(n + 1))
    return shifted


def on_a_grid(a: float, b: float, start: float, cells: int) -> np.ndarray:
    """First four cumulants of D for a chain that is looked at on a fine grid, by recursion of moments."""
    jump = expm(generator(a, b) / cells)
    # moments[n, s]: E[D^n; state s]
    moments = np.zeros((5, 2))
    moments[0] = 1.0 - start, start
    for k in range(2 * cells):
        half = (-0.5 if k < cells else 0.5) / cells
        moments = occupied_for(occupied_for(moments, half) @ jump, half)
    raw = moments.sum(axis=1)
    mean, second = raw[1], raw[2] - raw[1] ** 2
    third = raw[3] - 3 * mean * raw[2] + 2 * mean**3
    fourth = raw[4] - 4 * mean * raw[3] + 6 * mean**2 * raw[2] - 3 * mean**4 - 3 * second**2
    return np.array([mean, second, third, fourth])


@pytest.mark.parametrize(
    ("to_one", "to_zero"),
    [
        ((0.5, 0.5, 0.1, 0.02), (1.2, 1.2, 3.0, 0.3)),
        ((8.0, 8.0, 0.0, 0.0), (0.7, 0.7, 9.0, 1.0)),
        ((0.02, 0.02, 0.5, 0.1), (0.01, 0.01, 0.0, 0.0)),
    ],
)
def test_cumulants_are_those_of_moments_carried_along_a_fine_grid(
    to_one: tuple[float, ...], to_zero: tuple[float, ...]
) -> None:
    """The grid's error falls with the square of its step; two grids tell the limit."""
    a, b = np.array([to_one]), np.array([to_zero])
    start = 0.3
    for _ in range(400):  # the fixed point, by going round
        for k in range(4):
            total = a[0, k] + b[0, k]
            p = a[0, k] / total if total else 0.0
            start = p + (start - p) * math.exp(-total)
    assert start_of_cycle(a, b)[0] == pytest.approx(start, abs=1e-14)
    coarse, fine = (on_a_grid(a[0, 0], b[0, 0], start, cells) for cells in (500, 1000))
    found = difference_cumulants(a, b)[:, 0]
    np.testing.assert_allclose(found, (4 * fine - coarse) / 3, rtol=1e-8, atol=1e-11)


def test_mean_and_variance_are_those_of_the_other_closed_form() -> None:
    random = np.random.default_rng(11)
    rates = 10.0 ** random.uniform(-3.0, 5.0, (2, 400, 4))
    rates[:, :, 1] = rates[:, :, 0]
    mean, variance = scheduled_difference_moments(rates[0], rates[1])
    found = difference_cumulants(rates[0], rates[1])
    np.testing.assert_allclose(found[0], mean, atol=1e-12)
    np.testing.assert_allclose(found[1], variance, rtol=1e-6, atol=1e-9)


def test_memory_is_that_of_followed_traps() -> None:
    """Lags 1 to 3 of traps followed one by one; largest |z| of 18 at the level 1e-3."""
    to_one = np.array([[0.4, 0.4, 0.02, 0.0], [1.5, 1.5, 0.3, 0.1], [0.05, 0.05, 0.5, 0.1]])
    to_zero = np.array([[0.3, 0.3, 0.05, 0.01], [0.2, 0.2, 0.4, 0.1], [0.5, 0.5, 0.02, 0.0]])
    last, kept = difference_memory(to_one, to_zero)
    copies, cycles = 3000, 100
    count = 3 * copies
    sums = window_sums(
        np.uint64(17),
        np.arange(count, dtype=np.uint64),
        np.arange(count + 1),
        np.ones(count),
        np.repeat(to_one, copies, axis=0),
        np.repeat(to_zero, copies, axis=0),
        np.array([True, True, False, False]),
        first_cycle=5,
        cycles=cycles,
    )
    mean = difference_cumulants(to_one, to_zero)[0]
    off = (sums[:, :, 1] - sums[:, :, 0]).reshape(3, copies, cycles) - mean[:, None, None]
    for lag in (1, 2, 3):
        products = (off[:, :, lag:] * off[:, :, :-lag]).mean(axis=2)  # a trap's; traps are independent
        z = (products.mean(axis=1) - last * kept ** (lag - 1)) / (products.std(axis=1, ddof=1) / math.sqrt(copies))
        assert np.abs(z).max() < 4.2
        assert np.abs(last[0]) > 20 * products.std(axis=1, ddof=1)[0] / math.sqrt(copies)
