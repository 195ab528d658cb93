"""Digital-to-analog and analog-to-digital converters. They act on NumPy arrays and PyTorch tensors alike.

What has errors of its own in every instance is in :mod:`ferrogen.circuit.readout`: input drivers, SAR and flash
converters. The energy of a converter that is only known by its bits is Walden's: a figure of merit times 2^B (Walden
1999, doi:10.1109/49.761034).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from ferrogen.circuit.readout.input_errors import NO_ERRORS, InputErrors, draw_input_errors
from ferrogen.core.errors import argument_error, check_number, is_whole


def check_bits(bits: int) -> None:
    """Refuse a resolution that is no whole number from 2 to 24.

    Raises:
        ArgumentError: naming the bits.
    """
    if not is_whole(bits, 2, 24):
        raise argument_error("bits", "be a whole number from 2 to 24 (an ideal converter is its own class)", bits)


def check_full_scale(full_scale: Any) -> None:
    """Refuse a full scale that is one number, but not positive and finite.

    Raises:
        ArgumentError: naming the full scale.
    """
    if isinstance(full_scale, Real):
        check_number("full_scale", full_scale, "the unit of x")


def round_to_codes(x: Any, bits: int) -> Any:
    """Round inputs in [-1, 1] to 2^bits - 1 symmetric codes, clipping what lies outside."""
    steps = 2 ** (bits - 1) - 1
    return (x.clip(-1.0, 1.0) * steps).round() * (1.0 / steps)


@dataclass(frozen=True, slots=True)
class DAC:
    """Word-line driver with an amplitude-coded input; its other encodings are in :mod:`.readout.input_encoding`.

    Attributes:
        bits: resolution, sign included; codes are symmetric, zero is a code.
        driver: ``sinh-compensated`` (a logarithmic driver: V = V0 asinh(x sinh(Vmax / V0)), so the current of a cell
            with the card's nominal V0 is linear in x; Berdan 2020, doi:10.1038/s41928-020-0405-0) or ``linear`` (V = x
            Vmax).
        unit_mismatch: relative standard deviation of each unit element of a thermometer-coded converter [1]: the
            integral nonlinearity is a random walk pinned at zero and at full input, of
            unit_mismatch sqrt(steps) / 2 steps at half input.
        gain_error: relative standard deviation from driver to driver [1].
        offset: standard deviation from driver to driver [steps].
        noise: rms of every conversion [steps].
        driver_mismatch: W / V0 - 1 of a logarithmic driver that is built for another characteristic voltage W than the
            cells' V0 (another temperature, say) [1].
        figure_of_merit: energy of a conversion over 2^bits [J]; assumed (source: none).
        settling_time: [s]; assumed.
    """

    bits: int = 8
    driver: Literal["sinh-compensated", "linear"] = "sinh-compensated"
    unit_mismatch: float = 0.0
    gain_error: float = 0.0
    offset: float = 0.0
    noise: float = 0.0
    driver_mismatch: float = 0.0
    figure_of_merit: float = 5e-15
    settling_time: float = 1e-8

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.driver not in ("sinh-compensated", "linear"):
            raise argument_error("driver", "be 'sinh-compensated' or 'linear'", repr(self.driver))
        for name, unit in (
            ("unit_mismatch", "1"),
            ("gain_error", "1"),
            ("offset", "steps"),
            ("noise", "steps"),
            ("figure_of_merit", "J"),
            ("settling_time", "s"),
        ):
            check_number(name, getattr(self, name), unit, may_vanish=True)
        mismatch: object = self.driver_mismatch
        if not (isinstance(mismatch, Real) and -0.9 <= float(mismatch) <= 9.0):
            raise argument_error("driver_mismatch", "lie between -0.9 and 9 (W / V0 - 1)", repr(mismatch))

    def quantise(self, x: Any) -> Any:
        """Round inputs in [-1, 1] to the converter's codes, clipping what lies outside."""
        return round_to_codes(x, self.bits)

    def planes(self, x: Any) -> list[tuple[float, Any]]:
        """Return what word lines carry one after the other, with each one's digital weight: here one plane."""
        return [(1.0, self.quantise(x))]

    @property
    def cycles(self) -> int:
        """Planes of one product."""
        return 1

    def draw(self, drivers: tuple[int, ...], generator: np.random.Generator) -> InputErrors:
        """Draw the errors of ``drivers`` word-line drivers."""
        if self.unit_mismatch == self.gain_error == self.offset == self.noise == 0.0:
            return NO_ERRORS
        return draw_input_errors(
            drivers,
            generator,
            steps=2 ** (self.bits - 1) - 1,
            unit_mismatch=self.unit_mismatch,
            gain_error=self.gain_error,
            offset=self.offset,
            noise=self.noise,
        )

    def energy(self) -> float:
        """Return the energy [J] of one conversion, without charging the line."""
        return float(self.figure_of_merit * 2.0**self.bits)

    def latency(self) -> float:
        """Return the time [s] until an input has settled, without the line."""
        return self.settling_time


