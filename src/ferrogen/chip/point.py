"""The operating point: the knobs of the dual-mode chip."""

from __future__ import annotations

import math
from typing import Any, Self

from pydantic import model_validator

from ferrogen.core.errors import argument_error
from ferrogen.core.spec import Spec
from ferrogen.device.card import DeviceCard


class OperatingPoint(Spec):
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
    """

    sample_voltage: float = 1.2
    multiply_voltage: float = 0.1
    sampling_time: float = 1e-3
    multiply_time: float = 1e-4
    reset_time: float | None = None
    temperature: float = 300.0

    @model_validator(mode="before")
    @classmethod
    def _positive(cls, data: Any) -> Any:
        for name, unit in (
            ("sampling_time", "s"),
            ("multiply_time", "s"),
            ("reset_time", "s"),
            ("temperature", "K"),
            ("sample_voltage", "V"),
            ("multiply_voltage", "V"),
        ):
            value = data.get(name) if isinstance(data, dict) else None
            if isinstance(value, int | float) and not (math.isfinite(value) and value > 0.0):
                raise argument_error(name, f"be a positive, finite number in {unit}", f"{value} {unit}")
        return data

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
