"""Switching noise from pulse trains: what each pulse adds at random, apart from the noise of reading.

A pulse that moves the switched share by d on average moves it by d + sigma sqrt(|d|) N(0, 1) (independent domains;
sigma is a card's ``switching_noise``), and stays moved; a reading errs by r N(0, 1) and is forgotten. So the increments
between readings, less their mean over cycles, have the variance sigma^2 |d| + 2 r^2 and the covariance -r^2 with their
neighbours: a tridiagonal matrix, of which sigma and r are the most likely values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

from ferrogen.core.errors import ArgumentError, argument_error
from ferrogen.device.reliability.lifetime import covariance_at, maximize

Array = NDArray[np.float64]

_FLOOR = 1e-7  # of the window: reading noise below it is none
_STEP = 1e-3
_LEAST_STEP = 1e-9  # of the window, that a pulse counts to move at least


@dataclass(frozen=True, slots=True)
class Repeats:
    """One direction, repeated.

    Attributes:
        mean_step: mean change of the switched share by each pulse, shape ``(pulses,)``.
        deviation: changes less their mean, shape ``(cycles, pulses)``.
        weight: cycles less the one that the mean takes, over cycles.
    """

    mean_step: Array
    deviation: Array
    weight: float


@dataclass(frozen=True, slots=True)
class SwitchingNoise:
    """What scatters.

    Attributes:
        switching: sigma, scatter of a full-range pulse as a share of the window.
        switching_error: its standard error.
        reading: r, scatter of a reading as a share of the window.
        reading_error: its standard error.
        cycle_to_cycle: standard deviation of a single change as a share of the window: NeuroSim's figure.
    """

    switching: float
    switching_error: float
    reading: float
    reading_error: float
    cycle_to_cycle: float


def repeats_of(curves: Array, window: float) -> Repeats:
    """Return the increments of repeated curves.

    Args:
        curves: conductance before the first pulse and after each one [S], shape ``(cycles, pulses + 1)``; two cycles at
            least.
        window: between largest and least conductance [S].
    """
    steps = np.diff(curves, axis=1) / window
    mean = steps.mean(axis=0)
    cycles = curves.shape[0]
    return Repeats(mean, (steps - mean) * math.sqrt(cycles / (cycles - 1.0)), (cycles - 1.0) / cycles)


def log_likelihood(repeats: Sequence[Repeats], switching: float, reading: float) -> float:
    """Return the logarithm of the likelihood of all increments (without its constant)."""
    total = 0.0
    for item in repeats:
        size = np.maximum(np.abs(item.mean_step), _LEAST_STEP)
        band = np.empty((2, size.size))
        band[0] = -(reading**2)
        band[1] = switching**2 * size + 2.0 * reading**2
        try:
            factor = cholesky_banded(band)
        except np.linalg.LinAlgError:
            return -math.inf
        inside = float(np.sum(item.deviation * cho_solve_banded((factor, False), item.deviation.T).T))
        half = float(np.log(factor[1]).sum())
        total -= item.weight * (0.5 * inside + item.deviation.shape[0] * half)
    return total


def fit_noise(repeats: Sequence[Repeats]) -> SwitchingNoise:
    """Return the most likely switching and reading noise, with standard errors.

    Raises:
        ArgumentError: increments that do not scatter at all, or no maximum of the likelihood.
    """
    count = sum(item.deviation.size for item in repeats)
    spread = math.sqrt(sum(float(np.sum(item.deviation**2)) for item in repeats) / max(count, 1))
    mean = math.sqrt(float(np.mean(np.concatenate([np.abs(item.mean_step) for item in repeats]))))
    if spread <= _FLOOR or mean <= 0.0:
        raise argument_error("conductance", "scatter from cycle to cycle", "the same in all of them")
    start = np.array([math.log(0.7 * spread / mean), math.log(max(0.5 * spread, 2.0 * _FLOOR))])

    def value(x: Array) -> float:
        switching, reading = (math.exp(min(max(float(item), -40.0), 5.0)) for item in x)
        return log_likelihood(repeats, switching, max(reading, 1e-3 * _FLOOR))

    best, _ = maximize(value, start)
    switching, reading = math.exp(best[0]), math.exp(best[1])
    try:
        errors = np.sqrt(np.diag(covariance_at(value, best, np.array([_STEP, _STEP]) * 10.0)))
        both = (switching * float(errors[0]), reading * float(errors[1]))
    except ArgumentError:  # one of them is at zero: the other one's error alone
        alone = reading < 0.05 * spread
        first = best[:1] if alone else best[1:]

        def one(x: Array) -> float:
            return value(np.array([x[0], best[1]]) if alone else np.array([best[0], x[0]]))

        error = math.sqrt(float(covariance_at(one, first, np.array([_STEP * 10.0]))[0, 0]))
        both = (switching * error, math.nan) if alone else (math.nan, reading * error)
    return SwitchingNoise(switching, both[0], reading, both[1], spread)