@dataclass(frozen=True, slots=True)
class IdealDAC:
    """A driver without quantisation or clipping, linear in the cell's current."""

    @property
    def driver(self) -> Literal["sinh-compensated"]:
        """An ideal driver compensates the cell's characteristic."""
        return "sinh-compensated"

    @property
    def driver_mismatch(self) -> float:
        """It knows the cells."""
        return 0.0

    def quantise(self, x: Any) -> Any:
        """Return the inputs unchanged."""
        return x

    def planes(self, x: Any) -> list[tuple[float, Any]]:
        """Return the inputs as the only plane."""
        return [(1.0, x)]

    @property
    def cycles(self) -> int:
        """Planes of one product."""
        return 1

    def draw(self, drivers: tuple[int, ...], generator: np.random.Generator) -> InputErrors:  # noqa: ARG002
        """Return no errors."""
        return NO_ERRORS

    def energy(self) -> float:
        """Return 0 J."""
        return 0.0

    def latency(self) -> float:
        """Return 0 s."""
        return 0.0


@dataclass(frozen=True, slots=True)
class ADC:
    """Bit-line converter: a perfect quantiser. Converters with mismatch are :class:`.SarADC` and :class:`.FlashADC`.

    Attributes:
        bits: resolution, sign included; symmetric codes from -full scale to +full scale.
        figure_of_merit: energy of a conversion over 2^bits [J], Walden's. Default 50 fJ: assumed (source: none), of the
            size of published converters that are neither the best nor large.
        conversion_time: [s]; assumed.
    """

    bits: int = 8
    figure_of_merit: float = 5e-14
    conversion_time: float = 1e-7

    def __post_init__(self) -> None:
        check_bits(self.bits)
        check_number("figure_of_merit", self.figure_of_merit, "J", may_vanish=True)
        check_number("conversion_time", self.conversion_time, "s", may_vanish=True)

    def quantise(self, x: Any, full_scale: Any) -> Any:
        """Round ``x`` to the codes of +-``full_scale`` (same unit), clipping what lies outside.

        Raises:
            ArgumentError: a full scale that is one number, but not positive and finite.
        """
        check_full_scale(full_scale)
        steps = 2 ** (self.bits - 1) - 1
        return (x * (steps / full_scale)).round().clip(-steps, steps) * (full_scale / steps)

    def energy(self) -> float:
        """Return the energy [J] of one conversion."""
        return float(self.figure_of_merit * 2.0**self.bits)

    def latency(self) -> float:
        """Return the time [s] of one conversion."""
        return self.conversion_time


@dataclass(frozen=True, slots=True)
class IdealADC:
    """A converter without quantisation or clipping."""

    def quantise(self, x: Any, full_scale: Any) -> Any:  # noqa: ARG002 (same call as ADC)
        """Return ``x`` unchanged."""
        return x

    def energy(self) -> float:
        """Return 0 J."""
        return 0.0

    def latency(self) -> float:
        """Return 0 s."""
        return 0.0


AnyADC = ADC | IdealADC
"""Those that are perfect or ideal; all that a chip can have are in :mod:`.readout.kinds`."""
