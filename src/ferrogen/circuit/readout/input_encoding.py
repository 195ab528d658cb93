"""Two other ways to put a number on a word line: the width of a pulse, or one bit after the other.

Both hold the voltage of a line that is driven, so that the cell's sinh bends nothing, whatever its V0.

Pulse width: the line is up for |x| of the read, its polarity the sign (Marinella 2018,
doi:10.1109/JETCAS.2018.2796379). Widths are whole ticks of T / (2^(B-1) - 1). Each edge jitters by s, so that a pulse
is wrong by s sqrt(2); where there is no pulse, there is no jitter.

Bit-serial: n = B - 1 planes of -1, 0 or 1, least significant first, each integrated for T / n, converted, and added
digitally with the weight 2^b / (2^n - 1) (Shafiee 2016, doi:10.1109/ISCA.2016.12). Errors of variance v that are
independent from plane to plane add to v (2^n + 1) / (3 (2^n - 1)); errors common to all planes (a slow trap) add to
what they are in one read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ferrogen.circuit.converters import check_bits, round_to_codes
from ferrogen.circuit.readout.input_errors import NO_ERRORS, InputErrors, draw_input_errors
from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class PulseWidth:
    """Word-line driver with a pulse-width-coded input.

    Attributes:
        bits: resolution, sign included.
        jitter: rms of each edge, as a share of the read [1].
        width_error: standard deviation, from driver to driver, of a pulse's width as a share of the read [1].
        figure_of_merit: energy of the counter and the comparison, for each pulse, over 2^bits [J]; assumed.
    """

    bits: int = 8
    jitter: float = 0.0
    width_error: float = 0.0
    figure_of_merit: float = 1e-15

    def __post_init__(self) -> None:
        check_bits(self.bits)
        for name, unit in (("jitter", "1"), ("width_error", "1"), ("figure_of_merit", "J")):
            check_number(name, getattr(self, name), unit, may_vanish=True)

    @property
    def driver(self) -> Literal["constant-voltage"]:
        """Its voltage is always the same."""
        return "constant-voltage"

    @property
    def driver_mismatch(self) -> float:
        """A constant voltage has no law to mismatch."""
        return 0.0

    def quantise(self, x: Any) -> Any:
        """Round inputs in [-1, 1] to whole ticks, clipping what lies outside."""
        return round_to_codes(x, self.bits)

    def planes(self, x: Any) -> list[tuple[float, Any]]:
        """Return the one plane of widths."""
        return [(1.0, self.quantise(x))]

    @property
    def cycles(self) -> int:
        """Planes of one product."""
        return 1

    def tick(self, duration: float) -> float:
        """Return the clock's period [s] for a read of ``duration`` [s]."""
        check_number("duration", duration, "s")
        return float(duration / (2 ** (self.bits - 1) - 1))

    def draw(self, drivers: tuple[int, ...], generator: np.random.Generator) -> InputErrors:
        """Draw the width errors of ``drivers`` drivers."""
        if self.jitter == self.width_error == 0.0:
            return NO_ERRORS
        return draw_input_errors(
            drivers, generator, steps=1, offset=self.width_error, noise=math.sqrt(2.0) * self.jitter, only_active=True
        )

    def energy(self) -> float:
        """Return the energy [J] of one pulse, without charging the line."""
        return float(self.figure_of_merit * 2.0**self.bits)

    def latency(self) -> float:
        """Return 0 s: the pulse is the read itself."""
        return 0.0


@dataclass(frozen=True, slots=True)
class BitSerial:
    """Word-line driver with a bit-serial input: B - 1 planes a product.

    Attributes:
        bits: resolution, sign included.
        gain_error: relative standard deviation, from driver to driver, of its one level [1].
        figure_of_merit: energy of one bit on one line, without charging it [J]; assumed.
        adder_energy: of one digital shift and addition [J]; assumed.
        settling_time: of each plane [s]; assumed.
    """

    bits: int = 8
    gain_error: float = 0.0
    figure_of_merit: float = 1e-15
    adder_energy: float = 5e-14
    settling_time: float = 1e-9

    def __post_init__(self) -> None:
        check_bits(self.bits)
        for name, unit in (
            ("gain_error", "1"),
            ("figure_of_merit", "J"),
            ("adder_energy", "J"),
            ("settling_time", "s"),
        ):
            check_number(name, getattr(self, name), unit, may_vanish=True)

    @property
    def driver(self) -> Literal["constant-voltage"]:
        """Its voltage is always the same."""
        return "constant-voltage"

    @property
    def driver_mismatch(self) -> float:
        """A constant voltage has no law to mismatch."""
        return 0.0

    @property
    def cycles(self) -> int:
        """Planes of one product."""
        return int(self.bits - 1)

    def quantise(self, x: Any) -> Any:
        """Round inputs in [-1, 1] to the codes that the planes make up, clipping what lies outside."""
        return round_to_codes(x, self.bits)

    def planes(self, x: Any) -> list[tuple[float, Any]]:
        """Return ``bits - 1`` pairs (digital weight, plane of -1, 0 and 1), least significant first."""
        most = 2 ** (self.bits - 1) - 1
        codes = (x.clip(-1.0, 1.0) * most).round()
        left = abs(codes)
        sign = 1.0 - 2.0 * (codes < 0.0)
        found = []
        for b in range(self.bits - 1):
            half = _floor(left * 0.5)
            found.append((2.0**b / most, (left - 2.0 * half) * sign))
            left = half
        return found

    def draw(self, drivers: tuple[int, ...], generator: np.random.Generator) -> InputErrors:
        """Draw the gain errors of ``drivers`` drivers."""
        if self.gain_error == 0.0:
            return NO_ERRORS
        return draw_input_errors(drivers, generator, steps=1, gain_error=self.gain_error)

    def energy(self) -> float:
        """Return the energy [J] of all planes on one line, without charging it."""
        return self.figure_of_merit * self.cycles

    def latency(self) -> float:
        """Return the settling times [s] of all planes."""
        return self.settling_time * self.cycles


def _floor(x: Any) -> Any:
    return np.floor(x) if isinstance(x, np.ndarray | np.generic) else x.floor()


def serial_gain(bits: int) -> float:
    """Return the sum of squared weights of ``bits - 1`` planes: the variance that independent errors keep.

    With n = bits - 1: sum_b 4^b / (2^n - 1)^2 = (2^n + 1) / (3 (2^n - 1)).
    """
    check_bits(bits)
    n = bits - 1
    return (2.0**n + 1.0) / (3.0 * (2.0**n - 1.0))
