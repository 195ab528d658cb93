"""All the circuits around one array, each swappable for an ideal one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferrogen.circuit.amplifier import Amplifier, IdealAmplifier, IdealIntegrator, Integrator
from ferrogen.circuit.converters import ADC, DAC, IdealADC, IdealDAC
from ferrogen.circuit.readout.drivers import LineDriver
from ferrogen.circuit.readout.kinds import AnyAmplifier, AnyConverter, AnyInput, AnyIntegrator, AnySampleHold
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.readout.sample_hold import IdealSampleHold
from ferrogen.circuit.wires import AnyWires, IdealWires, Wires


@dataclass(frozen=True, slots=True)
class Periphery:
    """Drivers, amplifiers, integrators, converters and wires of a chip.

    Attributes:
        dac: word-line driver of the multiply mode: amplitude (``DAC``), ``PulseWidth``, ``BitSerial`` or ``IdealDAC``.
        multiply_amplifier: of every bit-line pair in the multiply mode: nanoamperes, so a high gain.
        sample_amplifier: of every bit-line pair in the sample mode, whose lines carry microamperes.
        integrator: of every bit-line pair, in both modes.
        multiply_adc: converter of the multiply mode: ``ADC``, ``SarADC``, ``FlashADC`` or ``IdealADC``.
        sample_adc: converter of the sample mode (slower, so it can afford more bits).
        wires: word and bit lines.
        sample_hold: between integrator and converter.
        multiplexer: how pairs of bit lines share converters.
        line_driver: what charges word and bit lines.
    """

    dac: AnyInput = field(default_factory=DAC)
    multiply_amplifier: AnyAmplifier = field(default_factory=lambda: Amplifier(feedback_resistance=1e7))
    sample_amplifier: AnyAmplifier = field(default_factory=lambda: Amplifier(feedback_resistance=1e6))
    integrator: AnyIntegrator = field(default_factory=Integrator)
    multiply_adc: AnyConverter = field(default_factory=ADC)
    sample_adc: AnyConverter = field(default_factory=lambda: ADC(bits=10))
    wires: AnyWires = field(default_factory=Wires)
    sample_hold: AnySampleHold = field(default_factory=IdealSampleHold)
    multiplexer: Multiplexer = field(default_factory=Multiplexer)
    line_driver: LineDriver = field(default_factory=LineDriver)

    @classmethod
    def ideal(cls) -> Periphery:
        """Return a periphery that adds nothing, loses nothing, costs nothing and takes no time."""
        return cls(
            dac=IdealDAC(),
            multiply_amplifier=IdealAmplifier(),
            sample_amplifier=IdealAmplifier(),
            integrator=IdealIntegrator(),
            multiply_adc=IdealADC(),
            sample_adc=IdealADC(),
            wires=IdealWires(),
            sample_hold=IdealSampleHold(),
            multiplexer=Multiplexer.ideal(),
            line_driver=LineDriver.ideal(),
        )
