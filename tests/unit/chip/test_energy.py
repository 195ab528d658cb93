"""Energy of a chip's use, against sums over cells and uses done here by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.energy import (
    COMPONENTS,
    cell_capacitance,
    energy_of,
    energy_report,
    product_latency,
    pulse_energy,
    sample_latency,
)
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.usage import Usage
from ferrogen.circuit.converters import DAC, IdealDAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.input_encoding import BitSerial, PulseWidth
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal

ROWS, COLUMNS = 24, 12
POINT = OperatingPoint(sample_voltage=1.2, multiply_voltage=0.3)
CARD = load_card("hzo-mfis-nor")


def _chip(**periphery: Any) -> Chip:
    spec = ChipSpec(rows=ROWS, columns=COLUMNS, tiles=1, periphery=replace(Periphery(), **periphery))
    chip = Chip(CARD, seed=3, spec=spec)
    target = np.random.default_rng(1).uniform(chip.window.low, chip.window.high, (ROWS, COLUMNS))
    chip.program(0, target, samples=True)
    return chip


def test_a_fresh_chip_has_only_been_programmed() -> None:
    chip = _chip()
    report = energy_report(chip, POINT)
    assert tuple(report.by_component) == COMPONENTS
    assert {name for name, value in report.by_component.items() if value} == {"programming pulses", "verify reads"}
    assert report.by_component["programming pulses"] == close(chip.usage.pulses * pulse_energy(chip.spec, CARD))
    assert report.total == close(sum(report.by_component.values()))
    assert chip.usage.programmed_cells == ROWS * COLUMNS


@pytest.mark.parametrize(
    "dac", [DAC(8), DAC(8, "linear"), IdealDAC(), PulseWidth(8), BitSerial(5)], ids=lambda dac: type(dac).__name__
)
def test_cells_of_a_product_take_current_times_voltage_times_time(dac: Any) -> None:
    chip = _chip(dac=dac)
    x = torch.rand((7, ROWS), generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    before = replace(chip.usage)
    chip.multiply(x, POINT)
    cells = energy_of(chip.usage.since(before), chip.spec, CARD, POINT).by_component["cells, multiplying"]
    conductance = chip.product_matrices([[0]], POINT, COLUMNS // 2).total[0].double().sum(dim=1).numpy()
    v0, full = CARD.characteristic_voltage.value, POINT.multiply_voltage
    energy = 0.0
    for row in x.abs().double().numpy():
        for value, g in zip(row, conductance, strict=True):
            if isinstance(dac, PulseWidth | BitSerial):
                width = value if isinstance(dac, PulseWidth) else round(value * 15).bit_count() / 4
                energy += g * v0 * math.sinh(full / v0) * full * width * POINT.multiply_time
            else:
                volt = value * full if dac.driver == "linear" else v0 * math.asinh(value * math.sinh(full / v0))
                energy += g * v0 * math.sinh(volt / v0) * volt * POINT.multiply_time
    # Energy is that of the inputs before rounding to 8 bits: half a code in 127, squared and averaged, is far below.
    assert cells == close(energy, rel=3e-3)


def test_cells_of_a_sample_take_the_standing_current_in_both_windows() -> None:
    chip = _chip()
    before = replace(chip.usage)
    chip.sample(POINT, range(5), pairs=4, full_scale=1e-7)
    used = chip.usage.since(before)
    report = energy_of(used, chip.spec, CARD, POINT).by_component
    tile, v0 = chip.tile(0), CARD.characteristic_voltage.value
    lines = tile.conductance(tile.population())[:, :8].sum() * v0
    current = lines * math.sinh(1.2 / v0)
    assert report["cells, sampling"] == close(5 * 2 * current * 1.2 * POINT.sampling_time)
    assert report["cells, resting"] == close(5 * lines * math.sinh(0.3 / v0) * 0.3 * POINT.reset)
    assert (used.readings, used.sample_conversions, used.sample_drives) == (40, 20, 5 * ROWS)
    amplifier = chip.spec.periphery.sample_amplifier
    assert report["amplifiers, sampling"] == close(40 * amplifier.energy(POINT.sampling_time))
    converted = 20 * (chip.spec.periphery.sample_adc.energy() + Multiplexer().energy())
    assert report["converters, sampling"] == close(converted)
    assert report["cells, multiplying"] == report["converters, multiplying"] == 0.0


def test_parts_of_a_product_are_counted() -> None:
    chip = _chip(dac=BitSerial(5))
    before = replace(chip.usage)
    chip.multiply(torch.zeros((3, ROWS)), POINT, full_scale=2e-8)
    used, periphery = chip.usage.since(before), chip.spec.periphery
    pairs, planes = COLUMNS // 2, 4
    assert used.conversions == used.integrations == 3 * pairs * planes
    assert used.line_drives == 3 * ROWS * planes
    report = energy_of(used, chip.spec, CARD, POINT).by_component
    window = POINT.multiply_time / planes
    expected = 3 * pairs * planes * periphery.multiply_amplifier.energy(window)
    assert report["amplifiers, multiplying"] == close(expected)
    assert report["integrators"] == close(3 * pairs * planes * 2e-8 * window * periphery.line_driver.supply)
    assert report["digital addition"] == close(3 * pairs * planes * BitSerial().adder_energy)
    assert report["input converters"] == close(3 * ROWS * BitSerial(5).energy())
    line = COLUMNS * (Wires().row_capacitance + cell_capacitance(CARD))
    assert report["drivers, multiplying"] == close(3 * ROWS * planes * line * 0.3**2)


def test_an_ideal_periphery_costs_nothing_but_the_cells() -> None:
    spec = ChipSpec(rows=ROWS, columns=COLUMNS, tiles=1, periphery=Periphery.ideal())
    used = Usage(
        readings=5, standing_current=1e-6, conversions=9, sample_conversions=2, integrations=7, cell_power=1e-9
    )
    report = energy_of(used, spec, CARD, POINT)
    assert {name for name, value in report.by_component.items() if value} == {
        "cells, sampling",
        "cells, resting",
        "cells, multiplying",
    }
    assert sample_latency(spec, CARD, POINT) == 2.0 * POINT.sampling_time
    assert product_latency(spec, CARD, POINT) == POINT.multiply_time
    assert report.cycle_time == 2.0 * POINT.sampling_time + POINT.reset


def test_capacitances_in_series() -> None:
    epsilon = 8.8541878188e-12
    ferroelectric, oxide = epsilon * 30.0 * 1e-14 / 10e-9, epsilon * 3.9 * 1e-14 / 1e-9
    assert cell_capacitance(CARD) == close(1.0 / (1.0 / ferroelectric + 1.0 / oxide))


def test_a_pulse_charges_both_lines_and_switches_a_cell() -> None:
    spec, cell = ChipSpec(rows=ROWS, columns=COLUMNS), cell_capacitance(CARD)
    lines = COLUMNS * (Wires().row_capacitance + cell) + ROWS * (Wires().column_capacitance + cell)
    # the card: 5 V, 0.2 C/m^2, 1e-14 m^2
    assert pulse_energy(spec, CARD) == close(lines * 25.0 + 2.0 * 0.2 * 1e-14 * 5.0)
    without = CARD.model_copy(update={"programming": None, "switching": None})
    assert pulse_energy(spec, without) == close(lines * 9.0 + 2.0 * 0.2 * 1e-14 * 3.0)


def test_more_pairs_a_converter_take_longer() -> None:
    def latency(share: int, pairs: int | None = None, dac: Any = None) -> float:
        periphery = replace(Periphery(), multiplexer=Multiplexer(pairs_per_converter=share), dac=dac or DAC())
        return product_latency(ChipSpec(rows=ROWS, columns=COLUMNS, periphery=periphery), CARD, POINT, pairs)

    slot = Multiplexer().settling_time() + Periphery().multiply_adc.latency()
    assert latency(4) - latency(1) == close(3 * slot)
    assert latency(100) - latency(1) == close((COLUMNS // 2 - 1) * slot)
    assert latency(4, 2) - latency(1) == close(slot)
    serial = latency(4, dac=BitSerial(8)) - POINT.multiply_time - BitSerial(8).latency()
    assert serial == close(7 * (latency(4) - POINT.multiply_time - DAC().latency()))
    with pytest.raises(ArgumentError, match="`pairs`"):
        latency(4, COLUMNS)
