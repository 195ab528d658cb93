"""Fermi integrals of orders 1/2 and 3/2, normalised so that both are e^eta where eta is very negative.

F_j(eta) = 1 / Gamma(j + 1) int_0^inf x^j / (1 + e^(x - eta)) dx. Their table is made once, by the trapezoid rule in t =
sqrt(x) (whose error falls exponentially, the integrand being even and analytic), and read by a spline in ln F; beyond
it stand the series of e^eta below and Sommerfeld's expansion above.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.special import gamma

_LOW, _HIGH = -12.0, 80.0  # of the table; e^-12 and 80^-6 are what series of a few terms leave out
_STEP = 0.02  # of t
_KNOTS = 3681  # 0.025 apart: the spline is right to 1e-9


def fermi_half(eta: ArrayLike) -> NDArray[np.float64]:
    """Return F_1/2, the density of carriers over the band's effective density of states."""
    return _fermi(np.asarray(eta, dtype=np.float64), 0.5)


def fermi_three_halves(eta: ArrayLike) -> NDArray[np.float64]:
    """Return F_3/2, whose derivative is F_1/2: the pressure of the carriers over (density of states) kT."""
    return _fermi(np.asarray(eta, dtype=np.float64), 1.5)


def _fermi(eta: NDArray[np.float64], order: float) -> NDArray[np.float64]:
    low = np.exp(np.minimum(eta, _LOW))
    series = low * (1.0 - low * (2.0 ** -(order + 1.0) - low * 3.0 ** -(order + 1.0)))
    high = np.maximum(eta, _HIGH)
    j, squared = order, 1.0 / high**2
    terms = np.pi**2 / 6.0 * (j + 1.0) * j
    more = 7.0 * np.pi**4 / 360.0 * (j + 1.0) * j * (j - 1.0) * (j - 2.0)
    sommerfeld = high ** (j + 1.0) / gamma(j + 2.0) * (1.0 + squared * (terms + squared * more))
    middle = np.exp(_table(order)(np.clip(eta, _LOW, _HIGH)))
    return np.asarray(np.where(eta < _LOW, series, np.where(eta > _HIGH, sommerfeld, middle)))


@cache
def _table(order: float) -> CubicSpline[np.float64]:
    eta = np.linspace(_LOW, _HIGH, _KNOTS)
    t = np.arange(0.5 * _STEP, np.sqrt(_HIGH + 40.0), _STEP)
    values = np.empty(_KNOTS)
    for k in range(0, _KNOTS, 256):  # in pieces, to stay small
        x = np.minimum(t**2 - eta[k : k + 256, None], 700.0)
        values[k : k + 256] = (2.0 * _STEP * t ** (2.0 * order + 1.0) / (1.0 + np.exp(x))).sum(axis=1)
    return CubicSpline(eta, np.log(values / gamma(order + 1.0)))
