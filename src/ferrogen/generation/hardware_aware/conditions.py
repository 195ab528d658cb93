"""What the chips are like that a decoder is trained for: levels, converters, programming, stuck cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from ferrogen.array.faults import FaultRates
from ferrogen.array.programming import SinglePulse
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC
from ferrogen.core.spec import Spec
from ferrogen.device.card import DeviceCard


class Conditions(Spec):
    """What is different from the card and from the default chip; None: nothing.

    Attributes:
        levels: conductance levels of a cell.
        adc_bits: resolution of the converters of products, sign included.
        programming_error: rms error of a cell after one pulse without verifying, as a share of the window.
        stuck_share: share of the cells that are stuck, half of them on, half of them off.
    """

    levels: Annotated[int | None, Field(ge=2, le=4096)] = None
    adc_bits: Annotated[int | None, Field(ge=2, le=16)] = None
    programming_error: Annotated[float | None, Field(gt=0.0, le=0.5)] = None
    stuck_share: Annotated[float | None, Field(gt=0.0, le=0.5)] = None

    def card(self, card: DeviceCard) -> DeviceCard:
        """Return a card with these levels."""
        if self.levels is None:
            return card
        levels = card.programmable_levels.model_copy(update={"value": float(self.levels)})
        return card.model_copy(update={"programmable_levels": levels})

    def chip_spec(self, spec: ChipSpec) -> ChipSpec:
        """Return a chip with these converters, this programming and these faults."""
        if self.adc_bits is not None:
            spec = replace(spec, periphery=replace(spec.periphery, multiply_adc=ADC(bits=self.adc_bits)))
        if self.programming_error is not None:
            spec = replace(spec, programming=SinglePulse(self.programming_error))
        if self.stuck_share is not None:
            half = self.stuck_share / 2.0
            rates = FaultRates() if spec.fault_rates is None else spec.fault_rates
            spec = replace(spec, fault_rates=replace(rates, stuck_on=half, stuck_off=half))
        return spec

    def describe(self) -> str:
        """Say what is different, for people."""
        parts = [
            None if self.levels is None else f"{self.levels} levels of a cell",
            None if self.adc_bits is None else f"{self.adc_bits}-bit converters of products",
            None if self.programming_error is None else f"{self.programming_error:.1%} rms programming error",
            None if self.stuck_share is None else f"{self.stuck_share:.1%} stuck cells",
        ]
        return ", ".join(part for part in parts if part) or "nothing: the card's own cells on the default chip"
