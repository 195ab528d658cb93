"""The operating point: the knobs of the dual-mode chip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Self

from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """How the chip is driven.

    Attributes:
        sample_voltage: read voltage of the sample mode [V].
        multiply_voltage: read voltage of the multiply mode at full input [V].
        sampling_time: length of one sampling window [s]; a latent takes two.
        multiply_time: integration time of one product [s].
        reset_time: how long the cells rest at the multiply voltage after the two windows [s], the products included. At
            the low voltage traps empty: this erases the memory between latents. None: as long as the sampling time,
            but at least five products.
        temperature: [K].

    Raises:
        ArgumentError: a value that is not a positive, finite number.
    """

    sample_voltage: float = 1.2
    multiply_voltage: float = 0.1
    sampling_time: float = 1e-3
    multiply_time: float = 1e-4
    reset_time: float | None = None
    temperature: float = 300.0

    def __post_init__(self) -> None:
        for name, unit in (
            ("sample_voltage", "V"),
            ("multiply_voltage", "V"),
            ("sampling_time", "s"),
            ("multiply_time", "s"),
            ("reset_time", "s"),
            ("temperature", "K"),
        ):
            value = getattr(self, name)
            if name == "reset_time" and value is None:
                continue
            if not isinstance(value, Real) or not (math.isfinite(value) and float(value) > 0.0):
                shown = f"{value} {unit}" if isinstance(value, Real) else repr(value)
                raise argument_error(name, f"be a positive, finite number in {unit}", shown)
        if self.reset_time is not None and self.reset_time < 1.01 * self.multiply_time:
            raise argument_error(
                "reset_time", f"be longer than the multiply time, {self.multiply_time} s", f"{self.reset_time} s"
            )

    @property
    def reset(self) -> float:
        """The reset time in force [s]."""
        if self.reset_time is not None:
            return self.reset_time
        return max(self.sampling_time, 5.0 * self.multiply_time)

    @classmethod
    def for_card(cls, card: DeviceCard, **changes: float | None) -> Self:
        """Return the card's default point, with ``changes`` (None: keep the default)."""
        values: dict[str, float] = {
            "sample_voltage": card.default_sample_voltage,
            "multiply_voltage": card.default_multiply_voltage,
            "sampling_time": card.default_sampling_time,
        }
        values.update({name: value for name, value in changes.items() if value is not None})
        return cls(**values)

    def check(self, card: DeviceCard) -> None:
        """Refuse a point outside the card's validity.

        Raises:
            ValidityError: naming the argument, its value and the range.
        """
        card.check("read_voltage", self.sample_voltage, "sample_voltage")
        card.check("read_voltage", self.multiply_voltage, "multiply_voltage")
        card.check("read_time", self.sampling_time, "sampling_time")
        card.check("read_time", self.multiply_time, "multiply_time")
        card.check("read_time", self.reset, "reset_time")
        card.check("temperature", self.temperature, "temperature")
