"""What a tester reads off a converter: transition levels, DNL, INL, signal-to-noise ratio.

From a slow ramp: the level at which a code is first reached, the differential nonlinearity
DNL(k) = (T(k+1) - T(k)) / q - 1 and the integral one, INL(k) = (T(k) - T_first) / q - k, in steps, with q the mean step
(the end-point fit of IEEE Std 1241). From a full-scale sine wave: the signal-to-noise ratio, 6.02 B + 1.76 dB for an
ideal quantiser of 2^B codes (Bennett 1948, doi:10.1002/j.1538-7305.1948.tb01340.x).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Linearity:
    """The static errors of one converter.

    Attributes:
        transitions: level at which each code above the lowest is first reached [steps], ascending.
        step: mean distance between transitions [steps].
        differential: DNL of every code between the first and last transition [mean steps].
        integral: INL of every transition [mean steps], zero at both ends.
        missing: how many codes no level gives.
    """

    transitions: Array
    step: float
    differential: Array
    integral: Array
    missing: int


def linearity_from_transitions(transitions: Array) -> Linearity:
    """Return the figures of transition levels [steps], shape ``(codes - 1,)``, at least three of them.

    Raises:
        ArgumentError: fewer than three levels, or a last one that is not above the first.
    """
    levels = np.asarray(transitions, dtype=np.float64)
    if levels.ndim != 1 or levels.size < 3 or not np.all(np.isfinite(levels)) or levels[-1] <= levels[0]:
        raise argument_error(
            "transitions", "hold at least three finite levels, the last above the first", f"of shape {levels.shape}"
        )
    step = float(levels[-1] - levels[0]) / (levels.size - 1)
    differential = np.diff(levels) / step - 1.0
    integral = (levels - levels[0]) / step - np.arange(levels.size)
    return Linearity(levels, step, differential, integral, int(np.sum(np.diff(levels) <= 0.0)))


def ramp_linearity(
    convert: Callable[[Array], Array], bits: int, *, per_step: int = 256, margin: float = 4.0
) -> Linearity:
    """Drive a converter with a ramp and extract its static errors.

    Args:
        convert: signed codes of inputs in steps, shape ``(n, 1)``: a bank of one converter.
        bits: of the converter, 3 to 16.
        per_step: ramp points for each step: levels are known to 1 / per_step.
        margin: how far beyond the nominal range the ramp goes [steps].
    """
    if not 3 <= bits <= 16:
        raise argument_error("bits", "be 3 to 16 for a ramp", bits)
    most = 2 ** (bits - 1) - 1
    ramp = np.arange(-(most + margin) * per_step, (most + margin) * per_step + 1.0) / per_step
    codes = np.asarray(convert(ramp[:, None]))[:, 0]
    reached = np.maximum.accumulate(codes)
    place = np.searchsorted(reached, np.arange(1 - most, most + 1))
    if place[-1] >= ramp.size:
        raise argument_error("margin", "be large enough for the ramp to reach the highest code", f"{margin} steps")
    return linearity_from_transitions(ramp[place])


def sine_snr(
    convert: Callable[[Array], Array], amplitude: float, *, samples: int = 65536, periods: int = 1021
) -> float:
    """Return the ratio [dB] of signal to all else (noise and distortion) for a sine wave.

    Args:
        convert: outputs for inputs ``(n, 1)``, in one unit.
        amplitude: of the sine, same unit.
        samples: how many.
        periods: of the sine among them, without a common divisor, so that all phases come.

    Raises:
        ArgumentError: a number of periods that shares a divisor with that of the samples.
    """
    if math.gcd(samples, periods) != 1:
        raise argument_error("periods", f"share no divisor with samples = {samples}", periods)
    phase = 2.0 * math.pi * periods * np.arange(samples) / samples
    output = np.asarray(convert(amplitude * np.sin(phase)[:, None]))[:, 0].astype(np.float64)
    output = output - output.mean()
    basis = np.stack([np.sin(phase), np.cos(phase)])
    fitted = 2.0 / samples * (basis @ output) @ basis
    return float(10.0 * np.log10(np.mean(fitted**2) / np.mean((output - fitted) ** 2)))
