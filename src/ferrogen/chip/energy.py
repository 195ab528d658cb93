"""What a chip's use costs: energy by component, and how long a latent and a product take.

Counts come from :class:`.usage.Usage`, what one use costs from the circuits' own ``energy`` and ``latency``. Currents
and inputs are those that were met, voltages and times those of the operating point given. Not counted: digital work
beyond the addition of planes (scale, bias, activation, control), integrators of the sample mode, leakage of idle
circuits. Lines that are not read float. Most circuit constants are assumed; each says so where it is defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.usage import Usage
from ferrogen.circuit.readout.input_encoding import BitSerial
from ferrogen.circuit.wires import IdealWires
from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard

COMPONENTS = (
    "cells, sampling",
    "cells, resting",
    "cells, multiplying",
    "drivers, sampling",
    "drivers, multiplying",
    "input converters",
    "amplifiers, sampling",
    "amplifiers, multiplying",
    "integrators",
    "converters, sampling",
    "converters, multiplying",
    "digital addition",
    "programming pulses",
    "verify reads",
)
"""Names of the components, in the order of the signal."""

_POLARIZATION = 0.2  # C/m^2, of a card that states none; assumed, usual for hafnium zirconium oxide
_PROGRAM_VOLTAGE = 3.0  # V, of a card that states none; assumed


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """Energy and latency of a chip's use.

    Attributes:
        by_component: energy of each of :data:`COMPONENTS` [J].
        sample_latency: from raising the voltage to the codes of a tile's latents [s].
        cycle_time: from one latent to the next: two windows and the rest [s]; products and conversions fit in the rest.
        product_latency: from the input codes to the output codes of one tile's product [s].
    """

    by_component: dict[str, float]
    sample_latency: float
    cycle_time: float
    product_latency: float

    @property
    def total(self) -> float:
        """All components [J]."""
        return float(sum(self.by_component.values()))


def cell_capacitance(card: DeviceCard) -> float:
    """Return the capacitance [F] of a cell: ferroelectric and interlayer in series, without the switching charge."""
    area = card.cell_area.value
    per_area = card.ferroelectric_thickness.value / card.ferroelectric_permittivity.value
    per_area += card.interlayer_thickness.value / card.interlayer_permittivity.value
    return VACUUM_PERMITTIVITY * area / per_area


def line_capacitances(spec: ChipSpec, card: DeviceCard) -> tuple[float, float]:
    """Return the capacitance [F] of a cell with its segment of word line, and with that of its bit line."""
    wires, cell = spec.periphery.wires, cell_capacitance(card)
    if isinstance(wires, IdealWires):
        return cell, cell
    return cell + wires.row_capacitance, cell + wires.column_capacitance


def pulse_energy(spec: ChipSpec, card: DeviceCard) -> float:
    """Return the most that one programming pulse costs [J].

    Both lines are charged to the set voltage, C V^2 each, and a cell that switches fully draws 2 P A V. Partial
    switching draws less.
    """
    programming = card.programming
    voltage = _PROGRAM_VOLTAGE if programming is None else abs(programming.set_voltage.value)
    polarization = _POLARIZATION if card.switching is None else card.switching.remanent_polarization.value
    driver, (row, column) = spec.periphery.line_driver, line_capacitances(spec, card)
    lines = driver.energy(voltage, spec.columns, row) + driver.energy(voltage, spec.rows, column)
    return lines + 2.0 * polarization * card.cell_area.value * voltage


def energy_of(usage: Usage, spec: ChipSpec, card: DeviceCard, point: OperatingPoint) -> EnergyReport:
    """Return what a record of use cost, at one operating point.

    Args:
        usage: counts; of a stretch of time, ``chip.usage.since(earlier)``.
        spec: the chip's.
        card: its device.
        point: voltages and times of the use.
    """
    periphery, (row, _) = spec.periphery, line_capacitances(spec, card)
    driver, multiplexer = periphery.line_driver, periphery.multiplexer
    planes = periphery.dac.cycles
    window = point.multiply_time / planes
    # The sum over double samples of what their lines carry at rest, in the ratio of the sinh characteristic.
    v0 = card.characteristic_voltage.value
    ratio = float(np.sinh(point.multiply_voltage / v0) / np.sinh(point.sample_voltage / v0))
    doubled = usage.standing_current / 2.0
    multiply_conversions = usage.conversions - usage.sample_conversions
    held = periphery.sample_hold.energy() + multiplexer.energy()
    adder = periphery.dac.adder_energy if isinstance(periphery.dac, BitSerial) else 0.0
    energies = {
        "cells, sampling": usage.standing_current * point.sample_voltage * point.sampling_time,
        "cells, resting": doubled * ratio * point.multiply_voltage * point.reset,
        "cells, multiplying": usage.cell_power * point.multiply_time,
        "drivers, sampling": usage.sample_drives * driver.energy(point.sample_voltage, spec.columns, row),
        "drivers, multiplying": usage.line_drives * driver.energy(point.multiply_voltage, spec.columns, row),
        "input converters": usage.line_drives / planes * periphery.dac.energy(),
        "amplifiers, sampling": usage.readings * periphery.sample_amplifier.energy(point.sampling_time),
        "amplifiers, multiplying": usage.integrations * periphery.multiply_amplifier.energy(window),
        # At most: as if every current were of full scale.
        "integrators": periphery.integrator.energy(usage.full_scale_current * window, driver.supply),
        "converters, sampling": usage.sample_conversions * (periphery.sample_adc.energy() + held),
        "converters, multiplying": multiply_conversions * (periphery.multiply_adc.energy() + held),
        "digital addition": multiply_conversions * adder,
        "programming pulses": usage.pulses * pulse_energy(spec, card),
        "verify reads": (usage.pulses + usage.programmed_cells)
        * periphery.multiply_amplifier.energy(point.multiply_time),
    }
    return EnergyReport(
        by_component=energies,
        sample_latency=sample_latency(spec, card, point),
        cycle_time=2.0 * point.sampling_time + point.reset,
        product_latency=product_latency(spec, card, point),
    )


def energy_report(chip: Chip, point: OperatingPoint) -> EnergyReport:
    """Return what everything that a chip has done so far cost, as if all of it had been done at ``point``."""
    return energy_of(chip.usage, chip.spec, chip.device, point)


def _line_latency(spec: ChipSpec, card: DeviceCard) -> float:
    wires = spec.periphery.wires
    segment = 0.0 if isinstance(wires, IdealWires) else wires.row_segment
    return spec.periphery.line_driver.latency(spec.columns, segment, line_capacitances(spec, card)[0])


def sample_latency(spec: ChipSpec, card: DeviceCard, point: OperatingPoint, readings: int | None = None) -> float:
    """Return the time [s] from raising the voltage to the codes of ``readings`` of one tile (all pairs, if not given).

    Word line, two windows, then conversions in turn.
    """
    number = _pairs(spec, readings)
    periphery = spec.periphery
    held = periphery.sample_hold.latency() + periphery.sample_adc.latency()
    conversions = periphery.multiplexer.latency(number, held)
    return _line_latency(spec, card) + 2.0 * point.sampling_time + conversions


def product_latency(spec: ChipSpec, card: DeviceCard, point: OperatingPoint, pairs: int | None = None) -> float:
    """Return the time [s] of one tile's product, for ``pairs`` outputs (all, if not given).

    Input converter, word line, integration and conversions in turn; line and conversions once for every plane of
    a bit-serial input. Row tiles work side by side.
    """
    number = _pairs(spec, pairs)
    periphery = spec.periphery
    held = periphery.sample_hold.latency() + periphery.multiply_adc.latency()
    planes = periphery.dac.cycles
    each = _line_latency(spec, card) + periphery.multiplexer.latency(number, held)
    return periphery.dac.latency() + point.multiply_time + planes * each


def _pairs(spec: ChipSpec, wanted: int | None) -> int:
    number = spec.pairs if wanted is None else wanted
    if not 1 <= number <= spec.pairs:
        raise argument_error("pairs", f"be 1 to {spec.pairs}, the pairs of a tile", number)
    return number
