"""The kinds of every block that a periphery can have; all of a kind are called the same way."""

from __future__ import annotations

from ferrogen.circuit.amplifier import Amplifier, IdealAmplifier, IdealIntegrator, Integrator
from ferrogen.circuit.converters import ADC, DAC, IdealADC, IdealDAC
from ferrogen.circuit.readout.flash import FlashADC, FlashConverters
from ferrogen.circuit.readout.input_encoding import BitSerial, PulseWidth
from ferrogen.circuit.readout.integrator import CapacitiveIntegrator
from ferrogen.circuit.readout.sample_hold import IdealSampleHold, SampleHold
from ferrogen.circuit.readout.sar import SarADC, SarConverters

AnyInput = DAC | IdealDAC | PulseWidth | BitSerial
AnyAmplifier = Amplifier | IdealAmplifier
AnyIntegrator = Integrator | IdealIntegrator | CapacitiveIntegrator
AnySampleHold = SampleHold | IdealSampleHold
AnyConverter = ADC | IdealADC | SarADC | FlashADC
DrawnConverters = SarConverters | FlashConverters
