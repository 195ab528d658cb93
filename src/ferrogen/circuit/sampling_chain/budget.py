"""What a reading costs: noise of the circuits, energy, latency. Ideal stages cost nothing.

Sampled noise: a switch that opens leaves the charge noise k T C on its capacitor (Johnson noise over all frequencies);
an amplifier with the voltage noise e_n has e_n (1 + C_in / C) at its output within its closed loop's bandwidth,
GBW C / (C + C_in), times pi / 2 for a single pole; shot noise 2 q I of the cells is averaged by the window. The noises
of the two windows are independent and add in the difference; what both have in common, the offset, drops out (Enz and
Temes 1996, doi:10.1109/5.542410).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.sampling_chain.column import ColumnRecord
from ferrogen.circuit.sampling_chain.spec import ChargeIntegrator, SampleAndHold, SamplingChain, window_of
from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import argument_error
from ferrogen.core.philox import addressed_normals
from ferrogen.device.noise.electronic import shot_density, white_window_variance
from ferrogen.device.noise.multiphonon import check_temperature
from ferrogen.device.transport.compact import effective_voltage


@dataclass(frozen=True, slots=True)
class ChainNoise:
    """Standard deviations of one held voltage [V], by where they come from.

    Attributes:
        reset: charge that the reset switch leaves on the integrator.
        hold: charge that the hold's switch leaves.
        amplifier: its voltage noise.
        shot: of the cells' current, over the window.
    """

    reset: float
    hold: float
    amplifier: float
    shot: float

    @property
    def difference(self) -> float:
        """Standard deviation of the difference of both windows [V]."""
        return math.sqrt(2.0 * (self.reset**2 + self.hold**2 + self.amplifier**2 + self.shot**2))


@dataclass(frozen=True, slots=True)
class ReadingCost:
    """Energy [J] and time [s] of one doubly sampled reading.

    Attributes:
        cells: dissipated by the cells of both lines during the windows.
        integrator: of the amplifier over the two windows and the conversion.
        capacitors: charging the integrator and the holds to the rail once a window.
        conversion: of the converter.
        latency: from the beginning of the first window to the code.
        cycle: until the next reading can begin.
    """

    cells: float
    integrator: float
    capacitors: float
    conversion: float
    latency: float
    cycle: float

    @property
    def energy(self) -> float:
        """Sum of all [J]."""
        return self.cells + self.integrator + self.capacitors + self.conversion


def chain_noise(chain: SamplingChain, column: ColumnRecord, temperature: float) -> ChainNoise:
    """Return the noise of a chain's circuits on one held voltage, and the shot noise of its column.

    Args:
        chain: an ideal stage adds none; with an ideal integrator there is no shot noise either.
        column: its cells and schedule.
        temperature: [K].

    Raises:
        ArgumentError: a temperature that is not positive, or windows too short for the chain.
    """
    check_temperature(temperature)
    thermal = BOLTZMANN * temperature
    reset = amplifier = shot = 0.0
    integrator = chain.integrator
    if isinstance(integrator, ChargeIntegrator):
        window = window_of(column.schedule)
        reset = math.sqrt(thermal / integrator.capacitance)
        feedback = integrator.capacitance / (integrator.capacitance + integrator.input_capacitance)
        bandwidth = 0.5 * math.pi * integrator.gain_bandwidth * feedback
        amplifier = integrator.voltage_noise / feedback * math.sqrt(bandwidth)
        variance = white_window_variance(shot_density(_all_currents(column)), chain.integration_time(window))
        shot = math.sqrt(float(variance)) * chain.volts_per_ampere(window)
    hold = math.sqrt(thermal / chain.hold.capacitance) if isinstance(chain.hold, SampleAndHold) else 0.0
    return ChainNoise(reset, hold, amplifier, shot)


def noisy_difference(
    difference: NDArray[np.float64], noise: ChainNoise, key: np.uint64, first_cycle: int = 0
) -> NDArray[np.float64]:
    """Return differences of held voltages [V] with the circuits' noise; a cycle's noise depends on its number alone.

    Args:
        difference: without noise, shape ``(cycles,)``.
        noise: of the chain.
        key: of the noise (:meth:`ferrogen.core.streams.Streams.key`).
        first_cycle: number of the first cycle.

    Raises:
        ArgumentError: a negative cycle.
    """
    if first_cycle < 0:
        raise argument_error("first_cycle", "not be negative", first_cycle)
    cycles = np.arange(first_cycle, first_cycle + difference.shape[0], dtype=np.int64)
    return np.asarray(difference + noise.difference * addressed_normals(key, cycles, 1)[:, 0], dtype=np.float64)


def reading_cost(chain: SamplingChain, column: ColumnRecord) -> ReadingCost:
    """Return energy and time of one reading.

    Raises:
        ArgumentError: a schedule that the chain cannot serve.
    """
    window = window_of(column.schedule)
    chain.integration_time(window)
    active = 2.0 * window + chain.conversion_delay
    power = capacitors = 0.0
    if isinstance(chain.integrator, ChargeIntegrator):
        power = chain.integrator.power
        capacitors += 2.0 * chain.integrator.capacitance * chain.integrator.rail**2
        if isinstance(chain.hold, SampleAndHold):
            capacitors += 2.0 * chain.hold.capacitance * chain.integrator.rail**2
    return ReadingCost(
        cells=abs(column.schedule.phases[0].voltage) * _all_currents(column) * 2.0 * window,
        integrator=power * active,
        capacitors=capacitors,
        conversion=chain.adc.energy(),
        latency=active + chain.adc.latency(),
        cycle=column.schedule.period,
    )


def _all_currents(column: ColumnRecord) -> float:
    """Return the sum of the sizes of all cells' currents in the windows [A]; traps empty."""
    drive = effective_voltage(column.schedule.phases[0].voltage, column.characteristic_voltage)
    return float(np.abs(drive) * np.abs(column.conductance).sum())
