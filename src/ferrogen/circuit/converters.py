"""Digital-to-analog and analog-to-digital converters. They act on NumPy arrays and PyTorch tensors alike."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from ferrogen.core.errors import argument_error, check_number, is_whole


def _check_bits(bits: int) -> None:
    if not is_whole(bits, 2, 24):
        raise argument_error("bits", "be a whole number from 2 to 24 (an ideal converter is its own class)", bits)


@dataclass(frozen=True, slots=True)
class DAC:
    """Word-line driver with an amplitude-coded input.

    Attributes:
        bits: resolution, sign included; codes are symmetric, zero is a code.
        driver: ``sinh-compensated`` (a logarithmic driver: V = V0 asinh(x sinh(Vmax / V0)), so the current of a cell
        with
            the card's nominal V0 is linear in x; Berdan 2020, doi:10.1038/s41928-020-0405-0) or ``linear`` (V = x
            Vmax).
    """

    bits: int = 8
    driver: Literal["sinh-compensated", "linear"] = "sinh-compensated"

    def __post_init__(self) -> None:
        _check_bits(self.bits)
        if self.driver not in ("sinh-compensated", "linear"):
            raise argument_error("driver", "be 'sinh-compensated' or 'linear'", repr(self.driver))

    def quantise(self, x: Any) -> Any:
        """Round inputs in [-1, 1] to the converter's codes, clipping what lies outside."""
        steps = 2 ** (self.bits - 1) - 1
        return (x.clip(-1.0, 1.0) * steps).round() * (1.0 / steps)


@dataclass(frozen=True, slots=True)
class IdealDAC:
    """A driver without quantisation or clipping, linear in the cell's current."""

    @property
    def driver(self) -> Literal["sinh-compensated"]:
        """An ideal driver compensates the cell's characteristic."""
        return "sinh-compensated"

    def quantise(self, x: Any) -> Any:
        """Return the inputs unchanged."""
        return x


@dataclass(frozen=True, slots=True)
class ADC:
    """Bit-line converter.

    Attributes:
        bits: resolution, sign included; symmetric codes from -full scale to +full scale.
    """

    bits: int = 8

    def __post_init__(self) -> None:
        _check_bits(self.bits)

    def quantise(self, x: Any, full_scale: Any) -> Any:
        """Round ``x`` to the codes of +-``full_scale`` (same unit), clipping what lies outside.

        Raises:
            ArgumentError: a full scale that is one number, but not positive and finite.
        """
        if isinstance(full_scale, Real):
            check_number("full_scale", full_scale, "the unit of x")
        steps = 2 ** (self.bits - 1) - 1
        return (x * (steps / full_scale)).round().clip(-steps, steps) * (full_scale / steps)


@dataclass(frozen=True, slots=True)
class IdealADC:
    """A converter without quantisation or clipping."""

    def quantise(self, x: Any, full_scale: Any) -> Any:  # noqa: ARG002 (same call as ADC)
        """Return ``x`` unchanged."""
        return x


AnyDAC = DAC | IdealDAC
AnyADC = ADC | IdealADC
