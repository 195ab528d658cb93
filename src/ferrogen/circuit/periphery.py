"""All the circuits around one array, each swappable for an ideal one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferrogen.circuit.amplifier import (
    Amplifier,
    AnyAmplifier,
    AnyIntegrator,
    IdealAmplifier,
    IdealIntegrator,
    Integrator,
)
from ferrogen.circuit.converters import ADC, DAC, AnyADC, AnyDAC, IdealADC, IdealDAC
from ferrogen.circuit.wires import AnyWires, IdealWires, Wires


@dataclass(frozen=True, slots=True)
class Periphery:
    """Drivers, amplifiers, integrators, converters and wires of a chip.

    Attributes:
        dac: word-line driver of the multiply mode.
        multiply_amplifier: of every bit-line pair in the multiply mode: nanoamperes, so a high gain.
        sample_amplifier: of every bit-line pair in the sample mode, whose lines carry microamperes.
        integrator: of every bit-line pair, in both modes.
        multiply_adc: converter of the multiply mode.
        sample_adc: converter of the sample mode (slower, so it can afford more bits).
        wires: word and bit lines.
    """

    dac: AnyDAC = field(default_factory=DAC)
    multiply_amplifier: AnyAmplifier = field(default_factory=lambda: Amplifier(feedback_resistance=1e7))
    sample_amplifier: AnyAmplifier = field(default_factory=lambda: Amplifier(feedback_resistance=1e6))
    integrator: AnyIntegrator = field(default_factory=Integrator)
    multiply_adc: AnyADC = field(default_factory=ADC)
    sample_adc: AnyADC = field(default_factory=lambda: ADC(bits=10))
    wires: AnyWires = field(default_factory=Wires)

    @classmethod
    def ideal(cls) -> Periphery:
        """Return a periphery that adds nothing and loses nothing."""
        return cls(
            dac=IdealDAC(),
            multiply_amplifier=IdealAmplifier(),
            sample_amplifier=IdealAmplifier(),
            integrator=IdealIntegrator(),
            multiply_adc=IdealADC(),
            sample_adc=IdealADC(),
            wires=IdealWires(),
        )
