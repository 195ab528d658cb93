"""Pulse trains for analog programming: identical pulses, pulses of rising amplitude, pulses of rising width.

A train that switches on has positive amplitudes, one that switches off negative ones. Each pulse is followed by a gap
at zero volts, in which a state is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.waveforms import Waveform, pulses

TrainKind = Literal["identical", "amplitude", "width"]

_MOST_PULSES = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class PulseTrain:
    """Rectangular pulses.

    Attributes:
        amplitude: of each pulse, with its sign [V], shape ``(pulses,)``.
        width: of each pulse [s], shape ``(pulses,)``.
        gap: at zero volts after each pulse [s]; 0 for none.
    """

    amplitude: NDArray[np.float64]
    width: NDArray[np.float64]
    gap: float = 0.0

    def __post_init__(self) -> None:
        amplitude, width = (np.array(item, dtype=np.float64) for item in (self.amplitude, self.width))
        if amplitude.ndim != 1 or amplitude.size == 0 or amplitude.shape != width.shape:
            raise argument_error(
                "amplitude", "be a list of voltages, one a width", f"of shape {amplitude.shape} beside {width.shape}"
            )
        if not np.all(np.isfinite(amplitude)):
            raise argument_error("amplitude", "be finite voltages", "not")
        if not np.all(np.isfinite(width)) or np.any(width <= 0.0):
            raise argument_error("width", "be positive, finite times in s", "not")
        check_number("gap", self.gap, "s", may_vanish=True)
        object.__setattr__(self, "amplitude", amplitude)
        object.__setattr__(self, "width", width)

    @property
    def count(self) -> int:
        """Number of pulses."""
        return int(self.amplitude.size)

    @property
    def time(self) -> float:
        """Time that the whole train takes, gaps included [s]."""
        return float(self.width.sum() + self.gap * self.count)

    def waveform(self) -> Waveform:
        """Return the train as a waveform in volts; with a gap every second step is one."""
        return pulses(self.amplitude, self.width, self.gap)

    def then(self, other: PulseTrain) -> PulseTrain:
        """Return this train with another one behind it, which must have the same gap.

        Raises:
            ArgumentError: the gaps differ.
        """
        if other.gap != self.gap:
            raise argument_error("other", f"have the same gap, {self.gap:g} s", f"{other.gap:g} s")
        return PulseTrain(
            np.concatenate([self.amplitude, other.amplitude]), np.concatenate([self.width, other.width]), self.gap
        )


def _count(count: int) -> int:
    if not is_whole(count, 1, _MOST_PULSES):
        raise argument_error("count", f"be a whole number of pulses from 1 to {_MOST_PULSES}", count)
    return int(count)


def identical_pulses(amplitude: float, width: float, count: int, gap: float = 0.0) -> PulseTrain:
    """Return ``count`` equal pulses of ``amplitude`` [V] and ``width`` [s].

    Raises:
        ArgumentError: a value out of range.
    """
    return PulseTrain(np.full(_count(count), amplitude), np.full(count, width), gap)


def amplitude_steps(first: float, last: float, width: float, count: int, gap: float = 0.0) -> PulseTrain:
    """Return pulses of one width [s] whose amplitude rises evenly from ``first`` to ``last`` [V], both of one sign.

    Raises:
        ArgumentError: amplitudes of different signs, or a value out of range.
    """
    if not (math.isfinite(first) and math.isfinite(last)):
        raise argument_error("last", "be, like `first`, a finite voltage in V", f"{first} V and {last} V")
    if first * last <= 0.0:
        raise argument_error("last", f"have the sign of `first` ({first:g} V)", f"{last:g} V")
    return PulseTrain(np.linspace(first, last, _count(count)), np.full(count, width), gap)


def width_steps(amplitude: float, first: float, last: float, count: int, gap: float = 0.0) -> PulseTrain:
    """Return pulses of one amplitude [V] whose width rises from ``first`` to ``last`` [s] by equal factors.

    Raises:
        ArgumentError: a value out of range.
    """
    check_number("first", first, "s")
    check_number("last", last, "s")
    return PulseTrain(np.full(_count(count), amplitude), np.geomspace(first, last, count), gap)


def card_train(spec: ProgrammingSpec, kind: TrainKind, *, reset: bool = False) -> PulseTrain:
    """Return the train that a card's section describes.

    Args:
        spec: of the card.
        kind: ``identical``, ``amplitude`` (rising amplitude) or ``width`` (width rising by equal factors).
        reset: negative pulses, which switch off.

    Raises:
        ArgumentError: an unknown kind.
    """
    sign = -1.0 if reset else 1.0
    last = sign * (spec.reset_voltage if reset else spec.set_voltage).value
    first = sign * (spec.first_reset_voltage if reset else spec.first_set_voltage).value
    width, gap, count = spec.pulse_width.value, spec.pulse_gap.value, round(spec.pulse_count.value)
    if kind == "identical":
        return identical_pulses(last, width, count, gap)
    if kind == "amplitude":
        return amplitude_steps(first, last, width, count, gap)
    if kind == "width":
        return width_steps(last, width, spec.last_pulse_width.value, count, gap)
    raise argument_error("kind", "be 'identical', 'amplitude' or 'width'", repr(kind))
